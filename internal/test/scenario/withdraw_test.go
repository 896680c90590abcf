package scenario_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func withdrawalOf(s *ipstest.Server, p ipstest.Person, amount ips.Amount) ips.WithdrawRequest {
	return ips.WithdrawRequest{
		OrderNo: s.NewOrderNo(), Date: today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Amount: amount, FeePayer: ips.UserPaysFee,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func wantWithdrawal(r ips.Reply, req ips.WithdrawRequest) *ips.WithdrawResponse {
	return &ips.WithdrawResponse{
		Reply: r, AccountType: ips.AccountPerson, OutType: "1",
		IdentNo: req.IdentNo, RealName: req.RealName, Account: req.Account, Date: req.Date, Amount: req.Amount,
		Memos: req.Memos,
	}
}

// Fees come on top of the amount; who pays that of IPS depends.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		payer    ips.FeePayer
		user     ips.Amount
		merchant ips.Amount
	}{
		{ips.UserPaysFee, 595 * ips.Yuan, 103 * ips.Yuan},
		{ips.PlatformPaysFee, 597 * ips.Yuan, 101 * ips.Yuan},
	} {
		t.Run(tt.payer.String(), func(t *testing.T) {
			t.Parallel()
			s := startIPS(t, ipstest.WithIPSFee(2*ips.Yuan))
			s.Deposit(100 * ips.Yuan)
			p := s.Person(1000 * ips.Yuan)
			req := withdrawalOf(s, p, 400*ips.Yuan)
			req.Fee, req.FeePayer = 3*ips.Yuan, tt.payer
			got := carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, req)

			want := wantWithdrawal(done(ips.OpWithdraw, ips.WebReturn, req.OrderNo), req)
			takeNumber(t, `^WD\d{16}$`, &want.IPSBillNo, &got.IPSBillNo)
			assertAnswer(t, want, got)
			sameBothWays(t, s, got)
			s.AssertBalance(p.Account, tt.user, 0)
			s.AssertBalance(merchantCode, tt.merchant, 0)

			again := carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, req)
			assertRepeated(t, got, again)
			s.AssertBalance(p.Account, tt.user, 0)
		})
	}
}

// While the bank takes its time the money is neither the user's nor gone.
func TestWithdrawPending(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.Person(1000 * ips.Yuan)
	s.Fault(ips.OpWithdraw, ipstest.Held)
	req := withdrawalOf(s, p, 400*ips.Yuan)
	first := carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, req)
	want := wantWithdrawal(reply(ips.OpWithdraw, ips.WebReturn, ips.CodeProcessing, "IPS受理中！", req.OrderNo), req)
	want.IPSBillNo = first.IPSBillNo
	assertAnswer(t, want, first)
	require.NoError(t, first.Err())
	assert.Equal(t, ips.Pending, first.Outcome)
	b, err := s.Client().QueryBalance(t.Context(), p.Account)
	require.NoError(t, err)
	assert.Equal(t, [3]ips.Amount{600 * ips.Yuan, 0, 400 * ips.Yuan}, [3]ips.Amount{b.Available, b.Frozen, b.Unsettled})
	s.AssertBooks()

	s.Release(ips.OpWithdraw)
	final := notified(t, s, first)
	want = wantWithdrawal(done(ips.OpWithdraw, ips.ServerToServer, req.OrderNo), req)
	want.IPSBillNo = first.IPSBillNo
	assertAnswer(t, want, final)
	b, err = s.Client().QueryBalance(t.Context(), p.Account)
	require.NoError(t, err)
	assert.Equal(t, [3]ips.Amount{600 * ips.Yuan, 0, 0}, [3]ips.Amount{b.Available, b.Frozen, b.Unsettled})
}

func TestWithdrawRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithIPSFee(2*ips.Yuan))
	p, other := s.Person(1000*ips.Yuan), s.Person(0)
	first := withdrawalOf(s, p, 100*ips.Yuan)
	carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, first) // leaves 898

	type req = ips.WithdrawRequest
	good := func() req { return withdrawalOf(s, p, 100*ips.Yuan) }
	refusedForms(t, s, s.Client().Withdraw, good, []refusedCase[req]{
		{"more than there is", func(r *req) { r.Amount = 1000 * ips.Yuan }, "MG19054F"},
		{"nothing left for the fee of IPS", func(r *req) { r.Amount = 896*ips.Yuan + ips.Fen }, "MG19054F"},
		{"nothing left for the platform's fee", func(r *req) { r.Amount, r.Fee = 896*ips.Yuan, ips.Fen }, "MG19054F"},
		{"platform cannot pay the fee", func(r *req) { r.FeePayer = ips.PlatformPaysFee }, "MG19025F"},
		{"another's id number", func(r *req) { r.IdentNo = other.IdentNo }, ips.CodeWithdrawIdentity},
		{"another's name", func(r *req) { r.RealName = other.Name }, ips.CodeWithdrawIdentity},
		{"account of nobody", func(r *req) { r.Account = "4021000000009999" }, "MG19010F"},
		{"number taken by another withdrawal", func(r *req) { r.OrderNo = first.OrderNo; r.Amount = ips.Yuan }, "MG19090F"},
	}, p.Account)
}

func TestWithdrawPage(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	p := s.Person(1000 * ips.Yuan)

	got := answerOf[*ips.WithdrawResponse](t, s.Cancel(seal(t, s.Client().Withdraw, withdrawalOf(s, p, ips.Yuan))))
	requireRefusal(t, "MG19091F", got)
	sameBothWays(t, s, got)
	got = answerOf[*ips.WithdrawResponse](t, s.Carry(seal(t, s.Client().Withdraw, withdrawalOf(s, p, ips.Yuan)), "0", "1", "2"))
	requireRefusal(t, "MG19092F", got)
	sameBothWays(t, s, got)
	s.AssertBalance(p.Account, 1000*ips.Yuan, 0)

	got = carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, withdrawalOf(s, p, 1000*ips.Yuan))
	require.NoError(t, got.Err())
	s.AssertBalance(p.Account, 0, 0)
}

// A refusal that IPS gives for a reason of its own keeps code and text.
func TestWithdrawRefusedByFault(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.Person(1000 * ips.Yuan)
	s.Fault(ips.OpWithdraw, ipstest.Refusal("MG19999F", "银行系统维护中"))
	req := withdrawalOf(s, p, 100*ips.Yuan)
	got := carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, req)
	requireRefusal(t, "MG19999F", got)
	assert.Equal(t, "银行系统维护中", got.Message)
	s.AssertBalance(p.Account, 1000*ips.Yuan, 0)

	// It was no order: the number is free.
	require.NoError(t, carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, req).Err())
	s.AssertBalance(p.Account, 900*ips.Yuan, 0)
}
