package engine

import (
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// What pRegType and pRepayType say.
const (
	byHand    = "1"
	automatic = "2"
)

// creditorOperation is 4.4 登记债权人: a bid by an investor.
func creditorOperation() *operation {
	fields := []field{
		merBillNo(), date("pMerDate", "商户日期"), bidNo(),
		{name: "pContractNo", label: "合同号", rule: alnum(30)},
		{name: "pRegType", label: "登记方式", rule: oneOf(byHand, automatic)},
		// Of a bid by hand it is passed over, whatever it says.
		{name: "pAuthNo", label: "授权号", rule: alnum(30), optional: true},
		{name: "pAuthAmt", label: "债权面额", rule: positive()},
		{name: "pTrdAmt", label: "交易金额", rule: positive()},
		{name: "pFee", label: "投资人手续费", rule: notNegative()},
		{name: "pAcctType", label: "账户类型", rule: oneOf("1"), closed: "0"},
	}
	fields = append(fields, person("pAccount")...)
	fields = append(fields, field{name: "pUse", label: "借款用途", rule: text(100)})
	return &operation{
		name: "registerCreditor", title: "登记投资人", number: "03", trade: "03", redirect: true, fields: request(true, fields...),
		response: response("pMerBillNo", "pMerDate", "pBidNo", "pContractNo", "pAuthAmt", "pTrdAmt", "pFee", "pAccount",
			"pAccountDealNo", "pBidDealNo", "pBusiType", "pTransferAmt", "pStatus", "pP2PBillNo", "pIpsTime"),
		failed: given{"pBusiType": "1", "pTransferAmt": "0.00", "pStatus": "9"},
		plan:   planCreditor,
	}
}

func planCreditor(e *Engine, s *submission) (task, *refusal) {
	t := &creditorTask{
		submission: s, bid: e.bid(s.merchant, s.get("pBidNo")), investor: e.account(s.merchant, s.get("pAccount")),
		amount: s.fen("pTrdAmt"), fee: s.fen("pFee"),
	}
	auto := s.get("pRegType") == automatic
	switch {
	case auto && s.get("pAuthNo") == "":
		return nil, s.op.missing("pAuthNo", "授权号")
	case t.amount != s.fen("pAuthAmt"):
		return nil, s.refuse("MG03023F", s.get("pTrdAmt"), s.get("pAuthAmt"))
	case t.bid == nil || t.bid.status == bidRegistered:
		return nil, s.refuse("MG03112F", s.merchant.code(), s.get("pMerBillNo"))
	case t.investor == nil:
		return nil, s.refuse("MG03025F", s.get("pAccount"))
	case !t.investor.is(s.get("pIdentNo"), s.get("pRealName")):
		return nil, s.refuse("MG03108F", s.merchant.code(), s.get("pMerBillNo"))
	case t.investor == t.bid.borrower:
		return nil, s.refuse("MG03024F", t.investor.number)
	case !auto:
		return t, nil
	}
	t.contract = e.contracts[s.get("pAuthNo")]
	switch c := t.contract; {
	case c == nil || c.repay || c.account != t.investor:
		return nil, s.refuse("MG03027F", s.get("pAuthNo"))
	case t.fee >= t.amount:
		return nil, s.refuse("MG03032F", s.get("pFee"))
	}
	return t, nil
}

type creditorTask struct {
	*submission
	bid      *bid
	investor *account
	contract *contract // of an automatic bid
	amount   int64
	fee      int64
}

func (t *creditorTask) consent() consent {
	if t.contract != nil {
		return consent{}
	}
	return consent{page: PagePassword, from: t.investor, lines: []Line{
		{Label: "标的号", Value: t.bid.no},
		{Label: "投资人", Value: maskName(t.investor.realName)},
		{Label: "投资人账号", Value: t.investor.number},
		{Label: "借款人", Value: maskName(t.bid.borrower.realName)},
		{Label: "借款用途", Value: t.get("pUse")},
		{Label: "投标金额", Value: formatFen(t.amount), Money: true},
		{Label: "手续费", Value: formatFen(t.fee), Money: true},
		{Label: "冻结金额", Value: formatFen(t.amount + t.fee), Money: true},
	}}
}

func (t *creditorTask) check(e *Engine) *refusal {
	switch {
	case !t.bid.open():
		return t.refuse("MG03021F", t.bid.no)
	case t.bid.raised+t.amount > t.bid.amount:
		return t.refuse("MG03119F", t.merchant.code(), t.get("pMerBillNo"))
	}
	if t.contract != nil {
		if r := t.checkContract(e.now); r != nil {
			return r
		}
	}
	if e.holds(t.investor.number) < t.amount+t.fee {
		return t.refuse("MG03011F", t.investor.number)
	}
	return nil
}

// checkContract keeps an automatic bid within what the investor allowed. Terms
// in days and in months are compared at 30 days a month, and amounts are those
// of the loan as a whole (our choices).
func (t *creditorTask) checkContract(now time.Time) *refusal {
	c, b := t.contract, t.bid
	term, from, to := b.term, c.termFrom, c.termTo
	if b.termUnit == termMonths {
		term *= 30
	}
	if c.termUnit == inMonths {
		from, to = from*30, to*30
	}
	switch {
	case !c.live(now):
		return t.refuse("MG03028F", c.authNo)
	case term < from || term > to:
		return t.refuse("MG03029F", c.authNo)
	case b.amount < c.amountFrom || b.amount > c.amountTo:
		return t.refuse("MG03030F", c.authNo)
	case b.rate < c.rateFrom || b.rate > c.rateTo:
		return t.refuse("MG03031F", c.authNo)
	}
	return nil
}

func (t *creditorTask) do(e *Engine, o *order) (result, *refusal) {
	var batch ledger.Batch
	freeze := batch.Freeze(t.investor.number, t.amount+t.fee, "冻结投标资金")
	if r := e.post(o, t.bid.no, &batch); r != nil {
		return result{}, r
	}
	c := &claim{
		bid: t.bid, order: o.key.bill, contract: t.get("pContractNo"), investor: t.investor,
		amount: t.amount, fee: t.fee, freeze: freeze, state: claimFrozen,
	}
	t.bid.claims = append(t.bid.claims, c)
	t.bid.raised += t.amount
	e.claims[o.number()] = c
	o.billNo = e.bill("TND", 6)
	return o.done(given{
		"pAccountDealNo": e.bill("CRE", 6), "pBidDealNo": t.bid.billNo, "pBusiType": "1",
		"pTransferAmt": formatFen(freeze.Left()), "pStatus": claimFrozen, "pP2PBillNo": o.billNo, "pIpsTime": o.merchant.stamp(e.now),
	}), nil
}
