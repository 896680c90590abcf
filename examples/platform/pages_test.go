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
	assert.NotContains(t, w.admin.see("/market"), "投标金额")
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
