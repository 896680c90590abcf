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

// What a claim's pStatus says.
const (
	claimFrozen   = "0"  // the money waits for its release
	claimReleased = "1"  // the borrower has it
	claimEnded    = "10" // the bid has ended
)

// claim is what a creditor registration founds: the money that an investor
// lends, and who may have it back. Its number stays the pMerBillNo of that
// registration whoever holds it; after a transfer of a part it takes the
// holder's account as well to name a share.
type claim struct {
	bid      *bid
	order    string // pMerBillNo
	contract string
	investor *account
	amount   int64 // face value
	fee      int64 // frozen for the investor's fee
	freeze   *ledger.Freeze
	state    string
	shares   []*share // since the release, in the order of getting them
	holders  map[string]*share
}

// share is the part of a released claim that one person holds.
//
// Repayments carry principal and interest in one sum, so the platform knows
// the remaining principal only between two bounds: face, as if all payments
// had been interest, and outstanding, as if all had been principal. A share
// counts as repaid when outstanding is zero. Payments beyond that are interest
// and are taken while there is room, which begins at the bid's mostDue.
// All of this is our choice.
type share struct {
	holder      *account
	face        int64
	outstanding int64
	room        int64
	received    int64
	reserved    int64 // part of face that is registered for sale
}

func (c *claim) outstanding() int64 {
	var sum int64
	for _, s := range c.shares {
		sum += s.outstanding
	}
	return sum
}

// pay counts a payment that the holder has received.
func (s *share) pay(amount int64) {
	s.received += amount
	s.room -= amount
	s.outstanding = max(0, s.outstanding-amount)
}

// share gives a person his share of the claim, an empty one if he has none.
func (c *claim) share(a *account) *share {
	s := c.holders[a.number]
	if s == nil {
		s = &share{holder: a}
		if c.holders == nil {
			c.holders = make(map[string]*share)
		}
		c.holders[a.number] = s
		c.shares = append(c.shares, s)
	}
	return s
}

// creditorOperation is 4.4 登记债权人: a bid by an investor.
func creditorOperation() *operation {
	fields := []field{
		merBillNo(), date("pMerDate", "商户日期"), bidNo(),
		{name: "pContractNo", label: "合同号", rule: alnum(30)},
		{name: "pRegType", label: "登记方式", rule: oneOf(byHand, automatic)},
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
	t := &creditorTask{submission: s, amount: s.fen("pTrdAmt"), fee: s.fen("pFee")}
	auto := s.get("pRegType") == automatic
	switch {
	case auto && s.get("pAuthNo") == "":
		return nil, missing("授权号")
	case !auto && s.get("pAuthNo") != "":
		return nil, s.refuse("MG03026F", "授权号", s.get("pAuthNo"))
	case t.amount != s.fen("pAuthAmt"):
		return nil, s.refuse("MG03023F", "交易金额", s.get("pTrdAmt"), "债权面额", s.get("pAuthAmt"))
	}
	if t.bid = e.bid(s.merchant, s.get("pBidNo")); t.bid == nil {
		return nil, s.refuse("MG03020F", "标的号", s.get("pBidNo"))
	}
	if t.investor = e.account(s.merchant, s.get("pAccount")); t.investor == nil {
		return nil, s.refuse("MG03025F", "账号", s.get("pAccount"))
	}
	order := []string{"商户号", s.merchant.code(), "订单号", s.get("pMerBillNo")}
	switch {
	case !t.investor.is(s.get("pIdentNo"), t.investor.realName):
		return nil, s.refuse("MG03108F", order...)
	case !t.investor.is(s.get("pIdentNo"), s.get("pRealName")):
		return nil, s.refuse("MG03109F", order...)
	case t.investor == t.bid.borrower:
		return nil, s.refuse("MG03024F", "账号", t.investor.number)
	}
	if auto {
		c := e.contracts[s.get("pAuthNo")]
		if c == nil || c.repay || c.merchant != s.merchant || c.account != t.investor {
			return nil, s.refuse("MG03027F", "授权号", s.get("pAuthNo"))
		}
		t.contract = c
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
		return t.refuse("MG03021F", "标的号", t.bid.no)
	case t.bid.raised+t.amount > t.bid.amount:
		return t.refuse("MG03022F", "标的号", t.bid.no, "可投金额", formatFen(t.bid.amount-t.bid.raised))
	}
	if t.contract != nil {
		if r := t.checkContract(e.now); r != nil {
			return r
		}
	}
	if e.holds(t.investor.number) < t.amount+t.fee {
		return t.refuse("MG03011F", "账号", t.investor.number)
	}
	return nil
}

// checkContract keeps an automatic bid within what the investor allowed.
func (t *creditorTask) checkContract(now time.Time) *refusal {
	c, b := t.contract, t.bid
	unit := map[string]string{termDays: "D", termMonths: "M"}[b.termUnit]
	switch {
	case !c.live(now):
		return t.refuse("MG03028F", "授权号", c.authNo)
	case unit != c.termUnit || b.term < c.termFrom || b.term > c.termTo:
		return t.refuse("MG03029F", "授权号", c.authNo)
	case b.amount < c.amountFrom || b.amount > c.amountTo:
		return t.refuse("MG03030F", "授权号", c.authNo)
	case b.rate < c.rateFrom || b.rate > c.rateTo:
		return t.refuse("MG03031F", "授权号", c.authNo)
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
		"pTransferAmt": formatFen(freeze.Left()), "pStatus": claimFrozen, "pP2PBillNo": o.billNo, "pIpsTime": wireTime(e.now),
	}), nil
}
