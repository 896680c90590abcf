package sandbox_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// platform is one of two merchants of one sandbox: its keys, its server, its
// users. Its embedded fixture writes and seals as that merchant.
type platform struct {
	*fixture
	pub             *rsa.PublicKey // nil: its answers are signed with MD5
	zhang, li, wang citizen
	bidding         string   // 李四's contract
	repaying        string   // 张三's
	sent            []letter // that were taken
}

// rivals are a sandbox's two merchants; the second one's answers are signed
// with RSA. Their users have the same names and numbers, but accounts and
// e-mail addresses of their own.
func rivals(t *testing.T) (one, two *platform) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	second := sandbox.Merchant{Code: "900001", Name: "二号平台", Cert: strings.Repeat("c", 128), Key: "0123456789abcdefghijklmn",
		IV: "87654321", RSA: key}
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{sandbox.TestMerchant(), second}})
	one = &platform{fixture: f}
	own := *f
	own.keys, own.shop = keysOf(t, second), newShop(t)
	two = &platform{fixture: &own, pub: &key.PublicKey}
	return one, two
}

func (p *platform) code() string { return p.keys.MerCode() }

// take says a letter that must be taken with this code, and returns the
// document of the answer.
func (p *platform) take(t *testing.T, code string, l letter) string {
	t.Helper()
	h := p.say(t, l)
	require.Equal(t, code, h.code, "%s: %s: %s", p.code(), l.op, h.text)
	p.sent = append(p.sent, l)
	return h.open(t, p.keys, p.pub)
}

// openAccounts opens the accounts of the platform's users and fills them.
func (p *platform) openAccounts(t *testing.T) {
	t.Helper()
	for i, c := range []struct {
		who  *citizen
		name string
	}{{&p.zhang, "张三"}, {&p.li, "李四"}, {&p.wang, "王五"}} {
		*c.who = citizen{name: c.name, ident: fmt.Sprintf("11010119900101000%d", i+1), mobile: fmt.Sprintf("1380000000%d", i+1),
			email: fmt.Sprintf("user%d.%s@example.com", i+1, p.code())}
		document := p.take(t, "MG00000F", p.opens(fmt.Sprintf("A%d", i+1), *c.who))
		c.who.account = accountNo.FindStringSubmatch(document)[1]
		require.NoError(t, p.Deposit(p.code(), c.who.account, 10_000_00))
	}
	require.NoError(t, p.Deposit(p.code(), "", 1_000_00))
}

// step is a letter and the code with which it is taken.
type step struct {
	code string
	letter
}

// loan is the story of one bid, B1 plus a suffix, in the same words at either
// platform: C1 of 李四 (600, with a fee of 1) stays frozen, C2 of 李四 (100) is
// released with T1; 王五 guarantees with G1 and compensates 10 on C2 with T2;
// D1 wants to sell 50 of C2 to 王五.
func (p *platform) loan(suffix string) []step {
	no := func(s string) string { return s + suffix }
	zhang, li, wang := p.zhang, p.li, p.wang
	return []step{
		{"MG00000F", p.recharges(no("R1"), li)},
		{"MG02500F", p.borrows(no("B1"), no("B1"), zhang, "1000.00", "100.00", "20.00")},
		{"MG00000F", p.invests(no("C1"), no("B1"), li, "600.00", "1.00")},
		{"MG00000F", p.invests(no("C2"), no("B1"), li, "100.00", "0.00")},
		{"MG00000F", p.guarantees(no("G1"), no("B1"), wang, "500.00", "100.00", "30.00")},
		{"MG00008F", p.transfers(no("T1"), no("B1"), "1", transferRow(no("C2"), "100.00", li.account, "0.00", zhang.account, "2.00"))},
		{"MG00008F", p.transfers(no("T2"), no("B1"), "2", transferRow(no("C2"), "10.00", wang.account, "0.00", li.account, "0.00"))},
		{"MG00000F", p.sells(no("D1"), no("B1"), no("C2"), li, wang, "50.00", "2")},
		{"MG00008F", p.repays(no("P1"), no("B1"), zhang, "5.00", "1.00", repayRow(no("C2"), li.account, "5.00", "0.50", "1.00"))},
		{"MG00000F", p.unfreezes(no("U1"), no("B1"), "1", zhang, "10.00")},
		{"MG00008F", p.withholds(no("W1"), zhang)},
		{"MG00000F", p.withdraws(no("X1"), li)},
	}
}

func (p *platform) sign(t *testing.T, suffix string) {
	t.Helper()
	auth := func(l letter) string { return authNo.FindStringSubmatch(p.take(t, "MG00000F", l))[1] }
	p.bidding, p.repaying = auth(p.signsToBid("S1"+suffix, p.li)), auth(p.signsToRepay("S2"+suffix, p.zhang))
}

// belongings is what is one merchant's.
type belongings struct {
	Own      engine.Balance
	Accounts []engine.AccountInfo
	Bids     []engine.BidInfo
	Orders   []engine.OrderInfo
}

func (p *platform) belongings() belongings {
	own, _ := p.Balance(p.code(), p.code())
	v := p.Engine()
	bids, _ := v.NewestBids(engine.BidFilter{Merchant: p.code()}, engine.Page{})
	orders, _ := v.NewestOrders(engine.OrderFilter{Merchant: p.code()}, engine.Page{})
	return belongings{own, p.accounts(p.code()), bids, orders}
}

// Two merchants use the same numbers for everything, turn about. Neither
// notices the other, and to each its own server is told, under its own keys.
func TestSameNumbersAtTwoMerchants(t *testing.T) {
	t.Parallel()
	one, two := rivals(t)
	one.openAccounts(t)
	two.openAccounts(t)
	left, right := one.loan(""), two.loan("")
	for i := range left {
		before := two.belongings()
		one.take(t, left[i].code, left[i].letter)
		require.Equal(t, before, two.belongings(), left[i].op)
		before = one.belongings()
		two.take(t, right[i].code, right[i].letter)
		require.Equal(t, before, one.belongings(), right[i].op)
		require.NoError(t, one.CheckBooks())
	}

	// The same story came to the same end, with other numbers of the platform's.
	for i, c := range []citizen{one.zhang, one.li, one.wang} {
		twin := []citizen{two.zhang, two.li, two.wang}[i]
		assert.NotEqual(t, c.account, twin.account)
		mine, _ := one.Balance(one.code(), c.account)
		other, _ := two.Balance(two.code(), twin.account)
		assert.Equal(t, mine, other, c.name)
	}
	for _, l := range one.sent {
		no := l.content("pMerBillNo")
		mine, ok := one.Engine().Order(one.code(), "", no, false)
		require.True(t, ok, no)
		other, ok := two.Engine().Order(two.code(), "", no, false)
		require.True(t, ok, no)
		assert.Equal(t, "done", mine.State)
		assert.Equal(t, "done", other.State)
		if l.op != "CreateNewIpsAcct" { // which has no number
			assert.NotEqual(t, mine.IPSBillNo, other.IPSBillNo, no)
		}
	}

	one.delivered()
	for _, p := range []*platform{one, two} {
		other := one
		if p == one {
			other = two
		}
		var sent, told []string
		for _, l := range p.sent {
			sent = append(sent, l.content("pMerBillNo"))
		}
		for _, form := range p.shop.received() {
			a := fromForm(form)
			document := a.open(t, p.keys, p.pub)
			told = append(told, letter{text: document}.content("pMerBillNo"))
			assert.Contains(t, []string{"MG00000F", "MG02501F"}, a.code, a.text)
			assert.Equal(t, p.pub != nil, len(a.sign) == 256, "RSA signs in 256 digits")
			assert.False(t, other.keys.VerifyAnswer(other.pub, a.code, a.text, a.body, a.sign))
		}
		assert.ElementsMatch(t, sent, told, "every order is told once, to whom it belongs")
	}
	for _, n := range one.Notifications() {
		assert.Equal(t, map[string]string{one.code(): one.shop.URL, two.code(): two.shop.URL}[n.Merchant]+"/notify", n.URL)
	}
}

// attacks are what me could try with the orders, people and contracts of
// another, whose numbers end in suffix; my own end in own.
func attacks(me, other *platform, own, suffix string) []refusalCase {
	zhang, li, wang := me.zhang, me.li, me.wang
	strange := func(s string) string { return s + suffix }
	mine := func(s string) string { return s + own }
	row := transferRow
	n := 0
	number := func() string { n++; return fmt.Sprintf("Y%02d", n) }
	transfer := func(bid, kind string, rows ...string) letter { return me.transfers(number(), bid, kind, rows...) }
	ofNobody := because("标的不存在，标的号(" + strange("B1") + ")")
	noLoan := func() wording {
		return exactly(fmt.Sprintf("登记投资人失败，标的信息不存在，商户号(%s)，订单号(Y%02d)", me.code(), n))
	}
	organisation := strings.NewReplacer("<pFAcctType>1<", "<pFAcctType>0<")
	platformOf := func(p *platform) citizen { return citizen{name: "平台", ident: p.code(), account: p.code()} }
	account := func(reason string, c citizen) wording { return because(reason + "，账号(" + c.account + ")") }
	return []refusalCase{
		// people
		{"borrower", me.borrows(number(), "Z1", other.zhang, "1.00", "0.00", "0.00"), "MG02013F", account("借款人账户信息不正确", other.zhang), answered},
		{"investor", me.invests(number(), mine("B1"), other.li, "1.00", "0.00"), "MG03025F", account("投资人账户不存在", other.li), answered},
		{"guarantor", me.guarantees(number(), mine("B1"), other.wang, "1.00", "0.00", "0.00"), "MG04022F", account("担保方账户信息不正确", other.wang), answered},
		{"guarantor that is the platform", me.guarantees(number(), mine("B1"), platformOf(other), "1.00", "0.00", "0.00").with("pAcctType", "0"),
			"MG04026F", because("机构担保方必须是本平台的商户号，商户号(" + other.code() + ")"), answered},
		{"assignor", me.sells(number(), mine("B1"), mine("C2"), other.li, wang, "10.00", "2"), "MG05030F", account("出让方账户信息不正确", other.li), answered},
		{"assignee", me.sells(number(), mine("B1"), mine("C2"), li, other.wang, "10.00", "2"), "MG05032F", account("受让方账户信息不正确", other.wang), answered},
		{"contract to bid", me.signsToBid(number(), other.li), "MG06020F", account("投资人账户信息不正确", other.li), answered},
		{"contract to repay", me.signsToRepay(number(), other.zhang), "MG07020F", account("借款人账户信息不正确", other.zhang), answered},
		{"recharge", me.recharges(number(), other.li), "MG18020F", account("该账号的身份信息有误", other.li), answered},
		{"withholding", me.withholds(number(), other.zhang), "MG13020F", account("该账号的身份信息有误", other.zhang), answered},
		{"withdrawal", me.withdraws(number(), other.li), "MG19010F", because("该账号的身份信息有误"), answered},
		{"withdrawal from the platform itself", me.withdraws(number(), platformOf(other)), "MG19010F", because("该账号的身份信息有误"), answered},
		{"payee of a release", transfer(mine("B1"), "1", row(mine("C1"), "600.00", li.account, "0.00", other.zhang.account, "0.00")), "MG09025F", account("转账方不是标的借款人", other.zhang), answered},
		{"payer of a compensation", transfer(mine("B1"), "2", row(mine("C2"), "1.00", other.wang.account, "0.00", li.account, "0.00")), "MG09026F", account("转出方不是该标的的担保方", other.wang), answered},
		{"platform as payer of a compensation", transfer(mine("B1"), "2", organisation.Replace(row(mine("C2"), "1.00", other.code(), "0.00", li.account, "0.00"))), "MG09026F", account("转出方不是该标的的担保方", platformOf(other)), answered},
		{"payee of a reimbursement", transfer(mine("B1"), "3", row(mine("T2"), "1.00", zhang.account, "0.00", other.wang.account, "0.00")), "MG09033F", account("转账方与登记信息不一致", other.wang), answered},
		{"payee of a debt", transfer(mine("B1"), "4", row(mine("D1"), "50.00", wang.account, "0.00", other.li.account, "0.00")), "MG09033F", account("转账方与登记信息不一致", other.li), answered},
		{"payee of a profit", transfer(mine("B1"), "5", row(mine("G1"), "1.00", zhang.account, "0.00", other.wang.account, "0.00")), "MG09033F", account("转账方与登记信息不一致", other.wang), answered},
		{"payer of a repayment", me.repays(number(), mine("B1"), other.zhang, "1.00", "0.00", repayRow(mine("C2"), li.account, "1.00", "0.00", "0.00")), "MG12022F", account("转出方不是标的借款人", other.zhang), answered},
		{"margin of the borrower", me.unfreezes(number(), mine("B1"), "1", other.zhang, "1.00"), "MG11021F", account("账户不是标的借款人", other.zhang), answered},
		{"margin of the guarantor", me.unfreezes(number(), mine("B1"), "2", other.wang, "1.00"), "MG11022F", account("账户不是标的担保方", other.wang), answered},

		// the bid
		{"end", me.borrows(strange("B1"), strange("B1"), zhang, "1000.00", "100.00", "20.00").with("pOperationType", "2"), "MG02027F", ending("标的不存在，标的号(" + strange("B1") + ")"), answered},
		{"end in its borrower's name", me.borrows(strange("B1"), strange("B1"), other.zhang, "1000.00", "100.00", "20.00").with("pOperationType", "2"), "MG02027F", ending("标的不存在，标的号(" + strange("B1") + ")"), answered},
		{"investment", me.invests(number(), strange("B1"), li, "1.00", "0.00"), "MG03112F", noLoan(), answered},
		{"guarantee", me.guarantees(number(), strange("B1"), wang, "1.00", "0.00", "0.00"), "MG04020F", ofNobody, answered},
		{"debt", me.sells(number(), strange("B1"), strange("C2"), li, wang, "10.00", "2"), "MG05020F", ofNobody, answered},
		{"release", transfer(strange("B1"), "1", row(strange("C1"), "600.00", li.account, "0.00", zhang.account, "0.00")), "MG09020F", ofNobody, answered},
		{"compensation", transfer(strange("B1"), "2", row(strange("C2"), "1.00", wang.account, "0.00", li.account, "0.00")), "MG09020F", ofNobody, answered},
		{"reimbursement", transfer(strange("B1"), "3", row(strange("T2"), "1.00", zhang.account, "0.00", wang.account, "0.00")), "MG09020F", ofNobody, answered},
		{"move of a debt", transfer(strange("B1"), "4", row(strange("D1"), "50.00", wang.account, "0.00", li.account, "0.00")), "MG09020F", ofNobody, answered},
		{"profit", transfer(strange("B1"), "5", row(strange("G1"), "1.00", zhang.account, "0.00", wang.account, "0.00")), "MG09020F", ofNobody, answered},
		{"repayment", me.repays(number(), strange("B1"), zhang, "1.00", "0.00", repayRow(strange("C2"), li.account, "1.00", "0.00", "0.00")), "MG12020F", ofNobody, answered},
		{"unfreezing", me.unfreezes(number(), strange("B1"), "1", zhang, "1.00"), "MG11020F", ofNobody, answered},

		// orders and contracts, on my own bid
		{"order of an investment", transfer(mine("B1"), "1", row(strange("C1"), "600.00", li.account, "0.00", zhang.account, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(" + strange("C1") + ")"), later},
		{"payer of a release", transfer(mine("B1"), "1", row(mine("C1"), "600.00", other.li.account, "0.00", zhang.account, "0.00")), "MG09033F", account("转账方与登记信息不一致", other.li), later},
		{"order of a claim to compensate", transfer(mine("B1"), "2", row(strange("C2"), "1.00", wang.account, "0.00", li.account, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(" + strange("C2") + ")"), later},
		{"payee of a compensation", transfer(mine("B1"), "2", row(mine("C2"), "1.00", wang.account, "0.00", other.li.account, "0.00")), "MG09039F", account("转入方未持有该债权", other.li), later},
		{"order of a compensation", transfer(mine("B1"), "3", row(strange("T2"), "1.00", zhang.account, "0.00", wang.account, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(" + strange("T2") + ")"), answered},
		{"order of a debt", transfer(mine("B1"), "4", row(strange("D1"), "50.00", wang.account, "0.00", li.account, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(" + strange("D1") + ")"), answered},
		{"order of a guarantee", transfer(mine("B1"), "5", row(strange("G1"), "1.00", zhang.account, "0.00", wang.account, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(" + strange("G1") + ")"), answered},
		{"order of a claim to sell", me.sells(number(), mine("B1"), strange("C2"), li, wang, "10.00", "2"), "MG05022F", because("债权不存在，债权人订单号(" + strange("C2") + ")"), answered},
		{"order of a claim to repay", me.repays(number(), mine("B1"), zhang, "1.00", "0.00", repayRow(strange("C2"), li.account, "1.00", "0.00", "0.00")), "MG12030F", because("债权不存在，债权人订单号(" + strange("C2") + ")"), later},
		{"payee of a repayment", me.repays(number(), mine("B1"), zhang, "1.00", "0.00", repayRow(mine("C2"), other.li.account, "1.00", "0.00", "0.00")), "MG12031F", account("转入方未持有该债权", other.li), later},
		{"authorisation to bid", me.invests(number(), mine("B1"), li, "100.00", "0.00").with("pRegType", "2", "pAuthNo", other.bidding), "MG03027F", because("自动投标授权不存在，授权号(" + other.bidding + ")"), answered},
		{"authorisation to repay", me.repays(number(), mine("B1"), zhang, "1.00", "0.00", repayRow(mine("C2"), li.account, "1.00", "0.00", "0.00")).with("pRepayType", "2", "pIpsAuthNo", other.repaying), "MG12026F", because("自动还款授权不存在，授权号(" + other.repaying + ")"), answered},

		// queries
		{"balance", me.enquire("QueryForAccBalance", other.li.account), "9999", account("账户不存在", other.li), queried},
		{"balance of the platform itself", me.enquire("QueryForAccBalance", other.code()), "9999", account("账户不存在", platformOf(other)), queried},
		{"user", me.enquire("QueryMerUserInfo", other.li.account), "02", account("账户不存在", other.li), queried},
	}
}

// Whatever is another merchant's does not exist: no account, bid, order or
// contract of it can be seen, used, or moved by a fen.
func TestMerchantsCannotTouchEachOther(t *testing.T) {
	t.Parallel()
	one, two := rivals(t)
	for _, p := range []*platform{one, two} {
		p.openAccounts(t)
		suffix := map[*platform]string{one: "A", two: "B"}[p]
		p.sign(t, suffix)
		for _, s := range p.loan(suffix) {
			p.take(t, s.code, s.letter)
		}
	}
	for _, c := range []struct {
		me, other   *platform
		own, suffix string
	}{{one, two, "A", "B"}, {two, one, "B", "A"}} {
		one.delivered() // all; letters that were resent name the other's address
		for _, attack := range attacks(c.me, c.other, c.own, c.suffix) {
			t.Run(c.me.code()+"/"+attack.op+"/"+attack.name, func(t *testing.T) { c.me.failsAgainst(t, c.other, attack) })
		}
		// Their letters word for word, under my seal, are no repeats of theirs.
		for _, l := range c.other.sent {
			t.Run(c.me.code()+"/resends "+l.content("pMerBillNo"), func(t *testing.T) { c.me.cannotResend(t, c.other, l) })
		}
	}

	// Both go on with their own as if nothing had been.
	for _, p := range []*platform{one, two} {
		suffix := map[*platform]string{one: "A", two: "B"}[p]
		p.take(t, "MG00008F", p.transfers("T9", "B1"+suffix, "1",
			transferRow("C1"+suffix, "600.00", p.li.account, "1.00", p.zhang.account, "18.00")))
		p.take(t, "MG00000F", p.invests("C9", "B1"+suffix, p.li, "100.00", "0.00").with("pRegType", "2", "pAuthNo", p.bidding))
		info, ok := p.Engine().Bid(p.code(), "B1"+suffix)
		require.True(t, ok)
		assert.Equal(t, int64(700_00), info.Released)
	}
	require.NoError(t, one.CheckBooks())
}

// failsAgainst makes an attack and sees that it comes to nothing on both sides.
func (p *platform) failsAgainst(t *testing.T, other *platform, attack refusalCase) {
	theirs, all, notices := other.belongings(), p.property(), len(p.shop.received())
	theirNotices := len(other.shop.received())
	h := p.say(t, attack.letter)
	title := doors()[attack.op].title
	code, text := h.code, h.text
	switch attack.way {
	case queried:
		assert.NotContains(t, text, other.li.email)
	case later:
		require.Equal(t, "MG00008F", h.code, h.text)
		p.delivered()
		require.Equal(t, notices+1, len(p.shop.received()), "notifications")
		code, text = p.rowRefusal(t, p.pub, fromForm(p.shop.received()[notices]), title)
	default:
		assert.NotEmpty(t, h.open(t, p.keys, p.pub))
		if doors()[attack.op].service == "" {
			notices++ // a page's refusal is posted to pS2SUrl as well
		}
		p.delivered()
		assert.Equal(t, notices, len(p.shop.received()), "notifications")
	}
	assert.Equal(t, attack.code, code)
	assert.Equal(t, attack.says(title, attack.code), text)
	assert.Equal(t, all, p.property())
	assert.Equal(t, theirs, other.belongings())
	assert.Equal(t, theirNotices, len(other.shop.received()), "notifications")
	require.NoError(t, p.CheckBooks())
}

// cannotResend sends another's letter under my own seal, and its sealed form
// under either name.
func (p *platform) cannotResend(t *testing.T, other *platform, l letter) {
	theirs, all := other.belongings(), p.property()
	h := p.say(t, l)
	assert.NotContains(t, []string{"MG00000F", "MG00008F", "MG02500F", "MG02503F"}, h.code)
	h.open(t, p.keys, p.pub)

	prefix := doors()[l.op].prefix
	sealed := seal(other.keys, prefix, l.text)
	stolen := func(change func(url.Values)) letter {
		return letter{op: l.op, params: []string{prefix + "MerCode", p.code(), prefix + "3DesXmlPara", sealed.Get(prefix + "3DesXmlPara"),
			prefix + "Sign", sealed.Get(prefix + "Sign")}}.tampered(change)
	}
	h = p.say(t, stolen(func(url.Values) {}))
	assert.Equal(t, "MG00003F", h.code, "their signature under my name")
	h = p.say(t, stolen(func(v url.Values) {
		v.Set(prefix+"MerCode", other.code())
		v.Set(prefix+"Sign", p.keys.SignRequest(v.Get(prefix+"3DesXmlPara")))
	}))
	assert.Equal(t, "MG00003F", h.code, "my signature under their name")
	h = p.say(t, stolen(func(v url.Values) { v.Set(prefix+"Sign", p.keys.SignRequest(v.Get(prefix+"3DesXmlPara"))) }))
	assert.Contains(t, []string{"MG00004F", "MG00005F"}, h.code, "their body under my name and signature")

	assert.Equal(t, all, p.property())
	assert.Equal(t, theirs, other.belongings())
	assert.True(t, slices.ContainsFunc(theirs.Orders, func(o engine.OrderInfo) bool { return o.Order == l.content("pMerBillNo") }))
}
