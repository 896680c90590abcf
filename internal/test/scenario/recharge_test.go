package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func rechargeOf(s *ipstest.Server, p ipstest.Person, amount ips.Amount) ips.RechargeRequest {
	return ips.RechargeRequest{
		OrderNo: s.NewOrderNo(), Date: today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Amount: amount, Channel: ips.RechargeEBank, BankCode: "00083", FeePayer: ips.UserPaysFee,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func wantRecharge(r ips.Reply, req ips.RechargeRequest) *ips.RechargeResponse {
	return &ips.RechargeResponse{
		Reply: r, AccountType: ips.AccountPerson, IdentNo: req.IdentNo, RealName: req.RealName, Account: req.Account,
		Date: req.Date, Amount: req.Amount, BankCode: req.BankCode,
		Memos: req.Memos,
	}
}

// Fees come out of what was paid; who pays that of IPS depends.
func TestRecharge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		change   func(*ips.RechargeRequest)
		user     ips.Amount
		merchant ips.Amount
	}{
		{"e-bank, user pays", func(*ips.RechargeRequest) {}, 495 * ips.Yuan, 103 * ips.Yuan},
		{"e-bank, platform pays", func(r *ips.RechargeRequest) { r.FeePayer = ips.PlatformPaysFee },
			497 * ips.Yuan, 101 * ips.Yuan},
		{"withholding", func(r *ips.RechargeRequest) { r.Channel, r.BankCode = ips.RechargeWithholding, "" },
			495 * ips.Yuan, 103 * ips.Yuan},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startIPS(t, ipstest.WithIPSFee(2*ips.Yuan))
			s.Deposit(100 * ips.Yuan)
			p := s.Person(0)
			req := rechargeOf(s, p, 500*ips.Yuan)
			req.Fee = 3 * ips.Yuan
			tt.change(&req)
			got := carry[*ips.RechargeResponse](t, s, s.Client().Recharge, req)

			want := wantRecharge(done(ips.OpRecharge, ips.WebReturn, req.OrderNo), req)
			takeNumber(t, `^NT\d{16}$`, &want.IPSBillNo, &got.IPSBillNo)
			assertAnswer(t, want, got)
			sameBothWays(t, s, got)
			s.AssertBalance(p.Account, tt.user, 0)
			s.AssertBalance(merchantCode, tt.merchant, 0)

			again := carry[*ips.RechargeResponse](t, s, s.Client().Recharge, req)
			assertRepeated(t, got, again)
			s.AssertBalance(p.Account, tt.user, 0)
		})
	}
}

func TestRechargePending(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.Person(0)
	s.Fault(ips.OpRecharge, ipstest.Held)
	req := rechargeOf(s, p, 500*ips.Yuan)
	first := carry[*ips.RechargeResponse](t, s, s.Client().Recharge, req)
	want := wantRecharge(reply(ips.OpRecharge, ips.WebReturn, ips.CodeProcessing, "IPS受理中！", req.OrderNo), req)
	want.IPSBillNo = first.IPSBillNo
	assertAnswer(t, want, first)
	require.NoError(t, first.Err())
	assert.Equal(t, ips.Pending, first.Outcome)
	s.AssertBalance(p.Account, 0, 0)
	s.AssertBooks()

	s.Release(ips.OpRecharge)
	final := notified(t, s, first)
	assert.Equal(t, ips.Success, final.Outcome)
	assert.Equal(t, first.IPSBillNo, final.IPSBillNo)
	s.AssertBalance(p.Account, 500*ips.Yuan, 0)
}

func TestRechargeRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithIPSFee(2*ips.Yuan))
	p, unsigned := s.Person(100*ips.Yuan), s.Person(0)
	s.RevokeMandate(unsigned.Account)
	first := rechargeOf(s, p, 100*ips.Yuan)
	carry[*ips.RechargeResponse](t, s, s.Client().Recharge, first)

	type req = ips.RechargeRequest
	good := func() req { return rechargeOf(s, p, 100*ips.Yuan) }
	refusedForms(t, s, s.Client().Recharge, good, []refusedCase[req]{
		{"account of nobody", func(r *req) { r.Account = "4021000000009999" }, "MG18020F"},
		{"another's id number", func(r *req) { r.IdentNo = unsigned.IdentNo }, "MG18020F"},
		{"no mandate signed", func(r *req) {
			*r = rechargeOf(s, unsigned, ips.Yuan*3)
			r.Channel, r.BankCode = ips.RechargeWithholding, ""
		}, "MG18023F"},
		{"fees exceed it", func(r *req) { r.Fee = 98*ips.Yuan + ips.Fen }, "MG18024F"},
		{"platform cannot pay the fee", func(r *req) { r.FeePayer = ips.PlatformPaysFee }, "MG18025F"},
		{"number taken by another recharge", func(r *req) { r.OrderNo = first.OrderNo; r.Amount = ips.Yuan * 5 }, "MG18026F"},
	}, p.Account, unsigned.Account)
}

// The user comes to his bank, or to the page of IPS if his card is debited.
func TestRechargePage(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	p := s.Person(0)
	ebank := func() *ips.Form { return seal(t, s.Client().Recharge, rechargeOf(s, p, 100*ips.Yuan)) }
	debit := func() *ips.Form {
		req := rechargeOf(s, p, 100*ips.Yuan)
		req.Channel, req.BankCode = ips.RechargeWithholding, ""
		return seal(t, s.Client().Recharge, req)
	}
	for _, tt := range []struct {
		name string
		resp ips.Response
		code ips.Code
	}{
		{"not paid at the bank", s.FailAtBank(ebank()), "MG18028F"},
		{"bank's page cancelled", s.Cancel(ebank()), "MG18091F"},
		{"withholding cancelled", s.Cancel(debit()), "MG18091F"},
		{"three wrong passwords", s.Carry(debit(), "0", "1", "2"), "MG18092F"},
	} {
		requireRefusal(t, tt.code, tt.resp)
		sameBothWays(t, s, answerOf[*ips.RechargeResponse](t, tt.resp))
	}
	s.AssertBalance(p.Account, 0, 0)

	left := ebank()
	s.Leave(left)
	s.Advance(30 * time.Minute)
	requireRefusal(t, "MG18093F", s.WaitNotification(ips.OpRecharge, left.OrderNo()))
	s.AssertBalance(p.Account, 0, 0)

	require.NoError(t, s.Carry(ebank()).Err())
	require.NoError(t, s.Carry(debit()).Err())
	s.AssertBalance(p.Account, 200*ips.Yuan, 0)
}

func withholdingOf(s *ipstest.Server, p ipstest.Person, amount ips.Amount) ips.WithholdingRechargeRequest {
	return ips.WithholdingRechargeRequest{
		OrderNo: s.NewOrderNo(), Date: today(), Amount: amount, FeePayer: ips.UserPaysFee,
		IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func wantWithholding(s *ipstest.Server, r ips.Reply, req ips.WithholdingRechargeRequest) *ips.WithholdingRechargeResponse {
	r.Extra = urlsOf(s, ips.OpWithholdingRecharge)[1:]
	return &ips.WithholdingRechargeResponse{
		Reply: r, Date: req.Date, Amount: req.Amount, Fee: req.Fee, FeePayer: req.FeePayer, AccountType: ips.AccountPerson,
		IdentNo: req.IdentNo, RealName: req.RealName, Account: req.Account, IPSTime: ips.Time{Time: noon()},
		Memos: req.Memos,
	}
}

func TestWithholdingRecharge(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithIPSFee(2*ips.Yuan))
	p := s.Person(0)
	req := withholdingOf(s, p, 500*ips.Yuan)
	req.Fee = 3 * ips.Yuan
	first, err := s.Client().WithholdingRecharge(t.Context(), req)
	require.NoError(t, err)
	want := wantWithholding(s, reply(ips.OpWithholdingRecharge, ips.Synchronous, ips.CodeProcessing, "IPS受理中！", req.OrderNo), req)
	takeNumber(t, `^DP\d{16}$`, &want.IPSBillNo, &first.IPSBillNo)
	assertAnswer(t, want, first)
	assert.Equal(t, ips.Pending, first.Outcome)

	final := notified(t, s, first)
	want = wantWithholding(s, done(ips.OpWithholdingRecharge, ips.ServerToServer, req.OrderNo), req)
	want.IPSBillNo, want.Credited, want.IPSFee, want.BankCode = first.IPSBillNo, 495*ips.Yuan, 2*ips.Yuan, "00004"
	assertAnswer(t, want, final)
	s.AssertBalance(p.Account, 495*ips.Yuan, 0)
	s.AssertBalance(merchantCode, 3*ips.Yuan, 0)

	again, err := s.Client().WithholdingRecharge(t.Context(), req)
	require.Equal(t, again.Err(), err)
	assertRepeated(t, first, again)
	s.AssertBalance(p.Account, 495*ips.Yuan, 0)
}

// The user answers a text message, or does not.
func TestWithholdingRechargeText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(*ipstest.Server, ipstest.Person)
		code   ips.Code
		amount ips.Amount
	}{
		{"yes", func(s *ipstest.Server, p ipstest.Person) { s.ReplyYes(p.Mobile) }, ips.CodeSuccess, 500 * ips.Yuan},
		{"no", func(s *ipstest.Server, p ipstest.Person) { s.ReplyNo(p.Mobile) }, "MG13046F", 0},
		{"silence", func(s *ipstest.Server, _ ipstest.Person) { s.Advance(30 * time.Minute) }, "MG13047F", 0},
		{"mandate withdrawn meanwhile", func(s *ipstest.Server, p ipstest.Person) {
			s.RevokeMandate(p.Account)
			s.ReplyYes(p.Mobile)
		}, "MG13023F", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startIPS(t, ipstest.WithManual())
			p := s.Person(0)
			first, err := s.Client().WithholdingRecharge(t.Context(), withholdingOf(s, p, 500*ips.Yuan))
			require.NoError(t, err)
			assert.Equal(t, ips.Pending, first.Outcome)
			s.AssertBalance(p.Account, 0, 0)
			tt.answer(s, p)
			final := notified(t, s, first)
			assert.Equal(t, tt.code, final.Code)
			assert.Equal(t, tt.amount, final.Credited)
			assert.Equal(t, first.IPSBillNo, final.IPSBillNo)
			s.AssertBalance(p.Account, tt.amount, 0)
		})
	}
}

func TestWithholdingRechargeRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithIPSFee(2*ips.Yuan))
	p, unsigned := s.Person(0), s.Person(0)
	s.RevokeMandate(unsigned.Account)
	first := withholdingOf(s, p, 100*ips.Yuan)
	_, err := s.Client().WithholdingRecharge(t.Context(), first)
	require.NoError(t, err)

	type req = ips.WithholdingRechargeRequest
	good := func() req { return withholdingOf(s, p, 100*ips.Yuan) }
	refusedCalls(t, s, call(t, s.Client().WithholdingRecharge), good, []refusedCase[req]{
		{"account of nobody", func(r *req) { r.Account = "4021000000009999" }, "MG13020F"},
		{"another's name", func(r *req) { r.RealName = unsigned.Name }, "MG13020F"},
		{"no mandate signed", func(r *req) { *r = withholdingOf(s, unsigned, 100*ips.Yuan) }, "MG13023F"},
		{"fees exceed it", func(r *req) { r.Fee = 98*ips.Yuan + ips.Fen }, "MG13024F"},
		{"platform cannot pay the fee", func(r *req) { r.FeePayer = ips.PlatformPaysFee }, "MG13025F"},
		{"number taken by another recharge", func(r *req) { r.OrderNo = first.OrderNo; r.Amount = ips.Yuan * 5 }, "MG13090F"},
	}, p.Account, unsigned.Account)
}

// A trade query tells how an order stands, by number and type, and of another
// type or number that there is none.
func TestSandboxQueryTrade(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	p := s.Person(0)
	ask := func(no string, kind ips.TradeType) *ips.QueryTradeResponse {
		t.Helper()
		got, err := s.Client().QueryTrade(t.Context(), ips.QueryTradeRequest{OrderNo: no, Type: kind})
		require.NoError(t, err)
		assert.Equal(t, no, got.OrderNo)
		assert.Equal(t, kind, got.Type)
		assert.Equal(t, ips.Success, got.Outcome)
		return got
	}
	paid, unpaid, left := rechargeOf(s, p, 500*ips.Yuan), rechargeOf(s, p, 300*ips.Yuan), rechargeOf(s, p, 200*ips.Yuan)
	s.Carry(seal(t, s.Client().Recharge, paid))
	s.FailAtBank(seal(t, s.Client().Recharge, unpaid))
	s.Leave(seal(t, s.Client().Recharge, left))
	for _, tt := range []struct {
		req   ips.RechargeRequest
		want  ips.TradeStatus
		state ips.OrderState
	}{
		{paid, ips.TradeDone, ips.OrderDone},
		{unpaid, ips.TradeFailed, ips.OrderRefused},
	} {
		kind, certain, ok := ips.TradeTypeOf(tt.req)
		require.True(t, ok && certain)
		trade := ask(tt.req.OrderNo, kind)
		assert.Equal(t, tt.want, trade.Status)
		answer, err := ips.Asked(tt.req, trade)
		require.NoError(t, err)
		assert.Empty(t, ips.Compare(tt.req, answer))
		state, change, err := ips.OrderUnknown.Next(answer.Base())
		require.NoError(t, err)
		assert.Equal(t, tt.state, state)
		assert.Equal(t, ips.Changed, change)
		_, err = ips.Asked(left, trade)
		require.ErrorIs(t, err, ips.ErrOperation, "an answer about another order")
	}
	assert.Contains(t, []ips.TradeStatus{ips.TradeInWork, ips.TradeNotFound}, ask(left.OrderNo, ips.TradeRecharge).Status)
	assert.Equal(t, ips.TradeNotFound, ask("R0", ips.TradeRecharge).Status)
	assert.Equal(t, ips.TradeNotFound, ask(paid.OrderNo, ips.TradeWithdraw).Status)

	cfg := s.Config()
	cfg.Environment.TradeQuery = ips.NoTradeQuery
	without, err := ips.NewClient(cfg)
	require.NoError(t, err)
	_, err = without.QueryTrade(t.Context(), ips.QueryTradeRequest{OrderNo: paid.OrderNo, Type: ips.TradeRecharge})
	require.ErrorIs(t, err, ips.ErrNoTradeQuery)
}
