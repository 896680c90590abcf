package main

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/htmlform"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// A batch of which a row failed is no success: its page says so, with the money
// that has moved, and names the row.
func TestPartIsShownAsPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	zhang, li := w.customer("张三", ""), w.customer("李四", "10010.00")
	bid := zhang.borrows("10000.00", "0.00", "2", "1")
	li.bids(bid, "5000.00")
	li.bids(bid, "5000.00")
	assert.Contains(t, zhang.see("/loan/"+bid), "已满标，待放款")
	_, err := w.box.OrderFault(sandbox.Fault{Name: fault.Row, Op: "Transfer", Row: 1})
	require.NoError(t, err)
	w.administer(bid, "release", nil)
	act := all[Act](w, "kind = 'release'")[0]
	page := w.admin.see(orderPath(act.Operation, act.OrderNo))
	for _, want := range []string{"部分成功：2 笔中 1 笔未成功；应 10,000.00 元，实际 5,000.00 元", "<dd>部分成功</dd>", "未成功的明细", "5,000.00", `<td data-label="原因">`} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "IPS 已处理成功")
	assert.NotContains(t, page, "IPS 未说明原因")
	book := w.admin.see("/admin/book/order?key=" + url.QueryEscape(act.OrderKey))
	assert.Contains(t, book, "成功（部分明细未成功）")
	assert.Regexp(t, `2 行，1 行未成功。第 1 行：\p{Han}`, book)
	assert.Contains(t, w.admin.see("/admin/orders?state=part"), act.OrderNo)
	assert.NotContains(t, w.admin.see("/admin/orders?state=refused"), act.OrderNo)
	assert.Contains(t, page, li.login+" 尾号", "staff see whose an account is")
	assert.Contains(t, page, "<dt>会员</dt><dd>"+zhang.login+"（经办 admin）</dd>")
	assert.Contains(t, w.admin.see("/admin/orders"), `<td data-label="标的"><a href="/admin/loan/`+bid+`">购车</a></td><td data-label="会员">`+zhang.login+`（经办 admin）</td>`)
}

// Of a repayment that has reached one creditor of two, each of them reads what came
// to himself, and the borrower whom he still owes.
func TestPartOfARepayment(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		zhang, li, wang := w.customer("张三", "1000.00"), w.customer("李四", "6006.00"), w.customer("王五", "4004.00")
		bid := zhang.borrows("10000.00", "0.00", "3", "2")
		li.bids(bid, "6000.00")
		wang.bids(bid, "4000.00")
		w.administer(bid, "release", nil)
		d := w.app.data.read(t.Context())
		due := d.payables(bid)
		require.NoError(t, d.err)
		paid, unpaid, came, owed := li, wang, "54.00", "40.00"
		if due[0].Account == li.user().Account {
			paid, unpaid, came, owed = wang, li, "36.00", "60.00"
		}
		_, err := w.box.OrderFault(sandbox.Fault{Name: fault.Row, Op: "RepaymentNewTrade", Row: 1})
		require.NoError(t, err)
		zhang.press("/loan/"+bid, "/loan/"+bid+"/repay", nil)
		w.settle()
		act := all[Act](w, "kind = 'repay'")[0]
		path := orderPath(act.Operation, act.OrderNo)
		page := zhang.see(path)
		assert.Contains(t, page, "部分成功：2 笔中 1 笔未成功")
		assert.Contains(t, page, "向 "+unpaid.login+" 尾号 "+unpaid.user().Account[12:]+" 的 "+owed+" 元没有付成，没有扣款")
		assert.Contains(t, page, `href="/loan/`+bid+`">去标的页面`)
		page = paid.see(path)
		assert.Contains(t, page, "IPS 已处理成功：手动还款 第 1 期 "+came+" 元。")
		assert.NotContains(t, page, "部分成功")
		assert.NotContains(t, page, "去标的页面")
		assert.Contains(t, paid.see("/orders"), "手动还款 第 1 期 "+came+" 元")
		assert.Contains(t, paid.see("/account"), "<dt>已收利息</dt><dd>"+came+" 元（扣除手续费后）</dd>")
		assert.Equal(t, 404, unpaid.open404(path))
	})
}

// Who is logged in is not asked to log in, and staff have no account to look at.
func TestPagesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "100.00")
	for name, p := range map[string]*person{li.login: li, "admin": w.admin} {
		for _, path := range []string{"/login", "/register"} {
			page := p.open(path)
			assert.Contains(t, string(page.Body), "您已作为 "+name+" 登录")
			assert.Nil(t, formTo(page, path))
		}
	}
	for _, path := range []string{"/account", "/funds", "/borrow", "/claims", "/market", "/contracts", "/orders"} {
		page, _ := w.admin.b.Get(t.Context(), w.admin.site+path)
		assert.Equal(t, 422, page.Status, path)
		assert.Contains(t, string(page.Body), "由会员办理", path)
	}
	page := w.admin.see("/admin")
	assert.Contains(t, page, `href="/admin/orders?state=open">未决订单 0 笔`)
}

// A refused form comes back with what was typed in it, but for passwords, and the
// next try may be right.
func TestRefusedFormsComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.customer("李四", "5000.00")
	page := li.submit("/funds", "/withdraw", url.Values{"amount": {"9,000.00"}})
	assert.Equal(t, 422, page.Status)
	form := formTo(page, "/withdraw")
	require.NotNil(t, form)
	assert.Equal(t, "9,000.00", valueOf(form, "amount"))
	assert.Contains(t, string(page.Body), "可用余额 5,000.00 元，不足以支付 9,002.00 元")
	assert.Empty(t, valueOf(formTo(page, "/recharge"), "amount"), "other forms are as they were")
	for _, wrong := range []string{"1,00.00", "1.000,00", "1,000.001"} {
		page = li.pressForm(page, formTo(page, "/withdraw"), url.Values{"amount": {wrong}})
		assert.Equal(t, 422, page.Status, wrong)
	}
	next := li.pressForm(page, formTo(page, "/withdraw"), url.Values{"amount": {"1,000.00"}})
	require.NotNil(t, ipsForm(next))

	stranger := w.visitor()
	page = stranger.submit("/login", "/login", url.Values{"login": {"李四"}, "password": {"wrong password"}})
	assert.Equal(t, "李四", valueOf(formTo(page, "/login"), "login"))
	assert.Empty(t, valueOf(formTo(page, "/login"), "password"))
}

// Who has to log in first gets where he wanted to go, on this site only.
func TestLoginLeadsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.member("李四")
	again := w.visitor()
	page := again.open("/orders?page=2")
	require.Equal(t, "/login", page.URL.Path)
	page = again.pressForm(page, formTo(page, "/login"), url.Values{"login": {li.login}, "password": {password}})
	assert.Equal(t, "/orders?page=2", page.URL.RequestURI())

	for target, want := range map[string]string{
		"/orders": "/orders", "//example.com/": "", "https://example.com/": "", `/\example.com`: "", "orders": "", "javascript:alert(1)": "", "": "",
	} {
		assert.Equal(t, want, local(target), target)
	}

	// A form of a session that is over asks for a login, not for another try.
	page = li.open("/account")
	form := formTo(page, "/account/open")
	d := w.app.data.read(t.Context())
	d.exec("DELETE FROM sessions")
	require.NoError(t, d.err)
	assert.Equal(t, "/login?next=%2Faccount", li.pressForm(page, form, nil).URL.RequestURI())
}

// What a member has typed wrongly of himself is refused, or can be corrected until
// IPS has taken it.
func TestDetailsCanBeCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteFile(t))
	li := w.member("李四")
	form := url.Values{"name": {"李四"}, "ident": {"110101199001010001"}, "mobile": {"13800000009"}, "email": {"li@example.com"}}
	for field, wrong := range map[string]string{"mobile": "1", "ident": "110101199013010001", "email": "@", "name": " "} {
		typed := url.Values{}
		for k, v := range form {
			typed[k] = v
		}
		typed.Set(field, wrong)
		assert.Equal(t, 422, li.submit("/account", "/account/details", typed).Status, field)
	}
	li.submit("/account", "/account/open", nil) // begun, with the old data
	require.Equal(t, 200, li.submit("/account", "/account/details", form).Status)
	require.Contains(t, li.press("/account", "/account/open", nil), "IPS 已处理成功")
	u := li.user()
	assert.Equal(t, "13800000009", u.Mobile)
	assert.NotEmpty(t, u.Account)
	w.settle()
	assert.NotContains(t, li.see("/account"), "更正资料")
}

func TestAmountsAndWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"1.00": "1.00", "1000.00 元": "1,000.00 元", "-1234567.89": "-1,234,567.89", "999.00": "999.00"} {
		assert.Equal(t, want, amounts(in))
	}
	member, staff := &visit{}, &visit{user: User{Role: Admin}}
	for note, want := range map[string]string{
		"充值申请失败，用户取消操作，商户号(808801)，订单号(P1)，错误码MG08091F（MG08091F）":   "充值申请失败，用户取消操作",
		"登记投资人失败，账户余额不足，账号(4021000000000002)，错误码MG03011F（MG03011F）": "登记投资人失败，账户余额不足",
		"借款人30分钟内未回复短信（MG02047F）":                                   "借款人30分钟内未回复短信",
		"部分成功：2 笔中 1 笔未成功":                                          "部分成功：2 笔中 1 笔未成功",
	} {
		assert.Equal(t, want, said(note, member))
		assert.Equal(t, note, said(note, staff))
	}
}

// valueOf is what stands in a field.
func valueOf(form *htmlform.Form, name string) string {
	for _, f := range form.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
