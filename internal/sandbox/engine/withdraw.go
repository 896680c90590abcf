package engine

import "github.com/ips-p2p/ips/internal/sandbox/ledger"

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
		{name: "pBidNo", label: "标的号", rule: alnum(30), optional: true},
		{name: "pContractNo", label: "合同号", rule: alnum(30), optional: true},
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
	switch {
	case t.account == nil:
		return nil, s.refuse("MG19020F", "账号", s.get("pIpsAcctNo"))
	case !t.account.is(s.get("pIdentNo"), s.get("pRealName")):
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
		return t.refuse("MG19024F", "账号", t.account.number)
	case t.userFee() == 0 && e.holds(t.merchant.code())+t.fee < t.ipsFee:
		return t.refuse("MG19025F", "商户号", t.merchant.code())
	}
	return nil
}

func (t *withdrawalTask) do(e *Engine, o *order) (result, *refusal) {
	user, mine := available(t.account.number), available(t.merchant.code())
	to := available(bankAccount)
	if o.hold != nil {
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
