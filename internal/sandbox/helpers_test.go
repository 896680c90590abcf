package sandbox_test

import (
	"context"
	"crypto/rsa"
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

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fixture is a sandbox, the merchant's own server and a browser that follows
// no redirects.
type fixture struct {
	*sandbox.Sandbox
	t    *testing.T
	url  string
	shop *shop
	http *http.Client
	keys *envelope.Keys
}

// noon is when the sandbox's clock starts.
var noon = time.Date(2014, 11, 24, 12, 0, 0, 0, time.FixedZone("CST", 8*60*60))

func start(t *testing.T, cfg sandbox.Config) *fixture {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return noon }
	}
	if cfg.Backoff == nil {
		cfg.Backoff = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	}
	s, err := sandbox.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &fixture{Sandbox: s, t: t, url: server.URL, shop: newShop(t), http: client, keys: keysOf(t, sandbox.TestMerchant())}
}

func keysOf(t *testing.T, m sandbox.Merchant) *envelope.Keys {
	t.Helper()
	k, err := envelope.NewKeys(m.Code, m.Cert, m.Key, m.IV)
	require.NoError(t, err)
	return k
}

// shop is the merchant's server: it takes notifications and answers them with
// the statuses it was told, then with 200.
type shop struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	bodies   []string
	forms    []url.Values
}

func newShop(t *testing.T, statuses ...int) *shop {
	s := &shop{statuses: statuses}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
		form, err := url.ParseQuery(string(body))
		assert.NoError(t, err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies, s.forms = append(s.bodies, string(body)), append(s.forms, form)
		status := http.StatusOK
		if len(s.statuses) > 0 {
			status, s.statuses = s.statuses[0], s.statuses[1:]
		}
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, "said ", status)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) answer(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses = statuses
}

func (s *shop) received() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.forms...)
}

// document is a <pReq> of names and values.
func document(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString("<" + pairs[i] + ">" + html.EscapeString(pairs[i+1]) + "</" + pairs[i] + ">")
	}
	b.WriteString("</pReq>")
	return b.String()
}

// opening opens an account for 张三.
func (f *fixture) opening(order string) string {
	return f.openingOf(order, "zhangsan")
}

func (f *fixture) openingOf(order, user string) string {
	return document("pMerBillNo", order, "pIdentType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三",
		"pMobileNo", "13800000000", "pEmail", user+"@example.com", "pSmDate", "20141124",
		"pWebUrl", "http://shop.example.com/back?a=1&b=2", "pS2SUrl", f.shop.URL+"/notify",
		"pMemo1", "a&b", "pMemo2", "", "pMemo3", "")
}

// seal puts a document in the three fields of an envelope.
func seal(k *envelope.Keys, prefix, document string) url.Values {
	body := k.Encrypt([]byte(document))
	return url.Values{
		prefix + "MerCode":     {k.MerCode()},
		prefix + "3DesXmlPara": {body},
		prefix + "Sign":        {k.SignRequest(body)},
	}
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) do(method, path, contentType, body string, headers ...string) reply {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, f.url+path, strings.NewReader(body))
	require.NoError(f.t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := f.http.Do(req)
	require.NoError(f.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	return reply{resp.StatusCode, resp.Header, string(text)}
}

func (f *fixture) post(page string, form url.Values) reply {
	f.t.Helper()
	return f.do(http.MethodPost, "/CreditWeb/"+page, "application/x-www-form-urlencoded", form.Encode())
}

// answer is the envelope of an answer, wherever it was found.
type answer struct{ merchant, code, text, body, sign string }

var (
	formTag  = regexp.MustCompile(`(?s)<form [^>]*>.*?</form>`)
	inputTag = regexp.MustCompile(`<input type="hidden" name="([^"]*)"[^>]*value="([^"]*)" ?/?>`)
	actions  = regexp.MustCompile(`action="([^"]*)"`)
)

// returned reads the answer out of the form of a page that has the five inputs,
// wherever it stands.
func (r reply) returned(t *testing.T) (action string, a answer) {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	forms := formTag.FindAllString(r.body, -1)
	require.NotEmpty(t, forms, r.body)
	form := forms[len(forms)-1]
	if len(forms) == 2 {
		require.Contains(t, forms[0], "__VIEWSTATE")
	}
	fields := map[string]string{}
	for _, m := range inputTag.FindAllStringSubmatch(form, -1) {
		fields[m[1]] = html.UnescapeString(m[2])
	}
	require.Len(t, fields, 5)
	action = html.UnescapeString(actions.FindStringSubmatch(form)[1])
	return action, answer{fields["pMerCode"], fields["pErrCode"], fields["pErrMsg"], fields["p3DesXmlPara"], fields["pSign"]}
}

func fromForm(v url.Values) answer {
	return answer{v.Get("pMerCode"), v.Get("pErrCode"), v.Get("pErrMsg"), v.Get("p3DesXmlPara"), v.Get("pSign")}
}

// open verifies an answer and returns its document.
func (a answer) open(t *testing.T, k *envelope.Keys, pub *rsa.PublicKey) string {
	t.Helper()
	require.Equal(t, k.MerCode(), a.merchant)
	require.True(t, k.VerifyAnswer(pub, a.code, a.text, a.body, a.sign), "signature of %s", a.code)
	if a.body == "" {
		return ""
	}
	document, err := k.Decrypt(a.body)
	require.NoError(t, err)
	return string(document)
}

func (f *fixture) delivered() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(f.t, f.WaitDelivered(ctx))
}

// accounts are those of a merchant, or of all with "", newest first.
func (f *fixture) accounts(merchant string) []engine.AccountInfo {
	list, _ := f.Engine().NewestAccounts(engine.AccountFilter{Merchant: merchant}, engine.Page{})
	return list
}

// orders are all that were taken, newest first.
func (f *fixture) orders() []engine.OrderInfo {
	list, _ := f.Engine().NewestOrders(engine.OrderFilter{}, engine.Page{})
	return list
}
