package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const jsonType = "application/json"

// admin calls the admin API and wants a status.
func (f *fixture) admin(want int, method, path, body string) map[string]any {
	f.t.Helper()
	media := ""
	if method == http.MethodPost {
		media = jsonType
	}
	r := f.do(method, "/admin/"+path, media, body)
	require.Equal(f.t, want, r.status, r.body)
	require.Equal(f.t, "application/json; charset=utf-8", r.header.Get("Content-Type"))
	var out map[string]any
	require.NoError(f.t, json.Unmarshal([]byte(r.body), &out), r.body)
	return out
}

func entries(t *testing.T, out map[string]any, name string) []map[string]any {
	t.Helper()
	list, ok := out[name].([]any)
	require.True(t, ok, out)
	var entries []map[string]any
	for _, e := range list {
		entries = append(entries, e.(map[string]any))
	}
	return entries
}

func TestAdminFaults(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	assert.Empty(t, entries(t, f.admin(200, "GET", "faults", ""), "faults"))
	out := f.admin(200, "POST", "faults", `{"name":"latency","op":"doDpTrade","merchant":"808801","count":3,"delay":"1m30s","after":true}`)
	assert.EqualValues(t, 1, out["id"])
	f.admin(200, "POST", "faults", `{"name":"http-502","op":"doDwTrade"}`)
	f.admin(200, "POST", "faults", `{"name":"code","op":"doDwTrade","code":"MG19099F","text":"维护","probability":0.5}`)
	assert.Equal(t, 502, f.do("POST", "/CreditWeb/doDwTrade.aspx", formType, "").status)
	list := entries(t, f.admin(200, "GET", "faults", ""), "faults")
	assert.Equal(t, []map[string]any{
		{"id": 1.0, "name": "latency", "op": "doDpTrade", "merchant": "808801", "count": 3.0, "delay": "1m30s", "after": true, "met": 0.0, "left": 3.0},
		{"id": 2.0, "name": "http-502", "op": "doDwTrade", "met": 1.0, "left": 0.0},
		{"id": 3.0, "name": "code", "op": "doDwTrade", "code": "MG19099F", "text": "维护", "probability": 0.5, "met": 0.0, "left": -1.0},
	}, list)
	f.admin(200, "DELETE", "faults/2", "")
	f.admin(404, "DELETE", "faults/2", "")
	f.admin(400, "DELETE", "faults/x", "")
	f.admin(200, "DELETE", "faults", "")
	assert.Empty(t, entries(t, f.admin(200, "GET", "faults", ""), "faults"))
}

func TestAdminPending(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	account := f.investor()
	for i, undo := range []func(id any){
		func(id any) { f.admin(200, "DELETE", fmt.Sprintf("faults/%v", id), "") },
		func(any) { f.admin(200, "POST", "release", `{"merchant":"808801","op":"doDpTrade"}`) },
	} {
		id := f.admin(200, "POST", "faults", `{"name":"stay-pending"}`)["id"]
		code, _ := f.recharge(fmt.Sprintf("R%d", i), account, "10.00")
		require.Equal(t, "MG00008F", code)
		assert.Equal(t, int64(1000*i), f.purse(account))
		undo(id)
		assert.Equal(t, int64(1000*(i+1)), f.purse(account))
	}
}

func TestAdminClock(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	out := f.admin(200, "GET", "clock", "")
	assert.Equal(t, map[string]any{"now": "2014-11-24T12:00:00+08:00", "offset": "0s"}, out)
	out = f.admin(200, "POST", "clock/advance", `{"by":"1h30m"}`)
	assert.Equal(t, map[string]any{"now": "2014-11-24T13:30:00+08:00", "offset": "1h30m0s"}, out)
	assert.True(t, f.Now().Equal(noon.Add(90*time.Minute)))
	f.admin(400, "POST", "clock/advance", `{"by":"-1s"}`)
	f.admin(400, "POST", "clock/advance", `{"by":"tomorrow"}`)
	f.admin(400, "POST", "clock/advance", `{"by":30}`)
}

func TestAdminMoney(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{sandbox.TestMerchant(), otherMerchant()}})
	account := f.investor()
	f.admin(200, "POST", "deposit", `{"merchant":"808801","account":"`+account+`","fen":1234}`)
	f.admin(200, "POST", "deposit", `{"merchant":"808899","fen":66}`)
	out := f.admin(200, "GET", "balances", "")
	assert.Equal(t, "fen", out["unit"])
	row := func(merchant, account string, fen float64) map[string]any {
		return map[string]any{"merchant": merchant, "account": account, "available": fen, "frozen": 0.0, "unsettled": 0.0}
	}
	assert.Equal(t, []map[string]any{row("808801", "808801", 0), row("808899", "808899", 66), row("808801", account, 1234)},
		entries(t, out, "balances"))
	assert.Equal(t, []map[string]any{row("808899", "808899", 66)}, entries(t, f.admin(200, "GET", "balances?merchant=808899", ""), "balances"))
	assert.Equal(t, []map[string]any{row("808801", account, 1234)}, entries(t, f.admin(200, "GET", "balances?account="+account, ""), "balances"))
	assert.Equal(t, []map[string]any{row("808801", account, 1234)}, entries(t, f.admin(200, "GET", "balances?limit=1", ""), "balances"))
	assert.Equal(t, []map[string]any{row("808801", "808801", 0), row("808899", "808899", 66)}, entries(t, f.admin(200, "GET", "balances?limit=2&skip=1", ""), "balances"))
	assert.Empty(t, entries(t, f.admin(200, "GET", "balances?skip=3", ""), "balances"))
	f.admin(400, "GET", "balances?limit=1001", "")
	f.admin(400, "GET", "balances?skip=-1", "")
	f.admin(404, "GET", "balances?merchant=000000", "")
	out = f.admin(200, "GET", "books", "")
	assert.Equal(t, map[string]any{"ok": true, "accounts": 1.0, "entries": 2.0, "users": 1234.0, "merchants": 66.0, "fees": 0.0,
		"outside": -1300.0}, out)
	f.admin(400, "POST", "deposit", `{"merchant":"808899","account":"`+account+`","fen":1}`)
	f.admin(400, "POST", "deposit", `{"merchant":"808801","fen":0}`)
	f.admin(400, "POST", "deposit", `{"merchant":"808801","fen":1.5}`)
}

func TestAdminPeople(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	account := f.investor()
	f.admin(200, "POST", "mode", `{"merchant":"808801","mode":"manual"}`)
	f.admin(200, "POST", "mandate", `{"merchant":"808801","account":"`+account+`","signed":true}`)
	withhold := func(order string) string {
		return fromResult(f.call11(trade, "CoDpTrade", f.sealedParams("arg", document("pMerBillNo", order, "pTrdDate", "20141124",
			"pTrdAmt", "10.00", "pMerFee", "0.00", "pIpsFeeType", "1", "pAcctType", "1", "pIdentNo", li, "pRealName", "李四",
			"pIpsAcctNo", account, "pS2SUrl", f.shop.URL, "pMemo1", "", "pMemo2", "", "pMemo3", ""))...).resultOf(t, "CoDpTrade")).code
	}
	require.Equal(t, "MG00008F", withhold("W1"))
	texts := entries(t, f.admin(200, "GET", "sms?state=open", ""), "sms")
	require.Len(t, texts, 1)
	assert.Equal(t, "138****0002", texts[0]["mobile"], "masked, unless the caller knows it")
	assert.Contains(t, texts[0]["text"], "10.00元")
	assert.Equal(t, "W1", texts[0]["order"])
	assert.Equal(t, "13800000002", entries(t, f.admin(200, "GET", "sms?mobile=13800000002", ""), "sms")[0]["mobile"])
	assert.Empty(t, entries(t, f.admin(200, "GET", "sms?mobile=13800000003", ""), "sms"))
	f.admin(400, "POST", "sms/"+texts[0]["id"].(string), `{}`)
	assert.Zero(t, f.purse(account))
	f.admin(200, "POST", "sms/"+texts[0]["id"].(string), `{"yes":true}`)
	assert.Equal(t, int64(1000), f.purse(account))
	f.admin(400, "POST", "sms/SMS9999999999", `{"yes":true}`)

	f.admin(200, "POST", "mandate", `{"merchant":"808801","account":"`+account+`","signed":false}`)
	assert.Equal(t, "MG13023F", withhold("W2"))
	f.admin(400, "POST", "mandate", `{"merchant":"808801","account":"`+account+`"}`)
	f.admin(400, "POST", "mode", `{"merchant":"808801","mode":"sometimes"}`)
	f.admin(400, "POST", "mode", `{"merchant":"000000","mode":"auto"}`)
}

func TestAdminMessagesAndNotifications(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Backoff: []time.Duration{}})
	f.shop.answer(500)
	account := f.investor()
	f.delivered() // the one 500 is for the first notice
	f.recharge("R1", account, "10.00")
	f.delivered()
	all := entries(t, f.admin(200, "GET", "notifications", ""), "notifications")
	require.Len(t, all, 2)
	assert.Equal(t, "abandoned", all[0]["state"])
	attempt := all[0]["attempts"].([]any)[0].(map[string]any)
	assert.EqualValues(t, 500, attempt["status"])
	f.admin(200, "POST", "notifications/1/resend", `{}`)
	f.delivered()
	assert.Len(t, entries(t, f.admin(200, "GET", "notifications?state=delivered", ""), "notifications"), 2)
	assert.Len(t, entries(t, f.admin(200, "GET", "notifications?order=R1&merchant=808801", ""), "notifications"), 1)
	assert.Len(t, entries(t, f.admin(200, "GET", "notifications?limit=1", ""), "notifications"), 1)
	f.admin(404, "POST", "notifications/99/resend", `{}`)

	messages := entries(t, f.admin(200, "GET", "messages?op=CreateNewIpsAcct", ""), "messages")
	require.NotEmpty(t, messages)
	assert.Equal(t, "in", messages[0]["direction"])
	assert.Equal(t, true, messages[0]["verified"])
	whole := f.do("GET", "/admin/messages", "", "").body
	for _, secret := range []string{li, "13800000002", sandbox.TestMerchant().Cert, sandbox.TestMerchant().Key} {
		assert.NotContains(t, whole, secret)
	}
	last := entries(t, f.admin(200, "GET", "messages?limit=1", ""), "messages")
	require.Len(t, last, 1)
	assert.Equal(t, "CreateNewIpsAcct", last[0]["op"], "the newest is the one sent again")
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "colour=red", "%zz"} {
		f.admin(400, "GET", "messages?"+bad, "")
	}
}

// What a web page could make a browser send must not work.
func TestAdminRefuses(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Hosts: []string{"sandbox.test"}})
	const deposit = `{"merchant":"808801","fen":1}`
	post := func(body, media string, headers ...string) int {
		t.Helper()
		return f.do("POST", "/admin/deposit", media, body, headers...).status
	}
	for name, status := range map[string]int{
		"a form":         post(deposit, formType),
		"plain text":     post(deposit, "text/plain"),
		"no type":        post(deposit, ""),
		"multipart":      post(deposit, "multipart/form-data; boundary=x"),
		"JSON in a name": post(deposit, "text/plain; charset=application/json"),
	} {
		assert.Equal(t, http.StatusUnsupportedMediaType, status, name)
	}
	assert.Equal(t, http.StatusForbidden, post(deposit, jsonType, "Origin", "https://evil.example.com"))
	assert.Equal(t, http.StatusForbidden, post(deposit, jsonType, "Sec-Fetch-Site", "cross-site"))
	assert.Equal(t, http.StatusRequestEntityTooLarge, post(`{"merchant":"`+strings.Repeat("x", 100_000)+`"}`, jsonType))
	for _, bad := range []string{``, `[]`, `{"merchant":"808801","fen":1,"yuan":1}`, deposit + deposit, deposit + "x", `{"fen":"1"}`} {
		assert.Equal(t, http.StatusBadRequest, post(bad, jsonType), bad)
	}
	assert.Zero(t, f.purse("808801"))
	assert.Equal(t, http.StatusOK, post(deposit, jsonType+"; charset=utf-8"))
	assert.Equal(t, int64(1), f.purse("808801"))

	f.admin(404, "GET", "secrets", "")
	f.admin(404, "GET", "", "")
	f.admin(405, "GET", "deposit", "")
	f.admin(405, "PUT", "faults", "")
	f.admin(400, "GET", "clock?x=1", "")
	f.admin(400, "POST", "faults", `{"id":7,"name":"reset"}`)

	for host, want := range map[string]int{
		"127.0.0.1:1": 200, "[::1]:80": 200, "localhost": 200, "sandbox.test:8480": 200,
		"evil.example.com": 421, "localhost.evil.example.com": 421, "": 421,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", f.url+"/admin/clock", nil)
		require.NoError(t, err)
		req.Host = host
		if host == "" {
			req.Host = "sandbox.test.evil.example.com"
		}
		resp, err := f.http.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, want, resp.StatusCode, host)
	}
}

func TestAdminIsClosedWithTheSandbox(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	require.NoError(t, f.Close())
	f.admin(503, "POST", "deposit", `{"merchant":"808801","fen":1}`)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	r := f.do("GET", "/healthz", "", "")
	assert.Equal(t, 200, r.status)
	assert.JSONEq(t, `{"ok":true,"books":"ok","store":"none","note":"this is not IPS"}`, r.body)
	assert.Equal(t, 405, f.do("POST", "/healthz", "", "").status)
	assert.Equal(t, 204, f.do("GET", "/favicon.ico", "", "").status, "no error in a browser's log")
	g := start(t, sandbox.Config{Store: &memory{}})
	assert.Contains(t, g.do("GET", "/healthz", "", "").body, `"store": "ok"`)
}
