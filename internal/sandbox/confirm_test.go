package sandbox_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const formType = "application/x-www-form-urlencoded"

// asked posts a message that a person must confirm and returns the page.
func (f *fixture) asked(page, document string) sheet {
	f.t.Helper()
	r := f.post(page, seal(f.keys, "p", document))
	require.Equal(f.t, http.StatusSeeOther, r.status, r.body)
	path := r.header.Get("Location")
	require.Regexp(f.t, `^/CreditWeb/confirm/ASK\d+-[0-9a-f]{32}$`, path)
	s, _ := f.open(path)
	return s
}

// answered reads the answer from the page with the result.
func (f *fixture) answered(r reply) answer {
	f.t.Helper()
	f.sheet(r)
	_, a := r.returned(f.t)
	a.open(f.t, f.keys, nil)
	return a
}

var particulars = []string{"loginPassword", "abcdef", "loginPasswordAgain", "abcdef", "tradePassword", "654321",
	"tradePasswordAgain", "654321", "question", "我的出生地是哪里", "answer", "北京", "bank", "中国工商银行", "card", "6222000000000000001"}

// openByHand opens an account on the page and returns its number.
func (f *fixture) openByHand(order string) string {
	f.t.Helper()
	r := f.click(f.asked(page, f.opening(order)), 0, "确认开户", particulars...)
	require.Equal(f.t, "MG00000F", f.answered(r).code)
	_, a := r.returned(f.t)
	return regexp.MustCompile(`<pIpsAcctNo>(\d+)</pIpsAcctNo>`).FindStringSubmatch(a.open(f.t, f.keys, nil))[1]
}

func (f *fixture) spendable(account string) int64 {
	f.t.Helper()
	b, ok := f.Balance("808801", account)
	require.True(f.t, ok)
	return b.Available
}

const (
	zhangSan = "4021000000000001"
	liSi     = "4021000000000002"
	wangWu   = "4021000000000003"
	zhaoLiu  = "4021000000000004"
)

// town is a sandbox where 张三 has borrowed 600 yuan of 1000 from 李四, 王五 and
// 赵六 have accounts too, and from now on all of them confirm by hand.
func town(t *testing.T) *fixture {
	t.Helper()
	f := start(t, sandbox.Config{IPSFee: 100})
	for i, name := range []string{"张三", "李四", "王五", "赵六"} {
		account := f.openAccount(fmt.Sprintf("A%d", i+1), fmt.Sprintf("11010119900101000%d", i+1), name,
			fmt.Sprintf("1380000000%d", i+1), fmt.Sprintf("user%d", i+1))
		require.NoError(t, f.Deposit("808801", account, 10_000_00))
	}
	code, text := f.submitPage("registerSubject.aspx", "p", bidding("B1", "BID1")...)
	require.Equal(t, "MG02500F", code, text)
	code, text = f.submitPage("registerCreditor.aspx", "p", investing("C1", "600.00")...)
	require.Equal(t, "MG00000F", code, text)
	transfer := `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>T1</pMerBillNo><pBidNo>BID1</pBidNo><pDate>20141124</pDate>` +
		`<pTransferType>1</pTransferType><pTransferMode>1</pTransferMode><pDetails><pRow><pOriMerBillNo>C1</pOriMerBillNo>` +
		`<pTrdAmt>600.00</pTrdAmt><pFAcctType>1</pFAcctType><pFIpsAcctNo>` + liSi + `</pFIpsAcctNo><pFTrdFee>1.00</pFTrdFee>` +
		`<pTAcctType>1</pTAcctType><pTIpsAcctNo>` + zhangSan + `</pTIpsAcctNo><pTTrdFee>0.00</pTTrdFee></pRow></pDetails>` +
		`<pS2SUrl>` + f.shop.URL + `/notify</pS2SUrl><pMemo1></pMemo1><pMemo2></pMemo2><pMemo3></pMemo3></pReq>`
	a := fromResult(f.call11(trade, "Transfer", f.sealedParams("p", transfer)...).resultOf(t, "Transfer"))
	require.Equal(t, "MG00008F", a.code, a.text)
	require.NoError(t, f.SetAuto("808801", "", false))
	return f
}

func bidding(order, bid string) []string {
	return []string{"pMerBillNo", order, "pBidNo", bid, "pRegDate", "20141124", "pLendAmt", "1000.00", "pGuaranteesAmt", "10.00",
		"pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12", "pLendPurpose", "买车", "pRepayMode", "1",
		"pOperationType", "1", "pLendFee", "10.00", "pAcctType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三",
		"pIpsAcctNo", zhangSan}
}

func investing(order, amount string) []string {
	return []string{"pMerBillNo", order, "pMerDate", "20141124", "pBidNo", "BID1", "pContractNo", "CON1", "pRegType", "1",
		"pAuthNo", "", "pAuthAmt", amount, "pTrdAmt", amount, "pFee", "1.00", "pAcctType", "1", "pIdentNo", "110101199001010002",
		"pRealName", "李四", "pAccount", liSi, "pUse", `买车"><script>alert(1)</script>`}
}

func recharging(order, channel, bank string) []string {
	return []string{"pMerBillNo", order, "pAcctType", "1", "pIdentNo", "110101199001010002", "pRealName", "李四",
		"pIpsAcctNo", liSi, "pTrdDate", "20141124", "pTrdAmt", "1234.00", "pChannelType", channel, "pTrdBnkCode", bank,
		"pMerFee", "2.00", "pIpsFeeType", "2"}
}

func withdrawing(order string) []string {
	return []string{"pMerBillNo", order, "pAcctType", "1", "pOutType", "1", "pBidNo", "", "pContractNo", "", "pDwTo", "",
		"pIdentNo", "110101199001010002", "pRealName", "李四", "pIpsAcctNo", liSi, "pDwDate", "20141124", "pTrdAmt", "5000.00",
		"pMerFee", "2.00", "pIpsFeeType", "2"}
}

// message is a document with the addresses and memos that all of them need.
func (f *fixture) message(pairs ...string) string {
	return document(append(pairs, "pWebUrl", "http://shop.example.com/back", "pS2SUrl", f.shop.URL+"/notify",
		"pMemo1", "", "pMemo2", "", "pMemo3", "")...)
}

// repayment pays 李四 back in two rows, one of which goes to nobody.
func (f *fixture) repayment(order string) string {
	return f.repaying(order, "350.00", "2.00", payee(liSi, "300.00")+payee("4021000000000099", "50.00"))
}

func payee(account, amount string) string {
	return `<pRow><pCreMerBillNo>C1</pCreMerBillNo><pInAcctNo>` + account + `</pInAcctNo><pInFee>0.50</pInFee>` +
		`<pOutInfoFee>1.00</pOutInfoFee><pInAmt>` + amount + `</pInAmt></pRow>`
}

func (f *fixture) repaying(order, amount, fee, rows string) string {
	return strings.Replace(f.message("pBidNo", "BID1", "pRepaymentDate", "20141124", "pMerBillNo", order, "pRepayType", "1",
		"pIpsAuthNo", "", "pOutAcctNo", zhangSan, "pOutAmt", amount, "pOutFee", fee), "<pWebUrl>", "<pDetails>"+rows+"</pDetails><pWebUrl>", 1)
}

// pageCase is a page that asks for the trade password.
type pageCase struct {
	page, title, button string
	document            func(f *fixture) string
	facts               map[string]string
	sum                 string
	code                string // after the confirmation
}

func passwordPages() map[string]pageCase {
	pairs := func(list ...string) func(*fixture) string {
		return func(f *fixture) string { return f.message(list...) }
	}
	return map[string]pageCase{
		"bid": {
			"registerCreditor.aspx", "投标确认", "确认投标", pairs(investing("N1", "300.00")...),
			map[string]string{"投资人": "李*", "投资人账号": liSi, "借款人": "张*", "借款用途": `买车"><script>alert(1)</script>`,
				"投标金额": "300.00 元", "手续费": "1.00 元"},
			"冻结金额 301.00 元", "MG00000F",
		},
		"guarantor": {
			"registerGuarantor.aspx", "担保确认", "确认担保", pairs("pMerBillNo", "N1", "pMerDate", "20141124", "pBidNo", "BID1",
				"pAmount", "1000.00", "pMarginAmt", "200.00", "pProFitAmt", "20.00", "pAcctType", "1",
				"pFromIdentNo", "110101199001010003", "pAccountName", "王五", "pAccount", wangWu),
			map[string]string{"担保方": "王*", "担保方账号": wangWu, "借款人": "张*", "担保金额": "1,000.00 元", "担保收益": "20.00 元"},
			"冻结保证金 200.00 元", "MG00000F",
		},
		"debt transfer": {
			"registerCretansfer.aspx", "债权转让确认", "确认受让", pairs("pMerBillNo", "N1", "pMerDate", "20141124", "pBidNo", "BID1",
				"pContractNo", "CON1", "pFromAccountType", "1", "pFromName", "李四", "pFromAccount", liSi, "pFromIdentType", "1",
				"pFromIdentNo", "110101199001010002", "pToAccountType", "1", "pToAccountName", "赵六", "pToAccount", zhaoLiu,
				"pToIdentType", "1", "pToIdentNo", "110101199001010004", "pCreMerBillNo", "C1", "pCretAmt", "200.00",
				"pPayAmt", "190.00", "pFromFee", "1.00", "pToFee", "2.00", "pCretType", "2"),
			map[string]string{"出让方": "李*", "出让方账号": liSi, "受让方": "赵*", "受让方账号": zhaoLiu, "转让债权面额": "200.00 元",
				"转让份额": "部分，占出让方所持债权的33.33%", "支付金额": "190.00 元", "手续费": "2.00 元"},
			"冻结金额 192.00 元", "MG00000F",
		},
		"whole debt transfer": {
			"registerCretansfer.aspx", "债权转让确认", "确认受让", pairs("pMerBillNo", "N1", "pMerDate", "20141124", "pBidNo", "BID1",
				"pContractNo", "CON1", "pFromAccountType", "1", "pFromName", "李四", "pFromAccount", liSi, "pFromIdentType", "1",
				"pFromIdentNo", "110101199001010002", "pToAccountType", "1", "pToAccountName", "赵六", "pToAccount", zhaoLiu,
				"pToIdentType", "1", "pToIdentNo", "110101199001010004", "pCreMerBillNo", "C1", "pCretAmt", "600.00",
				"pPayAmt", "600.00", "pFromFee", "0.00", "pToFee", "0.00", "pCretType", "1"),
			map[string]string{"转让份额": "全部"}, "冻结金额 600.00 元", "MG00000F",
		},
		"automatic bid": {
			"AutoNewSigning.aspx", "自动投标签约确认", "同意授权", pairs("pMerBillNo", "N1", "pSigningDate", "20141124",
				"pIdentNo", "110101199001010002", "pRealName", "李四", "pIpsAcctNo", liSi, "pValidType", "M", "pValidDate", "12",
				"pTrdCycleType", "M", "pSTrdCycleValue", "1", "pETrdCycleValue", "12", "pSAmtQuota", "100.00",
				"pEAmtQuota", "500000.00", "pSIRQuota", "8.00", "pEIRQuota", "18.00"),
			map[string]string{"姓名": "李*", "账号": liSi, "有效期": "12个月", "借款期限": "1至12个月", "年利率": "8.00%至18.00%",
				"借款额度起": "100.00 元", "借款额度止": "500,000.00 元"},
			"", "MG00000F",
		},
		"automatic repayment": {
			"RepaymentSigning.aspx", "自动还款签约确认", "同意授权", pairs("pMerBillNo", "N1", "pSigningDate", "20141124",
				"pIdentType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三", "pIpsAcctNo", zhangSan,
				"pValidType", "N", "pValidDate", ""),
			map[string]string{"姓名": "张*", "账号": zhangSan, "有效期": "长期有效"}, "", "MG00000F",
		},
		"withholding": {
			"doDpTrade.aspx", "充值确认", "确认充值", pairs(recharging("N1", "2", "")...),
			map[string]string{"姓名": "李*", "账号": liSi, "代扣银行": "中国工商银行", "银行卡尾号": "0002", "手续费": "3.00 元",
				"实际到账": "1,231.00 元"},
			"充值金额 1,234.00 元", "MG00000F",
		},
		"repayment": {
			"RepaymentNewTrade.aspx", "还款确认", "确认还款", func(f *fixture) string { return f.repayment("N1") },
			map[string]string{"借款人": "张*", "借款人账号": zhangSan, "收款笔数": "2", "还款金额": "350.00 元", "手续费": "2.00 元"},
			"合计 352.00 元", "MG00008F",
		},
		"withdrawal": {
			"doDwTrade.aspx", "提现确认", "确认提现", pairs(withdrawing("N1")...),
			map[string]string{"姓名": "李*", "账号": liSi, "到账银行": "中国工商银行", "银行卡尾号": "0002", "提现金额": "5,000.00 元",
				"手续费": "3.00 元"},
			"扣款合计 5,003.00 元", "MG00000F",
		},
	}
}

// What is confirmed stands before the button, and the way from the merchant's
// form to the return form needs no script.
func TestPagesAskForThePassword(t *testing.T) {
	t.Parallel()
	for name, c := range passwordPages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := town(t)
			s := f.asked(c.page, c.document(f))
			assert.Equal(t, c.title, words(s.one(t, "h1")))
			got := s.facts()
			assert.Equal(t, "测试平台（808801）", got["商户"])
			assert.Equal(t, "N1", got["订单号"])
			for label, value := range c.facts {
				assert.Equal(t, value, got[label], label)
			}
			assert.Equal(t, c.sum, s.sum(t))
			for _, secret := range []string{"11010119900101", "1380000000", "@example.com", "李四", "张三"} {
				assert.NotContains(t, words(s.root), secret)
			}
			assert.Contains(t, words(s.root), "请在30分钟内完成确认（2014-11-24 12:30:00前）")

			r := f.click(s, 0, c.button, "password", engine.AutoPassword)
			action, _ := r.returned(t)
			assert.Equal(t, "http://shop.example.com/back", action)
			assert.Equal(t, c.code, f.answered(r).code)
			require.NoError(t, f.CheckBooks())
		})
	}
}

// Cancelling, running out of tries and running out of time move no money, tell
// the merchant once, and cannot be undone by coming back.
func TestPagesThatAreNotConfirmed(t *testing.T) {
	t.Parallel()
	endings := map[string]struct {
		end  func(f *fixture, s sheet, button string) reply
		says string
	}{
		"cancelled": {func(f *fixture, s sheet, _ string) reply { return f.click(s, 0, "取消") }, "用户取消操作"},
		"wrong password": {func(f *fixture, s sheet, button string) reply {
			for left := 2; left > 0; left-- {
				s = f.sheet(f.click(s, 0, button, "password", "000000"))
				assert.Equal(f.t, fmt.Sprintf("交易密码错误，还可以再试%d次", left), s.wrong()["password"])
				assert.NotEmpty(f.t, s.alert())
			}
			return f.click(s, 0, button, "password", "000000")
		}, "交易密码错误次数过多"},
		"late": {func(f *fixture, s sheet, button string) reply {
			require.NoError(f.t, f.Advance(30*time.Minute))
			return f.click(s, 0, button, "password", engine.AutoPassword)
		}, "用户未在规定时间内确认"},
	}
	for name, c := range passwordPages() {
		for ending, e := range endings {
			t.Run(name+" "+ending, func(t *testing.T) {
				t.Parallel()
				f := town(t)
				f.delivered()
				told, before := len(f.shop.received()), f.Engine().Totals()
				s := f.asked(c.page, c.document(f))
				a := f.answered(e.end(f, s, c.button))
				assert.Contains(t, a.text, e.says)
				assert.NotEqual(t, c.code, a.code)
				for _, again := range []reply{
					f.click(s, 0, c.button, "password", engine.AutoPassword), f.click(s, 0, "取消"), f.do(http.MethodGet, s.url, "", ""),
				} {
					assert.Equal(t, a, f.answered(again))
				}
				assert.Equal(t, before, f.Engine().Totals())
				require.NoError(t, f.CheckBooks())
				f.delivered()
				assert.Len(t, f.shop.received(), told+1)
			})
		}
	}
}

func TestRepaymentListsItsRows(t *testing.T) {
	t.Parallel()
	f := town(t)
	s := f.asked("RepaymentNewTrade.aspx", f.repayment("P1"))
	assert.Equal(t, "收款明细（共2笔，手续费由您承担）", words(s.one(t, "caption")))
	var rows []string
	for _, n := range descendants(s.one(t, "tbody"), "tr") {
		rows = append(rows, words(n))
	}
	assert.Equal(t, []string{
		"李* " + liSi + " 债权订单C1300.001.00",
		"未知账户 4021000000000099 债权订单C150.001.00",
	}, rows)
}

// A result is something to keep: who, what and how much.
func TestResultIsAReceipt(t *testing.T) {
	t.Parallel()
	f := town(t)
	s := f.asked("doDwTrade.aspx", f.message(withdrawing("W1")...))
	r := f.click(s, 0, "确认提现", "password", engine.AutoPassword)
	done := f.sheet(r).facts()
	assert.Contains(t, words(f.sheet(r).one(t, "main")), "资金已转往您的银行卡。")
	for _, amount := range []string{"提现金额", "扣款合计"} {
		assert.NotEmpty(t, s.facts()[amount])
		assert.Equal(t, s.facts()[amount], done[amount], amount)
	}
	assert.Equal(t, s.sum(t), f.sheet(r).sum(t), "what was confirmed")
	assert.Equal(t, liSi, done["托管账户"])
	assert.Equal(t, "测试平台（808801）", done["商户"])
	assert.NotEmpty(t, done["IPS 订单号"])
	assert.Equal(t, "2014-11-24 12:00:00", done["完成时间"])
	s = f.asked("doDpTrade.aspx", f.message(recharging("R2", "2", "")...))
	cancelled := f.sheet(f.click(s, 0, "取消"))
	assert.Equal(t, "未扣款，没有变动", cancelled.facts()["资金"])
	assert.Empty(t, cancelled.sum(t), "nothing was paid")
	assert.Equal(t, s.facts()["充值金额"], cancelled.facts()["充值金额"], "what was asked")
	for _, came := range []string{"手续费", "实际到账"} {
		assert.NotEmpty(t, s.facts()[came])
		assert.NotContains(t, cancelled.facts(), came)
	}
	assert.NotEmpty(t, cancelled.facts()["结束时间"])
	assert.Contains(t, words(cancelled.one(t, "main")), "您已取消，本次操作没有进行。")
	contract := passwordPages()["automatic bid"]
	s = f.asked(contract.page, contract.document(f))
	signed := f.sheet(f.click(s, 0, contract.button, "password", engine.AutoPassword)).facts()
	for _, term := range []string{"有效期", "借款期限", "借款额度起", "借款额度止", "年利率"} {
		assert.Equal(t, contract.facts[term], signed[term], term)
	}
	assert.Equal(t, "2015-11-24", signed["最后有效日"])
}

// Three hundred payees are the limit. Nobody should have to scroll past them to
// the field for his password.
func TestManyPayeesFold(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 11} {
		f := town(t)
		s := f.asked("RepaymentNewTrade.aspx", f.repaying("P1", fmt.Sprintf("%d.00", 3*n), fmt.Sprintf("%d.00", n), strings.Repeat(payee(liSi, "3.00"), n)))
		assert.Len(t, s.all("details"), n/11)
		assert.Len(t, descendants(s.one(t, "tbody"), "tr"), n)
	}
}

func TestOpeningPage(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	s := f.asked(page, f.opening("A1"))
	assert.Equal(t, "开户确认", words(s.one(t, "h1")))
	want := map[string]string{"商户": "测试平台（808801）", "订单号": "A1", "真实姓名": "张三", "证件号码": "110***********0001",
		"手机号": "138****0000", "登录邮箱": "zhangsan@example.com"}
	assert.Equal(t, want, s.facts())
	assert.Contains(t, words(s.root), "请在20分钟内完成确认（2014-11-24 12:20:00前）")
	var choices []string
	for _, n := range s.all("option") {
		choices = append(choices, words(n))
	}
	assert.Contains(t, choices, "我的出生地是哪里")
	assert.Contains(t, choices, "招商银行")
	assert.Empty(t, f.Notifications())

	r := f.click(s, 0, "确认开户", append(particulars, "card", "6222 0000-0000 0000 001")...)
	a := f.answered(r)
	assert.Equal(t, "MG00000F", a.code)
	assert.Contains(t, a.open(t, f.keys, nil), "<pBkAccNo>0001</pBkAccNo>")
	done := f.sheet(r)
	assert.Contains(t, words(done.one(t, "h1")), "开户成功")
	assert.Equal(t, zhangSan, done.facts()["托管账户"])

	// Again by the button, by reloading, and by asking to cancel.
	for _, again := range []reply{
		f.click(s, 0, "确认开户", particulars...), f.do(http.MethodGet, s.url, "", ""), f.click(s, 0, "取消"),
	} {
		assert.Equal(t, a, f.answered(again))
	}
	f.delivered()
	assert.Len(t, f.shop.received(), 1, "confirming twice does it once")
	assert.Len(t, f.accounts(""), 1)
}

func TestOpeningPageSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	s := f.asked(page, f.opening("A1"))
	for name, c := range map[string]struct {
		change []string
		wrong  map[string]string
	}{
		"nothing typed": {
			[]string{"loginPassword", "", "loginPasswordAgain", "", "tradePassword", "", "tradePasswordAgain", "", "question", "", "answer", "", "bank", "", "card", ""},
			map[string]string{"loginPassword": "登录密码必须为6至32个字符", "tradePassword": "交易密码必须为6至32个字符",
				"question": "请选择密码保护问题", "answer": "请填写密码保护问题的答案", "bank": "请选择开户银行", "card": "银行卡号必须为15至19位数字"},
		},
		"passwords differ": {
			[]string{"loginPasswordAgain", "abcdeg", "tradePasswordAgain", ""},
			map[string]string{"loginPasswordAgain": "两次输入的登录密码不一致，请重新输入", "tradePasswordAgain": "两次输入的交易密码不一致，请重新输入"},
		},
		"one password for both": {
			[]string{"tradePassword", "abcdef", "tradePasswordAgain", "abcdef"},
			map[string]string{"tradePassword": "交易密码不能与登录密码相同"},
		},
		"long password":    {[]string{"loginPassword", strings.Repeat("长", 33)}, map[string]string{"loginPassword": "登录密码必须为6至32个字符"}},
		"short card":       {[]string{"card", "62220000000001"}, map[string]string{"card": "银行卡号必须为15至19位数字"}},
		"letter in a card": {[]string{"card", "622200000000000000x"}, map[string]string{"card": "银行卡号必须为15至19位数字"}},
		"hostile answer": {
			[]string{"answer", strings.Repeat(`"><script>`, 6)}, map[string]string{"answer": "请填写密码保护问题的答案"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.click(s, 0, "确认开户", append(particulars, c.change...)...)
			again := f.sheet(r)
			assert.Equal(t, c.wrong, again.wrong())
			focused := 0
			typed := make(map[string]string)
			for i := 0; i < len(particulars); i += 2 {
				typed[particulars[i]] = particulars[i+1]
			}
			for i := 0; i < len(c.change); i += 2 {
				typed[c.change[i]] = c.change[i+1]
			}
			for _, n := range again.all("input", "select") {
				id := attr(n, "id")
				if id == "" {
					continue
				}
				assert.Equal(t, c.wrong[id] != "", has(n, "aria-invalid"), id)
				if has(n, "autofocus") {
					focused++
				}
				if attr(n, "type") == "text" {
					assert.Equal(t, typed[id], attr(n, "value"), "what was typed is kept")
				}
			}
			assert.Equal(t, 1, focused)
			for _, problem := range c.wrong {
				assert.Contains(t, again.alert(), problem)
			}
			assert.NotContains(t, r.body, "abcdef", "passwords are not sent back")
		})
	}
	assert.Empty(t, f.accounts(""))
	assert.Equal(t, "MG00000F", f.answered(f.click(s, 0, "确认开户", particulars...)).code)
}

func TestOpeningPageTimesOut(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	s := f.asked(page, f.opening("A1"))
	require.NoError(t, f.Advance(19*time.Minute+30*time.Second))
	s, _ = f.open(s.url)
	assert.Contains(t, words(s.root), "请在30秒内完成确认")
	require.NoError(t, f.Advance(time.Minute))
	a := f.answered(f.do(http.MethodGet, s.url, "", ""))
	assert.Contains(t, a.open(t, f.keys, nil), "<pStatus>5</pStatus>")
	assert.Equal(t, a, f.answered(f.click(s, 0, "确认开户", particulars...)))
	f.delivered()
	assert.Len(t, f.shop.received(), 1)

	// The user comes back with the same number.
	assert.Equal(t, zhangSan, f.openByHand("A1"))
}

func TestBankPage(t *testing.T) {
	t.Parallel()
	const before = 10_000_00 - 601_00
	for name, c := range map[string]struct {
		button, code, title string
		available           int64
	}{
		"paid":   {"支付成功", "MG00000F", "充值成功", before + 1231_00},
		"failed": {"支付失败", "MG18028F", "充值未成功", before},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := town(t)
			s := f.asked("doDpTrade.aspx", f.message(recharging("R1", "1", "00083")...))
			assert.Equal(t, "充值确认", words(s.one(t, "h1")))
			assert.Equal(t, "充值金额 1,234.00 元", s.sum(t))
			assert.Equal(t, "中国银行", s.facts()["充值银行"])
			assert.Equal(t, "1,231.00 元", s.facts()["实际到账"])
			r := f.click(s, 0, "前往银行付款")
			require.Equal(t, http.StatusSeeOther, r.status)
			bank, _ := f.open(r.header.Get("Location"))
			assert.Equal(t, "中国银行网上支付", words(bank.one(t, "h1")))
			assert.Equal(t, "付款金额 1,234.00 元", bank.sum(t))
			links := descendants(bank.one(t, "main"), "a")
			back := links[len(links)-1]
			assert.Equal(t, s.url, attr(back, "href"))
			assert.Equal(t, int64(before), f.spendable(liSi), "nothing has happened yet")

			r = f.click(bank, 0, c.button)
			assert.Equal(t, c.title, words(f.sheet(r).one(t, "h1")))
			a := f.answered(r)
			assert.Equal(t, c.code, a.code)
			for _, again := range []reply{
				f.click(bank, 0, "支付成功"), f.click(bank, 0, "支付失败"), f.click(s, 0, "取消"), f.click(s, 0, "前往银行付款"),
				f.do(http.MethodGet, s.url, "", ""), f.do(http.MethodGet, s.url+"/bank", "", ""),
			} {
				assert.Equal(t, a, f.answered(again))
			}
			assert.Equal(t, c.available, f.spendable(liSi))
			require.NoError(t, f.CheckBooks())
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		f := town(t)
		s := f.asked("doDpTrade.aspx", f.message(recharging("R1", "1", "00083")...))
		assert.Contains(t, f.answered(f.click(s, 0, "取消")).text, "用户取消操作")
	})
	t.Run("neither", func(t *testing.T) {
		t.Parallel()
		f := town(t)
		s := f.asked("doDpTrade.aspx", f.message(recharging("R1", "1", "00083")...))
		bank, _ := f.open(s.url + "/bank")
		s = f.sheet(f.click(bank, 0, "支付成功", "result", "maybe"))
		assert.Equal(t, "请选择支付结果", s.alert())
		assert.Equal(t, "MG00000F", f.answered(f.click(s, 0, "支付成功")).code)
	})
	t.Run("of an operation that has none", func(t *testing.T) {
		t.Parallel()
		f := town(t)
		s := f.asked("doDwTrade.aspx", f.message(withdrawing("W1")...))
		assert.Equal(t, http.StatusNotFound, f.do(http.MethodGet, s.url+"/bank", "", "").status)
	})
}

// A form that is sent twice, by an impatient finger or from a page that the
// back button brought up, is neither a second withdrawal nor a second mistake.
func TestNothingHappensTwice(t *testing.T) {
	t.Parallel()
	f := town(t)
	before := f.spendable(liSi)
	s := f.asked("doDwTrade.aspx", f.message(withdrawing("W1")...))
	var twice sync.WaitGroup
	replies := make([]reply, 8)
	for i := range replies {
		twice.Go(func() { replies[i] = f.click(s, 0, "确认提现", "password", "000000") })
	}
	twice.Wait()
	mistakes := 0
	for _, r := range replies {
		now := f.sheet(r)
		if now.wrong()["password"] == "交易密码错误，还可以再试2次" {
			mistakes++
		} else {
			assert.Contains(t, now.alert(), "该页面已提交过")
		}
	}
	assert.Equal(t, 1, mistakes)

	stale := f.sheet(f.click(s, 0, "确认提现", "password", engine.AutoPassword))
	assert.Contains(t, stale.alert(), "该页面已提交过", "not even with the right password, from a page that is past")
	assert.Equal(t, before, f.spendable(liSi))

	empty := f.sheet(f.click(stale, 0, "确认提现"))
	assert.Equal(t, "请输入交易密码", empty.wrong()["password"])
	ask, ok := f.Engine().Ask(askOf(s.url))
	require.True(t, ok)
	assert.Equal(t, 2, ask.TriesLeft)

	for i := range replies {
		twice.Go(func() { replies[i] = f.click(stale, 0, "确认提现", "password", engine.AutoPassword) })
	}
	twice.Wait()
	for _, r := range replies {
		assert.Equal(t, "MG00000F", f.answered(r).code)
	}
	assert.Equal(t, before-5003_00, f.spendable(liSi))
	f.delivered()
	notices := 0
	for _, form := range f.shop.received() {
		if strings.Contains(fromForm(form).open(t, f.keys, nil), "<pMerBillNo>W1<") {
			notices++
		}
	}
	assert.Equal(t, 1, notices)
}

// askOf is the engine's number in the address of a page.
func askOf(path string) string {
	id, _, _ := strings.Cut(path[strings.LastIndex(path, "/")+1:], "-")
	return id
}

func TestConfirmPageRefuses(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true, MaxBody: 8192})
	s := f.asked(page, f.opening("A1"))
	other := f.asked(page, f.openingOf("A2", "lisi"))
	const cancel = "do=cancel"
	link := s.url[strings.LastIndex(s.url, "/")+1:]
	id, mac, _ := strings.Cut(link, "-")
	otherID := askOf(other.url)
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
	}{
		"unknown":           {"GET", "/CreditWeb/confirm/ASK9999999999-" + mac, "", "", 404},
		"number alone":      {"GET", "/CreditWeb/confirm/" + id, "", "", 404},
		"neighbour":         {"GET", "/CreditWeb/confirm/" + otherID + "-" + mac, "", "", 404},
		"neighbour, posted": {"POST", "/CreditWeb/confirm/" + otherID + "-" + mac, formType, cancel, 404},
		"cut short":         {"GET", s.url[:len(s.url)-1], "", "", 404},
		"nothing":           {"GET", "/CreditWeb/confirm/", "", "", 404},
		"not UTF-8":         {"POST", s.url, formType, cancel + "&answer=%ff", 400},
		"JSON":              {"POST", s.url, "application/json", "{}", 415},
		"oversize":          {"POST", s.url, formType, "tries=" + strings.Repeat("0", 9000), 413},
		"DELETE":            {"DELETE", s.url, "", "", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := f.do(c.method, c.path, c.contentType, c.body)
			assert.Equal(t, c.status, r.status)
			f.sheet(r)
		})
	}
	t.Run("another site's form", func(t *testing.T) {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example.com"} {
			assert.Equal(t, http.StatusForbidden, f.do("POST", s.url, formType, cancel, name, value).status)
		}
	})
	t.Run("no button", func(t *testing.T) {
		r := f.do("POST", s.url, formType, "tries=3")
		assert.Equal(t, "请点击确认或取消", f.sheet(r).alert())
	})
	t.Run("the page is still open", func(t *testing.T) {
		assert.Len(t, f.Engine().PendingAsks(""), 2)
	})
	t.Run("another sandbox's link", func(t *testing.T) {
		elsewhere := start(t, sandbox.Config{Manual: true})
		elsewhere.asked(page, elsewhere.opening("A1"))
		assert.Equal(t, http.StatusNotFound, elsewhere.do("GET", s.url, "", "").status)
	})
}

func TestPagesOfAClosedSandbox(t *testing.T) {
	t.Parallel()
	f := town(t)
	f.register("B2", "BID2")
	s := f.asked("doDwTrade.aspx", f.message(withdrawing("W1")...))
	inbox, _ := f.open(borrowersInbox)
	before := f.spendable(liSi)
	require.NoError(t, f.Close())
	for _, r := range []reply{
		f.click(s, 0, "确认提现", "password", engine.AutoPassword), f.click(s, 0, "取消"), f.click(inbox, 1, "同意"),
	} {
		assert.Equal(t, http.StatusServiceUnavailable, r.status)
		assert.Contains(t, words(f.sheet(r).root), "系统异常")
	}
	assert.Equal(t, before, f.spendable(liSi))
}

// Names and texts of merchants come from strangers.
func TestPagesEscape(t *testing.T) {
	t.Parallel()
	m := sandbox.TestMerchant()
	m.Name = `<script>alert("1")</script>'&平台`
	m.Manual = true
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{m}})
	s := f.asked(page, f.opening("A1"))
	assert.Len(t, s.all("script"), 1)
	assert.Equal(t, m.Name+"（808801）", s.facts()["商户"])
	r := f.click(s, 0, "取消")
	assert.Len(t, f.sheet(r).all("script"), 1)
	assert.NotContains(t, r.body, "<script>alert(")
}

// The form of a page leads to an address where the result can be looked at
// again without sending it once more.
func TestResultHasAnAddress(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	s := f.asked(page, f.opening("A1"))
	form := s.one(t, "form")
	r := f.do(http.MethodPost, attr(form, "action"), formType, "do=cancel", "Origin", f.url)
	assert.Equal(t, http.StatusSeeOther, r.status)
	assert.Equal(t, s.url, r.header.Get("Location"))
	first := f.answered(f.do(http.MethodGet, s.url, "", ""))
	assert.Equal(t, first, f.answered(f.do(http.MethodGet, s.url, "", "")))
}

// The result stays a moment; whoever comes back to it is not sent off again.
func TestResultPageSendsItselfOnce(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Manual: true})
	s := f.asked(page, f.opening("A1"))
	r := f.click(s, 0, "取消")
	shown := f.sheet(r)
	assert.Equal(t, "开户已取消", words(shown.one(t, "h1")))
	assert.Equal(t, "返回商户网站", words(shown.one(t, "button")))
	script := words(shown.one(t, "script"))
	assert.Contains(t, script, `type!=="navigate"`)
	assert.Contains(t, script, "setInterval")
	assert.Contains(t, words(shown.one(t, "main")), "页面将在10秒后自动返回", "long enough to read why")
	policy := r.header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "form-action http: https:;")

	require.NoError(t, f.SetAuto("808801", "", true))
	r = f.post(page, seal(f.keys, "arg", f.openingOf("A2", "lisi")))
	at := words(f.sheet(r).one(t, "script"))
	assert.NotContains(t, at, "setTimeout", "nobody has clicked, so nobody reads")
	assert.Contains(t, at, `type==="navigate"`)
}

// Operations without a page in the guide show none, even by hand.
func TestBidRegistrationShowsNoPage(t *testing.T) {
	t.Parallel()
	f := town(t)
	r := f.post("registerSubject.aspx", seal(f.keys, "p", f.message(bidding("B2", "BID2")...)))
	assert.Equal(t, "MG02500F", f.answered(r).code)
	assert.Empty(t, f.Engine().PendingAsks(""))
}

func TestProgramsConfirm(t *testing.T) {
	t.Parallel()
	f := town(t)
	before := f.spendable(liSi)
	s := f.asked("doDwTrade.aspx", f.message(withdrawing("W1")...))
	id := f.Engine().PendingAsks("")[0].ID
	assert.Equal(t, s.url, f.ConfirmPath(id))
	assert.ErrorContains(t, f.Confirm(id, map[string]string{"password": "000000"}), "交易密码错误")
	require.NoError(t, f.Confirm(id, map[string]string{"password": engine.AutoPassword}))
	require.NoError(t, f.Cancel(id), "too late, and no harm")
	assert.Equal(t, before-5003_00, f.spendable(liSi))

	// What comes to more than is left is refused without a page.
	require.NoError(t, f.SetAuto("808801", liSi, true))
	code, text := f.submitPage("doDwTrade.aspx", "p", withdrawing("W2")...)
	assert.Equal(t, "MG19054F", code, text)
}

func TestOtherPages(t *testing.T) {
	t.Parallel()
	f := town(t)
	for _, path := range []string{"/", "/CreditWS/Service.asmx", "/CreditWSQuery/Service.asmx", "/sms"} {
		f.open(path)
	}
	f.sheet(f.do(http.MethodGet, "/nothing", "", ""))
	r := f.do(http.MethodGet, "/CreditWeb/style.css", "", "")
	assert.Equal(t, "text/css; charset=utf-8", r.header.Get("Content-Type"))
	assert.NotContains(t, r.body, "url(")
	assert.NotContains(t, r.body, "@import")
	require.NotContains(t, r.body, "http")
}
