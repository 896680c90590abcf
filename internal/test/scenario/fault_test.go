package scenario_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// assertSettled looks at what the very same request got after an unknown fate:
// IPS carries the order out if it had not, and repeats itself if it had. Where it
// refuses repetitions instead, its notifications settle the matter: of an operation
// with a page the refusal is notified too, before or after the success.
func assertSettled(t *testing.T, s *ipstest.Server, done bool, answer ips.Response, err error) {
	t.Helper()
	if !done || !refuses {
		require.NoError(t, err)
		assert.Equal(t, ips.Success, answer.Base().Outcome)
		return
	}
	require.ErrorIs(t, err, ips.ErrDuplicate)
	require.ErrorIs(t, err, ips.ErrFateUnknown, "a number that is taken says nothing of its order")
	s.WaitIdle()
	state := ips.OrderUnknown
	for _, heard := range s.Arrived() {
		if b := heard.Base(); b.Operation == answer.Base().Operation && b.OrderNo == answer.Base().OrderNo {
			state, _, err = state.Next(b)
			require.NoError(t, err)
		}
	}
	assert.Equal(t, ips.OrderDone, state)
}

// After whatever went wrong on the way, the very same request moves the money of
// the order once, and settles what became of it where IPS repeats its answers.
func TestFateSettledByRepetition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault ipstest.Fault
		cause func(error) bool
		done  bool // IPS did it before the fault
	}{
		{"bad gateway", ipstest.BadGateway, func(err error) bool {
			var status *ips.HTTPError
			return errors.As(err, &status) && status.StatusCode == http.StatusBadGateway
		}, false},
		{"connection broken", ipstest.ConnectionBroken, func(err error) bool { return err != nil }, true},
		{"answer truncated", ipstest.AnswerTruncated, func(err error) bool { return err != nil }, true},
		{"answer too large", ipstest.AnswerTooLarge, func(err error) bool { return errors.Is(err, ips.ErrTooLarge) }, true},
		{"SOAP fault", ipstest.ServerFault, func(err error) bool {
			var fault *ips.SOAPFault
			return errors.As(err, &fault) && fault.Code == "Server"
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startIPS(t)
			l := openLoan(t, s)
			req := l.unfreezing(s, ips.BorrowerMargin, 200*ips.Yuan)
			s.Fault(ips.OpUnfreezeMargin, tt.fault)

			_, err := s.Client().UnfreezeMargin(t.Context(), req)
			var unknown *ips.FateUnknownError
			require.ErrorAs(t, err, &unknown)
			require.ErrorIs(t, err, ips.ErrFateUnknown)
			assert.Equal(t, req.OrderNo, unknown.OrderNo)
			assert.Equal(t, ips.OpUnfreezeMargin, unknown.Operation)
			assert.True(t, tt.cause(err), err)
			if tt.done {
				s.AssertBalance(l.borrower.Account, 1700*ips.Yuan, 300*ips.Yuan)
			} else {
				s.AssertBalance(l.borrower.Account, 1500*ips.Yuan, 500*ips.Yuan)
			}

			got, err := s.Client().UnfreezeMargin(t.Context(), req)
			assertSettled(t, s, tt.done, got, err)
			s.AssertBalance(l.borrower.Account, 1700*ips.Yuan, 300*ips.Yuan)
		})
	}
}

// The same for a form that the server posts.
func TestFateOfServerPostedForm(t *testing.T) {
	t.Parallel()
	for _, fault := range []ipstest.Fault{ipstest.ConnectionBroken, ipstest.AnswerTruncated, ipstest.BadGateway} {
		s := startIPS(t)
		bid := openBid(t, s, s.Person(500*ips.Yuan))
		investor := s.Person(3000 * ips.Yuan)
		req := autoInvestmentOf(s, bid, investor, signAutoBid(t, s, autoBidContractOf(s, investor)), 2000*ips.Yuan)
		s.Fault(ips.OpAutoBid, fault)
		_, err := s.Client().AutoBid(t.Context(), req)
		require.ErrorIs(t, err, ips.ErrFateUnknown)
		got, err := s.Client().AutoBid(t.Context(), req)
		assertSettled(t, s, fault != ipstest.BadGateway, got, err)
		s.AssertBalance(investor.Account, 980*ips.Yuan, 2020*ips.Yuan)
	}
}

// What does not verify is not believed, and IPS repeats what was refused.
func TestForgedNotices(t *testing.T) {
	t.Parallel()
	for _, fault := range []ipstest.Fault{ipstest.NoticeForged, ipstest.NoticeForeign} {
		s := startIPS(t)
		p := s.Person(0)
		s.Fault(ips.OpRecharge, fault)
		got := carry[*ips.RechargeResponse](t, s, s.Client().Recharge, rechargeOf(s, p, 500*ips.Yuan))
		sameBothWays(t, s, got)
		s.WaitIdle()
		assert.Equal(t, 1, countNotices(s), "the genuine one")
	}
}

// A signature says who speaks, not that he is right: a merchant compares the
// amount with that of his order.
func TestNoticeWithAnotherAmount(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.Person(0)
	s.Fault(ips.OpRecharge, ipstest.NoticeAmountChanged)
	req := rechargeOf(s, p, 500*ips.Yuan)
	carry[*ips.RechargeResponse](t, s, s.Client().Recharge, req)
	s.WaitIdle()
	var amounts []ips.Amount
	for _, resp := range s.Arrived() {
		if r, ok := resp.(*ips.RechargeResponse); ok && r.Via == ips.ServerToServer {
			amounts = append(amounts, r.Amount)
		}
	}
	assert.Contains(t, amounts, 501*ips.Yuan)
	s.AssertBalance(p.Account, 500*ips.Yuan, 0)
}

func TestNoticeLostOrTwice(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.Person(0)
	s.WaitIdle()
	before := countNotices(s)

	s.Fault(ips.OpRecharge, ipstest.NoticeLost)
	req := rechargeOf(s, p, 500*ips.Yuan)
	got := carry[*ips.RechargeResponse](t, s, s.Client().Recharge, req)
	require.NoError(t, got.Err()) // the web return has come
	s.WaitIdle()
	assert.Equal(t, before, countNotices(s))
	s.Resend(ips.OpRecharge, req.OrderNo)
	sameBothWays(t, s, got)
	s.WaitIdle()
	assert.Equal(t, before+1, countNotices(s))

	s.Fault(ips.OpRecharge, ipstest.NoticeTwice)
	carry[*ips.RechargeResponse](t, s, s.Client().Recharge, rechargeOf(s, p, 500*ips.Yuan))
	s.WaitIdle()
	assert.Equal(t, before+3, countNotices(s))
}
