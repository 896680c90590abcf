package main

import (
	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// What the pages call things. None of it changes while the program runs.
var (
	orderStates = map[ips.OrderState]string{
		ips.OrderRecorded: "已记录，等待 IPS 结果", ips.OrderPending: "IPS 受理中", ips.OrderDone: "成功", ips.OrderRefused: "失败",
	}
	loanStates = map[store.LoanState]string{
		store.LoanApplied: "待审核发布", store.LoanRaising: "募集中", store.LoanRunning: "进行中",
		store.LoanEnded: "已结束", store.LoanFailed: "发布失败",
	}
	dueStates = map[store.DueState]string{
		store.DueOpen: "待还", store.DueRepaid: "已还", store.DueCompensated: "担保方已代偿",
	}
	shareStates = map[store.ShareState]string{
		store.ShareFrozen: "投标资金冻结中", store.ShareReleased: "持有中", store.ShareEnded: "已结束",
	}
	repayModes = map[ips.RepayMode]string{
		ips.RepayAnnuity: "等额本息", ips.RepayInterestFirst: "按月还息到期还本", ips.RepayEqualPrincipal: "等额本金",
	}
	ways = map[string]string{
		ips.Synchronous.String(): "接口同步应答", ips.WebReturn.String(): "浏览器返回", ips.ServerToServer.String(): "服务器通知",
		"balance query": "余额查询", "platform": "平台自身检查",
	}
)

// chapter is a chapter of the usage guide and where the site shows it.
type chapter struct {
	Number int
	Name   string // the guide's
	Who    string
	Link   string
	How    string
}

func guide() []chapter {
	return []chapter{
		{1, "用户开户", "用户", "/account", "注册后点“开通托管账户”，在 IPS 页面设置密码和银行卡"},
		{2, "平台发布借款标", "借款人、平台", "/borrow", "借款人提交借款申请，平台审核后发布；IPS 短信征得借款人同意"},
		{3, "担保方对标的担保", "担保方", "/loans", "在标的页面选择有保证金或无保证金担保"},
		{4, "投资人投标（一次性放款）", "投资人、平台", "/loans", "投资人投标并在 IPS 确认，资金冻结；满标后平台放款"},
		{5, "投资人投标（随投随放）", "投资人、平台", "/loans", "未满标时平台即可放款，之后可继续投标、再次放款"},
		{6, "个人债权转让", "出让方、受让方", "/claims", "在“我的债权”挂牌，受让方在“转让市场”购买并在 IPS 确认"},
		{7, "借款人还款", "借款人", "/borrow", "在标的页面按还款计划逐期手动还款；签约后平台可自动还款"},
		{8, "担保方代偿", "平台", "/admin", "借款人无法还款时，由担保方按期代偿给投资人"},
		{9, "借款人针对代偿的还款", "借款人", "/borrow", "在标的页面向担保方还款"},
		{10, "托管账户充值（网银）", "用户", "/funds", "选择充值银行，到银行页面付款"},
		{11, "托管账户充值（委托收款-用户发起）", "用户", "/funds", "选择代扣充值；需事先面签委托授权书"},
		{12, "托管账户充值（委托收款-商户发起）", "平台", "/admin", "平台发起代扣，IPS 短信征得用户同意"},
		{13, "托管账户提现", "用户", "/funds", "填写提现金额，在 IPS 页面确认"},
		{14, "解冻担保方保证金", "平台", "/admin", "可分批解冻直至为零"},
		{15, "解冻借款人保证金", "平台", "/admin", "可分批解冻直至为零"},
		{16, "投资人设置自动投标", "投资人、平台", "/contracts", "投资人在 IPS 设置规则，平台在规则内代为投标"},
		{17, "借款人设置自动还款", "借款人、平台", "/contracts", "借款人授权后，平台代为还款"},
	}
}
