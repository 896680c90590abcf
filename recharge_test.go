package ips_test

import (
	"testing"

	"github.com/ips-p2p/ips"
)

func TestInvalidRecharge(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpRecharge, []invalid{
		{with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
		{with{"Date", ips.Date{}}, "pTrdDate", "Date", given, false},
		{with{"Amount", 0}, "pTrdAmt", "Amount", positive, false},
		{with{"Amount", ips.Amount(1_000_000_000_00)}, "pTrdAmt", "Amount", nineDig, false},
		{with{"Channel", "3"}, "pChannelType", "Channel", "must be one of 1, 2", false},
		{with{"BankCode", ""}, "pTrdBnkCode", "BankCode", "must not be empty for an e-bank recharge", false},
		{with{"BankCode", "0004"}, "pTrdBnkCode", "BankCode", "must have exactly 5 characters", false},
		{with{"BankCode", "0000a"}, "pTrdBnkCode", "BankCode", "must be digits only", false},
		{with{"Channel", "2"}, "pTrdBnkCode", "BankCode", "must be empty for a withholding recharge", false},
		{with{"Fee", -1}, "pMerFee", "Fee", notNeg, false},
		{with{"FeePayer", ""}, "pIpsFeeType", "FeePayer", empty, false},
		{with{"FeePayer", "3"}, "pIpsFeeType", "FeePayer", "must be one of 1, 2", false},
	})
}

func TestInvalidWithholdingRecharge(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpWithholdingRecharge, []invalid{
		{with{"Date", ips.Date{}}, "pTrdDate", "Date", given, false},
		{with{"Amount", 0}, "pTrdAmt", "Amount", positive, false},
		{with{"Fee", -1}, "pMerFee", "Fee", notNeg, false},
		{with{"FeePayer", "0"}, "pIpsFeeType", "FeePayer", "must be one of 1, 2", false},
		{with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
		{with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
		{with{"RealName", ""}, "pRealName", "RealName", empty, false},
		{with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},
	})
}
