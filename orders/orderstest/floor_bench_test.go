package orderstest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// BenchmarkFloor holds each step of an order against the bare durable transaction
// that it cannot do without, through the same driver, into the same tables, in
// turn with it: recording is one insert, an answer is an update by key and an
// insert. Each iteration is a round of both. The metrics are microseconds per call
// and worker, and their ratio, each the median of the rounds.
//
//	go test -run '^$' -bench Floor -benchtime 20x .
func BenchmarkFloor(b *testing.B) {
	for _, d := range databases() {
		if d.name == "PgBouncer" {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			f := newFloor(b, d)
			for _, workers := range []int{1, 8, 32} {
				for _, s := range f.steps() {
					b.Run(fmt.Sprintf("%s/%d", s.name, workers), func(b *testing.B) { f.ratio(b, s, workers) })
				}
			}
		})
	}
}

type floor struct {
	tb       testing.TB
	kind     database
	db       *sql.DB
	book     *orders.Book
	platform *platform
	client   *ips.Client
	insert   string
	body     []byte // of a recorded recharge
	answer   []byte // of an answer to it
	next     atomic.Int64
}

func newFloor(tb testing.TB, d database) *floor {
	f := &floor{tb: tb, kind: d, platform: newPlatform(tb)}
	driver, dsn := d.open(tb)
	switch d.dialect {
	case orders.SQLite:
		dsn = strings.Replace(dsn, "synchronous(NORMAL)", "synchronous(FULL)", 1) // else nothing is durable
	case orders.MySQL:
		dsn += "?interpolateParams=true&tx_isolation='READ-COMMITTED'"
	}
	f.db = pool(tb, driver, dsn)
	f.db.SetMaxOpenConns(40)
	f.db.SetMaxIdleConns(40)
	f.client = f.platform.client(tb)
	var err error
	f.book, err = orders.Open(f.db, d.dialect, orders.One(f.client), orders.Prefix("T"), orders.WithPace(orders.Pace{PerSecond: 1e6}), orders.OnError(func(err error) { tb.Logf("book: %v", err) }))
	require.NoError(tb, err)
	require.NoError(tb, f.book.Migrate(bg()))
	f.insert = bind(d.dialect, "INSERT INTO ips_order (order_key, merchant, op, order_no, state, ver, mark, lease, lease_us, due_us, made_us, touched_us, ended_us, "+
		"sent_us, handed_us, notfound_us, fen, sent, handed, tries, heard, notfound, flags, body) VALUES (?, '886000', 'recharge', ?, 'recorded', 1, '', '', 0, 0, ?, ?, 0, 0, 0, 0, 10000, 0, 0, 0, 0, 0, 1, ?)")
	o := f.record()
	require.NoError(tb, f.book.Hear(bg(), f.says(o)))
	require.NoError(tb, f.db.QueryRow(bind(d.dialect, "SELECT body FROM ips_order WHERE order_key = ?"), o.Key).Scan(&f.body))
	require.NoError(tb, f.db.QueryRow(bind(d.dialect, "SELECT body FROM ips_answer WHERE order_key = ?"), o.Key).Scan(&f.answer))
	return f
}

func (f *floor) record() (o orders.Order) {
	require.NoError(f.tb, inTx(bg(), f.db, func(tx *sql.Tx) (err error) {
		o, err = f.book.Record(bg(), tx, recharge(100*ips.Yuan))
		return err
	}))
	return o
}

// says is a success of a recharge as the readers of answers make it.
func (f *floor) says(o orders.Order) *ips.RechargeResponse {
	q := o.Request.(ips.RechargeRequest)
	a := &ips.RechargeResponse{Account: q.Account, Amount: q.Amount}
	*a.Base() = ips.Reply{MerchantCode: o.Merchant, Operation: o.Operation, OrderNo: o.OrderNo, Code: "MG00000F", Outcome: ips.Success, Via: ips.ServerToServer}
	return a
}

// bare inserts an order without the book and gives its key.
func (f *floor) bare(ctx context.Context) string {
	no := ips.NewOrderNo("F")
	key, now := "886000:recharge:"+no+"01", time.Now().UnixMicro()
	require.NoError(f.tb, inTx(ctx, f.db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, f.insert, key, no, now, now, f.body)
		return err
	}))
	return key
}

// outcome is the update and the insert that an answer cannot do without.
func (f *floor) outcome(ctx context.Context, key string) {
	now := time.Now().UnixMicro()
	require.NoError(f.tb, inTx(ctx, f.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, bind(f.kind.dialect, "UPDATE ips_order SET state = 'done', ver = ver + 1, mark = ?, touched_us = ?, ended_us = ?, heard = 1 WHERE order_key = ?"),
			strings.Repeat("m", 24), now, now, key); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, bind(f.kind.dialect, "INSERT INTO ips_answer (order_key, digest, says, way, verdict, heard_us, body) VALUES (?, ?, 'success', 3, 'taken', ?, ?)"),
			key, fmt.Sprintf("%064d", f.next.Add(1)), now, f.answer)
		return err
	}))
}

// step is what is measured: prepare makes what n calls need, before the clock runs.
type step struct {
	name    string
	prepare func(n int) (floor, book func(i int))
}

func (f *floor) steps() []step {
	many := func(n int) (keys []string, recorded []orders.Order) {
		for range n {
			keys, recorded = append(keys, f.bare(bg())), append(recorded, f.record())
		}
		return keys, recorded
	}
	return []step{
		{"record", func(int) (floor, book func(int)) {
			return func(int) { f.bare(bg()) }, func(int) { f.record() }
		}},
		{"hear", func(n int) (floor, book func(int)) {
			keys, recorded := many(n)
			return func(i int) { f.outcome(bg(), keys[i]) }, func(i int) { require.NoError(f.tb, f.book.Hear(bg(), f.says(recorded[i]))) }
		}},
		{"copy", func(n int) (floor, book func(int)) {
			keys, recorded := many(n)
			for _, o := range recorded {
				require.NoError(f.tb, f.book.Hear(bg(), f.says(o)))
			}
			return func(i int) { f.outcome(bg(), keys[i]) }, func(i int) { require.NoError(f.tb, f.book.Hear(bg(), f.says(recorded[i]))) }
		}},
		{"send", func(n int) (floor, book func(int)) { // two transactions, before and after the call
			keys, sent := make([]string, n), make([]orders.Order, n)
			for i := range n {
				keys[i] = f.bare(bg())
				require.NoError(f.tb, inTx(bg(), f.db, func(tx *sql.Tx) (err error) {
					sent[i], err = f.book.Record(bg(), tx, withholding(100*ips.Yuan), orders.Hold())
					return err
				}))
			}
			return func(i int) { f.outcome(bg(), keys[i]); f.outcome(bg(), keys[i]) }, func(i int) {
				o, err := f.book.Send(bg(), sent[i])
				require.NoError(f.tb, err)
				require.Equal(f.tb, orders.StateDone, o.State)
			}
		}},
	}
}

func (f *floor) ratio(b *testing.B, s step, workers int) {
	const calls = 20 // of each worker in a round
	together := func(call func(int)) time.Duration {
		begun := time.Now()
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := range calls {
					call(w*calls + i)
				}
			})
		}
		all.Wait()
		return time.Since(begun)
	}
	var bare, book, ratio []float64
	for i := range b.N {
		onFloor, onBook := s.prepare(workers * calls)
		var below, above time.Duration
		if i%2 == 0 { // neither always comes first
			below, above = together(onFloor), together(onBook)
		} else {
			above, below = together(onBook), together(onFloor)
		}
		bare, book, ratio = append(bare, below.Seconds()), append(book, above.Seconds()), append(ratio, above.Seconds()/below.Seconds())
	}
	per := func(all []float64) float64 { return median(all) * 1e6 / calls }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(bare), "floor-µs")
	b.ReportMetric(per(book), "book-µs")
	b.ReportMetric(median(ratio), "ratio")
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
