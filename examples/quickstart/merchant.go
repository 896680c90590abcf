package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/internal/demo"
)

// merchant is the P2P platform's side, as the story needs it.
type merchant struct {
	*ips.Client
	demo     *demo.Merchant // callback server and browser
	out      *printer
	patience time.Duration // with notifications
}

func newMerchant(w *demo.World, patience time.Duration, out *printer, opts ...ips.Option) (*merchant, error) {
	// A platform's handler books what each answer means in its database. To this
	// program all operations are alike: it looks the order up, compares, and waits
	// for each answer.
	m, err := w.NewMerchant(demo.Settings{Patience: patience, OnError: out.refused, Options: opts})
	if err != nil {
		return nil, err
	}
	return &merchant{Client: m.Client, demo: m, out: out, patience: patience}, nil
}

func (m *merchant) close() { m.demo.Close() }

// redirect sends an operation through the user's browser and waits for its
// result: for all methods of the client that return a form.
//
// A merchant's handler would serve the form, form.ServeHTTP(w, r), and be done.
func redirect[R ips.Response, Q ips.Request](ctx context.Context, m *merchant, about string, method func(Q) (*ips.Form, error), req Q) (R, error) {
	var none R
	form, err := method(demo.Recorded(m.demo.Orders, req))
	if err != nil {
		return none, err
	}
	first, err := m.demo.Carry(ctx, form)
	if err != nil {
		return none, err
	}
	return finish[R](ctx, m, about, first)
}

// call sends an operation from the merchant's server and waits for its result:
// for all methods of the client that take a context.
func call[R ips.Response, Q ips.Request](ctx context.Context, m *merchant, about string, method func(context.Context, Q) (R, error), req Q) (R, error) {
	first, err := method(ctx, demo.Recorded(m.demo.Orders, req))
	if refusal := (*ips.Error)(nil); err != nil && !errors.As(err, &refusal) {
		return first, err
	}
	return finish[R](ctx, m, about, first)
}

// finish waits until an order that is pending is decided, and prints how it
// went. A refusal is the error; the response comes with it.
func finish[R ips.Response](ctx context.Context, m *merchant, about string, first ips.Response) (R, error) {
	var none R
	final := first
	if first.Base().Outcome == ips.Pending {
		var err error
		if final, err = m.demo.Final(ctx, first.Base().Operation, first.Base().OrderNo); err != nil {
			return none, err
		}
	}
	m.out.step(about, first, final)
	resp, ok := final.(R)
	if !ok {
		return none, fmt.Errorf("%s: got a %T", first.Base().Operation, final)
	}
	return resp, errors.Join(final.Err(), demo.FailedRows(final))
}
