package ips

import (
	"errors"
	"fmt"
)

// ErrOldBid matches every [*OldBidError].
var ErrOldBid = errors.New("bid of the other interface")

// OldBidError says that an operation does not fit the interface through which
// the bid was made. Nothing was sealed or sent.
type OldBidError struct {
	Operation Operation // what was to be asked
	BidNo     string    // pBidNo
	Old       bool      // the bid is an old one and the operation one of v2.0; else the other way round
}

// Error says what is wrong and what to do.
func (e *OldBidError) Error() string {
	if e.Old {
		return fmt.Sprintf("ips: %s: bid %.40q was made through the old interface and can only be repaid through it: use RepayOldBid", e.Operation, e.BidNo)
	}
	return fmt.Sprintf("ips: %s: bid %.40q is not marked as made through the old interface (WithOldBids): use Repay or AutoRepay", e.Operation, e.BidNo)
}

// Is reports whether target is [ErrOldBid].
func (e *OldBidError) Is(target error) bool { return target == ErrOldBid }

// checkInterface refuses an operation on a bid of the other interface.
func (c *Client) checkInterface(op Operation, bidNo string) error {
	old := c.oldBid != nil && bidNo != "" && c.oldBid(bidNo)
	if old == (op == OpRepayOldBid) {
		return nil
	}
	return &OldBidError{Operation: op, BidNo: bidNo, Old: old}
}

// RepayOldBidRequest repays a bid that was made through the old interface
// (老版还款接口 repaymentTrade.aspx). Its fields are known from merchants'
// programs only.
//
// Rules between fields:
//   - Amount is the sum of the rows' Amount.
//   - In every row Amount is more than Fee.
type RepayOldBidRequest struct {
	// BidNo is the old bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// ContractNo is the number of its loan contract (合同号 pContractNo): 1–30
	// letters and digits.
	ContractNo string `ips:"pContractNo" check:"alnum,max=30"`
	// Date is the day of repayment (还款日期 pRepaymentDate).
	Date Date `ips:"pRepaymentDate"`
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// ReleaseOrderNo is the order number of the old release of funds (放款时的
	// 商户订单号 pMerchantBillNo): at most 30 characters.
	ReleaseOrderNo string `ips:"pMerchantBillNo" check:"max=30"`
	// AccountType is the borrower's (转出方账户类型 pFAcctType); the zero value means
	// person.
	AccountType AccountType `ips:"pFAcctType,default=1" check:"oneof=0 1"`
	// IdentNo is the borrower's id number (证件号 pFIdentNo): at most 20 characters.
	IdentNo string `ips:"pFIdentNo" check:"max=20,secret"`
	// RealName is the borrower's name (姓名 pFRealName): at most 30 characters.
	RealName string `ips:"pFRealName" check:"max=30,secret"`
	// Account is the borrower's custody account (托管账户 pFIpsAcctNo): at most 30
	// characters.
	Account string `ips:"pFIpsAcctNo" check:"max=30,secret"`
	// Fee is what the platform takes from the borrower (手续费 pFTrdFee): at least 0.
	Fee Amount `ips:"pFTrdFee" check:"ge=0"`
	// Amount is the sum of the rows' Amount (还款金额 pFTrdAmt): more than 0.
	Amount Amount `ips:"pFTrdAmt" check:"gt=0"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	// Rows are the investors who are paid (明细 pDetails): 1–300 (the limit is our
	// choice, that of the new repayment).
	Rows []RepayOldBidRow `ips:"pDetails,row=pRow" check:"rows=300"`

	Memos
}

// RepayOldBidRow pays one investor (pRow).
type RepayOldBidRow struct {
	// AccountType is the investor's (转入方账户类型 pTAcctType); the zero value means
	// person.
	AccountType AccountType `ips:"pTAcctType,default=1" check:"oneof=0 1"`
	// Account is the investor's custody account (转入方托管账户 pTIpsAcctNo): at most
	// 30 characters.
	Account string `ips:"pTIpsAcctNo" check:"max=30,secret"`
	// Fee is what the platform takes from the investor (转入方手续费 pTTrdFee): at
	// least 0.
	Fee Amount `ips:"pTTrdFee" check:"ge=0"`
	// Amount is what the investor is paid (转入金额 pTTrdAmt): more than 0 and more
	// than Fee.
	Amount Amount `ips:"pTTrdAmt" check:"gt=0"`
}

func (r *RepayOldBidRequest) check(v *validation) {
	var sum Amount
	for i := range r.Rows {
		row := &r.Rows[i]
		sum += row.Amount
		if row.Amount > 0 && row.Amount <= row.Fee {
			v.addRow(i, "pTTrdAmt", "Amount", quote(row.Amount.String()), "must be more than Fee (pTTrdFee) %s", row.Fee)
		}
	}
	if r.Amount != sum {
		v.addf("pFTrdAmt", "Amount", quote(r.Amount.String()), "must be the sum of the rows' Amount (pTTrdAmt), %s", sum)
	}
}

// RepayOldBidResponse is the answer to the repayment of an old bid.
type RepayOldBidResponse struct {
	Reply

	BidNo          string                 `ips:"pBidNo"`            // of the request
	ContractNo     string                 `ips:"pContractNo"`       // of the request
	Date           Date                   `ips:"pRepaymentDate"`    // of the request
	ReleaseOrderNo string                 `ips:"pMerchantBillNo"`   // of the request
	IPSBillNo      string                 `ips:"pIpsBillNo"`        // IPS 订单号: number of the repayment at IPS
	Rows           []RepayOldBidRowResult `ips:"pDetails,row=pRow"` // 明细: what became of each row

	Memos
}

// Failed returns those of the asked rows that were not carried out, each at most
// once: a row is known by its account, its fee and its amount.
func (r *RepayOldBidResponse) Failed(asked []RepayOldBidRow) []RepayOldBidRow {
	return rowsThat(RowFailed, asked, r.Rows, "pTIpsAcctNo", "pTTrdFee", "pTTrdAmt")
}

// RepayOldBidRowResult is what became of one row.
type RepayOldBidRowResult struct {
	AccountType AccountType `ips:"pTAcctType,alias=pTAccType"` // of the request
	Account     string      `ips:"pTIpsAcctNo"`                // of the request
	Fee         Amount      `ips:"pTTrdFee"`                   // of the request
	Amount      Amount      `ips:"pTTrdAmt"`                   // of the request
	Status      RowStatus   `ips:"pStatus"`                    // 状态: done or failed
	Message     string      `ips:"pMessage"`                   // 说明: why it failed, in Chinese
}

var repayOldBid = newOperation[RepayOldBidRequest, RepayOldBidResponse](OperationInfo{
	Operation: OpRepayOldBid, Chinese: "老版还款", Method: "RepayOldBid",
	Endpoint: "repaymentTrade.aspx", Transport: Redirect,
	Success: []Code{CodeQuerySuccess, CodeSuccess}, Pending: []Code{CodeProcessing},
}, operation{mark: "pMerchantBillNo"})

func (RepayOldBidRequest) describe() *operation { return repayOldBid }

// RepayOldBid repays a bid that was made through the old interface, by the old
// interface's repayment (老版还款接口, usage guide part 三): the one part of it
// that stays in use. The client must know its old bids, see [WithOldBids]; any
// other bid is refused with an [*OldBidError]. The answer's code for success is
// [CodeQuerySuccess]; it comes to the merchant's [Handler].
func (c *Client) RepayOldBid(req RepayOldBidRequest) (*Form, error) { return c.Form(req) }
