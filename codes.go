package ips

import "slices"

// Code is a result code of IPS (pErrCode). The list below is what is known and
// is not complete: a code of the same form that is not in it is a failure, keeps
// its text and is marked as not listed ([Reply] Unlisted).
//
// A Code is also an error, as [syscall.Errno] is, for use with errors.Is:
//
//	if errors.Is(err, ips.CodeBidExists) { … }
type Code string

// Error gives the code itself.
func (c Code) Error() string { return string(c) }

// The codes that more than one operation answers with.
const (
	// CodeSuccess (操作成功): done.
	CodeSuccess Code = "MG00000F"
	// CodeProcessing (IPS 受理中): accepted; the final result follows by S2S
	// notification. It is pending: neither success nor failure. Do not send the
	// order again under a new number.
	CodeProcessing Code = "MG00008F"
	// CodeFailed (失败): refused, for the reason in the message.
	CodeFailed Code = "MG00001F"
	// CodeFieldEmpty (必要参数不能为空): a required field is empty; the message
	// names it in Chinese. A mistake in the request: mend it, send anew.
	CodeFieldEmpty Code = "MG00006F"
)

// The codes of account opening (4.2 开户).
const (
	// CodeParticulars (要素验证错误): the person's name or id number did not
	// check. Ask the user to correct them; use a new order number.
	CodeParticulars Code = "MG01002F"
	// CodeEmailUsed (该邮箱已被使用): another IPS account has this e-mail.
	CodeEmailUsed Code = "MG01011F"
)

// The codes of bids (4.3 标的登记).
const (
	// CodeBidDate (商户日期格式不正确): the registration date is not near today.
	// The text speaks of its form, but dates of some days ago were refused so.
	CodeBidDate Code = "MG02002F"
	// CodeBidExists (标的已存在): the bid number is taken at this merchant. It
	// answers this message: an earlier registration may have made it so.
	CodeBidExists Code = "MG02008F"
	// CodeBidBorrower (借款人账户信息不正确): borrower account, name and id
	// number do not belong together.
	CodeBidBorrower Code = "MG02013F"
	// CodeBidUnknown (标的不存在): no such bid at IPS, of an end. It proves nothing
	// about the bid's money.
	CodeBidUnknown Code = "MG02027F"
	// CodeBidNoInfo (标的信息不存在): no such bid information, of an end; as
	// CodeBidUnknown.
	CodeBidNoInfo Code = "MG02029F"
	// CodeBidOver (标的已结束): the bid has ended before. After an end whose answer
	// was lost it proves that the bid is over; see [ErrBidOver].
	CodeBidOver Code = "MG02030F"
	// CodeBidRefused (登记标的失败): the bid was not registered. Seen only with a
	// borrower's margin, which probably could not be frozen.
	CodeBidRefused Code = "MG02044F"
	// CodeBidNoReply (借款人30分钟内未回复短信): the borrower did not answer the
	// text message in time; arrives by S2S, up to a quarter of an hour after the
	// 30 minutes. The bid has failed.
	CodeBidNoReply Code = "MG02047F"
	// CodeBidRegistered (标的新增): registered, waiting for the borrower's reply
	// to a text message. Pending.
	CodeBidRegistered Code = "MG02500F"
	// CodeBidRaising (标的募集中): the borrower agreed, investors may bid.
	// Success of a registration.
	CodeBidRaising Code = "MG02501F"
	// CodeBidEnding (标的结束处理中): the end of the bid is being carried out.
	// Pending.
	CodeBidEnding Code = "MG02503F"
	// CodeBidFailed (标的失败): the bid failed.
	CodeBidFailed Code = "MG02504F"
	// CodeBidEnded (标的结束): the bid has ended and what was frozen for it is
	// free. Success of an end of bid.
	CodeBidEnded Code = "MG02505F"
)

// The codes of creditors, guarantors, debt transfers, repayments, recharges and
// withdrawals.
const (
	// CodeInvestorFunds (登记投资人失败，账户余额不足): the investor's available
	// balance does not cover amount and fee.
	CodeInvestorFunds Code = "MG03011F"
	// CodeInvestorIdentity (登记投资人失败，证件号码错误): the id number does not
	// belong to the account.
	CodeInvestorIdentity Code = "MG03108F"
	// CodeInvestorBid (登记投资人失败，标的信息不存在): no such bid, or its borrower
	// has not agreed yet.
	CodeInvestorBid Code = "MG03112F"
	// CodeBidFull (标的累计投资额不能超过借款金额): the bid has not that much room.
	CodeBidFull Code = "MG03119F"
	// CodeGuarantorExists: this guarantor is registered for the bid already. It
	// answers this message: an earlier registration may have made it so.
	CodeGuarantorExists Code = "MG04003F"
	// CodeAssigneeFunds (登记债权转让失败，IPS账户余额不足): the assignee has not
	// enough.
	CodeAssigneeFunds Code = "MG05038F"
	// CodeRepayFields (还款失败，要素验证错误): a field of the repayment is missing or
	// wrong; the message names it.
	CodeRepayFields Code = "MG12005F"
	// CodeDuplicate (充值失败，订单号重复): the number of a recharge was used before.
	// It says nothing of how that order ended; see [ErrDuplicate].
	CodeDuplicate Code = "MG18026F"
	// CodeWithdrawIdentity (提现申请失败，该账号的身份信息有误): name or id number
	// do not belong to the account.
	CodeWithdrawIdentity Code = "MG19010F"
	// CodeWithdrawFunds (提现申请失败，IPS账户余额不足): the available balance does
	// not cover amount and fees.
	CodeWithdrawFunds Code = "MG19054F"
)

// The codes of the queries and of the old interface.
const (
	// CodeQuerySuccess: the query (or the old repayment) succeeded.
	CodeQuerySuccess Code = "0000"
	// CodeQueryFailed: the query failed.
	CodeQueryFailed Code = "9999"
	// CodeNoMerchant: no such merchant, of the account query.
	CodeNoMerchant Code = "01"
	// CodeNoAccount: no such account, of the account query.
	CodeNoAccount Code = "02"
)

// The listed refusals. A code of another operation's success or pending is in
// neither list and so no verdict here.
var (
	refusals = []Code{
		CodeFailed, CodeFieldEmpty, CodeParticulars, CodeEmailUsed,
		CodeBidDate, CodeBidExists, CodeBidBorrower, CodeBidUnknown, CodeBidNoInfo, CodeBidOver, CodeBidRefused, CodeBidNoReply, CodeBidFailed,
		CodeInvestorFunds, CodeInvestorIdentity, CodeInvestorBid, CodeBidFull, CodeGuarantorExists,
		CodeAssigneeFunds, CodeRepayFields, CodeDuplicate, CodeWithdrawIdentity, CodeWithdrawFunds,
	}
	queryFailures = []Code{CodeQueryFailed, CodeNoMerchant, CodeNoAccount}
	verdicts      = []Code{CodeSuccess, CodeProcessing, CodeBidRegistered, CodeBidRaising, CodeBidEnding, CodeBidEnded}
)

// unlisted reports whether c has the form of a code and is not in the lists.
func (c Code) unlisted() bool {
	return len(c) == 8 && c[:2] == "MG" && digits(string(c[2:7])) && c[7] == 'F' &&
		!slices.Contains(refusals, c) && !slices.Contains(verdicts, c)
}

// Outcome is what an answer means for the order.
type Outcome int

// The outcomes. The zero value is Undecided, so that nothing counts as done or
// as not done unless IPS said so.
const (
	// Undecided: the answer does not say what became of the order: a duplicate
	// number, a refusal that names no order, a code that is no verdict.
	Undecided Outcome = iota
	// Pending: accepted; the final answer comes as a notification. Not an error.
	Pending
	// Success: done.
	Success
	// Failure: what this message asked for was refused.
	Failure
)

// String gives "undecided", "pending", "success" or "failure".
func (o Outcome) String() string { return nth(o, "undecided", "pending", "success", "failure") }

// nth names a value of a numbered enumeration; one that is none is called by the
// first name.
func nth[T ~int](v T, names ...string) string {
	if v < 0 || int(v) >= len(names) {
		return names[0]
	}
	return names[v]
}

// name is what the String methods of enumerations have in common: the name of
// a known value, or the value itself, so that an unknown one is not lost.
func name[T ~string](v T, names map[T]string) string {
	if n, ok := names[v]; ok {
		return n
	}
	return "unknown (" + string(v) + ")"
}
