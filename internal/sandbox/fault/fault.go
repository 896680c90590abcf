// Package fault is what goes wrong on demand: on the way in, on the way out, in
// notifications and inside the platform.
package fault

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// The names of a [Fault]. Those of the first group hit requests on their way
// in or answers on their way out, those of the second hit notifications, and
// those of the third hit orders, inside the platform.
const (
	Latency   = "latency"    // the answer takes Delay longer
	HTTP500   = "http-500"   // HTTP 500 and an error page
	HTTP502   = "http-502"   // HTTP 502, as from a proxy
	Reset     = "reset"      // the connection is reset
	Truncate  = "truncate"   // half of the answer, then the end of the connection
	Oversize  = "oversize"   // Size bytes of blanks behind the answer
	SOAPFault = "soap-fault" // a web service answers with a soap:Fault

	NoticeDrop          = "notice-drop"           // the notification is never posted
	NoticeDelay         = "notice-delay"          // it is posted after Delay
	NoticeDouble        = "notice-double"         // it is posted twice
	NoticeReorder       = "notice-reorder"        // it is posted after the merchant's next one, or after Delay
	NoticeBadSign       = "notice-bad-sign"       // its first post has a signature that does not hold
	NoticeOtherMerchant = "notice-other-merchant" // its first post is signed as it should be, in another merchant's name
	NoticeAmount        = "notice-amount"         // its first post is signed as it should be, with an amount that is 1.00 too high
	NoticeFirst         = "notice-first"          // it is posted at once, even before the answer that caused it is written

	Code        = "code"         // the order is refused with Code and Text, and nothing is done
	StayPending = "stay-pending" // the order is done, and its final answer held back until the fault is lifted
	Row         = "row"          // row number Row of a batch fails
)

// Fault is a deviation that a test orders.
//
// Faults are asked in the order in which they were ordered. An event that one
// of them ends, such as a request that is reset, is no event for those behind
// it: they wait for the next. Whether a fault with a Probability hits an event
// depends on the sandbox's seed, on the number of the fault and on how many
// events it has been asked about, and on nothing else.
type Fault struct {
	Name     string `json:"name"`
	Op       string `json:"op,omitempty"`       // wire name of the operation, "" for all that the fault can hit
	Merchant string `json:"merchant,omitempty"` // merchant code, "" for all

	// Count is how many events it hits. 0 stands for one or, when there is a
	// Probability, for no limit.
	Count int `json:"count,omitempty"`
	// Probability that it hits an event, above 0 and at most 1. 0 stands for
	// every event, until the Count is used up.
	Probability float64 `json:"probability,omitempty"`
	Seed        uint64  `json:"-"` // takes the place of the sandbox's, unless it is 0

	// After lets the operation take effect before the caller learns nothing of
	// it: what became of his order is unknown to him. It makes sense for
	// latency, http-500, http-502, reset and soap-fault; truncated and
	// oversized answers are always given after the effect.
	After bool `json:"after,omitempty"`

	Delay time.Duration `json:"-"`              // latency, notice-delay, notice-reorder (by default 30 s)
	Size  int64         `json:"size,omitempty"` // oversize, by default 64 MiB
	Code  string        `json:"code,omitempty"` // code: pErrCode
	Text  string        `json:"text,omitempty"` // code: pErrMsg, by default in the platform's pattern
	Row   int           `json:"row,omitempty"`  // row: which one, from 1
}

// State is a fault that was ordered and what has become of it.
type State struct {
	ID int64 `json:"id"`
	Fault
	Hits int `json:"met"`  // events that it has hit
	Left int `json:"left"` // events that it still hits, -1 for no limit
}

const (
	maxFaults       = 1000
	maxDelay        = 10 * time.Minute
	reorderDelay    = 30 * time.Second
	defaultOversize = 64 << 20
	maxOversize     = 1 << 30
)

// Kind is a name, what people call it, what it hits and which fields count.
type Kind struct {
	Name, Label            string
	at                     eventKind
	ends                   bool // the event is over with it
	forges                 bool // one event suffers one of these
	after, delay, size     bool
	codeAndText, rowNumber bool
}

type eventKind int

const (
	atRequest eventKind = iota + 1
	atCall              // a request to a web service
	atNotice
	atOrder
	atBatch // an order that may have rows
)

// Kinds are all faults that there are.
func Kinds() []Kind {
	return []Kind{
		{Name: Latency, Label: "应答延迟", at: atRequest, after: true, delay: true},
		{Name: HTTP500, Label: "应答 HTTP 500", at: atRequest, ends: true, after: true},
		{Name: HTTP502, Label: "应答 HTTP 502", at: atRequest, ends: true, after: true},
		{Name: Reset, Label: "连接被重置", at: atRequest, ends: true, after: true},
		{Name: Truncate, Label: "应答被截断", at: atRequest, ends: true},
		{Name: Oversize, Label: "应答过大", at: atRequest, ends: true, size: true},
		{Name: SOAPFault, Label: "Web Service 返回 soap:Fault", at: atCall, ends: true, after: true},

		{Name: NoticeDrop, Label: "通知丢失", at: atNotice, ends: true},
		{Name: NoticeDelay, Label: "通知延迟", at: atNotice, delay: true},
		{Name: NoticeDouble, Label: "通知重复", at: atNotice},
		{Name: NoticeReorder, Label: "通知乱序", at: atNotice, delay: true},
		{Name: NoticeBadSign, Label: "通知签名错误", at: atNotice, forges: true},
		{Name: NoticeOtherMerchant, Label: "通知商户号错误", at: atNotice, forges: true},
		{Name: NoticeAmount, Label: "通知金额被改", at: atNotice, forges: true},
		{Name: NoticeFirst, Label: "通知先于应答", at: atNotice},

		{Name: Code, Label: "返回指定返回码", at: atOrder, ends: true, codeAndText: true},
		{Name: StayPending, Label: "结果挂起", at: atOrder},
		{Name: Row, Label: "批量中一行失败", at: atBatch, rowNumber: true},
	}
}

func kindOf(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Label is what people call a fault.
func Label(name string) string {
	k, _ := kindOf(name)
	return k.Label
}

// List is the list of which a fault hits entries, as the console names it.
func List(name string) string {
	switch k, _ := kindOf(name); k.at {
	case atNotice:
		return "notifications"
	case atOrder, atBatch:
		return "orders"
	}
	return "messages"
}

// operations are the wire names of the operations that such events belong to.
func (k eventKind) operations() []string {
	if k == atBatch {
		return []string{"Transfer", "RepaymentNewTrade"}
	}
	var names []string
	for _, op := range wire.All(wire.Services(wire.TradeQueryBoth)) {
		order := op.Sealed() && op.Name != "QueryTrade"
		if k == atRequest || k == atCall && op.Params != nil || (k == atOrder || k == atNotice) && order {
			names = append(names, op.Name)
		}
	}
	return names
}

// prepare checks a fault and fills in what it leaves open.
func (f *Fault) prepare() error {
	kind, ok := kindOf(f.Name)
	if !ok {
		return engine.Wrong("sandbox: fault: Name: unknown fault %q", "请选择故障：没有故障 %q", f.Name)
	}
	operations := strings.Join(kind.at.operations(), ", ")
	for _, c := range []struct {
		bad                  bool
		field, want, chinese string
		got                  any
	}{
		{f.Op != "" && !slices.Contains(kind.at.operations(), f.Op), "Op", "one of " + operations, "接口须为 " + operations + " 之一", f.Op},
		{f.Count < 0, "Count", "0 or more", "次数不能为负", f.Count},
		{!(f.Probability >= 0 && f.Probability <= 1), "Probability", "0 to 1", "概率须在 0 与 1 之间", f.Probability}, // NaN is neither
		{f.After && !kind.after, "After", "none, for it has no choice", "不能选择在业务生效之后", f.After},
		{f.Delay != 0 && !kind.delay, "Delay", "none", "没有延迟", f.Delay},
		{f.Delay < 0 || f.Delay > maxDelay, "Delay", fmt.Sprint("up to ", maxDelay), fmt.Sprint("延迟不能超过 ", maxDelay), f.Delay},
		{f.Size != 0 && !kind.size, "Size", "none", "没有字节数", f.Size},
		{f.Size < 0 || f.Size > maxOversize, "Size", fmt.Sprint("up to ", maxOversize), fmt.Sprint("字节数不能超过 ", maxOversize), f.Size},
		{(f.Code != "" || f.Text != "") && !kind.codeAndText, "Code and Text", "none", "没有返回码与说明", f.Code + f.Text},
		{!utf8.ValidString(f.Code) || !utf8.ValidString(f.Text), "Code and Text", "UTF-8", "返回码与说明须为 UTF-8", "something else"},
		{f.Row != 0 && !kind.rowNumber, "Row", "none", "没有行号", f.Row},
		{f.Delay == 0 && kind.delay && f.Name != NoticeReorder, "Delay", "a duration", "请填写延迟，如 2s", f.Delay},
	} {
		if c.bad {
			return engine.Wrong("sandbox: fault %[1]s: %[3]s: want %[4]s, got %[6]v", "故障“%[2]s”：%[5]s，现为 %[6]v",
				f.Name, kind.Label, c.field, c.want, c.chinese, c.got)
		}
	}
	if f.Delay == 0 && kind.delay {
		f.Delay = reorderDelay
	}
	if f.Size == 0 && kind.size {
		f.Size = defaultOversize
	}
	return nil
}

// Check says what is wrong with a fault.
func (f Fault) Check() error { return f.prepare() }

// forEngine is the fault as the engine knows it.
func (f *Fault) forEngine() engine.Fault {
	return engine.Fault{Name: f.Name, Code: f.Code, Text: f.Text, Row: f.Row}
}

// Machine has the faults that were ordered. They end with the process.
type Machine struct {
	// Struck hears of a request that a fault ended before it was read.
	Struck func(op, merchant, words string, call bool)

	seed    uint64
	examine func(op string, f engine.Fault) error
	armed   atomic.Bool // there are any: without, nothing is slowed down

	mu     sync.Mutex
	lastID int64
	list   []*Ordered
}

// Ordered is a fault that was ordered.
type Ordered struct {
	id int64
	Fault
	kind Kind
	hits int
	draw *rand.Rand
}

// New returns a machine without faults. examine says what the engine thinks of
// one that hits orders, of a merchant or of all with "".
func New(seed uint64, examine func(op string, f engine.Fault) error) *Machine {
	return &Machine{seed: seed, examine: examine}
}

// left is how many events the fault still hits, -1 for no limit.
func (o *Ordered) left() int {
	switch {
	case o.Count > 0:
		return o.Count - o.hits
	case o.Probability > 0:
		return -1
	}
	return 1 - o.hits
}

// decides asks the fault about an event that it could hit.
func (o *Ordered) decides() bool {
	return o.left() != 0 && (o.Probability == 0 || o.draw.Float64() < o.Probability)
}

// Order orders a fault and returns its number.
func (m *Machine) Order(f Fault) (int64, error) {
	if err := f.prepare(); err != nil {
		return 0, err
	}
	kind, _ := kindOf(f.Name)
	if kind.at == atOrder || kind.at == atBatch {
		op := f.Op
		if op == "" {
			op = kind.at.operations()[0]
		}
		if err := m.examine(op, f.forEngine()); err != nil {
			return 0, fmt.Errorf("sandbox: fault %s: %w", f.Name, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.list) >= maxFaults {
		spent := slices.IndexFunc(m.list, func(o *Ordered) bool { return o.left() == 0 && o.Name != StayPending })
		if spent < 0 {
			return 0, engine.Wrong("sandbox: fault %s: there are %d already", "故障 %s 未安排：已有 %d 项", f.Name, maxFaults)
		}
		m.list = slices.Delete(m.list, spent, spent+1)
	}
	m.lastID++
	m.list = append(m.list, &Ordered{
		id: m.lastID, Fault: f, kind: kind, draw: rand.New(rand.NewPCG(cmp.Or(f.Seed, m.seed), uint64(m.lastID))),
	})
	m.armed.Store(true)
	return m.lastID, nil
}

// Lift takes a fault back; ok is false if there is none of that number.
func (m *Machine) Lift(id int64) (fault Fault, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.list, func(o *Ordered) bool { return o.id == id })
	if i < 0 {
		return Fault{}, false
	}
	fault = m.list[i].Fault
	m.list = slices.Delete(m.list, i, i+1)
	m.armed.Store(len(m.list) > 0)
	return fault, true
}

// List lists the faults in the order of their ordering, those that are used up
// as well, for people to see.
func (m *Machine) List() []State {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]State, 0, len(m.list))
	for _, o := range m.list {
		list = append(list, State{o.id, o.Fault, o.hits, o.left()})
	}
	return list
}

// event is something that faults can hit.
type event struct {
	kind     eventKind
	call     bool // a request to a web service
	op       string
	merchant string
	rows     int  // of an order
	amount   bool // a notification names an amount
}

// fits says whether the event is one for the fault at all.
func (o *Ordered) fits(e event) bool {
	if o.Op != "" && o.Op != e.op || o.Merchant != "" && o.Merchant != e.merchant {
		return false
	}
	switch o.kind.at {
	case atCall:
		return e.kind == atRequest && e.call
	case atBatch:
		return e.kind == atOrder && e.rows >= o.Row && slices.Contains(atBatch.operations(), e.op)
	}
	return e.kind == o.kind.at && (o.Name != NoticeAmount || e.amount)
}

// ask lets the faults decide about an event: one of a name, and none behind
// the one that ends it.
func (m *Machine) ask(e event) []*Ordered {
	var hit []*Ordered
	ended := false
	for _, o := range m.list {
		taken := slices.ContainsFunc(hit, func(h *Ordered) bool {
			return h.Name == o.Name && h.Row == o.Row || h.kind.forges && o.kind.forges
		})
		over := ended && (o.kind.ends || e.kind != atRequest) // slow and then broken is possible
		if taken || over || !o.fits(e) || !o.decides() {
			continue
		}
		hit = append(hit, o)
		ended = ended || o.kind.ends
	}
	return hit
}

// hit asks the faults about an event and counts those that hit it.
func (m *Machine) hit(e event) []Fault {
	if !m.armed.Load() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Fault
	for _, o := range m.ask(e) {
		o.hits++
		list = append(list, o.Fault)
	}
	return list
}

// Notice asks the faults about a notification; amount says whether it names one.
func (m *Machine) Notice(op, merchant string, amount bool) []Fault {
	return m.hit(event{kind: atNotice, op: op, merchant: merchant, amount: amount})
}

// Offer attaches the faults that hit an order to its command. Only the engine
// knows whether there will be an order: see [Machine.Settle].
func (m *Machine) Offer(cmd *engine.Command) []*Ordered {
	if cmd.Kind != engine.KindSubmit || !m.armed.Load() {
		return nil
	}
	e := event{kind: atOrder, op: cmd.Op, merchant: cmd.Merchant}
	for _, field := range cmd.Message {
		if field.Name == "pDetails" {
			e.rows = len(field.Rows)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	offered := m.ask(e)
	for _, o := range offered {
		cmd.Faults = append(cmd.Faults, o.forEngine())
	}
	return offered
}

// Settle counts those of the offered faults that hit the order: a refusal
// needs no order, the others do. Orders come one at a time, so that no other
// was offered the same faults meanwhile.
func (m *Machine) Settle(offered []*Ordered, taken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range offered {
		if taken || o.Name == Code {
			o.hits++
		}
	}
}
