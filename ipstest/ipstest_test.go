package ipstest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bytes"
	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"regexp"
	"slices"
	"strings"
)

func TestPerson(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []ipstest.Option
	}{
		{"auto", nil},
		{"manual", []ipstest.Option{ipstest.WithManual()}},
		{"with fee", []ipstest.Option{ipstest.WithIPSFee(2 * ips.Yuan)}},
		{"RSA", []ipstest.Option{ipstest.WithMD5withRSA()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := ipstest.NewServer(t, tt.opts...)
			p, poor := s.Person(500*ips.Yuan), s.Person(0)
			s.AssertBalance(p.Account, 500*ips.Yuan, 0)
			s.AssertBalance(poor.Account, 0, 0)
			assert.NotEqual(t, p.IdentNo, poor.IdentNo)
			assert.NotEqual(t, p.Mobile, poor.Mobile)
			assert.NotEqual(t, p.Email, poor.Email)
			assert.Regexp(t, `^11010119900101\d{4}$`, p.IdentNo)
			b, err := s.Client().QueryBalance(t.Context(), p.Account)
			require.NoError(t, err)
			assert.Equal(t, 500*ips.Yuan, b.Available)
			s.WaitIdle()
			s.AssertBooks()
		})
	}
}

func TestLoan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []ipstest.Option
	}{
		{"auto", nil},
		{"manual", []ipstest.Option{ipstest.WithManual()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := ipstest.NewServer(t, tt.opts...)
			borrower, investor := s.Person(0), s.Person(1000*ips.Yuan)
			bid := s.Bid(borrower, 600*ips.Yuan)
			first, second := s.Invest(bid, investor, 400*ips.Yuan), s.Invest(bid, investor, 200*ips.Yuan)
			s.AssertBalance(investor.Account, 400*ips.Yuan, 600*ips.Yuan)
			s.PayOut(bid, first, second)
			s.AssertBalance(investor.Account, 400*ips.Yuan, 0)
			s.AssertBalance(borrower.Account, 600*ips.Yuan, 0)
		})
	}
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	then := time.Date(2026, time.December, 31, 23, 59, 59, 0, ips.China)
	s := ipstest.NewServer(t, ipstest.WithClock(func() time.Time { return then }))
	assert.Equal(t, ips.NewDate(2026, time.December, 31), s.Today())
	s.Advance(time.Second)
	assert.Equal(t, ips.NewDate(2027, time.January, 1), s.Today())
	assert.True(t, s.Now().Equal(then.Add(time.Second)))
}

func TestDepositAndMandate(t *testing.T) {
	t.Parallel()
	s := ipstest.NewServer(t)
	s.Deposit(30 * ips.Yuan)
	s.AssertBalance(s.Config().MerchantCode, 30*ips.Yuan, 0)
	p := s.Person(0)
	status := func() string {
		a, err := s.Client().QueryAccount(t.Context(), p.Account)
		require.NoError(t, err)
		return a.SignStatus
	}
	s.RevokeMandate(p.Account)
	assert.Equal(t, "01", status())
	s.SignMandate(p.Account)
	assert.Equal(t, "02", status())
}

// opening is the form of somebody who has no account yet.
func opening(t *testing.T, client *ips.Client, p ipstest.Person, orderNo string) *ips.Form {
	t.Helper()
	form, err := client.OpenAccount(ips.OpenAccountRequest{
		OrderNo: orderNo, Date: ips.Today(), IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile, Email: p.Email,
	})
	require.NoError(t, err)
	return form
}

// What the handler under test refuses, IPS repeats. What sets the stage it never
// hears of.
func TestHandlerIsAskedAgain(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls := make(map[string]int)
	s := ipstest.NewServer(t, ipstest.WithHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if calls[r.URL.Path]++; calls[r.URL.Path] < 3 {
			http.Error(w, "later", http.StatusServiceUnavailable)
		}
	})))
	s.PayOut(func() (ips.RegisterBidRequest, ips.RegisterCreditorRequest) {
		bid := s.Bid(s.Person(0), ips.Yuan)
		return bid, s.Invest(bid, s.Person(ips.Yuan), ips.Yuan)
	}())
	s.WaitIdle()
	assert.Empty(t, calls)
	assert.Empty(t, s.Arrived())

	s.Carry(opening(t, s.Client(), s.NewPerson(), "A1"))
	s.WaitIdle()
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, map[string]int{"/ips/return/open-account": 1, "/ips/notify/open-account": 3}, calls)
	assert.Len(t, s.Arrived(), 4)
}

// A program that listens elsewhere needs nothing but its own addresses.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	s := ipstest.NewServer(t)
	heard := make(chan string, 10)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- r.URL.Path
		http.Error(w, "wait", http.StatusAccepted)
	}))
	defer shop.Close()
	cfg := s.Config()
	cfg.ReturnURL, cfg.NotifyURL = shop.URL+"/back", shop.URL+"/told"
	client, err := ips.NewClient(cfg)
	require.NoError(t, err)
	back := s.Carry(opening(t, client, s.NewPerson(), "A1"))
	assert.Equal(t, "A1", back.Base().OrderNo)
	assert.Equal(t, ips.WebReturn, back.Base().Via)
	assert.Equal(t, ips.Success, s.WaitNotification(ips.OpOpenAccount, "A1").Base().Outcome)
	assert.ElementsMatch(t, []string{"/back/open-account", "/told/open-account"}, []string{<-heard, <-heard})
}

// A double click: the same order number with other amounts, at the same time.
// Every browser gets the answer to its own form.
func TestCarryAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []ipstest.Option
	}{
		{"auto", nil},
		{"manual", []ipstest.Option{ipstest.WithManual()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := ipstest.NewServer(t, tt.opts...)
			p := s.Person(1000 * ips.Yuan)
			var wg sync.WaitGroup
			var done atomic.Int64 // fen that answers say were paid out
			for i := range 20 {
				wg.Go(func() {
					form, err := s.Client().Withdraw(ips.WithdrawRequest{
						OrderNo: "W1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
						Amount: ips.Amount(i+1) * ips.Yuan, FeePayer: ips.UserPaysFee,
					})
					if !assert.NoError(t, err) {
						return
					}
					a := s.Carry(form).(*ips.WithdrawResponse)
					if a.Outcome == ips.Success {
						done.Add(int64(a.Amount))
					}
				})
			}
			wg.Wait()
			s.AssertBalance(p.Account, 1000*ips.Yuan-ips.Amount(done.Load()), 0)
			assert.Positive(t, done.Load())
		})
	}
}

// A handler in the wrong place is in the test's log.
func TestUndeliveredNotificationsAreLogged(t *testing.T) {
	t.Parallel()
	r := record(func(tb testing.TB) {
		mux := http.NewServeMux()
		mux.HandleFunc("/ips/notify", func(http.ResponseWriter, *http.Request) {}) // without the slash
		s := ipstest.NewServer(tb, ipstest.WithHandler(mux))
		s.Carry(opening(t, s.Client(), s.NewPerson(), "A1"))
		s.WaitIdle()
	})
	assert.Empty(t, r.failures)
	require.Len(t, r.logs, 1)
	assert.Regexp(t, `order A1 to http://127\.0\.0\.1:\d+/ips/notify/open-account was not taken, \d+ times; last: 404 Not Found$`, r.logs[0])
}

// The site without a handler believes nobody but IPS.
func TestForgeriesAreRefused(t *testing.T) {
	t.Parallel()
	s := ipstest.NewServer(t)
	resp, err := http.PostForm(s.Config().NotifyURL+"/recharge", map[string][]string{
		"pMerCode": {"808801"}, "pErrCode": {"MG00000F"}, "pErrMsg": {""}, "p3DesXmlPara": {""}, "pSign": {"0"},
	})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
	s.Fault(ips.OpOpenAccount, ipstest.NoticeForged)
	s.Carry(opening(t, s.Client(), s.NewPerson(), "A1"))
	s.WaitIdle()
	assert.Len(t, s.Arrived(), 2)
}

func TestStartAndClose(t *testing.T) {
	t.Parallel()
	s := ipstest.Start()
	p := s.Person(0)
	assert.PanicsWithValue(t,
		fmt.Sprintf("ipstest: account %s has 0.00 available and 0.00 frozen, want 0.01 and 0.00", p.Account),
		func() { s.AssertBalance(p.Account, ips.Fen, 0) })
	assert.PanicsWithValue(t, `ipstest: no account "nobody"`, func() { s.Balance("nobody") })
	s.Close()
	s.Close()
	_, err := s.Client().QueryBalance(t.Context(), p.Account)
	require.Error(t, err)
}

// recorder is a testing.TB that notes how a test fails instead of failing.
type recorder struct {
	testing.TB
	failures []string
	logs     []string
	fatal    bool
	cleanups []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.fatal = true
	runtime.Goexit()
}

// record runs a test to its end and returns how it failed.
func record(test func(testing.TB)) *recorder {
	r := new(recorder)
	inGoroutine(func() { test(r) })
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		inGoroutine(r.cleanups[i])
	}
	return r
}

func inGoroutine(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// Whatever cannot be done as asked fails the test, in words that help.
func TestFailuresAreReported(t *testing.T) {
	t.Parallel()
	withdrawal := func(s *ipstest.Server, p ipstest.Person) *ips.Form {
		form, err := s.Client().Withdraw(ips.WithdrawRequest{
			OrderNo: "W1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 100 * ips.Yuan, FeePayer: ips.UserPaysFee,
		})
		if err != nil {
			panic(err)
		}
		return form
	}
	for _, tt := range []struct {
		name  string
		opts  []ipstest.Option
		test  func(*ipstest.Server)
		want  string
		fatal bool
	}{
		{"balance differs", nil, func(s *ipstest.Server) { s.AssertBalance(s.Person(ips.Yuan).Account, 0, ips.Fen) },
			"account 4021000000000001 has 1.00 available and 0.00 frozen, want 0.00 and 0.01", false},
		{"no such account", nil, func(s *ipstest.Server) { s.Balance("4021000000009999") },
			`no account "4021000000009999"`, true},
		{"no such operation", nil, func(s *ipstest.Server) { s.Fault("nothing", ipstest.Held) }, `no operation "nothing"`, true},
		{"query cannot be refused", nil, func(s *ipstest.Server) { s.Fault(ips.OpQueryBalance, ipstest.Refusal(ips.CodeFailed, "")) },
			`got QueryForAccBalance`, true},
		{"no refusal", nil, func(s *ipstest.Server) { s.Fault(ips.OpRecharge, ipstest.Refusal(ips.CodeSuccess, "")) },
			"MG00000F is no refusal", true},
		{"rows count from 1", nil, func(s *ipstest.Server) { s.Fault(ips.OpTransfer, ipstest.FailedRow(0)) }, "rows count from 1", true},
		{"no such fault", nil, func(s *ipstest.Server) { s.Fault(ips.OpRecharge, ipstest.Fault{}) }, "unknown fault", true},
		{"no web service", nil, func(s *ipstest.Server) { s.Fault(ips.OpRecharge, ipstest.ServerFault) }, "soap-fault", true},
		{"no rows", nil, func(s *ipstest.Server) { s.Fault(ips.OpRecharge, ipstest.FailedRow(1)) }, "got doDpTrade", true},
		{"time does not go back", nil, func(s *ipstest.Server) { s.Advance(-time.Second) }, "Advance: want a duration", true},
		{"no text message", nil, func(s *ipstest.Server) { s.ReplyYes("13800000001") },
			"no text message waits for an answer at 13800000001", true},
		{"nothing to send again", nil, func(s *ipstest.Server) { s.Resend(ips.OpRecharge, "R1") },
			"no notification of recharge R1", true},
		{"mandate of nobody", nil, func(s *ipstest.Server) { s.SignMandate("4021000000009999") }, "unknown account", true},
		{"mode of nobody", nil, func(s *ipstest.Server) { s.SetManual("4021000000009999") }, "unknown account", true},
		{"deposit of nothing", nil, func(s *ipstest.Server) { s.Deposit(0) }, "must be 1 to", true},
		{"no second merchant", nil, func(s *ipstest.Server) { s.Second() }, "option WithSecondMerchant", true},
		{"recharge too large", nil, func(s *ipstest.Server) { s.Person(ips.MaxAmount + 1) }, "pTrdAmt", true},
		{"recharge refused", nil, func(s *ipstest.Server) {
			s.Recharge(ipstest.Person{Name: "张三", IdentNo: "1", Account: "2"}, ips.Yuan)
		},
			"MG18020F", true},
		{"bid of nobody", nil, func(s *ipstest.Server) { s.Bid(ipstest.Person{Name: "张三", IdentNo: "1", Account: "2"}, ips.Yuan) },
			"MG02013F", true},
		{"investment too large", nil, func(s *ipstest.Server) { s.Invest(s.Bid(s.Person(0), 10*ips.Yuan), s.Person(ips.Yuan), 2*ips.Yuan) },
			"MG03011F", true},
		{"paid out in part", nil, func(s *ipstest.Server) {
			bid := s.Bid(s.Person(0), 10*ips.Yuan)
			investor := s.Person(10 * ips.Yuan)
			s.Fault(ips.OpTransfer, ipstest.FailedRow(1))
			s.PayOut(bid, s.Invest(bid, investor, ips.Yuan), s.Invest(bid, investor, ips.Yuan))
		}, "not all of bid", true},
		{"cancel without a page", nil, func(s *ipstest.Server) { s.Cancel(withdrawal(s, s.Person(100*ips.Yuan))) },
			"withdraw W1: IPS does not ask the user", true},
		{"leave without a page", nil, func(s *ipstest.Server) { s.Leave(withdrawal(s, s.Person(100*ips.Yuan))) },
			"withdraw W1: IPS does not ask the user", true},
		{"pay what is no recharge", []ipstest.Option{ipstest.WithManual()},
			func(s *ipstest.Server) { s.FailAtBank(withdrawal(s, s.Person(100*ips.Yuan))) }, "withdraw is not paid at a bank", true},
		{"form with foreign keys", []ipstest.Option{ipstest.WithSecondMerchant()}, func(s *ipstest.Server) {
			cfg := s.Config()
			cfg.Cert = s.Second().Config().Cert
			client, err := ips.NewClient(cfg)
			if err != nil {
				panic(err)
			}
			form, err := client.SignAutoRepay(ips.SignAutoRepayRequest{
				OrderNo: "S1", Date: s.Today(), IdentNo: "1", RealName: "张三", Account: "2", ValidUnit: ips.PeriodUnlimited,
			})
			if err != nil {
				panic(err)
			}
			s.Carry(form)
		}, "sign-auto-repay S1: the browser got no further", true},
		{"sandbox gone", nil, func(s *ipstest.Server) { form := withdrawal(s, s.Person(0)); s.Close(); s.Carry(form) },
			"withdraw W1: IPS does not answer as it should", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := record(func(tb testing.TB) { tt.test(ipstest.NewServer(tb, tt.opts...)) })
			require.Len(t, r.failures, 1)
			assert.Contains(t, r.failures[0], "ipstest: ")
			assert.Contains(t, r.failures[0], tt.want)
			assert.Equal(t, tt.fatal, r.fatal)
		})
	}
}

func TestNothingIsReportedWithoutCause(t *testing.T) {
	t.Parallel()
	r := record(func(tb testing.TB) {
		s := ipstest.NewServer(tb)
		s.AssertBalance(s.Person(ips.Yuan).Account, ips.Yuan, 0)
		s.AssertBooks()
	})
	assert.Empty(t, r.failures)
	assert.NotEmpty(t, r.cleanups)
}

func TestSecondMerchant(t *testing.T) {
	t.Parallel()
	s := ipstest.NewServer(t, ipstest.WithSecondMerchant(), ipstest.WithMD5withRSA())
	other := s.Second()
	assert.Same(t, s, other.Second())
	assert.NotEqual(t, s.Config().MerchantCode, other.Config().MerchantCode)
	assert.NotEqual(t, s.Config().PublicKey, other.Config().PublicKey)
	p := other.Person(ips.Yuan)
	other.AssertBalance(p.Account, ips.Yuan, 0)
	other.WaitIdle()
	other.Carry(opening(t, other.Client(), other.NewPerson(), "A1"))
	other.WaitIdle()
	assert.Empty(t, s.Arrived())
	assert.Len(t, other.Arrived(), 2)

	b, err := other.Client().QueryBalance(context.Background(), p.Account)
	require.NoError(t, err)
	assert.Equal(t, "808802", b.MerchantCode)
}

// What is not known of IPS can be had both ways.
func TestVariants(t *testing.T) {
	t.Parallel()
	withdraw := func(t *testing.T, opts ...ipstest.Option) (first, again ips.Response, s *ipstest.Server) {
		t.Helper()
		s = ipstest.NewServer(t, opts...)
		p := s.Person(100 * ips.Yuan)
		form, err := s.Client().Withdraw(ips.WithdrawRequest{
			OrderNo: "W1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 60 * ips.Yuan, FeePayer: ips.UserPaysFee,
		})
		require.NoError(t, err)
		first, again = s.Carry(form), s.Carry(form)
		s.AssertBalance(p.Account, 40*ips.Yuan, 0)
		return first, again, s
	}
	ask := func(t *testing.T, s *ipstest.Server) error {
		t.Helper()
		_, err := s.Client().QueryTrade(t.Context(), ips.QueryTradeRequest{OrderNo: "W1", Type: ips.TradeWithdraw})
		return err
	}
	t.Run("repeat refused", func(t *testing.T) {
		t.Parallel()
		_, again, s := withdraw(t)
		require.ErrorIs(t, again.Base().Err(), ips.ErrDuplicate)
		require.NoError(t, ask(t, s))
	})
	t.Run("repeat first, no trade query", func(t *testing.T) {
		t.Parallel()
		first, again, s := withdraw(t, ipstest.WithRepeatFirst(), ipstest.WithoutTradeQuery())
		assert.Equal(t, first, again)
		require.ErrorIs(t, ask(t, s), ips.ErrNoTradeQuery)
	})
	t.Run("clocks", func(t *testing.T) {
		t.Parallel()
		now := time.Date(2026, time.March, 2, 12, 0, 0, 0, ips.China)
		s := ipstest.NewServer(t, ipstest.WithClock(func() time.Time { return now }), ipstest.WithClockSkew(-5*time.Minute))
		p := s.Person(0)
		form, err := s.Client().SignAutoRepay(ips.SignAutoRepayRequest{
			OrderNo: "S1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, ValidUnit: ips.PeriodUnlimited,
		})
		require.NoError(t, err)
		back := s.Carry(form).(*ips.SignAutoRepayResponse)
		told := s.WaitNotification(ips.OpSignAutoRepay, "S1").(*ips.SignAutoRepayResponse)
		assert.Equal(t, -5*time.Minute, told.IPSTime.Sub(back.IPSTime.Time))
	})
}

// A page that a handler served is carried as the browser would: by its one form for
// IPS, under either set of names, with whatever stands in it.
func TestCarryPage(t *testing.T) {
	t.Parallel()
	s := ipstest.NewServer(t)
	p := s.Person(0)
	form := func(req ips.Request) *ips.Form {
		form, err := s.Client().Form(req)
		require.NoError(t, err)
		return form
	}
	page := func(f *ips.Form) []byte {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, nil)
		return w.Body.Bytes()
	}
	opened := page(opening(t, s.Client(), s.NewPerson(), "A1"))
	answer := s.CarryPage(append([]byte("<form method=post action=/search><input name=q></form>"), opened...))
	assert.IsType(t, &ips.OpenAccountResponse{}, answer)
	assert.Equal(t, "A1", answer.Base().OrderNo)
	paid := form(ips.RechargeRequest{OrderNo: "R1", Channel: ips.RechargeEBank, BankCode: "00004", IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Date: s.Today(), Amount: 5 * ips.Yuan, FeePayer: ips.PlatformPaysFee})
	answer = s.CarryPage(page(paid), "654321")
	assert.Equal(t, ips.Success, answer.Base().Outcome)
	assert.Equal(t, "R1", answer.Base().OrderNo)
	s.WaitIdle()
	s.AssertBalance(p.Account, 5*ips.Yuan, 0)

	for name, page := range map[string][]byte{
		"no form":     []byte("<p>sorry"),
		"two":         append(slices.Clone(opened), opened...),
		"not sealed":  regexp.MustCompile(`(3DesXmlPara" value=")[^"]+`).ReplaceAll(opened, []byte("${1}none")),
		"not for IPS": bytes.Replace(opened, []byte(".aspx"), []byte(".php"), 1),
	} {
		r := record(func(tb testing.TB) { ipstest.NewServer(tb).CarryPage(page) })
		assert.True(t, r.fatal, name)
		assert.Contains(t, strings.Join(r.failures, " "), "no form for IPS", name)
	}
}

// BenchmarkNewServer is what a test pays for a sandbox of its own, from its start
// to its stop.
func BenchmarkNewServer(b *testing.B) {
	for _, bb := range []struct {
		name string
		opts []ipstest.Option
	}{{"md5", nil}, {"rsa", []ipstest.Option{ipstest.WithMD5withRSA()}}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ipstest.NewServer(b, bb.opts...).Close()
			}
		})
	}
}
