package engine_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// busyTown is a town where something of everything has happened:
//
//	B1  running: C1 of 李四 (600) released, C2 of 赵六 (100) frozen with a fee
//	    of 1, guaranteed by 王五 (G1: 500, margin 100, profit 30), who has paid
//	    50 on C1 with T2; D1 sells 100 of C1 to 赵六
//	B2  ended, B3 raising
//	S1  李四's contract to bid, S2 张三's to repay
func busyTown(t testing.TB) *world {
	w := newTown(t)
	w.raise()
	w.ok(w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "0.00")), "MG00000F")
	w.ok(w.submit("registerCreditor", investing("C2", "B1", zhao, "100.00", "1.00")), "MG00000F")
	w.ok(w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "500.00", "100.00", "30.00")), "MG00000F")
	w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "600.00", li.account, "0.00", zhang.account, "12.00")))
	w.submit("Transfer", transferring("T2", "B1", "2", transferRow("C1", "50.00", wang.account, "0.00", li.account, "0.00")))
	w.ok(w.submit("registerCretansfer", selling("D1", "B1", "C1", li, zhao, "100.00", "100.00", "2")), "MG00000F")
	w.submit("registerSubject", bidding("B2", "B2", "1000.00", "10.00"))
	w.ok(w.submit("registerSubject", with(bidding("B2", "B2", "1000.00", "10.00"), "pOperationType", "2")), "MG02503F")
	w.ok(w.submit("registerSubject", bidding("B3", "B3", "1000.00", "0.00")), "MG02500F")
	w.ok(w.submit("AutoNewSigning", signing("S1", li)), "MG00000F")
	w.ok(w.submit("RepaymentSigning", repaySigning("S2", zhang)), "MG00000F")
	return w
}

const (
	authBid   = "AUT20141124000001"
	authRepay = "AUT20141124000002"
)

// wire lists, from the manual, the fields of every request in wire order; an
// optional one has a question mark.
var wire = []struct {
	op, number, title string
	fields, rows      string
	message           engine.Message
}{
	{"CreateNewIpsAcct", "01", "开户", "pMerBillNo pIdentType pIdentNo pRealName pMobileNo pEmail pSmDate pWebUrl pS2SUrl", "",
		opening("N1", person{"王五", "110101199001010009", "13800000009", "new@example.com", ""})},
	{"registerSubject", "02", "登记标的", "pMerBillNo pBidNo pRegDate pLendAmt pGuaranteesAmt pTrdLendRate pTrdCycleType " +
		"pTrdCycleValue pLendPurpose pRepayMode pOperationType pLendFee pAcctType pIdentNo pRealName pIpsAcctNo pWebUrl pS2SUrl", "",
		bidding("N1", "N1", "1000.00", "100.00")},
	{"registerCreditor", "03", "登记投资人", "pMerBillNo pMerDate pBidNo pContractNo pRegType pAuthNo? pAuthAmt pTrdAmt pFee " +
		"pAcctType pIdentNo pRealName pAccount pUse pWebUrl pS2SUrl", "", investing("N1", "B1", li, "100.00", "1.00")},
	{"registerGuarantor", "04", "登记担保方", "pMerBillNo pMerDate pBidNo pAmount pMarginAmt pProFitAmt pAcctType pFromIdentNo " +
		"pAccountName pAccount pWebUrl pS2SUrl", "", guaranteeing("N1", "B1", zhao, "100.00", "10.00", "1.00")},
	{"registerCretansfer", "05", "登记债权转让", "pMerBillNo pMerDate pBidNo pContractNo pFromAccountType pFromName pFromAccount " +
		"pFromIdentType pFromIdentNo pToAccountType pToAccountName pToAccount pToIdentType pToIdentNo pCreMerBillNo pCretAmt pPayAmt " +
		"pFromFee pToFee pCretType pWebUrl pS2SUrl", "", selling("N1", "B1", "C1", li, wang, "100.00", "100.00", "2")},
	{"AutoNewSigning", "06", "自动投标签约", "pMerBillNo pSigningDate pIdentNo pRealName pIpsAcctNo pValidType pValidDate " +
		"pTrdCycleType pSTrdCycleValue pETrdCycleValue pSAmtQuota pEAmtQuota pSIRQuota pEIRQuota pWebUrl pS2SUrl", "", signing("N1", li)},
	{"RepaymentSigning", "07", "自动还款签约", "pMerBillNo pSigningDate pIdentType pIdentNo pRealName pIpsAcctNo pValidType " +
		"pValidDate? pWebUrl pS2SUrl", "", repaySigning("N1", zhang)},
	{"doDpTrade", "18", "充值", "pMerBillNo pAcctType pIdentNo pRealName pIpsAcctNo pTrdDate pTrdAmt pChannelType " +
		"pTrdBnkCode? pMerFee pIpsFeeType pWebUrl pS2SUrl", "", recharging("N1", li, "100.00")},
	{"Transfer", "09", "转账", "pMerBillNo pBidNo pDate pTransferType pTransferMode pS2SUrl",
		"pOriMerBillNo pTrdAmt pFAcctType pFIpsAcctNo pFTrdFee pTAcctType pTIpsAcctNo pTTrdFee",
		transferring("N1", "B1", "1", transferRow("C2", "100.00", zhao.account, "0.00", zhang.account, "0.00"))},
	{"RepaymentNewTrade", "12", "还款", "pBidNo pRepaymentDate pMerBillNo pRepayType pIpsAuthNo? pOutAcctNo pOutAmt pOutFee pWebUrl pS2SUrl",
		"pCreMerBillNo pInAcctNo pInFee pOutInfoFee pInAmt",
		repaying("N1", "B1", "10.00", "1.00", repayRow("C1", li.account, "10.00", "0.50", "1.00"))},
	{"GuaranteeUnfreeze", "11", "解冻保证金", "pMerBillNo pBidNo pUnfreezeDate pUnfreezeAmt pUnfreezenType pAcctType pIdentNo? " +
		"pRealName pIpsAcctNo pS2SUrl", "", unfreezing("N1", "B1", "1", zhang, "10.00")},
	{"CoDpTrade", "13", "自动代扣充值", "pMerBillNo pTrdDate pTrdAmt pMerFee pIpsFeeType pAcctType pIdentNo pRealName pIpsAcctNo pS2SUrl", "",
		withholding("N1", zhang, "100.00")},
	{"doDwTrade", "19", "提现申请", "pMerBillNo pAcctType pOutType pBidNo? pContractNo? pDwTo? pIdentNo pRealName pIpsAcctNo " +
		"pDwDate pTrdAmt pMerFee pIpsFeeType pWebUrl pS2SUrl", "", withdrawing("N1", li, "100.00")},
}

// The messages that the tables below spoil are good before they are spoilt.
func TestUnspoiltMessagesAreTaken(t *testing.T) {
	t.Parallel()
	for _, op := range wire {
		w := busyTown(t)
		code := w.submit(op.op, op.message).Answer.Code
		assert.Contains(t, []string{"MG00000F", "MG00008F", "MG02500F"}, code, op.op)
	}
}

func TestRequiredFields(t *testing.T) {
	t.Parallel()
	w := busyTown(t)
	before := w.e.Totals()
	for _, op := range wire {
		for _, name := range strings.Fields(op.fields) {
			if strings.HasSuffix(name, "?") {
				continue
			}
			for _, value := range []string{"-", "", " \t"} {
				out := w.submit(op.op, with(op.message, name, value))
				wantMissing(t, out, op.number, name)
				assertRefusalIsTold(t, w, out, op.op, with(op.message, name, value))
			}
		}
		for _, name := range strings.Fields(op.rows) {
			wantMissing(t, w.submit(op.op, with(op.message, "1."+name, "")), op.number, "第1行"+name)
		}
		if op.rows != "" {
			wantMissing(t, w.submit(op.op, with(op.message, "pDetails", "-")), op.number, "pDetails")
			wantMissing(t, w.submit(op.op, append(with(op.message, "pDetails", "-"), engine.Field{Name: "pDetails", Rows: []engine.Message{}})), op.number, "pDetails")
		}
	}
	assert.Equal(t, before, w.e.Totals())
	out := w.ok(w.submit("registerSubject", with(bidding("N1", "N1", "1.00", "0.00"), "pLendPurpose", "")), "MG00006F")
	assert.Equal(t, "必要参数(借款用途)不能为空！", out.Answer.Text)
}

// wantMissing wants the platform's own text for an empty field, which repayments
// word in their own way.
func wantMissing(t *testing.T, out engine.Outcome, number, name string) {
	t.Helper()
	if number == "12" {
		require.Equal(t, "MG12005F", out.Answer.Code)
		assert.Equal(t, "还款失败，要素验证错误，错误内容("+name+" 是必填项|)，错误码:MG12005F", out.Answer.Text)
		return
	}
	require.Equal(t, "MG00006F", out.Answer.Code, "%s %s", name, out.Answer.Text)
	assert.Regexp(t, `^必要参数\(.+\)不能为空！$`, out.Answer.Text)
}

// assertRefusalIsTold wants one notice with code and document of the web return,
// if the operation has a page and there is somewhere to post it.
func assertRefusalIsTold(t *testing.T, w *world, out engine.Outcome, op string, msg engine.Message) {
	t.Helper()
	switch op {
	case "Transfer", "GuaranteeUnfreeze", "CoDpTrade":
		assert.Empty(t, out.Notices)
		return
	}
	if u, err := url.Parse(msg.Get("pS2SUrl")); err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") {
		assert.Empty(t, out.Notices)
		return
	}
	assert.Equal(t, out.Answer, w.notice(out, out.Answer.Code).Answer)
}

// spoilt lists, by field, what its content must not be. A field that means the
// same in several operations is spoilt in all of them.
func spoilt(op, name string) []string {
	amounts := []string{"-1.00", "1.234", "1.", ".5", "1,000.00", "1e3", "１.00", "1234567890.00", "+1.00", " 1.00", "0x10", "NaN"}
	positive := append([]string{"0", "0.00"}, amounts...)
	long := func(n int) string { return strings.Repeat("好", n+1) }
	switch name {
	case "pMerBillNo", "pCreMerBillNo", "pOriMerBillNo":
		return []string{strings.Repeat("N", 31), "N\x001"}
	case "pBidNo", "pContractNo", "pAuthNo", "pIpsAuthNo":
		if op == "doDwTrade" { // they mean nothing there
			return []string{strings.Repeat("N", 31)}
		}
		return []string{strings.Repeat("N", 31), "N-1", "标1", "N 1"}
	case "pRegDate", "pMerDate", "pSmDate", "pSigningDate", "pTrdDate", "pDate", "pRepaymentDate", "pUnfreezeDate", "pDwDate":
		return []string{"2014-11-24", "20141324", "20140230", "2014112", "201411240", "today"}
	case "pLendAmt":
		return append([]string{"100000000.01"}, positive...)
	case "pGuaranteesAmt":
		return append([]string{"100000000.01"}, amounts...)
	case "pAuthAmt", "pAmount", "pCretAmt", "pPayAmt", "pOutAmt", "pInAmt", "pUnfreezeAmt", "pTrdAmt":
		return positive
	case "pLendFee", "pFee", "pMarginAmt", "pProFitAmt", "pFromFee", "pToFee", "pMerFee", "pOutFee", "pFTrdFee", "pTTrdFee", "pInFee", "pOutInfoFee":
		return amounts
	case "pSAmtQuota", "pEAmtQuota":
		return append([]string{"0.99"}, positive...)
	case "pTrdLendRate":
		return []string{"48.00", "-1", "12.345", "12%", "100.00"}
	case "pSIRQuota", "pEIRQuota":
		return []string{"0.99", "1000.00", "5.123", "five"}
	case "pTrdCycleType":
		if op == "AutoNewSigning" {
			return []string{"1", "3", "Y"}
		}
		return []string{"0", "2", "D"}
	case "pTrdCycleValue", "pSTrdCycleValue", "pETrdCycleValue":
		return []string{"0", "1801", "1.5", "-1"}
	case "pLendPurpose", "pUse", "pMemo1", "pMemo2", "pMemo3":
		return []string{long(100), "a\x01b"}
	case "pRealName", "pAccountName", "pFromName", "pToAccountName", "pDwTo":
		return []string{long(30), "张\x02三"}
	case "pIdentNo", "pFromIdentNo", "pFromIdentNo2", "pToIdentNo":
		return []string{strings.Repeat("1", 21)}
	case "pIpsAcctNo", "pAccount", "pToAccount", "pOutAcctNo", "pInAcctNo", "pFIpsAcctNo", "pTIpsAcctNo":
		return []string{strings.Repeat("4", 31)}
	case "pFromAccount":
		return []string{strings.Repeat("4", 51)}
	case "pEmail":
		return []string{strings.Repeat("a", 50) + "@example.com"}
	case "pMobileNo":
		return []string{"138000000001"}
	case "pRepayMode":
		return []string{"0", "4", "98", "01"}
	case "pTransferType":
		return []string{"0", "6", "1 "}
	case "pAcctType", "pFAcctType", "pTAcctType", "pFromAccountType", "pToAccountType":
		return []string{"2", "01", "个人"}
	case "pOutType":
		return []string{"0", "3"}
	case "pValidType":
		return []string{"Y", "d", "1"}
	case "pValidDate":
		return []string{"366", "-1", "1.0"}
	case "pTrdBnkCode":
		return []string{"000004"}
	case "pIdentType", "pFromIdentType", "pToIdentType":
		return []string{"0", "2"}
	case "pWebUrl", "pS2SUrl":
		return []string{"/return", "shop.example.com", "ftp://shop.example.com/", "http://", "javascript:alert(1)",
			"http://a b/"}
	default: // the remaining enumerations take 1 and 2
		return []string{"0", "3", "x", "01"}
	}
}

// codeOf is the code of a malformed field.
func codeOf(number, name string) string {
	switch {
	case name == "pRegDate":
		return "MG02002F"
	case number == "12":
		return "MG12005F"
	}
	return "MG" + number + "200F"
}

func TestMalformedFields(t *testing.T) {
	t.Parallel()
	w := busyTown(t)
	before := w.e.Totals()
	secret := map[string]bool{"pIdentNo": true, "pRealName": true, "pMobileNo": true, "pEmail": true,
		"pFromIdentNo": true, "pToIdentNo": true, "pAccountName": true, "pFromName": true, "pToAccountName": true}
	for _, op := range wire {
		fields := strings.Fields(op.fields)
		for _, name := range append(fields, "pMemo1", "pMemo2", "pMemo3") {
			name = strings.TrimSuffix(name, "?")
			for _, value := range spoilt(op.op, name) {
				if (name == "pAcctType" || name == "pFromAccountType" || name == "pToAccountType") && value == "0" {
					continue
				}
				out := w.submit(op.op, with(op.message, name, value))
				require.Equal(t, codeOf(op.number, name), out.Answer.Code, "%s %s %q: %s", op.op, name, value, out.Answer.Text)
				assert.True(t, strings.HasPrefix(out.Answer.Text, op.title+"失败，"), out.Answer.Text)
				assert.Regexp(t, "，错误码:?"+out.Answer.Code+"$", out.Answer.Text)
				assertRefusalIsTold(t, w, out, op.op, with(op.message, name, value))
				assert.Less(t, len([]rune(out.Answer.Text)), 150)
				if secret[name] {
					assert.NotContains(t, out.Answer.Text, value)
				}
			}
		}
		for _, name := range strings.Fields(op.rows) {
			for _, value := range spoilt(op.op, name) {
				out := w.submit(op.op, with(op.message, "1."+name, value))
				require.Equal(t, codeOf(op.number, name), out.Answer.Code, "%s %s %q: %s", op.op, name, value, out.Answer.Text)
				assert.Contains(t, out.Answer.Text, "第1行")
			}
		}
	}
	assert.Equal(t, before, w.e.Totals())
	out := w.ok(w.submit("registerSubject", with(bidding("N1", "N1", "1.00", "0.00"), "pRegDate", "24.11.2014")), "MG02002F")
	assert.Equal(t, "登记标的失败，(商户日期)格式不正确，错误码MG02002F", out.Answer.Text)
}

func TestTooManyRows(t *testing.T) {
	t.Parallel()
	w := busyTown(t)
	many := func(row engine.Message, n int) (list []engine.Message) {
		for range n {
			list = append(list, row)
		}
		return list
	}
	row := transferRow("C2", "100.00", zhao.account, "0.00", zhang.account, "0.00")
	w.ok(w.submit("Transfer", transferring("N1", "B1", "1", many(row, 3001)...)), "MG09200F")
	out := w.ok(w.submit("Transfer", transferring("N1", "B1", "1", many(row, 3000)...)), "MG00008F")
	assert.Len(t, rowsOf(out.Notices[0].Answer), 3000)
	pay := repayRow("C1", li.account, "0.01", "0.00", "0.00")
	w.ok(w.submit("RepaymentNewTrade", repaying("N2", "B1", "3.01", "0.00", many(pay, 301)...)), "MG12005F")
	w.ok(w.submit("RepaymentNewTrade", repaying("N2", "B1", "3.00", "0.00", many(pay, 300)...)), "MG00008F")
}

// The refusals that need more than one field, or the platform's memory.
func TestRefusals(t *testing.T) {
	t.Parallel()
	open := opening("N1", person{"王五", "110101199001010009", "13800000009", "new@example.com", ""})
	bid := bidding("N1", "N1", "1000.00", "100.00")
	end := with(bidding("B3", "B3", "1000.00", "0.00"), "pOperationType", "2")
	invest := investing("N1", "B1", li, "100.00", "1.00")
	auto := with(investing("N1", "B1", li, "100.00", "1.00"), "pRegType", "2", "pAuthNo", authBid)
	guarantee := guaranteeing("N1", "B1", zhao, "100.00", "10.00", "1.00")
	organisation := with(guarantee, "pAcctType", "0", "pFromIdentNo", merchant, "pAccount", merchant)
	sale := selling("N1", "B1", "C1", li, wang, "100.00", "100.00", "2")
	recharge := recharging("N1", li, "100.00")
	release := transferring("N1", "B1", "1", transferRow("C2", "100.00", zhao.account, "0.00", zhang.account, "0.00"))
	compensate := transferring("N1", "B1", "2", transferRow("C1", "10.00", wang.account, "0.00", li.account, "0.00"))
	reimburse := transferring("N1", "B1", "3", transferRow("T2", "10.00", zhang.account, "0.00", wang.account, "0.00"))
	move := transferring("N1", "B1", "4", transferRow("D1", "100.00", zhao.account, "2.00", li.account, "1.00"))
	profit := transferring("N1", "B1", "5", transferRow("G1", "10.00", zhang.account, "0.00", wang.account, "0.00"))
	repay := repaying("N1", "B1", "10.00", "1.00", repayRow("C1", li.account, "10.00", "0.50", "1.00"))
	autoRepay := with(repay, "pRepayType", "2", "pIpsAuthNo", authRepay)
	unfreeze := unfreezing("N1", "B1", "1", zhang, "10.00")
	withhold := withholding("N1", zhang, "100.00")
	withdraw := withdrawing("N1", li, "100.00")
	two := func(m engine.Message, row engine.Message) engine.Message {
		first := rowsOf(engine.Answer{Body: m})[0]
		return append(with(m, "pDetails", "-"), rows(first, row))
	}

	tests := []struct {
		name, op string
		msg      engine.Message
		code     string
		text     string
	}{
		{"id number too short", "CreateNewIpsAcct", with(open, "pIdentNo", "11010119900101"), "MG01002F", "pIdentNo身份证号码格式不正确！"},
		{"id number with letters", "CreateNewIpsAcct", with(open, "pIdentNo", "1101011990010100Xx"), "MG01002F", "pIdentNo身份证号码格式不正确！"},
		{"no such birthday", "CreateNewIpsAcct", with(open, "pIdentNo", "110101"+"19901301"+"0001"), "MG01002F", "错误内容(pIdentNo身份证输入出身年月日部分查验异常！)"},
		{"not yet born", "CreateNewIpsAcct", with(open, "pIdentNo", "110101"+"20151231"+"0001"), "MG01002F", "pIdentNo身份证输入出身年月日部分查验异常！"},
		{"born long ago", "CreateNewIpsAcct", with(open, "pIdentNo", "110101"+"18991231"+"0001"), "MG01002F", "pIdentNo身份证输入出身年月日部分查验异常！"},
		{"old number, no such birthday", "CreateNewIpsAcct", with(open, "pIdentNo", "110101"+"900230"+"001"), "MG01002F", "pIdentNo身份证输入出身年月日部分查验异常！"},
		{"latin name", "CreateNewIpsAcct", with(open, "pRealName", "Wang Wu"), "MG01002F", "pRealName姓名仅支持中文！"},
		{"mobile of ten digits", "CreateNewIpsAcct", with(open, "pMobileNo", "1380000000"), "MG01002F", "pMobileNo手机号格式不正确！"},
		{"all at once", "CreateNewIpsAcct", with(open, "pIdentNo", "1", "pRealName", "x"), "MG01002F",
			"开户失败，要素验证错误,商户号(808801) 订单号(N1) 错误码MG01002F,错误内容(pIdentNo身份证号码格式不正确！ pRealName姓名仅支持中文！)"},
		{"e-mail taken", "CreateNewIpsAcct", with(open, "pEmail", "LISI@example.com"), "MG01011F", "该邮箱已被使用"},

		{"organisation borrows", "registerSubject", with(bid, "pAcctType", "0"), "MG02080F", "暂未开放"},
		{"too many months", "registerSubject", with(bid, "pTrdCycleValue", "61"), "MG02052F", "月数(61)"},
		{"bid exists", "registerSubject", with(bid, "pBidNo", "B1"), "MG02008F", "登记标的失败，标的已存在，标的号(B1)，平台商户号(808801)，错误码MG02008F"},
		{"bid has ended", "registerSubject", with(bid, "pBidNo", "B2"), "MG02008F", "标的已存在"},
		{"four days old", "registerSubject", with(bid, "pRegDate", "20141120"), "MG02002F", "登记标的失败，(商户日期)格式不正确，错误码MG02002F"},
		{"no such borrower", "registerSubject", with(bid, "pIpsAcctNo", "4021000000000099"), "MG02013F", "登记标的失败，借款人账户信息不正确，账号(4021000000000099)，错误码MG02013F"},
		{"another's id number", "registerSubject", with(bid, "pIdentNo", li.ident), "MG02013F", "账号(4021000000000001)"},
		{"another's name", "registerSubject", with(bid, "pRealName", "李四"), "MG02013F", "账号"},
		{"no money for the margin", "registerSubject", with(bid, "pGuaranteesAmt", "99999.00"), "MG02044F", "登记标的失败，错误码MG02044F"},
		{"end of no bid", "registerSubject", with(end, "pBidNo", "B9"), "MG02027F", "结束标的失败，标的不存在，标的号(B9)，错误码MG02027F"},
		{"end of an ended bid", "registerSubject", with(end, "pBidNo", "B2", "pMerBillNo", "B2", "pMemo1", "x"), "MG02030F", "结束标的失败，标的已结束，标的号(B2)，错误码MG02030F"},
		{"end with another number", "registerSubject", with(end, "pMerBillNo", "N9"), "MG02053F", "订单号(N9)"},
		{"end with live debts", "registerSubject", with(end, "pBidNo", "B1", "pMerBillNo", "B1"), "MG02055F", "债权人订单号(C1)"},
		{"end by another borrower", "registerSubject", with(end, "pIpsAcctNo", li.account), "MG02013F", "账号"},

		{"organisation invests", "registerCreditor", with(invest, "pAcctType", "0"), "MG03080F", "暂未开放"},
		{"automatic without contract", "registerCreditor", with(auto, "pAuthNo", ""), "MG00006F", "授权号"},
		{"amounts differ", "registerCreditor", with(invest, "pTrdAmt", "99.00"), "MG03023F", "债权面额(100.00)"},
		{"no such bid", "registerCreditor", with(invest, "pBidNo", "B9"), "MG03112F", "登记投资人失败，标的信息不存在，商户号(808801)，订单号(N1)"},
		{"ended bid", "registerCreditor", with(invest, "pBidNo", "B2"), "MG03021F", "标的号(B2)"},
		{"beyond the loan", "registerCreditor", with(invest, "pAuthAmt", "300.01", "pTrdAmt", "300.01"), "MG03119F", "登记投资人失败，标的累计投资额不能超过借款金额，商户号(808801)，订单号(N1)"},
		{"no such investor", "registerCreditor", with(invest, "pAccount", "4021000000000099"), "MG03025F", "4021000000000099"},
		{"another's id number", "registerCreditor", with(invest, "pIdentNo", wang.ident), "MG03108F", "登记投资人失败，证件号码错误，商户号(808801)，订单号(N1)，错误码MG03108F"},
		{"another's name", "registerCreditor", with(invest, "pRealName", "王五"), "MG03108F", "证件号码错误"},
		{"the borrower himself", "registerCreditor", with(investing("N1", "B1", zhang, "1.00", "0.00")), "MG03024F", "借款人本人"},
		{"no money", "registerCreditor", with(invest, "pFee", "9999.00"), "MG03011F", "登记投资人失败，账户余额不足，账号(4021000000000002)，错误码MG03011F"},
		{"fee of an automatic bid", "registerCreditor", with(auto, "pFee", "100.00"), "MG03032F", "手续费(100.00)"},
		{"no such contract", "registerCreditor", with(auto, "pAuthNo", "AUT1"), "MG03027F", "AUT1"},
		{"a contract to repay", "registerCreditor", with(auto, "pAuthNo", authRepay), "MG03027F", authRepay},
		{"another's contract", "registerCreditor", with(investing("N1", "B1", wang, "1.00", "0.00"), "pRegType", "2", "pAuthNo", authBid), "MG03027F", authBid},

		{"no such bid", "registerGuarantor", with(guarantee, "pBidNo", "B9"), "MG04020F", "标的号(B9)"},
		{"ended bid", "registerGuarantor", with(guarantee, "pBidNo", "B2"), "MG04021F", "标的号(B2)"},
		{"no such guarantor", "registerGuarantor", with(guarantee, "pAccount", "4021000000000099"), "MG04022F", "账号(4021000000000099)"},
		{"another's id number", "registerGuarantor", with(guarantee, "pFromIdentNo", li.ident), "MG04022F", "担保方账户信息不正确"},
		{"another's name", "registerGuarantor", with(guarantee, "pAccountName", "李四"), "MG04022F", "担保方账户信息不正确"},
		{"no money", "registerGuarantor", with(guarantee, "pMarginAmt", "99999.00"), "MG04024F", "余额不足"},
		{"the borrower himself", "registerGuarantor", guaranteeing("N1", "B1", zhang, "1.00", "0.00", "0.00"), "MG04025F", "借款人本人"},
		{"guarantor twice", "registerGuarantor", guaranteeing("N1", "B1", wang, "1.00", "0.00", "0.00"), "MG04003F", "担保方已登记"},
		{"another organisation", "registerGuarantor", with(organisation, "pAccount", other), "MG04026F", "商户号(808802)"},
		{"another organisation's code", "registerGuarantor", with(organisation, "pFromIdentNo", other), "MG04026F", "商户号"},
		{"organisation without money", "registerGuarantor", with(organisation, "pMarginAmt", "99999.00"), "MG04024F", "余额不足"},

		{"organisation sells", "registerCretansfer", with(sale, "pFromAccountType", "0"), "MG05080F", "pFromAccountType(0)"},
		{"organisation buys", "registerCretansfer", with(sale, "pToAccountType", "0"), "MG05080F", "pToAccountType(0)"},
		{"no such bid", "registerCretansfer", with(sale, "pBidNo", "B9"), "MG05020F", "B9"},
		{"bid not running", "registerCretansfer", with(sale, "pBidNo", "B3"), "MG05022F", "债权不存在"},
		{"no such claim", "registerCretansfer", with(sale, "pCreMerBillNo", "C9"), "MG05022F", "C9"},
		{"claim not released", "registerCretansfer", selling("N1", "B1", "C2", zhao, wang, "50.00", "50.00", "2"), "MG05024F", "尚未放款"},
		{"seller holds nothing", "registerCretansfer", selling("N1", "B1", "C1", zhao, wang, "50.00", "50.00", "2"), "MG05025F", "可转让面额(0.00)"},
		{"more than he holds", "registerCretansfer", with(sale, "pCretAmt", "600.01", "pPayAmt", "600.00"), "MG05025F", "可转让面额(500.00)"},
		{"part is sold already", "registerCretansfer", with(sale, "pCretAmt", "550.00", "pPayAmt", "550.00"), "MG05025F", "可转让面额(500.00)"},
		{"whole is sold in part", "registerCretansfer", selling("N1", "B1", "C1", li, wang, "600.00", "600.00", "1"), "MG05025F", "可转让面额(500.00)"},
		{"price too low", "registerCretansfer", with(sale, "pPayAmt", "69.99"), "MG05029F", "支付金额(69.99)"},
		{"price too high", "registerCretansfer", with(sale, "pPayAmt", "130.01"), "MG05029F", "70%至130%"},
		{"fee beyond the price", "registerCretansfer", with(sale, "pFromFee", "100.01"), "MG05039F", "100.01"},
		{"no such seller", "registerCretansfer", with(sale, "pFromAccount", "4021000000000099"), "MG05030F", "出让方账户信息不正确"},
		{"not the seller's id", "registerCretansfer", with(sale, "pFromIdentNo", wang.ident), "MG05030F", "出让方"},
		{"not the seller's name", "registerCretansfer", with(sale, "pFromName", "王五"), "MG05030F", "出让方"},
		{"no such buyer", "registerCretansfer", with(sale, "pToAccount", "4021000000000099"), "MG05032F", "受让方账户信息不正确"},
		{"not the buyer's id", "registerCretansfer", with(sale, "pToIdentNo", li.ident), "MG05032F", "受让方"},
		{"not the buyer's name", "registerCretansfer", with(sale, "pToAccountName", "李四"), "MG05032F", "受让方"},
		{"buyer without money", "registerCretansfer", with(sale, "pToFee", "99999.00"), "MG05038F", "登记债权转让失败，IPS账户余额不足，错误码MG05038F"},
		{"to himself", "registerCretansfer", selling("N1", "B1", "C1", li, li, "50.00", "50.00", "2"), "MG05035F", "出让方本人"},
		{"to the borrower", "registerCretansfer", selling("N1", "B1", "C1", li, zhang, "50.00", "50.00", "2"), "MG05036F", "借款人本人"},

		{"no such investor", "AutoNewSigning", with(signing("N1", li), "pIpsAcctNo", "4021000000000099"), "MG06020F", "4021000000000099"},
		{"another's id number", "AutoNewSigning", with(signing("N1", li), "pIdentNo", wang.ident), "MG06020F", "账户信息不正确"},
		{"thirteen months", "AutoNewSigning", with(signing("N1", li), "pValidDate", "13"), "MG06022F", "有效期(13)"},
		{"term of 61 months", "AutoNewSigning", with(signing("N1", li), "pETrdCycleValue", "61"), "MG06023F", "61"},

		{"no such borrower", "RepaymentSigning", with(repaySigning("N1", zhang), "pIpsAcctNo", "4021000000000099"), "MG07020F", "4021000000000099"},
		{"another's name", "RepaymentSigning", with(repaySigning("N1", zhang), "pRealName", "李四"), "MG07020F", "账户信息不正确"},
		{"days missing", "RepaymentSigning", with(repaySigning("N1", zhang), "pValidType", "D"), "MG00006F", "有效期"},
		{"no days", "RepaymentSigning", with(repaySigning("N1", zhang), "pValidType", "D", "pValidDate", "0"), "MG07022F", "有效期(0)"},
		{"thirteen months", "RepaymentSigning", with(repaySigning("N1", zhang), "pValidType", "M", "pValidDate", "13"), "MG07022F", "有效期(13)"},

		{"organisation recharges", "doDpTrade", with(recharge, "pAcctType", "0"), "MG18080F", "暂未开放"},
		{"no such account", "doDpTrade", with(recharge, "pIpsAcctNo", "4021000000000099"), "MG18020F", "4021000000000099"},
		{"another's id number", "doDpTrade", with(recharge, "pIdentNo", wang.ident), "MG18020F", "身份信息有误"},
		{"no bank", "doDpTrade", with(recharge, "pTrdBnkCode", ""), "MG00006F", "充值银行"},
		{"fee beyond the amount", "doDpTrade", with(recharge, "pMerFee", "100.01"), "MG18024F", "充值金额(100.00)"},

		{"batched compensation", "Transfer", with(compensate, "pTransferMode", "2"), "MG09022F", "批量"},
		{"two payees of an investment", "Transfer", two(release, transferRow("C2", "100.00", zhao.account, "0.00", li.account, "0.00")), "MG09023F", "行号(2)"},
		{"two payers of a compensation", "Transfer", two(compensate, transferRow("C1", "1.00", zhao.account, "0.00", li.account, "0.00")), "MG09023F", "行号(2)"},
		{"two reimbursements", "Transfer", two(reimburse, rowsOf(engine.Answer{Body: reimburse})[0]), "MG09023F", "行号(2)"},
		{"two sales", "Transfer", two(move, rowsOf(engine.Answer{Body: move})[0]), "MG09023F", "行号(2)"},
		{"two profits", "Transfer", two(profit, rowsOf(engine.Answer{Body: profit})[0]), "MG09023F", "行号(2)"},
		{"no such bid", "Transfer", with(release, "pBidNo", "B9"), "MG09020F", "B9"},
		{"release of an ended bid", "Transfer", with(release, "pBidNo", "B2"), "MG09021F", "B2"},
		{"compensation before release", "Transfer", with(compensate, "pBidNo", "B3"), "MG09026F", "担保方"},
		{"sale on a raising bid", "Transfer", with(move, "pBidNo", "B3"), "MG09021F", "B3"},
		{"release to another", "Transfer", with(release, "1.pTIpsAcctNo", li.account), "MG09025F", li.account},
		{"reimbursement by another", "Transfer", with(reimburse, "1.pFIpsAcctNo", li.account), "MG09025F", li.account},
		{"profit from another", "Transfer", with(profit, "1.pFIpsAcctNo", li.account), "MG09025F", li.account},
		{"compensation by no guarantor", "Transfer", with(compensate, "1.pFIpsAcctNo", zhao.account), "MG09026F", zhao.account},
		{"no such compensation", "Transfer", with(reimburse, "1.pOriMerBillNo", "T1"), "MG09030F", "T1"},
		{"reimbursement to another", "Transfer", with(reimburse, "1.pTIpsAcctNo", li.account), "MG09033F", li.account},
		{"more than is owed", "Transfer", with(reimburse, "1.pTrdAmt", "50.01"), "MG09043F", "尚欠金额(50.00)"},
		{"no such guarantee", "Transfer", with(profit, "1.pOriMerBillNo", "G9"), "MG09030F", "G9"},
		{"profit to another", "Transfer", with(profit, "1.pTIpsAcctNo", li.account), "MG09033F", li.account},
		{"more than was promised", "Transfer", with(profit, "1.pTrdAmt", "30.01"), "MG09052F", "担保收益(30.00)"},
		{"fee beyond the profit", "Transfer", with(profit, "1.pFTrdFee", "10.01"), "MG09053F", "G1"},
		{"guarantor keeps nothing", "Transfer", with(profit, "1.pTTrdFee", "10.00"), "MG09053F", "G1"},
		{"no such sale", "Transfer", with(move, "1.pOriMerBillNo", "D9"), "MG09030F", "D9"},
		{"not the buyer", "Transfer", with(move, "1.pFIpsAcctNo", wang.account), "MG09033F", wang.account},
		{"not the seller", "Transfer", with(move, "1.pTIpsAcctNo", wang.account), "MG09033F", wang.account},
		{"not the price", "Transfer", with(move, "1.pTrdAmt", "99.99"), "MG09032F", "金额(99.99)"},
		{"buyer's fee too high", "Transfer", with(move, "1.pFTrdFee", "2.01"), "MG09034F", "D1"},
		{"seller's fee too high", "Transfer", with(move, "1.pTTrdFee", "1.01"), "MG09034F", "D1"},

		{"automatic without contract", "RepaymentNewTrade", with(autoRepay, "pIpsAuthNo", ""), "MG12005F", "pIpsAuthNo 是必填项"},
		{"amount as small as its fee", "RepaymentNewTrade", with(repay, "1.pInFee", "10.00"), "MG12029F", "行号(1)"},
		{"wrong sum", "RepaymentNewTrade", with(repay, "pOutAmt", "10.01"), "MG12023F", "明细合计(10.00)"},
		{"fees too low", "RepaymentNewTrade", with(repay, "pOutFee", "1.01"), "MG12024F", "总手续费(1.01)"},
		{"fee of an automatic repayment", "RepaymentNewTrade", with(autoRepay, "pOutFee", "10.01", "1.pOutInfoFee", "10.01"), "MG12034F", "行号(1)"},
		{"wrong sum of fees", "RepaymentNewTrade", with(repay, "pOutFee", "0.50"), "MG12024F", "明细合计(1.00)"},
		{"no such bid", "RepaymentNewTrade", with(repay, "pBidNo", "B9"), "MG12020F", "B9"},
		{"bid not running", "RepaymentNewTrade", with(repay, "pBidNo", "B3"), "MG12021F", "B3"},
		{"ended bid", "RepaymentNewTrade", with(repay, "pBidNo", "B2"), "MG12021F", "B2"},
		{"not the borrower", "RepaymentNewTrade", with(repay, "pOutAcctNo", li.account), "MG12022F", li.account},
		{"no such contract", "RepaymentNewTrade", with(autoRepay, "pIpsAuthNo", "AUT1"), "MG12026F", "AUT1"},
		{"a contract to bid", "RepaymentNewTrade", with(autoRepay, "pIpsAuthNo", authBid), "MG12026F", authBid},
		{"no money", "RepaymentNewTrade", repaying("N1", "B1", "99999.00", "0.00", repayRow("C1", li.account, "99999.00", "0.00", "0.00")), "MG12028F", zhang.account},

		{"person without id number", "GuaranteeUnfreeze", with(unfreeze, "pIdentNo", ""), "MG00006F", "证件号码"},
		{"no such bid", "GuaranteeUnfreeze", with(unfreeze, "pBidNo", "B9"), "MG11020F", "B9"},
		{"not the borrower", "GuaranteeUnfreeze", unfreezing("N1", "B1", "1", li, "1.00"), "MG11021F", li.account},
		{"not a guarantor", "GuaranteeUnfreeze", unfreezing("N1", "B1", "2", li, "1.00"), "MG11022F", li.account},
		{"another's id number", "GuaranteeUnfreeze", with(unfreeze, "pIdentNo", li.ident), "MG11023F", "身份信息有误"},
		{"another's name", "GuaranteeUnfreeze", with(unfreeze, "pRealName", "李四"), "MG11023F", "身份信息有误"},
		{"more than is frozen", "GuaranteeUnfreeze", with(unfreeze, "pUnfreezeAmt", "100.01"), "MG11024F", "冻结金额(100.00)"},
		{"guarantor's, used up in part", "GuaranteeUnfreeze", unfreezing("N1", "B1", "2", wang, "50.01"), "MG11024F", "冻结金额(50.00)"},
		{"ended bid", "GuaranteeUnfreeze", with(unfreeze, "pBidNo", "B2"), "MG11024F", "冻结金额(0.00)"},

		{"organisation", "CoDpTrade", with(withhold, "pAcctType", "0"), "MG13080F", "暂未开放"},
		{"no such account", "CoDpTrade", with(withhold, "pIpsAcctNo", "4021000000000099"), "MG13020F", "4021000000000099"},
		{"another's id number", "CoDpTrade", with(withhold, "pIdentNo", wang.ident), "MG13020F", "身份信息有误"},
		{"fee beyond the amount", "CoDpTrade", with(withhold, "pMerFee", "100.01"), "MG13024F", "手续费"},

		{"organisation", "doDwTrade", with(withdraw, "pAcctType", "0"), "MG19080F", "pAcctType(0)"},
		{"directed", "doDwTrade", with(withdraw, "pOutType", "2"), "MG19080F", "pOutType(2)"},
		{"no such account", "doDwTrade", with(withdraw, "pIpsAcctNo", "4021000000000099"), "MG19010F", "身份信息有误"},
		{"another's id number", "doDwTrade", with(withdraw, "pIdentNo", wang.ident), "MG19010F", "提现申请失败，该账号的身份信息有误，错误码MG19010F"},
		{"no money for the fee", "doDwTrade", with(withdraw, "pTrdAmt", "9450.00"), "MG19054F", "提现申请失败，IPS账户余额不足，错误码MG19054F"},
	}
	for _, test := range tests {
		t.Run(test.op+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			w := busyTown(t)
			if test.name == "no money for the fee" {
				test.msg = with(test.msg, "pTrdAmt", yuan(w.balance(li.account).Available))
			}
			before, totals := w.bids(""), w.e.Totals()
			out := w.submit(test.op, test.msg)
			require.Equal(t, test.code, out.Answer.Code, out.Answer.Text)
			assert.Contains(t, out.Answer.Text, test.text)
			assert.Equal(t, before, w.bids(""), "a refusal changes nothing")
			assert.Equal(t, totals, w.e.Totals())
			assertRefusalIsTold(t, w, out, test.op, test.msg)
			assert.Equal(t, test.msg.Get("pWebUrl"), out.ReturnURL)
			assert.Equal(t, test.msg.Get("pMerBillNo"), out.Answer.Body.Get("pMerBillNo"))
			for _, p := range []person{zhang, li, wang, zhao} {
				assert.NotContains(t, out.Answer.Text, p.ident)
				assert.NotContains(t, out.Answer.Text, p.mobile)
			}
		})
	}
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// Rows of a batch fail one by one; the answer as a whole does not.
func TestRowRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, kind string
		row        engine.Message
		code       string
	}{
		{"no such bid order", "1", transferRow("C9", "1.00", zhao.account, "0.00", zhang.account, "0.00"), "MG09030F"},
		{"released before", "1", transferRow("C1", "600.00", li.account, "0.00", zhang.account, "0.00"), "MG09031F"},
		{"not the face value", "1", transferRow("C2", "99.99", zhao.account, "0.00", zhang.account, "0.00"), "MG09032F"},
		{"not the investor", "1", transferRow("C2", "100.00", li.account, "0.00", zhang.account, "0.00"), "MG09033F"},
		{"fee beyond the frozen", "1", transferRow("C2", "100.00", zhao.account, "1.01", zhang.account, "0.00"), "MG09034F"},
		{"fee beyond the registered", "1", transferRow("C2", "100.00", zhao.account, "1.00", zhang.account, "8.01"), "MG09035F"},
		{"no such claim", "2", transferRow("C9", "1.00", wang.account, "0.00", li.account, "0.00"), "MG09030F"},
		{"claim not released", "2", transferRow("C2", "1.00", wang.account, "0.00", zhao.account, "0.00"), "MG09039F"},
		{"not the holder", "2", transferRow("C1", "1.00", wang.account, "0.00", zhao.account, "0.00"), "MG09039F"},
		{"beyond the promise", "2", transferRow("C1", "450.01", wang.account, "0.00", li.account, "0.00"), "MG09038F"},
		{"fee beyond the compensation", "2", transferRow("C1", "1.00", wang.account, "1.01", li.account, "0.00"), "MG09053F"},
		{"creditor keeps nothing", "2", transferRow("C1", "1.00", wang.account, "0.00", li.account, "1.00"), "MG09053F"},
		{"no such claim", "pay", repayRow("C9", li.account, "1.00", "0.00", "0.00"), "MG12030F"},
		{"claim not released", "pay", repayRow("C2", zhao.account, "1.00", "0.00", "0.00"), "MG12033F"},
		{"not the holder", "pay", repayRow("C1", zhao.account, "1.00", "0.00", "0.00"), "MG12031F"},
	}
	for _, test := range tests {
		t.Run(test.kind+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			w := busyTown(t)
			before := w.e.Totals()
			var out engine.Outcome
			code := "MG09044F"
			if test.kind == "pay" {
				code = "MG12044F"
				out = w.submit("RepaymentNewTrade", repaying("N1", "B1", test.row.Get("pInAmt"), test.row.Get("pOutInfoFee"), test.row))
			} else {
				out = w.submit("Transfer", transferring("N1", "B1", test.kind, test.row))
			}
			w.ok(out, "MG00008F")
			row := rowsOf(w.notice(out, code).Answer)[0]
			assert.Equal(t, "N", row.Get("pStatus"))
			assert.Contains(t, row.Get("pMessage"), "错误码"+test.code)
			assert.Equal(t, before, w.e.Totals())
		})
	}
}

func TestContractLimits(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bid  []string
		code string
	}{
		"within":         {nil, "MG00000F"},
		"days":           {[]string{"pTrdCycleType", "1", "pTrdCycleValue", "30"}, "MG00000F"},
		"too few days":   {[]string{"pTrdCycleType", "1", "pTrdCycleValue", "29"}, "MG03029F"},
		"too many days":  {[]string{"pTrdCycleType", "1", "pTrdCycleValue", "721"}, "MG03029F"},
		"term too long":  {[]string{"pTrdCycleValue", "25"}, "MG03029F"},
		"loan too small": {[]string{"pLendAmt", "99.99"}, "MG03030F"},
		"loan too large": {[]string{"pLendAmt", "5000.01"}, "MG03030F"},
		"rate too low":   {[]string{"pTrdLendRate", "4.99"}, "MG03031F"},
		"rate too high":  {[]string{"pTrdLendRate", "20.01"}, "MG03031F"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			auth := w.submit("AutoNewSigning", signing("S1", li)).Answer.Body.Get("pIpsAuthNo")
			w.ok(w.submit("registerSubject", with(bidding("B1", "B1", "1000.00", "0.00"), test.bid...)), "MG02500F")
			w.ok(w.submit("registerCreditor", with(investing("C1", "B1", li, "50.00", "0.00"), "pRegType", "2", "pAuthNo", auth)), test.code)
		})
	}
}

func TestPlatformCannotPayItsFee(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		msg  engine.Message
		code string
	}{
		"doDpTrade": {with(recharging("N1", li, "100.00"), "pMerFee", "0.00"), "MG18025F"},
		"CoDpTrade": {with(withholding("N1", li, "100.00"), "pMerFee", "0.00", "pIpsFeeType", "1"), "MG13025F"},
		"doDwTrade": {with(withdrawing("N1", li, "100.00"), "pMerFee", "0.00"), "MG19025F"},
	}
	for op, test := range tests {
		w := newTown(t)
		w.settle(engine.Settings{Merchant: merchant, Auto: true, IPSFee: 1_000_01})
		w.ok(w.submit(op, test.msg), test.code)
	}
}

func TestMandate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle(engine.Settings{Merchant: merchant, Auto: true, NoMandate: true})
	w.submit("CreateNewIpsAcct", opening("A1", zhang))
	self := with(recharging("R1", zhang, "10.00"), "pChannelType", "2", "pTrdBnkCode", "")
	w.ok(w.submit("doDpTrade", self), "MG18023F")
	w.ok(w.submit("CoDpTrade", withholding("W1", zhang, "10.00")), "MG13023F")
	w.ok(w.submit("doDpTrade", recharging("R2", zhang, "10.00")), "MG00000F")
	w.apply(engine.Command{Kind: engine.KindMandate, Merchant: merchant, Account: zhang.account, Yes: true})
	w.ok(w.submit("doDpTrade", self), "MG00000F")
	w.ok(w.submit("CoDpTrade", withholding("W1", zhang, "10.00")), "MG00008F")
}

// What a merchant may send: the edges of what is allowed.
func TestEdgesOfWhatIsAllowed(t *testing.T) {
	t.Parallel()
	name := "阿卜杜拉·买买提"
	tests := []struct {
		op   string
		msg  engine.Message
		code string
	}{
		{"CreateNewIpsAcct", with(opening("N1", wang), "pEmail", "n1@example.com", "pRealName", name), "MG00000F"},
		{"CreateNewIpsAcct", with(opening("N2", wang), "pEmail", "n2@example.com", "pIdentNo", "110101"+"900101"+"001"), "MG00000F"},
		{"CreateNewIpsAcct", with(opening("订单-3#x", wang), "pEmail", "n3@example.com"), "MG00000F"},
		{"registerSubject", with(bidding("N4", "N4", "100000000.00", "0"), "pTrdCycleType", "1", "pTrdCycleValue", "1800", "pTrdLendRate", "47.99"), "MG02500F"},
		{"registerSubject", with(bidding("N5", "N5", "0.01", "0.0"), "pTrdCycleValue", "60", "pTrdLendRate", "0", "pRepayMode", "99"), "MG02500F"},
		{"registerSubject", with(bidding("N6", "N6", "1", "0"), "pLendPurpose", strings.Repeat("好", 100)), "MG02500F"},
		{"registerCretansfer", selling("N7", "B1", "C1", li, wang, "100.00", "70.00", "2"), "MG00000F"},
		{"registerCretansfer", selling("N8", "B1", "C1", li, wang, "100.00", "130.00", "2"), "MG00000F"},
		{"RepaymentSigning", with(repaySigning("N9", zhang), "pValidDate", "0"), "MG00000F"},
		{"RepaymentSigning", with(repaySigning("N10", zhang), "pValidType", "D", "pValidDate", "365"), "MG00000F"},
		{"doDpTrade", with(recharging("N11", li, "1.00"), "pMerFee", "1.00"), "MG00000F"},
		{"CreateNewIpsAcct", with(opening("N 13", wang), "pEmail", "an address without form", "pRealName", "王"), "MG00000F"},
		{"registerSubject", with(bidding("N14", "N14", "1.00", "0.00"), "pRegDate", "20141121"), "MG02500F"},
		{"registerSubject", with(bidding("B2x", "N15", "1.00", "0.00"), "pRegDate", "20150101"), "MG02500F"},
		{"registerSubject", with(bidding("B3", "B3", "1.00", "0.00"), "pOperationType", "2", "pRegDate", "20100101"), "MG02503F"},
		{"registerCreditor", with(investing("N16", "B1", li, "1.00", "0.00"), "pAuthNo", "1"), "MG00000F"},
		{"RepaymentNewTrade", with(repaying("N17", "B1", "1.00", "0.00", repayRow("C1", li.account, "1.00", "0.00", "0.00")), "pIpsAuthNo", "0"), "MG00008F"},
		{"registerCretansfer", with(selling("N18", "B1", "C1", li, wang, "100.00", "100.00", "1"), "pContractNo", "B1"), "MG00000F"},
		{"AutoNewSigning", with(signing("N19", li), "pSTrdCycleValue", "25", "pEIRQuota", "200.00"), "MG00000F"},
		{"RepaymentSigning", with(repaySigning("N20", zhang), "pValidDate", "5"), "MG00000F"},
		{"doDpTrade", with(recharging("N21", li, "1.00"), "pTrdBnkCode", "ICBCX"), "MG00000F"},
		{"doDpTrade", with(recharging("N22", li, "1.00"), "pChannelType", "2"), "MG00000F"},
		{"doDwTrade", with(withdrawing("N23", li, "1.00"), "pBidNo", "1", "pContractNo", "1", "pDwTo", "1"), "MG00000F"},
		{"Transfer", transferring("N24", "B1", "2", with(transferRow("C3", "1.00", wang.account, "0.00", wang.account, "0.00"), "pFAcctType", "0")), "MG00008F"},
		{"doDwTrade", with(withdrawing("N12", li, "1.5"), "pMemo3", "第一行\n第二行"), "MG00000F"},
	}
	w := busyTown(t)
	w.submit("registerCreditor", investing("C3", "B1", wang, "10.00", "0.00"))
	w.submit("Transfer", transferring("T8", "B1", "1", transferRow("C3", "10.00", wang.account, "0.00", zhang.account, "0.00")))
	for _, test := range tests {
		w.ok(w.submit(test.op, test.msg), test.code)
	}
	w.at = w.at.Add(time.Second)
}
