package ips_test

import (
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func TestNewOrderNo(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^ABCDE[0-9]{12}[A-Z2-7]{13}$`)
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				no := ips.NewOrderNo("ABCDE")
				mu.Lock()
				assert.Regexp(t, form, no)
				assert.LessOrEqual(t, len(no), 30)
				assert.False(t, seen[no], "given twice: %s", no)
				seen[no] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Len(t, seen, 8000)
	assert.Len(t, ips.NewOrderNo(""), 25)
	for _, prefix := range []string{"ABCDEF", "A-B", "订单"} {
		assert.Panics(t, func() { ips.NewOrderNo(prefix) }, prefix)
	}
}

// TestOrderStateNext is the whole table: every state, every outcome, every way.
func TestOrderStateNext(t *testing.T) {
	t.Parallel()
	const recorded, unknown, pending, done, refused = ips.OrderRecorded, ips.OrderUnknown, ips.OrderPending, ips.OrderDone, ips.OrderRefused
	type step struct {
		to     ips.OrderState
		change ips.Change
		err    error
	}
	as := func(s ips.OrderState) step { return step{to: s} }
	news := func(s ips.OrderState) step { return step{to: s, change: ips.Changed} }
	late := step{to: done, change: ips.Late}
	contradiction := step{to: done, err: ips.ErrContradiction}
	message := []ips.Via{ips.Synchronous, ips.WebReturn} // answers to a message, which may be a repetition
	order := []ips.Via{ips.ServerToServer, ips.Queried}  // words about the order
	both := append(append([]ips.Via{}, message...), order...)
	for _, c := range []struct {
		outcome                                   ips.Outcome
		ways                                      []ips.Via
		recorded, unknown, pending, done, refused step
	}{
		{ips.Undecided, both, as(recorded), as(unknown), as(pending), as(done), as(refused)},
		{ips.Pending, both, news(pending), news(pending), as(pending), as(done), as(refused)},
		{ips.Success, both, news(done), news(done), news(done), as(done), late},
		{ips.Failure, message, news(refused), as(unknown), as(pending), as(done), as(refused)},
		{ips.Failure, order, news(refused), news(refused), news(refused), contradiction, as(refused)},
	} {
		for _, via := range c.ways {
			for from, want := range map[ips.OrderState]step{
				recorded: c.recorded, unknown: c.unknown, pending: c.pending, done: c.done, refused: c.refused,
			} {
				answer := &ips.Reply{Operation: ips.OpRecharge, OrderNo: "R1", Via: via, Outcome: c.outcome, Code: ips.CodeFailed}
				to, change, err := from.Next(answer)
				name := fmt.Sprintf("%s + %s by %s", from, c.outcome, via)
				assert.Equal(t, want.to, to, name)
				assert.Equal(t, want.change, change, name)
				if want.err == nil {
					assert.NoError(t, err, name)
				} else {
					assert.ErrorIs(t, err, want.err, name)
				}
			}
		}
	}
	_, _, err := ips.OrderState("lost").Next(&ips.Reply{Outcome: ips.Success})
	require.ErrorContains(t, err, `unknown order state "lost"`)
	for s, final := range map[ips.OrderState]bool{recorded: false, unknown: false, pending: false, done: true, refused: true} {
		assert.Equal(t, final, s.Final(), s)
	}
}

// TestProofs: some refusals say how things stand, and not that nothing was done.
func TestProofs(t *testing.T) {
	t.Parallel()
	states := []ips.OrderState{ips.OrderRecorded, ips.OrderUnknown, ips.OrderPending, ips.OrderDone, ips.OrderRefused}
	for _, via := range []ips.Via{ips.Synchronous, ips.WebReturn, ips.ServerToServer, ips.Queried} {
		for _, from := range states {
			// The bid is over, whoever ended it.
			over := &ips.Reply{Operation: ips.OpEndBid, OrderNo: "B1", Via: via, Outcome: ips.Failure, Code: ips.CodeBidOver}
			to, change, err := from.Next(over)
			require.NoError(t, err)
			assert.Equal(t, ips.OrderDone, to, from)
			assert.Equal(t, map[ips.OrderState]ips.Change{ips.OrderDone: ips.Unchanged, ips.OrderRefused: ips.Late}[from] == change,
				from == ips.OrderDone || from == ips.OrderRefused, from)

			// The same form, posted twice, is refused so the second time.
			for op, code := range map[ips.Operation]ips.Code{ips.OpRegisterBid: ips.CodeBidExists, ips.OpRegisterGuarantor: ips.CodeGuarantorExists} {
				to, change, err := from.Next(&ips.Reply{Operation: op, OrderNo: "B1", Via: via, Outcome: ips.Failure, Code: code})
				require.NoError(t, err)
				assert.Equal(t, from, to)
				assert.Equal(t, ips.Unchanged, change)
			}
		}
	}
	// Of another operation the code is a refusal like any other.
	to, _, err := ips.OrderUnknown.Next(&ips.Reply{Operation: ips.OpRegisterCreditor, OrderNo: "C1", Via: ips.ServerToServer, Outcome: ips.Failure, Code: ips.CodeBidOver})
	require.NoError(t, err)
	assert.Equal(t, ips.OrderRefused, to)
}

// TestBidOver brings the proof over the wire: a signed refusal of an end whose
// first answer was lost.
func TestBidOver(t *testing.T) {
	t.Parallel()
	a := fixture.Sealed(ips.CodeBidOver, "结束标的失败，标的已结束", fixture.Document("pMerBillNo", "B20141213000001", "pOperationType", "2"))
	c, _ := fixture.RecordingClient(t, a.Page(), "text/html")
	e := exampleOf(t, ips.OpEndBid)
	_, resp, err := e.send(c, e.request)
	require.ErrorIs(t, err, ips.ErrBidOver)
	require.ErrorIs(t, err, ips.CodeBidOver)
	assert.NotErrorIs(t, err, ips.ErrFateUnknown)
	to, change, err := ips.OrderUnknown.Next(resp.Base())
	require.NoError(t, err)
	assert.Equal(t, ips.OrderDone, to)
	assert.Equal(t, ips.Changed, change)

	// A refusal that names no order may be about any: it settles nothing, and the
	// error says no more than the state does.
	for _, unnamed := range []string{"", fixture.Document("pOperationType", "2"), fixture.Document("pMerBillNo", "", "pOperationType", "2")} {
		c, _ := fixture.RecordingClient(t, fixture.Sealed(ips.CodeBidOver, "结束标的失败，标的已结束", unnamed).Page(), "text/html")
		_, resp, err := e.send(c, e.request)
		require.ErrorIs(t, err, ips.ErrFateUnknown, unnamed)
		require.ErrorIs(t, err, ips.CodeBidOver)
		require.NotErrorIs(t, err, ips.ErrBidOver)
		assert.Equal(t, ips.Undecided, resp.Base().Outcome)
		to, change, err := ips.OrderUnknown.Next(resp.Base())
		require.NoError(t, err)
		assert.Equal(t, ips.OrderUnknown, to)
		assert.Equal(t, ips.Unchanged, change)
	}

	for _, code := range []ips.Code{ips.CodeBidUnknown, ips.CodeBidNoInfo} { // prove nothing of its money
		_, err := read1(t, ips.OpEndBid, code)
		assert.NotErrorIs(t, err, ips.ErrBidOver)
	}
	_, err = read1(t, ips.OpRegisterCreditor, ips.CodeBidOver)
	assert.NotErrorIs(t, err, ips.ErrBidOver)
}

// read1 is an answer to op that names order X1 and says the code, and its error.
func read1(t *testing.T, op ips.Operation, code ips.Code) (*ips.Reply, error) {
	t.Helper()
	resp, err := fixture.Client(t).ParseNotification(fixture.Sealed(code, "信息", fixture.Document("pMerBillNo", "X1", "pMemo1", "x")).Inbound(op), op)
	require.NoError(t, err)
	return resp.Base(), resp.Err()
}

// TestDuplicates: that a number was used before says nothing of how that order
// ended, by whichever code and operation IPS says it.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		if fixture.Info(t, tt.op).Transport == ips.QueryService {
			continue
		}
		for code, text := range map[ips.Code]string{
			ips.CodeDuplicate: "充值失败", ips.CodeFailed: "失败，订单号重复，错误码MG00001F", "MG09077F": "转账失败，商户订单号重复(T1)",
		} {
			a := fixture.Sealed(code, text, fixture.Document("pMerBillNo", "X1"))
			resp, err := fixture.Client(t).ParseNotification(a.Inbound(tt.op), tt.op)
			require.NoError(t, err)
			base := resp.Base()
			assert.Equal(t, ips.Undecided, base.Outcome, "%s %s", tt.op, code)
			for _, want := range []error{ips.ErrDuplicate, ips.ErrFateUnknown, code} {
				assert.ErrorIs(t, resp.Err(), want)
			}
			_, keyed := base.Key()
			assert.False(t, keyed, "it would be taken for a copy of the next one")
			for _, from := range []ips.OrderState{ips.OrderRecorded, ips.OrderUnknown, ips.OrderPending, ips.OrderDone} {
				to, change, err := from.Next(base)
				require.NoError(t, err)
				assert.Equal(t, from, to)
				assert.Equal(t, ips.Unchanged, change)
			}
		}
	}
	base, err := read1(t, ips.OpRegisterBid, ips.CodeBidExists) // the bid's number, not the order's
	assert.Equal(t, ips.Failure, base.Outcome)
	assert.NotErrorIs(t, err, ips.ErrDuplicate)
}

// TestResumedOpening: a user whom IPS gave up goes on under the same number, as
// the contract wants it. The account that he opens is not lost.
func TestResumedOpening(t *testing.T) {
	t.Parallel()
	c := fixture.Client(t)
	at := ips.OrderRecorded
	for _, step := range []struct {
		code   ips.Code
		doc    string
		to     ips.OrderState
		change ips.Change
	}{
		{"MG01093F", fixture.Document("pMerBillNo", "A1", "pStatus", "5"), ips.OrderRefused, ips.Changed},
		{"MG00000F", fixture.Document("pMerBillNo", "A1", "pStatus", "10", "pIpsAcctNo", "4021000000000001"), ips.OrderDone, ips.Late},
		{"MG00000F", fixture.Document("pMerBillNo", "A1", "pStatus", "10", "pIpsAcctNo", "4021000000000001"), ips.OrderDone, ips.Unchanged},
	} {
		resp, err := c.ParseNotification(fixture.Sealed(step.code, "", step.doc).Inbound(ips.OpOpenAccount), ips.OpOpenAccount)
		require.NoError(t, err)
		var change ips.Change
		at, change, err = at.Next(resp.Base())
		require.NoError(t, err)
		assert.Equal(t, step.to, at)
		assert.Equal(t, step.change, change)
	}
}

// TestNextOfAQuery: that a question succeeded says nothing of the order that it
// was about.
func TestNextOfAQuery(t *testing.T) {
	t.Parallel()
	for _, status := range []ips.TradeStatus{ips.TradeDone, ips.TradeFailed, ips.TradeInWork, ips.TradeNotFound, ""} {
		c := tradeClient(t, ips.TradeQueryAtQuery, &fixture.Recorder{Answer: tradeResult(t, "R1", "08", status), ContentType: "text/xml"})
		answer, err := c.QueryTrade(t.Context(), rechargeQuestion)
		require.NoError(t, err)
		for _, from := range []ips.OrderState{ips.OrderRecorded, ips.OrderUnknown, ips.OrderPending, ips.OrderDone, ips.OrderRefused} {
			to, change, err := from.Next(answer.Base())
			require.ErrorContains(t, err, "Asked", "%s + %s", from, status)
			assert.Equal(t, from, to)
			assert.Equal(t, ips.Unchanged, change)
		}
	}
	for _, op := range ips.Operations() {
		_, _, err := ips.OrderUnknown.Next(&ips.Reply{Operation: op.Operation, OrderNo: "R1", Outcome: ips.Success})
		assert.Equal(t, op.Transport == ips.QueryService, err != nil, op.Operation)
	}
	to, change, err := ips.OrderUnknown.Next(nil)
	require.Error(t, err)
	assert.Equal(t, ips.OrderUnknown, to)
	assert.Equal(t, ips.Unchanged, change)
}

// TestBidThatIPSDoesNotKnow: after an end that may have been sent it proves
// nothing about the bid's money.
func TestBidThatIPSDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, code := range []ips.Code{ips.CodeBidUnknown, ips.CodeBidNoInfo} {
		for _, via := range []ips.Via{ips.Synchronous, ips.ServerToServer} {
			answer := &ips.Reply{Operation: ips.OpEndBid, OrderNo: "B1", Via: via, Outcome: ips.Failure, Code: code}
			for from, want := range map[ips.OrderState]ips.OrderState{
				ips.OrderRecorded: ips.OrderRefused, // of the first message it is the plain answer
				ips.OrderUnknown:  ips.OrderUnknown, ips.OrderPending: ips.OrderPending, ips.OrderRefused: ips.OrderRefused,
			} {
				to, _, err := from.Next(answer)
				require.NoError(t, err)
				assert.Equal(t, want, to, "%s + %s by %s", from, code, via)
			}
		}
		_, _, err := ips.OrderDone.Next(&ips.Reply{Operation: ips.OpEndBid, OrderNo: "B1", Via: ips.ServerToServer, Outcome: ips.Failure, Code: code})
		require.ErrorIs(t, err, ips.ErrContradiction)
		// Of another operation it is a refusal like any other.
		to, _, err := ips.OrderUnknown.Next(&ips.Reply{Operation: ips.OpRecharge, OrderNo: "B1", Via: ips.ServerToServer, Outcome: ips.Failure, Code: code})
		require.NoError(t, err)
		assert.Equal(t, ips.OrderRefused, to)
	}
}
