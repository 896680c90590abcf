// Package ipstest runs a sandbox of IPS inside Go tests, in the manner of
// net/http/httptest: no network, no set-up, a fresh platform for every test.
//
//	func TestInvest(t *testing.T) {
//		ipsrv := ipstest.NewServer(t)
//		borrower, investor := ipsrv.Person(0), ipsrv.Person(500*ips.Yuan)
//		bid := ipsrv.Bid(borrower, 300*ips.Yuan)
//		…
//		ipsrv.AssertBalance(investor.Account, 200*ips.Yuan, 300*ips.Yuan)
//	}
//
// A [Server] is a sandbox with one merchant, a client for it, and an inbox that
// receives what IPS sends to that merchant; with [Handler] the inbox is the
// merchant's own program. The test plays the users, orders faults and moves the
// clock:
//
//   - [Server.Person], [Server.Bid], [Server.Invest] and [Server.PayOut] set
//     the stage, over the wire;
//   - [Server.Carry] is a user's browser; in [Manual] mode [Server.Confirm],
//     [Server.Cancel], [Server.PayAtBank], [Server.Leave] and [Server.ReplySMS]
//     are what he does;
//   - [Server.WaitNotification] waits for a result that comes later;
//   - [Server.RefuseNext], [Server.FailRow], [Server.HoldNext] and
//     [Server.BreakNext] order faults, [Server.Resend] repeats a notification,
//     [Server.Advance] lets time pass;
//   - [Server.AssertBalance] and [Server.AssertBooks] look at the money.
//
// The sandbox keeps real double-entry books; when the test ends they are
// checked, and the test fails if they are not right.
package ipstest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox"
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

	*platform
	cfg     ips.Config
	client  *ips.Client
	inbox   *inbox
	orders  atomic.Int64
	another *Server // for the other merchant; nil unless there is one
}

// platform is what the Servers of a test's merchants share.
type platform struct {
	tb      failer
	sandbox *sandbox.Sandbox
	browser *browser.Browser
	ipsFee  ips.Amount
	people  atomic.Int64
	closing sync.Once
	inboxes []*inbox
}

// failer is what a Server needs of a [testing.TB].
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Option changes how [NewServer] sets the sandbox up.
type Option func(*options)

type options struct {
	cfg     sandbox.Config
	rsa     bool
	second  bool
	handler http.Handler
}

// Manual makes people confirm and answer texts only when the test says so; see
// [Server.Confirm], [Server.Cancel], [Server.PayAtBank] and [Server.ReplySMS].
// By default everybody agrees to everything at once. [Server.SetManual] does it
// for one person.
func Manual() Option { return func(o *options) { o.cfg.Manual = true } }

// IPSFee sets what IPS itself charges for each recharge and withdrawal; 0.00 by
// default.
func IPSFee(fee ips.Amount) Option { return func(o *options) { o.cfg.IPSFee = int64(fee) } }

// MD5withRSA makes the sandbox sign its answers in MD5withRSA mode, with a key
// of its own that [Server.Config] knows.
func MD5withRSA() Option { return func(o *options) { o.rsa = true } }

// Handler passes web returns and notifications on to the handler under test,
// with the paths /return/OPERATION and /notify/OPERATION. IPS sees its answers
// and repeats what it does not answer with 200. A handler that needs the client
// can be an [http.ServeMux] that gets its routes after NewServer.
func Handler(h http.Handler) Option { return func(o *options) { o.handler = h } }

// Clock sets the clock that the sandbox starts from; by default the machine's.
// With one that stands still, all that IPS answers is the same in every run.
func Clock(now func() time.Time) Option { return func(o *options) { o.cfg.Now = now } }

// SecondMerchant adds another merchant, 808802, with keys and users of its own:
// see [Server.Second].
func SecondMerchant() Option { return func(o *options) { o.second = true } }

// NewServer starts a sandbox on the loopback interface and stops it when the
// test ends, after checking its books.
func NewServer(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s := start(tb, opts)
	tb.Cleanup(s.Close)
	return s
}

// Start is NewServer for where there is no test, as in testable examples and
// demonstrations: what would fail the test panics instead. The caller must call
// Close.
func Start(opts ...Option) *Server { return start(panics{}, opts) }

// panics is the failer of programs that are no tests.
type panics struct{}

func (panics) Helper()                           {}
func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (panics) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func start(tb failer, opts []Option) *Server {
	tb.Helper()
	var o options
	// A test must not wait long for a repetition that it provoked.
	o.cfg.Backoff = slices.Repeat([]time.Duration{50 * time.Millisecond}, 40)
	for _, opt := range opts {
		opt(&o)
	}
	merchants := []sandbox.Merchant{sandbox.TestMerchant()}
	if o.second {
		merchants = append(merchants, secondMerchant())
	}
	if o.rsa {
		for i := range merchants {
			key, err := rsa.GenerateKey(rand.Reader, 1024) // the platform's key length
			must(tb, err)
			merchants[i].RSA = key
		}
	}
	o.cfg.Merchants = merchants
	box, err := sandbox.New(o.cfg)
	must(tb, err)
	p := &platform{tb: tb, sandbox: box, browser: browser.New(nil), ipsFee: ips.Amount(o.cfg.IPSFee)}
	address, err := box.Start("")
	if err != nil {
		p.close()
		tb.Fatalf("ipstest: %v", err)
	}
	s := p.newServer(address, merchants[0], o.handler)
	if o.second {
		s.another = p.newServer(address, merchants[1], o.handler)
		s.another.another = s
	}
	return s
}

// secondMerchant has the first one's keys backwards, which makes them others.
func secondMerchant() sandbox.Merchant {
	m := sandbox.TestMerchant()
	m.Code, m.Name = "808802", "另一平台"
	for _, key := range []*string{&m.Cert, &m.Key, &m.IV} {
		b := []byte(*key)
		slices.Reverse(b)
		*key = string(b)
	}
	return m
}

func (p *platform) newServer(address string, m sandbox.Merchant, handler http.Handler) *Server {
	p.tb.Helper()
	s := &Server{URL: address, platform: p, inbox: newInbox(handler)}
	p.inboxes = append(p.inboxes, s.inbox)
	s.cfg = ips.Config{
		MerchantCode: m.Code, Cert: ips.NewSecret(m.Cert), Key: ips.NewSecret(m.Key), IV: ips.NewSecret(m.IV),
		Environment: ips.Sandbox(address),
		ReturnURL:   s.inbox.server.URL + "/return",
		NotifyURL:   s.inbox.server.URL + "/notify",
	}
	if m.RSA != nil {
		s.cfg.PublicKey = &m.RSA.PublicKey
	}
	var err error
	s.client, err = ips.NewClient(s.cfg)
	must(p.tb, err)
	s.inbox.client.Store(s.client)
	return s
}

func must(tb failer, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("ipstest: %v", err)
	}
}

// Close checks the books and stops the sandbox, for both merchants. A Server of
// [NewServer] is closed when its test ends.
func (s *Server) Close() {
	s.tb.Helper()
	s.platform.close()
}

func (p *platform) close() {
	p.tb.Helper()
	p.closing.Do(p.stop)
}

func (p *platform) stop() {
	p.tb.Helper()
	books := p.sandbox.CheckBooks()
	err := p.sandbox.Close()
	p.browser.Close()
	for _, in := range p.inboxes {
		in.server.Close()
	}
	if books != nil {
		p.tb.Errorf("ipstest: the books are not right: %v", books)
	}
	if err != nil {
		p.tb.Errorf("ipstest: %v", err)
	}
}

// Second is the same sandbox as the second merchant sees it, who has a client
// and an inbox of his own. It fails the test without [SecondMerchant].
func (s *Server) Second() *Server {
	s.tb.Helper()
	if s.another == nil {
		s.tb.Fatalf("ipstest: no second merchant: give NewServer the option SecondMerchant")
	}
	return s.another
}

// Config is the configuration of the sandbox's merchant, with the inbox's URLs.
// Change what the test needs and give it to [ips.NewClient].
func (s *Server) Config() ips.Config { return s.cfg }

// Client is a client for the sandbox's merchant.
func (s *Server) Client() *ips.Client { return s.client }

// NewOrderNo makes an order number that is unique in this test.
func (s *Server) NewOrderNo() string { return fmt.Sprintf("T%08d", s.orders.Add(1)) }

// Now is the time by the sandbox's clock.
func (s *Server) Now() time.Time { return s.sandbox.Now() }

// Today is the day in China by the sandbox's clock.
func (s *Server) Today() ips.Date { return ips.DateOf(s.sandbox.Now()) }

// Advance moves the sandbox's clock forward; what was due happens.
func (s *Server) Advance(by time.Duration) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Advance(by))
}

// Deposit pays money from outside into the merchant's own account, which an
// organisation that guarantees needs, and a merchant who pays the fee of IPS.
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

// SetManual makes one person confirm and answer texts only when the test says
// so, or at once, whatever the others do.
func (s *Server) SetManual(account string, manual bool) {
	s.tb.Helper()
	must(s.tb, s.sandbox.SetAuto(s.cfg.MerchantCode, account, !manual))
}

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

// within gives a context that ends when patience does.
func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}
