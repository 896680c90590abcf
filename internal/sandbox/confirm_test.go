package sandbox_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const formType = "application/x-www-form-urlencoded"

var tokenInput = regexp.MustCompile(`name="token" value="([0-9a-f]+)"`)

// asked posts a message that a person must confirm and returns the path and
// the text of the page.
func (f *fixture) asked(page, document string) (path string, shown reply) {
	f.t.Helper()
	r := f.post(page, seal(f.keys, "p", document))
	require.Equal(f.t, http.StatusSeeOther, r.status, r.body)
	path = r.header.Get("Location")
	require.Regexp(f.t, `^/CreditWeb/confirm/\w+$`, path)
	shown = f.do(http.MethodGet, path, "", "")
	require.Equal(f.t, http.StatusOK, shown.status)
	return path, shown
}

// decide sends the form of a page.
func (f *fixture) decide(path string, shown reply, values ...string) reply {
	f.t.Helper()
	form := url.Values{"token": {tokenInput.FindStringSubmatch(shown.body)[1]}}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return f.do(http.MethodPost, path, formType, form.Encode())
}

var particulars = []string{"do", "confirm", "loginPassword", "abcdef", "tradePassword", "654321",
	"question", "小学", "answer", "一小", "bank", "中国工商银行", "card", "6222000000000000001"}

// openByHand opens an account on the pages and returns its number.
func (f *fixture) openByHand(order string) string {
	f.t.Helper()
	path, shown := f.asked(page, f.opening(order))
	_, a := f.decide(path, shown, particulars...).returned(f.t)
	require.Equal(f.t, "MG00000F", a.code, a.text)
	return regexp.MustCompile(`<pIpsAcctNo>(\d+)</pIpsAcctNo>`).FindStringSubmatch(a.open(f.t, f.keys, nil))[1]
}

func TestAccountOpeningByHand(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	path, shown := f.asked(page, f.opening("A1"))
	assert.Contains(t, shown.body, "测试平台")
	assert.Contains(t, shown.body, "A1")
	assert.Contains(t, shown.body, `type="password" name="tradePassword"`)
	assert.NotContains(t, shown.body, "110101199001010001")
	assert.Empty(t, f.Notifications())

	r := f.decide(path, shown, append(particulars, "card", "1")...)
	assert.Contains(t, r.body, "银行卡号必须为")
	_, a := f.decide(path, r, particulars...).returned(t)
	assert.Equal(t, "MG00000F", a.code)
	assert.Contains(t, a.open(t, f.keys, nil), "<pBkAccNo>0001</pBkAccNo>")

	// Again by the button, by reloading, and by asking to cancel.
	for _, again := range []reply{
		f.decide(path, shown, particulars...), f.do(http.MethodGet, path, "", ""), f.decide(path, shown, "do", "cancel"),
	} {
		_, b := again.returned(t)
		assert.Equal(t, a, b)
	}
	f.delivered()
	assert.Len(t, f.shop.received(), 1, "confirming twice does it once")
}

func recharge(f *fixture, order, account string) string {
	return document("pMerBillNo", order, "pAcctType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三",
		"pIpsAcctNo", account, "pTrdDate", "20141124", "pTrdAmt", "100.00", "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "1.00", "pIpsFeeType", "1", "pWebUrl", "http://shop.example.com/back", "pS2SUrl", f.shop.URL+"/notify",
		"pMemo1", "", "pMemo2", "", "pMemo3", "")
}

func TestBankPage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result    string
		available int64
	}{"paid": {"paid", 9900}, "failed": {"failed", 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{Manual: true})
			account := f.openByHand("A1")
			path, shown := f.asked("doDpTrade.aspx", recharge(f, "R1", account))
			assert.Contains(t, shown.body, "100.00 元")
			_, a := f.decide(path, shown, "do", "confirm", "result", c.result).returned(t)
			a.open(t, f.keys, nil)
			assert.Equal(t, c.result == "paid", a.code == "MG00000F", a.text)
			b, ok := f.Balance("808801", account)
			require.True(t, ok)
			assert.Equal(t, c.available, b.Available)
			require.NoError(t, f.CheckBooks())
		})
	}
}

func withdrawal(f *fixture, order, account string) string {
	return document("pMerBillNo", order, "pAcctType", "1", "pOutType", "1", "pBidNo", "", "pContractNo", "", "pDwTo", "",
		"pIdentNo", "110101199001010001", "pRealName", "张三", "pIpsAcctNo", account, "pDwDate", "20141124",
		"pTrdAmt", "50.00", "pMerFee", "0.00", "pIpsFeeType", "1",
		"pWebUrl", "http://shop.example.com/back", "pS2SUrl", f.shop.URL+"/notify", "pMemo1", "", "pMemo2", "", "pMemo3", "")
}

func TestTradePassword(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	account := f.openByHand("A1")
	require.NoError(t, f.Deposit("808801", account, 10000))
	path, shown := f.asked("doDwTrade.aspx", withdrawal(f, "W1", account))
	assert.Contains(t, f.decide(path, shown, "do", "confirm", "password", "000000").body, "交易密码错误")
	_, a := f.decide(path, shown, "do", "confirm", "password", "654321").returned(t)
	assert.Contains(t, []string{"MG00000F", "MG00008F"}, a.code, a.text)
	b, _ := f.Balance("808801", account)
	assert.Equal(t, int64(5000), b.Available)

	path, shown = f.asked("doDwTrade.aspx", withdrawal(f, "W2", account))
	_, a = f.decide(path, shown, "do", "cancel").returned(t)
	assert.Contains(t, a.text, "取消")
	b, _ = f.Balance("808801", account)
	assert.Equal(t, int64(5000), b.Available)
	require.NoError(t, f.CheckBooks())
}

func TestPageTimesOutOnTheSandboxesClock(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	path, _ := f.asked(page, f.opening("A1"))
	require.NoError(t, f.Advance(19*time.Minute))
	assert.Contains(t, f.do(http.MethodGet, path, "", "").body, "tradePassword")
	require.NoError(t, f.Advance(2*time.Minute))
	_, a := f.do(http.MethodGet, path, "", "").returned(t)
	assert.Contains(t, a.open(t, f.keys, nil), "<pStatus>5</pStatus>")
	f.delivered()
	assert.Len(t, f.shop.received(), 1)
}

func TestConfirmPageRefuses(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true, MaxBody: 8192})
	path, shown := f.asked(page, f.opening("A1"))
	token := tokenInput.FindStringSubmatch(shown.body)[1]
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
	}{
		"no token":      {"POST", path, formType, "do=cancel", 403},
		"another token": {"POST", path, formType, "do=cancel&token=" + strings.Repeat("0", len(token)), 403},
		"unknown":       {"GET", "/CreditWeb/confirm/ASK9999999999", "", "", 404},
		"nothing":       {"GET", "/CreditWeb/confirm/", "", "", 404},
		"JSON":          {"POST", path, "application/json", "{}", 415},
		"oversize":      {"POST", path, formType, "token=" + strings.Repeat("0", 9000), 413},
		"DELETE":        {"DELETE", path, "", "", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.status, f.do(c.method, c.path, c.contentType, c.body).status)
		})
	}
	t.Run("framing", func(t *testing.T) {
		assert.Contains(t, shown.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	})
}

func TestProgramsConfirm(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	account := f.openByHand("A1")
	require.NoError(t, f.Deposit("808801", account, 10000))
	path, _ := f.asked("doDwTrade.aspx", withdrawal(f, "W1", account))
	id := path[strings.LastIndex(path, "/")+1:]
	assert.ErrorContains(t, f.Confirm(id, map[string]string{"password": "000000"}), "交易密码错误")
	require.NoError(t, f.Confirm(id, map[string]string{"password": "654321"}))
	b, _ := f.Balance("808801", account)
	assert.Equal(t, int64(5000), b.Available)

	require.NoError(t, f.SetAuto("808801", account, true))
	_, a := f.post("doDwTrade.aspx", seal(f.keys, "p", withdrawal(f, "W2", account))).returned(t)
	a.open(t, f.keys, nil)
	b, _ = f.Balance("808801", account)
	assert.Zero(t, b.Available)
}
