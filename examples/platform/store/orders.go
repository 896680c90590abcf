package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
)

// OrderKey names an order. The end of a bid repeats the number of its
// registration, so the number alone is not enough.
type OrderKey struct {
	Operation ips.Operation
	OrderNo   string
}

// Order is one thing asked of IPS.
type Order struct {
	OrderKey
	UserID    string // who asked
	BidNo     string // "" where no bid is concerned
	About     string // what it is, in Chinese
	Request   string // JSON of the SDK's request: with it the very same message can be sent again
	State     ips.OrderState
	Code      ips.Code
	Message   string // what IPS said, in Chinese
	Via       string // who said how it ended
	Facts     string // what that answer claimed
	Note      string // why the reconciler could not settle it
	Click     string // the page that it came from; "" for none
	Attempts  int    // calls to IPS by the platform itself
	CreatedAt time.Time
	TriedAt   time.Time
	SettledAt time.Time
}

const orderColumns = "operation, order_no, user_id, bid_no, about, request, state, code, message, via, facts, note, click, " +
	"attempts, created_at, tried_at, settled_at"

func (o *Order) into() []any {
	return []any{
		&o.Operation, &o.OrderNo, &o.UserID, &o.BidNo, &o.About, &o.Request, &o.State, &o.Code, &o.Message, &o.Via,
		&o.Facts, &o.Note, optional{&o.Click}, &o.Attempts, millis{&o.CreatedAt}, millis{&o.TriedAt}, millis{&o.SettledAt},
	}
}

// AddOrder records an order with the custody accounts whose money it moves.
// [Conflict] tells a click that has an order already.
func (t *Tx) AddOrder(ctx context.Context, o Order, accounts []string) error {
	err := t.insert(ctx, "orders", orderColumns, o.Operation, o.OrderNo, o.UserID, o.BidNo, o.About, o.Request, o.State,
		o.Code, o.Message, o.Via, o.Facts, o.Note, orNull(o.Click), o.Attempts, o.CreatedAt, o.TriedAt, o.SettledAt)
	for _, account := range accounts {
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "INSERT INTO order_accounts (operation, order_no, account) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			o.Operation, o.OrderNo, account)
	}
	return err
}

const whereOrder = " WHERE operation = $1 AND order_no = $2"

// Order finds an order.
func (q *Queries) Order(ctx context.Context, key OrderKey) (Order, error) {
	return one[Order](ctx, q, "SELECT "+orderColumns+" FROM orders"+whereOrder, key.Operation, key.OrderNo)
}

// LockOrder finds an order and keeps others from changing it.
func (t *Tx) LockOrder(ctx context.Context, key OrderKey) (Order, error) {
	return one[Order](ctx, &t.Queries, "SELECT "+orderColumns+" FROM orders"+whereOrder+t.locking(), key.Operation, key.OrderNo)
}

// OrderByClick finds the order that a page led to.
func (q *Queries) OrderByClick(ctx context.Context, click string) (Order, error) {
	return one[Order](ctx, q, "SELECT "+orderColumns+" FROM orders WHERE click = $1", click)
}

// SetOutcome writes down how far an order has come.
func (t *Tx) SetOutcome(ctx context.Context, o Order) error {
	return t.change(ctx, "UPDATE orders SET state = $3, code = $4, message = $5, via = $6, facts = $7, settled_at = $8, note = ''"+
		whereOrder, o.Operation, o.OrderNo, o.State, o.Code, o.Message, o.Via, o.Facts, o.SettledAt)
}

// Try notes that an order is about to be sent, if nobody else has since its
// attempts were counted: of several programs one may go ahead.
func (q *Queries) Try(ctx context.Context, key OrderKey, attempts int, now time.Time) (mine bool, err error) {
	n, err := q.exec(ctx, "UPDATE orders SET attempts = attempts + 1, tried_at = $4"+whereOrder+
		" AND attempts = $3 AND state IN ('recorded', 'pending')", key.Operation, key.OrderNo, attempts, now)
	return n == 1, err
}

// SetNote writes down why an open order could not be settled.
func (q *Queries) SetNote(ctx context.Context, key OrderKey, note string) error {
	_, err := q.exec(ctx, "UPDATE orders SET note = $3"+whereOrder+" AND state IN ('recorded', 'pending')", key.Operation, key.OrderNo, note)
	return err
}

// OpenOrders lists up to limit orders that are not settled, the longest
// untouched first: those that are older than age, and were tried longer ago
// than age times their attempts, so that what stays open is asked about less
// and less often.
func (q *Queries) OpenOrders(ctx context.Context, now time.Time, age time.Duration, limit int) ([]Order, error) {
	return list[Order](ctx, q, "SELECT "+orderColumns+" FROM orders WHERE state IN ('recorded', 'pending')"+
		" AND created_at <= $1 AND tried_at <= $2 - $3 * attempts ORDER BY tried_at, created_at, order_no LIMIT $4",
		now.Add(-age), now, age.Milliseconds(), limit)
}

// AllOpenOrders counts the orders that are not settled.
func (q *Queries) AllOpenOrders(ctx context.Context) (int, error) {
	n, err := one[count](ctx, q, "SELECT COUNT(*) FROM orders WHERE state IN ('recorded', 'pending')")
	return int(n), err
}

type count int64

func (c *count) into() []any { return []any{(*int64)(c)} }

// UserOrders lists the newest orders of a user.
func (q *Queries) UserOrders(ctx context.Context, userID string, limit int) ([]Order, error) {
	return list[Order](ctx, q, "SELECT "+orderColumns+" FROM orders WHERE user_id = $1 ORDER BY created_at DESC, order_no LIMIT $2", userID, limit)
}

// BidOrders lists the orders about a bid in their order.
func (q *Queries) BidOrders(ctx context.Context, bidNo string) ([]Order, error) {
	return list[Order](ctx, q, "SELECT "+orderColumns+" FROM orders WHERE bid_no = $1 ORDER BY created_at, order_no", bidNo)
}

// Orders lists the newest orders of all.
func (q *Queries) Orders(ctx context.Context, limit int) ([]Order, error) {
	return list[Order](ctx, q, "SELECT "+orderColumns+" FROM orders ORDER BY created_at DESC, order_no LIMIT $1", limit)
}

// Rivals lists other open orders that move money of the same accounts.
func (q *Queries) Rivals(ctx context.Context, key OrderKey) ([]Order, error) {
	return list[Order](ctx, q, "SELECT "+orderColumns+" FROM orders WHERE state IN ('recorded', 'pending')"+
		" AND NOT (operation = $1 AND order_no = $2)"+
		" AND EXISTS (SELECT 1 FROM order_accounts theirs JOIN order_accounts ours ON ours.account = theirs.account"+
		" WHERE theirs.operation = orders.operation AND theirs.order_no = orders.order_no"+
		" AND ours.operation = $1 AND ours.order_no = $2)", key.Operation, key.OrderNo)
}

// Answer is an answer of IPS that was heard, with the copies that came later.
type Answer struct {
	Key     string
	Code    ips.Code
	Message string
	Via     string
	Facts   string
	Copies  int
	HeardAt time.Time
}

func (a *Answer) into() []any {
	return []any{&a.Key, &a.Code, &a.Message, &a.Via, &a.Facts, &a.Copies, millis{&a.HeardAt}}
}

// Do implements [ips.Once]: the key is remembered in the same transaction in
// which fn works, which fn gets with [FromContext]. Of two programs that hear
// the same at the same time, one waits for the other's end at the unique key.
func (s *Store) Do(ctx context.Context, key ips.AnswerKey, fn func(context.Context) error) error {
	return s.Tx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, "INSERT INTO answers (key, operation, order_no, code, heard_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
			key.String(), key.Operation, key.OrderNo, key.Says, time.Now())
		switch {
		case err != nil:
			return err
		case n == 0:
			_, err := tx.exec(ctx, "UPDATE answers SET copies = copies + 1 WHERE key = $1", key.String())
			return err
		}
		return fn(context.WithValue(ctx, txKey{}, tx))
	})
}

type txKey struct{}

// FromContext is the transaction that [Store.Do] works in.
func FromContext(ctx context.Context) *Tx { return ctx.Value(txKey{}).(*Tx) }

// Describe adds to an answer that is being heard what it says.
func (t *Tx) Describe(ctx context.Context, key ips.AnswerKey, message, via, facts string) error {
	return t.change(ctx, "UPDATE answers SET message = $2, via = $3, facts = $4 WHERE key = $1", key.String(), message, via, facts)
}

// Answers lists what IPS has said of an order.
func (q *Queries) Answers(ctx context.Context, key OrderKey) ([]Answer, error) {
	return list[Answer](ctx, q, "SELECT key, code, message, via, facts, copies, heard_at FROM answers"+whereOrder+" ORDER BY heard_at, key",
		key.Operation, key.OrderNo)
}

// Contradiction is an answer that cannot be true together with what is known.
type Contradiction struct {
	ID string
	OrderKey
	Code       ips.Code
	Message    string
	Via        string
	Facts      string
	Problem    string
	Copies     int
	HeardAt    time.Time
	ResolvedBy string // user
	Resolution string
}

const contradictionColumns = "id, operation, order_no, code, message, via, facts, problem, copies, heard_at, resolved_by, resolution"

func (c *Contradiction) into() []any {
	return []any{
		&c.ID, &c.Operation, &c.OrderNo, &c.Code, &c.Message, &c.Via, &c.Facts, &c.Problem, &c.Copies, millis{&c.HeardAt},
		optional{&c.ResolvedBy}, &c.Resolution,
	}
}

// KeepContradiction keeps an answer for a person to look at; copies of it are
// counted.
func (q *Queries) KeepContradiction(ctx context.Context, c Contradiction) error {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(c.Operation), c.OrderNo, string(c.Code), c.Facts, c.Problem}, "\x00")))
	_, err := q.exec(ctx, "INSERT INTO contradictions ("+contradictionColumns+") VALUES ("+parameters(12)+")"+
		" ON CONFLICT (id) DO UPDATE SET copies = contradictions.copies + 1",
		hex.EncodeToString(sum[:]), c.Operation, c.OrderNo, c.Code, c.Message, c.Via, c.Facts, c.Problem, 0, c.HeardAt, nil, "")
	return err
}

// Contradictions lists those of an order, or of all orders if the key is zero:
// unresolved ones first, newest first.
func (q *Queries) Contradictions(ctx context.Context, key OrderKey) ([]Contradiction, error) {
	return list[Contradiction](ctx, q, "SELECT "+contradictionColumns+" FROM contradictions WHERE ($1 = '' OR operation = $1 AND order_no = $2)"+
		" ORDER BY CASE WHEN resolved_by IS NULL THEN 0 ELSE 1 END, heard_at DESC, id LIMIT 200", key.Operation, key.OrderNo)
}

// Resolve notes what a person found out about a contradiction.
func (q *Queries) Resolve(ctx context.Context, id, userID, resolution string) error {
	return q.change(ctx, "UPDATE contradictions SET resolved_by = $2, resolution = $3 WHERE id = $1 AND resolved_by IS NULL", id, userID, resolution)
}

// Posting is a line of the platform's books: what an order did to an account.
type Posting struct {
	OrderKey
	Line      int
	Account   string
	BidNo     string
	Available ips.Amount
	Frozen    ips.Amount
	About     string
	PostedAt  time.Time
}

const postingColumns = "operation, order_no, line, account, bid_no, available, frozen, about, posted_at"

func (p *Posting) into() []any {
	return []any{&p.Operation, &p.OrderNo, &p.Line, &p.Account, &p.BidNo, &p.Available, &p.Frozen, &p.About, millis{&p.PostedAt}}
}

// Post adds a line to the books. Lines are never changed.
func (t *Tx) Post(ctx context.Context, p Posting) error {
	return t.insert(ctx, "postings", postingColumns,
		p.Operation, p.OrderNo, p.Line, p.Account, p.BidNo, p.Available, p.Frozen, p.About, p.PostedAt)
}

// Postings lists the newest lines of an account.
func (q *Queries) Postings(ctx context.Context, account string, limit int) ([]Posting, error) {
	return list[Posting](ctx, q, "SELECT "+postingColumns+" FROM postings WHERE account = $1"+
		" ORDER BY posted_at DESC, operation, order_no, line DESC LIMIT $2", account, limit)
}

// Lines counts the lines about an account.
func (q *Queries) Lines(ctx context.Context, account string) (int, error) {
	n, err := one[count](ctx, q, "SELECT COUNT(*) FROM postings WHERE account = $1", account)
	return int(n), err
}

// OrderPostings lists what an order has moved.
func (q *Queries) OrderPostings(ctx context.Context, key OrderKey) ([]Posting, error) {
	return list[Posting](ctx, q, "SELECT "+postingColumns+" FROM postings"+whereOrder+" ORDER BY line", key.Operation, key.OrderNo)
}

// Balance is what an account has by the platform's books.
type Balance struct {
	Account   string
	Available ips.Amount
	Frozen    ips.Amount
}

func (b *Balance) into() []any { return []any{&b.Account, &b.Available, &b.Frozen} }

// PostgreSQL sums BIGINT into NUMERIC.
const sums = "account, CAST(COALESCE(SUM(available), 0) AS BIGINT), CAST(COALESCE(SUM(frozen), 0) AS BIGINT)"

// Balance sums up an account.
func (q *Queries) Balance(ctx context.Context, account string) (Balance, error) {
	all, err := list[Balance](ctx, q, "SELECT "+sums+" FROM postings WHERE account = $1 GROUP BY account", account)
	if err != nil || len(all) == 0 {
		return Balance{Account: account}, err
	}
	return all[0], nil
}

// Balances sums up every account that ever moved.
func (q *Queries) Balances(ctx context.Context) ([]Balance, error) {
	return list[Balance](ctx, q, "SELECT "+sums+" FROM postings GROUP BY account ORDER BY account")
}

// Frozen lists what each account has frozen for a bid.
func (q *Queries) Frozen(ctx context.Context, bidNo string) ([]Balance, error) {
	return list[Balance](ctx, q, "SELECT "+sums+" FROM postings WHERE bid_no = $1 GROUP BY account HAVING SUM(frozen) <> 0 ORDER BY account", bidNo)
}
