package sandbox_test

import (
	"crypto/rsa"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// market is a sandbox where something of everything has happened:
//
//	B1  running, of 张三: 1000 with a margin of 100, of which U1 gave back 10,
//	    and a fee of at most 20, of which T1 took 12.
//	    C1 of 李四 (600) released; D1 sells 100 of it to 赵六
//	    C2 of 赵六 (100, with a fee of 1) frozen
//	    C3 of 王五 (10) released
//	    guaranteed by 王五 (G1: 500, margin 100, profit 30), who paid 50 on C1 with T2
//	B2  ended
//	B3  raising, C10 of 李四 (50) frozen
//	B4  waits for the yes of shy, who answers his texts by hand
//	B5  failed: shy said no
//	B6  running: C6 of 李四 (100) is paid off to the last fen, while D6 still
//	    wants to sell it to 赵六; guaranteed by 王五 (G6: 100)
//	B7  raising, of poor, who owns nothing and promised a fee of 500; C7 of 李四 (100)
//	B8  full: C8 of 李四 (100)
//	B9  running: C9 of 李四 (100) has gone to 赵六 with D9 and T9
//
// The contracts are of 李四, and to repay of 张三; two of them have expired.
// Another merchant has not a fen and fees to pay; of its users client has money
// and no mandate, and agreed has a mandate and no money.
type market struct {
	*fixture
	zhang, li, wang, zhao, shy, poor citizen
	client, agreed                   citizen
	other                            *envelope.Keys

	refused                          int    // cases so far
	bidding, repaying                string // contract numbers
	biddingPast, repayingPast        string
	longLoans, largeLoans, dearLoans string
}

var (
	authNo    = regexp.MustCompile(`<pIpsAuthNo>(\w+)</pIpsAuthNo>`)
	accountNo = regexp.MustCompile(`<pIpsAcctNo>(\d+)</pIpsAcctNo>`)
)

func openMarket(t *testing.T) *market {
	t.Helper()
	second := sandbox.Merchant{Code: "900001", Name: "二号平台", Cert: strings.Repeat("c", 128), Key: "0123456789abcdefghijklmn",
		IV: "87654321", IPSFee: 500, NoMandate: true}
	m := &market{fixture: start(t, sandbox.Config{Merchants: []sandbox.Merchant{sandbox.TestMerchant(), second}}), other: keysOf(t, second)}
	for i, c := range []struct {
		who  *citizen
		name string
		by   *envelope.Keys
		fen  int64
	}{
		{&m.zhang, "张三", m.keys, 10_000_00}, {&m.li, "李四", m.keys, 10_000_00}, {&m.wang, "王五", m.keys, 10_000_00},
		{&m.zhao, "赵六", m.keys, 10_000_00}, {&m.shy, "张三", m.keys, 100_00}, {&m.poor, "王五", m.keys, 0},
		{&m.client, "赵六", m.other, 1_000_00}, {&m.agreed, "李四", m.other, 0},
	} {
		*c.who = citizen{c.name, fmt.Sprintf("11010119900101000%d", i+1), fmt.Sprintf("1380000000%d", i+1),
			fmt.Sprintf("user%d@example.com", i+1), fmt.Sprintf("402100000000000%d", i+1)}
		document := m.done(t, "MG00000F", m.opens(fmt.Sprintf("A%d", i+1), *c.who).sealedBy(c.by))
		require.Contains(t, document, "<pIpsAcctNo>"+c.who.account+"</pIpsAcctNo>")
		if c.fen > 0 {
			require.NoError(t, m.Deposit(c.by.MerCode(), c.who.account, c.fen))
		}
	}
	require.NoError(t, m.Deposit("808801", "", 1_000_00))
	require.NoError(t, m.Mandate("900001", m.agreed.account, true))

	auth := func(l letter) string { return authNo.FindStringSubmatch(m.done(t, "MG00000F", l))[1] }
	m.bidding, m.repaying = auth(m.signsToBid("S1", m.li)), auth(m.signsToRepay("S2", m.zhang))
	m.biddingPast = auth(m.signsToBid("S3", m.li).with("pValidType", "D", "pValidDate", "1"))
	m.repayingPast = auth(m.signsToRepay("S4", m.zhang).with("pValidType", "D", "pValidDate", "1"))
	m.longLoans = auth(m.signsToBid("S5", m.li).with("pSTrdCycleValue", "13"))
	m.largeLoans = auth(m.signsToBid("S6", m.li).with("pSAmtQuota", "1000.01"))
	m.dearLoans = auth(m.signsToBid("S7", m.li).with("pSIRQuota", "12.01"))
	require.NoError(t, m.Advance(48*time.Hour))

	for _, step := range []struct {
		code string
		letter
	}{
		{"MG02500F", m.borrows("B1", "B1", m.zhang, "1000.00", "100.00", "20.00")},
		{"MG00000F", m.invests("C1", "B1", m.li, "600.00", "0.00")},
		{"MG00000F", m.invests("C2", "B1", m.zhao, "100.00", "1.00")},
		{"MG00000F", m.invests("C3", "B1", m.wang, "10.00", "0.00")},
		{"MG00000F", m.guarantees("G1", "B1", m.wang, "500.00", "100.00", "30.00")},
		{"MG00008F", m.transfers("T1", "B1", "1", transferRow("C1", "600.00", m.li.account, "0.00", m.zhang.account, "12.00"),
			transferRow("C3", "10.00", m.wang.account, "0.00", m.zhang.account, "0.00"))},
		{"MG00008F", m.transfers("T2", "B1", "2", transferRow("C1", "50.00", m.wang.account, "0.00", m.li.account, "0.00"))},
		{"MG00000F", m.sells("D1", "B1", "C1", m.li, m.zhao, "100.00", "2")},
		{"MG00000F", m.unfreezes("U1", "B1", "1", m.zhang, "10.00")},

		{"MG02500F", m.borrows("B2", "B2", m.zhang, "1000.00", "10.00", "0.00")},
		{"MG02503F", m.borrows("B2", "B2", m.zhang, "1000.00", "10.00", "0.00").with("pOperationType", "2")},

		{"MG02500F", m.borrows("B3", "B3", m.zhang, "1000.00", "0.00", "0.00")},
		{"MG00000F", m.invests("C10", "B3", m.li, "50.00", "0.00")},

		{"MG02500F", m.borrows("B6", "B6", m.zhang, "100.00", "0.00", "0.00")},
		{"MG00000F", m.invests("C6", "B6", m.li, "100.00", "0.00")},
		{"MG00000F", m.guarantees("G6", "B6", m.wang, "100.00", "0.00", "0.00")},
		{"MG00008F", m.transfers("T6", "B6", "1", transferRow("C6", "100.00", m.li.account, "0.00", m.zhang.account, "0.00"))},
		{"MG00000F", m.sells("D6", "B6", "C6", m.li, m.zhao, "100.00", "1")},
		{"MG00008F", m.repays("P6", "B6", m.zhang, "124.00", "0.00", repayRow("C6", m.li.account, "124.00", "0.00", "0.00"))},

		{"MG02500F", m.borrows("B7", "B7", m.poor, "1000.00", "0.00", "500.00")},
		{"MG00000F", m.invests("C7", "B7", m.li, "100.00", "0.00")},

		{"MG02500F", m.borrows("B8", "B8", m.zhang, "100.00", "0.00", "0.00")},
		{"MG00000F", m.invests("C8", "B8", m.li, "100.00", "0.00")},

		{"MG02500F", m.borrows("B9", "B9", m.zhang, "100.00", "0.00", "0.00")},
		{"MG00000F", m.invests("C9", "B9", m.li, "100.00", "0.00")},
		{"MG00008F", m.transfers("T8", "B9", "1", transferRow("C9", "100.00", m.li.account, "0.00", m.zhang.account, "0.00"))},
		{"MG00000F", m.sells("D9", "B9", "C9", m.li, m.zhao, "100.00", "1")},
		{"MG00000F", m.transfers("T9", "B9", "4", transferRow("D9", "100.00", m.zhao.account, "2.00", m.li.account, "1.00"))},

		{"MG00000F", m.recharges("R1", m.li)},
		{"MG00008F", m.withholds("W1", m.zhang)},
		{"MG00000F", m.withdraws("X1", m.li)},
	} {
		m.done(t, step.code, step.letter)
	}

	require.NoError(t, m.SetAuto("808801", m.shy.account, false))
	m.done(t, "MG02500F", m.borrows("B4", "B4", m.shy, "1000.00", "10.00", "0.00"))
	m.done(t, "MG02500F", m.borrows("B5", "B5", m.shy, "1000.00", "10.00", "0.00"))
	for _, text := range m.Engine().Inbox(m.shy.mobile) {
		if text.Order == "B5" {
			require.NoError(t, m.ReplySMS(text.ID, false))
		}
	}
	require.NoError(t, m.CheckBooks())
	m.delivered()
	return m
}

// property is all that belongs to anybody: money, frozen money, bids, claims.
type property struct {
	Merchants []engine.MerchantInfo
	Accounts  []engine.AccountInfo
	Bids      []engine.BidInfo
	Totals    engine.Totals
}

func (f *fixture) property() property {
	v := f.Engine()
	bids, _ := v.NewestBids(engine.BidFilter{}, engine.Page{})
	return property{v.Merchants(), f.accounts(""), bids, v.Totals()}
}

// way is how a refusal reaches the merchant.
type way string

const (
	// answered: signed, with a document that echoes the request; of a page,
	// in the form that takes the browser back to pWebUrl.
	answered way = "answered"
	// bare: the same without a document, for it was not fully understood.
	bare way = "bare"
	// shown: to the person at the browser, since the way back is not known.
	shown way = "shown"
	// astray: shown likewise, but the platform has read everything else, and
	// posts it to pS2SUrl.
	astray way = "astray"
	// unsigned: there is no merchant whose key could sign.
	unsigned way = "unsigned"
	// later: the batch is accepted, and its rows are refused in the notification.
	later way = "later"
	// queried: in the elements of a query's answer.
	queried way = "queried"
)

// wording is the text of a refusal.
type wording func(title, code string) string

// because words a refusal as nearly all of the platform's are.
func because(reason string) wording {
	return func(title, code string) string { return title + "失败，" + reason + "，错误码" + code }
}

// missing words the platform's text for a field without content.
func missing(label string) wording { return exactly("必要参数(" + label + ")不能为空！") }

// repayField words what is wrong with a field of a repayment.
func repayField(problem string) wording {
	return exactly("还款失败，要素验证错误，错误内容(" + problem + "|)，错误码:MG12005F")
}

// ending words a refusal of the end of a bid.
func ending(reason string) wording {
	return func(_, code string) string { return "结束标的失败，" + reason + "，错误码" + code }
}

func exactly(text string) wording { return func(string, string) string { return text } }

// particular words what is wrong with a person who wants an account.
func particular(order, problems string) wording {
	return exactly("开户失败，要素验证错误,商户号(808801) 订单号(" + order + ") 错误码MG01002F,错误内容(" + problems + ")")
}

type refusalCase struct {
	name string
	letter
	code string
	says wording
	way  way
}

// Everything that the contract forbids is refused, in the platform's words, and
// leaves no trace. All cases share one market: if one of them did something,
// the next would not find it as it was.
func TestRefusalsOnTheWire(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	good := m.goodLetters()
	cases := slices.Concat(m.fieldCases(good), m.ruleCases(good), m.rowCases(), m.envelopeCases(good), m.documentCases(good), m.queryCases())
	names := map[string]bool{}
	for _, c := range cases {
		name := c.op + "/" + c.name
		require.False(t, names[name], "%s: two cases of one name", name)
		names[name] = true
		t.Run(name, func(t *testing.T) { m.refuses(t, c) })
	}
	assert.GreaterOrEqual(t, len(cases), 160)

	// Nothing was refused because the market had closed: the same letters
	// unspoilt are taken, every one of them.
	notices := len(m.shop.received())
	for _, g := range good.list() {
		h := m.say(t, g)
		assert.Contains(t, []string{"MG00000F", "MG00008F", "MG02500F", "MG02503F"}, h.code, "%s: %s", g.op, h.text)
	}
	m.delivered()
	finals := m.shop.received()[notices:]
	assert.Equal(t, len(good.list()), len(finals), "notifications")
	for _, form := range finals {
		assert.Contains(t, []string{"MG00000F", "MG02501F", "MG02505F"}, form.Get("pErrCode"), form.Get("pErrMsg"))
	}
	require.NoError(t, m.CheckBooks())
}

// refuses says a spoilt letter and looks at everything that comes of it.
func (m *market) refuses(t *testing.T, c refusalCase) {
	// What is refused is remembered, so every case has a number of its own.
	if no := c.content("pMerBillNo"); goodNumber.MatchString(no) {
		m.refused++
		own, says := fmt.Sprintf("%sx%d", no, m.refused), c.says
		c.letter = c.with("pMerBillNo", own)
		c.says = func(title, code string) string { return strings.ReplaceAll(says(title, code), no, own) }
	}
	m.delivered()
	before, notices := m.property(), len(m.shop.received())
	h := m.say(t, c.letter)
	d, keys := doors()[c.op], m.sealer(c.letter)
	code, text := h.code, h.text
	switch c.way {
	case answered:
		document := h.open(t, keys, nil)
		assert.Contains(t, document, "<pMerBillNo>"+html.EscapeString(c.content("pMerBillNo"))+"</pMerBillNo>")
		assert.Contains(t, document, d.failed)
	case bare:
		assert.Empty(t, h.open(t, keys, nil))
	case shown, astray:
		assert.True(t, h.shown)
		assert.NotContains(t, h.page, "<form")
	case unsigned:
		assert.Empty(t, h.body+h.sign+h.action)
	case later:
		assert.Equal(t, "MG00008F", h.code, h.text)
		m.delivered()
		require.Equal(t, notices+1, len(m.shop.received()), "notifications")
		code, text = m.rowRefusal(t, nil, fromForm(m.shop.received()[notices]), d.title)
	case queried:
		assert.Empty(t, h.body)
	}
	if d.service == "" && (c.way == answered || c.way == bare) {
		assert.Equal(t, wayBack, h.action)
	}
	assert.Equal(t, c.code, code)
	assert.Equal(t, c.says(d.title, c.code), text)
	for _, p := range []citizen{m.zhang, m.li, m.wang, m.zhao, m.shy, m.poor, m.client, m.agreed} {
		assert.NotContains(t, h.text, p.ident)
		assert.NotContains(t, h.text, p.mobile)
		assert.NotContains(t, h.text, p.email)
	}

	assert.Equal(t, before, m.property(), "a refusal moves nothing")
	m.delivered()
	posted := m.shop.received()[notices:]
	switch {
	case c.way == later:
	case d.service == "" && (c.way == answered || c.way == astray) && strings.HasPrefix(c.content("pS2SUrl"), "http"):
		// A page's refusal is posted to pS2SUrl, as the browser brings it.
		require.Len(t, posted, 1)
		assert.Equal(t, code, posted[0].Get("pErrCode"))
		if c.way == answered {
			assert.Equal(t, text, posted[0].Get("pErrMsg"))
			assert.Equal(t, h.body, posted[0].Get("p3DesXmlPara"))
		}
	default:
		assert.Empty(t, posted)
	}
	require.NoError(t, m.CheckBooks())
}

var (
	goodNumber = regexp.MustCompile(`^N\d\d$`)
	rowStatus  = regexp.MustCompile(`<pStatus>(\w)</pStatus>`)
	rowMessage = regexp.MustCompile(`<pMessage><!\[CDATA\[(.*?)\]\]></pMessage>`)
	codeInText = regexp.MustCompile(`错误码(\w+)$`)
)

// rowRefusal reads why the last row of a batch was refused; all the others
// have to be refused too, and the batch as a whole says so.
func (f *fixture) rowRefusal(t *testing.T, pub *rsa.PublicKey, notice answer, title string) (code, text string) {
	t.Helper()
	document := notice.open(t, f.keys, pub)
	assert.Regexp(t, `^MG(09|12)044F$`, notice.code)
	assert.Regexp(t, `^`+title+`失败，全部明细处理失败，订单号\(\w+\)，错误码`+notice.code+`$`, notice.text)
	for _, status := range rowStatus.FindAllStringSubmatch(document, -1) {
		assert.Equal(t, "N", status[1])
	}
	messages := rowMessage.FindAllStringSubmatch(document, -1)
	require.NotEmpty(t, messages, document)
	text = messages[len(messages)-1][1]
	found := codeInText.FindStringSubmatch(text)
	require.NotNil(t, found, text)
	return found[1], text
}

// goodLetters are letters that the market would take; the tables spoil them.
type goodLetters struct {
	open, bid, end                            letter
	invest, auto, guarantee, organisation     letter
	sale, wholeSale, signBid, signRepay       letter
	recharge, byCard, withhold, withdraw      letter
	release, compensate, reimburse            letter
	move, profit                              letter
	repay, autoRepay, unfreeze, unfreezeOther letter
}

func (m *market) goodLetters() goodLetters {
	g := goodLetters{
		open:          m.opens("N01", citizen{"赵六", "110101199001010009", "13800000009", "new@example.com", ""}),
		bid:           m.borrows("N02", "N02", m.zhang, "1000.00", "10.00", "20.00"),
		end:           m.borrows("B3", "B3", m.zhang, "1000.00", "0.00", "0.00").with("pOperationType", "2"),
		invest:        m.invests("N04", "B1", m.li, "100.00", "1.00"),
		auto:          m.invests("N05", "B1", m.li, "100.00", "1.00").with("pRegType", "2", "pAuthNo", m.bidding),
		guarantee:     m.guarantees("N06", "B1", m.zhao, "100.00", "10.00", "1.00"),
		organisation:  m.guarantees("N07", "B1", citizen{name: "测试平台", ident: "808801", account: "808801"}, "100.00", "10.00", "1.00"),
		sale:          m.sells("N08", "B1", "C1", m.li, m.wang, "100.00", "2"),
		wholeSale:     m.sells("N09", "B9", "C9", m.zhao, m.wang, "100.00", "1"),
		signBid:       m.signsToBid("N10", m.li),
		signRepay:     m.signsToRepay("N11", m.zhang),
		recharge:      m.recharges("N12", m.li),
		byCard:        m.recharges("N13", m.li).with("pChannelType", "2", "pTrdBnkCode", ""),
		withhold:      m.withholds("N14", m.zhang),
		withdraw:      m.withdraws("N15", m.li),
		release:       m.transfers("N16", "B1", "1", transferRow("C2", "100.00", m.zhao.account, "1.00", m.zhang.account, "8.00")),
		compensate:    m.transfers("N17", "B1", "2", transferRow("C1", "10.00", m.wang.account, "0.00", m.li.account, "0.00")),
		reimburse:     m.transfers("N18", "B1", "3", transferRow("T2", "10.00", m.zhang.account, "0.00", m.wang.account, "0.00")),
		move:          m.transfers("N19", "B1", "4", transferRow("D1", "100.00", m.zhao.account, "2.00", m.li.account, "1.00")),
		profit:        m.transfers("N20", "B1", "5", transferRow("G1", "10.00", m.zhang.account, "0.00", m.wang.account, "0.00")),
		repay:         m.repays("N21", "B1", m.zhang, "10.00", "1.00", repayRow("C1", m.li.account, "10.00", "0.50", "1.00")),
		autoRepay:     m.repays("N22", "B1", m.zhang, "10.00", "1.00", repayRow("C1", m.li.account, "10.00", "0.50", "1.00")),
		unfreeze:      m.unfreezes("N23", "B1", "1", m.zhang, "10.00"),
		unfreezeOther: m.unfreezes("N24", "B1", "2", m.wang, "10.00"),
	}
	g.organisation = g.organisation.with("pAcctType", "0")
	g.autoRepay = g.autoRepay.with("pRepayType", "2", "pIpsAuthNo", m.repaying)
	return g
}

func (g goodLetters) list() []letter {
	return []letter{
		g.open, g.bid, g.end, g.invest, g.auto, g.guarantee, g.organisation, g.sale, g.wholeSale, g.signBid, g.signRepay,
		g.recharge, g.byCard, g.withhold, g.withdraw, g.release, g.compensate, g.reimburse, g.move, g.profit,
		g.repay, g.autoRepay, g.unfreeze, g.unfreezeOther,
	}
}

const noAccount = "4021000000000099"

// fieldCases spoil one field at a time: first its presence, then its content.
func (m *market) fieldCases(g goodLetters) []refusalCase {
	long := func(n int) string { return strings.Repeat("好", n+1) }
	digits := func(n int) string { return strings.Repeat("1", n+1) }
	const (
		notEmptyOrder = "(商户订单号)不能超过30个字符且不含控制字符"
		positive      = "必须为大于0且最多两位小数的金额"
		notNegative   = "必须为不小于0且最多两位小数的金额"
		atMost30      = "不能超过30个字符且不含控制字符"
		atMost100     = "不能超过100个字符且不含控制字符"
		alnum30       = "必须为1至30位字母或数字"
		address       = "必须为完整的http或https地址"
		closed        = "该业务暂未开放"
	)
	cut := strings.Repeat("1", 40) + "…"
	return []refusalCase{
		// 4.2 开户
		{"no order number", g.open.without("pMerBillNo"), "MG00006F", missing("商户订单号"), answered},
		{"blank order number", g.open.with("pMerBillNo", " \t"), "MG00006F", missing("商户订单号"), answered},
		{"no id type", g.open.without("pIdentType"), "MG00006F", missing("证件类型"), answered},
		{"empty id number", g.open.with("pIdentNo", ""), "MG00006F", missing("证件号码"), answered},
		{"empty name", g.open.with("pRealName", "<![CDATA[]]>"), "MG00006F", missing("真实姓名"), answered},
		{"no mobile", g.open.without("pMobileNo"), "MG00006F", missing("手机号"), answered},
		{"no e-mail", g.open.without("pEmail"), "MG00006F", missing("邮箱"), answered},
		{"no date", g.open.without("pSmDate"), "MG00006F", missing("提交日期"), answered},
		{"no return address", g.open.without("pWebUrl"), "MG00006F", missing("页面返回地址"), astray},
		{"no notification address", g.open.without("pS2SUrl"), "MG00006F", missing("异步通知地址"), answered},
		{"name of field in another case", g.open.raw("<pEmail>", "<pEMail>").raw("</pEmail>", "</pEMail>"), "MG00006F", missing("邮箱"), answered},
		{"order number of 31", g.open.with("pMerBillNo", digits(30)), "MG01200F", because(notEmptyOrder + "，pMerBillNo(" + digits(30) + ")"), answered},
		{"passport", g.open.with("pIdentType", "2"), "MG01200F", because("(证件类型)必须为1之一，pIdentType(2)"), answered},
		{"id number of 21", g.open.with("pIdentNo", digits(20)), "MG01200F", because("(证件号码)不能超过20个字符且不含控制字符，pIdentNo(111**************1111)"), answered},
		{"name of 31", g.open.with("pRealName", long(30)), "MG01200F", because("(真实姓名)" + atMost30 + "，pRealName(好" + strings.Repeat("*", 30) + ")"), answered},
		{"mobile of 12", g.open.with("pMobileNo", "138000000080"), "MG01200F", because("(手机号)不能超过11个字符且不含控制字符，pMobileNo(138*****0080)"), answered},
		{"e-mail of 51", g.open.with("pEmail", strings.Repeat("a", 39)+"@example.com"), "MG01200F", because("(邮箱)不能超过50个字符且不含控制字符，pEmail(aaa" + strings.Repeat("*", 37) + "…)"), answered},
		{"thirteenth month", g.open.with("pSmDate", "20141301"), "MG01200F", because("(提交日期)格式不正确，pSmDate(20141301)"), answered},
		{"return address of a script", g.open.with("pWebUrl", "javascript:alert(1)"), "MG01200F", because("(页面返回地址)" + address + "，pWebUrl(javascript:alert(1))"), astray},
		{"return address without a host", g.open.with("pWebUrl", "/back"), "MG01200F", because("(页面返回地址)" + address + "，pWebUrl(/back)"), astray},
		{"notification by FTP", g.open.with("pS2SUrl", "ftp://shop.example.com/"), "MG01200F", because("(异步通知地址)" + address + "，pS2SUrl(ftp://shop.example.com/)"), answered},
		{"memo of 101", g.open.with("pMemo1", digits(100)), "MG01200F", because("(备注1)" + atMost100 + "，pMemo1(" + cut + ")"), answered},

		// 4.3 标的登记
		{"no bid number", g.bid.without("pBidNo"), "MG00006F", missing("标的号"), answered},
		{"no purpose", g.bid.without("pLendPurpose"), "MG00006F", missing("借款用途"), answered},
		{"empty amount", g.bid.with("pLendAmt", ""), "MG00006F", missing("借款金额"), answered},
		{"no margin", g.bid.without("pGuaranteesAmt"), "MG00006F", missing("借款保证金"), answered},
		{"no fee", g.bid.without("pLendFee"), "MG00006F", missing("借款人手续费"), answered},
		{"no kind of operation", g.bid.without("pOperationType"), "MG00006F", missing("标的操作类型"), answered},
		{"no borrower", g.bid.without("pIpsAcctNo"), "MG00006F", missing("托管账户号"), answered},
		{"bid number with a hyphen", g.bid.with("pBidNo", "N-2"), "MG02200F", because("(标的号)" + alnum30 + "，pBidNo(N-2)"), answered},
		{"bid number in Chinese", g.bid.with("pBidNo", "标2"), "MG02200F", because("(标的号)" + alnum30 + "，pBidNo(标2)"), answered},
		{"date with hyphens", g.bid.with("pRegDate", "2014-11-24"), "MG02002F", because("(商户日期)格式不正确"), answered},
		{"30 February", g.bid.with("pRegDate", "20140230"), "MG02002F", because("(商户日期)格式不正确"), answered},
		{"nothing to lend", g.bid.with("pLendAmt", "0.00"), "MG02200F", because("(借款金额)必须大于0且不超过100000000.00，最多两位小数，pLendAmt(0.00)"), answered},
		{"a fen too much", g.bid.with("pLendAmt", "100000000.01"), "MG02200F", because("(借款金额)必须大于0且不超过100000000.00，最多两位小数，pLendAmt(100000000.01)"), answered},
		{"amount with three decimals", g.bid.with("pLendAmt", "1000.001"), "MG02200F", because("(借款金额)必须大于0且不超过100000000.00，最多两位小数，pLendAmt(1000.001)"), answered},
		{"amount with a thousands separator", g.bid.with("pLendAmt", "1,000.00"), "MG02200F", because("(借款金额)必须大于0且不超过100000000.00，最多两位小数，pLendAmt(1,000.00)"), answered},
		{"negative margin", g.bid.with("pGuaranteesAmt", "-1.00"), "MG02200F", because("(借款保证金)必须不小于0且不超过100000000.00，最多两位小数，pGuaranteesAmt(-1.00)"), answered},
		{"48 percent", g.bid.with("pTrdLendRate", "48.00"), "MG02200F", because("(借款利率)必须不小于0且小于48.00，最多两位小数，pTrdLendRate(48.00)"), answered},
		{"negative rate", g.bid.with("pTrdLendRate", "-0.01"), "MG02200F", because("(借款利率)必须不小于0且小于48.00，最多两位小数，pTrdLendRate(-0.01)"), answered},
		{"term in weeks", g.bid.with("pTrdCycleType", "2"), "MG02200F", because("(借款周期类型)必须为1、3之一，pTrdCycleType(2)"), answered},
		{"term of nothing", g.bid.with("pTrdCycleValue", "0"), "MG02200F", because("(借款周期值)必须为1至1800的整数，pTrdCycleValue(0)"), answered},
		{"1801 days", g.bid.with("pTrdCycleType", "1", "pTrdCycleValue", "1801"), "MG02200F", because("(借款周期值)必须为1至1800的整数，pTrdCycleValue(1801)"), answered},
		{"61 months", g.bid.with("pTrdCycleValue", "61"), "MG02052F", because("借款周期超出范围，月数(61)"), answered},
		{"purpose of 101", g.bid.with("pLendPurpose", long(100)), "MG02200F", because("(借款用途)" + atMost100 + "，pLendPurpose(" + strings.Repeat("好", 40) + "…)"), answered},
		{"unknown way to repay", g.bid.with("pRepayMode", "4"), "MG02200F", because("(还款方式)必须为1、2、3、99之一，pRepayMode(4)"), answered},
		{"unknown operation", g.bid.with("pOperationType", "3"), "MG02200F", because("(标的操作类型)必须为1、2之一，pOperationType(3)"), answered},
		{"fee of ten digits", g.bid.with("pLendFee", "1000000000.00"), "MG02200F", because("(借款人手续费)" + notNegative + "，pLendFee(1000000000.00)"), answered},
		{"organisation borrows", g.bid.with("pAcctType", "0"), "MG02080F", because(closed + "，pAcctType(0)"), answered},
		{"unknown kind of account", g.bid.with("pAcctType", "9"), "MG02200F", because("(账户类型)必须为1之一，pAcctType(9)"), answered},
		{"end without an amount", g.end.without("pLendAmt"), "MG00006F", missing("借款金额"), answered},

		// 4.4 登记债权人
		{"no contract number", g.invest.without("pContractNo"), "MG00006F", missing("合同号"), answered},
		{"no investor fee", g.invest.without("pFee"), "MG00006F", missing("投资人手续费"), answered},
		{"no use", g.invest.without("pUse"), "MG00006F", missing("借款用途"), answered},
		{"automatic without an authorisation", g.auto.with("pAuthNo", ""), "MG00006F", missing("授权号"), answered},
		{"date with a time", g.invest.with("pMerDate", "20141124120000"), "MG03200F", because("(商户日期)格式不正确，pMerDate(20141124120000)"), answered},
		{"contract number with a hyphen", g.invest.with("pContractNo", "H-1"), "MG03200F", because("(合同号)" + alnum30 + "，pContractNo(H-1)"), answered},
		{"neither by hand nor automatic", g.invest.with("pRegType", "3"), "MG03200F", because("(登记方式)必须为1、2之一，pRegType(3)"), answered},
		{"authorisation with a hyphen", g.auto.with("pAuthNo", "AUT-1"), "MG03200F", because("(授权号)" + alnum30 + "，pAuthNo(AUT-1)"), answered},
		{"face value of nothing", g.invest.with("pAuthAmt", "0.00"), "MG03200F", because("(债权面额)" + positive + "，pAuthAmt(0.00)"), answered},
		{"negative amount", g.invest.with("pTrdAmt", "-100.00"), "MG03200F", because("(交易金额)" + positive + "，pTrdAmt(-100.00)"), answered},
		{"negative fee", g.invest.with("pFee", "-1.00"), "MG03200F", because("(投资人手续费)" + notNegative + "，pFee(-1.00)"), answered},
		{"organisation invests", g.invest.with("pAcctType", "0"), "MG03080F", because(closed + "，pAcctType(0)"), answered},
		{"account of 31", g.invest.with("pAccount", digits(30)), "MG03200F", because("(托管账户号)" + atMost30 + "，pAccount(" + digits(30) + ")"), answered},

		// 4.5 登记担保方
		{"no amount", g.guarantee.without("pAmount"), "MG00006F", missing("担保金额"), answered},
		{"no margin, not even 0", g.guarantee.without("pMarginAmt"), "MG00006F", missing("担保保证金"), answered},
		{"no profit, not even 0", g.guarantee.without("pProFitAmt"), "MG00006F", missing("担保收益"), answered},
		{"promise of nothing", g.guarantee.with("pAmount", "0"), "MG04200F", because("(担保金额)" + positive + "，pAmount(0)"), answered},
		{"negative margin", g.guarantee.with("pMarginAmt", "-0.01"), "MG04200F", because("(担保保证金)" + notNegative + "，pMarginAmt(-0.01)"), answered},
		{"profit in words", g.guarantee.with("pProFitAmt", "十元"), "MG04200F", because("(担保收益)" + notNegative + "，pProFitAmt(十元)"), answered},
		{"unknown kind of account", g.guarantee.with("pAcctType", "2"), "MG04200F", because("(账户类型)必须为0、1之一，pAcctType(2)"), answered},

		// 4.6 登记债权转让
		{"no assignor", g.sale.without("pFromAccount"), "MG00006F", missing("出让方账号"), answered},
		{"no assignee", g.sale.without("pToAccount"), "MG00006F", missing("受让方账号"), answered},
		{"no claim", g.sale.without("pCreMerBillNo"), "MG00006F", missing("登记债权人时的商户订单号"), answered},
		{"no price", g.sale.without("pPayAmt"), "MG00006F", missing("支付金额"), answered},
		{"organisation sells", g.sale.with("pFromAccountType", "0"), "MG05080F", because(closed + "，pFromAccountType(0)"), answered},
		{"organisation buys", g.sale.with("pToAccountType", "0"), "MG05080F", because(closed + "，pToAccountType(0)"), answered},
		{"assignor of 51", g.sale.with("pFromAccount", digits(50)), "MG05200F", because("(出让方账号)不能超过50个字符且不含控制字符，pFromAccount(" + cut + ")"), answered},
		{"assignor with a passport", g.sale.with("pFromIdentType", "2"), "MG05200F", because("(出让方证件类型)必须为1之一，pFromIdentType(2)"), answered},
		{"assignee of 31", g.sale.with("pToAccount", digits(30)), "MG05200F", because("(受让方账号)" + atMost30 + "，pToAccount(" + digits(30) + ")"), answered},
		{"assignee with a passport", g.sale.with("pToIdentType", "2"), "MG05200F", because("(受让方证件类型)必须为1之一，pToIdentType(2)"), answered},
		{"face value of nothing", g.sale.with("pCretAmt", "0.00"), "MG05200F", because("(债权面额)" + positive + "，pCretAmt(0.00)"), answered},
		{"price of nothing", g.sale.with("pPayAmt", "0.00"), "MG05200F", because("(支付金额)" + positive + "，pPayAmt(0.00)"), answered},
		{"negative fee of the assignor", g.sale.with("pFromFee", "-1"), "MG05200F", because("(出让方手续费)" + notNegative + "，pFromFee(-1)"), answered},
		{"negative fee of the assignee", g.sale.with("pToFee", "-1"), "MG05200F", because("(受让方手续费)" + notNegative + "，pToFee(-1)"), answered},
		{"neither all nor part", g.sale.with("pCretType", "3"), "MG05200F", because("(转让类型)必须为1、2之一，pCretType(3)"), answered},

		// 4.7 自动投标签约
		{"no validity", g.signBid.without("pValidDate"), "MG00006F", missing("有效期"), answered},
		{"no upper rate", g.signBid.without("pEIRQuota"), "MG00006F", missing("利率限额止"), answered},
		{"open-ended", g.signBid.with("pValidType", "N"), "MG06200F", because("(有效期类型)必须为D、M之一，pValidType(N)"), answered},
		{"366 days", g.signBid.with("pValidType", "D", "pValidDate", "366"), "MG06200F", because("(有效期)必须为1至365的整数，pValidDate(366)"), answered},
		{"13 months", g.signBid.with("pValidDate", "13"), "MG06022F", because("有效期超出范围，有效期(13)"), answered},
		{"term as bids have it", g.signBid.with("pTrdCycleType", "3"), "MG06200F", because("(借款期限类型)必须为D、M之一，pTrdCycleType(3)"), answered},
		{"term from nothing", g.signBid.with("pSTrdCycleValue", "0"), "MG06200F", because("(借款期限起)必须为1至1800的整数，pSTrdCycleValue(0)"), answered},
		{"term to 1801 days", g.signBid.with("pTrdCycleType", "D", "pETrdCycleValue", "1801"), "MG06200F", because("(借款期限止)必须为1至1800的整数，pETrdCycleValue(1801)"), answered},
		{"term to 61 months", g.signBid.with("pETrdCycleValue", "61"), "MG06023F", because("借款期限超出范围，起(1)，止(61)"), answered},
		{"amount from 0.99", g.signBid.with("pSAmtQuota", "0.99"), "MG06200F", because("(借款额度起)必须不小于1.00，最多两位小数，pSAmtQuota(0.99)"), answered},
		{"rate from 0.99", g.signBid.with("pSIRQuota", "0.99"), "MG06200F", because("(利率限额起)必须不小于1.00，最多两位小数，pSIRQuota(0.99)"), answered},

		// 4.8 自动还款签约
		{"no kind of validity", g.signRepay.without("pValidType"), "MG00006F", missing("有效期类型"), answered},
		{"days without a number", g.signRepay.with("pValidType", "D"), "MG00006F", missing("有效期"), answered},
		{"validity in years", g.signRepay.with("pValidType", "Y", "pValidDate", "1"), "MG07200F", because("(有效期类型)必须为D、M、N之一，pValidType(Y)"), answered},
		{"no days at all", g.signRepay.with("pValidType", "D", "pValidDate", "0"), "MG07022F", because("有效期超出范围，有效期(0)"), answered},
		{"366 days", g.signRepay.with("pValidType", "D", "pValidDate", "366"), "MG07200F", because("(有效期)必须为0至365的整数，pValidDate(366)"), answered},
		{"13 months", g.signRepay.with("pValidType", "M", "pValidDate", "13"), "MG07022F", because("有效期超出范围，有效期(13)"), answered},
		{"passport", g.signRepay.with("pIdentType", "2"), "MG07200F", because("(证件类型)必须为1之一，pIdentType(2)"), answered},

		// 4.9 充值
		{"no bank", g.recharge.with("pTrdBnkCode", ""), "MG00006F", missing("充值银行"), answered},
		{"no fee payer", g.recharge.without("pIpsFeeType"), "MG00006F", missing("IPS手续费类型"), answered},
		{"organisation recharges", g.recharge.with("pAcctType", "0"), "MG18080F", because(closed + "，pAcctType(0)"), answered},
		{"tomorrow", g.recharge.with("pTrdDate", "tomorrow"), "MG18200F", because("(充值日期)格式不正确，pTrdDate(tomorrow)"), answered},
		{"amount of nothing", g.recharge.with("pTrdAmt", "0"), "MG18200F", because("(充值金额)" + positive + "，pTrdAmt(0)"), answered},
		{"amount in scientific notation", g.recharge.with("pTrdAmt", "1e3"), "MG18200F", because("(充值金额)" + positive + "，pTrdAmt(1e3)"), answered},
		{"unknown channel", g.recharge.with("pChannelType", "3"), "MG18200F", because("(充值渠道种类)必须为1、2之一，pChannelType(3)"), answered},
		{"negative fee", g.recharge.with("pMerFee", "-1.00"), "MG18200F", because("(平台手续费)" + notNegative + "，pMerFee(-1.00)"), answered},
		{"unknown fee payer", g.recharge.with("pIpsFeeType", "3"), "MG18200F", because("(IPS手续费类型)必须为1、2之一，pIpsFeeType(3)"), answered},

		// 4.10 转账
		{"no rows", m.transfers("N16", "B1", "1"), "MG00006F", missing("明细"), answered},
		{"no details", m.transfers("N16", "B1", "1").without("pDetails"), "MG00006F", missing("明细"), answered},
		{"no type", g.release.without("pTransferType"), "MG00006F", missing("转账类型"), answered},
		{"no notification address", g.release.without("pS2SUrl"), "MG00006F", missing("异步通知地址"), answered},
		{"row without an order", g.release.without("pOriMerBillNo"), "MG00006F", missing("第1行原商户订单号"), answered},
		{"second row without an amount", g.release.and(elements("pRow", elements("pOriMerBillNo", "C2"))), "MG00006F", missing("第2行转账金额"), answered},
		{"type 6", g.release.with("pTransferType", "6"), "MG09200F", because("(转账类型)必须为1、2、3、4、5之一，pTransferType(6)"), answered},
		{"mode 3", g.release.with("pTransferMode", "3"), "MG09200F", because("(转账方式)必须为1、2之一，pTransferMode(3)"), answered},
		{"row of nothing", g.release.with("pTrdAmt", "0.00"), "MG09200F", because("(第1行转账金额)" + positive + "，第1行pTrdAmt(0.00)"), answered},
		{"row with a negative fee", g.release.with("pFTrdFee", "-1.00"), "MG09200F", because("(第1行转出方手续费)" + notNegative + "，第1行pFTrdFee(-1.00)"), answered},
		{"row with an unknown kind of account", g.release.with("pTAcctType", "2"), "MG09200F", because("(第1行转入方账户类型)必须为0、1之一，第1行pTAcctType(2)"), answered},
		{"row with an account of 31", g.release.with("pTIpsAcctNo", digits(30)), "MG09200F", because("(第1行转入方账号)" + atMost30 + "，第1行pTIpsAcctNo(" + digits(30) + ")"), answered},
		{"3001 rows", g.release.and(slices.Repeat([]string{transferRow("C2", "1.00", m.zhao.account, "0.00", m.zhang.account, "0.00")}, 3000)...),
			"MG09200F", because("(明细)不能超过3000行，pDetails(3001)"), answered},

		// 4.11 还款
		{"no total", g.repay.without("pOutAmt"), "MG12005F", repayField("pOutAmt 是必填项"), answered},
		{"no creditor in a row", g.repay.without("pInAcctNo"), "MG12005F", repayField("第1行pInAcctNo 是必填项"), answered},
		{"automatic without an authorisation", g.autoRepay.with("pIpsAuthNo", ""), "MG12005F", repayField("pIpsAuthNo 是必填项"), answered},
		{"neither by hand nor automatic", g.repay.with("pRepayType", "0"), "MG12005F", repayField("pRepayType 必须为1、2之一"), answered},
		{"row of nothing", g.repay.with("pInAmt", "0.00"), "MG12005F", repayField("第1行pInAmt " + positive), answered},
		{"row with a negative fee", g.repay.with("pOutInfoFee", "-1.00"), "MG12005F", repayField("第1行pOutInfoFee " + notNegative), answered},
		{"301 rows", g.repay.and(slices.Repeat([]string{repayRow("C1", m.li.account, "0.01", "0.00", "0.00")}, 300)...),
			"MG12005F", repayField("pDetails 不能超过300行"), answered},

		// 4.12 解冻保证金
		{"no amount", g.unfreeze.without("pUnfreezeAmt"), "MG00006F", missing("解冻金额"), answered},
		{"person without an id number", g.unfreeze.with("pIdentNo", ""), "MG00006F", missing("证件号码"), answered},
		{"the name as it should be spelt", g.unfreeze.raw("<pUnfreezenType>", "<pUnfreezeType>").raw("</pUnfreezenType>", "</pUnfreezeType>"), "MG00006F", missing("解冻类型"), answered},
		{"amount of nothing", g.unfreeze.with("pUnfreezeAmt", "0.00"), "MG11200F", because("(解冻金额)" + positive + "，pUnfreezeAmt(0.00)"), answered},
		{"neither borrower nor guarantor", g.unfreeze.with("pUnfreezenType", "3"), "MG11200F", because("(解冻类型)必须为1、2之一，pUnfreezenType(3)"), answered},

		// 4.13 自动代扣充值
		{"no amount", g.withhold.without("pTrdAmt"), "MG00006F", missing("充值金额"), answered},
		{"no name", g.withhold.without("pRealName"), "MG00006F", missing("真实姓名"), answered},
		{"amount of nothing", g.withhold.with("pTrdAmt", "0.00"), "MG13200F", because("(充值金额)" + positive + "，pTrdAmt(0.00)"), answered},
		{"negative fee", g.withhold.with("pMerFee", "-0.01"), "MG13200F", because("(平台手续费)" + notNegative + "，pMerFee(-0.01)"), answered},
		{"organisation", g.withhold.with("pAcctType", "0"), "MG13080F", because(closed + "，pAcctType(0)"), answered},

		// 4.14 提现
		{"no kind of withdrawal", g.withdraw.without("pOutType"), "MG00006F", missing("提现模式"), answered},
		{"no date", g.withdraw.without("pDwDate"), "MG00006F", missing("提现日期"), answered},
		{"organisation withdraws", g.withdraw.with("pAcctType", "0"), "MG19080F", because(closed + "，pAcctType(0)"), answered},
		{"directed", g.withdraw.with("pOutType", "2"), "MG19080F", because(closed + "，pOutType(2)"), answered},
		{"unknown kind of withdrawal", g.withdraw.with("pOutType", "3"), "MG19200F", because("(提现模式)必须为1之一，pOutType(3)"), answered},
		{"amount of nothing", g.withdraw.with("pTrdAmt", "0.00"), "MG19200F", because("(提现金额)" + positive + "，pTrdAmt(0.00)"), answered},
		{"fee payer empty", g.withdraw.with("pIpsFeeType", ""), "MG00006F", missing("IPS手续费类型"), answered},
	}
}

// ruleCases break the rules that need more than one field, or the platform's
// memory.
func (m *market) ruleCases(g goodLetters) []refusalCase {
	zhang, li, wang, zhao := m.zhang, m.li, m.wang, m.zhao
	order := func(no string) string { return "，商户号(808801)，订单号(" + no + ")" }
	taken := because("订单号重复")
	client := func(l letter) letter { return l.sealedBy(m.other) }
	second := func(origin, from, to string) string { return transferRow(origin, "1.00", from, "0.00", to, "0.00") }
	return []refusalCase{
		// 4.2 开户
		{"id number too short", g.open.with("pIdentNo", "11010119900101"), "MG01002F", particular("N01", "pIdentNo身份证号码格式不正确！"), answered},
		{"no such birthday", g.open.with("pIdentNo", "110101"+"19900230"+"0001"), "MG01002F", particular("N01", "pIdentNo身份证输入出身年月日部分查验异常！"), answered},
		{"not yet born", g.open.with("pIdentNo", "110101"+"20151231"+"0001"), "MG01002F", particular("N01", "pIdentNo身份证输入出身年月日部分查验异常！"), answered},
		{"Latin name", g.open.with("pRealName", "Zhao Liu"), "MG01002F", particular("N01", "pRealName姓名仅支持中文！"), answered},
		{"mobile of ten digits", g.open.with("pMobileNo", "1380000000"), "MG01002F", particular("N01", "pMobileNo手机号格式不正确！"), answered},
		{"two things wrong", g.open.with("pIdentNo", "1", "pRealName", "x"), "MG01002F", particular("N01", "pIdentNo身份证号码格式不正确！ pRealName姓名仅支持中文！"), answered},
		{"e-mail taken", g.open.with("pEmail", "USER2@example.com"), "MG01011F", because("该邮箱已被使用"), answered},
		{"number taken", g.open.with("pMerBillNo", "A1"), "MG01090F", taken, answered},

		// 4.3 标的登记
		{"bid exists", g.bid.with("pBidNo", "B1"), "MG02008F", because("标的已存在，标的号(B1)，平台商户号(808801)"), answered},
		{"bid has ended", g.bid.with("pBidNo", "B2"), "MG02008F", because("标的已存在，标的号(B2)，平台商户号(808801)"), answered},
		{"bid waits for its borrower", g.bid.with("pBidNo", "B4"), "MG02008F", because("标的已存在，标的号(B4)，平台商户号(808801)"), answered},
		{"no such borrower", g.bid.with("pIpsAcctNo", noAccount), "MG02013F", because("借款人账户信息不正确，账号(" + noAccount + ")"), answered},
		{"another's id number", g.bid.with("pIdentNo", li.ident), "MG02013F", because("借款人账户信息不正确，账号(" + zhang.account + ")"), answered},
		{"another's name", g.bid.with("pRealName", li.name), "MG02013F", because("借款人账户信息不正确，账号(" + zhang.account + ")"), answered},
		{"borrower without the margin", g.bid.with("pGuaranteesAmt", "99999.00"), "MG02044F", exactly("登记标的失败，错误码MG02044F"), answered},
		{"number taken", g.bid.with("pMerBillNo", "B1"), "MG02090F", taken, answered},
		{"end of no bid", g.end.with("pBidNo", "B0"), "MG02027F", ending("标的不存在，标的号(B0)"), answered},
		{"end of an ended bid", g.end.with("pBidNo", "B2", "pMerBillNo", "B2", "pMemo1", "again"), "MG02030F", ending("标的已结束，标的号(B2)"), answered},
		{"end of a failed bid", g.end.with("pBidNo", "B5", "pMerBillNo", "B5", "pIdentNo", m.shy.ident, "pIpsAcctNo", m.shy.account), "MG02504F", ending("标的失败，标的号(B5)"), answered},
		{"end while the borrower is asked", g.end.with("pBidNo", "B4", "pMerBillNo", "B4", "pIdentNo", m.shy.ident, "pIpsAcctNo", m.shy.account), "MG02054F", ending("标的等待借款人确认，不能结束，标的号(B4)"), answered},
		{"end with another number", g.end.with("pMerBillNo", "N03"), "MG02053F", ending("订单号与标的登记时不一致，订单号(N03)"), answered},
		{"end with live debts", g.end.with("pBidNo", "B1", "pMerBillNo", "B1"), "MG02055F", ending("标的仍有未还清的债权，标的号(B1)，债权人订单号(C1)"), answered},
		{"end by another borrower", g.end.with("pIdentNo", li.ident, "pRealName", li.name, "pIpsAcctNo", li.account), "MG02013F", ending("借款人账户信息不正确，账号(" + li.account + ")"), answered},

		// 4.4 登记债权人
		{"amount is not the face value", g.invest.with("pTrdAmt", "99.00"), "MG03023F", because("交易金额与债权面额不一致，交易金额(99.00)，债权面额(100.00)"), answered},
		{"no such bid", g.invest.with("pBidNo", "B0"), "MG03112F", exactly("登记投资人失败，标的信息不存在" + order("N04")), answered},
		{"failed bid", g.invest.with("pBidNo", "B5"), "MG03112F", exactly("登记投资人失败，标的信息不存在" + order("N04")), answered},
		{"ended bid", g.invest.with("pBidNo", "B2"), "MG03021F", because("标的不在募集中或进行中，标的号(B2)"), answered},
		{"bid waits for its borrower", g.invest.with("pBidNo", "B4"), "MG03112F", exactly("登记投资人失败，标的信息不存在" + order("N04")), answered},
		{"full bid", g.invest.with("pBidNo", "B8", "pAuthAmt", "0.01", "pTrdAmt", "0.01"), "MG03119F", exactly("登记投资人失败，标的累计投资额不能超过借款金额" + order("N04")), answered},
		{"a fen beyond the loan", g.invest.with("pAuthAmt", "290.01", "pTrdAmt", "290.01"), "MG03119F", exactly("登记投资人失败，标的累计投资额不能超过借款金额" + order("N04")), answered},
		{"no such investor", g.invest.with("pAccount", noAccount), "MG03025F", because("投资人账户不存在，账号(" + noAccount + ")"), answered},
		{"another's id number", g.invest.with("pIdentNo", wang.ident), "MG03108F", because("证件号码错误" + order("N04")), answered},
		{"another's name", g.invest.with("pRealName", wang.name), "MG03108F", because("证件号码错误" + order("N04")), answered},
		{"the borrower himself", m.invests("N04", "B1", zhang, "1.00", "0.00"), "MG03024F", because("投资人不能是借款人本人，账号(" + zhang.account + ")"), answered},
		{"investor without money", g.invest.with("pFee", "99999.00"), "MG03011F", because("账户余额不足，账号(" + li.account + ")"), answered},
		{"number taken", g.invest.with("pMerBillNo", "C1"), "MG03090F", taken, answered},
		{"no such authorisation", g.auto.with("pAuthNo", "AUT1"), "MG03027F", because("自动投标授权不存在，授权号(AUT1)"), answered},
		{"authorisation to repay", g.auto.with("pAuthNo", m.repaying), "MG03027F", because("自动投标授权不存在，授权号(" + m.repaying + ")"), answered},
		{"another's authorisation", m.invests("N05", "B1", wang, "1.00", "0.00").with("pRegType", "2", "pAuthNo", m.bidding), "MG03027F", because("自动投标授权不存在，授权号(" + m.bidding + ")"), answered},
		{"expired authorisation", g.auto.with("pAuthNo", m.biddingPast), "MG03028F", because("自动投标授权已过期，授权号(" + m.biddingPast + ")"), answered},
		{"term shorter than authorised", g.auto.with("pAuthNo", m.longLoans), "MG03029F", because("借款期限超出自动投标授权范围，授权号(" + m.longLoans + ")"), answered},
		{"loan smaller than authorised", g.auto.with("pAuthNo", m.largeLoans), "MG03030F", because("借款金额超出自动投标授权范围，授权号(" + m.largeLoans + ")"), answered},
		{"rate lower than authorised", g.auto.with("pAuthNo", m.dearLoans), "MG03031F", because("借款利率超出自动投标授权范围，授权号(" + m.dearLoans + ")"), answered},
		{"automatic beyond the loan", g.auto.with("pAuthAmt", "290.01", "pTrdAmt", "290.01"), "MG03119F", exactly("登记投资人失败，标的累计投资额不能超过借款金额" + order("N05")), answered},

		// 4.5 登记担保方
		{"no such bid", g.guarantee.with("pBidNo", "B0"), "MG04020F", because("标的不存在，标的号(B0)"), answered},
		{"ended bid", g.guarantee.with("pBidNo", "B2"), "MG04021F", because("标的不在募集中或进行中，标的号(B2)"), answered},
		{"bid waits for its borrower", g.guarantee.with("pBidNo", "B4"), "MG04021F", because("标的不在募集中或进行中，标的号(B4)"), answered},
		{"no such guarantor", g.guarantee.with("pAccount", noAccount), "MG04022F", because("担保方账户信息不正确，账号(" + noAccount + ")"), answered},
		{"another's id number", g.guarantee.with("pFromIdentNo", li.ident), "MG04022F", because("担保方账户信息不正确，账号(" + zhao.account + ")"), answered},
		{"another's name", g.guarantee.with("pAccountName", li.name), "MG04022F", because("担保方账户信息不正确，账号(" + zhao.account + ")"), answered},
		{"guarantor without the margin", g.guarantee.with("pMarginAmt", "99999.00"), "MG04024F", because("担保方可用余额不足以冻结保证金，账号(" + zhao.account + ")"), answered},
		{"the borrower himself", m.guarantees("N06", "B1", zhang, "1.00", "0.00", "0.00"), "MG04025F", because("担保方不能是借款人本人，账号(" + zhang.account + ")"), answered},
		{"guarantor twice", m.guarantees("N06", "B1", wang, "1.00", "0.00", "0.00"), "MG04003F", because("担保方已登记，账号(" + wang.account + ")"), answered},
		{"another platform guarantees", g.organisation.with("pFromIdentNo", "900001", "pAccount", "900001"), "MG04026F", because("机构担保方必须是本平台的商户号，商户号(900001)"), answered},
		{"platform under another's name", g.organisation.with("pFromIdentNo", "900001"), "MG04026F", because("机构担保方必须是本平台的商户号，商户号(808801)"), answered},
		{"platform without the margin", g.organisation.with("pMarginAmt", "99999.00"), "MG04024F", because("担保方可用余额不足以冻结保证金，账号(808801)"), answered},
		{"number taken", g.guarantee.with("pMerBillNo", "G1"), "MG04090F", taken, answered},

		// 4.6 登记债权转让
		{"no such bid", g.sale.with("pBidNo", "B0"), "MG05020F", because("标的不存在，标的号(B0)"), answered},
		{"bid not running", m.sells("N08", "B3", "C10", li, wang, "10.00", "2"), "MG05021F", because("标的不在进行中，标的号(B3)"), answered},
		{"no such claim", g.sale.with("pCreMerBillNo", "C0"), "MG05022F", because("债权不存在，债权人订单号(C0)"), answered},
		{"claim on another bid", g.sale.with("pCreMerBillNo", "C9"), "MG05022F", because("债权不存在，债权人订单号(C9)"), answered},
		{"claim not released", m.sells("N08", "B1", "C2", zhao, wang, "50.00", "2"), "MG05024F", because("债权尚未放款，债权人订单号(C2)"), answered},
		{"assignor never held it", m.sells("N08", "B1", "C1", zhao, wang, "50.00", "2"), "MG05025F", because("出让方可转让的债权面额不足，账号(" + zhao.account + ")，可转让面额(0.00)"), answered},
		{"assignor has sold it", m.sells("N08", "B9", "C9", li, wang, "50.00", "2"), "MG05025F", because("出让方可转让的债权面额不足，账号(" + li.account + ")，可转让面额(0.00)"), answered},
		{"claim paid off", m.sells("N08", "B6", "C6", li, wang, "50.00", "2"), "MG05026F", because("债权已还清，债权人订单号(C6)"), answered},
		{"more than he holds", g.sale.with("pCretAmt", "600.01", "pPayAmt", "600.00"), "MG05025F", because("出让方可转让的债权面额不足，账号(" + li.account + ")，可转让面额(500.00)"), answered},
		{"whole larger than the claim", g.wholeSale.with("pCretAmt", "100.01"), "MG05025F", because("出让方可转让的债权面额不足，账号(" + zhao.account + ")，可转让面额(100.00)"), answered},
		{"price below 70 percent", g.sale.with("pPayAmt", "69.99"), "MG05029F", because("支付金额必须为债权面额的70%至130%，支付金额(69.99)，债权面额(100.00)"), answered},
		{"price above 130 percent", g.sale.with("pPayAmt", "130.01"), "MG05029F", because("支付金额必须为债权面额的70%至130%，支付金额(130.01)，债权面额(100.00)"), answered},
		{"no such assignor", g.sale.with("pFromAccount", noAccount), "MG05030F", because("出让方账户信息不正确，账号(" + noAccount + ")"), answered},
		{"not the assignor's id number", g.sale.with("pFromIdentNo", wang.ident), "MG05030F", because("出让方账户信息不正确，账号(" + li.account + ")"), answered},
		{"no such assignee", g.sale.with("pToAccount", noAccount), "MG05032F", because("受让方账户信息不正确，账号(" + noAccount + ")"), answered},
		{"not the assignee's name", g.sale.with("pToAccountName", li.name), "MG05032F", because("受让方账户信息不正确，账号(" + wang.account + ")"), answered},
		{"assignee without money", g.sale.with("pToFee", "99999.00"), "MG05038F", because("IPS账户余额不足"), answered},
		{"to himself", m.sells("N08", "B1", "C1", li, li, "50.00", "2"), "MG05035F", because("受让方不能是出让方本人，账号(" + li.account + ")"), answered},
		{"to the borrower", m.sells("N08", "B1", "C1", li, zhang, "50.00", "2"), "MG05036F", because("受让方不能是借款人本人，账号(" + zhang.account + ")"), answered},
		{"part is promised already", g.sale.with("pCretAmt", "500.01", "pPayAmt", "500.01"), "MG05025F", because("出让方可转让的债权面额不足，账号(" + li.account + ")，可转让面额(500.00)"), answered},
		{"whole of what is promised in part", m.sells("N08", "B1", "C1", li, wang, "600.00", "1"), "MG05025F", because("出让方可转让的债权面额不足，账号(" + li.account + ")，可转让面额(500.00)"), answered},
		{"fee beyond the price", g.sale.with("pFromFee", "100.01"), "MG05039F", because("出让方手续费超出支付金额，手续费(100.01)"), answered},
		{"number taken", g.sale.with("pMerBillNo", "D1"), "MG05090F", taken, answered},

		// 4.7 自动投标签约, 4.8 自动还款签约
		{"no such investor", g.signBid.with("pIpsAcctNo", noAccount), "MG06020F", because("投资人账户信息不正确，账号(" + noAccount + ")"), answered},
		{"another's id number", g.signBid.with("pIdentNo", wang.ident), "MG06020F", because("投资人账户信息不正确，账号(" + li.account + ")"), answered},
		{"number taken", g.signBid.with("pMerBillNo", "S1", "pValidDate", "7"), "MG06090F", taken, answered},
		{"no such borrower", g.signRepay.with("pIpsAcctNo", noAccount), "MG07020F", because("借款人账户信息不正确，账号(" + noAccount + ")"), answered},
		{"another's name", g.signRepay.with("pRealName", li.name), "MG07020F", because("借款人账户信息不正确，账号(" + zhang.account + ")"), answered},
		{"number taken", g.signRepay.with("pMerBillNo", "S2", "pValidType", "D", "pValidDate", "9"), "MG07090F", taken, answered},

		// 4.9 充值
		{"no such account", g.recharge.with("pIpsAcctNo", noAccount), "MG18020F", because("该账号的身份信息有误，账号(" + noAccount + ")"), answered},
		{"another's id number", g.recharge.with("pIdentNo", wang.ident), "MG18020F", because("该账号的身份信息有误，账号(" + li.account + ")"), answered},
		{"fee beyond the amount", g.recharge.with("pMerFee", "100.01"), "MG18024F", because("手续费超出充值金额，充值金额(100.00)"), answered},
		{"number taken", g.recharge.with("pMerBillNo", "R1", "pTrdAmt", "100.01"), "MG18026F", taken, answered},
		{"no mandate", client(m.recharges("N13", m.client)).with("pChannelType", "2", "pTrdBnkCode", ""), "MG18023F", because("用户未签订委托授权书，账号(" + m.client.account + ")"), answered},
		{"platform without its fee", client(m.recharges("N12", m.client)), "MG18025F", because("平台账户余额不足以支付IPS手续费，商户号(900001)"), answered},

		// 4.10 转账
		{"batched compensation", g.compensate.with("pTransferMode", "2"), "MG09022F", because("批量转账方式仅支持投资类型，转账类型(2)"), answered},
		{"two payees of an investment", g.release.and(second("C2", zhao.account, li.account)), "MG09023F", because("转账明细的转出方转入方关系不符合该类型，行号(2)"), answered},
		{"two payers of a compensation", g.compensate.and(second("C1", zhao.account, li.account)), "MG09023F", because("转账明细的转出方转入方关系不符合该类型，行号(2)"), answered},
		{"two reimbursements", g.reimburse.and(second("T2", zhang.account, wang.account)), "MG09023F", because("转账明细的转出方转入方关系不符合该类型，行号(2)"), answered},
		{"two debts", g.move.and(second("D1", zhao.account, li.account)), "MG09023F", because("转账明细的转出方转入方关系不符合该类型，行号(2)"), answered},
		{"two profits", g.profit.and(second("G1", zhang.account, wang.account)), "MG09023F", because("转账明细的转出方转入方关系不符合该类型，行号(2)"), answered},
		{"no such bid", g.release.with("pBidNo", "B0"), "MG09020F", because("标的不存在，标的号(B0)"), answered},
		{"release of an ended bid", g.release.with("pBidNo", "B2"), "MG09021F", because("标的状态不允许该类型转账，标的号(B2)"), answered},
		{"debt on a raising bid", g.move.with("pBidNo", "B3"), "MG09021F", because("标的状态不允许该类型转账，标的号(B3)"), answered},
		{"release to somebody else", g.release.with("pTIpsAcctNo", li.account), "MG09025F", because("转账方不是标的借款人，账号(" + li.account + ")"), answered},
		{"reimbursement by somebody else", g.reimburse.with("pFIpsAcctNo", li.account), "MG09025F", because("转账方不是标的借款人，账号(" + li.account + ")"), answered},
		{"profit from somebody else", g.profit.with("pFIpsAcctNo", li.account), "MG09025F", because("转账方不是标的借款人，账号(" + li.account + ")"), answered},
		{"compensation by no guarantor", g.compensate.with("pFIpsAcctNo", zhao.account), "MG09026F", because("转出方不是该标的的担保方，账号(" + zhao.account + ")"), answered},
		{"no such compensation", g.reimburse.with("pOriMerBillNo", "T1"), "MG09030F", because("原商户订单号对应的登记不存在，订单号(T1)"), answered},
		{"reimbursement to somebody else", g.reimburse.with("pTIpsAcctNo", li.account), "MG09033F", because("转账方与登记信息不一致，账号(" + li.account + ")"), answered},
		{"more than is owed", g.reimburse.with("pTrdAmt", "50.01"), "MG09043F", because("金额超出尚欠的代偿款，订单号(T2)，尚欠金额(50.00)"), answered},
		{"no such debt", g.move.with("pOriMerBillNo", "D0"), "MG09030F", because("原商户订单号对应的登记不存在，订单号(D0)"), answered},
		{"debt of another bid", g.move.with("pOriMerBillNo", "D9"), "MG09030F", because("原商户订单号对应的登记不存在，订单号(D9)"), answered},
		{"debt moved before", g.move.with("pBidNo", "B9", "pOriMerBillNo", "D9"), "MG09046F", because("债权转让已完成或已终止，订单号(D9)"), answered},
		{"not the price", g.move.with("pTrdAmt", "99.99"), "MG09032F", because("转账金额与登记的金额不一致，订单号(D1)，金额(99.99)"), answered},
		{"not the assignee", g.move.with("pFIpsAcctNo", wang.account), "MG09033F", because("转账方与登记信息不一致，账号(" + wang.account + ")"), answered},
		{"not the assignor", g.move.with("pTIpsAcctNo", wang.account), "MG09033F", because("转账方与登记信息不一致，账号(" + wang.account + ")"), answered},
		{"fee beyond the assignee's", g.move.with("pFTrdFee", "2.01"), "MG09034F", because("手续费超出登记的手续费，订单号(D1)"), answered},
		{"fee beyond the assignor's", g.move.with("pTTrdFee", "1.01"), "MG09034F", because("手续费超出登记的手续费，订单号(D1)"), answered},
		{"debt paid off", g.move.with("pBidNo", "B6", "pOriMerBillNo", "D6"), "MG09050F", because("债权已还清，债权人订单号(C6)"), answered},
		{"no such guarantee", g.profit.with("pOriMerBillNo", "G0"), "MG09030F", because("原商户订单号对应的登记不存在，订单号(G0)"), answered},
		{"guarantee of another bid", g.profit.with("pOriMerBillNo", "G6"), "MG09030F", because("原商户订单号对应的登记不存在，订单号(G6)"), answered},
		{"more profit than promised", g.profit.with("pTrdAmt", "30.01"), "MG09052F", because("累计担保收益超出登记的担保收益，担保收益(30.00)，金额(30.01)"), answered},
		{"fee beyond the profit", g.profit.with("pFTrdFee", "10.01"), "MG09053F", because("手续费超出转账金额，订单号(G1)"), answered},
		{"guarantor keeps nothing", g.profit.with("pTTrdFee", "10.00"), "MG09053F", because("手续费超出转账金额，订单号(G1)"), answered},
		{"number taken", g.release.with("pMerBillNo", "T1"), "MG09090F", taken, answered},

		// 4.11 还款
		{"not the sum of the rows", g.repay.with("pOutAmt", "10.01"), "MG12023F", because("还款总金额与明细不一致，总金额(10.01)，明细合计(10.00)"), answered},
		{"not the sum of the fees", g.repay.with("pOutFee", "0.99"), "MG12024F", because("还款总手续费与明细不一致，总手续费(0.99)，明细合计(1.00)"), answered},
		{"fee eats the amount", g.repay.with("pInFee", "10.00"), "MG12029F", because("转入金额必须大于转入方手续费，行号(1)，转入金额(10.00)"), answered},
		{"no such bid", g.repay.with("pBidNo", "B0"), "MG12020F", because("标的不存在，标的号(B0)"), answered},
		{"raising bid", g.repay.with("pBidNo", "B3"), "MG12021F", because("标的不在进行中，标的号(B3)"), answered},
		{"ended bid", g.repay.with("pBidNo", "B2"), "MG12021F", because("标的不在进行中，标的号(B2)"), answered},
		{"not the borrower", g.repay.with("pOutAcctNo", li.account), "MG12022F", because("转出方不是标的借款人，账号(" + li.account + ")"), answered},
		{"no such authorisation", g.autoRepay.with("pIpsAuthNo", "AUT1"), "MG12026F", because("自动还款授权不存在，授权号(AUT1)"), answered},
		{"authorisation to bid", g.autoRepay.with("pIpsAuthNo", m.bidding), "MG12026F", because("自动还款授权不存在，授权号(" + m.bidding + ")"), answered},
		{"expired authorisation", g.autoRepay.with("pIpsAuthNo", m.repayingPast), "MG12027F", because("自动还款授权已过期，授权号(" + m.repayingPast + ")"), answered},
		{"borrower without money", g.repay.with("pOutAmt", "99999.00", "pInAmt", "99999.00"), "MG12028F", because("借款人账户余额不足，账号(" + zhang.account + ")"), answered},
		{"number taken", g.repay.with("pMerBillNo", "P6"), "MG12090F", taken, answered},

		// 4.12 解冻保证金
		{"no such bid", g.unfreeze.with("pBidNo", "B0"), "MG11020F", because("标的不存在，标的号(B0)"), answered},
		{"bid waits for its borrower", m.unfreezes("N23", "B4", "1", m.shy, "1.00"), "MG11020F", because("标的不存在，标的号(B4)"), answered},
		{"not the borrower", m.unfreezes("N23", "B1", "1", li, "1.00"), "MG11021F", because("账户不是标的借款人，账号(" + li.account + ")"), answered},
		{"not a guarantor", m.unfreezes("N23", "B1", "2", li, "1.00"), "MG11022F", because("账户不是标的担保方，账号(" + li.account + ")"), answered},
		{"another's id number", g.unfreeze.with("pIdentNo", li.ident), "MG11023F", because("该账号的身份信息有误，账号(" + zhang.account + ")"), answered},
		{"more than is left", g.unfreeze.with("pUnfreezeAmt", "90.01"), "MG11024F", because("解冻金额超出冻结的保证金，解冻金额(90.01)，冻结金额(90.00)"), answered},
		{"more than compensation left", g.unfreezeOther.with("pUnfreezeAmt", "50.01"), "MG11024F", because("解冻金额超出冻结的保证金，解冻金额(50.01)，冻结金额(50.00)"), answered},
		{"guarantee without a margin", g.unfreezeOther.with("pBidNo", "B6", "pUnfreezeAmt", "0.01"), "MG11024F", because("解冻金额超出冻结的保证金，解冻金额(0.01)，冻结金额(0.00)"), answered},
		{"ended bid", g.unfreeze.with("pBidNo", "B2"), "MG11024F", because("解冻金额超出冻结的保证金，解冻金额(10.00)，冻结金额(0.00)"), answered},
		{"number taken", g.unfreeze.with("pMerBillNo", "U1", "pUnfreezeAmt", "10.01"), "MG11090F", taken, answered},

		// 4.13 自动代扣充值
		{"no such account", g.withhold.with("pIpsAcctNo", noAccount), "MG13020F", because("该账号的身份信息有误，账号(" + noAccount + ")"), answered},
		{"another's name", g.withhold.with("pRealName", li.name), "MG13020F", because("该账号的身份信息有误，账号(" + zhang.account + ")"), answered},
		{"fee beyond the amount", g.withhold.with("pMerFee", "100.01"), "MG13024F", because("手续费超出充值金额，充值金额(100.00)"), answered},
		{"no mandate", client(m.withholds("N14", m.client)), "MG13023F", because("用户未签订委托授权书，账号(" + m.client.account + ")"), answered},
		{"platform without its fee", client(m.withholds("N14", m.agreed)), "MG13025F", because("平台账户余额不足以支付IPS手续费，商户号(900001)"), answered},
		{"number taken", g.withhold.with("pMerBillNo", "W1", "pTrdAmt", "100.01"), "MG13090F", taken, answered},

		// 4.14 提现
		{"no such account", g.withdraw.with("pIpsAcctNo", noAccount), "MG19010F", because("该账号的身份信息有误"), answered},
		{"another's id number", g.withdraw.with("pIdentNo", wang.ident), "MG19010F", because("该账号的身份信息有误"), answered},
		{"another's name", g.withdraw.with("pRealName", wang.name), "MG19010F", because("该账号的身份信息有误"), answered},
		{"no money", g.withdraw.with("pTrdAmt", "99999.00"), "MG19054F", because("IPS账户余额不足"), answered},
		{"fee comes on top", client(m.withdraws("N15", m.client)).with("pTrdAmt", "1000.00"), "MG19054F", because("IPS账户余额不足"), answered},
		{"IPS fee comes on top", client(m.withdraws("N15", m.client)).with("pTrdAmt", "995.00", "pIpsFeeType", "2"), "MG19054F", because("IPS账户余额不足"), answered},
		{"platform without its fee", client(m.withdraws("N15", m.client)), "MG19025F", because("平台账户余额不足以支付IPS手续费，商户号(900001)"), answered},
		{"number taken", g.withdraw.with("pMerBillNo", "X1", "pTrdAmt", "100.01"), "MG19090F", taken, answered},
	}
}

// rowCases are batches that are accepted and whose rows are refused. Each of
// them takes a number of its own.
func (m *market) rowCases() []refusalCase {
	zhang, li, wang, zhao, poor := m.zhang.account, m.li.account, m.wang.account, m.zhao.account, m.poor.account
	n := 0
	number := func() string { n++; return fmt.Sprintf("V%02d", n) }
	release := func(bid string, rows ...string) letter { return m.transfers(number(), bid, "1", rows...) }
	compensate := func(bid string, rows ...string) letter { return m.transfers(number(), bid, "2", rows...) }
	repay := func(bid, claim, to, amount string) letter {
		return m.repays(number(), bid, m.zhang, amount, "0.00", repayRow(claim, to, amount, "0.00", "0.00"))
	}
	wrong := transferRow("C2", "100.00", zhao, "1.01", zhang, "0.00")
	return []refusalCase{
		{"no such investment", release("B1", transferRow("C0", "1.00", li, "0.00", zhang, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(C0)"), later},
		{"investment in another bid", release("B1", transferRow("C10", "50.00", li, "0.00", zhang, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(C10)"), later},
		{"released before", release("B1", transferRow("C1", "600.00", li, "0.00", zhang, "0.00")), "MG09031F", because("投标资金已放款或已解冻，订单号(C1)"), later},
		{"part of an investment", release("B1", transferRow("C2", "99.99", zhao, "0.00", zhang, "0.00")), "MG09032F", because("转账金额与登记的金额不一致，订单号(C2)，金额(99.99)"), later},
		{"somebody else's investment", release("B1", transferRow("C2", "100.00", li, "0.00", zhang, "0.00")), "MG09033F", because("转账方与登记信息不一致，账号(" + li + ")"), later},
		{"fee beyond the frozen", release("B1", wrong), "MG09034F", because("手续费超出登记的手续费，订单号(C2)"), later},
		{"fee beyond the frozen, batched", release("B1", wrong).with("pTransferMode", "2"), "MG09034F", because("手续费超出登记的手续费，订单号(C2)"), later},
		{"fee beyond the registered", release("B1", transferRow("C2", "100.00", zhao, "0.00", zhang, "8.01")), "MG09035F", because("累计转入方手续费超出标的登记的手续费，标的号(B1)，手续费(8.01)"), later},
		{"borrower without the fee in a row", release("B7", transferRow("C7", "100.00", li, "0.00", poor, "100.01")), "MG09036F", because("转入方余额不足以支付手续费，账号(" + poor + ")"), later},
		{"every row for itself", release("B1", wrong, transferRow("C1", "600.00", li, "0.00", zhang, "0.00")), "MG09031F", because("投标资金已放款或已解冻，订单号(C1)"), later},

		{"compensation of no claim", compensate("B1", transferRow("C0", "1.00", wang, "0.00", li, "0.00")), "MG09030F", because("原商户订单号对应的登记不存在，订单号(C0)"), later},
		{"compensation before the release", compensate("B1", transferRow("C2", "1.00", wang, "0.00", zhao, "0.00")), "MG09039F", because("转入方未持有该债权，账号(" + zhao + ")"), later},
		{"compensation of somebody else", compensate("B1", transferRow("C1", "1.00", wang, "0.00", zhao, "0.00")), "MG09039F", because("转入方未持有该债权，账号(" + zhao + ")"), later},
		{"compensation beyond the promise", compensate("B1", transferRow("C1", "450.01", wang, "0.00", li, "0.00")), "MG09038F", because("累计代偿金额超出担保金额，担保金额(500.00)，金额(450.01)"), later},
		{"fee beyond the compensation", compensate("B1", transferRow("C1", "1.00", wang, "1.01", li, "0.00")), "MG09053F", because("手续费超出转账金额，订单号(C1)"), later},
		{"creditor keeps nothing", compensate("B1", transferRow("C1", "1.00", wang, "0.00", li, "1.00")), "MG09053F", because("手续费超出转账金额，订单号(C1)"), later},

		{"repayment of no claim", repay("B1", "C0", li, "1.00"), "MG12030F", because("债权不存在，债权人订单号(C0)"), later},
		{"repayment of another bid's claim", repay("B1", "C9", zhao, "1.00"), "MG12030F", because("债权不存在，债权人订单号(C9)"), later},
		{"repayment before the release", repay("B1", "C2", zhao, "1.00"), "MG12033F", because("债权尚未放款，债权人订单号(C2)"), later},
		{"repayment to a stranger", repay("B1", "C1", zhao, "1.00"), "MG12031F", because("转入方未持有该债权，账号(" + zhao + ")"), later},
		{"repayment to who sold the claim", repay("B9", "C9", li, "1.00"), "MG12031F", because("转入方未持有该债权，账号(" + li + ")"), later},
	}
}

// envelopeCases spoil what is around the document.
func (m *market) envelopeCases(g goodLetters) []refusalCase {
	set := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	del := func(name string) func(url.Values) { return func(v url.Values) { v.Del(name) } }
	add := func(name, value string) func(url.Values) { return func(v url.Values) { v.Add(name, value) } }
	rename := func(from, to string) func(url.Values) {
		return func(v url.Values) { v.Set(to, v.Get(from)); v.Del(from) }
	}
	// signed replaces the body, under a signature that holds.
	signed := func(prefix string, change func(body string) string) func(url.Values) {
		return func(v url.Values) {
			body := change(v.Get(prefix + "3DesXmlPara"))
			v.Set(prefix+"3DesXmlPara", body)
			v.Set(prefix+"Sign", m.keys.SignRequest(body))
		}
	}
	always := func(body string) func(string) string { return func(string) string { return body } }
	noMerchant := func(code string) wording { return because("商户不存在，商户号(" + code + ")") }
	badSign := because("签名验证失败，商户号(808801)")
	mixed := because("字段名前缀arg与p混用")
	foreign := m.other.Encrypt([]byte("<pReq></pReq>"))
	return []refusalCase{
		{"no merchant", g.bid.tampered(del("pMerCode")), "MG00006F", missing("商户号"), shown},
		{"empty body", g.bid.tampered(set("p3DesXmlPara", "")), "MG00006F", missing("3DES加密报文"), shown},
		{"no signature", g.bid.tampered(del("pSign")), "MG00006F", missing("签名"), shown},
		{"unknown merchant", g.bid.tampered(set("pMerCode", "808802")), "MG00002F", noMerchant("808802"), shown},
		{"merchant code with a blank", g.bid.tampered(set("pMerCode", " 808801")), "MG00002F", noMerchant(""), shown},
		{"merchant code of marks", g.bid.tampered(set("pMerCode", `"><b>1`)), "MG00002F", noMerchant(""), shown},
		{"signature of nothing", g.bid.tampered(set("pSign", strings.Repeat("0", 32))), "MG00003F", badSign, shown},
		{"signature in capitals", g.bid.tampered(func(v url.Values) { v.Set("pSign", strings.ToUpper(v.Get("pSign"))) }), "MG00003F", badSign, shown},
		{"signature with a blank", g.bid.tampered(func(v url.Values) { v.Set("pSign", v.Get("pSign")+" ") }), "MG00003F", badSign, shown},
		{"signature cut short", g.bid.tampered(func(v url.Values) { v.Set("pSign", v.Get("pSign")[:31]) }), "MG00003F", badSign, shown},
		{"another merchant's signature", g.bid.tampered(func(v url.Values) { v.Set("pSign", m.other.SignRequest(v.Get("p3DesXmlPara"))) }), "MG00003F", badSign, shown},
		{"signature of the body alone", g.bid.tampered(func(v url.Values) { v.Set("pSign", m.keys.SignText(v.Get("p3DesXmlPara"))) }), "MG00003F", badSign, shown},
		{"another body", g.bid.tampered(func(v url.Values) { v.Set("p3DesXmlPara", "A"+v.Get("p3DesXmlPara")[1:]) }), "MG00003F", badSign, shown},
		{"own signature under another's code", g.bid.tampered(set("pMerCode", "900001")), "MG00003F", because("签名验证失败，商户号(900001)"), shown},
		{"body is not Base64", g.bid.tampered(signed("p", always("***"))), "MG00004F", because("报文不是Base64编码"), shown},
		{"body is Base64 for addresses", g.bid.tampered(signed("p", always("-_-_-_-_-_8="))), "MG00004F", because("报文不是Base64编码"), shown},
		{"body in the clear", g.bid.tampered(signed("p", always("<pReq></pReq>"))), "MG00004F", because("报文不是Base64编码"), shown},
		{"body of seven bytes", g.bid.tampered(signed("p", always("MTIzNDU2Nw=="))), "MG00004F", because("报文长度不是8字节的整数倍"), shown},
		{"body with bad padding", g.bid.tampered(signed("p", always("AAAAAAAAAAA="))), "MG00004F", because("报文解密失败，填充不正确"), shown},
		{"body for another merchant's key", g.bid.tampered(signed("p", always(foreign))), "MG00004F", because("报文解密失败，填充不正确"), shown},
		{"prefixes mixed", g.bid.tampered(rename("pSign", "argSign")), "MG00009F", mixed, shown},
		{"both prefixes", g.bid.tampered(add("argMerCode", "808801")), "MG00009F", mixed, shown},
		{"prefixes mixed", g.open.tampered(rename("argMerCode", "pMerCode")), "MG00009F", mixed, shown},
		{"signature doubled", g.bid.tampered(add("pSign", "0")), "MG00009F", because("字段重复，字段(pSign)"), shown},
		{"merchant doubled in another case", g.bid.tampered(add("PMERCODE", "808801")), "MG00009F", because("字段重复，字段(pMerCode)"), shown},
		{"nothing but another field", g.open.tampered(func(v url.Values) { clear(v); v.Set("pReq", "1") }), "MG00006F", missing("商户号"), shown},

		{"no merchant", g.release.tampered(del("pMerCode")), "MG00006F", missing("商户号"), unsigned},
		{"no signature", g.release.tampered(del("pSign")), "MG00006F", missing("签名"), bare},
		{"unknown merchant", g.release.tampered(set("pMerCode", "808802")), "MG00002F", noMerchant("808802"), unsigned},
		{"signature of nothing", g.release.tampered(set("pSign", "0")), "MG00003F", badSign, bare},
		{"body is not Base64", g.release.tampered(signed("p", always("***"))), "MG00004F", because("报文不是Base64编码"), bare},
		{"body with bad padding", g.unfreeze.tampered(signed("arg", always("AAAAAAAAAAA="))), "MG00004F", because("报文解密失败，填充不正确"), bare},
		{"prefixes mixed", g.release.tampered(rename("p3DesXmlPara", "arg3DesXmlPara")), "MG00009F", mixed, unsigned},
		{"both prefixes", g.withhold.tampered(add("pSign", "0")), "MG00009F", mixed, unsigned},
		{"signature of another merchant", g.withhold.tampered(func(v url.Values) { v.Set("argSign", m.other.SignRequest(v.Get("arg3DesXmlPara"))) }), "MG00003F", badSign, bare},
	}
}

// documentCases spoil the document as a document.
func (m *market) documentCases(g goodLetters) []refusalCase {
	text := func(l letter, document string) letter { l.text = document; return l }
	return []refusalCase{
		{"element doubled", g.bid.raw("<pLendFee>", "<pLendAmt>1.00</pLendAmt><pLendFee>"), "MG00005F", because("报文字段重复，字段(pLendAmt)"), bare},
		{"element doubled in a row", g.release.raw("<pFTrdFee>", "<pTrdAmt>1.00</pTrdAmt><pFTrdFee>"), "MG00005F", because("报文字段重复，字段(第1行pTrdAmt)"), bare},
		{"details doubled", g.repay.raw("<pDetails>", "<pDetails></pDetails><pDetails>"), "MG00005F", because("报文字段重复，字段(pDetails)"), bare},
		{"empty", text(g.bid, ""), "MG00005F", because("报文不是合法的XML，行(1)"), shown},
		{"no XML", text(g.bid, "pMerBillNo=N02"), "MG00005F", because("报文根节点不是pReq"), shown},
		{"not closed", g.bid.raw("</pReq>", ""), "MG00005F", because("报文不是合法的XML，行(1)"), shown},
		{"closed crosswise", g.bid.raw("</pLendAmt>", "</pLendFee>"), "MG00005F", because("报文不是合法的XML，行(1)"), shown},
		{"ampersand", g.bid.with("pLendPurpose", "买房&装修"), "MG00005F", because("报文不是合法的XML，行(1)"), shown},
		{"root of answers of the time", g.bid.raw("<pReq>", "<pRes>").raw("</pReq>", "</pRes>"), "MG00005F", because("报文根节点不是pReq"), shown},
		{"attribute", g.bid.raw("<pLendAmt>", `<pLendAmt currency="CNY">`), "MG00005F", because("报文标签不允许有属性或命名空间，字段(pLendAmt)"), shown},
		{"namespace", g.bid.raw("<pReq>", `<pReq xmlns="http://tempuri.org/">`), "MG00005F", because("报文标签不允许有属性或命名空间，字段(pReq)"), shown},
		{"element within a field", g.bid.with("pLendPurpose", "<b>买房</b>"), "MG00005F", because("报文字段嵌套不正确，字段(b)"), shown},
		{"row outside of the details", g.release.raw("<pDetails>", "").raw("</pDetails>", ""), "MG00005F", because("报文字段嵌套不正确，字段(pOriMerBillNo)"), bare},
		{"details without rows", g.release.raw("<pRow>", "").raw("</pRow>", ""), "MG00005F", because("报文字段嵌套不正确，字段(pOriMerBillNo)"), bare},
		{"text between elements", g.bid.raw("<pLendAmt>", "借款<pLendAmt>"), "MG00005F", because("报文标签之间有多余内容"), shown},
		{"document type", g.bid.raw("<pReq>", `<!DOCTYPE pReq [<!ENTITY x SYSTEM "file:///etc/hosts">]><pReq>`), "MG00005F", because("报文不允许有DTD声明或处理指令"), shown},
		{"processing instruction", g.bid.raw("<pReq>", `<?php x?><pReq>`), "MG00005F", because("报文不允许有DTD声明或处理指令"), shown},
		{"two documents", g.bid.raw("</pReq>", "</pReq><pReq></pReq>"), "MG00005F", because("报文结束后有多余内容"), shown},
		{"201 elements", g.bid.raw("</pReq>", manyElements(200)+"</pReq>"), "MG00005F", because("报文字段过多"), shown},
		{"UTF-16", g.bid.raw(`"utf-8"`, `"utf-16"`), "MG00005F", because("报文编码不正确，只支持UTF-8、GBK、GB18030"), shown},
		{"bytes that are no UTF-8", g.bid.with("pLendPurpose", "\xff\xfe"), "MG00005F", because("报文编码不正确，只支持UTF-8、GBK、GB18030"), shown},
	}
}

func manyElements(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(elements(fmt.Sprintf("p%d", i), ""))
	}
	return b.String()
}

// queryCases are queries, whose codes are 0000 and 9999 only.
func (m *market) queryCases() []refusalCase {
	balance := m.enquire("QueryForAccBalance", m.li.account)
	user := m.enquire("QueryMerUserInfo", m.li.account)
	banks := m.enquire("GetBankList", "")
	set := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	badSign := func(title, _ string) string {
		return title + "失败，签名验证失败，商户号(808801)，错误码MG00003F"
	}
	unknown := func(title, _ string) string {
		return title + "失败，商户不存在，商户号(808802)，错误码MG00002F"
	}
	mixed := func(title, _ string) string {
		return title + "失败，字段名前缀arg与p混用，错误码MG00009F"
	}
	return []refusalCase{
		{"no account", balance.tampered(set("argIpsAccount", "")), "9999", missing("IPS托管账户号"), queried},
		{"no signature", balance.tampered(set("argSign", "")), "9999", missing("签名"), queried},
		{"account not signed", balance.tampered(set("argSign", m.keys.SignText("808801"))), "9999", badSign, queried},
		{"signed for another account", balance.tampered(set("argIpsAccount", m.wang.account)), "9999", badSign, queried},
		{"unknown account", m.enquire("QueryForAccBalance", noAccount), "9999", because("账户不存在，账号(" + noAccount + ")"), queried},
		{"another merchant's account", m.enquire("QueryForAccBalance", m.client.account), "9999", because("账户不存在，账号(" + m.client.account + ")"), queried},
		{"another merchant's own account", m.enquire("QueryForAccBalance", "900001"), "9999", because("账户不存在，账号(900001)"), queried},
		{"unknown account", m.enquire("QueryMerUserInfo", noAccount), "02", because("账户不存在，账号(" + noAccount + ")"), queried},
		{"another merchant's user", m.enquire("QueryMerUserInfo", m.client.account), "02", because("账户不存在，账号(" + m.client.account + ")"), queried},
		{"wrong signature", user.tampered(set("argSign", strings.Repeat("0", 32))), "9999", badSign, queried},
		{"no merchant", banks.tampered(set("argMerCode", "")), "9999", missing("商户号"), queried},
		{"unknown merchant", banks.tampered(set("argMerCode", "808802")), "9999", unknown, queried},
		{"wrong signature", banks.tampered(set("argSign", "0")), "9999", badSign, queried},
		{"prefixes mixed", banks.tampered(set("pSign", "0")), "9999", mixed, queried},
	}
}

// consentCase is an order that the platform takes and a person does not agree
// to, so that it fails by notification.
type consentCase struct {
	name string
	letter
	act  func(*testing.T)
	code string
	says wording
	body string // of the notification's document
}

// People say no, do not answer, or cannot pay any more: the order fails in the
// platform's words, and nobody's money has moved.
func TestOrdersThatNobodyAgreesTo(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	m.replies(t, m.shy, false) // B4, which is of no interest here
	m.delivered()
	for _, c := range m.consentCases(m.goodLetters()) {
		t.Run(c.op+"/"+c.name, func(t *testing.T) { m.failsForWantOfConsent(t, c) })
	}
}

// replies answers the last text message to a citizen.
func (m *market) replies(t *testing.T, c citizen, yes bool) {
	t.Helper()
	for _, text := range m.Engine().Inbox(c.mobile) {
		if text.State == engine.SMSOpen {
			require.NoError(t, m.ReplySMS(text.ID, yes))
			return
		}
	}
	require.Fail(t, "no open text message")
}

func (m *market) consentCases(g goodLetters) []consentCase {
	ask := func(t *testing.T) string {
		t.Helper()
		asks := m.Engine().PendingAsks(m.keys.MerCode())
		require.Len(t, asks, 1)
		return asks[0].ID
	}
	refuse := func(t *testing.T) { m.replies(t, m.zhang, false) }
	wait := func(d time.Duration) func(*testing.T) {
		return func(t *testing.T) { require.NoError(t, m.Advance(d)) }
	}
	cancel := func(t *testing.T) { require.NoError(t, m.Cancel(ask(t))) }
	mistype := func(t *testing.T) {
		id, wrong := ask(t), map[string]string{"password": "wrong"}
		require.ErrorContains(t, m.Confirm(id, wrong), "交易密码错误，还可以再试2次")
		require.ErrorContains(t, m.Confirm(id, wrong), "交易密码错误，还可以再试1次")
		require.NoError(t, m.Confirm(id, wrong))
	}
	notPay := func(t *testing.T) {
		require.NoError(t, m.Confirm(ask(t), map[string]string{"result": "failed"}))
	}
	order := func(reason, no string) wording {
		return because(reason + "，商户号(808801)，订单号(" + no + ")")
	}
	const (
		cancelled = "用户取消操作"
		forgotten = "交易密码错误次数过多"
		tooLate   = "用户未在规定时间内确认"
		failedBid = "<pBidStatus>9</pBidStatus><pRealFreezenAmt>0.00</pRealFreezenAmt>"
		noMoney   = "<pTrdRealAmt>0.00</pTrdRealAmt>"
		failed    = "<pStatus>9</pStatus>"
		noNumber  = "<pIpsAuthNo></pIpsAuthNo>"
	)
	again := func(l letter, no string) letter { return l.with("pMerBillNo", no) }
	return []consentCase{
		{"user leaves", g.open, wait(20 * time.Minute), "MG01093F", order(tooLate, "N01"), "<pStatus>5</pStatus>"},
		{"borrower says no", g.bid, refuse, "MG02504F", because("标的失败，标的号(N02)"), failedBid},
		{"borrower says nothing", again(g.bid, "N31").with("pBidNo", "N31"), wait(40 * time.Minute), "MG02047F", because("借款人30分钟内未回复短信"), failedBid},
		{"borrower has spent the margin", again(g.bid, "N32").with("pBidNo", "N32"), m.spendsThenAgrees, "MG02044F", exactly("登记标的失败，错误码MG02044F"), failedBid},
		{"investor cancels", g.invest, cancel, "MG03091F", order(cancelled, "N04"), failed},
		{"investor mistypes his password", again(g.invest, "N33"), mistype, "MG03092F", order(forgotten, "N33"), failed},
		{"guarantor cancels", g.guarantee, cancel, "MG04091F", order(cancelled, "N06"), failed},
		{"assignee cancels", g.sale, cancel, "MG05091F", order(cancelled, "N08"), failed},
		{"investor does not sign", g.signBid, cancel, "MG06091F", order(cancelled, "N10"), noNumber},
		{"borrower does not sign in time", g.signRepay, wait(30 * time.Minute), "MG07093F", order(tooLate, "N11"), noNumber},
		{"bank is not paid", g.recharge, notPay, "MG18028F", because("银行支付失败"), "<pTrdAmt>100.00</pTrdAmt>"},
		{"borrower cancels", g.repay, cancel, "MG12091F", order(cancelled, "N21"), "<pIpsBillNo></pIpsBillNo>"},
		{"user says no", g.withhold, refuse, "MG13046F", because("用户短信拒绝"), noMoney},
		{"user says nothing", again(g.withhold, "N34"), wait(30 * time.Minute), "MG13047F", because("用户30分钟内未回复短信"), noMoney},
		{"user mistypes his password", g.withdraw, mistype, "MG19092F", order(forgotten, "N15"), "<pIpsBillNo></pIpsBillNo>"},
	}
}

// spendsThenAgrees takes all that 张三 has before he says yes to the margin,
// and gives it back from outside afterwards.
func (m *market) spendsThenAgrees(t *testing.T) {
	b, ok := m.Balance("808801", m.zhang.account)
	require.True(t, ok)
	require.NoError(t, m.SetAuto("808801", m.zhang.account, true))
	m.done(t, "MG00000F", m.withdraws("X9", m.zhang).with("pMerFee", "0.00", "pTrdAmt", fmt.Sprintf("%d.%02d", b.Available/100, b.Available%100)))
	m.replies(t, m.zhang, true)
	require.NoError(t, m.Deposit("808801", m.zhang.account, b.Available))
	m.delivered()
}

// failsForWantOfConsent says a letter in manual mode, lets the person act, and
// reads the notification.
func (m *market) failsForWantOfConsent(t *testing.T, c consentCase) {
	require.Empty(t, c.lost)
	require.NoError(t, m.SetAuto("808801", "", false))
	require.NoError(t, m.SetAuto("808801", m.zhang.account, false))
	before := m.money()
	d := doors()[c.op]
	form := seal(m.keys, d.prefix, c.letter.text)
	if d.service == "" {
		m.post(c.op+".aspx", form) // shows a page, or takes the browser back
	} else {
		m.say(t, c.letter)
	}
	m.delivered()
	notices := len(m.shop.received())
	c.act(t)
	m.delivered()
	forms := m.shop.received()[notices:]
	require.NotEmpty(t, forms)
	var notice answer
	for _, form := range forms {
		if a := fromForm(form); strings.Contains(a.open(t, m.keys, nil), "<pMerBillNo>"+c.content("pMerBillNo")+"<") {
			notice = a
		}
	}
	assert.Equal(t, c.code, notice.code)
	assert.Equal(t, c.says(d.title, c.code), notice.text)
	assert.Contains(t, notice.open(t, m.keys, nil), c.body)
	assert.Equal(t, before, m.money())
	require.NoError(t, m.CheckBooks())
}

// money is everybody's, by account.
func (f *fixture) money() map[string]engine.Balance {
	all := make(map[string]engine.Balance)
	for _, a := range f.accounts("") {
		all[a.Number] = a.Balance
	}
	for _, merchant := range f.Engine().Merchants() {
		all[merchant.Merchant] = merchant.Balance
	}
	return all
}
