package ips_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// TestEndOfBid repeats the registration but for the day and the addresses.
func TestEndOfBid(t *testing.T) {
	t.Parallel()
	bid := bidRequest(t)
	end := bid.End(ips.NewDate(2015, time.June, 1))
	assert.Equal(t, ips.NewDate(2015, time.June, 1), end.Date)
	assert.Empty(t, end.ReturnURL)
	assert.Empty(t, end.NotifyURL)
	want := ips.EndBidRequest(bid)
	want.Date, want.ReturnURL, want.NotifyURL = end.Date, "", ""
	assert.Equal(t, want, end)
	assert.Equal(t, ips.NewDate(2014, time.December, 13), bid.Date)
	complete, err := fixture.Client(t).Complete(end)
	require.NoError(t, err)
	assert.Equal(t, "https://p2p.example.com/ips/notify/end-bid", complete.(ips.EndBidRequest).NotifyURL)
}

func TestInvalidRegisterBid(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpRegisterBid, []invalid{
		{with{"Purpose", " \u3000"}, "pLendPurpose", "Purpose", blank, false},
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
		{with{"BidNo", "BID-1"}, "pBidNo", "BidNo", letters, false},
		{with{"BidNo", "标1"}, "pBidNo", "BidNo", letters, false},
		{with{"BidNo", x(31)}, "pBidNo", "BidNo", most30, false},
		{with{"Date", ips.Date{}}, "pRegDate", "Date", given, false},
		{with{"Date", ips.Date{Year: 10000, Month: 1, Day: 1}}, "pRegDate", "Date", "must be a day of the calendar", false},
		{with{"Amount", 0}, "pLendAmt", "Amount", positive, false},
		{with{"Amount", -1}, "pLendAmt", "Amount", positive, false},
		{with{"Amount", ips.Amount(100_000_000_01)}, "pLendAmt", "Amount", "must be at most 100000000", false},
		{with{"Margin", -1}, "pGuaranteesAmt", "Margin", notNeg, false},
		{with{"Margin", ips.Amount(100_000_000_01)}, "pGuaranteesAmt", "Margin", "must be at most 100000000", false},
		{with{"Rate", -1}, "pTrdLendRate", "Rate", notNeg, false},
		{with{"Rate", 48_00}, "pTrdLendRate", "Rate", "must be less than 48", false},
		{with{"TermUnit", ""}, "pTrdCycleType", "TermUnit", empty, false},
		{with{"TermUnit", "2"}, "pTrdCycleType", "TermUnit", "must be one of 1, 3", false},
		{with{"Term", 0}, "pTrdCycleValue", "Term", positive, false},
		{with{"Term", 61}, "pTrdCycleValue", "Term", "must be at most 60 months", false},
		{with{"TermUnit", "1", "Term", 1801}, "pTrdCycleValue", "Term", "must be at most 1800 days", false},
		{with{"Purpose", ""}, "pLendPurpose", "Purpose", empty, false},
		{with{"Purpose", zi(101)}, "pLendPurpose", "Purpose", most100, false},
		{with{"RepayMode", ""}, "pRepayMode", "RepayMode", empty, false},
		{with{"RepayMode", "4"}, "pRepayMode", "RepayMode", "must be one of 1, 2, 3, 99", false},
		{with{"Fee", -1}, "pLendFee", "Fee", notNeg, false},
		{with{"Fee", ips.Amount(1_000_000_000_00)}, "pLendFee", "Fee", nineDig, false},
		{with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
		{with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
		{with{"RealName", zi(31)}, "pRealName", "RealName", most30, false},
		{with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},
		{with{"Account", nine(31)}, "pIpsAcctNo", "Account", most30, false},
		{with{"ReturnURL", "https://"}, "pWebUrl", "ReturnURL", aURL, false},
	})
}

func TestInvalidEndBid(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpEndBid, []invalid{
		{with{"OrderNo", x(31)}, "pMerBillNo", "OrderNo", most30, false},
		{with{"BidNo", "BID 1"}, "pBidNo", "BidNo", letters, false},
		{with{"Amount", 0}, "pLendAmt", "Amount", positive, false},
		{with{"Rate", 48_00}, "pTrdLendRate", "Rate", "must be less than 48", false},
		{with{"Term", 61}, "pTrdCycleValue", "Term", "must be at most 60 months", false},
		{with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},
	})
}

func TestInvalidRegisterCreditor(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpRegisterCreditor, []invalid{
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"Date", ips.Date{}}, "pMerDate", "Date", given, false},
		{with{"BidNo", "BID_1"}, "pBidNo", "BidNo", letters, false},
		{with{"ContractNo", ""}, "pContractNo", "ContractNo", empty, false},
		{with{"ContractNo", "合同1"}, "pContractNo", "ContractNo", letters, false},
		{with{"ContractNo", x(31)}, "pContractNo", "ContractNo", most30, false},
		{with{"Amount", 0}, "pAuthAmt", "Amount", positive, false},
		{with{"Amount", ips.Amount(1_000_000_000_00)}, "pAuthAmt", "Amount", nineDig, false},
		{with{"Fee", -1}, "pFee", "Fee", notNeg, false},
		{with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
		{with{"Account", ""}, "pAccount", "Account", empty, false},
		{with{"Purpose", ""}, "pUse", "Purpose", empty, false},
		{with{"Purpose", zi(101)}, "pUse", "Purpose", most100, false},
	})
}

func TestInvalidAutoBid(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpAutoBid, []invalid{
		{with{"AuthNo", ""}, "pAuthNo", "AuthNo", empty, false},
		{with{"AuthNo", "AUTH-1"}, "pAuthNo", "AuthNo", letters, false},
		{with{"AuthNo", x(31)}, "pAuthNo", "AuthNo", most30, false},
		{with{"Amount", 0}, "pAuthAmt", "Amount", positive, false},
		{with{"Fee", -1}, "pFee", "Fee", notNeg, false},
		{with{"IdentNo", nine(21)}, "pIdentNo", "IdentNo", most20, false},
	})
}

func TestInvalidRegisterGuarantor(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpRegisterGuarantor, []invalid{
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
		{with{"Amount", 0}, "pAmount", "Amount", positive, false},
		{with{"Margin", -1}, "pMarginAmt", "Margin", notNeg, false},
		{with{"Profit", -1}, "pProFitAmt", "Profit", notNeg, false},
		{with{"Profit", ips.Amount(1_000_000_000_00)}, "pProFitAmt", "Profit", nineDig, false},
		{with{"AccountType", "2"}, "pAcctType", "AccountType", "must be one of 0, 1", false},
		{with{"IdentNo", ""}, "pFromIdentNo", "IdentNo", empty, false},
		{with{"AccountName", zi(31)}, "pAccountName", "AccountName", most30, false},
		{with{"Account", ""}, "pAccount", "Account", empty, false},
	})
}
