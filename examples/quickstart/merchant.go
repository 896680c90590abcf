package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
)

// merchant is the P2P platform's side, as the story needs it.
type merchant struct {
	*ips.Client
	world    *world
	out      *printer
	patience time.Duration // with notifications
}

// newMerchant makes the client, and mounts the two handlers that every merchant
// needs.
func newMerchant(w *world, patience time.Duration, out *printer, opts ...ips.Option) (*merchant, error) {
	client, err := ips.NewClient(w.cfg, opts...)
	if err != nil {
		return nil, err
	}
	returns, err1 := url.Parse(w.cfg.ReturnURL)
	notifications, err2 := url.Parse(w.cfg.NotifyURL)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if subtree(returns) == subtree(notifications) {
		return nil, fmt.Errorf("the return URL and the notify URL have the same path, %q: give them different ones", returns.Path)
	}
	inbound := ips.Inbound{Hear: w.answers.hear, OnError: func(_ *http.Request, err error) { out.refused(err) }}
	mux := http.NewServeMux()
	mux.Handle(subtree(returns), client.ReturnHandler(inbound, w.answers.shown))
	mux.Handle(subtree(notifications), client.NotifyHandler(inbound))
	w.site.Handler = mux
	go func() { _ = w.site.Serve(w.listener) }() // ends with world.close
	return &merchant{Client: client, world: w, out: out, patience: patience}, nil
}

// subtree is the path of a handler: the client adds the operation to it.
func subtree(u *url.URL) string { return strings.TrimSuffix(u.Path, "/") + "/" }

// carry is the user's browser: to IPS with a form, and back with its answer, which
// may be a refusal or pending.
func (m *merchant) carry(ctx context.Context, form *ips.Form) (ips.Response, error) {
	if page, err := m.world.browser.Carry(ctx, form); err != nil {
		if page != nil && errors.Is(err, browser.ErrNoReturn) {
			return nil, &pageError{form.Operation(), page.Title()}
		}
		return nil, err
	}
	if resp := m.world.answers.returned(form); resp != nil {
		return resp, nil
	}
	return nil, fmt.Errorf("%s %s: the browser came back, but not to the return URL of this order", form.Operation(), form.OrderNo())
}

// redirect sends an operation through the user's browser and waits for its
// result: for all methods of the client that return a form.
//
// A merchant's handler would serve the form, form.ServeHTTP(w, r), and be done.
func redirect[R ips.Response, Q any](ctx context.Context, m *merchant, about string, method func(Q) (*ips.Form, error), req Q) (R, error) {
	var none R
	form, err := method(req)
	if err != nil {
		return none, err
	}
	first, err := m.carry(ctx, form)
	if err != nil {
		return none, err
	}
	return finish[R](ctx, m, about, first)
}

// call sends an operation from the merchant's server and waits for its result:
// for all methods of the client that take a context.
func call[R ips.Response, Q any](ctx context.Context, m *merchant, about string, method func(context.Context, Q) (R, error), req Q) (R, error) {
	first, err := method(ctx, req)
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
		if final, err = m.world.answers.wait(ctx, orderKey{first.Base().Operation, first.Base().OrderNo}, m.patience); err != nil {
			return none, err
		}
	}
	m.out.step(about, first, final)
	resp, ok := final.(R)
	if !ok {
		return none, fmt.Errorf("%s: got a %T", first.Base().Operation, final)
	}
	return resp, errors.Join(final.Err(), failedRows(final))
}
