package ips_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

func TestNewClientChecksItsConfiguration(t *testing.T) {
	t.Parallel()
	small := rsaKey(t, 1024).PublicKey
	small.N = small.N.Rsh(small.N, 16)
	tests := map[string]struct {
		spoil func(*ips.Config)
		want  string
	}{
		"no merchant":           {func(c *ips.Config) { c.MerchantCode = "" }, "merchant code: want 6 digits"},
		"letters":               {func(c *ips.Config) { c.MerchantCode = "80880x" }, "merchant code: want 6 digits"},
		"full-width digits":     {func(c *ips.Config) { c.MerchantCode = "80" }, "merchant code: want 6 digits"},
		"short cert":            {func(c *ips.Config) { c.Cert = ips.NewSecret(c.Cert.Reveal()[1:]) }, "cert: want 128 ASCII characters, got 127 bytes"},
		"cert with line break":  {func(c *ips.Config) { c.Cert = ips.NewSecret(c.Cert.Reveal()[1:] + "\n") }, "cert: has a character that is not printable ASCII"},
		"short key":             {func(c *ips.Config) { c.Key = ips.NewSecret(c.Key.Reveal()[:23]) }, "3DES key: want 24 ASCII characters, got 23 bytes"},
		"long IV":               {func(c *ips.Config) { c.IV = ips.NewSecret(c.IV.Reveal() + "x") }, "3DES IV: want 8 ASCII characters, got 9 bytes"},
		"no environment":        {func(c *ips.Config) { c.Environment = ips.Environment{} }, "Environment.PostBase: want an absolute http or https URL"},
		"relative service":      {func(c *ips.Config) { c.Environment.Service = "/CreditWS" }, "Environment.Service: want"},
		"query with user":       {func(c *ips.Config) { c.Environment.Query = "https://u:p@ips.example.com/" }, "Environment.Query: want"},
		"namespace":             {func(c *ips.Config) { c.Environment.Namespace = "tempuri.org" }, "Environment.Namespace: want"},
		"return URL":            {func(c *ips.Config) { c.ReturnURL = "/back" }, "ReturnURL: want"},
		"notify URL":            {func(c *ips.Config) { c.NotifyURL = "ftp://p2p.example.com" }, "NotifyURL: want"},
		"small RSA key":         {func(c *ips.Config) { c.PublicKey = &small }, "PublicKey: want at least 1024 bits"},
		"all of the above once": {func(c *ips.Config) { *c = ips.Config{} }, "3DES IV: want 8"},
	}
	for name, tt := range tests {
		cfg := offlineConfig()
		tt.spoil(&cfg)
		c, err := ips.NewClient(cfg)
		require.ErrorContains(t, err, tt.want, name)
		assert.Nil(t, c)
		assertNoSecret(t, err.Error())
	}
	_, err := ips.NewClient(ips.Config{}, ips.WithTimeout(0), ips.WithLimits(ips.Limits{Answer: -1}), ips.WithHTTPClient(nil), ips.WithWireTap(nil), ips.WithUnmaskedWireTap(nil))
	for _, part := range []string{"merchant code", "cert", "3DES key", "3DES IV", "PostBase", "WithTimeout", "WithLimits", "WithHTTPClient", "WithWireTap"} {
		assert.ErrorContains(t, err, part, "everything at once")
	}
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	assert.Equal(t, ips.Environment{
		Name: "production", PostBase: "https://p2p.ips.com.cn/CreditWeb/", Service: "https://p2p.ips.com.cn/CreditWS/Service.asmx",
		Query: "https://p2p.ips.com.cn/CreditWSQuery/Service.asmx", Namespace: "http://tempuri.org/",
	}, ips.Production())
	assert.Equal(t, ips.Environment{
		Name: "vendor test", PostBase: "http://p2p.ips.net.cn/CreditWeb/", Service: "http://p2p.ips.net.cn/CreditWS/Service.asmx",
		Query: "http://p2p.ips.net.cn/CreditWSQuery/Service.asmx", Namespace: "http://tempuri.org/",
	}, ips.VendorTest())
	assert.Equal(t, ips.EnvironmentAt("http://127.0.0.1:8080"), ips.EnvironmentAt("http://127.0.0.1:8080/"))

	cfg := offlineConfig()
	cfg.Environment.PostBase = "https://ips.example.com/elsewhere"
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	form, err := c.Withdraw(*exampleOf(t, ips.OpWithdraw).request.(*ips.WithdrawRequest))
	require.NoError(t, err)
	assert.Equal(t, "https://ips.example.com/elsewhere/doDwTrade.aspx", form.Action())
	assert.Equal(t, "808801", c.MerchantCode())
	assert.Equal(t, "https://ips.example.com/elsewhere/", c.Environment().PostBase)
}

func assertNoSecret(t *testing.T, text string) {
	t.Helper()
	cfg := ips.TestMerchant()
	for _, secret := range []string{cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal()} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), fmt.Sprint([]byte(secret)), fmt.Sprintf("%d", []byte(secret))} {
			assert.NotContains(t, text, form)
		}
	}
}

// TestNothingPrintsSecrets tries every way of printing on everything that holds
// a secret.
func TestNothingPrintsSecrets(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 1024)
	cfg := offlineConfig()
	cfg.PublicKey = &key.PublicKey
	cfg.Former = &ips.FormerKeys{Cert: cfg.Cert, Key: cfg.Key, IV: cfg.IV, Until: time.Now().Add(time.Hour)}
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	e := exampleOf(t, ips.OpOpenAccount)
	form, _, err := e.send(c, e.request)
	require.NoError(t, err)
	keys := vendorKeys(t)
	for name, v := range map[string]any{
		"Config": cfg, "*Config": &cfg, "FormerKeys": *cfg.Former, "*FormerKeys": cfg.Former, "Secret": cfg.Cert, "*Secret": &cfg.Cert, "Client": reflect.ValueOf(c).Elem().Interface(), "*Client": c, "Form": *form, "*Form": form, "keys": keys, "*keys": *keys,
		"in a struct": struct {
			C  ips.Config
			P  *ips.Config
			CP *ips.Client
		}{cfg, &cfg, c}, "in an unexported field": struct{ c ips.Config }{cfg}, "in a slice": []any{cfg, c, form}, "in a map": map[string]ips.Config{"a": cfg},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%X", "%q", "% x", "%T", "%08b", "%!", "%p", "%w"} {
			assertNoSecret(t, fmt.Sprintf(verb, v))
		}
		raw, err := json.Marshal(v)
		require.NoError(t, err, name)
		assertNoSecret(t, string(raw))
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("x", "v", v)
			assert.NotEmpty(t, b.String())
			assertNoSecret(t, b.String())
		}
	}
	assert.Contains(t, fmt.Sprintf("%#v", cfg), `MerchantCode:"808801"`)
	assert.Equal(t, "ips.Client{808801 at https://ips.example.com}", fmt.Sprint(c))
	assert.Equal(t, c.String(), fmt.Sprintf("%x", c))
}

func TestForm(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpRegisterBid)
	form, _, err := e.send(offlineClient(t), e.request)
	require.NoError(t, err)
	assert.Equal(t, ips.OpRegisterBid, form.Operation())
	assert.Equal(t, "B20141213000001", form.OrderNo())
	fields := form.Fields()
	require.Len(t, fields, 3)
	assert.Equal(t, "pMerCode", fields[0].Name)
	for _, f := range fields {
		assert.Equal(t, []string{f.Value}, form.Values()[f.Name])
	}
	fields[0].Value = "999999" // a copy
	assert.Equal(t, "808801", form.Fields()[0].Value)
	form.Values().Set("pMerCode", "999999")
	assert.Equal(t, "808801", form.Values().Get("pMerCode"))

	w := httptest.NewRecorder()
	form.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, http.StatusOK, w.Code)
	policy := w.Header().Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`'nonce-([A-Za-z0-9+/]{22})'`).FindStringSubmatch(policy)
	require.NotNil(t, nonce, policy)
	assert.Contains(t, w.Body.String(), `<script nonce="`+strings.ReplaceAll(nonce[1], "+", "&#43;")+`">`)
	assert.Contains(t, policy, "default-src 'none'")
	assert.Contains(t, policy, "frame-ancestors 'none'")
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
	assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	again := httptest.NewRecorder()
	form.ServeHTTP(again, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.NotEqual(t, policy, again.Header().Get("Content-Security-Policy"), "the nonce is used once")

	for _, nonce := range []string{"", "abc123+/==", "a-b_c"} {
		var page bytes.Buffer
		require.NoError(t, form.Render(&page, nonce))
		assert.Contains(t, page.String(), `action="https://ips.example.com/CreditWeb/registerSubject.aspx"`)
		assert.Contains(t, page.String(), `<button type="submit">`)
	}
	for _, nonce := range []string{`"><script>`, "a b", "===", "x\n", "'"} {
		var page bytes.Buffer
		require.Error(t, form.Render(&page, nonce), nonce)
		assert.Empty(t, page.String())
	}
	require.ErrorIs(t, form.Render(brokenWriter{}, ""), errBroken)
}

var errBroken = fmt.Errorf("broken pipe")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// TestFormEscapesEverything: an action with every dangerous character stays an
// action.
func TestFormEscapesEverything(t *testing.T) {
	t.Parallel()
	cfg := offlineConfig()
	cfg.Environment.PostBase = `https://ips.example.com/"><script>alert(1)</script>/`
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	form, err := c.Recharge(*exampleOf(t, ips.OpRecharge).request.(*ips.RechargeRequest))
	require.NoError(t, err)
	var page bytes.Buffer
	require.NoError(t, form.Render(&page, ""))
	assert.NotContains(t, page.String(), "<script>alert")
}

// TestWireTap shows both directions, masked.
func TestWireTap(t *testing.T) {
	t.Parallel()
	var seen, raw []ips.WireMessage
	answer := sealedAnswer(t, "MG00000F", "操作成功", document("pMerBillNo", "U20141213000001", "pIdentNo", "110101199001010001",
		"pIpsAcctNo", "4021000000000001", "pMobileNo", "13800000000", "pEmail", "zhangsan@example.com", "pBkAccNo", "0001"))
	soap := soapAnswer("GuaranteeUnfreeze", answer.result())
	c, _ := recordingClient(t, soap, "text/xml", ips.WithWireTap(func(m ips.WireMessage) { seen = append(seen, m) }))
	r, _ := recordingClient(t, soap, "text/xml", ips.WithUnmaskedWireTap(func(m ips.WireMessage) { raw = append(raw, m) }))
	e := exampleOf(t, ips.OpUnfreezeMargin)
	for _, client := range []*ips.Client{c, r} {
		_, _, err := e.send(client, e.request)
		require.NoError(t, err)
	}
	require.Len(t, seen, 2)
	require.Len(t, raw, 2)
	sent, received := seen[0], seen[1]
	assert.Equal(t, ips.Sent, sent.Direction)
	assert.Equal(t, ips.OpUnfreezeMargin, sent.Operation)
	assert.Equal(t, "U20141213000001", sent.OrderNo)
	assert.Equal(t, "argMerCode", sent.Envelope[0].Name)
	assert.Contains(t, sent.Document, "<pUnfreezeAmt>5000.00</pUnfreezeAmt>")
	assert.Contains(t, sent.Document, "<pIdentNo>***</pIdentNo>")
	assert.Equal(t, ips.Received, received.Direction)
	assert.Equal(t, ips.Synchronous, received.Via)
	assert.NoError(t, received.Err)
	assert.Equal(t, []ips.FormField{{Name: "pMerCode", Value: "808801"}, {Name: "pErrCode", Value: "MG00000F"}, {Name: "pErrMsg", Value: "操作成功"},
		{Name: "p3DesXmlPara", Value: answer.body}, {Name: "pSign", Value: answer.sign}}, received.Envelope)
	for _, m := range seen {
		for _, personal := range []string{"110101199001010001", "13800000000", "zhangsan@example.com", "<pBkAccNo>0001"} {
			assert.NotContains(t, m.Document, personal)
		}
	}
	assert.Contains(t, raw[0].Document, "110101199001010001")
	assert.Contains(t, raw[1].Document, "zhangsan@example.com")

	// What could not be believed is not shown as if it could.
	seen = nil
	bad := answer
	bad.sign = change(bad.sign)
	_, err := c.ParseNotification(bad.inbound(ips.OpUnfreezeMargin), ips.OpUnfreezeMargin)
	require.Error(t, err)
	require.Len(t, seen, 1)
	assert.ErrorIs(t, seen[0].Err, ips.ErrSignature)
	assert.Empty(t, seen[0].Document)
	assert.Equal(t, ips.ServerToServer, seen[0].Via)

	// What is signed and cannot be used is shown, with the reason.
	for doc, want := range map[string]error{
		document("pMerBillNo", "U20141213000001", "pUnfreezeAmt", "many"): ips.ErrMalformed,
		document("pMerBillNo", "U20141213000001", "pBidStatus", "2"):      ips.ErrOperation,
	} {
		seen = nil
		_, err = c.ParseNotification(sealedAnswer(t, "MG00000F", "", doc).inbound(ips.OpUnfreezeMargin), ips.OpUnfreezeMargin)
		require.ErrorIs(t, err, want)
		require.Len(t, seen, 1)
		assert.ErrorIs(t, seen[0].Err, want)
		assert.Equal(t, doc, seen[0].Document)
	}

	// Queries have no document when sent.
	seen = nil
	q, _ := recordingClient(t, soapAnswer("QueryMerUserInfo", signQuery(t, responseFile(t, ips.OpQueryAccount))), "text/xml",
		ips.WithWireTap(func(m ips.WireMessage) { seen = append(seen, m) }))
	_, err = q.Call(context.Background(), ips.QueryAccountRequest{Account: "4021000000000001", Memo: "备注"})
	require.NoError(t, err)
	require.Len(t, seen, 2)
	assert.Equal(t, []string{"argMerCode", "argIpsAccount", "argSign", "argMemo"}, fieldNames(seen[0].Envelope))
	assert.Empty(t, seen[0].Document)
	assert.Contains(t, seen[1].Document, "<pBankCard>***</pBankCard>")
	assert.Contains(t, seen[1].Document, "<pEmail>***</pEmail>")
}

// TestWireTapMaskHasNoGaps: an answer may write its elements in other ways.
func TestWireTapMaskHasNoGaps(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"plain":       `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001</pIdentNo></pReq>`,
		"CDATA":       `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo><![CDATA[110101199001010001]]></pIdentNo></pReq>`,
		"attribute":   `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo type="1">110101199001010001</pIdentNo></pReq>`,
		"bracket":     `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo type="a>b">110101199001010001</pIdentNo></pReq>`,
		"prefix":      `<pReq xmlns:x="u"><pMerBillNo>R1</pMerBillNo><x:pIdentNo>110101199001010001</x:pIdentNo></pReq>`,
		"white space": "<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo\n>\n110101199001010001\n</pIdentNo ></pReq>",
		"UTF-16":      utf16LE(`<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001</pIdentNo></pReq>`),
		"doubled":     `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001</pIdentNo><pIdentNo>110101199001010001</pIdentNo></pReq>`,
		"malformed":   `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown := "nothing"
			c := offlineClient(t, ips.WithWireTap(func(m ips.WireMessage) { shown = m.Document }))
			_, err := c.ParseNotification(sealedAnswer(t, "MG00000F", "", doc).inbound(ips.OpRecharge), ips.OpRecharge)
			if name != "doubled" && name != "malformed" {
				require.NoError(t, err)
			}
			require.NotEqual(t, "nothing", shown)
			assert.NotContains(t, strings.ReplaceAll(shown, "\x00", ""), "110101199001010001")
		})
	}
}

func utf16LE(s string) string {
	b := []byte("\xff\xfe")
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return string(b)
}

func fieldNames(fields []ips.FormField) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return names
}

// TestTwoMerchantsInOneProcess: clients share nothing.
func TestTwoMerchantsInOneProcess(t *testing.T) {
	t.Parallel()
	other := offlineConfig()
	other.MerchantCode, other.Cert, other.Key, other.IV = "999001", ips.NewSecret(strings.Repeat("c", 128)), ips.NewSecret(strings.Repeat("k", 24)), ips.NewSecret(strings.Repeat("i", 8))
	second, err := ips.NewClient(other)
	require.NoError(t, err)
	e := exampleOf(t, ips.OpWithdraw)
	form, _, err := e.send(second, e.request)
	require.NoError(t, err)
	assert.Equal(t, "999001", form.Fields()[0].Value)
	assert.False(t, vendorKeys(t).VerifyRequest(form.Fields()[1].Value, form.Fields()[2].Value))
	_, err = second.ParseNotification(sealedAnswer(t, "MG00000F", "", rechargeDocument).inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMerchant)
}

// TestConcurrentUse makes and reads messages from many goroutines; the race
// detector looks on.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := serverClient(t, func(w http.ResponseWriter, _ *http.Request) {
		answerSOAP(w, 200, soapAnswer("GuaranteeUnfreeze", sealedAnswer(t, "MG00000F", "", document("pMerBillNo", "U20141213000001", "pUnfreezeAmt", "1")).result()))
	}, ips.WithTimeout(10*time.Second))
	first, _, err := exampleOf(t, ips.OpOpenAccount).send(c, exampleOf(t, ips.OpOpenAccount).request)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for _, op := range []ips.Operation{ips.OpOpenAccount, ips.OpUnfreezeMargin} {
				e := exampleOf(t, op)
				form, resp, err := e.send(c, e.request)
				assert.NoError(t, err)
				if form != nil {
					assert.Equal(t, first.Fields(), form.Fields(), "the same request gives the same bytes")
				} else {
					assert.Equal(t, ips.Success, resp.Base().Outcome)
				}
			}
			_, err := c.ParseNotification(sealedAnswer(t, "MG00000F", "", rechargeDocument).inbound(ips.OpRecharge), ips.OpRecharge)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}
