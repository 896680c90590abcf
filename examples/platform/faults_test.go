package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
	"github.com/ips-p2p/ips/examples/platform/store/storetest"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// Whatever happens to the notification, the recharge is credited once. The web
// return does not get through.
func TestNotificationFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault   sandbox.Fault
		via     string
		strange int // contradictions
	}{
		"dropped":          {sandbox.Fault{Name: fault.NoticeDrop}, "balance query", 0},
		"delayed":          {sandbox.Fault{Name: fault.NoticeDelay, Delay: 200 * time.Millisecond}, "server to server", 0},
		"doubled":          {sandbox.Fault{Name: fault.NoticeDouble}, "server to server", 0},
		"badly signed":     {sandbox.Fault{Name: fault.NoticeBadSign}, "server to server", 0},
		"another merchant": {sandbox.Fault{Name: fault.NoticeOtherMerchant}, "server to server", 0},
		"another amount":   {sandbox.Fault{Name: fault.NoticeAmount}, "server to server", 1},
	}
	w := newWorld(t, storetest.SQLite(t))
	for name, test := range tests { // one after the other: the faults are the sandbox's
		t.Run(name, func(t *testing.T) {
			li := w.customer("李四", "100.00")
			w.settle()
			before := len(w.contradictions())
			_, err := w.box.OrderFault(test.fault)
			require.NoError(t, err)
			w.mute.Store(true)
			li.press("/funds", "/recharge", url.Values{"amount": {"50.00"}, "bank": {"00004"}})
			w.mute.Store(false)
			w.settle()
			if name == "dropped" {
				report, err := w.app.Reconcile(t.Context(), always, 10)
				require.NoError(t, err)
				assert.Equal(t, 1, report.Settled, "%+v", report.Open)
			}
			orders, err := w.app.store.UserOrders(t.Context(), li.user().ID, 1)
			require.NoError(t, err)
			assert.Equal(t, ips.OrderDone, orders[0].State)
			assert.Equal(t, test.via, orders[0].Via)
			li.has(150*ips.Yuan, 0)
			assert.Len(t, w.contradictions(), before+test.strange)
			require.NoError(t, w.box.LiftFaults())
		})
	}
}

// A call whose answer is lost has an unknown fate. It is repeated as the very
// same message, and its money moves once.
func TestCallFaults(t *testing.T) {
	t.Parallel()
	faults := map[string]sandbox.Fault{
		"refused before":      {Name: fault.HTTP502},
		"lost after":          {Name: fault.HTTP500, After: true},
		"reset after":         {Name: fault.Reset, After: true},
		"cut off":             {Name: fault.Truncate},
		"answered by a fault": {Name: fault.SOAPFault, After: true},
	}
	w := newWorld(t, storetest.SQLite(t))
	zhang, li := w.customer("张三", "500.00"), w.customer("李四", "1001.00")
	bid := zhang.borrows("1000.00", "500.00", "2", "1")
	left, calls := 500*ips.Yuan, 0
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			fault.Op = "GuaranteeUnfreeze"
			_, err := w.box.OrderFault(fault)
			require.NoError(t, err)
			w.deaf.Store(true)
			page := w.admin.press("/admin/loan/"+bid, "/admin/loan/"+bid+"/unfreeze", url.Values{"amount": {"10.00"}})
			assert.Contains(t, page, "已记录，等待 IPS 结果")
			report, err := w.app.Reconcile(t.Context(), always, 10)
			require.NoError(t, err)
			assert.Equal(t, Report{Looked: 1, Settled: 1}, report)
			w.deaf.Store(false)
			w.settle()
			left -= 10 * ips.Yuan
			calls++
			zhang.has(500*ips.Yuan-left, left)
		})
	}
	assert.Equal(t, len(faults), calls)
	li.bids(bid, "1000.00")

	// A row that fails stays frozen, and is released by the next order.
	_, err := w.box.OrderFault(sandbox.Fault{Name: fault.Row, Op: "Transfer", Row: 1})
	require.NoError(t, err)
	w.administer(bid, "release", nil)
	li.has(0, 1001*ips.Yuan)
	w.administer(bid, "release", nil)
	li.has(0, 0)
	w.assertQuiet()
	w.assertBooks()
}

// An order that its user has left stands in the way of others until somebody
// gives it up, which needs proof that it was not carried out.
func TestVoid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	zhang, li, zhao := w.customer("张三", ""), w.customer("李四", "2000.00"), w.customer("赵六", "1000.00")
	bid := zhang.borrows("1000.00", "0.00", "2", "2")
	zhao.press("/loan/"+bid, "/loan/"+bid+"/guarantee", url.Values{"margin": {"500.00"}, "profit": {"0.00"}})
	li.bids(bid, "1000.00")
	w.administer(bid, "release", nil)

	left := zhang.submit("/loan/"+bid, "/loan/"+bid+"/repay", nil) // and closes the page
	guarantee := url.Values{"guarantee": {guaranteeOf(t, w, bid)}}
	assert.Contains(t, w.administer(bid, "compensate", guarantee), "另有未完成的订单")
	orders, err := w.app.store.UserOrders(t.Context(), zhang.user().ID, 1)
	require.NoError(t, err)
	path := "/" + strings.Join([]string{"order", string(orders[0].Operation), orders[0].OrderNo}, "/")
	assert.Contains(t, w.admin.press(path, "/admin"+path+"/void", nil), "未满 2 小时")

	w.app.now = func() time.Time { return time.Now().Add(voidAge + time.Minute) }
	assert.Contains(t, w.admin.press(path, "/admin"+path+"/void", nil), "平台作废")
	w.administer(bid, "compensate", guarantee)
	zhao.has(500*ips.Yuan, 490*ips.Yuan)
	w.assertQuiet()

	// He finds the old page and confirms it after all. IPS does it: a person
	// must hear of it.
	zhang.pressForm(left, ipsForm(left), nil)
	w.settle()
	contradictions := w.contradictions()
	require.Len(t, contradictions, 1)
	page := w.admin.press("/admin/contradictions", "/admin/contradictions/"+contradictions[0].ID+"/settle", url.Values{"resolution": {"已与 IPS 核实，退回借款人"}})
	assert.Contains(t, page, "已与 IPS 核实，退回借款人")
	assert.Equal(t, store.OrderKey{Operation: ips.OpRepay, OrderNo: orders[0].OrderNo}, contradictions[0].OrderKey)
}
