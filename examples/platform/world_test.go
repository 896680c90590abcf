package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/htmlform"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/orders"
)

const (
	patience = 30 * time.Second
	password = "correct horse"
)

// world is a sandbox and platforms that work with it.
type world struct {
	t       *testing.T
	box     *sandbox.Sandbox
	address string // of the database
	ips     ips.Environment
	app     *App // the first instance
	site    *httptest.Server
	deaf    atomic.Bool // notifications are answered 500
	mute    atomic.Bool // web returns are answered 500, unread
	people  atomic.Int64
	sites   sync.Map        // by host, their handlers
	hurry   []time.Duration // until an open order is a matter for staff
	later   atomic.Int64    // how far the platform's clock is ahead
	admin   *person
}

// newWorld starts one platform on the database.
func newWorld(t *testing.T, address string, hurry ...time.Duration) *world {
	t.Helper()
	w := &world{t: t, address: address, hurry: hurry}
	box, err := sandbox.New(sandbox.Config{Backoff: repeated(100*time.Millisecond, 200), NotifyClient: &http.Client{Transport: w}})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, box.CheckBooks())
		assert.NoError(t, box.Close())
	})
	base, err := box.Start("")
	require.NoError(t, err)
	w.box, w.ips = box, ips.Sandbox(base)
	w.app, w.site = w.instance("")
	made, err := w.app.ensureAdmin(context.Background(), password)
	require.NoError(t, err)
	require.Empty(t, made)
	w.admin = w.visitor()
	w.admin.press("/login", "/login", url.Values{"login": {"admin"}, "password": {password}})
	return w
}

// RoundTrip brings what browsers and IPS ask of the platforms there without a
// network, which takes half of the time; the rest goes where it should.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	site, ok := w.sites.Load(r.URL.Host)
	if !ok {
		return http.DefaultTransport.RoundTrip(r)
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr, in.Host = r.URL.RequestURI(), "127.0.0.1:1", r.URL.Host
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	site.(http.Handler).ServeHTTP(out, in)
	answer := out.Result()
	answer.Request = r
	return answer, nil
}

func repeated(d time.Duration, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

// pace is quick enough for tests.
func pace() orders.Pace {
	return orders.Pace{PerSecond: 500, Poll: 40 * time.Millisecond, Grace: 300 * time.Millisecond, Call: 10 * time.Second, Lease: 20 * time.Second,
		Ask: 100 * time.Millisecond, AskForm: 200 * time.Millisecond, AskMax: time.Second, Repeat: true}
}

// instance starts a platform on the world's database. Its callbacks go to
// base, or to itself if base is "".
func (w *world) instance(base string) (*App, *httptest.Server) {
	w.t.Helper()
	data, err := openData(context.Background(), w.address)
	require.NoError(w.t, err)
	cfg := ips.TestMerchant()
	cfg.Environment = w.ips
	var app *App
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case w.deaf.Load() && strings.HasPrefix(r.URL.Path, "/ips/notify/"),
			w.mute.Load() && strings.HasPrefix(r.URL.Path, "/ips/return/"):
			http.Error(rw, "out of order", http.StatusInternalServerError)
		default:
			app.ServeHTTP(rw, r)
		}
	}))
	if base == "" {
		base = site.URL
	}
	pace := pace()
	for _, pace.Patience = range w.hurry {
	}
	app, err = newApp(context.Background(), data, cfg, base, pace, bcrypt.MinCost, slog.New(slog.NewTextHandler(w.t.Output(), nil)))
	require.NoError(w.t, err)
	w.sites.Store(mustURL(site.URL).Host, site.Config.Handler)
	app.now = func() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }
	app.seed = func(old ips.RepayOldBidRequest) error {
		return w.box.SeedOldBid(cfg.MerchantCode, engine.OldBid{BidNo: old.BidNo, ContractNo: old.ContractNo, Release: old.ReleaseOrderNo,
			Borrower: old.Account, Owed: []engine.OldClaim{{Account: old.Rows[0].Account, Amount: int64(old.Amount)}}})
	}
	running, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = app.book.Run(running) }()
	w.t.Cleanup(func() {
		site.Close()
		stop()
		<-done
		assert.NoError(w.t, data.Close())
	})
	return app, site
}

// settle waits until every notification has arrived and nothing is under way.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		require.NoError(w.t, w.box.WaitDelivered(ctx))
		d := w.app.data.read(ctx)
		left := progress(d, "by_user = 0 AND o.state IN ('recorded', 'sending') LIMIT 1")
		require.NoError(w.t, d.err)
		if len(left) == 0 {
			require.NoError(w.t, w.box.WaitDelivered(ctx))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// assertBooks compares the platform's books with the sandbox's, account by
// account.
func (w *world) assertBooks() {
	w.t.Helper()
	lines := 0
	for line, err := range w.app.book.Compare(context.Background(), w.app.ours(), "") {
		lines++
		require.NoError(w.t, err)
		assert.False(w.t, line.Differs(), "%s: the platform has %v, IPS has %v", line.Account, line.Own, line.IPS)
	}
	assert.NotZero(w.t, lines)
}

// assertQuiet fails if an order is open or a person must decide something.
func (w *world) assertQuiet() {
	w.t.Helper()
	assert.Empty(w.t, w.open())
	assert.Empty(w.t, w.matters())
}

func (w *world) open() (all []string) {
	w.t.Helper()
	d := w.app.data.read(context.Background())
	for _, p := range progress(d, isOpen) {
		all = append(all, string(p.Operation)+" "+p.About+" "+string(p.State))
	}
	require.NoError(w.t, d.err)
	return all
}

func (w *world) matters() []orders.Matter {
	w.t.Helper()
	all, err := w.app.book.Matters(context.Background(), orders.Matter{}, 100)
	require.NoError(w.t, err)
	return all
}

// person is a user with his browser.
type person struct {
	w     *world
	b     *browser.Browser
	site  string
	login string
}

func (w *world) visitor() *person {
	p := &person{w: w, b: browser.New(w), site: w.site.URL}
	w.t.Cleanup(p.b.Close)
	return p
}

// member registers a person, without an account at IPS.
func (w *world) member(name string) *person {
	w.t.Helper()
	p := w.visitor()
	n := w.people.Add(1)
	p.login = fmt.Sprintf("user%d", n)
	page := p.press("/register", "/register", url.Values{
		"login": {p.login}, "password": {password}, "name": {name}, "ident": {fmt.Sprintf("11010119900101%04d", n)},
		"mobile": {fmt.Sprintf("138%08d", n)}, "email": {p.login + "@example.com"},
	})
	require.Contains(w.t, page, "开通托管账户")
	return p
}

// customer is a member with an account and money in it.
func (w *world) customer(name, yuan string) *person {
	w.t.Helper()
	p := w.member(name)
	require.Contains(w.t, p.press("/account", "/account/open", nil), "IPS 已处理成功")
	if yuan != "" {
		p.recharge(yuan)
	}
	return p
}

func (p *person) recharge(yuan string) {
	p.w.t.Helper()
	page := p.press("/funds", "/recharge", url.Values{"amount": {yuan}, "bank": {"00004"}})
	require.Contains(p.w.t, page, "IPS 已处理成功")
}

func (p *person) ctx() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// see opens a page and returns its text.
func (p *person) see(path string) string { return string(p.open(path).Body) }

func (p *person) open(path string) *browser.Page {
	p.w.t.Helper()
	ctx, cancel := p.ctx()
	defer cancel()
	page, err := p.b.Get(ctx, p.site+path)
	require.NoError(p.w.t, err, path)
	return page
}

// press opens a page, fills in the form that goes to action, and follows where
// it leads: through IPS and back, if it leads there. It returns the last page.
func (p *person) press(path, action string, typed url.Values) string {
	p.w.t.Helper()
	page := p.submit(path, action, typed)
	if form := ipsForm(page); form != nil && page.URL.Host == mustURL(p.site).Host {
		page = p.pressForm(page, form, nil)
		ctx, cancel := p.ctx()
		defer cancel()
		back, err := p.b.Follow(ctx, page)
		require.NotNil(p.w.t, back, "%v", err)
		page = back
	}
	return string(page.Body)
}

// submit is press without following a form to IPS.
func (p *person) submit(path, action string, typed url.Values) *browser.Page {
	p.w.t.Helper()
	page := p.open(path)
	form := formTo(page, action)
	require.NotNil(p.w.t, form, "no form to %s on %s: %s", action, path, page.Body)
	var names []string
	for _, f := range form.Fields {
		names = append(names, f.Name)
	}
	p.checkForm(action, names)
	return p.pressForm(page, form, typed)
}

func (p *person) pressForm(page *browser.Page, form *htmlform.Form, typed url.Values) *browser.Page {
	p.w.t.Helper()
	ctx, cancel := p.ctx()
	defer cancel()
	next, err := p.b.Press(ctx, page, form, "", typed)
	if next == nil {
		require.NoError(p.w.t, err)
	}
	return next
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func formTo(page *browser.Page, action string) *htmlform.Form {
	forms, err := page.Forms()
	if err != nil {
		return nil
	}
	for i := range forms {
		if forms[i].Action == action {
			return &forms[i]
		}
	}
	return nil
}

// ipsForm finds the SDK's form, which leads to IPS.
func ipsForm(page *browser.Page) *htmlform.Form {
	forms, err := page.Forms()
	if err != nil {
		return nil
	}
	for i := range forms {
		if forms[i].Has("p3DesXmlPara") || forms[i].Has("arg3DesXmlPara") {
			return &forms[i]
		}
	}
	return nil
}

var bidLink = regexp.MustCompile(`/loan/(B[0-9A-Z]+)`)

// borrows applies for a loan and has it published.
func (p *person) borrows(amount, margin, months, mode string) (bidNo string) {
	p.w.t.Helper()
	page := p.submit("/borrow", "/borrow", url.Values{
		"amount": {amount}, "margin": {margin}, "rate": {"12.00"}, "months": {months}, "mode": {mode}, "purpose": {"购车"},
	})
	bidNo = bidLink.FindStringSubmatch(page.URL.Path)[1]
	page2 := p.w.admin.press("/admin/loan/"+bidNo, "/admin/loan/"+bidNo+"/publish", nil)
	require.Regexp(p.w.t, `IPS 已(受理|处理成功)`, page2)
	p.w.settle()
	require.Contains(p.w.t, p.see("/loan/"+bidNo), "募集中")
	return bidNo
}

func (p *person) bids(bidNo, amount string) {
	p.w.t.Helper()
	require.Contains(p.w.t, p.press("/loan/"+bidNo, "/loan/"+bidNo+"/bid", url.Values{"amount": {amount}}), "IPS 已处理成功")
}

// administer presses a button of the loan's page for admins.
func (w *world) administer(bidNo, do string, typed url.Values) string {
	w.t.Helper()
	page := w.admin.press("/admin/loan/"+bidNo, "/admin/loan/"+bidNo+"/"+do, typed)
	w.settle()
	return page
}

func (p *person) user() User {
	p.w.t.Helper()
	d := p.w.app.data.read(context.Background())
	u := find[User](d, "login = ?", p.login)
	require.NoError(p.w.t, d.err)
	return u
}

// has asserts what the platform's books and IPS say somebody has.
func (p *person) has(available, frozen ips.Amount) {
	p.w.t.Helper()
	account := p.user().Account
	d := p.w.app.data.read(context.Background())
	assert.Equal(p.w.t, orders.Holding{Available: available, Frozen: frozen}, d.holding(account), "the platform's books for %s", p.login)
	assert.Equal(p.w.t, [2]ips.Amount{available, frozen}, p.atIPS(), "IPS's books for %s", p.login)
}

func (p *person) atIPS() [2]ips.Amount {
	p.w.t.Helper()
	b, ok := p.w.box.Balance(p.w.app.client.MerchantCode(), p.user().Account)
	require.True(p.w.t, ok)
	return [2]ips.Amount{ips.Amount(b.Available), ips.Amount(b.Frozen)}
}

// all reads rows of the first instance's database.
func all[T any](w *world, where string, args ...any) []T {
	w.t.Helper()
	d := w.app.data.read(context.Background())
	found := list[T](d, where, args...)
	require.NoError(w.t, d.err)
	return found
}
