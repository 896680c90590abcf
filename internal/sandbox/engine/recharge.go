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

func bankName(code string) (name string, ok bool) {
	for _, b := range Banks() {
		if b.Code == code {
			return b.Name, true
		}
	}
	return "", false
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
	t := &rechargeTask{
		submission: s, account: e.account(s.merchant, s.get("pIpsAcctNo")),
		amount: s.fen("pTrdAmt"), fee: s.fen("pMerFee"), ipsFee: s.merchant.IPSFee,
	}
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

type rechargeTask struct {
	*submission
	account *account
	amount  int64
	fee     int64 // to the merchant
	ipsFee  int64 // to the platform
	net     int64 // what waits unsettled while the answer is held
}

func (t *rechargeTask) eBank() bool      { return t.get("pChannelType") == eBank }
func (t *rechargeTask) byMerchant() bool { return t.op.name == "CoDpTrade" }

func (t *rechargeTask) refuseAs(suffix string, values ...string) *refusal {
	return t.refuse("MG"+t.op.number+suffix, values...)
}

func (t *rechargeTask) userFee() int64 {
	if t.get("pIpsFeeType") == userPays {
		return t.ipsFee
	}
	return 0
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
		name, ok := bankName(t.get("pTrdBnkCode"))
		if !ok {
			name = t.get("pTrdBnkCode")
		}
		return consent{page: PageBank, from: t.account, lines: append(lines, Line{Label: "充值银行", Value: name})}
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
	case t.userFee() == 0 && e.holds(t.merchant.code())+t.fee < t.ipsFee:
		return t.refuseAs("025F", t.merchant.code())
	}
	return nil
}

func (t *rechargeTask) do(e *Engine, o *order) (result, *refusal) {
	user, mine := available(t.account.number), available(t.merchant.code())
	if o.hold {
		user = unsettled(t.account.number)
		t.net = t.amount - t.fee - t.userFee()
	}
	var batch ledger.Batch
	batch.Move(available(bankAccount), user, t.amount, "充值")
	batch.Move(user, mine, t.fee, "充值平台手续费")
	payer := mine
	if t.userFee() > 0 {
		payer = user
	}
	batch.Move(payer, available(feeAccount), t.ipsFee, "充值IPS手续费")
	if r := e.post(o, "", &batch); r != nil {
		return result{}, r
	}
	g := given{"pIpsBillNo": o.billNo, "pIpsTime": o.merchant.stamp(e.now)}
	if t.byMerchant() {
		g["pTrdRealAmt"] = formatFen(t.amount - t.fee - t.userFee())
		g["pIpsFee"] = formatFen(t.ipsFee)
		g["pTrdBnkCode"] = bankCode(t.account.bank)
	}
	return o.done(g), nil
}

// settle makes the money available that a held order left unsettled.
func (t *rechargeTask) settle(e *Engine, o *order) {
	var batch ledger.Batch
	batch.Move(unsettled(t.account.number), available(t.account.number), t.net, "充值到账")
	// The money was put aside for this and nothing else takes it from there.
	_ = e.post(o, "", &batch)
}

// bankCode is the code of a bank by its name, "" for one that is not on the
// list: users type the name themselves.
func bankCode(name string) string {
	for _, b := range Banks() {
		if b.Name == name {
			return b.Code
		}
	}
	return ""
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
	t := &withdrawalTask{
		submission: s, account: e.account(s.merchant, s.get("pIpsAcctNo")),
		amount: s.fen("pTrdAmt"), fee: s.fen("pMerFee"), ipsFee: s.merchant.IPSFee,
	}
	if !t.account.is(s.get("pIdentNo"), s.get("pRealName")) {
		return nil, s.refuse("MG19010F")
	}
	return t, nil
}

type withdrawalTask struct {
	*submission
	account *account
	amount  int64
	fee     int64 // to the merchant, on top of the amount
	ipsFee  int64 // to the platform, likewise
}

func (t *withdrawalTask) userFee() int64 {
	if t.get("pIpsFeeType") == userPays {
		return t.ipsFee
	}
	return 0
}

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
	case t.userFee() == 0 && e.holds(t.merchant.code())+t.fee < t.ipsFee:
		return t.refuse("MG19025F", t.merchant.code())
	}
	return nil
}

func (t *withdrawalTask) do(e *Engine, o *order) (result, *refusal) {
	user, mine := available(t.account.number), available(t.merchant.code())
	to := available(bankAccount)
	if o.hold {
		to = unsettled(t.account.number)
	}
	payer := mine
	if t.userFee() > 0 {
		payer = user
	}
	var batch ledger.Batch
	batch.Move(user, to, t.amount, "提现")
	batch.Move(user, mine, t.fee, "提现平台手续费")
	batch.Move(payer, available(feeAccount), t.ipsFee, "提现IPS手续费")
	if r := e.post(o, "", &batch); r != nil {
		return result{}, r
	}
	o.billNo = e.bill("WD", 8)
	return o.done(given{"pIpsBillNo": o.billNo}), nil
}

// settle sends the money to the bank that a held order left unsettled.
func (t *withdrawalTask) settle(e *Engine, o *order) {
	var batch ledger.Batch
	batch.Move(unsettled(t.account.number), available(bankAccount), t.amount, "提现到账")
	// The money was put aside for this and nothing else takes it from there.
	_ = e.post(o, "", &batch)
}
