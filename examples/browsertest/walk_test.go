package browsertest

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

const (
	tradePassword = "123456" // of everybody whom ipstest brings on the stage
	textTimeout   = 30 * time.Minute
)

// TestChromium walks the main paths, in one browser and each in a window and
// with a sandbox of its own.
func TestChromium(t *testing.T) {
	browser := startChromium(t)
	for _, walk := range []struct {
		name string
		walk func(*testing.T, *chromium)
	}{
		{"open-account", openAccount},
		{"recharge-paid", rechargePaid},
		{"recharge-failed", rechargeFailed},
		{"bid", bid},
		{"repay", repay},
		{"withdraw", withdraw},
		{"auto-bid-contract", signAutoBid},
		{"sms-yes", answerYes},
		{"sms-no", answerNo},
		{"sms-timeout", answerNothing},
		{"cancel", cancel},
		{"locked", lockOut},
		{"expired", expire},
		{"other-pages", seeOtherPages},
		{"console", resend},
		{"watch", beWatched},
	} {
		t.Run(walk.name, func(t *testing.T) {
			t.Parallel()
			walk.walk(t, browser)
		})
	}
}

// openAccount goes through all pages of account opening with the keyboard
// alone.
func openAccount(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	p := platform.NewPerson()
	shop := openShop(t, platform, offer{"开户", func(c *ips.Client) (*ips.Form, error) {
		return c.OpenAccount(ips.OpenAccountRequest{
			OrderNo: "A1", Date: platform.Today(), IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile, Email: p.Email,
		})
	}})
	u := browser.user(t, desktop())
	u.opens(shop.url)
	u.seesShop("我的账户", "shop")
	u.tabs(kb.Enter)

	u.seesIPS("开户确认", "page")
	u.reads("手机号", "138****0001")
	u.tabs("abcdef")
	u.tabs("abcdef")
	u.tabs("654321")
	u.tabs("654320") // a slip
	u.tabs(kb.ArrowDown)
	u.tabs("北京")
	u.tabs(kb.ArrowDown)
	u.tabs("6222 0000 0000 0000 001")
	u.shoots("filled")
	u.presses(kb.Enter)

	u.do(chromedp.WaitVisible(chromedp.CSS("#tradePasswordAgain-error")))
	u.seesIPS("开户确认", "slip")
	assert.Equal(t, "tradePasswordAgain", u.focus(), "the keyboard goes to what is wrong")
	u.tabsBack(3)
	u.presses("abcdef")
	u.tabs("abcdef")
	u.tabs("654321")
	u.tabs("654321")
	open := shop.shut()
	u.presses(kb.Enter)

	u.seesIPS("开户成功", "done")
	u.tabs(kb.Enter)
	open()
	u.seesShop("开户成功", "back")
	platform.WaitIdle()
	order := shop.order("A1")
	assert.Equal(t, ips.CodeSuccess, order.Reply.Code)
	assert.Equal(t, 1, order.Settled, "the return and the notification are one result")
	assert.Equal(t, 1, order.Notified)
}

// recharge offers 500 yuan through the e-bank, of which 1 is the platform's.
func recharge(platform *ipstest.Server, p ipstest.Person) offer {
	return offer{"充值", func(c *ips.Client) (*ips.Form, error) {
		return c.Recharge(ips.RechargeRequest{
			OrderNo: "R1", Date: platform.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", Fee: 1 * ips.Yuan, FeePayer: ips.UserPaysFee,
		})
	}}
}

// rechargePaid pays at the bank, with an impatient double click.
func rechargePaid(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	p := platform.Person(0)
	shop := openShop(t, platform, recharge(platform, p))
	u := browser.user(t, desktop())
	u.opens(shop.url)
	u.clicks("充值")
	u.seesIPS("充值确认", "page")
	u.reads("充值金额", "500.00 元")
	u.clicks("前往银行付款")
	u.seesIPS("中国工商银行网上支付", "bank")
	u.reads("付款金额", "500.00 元")
	platform.AssertBalance(p.Account, 0, 0)

	open := shop.shut()
	u.clicksTwice("支付成功")
	u.seesIPS("充值成功", "done")
	u.clicks("返回商户网站")
	open()
	u.seesShop("充值成功", "back")
	platform.WaitIdle()
	platform.AssertBalance(p.Account, 499*ips.Yuan, 0)
	assert.Equal(t, 1, shop.order("R1").Settled)
}

// rechargeFailed looks back from the bank once, and then cannot pay.
func rechargeFailed(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	p := platform.Person(0)
	shop := openShop(t, platform, recharge(platform, p))
	u := browser.user(t, telephone())
	u.opens(shop.url)
	u.seesShop("我的账户", "shop")
	u.clicks("充值")
	u.seesIPS("充值确认", "page")
	u.clicks("前往银行付款")
	u.seesIPS("中国工商银行网上支付", "bank")
	u.clicks("返回充值确认")
	u.seesIPS("充值确认", "page-again")
	u.clicks("前往银行付款")
	u.seesIPS("中国工商银行网上支付", "bank-again")
	open := shop.shut()
	u.clicks("支付失败")
	u.seesIPS("充值未成功", "failed")
	u.clicks("返回商户网站")
	open()
	u.seesShop("充值失败", "back")
	platform.AssertBalance(p.Account, 0, 0)
}

// bid is a manual bid: a wrong password, an impatient double click, the page
// that leads back to the merchant by itself, and a way back that does nothing.
func bid(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	borrower, investor := platform.Person(0), platform.Person(1000*ips.Yuan)
	loan := platform.Bid(borrower, 5000*ips.Yuan)
	shop := openShop(t, platform, offer{"投标", func(c *ips.Client) (*ips.Form, error) {
		return c.RegisterCreditor(ips.RegisterCreditorRequest{
			OrderNo: "C1", Date: platform.Today(), BidNo: loan.BidNo, ContractNo: "CON1",
			Amount: 300 * ips.Yuan, Fee: 1 * ips.Yuan, Purpose: loan.Purpose,
			IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account,
		})
	}})
	u := browser.user(t, desktop())
	u.opens(shop.url)
	u.clicks("投标")
	u.seesIPS("投标确认", "page")
	u.reads("冻结金额", "301.00 元")
	u.types("交易密码", "111111")
	u.clicks("确认投标")
	u.do(chromedp.WaitVisible(chromedp.CSS("#password-error")))
	u.seesIPS("投标确认", "wrong-password")
	assert.Equal(t, "password", u.focus())
	platform.AssertBalance(investor.Account, 1000*ips.Yuan, 0)

	open := shop.shut()
	u.types("交易密码", tradePassword)
	u.clicksTwice("确认投标")
	u.seesIPS("投标成功", "done")
	open()
	u.seesShop("投标成功", "back")
	platform.WaitIdle()
	platform.AssertBalance(investor.Account, 699*ips.Yuan, 301*ips.Yuan)
	assert.Equal(t, 1, shop.order("C1").Settled)

	u.do(chromedp.NavigateBack())
	u.seesIPS("投标成功", "went-back")
	platform.AssertBalance(investor.Account, 699*ips.Yuan, 301*ips.Yuan)
	u.clicks("返回商户网站")
	u.seesShop("投标成功", "back-again")
	assert.Equal(t, 1, shop.order("C1").Settled)
}

// repay pays two investors back, which IPS takes its time for.
func repay(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	borrower, first, second := platform.Person(100*ips.Yuan), platform.Person(1000*ips.Yuan), platform.Person(2000*ips.Yuan)
	loan := platform.Bid(borrower, 3000*ips.Yuan)
	one, two := platform.Invest(loan, first, 1000*ips.Yuan), platform.Invest(loan, second, 2000*ips.Yuan)
	platform.PayOut(loan, one, two)
	rows := []ips.RepayRow{
		{CreditorOrderNo: one.OrderNo, Account: first.Account, Amount: 1010 * ips.Yuan, BorrowerFee: 1 * ips.Yuan},
		{CreditorOrderNo: two.OrderNo, Account: second.Account, Amount: 2020 * ips.Yuan, BorrowerFee: 2 * ips.Yuan},
	}
	shop := openShop(t, platform, offer{"还款", func(c *ips.Client) (*ips.Form, error) {
		amount, fee := ips.RepayTotals(rows)
		return c.Repay(ips.RepayRequest{
			OrderNo: "P1", BidNo: loan.BidNo, Date: platform.Today(), Account: borrower.Account, Amount: amount, Fee: fee, Rows: rows,
		})
	}})
	u := browser.user(t, telephone())
	u.opens(shop.url)
	u.clicks("还款")
	u.seesIPS("还款确认", "page")
	u.reads("合计", "3,033.00 元")
	u.types("交易密码", tradePassword)
	open := shop.shut()
	u.clicks("确认还款")
	u.seesIPS("还款已受理", "accepted")
	platform.WaitIdle() // the notification overtakes the user
	u.clicks("返回商户网站")
	open()
	u.seesShop("还款成功", "back")
	platform.AssertBalance(borrower.Account, 67*ips.Yuan, 0)
	platform.AssertBalance(first.Account, 1010*ips.Yuan, 0)
	platform.AssertBalance(second.Account, 2020*ips.Yuan, 0)
}

// withdrawal offers to take 500 of somebody's money home.
func withdrawal(platform *ipstest.Server, p ipstest.Person) offer {
	return offer{"提现", func(c *ips.Client) (*ips.Form, error) {
		return c.Withdraw(ips.WithdrawRequest{
			OrderNo: "W1", Date: platform.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 500 * ips.Yuan, Fee: 1 * ips.Yuan, FeePayer: ips.UserPaysFee,
		})
	}}
}

// withdraw does without JavaScript.
func withdraw(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual(), ipstest.WithIPSFee(2*ips.Yuan))
	p := platform.Person(1000 * ips.Yuan)
	shop := openShop(t, platform, withdrawal(platform, p))
	u := browser.user(t, desktop())
	u.withoutScripts()
	u.opens(shop.url)
	u.clicks("提现")
	u.do(chromedp.WaitVisible(control("前往环迅支付")))
	assert.Equal(t, "正在前往环迅支付", u.settled().Title)
	u.shoots("on-the-way")
	u.clicks("前往环迅支付")
	u.seesIPS("提现确认", "page")
	u.reads("扣款合计", "503.00 元")
	u.types("交易密码", tradePassword)
	u.clicks("确认提现")
	u.seesIPS("提现成功", "done")
	assert.Zero(t, shop.order("W1").Returned, "nothing goes by itself")
	u.clicks("返回商户网站")
	u.seesShop("提现成功", "back")
	assert.Equal(t, 1, shop.order("W1").Returned)
	platform.AssertBalance(p.Account, 497*ips.Yuan, 0)
}

// signAutoBid gives the platform leave to bid.
func signAutoBid(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	p := platform.Person(0)
	shop := openShop(t, platform, offer{"自动投标签约", func(c *ips.Client) (*ips.Form, error) {
		return c.SignAutoBid(ips.SignAutoBidRequest{
			OrderNo: "S1", Date: platform.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			ValidUnit: ips.PeriodMonths, Valid: 12, TermUnit: ips.PeriodMonths, TermFrom: 1, TermTo: 24,
			AmountFrom: 1000 * ips.Yuan, AmountTo: 500_000 * ips.Yuan, RateFrom: 8 * ips.Percent, RateTo: 18 * ips.Percent,
		})
	}})
	u := browser.user(t, telephone())
	u.opens(shop.url)
	u.clicks("自动投标签约")
	u.seesIPS("自动投标签约确认", "page")
	u.reads("年利率", "8.00%至18.00%")
	u.types("交易密码", tradePassword)
	open := shop.shut()
	u.clicks("同意授权")
	u.seesIPS("自动投标签约成功", "done")
	u.clicks("返回商户网站")
	open()
	u.seesShop("自动投标签约成功", "back")
}

// askedByText brings a borrower so far that a text message waits for him.
func askedByText(t *testing.T, u *user, platform *ipstest.Server) *shop {
	t.Helper()
	p := platform.Person(200 * ips.Yuan)
	shop := openShop(t, platform, offer{"借款", func(c *ips.Client) (*ips.Form, error) {
		return c.RegisterBid(ips.RegisterBidRequest{
			OrderNo: "L1", BidNo: "B1", Date: platform.Today(), Amount: 10_000 * ips.Yuan, Margin: 100 * ips.Yuan, Rate: 12 * ips.Percent,
			TermUnit: ips.TermMonths, Term: 12, Purpose: "经营周转", RepayMode: ips.RepayAnnuity,
			IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		})
	}})
	u.opens(shop.url)
	u.clicks("借款")
	u.seesShop("借款处理中", "pending")
	u.opens(platform.URL + "/sms")
	u.seesIPS("短信收件箱", "texts")
	u.clicks("138****0001")
	u.seesIPS("138****0001的短信", "text")
	return shop
}

// hears looks at the merchant's page again once IPS has told him.
func (u *user) hears(platform *ipstest.Server, shop *shop, heading string) {
	u.t.Helper()
	platform.WaitIdle()
	u.opens(shop.url + "/orders/L1")
	u.seesShop(heading, "told")
	assert.Equal(u.t, 1, shop.order("L1").Settled)
}

func answerYes(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	u := browser.user(t, telephone())
	shop := askedByText(t, u, platform)
	u.clicksTwice("同意")
	u.fate("已同意")
	u.seesIPS("138****0001的短信", "yes")
	u.hears(platform, shop, "借款成功")
	platform.AssertBalance("4021000000000001", 100*ips.Yuan, 100*ips.Yuan)
}

func answerNo(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	u := browser.user(t, desktop())
	shop := askedByText(t, u, platform)
	u.clicks("拒绝")
	u.fate("已拒绝")
	u.seesIPS("138****0001的短信", "no")
	u.hears(platform, shop, "借款失败")
	platform.AssertBalance("4021000000000001", 200*ips.Yuan, 0)
}

func answerNothing(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	u := browser.user(t, telephone())
	shop := askedByText(t, u, platform)
	platform.Advance(textTimeout)
	u.clicks("刷新")
	u.fate("已过期，未回复")
	u.seesIPS("138****0001的短信", "too-late")
	platform.Advance(10 * time.Minute) // a job of IPS tells of it
	u.hears(platform, shop, "借款失败")
	assert.Equal(t, ips.CodeBidNoReply, shop.order("L1").Reply.Code)
	platform.AssertBalance("4021000000000001", 200*ips.Yuan, 0)
}

// atWithdrawal brings somebody before the page of a withdrawal.
func atWithdrawal(t *testing.T, browser *chromium, s screen) (*user, *ipstest.Server, *shop, ipstest.Person) {
	t.Helper()
	platform := ipstest.NewServer(t, ipstest.WithManual())
	p := platform.Person(1000 * ips.Yuan)
	shop := openShop(t, platform, withdrawal(platform, p))
	u := browser.user(t, s)
	u.opens(shop.url)
	u.clicks("提现")
	u.seesIPS("提现确认", "page")
	return u, platform, shop, p
}

func cancel(t *testing.T, browser *chromium) {
	u, platform, shop, p := atWithdrawal(t, browser, telephone())
	open := shop.shut()
	u.clicks("取消")
	u.seesIPS("提现已取消", "cancelled")
	u.clicks("返回商户网站")
	open()
	u.seesShop("提现失败", "back")
	platform.AssertBalance(p.Account, 1000*ips.Yuan, 0)
}

// lockOut uses up all tries at the password.
func lockOut(t *testing.T, browser *chromium) {
	u, platform, shop, p := atWithdrawal(t, browser, desktop())
	u.clicks("确认提现")
	u.finds("请输入交易密码")
	u.seesIPS("提现确认", "no-password")
	open := shop.shut()
	for range 2 {
		u.types("交易密码", "111111")
		token := u.token()
		u.clicks("确认提现")
		u.changes(token)
	}
	u.seesIPS("提现确认", "last-try")
	u.types("交易密码", "111111")
	u.clicks("确认提现")
	u.seesIPS("提现未成功", "locked")
	u.clicks("返回商户网站")
	open()
	u.seesShop("提现失败", "back")
	platform.AssertBalance(p.Account, 1000*ips.Yuan, 0)
}

// expire lets the time run out that a page may take.
func expire(t *testing.T, browser *chromium) {
	u, platform, shop, p := atWithdrawal(t, browser, desktop())
	u.counts("29分5")
	u.passes(textTimeout)
	u.finds("时间已到，本次操作已按超时处理。查看结果")
	platform.Advance(textTimeout)
	u.types("交易密码", tradePassword)
	open := shop.shut()
	u.clicks("确认提现")
	u.seesIPS("提现未成功", "too-late")
	u.clicks("返回商户网站")
	open()
	u.seesShop("提现失败", "back")
	platform.AssertBalance(p.Account, 1000*ips.Yuan, 0)

	u.watch.expect("status of 404")
	u.opens(platform.URL + "/CreditWeb/confirm/ASK0000000001-00000000000000000000000000000000")
	u.sees("页面不存在", "页面不存在 - 资金管理平台沙箱", "no-such-page")
}

// seeOtherPages looks at the pages that no walk has come by.
func seeOtherPages(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	borrower, investor, buyer := platform.Person(1000*ips.Yuan), platform.Person(3000*ips.Yuan), platform.Person(3000*ips.Yuan)
	loan := platform.Bid(borrower, 3000*ips.Yuan)
	claim := platform.Invest(loan, investor, 3000*ips.Yuan)
	guarantor := offer{"担保", func(c *ips.Client) (*ips.Form, error) {
		return c.RegisterGuarantor(ips.RegisterGuarantorRequest{
			OrderNo: "G1", Date: platform.Today(), BidNo: loan.BidNo, Amount: 3000 * ips.Yuan, Margin: 500 * ips.Yuan, Profit: 30 * ips.Yuan,
			IdentNo: buyer.IdentNo, AccountName: buyer.Name, Account: buyer.Account,
		})
	}}
	sale := offer{"债权转让", func(c *ips.Client) (*ips.Form, error) {
		return c.RegisterDebtTransfer(ips.RegisterDebtTransferRequest{
			OrderNo: "D1", Date: platform.Today(), BidNo: loan.BidNo, ContractNo: claim.ContractNo, CreditorOrderNo: claim.OrderNo,
			FromName: investor.Name, FromAccount: investor.Account, FromIdentNo: investor.IdentNo,
			ToName: buyer.Name, ToAccount: buyer.Account, ToIdentNo: buyer.IdentNo,
			FaceAmount: 1000 * ips.Yuan, Price: 950 * ips.Yuan, FromFee: 1 * ips.Yuan, ToFee: 2 * ips.Yuan, Kind: ips.TransferPartClaim,
		})
	}}
	contract := offer{"自动还款签约", func(c *ips.Client) (*ips.Form, error) {
		return c.SignAutoRepay(ips.SignAutoRepayRequest{
			OrderNo: "S1", Date: platform.Today(), IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
			ValidUnit: ips.PeriodUnlimited,
		})
	}}
	withholding := offer{"代扣充值", func(c *ips.Client) (*ips.Form, error) {
		return c.Recharge(ips.RechargeRequest{
			OrderNo: "R1", Date: platform.Today(), IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
			Amount: 500 * ips.Yuan, Channel: ips.RechargeWithholding, FeePayer: ips.UserPaysFee,
		})
	}}
	platform.PayOut(loan, claim)
	shop := openShop(t, platform, guarantor, sale, contract, withholding)
	u := browser.user(t, telephone())
	for _, page := range []struct{ offer, heading, picture string }{
		{guarantor.Label, "担保确认", "guarantor"},
		{sale.Label, "债权转让确认", "debt-transfer"},
		{contract.Label, "自动还款签约确认", "auto-repay-contract"},
		{withholding.Label, "充值确认", "withholding"},
	} {
		u.opens(shop.url)
		u.clicks(page.offer)
		u.seesIPS(page.heading, page.picture)
	}
	u.opens(platform.URL + "/")
	u.sees("资金管理平台 v2.0 沙箱", "首页 - 资金管理平台沙箱", "index")
	u.opens(platform.URL + "/CreditWS/Service.asmx")
	u.seesIPS("业务接口 CreditWS", "web-service")
}

// resend has the operator send a notification once more, and looks around in
// his console.
func resend(t *testing.T, browser *chromium) {
	platform := ipstest.NewServer(t, ipstest.WithManual())
	borrower, investor := platform.Person(200*ips.Yuan), platform.Person(2000*ips.Yuan)
	loan := platform.Bid(borrower, 3000*ips.Yuan)
	platform.PayOut(loan, platform.Invest(loan, investor, 1200*ips.Yuan))
	platform.Invest(loan, investor, 800*ips.Yuan)
	shop := openShop(t, platform, recharge(platform, investor))
	u := browser.user(t, desktop())
	u.opens(shop.url)
	u.clicks("充值")
	u.clicks("前往银行付款")
	u.clicks("支付成功")
	u.seesShop("充值成功", "back")
	platform.WaitIdle()
	assert.Equal(t, 1, shop.order("R1").Notified)

	u.opens(platform.URL + "/console/")
	u.seesConsole("概览", "概览", "overview")
	u.clicks("通知")
	u.seesConsole("通知", "通知", "notifications")
	u.do(chromedp.Click(chromedp.Search(`//tr[.//a="R1"]//button[normalize-space()="重发"]`)))
	u.do(chromedp.WaitVisible(chromedp.Search(`//tr[td[1]="2"][starts-with(td[3],"HTTP 200")]`)))
	platform.WaitIdle()
	order := shop.order("R1")
	assert.Equal(t, 2, order.Notified)
	assert.Equal(t, 1, order.Settled, "a repeated notification credits nothing")
	platform.AssertBalance(investor.Account, 499*ips.Yuan, 800*ips.Yuan)
	number := strings.Fields(u.settled().Headings[0])[1]
	u.seesConsole("通知 "+number+" 已送达 delivered", "通知 "+number, "resent")

	for _, section := range []struct{ link, picture string }{
		{"账户", "accounts"}, {"标的", "bids"}, {"订单", "orders"}, {"报文", "messages"}, {"分录", "journal"}, {"故障", "faults"},
	} {
		u.clicks(section.link)
		u.seesConsole(section.link, section.link, section.picture)
	}
	u.clicks("标的")
	u.clicks(loan.BidNo)
	u.seesConsole("标的 "+loan.BidNo+" 进行中 (3)", "标的 "+loan.BidNo, "bid")
	u.clicks("账户")
	u.clicks(investor.Account)
	u.seesConsole("账户 "+investor.Account+" 李四", "账户 "+investor.Account, "account")
	u.clicks("订单")
	u.clicks("R1")
	u.seesConsole("订单 R1 完成 done", "订单 R1", "order")

	u.do(telephone().show())
	for _, section := range []string{"概览", "通知", "标的"} {
		u.clicks(section)
		u.seesConsole(section, section, "phone")
	}
}

// beWatched makes sure that the watch over the other walks hears what it must.
func beWatched(t *testing.T, browser *chromium) {
	u := browser.user(t, desktop())
	u.opens(badPage(t))
	u.settled()
	problems := u.watch.list()
	for _, want := range []string{"console: error", "exception: ", "content-security policy: style-src", "request to http://shop.example.com/"} {
		assert.True(t, holds(problems, want), "%q in %q", want, problems)
	}
	u.watch.expect("") // all of it
}
