package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// keptDelivered is how many delivered notices come back after a restart, so
// that people can look at them and send them again.
const keptDelivered = 1000

// Tally is what records lead to beside the state of the engine.
type Tally struct {
	Settings map[string]engine.Settings // as last configured
	Offset   time.Duration              // by which the clock was moved forward
	Noticed  map[int64]*Notice
	Done     []int64 // delivered, in the order of delivery
	Records  int     // so far
	saved    int     // of them, those that the saved state holds
}

// Notice is a notice and what became of it before the restart.
type Notice struct {
	engine.Notice
	State    notifier.State
	Attempts []notifier.Attempt
}

func newTally() *Tally {
	return &Tally{Settings: make(map[string]engine.Settings), Noticed: make(map[int64]*Notice)}
}

// outgrown says whether so many records have come since the state was saved
// that saving it again is worth the while: a tenth of all, and so many at least.
func (t *Tally) outgrown(least int) bool {
	return t.Records-t.saved >= max(least, t.saved/10)
}

// manyRecords are so many that a start had better save what it has worked
// through: the next one may come as soon.
const manyRecords = 20_000

// Replay reads the store and has everything happen again that came after the
// saved state. It fails where something is decided otherwise than it had been.
func (j *Journal) Replay(e *engine.Engine) (*Tally, error) {
	j.engine, j.tally = e, newTally()
	if j.store == nil {
		return j.tally, nil
	}
	err := j.store.Load(j.load, func(record Record) error {
		if err := j.tally.happen(e, &record); err != nil {
			return fmt.Errorf("record %d: %w", j.tally.Records+1, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what the store has kept: %w", err)
	}
	if err := e.CheckBooks(); err != nil {
		return nil, fmt.Errorf("the books that the store has kept: %w", err)
	}
	return j.tally, nil
}

// Spare saves the state if so much had to be gone through that the next start
// should be spared it. Call it before Start.
func (j *Journal) Spare() error {
	if j.store == nil {
		return nil
	}
	return j.save(manyRecords)
}

// savedHead is in the first line of a saved state.
type savedHead struct {
	Schema string // of the engine
	Tally  *Tally
}

// save saves the state, if it has outgrown the one that is saved. Nobody may
// change anything meanwhile.
func (j *Journal) save(least int) error {
	if !j.tally.outgrown(least) {
		return nil
	}
	err := j.store.Save(func(w io.Writer) error {
		if err := json.NewEncoder(w).Encode(savedHead{j.engine.Schema(), j.tally}); err != nil {
			return err
		}
		return j.engine.Save(w)
	})
	if err != nil {
		return fmt.Errorf("the state was not saved; nothing is lost, and the next start goes through the journal: %w", err)
	}
	j.tally.saved = j.tally.Records
	return nil
}

func (j *Journal) load(r io.Reader, size int64) error {
	lines := bufio.NewReader(r)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	head := savedHead{Tally: newTally()}
	if err := json.Unmarshal(line, &head); err != nil {
		return errors.New("its first line cannot be read") // without its text: it holds ids
	}
	if head.Schema != j.engine.Schema() {
		return errors.New("it was saved by another version")
	}
	if err := j.engine.Load(lines, size-int64(len(line))); err != nil {
		return err
	}
	j.tally = head.Tally
	j.tally.saved = j.tally.Records
	return nil
}

// happen lets a record happen once more.
func (t *Tally) happen(e *engine.Engine, record *Record) error {
	var notices []engine.Notice
	switch {
	case record.Command != nil:
		out, err := e.Apply(*record.Command)
		if err != nil {
			return err
		}
		if out.Decision != record.Decision {
			return errors.New("it is decided otherwise than it was: the record is damaged, or was written under other rules")
		}
		notices = out.Notices
	case record.Advance <= 0 && record.Delivery == nil:
		return errors.New("it says nothing that this version understands")
	}
	t.take(record, notices)
	return nil
}

// take notes what is kept beside the engine's state.
func (t *Tally) take(record *Record, notices []engine.Notice) {
	t.Records++
	t.Offset += record.Advance
	if d := record.Delivery; d != nil {
		t.deliver(d)
	}
	cmd := record.Command
	if cmd == nil {
		return
	}
	if set := cmd.Settings; set != nil {
		t.Settings[set.Merchant] = *set
	}
	if cmd.Kind == engine.KindReset {
		maps.DeleteFunc(t.Noticed, func(_ int64, n *Notice) bool { return n.State != notifier.Queued })
	}
	for _, notice := range notices {
		t.Noticed[notice.Seq] = &Notice{Notice: notice, State: notifier.Queued}
	}
}

// deliver notes what became of a notice. Those that were delivered long ago
// are forgotten on the way, so that old ones need no memory.
func (t *Tally) deliver(d *notifier.Change) {
	notice := t.Noticed[d.Seq]
	if notice == nil {
		return // forgotten already, and sent once more by hand
	}
	notice.State = d.State
	if d.Attempt != nil {
		notice.Attempts = append(notice.Attempts, *d.Attempt)
	}
	if d.State == notifier.Queued {
		return
	}
	t.Done = append(t.Done, d.Seq)
	for len(t.Done) > keptDelivered {
		if old := t.Noticed[t.Done[0]]; old != nil && old.State != notifier.Queued && old.State != notifier.Abandoned {
			delete(t.Noticed, t.Done[0])
		}
		t.Done = t.Done[1:]
	}
}

// Notices are those that are remembered, in the order of their numbers.
func (t *Tally) Notices() []*Notice {
	var list []*Notice
	for _, seq := range slices.Sorted(maps.Keys(t.Noticed)) {
		list = append(list, t.Noticed[seq])
	}
	return list
}
