package sandbox

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// ErrStore says that the store could not keep something. The sandbox answers
// nothing any more: what it knows and what a restart would know have parted.
var ErrStore = errors.New("the store failed")

// Store keeps what happens, so that a sandbox can be built again from it. It
// need not understand the records; it returns them as they came and in the
// order in which they came. One goroutine at a time uses it.
type Store interface {
	// Load hands over every record kept, oldest first, until one is refused.
	Load(each func(Record) error) error
	// Append keeps the records, all or none of them. It returns when they
	// would survive the loss of power, or with an error.
	Append(records ...Record) error
	// Close gives up whatever the store holds.
	Close() error
}

// Record is one thing that happened: exactly one of its fields is set. It
// survives JSON. Records hold what merchants sent and what people typed, ids
// and sandbox passwords included; keep them from other people's eyes.
type Record struct {
	Command  *engine.Command `json:",omitempty"`
	Advance  time.Duration   `json:",omitempty"` // the clock was moved forward
	Delivery *Delivery       `json:",omitempty"`
}

// Delivery is what became of a notice.
type Delivery struct {
	Seq     int64
	State   NoticeState
	Attempt *Attempt `json:",omitempty"` // nil if nothing was posted
}

// lazily is how long a record that nobody waits for may lie before it is
// kept. Losing one repeats a notification, which merchants must stand anyway.
const lazily = 50 * time.Millisecond

// journal writes records to a store, many at a time: while one batch is on its
// way to the disk, the next one gathers. So all who wait share its fsync, and
// nobody holds a lock meanwhile. Without a store, it keeps nothing.
type journal struct {
	store Store // may be nil

	mu      sync.Mutex
	next    *batch // gathers
	latest  *batch // the last one in which a command is
	failure error  // sticks
	started bool
	closed  bool

	wake chan struct{}
	done sync.WaitGroup
}

// batch are records that are kept together.
type batch struct {
	records []Record
	then    []func()
	kept    chan struct{} // closed when they are, or never will be
	err     error         // before kept is closed, nobody reads it
}

func newBatch() *batch { return &batch{kept: make(chan struct{})} }

func newJournal(store Store) *journal {
	return &journal{store: store, next: newBatch(), wake: make(chan struct{}, 1)}
}

// start begins writing. Until then, records gather.
func (j *journal) start() {
	if j.store == nil {
		return
	}
	j.started = true
	j.done.Go(j.write)
}

// add puts a record in line; then is called when it is kept, one at a time and
// in order. The caller must not tell anybody what happened before wait has
// returned.
func (j *journal) add(r Record, then func()) *batch {
	if j.store == nil {
		if then != nil {
			then()
		}
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.put(r, then)
	j.latest = b
	return b
}

// addLazily puts a record in line that nobody waits for.
func (j *journal) addLazily(r Record) {
	if j.store == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.next.records) == 0 {
		time.AfterFunc(lazily, j.hurry)
	}
	j.put(r, nil)
}

func (j *journal) put(r Record, then func()) *batch {
	b := j.next
	b.records = append(b.records, r)
	if then != nil {
		b.then = append(b.then, then)
	}
	return b
}

// wait returns when the batch is kept, or with the reason why it is not.
func (j *journal) wait(b *batch) error {
	if b == nil {
		return nil
	}
	j.hurry()
	<-b.kept
	return b.err
}

// settled returns when all that has happened so far is kept. Whoever tells a
// stranger what he has seen calls it first, or tells of things that a crash
// makes unhappen.
func (j *journal) settled() error {
	if j.store == nil {
		return nil
	}
	j.mu.Lock()
	b := j.latest
	j.mu.Unlock()
	return j.wait(b)
}

func (j *journal) hurry() {
	select {
	case j.wake <- struct{}{}:
	default: // it is awake and will look once more
	}
}

// err says whether the store has failed.
func (j *journal) err() error {
	if j.store == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

func (j *journal) write() {
	for {
		<-j.wake
		j.mu.Lock()
		b, failure, closed := j.next, j.failure, j.closed
		j.next = newBatch()
		j.mu.Unlock()
		j.keep(b, failure)
		if closed {
			return
		}
	}
}

func (j *journal) keep(b *batch, failure error) {
	defer close(b.kept)
	if b.err = failure; failure != nil || len(b.records) == 0 {
		return
	}
	if err := j.store.Append(b.records...); err != nil {
		b.err = fmt.Errorf("sandbox: %w: %w", ErrStore, err)
		j.mu.Lock()
		j.failure = b.err
		j.mu.Unlock()
		return
	}
	for _, then := range b.then {
		then()
	}
}

// close keeps what is in line and closes the store. Nothing may be added any
// more.
func (j *journal) close() error {
	if j.store == nil {
		return nil
	}
	if j.started {
		j.mu.Lock()
		j.closed = true
		j.mu.Unlock()
		j.hurry()
		j.done.Wait()
	}
	return errors.Join(j.err(), j.store.Close())
}

// keptDelivered is how many delivered notices come back after a restart, so
// that people can look at them and send them again.
const keptDelivered = 1000

// replay builds the state again from the store.
type replay struct {
	settings map[string]engine.Settings // as last configured
	notices  map[int64]*restored
	done     []int64 // delivered, in the order of delivery
}

// restored is a notice and what became of it before the restart.
type restored struct {
	notice   engine.Notice
	state    NoticeState
	attempts []Attempt
}

// replay reads the store and has everything happen again.
func (s *Sandbox) replay() (*replay, error) {
	r := &replay{settings: make(map[string]engine.Settings), notices: make(map[int64]*restored)}
	if s.journal.store == nil {
		return r, nil
	}
	n := 0
	err := s.journal.store.Load(func(record Record) error {
		n++
		if err := s.again(r, record); err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what the store has kept: %w", err)
	}
	if err := s.engine.CheckBooks(); err != nil {
		return nil, fmt.Errorf("the books that the store has kept: %w", err)
	}
	// The clock never goes back, be the machine's what it may.
	if now := s.engine.Now(); !now.IsZero() {
		s.clock.last = now.UTC()
	}
	return r, nil
}

func (s *Sandbox) again(r *replay, record Record) error {
	switch {
	case record.Command != nil:
		out, err := s.engine.Apply(*record.Command)
		if err != nil {
			return err
		}
		if set := record.Command.Settings; set != nil {
			r.settings[set.Merchant] = *set
		}
		for _, notice := range out.Notices {
			r.notices[notice.Seq] = &restored{notice: notice, state: NoticeQueued}
		}
	case record.Advance > 0:
		s.clock.offset += record.Advance
	case record.Delivery != nil:
		r.deliver(record.Delivery)
	default:
		return errors.New("it says nothing that this version understands")
	}
	return nil
}

// deliver notes what became of a notice. Those that were delivered long ago
// are forgotten on the way, so that old ones need no memory.
func (r *replay) deliver(d *Delivery) {
	notice := r.notices[d.Seq]
	if notice == nil {
		return // forgotten already, and sent once more by hand
	}
	notice.state = d.State
	if d.Attempt != nil {
		notice.attempts = append(notice.attempts, *d.Attempt)
	}
	if d.State == NoticeQueued {
		return
	}
	r.done = append(r.done, d.Seq)
	for len(r.done) > keptDelivered {
		if old := r.notices[r.done[0]]; old != nil && old.state != NoticeQueued && old.state != NoticeAbandoned {
			delete(r.notices, r.done[0])
		}
		r.done = r.done[1:]
	}
}
