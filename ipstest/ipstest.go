// Package ipstest runs a sandbox of IPS inside Go tests, in the manner of
// net/http/httptest: no network, no set-up, a fresh platform for every test.
//
//	func TestInvest(t *testing.T) {
//		ipsrv := ipstest.NewServer(t)
//		investor := ipsrv.Person(500 * ips.Yuan)
//		…
//	}
//
// The sandbox keeps real double-entry books; when the test ends they are
// checked, and the test fails if they are not right.
package ipstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// patience bounds every wait. It only passes when something is wrong.
const patience = 20 * time.Second

// Server is a sandbox for one test, with the vendor's published test merchant,
// a client for it, and an inbox that receives what IPS sends to the merchant.
// Its methods fail the test when they cannot do what they say, so call them
// from the test's own goroutine, as [testing.TB.FailNow] demands.
type Server struct {
	// URL is the sandbox's base URL, for clients in other languages or
	// [ips.EnvironmentAt].
	URL string

	tb      testing.TB
	cfg     ips.Config
	client  *ips.Client
	sandbox *sandbox.Sandbox
	browser *browser.Browser
	inbox   *httptest.Server
	handler http.Handler // the test's own, behind the inbox; may be nil

	people atomic.Int64
	orders atomic.Int64

	mu      sync.Mutex
	arrived []ips.Response
	changed chan struct{} // closed and replaced at each arrival
}

// Option changes how [NewServer] sets the sandbox up.
type Option func(*options)

type options struct {
	cfg     sandbox.Config
	rsa     bool
	handler http.Handler
}

// Manual makes people confirm and answer texts only when the test says so; see
// [Server.Confirm], [Server.Cancel] and [Server.ReplySMS]. By default everybody
// agrees to everything at once.
func Manual() Option { return func(o *options) { o.cfg.Manual = true } }

// IPSFee sets what IPS itself charges for each recharge and withdrawal; 0.00 by
// default.
func IPSFee(fee ips.Amount) Option { return func(o *options) { o.cfg.IPSFee = int64(fee) } }

// MD5withRSA makes the sandbox sign its answers in MD5withRSA mode, with a key
// of its own that [Server.Config] knows.
func MD5withRSA() Option { return func(o *options) { o.rsa = true } }

// Handler passes web returns and notifications on to the handler under test,
// with the paths /return/OPERATION and /notify/OPERATION. IPS sees its answers
// and repeats what it does not answer with 200.
func Handler(h http.Handler) Option { return func(o *options) { o.handler = h } }

// Clock sets the clock that the sandbox starts from; by default the machine's.
func Clock(now func() time.Time) Option { return func(o *options) { o.cfg.Now = now } }

// NewServer starts a sandbox on the loopback interface and stops it when the
// test ends, after checking its books.
func NewServer(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	var o options
	// A test must not wait long for a repetition that it provoked.
	o.cfg.Backoff = slices.Repeat([]time.Duration{50 * time.Millisecond}, 40)
	for _, opt := range opts {
		opt(&o)
	}
	merchant := sandbox.TestMerchant()
	cfg := ips.TestMerchant()
	if o.rsa {
		key, err := rsa.GenerateKey(rand.Reader, 1024) // the platform's key length
		must(tb, err)
		merchant.RSA, cfg.PublicKey = key, &key.PublicKey
	}
	o.cfg.Merchants = []sandbox.Merchant{merchant}
	box, err := sandbox.New(o.cfg)
	must(tb, err)
	s := &Server{tb: tb, sandbox: box, browser: browser.New(nil), handler: o.handler, changed: make(chan struct{})}
	s.inbox = httptest.NewServer(http.HandlerFunc(s.receive))
	tb.Cleanup(s.close)
	s.URL, err = box.Start("")
	must(tb, err)
	cfg.Environment = ips.EnvironmentAt(s.URL)
	cfg.ReturnURL, cfg.NotifyURL = s.inbox.URL+"/return", s.inbox.URL+"/notify"
	s.cfg = cfg
	s.client, err = ips.NewClient(cfg)
	must(tb, err)
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("ipstest: %v", err)
	}
}

func (s *Server) close() {
	if err := s.sandbox.CheckBooks(); err != nil {
		s.tb.Errorf("ipstest: the books are not right: %v", err)
	}
	if err := s.sandbox.Close(); err != nil {
		s.tb.Errorf("ipstest: %v", err)
	}
	s.browser.Close()
	s.inbox.Close()
}

// Config is the configuration of the sandbox's merchant, with the inbox's URLs.
// Change what the test needs and give it to [ips.NewClient].
func (s *Server) Config() ips.Config { return s.cfg }

// Client is a client for the sandbox's merchant.
func (s *Server) Client() *ips.Client { return s.client }

// NewOrderNo makes an order number that is unique in this test.
func (s *Server) NewOrderNo() string { return fmt.Sprintf("T%08d", s.orders.Add(1)) }

// receive is the merchant's door: it notes what arrives and verifies, and lets
// the handler under test answer if there is one.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusBadRequest)
		return
	}
	direction, op, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	parse := s.client.ParseNotification
	if direction == "return" {
		parse = s.client.ParseReturn
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := parse(again, ips.Operation(op))
	if s.handler != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.handler.ServeHTTP(w, r)
	} else if err != nil {
		http.Error(w, "refused", http.StatusBadRequest)
	}
	if err == nil {
		s.note(resp)
	}
}

func (s *Server) note(resp ips.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived = append(s.arrived, resp)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Arrived lists the answers that came to the inbox and verified, in the order
// of their arrival, copies included.
func (s *Server) Arrived() []ips.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrived)
}

// WaitNotification waits for the final server-to-server notification of an
// order, one that is not pending, and returns it. It fails the test if none
// comes.
func (s *Server) WaitNotification(orderNo string) ips.Response {
	s.tb.Helper()
	return s.wait(0, fmt.Sprintf("the notification of order %s", orderNo), func(r *ips.Reply) bool {
		return r.Via == ips.ServerToServer && r.OrderNo == orderNo && r.Outcome != ips.Pending
	})
}

// wait returns the first answer that matches, of those behind the first skip.
func (s *Server) wait(skip int, what string, match func(*ips.Reply) bool) ips.Response {
	s.tb.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		changed := s.changed
		var found ips.Response
		if i := slices.IndexFunc(s.arrived[skip:], func(r ips.Response) bool { return match(r.Base()) }); i >= 0 {
			found = s.arrived[skip+i]
		}
		s.mu.Unlock()
		if found != nil {
			return found
		}
		select {
		case <-changed:
		case <-deadline:
			s.tb.Fatalf("ipstest: %s did not come", what)
		}
	}
}

// WaitIdle waits until every notification was delivered or given up.
func (s *Server) WaitIdle() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must(s.tb, s.sandbox.WaitDelivered(ctx))
}

// Carry does what the user's browser does with a form: it brings it to IPS and
// the answer back to the merchant, and returns that answer. Its Outcome may be
// a refusal. In [Manual] mode use [Server.Confirm].
func (s *Server) Carry(form *ips.Form) ips.Response {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	before := len(s.Arrived())
	page, err := s.browser.Carry(ctx, form)
	// A refusal by the handler under test is the test's business.
	if err != nil && (page == nil || !strings.HasPrefix(page.URL.String(), s.inbox.URL)) {
		s.tb.Fatalf("ipstest: %s: the browser got no further: %v", form.Operation(), err)
	}
	return s.wait(before, fmt.Sprintf("a web return of %s", form.Operation()), func(r *ips.Reply) bool {
		return r.Via == ips.WebReturn && r.Operation == form.Operation() && (r.OrderNo == form.OrderNo() || r.OrderNo == "")
	})
}

// Deposit pays money from outside into the merchant's own account, which an
// organisation that guarantees needs.
func (s *Server) Deposit(amount ips.Amount) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Deposit(s.cfg.MerchantCode, s.cfg.MerchantCode, int64(amount)))
}

// Mandate signs or withdraws a person's withholding mandate (委托授权书). By
// default opening an account signs one.
func (s *Server) Mandate(account string, signed bool) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Mandate(s.cfg.MerchantCode, account, signed))
}

// Advance moves the sandbox's clock forward; what was due happens.
func (s *Server) Advance(by time.Duration) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Advance(by))
}

// Now is the time by the sandbox's clock.
func (s *Server) Now() time.Time { return s.sandbox.Now() }

// Today is the day in China by the sandbox's clock.
func (s *Server) Today() ips.Date { return ips.DateOf(s.sandbox.Now()) }

// Balance is what an account has by the sandbox's books, without asking over
// the wire. The merchant's own account goes by its merchant code.
func (s *Server) Balance(account string) (available, frozen ips.Amount) {
	s.tb.Helper()
	b, ok := s.sandbox.Balance(s.cfg.MerchantCode, account)
	if !ok {
		s.tb.Fatalf("ipstest: no account %q", account)
	}
	return ips.Amount(b.Available), ips.Amount(b.Frozen)
}

// AssertBalance fails the test, and lets it go on, if an account does not have
// exactly these amounts.
func (s *Server) AssertBalance(account string, available, frozen ips.Amount) {
	s.tb.Helper()
	a, f := s.Balance(account)
	if a != available || f != frozen {
		s.tb.Errorf("ipstest: account %s has %s available and %s frozen, want %s and %s", account, a, f, available, frozen)
	}
}

// AssertBooks fails the test, and lets it go on, if an invariant of the
// sandbox's books is broken.
func (s *Server) AssertBooks() {
	s.tb.Helper()
	if err := s.sandbox.CheckBooks(); err != nil {
		s.tb.Errorf("ipstest: the books are not right: %v", err)
	}
}

// RefuseNext makes the sandbox refuse the next call of an operation with the
// given code, and do nothing.
func (s *Server) RefuseNext(op ips.Operation, code ips.Code, text string) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "code", Code: string(code), Text: text})
}

// FailRow makes row n, counted from 1, of the next batch of an operation fail.
func (s *Server) FailRow(op ips.Operation, n int) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "row", Row: n})
}

// HoldNext keeps the final answer of the next call of an operation back until
// [Server.Release].
func (s *Server) HoldNext(op ips.Operation) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "stay-pending"})
}

// Release sends the answers that [Server.HoldNext] kept back.
func (s *Server) Release(op ips.Operation) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "stay-pending", Lift: true})
}

func (s *Server) fault(op ips.Operation, f engine.Fault) {
	s.tb.Helper()
	info, ok := op.Info()
	if !ok {
		s.tb.Fatalf("ipstest: no operation %q", op)
	}
	f.Op = strings.TrimSuffix(info.Endpoint, ".aspx")
	must(s.tb, s.sandbox.Fault(s.cfg.MerchantCode, f))
}
