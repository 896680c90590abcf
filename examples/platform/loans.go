package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// Chapter 2, 平台发布借款标, up to the application; 3, 担保方对标的担保; 4 and 5,
// 投资人投标; 7, 借款人还款; 9, 借款人针对代偿的还款.

// The platform's fees.
const (
	lendFeePerMille = 10 // 借款人手续费, of the loan
	bidFeePerMille  = 1  // 投资人手续费, of the bid
	interestPercent = 10 // of the interest that a creditor is paid
)

func perMille(amount ips.Amount, n ips.Amount) ips.Amount { return amount * n / 1000 }

func (a *App) loans(w http.ResponseWriter, r *http.Request, v *visit) error { return a.home(w, r, v) }

func (a *App) borrowPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := requireAccount(v.user); err != nil {
		return err
	}
	loans, err := a.store.LoansOf(r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	return a.show(w, r, v, "borrow", "我要借款", loans)
}

func (a *App) borrow(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := requireAccount(v.user); err != nil {
		return err
	}
	loan, err := a.applicationOf(r, v)
	if err != nil {
		return err
	}
	if err := a.store.AddLoan(r.Context(), loan); err != nil {
		return err
	}
	return see(w, r, "/loan/"+loan.BidNo)
}

func (a *App) applicationOf(r *http.Request, v *visit) (store.Loan, error) {
	loan := store.Loan{
		BidNo: ips.NewOrderNo("B"), BorrowerID: v.user.ID, Purpose: strings.TrimSpace(r.PostFormValue("purpose")),
		RepayMode: ips.RepayMode(r.PostFormValue("mode")), State: store.LoanApplied, CreatedAt: a.now(),
	}
	var err error
	if loan.Amount, err = positive(r, "amount", "借款金额"); err != nil {
		return loan, err
	}
	if loan.Margin, err = amountOf(r, "margin", "借款保证金"); err != nil {
		return loan, err
	}
	loan.Fee = perMille(loan.Amount, lendFeePerMille)
	loan.Rate, err = ips.ParseRate(strings.TrimSpace(r.PostFormValue("rate")))
	switch {
	case err != nil || loan.Rate < ips.Percent || loan.Rate > 24*ips.Percent:
		return loan, complain("年利率须为 1.00%% 至 24.00%%")
	case loan.Purpose == "" || len([]rune(loan.Purpose)) > 100:
		return loan, complain("请填写借款用途（不超过 100 个字符）")
	case repayModes[loan.RepayMode] == "":
		return loan, complain("请选择还款方式")
	}
	loan.Months, err = strconv.Atoi(r.PostFormValue("months"))
	if err != nil || loan.Months < 1 || loan.Months > 36 {
		return loan, complain("借款期限须为 1 至 36 个月")
	}
	return loan, nil
}

// instalment is what falls due on one loan in one period.
type instalment struct {
	Period    int
	DueOn     string
	Principal ips.Amount
	Interest  ips.Amount
	State     store.DueState // open as long as a part of it is
}

// Total is principal and interest.
func (i instalment) Total() ips.Amount { return i.Principal + i.Interest }

func instalments(dues []store.Due) []instalment {
	var all []instalment
	for _, due := range dues { // in the order of their periods
		if len(all) == 0 || all[len(all)-1].Period != due.Period {
			all = append(all, instalment{Period: due.Period, DueOn: due.DueOn, State: due.State})
		}
		last := &all[len(all)-1]
		last.Principal += due.Principal
		last.Interest += due.Interest
		if due.State == store.DueOpen {
			last.State = store.DueOpen
		}
	}
	return all
}

// loanView is what pages show of a loan.
type loanView struct {
	Loan       store.Loan
	Borrower   string
	Raised     ips.Amount
	Left       ips.Amount
	Shares     []store.Share
	Holders    map[string]string // login names by user id
	Guarantees []store.Guarantee
	Plan       []instalment
	Next       *instalment // the first that is open
	Owed       []store.Compensation
	Mine       bool // the visitor is the borrower
}

func (a *App) loanViewOf(ctx context.Context, bidNo string, v *visit) (*loanView, error) {
	loan, err := a.store.Loan(ctx, bidNo)
	if err != nil {
		return nil, err
	}
	d := &loanView{Loan: loan, Borrower: a.person(ctx, loan.BorrowerID), Holders: make(map[string]string), Mine: loan.BorrowerID == v.user.ID}
	dues, err := a.store.LoanDues(ctx, bidNo)
	if err != nil {
		return nil, err
	}
	d.Plan = instalments(dues)
	for i := range d.Plan {
		if d.Plan[i].State == store.DueOpen {
			d.Next = &d.Plan[i]
			break
		}
	}
	var err1, err2, err3 error
	d.Shares, err1 = a.store.Shares(ctx, bidNo)
	d.Guarantees, err2 = a.store.Guarantees(ctx, bidNo)
	d.Owed, err3 = a.store.Compensations(ctx, bidNo)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	d.Raised = raised(d.Shares, dues)
	d.Left = loan.Amount - d.Raised
	for _, s := range d.Shares {
		d.Holders[s.HolderID] = a.person(ctx, s.HolderID)
	}
	for _, g := range d.Guarantees {
		d.Holders[g.GuarantorID] = a.person(ctx, g.GuarantorID)
	}
	return d, nil
}

// raised is what investors have lent or frozen: principal that is still owed
// and principal that was paid back.
func raised(shares []store.Share, dues []store.Due) ips.Amount {
	var sum ips.Amount
	for _, s := range shares {
		sum += s.Principal
	}
	for _, due := range dues {
		if due.State != store.DueOpen {
			sum += due.Principal
		}
	}
	return sum
}

func (a *App) loan(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := a.loanViewOf(r.Context(), r.PathValue("bid"), v)
	if err != nil {
		return err
	}
	if d.Loan.State == store.LoanApplied && !d.Mine && !v.admin() {
		return store.ErrNotFound
	}
	return a.show(w, r, v, "loan", "标的 "+d.Loan.Purpose, d)
}

// openLoan locks a loan that people may bid on or guarantee for.
func openLoan(ctx context.Context, tx *store.Tx, bidNo string, v *visit) (store.Loan, error) {
	loan, err := tx.LockLoan(ctx, bidNo)
	switch {
	case err != nil:
		return loan, err
	case loan.State != store.LoanRaising && loan.State != store.LoanRunning:
		return loan, complain("该标的不在募集中")
	case loan.BorrowerID == v.user.ID:
		return loan, complain("借款人不能对自己的标的投标或担保")
	}
	return loan, requireAccount(v.user)
}

func (a *App) bid(w http.ResponseWriter, r *http.Request, v *visit) error {
	amount, err := positive(r, "amount", "投标金额")
	if err != nil {
		return err
	}
	return a.begin(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := openLoan(r.Context(), tx, r.PathValue("bid"), v)
		if err != nil {
			return draft{}, err
		}
		if err := checkRoom(r.Context(), tx, loan, amount); err != nil {
			return draft{}, err
		}
		orderNo := ips.NewOrderNo("CR")
		return draft{bidNo: loan.BidNo, about: "投标 " + amount.String() + " 元", request: ips.RegisterCreditorRequest{
			OrderNo: orderNo, Date: ips.DateOf(a.now()), BidNo: loan.BidNo, ContractNo: "C" + orderNo,
			Amount: amount, Fee: perMille(amount, bidFeePerMille),
			IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account, Purpose: loan.Purpose,
			ReturnURL: a.returnURL(ips.OpRegisterCreditor), NotifyURL: a.notifyURL(ips.OpRegisterCreditor),
		}}, nil
	})
}

// checkRoom spares investors the way to IPS if a loan is full. Bids that are
// not confirmed take no room: whoever confirms first, IPS lets in.
func checkRoom(ctx context.Context, tx *store.Tx, loan store.Loan, amount ips.Amount) error {
	shares, err := tx.Shares(ctx, loan.BidNo)
	if err != nil {
		return err
	}
	dues, err := tx.LoanDues(ctx, loan.BidNo)
	if err != nil {
		return err
	}
	if left := loan.Amount - raised(shares, dues); amount > left {
		return complain("剩余可投金额为 %s 元", left)
	}
	return nil
}

func (a *App) guarantee(w http.ResponseWriter, r *http.Request, v *visit) error {
	margin, err := amountOf(r, "margin", "担保保证金")
	if err != nil {
		return err
	}
	profit, err := amountOf(r, "profit", "担保收益")
	if err != nil {
		return err
	}
	return a.begin(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := openLoan(r.Context(), tx, r.PathValue("bid"), v)
		if err != nil {
			return draft{}, err
		}
		// The whole of what can fall due: principal and interest.
		var amount ips.Amount
		for _, due := range plan(loan.Amount, loan.Rate, loan.Months, loan.RepayMode, ips.DateOf(a.now())) {
			amount += due.Total()
		}
		return draft{bidNo: loan.BidNo, about: "担保 " + amount.String() + " 元", request: ips.RegisterGuarantorRequest{
			OrderNo: ips.NewOrderNo("GU"), Date: ips.DateOf(a.now()), BidNo: loan.BidNo, Amount: amount, Margin: margin, Profit: profit,
			IdentNo: v.user.IdentNo, AccountName: v.user.RealName, Account: v.user.Account,
			ReturnURL: a.returnURL(ips.OpRegisterGuarantor), NotifyURL: a.notifyURL(ips.OpRegisterGuarantor),
		}}, nil
	})
}

// payment is one period of a loan, about to be paid.
type payment struct {
	loan     store.Loan
	borrower store.User
	period   int
	dues     []dueOf
}

// dueOf is an instalment with whom it is due to.
type dueOf struct {
	store.Due
	share   store.Share
	account string
}

// nextPayment finds what falls due next on a loan, after making sure that
// nobody is about to pay it already: a period must never be paid twice, and
// IPS does not know the plan.
func (a *App) nextPayment(ctx context.Context, tx *store.Tx, bidNo string) (payment, error) {
	loan, err := tx.LockLoan(ctx, bidNo)
	if err != nil {
		return payment{}, err
	}
	if loan.State != store.LoanRunning {
		return payment{}, complain("该标的没有待还款项")
	}
	if err := claimsAreQuiet(ctx, tx, bidNo); err != nil {
		return payment{}, err
	}
	p := payment{loan: loan}
	if p.borrower, err = tx.User(ctx, loan.BorrowerID); err != nil {
		return payment{}, err
	}
	dues, err := tx.LoanDues(ctx, bidNo)
	if err != nil {
		return payment{}, err
	}
	for _, due := range dues {
		if due.State != store.DueOpen || p.period != 0 && due.Period != p.period {
			continue
		}
		p.period = due.Period
		share, err := tx.Share(ctx, due.ShareID)
		if err != nil {
			return payment{}, err
		}
		holder, err := tx.User(ctx, share.HolderID)
		if err != nil {
			return payment{}, err
		}
		if due.Total() > 0 {
			p.dues = append(p.dues, dueOf{due, share, holder.Account})
		}
	}
	if len(p.dues) == 0 {
		return payment{}, complain("该标的没有待还款项")
	}
	return p, nil
}

// claimsAreQuiet makes sure that no other order of a bid is open that decides
// who is paid what, and that no claim is just going over to somebody else.
func claimsAreQuiet(ctx context.Context, tx *store.Tx, bidNo string) error {
	busy, err := openOrder(ctx, tx, bidNo, movesClaims)
	switch {
	case err != nil:
		return err
	case busy != "":
		return complain("该标的另有未完成的订单：%s", busy)
	}
	sales, err := tx.LoanSales(ctx, bidNo)
	if err != nil {
		return err
	}
	for _, s := range sales {
		if s.State == store.SalePaid {
			return complain("该标的有债权转让正在划转，请稍后")
		}
	}
	return nil
}

func (p payment) repayRows() []ips.RepayRow {
	var rows []ips.RepayRow
	for _, due := range p.dues {
		rows = append(rows, ips.RepayRow{
			CreditorOrderNo: due.share.Claim, Account: due.account, Amount: due.Total(), Fee: due.Interest * interestPercent / 100,
		})
	}
	return rows
}

func (p payment) about(what string) string {
	amount, _ := ips.RepayTotals(p.repayRows())
	return what + " 第 " + strconv.Itoa(p.period) + " 期 " + amount.String() + " 元"
}

// repay lets the borrower repay the next period by hand. The period goes with
// the order, for its own settlement.
func (a *App) repay(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.begin(w, r, v, func(tx *store.Tx) (draft, error) {
		p, err := a.nextPayment(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		if p.borrower.ID != v.user.ID {
			return draft{}, complain("只有借款人可以还款")
		}
		rows := p.repayRows()
		amount, fee := ips.RepayTotals(rows)
		return draft{bidNo: p.loan.BidNo, about: p.about("手动还款"), request: ips.RepayRequest{
			BidNo: p.loan.BidNo, Date: ips.DateOf(a.now()), OrderNo: ips.NewOrderNo("RP"), Account: v.user.Account,
			Amount: amount, Fee: fee, Rows: rows, Memos: ips.Memos{Memo1: strconv.Itoa(p.period)},
			ReturnURL: a.returnURL(ips.OpRepay), NotifyURL: a.notifyURL(ips.OpRepay),
		}}, nil
	})
}

// reimburse lets the borrower pay the guarantor back. No page of IPS is shown.
func (a *App) reimburse(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := tx.LockLoan(r.Context(), r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		if loan.BorrowerID != v.user.ID {
			return draft{}, complain("只有借款人可以还款")
		}
		c, err := tx.Compensation(r.Context(), r.PostFormValue("compensation"))
		if err != nil {
			return draft{}, err
		}
		left := c.Amount - c.Repaid
		switch {
		case c.BidNo != loan.BidNo:
			return draft{}, store.ErrNotFound
		case left == 0:
			return draft{}, complain("该笔代偿已还清")
		}
		if err := claimsAreQuiet(r.Context(), tx, loan.BidNo); err != nil {
			return draft{}, err
		}
		g, err := tx.Guarantee(r.Context(), c.Guarantee)
		if err != nil {
			return draft{}, err
		}
		guarantor, err := tx.User(r.Context(), g.GuarantorID)
		if err != nil {
			return draft{}, err
		}
		return draft{bidNo: loan.BidNo, about: "代偿还款 " + left.String() + " 元", request: ips.TransferRequest{
			OrderNo: ips.NewOrderNo("TR"), BidNo: loan.BidNo, Date: ips.DateOf(a.now()), Type: ips.TransferCompensationRepayment,
			NotifyURL: a.notifyURL(ips.OpTransfer),
			Rows:      []ips.TransferRow{{OriginalOrderNo: c.OrderNo, Amount: left, FromAccount: v.user.Account, ToAccount: guarantor.Account}},
		}}, nil
	})
}
