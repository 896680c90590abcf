package ips_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
)

const rechargeDocument = `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>R20141213000001</pMerBillNo><pTrdDate>20141213</pTrdDate><pTrdAmt>500</pTrdAmt></pReq>`

// change replaces the byte in the middle of s by another of its kind.
func change(s string) string {
	b := []byte(s)
	i := len(b) / 2
	if b[i] == '1' {
		b[i] = '2'
	} else {
		b[i] = '1'
	}
	return string(b)
}

// resigned signs what the fields say, as only IPS can.
func (f fiveFields) resigned(t testing.TB) fiveFields {
	f.sign = vendorKeys(t).SignAnswer(f.errCode, f.errMsg, f.body)
	return f
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

// TestLongerCodeIsNoOtherCode: the message's first letters cannot be drawn into
// the code.
func TestLongerCodeIsNoOtherCode(t *testing.T) {
	t.Parallel()
	f := sealedAnswer(t, "MG00000F", "SUCCESS", rechargeDocument)
	f.errCode, f.errMsg = "MG00000FSUCCESS", ""
	_, err := offlineClient(t).ParseNotification(f.inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

// TestUnknownCode: a code of the usual form that is in no list is a failure and
// marked; one of any other form, or another operation's verdict, is none. All
// keep code and text.
func TestUnknownCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[ips.Code]struct {
		outcome  ips.Outcome
		unlisted bool
	}{
		"MG77777F": {ips.Failure, true},
		"MG03022F": {ips.Failure, true},
		"MG00001F": {ips.Failure, false},
		"MG19054F": {ips.Failure, false}, // of another operation, and a refusal all the same
		"MG00002E": {}, "MG7777F": {}, "MG777777F": {}, "MGABCDEF": {}, "XG77777F": {}, "ERR01": {}, "F": {},
		"9999": {}, "0000": {}, "01": {}, "02": {}, // of the queries and the old interface
		"MG02500F": {}, "MG02501F": {}, "MG02503F": {}, "MG02505F": {}, // a bid's verdicts
	} {
		resp, err := offlineClient(t).ParseNotification(sealedAnswer(t, code, "未知错误", rechargeDocument).inbound(ips.OpRecharge), ips.OpRecharge)
		require.NoError(t, err, code)
		base := resp.Base()
		assert.Equal(t, want.outcome, base.Outcome, code)
		assert.Equal(t, want.unlisted, base.Unlisted, code)
		assert.Equal(t, "R20141213000001", base.OrderNo)
		var refusal *ips.Error
		require.ErrorAs(t, resp.Err(), &refusal)
		assert.Equal(t, ips.Error{Operation: ips.OpRecharge, Code: code, Message: "未知错误", OrderNo: base.OrderNo, Unlisted: want.unlisted}, *refusal)
		assert.ErrorIs(t, resp.Err(), code)
		assert.Equal(t, want.outcome == ips.Undecided, errors.Is(resp.Err(), ips.ErrFateUnknown), code)
	}
	// What a bid is told means it of a bid.
	for op, codes := range map[ips.Operation]map[ips.Code]ips.Outcome{
		ips.OpRegisterBid: {"MG02500F": ips.Pending, "MG02501F": ips.Success, "MG02503F": ips.Undecided, "MG02505F": ips.Undecided},
		ips.OpEndBid:      {"MG02500F": ips.Undecided, "MG02501F": ips.Undecided, "MG02503F": ips.Pending, "MG02505F": ips.Success},
	} {
		for code, want := range codes {
			i := info(t, op)
			assert.Equal(t, want, i.Outcome(code), "%s %s", op, code)
		}
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

// TestBodyTooLarge: the limit holds for what is read, signed or not.
func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	f := sealedAnswer(t, "MG00000F", "", rechargeDocument)
	body := f.values().Encode()
	exact := offlineClient(t, ips.WithLimits(ips.Limits{Inbound: int64(len(body))}))
	_, err := exact.ParseNotification(f.inbound(ips.OpRecharge), ips.OpRecharge)
	require.NoError(t, err)
	less := offlineClient(t, ips.WithLimits(ips.Limits{Inbound: int64(len(body) - 1)}))
	_, err = less.ParseNotification(f.inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrTooLarge)
}

const publishedKey = `MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCMWwKD0u90z1K8WvtG6cZ3SXHLUqmQCWxbT6JURy5BVwgsTdsaGmr22HT4jfEBQHEjmTtyUWC5Ag9Cwgef0VFrDB7TqyhWfVA7n8SvV6b1eDbQlY/qhUb50+3SCpN7HxdPzdMDkJjy6i6syh7RtH0QfoApHS6TLY4DjPvbGgdXhwIDAQAB`

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

// TestRSAMode signs answers as IPS does for merchants in MD5withRSA mode.
func TestRSAMode(t *testing.T) {
	t.Parallel()
	key, otherKey := rsaKey(t, 1024), rsaKey(t, 1024)
	cfg := offlineConfig()
	cfg.PublicKey = &key.PublicKey
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	keys := vendorKeys(t)
	sign := func(k *envelope.Keys, key *rsa.PrivateKey, f fiveFields) string {
		s, err := k.SignAnswerRSA(key, f.errCode, f.errMsg, f.body)
		require.NoError(t, err)
		return s
	}
	good := sealedAnswer(t, "MG00000F", "操作成功！", rechargeDocument)
	md5Sign := good.sign
	good.sign = sign(keys, key, good)
	require.Len(t, good.sign, 256)
	otherCert, err := envelope.NewKeys(cfg.MerchantCode, change(cfg.Cert.Reveal()), cfg.Key.Reveal(), cfg.IV.Reveal())
	require.NoError(t, err)

	resp, err := c.ParseNotification(good.inbound(ips.OpRecharge), ips.OpRecharge)
	require.NoError(t, err)
	assert.Equal(t, "R20141213000001", resp.Base().OrderNo)

	for name, spoil := range map[string]func(f *fiveFields){
		"MD5 signature":     func(f *fiveFields) { f.sign = md5Sign },
		"another key":       func(f *fiveFields) { f.sign = sign(keys, otherKey, *f) },
		"another cert":      func(f *fiveFields) { f.sign = sign(otherCert, key, *f) },
		"changed code":      func(f *fiveFields) { f.errCode = "MG00008F" },
		"changed message":   func(f *fiveFields) { f.errMsg += "!" },
		"changed body":      func(f *fiveFields) { f.body = change(f.body) },
		"changed sign":      func(f *fiveFields) { f.sign = change(f.sign) },
		"sign cut short":    func(f *fiveFields) { f.sign = f.sign[:254] },
		"sign too long":     func(f *fiveFields) { f.sign += "00" },
		"sign is not hex":   func(f *fiveFields) { f.sign = "zz" + f.sign[2:] },
		"no sign":           func(f *fiveFields) { f.sign = "" },
		"sign in Base64":    func(f *fiveFields) { f.sign = base64.StdEncoding.EncodeToString([]byte(f.sign[:128])) },
		"zeros of its size": func(f *fiveFields) { f.sign = strings.Repeat("0", 256) },
	} {
		bad := good
		spoil(&bad)
		_, err := c.ParseNotification(bad.inbound(ips.OpRecharge), ips.OpRecharge)
		assert.ErrorIs(t, err, ips.ErrSignature, name)
	}

	// A client in MD5 mode does not take an RSA signature.
	_, err = offlineClient(t).ParseNotification(good.inbound(ips.OpRecharge), ips.OpRecharge)
	assert.ErrorIs(t, err, ips.ErrSignature)
}

func TestParsePublicKey(t *testing.T) {
	t.Parallel()
	pub, err := ips.ParsePublicKey(publishedKey)
	require.NoError(t, err)
	assert.Equal(t, 1024, pub.N.BitLen())
	assert.Equal(t, 65537, pub.E)

	broken := publishedKey[:64] + "\r\n" + publishedKey[64:128] + "\n\t " + publishedKey[128:] + "\n"
	again, err := ips.ParsePublicKey(broken)
	require.NoError(t, err)
	assert.True(t, pub.Equal(again))

	der, err := base64.StdEncoding.DecodeString(publishedKey)
	require.NoError(t, err)
	inPEM, err := ips.ParsePublicKey(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	require.NoError(t, err)
	assert.True(t, pub.Equal(inPEM))

	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	curveDER, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"empty":           "",
		"not Base64":      "§",
		"not a key":       base64.StdEncoding.EncodeToString([]byte("key")),
		"cut short":       publishedKey[:100],
		"elliptic curve":  base64.StdEncoding.EncodeToString(curveDER),
		"PEM of nonsense": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	} {
		_, err := ips.ParsePublicKey(text)
		assert.Error(t, err, name)
	}
}

// TestSpacesForPlus: a stack that decodes a plus sign into a space leaves the
// signature true.
func TestSpacesForPlus(t *testing.T) {
	t.Parallel()
	f := answerWithPlus(t)
	body := f.values()
	body.Set("p3DesXmlPara", strings.ReplaceAll(f.body, "+", " "))
	resp, err := offlineClient(t).ParseNotification(post(ips.OpRecharge, "application/x-www-form-urlencoded", body.Encode()), ips.OpRecharge)
	require.NoError(t, err)
	assert.NotEmpty(t, resp.Base().OrderNo)

	// As the platform's own sender writes it: plus signs bare.
	var b strings.Builder
	for _, name := range []string{"pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign"} {
		text := f.values().Get(name)
		if name != "p3DesXmlPara" {
			text = url.QueryEscape(text)
		}
		b.WriteString(name + "=" + text + "&")
	}
	_, err = offlineClient(t).ParseNotification(post(ips.OpRecharge, "application/x-www-form-urlencoded", strings.TrimSuffix(b.String(), "&")), ips.OpRecharge)
	require.NoError(t, err)
}

// answerWithPlus is an answer whose Base64 has all of + / and =.
func answerWithPlus(t testing.TB) fiveFields {
	t.Helper()
	for n := range 1000 {
		doc := strings.Replace(rechargeDocument, "500", strings.Repeat("1", 1+n%9)+"."+strings.Repeat("2", 1+n/9%2), 1)
		doc = strings.Replace(doc, "</pReq>", "<pMemo1>"+strings.Repeat("字", n)+"</pMemo1></pReq>", 1)
		f := sealedAnswer(t, "MG00000F", "操作成功 100%&=+", doc)
		if strings.Contains(f.body, "+") && strings.Contains(f.body, "/") && strings.HasSuffix(f.body, "=") {
			return f
		}
	}
	t.Fatal("no such answer")
	return fiveFields{}
}
