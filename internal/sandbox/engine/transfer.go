package engine

import (
	"cmp"
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

// transferOperation is 4.10 转账.
func transferOperation() *operation {
	return &operation{
		name: "Transfer", title: "转账", number: "09", maxRows: 3000,
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
		tradeOf: func(msg Message) string {
			if msg.Get("pTransferType") == debtSale {
				return "15"
			}
			return "14"
		},
		plan: planTransfer,
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

// transferKind is what a pTransferType means.
type transferKind struct {
	text     string // in the journal
	onePayer bool   // all rows have one payer
	onePayee bool   // all rows have one payee
	// atOnce says that there is one row, and that it is answered at once.
	atOnce bool
	// allowed says whether the bid is in a state for it.
	allowed func(*bid) bool
	// checkParties makes sure of the one party that the bid itself determines.
	checkParties func(*transferTask, *transferRow) *refusal
	// plan works out a row, and changes nothing.
	plan func(*transferTask, *Engine, *transferRow) (*movement, *refusal)
}

// transferKinds lists them by pTransferType. That 3 and 5 are allowed after the
// end of the bid too, and 5 not before its first release, is our choice: what a
// borrower owes to a guarantor outlives the bid.
var transferKinds = map[string]*transferKind{
	investment:   {"放款", false, true, false, (*bid).open, payeeBorrows, (*transferTask).invest},
	compensating: {"代偿", true, false, false, (*bid).running, payerGuarantees, (*transferTask).compensate},
	reimbursing:  {"代偿还款", false, false, true, (*bid).wasRunning, payerBorrows, (*transferTask).reimburse},
	debtSale:     {"债权转让", false, false, true, (*bid).running, nobodySpecial, (*transferTask).sell},
	profit:       {"担保收益", false, false, true, (*bid).wasRunning, payerBorrows, (*transferTask).payProfit},
}

// TransferText says in words what a pTransferType means, "" for none.
func TransferText(kind string) string {
	if k := transferKinds[kind]; k != nil {
		return k.text
	}
	return ""
}

func (b *bid) running() bool    { return b.status == bidRunning }
func (b *bid) wasRunning() bool { return b.released > 0 && (b.running() || b.status == bidEnded) }

func nobodySpecial(*transferTask, *transferRow) *refusal { return nil }

func payeeBorrows(t *transferTask, row *transferRow) *refusal { return t.borrows(row.to) }

func payerBorrows(t *transferTask, row *transferRow) *refusal { return t.borrows(row.from) }

func (t *transferTask) borrows(account string) *refusal {
	if account != t.bid.borrower.number {
		return t.refuse("MG09025F", account)
	}
	return nil
}

func payerGuarantees(t *transferTask, row *transferRow) *refusal {
	if t.bid.guarantors[row.from] == nil {
		return t.refuse("MG09026F", row.from)
	}
	return nil
}

// transferTask moves money between the parties of a bid. Accounts say who gives
// and who takes; pFAcctType and pTAcctType are passed over.
type transferTask struct {
	*submission
	bid    *bid
	kind   *transferKind
	netted bool // pTransferMode 2: the borrower gets one principal and pays one fee
	// details are its rows.
	details []transferRow
}

func planTransfer(e *Engine, s *submission) (task, *refusal) {
	t := &transferTask{submission: s, kind: transferKinds[s.get("pTransferType")], netted: s.get("pTransferMode") == batched}
	if t.netted && s.get("pTransferType") != investment {
		return nil, s.refuse("MG09022F", s.get("pTransferType"))
	}
	for i, msg := range s.msg.rows("pDetails") {
		row := transferRow{
			origin: msg.Get("pOriMerBillNo"), amount: msg.fen("pTrdAmt"), from: msg.Get("pFIpsAcctNo"), to: msg.Get("pTIpsAcctNo"),
			fromFee: msg.fen("pFTrdFee"), toFee: msg.fen("pTTrdFee"), msg: msg,
		}
		t.details = append(t.details, row)
		first := t.details[0]
		if t.kind.atOnce && i > 0 || t.kind.onePayee && row.to != first.to || t.kind.onePayer && row.from != first.from {
			return nil, t.refuse("MG09023F", fmt.Sprint(i+1))
		}
	}
	if t.bid = e.bid(s.merchant, s.get("pBidNo")); t.bid == nil {
		return nil, s.refuse("MG09020F", s.get("pBidNo"))
	}
	return t, t.kind.checkParties(t, &t.details[0])
}

func (t *transferTask) consent() consent { return consent{} }

func (t *transferTask) check(e *Engine) *refusal {
	if !t.kind.allowed(t.bid) {
		return t.refuse("MG09021F", t.bid.no)
	}
	if t.kind.atOnce {
		_, r := t.kind.plan(t, e, &t.details[0])
		return r
	}
	return nil
}

// movement is what a row comes to: what to post, and what is true after it.
type movement struct {
	batch ledger.Batch
	after func(o *order)
}

func (t *transferTask) do(e *Engine, o *order) (result, *refusal) {
	var refusals []*refusal
	var failed bool
	if t.netted {
		refusals, failed = t.doNetted(e, o)
	} else {
		refusals, failed = t.rows(o, len(t.details), func(i int) *refusal { return t.doRow(e, o, &t.details[i]) })
	}
	if t.kind.atOnce && failed {
		return result{}, refusals[0]
	}
	o.billNo = e.bill("", 3)
	rows, now := make([]Message, len(refusals)), t.merchant.stamp(e.now)
	for i, r := range refusals {
		rows[i] = t.rowAnswer(i, r, o.billNo, now)
	}
	g := given{"pIpsBillNo": o.billNo, "pIpsTime": now}
	final := o.says(codeDone, g, rows)
	switch {
	case t.kind.atOnce:
		return result{now: final, final: final}, nil
	case failed:
		final = t.allFailed(final, "MG09044F", o.key.bill)
	}
	return result{now: o.says(codeAccepted, g, nil), final: final, refused: failed}, nil
}

func (t *transferTask) doRow(e *Engine, o *order, row *transferRow) *refusal {
	m, r := t.kind.plan(t, e, row)
	if r == nil {
		r = e.post(o, t.bid.no, &m.batch)
	}
	if r == nil {
		m.after(o)
	}
	return r
}

// doNetted releases the money of all good rows, gives the borrower one principal
// and takes one fee from him, for which any row's principal is good. If all of
// it together does not cover the fee, nothing moves.
func (t *transferTask) doNetted(e *Engine, o *order) (refusals []*refusal, failed bool) {
	var all ledger.Batch
	var good []*movement
	var principal, fee int64
	released := make(map[string]bool)
	refusals, failed = t.rows(o, len(t.details), func(i int) *refusal {
		row := &t.details[i]
		m, r := t.kind.plan(t, e, row)
		switch {
		case r != nil:
			return r
		case released[row.origin]:
			return t.refuse("MG09031F", row.origin)
		case t.bid.feeTaken+fee+row.toFee > t.bid.fee:
			return t.refuse("MG09035F", t.bid.no, formatFen(row.toFee))
		}
		released[row.origin] = true
		principal += row.amount
		fee += row.toFee
		all.Append(&m.batch)
		good = append(good, m)
		return nil
	})
	borrower := t.bid.borrower.number
	var r *refusal
	if fee > e.holds(borrower)+principal {
		r = t.refuse("MG09036F", borrower)
	} else {
		all.Move(available(transitAccount), available(borrower), principal, "批量放款")
		all.Move(available(borrower), available(t.merchant.code()), fee, "批量放款借款人手续费")
		r = e.post(o, t.bid.no, &all)
	}
	if r == nil {
		for _, m := range good {
			m.after(o)
		}
		return refusals, failed
	}
	for i := range refusals {
		refusals[i] = cmp.Or(refusals[i], r)
	}
	return refusals, true
}

func (t *transferTask) origin(row *transferRow) numberKey {
	return numberKey{merchant: t.merchant.code(), bill: row.origin}
}

// invest releases an investor's frozen money to the borrower (放款). What of
// the frozen fee the merchant does not take goes back to the investor.
func (t *transferTask) invest(e *Engine, row *transferRow) (*movement, *refusal) {
	b, c := t.bid, e.claims[t.origin(row)]
	switch {
	case c == nil || c.bid != b:
		return nil, t.refuse("MG09030F", row.origin)
	case c.state != claimFrozen:
		return nil, t.refuse("MG09031F", row.origin)
	case row.from != c.investor.number:
		return nil, t.refuse("MG09033F", row.from)
	case row.amount != c.amount:
		return nil, t.refuse("MG09032F", row.origin, formatFen(row.amount))
	case row.fromFee > c.fee:
		return nil, t.refuse("MG09034F", row.origin)
	case b.feeTaken+row.toFee > b.fee:
		return nil, t.refuse("MG09035F", b.no, formatFen(row.toFee))
	case !t.netted && row.toFee > e.holds(row.to)+row.amount:
		return nil, t.refuse("MG09036F", row.to)
	}
	m := &movement{}
	mine, to := available(t.merchant.code()), available(row.to)
	if t.netted {
		to = available(transitAccount)
	}
	m.batch.Release(c.freeze, to, row.amount, "放款")
	m.batch.Release(c.freeze, mine, row.fromFee, "放款投资人手续费")
	m.batch.Release(c.freeze, available(row.from), c.fee-row.fromFee, "退还投资人手续费")
	if !t.netted {
		m.batch.Move(to, mine, row.toFee, "放款借款人手续费")
	}
	m.after = func(*order) {
		c.state = claimReleased
		h := c.holding(c.investor)
		h.face, h.outstanding = c.amount, c.amount
		b.released += c.amount
		b.feeTaken += row.toFee
		b.status = bidRunning
	}
	return m, nil
}

// compensate pays a creditor out of the guarantor's pocket (代偿): out of the
// frozen margin first and then out of what is available (our choice). It is
// bounded by the guarantor's promise only, like a repayment by the borrower's
// consent; a repayment to him gives nothing of the promise back.
func (t *transferTask) compensate(e *Engine, row *transferRow) (*movement, *refusal) {
	g := t.bid.guarantors[row.from]
	c, h := e.findClaim(t.bid, row.origin, row.to)
	fromMargin := min(row.amount, g.freeze.Left())
	switch {
	case c == nil:
		return nil, t.refuse("MG09030F", row.origin)
	case h == nil:
		return nil, t.refuse("MG09039F", row.to)
	case g.compensated+row.amount > g.promised:
		return nil, t.refuse("MG09038F", formatFen(g.promised), formatFen(row.amount))
	case !t.feesBounded(row):
		return nil, t.refuse("MG09053F", row.origin)
	case row.amount-fromMargin+row.fromFee > e.holds(row.from):
		return nil, t.refuse("MG09041F", row.from)
	}
	m := &movement{}
	m.batch.Release(g.freeze, available(row.to), fromMargin, "保证金代偿")
	if row.from != row.to { // a guarantor may hold a claim on the bid himself
		m.batch.Move(available(row.from), available(row.to), row.amount-fromMargin, t.kind.text)
	}
	t.moveFees(&m.batch, row)
	m.after = func(o *order) {
		e.paid(o, c, h, row.amount)
		g.compensated += row.amount
		owed := e.compensations[o.number()]
		if owed == nil {
			owed = &compensation{bid: t.bid, guarantee: g, order: o.key.bill}
			e.compensations[o.number()] = owed
			t.bid.compensated = append(t.bid.compensated, owed)
		}
		owed.amount += row.amount
	}
	return m, nil
}

// reimburse pays a guarantor back what a compensation cost him (代偿还款).
func (t *transferTask) reimburse(e *Engine, row *transferRow) (*movement, *refusal) {
	owed := e.compensations[t.origin(row)]
	switch {
	case owed == nil || owed.bid != t.bid:
		return nil, t.refuse("MG09030F", row.origin)
	case row.to != owed.guarantee.account:
		return nil, t.refuse("MG09033F", row.to)
	case row.amount > owed.amount-owed.repaid:
		return nil, t.refuse("MG09043F", row.origin, formatFen(owed.amount-owed.repaid))
	}
	return t.pay(e, row, func(*order) { owed.repaid += row.amount })
}

// payProfit pays a guarantor for his promise (结算担保收益).
func (t *transferTask) payProfit(e *Engine, row *transferRow) (*movement, *refusal) {
	g := e.guarantees[t.origin(row)]
	switch {
	case g == nil || g.bid != t.bid:
		return nil, t.refuse("MG09030F", row.origin)
	case row.to != g.account:
		return nil, t.refuse("MG09033F", row.to)
	case g.profitPaid+row.amount > g.profit:
		return nil, t.refuse("MG09052F", formatFen(g.profit), formatFen(row.amount))
	}
	return t.pay(e, row, func(*order) { g.profitPaid += row.amount })
}

// pay moves what is available to the payer, who bears his fee on top.
func (t *transferTask) pay(e *Engine, row *transferRow, after func(*order)) (*movement, *refusal) {
	switch {
	case !t.feesBounded(row):
		return nil, t.refuse("MG09053F", row.origin)
	case row.amount+row.fromFee > e.holds(row.from):
		return nil, t.refuse("MG09041F", row.from)
	}
	m := &movement{after: after}
	m.batch.Move(available(row.from), available(row.to), row.amount, t.kind.text)
	t.moveFees(&m.batch, row)
	return m, nil
}

// feesBounded bounds fees that nobody has confirmed: a payee keeps something of
// the payment, and a payer bears no more than as much again (our choice).
func (t *transferTask) feesBounded(row *transferRow) bool {
	return row.toFee < row.amount && row.fromFee <= row.amount
}

// moveFees brings both fees to the merchant. An organisation that guarantees
// is the merchant itself and pays itself nothing.
func (t *transferTask) moveFees(batch *ledger.Batch, row *transferRow) {
	mine := available(t.merchant.code())
	if from := available(row.from); from != mine {
		batch.Move(from, mine, row.fromFee, t.kind.text+"转出方手续费")
	}
	if to := available(row.to); to != mine {
		batch.Move(to, mine, row.toFee, t.kind.text+"转入方手续费")
	}
}

// sell carries out a registered debt transfer (债权转让): the assignee's frozen
// money goes to the assignor, and the claim, or its part, to the assignee.
func (t *transferTask) sell(e *Engine, row *transferRow) (*movement, *refusal) {
	d := e.debts[t.origin(row)]
	switch {
	case d == nil || d.claim.bid != t.bid:
		return nil, t.refuse("MG09030F", row.origin)
	case d.state == debtFailed && d.claim.outstanding() == 0:
		return nil, t.refuse("MG09050F", d.claim.order)
	case d.state != debtRegistered:
		return nil, t.refuse("MG09046F", row.origin)
	case row.from != d.to.number:
		return nil, t.refuse("MG09033F", row.from)
	case row.to != d.from.number:
		return nil, t.refuse("MG09033F", row.to)
	case row.amount != d.price:
		return nil, t.refuse("MG09032F", row.origin, formatFen(row.amount))
	case row.fromFee > d.toFee || row.toFee > d.fromFee:
		return nil, t.refuse("MG09034F", row.origin)
	}
	m := &movement{}
	mine := available(t.merchant.code())
	m.batch.Release(d.freeze, available(row.to), d.price, t.kind.text)
	m.batch.Release(d.freeze, mine, row.fromFee, "债权转让受让方手续费")
	m.batch.Release(d.freeze, available(row.from), d.toFee-row.fromFee, "退还受让方手续费")
	m.batch.Move(available(row.to), mine, row.toFee, "债权转让出让方手续费")
	m.after = func(o *order) {
		d.carry()
		e.carried[o.number()] = d.claim
	}
	return m, nil
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
		answer = append(answer, Field{Name: name, Value: t.details[i].msg.Get(f.name)})
	}
	answer = append(answer,
		Field{Name: "pIpsDetailBillNo", Value: fmt.Sprintf("%s%04d", billNo, i+1)}, Field{Name: "pIpsDetailTime", Value: now},
		Field{Name: "pIpsFee", Value: "0.00"})
	return append(answer, rowFate(r)...)
}
