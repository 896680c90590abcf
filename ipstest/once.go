package ipstest

import (
	"context"
	"sync"

	"github.com/ips-p2p/ips"
)

// MemoryOnce is an [ips.Once] for tests and examples: it forgets everything when the
// program ends and never shrinks. The zero value is ready for use.
type MemoryOnce struct {
	mu   sync.Mutex
	keys map[ips.AnswerKey]*attempt
}

// attempt is one run of a callback; handled is valid once done is closed.
type attempt struct {
	done    chan struct{}
	handled bool
}

// wait waits for the end of the run, but no longer than ctx. What has ended
// needs no ctx.
func (a *attempt) wait(ctx context.Context) error {
	select {
	case <-a.done:
		return nil
	default:
	}
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do implements [ips.Once]. A copy that arrives while another is being handled
// waits for its end.
func (o *MemoryOnce) Do(ctx context.Context, key ips.AnswerKey, fn func(context.Context) error) error {
	for {
		mine := &attempt{done: make(chan struct{})}
		o.mu.Lock()
		if o.keys == nil {
			o.keys = make(map[ips.AnswerKey]*attempt)
		}
		other, taken := o.keys[key]
		if !taken {
			o.keys[key] = mine
		}
		o.mu.Unlock()
		if !taken {
			return o.run(ctx, key, mine, fn)
		}
		if err := other.wait(ctx); err != nil {
			return err
		}
		if other.handled {
			return nil
		}
	}
}

func (o *MemoryOnce) run(ctx context.Context, key ips.AnswerKey, mine *attempt, fn func(context.Context) error) error {
	defer func() { // also if fn panics
		if !mine.handled {
			o.mu.Lock()
			delete(o.keys, key)
			o.mu.Unlock()
		}
		close(mine.done)
	}()
	err := fn(ctx)
	mine.handled = err == nil
	return err
}
