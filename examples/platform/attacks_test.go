package main

import (
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// A bid that waits for its borrower's text is registered again from a page that
// staff still has open: IPS refuses the number, which says nothing of the bid.
func TestPublishedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang := w.customer("张三", "100.00")
	require.NoError(t, w.box.SetAuto("808801", zhang.user().Account, false))
	page := zhang.submit("/borrow", "/borrow", url.Values{"amount": {"1000.00"}, "margin": {"100.00"}, "rate": {"12.00"}, "months": {"3"}, "mode": {"1"}, "purpose": {"购车"}})
	path := page.URL.Path
	bid := bidLink.FindStringSubmatch(path)[1]
	form := w.admin.submit("/admin"+path, "/admin"+path+"/publish", nil)
	for range 3 {
		w.admin.carries(form)
	}
	assert.Equal(t, LoanApplied, all[Loan](w, "bid_no = ?", bid)[0].State, "not failed")
	require.Eventually(t, func() bool {
		for _, sms := range w.box.Engine().Inbox("") {
			_ = w.box.ReplySMS(sms.ID, true)
		}
		return all[Loan](w, "bid_no = ?", bid)[0].State == LoanRaising
	}, patience, 20*time.Millisecond)
	w.settle()
	zhang.has(0, 100*ips.Yuan)
	w.administer(bid, "end", nil) // and is not stuck
	zhang.has(100*ips.Yuan, 0)
	w.assertQuiet()
	w.assertBooks()
}

// Genuine answers at addresses where they do not belong, of bids that IPS has
// refused: staff is shown none of it.
func TestAnswersElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, wang := w.customer("张三", ""), w.customer("王五", "")
	bid := zhang.borrows("9000.00", "0.00", "3", "1")
	for range 5 {
		page := wang.submit("/loan/"+bid, "/loan/"+bid+"/bid", url.Values{"amount": {"100.00"}})
		back := wang.pressForm(page, ipsForm(page), nil) // IPS's page, which carries the refusal
		answer := ipsForm(back)
		require.NotNil(t, answer)
		values := url.Values{}
		for _, f := range answer.Fields {
			values.Set(f.Name, f.Value)
		}
		for _, at := range []string{"/ips/notify/auto-bid", "/ips/notify/register-creditor", "/ips/return/auto-bid", "/ips/notify/recharge", "/ips/notify/transfer"} {
			ctx, cancel := wang.ctx()
			next, _ := wang.b.Post(ctx, wang.site+at, values)
			cancel()
			require.NotNil(t, next, at)
			assert.Less(t, next.Status, 500, at)
		}
	}
	w.settle()
	assert.Empty(t, w.matters())
	assert.Len(t, all[Act](w, "kind = 'bid'"), 5)
	w.assertBooks()
}

// While a buyer's money is on its way to the seller, somebody bids on the same loan:
// nothing is sent again for it, and the sale ends as IPS says.
func TestBidDuringTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, li := w.customer("张三", "100.00"), w.customer("李四", "2000.00")
	wang, poor := w.customer("王五", "3000.00"), w.customer("孙七", "101.00")
	bid := zhang.borrows("3000.00", "0.00", "3", "3")
	li.bids(bid, "1000.00")
	w.administer(bid, "release", nil)
	share := sharesOf(t, w, li)[0]
	li.press("/claims", "/claims/"+share+"/sell", nil)
	_, err := w.box.OrderFault(sandbox.Fault{Name: fault.Latency, Op: "Transfer", Delay: 600 * time.Millisecond, After: true})
	require.NoError(t, err)
	_, err = w.box.OrderFault(sandbox.Fault{Name: fault.NoticeDelay, Delay: 600 * time.Millisecond})
	require.NoError(t, err)
	wang.press("/market", "/market/"+saleOf(t, w)+"/buy", nil)
	require.Eventually(t, func() bool { return len(all[Act](w, "kind = 'sale'")) == 1 }, patience, 5*time.Millisecond)
	poor.bids(bid, "100.00")
	w.administer(bid, "release", nil)
	page := w.admin.press("/admin/orders", "/admin/reconcile", nil)
	assert.NotEmpty(t, page)
	require.Eventually(t, func() bool { return len(w.open()) == 0 }, patience, 20*time.Millisecond)
	w.settle()
	transfers := 0
	for _, m := range w.box.Unmasked() {
		if m.Op == "Transfer" && m.Direction == "in" {
			transfers++
		}
	}
	assert.Equal(t, 3, transfers, "two releases and one sale")
	wang.has(1995*ips.Yuan, 0)
	li.has(1994*ips.Yuan, 0) // 2,000 − 1,000 − 1, + 1,000 − 5
	assert.Equal(t, SaleDone, all[Sale](w, "1 = 1")[0].State)
	w.assertQuiet()
	w.assertBooks()
}

// With keys that everybody knows the program listens to nobody beyond the machine.
func TestRefuseStrangers(t *testing.T) {
	t.Parallel()
	public, own := ips.TestMerchant(), ips.TestMerchant()
	own.Cert = ips.NewSecret("another")
	for address, open := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "0.0.0.0:1": true, "[::]:1": true, "192.0.2.1:1": true} {
		listen, err := net.ResolveTCPAddr("tcp", address)
		require.NoError(t, err)
		assert.Equal(t, open, refuseStrangers(listen, public) != nil, address)
		assert.NoError(t, refuseStrangers(listen, own), address)
	}
}
