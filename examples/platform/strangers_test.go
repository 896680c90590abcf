package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// Texts that no database takes, or that make one name look like another, are
// refused before anything is done with them.
func TestOddTexts(t *testing.T) {
	t.Parallel()
	each(t, oddTexts)
}

func oddTexts(t *testing.T, address string) {
	w := newWorld(t, address)
	li := w.customer("李四", "1000.00")
	good := url.Values{"login": {"user99"}, "password": {password}, "name": {"王五"}, "ident": {"110101199001019999"}, "mobile": {"13800000099"}, "email": {"user99@example.com"}}
	for name, odd := range map[string][2]string{
		"zero byte":          {"login", "li\x00si"},
		"no UTF-8":           {"login", "li\xffsi"},
		"line end":           {"login", "li\nsi"},
		"no width":           {"login", "admin\u200b"},
		"from right to left": {"login", "\u202enimda"},
		"other digits":       {"ident", "11010119900101９９"},
		"of a name":          {"name", "王\u2028五"},
		"of a password":      {"password", "pass\xffword word"},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		form.Set(odd[0], odd[1])
		page := w.visitor().submit("/register", "/register", form)
		assert.Contains(t, []int{400, 422}, page.Status, name)
	}
	assert.Empty(t, all[User](w, "login LIKE '%si' OR login LIKE '%admin_' OR login LIKE '%nimda'"))
	apply := url.Values{"amount": {"1000.00"}, "margin": {"0.00"}, "rate": {"12.00"}, "months": {"3"}, "mode": {"1"}}
	for _, purpose := range []string{"购\x00车", "购\u202e车", "购\xff车"} {
		apply.Set("purpose", purpose)
		assert.Contains(t, []int{400, 422}, li.submit("/borrow", "/borrow", apply).Status, "%q", purpose)
	}
	for _, path := range []string{"/loan/%00", "/loan/%ff", "/order/recharge/%00"} {
		assert.Equal(t, 404, li.open404(path), path)
	}
	// A click is cut between letters.
	page := li.sends("/recharge", url.Values{"amount": {"1.00"}, "bank": {"00004"}, "click": {strings.Repeat("点", 40)}})
	require.NotNil(t, ipsForm(page))
	assert.NotContains(t, all[Act](w, "about LIKE '网银充值 1.00%'")[0].Click, "\ufffd")
	for _, amount := range []string{"1e3", "-5.00", "１００.00", "+5", "0x10", "1000000000.00", "5.001", "5,00", "∞", "NaN"} {
		page := li.sends("/withdraw", url.Values{"amount": {amount}})
		assert.Equal(t, 422, page.Status, amount)
	}
	w.assertBooks()
}

// open404 is the status of a page that may not be there.
func (p *person) open404(path string) int {
	ctx, cancel := p.ctx()
	defer cancel()
	page, _ := p.b.Get(ctx, p.site+path)
	require.NotNil(p.w.t, page)
	return page.Status
}

// Who guesses passwords is stopped, and who is not there before he has begun.
func TestGuessing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.member("李四")
	other := w.member("王五")
	thief := w.visitor()
	guess := url.Values{"login": {li.login}, "password": {"wrong password"}}
	for range maxGuesses {
		assert.Contains(t, thief.press("/login", "/login", guess), "用户名或密码不正确")
	}
	assert.Contains(t, thief.press("/login", "/login", guess), "请稍后再试")
	right := url.Values{"login": {li.login}, "password": {password}}
	assert.Contains(t, w.visitor().press("/login", "/login", right), "请稍后再试", "nor does he learn that he has guessed it")
	assert.Contains(t, li.see("/account"), "托管账户", "who is logged in stays so")
	assert.NotContains(t, w.visitor().press("/login", "/login", url.Values{"login": {other.login}, "password": {password}}), "请稍后再试")
	w.passes(guessTime + time.Second)
	assert.Contains(t, w.visitor().press("/login", "/login", right), "我的账户")
}

// Names that nobody has can be tried, but not for ever, and passwords that are
// being hashed take a part of the processors, however many ask for it.
func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	thief := w.visitor()
	for n := range 10 * maxGuesses {
		page := thief.sendsAnew("/login", url.Values{"login": {fmt.Sprint("nobody", n)}, "password": {password}})
		require.Equal(t, http.StatusForbidden, page.Status)
	}
	assert.Equal(t, http.StatusTooManyRequests, thief.sendsAnew("/login", url.Values{"login": {"nobody"}, "password": {password}}).Status)

	for len(w.app.hashing) < cap(w.app.hashing) {
		w.app.hashing <- struct{}{}
	}
	w.passes(guessTime + time.Second)
	began := time.Now()
	for path, form := range map[string]url.Values{"/login": {"login": {"nobody"}, "password": {password}}, "/register": {"login": {"user99"}, "password": {password}, "name": {"王五"},
		"ident": {"110101199001019999"}, "mobile": {"13800000099"}, "email": {"user99@example.com"}}} {
		assert.Equal(t, http.StatusServiceUnavailable, thief.sendsAnew(path, form).Status, path)
	}
	assert.GreaterOrEqual(t, time.Since(began), hashTime)
	for len(w.app.hashing) > 0 {
		<-w.app.hashing
	}
	assert.Equal(t, http.StatusForbidden, thief.sendsAnew("/login", url.Values{"login": {"nobody"}, "password": {password}}).Status)

	g := new(guesses)
	for n := range 300_000 {
		g.more(fmt.Sprint(n), maxGuesses, time.Unix(0, 0))
	}
	assert.Less(t, len(g.tries), 100_010)
}

// sendsAnew posts a form of a page for people who are not logged in.
func (p *person) sendsAnew(path string, typed url.Values) *browser.Page {
	page := p.open(path)
	return p.pressForm(page, formTo(page, path), typed)
}

// A stranger's post asks IPS nothing.
func TestStrangersAskNothing(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "3")
	r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
	_, err := r.box.OrderFault(sandbox.Fault{Name: fault.HTTP502, Op: "QueryTrade", Count: 100000})
	require.NoError(t, err)
	page := r.wang.sends("/loan/"+r.bid+"/repay", nil)
	assert.Contains(t, string(page.Body), "只有借款人可以还款")
}
