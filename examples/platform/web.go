package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// App is the platform's web site.
type App struct {
	*http.ServeMux
	data     *Data
	book     *orders.Book
	client   *ips.Client
	base     string // of the site, as IPS and browsers reach it
	log      *slog.Logger
	now      func() time.Time
	passCost int      // of bcrypt
	secure   bool     // cookies travel over HTTPS only
	old      sync.Map // by their numbers: the client asks before it sends anything about a bid
	guesses  guesses
	forged   atomic.Int64 // answers with a wrong signature, and when the last came
	forgedAt atomic.Int64
	hashing  chan struct{} // has room for those who hash a password
	// seed tells the sandbox in this program of an old bid; nil without one.
	seed func(ips.RepayOldBidRequest) error
	// Of the sandbox in this program: where its text messages are read, and whether
	// its pages wait for people.
	inbox  string
	manual bool
}

//go:embed templates
var templates embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"amounts": amounts}).ParseFS(templates, "templates/page.html"))

// newApp makes a site that is reached at base, e.g. http://127.0.0.1:8080.
func newApp(ctx context.Context, data *Data, cfg ips.Config, base string, pace orders.Pace, passCost int, log *slog.Logger, opts ...ips.Option) (*App, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the site's address: want an absolute http or https URL, got %.80q", base)
	}
	base = strings.TrimRight(base, "/")
	a := &App{data: data, base: base, log: log, now: time.Now, passCost: passCost, secure: u.Scheme == "https", ServeMux: http.NewServeMux(), hashing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	cfg.ReturnURL, cfg.NotifyURL = base+"/ips/return", base+"/ips/notify"
	if a.client, err = ips.NewClient(cfg, append(opts, ips.WithOldBids(func(bidNo string) bool { _, old := a.old.Load(bidNo); return old }))...); err != nil {
		return nil, err
	}
	a.book, err = orders.Open(data.DB, data.dialect, orders.One(a.client), orders.WithPace(pace), orders.Prefix("P"), orders.OnError(func(err error) { log.Warn("the book goes on later", "err", err) }))
	if err != nil {
		return nil, err
	}
	a.registerEffects()
	if err := a.book.Migrate(ctx); err != nil {
		return nil, err
	}
	w := data.read(ctx)
	for _, loan := range list[Loan](w, "contract_no <> ''") {
		a.old.Store(loan.BidNo, true)
	}
	a.routes()
	return a, w.err
}

func (a *App) routes() {
	in := ips.Inbound{Hear: a.book.Hear, OnError: a.notHeard}
	a.Handle("POST /ips/notify/", a.client.NotifyHandler(in))
	a.Handle("POST /ips/return/", a.client.ReturnHandler(in, a.showReturn))
	a.Handle("/admin/book/", http.StripPrefix("/admin/book", a.book.Console(a.staff)))
	a.HandleFunc("GET /style.css", a.style)
	a.HandleFunc("/", a.serve(anybody, func(http.ResponseWriter, *http.Request, *visit) error { return errNotFound }))
	for role, pages := range map[Role]map[string]handler{anybody: {
		"GET /{$}":        a.page(a.home),
		"GET /loans":      a.page(a.home),
		"GET /register":   a.page(a.registerPage),
		"POST /register":  a.register,
		"GET /login":      a.page(a.loginPage),
		"POST /login":     a.login,
		"POST /logout":    a.logout,
		"GET /chapters":   a.page(a.chapters),
		"GET /loan/{bid}": a.page(a.loan),
	}, Member: {
		"GET /account":                 a.page(a.account),
		"POST /account/open":           a.openAccount,
		"POST /account/details":        a.changes(a.correct),
		"GET /funds":                   a.page(a.funds),
		"POST /recharge":               a.ordered(a.recharge),
		"POST /withdraw":               a.ordered(a.withdraw),
		"GET /borrow":                  a.page(a.borrowPage),
		"POST /borrow":                 a.changes(a.borrow),
		"POST /loan/{bid}/bid":         a.ordered(a.bid),
		"POST /loan/{bid}/guarantee":   a.ordered(a.guarantee),
		"POST /loan/{bid}/agree":       a.changes(a.agree),
		"POST /loan/{bid}/repay":       a.repay,
		"POST /loan/{bid}/reimburse":   a.ordered(a.reimburse),
		"GET /claims":                  a.page(a.claims),
		"POST /claims/{share}/sell":    a.changes(a.sell),
		"GET /market":                  a.page(a.market),
		"POST /market/{sale}/buy":      a.ordered(a.buy),
		"POST /market/{sale}/withdraw": a.changes(a.withdrawSale),
		"POST /market/{sale}/accept":   a.accept,
		"GET /contracts":               a.page(a.contracts),
		"POST /contracts/bid":          a.ordered(a.signAutoBid),
		"POST /contracts/repay":        a.ordered(a.signAutoRepay),
		"GET /orders":                  a.page(a.orders),
	}, somebody: {
		"GET /loan/{bid}/contract":       a.page(a.contract),
		"GET /order/{op}/{no}":           a.page(a.order),
		"POST /order/{op}/{no}/continue": a.continueOrder,
	}, Admin: {
		"GET /admin":                             a.page(a.adminHome),
		"GET /admin/{$}":                         a.page(a.adminHome), // the order book's way back
		"GET /admin/loan/{bid}":                  a.page(a.loan),
		"POST /admin/loan/{bid}/reject":          a.changes(a.reject),
		"POST /admin/loan/{bid}/publish":         a.ordered(a.publish),
		"POST /admin/loan/{bid}/release":         a.ordered(a.release),
		"POST /admin/loan/{bid}/end":             a.end,
		"POST /admin/loan/{bid}/compensate":      a.ordered(a.compensate, a.noRepayUnheard),
		"POST /admin/loan/{bid}/profit":          a.ordered(a.profit),
		"POST /admin/loan/{bid}/unfreeze":        a.ordered(a.unfreeze),
		"POST /admin/loan/{bid}/autobid":         a.ordered(a.autoBid),
		"POST /admin/loan/{bid}/autorepay":       a.ordered(a.autoRepay, a.noRepayUnheard),
		"POST /admin/loan/{bid}/sale":            a.accept,
		"POST /admin/oldbid":                     a.addOldBid,
		"POST /admin/withhold":                   a.ordered(a.withhold),
		"GET /admin/orders":                      a.page(a.adminOrders),
		"POST /admin/order/{op}/{no}/void":       a.changes(a.void),
		"POST /admin/reconcile":                  a.reconcile,
		"GET /admin/books":                       a.page(a.books),
		"GET /admin/books/differences.csv":       a.differencesFile,
		"GET /admin/books/orders.csv":            a.ordersFile,
		"GET /admin/contradictions":              a.page(a.contradictions),
		"POST /admin/contradictions/{id}/settle": a.resolve,
	}} {
		for pattern, page := range pages {
			a.HandleFunc(pattern, a.serve(role, page))
		}
	}
}

// visit is one request by somebody.
type visit struct {
	user  User   // the zero User for somebody who is not logged in
	token string // against cross-site request forgery
	from  string // the page, to which a form that it holds comes back
	wrong *wrong // the form that was refused there
	again int    // seconds after which the page looks again, 0 for never
}

func (v *visit) admin() bool { return v.user.Role == Admin }

type handler func(w http.ResponseWriter, r *http.Request, v *visit) error

// anybody may see a page, logged in or not; somebody is logged in.
const anybody, somebody Role = "", "somebody"

// problem is an error that the user is told.
type problem struct {
	status int
	text   string // Chinese
}

func (p *problem) Error() string { return p.text }

func complain(format string, args ...any) error {
	return &problem{http.StatusUnprocessableEntity, fmt.Sprintf(format, args...)}
}

const maxForm = 64 << 10

// serve lets those in who may, and takes forms only from the site's own pages.
func (a *App) serve(role Role, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := a.visitOf(w, r)
		v.from = r.URL.RequestURI()
		v.wrong, _ = r.Context().Value(wrongKey{}).(*wrong)
		if err == nil {
			err = a.admit(w, r, role, v)
		}
		if err == nil {
			err = h(w, r, v)
		}
		if err != nil {
			a.fail(w, r, v, err)
		}
	}
}

type wrongKey struct{}

var errLogin = errors.New("log in first")

// local is a target on this site, or "" if it is none.
func local(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(target, "\\") {
		return ""
	}
	return u.RequestURI()
}

// storable reports whether every database takes a text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func (a *App) admit(w http.ResponseWriter, r *http.Request, role Role, v *visit) error {
	if !storable(r.URL.Path) {
		return errNotFound
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return &problem{http.StatusBadRequest, "无法读取表单"}
		}
		v.from = cmp.Or(local(r.PostFormValue("page")), "/")
		if role != anybody && v.user.ID == "" {
			return errLogin
		}
		for _, values := range r.PostForm {
			if slices.ContainsFunc(values, func(s string) bool { return !storable(s) }) {
				return &problem{http.StatusBadRequest, "无法读取表单"}
			}
		}
		if !hmac.Equal([]byte(v.token), []byte(r.PostFormValue("token"))) {
			return &problem{http.StatusForbidden, "页面已过期，请再提交一次"}
		}
	}
	switch {
	case role == anybody:
		return nil
	case v.user.ID == "":
		return errLogin
	case role == Member && v.admin():
		return complain("该页面由会员办理，平台管理员没有托管账户")
	case role == Admin && !v.admin():
		return &problem{http.StatusForbidden, "没有权限：该页面由平台管理员办理"}
	}
	return nil
}

// fail shows an error: in full if it is for the user, else only to the log.
func (a *App) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	var p *problem
	var invalid *ips.ValidationError
	switch {
	case errors.Is(err, errLogin):
		_ = see(w, r, "/login?next="+url.QueryEscape(v.from))
		return
	case errors.As(err, &p):
	case errors.As(err, &invalid):
		var parts []string
		for _, f := range invalid.Fields {
			parts = append(parts, f.Error())
		}
		p = &problem{http.StatusUnprocessableEntity, "内容不符合 IPS 接口要求：" + strings.Join(parts, "; ")}
	case errors.Is(err, errNotFound):
		p = &problem{http.StatusNotFound, "页面不存在，或者您无权查看"}
	default:
		a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		p = &problem{http.StatusInternalServerError, "系统繁忙，请稍后再试"}
	}
	if r.Method == http.MethodPost {
		if back, err := url.Parse(v.from); err == nil && r.PostForm != nil && p.status != http.StatusNotFound && p.status != http.StatusBadRequest {
			again := r.Clone(context.WithValue(r.Context(), wrongKey{}, &wrong{action: r.URL.Path, text: p.text, status: p.status, typed: r.PostForm}))
			again.Method, again.URL, again.Body, again.Form, again.PostForm = http.MethodGet, back, http.NoBody, nil, nil
			a.ServeHTTP(w, again)
			return
		}
	}
	_ = a.render(w, v, p.status, "出错了", Part{Class: "problem", Text: p.text, Links: []Link{{"返回首页", "/"}}})
}

// page shows what is read for it, if it could be read.
func (a *App) page(read func(d *work, r *http.Request, v *visit) (title string, parts []Part)) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		d := a.data.read(r.Context())
		title, parts := read(d, r, v)
		if d.err != nil {
			return d.err
		}
		return a.render(w, v, http.StatusOK, title, parts...)
	}
}

// render writes a page. Nothing of it is sent before all of it is there.
func (a *App) render(w http.ResponseWriter, v *visit, status int, title string, parts ...Part) error {
	if v.wrong != nil {
		status = v.wrong.status
	}
	var body bytes.Buffer
	if err := page.Execute(&body, a.viewOf(v, title, parts)); err != nil {
		a.log.Error("page", "title", title, "err", err)
		http.Error(w, "系统繁忙", http.StatusInternalServerError)
		return nil
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if v.again > 0 {
		h.Set("Refresh", strconv.Itoa(v.again))
	}
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the browser has gone; there is nobody to tell
	return nil
}

func (a *App) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeFileFS(w, r, templates, "templates/style.css")
}

// draft is an order that is not recorded yet.
type draft struct {
	kind                    Kind
	bidNo, ref, mark, about string
	member                  string // whom it is for, if not who orders it
	request                 ips.Request
	click, content          string
}

// ordering drafts the order of a button, in the transaction in which it is recorded.
type ordering func(d *work, r *http.Request, v *visit) draft

// ordered is a button that orders something, if what must hold before it holds.
func (a *App) ordered(order ordering, before ...func(*http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		for _, check := range before {
			if err := check(r); err != nil {
				return err
			}
		}
		return a.place(w, r, v, order)
	}
}

// changes are buttons that change something in a transaction; f says where the
// browser goes next.
func (a *App) changes(f func(d *work, r *http.Request, v *visit) (target string)) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		target := ""
		if err := a.data.tx(r.Context(), func(d *work) { target = f(d, r, v) }); err != nil {
			return err
		}
		return see(w, r, target)
	}
}

// recordIn records an order with the platform's own row about it.
func (a *App) recordIn(w *work, user User, d draft) orders.Order {
	if w.err != nil {
		return orders.Order{}
	}
	order, err := a.book.Record(w.ctx, w.on, d.request)
	if err != nil {
		w.fail(err)
		return order
	}
	info, _ := order.Operation.Info()
	if d.click == "" {
		d.click = order.Key
	}
	add(w, Act{
		OrderKey: order.Key, Operation: order.Operation, OrderNo: order.OrderNo, UserID: user.ID, MemberID: cmp.Or(d.member, user.ID), BidNo: d.bidNo, Kind: d.kind, Ref: d.ref, Mark: d.mark,
		About: d.about, Click: d.click, Content: d.content, ByUser: info.Transport == ips.Redirect, MadeAt: a.now(),
	})
	return order
}

// maxOpen is how many orders a member may have begun that have no end: they cost
// the platform work.
const maxOpen = 30

// record writes the order of a click down, or orders, if it is a batch of too
// many rows. The second click on one button is the first order; with other
// content it is a mistake, of which the user must hear. What order checks holds
// when the order is recorded, since both happen in one transaction: lock there
// what must not change.
func (a *App) record(r *http.Request, v *visit, order ordering) (made []orders.Order, err error) {
	ctx := r.Context()
	click := r.PostFormValue("click")
	if click == "" {
		click = newID()
	}
	click = v.user.ID + "/" + strings.ToValidUTF8(click[:min(40, len(click))], "")
	content := contentOf(r)
	again := ""
	err = a.data.tx(ctx, func(w *work) {
		made, again = nil, ""
		if act, ok := maybe[Act](w, "click = ?", click); ok {
			w.want(act.Content == content, "这个页面已经提交过另一内容，请返回刷新后重新填写")
			again = act.OrderKey
			return
		}
		if !v.admin() {
			open := w.count("SELECT COUNT(*) FROM acts a JOIN ips_order o ON o.order_key = a.order_key WHERE user_id = ? AND "+isOpen, v.user.ID)
			w.want(open < maxOpen, "您有 %d 笔未完成的订单，请先在“我的订单”中继续办理", open)
		}
		d := order(w, r, v)
		if w.err != nil {
			return
		}
		for i, request := range orders.Split(d.request) {
			d.request, d.content = request, content
			if d.click = ""; i == 0 {
				d.click = click
			}
			made = append(made, a.recordIn(w, v.user, d))
		}
	})
	if err == nil && again != "" {
		made = make([]orders.Order, 1)
		made[0], err = a.book.Order(ctx, again)
	}
	return made, err
}

// contentOf is a digest of what a form says.
func contentOf(r *http.Request) string {
	form := url.Values{"path": {r.URL.Path}}
	for name, values := range r.PostForm {
		if name != "token" && name != "click" && name != "page" {
			form[name] = values
		}
	}
	sum := sha256.Sum256([]byte(form.Encode()))
	return hex.EncodeToString(sum[:])
}

// place records an order. Then the user's browser carries it to IPS, or the platform
// calls IPS for it. The book sends nothing twice, whoever clicks twice.
func (a *App) place(w http.ResponseWriter, r *http.Request, v *visit, order ordering) error {
	made, err := a.record(r, v, order)
	if err != nil {
		return err
	}
	if info, _ := made[0].Operation.Info(); info.Transport == ips.Redirect {
		return a.carry(w, r, made[0].Key)
	}
	a.send(made...)
	return see(w, r, orderPath(made[0].Operation, made[0].OrderNo))
}

// carry serves the form of an order, or shows how it ended if it has.
func (a *App) carry(w http.ResponseWriter, r *http.Request, key string) error {
	order, err := a.book.Order(r.Context(), key)
	if err != nil {
		return err
	}
	form, err := a.book.Form(r.Context(), order)
	if errors.Is(err, orders.ErrEnded) {
		return see(w, r, orderPath(order.Operation, order.OrderNo))
	}
	if err == nil {
		form.ServeHTTP(w, r)
	}
	return err
}

// send calls IPS. A user who closes his browser must not leave an order half
// done; what is not settled by the call, the book settles later.
func (a *App) send(made ...orders.Order) {
	for _, order := range made {
		if _, err := a.book.Send(context.Background(), order); err != nil && !errors.Is(err, orders.ErrBusy) {
			a.log.Warn("order is not settled", "operation", order.Operation, "order", order.OrderNo, "err", err)
		}
	}
}

func orderPath(op ips.Operation, no string) string {
	return (&url.URL{Path: "/order/" + string(op) + "/" + no}).EscapedPath()
}

// see sends the browser to a page of the site itself.
func see(w http.ResponseWriter, r *http.Request, target string) error {
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

// showReturn sends the browser that IPS has sent back on to the page of the order.
// Anybody can replay what his own browser carried, so it shows nothing itself: the
// page of the order asks who he is, and can be loaded again.
func (a *App) showReturn(w http.ResponseWriter, r *http.Request, resp ips.Response, _ error) {
	target := "/orders" // a reload, or what is no answer of IPS
	if resp != nil && resp.Base().OrderNo != "" {
		target = orderPath(resp.Base().Operation, resp.Base().OrderNo)
	}
	_ = see(w, r, target)
}

// amount reads an amount in yuan out of a form.
func (w *work) amount(r *http.Request, field, label string) ips.Amount {
	amount, err := ips.ParseAmount(ungrouped(r.PostFormValue(field)))
	w.want(err == nil && amount <= ips.MaxAmount, "%s请填写金额（元，最多两位小数）", label)
	return amount
}

// positive is amount for one that must not be zero.
func (w *work) positive(r *http.Request, field, label string) ips.Amount {
	amount := w.amount(r, field, label)
	w.want(amount > 0, "%s必须大于 0", label)
	return amount
}

// requireAccount tells a user without a custody account to open one.
func (w *work) requireAccount(u User) {
	w.want(u.Account != "", "请先在“我的账户”开通 IPS 托管账户")
}

// owner is how they name an account.
func (w *work) owner(account string) string {
	u, _ := maybe[User](w, "account = ?", account)
	return cmp.Or(u.Login, "平台") + " " + tail(account)
}

// person is how pages name a user.
func (w *work) person(id string) string {
	u, _ := maybe[User](w, "id = ?", id)
	return cmp.Or(u.Login, "—")
}
