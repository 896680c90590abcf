package main

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
	"github.com/ips-p2p/ips/examples/platform/store/storetest"
)

// always makes the reconciler look at orders of any age.
const always = -time.Hour

// withholding records that the platform debits somebody's card.
func (w *world) withholding(o *Orders, p *person, amount ips.Amount) (store.Order, error) {
	u := p.user()
	return o.Record(context.Background(), u, store.NewID(), func(*store.Tx) (draft, error) {
		return draft{about: "商户发起代扣", request: ips.WithholdingRechargeRequest{
			OrderNo: ips.NewOrderNo("WH"), Date: ips.Today(), Amount: amount, FeePayer: ips.PlatformPaysFee,
			IdentNo: u.IdentNo, RealName: u.RealName, Account: u.Account, NotifyURL: o.notifyURL(ips.OpWithholdingRecharge),
		}}, nil
	})
}

func (w *world) orderState(key store.OrderKey) store.Order {
	w.t.Helper()
	order, err := w.app.store.Order(context.Background(), key)
	require.NoError(w.t, err)
	return order
}

// The plug is pulled at each point of an order's life. The program that comes
// after finds the order and brings it to its end, once.
func TestCrash(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		for _, at := range []point{afterRecord, afterAnswer, beforeCommit} {
			t.Run(string(at), func(t *testing.T) {
				w := newWorld(t, fresh(t, address))
				li := w.customer("李四", "100.00")
				w.settle()
				w.deaf.Store(true) // no notification helps

				doomed, _ := w.instance(w.site.URL)
				doomed.crash = func(p point) {
					if p == at {
						panic("pulled the plug")
					}
				}
				assert.PanicsWithValue(t, "pulled the plug", func() {
					order, err := w.withholding(doomed.Orders, li, 50*ips.Yuan)
					require.NoError(t, err)
					require.NoError(t, doomed.Send(context.Background(), order))
				})
				open, err := w.app.store.OpenOrders(t.Context(), time.Now(), always, 10)
				require.NoError(t, err)
				require.Len(t, open, 1)
				assert.Equal(t, ips.OrderRecorded, open[0].State)
				assertBalance(t, w.app.Orders, li.user().Account, 100*ips.Yuan)

				// The first round repeats the call, and learns that it is pending.
				report, err := w.app.Reconcile(t.Context(), always, 10)
				require.NoError(t, err)
				require.Len(t, report.Open, 1)
				assert.Equal(t, notePending, report.Open[0].Note)
				w.deaf.Store(false)
				w.settle()
				assert.Equal(t, ips.OrderDone, w.orderState(open[0].OrderKey).State)
				li.has(150*ips.Yuan, 0)
				w.assertQuiet()
			})
		}
	})
}

// Between the look at the balances and the comparison another order begins and
// ends, which moves as much the other way. It must not pass for proof that the
// open one was carried out.
func TestBooksMoveWhileBalancesAreAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	li := w.customer("李四", "5000.00")
	li.submit("/funds", "/recharge", url.Values{"amount": {"1000.00"}, "bank": {"00004"}}) // and closes the page
	w.settle()
	slow, _ := w.instance(w.site.URL)
	slow.crash = func(p point) {
		if p == afterLook {
			li.press("/funds", "/withdraw", url.Values{"amount": {"998.00"}}) // and a fee of 2.00
		}
	}
	report, err := slow.Reconcile(t.Context(), always, 10)
	require.NoError(t, err)
	require.Len(t, report.Open, 1)
	assert.Equal(t, noteTooNew, report.Open[0].Note)
	w.settle()
	li.has(4000*ips.Yuan, 0)

	slow.crash = nil
	report, err = slow.Reconcile(t.Context(), always, 10)
	require.NoError(t, err)
	require.Len(t, report.Open, 1)
	assert.Equal(t, noteUntouched, report.Open[0].Note)
}

// IPS has done it, and neither the web return nor the notification arrives:
// the balances tell. What comes late changes nothing.
func TestReconcileByBalance(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		zhang, li, wang := w.customer("张三", "1000.00"), w.customer("李四", "5000.00"), w.customer("王五", "5000.00")
		bid := zhang.borrows("3000.00", "100.00", "2", "3")
		li.bids(bid, "1000.00")
		wang.bids(bid, "2000.00")
		w.administer(bid, "release", nil)

		lost := func(p *person, page, action string, typed url.Values) store.Order {
			t.Helper()
			w.settle()
			w.deaf.Store(true)
			w.mute.Store(true)
			p.press(page, action, typed)
			report, err := w.app.Reconcile(t.Context(), always, 10)
			require.NoError(t, err)
			assert.Equal(t, 1, report.Looked)
			assert.Equal(t, 1, report.Settled, "%+v", report.Open)
			orders, err := w.app.store.UserOrders(t.Context(), p.user().ID, 1)
			require.NoError(t, err)
			w.deaf.Store(false)
			w.mute.Store(false)
			w.settle()
			return w.orderState(orders[0].OrderKey)
		}
		for _, order := range []store.Order{
			lost(li, "/funds", "/recharge", url.Values{"amount": {"70.00"}, "bank": {"00004"}}),
			lost(li, "/funds", "/withdraw", url.Values{"amount": {"30.00"}}),
			lost(zhang, "/loan/"+bid, "/loan/"+bid+"/repay", nil), // to two creditors
		} {
			assert.Equal(t, ips.OrderDone, order.State, order.About)
			assert.Equal(t, "balance query", order.Via, order.About)
		}
		assert.Contains(t, zhang.see("/loan/"+bid), "已还")
		w.assertQuiet()
		w.assertBooks()
	})
}

// What the balances cannot tell stays open, and says why.
func TestReconcileReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	li := w.customer("李四", "100.00")
	w.settle()

	noteOf := func(want int) []string {
		t.Helper()
		report, err := w.app.Reconcile(t.Context(), always, 10)
		require.NoError(t, err)
		require.Len(t, report.Open, want)
		var notes []string
		for _, o := range report.Open {
			notes = append(notes, o.Note)
			assert.Equal(t, o.Note, w.orderState(o.OrderKey).Note, "the note is kept")
		}
		return notes
	}
	// Nobody carried the form.
	li.submit("/funds", "/recharge", url.Values{"amount": {"10.00"}, "bank": {"00004"}})
	assert.Equal(t, []string{noteUntouched}, noteOf(1))

	// A second order on the same account is carried out and lost: which was it?
	w.deaf.Store(true)
	w.mute.Store(true)
	li.press("/funds", "/recharge", url.Values{"amount": {"10.00"}, "bank": {"00004"}})
	assert.Equal(t, []string{noteRivals, noteRivals}, noteOf(2))
	li.differs(100*ips.Yuan, 110*ips.Yuan)

	// The notification tells, and the balances fit again.
	w.deaf.Store(false)
	w.mute.Store(false)
	w.settle()
	assert.Equal(t, []string{noteUntouched}, noteOf(1))

	// Somebody pays money in that the platform knows nothing of.
	require.NoError(t, w.box.Deposit(w.app.client.MerchantCode(), li.user().Account, 333))
	assert.Equal(t, []string{noteDiffers}, noteOf(1))
	assert.Contains(t, w.admin.see("/admin/books"), "<strong>不一致")

	// The user takes it up again: the same order, not a new one.
	orders, err := w.app.store.UserOrders(t.Context(), li.user().ID, 10)
	require.NoError(t, err)
	for _, o := range orders {
		if o.State.Final() {
			continue
		}
		path := "/order/" + string(o.Operation) + "/" + o.OrderNo
		assert.Contains(t, li.press(path, path+"/continue", nil), "IPS 已处理成功")
	}
	w.settle()
	w.assertQuiet()
	li.differs(120*ips.Yuan, 120*ips.Yuan+333)
}

// differs asserts what the platform believes and what IPS says where they differ.
func (p *person) differs(platform, atIPS ips.Amount) {
	p.w.t.Helper()
	assertBalance(p.w.t, p.w.app.Orders, p.user().Account, platform)
	b, ok := p.w.box.Balance(p.w.app.client.MerchantCode(), p.user().Account)
	require.True(p.w.t, ok)
	assert.Equal(p.w.t, int64(atIPS), b.Available)
}

// An account opening that was left midway is resumed under its own number.
func TestOpeningIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	li := w.member("李四")
	first := li.submit("/account", "/account/open", nil) // the user closes the page
	report, err := w.app.Reconcile(t.Context(), always, 10)
	require.NoError(t, err)
	require.Len(t, report.Open, 1)
	assert.Equal(t, noteUser, report.Open[0].Note)
	second := li.submit("/account", "/account/open", nil)
	assert.Equal(t, ipsForm(first).Fields, ipsForm(second).Fields)
	li.pressForm(second, ipsForm(second), nil)
	w.settle()
	assert.NotEmpty(t, li.user().Account)
}

// A sale whose money is frozen is completed by whoever comes next, also if the
// program that should have done it is gone.
func TestSaleSurvivesACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	zhang, li, wang := w.customer("张三", "100.00"), w.customer("李四", "2000.00"), w.customer("王五", "2000.00")
	bid := zhang.borrows("1000.00", "0.00", "2", "1")
	li.bids(bid, "1000.00")
	w.administer(bid, "release", nil)
	share := sharesOf(t, w, li)[0]
	li.press("/claims", "/claims/"+share+"/sell", url.Values{"face": {"1000.00"}, "price": {"1000.00"}})
	sale := saleOf(t, w)

	// While the buyer is at IPS the offer is his alone, and the seller cannot
	// take it back.
	page := wang.submit("/market", "/market/"+sale+"/buy", nil)
	assert.Contains(t, li.see("/market"), "购买办理中")

	// The settlement of the registration is committed; then the plug is pulled
	// before the transfer is even recorded.
	w.deaf.Store(true)
	w.mute.Store(true)
	wang.pressForm(page, ipsForm(page), nil)
	s, err := w.app.store.Sale(t.Context(), sale)
	require.NoError(t, err)
	require.NoError(t, w.app.store.Tx(t.Context(), func(tx *store.Tx) error {
		order, err := tx.LockOrder(t.Context(), store.OrderKey{Operation: ips.OpRegisterDebtTransfer, OrderNo: s.OrderNo})
		if err != nil {
			return err
		}
		order.State = ips.OrderDone
		q, err := decode[ips.RegisterDebtTransferRequest](order.Request)
		if err != nil {
			return err
		}
		if err := saleRegistered(w.app.effect(t.Context(), tx, order), q, assumeSale(q)); err != nil {
			return err
		}
		return tx.SetOutcome(t.Context(), order)
	}))
	w.deaf.Store(false)
	w.mute.Store(false)

	_, err = w.app.Reconcile(t.Context(), always, 10)
	require.NoError(t, err)
	w.settle()
	s, err = w.app.store.Sale(t.Context(), sale)
	require.NoError(t, err)
	assert.Equal(t, store.SaleDone, s.State)
	li.has(1994*ips.Yuan, 0)  // 2,000 − 1 − 5
	wang.has(995*ips.Yuan, 0) // 2,000 − 1,000 − 5
	assert.Contains(t, wang.see("/claims"), "待收本金 1000.00 元")
	w.assertQuiet()
}

// Two programs on one database behave as one: whoever is asked, whoever is
// called back, whoever reconciles.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		other, site := w.instance(w.site.URL)
		li := w.customer("李四", "1000.00")

		// Orders begin at the second and come back to the first.
		li.site = site.URL
		page := li.press("/login", "/login", url.Values{"login": {li.login}, "password": {password}})
		require.Contains(t, page, "我的账户")
		li.recharge("500.00")
		w.settle()
		li.has(1500*ips.Yuan, 0)

		// Lost calls, reconciled by both at once.
		w.deaf.Store(true)
		for range 12 {
			_, err := w.withholding(other.Orders, li, 10*ips.Yuan)
			require.NoError(t, err)
		}
		var wg sync.WaitGroup
		for _, o := range []*Orders{w.app.Orders, other.Orders, w.app.Orders, other.Orders} {
			wg.Go(func() {
				_, err := o.Reconcile(context.Background(), always, 100)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		w.deaf.Store(false)
		w.settle()
		li.has(1620*ips.Yuan, 0)
		w.assertQuiet()
	})
}
