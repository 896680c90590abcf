package ips

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Merchants are the clients of a program that serves many merchants: one each,
// made when it is first needed, all on one transport. Its handlers find the
// merchant of an inbound answer by the pMerCode in it, so all of them can share
// one address. It is safe for concurrent use.
//
// The method Client is what package orders asks for.
type Merchants struct {
	load   func(ctx context.Context, code string) (Config, error)
	opts   []Option
	shared options // what opts set

	mu      sync.Mutex
	turn    int // counts the loads
	clients map[string]loaded
}

// loaded is a merchant's client and the turn in which its Config was asked for. Who
// is gone has none, and is remembered until no load of him is under way.
type loaded struct {
	client *Client
	turn   int
	under  int // loads under way
}

// NewMerchants returns Merchants whose configurations load reads, from a database
// or a key server. All clients get the opts; without [WithHTTPClient] they share
// one of their own. It does no I/O.
//
// load says with an error that matches [ErrMerchant] that there is no such
// merchant. It is asked again each time then, by strangers too, who can post any
// six digits: let it answer that fast. Any other error is taken for one that
// passes.
func NewMerchants(load func(ctx context.Context, code string) (Config, error), opts ...Option) (*Merchants, error) {
	if load == nil {
		return nil, errors.New("ips: NewMerchants: nil function")
	}
	m := &Merchants{load: load, clients: map[string]loaded{}}
	m.opts = append([]Option{WithHTTPClient(withoutRedirects(nil))}, opts...)
	var err error
	if m.shared, err = applied(m.opts); err != nil {
		return nil, fmt.Errorf("ips: NewMerchants: %w", err)
	}
	return m, nil
}

// Client gives the merchant's client, and loads his configuration the first time.
// Ask for it at each use: that is how a program comes to new keys. The error
// matches [ErrMerchant] if there is no such merchant.
func (m *Merchants) Client(ctx context.Context, code string) (*Client, error) {
	m.mu.Lock()
	now := m.clients[code]
	m.mu.Unlock()
	if now.client != nil {
		return now.client, nil
	}
	return m.Reload(ctx, code)
}

// Reload loads a merchant's configuration anew, as after IPS issued new keys
// (with the former ones in [Config.Former]), and gives the client that speaks for
// him from now on. What is under way ends with the client that it began with.
// If load fails, everything stays as it was; a merchant of whom it says
// [ErrMerchant] is forgotten.
func (m *Merchants) Reload(ctx context.Context, code string) (*Client, error) {
	if len(code) != 6 { // all else NewClient checks
		return nil, fmt.Errorf("ips: %w: %.12q is no merchant code", ErrMerchant, code)
	}
	m.mu.Lock()
	m.turn++
	turn := m.turn
	m.under(code, 1)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.under(code, -1)
	}()
	cfg, err := m.load(ctx, code)
	var client *Client
	if err == nil && cfg.MerchantCode != code {
		err = fmt.Errorf("the configuration is that of %.12q", cfg.MerchantCode)
	}
	if err == nil {
		client, err = NewClient(cfg, m.opts...)
	}
	if err != nil && !errors.Is(err, ErrMerchant) {
		return nil, fmt.Errorf("ips: merchant %s: %w", code, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clients[code]
	if turn > now.turn { // else a later load has overtaken this one, and knows better
		now.client, now.turn = client, turn
		m.clients[code] = now
	}
	if now.client == nil {
		return nil, fmt.Errorf("ips: %w: %q", ErrMerchant, code)
	}
	return now.client, nil
}

// under counts the loads of a merchant.
func (m *Merchants) under(code string, n int) {
	now := m.clients[code]
	now.under += n
	if m.clients[code] = now; now.client == nil && now.under == 0 {
		delete(m.clients, code)
	}
}

// NotifyHandler is [Client.NotifyHandler] for all merchants. Where load fails, it
// answers 503, so that IPS repeats the notification.
func (m *Merchants) NotifyHandler(in Inbound) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, r, err := m.recipient(r, ServerToServer)
		if err == nil {
			client.NotifyHandler(in).ServeHTTP(w, r)
			return
		}
		in.report(r, err)
		if errors.Is(err, ErrMerchant) || errors.Is(err, ErrMalformed) || errors.Is(err, ErrTooLarge) {
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		http.Error(w, "not handled", http.StatusServiceUnavailable)
	})
}

// ReturnHandler is [Client.ReturnHandler] for all merchants.
func (m *Merchants) ReturnHandler(in Inbound, page func(w http.ResponseWriter, r *http.Request, answer Response, err error)) http.Handler {
	if page == nil {
		panic("ips: ReturnHandler: nil page")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, r, err := m.recipient(r, WebReturn)
		if err != nil {
			in.report(r, err)
			page(w, r, nil, err)
			return
		}
		client.ReturnHandler(in, page).ServeHTTP(w, r)
	})
}

// recipient is the client of the merchant to whom an inbound answer is addressed,
// and the request with its form read. The client verifies it, address included.
func (m *Merchants) recipient(r *http.Request, via Via) (client *Client, read *http.Request, err error) {
	start := time.Now()
	form, _, err := postForm(r, m.shared.maxInbound())
	if codes := form["pMerCode"]; err == nil && len(codes) != 1 {
		err = fmt.Errorf("%w: pMerCode stands there %d times", ErrMalformed, len(codes))
	}
	if err != nil {
		err = fmt.Errorf("ips: inbound: %w", err)
	} else {
		client, err = m.Client(r.Context(), form.Get("pMerCode"))
	}
	if err != nil {
		m.shared.watch.event(r.Context(), Event{Via: via, Start: start, Duration: time.Since(start), Err: err})
		return nil, r, err
	}
	read = r.WithContext(r.Context())
	read.PostForm = form
	return client, read, nil
}
