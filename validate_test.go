package ips_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// set stores value in the field at path, e.g. "Rows[1].Amount", of the struct
// that request points to.
func set(t testing.TB, request any, path string, value any) {
	t.Helper()
	v := reflect.ValueOf(request).Elem()
	for name := range strings.SplitSeq(path, ".") {
		name, index, isRow := strings.Cut(name, "[")
		v = v.FieldByName(name)
		require.True(t, v.IsValid(), path)
		if isRow {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			require.NoError(t, err)
			v = v.Index(i)
		}
	}
	v.Set(reflect.ValueOf(value).Convert(v.Type()))
}

// with is a list of fields and the values they get.
type with []any

func (w with) apply(t testing.TB, request any) {
	t.Helper()
	for pair := range slices.Chunk(w, 2) {
		set(t, request, pair[0].(string), pair[1])
	}
}

func x(n int) string    { return strings.Repeat("x", n) }
func zi(n int) string   { return strings.Repeat("字", n) }
func nine(n int) string { return strings.Repeat("9", n) }

func transferRows(n int) []ips.TransferRow {
	rows := make([]ips.TransferRow, n)
	for i := range rows {
		rows[i] = ips.TransferRow{
			OriginalOrderNo: fmt.Sprintf("C%06d", i+1), Amount: 100 * ips.Yuan,
			FromAccount: fmt.Sprintf("40210000001%05d", i+1), ToAccount: "4021000000000001",
		}
	}
	return rows
}

func repayRows(n int) []ips.RepayRow {
	rows := make([]ips.RepayRow, n)
	for i := range rows {
		rows[i] = ips.RepayRow{
			CreditorOrderNo: fmt.Sprintf("C%06d", i+1), Account: fmt.Sprintf("40210000001%05d", i+1), Amount: 100 * ips.Yuan, BorrowerFee: ips.Yuan,
		}
	}
	return rows
}

const (
	empty    = "must not be empty"
	blank    = "must not be blank"
	most20   = "must have at most 20 characters"
	most30   = "must have at most 30 characters"
	most50   = "must have at most 50 characters"
	most100  = "must have at most 100 characters"
	letters  = "must be letters a–z, A–Z and digits only"
	orderNo  = "must be letters a–z, A–Z, digits, - and _ only"
	positive = "must be more than 0"
	notNeg   = "must be at least 0"
	nineDig  = "must be at most 999999999.99"
	aURL     = "must be an absolute http or https URL"
	given    = "must be given"
)

// invalid are requests that break one rule: the full example with the named
// fields changed.
var invalid = []struct {
	op               ips.Operation
	change           with
	wire, goName     string
	rule             string
	alsoBreaksOthers bool // e.g. a sum that a bad row spoils
}{
	// 4.2
	{ips.OpOpenAccount, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpOpenAccount, with{"OrderNo", "   "}, "pMerBillNo", "OrderNo", blank, false},
	{ips.OpOpenAccount, with{"OrderNo", x(31)}, "pMerBillNo", "OrderNo", most30, false},
	{ips.OpOpenAccount, with{"OrderNo", "A\x00B"}, "pMerBillNo", "OrderNo", "must not hold the control character U+0000", false},
	{ips.OpOpenAccount, with{"OrderNo", "A\xff"}, "pMerBillNo", "OrderNo", "must be UTF-8", false},
	{ips.OpOpenAccount, with{"OrderNo", "a b"}, "pMerBillNo", "OrderNo", orderNo, false},
	{ips.OpOpenAccount, with{"OrderNo", " a"}, "pMerBillNo", "OrderNo", orderNo, false},
	{ips.OpOpenAccount, with{"OrderNo", "a\u200b"}, "pMerBillNo", "OrderNo", orderNo, false},
	{ips.OpOpenAccount, with{"OrderNo", "\ufeffa"}, "pMerBillNo", "OrderNo", orderNo, false},
	{ips.OpOpenAccount, with{"OrderNo", "订单1"}, "pMerBillNo", "OrderNo", orderNo, false},
	{ips.OpOpenAccount, with{"OrderNo", "a/1"}, "pMerBillNo", "OrderNo", orderNo, false},
	{ips.OpOpenAccount, with{"OrderNo", "a\t"}, "pMerBillNo", "OrderNo", orderNo, false},
	{ips.OpTransfer, with{"Rows[1].OriginalOrderNo", "C 1"}, "pDetails/pRow[2]/pOriMerBillNo", "Rows[1].OriginalOrderNo", orderNo, false},
	{ips.OpRepay, with{"Rows[0].CreditorOrderNo", "C\u00a01"}, "pDetails/pRow[1]/pCreMerBillNo", "Rows[0].CreditorOrderNo", orderNo, false},
	{ips.OpRegisterBid, with{"Purpose", " \u3000"}, "pLendPurpose", "Purpose", blank, false},
	{ips.OpUnfreezeMargin, with{"AccountType", "0", "IdentNo", " "}, "pIdentNo", "IdentNo", blank, false},
	{ips.OpOpenAccount, with{"RealName", "\u3000"}, "pRealName", "RealName", blank, false},
	{ips.OpOpenAccount, with{"RealName", "张三\t"}, "pRealName", "RealName", "must not hold the control character U+0009", false},
	{ips.OpOpenAccount, with{"Memo1", "a\x0bb"}, "pMemo1", "Memo1", "must not hold the control character U+000B", false},
	{ips.OpOpenAccount, with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
	{ips.OpOpenAccount, with{"IdentNo", "110101199001010001000"}, "pIdentNo", "IdentNo", most20, false},
	{ips.OpOpenAccount, with{"RealName", ""}, "pRealName", "RealName", empty, false},
	{ips.OpOpenAccount, with{"RealName", zi(31)}, "pRealName", "RealName", most30, false},
	{ips.OpOpenAccount, with{"RealName", "张\n三"}, "pRealName", "RealName", "must not hold the control character U+000A", false},
	{ips.OpOpenAccount, with{"Mobile", ""}, "pMobileNo", "Mobile", empty, false},
	{ips.OpOpenAccount, with{"Mobile", "1380000000"}, "pMobileNo", "Mobile", "must have exactly 11 characters", false},
	{ips.OpOpenAccount, with{"Mobile", "138000000000"}, "pMobileNo", "Mobile", "must have exactly 11 characters", false},
	{ips.OpOpenAccount, with{"Mobile", "1380000000x"}, "pMobileNo", "Mobile", "must be digits only", false},
	{ips.OpOpenAccount, with{"Mobile", "1380000000０"}, "pMobileNo", "Mobile", "must be digits only", false},
	{ips.OpOpenAccount, with{"Email", ""}, "pEmail", "Email", empty, false},
	{ips.OpOpenAccount, with{"Email", x(39) + "@example.com"}, "pEmail", "Email", most50, false},
	{ips.OpOpenAccount, with{"Date", ips.Date{}}, "pSmDate", "Date", given, false},
	{ips.OpOpenAccount, with{"Date", ips.Date{Year: 2015, Month: 2, Day: 29}}, "pSmDate", "Date", "must be a day of the calendar", false},
	{ips.OpOpenAccount, with{"ReturnURL", "/back"}, "pWebUrl", "ReturnURL", aURL, false},
	{ips.OpOpenAccount, with{"ReturnURL", "javascript:alert(1)"}, "pWebUrl", "ReturnURL", aURL, false},
	{ips.OpOpenAccount, with{"NotifyURL", "p2p.example.com/s2s"}, "pS2SUrl", "NotifyURL", aURL, false},
	{ips.OpOpenAccount, with{"NotifyURL", "ftp://p2p.example.com/s2s"}, "pS2SUrl", "NotifyURL", aURL, false},
	{ips.OpOpenAccount, with{"Memo1", zi(101)}, "pMemo1", "Memo1", most100, false},
	{ips.OpOpenAccount, with{"Memo2", x(101)}, "pMemo2", "Memo2", most100, false},
	{ips.OpOpenAccount, with{"Memo3", "a\u0085b"}, "pMemo3", "Memo3", "must not hold the control character U+0085", false},
	{ips.OpOpenAccount, with{"Memo3", "a\uFFFEb"}, "pMemo3", "Memo3", "must not hold the control character U+FFFE", false},

	// 4.3, registration
	{ips.OpRegisterBid, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpRegisterBid, with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
	{ips.OpRegisterBid, with{"BidNo", "BID-1"}, "pBidNo", "BidNo", letters, false},
	{ips.OpRegisterBid, with{"BidNo", "标1"}, "pBidNo", "BidNo", letters, false},
	{ips.OpRegisterBid, with{"BidNo", x(31)}, "pBidNo", "BidNo", most30, false},
	{ips.OpRegisterBid, with{"Date", ips.Date{}}, "pRegDate", "Date", given, false},
	{ips.OpRegisterBid, with{"Date", ips.Date{Year: 10000, Month: 1, Day: 1}}, "pRegDate", "Date", "must be a day of the calendar", false},
	{ips.OpRegisterBid, with{"Amount", 0}, "pLendAmt", "Amount", positive, false},
	{ips.OpRegisterBid, with{"Amount", -1}, "pLendAmt", "Amount", positive, false},
	{ips.OpRegisterBid, with{"Amount", ips.Amount(100_000_000_01)}, "pLendAmt", "Amount", "must be at most 100000000", false},
	{ips.OpRegisterBid, with{"Margin", -1}, "pGuaranteesAmt", "Margin", notNeg, false},
	{ips.OpRegisterBid, with{"Margin", ips.Amount(100_000_000_01)}, "pGuaranteesAmt", "Margin", "must be at most 100000000", false},
	{ips.OpRegisterBid, with{"Rate", -1}, "pTrdLendRate", "Rate", notNeg, false},
	{ips.OpRegisterBid, with{"Rate", 48_00}, "pTrdLendRate", "Rate", "must be less than 48", false},
	{ips.OpRegisterBid, with{"TermUnit", ""}, "pTrdCycleType", "TermUnit", empty, false},
	{ips.OpRegisterBid, with{"TermUnit", "2"}, "pTrdCycleType", "TermUnit", "must be one of 1, 3", false},
	{ips.OpRegisterBid, with{"Term", 0}, "pTrdCycleValue", "Term", positive, false},
	{ips.OpRegisterBid, with{"Term", 61}, "pTrdCycleValue", "Term", "must be at most 60 months", false},
	{ips.OpRegisterBid, with{"TermUnit", "1", "Term", 1801}, "pTrdCycleValue", "Term", "must be at most 1800 days", false},
	{ips.OpRegisterBid, with{"Purpose", ""}, "pLendPurpose", "Purpose", empty, false},
	{ips.OpRegisterBid, with{"Purpose", zi(101)}, "pLendPurpose", "Purpose", most100, false},
	{ips.OpRegisterBid, with{"RepayMode", ""}, "pRepayMode", "RepayMode", empty, false},
	{ips.OpRegisterBid, with{"RepayMode", "4"}, "pRepayMode", "RepayMode", "must be one of 1, 2, 3, 99", false},
	{ips.OpRegisterBid, with{"Fee", -1}, "pLendFee", "Fee", notNeg, false},
	{ips.OpRegisterBid, with{"Fee", ips.Amount(1_000_000_000_00)}, "pLendFee", "Fee", nineDig, false},
	{ips.OpRegisterBid, with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
	{ips.OpRegisterBid, with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
	{ips.OpRegisterBid, with{"RealName", zi(31)}, "pRealName", "RealName", most30, false},
	{ips.OpRegisterBid, with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},
	{ips.OpRegisterBid, with{"Account", nine(31)}, "pIpsAcctNo", "Account", most30, false},
	{ips.OpRegisterBid, with{"ReturnURL", "https://"}, "pWebUrl", "ReturnURL", aURL, false},
	// 4.3, end
	{ips.OpEndBid, with{"OrderNo", x(31)}, "pMerBillNo", "OrderNo", most30, false},
	{ips.OpEndBid, with{"BidNo", "BID 1"}, "pBidNo", "BidNo", letters, false},
	{ips.OpEndBid, with{"Amount", 0}, "pLendAmt", "Amount", positive, false},
	{ips.OpEndBid, with{"Rate", 48_00}, "pTrdLendRate", "Rate", "must be less than 48", false},
	{ips.OpEndBid, with{"Term", 61}, "pTrdCycleValue", "Term", "must be at most 60 months", false},
	{ips.OpEndBid, with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},

	// 4.4, manual
	{ips.OpRegisterCreditor, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpRegisterCreditor, with{"Date", ips.Date{}}, "pMerDate", "Date", given, false},
	{ips.OpRegisterCreditor, with{"BidNo", "BID_1"}, "pBidNo", "BidNo", letters, false},
	{ips.OpRegisterCreditor, with{"ContractNo", ""}, "pContractNo", "ContractNo", empty, false},
	{ips.OpRegisterCreditor, with{"ContractNo", "合同1"}, "pContractNo", "ContractNo", letters, false},
	{ips.OpRegisterCreditor, with{"ContractNo", x(31)}, "pContractNo", "ContractNo", most30, false},
	{ips.OpRegisterCreditor, with{"Amount", 0}, "pAuthAmt", "Amount", positive, false},
	{ips.OpRegisterCreditor, with{"Amount", ips.Amount(1_000_000_000_00)}, "pAuthAmt", "Amount", nineDig, false},
	{ips.OpRegisterCreditor, with{"Fee", -1}, "pFee", "Fee", notNeg, false},
	{ips.OpRegisterCreditor, with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
	{ips.OpRegisterCreditor, with{"Account", ""}, "pAccount", "Account", empty, false},
	{ips.OpRegisterCreditor, with{"Purpose", ""}, "pUse", "Purpose", empty, false},
	{ips.OpRegisterCreditor, with{"Purpose", zi(101)}, "pUse", "Purpose", most100, false},
	// 4.4, automatic
	{ips.OpAutoBid, with{"AuthNo", ""}, "pAuthNo", "AuthNo", empty, false},
	{ips.OpAutoBid, with{"AuthNo", "AUTH-1"}, "pAuthNo", "AuthNo", letters, false},
	{ips.OpAutoBid, with{"AuthNo", x(31)}, "pAuthNo", "AuthNo", most30, false},
	{ips.OpAutoBid, with{"Amount", 0}, "pAuthAmt", "Amount", positive, false},
	{ips.OpAutoBid, with{"Fee", -1}, "pFee", "Fee", notNeg, false},
	{ips.OpAutoBid, with{"IdentNo", nine(21)}, "pIdentNo", "IdentNo", most20, false},

	// 4.5
	{ips.OpRegisterGuarantor, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpRegisterGuarantor, with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
	{ips.OpRegisterGuarantor, with{"Amount", 0}, "pAmount", "Amount", positive, false},
	{ips.OpRegisterGuarantor, with{"Margin", -1}, "pMarginAmt", "Margin", notNeg, false},
	{ips.OpRegisterGuarantor, with{"Profit", -1}, "pProFitAmt", "Profit", notNeg, false},
	{ips.OpRegisterGuarantor, with{"Profit", ips.Amount(1_000_000_000_00)}, "pProFitAmt", "Profit", nineDig, false},
	{ips.OpRegisterGuarantor, with{"AccountType", "2"}, "pAcctType", "AccountType", "must be one of 0, 1", false},
	{ips.OpRegisterGuarantor, with{"IdentNo", ""}, "pFromIdentNo", "IdentNo", empty, false},
	{ips.OpRegisterGuarantor, with{"AccountName", zi(31)}, "pAccountName", "AccountName", most30, false},
	{ips.OpRegisterGuarantor, with{"Account", ""}, "pAccount", "Account", empty, false},

	// 4.6
	{ips.OpRegisterDebtTransfer, with{"BidNo", "#1"}, "pBidNo", "BidNo", letters, false},
	{ips.OpRegisterDebtTransfer, with{"ContractNo", ""}, "pContractNo", "ContractNo", empty, false},
	{ips.OpRegisterDebtTransfer, with{"FromAccountType", "0"}, "pFromAccountType", "FromAccountType", "must be one of 1", false},
	{ips.OpRegisterDebtTransfer, with{"FromName", ""}, "pFromName", "FromName", empty, false},
	{ips.OpRegisterDebtTransfer, with{"FromAccount", nine(51)}, "pFromAccount", "FromAccount", most50, false},
	{ips.OpRegisterDebtTransfer, with{"FromIdentNo", nine(21)}, "pFromIdentNo", "FromIdentNo", most20, false},
	{ips.OpRegisterDebtTransfer, with{"ToAccountType", "0"}, "pToAccountType", "ToAccountType", "must be one of 1", false},
	{ips.OpRegisterDebtTransfer, with{"ToName", zi(31)}, "pToAccountName", "ToName", most30, false},
	{ips.OpRegisterDebtTransfer, with{"ToAccount", nine(31)}, "pToAccount", "ToAccount", most30, false},
	{ips.OpRegisterDebtTransfer, with{"ToAccount", "4021000000000002"}, "pToAccount", "ToAccount", "must not be the assignor's account", false},
	{ips.OpRegisterDebtTransfer, with{"ToIdentNo", ""}, "pToIdentNo", "ToIdentNo", empty, false},
	{ips.OpRegisterDebtTransfer, with{"CreditorOrderNo", ""}, "pCreMerBillNo", "CreditorOrderNo", empty, false},
	{ips.OpRegisterDebtTransfer, with{"CreditorOrderNo", "C/1"}, "pCreMerBillNo", "CreditorOrderNo", letters, false},
	{ips.OpRegisterDebtTransfer, with{"FaceAmount", 0}, "pCretAmt", "FaceAmount", positive, false},
	{ips.OpRegisterDebtTransfer, with{"Price", 0}, "pPayAmt", "Price", positive, false},
	{ips.OpRegisterDebtTransfer, with{"Price", 6_999_99}, "pPayAmt", "Price", "must be 70 % to 130 % of FaceAmount 10000.00", false},
	{ips.OpRegisterDebtTransfer, with{"Price", 13_000_01}, "pPayAmt", "Price", "must be 70 % to 130 % of FaceAmount 10000.00", false},
	{ips.OpRegisterDebtTransfer, with{"FromFee", -1}, "pFromFee", "FromFee", notNeg, false},
	{ips.OpRegisterDebtTransfer, with{"ToFee", -1}, "pToFee", "ToFee", notNeg, false},
	{ips.OpRegisterDebtTransfer, with{"Kind", ""}, "pCretType", "Kind", empty, false},
	{ips.OpRegisterDebtTransfer, with{"Kind", "3"}, "pCretType", "Kind", "must be one of 1, 2", false},

	// 4.7
	{ips.OpSignAutoBid, with{"Date", ips.Date{}}, "pSigningDate", "Date", given, false},
	{ips.OpSignAutoBid, with{"ValidUnit", "N"}, "pValidType", "ValidUnit", "must be one of D, M", false},
	{ips.OpSignAutoBid, with{"Valid", 0}, "pValidDate", "Valid", positive, false},
	{ips.OpSignAutoBid, with{"Valid", 13}, "pValidDate", "Valid", "must be at most 12 months", false},
	{ips.OpSignAutoBid, with{"ValidUnit", "D", "Valid", 366}, "pValidDate", "Valid", "must be at most 365 days", false},
	{ips.OpSignAutoBid, with{"TermUnit", "3"}, "pTrdCycleType", "TermUnit", "must be one of D, M", false},
	{ips.OpSignAutoBid, with{"TermFrom", 0}, "pSTrdCycleValue", "TermFrom", positive, false},
	{ips.OpSignAutoBid, with{"TermTo", 1801}, "pETrdCycleValue", "TermTo", "must be at most 1800 days", false},
	{ips.OpSignAutoBid, with{"TermUnit", "M", "TermFrom", 1, "TermTo", 61}, "pETrdCycleValue", "TermTo", "must be at most 60 months", false},
	{ips.OpSignAutoBid, with{"TermUnit", "M", "TermFrom", 61, "TermTo", 60}, "pSTrdCycleValue", "TermFrom", "must be at most 60 months", true},
	{ips.OpSignAutoBid, with{"TermTo", 29}, "pETrdCycleValue", "TermTo", "must be at least TermFrom 30", false},
	{ips.OpSignAutoBid, with{"AmountFrom", 99}, "pSAmtQuota", "AmountFrom", "must be at least 1.00", false},
	{ips.OpSignAutoBid, with{"AmountFrom", 2_000, "AmountTo", 1_999}, "pEAmtQuota", "AmountTo", "must be at least AmountFrom 20.00", false},
	{ips.OpSignAutoBid, with{"RateFrom", 99}, "pSIRQuota", "RateFrom", "must be at least 1.00", false},
	{ips.OpSignAutoBid, with{"RateTo", 4_99}, "pEIRQuota", "RateTo", "must be at least RateFrom 5.00", false},

	// 4.8
	{ips.OpSignAutoRepay, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpSignAutoRepay, with{"ValidUnit", "Y"}, "pValidType", "ValidUnit", "must be one of D, M, N", false},
	{ips.OpSignAutoRepay, with{"Valid", 1}, "pValidDate", "Valid", "must be 0 for an unlimited contract", false},
	{ips.OpSignAutoRepay, with{"ValidUnit", "D", "Valid", 0}, "pValidDate", "Valid", "must be more than 0 unless ValidUnit is PeriodUnlimited (N)", false},
	{ips.OpSignAutoRepay, with{"ValidUnit", "D", "Valid", 366}, "pValidDate", "Valid", "must be at most 365 days", false},
	{ips.OpSignAutoRepay, with{"ValidUnit", "M", "Valid", 13}, "pValidDate", "Valid", "must be at most 12 months", false},
	{ips.OpSignAutoRepay, with{"Valid", -1}, "pValidDate", "Valid", notNeg, false},

	// 4.9
	{ips.OpRecharge, with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
	{ips.OpRecharge, with{"Date", ips.Date{}}, "pTrdDate", "Date", given, false},
	{ips.OpRecharge, with{"Amount", 0}, "pTrdAmt", "Amount", positive, false},
	{ips.OpRecharge, with{"Amount", ips.Amount(1_000_000_000_00)}, "pTrdAmt", "Amount", nineDig, false},
	{ips.OpRecharge, with{"Channel", "3"}, "pChannelType", "Channel", "must be one of 1, 2", false},
	{ips.OpRecharge, with{"BankCode", ""}, "pTrdBnkCode", "BankCode", "must not be empty for an e-bank recharge", false},
	{ips.OpRecharge, with{"BankCode", "0004"}, "pTrdBnkCode", "BankCode", "must have exactly 5 characters", false},
	{ips.OpRecharge, with{"BankCode", "0000a"}, "pTrdBnkCode", "BankCode", "must be digits only", false},
	{ips.OpRecharge, with{"Channel", "2"}, "pTrdBnkCode", "BankCode", "must be empty for a withholding recharge", false},
	{ips.OpRecharge, with{"Fee", -1}, "pMerFee", "Fee", notNeg, false},
	{ips.OpRecharge, with{"FeePayer", ""}, "pIpsFeeType", "FeePayer", empty, false},
	{ips.OpRecharge, with{"FeePayer", "3"}, "pIpsFeeType", "FeePayer", "must be one of 1, 2", false},

	// 4.10
	{ips.OpTransfer, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpTransfer, with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
	{ips.OpTransfer, with{"Date", ips.Date{}}, "pDate", "Date", given, false},
	{ips.OpTransfer, with{"Type", "6", "Mode", "1"}, "pTransferType", "Type", "must be one of 1, 2, 3, 4, 5", false},
	{ips.OpTransfer, with{"Mode", "3"}, "pTransferMode", "Mode", "must be one of 1, 2", false},
	{ips.OpTransfer, with{"Type", "2", "Rows[1].FromAccount", "4021000000000002"}, "pTransferMode", "Mode", "must be row by row (1) unless Type is TransferInvestment (1)", false},
	{ips.OpTransfer, with{"Rows", []ips.TransferRow(nil)}, "pDetails", "Rows", "must have 1 to 3000 rows", false},
	{ips.OpTransfer, with{"Rows", transferRows(3001)}, "pDetails", "Rows", "must have 1 to 3000 rows", false},
	{ips.OpTransfer, with{"Type", "3", "Mode", "1"}, "pDetails", "Rows", "must have exactly 1 row for Type 3", false},
	{ips.OpTransfer, with{"Type", "4", "Mode", "1"}, "pDetails", "Rows", "must have exactly 1 row for Type 4", false},
	{ips.OpTransfer, with{"Type", "5", "Mode", "1"}, "pDetails", "Rows", "must have exactly 1 row for Type 5", false},
	{ips.OpTransfer, with{"Rows[1].OriginalOrderNo", ""}, "pDetails/pRow[2]/pOriMerBillNo", "Rows[1].OriginalOrderNo", empty, false},
	{ips.OpTransfer, with{"Rows[0].Amount", 0}, "pDetails/pRow[1]/pTrdAmt", "Rows[0].Amount", positive, false},
	{ips.OpTransfer, with{"Rows[1].FromAccountType", "2"}, "pDetails/pRow[2]/pFAcctType", "Rows[1].FromAccountType", "must be one of 0, 1", false},
	{ips.OpTransfer, with{"Rows[1].FromAccount", ""}, "pDetails/pRow[2]/pFIpsAcctNo", "Rows[1].FromAccount", empty, false},
	{ips.OpTransfer, with{"Rows[1].FromFee", -1}, "pDetails/pRow[2]/pFTrdFee", "Rows[1].FromFee", notNeg, false},
	{ips.OpTransfer, with{"Rows[1].ToAccountType", "9"}, "pDetails/pRow[2]/pTAcctType", "Rows[1].ToAccountType", "must be one of 0, 1", false},
	{ips.OpTransfer, with{"Rows[1].ToAccount", ""}, "pDetails/pRow[2]/pTIpsAcctNo", "Rows[1].ToAccount", empty, true},
	{ips.OpTransfer, with{"Rows[1].ToAccount", "4021000000000009"}, "pDetails/pRow[2]/pTIpsAcctNo", "Rows[1].ToAccount", "must be the same borrower in every row of Type 1", false},
	{ips.OpTransfer, with{"Rows[1].ToFee", -1}, "pDetails/pRow[2]/pTTrdFee", "Rows[1].ToFee", notNeg, false},
	{ips.OpTransfer, with{"Rows[1].FromAccount", "4021000000000001"}, "pDetails/pRow[2]/pTIpsAcctNo", "Rows[1].ToAccount", "must not be the payer's account", false},
	{ips.OpTransfer, with{"Type", "2", "Mode", "1"}, "pDetails/pRow[2]/pFIpsAcctNo", "Rows[1].FromAccount", "must be the same guarantor in every row of Type 2", false},
	{ips.OpTransfer, with{"NotifyURL", "s2s"}, "pS2SUrl", "NotifyURL", aURL, false},

	// 4.11, manual
	{ips.OpRepay, with{"BidNo", ""}, "pBidNo", "BidNo", empty, false},
	{ips.OpRepay, with{"Date", ips.Date{}}, "pRepaymentDate", "Date", given, false},
	{ips.OpRepay, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpRepay, with{"Account", ""}, "pOutAcctNo", "Account", empty, false},
	{ips.OpRepay, with{"Amount", 1_016_70}, "pOutAmt", "Amount", "must be the sum of the rows' Amount (pInAmt), 1016.71", false},
	{ips.OpRepay, with{"Amount", 0}, "pOutAmt", "Amount", positive, true},
	{ips.OpRepay, with{"Fee", 0}, "pOutFee", "Fee", "must be the sum of the rows' BorrowerFee (pOutInfoFee), 2.50", false},
	{ips.OpRepay, with{"Rows", []ips.RepayRow{}, "Amount", 1}, "pDetails", "Rows", "must have 1 to 300 rows", true},
	{ips.OpRepay, with{"Rows", repayRows(301), "Amount", 301_00_00, "Fee", 301_00}, "pDetails", "Rows", "must have 1 to 300 rows", false},
	{ips.OpRepay, with{"Rows[0].CreditorOrderNo", ""}, "pDetails/pRow[1]/pCreMerBillNo", "Rows[0].CreditorOrderNo", empty, false},
	{ips.OpRepay, with{"Rows[0].Account", nine(31)}, "pDetails/pRow[1]/pInAcctNo", "Rows[0].Account", most30, false},
	{ips.OpRepay, with{"Rows[0].Fee", -1}, "pDetails/pRow[1]/pInFee", "Rows[0].Fee", notNeg, false},
	{ips.OpRepay, with{"Rows[0].Fee", 1_000_00}, "pDetails/pRow[1]/pInAmt", "Rows[0].Amount", "must be more than Fee (pInFee) 1000.00", false},
	{ips.OpRepay, with{"Rows[0].BorrowerFee", -1, "Fee", 49}, "pDetails/pRow[1]/pOutInfoFee", "Rows[0].BorrowerFee", notNeg, false},
	{ips.OpRepay, with{"Rows[0].Amount", 0, "Amount", 16_71}, "pDetails/pRow[1]/pInAmt", "Rows[0].Amount", positive, false},
	// 4.11, automatic
	{ips.OpAutoRepay, with{"AuthNo", ""}, "pIpsAuthNo", "AuthNo", empty, false},
	{ips.OpAutoRepay, with{"AuthNo", "授权1"}, "pIpsAuthNo", "AuthNo", letters, false},
	{ips.OpAutoRepay, with{"Amount", 1_016_72}, "pOutAmt", "Amount", "must be the sum of the rows' Amount (pInAmt), 1016.71", false},
	{ips.OpAutoRepay, with{"Fee", 2_51}, "pOutFee", "Fee", "must be the sum of the rows' BorrowerFee (pOutInfoFee), 2.50", false},

	// 4.12
	{ips.OpUnfreezeMargin, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpUnfreezeMargin, with{"Date", ips.Date{}}, "pUnfreezeDate", "Date", given, false},
	{ips.OpUnfreezeMargin, with{"Amount", 0}, "pUnfreezeAmt", "Amount", positive, false},
	{ips.OpUnfreezeMargin, with{"Owner", ""}, "pUnfreezenType", "Owner", empty, false},
	{ips.OpUnfreezeMargin, with{"Owner", "3"}, "pUnfreezenType", "Owner", "must be one of 1, 2", false},
	{ips.OpUnfreezeMargin, with{"AccountType", "2"}, "pAcctType", "AccountType", "must be one of 0, 1", false},
	{ips.OpUnfreezeMargin, with{"IdentNo", ""}, "pIdentNo", "IdentNo", "must not be empty for a person", false},
	{ips.OpUnfreezeMargin, with{"IdentNo", "", "AccountType", ""}, "pIdentNo", "IdentNo", "must not be empty for a person", false},
	{ips.OpUnfreezeMargin, with{"RealName", ""}, "pRealName", "RealName", empty, false},
	{ips.OpUnfreezeMargin, with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},

	// 4.13
	{ips.OpWithholdingRecharge, with{"Date", ips.Date{}}, "pTrdDate", "Date", given, false},
	{ips.OpWithholdingRecharge, with{"Amount", 0}, "pTrdAmt", "Amount", positive, false},
	{ips.OpWithholdingRecharge, with{"Fee", -1}, "pMerFee", "Fee", notNeg, false},
	{ips.OpWithholdingRecharge, with{"FeePayer", "0"}, "pIpsFeeType", "FeePayer", "must be one of 1, 2", false},
	{ips.OpWithholdingRecharge, with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
	{ips.OpWithholdingRecharge, with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
	{ips.OpWithholdingRecharge, with{"RealName", ""}, "pRealName", "RealName", empty, false},
	{ips.OpWithholdingRecharge, with{"Account", ""}, "pIpsAcctNo", "Account", empty, false},

	// 4.14
	{ips.OpRepayOldBid, with{"Amount", 299_99}, "pFTrdAmt", "Amount", "must be the sum of the rows' Amount (pTTrdAmt), 300.00", false},
	{ips.OpRepayOldBid, with{"Rows[0].Fee", 100_00}, "pDetails/pRow[1]/pTTrdAmt", "Rows[0].Amount", "must be more than Fee (pTTrdFee) 100.00", false},
	{ips.OpRepayOldBid, with{"ReleaseOrderNo", ""}, "pMerchantBillNo", "ReleaseOrderNo", empty, false},
	{ips.OpRepayOldBid, with{"IdentNo", x(21)}, "pFIdentNo", "IdentNo", "must have at most 20 characters", true},
	{ips.OpWithdraw, with{"OrderNo", x(31)}, "pMerBillNo", "OrderNo", most30, false},
	{ips.OpWithdraw, with{"AccountType", "0"}, "pAcctType", "AccountType", "must be one of 1", false},
	{ips.OpWithdraw, with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
	{ips.OpWithdraw, with{"Date", ips.Date{}}, "pDwDate", "Date", given, false},
	{ips.OpWithdraw, with{"Amount", 0}, "pTrdAmt", "Amount", positive, false},
	{ips.OpWithdraw, with{"Fee", -1}, "pMerFee", "Fee", notNeg, false},
	{ips.OpWithdraw, with{"FeePayer", ""}, "pIpsFeeType", "FeePayer", empty, false},
	{ips.OpWithdraw, with{"Memo1", zi(101)}, "pMemo1", "Memo1", most100, false},

	// Queries
	{ips.OpQueryBalance, with{"Account", ""}, "argIpsAccount", "Account", empty, false},
	{ips.OpQueryBalance, with{"Account", nine(31)}, "argIpsAccount", "Account", most30, false},
	{ips.OpQueryAccount, with{"Account", ""}, "argIpsAccount", "Account", empty, false},
	{ips.OpQueryAccount, with{"Memo", zi(101)}, "argMemo", "Memo", most100, false},
	{ips.OpQueryTrade, with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
	{ips.OpQueryTrade, with{"Type", "8"}, "pTradeType", "Type", "must have exactly 2 characters", false},
}

// personalNames are the Go names of fields whose values no error may show.
var personalNames = []string{"IdentNo", "FromIdentNo", "ToIdentNo", "RealName", "FromName", "ToName", "AccountName",
	"Mobile", "Email", "Account", "FromAccount", "ToAccount"}

func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(invalid), 120)
	for _, tt := range invalid {
		name := fmt.Sprintf("%s/%s/%s", tt.op, tt.goName, tt.rule)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := exampleOf(t, tt.op)
			tt.change.apply(t, e.request)
			c, r := recordingClient(t, "", "", ips.WithWireTap(func(m ips.WireMessage) {
				t.Errorf("%s was sealed although the request is invalid", m.Operation)
			}))
			form, resp, err := e.send(c, e.request)
			assert.Nil(t, form)
			assert.Nil(t, resp)
			assert.Zero(t, r.calls, "sent although the request is invalid")
			var invalid *ips.ValidationError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, tt.op, invalid.Operation)
			i := slices.IndexFunc(invalid.Fields, func(f ips.FieldError) bool {
				return f.Wire == tt.wire && f.Go == tt.goName && f.Rule == tt.rule
			})
			require.GreaterOrEqual(t, i, 0, "got %v", err)
			if !tt.alsoBreaksOthers {
				assert.Len(t, invalid.Fields, 1, "got %v", err)
			}
			for _, part := range []string{string(tt.op), tt.wire, tt.goName, tt.rule} {
				assert.Contains(t, err.Error(), part)
			}
			f := invalid.Fields[i]
			assert.NotEmpty(t, f.Code)
			assert.Regexp(t, `^\p{Han}|^(Type|ValidUnit)`, f.Chinese)
			assert.NotContains(t, f.Chinese+f.Limit, "%!")
			var first ips.FieldError
			require.ErrorAs(t, err, &first)
			assert.Equal(t, invalid.Fields[0], first)
			last := tt.goName[strings.LastIndexByte(tt.goName, '.')+1:]
			if slices.Contains(personalNames, last) {
				assert.Regexp(t, `^a value of \d+ characters$`, invalid.Fields[i].Value)
			} else {
				assert.NotContains(t, invalid.Fields[i].Value, "a value of")
			}
		})
	}
}

// TestRuleCodes are what programs and Chinese readers get of a broken rule.
func TestRuleCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		op     ips.Operation
		change with
		want   ips.FieldError
	}{
		{ips.OpRecharge, with{"Amount", 0}, ips.FieldError{Wire: "pTrdAmt", Go: "Amount", Code: "more", Limit: "0", Rule: positive, Chinese: "必须大于 0", Value: `"0.00"`}},
		{ips.OpOpenAccount, with{"OrderNo", ""}, ips.FieldError{Wire: "pMerBillNo", Go: "OrderNo", Code: "required", Rule: empty, Chinese: "不能为空", Value: `""`}},
		{ips.OpOpenAccount, with{"Mobile", "1"}, ips.FieldError{Wire: "pMobileNo", Go: "Mobile", Code: "length", Limit: "11", Rule: "must have exactly 11 characters", Chinese: "必须为 11 个字符", Value: "a value of 1 characters"}},
		{ips.OpOpenAccount, with{"Memo1", "\x00"}, ips.FieldError{Wire: "pMemo1", Go: "Memo1", Code: "character", Limit: "U+0000", Rule: "must not hold the control character U+0000", Chinese: "不能含控制字符 U+0000", Value: `"\x00"`}},
		{ips.OpRegisterBid, with{"RepayMode", "4"}, ips.FieldError{Wire: "pRepayMode", Go: "RepayMode", Code: "choice", Limit: "1, 2, 3, 99", Rule: "must be one of 1, 2, 3, 99", Chinese: "只能是 1, 2, 3, 99 之一", Value: `"4"`}},
		{ips.OpRegisterBid, with{"Term", 61}, ips.FieldError{Wire: "pTrdCycleValue", Go: "Term", Code: "max", Limit: "60 months", Rule: "must be at most 60 months", Chinese: "不能大于 60 个月", Value: `"61"`}},
		{ips.OpRegisterDebtTransfer, with{"Price", 6_999_99}, ips.FieldError{Wire: "pPayAmt", Go: "Price", Code: "range", Limit: "70 %, 130 %", Rule: "must be 70 % to 130 % of FaceAmount 10000.00", Chinese: "必须为 FaceAmount 10000.00 的 70 % 至 130 %", Value: `"6999.99"`}},
		{ips.OpRepay, with{"Rows[0].Fee", 1000_00}, ips.FieldError{Wire: "pDetails/pRow[1]/pInAmt", Go: "Rows[0].Amount", Code: "more", Limit: "1000.00", Rule: "must be more than Fee (pInFee) 1000.00", Chinese: "必须大于 Fee（pInFee）1000.00", Value: `"1000.00"`}},
	} {
		e := exampleOf(t, tt.op)
		tt.change.apply(t, e.request)
		_, _, err := e.send(offlineClient(t), e.request)
		var first ips.FieldError
		require.ErrorAs(t, err, &first, "%v", tt.change)
		assert.Equal(t, tt.want, first)
	}
}

// TestPersonalValuesStayOut breaks every personal field with a telling value
// and looks for it in the error.
func TestPersonalValuesStayOut(t *testing.T) {
	t.Parallel()
	const telling = "110101199001010001-张三-13800000000-4021000000000001-zhangsan@example.com" // longer than any limit
	c := offlineClient(t)
	for _, e := range examples(t) {
		v := reflect.ValueOf(e.request).Elem()
		broken := 0
		for _, name := range personalNames {
			if f := v.FieldByName(name); f.IsValid() {
				f.SetString(telling)
				broken++
			}
		}
		if rows := v.FieldByName("Rows"); rows.IsValid() {
			for _, name := range personalNames {
				if f := rows.Index(0).FieldByName(name); f.IsValid() {
					f.SetString(telling)
					broken++
				}
			}
		}
		if broken == 0 {
			continue
		}
		_, _, err := e.send(c, e.request)
		var invalid *ips.ValidationError
		require.ErrorAs(t, err, &invalid, e.op)
		assert.GreaterOrEqual(t, len(invalid.Fields), broken, e.op)
		for secret := range strings.SplitSeq(telling, "-") {
			assert.NotContains(t, err.Error(), secret, e.op)
		}
		assert.Contains(t, err.Error(), fmt.Sprintf("a value of %d characters", utf8.RuneCountInString(telling)))
	}
}

// TestLongValuesAreCut keeps an error readable.
func TestLongValuesAreCut(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpOpenAccount)
	set(t, e.request, "Memo1", zi(5000))
	_, _, err := e.send(offlineClient(t), e.request)
	require.ErrorContains(t, err, "… (5000 characters)")
	assert.Less(t, len(err.Error()), 500)
}

// TestBoundaries are requests at the very edge of what is legal.
func TestBoundaries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		op     ips.Operation
		change with
	}{
		{ips.OpOpenAccount, with{"OrderNo", x(30), "IdentNo", x(20), "RealName", zi(30), "Email", x(38) + "@example.com"}},
		{ips.OpOpenAccount, with{"OrderNo", "1", "Memo1", zi(100), "Memo2", strings.Repeat("𠮷", 100), "Memo3", ""}},
		{ips.OpOpenAccount, with{"RealName", "阿卜杜拉·买买提"}},
		{ips.OpOpenAccount, with{"OrderNo", "HT-2014_001", "Memo1", " ", "Memo2", "\u3000", "Memo3", "一行\r\n\t又一行"}},
		{ips.OpRegisterBid, with{"Purpose", "进货\n装修"}},
		{ips.OpRegisterCreditor, with{"Purpose", "进货\t装修"}},
		{ips.OpTransfer, with{"Rows[0].OriginalOrderNo", "C-1_a"}},
		{ips.OpQueryAccount, with{"Memo", " "}},
		{ips.OpOpenAccount, with{"Date", ips.NewDate(2016, time.February, 29)}},
		{ips.OpOpenAccount, with{"ReturnURL", "http://127.0.0.1:8080/back?x=1&y=2#z", "NotifyURL", "https://[::1]/s2s"}},
		{ips.OpRegisterBid, with{"BidNo", x(30), "Amount", ips.Amount(100_000_000_00), "Margin", ips.Amount(100_000_000_00)}},
		{ips.OpRegisterBid, with{"Amount", 1, "Margin", 0, "Rate", 0, "Fee", 0}},
		{ips.OpRegisterBid, with{"Rate", 47_99, "Purpose", zi(100), "AccountType", ""}},
		{ips.OpRegisterBid, with{"TermUnit", "1", "Term", 1800}},
		{ips.OpRegisterBid, with{"TermUnit", "1", "Term", 1}},
		{ips.OpRegisterBid, with{"TermUnit", "3", "Term", 60, "RepayMode", "99"}},
		{ips.OpEndBid, with{"TermUnit", "3", "Term", 60, "Rate", 47_99}},
		{ips.OpRegisterCreditor, with{"Amount", ips.Amount(999_999_999_99), "Fee", 0, "ContractNo", "a1B2"}},
		{ips.OpAutoBid, with{"AuthNo", x(30), "Amount", 1}},
		{ips.OpRegisterGuarantor, with{"Margin", 0, "Profit", 0, "AccountType", "1"}},
		{ips.OpRegisterDebtTransfer, with{"Price", 7_000_00}},
		{ips.OpRegisterDebtTransfer, with{"Price", 13_000_00}},
		{ips.OpRegisterDebtTransfer, with{"FaceAmount", ips.Amount(999_999_999_99), "Price", ips.Amount(700_000_000_00)}},
		{ips.OpRegisterDebtTransfer, with{"FromAccount", nine(50), "FromFee", 0, "ToFee", 0, "Kind", "2"}},
		{ips.OpSignAutoBid, with{"ValidUnit", "D", "Valid", 365}},
		{ips.OpSignAutoBid, with{"ValidUnit", "M", "Valid", 12, "TermUnit", "M", "TermFrom", 60, "TermTo", 60}},
		{ips.OpSignAutoBid, with{"TermUnit", "D", "TermFrom", 1, "TermTo", 1800}},
		{ips.OpSignAutoBid, with{"AmountFrom", 100, "AmountTo", 100, "RateFrom", 100, "RateTo", 100}},
		{ips.OpSignAutoRepay, with{"ValidUnit", "D", "Valid", 365}},
		{ips.OpSignAutoRepay, with{"ValidUnit", "M", "Valid", 1}},
		{ips.OpRecharge, with{"Channel", "2", "BankCode", "", "Amount", 1}},
		{ips.OpRecharge, with{"Amount", ips.Amount(999_999_999_99)}},
		{ips.OpTransfer, with{"Rows", transferRows(3000)}},
		{ips.OpTransfer, with{"Rows", transferRows(1), "Mode", ""}},
		{ips.OpTransfer, with{"Type", "3", "Mode", "1", "Rows", transferRows(1)}},
		{ips.OpTransfer, with{"Type", "4", "Mode", "", "Rows", transferRows(1)}},
		{ips.OpTransfer, with{"Type", "5", "Mode", "1", "Rows", transferRows(1)}},
		{ips.OpTransfer, with{"Type", "2", "Mode", "1", "Rows[1].FromAccount", "4021000000000002", "Rows[1].ToAccount", "4021000000000009"}},
		{ips.OpRepay, with{"Rows", repayRows(300), "Amount", 300_00_00, "Fee", 300_00}},
		{ips.OpRepay, with{"Rows[0].Fee", 999_99}},
		{ips.OpAutoRepay, with{"Rows", repayRows(1), "Amount", 100_00, "Fee", 1_00}},
		{ips.OpUnfreezeMargin, with{"AccountType", "0", "IdentNo", "", "Owner", "2", "Account", "900001"}},
		{ips.OpUnfreezeMargin, with{"Amount", 1}},
		{ips.OpWithholdingRecharge, with{"Amount", 1, "FeePayer", "2"}},
		{ips.OpWithdraw, with{"Amount", ips.Amount(999_999_999_99), "AccountType", ""}},
		{ips.OpQueryBalance, with{"Account", "808801"}},
		{ips.OpQueryAccount, with{"Memo", ""}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s/%.60v", tt.op, tt.change), func(t *testing.T) {
			t.Parallel()
			e := exampleOf(t, tt.op)
			tt.change.apply(t, e.request)
			c, r := recordingClient(t, "", "")
			form, _, err := e.send(c, e.request)
			var invalid *ips.ValidationError
			require.False(t, errors.As(err, &invalid), "%v", err)
			assert.True(t, form != nil || r.calls == 1, "neither a form nor a call")
		})
	}
}

func TestRepayTotals(t *testing.T) {
	t.Parallel()
	amount, fee := ips.RepayTotals(repayRows(300))
	assert.Equal(t, 30_000*ips.Yuan, amount)
	assert.Equal(t, 300*ips.Yuan, fee)
}

// TestEveryOperationHasInvalidRequests in the table of validate_test.go.
func TestEveryOperationHasInvalidRequests(t *testing.T) {
	t.Parallel()
	broken := map[ips.Operation]bool{}
	for _, tt := range invalid {
		broken[tt.op] = true
	}
	for _, tt := range examples(t) {
		if reflect.TypeOf(tt.request).Elem().NumField() > 0 && !broken[tt.op] {
			t.Errorf("validate_test.go: no request of %s among the invalid ones", tt.op)
		}
	}
}

// TestPersonalFields: what no error may show has the rule secret, and the tests
// that look for it in errors know its name.
func TestPersonalFields(t *testing.T) {
	t.Parallel()
	var check func(op ips.Operation, s reflect.Type)
	check = func(op ips.Operation, s reflect.Type) {
		for i := range s.NumField() {
			f := s.Field(i)
			if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
				check(op, f.Type.Elem())
				continue
			}
			tagged := slices.Contains(strings.Split(f.Tag.Get("check"), ","), "secret")
			if listed := slices.Contains(personalNames, f.Name); tagged != listed {
				t.Errorf("%s: %s.%s: its check tag has secret: %t, personalNames in validate_test.go has it: %t", op, s.Name(), f.Name, tagged, listed)
			}
		}
	}
	for _, tt := range examples(t) {
		check(tt.op, reflect.TypeOf(tt.request).Elem())
	}
}
