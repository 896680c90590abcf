package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// TestLifeOfALoan clicks through all chapters of the guide, in Chinese pages,
// with nothing but a browser. 借款 10,000 at 12 % over 3 months, 按月还息到期还本.
func TestLifeOfALoan(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		zhang := w.customer("张三", "")           // borrows
		li := w.customer("李四", "8000.00")       // lends
		wang := w.customer("王五", "9000.00")     // lends, and buys a claim
		zhao := w.customer("赵六", "2000.00")     // guarantees
		for _, p := range []*person{li, wang} { // chapter 16
			require.Contains(t, p.press("/contracts", "/contracts/bid", nil), "IPS 已处理成功")
		}

		// Chapters 11 and 12: money by mandate.
		assert.Contains(t, zhang.press("/funds", "/recharge", url.Values{"channel": {"withholding"}, "amount": {"600.00"}}), "IPS 已处理成功")
		w.admin.press("/admin", "/admin/withhold", url.Values{"user": {zhang.user().ID}, "amount": {"400.00"}})
		w.settle()
		zhang.has(1000*ips.Yuan, 0)

		// Chapters 2 and 3.
		bid := zhang.borrows("10000.00", "500.00", "3", "2")
		zhang.has(500*ips.Yuan, 500*ips.Yuan)
		page := zhao.press("/loan/"+bid, "/loan/"+bid+"/guarantee", url.Values{"margin": {"1000.00"}, "profit": {"50.00"}})
		require.Contains(t, page, "IPS 已处理成功")
		zhao.has(1000*ips.Yuan, 1000*ips.Yuan)

		// Chapters 4 and 5: bids by hand and automatic ones, released early and again.
		assert.Contains(t, li.see("/loan/"+bid), "剩余可投 10,000.00 元")
		li.bids(bid, "6000.00")
		li.has(1994*ips.Yuan, 6006*ips.Yuan)
		assert.Contains(t, w.administer(bid, "release", nil), "放款 6,000.00 元")
		zhang.has(6440*ips.Yuan, 500*ips.Yuan) // 6,000 less 1 %
		contract := contractOf(t, w, wang)
		assert.Contains(t, w.administer(bid, "autobid", url.Values{"contract": {contract}, "amount": {"4000.00"}}), "自动投标 4,000.00 元")
		wang.has(4996*ips.Yuan, 4004*ips.Yuan)
		w.administer(bid, "release", nil)
		zhang.has(10400*ips.Yuan, 500*ips.Yuan)
		assert.Contains(t, zhang.see("/loan/"+bid), "剩余可投 0.00 元")

		// Chapter 7: the first of three periods, 100 of interest; the platform takes 10 % of it.
		assert.Regexp(t, `IPS 已(受理|处理成功)`, zhang.press("/loan/"+bid, "/loan/"+bid+"/repay", nil))
		w.settle()
		zhang.has(10300*ips.Yuan, 500*ips.Yuan)
		li.has(2048*ips.Yuan, 0)   // 1,994 + 60 − 6
		wang.has(5032*ips.Yuan, 0) // 4,996 + 40 − 4

		// Chapter 6: 李四 sells a third of his claim.
		share := sharesOf(t, w, li)[0]
		page = li.press("/claims", "/claims/"+share+"/sell", url.Values{"face": {"2000.00"}, "price": {"1900.00"}})
		require.Contains(t, page, "1,900.00")
		sale := saleOf(t, w)
		require.Contains(t, wang.press("/market", "/market/"+sale+"/buy", nil), "IPS 已处理成功")
		w.settle()
		li.has(3938*ips.Yuan+50*ips.Fen, 0)   // + 1,900 − 9.50
		wang.has(3122*ips.Yuan+50*ips.Fen, 0) // − 1,900 − 9.50
		assert.Contains(t, wang.see("/claims"), "待收本金 2,000.00 元")
		sold := all[Act](w, "kind = 'sale'")[0]
		assert.Contains(t, li.see("/orders"), "债权转让 划转 1,890.50 元", "what the seller got")
		receipt := li.see(orderPath(sold.Operation, sold.OrderNo))
		assert.Contains(t, receipt, "1,890.50", "what the seller got")
		assert.NotContains(t, receipt, "继续办理")
		assert.NotContains(t, zhang.see("/orders"), sold.OrderNo)

		// Chapters 8 and 9: the guarantor pays the second period, and gets it back.
		guarantee := guaranteeOf(t, w, bid)
		w.administer(bid, "compensate", url.Values{"guarantee": {guarantee}})
		zhao.has(1000*ips.Yuan, 900*ips.Yuan)
		li.has(3978*ips.Yuan+50*ips.Fen, 0)   // + 40
		wang.has(3182*ips.Yuan+50*ips.Fen, 0) // + 40 + 20
		assert.Contains(t, zhang.press("/loan/"+bid, "/loan/"+bid+"/reimburse", nil), "成功")
		w.settle()
		zhao.has(1100*ips.Yuan, 900*ips.Yuan)
		assert.NotContains(t, w.admin.see("/admin/loan/"+bid), "结算担保收益")
		zhang.press("/loan/"+bid, "/loan/"+bid+"/agree", nil)
		w.administer(bid, "profit", url.Values{"guarantee": {guarantee}})
		zhao.has(1150*ips.Yuan, 900*ips.Yuan)

		// Chapters 14 and 15, in parts.
		page = w.admin.see("/admin/loan/" + bid)
		assert.Equal(t, 2, strings.Count(page, "借款人尚欠 10,100.00 元；解冻的部分不再为其作保"))
		assert.Regexp(t, `该期 20[-0-9]+ 到期。代偿由担保方的保证金`, page)
		w.administer(bid, "unfreeze", url.Values{"amount": {"200.00"}})
		zhang.has(10350*ips.Yuan, 300*ips.Yuan) // 10,300 − 100 − 50 + 200
		page = w.admin.pressNth("/admin/loan/"+bid, "/admin/loan/"+bid+"/unfreeze", 1, url.Values{"amount": {"300.00"}})
		assert.Contains(t, page, "解冻担保方保证金 300.00 元")
		w.settle()
		zhao.has(1450*ips.Yuan, 600*ips.Yuan)

		// Chapter 17: the platform repays the rest, 10,100.
		require.Contains(t, zhang.press("/contracts", "/contracts/repay", nil), "IPS 已处理成功")
		w.administer(bid, "autorepay", nil)
		zhang.has(250*ips.Yuan, 300*ips.Yuan)
		li.has(8014*ips.Yuan+50*ips.Fen, 0)   // + 4,040 − 4
		wang.has(9236*ips.Yuan+50*ips.Fen, 0) // + 4,040 − 4 + 2,020 − 2

		// The end gives both margins back; chapter 13.
		page = li.see("/account")
		assert.Contains(t, page, "<dt>已收利息</dt><dd>130.00 元（扣除手续费后）</dd>", "54 + 40, for which nothing is taken, + 36")
		w.administer(bid, "end", nil)
		assert.Contains(t, zhang.see("/loan/"+bid), "已结束")
		// Whose account an order has touched has done that chapter, whoever pressed the button.
		for p, chapters := range map[*person]map[string]int{
			zhang: {"托管账户充值（委托收款-商户发起）": 1, "平台发布借款标": 1, "借款人还款": 1, "借款人设置自动还款": 2, "个人债权转让": 0, "投资人设置自动投标": 0},
			li:    {"投资人投标（随投随放）": 1, "个人债权转让": 1, "借款人还款": 1, "托管账户提现": 0, "投资人设置自动投标": 1},
			wang:  {"投资人设置自动投标": 2, "个人债权转让": 1}, zhao: {"担保方代偿": 1, "解冻担保方保证金": 1, "解冻借款人保证金": 0},
		} {
			page := p.see("/chapters")
			for name, n := range chapters {
				row := regexp.MustCompile(`(?s)<tr>[^\n]*` + regexp.QuoteMeta(name) + `[^\n]*</tr>`).FindString(page)
				assert.Contains(t, row, map[bool]string{true: "未开始", false: fmt.Sprintf("已完成 %d 笔", n)}[n == 0], "%s of %s", name, p.login)
			}
		}
		assert.Contains(t, li.see("/claims"), "投入本金 6,000.00 元，转出 2,000.00 元，待收本金 0.00 元，已结清")
		zhang.has(550*ips.Yuan, 0)
		zhao.has(2050*ips.Yuan, 0)
		assert.Contains(t, li.press("/funds", "/withdraw", url.Values{"amount": {"8000.00"}}), "IPS 已处理成功")
		li.has(12*ips.Yuan+50*ips.Fen, 0)

		w.settle()
		w.assertQuiet()
		w.assertBooks()
		assert.NotContains(t, w.admin.see("/admin/books"), "不一致")
	})
}

// A bid that does not come about is called off (流标): everybody gets back what
// was frozen.
func TestCallOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		zhang, li := w.customer("张三", "300.00"), w.customer("李四", "2000.00")
		bid := zhang.borrows("10000.00", "300.00", "6", "1")
		li.bids(bid, "1000.00")
		li.has(999*ips.Yuan, 1001*ips.Yuan)
		require.Contains(t, li.press("/loan/"+bid, "/loan/"+bid+"/guarantee", url.Values{"profit": {"50.00"}}), "IPS 已处理成功")
		assert.Contains(t, zhang.see("/loan/"+bid), "收益待借款人同意")
		page := w.admin.see("/admin/loan/" + bid)
		assert.Contains(t, page, "流标")
		assert.Contains(t, page, "借款人尚未同意的担保收益不再支付")
		assert.NotContains(t, page, "借款人尚欠", "nothing is owed yet")
		w.administer(bid, "end", nil)
		assert.Contains(t, zhang.see("/loan/"+bid), "未获同意，已失效")
		assert.Contains(t, string(zhang.sends("/loan/"+bid+"/agree", url.Values{"guarantee": {guaranteeOf(t, w, bid)}}).Body), "标的结束后不再支付")
		zhang.has(300*ips.Yuan, 0)
		li.has(2000*ips.Yuan, 0)
		w.assertQuiet()
	})
}

// What IPS refuses is shown and changes nothing.
func TestRefusalIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, li := w.customer("张三", ""), w.customer("李四", "100.00")
	bid := zhang.borrows("10000.00", "0.00", "6", "3")
	_, err := w.box.OrderFault(sandbox.Fault{Name: fault.HTTP502, Op: "QueryTrade", Count: 100000}) // which may be faster, and gives no reason
	require.NoError(t, err)
	page := li.press("/loan/"+bid, "/loan/"+bid+"/bid", url.Values{"amount": {"5000.00"}})
	assert.Contains(t, page, "IPS 没有处理成功")
	assert.NotContains(t, page, string(ips.CodeInvestorFunds), "codes are for staff")
	assert.Contains(t, w.admin.see("/admin/orders?state=refused"), string(ips.CodeInvestorFunds))
	li.has(100*ips.Yuan, 0)
	assert.Contains(t, li.see("/orders"), "失败")
	w.settle()
	w.assertQuiet()
}

func contractOf(t *testing.T, w *world, p *person) string {
	t.Helper()
	found := all[Contract](w, "kind = 'bid' AND user_id = ?", p.user().ID)
	require.Len(t, found, 1)
	return found[0].AuthNo
}

func sharesOf(t *testing.T, w *world, p *person) (ids []string) {
	t.Helper()
	for _, s := range all[Share](w, "holder_id = ? ORDER BY claim", p.user().ID) {
		ids = append(ids, s.ID)
	}
	return ids
}

func saleOf(t *testing.T, w *world) string {
	t.Helper()
	sales := all[Sale](w, "state = 'offered'")
	require.Len(t, sales, 1)
	return sales[0].ID
}

func guaranteeOf(t *testing.T, w *world, bidNo string) string {
	t.Helper()
	found := all[Guarantee](w, "bid_no = ?", bidNo)
	require.Len(t, found, 1)
	return found[0].OrderNo
}

// pressNth is press for a page with several forms to one action.
func (p *person) pressNth(path, action string, n int, typed url.Values) string {
	p.w.t.Helper()
	page := p.open(path)
	forms, err := page.Forms()
	require.NoError(p.w.t, err)
	for i := range forms {
		if forms[i].Action != action {
			continue
		}
		if n == 0 {
			return string(p.pressForm(page, &forms[i], typed).Body)
		}
		n--
	}
	require.Fail(p.w.t, "no such form", "%s on %s", action, path)
	return ""
}

// Every page for members and admins turns strangers away.
func TestPagesNeedALogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "100.00")
	stranger := w.visitor()
	for _, path := range []string{"/account", "/funds", "/borrow", "/claims", "/market", "/contracts", "/orders", "/admin", "/admin/orders", "/admin/books", "/admin/contradictions"} {
		assert.Equal(t, "/login", stranger.open(path).URL.Path, path)
		if strings.HasPrefix(path, "/admin") {
			ctx, cancel := li.ctx()
			page, err := li.b.Get(ctx, li.site+path)
			cancel()
			require.Error(t, err, path)
			assert.Equal(t, 403, page.Status, path)
		}
	}
}

// A form from another page is refused, and a page's button counts once.
func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "100.00")
	ctx, cancel := li.ctx()
	defer cancel()
	for name, values := range map[string]url.Values{
		"no token":    {"amount": {"1.00"}},
		"wrong token": {"amount": {"1.00"}, "token": {strings.Repeat("0", 64)}},
	} {
		page, err := li.b.Post(ctx, li.site+"/withdraw", values)
		require.Error(t, err, name)
		assert.Equal(t, 403, page.Status, name)
	}

	page := li.open("/funds")
	form := formTo(page, "/recharge")
	first := li.pressForm(page, form, url.Values{"amount": {"50.00"}})
	second := li.pressForm(page, form, url.Values{"amount": {"50.00"}})
	assert.Equal(t, ipsForm(first).Fields, ipsForm(second).Fields, "the very same order")
	li.pressForm(first, ipsForm(first), nil)
	li.pressForm(second, ipsForm(second), nil)
	w.settle()
	li.has(150*ips.Yuan, 0)
}

// Nobody sees the orders of others.
func TestOrdersArePrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li, wang := w.customer("李四", "100.00"), w.customer("王五", "")
	ctx, cancel := wang.ctx()
	defer cancel()
	for _, o := range all[Act](w, "user_id = ?", li.user().ID) {
		path := "/order/" + string(o.Operation) + "/" + o.OrderNo
		assert.Contains(t, li.see(path), o.About)
		page, err := wang.b.Get(ctx, wang.site+path)
		require.Error(t, err)
		assert.Equal(t, 404, page.Status)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.member("李四")
	for name, form := range map[string]url.Values{
		"wrong password": {"login": {li.login}, "password": {"wrong password"}},
		"no such user":   {"login": {"nobody"}, "password": {password}},
		"empty":          {"login": {""}, "password": {""}},
	} {
		stranger := w.visitor()
		assert.Contains(t, stranger.press("/login", "/login", form), "用户名或密码不正确", name)
		assert.Equal(t, "/login", stranger.open("/account").URL.Path, name)
	}
	again := w.visitor()
	again.press("/login", "/login", url.Values{"login": {li.login}, "password": {password}})
	assert.Equal(t, "/account", again.open("/account").URL.Path)
	again.press("/", "/logout", nil)
	assert.Equal(t, "/login", again.open("/account").URL.Path)
}

// Two programs on one database are one platform: everybody clicks at once, on
// either of them, and everything is done once.
func TestTwoPrograms(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		_, second := w.instance(w.site.URL)
		zhang := w.customer("张三", "1000.00")
		bid := zhang.borrows("3000.00", "100.00", "2", "1")
		var investors []*person
		for range 6 {
			investors = append(investors, w.customer("李四", "1000.00"))
		}
		var clicks sync.WaitGroup
		for i, p := range investors {
			if i%2 == 1 { // the session is the database's
				p.site = second.URL
				assert.Contains(t, p.see("/login"), "您已作为 "+p.login+" 登录")
			}
		}
		for _, p := range investors {
			clicks.Go(func() { p.press("/loan/"+bid, "/loan/"+bid+"/bid", url.Values{"amount": {"500.00"}}) })
		}
		clicks.Wait()
		w.settle()
		other := w.visitor()
		other.site = second.URL
		other.press("/login", "/login", url.Values{"login": {"admin"}, "password": {password}})
		var pages []*browser.Page // all of them open before the first click
		for _, p := range []*person{w.admin, other, w.admin, other} {
			pages = append(pages, p.open("/admin/loan/"+bid))
		}
		for i, p := range []*person{w.admin, other, w.admin, other} {
			clicks.Go(func() { p.pressForm(pages[i], formTo(pages[i], "/admin/loan/"+bid+"/release"), nil) })
		}
		clicks.Wait()
		w.settle()
		assert.Len(t, all[Act](w, "kind = 'release'"), 1)
		assert.Len(t, all[Share](w, "state = 'released'"), 6)
		page := zhang.open("/loan/" + bid)
		for range 3 {
			clicks.Go(func() {
				next := zhang.pressForm(page, formTo(page, "/loan/"+bid+"/repay"), nil)
				if ipsForm(next) != nil { // else it was paid meanwhile
					zhang.pressForm(next, ipsForm(next), nil)
				}
			})
		}
		clicks.Wait()
		w.settle()
		require.Eventually(t, func() bool { return len(all[Due](w, "period = 1 AND state = 'open'")) == 0 }, patience, 20*time.Millisecond)
		w.assertBooks()
	})
}
