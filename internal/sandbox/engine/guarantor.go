package engine

import "github.com/ips-p2p/ips/internal/sandbox/ledger"

// guarantorOperation is 4.5 登记担保方.
func guarantorOperation() *operation {
	return &operation{
		name: "registerGuarantor", title: "登记担保方", number: "04", trade: "04", redirect: true,
		fields: request(true,
			merBillNo(), date("pMerDate", "商户日期"), bidNo(),
			field{name: "pAmount", label: "担保金额", rule: positive()},
			field{name: "pMarginAmt", label: "担保保证金", rule: notNegative()},
			field{name: "pProFitAmt", label: "担保收益", rule: notNegative()},
			field{name: "pAcctType", label: "账户类型", rule: oneOf(organisation, aPerson)},
			field{name: "pFromIdentNo", label: "担保方证件号码", rule: text(20), mask: MaskMiddle},
			field{name: "pAccountName", label: "担保方姓名", rule: text(30), mask: maskName},
			field{name: "pAccount", label: "担保方账号", rule: text(30)},
		),
		response: response("pMerBillNo", "pMerDate", "pBidNo", "pAmount", "pMarginAmt", "pProFitAmt", "pAcctType",
			"pAccountName", "pAccount", "pP2PBillNo", "pRealFreezeAmt", "pCompenAmt", "pIpsTime", "pStatus"),
		failed: given{"pRealFreezeAmt": "0.00", "pCompenAmt": "0.00", "pStatus": "9"},
		plan:   planGuarantor,
	}
}

func planGuarantor(e *Engine, s *submission) (task, *refusal) {
	b := e.bid(s.merchant, s.get("pBidNo"))
	if b == nil {
		return nil, s.refuse("MG04020F", s.get("pBidNo"))
	}
	g := &guarantee{
		bid: b, order: s.get("pMerBillNo"), account: s.get("pAccount"),
		promised: s.fen("pAmount"), margin: s.fen("pMarginAmt"), profit: s.fen("pProFitAmt"),
	}
	if s.get("pAcctType") == organisation {
		// Merchants never touch each other's money, so the only organisation
		// that can guarantee is the platform itself (our choice).
		if g.account != s.merchant.code() || s.get("pFromIdentNo") != s.merchant.code() {
			return nil, s.refuse("MG04026F", g.account)
		}
		return &guarantorTask{s, g}, nil
	}
	g.person = e.account(s.merchant, g.account)
	switch {
	case !g.person.is(s.get("pFromIdentNo"), s.get("pAccountName")):
		return nil, s.refuse("MG04022F", g.account)
	case g.person == b.borrower:
		return nil, s.refuse("MG04025F", g.account)
	}
	return &guarantorTask{s, g}, nil
}

type guarantorTask struct {
	*submission
	guarantee *guarantee
}

func (t *guarantorTask) consent() consent {
	g := t.guarantee
	return consent{page: PagePassword, from: g.person, lines: []Line{
		{Label: "标的号", Value: g.bid.no},
		{Label: "担保方", Value: t.name()},
		{Label: "担保方账号", Value: g.account},
		{Label: "借款人", Value: maskName(g.bid.borrower.realName)},
		{Label: "担保金额", Value: formatFen(g.promised), Money: true},
		{Label: "冻结保证金", Value: formatFen(g.margin), Money: true},
		{Label: "担保收益", Value: formatFen(g.profit), Money: true},
	}}
}

func (t *guarantorTask) name() string {
	if t.guarantee.person == nil {
		return t.merchant.Name
	}
	return maskName(t.guarantee.person.realName)
}

func (t *guarantorTask) check(e *Engine) *refusal {
	g := t.guarantee
	switch {
	case !g.bid.open():
		return t.refuse("MG04021F", g.bid.no)
	case g.bid.guarantors[g.account] != nil:
		return t.refuse("MG04003F", g.account)
	case e.holds(g.account) < g.margin:
		return t.refuse("MG04024F", g.account)
	}
	return nil
}

func (t *guarantorTask) do(e *Engine, o *order) (result, *refusal) {
	g := t.guarantee
	var batch ledger.Batch
	freeze := batch.Freeze(g.account, g.margin, "冻结担保方保证金")
	if r := e.post(o, g.bid.no, &batch); r != nil {
		return result{}, r
	}
	g.freeze = freeze
	g.bid.guarantors[g.account] = g
	g.bid.guarantees = append(g.bid.guarantees, g)
	e.guarantees[o.number()] = g
	o.billNo = e.bill("GUA", 6)
	return o.done(given{
		"pP2PBillNo": o.billNo, "pRealFreezeAmt": formatFen(freeze.Left()), "pCompenAmt": "0.00",
		"pIpsTime": o.merchant.stamp(e.now), "pStatus": "0",
	}), nil
}

// What pUnfreezenType says.
const (
	borrowersMargin  = "1"
	guarantorsMargin = "2"
)

// unfreezeOperation is 4.12 解冻保证金.
func unfreezeOperation() *operation {
	fields := request(false,
		merBillNo(), bidNo(), date("pUnfreezeDate", "解冻日期"),
		field{name: "pUnfreezeAmt", label: "解冻金额", rule: positive()},
		field{name: "pUnfreezenType", label: "解冻类型", rule: oneOf(borrowersMargin, guarantorsMargin)},
		field{name: "pAcctType", label: "账户类型", rule: oneOf(organisation, aPerson)},
		// Required of a person: see planUnfreeze.
		field{name: "pIdentNo", label: "证件号码", rule: text(20), optional: true, mask: MaskMiddle},
		field{name: "pRealName", label: "真实姓名", rule: text(30), mask: maskName},
		field{name: "pIpsAcctNo", label: "托管账户号", rule: text(30)},
	)
	return &operation{
		name: "GuaranteeUnfreeze", title: "解冻保证金", number: "11", trade: "10", fields: fields,
		response: echo(fields, "pIpsBillNo", "pIpsTime"),
		plan:     planUnfreeze,
	}
}

func planUnfreeze(e *Engine, s *submission) (task, *refusal) {
	b := e.bid(s.merchant, s.get("pBidNo"))
	number := s.get("pIpsAcctNo")
	if s.get("pAcctType") == aPerson && s.get("pIdentNo") == "" {
		return nil, s.op.missing("pIdentNo", "证件号码")
	}
	if b == nil || b.status == bidRegistered {
		return nil, s.refuse("MG11020F", s.get("pBidNo"))
	}
	owner, freeze := b.borrower, b.marginFreeze
	if s.get("pUnfreezenType") == guarantorsMargin {
		g := b.guarantors[number]
		if g == nil {
			return nil, s.refuse("MG11022F", number)
		}
		owner, freeze = g.person, g.freeze
	} else if number != b.borrower.number {
		return nil, s.refuse("MG11021F", number)
	}
	if owner != nil && !owner.is(s.get("pIdentNo"), s.get("pRealName")) {
		return nil, s.refuse("MG11023F", number)
	}
	return &unfreezeTask{s, b, freeze, s.fen("pUnfreezeAmt")}, nil
}

// unfreezeTask gives a margin back, all of it or part. It asks nobody.
type unfreezeTask struct {
	*submission
	bid    *bid
	freeze *ledger.Freeze
	amount int64
}

func (t *unfreezeTask) consent() consent { return consent{} }

func (t *unfreezeTask) check(*Engine) *refusal {
	if t.amount > t.freeze.Left() {
		return t.refuse("MG11024F", formatFen(t.amount), formatFen(t.freeze.Left()))
	}
	return nil
}

func (t *unfreezeTask) do(e *Engine, o *order) (result, *refusal) {
	var batch ledger.Batch
	batch.Release(t.freeze, available(t.freeze.Account()), t.amount, "解冻保证金")
	if r := e.post(o, t.bid.no, &batch); r != nil {
		return result{}, r
	}
	o.billNo = e.bill("UF", 8)
	return o.done(given{"pIpsBillNo": o.billNo, "pIpsTime": o.merchant.stamp(e.now)}), nil
}
