package engine

import (
	"fmt"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// repaymentOperation is 4.11 还款.
func repaymentOperation() *operation {
	return &operation{
		name: "RepaymentNewTrade", title: "还款", number: "12", fieldCode: codeRepayField, trade: "11", redirect: true, maxRows: 300,
		fields: request(true,
			bidNo(), date("pRepaymentDate", "还款日期"), merBillNo(),
			field{name: "pRepayType", label: "还款类型", rule: oneOf(byHand, automatic)},
			// Of a repayment by hand it is passed over, whatever it says.
			field{name: "pIpsAuthNo", label: "授权号", rule: alnum(30), optional: true},
			field{name: "pOutAcctNo", label: "转出方账号", rule: text(30)},
			field{name: "pOutAmt", label: "转出方总金额", rule: positive()},
			field{name: "pOutFee", label: "转出方总手续费", rule: notNegative()},
		),
		rows: []field{
			{name: "pCreMerBillNo", label: "登记债权人时的商户订单号", rule: orderNo()},
			{name: "pInAcctNo", label: "转入方账号", rule: text(30)},
			{name: "pInFee", label: "转入方手续费", rule: notNegative()},
			{name: "pOutInfoFee", label: "转出方手续费", rule: notNegative()},
			{name: "pInAmt", label: "转入金额", rule: positive()},
		},
		response: response("pBidNo", "pRepaymentDate", "pMerBillNo", "pIpsBillNo", "pIpsDate", "pOutIpsFee", "pDetails"),
		plan:     planRepayment,
	}
}

// repayRow is one row of a repayment.
type repayRow struct {
	claim  string // pCreMerBillNo
	to     string
	name   string // masked; "" for an account that does not exist
	amount int64
	inFee  int64 // of the creditor
	outFee int64 // of the borrower
	msg    Message
}

func planRepayment(e *Engine, s *submission) (task, *refusal) {
	t := &repaymentTask{submission: s}
	auto := s.get("pRepayType") == automatic
	if auto && s.get("pIpsAuthNo") == "" {
		return nil, s.op.missing("pIpsAuthNo", "授权号")
	}
	if r := t.readRows(); r != nil {
		return nil, r
	}
	t.bid = e.bid(s.merchant, s.get("pBidNo"))
	switch {
	case t.bid == nil:
		return nil, s.refuse("MG12020F", s.get("pBidNo"))
	case t.bid.borrower.number != s.get("pOutAcctNo"):
		return nil, s.refuse("MG12022F", s.get("pOutAcctNo"))
	}
	for i := range t.details {
		row := &t.details[i]
		if a := e.account(s.merchant, row.to); a != nil {
			row.name = maskName(a.realName)
		}
		if auto && row.outFee > row.amount {
			return nil, s.refuse("MG12034F", fmt.Sprint(i+1))
		}
	}
	if auto {
		t.contract = e.contracts[s.get("pIpsAuthNo")]
		if c := t.contract; c == nil || !c.repay || c.account != t.bid.borrower {
			return nil, s.refuse("MG12026F", s.get("pIpsAuthNo"))
		}
	}
	return t, nil
}

// repaymentTask pays creditors out of the borrower's account.
type repaymentTask struct {
	*submission
	bid      *bid
	contract *contract // of an automatic repayment
	details  []repayRow
	amount   int64
	fee      int64
}

// readRows reads the rows and compares their sums with the totals.
func (t *repaymentTask) readRows() *refusal {
	for i, msg := range t.msg.rows("pDetails") {
		row := repayRow{
			claim: msg.Get("pCreMerBillNo"), to: msg.Get("pInAcctNo"), amount: msg.fen("pInAmt"),
			inFee: msg.fen("pInFee"), outFee: msg.fen("pOutInfoFee"), msg: msg,
		}
		if row.amount <= row.inFee {
			return t.refuse("MG12029F", fmt.Sprint(i+1), formatFen(row.amount))
		}
		t.amount += row.amount
		t.fee += row.outFee
		t.details = append(t.details, row)
	}
	if t.amount != t.fen("pOutAmt") {
		return t.refuse("MG12023F", t.get("pOutAmt"), formatFen(t.amount))
	}
	if t.fee != t.fen("pOutFee") {
		return t.refuse("MG12024F", t.get("pOutFee"), formatFen(t.fee))
	}
	return nil
}

func (t *repaymentTask) consent() consent {
	if t.contract != nil {
		return consent{}
	}
	c := repays(t.bid.no, t.bid.borrower, len(t.details), t.amount, t.fee)
	for i := range t.details {
		row := &t.details[i]
		c.payees = append(c.payees, Payee{row.claim, row.name, row.to, formatFen(row.amount), formatFen(row.outFee)})
	}
	return c
}

// repays is the consent of a borrower to a repayment.
func repays(bidNo string, borrower *account, payees int, amount, fee int64) consent {
	return consent{page: PagePassword, from: borrower, lines: []Line{
		{Label: "标的号", Value: bidNo},
		{Label: "借款人", Value: maskName(borrower.realName)},
		{Label: "借款人账号", Value: borrower.number},
		{Label: "收款笔数", Value: fmt.Sprint(payees)},
		{Label: "还款金额", Value: formatFen(amount), Money: true},
		{Label: "手续费", Value: formatFen(fee), Money: true},
		{Label: "合计", Value: formatFen(amount + fee), Money: true},
	}}
}

func (t *repaymentTask) check(e *Engine) *refusal {
	switch {
	case t.bid.status != bidRunning:
		return t.refuse("MG12021F", t.bid.no)
	case t.contract != nil && !t.contract.live(e.now):
		return t.refuse("MG12027F", t.contract.authNo)
	case e.holds(t.bid.borrower.number) < t.amount+t.fee:
		return t.refuse("MG12028F", t.bid.borrower.number)
	}
	return nil
}

func (t *repaymentTask) do(e *Engine, o *order) (result, *refusal) {
	o.billNo = e.bill("CRY", 8)
	refusals, failed := t.rows(o, len(t.details), func(i int) *refusal { return t.doRow(e, o, &t.details[i]) })
	rows := make([]Message, len(refusals))
	for i, r := range refusals {
		for _, name := range []string{"pCreMerBillNo", "pInAcctNo", "pInFee"} {
			rows[i] = append(rows[i], Field{Name: name, Value: t.details[i].msg.Get(name)})
		}
		rows[i] = append(rows[i], rowFate(r)...)
	}
	g := given{"pIpsBillNo": o.billNo, "pIpsDate": wireDate(e.now), "pOutIpsFee": "0.00"}
	final := o.says(codeDone, g, rows)
	if failed {
		final = t.allFailed(final, "MG12044F", o.key.bill)
	}
	return result{now: o.says(codeAccepted, g, nil), final: final, refused: failed}, nil
}

// doRow pays one creditor. A row that fails leaves the others alone.
func (t *repaymentTask) doRow(e *Engine, o *order, row *repayRow) *refusal {
	c, h := e.findClaim(t.bid, row.claim, row.to)
	switch {
	case c == nil:
		return t.refuse("MG12030F", row.claim)
	case c.state != claimReleased:
		return t.refuse("MG12033F", row.claim)
	case h == nil:
		return t.refuse("MG12031F", row.to)
	}
	borrower, creditor, mine := available(t.bid.borrower.number), available(row.to), available(t.merchant.code())
	var batch ledger.Batch
	batch.Move(borrower, creditor, row.amount, "还款")
	batch.Move(creditor, mine, row.inFee, "还款投资人手续费")
	batch.Move(borrower, mine, row.outFee, "还款借款人手续费")
	if r := e.post(o, t.bid.no, &batch); r != nil {
		return r
	}
	e.paid(o, c, h, row.amount)
	return nil
}
