package main

import (
	"net/http"
	"strings"

	"github.com/ips-p2p/ips"
)

// 三、新老系统过渡: what was lent through the old interface is repaid through it,
// and everything else is refused.

// oldBid is a bid of the old interface, as the sandbox is told of it.
type oldBid struct {
	bidNo, contractNo, releaseNo, borrower, investor string
	amount                                           ips.Amount
}

// addOldBid takes an old bid over from the old system: one investor at a time.
// It is a loan that can do nothing but be repaid.
func (a *App) addOldBid(w http.ResponseWriter, r *http.Request, v *visit) error {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	old := oldBid{bidNo: field("bid"), contractNo: field("contract"), releaseNo: field("release")}
	if err := a.data.tx(r.Context(), func(d *work) {
		borrower, _ := maybe[User](d, "login = ? AND account <> ''", field("borrower"))
		investor, _ := maybe[User](d, "login = ? AND account <> ''", field("investor"))
		old.amount = d.positive(r, "amount", "待还金额")
		old.borrower, old.investor = borrower.Account, investor.Account
		d.want(borrower.ID != "" && investor.ID != "" && borrower.ID != investor.ID, "借款人和投资人须为两位已开户的会员")
		_, taken := maybe[Loan](d, "bid_no = ?", old.bidNo)
		d.want(!taken, "该标的号已存在")
		if d.err == nil {
			// What IPS would refuse of it is refused now.
			d.fail(ips.Validate(a.oldRequest(old, borrower)))
		}
		add(d, Loan{BidNo: old.bidNo, BorrowerID: borrower.ID, Purpose: "老标的 " + old.bidNo, Amount: old.amount, Released: old.amount, RepayMode: ips.RepayInterestFirst,
			State: LoanOld, ContractNo: old.contractNo, ReleaseNo: old.releaseNo, CreatedAt: a.now()})
		share := Share{ID: newID(), Claim: old.bidNo, Number: old.bidNo, ContractNo: old.contractNo, BidNo: old.bidNo, HolderID: investor.ID, Principal: old.amount, Unpaid: old.amount, State: ShareReleased}
		add(d, share)
		add(d, Due{ShareID: share.ID, Period: 1, DueOn: ips.DateOf(a.now()).String(), Principal: old.amount, State: DueOpen})
	}); err != nil {
		return err
	}
	a.old.Store(old.bidNo, true)
	if a.seed != nil {
		if err := a.seed(old); err != nil {
			return err
		}
	}
	return see(w, r, "/admin/loan/"+old.bidNo)
}

func (a *App) oldRequest(old oldBid, borrower User) ips.RepayOldBidRequest {
	return ips.RepayOldBidRequest{
		BidNo: old.bidNo, ContractNo: old.contractNo, OrderNo: "1", ReleaseOrderNo: old.releaseNo, Date: ips.DateOf(a.now()), IdentNo: borrower.IdentNo,
		RealName: borrower.RealName, Account: borrower.Account, Amount: old.amount, Rows: []ips.RepayOldBidRow{{Account: old.investor, Amount: old.amount}},
		ReturnURL: a.base, NotifyURL: a.base,
	}
}

// oldRepayment repays an old bid by the old way.
func (a *App) oldRepayment(d *work, p payment) draft {
	a.old.Store(p.loan.BidNo, true)
	request := a.oldRequest(oldBid{bidNo: p.loan.BidNo, contractNo: p.loan.ContractNo, releaseNo: p.loan.ReleaseNo}, p.borrower)
	request.OrderNo, request.ReturnURL, request.NotifyURL, request.Rows = "", "", "", nil
	for _, due := range p.dues {
		request.Amount += due.Left()
		request.Rows = append(request.Rows, ips.RepayOldBidRow{Account: due.Account, Amount: due.Left()})
	}
	d.wantFunds(p.borrower, request.Amount)
	return draft{kind: KindRepay, bidNo: p.loan.BidNo, mark: p.mark(), about: "老标的还款 " + request.Amount.String() + " 元", request: request}
}
