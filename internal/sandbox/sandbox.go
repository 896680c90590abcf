package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
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

	// Store, if not nil, keeps what happens, so that the next sandbox with the
	// same store goes on where this one ended or was killed. It is the
	// sandbox's from [New] on, which closes it when it fails.
	Store Store

	// Seed decides which events meet a [Fault] that has a Probability.
	Seed uint64

	// TLS, if not nil, makes [Sandbox.Start] speak HTTPS.
	TLS *tls.Config

	// Hosts are names by which the console, the admin API and the inbox of text
	// messages may be called, in addition to localhost and IP addresses. A name that is not on the
	// list may be another site's that was pointed at this machine.
	Hosts []string

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
	codes     []string // of the merchants, as configured
	namespace string
	maxBody   int64
	pages     *pages
	notifier  *notifier
	messages  recorder
	journal   *journal
	faults    *faults
	admin     http.Handler
	console   *console
	feed      *feed
	hosts     []string
	tls       *tls.Config
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
	done   <-chan struct{}
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
		journal:   newJournal(cfg.Store),
		faults:    newFaults(cfg.Seed),
		feed:      newFeed(),
		hosts:     cfg.Hosts,
		tls:       cfg.TLS,
		rearm:     make(chan struct{}, 1),
	}
	if s.namespace == "" {
		s.namespace = defaultNamespace
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
	s.messages.added = func() { s.feed.touch(topicMessages) }
	s.admin = s.adminAPI()
	if err := s.begin(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), s.journal.close())
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, ctx.Done()
	s.watch.Go(func() { s.watchDeadlines(ctx) })
	return s, nil
}

// begin goes on where the store says that the last sandbox ended.
func (s *Sandbox) begin(cfg Config) error {
	if !absoluteURL(s.namespace) || !strings.HasSuffix(s.namespace, "/") {
		return fmt.Errorf("config: Namespace: want an absolute URL that ends with a slash, got %q", s.namespace)
	}
	var err error
	if s.pages, err = newPages(rand.Text()); err != nil {
		return err
	}
	if s.console, err = newConsole(s, rand.Text()); err != nil {
		return err
	}
	if err := s.readyMerchants(cfg); err != nil {
		return err
	}
	kept, err := s.replay()
	if err != nil {
		return err
	}
	for _, m := range s.engine.Merchants() {
		if s.merchants[m.Merchant] == nil {
			return fmt.Errorf("merchant %s: is in the store and not configured, so nothing can be signed for it", m.Merchant)
		}
	}
	s.startNotifier(cfg)
	s.journal.start()
	if err = s.restoreNotices(kept); err == nil {
		err = s.addMerchants(kept)
	}
	if err != nil {
		s.notifier.close()
	}
	return err
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
	s.notifier = newNotifier(workers, backoff, s.Now, poster(client), s.recordNotice, func(d Delivery) {
		s.journal.addLazily(Record{Delivery: &d})
		s.feed.touch(topicNotices)
	})
}

// readyMerchants checks and keeps the merchants' keys.
func (s *Sandbox) readyMerchants(cfg Config) error {
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
		s.codes = append(s.codes, m.Code)
	}
	return nil
}

// addMerchants tells the engine about merchants that are new or configured
// differently than before. One that is configured as before stays as it is,
// in the mode that it was put in meanwhile.
func (s *Sandbox) addMerchants(kept *replay) error {
	for _, code := range s.codes {
		settings := s.merchants[code].settings
		if before, ok := kept.settings[code]; ok && before == settings {
			continue
		}
		if _, err := s.apply(engine.Command{Kind: engine.KindMerchant, Merchant: code, Settings: &settings}); err != nil {
			return fmt.Errorf("merchant %s: %w", code, err)
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
	if by < 0 || by > maxAdvance-s.Offset() {
		return fmt.Errorf("sandbox: Advance: want a duration from 0 up to %s in all, got %s", maxAdvance, by)
	}
	kept, err := s.advance(by)
	if err != nil {
		return err
	}
	s.notifier.hurry(by)
	return s.journal.wait(kept)
}

// maxAdvance keeps the clock within what times and durations can hold.
const maxAdvance = 100 * 365 * 24 * time.Hour

// Offset is how far the clock was moved forward in all.
func (s *Sandbox) Offset() time.Duration {
	s.clock.Lock()
	defer s.clock.Unlock()
	return s.clock.offset
}

func (s *Sandbox) advance(by time.Duration) (*batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	// The store learns of it before of anything stamped with the new time.
	if by > 0 {
		s.journal.add(Record{Advance: by}, nil)
	}
	s.clock.Lock()
	s.clock.offset += by
	s.clock.Unlock()
	_, kept, err := s.applyLocked(engine.Command{Kind: engine.KindTick})
	return kept, err
}

// apply stamps a command with the time and hands it to the engine, after all
// that was due before it. It returns when what happened is kept.
func (s *Sandbox) apply(cmd engine.Command) (engine.Outcome, error) {
	s.mu.Lock()
	out, kept, err := s.applyLocked(cmd)
	s.mu.Unlock()
	if err != nil {
		return out, err
	}
	return out, s.journal.wait(kept)
}

func (s *Sandbox) applyLocked(cmd engine.Command) (engine.Outcome, *batch, error) {
	if s.closed {
		return engine.Outcome{}, nil, ErrClosed
	}
	if err := s.journal.err(); err != nil {
		return engine.Outcome{}, nil, err
	}
	now := s.Now()
	for {
		due, ok := s.engine.NextDeadline()
		if !ok || due.After(now) {
			break
		}
		if _, _, err := s.commit(engine.Command{Kind: engine.KindTick, At: due}); err != nil {
			return engine.Outcome{}, nil, err
		}
		if next, ok := s.engine.NextDeadline(); ok && !next.After(due) {
			return engine.Outcome{}, nil, fmt.Errorf("sandbox: the deadline of %s does not pass", due.Format(time.RFC3339))
		}
	}
	cmd.At = now
	met := s.faults.offer(&cmd)
	out, kept, err := s.commit(cmd)
	if err == nil {
		s.faults.settle(met, out.Taken)
	}
	select {
	case s.rearm <- struct{}{}:
	default:
	}
	return out, kept, err
}

// commit is the one door through which anything ever happens to the engine,
// and through which it goes on record. Notices leave when it is kept.
func (s *Sandbox) commit(cmd engine.Command) (engine.Outcome, *batch, error) {
	out, err := s.engine.Apply(cmd)
	if err != nil {
		return out, nil, fmt.Errorf("sandbox: %s: %w", cmd.Kind, err)
	}
	s.feed.touch(topicState)
	posts := make([]post, 0, len(out.Notices))
	for _, notice := range out.Notices {
		p, sealErr := s.post(notice)
		if sealErr != nil {
			err = errors.Join(err, sealErr)
			continue
		}
		posts = append(posts, p)
	}
	kept := s.journal.add(Record{Command: &cmd}, func() {
		for _, p := range posts {
			s.notifier.queue(p)
			s.feed.touch(topicNotices)
		}
	})
	return out, kept, err
}

// post makes a notice ready to go, with the faults that meet it.
func (s *Sandbox) post(notice engine.Notice) (post, error) {
	m := s.merchants[notice.Merchant]
	if m == nil {
		return post{}, fmt.Errorf("sandbox: notice %d: merchant %s: %w", notice.Seq, notice.Merchant, ErrNotFound)
	}
	answer, err := m.seal(notice.Answer)
	if err != nil {
		return post{}, fmt.Errorf("sandbox: notice %d: %w", notice.Seq, err)
	}
	p := post{notice: notice, answer: answer}
	p.trouble, err = s.trouble(m, notice, answer)
	return p, err
}

// restoreNotices brings back the notices of an earlier life. What was not
// delivered is tried again at once.
func (s *Sandbox) restoreNotices(kept *replay) error {
	for _, seq := range slices.Sorted(maps.Keys(kept.notices)) {
		r := kept.notices[seq]
		answer, err := s.merchants[r.notice.Merchant].seal(r.notice.Answer)
		if err != nil {
			return fmt.Errorf("notice %d: %w", seq, err)
		}
		s.notifier.restore(post{notice: r.notice, answer: answer}, r.state, r.attempts)
	}
	return nil
}

func (s *Sandbox) recordNotice(d *delivery, sent sealed, genuine bool) {
	s.messages.add(Message{
		At: s.Now(), Direction: Out, Via: ViaNotify, Peer: d.notice.URL, Merchant: sent.merchant, Op: d.notice.Op,
		Order: d.notice.Order, Code: sent.code, Text: sent.text, XML: sent.xml, Verified: genuine,
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
	scheme := "http://"
	if s.tls != nil {
		listener, scheme = tls.NewListener(listener, s.tls), "https://"
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
	server.RegisterOnShutdown(s.feed.close) // else it waits for listeners who stay
	s.watch.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serve", "err", err)
		}
	})
	base := scheme + listener.Addr().String()
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
	s.feed.close()
	if server != nil {
		err = server.Close()
	}
	s.stop()
	s.notifier.close()
	s.watch.Wait()
	err = errors.Join(err, s.journal.close())
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

// SeedOldBid brings in a bid of the interface before v2.0, which only the old
// repayment knows.
func (s *Sandbox) SeedOldBid(merchant string, bid engine.OldBid) error {
	_, err := s.apply(engine.Command{Kind: engine.KindOldBid, Merchant: merchant, OldBid: &bid})
	return err
}

// ReplySMS answers a text message as the person it was sent to would.
func (s *Sandbox) ReplySMS(id string, yes bool) error {
	_, err := s.apply(engine.Command{Kind: engine.KindSMS, ID: id, Yes: yes})
	return err
}

// Fault orders a fault that meets a merchant, as [Sandbox.OrderFault] does.
func (s *Sandbox) Fault(merchant string, fault Fault) error {
	fault.Merchant = merchant
	_, err := s.OrderFault(fault)
	return err
}

// Views are what the engine shows of its state: copies, which change nothing.
// A merchant of "" means all of them.
type Views interface {
	Now() time.Time
	Merchants() []engine.MerchantInfo
	NewestAccounts(engine.AccountFilter, engine.Page) ([]engine.AccountInfo, int)
	NewestBids(engine.BidFilter, engine.Page) ([]engine.BidInfo, int)
	NewestOrders(engine.OrderFilter, engine.Page) ([]engine.OrderInfo, int)
	NewestEntries(engine.JournalFilter) ([]engine.JournalEntry, int)
	Bid(merchant, no string) (engine.BidInfo, bool)
	Order(merchant, op, bill string, end bool) (engine.OrderInfo, bool)
	PendingAsks(merchant string) []engine.AskInfo
	Ask(id string) (engine.AskInfo, bool)
	Inbox(mobile string) []engine.SMS
	Totals() engine.Totals
}

// Views shows the engine's state to tests and consoles. Whatever changes it
// goes through the methods of the sandbox.
func (s *Sandbox) Views() Views { return s.engine }
