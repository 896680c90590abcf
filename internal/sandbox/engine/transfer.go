package engine

import (
	"fmt"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// What pTransferType says.
const (
	investment   = "1" // investor → borrower, N:1
	compensating = "2" // guarantor → investors, 1:N
	reimbursing  = "3" // borrower → guarantor, 1:1
	debtSale     = "4" // assignee → assignor, 1:1
	profit       = "5" // borrower → guarantor, 1:1
)

// What pTransferMode says.
const (
	rowByRow = "1"
	batched  = "2"
)

// What a row's pStatus says.
const (
	rowDone   = "Y"
	rowFailed = "N"
)

// transferOperation is 4.10 转账.
func transferOperation() *operation {
	return &operation{
		name: "Transfer", title: "转账", number: "09", trade: "14", maxRows: 3000,
		fields: request(false,
			merBillNo(), bidNo(), date("pDate", "商户日期"),
			field{name: "pTransferType", label: "转账类型", rule: oneOf(investment, compensating, reimbursing, debtSale, profit)},
			field{name: "pTransferMode", label: "转账方式", rule: oneOf(rowByRow, batched)},
		),
		rows: []field{
			{name: "pOriMerBillNo", label: "原商户订单号", rule: orderNo()},
			{name: "pTrdAmt", label: "转账金额", rule: positive()},
			{name: "pFAcctType", label: "转出方账户类型", rule: oneOf(organisation, aPerson)},
			{name: "pFIpsAcctNo", label: "转出方账号", rule: text(30)},
			{name: "pFTrdFee", label: "转出方手续费", rule: notNegative()},
			{name: "pTAcctType", label: "转入方账户类型", rule: oneOf(organisation, aPerson)},
			{name: "pTIpsAcctNo", label: "转入方账号", rule: text(30)},
			{name: "pTTrdFee", label: "转入方手续费", rule: notNegative()},
		},
		response: response("pMerBillNo", "pBidNo", "pDate", "pTransferType", "pTransferMode", "pIpsBillNo", "pIpsTime", "pDetails"),
		plan:     planTransfer,
	}
}

// transferRow is one row of a transfer.
type transferRow struct {
	origin  string // pOriMerBillNo
	amount  int64
	from    string
	to      string
	fromFee int64
	toFee   int64
	msg     Message
}

func planTransfer(e *Engine, s *submission) (task, *refusal) {
	t := &transferTask{submission: s, kind: s.get("pTransferType"), batched: s.get("pTransferMode") == batched}
	if t.batched && t.kind != investment {
		return nil, s.refuse("MG09022F", "转账类型", t.kind)
	}
	for _, msg := range s.msg.rows("pDetails") {
		t.rows = append(t.rows, transferRow{
			origin: msg.Get("pOriMerBillNo"), amount: msg.fen("pTrdAmt"), from: msg.Get("pFIpsAcctNo"), to: msg.Get("pTIpsAcctNo"),
			fromFee: msg.fen("pFTrdFee"), toFee: msg.fen("pTTrdFee"), msg: msg,
		})
	}
	if r := t.checkShape(); r != nil {
		return nil, r
	}
	if t.bid = e.bid(s.merchant, s.get("pBidNo")); t.bid == nil {
		return nil, s.refuse("MG09020F", "标的号", s.get("pBidNo"))
	}
	return t, t.checkParties()
}

// transferTask moves money between the parties of a bid.
type transferTask struct {
	*submission
	bid     *bid
	kind    string
	batched bool
	rows    []transferRow
}

// checkShape compares who gives and who takes with what the type allows: one
// payee for an investment, one payer for a compensation, one row for the rest.
func (t *transferTask) checkShape() *refusal {
	first := t.rows[0]
	for i, row := range t.rows {
		if t.single() && i > 0 || t.kind == investment && row.to != first.to || t.kind == compensating && row.from != first.from {
			return t.refuse("MG09023F", "行号", fmt.Sprint(i+1))
		}
		fromType, toType := row.msg.Get("pFAcctType"), row.msg.Get("pTAcctType")
		// Only a guarantor can be an organisation.
		if fromType == organisation && t.kind != compensating || toType == organisation && t.kind != reimbursing && t.kind != profit {
			return t.refuse("MG09024F", "行号", fmt.Sprint(i+1))
		}
	}
	return nil
}

// single says whether the type is answered at once, having one row.
func (t *transferTask) single() bool { return t.kind != investment && t.kind != compensating }

// checkParties makes sure of the one party that the bid itself determines.
func (t *transferTask) checkParties() *refusal {
	first := t.rows[0]
	borrower := t.bid.borrower.number
	switch t.kind {
	case investment:
		if first.to != borrower {
			return t.refuse("MG09025F", "账号", first.to)
		}
	case reimbursing, profit:
		if first.from != borrower {
			return t.refuse("MG09025F", "账号", first.from)
		}
		return t.checkAccountType(first.to, first.msg.Get("pTAcctType"))
	case compensating:
		if t.bid.guarantors[first.from] == nil {
			return t.refuse("MG09026F", "账号", first.from)
		}
		return t.checkAccountType(first.from, first.msg.Get("pFAcctType"))
	}
	return nil
}

func (t *transferTask) checkAccountType(account, kind string) *refusal {
	if (account == t.merchant.code()) != (kind == organisation) {
		return t.refuse("MG09024F", "账号", account)
	}
	return nil
}

func (t *transferTask) consent() consent { return consent{} }

func (t *transferTask) check(e *Engine) *refusal {
	status := t.bid.status
	allowed := status == bidRunning
	switch t.kind {
	case investment:
		allowed = t.bid.open()
	case reimbursing, profit:
		// What a borrower owes to a guarantor outlives the bid (our choice).
		allowed = status == bidRunning || status == bidEnded
	}
	if !allowed {
		return t.refuse("MG09021F", "标的号", t.bid.no)
	}
	if t.single() {
		_, r := t.planRow(e, nil, &t.rows[0])
		return r
	}
	return nil
}

// deed is what a row comes to: moves to post, and what is true after them.
type deed struct {
	batch ledger.Batch
	then  func()
}

// tally is what rows of a batch that are not posted yet already take up.
type tally struct {
	released map[*claim]bool
	amount   int64
	fees     int64
}

// planRow works out a row without changing anything.
func (t *transferTask) planRow(e *Engine, sum *tally, row *transferRow) (*deed, *refusal) {
	switch t.kind {
	case investment:
		return t.invest(e, sum, row)
	case compensating:
		return t.compensate(e, row)
	case reimbursing:
		return t.reimburse(e, row)
	case debtSale:
		return t.sell(e, row)
	default:
		return t.payProfit(e, row)
	}
}

func (t *transferTask) do(e *Engine, o *order) (result, *refusal) {
	billNo, now := "", wireTime(e.now)
	number := func() {
		if billNo == "" {
			billNo = e.bill("", 3)
			o.billNo = billNo
		}
	}
	if t.single() {
		d, r := t.planRow(e, nil, &t.rows[0])
		if r == nil && o.rowFails(1) {
			r = t.rowFault(1)
		}
		if r == nil {
			r = e.post(o, t.bid.no, &d.batch)
		}
		if r != nil {
			return result{}, r
		}
		d.then()
		number()
		a := o.says(codeDone, given{"pIpsBillNo": billNo, "pIpsTime": now}, []Message{t.rowAnswer(0, nil, billNo, now)})
		return result{now: a, final: a}, nil
	}
	number()
	refusals := t.doRows(e, o)
	failed := 0
	rows := make([]Message, len(t.rows))
	for i := range t.rows {
		rows[i] = t.rowAnswer(i, refusals[i], billNo, now)
		if refusals[i] != nil {
			failed++
		}
	}
	g := given{"pIpsBillNo": billNo, "pIpsTime": now}
	final := o.says(codeDone, g, rows)
	if failed == len(rows) {
		final.Code, final.Text = "MG09044F", t.refuse("MG09044F", "订单号", o.key.bill).text
	}
	return result{now: o.says(codeAccepted, g, nil), final: final, refused: failed == len(rows)}, nil
}

func (t *transferTask) rowFault(n int) *refusal {
	return t.op.refuseFor(t.op.commonCode(rowFault), "明细处理失败", "行号", fmt.Sprint(n))
}

// doRows carries out what it can and says of every row why it failed, or nil.
func (t *transferTask) doRows(e *Engine, o *order) []*refusal {
	refusals := make([]*refusal, len(t.rows))
	if t.batched {
		t.doBatch(e, o, refusals)
		return refusals
	}
	for i := range t.rows {
		var d *deed
		if d, refusals[i] = t.planRow(e, nil, &t.rows[i]); refusals[i] != nil {
			continue
		}
		if refusals[i] = t.mayFail(o, i); refusals[i] != nil {
			continue
		}
		if refusals[i] = e.post(o, t.bid.no, &d.batch); refusals[i] == nil {
			d.then()
		}
	}
	return refusals
}

func (t *transferTask) mayFail(o *order, i int) *refusal {
	if o.rowFails(i + 1) {
		return t.rowFault(i + 1)
	}
	return nil
}

// doBatch gathers the money of all good rows and gives the borrower one
// principal and takes one fee from him.
func (t *transferTask) doBatch(e *Engine, o *order, refusals []*refusal) {
	sum := &tally{released: make(map[*claim]bool)}
	var all ledger.Batch
	var thens []func()
	for i := range t.rows {
		row := &t.rows[i]
		var d *deed
		if d, refusals[i] = t.planRow(e, sum, row); refusals[i] != nil {
			continue
		}
		if refusals[i] = t.mayFail(o, i); refusals[i] != nil {
			continue
		}
		sum.released[e.claims[t.originKey(row)]] = true
		sum.amount += row.amount
		sum.fees += row.toFee
		all.Append(&d.batch)
		thens = append(thens, d.then)
	}
	borrower := available(t.bid.borrower.number)
	all.Move(available(transitAccount), borrower, sum.amount, "批量放款")
	all.Move(borrower, available(t.merchant.code()), sum.fees, "批量放款借款人手续费")
	if r := e.post(o, t.bid.no, &all); r != nil {
		for i := range refusals {
			if refusals[i] == nil {
				refusals[i] = r
			}
		}
		return
	}
	for _, then := range thens {
		then()
	}
}

func (t *transferTask) originKey(row *transferRow) numberKey {
	return numberKey{merchant: t.merchant.code(), bill: row.origin}
}

// invest releases an investor's frozen money to the borrower (放款). What of
// the frozen fee the merchant does not take goes back to the investor.
func (t *transferTask) invest(e *Engine, sum *tally, row *transferRow) (*deed, *refusal) {
	b, c := t.bid, e.claims[t.originKey(row)]
	if c == nil || c.bid != b {
		return nil, t.refuse("MG09030F", "订单号", row.origin)
	}
	var taken, coming int64
	if sum != nil {
		taken, coming = sum.fees, sum.amount
	}
	switch {
	case c.state != claimFrozen || sum != nil && sum.released[c]:
		return nil, t.refuse("MG09031F", "订单号", row.origin)
	case row.from != c.investor.number:
		return nil, t.refuse("MG09033F", "账号", row.from)
	case row.amount != c.amount:
		return nil, t.refuse("MG09032F", "订单号", row.origin, "金额", formatFen(row.amount))
	case row.fromFee > c.fee:
		return nil, t.refuse("MG09034F", "订单号", row.origin, "手续费", formatFen(row.fromFee))
	case b.feeTaken+taken+row.toFee > b.fee:
		return nil, t.refuse("MG09035F", "标的号", b.no, "手续费", formatFen(row.toFee))
	case row.toFee > e.holds(row.to)+coming-taken+row.amount:
		return nil, t.refuse("MG09036F", "账号", row.to)
	}
	d := &deed{}
	mine, to := available(t.merchant.code()), available(row.to)
	if t.batched {
		to = available(transitAccount)
	}
	d.batch.Release(c.freeze, to, row.amount, "放款")
	d.batch.Release(c.freeze, mine, row.fromFee, "放款投资人手续费")
	d.batch.Release(c.freeze, available(row.from), c.fee-row.fromFee, "退还投资人手续费")
	if !t.batched {
		d.batch.Move(to, mine, row.toFee, "放款借款人手续费")
	}
	d.then = func() {
		c.state = claimReleased
		s := c.share(c.investor)
		s.face, s.outstanding, s.room = c.amount, c.amount, b.mostDue(c.amount)
		b.released += c.amount
		b.feeTaken += row.toFee
		b.status = bidRunning
	}
	return d, nil
}

// compensate pays a creditor out of the guarantor's pocket (代偿): out of the
// frozen margin first and then out of what is available (our choice).
func (t *transferTask) compensate(e *Engine, row *transferRow) (*deed, *refusal) {
	g := t.bid.guarantors[row.from]
	c := e.claims[t.originKey(row)]
	if c == nil || c.bid != t.bid {
		return nil, t.refuse("MG09030F", "订单号", row.origin)
	}
	s := c.holders[row.to]
	fromMargin := min(row.amount, g.freeze.Left())
	switch {
	case s == nil || s.face == 0:
		return nil, t.refuse("MG09039F", "账号", row.to)
	case row.to == row.from: // a guarantor may hold a claim on the bid himself
		return nil, t.refuse("MG09037F", "账号", row.to)
	case g.compensated+row.amount > g.promised:
		return nil, t.refuse("MG09038F", "担保金额", formatFen(g.promised), "金额", formatFen(row.amount))
	case row.amount > s.room:
		return nil, t.refuse("MG09040F", "订单号", row.origin, "金额", formatFen(row.amount))
	case row.amount-fromMargin+row.fromFee > e.holds(row.from):
		return nil, t.refuse("MG09041F", "账号", row.from)
	case row.toFee > e.holds(row.to)+row.amount:
		return nil, t.refuse("MG09036F", "账号", row.to)
	}
	d := &deed{}
	from, to := available(row.from), available(row.to)
	d.batch.Release(g.freeze, to, fromMargin, "保证金代偿")
	d.batch.Move(from, to, row.amount-fromMargin, "代偿")
	t.moveFees(&d.batch, row, "代偿担保方手续费", "代偿投资人手续费")
	d.then = func() {
		s.pay(row.amount)
		t.bid.received += row.amount
		g.compensated += row.amount
		key := numberKey{merchant: t.merchant.code(), bill: t.get("pMerBillNo")}
		owed := e.compensations[key]
		if owed == nil {
			owed = &compensation{bid: t.bid, guarantee: g, order: key.bill}
			e.compensations[key] = owed
			t.bid.compensated = append(t.bid.compensated, owed)
		}
		owed.amount += row.amount
	}
	return d, nil
}

// reimburse pays a guarantor back what a compensation cost him (代偿还款).
func (t *transferTask) reimburse(e *Engine, row *transferRow) (*deed, *refusal) {
	owed := e.compensations[t.originKey(row)]
	if owed == nil || owed.bid != t.bid {
		return nil, t.refuse("MG09042F", "订单号", row.origin)
	}
	if row.to != owed.guarantee.account {
		return nil, t.refuse("MG09048F", "账号", row.to)
	}
	if left := owed.amount - owed.repaid; row.amount > left {
		return nil, t.refuse("MG09043F", "订单号", row.origin, "尚欠金额", formatFen(left))
	}
	d, r := t.pay(e, row, "代偿还款")
	if r == nil {
		d.then = func() { owed.repaid += row.amount }
	}
	return d, r
}

// payProfit pays a guarantor for his promise (结算担保收益).
func (t *transferTask) payProfit(e *Engine, row *transferRow) (*deed, *refusal) {
	g := e.guarantees[t.originKey(row)]
	if g == nil || g.bid != t.bid {
		return nil, t.refuse("MG09051F", "订单号", row.origin)
	}
	if row.to != g.account {
		return nil, t.refuse("MG09048F", "账号", row.to)
	}
	if g.profitPaid+row.amount > g.profit {
		return nil, t.refuse("MG09052F", "担保收益", formatFen(g.profit), "金额", formatFen(row.amount))
	}
	d, r := t.pay(e, row, "担保收益")
	if r == nil {
		d.then = func() { g.profitPaid += row.amount }
	}
	return d, r
}

// pay moves what is available to the payer, who bears his fee on top.
func (t *transferTask) pay(e *Engine, row *transferRow, text string) (*deed, *refusal) {
	switch {
	case row.amount+row.fromFee > e.holds(row.from):
		return nil, t.refuse("MG09041F", "账号", row.from)
	case row.toFee > e.holds(row.to)+row.amount:
		return nil, t.refuse("MG09036F", "账号", row.to)
	}
	d := &deed{}
	d.batch.Move(available(row.from), available(row.to), row.amount, text)
	t.moveFees(&d.batch, row, text+"转出方手续费", text+"转入方手续费")
	return d, nil
}

// moveFees brings both fees to the merchant. An organisation that guarantees
// is the merchant itself and pays itself nothing.
func (t *transferTask) moveFees(batch *ledger.Batch, row *transferRow, fromText, toText string) {
	mine := available(t.merchant.code())
	if from := available(row.from); from != mine {
		batch.Move(from, mine, row.fromFee, fromText)
	}
	if to := available(row.to); to != mine {
		batch.Move(to, mine, row.toFee, toText)
	}
}

// sell carries out a registered debt transfer (债权转让): the assignee's frozen
// money goes to the assignor, and the claim, or its part, to the assignee.
func (t *transferTask) sell(e *Engine, row *transferRow) (*deed, *refusal) {
	x := e.debts[t.originKey(row)]
	if x == nil || x.claim.bid != t.bid {
		return nil, t.refuse("MG09045F", "订单号", row.origin)
	}
	switch {
	case x.state != debtRegistered:
		return nil, t.refuse("MG09046F", "订单号", row.origin)
	case row.from != x.to.number:
		return nil, t.refuse("MG09048F", "账号", row.from)
	case row.to != x.from.number:
		return nil, t.refuse("MG09048F", "账号", row.to)
	case row.amount != x.price:
		return nil, t.refuse("MG09047F", "订单号", row.origin, "金额", formatFen(row.amount))
	case row.fromFee > x.toFee || row.toFee > x.fromFee:
		return nil, t.refuse("MG09049F", "订单号", row.origin)
	case x.claim.holders[x.from.number].outstanding == 0:
		return nil, t.refuse("MG09050F", "债权人订单号", x.claim.order)
	}
	d := &deed{then: x.carry}
	mine := available(t.merchant.code())
	d.batch.Release(x.freeze, available(row.to), x.price, "债权转让")
	d.batch.Release(x.freeze, mine, row.fromFee, "债权转让受让方手续费")
	d.batch.Release(x.freeze, available(row.from), x.toFee-row.fromFee, "退还受让方手续费")
	d.batch.Move(available(row.to), mine, row.toFee, "债权转让出让方手续费")
	return d, nil
}

// rowAnswer is what the answer says of a row. The platform spells one of the
// fields with a t less than its requests do.
func (t *transferTask) rowAnswer(i int, r *refusal, billNo, now string) Message {
	var answer Message
	for _, f := range t.op.rows {
		name := f.name
		if name == "pFAcctType" {
			name = "pFAccType"
		}
		answer = append(answer, Field{Name: name, Value: t.rows[i].msg.Get(f.name)})
	}
	status, message := rowDone, ""
	detail := fmt.Sprintf("%s%04d", billNo, i+1)
	if r != nil {
		status, message = rowFailed, r.text
	}
	return append(answer,
		Field{Name: "pIpsDetailBillNo", Value: detail}, Field{Name: "pIpsDetailTime", Value: now},
		Field{Name: "pIpsFee", Value: "0.00"},
		Field{Name: "pStatus", Value: status}, Field{Name: "pMessage", Value: message})
}
