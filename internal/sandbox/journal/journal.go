// Package journal writes down what happens, many records at a time, so that a
// sandbox can be built again from them.
package journal

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// ErrStore says that the store could not keep something. What it was about has
// an unknown fate: it is tried again until the store takes it, and it is as if
// it had never been if the sandbox ends before. Nothing new is taken meanwhile.
var ErrStore = engine.Wrong("the store failed", "数据无法保存，沙箱暂不受理")

// Store keeps what happens, so that a sandbox can be built again from it. It
// need not understand what it keeps; it returns records as they came and in the
// order in which they came. One goroutine at a time uses it.
type Store interface {
	// Load hands over the state that was saved last, if there is one and it is
	// taken, and every record that came after it, oldest first, until one is
	// refused. Without a state it hands over all records.
	Load(state func(r io.Reader, size int64) error, each func(Record) error) error
	// Append keeps the records, all or none of them. It returns when they
	// would survive the loss of power, or with an error; then the same records
	// may come again, and others behind them.
	Append(records ...Record) error
	// Save keeps a state to which all records so far have led.
	Save(state func(w io.Writer) error) error
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

const (
	// lazily is how long a record that nobody waits for may lie before it is
	// kept. Losing one repeats a notification, which merchants must stand
	// anyway.
	lazily = 50 * time.Millisecond
	// patience is how long a store that failed is left alone.
	patience = time.Second
)

// Journal writes records to a store, many at a time: while one batch is on its
// way to the disk, the next one gathers. So all who wait share its fsync, and
// nobody holds a lock meanwhile. Without a store, it keeps nothing.
type Journal struct {
	store  Store // may be nil
	engine *engine.Engine

	mu      sync.Mutex
	next    *Batch // gathers
	latest  *Batch // the last one in which a command is
	failure error  // until the store takes what it refused
	tally   *Tally
	started bool
	closed  bool

	refused Batch // what the store has refused so far, and is tried again

	wake chan struct{}
	done sync.WaitGroup
}

// Batch are records that are kept together.
type Batch struct {
	records []Record
	then    []func()
	kept    chan struct{} // closed when they are, or were refused
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

// Add puts a record in line, and the notices that it caused; then is called when
// it is kept, one at a time and in order. The caller must not tell anybody what
// happened before Wait has returned.
func (j *Journal) Add(r Record, notices []engine.Notice, then func()) *Batch {
	if j.store == nil {
		if then != nil {
			then()
		}
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.latest = j.put(r, notices, then)
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
	j.put(r, nil, nil)
}

func (j *Journal) put(r Record, notices []engine.Notice, then func()) *Batch {
	j.tally.take(&r, notices)
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

// Latest is the batch in which the last command is, nil if there is none.
func (j *Journal) Latest() *Batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.latest
}

// Settle returns when the latest batch is kept, and all before it. Whoever tells
// a stranger what he has seen calls it first, or tells of things that a crash
// makes unhappen.
func (j *Journal) Settle(b *Batch) error {
	if b == nil {
		return nil
	}
	j.hurry()
	<-b.kept
	return j.Err() // what was refused may have been kept since
}

func (j *Journal) hurry() {
	select {
	case j.wake <- struct{}{}:
	default: // it is awake and will look once more
	}
}

// Err says whether there is something that the store refuses to keep.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

func (j *Journal) write() {
	for {
		<-j.wake
		for range 4 { // whoever is about to put something in line comes along
			runtime.Gosched()
		}
		j.mu.Lock()
		b, closed := j.next, j.closed
		j.next = newBatch()
		j.mu.Unlock()
		j.keep(b)
		if closed {
			return
		}
	}
}

// keep writes what was refused before, and the batch behind it.
func (j *Journal) keep(b *Batch) {
	defer close(b.kept)
	all := &j.refused
	all.records = append(all.records, b.records...)
	all.then = append(all.then, b.then...)
	if len(all.records) == 0 {
		return
	}
	if err := j.store.Append(all.records...); err != nil {
		b.err = fmt.Errorf("sandbox: %w: %w", ErrStore, err)
		time.AfterFunc(patience, j.hurry)
	}
	j.mu.Lock()
	j.failure = b.err
	j.mu.Unlock()
	if b.err != nil {
		return
	}
	then := all.then
	clear(all.records)
	all.records, all.then = all.records[:0], nil
	for _, f := range then {
		f()
	}
}

// Close keeps what is in line, saves the state if many records have come since
// it was saved last, and closes the store. Nothing may be added any more.
func (j *Journal) Close() error {
	if j.store == nil {
		return nil
	}
	var err error
	if j.started {
		j.mu.Lock()
		j.closed = true
		j.mu.Unlock()
		j.hurry()
		j.done.Wait()
		if err = j.Err(); err == nil {
			err = j.save(1)
		}
	}
	return errors.Join(err, j.store.Close())
}
