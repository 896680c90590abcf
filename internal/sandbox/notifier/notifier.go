// Package notifier posts notices to merchants until they answer.
package notifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// The errors that callers ask for by name.
var (
	ErrClosed  = engine.Wrong("the sandbox is closed", "沙箱已停止")
	ErrUnknown = engine.Wrong("not found", "没有这条记录")
)

// State says how far a notification has come.
type State string

// The states of a notification.
const (
	Queued    State = "queued"    // waits for its first or next attempt, or is on its way
	Delivered State = "delivered" // the merchant answered HTTP 200
	Abandoned State = "abandoned" // every attempt failed
	Dropped   State = "dropped"   // lost by a fault, never posted
)

// Notification is a notice to a merchant and what became of it.
type Notification struct {
	Seq      int64     `json:"seq"` // the engine's number of the notice
	Merchant string    `json:"merchant"`
	Op       string    `json:"op"`
	Order    string    `json:"order"` // pMerBillNo
	URL      string    `json:"url"`   // pS2SUrl
	Code     string    `json:"code"`  // pErrCode
	Text     string    `json:"text"`  // pErrMsg
	Queued   time.Time `json:"queued"`
	State    State     `json:"state"`
	Fault    string    `json:"fault,omitempty"` // what faults do to it
	Next     time.Time `json:"next,omitzero"`   // when it is tried again, by the sandbox's clock
	Attempts []Attempt `json:"-"`               // oldest first
}

// Attempt is one post of a notification.
type Attempt struct {
	At     time.Time // by the sandbox's clock
	Took   time.Duration
	Status int    // HTTP status, 0 when no answer came
	Err    string // why no answer came
	Reply  string `json:",omitempty"` // how the merchant's answer begins
	Fault  string `json:",omitempty"` // what a fault made of this post
}

// Post is a notice that is ready to go.
type Post struct {
	Notice engine.Notice
	Answer wire.Envelope
	Faults Faults
	Hold   *Hold // nil: nobody waits for an answer
}

// Faults are what faults do to a notification.
type Faults struct {
	Drop   bool          // it is never posted
	First  bool          // it does not wait until the answer is written
	Delay  time.Duration // it is posted that much later
	Behind bool          // it is posted after the merchant's next one, or after Delay
	Twice  bool          // it is posted once more after it was answered
	Forged *Forgery      // it is preceded by this, once
	Words  string        // all of this, for people
}

// Forgery is what a notification should not look like.
type Forgery struct {
	wire.Envelope
	Signed bool // its signature holds
	Words  string
}

// Change is what became of a notice, for a store.
type Change struct {
	Seq     int64
	State   State
	Attempt *Attempt `json:",omitempty"` // nil if nothing was posted
}

// Sent is what was posted, for people to see.
type Sent struct {
	Notification
	Envelope wire.Envelope
	Signed   bool   // the signature holds
	Forgery  string // what a fault made of it
}

// Config sets a [Notifier] up. Client, Now, Sent and Changed are required.
type Config struct {
	Client  *http.Client
	Now     func() time.Time
	Sent    func(Sent)   // hears of every post before it goes
	Changed func(Change) // hears of every change of state
	Log     *slog.Logger // of what is given up

	// PerMerchant bounds how many posts are under way to one merchant; by
	// default 4. Merchants do not wait for each other.
	PerMerchant int
	// Waits are those between the attempts, so that there is one attempt more.
	// By default there are four: a merchant's program notes that IPS tries
	// five times. How long it waits is not known, and our choice.
	Waits []time.Duration
	// After is how long a notice waits when the answer that caused it has been
	// written.
	After time.Duration
	// Again is how often a result is told again although it was answered, as
	// the platform was seen to do, after the same waits.
	Again int
}

const (
	timeout     = 15 * time.Second
	perMerchant = 4
	// What the merchant's page says is of no interest beyond its status, but
	// to the people who wrote it.
	maxReply, keptReply = 64 << 10, 500

	maxKept  = 10000
	maxBytes = 64 << 20
)

func defaultWaits() []time.Duration {
	return []time.Duration{time.Second, 15 * time.Second, 2 * time.Minute, 10 * time.Minute}
}

// Hold keeps notices back until the answer that caused them has been written.
type Hold struct {
	mu       sync.Mutex
	released bool
	waiting  []func()
}

// Release lets the notices go, those to come as well.
func (h *Hold) Release() {
	h.mu.Lock()
	waiting := h.waiting
	h.released, h.waiting = true, nil
	h.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}

// Busy says whether any notice is kept back.
func (h *Hold) Busy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waiting) > 0
}

// then calls f when the hold is released, at once if it was or is nil.
func (h *Hold) then(f func()) {
	if h == nil {
		f()
		return
	}
	h.mu.Lock()
	if !h.released {
		h.waiting = append(h.waiting, f)
		h.mu.Unlock()
		return
	}
	h.mu.Unlock()
	f()
}

// delivery is a notice on its way.
type delivery struct {
	notice   Notification
	answer   wire.Envelope
	faults   Faults
	failures int           // since it was last queued
	again    int           // how often it is still to be told when it was answered
	held     bool          // the answer that caused it is not written
	ahead    time.Duration // by which the clock was advanced meanwhile
	due      time.Time     // while it waits for its next attempt
	timer    *time.Timer   // likewise
}

func (n *Notifier) delivery(p Post, state State) *delivery {
	return &delivery{answer: p.Answer, faults: p.Faults, again: n.Again, notice: Notification{
		Seq: p.Notice.Seq, Merchant: p.Notice.Merchant, Op: p.Notice.Op, Order: p.Notice.Order, URL: p.Notice.URL,
		Code: p.Answer.Code, Text: p.Answer.Text, Queued: p.Notice.At, State: state, Fault: p.Faults.Words,
	}}
}

// line is what goes to one merchant.
type line struct {
	ready []*delivery
	busy  int // posts under way
}

// Notifier posts notices to merchants until they answer HTTP 200. None is lost:
// a notice is delivered, or given up after the last attempt and can be sent
// again. Every merchant has a line of his own.
type Notifier struct {
	Config
	client http.Client

	ctx    context.Context
	cancel context.CancelFunc
	posts  sync.WaitGroup

	mu      sync.Mutex
	bySeq   map[int64]*delivery // all that are kept
	history []*delivery         // the same, oldest first
	bytes   int                 // of their bodies
	words   find.Index          // of them, as far as somebody has searched
	lines   map[string]*line    // by merchant
	waiting map[*delivery]bool  // due later
	behind  []*delivery         // of them, those that a fault holds until another one has gone
	open    int                 // neither delivered nor given up
	settled chan struct{}       // closed when open falls to 0
	closed  bool
}

// New returns a notifier that has nothing to do yet.
func New(cfg Config) *Notifier {
	if cfg.PerMerchant <= 0 {
		cfg.PerMerchant = perMerchant
	}
	if cfg.Waits == nil {
		cfg.Waits = defaultWaits()
	}
	n := &Notifier{
		Config:  cfg,
		client:  *cfg.Client,
		bySeq:   make(map[int64]*delivery),
		lines:   make(map[string]*line),
		waiting: make(map[*delivery]bool),
		settled: make(chan struct{}),
	}
	// A notice that went elsewhere did not arrive.
	n.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// Queue takes a new notice in charge.
func (n *Notifier) Queue(p Post) {
	n.mu.Lock()
	d := n.delivery(p, Queued)
	n.take(d)
	if d.faults.Drop {
		d.notice.State = Dropped
		n.Changed(Change{Seq: d.notice.Seq, State: Dropped})
		n.mu.Unlock()
		return
	}
	n.open++
	d.held = true
	n.mu.Unlock()
	p.Hold.then(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !d.held {
			return // sent by hand meanwhile
		}
		d.held = false
		if d.faults.Behind {
			n.behind = append(n.behind, d)
		}
		after := n.After
		if d.faults.First {
			after = 0
		}
		n.wait(d, max(after+d.faults.Delay-d.ahead, 0))
	})
}

// Restore brings back a notice of an earlier life.
func (n *Notifier) Restore(p Post, state State, attempts []Attempt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.delivery(p, state)
	d.notice.Attempts = attempts
	n.take(d)
	if state == Queued {
		n.open++
		n.send(d)
	}
}

func (n *Notifier) take(d *delivery) {
	n.bySeq[d.notice.Seq] = d
	n.history = append(n.history, d)
	n.bytes += d.size()
	if len(n.history) > maxKept || n.bytes > maxBytes {
		// A tenth less, so that this is not to do again at the next.
		n.drop(maxKept*9/10, maxBytes*9/10)
	}
}

func (d *delivery) size() int {
	return len(d.answer.Body) + len(d.answer.XML) + len(d.notice.URL)
}

// Forget drops the notices that are delivered or given up.
func (n *Notifier) Forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop(0, 0)
}

// drop forgets the oldest notices that are delivered or given up, until as many
// are left.
func (n *Notifier) drop(kept, bytes int) {
	left := len(n.history)
	n.history = slices.DeleteFunc(n.history, func(d *delivery) bool {
		if d.notice.State == Queued || left <= kept && n.bytes <= bytes {
			return false
		}
		delete(n.bySeq, d.notice.Seq)
		n.bytes -= d.size()
		left--
		return true
	})
}

// Resend sends a notice once more, at once, whatever became of it.
func (n *Notifier) Resend(seq int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.bySeq[seq]
	switch {
	case d == nil:
		return fmt.Errorf("notification %d: %w", seq, ErrUnknown)
	case n.closed:
		return ErrClosed
	case d.notice.State != Queued:
		d.notice.State = Queued
		n.open++
		n.send(d)
	case n.waiting[d] || d.held:
		n.send(d)
	}
	d.failures, d.again = 0, 0
	n.Changed(Change{Seq: seq, State: Queued})
	return nil
}

// send puts a delivery that is not being posted in its merchant's line.
func (n *Notifier) send(d *delivery) {
	if n.closed {
		return
	}
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.held = false
	delete(n.waiting, d)
	l := n.lines[d.notice.Merchant]
	if l == nil {
		l = &line{}
		n.lines[d.notice.Merchant] = l
	}
	l.ready = append(l.ready, d)
	if l.busy < n.PerMerchant {
		l.busy++
		n.posts.Go(func() { n.work(l) })
	}
}

func (n *Notifier) wait(d *delivery, wait time.Duration) {
	if n.closed {
		return
	}
	if wait == 0 {
		n.send(d)
		return
	}
	d.due = time.Now().Add(wait)
	n.waiting[d] = true
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if d.timer == timer { // else it was hurried or sent by hand meanwhile
			n.send(d)
		}
	})
	d.timer = timer
}

// Hurry moves every waiting attempt forward, for a clock that was advanced.
func (n *Notifier) Hurry(by time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.history { // in order, so that tests see the same order
		switch {
		case n.waiting[d]:
			d.timer.Stop()
			n.wait(d, max(time.Until(d.due)-by, 0))
		case d.held:
			d.ahead += by
		}
	}
}

// work posts what stands in a merchant's line until nothing does.
func (n *Notifier) work(l *line) {
	for {
		n.mu.Lock()
		if n.closed || len(l.ready) == 0 {
			l.busy--
			n.mu.Unlock()
			return
		}
		d := l.ready[0]
		l.ready[0] = nil
		l.ready = l.ready[1:]
		n.mu.Unlock()
		n.attempt(d)
	}
}

func (n *Notifier) attempt(d *delivery) {
	sent := Sent{Notification: d.notice, Envelope: d.answer, Signed: true}
	if forged := d.faults.Forged; forged != nil {
		// Once: who refuses it is told the truth the next time.
		sent.Envelope, sent.Signed, sent.Forgery = forged.Envelope, forged.Signed, forged.Words
		d.faults.Forged = nil
	}
	n.Sent(sent)
	started, at := time.Now(), n.Now()
	status, reply, err := n.post(d.notice.URL, wire.EncodeForm(sent.Envelope.Fields()...))
	a := Attempt{At: at, Took: time.Since(started), Status: status, Reply: reply, Fault: sent.Forgery}
	if err != nil {
		if n.ctx.Err() != nil {
			return // cut off by our own end: it stays queued for the next life
		}
		a.Err = cause(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	d.notice.Attempts = append(d.notice.Attempts, a)
	n.releaseReordered(d)
	answered := err == nil && status == http.StatusOK
	attempts := len(n.Waits) + 1
	switch {
	case answered && d.faults.Twice:
		d.faults.Twice = false
		n.send(d)
	case answered && (d.again == 0 || len(d.notice.Attempts) >= attempts):
		n.settle(d, Delivered)
	case answered:
		d.again--
		n.wait(d, n.Waits[len(d.notice.Attempts)-1])
	case d.failures < len(n.Waits):
		d.failures++
		n.wait(d, n.Waits[d.failures-1])
	default:
		n.settle(d, Abandoned)
		n.Log.Warn("notification given up", "op", d.notice.Op, "merchant", d.notice.Merchant, "order", d.notice.Order,
			"url", d.notice.URL, "status", a.Status, "err", a.Err)
	}
	n.Changed(Change{Seq: d.notice.Seq, State: d.notice.State, Attempt: &a})
}

func (n *Notifier) post(address, form string) (status int, reply string, err error) {
	ctx, cancel := context.WithTimeout(n.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := n.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return 0, "", fmt.Errorf("reading the reply: %w", err)
	}
	return resp.StatusCode, strings.ToValidUTF8(string(body[:min(len(body), keptReply)]), ""), nil
}

// releaseReordered sends the notices that a fault holds until a later one of
// the same merchant has gone.
func (n *Notifier) releaseReordered(gone *delivery) {
	n.behind = slices.DeleteFunc(n.behind, func(d *delivery) bool {
		if !n.waiting[d] || d == gone {
			return true // sent meanwhile: it waited long enough, or a person was faster
		}
		if d.notice.Merchant != gone.notice.Merchant || d.notice.Seq > gone.notice.Seq {
			return false
		}
		n.send(d)
		return true
	})
}

func (n *Notifier) settle(d *delivery, state State) {
	d.notice.State = state
	d.failures = 0
	if n.open--; n.open == 0 {
		close(n.settled)
		n.settled = make(chan struct{})
	}
}

// cause is the reason of a failed post without the address, which the
// notification shows already.
func cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// Wait returns when every notice is delivered or given up.
func (n *Notifier) Wait(ctx context.Context) error {
	for {
		n.mu.Lock()
		open, settled := n.open, n.settled
		n.mu.Unlock()
		if open == 0 {
			return nil
		}
		select {
		case <-settled:
		case <-n.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%d notifications not delivered: %w", open, ctx.Err())
		}
	}
}

// Close gives up what is on its way and returns when every post has ended.
func (n *Notifier) Close() {
	n.mu.Lock()
	n.closed = true
	for d := range n.waiting {
		d.timer.Stop()
	}
	n.mu.Unlock()
	n.cancel()
	n.posts.Wait()
}

// List copies the newest notifications, oldest first.
func (n *Notifier) List() []Notification {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]Notification, len(n.history))
	for i, d := range n.history {
		list[i] = n.seen(d)
	}
	return list
}

// Newest copies a page of the notifications that have a text and that takes
// accepts, by "attempts", "state" or when they came, and says how many there are.
func (n *Notifier) Newest(text string, p find.Page, takes func(*Notification) bool) (list []Notification, total int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.history
	if text != "" {
		all = n.saying(text)
	}
	all = find.Choose(all, func(d *delivery) bool { return takes(&d.notice) })
	keys := map[string]func(*delivery) find.Key{
		"attempts": func(d *delivery) find.Key { return find.Key{Number: int64(len(d.notice.Attempts))} },
		"state":    func(d *delivery) find.Key { return find.Key{Text: string(d.notice.State)} },
	}
	for _, d := range find.Take(all, p, keys[p.By]) {
		list = append(list, n.seen(d))
	}
	return list, len(all)
}

// saying are the deliveries that have a text, oldest first.
func (n *Notifier) saying(text string) (list []*delivery) {
	from := len(n.history)
	for from > 0 && n.history[from-1].notice.Seq >= int64(n.words.Next()) {
		from--
	}
	for _, d := range n.history[from:] {
		n.words.Add(int(d.notice.Seq), 0, d.notice.Order, d.notice.Code, d.notice.Text, d.notice.URL)
	}
	if len(n.history) > 0 {
		n.words.Forget(int(n.history[0].notice.Seq))
	}
	for _, seq := range n.words.Find(text) {
		if d := n.bySeq[int64(seq)]; d != nil {
			list = append(list, d)
		}
	}
	return list
}

// Find copies a notification and what is posted for it.
func (n *Notifier) Find(seq int64) (Notification, wire.Envelope, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.bySeq[seq]
	if d == nil {
		return Notification{}, wire.Envelope{}, false
	}
	return n.seen(d), d.answer, true
}

func (n *Notifier) seen(d *delivery) Notification {
	notice := d.notice
	notice.Attempts = slices.Clone(notice.Attempts)
	if n.waiting[d] {
		notice.Next = n.Now().Add(time.Until(d.due))
	}
	return notice
}

// Pending is how many notices are neither delivered nor given up.
func (n *Notifier) Pending() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.open
}
