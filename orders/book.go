package orders

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders/internal/hook"
)

// Book is the orders of one or more merchants in one database. It is safe for
// concurrent use; make one per program.
type Book struct {
	db          *sql.DB
	dialect     Dialect
	clients     Clients
	classify    Classifier
	prefix      string
	aeads       []cipher.AEAD
	pace        Pace
	onError     func(error)
	effects     map[ips.Operation]*effects
	flights     flights
	calls       gate
	wake        chan struct{}
	hook        *hook.Hook
	queries     sync.Map             // texts to what the dialect makes of them
	isCommitted atomic.Pointer[bool] // whether MySQL's sessions are READ COMMITTED; nil: not asked yet
	noQuery     sync.Map             // merchant codes whose IPS does not know the trade query, to when that was heard
}

// Clients gives the client that speaks for a merchant. The empty code asks for
// the only one. Of many merchants it is the method Client of [ips.Merchants].
type Clients func(ctx context.Context, merchantCode string) (*ips.Client, error)

// One is the Clients of a single merchant.
func One(c *ips.Client) Clients {
	return func(_ context.Context, code string) (*ips.Client, error) {
		if code != "" && code != c.MerchantCode() {
			return nil, fmt.Errorf("orders: no client for merchant %.12q", code)
		}
		return c, nil
	}
}

// Option changes a default of [Open].
type Option func(*Book) error

// Prefix begins the order numbers that the book makes: at most 5 letters and
// digits. Give every program that makes numbers under the same merchant code a
// prefix of its own, this book's and others alike: then an answer about an order
// that the book does not know can be told from a lost order, and a repeated
// number from somebody else's. A counter of the database makes no good numbers:
// it starts again with a restored backup, and IPS never forgets a number.
func Prefix(prefix string) Option {
	return func(b *Book) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("orders: prefix %.20q: at most 5 letters and digits", prefix)
			}
		}()
		ips.NewOrderNo(prefix)
		b.prefix = prefix
		return nil
	}
}

// Encrypt seals requests and answers, which hold personal data, in the database.
// To change the key, open all programs with the former one behind the new one:
// the first seals, all of them open.
func Encrypt(key cipher.AEAD, former ...cipher.AEAD) Option {
	return func(b *Book) error {
		if key == nil {
			return errors.New("orders: Encrypt: no key")
		}
		b.aeads = append([]cipher.AEAD{key}, former...)
		return nil
	}
}

// Errors classifies the errors of a driver that the book does not know, or of a
// proxy that has errors of its own. [Other] leaves an error to the book.
func Errors(c Classifier) Option {
	return func(b *Book) error {
		own := b.classify
		b.classify = func(err error) Fault {
			if f := c(err); f != Other {
				return f
			}
			return own(err)
		}
		return nil
	}
}

// OnError hears what [Book.Run] could not do and will do again. The errors hold
// no secret and no personal data unless an effect put it there.
func OnError(f func(error)) Option {
	return func(b *Book) error {
		b.onError = f
		return nil
	}
}

// Pace is how fast the book works. Every zero means the default. The times are
// our choice: IPS says nothing of any.
type Pace struct {
	Workers   int           // calls of IPS at once by [Book.Run], each with at most one connection to the database at a time: 4
	PerSecond float64       // calls of IPS by Run of this program: 10
	Poll      time.Duration // how often Run looks for what is due: 1 s
	Grace     time.Duration // how long Run leaves a recorded order to [Book.Send]: 5 s
	Call      time.Duration // the longest a call may take: 30 s
	Lease     time.Duration // how long an order belongs to whoever sends it or asks for it, more than Call: 90 s
	Ask       time.Duration // from an unknown fate to the first question, doubled for each further one: 30 s
	AskForm   time.Duration // the same from the handing out of a form: 30 min
	AskMax    time.Duration // the longest between two questions: 1 h
	PageLife  time.Duration // how long a user may still carry a form to IPS: 24 h
	Patience  time.Duration // how long an order may be open before it becomes a matter for a person: 24 h
	Strangers time.Duration // how long an answer about an order that nobody knows is not acknowledged: 1 h
	Repeat    bool          // send a call of unknown fate again as the very same message, once per question, see [Book.Run]
}

// WithPace sets the pace.
func WithPace(p Pace) Option {
	return func(b *Book) error {
		if p.Workers < 0 || p.PerSecond < 0 {
			return errors.New("orders: WithPace: a number is negative")
		}
		or(&b.pace.Workers, p.Workers)
		or(&b.pace.PerSecond, p.PerSecond)
		for _, d := range []struct{ to, from *time.Duration }{
			{&b.pace.Poll, &p.Poll}, {&b.pace.Grace, &p.Grace}, {&b.pace.Call, &p.Call}, {&b.pace.Lease, &p.Lease}, {&b.pace.Ask, &p.Ask},
			{&b.pace.AskForm, &p.AskForm}, {&b.pace.AskMax, &p.AskMax}, {&b.pace.PageLife, &p.PageLife}, {&b.pace.Patience, &p.Patience},
			{&b.pace.Strangers, &p.Strangers},
		} {
			if *d.from < 0 {
				return errors.New("orders: WithPace: a time is negative")
			}
			or(d.to, *d.from)
		}
		b.pace.Repeat = p.Repeat
		if b.pace.Lease < b.pace.Call+b.pace.Call/2 {
			return fmt.Errorf("orders: WithPace: a lease of %v does not outlast a call of %v by half", b.pace.Lease, b.pace.Call)
		}
		if float64(b.pace.Workers)/b.pace.PerSecond > (b.pace.Lease - b.pace.Call*5/4).Seconds() {
			return errors.New("orders: WithPace: at so slow a rate a call would wait for longer than its lease")
		}
		return nil
	}
}

func or[T comparable](to *T, from T) {
	var zero T
	if from != zero {
		*to = from
	}
}

// againAfter is how long after the last handing out of a form the second "not
// found" must be said (our choice).
const againAfter = time.Hour

// Open makes a book of a database; it does no I/O. The pool stays the caller's.
//
// MySQL's driver needs no particular DSN; with tx_isolation='READ-COMMITTED' in it
// (transaction_isolation from MySQL 8.0 and MariaDB 11.1 on) each transaction of the
// book's takes a round trip less, with interpolateParams=true each statement. For SQLite give it
// _pragma=busy_timeout(5000), _pragma=journal_mode(WAL) and _txlock=immediate.
// Behind PgBouncer in transaction mode pgx needs default_query_exec_mode=exec.
func Open(db *sql.DB, d Dialect, clients Clients, opts ...Option) (*Book, error) {
	if db == nil || clients == nil || d < MySQL || d > SQLite {
		return nil, fmt.Errorf("orders: Open wants a database, one of the dialects and clients")
	}
	b := &Book{
		db: db, dialect: d, clients: clients, classify: d.Classify, hook: hook.Of(db),
		pace: Pace{Workers: 4, PerSecond: 10, Poll: time.Second, Grace: 5 * time.Second, Call: 30 * time.Second, Lease: 90 * time.Second,
			Ask: 30 * time.Second, AskForm: 30 * time.Minute, AskMax: time.Hour, PageLife: 24 * time.Hour, Patience: 24 * time.Hour, Strangers: time.Hour},
		onError: func(error) {},
		effects: make(map[ips.Operation]*effects),
		flights: flights{under: make(map[string]*flight)},
		wake:    make(chan struct{}, 1),
	}
	for _, o := range opts {
		if err := o(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// State is how far an order has come.
type State string

// The states. StateDone, StateRefused and StateClosed are ends, but for a late success.
const (
	StateRecorded State = "recorded" // nothing was sent; of a form: nothing was heard
	StateSending  State = "sending"  // a call is under way, or its program died in it
	StateUnknown  State = "unknown"  // it was sent, and nobody knows what became of it
	StatePending  State = "pending"  // IPS has accepted it and not decided
	StateRowsDue  State = "rowsdue"  // a batch was carried out, and which of its rows is not known yet
	StateDone     State = "done"     // carried out, and so is its effect
	StateRefused  State = "refused"  // IPS refused it
	StateClosed   State = "closed"   // by rule: a form that nobody carried on
)

// Ended reports whether the order has an end.
func (s State) Ended() bool { return s == StateDone || s == StateRefused || s == StateClosed }

// Order is an order of the book.
type Order struct {
	Key       string        // its key in the book's tables: merchant code, operation, number, ordinal
	Merchant  string        // merchant code
	Operation ips.Operation // what was asked
	OrderNo   string        // 商户订单号 pMerBillNo
	State     State
	Amount    ips.Amount  // what the request moves or is about, 0 if nothing
	Request   ips.Request // complete, as it goes out

	// New is false if Record found the order that the same click had made.
	New bool
	// Late: a success after a refusal, or after the order was closed.
	Late bool
	// Part: it is done, but some of its rows were not carried out.
	Part bool

	Recorded time.Time
	Ended    time.Time // zero while it is open
}

// What the book's methods return beside the errors of package ips and of the
// database. Find them with errors.Is.
var (
	// ErrBusy: somebody is sending the order or asking for it at this moment.
	ErrBusy = errors.New("order is under way")
	// ErrUnrecorded: the book has no such order, or its transaction is not
	// committed yet.
	ErrUnrecorded = errors.New("order is not recorded, or its transaction not committed")
	// ErrEnded: the order has an end already.
	ErrEnded = errors.New("order has ended")
	// ErrRecorded: the number is another order's. Of an end of a bid: there is one
	// that is open or done.
	ErrRecorded = errors.New("order number is recorded already")
	// ErrOpen: there is an open order about the same subject ([Only]).
	ErrOpen = errors.New("an order about the same is open")
	// ErrOtherContent: the click was recorded before, with other content.
	ErrOtherContent = errors.New("the same click with other content")
	// ErrAnswer: the answer says otherwise than was asked, or than an earlier one.
	// It was kept and shown to a person.
	ErrAnswer = errors.New("answer does not fit its order")
)

// errLostTx says that a transaction ended although nobody ended it.
var errLostTx = errors.New("the transaction was lost: an error of the database in it was swallowed")

// errSame leaves a transaction without a change.
var errSame = errors.New("nothing to change")

// step is a place where the tests kill the program.
func (b *Book) step(name string) {
	if b.hook != nil && b.hook.Step != nil {
		b.hook.Step(name)
	}
}

const (
	tries   = 12               // of a transaction that is lost to others
	txLimit = 30 * time.Second // of one transaction
)

// within runs f in a transaction of its own, again from its first statement
// after every fault that passes. done tells after a commit whose fate is in doubt
// whether it took place; nil means that f may be run again.
func (b *Book) within(ctx context.Context, done func(context.Context) (bool, error), f func(context.Context, *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A context that ends in a commit would leave its fate in doubt.
	ctx = context.WithoutCancel(ctx)
	for n := 1; ; n++ {
		committed, err := b.once(ctx, f)
		if err == nil {
			return nil
		}
		if errors.Is(err, errSame) {
			return nil
		}
		fault := b.classify(err)
		ended := errors.Is(err, sql.ErrTxDone) // by an effect
		if (committed && fault != Again || ended) && done != nil {
			took, readErr := b.settled(ctx, done)
			if readErr != nil {
				return fmt.Errorf("%w; and whether it was committed: %w", err, readErr)
			}
			if took {
				return nil
			}
			if ended {
				return &effectError{errors.New("it ended the book's transaction")}
			}
			fault = Again
		}
		if fault == Other && !committed || fault == Duplicate && n > 2 || n >= tries {
			return b.dialect.explain(err)
		}
		pause := time.Millisecond << min(n, 9)
		if fault == Gone {
			pause += 100 * time.Millisecond
		}
		time.Sleep(pause/2 + mathrand.N(pause))
	}
}

// once runs f in one transaction. committed says that the error is that of the
// commit.
func (b *Book) once(ctx context.Context, f func(context.Context, *sql.Tx) error) (committed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, txLimit)
	defer cancel()
	tx, err := b.db.BeginTx(ctx, b.isolation(ctx))
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(ctx, tx); err != nil {
		return false, err
	}
	b.step("commit")
	if err := tx.Commit(); err != nil {
		return true, err
	}
	b.step("committed")
	return false, nil
}

// settled asks until it knows whether a commit took place.
func (b *Book) settled(ctx context.Context, done func(context.Context) (bool, error)) (took bool, err error) {
	for n := 1; n <= tries; n++ {
		ctx, cancel := context.WithTimeout(ctx, txLimit)
		took, err = done(ctx)
		cancel()
		if err == nil {
			return took, nil
		}
		time.Sleep(20*time.Millisecond<<min(n, 6) + mathrand.N(20*time.Millisecond))
	}
	return false, err
}

// flights lets the answers about one order wait for each other in memory, where
// they hold no connection.
type flights struct {
	mu    sync.Mutex
	under map[string]*flight
}

type flight struct {
	turn    chan struct{}
	waiting int
}

// enter waits for its turn; waited says that another's came before.
func (f *flights) enter(ctx context.Context, key string) (leave func(), waited bool, err error) {
	f.mu.Lock()
	one := f.under[key]
	waited = one != nil
	if one == nil {
		one = &flight{turn: make(chan struct{}, 1)}
		f.under[key] = one
	}
	one.waiting++
	f.mu.Unlock()
	gone := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if one.waiting--; one.waiting == 0 {
			delete(f.under, key)
		}
	}
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; gone() }, waited, nil
	case <-ctx.Done():
		gone()
		return nil, waited, ctx.Err()
	}
}

// gate lets one through at a time, at most so many in a second.
type gate struct {
	mu   sync.Mutex
	next time.Time
}

func (g *gate) pass(ctx context.Context, perSecond float64) error {
	g.mu.Lock()
	now := time.Now()
	at := g.next
	if at.Before(now) {
		at = now
	}
	g.next = at.Add(time.Duration(float64(time.Second) / perSecond))
	g.mu.Unlock()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nudge tells Run that something may be due.
func (b *Book) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func token() string { return rand.Text() }

// keyOf is the beginning of the keys of all orders with a number: merchant code,
// operation and number. Manual and automatic orders of a kind share it, because
// their answers look the same.
func keyOf(merchant string, op ips.Operation, no string) string {
	r := ips.Reply{MerchantCode: merchant, Operation: op, OrderNo: no, Outcome: ips.Success}
	key, _ := r.Key()
	key.Says = ""
	return key.String()
}

// behind is the first key behind all that begin with a key.
func behind(key string) string { return strings.TrimSuffix(key, "/") + "0" }
