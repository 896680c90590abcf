package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

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
	loanStates  = map[LoanState]string{LoanApplied: "待审核发布", LoanRaising: "募集中", LoanRunning: "进行中", LoanEnded: "已结束", LoanFailed: "发布失败", LoanOld: "老标的，还款中"}
	dueStates   = map[DueState]string{DueOpen: "待还", DueRepaid: "已还", DueCompensated: "担保方已代偿"}
	shareStates = map[ShareState]string{ShareFrozen: "投标资金冻结中", ShareReleased: "持有中", ShareEnded: "已结清", ShareSold: "已转让", ShareCalled: "流标，资金已退回"}
	saleStates  = map[SaleState]string{SaleOffered: "转让中", SalePaid: "划转中", SaleFailed: "划转未成功，平台正在处理", SaleDone: "已成交", SaleWithdrawn: "已撤回", SaleAsksBuyer: "等待受让方决定", SaleAsksSeller: "等待出让方决定"}
	repayModes  = map[ips.RepayMode]string{ips.RepayAnnuity: "等额本息", ips.RepayInterestFirst: "按月还息到期还本", ips.RepayEqualPrincipal: "等额本金"}
)

// stateOf is how far an order has come. A batch may have succeeded in part.
func stateOf(p Progress) string {
	switch {
	case p.State == orders.StateDone && strings.HasPrefix(p.Note, partlyDone):
		return partlyDone
	case p.State == orders.StateDone && strings.HasPrefix(p.Note, noneDone):
		return noneDone
	case p.cancelled():
		return "已取消"
	case p.State == orders.StateRefused && strings.Contains(p.Note, "短信拒绝"):
		return "用户短信拒绝"
	}
	return orderStates[p.State]
}

// cancelled reports whether the user has left the page of IPS by its button.
func (p Progress) cancelled() bool {
	return p.State == orders.StateRefused && strings.Contains(p.Note, "用户取消")
}

// forStaff is what IPS ends its sentences with: numbers and codes.
var forStaff = regexp.MustCompile(`([,，][^,，(（]*[(（][0-9A-Za-z]*[)）])*([,，]?错误码[A-Z0-9]+)?(（[A-Z0-9]+）)?$`)

// said is a note as members read it: without IPS's codes, and without the numbers
// that it repeats.
func said(note string, v *visit) string {
	if v.admin() {
		return note
	}
	return forStaff.ReplaceAllString(note, "")
}

// textTime is how long a text message of IPS can be answered: 30 minutes by the
// words of MG02047F, of a bid's borrower. That it is the same for others is our
// choice. IPS may tell of its end some minutes later.
const textTime = 30 * time.Minute

// asksByText reports whether IPS asks somebody by text message for an operation.
func asksByText(op ips.Operation) bool {
	return op == ips.OpRegisterBid || op == ips.OpWithholdingRecharge
}

// headline says of an order what its reader should know first, and the class of
// the paragraph.
func headline(p Progress, v *visit) (text, class string) {
	switch {
	case p.State == orders.StateDone && (strings.HasPrefix(p.Note, partlyDone) || strings.HasPrefix(p.Note, noneDone)):
		return p.Note, "problem"
	case p.State == orders.StateDone:
		return "IPS 已处理成功：" + p.About + "。" + p.Note, "good"
	case p.cancelled():
		return "已取消：您在 IPS 页面取消了办理，没有资金变动。", "wait"
	case p.State == orders.StateRefused:
		return "IPS 没有处理成功：" + said(p.Note, v), "problem"
	case p.State == orders.StateClosed:
		return "已关闭：IPS 两次答复没有收到这笔办理。如果您其实已经确认，请联系客服核对。", "wait"
	case p.left() && p.UserID != v.user.ID:
		return "尚未收到 IPS 的结果，办理人可能还没有在 IPS 确认。本页会自动更新。", "wait"
	case p.left():
		return "尚未收到 IPS 的结果。已在 IPS 确认的，稍候即可，本页会自动更新；还没有确认的，可以继续办理：同一笔订单，不会重复付款。", "wait"
	case asksByText(p.Operation):
		return "IPS 已受理，等待用户回复 IPS 短信确认，最晚 " + when(p.MadeAt.Add(textTime)) + "。本页会自动更新。", "wait"
	}
	return "IPS 已受理，结果稍后通知平台。本页会自动更新。", "wait"
}

// stateOfShare says how far a share has come.
func stateOfShare(state ShareState, principal ips.Amount) string {
	if state == ShareReleased && principal == 0 {
		return "已还清"
	}
	return shareStates[state]
}

// stateOfLoan says how far a loan has come, with what is frozen for it.
func stateOfLoan(l Loan, frozen ips.Amount, owed bool) string {
	switch {
	case l.State == LoanApplied && l.RegOrder != "":
		return "等待借款人短信确认"
	case l.State == LoanFailed && l.RegOrder == "":
		return "平台未通过"
	case l.State == LoanEnded && l.Released == 0:
		return "已流标"
	case l.State == LoanEnded, l.State == LoanRunning && l.Released == l.Amount && !owed:
		return map[bool]string{true: "已还清，已结束", false: "已还清，待结束"}[l.State == LoanEnded]
	case l.State == LoanRaising && frozen == l.Amount:
		return "已满标，待放款"
	}
	return loanStates[l.State]
}

// advice is what staff should do about an order, by the kind of the book's matter.
var advice = map[string]string{
	"wrong":         "签名无误，但这份答复的内容与请求不同，平台没有采信它，实际入账如下。请向 IPS 核对实际办成的内容，再记录结论。",
	"contradiction": "IPS 先后说法不一，平台保留先前的结果。请向 IPS 核对后记录结论。",
	"late":          "平台已按未办成处理。请确认业务能否继续，不能的请与用户、IPS 协商退回。",
	"effect":        "IPS 已答复，平台入账出错，会自动重试。请查看程序日志，排除原因。",
	"doubt":         "请向 IPS 核对是否办成，再记录“已办成”或“未办成”。",
	"unknown":       "平台会继续查询；长时间没有结果的，请向 IPS 核对后记录结论。",
	"rows":          "请向 IPS 取得明细，记录“已办成”并填写未成功的行号。",
	"form":          "用户多半关闭了页面。请向 IPS 核对；没有办成的，记录“未办成”。",
	"again":         "请查明原因（如余额不足），排除后选择“原样重发”，或记录结论。",
}

// fieldNames are those of the interface that an answer can differ in.
var fieldNames = map[string]string{
	"pTrdAmt": "交易金额", "pMerBillNo": "订单号", "pBidNo": "标的号", "pContractNo": "合同号", "pIpsAcctNo": "托管账户", "pAccount": "托管账户", "pFromAccount": "转出方账户",
	"pToAccount": "转入方账户", "pCreMerBillNo": "登记债权人订单号", "pTransferType": "转账类型", "pUnfreezenType": "解冻类型", "pTradeType": "交易类型", "pIdentNo": "身份证号",
	"pAuthAmt": "债权面额", "pTransferAmt": "转让价格", "pGuaranteeAmt": "担保金额", "pMarginAmt": "保证金", "pOutAmt": "转出金额", "pInAmt": "转入金额", "pRow": "明细",
}

// fieldName is a field of the interface as people call it, with its own name for staff.
func fieldName(wire string) string {
	name, _, _ := strings.Cut(wire[strings.LastIndex(wire, "/")+1:], "[")
	return cmp.Or(fieldNames[name], "字段") + "（" + wire + "）"
}

// differs says in a sentence what was asked, what was said, and the difference.
func differs(d ips.Difference) string {
	text := "平台请求 " + cmp.Or(d.Asked, "（无）") + "，IPS 答复 " + cmp.Or(d.Said, "（无）")
	asked, err := ips.ParseAmount(d.Asked)
	said, err2 := ips.ParseAmount(d.Said)
	if err == nil && err2 == nil && strings.Contains(d.Asked, ".") {
		text += fmt.Sprintf("，相差 %s", said-asked)
	}
	return text
}

// chapter is one of the usage guide's: who does it, where the site shows it, and
// which finished orders belong to it, as an SQL condition.
type chapter struct {
	no, name, who, path string
	staff               bool // the path is staff's
	how, done           string
}

func of(op ips.Operation) string { return "a.operation = '" + string(op) + "'" }

var guide = []chapter{
	{"1", "用户开户", "用户", "/account", false, "注册后点“开通托管账户”，在 IPS 页面设置密码和银行卡", of(ips.OpOpenAccount)},
	{"2", "平台发布借款标", "借款人、平台", "/borrow", false, "借款人提交借款申请，平台审核后发布；IPS 短信征得借款人同意", "kind = 'publish'"},
	{"3", "担保方对标的担保", "担保方", "/loans", false, "在标的页面选择有保证金或无保证金担保；担保收益须借款人同意", "kind = 'guarantee'"},
	{"4", "投资人投标（一次性放款）", "投资人、平台", "/loans", false, "投资人投标并在 IPS 确认，资金冻结；满标后平台放款", "kind = 'bid' AND (SELECT COUNT(*) FROM acts b WHERE b.bid_no = a.bid_no AND b.kind = 'release') < 2"},
	{"5", "投资人投标（随投随放）", "投资人、平台", "/loans", false, "未满标时平台即可放款，之后可继续投标、再次放款", "kind = 'release' AND (SELECT COUNT(*) FROM acts b WHERE b.bid_no = a.bid_no AND b.kind = 'release') > 1"},
	{"6", "个人债权转让", "出让方、受让方", "/claims", false, "在“我的债权”挂牌，受让方在“转让市场”购买并在 IPS 确认", "kind = 'sale'"},
	{"7", "借款人还款", "借款人", "/borrow", false, "在标的页面按还款计划逐期手动还款", of(ips.OpRepay)},
	{"8", "担保方代偿", "平台", "/admin", true, "平台发起，由担保方代偿给投资人，每次一期", "kind = 'compensate'"},
	{"9", "借款人针对代偿的还款", "借款人", "/borrow", false, "在标的页面向担保方还款", "kind = 'reimburse'"},
	{"10", "托管账户充值（网银）", "用户", "/funds", false, "选择充值银行，到银行页面付款", of(ips.OpRecharge) + " AND about LIKE '网银%'"},
	{"11", "托管账户充值（委托收款-用户发起）", "用户", "/funds", false, "选择代扣充值；需事先面签委托授权书", of(ips.OpRecharge) + " AND about LIKE '代扣%'"},
	{"12", "托管账户充值（委托收款-商户发起）", "平台", "/admin", true, "平台发起代扣，IPS 短信征得用户同意", of(ips.OpWithholdingRecharge)},
	{"13", "托管账户提现", "用户", "/funds", false, "填写提现金额，在 IPS 页面确认", of(ips.OpWithdraw)},
	{"14", "解冻担保方保证金", "平台", "/admin", true, "可分批解冻直至为零", "kind = 'unfreeze' AND ref <> ''"},
	{"15", "解冻借款人保证金", "平台", "/admin", true, "可分批解冻直至为零", "kind = 'unfreeze' AND ref = ''"},
	{"16", "投资人设置自动投标", "投资人、平台", "/contracts", false, "投资人设置规则并在 IPS 确认，平台在规则内代为投标", of(ips.OpSignAutoBid) + " OR " + of(ips.OpAutoBid)},
	{"17", "借款人设置自动还款", "借款人、平台", "/contracts", false, "借款人授权后，平台可随时代为还款", of(ips.OpSignAutoRepay) + " OR kind = 'autorepay'"},
	{"三", "新老系统过渡：老标的还款", "借款人、平台", "/borrow", false, "平台登记老标的，借款人在标的页面按老接口还款", of(ips.OpRepayOldBid)},
}
