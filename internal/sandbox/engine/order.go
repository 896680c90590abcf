package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"time"
)

// operation is one interface of the platform as the manual describes it.
type operation struct {
	name     string // on the wire
	title    string // what the platform's texts call it
	number   string // its two digits in result codes
	redirect bool   // has a web return: the message names a pWebUrl
	fields   []field
	rows     []field // of each pRow; nil when there is no pDetails
	maxRows  int
	// response lists what an answer says, in wire order.
	response []string
	// failed is what an answer to a failed order says in place of an echo.
	failed map[string]string
	// identity lists the fields that make two messages the same order; nil
	// means all of them.
	identity []string
	// fieldCode is the one code of whatever is wrong with a field, for an
	// operation that does not follow the general scheme.
	fieldCode string
	// trade is the pTradeType under which a query finds its orders; where it
	// depends on the message, tradeOf says it.
	trade   string
	tradeOf func(Message) string
	// isEnd says whether a message ends what an earlier one began, under the
	// same number; endTitle is what the platform's texts call it then.
	isEnd    func(Message) bool
	endTitle string
	// plan turns a message whose fields are in order into something to do.
	plan func(e *Engine, s *submission) (task, *refusal)
}

// submission is a message on its way to becoming an order.
type submission struct {
	op       *operation
	merchant *merchant
	msg      Message
	faults   []Fault // that came with it
}

// refuse words a refusal of this submission.
func (s *submission) refuse(code string, values ...string) *refusal {
	return refuse(s.title(), code, values...)
}

// title is what the platform's texts call it.
func (s *submission) title() string {
	if s.key().end {
		return s.op.endTitle
	}
	return s.op.title
}

// get, fen and number read fields that have been checked.
func (s *submission) get(name string) string   { return s.msg.Get(name) }
func (s *submission) fen(name string) int64    { return s.msg.fen(name) }
func (s *submission) number(name string) int64 { return s.msg.number(name) }

// task is what an order wants done. A task checks first and acts second, so
// that nothing is ever half done.
type task interface {
	// consent says who must agree before it is done.
	consent() consent
	// check says why it cannot be done as things stand, and changes nothing.
	check(e *Engine) *refusal
	// do does it. A refusal means that nothing has changed.
	do(e *Engine, o *order) (result, *refusal)
}

// starter is a task that leaves a trace as soon as the order is taken.
type starter interface{ start(e *Engine, o *order) }

// abandoner is a task that has a trace to remove when the order fails.
type abandoner interface{ abandon(e *Engine, o *order) }

// settler is a task whose money stays unsettled while its answer is held.
type settler interface{ settle(e *Engine, o *order) }

// result is what a task has led to.
type result struct {
	now     Answer // the answer to the caller, unless one was given before
	final   Answer // what is posted to pS2SUrl
	refused bool   // every row failed: it counts as refused, although it was taken
}

func (r result) state() orderState {
	if r.refused {
		return orderFailed
	}
	return orderDone
}

// orderKey names an order. Numbers are a merchant's own for each operation; the
// end of a bid repeats the number of its registration.
type orderKey struct {
	merchant, op, bill string
	end                bool
}

// numberKey is a merchant's number of something that orders founded.
type numberKey struct{ merchant, bill string }

type orderState string

const (
	orderWaiting orderState = "waiting" // for a person
	orderHeld    orderState = "held"    // done, with its final answer held back by a fault
	orderDone    orderState = "done"
	orderFailed  orderState = "failed"
)

// order is a merchant's message that the platform has taken.
type order struct {
	op       *operation
	merchant *merchant
	key      orderKey
	print    [sha256.Size]byte // of its content
	trade    string            // pTradeType of a query for it
	at       time.Time
	state    orderState
	billNo   string // the platform's number, when it has one
	notify   string // pS2SUrl
	back     string // pWebUrl
	answer   Answer // given to the caller
	final    Answer // posted to pS2SUrl, once it is known

	hold     bool  // the final answer is held back
	failRows []int // rows of a batch that faults make fail, from 1

	// For people to see.
	asked        *ask // the latest page, closed or not
	texts        []*sms
	faults       []string // that came with it
	bid, account string
	amount       int64
	failed       int // rows that were not done, of a batch that was

	// Dropped as soon as the order is finished.
	msg   Message
	task  task
	known given // what an answer to a failure can say already
	ask   *ask
}

func (o *order) number() numberKey { return numberKey{o.key.merchant, o.key.bill} }

func (s *submission) key() orderKey {
	return orderKey{s.merchant.code(), s.op.name, s.get("pMerBillNo"), s.op.isEnd != nil && s.op.isEnd(s.msg)}
}

// trade is the pTradeType of the order. That 代偿, 代偿还款 and 担保收益 share that of
// the release of funds is our choice, as it is that a withholding has that of
// any recharge.
func (s *submission) trade() string {
	if s.op.tradeOf != nil {
		return s.op.tradeOf(s.msg)
	}
	return s.op.trade
}

// print is a digest of the content that makes an order what it is. Elements
// that the operation does not know are no part of it.
func (s *submission) print() [sha256.Size]byte {
	h := sha256.New()
	writeHashed(h, s.op.name)
	if s.op.identity != nil {
		for _, name := range s.op.identity {
			writeHashed(h, s.get(name))
		}
	} else {
		for i := range s.op.fields {
			writeHashed(h, s.get(s.op.fields[i].name))
		}
	}
	if s.op.rows != nil {
		for _, row := range s.msg.rows("pDetails") {
			for i := range s.op.rows {
				writeHashed(h, row.Get(s.op.rows[i].name))
			}
		}
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

// writeHashed sets the length before the text, so that no two lists of texts
// look the same.
func writeHashed(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}

// submit takes a merchant's message.
//
// A number is remembered from the first message whose fields all have the right
// shape, refused or not:
// other content under it is a duplicate. What was refused is decided anew when
// it comes again as it was, and what its user has not confirmed goes on where
// he left it. What has been decided is answered as the merchant's settings say
// (see [Repeat]). The end of a bid repeats a number by design: the state of the
// bid answers it, and nothing else.
func (e *Engine) submit(s *submission) Outcome {
	if f, ok := s.fault(faultCode); ok {
		r := refuse(s.title(), f.Code)
		if f.Text != "" {
			r.text = f.Text
		}
		if s.op.read(s.msg) == nil && e.orders[s.key()] == nil {
			return e.refuseOrder(s, r)
		}
		return e.refuse(s, r)
	}
	if r := s.op.read(s.msg); r != nil {
		return e.refuse(s, r)
	}
	if o := e.orders[s.key()]; o != nil && !o.key.end {
		switch {
		case o.print != s.print():
			return e.refuse(s, s.op.refuse(numberTaken))
		case o.ask != nil:
			return Outcome{ReturnURL: o.back, Ask: o.ask.ID}
		case o.state == orderFailed: // decided anew
		case s.merchant.Repeat == RepeatRefuse:
			return e.refuse(s, s.op.refuse(numberTaken))
		default:
			return e.repeat(o)
		}
	}
	t, r := s.op.plan(e, s)
	if r == nil {
		r = t.check(e)
	}
	switch {
	case r == nil:
	case r.shape:
		return e.refuse(s, r)
	default:
		return e.refuseOrder(s, r)
	}
	o := e.take(s, t)
	out := Outcome{ReturnURL: o.back, Taken: true}
	if out.Ask = e.seekConsent(o); out.Ask == "" {
		out.Answer = o.answer
	}
	return out
}

// refuse is the outcome of a message that does not become an order. If the
// operation has a page, its refusal is posted to pS2SUrl as well.
func (e *Engine) refuse(s *submission, r *refusal) Outcome {
	out := Outcome{Answer: Answer{r.code, r.text, s.op.body(s.msg, nil, s.op.failed)}}
	if !s.op.redirect {
		return out
	}
	if back := s.get("pWebUrl"); IsHTTPURL(back) {
		out.ReturnURL = back
	}
	if url := s.get("pS2SUrl"); IsHTTPURL(url) {
		e.notify(s.merchant, s.op, s.get("pMerBillNo"), url, out.Answer)
	}
	return out
}

// refuseOrder refuses a message and remembers its number.
func (e *Engine) refuseOrder(s *submission, r *refusal) Outcome {
	out := e.refuse(s, r)
	if !s.key().end {
		o := s.order(orderFailed, e.now)
		o.back, o.answer, o.final = out.ReturnURL, out.Answer, out.Answer
		e.keep(o)
	}
	return out
}

// repeat answers a message that has been sent before with the first answer.
// The notice, if there was one, is posted again too, since a merchant who asks
// twice may have lost it (our choice).
func (e *Engine) repeat(o *order) Outcome {
	if o.final.Code != "" {
		e.notify(o.merchant, o.op, o.key.bill, o.notify, o.final)
	}
	return Outcome{ReturnURL: o.back, Answer: o.answer, Repeated: true}
}

// keep remembers an order. A refused one that is decided anew stays on the list.
func (e *Engine) keep(o *order) {
	e.orders[o.key] = o
	e.orderList = append(e.orderList, o)
	e.decided = append(e.decided, o)
}

// Where the operations say whose account and which amount they are about.
var (
	accountFields = [...]string{"pIpsAcctNo", "pAccount", "pOutAcctNo", "pToAccount", "pFIpsAcctNo"}
	amountFields  = [...]string{"pTrdAmt", "pLendAmt", "pOutAmt", "pPayAmt", "pAmount", "pUnfreezeAmt", "pFTrdAmt"}
)

// order is what is kept of a submission.
func (s *submission) order(state orderState, now time.Time) *order {
	o := &order{
		op: s.op, merchant: s.merchant, key: s.key(), print: s.print(), trade: s.trade(), at: now, state: state,
		notify: s.get("pS2SUrl"),
	}
	if s.op.name != "doDwTrade" { // a withdrawal's is anything
		o.bid = s.get("pBidNo")
	}
	for _, f := range s.faults {
		o.faults = append(o.faults, f.Name)
	}
	for _, name := range accountFields {
		o.account = cmp.Or(o.account, s.get(name))
	}
	for _, name := range amountFields {
		o.amount = cmp.Or(o.amount, s.fen(name))
	}
	if s.op.name == "Transfer" {
		for _, row := range s.msg.rows("pDetails") {
			o.amount += row.fen("pTrdAmt")
		}
	}
	return o
}

// take makes an order of a submission.
func (e *Engine) take(s *submission, t task) *order {
	o := s.order(orderWaiting, e.now)
	o.msg, o.task = s.msg, t
	if s.op.redirect {
		o.back = s.get("pWebUrl")
	}
	_, o.hold = s.fault(faultStayPending)
	for _, f := range s.faults {
		if f.Name == faultRow {
			o.failRows = append(o.failRows, f.Row)
		}
	}
	e.keep(o)
	if t, ok := t.(starter); ok {
		t.start(e, o)
	}
	return o
}

// execute does what an order wants, now that whoever had to has agreed. What
// held when the order was taken may not hold any more.
func (e *Engine) execute(o *order) {
	e.decided = append(e.decided, o)
	if r := o.task.check(e); r != nil {
		e.fail(o, r)
		return
	}
	res, r := o.task.do(e, o)
	if r != nil {
		e.fail(o, r)
		return
	}
	o.ask = nil
	o.final = res.final
	if o.answer.Code == "" {
		o.answer = res.now
	}
	if o.hold {
		o.state = orderHeld
		if o.answer.Code == o.final.Code {
			o.answer = Answer{codeAccepted, textOf(codeAccepted), o.answer.Body}
		}
		o.final.Code = "" // nobody may see it yet
		o.task = heldTask{o.task, res}
		e.held = append(e.held, o)
		return
	}
	e.finish(o, res.state())
}

// heldTask keeps the final answer of an order until a fault is lifted.
type heldTask struct {
	task
	result
}

// release gives a held order its final answer.
func (e *Engine) release(o *order) {
	held := o.task.(heldTask)
	if t, ok := held.task.(settler); ok {
		t.settle(e, o)
	}
	o.final = held.final
	e.finish(o, held.state())
}

// fail ends an order that was taken. Nothing of it is left but the answer.
func (e *Engine) fail(o *order, r *refusal) {
	if t, ok := o.task.(abandoner); ok {
		t.abandon(e, o)
	}
	o.final = Answer{r.code, r.text, o.op.body(o.msg, nil, o.known, o.op.failed)}
	if o.answer.Code == "" {
		o.answer = o.final
	}
	e.finish(o, orderFailed)
}

func (e *Engine) finish(o *order, state orderState) {
	o.state = state
	for _, row := range o.final.Body.rows("pDetails") {
		if row.Get("pStatus") == rowFailed {
			o.failed++
		}
	}
	o.msg, o.task, o.known, o.ask, o.hold = nil, nil, nil, nil, false
	e.decided = append(e.decided, o)
	e.notify(o.merchant, o.op, o.key.bill, o.notify, o.final)
}

// notify queues an answer for a pS2SUrl.
func (e *Engine) notify(m *merchant, op *operation, bill, url string, a Answer) {
	e.numbers.Notice++
	e.notices = append(e.notices, Notice{
		Seq: e.numbers.Notice, Merchant: m.code(), Op: op.name, Order: bill, URL: url, At: e.now.In(China), Answer: a,
	})
}

// given is what the platform itself says in an answer, by element name.
type given map[string]string

// body is the document of an answer: the fields of the response in wire order,
// each as the first of the lists says it, or echoed from the request.
func (op *operation) body(msg Message, rows []Message, lists ...map[string]string) Message {
	body := make(Message, 0, len(op.response))
	for _, name := range op.response {
		if name != "pDetails" {
			body = append(body, Field{Name: name, Value: op.value(name, msg, lists)})
		} else if rows != nil {
			body = append(body, Field{Name: name, Rows: rows})
		}
	}
	return body
}

func (op *operation) value(name string, msg Message, lists []map[string]string) string {
	for _, list := range lists {
		if v, ok := list[name]; ok {
			return v
		}
	}
	// A stranger's message must not put words into the platform's mouth:
	// only what belongs to the request is echoed.
	for i := range op.fields {
		if op.fields[i].name == name {
			return msg.Get(name)
		}
	}
	return ""
}

// response lists the fields of an answer that ends with the memos.
func response(names ...string) []string { return append(names, memos[:]...) }

// echo lists the fields of an answer that repeats the whole request first.
func echo(fields []field, names ...string) []string {
	all := make([]string, 0, len(fields)+len(names))
	for i := range fields {
		all = append(all, fields[i].name)
	}
	return append(all, names...)
}

// says is an answer about the order.
func (o *order) says(code string, g given, rows []Message) Answer {
	return Answer{code, textOf(code), o.op.body(o.msg, rows, g)}
}

// done is the result of a task that is finished at once: caller and pS2SUrl
// are told the same.
func (o *order) done(g given) result {
	a := o.says(codeDone, g, nil)
	return result{now: a, final: a}
}

// rows runs the rows of a batch, each by itself, but for those that a fault
// makes fail. If all of them fail the answer is a refusal of that code, for
// nothing was done.
func (s *submission) rows(o *order, n int, run func(i int) *refusal) (refusals []*refusal, failed bool) {
	refusals, failed = make([]*refusal, n), true
	for i := range refusals {
		if refusals[i] = o.rowFault(i); refusals[i] == nil {
			refusals[i] = run(i)
		}
		failed = failed && refusals[i] != nil
	}
	return refusals, failed
}

// rowFault is what a fault has row i, from 0, refused with.
func (o *order) rowFault(i int) *refusal {
	if !slices.Contains(o.failRows, i+1) {
		return nil
	}
	return o.op.refuse(rowFault, fmt.Sprint(i+1))
}

// allFailed turns an answer into that to a batch in which nothing was done.
func (s *submission) allFailed(a Answer, code, bill string) Answer {
	return Answer{code, s.refuse(code, bill).text, a.Body}
}

// rowFate is what an answer says at the end of a row.
func rowFate(r *refusal) Message {
	if r == nil {
		return Message{{Name: "pStatus", Value: rowDone}, {Name: "pMessage"}}
	}
	return Message{{Name: "pStatus", Value: rowFailed}, {Name: "pMessage", Value: r.text}}
}
