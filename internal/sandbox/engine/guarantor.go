package engine

import "github.com/ips-p2p/ips/internal/sandbox/ledger"

// What an account type says.
const (
	organisation = "0"
	aPerson      = "1"
)

// guarantee is a guarantor's promise for a bid.
type guarantee struct {
	bid         *bid
	order       string   // pMerBillNo
	account     string   // a custody account, or the merchant's code
	person      *account // nil for an organisation
	promised    int64    // pAmount
	margin      int64    // pMarginAmt, as registered
	freeze      *ledger.Freeze
	compensated int64
	profit      int64 // pProFitAmt
	profitPaid  int64
	ended       bool
}

// compensation is what a guarantor has paid with one order in the borrower's
// place and may have back from him.
type compensation struct {
	bid       *bid
	guarantee *guarantee
	order     string
	amount    int64
	repaid    int64
}

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
			field{name: "pFromIdentNo", label: "担保方证件号码", rule: text(20), mask: maskMiddle},
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
		return nil, s.refuse("MG04020F", "标的号", s.get("pBidNo"))
	}
	g := &guarantee{
		bid: b, order: s.get("pMerBillNo"), account: s.get("pAccount"),
		promised: s.fen("pAmount"), margin: s.fen("pMarginAmt"), profit: s.fen("pProFitAmt"),
	}
	if s.get("pAcctType") == organisation {
		// Merchants never touch each other's money, so the only organisation
		// that can guarantee is the platform itself (our choice).
		if g.account != s.merchant.code() || s.get("pFromIdentNo") != s.merchant.code() {
			return nil, s.refuse("MG04026F", "商户号", g.account)
		}
		return &guarantorTask{s, g}, nil
	}
	g.person = e.account(s.merchant, g.account)
	switch {
	case g.person == nil:
		return nil, s.refuse("MG04022F", "账号", g.account)
	case !g.person.is(s.get("pFromIdentNo"), s.get("pAccountName")):
		return nil, s.refuse("MG04023F", "账号", g.account)
	case g.person == b.borrower:
		return nil, s.refuse("MG04025F", "账号", g.account)
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
		return t.refuse("MG04021F", "标的号", g.bid.no)
	case g.bid.guarantors[g.account] != nil:
		return t.refuse("MG04003F", "账号", g.account)
	case e.holds(g.account) < g.margin:
		return t.refuse("MG04024F", "账号", g.account)
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
		"pIpsTime": wireTime(e.now), "pStatus": "0",
	}), nil
}
