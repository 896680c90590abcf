package orderstest

import (
	"net/http"
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
