package main

import (
	"net/http"
	"strings"

	"github.com/ips-p2p/ips"
)

// 三、新老系统过渡: what was lent through the old interface is repaid through it,
// and everything else is refused.

// addOldBid takes an old bid over from the old system: one investor at a time.
// It is a loan that can do nothing but be repaid.
func (a *App) addOldBid(w http.ResponseWriter, r *http.Request, v *visit) error {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	var old ips.RepayOldBidRequest
	if err := a.data.tx(r.Context(), func(d *work) {
		borrower, _ := maybe[User](d, "login = ? AND account <> ''", field("borrower"))
		investor, _ := maybe[User](d, "login = ? AND account <> ''", field("investor"))
		amount := d.positive(r, "amount", "待还金额")
		d.want(borrower.ID != "" && investor.ID != "" && borrower.ID != investor.ID, "借款人和投资人须为两位已开户的会员")
		loan := Loan{BidNo: field("bid"), BorrowerID: borrower.ID, Purpose: "老标的 " + field("bid"), Amount: amount, Released: amount, RepayMode: ips.RepayInterestFirst,
			State: LoanOld, ContractNo: field("contract"), ReleaseNo: field("release"), CreatedAt: a.now()}
		_, taken := maybe[Loan](d, "bid_no = ?", loan.BidNo)
		d.want(!taken, "该标的号已存在")
		if old = a.oldRequest(loan, borrower, ips.RepayOldBidRow{Account: investor.Account, Amount: amount}); d.err == nil {
			asked := old // what IPS would refuse of it is refused now
			asked.OrderNo, asked.ReturnURL, asked.NotifyURL = "1", a.base, a.base
			d.fail(ips.Validate(asked))
		}
		add(d, loan)
		share := Share{ID: newID(), Claim: loan.BidNo, Number: loan.BidNo, ContractNo: loan.ContractNo, BidNo: loan.BidNo, HolderID: investor.ID, Principal: amount, Unpaid: amount, State: ShareReleased}
		add(d, share)
		add(d, Due{ShareID: share.ID, Period: 1, DueOn: ips.DateOf(a.now()).String(), Principal: amount, State: DueOpen})
	}); err != nil {
		return err
	}
	a.old.Store(old.BidNo, true)
	if a.seed != nil {
		if err := a.seed(old); err != nil {
			return err
		}
	}
	return see(w, r, "/admin/loan/"+old.BidNo)
}

func (a *App) oldRequest(loan Loan, borrower User, rows ...ips.RepayOldBidRow) ips.RepayOldBidRequest {
	old := ips.RepayOldBidRequest{BidNo: loan.BidNo, ContractNo: loan.ContractNo, ReleaseOrderNo: loan.ReleaseNo, Date: ips.DateOf(a.now()), IdentNo: borrower.IdentNo, RealName: borrower.RealName, Account: borrower.Account, Rows: rows}
	for _, row := range rows {
		old.Amount += row.Amount
	}
	return old
}

// oldRepayment repays an old bid by the old way.
func (a *App) oldRepayment(d *work, p payment) draft {
	a.old.Store(p.loan.BidNo, true)
	var rows []ips.RepayOldBidRow
	for _, due := range p.dues {
		rows = append(rows, ips.RepayOldBidRow{Account: due.Account, Amount: due.Left()})
	}
	request := a.oldRequest(p.loan, p.borrower, rows...)
	d.wantFunds(p.borrower, request.Amount)
	return draft{kind: KindRepay, bidNo: p.loan.BidNo, mark: p.mark(), about: "老标的还款 " + request.Amount.String() + " 元", request: request}
}
