package sandbox

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/console"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/journal"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
	"github.com/ips-p2p/ips/internal/sandbox/pages"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// The errors that callers ask for by name.
var (
	ErrClosed   = notifier.ErrClosed
	ErrNotFound = notifier.ErrUnknown
	ErrStore    = journal.ErrStore
)

// The names under which callers know what the parts of a sandbox deal in.
type (
	Fault        = fault.Fault
	Store        = journal.Store
	Record       = journal.Record
	Notification = notifier.Notification
	Attempt      = notifier.Attempt
	Message      = messages.Message
	OldBid       = engine.OldBidInfo
)

// Config sets up a [Sandbox]. The zero Config is in order.
type Config struct {
	Merchants []Merchant // by default [TestMerchant] alone

	// What merchants have that say nothing of their own.
	Manual    bool
	IPSFee    int64 // in fen
	Repeat    engine.Repeat
	ClockSkew time.Duration

	// TradeQuery says which service has QueryTrade, by default both.
	TradeQuery wire.TradeQuery

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
	NotifyWorkers int             // posts at a time to one merchant, by default 4
	Backoff       []time.Duration // waits between the attempts of a notification
	NoticeAfter   time.Duration   // real time between the answer that caused a notification and its first post
	NoticeAgain   int             // how often a result is told again although it was answered
	// NoticeSkew is by how much pIpsTime in notifications differs from that in
	// answers: they come from another server, with another clock.
	NoticeSkew time.Duration

	// Base is the URL under which others reach the sandbox, for its WSDL, ""
	// for whatever they call it by.
	Base string

	// OldBids are bids of the interface before v2.0. Each comes in as soon as
	// the accounts that it names are there.
	OldBids []OldBid

	// Store, if not nil, keeps what happens, so that the next sandbox with the
	// same store goes on where this one ended or was killed. It is the
	// sandbox's from [New] on, which closes it when it fails.
	Store Store

	// Seed decides which events meet a [Fault] that has a Probability.
	Seed uint64

	// TLS, if not nil, makes [Sandbox.Start] speak HTTPS.
	TLS *tls.Config

	// Hosts are names by which the console, the admin API and the inbox of text
	// messages may be called, in addition to localhost, IP addresses and the name
	// in Base. Any other name may be another site's that was pointed at this
	// machine.
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
	services  []wire.Service
	namespace string
	maxBody   int64
	pages     *pages.Pages
	notifier  *notifier.Notifier
	messages  messages.Recorder
	metrics   metrics
	journal   *journal.Journal
	faults    *fault.Machine
	disturbed http.HandlerFunc // route, with faults
	admin     http.Handler
	console   *console.Console
	feed      *console.Feed
	hosts     []string
	base      string
	skew      time.Duration // of notifications
	tls       *tls.Config
	log       *slog.Logger
	transport *http.Transport // nil if the client is the caller's

	clock struct {
		sync.Mutex
		base   func() time.Time
		offset time.Duration
		last   time.Time
	}

	mu      sync.Mutex // orders everything that happens
	engine  *engine.Engine
	oldBids []OldBid // whose accounts are not all there
	closed  bool

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
		journal:   journal.New(cfg.Store),
		feed:      console.NewFeed(),
		oldBids:   slices.Clone(cfg.OldBids),
		base:      strings.TrimSuffix(cfg.Base, "/"),
		skew:      cfg.NoticeSkew,
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
	} else {
		s.log = slog.New(bounded{s.log.Handler()})
	}
	s.clock.base = cfg.Now
	if s.clock.base == nil {
		s.clock.base = time.Now
	}
	s.messages.Added = func() { s.feed.Touch(console.Messages) }
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, ctx.Done()
	s.services = wire.Services(cmp.Or(cfg.TradeQuery, wire.TradeQueryBoth))
	s.faults = fault.New(cfg.Seed, s.engine.ExamineFault)
	s.faults.Struck = func(op, merchant, words string, call bool) {
		via := messages.ViaPage
		if call {
			via = messages.ViaSOAP
		}
		s.messages.Add(Message{At: s.Now(), Direction: messages.In, Via: via, Merchant: known(merchant), Op: op, Fault: words})
	}
	s.disturbed = s.faults.Handler(s.services, s.done, s.route)
	s.admin = operator.API(s, s.log)
	if err := s.begin(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), s.journal.Close())
	}
	s.watch.Go(func() { s.watchDeadlines(ctx) })
	return s, nil
}

// begin goes on where the store says that the last sandbox ended.
func (s *Sandbox) begin(cfg Config) error {
	if !engine.IsHTTPURL(s.namespace) || !strings.HasSuffix(s.namespace, "/") {
		return fmt.Errorf("config: Namespace: want an absolute URL that ends with a slash, got %q", s.namespace)
	}
	if cfg.TradeQuery != "" && !cfg.TradeQuery.Valid() {
		return fmt.Errorf("config: TradeQuery: want both, query, service or none, got %q", cfg.TradeQuery)
	}
	hosts := cfg.Hosts
	if base, err := url.Parse(s.base); err == nil && base.Host != "" {
		hosts = append(slices.Clip(hosts), base.Host)
	}
	for _, text := range hosts {
		name, err := ParseHost(text)
		if err != nil {
			return fmt.Errorf("config: Hosts: %w", err)
		}
		s.hosts = append(s.hosts, name)
	}
	var err error
	if s.pages, err = pages.New(s, s.log); err != nil {
		return err
	}
	s.console = console.New(s, s.feed, s.log)
	if err := s.readyMerchants(cfg); err != nil {
		return err
	}
	kept, err := s.journal.Replay(s.engine)
	if err != nil {
		return err
	}
	s.clock.offset = kept.Offset
	// The clock never goes back, be the machine's what it may.
	if now := s.engine.Now(); !now.IsZero() {
		s.clock.last = now.UTC()
	}
	for _, m := range s.engine.Merchants() {
		if s.merchants[m.Merchant] == nil {
			return fmt.Errorf("merchant %s: is in the store and not configured, so nothing can be signed for it", m.Merchant)
		}
	}
	if err := s.journal.Spare(); err != nil {
		s.log.Warn("data folder", "err", err)
	}
	s.startNotifier(cfg)
	s.journal.Start()
	if err = s.restoreNotices(kept.Notices()); err == nil {
		err = s.addMerchants(kept)
	}
	if err != nil {
		s.notifier.Close()
	}
	return err
}

func (s *Sandbox) startNotifier(cfg Config) {
	client := cfg.NotifyClient
	if client == nil {
		// No proxy: what a test posts to itself must not leave the machine.
		s.transport = &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
		client = &http.Client{Transport: s.transport}
	}
	s.notifier = notifier.New(notifier.Config{
		Client: client, Now: s.Now, Log: s.log,
		PerMerchant: cfg.NotifyWorkers, Waits: cfg.Backoff, After: cfg.NoticeAfter, Again: cfg.NoticeAgain,
		Sent: s.recordNotice,
		Changed: func(c notifier.Change) {
			s.metrics.told(c)
			s.journal.AddLazily(journal.Record{Delivery: &c})
			s.feed.Touch(console.Notices)
		},
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
		m.IPSFee = cmp.Or(m.IPSFee, cfg.IPSFee)
		m.Repeat = cmp.Or(m.Repeat, cfg.Repeat)
		m.ClockSkew = cmp.Or(m.ClockSkew, cfg.ClockSkew)
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
func (s *Sandbox) addMerchants(kept *journal.Tally) error {
	for _, code := range s.codes {
		settings := s.merchants[code].settings
		if before, ok := kept.Settings[code]; ok && before == settings {
			continue
		}
		if _, err := s.Do(context.Background(), engine.Command{Kind: engine.KindMerchant, Merchant: code, Settings: &settings}); err != nil {
			return fmt.Errorf("merchant %s: %w", code, err)
		}
	}
	return nil
}

// Version is that of what a page shows that is read from now on.
func (s *Sandbox) Version() uint64 { return s.feed.Version() }

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
	kept, err := s.advance(by)
	if err != nil {
		return err
	}
	s.notifier.Hurry(by)
	return s.journal.Wait(kept)
}

// Offset is how far the clock was moved forward in all.
func (s *Sandbox) Offset() time.Duration {
	s.clock.Lock()
	defer s.clock.Unlock()
	return s.clock.offset
}

func (s *Sandbox) advance(by time.Duration) (*journal.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if by < 0 || by > maxAdvance-s.Offset() {
		return nil, engine.Wrong("sandbox: Advance: want a duration from 0 up to %s in all, got %s", "时钟只能拨快，总共至多 %s，现为 %s", maxAdvance, by)
	}
	// The store learns of it before of anything stamped with the new time.
	if by > 0 {
		s.journal.Add(Record{Advance: by}, nil, nil)
	}
	s.clock.Lock()
	s.clock.offset += by
	s.clock.Unlock()
	h, err := s.decide(engine.Command{Kind: engine.KindTick}, nil)
	return h.kept, err
}

// Do stamps a command with the time and hands it to the engine, after all that
// was due before it. It returns when what happened is kept. Notices wait until
// the answer to the request of ctx, if there is one, is written.
func (s *Sandbox) Do(ctx context.Context, cmd engine.Command) (engine.Outcome, error) {
	h, err := s.do(ctx, cmd)
	return h.Outcome, err
}

func (s *Sandbox) do(ctx context.Context, cmd engine.Command) (happened, error) {
	s.mu.Lock()
	h, err := s.decide(cmd, holdOf(ctx))
	s.mu.Unlock()
	switch {
	case err != nil:
		return h, err
	case h.kept == nil: // it has happened before
		return h, s.settled()
	}
	return h, s.journal.Wait(h.kept)
}

// settled returns when all that has happened so far is kept. What the engine
// shows has happened, and goes on record under the lock: whoever reads without it
// may be faster than the record.
func (s *Sandbox) settled() error {
	s.mu.Lock()
	latest := s.journal.Latest()
	s.mu.Unlock()
	return s.journal.Settle(latest)
}

// happened is what a command led to, and where it is on record.
type happened struct {
	engine.Outcome
	posts []notifier.Post
	kept  *journal.Batch
}

// sealed is the outcome's answer as it was sealed for its notification, which
// mostly says the same.
func (h *happened) sealed() (wire.Envelope, bool) {
	for _, p := range h.posts {
		if p.Notice.Answer.Equal(h.Answer) {
			return p.Answer, true
		}
	}
	return wire.Envelope{}, false
}

// command is Do for what nobody waits for.
func (s *Sandbox) command(cmd engine.Command) error {
	_, err := s.Do(context.Background(), cmd)
	return err
}

func (s *Sandbox) decide(cmd engine.Command, hold *notifier.Hold) (happened, error) {
	if s.closed {
		return happened{}, ErrClosed
	}
	if err := s.journal.Err(); err != nil {
		return happened{}, err
	}
	now := s.Now()
	for {
		due, ok := s.engine.NextDeadline()
		if !ok || due.After(now) {
			break
		}
		if _, err := s.commit(engine.Command{Kind: engine.KindTick, At: due}, nil); err != nil {
			return happened{}, err
		}
		if next, ok := s.engine.NextDeadline(); ok && !next.After(due) {
			return happened{}, fmt.Errorf("sandbox: the deadline of %s does not pass", due.Format(time.RFC3339))
		}
	}
	if out, ok := s.engine.Closed(&cmd); ok {
		return happened{Outcome: out}, nil
	}
	cmd.At = now
	offered := s.faults.Offer(&cmd)
	h, err := s.commit(cmd, hold)
	if err == nil {
		s.faults.Settle(offered, h.Taken)
		h.kept = cmp.Or(s.seedOldBids(now), h.kept)
	}
	select {
	case s.rearm <- struct{}{}:
	default:
	}
	return h, err
}

// seedOldBids brings in the old bids whose accounts have come.
func (s *Sandbox) seedOldBids(now time.Time) (kept *journal.Batch) {
	s.oldBids = slices.DeleteFunc(s.oldBids, func(b OldBid) bool {
		missing := func(account string) bool {
			_, known := s.engine.Account(b.Merchant, account)
			return !known
		}
		if missing(b.Borrower) || slices.ContainsFunc(b.Owed, func(c engine.OldClaim) bool { return missing(c.Account) }) {
			return false
		}
		if _, known := s.engine.OldBid(b.Merchant, b.BidNo); !known { // else the store had it
			h, err := s.commit(engine.Command{Kind: engine.KindOldBid, At: now, Merchant: b.Merchant, OldBid: &b.OldBid}, nil)
			if kept = h.kept; err != nil {
				s.log.Error("old bid", "merchant", b.Merchant, "bid", b.BidNo, "err", err)
			}
		}
		return true
	})
	return kept
}

// commit is the one door through which anything ever happens to the engine,
// and through which it goes on record. Notices leave when it is kept.
func (s *Sandbox) commit(cmd engine.Command, hold *notifier.Hold) (happened, error) {
	out, err := s.engine.Apply(cmd)
	if err != nil {
		return happened{Outcome: out}, fmt.Errorf("sandbox: %s: %w", cmd.Kind, err)
	}
	s.feed.Touch(console.State)
	posts := make([]notifier.Post, 0, len(out.Notices))
	for _, notice := range out.Notices {
		p, sealErr := s.post(notice, hold)
		if sealErr != nil {
			err = errors.Join(err, sealErr)
			continue
		}
		posts = append(posts, p)
	}
	kept := s.journal.Add(Record{Command: &cmd, Decision: out.Decision}, out.Notices, func() {
		for _, p := range posts {
			s.notifier.Queue(p)
			s.feed.Touch(console.Notices)
		}
	})
	return happened{out, posts, kept}, err
}

// restoreNotices brings back the notices of an earlier life. What was not
// delivered is tried again at once.
func (s *Sandbox) restoreNotices(list []*journal.Notice) error {
	for _, n := range list {
		answer, err := s.merchants[n.Merchant].seal(skewed(n.Answer, s.skew))
		if err != nil {
			return fmt.Errorf("notice %d: %w", n.Seq, err)
		}
		s.notifier.Restore(notifier.Post{Notice: n.Notice, Answer: answer}, n.State, n.Attempts)
	}
	return nil
}

func (s *Sandbox) recordNotice(n notifier.Sent) {
	e := n.Envelope
	s.messages.Add(Message{
		At: s.Now(), Direction: messages.Out, Via: messages.ViaNotify, Peer: n.URL, Merchant: e.Merchant, Op: n.Op,
		Order: n.Order, Code: e.Code, Text: e.Text, XML: e.XML, Sign: e.Sign, Verified: n.Signed, Fault: n.Forgery,
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
		if err := s.command(engine.Command{Kind: engine.KindTick}); err != nil && !errors.Is(err, ErrClosed) {
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
	server.RegisterOnShutdown(s.feed.Close) // else it waits for listeners who stay
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
	return errors.Join(err, s.notifier.Wait(ctx), s.Close())
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
	s.feed.Close()
	if server != nil {
		err = server.Close()
	}
	s.stop()
	s.notifier.Close()
	s.watch.Wait()
	err = errors.Join(err, s.journal.Close())
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
	return err
}
