package ips_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
)

// example is one operation with a full request of fictional people, out of
// testdata/golden, and how it is sent. What the requests and the answers are on
// the wire, internal/test/wire has from the manual.
type example struct {
	ips.OperationInfo
	op       ips.Operation
	request  ips.Request // pointer to the request struct
	response ips.Response
}

// examples returns fresh ones of all operations, in the order of the manual.
func examples(t testing.TB) []example {
	t.Helper()
	var all []example
	for _, i := range ips.Operations() {
		all = append(all, exampleOf(t, i.Operation))
	}
	return all
}

func exampleOf(t testing.TB, op ips.Operation) example {
	t.Helper()
	req, err := ips.UnmarshalRequest(op, goldenFile(t, op, "request.json"))
	require.NoError(t, err)
	request := reflect.New(reflect.TypeOf(req))
	request.Elem().Set(reflect.ValueOf(req))
	response, err := ips.UnmarshalResponse(op, goldenFile(t, op, "response.json"))
	require.NoError(t, err)
	return example{info(t, op), op, request.Interface().(ips.Request), response}
}

// send is the way of the operation's transport.
func (e example) send(c *ips.Client, request ips.Request) (*ips.Form, ips.Response, error) {
	if e.Transport == ips.Redirect {
		form, err := c.Form(request)
		return form, nil, err
	}
	resp, err := c.Call(context.Background(), request)
	return nil, resp, err
}

func (e example) orderNo() string { return ips.OrderNo(e.request) }

func bidRequest(t testing.TB) ips.RegisterBidRequest {
	return *exampleOf(t, ips.OpRegisterBid).request.(*ips.RegisterBidRequest)
}

func goldenFile(t testing.TB, op ips.Operation, kind string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", string(op)+"."+kind))
	require.NoError(t, err, "internal/test/wire has it from the manual")
	return data
}

// offlineConfig is the test merchant with an IPS that does not exist.
func offlineConfig() ips.Config {
	cfg := ips.TestMerchant()
	cfg.Environment = ips.Sandbox("https://ips.example.com")
	cfg.ReturnURL = "https://p2p.example.com/ips/return"
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	return cfg
}

func offlineClient(t testing.TB, opts ...ips.Option) *ips.Client {
	t.Helper()
	// Bids whose number begins with OLD were made through the old interface.
	old := ips.WithOldBids(func(bidNo string) bool { return strings.HasPrefix(bidNo, "OLD") })
	c, err := ips.NewClient(offlineConfig(), append([]ips.Option{old}, opts...)...)
	require.NoError(t, err)
	return c
}

func vendorKeys(t testing.TB) *envelope.Keys {
	t.Helper()
	cfg := ips.TestMerchant()
	keys, err := envelope.NewKeys(cfg.MerchantCode, cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal())
	require.NoError(t, err)
	return keys
}

// fiveFields are an answer as IPS posts it.
type fiveFields struct{ merCode, errCode, errMsg, body, sign string }

// sealedAnswer is what IPS would send: the document encrypted, all of it signed.
func sealedAnswer(t testing.TB, code ips.Code, message, document string) fiveFields {
	t.Helper()
	keys := vendorKeys(t)
	body := ""
	if document != "" {
		body = keys.Encrypt([]byte(document))
	}
	return fiveFields{keys.MerCode(), string(code), message, body, keys.SignAnswer(string(code), message, body)}
}

func (f fiveFields) values() url.Values {
	return url.Values{
		"pMerCode": {f.merCode}, "pErrCode": {f.errCode}, "pErrMsg": {f.errMsg},
		"p3DesXmlPara": {f.body}, "pSign": {f.sign},
	}
}

// result is the text that a web service result holds.
func (f fiveFields) result() string {
	return document("pMerCode", f.merCode, "pErrCode", f.errCode, "pErrMsg", f.errMsg, "p3DesXmlPara", f.body, "pSign", f.sign)
}

// page is what answers a server-posted form: the page's own form, then the
// return form.
func (f fiveFields) page() string {
	return `<!DOCTYPE html><html><head><meta charset="utf-8"><title>IPS</title></head><body>` +
		`<form name="form1" method="post" action="registerSubject.aspx" id="form1"><input type="hidden" name="__VIEWSTATE" value="/wEPDwUK"></form>` +
		f.returnForm() + `<script>document.forms[1].submit();</script></body></html>`
}

func (f fiveFields) returnForm() string {
	return `<form name="frmReturn" method="post" action="https://p2p.example.com/ips/return">` +
		`<input type="hidden" name="pMerCode" value="` + f.merCode + `">` +
		`<input type="hidden" name="pErrCode" value="` + f.errCode + `">` +
		`<input type="hidden" name="pErrMsg" value="` + escape(f.errMsg) + `">` +
		`<input type="hidden" name="p3DesXmlPara" value="` + f.body + `">` +
		`<input type="hidden" name="pSign" value="` + f.sign + `"></form>`
}

// document is a <pReq> document of alternating names and texts.
func document(namesAndTexts ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for pair := range slices.Chunk(namesAndTexts, 2) {
		fmt.Fprintf(&b, "<%s>%s</%s>", pair[0], escape(pair[1]), pair[0])
	}
	b.WriteString("</pReq>")
	return b.String()
}

func escape(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return b.String()
}

// soapAnswer is the answer to a call of op as ASMX writes it.
func soapAnswer(op, result string) string {
	return `<?xml version="1.0" encoding="utf-8"?>` +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body>` +
		`<` + op + `Response xmlns="http://tempuri.org/"><` + op + `Result>` + escape(result) + `</` + op + `Result></` + op + `Response>` +
		`</soap:Body></soap:Envelope>`
}

// inbound is the answer as a notification for op.
func (f fiveFields) inbound(op ips.Operation) *http.Request {
	return post(op, "application/x-www-form-urlencoded", f.values().Encode())
}

func post(op ips.Operation, contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://p2p.example.com/ips/notify/"+string(op), strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

// recorder stands where the network would be: it keeps what was sent and
// answers with what it was given.
type recorder struct {
	request     *http.Request
	sent        []byte
	calls       int
	contentType string
	answer      string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.request, r.calls = req, r.calls+1
	var err error
	if r.sent, err = io.ReadAll(req.Body); err != nil {
		return nil, err
	}
	if r.answer == "" {
		return nil, errors.New("recorder has no answer")
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK",
		Header: http.Header{"Content-Type": {r.contentType}},
		Body:   io.NopCloser(strings.NewReader(r.answer)), Request: req,
	}, nil
}

func recordingClient(t testing.TB, answer, contentType string, opts ...ips.Option) (*ips.Client, *recorder) {
	t.Helper()
	r := &recorder{answer: answer, contentType: contentType}
	return offlineClient(t, append(opts, ips.WithHTTPClient(&http.Client{Transport: r}))...), r
}

func info(t testing.TB, op ips.Operation) ips.OperationInfo {
	t.Helper()
	i, ok := op.Info()
	require.True(t, ok, op)
	return i
}

// hear is a handler that hears every answer by f.
func hear(f func(ips.Response) error) ips.Handler {
	return func(_ context.Context, answer ips.Response) error { return f(answer) }
}

// assertAnswer compares an answer, as it is kept and read back, with one that a
// test has written down.
func assertAnswer(t testing.TB, want, got ips.Response) {
	t.Helper()
	data, err := ips.MarshalResponse(got)
	require.NoError(t, err)
	back, err := ips.UnmarshalResponse(got.Base().Operation, data)
	require.NoError(t, err)
	assert.Equal(t, want, back)
}

// collect is a hook that keeps the events of one goroutine.
func collect(events *[]ips.Event) func(context.Context, ips.Event) {
	return func(_ context.Context, e ips.Event) { *events = append(*events, e) }
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

const formType = "application/x-www-form-urlencoded"

const (
	liSi   = "4021000000000002"
	wangWu = "4021000000000003"
)

func day() ips.Date { return ips.NewDate(2014, time.December, 13) }

func at(hour, minute, second int) ips.Time {
	return ips.Time{Time: time.Date(2014, time.December, 13, hour, minute, second, 0, ips.China)}
}

// read opens an answer with the document for op by the public way.
func read[R ips.Response](t *testing.T, op ips.Operation, code ips.Code, doc string) R {
	t.Helper()
	resp, err := offlineClient(t).ParseNotification(sealedAnswer(t, code, "", doc).inbound(op), op)
	require.NoError(t, err)
	typed, ok := resp.(R)
	require.True(t, ok, "%T", resp)
	return typed
}

func responseFile(t testing.TB, op ips.Operation) string {
	t.Helper()
	return string(goldenFile(t, op, "response.xml"))
}

// signQuery puts the plain form of the signature into a query's answer: MD5 over the
// texts of all elements before pSign and the cert. taggedSign is the other form.
func signQuery(t testing.TB, document string) string {
	t.Helper()
	var texts strings.Builder
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok && string(text) != "SIGN" {
			texts.Write(text)
		}
	}
	return strings.Replace(document, "SIGN", md5Hex(texts.String()+ips.TestMerchant().Cert.Reveal()), 1)
}

const rechargeDocument = `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>R20141213000001</pMerBillNo><pTrdDate>20141213</pTrdDate><pTrdAmt>500</pTrdAmt></pReq>`

// change replaces the byte in the middle of s by another of its kind.
func change(s string) string {
	b := []byte(s)
	i := len(b) / 2
	if b[i] == '1' {
		b[i] = '2'
	} else {
		b[i] = '1'
	}
	return string(b)
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

// answerWithPlus is an answer whose Base64 has all of + / and =.
func answerWithPlus(t testing.TB) fiveFields {
	t.Helper()
	for n := range 1000 {
		doc := strings.Replace(rechargeDocument, "500", strings.Repeat("1", 1+n%9)+"."+strings.Repeat("2", 1+n/9%2), 1)
		doc = strings.Replace(doc, "</pReq>", "<pMemo1>"+strings.Repeat("字", n)+"</pMemo1></pReq>", 1)
		f := sealedAnswer(t, "MG00000F", "操作成功 100%&=+", doc)
		if strings.Contains(f.body, "+") && strings.Contains(f.body, "/") && strings.HasSuffix(f.body, "=") {
			return f
		}
	}
	t.Fatal("no such answer")
	return fiveFields{}
}

// resigned signs what the fields say, as only IPS can.
func (f fiveFields) resigned(t testing.TB) fiveFields {
	f.sign = vendorKeys(t).SignAnswer(f.errCode, f.errMsg, f.body)
	return f
}
