package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/orders"
)

// running is a loan of 3000 over 3 months, lent by 李四, with 赵六 as guarantor.
type running struct {
	*world
	zhang, li, wang, zhao *person
	bid, guarantee        string
}

func newRunning(t *testing.T, mode string) *running { return runningAt(t, sqliteFile(t), mode) }

func runningAt(t *testing.T, address, mode string) *running {
	r := &running{world: newWorld(t, address)}
	r.zhang, r.li = r.customer("张三", "4000.00"), r.customer("李四", "3003.00")
	r.wang, r.zhao = r.customer("王五", "5000.00"), r.customer("赵六", "4000.00")
	r.bid = r.zhang.borrows("3000.00", "90.00", "3", mode)
	require.Contains(t, r.zhao.press("/loan/"+r.bid, "/loan/"+r.bid+"/guarantee", url.Values{"margin": {"500.00"}}), "IPS 已处理成功")
	r.guarantee = guaranteeOf(t, r.world, r.bid)
	r.li.bids(r.bid, "3000.00")
	require.Contains(t, r.administer(r.bid, "release", nil), "放款 3,000.00 元")
	return r
}

func (r *running) offers(face, price string) (sale string) {
	r.t.Helper()
	share := sharesOf(r.t, r.world, r.li)[0]
	r.li.press("/claims", "/claims/"+share+"/sell", url.Values{"face": {face}, "price": {price}})
	return saleOf(r.t, r.world)
}

func (r *running) compensates() string {
	return r.post("/admin/loan/"+r.bid+"/compensate", url.Values{"guarantee": {r.guarantee}})
}

// post sends what staff could send, whether or not a page shows the button.
func (r *running) post(path string, values url.Values) string {
	r.t.Helper()
	page := r.admin.sends(path, values)
	r.settle()
	return string(page.Body)
}

// sends posts a form that no page has shown, with the token of one that did.
func (p *person) sends(path string, values url.Values) *browser.Page {
	p.w.t.Helper()
	form := formTo(p.open("/"), "/logout")
	require.NotNil(p.w.t, form)
	all := url.Values{"click": {newID()}}
	for name, v := range values {
		all[name] = v
	}
	for _, f := range form.Fields {
		if f.Name == "token" {
			all.Set("token", f.Value)
		}
	}
	ctx, cancel := p.ctx()
	defer cancel()
	page, err := p.b.Post(ctx, p.site+path, all)
	if page == nil {
		require.NoError(p.w.t, err)
	}
	return page
}

// carries brings a form to IPS that was opened before, and comes back.
func (p *person) carries(page *browser.Page) string {
	p.w.t.Helper()
	next := p.pressForm(page, ipsForm(page), nil)
	ctx, cancel := p.ctx()
	defer cancel()
	if back, _ := p.b.Follow(ctx, next); back != nil {
		next = back
	}
	p.w.settle()
	return string(next.Body)
}

func (w *world) passes(d time.Duration) { w.later.Add(int64(d)) }

// Nobody pays for more of a claim than he gets, whoever opens which page when.
func TestSaleAndRepayment(t *testing.T) {
	t.Parallel()
	t.Run("nobody buys while the borrower is about to repay", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		sale := r.offers("3000.00", "3900.00")
		form := r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
		assert.Contains(t, r.wang.press("/market", "/market/"+sale+"/buy", nil), "借款人正在还款")
		r.zhang.carries(form)
		assert.Contains(t, r.wang.press("/market", "/market/"+sale+"/buy", nil), "已部分还款")
		r.wang.has(5000*ips.Yuan, 0)
	})
	t.Run("the borrower waits for a buyer, but not for long", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		sale := r.offers("3000.00", "3000.00")
		page := r.wang.submit("/market", "/market/"+sale+"/buy", nil)
		assert.Contains(t, r.zhang.press("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil), "请几分钟后再试")
		r.passes(hold + time.Second)
		assert.Regexp(t, `IPS 已(受理|处理成功)`, r.zhang.press("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil))
		r.settle()
		before := r.li.atIPS()
		// He confirms what he had opened: his money is frozen, but it does not go to
		// the seller, whose claim is less now, before he says so.
		r.wang.carries(page)
		assert.Equal(t, before, r.li.atIPS())
		r.wang.has(1985*ips.Yuan, 3015*ips.Yuan)
		assert.Equal(t, SaleAsksBuyer, all[Sale](r.world, "id = ?", sale)[0].State)
		assert.Contains(t, r.wang.see("/orders"), untilThen)
		assert.Contains(t, r.wang.see("/market"), "按现状受让")
		// Nothing waits for it, and the end of the claim gives him all of it back.
		for range 2 {
			assert.Regexp(t, `IPS 已(受理|处理成功)`, r.zhang.press("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil))
			r.settle()
		}
		r.administer(r.bid, "end", nil)
		r.wang.has(5000*ips.Yuan, 0)
		r.assertQuiet()
		r.assertBooks()
	})
	t.Run("a form that is over is not carried on", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
		r.compensates()
		act := all[Act](r.world, "kind = 'repay'")[0]
		page := r.zhang.press(orderPath(act.Operation, act.OrderNo), orderPath(act.Operation, act.OrderNo)+"/continue", nil)
		assert.Contains(t, page, "还款计划已变化")
	})
}

// Nobody owes what he has not agreed to.
func TestProfitNeedsTheBorrower(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "1")
	page := r.wang.press("/loan/"+r.bid, "/loan/"+r.bid+"/guarantee", url.Values{"profit": {"7000.00"}})
	assert.Contains(t, page, "不能超过借款金额的 10%")
	require.Contains(t, r.wang.press("/loan/"+r.bid, "/loan/"+r.bid+"/guarantee", url.Values{"profit": {"300.00"}}), "IPS 已处理成功")
	g := all[Guarantee](r.world, "profit > 0")[0]
	want := url.Values{"guarantee": {g.OrderNo}}
	before := r.zhang.atIPS()
	assert.Contains(t, r.post("/admin/loan/"+r.bid+"/profit", want), "借款人尚未同意")
	assert.Contains(t, string(r.wang.sends("/loan/"+r.bid+"/agree", want).Body), "只有借款人")
	assert.Contains(t, r.post("/admin/loan/"+r.bid+"/profit", want), "借款人尚未同意")
	assert.Equal(t, before, r.zhang.atIPS())

	r.zhang.press("/loan/"+r.bid, "/loan/"+r.bid+"/agree", want)
	assert.Contains(t, r.post("/admin/loan/"+r.bid+"/profit", want), "成功")
	assert.Equal(t, before[0]-300*ips.Yuan, r.zhang.atIPS()[0])
	r.assertBooks()
}

// A form that its user has not confirmed is nobody else's lock.
func TestFormsLockNobody(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"the platform", "the page of IPS"} {
		t.Run("left at "+at, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t, "3")
			page := r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
			if at == "the page of IPS" {
				require.NoError(t, r.box.SetAuto("808801", r.zhang.user().Account, false))
				r.zhang.pressForm(page, ipsForm(page), nil)
			}
			r.post("/admin/loan/"+r.bid+"/unfreeze", url.Values{"amount": {"90.00"}})
			assert.Contains(t, r.compensates(), "担保方代偿 第 1 期 1,030.00 元")
			assert.Equal(t, ips.Amount(0), all[Due](r.world, "period = 1")[0].Left())
			assert.Contains(t, r.compensates(), "担保方代偿 第 2 期 1,020.00 元")
			r.compensates()
			r.administer(r.bid, "end", nil)
			assert.Contains(t, r.zhang.see("/loan/"+r.bid), "已结束")
			r.zhao.has(4000*ips.Yuan-3060*ips.Yuan, 0)
			r.assertBooks()
		})
	}
	t.Run("where IPS knows no trade query", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		page := r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
		_, err := r.box.OrderFault(sandbox.Fault{Name: fault.SOAPFault, Op: "QueryTrade", Count: 100000})
		require.NoError(t, err)
		assert.Contains(t, r.compensates(), "担保方代偿 第 1 期 1,030.00 元")
		// But if his money has gone to the creditors, he has paid.
		r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
		_, err = r.box.OrderFault(sandbox.Fault{Name: fault.NoticeDrop, Op: "RepaymentNewTrade", Count: 1000})
		require.NoError(t, err)
		r.mute.Store(true)
		next := r.zhang.pressForm(page, ipsForm(page), nil)
		ctx, cancel := r.zhang.ctx()
		defer cancel()
		_, _ = r.zhang.b.Follow(ctx, next)
		r.mute.Store(false)
		assert.Contains(t, r.compensates(), "IPS 正在处理")
		require.NoError(t, r.box.LiftFaults())
	})
	t.Run("with a withdrawal in work", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		page := r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
		require.NoError(t, r.box.SetAuto("808801", r.zhang.user().Account, false))
		r.zhang.pressForm(page, ipsForm(page), nil) // and leaves the page of IPS open
		require.NoError(t, r.box.SetAuto("808801", r.zhang.user().Account, true))
		_, err := r.box.OrderFault(sandbox.Fault{Name: fault.NoticeDrop, Op: "doDwTrade", Count: 1000})
		require.NoError(t, err)
		_, err = r.box.OrderFault(sandbox.Fault{Name: fault.HTTP502, Op: "QueryTrade", Count: 100000})
		require.NoError(t, err)
		r.mute.Store(true)
		r.zhang.press("/funds", "/withdraw", url.Values{"amount": {"6500.00"}})
		r.mute.Store(false)
		require.Less(t, r.zhang.atIPS()[0], 1000*ips.Yuan)
		assert.Contains(t, r.compensates(), "担保方代偿 第 1 期 1,030.00 元")
		require.NoError(t, r.box.LiftFaults())
	})
	t.Run("an offer", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "3")
		sale := r.offers("3000.00", "3000.00")
		poor := r.customer("孙七", "1.00")
		for _, p := range []*person{poor, r.zhang} {
			page := p.open("/market")
			assert.Contains(t, string(page.Body), "3,000.00", p.login)
			assert.Nil(t, formTo(page, "/market/"+sale+"/buy"), "not offered to %s", p.login)
		}
		assert.Contains(t, poor.see("/market"), "购买须付 3,015.00 元（含手续费），可用余额不足")
		assert.NotContains(t, r.zhang.see("/market"), "可用余额不足", "it is his own debt")
		assert.Contains(t, string(poor.sends("/market/"+sale+"/buy", nil).Body), "可用余额 1.00 元")
		rich := r.customer("周八", "9000.00")
		rich.submit("/market", "/market/"+sale+"/buy", nil) // and closes the page
		assert.Contains(t, r.wang.press("/market", "/market/"+sale+"/buy", nil), "几分钟后再试")
		assert.Contains(t, r.li.press("/market", "/market/"+sale+"/withdraw", nil), "不能撤回")
		r.passes(hold + time.Second)
		assert.Contains(t, string(rich.sends("/market/"+sale+"/buy", nil).Body), "我的订单")
		require.Contains(t, r.wang.press("/market", "/market/"+sale+"/buy", nil), "IPS 已处理成功")
		r.settle()
		assert.Contains(t, r.wang.see("/claims"), "待收本金 3,000.00 元")
		r.assertBooks()
	})
}

// A page that is confirmed after the period was paid in another way is money all
// the same: it counts for what comes next, and staff hears of what is too much.
func TestLateRepayment(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "3")
	old := r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil) // 1030.00
	r.compensates()
	r.zhang.carries(old)
	assert.Contains(t, r.zhang.see("/loan/"+r.bid), "还第 3 期（1,000.00 元）")
	last := r.zhang.submit("/loan/"+r.bid, "/loan/"+r.bid+"/repay", nil)
	r.compensates()
	r.zhang.carries(last)
	assert.Contains(t, r.zhang.see("/loan/"+r.bid), "多收 1,000.00 元待退回")
	assert.Contains(t, r.zhang.see("/orders"), "多付 1,000.00 元")
	r.administer(r.bid, "end", nil)
	r.assertQuiet()
	r.assertBooks()
}

// Shares that round to nothing, and more of them than fit into one order.
func TestManySmallShares(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, li := w.customer("张三", "40000.00"), w.customer("李四", "50000.00")
	require.Contains(t, zhang.press("/contracts", "/contracts/repay", nil), "IPS 已处理成功")
	bid := zhang.borrows("30290.99", "0.00", "2", "1")
	for amount, want := range map[string]string{"0.01": "至少 100.00", "1.00": "至少 100.00", "30290.98": "不足 100.00"} {
		assert.Contains(t, li.press("/loan/"+bid, "/loan/"+bid+"/bid", url.Values{"amount": {amount}}), want)
	}
	for range 301 {
		li.bids(bid, "100.00")
	}
	li.bids(bid, "190.99")
	w.administer(bid, "release", nil)
	loan := all[Loan](w, "bid_no = ?", bid)[0]
	assert.Equal(t, LoanRunning, loan.State)
	assert.Equal(t, perMille(30290_99, lendFeePerMille), loan.FeeTaken, "the whole fee, however it is divided")

	assert.Regexp(t, `IPS 已(受理|处理成功)`, zhang.press("/loan/"+bid, "/loan/"+bid+"/repay", nil))
	w.settle()
	assert.Len(t, all[Due](w, "period = 1 AND state = 'open'"), 2, "300 at a time")
	w.administer(bid, "autorepay", nil)
	assert.Empty(t, all[Due](w, "period = 1 AND state = 'open'"))
	w.administer(bid, "autorepay", nil) // two orders at once
	assert.Len(t, all[Act](w, "kind = 'autorepay'"), 3)
	assert.Empty(t, all[Due](w, "state = 'open'"))
	w.administer(bid, "end", nil)
	assert.Contains(t, zhang.see("/loan/"+bid), "已结束")
	w.assertQuiet()
	w.assertBooks()
}

// More rows than IPS takes are several orders, recorded together.
func TestManyRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	q := ips.TransferRequest{BidNo: "B1", Date: ips.Today(), Type: ips.TransferInvestment}
	for i := range 6001 {
		q.Rows = append(q.Rows, ips.TransferRow{OriginalOrderNo: fmt.Sprint("C", i), Amount: 1, FromAccount: "1", ToAccount: "2"})
	}
	form := httptest.NewRequest(http.MethodPost, "/x", nil)
	require.NoError(t, form.ParseForm())
	made, err := w.app.record(form, &visit{user: all[User](w, "login = 'admin'")[0]}, func(*work, *http.Request, *visit) draft { return draft{kind: KindRelease, request: q} })
	require.NoError(t, err)
	assert.Len(t, made, 3)
	assert.Len(t, all[Act](w, "kind = 'release'"), 3)
}

// Dues of nothing are never open, so they stand in nobody's way.
func TestNothingIsPaid(t *testing.T) {
	t.Parallel()
	for _, mode := range []ips.RepayMode{ips.RepayAnnuity, ips.RepayInterestFirst, ips.RepayEqualPrincipal} {
		for _, due := range plan(1, 12*ips.Percent, 3, mode, ips.Today()) {
			assert.Equal(t, due.Left() > 0, due.State == DueOpen, "%+v", due)
		}
	}
}

// A row that IPS does not carry out leaves nothing hanging, however IPS says so.
func TestFailedRows(t *testing.T) {
	t.Parallel()
	buy := func(t *testing.T, r *running) Sale {
		sale := r.offers("1000.00", "1000.00")
		require.Contains(t, r.wang.press("/market", "/market/"+sale+"/buy", nil), "IPS 已处理成功")
		r.settle()
		return all[Sale](r.world, "id = ?", sale)[0]
	}
	again := func(t *testing.T, r *running, sale Sale) {
		require.Equal(t, SaleFailed, all[Sale](r.world, "id = ?", sale.ID)[0].State)
		// It is nobody's lock.
		assert.Contains(t, r.compensates(), "担保方代偿 第 1 期")
		r.settle()
		r.administer(r.bid, "sale", url.Values{"sale": {sale.ID}})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "2")
		_, err := r.box.OrderFault(sandbox.Fault{Name: fault.Row, Op: "Transfer", Row: 1})
		require.NoError(t, err)
		sale := buy(t, r)
		require.Eventually(t, func() bool { return all[Sale](r.world, "id = ?", sale.ID)[0].State == SaleFailed }, patience, 20*time.Millisecond)
		r.administer(r.bid, "sale", url.Values{"sale": {sale.ID}})
		r.wang.has(3995*ips.Yuan, 0)
		assert.Contains(t, r.wang.see("/claims"), "待收本金 1,000.00 元")
		r.assertQuiet()
		r.assertBooks()
	})
	t.Run("failed under a success", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t, "2")
		_, err := r.box.OrderFault(sandbox.Fault{Name: fault.HTTP502, Op: "Transfer", Count: 1000})
		require.NoError(t, err)
		sale := buy(t, r)
		act := all[Act](r.world, "kind = 'sale'")[0]
		order, err := r.app.book.Order(t.Context(), act.OrderKey)
		require.NoError(t, err)
		q := order.Request.(ips.TransferRequest)
		row := q.Rows[0]
		require.NoError(t, r.app.book.Hear(t.Context(), &ips.TransferResponse{
			Reply: ips.Reply{Operation: ips.OpTransfer, Via: ips.ServerToServer, MerchantCode: "808801", Code: ips.CodeSuccess, Outcome: ips.Success, OrderNo: q.OrderNo},
			BidNo: q.BidNo, Type: q.Type, Rows: []ips.TransferRowResult{{OriginalOrderNo: row.OriginalOrderNo, Amount: row.Amount,
				FromAccount: row.FromAccount, FromFee: row.FromFee, ToAccount: row.ToAccount, ToFee: row.ToFee, Status: ips.RowFailed, Message: "系统繁忙"}},
		}))
		require.NoError(t, r.box.LiftFaults())
		again(t, r, sale)
		// The claim is not what it was: the buyer does not get less for his money,
		// unless he wants it.
		assert.Equal(t, SaleAsksBuyer, all[Sale](r.world, "id = ?", sale.ID)[0].State)
		r.assertBooks()
	})
	t.Run("of a release", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sqliteFile(t))
		zhang, li := w.customer("张三", ""), w.customer("李四", "1001.00")
		bid := zhang.borrows("1000.00", "0.00", "2", "1")
		li.bids(bid, "600.00")
		li.bids(bid, "400.00")
		_, err := w.box.OrderFault(sandbox.Fault{Name: fault.Row, Op: "Transfer", Row: 1})
		require.NoError(t, err)
		w.administer(bid, "release", nil)
		assert.Contains(t, w.admin.see("/admin/orders"), "部分成功：2 笔中 1 笔未成功")
		w.administer(bid, "release", nil)
		li.has(0, 0)
		zhang.has(990*ips.Yuan, 0)
		w.assertQuiet()
		w.assertBooks()
	})
}

// IPS lets an opening be resumed under its number after it has refused it.
func TestResumedOpening(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	require.NoError(t, w.box.SetAuto("808801", "", false))
	li := w.member("李四")
	page := li.submit("/account", "/account/open", nil)
	li.pressForm(page, ipsForm(page), nil) // and leaves the page of IPS
	require.NoError(t, w.box.Advance(2*time.Hour))
	w.settle()
	act := all[Act](w, "kind = 'other'")[0]
	order, err := w.app.book.Order(t.Context(), act.OrderKey)
	require.NoError(t, err)
	require.Equal(t, orders.StateRefused, order.State)
	require.NoError(t, w.box.SetAuto("808801", "", true))
	li.carries(page) // he finds it again
	assert.NotEmpty(t, li.user().Account)
	assert.Contains(t, li.see("/account"), "可用余额")
}

// One member's doings neither fill the lists of others nor keep the program busy.
func TestCaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "100.00")
	for i := range maxOpen {
		assert.NotNil(t, ipsForm(li.submit("/funds", "/recharge", url.Values{"amount": {"1.00"}, "bank": {"00004"}})), i)
	}
	assert.Contains(t, li.press("/funds", "/recharge", url.Values{"amount": {"1.00"}, "bank": {"00004"}}), "笔未完成的订单")
	apply := url.Values{"amount": {"1000.00"}, "margin": {"0.00"}, "rate": {"12.00"}, "months": {"3"}, "mode": {"1"}, "purpose": {"购车"}}
	for range maxApplied {
		li.press("/borrow", "/borrow", apply)
	}
	assert.Contains(t, li.press("/borrow", "/borrow", apply), "等待审核")

	// Answers about orders that the platform does not know hide no others.
	for range 60 {
		err := w.app.book.Hear(t.Context(), &ips.CreditorResponse{Reply: ips.Reply{Operation: ips.OpAutoBid, Via: ips.ServerToServer, MerchantCode: "808801",
			Code: ips.CodeFailed, Outcome: ips.Failure, OrderNo: ips.NewOrderNo("X")}})
		require.ErrorIs(t, err, orders.ErrUnrecorded)
	}
	assert.Contains(t, w.admin.see("/admin/contradictions"), "没有待人工处理的事项")

	// Long lists have pages, and what staff works on comes first.
	zhang := w.customer("张三", "")
	bid := zhang.borrows("1000.00", "0.00", "3", "1")
	d := w.app.data.read(t.Context())
	for i := range 2 * perPage {
		add(d, Loan{BidNo: fmt.Sprint("X", i), BorrowerID: li.user().ID, Purpose: "x", Amount: 1, State: LoanApplied, RepayMode: "1", CreatedAt: time.Now()})
	}
	require.NoError(t, d.err)
	assert.Contains(t, w.admin.see("/admin"), bid)
	assert.Contains(t, w.admin.see("/admin?page=2"), "下一页")
	assert.NotContains(t, w.admin.see("/admin?page=3"), "下一页")
	assert.Contains(t, li.see("/account?page=99999999999999999999"), "我的账户")
}

// Only the owner may read the database.
func TestFileMode(t *testing.T) {
	t.Parallel()
	path := sqliteFile(t)
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	w := newWorld(t, path)
	w.member("李四")
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Greater(t, len(files), 1)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f)
	}
}

// A button counts once, and a page that is sent again with something else in it
// is not taken for the first.
func TestSecondClicks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, li := w.customer("张三", ""), w.customer("李四", "2000.00")
	bid := zhang.borrows("2000.00", "0.00", "2", "1")
	page := li.open("/loan/" + bid)
	form := formTo(page, "/loan/"+bid+"/bid")
	first := li.pressForm(page, form, url.Values{"amount": {"100.00"}})
	require.NotNil(t, ipsForm(first))
	second := li.pressForm(page, form, url.Values{"amount": {"900.00"}})
	assert.Contains(t, string(second.Body), "已经提交过另一内容")
	li.carries(first)

	// Two clicks on a button that calls, while the answer takes its time.
	_, err := w.box.OrderFault(sandbox.Fault{Name: fault.Latency, Op: "Transfer", Delay: 300 * time.Millisecond, After: true})
	require.NoError(t, err)
	page = w.admin.open("/admin/loan/" + bid)
	form = formTo(page, "/admin/loan/"+bid+"/release")
	var clicks sync.WaitGroup
	for range 5 {
		clicks.Go(func() { w.admin.pressForm(page, form, nil) })
	}
	clicks.Wait()
	w.settle()
	assert.Len(t, all[Act](w, "kind = 'release'"), 1)
	transfers := 0
	for _, m := range w.box.Messages() {
		if m.Op == "Transfer" && m.Direction == "in" {
			transfers++
		}
	}
	assert.Equal(t, 1, transfers, "messages to IPS")
	li.has(1899*ips.Yuan+90*ips.Fen, 0)
	// Other people's orders on the loan send nothing again.
	li.bids(bid, "100.00")
	w.settle()
	w.assertQuiet()
	w.assertBooks()
}

// Whatever happens to the notification, the recharge is credited once. The web
// return does not get through.
func TestNotificationFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault   sandbox.Fault
		matters int
	}{
		"dropped":          {sandbox.Fault{Name: fault.NoticeDrop}, 0},
		"delayed":          {sandbox.Fault{Name: fault.NoticeDelay, Delay: 200 * time.Millisecond}, 0},
		"doubled":          {sandbox.Fault{Name: fault.NoticeDouble}, 0},
		"badly signed":     {sandbox.Fault{Name: fault.NoticeBadSign}, 0},
		"another merchant": {sandbox.Fault{Name: fault.NoticeOtherMerchant}, 0},
		"another amount":   {sandbox.Fault{Name: fault.NoticeAmount}, 1},
	}
	w := newWorld(t, sqliteFile(t))
	for name, test := range tests { // one after the other: the faults are the sandbox's
		t.Run(name, func(t *testing.T) {
			li := w.customer("李四", "100.00")
			w.settle()
			before := len(w.matters())
			_, err := w.box.OrderFault(test.fault)
			require.NoError(t, err)
			w.mute.Store(true)
			li.press("/funds", "/recharge", url.Values{"amount": {"50.00"}, "bank": {"00004"}})
			w.mute.Store(false)
			require.Eventually(t, func() bool { return len(w.open()) == 0 }, patience, 20*time.Millisecond)
			w.settle()
			li.has(150*ips.Yuan, 0)
			assert.LessOrEqual(t, len(w.matters()), before+test.matters)
			require.NoError(t, w.box.LiftFaults())
		})
	}
	// A person decides what is left, and is named; while IPS is just being asked about
	// an order, he is told to try again.
	for until := time.Now().Add(patience); len(w.matters()) > 0 && time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		page := w.admin.open("/admin/contradictions")
		forms, err := page.Forms()
		require.NoError(t, err)
		require.Len(t, forms, 1+len(w.matters()))
		w.admin.pressForm(page, &forms[1], url.Values{"resolution": {"已与 IPS 核实"}})
	}
	assert.Empty(t, w.matters())
	assert.Contains(t, w.admin.see("/admin/book/"), "待")
}

// A call whose answer is lost has an unknown fate, and its money moves once.
func TestCallFaults(t *testing.T) {
	t.Parallel()
	faults := map[string]sandbox.Fault{
		"refused before":      {Name: fault.HTTP502},
		"lost after":          {Name: fault.HTTP500, After: true},
		"reset after":         {Name: fault.Reset, After: true},
		"cut off":             {Name: fault.Truncate},
		"answered by a fault": {Name: fault.SOAPFault, After: true},
	}
	w := newWorld(t, sqliteFile(t))
	zhang := w.customer("张三", "500.00")
	bid := zhang.borrows("1000.00", "500.00", "2", "1")
	left := 500 * ips.Yuan
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			fault.Op = "GuaranteeUnfreeze"
			_, err := w.box.OrderFault(fault)
			require.NoError(t, err)
			w.deaf.Store(true)
			page := w.admin.press("/admin/loan/"+bid, "/admin/loan/"+bid+"/unfreeze", url.Values{"amount": {"10.00"}})
			assert.Regexp(t, "已记录，等待 IPS 结果|IPS 已处理成功", page) // IPS may have been asked already
			w.deaf.Store(false)
			require.Eventually(t, func() bool { return len(w.open()) == 0 }, patience, 20*time.Millisecond)
			w.settle()
			left -= 10 * ips.Yuan
			zhang.has(500*ips.Yuan-left, left)
		})
	}
	w.assertQuiet()
	w.assertBooks()
}

// 三、新老系统过渡: an old bid is repaid by the old way, and refused by the new.
func TestOldBid(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		zhang, li, wang := w.customer("张三", "1000.00"), w.customer("李四", "100.00"), w.customer("王五", "")
		page := w.admin.press("/admin", "/admin/oldbid", url.Values{"bid": {"OLD1"}, "contract": {"HT2014001"}, "release": {"FK1"},
			"borrower": {zhang.login}, "investor": {li.login}, "amount": {"800.00"}})
		require.Contains(t, page, "老标的")
		for _, path := range []string{"/loan/OLD1/bid", "/loan/OLD1/guarantee"} {
			assert.Contains(t, string(wang.sends(path, url.Values{"amount": {"800.00"}, "margin": {"0.00"}, "profit": {"0.00"}}).Body), "不在募集中")
		}
		for _, path := range []string{"release", "end", "compensate", "autorepay", "unfreeze"} {
			assert.Contains(t, string(w.admin.sends("/admin/loan/OLD1/"+path, url.Values{"amount": {"1.00"}}).Body), "标的不在募集中或进行中", path)
		}
		assert.Contains(t, string(li.sends("/claims/"+sharesOf(t, w, li)[0]+"/sell", url.Values{"face": {"800.00"}, "price": {"800.00"}}).Body), "才能转让")
		_, err := w.app.client.Repay(ips.RepayRequest{BidNo: "OLD1", OrderNo: "R1", Date: ips.Today(), Account: "1", Amount: 1, Rows: []ips.RepayRow{{CreditorOrderNo: "C1", Account: "2", Amount: 1}}})
		require.ErrorIs(t, err, ips.ErrOldBid)

		assert.Contains(t, zhang.press("/borrow", "/borrow", url.Values{"amount": {"1"}, "margin": {"0"}, "rate": {"1"}, "months": {"1"}, "purpose": {"x"}}), "至少 100.00")
		assert.Contains(t, zhang.press("/loan/OLD1", "/loan/OLD1/repay", nil), "IPS 已处理成功")
		w.settle()
		zhang.has(200*ips.Yuan, 0)
		li.has(900*ips.Yuan, 0)
		assert.Contains(t, zhang.see("/loan/OLD1"), "已结束")
		for _, p := range []*person{zhang, li, w.admin} {
			assert.NotContains(t, p.see("/loan/OLD1"), "借款合同", "its terms are not known here")
			assert.Equal(t, 404, p.open404("/loan/OLD1/contract"))
		}
		assert.NotContains(t, li.see("/claims"), "/loan/OLD1/contract")
		assert.Contains(t, string(zhang.sends("/loan/OLD1/repay", nil).Body), "没有待还款项")
		w.assertQuiet()
		w.assertBooks()
	})
}

// A form that is carried to IPS again after it was carried out is answered with a
// refusal, which says nothing of the order.
func TestCarriedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "")
	w.mute.Store(true)
	w.deaf.Store(true)
	li.press("/funds", "/recharge", url.Values{"amount": {"500.00"}, "bank": {"00004"}})
	w.mute.Store(false)
	act := all[Act](w, "about LIKE '网银充值%'")[0]
	li.press(orderPath(act.Operation, act.OrderNo), orderPath(act.Operation, act.OrderNo)+"/continue", nil)
	assert.NotContains(t, li.see(orderPath(act.Operation, act.OrderNo)), "失败")
	w.deaf.Store(false)
	require.Eventually(t, func() bool { return len(w.open()) == 0 }, patience, 20*time.Millisecond)
	w.settle()
	li.has(500*ips.Yuan, 0)
	w.assertQuiet()
}

// A guarantor who holds a part of the loan pays the others all the same.
func TestGuarantorHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, li, zhao := w.customer("张三", "9000.00"), w.customer("李四", "5000.00"), w.customer("赵六", "9000.00")
	bid := zhang.borrows("2000.00", "0.00", "2", "3")
	zhao.press("/loan/"+bid, "/loan/"+bid+"/guarantee", nil)
	li.bids(bid, "1500.00")
	zhao.bids(bid, "500.00")
	w.administer(bid, "release", nil)
	for _, want := range []string{"第 1 期 765.00 元", "第 2 期 757.50 元"} {
		assert.Contains(t, w.administer(bid, "compensate", nil), want)
	}
	for range 2 {
		assert.Regexp(t, `IPS 已(受理|处理成功)`, zhang.press("/loan/"+bid, "/loan/"+bid+"/repay", nil))
		w.settle()
	}
	w.administer(bid, "end", nil)
	assert.Contains(t, zhang.see("/loan/"+bid), "已结束")
	w.assertQuiet()
	w.assertBooks()
}
