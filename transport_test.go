package ips_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
)

// serverClient is a client of an IPS that h plays.
func serverClient(t *testing.T, h http.HandlerFunc, opts ...ips.Option) *ips.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg := fixture.Config()
	cfg.Environment = ips.EnvironmentAt(s.URL)
	c, err := ips.NewClient(cfg, opts...)
	require.NoError(t, err)
	return c
}

func answerSOAP(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func fault(code, text string) string {
	return `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
		`<soap:Fault><faultcode>soap:` + code + `</faultcode><faultstring>` + text + `</faultstring><detail /></soap:Fault></soap:Body></soap:Envelope>`
}

// hangUp closes the connection without an answer; with reset it is a TCP reset.
func hangUp(w http.ResponseWriter, r *http.Request, reset bool) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if reset {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	_ = conn.Close()
}

// TestFates answers a transfer and an end of bid in every way that is none and
// asks whether the order's fate is known.
func TestFates(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
	}
	soap := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { answerSOAP(w, code, body) }
	}
	result := func(f fixture.Answer) string { return fixture.SOAP("Transfer", f.Result()) }
	own := fixture.Document("pMerBillNo", "T20141213000001", "pTransferType", "1")
	good := fixture.Sealed("MG00008F", "受理中", own)
	spoilt := good
	spoilt.Sign = fixture.Change(good.Sign)
	foreign := good
	foreign.MerCode = "808802"
	httpErr := func(code int) error {
		return &ips.HTTPError{StatusCode: code, Status: fmt.Sprintf("%d %s", code, http.StatusText(code))}
	}
	// known: IPS did nothing, and that is certain.
	tests := map[string]struct {
		answer http.HandlerFunc
		known  bool
		want   error // ErrorIs, or equal to an error in the chain
	}{
		"404":                 {status(404), true, httpErr(404)},
		"400":                 {status(400), true, httpErr(400)},
		"413":                 {status(413), true, httpErr(413)},
		"408 request timeout": {status(408), false, httpErr(408)},
		"500 without SOAP":    {status(500), false, httpErr(500)},
		"502":                 {status(502), false, httpErr(502)},
		"503":                 {status(503), false, httpErr(503)},
		"204":                 {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, false, httpErr(204)},
		"302":                 {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, false, httpErr(302)},
		"307": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, false, httpErr(307)},
		"fault of the client":      {soap(500, fault("Client", "bad")), true, &ips.SOAPFault{Code: "Client", String: "bad"}},
		"fault of the server":      {soap(500, fault("Server", "down")), false, &ips.SOAPFault{Code: "Server", String: "down"}},
		"fault with status 200":    {soap(200, fault("Server", "down")), false, &ips.SOAPFault{Code: "Server", String: "down"}},
		"fault, version":           {soap(500, fault("VersionMismatch", "1.2")), true, &ips.SOAPFault{Code: "VersionMismatch", String: "1.2"}},
		"reset":                    {func(w http.ResponseWriter, r *http.Request) { hangUp(w, r, true) }, false, nil},
		"closed":                   {func(w http.ResponseWriter, r *http.Request) { hangUp(w, r, false) }, false, nil},
		"empty":                    {soap(200, ""), false, ips.ErrMalformed},
		"not XML":                  {soap(200, "OK"), false, ips.ErrMalformed},
		"HTML":                     {soap(200, "<html><body>maintenance</body></html>"), false, ips.ErrMalformed},
		"no result":                {soap(200, fixture.SOAP("GetBankList", good.Result())), false, ips.ErrMalformed},
		"empty result":             {soap(200, fixture.SOAP("Transfer", "")), false, ips.ErrMalformed},
		"result is not XML":        {soap(200, fixture.SOAP("Transfer", "MG00000F")), false, ips.ErrMalformed},
		"result without fields":    {soap(200, fixture.SOAP("Transfer", "<pReq></pReq>")), false, ips.ErrMerchant},
		"result with doubled sign": {soap(200, fixture.SOAP("Transfer", strings.Replace(good.Result(), "</pReq>", "<pSign>0</pSign></pReq>", 1))), false, ips.ErrMalformed},
		"two results":              {soap(200, strings.Replace(result(good), "</TransferResponse>", "<TransferResult></TransferResult></TransferResponse>", 1)), false, ips.ErrMalformed},
		"DTD":                      {soap(200, strings.Replace(result(good), "?>", "?><!DOCTYPE x>", 1)), false, ips.ErrMalformed},
		"bad signature":            {soap(200, result(spoilt)), false, ips.ErrSignature},
		"another merchant":         {soap(200, result(foreign)), false, ips.ErrMerchant},
		"another order":            {soap(200, result(fixture.Sealed("MG00000F", "", fixture.Document("pMerBillNo", "T2")))), false, ips.ErrOperation},
		"another order's refusal":  {soap(200, result(fixture.Sealed("MG00001F", "", fixture.Document("pMerBillNo", "T2")))), false, ips.ErrOperation},
		"another operation":        {soap(200, result(fixture.Sealed("MG00000F", "", fixture.Document("pMerBillNo", "T20141213000001", "pDwDate", "20141213")))), false, ips.ErrOperation},
		"success without document": {soap(200, result(fixture.Sealed("MG00000F", "", ""))), false, ips.ErrMalformed},
		"body is no document":      {soap(200, result(fixture.Sealed("MG00000F", "", "garbage"))), false, ips.ErrMalformed},
		"too large":                {soap(200, strings.Repeat(" ", 70_000)), false, ips.ErrTooLarge},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, false, ips.ErrTooLarge},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			_, _ = io.WriteString(w, result(good))
		}, false, io.ErrUnexpectedEOF},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				assert.Equal(t, "/CreditWS/Service.asmx", r.URL.Path, "a redirect was followed")
				tt.answer(w, r)
			}, ips.WithLimits(ips.Limits{Answer: 65_536}))
			e := exampleOf(t, ips.OpTransfer)
			_, resp, err := e.send(c, e.request)
			require.Error(t, err)
			assert.Nil(t, resp)
			assert.EqualValues(t, 1, requests.Load(), "sent again")
			var unknown *ips.FateUnknownError
			assert.Equal(t, !tt.known, errors.Is(err, ips.ErrFateUnknown))
			require.Equal(t, !tt.known, errors.As(err, &unknown), "%v", err)
			if unknown != nil {
				assert.Equal(t, ips.OpTransfer, unknown.Operation)
				assert.Equal(t, "T20141213000001", unknown.OrderNo)
			}
			assert.Contains(t, err.Error(), "transfer")
			assert.Contains(t, err.Error(), "T20141213000001")
			var status *ips.HTTPError
			var soapFault *ips.SOAPFault
			switch {
			case errors.As(tt.want, &status):
				want := *status
				require.ErrorAs(t, err, &status)
				assert.Equal(t, want, *status)
			case errors.As(tt.want, &soapFault):
				want := *soapFault
				require.ErrorAs(t, err, &soapFault)
				assert.Equal(t, want, *soapFault)
			case tt.want != nil:
				assert.ErrorIs(t, err, tt.want)
			}
			var refused *ips.Error
			assert.False(t, errors.As(err, &refused), "nothing that IPS signed says so")
		})
	}
}

// TestCallOutcomes are the three answers that can be believed.
func TestCallOutcomes(t *testing.T) {
	t.Parallel()
	for code, want := range map[ips.Code]ips.Outcome{"MG00000F": ips.Success, "MG00008F": ips.Pending, "MG03011F": ips.Failure} {
		answer := fixture.Sealed(code, "信息", fixture.Document("pMerBillNo", "T20141213000001", "pTransferType", "1", "pIpsBillNo", "20141213879"))
		c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, http.MethodPost, r.Method)
			assert.Equal(t, "text/xml; charset=utf-8", r.Header.Get("Content-Type"))
			assert.Equal(t, `"http://tempuri.org/Transfer"`, r.Header.Get("SOAPAction"))
			answerSOAP(w, 200, fixture.SOAP("Transfer", answer.Result()))
		})
		resp, err := c.Transfer(context.Background(), *exampleOf(t, ips.OpTransfer).request.(*ips.TransferRequest))
		require.NotNil(t, resp, "a refusal comes with its answer")
		assert.Equal(t, want, resp.Outcome)
		assert.Equal(t, ips.Synchronous, resp.Via)
		assert.Equal(t, "20141213879", resp.IPSBillNo)
		if want != ips.Failure {
			require.NoError(t, err)
			continue
		}
		var refused *ips.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, &ips.Error{Operation: ips.OpTransfer, Code: code, Message: "信息", OrderNo: "T20141213000001"}, refused)
		assert.ErrorIs(t, err, ips.CodeInvestorFunds)
		assert.NotErrorIs(t, err, ips.ErrFateUnknown)
	}
}

// TestServerPosted reads the answers out of pages.
func TestServerPosted(t *testing.T) {
	t.Parallel()
	good := fixture.Sealed("MG02503F", "标的结束处理中", fixture.Document("pMerBillNo", "B20141213000001", "pBidStatus", "8"))
	spoilt := good
	spoilt.Sign = fixture.Change(good.Sign)
	other := fixture.Sealed("MG02503F", "", fixture.Document("pMerBillNo", "B2", "pBidStatus", "8"))
	inTable := `<table><tr><td>` + good.ReturnForm() + `</td></tr></table>`
	formAroundRows := `<table>` + strings.Replace(strings.Replace(good.ReturnForm(), `"><input`, `"><tr><td><input`, 1), `</form>`, `</td></tr></form>`, 1) + `</table>`
	tests := map[string]struct {
		page string
		want error // nil: the answer is read
	}{
		"page form and return form":  {good.Page(), nil},
		"return form alone":          {good.ReturnForm(), nil},
		"return form in a table":     {inTable, nil},
		"table cells inside form":    {formAroundRows, nil},
		"capitals":                   {strings.NewReplacer("<form", "<FORM", "<input", "<INPUT", "type=\"hidden\"", "TYPE=hidden").Replace(good.Page()), nil},
		"entities in Base64":         {strings.Replace(good.Page(), good.Body, strings.ReplaceAll(strings.ReplaceAll(good.Body, "+", "&#43;"), "=", "&#x3D;"), 1), nil},
		"line breaks in Base64":      {strings.Replace(good.Page(), good.Body, good.Body[:40]+"\r\n"+good.Body[40:], 1), nil},
		"a further form":             {good.Page() + `<form><input name="q"></form>`, nil},
		"no form":                    {"<html><body>系统维护</body></html>", ips.ErrMalformed},
		"empty":                      {"", ips.ErrMalformed},
		"page form only":             {`<form method="post"><input type="hidden" name="__VIEWSTATE" value="x"></form>`, ips.ErrMalformed},
		"two return forms":           {good.Page() + good.ReturnForm(), ips.ErrMalformed},
		"doubled sign":               {strings.Replace(good.Page(), `<input type="hidden" name="pSign"`, `<input name="pSign" value="0"><input type="hidden" name="pSign"`, 1), ips.ErrMalformed},
		"doubled code":               {strings.Replace(good.Page(), `<input type="hidden" name="pErrCode"`, `<textarea name="pErrCode">MG00000F</textarea><input type="hidden" name="pErrCode"`, 1), ips.ErrMalformed},
		"no body field":              {strings.Replace(good.Page(), `name="p3DesXmlPara"`, `name="p3DesXmlPar"`, 1), ips.ErrMalformed},
		"return form in a comment":   {"<!--" + good.ReturnForm() + "-->", ips.ErrMalformed},
		"return form in a script":    {"<script>" + good.ReturnForm() + "</script>", ips.ErrMalformed},
		"bad signature":              {spoilt.Page(), ips.ErrSignature},
		"another order":              {other.Page(), ips.ErrOperation},
		"the registration's answer":  {fixture.Sealed("MG02501F", "", fixture.Document("pMerBillNo", "B20141213000001", "pOperationType", "1", "pBidStatus", "2")).Page(), ips.ErrOperation},
		"fields outside of any form": {strings.NewReplacer(`<form name="frmReturn"`, `<div name="frmReturn"`).Replace(good.Page()), ips.ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "/CreditWeb/registerSubject.aspx", r.URL.Path)
				assert.Empty(t, r.Header.Get("SOAPAction"))
				assert.Equal(t, "808801", r.PostFormValue("pMerCode"))
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = io.WriteString(w, tt.page)
			})
			resp, err := c.EndBid(context.Background(), *exampleOf(t, ips.OpEndBid).request.(*ips.EndBidRequest))
			if tt.want == nil {
				require.NoError(t, err)
				assert.Equal(t, ips.Pending, resp.Outcome)
				assert.Equal(t, ips.BidEnding, resp.Status)
				return
			}
			require.ErrorIs(t, err, tt.want)
			assert.ErrorIs(t, err, ips.ErrFateUnknown)
			assert.Nil(t, resp)
		})
	}
}

// TestServerPostedStatus: a page operation knows no faults, so a 500 is one
// whatever it carries.
func TestServerPostedStatus(t *testing.T) {
	t.Parallel()
	c := serverClient(t, func(w http.ResponseWriter, _ *http.Request) { answerSOAP(w, 500, fault("Client", "x")) })
	e := exampleOf(t, ips.OpAutoRepay)
	_, _, err := e.send(c, e.request)
	var status *ips.HTTPError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, 500, status.StatusCode)
	assert.ErrorIs(t, err, ips.ErrFateUnknown)
}

// TestTimeouts: once the request is out, nobody knows.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	e := *exampleOf(t, ips.OpTransfer).request.(*ips.TransferRequest)

	_, err := serverClient(t, hang, ips.WithTimeout(50*time.Millisecond)).Transfer(context.Background(), e)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = serverClient(t, hang).Transfer(ctx, e)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	ctx, cancel = context.WithCancel(context.Background())
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hang(w, r)
	})
	_, err = c.Transfer(ctx, e)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	require.ErrorIs(t, err, context.Canceled)

	// The body of the answer hangs.
	c = serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, "<soap:")
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	}, ips.WithTimeout(50*time.Millisecond))
	_, err = c.Transfer(context.Background(), e)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
}

// TestNotSent: where nothing left the machine the fate is known.
func TestNotSent(t *testing.T) {
	t.Parallel()
	e := *exampleOf(t, ips.OpTransfer).request.(*ips.TransferRequest)

	// Nobody listens.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg := fixture.Config()
	cfg.Environment = ips.EnvironmentAt("http://" + l.Addr().String())
	require.NoError(t, l.Close())
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	_, err = c.Transfer(context.Background(), e)
	require.ErrorIs(t, err, ips.ErrNotSent)
	assert.NotErrorIs(t, err, ips.ErrFateUnknown)
	assert.ErrorContains(t, err, "T20141213000001")
	assert.NotContains(t, err.Error(), "Post ", "net/http's own prefix says nothing")

	// The context is over before.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	never := serverClient(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") })
	_, err = never.Transfer(ctx, e)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, ips.ErrNotSent)
	assert.NotErrorIs(t, err, ips.ErrFateUnknown)

	// TLS with a certificate that nobody trusts.
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("sent") }))
	s.Config.ErrorLog = fixture.DiscardLog()
	s.StartTLS()
	defer s.Close()
	cfg.Environment = ips.EnvironmentAt(s.URL)
	c, err = ips.NewClient(cfg)
	require.NoError(t, err)
	_, err = c.Transfer(context.Background(), e)
	require.ErrorIs(t, err, ips.ErrNotSent)
	assert.NotErrorIs(t, err, ips.ErrFateUnknown)
}

// TestForwardProxy: calls go through the proxy of the http.Client that is given, or of
// the environment. One that is dead, or wants a password before it opens a tunnel, has
// sent nothing.
func TestForwardProxy(t *testing.T) {
	t.Parallel()
	server := ipstest.NewServer(t)
	through := func(environment ips.Environment, proxy string) *ips.Client {
		address, err := url.Parse(proxy)
		require.NoError(t, err)
		hc := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(address), DisableKeepAlives: true}}
		cfg := server.Config()
		cfg.Environment = environment
		c, err := ips.NewClient(cfg, ips.WithHTTPClient(hc))
		require.NoError(t, err)
		return c
	}
	var asked []string
	alive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Scheme)
		(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}).ServeHTTP(w, r)
	}))
	defer alive.Close()
	banks, err := through(server.Config().Environment, alive.URL).QueryBanks(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, banks.Banks)
	assert.Equal(t, []string{"POST http"}, asked)

	password := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodConnect, r.Method)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer password.Close()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	for _, proxy := range []string{password.URL, dead.URL} {
		_, err := through(ips.EnvironmentAt("https://ips.example.com"), proxy).Call(t.Context(), exampleOf(t, ips.OpTransfer).request)
		require.ErrorIs(t, err, ips.ErrNotSent, proxy)
		assert.NotErrorIs(t, err, ips.ErrFateUnknown)
	}
}

// TestForeignRoundTripper: a transport that tells nothing of what it does may
// have sent the request.
func TestForeignRoundTripper(t *testing.T) {
	t.Parallel()
	c, _ := fixture.RecordingClient(t, "", "")
	e := exampleOf(t, ips.OpTransfer)
	_, _, err := e.send(c, e.request)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
}

// TestConnectionReuse sends many calls over one connection.
func TestConnectionReuse(t *testing.T) {
	t.Parallel()
	answer := fixture.SOAP("GuaranteeUnfreeze", fixture.Sealed("MG00000F", "", fixture.Document("pMerBillNo", "U20141213000001", "pUnfreezeAmt", "1")).Result())
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("SOAPAction") {
		case `"http://tempuri.org/GuaranteeUnfreeze"`:
			answerSOAP(w, 200, answer)
		default:
			answerSOAP(w, 500, fault("Server", "down"))
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	cfg := fixture.Config()
	cfg.Environment = ips.EnvironmentAt(s.URL)
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	for range 10 {
		e := exampleOf(t, ips.OpUnfreezeMargin)
		_, _, err := e.send(c, e.request)
		require.NoError(t, err)
		_, err = c.QueryBanks(context.Background())
		require.Error(t, err)
	}
	assert.EqualValues(t, 1, connections.Load())

	c.CloseIdleConnections()
	_, err = c.QueryBanks(context.Background())
	require.Error(t, err)
	assert.EqualValues(t, 2, connections.Load(), "the idle connection was let go")
}

// TestQueries look at their signature and at what they cannot be sure of.
func TestQueries(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	balance := func(sign string) string {
		return fixture.SOAP("QueryForAccBalance", strings.Replace(signQuery(t, responseFile(t, ips.OpQueryBalance)), "<pSign>", "<pSign>"+sign, 1))
	}
	for sign, form := range map[string]ips.Signature{"": ips.SignaturePlain, "0": ips.SignatureNone} {
		c, _ := fixture.RecordingClient(t, balance(sign), "text/xml")
		resp, err := c.QueryBalance(ctx, "4021000000000001")
		require.NoError(t, err, "the signature is reported and not insisted on")
		assert.Equal(t, form, resp.Signature)
		assert.False(t, resp.Signature.Verified(), "the borders are not signed")
		assert.Equal(t, -50*ips.Fen, resp.Unsettled)
	}

	for list, want := range map[string][]ips.Bank{
		"":                     nil,
		"#":                    nil,
		"示例银行|EXB|00004":       {{Name: "示例银行", Alias: "EXB", Code: "00004"}},
		"示例银行|EXB|00004#":      {{Name: "示例银行", Alias: "EXB", Code: "00004"}},
		" 甲 | A | 00001 #乙||2": {{Name: "甲", Alias: "A", Code: "00001"}, {Name: "乙", Code: "2"}},
		// An odd entry loses only itself.
		"示例银行":                         nil,
		"甲|A|1#示例银行|00004#乙|B|2":       {{Name: "甲", Alias: "A", Code: "1"}, {Name: "乙", Alias: "B", Code: "2"}},
		"a|b|c|d#甲|A|1#丙|C|#x#乙|B|2##": {{Name: "甲", Alias: "A", Code: "1"}, {Name: "乙", Alias: "B", Code: "2"}},
	} {
		c, _ := fixture.RecordingClient(t, fixture.SOAP("GetBankList", fixture.Document("pMerCode", "808801", "pErrCode", "0000", "pBankList", list)), "text/xml")
		resp, err := c.QueryBanks(ctx)
		require.NoError(t, err, list)
		assert.Equal(t, want, resp.Banks, list)
		assert.Equal(t, list, resp.List)
		assert.Equal(t, ips.SignatureNone, resp.Signature)
	}

	// Refused: an *Error and never a fate.
	c, _ := fixture.RecordingClient(t, fixture.SOAP("QueryMerUserInfo", fixture.Document("pMerCode", "808801", "pErrCode", "9999", "pErrMsg", "账户不存在")), "text/xml")
	resp, err := c.QueryAccount(ctx, "4021000000000001")
	var refused *ips.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, &ips.Error{Operation: ips.OpQueryAccount, Code: ips.CodeQueryFailed, Message: "账户不存在"}, refused)
	assert.Equal(t, ips.Failure, resp.Outcome)
	c, _ = fixture.RecordingClient(t, fixture.SOAP("GetBankList", fixture.Document("pMerCode", "808801", "pErrCode", "9999")), "text/xml")
	banks, err := c.QueryBanks(ctx)
	require.ErrorIs(t, err, ips.CodeQueryFailed)
	assert.Empty(t, banks.Banks)

	// What goes wrong on the way leaves no fate behind, for nothing was asked to be done.
	for name, tt := range map[string]struct {
		answer string
		want   error
	}{
		"another merchant": {fixture.Document("pMerCode", "808802", "pErrCode", "0000", "pBalance", "1"), ips.ErrMerchant},
		"bad balance":      {fixture.Document("pMerCode", "808801", "pErrCode", "0000", "pBalance", "1.005"), ips.ErrMalformed},
		"not XML":          {"4021000000000001 1.00", ips.ErrMalformed},
	} {
		c, _ := fixture.RecordingClient(t, fixture.SOAP("QueryForAccBalance", tt.answer), "text/xml")
		resp, err := c.QueryBalance(ctx, "4021000000000001")
		require.ErrorIs(t, err, tt.want, name)
		assert.NotErrorIs(t, err, ips.ErrFateUnknown)
		assert.Nil(t, resp)
		assert.NotContains(t, err.Error(), "4021000000000001")
	}
	c = serverClient(t, func(w http.ResponseWriter, r *http.Request) { hangUp(w, r, true) })
	_, err = c.QueryBalance(ctx, "4021000000000001")
	require.Error(t, err)
	assert.NotErrorIs(t, err, ips.ErrFateUnknown)
}

// TestRefusalThatNamesNoOrder: a refusal that names no order settles none. Over
// plain HTTP anybody on the way can answer with an old one, and over TLS it may be
// about a repetition. Nobody fills the number in on its behalf.
func TestRefusalThatNamesNoOrder(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"https://ips.example.com", "http://127.0.0.1:8480", "http://ips.example.com"} {
		for _, doc := range []string{"", fixture.Document("pMerBillNo", "", "pBidNo", "BID20141213000001")} {
			answer := fixture.Sealed("MG00006F", "必要参数不能为空！", doc)
			cfg := fixture.Config()
			cfg.Environment = ips.EnvironmentAt(base)
			r := &fixture.Recorder{}
			c, err := ips.NewClient(cfg, ips.WithHTTPClient(&http.Client{Transport: r}))
			require.NoError(t, err)
			for op, text := range map[ips.Operation][2]string{
				ips.OpTransfer: {fixture.SOAP("Transfer", answer.Result()), "text/xml"},
				ips.OpEndBid:   {answer.Page(), "text/html; charset=utf-8"},
			} {
				r.Answer, r.ContentType = text[0], text[1]
				e := exampleOf(t, op)
				_, resp, err := e.send(c, e.request)
				var unknown *ips.FateUnknownError
				require.ErrorAs(t, err, &unknown, "%s %s", base, op)
				assert.Equal(t, e.orderNo(), unknown.OrderNo, "the error is about the order that was asked for")
				require.ErrorIs(t, err, ips.CodeFieldEmpty)
				require.ErrorContains(t, err, "MG00006F")
				assert.NotContains(t, err.Error(), "必要参数不能为空", "IPS's text may name an account, and such an error goes into logs")
				require.NotNil(t, resp, "the answer comes with it")
				assert.Equal(t, ips.Undecided, resp.Base().Outcome)
				assert.Empty(t, resp.Base().OrderNo)
				for _, from := range []ips.OrderState{ips.OrderRecorded, ips.OrderUnknown, ips.OrderPending} {
					next, change, err := from.Next(resp.Base())
					require.NoError(t, err)
					assert.Equal(t, from, next)
					assert.Equal(t, ips.Unchanged, change)
				}
			}
		}
	}
}

// TestReflectedRequest: requests and answers are signed alike and without
// separators, so a request of the merchant's own, cut anew, has the signature of
// a refusal without a document. It must not pass for one, by either way.
func TestReflectedRequest(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	cut := 0
	for n := range 36 { // an IV under which the body can begin a code
		cfg.IV = ips.NewSecret(fmt.Sprintf("2EDxsE%02d", n))
		c, err := ips.NewClient(cfg, ips.WithHTTPClient(&http.Client{Transport: new(fixture.Recorder)}))
		require.NoError(t, err)
		form, err := c.Recharge(*exampleOf(t, ips.OpRecharge).request.(*ips.RechargeRequest))
		require.NoError(t, err)
		body, sign := form.Fields()[1].Value, form.Fields()[2].Value
		if strings.Trim(body[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			continue
		}
		cut++
		_, err = c.ParseNotification(fixture.Answer{MerCode: "808801", ErrCode: body[:1], ErrMsg: body[1:], Sign: sign}.Inbound(ips.OpRecharge), ips.OpRecharge)
		require.ErrorIs(t, err, ips.ErrMalformed, "inbound")

		reflecting := httpClient(roundTrip(func(r *http.Request) (*http.Response, error) {
			sent, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			_, rest, _ := strings.Cut(string(sent), "<p3DesXmlPara>")
			body, rest, _ := strings.Cut(rest, "</p3DesXmlPara>")
			_, rest, _ = strings.Cut(rest, "<pSign>")
			sign, _, _ := strings.Cut(rest, "</pSign>")
			answer := fixture.SOAP("Transfer", fixture.Answer{MerCode: "808801", ErrCode: body[:1], ErrMsg: body[1:], Sign: sign}.Result())
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		}))
		c, err = ips.NewClient(cfg, ips.WithHTTPClient(reflecting))
		require.NoError(t, err)
		e := exampleOf(t, ips.OpTransfer)
		_, _, err = e.send(c, e.request)
		require.ErrorIs(t, err, ips.ErrFateUnknown)
		require.ErrorIs(t, err, ips.ErrMalformed)
	}
	assert.Positive(t, cut)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestUnsignedWords: that a request got no further than the door is believed where
// nobody stands between. Over plain HTTP anybody on the way can forward a request
// and answer so himself.
func TestUnsignedWords(t *testing.T) {
	t.Parallel()
	words := map[string]func() *http.Response{}
	for _, status := range []int{400, 403, 404, 413} {
		words[fmt.Sprint(status)] = func() *http.Response { return httpAnswer(status, "text/html", "no") }
	}
	for _, code := range []string{"Client", "VersionMismatch", "MustUnderstand"} {
		words["soap:"+code] = func() *http.Response { return httpAnswer(500, "text/xml", fault(code, "x")) }
	}
	for base, believed := range map[string]bool{
		"https://ips.example.com": true, "http://127.0.0.1:8480": true, "http://[::1]:8480": true, "http://localhost:8480": true,
		"http://ips.example.com": false, "http://192.0.2.1": false, "http://localhost.example.com": false, "http://127.0.0.1.example.com": false,
	} {
		for word, answer := range words {
			for _, op := range []ips.Operation{ips.OpTransfer, ips.OpEndBid} {
				if op == ips.OpEndBid && strings.HasPrefix(word, "soap") {
					continue // a page knows no faults
				}
				cfg := fixture.Config()
				cfg.Environment = ips.EnvironmentAt(base)
				c, err := ips.NewClient(cfg, ips.WithHTTPClient(httpClient(roundTrip(func(*http.Request) (*http.Response, error) { return answer(), nil }))))
				require.NoError(t, err)
				e := exampleOf(t, op)
				_, _, err = e.send(c, e.request)
				require.Error(t, err)
				assert.Equal(t, !believed, errors.Is(err, ips.ErrFateUnknown), "%s %s %s: %v", base, word, op, err)
				assert.NotErrorIs(t, err, ips.ErrNotSent, "something was sent")
			}
		}
	}

	// Each service is judged by its own address.
	cfg := fixture.Config()
	cfg.Environment.PostBase = "http://ips.example.com/"
	c, err := ips.NewClient(cfg, ips.WithHTTPClient(httpClient(roundTrip(func(*http.Request) (*http.Response, error) {
		return httpAnswer(404, "text/html", "no"), nil
	}))))
	require.NoError(t, err)
	for op, believed := range map[ips.Operation]bool{ips.OpTransfer: true, ips.OpEndBid: false} {
		e := exampleOf(t, op)
		_, _, err := e.send(c, e.request)
		assert.Equal(t, !believed, errors.Is(err, ips.ErrFateUnknown), op)
	}
}

// TestNotSentBehindAnAnswer: who has answered was sent something, whatever a
// transport's body or a context's cause says.
func TestNotSentBehindAnAnswer(t *testing.T) {
	t.Parallel()
	calls := 0
	c := fixture.Client(t, ips.WithRetry(ips.RetryPolicy{Attempts: 3, Wait: 1}), ips.WithHTTPClient(httpClient(roundTrip(func(*http.Request) (*http.Response, error) {
		calls++
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}}, Body: failingBody{fmt.Errorf("breaker: %w", ips.ErrNotSent)}}, nil
	}))))
	e := exampleOf(t, ips.OpTransfer)
	_, _, err := e.send(c, e.request)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	assert.NotErrorIs(t, err, ips.ErrNotSent)
	assert.Equal(t, 1, calls, "nothing whose fate is unknown is repeated")

	ctx, cancel := context.WithCancelCause(t.Context())
	s := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		cancel(ips.ErrNotSent)
		<-r.Context().Done()
	})
	_, err = s.Call(ctx, e.request)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	assert.NotErrorIs(t, err, ips.ErrNotSent)
}

func TestPasswordInURLStaysOut(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	cfg.NotifyURL = "https://user:hunter2@p2p.example.com/"
	_, err := ips.NewClient(cfg)
	require.ErrorContains(t, err, "NotifyURL")
	assert.NotContains(t, err.Error(), "hunter2")

	e := exampleOf(t, ips.OpRecharge)
	set(t, e.request, "NotifyURL", cfg.NotifyURL)
	_, _, err = e.send(fixture.Client(t), e.request)
	require.ErrorContains(t, err, "pS2SUrl")
	assert.NotContains(t, err.Error(), "hunter2")
}

// failingBody answers and then fails in the middle of it.
type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }
func (failingBody) Close() error               { return nil }
