package scenario_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// The tests here run package ips as its users have it, against the sandbox. Its
// clock stands still at noon, and starts to move when a test advances it.

// refuses says how the sandbox answers an order that it has decided and that comes
// again unchanged: as a duplicate, or else with its first answer. Nobody has seen
// what IPS does, so every scenario is played under both.
var refuses bool

func TestMain(m *testing.M) {
	worst := 0
	for _, refuses = range []bool{true, false} {
		worst = max(worst, m.Run())
	}
	os.Exit(worst)
}

const merchantCode = "808801"

// noon is the moment at which the sandbox's clock stands.
func noon() time.Time { return time.Date(2026, time.March, 2, 12, 0, 0, 0, ips.China) }

func today() ips.Date { return ips.DateOf(noon()) }

// startIPS starts a sandbox for a test.
func startIPS(t *testing.T, opts ...ipstest.Option) *ipstest.Server {
	t.Helper()
	opts = append([]ipstest.Option{ipstest.WithClock(noon)}, opts...)
	if !refuses {
		opts = append(opts, ipstest.WithRepeatFirst())
	}
	t.Logf("IPS refuses repetitions: %t", refuses)
	return ipstest.NewServer(t, opts...)
}

// assertRepeated looks at the answer to an order that was decided and sent again.
func assertRepeated(t *testing.T, first, again ips.Response) {
	t.Helper()
	if !refuses {
		assertAnswer(t, first, again)
		return
	}
	assert.Equal(t, first.Base().Operation, again.Base().Operation)
	assert.Equal(t, first.Base().OrderNo, again.Base().OrderNo)
	assert.ErrorIs(t, again.Err(), ips.ErrDuplicate)
	assert.ErrorIs(t, again.Err(), ips.ErrFateUnknown, "a number that is taken says nothing of its order")
}

// seal makes a form of a request that the contract allows.
func seal[Q any](t *testing.T, method func(Q) (*ips.Form, error), req Q) *ips.Form {
	t.Helper()
	form, err := method(req)
	require.NoError(t, err)
	return form
}

// carry brings a request to IPS and back by a user who agrees to it.
func carry[R ips.Response, Q any](t *testing.T, s *ipstest.Server, method func(Q) (*ips.Form, error), req Q) R {
	t.Helper()
	return answerOf[R](t, s.Carry(seal(t, method, req)))
}

func answerOf[R ips.Response](t *testing.T, resp ips.Response) R {
	t.Helper()
	r, ok := resp.(R)
	require.True(t, ok, "%T", resp)
	return kept(t, r)
}

// kept is an answer as it is read back from where it was kept. It does not
// remember the document that it came as, so it can be compared with one that a
// test has written down.
func kept[R ips.Response](t *testing.T, resp R) R {
	t.Helper()
	data, err := ips.MarshalResponse(resp)
	require.NoError(t, err)
	back, err := ips.UnmarshalResponse(resp.Base().Operation, data)
	require.NoError(t, err)
	return back.(R)
}

// assertAnswer compares an answer with one that a test has written down.
func assertAnswer(t *testing.T, want, got ips.Response) {
	t.Helper()
	assert.Equal(t, kept(t, want), kept(t, got))
}

// notified waits for the final notification of the order that resp answers.
func notified[R ips.Response](t *testing.T, s *ipstest.Server, resp R) R {
	t.Helper()
	b := resp.Base()
	return answerOf[R](t, s.WaitNotification(b.Operation, b.OrderNo))
}

// sameBothWays asserts that the notification says what the web return, or the
// answer to the call, has said.
func sameBothWays[R ips.Response](t *testing.T, s *ipstest.Server, resp R) {
	t.Helper()
	notice := notified(t, s, resp)
	assert.Equal(t, ips.ServerToServer, notice.Base().Via)
	assert.NotEqual(t, ips.ServerToServer, resp.Base().Via)
	assert.Equal(t, withoutVia(t, resp), withoutVia(t, notice))
}

// withoutVia copies an answer and forgets how it came.
func withoutVia(t *testing.T, resp ips.Response) ips.Response {
	t.Helper()
	c := kept(t, resp)
	c.Base().Via = 0
	return c
}

// reply is the common part of an answer of the test merchant.
func reply(op ips.Operation, via ips.Via, code ips.Code, message, orderNo string) ips.Reply {
	info, _ := op.Info()
	return ips.Reply{
		Operation: op, Via: via, MerchantCode: merchantCode,
		Code: code, Message: message, Outcome: info.Outcome(code), OrderNo: orderNo,
	}
}

// done is the common part of a successful answer.
func done(op ips.Operation, via ips.Via, orderNo string) ips.Reply {
	return reply(op, via, ips.CodeSuccess, "操作成功", orderNo)
}

// takeNumber moves a number that IPS gave from the answer to what is expected
// of it, after a look at its form. IPS counts, so its numbers are not foretold.
func takeNumber(t *testing.T, form string, want, got *string) {
	t.Helper()
	assert.Regexp(t, form, *got)
	*want = *got
}

// requireRefusal asserts that IPS refused an order with the code, in words. Of a
// number that was used before that is no verdict on the order.
func requireRefusal(t *testing.T, want ips.Code, resp ips.Response) {
	t.Helper()
	b := resp.Base()
	require.Equal(t, want, b.Code, b.Message)
	if err := resp.Err(); errors.Is(err, ips.ErrDuplicate) {
		require.Equal(t, ips.Undecided, b.Outcome)
		require.ErrorIs(t, err, ips.ErrFateUnknown)
	} else {
		require.Equal(t, ips.Failure, b.Outcome)
	}
	requireRefused(t, want, resp.Err())
}

// requireRefused does it for the error of a method that calls IPS itself.
func requireRefused(t *testing.T, want ips.Code, err error) {
	t.Helper()
	var refusal *ips.Error
	require.ErrorAs(t, err, &refusal)
	require.ErrorIs(t, err, want)
	require.NotEmpty(t, refusal.Message)
}

// refusedCase is a request that differs from a good one, and how IPS refuses it.
type refusedCase[Q any] struct {
	name string
	with func(*Q)
	code ips.Code
}

// refusedForms sends the changed requests through the browser, each under an
// order number of its own unless it sets one, and asserts that they are refused
// and move no money of the accounts. The refusal of an operation with a page is
// posted to its notification address as well, that of a web service is not.
func refusedForms[Q any](t *testing.T, s *ipstest.Server, method func(Q) (*ips.Form, error), good func() Q, changes []refusedCase[Q], accounts ...string) {
	t.Helper()
	refusedAll(t, s, good, changes, accounts, func(t *testing.T, req Q) ips.Response {
		t.Helper()
		return s.Carry(seal(t, method, req))
	})
}

// refusedCalls is refusedForms for methods that call IPS themselves.
func refusedCalls[Q any, R ips.Response](t *testing.T, s *ipstest.Server, method func(Q) (R, error), good func() Q, changes []refusedCase[Q], accounts ...string) {
	t.Helper()
	refusedAll(t, s, good, changes, accounts, func(t *testing.T, req Q) ips.Response {
		t.Helper()
		resp, err := method(req)
		require.Error(t, err)
		require.Equal(t, resp.Err(), err)
		return resp
	})
}

func refusedAll[Q any](t *testing.T, s *ipstest.Server, good func() Q, changes []refusedCase[Q], accounts []string, send func(*testing.T, Q) ips.Response) {
	t.Helper()
	type money struct{ available, frozen ips.Amount }
	balances := func() map[string]money {
		m := make(map[string]money)
		for _, account := range append(accounts, merchantCode) {
			available, frozen := s.Balance(account)
			m[account] = money{available, frozen}
		}
		return m
	}
	before := balances()
	s.WaitIdle()
	notices := countNotices(s)
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			req := good()
			c.with(&req)
			resp := send(t, req)
			requireRefusal(t, c.code, resp)
			if info, ok := resp.Base().Operation.Info(); ok && strings.HasSuffix(info.Endpoint, ".aspx") {
				notices++
			}
		})
	}
	assert.Equal(t, before, balances())
	s.WaitIdle()
	assert.Equal(t, notices, countNotices(s), "notifications")
}

// countNotices counts the server-to-server notifications so far.
func countNotices(s *ipstest.Server) int {
	n := 0
	for _, resp := range s.Arrived() {
		if resp.Base().Via == ips.ServerToServer {
			n++
		}
	}
	return n
}

// call turns a method with a context into one without, for the test's.
func call[Q any, R ips.Response](t *testing.T, method func(context.Context, Q) (R, error)) func(Q) (R, error) {
	return func(req Q) (R, error) { return method(t.Context(), req) }
}

// loan is a bid of 10,000 with a guarantor and two investors, none of it paid out.
//
//	          available  frozen
//	borrower      1,500     500  margin
//	guarantor       700     300  margin
//	first         1,940   6,060  bid and fee
//	second        5,960   4,040  bid and fee
type loan struct {
	bid                                ips.RegisterBidRequest
	borrower, guarantor, first, second ipstest.Person
	guarantee                          ips.RegisterGuarantorRequest
	ofFirst, ofSecond                  ips.RegisterCreditorRequest
}

func openLoan(t *testing.T, s *ipstest.Server) loan {
	t.Helper()
	var l loan
	l.borrower, l.guarantor = s.Person(2000*ips.Yuan), s.Person(1000*ips.Yuan)
	l.first, l.second = s.Person(8000*ips.Yuan), s.Person(10_000*ips.Yuan)
	l.bid = openBid(t, s, l.borrower)
	l.guarantee = guaranteeOf(s, l.bid, l.guarantor)
	require.NoError(t, carry[*ips.RegisterGuarantorResponse](t, s, s.Client().RegisterGuarantor, l.guarantee).Err())
	l.ofFirst, l.ofSecond = investmentOf(s, l.bid, l.first, 6000*ips.Yuan), investmentOf(s, l.bid, l.second, 4000*ips.Yuan)
	for _, i := range []ips.RegisterCreditorRequest{l.ofFirst, l.ofSecond} {
		require.NoError(t, carry[*ips.CreditorResponse](t, s, s.Client().RegisterCreditor, i).Err())
	}
	return l
}

// runLoan opens a loan and pays all of it out, with the investors' fees and
// without the borrower's. He has 11,500 then, and the merchant 100.
func runLoan(t *testing.T, s *ipstest.Server) loan {
	t.Helper()
	l := openLoan(t, s)
	final := transferred(t, s, transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst), l.release(l.ofSecond)))
	require.NoError(t, final.Err())
	return l
}

// release is the row that pays an investment out, with the investor's fee.
func (l loan) release(i ips.RegisterCreditorRequest) ips.TransferRow {
	return ips.TransferRow{
		OriginalOrderNo: i.OrderNo, Amount: i.Amount, FromAccount: i.Account, FromFee: i.Fee, ToAccount: l.borrower.Account,
	}
}

func transferOf(s *ipstest.Server, bid ips.RegisterBidRequest, kind ips.TransferType, rows ...ips.TransferRow) ips.TransferRequest {
	return ips.TransferRequest{
		OrderNo: s.NewOrderNo(), BidNo: bid.BidNo, Date: today(), Type: kind, Mode: ips.TransferRowByRow, Rows: rows,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

// transferred carries out a transfer that may be pending and returns its final
// answer.
func transferred(t *testing.T, s *ipstest.Server, req ips.TransferRequest) *ips.TransferResponse {
	t.Helper()
	resp, err := s.Client().Transfer(t.Context(), req)
	require.NoError(t, err)
	return notified(t, s, resp)
}

// requireFailedRow asserts that a row failed with a code, which is in its text.
func requireFailedRow(t *testing.T, want ips.Code, status ips.RowStatus, message string) {
	t.Helper()
	require.Equal(t, ips.RowFailed, status)
	require.Contains(t, message, "错误码"+string(want))
}
