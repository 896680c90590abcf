package demo_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/internal/demo"
	"github.com/ips-p2p/ips/examples/internal/demo/demotest"
	"github.com/ips-p2p/ips/internal/sandbox"
)

func TestPathsOfHandlers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		env      demotest.Env
		returns  string
		notifies string
		want     string
	}{
		{name: "by default", returns: "/ips/return/", notifies: "/ips/notify/"},
		{name: "behind a proxy", env: demotest.Env{"IPS_RETURN_URL": "https://p2p.example.com/back", "IPS_NOTIFY_URL": "https://p2p.example.com/said/"},
			returns: "/back/", notifies: "/said/"},
		{name: "one for both", env: demotest.Env{"IPS_RETURN_URL": "https://p2p.example.com/a", "IPS_NOTIFY_URL": "https://p2p.example.com/a/"}, want: "the same path"},
		{name: "no return URL", env: demotest.Env{"IPS_RETURN_URL": "%"}, want: "IPS_RETURN_URL"},
		{name: "no notify URL", env: demotest.Env{"IPS_NOTIFY_URL": "%"}, want: "IPS_NOTIFY_URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, env := demotest.Elsewhere(t, sandbox.Config{}, tt.env)
			w, err := demo.Open(env.Get)
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			defer w.Close()
			assert.Equal(t, tt.returns, w.ReturnPath)
			assert.Equal(t, tt.notifies, w.NotifyPath)
		})
	}
}

// start starts a merchant who talks to a sandbox that the test can spoil.
func start(t *testing.T, cfg sandbox.Config, patience time.Duration, hear ips.Handler) (*sandbox.Sandbox, *demo.Merchant) {
	t.Helper()
	box, env := demotest.Elsewhere(t, cfg, nil)
	w, err := demo.Open(env.Get)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	m, err := w.NewMerchant(demo.Settings{Hear: hear, Patience: patience, OnError: func(err error) { t.Log(err) }})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return box, m
}

func TestLoan(t *testing.T) {
	t.Parallel()
	_, m := start(t, sandbox.Config{}, 10*time.Second, nil)
	loan, err := m.Loan(t.Context())
	require.NoError(t, err)
	for account, want := range map[string][2]ips.Amount{
		loan.ZhangSan.Account: {10500 * ips.Yuan, 500 * ips.Yuan},
		loan.LiSi.Account:     {0, 0},
		loan.WangWu.Account:   {0, 0},
	} {
		b, err := m.Client.QueryBalance(t.Context(), account)
		require.NoError(t, err)
		assert.Equal(t, want, [2]ips.Amount{b.Available, b.Frozen})
	}
}

func TestVisitWaitsForTheFinalAnswer(t *testing.T) {
	t.Parallel()
	outcomes := make(chan ips.Outcome, 10)
	box, m := start(t, sandbox.Config{}, 300*time.Millisecond, func(_ context.Context, answer ips.Response) error {
		if a, ok := answer.(*ips.BidResponse); ok {
			outcomes <- a.Outcome
		}
		return nil
	})
	borrower, err := m.Person(t.Context(), "张三", 1000*ips.Yuan)
	require.NoError(t, err)
	_, err = m.Bid(t.Context(), borrower, 1000*ips.Yuan)
	require.NoError(t, err)
	assert.ElementsMatch(t, []ips.Outcome{ips.Pending, ips.Success}, []ips.Outcome{<-outcomes, <-outcomes})

	require.NoError(t, box.Fault("808801", sandbox.Fault{Name: "stay-pending", Op: "registerSubject"}))
	_, err = m.Bid(t.Context(), borrower, 1000*ips.Yuan)
	var silence *demo.SilenceError
	require.ErrorAs(t, err, &silence)
	assert.Equal(t, ips.OpRegisterBid, silence.Operation)
	assert.ErrorContains(t, err, "no notification came within 300ms")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, m.Wait(ctx, ips.OpRegisterBid, "B1"), context.Canceled)
}

func TestVisitFails(t *testing.T) {
	t.Parallel()
	box, m := start(t, sandbox.Config{}, time.Second, nil)
	require.NoError(t, box.Fault("808801", sandbox.Fault{Name: "code", Op: "CreateNewIpsAcct", Code: "MG01011F"}))
	_, err := m.Person(t.Context(), "张三", 0)
	require.ErrorIs(t, err, ips.CodeEmailUsed)

	_, m = start(t, sandbox.Config{Manual: true}, time.Second, nil)
	_, err = m.Person(t.Context(), "张三", 0)
	var page *demo.PageError
	require.ErrorAs(t, err, &page)
	assert.Equal(t, ips.OpOpenAccount, page.Operation)
	assert.ErrorContains(t, err, "a person to confirm")
}

func TestOrders(t *testing.T) {
	t.Parallel()
	type step struct {
		outcome ips.Outcome
		news    bool
		err     error
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"done at once", []step{{ips.Success, true, nil}, {ips.Success, false, nil}}},
		{"pending first", []step{{ips.Pending, true, nil}, {ips.Pending, false, nil}, {ips.Success, true, nil}}},
		{"pending overtaken", []step{{ips.Success, true, nil}, {ips.Pending, false, nil}}},
		{"refused", []step{{ips.Pending, true, nil}, {ips.Failure, true, nil}, {ips.Failure, false, nil}}},
		{"late", []step{{ips.Failure, true, nil}, {ips.Success, true, nil}, {ips.Success, false, nil}}},
		{"contradiction", []step{{ips.Success, true, nil}, {ips.Failure, false, ips.ErrContradiction}, {ips.Success, false, nil}}},
		{"says nothing", []step{{ips.Undecided, false, nil}, {ips.Success, true, nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var orders demo.Orders
			req := demo.Recorded(&orders, ips.WithdrawRequest{OrderNo: "R1", Amount: 100 * ips.Yuan, Account: "4021000000000001"})
			answer := func(outcome ips.Outcome) *ips.WithdrawResponse {
				return &ips.WithdrawResponse{
					Reply:  ips.Reply{Operation: ips.OpWithdraw, Via: ips.ServerToServer, OrderNo: "R1", Outcome: outcome},
					Amount: req.Amount, Account: req.Account,
				}
			}
			wrong := answer(ips.Success)
			wrong.Amount++
			_, err := orders.Hear(wrong)
			require.ErrorContains(t, err, "not what was ordered")
			wrong.Operation = ips.OpRecharge // another order with the same number
			_, err = orders.Hear(wrong)
			require.ErrorContains(t, err, "no such order")
			for i, s := range tt.steps {
				news, err := orders.Hear(answer(s.outcome))
				require.ErrorIs(t, err, s.err, "step %d", i)
				assert.Equal(t, s.news, news, "step %d", i)
			}
		})
	}
}

func TestFailedRows(t *testing.T) {
	t.Parallel()
	assert.NoError(t, demo.FailedRows(&ips.TransferResponse{Rows: []ips.TransferRowResult{{Status: ips.RowDone}}}))
	assert.NoError(t, demo.FailedRows(&ips.WithdrawResponse{}))
	err := demo.FailedRows(&ips.TransferResponse{Rows: []ips.TransferRowResult{{Status: ips.RowDone}, {Status: ips.RowFailed, Message: "余额不足"}}})
	assert.EqualError(t, err, "row 2: 余额不足")
	err = demo.FailedRows(&ips.RepayResponse{Rows: []ips.RepayRowResult{{Status: ips.RowFailed, Message: "一"}, {Message: "二"}}})
	assert.EqualError(t, err, "row 1: 一\nrow 2: 二")
}

func TestNewPerson(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, name := range []string{"张三", "李四", "王五", "赵六"} {
		p := demo.NewPerson(name)
		assert.Equal(t, name, p.Name)
		assert.Regexp(t, `^11010119900101\d{4}$`, p.IdentNo)
		assert.Regexp(t, `^138\d{8}$`, p.Mobile)
		assert.Regexp(t, `^[a-z0-9]+@example\.com$`, p.Email)
		assert.NotEqual(t, p.Email, demo.NewPerson(name).Email)
		assert.False(t, seen[p.IdentNo] || seen[p.Mobile], "%s is somebody else, too", name)
		seen[p.IdentNo], seen[p.Mobile] = true, true
	}
}

func TestFillInFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, page, want string
	}{
		{"no form", `<title>关闭</title>`, `the page "关闭" has 0 forms`},
		{"two forms", `<form></form><form></form>`, "has 2 forms"},
		{"no way to IPS", `<form method="post" action="/same"></form>`, "no return form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprint(w, tt.page)
			}))
			defer srv.Close()
			_, err := demo.FillIn(t.Context(), srv.URL, url.Values{})
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A sandbox asks its people itself when there is one.
func TestServePerson(t *testing.T) {
	t.Parallel()
	w, err := demo.Open(demotest.Env(nil).Get)
	require.NoError(t, err)
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.NoError(t, w.ServePerson(ctx, log.New(&out, "", 0)))
	assert.Contains(t, out.String(), "open "+w.URL()+" in your browser")

	m, err := w.NewMerchant(demo.Settings{Patience: time.Second, OnError: func(err error) { t.Log(err) }})
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Person(t.Context(), "张三", 0)
	var page *demo.PageError
	require.ErrorAs(t, err, &page)
}
