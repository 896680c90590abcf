package engine

import "github.com/ips-p2p/ips/internal/sandbox/ledger"

// What pCretType says.
const (
	wholeClaim = "1"
	partClaim  = "2"
)

// What a debt transfer's pStatus says.
const (
	debtRegistered = "0"
	debtDone       = "10"
	debtFailed     = "9"
)

// debt is a registered transfer of a claim, whose price is frozen until the
// money is moved or the bid ends.
type debt struct {
	claim   *claim
	order   string // pMerBillNo
	from    *account
	to      *account
	face    int64 // pCretAmt
	price   int64 // pPayAmt
	fromFee int64
	toFee   int64
	whole   bool
	taken   int64 // of the share's face, reserved for this transfer
	freeze  *ledger.Freeze
	state   string
}

// end takes back a transfer that can no longer be carried out.
func (d *debt) end() {
	if d.state == debtRegistered {
		d.state = debtFailed
		d.claim.holders[d.from.number].reserved -= d.taken
	}
}

// carry makes the claim, or the part of it, the assignee's. All that is known
// of the share goes over in proportion to what a buyer can expect: of a part
// sold, its face, as much of the outstanding as it covers, and room for what
// may fall due on it.
func (d *debt) carry() {
	from, to := d.claim.holders[d.from.number], d.claim.share(d.to)
	from.reserved -= d.taken
	outstanding, room := from.outstanding, from.room
	if !d.whole {
		outstanding = min(outstanding, d.face)
		room = min(room, d.claim.bid.mostDue(d.face))
	}
	from.face -= d.taken
	to.face += d.taken
	from.outstanding -= outstanding
	to.outstanding += outstanding
	from.room -= room
	to.room += room
	d.state = debtDone
}

// debtOperation is 4.6 登记债权转让.
func debtOperation() *operation {
	fields := request(true,
		merBillNo(), date("pMerDate", "商户日期"), bidNo(),
		field{name: "pContractNo", label: "合同号", rule: alnum(30)},
		field{name: "pFromAccountType", label: "出让方账户类型", rule: oneOf(aPerson), closed: organisation},
		field{name: "pFromName", label: "出让方姓名", rule: text(30), mask: maskName},
		field{name: "pFromAccount", label: "出让方账号", rule: text(50)},
		field{name: "pFromIdentType", label: "出让方证件类型", rule: oneOf("1")},
		field{name: "pFromIdentNo", label: "出让方证件号码", rule: text(20), mask: maskMiddle},
		field{name: "pToAccountType", label: "受让方账户类型", rule: oneOf(aPerson), closed: organisation},
		field{name: "pToAccountName", label: "受让方姓名", rule: text(30), mask: maskName},
		field{name: "pToAccount", label: "受让方账号", rule: text(30)},
		field{name: "pToIdentType", label: "受让方证件类型", rule: oneOf("1")},
		field{name: "pToIdentNo", label: "受让方证件号码", rule: text(20), mask: maskMiddle},
		field{name: "pCreMerBillNo", label: "登记债权人时的商户订单号", rule: alnum(30)},
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
		return nil, s.refuse("MG05020F", "标的号", s.get("pBidNo"))
	}
	c := e.claims[numberKey{merchant: s.merchant.code(), bill: s.get("pCreMerBillNo")}]
	if c == nil || c.bid != b {
		return nil, s.refuse("MG05022F", "债权人订单号", s.get("pCreMerBillNo"))
	}
	if c.contract != s.get("pContractNo") {
		return nil, s.refuse("MG05023F", "合同号", s.get("pContractNo"))
	}
	d := &debt{
		claim: c, order: s.get("pMerBillNo"), whole: s.get("pCretType") == wholeClaim, state: debtRegistered,
		face: s.fen("pCretAmt"), price: s.fen("pPayAmt"), fromFee: s.fen("pFromFee"), toFee: s.fen("pToFee"),
	}
	d.from, d.to = e.account(s.merchant, s.get("pFromAccount")), e.account(s.merchant, s.get("pToAccount"))
	switch {
	case d.from == nil:
		return nil, s.refuse("MG05030F", "账号", s.get("pFromAccount"))
	case !d.from.is(s.get("pFromIdentNo"), s.get("pFromName")):
		return nil, s.refuse("MG05031F", "账号", d.from.number)
	case d.to == nil:
		return nil, s.refuse("MG05032F", "账号", s.get("pToAccount"))
	case !d.to.is(s.get("pToIdentNo"), s.get("pToAccountName")):
		return nil, s.refuse("MG05033F", "账号", d.to.number)
	case d.to == d.from:
		return nil, s.refuse("MG05035F", "账号", d.to.number)
	case d.to == b.borrower:
		return nil, s.refuse("MG05036F", "账号", d.to.number)
	case d.price*100 < d.face*70 || d.price*100 > d.face*130:
		return nil, s.refuse("MG05029F", "支付金额", s.get("pPayAmt"), "债权面额", s.get("pCretAmt"))
	case d.fromFee > d.price:
		return nil, s.refuse("MG05038F", "手续费", s.get("pFromFee"))
	}
	return &debtTask{s, d}, nil
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
	claimNo := []string{"债权人订单号", d.claim.order}
	if d.claim.bid.status != bidRunning {
		return t.refuse("MG05021F", "标的号", d.claim.bid.no)
	}
	if d.claim.state != claimReleased {
		return t.refuse("MG05024F", claimNo...)
	}
	s := d.claim.holders[d.from.number]
	switch {
	case s == nil || s.face == 0:
		return t.refuse("MG05025F", "账号", d.from.number)
	case s.outstanding == 0:
		return t.refuse("MG05026F", claimNo...)
	case d.whole && s.reserved > 0:
		return t.refuse("MG05037F", claimNo...)
	case d.whole && (d.face < s.outstanding || d.face > s.face):
		return t.refuse("MG05028F", "债权面额", formatFen(d.face))
	case !d.whole && d.face >= s.face:
		return t.refuse("MG05027F", "债权面额", formatFen(d.face), "可转让面额", formatFen(s.face))
	case !d.whole && d.face > s.face-s.reserved:
		return t.refuse("MG05037F", claimNo...)
	case e.holds(d.to.number) < d.price+d.toFee:
		return t.refuse("MG05034F", "账号", d.to.number)
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
	s := d.claim.holders[d.from.number]
	d.taken = d.face
	if d.whole {
		d.taken = s.face
	}
	s.reserved += d.taken
	d.claim.bid.debts = append(d.claim.bid.debts, d)
	e.debts[o.number()] = d
	o.billNo = e.bill("CRT", 6)
	return o.done(given{
		"pP2PBillNo": o.billNo, "pIpsTime": wireTime(e.now), "pBussType": "1", "pStatus": debtRegistered,
	}), nil
}
