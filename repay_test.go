package ips_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ips-p2p/ips"
)

func TestRepayTotals(t *testing.T) {
	t.Parallel()
	amount, fee := ips.RepayTotals(repayRows(300))
	assert.Equal(t, 30_000*ips.Yuan, amount)
	assert.Equal(t, 300*ips.Yuan, fee)
}

func TestInvalidRepay(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpRepay, []invalid{
		{with{"Rows[0].CreditorOrderNo", "C\u00a01"}, "pDetails/pRow[1]/pCreMerBillNo", "Rows[0].CreditorOrderNo", orderNo, false},
		{with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
		{with{"Date", ips.Date{}}, "pRepaymentDate", "Date", given, false},
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"Account", ""}, "pOutAcctNo", "Account", empty, false},
		{with{"Amount", 1_016_70}, "pOutAmt", "Amount", "must be the sum of the rows' Amount (pInAmt), 1016.71", false},
		{with{"Amount", 0}, "pOutAmt", "Amount", positive, true},
		{with{"Fee", 0}, "pOutFee", "Fee", "must be the sum of the rows' BorrowerFee (pOutInfoFee), 2.50", false},
		{with{"Rows", []ips.RepayRow{}, "Amount", 1}, "pDetails", "Rows", "must have 1 to 300 rows", true},
		{with{"Rows", repayRows(301), "Amount", 301_00_00, "Fee", 301_00}, "pDetails", "Rows", "must have 1 to 300 rows", false},
		{with{"Rows[0].CreditorOrderNo", ""}, "pDetails/pRow[1]/pCreMerBillNo", "Rows[0].CreditorOrderNo", empty, false},
		{with{"Rows[0].Account", nine(31)}, "pDetails/pRow[1]/pInAcctNo", "Rows[0].Account", most30, false},
		{with{"Rows[0].Fee", -1}, "pDetails/pRow[1]/pInFee", "Rows[0].Fee", notNeg, false},
		{with{"Rows[0].Fee", 1_000_00}, "pDetails/pRow[1]/pInAmt", "Rows[0].Amount", "must be more than Fee (pInFee) 1000.00", false},
		{with{"Rows[0].BorrowerFee", -1, "Fee", 49}, "pDetails/pRow[1]/pOutInfoFee", "Rows[0].BorrowerFee", notNeg, false},
		{with{"Rows[0].Amount", 0, "Amount", 16_71}, "pDetails/pRow[1]/pInAmt", "Rows[0].Amount", positive, false},
	})
}

func TestInvalidAutoRepay(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpAutoRepay, []invalid{
		{with{"AuthNo", ""}, "pIpsAuthNo", "AuthNo", empty, false},
		{with{"AuthNo", "授权1"}, "pIpsAuthNo", "AuthNo", letters, false},
		{with{"Amount", 1_016_72}, "pOutAmt", "Amount", "must be the sum of the rows' Amount (pInAmt), 1016.71", false},
		{with{"Fee", 2_51}, "pOutFee", "Fee", "must be the sum of the rows' BorrowerFee (pOutInfoFee), 2.50", false},
	})
}
