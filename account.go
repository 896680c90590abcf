package ips

import (
	"context"
)

// AccountType says whose an account is (账户类型 pAcctType).
type AccountType string

// The account types.
const (
	AccountOrganisation AccountType = "0" // 机构
	AccountPerson       AccountType = "1" // 个人
)

var accountTypes = map[AccountType]string{AccountOrganisation: "organisation", AccountPerson: "person"}

// String names the account type.
func (t AccountType) String() string { return name(t, accountTypes) }

// CheckStatus is the result of a check of the person's particulars
// (pCardStatus, pPhStatus).
type CheckStatus string

// The check results.
const (
	NotChecked  CheckStatus = "F" // 未验证
	CheckPassed CheckStatus = "Y" // 验证通过
	CheckFailed CheckStatus = "N" // 验证未通过
)

var checkStatuses = map[CheckStatus]string{NotChecked: "not checked", CheckPassed: "passed", CheckFailed: "failed"}

// String names the result.
func (s CheckStatus) String() string { return name(s, checkStatuses) }

// OpenAccountStatus is what became of an account opening (pStatus).
type OpenAccountStatus string

// The states of an account opening.
const (
	AccountOpened   OpenAccountStatus = "10" // 开户成功
	AccountTimedOut OpenAccountStatus = "5"  // 超时: the user did not finish the pages in time
	AccountFailed   OpenAccountStatus = "9"  // 开户失败
)

var openAccountStatuses = map[OpenAccountStatus]string{
	AccountOpened: "opened", AccountTimedOut: "timed out", AccountFailed: "failed",
}

// String names the state.
func (s OpenAccountStatus) String() string { return name(s, openAccountStatuses) }

// OpenAccountRequest opens a custody account (4.2 开户).
type OpenAccountRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant. If the user left the pages of
	// IPS midway, send the same number again to resume.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`

	_ struct{} `ips:"pIdentType,const=1"` // 身份证, the only kind

	// IdentNo is the user's id number (身份证号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the user's name (姓名 pRealName): at most 30 characters. IPS
	// takes Chinese names only.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Mobile is the user's mobile number (手机号 pMobileNo): 11 digits. IPS
	// texts the user there.
	Mobile string `ips:"pMobileNo" check:"len=11,digits,secret"`
	// Email becomes the user's login name at IPS (电子邮箱 pEmail): at most 50
	// characters, unique over all of IPS.
	Email string `ips:"pEmail" check:"max=50,secret"`
	// Date is the day of submission (提交日期 pSmDate).
	Date Date `ips:"pSmDate"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// OpenAccountResponse is the answer to an account opening.
type OpenAccountResponse struct {
	Reply

	Status       OpenAccountStatus `ips:"pStatus"`      // 状态
	Date         Date              `ips:"pSmDate"`      // of the request
	Email        string            `ips:"pEmail"`       // of the request
	IdentNo      string            `ips:"pIdentNo"`     // of the request
	RealName     string            `ips:"pRealName"`    // of the request
	Mobile       string            `ips:"pMobileNo"`    // of the request
	BankName     string            `ips:"pBankName"`    // 银行名称
	CardHolder   string            `ips:"pBkAccName"`   // 户名
	CardLast4    string            `ips:"pBkAccNo"`     // 银行卡号: its last 4 digits
	IdentStatus  CheckStatus       `ips:"pCardStatus"`  // 身份证验证
	MobileStatus CheckStatus       `ips:"pPhStatus"`    // 手机验证
	Account      string            `ips:"pIpsAcctNo"`   // 托管账户: the new custody account, on success
	AccountDate  Date              `ips:"pIpsAcctDate"` // 开户日期: day it was opened

	Memos
}

var openAccount = newOperation[OpenAccountRequest, OpenAccountResponse](OperationInfo{
	Operation: OpOpenAccount, Chinese: "开户", Section: "4.2", Method: "OpenAccount",
	Endpoint: "CreateNewIpsAcct.aspx", Transport: Redirect, Scenarios: []int{1},
}, operation{argNames: true, mark: "pSmDate", trade: TradeOpenAccount, tradeUncertain: true, results: true})

func (OpenAccountRequest) describe() *operation { return openAccount }

// OpenAccount starts the opening of a custody account (4.2 开户, scenario 1
// 用户开户). On the pages of IPS the user sets his passwords, a security
// question and his bank card, within 20 minutes.
//
// The answer comes as an [OpenAccountResponse] to the merchant's [Handler]; keep
// its Account with the user. [CodeParticulars] and [CodeEmailUsed] are the
// usual refusals.
func (c *Client) OpenAccount(req OpenAccountRequest) (*Form, error) { return c.Form(req) }

// BalanceResponse is the answer to a balance query.
type BalanceResponse struct {
	Reply

	Account   string `ips:"pIpsAcctNo"`      // 托管账户
	Available Amount `ips:"pBalance,signed"` // 可用余额
	Frozen    Amount `ips:"pLock,signed"`    // 冻结余额
	Unsettled Amount `ips:"pNeedstl,signed"` // 未结算余额

	// Signature is the form in which pSign held; see [Signature].
	Signature Signature
}

// QueryBalanceRequest asks for balances; see [Client.QueryBalance].
type QueryBalanceRequest struct {
	// Account is the custody account, or the merchant's own code for his own
	// account (托管账户 argIpsAccount): at most 30 characters.
	Account string `ips:"argIpsAccount" check:"max=30,secret"`
}

var queryBalance = newOperation[QueryBalanceRequest, BalanceResponse](OperationInfo{
	Operation: OpQueryBalance, Chinese: "账户余额查询", Method: "QueryBalance",
	Endpoint: "QueryForAccBalance", Transport: QueryService, Success: []Code{CodeQuerySuccess},
}, operation{
	argNames: true, plain: true,
	elements: []string{"pMerCode", "pErrCode", "pErrMsg", "pIpsAcctNo", "pBalance", "pLock", "pNeedstl"},
})

func (QueryBalanceRequest) describe() *operation { return queryBalance }

func (r *BalanceResponse) answers(question any, form Signature) error {
	r.Signature = form
	return r.answersFor(question.(*QueryBalanceRequest).Account, r.Account)
}

// QueryBalance asks for the balances of a custody account, or of the merchant's
// own account by its merchant code (QueryForAccBalance 账户余额查询).
//
// Queries travel in the clear; see [Signature]. An answer that does not name the
// account is an [ErrOperation].
func (c *Client) QueryBalance(ctx context.Context, account string) (*BalanceResponse, error) {
	return call[*BalanceResponse](ctx, c, QueryBalanceRequest{account})
}

// IPSAccountStatus is the state of a custody account (QueryMerUserInfo
// pStatus).
type IPSAccountStatus string

// The states of a custody account.
const (
	AccountNotOpened    IPSAccountStatus = "01" // 未开户
	AccountNotActivated IPSAccountStatus = "02" // 已开户未激活
	AccountOpenFailed   IPSAccountStatus = "03" // 开户失败
	AccountActive       IPSAccountStatus = "04" // 正常
	AccountDeleted      IPSAccountStatus = "05" // 已注销
)

var ipsAccountStatuses = map[IPSAccountStatus]string{
	AccountNotOpened: "not opened", AccountNotActivated: "not activated", AccountOpenFailed: "opening failed",
	AccountActive: "active", AccountDeleted: "deleted",
}

// String names the state.
func (s IPSAccountStatus) String() string { return name(s, ipsAccountStatuses) }

// AccountResponse is the answer to an account query.
type AccountResponse struct {
	Reply

	Account     string           `ips:"pIpsAcctNo"`   // 托管账户
	Email       string           `ips:"pEmail"`       // 电子邮箱, the login name
	Status      IPSAccountStatus `ips:"pStatus"`      // 账户状态
	IdentStatus string           `ips:"pUCardStatus"` // 身份证验证: 01, 02 or 03
	BankName    string           `ips:"pBankName"`    // 银行名称
	BankCard    string           `ips:"pBankCard"`    // 银行卡号, as IPS masks it
	CardStatus  string           `ips:"pBCardStatus"` // 银行卡状态
	SignStatus  string           `ips:"pSignStatus"`  // 代扣签约状态
	Memo        string           `ips:"pMemo"`        // 备注 of the request

	// Signature is the form in which pSign held, at best [SignaturePartial].
	Signature Signature
}

// QueryAccountRequest asks for the state of an account; see
// [Client.QueryAccount].
type QueryAccountRequest struct {
	// Account is the custody account (托管账户 argIpsAccount): at most 30
	// characters.
	Account string `ips:"argIpsAccount" check:"max=30,secret"`
	// Memo comes back with the answer (备注 argMemo): at most 100 characters.
	Memo string `ips:"argMemo" check:"optional,max=100"`
}

var queryAccount = newOperation[QueryAccountRequest, AccountResponse](OperationInfo{
	Operation: OpQueryAccount, Chinese: "账户信息查询", Method: "QueryAccount",
	Endpoint: "QueryMerUserInfo", Transport: QueryService, Success: []Code{CodeQuerySuccess},
}, operation{
	argNames: true, plain: true, unsigned: []string{"pErrCode", "pMemo"},
	elements: []string{"pMerCode", "pErrCode", "pIpsAcctNo", "pEmail", "pStatus", "pUCardStatus", "pBankName", "pBankCard", "pBCardStatus", "pSignStatus", "pMemo"},
})

func (QueryAccountRequest) describe() *operation { return queryAccount }

func (r *AccountResponse) answers(question any, form Signature) error {
	r.Signature = form
	return r.answersFor(question.(*QueryAccountRequest).Account, r.Account)
}

// QueryAccount asks for the state of a custody account (QueryMerUserInfo
// 账户信息查询, on the query web service). An answer that does not name it is an
// [ErrOperation].
func (c *Client) QueryAccount(ctx context.Context, account string) (*AccountResponse, error) {
	return call[*AccountResponse](ctx, c, QueryAccountRequest{Account: account})
}
