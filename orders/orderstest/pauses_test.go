package orderstest

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// However long the pauses of a pace are, their doubling does not overflow.
func TestLongPauses(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Ask = 36 * time.Hour
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		s.ips.fates = func(string, string, int) fate { return slow }
		o := s.record(b, autoBid(10*ips.Yuan))
		for range 30 {
			s.advance(37 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StatePending)
		assert.GreaterOrEqual(t, s.ips.queries[o.OrderNo], 25)
	})
}

func TestImpossiblePace(t *testing.T) {
	s := newShop(t, databases()[0])
	for _, p := range []orders.Pace{{Workers: -1}, {PerSecond: -1}, {PerSecond: 0.01}} {
		_, err := orders.Open(s.db, orders.SQLite, orders.One(s.client), orders.WithPace(p))
		require.Error(t, err)
	}
}

// An order that cannot be sent is a person's after a while, and goes out as soon
// as it can.
func TestUnsendable(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		truth := s.client
		down := httptest.NewServer(http.NotFoundHandler())
		down.Close()
		s.client = s.ips.client(t, func(c *ips.Config) { c.Environment = ips.EnvironmentAt(down.URL) })
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil))
		o := s.record(b, autoBid(10*ips.Yuan))
		for range 5 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateRecorded)
		assert.Empty(t, s.kinds())
		for range 5 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateRecorded)
		assert.Equal(t, []string{"unknown"}, s.kinds())
		s.client = truth
		b = s.effects(s.open(pool(t, s.driver, s.dsn), nil))
		s.advance(2 * time.Hour)
		s.do(b)
		s.is(o, orders.StateDone)
		assert.Empty(t, s.kinds())
	})
}

// A Closed effect that fails is a matter, as every other effect's failure.
func TestClosedEffectFails(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		fail := errors.New("out of paper")
		orders.Closed(b, func(context.Context, *sql.Tx, orders.Order, ips.RechargeRequest) (orders.After, error) {
			return orders.Kept, fail
		})
		o := s.record(b, recharge(10*ips.Yuan))
		_, err := b.Form(bg(), o)
		require.NoError(t, err)
		for range 14 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateRecorded)
		assert.Contains(t, s.kinds(), "effect")
		fail = nil
		for range 2 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateClosed)
		assert.Empty(t, s.kinds())
	})
}

// A program that is stopped for longer than its lease still hears the answer that
// it has in its hands.
func TestAnswerAfterTheLease(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Call, pace.Lease = 200*time.Millisecond, 400*time.Millisecond
		b := s.effects(s.open(pool(t, s.driver, s.dsn), func(step string) {
			if step == "called" {
				time.Sleep(500 * time.Millisecond)
			}
		}, orders.WithPace(pace)))
		o, err := b.Send(bg(), s.record(b, withholding(10*ips.Yuan)))
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o, err = b.Send(bg(), s.record(b, withholding(10*ips.Yuan)))
		require.NoError(t, err)
		assert.Equal(t, orders.StateUnknown, o.State)
	})
}

// What an effect's error says cannot keep the answer from being kept.
func TestErrorTextOfAnEffect(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		orders.Done(s.book, func(context.Context, *sql.Tx, orders.Order, ips.AutoBidRequest, *ips.CreditorResponse) error {
			return errors.New("bad \x00 text \xff" + strings.Repeat("\xfe好", 700))
		})
		o, err := s.book.Send(bg(), s.record(s.book, autoBid(10*ips.Yuan)))
		require.ErrorContains(t, err, "bad")
		s.is(o, orders.StateUnknown)
		assert.Equal(t, []string{"effect"}, s.kinds())
		var n int
		require.NoError(t, s.db.QueryRow("SELECT COUNT(*) FROM ips_answer").Scan(&n))
		assert.Equal(t, 1, n)
		err = s.book.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.Seen, Who: "王五\xff", Why: "\x00看过"})
		require.NoError(t, err)
	})
}

// An end of a bid goes out with the day of its sending; a notification that says
// so contradicts nobody.
func TestDayOfAnEnd(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o := s.record(b, bid("R1").End(ips.NewDate(2014, 12, 1)))
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		require.Equal(t, []string{"unknown"}, s.kinds())
		require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "环迅来电确认"}))
		s.is(o, orders.StateDone)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpEndBid, s.ips.notice("R1")))
		assert.Empty(t, s.kinds())
	})
}

// An effect that goes on failing is tried with growing pauses.
func TestFailingEffectPauses(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Grace = time.Second
		b := s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace))
		runs := 0
		orders.Done(b, func(context.Context, *sql.Tx, orders.Order, ips.AutoBidRequest, *ips.CreditorResponse) error {
			runs++
			return errors.New("out of paper")
		})
		_, err := b.Send(bg(), s.record(b, autoBid(10*ips.Yuan)))
		require.ErrorContains(t, err, "out of paper")
		for range 100 {
			s.advance(10 * time.Second)
			s.do(b)
		}
		assert.Less(t, runs, 20, "in 1000 seconds")
		assert.Greater(t, runs, 6)
	})
}
