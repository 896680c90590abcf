package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// The platform's own pages: 放款 (chapters 4 and 5), 流标, 代偿 (8), 代扣 (12),
// 解冻保证金 (14 and 15), acting for users under their contracts (16 and 17),
// and what has to be looked at by a person.

func (a *App) adminHome(d *work, r *http.Request, v *visit) (string, []Part) {
	// What asks for work comes first, and nobody's applications hide the rest.
	table := loanTable(d, r, "/admin/loan/", listing{where: "1 = 1", filters: ofLoans, none: "还没有借款申请。", sorts: append([]choice{
		{"", "待办在前", "CASE state WHEN 'running' THEN 0 WHEN 'raising' THEN 1 WHEN 'old' THEN 2 WHEN 'applied' THEN 3 ELSE 4 END, created_at DESC, bid_no"},
		{"new", "最新在前", "created_at DESC, bid_no"},
	}, newestLoans[1:]...)})
	table.Heading = "标的"
	open := d.count("SELECT COUNT(*) FROM acts a JOIN ips_order o ON o.order_key = a.order_key WHERE " + isOpen)
	waiting := d.count("SELECT COUNT(*) FROM loans WHERE state = 'applied' AND reg_order = ''")
	late := d.count("SELECT COUNT(*) FROM dues WHERE state = 'open' AND due_on < ?", ips.DateOf(a.now()).String())
	matters, err := a.book.Matters(r.Context(), orders.Matter{}, perPage)
	d.fail(err)
	withhold := Form{Action: "/admin/withhold", Button: "代扣", Fields: []Field{{Label: "用户名", Name: "user", Max: 30}, money("代扣金额（元）", "amount", "")}}
	return "平台管理", []Part{
		{Text: fmt.Sprintf("待审核 %d 笔，逾期 %d 期。", waiting, late), Links: []Link{{fmt.Sprintf("未决订单 %d 笔", open), "/admin/orders?state=open"}, {fmt.Sprintf("待人工处理 %d 项", len(matters)), "/admin/contradictions"}}},
		table, {Heading: "商户发起代扣", Forms: []Form{withhold}},
		{Heading: "登记老标的（只能按老接口还款）", Forms: []Form{{Action: "/admin/oldbid", Button: "登记", Fields: []Field{
			{Label: "标的号", Name: "bid", Max: 30}, {Label: "合同号", Name: "contract", Max: 30}, {Label: "放款订单号", Name: "release", Max: 30},
			{Label: "借款人用户名", Name: "borrower", Max: 30}, {Label: "投资人用户名", Name: "investor", Max: 30}, money("待还金额（元）", "amount", ""),
		}}}}}
}

// staffForms are what staff can do with a loan, and with a guarantee of it.
func (a *App) staffForms(d *work, loan Loan, open []payable) (forms []Form) {
	button := func(action, text string, hidden []Fact, fields ...Field) {
		forms = append(forms, Form{Action: "/admin/loan/" + loan.BidNo + action, Button: text, Hidden: hidden, Fields: fields})
	}
	if loan.State == LoanApplied && loan.RegOrder == "" {
		button("/publish", "审核通过并发布", nil)
		button("/reject", "驳回申请", nil)
		forms[1].Ask = "驳回后不能恢复，借款人可以重新申请。"
	}
	if !loan.open() {
		return forms
	}
	frozen := d.frozen(loan.BidNo)
	if frozen > 0 {
		button("/release", "放款（"+frozen.String()+" 元）", nil)
	}
	if len(open) == 0 {
		button("/end", map[LoanState]string{LoanRaising: "流标", LoanRunning: "标的结束"}[loan.State], nil)
		forms[len(forms)-1].Ask = "标的就此结束，不能恢复；尚未放款的投标资金（" + frozen.String() + " 元）和保证金全部解冻退回，借款人尚未同意的担保收益不再支付。"
	}
	if loan.MarginLeft > 0 {
		button("/unfreeze", "解冻借款人保证金", nil, money("解冻金额（元）", "amount", loan.MarginLeft.String()))
		forms[len(forms)-1].Ask = stillOwed(open)
	}
	left := loan.Amount - loan.Released - frozen
	for _, c := range a.contractsOf(d, AutoBid, "1 = 1") {
		if allows(c, loan) && left > 0 {
			button("/autobid", "代为投标", []Fact{{"contract", c.AuthNo}}, money(d.person(c.UserID)+" 自动投标（元）", "amount", left.String()))
		}
	}
	if p := nextOf(open, ""); p.period > 0 && len(a.contractsOf(d, AutoRepay, "user_id = ?", loan.BorrowerID)) > 0 {
		button("/autorepay", fmt.Sprintf("自动还款 第 %d 期（%s 元）", p.period, p.total()), nil)
	}
	for _, s := range list[Sale](d, "bid_no = ? AND state = 'failed' ORDER BY id", loan.BidNo) {
		button("/sale", "重新划转债权转让 "+s.Price.String()+" 元", []Fact{{"sale", s.ID}})
	}
	return forms
}

func (a *App) guaranteeForms(d *work, loan Loan, g Guarantee, open []payable) (forms []Form) {
	path, hidden := "/admin/loan/"+loan.BidNo, []Fact{{"guarantee", g.OrderNo}}
	if p := nextOf(open, d.user(g.GuarantorID).Account); p.period > 0 && loan.State == LoanRunning {
		forms = append(forms, Form{Action: path + "/compensate", Button: fmt.Sprintf("代偿 第 %d 期（%s 元）", p.period, p.total()), Hidden: hidden, Ask: "该期 " + dayOf(p.dues[0].DueOn) + " 到期。代偿由担保方的保证金和可用余额支付，不能撤回。"})
	}
	if g.Profit > g.ProfitPaid && g.Agreed {
		forms = append(forms, Form{Action: path + "/profit", Button: "结算担保收益", Hidden: hidden})
	}
	if g.MarginLeft > 0 {
		forms = append(forms, Form{Action: path + "/unfreeze", Button: "解冻担保方保证金", Ask: stillOwed(open), Hidden: hidden, Fields: []Field{money("解冻金额（元）", "amount", g.MarginLeft.String())}})
	}
	return forms
}

// stillOwed is what is asked before a margin is given back: nothing if nothing is owed.
func stillOwed(open []payable) string {
	if len(open) == 0 {
		return ""
	}
	return "借款人尚欠 " + payment{dues: open}.total().String() + " 元；解冻的部分不再为其作保，不能撤回。"
}

// reject turns an application down.
func (a *App) reject(d *work, r *http.Request, v *visit) string {
	loan := d.lock(r.PathValue("bid"))
	d.want(loan.State == LoanApplied && loan.RegOrder == "", "该标的已发布，或正在发布")
	loan.State = LoanFailed
	set(d, loan)
	return v.from
}

func allows(c Contract, loan Loan) bool {
	return c.UserID != loan.BorrowerID && loan.Amount >= c.AmountFrom && loan.Amount <= c.AmountTo && loan.Rate >= c.RateFrom && loan.Rate <= c.RateTo &&
		(c.TermTo == 0 || loan.Months >= c.TermFrom && loan.Months <= c.TermTo) // 0: signed before the term was kept
}

// publish registers a bid at IPS (标的登记). No page is shown there; the form
// travels in the admin's browser, and IPS texts the borrower.
func (a *App) publish(d *work, r *http.Request, v *visit) draft {
	loan := d.lock(r.PathValue("bid"))
	d.want(loan.State == LoanApplied && loan.RegOrder == "", "该标的已发布，或正在发布")
	borrower := d.user(loan.BorrowerID)
	loan.RegOrder = ips.NewOrderNo("BI")
	set(d, loan)
	return draft{kind: KindPublish, bidNo: loan.BidNo, member: borrower.ID, about: "发布借款标 " + loan.Amount.String() + " 元", request: ips.RegisterBidRequest{
		OrderNo: loan.RegOrder, BidNo: loan.BidNo, Date: ips.DateOf(a.now()), Amount: loan.Amount, Margin: loan.Margin, Rate: loan.Rate,
		TermUnit: ips.TermMonths, Term: loan.Months, Purpose: loan.Purpose, RepayMode: loan.RepayMode, Fee: loan.Fee,
		IdentNo: borrower.IdentNo, RealName: borrower.RealName, Account: borrower.Account,
	}}
}

// lockRunning locks a loan of which staff may move money.
func (w *work) lockRunning(bidNo string) Loan {
	loan := w.lock(bidNo)
	w.want(loan.open(), "标的不在募集中或进行中")
	return loan
}

// release pays what investors have frozen out to the borrower (放款): all of it
// once the loan is full, or what is there so far (随投随放). The fee of each row
// is what is missing of the whole, so that no fen of it is lost to rounding.
func (a *App) release(d *work, r *http.Request, v *visit) draft {
	loan := d.lockRunning(r.PathValue("bid"))
	d.wantQuiet(loan.BidNo, KindRelease, KindEnd)
	borrower := d.user(loan.BorrowerID)
	type frozen struct {
		Claim, Account string
		Principal, Fee ips.Amount
	}
	var transfers []ips.TransferRow
	total, taken := loan.Released, loan.FeeTaken
	for _, s := range rows[frozen](d, "SELECT s.claim, u.account, s.principal, s.fee FROM shares s JOIN users u ON u.id = s.holder_id WHERE s.bid_no = ? AND s.state = 'frozen' ORDER BY s.claim", loan.BidNo) {
		total += s.Principal
		fee := perMille(total, lendFeePerMille) - taken
		taken += fee
		transfers = append(transfers, ips.TransferRow{OriginalOrderNo: s.Claim, Amount: s.Principal, FromAccount: s.Account, FromFee: s.Fee, ToAccount: borrower.Account, ToFee: fee})
	}
	d.want(len(transfers) > 0, "没有可放款的投标资金")
	return a.transfer(loan, borrower.ID, KindRelease, ips.TransferInvestment, "", "放款 "+(total-loan.Released).String()+" 元", transfers)
}

// end ends a bid that is repaid, or calls one off that did not come about
// (流标). Its order repeats the registration, number included.
func (a *App) end(w http.ResponseWriter, r *http.Request, v *visit) error {
	d := a.data.read(r.Context())
	loan := find[Loan](d, "bid_no = ?", r.PathValue("bid"))
	d.want(loan.open(), "标的不在募集中或进行中")
	if d.err != nil {
		return d.err
	}
	registration, err := a.book.Find(r.Context(), a.client.MerchantCode(), ips.OpRegisterBid, loan.RegOrder)
	if err != nil {
		return err
	}
	return a.place(w, r, v, func(d *work, r *http.Request, v *visit) draft {
		loan := d.lockRunning(loan.BidNo)
		d.wantQuiet(loan.BidNo, KindRelease, KindUnfreeze, KindRepay, KindAutoRepay, KindCompensate, KindSale, KindEnd)
		d.wantNoSale(loan.BidNo)
		d.want(len(d.payables(loan.BidNo)) == 0, "尚有未还款项，不能结束标的")
		q := registration.Request.(ips.RegisterBidRequest)
		return draft{kind: KindEnd, bidNo: loan.BidNo, member: loan.BorrowerID, about: "标的结束", request: q.End(ips.DateOf(a.now()))}
	})
}

// compensate lets the guarantor pay the next period in the borrower's place
// (代偿). What he holds himself of the loan is the borrower's to pay.
func (a *App) compensate(d *work, r *http.Request, v *visit) draft {
	loan := d.lockRunning(r.PathValue("bid"))
	d.wantQuiet(loan.BidNo, KindUnfreeze)
	g, guarantor := d.guaranteeOf(loan, r)
	p := a.nextPayment(d, loan, "", guarantor.Account)
	var transfers []ips.TransferRow
	for _, due := range p.dues {
		transfers = append(transfers, ips.TransferRow{OriginalOrderNo: due.Claim, Amount: due.Left(), FromAccount: guarantor.Account, ToAccount: due.Account})
	}
	return a.transfer(loan, guarantor.ID, KindCompensate, ips.TransferCompensation, g.OrderNo, p.about("担保方代偿"), transfers)
}

func (w *work) guaranteeOf(loan Loan, r *http.Request) (Guarantee, User) {
	g := find[Guarantee](w, "order_no = ? AND bid_no = ?", r.PostFormValue("guarantee"), loan.BidNo)
	return g, w.user(g.GuarantorID)
}

// profit pays a guarantor what the borrower has agreed to (结算担保收益).
func (a *App) profit(d *work, r *http.Request, v *visit) draft {
	loan := d.lock(r.PathValue("bid")) // the promise outlives the bid
	d.wantQuiet(loan.BidNo, KindProfit)
	g, guarantor := d.guaranteeOf(loan, r)
	left := g.Profit - g.ProfitPaid
	d.want(g.Agreed, "借款人尚未同意支付该担保收益")
	d.want(loan.Released > 0, "放款后才能结算担保收益")
	d.want(left > 0, "没有待结算的担保收益")
	return a.transfer(loan, guarantor.ID, KindProfit, ips.TransferGuaranteeProfit, g.OrderNo, "结算担保收益 "+left.String()+" 元", []ips.TransferRow{{
		OriginalOrderNo: g.OrderNo, Amount: left, FromAccount: d.user(loan.BorrowerID).Account, ToAccount: guarantor.Account,
	}})
}

// unfreeze gives a margin back, all of it or a part (解冻保证金).
func (a *App) unfreeze(d *work, r *http.Request, v *visit) draft {
	amount := d.positive(r, "amount", "解冻金额")
	loan := d.lockRunning(r.PathValue("bid"))
	d.wantQuiet(loan.BidNo, KindUnfreeze, KindCompensate, KindEnd)
	user, owner, left, about, ref := User{}, ips.BorrowerMargin, loan.MarginLeft, "解冻借款人保证金 ", ""
	if r.PostFormValue("guarantee") != "" {
		var g Guarantee
		g, user = d.guaranteeOf(loan, r)
		owner, left, about, ref = ips.GuarantorMargin, g.MarginLeft, "解冻担保方保证金 ", g.OrderNo
	} else {
		user = d.user(loan.BorrowerID)
	}
	d.want(amount <= left, "冻结中的保证金为 %s 元", left)
	return draft{kind: KindUnfreeze, bidNo: loan.BidNo, member: user.ID, ref: ref, about: about + amount.String() + " 元", request: ips.UnfreezeMarginRequest{
		BidNo: loan.BidNo, Date: ips.DateOf(a.now()), Amount: amount, Owner: owner, IdentNo: user.IdentNo, RealName: user.RealName, Account: user.Account,
	}}
}

// autoBid bids for an investor within his contract.
func (a *App) autoBid(d *work, r *http.Request, v *visit) draft {
	amount := d.positive(r, "amount", "投标金额")
	loan := d.lockRunning(r.PathValue("bid"))
	d.wantRoom(loan, amount)
	contracts := a.contractsOf(d, AutoBid, "auth_no = ?", r.PostFormValue("contract"))
	if d.want(len(contracts) > 0 && allows(contracts[0], loan), "没有适用于该标的的自动投标签约"); d.err != nil {
		return draft{}
	}
	contract, user := contracts[0], d.user(contracts[0].UserID)
	return draft{kind: KindBid, bidNo: loan.BidNo, member: user.ID, about: "自动投标 " + amount.String() + " 元", request: ips.AutoBidRequest{
		Date: ips.DateOf(a.now()), BidNo: loan.BidNo, ContractNo: ips.NewOrderNo("C"), AuthNo: contract.AuthNo, Amount: amount, Fee: perMille(amount, bidFeePerMille),
		IdentNo: user.IdentNo, RealName: user.RealName, Account: user.Account, Purpose: loan.Purpose,
	}}
}

// autoRepay repays the next period for a borrower under his contract.
func (a *App) autoRepay(d *work, r *http.Request, v *visit) draft {
	loan := d.lockRunning(r.PathValue("bid"))
	p := a.nextPayment(d, loan, "", "")
	contracts := a.contractsOf(d, AutoRepay, "user_id = ?", p.borrower.ID)
	if d.want(len(contracts) > 0, "借款人没有自动还款签约"); d.err != nil {
		return draft{}
	}
	rows := p.rows()
	amount, fee := ips.RepayTotals(rows)
	return draft{kind: KindAutoRepay, bidNo: loan.BidNo, member: p.borrower.ID, about: p.about("自动还款"), request: ips.AutoRepayRequest{
		BidNo: loan.BidNo, Date: ips.DateOf(a.now()), AuthNo: contracts[0].AuthNo, Account: p.borrower.Account, Amount: amount, Fee: fee, Rows: rows,
	}}
}

// withhold debits a user's card after he has said yes to a text message
// (委托收款-商户发起).
func (a *App) withhold(d *work, r *http.Request, v *visit) draft {
	amount := d.positive(r, "amount", "代扣金额")
	name := strings.TrimSpace(r.PostFormValue("user"))
	user, _ := maybe[User](d, "id = ? OR login = ?", name, name)
	d.want(user.Account != "", "该用户尚未开通托管账户")
	return draft{kind: KindOther, member: user.ID, about: "商户发起代扣 " + amount.String() + " 元", request: ips.WithholdingRechargeRequest{
		Date: ips.DateOf(a.now()), Amount: amount, FeePayer: ips.PlatformPaysFee, IdentNo: user.IdentNo, RealName: user.RealName, Account: user.Account,
	}}
}

func (a *App) adminOrders(d *work, r *http.Request, v *visit) (string, []Part) {
	return "全部订单", []Part{{Forms: []Form{{Action: "/admin/reconcile", Button: "向 IPS 查询未决订单"}}}, orderTable(d, r, v, "1 = 1")}
}

// reconcile does what is due of the open orders at once.
func (a *App) reconcile(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if err := a.book.Do(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return see(w, r, "/admin/orders?state=open")
}

// void says of a form that its user has left that nobody waits for it any more.
// It cannot be taken back from his browser: if he carries it to IPS after all, it
// counts. An order that is a matter for staff is decided by it.
func (a *App) void(d *work, r *http.Request, v *visit) string {
	p := d.orderOf(r, v)
	d.want(p.left(), "只有用户尚未在 IPS 确认的订单可以作废")
	d.exec("UPDATE acts SET void = 1, note = ? WHERE order_key = ?", "平台作废", p.OrderKey)
	return orderPath(p.Operation, p.OrderNo)
}

// contradictions are what a person must decide: the book's matters. Its console
// shows each order in full.
func (a *App) contradictions(d *work, r *http.Request, v *visit) (string, []Part) {
	opened, _ := strconv.ParseInt(r.URL.Query().Get("opened"), 10, 64)
	after := orders.Matter{Key: r.URL.Query().Get("after"), Opened: time.UnixMicro(opened)}
	matters, err := a.book.Matters(r.Context(), after, perPage)
	d.fail(err)
	var parts []Part
	for _, m := range matters {
		p := Part{
			Heading: "订单 " + m.Order.OrderNo, Text: m.Chinese + "。" + advice[m.Kind], Facts: []Fact{{"业务", operationName(m.Order.Operation)}, {"时间", when(m.Opened)}},
			Links: []Link{{"查看订单", orderPath(m.Order.Operation, m.Order.OrderNo)}, {"在订单簿中查看请求与答复", "/admin/book/order?key=" + url.QueryEscape(m.Order.Key)}},
			Forms: []Form{{
				Action: "/admin/contradictions/" + base64.RawURLEncoding.EncodeToString([]byte(m.Key)) + "/settle", Button: "记录结论",
				Fields: []Field{
					{Label: "结论", Name: "verdict", Options: []Fact{{string(orders.Seen), "已知悉（不改变订单）"}, {string(orders.IsDone), "IPS 已办成"}, {string(orders.IsRefused), "IPS 未办成"}, {string(orders.SendAgain), "原样重发"}}},
					{Label: "处理说明", Name: "resolution", Max: 500},
				},
			}},
		}
		if m.Order.Amount > 0 {
			p.Facts = append(p.Facts, Fact{"平台请求", m.Order.Amount.String() + " 元"})
		}
		if slices.Contains([]ips.Operation{ips.OpTransfer, ips.OpRepay, ips.OpAutoRepay, ips.OpRepayOldBid}, m.Order.Operation) {
			p.Forms[0].Fields = append(p.Forms[0].Fields, Field{Label: "批量中未成功的行号（从 1 起，逗号分隔）", Name: "failed", Max: 200, Free: true})
		}
		for _, order := range progress(d, "a.order_key = ?", m.Order.Key) {
			booked := "没有"
			if lines := list[Posting](d, "order_key = ? AND account <> ? ORDER BY line", m.Order.Key, a.client.MerchantCode()); len(lines) > 0 {
				booked = fmt.Sprintf("%s 可用 %s 元，冻结 %s 元，共 %d 笔", lines[0].About, lines[0].Available, lines[0].Frozen, len(lines))
			}
			p.Facts = append(p.Facts, Fact{"会员", d.whose(order.Act)}, Fact{"订单状态", stateOf(order)}, Fact{"平台已入账", booked})
		}
		for _, difference := range m.Differences {
			p.Facts = append(p.Facts, Fact{fieldName(difference.Wire), differs(difference)})
		}
		parts = append(parts, p)
	}
	if parts == nil {
		parts = []Part{{Text: "没有待人工处理的事项。"}}
	}
	if len(matters) == perPage {
		last := matters[perPage-1]
		parts = append(parts, Part{Links: []Link{{"下一页", fmt.Sprintf("/admin/contradictions?opened=%d&after=%s", last.Opened.UnixMicro(), url.QueryEscape(last.Key))}}})
	}
	forged := Part{Heading: "签名不符的通知", Text: "本程序启动以来没有。"}
	if n := a.forged.Load(); n > 0 {
		forged.Text, forged.Class = fmt.Sprintf("本程序启动以来 %d 次，最近一次 %s。", n, when(time.UnixMicro(a.forgedAt.Load()))), "problem"
		forged.Hint = "不能证明来自 IPS，没有影响任何订单：可能有人伪造，也可能证书、密钥配置有误或正在更换。次数连续增加时，请核对商户证书与 IPS 公钥。"
	}
	return "待人工处理", append(parts, forged)
}

// notHeard logs what came for an answer of IPS and was not taken, and counts what
// is not signed by it. The SDK's errors hold nothing personal.
func (a *App) notHeard(r *http.Request, err error) {
	a.log.Error("an answer was not taken", "operation", path.Base(r.URL.Path), "err", err)
	if errors.Is(err, ips.ErrSignature) {
		a.forged.Add(1)
		a.forgedAt.Store(a.now().UnixMicro())
	}
}

func (a *App) resolve(w http.ResponseWriter, r *http.Request, v *visit) error {
	why := strings.TrimSpace(r.PostFormValue("resolution"))
	if why == "" || len([]rune(why)) > 500 {
		return complain("请填写处理说明（不超过 500 个字符）")
	}
	key, err := base64.RawURLEncoding.DecodeString(r.PathValue("id"))
	if err != nil {
		return errNotFound
	}
	decision := orders.Decision{Verdict: orders.Verdict(cmp.Or(r.PostFormValue("verdict"), string(orders.Seen))), Who: v.user.Login, Why: why}
	for _, row := range strings.FieldsFunc(r.PostFormValue("failed"), func(c rune) bool { return c == ',' || c == '，' || c == ' ' }) {
		n, err := strconv.Atoi(row)
		if err != nil {
			return complain("行号须为数字")
		}
		decision.Failed = append(decision.Failed, n-1)
	}
	err = a.book.Decide(r.Context(), string(key), decision)
	switch {
	case errors.Is(err, orders.ErrUnrecorded):
		return errNotFound
	case errors.Is(err, orders.ErrBusy), errors.Is(err, orders.ErrEnded):
		return complain("该订单正在处理或已有结果，请刷新后再看")
	case err != nil:
		return err
	}
	return see(w, r, "/admin/contradictions")
}
