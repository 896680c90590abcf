package ipstest

import (
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// Bid registers a bid of a borrower, has him agree, and returns the request:
// 12 % for 12 months, without margin and without fee. It is raising funds then.
// For other terms use the client.
func (s *Server) Bid(borrower Person, amount ips.Amount) ips.RegisterBidRequest {
	s.tb.Helper()
	orderNo := s.NewOrderNo()
	req := ips.RegisterBidRequest{
		OrderNo: orderNo, BidNo: "B" + orderNo, Date: s.Today(),
		Amount: amount, Rate: 12 * ips.Percent, TermUnit: ips.TermMonths, Term: 12,
		Purpose: "经营周转", RepayMode: ips.RepayInterestFirst,
		IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
	}
	form, err := s.stage.RegisterBid(req)
	s.agreed(form, err)
	if _, asked := s.waitingText(borrower.Mobile); asked {
		s.ReplyYes(borrower.Mobile)
	}
	must(s.tb, s.WaitNotification(ips.OpRegisterBid, orderNo).Err())
	return req
}

// Invest has an investor bid on a bid, without fee, and returns the request,
// whose order number stands for the claim from now on. His money is frozen
// then. For other terms use the client.
func (s *Server) Invest(bid ips.RegisterBidRequest, investor Person, amount ips.Amount) ips.RegisterCreditorRequest {
	s.tb.Helper()
	orderNo := s.NewOrderNo()
	req := ips.RegisterCreditorRequest{
		OrderNo: orderNo, Date: s.Today(), BidNo: bid.BidNo, ContractNo: "C" + orderNo,
		Amount: amount, Purpose: bid.Purpose,
		IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account,
	}
	form, err := s.stage.RegisterCreditor(req)
	s.agreed(form, err)
	return req
}

// PayOut releases investments to the borrower, without fees, and waits until
// all of them are. The loan is running then, and the claims can be repaid,
// compensated and sold.
func (s *Server) PayOut(bid ips.RegisterBidRequest, investments ...ips.RegisterCreditorRequest) {
	s.tb.Helper()
	req := ips.TransferRequest{
		OrderNo: s.NewOrderNo(), BidNo: bid.BidNo, Date: s.Today(),
		Type: ips.TransferInvestment, Mode: ips.TransferRowByRow,
	}
	for _, i := range investments {
		req.Rows = append(req.Rows, ips.TransferRow{
			OriginalOrderNo: i.OrderNo, Amount: i.Amount, FromAccount: i.Account, ToAccount: bid.Account,
		})
	}
	ctx, cancel := within()
	defer cancel()
	_, err := s.stage.Transfer(ctx, req)
	must(s.tb, err)
	paid := s.WaitNotification(ips.OpTransfer, req.OrderNo).(*ips.TransferResponse)
	must(s.tb, paid.Err())
	var failed []string
	for _, row := range paid.Rows {
		if row.Status != ips.RowDone {
			failed = append(failed, row.OriginalOrderNo+": "+row.Message)
		}
	}
	if failed != nil {
		s.tb.Fatalf("ipstest: not all of bid %s was paid out: %s", bid.BidNo, strings.Join(failed, "; "))
	}
}

// OldBid seeds a bid of the interface before v2.0, from which the borrower owes
// each of the investors the same amount, and returns a request that repays all
// of it. Its number begins with OLD; a client needs [ips.WithOldBids] to repay
// it.
func (s *Server) OldBid(borrower Person, each ips.Amount, investors ...Person) ips.RepayOldBidRequest {
	s.tb.Helper()
	orderNo := s.NewOrderNo()
	req := ips.RepayOldBidRequest{
		BidNo: "OLD" + orderNo, ContractNo: "HT" + orderNo, ReleaseOrderNo: "F" + orderNo,
		OrderNo: orderNo, Date: s.Today(),
		IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
	}
	old := engine.OldBid{BidNo: req.BidNo, ContractNo: req.ContractNo, Release: req.ReleaseOrderNo, Borrower: borrower.Account}
	for _, p := range investors {
		req.Rows = append(req.Rows, ips.RepayOldBidRow{Account: p.Account, Amount: each})
		req.Amount += each
		old.Owed = append(old.Owed, engine.OldClaim{Account: p.Account, Amount: int64(each)})
	}
	must(s.tb, s.sandbox.SeedOldBid(s.cfg.MerchantCode, old))
	return req
}
