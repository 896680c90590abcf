package orderstest

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
)

// fate is what the platform does with a message, and what becomes of its answer.
type fate int

const (
	fine         fate = iota
	slow              // pending, until finish
	refused           // by a listed code
	unlisted          // by a code in no list
	answerLost        // done, but the answer is lost
	messageLost       // not done, and no answer
	slowNoAnswer      // pending, and the answer is lost
)

// deal is an order as the platform has it.
type deal struct {
	endpoint, no, doc string
	account           string
	fen               ips.Amount
	state             ips.TradeStatus
	code              string
	messages, carried int
}

// platform is a double of IPS that keeps books and does as it is told.
type platform struct {
	t      testing.TB
	keys   *envelope.Keys
	server *httptest.Server
	config ips.Config

	mu      sync.Mutex
	calls   int
	deals   map[string]*deal // by endpoint and number
	byNo    map[string]*deal
	fates   func(endpoint, no string, message int) fate
	resume  bool // a repetition gets the first result; else it is refused as a duplicate
	lies    bool // the trade query says "not found" of everything
	queries map[string]int
	during  func(endpoint, no string)
	failRow map[string]int // number to row that fails
}

func newPlatform(t testing.TB) *platform {
	cfg := ips.TestMerchant()
	keys, err := envelope.NewKeys(cfg.MerchantCode, cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal())
	require.NoError(t, err)
	p := &platform{t: t, keys: keys, deals: make(map[string]*deal), byNo: make(map[string]*deal), queries: make(map[string]int), failRow: make(map[string]int),
		fates: func(string, string, int) fate { return fine }}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	cfg.Environment = ips.EnvironmentAt(p.server.URL)
	cfg.Environment.TradeQuery = ips.TradeQueryAtService
	cfg.ReturnURL, cfg.NotifyURL = "https://p2p.example.com/return", "https://p2p.example.com/notify"
	p.config = cfg
	return p
}

func (p *platform) client(t testing.TB, change ...func(*ips.Config)) *ips.Client {
	cfg := p.config
	for _, f := range change {
		f(&cfg)
	}
	c, err := ips.NewClient(cfg, ips.WithHTTPClient(&http.Client{Transport: trip{p}}))
	require.NoError(t, err)
	return c
}

// trip is a call that sees all that the platform did before it ended: a connection
// that is broken off tells the race detector nothing.
type trip struct{ p *platform }

func (t trip) RoundTrip(r *http.Request) (*http.Response, error) {
	w, err := http.DefaultTransport.RoundTrip(r)
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.p.calls++
	return w, err
}

var (
	element = func(doc, name string) string {
		_, rest, ok := strings.Cut(doc, "<"+name+">")
		if !ok {
			return ""
		}
		text, _, _ := strings.Cut(rest, "</"+name+">")
		text = strings.TrimSuffix(strings.TrimPrefix(text, "<![CDATA["), "]]>")
		return html.UnescapeString(text)
	}
)

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var sealed, endpoint string
	if r.Header.Get("SOAPAction") != "" {
		parts := strings.Split(strings.Trim(r.Header.Get("SOAPAction"), `"`), "/")
		endpoint = parts[len(parts)-1]
		sealed = element(string(raw), "p3DesXmlPara") + element(string(raw), "arg3DesXmlPara")
	} else {
		form, _ := url.ParseQuery(string(raw))
		parts := strings.Split(r.URL.Path, "/")
		endpoint, sealed = parts[len(parts)-1], form.Get("p3DesXmlPara")+form.Get("arg3DesXmlPara")
	}
	doc, err := p.keys.Decrypt(sealed)
	if err != nil {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	code, message, answer, drop := p.take(endpoint, doc)
	if drop {
		hang(w)
		return
	}
	fields := p.seal(code, message, answer)
	if r.Header.Get("SOAPAction") != "" {
		var result strings.Builder
		result.WriteString("<pReq>")
		for _, name := range names {
			result.WriteString("<" + name + ">" + html.EscapeString(fields.Get(name)) + "</" + name + ">")
		}
		result.WriteString("</pReq>")
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><%sResponse xmlns="http://tempuri.org/"><%sResult>`, endpoint, endpoint)
		_ = xml.EscapeText(w, []byte(result.String()))
		fmt.Fprintf(w, `</%sResult></%sResponse></soap:Body></soap:Envelope>`, endpoint, endpoint)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<html><body><form method="post" action="https://p2p.example.com/">`)
	for _, name := range names {
		fmt.Fprintf(w, `<input type="hidden" name="%s" value="%s">`, name, html.EscapeString(fields.Get(name)))
	}
	fmt.Fprint(w, `</form></body></html>`)
}

var names = []string{"pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign"}

// hang ends a connection without an answer.
func hang(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func (p *platform) seal(code, message, doc string) url.Values {
	body := p.keys.Encrypt([]byte(doc))
	return url.Values{"pMerCode": {p.keys.MerCode()}, "pErrCode": {code}, "pErrMsg": {message}, "p3DesXmlPara": {body},
		"pSign": {p.keys.SignAnswer(code, message, body)}}
}

// take does what a message asks for, once for its number.
func (p *platform) take(endpoint, doc string) (code, message, answer string, drop bool) {
	no := element(doc, "pMerBillNo")
	if endpoint == "QueryTrade" {
		return p.query(no, element(doc, "pTradeType"), doc)
	}
	if p.during != nil {
		p.during(endpoint, no)
	}
	key := endpoint + "/" + no
	if element(doc, "pOperationType") == "2" {
		key = "end/" + no
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.deals[key]
	if d == nil {
		d = &deal{endpoint: endpoint, no: no, doc: doc}
		for _, name := range []string{"pIpsAcctNo", "pAccount", "pOutAcctNo", "pTIpsAcctNo"} {
			if d.account == "" {
				d.account = element(doc, name)
			}
		}
		for _, name := range []string{"pTrdAmt", "pAuthAmt", "pOutAmt", "pLendAmt"} {
			if a, err := ips.ParseAmount(element(doc, name)); err == nil && d.fen == 0 {
				d.fen = a
			}
		}
	}
	d.messages++
	f := p.fates(endpoint, no, d.messages)
	if f == messageLost {
		p.deals[key], p.byNo[no] = d, d
		return "", "", "", true
	}
	if d.state != "" { // a repetition
		switch {
		case strings.HasPrefix(key, "end/"):
			return "MG02030F", "结束标的失败，标的已结束", d.answer(p, ""), false
		case !p.resume:
			return "MG18026F", "失败，订单号重复，错误码MG18026F", d.answer(p, ""), false
		}
		return d.code, "操作成功", d.answer(p, ""), f == answerLost || f == slowNoAnswer
	}
	p.deals[key], p.byNo[no] = d, d
	d.state, d.code, message = ips.TradeDone, "MG00000F", "操作成功"
	switch f {
	case slow, slowNoAnswer:
		d.state, d.code, message = ips.TradeInWork, "MG00008F", "IPS受理中！"
	case refused:
		d.state, d.code, message = ips.TradeFailed, "MG19054F", "失败，IPS账户余额不足"
	case unlisted:
		d.state, d.code, message = ips.TradeFailed, "MG19999F", "失败"
	}
	if d.state == ips.TradeDone {
		d.carried++
	}
	return d.code, message, d.answer(p, ""), f == answerLost || f == slowNoAnswer
}

// answer repeats the request, with the rows' states.
func (d *deal) answer(p *platform, change string) string {
	doc := d.doc
	if fail, ok := p.failRow[d.no]; ok {
		parts := strings.SplitAfter(doc, "</pRow>")
		for i := range parts {
			state := "Y"
			if i == fail {
				state = "N"
			}
			parts[i] = strings.Replace(parts[i], "</pRow>", "<pStatus>"+state+"</pStatus></pRow>", 1)
		}
		doc = strings.Join(parts, "")
	} else {
		doc = strings.ReplaceAll(doc, "</pRow>", "<pStatus>Y</pStatus></pRow>")
	}
	switch d.endpoint {
	case "doDpTrade.aspx": // repeats no fee
		doc = regexp.MustCompile(`<pMerFee>[^<]*</pMerFee>|<pIpsFeeType>[^<]*</pIpsFeeType>`).ReplaceAllString(doc, "")
	case "registerCreditor.aspx":
		change += "<pAccountDealNo>CRE1</pAccountDealNo>"
	case "registerSubject.aspx":
		change += "<pBidStatus>2</pBidStatus>"
	}
	return strings.Replace(doc, "</pReq>", change+"<pIpsBillNo>B"+d.no+"</pIpsBillNo></pReq>", 1)
}

func (p *platform) query(no, trade, doc string) (string, string, string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queries[no]++
	state := ips.TradeNotFound
	if d := p.byNo[no]; d != nil && d.state != "" && !p.lies {
		state = d.state
	}
	return "MG00000F", "操作成功", "<pReq><pMerBillNo>" + no + "</pMerBillNo><pTradeType>" + trade + "</pTradeType><pTradeStatue>" + string(state) + "</pTradeStatue></pReq>", false
}

// carry brings a form to the platform and returns what the browser would bring
// back, nil if nothing.
func (p *platform) carry(form *ips.Form) url.Values {
	v := form.Values()
	doc, err := p.keys.Decrypt(v.Get("p3DesXmlPara") + v.Get("arg3DesXmlPara"))
	require.NoError(p.t, err)
	parts := strings.Split(form.Action(), "/")
	code, message, answer, drop := p.take(parts[len(parts)-1], doc)
	if drop {
		return nil
	}
	return p.seal(code, message, answer)
}

func (p *platform) deal(no string) *deal {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byNo[no]
}

// finish ends a pending deal.
func (p *platform) finish(no string, state ips.TradeStatus) {
	d := p.deal(no)
	p.mu.Lock()
	defer p.mu.Unlock()
	d.state, d.code = state, map[ips.TradeStatus]string{ips.TradeDone: "MG00000F", ips.TradeFailed: "MG00001F"}[state]
	if state == ips.TradeDone {
		d.carried++
	}
}

// notice is the notification of a deal; replace changes its document.
func (p *platform) notice(no string, replace ...string) url.Values {
	d := p.deal(no)
	if d == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.state == "" {
		return nil
	}
	return p.seal(d.code, "操作成功", strings.NewReplacer(replace...).Replace(d.answer(p, "")))
}

// post brings an answer to the merchant.
func post(c *ips.Client, hear ips.Handler, op ips.Operation, fields url.Values, errs ...*error) int {
	r := httptest.NewRequest(http.MethodPost, "/notify/"+string(op), strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	c.NotifyHandler(ips.Inbound{Hear: hear, OnError: func(_ *http.Request, err error) {
		for _, e := range errs {
			*e = err
		}
	}}).ServeHTTP(w, r)
	return w.Code
}

// bring is post by the user's browser.
func bring(c *ips.Client, hear ips.Handler, op ips.Operation, fields url.Values) (err error) {
	r := httptest.NewRequest(http.MethodPost, "/return/"+string(op), strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c.ReturnHandler(ips.Inbound{Hear: hear}, func(_ http.ResponseWriter, _ *http.Request, answer ips.Response, e error) {
		err = e
		if answer == nil && e == nil {
			err = errors.New("no answer")
		}
	}).ServeHTTP(httptest.NewRecorder(), r)
	return err
}

func bg() context.Context { return context.Background() }

func eventually(t testing.TB, within time.Duration, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}
