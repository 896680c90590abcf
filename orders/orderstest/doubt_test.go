package orderstest

import (
	"context"
	"database/sql"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
	"github.com/ips-p2p/ips/orders/internal/hook"
)

// Decisions, notifications and what moves out, each with a commit whose answer is
// lost after it took place or before: each counts once.
func TestDecisionsInDoubt(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		var next atomic.Int64
		plain := pool(t, s.driver, s.dsn)
		db := sql.OpenDB(doubtful{plain.Driver(), s.dsn, &next})
		t.Cleanup(func() { _ = db.Close() })
		hook.Set(db, &hook.Hook{Skew: func() time.Duration { return time.Duration(s.skew.Load()) }})
		b, err := orders.Open(db, s.kind.dialect, orders.One(s.client), orders.WithPace(quick))
		require.NoError(t, err)
		s.effects(b)
		want := ips.Amount(0)
		for kind := int64(1); kind <= 3; kind++ {
			s.ips.fates = func(string, string, int) fate { return answerLost }
			o := s.record(b, withholding(10*ips.Yuan))
			s.days(b, 12)
			require.Equal(t, []string{"unknown"}, s.kinds())
			matter := s.matters()[0].Key
			next.Store(kind)
			require.NoError(t, b.Decide(bg(), matter, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "对账单"}))
			want += 10 * ips.Yuan
			s.is(o, orders.StateDone)

			s.ips.fates = func(string, string, int) fate { return fine }
			shown := s.record(b, recharge(10*ips.Yuan))
			next.Store(kind)
			form, err := b.Form(bg(), shown)
			require.NoError(t, err)
			s.ips.carry(form)
			next.Store(kind)
			assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(shown.OrderNo)))
			want += 10 * ips.Yuan
			s.is(shown, orders.StateDone)
			assert.Equal(t, want, s.balance(account))
			assert.Empty(t, s.kinds())

			left := make(map[string]bool)
			next.Store(kind)
			_, err = b.Retire(bg(), time.Now().Add(1000*time.Hour), func(_ context.Context, _ *sql.Tx, leaving []orders.Leaving) error {
				for _, l := range leaving {
					left[l.Order.Key] = true
				}
				return nil
			})
			require.NoError(t, err)
			assert.Len(t, left, 2)
			var gone int
			require.NoError(t, s.db.QueryRow("SELECT COUNT(*) FROM ips_gone").Scan(&gone))
			assert.Equal(t, int(2*kind), gone)
		}
	})
}
