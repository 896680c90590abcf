package main

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

func (r *running) repays() {
	r.t.Helper()
	require.Regexp(r.t, `IPS 已(受理|处理成功)`, r.zhang.press("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil))
	r.settle()
}

// What IPS gives a buyer back when a claim is repaid, the platform's books give
// back too, whatever was said of his order before.
func TestBuyersAreFreed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) { // whose page was voided
		r := runningAt(t, address, "3")
		sale := r.offers("3000.00", "3000.00")
		page := r.wang.submit("/market", "/market/"+sale+"/buy", nil)
		buy := all[Act](r.world, "kind = 'buy'")[0]
		r.post("/admin"+orderPath(buy.Operation, buy.OrderNo)+"/void", nil)
		r.passes(hold + time.Second)
		r.repays()
		r.wang.carries(page) // all the same
		r.wang.has(1985*ips.Yuan, 3015*ips.Yuan)
		r.repays()
		r.repays()
		r.wang.has(5000*ips.Yuan, 0)
		r.assertBooks()
		r.administer(r.bid, "end", nil)
		r.wang.has(5000*ips.Yuan, 0)
		r.assertBooks()
	})
	t.Run("of whom IPS tells late", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		sale := r.offers("3000.00", "3000.00")
		page := r.wang.submit("/market", "/market/"+sale+"/buy", nil)
		for _, f := range []sandbox.Fault{{Name: fault.NoticeDrop, Op: "registerCretansfer", Count: 1000}, {Name: fault.HTTP502, Op: "QueryTrade", Count: 100000}} {
			_, err := r.box.OrderFault(f)
			require.NoError(t, err)
		}
		r.mute.Store(true)
		next := r.wang.pressForm(page, ipsForm(page), nil)
		ctx, cancel := r.wang.ctx()
		defer cancel()
		_, _ = r.wang.b.Follow(ctx, next)
		r.mute.Store(false)
		require.Equal(t, [2]ips.Amount{1985 * ips.Yuan, 3015 * ips.Yuan}, r.wang.atIPS())
		r.passes(hold + time.Second)
		for range 3 {
			r.repays()
		}
		require.Equal(t, [2]ips.Amount{5000 * ips.Yuan, 0}, r.wang.atIPS())
		r.wang.has(5000*ips.Yuan, 0)
		require.NoError(t, r.box.LiftFaults())
		require.Eventually(t, func() bool { return len(r.open()) == 0 }, patience, 20*time.Millisecond)
		r.wang.has(5000*ips.Yuan, 0)
		r.assertBooks()
	})
}

// A page of IPS that was opened is let be for a moment, once: whoever leaves one
// after the other keeps nobody from paying.
func TestMomentsDoNotAddUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, li, wang := w.customer("张三", "4000.00"), w.customer("李四", "3000.00"), w.customer("王五", "5000.00")
	zhou := w.customer("周八", "5000.00")
	bid := zhang.borrows("1000.00", "0.00", "2", "1")
	for range 4 {
		li.bids(bid, "250.00")
	}
	w.administer(bid, "release", nil)
	for _, share := range sharesOf(t, w, li) {
		li.sends("/claims/"+share+"/sell", url.Values{"face": {"250.00"}, "price": {"250.00"}})
	}
	sales := all[Sale](w, "state = 'offered' ORDER BY id")
	require.Len(t, sales, 4)
	opens := func(p *person, i int) { // and leaves it
		require.NotNil(t, ipsForm(p.sends("/market/"+sales[i].ID+"/buy", nil)), "sale %d", i)
	}
	opens(wang, 0)
	assert.Contains(t, string(zhang.sends("/loan/"+bid+"/repay", nil).Body), "请几分钟后再试")
	w.passes(hold + time.Second)
	for i := 1; i < 3; i++ {
		opens(wang, i)
		w.passes(time.Second)
	}
	// Nor does he keep another buyer from what he does not buy.
	opens(zhou, 2)
	assert.Contains(t, string(zhang.sends("/loan/"+bid+"/repay", nil).Body), "请几分钟后再试", "his moment")
	w.passes(hold + time.Second)
	opens(wang, 3)
	assert.NotNil(t, ipsForm(zhang.sends("/loan/"+bid+"/repay", nil)), "the borrower may pay")
	w.assertBooks()
}

// An offer is its seller's: a buyer who keeps a page of IPS open for longer than
// his moment does not keep it on the market.
func TestOffersAreTakenBack(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "3")
	sale := r.offers("3000.00", "3000.00")
	page := r.wang.submit("/market", "/market/"+sale+"/buy", nil)
	assert.Contains(t, r.li.press("/market", "/market/"+sale+"/withdraw", nil), "不能撤回")
	r.passes(hold + time.Second)
	act := all[Act](r.world, "kind = 'buy'")[0]
	r.wang.sends(orderPath(act.Operation, act.OrderNo)+"/continue", nil) // no second moment
	r.li.press("/market", "/market/"+sale+"/withdraw", nil)
	assert.Equal(t, SaleWithdrawn, all[Sale](r.world, "id = ?", sale)[0].State)
	assert.Contains(t, string(r.wang.sends(orderPath(act.Operation, act.OrderNo)+"/continue", nil).Body), "已不在转让中")
	// Who had ordered before and confirms after it gets what was offered: nothing else
	// would free his money.
	r.wang.carries(page)
	r.wang.has(1985*ips.Yuan, 0)
	assert.Contains(t, r.wang.see("/claims"), "待收本金 3,000.00 元")
	for range 3 {
		r.repays()
	}
	r.assertQuiet()
	r.assertBooks()
}

// What a late buyer has frozen is not locked by others' doing: either the sale is
// carried out at once, or he, or the seller, has a button for it.
func TestLateBuyers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		r := runningAt(t, address, "3")
		sale := r.offers("3000.00", "3000.00")
		page := r.wang.submit("/market", "/market/"+sale+"/buy", nil)
		assert.Contains(t, r.wang.see("/market"), `<td data-label="待收利息（元）" class="n">60.00</td>`)
		r.passes(hold + time.Second)
		r.repays()
		r.wang.carries(page)
		r.wang.has(1985*ips.Yuan, 3015*ips.Yuan)
		accept := "/market/" + sale + "/accept"
		assert.Contains(t, string(r.li.sends(accept, nil).Body), "不在等待您的决定")
		assert.Contains(t, string(r.zhao.sends(accept, nil).Body), "不在等待您的决定")
		assert.Contains(t, r.zhao.see("/market"), "暂无转让中的债权")
		r.wang.press("/market", accept, nil)
		r.settle()
		r.wang.has(1985*ips.Yuan, 0)
		assert.Contains(t, r.wang.see("/claims"), "待收本金 2,000.00 元")
		assert.Contains(t, string(r.wang.sends(accept, nil).Body), "不在等待您的决定", "once")
		for range 2 {
			r.repays()
		}
		r.administer(r.bid, "end", nil)
		r.assertQuiet()
		r.assertBooks()
	})
	t.Run("long after the offer was withdrawn", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		sale := r.offers("3000.00", "3000.00")
		page := r.wang.submit("/market", "/market/"+sale+"/buy", nil)
		r.passes(hold + time.Second)
		r.li.press("/market", "/market/"+sale+"/withdraw", nil)
		r.passes(offerTime)
		r.wang.carries(page) // nobody keeps a price for ever
		r.wang.has(1985*ips.Yuan, 3015*ips.Yuan)
		r.li.press("/login", "/login", url.Values{"login": {r.li.login}, "password": {password}})
		r.li.press("/market", "/market/"+all[Sale](r.world, "state = 'askseller'")[0].ID+"/accept", nil)
		r.settle()
		r.wang.has(1985*ips.Yuan, 0)
		r.assertQuiet()
		r.assertBooks()
	})
	t.Run("after a faster one", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "2")
		sale := r.offers("1000.00", "1000.00")
		page := r.wang.submit("/market", "/market/"+sale+"/buy", nil)
		r.passes(hold + time.Second)
		require.Contains(t, r.zhao.press("/market", "/market/"+sale+"/buy", nil), "IPS 已处理成功")
		r.settle()
		assert.Equal(t, SaleDone, all[Sale](r.world, "id = ?", sale)[0].State)
		r.wang.carries(page)
		r.wang.has(3995*ips.Yuan, 1005*ips.Yuan)
		late := all[Sale](r.world, "state = 'askseller'")[0]
		assert.Contains(t, string(r.wang.sends("/market/"+late.ID+"/accept", nil).Body), "不在等待您的决定")
		r.li.press("/market", "/market/"+late.ID+"/accept", nil)
		r.settle()
		r.wang.has(3995*ips.Yuan, 0)
		assert.NotContains(t, r.wang.see("/orders"), untilThen)
		for _, p := range []*person{r.li, r.zhao, r.wang} {
			assert.Contains(t, p.see("/claims"), "待收本金 1,000.00 元", p.login)
		}
		r.assertQuiet()
		r.assertBooks()
	})
}
