package orderstest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// tapped is a driver that tells of each query before it is sent.
type tapped struct {
	doubtful
	before func(query string)
}

func (d tapped) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := d.doubtful.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return tappedConn{c.(doubtfulConn), d.before}, nil
}

type tappedConn struct {
	doubtfulConn
	before func(string)
}

func (c tappedConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	c.before(q)
	return c.doubtfulConn.QueryContext(ctx, q, args)
}

func (c tappedConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	c.before(q)
	return c.doubtfulConn.PrepareContext(ctx, q)
}

// An order that hears a late success while it moves out does not take that with
// it.
func TestRetireWhileALateSuccessComes(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		if s.kind.dialect == orders.SQLite {
			t.Skip("SQLite has one writer")
		}
		refuse := func(b *orders.Book) *orders.Book {
			orders.Refused(b, func(context.Context, *sql.Tx, orders.Order, ips.RechargeRequest, *ips.Error) (orders.After, error) {
				return orders.Released, nil
			})
			return b
		}
		refuse(s.book)
		var o orders.Order
		var once sync.Once
		plain := pool(t, s.driver, s.dsn)
		db := sql.OpenDB(tapped{doubtful{plain.Driver(), s.dsn, new(atomic.Int64)}, func(query string) {
			if strings.Contains(query, "NOWAIT") {
				once.Do(func() {
					assert.Equal(t, http.StatusOK, post(s.client, s.book.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo)))
				})
			}
		}})
		t.Cleanup(func() { _ = db.Close() })
		mover := refuse(s.open(db, nil))
		s.ips.fates = func(string, string, int) fate { return refused }
		o = s.record(s.book, recharge(10*ips.Yuan))
		form, err := s.book.Form(bg(), o)
		require.NoError(t, err)
		require.NoError(t, bring(s.client, s.book.Hear, ips.OpRecharge, s.ips.carry(form)))
		s.is(o, orders.StateRefused)
		s.ips.finish(o.OrderNo, ips.TradeDone)
		_, err = mover.Retire(bg(), time.Now().Add(time.Hour), func(context.Context, *sql.Tx, []orders.Leaving) error { return nil })
		require.NoError(t, err)
		assert.Equal(t, []string{"late"}, s.kinds())
	})
}

// An effect that ends the book's transaction, which it must not, has its money
// moved once with the order, or not at all; then somebody is told.
func TestEffectEndsTheTransaction(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(*sql.Tx) error
		want  orders.State
		money ips.Amount
		kinds []string
	}{
		{"commit", (*sql.Tx).Commit, orders.StateDone, 10 * ips.Yuan, nil},
		{"rollback", (*sql.Tx).Rollback, orders.StateUnknown, 0, []string{"effect"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *shop) {
				runs := 0
				orders.Done(s.book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) error {
					runs++
					if err := s.credit(ctx, tx, q.Account, q.Amount); err != nil {
						return err
					}
					return c.end(tx)
				})
				o := s.record(s.book, autoBid(10*ips.Yuan))
				_, err := s.book.Send(bg(), o)
				if c.kinds == nil {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, "ended the book's transaction")
				}
				assert.Equal(t, 1, runs)
				for range 3 {
					post(s.client, s.book.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo))
				}
				s.is(o, c.want)
				assert.Equal(t, c.money, s.balance(account))
				assert.Equal(t, c.kinds, s.kinds())
			})
		})
	}
}

// Many clicks at once are one order, and none of them has to begin anew.
func TestClicksAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		for range 5 {
			token := ips.NewOrderNo("")
			var all sync.WaitGroup
			var fresh atomic.Int64
			for range 8 {
				all.Go(func() {
					assert.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
						o, err := s.book.Record(bg(), tx, recharge(10*ips.Yuan), orders.Click(token))
						if o.New {
							fresh.Add(1)
						}
						return err
					}))
				})
			}
			all.Wait()
			assert.Equal(t, int64(1), fresh.Load())
		}
	})
}

// Two carry the failed rows at once, each in a transaction that has read before:
// there is one new order.
func TestCarryAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		var kept ips.Response
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
			kept = a
			return nil
		})
		first := release(4)
		first.OrderNo = "REL1"
		s.ips.failRow["REL1"] = 2
		o, err := b.Send(bg(), s.record(b, first))
		require.NoError(t, err)
		keys := make(map[string]int)
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				assert.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRow("SELECT COUNT(*) FROM account").Scan(&n); err != nil {
						return err
					}
					time.Sleep(20 * time.Millisecond)
					next, err := b.Carry(bg(), tx, o, kept, nil)
					mu.Lock()
					keys[next.Key]++
					mu.Unlock()
					return err
				}))
			})
		}
		all.Wait()
		assert.Len(t, keys, 1)
	})
}

// A pool of one connection is enough for everything, effects that record too.
func TestOneConnection(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		db := pool(t, s.driver, s.dsn)
		db.SetMaxOpenConns(1)
		b := s.open(db, nil)
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
			_, err := b.Record(ctx, tx, autoBid(q.Amount), orders.Click(o.Key))
			return err
		})
		ctx, stop := context.WithCancel(bg())
		var running sync.WaitGroup
		running.Go(func() { assert.NoError(t, b.Run(ctx)) })
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				var o orders.Order
				assert.NoError(t, inTx(bg(), db, func(tx *sql.Tx) (err error) {
					o, err = b.Record(bg(), tx, recharge(10*ips.Yuan))
					return err
				}))
				form, err := b.Form(bg(), o)
				if assert.NoError(t, err) {
					assert.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
				}
			})
		}
		work.Wait()
		eventually(t, 20*time.Second, "what the effects recorded is done", func() bool {
			var n int
			require.NoError(t, s.db.QueryRow("SELECT COUNT(*) FROM ips_order WHERE state = 'done'").Scan(&n))
			return n == 8
		})
		stop()
		running.Wait()
		_, err := b.Matters(bg(), orders.Matter{}, 10)
		require.NoError(t, err)
		_, err = b.Retire(bg(), time.Now().Add(time.Hour), func(context.Context, *sql.Tx, []orders.Leaving) error { return nil })
		require.NoError(t, err)
	})
}

// The caller's context ends between any two steps: what was begun is finished or
// left to others, and nothing is sent twice.
func TestContextEndsAnywhere(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.effects(s.book)
		sum := ips.Amount(0)
		for n := 1; n < 60; n++ {
			ctx, cancel := context.WithCancel(bg())
			steps := 0
			b := s.effects(s.open(pool(t, s.driver, s.dsn), func(string) {
				if steps++; steps == n {
					cancel()
				}
			}))
			o := s.record(s.book, autoBid(ips.Amount(n)))
			_, _ = b.Send(ctx, o)
			_ = b.Do(ctx)
			cancel()
			for range 4 {
				s.advance(2 * time.Hour)
				s.do(s.book)
			}
			sum += ips.Amount(n)
			s.is(o, orders.StateDone)
			require.Equal(t, 1, s.ips.deal(o.OrderNo).messages)
			require.Equal(t, sum, s.balance(account))
			if steps < n {
				return
			}
		}
	})
}

// Two persons decide at once: one of them does.
func TestTwoPersonsDecide(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o := s.record(b, withholding(10*ips.Yuan))
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		key := s.matters()[0].Key
		var decided atomic.Int64
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				verdict := []orders.Verdict{orders.IsDone, orders.IsRefused}[i%2]
				err := b.Decide(bg(), key, orders.Decision{Verdict: verdict, Who: "王五", Why: "对账单"})
				if err == nil {
					decided.Add(1)
				}
			})
		}
		all.Wait()
		assert.Equal(t, int64(1), decided.Load())
		want := ips.Amount(0)
		if s.state(o) == orders.StateDone {
			want = 10 * ips.Yuan
		}
		assert.Equal(t, want, s.balance(account))
	})
}
