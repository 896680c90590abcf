package orderstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// carries is the effect of a release that carries what failed into a new order.
func (s *shop) carries(b *orders.Book, step func(string)) {
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
		for _, row := range a.Done(q.Rows) {
			if err := s.credit(ctx, tx, row.ToAccount, row.Amount); err != nil {
				return err
			}
		}
		step("before carrying")
		_, err := b.Carry(ctx, tx, o, a, nil)
		step("carried")
		return err
	})
}

// A program is killed between any two steps of a batch, the carrying of its failed
// row and the new order: each row is paid once, and carried once.
func TestCrashPointsOfCarry(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.carries(s.book, func(string) {})
		seen := make(map[string]bool)
		want := ips.Amount(0)
		for n := 1; ; n++ {
			require.Less(t, n, 80, "it never came through")
			q := release(3)
			q.OrderNo = fmt.Sprintf("CRASH%d", n)
			s.ips.mu.Lock()
			s.ips.failRow[q.OrderNo] = 1
			s.ips.mu.Unlock()
			var o orders.Order
			step := s.untilWith(n, s.carries, func(b *orders.Book, _ func(string)) {
				assert.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) (err error) { o, err = b.Record(bg(), tx, q); return err }))
				_, _ = b.Send(bg(), o)
				s.advance(time.Minute)
				_ = b.Do(bg())
			})
			seen[step] = true
			if o.Key == "" {
				continue
			}
			// Another program goes on, and IPS tells of what it has done.
			for range 3 {
				s.advance(time.Hour)
				s.do(s.book)
				for _, no := range s.deals() {
					post(s.client, s.book.Hear, ips.OpTransfer, s.ips.notice(no))
				}
			}
			d := s.ips.deal(o.OrderNo)
			if d == nil { // killed before a byte left
				s.is(o, orders.StateUnknown)
				continue
			}
			want += 200 * ips.Yuan
			s.is(o, orders.StateDone)
			var to string
			var rows int
			require.NoError(t, s.db.QueryRow(bind(s.kind.dialect, "SELECT COUNT(*), MAX(carried_to) FROM ips_carried WHERE order_key = ?"), o.Key).Scan(&rows, &to))
			require.Equal(t, 1, rows, "killed at %q", step)
			next, err := s.book.Order(bg(), to)
			require.NoError(t, err)
			if next.State == orders.StateDone {
				want += 100 * ips.Yuan
				require.Equal(t, 1, s.ips.deal(next.OrderNo).messages)
			} else { // killed before a byte of it left
				require.Equal(t, orders.StateUnknown, next.State)
				require.Nil(t, s.ips.deal(next.OrderNo), "killed at %q", step)
			}
			require.Equal(t, 1, d.messages)
			require.Equal(t, want, s.balance(account), "killed at %q", step)
			if step == "" {
				break
			}
		}
		for _, step := range []string{"effect", "before carrying", "carried", "effected", "commit", "committed", "leased", "called"} {
			assert.True(t, seen[step], "never killed at %s", step)
		}
	})
}

// deals are the numbers of what IPS has.
func (s *shop) deals() (all []string) {
	s.ips.mu.Lock()
	defer s.ips.mu.Unlock()
	for no, d := range s.ips.byNo {
		if d.state != "" {
			all = append(all, no)
		}
	}
	return all
}

// A program is killed between any two steps of moving orders out: each has gone to
// the archive once, or is still there.
func TestCrashPointsOfRetire(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		_, err := s.db.Exec("CREATE TABLE archive (order_key VARCHAR(96) NOT NULL)")
		require.NoError(t, err)
		archive := func(step func(string)) func(context.Context, *sql.Tx, []orders.Leaving) error {
			return func(ctx context.Context, tx *sql.Tx, leaving []orders.Leaving) error {
				for _, l := range leaving {
					step("leaving")
					if len(l.Answers) != 1 {
						return fmt.Errorf("%d answers", len(l.Answers))
					}
					if _, err := tx.ExecContext(ctx, bind(s.kind.dialect, "INSERT INTO archive (order_key) VALUES (?)"), l.Order.Key); err != nil {
						return err
					}
				}
				step("archived")
				return nil
			}
		}
		count := func(table string) (n int) {
			require.NoError(t, s.db.QueryRow("SELECT COUNT(*) FROM "+table).Scan(&n))
			return n
		}
		gone := 0
		seen := make(map[string]bool)
		for n := 1; ; n++ {
			require.Less(t, n, 30, "it never came through")
			var all []orders.Order
			for range 2 {
				o, err := s.book.Send(bg(), s.record(s.book, autoBid(ips.Yuan)))
				require.NoError(t, err)
				all = append(all, o)
			}
			before := time.Now().Add(1000 * time.Hour)
			step := s.untilWith(n, func(b *orders.Book, _ func(string)) { s.effects(b) }, func(b *orders.Book, step func(string)) {
				_, _ = b.Retire(bg(), before, archive(step))
			})
			seen[step] = true
			require.Equal(t, count("ips_gone"), count("archive"), "killed at %q", step)
			_, err := s.book.Retire(bg(), before, archive(func(string) {}))
			require.NoError(t, err)
			gone += len(all)
			require.Equal(t, []int{gone, gone, 0, 0, 0}, []int{count("archive"), count("ips_gone"), count("ips_order"), count("ips_answer"), count("ips_event")}, "killed at %q", step)
			for _, o := range all { // a copy is still a copy
				require.Equal(t, 200, post(s.client, s.book.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo)))
			}
			require.Empty(t, s.matters())
			if step == "" {
				break
			}
		}
		for _, step := range []string{"leaving", "archived", "commit", "committed"} {
			assert.True(t, seen[step], "never killed at %s", step)
		}
	})
}

// An effect has failed, and the program that tries it again is killed between any
// two steps of that.
func TestCrashPointsOfRetriedEffects(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		failing := s.open(pool(t, s.driver, s.dsn), nil)
		orders.Done(failing, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) error {
			return errors.Join(s.credit(ctx, tx, q.Account, q.Amount), errors.New("out of paper"))
		})
		s.effects(s.book)
		seen := make(map[string]bool)
		sum := ips.Amount(0)
		for n := 1; ; n++ {
			require.Less(t, n, 40, "it never came through")
			o := s.record(failing, autoBid(ips.Amount(n)))
			_, err := failing.Send(bg(), o)
			require.ErrorContains(t, err, "out of paper")
			s.is(o, orders.StateUnknown)
			require.Equal(t, sum, s.balance(account))
			s.advance(time.Minute)
			step := s.until(n, func(b *orders.Book) { assert.NoError(t, b.Do(bg())) })
			seen[step] = true
			s.advance(time.Hour)
			s.do(s.book)
			sum += ips.Amount(n)
			s.is(o, orders.StateDone)
			require.Equal(t, sum, s.balance(account), "killed at %q", step)
			require.Empty(t, s.matters())
			require.Equal(t, 1, s.ips.deal(o.OrderNo).messages)
			if step == "" {
				break
			}
		}
		for _, step := range []string{"claimed", "kept", "effect", "effected", "commit", "committed"} {
			assert.True(t, seen[step], "never killed at %s", step)
		}
	})
}
