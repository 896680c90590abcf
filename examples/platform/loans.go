package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
)

// Chapter 2, 平台发布借款标, up to the application; 3, 担保方对标的担保; 4 and 5,
// 投资人投标; 7, 借款人还款; 9, 借款人针对代偿的还款.

// The platform's fees and limits.
const (
	lendFeePerMille = 10             // 借款人手续费, of the loan
	saleFeePerMille = 5              // of the price of a claim, from both sides
	withdrawFee     = 2 * ips.Yuan   // 提现手续费
	bidFeePerMille  = 1              // 投资人手续费, of the bid
	interestPercent = 10             // of the interest that a creditor is paid
	minBid          = 100 * ips.Yuan // smaller shares would round to nothing
	maxApplied      = 5              // applications of one member that wait
	// How long a page of IPS that was just opened keeps others from doing what
	// would make it worthless: a moment, once for each of them, and no longer.
	hold = 3 * time.Minute
	// How long who has ordered a claim still gets it after its seller has withdrawn it.
	offerTime = 24 * time.Hour
)

func perMille(amount ips.Amount, n ips.Amount) ips.Amount { return amount * n / 1000 }

func months(n int) string {
	if n == 0 {
		return "未登记"
	}
	return strconv.Itoa(n) + " 个月"
}

func (a *App) borrowPage(d *work, r *http.Request, v *visit) (string, []Part) {
	d.requireAccount(v.user)
	mine := loanTable(d, r, "/loan/", listing{where: "borrower_id = ?", args: []any{v.user.ID}, filters: ofLoans, sorts: newestLoans, none: "您还没有借款。"})
	mine.Heading = "我的借款"
	return "我要借款", []Part{mine, {Heading: "申请借款", Forms: []Form{{Action: "/borrow", Button: "提交借款申请", Fields: []Field{
		money("借款金额（元）", "amount", ""), money("借款保证金（元）", "margin", "0.00"), money("年利率（%）", "rate", "12.00"),
		count("借款期限（月）", "months", ""),
		{Label: "还款方式", Name: "mode", Options: []Fact{{"1", "等额本息"}, {"2", "按月还息到期还本"}, {"3", "等额本金"}}},
		{Label: "借款用途", Name: "purpose", Max: 100},
	}}}, Hint: "借款人手续费为借款金额的 1%，放款时收取；保证金在发布成功时冻结，须先充值。"}}
}

func (a *App) borrow(d *work, r *http.Request, v *visit) string {
	loan := Loan{
		BidNo: ips.NewOrderNo("B"), BorrowerID: v.user.ID, Purpose: strings.TrimSpace(r.PostFormValue("purpose")),
		Amount: d.positive(r, "amount", "借款金额"), Margin: d.amount(r, "margin", "借款保证金"),
		RepayMode: ips.RepayMode(r.PostFormValue("mode")), State: LoanApplied, CreatedAt: a.now(),
	}
	loan.Fee = perMille(loan.Amount, lendFeePerMille)
	d.want(loan.Amount >= minBid, "借款金额至少 %s 元", minBid)
	loan.Rate, loan.Months = d.rate(r, "rate", "年利率"), d.months(r, "months", "借款期限", 36)
	d.want(loan.Purpose != "" && len([]rune(loan.Purpose)) <= 100 && plain(loan.Purpose), "请填写借款用途（不超过 100 个字符）")
	d.want(repayModes[loan.RepayMode] != "", "请选择还款方式")
	d.requireAccount(v.user)
	waiting := d.count("SELECT COUNT(*) FROM loans WHERE borrower_id = ? AND state = 'applied'", v.user.ID)
	d.want(waiting < maxApplied, "您已有 %d 笔借款申请等待审核", waiting)
	add(d, loan)
	return "/loan/" + loan.BidNo
}

// rate and months read what a loan can have of them out of a form.
func (w *work) rate(r *http.Request, field, label string) ips.Rate {
	rate, err := ips.ParseRate(strings.TrimSpace(r.PostFormValue(field)))
	w.want(err == nil && rate >= ips.Percent && rate <= 24*ips.Percent, "%s须为 1.00%% 至 24.00%%", label)
	return rate
}

func (w *work) months(r *http.Request, field, label string, most int) int {
	n, err := strconv.Atoi(r.PostFormValue(field))
	w.want(err == nil && n >= 1 && n <= most, "%s须为 1 至 %d 个月", label, most)
	return n
}

// planOf is the plan of some shares.
func (a *App) planOf(d *work, where string, args ...any) Part {
	type period struct {
		Period                    int
		DueOn                     string
		Principal, Interest, Paid ips.Amount
		Open                      int
		State                     DueState
	}
	plan := Part{Heading: "还款计划", Head: []string{"期", "到期日", "本金（元）", "利息（元）", "合计（元）", "已还（元）", "待还（元）", "状态"}}
	today := ips.DateOf(a.now()).String()
	for _, p := range rows[period](d, "SELECT d.period, MIN(d.due_on), SUM(d.principal), SUM(d.interest), SUM(d.paid), SUM(CASE WHEN d.state = 'open' THEN 1 ELSE 0 END), MIN(d.state) "+
		"FROM dues d JOIN shares s ON s.id = d.share_id WHERE "+where+" AND d.principal + d.interest > 0 GROUP BY d.period ORDER BY d.period", args...) {
		state := dueStates[p.State]
		if p.Open > 0 {
			state = dueStates[DueOpen]
			if p.Paid > 0 {
				state = "部分已还"
			}
			if p.DueOn < today {
				state += "，逾期"
			}
		}
		whole := p.Principal + p.Interest
		plan.Rows = append(plan.Rows, []Cell{{Text: strconv.Itoa(p.Period), Number: true}, text(dayOf(p.DueOn)), number(p.Principal), number(p.Interest), number(whole), number(p.Paid), number(whole - p.Paid), text(state)})
	}
	return plan
}

// isParty reports whether a loan has a contract that is the visitor's, too. The
// terms of an old loan are not known here.
func (d *work) isParty(loan Loan, v *visit) bool {
	return loan.Released > 0 && loan.ContractNo == "" && (v.admin() || loan.BorrowerID == v.user.ID || d.count("SELECT COUNT(*) FROM shares WHERE bid_no = ? AND holder_id = ? AND state IN ('released', 'ended', 'sold')", loan.BidNo, v.user.ID) > 0 ||
		d.count("SELECT COUNT(*) FROM guarantees WHERE bid_no = ? AND guarantor_id = ?", loan.BidNo, v.user.ID) > 0)
}

// contract is the agreement of a loan (借款合同), for those who are part of it: the
// borrower and staff see all of it, a guarantor the loan's plan, a creditor the claims
// of which he has or had a part. What came of it since stands apart.
func (a *App) contract(d *work, r *http.Request, v *visit) (string, []Part) {
	type party struct {
		At                            time.Time // of a sale, whose other side is Ident
		Name, Ident, Contract, Number string
		Amount                        ips.Amount
	}
	loan, me := find[Loan](d, "bid_no = ?", r.PathValue("bid")), v.user.ID
	if !d.isParty(loan, v) {
		d.fail(errNotFound)
	}
	all := v.admin() || loan.BorrowerID == me
	whole := all || d.count("SELECT COUNT(*) FROM shares WHERE bid_no = ? AND holder_id = ?", loan.BidNo, me) == 0
	const claims, claimNo = "s.bid_no = ? AND (s.claim IN (SELECT claim FROM shares WHERE holder_id = ?) OR ?)", "登记债权人订单号"
	lent := listed(d, r, listing{
		heading: "出借人（甲方）", head: []string{"姓名", "身份证号", "合同号", claimNo, "出借本金（元）"},
		columns: "0, u.real_name, u.ident_no, s.contract_no, s.claim, (SELECT COALESCE(SUM(d.principal), 0) FROM dues d JOIN shares t ON t.id = d.share_id WHERE t.claim = s.claim)",
		from:    "shares s JOIN users u ON u.id = s.holder_id", where: claims + " AND s.number = s.claim AND s.state IN ('released', 'ended', 'sold')",
		args: []any{loan.BidNo, me, all}, sorts: []choice{{"", "", "s.claim, s.id"}},
	}, func(p party) []Cell {
		return []Cell{text(p.Name), text(tail(p.Ident)), text(p.Contract), text(p.Number), number(p.Amount)}
	})
	backed := listed(d, r, listing{
		heading: "担保方（丙方）", head: []string{"姓名", "身份证号", "登记担保方订单号", "担保金额（元）"}, columns: "0, u.real_name, u.ident_no, '', g.order_no, g.amount",
		from: "guarantees g JOIN users u ON u.id = g.guarantor_id", where: "g.bid_no = ?", args: []any{loan.BidNo}, sorts: []choice{{"", "", "g.order_no"}}, name: "guarantee-",
	}, func(p party) []Cell {
		return []Cell{text(p.Name), text(tail(p.Ident)), text(p.Number), number(p.Amount)}
	})
	sold := listed(d, r, listing{
		heading: "债权转让", head: []string{"时间", "出让人", "受让人", claimNo, "受让订单号", "受让本金（元）"}, args: []any{loan.BidNo, me, me, all}, name: "sale-", sorts: []choice{{"", "", "s.order_no"}},
		columns: "(SELECT MAX(o.ended_us) FROM " + actsAndOrders + " WHERE a.kind = 'sale' AND a.ref = s.id), f.real_name, t.real_name, h.claim, s.order_no, s.face",
		from:    "sales s JOIN shares h ON h.id = s.share_id JOIN users f ON f.id = s.seller_id JOIN users t ON t.id = s.buyer_id",
		where:   "s.bid_no = ? AND s.state = 'done' AND (s.seller_id = ? OR s.buyer_id = ? OR ?)",
	}, func(p party) []Cell {
		return []Cell{text(when(p.At)), text(p.Name), text(p.Ident), text(p.Contract), text(p.Number), number(p.Amount)}
	})
	borrower, words := d.user(loan.BorrowerID), "甲方经本平台向乙方出借下列款项，资金由环迅支付资金管理平台存管、划付；乙方按还款计划还本付息"
	if backed.Rows != nil {
		words += "，丙方对未按期偿还的本息在担保金额内代偿"
	}
	agreed, since := a.planOf(d, claims, loan.BidNo, me, whole), a.planOf(d, "s.bid_no = ? AND (s.holder_id = ? OR ?)", loan.BidNo, me, whole)
	agreed.Head, since.Heading, since.Facts = agreed.Head[:5], "履行情况", []Fact{{"打印时间", when(a.now())}, {"标的状态", stateOfLoan(loan, d.frozen(loan.BidNo), len(d.payables(loan.BidNo)) > 0)}}
	for i := range agreed.Rows {
		agreed.Rows[i] = agreed.Rows[i][:5]
	}
	for _, p := range progress(d, "bid_no = ? AND kind IN ('publish', 'release', 'end') AND o.state = 'done' ORDER BY o.ended_us, a.order_key LIMIT 200", loan.BidNo) {
		since.Facts = append(since.Facts, Fact{when(p.EndedAt), p.About + "，订单号 " + p.OrderNo})
	}
	return "借款合同", []Part{{Facts: []Fact{
		{"标的号", loan.BidNo}, {"借款人（乙方）", borrower.RealName + "，身份证号 " + tail(borrower.IdentNo)}, {"借款用途", loan.Purpose}, {"借款金额", loan.Amount.String() + " 元"},
		{"年利率", loan.Rate.String() + "%"}, {"期限", months(loan.Months) + "，" + repayModes[loan.RepayMode]},
	}, Text: words + "。"}, lent, backed, agreed, sold, since, {Hint: "需要纸质合同的，用浏览器打印本页。", Links: []Link{{"查看标的", "/loan/" + loan.BidNo}}}}
}

// loan is the page of a loan: for staff with what it can do, and with the orders.
func (a *App) loan(d *work, r *http.Request, v *visit) (string, []Part) {
	loan := find[Loan](d, "bid_no = ?", r.PathValue("bid"))
	mine := loan.BorrowerID == v.user.ID
	if (loan.State == LoanApplied || loan.State == LoanFailed || loan.State == LoanOld) && !mine && !v.admin() {
		d.fail(errNotFound)
	}
	frozen := d.frozen(loan.BidNo)
	open := d.payables(loan.BidNo)
	facts := []Fact{
		{"标的号", loan.BidNo}, {"借款人", d.person(loan.BorrowerID)}, {"借款用途", loan.Purpose}, {"借款金额", loan.Amount.String() + " 元"},
		{"年利率", loan.Rate.String() + "%"}, {"期限", months(loan.Months)}, {"还款方式", repayModes[loan.RepayMode]}, {"状态", stateOfLoan(loan, frozen, len(open) > 0)},
	}
	if loan.State == LoanApplied {
		facts = append(facts, Fact{"发布时冻结保证金", loan.Margin.String() + " 元"}, Fact{"放款时收取手续费", loan.Fee.String() + " 元"}, Fact{"下一步", "平台审核通过后，IPS 发短信请借款人确认，确认后冻结保证金、开始募集"})
	}
	if loan.State != LoanApplied && loan.State != LoanFailed && loan.State != LoanEnded {
		facts = append(facts, Fact{"已投", fmt.Sprintf("%s 元，剩余可投 %s 元", loan.Released+frozen, loan.Amount-loan.Released-frozen)}, Fact{"冻结保证金", loan.MarginLeft.String() + " 元"})
	}
	head := Part{}
	for _, p := range progress(d, "bid_no = ? AND kind = 'publish' ORDER BY made_at DESC LIMIT 1", loan.BidNo) {
		switch {
		case loan.State == LoanApplied && loan.RegOrder != "":
			facts = append(facts, Fact{"等待", "借款人回复 IPS 短信确认，最晚 " + when(p.MadeAt.Add(textTime)) + "；本页会自动更新"})
			v.again, head = 10, a.inboxLink(v)
		case loan.State == LoanFailed:
			facts = append(facts, Fact{"原因", said(p.Note, v)})
			if loan.BorrowerID == v.user.ID {
				head.Links = []Link{{"重新申请", "/borrow"}}
			}
		}
	}
	head.Facts = facts
	if d.isParty(loan, v) {
		head.Links = append(head.Links, Link{"借款合同", "/loan/" + loan.BidNo + "/contract"})
	}
	type held struct {
		Holder              string
		Principal, Overpaid ips.Amount
		State               ShareState
	}
	shares := listed(d, r, listing{
		heading: "投标记录", head: []string{"债权人", "待收本金（元）", "状态"}, columns: "u.login, s.principal, s.overpaid, s.state",
		from: "shares s JOIN users u ON u.id = s.holder_id", where: "s.bid_no = ?", args: []any{loan.BidNo}, name: "share-",
		sorts: []choice{{"", "先投在前", "s.claim, s.id"}, {"most", "本金从高到低", "s.principal DESC, s.id"}},
	}, func(s held) []Cell {
		state := stateOfShare(s.State, s.Principal)
		if s.Overpaid > 0 {
			state += "，多收 " + s.Overpaid.String() + " 元待退回"
		}
		return []Cell{text(s.Holder), number(s.Principal), text(state)}
	})
	path := "/loan/" + loan.BidNo
	parts := []Part{head}
	if v.admin() {
		parts = append(parts, Part{Heading: "操作", Forms: a.staffForms(d, loan, open)})
	}
	member := v.user.ID != "" && !v.admin() && !mine
	left := loan.Amount - loan.Released - frozen
	if loan.open() && member && left > 0 {
		var interest ips.Amount
		for _, due := range plan(left, loan.Rate, loan.Months, loan.RepayMode, ips.DateOf(a.now())) {
			interest += due.Interest
		}
		parts = append(parts, Part{Heading: "投标", Text: fmt.Sprintf("您的可用余额 %s 元。投满剩余的 %s 元，到期共收利息 %s 元，平台从中收取 %d%%。", d.holding(v.user.Account).Available, left, interest, interestPercent),
			Forms: []Form{{Action: path + "/bid", Button: "投标", Fields: []Field{money("投标金额（元）", "amount", left.String())}}},
			Hint:  "至少 " + minBid.String() + " 元。手续费为投标金额的 0.1%，在 IPS 确认后与投标资金一并冻结。"})
	}
	if loan.open() && member && (len(open) > 0 || loan.Released < loan.Amount) {
		parts = append(parts, Part{Heading: "担保", Forms: []Form{{Action: path + "/guarantee", Button: "担保", Fields: []Field{money("担保保证金（元，0 为无保证金担保）", "margin", "0.00"), money("担保收益（元）", "profit", "0.00")}}}, Hint: "担保收益由借款人支付，须借款人同意。"})
	}
	if p := nextOf(open, "").first(maxRepayRows); mine && p.period > 0 {
		parts = append(parts, Part{Heading: "还款", Text: "您的可用余额 " + d.holding(v.user.Account).Available.String() + " 元。", Forms: []Form{{Action: path + "/repay", Button: fmt.Sprintf("还第 %d 期（%s 元）", p.period, p.total())}}})
	}
	for _, c := range list[Compensation](d, "bid_no = ? AND amount > repaid ORDER BY order_no", loan.BidNo) {
		if mine {
			parts = append(parts, Part{Heading: "代偿还款", Forms: []Form{{Action: path + "/reimburse", Hidden: []Fact{{"compensation", c.OrderNo}}, Button: fmt.Sprintf("向担保方还款（代偿 %s 元，已还 %s 元）", c.Amount, c.Repaid)}}})
		}
	}
	parts = append(parts, listed(d, r, listing{
		heading: "担保方", head: []string{"担保方", "担保金额（元）", "冻结保证金（元）", "已代偿（元）", "担保收益（元）", "收益状态"}, columns: columnsOf[Guarantee](""),
		from: "guarantees", where: "bid_no = ?", args: []any{loan.BidNo}, sorts: []choice{{"", "", "order_no"}}, name: "guarantee-",
	}, func(g Guarantee) []Cell {
		row := []Cell{text(d.person(g.GuarantorID)), number(g.Amount), number(g.MarginLeft), number(g.Compensated), number(g.Profit), text(agreement(g, loan))}
		if mine && g.Profit > 0 && !g.Agreed && loan.open() {
			row[5].Forms = []Form{{Action: path + "/agree", Button: "同意支付担保收益 " + g.Profit.String() + " 元", Hidden: []Fact{{"guarantee", g.OrderNo}}}}
		}
		if v.admin() {
			row[5].Forms = a.guaranteeForms(d, loan, g, open)
		}
		return row
	}))
	parts = append(parts, a.planOf(d, "s.bid_no = ?", loan.BidNo), shares)
	if v.admin() {
		done := orderTable(d, r, v, "bid_no = ?", loan.BidNo)
		done.Heading = "订单"
		parts = append(parts, done)
	}
	return "标的 " + loan.Purpose, parts
}

func agreement(g Guarantee, loan Loan) string {
	switch {
	case g.Profit == 0:
		return ""
	case g.ProfitPaid == g.Profit:
		return "收益已结算"
	case g.Agreed:
		return "借款人已同意收益"
	case loan.State == LoanEnded:
		return "未获同意，已失效"
	}
	return "收益待借款人同意"
}

// lockOpen locks a loan that people may bid on or guarantee for.
func (w *work) lockOpen(bidNo string, v *visit) Loan {
	loan := w.lock(bidNo)
	w.want(loan.open(), "该标的不在募集中")
	w.want(loan.BorrowerID != v.user.ID, "借款人不能对自己的标的投标或担保")
	w.requireAccount(v.user)
	return loan
}

func (a *App) bid(d *work, r *http.Request, v *visit) draft {
	amount := d.amount(r, "amount", "投标金额")
	loan := d.lockOpen(r.PathValue("bid"), v)
	d.wantRoom(loan, amount)
	return draft{kind: KindBid, bidNo: loan.BidNo, about: "投标 " + amount.String() + " 元", request: ips.RegisterCreditorRequest{
		Date: ips.DateOf(a.now()), BidNo: loan.BidNo, ContractNo: ips.NewOrderNo("C"), Amount: amount, Fee: perMille(amount, bidFeePerMille),
		IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account, Purpose: loan.Purpose,
	}}
}

// wantRoom spares investors the way to IPS if a loan is full, and refuses bids so
// small that their interest and fees round to nothing. Bids that are not
// confirmed take no room: whoever confirms first, IPS lets in.
func (w *work) wantRoom(loan Loan, amount ips.Amount) {
	left := loan.Amount - loan.Released - w.frozen(loan.BidNo)
	w.want(amount <= left, "剩余可投金额为 %s 元", left)
	w.want(amount > 0 && (amount >= minBid || amount == left), "投标金额至少 %s 元", minBid)
	w.want(amount == left || left-amount >= minBid, "投标后剩余可投金额不足 %s 元，请投满 %s 元或少投一些", minBid, left)
}

func (a *App) guarantee(d *work, r *http.Request, v *visit) draft {
	margin := d.amount(r, "margin", "担保保证金")
	profit := d.amount(r, "profit", "担保收益")
	loan := d.lockOpen(r.PathValue("bid"), v)
	// IPS takes one guarantee of each guarantor, and its answer to another is hard to
	// tell from one to a repetition.
	mine := d.count("SELECT COUNT(*) FROM guarantees WHERE bid_no = ? AND guarantor_id = ?", loan.BidNo, v.user.ID)
	begun := progress(d, "bid_no = ? AND user_id = ? AND kind = 'guarantee' AND "+isOpen+" LIMIT 1", loan.BidNo, v.user.ID)
	d.want(mine == 0 && len(begun) == 0, "您已担保该标的；尚未在 IPS 确认的，请在“我的订单”中继续办理")
	d.want(profit <= loan.Amount/10, "担保收益不能超过借款金额的 10%%，即 %s 元", loan.Amount/10)
	// The whole of what can fall due: principal and interest, and the fen by which
	// the plans of many shares are rounded up.
	var amount ips.Amount
	for _, due := range plan(loan.Amount, loan.Rate, loan.Months, loan.RepayMode, ips.DateOf(a.now())) {
		amount += due.Left()
	}
	amount += (loan.Amount/minBid + 1) * ips.Amount(loan.Months)
	return draft{kind: KindGuarantee, bidNo: loan.BidNo, about: "担保 " + amount.String() + " 元", request: ips.RegisterGuarantorRequest{
		Date: ips.DateOf(a.now()), BidNo: loan.BidNo, Amount: amount, Margin: margin, Profit: profit,
		IdentNo: v.user.IdentNo, AccountName: v.user.RealName, Account: v.user.Account,
	}}
}

// agree is the borrower's yes to the profit that a guarantor asks of him. IPS
// does not ask him before it pays.
func (a *App) agree(d *work, r *http.Request, v *visit) string {
	loan := d.lock(r.PathValue("bid"))
	d.want(loan.BorrowerID == v.user.ID && loan.open(), "只有借款人可以同意担保收益，标的结束后不再支付")
	g := find[Guarantee](d, "order_no = ? AND bid_no = ?", r.PostFormValue("guarantee"), loan.BidNo)
	g.Agreed = true
	set(d, g)
	return "/loan/" + loan.BidNo
}

// payment is one period of a loan, about to be paid.
type payment struct {
	loan     Loan
	borrower User
	period   int
	dues     []payable
}

// claimMovers decide who is paid what for a claim.
var claimMovers = []Kind{KindRepay, KindAutoRepay, KindCompensate, KindSale, KindEnd}

// nextPayment finds what falls due next on a loan that is locked, after making
// sure that nobody is about to pay it already: a period must never be paid twice,
// and IPS does not know the plan. A buyer who has just opened the page of IPS is
// let finish first. Nobody pays himself.
func (a *App) nextPayment(w *work, loan Loan, except, payer string) payment {
	w.want(loan.State == LoanRunning || loan.State == LoanOld, "该标的没有待还款项")
	w.want(w.quiet(loan.BidNo, except, claimMovers...), "该标的另有未完成的订单，请稍后")
	w.wantNoSale(loan.BidNo)
	w.want(!a.buying(w, "bid_no = ?", loan.BidNo), "该标的有债权转让正在办理，请几分钟后再试")
	p := nextOf(w.payables(loan.BidNo), payer)
	p.loan, p.borrower = loan, w.user(loan.BorrowerID)
	w.want(len(p.dues) > 0, "该标的没有待还款项")
	return p
}

// nextOf is the first period of what is open, without what the payer would pay
// himself.
func nextOf(open []payable, payer string) (p payment) {
	for _, due := range open {
		if due.Account == payer || p.period != 0 && due.Period != p.period {
			continue
		}
		p.period = due.Period
		p.dues = append(p.dues, due)
	}
	return p
}

func (p payment) total() (sum ips.Amount) {
	for _, due := range p.dues {
		sum += due.Left()
	}
	return sum
}

func (w *work) wantNoSale(bidNo string) {
	w.want(w.count("SELECT COUNT(*) FROM sales WHERE bid_no = ? AND state = 'paid'", bidNo) == 0, "该标的有债权转让正在划转，请稍后")
}

// rows are those of a repayment, of whatever number.
func (p payment) rows() (all []ips.RepayRow) {
	for _, due := range p.dues {
		all = append(all, ips.RepayRow{CreditorOrderNo: due.Claim, Account: due.Account, Amount: due.Left(), Fee: due.InterestLeft() * interestPercent / 100})
	}
	return all
}

// first is the part of a payment that has at most n rows.
func (p payment) first(n int) payment {
	p.dues = p.dues[:min(n, len(p.dues))]
	return p
}

// mark tells one payment from another.
func (p payment) mark() string {
	sum := sha256.Sum256([]byte(fmt.Sprint(p.period, p.rows())))
	return hex.EncodeToString(sum[:])
}

func (p payment) about(what string) string {
	return what + " 第 " + strconv.Itoa(p.period) + " 期 " + p.total().String() + " 元"
}

// maxRepayRows is how many creditors IPS pays with one repayment.
const maxRepayRows = 300

// repay lets the borrower repay the next period by hand, of more than 300
// creditors the first 300. Pressed again, it is the same order.
func (a *App) repay(w http.ResponseWriter, r *http.Request, v *visit) error {
	bidNo := r.PathValue("bid")
	d := a.data.read(r.Context())
	loan := find[Loan](d, "bid_no = ?", bidNo)
	if d.want(loan.BorrowerID == v.user.ID, "只有借款人可以还款"); d.err != nil {
		return d.err
	}
	left, err := a.repayForms(r.Context(), bidNo)
	if err != nil {
		return err
	}
	for _, act := range left {
		if current := a.data.tx(r.Context(), func(d *work) { a.wantCurrent(d, act) }); current == nil && act.UserID == v.user.ID {
			return a.carry(w, r, act.OrderKey)
		}
	}
	if err := a.noRepayUnheard(r); err != nil {
		return err
	}
	return a.place(w, r, v, func(d *work, r *http.Request, v *visit) draft {
		loan := d.lock(bidNo)
		p := a.nextPayment(d, loan, "", "").first(maxRepayRows)
		same := progress(d, "bid_no = ? AND kind = 'repay' AND void = 0 AND a.mark = ? AND "+isLeft+" LIMIT 1", bidNo, p.mark())
		d.want(len(same) == 0, "您已发起该笔还款，请在“我的订单”中继续办理")
		if d.err != nil {
			return draft{}
		}
		if loan.State == LoanOld {
			return a.oldRepayment(d, p)
		}
		rows := p.rows()
		amount, fee := ips.RepayTotals(rows)
		d.wantFunds(v.user, amount+fee)
		return draft{kind: KindRepay, bidNo: bidNo, mark: p.mark(), about: p.about("手动还款"), request: ips.RepayRequest{BidNo: bidNo, Date: ips.DateOf(a.now()), Account: v.user.Account, Amount: amount, Fee: fee, Rows: rows}}
	})
}

// repayForms are the repayments that the borrower has not carried to IPS, as far
// as the platform has heard.
func (a *App) repayForms(ctx context.Context, bidNo string) (acts []Act, err error) {
	d := a.data.read(ctx)
	for _, p := range progress(d, "bid_no = ? AND kind = 'repay' AND "+isLeft+" ORDER BY made_at DESC LIMIT 10", bidNo) {
		acts = append(acts, p.Act)
	}
	return acts, d.err
}

// noRepayUnheard asks IPS whether one of them was carried out after all, before a
// period is paid in another way. A form that nobody carries on is nobody's lock.
func (a *App) noRepayUnheard(r *http.Request) error {
	ctx := r.Context()
	left, err := a.repayForms(ctx, r.PathValue("bid"))
	if err != nil {
		return err
	}
	for _, act := range left {
		form, err := a.book.Order(ctx, act.OrderKey)
		if err != nil {
			return err
		}
		trade, _, ok := ips.TradeTypeOf(form.Request)
		if !ok {
			continue // of an old bid, which nobody else can pay
		}
		answer, err := a.client.QueryTrade(ctx, ips.QueryTradeRequest{OrderNo: form.OrderNo, Type: trade})
		switch {
		case err == nil && (answer.Status == ips.TradeNotFound || answer.Status == ips.TradeFailed):
			continue
		case err == nil && answer.Status == ips.TradeDone:
			return complain("借款人已在 IPS 还款，请等待结果")
		}
		// In work, or waiting for him on the page of IPS, or IPS does not say.
		moved, err := a.moved(ctx, form.Request.(ips.RepayRequest))
		if err != nil {
			a.log.Warn("no balances", "err", err)
			return complain("暂时无法向 IPS 查询借款人的还款，请稍后再试")
		}
		if moved {
			return complain("借款人的还款 IPS 正在处理，请等待结果")
		}
	}
	return nil
}

// moved reports whether IPS has taken a repayment from the borrower and given it to
// the creditors, of whom it looks at some. What he has less of, he may have
// withdrawn; what they have more of is none of his doing.
func (a *App) moved(ctx context.Context, q ips.RepayRequest) (bool, error) {
	rows := append([]ips.RepayRow{{Account: q.Account, Fee: q.Amount + q.Fee}}, q.Rows...)
	for _, row := range rows[:min(len(rows), 10)] {
		d := a.data.read(ctx)
		ours := d.holding(row.Account)
		theirs, err := a.client.QueryBalance(ctx, row.Account)
		if err := cmp.Or(err, d.err); err != nil {
			return false, err
		}
		if change := row.Amount - row.Fee; change > 0 && theirs.Available < ours.Available+change || change < 0 && theirs.Available > ours.Available+change {
			return false, nil
		}
	}
	return true, nil
}

// reimburse lets the borrower pay the guarantor back. No page of IPS is shown.
func (a *App) reimburse(d *work, r *http.Request, v *visit) draft {
	loan := d.lock(r.PathValue("bid"))
	d.want(loan.BorrowerID == v.user.ID, "只有借款人可以还款")
	c := find[Compensation](d, "order_no = ? AND bid_no = ?", r.PostFormValue("compensation"), loan.BidNo)
	left := c.Amount - c.Repaid
	d.want(left > 0, "该笔代偿已还清")
	d.wantQuiet(loan.BidNo, KindReimburse)
	d.wantFunds(v.user, left)
	g := find[Guarantee](d, "order_no = ?", c.Guarantee)
	return a.transfer(loan, v.user.ID, KindReimburse, ips.TransferCompensationRepayment, g.OrderNo, "代偿还款 "+left.String()+" 元", []ips.TransferRow{{
		OriginalOrderNo: c.OrderNo, Amount: left, FromAccount: v.user.Account, ToAccount: d.user(g.GuarantorID).Account,
	}})
}

func (a *App) transfer(loan Loan, member string, kind Kind, of ips.TransferType, ref, about string, rows []ips.TransferRow) draft {
	return draft{kind: kind, member: member, bidNo: loan.BidNo, ref: ref, about: about, request: ips.TransferRequest{BidNo: loan.BidNo, Date: ips.DateOf(a.now()), Type: of, Rows: rows}}
}
