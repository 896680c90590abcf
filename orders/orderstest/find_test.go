package orderstest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

func TestFind(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		o := s.record(s.book, recharge(10*ips.Yuan))
		found, err := s.book.Find(bg(), s.client.MerchantCode(), ips.OpRecharge, o.OrderNo)
		require.NoError(t, err)
		assert.Equal(t, o.Key, found.Key)
		_, err = s.book.Find(bg(), s.client.MerchantCode(), ips.OpWithdraw, o.OrderNo)
		require.Error(t, err, "another operation's number")
	})
}

func TestDialectsHaveNames(t *testing.T) {
	assert.Equal(t, "MySQL PostgreSQL SQLite", orders.MySQL.String()+" "+orders.PostgreSQL.String()+" "+orders.SQLite.String())
}

// A classifier of the merchant's own is asked before the book's.
func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		asked := 0
		book, err := orders.Open(s.db, s.kind.dialect, orders.One(s.client), orders.Prefix("E"), orders.Errors(func(error) orders.Fault {
			asked++
			return orders.Other
		}))
		require.NoError(t, err)
		tx, err := s.db.Begin()
		require.NoError(t, err)
		require.NoError(t, tx.Rollback())
		_, err = book.Record(bg(), tx, recharge(10*ips.Yuan))
		require.Error(t, err)
		assert.Positive(t, asked)
	})
}
