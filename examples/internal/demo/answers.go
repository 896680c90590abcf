package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
)

// answers is what IPS has said of each order, for those who wait for it.
type answers struct {
	mu      sync.Mutex
	returns map[orderKey]ips.Response
	finals  map[orderKey]chan ips.Response
}

// orderKey is an order. The end of a bid repeats the number of its
// registration, so the number alone is not enough.
type orderKey struct {
	operation ips.Operation
	orderNo   string
}

func newAnswers() *answers {
	return &answers{returns: make(map[orderKey]ips.Response), finals: make(map[orderKey]chan ips.Response)}
}

// around returns the handler with the recording of each answer behind it.
func (a *answers) around(hear ips.Handler) ips.Handler {
	return func(ctx context.Context, resp ips.Response) error {
		if err := hear(ctx, resp); err != nil {
			return err
		}
		return a.record(resp)
	}
}

// record hears of every answer once. One that is no result it leaves alone: that
// is to come.
func (a *answers) record(resp ips.Response) error {
	b := resp.Base()
	if b.Outcome != ips.Success && b.Outcome != ips.Failure {
		return nil
	}
	select {
	case a.final(orderKey{b.Operation, b.OrderNo}) <- resp:
		return nil
	default:
		return fmt.Errorf("a second result of %s %s: %s", b.Operation, b.OrderNo, b.Code)
	}
}

func (a *answers) final(k orderKey) chan ips.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finals[k] == nil {
		a.finals[k] = make(chan ips.Response, 1)
	}
	return a.finals[k]
}

func (a *answers) wait(ctx context.Context, key orderKey, patience time.Duration) (ips.Response, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case resp := <-a.final(key):
		return resp, nil
	case <-timer.C:
		return nil, &SilenceError{key.operation, key.orderNo, patience}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *answers) seen(resp ips.Response) {
	b := resp.Base()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.returns[orderKey{b.Operation, b.OrderNo}] = resp
}

// returned is what the user's browser brought back of an order. A refusal can
// come without an order number, if IPS could not read the request.
func (a *answers) returned(operation ips.Operation, orderNo string) ips.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	if resp := a.returns[orderKey{operation, orderNo}]; resp != nil {
		return resp
	}
	return a.returns[orderKey{operation, ""}]
}
