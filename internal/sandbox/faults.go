package sandbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// The names of a [Fault]. Those of the first group meet requests on their way
// in or answers on their way out, those of the second meet notifications, and
// those of the third meet orders, inside the platform.
const (
	FaultLatency   = "latency"    // the answer takes Delay longer
	FaultHTTP500   = "http-500"   // HTTP 500 and an error page
	FaultHTTP502   = "http-502"   // HTTP 502, as from a proxy
	FaultReset     = "reset"      // the connection is reset
	FaultTruncate  = "truncate"   // half of the answer, then the end of the connection
	FaultOversize  = "oversize"   // Size bytes of blanks behind the answer
	FaultSOAPFault = "soap-fault" // a web service answers with a soap:Fault

	FaultNoticeDrop          = "notice-drop"           // the notification is never posted
	FaultNoticeDelay         = "notice-delay"          // it is posted after Delay
	FaultNoticeDouble        = "notice-double"         // it is posted twice
	FaultNoticeReorder       = "notice-reorder"        // it is posted after the merchant's next one, or after Delay
	FaultNoticeBadSign       = "notice-bad-sign"       // its first post has a signature that does not hold
	FaultNoticeOtherMerchant = "notice-other-merchant" // its first post is signed as it should be, in another merchant's name
	FaultNoticeAmount        = "notice-amount"         // its first post is signed as it should be, with an amount that is 1.00 too high

	FaultCode        = "code"         // the order is refused with Code and Text, and nothing is done
	FaultStayPending = "stay-pending" // the order is done, and its final answer held back until the fault is lifted
	FaultRow         = "row"          // row number Row of a batch fails
)

// Fault is a deviation that a test orders.
//
// Faults are asked in the order in which they were ordered. An event that one
// of them ends, such as a request that is reset, is no event for those behind
// it: they wait for the next. Whether an event meets a fault with a
// Probability depends on the sandbox's seed, on the number of the fault and on
// how many events it has been asked about, and on nothing else.
type Fault struct {
	Name     string
	Op       string // wire name of the operation, "" for all that the fault can meet
	Merchant string // merchant code, "" for all

	// Count is how many events it meets. 0 stands for one or, when there is a
	// Probability, for no limit.
	Count int
	// Probability that it meets an event, above 0 and at most 1. 0 stands for
	// every event, until the Count is used up.
	Probability float64

	// After lets the operation take effect before the caller learns nothing of
	// it: what became of his order is unknown to him. It makes sense for
	// latency, http-500, http-502, reset and soap-fault; truncated and
	// oversized answers are always given after the effect.
	After bool

	Delay time.Duration // latency, notice-delay, notice-reorder (by default 30 s)
	Size  int64         // oversize, by default 64 MiB
	Code  string        // code: pErrCode
	Text  string        // code: pErrMsg, by default in the platform's pattern
	Row   int           // row: which one, from 1
}

// FaultState is a fault that was ordered and what has become of it.
type FaultState struct {
	ID int64
	Fault
	Met  int // events that it has met
	Left int // events that it still meets, -1 for no limit
}

const (
	maxFaults       = 1000
	maxFaultDelay   = 10 * time.Minute
	reorderDelay    = 30 * time.Second
	defaultOversize = 64 << 20
	maxOversize     = 1 << 30
)

// faultKind says what a fault meets and which of its fields count.
type faultKind struct {
	meets                        eventKind
	ends                         bool // the event is over with it
	after, delay, size, code, by bool // by: Row
}

type eventKind int

const (
	atRequest eventKind = iota + 1
	atCall              // a request to a web service
	atNotice
	atOrder
	atBatch // an order that may have rows
)

func faultKinds() map[string]faultKind {
	return map[string]faultKind{
		FaultLatency:   {meets: atRequest, after: true, delay: true},
		FaultHTTP500:   {meets: atRequest, ends: true, after: true},
		FaultHTTP502:   {meets: atRequest, ends: true, after: true},
		FaultReset:     {meets: atRequest, ends: true, after: true},
		FaultTruncate:  {meets: atRequest, ends: true},
		FaultOversize:  {meets: atRequest, ends: true, size: true},
		FaultSOAPFault: {meets: atCall, ends: true, after: true},

		FaultNoticeDrop:          {meets: atNotice, ends: true},
		FaultNoticeDelay:         {meets: atNotice, delay: true},
		FaultNoticeDouble:        {meets: atNotice},
		FaultNoticeReorder:       {meets: atNotice, delay: true},
		FaultNoticeBadSign:       {meets: atNotice},
		FaultNoticeOtherMerchant: {meets: atNotice},
		FaultNoticeAmount:        {meets: atNotice},

		FaultCode:        {meets: atOrder, ends: true, code: true},
		FaultStayPending: {meets: atOrder},
		FaultRow:         {meets: atBatch, by: true},
	}
}

// operationsMet are the wire names of the operations that such events belong
// to.
func operationsMet(kind eventKind) []string {
	var pages, calls, orders []string
	for _, op := range pageOperations() {
		pages = append(pages, op.name)
	}
	orders = append(orders, pages...)
	for _, svc := range []service{tradeService(), queryService()} {
		for _, op := range svc.operations {
			calls = append(calls, op.name)
			if op.encrypted() {
				orders = append(orders, op.name)
			}
		}
	}
	switch kind {
	case atRequest:
		return append(pages, calls...)
	case atCall:
		return calls
	case atBatch:
		return []string{"Transfer", "RepaymentNewTrade"}
	}
	return orders
}

// encrypted says whether the operation carries an envelope: queries do not.
func (op soapOperation) encrypted() bool {
	return slices.ContainsFunc(op.params, func(name string) bool { return strings.HasSuffix(name, "3DesXmlPara") })
}

// prepare checks a fault and fills in what it leaves open.
func (f *Fault) prepare() error {
	kind, ok := faultKinds()[f.Name]
	bad := func(field, want string, got any) error {
		return fmt.Errorf("sandbox: fault %s: %s: want %s, got %v", f.Name, field, want, got)
	}
	switch {
	case !ok:
		return fmt.Errorf("sandbox: fault: Name: unknown fault %q", f.Name)
	case f.Op != "" && !slices.Contains(operationsMet(kind.meets), f.Op):
		return bad("Op", "one of "+strings.Join(operationsMet(kind.meets), ", "), f.Op)
	case f.Count < 0:
		return bad("Count", "0 or more", f.Count)
	case !(f.Probability >= 0 && f.Probability <= 1): // NaN is neither
		return bad("Probability", "0 to 1", f.Probability)
	case f.After && !kind.after:
		return bad("After", "none, for it has no choice", f.After)
	case f.Delay != 0 && !kind.delay:
		return bad("Delay", "none", f.Delay)
	case f.Delay < 0 || f.Delay > maxFaultDelay:
		return bad("Delay", fmt.Sprintf("up to %s", maxFaultDelay), f.Delay)
	case f.Size != 0 && !kind.size:
		return bad("Size", "none", f.Size)
	case f.Size < 0 || f.Size > maxOversize:
		return bad("Size", fmt.Sprintf("up to %d", maxOversize), f.Size)
	case (f.Code != "" || f.Text != "") && !kind.code:
		return bad("Code and Text", "none", f.Code+f.Text)
	case !utf8.ValidString(f.Code) || !utf8.ValidString(f.Text):
		return bad("Code and Text", "UTF-8", "something else")
	case f.Row != 0 && !kind.by:
		return bad("Row", "none", f.Row)
	}
	if f.Delay == 0 && kind.delay {
		if f.Name != FaultNoticeReorder {
			return bad("Delay", "a duration", f.Delay)
		}
		f.Delay = reorderDelay
	}
	if f.Size == 0 && kind.size {
		f.Size = defaultOversize
	}
	return nil
}

// forEngine is the fault as the engine knows it.
func (f *Fault) forEngine() engine.Fault {
	return engine.Fault{Name: f.Name, Code: f.Code, Text: f.Text, Row: f.Row}
}

// faults are those that tests have ordered. They end with the process.
type faults struct {
	seed uint64

	armed atomic.Bool // there are any: without, nothing is slowed down

	mu     sync.Mutex
	lastID int64
	list   []*orderedFault
}

type orderedFault struct {
	id int64
	Fault
	kind faultKind
	met  int
	draw *rand.Rand
}

func newFaults(seed uint64) *faults { return &faults{seed: seed} }

// left is how many events the fault still meets, -1 for no limit.
func (o *orderedFault) left() int {
	switch {
	case o.Count > 0:
		return o.Count - o.met
	case o.Probability > 0:
		return -1
	}
	return 1 - o.met
}

// decides asks the fault about an event that it could meet.
func (o *orderedFault) decides() bool {
	return o.left() != 0 && (o.Probability == 0 || o.draw.Float64() < o.Probability)
}

func (f *faults) order(fault Fault) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) >= maxFaults {
		spent := slices.IndexFunc(f.list, func(o *orderedFault) bool { return o.left() == 0 && o.Name != FaultStayPending })
		if spent < 0 {
			return 0, fmt.Errorf("sandbox: fault %s: there are %d already", fault.Name, maxFaults)
		}
		f.list = slices.Delete(f.list, spent, spent+1)
	}
	f.lastID++
	f.list = append(f.list, &orderedFault{
		id: f.lastID, Fault: fault, kind: faultKinds()[fault.Name], draw: rand.New(rand.NewPCG(f.seed, uint64(f.lastID))),
	})
	f.armed.Store(true)
	return f.lastID, nil
}

func (f *faults) lift(id int64) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.list, func(o *orderedFault) bool { return o.id == id })
	if i < 0 {
		return Fault{}, false
	}
	fault := f.list[i].Fault
	f.list = slices.Delete(f.list, i, i+1)
	f.armed.Store(len(f.list) > 0)
	return fault, true
}

func (f *faults) all() []FaultState {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]FaultState, 0, len(f.list))
	for _, o := range f.list {
		list = append(list, FaultState{o.id, o.Fault, o.met, o.left()})
	}
	return list
}

// event is something that faults can meet.
type event struct {
	kind     eventKind
	call     bool // a request to a web service
	op       string
	merchant string
	rows     int  // of an order
	amount   bool // a notification names an amount
}

// canMeet says whether the event is one for the fault at all.
func (o *orderedFault) canMeet(e event) bool {
	if o.Op != "" && o.Op != e.op || o.Merchant != "" && o.Merchant != e.merchant {
		return false
	}
	switch o.kind.meets {
	case atCall:
		return e.kind == atRequest && e.call
	case atBatch:
		return e.kind == atOrder && e.rows >= o.Row && slices.Contains(operationsMet(atBatch), e.op)
	}
	return e.kind == o.kind.meets && (o.Name != FaultNoticeAmount || e.amount)
}

// ask lets the faults decide about an event: one of a name, and none behind
// the one that ends it.
func (f *faults) ask(e event) []*orderedFault {
	var met []*orderedFault
	ended := false
	for _, o := range f.list {
		taken := slices.ContainsFunc(met, func(m *orderedFault) bool {
			return m.Name == o.Name && m.Row == o.Row || isForgery(m.Name) && isForgery(o.Name)
		})
		over := ended && (o.kind.ends || e.kind != atRequest) // slow and then broken is possible
		if taken || over || !o.canMeet(e) || !o.decides() {
			continue
		}
		met = append(met, o)
		ended = ended || o.kind.ends
	}
	return met
}

func isForgery(name string) bool {
	switch name {
	case FaultNoticeBadSign, FaultNoticeOtherMerchant, FaultNoticeAmount:
		return true
	}
	return false
}

// meet asks the faults about an event and counts those that meet it.
func (f *faults) meet(e event) []*orderedFault {
	if !f.armed.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	met := f.ask(e)
	for _, o := range met {
		o.met++
	}
	return met
}

// offer attaches the faults that meet an order to its command. Only the engine
// knows whether there will be an order.
func (f *faults) offer(cmd *engine.Command) []*orderedFault {
	if cmd.Kind != engine.KindSubmit || !f.armed.Load() {
		return nil
	}
	e := event{kind: atOrder, op: cmd.Op, merchant: cmd.Merchant}
	for _, field := range cmd.Message {
		if field.Name == "pDetails" {
			e.rows = len(field.Rows)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	met := f.ask(e)
	for _, o := range met {
		cmd.Faults = append(cmd.Faults, o.forEngine())
	}
	return met
}

// settle counts those of the offered faults that the order has met: a refusal
// needs no order, the others do. Orders come one at a time, so that no other
// was offered the same faults meanwhile.
func (f *faults) settle(offered []*orderedFault, taken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range offered {
		if taken || o.Name == FaultCode {
			o.met++
		}
	}
}

// OrderFault orders a fault and returns its number. Faults end with the
// sandbox: a store does not keep them.
func (s *Sandbox) OrderFault(f Fault) (id int64, err error) {
	defer s.feed.touch(topicState)
	if err := f.prepare(); err != nil {
		return 0, err
	}
	if f.Merchant != "" && s.merchants[f.Merchant] == nil {
		return 0, fmt.Errorf("sandbox: fault %s: Merchant: unknown code %q", f.Name, f.Merchant)
	}
	if kind := faultKinds()[f.Name].meets; kind == atOrder || kind == atBatch {
		op := f.Op
		if op == "" {
			op = operationsMet(kind)[0]
		}
		if err := s.engine.ExamineFault(op, f.forEngine()); err != nil {
			return 0, fmt.Errorf("sandbox: fault %s: %w", f.Name, err)
		}
	}
	return s.faults.order(f)
}

// LiftFault takes a fault back. Lifting [FaultStayPending] releases the orders
// that it held, as [Sandbox.Release] does. It fails with [ErrNotFound] if
// there is no fault of that number.
func (s *Sandbox) LiftFault(id int64) error {
	defer s.feed.touch(topicState)
	f, ok := s.faults.lift(id)
	if !ok {
		return fmt.Errorf("sandbox: fault %d: %w", id, ErrNotFound)
	}
	if f.Name == FaultStayPending {
		return s.Release(f.Merchant, f.Op)
	}
	return nil
}

// LiftFaults takes all faults back.
func (s *Sandbox) LiftFaults() error {
	var errs []error
	for _, f := range s.Faults() {
		if err := s.LiftFault(f.ID); err != nil && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Faults lists the faults in the order of their ordering. Those that are used
// up stay on the list until they are lifted, for people to see.
func (s *Sandbox) Faults() []FaultState { return s.faults.all() }

// Release gives the orders that are held pending their final answers: those of
// a merchant and operation, or of all with "". It also works after a restart,
// when the fault that held them is forgotten.
func (s *Sandbox) Release(merchant, op string) error {
	_, err := s.apply(engine.Command{Kind: engine.KindRelease, Merchant: merchant, Op: op})
	return err
}
