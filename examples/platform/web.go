package main

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// App is the platform's web site.
type App struct {
	*Orders
	pages    map[string]*template.Template
	passCost int  // of bcrypt
	secure   bool // cookies travel over HTTPS only
	mux      *http.ServeMux
}

//go:embed templates
var templates embed.FS

// newApp makes a site that is reached at base, e.g. http://127.0.0.1:8080.
func newApp(db *store.Store, client *ips.Client, base string, passCost int, log *slog.Logger) (*App, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the site's address: want an absolute http or https URL, got %.80q", base)
	}
	a := &App{
		Orders: &Orders{store: db, client: client, base: strings.TrimRight(base, "/"), log: log, now: time.Now},
		pages:  make(map[string]*template.Template), passCost: passCost, secure: u.Scheme == "https", mux: http.NewServeMux(),
	}
	if err := a.parsePages(); err != nil {
		return nil, err
	}
	a.routes()
	return a, nil
}

func (a *App) routes() {
	a.mux.Handle("POST /ips/notify/", a.client.NotifyHandler(a.reporting(a.inbound())))
	a.mux.Handle("POST /ips/return/", a.client.ReturnHandler(a.reporting(a.inbound()), a.showReturn))
	a.mux.HandleFunc("GET /style.css", a.style)
	for pattern, page := range map[string]handler{
		"GET /{$}":        a.home,
		"GET /loans":      a.loans,
		"GET /register":   a.registerPage,
		"POST /register":  a.register,
		"GET /login":      a.loginPage,
		"POST /login":     a.login,
		"POST /logout":    a.logout,
		"GET /chapters":   a.chapters,
		"GET /loan/{bid}": a.loan,
	} {
		a.mux.HandleFunc(pattern, a.serve(anybody, page))
	}
	for pattern, page := range map[string]handler{
		"GET /account":                   a.account,
		"POST /account/open":             a.openAccount,
		"GET /funds":                     a.funds,
		"POST /recharge":                 a.recharge,
		"POST /withdraw":                 a.withdraw,
		"GET /borrow":                    a.borrowPage,
		"POST /borrow":                   a.borrow,
		"POST /loan/{bid}/bid":           a.bid,
		"POST /loan/{bid}/guarantee":     a.guarantee,
		"POST /loan/{bid}/repay":         a.repay,
		"POST /loan/{bid}/reimburse":     a.reimburse,
		"GET /claims":                    a.claims,
		"POST /claims/{share}/sell":      a.sell,
		"GET /market":                    a.market,
		"POST /market/{sale}/buy":        a.buy,
		"POST /market/{sale}/withdraw":   a.withdrawSale,
		"GET /contracts":                 a.contracts,
		"POST /contracts/bid":            a.signAutoBid,
		"POST /contracts/repay":          a.signAutoRepay,
		"GET /orders":                    a.orders,
		"GET /order/{op}/{no}":           a.order,
		"POST /order/{op}/{no}/continue": a.continueOrder,
	} {
		a.mux.HandleFunc(pattern, a.serve(store.Member, page))
	}
	for pattern, page := range map[string]handler{
		"GET /admin":                             a.adminHome,
		"GET /admin/loan/{bid}":                  a.adminLoan,
		"POST /admin/loan/{bid}/publish":         a.publish,
		"POST /admin/loan/{bid}/release":         a.release,
		"POST /admin/loan/{bid}/end":             a.end,
		"POST /admin/loan/{bid}/compensate":      a.compensate,
		"POST /admin/loan/{bid}/profit":          a.profit,
		"POST /admin/loan/{bid}/unfreeze":        a.unfreeze,
		"POST /admin/loan/{bid}/autobid":         a.autoBid,
		"POST /admin/loan/{bid}/autorepay":       a.autoRepay,
		"POST /admin/withhold":                   a.withhold,
		"GET /admin/orders":                      a.adminOrders,
		"POST /admin/order/{op}/{no}/void":       a.void,
		"POST /admin/reconcile":                  a.reconcile,
		"GET /admin/books":                       a.books,
		"GET /admin/contradictions":              a.contradictions,
		"POST /admin/contradictions/{id}/settle": a.resolve,
	} {
		a.mux.HandleFunc(pattern, a.serve(store.Admin, page))
	}
}

// ServeHTTP serves the site.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// reporting logs the answers that were refused: the SDK's errors hold nothing
// personal.
func (a *App) reporting(in ips.Inbound) ips.Inbound {
	in.OnError = func(r *http.Request, err error) {
		a.log.Error("an answer was not taken", "operation", path.Base(r.URL.Path), "err", err)
	}
	return in
}

// visit is one request by somebody.
type visit struct {
	user  store.User // the zero User for somebody who is not logged in
	token string     // against cross-site request forgery
}

func (v *visit) admin() bool { return v.user.Role == store.Admin }

type handler func(w http.ResponseWriter, r *http.Request, v *visit) error

// anybody may see a page, logged in or not.
const anybody store.Role = ""

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
func (a *App) serve(role store.Role, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := a.visitOf(w, r)
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

var errLogin = errors.New("log in first")

func (a *App) admit(w http.ResponseWriter, r *http.Request, role store.Role, v *visit) error {
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return &problem{http.StatusBadRequest, "无法读取表单"}
		}
		if !sameToken(v.token, r.PostFormValue("token")) {
			return &problem{http.StatusForbidden, "页面已过期，请返回刷新后重试"}
		}
	}
	switch {
	case role == anybody:
		return nil
	case v.user.ID == "":
		return errLogin
	case role == store.Admin && !v.admin():
		return &problem{http.StatusForbidden, "没有权限"}
	}
	return nil
}

// fail shows an error: in full if it is for the user, else only to the log.
func (a *App) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	var p *problem
	var invalid *ips.ValidationError
	switch {
	case errors.Is(err, errLogin):
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	case errors.As(err, &p):
	case errors.As(err, &invalid):
		p = &problem{http.StatusUnprocessableEntity, "内容不符合 IPS 接口要求：" + fieldsOf(invalid)}
	case errors.Is(err, store.ErrNotFound):
		p = &problem{http.StatusNotFound, "没有找到"}
	default:
		a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		p = &problem{http.StatusInternalServerError, "系统繁忙，请稍后再试"}
	}
	if v == nil {
		v = &visit{}
	}
	a.render(w, r, v, p.status, "problem", "出错了", p.text)
}

func fieldsOf(invalid *ips.ValidationError) string {
	var parts []string
	for _, f := range invalid.Fields {
		parts = append(parts, f.Error())
	}
	return strings.Join(parts, "; ")
}

// view is what every page gets.
type view struct {
	Title string
	User  store.User
	Admin bool
	Token string
	Data  any
}

// Click identifies one form on one page, so that it counts once however often
// it is sent.
func (view) Click() string { return store.NewID() }

// click is the page's identification, which is the user's own.
func click(r *http.Request, v *visit) string {
	return v.user.ID + "/" + r.PostFormValue("click")[:min(40, len(r.PostFormValue("click")))]
}

func (a *App) parsePages() error {
	names, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return err
	}
	layout, err := template.New("layout.html").Funcs(functions()).ParseFS(templates, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return err
	}
	for _, name := range names {
		if layout.Lookup(path.Base(name)) != nil {
			continue
		}
		page, err := layout.Clone()
		if err == nil {
			page, err = page.ParseFS(templates, name)
		}
		if err != nil {
			return err
		}
		a.pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return nil
}

func (a *App) show(w http.ResponseWriter, r *http.Request, v *visit, page, title string, data any) error {
	return a.render(w, r, v, http.StatusOK, page, title, data)
}

// render writes a page. Nothing of it is sent before all of it is there.
func (a *App) render(w http.ResponseWriter, _ *http.Request, v *visit, status int, page, title string, data any) error {
	var body bytes.Buffer
	if err := a.pages[page].Execute(&body, view{title, v.user, v.admin(), v.token, data}); err != nil {
		a.log.Error("page", "page", page, "err", err)
		http.Error(w, "系统繁忙", http.StatusInternalServerError)
		return nil
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the browser has gone; there is nobody to tell
	return nil
}

func (a *App) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeFileFS(w, r, templates, "templates/style.css")
}

// begin records an order and lets the user's browser carry it to IPS.
func (a *App) begin(w http.ResponseWriter, r *http.Request, v *visit, prepare func(*store.Tx) (draft, error)) error {
	order, err := a.Record(r.Context(), v.user, click(r, v), prepare)
	if err != nil {
		return err
	}
	return a.carry(w, r, order)
}

// carry serves the form of an order, or shows how it ended if it has.
func (a *App) carry(w http.ResponseWriter, r *http.Request, order store.Order) error {
	if order.State.Final() {
		return seeOrder(w, r, order)
	}
	form, err := a.Form(order)
	if err != nil {
		return err
	}
	form.ServeHTTP(w, r)
	return nil
}

// call records an order, calls IPS for it, and shows how far it came.
func (a *App) call(w http.ResponseWriter, r *http.Request, v *visit, prepare func(*store.Tx) (draft, error)) error {
	order, err := a.Record(r.Context(), v.user, click(r, v), prepare)
	if err != nil {
		return err
	}
	if err := a.Send(r.Context(), order); err != nil {
		// The order is recorded; its page says that it is not settled.
		a.log.Warn("order is not settled", "operation", order.Operation, "order", order.OrderNo, "err", err)
	}
	return seeOrder(w, r, order)
}

func seeOrder(w http.ResponseWriter, r *http.Request, order store.Order) error {
	return see(w, r, "/order/"+string(order.Operation)+"/"+order.OrderNo)
}

// see sends the browser to a page of the site itself. Targets are never taken
// from a request.
func see(w http.ResponseWriter, r *http.Request, target string) error {
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

// showReturn answers the browser that IPS has sent back. Anybody can replay
// what his own browser carried, so it logs nobody in and shows nothing that
// the answer itself does not tell.
func (a *App) showReturn(w http.ResponseWriter, r *http.Request, resp ips.Response, err error) {
	if resp == nil { // a reload, or what is no answer of IPS
		http.Redirect(w, r, "/orders", http.StatusSeeOther)
		return
	}
	base := resp.Base()
	data := struct {
		Reply ips.Reply
		Known bool // is recorded
		Link  string
	}{*base, err == nil, ""}
	if base.OrderNo != "" {
		data.Link = (&url.URL{Path: "/order/" + string(base.Operation) + "/" + base.OrderNo}).EscapedPath()
	}
	_ = a.render(w, r, &visit{}, http.StatusOK, "return", "IPS 处理结果", data)
}

// amountOf reads an amount in yuan out of a form.
func amountOf(r *http.Request, field, label string) (ips.Amount, error) {
	amount, err := ips.ParseAmount(strings.TrimSpace(r.PostFormValue(field)))
	if err != nil || amount > ips.MaxAmount {
		return 0, complain("%s请填写金额（元，最多两位小数）", label)
	}
	return amount, nil
}

// positive is amountOf for an amount that must not be zero.
func positive(r *http.Request, field, label string) (ips.Amount, error) {
	amount, err := amountOf(r, field, label)
	if err == nil && amount == 0 {
		err = complain("%s必须大于 0", label)
	}
	return amount, err
}

func functions() template.FuncMap {
	return template.FuncMap{
		"day": func(s string) string {
			if len(s) != 8 {
				return cmp.Or(s, "长期有效")
			}
			return s[:4] + "-" + s[4:6] + "-" + s[6:]
		},
		"when": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.In(ips.China).Format("2006-01-02 15:04:05")
		},
		"state":     func(s ips.OrderState) string { return orderStates[s] },
		"loanState": func(s store.LoanState) string { return loanStates[s] },
		"due":       func(s store.DueState) string { return dueStates[s] },
		"share":     func(s store.ShareState) string { return shareStates[s] },
		"mode":      func(m ips.RepayMode) string { return repayModes[m] },
		"via":       func(s string) string { return cmp.Or(ways[s], s) },
		"operation": func(op ips.Operation) string {
			info, _ := op.Info()
			return info.Chinese
		},
		"tail": func(s string) string { // enough to recognise an account by
			if len(s) <= 4 {
				return s
			}
			return "尾号 " + s[len(s)-4:]
		},
	}
}

// requireAccount tells a user without a custody account to open one.
func requireAccount(u store.User) error {
	if u.Account == "" {
		return complain("请先开通 IPS 托管账户")
	}
	return nil
}

// person finds a user by his id, for pages that name him.
func (a *App) person(ctx context.Context, id string) string {
	u, err := a.store.User(ctx, id)
	if err != nil {
		return "—"
	}
	return u.Login
}
