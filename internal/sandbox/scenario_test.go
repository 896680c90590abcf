package sandbox_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// submitPage posts a document as a server would and returns code and document
// of the answer.
func (f *fixture) submitPage(page, prefix string, pairs ...string) (code, text string) {
	f.t.Helper()
	pairs = append(pairs, "pWebUrl", "http://shop.example.com/back", "pS2SUrl", f.shop.URL+"/notify",
		"pMemo1", "", "pMemo2", "", "pMemo3", "")
	_, a := f.post(page, seal(f.keys, prefix, document(pairs...))).returned(f.t)
	return a.code, a.text + a.open(f.t, f.keys, nil)
}

func (f *fixture) openAccount(order, ident, name, mobile, user string) string {
	f.t.Helper()
	code, text := f.submitPage(page, "arg", "pMerBillNo", order, "pIdentType", "1", "pIdentNo", ident, "pRealName", name,
		"pMobileNo", mobile, "pEmail", user+"@example.com", "pSmDate", "20141124")
	require.Equal(f.t, "MG00000F", code, text)
	return regexp.MustCompile(`<pIpsAcctNo>(\d+)</pIpsAcctNo>`).FindStringSubmatch(text)[1]
}

// One loan from end to end over the raw wire: what no single test of the parts
// shows is that they fit.
func TestLoanFromEndToEnd(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	const zhang, li = "110101199001010001", "110101199001010002"
	borrower := f.openAccount("A1", zhang, "张三", "13800000001", "zhangsan")
	investor := f.openAccount("A2", li, "李四", "13800000002", "lisi")
	step := func(want, code, text string) {
		t.Helper()
		require.Equal(t, want, code, text)
		require.NoError(t, f.CheckBooks())
	}

	code, text := f.submitPage("doDpTrade.aspx", "p", "pMerBillNo", "R1", "pAcctType", "1", "pIdentNo", li, "pRealName", "李四",
		"pIpsAcctNo", investor, "pTrdDate", "20141124", "pTrdAmt", "1010.00", "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "0.00", "pIpsFeeType", "1")
	step("MG00000F", code, text)

	bid := []string{"pMerBillNo", "B1", "pBidNo", "BID1", "pRegDate", "20141124", "pLendAmt", "1000.00", "pGuaranteesAmt", "0.00",
		"pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12", "pLendPurpose", "买车", "pRepayMode", "1",
		"pOperationType", "1", "pLendFee", "10.00", "pAcctType", "1", "pIdentNo", zhang, "pRealName", "张三", "pIpsAcctNo", borrower}
	code, text = f.submitPage("registerSubject.aspx", "p", bid...)
	step("MG02500F", code, text)

	code, text = f.submitPage("registerCreditor.aspx", "p", "pMerBillNo", "C1", "pMerDate", "20141124", "pBidNo", "BID1",
		"pContractNo", "CON1", "pRegType", "1", "pAuthNo", "", "pAuthAmt", "1000.00", "pTrdAmt", "1000.00", "pFee", "10.00",
		"pAcctType", "1", "pIdentNo", li, "pRealName", "李四", "pAccount", investor, "pUse", "买车")
	step("MG00000F", code, text)

	transfer := `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>T1</pMerBillNo><pBidNo>BID1</pBidNo><pDate>20141124</pDate>` +
		`<pTransferType>1</pTransferType><pTransferMode>1</pTransferMode><pDetails><pRow><pOriMerBillNo>C1</pOriMerBillNo>` +
		`<pTrdAmt>1000.00</pTrdAmt><pFAcctType>1</pFAcctType><pFIpsAcctNo>` + investor + `</pFIpsAcctNo><pFTrdFee>10.00</pFTrdFee>` +
		`<pTAcctType>1</pTAcctType><pTIpsAcctNo>` + borrower + `</pTIpsAcctNo><pTTrdFee>5.00</pTTrdFee></pRow></pDetails>` +
		`<pS2SUrl>` + f.shop.URL + `/notify</pS2SUrl><pMemo1></pMemo1><pMemo2></pMemo2><pMemo3></pMemo3></pReq>`
	a := fromResult(f.call11(trade, "Transfer", f.sealedParams("p", transfer)...).resultOf(t, "Transfer"))
	step("MG00008F", a.code, a.text)

	repayment := `<?xml version="1.0" encoding="utf-8"?><pReq><pBidNo>BID1</pBidNo><pRepaymentDate>20141124</pRepaymentDate>` +
		`<pMerBillNo>P1</pMerBillNo><pRepayType>1</pRepayType><pIpsAuthNo></pIpsAuthNo><pOutAcctNo>` + borrower + `</pOutAcctNo>` +
		`<pOutAmt>900.00</pOutAmt><pOutFee>1.00</pOutFee><pDetails><pRow><pCreMerBillNo>C1</pCreMerBillNo><pInAcctNo>` + investor +
		`</pInAcctNo><pInFee>2.00</pInFee><pOutInfoFee>1.00</pOutInfoFee><pInAmt>900.00</pInAmt></pRow></pDetails>` +
		`<pWebUrl>http://shop.example.com/back</pWebUrl><pS2SUrl>` + f.shop.URL + `/notify</pS2SUrl></pReq>`
	_, a = f.post("RepaymentNewTrade.aspx", seal(f.keys, "p", repayment)).returned(t)
	step("MG00008F", a.code, a.text)

	f.delivered()
	codes := map[string]string{}
	var rows string
	for _, form := range f.shop.received() {
		a := fromForm(form)
		document := a.open(t, f.keys, nil)
		codes[regexp.MustCompile(`<pMerBillNo>(\w+)<`).FindStringSubmatch(document)[1]] = a.code
		if strings.Contains(document, "<pMerBillNo>T1<") {
			rows = document
		}
	}
	assert.Equal(t, map[string]string{"A1": "MG00000F", "A2": "MG00000F", "R1": "MG00000F", "B1": "MG02501F", "C1": "MG00000F",
		"T1": "MG00000F", "P1": "MG00000F"}, codes)
	assert.Contains(t, rows, "<pFAccType>1</pFAccType>", "the answer spells it with one t, as the platform does")
	assert.Contains(t, rows, "<pMessage><![CDATA[")

	available := func(account string) int64 {
		b, ok := f.Balance("808801", account)
		require.True(t, ok)
		return b.Available
	}
	assert.Equal(t, int64(100000-500-90000-100), available(borrower))
	assert.Equal(t, int64(90000-200), available(investor))
	assert.Equal(t, int64(1000+500+200+100), available("808801"))
	info, ok := f.Engine().Bid("808801", "BID1")
	require.True(t, ok)
	assert.Equal(t, int64(100000), info.Released)
}
