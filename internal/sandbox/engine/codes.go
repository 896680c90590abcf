package engine

import (
	"fmt"
	"strings"
)

// Grade says how far a result code can be trusted to be the platform's own.
type Grade string

// The grades of a result code.
const (
	Real   Grade = "R" // seen in a message of the real platform
	Manual Grade = "M" // quoted from its manual by merchants' programs
	Choice Grade = "X" // our own choice: no evidence names a code for this case
)

// Code is a result code: its number, the reason that stands in its text, and
// how well it is known.
type Code struct {
	Code   string
	Reason string
	Grade  Grade
}

// The codes that are no refusals, and the two general failures.
const (
	codeDone       = "MG00000F"
	codeAccepted   = "MG00008F"
	codeFailed     = "MG00001F"
	codeMissing    = "MG00006F"
	codeBidNew     = "MG02500F"
	codeBidRaising = "MG02501F"
	codeBidEnding  = "MG02503F"
	codeBidEnded   = "MG02505F"
)

// The numbers that every operation has in its own thousand: MGoo080F where oo
// is the operation's number. Free numbers of our own choice, like the ranges
// MGoo2nnF (field nn of the request, counted in wire order, is malformed) and
// MGoo3nnF (the same for field nn of a pRow).
const (
	notOpen        = 80
	numberTaken    = 90
	cancelled      = 91
	wrongPasswords = 92
	unconfirmed    = 93
	rowFault       = 99
	malformed      = 200
	malformedRow   = 300
)

// codeTable lists every code that is not given to all operations alike.
var codeTable = [...]Code{
	{codeDone, "操作成功", Real},
	{codeAccepted, "IPS受理中", Manual},
	{codeFailed, "系统处理异常", Manual},
	{codeMissing, "必要参数(…)不能为空！", Real},

	// 4.2 开户
	{"MG01002F", "要素验证错误", Real},
	{"MG01011F", "该邮箱已被使用", Real},

	// 4.3 标的登记
	{"MG02002F", "(商户日期)格式不正确", Real},
	{"MG02008F", "标的已存在", Real},
	{"MG02013F", "借款人账户信息不正确", Real},
	{"MG02029F", "标的不存在", Manual},
	{"MG02030F", "标的已结束", Manual},
	{"MG02044F", "", Real}, // no reason is given; here: the bid cannot be opened any more when the borrower says yes
	{"MG02047F", "借款人30分钟内未回复短信", Real},
	{"MG02051F", "借款人可用余额不足以冻结保证金", Choice},
	{"MG02052F", "借款周期超出范围", Choice},
	{"MG02053F", "订单号与标的登记时不一致", Choice},
	{"MG02054F", "标的等待借款人确认，不能结束", Choice},
	{"MG02055F", "标的仍有未还清的债权", Choice},
	{codeBidNew, "标的新增", Real},
	{codeBidRaising, "标的募集中", Real},
	{codeBidEnding, "标的结束处理中", Manual},
	{"MG02504F", "标的失败", Manual},
	{codeBidEnded, "标的结束", Real},

	// 4.4 登记债权人
	{"MG03011F", "账户余额不足", Real},
	{"MG03020F", "标的不存在", Choice},
	{"MG03021F", "标的不在募集中或进行中", Choice},
	{"MG03022F", "累计投标金额超出借款金额", Choice},
	{"MG03023F", "交易金额与债权面额不一致", Choice},
	{"MG03024F", "投资人不能是借款人本人", Choice},
	{"MG03025F", "投资人账户不存在", Choice},
	{"MG03026F", "手动投标不得填写授权号", Choice},
	{"MG03027F", "自动投标授权不存在", Choice},
	{"MG03028F", "自动投标授权已过期", Choice},
	{"MG03029F", "借款期限超出自动投标授权范围", Choice},
	{"MG03030F", "借款金额超出自动投标授权范围", Choice},
	{"MG03031F", "借款利率超出自动投标授权范围", Choice},
	{"MG03108F", "证件号码错误", Real},
	{"MG03109F", "真实姓名错误", Choice},

	// 4.5 登记担保方
	{"MG04003F", "担保方已登记", Manual},
	{"MG04020F", "标的不存在", Choice},
	{"MG04021F", "标的不在募集中或进行中", Choice},
	{"MG04022F", "担保方账户不存在", Choice},
	{"MG04023F", "担保方身份信息有误", Choice},
	{"MG04024F", "担保方可用余额不足以冻结保证金", Choice},
	{"MG04025F", "担保方不能是借款人本人", Choice},
	{"MG04026F", "机构担保方必须是本平台的商户号", Choice},

	// 4.6 登记债权转让
	{"MG05020F", "标的不存在", Choice},
	{"MG05021F", "标的不在进行中", Choice},
	{"MG05022F", "债权不存在", Choice},
	{"MG05023F", "合同号与债权登记时不一致", Choice},
	{"MG05024F", "债权尚未放款", Choice},
	{"MG05025F", "出让方未持有该债权", Choice},
	{"MG05026F", "债权已还清", Choice},
	{"MG05027F", "部分转让的债权面额必须小于可转让面额", Choice},
	{"MG05028F", "全部转让的债权面额与剩余债权不符", Choice},
	{"MG05029F", "支付金额必须为债权面额的70%至130%", Choice},
	{"MG05030F", "出让方账户不存在", Choice},
	{"MG05031F", "出让方身份信息有误", Choice},
	{"MG05032F", "受让方账户不存在", Choice},
	{"MG05033F", "受让方身份信息有误", Choice},
	{"MG05034F", "受让方账户余额不足", Choice},
	{"MG05035F", "受让方不能是出让方本人", Choice},
	{"MG05036F", "受让方不能是借款人本人", Choice},
	{"MG05037F", "债权已登记其他转让", Choice},
	{"MG05038F", "出让方手续费超出支付金额", Choice},

	// 4.7 自动投标签约
	{"MG06020F", "投资人账户不存在", Choice},
	{"MG06021F", "投资人身份信息有误", Choice},
	{"MG06022F", "有效期超出范围", Choice},
	{"MG06023F", "借款期限超出范围", Choice},
	{"MG06024F", "借款期限起止颠倒", Choice},
	{"MG06025F", "借款额度起止颠倒", Choice},
	{"MG06026F", "利率限额起止颠倒", Choice},

	// 4.8 自动还款签约
	{"MG07020F", "借款人账户不存在", Choice},
	{"MG07021F", "借款人身份信息有误", Choice},
	{"MG07022F", "有效期超出范围", Choice},

	// 4.9 充值
	{"MG08020F", "账户不存在", Choice},
	{"MG08021F", "该账号的身份信息有误", Choice},
	{"MG08022F", "银行编号不存在", Choice},
	{"MG08023F", "用户未签订委托授权书", Choice},
	{"MG08024F", "手续费超出充值金额", Choice},
	{"MG08025F", "平台账户余额不足以支付IPS手续费", Choice},
	{"MG08026F", "银行支付失败", Choice},
	{"MG08027F", "代扣充值不得填写银行编号", Choice},

	// 4.10 转账
	{"MG09020F", "标的不存在", Choice},
	{"MG09021F", "标的状态不允许该类型转账", Choice},
	{"MG09022F", "批量转账方式仅支持投资类型", Choice},
	{"MG09023F", "转账明细的转出方转入方关系不符合该类型", Choice},
	{"MG09024F", "转账方账户类型不正确", Choice},
	{"MG09025F", "转账方不是标的借款人", Choice},
	{"MG09026F", "转出方不是该标的的担保方", Choice},
	{"MG09030F", "投标订单不存在", Choice},
	{"MG09031F", "投标资金已放款或已解冻", Choice},
	{"MG09032F", "转账金额与债权面额不一致", Choice},
	{"MG09033F", "转出方不是该订单的投资人", Choice},
	{"MG09034F", "转出方手续费超出冻结的手续费", Choice},
	{"MG09035F", "累计转入方手续费超出标的登记的手续费", Choice},
	{"MG09036F", "转入方余额不足以支付手续费", Choice},
	{"MG09037F", "担保方不能向本人代偿", Choice},
	{"MG09038F", "累计代偿金额超出担保金额", Choice},
	{"MG09039F", "转入方未持有该债权", Choice},
	{"MG09040F", "金额超出债权应收本息", Choice},
	{"MG09041F", "转出方余额不足", Choice},
	{"MG09042F", "代偿订单不存在", Choice},
	{"MG09043F", "金额超出尚欠的代偿款", Choice},
	{"MG09044F", "全部明细处理失败", Choice},
	{"MG09045F", "债权转让登记不存在", Choice},
	{"MG09046F", "债权转让已完成或已终止", Choice},
	{"MG09047F", "转账金额与登记的支付金额不一致", Choice},
	{"MG09048F", "转账方与登记信息不一致", Choice},
	{"MG09049F", "转账方手续费超出登记的手续费", Choice},
	{"MG09050F", "债权已还清", Choice},
	{"MG09051F", "担保登记不存在", Choice},
	{"MG09052F", "累计担保收益超出登记的担保收益", Choice},

	// 4.11 还款
	{"MG10020F", "标的不存在", Choice},
	{"MG10021F", "标的不在进行中", Choice},
	{"MG10022F", "转出方不是标的借款人", Choice},
	{"MG10023F", "还款总金额与明细不一致", Choice},
	{"MG10024F", "还款总手续费与明细不一致", Choice},
	{"MG10025F", "手动还款不得填写授权号", Choice},
	{"MG10026F", "自动还款授权不存在", Choice},
	{"MG10027F", "自动还款授权已过期", Choice},
	{"MG10028F", "借款人账户余额不足", Choice},
	{"MG10029F", "转入金额必须大于转入方手续费", Choice},
	{"MG10030F", "债权不存在", Choice},
	{"MG10031F", "转入方未持有该债权", Choice},
	{"MG10032F", "金额超出债权应收本息", Choice},
	{"MG10033F", "债权尚未放款", Choice},
	{"MG10044F", "全部明细处理失败", Choice},

	// 4.12 解冻保证金
	{"MG11020F", "标的不存在", Choice},
	{"MG11021F", "账户不是标的借款人", Choice},
	{"MG11022F", "账户不是标的担保方", Choice},
	{"MG11023F", "该账号的身份信息有误", Choice},
	{"MG11024F", "解冻金额超出冻结的保证金", Choice},
	{"MG11025F", "账户类型不正确", Choice},

	// 4.13 自动代扣充值
	{"MG12020F", "账户不存在", Choice},
	{"MG12021F", "该账号的身份信息有误", Choice},
	{"MG12023F", "用户未签订委托授权书", Choice},
	{"MG12024F", "手续费超出充值金额", Choice},
	{"MG12025F", "平台账户余额不足以支付IPS手续费", Choice},
	{"MG12046F", "用户短信拒绝", Choice},
	{"MG12047F", "用户30分钟内未回复短信", Choice},

	// 4.14 提现
	{"MG19010F", "该账号的身份信息有误", Real},
	{"MG19020F", "账户不存在", Choice},
	{"MG19024F", "账户余额不足", Choice},
	{"MG19025F", "平台账户余额不足以支付IPS手续费", Choice},

	// 老版还款, of the interface before v2.0
	{"0000", "操作成功", Manual},
	{"MG18020F", "老标的不存在", Choice},
	{"MG18021F", "合同号或放款订单号与老标的不一致", Choice},
	{"MG18022F", "借款人账户信息不正确", Choice},
	{"MG18023F", "总金额与明细合计不一致", Choice},
	{"MG18024F", "转入金额必须大于手续费", Choice},
	{"MG18025F", "借款人可用余额不足", Choice},
	{"MG18030F", "账号不是该老标的的投资人", Choice},
	{"MG18031F", "还款金额超出该投资人的应收金额", Choice},
	{"MG18044F", "全部明细处理失败", Choice},
}

// commonCode is the code number n in the operation's own thousand.
func (op *operation) commonCode(n int) string {
	return fmt.Sprintf("MG%s%03dF", op.number, n)
}

// duplicateCode refuses a number that is taken. That of the recharge was seen;
// the others are our choice.
func (op *operation) duplicateCode() string {
	if op.name == "doDpTrade" {
		return "MG18026F"
	}
	return op.commonCode(numberTaken)
}

// commonCodes are the codes that the operation has by the general scheme.
func (op *operation) commonCodes() []Code {
	codes := []Code{
		{op.commonCode(numberTaken), "商户订单号已被使用且内容不同", Choice},
	}
	add := func(n int, reason string) {
		codes = append(codes, Code{op.commonCode(n), reason, Choice})
	}
	for i := range op.fields {
		if op.fields[i].closed != "" {
			add(notOpen, "该业务暂未开放")
			break
		}
	}
	if op.redirect {
		add(cancelled, "用户取消操作")
		add(wrongPasswords, "交易密码错误次数过多")
		add(unconfirmed, "用户未在规定时间内确认")
	}
	if op.rows != nil {
		add(rowFault, "明细处理失败")
		add(malformed, tooManyRows(op.maxRows))
	}
	for i, f := range op.fields {
		if f.code == "" {
			add(malformed+i+1, malformedReason(f.label, f.rule.says))
		}
	}
	for i, f := range op.rows {
		add(malformedRow+i+1, malformedReason(f.label, f.rule.says))
	}
	return codes
}

// Codes lists every code that the engine gives, in the order of the manual.
func Codes() []Code {
	codes := append([]Code(nil), codeTable[:]...)
	for _, op := range operations() {
		codes = append(codes, op.commonCodes()...)
	}
	return codes
}

func reasonOf(code string) string {
	for i := range codeTable {
		if codeTable[i].Code == code {
			return codeTable[i].Reason
		}
	}
	return ""
}

func malformedReason(label, says string) string { return "(" + label + ")" + says }

// refusal is why the platform does not do what it was asked.
type refusal struct{ code, text string }

// refuse words a refusal as the platform does: operation, reason, what it is
// about (pairs of a name and a value), code. Values must be fit for showing.
func (op *operation) refuse(code string, about ...string) *refusal {
	return op.refuseFor(code, reasonOf(code), about...)
}

func (op *operation) refuseFor(code, reason string, about ...string) *refusal {
	var b strings.Builder
	b.WriteString(op.title)
	b.WriteString("失败，")
	if reason != "" {
		b.WriteString(reason)
		b.WriteString("，")
	}
	for i := 0; i+1 < len(about); i += 2 {
		fmt.Fprintf(&b, "%s(%s)，", about[i], shown(about[i+1]))
	}
	b.WriteString("错误码")
	b.WriteString(code)
	return &refusal{code, b.String()}
}

// missing is the platform's own text for an empty field.
func missing(label string) *refusal {
	return &refusal{codeMissing, "必要参数(" + label + ")不能为空！"}
}
