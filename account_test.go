package ips_test

import (
	"testing"

	"github.com/ips-p2p/ips"
)

func TestInvalidOpenAccount(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpOpenAccount, []invalid{
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"OrderNo", "   "}, "pMerBillNo", "OrderNo", blank, false},
		{with{"OrderNo", x(31)}, "pMerBillNo", "OrderNo", most30, false},
		{with{"OrderNo", "A\x00B"}, "pMerBillNo", "OrderNo", "must not hold the control character U+0000", false},
		{with{"OrderNo", "A\xff"}, "pMerBillNo", "OrderNo", "must be UTF-8", false},
		{with{"OrderNo", "a b"}, "pMerBillNo", "OrderNo", orderNo, false},
		{with{"OrderNo", " a"}, "pMerBillNo", "OrderNo", orderNo, false},
		{with{"OrderNo", "a\u200b"}, "pMerBillNo", "OrderNo", orderNo, false},
		{with{"OrderNo", "\ufeffa"}, "pMerBillNo", "OrderNo", orderNo, false},
		{with{"OrderNo", "订单1"}, "pMerBillNo", "OrderNo", orderNo, false},
		{with{"OrderNo", "a/1"}, "pMerBillNo", "OrderNo", orderNo, false},
		{with{"OrderNo", "a\t"}, "pMerBillNo", "OrderNo", orderNo, false},
		{with{"RealName", "\u3000"}, "pRealName", "RealName", blank, false},
		{with{"RealName", "张三\t"}, "pRealName", "RealName", "must not hold the control character U+0009", false},
		{with{"Memo1", "a\x0bb"}, "pMemo1", "Memo1", "must not hold the control character U+000B", false},
		{with{"IdentNo", ""}, "pIdentNo", "IdentNo", empty, false},
		{with{"IdentNo", "110101199001010001000"}, "pIdentNo", "IdentNo", most20, false},
		{with{"RealName", ""}, "pRealName", "RealName", empty, false},
		{with{"RealName", zi(31)}, "pRealName", "RealName", most30, false},
		{with{"RealName", "张\n三"}, "pRealName", "RealName", "must not hold the control character U+000A", false},
		{with{"Mobile", ""}, "pMobileNo", "Mobile", empty, false},
		{with{"Mobile", "1380000000"}, "pMobileNo", "Mobile", "must have exactly 11 characters", false},
		{with{"Mobile", "138000000000"}, "pMobileNo", "Mobile", "must have exactly 11 characters", false},
		{with{"Mobile", "1380000000x"}, "pMobileNo", "Mobile", "must be digits only", false},
		{with{"Mobile", "1380000000０"}, "pMobileNo", "Mobile", "must be digits only", false},
		{with{"Email", ""}, "pEmail", "Email", empty, false},
		{with{"Email", x(39) + "@example.com"}, "pEmail", "Email", most50, false},
		{with{"Date", ips.Date{}}, "pSmDate", "Date", given, false},
		{with{"Date", ips.Date{Year: 2015, Month: 2, Day: 29}}, "pSmDate", "Date", "must be a day of the calendar", false},
		{with{"ReturnURL", "/back"}, "pWebUrl", "ReturnURL", aURL, false},
		{with{"ReturnURL", "javascript:alert(1)"}, "pWebUrl", "ReturnURL", aURL, false},
		{with{"NotifyURL", "p2p.example.com/s2s"}, "pS2SUrl", "NotifyURL", aURL, false},
		{with{"NotifyURL", "ftp://p2p.example.com/s2s"}, "pS2SUrl", "NotifyURL", aURL, false},
		{with{"Memo1", zi(101)}, "pMemo1", "Memo1", most100, false},
		{with{"Memo2", x(101)}, "pMemo2", "Memo2", most100, false},
		{with{"Memo3", "a\u0085b"}, "pMemo3", "Memo3", "must not hold the control character U+0085", false},
		{with{"Memo3", "a\uFFFEb"}, "pMemo3", "Memo3", "must not hold the control character U+FFFE", false},
	})
}

func TestInvalidQueryBalance(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpQueryBalance, []invalid{
		{with{"Account", ""}, "argIpsAccount", "Account", empty, false},
		{with{"Account", nine(31)}, "argIpsAccount", "Account", most30, false},
	})
}

func TestInvalidQueryAccount(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpQueryAccount, []invalid{
		{with{"Account", ""}, "argIpsAccount", "Account", empty, false},
		{with{"Memo", zi(101)}, "argMemo", "Memo", most100, false},
	})
}
