package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// A list says how many there are, has pages, and is picked and sorted by links that
// keep what else was chosen. The balance runs through all of an account's lines,
// whatever is picked of them.
func TestLists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		li := w.customer("李四", "500.00")
		li.press("/funds", "/withdraw", url.Values{"amount": {"100.00"}})
		w.settle()
		page := li.see("/account")
		assert.Contains(t, page, "共 2 条，第 1 / 1 页")
		assert.Regexp(t, `(?s)-102\.00.*398\.00.*充值（网银充值）.*500\.00`, page)
		page = li.see("/account?sort=old")
		assert.Regexp(t, `(?s)>充值（网银充值）<.*>提现<`, page)
		account := li.user().Account
		d := w.app.data.read(t.Context())
		key := all[Act](w, "user_id = ? AND operation = ?", li.user().ID, string(ips.OpWithdraw))[0].OrderKey
		past := time.Now().AddDate(0, 0, -3)
		for line := range 120 {
			add(d, Posting{OrderKey: key, Line: 100 + line, Account: account, Available: 1, About: fmt.Sprintf("第%d笔", line), PostedAt: past.Add(time.Duration(line) * time.Second)})
		}
		require.NoError(t, d.err)
		assert.Contains(t, li.see("/account"), "共 122 条，第 1 / 3 页")
		page = li.see("/account?kind=money&page=3&sort=old")
		assert.Contains(t, page, "第 3 / 3 页")
		assert.Contains(t, page, `href="/account?kind=money&amp;page=2&amp;sort=old">上一页`)
		assert.Contains(t, page, `href="/account?kind=money">最新在前`, "another order begins with the first page")
		assert.Contains(t, page, `<a href="/account?kind=money&amp;sort=old" aria-current="true">最早在前`)
		assert.NotContains(t, page, "下一页")
		assert.Regexp(t, `(?s)-102\.00.*399\.20`, page, "the balance after all lines")
		for query, want := range map[string]string{
			"kind=bid": "没有符合条件的记录", "day=today": "共 2 条", "day=" + ips.DateOf(past).String(): "共 120 条", "day=7": "共 122 条", "day=yesterday": "没有符合条件的记录",
			"page=9": "第 3 / 3 页", "page=-1&sort=x&kind=x'": "第 1 / 3 页",
		} {
			assert.Contains(t, li.see("/account?"+query), want, query)
		}
		assert.Contains(t, li.see("/orders?state=done&kind=money"), "共 3 条")
		assert.Contains(t, li.see("/orders?state=refused"), "没有符合条件的记录")
		assert.Contains(t, w.admin.see("/admin/orders?kind=money&day=today"), "共 3 条")
		for i := range 60 {
			add(d, Loan{BidNo: fmt.Sprint("B", i), BorrowerID: li.user().ID, Purpose: fmt.Sprint("用途", i), Amount: ips.Amount(10000 + i), Rate: ips.Rate(100 + i), Months: 1,
				RepayMode: ips.RepayAnnuity, State: map[bool]LoanState{true: LoanRaising, false: LoanEnded}[i%2 == 0], CreatedAt: past.Add(time.Duration(i) * time.Second)})
		}
		require.NoError(t, d.err)
		assert.Contains(t, w.visitor().see("/?state=raising"), "共 30 条")
		assert.Regexp(t, `(?s)用途59<.*用途58<`, li.see("/borrow?sort=most"))
		assert.Regexp(t, `(?s)用途0<.*用途1<`, w.admin.see("/admin?sort=least"))
	})
}

// The page of a batch has pages of its movements, and members see their own only.
func TestBatchHasPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "500.00")
	act := all[Act](w, "operation = ?", string(ips.OpRecharge))[0]
	d := w.app.data.read(t.Context())
	for line := range 300 {
		add(d, Posting{OrderKey: act.OrderKey, Line: 100 + line, Account: fmt.Sprint("A", line), Available: 1, PostedAt: time.Now()})
		add(d, Failure{OrderKey: act.OrderKey, Line: 1 + line, Account: fmt.Sprint("A", line), Amount: 1})
	}
	require.NoError(t, d.err)
	path := orderPath(act.Operation, act.OrderNo)
	assert.Contains(t, w.admin.see(path+"?page=7"), "共 301 条，第 7 / 7 页")
	assert.Contains(t, w.admin.see(path+"?failed-page=6"), "共 300 条，第 6 / 6 页")
	assert.Contains(t, li.see(path), "共 1 条")
}

// Each party of a loan can read the contract, with the others' parts as far as they
// are his business; strangers cannot.
func TestContract(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		zhang, li, wang, zhao := w.customer("张三", ""), w.customer("李四", "5010.00"), w.customer("王五", "6010.00"), w.customer("赵六", "10.00")
		bid := zhang.borrows("10000.00", "0.00", "2", "2")
		path := "/loan/" + bid + "/contract"
		zhao.press("/loan/"+bid, "/loan/"+bid+"/guarantee", url.Values{"margin": {"0.00"}, "profit": {"0.00"}})
		li.bids(bid, "4000.00")
		wang.bids(bid, "6000.00")
		assert.Equal(t, 404, li.open404(path), "there is none before the release")
		w.administer(bid, "release", nil)
		ident := zhang.user().IdentNo
		for _, p := range []*person{zhang, w.admin} {
			page := p.see(path)
			for _, want := range []string{"张三，身份证号 尾号 " + ident[14:], "李四", "王五", "赵六", "4,000.00", "6,000.00", "12.00%", "10,100.00", "按月还息到期还本", "放款 10,000.00 元，订单号 P"} {
				assert.Contains(t, page, want)
			}
			assert.NotContains(t, page, ident)
		}
		page := li.see(path)
		assert.Contains(t, page, "李四")
		assert.Contains(t, page, "4,040.00", "his own plan")
		assert.NotContains(t, page, "王五")
		assert.Contains(t, zhao.see(path), "10,100.00")
		assert.NotContains(t, zhao.see(path), "李四")
		assert.Contains(t, li.see("/loan/"+bid), `href="`+path+`"`)
		assert.Contains(t, li.see("/claims"), `href="`+path+`"`)
		stranger := w.customer("孙七", "")
		assert.Equal(t, 404, stranger.open404(path))
		assert.NotContains(t, stranger.see("/loan/"+bid), path)

		// Whom an order of somebody else has brought money has a receipt of it.
		zhang.recharge("1000.00")
		zhang.press("/loan/"+bid, "/loan/"+bid+"/repay", nil)
		w.settle()
		repaid := all[Act](w, "kind = 'repay'")[0]
		assert.Contains(t, li.see("/orders?kind=repay"), repaid.OrderNo)
		receipt := li.see(orderPath(repaid.Operation, repaid.OrderNo))
		assert.Contains(t, receipt, "36.00", "40.00 less 10 %")
		assert.NotContains(t, receipt, "54.00", "others' lines")
		assert.Contains(t, li.see("/account"), "<dt>已收利息</dt><dd>36.00 元（扣除手续费后）</dd>")
		assert.Contains(t, li.see("/account"), "<dt>待收本息</dt><dd>4,040.00 元</dd>")
		assert.Regexp(t, `<dt>最近一期</dt><dd>[-0-9]+，10,100\.00 元</dd>`, zhang.see("/account"))
		assert.Equal(t, 404, stranger.open404(orderPath(repaid.Operation, repaid.OrderNo)))

		// What was lent stays what it was, whoever holds it now; what came of it stands apart.
		assert.Contains(t, li.see(path), "丙方对未按期偿还的本息在担保金额内代偿")
		stranger.recharge("2000.00")
		li.press("/claims", "/claims/"+sharesOf(t, w, li)[0]+"/sell", url.Values{"face": {"1500.00"}, "price": {"1400.00"}})
		require.Contains(t, stranger.press("/market", "/market/"+saleOf(t, w)+"/buy", nil), "IPS 已处理成功")
		w.settle()
		for _, p := range []*person{zhang, li, stranger, w.admin} {
			page := p.see(path)
			assert.Regexp(t, `(?s)出借人（甲方）.*李四.*<td data-label="出借本金（元）" class="n">4,000\.00</td>`, page)
			assert.NotContains(t, page, `<td data-label="出借本金（元）" class="n">1,500.00</td>`)
			assert.Regexp(t, `(?s)债权转让</h2>.*<td data-label="时间">2[-0-9]+ [:0-9]+</td><td data-label="出让人">李四</td><td data-label="受让人">孙七</td>.*class="n">1,500\.00</td>.*履行情况.*打印时间`, page)
		}
		assert.NotContains(t, wang.see(path), "孙七", "no claim of his")
		terms, _, _ := strings.Cut(li.see(path), "履行情况")
		assert.NotContains(t, terms, "已还")
		assert.NotContains(t, terms, "结束")
		assert.Contains(t, terms, "4,040.00")

		bare := zhang.borrows("1000.00", "0.00", "1", "1")
		li.bids(bare, "1000.00")
		w.administer(bare, "release", nil)
		assert.NotContains(t, li.see("/loan/"+bare+"/contract"), "丙方", "nobody guarantees")
	})
}

// Staff reads in sentences what was asked, what IPS said, and what to do; and how
// many notifications were not signed by IPS.
func TestContradictionInSentences(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "100.00")
	_, err := w.box.OrderFault(sandbox.Fault{Name: fault.NoticeAmount, Op: "doDpTrade", Count: 1})
	require.NoError(t, err)
	w.mute.Store(true)
	ctx, cancel := li.ctx()
	defer cancel()
	page := li.submit("/funds", "/recharge", url.Values{"amount": {"72.00"}, "bank": {"00004"}})
	_, _ = li.b.Follow(ctx, li.pressForm(page, ipsForm(page), nil))
	w.mute.Store(false)
	require.Eventually(t, func() bool { return len(w.matters()) > 0 }, patience, 20*time.Millisecond)
	text := w.admin.see("/admin/contradictions")
	for _, want := range []string{"答复与请求不符。签名无误", "<dt>平台请求</dt><dd>72.00 元</dd>", "<dt>交易金额（pTrdAmt）</dt>", "平台请求 72.00，IPS 答复 ", "，相差 "} {
		assert.Contains(t, text, want)
	}
	for name, want := range map[string]string{"会员": li.login, "订单状态": "(成功|已记录，等待 IPS 结果)", "平台已入账": "(没有|充值 可用 72.00 元，冻结 0.00 元，共 1 笔)"} {
		assert.Regexp(t, "<dt>"+name+"</dt><dd>"+want+"</dd>", text)
	}
	assert.NotContains(t, text, "行号", "a recharge has no rows")
	assert.Contains(t, text, "本程序启动以来没有")
	_, err = w.box.OrderFault(sandbox.Fault{Name: fault.NoticeBadSign, Op: "doDpTrade", Count: 1})
	require.NoError(t, err)
	li.press("/funds", "/recharge", url.Values{"amount": {"1.00"}, "bank": {"00004"}})
	w.settle()
	assert.Contains(t, w.admin.see("/admin/contradictions"), "本程序启动以来 1 次，最近一次")
	for kind := range advice {
		assert.NotEmpty(t, advice[kind])
	}
	assert.Equal(t, "平台请求 100.00，IPS 答复 72.50，相差 -27.50", differs(ips.Difference{Asked: "100.00", Said: "72.50"}))
	assert.Equal(t, "平台请求 B1，IPS 答复 （无）", differs(ips.Difference{Asked: "B1"}))
	assert.Equal(t, "明细（pDetails/pRow[2]）", fieldName("pDetails/pRow[2]"))
}

// What staff turns down can be applied for anew, and is not published.
func TestReject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang := w.customer("张三", "")
	apply := url.Values{"amount": {"1000.00"}, "margin": {"5.00"}, "rate": {"12.00"}, "months": {"3"}, "mode": {"1"}, "purpose": {"购车"}}
	bid := bidLink.FindStringSubmatch(zhang.submit("/borrow", "/borrow", apply).URL.Path)[1]
	page := w.admin.see("/admin/loan/" + bid)
	assert.Contains(t, page, "<dt>发布时冻结保证金</dt><dd>5.00 元</dd>")
	assert.Contains(t, page, "<dt>放款时收取手续费</dt><dd>10.00 元</dd>")
	open := w.admin.open("/admin/loan/" + bid)
	w.admin.press("/admin/loan/"+bid, "/admin/loan/"+bid+"/reject", nil)
	assert.Contains(t, zhang.see("/loan/"+bid), "平台未通过")
	assert.Equal(t, 422, w.admin.pressForm(open, formTo(open, "/admin/loan/"+bid+"/publish"), nil).Status)
	assert.Equal(t, http.StatusOK, zhang.submit("/borrow", "/borrow", apply).Status)
}

// The chapters count what was done of each, and of no other.
func TestChaptersCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "100.00")
	li.press("/funds", "/recharge", url.Values{"channel": {"withholding"}, "amount": {"1.00"}})
	li.press("/contracts", "/contracts/bid", nil)
	w.settle()
	page := li.see("/chapters")
	for name, want := range map[string]string{"用户开户": "已完成 1 笔", "托管账户充值（网银）": "已完成 1 笔", "托管账户充值（委托收款-用户发起）": "已完成 1 笔", "投资人设置自动投标": "已完成 1 笔", "托管账户提现": "未开始"} {
		row := regexp.MustCompile(`(?s)<tr>[^\n]*` + regexp.QuoteMeta(name) + `[^\n]*</tr>`).FindString(page)
		assert.Contains(t, row, want, name)
	}
}

// Two members of the staff who open the books in the same instant see one
// comparison.
func TestOneComparison(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		w.customer("李四", "100.00")
		for range 2 { // the first of all, and another one
			begun := make(chan Comparison)
			for range 6 {
				go func() {
					c, err := w.app.compare(t.Context())
					assert.NoError(t, err)
					begun <- c
				}()
			}
			first := <-begun
			for range 5 {
				assert.Equal(t, first.BeganAt.UnixMicro(), (<-begun).BeganAt.UnixMicro())
			}
			found := all[Comparison](w, "1 = 1")
			require.Len(t, found, 1)
			assert.Equal(t, 2, found[0].Looked, "nobody is counted twice")
			w.passes(freshTime + time.Second)
		}
	})
}

// A database that was made before a column was is brought up to date.
func TestMissingColumn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		d, err := openData(t.Context(), address)
		require.NoError(t, err)
		defer d.Close()
		_, err = d.Exec("ALTER TABLE loans DROP COLUMN release_no")
		require.NoError(t, err)
		require.NoError(t, d.migrate(t.Context()))
		w := d.read(t.Context())
		u := User{ID: newID(), Login: "a"}
		add(w, u)
		add(w, Loan{BidNo: "B1", BorrowerID: u.ID})
		require.NoError(t, w.err)
		assert.Len(t, list[Loan](w, "release_no = ''"), 1)
	})
}

// What pages pick and sort by has an index behind it.
func TestListsHaveIndexes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	type step struct {
		ID, Parent, NotUsed int64
		Detail              string
	}
	for query, want := range map[string]string{
		"SELECT * FROM postings WHERE account = 'x' ORDER BY posted_at":                          "postings_account_posted_at",
		"SELECT * FROM " + actsAndOrders + " WHERE user_id = 'x' ORDER BY made_at DESC":          "acts_user_id_made_at",
		"SELECT * FROM " + actsAndOrders + " WHERE kind = 'bid' ORDER BY made_at DESC":           "acts_kind_made_at",
		"SELECT * FROM " + actsAndOrders + " WHERE made_at > 1 AND made_at < 2 ORDER BY made_at": "acts_made_at",
		"SELECT * FROM " + actsAndOrders + " WHERE " + isOpen:                                    "ips_order_ended",
		"SELECT * FROM loans WHERE state = 'raising' ORDER BY created_at DESC":                   "loans_state_created_at",
		"SELECT * FROM loans ORDER BY amount DESC":                                               "loans_amount",
		"SELECT * FROM loans WHERE borrower_id = 'x'":                                            "loans_borrower_id",
		"SELECT * FROM sales WHERE state = 'offered' ORDER BY price":                             "sales_state_price",
		"SELECT * FROM shares WHERE holder_id = 'x'":                                             "shares_holder_id",
		"SELECT COUNT(*) FROM dues WHERE state = 'open' AND due_on < '2'":                        "dues_state_due_on",
		"SELECT * FROM shares s JOIN users u ON u.id = s.holder_id WHERE s.bid_no = 'x'":         "shares_bid_no",
		"SELECT * FROM guarantees g JOIN users u ON u.id = g.guarantor_id WHERE g.bid_no = 'x'":  "guarantees_bid_no",
	} {
		d := w.app.data.read(t.Context())
		var plan []string
		for _, s := range rows[step](d, "EXPLAIN QUERY PLAN "+query) {
			plan = append(plan, s.Detail)
		}
		require.NoError(t, d.err)
		assert.Contains(t, strings.Join(plan, "; "), want, query)
	}
}

// A letter that IPS has not signed is counted, by whatever way it comes.
func TestForgedIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	for _, path := range []string{"/ips/notify/recharge", "/ips/return/recharge"} {
		form := url.Values{"pMerCode": {"808801"}, "pErrCode": {"MG00000F"}, "pErrMsg": {"x"}, "p3DesXmlPara": {"bm90aGluZw=="}, "pSign": {strings.Repeat("0", 32)}}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w.app.ServeHTTP(httptest.NewRecorder(), r)
	}
	assert.Contains(t, w.admin.see("/admin/contradictions"), "本程序启动以来 2 次")
	assert.Empty(t, w.matters())
}
