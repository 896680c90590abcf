package ips

import (
	"context"
	"strings"
)

// FeePayer says who pays the fee of IPS (pIpsFeeType).
type FeePayer string

// Who may pay the fee of IPS.
const (
	PlatformPaysFee FeePayer = "1" // 平台支付
	UserPaysFee     FeePayer = "2" // 用户支付
)

var feePayers = map[FeePayer]string{PlatformPaysFee: "platform", UserPaysFee: "user"}

// String names the payer.
func (p FeePayer) String() string { return name(p, feePayers) }

// RechargeChannel is how money comes in (充值渠道 pChannelType).
type RechargeChannel string

// The recharge channels.
const (
	RechargeEBank       RechargeChannel = "1" // 网银充值: the user pays at his bank
	RechargeWithholding RechargeChannel = "2" // 代扣充值: IPS debits his card under a signed mandate
)

var rechargeChannels = map[RechargeChannel]string{RechargeEBank: "e-bank", RechargeWithholding: "withholding"}

// String names the channel.
func (c RechargeChannel) String() string { return name(c, rechargeChannels) }

// RechargeRequest brings money into a custody account (4.9 充值).
//
// Rules between fields:
//   - BankCode must be given with [RechargeEBank] and be empty with
//     [RechargeWithholding].
type RechargeRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// AccountType is 1 person (账户类型 pAcctType); the zero value means it.
	// Accounts of organisations are not open here.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=1"`
	// IdentNo is the user's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the user's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the user's custody account (托管账户 pIpsAcctNo): at most 30
	// characters, e.g. 4021000000000001.
	Account string `ips:"pIpsAcctNo" check:"max=30,secret"`
	// Date is the day of the order (充值日期 pTrdDate).
	Date Date `ips:"pTrdDate"`
	// Amount is what comes in (充值金额 pTrdAmt): more than 0.
	Amount Amount `ips:"pTrdAmt" check:"gt=0"`
	// Channel is how the money comes in (充值渠道 pChannelType).
	Channel RechargeChannel `ips:"pChannelType" check:"oneof=1 2"`
	// BankCode is the bank of an e-bank recharge (充值银行 pTrdBnkCode): 5
	// digits out of [Client.QueryBanks]; empty for withholding.
	BankCode string `ips:"pTrdBnkCode" check:"optional,len=5,digits"`
	// Fee is what the platform takes from the user (平台手续费 pMerFee): at least 0.
	Fee Amount `ips:"pMerFee" check:"ge=0"`
	// FeePayer says who pays the fee of IPS (IPS 手续费承担方 pIpsFeeType).
	FeePayer FeePayer `ips:"pIpsFeeType" check:"oneof=1 2"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

func (r *RechargeRequest) check(v *validation) {
	switch {
	case r.Channel == RechargeEBank && r.BankCode == "":
		v.addf("pTrdBnkCode", "BankCode", quote(""), "must not be empty for an e-bank recharge")
	case r.Channel == RechargeWithholding && r.BankCode != "":
		v.addf("pTrdBnkCode", "BankCode", quote(r.BankCode), "must be empty for a withholding recharge")
	}
}

// RechargeResponse is the answer to a recharge.
type RechargeResponse struct {
	Reply

	AccountType AccountType `ips:"pAcctType"`   // of the request
	IdentNo     string      `ips:"pIdentNo"`    // of the request
	RealName    string      `ips:"pRealName"`   // of the request
	Account     string      `ips:"pIpsAcctNo"`  // of the request
	Date        Date        `ips:"pTrdDate"`    // of the request
	Amount      Amount      `ips:"pTrdAmt"`     // of the request
	BankCode    string      `ips:"pTrdBnkCode"` // bank that paid
	IPSBillNo   string      `ips:"pIpsBillNo"`  // IPS 订单号: number of the recharge at IPS, e.g. NT2014112471283111

	Memos
}

var recharge = newOperation[RechargeRequest, RechargeResponse](OperationInfo{
	Operation: OpRecharge, Chinese: "充值", Section: "4.9", Method: "Recharge",
	Endpoint: "doDpTrade.aspx", Transport: Redirect, Scenarios: []int{10, 11},
}, operation{
	mark: "pTrdDate", trade: TradeRecharge,
	others: []string{"pMerFee", "pTrdRealAmt"}, // only the withholding's answers have them
})

func (RechargeRequest) describe() *operation { return recharge }

// Recharge starts a recharge by the user (4.9 充值): through his bank's pages
// (scenario 10 托管账户充值(网银)) or by withholding from his card, which needs
// a mandate signed beforehand (scenario 11 托管账户充值(委托收款-用户发起)).
//
// Credit the user when your [Handler] hears [Success], once: the web
// return, the notification and their copies all say the same.
func (c *Client) Recharge(req RechargeRequest) (*Form, error) { return c.Form(req) }

// WithholdingRechargeRequest makes IPS debit a user's card (4.13
// 自动代扣充值).
type WithholdingRechargeRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Date is the day of the order (充值日期 pTrdDate).
	Date Date `ips:"pTrdDate"`
	// Amount is what is debited (充值金额 pTrdAmt): more than 0.
	Amount Amount `ips:"pTrdAmt" check:"gt=0"`
	// Fee is what the platform takes from the user (平台手续费 pMerFee): at least 0.
	Fee Amount `ips:"pMerFee" check:"ge=0"`
	// FeePayer says who pays the fee of IPS (IPS 手续费承担方 pIpsFeeType).
	FeePayer FeePayer `ips:"pIpsFeeType" check:"oneof=1 2"`
	// AccountType is 1 person (账户类型 pAcctType); the zero value means it.
	// Accounts of organisations are not open here.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=1"`
	// IdentNo is the user's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the user's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the user's custody account (托管账户 pIpsAcctNo): at most 30
	// characters, e.g. 4021000000000001.
	Account string `ips:"pIpsAcctNo" check:"max=30,secret"`

	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// WithholdingRechargeResponse is the answer to a withholding recharge.
type WithholdingRechargeResponse struct {
	Reply

	Date        Date        `ips:"pTrdDate"`    // of the request
	Amount      Amount      `ips:"pTrdAmt"`     // of the request
	Fee         Amount      `ips:"pMerFee"`     // of the request
	FeePayer    FeePayer    `ips:"pIpsFeeType"` // of the request
	AccountType AccountType `ips:"pAcctType"`   // of the request
	IdentNo     string      `ips:"pIdentNo"`    // of the request
	RealName    string      `ips:"pRealName"`   // of the request
	Account     string      `ips:"pIpsAcctNo"`  // of the request
	IPSBillNo   string      `ips:"pIpsBillNo"`  // IPS 订单号: number of the recharge at IPS
	IPSTime     Time        `ips:"pIpsTime"`    // IPS 处理时间: time at IPS
	Credited    Amount      `ips:"pTrdRealAmt"` // 实际到账金额
	IPSFee      Amount      `ips:"pIpsFee"`     // IPS 手续费: fee of IPS
	BankCode    string      `ips:"pTrdBnkCode"` // 扣款银行: bank that was debited

	Memos
}

var withholdingRecharge = newOperation[WithholdingRechargeRequest, WithholdingRechargeResponse](OperationInfo{
	Operation: OpWithholdingRecharge, Chinese: "自动代扣充值", Section: "4.13", Method: "WithholdingRecharge",
	Endpoint: "CoDpTrade", Transport: WebService, Scenarios: []int{12},
}, operation{
	argNames: true, trade: TradeRecharge, tradeUncertain: true,
	mark: "pMerFee", // pTrdRealAmt is not known before the debit
})

func (WithholdingRechargeRequest) describe() *operation { return withholdingRecharge }

// WithholdingRecharge makes IPS debit a user's card (4.13 自动代扣充值,
// scenario 12 托管账户充值(委托收款-商户发起)). He must have signed a mandate, and
// is asked by text message.
//
// The answer is [CodeProcessing], pending (which code is our choice; the
// contract has none); the result comes to the merchant's [Handler].
func (c *Client) WithholdingRecharge(ctx context.Context, req WithholdingRechargeRequest) (*WithholdingRechargeResponse, error) {
	return call[*WithholdingRechargeResponse](ctx, c, req)
}

// BanksResponse is the answer to a bank list query.
type BanksResponse struct {
	Reply

	List  string `ips:"pBankList"` // 银行列表, as IPS wrote it
	Banks []Bank // List, taken apart; what is not name, alias and code is left out

	// Signature is the form in which pSign held; see [Signature].
	Signature Signature
}

// Bank is a bank that takes e-bank recharges.
type Bank struct {
	Name  string // 银行名称
	Alias string // 别名
	Code  string // 编号, for [RechargeRequest] BankCode
}

// QueryBanksRequest asks for the banks; see [Client.QueryBanks].
type QueryBanksRequest struct{}

var queryBanks = newOperation[QueryBanksRequest, BanksResponse](OperationInfo{
	Operation: OpQueryBanks, Chinese: "银行列表查询", Method: "QueryBanks",
	Endpoint: "GetBankList", Transport: QueryService, Scenarios: []int{10}, Success: []Code{CodeQuerySuccess},
}, operation{argNames: true, plain: true, elements: []string{"pMerCode", "pErrCode", "pErrMsg", "pBankList"}})

func (QueryBanksRequest) describe() *operation { return queryBanks }

func (r *BanksResponse) answers(_ any, form Signature) error {
	r.Signature, r.Banks = form, parseBanks(r.List)
	return nil
}

// QueryBanks asks for the banks that a user can recharge from (GetBankList
// 银行列表查询), whose codes [Client.Recharge] needs.
func (c *Client) QueryBanks(ctx context.Context) (*BanksResponse, error) {
	return call[*BanksResponse](ctx, c, QueryBanksRequest{})
}

// parseBanks reads 银行名称|别名|编号#银行名称|别名|编号…. An entry of another form
// is left out: List has it.
func parseBanks(list string) []Bank {
	var banks []Bank
	for entry := range strings.SplitSeq(list, "#") {
		parts := strings.Split(entry, "|")
		if len(parts) != 3 || strings.TrimSpace(parts[2]) == "" {
			continue
		}
		banks = append(banks, Bank{strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2])})
	}
	return banks
}
