package ips

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// RetryPolicy says how often and when a call is repeated that certainly was not
// sent ([ErrNotSent]), or a query that got no answer. A call whose fate is
// unknown is never repeated: IPS may carry the repetition out, or refuse it as a
// duplicate, and neither tells what became of the first. Forms are the browser's
// business.
type RetryPolicy struct {
	Attempts int           // in all, the first included; at least 2
	Wait     time.Duration // before the first repetition; doubled for each further one
	MaxWait  time.Duration // upper bound of a single wait, also of one that IPS asks for (Retry-After); 0 means 30 seconds
	Budget   time.Duration // no repetition starts later than this after the first attempt; 0 means no bound

	// Tokens bounds the repetitions of all calls of a client together, so that an
	// outage is not made worse: each takes one out of a bucket of so many, and
	// each call puts a tenth of one back. 0 means 10.
	Tokens int

	// Ask lets the client settle an unknown fate by a trade query, after a wait
	// and as often as Attempts says: where the environment has one, the trade type
	// is certain ([TradeTypeOf]) and nothing spoke of a duplicate. The answer is
	// then that of [Asked].
	Ask bool
}

// retrier is a policy at work. The zero value never repeats.
type retrier struct {
	RetryPolicy
	mu    sync.Mutex
	spent float64 // tokens that are missing from the bucket
}

// begin puts a tenth of a token back.
func (r *retrier) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spent = max(0, r.spent-0.1)
}

// take takes a token, if there is one.
func (r *retrier) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spent > float64(r.Tokens)-1 {
		return false
	}
	r.spent++
	return true
}

// run repeats attempt until it is conclusive or the policy ends. Each wait is
// drawn at random between half and all of its length, so that many clients do
// not come back at once.
func (r *retrier) run(ctx context.Context, question bool, attempt func(n int) (Response, error)) (Response, error) {
	start := time.Now()
	r.begin()
	for n := 1; ; n++ {
		resp, err := attempt(n)
		if err == nil || n >= r.Attempts || isRefusal(err) || !question && !errors.Is(err, ErrNotSent) {
			return resp, err
		}
		pause := r.pause(n, err)
		if r.Budget > 0 && time.Since(start)+pause > r.Budget || !r.take() || !sleep(ctx, pause) {
			return resp, err
		}
	}
}

// pause is how long to wait after attempt n.
func (r *retrier) pause(n int, err error) time.Duration {
	wait := min(r.Wait, r.MaxWait)
	for range n - 1 {
		wait = 2 * min(wait, r.MaxWait/2)
	}
	var status *HTTPError
	if errors.As(err, &status) && status.RetryAfter > wait {
		return min(status.RetryAfter, r.MaxWait)
	}
	return wait/2 + rand.N(wait/2+1)
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
