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

// The platform's own pages: 放款 (chapters 4 and 5), 流标, 代偿 (8), 代扣 (12),
// 解冻保证金 (14 and 15), acting for users under their contracts (16 and 17),
// and what has to be looked at by a person.

func (a *App) adminHome(w http.ResponseWriter, r *http.Request, v *visit) error {
	var data struct {
		Loans          []store.Loan
		Members        []store.User
		Contradictions int
		Open           int
	}
	var err1, err2, err4 error
	data.Loans, err1 = a.store.AllLoans(r.Context())
	data.Members, err2 = a.store.Users(r.Context(), store.Member)
	contradictions, err3 := a.store.Contradictions(r.Context(), store.OrderKey{})
	data.Open, err4 = a.store.AllOpenOrders(r.Context())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	for _, c := range contradictions {
		if c.ResolvedBy == "" {
			data.Contradictions++
		}
	}
	return a.show(w, r, v, "admin", "平台管理", data)
}

func (a *App) adminLoan(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := a.loanViewOf(r.Context(), r.PathValue("bid"), v)
	if err != nil {
		return err
	}
	data := struct {
		*loanView
		Orders []store.Order
		Bids   []investor
		Repay  bool
	}{loanView: d}
	today := ips.DateOf(a.now()).String()
	if data.Orders, err = a.store.BidOrders(r.Context(), d.Loan.BidNo); err != nil {
		return err
	}
	if data.Bids, err = a.investors(r.Context(), d.Loan, today); err != nil {
		return err
	}
	repay, err := a.store.Contracts(r.Context(), store.AutoRepay, d.Loan.BorrowerID, today)
	if err != nil {
		return err
	}
	data.Repay = len(repay) > 0
	return a.show(w, r, v, "adminloan", "标的管理", data)
}

// investor is somebody whose contract allows automatic bids on a loan.
type investor struct{ AuthNo, Login string }

func (a *App) investors(ctx context.Context, loan store.Loan, today string) ([]investor, error) {
	all, err := a.store.Contracts(ctx, store.AutoBid, "", today)
	var list []investor
	for _, c := range all {
		if allows(c, loan) {
			list = append(list, investor{c.AuthNo, a.person(ctx, c.UserID)})
		}
	}
	return list, err
}

func allows(c store.Contract, loan store.Loan) bool {
	return c.UserID != loan.BorrowerID && loan.Amount >= c.AmountFrom && loan.Amount <= c.AmountTo &&
		loan.Rate >= c.RateFrom && loan.Rate <= c.RateTo
}

// publish registers a bid at IPS (标的登记). No page is shown there; the form
// travels in the admin's browser, and IPS texts the borrower.
func (a *App) publish(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.begin(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := tx.LockLoan(r.Context(), r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		if loan.State != store.LoanApplied || loan.RegOrder != "" {
			return draft{}, complain("该标的已发布，或正在发布")
		}
		borrower, err := tx.User(r.Context(), loan.BorrowerID)
		if err != nil {
			return draft{}, err
		}
		loan.RegOrder = ips.NewOrderNo("BI")
		return draft{bidNo: loan.BidNo, about: "发布借款标 " + loan.Amount.String() + " 元", request: ips.RegisterBidRequest{
			OrderNo: loan.RegOrder, BidNo: loan.BidNo, Date: ips.DateOf(a.now()), Amount: loan.Amount, Margin: loan.Margin, Rate: loan.Rate,
			TermUnit: ips.TermMonths, Term: loan.Months, Purpose: loan.Purpose, RepayMode: loan.RepayMode, Fee: loan.Fee,
			IdentNo: borrower.IdentNo, RealName: borrower.RealName, Account: borrower.Account,
			ReturnURL: a.returnURL(ips.OpRegisterBid), NotifyURL: a.notifyURL(ips.OpRegisterBid),
		}}, tx.UpdateLoan(r.Context(), loan)
	})
}

// lockQuiet locks a loan whose claims may be moved.
func lockQuiet(ctx context.Context, tx *store.Tx, bidNo string) (store.Loan, error) {
	loan, err := tx.LockLoan(ctx, bidNo)
	if err != nil {
		return loan, err
	}
	if loan.State != store.LoanRaising && loan.State != store.LoanRunning {
		return loan, complain("标的不在募集中或进行中")
	}
	return loan, claimsAreQuiet(ctx, tx, bidNo)
}

// release pays what investors have frozen out to the borrower (放款): all of it
// once the loan is full, or what is there so far (随投随放).
func (a *App) release(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := lockQuiet(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		borrower, err := tx.User(r.Context(), loan.BorrowerID)
		if err != nil {
			return draft{}, err
		}
		shares, err := tx.Shares(r.Context(), loan.BidNo)
		if err != nil {
			return draft{}, err
		}
		var rows []ips.TransferRow
		var total ips.Amount
		for _, s := range shares {
			if s.State != store.ShareFrozen {
				continue
			}
			investor, err := tx.User(r.Context(), s.HolderID)
			if err != nil {
				return draft{}, err
			}
			total += s.Principal
			rows = append(rows, ips.TransferRow{
				OriginalOrderNo: s.Claim, Amount: s.Principal, FromAccount: investor.Account, FromFee: s.Fee,
				ToAccount: borrower.Account, ToFee: perMille(s.Principal, lendFeePerMille),
			})
		}
		if rows == nil {
			return draft{}, complain("没有可放款的投标资金")
		}
		return a.transfer(loan, ips.TransferInvestment, "放款 "+total.String()+" 元", "", rows), nil
	})
}

func (a *App) transfer(loan store.Loan, kind ips.TransferType, about, memo string, rows []ips.TransferRow) draft {
	return draft{bidNo: loan.BidNo, about: about, request: ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"), BidNo: loan.BidNo, Date: ips.DateOf(a.now()), Type: kind, Rows: rows, Memos: ips.Memos{Memo1: memo},
		NotifyURL: a.notifyURL(ips.OpTransfer),
	}}
}

// end ends a bid that is repaid, or calls one off that did not come about
// (流标). Its order repeats the registration, number included.
func (a *App) end(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := lockQuiet(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		dues, err := tx.LoanDues(r.Context(), loan.BidNo)
		if err != nil {
			return draft{}, err
		}
		for _, due := range dues {
			if due.State == store.DueOpen && due.Total() > 0 {
				return draft{}, complain("尚有未还款项，不能结束标的")
			}
		}
		if busy, err := openOrder(r.Context(), tx, loan.BidNo, movesMargin); err != nil {
			return draft{}, err
		} else if busy != "" {
			return draft{}, complain("该标的另有未完成的订单：%s", busy)
		}
		registration, err := tx.Order(r.Context(), store.OrderKey{Operation: ips.OpRegisterBid, OrderNo: loan.RegOrder})
		if err != nil {
			return draft{}, err
		}
		q, err := decode[ips.RegisterBidRequest](registration.Request)
		if err != nil {
			return draft{}, err
		}
		end := q.End(ips.DateOf(a.now()))
		end.ReturnURL, end.NotifyURL = a.returnURL(ips.OpEndBid), a.notifyURL(ips.OpEndBid)
		return draft{bidNo: loan.BidNo, about: "标的结束", request: end}, nil
	})
}

// movesMargin picks the open orders that move a margin.
func movesMargin(o store.Order) bool { return o.Operation == ips.OpUnfreezeMargin }

// compensate lets the guarantor pay the next period in the borrower's place
// (代偿). The period goes with the order, for its own settlement.
func (a *App) compensate(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		p, err := a.nextPayment(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		_, guarantor, err := guarantorOf(r.Context(), tx, p.loan.BidNo, r.PostFormValue("guarantee"))
		if err != nil {
			return draft{}, err
		}
		var rows []ips.TransferRow
		for _, due := range p.dues {
			if due.account == guarantor.Account {
				return draft{}, complain("担保方自己持有该标的债权，不能代偿给自己")
			}
			rows = append(rows, ips.TransferRow{
				OriginalOrderNo: due.share.Claim, Amount: due.Total(), FromAccount: guarantor.Account, ToAccount: due.account,
			})
		}
		return a.transfer(p.loan, ips.TransferCompensation, p.about("担保方代偿"), strconv.Itoa(p.period), rows), nil
	})
}

func guarantorOf(ctx context.Context, tx *store.Tx, bidNo, orderNo string) (store.Guarantee, store.User, error) {
	g, err := tx.Guarantee(ctx, orderNo)
	if err == nil && g.BidNo != bidNo {
		err = store.ErrNotFound
	}
	if err != nil {
		return g, store.User{}, err
	}
	user, err := tx.User(ctx, g.GuarantorID)
	return g, user, err
}

// profit pays a guarantor what the borrower promised him (结算担保收益).
func (a *App) profit(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := lockQuiet(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		g, guarantor, err := guarantorOf(r.Context(), tx, loan.BidNo, r.PostFormValue("guarantee"))
		if err != nil {
			return draft{}, err
		}
		borrower, err := tx.User(r.Context(), loan.BorrowerID)
		if err != nil {
			return draft{}, err
		}
		left := g.Profit - g.ProfitPaid
		if left == 0 {
			return draft{}, complain("没有待结算的担保收益")
		}
		return a.transfer(loan, ips.TransferGuaranteeProfit, "结算担保收益 "+left.String()+" 元", "", []ips.TransferRow{{
			OriginalOrderNo: g.OrderNo, Amount: left, FromAccount: borrower.Account, ToAccount: guarantor.Account,
		}}), nil
	})
}

// unfreeze gives a margin back, all of it or a part (解冻保证金).
func (a *App) unfreeze(w http.ResponseWriter, r *http.Request, v *visit) error {
	amount, err := positive(r, "amount", "解冻金额")
	if err != nil {
		return err
	}
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := lockQuiet(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		if busy, err := openOrder(r.Context(), tx, loan.BidNo, movesMargin); err != nil {
			return draft{}, err
		} else if busy != "" {
			return draft{}, complain("该标的另有未完成的订单：%s", busy)
		}
		owner, left, about := ips.BorrowerMargin, loan.MarginLeft, "解冻借款人保证金 "
		user, err := tx.User(r.Context(), loan.BorrowerID)
		if no := r.PostFormValue("guarantee"); no != "" {
			var g store.Guarantee
			g, user, err = guarantorOf(r.Context(), tx, loan.BidNo, no)
			owner, left, about = ips.GuarantorMargin, g.MarginLeft, "解冻担保方保证金 "
		}
		if err != nil {
			return draft{}, err
		}
		if amount > left {
			return draft{}, complain("冻结中的保证金为 %s 元", left)
		}
		return draft{bidNo: loan.BidNo, about: about + amount.String() + " 元", request: ips.UnfreezeMarginRequest{
			OrderNo: ips.NewOrderNo("UF"), BidNo: loan.BidNo, Date: ips.DateOf(a.now()), Amount: amount, Owner: owner,
			IdentNo: user.IdentNo, RealName: user.RealName, Account: user.Account, NotifyURL: a.notifyURL(ips.OpUnfreezeMargin),
		}}, nil
	})
}

// autoBid bids for an investor within his contract.
func (a *App) autoBid(w http.ResponseWriter, r *http.Request, v *visit) error {
	amount, err := positive(r, "amount", "投标金额")
	if err != nil {
		return err
	}
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		loan, err := lockQuiet(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		if err := checkRoom(r.Context(), tx, loan, amount); err != nil {
			return draft{}, err
		}
		contracts, err := tx.Contracts(r.Context(), store.AutoBid, "", ips.DateOf(a.now()).String())
		if err != nil {
			return draft{}, err
		}
		for _, c := range contracts {
			if c.AuthNo != r.PostFormValue("contract") || !allows(c, loan) {
				continue
			}
			user, err := tx.User(r.Context(), c.UserID)
			orderNo := ips.NewOrderNo("CR")
			return draft{bidNo: loan.BidNo, about: "自动投标 " + amount.String() + " 元", request: ips.AutoBidRequest{
				OrderNo: orderNo, Date: ips.DateOf(a.now()), BidNo: loan.BidNo, ContractNo: "C" + orderNo, AuthNo: c.AuthNo,
				Amount: amount, Fee: perMille(amount, bidFeePerMille),
				IdentNo: user.IdentNo, RealName: user.RealName, Account: user.Account, Purpose: loan.Purpose,
				ReturnURL: a.returnURL(ips.OpAutoBid), NotifyURL: a.notifyURL(ips.OpAutoBid),
			}}, err
		}
		return draft{}, complain("没有适用于该标的的自动投标签约")
	})
}

// autoRepay repays the next period for a borrower under his contract.
func (a *App) autoRepay(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		p, err := a.nextPayment(r.Context(), tx, r.PathValue("bid"))
		if err != nil {
			return draft{}, err
		}
		contracts, err := tx.Contracts(r.Context(), store.AutoRepay, p.borrower.ID, ips.DateOf(a.now()).String())
		if err != nil {
			return draft{}, err
		}
		if len(contracts) == 0 {
			return draft{}, complain("借款人没有自动还款签约")
		}
		rows := p.repayRows()
		amount, fee := ips.RepayTotals(rows)
		return draft{bidNo: p.loan.BidNo, about: p.about("自动还款"), request: ips.AutoRepayRequest{
			BidNo: p.loan.BidNo, Date: ips.DateOf(a.now()), OrderNo: ips.NewOrderNo("RP"), AuthNo: contracts[0].AuthNo,
			Account: p.borrower.Account, Amount: amount, Fee: fee, Rows: rows, Memos: ips.Memos{Memo1: strconv.Itoa(p.period)},
			ReturnURL: a.returnURL(ips.OpAutoRepay), NotifyURL: a.notifyURL(ips.OpAutoRepay),
		}}, nil
	})
}

// withhold debits a user's card after he has said yes to a text message
// (委托收款-商户发起).
func (a *App) withhold(w http.ResponseWriter, r *http.Request, v *visit) error {
	amount, err := positive(r, "amount", "代扣金额")
	if err != nil {
		return err
	}
	return a.call(w, r, v, func(tx *store.Tx) (draft, error) {
		user, err := tx.User(r.Context(), r.PostFormValue("user"))
		if err != nil {
			return draft{}, err
		}
		if user.Account == "" {
			return draft{}, complain("该用户尚未开通托管账户")
		}
		return draft{about: "商户发起代扣 " + amount.String() + " 元", request: ips.WithholdingRechargeRequest{
			OrderNo: ips.NewOrderNo("WH"), Date: ips.DateOf(a.now()), Amount: amount, FeePayer: ips.PlatformPaysFee,
			IdentNo: user.IdentNo, RealName: user.RealName, Account: user.Account, NotifyURL: a.notifyURL(ips.OpWithholdingRecharge),
		}}, nil
	})
}

func (a *App) adminOrders(w http.ResponseWriter, r *http.Request, v *visit) error {
	orders, err := a.store.Orders(r.Context(), 200)
	if err != nil {
		return err
	}
	return a.show(w, r, v, "orders", "全部订单", struct {
		Orders []store.Order
		All    bool
	}{orders, true})
}

// reconcile runs a round at once, for orders of any age.
func (a *App) reconcile(w http.ResponseWriter, r *http.Request, v *visit) error {
	report, err := a.Reconcile(r.Context(), 0, 500)
	if err != nil {
		return err
	}
	return a.show(w, r, v, "reconciled", "对账结果", report)
}

// void gives up an order that its user has left.
func (a *App) void(w http.ResponseWriter, r *http.Request, v *visit) error {
	order, err := a.orderOf(r, v)
	if err != nil {
		return err
	}
	if err := a.Void(r.Context(), order); err != nil {
		return err
	}
	return seeOrder(w, r, order)
}

// bookLine is an account by the platform's books and by IPS.
type bookLine struct {
	Who       string
	Account   string
	Available ips.Amount
	Frozen    ips.Amount
	IPS       *ips.BalanceResponse // nil if IPS did not answer
	Agrees    bool
}

// books compares what the platform believes with what IPS says.
func (a *App) books(w http.ResponseWriter, r *http.Request, v *visit) error {
	lines, err := a.compareBooks(r.Context())
	if err != nil {
		return err
	}
	return a.show(w, r, v, "books", "账目核对", lines)
}

func (a *App) compareBooks(ctx context.Context) ([]bookLine, error) {
	members, err := a.store.Users(ctx, store.Member)
	if err != nil {
		return nil, err
	}
	lines := []bookLine{{Who: "平台自有账户", Account: a.client.MerchantCode()}}
	for _, m := range members {
		if m.Account != "" {
			lines = append(lines, bookLine{Who: m.Login, Account: m.Account})
		}
	}
	for i := range lines {
		line := &lines[i]
		mine, err := a.store.Balance(ctx, line.Account)
		if err != nil {
			return nil, err
		}
		line.Available, line.Frozen = mine.Available, mine.Frozen
		if theirs, err := a.client.QueryBalance(ctx, line.Account); err != nil {
			a.log.Warn("no balance", "err", err)
		} else {
			line.IPS = theirs
			line.Agrees = theirs.Available == line.Available && theirs.Frozen == line.Frozen
		}
	}
	return lines, nil
}

func (a *App) contradictions(w http.ResponseWriter, r *http.Request, v *visit) error {
	all, err := a.store.Contradictions(r.Context(), store.OrderKey{})
	if err != nil {
		return err
	}
	return a.show(w, r, v, "contradictions", "矛盾答复", all)
}

func (a *App) resolve(w http.ResponseWriter, r *http.Request, v *visit) error {
	text := strings.TrimSpace(r.PostFormValue("resolution"))
	if text == "" || len([]rune(text)) > 500 {
		return complain("请填写处理结论（不超过 500 个字符）")
	}
	if err := a.store.Resolve(r.Context(), r.PathValue("id"), v.user.ID, text); err != nil {
		return err
	}
	return see(w, r, "/admin/contradictions")
}
