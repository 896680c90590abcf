package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// NoticeState says how far a notification has come.
type NoticeState string

// The states of a notification.
const (
	NoticeQueued    NoticeState = "queued"    // waits for its first or next attempt, or is on its way
	NoticeDelivered NoticeState = "delivered" // the merchant answered HTTP 200
	NoticeAbandoned NoticeState = "abandoned" // every attempt failed
	NoticeDropped   NoticeState = "dropped"   // lost by a [Fault], never posted
)

// Notification is a notice to a merchant and what became of it.
type Notification struct {
	Seq      int64 // the engine's number of the notice
	Merchant string
	Op       string
	Order    string // pMerBillNo
	URL      string // pS2SUrl
	Code     string // pErrCode
	Text     string // pErrMsg
	Queued   time.Time
	State    NoticeState
	Attempts []Attempt // oldest first
}

// Attempt is one post of a notification.
type Attempt struct {
	At     time.Time // by the sandbox's clock
	Took   time.Duration
	Status int    // HTTP status, 0 when no answer came
	Err    string // why no answer came
}

const (
	noticeTimeout = 15 * time.Second
	// What the merchant's page says is of no interest beyond its status.
	noticeReplyLimit = 64 << 10

	keptNotices     = 10000
	keptNoticeBytes = 64 << 20
)

// defaultBackoff is our choice: the platform's own is not known. A notice is
// given up after the last of these.
func defaultBackoff() []time.Duration {
	return []time.Duration{
		time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	}
}

// delivery is a notice on its way.
type delivery struct {
	notice   Notification
	answer   sealed
	trouble  trouble     // that faults have made for it
	failures int         // since it was last queued
	due      time.Time   // while it waits for its next attempt
	timer    *time.Timer // likewise
}

// post is a notice that is ready to go.
type post struct {
	notice  engine.Notice
	answer  sealed
	trouble trouble
}

func (p post) delivery(state NoticeState) *delivery {
	return &delivery{answer: p.answer, trouble: p.trouble, notice: Notification{
		Seq: p.notice.Seq, Merchant: p.notice.Merchant, Op: p.notice.Op, Order: p.notice.Order, URL: p.notice.URL,
		Code: p.answer.code, Text: p.answer.text, Queued: p.notice.At, State: state,
	}}
}

// notifier posts notices to merchants until they answer HTTP 200. Nothing is
// dropped: a notice is delivered, or abandoned after the last attempt and can
// be sent again.
type notifier struct {
	post    func(ctx context.Context, address, form string) (status int, err error)
	record  func(d *delivery, sent sealed, genuine bool)
	keep    func(Delivery) // for after a restart
	now     func() time.Time
	backoff []time.Duration

	ctx     context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu      sync.Mutex
	wake    *sync.Cond          // ready or closed changed
	bySeq   map[int64]*delivery // all that are kept
	history []*delivery         // the same, oldest first
	bytes   int                 // of their bodies
	ready   []*delivery         // due now
	waiting map[*delivery]bool  // due later
	behind  []*delivery         // of them, those that a fault holds until another one has gone
	open    int                 // neither delivered nor abandoned
	settled chan struct{}       // closed when open falls to 0
	closed  bool
}

func newNotifier(workers int, backoff []time.Duration, now func() time.Time,
	post func(context.Context, string, string) (int, error), record func(*delivery, sealed, bool), keep func(Delivery)) *notifier {
	n := &notifier{
		post: post, record: record, keep: keep, now: now, backoff: backoff,
		bySeq:   make(map[int64]*delivery),
		waiting: make(map[*delivery]bool),
		settled: make(chan struct{}),
	}
	n.wake = sync.NewCond(&n.mu)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for range workers {
		n.workers.Go(n.work)
	}
	return n
}

// poster posts forms with client, which it changes in one point: redirects are
// not followed, since a notice that went elsewhere did not arrive.
func poster(client *http.Client) func(context.Context, string, string) (int, error) {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context, address, form string) (int, error) {
		ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := c.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, noticeReplyLimit)); err != nil {
			return 0, fmt.Errorf("reading the reply: %w", err)
		}
		return resp.StatusCode, nil
	}
}

// queue takes a new notice in charge.
func (n *notifier) queue(p post) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := p.delivery(NoticeQueued)
	n.take(d)
	switch {
	case d.trouble.drop:
		d.notice.State = NoticeDropped
		n.keep(Delivery{Seq: d.notice.Seq, State: NoticeDropped})
		return
	case d.trouble.behind:
		n.behind = append(n.behind, d)
		n.makeWait(d, d.trouble.delay)
	case d.trouble.delay > 0:
		n.makeWait(d, d.trouble.delay)
	default:
		n.makeReady(d)
	}
	n.open++
}

// restore brings back a notice of an earlier life.
func (n *notifier) restore(p post, state NoticeState, attempts []Attempt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := p.delivery(state)
	d.notice.Attempts = attempts
	n.take(d)
	if state == NoticeQueued {
		n.open++
		n.makeReady(d)
	}
}

func (n *notifier) take(d *delivery) {
	n.bySeq[d.notice.Seq] = d
	n.history = append(n.history, d)
	n.bytes += len(d.answer.body) + len(d.answer.xml)
	n.forget()
}

// resend sends a notice once more, whatever became of it.
func (n *notifier) resend(seq int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.bySeq[seq]
	if d == nil {
		return fmt.Errorf("notification %d: %w", seq, ErrNotFound)
	}
	if n.closed {
		return ErrClosed
	}
	n.again(d)
	n.keep(Delivery{Seq: seq, State: NoticeQueued})
	return nil
}

func (n *notifier) again(d *delivery) {
	switch {
	case d.notice.State != NoticeQueued:
		d.notice.State = NoticeQueued
		n.open++
		n.makeReady(d)
	case n.waiting[d]:
		n.makeReady(d)
	}
	d.failures = 0
}

// makeReady puts a delivery that is not being sent in line.
func (n *notifier) makeReady(d *delivery) {
	if n.closed {
		return
	}
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	delete(n.waiting, d)
	n.ready = append(n.ready, d)
	n.wake.Signal()
}

func (n *notifier) makeWait(d *delivery, wait time.Duration) {
	if n.closed {
		return
	}
	d.due = time.Now().Add(wait)
	n.waiting[d] = true
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if d.timer == timer { // else it was hurried or sent by hand meanwhile
			n.makeReady(d)
		}
	})
	d.timer = timer
}

// hurry moves every waiting attempt forward, for a clock that was advanced.
func (n *notifier) hurry(by time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.history { // in order, so that tests see the same order
		if !n.waiting[d] {
			continue
		}
		if wait := time.Until(d.due) - by; wait > 0 {
			d.timer.Stop()
			n.makeWait(d, wait)
		} else {
			n.makeReady(d)
		}
	}
}

// forget drops the oldest settled notices beyond the bounds.
func (n *notifier) forget() {
	for len(n.history) > 1 && (len(n.history) > keptNotices || n.bytes > keptNoticeBytes) {
		d := n.history[0]
		if d.notice.State == NoticeQueued {
			return
		}
		delete(n.bySeq, d.notice.Seq)
		n.bytes -= len(d.answer.body) + len(d.answer.xml)
		n.history[0] = nil
		n.history = n.history[1:]
	}
}

func (n *notifier) work() {
	for d := n.pick(); d != nil; d = n.pick() {
		n.attempt(d)
	}
}

// pick returns the next delivery, or nil when there will be none.
func (n *notifier) pick() *delivery {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.ready) == 0 && !n.closed {
		n.wake.Wait()
	}
	if n.closed {
		return nil
	}
	d := n.ready[0]
	n.ready[0] = nil
	n.ready = n.ready[1:]
	return d
}

func (n *notifier) attempt(d *delivery) {
	sent, genuine := d.answer, true
	if forged := d.trouble.forged; forged != nil {
		// Once: who refuses it is told the truth the next time.
		sent, genuine = forged.sealed, forged.signed
		d.trouble.forged = nil
	}
	n.record(d, sent, genuine)
	started, at := time.Now(), n.now()
	status, err := n.post(n.ctx, d.notice.URL, wire.EncodeForm(sent.fields()...))
	a := Attempt{At: at, Took: time.Since(started), Status: status}
	if err != nil {
		a.Err = cause(err)
	}
	if err != nil && n.ctx.Err() != nil {
		return // cut off by our own end: it stays queued for the next life
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	d.notice.Attempts = append(d.notice.Attempts, a)
	n.letPass(d)
	switch {
	case err == nil && status == http.StatusOK && d.trouble.again:
		d.trouble.again = false
		n.makeReady(d)
	case err == nil && status == http.StatusOK:
		n.settle(d, NoticeDelivered)
	case d.failures < len(n.backoff):
		wait := n.backoff[d.failures]
		d.failures++
		n.makeWait(d, wait)
	default:
		n.settle(d, NoticeAbandoned)
	}
	n.keep(Delivery{Seq: d.notice.Seq, State: d.notice.State, Attempt: &a})
}

// letPass frees the notices that wait until a later one of the same merchant
// has gone.
func (n *notifier) letPass(gone *delivery) {
	n.behind = slices.DeleteFunc(n.behind, func(d *delivery) bool {
		if !n.waiting[d] || d == gone {
			return true // sent meanwhile: it waited long enough, or a person was faster
		}
		if d.notice.Merchant != gone.notice.Merchant || d.notice.Seq > gone.notice.Seq {
			return false
		}
		n.makeReady(d)
		return true
	})
}

func (n *notifier) settle(d *delivery, state NoticeState) {
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

// wait returns when every notice is delivered or abandoned.
func (n *notifier) wait(ctx context.Context) error {
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

// close gives up what is on its way and returns when every worker has stopped.
func (n *notifier) close() {
	n.mu.Lock()
	n.closed = true
	for d := range n.waiting {
		d.timer.Stop()
	}
	n.wake.Broadcast()
	n.mu.Unlock()
	n.cancel()
	n.workers.Wait()
}

func (n *notifier) all() []Notification {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]Notification, len(n.history))
	for i, d := range n.history {
		all[i] = d.notice
		all[i].Attempts = append([]Attempt(nil), d.notice.Attempts...)
	}
	return all
}

// Notifications returns the newest notifications, oldest first.
func (s *Sandbox) Notifications() []Notification { return s.notifier.all() }

// Resend sends a notification once more, at once. It fails with [ErrNotFound]
// if there is no notification of that number.
func (s *Sandbox) Resend(seq int64) error { return s.notifier.resend(seq) }

// WaitDelivered returns when every notification is delivered or abandoned, or
// with an error when ctx ends first.
func (s *Sandbox) WaitDelivered(ctx context.Context) error { return s.notifier.wait(ctx) }

// absoluteURL says whether address is one that a browser or the sandbox can be
// sent to.
func absoluteURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}
