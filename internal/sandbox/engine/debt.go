package engine

import "github.com/ips-p2p/ips/internal/sandbox/ledger"

// What pCretType says.
const (
	wholeClaim = "1"
	partClaim  = "2"
)

// debtOperation is 4.6 登记债权转让.
func debtOperation() *operation {
	fields := request(true,
		merBillNo(), date("pMerDate", "商户日期"), bidNo(),
		field{name: "pContractNo", label: "合同号", rule: alnum(30)},
		field{name: "pFromAccountType", label: "出让方账户类型", rule: oneOf(aPerson), closed: organisation},
		field{name: "pFromName", label: "出让方姓名", rule: text(30), mask: maskName},
		field{name: "pFromAccount", label: "出让方账号", rule: text(50)},
		field{name: "pFromIdentType", label: "出让方证件类型", rule: oneOf("1")},
		field{name: "pFromIdentNo", label: "出让方证件号码", rule: text(20), mask: MaskMiddle},
		field{name: "pToAccountType", label: "受让方账户类型", rule: oneOf(aPerson), closed: organisation},
		field{name: "pToAccountName", label: "受让方姓名", rule: text(30), mask: maskName},
		field{name: "pToAccount", label: "受让方账号", rule: text(30)},
		field{name: "pToIdentType", label: "受让方证件类型", rule: oneOf("1")},
		field{name: "pToIdentNo", label: "受让方证件号码", rule: text(20), mask: MaskMiddle},
		field{name: "pCreMerBillNo", label: "登记债权人时的商户订单号", rule: orderNo()},
		field{name: "pCretAmt", label: "债权面额", rule: positive()},
		field{name: "pPayAmt", label: "支付金额", rule: positive()},
		field{name: "pFromFee", label: "出让方手续费", rule: notNegative()},
		field{name: "pToFee", label: "受让方手续费", rule: notNegative()},
		field{name: "pCretType", label: "转让类型", rule: oneOf(wholeClaim, partClaim)},
	)
	return &operation{
		name: "registerCretansfer", title: "登记债权转让", number: "05", trade: "05", redirect: true, fields: fields,
		response: echo(fields, "pP2PBillNo", "pIpsTime", "pBussType", "pStatus"),
		failed:   given{"pBussType": "1", "pStatus": debtFailed},
		plan:     planDebt,
	}
}

func planDebt(e *Engine, s *submission) (task, *refusal) {
	b := e.bid(s.merchant, s.get("pBidNo"))
	if b == nil {
		return nil, s.refuse("MG05020F", s.get("pBidNo"))
	}
	d := &debt{
		order: s.get("pMerBillNo"), whole: s.get("pCretType") == wholeClaim, state: debtRegistered,
		from: e.account(s.merchant, s.get("pFromAccount")), to: e.account(s.merchant, s.get("pToAccount")),
		face: s.fen("pCretAmt"), price: s.fen("pPayAmt"), fromFee: s.fen("pFromFee"), toFee: s.fen("pToFee"),
	}
	d.claim, _ = e.findClaim(b, s.get("pCreMerBillNo"), s.get("pFromAccount"))
	switch {
	case d.claim == nil:
		return nil, s.refuse("MG05022F", s.get("pCreMerBillNo"))
	case !d.from.is(s.get("pFromIdentNo"), s.get("pFromName")):
		return nil, s.refuse("MG05030F", s.get("pFromAccount"))
	case !d.to.is(s.get("pToIdentNo"), s.get("pToAccountName")):
		return nil, s.refuse("MG05032F", s.get("pToAccount"))
	case d.to == d.from:
		return nil, s.refuse("MG05035F", d.to.number)
	case d.to == b.borrower:
		return nil, s.refuse("MG05036F", d.to.number)
	case d.price*100 < d.face*70 || d.price*100 > d.face*130:
		return nil, s.refuse("MG05029F", s.get("pPayAmt"), s.get("pCretAmt"))
	case d.fromFee > d.price:
		return nil, s.refuse("MG05039F", s.get("pFromFee"))
	}
	return &debtTask{s, d}, nil
}

// findClaim finds a claim on a bid by any of its numbers, the creditor
// registration's, a debt transfer's and that of the transfer that carried it
// out, and what the account holds of it, nil for nothing. Numbers of different
// operations may be the same: then the account decides, and after that the
// creditor registration.
func (e *Engine) findClaim(b *bid, number, account string) (*claim, *holding) {
	key := numberKey{b.merchant.code(), number}
	named := []*claim{e.claims[key], e.carried[key]}
	if d := e.debts[key]; d != nil && d.state == debtDone {
		named = append(named, d.claim)
	}
	var found *claim
	for _, c := range named {
		if c == nil || c.bid != b {
			continue
		}
		if h := c.holders[account]; h != nil && h.face > 0 {
			return c, h
		}
		if found == nil {
			found = c
		}
	}
	return found, nil
}

type debtTask struct {
	*submission
	debt *debt
}

func (t *debtTask) consent() consent {
	d := t.debt
	return consent{page: PagePassword, from: d.to, lines: []Line{
		{Label: "标的号", Value: d.claim.bid.no},
		{Label: "债权人订单号", Value: d.claim.order},
		{Label: "出让方", Value: maskName(d.from.realName)},
		{Label: "出让方账号", Value: d.from.number},
		{Label: "受让方", Value: maskName(d.to.realName)},
		{Label: "受让方账号", Value: d.to.number},
		{Label: "转让份额", Value: d.shareText()},
		{Label: "转让债权面额", Value: formatFen(d.face), Money: true},
		{Label: "支付金额", Value: formatFen(d.price), Money: true},
		{Label: "手续费", Value: formatFen(d.toFee), Money: true},
		{Label: "冻结金额", Value: formatFen(d.price + d.toFee), Money: true},
	}}
}

// shareText says how much of what the assignor holds goes over. It is asked
// after check, so he holds something.
func (d *debt) shareText() string {
	if d.whole {
		return "全部"
	}
	return "部分，占出让方所持债权的" + formatFen(d.face*100_00/d.claim.holders[d.from.number].face) + "%"
}

func (t *debtTask) check(e *Engine) *refusal {
	d := t.debt
	switch {
	case d.claim.bid.status != bidRunning:
		return t.refuse("MG05021F", d.claim.bid.no)
	case d.claim.state != claimReleased:
		return t.refuse("MG05024F", d.claim.order)
	case d.claim.outstanding() == 0:
		return t.refuse("MG05026F", d.claim.order)
	}
	free := int64(0)
	if h := d.claim.holders[d.from.number]; h != nil {
		free = h.face - h.onSale
	}
	switch {
	case d.face > free:
		return t.refuse("MG05025F", d.from.number, formatFen(free))
	case e.holds(d.to.number) < d.price+d.toFee:
		return t.refuse("MG05038F")
	}
	return nil
}

func (t *debtTask) do(e *Engine, o *order) (result, *refusal) {
	d := t.debt
	var batch ledger.Batch
	freeze := batch.Freeze(d.to.number, d.price+d.toFee, "冻结受让资金")
	if r := e.post(o, d.claim.bid.no, &batch); r != nil {
		return result{}, r
	}
	d.freeze = freeze
	d.claim.holders[d.from.number].onSale += d.face
	d.claim.bid.debts = append(d.claim.bid.debts, d)
	e.debts[o.number()] = d
	o.billNo = e.bill("CRT", 6)
	return o.done(given{
		"pP2PBillNo": o.billNo, "pIpsTime": o.merchant.stamp(e.now), "pBussType": "1", "pStatus": debtRegistered,
	}), nil
}

// paid counts a payment to the holder of a claim. When it was the last that was
// owed, sales that are under way come to nothing, and the assignees have their
// money back. That is not notified: the order that registered the sale was
// done, and stays so (our choices).
func (e *Engine) paid(o *order, c *claim, h *holding, amount int64) {
	h.received += amount
	h.outstanding = max(0, h.outstanding-amount)
	c.bid.received += amount
	if c.outstanding() > 0 {
		return
	}
	for _, d := range c.bid.debts {
		if d.claim != c || d.state != debtRegistered {
			continue
		}
		var batch ledger.Batch
		batch.Release(d.freeze, available(d.freeze.Account()), d.freeze.Left(), "债权已还清，解冻受让资金")
		// The freeze is alive, so this cannot fail.
		_ = e.post(o, c.bid.no, &batch)
		d.fail()
	}
}
