package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// keptDelivered is how many delivered notices come back after a restart, so
// that people can look at them and send them again.
const keptDelivered = 1000

// Replay is what a store has kept beside the state of the engine.
type Replay struct {
	Settings map[string]engine.Settings // as last configured
	Offset   time.Duration              // by which the clock was moved forward

	notices map[int64]*Notice
	done    []int64 // delivered, in the order of delivery
}

// Notice is a notice and what became of it before the restart.
type Notice struct {
	engine.Notice
	State    notifier.State
	Attempts []notifier.Attempt
}

// Replay reads the store and has everything happen again. It fails where
// something is decided otherwise than it had been.
func (j *Journal) Replay(e *engine.Engine) (*Replay, error) {
	r := &Replay{Settings: make(map[string]engine.Settings), notices: make(map[int64]*Notice)}
	if j.store == nil {
		return r, nil
	}
	n := 0
	err := j.store.Load(func(record Record) error {
		n++
		if err := r.happen(e, record); err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what the store has kept: %w", err)
	}
	if err := e.CheckBooks(); err != nil {
		return nil, fmt.Errorf("the books that the store has kept: %w", err)
	}
	return r, nil
}

func (r *Replay) happen(e *engine.Engine, record Record) error {
	switch {
	case record.Command != nil:
		out, err := e.Apply(*record.Command)
		if err != nil {
			return err
		}
		if out.Decision != record.Decision {
			return errors.New("it is decided otherwise than it was: the record is damaged, or was written under other rules")
		}
		if set := record.Command.Settings; set != nil {
			r.Settings[set.Merchant] = *set
		}
		if record.Command.Kind == engine.KindReset {
			maps.DeleteFunc(r.notices, func(_ int64, n *Notice) bool { return n.State != notifier.Queued })
		}
		for _, notice := range out.Notices {
			r.notices[notice.Seq] = &Notice{Notice: notice, State: notifier.Queued}
		}
	case record.Advance > 0:
		r.Offset += record.Advance
	case record.Delivery != nil:
		r.deliver(record.Delivery)
	default:
		return errors.New("it says nothing that this version understands")
	}
	return nil
}

// deliver notes what became of a notice. Those that were delivered long ago
// are forgotten on the way, so that old ones need no memory.
func (r *Replay) deliver(d *notifier.Change) {
	notice := r.notices[d.Seq]
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
	r.done = append(r.done, d.Seq)
	for len(r.done) > keptDelivered {
		if old := r.notices[r.done[0]]; old != nil && old.State != notifier.Queued && old.State != notifier.Abandoned {
			delete(r.notices, r.done[0])
		}
		r.done = r.done[1:]
	}
}

// Notices are those that are remembered, in the order of their numbers.
func (r *Replay) Notices() []*Notice {
	var list []*Notice
	for _, seq := range slices.Sorted(maps.Keys(r.notices)) {
		list = append(list, r.notices[seq])
	}
	return list
}
