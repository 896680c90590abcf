package orderstest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// A program that is slow with what it has claimed does not ask for it once its
// lease is over: others have asked.
func TestSlowProgramAsksNoSecondTime(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Call, pace.Lease, pace.Ask, pace.AskMax = 300*time.Millisecond, 600*time.Millisecond, time.Hour, time.Hour
		slowly := s.effects(s.open(pool(t, s.driver, s.dsn), func(step string) {
			if step == "asked" {
				time.Sleep(400 * time.Millisecond)
			}
		}, orders.WithPace(pace)))
		other := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		s.ips.fates = func(string, string, int) fate { return slowNoAnswer }
		for range 4 {
			_, err := other.Send(bg(), s.record(other, autoBid(10*ips.Yuan)))
			require.NoError(t, err)
		}
		s.advance(time.Hour)
		var both sync.WaitGroup
		claimed := make(chan struct{})
		both.Go(func() {
			close(claimed)
			assert.NoError(t, slowly.Do(bg()))
		})
		<-claimed
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			assert.NoError(t, other.Do(bg()))
		}
		both.Wait()
		require.Len(t, s.ips.queries, 4)
		for no, n := range s.ips.queries {
			assert.Equal(t, 1, n, no)
		}
	})
}

// What waits on hold is not sent by Run, although nobody trusts the database and
// calls of unknown fate are repeated.
func TestHoldIsNotRepeated(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Repeat = true
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		o := s.record(b, withholding(10*ips.Yuan), orders.Hold())
		_, err := b.Distrust(bg(), time.Now().Add(-time.Minute))
		require.NoError(t, err)
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		assert.Nil(t, s.ips.deal(o.OrderNo), "nothing was sent")
		assert.Equal(t, []string{"unknown"}, s.kinds())
	})
}

// A copy leaves what is written of the first: that it was the one that counted.
func TestCopyByAnotherWay(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o := s.record(b, autoBid(10*ips.Yuan))
		s.ips.during = func(string, string) {
			s.ips.during = nil
			go func() {
				for s.ips.notice(o.OrderNo) == nil {
					time.Sleep(time.Millisecond)
				}
				assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo)))
			}()
		}
		hold := s.effects(s.open(pool(t, s.driver, s.dsn), func(step string) {
			if step == "called" {
				eventually(t, 5*time.Second, "the notification is heard first", func() bool { return s.state(o) == orders.StateDone })
			}
		}))
		_, err := hold.Send(bg(), o)
		require.NoError(t, err)
		var verdict string
		require.NoError(t, s.db.QueryRow("SELECT verdict FROM ips_answer").Scan(&verdict))
		assert.Equal(t, "taken", verdict)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
	})
}

// A commit that took so long that a call could outlast the lease: nothing leaves.
func TestLeaseTookTooLong(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Call, pace.Lease = time.Second, 2*time.Second
		b := s.effects(s.open(pool(t, s.driver, s.dsn), func(step string) {
			if step == "leased" {
				time.Sleep(900 * time.Millisecond) // until 850 ms before the end
			}
		}, orders.WithPace(pace)))
		o := s.record(b, withholding(10*ips.Yuan))
		_, err := b.Send(bg(), o)
		require.ErrorIs(t, err, ips.ErrNotSent)
		s.is(o, orders.StateRecorded)
		assert.Nil(t, s.ips.deal(o.OrderNo))
	})
}

// A repetition that does not get through takes nothing back of what the first
// sending may have done.
func TestRepetitionNotSent(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Repeat = true
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o := s.record(b, withholding(10*ips.Yuan), orders.Hold())
		o, err := b.Send(bg(), o)
		require.NoError(t, err)
		s.is(o, orders.StateUnknown)
		down := httptest.NewServer(http.NotFoundHandler())
		down.Close()
		s.client = s.ips.client(t, func(c *ips.Config) { c.Environment = ips.EnvironmentAt(down.URL) })
		cut := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		s.advance(time.Minute)
		s.do(cut)
		s.is(o, orders.StateUnknown)
		s.advance(time.Minute)
		s.do(b)
		assert.Equal(t, 2, s.ips.deal(o.OrderNo).messages, "what was sent is on hold no more")
		s.is(o, orders.StateUnknown) // the second was a duplicate
	})
}

// A program that is told to end finishes its calls, and begins no more.
func TestRunEndsInACall(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Workers = 1
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		ctx, stop := context.WithCancel(bg())
		s.ips.during = func(string, string) {
			stop()
			time.Sleep(50 * time.Millisecond)
		}
		for range 3 {
			s.record(b, autoBid(10*ips.Yuan))
		}
		s.advance(time.Second)
		require.NoError(t, b.Run(ctx))
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		var sending int
		require.NoError(t, s.db.QueryRow("SELECT COUNT(*) FROM ips_order WHERE state = 'sending'").Scan(&sending))
		assert.Zero(t, sending)
	})
}

// A batch that was carried out and is said to have failed: not acknowledged, and
// a person's.
func TestBatchDoneAndFailed(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o := s.record(b, release(2))
		s.days(b, 2)
		s.is(o, orders.StateRowsDue)
		s.ips.finish(o.OrderNo, ips.TradeFailed)
		var heard error
		assert.Equal(t, http.StatusInternalServerError, post(s.client, b.Hear, ips.OpTransfer, s.ips.notice(o.OrderNo), &heard))
		require.ErrorIs(t, heard, orders.ErrAnswer)
		s.is(o, orders.StateRowsDue)
		assert.Equal(t, []string{"contradiction"}, s.kinds())
	})
}
