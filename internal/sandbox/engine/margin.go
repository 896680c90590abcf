package engine

import "github.com/ips-p2p/ips/internal/sandbox/ledger"

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
		field{name: "pIdentNo", label: "证件号码", rule: text(20), optional: true, mask: maskMiddle},
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
	isPerson := s.get("pAcctType") == aPerson
	if isPerson && s.get("pIdentNo") == "" {
		return nil, missing("证件号码")
	}
	if b == nil || b.status == bidRegistered {
		return nil, s.refuse("MG11020F", "标的号", s.get("pBidNo"))
	}
	owner, freeze := b.borrower, b.marginFreeze
	if s.get("pUnfreezenType") == guarantorsMargin {
		g := b.guarantors[number]
		if g == nil {
			return nil, s.refuse("MG11022F", "账号", number)
		}
		owner, freeze = g.person, g.freeze
	} else if number != b.borrower.number {
		return nil, s.refuse("MG11021F", "账号", number)
	}
	switch {
	case isPerson != (owner != nil):
		return nil, s.refuse("MG11025F", "账户类型", s.get("pAcctType"))
	case owner != nil && !owner.is(s.get("pIdentNo"), s.get("pRealName")):
		return nil, s.refuse("MG11023F", "账号", number)
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
		return t.refuse("MG11024F", "解冻金额", formatFen(t.amount), "冻结金额", formatFen(t.freeze.Left()))
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
	return o.done(given{"pIpsBillNo": o.billNo, "pIpsTime": wireTime(e.now)}), nil
}
