package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func wantTransfer(r ips.Reply, req ips.TransferRequest) *ips.TransferResponse {
	return &ips.TransferResponse{
		Reply: r, BidNo: req.BidNo, Date: req.Date, Type: req.Type, Mode: req.Mode, IPSTime: ips.Time{Time: noon()},
		Memos: req.Memos,
	}
}

// doneRow is what IPS says of a row that it carried out, without its number.
func doneRow(row ips.TransferRow) ips.TransferRowResult {
	or := func(t ips.AccountType) ips.AccountType {
		if t == "" {
			return ips.AccountPerson
		}
		return t
	}
	return ips.TransferRowResult{
		OriginalOrderNo: row.OriginalOrderNo, Amount: row.Amount,
		FromAccountType: or(row.FromAccountType), FromAccount: row.FromAccount, FromFee: row.FromFee,
		ToAccountType: or(row.ToAccountType), ToAccount: row.ToAccount, ToFee: row.ToFee,
		IPSTime: ips.Time{Time: noon()}, Status: ips.RowDone,
	}
}

// assertTransferred compares the final answer of a transfer whose rows were all
// carried out.
func assertTransferred(t *testing.T, req ips.TransferRequest, via ips.Via, got *ips.TransferResponse) {
	t.Helper()
	want := wantTransfer(done(ips.OpTransfer, via, req.OrderNo), req)
	takeNumber(t, `^20260302\d{3,}$`, &want.IPSBillNo, &got.IPSBillNo)
	require.Len(t, got.Rows, len(req.Rows))
	seen := make(map[string]bool)
	for i, row := range req.Rows {
		w := doneRow(row)
		takeNumber(t, `^20260302\d{3,}\d{4}$`, &w.IPSBillNo, &got.Rows[i].IPSBillNo)
		assert.False(t, seen[w.IPSBillNo], "a number twice")
		seen[w.IPSBillNo] = true
		want.Rows = append(want.Rows, w)
	}
	assertAnswer(t, want, got)
}

func TestTransferInvestment(t *testing.T) {
	t.Parallel()
	for _, mode := range []ips.TransferMode{ips.TransferRowByRow, ips.TransferBatched} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := startIPS(t)
			l := openLoan(t, s)
			first, second := l.release(l.ofFirst), l.release(l.ofSecond)
			first.ToFee, second.ToFee = 60*ips.Yuan, 40*ips.Yuan // the 100 that are registered
			second.FromFee = 30 * ips.Yuan                       // of 40 that are frozen
			req := transferOf(s, l.bid, ips.TransferInvestment, first, second)
			req.Mode = mode

			pending, err := s.Client().Transfer(t.Context(), req)
			require.NoError(t, err)
			want := wantTransfer(reply(ips.OpTransfer, ips.Synchronous, ips.CodeProcessing, "IPS受理中！", req.OrderNo), req)
			want.IPSBillNo = pending.IPSBillNo
			assertAnswer(t, want, pending)
			assert.Equal(t, ips.Pending, pending.Outcome)

			final := notified(t, s, pending)
			assert.Equal(t, pending.IPSBillNo, final.IPSBillNo)
			assertTransferred(t, req, ips.ServerToServer, final)
			s.AssertBalance(l.borrower.Account, 11_400*ips.Yuan, 500*ips.Yuan)
			s.AssertBalance(l.first.Account, 1940*ips.Yuan, 0)
			s.AssertBalance(l.second.Account, 5970*ips.Yuan, 0) // 10 of the fee are his again
			s.AssertBalance(merchantCode, 190*ips.Yuan, 0)      // 60 + 30 + 100

			again, err := s.Client().Transfer(t.Context(), req)
			require.Equal(t, again.Err(), err)
			assertRepeated(t, pending, again)
			s.AssertBalance(l.borrower.Account, 11_400*ips.Yuan, 500*ips.Yuan)
		})
	}
}

// 随投随放: money is released early, and again while more bids come.
func TestTransferInvestmentEarlyAndAgain(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower, investor := s.Person(500*ips.Yuan), s.Person(5000*ips.Yuan)
	bid := openBid(t, s, borrower)
	for i := range ips.Amount(3) {
		s.PayOut(bid, s.Invest(bid, investor, 1000*ips.Yuan))
		s.AssertBalance(borrower.Account, (i+1)*1000*ips.Yuan, 500*ips.Yuan)
		s.AssertBalance(investor.Account, (4-i)*1000*ips.Yuan, 0)
	}
}

// The final answer of a batch can take its time.
func TestTransferHeld(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := openLoan(t, s)
	s.Fault(ips.OpTransfer, ipstest.Held)
	req := transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst))
	pending, err := s.Client().Transfer(t.Context(), req)
	require.NoError(t, err)
	pending = kept(t, pending)
	s.WaitIdle()
	for _, resp := range s.Arrived() {
		assert.NotEqual(t, ips.OpTransfer, resp.Base().Operation, "nothing was said yet")
	}
	again, err := s.Client().Transfer(t.Context(), req)
	require.Equal(t, again.Err(), err)
	assertRepeated(t, pending, again)

	s.Release(ips.OpTransfer)
	assertTransferred(t, req, ips.ServerToServer, notified(t, s, pending))
}

// A batch can succeed in part; what failed can be sent again under a new
// number.
func TestTransferInPart(t *testing.T) {
	t.Parallel()
	for _, mode := range []ips.TransferMode{ips.TransferRowByRow, ips.TransferBatched} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := startIPS(t)
			l := openLoan(t, s)
			s.Fault(ips.OpTransfer, ipstest.FailedRow(1))
			req := transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst), l.release(l.ofSecond))
			req.Mode = mode
			final := transferred(t, s, req)
			require.Equal(t, ips.Success, final.Outcome)
			requireFailedRow(t, "MG09099F", final.Rows[0].Status, final.Rows[0].Message)
			assert.Equal(t, ips.RowDone, final.Rows[1].Status)
			assert.Empty(t, final.Rows[1].Message)
			s.AssertBalance(l.borrower.Account, 5500*ips.Yuan, 500*ips.Yuan)
			s.AssertBalance(l.first.Account, 1940*ips.Yuan, 6060*ips.Yuan)
			s.AssertBalance(l.second.Account, 5960*ips.Yuan, 0)

			final = transferred(t, s, transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst)))
			assert.Equal(t, ips.RowDone, final.Rows[0].Status)
			s.AssertBalance(l.borrower.Account, 11_500*ips.Yuan, 500*ips.Yuan)
			s.AssertBalance(l.first.Account, 1940*ips.Yuan, 0)
		})
	}
}

// failedRow is a row that IPS refuses, and how.
type failedRow struct {
	name string
	row  ips.TransferRow
	code ips.Code
}

// assertFailedRows sends each row in a batch of its own, which fails as a whole.
func assertFailedRows(t *testing.T, s *ipstest.Server, bid ips.RegisterBidRequest, kind ips.TransferType, rows []failedRow, accounts ...string) {
	t.Helper()
	type money struct{ available, frozen ips.Amount }
	before := make(map[string]money)
	for _, a := range accounts {
		available, frozen := s.Balance(a)
		before[a] = money{available, frozen}
	}
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			final := transferred(t, s, transferOf(s, bid, kind, tt.row))
			requireRefusal(t, "MG09044F", final)
			require.Len(t, final.Rows, 1)
			requireFailedRow(t, tt.code, final.Rows[0].Status, final.Rows[0].Message)
		})
	}
	for _, a := range accounts {
		s.AssertBalance(a, before[a].available, before[a].frozen)
	}
}

// but copies a row and changes it.
func but(row ips.TransferRow, change func(*ips.TransferRow)) ips.TransferRow {
	change(&row)
	return row
}

func TestTransferInvestmentFailedRows(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l, other := openLoan(t, s), openLoan(t, s)
	require.Equal(t, ips.Success, transferred(t, s, transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofSecond))).Outcome)

	row := l.release(l.ofFirst)
	assertFailedRows(t, s, l.bid, ips.TransferInvestment, []failedRow{
		{"no such investment", but(row, func(r *ips.TransferRow) { r.OriginalOrderNo = "T0" }), "MG09030F"},
		{"investment in another bid", but(row, func(r *ips.TransferRow) { r.OriginalOrderNo = other.ofFirst.OrderNo }), "MG09030F"},
		{"released before", l.release(l.ofSecond), "MG09031F"},
		{"less than was bid", but(row, func(r *ips.TransferRow) { r.Amount-- }), "MG09032F"},
		{"more than was bid", but(row, func(r *ips.TransferRow) { r.Amount++ }), "MG09032F"},
		{"another investor", but(row, func(r *ips.TransferRow) { r.FromAccount = l.second.Account }), "MG09033F"},
		{"more than the frozen fee", but(row, func(r *ips.TransferRow) { r.FromFee++ }), "MG09034F"},
		{"more than the borrower's fee", but(row, func(r *ips.TransferRow) { r.ToFee = 100*ips.Yuan + ips.Fen }), "MG09035F"},
	}, l.borrower.Account, l.first.Account, l.second.Account, merchantCode)
}

// The same investment twice in one batch is released once.
func TestTransferInvestmentTwiceInABatch(t *testing.T) {
	t.Parallel()
	for _, mode := range []ips.TransferMode{ips.TransferRowByRow, ips.TransferBatched} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := startIPS(t)
			l := openLoan(t, s)
			req := transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst), l.release(l.ofFirst))
			req.Mode = mode
			final := transferred(t, s, req)
			assert.Equal(t, ips.RowDone, final.Rows[0].Status)
			requireFailedRow(t, "MG09031F", final.Rows[1].Status, final.Rows[1].Message)
			s.AssertBalance(l.borrower.Account, 7500*ips.Yuan, 500*ips.Yuan)
		})
	}
}

func TestTransferRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l, ended := openLoan(t, s), openLoan(t, s)
	endOfBid(t, s, ended.bid)
	first := transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofSecond))
	transferred(t, s, first)

	type req = ips.TransferRequest
	good := func() req { return transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst)) }
	compensation := ips.TransferRow{
		OriginalOrderNo: l.ofSecond.OrderNo, Amount: ips.Yuan, FromAccount: l.guarantor.Account, ToAccount: l.second.Account,
	}
	profit := ips.TransferRow{
		OriginalOrderNo: l.guarantee.OrderNo, Amount: ips.Yuan, FromAccount: l.borrower.Account, ToAccount: l.guarantor.Account,
	}
	as := func(kind ips.TransferType, row ips.TransferRow, change func(*ips.TransferRow)) func(*req) {
		return func(r *req) { r.Type, r.Rows = kind, []ips.TransferRow{but(row, change)} }
	}
	refusedCalls(t, s, call(t, s.Client().Transfer), good, []refusedCase[req]{
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG09020F"},
		{"bid ended", func(r *req) { *r = transferOf(s, ended.bid, ips.TransferInvestment, ended.release(ended.ofFirst)) }, "MG09021F"},
		{"not to the borrower", func(r *req) { r.Rows[0].ToAccount = l.second.Account }, "MG09025F"},
		{"compensation by nobody's guarantor",
			as(ips.TransferCompensation, compensation, func(r *ips.TransferRow) { r.FromAccount = l.first.Account }), "MG09026F"},
		{"profit not from the borrower",
			as(ips.TransferGuaranteeProfit, profit, func(r *ips.TransferRow) { r.FromAccount = l.first.Account }), "MG09025F"},
		{"number taken by another transfer", func(r *req) { r.OrderNo = first.OrderNo }, "MG09090F"},
	}, l.borrower.Account, l.first.Account, l.second.Account, l.guarantor.Account)
}

func TestTransferCompensation(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	// 350 of the guarantor: 300 of margin first, then 50 of what he has
	// available, and 1 of it is the platform's.
	toFirst := ips.TransferRow{
		OriginalOrderNo: l.ofFirst.OrderNo, Amount: 200 * ips.Yuan, FromFee: ips.Yuan,
		FromAccount: l.guarantor.Account, ToAccount: l.first.Account, ToFee: 2 * ips.Yuan,
	}
	toSecond := ips.TransferRow{
		OriginalOrderNo: l.ofSecond.OrderNo, Amount: 150 * ips.Yuan,
		FromAccount: l.guarantor.Account, ToAccount: l.second.Account,
	}
	req := transferOf(s, l.bid, ips.TransferCompensation, toFirst, toSecond)
	pending, err := s.Client().Transfer(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, ips.Pending, pending.Outcome)
	assert.Empty(t, pending.Rows)
	assertTransferred(t, req, ips.ServerToServer, notified(t, s, pending))
	s.AssertBalance(l.guarantor.Account, 649*ips.Yuan, 0)
	s.AssertBalance(l.first.Account, 2138*ips.Yuan, 0)
	s.AssertBalance(l.second.Account, 6110*ips.Yuan, 0)
	s.AssertBalance(l.borrower.Account, 11_500*ips.Yuan, 500*ips.Yuan)
	s.AssertBalance(merchantCode, 103*ips.Yuan, 0)

	// The borrower pays it back, in two parts; each is answered at once.
	back := func(amount ips.Amount) ips.TransferRequest {
		return transferOf(s, l.bid, ips.TransferCompensationRepayment, ips.TransferRow{
			OriginalOrderNo: req.OrderNo, Amount: amount, FromFee: ips.Yuan,
			FromAccount: l.borrower.Account, ToAccount: l.guarantor.Account,
		})
	}
	for _, amount := range []ips.Amount{250 * ips.Yuan, 100 * ips.Yuan} {
		req := back(amount)
		got, err := s.Client().Transfer(t.Context(), req)
		require.NoError(t, err)
		assertTransferred(t, req, ips.Synchronous, got)
		sameBothWays(t, s, got)
		again, err := s.Client().Transfer(t.Context(), req)
		require.Equal(t, again.Err(), err)
		assertRepeated(t, got, again)
	}
	s.AssertBalance(l.borrower.Account, 11_148*ips.Yuan, 500*ips.Yuan)
	s.AssertBalance(l.guarantor.Account, 999*ips.Yuan, 0)
	s.AssertBalance(merchantCode, 105*ips.Yuan, 0)
	_, err = s.Client().Transfer(t.Context(), back(ips.Fen))
	requireRefused(t, "MG09043F", err)
}

// An organisation guarantees with the merchant's own money.
func TestTransferCompensationByOrganisation(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	s.Deposit(1000 * ips.Yuan)
	l := runLoan(t, s)
	guarantee := guaranteeOf(s, l.bid, ipstest.Person{Name: "测试平台", IdentNo: merchantCode, Account: merchantCode})
	guarantee.AccountType = ips.AccountOrganisation
	require.NoError(t, carry[*ips.RegisterGuarantorResponse](t, s, s.Client().RegisterGuarantor, guarantee).Err())
	s.AssertBalance(merchantCode, 800*ips.Yuan, 300*ips.Yuan) // 1000 and fees of 100

	req := transferOf(s, l.bid, ips.TransferCompensation, ips.TransferRow{
		OriginalOrderNo: l.ofFirst.OrderNo, Amount: 400 * ips.Yuan,
		FromAccountType: ips.AccountOrganisation, FromAccount: merchantCode, ToAccount: l.first.Account,
	})
	assertTransferred(t, req, ips.ServerToServer, transferred(t, s, req))
	s.AssertBalance(merchantCode, 700*ips.Yuan, 0)

	back := transferOf(s, l.bid, ips.TransferCompensationRepayment, ips.TransferRow{
		OriginalOrderNo: req.OrderNo, Amount: 400 * ips.Yuan,
		FromAccount: l.borrower.Account, ToAccountType: ips.AccountOrganisation, ToAccount: merchantCode,
	})
	got, err := s.Client().Transfer(t.Context(), back)
	require.NoError(t, err)
	assertTransferred(t, back, ips.Synchronous, got)
	s.AssertBalance(merchantCode, 1100*ips.Yuan, 0)
}

func TestTransferCompensationFailedRows(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := openLoan(t, s)
	transferred(t, s, transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst)))
	s.Recharge(l.guarantor, 9000*ips.Yuan)
	row := ips.TransferRow{
		OriginalOrderNo: l.ofFirst.OrderNo, Amount: ips.Yuan, FromAccount: l.guarantor.Account, ToAccount: l.first.Account,
	}
	assertFailedRows(t, s, l.bid, ips.TransferCompensation, []failedRow{
		{"no such investment", but(row, func(r *ips.TransferRow) { r.OriginalOrderNo = "T0" }), "MG09030F"},
		{"more than was promised", but(row, func(r *ips.TransferRow) { r.Amount = 5000*ips.Yuan + ips.Fen }), "MG09038F"},
		{"not released yet", but(row, func(r *ips.TransferRow) {
			r.OriginalOrderNo, r.ToAccount = l.ofSecond.OrderNo, l.second.Account
		}), "MG09039F"},
		{"to somebody without a claim", but(row, func(r *ips.TransferRow) { r.ToAccount = l.second.Account }), "MG09039F"},
		{"fee beyond the amount", but(row, func(r *ips.TransferRow) { r.FromFee = r.Amount + ips.Fen }), "MG09053F"},
	}, l.guarantor.Account, l.first.Account, l.second.Account)

	// The promise holds for all compensations together.
	req := transferOf(s, l.bid, ips.TransferCompensation, but(row, func(r *ips.TransferRow) { r.Amount = 4000 * ips.Yuan }), row)
	assert.Equal(t, ips.RowDone, transferred(t, s, req).Rows[1].Status)
	assertFailedRows(t, s, l.bid, ips.TransferCompensation, []failedRow{
		{"more than is left of the promise", but(row, func(r *ips.TransferRow) { r.Amount = 1000 * ips.Yuan }), "MG09038F"},
	}, l.guarantor.Account, l.first.Account)
}

func TestTransferGuaranteeProfit(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	profit := func(amount ips.Amount) ips.TransferRequest {
		return transferOf(s, l.bid, ips.TransferGuaranteeProfit, ips.TransferRow{
			OriginalOrderNo: l.guarantee.OrderNo, Amount: amount, ToFee: ips.Yuan,
			FromAccount: l.borrower.Account, ToAccount: l.guarantor.Account,
		})
	}
	for _, amount := range []ips.Amount{30 * ips.Yuan, 20 * ips.Yuan} {
		req := profit(amount)
		got, err := s.Client().Transfer(t.Context(), req)
		require.NoError(t, err)
		assertTransferred(t, req, ips.Synchronous, got)
		sameBothWays(t, s, got)
	}
	s.AssertBalance(l.borrower.Account, 11_450*ips.Yuan, 500*ips.Yuan)
	s.AssertBalance(l.guarantor.Account, 748*ips.Yuan, 300*ips.Yuan)
	s.AssertBalance(merchantCode, 102*ips.Yuan, 0)

	type req = ips.TransferRequest
	refusedCalls(t, s, call(t, s.Client().Transfer), func() req { return profit(ips.Yuan) }, []refusedCase[req]{
		{"more than was promised", func(*req) {}, "MG09052F"},
		{"no such guarantee", func(r *req) { r.Rows[0].OriginalOrderNo = "T0" }, "MG09030F"},
		{"to somebody else", func(r *req) { r.Rows[0].ToAccount = l.first.Account }, "MG09033F"},
	}, l.borrower.Account, l.guarantor.Account, l.first.Account)
}

func TestTransferCompensationRepaymentRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	compensation := transferOf(s, l.bid, ips.TransferCompensation, ips.TransferRow{
		OriginalOrderNo: l.ofFirst.OrderNo, Amount: 300 * ips.Yuan, FromAccount: l.guarantor.Account, ToAccount: l.first.Account,
	})
	transferred(t, s, compensation)
	require.NoError(t, carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, withdrawalOf(s, l.borrower, 11_400*ips.Yuan)).Err())

	type req = ips.TransferRequest
	good := func() req {
		return transferOf(s, l.bid, ips.TransferCompensationRepayment, ips.TransferRow{
			OriginalOrderNo: compensation.OrderNo, Amount: 100 * ips.Yuan,
			FromAccount: l.borrower.Account, ToAccount: l.guarantor.Account,
		})
	}
	refusedCalls(t, s, call(t, s.Client().Transfer), good, []refusedCase[req]{
		{"no such compensation", func(r *req) { r.Rows[0].OriginalOrderNo = l.ofFirst.OrderNo }, "MG09030F"},
		{"more than is owed", func(r *req) { r.Rows[0].Amount = 300*ips.Yuan + ips.Fen }, "MG09043F"},
		{"to somebody else", func(r *req) { r.Rows[0].ToAccount = l.first.Account }, "MG09033F"},
		{"more than the borrower has", func(r *req) { r.Rows[0].FromFee = ips.Fen }, "MG09041F"},
	}, l.borrower.Account, l.guarantor.Account)
}

// saleOf sells the first investor's whole claim of 6,000 for 5,700 to an
// assignee; the platform takes 10 from him and 5 from the assignee.
func (l loan) saleOf(s *ipstest.Server, to ipstest.Person) ips.RegisterDebtTransferRequest {
	return ips.RegisterDebtTransferRequest{
		OrderNo: s.NewOrderNo(), Date: today(), BidNo: l.bid.BidNo, ContractNo: l.ofFirst.ContractNo,
		FromName: l.first.Name, FromAccount: l.first.Account, FromIdentNo: l.first.IdentNo,
		ToName: to.Name, ToAccount: to.Account, ToIdentNo: to.IdentNo,
		CreditorOrderNo: l.ofFirst.OrderNo, FaceAmount: 6000 * ips.Yuan, Price: 5700 * ips.Yuan,
		FromFee: 10 * ips.Yuan, ToFee: 5 * ips.Yuan, Kind: ips.TransferWholeClaim,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func settlementOf(s *ipstest.Server, l loan, sale ips.RegisterDebtTransferRequest) ips.TransferRequest {
	return transferOf(s, l.bid, ips.TransferDebt, ips.TransferRow{
		OriginalOrderNo: sale.OrderNo, Amount: sale.Price,
		FromAccount: sale.ToAccount, FromFee: sale.ToFee, ToAccount: sale.FromAccount, ToFee: sale.FromFee,
	})
}

// sell registers a sale and settles it.
func sell(t *testing.T, s *ipstest.Server, l loan, sale ips.RegisterDebtTransferRequest) {
	t.Helper()
	require.NoError(t, carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, sale).Err())
	_, err := s.Client().Transfer(t.Context(), settlementOf(s, l, sale))
	require.NoError(t, err)
}

func TestRegisterDebtTransfer(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	buyer := s.Person(6000 * ips.Yuan)
	req := l.saleOf(s, buyer)
	got := carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, req)
	want := &ips.RegisterDebtTransferResponse{
		Reply: done(ips.OpRegisterDebtTransfer, ips.WebReturn, req.OrderNo),
		Date:  req.Date, BidNo: req.BidNo, ContractNo: req.ContractNo,
		FromAccountType: ips.AccountPerson, FromName: req.FromName, FromAccount: req.FromAccount,
		FromIdentType: "1", FromIdentNo: req.FromIdentNo,
		ToAccountType: ips.AccountPerson, ToName: req.ToName, ToAccount: req.ToAccount,
		ToIdentType: "1", ToIdentNo: req.ToIdentNo,
		CreditorOrderNo: req.CreditorOrderNo, FaceAmount: req.FaceAmount, Price: req.Price,
		FromFee: req.FromFee, ToFee: req.ToFee, Kind: req.Kind,
		IPSTime: ips.Time{Time: noon()}, BusinessType: "1", Status: ips.ClaimNew,
		Memos: req.Memos,
	}
	want.Extra = urlsOf(s, ips.OpRegisterDebtTransfer)
	takeNumber(t, `^CRT\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
	assertAnswer(t, want, got)
	sameBothWays(t, s, got)
	s.AssertBalance(buyer.Account, 295*ips.Yuan, 5705*ips.Yuan)
	s.AssertBalance(l.first.Account, 1940*ips.Yuan, 0)

	again := carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, req)
	assertRepeated(t, got, again)
	s.AssertBalance(buyer.Account, 295*ips.Yuan, 5705*ips.Yuan)

	// The transfer moves what is frozen, and is answered at once.
	settlement := settlementOf(s, l, req)
	paid, err := s.Client().Transfer(t.Context(), settlement)
	require.NoError(t, err)
	assertTransferred(t, settlement, ips.Synchronous, paid)
	sameBothWays(t, s, paid)
	s.AssertBalance(buyer.Account, 295*ips.Yuan, 0)
	s.AssertBalance(l.first.Account, 7630*ips.Yuan, 0) // 1940 + 5700 - 10
	s.AssertBalance(merchantCode, 115*ips.Yuan, 0)     // 100 + 10 + 5
}

func TestRegisterDebtTransferRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := openLoan(t, s)
	transferred(t, s, transferOf(s, l.bid, ips.TransferInvestment, l.release(l.ofFirst)))
	buyer, other := s.Person(5705*ips.Yuan), s.Person(0)
	raising := openBid(t, s, s.Person(500*ips.Yuan))
	early := s.Invest(raising, l.second, 100*ips.Yuan)

	type req = ips.RegisterDebtTransferRequest
	good := func() req { return l.saleOf(s, buyer) }
	refusedForms(t, s, s.Client().RegisterDebtTransfer, good, []refusedCase[req]{
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG05020F"},
		{"no such claim", func(r *req) { r.CreditorOrderNo = "T0" }, "MG05022F"},
		{"claim on another bid", func(r *req) { r.CreditorOrderNo = early.OrderNo }, "MG05022F"},
		{"bid not running yet", func(r *req) {
			r.BidNo, r.ContractNo, r.CreditorOrderNo = raising.BidNo, early.ContractNo, early.OrderNo
			r.FromName, r.FromAccount, r.FromIdentNo = l.second.Name, l.second.Account, l.second.IdentNo
		}, "MG05021F"},
		{"not released yet", func(r *req) {
			r.ContractNo, r.CreditorOrderNo = l.ofSecond.ContractNo, l.ofSecond.OrderNo
			r.FromName, r.FromAccount, r.FromIdentNo = l.second.Name, l.second.Account, l.second.IdentNo
		}, "MG05024F"},
		{"seller has no claim", func(r *req) {
			r.FromName, r.FromAccount, r.FromIdentNo = l.second.Name, l.second.Account, l.second.IdentNo
		}, "MG05025F"},
		{"more than he holds", func(r *req) { r.FaceAmount += ips.Fen }, "MG05025F"},
		{"seller is nobody", func(r *req) { r.FromAccount = "4021000000009999" }, "MG05030F"},
		{"seller's id number is another's", func(r *req) { r.FromIdentNo = other.IdentNo }, "MG05030F"},
		{"buyer is nobody", func(r *req) { r.ToAccount = "4021000000009999" }, "MG05032F"},
		{"buyer's name is another's", func(r *req) { r.ToName = other.Name }, "MG05032F"},
		{"buyer's money does not cover the fee", func(r *req) { r.ToFee += ips.Fen }, "MG05038F"},
		{"buyer is the borrower", func(r *req) {
			r.ToName, r.ToAccount, r.ToIdentNo = l.borrower.Name, l.borrower.Account, l.borrower.IdentNo
		}, "MG05036F"},
		{"fee exceeds the price", func(r *req) { r.FromFee = r.Price + ips.Fen }, "MG05039F"},
	}, buyer.Account, l.first.Account, l.second.Account)

	// What is registered for sale is not sold again.
	sale := l.saleOf(s, buyer)
	require.NoError(t, carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, sale).Err())
	s.Recharge(other, 6000*ips.Yuan)
	requireRefusal(t, "MG05025F", carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, l.saleOf(s, other)))
}

// The price stays within 70 and 130 percent of the face value, both included.
func TestRegisterDebtTransferPrice(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	buyer := s.Person(20_000 * ips.Yuan)
	for _, percent := range []ips.Amount{70, 130} {
		req := l.saleOf(s, buyer)
		req.Kind, req.FaceAmount, req.Price = ips.TransferPartClaim, 1000*ips.Yuan, percent*10*ips.Yuan
		require.NoError(t, carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, req).Err())
	}
	s.AssertBalance(buyer.Account, 17_990*ips.Yuan, 2010*ips.Yuan)
}

func TestRegisterDebtTransferPage(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	buyer := s.Person(6000 * ips.Yuan)
	s.SetManual(buyer.Account)
	got := answerOf[*ips.RegisterDebtTransferResponse](t, s.Cancel(seal(t, s.Client().RegisterDebtTransfer, l.saleOf(s, buyer))))
	requireRefusal(t, "MG05091F", got)
	assert.Equal(t, ips.ClaimFailed, got.Status)
	sameBothWays(t, s, got)

	left := seal(t, s.Client().RegisterDebtTransfer, l.saleOf(s, buyer))
	s.Leave(left)
	s.Advance(30 * time.Minute)
	requireRefusal(t, "MG05093F", s.WaitNotification(ips.OpRegisterDebtTransfer, left.OrderNo()))
	s.AssertBalance(buyer.Account, 6000*ips.Yuan, 0)
}

func TestTransferDebtRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := runLoan(t, s)
	buyer := s.Person(6000 * ips.Yuan)
	sale := l.saleOf(s, buyer)
	require.NoError(t, carry[*ips.RegisterDebtTransferResponse](t, s, s.Client().RegisterDebtTransfer, sale).Err())

	type req = ips.TransferRequest
	good := func() req { return settlementOf(s, l, sale) }
	refusedCalls(t, s, call(t, s.Client().Transfer), good, []refusedCase[req]{
		{"no such sale", func(r *req) { r.Rows[0].OriginalOrderNo = "T0" }, "MG09030F"},
		{"another price", func(r *req) { r.Rows[0].Amount++ }, "MG09032F"},
		{"from somebody else", func(r *req) { r.Rows[0].FromAccount = l.second.Account }, "MG09033F"},
		{"to somebody else", func(r *req) { r.Rows[0].ToAccount = l.second.Account }, "MG09033F"},
		{"more than the buyer's fee", func(r *req) { r.Rows[0].FromFee++ }, "MG09034F"},
		{"more than the seller's fee", func(r *req) { r.Rows[0].ToFee++ }, "MG09034F"},
	}, buyer.Account, l.first.Account)

	_, err := s.Client().Transfer(t.Context(), good())
	require.NoError(t, err)
	_, err = s.Client().Transfer(t.Context(), good())
	requireRefused(t, "MG09046F", err)
}

func (l loan) unfreezing(s *ipstest.Server, owner ips.MarginOwner, amount ips.Amount) ips.UnfreezeMarginRequest {
	p := l.borrower
	if owner == ips.GuarantorMargin {
		p = l.guarantor
	}
	return ips.UnfreezeMarginRequest{
		OrderNo: s.NewOrderNo(), BidNo: l.bid.BidNo, Date: today(), Amount: amount, Owner: owner,
		IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

// A margin is given back in parts, down to zero.
func TestUnfreezeMargin(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := openLoan(t, s)
	for _, tt := range []struct {
		owner             ips.MarginOwner
		account           string
		available, frozen ips.Amount
		parts             []ips.Amount
	}{
		{ips.BorrowerMargin, l.borrower.Account, 1500 * ips.Yuan, 500 * ips.Yuan, []ips.Amount{200 * ips.Yuan, 299_99, ips.Fen}},
		{ips.GuarantorMargin, l.guarantor.Account, 700 * ips.Yuan, 300 * ips.Yuan, []ips.Amount{300 * ips.Yuan}},
	} {
		t.Run(tt.owner.String(), func(t *testing.T) {
			for _, part := range tt.parts {
				req := l.unfreezing(s, tt.owner, part)
				got, err := s.Client().UnfreezeMargin(t.Context(), req)
				require.NoError(t, err)
				want := &ips.UnfreezeMarginResponse{
					Reply: done(ips.OpUnfreezeMargin, ips.Synchronous, req.OrderNo),
					BidNo: req.BidNo, Date: req.Date, Amount: req.Amount, Owner: req.Owner, AccountType: ips.AccountPerson,
					IdentNo: req.IdentNo, RealName: req.RealName, Account: req.Account, IPSTime: ips.Time{Time: noon()},
					Memos: req.Memos,
				}
				want.Extra = urlsOf(s, ips.OpUnfreezeMargin)[1:]
				takeNumber(t, `^UF\d{16}$`, &want.IPSBillNo, &got.IPSBillNo)
				assertAnswer(t, want, got)
				sameBothWays(t, s, got)
				tt.available += part
				tt.frozen -= part
				s.AssertBalance(tt.account, tt.available, tt.frozen)

				again, err := s.Client().UnfreezeMargin(t.Context(), req)
				require.Equal(t, again.Err(), err)
				assertRepeated(t, got, again)
				s.AssertBalance(tt.account, tt.available, tt.frozen)
			}
			_, err := s.Client().UnfreezeMargin(t.Context(), l.unfreezing(s, tt.owner, ips.Fen))
			requireRefused(t, "MG11024F", err)
		})
	}
}

func TestUnfreezeMarginRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := openLoan(t, s)
	first := l.unfreezing(s, ips.BorrowerMargin, ips.Yuan)
	_, err := s.Client().UnfreezeMargin(t.Context(), first)
	require.NoError(t, err)

	type req = ips.UnfreezeMarginRequest
	good := func() req { return l.unfreezing(s, ips.BorrowerMargin, ips.Yuan) }
	refusedCalls(t, s, call(t, s.Client().UnfreezeMargin), good, []refusedCase[req]{
		{"more than is frozen", func(r *req) { r.Amount = 499*ips.Yuan + ips.Fen }, "MG11024F"},
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG11020F"},
		{"not the borrower", func(r *req) { r.Account = l.first.Account }, "MG11021F"},
		{"not a guarantor", func(r *req) { r.Owner = ips.GuarantorMargin }, "MG11022F"},
		{"another's id number", func(r *req) { r.IdentNo = l.first.IdentNo }, "MG11023F"},
		{"another's name", func(r *req) { r.RealName = l.first.Name }, "MG11023F"},
		{"number taken", func(r *req) { r.OrderNo = first.OrderNo; r.Amount = 2 * ips.Yuan }, "MG11090F"},
	}, l.borrower.Account, l.guarantor.Account)
}

// manyClaims founds n claims of 10 yuan on one bid, all of one investor, who
// has them bid automatically.
func manyClaims(t *testing.T, s *ipstest.Server, n int) (bid ips.RegisterBidRequest, claims []ips.AutoBidRequest) {
	t.Helper()
	borrower, investor := s.Person(500*ips.Yuan), s.Person(ips.Amount(n)*10*ips.Yuan)
	bid = bidOf(s, borrower)
	bid.Amount = ips.Amount(n) * 10 * ips.Yuan
	carry[*ips.BidResponse](t, s, s.Client().RegisterBid, bid)
	require.NoError(t, s.WaitNotification(ips.OpRegisterBid, bid.OrderNo).Err())
	authNo := signAutoBid(t, s, autoBidContractOf(s, investor))
	for range n {
		req := autoInvestmentOf(s, bid, investor, authNo, 10*ips.Yuan)
		req.Fee = 0
		_, err := s.Client().AutoBid(t.Context(), req)
		require.NoError(t, err)
		claims = append(claims, req)
	}
	return bid, claims
}

// The largest batch that the contract allows. Every claim stands in it ten
// times, and is released once.
func TestTransfer3000Rows(t *testing.T) {
	t.Parallel()
	const claimCount, n = 300, 3000
	s := startIPS(t)
	bid, claims := manyClaims(t, s, claimCount)
	req := transferOf(s, bid, ips.TransferInvestment)
	for i := range n {
		c := claims[i%claimCount]
		req.Rows = append(req.Rows, ips.TransferRow{
			OriginalOrderNo: c.OrderNo, Amount: c.Amount, FromAccount: c.Account, ToAccount: bid.Account,
		})
	}
	final := transferred(t, s, req)
	require.NoError(t, final.Err())
	require.Len(t, final.Rows, n)
	for i, row := range final.Rows {
		require.Equal(t, claims[i%claimCount].OrderNo, row.OriginalOrderNo)
		if i < claimCount {
			require.Equal(t, ips.RowDone, row.Status, row.Message)
		} else {
			requireFailedRow(t, "MG09031F", row.Status, row.Message)
		}
	}
	s.AssertBalance(bid.Account, claimCount*10*ips.Yuan, 500*ips.Yuan)
	s.AssertBalance(claims[0].Account, 0, 0)
}
