package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// effect is work in the transaction in which the book ends an order: what the
// end means for the platform's own books, loans, shares and plans.
type effect struct {
	*work
	app   *App
	order orders.Order
	act   Act
	now   time.Time
	lines int
}

func (a *App) effect(ctx context.Context, tx *sql.Tx, o orders.Order) *effect {
	e := &effect{work: &work{ctx: ctx, on: tx, dialect: a.data.dialect}, app: a, order: o, now: a.now()}
	e.act = find[Act](e.work, "order_key = ?", o.Key)
	// What it means may change a loan; and a late success may find lines of an
	// earlier end in the books.
	e.lines = e.count("SELECT COALESCE(MAX(line), 0) FROM postings WHERE order_key = ?", o.Key)
	return e
}

// on says what the success of an operation means, and has the platform note a
// refusal. A refusal gives nothing to others, so a success that comes after it is
// taken all the same: of an account that was opened in a second attempt under the
// same number, of a bid that the borrower agreed to after all.
func on[Q ips.Request, R ips.Response](a *App, done func(*effect, Q, R), refused func(*effect, Q)) {
	orders.Done(a.book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q Q, r R) error {
		e := a.effect(ctx, tx, o)
		e.note("")
		done(e, q, r)
		e.goOn()
		return e.err
	})
	orders.Refused(a.book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q Q, refusal *ips.Error) (orders.After, error) {
		e := a.effect(ctx, tx, o)
		if e.note(fmt.Sprintf("%s（%s）", refusal.Message, refusal.Code)); refusal.Code == "" {
			e.note("IPS 查询答复：未办成") // nobody has heard why
		}
		if refused != nil {
			refused(e, q)
		}
		e.goOn()
		return orders.Kept, e.err
	})
}

func (a *App) registerEffects() {
	on(a, accountOpened, nil)
	on(a, func(e *effect, q ips.RechargeRequest, _ *ips.RechargeResponse) {
		e.move(q.Account, q.Amount-q.Fee, 0, "充值")
		e.fee(q.Fee, "充值手续费")
	}, nil)
	on(a, func(e *effect, q ips.WithholdingRechargeRequest, _ *ips.WithholdingRechargeResponse) {
		e.move(q.Account, q.Amount-q.Fee, 0, "代扣充值")
		e.fee(q.Fee, "代扣充值手续费")
	}, nil)
	on(a, func(e *effect, q ips.WithdrawRequest, _ *ips.WithdrawResponse) {
		e.move(q.Account, -q.Amount-q.Fee, 0, "提现")
		e.fee(q.Fee, "提现手续费")
	}, nil)
	on(a, bidRegistered, bidRefused)
	orders.Closed(a.book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RegisterBidRequest) (orders.After, error) {
		e := a.effect(ctx, tx, o)
		if loan := e.lock(q.BidNo); loan.State == LoanApplied && loan.RegOrder == q.OrderNo {
			loan.RegOrder = "" // it may be published again
			set(e.work, loan)
		}
		return orders.Kept, e.err
	})
	on(a, bidEnded, nil)
	on(a, func(e *effect, q ips.RegisterCreditorRequest, _ *ips.CreditorResponse) {
		e.bid(Share{Claim: q.OrderNo, ContractNo: q.ContractNo, BidNo: q.BidNo, Principal: q.Amount, Fee: q.Fee}, q.Account)
	}, nil)
	on(a, func(e *effect, q ips.AutoBidRequest, _ *ips.CreditorResponse) {
		e.bid(Share{Claim: q.OrderNo, ContractNo: q.ContractNo, BidNo: q.BidNo, Principal: q.Amount, Fee: q.Fee}, q.Account)
	}, nil)
	on(a, guarantorRegistered, nil)
	on(a, marginUnfrozen, nil)
	on(a, saleRegistered, nil)
	// The rules are the answer's, as far as it says them.
	on(a, func(e *effect, q ips.SignAutoBidRequest, r *ips.SignAutoBidResponse) {
		add(e.work, Contract{AuthNo: r.AuthNo, UserID: e.act.UserID, Kind: AutoBid, ValidUntil: r.ValidUntil.String(), AmountFrom: r.AmountFrom, AmountTo: r.AmountTo, RateFrom: r.RateFrom, RateTo: r.RateTo, TermFrom: q.TermFrom, TermTo: q.TermTo, SignedAt: e.now})
	}, nil)
	on(a, func(e *effect, _ ips.SignAutoRepayRequest, r *ips.SignAutoRepayResponse) {
		add(e.work, Contract{AuthNo: r.AuthNo, UserID: e.act.UserID, Kind: AutoRepay, SignedAt: e.now})
	}, nil)
	on(a, transferred, func(e *effect, q ips.TransferRequest) {
		if q.Type == ips.TransferDebt {
			e.saleFailed()
		}
	})
	on(a, func(e *effect, q ips.RepayRequest, r *ips.RepayResponse) { e.repaid(q.BidNo, q.Account, q.Rows, r) }, nil)
	on(a, func(e *effect, q ips.AutoRepayRequest, r *ips.RepayResponse) { e.repaid(q.BidNo, q.Account, q.Rows, r) }, nil)
	on(a, oldBidRepaid, nil)
}

// note keeps with the act what people should know of its end.
func (e *effect) note(text string) {
	if runes := []rune(text); len(runes) > 400 {
		text = string(runes[:400])
	}
	e.exec("UPDATE acts SET note = ? WHERE order_key = ?", text, e.act.OrderKey)
}

// move adds a line to the platform's books.
func (e *effect) move(account string, available, frozen ips.Amount, about string) {
	if available == 0 && frozen == 0 {
		return
	}
	e.lines++
	add(e.work, Posting{OrderKey: e.order.Key, Line: e.lines, Account: account, BidNo: e.act.BidNo, Available: available, Frozen: frozen, About: about, PostedAt: e.now})
}

func (e *effect) fee(amount ips.Amount, about string) { e.move(e.order.Merchant, amount, 0, about) }

// late gives back at once what an answer says was frozen for a bid whose end
// was heard before that answer: IPS has released it with the rest.
func (e *effect) late(loan Loan, account string, amount ips.Amount) bool {
	if loan.State != LoanEnded {
		return false
	}
	e.move(account, amount, -amount, "标的已结束，解冻")
	return true
}

// 4.2 开户

func accountOpened(e *effect, _ ips.OpenAccountRequest, r *ips.OpenAccountResponse) {
	user := e.user(e.act.UserID)
	_, taken := maybe[User](e.work, "account = ? AND id <> ?", r.Account, user.ID)
	if taken || r.Account == "" || user.Account != "" && user.Account != r.Account {
		e.fail(errors.New("the account is missing or another's, or the user has one already"))
	}
	user.Account = r.Account
	set(e.work, user)
}

// 4.3 标的登记, 标的结束

func bidRegistered(e *effect, q ips.RegisterBidRequest, _ *ips.BidResponse) {
	loan := e.lock(q.BidNo)
	loan.State, loan.MarginLeft, loan.RegOrder = LoanRaising, q.Margin, q.OrderNo
	set(e.work, loan)
	e.move(q.Account, -q.Margin, q.Margin, "冻结借款保证金")
}

func bidRefused(e *effect, q ips.RegisterBidRequest) {
	if loan := e.lock(q.BidNo); loan.State == LoanApplied {
		loan.State = LoanFailed
		set(e.work, loan)
	}
}

// bidEnded gives everybody back what is frozen for the bid, as IPS does.
func bidEnded(e *effect, q ips.EndBidRequest, _ *ips.BidResponse) {
	loan := e.lock(q.BidNo)
	loan.State, loan.MarginLeft = LoanEnded, 0
	set(e.work, loan)
	type frozen struct {
		Account string
		Amount  ips.Amount
	}
	for _, f := range rows[frozen](e.work, "SELECT account, SUM(frozen) FROM postings WHERE bid_no = ? GROUP BY account HAVING SUM(frozen) <> 0 ORDER BY account", q.BidNo) {
		e.move(f.Account, f.Amount, -f.Amount, "标的结束，解冻")
	}
	e.exec("UPDATE shares SET state = CASE WHEN state = 'frozen' THEN 'called' ELSE 'ended' END WHERE bid_no = ? AND state NOT IN ('ended', 'sold')", q.BidNo)
	e.exec("UPDATE sales SET state = 'withdrawn' WHERE bid_no = ? AND state <> 'done'", q.BidNo)
	e.exec("UPDATE guarantees SET margin_left = 0 WHERE bid_no = ?", q.BidNo)
}

// 4.4 登记债权人

func (e *effect) bid(share Share, account string) {
	loan := e.lock(share.BidNo)
	holder := find[User](e.work, "account = ?", account)
	frozen := share.Principal + share.Fee
	e.move(account, -frozen, frozen, "冻结投标资金")
	share.ID, share.Number, share.HolderID, share.State = newID(), share.Claim, holder.ID, ShareFrozen
	if e.late(loan, account, frozen) {
		share.State = ShareCalled
	}
	add(e.work, share)
}

// 4.5 登记担保方, 4.12 解冻保证金

func guarantorRegistered(e *effect, q ips.RegisterGuarantorRequest, _ *ips.RegisterGuarantorResponse) {
	loan := e.lock(q.BidNo)
	e.move(q.Account, -q.Margin, q.Margin, "冻结担保保证金")
	g := Guarantee{OrderNo: q.OrderNo, BidNo: q.BidNo, GuarantorID: e.act.UserID, Amount: q.Amount, MarginLeft: q.Margin, Profit: q.Profit}
	if e.late(loan, q.Account, q.Margin) {
		g.MarginLeft = 0
	}
	add(e.work, g)
}

func marginUnfrozen(e *effect, q ips.UnfreezeMarginRequest, _ *ips.UnfreezeMarginResponse) {
	loan := e.lock(q.BidNo)
	e.move(q.Account, q.Amount, -q.Amount, "解冻保证金")
	if q.Owner == ips.BorrowerMargin {
		loan.MarginLeft -= q.Amount
		set(e.work, loan)
		return
	}
	g := find[Guarantee](e.work, "order_no = ?", e.act.Ref)
	g.MarginLeft -= q.Amount
	set(e.work, g)
}

// 4.10 转账

// carried picks the rows of a batch that IPS has carried out, and keeps those that
// it has not, with its reasons.
func carried[R comparable](e *effect, asked, failed []R, said func(R) Failure) (done []R) {
	left := make(map[R]int)
	for _, row := range failed {
		left[row]++
	}
	e.exec("DELETE FROM failures WHERE order_key = ?", e.order.Key)
	var moved, whole ips.Amount
	for i, row := range asked {
		f := said(row)
		whole += f.Amount
		if left[row] == 0 {
			done = append(done, row)
			moved += f.Amount
			continue
		}
		left[row]--
		f.OrderKey, f.Line = e.order.Key, i+1
		if runes := []rune(f.Reason); len(runes) > 200 {
			f.Reason = string(runes[:200])
		}
		add(e.work, f)
	}
	switch n := len(asked) - len(done); {
	case n > 0 && moved == 0:
		e.note(fmt.Sprintf("%s：%d 笔均未成功，没有资金变动", noneDone, n))
	case n > 0:
		e.note(fmt.Sprintf("%s：%d 笔中 %d 笔未成功；应 %s 元，实际 %s 元", partlyDone, len(asked), n, whole, moved))
	}
	return done
}

// How the notes of batches begin of which rows failed.
const partlyDone, noneDone = "部分成功", "全部未成功"

// transferred carries out the rows that IPS has carried out.
func transferred(e *effect, q ips.TransferRequest, r *ips.TransferResponse) {
	loan := e.lock(q.BidNo)
	why := make(map[string]string)
	for _, row := range r.Rows {
		why[row.OriginalOrderNo+" "+row.ToAccount] = row.Message
	}
	done := carried(e, q.Rows, r.Failed(q.Rows), func(row ips.TransferRow) Failure {
		account := row.ToAccount
		if q.Type == ips.TransferInvestment {
			account = row.FromAccount // each investor's, of one borrower
		}
		return Failure{Account: account, Amount: row.Amount, Reason: why[row.OriginalOrderNo+" "+row.ToAccount]}
	})
	if len(done) == 0 && q.Type == ips.TransferDebt {
		e.saleFailed()
	}
	for _, row := range done {
		switch q.Type {
		case ips.TransferInvestment:
			e.invested(&loan, q, row)
		case ips.TransferCompensation:
			e.compensated(q, row)
		case ips.TransferCompensationRepayment:
			e.reimbursed(row)
		case ips.TransferDebt:
			e.sold(row)
		case ips.TransferGuaranteeProfit:
			e.profited(row)
		}
	}
	set(e.work, loan)
}

// invested is a bid whose money the borrower has got (放款). From here on the
// share has a plan of repayment.
func (e *effect) invested(loan *Loan, q ips.TransferRequest, row ips.TransferRow) {
	share := find[Share](e.work, "claim = ? AND state = 'frozen'", row.OriginalOrderNo)
	e.move(row.FromAccount, share.Fee-row.FromFee, -share.Principal-share.Fee, "放款")
	e.move(row.ToAccount, row.Amount-row.ToFee, 0, "放款到账")
	e.fee(row.FromFee+row.ToFee, "放款手续费")
	loan.FeeTaken += row.ToFee
	loan.Released += row.Amount
	loan.State = LoanRunning
	share.State, share.Fee, share.Unpaid = ShareReleased, 0, share.Principal
	set(e.work, share)
	for _, due := range plan(share.Principal, loan.Rate, loan.Months, loan.RepayMode, q.Date) {
		due.ShareID = share.ID
		add(e.work, due)
	}
}

// pay books what a share's holder was paid for a period. It may be more than is
// due any more, because a page of IPS can be confirmed after the period was paid
// in another way; then it goes to the instalments that come next, and what is left
// of it is shown to staff. IPS has no way to take it back.
func (e *effect) pay(number, account string, amount ips.Amount, by DueState) {
	holder := find[User](e.work, "account = ?", account)
	share, ok := maybe[Share](e.work, "holder_id = ? AND (number = ? OR claim = ?)", holder.ID, number, number)
	if !ok {
		e.fail(fmt.Errorf("a payment for claim %s, of which the account paid holds nothing", number))
		return
	}
	dues := list[Due](e.work, "share_id = ? AND state = 'open' ORDER BY period", share.ID)
	share.Principal, share.Unpaid = 0, max(0, share.Unpaid-amount)
	for _, due := range dues {
		paid := min(amount, due.Left())
		amount -= paid
		due.Paid += paid
		if due.Left() == 0 {
			due.State = by
		}
		if paid > 0 {
			set(e.work, due)
		}
		share.Principal += due.PrincipalLeft()
	}
	share.Overpaid += amount
	set(e.work, share)
	if amount > 0 {
		e.note("已无应还款项，多付 " + amount.String() + " 元，请平台与收款人协商退回")
	}
	e.freeBuyers(share.Claim)
}

// freeBuyers gives back what is frozen for sales that were not carried out, when
// so much was paid on their claim that IPS holds it for repaid. That it does so is
// our assumption: the contract is silent.
func (e *effect) freeBuyers(claim string) {
	if e.count("SELECT SUM(unpaid) FROM shares WHERE claim = ?", claim) > 0 {
		return
	}
	type frozen struct {
		OrderKey, OrderNo, Account string
		Amount                     ips.Amount
	}
	for _, f := range rows[frozen](e.work, "SELECT a.order_key, a.order_no, p.account, SUM(p.frozen) FROM postings p JOIN acts a ON a.order_key = p.order_key "+
		"JOIN sales s ON s.id = a.ref JOIN shares h ON h.id = s.share_id WHERE a.kind = 'buy' AND h.claim = ? AND a.order_no NOT IN (SELECT order_no FROM sales WHERE state = 'done') "+
		"GROUP BY a.order_key, a.order_no, p.account HAVING SUM(p.frozen) > 0 ORDER BY a.order_key", claim) {
		// Among the lines of the order that froze it, so that it is freed once.
		line := e.count("SELECT MAX(line) FROM postings WHERE order_key = ?", f.OrderKey) + 1
		add(e.work, Posting{OrderKey: f.OrderKey, Line: line, Account: f.Account, BidNo: e.act.BidNo, Available: f.Amount, Frozen: -f.Amount, About: "债权已还清，解冻受让资金", PostedAt: e.now})
		e.exec("UPDATE acts SET note = ? WHERE order_key = ?", "债权已还清，受让资金已解冻", f.OrderKey)
		e.exec("UPDATE sales SET state = 'withdrawn' WHERE order_no = ?", f.OrderNo)
	}
}

// compensated is an instalment that the guarantor has paid (代偿). IPS takes it
// from his margin first (our assumption: the contract is silent). What it has
// cost him, the borrower owes him.
func (e *effect) compensated(q ips.TransferRequest, row ips.TransferRow) {
	e.pay(row.OriginalOrderNo, row.ToAccount, row.Amount, DueCompensated)
	g := find[Guarantee](e.work, "order_no = ?", e.act.Ref)
	fromMargin := min(g.MarginLeft, row.Amount)
	g.MarginLeft -= fromMargin
	g.Compensated += row.Amount
	set(e.work, g)
	e.move(row.FromAccount, fromMargin-row.Amount, -fromMargin, "代偿")
	e.move(row.ToAccount, row.Amount, 0, "代偿到账")
	c, ok := maybe[Compensation](e.work, "order_no = ?", q.OrderNo)
	if !ok {
		add(e.work, Compensation{OrderNo: q.OrderNo, Guarantee: g.OrderNo, BidNo: g.BidNo, Amount: row.Amount})
		return
	}
	c.Amount += row.Amount
	set(e.work, c)
}

// reimbursed is a compensation that the borrower has paid back (代偿还款).
func (e *effect) reimbursed(row ips.TransferRow) {
	c := find[Compensation](e.work, "order_no = ?", row.OriginalOrderNo)
	c.Repaid += row.Amount
	set(e.work, c)
	e.move(row.FromAccount, -row.Amount, 0, "代偿还款")
	e.move(row.ToAccount, row.Amount, 0, "代偿还款到账")
}

// profited is the profit of a guarantee that was settled (结算担保收益).
func (e *effect) profited(row ips.TransferRow) {
	g := find[Guarantee](e.work, "order_no = ?", row.OriginalOrderNo)
	g.ProfitPaid += row.Amount
	set(e.work, g)
	e.move(row.FromAccount, -row.Amount, 0, "支付担保收益")
	e.move(row.ToAccount, row.Amount, 0, "担保收益")
}

// 4.11 还款

func (e *effect) repaid(bidNo, from string, asked []ips.RepayRow, r *ips.RepayResponse) {
	e.lock(bidNo)
	why := make(map[string]string)
	for _, row := range r.Rows {
		why[row.CreditorOrderNo+" "+row.Account] = row.Message
	}
	for _, row := range carried(e, asked, r.Failed(asked), func(row ips.RepayRow) Failure {
		return Failure{Account: row.Account, Amount: row.Amount, Reason: why[row.CreditorOrderNo+" "+row.Account]}
	}) {
		e.pay(row.CreditorOrderNo, row.Account, row.Amount, DueRepaid)
		e.move(from, -row.Amount-row.BorrowerFee, 0, "还款")
		e.move(row.Account, row.Amount-row.Fee, 0, "收到还款")
		e.fee(row.Fee+row.BorrowerFee, "还款手续费")
	}
}

// oldBidRepaid is the repayment of a bid of the old interface (老版还款), which
// ends with it: IPS knows no other end of such a bid.
func oldBidRepaid(e *effect, q ips.RepayOldBidRequest, r *ips.RepayOldBidResponse) {
	loan := e.lock(q.BidNo)
	why := make(map[string]string)
	for _, row := range r.Rows {
		why[row.Account] = row.Message
	}
	for _, row := range carried(e, q.Rows, r.Failed(q.Rows), func(row ips.RepayOldBidRow) Failure {
		return Failure{Account: row.Account, Amount: row.Amount, Reason: why[row.Account]}
	}) {
		e.pay(q.BidNo, row.Account, row.Amount, DueRepaid)
		e.move(q.Account, -row.Amount, 0, "老标的还款")
		e.move(row.Account, row.Amount-row.Fee, 0, "收到老标的还款")
		e.fee(row.Fee, "老标的还款手续费")
	}
	e.move(q.Account, -q.Fee, 0, "老标的还款手续费")
	e.fee(q.Fee, "老标的还款手续费")
	if len(e.payables(q.BidNo)) == 0 {
		loan.State = LoanEnded
		set(e.work, loan)
		e.exec("UPDATE shares SET state = 'ended' WHERE bid_no = ?", q.BidNo)
	}
}

// 4.6 登记债权转让, and the transfer that follows from it.

// mark is what was paid on a share so far. If that has changed, the price of a
// part of it was for something else. What its holder sells or buys meanwhile
// changes nothing of the part.
func (w *work) mark(share Share) string {
	return strconv.Itoa(w.count("SELECT COALESCE(SUM(paid), 0) FROM dues WHERE share_id = ?", share.ID))
}

// saleRegistered is a buyer whose money is frozen. IPS has no way to free it but
// the transfer to the seller, the end of the claim or of the bid. So whoever
// confirms first has the offer, also who ordered it shortly before it was withdrawn.
// Whether he sells to others, the seller is asked.
func saleRegistered(e *effect, q ips.RegisterDebtTransferRequest, _ *ips.RegisterDebtTransferResponse) {
	loan := e.lock(q.BidNo)
	e.move(q.ToAccount, -q.Price-q.ToFee, q.Price+q.ToFee, "冻结受让资金")
	if e.late(loan, q.ToAccount, q.Price+q.ToFee) {
		return
	}
	sale := find[Sale](e.work, "id = ?", e.act.Ref)
	first := sale.OrderNo == "" && (sale.State == SaleOffered || e.now.Sub(e.act.MadeAt) < offerTime)
	sale.BuyerID, sale.OrderNo, sale.State = e.act.UserID, q.OrderNo, SalePaid
	if first {
		set(e.work, sale)
	} else {
		sale.ID, sale.State = newID(), SaleAsksSeller
		add(e.work, sale)
		e.note("确认前该债权已有人购买或已撤回：出让方同意转让的，立即划转；否则" + untilThen)
	}
	// IPS may have frozen it before the last payment, of which was heard first.
	e.freeBuyers(find[Share](e.work, "id = ?", sale.ShareID).Claim)
}

// untilThen says when the money of a sale that is not carried out is free again.
const untilThen = "受让资金在该债权还清或标的结束时由 IPS 解冻"

// goOn carries on the sales of the order's loan whose buyers have paid and that
// had to wait until nothing else moved the claim. It looks once more whether the
// claim still is what the price was for.
func (e *effect) goOn() {
	if e.act.BidNo == "" || e.err != nil {
		return
	}
	for _, sale := range list[Sale](e.work, "bid_no = ? AND state = 'paid' ORDER BY id", e.act.BidNo) {
		if !e.quiet(sale.BidNo, e.order.Key, claimMovers...) {
			return
		}
		e.app.hand(e.work, sale)
	}
}

// hand records the transfer of a sale. If the claim is not what it was when its
// price was accepted, it asks the buyer instead.
func (a *App) hand(w *work, sale Sale) (order orders.Order) {
	share := find[Share](w, "id = ?", sale.ShareID)
	purchase := find[Act](w, "kind = 'buy' AND order_no = ?", sale.OrderNo)
	buyer, seller := w.user(sale.BuyerID), w.user(sale.SellerID)
	if w.err != nil {
		return order
	}
	if sale.Face > share.Principal || purchase.Mark != w.mark(share) {
		sale.State = SaleAsksBuyer
		set(w, sale)
		purchase.Note = "下单后该债权已减少：请在“转让市场”决定是否按现状、按原价受让；不受让的，" + untilThen
		set(w, purchase)
		return order
	}
	sale.State = SalePaid
	set(w, sale)
	fee := perMille(sale.Price, saleFeePerMille)
	// The money goes the other way than the claim.
	return a.recordIn(w, buyer, draft{
		kind: KindSale, bidNo: sale.BidNo, ref: sale.ID, about: "债权转让 划转 " + sale.Price.String() + " 元",
		request: ips.TransferRequest{BidNo: sale.BidNo, Date: ips.DateOf(a.now()), Type: ips.TransferDebt, Rows: []ips.TransferRow{{
			OriginalOrderNo: sale.OrderNo, Amount: sale.Price, FromAccount: buyer.Account, FromFee: fee, ToAccount: seller.Account, ToFee: fee,
		}}},
	})
}

// saleFailed leaves a sale to staff that IPS did not carry out.
func (e *effect) saleFailed() {
	e.lock(e.act.BidNo)
	sale := find[Sale](e.work, "id = ?", e.act.Ref)
	if sale.State == SalePaid {
		sale.State = SaleFailed
		set(e.work, sale)
	}
}

// sold is a sale whose money has moved (债权转让): the share, or the part of it,
// goes over with its part of what is open.
func (e *effect) sold(row ips.TransferRow) {
	sale := find[Sale](e.work, "order_no = ?", row.OriginalOrderNo)
	from := find[Share](e.work, "id = ?", sale.ShareID)
	if e.err == nil && (sale.State != SalePaid && sale.State != SaleFailed || sale.Face > from.Principal) {
		e.fail(fmt.Errorf("sale %s is %s and its share less than was sold", sale.ID, sale.State))
	}
	sale.State = SaleDone
	set(e.work, sale)
	e.move(row.FromAccount, 0, -row.Amount-row.FromFee, "受让债权")
	e.move(row.ToAccount, row.Amount-row.ToFee, 0, "转让债权")
	e.fee(row.FromFee+row.ToFee, "债权转让手续费")
	to, ok := maybe[Share](e.work, "claim = ? AND holder_id = ?", from.Claim, sale.BuyerID)
	if !ok {
		to = Share{ID: newID(), Claim: from.Claim, Number: e.order.OrderNo, ContractNo: from.ContractNo, BidNo: from.BidNo, HolderID: sale.BuyerID, State: ShareReleased}
		add(e.work, to)
	}
	theirs := list[Due](e.work, "share_id = ?", to.ID)
	if e.err != nil {
		return
	}
	for _, c := range split(list[Due](e.work, "share_id = ? ORDER BY period", from.ID), from.Principal, sale.Face) {
		e.cut(c, to.ID, theirs)
	}
	unpaid := min(from.Unpaid, sale.Face)
	from.Principal, from.Unpaid = from.Principal-sale.Face, from.Unpaid-unpaid
	to.Principal, to.Unpaid = to.Principal+sale.Face, to.Unpaid+unpaid
	to.State = ShareReleased
	if from.Principal == 0 {
		from.State = ShareSold
	}
	set(e.work, from)
	set(e.work, to)
}

// cut puts both parts of an instalment where they belong now.
func (e *effect) cut(c cut, toShare string, theirs []Due) {
	if c.kept.Left() == 0 {
		c.kept.State = DueRepaid
	}
	set(e.work, c.kept)
	if c.gone.Left() == 0 {
		return
	}
	c.gone.ShareID = toShare
	for _, due := range theirs { // he may hold a part of the same claim already
		if due.Period == c.gone.Period {
			due.Principal += c.gone.Principal
			due.Interest += c.gone.Interest
			due.State = DueOpen
			set(e.work, due)
			return
		}
	}
	add(e.work, c.gone)
}
