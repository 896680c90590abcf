// Package journal writes down what happens, many records at a time, so that a
// sandbox can be built again from them.
package journal

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// ErrStore says that the store could not keep something. The sandbox answers
// nothing any more: what it knows and what a restart would know have parted.
var ErrStore = engine.Wrong("the store failed", "数据无法保存，沙箱不再受理")

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

// Record is one thing that happened: one of Command, Advance and Delivery is
// set. It survives JSON. Records hold what merchants sent and what people
// typed, ids and sandbox passwords included; keep them from other people's
// eyes.
type Record struct {
	Command *engine.Command `json:",omitempty"`
	// Decision is the fingerprint of what the command led to. Who has it
	// happen again compares.
	Decision string           `json:",omitempty"`
	Advance  time.Duration    `json:",omitempty"` // the clock was moved forward
	Delivery *notifier.Change `json:",omitempty"` // what became of a notice
}

// lazily is how long a record that nobody waits for may lie before it is
// kept. Losing one repeats a notification, which merchants must stand anyway.
const lazily = 50 * time.Millisecond

// Journal writes records to a store, many at a time: while one batch is on its
// way to the disk, the next one gathers. So all who wait share its fsync, and
// nobody holds a lock meanwhile. Without a store, it keeps nothing.
type Journal struct {
	store Store // may be nil

	mu      sync.Mutex
	next    *Batch // gathers
	latest  *Batch // the last one in which a command is
	failure error  // sticks
	started bool
	closed  bool

	wake chan struct{}
	done sync.WaitGroup
}

// Batch are records that are kept together.
type Batch struct {
	records []Record
	then    []func()
	kept    chan struct{} // closed when they are, or never will be
	err     error         // before kept is closed, nobody reads it
}

func newBatch() *Batch { return &Batch{kept: make(chan struct{})} }

// New returns a journal for a store, which may be nil.
func New(store Store) *Journal {
	return &Journal{store: store, next: newBatch(), wake: make(chan struct{}, 1)}
}

// Kept says whether anything is kept at all.
func (j *Journal) Kept() bool { return j.store != nil }

// Start begins writing. Until then, records gather.
func (j *Journal) Start() {
	if j.store == nil {
		return
	}
	j.started = true
	j.done.Go(j.write)
}

// Add puts a record in line; then is called when it is kept, one at a time and
// in order. The caller must not tell anybody what happened before Wait has
// returned.
func (j *Journal) Add(r Record, then func()) *Batch {
	if j.store == nil {
		if then != nil {
			then()
		}
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.latest = j.put(r, then)
	return j.latest
}

// AddLazily puts a record in line that nobody waits for.
func (j *Journal) AddLazily(r Record) {
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

func (j *Journal) put(r Record, then func()) *Batch {
	b := j.next
	b.records = append(b.records, r)
	if then != nil {
		b.then = append(b.then, then)
	}
	return b
}

// Wait returns when the batch is kept, or with the reason why it is not.
func (j *Journal) Wait(b *Batch) error {
	if b == nil {
		return nil
	}
	j.hurry()
	<-b.kept
	return b.err
}

// Settled returns when all that has happened so far is kept. Whoever tells a
// stranger what he has seen calls it first, or tells of things that a crash
// makes unhappen.
func (j *Journal) Settled() error {
	j.mu.Lock()
	b := j.latest
	j.mu.Unlock()
	return j.Wait(b)
}

func (j *Journal) hurry() {
	select {
	case j.wake <- struct{}{}:
	default: // it is awake and will look once more
	}
}

// Err says whether the store has failed.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

func (j *Journal) write() {
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

func (j *Journal) keep(b *Batch, failure error) {
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

// Close keeps what is in line and closes the store. Nothing may be added any
// more.
func (j *Journal) Close() error {
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
	return errors.Join(j.Err(), j.store.Close())
}
