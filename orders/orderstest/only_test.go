package orderstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

func (s *shop) tryRecord(b *orders.Book, req ips.Request, opts ...orders.RecordOption) (o orders.Order, err error) {
	err = inTx(bg(), s.db, func(tx *sql.Tx) error {
		o, err = b.Record(bg(), tx, req, opts...)
		return err
	})
	return o, err
}

// One order about a subject is open, and its end makes room for the next: in its
// effect already, after a refusal and after a late success.
func TestOnly(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		only := orders.Only("withhold 1")
		var inEffect orders.Order
		orders.Done(s.book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) (err error) {
			if q.Amount == 10*ips.Yuan {
				inEffect, err = s.book.Record(ctx, tx, autoBid(20*ips.Yuan), only)
			}
			return err
		})
		first := s.record(s.book, autoBid(10*ips.Yuan), only, orders.Click("a"))
		for range 2 {
			o, err := s.tryRecord(s.book, autoBid(15*ips.Yuan), only, orders.Click("b"))
			require.ErrorIs(t, err, orders.ErrOpen)
			assert.Equal(t, first.Key, o.Key)
			assert.Equal(t, first.Request, o.Request)
			assert.False(t, o.New)
		}
		o, err := s.tryRecord(s.book, autoBid(10*ips.Yuan), only, orders.Click("a"))
		require.NoError(t, err, "the same click")
		assert.Equal(t, first.Key, o.Key)
		s.record(s.book, autoBid(15*ips.Yuan), orders.Only("withhold 2"))
		s.record(s.book, autoBid(15*ips.Yuan))

		o, err = s.book.Send(bg(), first)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		o, err = s.tryRecord(s.book, autoBid(30*ips.Yuan), only)
		require.ErrorIs(t, err, orders.ErrOpen)
		assert.Equal(t, inEffect.Key, o.Key)

		s.ips.fates = func(string, string, int) fate { return refused }
		o, err = s.book.Send(bg(), inEffect)
		require.NoError(t, err)
		assert.Equal(t, orders.StateRefused, o.State)
		third := s.record(s.book, autoBid(30*ips.Yuan), only)
		// The refusal was wrong: the late success ends nothing that is open.
		post(s.client, s.book.Hear, ips.OpAutoBid, s.ips.notice(inEffect.OrderNo))
		o, err = s.tryRecord(s.book, autoBid(40*ips.Yuan), only)
		require.ErrorIs(t, err, orders.ErrOpen)
		assert.Equal(t, third.Key, o.Key)
		_, err = s.tryRecord(s.book, func() ips.Request { q := autoBid(ips.Yuan); q.OrderNo = first.OrderNo; return q }(), orders.Only("withhold 3"))
		require.ErrorIs(t, err, orders.ErrRecorded, "another's number")

		// What moves out leaves nothing behind.
		s.ips.fates = func(string, string, int) fate { return fine }
		_, err = s.book.Send(bg(), third)
		require.NoError(t, err)
		_, err = s.book.Retire(bg(), time.Now().Add(1000*time.Hour), func(context.Context, *sql.Tx, []orders.Leaving) error { return nil })
		require.NoError(t, err)
		s.record(s.book, autoBid(50*ips.Yuan), only)
	})
}

// Many ask at once, again and again, while what they asked for ends: no two are
// ever open.
func TestOnlyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.effects(s.book)
		const rounds = 6
		only := orders.Only("withhold 1")
		var mu sync.Mutex
		var recorded []orders.Order
		var running sync.WaitGroup
		for w := range 4 {
			b := s.effects(s.open(pool(t, s.driver, s.dsn), nil))
			running.Go(func() {
				for n := range rounds {
					for {
						o, err := s.tryRecord(b, autoBid(ips.Yuan), only, orders.Click(fmt.Sprint(w, " ", n)))
						if err == nil && o.New {
							open, err := b.OpenOrders(bg(), orders.Order{}, 10)
							mu.Lock()
							assert.NoError(t, err)
							assert.LessOrEqual(t, len(open), 1, "open at once")
							recorded = append(recorded, o)
							mu.Unlock()
							// Whoever asks has it locked for a moment, so a sending may come too late.
							for sent := range 20 {
								if o, err = b.Send(bg(), o); err == nil {
									break
								}
								assert.Less(t, sent, 19, "%v", err)
							}
							break
						}
						if !errors.Is(err, orders.ErrOpen) && err != nil {
							t.Log(err) // of the database: begin anew
						}
						time.Sleep(20 * time.Millisecond)
					}
				}
			})
		}
		running.Wait()
		require.Len(t, recorded, 4*rounds)
		slices.SortFunc(recorded, func(a, b orders.Order) int { return a.Recorded.Compare(b.Recorded) })
		for i, o := range recorded {
			o, err := s.book.Order(bg(), o.Key)
			require.NoError(t, err)
			assert.Equal(t, orders.StateDone, o.State)
			if i > 0 {
				before, err := s.book.Order(bg(), recorded[i-1].Key)
				require.NoError(t, err)
				assert.False(t, o.Recorded.Before(before.Ended.Add(-100*time.Millisecond)), "%v before %v", o.Recorded, before.Ended)
			}
		}
		assert.Equal(t, 4*rounds*ips.Yuan, s.balance(account))
	})
}

// The program that records, sends and hears is killed between any two steps: the
// subject is taken as long as the order is open, and no longer.
func TestCrashPointsOfOnly(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.effects(s.book)
		seen := make(map[string]bool)
		for n := 1; ; n++ {
			require.Less(t, n, 40, "it never came through")
			only := orders.Only(fmt.Sprint("withhold ", n))
			var o orders.Order
			step := s.until(n, func(b *orders.Book) {
				assert.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) (err error) { o, err = b.Record(bg(), tx, autoBid(ips.Yuan), only); return err }))
				_, _ = b.Send(bg(), o)
			})
			seen[step] = true
			next, err := s.tryRecord(s.book, autoBid(2*ips.Yuan), only)
			if now, readErr := s.book.Order(bg(), o.Key); o.Key != "" && readErr == nil && !now.State.Ended() {
				require.ErrorIs(t, err, orders.ErrOpen, "killed at %q", step)
				require.Equal(t, o.Key, next.Key)
			} else {
				require.NoError(t, err, "killed at %q", step)
			}
			if step == "" {
				break
			}
		}
		for _, step := range []string{"recorded", "leased", "called", "effected", "commit", "committed"} {
			assert.True(t, seen[step], "never killed at %s", step)
		}
	})
}

// An effect reads orders in its own transaction, with no connection but that.
func TestReadInEffect(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		other, err := orders.Open(pool(t, s.driver, s.dsn), s.kind.dialect, orders.One(s.client), orders.Prefix("O"))
		require.NoError(t, err)
		own := pool(t, s.driver, s.dsn)
		own.SetMaxOpenConns(1)
		b := s.open(own, nil)
		var key string
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) error {
			next, err := b.Record(ctx, tx, recharge(ips.Yuan))
			if err != nil {
				return err
			}
			key = next.Key
			byKey, err := b.Order(ctx, key)
			if err != nil {
				return err
			}
			byNo, err := b.Find(ctx, o.Merchant, ips.OpRecharge, next.OrderNo)
			if err != nil {
				return err
			}
			assert.Equal(t, byKey, byNo)
			assert.Equal(t, next.Request, byNo.Request)
			if _, err = b.Order(ctx, "nothing"); !errors.Is(err, orders.ErrUnrecorded) {
				return fmt.Errorf("found nothing: %w", err)
			}
			if _, err = other.Order(ctx, key); !errors.Is(err, orders.ErrUnrecorded) {
				return fmt.Errorf("another book's: %w", err)
			}
			return nil
		})
		o, err := b.Send(bg(), s.record(s.book, autoBid(ips.Yuan)))
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		_, err = b.Order(bg(), key)
		require.NoError(t, err)
	})
}
