package ips

import (
	"context"
	"fmt"
)

// DebtTransferKind says how much of a claim is sold (转让类型 pCretType).
type DebtTransferKind string

// The kinds of debt transfer.
const (
	TransferWholeClaim DebtTransferKind = "1" // 全部转让
	TransferPartClaim  DebtTransferKind = "2" // 部分转让
)

var debtTransferKinds = map[DebtTransferKind]string{
	TransferWholeClaim: "whole claim", TransferPartClaim: "part of the claim",
}

// String names the kind.
func (k DebtTransferKind) String() string { return name(k, debtTransferKinds) }

// RegisterDebtTransferRequest registers the sale of a claim or of a part of it
// (4.6 登记债权转让). From is the assignor (出让方), To the assignee (受让方).
//
// Rules between fields:
//   - Price is 70 % to 130 % of FaceAmount.
//   - ToAccount is not FromAccount.
type RegisterDebtTransferRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Date is the merchant's date of the order (商户日期 pMerDate).
	Date Date `ips:"pMerDate"`
	// BidNo and ContractNo are those of the original bid (标的号 pBidNo, 合同号
	// pContractNo): 1–30 letters and digits.
	BidNo      string `ips:"pBidNo" check:"alnum,max=30"`
	ContractNo string `ips:"pContractNo" check:"alnum,max=30"`

	// FromAccountType is 1 person (出让方账户类型 pFromAccountType); the zero value
	// means it. Organisations are not open here.
	FromAccountType AccountType `ips:"pFromAccountType,default=1" check:"oneof=1"`
	// FromName is the assignor's name (出让方姓名 pFromName): at most 30
	// characters.
	FromName string `ips:"pFromName" check:"max=30,secret"`
	// FromAccount is his custody account (出让方账户 pFromAccount): at most 50
	// characters.
	FromAccount string   `ips:"pFromAccount" check:"max=50,secret"`
	_           struct{} `ips:"pFromIdentType,const=1"` // 身份证
	// FromIdentNo is his id number (出让方证件号 pFromIdentNo): at most 20
	// characters.
	FromIdentNo string `ips:"pFromIdentNo" check:"max=20,secret"`
	// ToAccountType is as FromAccountType (受让方账户类型 pToAccountType).
	ToAccountType AccountType `ips:"pToAccountType,default=1" check:"oneof=1"`
	// ToName is the assignee's name (受让方姓名 pToAccountName): at most 30
	// characters.
	ToName string `ips:"pToAccountName" check:"max=30,secret"`
	// ToAccount is his custody account (受让方账户 pToAccount): at most 30
	// characters.
	ToAccount string   `ips:"pToAccount" check:"max=30,secret"`
	_         struct{} `ips:"pToIdentType,const=1"` // 身份证
	// ToIdentNo is his id number (受让方证件号 pToIdentNo): at most 20
	// characters.
	ToIdentNo string `ips:"pToIdentNo" check:"max=20,secret"`

	// CreditorOrderNo is the order number of the creditor registration that made
	// the claim (登记债权人时提交的订单号 pCreMerBillNo): 1–30 letters and digits.
	CreditorOrderNo string `ips:"pCreMerBillNo" check:"alnum,max=30"`
	// FaceAmount is the face value sold (债权面额 pCretAmt): more than 0.
	FaceAmount Amount `ips:"pCretAmt" check:"gt=0"`
	// Price is what the assignee pays (支付金额 pPayAmt): 70 % to 130 % of
	// FaceAmount.
	Price Amount `ips:"pPayAmt" check:"gt=0"`
	// FromFee and ToFee are what the platform takes from either side (出让方手续费
	// pFromFee, 受让方手续费 pToFee): at least 0.
	FromFee Amount `ips:"pFromFee" check:"ge=0"`
	ToFee   Amount `ips:"pToFee" check:"ge=0"`
	// Kind says whether all or a part is sold (转让类型 pCretType).
	Kind DebtTransferKind `ips:"pCretType" check:"oneof=1 2"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

func (r *RegisterDebtTransferRequest) check(v *validation) {
	// Both are at most 11 digits, so hundredfold they are far from an overflow.
	if r.FaceAmount > 0 && r.FaceAmount <= MaxAmount && r.Price > 0 && r.Price <= MaxAmount &&
		(100*r.Price < 70*r.FaceAmount || 100*r.Price > 130*r.FaceAmount) {
		v.addf("pPayAmt", "Price", quote(r.Price.String()), "must be 70 %% to 130 %% of FaceAmount %s", r.FaceAmount)
	}
	if r.FromAccount != "" && r.FromAccount == r.ToAccount {
		v.addf("pToAccount", "ToAccount", personal(r.ToAccount), "must not be the assignor's account")
	}
}

// RegisterDebtTransferResponse is the answer to the registration of a debt
// transfer.
type RegisterDebtTransferResponse struct {
	Reply

	Date            Date             `ips:"pMerDate"`         // of the request
	BidNo           string           `ips:"pBidNo"`           // of the request
	ContractNo      string           `ips:"pContractNo"`      // of the request
	FromAccountType AccountType      `ips:"pFromAccountType"` // of the request
	FromName        string           `ips:"pFromName"`        // of the request
	FromAccount     string           `ips:"pFromAccount"`     // of the request
	FromIdentType   string           `ips:"pFromIdentType"`   // of the request
	FromIdentNo     string           `ips:"pFromIdentNo"`     // of the request
	ToAccountType   AccountType      `ips:"pToAccountType"`   // of the request
	ToName          string           `ips:"pToAccountName"`   // of the request
	ToAccount       string           `ips:"pToAccount"`       // of the request
	ToIdentType     string           `ips:"pToIdentType"`     // of the request
	ToIdentNo       string           `ips:"pToIdentNo"`       // of the request
	CreditorOrderNo string           `ips:"pCreMerBillNo"`    // of the request
	FaceAmount      Amount           `ips:"pCretAmt"`         // of the request
	Price           Amount           `ips:"pPayAmt"`          // of the request
	FromFee         Amount           `ips:"pFromFee"`         // of the request
	ToFee           Amount           `ips:"pToFee"`           // of the request
	Kind            DebtTransferKind `ips:"pCretType"`        // of the request
	IPSBillNo       string           `ips:"pP2PBillNo"`       // IPS 订单号: number of the debt transfer at IPS
	IPSTime         Time             `ips:"pIpsTime"`         // IPS 处理时间: time at IPS
	BusinessType    string           `ips:"pBussType"`        // 业务类型: 1 is 债权转让, a debt transfer
	Status          ClaimStatus      `ips:"pStatus"`          // 状态

	Memos
}

var registerDebtTransfer = newOperation[RegisterDebtTransferRequest, RegisterDebtTransferResponse](OperationInfo{
	Operation: OpRegisterDebtTransfer, Chinese: "登记债权转让", Section: "4.6", Method: "RegisterDebtTransfer",
	Endpoint: "registerCretansfer.aspx", Transport: Redirect, Scenarios: []int{6},
}, operation{mark: "pCretAmt", trade: TradeDebtTransfer})

func (RegisterDebtTransferRequest) describe() *operation { return registerDebtTransfer }

// RegisterDebtTransfer starts the sale of a claim whose money was released
// (4.6 登记债权转让, scenario 6 个人债权转让). The assignee confirms amount and
// share on the page of IPS, where price and fee are frozen;
// [Client.Transfer] of [TransferDebt] then moves the money, and the claim is his.
func (c *Client) RegisterDebtTransfer(req RegisterDebtTransferRequest) (*Form, error) {
	return c.Form(req)
}

// TransferType is what a transfer is for (转账类型 pTransferType).
type TransferType string

// The transfer types, with who pays whom.
const (
	TransferInvestment            TransferType = "1" // 投资: investors → borrower, releases bid money
	TransferCompensation          TransferType = "2" // 代偿: guarantor → investors
	TransferCompensationRepayment TransferType = "3" // 代偿还款: borrower → guarantor
	TransferDebt                  TransferType = "4" // 债权转让: assignee → assignor
	TransferGuaranteeProfit       TransferType = "5" // 结算担保收益: borrower → guarantor
)

var transferTypes = map[TransferType]string{
	TransferInvestment: "investment", TransferCompensation: "compensation",
	TransferCompensationRepayment: "compensation repayment", TransferDebt: "debt transfer",
	TransferGuaranteeProfit: "guarantee profit",
}

// String names the type.
func (t TransferType) String() string { return name(t, transferTypes) }

// TransferMode says how the borrower's account shows an investment (转账方式
// pTransferMode).
type TransferMode string

// The transfer modes.
const (
	TransferRowByRow TransferMode = "1" // 逐笔入账: an entry for each row
	TransferBatched  TransferMode = "2" // 批量入账: one entry of principal, one of fees; only with TransferInvestment
)

var transferModes = map[TransferMode]string{TransferRowByRow: "row by row", TransferBatched: "batched"}

// String names the mode.
func (m TransferMode) String() string { return name(m, transferModes) }

// TransferRequest moves money between parties of a bid (4.10 转账).
//
// Rules between fields:
//   - Mode is [TransferBatched] only with [TransferInvestment].
//   - [TransferCompensationRepayment], [TransferDebt] and
//     [TransferGuaranteeProfit] take exactly one row.
//   - All rows of [TransferInvestment] have the same ToAccount, all rows of
//     [TransferCompensation] the same FromAccount.
//   - In every row ToAccount is not FromAccount.
type TransferRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// BidNo is the bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// Date is the merchant's date of the order (商户日期 pDate).
	Date Date `ips:"pDate"`
	// Type is what the transfer is for (转账类型 pTransferType).
	Type TransferType `ips:"pTransferType" check:"oneof=1 2 3 4 5"`
	// Mode is how it is booked (转账方式 pTransferMode); the zero value means row
	// by row. Batched goes with TransferInvestment only.
	Mode TransferMode `ips:"pTransferMode,default=1" check:"oneof=1 2"`
	// Rows are the transfers (明细 pDetails): 1–3000. TransferInvestment takes
	// many payers and one payee, TransferCompensation one payer and many payees; the
	// other types take a single row.
	Rows []TransferRow `ips:"pDetails,row=pRow" check:"rows=3000"`

	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// TransferRow is one transfer of a batch (pRow).
type TransferRow struct {
	// OriginalOrderNo is the order number that this transfer goes back to
	// (原商户订单号 pOriMerBillNo), at most 30 characters: for TransferInvestment
	// and TransferCompensation the creditor registration's, for
	// TransferCompensationRepayment the compensation's, for TransferDebt the
	// debt-transfer registration's, for TransferGuaranteeProfit the guarantor
	// registration's. A compensation of a claim that was bought names it as
	// [RepayRow] CreditorOrderNo does.
	OriginalOrderNo string `ips:"pOriMerBillNo" check:"max=30"`
	// Amount is what moves (转账金额 pTrdAmt): more than 0. For an investment the
	// face value, for a debt transfer its price.
	Amount Amount `ips:"pTrdAmt" check:"gt=0"`
	// FromAccountType is the payer's (转出方账户类型 pFAcctType); the zero value
	// means person.
	FromAccountType AccountType `ips:"pFAcctType,default=1" check:"oneof=0 1"`
	// FromAccount is the payer's account (转出方托管账户 pFIpsAcctNo): at most 30
	// characters.
	FromAccount string `ips:"pFIpsAcctNo" check:"max=30,secret"`
	// FromFee is what the platform takes from the payer (转出方手续费 pFTrdFee): at
	// least 0.
	FromFee Amount `ips:"pFTrdFee" check:"ge=0"`
	// ToAccountType is the payee's (转入方账户类型 pTAcctType); the zero value means
	// person.
	ToAccountType AccountType `ips:"pTAcctType,default=1" check:"oneof=0 1"`
	// ToAccount is the payee's account (转入方托管账户 pTIpsAcctNo): at most 30
	// characters.
	ToAccount string `ips:"pTIpsAcctNo" check:"max=30,secret"`
	// ToFee is what the platform takes from the payee (转入方手续费 pTTrdFee): at
	// least 0.
	ToFee Amount `ips:"pTTrdFee" check:"ge=0"`
}

func (r *TransferRequest) check(v *validation) {
	if r.Mode == TransferBatched && r.Type != TransferInvestment {
		v.addf("pTransferMode", "Mode", quote(string(r.Mode)), "must be row by row (1) unless Type is TransferInvestment (1)")
	}
	switch r.Type {
	case TransferCompensationRepayment, TransferDebt, TransferGuaranteeProfit:
		if len(r.Rows) > 1 {
			v.addf("pDetails", "Rows", fmt.Sprintf("%d rows", len(r.Rows)), "must have exactly 1 row for Type %s", string(r.Type))
		}
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		switch {
		case r.Type == TransferInvestment && row.ToAccount != r.Rows[0].ToAccount:
			v.addRow(i, "pTIpsAcctNo", "ToAccount", personal(row.ToAccount), "must be the same borrower in every row of Type 1")
		case r.Type == TransferCompensation && row.FromAccount != r.Rows[0].FromAccount:
			v.addRow(i, "pFIpsAcctNo", "FromAccount", personal(row.FromAccount), "must be the same guarantor in every row of Type 2")
		}
		if row.FromAccount != "" && row.FromAccount == row.ToAccount {
			v.addRow(i, "pTIpsAcctNo", "ToAccount", personal(row.ToAccount), "must not be the payer's account")
		}
	}
}

// tradeType: what is known is the release and the debt transfer; that the others
// go under the release's number is our guess.
func (r *TransferRequest) tradeType() (t TradeType, certain bool) {
	if r.Type == TransferDebt {
		return TradeDebt, true
	}
	return TradeRelease, r.Type == TransferInvestment
}

// TransferResponse is the answer to a transfer.
type TransferResponse struct {
	Reply

	BidNo     string              `ips:"pBidNo"`            // of the request
	Date      Date                `ips:"pDate"`             // of the request
	Type      TransferType        `ips:"pTransferType"`     // of the request
	Mode      TransferMode        `ips:"pTransferMode"`     // of the request
	IPSBillNo string              `ips:"pIpsBillNo"`        // IPS 订单号: number of the transfer at IPS, e.g. 20140825879
	IPSTime   Time                `ips:"pIpsTime"`          // IPS 处理时间: time at IPS
	Rows      []TransferRowResult `ips:"pDetails,row=pRow"` // 明细: what became of each row

	Memos
}

// TransferRowResult is what became of one row. A batch can succeed in part:
// look at every Status.
type TransferRowResult struct {
	OriginalOrderNo string      `ips:"pOriMerBillNo"`              // of the request
	Amount          Amount      `ips:"pTrdAmt"`                    // of the request
	FromAccountType AccountType `ips:"pFAcctType,alias=pFAccType"` // of the request; IPS answers with a t missing
	FromAccount     string      `ips:"pFIpsAcctNo"`                // of the request
	FromFee         Amount      `ips:"pFTrdFee"`                   // of the request
	ToAccountType   AccountType `ips:"pTAcctType,alias=pTAccType"` // of the request
	ToAccount       string      `ips:"pTIpsAcctNo"`                // of the request
	ToFee           Amount      `ips:"pTTrdFee"`                   // of the request
	IPSBillNo       string      `ips:"pIpsDetailBillNo"`           // IPS 明细订单号: number of the row at IPS
	IPSTime         Time        `ips:"pIpsDetailTime"`             // IPS 处理时间: time at IPS
	IPSFee          Amount      `ips:"pIpsFee"`                    // IPS 手续费: fee of IPS
	Status          RowStatus   `ips:"pStatus"`                    // 状态: done or failed
	Message         string      `ips:"pMessage"`                   // 说明: why it failed, in Chinese
}

// Failed returns those of the asked rows that were not carried out, each at most
// once: a row is known by its original order, its two accounts and its amount, and
// rows that are alike in these by their order. Carry them into a new order, under a
// new number. The rows of the answer that say neither done nor failed are not among
// them.
func (r *TransferResponse) Failed(asked []TransferRow) []TransferRow {
	return rowsThat(RowFailed, asked, r.Rows, "pOriMerBillNo", "pFIpsAcctNo", "pTIpsAcctNo", "pTrdAmt")
}

// Done returns those of the asked rows that were carried out, as [TransferResponse.Failed]
// knows them. Rows of which the answer says neither are in neither.
func (r *TransferResponse) Done(asked []TransferRow) []TransferRow {
	return rowsThat(RowDone, asked, r.Rows, "pOriMerBillNo", "pFIpsAcctNo", "pTIpsAcctNo", "pTrdAmt")
}

var transfer = newOperation[TransferRequest, TransferResponse](OperationInfo{
	Operation: OpTransfer, Chinese: "转账", Section: "4.10", Method: "Transfer",
	Endpoint: "Transfer", Transport: WebService, Scenarios: []int{4, 5, 6, 8, 9},
}, operation{mark: "pTransferType", trade: TradeRelease, results: true})

func (TransferRequest) describe() *operation { return transfer }

// Transfer moves money between the parties of a bid (4.10 转账): it releases
// investments (scenarios 4 and 5, 投资), pays compensation (8 担保方代偿) and its
// repayment (9 借款人针对代偿的还款), carries out a debt transfer (6 债权转让) and
// settles a guarantee's profit (结算担保收益).
//
// Types 1 and 2 are answered [CodeProcessing], pending, and the result of each
// row comes to the merchant's [Handler]; types 3, 4 and 5 are answered at once. A
// batch can succeed in part.
func (c *Client) Transfer(ctx context.Context, req TransferRequest) (*TransferResponse, error) {
	return call[*TransferResponse](ctx, c, req)
}

// MarginOwner says whose margin is unfrozen (解冻类型 pUnfreezenType).
type MarginOwner string

// The owners of margins.
const (
	BorrowerMargin  MarginOwner = "1" // 解冻借款方
	GuarantorMargin MarginOwner = "2" // 解冻担保方
)

var marginOwners = map[MarginOwner]string{BorrowerMargin: "borrower", GuarantorMargin: "guarantor"}

// String names the owner.
func (o MarginOwner) String() string { return name(o, marginOwners) }

// UnfreezeMarginRequest gives a margin back, or a part of it (4.12 解冻保证金).
//
// Rules between fields:
//   - IdentNo must be given for a person; for an organisation it may be empty.
type UnfreezeMarginRequest struct {
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// BidNo is the bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// Date is the day of unfreezing (解冻日期 pUnfreezeDate).
	Date Date `ips:"pUnfreezeDate"`
	// Amount is what is unfrozen (解冻金额 pUnfreezeAmt): more than 0; with earlier
	// ones at most what was frozen.
	Amount Amount `ips:"pUnfreezeAmt" check:"gt=0"`
	// Owner says whose margin it is (解冻类型 pUnfreezenType, sic).
	Owner MarginOwner `ips:"pUnfreezenType" check:"oneof=1 2"`
	// AccountType is person or organisation (账户类型 pAcctType); the zero value
	// means person.
	AccountType AccountType `ips:"pAcctType,default=1" check:"oneof=0 1"`
	// IdentNo is the owner's id number (证件号 pIdentNo): at most 20 characters,
	// required of a person.
	IdentNo string `ips:"pIdentNo" check:"optional,max=20,secret"`
	// RealName is the owner's name (姓名 pRealName): at most 30 characters.
	RealName string `ips:"pRealName" check:"max=30,secret"`
	// Account is the owner's custody account, or an organisation's IPS merchant
	// code (托管账户 pIpsAcctNo): at most 30 characters.
	Account string `ips:"pIpsAcctNo" check:"max=30,secret"`

	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

func (r *UnfreezeMarginRequest) check(v *validation) {
	if r.IdentNo == "" && r.AccountType != AccountOrganisation {
		v.addf("pIdentNo", "IdentNo", personal(""), "must not be empty for a person")
	}
}

// UnfreezeMarginResponse is the answer to the unfreezing of a margin.
type UnfreezeMarginResponse struct {
	Reply

	BidNo       string      `ips:"pBidNo"`         // of the request
	Date        Date        `ips:"pUnfreezeDate"`  // of the request
	Amount      Amount      `ips:"pUnfreezeAmt"`   // of the request
	Owner       MarginOwner `ips:"pUnfreezenType"` // of the request
	AccountType AccountType `ips:"pAcctType"`      // of the request
	IdentNo     string      `ips:"pIdentNo"`       // of the request
	RealName    string      `ips:"pRealName"`      // of the request
	Account     string      `ips:"pIpsAcctNo"`     // of the request
	IPSBillNo   string      `ips:"pIpsBillNo"`     // IPS 订单号: number of the order at IPS
	IPSTime     Time        `ips:"pIpsTime"`       // IPS 处理时间: time at IPS

	Memos
}

var unfreezeMargin = newOperation[UnfreezeMarginRequest, UnfreezeMarginResponse](OperationInfo{
	Operation: OpUnfreezeMargin, Chinese: "解冻保证金", Section: "4.12", Method: "UnfreezeMargin",
	Endpoint: "GuaranteeUnfreeze", Transport: WebService, Scenarios: []int{14, 15},
}, operation{argNames: true, mark: "pUnfreezeAmt", trade: TradeUnfreezeMargin, tradeUncertain: true})

func (UnfreezeMarginRequest) describe() *operation { return unfreezeMargin }

// UnfreezeMargin gives the guarantor's margin back (4.12 解冻保证金, scenario 14
// 解冻担保方保证金) or the borrower's (scenario 15 解冻借款人保证金), at once or in
// parts down to zero.
func (c *Client) UnfreezeMargin(ctx context.Context, req UnfreezeMarginRequest) (*UnfreezeMarginResponse, error) {
	return call[*UnfreezeMarginResponse](ctx, c, req)
}
