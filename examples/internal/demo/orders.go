package demo

import (
	"sync"

	"github.com/ips-p2p/ips"
)

// Orders is a platform's table of orders, kept in memory: how far each has come.
// The zero value is ready for use.
type Orders struct {
	mu     sync.Mutex
	states map[orderKey]ips.OrderState
}

// Advance moves an order on by an answer. It reports whether that is news: a
// pending answer that comes after the final one is not. A platform does this in
// the transaction that also carries out what the answer means.
func (o *Orders) Advance(a *ips.Reply) (news bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := orderKey{a.Operation, a.OrderNo}
	state, known := o.states[key]
	if !known {
		state = ips.OrderRecorded
	}
	next, news, err := state.Next(a.Outcome)
	if err != nil || !news {
		return false, err
	}
	if o.states == nil {
		o.states = make(map[orderKey]ips.OrderState)
	}
	o.states[key] = next
	return true, nil
}
