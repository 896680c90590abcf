package ips

import (
	"context"
	"sync"
)

// AnswerKey identifies what an answer says. Copies of one answer, by whichever
// way, have the same key; a pending answer and the final one of the same order
// have different keys. Automatic bids and repayments count as manual ones,
// because their answers look the same.
type AnswerKey struct {
	MerchantCode string    // pMerCode
	Operation    Operation // what was asked; a manual one for its automatic sibling
	OrderNo      string    // pMerBillNo
	Code         Code      // pErrCode
}

// String gives a compact form, fit for a unique column of a database.
func (k AnswerKey) String() string {
	return k.MerchantCode + "/" + string(k.Operation) + "/" + k.OrderNo + "/" + string(k.Code)
}

// Once is where the merchant's database decides whether an answer is heard for
// the first time. Duplicates are the normal case: the web return and the
// notification say the same, and IPS repeats itself.
//
// Do runs fn unless it has run before without an error for this key, and
// remembers the key if and only if fn returns nil. Do it in one transaction:
// insert the key into a table where it is unique, hand the transaction to fn in
// the context, commit if fn succeeded. Do returns fn's error, and nil for a
// duplicate. A callback that finds an answer wrong, such as another amount than
// its order has, must return an error, so that the right one is not taken for a
// copy.
type Once interface {
	Do(ctx context.Context, key AnswerKey, fn func(context.Context) error) error
}

// orderedBy is the operation under whose name an answer is remembered. Nothing
// in an answer says whether the order was manual or automatic, so both are one:
// a copy that comes to the other's URL is still a copy.
func orderedBy(op Operation) Operation {
	switch op {
	case OpAutoBid:
		return OpRegisterCreditor
	case OpAutoRepay:
		return OpRepay
	default:
		return op
	}
}

// MemoryOnce is a [Once] for tests and examples: it forgets everything when the
// program ends and never shrinks. The zero value is ready for use.
type MemoryOnce struct {
	mu   sync.Mutex
	keys map[AnswerKey]*attempt
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

// Do implements [Once]. A copy that arrives while another is being handled
// waits for its end.
func (o *MemoryOnce) Do(ctx context.Context, key AnswerKey, fn func(context.Context) error) error {
	for {
		mine := &attempt{done: make(chan struct{})}
		o.mu.Lock()
		if o.keys == nil {
			o.keys = make(map[AnswerKey]*attempt)
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

func (o *MemoryOnce) run(ctx context.Context, key AnswerKey, mine *attempt, fn func(context.Context) error) error {
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
