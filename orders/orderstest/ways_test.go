package orderstest

import (
	"context"
	"database/sql"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// The answer to an automatic bid looks like that to a manual one: it finds its
// order at either's address, and a copy at the other is a copy.
func TestSiblingOperation(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o, err := b.Send(bg(), s.record(b, autoBid(10*ips.Yuan)))
		require.NoError(t, err)
		assert.Equal(t, orders.StateUnknown, o.State)
		for _, op := range []ips.Operation{ips.OpRegisterCreditor, ips.OpAutoBid} {
			assert.Equal(t, http.StatusOK, post(s.client, b.Hear, op, s.ips.notice(o.OrderNo)), op)
			s.is(o, orders.StateDone)
		}
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		assert.Empty(t, s.matters())
		strays, err := b.Strays(bg(), 10)
		require.NoError(t, err)
		assert.Empty(t, strays)
	})
}

// Run calls IPS no more often than it was told, with however many workers.
func TestRate(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.PerSecond, pace.Workers = 20, 4
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		var mu sync.Mutex
		var calls []time.Time
		s.ips.during = func(string, string) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, time.Now())
		}
		const many = 10
		for range many {
			s.record(b, autoBid(ips.Yuan))
		}
		ctx, stop := context.WithCancel(bg())
		var running sync.WaitGroup
		running.Go(func() { assert.NoError(t, b.Run(ctx)) })
		eventually(t, 20*time.Second, "all are sent", func() bool { return s.balance(account) == many*ips.Yuan })
		stop()
		running.Wait()
		require.Len(t, calls, many)
		assert.GreaterOrEqual(t, calls[many-1].Sub(calls[0]), (many-2)*50*time.Millisecond)
	})
}

// A person decides nothing about an order that is being sent.
func TestNobodyDecidesUnderALease(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o, err := b.Send(bg(), s.record(b, withholding(10*ips.Yuan)))
		require.NoError(t, err)
		for range 3 {
			s.advance(13 * time.Hour)
			s.do(b)
		}
		again := s.matters()[0].Key
		require.NoError(t, b.Decide(bg(), again, orders.Decision{Verdict: orders.SendAgain, Who: "王五", Why: "再试"}))
		s.is(o, orders.StateUnknown)
		// While it is sent again a wrong answer makes a matter.
		var decided error
		s.ips.during = func(string, string) {
			post(s.client, b.Hear, ips.OpWithholdingRecharge, s.ips.notice(o.OrderNo, "<pTrdAmt>10.00<", "<pTrdAmt>11.00<"))
			for _, m := range s.matters() {
				decided = b.Decide(bg(), m.Key, orders.Decision{Verdict: orders.IsRefused, Who: "王五", Why: "没有"})
			}
		}
		s.do(b)
		require.ErrorIs(t, decided, orders.ErrBusy)
		s.is(o, orders.StateUnknown)
	})
}

// A repayment has at most 300 rows.
func TestRecordRefusesTooManyRows(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		q := ips.AutoRepayRequest{BidNo: "BID1", Date: ips.Today(), AuthNo: "A1", Account: account}
		for range 301 {
			q.Rows = append(q.Rows, ips.RepayRow{CreditorOrderNo: "C1", Account: "4021000000000002", Amount: ips.Yuan})
		}
		q.Amount, q.Fee = ips.RepayTotals(q.Rows)
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			var invalid *ips.ValidationError
			_, err := s.book.Record(bg(), tx, q)
			assert.ErrorAs(t, err, &invalid)
			for _, part := range orders.Split(q) {
				_, err := s.book.Record(bg(), tx, part)
				assert.NoError(t, err)
			}
			return nil
		}))
		open, err := s.book.OpenOrders(bg(), orders.Order{}, 10)
		require.NoError(t, err)
		assert.Len(t, open, 2)
	})
}
