package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// instalment is a row of a repayment; the platform takes 1 from the creditor
// and 2 from the borrower.
func instalment(i ips.RegisterCreditorRequest, amount ips.Amount) ips.RepayRow {
	return ips.RepayRow{
		CreditorOrderNo: i.OrderNo, Account: i.Account, Amount: amount, Fee: ips.Yuan, BorrowerFee: 2 * ips.Yuan,
	}
}

func repaymentOf(s *ipstest.Server, bid ips.RegisterBidRequest, rows ...ips.RepayRow) ips.RepayRequest {
	req := ips.RepayRequest{
		OrderNo: s.NewOrderNo(), BidNo: bid.BidNo, Date: today(), Account: bid.Account, Rows: rows,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
	req.Amount, req.Fee = ips.RepayTotals(rows)
	return req
}

func autoRepaymentOf(s *ipstest.Server, bid ips.RegisterBidRequest, authNo string, rows ...ips.RepayRow) ips.AutoRepayRequest {
	r := repaymentOf(s, bid, rows...)
	return ips.AutoRepayRequest{
		OrderNo: r.OrderNo, BidNo: r.BidNo, Date: r.Date, AuthNo: authNo, Account: r.Account,
		Amount: r.Amount, Fee: r.Fee, Rows: r.Rows, Memos: r.Memos,
	}
}

// repaid carries out a repayment and returns its final answer.
func repaid(t *testing.T, s *ipstest.Server, req ips.RepayRequest) *ips.RepayResponse {
	t.Helper()
	first := carry[*ips.RepayResponse](t, s, s.Client().Repay, req)
	require.NoError(t, first.Err())
	return notified(t, s, first)
}

func wantRepayment(r ips.Reply, bidNo, billNo string) *ips.RepayResponse {
	return &ips.RepayResponse{
		Reply: r, BidNo: bidNo, Date: today(), IPSBillNo: billNo, IPSDate: today(),
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func paidRows(rows []ips.RepayRow) []ips.RepayRowResult {
	var results []ips.RepayRowResult
	for _, r := range rows {
		results = append(results, ips.RepayRowResult{
			CreditorOrderNo: r.CreditorOrderNo, Account: r.Account, Fee: r.Fee, Status: ips.RowDone,
		})
	}
	return results
}

func TestRepay(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	req := repaymentOf(s, l.bid, instalment(l.ofFirst, 600*ips.Yuan), instalment(l.ofSecond, 400*ips.Yuan))
	first := carry[*ips.RepayResponse](t, s, s.Client().Repay, req)
	assert.Regexp(t, `^CRY\d{16}$`, first.IPSBillNo)
	assertAnswer(t, wantRepayment(reply(ips.OpRepay, ips.WebReturn, ips.CodeProcessing, "IPS受理中！", req.OrderNo),
		req.BidNo, first.IPSBillNo), first)
	assert.Equal(t, ips.Pending, first.Outcome)

	want := wantRepayment(done(ips.OpRepay, ips.ServerToServer, req.OrderNo), req.BidNo, first.IPSBillNo)
	want.Rows = paidRows(req.Rows)
	assertAnswer(t, want, notified(t, s, first))
	s.AssertBalance(l.borrower.Account, 10_496*ips.Yuan, 500*ips.Yuan)
	s.AssertBalance(l.first.Account, 2539*ips.Yuan, 0)
	s.AssertBalance(l.second.Account, 6359*ips.Yuan, 0)
	s.AssertBalance(merchantCode, 106*ips.Yuan, 0)

	again := carry[*ips.RepayResponse](t, s, s.Client().Repay, req)
	assertRepeated(t, first, again)
	s.AssertBalance(l.borrower.Account, 10_496*ips.Yuan, 500*ips.Yuan)
}

func TestAutoRepay(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	authNo := signAutoRepay(t, s, autoRepayContractOf(s, l.borrower))
	s.SetManual(l.borrower.Account) // he is not asked

	req := autoRepaymentOf(s, l.bid, authNo, instalment(l.ofFirst, 600*ips.Yuan), instalment(l.ofSecond, 400*ips.Yuan))
	first, err := s.Client().AutoRepay(t.Context(), req)
	require.NoError(t, err)
	assertAnswer(t, wantRepayment(reply(ips.OpAutoRepay, ips.Synchronous, ips.CodeProcessing, "IPS受理中！", req.OrderNo),
		req.BidNo, first.IPSBillNo), first)
	want := wantRepayment(done(ips.OpAutoRepay, ips.ServerToServer, req.OrderNo), req.BidNo, first.IPSBillNo)
	want.Rows = paidRows(req.Rows)
	assertAnswer(t, want, notified(t, s, first))
	s.AssertBalance(l.borrower.Account, 10_496*ips.Yuan, 500*ips.Yuan)

	again, err := s.Client().AutoRepay(t.Context(), req)
	require.Equal(t, again.Err(), err)
	assertRepeated(t, first, again)
	s.AssertBalance(l.borrower.Account, 10_496*ips.Yuan, 500*ips.Yuan)
}

func TestRepayHeld(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	s.Fault(ips.OpRepay, ipstest.Held)
	first := carry[*ips.RepayResponse](t, s, s.Client().Repay, repaymentOf(s, l.bid, instalment(l.ofFirst, 600*ips.Yuan)))
	assert.Equal(t, ips.Pending, first.Outcome)
	s.WaitIdle()
	before := countNotices(s)
	s.Release(ips.OpRepay)
	assert.Equal(t, ips.Success, notified(t, s, first).Outcome)
	s.WaitIdle()
	assert.Equal(t, before+1, countNotices(s))
}

func TestRepayInPart(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	s.Fault(ips.OpRepay, ipstest.FailedRow(2))
	final := repaid(t, s, repaymentOf(s, l.bid, instalment(l.ofFirst, 600*ips.Yuan), instalment(l.ofSecond, 400*ips.Yuan)))
	require.Equal(t, ips.Success, final.Outcome)
	assert.Equal(t, ips.RowDone, final.Rows[0].Status)
	requireFailedRow(t, "MG12099F", final.Rows[1].Status, final.Rows[1].Message)
	s.AssertBalance(l.borrower.Account, 10_898*ips.Yuan, 500*ips.Yuan)
	s.AssertBalance(l.first.Account, 2539*ips.Yuan, 0)
	s.AssertBalance(l.second.Account, 5960*ips.Yuan, 0)
}

// Rows that IPS refuses, each in a repayment of its own, which fails as a whole.
func TestRepayFailedRows(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := openLoan(t, s)
	transferred(t, s, transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst)))
	s.Recharge(l.borrower, 9000*ips.Yuan)
	for _, tt := range []struct {
		name   string
		change func(*ips.RepayRow)
		code   ips.Code
	}{
		{"no such claim", func(r *ips.RepayRow) { r.CreditorOrderNo = "T0" }, "MG12030F"},
		{"not the holder", func(r *ips.RepayRow) { r.Account = l.second.Account }, "MG12031F"},
		{"not released yet", func(r *ips.RepayRow) { *r = instalment(l.ofSecond, 100*ips.Yuan) }, "MG12033F"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := instalment(l.ofFirst, 100*ips.Yuan)
			tt.change(&row)
			final := repaid(t, s, repaymentOf(s, l.bid, row))
			requireRefusal(t, "MG12044F", final)
			require.Len(t, final.Rows, 1)
			requireFailedRow(t, tt.code, final.Rows[0].Status, final.Rows[0].Message)
		})
	}
	s.AssertBalance(l.borrower.Account, 16_500*ips.Yuan, 500*ips.Yuan)
	s.AssertBalance(l.first.Account, 1940*ips.Yuan, 0)

	require.NoError(t, repaid(t, s, repaymentOf(s, l.bid, instalment(l.ofFirst, 7440*ips.Yuan))).Err())
}

func TestRepayRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l, raising := runLoan(t, s), openBid(t, s, s.Person(500*ips.Yuan))
	early := s.Invest(raising, l.first, 100*ips.Yuan)
	first := repaymentOf(s, l.bid, instalment(l.ofFirst, 100*ips.Yuan))
	repaid(t, s, first)

	type req = ips.RepayRequest
	rows := func(r *req, rows ...ips.RepayRow) {
		r.Rows = rows
		r.Amount, r.Fee = ips.RepayTotals(rows)
	}
	good := func() req { return repaymentOf(s, l.bid, instalment(l.ofFirst, 100*ips.Yuan)) }
	refusedForms(t, s, s.Client().Repay, good, []refusedCase[req]{
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG12020F"},
		{"bid not running", func(r *req) { *r = repaymentOf(s, raising, instalment(early, 50*ips.Yuan)) }, "MG12021F"},
		{"not from the borrower", func(r *req) { r.Account = l.first.Account }, "MG12022F"},
		{"more than the borrower has", func(r *req) {
			rows(r, instalment(l.ofFirst, 7000*ips.Yuan), instalment(l.ofSecond, 4800*ips.Yuan))
		}, "MG12028F"},
		{"number taken by another repayment", func(r *req) { r.OrderNo = first.OrderNo; rows(r, instalment(l.ofFirst, 99*ips.Yuan)) }, "MG12090F"},
		{"number taken, only a row differs", func(r *req) {
			r.OrderNo = first.OrderNo
			rows(r, ips.RepayRow{
				CreditorOrderNo: l.ofFirst.OrderNo, Account: l.first.Account,
				Amount: 100 * ips.Yuan, Fee: 2 * ips.Yuan, BorrowerFee: 2 * ips.Yuan,
			})
		}, "MG12090F"},
	}, l.borrower.Account, l.first.Account, l.second.Account)
}

func TestAutoRepayRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	contract := autoRepayContractOf(s, l.borrower)
	contract.ValidUnit, contract.Valid = ips.PeriodDays, 1
	authNo := signAutoRepay(t, s, contract)
	foreign := signAutoRepay(t, s, autoRepayContractOf(s, l.first))
	forBids := signAutoBid(t, s, autoBidContractOf(s, l.borrower))
	unlimited := autoRepayContractOf(s, l.borrower)
	unlimited.ValidUnit, unlimited.Valid = ips.PeriodUnlimited, 0
	forEver := signAutoRepay(t, s, unlimited)

	type req = ips.AutoRepayRequest
	good := func() req { return autoRepaymentOf(s, l.bid, authNo, instalment(l.ofFirst, 100*ips.Yuan)) }
	refusedCalls(t, s, call(t, s.Client().AutoRepay), good, []refusedCase[req]{
		{"no such contract", func(r *req) { r.AuthNo = "AUT0" }, "MG12026F"},
		{"another's contract", func(r *req) { r.AuthNo = foreign }, "MG12026F"},
		{"contract for bids", func(r *req) { r.AuthNo = forBids }, "MG12026F"},
		{"not from the borrower", func(r *req) { r.Account = l.first.Account }, "MG12022F"},
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG12020F"},
	}, l.borrower.Account, l.first.Account)

	s.Advance(36 * time.Hour) // the end of the next day
	_, err := s.Client().AutoRepay(t.Context(), good())
	requireRefused(t, "MG12027F", err)
	_, err = s.Client().AutoRepay(t.Context(), autoRepaymentOf(s, l.bid, forEver, instalment(l.ofFirst, 100*ips.Yuan)))
	require.NoError(t, err)
}

func TestRepayPage(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	s.SetManual(l.borrower.Account)
	form := func() *ips.Form {
		return seal(t, s.Client().Repay, repaymentOf(s, l.bid, instalment(l.ofFirst, 600*ips.Yuan)))
	}
	for _, tt := range []struct {
		name string
		resp ips.Response
		code ips.Code
	}{
		{"cancelled", s.Cancel(form()), "MG12091F"},
		{"three wrong passwords", s.Carry(form(), "0", "1", "2"), "MG12092F"},
	} {
		requireRefusal(t, tt.code, tt.resp)
		sameBothWays(t, s, answerOf[*ips.RepayResponse](t, tt.resp))
	}
	left := form()
	s.Leave(left)
	s.Advance(30 * time.Minute)
	requireRefusal(t, "MG12093F", s.WaitNotification(ips.OpRepay, left.OrderNo()))
	s.AssertBalance(l.borrower.Account, 11_500*ips.Yuan, 500*ips.Yuan)
}

// After a debt transfer the new creditor is paid, and the old one is not.
func TestRepayAfterDebtTransfer(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	buyer := s.Person(6000 * ips.Yuan)
	sell(t, s, l, l.saleOf(s, buyer))
	toBuyer := instalment(l.ofFirst, 600*ips.Yuan)
	toBuyer.Account = buyer.Account

	final := repaid(t, s, repaymentOf(s, l.bid, instalment(l.ofFirst, 600*ips.Yuan), toBuyer))
	requireFailedRow(t, "MG12031F", final.Rows[0].Status, final.Rows[0].Message)
	assert.Equal(t, ips.RowDone, final.Rows[1].Status)
	s.AssertBalance(buyer.Account, 894*ips.Yuan, 0)    // 6000 - 5705 + 599
	s.AssertBalance(l.first.Account, 7630*ips.Yuan, 0) // 1940 + 5690
	s.AssertBalance(l.borrower.Account, 10_898*ips.Yuan, 500*ips.Yuan)
}

// After the sale of a part both are paid, each for his own.
func TestRepayAfterPartialDebtTransfer(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	buyer := s.Person(2000 * ips.Yuan)
	sale := l.saleOf(s, buyer)
	sale.Kind, sale.FaceAmount, sale.Price = ips.TransferPartClaim, 2000*ips.Yuan, 1900*ips.Yuan
	sell(t, s, l, sale)
	toBuyer := instalment(l.ofFirst, 200*ips.Yuan)
	toBuyer.Account = buyer.Account

	final := repaid(t, s, repaymentOf(s, l.bid, instalment(l.ofFirst, 400*ips.Yuan), toBuyer))
	assert.Equal(t, ips.RowDone, final.Rows[0].Status)
	assert.Equal(t, ips.RowDone, final.Rows[1].Status)
	s.AssertBalance(buyer.Account, 294*ips.Yuan, 0)    // 2000 - 1905 + 199
	s.AssertBalance(l.first.Account, 4229*ips.Yuan, 0) // 1940 + 1890 + 399
}

// What is repaid cannot be sold, and a bid whose debts are repaid can end.
func TestEndOfARepaidBid(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	require.NoError(t, repaid(t, s, repaymentOf(s, l.bid, instalment(l.ofFirst, 6000*ips.Yuan), instalment(l.ofSecond, 4000*ips.Yuan))).Err())
	buyer := s.Person(6000 * ips.Yuan)
	requireRefusal(t, "MG05026F", carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, l.saleOf(s, buyer)))

	ended := endOfBid(t, s, l.bid)
	assert.Equal(t, ips.BidEnded, ended.Status)
	s.AssertBalance(l.borrower.Account, 1996*ips.Yuan, 0) // 12,000 - 10,000 - 4
	s.AssertBalance(l.guarantor.Account, 1000*ips.Yuan, 0)
	s.AssertBalance(l.first.Account, 7939*ips.Yuan, 0)
	s.AssertBalance(l.second.Account, 9959*ips.Yuan, 0)
	s.AssertBalance(merchantCode, 106*ips.Yuan, 0)
}

// The largest repayment that the contract allows.
func TestRepay300Rows(t *testing.T) {
	t.Parallel()
	const n = 300
	s := startIPS(t)
	bid, claims := manyClaims(t, s, n)
	release := transferOf(s, bid, ips.TransferInvestment)
	var rows []ips.RepayRow
	for _, c := range claims {
		release.Rows = append(release.Rows, ips.TransferRow{
			OriginalOrderNo: c.OrderNo, Amount: c.Amount, FromAccount: c.Account, ToAccount: bid.Account,
		})
		rows = append(rows, ips.RepayRow{CreditorOrderNo: c.OrderNo, Account: c.Account, Amount: 10*ips.Yuan + 10*ips.Fen})
	}
	release.Mode = ips.TransferBatched
	require.NoError(t, transferred(t, s, release).Err())
	s.AssertBalance(bid.Account, 3000*ips.Yuan, 500*ips.Yuan)
	s.Recharge(ipstest.Person{IdentNo: bid.IdentNo, Name: bid.RealName, Account: bid.Account}, 30*ips.Yuan)

	final := repaid(t, s, repaymentOf(s, bid, rows...))
	require.NoError(t, final.Err())
	assert.Equal(t, paidRows(rows), final.Rows)
	s.AssertBalance(bid.Account, 0, 500*ips.Yuan)
	s.AssertBalance(claims[0].Account, 3030*ips.Yuan, 0)
}
