package ips

import ()

// WithdrawRequest pays money out of a custody account to its owner's bank card
// (4.14 提现).
type WithdrawRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// AccountType is 1 person (账户类型 pAcctType); the zero value means it.
	// Accounts of organisations are not open here.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=1"`

	_ struct{} `ips:"pOutType,const=1"`   // 普通提现; 定向提现 is not open
	_ struct{} `ips:"pBidNo,const="`      // of 定向提现
	_ struct{} `ips:"pContractNo,const="` // of 定向提现
	_ struct{} `ips:"pDwTo,const="`       // of 定向提现

	// IdentNo is the user's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the user's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the user's custody account (托管账户 pIpsAcctNo): at most 30
	// characters, e.g. 4021000000000001.
	Account string `ips:"pIpsAcctNo" check:"max=30,secret"`
	// Date is the day of the order (提现日期 pDwDate).
	Date Date `ips:"pDwDate"`
	// Amount is what reaches the bank (提现金额 pTrdAmt): more than 0. Fees come on
	// top of it.
	Amount Amount `ips:"pTrdAmt" check:"gt=0"`
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

// WithdrawResponse is the answer to a withdrawal.
type WithdrawResponse struct {
	Reply

	AccountType AccountType `ips:"pAcctType"`   // of the request
	OutType     string      `ips:"pOutType"`    // 提现类型: 1 is ordinary, 2 directed
	BidNo       string      `ips:"pBidNo"`      // 标的号, of directed withdrawals
	ContractNo  string      `ips:"pContractNo"` // 合同号, of directed withdrawals
	DirectedTo  string      `ips:"pDwTo"`       // 转入账户, of directed withdrawals
	IdentNo     string      `ips:"pIdentNo"`    // of the request
	RealName    string      `ips:"pRealName"`   // of the request
	Account     string      `ips:"pIpsAcctNo"`  // of the request
	Date        Date        `ips:"pDwDate"`     // of the request
	Amount      Amount      `ips:"pTrdAmt"`     // of the request
	IPSBillNo   string      `ips:"pIpsBillNo"`  // IPS 订单号: number of the withdrawal at IPS, e.g. WD2014121271340309

	Memos
}

var withdraw = newOperation[WithdrawRequest, WithdrawResponse](OperationInfo{
	Operation: OpWithdraw, Chinese: "提现", Section: "4.14", Method: "Withdraw",
	Endpoint: "doDwTrade.aspx", Transport: Redirect, Scenarios: []int{13},
}, operation{mark: "pDwDate", trade: TradeWithdraw})

func (WithdrawRequest) describe() *operation { return withdraw }

// Withdraw starts a withdrawal, which the user confirms on the page of IPS
// (4.14 提现, scenario 13 托管账户提现). The amount is what reaches the bank; the
// platform's fee and, with [UserPaysFee], that of IPS come on top.
//
// When the bank takes time the first answer is [CodeProcessing], pending.
func (c *Client) Withdraw(req WithdrawRequest) (*Form, error) { return c.Form(req) }
