package ips_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// TestQueriesKeepWhatNobodyKnows: an element of a query's answer that no field
// takes is in Extra, and what the envelope took is not.
func TestQueriesKeepWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	c, _ := fixture.RecordingClient(t, fixture.SOAP("QueryForAccBalance", fixture.Document("pMerCode", "808801", "pErrCode", "0000", "pErrMsg", "ok",
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
		spoil func(f *fixture.Answer)
		sign  bool // sign again, so that only the reading can fail
		want  error
	}{
		"another merchant":              {func(f *fixture.Answer) { f.MerCode = "808802" }, false, ips.ErrMerchant},
		"no merchant":                   {func(f *fixture.Answer) { f.MerCode = "" }, false, ips.ErrMerchant},
		"changed byte in pMerCode":      {func(f *fixture.Answer) { f.MerCode = fixture.Change(f.MerCode) }, false, ips.ErrMerchant},
		"changed byte in pErrCode":      {func(f *fixture.Answer) { f.ErrCode = fixture.Change(f.ErrCode) }, false, ips.ErrSignature},
		"changed byte in pErrMsg":       {func(f *fixture.Answer) { f.ErrMsg = "success!" }, false, ips.ErrSignature},
		"changed byte in p3DesXmlPara":  {func(f *fixture.Answer) { f.Body = fixture.Change(f.Body) }, false, ips.ErrSignature},
		"changed byte in pSign":         {func(f *fixture.Answer) { f.Sign = fixture.Change(f.Sign) }, false, ips.ErrSignature},
		"sign in capitals":              {func(f *fixture.Answer) { f.Sign = strings.ToUpper(f.Sign) }, false, ips.ErrSignature},
		"sign cut short":                {func(f *fixture.Answer) { f.Sign = f.Sign[:31] }, false, ips.ErrSignature},
		"no sign":                       {func(f *fixture.Answer) { f.Sign = "" }, false, ips.ErrSignature},
		"body emptied":                  {func(f *fixture.Answer) { f.Body = "" }, false, ips.ErrSignature},
		"garbage body, wrong sign":      {func(f *fixture.Answer) { f.Body = "§§§ not Base64" }, false, ips.ErrSignature},
		"padding oracle, wrong sign":    {func(f *fixture.Answer) { f.Body = "AAAAAAAAAAA=" }, false, ips.ErrSignature},
		"request's signature":           {func(f *fixture.Answer) { f.Sign = md5Hex(f.MerCode + f.Body + ips.TestMerchant().Cert.Reveal()) }, false, ips.ErrSignature},
		"no code":                       {func(f *fixture.Answer) { f.ErrCode = "" }, true, ips.ErrMalformed},
		"code is not a code":            {func(f *fixture.Answer) { f.ErrCode = "成功" }, true, ips.ErrMalformed},
		"code too long":                 {func(f *fixture.Answer) { f.ErrCode = strings.Repeat("A", 17) }, true, ips.ErrMalformed},
		"border moved into the code":    {func(f *fixture.Answer) { f.ErrCode, f.ErrMsg = "MG00000", "F"+f.ErrMsg }, false, ips.ErrMalformed},
		"border moved to the front":     {func(f *fixture.Answer) { f.ErrCode, f.ErrMsg = "M", "G00000F"+f.ErrMsg }, false, ips.ErrMalformed},
		"bad Base64":                    {func(f *fixture.Answer) { f.Body = "§" + f.Body }, true, ips.ErrMalformed},
		"Base64 of another alphabet":    {func(f *fixture.Answer) { f.Body = "-_" + f.Body[2:] }, true, ips.ErrMalformed},
		"truncated Base64":              {func(f *fixture.Answer) { f.Body = f.Body[:len(f.Body)-1] }, true, ips.ErrMalformed},
		"half a cipher block":           {func(f *fixture.Answer) { f.Body = "AAAAAA==" }, true, ips.ErrMalformed},
		"a cipher block is missing":     {func(f *fixture.Answer) { f.Body = f.Body[:len(f.Body)/2&^31] }, true, ips.ErrMalformed},
		"bad padding":                   {func(f *fixture.Answer) { f.Body = "AAAAAAAAAAA=" }, true, ips.ErrMalformed},
		"success without a document":    {func(f *fixture.Answer) { f.Body = "" }, true, ips.ErrMalformed},
		"processing without a document": {func(f *fixture.Answer) { f.ErrCode, f.Body = "MG00008F", "" }, true, ips.ErrMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fixture.Sealed("MG00000F", "success", fixture.RechargeDocument)
			tt.spoil(&f)
			if tt.sign {
				f = f.Resigned()
			}
			resp, err := fixture.Client(t).ParseNotification(f.Inbound(ips.OpRecharge), ips.OpRecharge)
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
		if fixture.Info(t, tt.op).Transport == ips.QueryService {
			continue
		}
		bare := fixture.Document("pMerBillNo", "X1", "pMemo1", "一", "pMemo2", "二", "pMemo3", "三", "pNobodyKnows", "1")
		_, err := fixture.Client(t).ParseNotification(fixture.Sealed(ips.CodeSuccess, "", bare).Inbound(tt.op), tt.op)
		assert.ErrorIs(t, err, ips.ErrOperation, tt.op)
		for code, want := range map[ips.Code]ips.Outcome{ips.CodeProcessing: ips.Pending, ips.CodeFailed: ips.Failure} {
			resp, err := fixture.Client(t).ParseNotification(fixture.Sealed(code, "", bare).Inbound(tt.op), tt.op)
			if tt.op == ips.OpRepayOldBid {
				continue // its codes are of another kind
			}
			require.NoError(t, err, tt.op)
			assert.Equal(t, want, resp.Base().Outcome)
		}
	}
	// The opening's answer at the transfer's address.
	opened := fixture.Document("pMerBillNo", "T20141213000001", "pStatus", "10", "pIpsAcctNo", "4021000000000001")
	_, err := fixture.Client(t).ParseNotification(fixture.Sealed(ips.CodeSuccess, "", opened).Inbound(ips.OpTransfer), ips.OpTransfer)
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
			_, err := fixture.Client(t).ParseNotification(fixture.Sealed("MG00000F", "", doc).Inbound(ips.OpRecharge), ips.OpRecharge)
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
			resp, err := fixture.Client(t).ParseNotification(fixture.Sealed("MG00008F", "", doc).Inbound(ips.OpRecharge), ips.OpRecharge)
			require.NoError(t, err)
			assert.Equal(t, "R1", resp.Base().OrderNo)
			assert.Equal(t, ips.Pending, resp.Base().Outcome)
		})
	}
}

// TestRefusalWithoutDocument: IPS may refuse before it could read the request.
func TestRefusalWithoutDocument(t *testing.T) {
	t.Parallel()
	empty := fixture.Keys().Encrypt(nil) // a block of padding and nothing else
	for _, body := range []string{"", empty} {
		f := fixture.Answer{MerCode: "808801", ErrCode: "MG00006F", ErrMsg: "必要参数(商户订单号)不能为空！", Body: body}.Resigned()
		resp, err := fixture.Client(t).ParseNotification(f.Inbound(ips.OpRecharge), ips.OpRecharge)
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
