package ips_test

import (
	"testing"

	"github.com/ips-p2p/ips"
)

func TestInvalidWithdraw(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpWithdraw, []invalid{
		{with{"OrderNo", x(31)}, "pMerBillNo", "OrderNo", most30, false},
		{with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
		{with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
		{with{"Date", ips.Date{}}, "pDwDate", "Date", given, false},
		{with{"Amount", 0}, "pTrdAmt", "Amount", positive, false},
		{with{"Fee", -1}, "pMerFee", "Fee", notNeg, false},
		{with{"FeePayer", ""}, "pIpsFeeType", "FeePayer", empty, false},
		{with{"Memo1", zi(101)}, "pMemo1", "Memo1", most100, false},
	})
}
