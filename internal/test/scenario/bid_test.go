package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// bidOf is a loan of 10,000 at 12 % for 12 months with a margin of 500 and a
// fee of 100.
func bidOf(s *ipstest.Server, borrower ipstest.Person) ips.RegisterBidRequest {
	no := s.NewOrderNo()
	return ips.RegisterBidRequest{
		OrderNo: no, BidNo: "B" + no, Date: today(),
		Amount: 10_000 * ips.Yuan, Margin: 500 * ips.Yuan, Rate: 12 * ips.Percent,
		TermUnit: ips.TermMonths, Term: 12, Purpose: "经营周转", RepayMode: ips.RepayInterestFirst,
		Fee: 100 * ips.Yuan, IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

// openBid registers a bid and returns it when it is raising.
func openBid(t *testing.T, s *ipstest.Server, borrower ipstest.Person) ips.RegisterBidRequest {
	t.Helper()
	req := bidOf(s, borrower)
	require.NoError(t, carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req).Err())
	require.NoError(t, s.WaitNotification(ips.OpRegisterBid, req.OrderNo).Err())
	return req
}

func endOfBid(t *testing.T, s *ipstest.Server, bid ips.RegisterBidRequest) *ips.BidResponse {
	t.Helper()
	resp, err := s.Client().EndBid(t.Context(), ips.EndBidRequest(bid))
	require.NoError(t, err)
	require.Equal(t, ips.Pending, resp.Outcome)
	return notified(t, s, resp)
}

// wantBid is what IPS says of a bid, without its own numbers.
func wantBid(s *ipstest.Server, req ips.RegisterBidRequest, r ips.Reply, kind string, status ips.BidStatus, frozen ips.Amount) *ips.BidResponse {
	return &ips.BidResponse{
		Reply: r, BidNo: req.BidNo, Date: req.Date, Amount: req.Amount, Margin: req.Margin, Rate: req.Rate,
		TermUnit: req.TermUnit, Term: req.Term, Purpose: req.Purpose, RepayMode: req.RepayMode, OperationType: kind,
		Fee: req.Fee, AccountType: ips.AccountPerson, IdentNo: req.IdentNo, RealName: req.RealName,
		Account: req.Account, IPSTime: ips.Time{Time: noon()}, Status: status, FrozenMargin: frozen,
		Memos: req.Memos,
	}
}

// urlsOf are the addresses of a request, which IPS repeats in answers that
// echo the whole of it.
func urlsOf(s *ipstest.Server, op ips.Operation) []ips.Element {
	cfg := s.Config()
	return []ips.Element{
		{Name: "pWebUrl", Text: cfg.ReturnURL + "/" + string(op)},
		{Name: "pS2SUrl", Text: cfg.NotifyURL + "/" + string(op)},
	}
}

func TestRegisterBid(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower := s.Person(600 * ips.Yuan)
	req := bidOf(s, borrower)
	got := carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req)

	want := wantBid(s, req, reply(ips.OpRegisterBid, ips.WebReturn, ips.CodeBidRegistered, "标的新增，返回码MG02500F", req.OrderNo),
		"1", ips.BidNew, 0)
	want.Extra = urlsOf(s, ips.OpRegisterBid)
	takeNumber(t, `^BID\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
	assertAnswer(t, want, got)
	assert.Equal(t, ips.Pending, got.Outcome)

	final := notified(t, s, got)
	want = wantBid(s, req, reply(ips.OpRegisterBid, ips.ServerToServer, ips.CodeBidRaising, "标的募集中", req.OrderNo),
		"1", ips.BidRaising, req.Margin)
	want.IPSBillNo, want.Extra = got.IPSBillNo, urlsOf(s, ips.OpRegisterBid)
	assertAnswer(t, want, final)
	assert.Equal(t, ips.Success, final.Outcome)
	s.AssertBalance(borrower.Account, 100*ips.Yuan, 500*ips.Yuan)
}

// The borrower answers a text message, or does not.
func TestRegisterBidText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		answer    func(*ipstest.Server, ipstest.Person)
		code      ips.Code
		status    ips.BidStatus
		available ips.Amount
		frozen    ips.Amount
	}{
		{"yes", func(s *ipstest.Server, p ipstest.Person) { s.ReplyYes(p.Mobile) },
			ips.CodeBidRaising, ips.BidRaising, 100 * ips.Yuan, 500 * ips.Yuan},
		{"yes in the last minute", func(s *ipstest.Server, p ipstest.Person) {
			s.Advance(29*time.Minute + 59*time.Second)
			s.ReplyYes(p.Mobile)
		}, ips.CodeBidRaising, ips.BidRaising, 100 * ips.Yuan, 500 * ips.Yuan},
		{"no", func(s *ipstest.Server, p ipstest.Person) { s.ReplyNo(p.Mobile) },
			ips.CodeBidFailed, ips.BidFailed, 600 * ips.Yuan, 0},
		{"silence", func(s *ipstest.Server, _ ipstest.Person) { s.Advance(40 * time.Minute) },
			ips.CodeBidNoReply, ips.BidFailed, 600 * ips.Yuan, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startIPS(t, ipstest.WithManual())
			borrower := s.Person(600 * ips.Yuan)
			req := bidOf(s, borrower)
			first := carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req)
			assert.Equal(t, ips.Pending, first.Outcome)
			s.AssertBalance(borrower.Account, 600*ips.Yuan, 0)

			tt.answer(s, borrower)
			final := notified(t, s, first)
			assert.Equal(t, tt.code, final.Code)
			assert.Equal(t, tt.status, final.Status)
			assert.Equal(t, tt.frozen, final.FrozenMargin)
			s.AssertBalance(borrower.Account, tt.available, tt.frozen)

			// Sent again, it is not asked again, unless it failed.
			again := carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req)
			if tt.status == ips.BidRaising {
				assertRepeated(t, first, again)
			} else {
				assert.Equal(t, ips.CodeBidRegistered, again.Code)
				assert.NotEqual(t, first.IPSBillNo, again.IPSBillNo)
			}
		})
	}
}

// A bid that failed has left its number free.
func TestRegisterBidAfterFailure(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	borrower := s.Person(600 * ips.Yuan)
	failed := bidOf(s, borrower)
	carry[*ips.BidResponse](t, s, s.Client().RegisterBid, failed)
	s.ReplyNo(borrower.Mobile)
	s.WaitNotification(ips.OpRegisterBid, failed.OrderNo)

	req := bidOf(s, borrower)
	req.BidNo = failed.BidNo
	first := carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req)
	s.ReplyYes(borrower.Mobile)
	require.NoError(t, notified(t, s, first).Err())
}

// The borrower had the margin when the bid was registered, and spent it before
// he said yes.
func TestRegisterBidMarginSpent(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	borrower := s.Person(600 * ips.Yuan)
	first := carry[*ips.BidResponse](t, s, s.Client().RegisterBid, bidOf(s, borrower))
	require.NoError(t, carry[*ips.WithdrawResponse](t, s, s.Client().Withdraw, withdrawalOf(s, borrower, 200*ips.Yuan)).Err())
	s.ReplyYes(borrower.Mobile)
	final := notified(t, s, first)
	requireRefusal(t, ips.CodeBidRefused, final)
	assert.Equal(t, ips.BidFailed, final.Status)
	s.AssertBalance(borrower.Account, 400*ips.Yuan, 0)
}

func TestRegisterBidRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower, other := s.Person(1000*ips.Yuan), s.Person(0)
	bid := openBid(t, s, borrower)

	good := func() ips.RegisterBidRequest { return bidOf(s, borrower) }
	refusedForms(t, s, s.Client().RegisterBid, good, []refusedCase[ips.RegisterBidRequest]{
		{"bid exists", func(r *ips.RegisterBidRequest) { r.BidNo = bid.BidNo }, ips.CodeBidExists},
		{"account of nobody", func(r *ips.RegisterBidRequest) { r.Account = "4021000000009999" }, ips.CodeBidBorrower},
		{"another's account", func(r *ips.RegisterBidRequest) { r.Account = other.Account }, ips.CodeBidBorrower},
		{"another's id number", func(r *ips.RegisterBidRequest) { r.IdentNo = other.IdentNo }, ips.CodeBidBorrower},
		{"another's name", func(r *ips.RegisterBidRequest) { r.RealName = other.Name }, ips.CodeBidBorrower},
		{"margin not there", func(r *ips.RegisterBidRequest) { r.Margin = 500*ips.Yuan + ips.Fen }, "MG02044F"},
		{"number taken by another bid", func(r *ips.RegisterBidRequest) { r.OrderNo = bid.OrderNo }, "MG02090F"},
	}, borrower.Account)
}

func TestRegisterBidTwiceIsOnce(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower := s.Person(1000 * ips.Yuan)
	req := bidOf(s, borrower)
	first := carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req)
	notified(t, s, first)
	again := carry[*ips.BidResponse](t, s, s.Client().RegisterBid, req)
	assertRepeated(t, first, again)
	s.AssertBalance(borrower.Account, 500*ips.Yuan, 500*ips.Yuan)
}

func TestEndBid(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower, investor, guarantor := s.Person(500*ips.Yuan), s.Person(1000*ips.Yuan), s.Person(800*ips.Yuan)
	bid := openBid(t, s, borrower)
	require.NoError(t, carry[*ips.CreditorResponse](t, s, s.Client().RegisterCreditor, investmentOf(s, bid, investor, 900*ips.Yuan)).Err())
	require.NoError(t, carry[*ips.RegisterGuarantorResponse](t, s, s.Client().RegisterGuarantor, guaranteeOf(s, bid, guarantor)).Err())
	s.AssertBalance(borrower.Account, 0, 500*ips.Yuan)
	s.AssertBalance(investor.Account, 91*ips.Yuan, 909*ips.Yuan)
	s.AssertBalance(guarantor.Account, 500*ips.Yuan, 300*ips.Yuan)

	got, err := s.Client().EndBid(t.Context(), ips.EndBidRequest(bid))
	require.NoError(t, err)
	want := wantBid(s, bid, reply(ips.OpEndBid, ips.Synchronous, ips.CodeBidEnding, "标的结束处理中，返回码MG02503F", bid.OrderNo),
		"2", ips.BidEnding, bid.Margin)
	want.Extra = urlsOf(s, ips.OpEndBid)
	takeNumber(t, `^BID\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
	assertAnswer(t, want, got)

	final := notified(t, s, got)
	want = wantBid(s, bid, reply(ips.OpEndBid, ips.ServerToServer, ips.CodeBidEnded, "标的结束", bid.OrderNo),
		"2", ips.BidEnded, 0)
	want.IPSBillNo, want.Extra = got.IPSBillNo, urlsOf(s, ips.OpEndBid)
	assertAnswer(t, want, final)

	// All that was frozen is its owner's again.
	s.AssertBalance(borrower.Account, 500*ips.Yuan, 0)
	s.AssertBalance(investor.Account, 1000*ips.Yuan, 0)
	s.AssertBalance(guarantor.Account, 800*ips.Yuan, 0)

	// The bid's state answers a repetition.
	_, err = s.Client().EndBid(t.Context(), ips.EndBidRequest(bid))
	requireRefused(t, ips.CodeBidOver, err)
}

func TestEndBidRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	borrower, investor := s.Person(2000*ips.Yuan), s.Person(1000*ips.Yuan)
	s.SetAuto(borrower.Account)
	open, ended, running := openBid(t, s, borrower), openBid(t, s, borrower), s.Bid(borrower, 1000*ips.Yuan)
	endOfBid(t, s, ended)
	s.PayOut(running, s.Invest(running, investor, 400*ips.Yuan))

	s.SetManual(borrower.Account)
	failed, waiting := bidOf(s, borrower), bidOf(s, borrower)
	carry[*ips.BidResponse](t, s, s.Client().RegisterBid, failed)
	s.ReplyNo(borrower.Mobile)
	s.WaitNotification(ips.OpRegisterBid, failed.OrderNo)
	carry[*ips.BidResponse](t, s, s.Client().RegisterBid, waiting)

	of := func(bid ips.RegisterBidRequest) func(*ips.EndBidRequest) {
		return func(r *ips.EndBidRequest) { *r = ips.EndBidRequest(bid) }
	}
	good := func() ips.EndBidRequest { return ips.EndBidRequest(open) }
	refusedCalls(t, s, call(t, s.Client().EndBid), good, []refusedCase[ips.EndBidRequest]{
		{"no such bid", func(r *ips.EndBidRequest) { r.BidNo = "B0" }, "MG02027F"},
		{"ended", func(r *ips.EndBidRequest) { of(ended)(r); r.Memo1 = "anew" }, ips.CodeBidOver},
		{"failed", of(failed), ips.CodeBidFailed},
		{"waiting for the borrower", of(waiting), "MG02054F"},
		{"debts not repaid", of(running), "MG02055F"},
		{"order number of another bid", func(r *ips.EndBidRequest) { r.OrderNo = running.OrderNo }, "MG02053F"},
		{"another's account", func(r *ips.EndBidRequest) { r.Account = investor.Account }, ips.CodeBidBorrower},
	}, borrower.Account, investor.Account)
}

func investmentOf(s *ipstest.Server, bid ips.RegisterBidRequest, investor ipstest.Person, amount ips.Amount) ips.RegisterCreditorRequest {
	no := s.NewOrderNo()
	return ips.RegisterCreditorRequest{
		OrderNo: no, Date: today(), BidNo: bid.BidNo, ContractNo: "C" + no,
		Amount: amount, Fee: amount / 100, Purpose: bid.Purpose,
		IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func TestRegisterCreditor(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	bid := openBid(t, s, s.Person(500*ips.Yuan))
	investor := s.Person(3000 * ips.Yuan)
	req := investmentOf(s, bid, investor, 2000*ips.Yuan)
	got := carry[*ips.CreditorResponse](t, s, s.Client().RegisterCreditor, req)

	want := &ips.CreditorResponse{
		Reply: done(ips.OpRegisterCreditor, ips.WebReturn, req.OrderNo),
		Date:  req.Date, BidNo: req.BidNo, ContractNo: req.ContractNo,
		Amount: req.Amount, TradeAmount: req.Amount, Fee: 20 * ips.Yuan, Account: req.Account,
		BusinessType: "1", Frozen: 2020 * ips.Yuan, Status: ips.ClaimNew, IPSTime: ips.Time{Time: noon()},
		Memos: req.Memos,
	}
	takeNumber(t, `^CRE\d{14}$`, &want.InvestorNo, &got.InvestorNo)
	takeNumber(t, `^BID\d{14}$`, &want.IPSBidNo, &got.IPSBidNo)
	takeNumber(t, `^TND\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
	assertAnswer(t, want, got)
	sameBothWays(t, s, got)
	s.AssertBalance(investor.Account, 980*ips.Yuan, 2020*ips.Yuan)

	again := carry[*ips.CreditorResponse](t, s, s.Client().RegisterCreditor, req)
	assertRepeated(t, got, again)
	s.AssertBalance(investor.Account, 980*ips.Yuan, 2020*ips.Yuan)
}

func TestRegisterCreditorRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower, investor, other := s.Person(5000*ips.Yuan), s.Person(9090*ips.Yuan), s.Person(0)
	bid, ended := openBid(t, s, borrower), openBid(t, s, borrower)
	endOfBid(t, s, ended)
	s.SetManual(borrower.Account)
	waiting := bidOf(s, borrower)
	carry[*ips.BidResponse](t, s, s.Client().RegisterBid, waiting)
	first := investmentOf(s, bid, investor, 8000*ips.Yuan)
	carry[*ips.CreditorResponse](t, s, s.Client().RegisterCreditor, first) // leaves 1010 and room for 2000

	type req = ips.RegisterCreditorRequest
	good := func() req { return investmentOf(s, bid, investor, 1000*ips.Yuan) }
	refusedForms(t, s, s.Client().RegisterCreditor, good, []refusedCase[req]{
		{"not enough for amount and fee", func(r *req) { r.Fee += ips.Fen }, ips.CodeInvestorFunds},
		{"another's id number", func(r *req) { r.IdentNo = other.IdentNo }, ips.CodeInvestorIdentity},
		{"another's name", func(r *req) { r.RealName = other.Name }, "MG03108F"},
		{"account of nobody", func(r *req) { r.Account = "4021000000009999" }, "MG03025F"},
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG03112F"},
		{"bid ended", func(r *req) { r.BidNo = ended.BidNo }, "MG03021F"},
		{"bid waits for the borrower", func(r *req) { r.BidNo = waiting.BidNo }, "MG03112F"},
		{"more than is left of the bid", func(r *req) { r.Amount = 2000*ips.Yuan + ips.Fen }, "MG03119F"},
		{"the borrower himself", func(r *req) {
			r.Account, r.IdentNo, r.RealName = borrower.Account, borrower.IdentNo, borrower.Name
		}, "MG03024F"},
		{"number taken by another investment", func(r *req) { r.OrderNo = first.OrderNo }, "MG03090F"},
	}, borrower.Account, investor.Account)
}

// A page is confirmed, or cancelled, or left, or a password is forgotten; then
// no money moves, and the web return and the notification say so.
func TestRegisterCreditorPage(t *testing.T) {
	t.Parallel()
	type act func(*ipstest.Server, *ips.Form) ips.Response
	for _, tt := range []struct {
		name   string
		act    act
		code   ips.Code
		frozen ips.Amount
	}{
		{"confirmed", func(s *ipstest.Server, f *ips.Form) ips.Response { return s.Carry(f) },
			ips.CodeSuccess, 1010 * ips.Yuan},
		{"confirmed at the third try", func(s *ipstest.Server, f *ips.Form) ips.Response { return s.Carry(f, "000000", "111111") },
			ips.CodeSuccess, 1010 * ips.Yuan},
		{"three wrong passwords", func(s *ipstest.Server, f *ips.Form) ips.Response { return s.Carry(f, "000000", "111111", "222222") },
			"MG03092F", 0},
		{"cancelled", func(s *ipstest.Server, f *ips.Form) ips.Response { return s.Cancel(f) }, "MG03091F", 0},
		{"left", func(s *ipstest.Server, f *ips.Form) ips.Response {
			s.Leave(f)
			s.Advance(30 * time.Minute)
			return s.WaitNotification(f.Operation(), f.OrderNo())
		}, "MG03093F", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startIPS(t)
			investor := s.Person(2000 * ips.Yuan)
			bid := openBid(t, s, s.Person(500*ips.Yuan))
			s.SetManual(investor.Account)
			form := seal(t, s.Client().RegisterCreditor, investmentOf(s, bid, investor, 1000*ips.Yuan))
			got := answerOf[*ips.CreditorResponse](t, tt.act(s, form))
			assert.Equal(t, tt.code, got.Code)
			assert.Equal(t, withoutVia(t, got), withoutVia(t, notified(t, s, got)))
			assert.Equal(t, tt.frozen, got.Frozen)
			s.AssertBalance(investor.Account, 2000*ips.Yuan-tt.frozen, tt.frozen)

			// What is done stays done; what was refused may be confirmed anew.
			again := answerOf[*ips.CreditorResponse](t, s.Carry(form))
			if tt.code == ips.CodeSuccess {
				assertRepeated(t, withoutVia(t, got), withoutVia(t, again))
			} else {
				assert.Equal(t, ips.CodeSuccess, again.Code)
			}
			s.AssertBalance(investor.Account, 990*ips.Yuan, 1010*ips.Yuan)
		})
	}
}

// A confirmation that comes when the bid is full comes too late.
func TestRegisterCreditorTooLate(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	slow, quick := s.Person(10_100*ips.Yuan), s.Person(10_100*ips.Yuan)
	bid := openBid(t, s, s.Person(500*ips.Yuan))
	s.SetManual(slow.Account)
	form := seal(t, s.Client().RegisterCreditor, investmentOf(s, bid, slow, 10_000*ips.Yuan))
	s.Leave(form)
	require.NoError(t, carry[*ips.CreditorResponse](t, s, s.Client().RegisterCreditor, investmentOf(s, bid, quick, ips.Yuan)).Err())
	got := answerOf[*ips.CreditorResponse](t, s.Carry(form))
	requireRefusal(t, "MG03119F", got)
	sameBothWays(t, s, got)
	s.AssertBalance(slow.Account, 10_100*ips.Yuan, 0)
}

// guaranteeOf promises 5,000 with a margin of 300 for a profit of 50.
func guaranteeOf(s *ipstest.Server, bid ips.RegisterBidRequest, p ipstest.Person) ips.RegisterGuarantorRequest {
	return ips.RegisterGuarantorRequest{
		OrderNo: s.NewOrderNo(), Date: today(), BidNo: bid.BidNo,
		Amount: 5000 * ips.Yuan, Margin: 300 * ips.Yuan, Profit: 50 * ips.Yuan,
		IdentNo: p.IdentNo, AccountName: p.Name, Account: p.Account,
		Memos: ips.Memos{Memo1: "一", Memo2: "二", Memo3: "三"},
	}
}

func TestRegisterGuarantor(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	bid := openBid(t, s, s.Person(500*ips.Yuan))
	person := s.Person(1000 * ips.Yuan)
	s.Deposit(2000 * ips.Yuan)

	with := guaranteeOf(s, bid, person)
	without := guaranteeOf(s, bid, s.Person(0))
	without.Margin, without.Profit = 0, 0
	organisation := guaranteeOf(s, bid, ipstest.Person{Name: "测试平台", IdentNo: merchantCode, Account: merchantCode})
	organisation.AccountType = ips.AccountOrganisation

	for _, tt := range []struct {
		name      string
		req       ips.RegisterGuarantorRequest
		kind      ips.AccountType
		available ips.Amount
		frozen    ips.Amount
	}{
		{"with margin", with, ips.AccountPerson, 700 * ips.Yuan, 300 * ips.Yuan},
		{"without margin", without, ips.AccountPerson, 0, 0},
		{"organisation", organisation, ips.AccountOrganisation, 1700 * ips.Yuan, 300 * ips.Yuan},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := carry[*ips.RegisterGuarantorResponse](t, s, s.Client().RegisterGuarantor, tt.req)
			want := &ips.RegisterGuarantorResponse{
				Reply: done(ips.OpRegisterGuarantor, ips.WebReturn, tt.req.OrderNo),
				Date:  tt.req.Date, BidNo: tt.req.BidNo, Amount: tt.req.Amount, Margin: tt.req.Margin, Profit: tt.req.Profit,
				AccountType: tt.kind, AccountName: tt.req.AccountName, Account: tt.req.Account,
				FrozenMargin: tt.frozen, IPSTime: ips.Time{Time: noon()}, Status: ips.ClaimNew,
				Memos: tt.req.Memos,
			}
			takeNumber(t, `^GUA\d{14}$`, &want.IPSBillNo, &got.IPSBillNo)
			assertAnswer(t, want, got)
			sameBothWays(t, s, got)
			s.AssertBalance(tt.req.Account, tt.available, tt.frozen)

			again := carry[*ips.RegisterGuarantorResponse](t, s, s.Client().RegisterGuarantor, tt.req)
			assertRepeated(t, got, again)
			s.AssertBalance(tt.req.Account, tt.available, tt.frozen)
		})
	}
}

func TestRegisterGuarantorRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	borrower, guarantor, other := s.Person(1000*ips.Yuan), s.Person(600*ips.Yuan), s.Person(300*ips.Yuan)
	bid, ended := openBid(t, s, borrower), openBid(t, s, borrower)
	endOfBid(t, s, ended)
	first := guaranteeOf(s, bid, guarantor)
	carry[*ips.RegisterGuarantorResponse](t, s, s.Client().RegisterGuarantor, first)

	type req = ips.RegisterGuarantorRequest
	good := func() req { return guaranteeOf(s, bid, other) }
	as := func(p ipstest.Person) func(*req) {
		return func(r *req) { r.Account, r.IdentNo, r.AccountName = p.Account, p.IdentNo, p.Name }
	}
	refusedForms(t, s, s.Client().RegisterGuarantor, good, []refusedCase[req]{
		{"guarantees already", as(guarantor), ips.CodeGuarantorExists},
		{"margin not there", func(r *req) { r.Margin += ips.Fen }, "MG04024F"},
		{"no such bid", func(r *req) { r.BidNo = "B0" }, "MG04020F"},
		{"bid ended", func(r *req) { r.BidNo = ended.BidNo }, "MG04021F"},
		{"account of nobody", func(r *req) { r.Account = "4021000000009999" }, "MG04022F"},
		{"another's id number", func(r *req) { r.IdentNo = guarantor.IdentNo }, "MG04022F"},
		{"the borrower himself", as(borrower), "MG04025F"},
		{"another organisation", func(r *req) {
			r.AccountType, r.Account, r.IdentNo = ips.AccountOrganisation, "808899", "808899"
		}, "MG04026F"},
		{"number taken", func(r *req) { r.OrderNo = first.OrderNo }, "MG04090F"},
	}, borrower.Account, guarantor.Account, other.Account)
}

func TestRegisterGuarantorCancelled(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	bid := openBid(t, s, s.Person(500*ips.Yuan))
	guarantor := s.Person(300 * ips.Yuan)
	s.SetManual(guarantor.Account)
	got := answerOf[*ips.RegisterGuarantorResponse](t, s.Cancel(seal(t, s.Client().RegisterGuarantor, guaranteeOf(s, bid, guarantor))))
	requireRefusal(t, "MG04091F", got)
	assert.Equal(t, ips.ClaimFailed, got.Status)
	sameBothWays(t, s, got)
	s.AssertBalance(guarantor.Account, 300*ips.Yuan, 0)
}
