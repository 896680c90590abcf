package main

import (
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// What the pages call things. None of it changes while the program runs.
var (
	orderStates = map[orders.State]string{
		orders.StateRecorded: "已记录，等待 IPS 结果", orders.StateSending: "已记录，等待 IPS 结果", orders.StateUnknown: "已记录，等待 IPS 结果",
		orders.StatePending: "IPS 受理中", orders.StateRowsDue: "IPS 受理中", orders.StateDone: "成功", orders.StateRefused: "失败",
		orders.StateClosed: "已关闭，未在 IPS 确认",
	}
	loanStates = map[LoanState]string{
		LoanApplied: "待审核发布", LoanRaising: "募集中", LoanRunning: "进行中", LoanEnded: "已结束", LoanFailed: "发布失败", LoanOld: "老标的，还款中",
	}
	dueStates   = map[DueState]string{DueOpen: "待还", DueRepaid: "已还", DueCompensated: "担保方已代偿"}
	shareStates = map[ShareState]string{ShareFrozen: "投标资金冻结中", ShareReleased: "持有中", ShareEnded: "已结束", ShareCalled: "流标，资金已退回"}
	repayModes  = map[ips.RepayMode]string{
		ips.RepayAnnuity: "等额本息", ips.RepayInterestFirst: "按月还息到期还本", ips.RepayEqualPrincipal: "等额本金",
	}
)

// stateOf is how far an order has come. A batch may have succeeded in part.
func stateOf(p Progress) string {
	if p.State == orders.StateDone && strings.HasPrefix(p.Note, "部分成功") {
		return "部分成功"
	}
	return orderStates[p.State]
}

// chapters is the usage guide's, and where the site shows them.
func chapters() [][]Cell {
	var all [][]Cell
	for _, c := range [][5]string{
		{"1", "用户开户", "用户", "/account", "注册后点“开通托管账户”，在 IPS 页面设置密码和银行卡"},
		{"2", "平台发布借款标", "借款人、平台", "/borrow", "借款人提交借款申请，平台审核后发布；IPS 短信征得借款人同意"},
		{"3", "担保方对标的担保", "担保方", "/loans", "在标的页面选择有保证金或无保证金担保；担保收益须借款人同意"},
		{"4", "投资人投标（一次性放款）", "投资人、平台", "/loans", "投资人投标并在 IPS 确认，资金冻结；满标后平台放款"},
		{"5", "投资人投标（随投随放）", "投资人、平台", "/loans", "未满标时平台即可放款，之后可继续投标、再次放款"},
		{"6", "个人债权转让", "出让方、受让方", "/claims", "在“我的债权”挂牌，受让方在“转让市场”购买并在 IPS 确认"},
		{"7", "借款人还款", "借款人", "/borrow", "在标的页面按还款计划逐期手动还款；签约后平台可自动还款"},
		{"8", "担保方代偿", "平台", "/admin", "借款人无法还款时，由担保方按期代偿给投资人"},
		{"9", "借款人针对代偿的还款", "借款人", "/borrow", "在标的页面向担保方还款"},
		{"10", "托管账户充值（网银）", "用户", "/funds", "选择充值银行，到银行页面付款"},
		{"11", "托管账户充值（委托收款-用户发起）", "用户", "/funds", "选择代扣充值；需事先面签委托授权书"},
		{"12", "托管账户充值（委托收款-商户发起）", "平台", "/admin", "平台发起代扣，IPS 短信征得用户同意"},
		{"13", "托管账户提现", "用户", "/funds", "填写提现金额，在 IPS 页面确认"},
		{"14", "解冻担保方保证金", "平台", "/admin", "可分批解冻直至为零"},
		{"15", "解冻借款人保证金", "平台", "/admin", "可分批解冻直至为零"},
		{"16", "投资人设置自动投标", "投资人、平台", "/contracts", "投资人在 IPS 设置规则，平台在规则内代为投标"},
		{"17", "借款人设置自动还款", "借款人、平台", "/contracts", "借款人授权后，平台代为还款"},
		{"三", "新老系统过渡：老标的还款", "借款人、平台", "/borrow", "老接口的标的登记后，借款人在标的页面按老接口还款"},
	} {
		all = append(all, []Cell{text(c[0]), linked(c[1], c[3]), text(c[2]), text(c[4])})
	}
	return all
}
