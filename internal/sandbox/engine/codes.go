package engine

import (
	"fmt"
	"strings"
	"unicode"
)

// Grade says how far something can be trusted to be the platform's own.
type Grade string

// The grades.
const (
	Real   Grade = "R" // seen in a message of the real platform
	Demo   Grade = "D" // in the demo of the platform's maker
	Manual Grade = "M" // quoted from its manual by merchants' programs, or relied on by them
	Guide  Grade = "G" // in the usage guide
	Choice Grade = "X" // our own choice: no evidence names it
)

// Code is a result code.
type Code struct {
	Code string
	// Text is the pattern of its text. That of a refusal stands within the
	// platform's own frame, 操作名失败，…，错误码CODE, unless it begins with =.
	Text string
	// Grade is how well code and text are known.
	Grade Grade
	// Rule is how well it is known that the platform refuses the case at all;
	// "" for what is no refusal.
	Rule Grade
	// Why says why a rule of our own choice (X) stays: money or state would
	// be wrong without it.
	Why string
}

// The codes that are no refusals, and the general failures.
const (
	codeDone       = "MG00000F"
	codeAccepted   = "MG00008F"
	codeFailed     = "MG00001F"
	codeMissing    = "MG00006F"
	codeBidNew     = "MG02500F"
	codeBidRaising = "MG02501F"
	codeBidEnding  = "MG02503F"
	codeBidEnded   = "MG02505F"
	codeOldDone    = "0000" // of the interface before v2.0
	codeRepayField = "MG12005F"
)

// Reasons why a rule of our own stays.
const (
	whyBooks   = "the books would not add up"
	whyNobody  = "there is nobody or nothing there to act on"
	whyState   = "the state of the bid leaves nothing to do"
	whyParties = "one person would owe himself"
	whyConsent = "nobody confirmed more"
)

// codeTable lists every code that is not given to all operations alike. The
// hundreds are the platform's: R for 02, 03, 05, 12, 18 and 19, M for 04; those
// of 06, 07, 09, 11, 13 and 20 are our choice.
var codeTable = [...]Code{
	{codeDone, "操作成功", Real, "", ""},
	{codeAccepted, "IPS受理中！", Real, "", ""},
	{codeFailed, "系统处理异常", Manual, Manual, ""},
	{codeMissing, "=必要参数(%s)不能为空！", Real, Real, ""},

	// 4.2 开户
	{"MG01002F", "=开户失败，要素验证错误,商户号(%s) 订单号(%s) 错误码MG01002F,错误内容(%s)", Real, Real, ""},
	{"MG01011F", "该邮箱已被使用", Real, Real, ""},

	// 4.3 标的登记
	{"MG02002F", "(商户日期)格式不正确", Real, Real, ""},
	{"MG02008F", "标的已存在，标的号(%s)，平台商户号(%s)", Real, Real, ""},
	{"MG02013F", "借款人账户信息不正确，账号(%s)", Real, Real, ""},
	{"MG02027F", "标的不存在，标的号(%s)", Real, Real, ""},
	{"MG02030F", "标的已结束，标的号(%s)", Real, Real, ""},
	{"MG02044F", "", Real, Real, ""}, // seen with a margin that could not be frozen (inferred)
	{"MG02047F", "借款人30分钟内未回复短信", Real, Real, ""},
	{"MG02052F", "借款周期超出范围，月数(%s)", Choice, Manual, ""},
	{"MG02053F", "订单号与标的登记时不一致，订单号(%s)", Choice, Real, ""},
	{"MG02054F", "标的等待借款人确认，不能结束，标的号(%s)", Choice, Choice, "a yes that comes later would open an ended bid"},
	{"MG02055F", "标的仍有未还清的债权，标的号(%s)，债权人订单号(%s)", Choice, Choice, "a claim on an ended bid can be paid by no operation"},
	{codeBidNew, "标的新增，返回码MG02500F", Real, "", ""},
	{codeBidRaising, "标的募集中", Real, "", ""},
	{codeBidEnding, "标的结束处理中，返回码MG02503F", Real, "", ""},
	{"MG02504F", "标的失败，标的号(%s)", Manual, Manual, ""},
	{codeBidEnded, "标的结束", Real, "", ""},

	// 4.4 登记债权人
	{"MG03011F", "账户余额不足，账号(%s)", Real, Real, ""},
	{"MG03021F", "标的不在募集中或进行中，标的号(%s)", Choice, Choice, whyState},
	{"MG03023F", "交易金额与债权面额不一致，交易金额(%s)，债权面额(%s)", Choice, Manual, ""},
	{"MG03024F", "投资人不能是借款人本人，账号(%s)", Choice, Choice, whyParties},
	{"MG03025F", "投资人账户不存在，账号(%s)", Choice, Choice, whyNobody},
	{"MG03027F", "自动投标授权不存在，授权号(%s)", Choice, Guide, ""},
	{"MG03028F", "自动投标授权已过期，授权号(%s)", Choice, Guide, ""},
	{"MG03029F", "借款期限超出自动投标授权范围，授权号(%s)", Choice, Guide, ""},
	{"MG03030F", "借款金额超出自动投标授权范围，授权号(%s)", Choice, Guide, ""},
	{"MG03031F", "借款利率超出自动投标授权范围，授权号(%s)", Choice, Guide, ""},
	{"MG03032F", "自动投标的手续费必须小于投标金额，手续费(%s)", Choice, Choice, whyConsent},
	{"MG03108F", "证件号码错误，商户号(%s)，订单号(%s)", Real, Real, ""},
	{"MG03112F", "=登记投资人失败，标的信息不存在，商户号(%s)，订单号(%s)", Real, Real, ""},
	{"MG03119F", "=登记投资人失败，标的累计投资额不能超过借款金额，商户号(%s)，订单号(%s)", Real, Real, ""},

	// 4.5 登记担保方
	{"MG04003F", "担保方已登记，账号(%s)", Manual, Manual, ""},
	{"MG04020F", "标的不存在，标的号(%s)", Choice, Choice, whyNobody},
	{"MG04021F", "标的不在募集中或进行中，标的号(%s)", Choice, Choice, whyState},
	{"MG04022F", "担保方账户信息不正确，账号(%s)", Choice, Choice, whyNobody},
	{"MG04024F", "担保方可用余额不足以冻结保证金，账号(%s)", Choice, Guide, ""},
	{"MG04025F", "担保方不能是借款人本人，账号(%s)", Choice, Choice, whyParties},
	{"MG04026F", "机构担保方必须是本平台的商户号，商户号(%s)", Choice, Choice, "merchants never touch each other's money"},

	// 4.6 登记债权转让
	{"MG05020F", "标的不存在，标的号(%s)", Choice, Choice, whyNobody},
	{"MG05021F", "标的不在进行中，标的号(%s)", Choice, Guide, ""},
	{"MG05022F", "债权不存在，债权人订单号(%s)", Choice, Choice, whyNobody},
	{"MG05024F", "债权尚未放款，债权人订单号(%s)", Choice, Guide, ""},
	{"MG05025F", "出让方可转让的债权面额不足，账号(%s)，可转让面额(%s)", Choice, Choice, whyBooks},
	{"MG05026F", "债权已还清，债权人订单号(%s)", Choice, Choice, "there is nothing left to buy"},
	{"MG05029F", "支付金额必须为债权面额的70%%至130%%，支付金额(%s)，债权面额(%s)", Choice, Manual, ""},
	{"MG05030F", "出让方账户信息不正确，账号(%s)", Choice, Choice, whyNobody},
	{"MG05032F", "受让方账户信息不正确，账号(%s)", Choice, Choice, whyNobody},
	{"MG05035F", "受让方不能是出让方本人，账号(%s)", Choice, Choice, whyParties},
	{"MG05036F", "受让方不能是借款人本人，账号(%s)", Choice, Choice, whyParties},
	{"MG05038F", "IPS账户余额不足", Real, Real, ""},
	{"MG05039F", "出让方手续费超出支付金额，手续费(%s)", Choice, Choice, "the assignor confirms nothing, and pays it out of the price"},

	// 4.7 自动投标签约
	{"MG06020F", "投资人账户信息不正确，账号(%s)", Choice, Choice, whyNobody},
	{"MG06022F", "有效期超出范围，有效期(%s)", Choice, Manual, ""},
	{"MG06023F", "借款期限超出范围，起(%s)，止(%s)", Choice, Manual, ""},

	// 4.8 自动还款签约
	{"MG07020F", "借款人账户信息不正确，账号(%s)", Choice, Choice, whyNobody},
	{"MG07022F", "有效期超出范围，有效期(%s)", Choice, Manual, ""},

	// 4.10 转账
	{"MG09020F", "标的不存在，标的号(%s)", Choice, Choice, whyNobody},
	{"MG09021F", "标的状态不允许该类型转账，标的号(%s)", Choice, Choice, whyState},
	{"MG09022F", "批量转账方式仅支持投资类型，转账类型(%s)", Choice, Manual, ""},
	{"MG09023F", "转账明细的转出方转入方关系不符合该类型，行号(%s)", Choice, Manual, ""},
	{"MG09025F", "转账方不是标的借款人，账号(%s)", Choice, Manual, ""},
	{"MG09026F", "转出方不是该标的的担保方，账号(%s)", Choice, Manual, ""},
	{"MG09030F", "原商户订单号对应的登记不存在，订单号(%s)", Choice, Choice, whyNobody},
	{"MG09031F", "投标资金已放款或已解冻，订单号(%s)", Choice, Guide, ""},
	{"MG09032F", "转账金额与登记的金额不一致，订单号(%s)，金额(%s)", Choice, Manual, ""},
	{"MG09033F", "转账方与登记信息不一致，账号(%s)", Choice, Manual, ""},
	{"MG09034F", "手续费超出登记的手续费，订单号(%s)", Choice, Choice, whyConsent},
	{"MG09035F", "累计转入方手续费超出标的登记的手续费，标的号(%s)，手续费(%s)", Choice, Manual, ""},
	{"MG09036F", "转入方余额不足以支付手续费，账号(%s)", Choice, Choice, whyBooks},
	{"MG09038F", "累计代偿金额超出担保金额，担保金额(%s)，金额(%s)", Choice, Manual, ""},
	{"MG09039F", "转入方未持有该债权，账号(%s)", Choice, Manual, ""},
	{"MG09041F", "转出方余额不足，账号(%s)", Choice, Choice, whyBooks},
	{"MG09043F", "金额超出尚欠的代偿款，订单号(%s)，尚欠金额(%s)", Choice, Guide, ""},
	{"MG09044F", "全部明细处理失败，订单号(%s)", Choice, Choice, "nothing was done, so it is no success"},
	{"MG09046F", "债权转让已完成或已终止，订单号(%s)", Choice, Choice, whyBooks},
	{"MG09050F", "债权已还清，债权人订单号(%s)", Choice, Choice, "there is nothing left to hand over"},
	{"MG09052F", "累计担保收益超出登记的担保收益，担保收益(%s)，金额(%s)", Choice, Manual, ""},
	{"MG09053F", "手续费超出转账金额，订单号(%s)", Choice, Choice, whyConsent},

	// 4.11 还款
	{codeRepayField, "=还款失败，要素验证错误，错误内容(%s|)，错误码:MG12005F", Real, Real, ""},
	{"MG12020F", "标的不存在，标的号(%s)", Choice, Choice, whyNobody},
	{"MG12021F", "标的不在进行中，标的号(%s)", Choice, Choice, whyState},
	{"MG12022F", "转出方不是标的借款人，账号(%s)", Choice, Manual, ""},
	{"MG12023F", "还款总金额与明细不一致，总金额(%s)，明细合计(%s)", Choice, Manual, ""},
	{"MG12024F", "还款总手续费与明细不一致，总手续费(%s)，明细合计(%s)", Choice, Manual, ""},
	{"MG12026F", "自动还款授权不存在，授权号(%s)", Choice, Guide, ""},
	{"MG12027F", "自动还款授权已过期，授权号(%s)", Choice, Guide, ""},
	{"MG12028F", "借款人账户余额不足，账号(%s)", Choice, Choice, whyBooks},
	{"MG12029F", "转入金额必须大于转入方手续费，行号(%s)，转入金额(%s)", Choice, Manual, ""},
	{"MG12030F", "债权不存在，债权人订单号(%s)", Choice, Choice, whyNobody},
	{"MG12031F", "转入方未持有该债权，账号(%s)", Choice, Manual, ""},
	{"MG12033F", "债权尚未放款，债权人订单号(%s)", Choice, Choice, whyState},
	{"MG12034F", "自动还款的转出方手续费不能超过转入金额，行号(%s)", Choice, Choice, whyConsent},
	{"MG12044F", "全部明细处理失败，订单号(%s)", Choice, Choice, "nothing was done, so it is no success"},

	// 4.12 解冻保证金
	{"MG11020F", "标的不存在，标的号(%s)", Choice, Choice, whyNobody},
	{"MG11021F", "账户不是标的借款人，账号(%s)", Choice, Choice, whyNobody},
	{"MG11022F", "账户不是标的担保方，账号(%s)", Choice, Choice, whyNobody},
	{"MG11023F", "该账号的身份信息有误，账号(%s)", Choice, Choice, whyNobody},
	{"MG11024F", "解冻金额超出冻结的保证金，解冻金额(%s)，冻结金额(%s)", Choice, Guide, ""},

	// 4.13 自动代扣充值
	{"MG13020F", "该账号的身份信息有误，账号(%s)", Choice, Choice, whyNobody},
	{"MG13023F", "用户未签订委托授权书，账号(%s)", Choice, Guide, ""},
	{"MG13024F", "手续费超出充值金额，充值金额(%s)", Choice, Choice, whyBooks},
	{"MG13025F", "平台账户余额不足以支付IPS手续费，商户号(%s)", Choice, Choice, whyBooks},
	{"MG13046F", "用户短信拒绝", Choice, Guide, ""},
	{"MG13047F", "用户30分钟内未回复短信", Choice, Guide, ""},

	// 4.9 充值
	{"MG18020F", "该账号的身份信息有误，账号(%s)", Choice, Choice, whyNobody},
	{"MG18023F", "用户未签订委托授权书，账号(%s)", Choice, Guide, ""},
	{"MG18024F", "手续费超出充值金额，充值金额(%s)", Choice, Choice, whyBooks},
	{"MG18025F", "平台账户余额不足以支付IPS手续费，商户号(%s)", Choice, Choice, whyBooks},
	{"MG18026F", duplicateText, Real, Real, ""},
	{"MG18028F", "银行支付失败", Choice, Guide, ""},

	// 4.14 提现
	{"MG19010F", "该账号的身份信息有误", Real, Real, ""},
	{"MG19025F", "平台账户余额不足以支付IPS手续费，商户号(%s)", Choice, Choice, whyBooks},
	{"MG19054F", "IPS账户余额不足", Real, Real, ""},

	// 老版还款, of the interface before v2.0
	{codeOldDone, "操作成功", Manual, "", ""},
	{"MG20020F", "老标的不存在，标的号(%s)", Choice, Choice, whyNobody},
	{"MG20022F", "借款人账户信息不正确，账号(%s)", Choice, Choice, whyNobody},
	{"MG20023F", "总金额与明细合计不一致，总金额(%s)，明细合计(%s)", Choice, Choice, whyBooks},
	{"MG20024F", "转入金额必须大于手续费，行号(%s)，转入金额(%s)", Choice, Choice, whyConsent},
	{"MG20025F", "借款人可用余额不足，账号(%s)", Choice, Choice, whyBooks},
	{"MG20030F", "账号不是该老标的的投资人，账号(%s)", Choice, Choice, whyNobody},
	{"MG20044F", "全部明细处理失败，订单号(%s)", Choice, Choice, "nothing was done, so it is no success"},
}

// The numbers that every operation has in its own hundred: MGoo080F and so on,
// where oo is the operation's number. Their numbers are our choice.
const (
	notOpen        = 80
	numberTaken    = 90
	cancelled      = 91
	wrongPasswords = 92
	unconfirmed    = 93
	rowFault       = 99
	malformed      = 200
)

const duplicateText = "订单号重复"

// commonTable are the patterns of the codes that operations have in common.
var commonTable = map[int]Code{
	notOpen:        {"", "该业务暂未开放，%s(%s)", Choice, Manual, ""},
	numberTaken:    {"", duplicateText, Choice, Real, ""},
	cancelled:      {"", "用户取消操作，商户号(%s)，订单号(%s)", Choice, Guide, ""},
	wrongPasswords: {"", "交易密码错误次数过多，商户号(%s)，订单号(%s)", Choice, Guide, ""},
	unconfirmed:    {"", "用户未在规定时间内确认，商户号(%s)，订单号(%s)", Choice, Guide, ""},
	rowFault:       {"", "明细处理失败，行号(%s)", Choice, Choice, "a test orders it"},
	malformed:      {"", "(%s)%s，%s(%s)", Choice, Manual, ""},
}

// commonCode is the code number n in the operation's own hundred.
func (op *operation) commonCode(n int) string {
	if n == numberTaken && op.name == "doDpTrade" {
		return "MG18026F"
	}
	return fmt.Sprintf("MG%s%03dF", op.number, n)
}

var codesByName = func() map[string]string {
	texts := make(map[string]string, len(codeTable))
	for i := range codeTable {
		texts[codeTable[i].Code] = codeTable[i].Text
	}
	return texts
}()

// textOf is the text of an answer that is no refusal.
func textOf(code string) string { return codesByName[code] }

// refusal is why the platform does not do what it was asked.
type refusal struct {
	code, text string
	shape      bool // of a single field: then the order's number is not remembered
}

// ofShape marks a refusal as one of a field's shape.
func (r *refusal) ofShape() *refusal { r.shape = true; return r }

// refuse words a refusal as the platform does. Values must be fit for showing.
func refuse(title, code string, values ...string) *refusal {
	return word(title, code, codesByName[code], values)
}

// refuse is a refusal by one of the operation's common codes.
func (op *operation) refuse(n int, values ...string) *refusal {
	return word(op.title, op.commonCode(n), commonTable[n].Text, values)
}

func word(title, code, pattern string, values []string) *refusal {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = shown(v)
	}
	text, whole := strings.CutPrefix(fmt.Sprintf(pattern, list...), "=")
	if !whole {
		if text != "" {
			text += "，"
		}
		text = title + "失败，" + text + "错误码" + code
	}
	return &refusal{code: code, text: text}
}

// shown makes a stranger's value fit for a text: short and on one line.
func shown(s string) string {
	const most = 40
	runes := []rune(s)
	if len(runes) > most {
		runes = append(runes[:most], '…')
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	return string(runes)
}
