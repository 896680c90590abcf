package wire_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
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
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
)

var update = flag.Bool("update", false, "rewrite the golden files and the tables of docs/attacks.md")

// goldens is the folder of the messages that the contract is held to. The SDK's
// own tests take their examples from it.
const goldens = "../../../testdata/golden"

// golden compares got with a file, byte by byte.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join(goldens, name)
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// goldenJSON is golden for a recorded message.
func goldenJSON(t *testing.T, name string, recorded []byte) {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, json.Indent(&text, recorded, "", "  "))
	golden(t, name, append(text.Bytes(), '\n'))
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

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func httpClient(rt http.RoundTripper) *http.Client { return &http.Client{Transport: rt} }

// showOutcome is the page of a merchant's return handler.
func showOutcome(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
	_, _ = io.WriteString(w, resp.Base().Outcome.String())
	if err != nil {
		_, _ = io.WriteString(w, ", not recorded")
	}
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
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

// taggedSign signs the answer to a query as merchants' programs compute it: MD5
// over the elements with their tags, without those that are left out, and the
// cert.
func taggedSign(document string, without ...string) string {
	var signed strings.Builder
	name := ""
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err != nil {
			break // the end; what is no XML gets a signature that does not hold
		}
		switch x := token.(type) {
		case xml.StartElement:
			name = x.Name.Local
		case xml.CharData:
			if name != "pSign" && !slices.Contains(without, name) {
				signed.WriteString("<" + name + ">" + string(x) + "</" + name + ">")
			}
		}
	}
	return strings.Replace(document, "SIGN", md5Hex(signed.String()+ips.TestMerchant().Cert.Reveal()), 1)
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// set stores value in the field at path, e.g. "Rows[1].Amount", of the struct
// that request points to.
func set(t testing.TB, request any, path string, value any) {
	t.Helper()
	v := reflect.ValueOf(request).Elem()
	for name := range strings.SplitSeq(path, ".") {
		name, index, isRow := strings.Cut(name, "[")
		v = v.FieldByName(name)
		require.True(t, v.IsValid(), path)
		if isRow {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			require.NoError(t, err)
			v = v.Index(i)
		}
	}
	v.Set(reflect.ValueOf(value).Convert(v.Type()))
}

// with is a list of fields and the values they get.
type with []any

func (w with) apply(t testing.TB, request any) {
	t.Helper()
	for pair := range slices.Chunk(w, 2) {
		set(t, request, pair[0].(string), pair[1])
	}
}
