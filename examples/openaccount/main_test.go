package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/internal/demo/demotest"
	"github.com/ips-p2p/ips/internal/sandbox"
)

func TestMain(m *testing.M) { demotest.Main(m, main) }

func TestExitCodes(t *testing.T) {
	t.Parallel()
	demotest.Exits(t)
}

func once(ctx context.Context, getenv func(string) string, out *log.Logger) error {
	return run(ctx, getenv, out, false)
}

func TestOpenAccount(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, once,
		`order OA\w+: account 40210000\d{8} opened at .+`,
		`the user reads: 开户成功`,
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	demotest.Fails(t, once, func(box *sandbox.Sandbox) error {
		return box.Fault("808801", sandbox.Fault{Name: "code", Op: "CreateNewIpsAcct", Code: "MG01011F"})
	}, "no account was opened")
}

func newSite(t *testing.T) *site {
	t.Helper()
	cfg := ips.TestMerchant()
	cfg.Environment = ips.EnvironmentAt("http://127.0.0.1:1")
	cfg.ReturnURL, cfg.NotifyURL = "http://p2p.example.com/ips/return", "http://p2p.example.com/ips/notify"
	client, err := ips.NewClient(cfg)
	require.NoError(t, err)
	return &site{client: client, out: log.New(io.Discard, "", 0), orders: make(map[string]*opening), last: make(map[string]*opening), accounts: make(map[string]string)}
}

func TestPages(t *testing.T) {
	t.Parallel()
	good := url.Values{"name": {"张三"}, "ident": {"110101199001010001"}, "mobile": {"13800000000"}, "email": {"zhangsan@example.com"}}
	badMobile := url.Values{"name": {"张三"}, "ident": {"110101199001010001"}, "mobile": {"138"}, "email": {"zhangsan@example.com"}}
	for _, tt := range []struct {
		name   string
		method string
		path   string
		form   url.Values
		status int
		has    []string
		hasNot []string
	}{
		{"the form", "GET", "/", nil, 200, []string{"身份证号", `<form method="post" action="/">`}, []string{"填写有误"}},
		{"to IPS", "POST", "/", good, 200, []string{"http://127.0.0.1:1/CreditWeb/CreateNewIpsAcct.aspx", "arg3DesXmlPara"}, []string{"110101199001010001"}},
		{"a short mobile number", "POST", "/", badMobile, 422, []string{"手机号填写有误"}, []string{"姓名填写有误", "arg3DesXmlPara"}},
		{"nothing filled in", "POST", "/", url.Values{}, 422, []string{"姓名填写有误", "邮箱填写有误"}, nil},
		{"too much filled in", "POST", "/", url.Values{"name": {strings.Repeat("x", 100_000)}}, 422, []string{"姓名填写有误"}, nil},
		{"no page", "GET", "/nothing", nil, 404, nil, nil},
		{"a return that is none", "POST", "/ips/return/open-account", good, 400, []string{"无法识别的结果"}, nil},
		{"a notification that is none", "POST", "/ips/notify/open-account", good, 400, []string{"refused"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			newSite(t).handler("/ips/return/", "/ips/notify/").ServeHTTP(w, r)
			assert.Equal(t, tt.status, w.Code)
			for _, text := range tt.has {
				assert.Contains(t, w.Body.String(), text)
			}
			for _, text := range tt.hasNot {
				assert.NotContains(t, w.Body.String(), text)
			}
		})
	}
}

// Who left IPS midway goes on with the same order; with other particulars it is
// another order.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	req := ips.OpenAccountRequest{RealName: "张三", IdentNo: "110101199001010001", Mobile: "13800000000", Email: "zhangsan@example.com"}
	first := s.order(req)
	assert.NotEmpty(t, first.OrderNo)
	assert.False(t, first.Date.IsZero())
	assert.Equal(t, first, s.order(req))
	corrected := req
	corrected.Mobile = "13800000001"
	assert.NotEqual(t, first.OrderNo, s.order(corrected).OrderNo)
}

// With -serve a person confirms on the pages of the sandbox.
func TestServe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, demotest.Env(nil).Get, log.New(w, "", 0), true)
		_ = w.Close()
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	require.NoError(t, err)
	_, address, _ := bytes.Cut(line[:n], []byte("open "))
	address, _, _ = bytes.Cut(address, []byte(" "))

	resp, err := http.Get(string(address))
	require.NoError(t, err)
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Contains(t, string(page), "前往环迅支付开户")

	cancel()
	assert.NoError(t, <-done, "it was asked to stop")
}

// An account belongs to whoever ordered it: not to whoever the answer names, and
// not to an order that nobody placed.
func TestOpened(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked := s.order(ips.OpenAccountRequest{RealName: "张三", IdentNo: "110101199001010001", Mobile: "13800000000", Email: "zhangsan@example.com"})
	answer := func(change func(*ips.OpenAccountResponse)) error {
		a := &ips.OpenAccountResponse{
			Reply:   ips.Reply{Operation: ips.OpOpenAccount, Via: ips.ServerToServer, OrderNo: asked.OrderNo, Outcome: ips.Success},
			Account: "4021000000000001", IdentNo: asked.IdentNo, Email: asked.Email,
		}
		change(a)
		return s.opened(t.Context(), a)
	}
	for name, change := range map[string]func(*ips.OpenAccountResponse){
		"another's e-mail":   func(a *ips.OpenAccountResponse) { a.Email = "lisi@example.com" },
		"another's identity": func(a *ips.OpenAccountResponse) { a.IdentNo = "110101199001010002" },
		"no such order":      func(a *ips.OpenAccountResponse) { a.OrderNo = "OA1" },
	} {
		assert.Error(t, answer(change), name)
	}
	assert.Empty(t, s.accounts)
	require.NoError(t, answer(func(a *ips.OpenAccountResponse) { a.Outcome = ips.Failure }))
	require.NoError(t, answer(func(a *ips.OpenAccountResponse) { a.Outcome, a.OrderNo = ips.Undecided, "" }))
	assert.Empty(t, s.accounts)
	// He came back, and IPS let him go on where he was.
	require.NoError(t, answer(func(*ips.OpenAccountResponse) {}))
	assert.Equal(t, map[string]string{"zhangsan@example.com": "4021000000000001"}, s.accounts)
}
