package ips_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// TestQueriesKeepWhatNobodyKnows: an element of a query's answer that no field
// takes is in Extra, and what the envelope took is not.
func TestQueriesKeepWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	c, _ := recordingClient(t, soapAnswer("QueryForAccBalance", document("pMerCode", "808801", "pErrCode", "0000", "pErrMsg", "ok",
		"pIpsAcctNo", "4021000000000001", "pBalance", "500", "pNew", "x", "pSign", "y")), "text/xml")
	resp, err := c.QueryBalance(t.Context(), "4021000000000001")
	require.NoError(t, err)
	assert.Equal(t, []ips.Element{{Name: "pNew", Text: "x"}}, resp.Extra)
}

// TestOpenFailures feeds answers that must not be believed, or cannot be read
// although they must be.
func TestOpenFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(f *fiveFields)
		sign  bool // sign again, so that only the reading can fail
		want  error
	}{
		"another merchant":              {func(f *fiveFields) { f.merCode = "808802" }, false, ips.ErrMerchant},
		"no merchant":                   {func(f *fiveFields) { f.merCode = "" }, false, ips.ErrMerchant},
		"changed byte in pMerCode":      {func(f *fiveFields) { f.merCode = change(f.merCode) }, false, ips.ErrMerchant},
		"changed byte in pErrCode":      {func(f *fiveFields) { f.errCode = change(f.errCode) }, false, ips.ErrSignature},
		"changed byte in pErrMsg":       {func(f *fiveFields) { f.errMsg = "success!" }, false, ips.ErrSignature},
		"changed byte in p3DesXmlPara":  {func(f *fiveFields) { f.body = change(f.body) }, false, ips.ErrSignature},
		"changed byte in pSign":         {func(f *fiveFields) { f.sign = change(f.sign) }, false, ips.ErrSignature},
		"sign in capitals":              {func(f *fiveFields) { f.sign = strings.ToUpper(f.sign) }, false, ips.ErrSignature},
		"sign cut short":                {func(f *fiveFields) { f.sign = f.sign[:31] }, false, ips.ErrSignature},
		"no sign":                       {func(f *fiveFields) { f.sign = "" }, false, ips.ErrSignature},
		"body emptied":                  {func(f *fiveFields) { f.body = "" }, false, ips.ErrSignature},
		"garbage body, wrong sign":      {func(f *fiveFields) { f.body = "§§§ not Base64" }, false, ips.ErrSignature},
		"padding oracle, wrong sign":    {func(f *fiveFields) { f.body = "AAAAAAAAAAA=" }, false, ips.ErrSignature},
		"request's signature":           {func(f *fiveFields) { f.sign = md5Hex(f.merCode + f.body + ips.TestMerchant().Cert.Reveal()) }, false, ips.ErrSignature},
		"no code":                       {func(f *fiveFields) { f.errCode = "" }, true, ips.ErrMalformed},
		"code is not a code":            {func(f *fiveFields) { f.errCode = "成功" }, true, ips.ErrMalformed},
		"code too long":                 {func(f *fiveFields) { f.errCode = strings.Repeat("A", 17) }, true, ips.ErrMalformed},
		"border moved into the code":    {func(f *fiveFields) { f.errCode, f.errMsg = "MG00000", "F"+f.errMsg }, false, ips.ErrMalformed},
		"border moved to the front":     {func(f *fiveFields) { f.errCode, f.errMsg = "M", "G00000F"+f.errMsg }, false, ips.ErrMalformed},
		"bad Base64":                    {func(f *fiveFields) { f.body = "§" + f.body }, true, ips.ErrMalformed},
		"Base64 of another alphabet":    {func(f *fiveFields) { f.body = "-_" + f.body[2:] }, true, ips.ErrMalformed},
		"truncated Base64":              {func(f *fiveFields) { f.body = f.body[:len(f.body)-1] }, true, ips.ErrMalformed},
		"half a cipher block":           {func(f *fiveFields) { f.body = "AAAAAA==" }, true, ips.ErrMalformed},
		"a cipher block is missing":     {func(f *fiveFields) { f.body = f.body[:len(f.body)/2&^31] }, true, ips.ErrMalformed},
		"bad padding":                   {func(f *fiveFields) { f.body = "AAAAAAAAAAA=" }, true, ips.ErrMalformed},
		"success without a document":    {func(f *fiveFields) { f.body = "" }, true, ips.ErrMalformed},
		"processing without a document": {func(f *fiveFields) { f.errCode, f.body = "MG00008F", "" }, true, ips.ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sealedAnswer(t, "MG00000F", "success", rechargeDocument)
			tt.spoil(&f)
			if tt.sign {
				f = f.resigned(t)
			}
			resp, err := offlineClient(t).ParseNotification(f.inbound(ips.OpRecharge), ips.OpRecharge)
			require.ErrorIs(t, err, tt.want)
			assert.Nil(t, resp)
			for _, other := range []error{ips.ErrMerchant, ips.ErrSignature, ips.ErrMalformed} {
				assert.Equal(t, other == tt.want, errors.Is(err, other), "%v", err)
			}
			cfg := ips.TestMerchant()
			for _, secret := range []string{cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal(), "R20141213000001"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

// TestForeignSuccess: a success whose document has nothing of the operation is
// not a success of it, wherever it came; a refusal needs no more than its order.
func TestForeignSuccess(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		if info(t, tt.op).Transport == ips.QueryService {
			continue
		}
		bare := document("pMerBillNo", "X1", "pMemo1", "一", "pMemo2", "二", "pMemo3", "三", "pNobodyKnows", "1")
		_, err := offlineClient(t).ParseNotification(sealedAnswer(t, ips.CodeSuccess, "", bare).inbound(tt.op), tt.op)
		assert.ErrorIs(t, err, ips.ErrOperation, tt.op)
		for code, want := range map[ips.Code]ips.Outcome{ips.CodeProcessing: ips.Pending, ips.CodeFailed: ips.Failure} {
			resp, err := offlineClient(t).ParseNotification(sealedAnswer(t, code, "", bare).inbound(tt.op), tt.op)
			if tt.op == ips.OpRepayOldBid {
				continue // its codes are of another kind
			}
			require.NoError(t, err, tt.op)
			assert.Equal(t, want, resp.Base().Outcome)
		}
	}
	// The opening's answer at the transfer's address.
	opened := document("pMerBillNo", "T20141213000001", "pStatus", "10", "pIpsAcctNo", "4021000000000001")
	_, err := offlineClient(t).ParseNotification(sealedAnswer(t, ips.CodeSuccess, "", opened).inbound(ips.OpTransfer), ips.OpTransfer)
	assert.ErrorIs(t, err, ips.ErrOperation)
}

// TestDocuments verifies what the reader of documents takes and refuses.
func TestDocuments(t *testing.T) {
	t.Parallel()
	const head = `<?xml version="1.0" encoding="utf-8"?>`
	refused := map[string]string{
		"not XML":                 "R20141213000001 500.00",
		"JSON":                    `{"pMerBillNo":"R1"}`,
		"no root":                 head,
		"another root":            head + `<pRes><pMerBillNo>R1</pMerBillNo></pRes>`,
		"two roots":               head + `<pReq><pMerBillNo>R1</pMerBillNo></pReq><pReq/>`,
		"unclosed":                head + `<pReq><pMerBillNo>R1</pMerBillNo>`,
		"crossed":                 head + `<pReq><pMerBillNo>R1</pReq></pMerBillNo>`,
		"DTD":                     head + `<!DOCTYPE pReq><pReq><pMerBillNo>R1</pMerBillNo></pReq>`,
		"DTD with entity":         head + `<!DOCTYPE pReq [<!ENTITY a "R1">]><pReq><pMerBillNo>&a;</pMerBillNo></pReq>`,
		"billion laughs":          head + `<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><pReq><pMerBillNo>&b;</pMerBillNo></pReq>`,
		"external entity":         head + `<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><pReq><pMerBillNo>&x;</pMerBillNo></pReq>`,
		"unknown entity":          head + `<pReq><pMerBillNo>&nbsp;</pMerBillNo></pReq>`,
		"character XML forbids":   head + `<pReq><pMerBillNo>R1&#0;</pMerBillNo></pReq>`,
		"doubled order number":    head + `<pReq><pMerBillNo>R1</pMerBillNo><pMerBillNo>R2</pMerBillNo></pReq>`,
		"doubled, other prefix":   head + `<pReq><pMerBillNo>R1</pMerBillNo><x:pMerBillNo xmlns:x="u">R2</x:pMerBillNo></pReq>`,
		"doubled amount":          head + `<pReq><pMerBillNo>R1</pMerBillNo><pTrdAmt>1</pTrdAmt><pTrdAmt>2</pTrdAmt></pReq>`,
		"elements in a field":     head + `<pReq><pMerBillNo><a>R1</a></pMerBillNo></pReq>`,
		"text beside elements":    head + `<pReq>R1<pMerBillNo>R1</pMerBillNo></pReq>`,
		"text after the end":      head + `<pReq><pMerBillNo>R1</pMerBillNo></pReq>tail`,
		"too deep":                head + `<pReq><a><b><c><d>1</d></c></b></a></pReq>`,
		"amount with three":       head + `<pReq><pMerBillNo>R1</pMerBillNo><pTrdAmt>1.005</pTrdAmt></pReq>`,
		"amount with exponent":    head + `<pReq><pMerBillNo>R1</pMerBillNo><pTrdAmt>1e3</pTrdAmt></pReq>`,
		"amount with comma":       head + `<pReq><pMerBillNo>R1</pMerBillNo><pTrdAmt>1,000.00</pTrdAmt></pReq>`,
		"only white space":        "  \n ",
		"unknown encoding":        `<?xml version="1.0" encoding="klingon"?><pReq><pMerBillNo>R1</pMerBillNo></pReq>`,
		"success without order":   head + `<pReq><pTrdAmt>1</pTrdAmt></pReq>`,
		"success, order is empty": head + `<pReq><pMerBillNo/><pTrdAmt>1</pTrdAmt></pReq>`,
	}
	for name, doc := range refused {
		t.Run("refused/"+name, func(t *testing.T) {
			t.Parallel()
			_, err := offlineClient(t).ParseNotification(sealedAnswer(t, "MG00000F", "", doc).inbound(ips.OpRecharge), ips.OpRecharge)
			require.ErrorIs(t, err, ips.ErrMalformed)
			assert.NotContains(t, err.Error(), "R1")
		})
	}
	taken := map[string]string{
		"plain":                 head + `<pReq><pMerBillNo>R1</pMerBillNo></pReq>`,
		"no declaration":        `<pReq><pMerBillNo>R1</pMerBillNo></pReq>`,
		"CDATA":                 head + `<pReq><pMerBillNo><![CDATA[R1]]></pMerBillNo></pReq>`,
		"CDATA in two":          head + `<pReq><pMerBillNo><![CDATA[R]]><![CDATA[1]]></pMerBillNo></pReq>`,
		"entities":              head + `<pReq><pMerBillNo>&#82;&#x31;</pMerBillNo></pReq>`,
		"white space, comments": head + "\r\n<pReq>\n  <!-- x -->\n  <pMerBillNo>R1</pMerBillNo>\n</pReq>\n",
		"attributes":            head + `<pReq version="2"><pMerBillNo type="x">R1</pMerBillNo></pReq>`,
		"namespace":             head + `<pReq xmlns="http://tempuri.org/"><pMerBillNo>R1</pMerBillNo></pReq>`,
		"empty elements":        head + `<pReq><pMerBillNo>R1</pMerBillNo><pTrdAmt/><pTrdDate></pTrdDate></pReq>`,
	}
	for name, doc := range taken {
		t.Run("taken/"+name, func(t *testing.T) {
			t.Parallel()
			resp, err := offlineClient(t).ParseNotification(sealedAnswer(t, "MG00008F", "", doc).inbound(ips.OpRecharge), ips.OpRecharge)
			require.NoError(t, err)
			assert.Equal(t, "R1", resp.Base().OrderNo)
			assert.Equal(t, ips.Pending, resp.Base().Outcome)
		})
	}
}

// TestRefusalWithoutDocument: IPS may refuse before it could read the request.
func TestRefusalWithoutDocument(t *testing.T) {
	t.Parallel()
	empty := vendorKeys(t).Encrypt(nil) // a block of padding and nothing else
	for _, body := range []string{"", empty} {
		f := fiveFields{merCode: "808801", errCode: "MG00006F", errMsg: "必要参数(商户订单号)不能为空！", body: body}.resigned(t)
		resp, err := offlineClient(t).ParseNotification(f.inbound(ips.OpRecharge), ips.OpRecharge)
		require.NoError(t, err)
		assert.Equal(t, ips.Undecided, resp.Base().Outcome, "nobody knows of which order")
		assert.Empty(t, resp.Base().OrderNo)
		assert.ErrorIs(t, resp.Err(), ips.CodeFieldEmpty)
		assert.ErrorIs(t, resp.Err(), ips.ErrFateUnknown)
	}
}

func TestReplyErr(t *testing.T) {
	t.Parallel()
	reply := ips.Reply{Operation: ips.OpRecharge, Code: "MG00001F", Message: "失败", OrderNo: "R1", Outcome: ips.Failure}
	refusal := &ips.Error{Operation: ips.OpRecharge, Code: "MG00001F", Message: "失败", OrderNo: "R1"}
	assert.Equal(t, refusal, reply.Err())
	for _, outcome := range []ips.Outcome{ips.Pending, ips.Success} {
		reply.Outcome = outcome
		assert.NoError(t, reply.Err())
	}
	assert.Same(t, &reply, reply.Base())

	reply.Outcome = ips.Undecided
	assert.Equal(t, &ips.FateUnknownError{Operation: ips.OpRecharge, OrderNo: "R1", Err: refusal}, reply.Err())
	assert.ErrorIs(t, reply.Err(), ips.ErrFateUnknown)
	assert.ErrorIs(t, reply.Err(), ips.CodeFailed, "the code is still there for those who ask")
	reply.Operation = ips.OpQueryBalance
	assert.NotErrorIs(t, reply.Err(), ips.ErrFateUnknown, "a question has no fate")
}
