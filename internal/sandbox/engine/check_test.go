package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// CheckBooks is worth its name only if it notices damage.
func TestCheckBooksNoticesDamage(t *testing.T) {
	t.Parallel()
	for name, corrupt := range engine.Corruptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := busyTown(t)
			w.ok(w.submit("registerCretansfer", selling("D2", "B1", "C1", li, wang, "100.00", "100.00", "2")), "MG00000F")
			w.ok(w.submit("Transfer", transferring("T3", "B1", "4", transferRow("D2", "100.00", wang.account, "2.00", li.account, "1.00"))), "MG00000F")
			w.fault(fault{Name: "stay-pending", Op: "doDpTrade"})
			w.ok(w.submit("doDpTrade", recharging("R1", li, "10.00")), "MG00008F")
			require.NoError(t, w.e.CheckBooks())
			corrupt(w.e)
			require.Error(t, w.e.CheckBooks())
		})
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	w := busyTown(t)
	assert.Equal(t, w.at, w.e.Now().UTC())
	assert.Equal(t, "2014-11-24T12:00:00+08:00", w.e.Now().Format(time.RFC3339))
	assert.True(t, engine.New().Now().IsZero())

	merchants := w.e.Merchants()
	require.Len(t, merchants, 1)
	assert.Equal(t, "测试平台", merchants[0].Name)
	assert.Equal(t, w.balance(merchant), merchants[0].Balance)

	accounts := w.accounts("")
	require.Len(t, accounts, 4)
	assert.Equal(t, "110***********0001", accounts[0].IdentNo)
	assert.Equal(t, "张三", accounts[0].RealName)
	assert.True(t, accounts[0].Auto)

	end, ok := w.e.Order(merchant, "registerSubject", "B2", true)
	require.True(t, ok)
	assert.Equal(t, "MG02505F", end.Final.Code)
	add, ok := w.e.Order(merchant, "registerSubject", "B2", false)
	require.True(t, ok)
	assert.Equal(t, "MG02501F", add.Final.Code)
	_, ok = w.e.Order(other, "", "B2", false)
	assert.False(t, ok)
	assert.Len(t, w.orders(merchant), 4+4+2+1+2+1+2)
	_, ok = w.e.Ask("ASK0")
	assert.False(t, ok)
	_, ok = w.e.Bid(other, "B1")
	assert.False(t, ok)
	_, ok = w.e.Account("000000", zhang.account)
	assert.False(t, ok)
	_, ok = w.e.Balance("000000", zhang.account)
	assert.False(t, ok)

	totals := w.e.Totals()
	assert.Equal(t, 4, totals.Accounts)
	assert.Equal(t, int64(-41_000_00), totals.Outside)
	sum := totals.Users.Available + totals.Users.Frozen + totals.Users.Unsettled + totals.Fees + totals.Outside +
		totals.Merchants.Available + totals.Merchants.Frozen + totals.Merchants.Unsettled
	assert.Zero(t, sum)
}
