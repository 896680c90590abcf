package ips

import (
	"context"
	"fmt"
)

// TermUnit is the unit of a loan's term (借款周期类型 pTrdCycleType of a bid).
type TermUnit string

// The units of a loan's term.
const (
	TermDays   TermUnit = "1" // 天
	TermMonths TermUnit = "3" // 月
)

var termUnits = map[TermUnit]string{TermDays: "days", TermMonths: "months"}

// String names the unit.
func (u TermUnit) String() string { return name(u, termUnits) }

// RepayMode is how a loan is repaid (还款方式 pRepayMode).
type RepayMode string

// The ways of repaying.
const (
	RepayAnnuity        RepayMode = "1"  // 等额本息: equal instalments of principal and interest
	RepayInterestFirst  RepayMode = "2"  // 按月还息到期还本: interest monthly, principal at the end
	RepayEqualPrincipal RepayMode = "3"  // 等额本金: equal principal, falling interest
	RepayOther          RepayMode = "99" // 其他
)

var repayModes = map[RepayMode]string{
	RepayAnnuity: "annuity", RepayInterestFirst: "interest first", RepayEqualPrincipal: "equal principal",
	RepayOther: "other",
}

// String names the way.
func (m RepayMode) String() string { return name(m, repayModes) }

// BidStatus is the state of a bid (标的状态 pBidStatus).
type BidStatus string

// The states of a bid.
const (
	BidNew     BidStatus = "1"  // 新增: waiting for the borrower's reply
	BidRaising BidStatus = "2"  // 募集中: investors may bid
	BidRunning BidStatus = "3"  // 进行中: money was released
	BidEnding  BidStatus = "8"  // 结束处理中
	BidFailed  BidStatus = "9"  // 失败
	BidEnded   BidStatus = "10" // 结束
)

var bidStatuses = map[BidStatus]string{
	BidNew: "new", BidRaising: "raising", BidRunning: "running", BidEnding: "ending", BidFailed: "failed",
	BidEnded: "ended",
}

// String names the state.
func (s BidStatus) String() string { return name(s, bidStatuses) }

// RegisterBidRequest registers a borrower's bid for a loan (4.3 标的登记).
//
// Rules between fields:
//   - Term is at most 1800 with [TermDays], at most 60 with [TermMonths].
type RegisterBidRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// BidNo is the merchant's number of the bid (标的号 pBidNo): 1–30 letters and
	// digits, unique at the merchant.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// Date is the day of this message (登记日期 pRegDate): IPS refuses one of some
	// days ago with [CodeBidDate].
	Date Date `ips:"pRegDate"`
	// Amount is the loan (借款金额 pLendAmt): more than 0, at most
	// 100,000,000.00.
	Amount Amount `ips:"pLendAmt" check:"gt=0,le=100000000"`
	// Margin is frozen at the borrower (借款保证金 pGuaranteesAmt): at least 0, at
	// most 100,000,000.00. He must have it in his account.
	Margin Amount `ips:"pGuaranteesAmt" check:"ge=0,le=100000000"`
	// Rate is the yearly interest (借款利率 pTrdLendRate): at least 0, less than
	// 48 %.
	Rate Rate `ips:"pTrdLendRate" check:"ge=0,lt=48"`
	// TermUnit and Term are the loan's term (借款周期 pTrdCycleType,
	// pTrdCycleValue): 1–1800 days or 1–60 months.
	TermUnit TermUnit `ips:"pTrdCycleType" check:"oneof=1 3"`
	Term     int      `ips:"pTrdCycleValue" check:"gt=0"`
	// Purpose of the loan (借款用途 pLendPurpose): at most 100 characters.
	Purpose string `ips:"pLendPurpose" check:"max=100"`
	// RepayMode is how it is repaid (还款方式 pRepayMode).
	RepayMode RepayMode `ips:"pRepayMode" check:"oneof=1 2 3 99"`

	_ struct{} `ips:"pOperationType,variant"` // 操作类型: 1 新增, 2 结束

	// Fee is what the platform will take from the borrower in all (借款人手续费
	// pLendFee): at least 0. It is only registered here and taken by [TransferRow]
	// ToFee when funds are released, in sum never more than this.
	Fee Amount `ips:"pLendFee" check:"ge=0"`
	// AccountType is 1 person (账户类型 pAcctType); the zero value means it.
	// Accounts of organisations are not open here.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=1"`
	// IdentNo is the borrower's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the borrower's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the borrower's custody account (托管账户 pIpsAcctNo): at most 30
	// characters, e.g. 4021000000000001.
	Account string `ips:"pIpsAcctNo" check:"max=30,secret"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// EndBidRequest ends a bid (4.3 标的结束). It repeats the registration, order
// number included, but for the date, which is the day of the end. Make it with
// [RegisterBidRequest.End].
type EndBidRequest RegisterBidRequest

// End is the request that ends the registered bid on the given day. It leaves the
// registration's addresses out: the answer to an end comes to its own.
func (r RegisterBidRequest) End(day Date) EndBidRequest {
	r.Date, r.ReturnURL, r.NotifyURL = day, "", ""
	return EndBidRequest(r)
}

func (r *RegisterBidRequest) check(v *validation) { v.term(r.TermUnit, r.Term) }

func (r *EndBidRequest) check(v *validation) { v.term(r.TermUnit, r.Term) }

func (v *validation) term(unit TermUnit, term int) {
	limit := map[TermUnit]int{TermDays: 1800, TermMonths: 60}[unit]
	if limit > 0 && term > limit {
		v.addf("pTrdCycleValue", "Term", quote(fmt.Sprint(term)), "must be at most %d %s", limit, unit)
	}
}

// BidResponse is the answer to the registration of a bid and to its end.
type BidResponse struct {
	Reply

	BidNo         string      `ips:"pBidNo"`                 // 标的号
	Date          Date        `ips:"pRegDate"`               // of the request
	Amount        Amount      `ips:"pLendAmt,alias=pTrdAmt"` // of the request; some answers call it pTrdAmt
	Margin        Amount      `ips:"pGuaranteesAmt"`         // of the request
	Rate          Rate        `ips:"pTrdLendRate"`           // of the request
	TermUnit      TermUnit    `ips:"pTrdCycleType"`          // of the request
	Term          int         `ips:"pTrdCycleValue"`         // of the request
	Purpose       string      `ips:"pLendPurpose"`           // of the request
	RepayMode     RepayMode   `ips:"pRepayMode"`             // of the request
	OperationType string      `ips:"pOperationType"`         // 操作类型: 1 is the registration, 2 the end
	Fee           Amount      `ips:"pLendFee"`               // of the request
	AccountType   AccountType `ips:"pAcctType"`              // of the request
	IdentNo       string      `ips:"pIdentNo"`               // of the request
	RealName      string      `ips:"pRealName"`              // of the request
	Account       string      `ips:"pIpsAcctNo"`             // of the request
	IPSBillNo     string      `ips:"pIpsBillNo"`             // IPS 标的号: number of the bid at IPS, e.g. BID20141124052787
	IPSTime       Time        `ips:"pIpsTime"`               // IPS 处理时间: time at IPS
	Status        BidStatus   `ips:"pBidStatus"`             // 标的状态
	FrozenMargin  Amount      `ips:"pRealFreezenAmt"`        // 实际冻结金额: margin really frozen (sic)

	Memos
}

var registerBid = newOperation[RegisterBidRequest, BidResponse](OperationInfo{
	Operation: OpRegisterBid, Chinese: "标的登记", Section: "4.3", Method: "RegisterBid",
	Endpoint: "registerSubject.aspx", Transport: Redirect, Scenarios: []int{2},
	Success: []Code{CodeBidRaising, CodeSuccess}, Pending: []Code{CodeBidRegistered, CodeProcessing},
}, operation{variant: Element{"pOperationType", "1"}, mark: "pBidStatus", trade: TradeBid})

func (RegisterBidRequest) describe() *operation { return registerBid }

// RegisterBid registers a bid for a loan (4.3 标的登记, scenario 2
// 平台发布借款标). There is no page for the borrower: he gets a text message and
// has 30 minutes to agree.
//
// The first answer is [CodeBidRegistered], pending; after his yes
// [CodeBidRaising], success, after a no or silence [CodeBidNoReply]. Both go to
// the merchant's [Handler]. Keep the request: [RegisterBidRequest.End] makes the
// end of the bid of it.
func (c *Client) RegisterBid(req RegisterBidRequest) (*Form, error) { return c.Form(req) }

var endBid = newOperation[EndBidRequest, BidResponse](OperationInfo{
	Operation: OpEndBid, Chinese: "标的结束", Section: "4.3", Method: "EndBid",
	Endpoint: "registerSubject.aspx", Transport: ServerPosted, Scenarios: []int{2},
	Success: []Code{CodeBidEnded, CodeSuccess}, Pending: []Code{CodeBidEnding, CodeProcessing},
}, operation{variant: Element{"pOperationType", "2"}, mark: "pBidStatus"})

func (EndBidRequest) describe() *operation { return endBid }

// EndBid ends a bid that is repaid or fell through (4.3 标的结束). IPS releases
// by itself what is still frozen for it: investors' bids, the guarantor's
// margin and the borrower's.
//
// The answer is [CodeBidEnding], pending; [CodeBidEnded] follows to
// the merchant's [Handler]. It is answered by the state of the bid, never as a
// duplicate: [CodeBidOver] proves, after an end whose answer was lost, that the
// bid is over ([ErrBidOver]); [CodeBidUnknown] and [CodeBidNoInfo] prove nothing
// about its money.
func (c *Client) EndBid(ctx context.Context, req EndBidRequest) (*BidResponse, error) {
	return call[*BidResponse](ctx, c, req)
}

// ClaimStatus is the state of a registration that lives with its bid:
// creditor, guarantor or debt transfer (pStatus).
type ClaimStatus string

// The states of a registration.
const (
	ClaimNew     ClaimStatus = "0"  // 新增
	ClaimRunning ClaimStatus = "1"  // 进行中
	ClaimFailed  ClaimStatus = "9"  // 失败
	ClaimEnded   ClaimStatus = "10" // 结束
)

var claimStatuses = map[ClaimStatus]string{
	ClaimNew: "new", ClaimRunning: "running", ClaimFailed: "failed", ClaimEnded: "ended",
}

// String names the state.
func (s ClaimStatus) String() string { return name(s, claimStatuses) }

// RegisterCreditorRequest is an investor's bid that he confirms himself
// (4.4 登记债权人, 手动投标).
type RegisterCreditorRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Date is the merchant's date of the order (商户日期 pMerDate).
	Date Date `ips:"pMerDate"`
	// BidNo is the bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// ContractNo is the number of the loan contract with this investor (合同号
	// pContractNo): 1–30 letters and digits.
	ContractNo string `ips:"pContractNo" check:"alnum,max=30"`

	_ struct{} `ips:"pRegType,const=1"` // 手动投标
	_ struct{} `ips:"pAuthNo,const="`   // only of automatic bids

	// Amount is the face value of the claim and what the investor pays for it
	// (债权面额 pAuthAmt and 交易金额 pTrdAmt, which must be equal): more than 0.
	Amount Amount   `ips:"pAuthAmt" check:"gt=0"`
	_      struct{} `ips:"pTrdAmt,copy=pAuthAmt"`
	// Fee is what the platform takes from the investor (手续费 pFee): at least 0.
	Fee Amount `ips:"pFee" check:"ge=0"`
	// AccountType is 1 person (账户类型 pAcctType); the zero value means it.
	// Accounts of organisations are not open here.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=1"`
	// IdentNo is the investor's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the investor's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the investor's custody account (投资人账户 pAccount): at most 30
	// characters.
	Account string `ips:"pAccount" check:"max=30,secret"`
	// Purpose is the purpose of the loan (借款用途 pUse): at most 100 characters.
	Purpose string `ips:"pUse" check:"max=100"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// AutoBidRequest is a bid that the platform makes for an investor under his
// auto-bid contract (4.4 登记债权人, 自动投标).
type AutoBidRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Date is the merchant's date of the order (商户日期 pMerDate).
	Date Date `ips:"pMerDate"`
	// BidNo is the bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// ContractNo is the number of the loan contract with this investor (合同号
	// pContractNo): 1–30 letters and digits.
	ContractNo string `ips:"pContractNo" check:"alnum,max=30"`

	_ struct{} `ips:"pRegType,const=2"` // 自动投标

	// AuthNo is the number of the auto-bid contract (授权号 pAuthNo), which
	// [SignAutoBidResponse] gave: 1–30 letters and digits.
	AuthNo string `ips:"pAuthNo" check:"alnum,max=30"`
	// Amount is the face value of the claim and what the investor pays for it
	// (债权面额 pAuthAmt and 交易金额 pTrdAmt, which must be equal): more than 0.
	Amount Amount   `ips:"pAuthAmt" check:"gt=0"`
	_      struct{} `ips:"pTrdAmt,copy=pAuthAmt"`
	// Fee is what the platform takes from the investor (手续费 pFee): at least 0.
	Fee Amount `ips:"pFee" check:"ge=0"`
	// AccountType is 1 person (账户类型 pAcctType); the zero value means it.
	// Accounts of organisations are not open here.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=1"`
	// IdentNo is the investor's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the investor's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the investor's custody account (投资人账户 pAccount): at most 30
	// characters.
	Account string `ips:"pAccount" check:"max=30,secret"`
	// Purpose is the purpose of the loan (借款用途 pUse): at most 100 characters.
	Purpose string `ips:"pUse" check:"max=100"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// CreditorResponse is the answer to a creditor registration, manual or
// automatic.
type CreditorResponse struct {
	Reply

	Date         Date        `ips:"pMerDate"`       // of the request
	BidNo        string      `ips:"pBidNo"`         // of the request
	ContractNo   string      `ips:"pContractNo"`    // of the request
	Amount       Amount      `ips:"pAuthAmt"`       // of the request
	TradeAmount  Amount      `ips:"pTrdAmt"`        // of the request
	Fee          Amount      `ips:"pFee"`           // of the request
	Account      string      `ips:"pAccount"`       // of the request
	InvestorNo   string      `ips:"pAccountDealNo"` // IPS 投资人编号: number of the investor at IPS, e.g. CRE20141124052810
	IPSBidNo     string      `ips:"pBidDealNo"`     // IPS 投标编号: number of the bid at IPS, e.g. BID20141124052802
	BusinessType string      `ips:"pBusiType"`      // 业务类型: 1 is 投标, a bid
	Frozen       Amount      `ips:"pTransferAmt"`   // 冻结金额: frozen at the investor, amount and fee
	Status       ClaimStatus `ips:"pStatus"`        // 状态
	IPSBillNo    string      `ips:"pP2PBillNo"`     // IPS 订单号: number of the order at IPS, e.g. TND20141124022912
	IPSTime      Time        `ips:"pIpsTime"`       // IPS 处理时间: time at IPS

	Memos
}

var registerCreditor = newOperation[RegisterCreditorRequest, CreditorResponse](OperationInfo{
	Operation: OpRegisterCreditor, Chinese: "登记债权人（手动投标）", Section: "4.4", Method: "RegisterCreditor",
	Endpoint: "registerCreditor.aspx", Transport: Redirect, Scenarios: []int{4, 5},
}, operation{mark: "pAccountDealNo", trade: TradeCreditor})

func (RegisterCreditorRequest) describe() *operation { return registerCreditor }

// RegisterCreditor starts an investor's bid (4.4 登记债权人, scenarios 4
// 投资人投标(一次性放款) and 5 投资人投标(随投随放)). The investor confirms it on
// the page of IPS, where amount and fee are frozen. Many may bid on one bid; the
// sum never exceeds its amount.
//
// Release the money with [Client.Transfer] of [TransferInvestment]: once when
// the bid is full, or early and again while more bids come. Keep the order
// number: transfers, repayments and debt transfers refer to it.
func (c *Client) RegisterCreditor(req RegisterCreditorRequest) (*Form, error) { return c.Form(req) }

var autoBid = newOperation[AutoBidRequest, CreditorResponse](OperationInfo{
	Operation: OpAutoBid, Chinese: "登记债权人（自动投标）", Section: "4.4", Method: "AutoBid",
	Endpoint: "registerCreditor.aspx", Transport: ServerPosted, Scenarios: []int{4, 5},
}, operation{mark: "pAccountDealNo", trade: TradeCreditor})

func (AutoBidRequest) describe() *operation { return autoBid }

// AutoBid bids for an investor within the rules of his contract (4.4
// 登记债权人, 自动投标). No page is shown; see [Client.SignAutoBid] for the
// contract and [Client.RegisterCreditor] for what follows.
func (c *Client) AutoBid(ctx context.Context, req AutoBidRequest) (*CreditorResponse, error) {
	return call[*CreditorResponse](ctx, c, req)
}

// RegisterGuarantorRequest registers a guarantor for a bid (4.5 登记担保方).
type RegisterGuarantorRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Date is the merchant's date of the order (商户日期 pMerDate).
	Date Date `ips:"pMerDate"`
	// BidNo is the bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// Amount is the most that the guarantor promises to compensate (担保金额
	// pAmount): more than 0.
	Amount Amount `ips:"pAmount" check:"gt=0"`
	// Margin is frozen at the guarantor (担保保证金 pMarginAmt), who must have it
	// in his account: at least 0, which is a guarantee without margin (无保证金担保).
	Margin Amount `ips:"pMarginAmt" check:"ge=0"`
	// Profit is what the borrower promises the guarantor (担保收益 pProFitAmt, sic):
	// at least 0.
	Profit Amount `ips:"pProFitAmt" check:"ge=0"`
	// AccountType is person or organisation (账户类型 pAcctType); the zero value
	// means person.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=0 1"`
	// IdentNo is a person's id number or an organisation's IPS merchant code
	// (证件号 pFromIdentNo): at most 20 characters.
	IdentNo string `ips:"pFromIdentNo" check:"max=20,secret"`
	// AccountName is the guarantor's name (账户姓名 pAccountName): at most 30
	// characters.
	AccountName string `ips:"pAccountName" check:"max=30,secret"`
	// Account is a person's custody account or an organisation's IPS merchant
	// code (担保方账户 pAccount): at most 30 characters.
	Account string `ips:"pAccount" check:"max=30,secret"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// RegisterGuarantorResponse is the answer to a guarantor registration.
type RegisterGuarantorResponse struct {
	Reply

	Date         Date        `ips:"pMerDate"`       // of the request
	BidNo        string      `ips:"pBidNo"`         // of the request
	Amount       Amount      `ips:"pAmount"`        // of the request
	Margin       Amount      `ips:"pMarginAmt"`     // of the request
	Profit       Amount      `ips:"pProFitAmt"`     // of the request
	AccountType  AccountType `ips:"pAcctType"`      // of the request
	AccountName  string      `ips:"pAccountName"`   // of the request
	Account      string      `ips:"pAccount"`       // of the request
	IPSBillNo    string      `ips:"pP2PBillNo"`     // IPS 订单号: number of the guarantor at IPS
	FrozenMargin Amount      `ips:"pRealFreezeAmt"` // 实际冻结金额: margin really frozen
	Compensated  Amount      `ips:"pCompenAmt"`     // 已代偿金额: compensated so far
	IPSTime      Time        `ips:"pIpsTime"`       // IPS 处理时间: time at IPS
	Status       ClaimStatus `ips:"pStatus"`        // 状态

	Memos
}

var registerGuarantor = newOperation[RegisterGuarantorRequest, RegisterGuarantorResponse](OperationInfo{
	Operation: OpRegisterGuarantor, Chinese: "登记担保方", Section: "4.5", Method: "RegisterGuarantor",
	Endpoint: "registerGuarantor.aspx", Transport: Redirect, Scenarios: []int{3},
}, operation{mark: "pProFitAmt", trade: TradeGuarantor, tradeUncertain: true})

func (RegisterGuarantorRequest) describe() *operation { return registerGuarantor }

// RegisterGuarantor starts the registration of a guarantor for a registered
// bid (4.5 登记担保方, scenario 3 担保方对标的担保), who confirms it on the page of
// IPS. If the borrower cannot repay, [TransferCompensation] takes the money from
// the guarantor. [CodeGuarantorExists] refuses the same guarantor twice.
func (c *Client) RegisterGuarantor(req RegisterGuarantorRequest) (*Form, error) { return c.Form(req) }
