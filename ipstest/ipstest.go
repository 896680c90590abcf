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
// A [Server] is a sandbox with one merchant and a client for it; with
// [WithHandler] IPS calls the merchant's own program. The test plays the users,
// orders faults and moves the clock:
//
//   - [Server.Person], [Server.Bid], [Server.Invest] and [Server.PayOut] set
//     the stage, over the wire and behind the back of the program under test;
//   - [Server.Carry] is a user's browser, and the user agrees; where he is asked,
//     as [WithManual], he can also [Server.Cancel], [Server.Leave],
//     [Server.FailAtBank], or answer a text by [Server.ReplyNo];
//   - [Server.WaitNotification] waits for a result that comes later;
//   - [Server.Fault] orders a fault, [Server.Chaos] many at random,
//     [Server.Resend] repeats a notification, [Server.Advance] lets time pass;
//   - [Server.AssertBalance] and [Server.AssertBooks] look at the money.
//
// The sandbox keeps real double-entry books; when the test ends they are
// checked, and the test fails if they are not right. Notifications that the
// merchant did not take are in the test's log.
//
// A test of a handler or of forms alone needs no Server: [AnswerTo] and [Post] give
// a handler any answer, [NewForm] is for fakes, and an [ips.Client] makes forms
// without any I/O, whatever its environment.
package ipstest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// patience bounds every wait. It only passes when something is wrong.
const patience = 20 * time.Second

// Server is a sandbox for one test, with the vendor's published test merchant and
// a client for it.
//
// Its methods fail the test when they cannot do what they say, by
// [testing.TB.FailNow], which ends the goroutine that called. All of them may be
// called at once, as by many users; goroutines of the test's own should signal
// their end by defer.
type Server struct {
	// URL is the sandbox's base URL, for clients in other languages or
	// [ips.Sandbox].
	URL string

	*platform
	cfg     ips.Config
	client  *ips.Client
	stage   *ips.Client // its answers do not come to the handler under test
	orders  atomic.Int64
	another *Server // for the other merchant; nil unless there is one
	chaos   atomic.Pointer[chaos]

	arrivals arrivals
}

// platform is what the Servers of a test's merchants share.
type platform struct {
	tb      failer
	sandbox *sandbox.Sandbox
	browser *browser.Browser
	ipsFee  ips.Amount
	people  atomic.Int64
	closing sync.Once
	site    *httptest.Server // the merchants'
	posts   *http.Transport  // of notifications
	servers []*Server        // set before anything can arrive
}

// failer is what a Server needs of a [testing.TB].
type failer interface {
	Helper()
	Logf(format string, args ...any)
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

// WithManual makes people confirm and answer texts only when the test says so. By
// default everybody agrees to everything at once. [Server.SetManual] does it for
// one person.
func WithManual() Option { return func(o *options) { o.cfg.Manual = true } }

// WithIPSFee sets what IPS itself charges for each recharge and withdrawal; 0.00
// by default.
func WithIPSFee(fee ips.Amount) Option { return func(o *options) { o.cfg.IPSFee = int64(fee) } }

// WithMD5withRSA makes the sandbox sign its answers in MD5withRSA mode, with a key
// of this process that [Server.Config] knows.
func WithMD5withRSA() Option { return func(o *options) { o.rsa = true } }

// WithHandler makes h the site at the addresses of [Server.Config]: it gets web
// returns at /ips/return/OPERATION and notifications at /ips/notify/OPERATION, and
// whatever else is asked of that site. IPS sees its answers and repeats what it
// does not answer with 200. A handler that needs the client can be an
// [http.ServeMux] that gets its routes after NewServer.
//
// A program with other addresses needs no handler: give its client a
// Config.ReturnURL and NotifyURL where it listens.
func WithHandler(h http.Handler) Option { return func(o *options) { o.handler = h } }

// WithClock sets the clock that the sandbox starts from; by default the machine's.
// With one that stands still, all that IPS answers is the same in every run.
func WithClock(now func() time.Time) Option { return func(o *options) { o.cfg.Now = now } }

// WithSecondMerchant adds another merchant, 808802, with keys and users of its
// own: see [Server.Second].
func WithSecondMerchant() Option { return func(o *options) { o.second = true } }

// WithRepeatFirst makes IPS answer an order that comes again unchanged, after it
// was decided, with its first answer, and tell the result again. By default it
// refuses it as a duplicate (订单号重复). Nobody has seen what IPS does; a program
// should bear both.
func WithRepeatFirst() Option { return func(o *options) { o.cfg.Repeat = engine.RepeatFirst } }

// WithoutTradeQuery takes the trade query (交易查询) away, which not every IPS has.
func WithoutTradeQuery() Option { return func(o *options) { o.cfg.TradeQuery = wire.TradeQueryNone } }

// WithClockSkew lets the clock by which IPS stamps its notifications differ from
// the one by which it answers, ahead or (less than 0) behind, as it did by minutes.
func WithClockSkew(skew time.Duration) Option { return func(o *options) { o.cfg.NoticeSkew = skew } }

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
func (panics) Logf(format string, args ...any)   { log.Printf(format, args...) }
func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (panics) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func start(tb failer, opts []Option) *Server {
	tb.Helper()
	var o options
	o.cfg.Repeat = engine.RepeatRefuse // what people must survive
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
			key, err := rsaKeys[i]()
			must(tb, err)
			merchants[i].RSA = key
		}
	}
	o.cfg.Merchants = merchants
	// No proxy: what a test posts to itself must not leave the machine.
	p := &platform{
		tb: tb, browser: browser.New(nil), ipsFee: ips.Amount(o.cfg.IPSFee),
		posts: &http.Transport{MaxIdleConnsPerHost: 4},
	}
	o.cfg.NotifyClient = &http.Client{Transport: roundTripper(p.post)}
	box, err := sandbox.New(o.cfg)
	must(tb, err)
	p.sandbox = box
	p.site = httptest.NewServer(p.merchantSite(o.handler))
	address, err := box.Start("")
	if err != nil {
		p.stop()
		tb.Fatalf("ipstest: %v", err)
	}
	for _, m := range merchants {
		p.servers = append(p.servers, p.newServer(address, m, o.cfg.TradeQuery))
	}
	if o.second {
		p.servers[0].another, p.servers[1].another = p.servers[1], p.servers[0]
	}
	return p.servers[0]
}

// rsaKeys are a key for each merchant. It takes longer to make one than to start
// a sandbox, so that those of a process share them.
var rsaKeys = [2]func() (*rsa.PrivateKey, error){sync.OnceValues(newRSAKey), sync.OnceValues(newRSAKey)}

func newRSAKey() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 1024) // the platform's key length
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

func (p *platform) newServer(address string, m sandbox.Merchant, trade wire.TradeQuery) *Server {
	p.tb.Helper()
	s := &Server{URL: address, platform: p, arrivals: arrivals{changed: make(chan struct{})}}
	s.cfg = ips.Config{
		MerchantCode: m.Code, Cert: ips.NewSecret(m.Cert), Key: ips.NewSecret(m.Key), IV: ips.NewSecret(m.IV),
		Environment: ips.Sandbox(address),
		ReturnURL:   p.site.URL + "/ips/return",
		NotifyURL:   p.site.URL + "/ips/notify",
	}
	if trade == wire.TradeQueryNone {
		s.cfg.Environment = ips.EnvironmentAt(address)
	}
	if m.RSA != nil {
		s.cfg.PublicKey = &m.RSA.PublicKey
	}
	staged := s.cfg
	staged.ReturnURL, staged.NotifyURL = p.site.URL+stagePath+"return", p.site.URL+stagePath+"notify"
	var err error
	s.client, err = ips.NewClient(s.cfg)
	must(p.tb, err)
	s.stage, err = ips.NewClient(staged)
	must(p.tb, err)
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
	p.logUndelivered()
	books := p.sandbox.CheckBooks()
	err := p.sandbox.Close()
	p.browser.Close()
	p.posts.CloseIdleConnections()
	p.site.Close()
	if books != nil {
		p.tb.Errorf("ipstest: the books are not right: %v", books)
	}
	if err != nil {
		p.tb.Errorf("ipstest: %v", err)
	}
}

// Second is the same sandbox as the second merchant sees it, who has a client
// of his own. It fails the test without [WithSecondMerchant].
func (s *Server) Second() *Server {
	s.tb.Helper()
	if s.another == nil {
		s.tb.Fatalf("ipstest: no second merchant: give NewServer the option WithSecondMerchant")
	}
	return s.another
}

// Config is the configuration of the sandbox's merchant, with the addresses of
// the site of [WithHandler].
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

// SignMandate signs a person's withholding mandate (委托授权书). By default opening
// an account signs one.
func (s *Server) SignMandate(account string) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Mandate(s.cfg.MerchantCode, account, true))
}

// RevokeMandate takes a person's withholding mandate back.
func (s *Server) RevokeMandate(account string) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Mandate(s.cfg.MerchantCode, account, false))
}

// SetManual makes one person confirm and answer texts only when the test says
// so, whatever the others do.
func (s *Server) SetManual(account string) {
	s.tb.Helper()
	must(s.tb, s.sandbox.SetAuto(s.cfg.MerchantCode, account, false))
}

// SetAuto makes one person agree to everything at once, whatever the others do.
func (s *Server) SetAuto(account string) {
	s.tb.Helper()
	must(s.tb, s.sandbox.SetAuto(s.cfg.MerchantCode, account, true))
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
