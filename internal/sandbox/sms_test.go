package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

const borrowersInbox = "/sms/13800000001"

// register registers a bid whose borrower gets a text.
func (f *fixture) register(order, bid string) {
	f.t.Helper()
	code, text := f.submitPage("registerSubject.aspx", "p", bidding(order, bid)...)
	require.Equal(f.t, "MG02500F", code, text)
}

func (f *fixture) bidStatus(bid string) string {
	f.t.Helper()
	info, ok := f.Engine().Bid("808801", bid)
	require.True(f.t, ok)
	return info.Status
}

// fates are what became of the texts in an inbox, the latest first.
func (s sheet) fates() []string {
	var list []string
	for n := range s.root.Descendants() {
		if attr(n, "class") == "fate" {
			list = append(list, words(n))
		}
	}
	return list
}

func TestInbox(t *testing.T) {
	t.Parallel()
	f := town(t)
	f.register("B2", "BID2")
	f.register("B3", "BID3")

	all, r := f.open("/sms")
	assert.Equal(t, "短信收件箱", words(all.one(t, "h1")))
	assert.Contains(t, words(all.one(t, "main")), "2条待回复")
	assert.NotContains(t, words(all.root), "13800000001")
	assert.Contains(t, r.body, `href="`+borrowersInbox+`"`)
	assert.Contains(t, r.body, `href="/console/orders/808801/B3"`)
	assert.Contains(t, r.body, `href="http://shop.example.com/"`, "the way back")
	first := words(all.all("article")[0])
	for _, part := range []string{"138****0001", "张三", zhangSan, "BID3，金额1,000.00元，冻结保证金10.00元"} {
		assert.Contains(t, first, part)
	}
	for q, n := range map[string]int{"张三": 4, "13800000001": 4, zhangSan: 4, "B3": 1, "已开通": 4, "%00": 0} {
		found, _ := f.open("/sms?q=" + url.QueryEscape(q))
		assert.Len(t, found.all("article"), n, q)
	}

	require.NoError(t, f.Advance(90*time.Second))
	s, _ := f.open(borrowersInbox)
	require.Len(t, s.replies(), 2)
	assert.Contains(t, words(s.all("article")[0]), "借款标的BID3", "the latest first")
	assert.Contains(t, words(s.all("article")[0]), "请在28分30秒内回复（2014-11-24 12:30:00前）")
	assert.Equal(t, []string{"已同意（2014-11-24 12:00:00）", "告知短信，无需回复"}, s.fates(), "the first one was answered by itself")
	assert.NotContains(t, words(s.root), "13800000001")

	for i, button := range []string{"同意", "拒绝"} {
		r := f.click(s, i+1, button)
		assert.Equal(t, http.StatusSeeOther, r.status)
		assert.Equal(t, borrowersInbox, r.header.Get("Location"))
	}
	assert.Equal(t, "2", f.bidStatus("BID3"))
	assert.Equal(t, "9", f.bidStatus("BID2"))
	// Answered is answered: neither the same nor the other button does a thing.
	digest := f.Engine().Totals()
	for i, button := range []string{"拒绝", "同意"} {
		assert.Equal(t, http.StatusSeeOther, f.click(s, i+1, button).status)
	}
	assert.Equal(t, digest, f.Engine().Totals())
	s, _ = f.open(borrowersInbox)
	assert.Empty(t, s.replies())
	assert.Equal(t, []string{"已同意（2014-11-24 12:01:30）", "已拒绝（2014-11-24 12:01:30）", "已同意（2014-11-24 12:00:00）", "告知短信，无需回复"}, s.fates())

	f.delivered()
	told := map[string]int{}
	for _, form := range f.shop.received() {
		told[fromForm(form).code]++
	}
	assert.Equal(t, 2, told["MG02501F"])
	assert.Equal(t, 1, told["MG02504F"])
	require.NoError(t, f.CheckBooks())
}

// replies are the forms that answer a text.
func (s sheet) replies() (list []*html.Node) {
	for _, form := range s.all("form") {
		if attr(form, "method") == "post" {
			list = append(list, form)
		}
	}
	return list
}

// What waits for an answer is on the first page, however much came after it.
func TestInboxIsPaged(t *testing.T) {
	t.Parallel()
	f := town(t)
	f.register("B2", "BID2")
	require.NoError(t, f.SetAuto("808801", "", true))
	for i := range 40 {
		f.openAccount(fmt.Sprintf("M%02d", i), fmt.Sprintf("1101011990010110%02d", i), "王五", fmt.Sprintf("138000010%02d", i), fmt.Sprintf("m%02d", i))
	}
	var texts []string
	address := "/sms"
	for _, n := range []int{30, 16} {
		s, _ := f.open(address)
		require.Len(t, s.all("article"), n)
		for _, article := range s.all("article") {
			texts = append(texts, words(article))
		}
		for _, link := range s.all("a") {
			if attr(link, "rel") == "next" {
				address = attr(link, "href")
			}
		}
	}
	assert.Contains(t, texts[0], "BID2")
	slices.Sort(texts)
	assert.Len(t, slices.Compact(texts), 46, "each once")
}

func TestTextsTimeOut(t *testing.T) {
	t.Parallel()
	f := town(t)
	f.register("B2", "BID2")
	s, _ := f.open(borrowersInbox)
	require.NoError(t, f.Advance(30*time.Minute))
	assert.Equal(t, http.StatusSeeOther, f.click(s, 1, "同意").status)
	assert.Equal(t, "1", f.bidStatus("BID2"), "too late")
	require.NoError(t, f.Advance(10*time.Minute))
	assert.Equal(t, "9", f.bidStatus("BID2"), "a job tells of it")
	s, _ = f.open(borrowersInbox)
	assert.Empty(t, s.replies())
	assert.Equal(t, "已过期，未回复（2014-11-24 12:30:00）", s.fates()[0])
}

func TestWithholdingByText(t *testing.T) {
	t.Parallel()
	f := town(t)
	before := f.spendable(liSi)
	document := document("pMerBillNo", "D1", "pTrdDate", "20141124", "pTrdAmt", "88.00", "pMerFee", "0.00", "pIpsFeeType", "1",
		"pAcctType", "1", "pIdentNo", "110101199001010002", "pRealName", "李四", "pIpsAcctNo", liSi,
		"pS2SUrl", f.shop.URL+"/notify", "pMemo1", "", "pMemo2", "", "pMemo3", "")
	require.NoError(t, f.Deposit("808801", "", 100))
	a := fromResult(f.call11(trade, "CoDpTrade", f.sealedParams("arg", document)...).resultOf(t, "CoDpTrade"))
	require.Equal(t, "MG00008F", a.code, a.text)
	all, _ := f.open("/sms")
	assert.Contains(t, words(all.all("article")[0]), "138****0002", "those that wait come first")
	s, _ := f.open("/sms/13800000002")
	assert.Contains(t, words(s.all("article")[0]), "尾号0002的银行卡代扣88.00元")
	f.click(s, 1, "同意")
	assert.Equal(t, before+88_00, f.spendable(liSi))
}

func TestInboxRefuses(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{MaxBody: 8192})
	account := f.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	require.Equal(t, zhangSan, account)
	require.NoError(t, f.Deposit("808801", account, 100_00))
	require.NoError(t, f.SetAuto("808801", "", false))
	f.register("B2", "BID2")
	s, _ := f.open(borrowersInbox)
	form := url.Values{}
	for _, n := range s.all("input") {
		form.Set(attr(n, "name"), attr(n, "value"))
	}
	with := func(pairs ...string) string {
		v := url.Values{}
		for name := range form {
			v.Set(name, form.Get(name))
		}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
	}{
		"another's inbox":     {"POST", "/sms/13800000002", formType, with("reply", "yes"), 404},
		"another text":        {"POST", borrowersInbox, formType, with("reply", "yes", "id", "SMS0000000002"), 404},
		"wants no answer":     {"POST", borrowersInbox, formType, with("reply", "yes", "id", "TELL0000000001"), 404},
		"no reply":            {"POST", borrowersInbox, formType, with(), 400},
		"some reply":          {"POST", borrowersInbox, formType, with("reply", "Y"), 400},
		"JSON":                {"POST", borrowersInbox, "application/json", "{}", 415},
		"oversize":            {"POST", borrowersInbox, formType, "id=" + strings.Repeat("0", 9000), 413},
		"DELETE":              {"DELETE", borrowersInbox, "", "", 405},
		"POST to the list":    {"POST", "/sms", formType, with("reply", "yes"), 405},
		"no mobile":           {"GET", "/sms/1380000000x", "", "", 404},
		"mobile and more":     {"GET", borrowersInbox + "/x", "", "", 404},
		"hostile mobile":      {"GET", "/sms/%3Cscript%3E", "", "", 404},
		"reply by a mere GET": {"GET", borrowersInbox + "?" + with("reply", "yes"), "", "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.do(c.method, c.path, c.contentType, c.body)
			assert.Equal(t, c.status, r.status)
			f.sheet(r)
			assert.Equal(t, "1", f.bidStatus("BID2"))
		})
	}
	t.Run("another site's form", func(t *testing.T) {
		r := f.do("POST", borrowersInbox, formType, with("reply", "yes"), "Sec-Fetch-Site", "cross-site")
		assert.Equal(t, http.StatusForbidden, r.status)
		assert.Equal(t, "1", f.bidStatus("BID2"))
	})
	t.Run("another site's name for this machine", func(t *testing.T) {
		req := httptest.NewRequest(http.MethodGet, "http://evil.example.com"+borrowersInbox, nil)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, req)
		assert.Equal(t, http.StatusMisdirectedRequest, w.Code)
		assert.NotContains(t, w.Body.String(), "BID2")
	})
	t.Run("a mobile without texts", func(t *testing.T) {
		s, _ := f.open("/sms/13800000009")
		assert.Contains(t, words(s.root), "还没有短信")
	})
}

func TestEmptyInbox(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	s, _ := f.open("/SMS/")
	assert.Contains(t, words(s.root), "还没有短信")
}
