package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/htmlform"
)

// What people type on the pages of IPS, which must not appear in any log.
const (
	badDayLogin = "login-7c41d09e"
	badDayTrade = "trade-5b82f3aa"
	badDayCard  = "6222000000000001234"
)

// citizen is somebody with a browser on a bad day.
type citizen struct {
	d       *badDay
	user    store.User
	b       *browser.Browser
	session string
	clicks  atomic.Int64
}

// sessionTransport sends the cookie of a session to the platform.
type sessionTransport struct {
	http.RoundTripper
	host, session string
}

// RoundTrip implements [http.RoundTripper].
func (s sessionTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == s.host {
		r = r.Clone(r.Context())
		r.Header.Set("Cookie", "session="+s.session)
	}
	return s.RoundTripper.RoundTrip(r)
}

// newCitizen puts somebody who is logged in into the database: logging in is
// no part of the bad day.
func (d *badDay) newCitizen(ctx context.Context, login, name string, role store.Role) (*citizen, error) {
	n := len(d.people) + 1
	user := store.User{
		ID: store.NewID(), Login: login, Password: "-", Role: role, RealName: name,
		IdentNo: fmt.Sprintf("11010119900101%04d", n), Mobile: fmt.Sprintf("138%08d", n), Email: login + "@example.com", CreatedAt: time.Now(),
	}
	if err := d.db.AddUser(ctx, user); err != nil {
		return nil, err
	}
	c := &citizen{d: d, user: user, session: strings.ToUpper(store.NewID())}
	if err := d.db.AddSession(ctx, hashOf(c.session), user.ID, time.Now(), time.Now().Add(sessionTime)); err != nil {
		return nil, err
	}
	c.b = browser.New(sessionTransport{d.transport, mustURL(d.site.URL).Host, c.session})
	d.people = append(d.people, c)
	return c, nil
}

// complaint is what the platform tells a user who asks for something that
// cannot be. Nothing is recorded then.
type complaint struct{ text string }

func (c *complaint) Error() string { return c.text }

// passing says whether the reason goes away by itself: something else must be
// over first.
func (c *complaint) passing() bool {
	return strings.Contains(c.text, "另有未完成的订单") || strings.Contains(c.text, "正在划转")
}

// post presses a button of a page of the platform that somebody has open.
func (c *citizen) post(ctx context.Context, path, click string, typed url.Values) (*browser.Page, error) {
	values := url.Values{"token": {tokenOf(c.session)}, "click": {click}}
	for name, list := range typed {
		values[name] = list
	}
	page, err := c.b.Post(ctx, c.d.site.URL+path, values)
	if page != nil && page.Status == http.StatusUnprocessableEntity {
		_, text, _ := strings.Cut(string(page.Body), `<p class="problem">`)
		text, _, _ = strings.Cut(text, "</p>")
		return page, &complaint{text}
	}
	return page, err
}

// carry takes a page of the platform that leads to IPS there, confirms what
// IPS asks, and comes back. How much of that works is what the day is about;
// what came of it, the database says.
func (c *citizen) carry(ctx context.Context, page *browser.Page, back bool) {
	form := ipsForm(page)
	if form == nil {
		return
	}
	next, err := c.b.Press(ctx, page, form, "", nil)
	for range 3 {
		if err != nil {
			c.d.cuts.Add(1)
			return
		}
		if _, err := next.ReturnForm(); err == nil {
			break
		}
		next, err = c.confirm(ctx, next)
	}
	if !back || next == nil {
		return
	}
	if _, err := c.b.Follow(ctx, next); err != nil {
		c.d.cuts.Add(1)
	}
}

// confirm fills in a page of IPS.
func (c *citizen) confirm(ctx context.Context, page *browser.Page) (*browser.Page, error) {
	forms, err := page.Forms()
	if err != nil {
		return nil, err
	}
	known := map[string]string{
		"loginPassword": badDayLogin, "loginPasswordAgain": badDayLogin, "tradePassword": badDayTrade, "tradePasswordAgain": badDayTrade,
		"question": "我的出生地是哪里", "answer": "北京", "bank": "中国工商银行", "card": badDayCard, "password": badDayTrade,
	}
	for i := range forms {
		if !forms[i].Has("token") {
			continue
		}
		typed := url.Values{}
		for _, field := range forms[i].Fields {
			if value := known[field.Name]; value != "" {
				typed.Set(field.Name, value)
			}
		}
		return c.b.Press(ctx, page, &forms[i], pick(&forms[i]), typed)
	}
	return nil, errors.New("a page of IPS that nobody knows")
}

// pick chooses the button that says yes.
func pick(form *htmlform.Form) string {
	for _, f := range form.Fields {
		if f.Type == "submit" && (f.Value == "confirm" || f.Value == "paid") {
			return f.Name + "=" + f.Value
		}
	}
	return ""
}

// tries is how long somebody goes on with one thing.
const tries = 5 * time.Minute

// does presses a button and goes on, as people do, until the order is settled:
// presses again when nothing happened, waits, takes the order up again from
// 我的订单. Some leave the page of IPS, some never come back from it.
func (c *citizen) does(r *rand.Rand, path string, typed url.Values) (store.Order, error) {
	click := strconv.FormatInt(c.clicks.Add(1), 10)
	ctx, cancel := context.WithTimeout(context.Background(), tries)
	defer cancel()
	leaves, noWayBack, wait := r.Float64() < 0.05, r.Float64() < 0.1, 500*time.Millisecond
	if r.Float64() < 0.3 {
		wait = 3 * time.Second // long enough for the reconciler
	}
	for {
		order, err := c.d.db.OrderByClick(ctx, c.user.ID+"/"+click)
		switch {
		case ctx.Err() != nil:
			return order, fmt.Errorf("%s by %s: nothing comes of it: %s %s %s", path, c.user.Login, order.State, order.Note, order.OrderNo)
		case errors.Is(err, store.ErrNotFound):
			page, err := c.post(ctx, path, click, typed)
			var no *complaint
			if errors.As(err, &no) && !no.passing() {
				return store.Order{}, no
			}
			if err == nil && !leaves {
				c.carry(ctx, page, !noWayBack)
			} else if err != nil {
				time.Sleep(50 * time.Millisecond)
			}
			leaves, noWayBack = false, false
			continue
		case err != nil:
			return order, err
		}
		if order, err = c.awaits(ctx, order, wait); err != nil || order.State.Final() {
			return order, err
		}
		c.goesOn(ctx, order)
	}
}

// awaits gives an order a moment to be settled.
func (c *citizen) awaits(ctx context.Context, order store.Order, wait time.Duration) (store.Order, error) {
	for end := time.Now().Add(wait); !order.State.Final() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		var err error
		if order, err = c.d.db.Order(ctx, order.OrderKey); err != nil {
			return order, err
		}
	}
	return order, nil
}

// goesOn takes an order up again that only the user can carry.
func (c *citizen) goesOn(ctx context.Context, order store.Order) {
	act, err := actOf(order.Operation)
	if err != nil || act.called() {
		return
	}
	c.d.again.Add(1)
	if page, err := c.post(ctx, "/order/"+string(order.Operation)+"/"+order.OrderNo+"/continue", "", nil); err == nil {
		c.carry(ctx, page, true)
	}
}

// family are the people of one worker.
type family struct {
	d                     *badDay
	r                     *rand.Rand
	zhang, li, wang, zhao *citizen // borrows, lends, lends by contract and buys, guarantees
	guest                 *citizen // lends too, here and in another family at the same time
	others                *citizen // the guest of another family
}

// done does something that must succeed.
func (f *family) done(c *citizen, path string, typed url.Values) (store.Order, error) {
	order, err := f.tried(c, path, typed)
	if err == nil && order.State != ips.OrderDone {
		err = fmt.Errorf("%s by %s: %s %s %s", path, c.user.Login, order.State, order.Code, order.Message)
	}
	return order, err
}

// tried does something that IPS may refuse.
func (f *family) tried(c *citizen, path string, typed url.Values) (store.Order, error) {
	order, err := c.does(f.r, path, typed)
	if err == nil {
		f.d.ordered.Add(1)
	}
	return order, err
}

// opens opens the family's accounts.
func (f *family) opens() error {
	for _, c := range []*citizen{f.zhang, f.li, f.wang, f.zhao, f.guest} {
		if _, err := f.done(c, "/account/open", nil); err != nil {
			return err
		}
	}
	return nil
}

// yuan is an amount out of few, so that different orders move the same.
func (f *family) yuan(of ...int) url.Values {
	return url.Values{"amount": {strconv.Itoa(of[f.r.IntN(len(of))]) + ".00"}}
}

func (f *family) recharges(c *citizen, of ...int) error {
	v := f.yuan(of...)
	if f.r.IntN(3) == 0 {
		v.Set("channel", "withholding")
	} else {
		v.Set("bank", "00004")
	}
	_, err := f.done(c, "/recharge", v)
	return err
}

// work lives one loan after another until there are enough orders.
func (f *family) work() error {
	if err := f.opens(); err != nil {
		return err
	}
	for f.d.left() {
		if err := f.life(); err != nil {
			return err
		}
	}
	return nil
}

// life is a loan from its contracts to its end, with everything that the guide
// has between.
func (f *family) life() error {
	if err := f.prepares(); err != nil {
		return err
	}
	bid, err := f.borrows()
	if err != nil {
		return err
	}
	if f.r.IntN(6) == 0 { // nobody wants it any more: 流标
		_, err := f.done(f.d.admin, "/admin/loan/"+bid+"/end", nil)
		return err
	}
	if _, err := f.done(f.d.admin, "/admin/loan/"+bid+"/release", nil); err != nil {
		return err
	}
	if err := f.sells(bid); err != nil {
		return err
	}
	if err := f.repays(bid); err != nil {
		return err
	}
	if _, err := f.done(f.d.admin, "/admin/loan/"+bid+"/end", nil); err != nil {
		return err
	}
	for _, c := range []*citizen{f.li, f.zhao} {
		if _, err := f.done(c, "/withdraw", f.yuan(498, 998)); err != nil {
			return err
		}
	}
	return nil
}

func (f *family) prepares() error {
	for _, c := range []*citizen{f.zhang, f.li, f.wang, f.zhao} {
		if err := f.recharges(c, 5000, 6000); err != nil {
			return err
		}
	}
	if err := f.recharges(f.guest, 1000, 2000); err != nil {
		return err
	}
	v := f.yuan(500, 1000)
	v.Set("user", f.zhang.user.ID)
	if _, err := f.done(f.d.admin, "/admin/withhold", v); err != nil {
		return err
	}
	if f.r.IntN(4) == 0 {
		if err := f.li.thinksBetterOfIt(); err != nil {
			return err
		}
	}
	if _, err := f.done(f.wang, "/contracts/bid", url.Values{"from": {"1.00"}, "to": {"100000.00"}}); err != nil {
		return err
	}
	_, err := f.done(f.zhang, "/contracts/repay", nil)
	return err
}

// thinksBetterOfIt begins a recharge and never goes to IPS with it.
func (c *citizen) thinksBetterOfIt() error {
	click := "left" + strconv.FormatInt(c.clicks.Add(1), 10)
	// Whether the page came does not matter: only whether the order was recorded.
	_, _ = c.post(context.Background(), "/recharge", click, url.Values{"amount": {"1000.00"}, "bank": {"00004"}})
	_, err := c.d.db.OrderByClick(context.Background(), c.user.ID+"/"+click)
	switch {
	case err == nil:
		c.d.ordered.Add(1)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return nil
}

// borrows publishes a loan and finds guarantor and investors for it.
func (f *family) borrows() (bid string, err error) {
	if bid, err = f.applies(); err != nil {
		return "", err
	}
	if _, err := f.done(f.d.admin, "/admin/loan/"+bid+"/publish", nil); err != nil {
		return "", err
	}
	if _, err := f.done(f.zhao, "/loan/"+bid+"/guarantee", url.Values{"margin": {"500.00"}, "profit": {"20.00"}}); err != nil {
		return "", err
	}
	if _, err := f.done(f.li, "/loan/"+bid+"/bid", f.yuan(1000, 1500)); err != nil {
		return "", err
	}
	contracts, err := f.d.db.Contracts(context.Background(), store.AutoBid, f.wang.user.ID, ips.Today().String())
	if err != nil || len(contracts) == 0 {
		return "", fmt.Errorf("%s has no contract: %w", f.wang.user.Login, err)
	}
	v := f.yuan(1000, 1500)
	v.Set("contract", contracts[f.r.IntN(len(contracts))].AuthNo)
	if _, err := f.done(f.d.admin, "/admin/loan/"+bid+"/autobid", v); err != nil {
		return "", err
	}
	// Guests bid too, perhaps more than they have; that IPS decides.
	for _, c := range []*citizen{f.guest, f.others} {
		if f.r.IntN(2) == 0 && c.hasAccount() {
			if _, err := f.tried(c, "/loan/"+bid+"/bid", f.yuan(500, 6000)); err != nil {
				return "", err
			}
		}
	}
	return bid, nil
}

func (c *citizen) hasAccount() bool {
	u, err := c.d.db.User(context.Background(), c.user.ID)
	return err == nil && u.Account != ""
}

func (f *family) applies() (bid string, err error) {
	typed := url.Values{
		"amount": {"20000.00"}, "margin": {"100.00"}, "rate": {"12.00"}, "months": {"3"}, "mode": {strconv.Itoa(1 + f.r.IntN(3))}, "purpose": {"购车"},
	}
	for range 100 {
		page, err := f.zhang.post(context.Background(), "/borrow", "", typed)
		if err == nil {
			if m := bidLink.FindStringSubmatch(page.URL.Path); m != nil {
				return m[1], nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", errors.New("nobody takes the application for a loan")
}

// sells sells the claim of one investor, or a part of it, to the other.
func (f *family) sells(bid string) error {
	ctx := context.Background()
	shares, err := f.d.db.Shares(ctx, bid)
	if err != nil {
		return err
	}
	for _, share := range shares {
		if share.HolderID != f.li.user.ID {
			continue
		}
		face := share.Principal
		if f.r.IntN(2) == 0 {
			face = 400 * ips.Yuan
		}
		if err := f.offers(share, face); err != nil {
			return err
		}
		break
	}
	sales, err := f.d.db.LoanSales(ctx, bid)
	if err != nil || len(sales) != 1 {
		return fmt.Errorf("%d sales of bid %s: %w", len(sales), bid, err)
	}
	if _, err := f.done(f.wang, "/market/"+sales[0].ID+"/buy", nil); err != nil {
		return err
	}
	f.d.ordered.Add(1) // the platform follows with an order of its own
	for end := time.Now().Add(tries); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		sale, err := f.d.db.Sale(ctx, sales[0].ID)
		if err != nil {
			return err
		}
		if sale.State != store.SalePaid {
			if sale.State != store.SaleDone {
				return fmt.Errorf("the sale of a claim on bid %s is %s", bid, sale.State)
			}
			return nil
		}
	}
	return fmt.Errorf("the sale of a claim on bid %s is not carried out", bid)
}

func (f *family) offers(share store.Share, face ips.Amount) error {
	for range 100 {
		_, err := f.li.post(context.Background(), "/claims/"+share.ID+"/sell", "", url.Values{"face": {face.String()}, "price": {(face * 95 / 100).String()}})
		var no *complaint
		if err == nil || errors.As(err, &no) && strings.Contains(no.text, "已在转让中") {
			return nil
		}
		if no != nil {
			return no
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("nobody takes the offer of a claim")
}

// repays pays the three instalments, each in another way, and what a guarantee
// brings with it.
func (f *family) repays(bid string) error {
	guarantees, err := f.d.db.Guarantees(context.Background(), bid)
	if err != nil || len(guarantees) != 1 {
		return fmt.Errorf("%d guarantees for bid %s: %w", len(guarantees), bid, err)
	}
	guarantee := url.Values{"guarantee": {guarantees[0].OrderNo}}
	if _, err := f.done(f.zhang, "/loan/"+bid+"/repay", nil); err != nil {
		return err
	}
	order, err := f.done(f.d.admin, "/admin/loan/"+bid+"/compensate", guarantee)
	if err != nil {
		return err
	}
	if _, err := f.done(f.zhang, "/loan/"+bid+"/reimburse", url.Values{"compensation": {order.OrderNo}}); err != nil {
		return err
	}
	if err := f.recharges(f.zhang, 1000); err != nil {
		return err
	}
	if _, err := f.done(f.d.admin, "/admin/loan/"+bid+"/autorepay", nil); err != nil {
		return err
	}
	if _, err := f.done(f.d.admin, "/admin/loan/"+bid+"/profit", guarantee); err != nil {
		return err
	}
	_, err = f.done(f.d.admin, "/admin/loan/"+bid+"/unfreeze", url.Values{"amount": {"30.00"}})
	return err
}

// amountsOf reads out of a recorded request what it brings in from outside,
// without the help of the code that posts it.
func amountsOf(order store.Order) (in ips.Amount, err error) {
	var q struct{ Amount ips.Amount }
	switch order.Operation {
	case ips.OpRecharge, ips.OpWithholdingRecharge:
		err = json.Unmarshal([]byte(order.Request), &q)
		return q.Amount, err
	case ips.OpWithdraw:
		err = json.Unmarshal([]byte(order.Request), &q)
		return -q.Amount, err
	}
	return 0, nil
}
