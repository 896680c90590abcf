package demo

import (
	"fmt"
	"sync"

	"github.com/ips-p2p/ips"
)

// Orders is a platform's table of orders, kept in memory: what was asked, and how
// far each has come. The zero value is ready for use.
type Orders struct {
	mu   sync.Mutex
	rows map[orderKey]*order
}

type order struct {
	request ips.Request
	state   ips.OrderState
}

// Recorded keeps a request before it is sent, and returns it. A platform does it
// on disk; a request that is sent again stays as it is.
func Recorded[Q ips.Request](o *Orders, req Q) Q {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rows == nil {
		o.rows = make(map[orderKey]*order)
	}
	key := orderKey{req.Name(), ips.OrderNo(req)}
	if o.rows[key] == nil {
		o.rows[key] = &order{request: req, state: ips.OrderRecorded}
	}
	return req
}

// Hear takes an answer to its order: it looks the order up, compares the answer
// with what was asked, and moves the order on. It reports whether that is news: a
// copy is none, nor is a pending answer that comes after the final one, nor one
// that does not say what became of the order. A platform does this in the
// transaction that also carries out what the answer means.
func (o *Orders) Hear(answer ips.Response) (news bool, err error) {
	a := answer.Base()
	if a.Outcome == ips.Undecided {
		return false, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	order := o.rows[orderKey{a.Operation, a.OrderNo}]
	if order == nil {
		return false, fmt.Errorf("%s %s: no such order", a.Operation, a.OrderNo)
	}
	if a.Outcome == ips.Success && !signed(a.Operation) && len(ips.Compare(order.request, answer)) > 0 {
		return false, fmt.Errorf("%s %s: not what was ordered", a.Operation, a.OrderNo)
	}
	next, change, err := order.state.Next(a)
	order.state = next
	return change != ips.Unchanged, err
}

// signed reports whether the user may change the amounts on the page of IPS: the
// rules of an auto-bid contract are his.
func signed(op ips.Operation) bool { return op == ips.OpSignAutoBid }
