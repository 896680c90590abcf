package ips

import (
	"fmt"
)

// Period is the unit of a contract's validity and of the terms in it
// (pValidType, pTrdCycleType of a contract).
type Period string

// The units of periods.
const (
	PeriodDays      Period = "D" // 天
	PeriodMonths    Period = "M" // 月
	PeriodUnlimited Period = "N" // 不限, of auto-repay contracts only
)

var periods = map[Period]string{PeriodDays: "days", PeriodMonths: "months", PeriodUnlimited: "unlimited"}

// String names the unit.
func (p Period) String() string { return name(p, periods) }

// SignAutoBidRequest is an investor's permission to bid for him (4.7
// 自动投标签约).
//
// Rules between fields:
//   - Valid is at most 365 with [PeriodDays], at most 12 with [PeriodMonths].
//   - TermFrom and TermTo are at most 1800 with days, at most 60 with months.
//   - TermTo is at least TermFrom, AmountTo at least AmountFrom, RateTo at least
//     RateFrom.
type SignAutoBidRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Date is the day of signing (签约日期 pSigningDate).
	Date Date `ips:"pSigningDate"`
	// IdentNo is the investor's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the investor's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the investor's custody account (托管账户 pIpsAcctNo): at most 30
	// characters, e.g. 4021000000000001.
	Account string `ips:"pIpsAcctNo" check:"max=30,secret"`
	// ValidUnit and Valid are how long the contract lasts (有效期 pValidType,
	// pValidDate): 1–365 days or 1–12 months.
	ValidUnit Period `ips:"pValidType" check:"oneof=D M"`
	Valid     int    `ips:"pValidDate" check:"gt=0"`
	// TermUnit, TermFrom and TermTo are the terms of loans he agrees to (借款周期
	// pTrdCycleType, pSTrdCycleValue, pETrdCycleValue): 1–1800 days or 1–60
	// months.
	TermUnit Period `ips:"pTrdCycleType" check:"oneof=D M"`
	TermFrom int    `ips:"pSTrdCycleValue" check:"gt=0"`
	TermTo   int    `ips:"pETrdCycleValue" check:"gt=0"`
	// AmountFrom and AmountTo are the loan amounts he agrees to (借款额度
	// pSAmtQuota, pEAmtQuota): at least 1.00.
	AmountFrom Amount `ips:"pSAmtQuota" check:"ge=1.00"`
	AmountTo   Amount `ips:"pEAmtQuota" check:"ge=1.00"`
	// RateFrom and RateTo are the rates he agrees to (利率 pSIRQuota, pEIRQuota):
	// at least 1.00 %.
	RateFrom Rate `ips:"pSIRQuota" check:"ge=1.00"`
	RateTo   Rate `ips:"pEIRQuota" check:"ge=1.00"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

func (r *SignAutoBidRequest) check(v *validation) {
	v.validity(r.ValidUnit, r.Valid)
	if limit := map[Period]int{PeriodDays: 1800, PeriodMonths: 60}[r.TermUnit]; limit > 0 {
		if r.TermFrom > limit {
			v.addf("pSTrdCycleValue", "TermFrom", quote(fmt.Sprint(r.TermFrom)), "must be at most %d %s", limit, r.TermUnit)
		}
		if r.TermTo > limit {
			v.addf("pETrdCycleValue", "TermTo", quote(fmt.Sprint(r.TermTo)), "must be at most %d %s", limit, r.TermUnit)
		}
	}
	if r.TermTo < r.TermFrom {
		v.addf("pETrdCycleValue", "TermTo", quote(fmt.Sprint(r.TermTo)), "must be at least TermFrom %d", r.TermFrom)
	}
	if r.AmountTo < r.AmountFrom {
		v.addf("pEAmtQuota", "AmountTo", quote(r.AmountTo.String()), "must be at least AmountFrom %s", r.AmountFrom)
	}
	if r.RateTo < r.RateFrom {
		v.addf("pEIRQuota", "RateTo", quote(r.RateTo.String()), "must be at least RateFrom %s", r.RateFrom)
	}
}

func (v *validation) validity(unit Period, n int) {
	if limit := map[Period]int{PeriodDays: 365, PeriodMonths: 12}[unit]; limit > 0 && n > limit {
		v.addf("pValidDate", "Valid", quote(fmt.Sprint(n)), "must be at most %d %s", limit, unit)
	}
}

// SignAutoBidResponse is the answer to the signing of an auto-bid contract.
type SignAutoBidResponse struct {
	Reply

	Date       Date   `ips:"pSigningDate"` // of the request
	IPSBillNo  string `ips:"pP2PBillNo"`   // IPS 订单号: number of the order at IPS
	AuthNo     string `ips:"pIpsAuthNo"`   // 授权号, for [AutoBidRequest] AuthNo
	ValidUntil Date   `ips:"pValidDate"`   // 有效期: last day of the contract
	AmountFrom Amount `ips:"pSAmtQuota"`   // as signed
	AmountTo   Amount `ips:"pEAmtQuota"`   // as signed
	RateFrom   Rate   `ips:"pSIRQuota"`    // as signed
	RateTo     Rate   `ips:"pEIRQuota"`    // as signed
	IPSTime    Time   `ips:"pIpsTime"`     // IPS 处理时间: time at IPS

	Memos
}

var signAutoBid = newOperation[SignAutoBidRequest, SignAutoBidResponse](OperationInfo{
	Operation: OpSignAutoBid, Chinese: "自动投标签约", Section: "4.7", Method: "SignAutoBid",
	Endpoint: "AutoNewSigning.aspx", Transport: Redirect, Scenarios: []int{16},
}, operation{mark: "pSAmtQuota", trade: TradeSignAutoBid, tradeUncertain: true, results: true})

func (SignAutoBidRequest) describe() *operation { return signAutoBid }

// SignAutoBid starts the signing of an auto-bid contract (4.7 自动投标签约,
// scenario 16 投资人设置自动投标). The investor sets the rules on the page of IPS,
// so the answer's may differ from the request's. The answer has
// the number that [Client.AutoBid] needs.
func (c *Client) SignAutoBid(req SignAutoBidRequest) (*Form, error) { return c.Form(req) }

// SignAutoRepayRequest is a borrower's permission to repay for him (4.8
// 自动还款签约).
//
// Rules between fields:
//   - Valid is 1–365 with [PeriodDays], 1–12 with [PeriodMonths] and 0 with
//     [PeriodUnlimited].
type SignAutoRepayRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Date is the day of signing (签约日期 pSigningDate).
	Date Date     `ips:"pSigningDate"`
	_    struct{} `ips:"pIdentType,const=1"` // 身份证
	// IdentNo is the borrower's id number (证件号 pIdentNo): at most 20 characters.
	IdentNo string `ips:"pIdentNo" check:"max=20,secret"`
	// RealName is the borrower's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the borrower's custody account (托管账户 pIpsAcctNo): at most 30
	// characters, e.g. 4021000000000001.
	Account string `ips:"pIpsAcctNo" check:"max=30,secret"`
	// ValidUnit and Valid are how long the contract lasts (有效期 pValidType,
	// pValidDate): 1–365 days, 1–12 months, or unlimited with Valid 0.
	ValidUnit Period `ips:"pValidType" check:"oneof=D M N"`
	Valid     int    `ips:"pValidDate" check:"ge=0"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

func (r *SignAutoRepayRequest) check(v *validation) {
	v.validity(r.ValidUnit, r.Valid)
	switch {
	case r.ValidUnit == PeriodUnlimited && r.Valid > 0:
		v.addf("pValidDate", "Valid", quote(fmt.Sprint(r.Valid)), "must be 0 for an unlimited contract")
	case (r.ValidUnit == PeriodDays || r.ValidUnit == PeriodMonths) && r.Valid == 0:
		v.addf("pValidDate", "Valid", quote("0"), "must be more than 0 unless ValidUnit is PeriodUnlimited (N)")
	}
}

// SignAutoRepayResponse is the answer to the signing of an auto-repay contract.
type SignAutoRepayResponse struct {
	Reply

	Date      Date   `ips:"pSigningDate"` // of the request
	IdentType string `ips:"pIdentType"`   // 证件类型 of the request
	IdentNo   string `ips:"pIdentNo"`     // of the request
	RealName  string `ips:"pRealName"`    // of the request
	Account   string `ips:"pIpsAcctNo"`   // of the request
	IPSBillNo string `ips:"pP2PBillNo"`   // IPS 订单号: number of the order at IPS
	AuthNo    string `ips:"pIpsAuthNo"`   // 授权号, for [AutoRepayRequest] AuthNo
	IPSTime   Time   `ips:"pIpsTime"`     // IPS 处理时间: time at IPS

	Memos
}

var signAutoRepay = newOperation[SignAutoRepayRequest, SignAutoRepayResponse](OperationInfo{
	Operation: OpSignAutoRepay, Chinese: "自动还款签约", Section: "4.8", Method: "SignAutoRepay",
	Endpoint: "RepaymentSigning.aspx", Transport: Redirect, Scenarios: []int{17},
}, operation{mark: "pIdentType", trade: TradeSignAutoRepay, tradeUncertain: true, results: true})

func (SignAutoRepayRequest) describe() *operation { return signAutoRepay }

// SignAutoRepay starts the signing of an auto-repay contract (4.8
// 自动还款签约, scenario 17 借款人设置自动还款), which the borrower confirms on the
// page of IPS. The answer has the number that
// [Client.AutoRepay] needs.
func (c *Client) SignAutoRepay(req SignAutoRepayRequest) (*Form, error) { return c.Form(req) }
