package wire_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
)

// What the real platform was seen to send, each oddity with its test.

// read opens an answer with the document for op by the public way.
func read[R ips.Response](t *testing.T, op ips.Operation, code ips.Code, doc string) R {
	t.Helper()
	resp, err := fixture.Client(t).ParseNotification(fixture.Sealed(code, "", doc).Inbound(op), op)
	require.NoError(t, err)
	typed, ok := resp.(R)
	require.True(t, ok, "%T", resp)
	return typed
}

func TestQuirkByteOrderMark(t *testing.T) {
	t.Parallel()
	resp := read[*ips.RechargeResponse](t, ips.OpRecharge, "MG00000F", "\xEF\xBB\xBF"+fixture.RechargeDocument)
	assert.Equal(t, "R20141213000001", resp.OrderNo)
	assert.Equal(t, 500*ips.Yuan, resp.Amount)
}

func TestQuirkAmountsWithAndWithoutDecimals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ips.Amount{
		"500": 500_00, "0": 0, "3050.00": 3_050_00, "1016.71": 1_016_71, "0.5": 50, "": 0, "000500.10": 500_10,
	} {
		doc := fixture.Document("pMerBillNo", "R1", "pTrdAmt", text)
		assert.Equal(t, want, read[*ips.RechargeResponse](t, ips.OpRecharge, "MG00000F", doc).Amount, text)
	}
}

func TestQuirkAccountTypeWithATMissing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"pFAccType", "pFAcctType"} {
		doc := `<pReq><pMerBillNo>T1</pMerBillNo><pTransferType>1</pTransferType><pDetails><pRow><` + name + `>1</` + name + `><pTAcctType>0</pTAcctType></pRow></pDetails></pReq>`
		resp := read[*ips.TransferResponse](t, ips.OpTransfer, "MG00000F", doc)
		require.Len(t, resp.Rows, 1)
		assert.Equal(t, ips.AccountPerson, resp.Rows[0].FromAccountType, name)
		assert.Equal(t, ips.AccountOrganisation, resp.Rows[0].ToAccountType)
		assert.Empty(t, resp.Extra)
	}
}

func TestQuirkEmptyCDATA(t *testing.T) {
	t.Parallel()
	doc := `<pReq><pMerBillNo><![CDATA[P1]]></pMerBillNo><pRepaymentDate>20141213</pRepaymentDate>` +
		`<pDetails><pRow><pInFee>0</pInFee><pStatus>Y</pStatus><pMessage><![CDATA[]]></pMessage></pRow></pDetails>` +
		`<pMemo1><![CDATA[]]></pMemo1><pMemo2><![CDATA[a<b & c]]></pMemo2><pMemo3/></pReq>`
	resp := read[*ips.RepayResponse](t, ips.OpRepay, "MG00000F", doc)
	require.Len(t, resp.Rows, 1)
	assert.Empty(t, resp.Rows[0].Message)
	assert.Empty(t, resp.Memo1)
	assert.Equal(t, "a<b & c", resp.Memo2)
	assert.Empty(t, resp.Memo3)
}

func TestQuirkFailedAccountOpening(t *testing.T) {
	t.Parallel()
	doc := `<pReq><pMerBillNo>A1</pMerBillNo><pStatus>9</pStatus><pSmDate>20141213</pSmDate><pRealName>张三</pRealName>` +
		`<pBankName></pBankName><pBkAccName/><pBkAccNo></pBkAccNo><pCardStatus>N</pCardStatus><pPhStatus>F</pPhStatus>` +
		`<pIpsAcctNo></pIpsAcctNo><pIpsAcctDate></pIpsAcctDate></pReq>`
	resp := read[*ips.OpenAccountResponse](t, ips.OpOpenAccount, "MG01002F", doc)
	assert.Equal(t, ips.Failure, resp.Outcome)
	assert.Equal(t, ips.AccountFailed, resp.Status)
	assert.Empty(t, resp.Account)
	assert.Empty(t, resp.CardLast4)
	assert.True(t, resp.AccountDate.IsZero())
	assert.Equal(t, ips.CheckFailed, resp.IdentStatus)
	assert.ErrorIs(t, resp.Err(), ips.CodeParticulars)
	assert.Equal(t, "A1", resp.OrderNo)
}

func TestQuirkLowerCasePercentEncoding(t *testing.T) {
	t.Parallel()
	f := fixture.AnswerWithPlus(t)
	lower := regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(f.Values().Encode(), strings.ToLower)
	require.Contains(t, lower, "%2f")
	require.Contains(t, lower, "%2b")
	_, err := fixture.Client(t).ParseNotification(fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", lower), ips.OpRecharge)
	require.NoError(t, err)
}

func TestQuirkLineBreaksInBase64(t *testing.T) {
	t.Parallel()
	f := fixture.AnswerWithPlus(t)
	v := f.Values()
	v.Set("p3DesXmlPara", f.Body[:76]+"\r\n"+f.Body[76:]+"\r\n")
	_, err := fixture.Client(t).ParseNotification(fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", v.Encode()), ips.OpRecharge)
	require.NoError(t, err)
}

func TestQuirkUnknownElementsAreKept(t *testing.T) {
	t.Parallel()
	doc := `<pReq><pNew>1</pNew><pMerBillNo>T1</pMerBillNo><pTransferType>2</pTransferType><pGroup><pA>a</pA><pB>b</pB></pGroup>` +
		`<pDetails><pRow><pTrdAmt>1</pTrdAmt></pRow><pRow><pNew>3</pNew><pTrdAmt>2</pTrdAmt></pRow><pSum>4</pSum></pDetails><pIpsTime>noon</pIpsTime></pReq>`
	resp := read[*ips.TransferResponse](t, ips.OpTransfer, "MG00000F", doc)
	assert.Equal(t, []ips.Element{
		{Name: "pNew", Text: "1"}, {Name: "pGroup/pA", Text: "a"}, {Name: "pGroup/pB", Text: "b"},
		{Name: "pDetails/pRow[2]/pNew", Text: "3"}, {Name: "pDetails/pSum", Text: "4"}, {Name: "pIpsTime", Text: "noon"},
	}, resp.Extra)
	assert.Len(t, resp.Rows, 2)
	assert.True(t, resp.IPSTime.IsZero(), "an unreadable time is not worth an answer")
}

func TestQuirkUnknownEnumerations(t *testing.T) {
	t.Parallel()
	doc := fixture.Document("pMerBillNo", "B1", "pBidStatus", "77")
	resp := read[*ips.BidResponse](t, ips.OpRegisterBid, "MG02501F", doc)
	assert.Equal(t, ips.BidStatus("77"), resp.Status)
	assert.Equal(t, "unknown (77)", resp.Status.String())
}

func TestQuirkQueryCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]ips.Outcome{"0000": ips.Success, "9999": ips.Failure, "01": ips.Failure, "02": ips.Failure, "MG77777F": ips.Failure,
		"MG00000F": ips.Undecided, "": ips.Undecided, "busy": ips.Undecided} {
		answer := fixture.Document("pMerCode", "808801", "pErrCode", code, "pErrMsg", "信息", "pIpsAcctNo", "4021000000000001", "pBalance", "1", "pSign", "")
		c, _ := fixture.RecordingClient(t, fixture.SOAP("QueryForAccBalance", answer), "text/xml; charset=utf-8")
		resp, err := c.QueryBalance(context.Background(), "4021000000000001")
		require.NotNil(t, resp)
		assert.Equal(t, want, resp.Outcome, code)
		if want == ips.Success {
			assert.NoError(t, err)
			continue
		}
		var refused *ips.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, ips.Code(code), refused.Code)
	}
}

func TestQuirkSOAPNamespaceIsASetting(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	cfg.Environment.Namespace = "http://microsoft.com/webservices/"
	answer := fixture.Sealed("MG00000F", "", fixture.Document("pMerBillNo", "U20141213000001", "pUnfreezeAmt", "1"))
	r := &fixture.Recorder{ContentType: "text/xml", Answer: strings.ReplaceAll(
		fixture.SOAP("GuaranteeUnfreeze", answer.Result()), "http://tempuri.org/", "http://microsoft.com/webservices/")}
	c, err := ips.NewClient(cfg, ips.WithHTTPClient(httpClient(r)))
	require.NoError(t, err)
	_, resp, err := exampleOf(t, ips.OpUnfreezeMargin).send(c, exampleOf(t, ips.OpUnfreezeMargin).request)
	require.NoError(t, err)
	assert.Equal(t, ips.Success, resp.Base().Outcome)
	assert.Equal(t, `"http://microsoft.com/webservices/GuaranteeUnfreeze"`, r.Request.Header.Get("SOAPAction"))
	assert.Contains(t, string(r.Sent), `<GuaranteeUnfreeze xmlns="http://microsoft.com/webservices/">`)
}

func TestQuirkAnswersRepeat(t *testing.T) {
	t.Parallel()
	credited := ips.Amount(0)
	in := ips.Inbound{
		Hear: ips.Deduplicated(new(ipstest.MemoryOnce), ips.On(func(_ context.Context, resp *ips.RechargeResponse) error {
			if resp.Outcome == ips.Success {
				credited += resp.Amount
			}
			return nil
		}, nil)),
	}
	c := fixture.Client(t)
	notify, back := c.NotifyHandler(in), c.ReturnHandler(in, showOutcome)
	pending := fixture.Sealed("MG00008F", "受理中", fixture.RechargeDocument)
	final := fixture.Sealed("MG00000F", "操作成功", fixture.RechargeDocument)
	for _, f := range []fixture.Answer{pending, final, final, pending, final} {
		w := httptest.NewRecorder()
		notify.ServeHTTP(w, f.Inbound(ips.OpRecharge))
		assert.Equal(t, 200, w.Code)
		w = httptest.NewRecorder()
		back.ServeHTTP(w, f.Inbound(ips.OpRecharge))
		assert.Equal(t, 200, w.Code)
	}
	assert.Equal(t, 500*ips.Yuan, credited)
}

// TestQuirkChineseMessage: the message is signed as UTF-8 text, spaces and all.
func TestQuirkChineseMessage(t *testing.T) {
	t.Parallel()
	f := fixture.Sealed("MG01002F", "开户失败，要素验证错误,商户号(808801) 订单号(A1) 100% + & =", "")
	body := url.Values(f.Values()).Encode()
	require.Contains(t, body, "+", "spaces go as plus signs")
	resp, err := fixture.Client(t).ParseNotification(fixture.Post(ips.OpOpenAccount, "application/x-www-form-urlencoded; charset=UTF-8", body), ips.OpOpenAccount)
	require.NoError(t, err)
	assert.Equal(t, f.ErrMsg, resp.Base().Message)
}
