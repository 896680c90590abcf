package ips

// Code is a result code of IPS (pErrCode). The list below is what is known and
// is not complete: a code that is not in it is a failure and keeps its text.
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
	// CodeBidDate (商户日期格式不正确): the registration date is malformed.
	CodeBidDate Code = "MG02002F"
	// CodeBidExists (标的已存在): the bid number is taken at this merchant.
	CodeBidExists Code = "MG02008F"
	// CodeBidBorrower (借款人账户信息不正确): borrower account, name and id
	// number do not belong together.
	CodeBidBorrower Code = "MG02013F"
	// CodeBidUnknown (标的不存在): no such bid.
	CodeBidUnknown Code = "MG02029F"
	// CodeBidOver (标的已结束): the bid has ended before.
	CodeBidOver Code = "MG02030F"
	// CodeBidRefused (登记标的失败): the bid was not registered.
	CodeBidRefused Code = "MG02044F"
	// CodeBidNoReply (借款人30分钟内未回复短信): the borrower did not answer the
	// text message in time; arrives by S2S, the bid has failed.
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

// The codes of creditors, guarantors and withdrawals.
const (
	// CodeInvestorFunds (登记投资人失败，账户余额不足): the investor's available
	// balance does not cover amount and fee.
	CodeInvestorFunds Code = "MG03011F"
	// CodeInvestorIdentity (登记投资人失败，证件号码错误): the id number does not
	// belong to the account.
	CodeInvestorIdentity Code = "MG03108F"
	// CodeGuarantorExists: this guarantor is registered for the bid already.
	CodeGuarantorExists Code = "MG04003F"
	// CodeWithdrawIdentity (提现申请失败，该账号的身份信息有误): name or id number
	// do not belong to the account.
	CodeWithdrawIdentity Code = "MG19010F"
)

// The codes of the queries and of the old interface.
const (
	// CodeQuerySuccess: the query (or the old repayment) succeeded.
	CodeQuerySuccess Code = "0000"
	// CodeQueryFailed: the query failed.
	CodeQueryFailed Code = "9999"
)

// Outcome is what an answer means for the order: done, undecided or refused.
type Outcome int

// The outcomes. The zero value is Failure, so that nothing counts as done
// unless IPS said so.
const (
	// Failure: refused, nothing was done.
	Failure Outcome = iota
	// Pending: accepted and undecided; the final answer comes as a
	// notification. Not an error.
	Pending
	// Success: done.
	Success
)

// String gives "failure", "pending" or "success".
func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Pending:
		return "pending"
	default:
		return "failure"
	}
}
