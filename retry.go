package ips

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often and when a call is repeated whose fate is unknown
// or that could not be sent. Only operations whose description says Repeatable
// are, and always as the very same message, which IPS answers with the first
// result. Forms are the browser's business and never repeated.
type RetryPolicy struct {
	Attempts int           // in all, the first included; at least 2
	Wait     time.Duration // before the first repetition; doubled for each further one
	MaxWait  time.Duration // upper bound of a single wait; 0 means 30 seconds
	Budget   time.Duration // no repetition starts later than this after the first attempt; 0 means no bound
}

// WithRetry repeats calls by the policy. Each wait is drawn at random between
// half and all of its length, so that many clients do not come back at once. It
// ends early when the caller's context does. Without this option nothing is
// ever repeated.
func WithRetry(p RetryPolicy) Option {
	return func(c *Client) error {
		if p.Attempts < 2 || p.Wait <= 0 || p.MaxWait < 0 || p.Budget < 0 {
			return fmt.Errorf("ips: WithRetry: want at least 2 attempts and a wait of more than 0, got %+v", p)
		}
		if p.MaxWait == 0 {
			p.MaxWait = 30 * time.Second
		}
		c.retry = p
		return nil
	}
}

// repeat runs attempt until it is conclusive or the policy ends. Once an
// attempt's fate was unknown, only an answer of IPS can settle it: that a later
// attempt did not get through proves nothing.
func repeat[R any](ctx context.Context, p RetryPolicy, op *OperationInfo, orderNo string, attempt func(n int) (R, error)) (R, error) {
	start := time.Now()
	wait := p.Wait
	unknown := false
	for n := 1; ; n++ {
		resp, err := attempt(n)
		unknown = unknown || errors.Is(err, ErrFateUnknown)
		if err == nil || isRefusal(err) {
			return resp, err
		}
		pause := wait/2 + rand.N(wait/2+1)
		if n >= p.Attempts || !op.Repeatable || !inconclusive(op, err) ||
			p.Budget > 0 && time.Since(start)+pause > p.Budget || !sleep(ctx, pause) {
			if unknown && !errors.Is(err, ErrFateUnknown) {
				err = &FateUnknownError{Operation: op.Operation, OrderNo: orderNo, Err: err}
			}
			return resp, err
		}
		wait = min(2*wait, p.MaxWait)
	}
}

// sleep reports whether the whole time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// inconclusive reports whether asking again can help: nothing was sent, or
// nothing that can be believed came back. A question may always be asked again.
func inconclusive(op *OperationInfo, err error) bool {
	var unsent *unsentError
	return errors.Is(err, ErrFateUnknown) || errors.As(err, &unsent) || op.Transport == QueryService
}
