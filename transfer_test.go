package ips_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ips-p2p/ips"
)

// TestFailedRows: each asked row comes back at most once, and only by a row of the
// answer that failed, or was done.
func TestFailedRows(t *testing.T) {
	t.Parallel()
	row := func(no, from, to string, amount ips.Amount) ips.TransferRow {
		return ips.TransferRow{OriginalOrderNo: no, FromAccount: from, ToAccount: to, Amount: amount}
	}
	result := func(r ips.TransferRow, s ips.RowStatus) ips.TransferRowResult {
		return ips.TransferRowResult{OriginalOrderNo: r.OriginalOrderNo, FromAccount: r.FromAccount, ToAccount: r.ToAccount, Amount: r.Amount, Status: s}
	}
	// One claim, partly sold: two holders have rows with its number.
	a, b := row("C1", "G", "A", 500_00), row("C1", "G", "B", 500_00)
	less := row("C1", "G", "A", 1_00)
	for name, tt := range map[string]struct {
		asked []ips.TransferRow
		said  []ips.TransferRowResult
		want  []ips.TransferRow
		done  []ips.TransferRow
	}{
		"all done":          {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(a, ips.RowDone), result(b, ips.RowDone)}, nil, []ips.TransferRow{a, b}},
		"the second failed": {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(a, ips.RowDone), result(b, ips.RowFailed)}, []ips.TransferRow{b}, []ips.TransferRow{a}},
		"both failed":       {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(b, ips.RowFailed), result(a, ips.RowFailed)}, []ips.TransferRow{a, b}, nil},
		"two alike, one":    {[]ips.TransferRow{a, a}, []ips.TransferRowResult{result(a, ips.RowDone), result(a, ips.RowFailed)}, []ips.TransferRow{a}, []ips.TransferRow{a}},
		"two alike, both":   {[]ips.TransferRow{a, a}, []ips.TransferRowResult{result(a, ips.RowFailed), result(a, ips.RowFailed)}, []ips.TransferRow{a, a}, nil},
		"said thrice":       {[]ips.TransferRow{a}, []ips.TransferRowResult{result(a, ips.RowFailed), result(a, ips.RowFailed), result(a, ips.RowFailed)}, []ips.TransferRow{a}, nil},
		"done thrice":       {[]ips.TransferRow{a}, []ips.TransferRowResult{result(a, ips.RowDone), result(a, ips.RowDone), result(a, ips.RowDone)}, nil, []ips.TransferRow{a}},
		"another amount":    {[]ips.TransferRow{a}, []ips.TransferRowResult{result(less, ips.RowFailed)}, nil, nil},
		"neither":           {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(a, ""), result(b, "P")}, nil, nil},
		"no rows":           {[]ips.TransferRow{a, b}, nil, nil, nil},
	} {
		answer := &ips.TransferResponse{Rows: tt.said}
		assert.Equal(t, tt.want, answer.Failed(tt.asked), name)
		assert.Equal(t, tt.done, answer.Done(tt.asked), name)
	}

	x, y := ips.RepayRow{CreditorOrderNo: "C1", Account: "A", Amount: 1_00}, ips.RepayRow{CreditorOrderNo: "C1", Account: "B", Amount: 2_00}
	repaid := &ips.RepayResponse{Rows: []ips.RepayRowResult{{CreditorOrderNo: "C1", Account: "A", Status: ips.RowDone}, {CreditorOrderNo: "C1", Account: "B", Status: ips.RowFailed}}}
	assert.Equal(t, []ips.RepayRow{y}, repaid.Failed([]ips.RepayRow{x, y}))
	assert.Equal(t, []ips.RepayRow{x}, repaid.Done([]ips.RepayRow{x, y}))
	// The answer has no amount: principal and interest of one claim go by their order.
	principal, interest := ips.RepayRow{CreditorOrderNo: "C1", Account: "A", Amount: 900_00}, ips.RepayRow{CreditorOrderNo: "C1", Account: "A", Amount: 9_00}
	for i, want := range []ips.RepayRow{principal, interest} {
		partly := &ips.RepayResponse{Rows: []ips.RepayRowResult{{CreditorOrderNo: "C1", Account: "A", Status: ips.RowDone}, {CreditorOrderNo: "C1", Account: "A", Status: ips.RowDone}}}
		partly.Rows[i].Status = ips.RowFailed
		assert.Equal(t, []ips.RepayRow{want}, partly.Failed([]ips.RepayRow{principal, interest}))
	}
	old := &ips.RepayOldBidResponse{Rows: []ips.RepayOldBidRowResult{{Account: "A", Amount: 1_00, Status: ips.RowFailed}}}
	assert.Equal(t, []ips.RepayOldBidRow{{Account: "A", Amount: 1_00}}, old.Failed([]ips.RepayOldBidRow{{Account: "B", Amount: 1_00}, {Account: "A", Amount: 1_00}, {Account: "A", Amount: 1_00}}))
}

func TestInvalidTransfer(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpTransfer, []invalid{
		{with{"Rows[1].OriginalOrderNo", "C 1"}, "pDetails/pRow[2]/pOriMerBillNo", "Rows[1].OriginalOrderNo", orderNo, false},
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
		{with{"Date", ips.Date{}}, "pDate", "Date", given, false},
		{with{"Type", "6", "Mode", "1"}, "pTransferType", "Type", "must be one of 1, 2, 3, 4, 5", false},
		{with{"Mode", "3"}, "pTransferMode", "Mode", "must be one of 1, 2", false},
		{with{"Type", "2", "Rows[1].FromAccount", "4021000000000002"}, "pTransferMode", "Mode", "must be row by row (1) unless Type is TransferInvestment (1)", false},
		{with{"Rows", []ips.TransferRow(nil)}, "pDetails", "Rows", "must have 1 to 3000 rows", false},
		{with{"Rows", transferRows(3001)}, "pDetails", "Rows", "must have 1 to 3000 rows", false},
		{with{"Type", "3", "Mode", "1"}, "pDetails", "Rows", "must have exactly 1 row for Type 3", false},
		{with{"Type", "4", "Mode", "1"}, "pDetails", "Rows", "must have exactly 1 row for Type 4", false},
		{with{"Type", "5", "Mode", "1"}, "pDetails", "Rows", "must have exactly 1 row for Type 5", false},
		{with{"Rows[1].OriginalOrderNo", ""}, "pDetails/pRow[2]/pOriMerBillNo", "Rows[1].OriginalOrderNo", empty, false},
		{with{"Rows[0].Amount", 0}, "pDetails/pRow[1]/pTrdAmt", "Rows[0].Amount", positive, false},
		{with{"Rows[1].FromAccountType", "2"}, "pDetails/pRow[2]/pFAcctType", "Rows[1].FromAccountType", "must be one of 0, 1", false},
		{with{"Rows[1].FromAccount", ""}, "pDetails/pRow[2]/pFIpsAcctNo", "Rows[1].FromAccount", empty, false},
		{with{"Rows[1].FromFee", -1}, "pDetails/pRow[2]/pFTrdFee", "Rows[1].FromFee", notNeg, false},
		{with{"Rows[1].ToAccountType", "9"}, "pDetails/pRow[2]/pTAcctType", "Rows[1].ToAccountType", "must be one of 0, 1", false},
		{with{"Rows[1].ToAccount", ""}, "pDetails/pRow[2]/pTIpsAcctNo", "Rows[1].ToAccount", empty, true},
		{with{"Rows[1].ToAccount", "4021000000000009"}, "pDetails/pRow[2]/pTIpsAcctNo", "Rows[1].ToAccount", "must be the same borrower in every row of Type 1", false},
		{with{"Rows[1].ToFee", -1}, "pDetails/pRow[2]/pTTrdFee", "Rows[1].ToFee", notNeg, false},
		{with{"Rows[1].FromAccount", "4021000000000001"}, "pDetails/pRow[2]/pTIpsAcctNo", "Rows[1].ToAccount", "must not be the payer's account", false},
		{with{"Type", "2", "Mode", "1"}, "pDetails/pRow[2]/pFIpsAcctNo", "Rows[1].FromAccount", "must be the same guarantor in every row of Type 2", false},
		{with{"NotifyURL", "s2s"}, "pS2SUrl", "NotifyURL", aURL, false},
	})
}

func TestInvalidUnfreezeMargin(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpUnfreezeMargin, []invalid{
		{with{"AccountType", "0", "IdentNo", " "}, "pIdentNo", "IdentNo", blank, false},
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"Date", ips.Date{}}, "pUnfreezeDate", "Date", given, false},
		{with{"Amount", 0}, "pUnfreezeAmt", "Amount", positive, false},
		{with{"Owner", ""}, "pUnfreezenType", "Owner", empty, false},
		{with{"Owner", "3"}, "pUnfreezenType", "Owner", "must be one of 1, 2", false},
		{with{"AccountType", "2"}, "pAcctType", "AccountType", "must be one of 0, 1", false},
		{with{"IdentNo", ""}, "pIdentNo", "IdentNo", "must not be empty for a person", false},
		{with{"IdentNo", "", "AccountType", ""}, "pIdentNo", "IdentNo", "must not be empty for a person", false},
		{with{"RealName", ""}, "pRealName", "RealName", empty, false},
		{with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},
	})
}

func TestInvalidRegisterDebtTransfer(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpRegisterDebtTransfer, []invalid{
		{with{"BidNo", "#1"}, "pBidNo", "BidNo", letters, false},
		{with{"ContractNo", ""}, "pContractNo", "ContractNo", empty, false},
		{with{"FromAccountType", "0"}, "pFromAccountType", "FromAccountType", "must be one of 1", false},
		{with{"FromName", ""}, "pFromName", "FromName", empty, false},
		{with{"FromAccount", nine(51)}, "pFromAccount", "FromAccount", most50, false},
		{with{"FromIdentNo", nine(21)}, "pFromIdentNo", "FromIdentNo", most20, false},
		{with{"ToAccountType", "0"}, "pToAccountType", "ToAccountType", "must be one of 1", false},
		{with{"ToName", zi(31)}, "pToAccountName", "ToName", most30, false},
		{with{"ToAccount", nine(31)}, "pToAccount", "ToAccount", most30, false},
		{with{"ToAccount", "4021000000000002"}, "pToAccount", "ToAccount", "must not be the assignor's account", false},
		{with{"ToIdentNo", ""}, "pToIdentNo", "ToIdentNo", empty, false},
		{with{"CreditorOrderNo", ""}, "pCreMerBillNo", "CreditorOrderNo", empty, false},
		{with{"CreditorOrderNo", "C/1"}, "pCreMerBillNo", "CreditorOrderNo", letters, false},
		{with{"FaceAmount", 0}, "pCretAmt", "FaceAmount", positive, false},
		{with{"Price", 0}, "pPayAmt", "Price", positive, false},
		{with{"Price", 6_999_99}, "pPayAmt", "Price", "must be 70 % to 130 % of FaceAmount 10000.00", false},
		{with{"Price", 13_000_01}, "pPayAmt", "Price", "must be 70 % to 130 % of FaceAmount 10000.00", false},
		{with{"FromFee", -1}, "pFromFee", "FromFee", notNeg, false},
		{with{"ToFee", -1}, "pToFee", "ToFee", notNeg, false},
		{with{"Kind", ""}, "pCretType", "Kind", empty, false},
		{with{"Kind", "3"}, "pCretType", "Kind", "must be one of 1, 2", false},
	})
}
