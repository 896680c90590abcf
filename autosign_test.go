package ips_test

import (
	"testing"

	"github.com/ips-p2p/ips"
)

func TestInvalidSignAutoBid(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpSignAutoBid, []invalid{
		{with{"Date", ips.Date{}}, "pSigningDate", "Date", given, false},
		{with{"ValidUnit", "N"}, "pValidType", "ValidUnit", "must be one of D, M", false},
		{with{"Valid", 0}, "pValidDate", "Valid", positive, false},
		{with{"Valid", 13}, "pValidDate", "Valid", "must be at most 12 months", false},
		{with{"ValidUnit", "D", "Valid", 366}, "pValidDate", "Valid", "must be at most 365 days", false},
		{with{"TermUnit", "3"}, "pTrdCycleType", "TermUnit", "must be one of D, M", false},
		{with{"TermFrom", 0}, "pSTrdCycleValue", "TermFrom", positive, false},
		{with{"TermTo", 1801}, "pETrdCycleValue", "TermTo", "must be at most 1800 days", false},
		{with{"TermUnit", "M", "TermFrom", 1, "TermTo", 61}, "pETrdCycleValue", "TermTo", "must be at most 60 months", false},
		{with{"TermUnit", "M", "TermFrom", 61, "TermTo", 60}, "pSTrdCycleValue", "TermFrom", "must be at most 60 months", true},
		{with{"TermTo", 29}, "pETrdCycleValue", "TermTo", "must be at least TermFrom 30", false},
		{with{"AmountFrom", 99}, "pSAmtQuota", "AmountFrom", "must be at least 1.00", false},
		{with{"AmountFrom", 2_000, "AmountTo", 1_999}, "pEAmtQuota", "AmountTo", "must be at least AmountFrom 20.00", false},
		{with{"RateFrom", 99}, "pSIRQuota", "RateFrom", "must be at least 1.00", false},
		{with{"RateTo", 4_99}, "pEIRQuota", "RateTo", "must be at least RateFrom 5.00", false},
	})
}

func TestInvalidSignAutoRepay(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpSignAutoRepay, []invalid{
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"ValidUnit", "Y"}, "pValidType", "ValidUnit", "must be one of D, M, N", false},
		{with{"Valid", 1}, "pValidDate", "Valid", "must be 0 for an unlimited contract", false},
		{with{"ValidUnit", "D", "Valid", 0}, "pValidDate", "Valid", "must be more than 0 unless ValidUnit is PeriodUnlimited (N)", false},
		{with{"ValidUnit", "D", "Valid", 366}, "pValidDate", "Valid", "must be at most 365 days", false},
		{with{"ValidUnit", "M", "Valid", 13}, "pValidDate", "Valid", "must be at most 12 months", false},
		{with{"Valid", -1}, "pValidDate", "Valid", notNeg, false},
	})
}
