package ips

import (
	"context"
)

// RepayRequest is a repayment that the borrower confirms himself (4.11 还款,
// 手动还款).
//
// Rules between fields:
//   - Amount is the sum of the rows' Amount.
//   - Fee is the sum of the rows' BorrowerFee.
//   - In every row Amount is more than Fee.
type RepayRequest struct {
	// BidNo is the bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// Date is the day of repayment (还款日期 pRepaymentDate).
	Date Date `ips:"pRepaymentDate"`
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`

	_ struct{} `ips:"pRepayType,const=1"` // 手动还款
	_ struct{} `ips:"pIpsAuthNo,const="`  // only of automatic repayments

	// Account is the borrower's custody account (转出方托管账户 pOutAcctNo): at most
	// 30 characters.
	Account string `ips:"pOutAcctNo" check:"max=30,secret"`
	// Amount is the sum of the rows' Amount (转出金额 pOutAmt), and Fee the sum of
	// their BorrowerFee (转出手续费 pOutFee). They are the check against a row too
	// many; [RepayTotals] adds them up.
	Amount Amount `ips:"pOutAmt" check:"gt=0"`
	Fee    Amount `ips:"pOutFee" check:"ge=0"`
	// Rows are the creditors who are paid (明细 pDetails): 1–300.
	Rows []RepayRow `ips:"pDetails,row=pRow" check:"rows=300"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// AutoRepayRequest is a repayment that the platform makes for a borrower under
// his auto-repay contract (4.11 还款, 自动还款).
//
// Rules between fields:
//   - Amount is the sum of the rows' Amount.
//   - Fee is the sum of the rows' BorrowerFee.
//   - In every row Amount is more than Fee.
type AutoRepayRequest struct {
	// BidNo is the bid's number (标的号 pBidNo): 1–30 letters and digits.
	BidNo string `ips:"pBidNo" check:"alnum,max=30"`
	// Date is the day of repayment (还款日期 pRepaymentDate).
	Date Date `ips:"pRepaymentDate"`
	// OrderNo is the merchant's number of this order (商户订单号 pMerBillNo):
	// 1–30 characters, unique at the merchant.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`

	_ struct{} `ips:"pRepayType,const=2"` // 自动还款

	// AuthNo is the number of the auto-repay contract (授权号 pIpsAuthNo), which
	// [SignAutoRepayResponse] gave: 1–30 letters and digits.
	AuthNo string `ips:"pIpsAuthNo" check:"alnum,max=30"`
	// Account is the borrower's custody account (转出方托管账户 pOutAcctNo): at most
	// 30 characters.
	Account string `ips:"pOutAcctNo" check:"max=30,secret"`
	// Amount is the sum of the rows' Amount (转出金额 pOutAmt), and Fee the sum of
	// their BorrowerFee (转出手续费 pOutFee). They are the check against a row too
	// many; [RepayTotals] adds them up.
	Amount Amount `ips:"pOutAmt" check:"gt=0"`
	Fee    Amount `ips:"pOutFee" check:"ge=0"`
	// Rows are the creditors who are paid (明细 pDetails): 1–300.
	Rows []RepayRow `ips:"pDetails,row=pRow" check:"rows=300"`

	// ReturnURL is where IPS sends the user's browser with the answer
	// (浏览器返回地址 pWebUrl). Empty takes the client's.
	ReturnURL string `ips:"pWebUrl" check:"url"`
	// NotifyURL is where IPS posts the answer server to server (服务器通知地址
	// pS2SUrl). Empty takes the client's.
	NotifyURL string `ips:"pS2SUrl" check:"url"`

	Memos
}

// RepayRow pays one creditor (pRow).
type RepayRow struct {
	// CreditorOrderNo names the claim (登记债权人时提交的订单号 pCreMerBillNo): 1–30
	// characters. It is the order number of the creditor registration that made it. For a claim that was bought give the number of the transfer of
	// [TransferDebt] that brought it: IPS took that, and merchants send it. Others
	// send the number of the debt-transfer registration; that IPS takes it, or
	// still the first number, was never seen.
	CreditorOrderNo string `ips:"pCreMerBillNo" check:"max=30"`
	// Account is the custody account of the claim's holder (转入方托管账户
	// pInAcctNo), after a debt transfer the new creditor's: at most 30 characters.
	Account string `ips:"pInAcctNo" check:"max=30,secret"`
	// Fee is what the platform takes from the creditor (转入方手续费 pInFee): at
	// least 0, less than Amount.
	Fee Amount `ips:"pInFee" check:"ge=0"`
	// BorrowerFee is what the platform takes from the borrower for this row
	// (转出方手续费 pOutInfoFee): at least 0.
	BorrowerFee Amount `ips:"pOutInfoFee" check:"ge=0"`
	// Amount is what the creditor is paid, principal and interest (转入金额
	// pInAmt): more than 0 and more than Fee.
	Amount Amount `ips:"pInAmt" check:"gt=0"`
}

// RepayTotals adds up the Amount and the BorrowerFee of the rows, for the
// request's Amount and Fee.
func RepayTotals(rows []RepayRow) (amount, fee Amount) {
	for i := range rows {
		amount += rows[i].Amount
		fee += rows[i].BorrowerFee
	}
	return amount, fee
}

func (r *RepayRequest) check(v *validation) { v.repayment(r.Amount, r.Fee, r.Rows) }

func (r *AutoRepayRequest) check(v *validation) { v.repayment(r.Amount, r.Fee, r.Rows) }

func (v *validation) repayment(amount, fee Amount, rows []RepayRow) {
	sum, fees := RepayTotals(rows)
	if amount != sum {
		v.addf("pOutAmt", "Amount", quote(amount.String()), "must be the sum of the rows' Amount (pInAmt), %s", sum)
	}
	if fee != fees {
		v.addf("pOutFee", "Fee", quote(fee.String()), "must be the sum of the rows' BorrowerFee (pOutInfoFee), %s", fees)
	}
	for i := range rows {
		if row := &rows[i]; row.Amount > 0 && row.Amount <= row.Fee {
			v.addRow(i, "pInAmt", "Amount", quote(row.Amount.String()), "must be more than Fee (pInFee) %s", row.Fee)
		}
	}
}

// RepayResponse is the answer to a repayment, manual or automatic.
type RepayResponse struct {
	Reply

	BidNo     string           `ips:"pBidNo"`            // of the request
	Date      Date             `ips:"pRepaymentDate"`    // of the request
	IPSBillNo string           `ips:"pIpsBillNo"`        // IPS 订单号: number of the repayment at IPS, e.g. CRY2014121300031415
	IPSDate   Date             `ips:"pIpsDate"`          // IPS 处理日期: day at IPS
	IPSFee    Amount           `ips:"pOutIpsFee"`        // IPS 手续费: fee of IPS
	Rows      []RepayRowResult `ips:"pDetails,row=pRow"` // 明细: what became of each row

	Memos
}

// Failed returns those of the asked rows that were not carried out, each at most
// once: a row is known by its claim, its account and its fee, because the answer
// has no amount, and rows that are alike in these by their order. Carry them into a
// new order, under a new number.
func (r *RepayResponse) Failed(asked []RepayRow) []RepayRow {
	return rowsThat(RowFailed, asked, r.Rows, "pCreMerBillNo", "pInAcctNo", "pInFee")
}

// Done returns those of the asked rows that were carried out, as [RepayResponse.Failed]
// knows them. Rows of which the answer says neither are in neither.
func (r *RepayResponse) Done(asked []RepayRow) []RepayRow {
	return rowsThat(RowDone, asked, r.Rows, "pCreMerBillNo", "pInAcctNo", "pInFee")
}

// RepayRowResult is what became of one row. A repayment can succeed in part:
// look at every Status. The answer has neither account nor amount of the whole
// and no amount of a row: what was paid stands in the recorded request.
type RepayRowResult struct {
	CreditorOrderNo string    `ips:"pCreMerBillNo"` // of the request
	Account         string    `ips:"pInAcctNo"`     // of the request
	Fee             Amount    `ips:"pInFee"`        // of the request
	Status          RowStatus `ips:"pStatus"`       // 状态: done or failed
	Message         string    `ips:"pMessage"`      // 说明: why it failed, in Chinese
}

var repay = newOperation[RepayRequest, RepayResponse](OperationInfo{
	Operation: OpRepay, Chinese: "还款（手动）", Section: "4.11", Method: "Repay",
	Endpoint: "RepaymentNewTrade.aspx", Transport: Redirect, Scenarios: []int{7},
}, operation{
	mark: "pRepaymentDate", trade: TradeRepay, results: true,
	others: []string{"pMerchantBillNo"}, // only the old repayment has it
})

func (RepayRequest) describe() *operation { return repay }

// Repay starts a repayment that the borrower confirms on the page of IPS (4.11
// 还款, scenario 7 借款人还款).
//
// The web return says [CodeProcessing], pending; the result of each row comes
// with the notification.
func (c *Client) Repay(req RepayRequest) (*Form, error) { return c.Form(req) }

var autoRepay = newOperation[AutoRepayRequest, RepayResponse](OperationInfo{
	Operation: OpAutoRepay, Chinese: "还款（自动）", Section: "4.11", Method: "AutoRepay",
	Endpoint: "RepaymentNewTrade.aspx", Transport: ServerPosted, Scenarios: []int{7},
}, operation{
	mark: "pRepaymentDate", trade: TradeRepay, results: true,
	others: []string{"pMerchantBillNo"}, // only the old repayment has it
})

func (AutoRepayRequest) describe() *operation { return autoRepay }

// AutoRepay repays for a borrower under his contract (4.11 还款, scenario 7,
// 自动还款). No page is shown; see [Client.SignAutoRepay]. The answer is
// [CodeProcessing], pending; the result of each row comes to
// the merchant's [Handler].
func (c *Client) AutoRepay(ctx context.Context, req AutoRepayRequest) (*RepayResponse, error) {
	return call[*RepayResponse](ctx, c, req)
}
