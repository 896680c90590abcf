package engine

import (
	"fmt"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// What pChannelType says.
const (
	eBank       = "1"
	withholding = "2"
)

// What pIpsFeeType says: who pays the platform's fee.
const (
	merchantPays = "1"
	userPays     = "2"
)

// Bank is a bank from which an account can be recharged.
type Bank struct {
	Name  string // 银行名称
	Alias string // 别名
	Code  string // 编号: pTrdBnkCode
}

// Banks is the list behind GetBankList; pTrdBnkCode takes other codes too, for
// the platform's own list is not known. 00004 and 00083 were seen on the real platform; the other codes and
// which bank each one means are our choice.
func Banks() []Bank {
	return []Bank{
		{"中国工商银行", "工行", "00004"},
		{"中国农业银行", "农行", "00017"},
		{"中国建设银行", "建行", "00015"},
		{"中国银行", "中行", "00083"},
		{"交通银行", "交行", "00005"},
		{"招商银行", "招行", "00021"},
		{"中国民生银行", "民生", "00013"},
		{"兴业银行", "兴业", "00016"},
		{"上海浦东发展银行", "浦发", "00032"},
		{"中国光大银行", "光大", "00057"},
		{"中信银行", "中信", "00054"},
		{"平安银行", "平安", "00087"},
		{"中国邮政储蓄银行", "邮储", "00051"},
	}
}

// bank finds a bank by its name or code; who types another, has that one.
func bank(known string) Bank {
	for _, b := range Banks() {
		if b.Code == known || b.Name == known {
			return b
		}
	}
	return Bank{Name: known}
}

func feeTypeField() field {
	return field{name: "pIpsFeeType", label: "IPS手续费类型", rule: oneOf(merchantPays, userPays)}
}

// rechargeOperation is 4.9 充值.
func rechargeOperation() *operation {
	fields := []field{merBillNo(), {name: "pAcctType", label: "账户类型", rule: oneOf(aPerson), closed: organisation}}
	fields = append(fields, person("pIpsAcctNo")...)
	fields = append(fields,
		date("pTrdDate", "充值日期"),
		field{name: "pTrdAmt", label: "充值金额", rule: positive()},
		field{name: "pChannelType", label: "充值渠道种类", rule: oneOf(eBank, withholding)},
		field{name: "pTrdBnkCode", label: "充值银行", rule: text(5), optional: true},
		field{name: "pMerFee", label: "平台手续费", rule: notNegative()},
		feeTypeField(),
	)
	return &operation{
		name: "doDpTrade", title: "充值", number: "18", trade: "08", redirect: true, fields: request(true, fields...),
		response: response("pMerBillNo", "pAcctType", "pIdentNo", "pRealName", "pIpsAcctNo", "pTrdDate", "pTrdAmt",
			"pTrdBnkCode", "pIpsBillNo"),
		plan: planRecharge,
	}
}

// withholdingOperation is 4.13 自动代扣充值.
func withholdingOperation() *operation {
	fields := []field{
		merBillNo(), date("pTrdDate", "充值日期"),
		{name: "pTrdAmt", label: "充值金额", rule: positive()},
		{name: "pMerFee", label: "平台手续费", rule: notNegative()},
		feeTypeField(),
		{name: "pAcctType", label: "账户类型", rule: oneOf(aPerson), closed: organisation},
	}
	fields = request(false, append(fields, person("pIpsAcctNo")...)...)
	return &operation{
		name: "CoDpTrade", title: "自动代扣充值", number: "13", trade: "08", fields: fields,
		response: echo(fields, "pIpsBillNo", "pIpsTime", "pTrdRealAmt", "pIpsFee", "pTrdBnkCode"),
		failed:   given{"pTrdRealAmt": "0.00", "pIpsFee": "0.00"},
		plan:     planRecharge,
	}
}

// planRecharge serves both operations: whoever asks for it, money comes in
// from a bank. Codes of the two have the same last digits.
func planRecharge(e *Engine, s *submission) (task, *refusal) {
	t := &rechargeTask{cash: e.cash(s)}
	switch {
	case !t.account.is(s.get("pIdentNo"), s.get("pRealName")):
		return nil, t.refuseAs("020F", s.get("pIpsAcctNo"))
	case t.fee+t.userFee() > t.amount:
		return nil, t.refuseAs("024F", s.get("pTrdAmt"))
	case t.eBank() && s.get("pTrdBnkCode") == "":
		return nil, s.op.missing("pTrdBnkCode", "充值银行")
	}
	return t, nil
}

// cash is money that comes in from a bank or goes out to one.
type cash struct {
	*submission
	account *account
	amount  int64
	fee     int64 // to the merchant
	ipsFee  int64 // to the platform
}

func (e *Engine) cash(s *submission) cash {
	return cash{s, e.account(s.merchant, s.get("pIpsAcctNo")), s.fen("pTrdAmt"), s.fen("pMerFee"), s.merchant.IPSFee}
}

// userFee is the part of the platform's fee that the user pays.
func (c *cash) userFee() int64 {
	if c.get("pIpsFeeType") == userPays {
		return c.ipsFee
	}
	return 0
}

// merchantShort says whether the merchant cannot pay the platform's fee.
func (c *cash) merchantShort(e *Engine) bool {
	return c.userFee() == 0 && e.holds(c.merchant.code())+c.fee < c.ipsFee
}

// moveFees takes both fees: the merchant's out of where the user's money is,
// and the platform's from whoever pays it.
func (c *cash) moveFees(batch *ledger.Batch, user ledger.Place, text string) {
	mine := available(c.merchant.code())
	payer := mine
	if c.userFee() > 0 {
		payer = user
	}
	batch.Move(user, mine, c.fee, text+"平台手续费")
	batch.Move(payer, available(feeAccount), c.ipsFee, text+"IPS手续费")
}

// settleTo moves money that a held order left unsettled. It was put aside for
// this and nothing else takes it from there, so this cannot fail.
func (c *cash) settleTo(e *Engine, o *order, to ledger.Place, amount int64, text string) {
	var batch ledger.Batch
	batch.Move(unsettled(c.account.number), to, amount, text)
	_ = e.post(o, "", &batch)
}

type rechargeTask struct {
	cash
	net int64 // what waits unsettled while the answer is held
}

func (t *rechargeTask) eBank() bool      { return t.get("pChannelType") == eBank }
func (t *rechargeTask) byMerchant() bool { return t.op.name == "CoDpTrade" }

func (t *rechargeTask) refuseAs(suffix string, values ...string) *refusal {
	return t.refuse("MG"+t.op.number+suffix, values...)
}

func (t *rechargeTask) consent() consent {
	if t.byMerchant() {
		return t.textConsent()
	}
	lines := []Line{
		{Label: "姓名", Value: maskName(t.account.realName)},
		{Label: "账号", Value: t.account.number},
		{Label: "充值金额", Value: formatFen(t.amount), Money: true},
		{Label: "手续费", Value: formatFen(t.fee + t.userFee()), Money: true},
		{Label: "实际到账", Value: formatFen(t.amount - t.fee - t.userFee()), Money: true},
	}
	if t.eBank() {
		lines = append(lines, Line{Label: "充值银行", Value: bank(t.get("pTrdBnkCode")).Name})
		return consent{page: PageBank, from: t.account, lines: lines}
	}
	return consent{page: PagePassword, from: t.account, lines: append(lines,
		Line{Label: "代扣银行", Value: t.account.bank}, Line{Label: "银行卡尾号", Value: t.account.cardTail})}
}

func (t *rechargeTask) textConsent() consent {
	return consent{
		page: pageText, from: t.account,
		text: fmt.Sprintf("【环迅支付】%s将从您尾号%s的银行卡代扣%s元充值到托管账户，同意请回复Y，30分钟内有效。",
			t.merchant.Name, t.account.cardTail, formatFen(t.amount)),
		pending: func(o *order) Answer {
			return o.says(codeAccepted, o.known, nil)
		},
		declined: t.refuse("MG13046F"), late: t.refuse("MG13047F"),
	}
}

// start numbers a withholding when it is taken: its first answer comes before
// the money does.
func (t *rechargeTask) start(e *Engine, o *order) {
	o.billNo = e.bill(map[bool]string{true: "DP", false: "NT"}[t.byMerchant()], 8)
	o.known = given{"pIpsBillNo": o.billNo, "pIpsTime": o.merchant.stamp(e.now)}
}

func (t *rechargeTask) check(e *Engine) *refusal {
	switch {
	case !t.eBank() && !t.account.mandate:
		return t.refuseAs("023F", t.account.number)
	case t.merchantShort(e):
		return t.refuseAs("025F", t.merchant.code())
	}
	return nil
}

func (t *rechargeTask) do(e *Engine, o *order) (result, *refusal) {
	user := available(t.account.number)
	if o.hold {
		user = unsettled(t.account.number)
		t.net = t.amount - t.fee - t.userFee()
	}
	var batch ledger.Batch
	batch.Move(available(bankAccount), user, t.amount, "充值")
	t.moveFees(&batch, user, "充值")
	if r := e.post(o, "", &batch); r != nil {
		return result{}, r
	}
	g := given{"pIpsBillNo": o.billNo, "pIpsTime": o.merchant.stamp(e.now)}
	if t.byMerchant() {
		g["pTrdRealAmt"] = formatFen(t.amount - t.fee - t.userFee())
		g["pIpsFee"] = formatFen(t.ipsFee)
		g["pTrdBnkCode"] = bank(t.account.bank).Code
	}
	return o.done(g), nil
}

// settle makes the money available that a held order left unsettled.
func (t *rechargeTask) settle(e *Engine, o *order) {
	t.settleTo(e, o, available(t.account.number), t.net, "充值到账")
}

// What pOutType says.
const (
	ordinary = "1"
	directed = "2" // not open
)

// withdrawalOperation is 4.14 提现.
func withdrawalOperation() *operation {
	fields := []field{
		merBillNo(),
		{name: "pAcctType", label: "账户类型", rule: oneOf(aPerson), closed: organisation},
		{name: "pOutType", label: "提现模式", rule: oneOf(ordinary), closed: directed},
		{name: "pBidNo", label: "标的号", rule: text(30), optional: true},
		{name: "pContractNo", label: "合同号", rule: text(30), optional: true},
		{name: "pDwTo", label: "提现去向", rule: text(30), optional: true},
	}
	fields = append(fields, person("pIpsAcctNo")...)
	fields = append(fields,
		date("pDwDate", "提现日期"),
		field{name: "pTrdAmt", label: "提现金额", rule: positive()},
		field{name: "pMerFee", label: "平台手续费", rule: notNegative()},
		feeTypeField(),
	)
	return &operation{
		name: "doDwTrade", title: "提现申请", number: "19", trade: "09", redirect: true, fields: request(true, fields...),
		response: response("pMerBillNo", "pAcctType", "pOutType", "pBidNo", "pContractNo", "pDwTo", "pIdentNo",
			"pRealName", "pIpsAcctNo", "pDwDate", "pTrdAmt", "pIpsBillNo"),
		plan: planWithdrawal,
	}
}

func planWithdrawal(e *Engine, s *submission) (task, *refusal) {
	t := &withdrawalTask{e.cash(s)}
	if !t.account.is(s.get("pIdentNo"), s.get("pRealName")) {
		return nil, s.refuse("MG19010F")
	}
	return t, nil
}

// withdrawalTask pays an amount out; fees come on top.
type withdrawalTask struct{ cash }

func (t *withdrawalTask) consent() consent {
	return consent{page: PagePassword, from: t.account, lines: []Line{
		{Label: "姓名", Value: maskName(t.account.realName)},
		{Label: "账号", Value: t.account.number},
		{Label: "提现金额", Value: formatFen(t.amount), Money: true},
		{Label: "手续费", Value: formatFen(t.fee + t.userFee()), Money: true},
		{Label: "扣款合计", Value: formatFen(t.amount + t.fee + t.userFee()), Money: true},
		{Label: "到账银行", Value: t.account.bank},
		{Label: "银行卡尾号", Value: t.account.cardTail},
	}}
}

func (t *withdrawalTask) check(e *Engine) *refusal {
	switch {
	case e.holds(t.account.number) < t.amount+t.fee+t.userFee():
		return t.refuse("MG19054F")
	case t.merchantShort(e):
		return t.refuse("MG19025F", t.merchant.code())
	}
	return nil
}

func (t *withdrawalTask) do(e *Engine, o *order) (result, *refusal) {
	user, to := available(t.account.number), available(bankAccount)
	if o.hold {
		to = unsettled(t.account.number)
	}
	var batch ledger.Batch
	batch.Move(user, to, t.amount, "提现")
	t.moveFees(&batch, user, "提现")
	if r := e.post(o, "", &batch); r != nil {
		return result{}, r
	}
	o.billNo = e.bill("WD", 8)
	return o.done(given{"pIpsBillNo": o.billNo}), nil
}

// settle sends the money to the bank that a held order left unsettled.
func (t *withdrawalTask) settle(e *Engine, o *order) {
	t.settleTo(e, o, available(bankAccount), t.amount, "提现到账")
}
