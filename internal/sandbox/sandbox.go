package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// The errors that callers ask for by name.
var (
	ErrClosed   = errors.New("the sandbox is closed")
	ErrNotFound = errors.New("not found")
)

// Config sets up a [Sandbox]. The zero Config is in order.
type Config struct {
	Merchants []Merchant // by default [TestMerchant] alone

	Manual bool  // all merchants are [Merchant.Manual]
	IPSFee int64 // in fen, for merchants that have none of their own

	// Now is the clock that the sandbox's own clock starts from; by default
	// [time.Now].
	Now func() time.Time

	// Namespace is that of the web services, by default http://tempuri.org/.
	// Calls in http://microsoft.com/webservices/ are taken too and answered
	// in it, as one merchant's production settings said.
	Namespace string

	// MaxBody bounds the body of a request in bytes; by default 8 MiB, which
	// holds a batch of 3000 rows several times.
	MaxBody int64

	NotifyClient  *http.Client    // posts notifications
	NotifyWorkers int             // by default 4
	Backoff       []time.Duration // waits between the attempts of a notification

	Logger *slog.Logger // by default nothing is logged; secrets never are
}

const (
	defaultNamespace = "http://tempuri.org/"
	// otherNamespace is named in one merchant's production settings.
	otherNamespace = "http://microsoft.com/webservices/"
	defaultMaxBody = 8 << 20
)

// Sandbox is a running sandbox. It is safe for concurrent use. Close it when
// done.
type Sandbox struct {
	merchants map[string]*merchant
	namespace string
	maxBody   int64
	pages     *pages
	notifier  *notifier
	messages  recorder
	log       *slog.Logger
	transport *http.Transport // nil if the client is the caller's

	clock struct {
		sync.Mutex
		base   func() time.Time
		offset time.Duration
		last   time.Time
	}

	mu     sync.Mutex // orders everything that happens
	engine *engine.Engine
	closed bool

	rearm  chan struct{} // the next deadline may have moved
	stop   context.CancelFunc
	watch  sync.WaitGroup
	server *http.Server
}

// New starts a sandbox: it has goroutines of its own from here on, and answers
// requests as an [http.Handler].
func New(cfg Config) (*Sandbox, error) {
	s := &Sandbox{
		merchants: make(map[string]*merchant),
		namespace: cfg.Namespace,
		maxBody:   cfg.MaxBody,
		log:       cfg.Logger,
		engine:    engine.New(),
		rearm:     make(chan struct{}, 1),
	}
	if s.namespace == "" {
		s.namespace = defaultNamespace
	}
	if !absoluteURL(s.namespace) || !strings.HasSuffix(s.namespace, "/") {
		return nil, fmt.Errorf("sandbox: Namespace: want an absolute URL that ends with a slash, got %q", s.namespace)
	}
	if s.maxBody <= 0 {
		s.maxBody = defaultMaxBody
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.clock.base = cfg.Now
	if s.clock.base == nil {
		s.clock.base = time.Now
	}
	var err error
	if s.pages, err = newPages(rand.Text()); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.startNotifier(cfg)
	if err := s.addMerchants(cfg); err != nil {
		s.notifier.close()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.watch.Go(func() { s.watchDeadlines(ctx) })
	return s, nil
}

func (s *Sandbox) startNotifier(cfg Config) {
	client, workers, backoff := cfg.NotifyClient, cfg.NotifyWorkers, cfg.Backoff
	if client == nil {
		// No proxy: what a test posts to itself must not leave the machine.
		s.transport = &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
		client = &http.Client{Transport: s.transport}
	}
	if workers <= 0 {
		workers = 4
	}
	if backoff == nil {
		backoff = defaultBackoff()
	}
	s.notifier = newNotifier(workers, backoff, s.Now, poster(client), s.recordNotice)
}

func (s *Sandbox) addMerchants(cfg Config) error {
	list := cfg.Merchants
	if len(list) == 0 {
		list = []Merchant{TestMerchant()}
	}
	for _, m := range list {
		m.Manual = m.Manual || cfg.Manual
		if m.IPSFee == 0 {
			m.IPSFee = cfg.IPSFee
		}
		ready, err := newMerchant(m)
		if err != nil {
			return fmt.Errorf("merchant %s: %w", m.Code, err)
		}
		if s.merchants[m.Code] != nil {
			return fmt.Errorf("merchant %s: configured twice", m.Code)
		}
		s.merchants[m.Code] = ready
		if _, err := s.apply(engine.Command{Kind: engine.KindMerchant, Merchant: m.Code, Settings: &ready.settings}); err != nil {
			return fmt.Errorf("merchant %s: %w", m.Code, err)
		}
	}
	return nil
}

// Now is the time by the sandbox's own clock. It never goes back.
func (s *Sandbox) Now() time.Time {
	s.clock.Lock()
	defer s.clock.Unlock()
	// Commands are kept as JSON, which knows no monotonic reading.
	now := s.clock.base().Add(s.clock.offset).Round(0).UTC()
	if now.Before(s.clock.last) {
		return s.clock.last
	}
	s.clock.last = now
	return now
}

// Advance moves the sandbox's clock forward, so that what was to happen in the
// meantime happens: texts and pages time out, notifications are tried again.
func (s *Sandbox) Advance(by time.Duration) error {
	if by < 0 {
		return fmt.Errorf("sandbox: Advance: want a duration of 0 or more, got %s", by)
	}
	s.clock.Lock()
	s.clock.offset += by
	s.clock.Unlock()
	s.notifier.hurry(by)
	_, err := s.apply(engine.Command{Kind: engine.KindTick})
	return err
}

// apply stamps a command with the time and hands it to the engine, after all
// that was due before it.
func (s *Sandbox) apply(cmd engine.Command) (engine.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return engine.Outcome{}, ErrClosed
	}
	now := s.Now()
	for {
		due, ok := s.engine.NextDeadline()
		if !ok || due.After(now) {
			break
		}
		if _, err := s.commit(engine.Command{Kind: engine.KindTick, At: due}); err != nil {
			return engine.Outcome{}, err
		}
		if next, ok := s.engine.NextDeadline(); ok && !next.After(due) {
			return engine.Outcome{}, fmt.Errorf("sandbox: the deadline of %s does not pass", due.Format(time.RFC3339))
		}
	}
	cmd.At = now
	out, err := s.commit(cmd)
	select {
	case s.rearm <- struct{}{}:
	default:
	}
	return out, err
}

// commit is the one door through which anything ever happens to the engine:
// whatever keeps a log of commands, keeps it here.
func (s *Sandbox) commit(cmd engine.Command) (engine.Outcome, error) {
	out, err := s.engine.Apply(cmd)
	if err != nil {
		return out, fmt.Errorf("sandbox: %s: %w", cmd.Kind, err)
	}
	for _, notice := range out.Notices {
		if err := s.notify(notice); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Sandbox) notify(notice engine.Notice) error {
	m := s.merchants[notice.Merchant]
	if m == nil {
		return fmt.Errorf("sandbox: notice %d: merchant %s: %w", notice.Seq, notice.Merchant, ErrNotFound)
	}
	answer, err := m.seal(notice.Answer)
	if err != nil {
		return fmt.Errorf("sandbox: notice %d: %w", notice.Seq, err)
	}
	s.notifier.queue(notice, answer)
	return nil
}

func (s *Sandbox) recordNotice(d *delivery) {
	s.messages.add(Message{
		At: s.Now(), Direction: Out, Via: ViaNotify, Peer: d.notice.URL, Merchant: d.notice.Merchant, Op: d.notice.Op,
		Order: d.notice.Order, Code: d.answer.code, Text: d.answer.text, XML: d.answer.xml, Verified: true,
	})
}

// watchDeadlines lets time pass in the engine when nobody calls.
func (s *Sandbox) watchDeadlines(ctx context.Context) {
	for {
		timer := time.NewTimer(s.untilDeadline())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.rearm:
			timer.Stop()
			continue
		case <-timer.C:
		}
		if due, ok := s.engine.NextDeadline(); !ok || due.After(s.Now()) {
			continue
		}
		if _, err := s.apply(engine.Command{Kind: engine.KindTick}); err != nil && !errors.Is(err, ErrClosed) {
			s.log.Error("deadline", "err", err)
		}
	}
}

func (s *Sandbox) untilDeadline() time.Duration {
	due, ok := s.engine.NextDeadline()
	if !ok {
		return time.Hour
	}
	// Never spin, even where the clock under ours stands still.
	return max(due.Sub(s.Now()), 10*time.Millisecond)
}

// Start listens on addr, by default 127.0.0.1:0, which is any free port of the
// loopback interface, and returns the base URL, without a slash at its end.
func (s *Sandbox) Start(addr string) (string, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return "", ErrClosed
	case s.server != nil:
		return "", errors.New("sandbox: Start: already started")
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("sandbox: Start: %w", err)
	}
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	server := s.server
	s.watch.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serve", "err", err)
		}
	})
	base := "http://" + listener.Addr().String()
	s.log.Warn("this is a sandbox and NOT IPS: no money moves here", "url", base)
	return base, nil
}

// Shutdown stops listening, waits until every notification is delivered or
// abandoned or ctx ends, and closes the sandbox. Its error says what was left.
func (s *Sandbox) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	var err error
	if server != nil {
		err = server.Shutdown(ctx)
	}
	return errors.Join(err, s.notifier.wait(ctx), s.Close())
}

// Close stops everything at once and returns when no goroutine of the sandbox
// is left. Notifications that are not delivered stay undelivered.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	server := s.server
	s.mu.Unlock()
	if !first {
		return nil
	}
	var err error
	if server != nil {
		err = server.Close()
	}
	s.stop()
	s.notifier.close()
	s.watch.Wait()
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
	return err
}

// CheckBooks recomputes every invariant of the books.
func (s *Sandbox) CheckBooks() error { return s.engine.CheckBooks() }

// Balance is the balance of a merchant's custody account, or of its own
// account if account is the merchant code.
func (s *Sandbox) Balance(merchant, account string) (engine.Balance, bool) {
	return s.engine.Balance(merchant, account)
}

// Deposit pays fen from outside into a custody account, or into the merchant's
// own account if account is "" or the merchant code.
func (s *Sandbox) Deposit(merchant, account string, fen int64) error {
	_, err := s.apply(engine.Command{Kind: engine.KindDeposit, Merchant: merchant, Account: account, Amount: fen})
	return err
}

// SetAuto lets people confirm at once and answer texts with yes, or makes them
// do it by hand: those of one account, or of the merchant if account is "".
func (s *Sandbox) SetAuto(merchant, account string, auto bool) error {
	_, err := s.apply(engine.Command{Kind: engine.KindMode, Merchant: merchant, Account: account, Auto: auto})
	return err
}

// Mandate signs or withdraws an account's withholding mandate (委托授权书).
func (s *Sandbox) Mandate(merchant, account string, signed bool) error {
	_, err := s.apply(engine.Command{Kind: engine.KindMandate, Merchant: merchant, Account: account, Yes: signed})
	return err
}

// ReplySMS answers a text message as the person it was sent to would.
func (s *Sandbox) ReplySMS(id string, yes bool) error {
	_, err := s.apply(engine.Command{Kind: engine.KindSMS, ID: id, Yes: yes})
	return err
}

// Fault orders or lifts a fault in the engine's rules for a merchant.
func (s *Sandbox) Fault(merchant string, fault engine.Fault) error {
	_, err := s.apply(engine.Command{Kind: engine.KindFault, Merchant: merchant, Fault: &fault})
	return err
}

// Views are what the engine shows of its state: copies, which change nothing.
// A merchant of "" means all of them.
type Views interface {
	Merchants() []engine.MerchantInfo
	Accounts(merchant string) []engine.AccountInfo
	Bids(merchant string) []engine.BidInfo
	Bid(merchant, no string) (engine.BidInfo, bool)
	Orders(merchant string) []engine.OrderInfo
	Order(merchant, bill string, end bool) (engine.OrderInfo, bool)
	PendingAsks(merchant string) []engine.AskInfo
	Ask(id string) (engine.AskInfo, bool)
	Inbox(mobile string) []engine.SMS
	Journal(engine.JournalFilter) []engine.JournalEntry
	Totals() engine.Totals
	Faults() []engine.Fault
}

// Views shows the engine's state to tests and consoles. Whatever changes it
// goes through the methods of the sandbox.
func (s *Sandbox) Views() Views { return s.engine }
