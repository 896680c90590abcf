package sandbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// loan is a bid of 1000.00 by 张三 on which 李四 has bid 600.00.
type loan struct {
	*fixture
	borrower, investor string
}

// startLoan tells the sandbox a short story to look at.
func startLoan(t *testing.T, cfg sandbox.Config) loan {
	t.Helper()
	l := loan{fixture: start(t, cfg)}
	l.borrower = l.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	l.investor = l.openAccount("A2", "110101199001010002", "李四", "13800000002", "lisi")
	require.NoError(t, l.Deposit("808801", l.investor, 100000))
	code, text := l.submitPage("registerSubject.aspx", "p", "pMerBillNo", "B1", "pBidNo", "BID1", "pRegDate", "20141124",
		"pLendAmt", "1000.00", "pGuaranteesAmt", "0.00", "pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12",
		"pLendPurpose", "买车", "pRepayMode", "1", "pOperationType", "1", "pLendFee", "10.00", "pAcctType", "1",
		"pIdentNo", "110101199001010001", "pRealName", "张三", "pIpsAcctNo", l.borrower)
	require.Equal(t, "MG02500F", code, text)
	code, text = l.submitPage("registerCreditor.aspx", "p", "pMerBillNo", "C1", "pMerDate", "20141124", "pBidNo", "BID1",
		"pContractNo", "CON1", "pRegType", "1", "pAuthNo", "", "pAuthAmt", "600.00", "pTrdAmt", "600.00", "pFee", "1.50",
		"pAcctType", "1", "pIdentNo", "110101199001010002", "pRealName", "李四", "pAccount", l.investor, "pUse", "买车")
	require.Equal(t, "MG00000F", code, text)
	l.delivered()
	return l
}

// console gets a page of the console, and checks what is true of all of them.
func (f *fixture) console(path string) *board {
	f.t.Helper()
	r := f.do(http.MethodGet, path, "", "")
	require.Equal(f.t, http.StatusOK, r.status, "%s: %s", path, r.body)
	return f.readConsole(path, r)
}

func (f *fixture) readConsole(path string, r reply) *board {
	f.t.Helper()
	assert.Equal(f.t, "text/html; charset=utf-8", r.header.Get("Content-Type"))
	csp := r.header.Get("Content-Security-Policy")
	assert.True(f.t, strings.HasPrefix(csp, "default-src 'none';"), csp)
	assert.NotContains(f.t, csp, "unsafe")
	assert.Equal(f.t, "no-store", r.header.Get("Cache-Control"))
	doc, err := html.Parse(strings.NewReader(r.body))
	require.NoError(f.t, err)
	s := &board{t: f.t, path: path, doc: doc, text: visible(doc)}
	s.wellFormed()
	return s
}

// board is a page as a browser without scripts has it.
type board struct {
	t    *testing.T
	path string
	doc  *html.Node
	text string
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func (s *board) elements(tags ...string) []*html.Node {
	var list []*html.Node
	for n := range s.doc.Descendants() {
		if n.Type == html.ElementNode && slices.Contains(tags, n.Data) {
			list = append(list, n)
		}
	}
	return list
}

// visible is the text of a node on one line.
func visible(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// wellFormed checks what people with a keyboard, a screen reader or a suspicion
// of scripts need.
func (s *board) wellFormed() {
	s.t.Helper()
	assert.Equal(s.t, "zh-CN", attribute(s.elements("html")[0], "lang"), s.path)
	assert.Contains(s.t, s.text, "并非环迅支付", s.path)
	if h1 := s.elements("h1"); assert.Len(s.t, h1, 1, s.path) {
		assert.NotEmpty(s.t, visible(h1[0]), s.path)
	}
	assert.NotEmpty(s.t, visible(s.elements("title")[0]), s.path)
	for _, field := range s.elements("input", "select") {
		labelled := attribute(field, "aria-label") != "" || attribute(field, "type") == "hidden"
		for a := range field.Ancestors() {
			labelled = labelled || a.Data == "label"
		}
		assert.True(s.t, labelled, "%s: %s has no label", s.path, attribute(field, "name"))
	}
	for n := range s.doc.Descendants() {
		assert.Empty(s.t, attribute(n, "style"), s.path)
		for _, a := range n.Attr {
			assert.False(s.t, strings.HasPrefix(a.Key, "on"), "%s: %s", s.path, a.Key)
			if a.Key == "src" || a.Key == "href" || a.Key == "action" {
				assert.True(s.t, strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "#"), "%s leads away: %s", s.path, a.Val)
			}
		}
	}
	for _, script := range s.elements("script") {
		assert.Nil(s.t, script.FirstChild, "%s: a script in the page", s.path)
	}
}

// rows are the texts of the rows of the page's first table.
func (s *board) rows() []string {
	var list []string
	for n := range s.elements("tbody")[0].Descendants() {
		if n.Type == html.ElementNode && n.Data == "tr" {
			list = append(list, visible(n))
		}
	}
	return list
}

// link is where the link of that text leads.
func (s *board) link(text string) string {
	for _, a := range s.elements("a") {
		if visible(a) == text {
			return attribute(a, "href")
		}
	}
	return ""
}

// operate fills in the form to an address and sends it, as a browser would.
func (f *fixture) operate(s *board, action string, values url.Values) reply {
	f.t.Helper()
	for _, form := range s.elements("form") {
		if attribute(form, "action") != action {
			continue
		}
		sent := url.Values{}
		for n := range form.Descendants() {
			if n.Type == html.ElementNode && n.Data == "input" && attribute(n, "type") == "hidden" {
				sent.Set(attribute(n, "name"), attribute(n, "value"))
			}
		}
		for name, list := range values {
			sent[name] = list
		}
		return f.do(http.MethodPost, action, "application/x-www-form-urlencoded", sent.Encode())
	}
	require.Fail(f.t, "there is no form to "+action)
	return reply{}
}

// operated checks that an action was done and goes where it leads.
func (f *fixture) operated(r reply) *board {
	f.t.Helper()
	require.Equal(f.t, http.StatusSeeOther, r.status, r.body)
	return f.console(r.header.Get("Location"))
}

func TestConsolePages(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	for path, wants := range map[string][]string{
		"/console/": {"平衡", "808801", "测试平台", "2 个托管账户", "未拨快", "2014-11-24 12:00:00", "C1", "registerCreditor",
			"-1,000.00", "已送达 delivered 4"},
		"/console/accounts":                      {l.borrower, "张三", l.investor, "李四", "398.50", "601.50", "pIpsAcctNo"},
		"/console/accounts/808801/" + l.investor: {"李四", "398.50", "601.50", "110***********0002", "138****0002", "冻结投标"},
		"/console/accounts/808801/" + l.borrower: {"张三", "作为借款人的标的", "BID1"},
		"/console/accounts/808801/808801":        {"测试平台", "商户自有账户"},
		"/console/bids":                          {"BID1", "募集中 (2)", "1,000.00", "600.00", "张三"},
		"/console/bids/808801/BID1":              {"募集中 (2)", "12.00%", "12 个月", "CON1", "李四", "600.00", "已还（含利息） 0.00"},
		"/console/orders":                        {"A1", "B1", "C1", "MG02501F", "完成 done", "登记标的 registerSubject"},
		"/console/orders/808801/C1":              {"MG00000F", "<pBidNo> BID1 </pBidNo>", "验签通过", "已送达", "601.50", "BID1"},
		"/console/messages":                      {"页面提交", "页面返回", "S2S 通知", "验签通过", "已签名", "MG00000F"},
		"/console/messages/1":                    {"验签通过", "CreateNewIpsAcct", "<pMerBillNo> A1 </pMerBillNo>", "127.0.0.1"},
		"/console/notifications":                 {"CreateNewIpsAcct", "已送达 delivered", "HTTP 200", "/notify"},
		"/console/notifications/1":               {"重发", "HTTP 200", "said 200", "curl -sS", "以 UTF-8 BOM 开头", "<![CDATA[张三]]>"},
		"/console/journal":                       {"入金 deposit", "外部银行 可用", "李四 冻结", "601.50"},
		"/console/faults":                        {"没有故障", "notice-double", "通知重复"},
		"/console/journal?account=nobody":        {"没有分录", "共 0 条"},
		"/console/bids?q=nothing":                {"没有标的"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			f := *l.fixture
			f.t = t
			page := f.console(path)
			for _, want := range wants {
				assert.Contains(t, page.text, want)
			}
			assert.NotContains(t, page.text, "110101199001010", "id numbers are hidden")
			assert.NotContains(t, page.text, "1380000000", "mobiles are hidden")
		})
	}
}

func TestConsoleHasNothingElse(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for _, path := range []string{
		"/console/nothing", "/console/accounts/808801/4021000000000009", "/console/accounts/999999/999999", "/console/bids/808801/B",
		"/console/orders/808801/A", "/console/messages/1", "/console/messages/x", "/console/messages/1/document",
		"/console/notifications/1", "/console/notifications/x", "/console/notifications/1/replay.sh", "/console/notifications/1/document",
	} {
		r := f.do(http.MethodGet, path, "", "")
		assert.Equal(t, http.StatusNotFound, r.status, path)
		f.readConsole(path, r)
	}
	assert.Equal(t, http.StatusMethodNotAllowed, f.do(http.MethodDelete, "/console/faults", "", "").status)
	assert.Equal(t, "/console/", f.do(http.MethodGet, "/console", "", "").header.Get("Location"))
	for path, media := range map[string]string{"style.css": "text/css", "live.js": "text/javascript"} {
		r := f.do(http.MethodGet, "/console/"+path, "", "")
		assert.Equal(t, http.StatusOK, r.status)
		assert.Equal(t, media+"; charset=utf-8", r.header.Get("Content-Type"))
		assert.NotRegexp(t, `https?://|@import|url\(`, r.body, "nothing from elsewhere")
	}
}

// What does not survive a reload, or the way to a colleague, is of no use: the
// filters are in the address, and the page shows them.
func TestConsoleFilters(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	forged := seal(l.keys, "arg", l.opening("A9"))
	forged.Set("argSign", "0")
	l.post(page, forged)
	for path, want := range map[string]int{
		"/console/accounts":                                    2,
		"/console/accounts?q=lisi":                             1,
		"/console/accounts?q=13800000002":                      1,
		"/console/accounts?q=" + url.QueryEscape("张"):          1,
		"/console/accounts?merchant=808801":                    2,
		"/console/bids?status=2":                               1,
		"/console/bids?q=ID1&borrower=" + l.borrower:           1,
		"/console/orders":                                      4,
		"/console/orders?op=CreateNewIpsAcct":                  2,
		"/console/orders?state=done&q=C1":                      1,
		"/console/messages?sign=bad":                           1,
		"/console/messages?dir=in":                             5,
		"/console/messages?via=notify&op=registerCreditor":     1,
		"/console/messages?q=B1":                               3,
		"/console/messages?q=MG00003F":                         2,
		"/console/notifications?state=delivered":               4,
		"/console/notifications?q=C1":                          1,
		"/console/notifications?op=registerSubject&q=MG02501F": 1,
		"/console/journal?op=deposit":                          1,
		"/console/orders?q=600":                                1, // an amount
		"/console/orders?q=1%2C000.00":                         1,
		"/console/orders?q=" + l.investor:                      2, // whose it is, or whom it opened
		"/console/orders?q=BID1":                               2,
		"/console/bids?q=1000.00":                              1,
		"/console/journal?q=601.50":                            1,
		"/console/orders?from=2014-11-24T12%3A00":              4,
		"/console/messages?to=2014-11-24T12%3A00&dir=in":       5,
		"/console/notifications?from=2014-11-24T11%3A59":       4,
		"/console/journal?from=2014-11-24T12%3A00&to=x":        2,
		"/console/journal?account=" + l.investor:               2,
		"/console/journal?order=C1&bid=BID1":                   1,
	} {
		s := l.console(path)
		assert.Len(t, s.rows(), want, path)
		assert.Contains(t, s.text, fmt.Sprintf("共 %d 条", want), path)
		s.keepsFilters()
	}
	for _, path := range []string{
		"/console/orders?from=2014-11-24T12%3A01", "/console/messages?to=2014-11-24T11%3A59", "/console/journal?to=2014-11-24T11%3A59",
		"/console/accounts?q=nobody", "/console/bids?status=9", "/console/orders?state=failed", "/console/orders?merchant=999999",
		"/console/messages?q=MG9", "/console/notifications?state=queued", "/console/journal?bid=BID2",
	} {
		s := l.console(path)
		assert.Contains(t, s.text, "共 0 条", path)
		assert.Equal(t, strings.Split(path, "?")[0], s.link("清除"), path)
		s.keepsFilters()
	}
}

// keepsFilters checks that the form shows what the address says.
func (s *board) keepsFilters() {
	s.t.Helper()
	u, err := url.Parse(s.path)
	require.NoError(s.t, err)
	shown := map[string]string{}
	for _, field := range s.elements("input", "option") {
		name := attribute(field, "name")
		value := attribute(field, "value")
		if field.Data == "option" {
			name = attribute(field.Parent, "name")
			if _, selected := attributeOf(field, "selected"); !selected {
				continue
			}
		}
		shown[name] = value
	}
	filters := u.Query()
	filters.Del("page") // a filter that changes shows its first page
	for name, list := range filters {
		assert.Equal(s.t, list[0], shown[name], "%s: %s", s.path, name)
	}
}

func attributeOf(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func TestConsolePaging(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for i := range 7 {
		f.openingAccount(i)
	}
	f.delivered()
	for list, total := range map[string]int{"orders": 7, "accounts": 7, "messages": 21, "notifications": 7} {
		address := "/console/" + list + "?limit=3&merchant=808801"
		var seen []string
		for address != "" {
			s := f.console(address)
			assert.LessOrEqual(t, len(s.rows()), 3)
			seen = append(seen, s.rows()...)
			s.keepsFilters()
			address = s.link("下一页")
		}
		assert.Len(t, seen, total, list)
		slices.Sort(seen)
		assert.Len(t, slices.Compact(seen), total, "%s: a row was shown twice", list)
	}
	newest := f.console("/console/orders?limit=3").rows()
	assert.Contains(t, newest[0], "P6")
	assert.Contains(t, newest[2], "P4")
	assert.Equal(t, newest, f.console(f.console("/console/orders?limit=3&page=2").link("上一页")).rows())
}

// A list is put in the order of a column by its head, and again the other way
// round; filters and paging stay, and who listens is told which order it is.
func TestConsoleSorts(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for i := range 7 {
		f.openingAccount(i)
	}
	f.delivered()
	accounts := f.accounts("808801")
	for i, fen := range []int64{300, 100, 700, 200, 600, 500, 400} {
		require.NoError(t, f.Deposit("808801", accounts[i].Number, fen))
	}
	first := func(s *board) (list []string) {
		for _, row := range s.rows() {
			list = append(list, strings.Fields(row)[0])
		}
		return list
	}
	for list, columns := range map[string][]string{
		"accounts": {"账号", "姓名", "可用", "开户时间"}, "orders": {"状态", "金额", "账号", "时间"}, "bids": {"标的号", "状态", "借款金额"},
		"messages": {"时间"}, "notifications": {"产生时间", "状态", "次数"}, "journal": {"时间", "金额"},
	} {
		for _, column := range columns {
			s := f.console("/console/" + list + "?limit=3&merchant=808801&page=2")
			s = f.console(s.link(column))
			head := s.elements("thead")[0]
			var order []string
			for n := range head.Descendants() {
				if sorted := attribute(n, "aria-sort"); sorted != "" {
					order = append(order, visible(n), sorted)
				}
			}
			require.Len(t, order, 2, "%s by %s", list, column)
			assert.Contains(t, order[0], column)
			other := f.console(s.link(column))
			assert.Contains(t, s.path, "limit=3&merchant=808801&sort=")
			assert.NotContains(t, s.path, "page=", "from the beginning")
			assert.NotEqual(t, strings.Contains(s.path, "sort=-"), strings.Contains(other.path, "sort=-"), "%s by %s", list, column)
			s.keepsFilters()
		}
	}
	numbers := func(places ...int) (list []string) {
		for _, i := range places {
			list = append(list, accounts[i].Number)
		}
		return list
	}
	richest := f.console("/console/accounts?limit=3&sort=-available")
	assert.Equal(t, numbers(2, 4, 5), first(richest))
	assert.Equal(t, numbers(6, 0, 3), first(f.console(richest.link("下一页"))))
	assert.Equal(t, numbers(1, 3, 0), first(f.console("/console/accounts?limit=3&sort=available")))
	require.NoError(t, f.Deposit("808801", accounts[1].Number, 1000))
	assert.Equal(t, numbers(1, 2, 4), first(f.console("/console/accounts?limit=3&sort=-available")), "as it is now")
	assert.Equal(t, []string{"P0", "P1", "P2"}, first(f.console("/console/orders?limit=3&sort=time")))
	assert.Equal(t, []string{"8", "3", "5"}, first(f.console("/console/journal?limit=3&sort=-amount")))
}

func (f *fixture) openingAccount(i int) {
	f.t.Helper()
	f.openAccount(fmt.Sprintf("P%d", i), fmt.Sprintf("11010119900101%04d", i+1), "张三", fmt.Sprintf("1380000%04d", i), fmt.Sprintf("p%d", i))
}

// Ids are hidden until they are asked for, and the document is the same but
// for them.
func TestConsoleMasksUntilAsked(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	for _, path := range []string{"/console/messages/1", "/console/notifications/1", "/console/orders/808801/A1"} {
		masked := l.console(path)
		assert.Contains(t, masked.text, "110***********0001", path)
		assert.NotContains(t, masked.text, "110101199001010001", path)
		shown := l.console(masked.link("显示"))
		assert.Contains(t, shown.text, "110101199001010001", path)
		assert.Contains(t, shown.text, "13800000001", path)
		assert.Equal(t, path, shown.link("隐藏"))
	}
	for _, path := range []string{"/console/messages/1", "/console/notifications/1"} {
		whole := l.do(http.MethodGet, l.console(path).link("原文"), "", "")
		assert.Equal(t, "text/plain; charset=utf-8", whole.header.Get("Content-Type"), "never as XML, which a browser would run")
		assert.Contains(t, whole.body, "<pIdentNo>110***********0001</pIdentNo>")
		whole = l.do(http.MethodGet, l.console(path+"?unmask=1").link("原文"), "", "")
		assert.Contains(t, whole.body, "<pIdentNo>110101199001010001</pIdentNo>")
	}
	assert.Equal(t, l.Unmasked()[0].XML, l.do(http.MethodGet, "/console/messages/1/document?unmask=1", "", "").body)
	account := "/console/accounts/808801/" + l.borrower
	assert.Contains(t, l.console(l.console(account).link("显示")).text, "13800000001")
}

// The order number is free text, and so are names: nothing of them may become
// markup, and their pages must be found.
func TestConsoleEscapes(t *testing.T) {
	t.Parallel()
	hostile := []string{`<script>alert(1)</script>`, `"><img/src=x>`, `'onclick='x`, `../../..`, `a/b?c#d%2F`, `javascript:x`, `..`, `~`, `{{.}}`, `张三&amp;`}
	m := sandbox.TestMerchant()
	m.Name = `<script>alert("name")</script>`
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{m}})
	for i, order := range hostile {
		f.openAccount(order, fmt.Sprintf("11010119900101%04d", i+1), "张三", fmt.Sprintf("1380000%04d", i), fmt.Sprintf("h%d", i))
	}
	f.delivered()
	for _, path := range []string{"/console/", "/console/orders", "/console/messages", "/console/notifications", "/console/accounts/808801/808801"} {
		s := f.console(path)
		assert.Empty(t, s.elements("img"), path)
		assert.Len(t, s.elements("script"), 1, path)
	}
	assert.Contains(t, f.console("/console/").text, m.Name)
	orders := f.console("/console/orders")
	for _, order := range hostile {
		own := orders.link(order)
		require.NotEmpty(t, own, order)
		// As a browser would, which resolves the dots.
		u, err := url.Parse("http://localhost/console/orders")
		require.NoError(t, err)
		u, err = u.Parse(own)
		require.NoError(t, err)
		s := f.console(u.RequestURI())
		assert.Contains(t, visible(s.elements("h1")[0]), order)
		assert.Empty(t, s.elements("img"))
	}
	for _, q := range hostile {
		for _, list := range []string{"orders?q=", "orders?op=", "messages?q=", "journal?account="} {
			s := f.console("/console/" + list + url.QueryEscape(q))
			s.keepsFilters()
			assert.Len(t, s.elements("script"), 1)
		}
	}
}

func TestConsoleActions(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})

	t.Run("clock", func(t *testing.T) {
		s := l.operated(l.operate(l.console("/console/"), "/console/clock", url.Values{"by": {"90m"}}))
		assert.Contains(t, s.text, "2014-11-24 13:30:00")
		assert.Contains(t, s.text, "已拨快 1小时30分钟")
		assert.True(t, l.Now().Equal(noon.Add(90*time.Minute)))
		for _, bad := range []string{"-1m", "x", "10000000h", "1"} {
			r := l.operate(l.console("/console/"), "/console/clock", url.Values{"by": {bad}})
			assert.Equal(t, http.StatusUnprocessableEntity, r.status)
			assert.Contains(t, l.readConsole("clock", r).text, "未能完成")
		}
		assert.True(t, l.Now().Equal(noon.Add(90*time.Minute)))
	})

	t.Run("resend", func(t *testing.T) {
		before := len(l.shop.received())
		l.operated(l.operate(l.console("/console/notifications/1"), "/console/notifications/1/resend", nil))
		l.delivered()
		assert.Len(t, l.shop.received(), before+1)
		// Workers deliver in any order, so number 1 need not have come first.
		assert.Contains(t, l.shop.received()[:before], l.shop.received()[before])
		assert.Len(t, l.console("/console/notifications/1").rows(), 2)
	})

	t.Run("fault", func(t *testing.T) {
		order := func(values url.Values) reply {
			return l.operate(l.console("/console/faults"), "/console/faults/order", values)
		}
		refused := order(url.Values{"name": {"latency"}, "count": {"3"}, "delay": {"soon"}})
		assert.Equal(t, http.StatusUnprocessableEntity, refused.status)
		again := l.readConsole("faults", refused)
		assert.Contains(t, again.text, "延迟须为时长，如 30m 或 250ms，现为 \"soon\"")
		for _, typed := range []string{`value="3"`, `value="soon"`, `<option value="latency" selected>`} {
			assert.Contains(t, refused.body, typed)
		}
		s := l.operated(order(url.Values{"name": {"code"}, "op": {"doDpTrade"}, "code": {"MG18001F"}, "text": {"<b>no</b>"}, "count": {"2"}}))
		assert.Contains(t, s.rows()[0], "返回指定返回码 code 解除 充值 doDpTrade 全部 MG18001F <b>no</b>")
		s = l.operated(order(url.Values{"name": {"latency"}, "delay": {"1ms"}, "probability": {"0.5"}, "after": {"true"}}))
		assert.Contains(t, s.rows()[1], "应答延迟 latency 解除 全部 全部 延迟 1 毫秒 概率 0.5 生效后 0 次 不限")
		assert.Contains(t, l.console("/console/").text, "2 项故障生效中")
		require.Len(t, l.Faults(), 2)
		for _, fault := range l.Faults() {
			l.operated(l.operate(l.console("/console/faults"), "/console/faults/lift", url.Values{"id": {fmt.Sprint(fault.ID)}}))
		}
		assert.Contains(t, l.console("/console/faults").text, "没有故障")
	})

	t.Run("says what was done", func(t *testing.T) {
		r := l.operate(l.console("/console/"), "/console/clock", url.Values{"by": {"1s"}})
		page, name, _ := strings.Cut(r.header.Get("Location"), "#")
		assert.Contains(t, l.do(http.MethodGet, page, "", "").body, `id="`+name+`" role="status">时钟已拨快。`)
	})

	t.Run("account", func(t *testing.T) {
		own := "/console/accounts/808801/" + l.borrower
		s := l.operated(l.operate(l.console(own), own+"/deposit", url.Values{"yuan": {"1234.5"}}))
		assert.Contains(t, s.text, "1,234.50")
		assert.Equal(t, http.StatusUnprocessableEntity, l.operate(s, own+"/deposit", url.Values{"yuan": {"1,000"}}).status)
		s = l.operated(l.operate(s, own+"/mode", nil))
		assert.Contains(t, s.text, "确认方式 手动")
		s = l.operated(l.operate(s, own+"/mode", nil))
		assert.Contains(t, s.text, "确认方式 自动")
		s = l.operated(l.operate(s, own+"/mandate", nil))
		assert.Contains(t, s.text, "代扣委托书 未签")
		merchant := "/console/accounts/808801/808801"
		s = l.operated(l.operate(l.console(merchant), merchant+"/mode", nil))
		assert.Contains(t, s.text, "确认方式：手动")
		assert.False(t, l.Engine().Merchants()[0].Auto)
	})
	require.NoError(t, l.CheckBooks())
}

// Whoever works on the console is told in Chinese what was wrong with what he
// typed, whichever part of the sandbox found it.
func TestConsoleSaysInChineseWhatIsWrong(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	own := "/console/accounts/808801/" + l.borrower
	old := func(pairs ...string) url.Values {
		v := url.Values{"merchant": {"808801"}, "bid": {"OLD1"}, "contract": {"HT1"}, "release": {"F1"}, "borrower": {l.borrower}, "owed": {l.investor + ":1.00"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	for _, c := range []struct {
		action string
		values url.Values
		says   string
	}{
		{"/console/clock", url.Values{"by": {"x"}}, `拨快须为时长，如 30m 或 250ms，现为 "x"`},
		{"/console/clock", url.Values{"by": {"-1m"}}, "时钟只能拨快，总共至多 876000h0m0s，现为 -1m0s"},
		{"/console/notifications/999/resend", nil, "没有这条记录"},
		{"/console/notifications/x/resend", nil, `seq 须为编号，现为 "x"`},
		{own + "/deposit", url.Values{"yuan": {"1,000"}}, `金额须为至多九位整数、两位小数的元，现为 "1,000"`},
		{own + "/deposit", url.Values{"yuan": {"0"}}, "金额须为 1 至 100000000000000 分，现为 0 分"},
		{"/console/accounts/808801/4029/deposit", url.Values{"yuan": {"1"}}, `账号 "4029" 不存在`},
		{"/console/accounts/999999/999999/deposit", url.Values{"yuan": {"1"}}, `商户号 "999999" 不存在`},
		{own + "/mode", url.Values{"mode": {"maybe"}}, `确认方式须为 auto 或 manual，现为 "maybe"`},
		{own + "/mandate", nil, "没有说明是签署还是撤销"},
		{"/console/oldbids/order", old("bid", "!"), `标的号须为 1 至 30 位字母或数字，现为 "!"`},
		{"/console/oldbids/order", old("bid", "BID1"), `标的号 "BID1" 已被使用`},
		{"/console/oldbids/order", old("owed", "x"), `投资人须写成 账号:金额，以空格分隔，现为 "x"`},
		{"/console/oldbids/order", old("owed", ""), "没有任何待收金额"},
		{"/console/oldbids/order", old("owed", l.borrower+":1.00"), "不能是借款人"},
		{"/console/faults/lift", url.Values{"id": {"9"}}, "没有这条记录"},
		{"/console/faults/order", nil, "请选择故障"},
		{"/console/faults/order", url.Values{"name": {"code"}, "count": {"x"}}, `count 无法识别："x"`},
		{"/console/faults/order", url.Values{"name": {"code"}}, "请填写返回码（UTF-8）"},
		{"/console/faults/order", url.Values{"name": {"code"}, "code": {"MG00000F"}}, "返回码 MG00000F 不是失败"},
		{"/console/faults/order", url.Values{"name": {"row"}}, "请填写行号"},
		{"/console/faults/order", url.Values{"name": {"latency"}}, "故障“应答延迟”：请填写延迟，如 2s"},
		{"/console/faults/order", url.Values{"name": {"reset"}, "row": {"1"}}, "故障“连接被重置”：没有行号"},
		{"/console/faults/order", url.Values{"name": {"http-500"}, "merchant": {"999999"}}, `商户号 "999999" 不存在`},
	} {
		r := l.do(http.MethodPost, c.action, "application/x-www-form-urlencoded", c.values.Encode())
		assert.Equal(t, http.StatusUnprocessableEntity, r.status, c.action)
		assert.Contains(t, l.readConsole(c.action, r).text, c.says, "%s %v", c.action, c.values)
	}
}

// A page of another site must not act on them; a program may.
func TestConsoleRefusesForeignForms(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	form := url.Values{"by": {"1h"}, "id": {"1"}}.Encode()
	for _, path := range []string{
		"/console/clock", "/console/notifications/1/resend", "/console/faults/lift", "/console/faults/order", "/console/oldbids/order",
		"/console/accounts/808801/" + l.borrower + "/deposit", "/console/accounts/808801/" + l.borrower + "/mode",
		"/console/accounts/808801/" + l.borrower + "/mandate",
	} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example.com"} {
			r := l.do(http.MethodPost, path, formType, form, name, value)
			assert.Equal(t, http.StatusForbidden, r.status, path)
			l.readConsole(path, r)
		}
	}
	assert.Equal(t, http.StatusRequestEntityTooLarge,
		l.do(http.MethodPost, "/console/clock", formType, form+"&x="+strings.Repeat("x", 100<<10)).status)
	assert.True(t, l.Now().Equal(noon))
	assert.Equal(t, http.StatusSeeOther, l.do(http.MethodPost, "/console/clock", formType, form, "Sec-Fetch-Site", "same-origin").status)
	assert.Equal(t, http.StatusSeeOther, l.do(http.MethodPost, "/console/clock", formType, form, "Origin", l.url).status)
	assert.True(t, l.Now().Equal(noon.Add(2*time.Hour)))
}

// A merchant may name the console as his own address. What he is told there,
// by the sandbox itself or by a page of it that posts, is no form of the
// console's.
func TestConsoleTakesNothingMeantForMerchants(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for i, path := range []string{"/console/reset", "/console/notifications/2/resend"} {
		form := strings.ReplaceAll(f.openingOf(fmt.Sprint("A", i), fmt.Sprint("user", i)), f.shop.URL+"/notify", f.url+path)
		_, a := f.post("CreateNewIpsAcct.aspx", seal(f.keys, "arg", form)).returned(t)
		f.delivered()
		assert.Len(t, f.accounts(""), i+1)
		answer := url.Values{"pMerCode": {a.merchant}, "pErrCode": {a.code}, "pErrMsg": {a.text}, "p3DesXmlPara": {a.body}, "pSign": {a.sign}}
		r := f.do(http.MethodPost, path, formType, answer.Encode(), "Sec-Fetch-Site", "same-origin")
		assert.Equal(t, http.StatusForbidden, r.status, path)
		assert.Len(t, f.accounts(""), i+1)
	}
	assert.Len(t, f.GivenUp(), 2)
}

func TestConsoleRefusesForeignHosts(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Hosts: []string{"sandbox.example.com"}})
	for host, want := range map[string]int{
		"localhost": http.StatusOK, "127.0.0.1:1": http.StatusOK, "sandbox.example.com": http.StatusOK,
		"evil.example.com": http.StatusMisdirectedRequest,
	} {
		for _, path := range []string{"/console/", "/console/live.js", "/console/messages"} {
			req, err := http.NewRequest(http.MethodGet, f.url+path, nil)
			require.NoError(t, err)
			req.Host = host
			resp, err := f.http.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, want, resp.StatusCode, "%s %s", host, path)
		}
	}
}

// Somebody has to confirm: the console says what waits and leads there.
func TestConsoleShowsWhatWaits(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	require.Equal(t, http.StatusSeeOther, f.post(page, seal(f.keys, "arg", f.opening("A1"))).status)
	assert.Contains(t, f.console("/console/").text, "1 页面确认")
	s := f.console("/console/orders?state=waiting")
	assert.Contains(t, s.rows()[0], "待用户确认 waiting")
	s = f.console(s.link("A1"))
	assert.Contains(t, s.text, "尚无应答")
	assert.Equal(t, http.StatusOK, f.do(http.MethodGet, s.link("打开确认页"), "", "").status)

	require.NoError(t, f.Advance(time.Hour))
	f.delivered()
	s = f.console("/console/orders/808801/A1")
	assert.Contains(t, s.text, "失败 failed")
	assert.Contains(t, f.console("/console/").text, "0 页面确认")
}

// A bid on which everything happens: a guarantor, a release and the sale of
// half of a claim.
func TestConsoleShowsTheMoneyOfABid(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	guarantor := l.openAccount("A3", "110101199001010003", "王五", "13800000003", "wangwu")
	require.NoError(t, l.Deposit("808801", guarantor, 100000))
	code, text := l.submitPage("registerGuarantor.aspx", "p", "pMerBillNo", "G1", "pMerDate", "20141124", "pBidNo", "BID1",
		"pAmount", "1000.00", "pMarginAmt", "250.00", "pProFitAmt", "5.00", "pAcctType", "1", "pFromIdentNo", "110101199001010003",
		"pAccountName", "王五", "pAccount", guarantor)
	require.Equal(t, "MG00000F", code, text)
	a := fromResult(l.call11(trade, "Transfer", l.sealedParams("p", `<?xml version="1.0" encoding="utf-8"?><pReq>`+
		`<pMerBillNo>T1</pMerBillNo><pBidNo>BID1</pBidNo><pDate>20141124</pDate><pTransferType>1</pTransferType>`+
		`<pTransferMode>1</pTransferMode><pDetails><pRow><pOriMerBillNo>C1</pOriMerBillNo><pTrdAmt>600.00</pTrdAmt>`+
		`<pFAcctType>1</pFAcctType><pFIpsAcctNo>`+l.investor+`</pFIpsAcctNo><pFTrdFee>1.50</pFTrdFee><pTAcctType>1</pTAcctType>`+
		`<pTIpsAcctNo>`+l.borrower+`</pTIpsAcctNo><pTTrdFee>4.00</pTTrdFee></pRow></pDetails>`+
		`<pS2SUrl>`+l.shop.URL+`/notify</pS2SUrl><pMemo1/><pMemo2/><pMemo3/></pReq>`)...).resultOf(t, "Transfer"))
	require.Equal(t, "MG00008F", a.code, a.text)
	code, text = l.submitPage("registerCretansfer.aspx", "p", "pMerBillNo", "D1", "pMerDate", "20141124", "pBidNo", "BID1",
		"pContractNo", "CON1", "pFromAccountType", "1", "pFromName", "李四", "pFromAccount", l.investor, "pFromIdentType", "1",
		"pFromIdentNo", "110101199001010002", "pToAccountType", "1", "pToAccountName", "王五", "pToAccount", guarantor,
		"pToIdentType", "1", "pToIdentNo", "110101199001010003", "pCreMerBillNo", "C1", "pCretAmt", "300.00", "pPayAmt", "290.00",
		"pFromFee", "1.00", "pToFee", "0.50", "pCretType", "2")
	require.Equal(t, "MG00000F", code, text)
	l.delivered()

	s := l.console("/console/bids/808801/BID1")
	for _, want := range []string{
		"进行中 (3)", "已放款 600.00", "冻结 0.00", "已收 4.00，登记 10.00",
		"已放款 (1) 600.00", "李四 面额 600.00 已收 0.00",
		"G1 " + guarantor + " 王五 1,000.00 冻结中 250.00 登记 250.00 0.00 0.00 已付 0.00 登记 5.00",
		"D1 C1 部分 " + l.investor + " 李四 " + guarantor + " 王五 300.00 290.00 290.50 已登记 (0)",
	} {
		assert.Contains(t, s.text, want)
	}
	bar := s.elements("svg")[0]
	assert.Equal(t, "借款 1,000.00，已募集 600.00，已放款 600.00，冻结 0.00，已还 0.00", attribute(bar, "aria-label"))
	assert.Equal(t, "img", attribute(bar, "role"))
	assert.Contains(t, l.console("/console/journal?account=ips-fees").text, "没有分录")
	assert.Contains(t, l.console("/console/journal?account=bank").text, "共 2 条")
	assert.Contains(t, l.console("/console/journal?bid=BID1").rows()[0], "王五 可用 "+guarantor+" 王五 冻结 D1 BID1")
}

// The end of a bid repeats the number of its registration; both have a page.
func TestConsoleTellsTheEndOfABidFromItsRegistration(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	code, text := l.submitPage("registerSubject.aspx", "p", "pMerBillNo", "B1", "pBidNo", "BID1", "pRegDate", "20141124",
		"pLendAmt", "1000.00", "pGuaranteesAmt", "0.00", "pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12",
		"pLendPurpose", "买车", "pRepayMode", "1", "pOperationType", "2", "pLendFee", "10.00", "pAcctType", "1",
		"pIdentNo", "110101199001010001", "pRealName", "张三", "pIpsAcctNo", l.borrower)
	require.Equal(t, "MG02503F", code, text)
	l.delivered()
	assert.Contains(t, l.console("/console/orders/808801/B1").text, "S2S 通知的结果 MG02501F")
	assert.Contains(t, l.console("/console/orders/808801/B1?end=1").text, "S2S 通知的结果 MG02505F")
	bid := l.console("/console/bids/808801/BID1")
	assert.Equal(t, "/console/orders/808801/B1?end=1", bid.link("结束"))
	for _, m := range l.Messages() {
		if strings.Contains(m.XML, "<pOperationType>2</pOperationType>") {
			assert.Equal(t, "/console/orders/808801/B1?end=1", l.console(fmt.Sprintf("/console/messages/%d", m.Seq)).link("B1"))
		}
	}
}

// A message that was refused says why, as it came, and never with a key.
func TestConsoleSaysWhyAMessageFailed(t *testing.T) {
	t.Parallel()
	mine, other := sandbox.TestMerchant(), sandbox.TestMerchant()
	turned := func(s string) string {
		b := []byte(s)
		slices.Reverse(b)
		return string(b)
	}
	other.Code, other.Cert, other.Key, other.IV = "808802", turned(mine.Cert), turned(mine.Key), turned(mine.IV)
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{mine, other}})
	with := func(cert, key, iv string) *envelope.Keys {
		k, err := envelope.NewKeys(mine.Code, cert, key, iv)
		require.NoError(t, err)
		return k
	}
	changed := func(change func(url.Values)) url.Values {
		v := seal(f.keys, "arg", f.opening("A1"))
		change(v)
		return v
	}
	// resigned signs a body as it is now.
	resigned := func(body string) url.Values {
		return changed(func(v url.Values) {
			v.Set("arg3DesXmlPara", body)
			v.Set("argSign", f.keys.SignRequest(body))
		})
	}
	body := seal(f.keys, "arg", f.opening("A1")).Get("arg3DesXmlPara")
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(f.opening("A1"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		form url.Values
		says []string
	}{
		"no signature":     {changed(func(v url.Values) { v.Set("argSign", "0") }), []string{"签名验证失败", "签名有 1 个字符"}},
		"other cert":       {seal(with(other.Cert, mine.Key, mine.IV), "arg", f.opening("A1")), []string{"签名验证失败", "808802"}},
		"other key":        {seal(with(mine.Cert, other.Key, mine.IV), "arg", f.opening("A1")), []string{"解密失败", "密钥不对"}},
		"other IV":         {seal(with(mine.Cert, mine.Key, other.IV), "arg", f.opening("A1")), []string{"IV"}},
		"other merchant":   {changed(func(v url.Values) { v.Set("argMerCode", "808802") }), []string{"签名验证失败", "808801"}},
		"unknown merchant": {changed(func(v url.Values) { v.Set("argMerCode", "808809") }), []string{"商户不存在", "808801"}},
		"encoded twice":    {changed(func(v url.Values) { v.Set("arg3DesXmlPara", url.QueryEscape(body)) }), []string{"转义"}},
		"cut":              {resigned(body[:len(body)-30]), []string{"截"}},
		"lines":            {changed(func(v url.Values) { v.Set("argSign", f.keys.SignRequest(body[:76]+"\n\n"+body[76:]+"\n")) }), []string{"签名验证失败"}},
		"GBK unannounced":  {seal(f.keys, "arg", gbk), []string{"GBK"}},
		"in the clear":     {resigned(f.opening("A1")), []string{"未加密"}},
		"no body":          {changed(func(v url.Values) { v.Del("arg3DesXmlPara") }), []string{"缺少字段"}},
		"sign of the document": {changed(func(v url.Values) {
			v.Set("argSign", f.keys.SignRequest(f.opening("A1")))
		}), []string{"签名验证失败"}},
	} {
		f.post(page, c.form)
		all := f.Messages()
		last := all[len(all)-2] // before its answer
		s := f.console(fmt.Sprintf("/console/messages/%d", last.Seq))
		assert.NotEmpty(t, last.Refusal, name)
		assert.Contains(t, s.text, last.Refusal+" 原因 ：", name)
		for _, want := range c.says {
			assert.Contains(t, s.text, want, name)
		}
		for _, m := range []sandbox.Merchant{mine, other} {
			for _, secret := range []string{m.Cert, m.Key, m.IV} {
				assert.NotContains(t, s.text, secret, name)
			}
		}
		r := f.do(http.MethodGet, s.link("信封原文"), "", "")
		sent, err := url.ParseQuery(r.body)
		require.NoError(t, err, name)
		assert.Equal(t, c.form, sent, "%s: the envelope as it came", name)
	}
	f.post(page, seal(f.keys, "arg", f.opening("A2")))
	assert.NotContains(t, f.console("/console/messages/"+fmt.Sprint(f.Messages()[len(f.Messages())-2].Seq)).text, "原因")
}

// The life of an order is one list: what came, what was asked, what was
// answered, and every attempt to tell of it.
func TestConsoleTellsTheLifeOfAnOrder(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Backoff: []time.Duration{time.Hour, time.Hour}})
	account := f.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	f.delivered()
	f.shop.answer(http.StatusInternalServerError, http.StatusOK)
	require.NoError(t, f.SetAuto("808801", "", false))
	require.NoError(t, f.Fault("", sandbox.Fault{Name: "notice-amount", Op: "doDpTrade"}))
	form := seal(f.keys, "p", document("pMerBillNo", "R1", "pAcctType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三",
		"pIpsAcctNo", account, "pTrdDate", "20141124", "pTrdAmt", "1234.50", "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "0.00", "pIpsFeeType", "1", "pWebUrl", "http://shop.example.com/back", "pS2SUrl", f.shop.URL+"/notify",
		"pMemo1", "", "pMemo2", "", "pMemo3", ""))
	asked := f.post("doDpTrade.aspx", form)
	require.Equal(t, http.StatusSeeOther, asked.status)
	s := f.console("/console/orders/808801/R1")
	assert.Contains(t, s.text, "待用户确认")
	assert.Contains(t, s.text, "1,234.50")
	assert.Equal(t, asked.header.Get("Location"), s.link("确认页"))
	require.NoError(t, f.Confirm(askOf(asked.header.Get("Location")), map[string]string{"result": "paid"}))
	require.Eventually(t, func() bool { n := f.Notifications()[1]; return len(n.Attempts) == 1 && !n.Next.IsZero() }, 10*time.Second, time.Millisecond)
	assert.Contains(t, f.console("/console/orders/808801/R1").text, "下次通知")
	assert.Contains(t, f.console("/console/notifications/2").text, "下次投递")
	require.NoError(t, f.Advance(time.Hour))
	f.delivered()
	s = f.console("/console/orders/808801/R1")
	last := -1
	for _, want := range []string{
		"请求 页面提交，验签通过", "确认页", "确认页结束", "通知第 1 次 ⚡ 通知金额被改 HTTP 500 said 500", "通知第 2 次", "HTTP 200 said 200",
		"请求 证件号", "应答 MG00000F", "S2S 通知的结果 MG00000F",
	} {
		at := strings.Index(s.text[max(last, 0):], want)
		require.GreaterOrEqual(t, at, 0, "%s in its place in %s", want, s.text)
		last = max(last, 0) + at
	}
	for _, part := range []string{"request", "answer", "final"} {
		r := f.do(http.MethodGet, "/console/orders/808801/R1/"+part, "", "")
		assert.Contains(t, r.body, "<pMerBillNo>R1</pMerBillNo>", part)
		assert.NotContains(t, r.body, "110101199001010001", part)
	}
	for _, q := range []string{"R1", "1,234.50", account, "操作成功"} {
		found := f.console("/console/search?q=" + url.QueryEscape(q))
		assert.Equal(t, "/console/orders/808801/R1", found.link("R1"), q)
	}
	assert.Contains(t, f.console("/console/search?q="+url.QueryEscape(account)).text, "张三")
	assert.Contains(t, f.console("/console/search?q=nowhere").text, "没有找到")
	assert.Contains(t, f.console("/console/").text, "完成 2，部分失败 0，待用户确认 0，结果挂起 0，失败 0")
	for i := range 12 {
		f.post("CreateNewIpsAcct.aspx", seal(f.keys, "arg", f.openingOf(fmt.Sprint("MANY", i), fmt.Sprint("many", i))))
	}
	many := f.console("/console/search?q=MANY").text
	assert.Contains(t, many, "MANY11")
	assert.NotContains(t, many, "MANY0", "the newest of each")
}

// An answer is written down after the text messages and notices that it set
// off, but was given before them.
func TestConsoleTellsAStoryInItsOrder(t *testing.T) {
	t.Parallel()
	var ticks atomic.Int64
	clocks := map[string]func() time.Time{
		"ticking": func() time.Time { return noon.Add(time.Duration(ticks.Add(1)) * time.Millisecond) },
		"still":   func() time.Time { return noon },
	}
	for name, clock := range clocks {
		l := startLoan(t, sandbox.Config{Now: clock})
		for order, story := range map[string]string{
			"B1": "请求 .* 应答 MG02500F .* 短信 .* 短信回复 已同意 .* 通知第 1 次",
			"C1": "请求 .* 应答 MG00000F .* 通知第 1 次 .* 分录",
		} {
			assert.Regexp(t, story, l.console("/console/orders/808801/"+order).text, name)
		}
		assert.Contains(t, l.console("/console/orders/808801/C1").text, "金额 600.00 手续费 1.50")
		assert.Contains(t, l.console("/console/search?q=B1").text, "已同意 yes")
		notice := l.Notifications()[len(l.Notifications())-1]
		posted := l.console(fmt.Sprintf("/console/notifications/%d", notice.Seq))
		sent := l.console(posted.link("该订单的通知报文"))
		assert.Contains(t, sent.text, "S2S 通知 登记投资人 registerCreditor C1")
		assert.Contains(t, l.console(sent.link(strings.Fields(sent.rows()[0])[0])).text, "S2S 通知 投递记录")
	}
}

// What is not kept any more is said to be so.
func TestConsoleSaysWhatWasDropped(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	for range 1000 {
		l.call11(trade, "GetBankList", "argMerCode", "808801", "argSign", l.keys.SignText("808801"))
	}
	all := l.Messages()
	assert.Contains(t, l.console("/console/messages").text, fmt.Sprintf("较早的 %d 条已清除", all[0].Seq-1))
	s := l.console("/console/orders/808801/C1")
	assert.Contains(t, s.text, "请求报文已清除或从未留存")
	assert.Contains(t, s.text, "应答 MG00000F")
}

// What a fault did is marked, on its way in and inside.
func TestConsoleMarksFaults(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	require.NoError(t, l.Fault("", sandbox.Fault{Name: "http-502", Op: "CreateNewIpsAcct"}))
	l.post(page, seal(l.keys, "arg", l.opening("A7")))
	assert.Contains(t, l.console("/console/messages").rows()[0], "收 页面提交 开户 CreateNewIpsAcct 验签未通过 ⚡ 应答 HTTP 502")
	require.NoError(t, l.Fault("", sandbox.Fault{Name: "http-502", Op: "CreateNewIpsAcct", After: true}))
	require.NoError(t, l.Fault("", sandbox.Fault{Name: "notice-drop", Op: "CreateNewIpsAcct"}))
	l.post(page, seal(l.keys, "arg", l.opening("A8")))
	assert.Contains(t, l.console("/console/messages").rows()[0], "⚡ 应答 HTTP 502")
	assert.Contains(t, l.console("/console/orders/808801/A8").text, "通知 ⚡ 通知丢失 已丢弃")
	require.NoError(t, l.Fault("", sandbox.Fault{Name: "code", Op: "CreateNewIpsAcct", Code: "MG01999F"}))
	l.post(page, seal(l.keys, "arg", l.opening("A9")))
	assert.Contains(t, l.console("/console/orders").rows()[0], "A9 失败 failed ⚡ 返回指定返回码")
	failed := l.console("/console/orders/808801/A9").text
	assert.Regexp(t, `^[^（]*订单 A9 失败 failed ⚡ 返回指定返回码 .*MG01999F 接口`, failed, "why comes first")
	for i, hit := range map[int][]string{0: {"A7", "A8"}, 2: {"A8"}, 3: {"A9"}} {
		faults := l.console("/console/faults")
		link := faults.elements("tbody")[0]
		var list []string
		for n := range link.Descendants() {
			if strings.HasSuffix(visible(n), " 次") && n.Data == "a" {
				list = append(list, attribute(n, "href"))
			}
		}
		require.Len(t, list, 4)
		rows := strings.Join(l.console(list[i]).rows(), "\n")
		for _, order := range hit {
			if i > 0 { // of what never came in, no number is known
				assert.Contains(t, rows, order)
			}
		}
		assert.NotContains(t, rows, "B1", list[i])
	}
	require.NoError(t, l.LiftFaults())
	require.NoError(t, l.Fault("", sandbox.Fault{Name: "reset", Op: "Transfer"}))
	for _, page := range []string{"", "orders", "messages/1"} {
		assert.Equal(t, "/console/faults", l.console("/console/"+page).link("⚡ 1 项故障生效中"), page)
	}
}

// A message that was sent shows its signature, and how long its answer took.
func TestConsoleShowsWhatWasSent(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	for _, m := range l.Unmasked() {
		s := l.console(fmt.Sprintf("/console/messages/%d", m.Seq))
		assert.Equal(t, m.Direction == messages.Out, strings.Contains(s.text, "签名 pSign "+m.Sign), m.Seq)
		assert.Equal(t, m.Via == messages.ViaReturn, strings.Contains(s.text, "处理耗时 "), m.Seq)
	}
}

// Everything can be taken away, and thrown away.
func TestConsoleExportsAndResets(t *testing.T) {
	t.Parallel()
	store := &memory{}
	l := startLoan(t, sandbox.Config{Store: store})
	r := l.do(http.MethodGet, "/console/export.json", "", "")
	var books operator.Books
	require.NoError(t, json.Unmarshal([]byte(r.body), &books))
	assert.Len(t, books.Accounts, 2)
	assert.Len(t, books.Orders, 4)
	assert.Equal(t, "A1", books.Orders[0].Order)
	assert.NotContains(t, r.body, "110101199001010001")
	assert.NotContains(t, r.body, "13800000001")

	s := l.operated(l.operate(l.console("/console/"), "/console/reset", nil))
	assert.Contains(t, s.text, "0 个托管账户")
	assert.Contains(t, s.text, "测试平台")
	for _, list := range []string{"accounts", "bids", "orders", "messages", "notifications", "journal"} {
		s := l.console("/console/" + list)
		assert.Len(t, s.rows(), 1, list)
		assert.Regexp(t, "^没有", s.rows()[0], list)
	}
	require.NoError(t, l.CheckBooks())
	assert.NotEqual(t, l.borrower, l.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan"), "numbers are not given twice")
	l.delivered()
	require.NoError(t, l.Close())
	again := start(t, sandbox.Config{Store: store.copied()})
	assert.Contains(t, again.console("/console/accounts").text, "共 1 条")
	assert.Contains(t, again.console("/console/notifications").text, "共 1 条")
}

// An account's entries say what went in and out of which pocket, and what was
// left.
func TestConsoleStatement(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	s := l.console("/console/accounts/808801/" + l.investor)
	rows := s.rows()
	assert.Contains(t, rows[0], "C1 完成", "its orders come first")
	assert.Contains(t, s.text, "订单 全部")
	assert.Contains(t, s.text, "可用 -601.50 冻结 +601.50 398.50 601.50")
	assert.Contains(t, s.text, "可用 +1,000.00 1,000.00 外部银行")
}

// The samples fill every list, once, and leave people something to do. What is
// told of them arrives.
func TestConsoleSamples(t *testing.T) {
	t.Parallel()
	for name, manual := range map[string]bool{"at once": false, "by hand": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{Manual: manual})
			for range 2 {
				s := f.operated(f.operate(f.console("/console/"), "/console/sample", nil))
				f.delivered()
				assert.Contains(t, s.text, "1 页面确认 1 短信回复")
				assert.Contains(t, s.text, "4 个托管账户")
				assert.Contains(t, s.text, "合计 账本平衡时为零 0.00")
				assert.Regexp(t, `完成 15，部分失败 0，待用户确认 2，结果挂起 0，失败 1`, s.text)
				_, orders := f.Engine().NewestOrders(engine.OrderFilter{}, engine.Page{})
				assert.Equal(t, 18, orders)
			}
			for _, n := range f.Notifications() {
				assert.Equal(t, notifier.Delivered, n.State, n.Order)
			}
			assert.Equal(t, !manual, f.Engine().Merchants()[0].Auto, "as it was before")
			bid := f.console("/console/bids/808801/SAMPLEBID1").text
			assert.Contains(t, f.console("/console/orders/808801/SAMPLERELEASE1").text, "转账类型 放款 金额 10,000.00")
			assert.Contains(t, bid, "已放款 10,000.00")
			assert.Contains(t, bid, "已还（含利息） 100.00")
			message := f.console("/console/messages/1").text
			assert.Contains(t, message, "验签通过")
			for _, ask := range f.Engine().PendingAsks("") {
				require.NoError(t, f.Confirm(ask.ID, map[string]string{"result": "paid"}))
			}
			assert.Equal(t, "/console/orders?q=SAMPLE", f.do(http.MethodPost, "/sample/back", formType, "").header.Get("Location"))
			require.NoError(t, f.CheckBooks())
		})
	}
}

// The script that a colleague is sent posts what the sandbox posted.
func TestConsoleReplayScript(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	f.delivered()
	r := f.do(http.MethodGet, f.console("/console/notifications/1").link("下载脚本 replay.sh"), "", "")
	assert.Equal(t, "text/plain; charset=utf-8", r.header.Get("Content-Type"))
	f.shop.mu.Lock()
	body := f.shop.bodies[0]
	f.shop.mu.Unlock()
	assert.Contains(t, r.body, "--data-raw '"+body+"' --url '"+f.shop.URL+"/notify'\n")
	assert.Contains(t, f.console("/console/notifications/1").text, "--data-raw '"+body+"'")
}

// An operation is on the stream of events before long, over a real connection
// of a server with time limits.
func TestConsoleEventsOverTheWire(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	base, err := f.Start("")
	require.NoError(t, err)
	version := regexp.MustCompile(`data-version="(\d+)"`).FindStringSubmatch(f.do(http.MethodGet, "/console/orders", "", "").body)[1]
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/console/events?since="+version, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))

	f.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	missing := map[string]bool{"state": true, "messages": true, "notifications": true}
	lines := bufio.NewScanner(resp.Body)
	for change := false; len(missing) > 0 && lines.Scan(); {
		switch data, ok := strings.CutPrefix(lines.Text(), "data: "); {
		case strings.HasPrefix(lines.Text(), "event: "):
			change = lines.Text() == "event: change"
		case ok && change:
			for topic := range strings.FieldsSeq(data) {
				delete(missing, topic)
			}
		}
	}
	assert.Empty(t, missing)

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
		}
	}()
	shutdown, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	assert.NoError(t, f.Shutdown(shutdown), "listeners do not keep the sandbox from ending")
	<-ended
}

// Looking must not wait for those who act, nor the other way round.
func TestConsoleWhileThingsHappen(t *testing.T) {
	t.Parallel()
	l := startLoan(t, sandbox.Config{})
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 200 && err == nil; i++ {
			err = l.Deposit("808801", l.borrower, 1)
		}
		done <- err
	}()
	for range 5 {
		for _, path := range []string{"/console/", "/console/accounts", "/console/journal", "/console/bids", "/console/orders/808801/C1"} {
			assert.Contains(t, l.console(path).text, "沙箱控制台")
		}
	}
	require.NoError(t, <-done)
	require.NoError(t, l.CheckBooks())
	assert.Equal(t, engine.Balance{Available: 200}, balanceOf(t, l.Sandbox, l.borrower))
}

func balanceOf(t *testing.T, s *sandbox.Sandbox, account string) engine.Balance {
	t.Helper()
	b, ok := s.Balance("808801", account)
	require.True(t, ok)
	return b
}
