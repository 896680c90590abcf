package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// autoBidContractOf allows bids for 12 months on loans of 6 to 12 months, 1,000 to 50,000
// and 8 % to 15 %.
func autoBidContractOf(s *ipstest.Server, p ipstest.Person) ips.SignAutoBidRequest {
	return ips.SignAutoBidRequest{
		OrderNo: s.NewOrderNo(), Date: today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		ValidUnit: ips.PeriodMonths, Valid: 12,
		TermUnit: ips.PeriodMonths, TermFrom: 6, TermTo: 12,
		AmountFrom: 1000 * ips.Yuan, AmountTo: 50_000 * ips.Yuan,
		RateFrom: 8 * ips.Percent, RateTo: 15 * ips.Percent,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func signAutoBid(t *testing.T, s *ipstest.Server, req ips.SignAutoBidRequest) (authNo string) {
	t.Helper()
	signed := carry[*ips.SignAutoBidResponse](t, s, s.Client().SignAutoBid, req)
	require.NoError(t, signed.Err())
	return signed.AuthNo
}

func TestSignAutoBid(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.Person(0)
	for _, tt := range []struct {
		name   string
		change func(*ips.SignAutoBidRequest)
		until  ips.Date
	}{
		{"months", func(*ips.SignAutoBidRequest) {}, ips.NewDate(2027, time.March, 2)},
		{"days", func(r *ips.SignAutoBidRequest) { r.ValidUnit, r.Valid = ips.PeriodDays, 30 }, ips.NewDate(2026, time.April, 1)},
		{"one day", func(r *ips.SignAutoBidRequest) { r.ValidUnit, r.Valid = ips.PeriodDays, 1 }, ips.NewDate(2026, time.March, 3)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := autoBidContractOf(s, p)
			tt.change(&req)
			got := carry[*ips.SignAutoBidResponse](t, s, s.Client().SignAutoBid, req)
			want := &ips.SignAutoBidResponse{
				Reply: done(ips.OpSignAutoBid, ips.WebReturn, req.OrderNo),
				Date:  req.Date, ValidUntil: tt.until,
				AmountFrom: req.AmountFrom, AmountTo: req.AmountTo, RateFrom: req.RateFrom, RateTo: req.RateTo,
				IPSTime: ips.Time{Time: noon()}, Memos: req.Memos,
			}
			takeNumber(t, `^ANS\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
			takeNumber(t, `^[0-9A-Za-z]{1,30}$`, &want.AuthNo, &got.AuthNo)
			assertAnswer(t, want, got)
			sameBothWays(t, s, got)

			again := carry[*ips.SignAutoBidResponse](t, s, s.Client().SignAutoBid, req)
			assertRepeated(t, got, again)
		})
	}
}

func TestSignAutoBidRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p, other := s.Person(0), s.Person(0)
	first := autoBidContractOf(s, p)
	signAutoBid(t, s, first)

	type req = ips.SignAutoBidRequest
	good := func() req { return autoBidContractOf(s, p) }
	refusedForms(t, s, s.Client().SignAutoBid, good, []refusedCase[req]{
		{"account of nobody", func(r *req) { r.Account = "4021000000009999" }, "MG06020F"},
		{"another's id number", func(r *req) { r.IdentNo = other.IdentNo }, "MG06020F"},
		{"another's name", func(r *req) { r.RealName = other.Name }, "MG06020F"},
		{"number taken by another contract", func(r *req) { r.OrderNo = first.OrderNo; r.Valid = 1 }, "MG06090F"},
	})
}

func TestSignAutoBidPage(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	p := s.Person(0)
	got := answerOf[*ips.SignAutoBidResponse](t, s.Cancel(seal(t, s.Client().SignAutoBid, autoBidContractOf(s, p))))
	requireRefusal(t, "MG06091F", got)
	assert.Empty(t, got.AuthNo)
	sameBothWays(t, s, got)
	assert.NotEmpty(t, signAutoBid(t, s, autoBidContractOf(s, p)))
}

func autoInvestmentOf(s *ipstest.Server, bid ips.RegisterBidRequest, p ipstest.Person, authNo string, amount ips.Amount) ips.AutoBidRequest {
	i := investmentOf(s, bid, p, amount)
	return ips.AutoBidRequest{
		OrderNo: i.OrderNo, Date: i.Date, BidNo: i.BidNo, ContractNo: i.ContractNo, AuthNo: authNo,
		Amount: i.Amount, Fee: i.Fee, Purpose: i.Purpose, IdentNo: i.IdentNo, RealName: i.RealName, Account: i.Account,
		Memos: i.Memos,
	}
}

func TestAutoBid(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	bid := openBid(t, s, s.Person(500*ips.Yuan))
	investor := s.Person(3000 * ips.Yuan)
	authNo := signAutoBid(t, s, autoBidContractOf(s, investor))
	s.SetManual(investor.Account) // he is not asked

	req := autoInvestmentOf(s, bid, investor, authNo, 2000*ips.Yuan)
	got, err := s.Client().AutoBid(t.Context(), req)
	require.NoError(t, err)
	want := &ips.CreditorResponse{
		Reply: done(ips.OpAutoBid, ips.Synchronous, req.OrderNo),
		Date:  req.Date, BidNo: req.BidNo, ContractNo: req.ContractNo,
		Amount: req.Amount, TradeAmount: req.Amount, Fee: req.Fee, Account: req.Account,
		BusinessType: "1", Frozen: 2020 * ips.Yuan, Status: ips.ClaimNew, IPSTime: ips.Time{Time: noon()},
		Memos: req.Memos,
	}
	takeNumber(t, `^CRE\d{14}$`, &want.InvestorNo, &got.InvestorNo)
	takeNumber(t, `^BID\d{14}$`, &want.IPSBidNo, &got.IPSBidNo)
	takeNumber(t, `^TND\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
	assertAnswer(t, want, got)
	sameBothWays(t, s, got)
	s.AssertBalance(investor.Account, 980*ips.Yuan, 2020*ips.Yuan)

	again, err := s.Client().AutoBid(t.Context(), req)
	require.Equal(t, again.Err(), err)
	assertRepeated(t, got, again)
	s.AssertBalance(investor.Account, 980*ips.Yuan, 2020*ips.Yuan)
}

func TestAutoBidRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower, investor, other := s.Person(5000*ips.Yuan), s.Person(2000*ips.Yuan), s.Person(0)
	loan := func(change func(*ips.RegisterBidRequest)) ips.RegisterBidRequest {
		req := bidOf(s, borrower)
		req.Margin = 0
		change(&req)
		require.NoError(t, carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req).Err())
		return req
	}
	bid := loan(func(*ips.RegisterBidRequest) {})
	long := loan(func(r *ips.RegisterBidRequest) { r.Term = 13 })
	days := loan(func(r *ips.RegisterBidRequest) { r.TermUnit, r.Term = ips.TermDays, 10 })
	small := loan(func(r *ips.RegisterBidRequest) { r.Amount = 1000*ips.Yuan - ips.Fen })
	large := loan(func(r *ips.RegisterBidRequest) { r.Amount = 50_000*ips.Yuan + ips.Fen })
	cheap := loan(func(r *ips.RegisterBidRequest) { r.Rate = 8*ips.Percent - ips.BasisPoint })
	dear := loan(func(r *ips.RegisterBidRequest) { r.Rate = 15*ips.Percent + ips.BasisPoint })
	authNo := signAutoBid(t, s, autoBidContractOf(s, investor))
	foreign := signAutoBid(t, s, autoBidContractOf(s, other))
	forRepayment := signAutoRepay(t, s, autoRepayContractOf(s, investor))

	type req = ips.AutoBidRequest
	on := func(bid ips.RegisterBidRequest) func(*req) { return func(r *req) { r.BidNo = bid.BidNo } }
	good := func() req { return autoInvestmentOf(s, bid, investor, authNo, 500*ips.Yuan) }
	refusedCalls(t, s, call(t, s.Client().AutoBid), good, []refusedCase[req]{
		{"no such contract", func(r *req) { r.AuthNo = "AUT0" }, "MG03027F"},
		{"another's contract", func(r *req) { r.AuthNo = foreign }, "MG03027F"},
		{"contract for repayments", func(r *req) { r.AuthNo = forRepayment }, "MG03027F"},
		{"term too long", on(long), "MG03029F"},
		{"term in days", on(days), "MG03029F"},
		{"loan too small", on(small), "MG03030F"},
		{"loan too large", on(large), "MG03030F"},
		{"rate too low", on(cheap), "MG03031F"},
		{"rate too high", on(dear), "MG03031F"},
		{"another's id number", func(r *req) { r.IdentNo = other.IdentNo }, ips.CodeInvestorIdentity},
		{"not enough money", func(r *req) { r.Amount = 2000 * ips.Yuan }, ips.CodeInvestorFunds},
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG03112F"},
	}, borrower.Account, investor.Account, other.Account)
}

// A contract is good until the end of its last day, and not a second longer.
func TestAutoBidContractExpires(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	investor := s.Person(2000 * ips.Yuan)
	contract := autoBidContractOf(s, investor)
	contract.ValidUnit, contract.Valid = ips.PeriodDays, 1
	authNo := signAutoBid(t, s, contract)
	bid := openBid(t, s, s.Person(500*ips.Yuan))

	s.Advance(36*time.Hour - time.Second) // from noon to the last second of the next day
	_, err := s.Client().AutoBid(t.Context(), autoInvestmentOf(s, bid, investor, authNo, 500*ips.Yuan))
	require.NoError(t, err)
	s.Advance(time.Second)
	_, err = s.Client().AutoBid(t.Context(), autoInvestmentOf(s, bid, investor, authNo, 500*ips.Yuan))
	requireRefused(t, "MG03028F", err)
	s.AssertBalance(investor.Account, 1495*ips.Yuan, 505*ips.Yuan)
}

func autoRepayContractOf(s *ipstest.Server, p ipstest.Person) ips.SignAutoRepayRequest {
	return ips.SignAutoRepayRequest{
		OrderNo: s.NewOrderNo(), Date: today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		ValidUnit: ips.PeriodMonths, Valid: 12,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func signAutoRepay(t *testing.T, s *ipstest.Server, req ips.SignAutoRepayRequest) (authNo string) {
	t.Helper()
	signed := carry[*ips.SignAutoRepayResponse](t, s, s.Client().SignAutoRepay, req)
	require.NoError(t, signed.Err())
	return signed.AuthNo
}

func TestSignAutoRepay(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.Person(0)
	for _, unit := range []struct {
		period ips.Period
		n      int
	}{{ips.PeriodMonths, 12}, {ips.PeriodDays, 365}, {ips.PeriodUnlimited, 0}} {
		t.Run(unit.period.String(), func(t *testing.T) {
			req := autoRepayContractOf(s, p)
			req.ValidUnit, req.Valid = unit.period, unit.n
			got := carry[*ips.SignAutoRepayResponse](t, s, s.Client().SignAutoRepay, req)
			want := &ips.SignAutoRepayResponse{
				Reply: done(ips.OpSignAutoRepay, ips.WebReturn, req.OrderNo),
				Date:  req.Date, IdentType: "1", IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
				IPSTime: ips.Time{Time: noon()}, Memos: req.Memos,
			}
			takeNumber(t, `^RPS\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
			takeNumber(t, `^[0-9A-Za-z]{1,30}$`, &want.AuthNo, &got.AuthNo)
			assertAnswer(t, want, got)
			sameBothWays(t, s, got)

			again := carry[*ips.SignAutoRepayResponse](t, s, s.Client().SignAutoRepay, req)
			assertRepeated(t, got, again)
		})
	}
}

func TestSignAutoRepayRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p, other := s.Person(0), s.Person(0)
	first := autoRepayContractOf(s, p)
	signAutoRepay(t, s, first)

	type req = ips.SignAutoRepayRequest
	good := func() req { return autoRepayContractOf(s, p) }
	refusedForms(t, s, s.Client().SignAutoRepay, good, []refusedCase[req]{
		{"account of nobody", func(r *req) { r.Account = "4021000000009999" }, "MG07020F"},
		{"another's id number", func(r *req) { r.IdentNo = other.IdentNo }, "MG07020F"},
		{"another's name", func(r *req) { r.RealName = other.Name }, "MG07020F"},
		{"number taken by another contract", func(r *req) { r.OrderNo = first.OrderNo; r.Valid = 1 }, "MG07090F"},
	})
}

func TestSignAutoRepayPage(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	p := s.Person(0)
	got := answerOf[*ips.SignAutoRepayResponse](t, s.Cancel(seal(t, s.Client().SignAutoRepay, autoRepayContractOf(s, p))))
	requireRefusal(t, "MG07091F", got)
	assert.Empty(t, got.AuthNo)
	sameBothWays(t, s, got)
	assert.NotEmpty(t, signAutoRepay(t, s, autoRepayContractOf(s, p)))
}
