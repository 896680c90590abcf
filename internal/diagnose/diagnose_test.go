package diagnose_test

import (
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/diagnose"
)

// TestHealthy: nothing is wrong with a request and an answer of any operation.
func TestHealthy(t *testing.T) {
	t.Parallel()
	for _, op := range ips.Operations() {
		if op.Transport == ips.QueryService {
			assert.Empty(t, first(diagnose.Message([]byte(golden(t, string(op.Operation)+".request.xml")), testKeys)), op.Operation)
			r := diagnose.Message([]byte(golden(t, string(op.Operation)+".response.xml")), testKeys)
			assert.Empty(t, first(r), op.Operation)
			assert.Contains(t, ids(r), "sign-query-answer", op.Operation)
			continue
		}
		names := []string{"pMerCode", "p3DesXmlPara", "pSign"}
		if op.ArgNames {
			names = []string{"argMerCode", "arg3DesXmlPara", "argSign"}
		}
		body := sealDoc(golden(t, string(op.Operation)+".request.xml"))
		form := url.Values{names[0]: {mer}, names[1]: {body}, names[2]: {hash(mer, body, cert)}}.Encode()
		r := diagnose.Message([]byte(form), testKeys)
		assert.Empty(t, first(r), "%s\n%s", op.Operation, r)
		assert.Contains(t, r.String(), "the request of "+string(op.Operation)+".", op.Operation)

		r = diagnose.Message([]byte(golden(t, string(op.Operation)+".request.xml")), testKeys)
		assert.Empty(t, first(r), "%s\n%s", op.Operation, r)
		assert.Contains(t, r.String(), "the request of "+string(op.Operation)+".", op.Operation)

		body = sealDoc("\uFEFF" + strings.TrimPrefix(golden(t, string(op.Operation)+".response.xml"), "\uFEFF"))
		code := string(op.Success[0])
		r = diagnose.Message([]byte(answerForm(code, "操作成功！", body, hash(mer, code, "操作成功！", body, cert))), testKeys)
		assert.Empty(t, first(r), "%s\n%s", op.Operation, r)
		assert.Contains(t, r.String(), string(op.Operation), op.Operation)
	}
}

// TestHealthyShapes: a message is read in whichever shape it was captured.
func TestHealthyShapes(t *testing.T) {
	t.Parallel()
	sent := captured(t)
	body := sealDoc(golden(t, "recharge.response.xml"))
	text := "成功 & <done>"
	sign := hash(mer, "MG00000F", text, body, cert)
	answer := answerForm("MG00000F", text, body, sign)
	result := `<?xml version="1.0" encoding="utf-8"?><pReq><pMerCode>` + mer + `</pMerCode><pErrCode>MG00000F</pErrCode><pErrMsg>` + escape(text) +
		`</pErrMsg><p3DesXmlPara>` + body + `</p3DesXmlPara><pSign>` + sign + `</pSign></pReq>`
	soap := `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
		`<TransferResponse xmlns="http://tempuri.org/"><TransferResult>` + escape(result) + `</TransferResult></TransferResponse></soap:Body></soap:Envelope>`
	page := `<html><body><form id="form1" method="post" action="registerSubject.aspx"><input type="hidden" name="__VIEWSTATE" value="/wEPDwUK"></form>` +
		`<form method="post" action="https://p2p.example.com/back">`
	lines, pairs := "", []string{}
	for _, f := range [][2]string{{"pMerCode", mer}, {"pErrCode", "MG00000F"}, {"pErrMsg", text}, {"p3DesXmlPara", body}, {"pSign", sign}} {
		page += `<input type="hidden" name="` + f[0] + `" value="` + escape(f[1]) + `">`
		lines += f[0] + ": " + f[1] + "\n"
		pairs = append(pairs, fmt.Sprintf("%q:%q", f[0], f[1]))
	}
	page += `</form></body></html>`
	object := "{" + strings.Join(pairs, ",") + "}"
	entries := `{"request":{"url":"https://p2p.example.com/ips/notify/recharge","postData":{"params":[` +
		strings.ReplaceAll(strings.ReplaceAll(strings.Join(pairs, "},{"), `":"`, `","value":"`), `{"p`, `{"name":"p`) + `}]}}}`
	entries = strings.Replace(entries, `[`+`"pMerCode`, `[{"name":"pMerCode`, 1)
	head := "POST /ips/notify/recharge HTTP/1.1\nHost: p2p.example.com\nContent-Type: application/x-www-form-urlencoded\n"
	for name, tt := range map[string]struct{ message, shape string }{
		"form of the client":     {sent["form"], "a form post"},
		"page of the client":     {sent["page"], "an HTML page with a form"},
		"with headers":           {sent["http"], "a form post"},
		"SOAP with headers":      {sent["soap"], "a SOAP request"},
		"query":                  {sent["query"], "a query with 4 fields"},
		"query of banks":         {sent["banks"], "a query with 2 fields"},
		"form":                   {answer, "a form post"},
		"headers with LF":        {head + "\n" + answer + "\n", "a form post"},
		"headers with CRLF":      {strings.ReplaceAll(head, "\n", "\r\n") + "\r\n" + answer, "a form post"},
		"chunked":                {strings.ReplaceAll(head, "\n", "\r\n") + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 100, answer[:100], len(answer)-100, answer[100:]), "a form post"},
		"curl -v":                {"* Connected\n> " + strings.ReplaceAll(strings.TrimSpace(head), "\n", "\n> ") + "\n>\n" + answer, "a form post"},
		"headers alone":          {"Content-Type: application/x-www-form-urlencoded\nContent-Length: " + fmt.Sprint(len(answer)) + "\n\n" + answer + "\n", "a form post"},
		"URL":                    {"https://p2p.example.com/ips/return/recharge?" + answer, "a URL with a query"},
		"GET":                    {"GET /ips/return/recharge?" + answer + " HTTP/1.1\r\nHost: p2p.example.com\r\n\r\n", "the query of the request line"},
		"log line":               {"2026-03-01 12:00:00 INFO in=" + answer + " took 3ms", "a form post"},
		"log line in quotes":     {`level=info path=/ips/notify/recharge body="` + answer + `" took=3ms`, "a form post"},
		"log line in brackets":   {`in [` + answer + `] took 3ms`, "a form post"},
		"log line with a URL":    {"GET https://p2p.example.com/ips/return/recharge?" + answer + " 200 12ms", "a form post"},
		"print of a struct":      {strings.ReplaceAll(lines, "\n", ",\n"), "lines of names and values"},
		"separated by &amp;":     {strings.ReplaceAll(answer, "&", "&amp;"), "a form post"},
		"lines":                  {lines, "lines of names and values"},
		"lines with CRLF":        {strings.ReplaceAll(lines, "\n", "\r\n"), "lines of names and values"},
		"lines with =":           {strings.ReplaceAll(lines, ": ", "="), "lines of names and values"},
		"name and value in turn": {strings.ReplaceAll(lines, ": ", "\n"), "lines of names and values"},
		"print_r":                {"Array\n(\n    [" + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(lines, ": ", "] => ")), "\n", "\n    [") + "\n)\n", "lines of names and values"},
		"Wireshark":              {"Form item: \"" + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(lines, ": ", "\" = \"")), "\n", "\"\nForm item: \"") + "\"\n", "lines of names and values"},
		"Java map":               {"{" + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(lines, ": ", "=")), "\n", ", ") + "}", "lines of names and values"},
		"JSON":                   {object, "a JSON object"},
		"JSON of a browser":      {entries, "a JSON object"},
		"JSON log":               {fmt.Sprintf(`{"level":"info","body":%q}`, answer), "a form post (application/x-www-form-urlencoded), in a JSON object"},
		"curl":                   {"curl 'https://p2p.example.com/ips/notify/recharge' -H 'A: b' --data-raw '" + answer + "' --compressed", "of a curl command"},
		"page":                   {page, "an HTML page, form 2 of 2"},
		"SOAP":                   {soap, "the result of a SOAP answer"},
		"result":                 {result, "a result document"},
		"result with BOM":        {"\uFEFF" + result, "a result document"},
		"escaped result":         {escape(result), "a result document"},
		"ASMX without SOAP":      {`<string xmlns="http://tempuri.org/">` + escape(result) + `</string>`, "a web service result"},
		"UTF-16":                 {utf16(lines), "lines of names and values"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := diagnose.Message([]byte(tt.message), testKeys)
			assert.Empty(t, first(r), "%s", r)
			assert.Contains(t, ids(r), "sign-ok", "%s", r)
			assert.Contains(t, strings.Join(strings.Fields(r.String()), " "), tt.shape)
		})
	}
}

func utf16(s string) string {
	out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return out
}

// TestVectors: the vendor's messages are signed and encrypted right; their
// documents are samples and not whole.
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if v.Ciphertext == "" { // it is made by a rule
			continue
		}
		for _, message := range []string{
			"pMerCode=" + v.MerCode + "\np3DesXmlPara=" + v.Ciphertext + "\npSign=" + v.RequestSign,
			url.Values{"pMerCode": {v.MerCode}, "pErrCode": {v.ErrCode}, "pErrMsg": {v.ErrMsg}, "p3DesXmlPara": {v.Ciphertext}, "pSign": {v.ResponseSign}}.Encode(),
		} {
			r := diagnose.Message([]byte(message), v.keys())
			for _, id := range []string{"keys-ok", "merchant-ok", "body-ok", "sign-ok", "decrypt-ok"} {
				assert.Contains(t, ids(r), id, "%s\n%s", v.Name, r)
			}
		}
	}
}

// defect is a message with something wrong, and what must be said first.
type defect struct {
	name    string
	message string
	keys    func(*diagnose.Keys)
	want    string
	also    string // another finding
}

func check(t *testing.T, defects []defect) {
	t.Helper()
	for _, tt := range defects {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys := testKeys
			if tt.keys != nil {
				tt.keys(&keys)
			}
			r := diagnose.Message([]byte(tt.message), keys)
			assert.Equal(t, tt.want, first(r), "%s", r)
			if tt.also != "" {
				assert.Contains(t, ids(r), tt.also, "%s", r)
			}
			for _, f := range r.Findings {
				if f.Severity == diagnose.Wrong {
					assert.NotEmpty(t, f.Text, f.ID)
				}
			}
			silent(t, r, keys)
		})
	}
}

// silent checks that a report has no secret and nothing personal in it.
func silent(t *testing.T, r diagnose.Report, keys diagnose.Keys) {
	t.Helper()
	text := strings.Join(strings.Fields(r.String()), " ")
	for _, s := range []string{
		cert, key, iv, otherCert, keys.Cert, keys.Key, keys.IV, keys.FormerCert, cert[:32], key[:12], hex.EncodeToString([]byte(key)), hex.EncodeToString([]byte(iv)),
		base64.StdEncoding.EncodeToString([]byte(key)),
		"110101199001010001", "110101199001010002", "张三", "李四", "13800000000", "4021000000000001", "4021000000000002", "zhangsan", "13800000000",
		"备注", "操作成功", "3050.00", "A20141213000001", "R20141213000001",
	} {
		if s = strings.TrimSpace(s); s != "" {
			assert.NotContains(t, text, s)
		}
	}
}

func TestKeyDefects(t *testing.T) {
	t.Parallel()
	body := sealDoc(golden(t, "recharge.request.xml"))
	good := request(body, hash(mer, body, cert))
	set := func(field *string, value string) { *field = value }
	for _, tt := range []struct {
		name string
		keys func(*diagnose.Keys)
		want string
		says string
	}{
		{"cert with a line feed", func(k *diagnose.Keys) { set(&k.Cert, cert+"\n") }, "cert-space", "has 129 characters instead of 128, the last is a line feed; trimmed, the signature holds"},
		{"cert with CRLF", func(k *diagnose.Keys) { set(&k.Cert, cert+"\r\n") }, "cert-space", "carriage return and a line feed; trimmed, the signature holds"},
		{"cert with a carriage return", func(k *diagnose.Keys) { set(&k.Cert, cert+"\r") }, "cert-space", "Windows line ends"},
		{"cert with \\n", func(k *diagnose.Keys) { set(&k.Cert, cert+`\n`) }, "cert-space", "the signature holds"},
		{"cert with a space before", func(k *diagnose.Keys) { set(&k.Cert, " "+cert) }, "cert-space", "the beginning is white space"},
		{"cert broken into lines", func(k *diagnose.Keys) { set(&k.Cert, cert[:64]+"\n"+cert[64:]) }, "cert-space", "in the middle"},
		{"cert in quotes", func(k *diagnose.Keys) { set(&k.Cert, `"`+cert+`"`) }, "cert-quotes", "stands in quotes; without them, the signature holds"},
		{"cert in quotes with a line feed", func(k *diagnose.Keys) { set(&k.Cert, "'"+cert+"'\n") }, "cert-quotes", "the signature holds"},
		{"cert with a BOM", func(k *diagnose.Keys) { set(&k.Cert, "\uFEFF"+cert) }, "cert-bom", "the signature holds"},
		{"cert in hex", func(k *diagnose.Keys) { set(&k.Cert, hex.EncodeToString([]byte(cert))) }, "cert-hex", "decoded, the signature holds"},
		{"cert cut", func(k *diagnose.Keys) { set(&k.Cert, cert[:127]) }, "cert-length", "has 127 characters instead of 128"},
		{"cert cut and a line feed", func(k *diagnose.Keys) { set(&k.Cert, cert[:127]+"\n") }, "cert-charset", "some are missing"},
		{"cert missing", func(k *diagnose.Keys) { set(&k.Cert, "") }, "cert-missing", "IPS_CERT is not set"},
		{"cert not ASCII", func(k *diagnose.Keys) { set(&k.Cert, cert[:125]+"张") }, "cert-charset", "not printable ASCII"},
		{"another cert", func(k *diagnose.Keys) { set(&k.Cert, otherCert) }, "cert-test", "test merchant"},
		{"key with a line feed", func(k *diagnose.Keys) { set(&k.Key, key+"\n") }, "key-space", "trimmed, the decryption holds"},
		{"key in quotes", func(k *diagnose.Keys) { set(&k.Key, "'"+key+"'") }, "key-quotes", "the decryption holds"},
		{"key in hex", func(k *diagnose.Keys) { set(&k.Key, hex.EncodeToString([]byte(key))) }, "key-hex", "it is hexadecimal; decoded, the decryption holds"},
		{"key in Base64", func(k *diagnose.Keys) { set(&k.Key, b64([]byte(key))) }, "key-base64", "it is Base64; decoded, the decryption holds"},
		{"key too long", func(k *diagnose.Keys) { set(&k.Key, key+"abc") }, "key-length", "cut, the decryption holds"},
		{"key too short", func(k *diagnose.Keys) { set(&k.Key, key[:20]) }, "key-length", "has 20 characters instead of 24"},
		{"key missing", func(k *diagnose.Keys) { set(&k.Key, "") }, "key-missing", "IPS_3DES_KEY is not set"},
		{"another key", func(k *diagnose.Keys) { set(&k.Key, "abcdefghijklmnopqrstuvwx") }, "keys-test", "test merchant"},
		{"IV with a line feed", func(k *diagnose.Keys) { set(&k.IV, iv+"\n") }, "iv-space", "trimmed, the decryption holds"},
		{"IV in hex", func(k *diagnose.Keys) { set(&k.IV, hex.EncodeToString([]byte(iv))) }, "iv-hex", "decoded, the decryption holds"},
		{"IV in Base64", func(k *diagnose.Keys) { set(&k.IV, b64([]byte(iv))) }, "iv-base64", "decoded, the decryption holds"},
		{"another IV", func(k *diagnose.Keys) { set(&k.IV, "abcdefgh") }, "iv-wrong", "the key is right and the IV is not"},
		{"merchant code with a space", func(k *diagnose.Keys) { set(&k.MerchantCode, mer+" ") }, "mercode-space", "IPS_MERCHANT has 7 characters"},
		{"merchant code of letters", func(k *diagnose.Keys) { set(&k.MerchantCode, "80880l") }, "mercode-charset", "other characters than digits"},
		{"another merchant code", func(k *diagnose.Keys) { set(&k.MerchantCode, "123456") }, "merchant-differs", "The message is of merchant 808801, and the configured one is 123456"},
		{"public key that is none", func(k *diagnose.Keys) { set(&k.PublicKey, "hello") }, "public-key", "neither PEM nor Base64"},
		{"everything another merchant's", func(k *diagnose.Keys) {
			*k = diagnose.Keys{MerchantCode: "123456", Cert: otherCert, Key: "abcdefghijklmnopqrstuvwx", IV: "abcdefgh"}
		}, "merchant-differs", "-test-merchant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys := testKeys
			tt.keys(&keys)
			r := diagnose.Message([]byte(good), keys)
			assert.Equal(t, tt.want, first(r), "%s", r)
			assert.Contains(t, strings.Join(strings.Fields(r.String()), " "), tt.says)
			silent(t, r, keys)
		})
	}
}

// TestForeignKeys: messages of another merchant than the vendor's, so that the
// test merchant's keys explain nothing.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	v := vectors(t)[2]
	require.NotEqual(t, mer, v.MerCode)
	message := "pMerCode=" + v.MerCode + "\np3DesXmlPara=" + v.Ciphertext + "\npSign=" + v.RequestSign
	for name, tt := range map[string]struct {
		change func(*diagnose.Keys)
		want   string
	}{
		"cert":       {func(k *diagnose.Keys) { k.Cert = otherCert }, "cert-wrong"},
		"all":        {func(k *diagnose.Keys) { k.Cert, k.Key = otherCert, "abcdefghijklmnopqrstuvwx" }, "keys-wrong"},
		"key":        {func(k *diagnose.Keys) { k.Key = "abcdefghijklmnopqrstuvwx" }, "key-wrong"},
		"cert alone": {func(k *diagnose.Keys) { k.Cert, k.Key, k.IV = otherCert, "", "" }, "key-missing"},
		"former": {func(k *diagnose.Keys) {
			k.FormerCert, k.FormerKey, k.FormerIV = k.Cert, k.Key, k.IV
			k.Cert, k.Key, k.IV = otherCert, "abcdefghijklmnopqrstuvwx", "abcdefgh"
		}, "cert-former"},
		"former key": {func(k *diagnose.Keys) { k.FormerKey, k.Key = k.Key, "abcdefghijklmnopqrstuvwx" }, "keys-former"},
	} {
		keys := v.keys()
		tt.change(&keys)
		r := diagnose.Message([]byte(message), keys)
		assert.Equal(t, tt.want, first(r), "%s\n%s", name, r)
		silent(t, r, keys)
	}
	// An answer may still be made with the former keys.
	keys := v.keys()
	keys.FormerCert, keys.FormerKey, keys.FormerIV = keys.Cert, keys.Key, keys.IV
	keys.Cert, keys.Key, keys.IV = otherCert, "abcdefghijklmnopqrstuvwx", "abcdefgh"
	answer := url.Values{"pMerCode": {v.MerCode}, "pErrCode": {v.ErrCode}, "pErrMsg": {v.ErrMsg}, "p3DesXmlPara": {v.Ciphertext}, "pSign": {v.ResponseSign}}.Encode()
	r := diagnose.Message([]byte(answer), keys)
	assert.Empty(t, first(r), "%s", r)
	assert.Subset(t, ids(r), []string{"cert-former", "keys-former"})

	// A message of the test environment, and production's keys.
	body := sealDoc(golden(t, "recharge.request.xml"))
	keys = v.keys()
	keys.MerchantCode = mer
	r = diagnose.Message([]byte(request(body, hash(mer, body, cert))), keys)
	assert.Equal(t, "cert-test", first(r))
	assert.Contains(t, ids(r), "keys-test")
}

func TestEnvelopeDefects(t *testing.T) {
	t.Parallel()
	doc := golden(t, "recharge.request.xml")
	body := sealDoc(doc)
	sign := hash(mer, body, cert)
	replace := func(old, with string) string { return strings.Replace(request(body, sign), old, with, 1) }
	soap := golden(t, "unfreeze-margin.soap.xml")
	page := golden(t, "open-account.form.html")
	form := url.Values{"pMerCode": {mer}, "p3DesXmlPara": {body}, "pSign": {sign}}.Encode()
	check(t, []defect{
		{name: "headers alone", message: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", want: "no-message"},
		{name: "JSON of something else", message: `{"a":[1,null,"b"]}`, want: "no-message"},
		{name: "curl of something else", message: "curl https://example.com -d x=y", want: "no-message"},
		{name: "JSON with nothing", message: `{"pMerCode":808801,"p3DesXmlPara":null,"pSign":null}`, want: "body-empty"},
		{name: "nothing", message: "", want: "no-message"},
		{name: "something else", message: "Hello, world", want: "no-message"},
		{name: "another page", message: "<html><form><input name=q></form></html>", want: "no-message"},
		{name: "too large", message: strings.Repeat(" ", diagnose.MaxInput+1), want: "input-too-large"},
		{name: "no signature", message: "pMerCode=" + mer + "\np3DesXmlPara=" + body, want: "field-missing", also: "sign-empty"},
		{name: "twice", message: request(body, sign) + "pSign=" + sign, want: "field-twice"},
		{name: "mixed names", message: replace("pSign", "argSign"), want: "names-mixed"},
		{name: "misspelt name", message: replace("p3DesXmlPara", "p3DESXmlPara"), want: "field-misspelt"},
		{name: "the other set", message: "POST /CreditWeb/CreateNewIpsAcct.aspx HTTP/1.1\nHost: a\n\n" + request(sealDoc(golden(t, "open-account.request.xml")), hash(mer, sealDoc(golden(t, "open-account.request.xml")), cert)), want: "names-set"},
		{name: "merchant code differs", message: "pMerCode=123456\np3DesXmlPara=" + body + "\npSign=" + hash("123456", body, cert), want: "merchant-differs", also: "sign-ok"},
		{name: "merchant code with spaces", message: `{"pMerCode":" 808801 ","p3DesXmlPara":"` + body + `","pSign":"` + sign + `"}`, want: "merchant-space", also: "sign-merchant"},
		{name: "merchant code of 5 digits", message: "pMerCode=80880\np3DesXmlPara=" + body + "\npSign=" + sign, want: "merchant-form"},
		{name: "bad percent-encoding", message: strings.Replace(form, "&pSign", "%zz&pSign", 1), want: "form-percent"},
		{name: "no namespace", message: strings.Replace(soap, ` xmlns="http://tempuri.org/"`, "", 1), want: "soap-namespace"},
		{name: "SOAP cut", message: soap[:len(soap)-40], want: "soap-xml"},
		{name: "SOAP fault", message: `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>soap:Client</faultcode><faultstring>张三</faultstring></soap:Fault></soap:Body></soap:Envelope>`, want: "soap-fault"},
		{name: "two forms", message: strings.Replace(page, "</form>", "</form>"+page[strings.Index(page, "<form"):strings.Index(page, "</form>")]+"</form>", 1), want: "form-two"},
		{name: "form by get", message: strings.Replace(page, `method="post"`, `method="get"`, 1), want: "form-method"},
		{name: "compressed", message: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08", want: "http-compressed"},
		{name: "result cut", message: "<pReq><pMerCode>" + mer + "</pMerCode><pErrCode>MG00000F</pErrCode><pErrMsg>a & b</pErr", want: "result-xml"},
		{name: "code with more", message: answerForm("MG00000F成功", "", body, hash(mer, "MG00000F成功", body, cert)), want: "code-form"},
	})
}

func TestBodyDefects(t *testing.T) {
	t.Parallel()
	// The vector has plus signs, slashes and padding, all that can get lost.
	doc := golden(t, "open-account.request.xml")
	body := sealDoc(doc)
	require.Contains(t, body, "+")
	require.True(t, strings.HasSuffix(body, "="))
	sign := hash(mer, body, cert)
	json := func(body, sign string) string {
		return fmt.Sprintf(`{"argMerCode":%q,"arg3DesXmlPara":%q,"argSign":%q}`, mer, body, sign)
	}
	raw := encrypt(pkcs5(doc), key, iv)
	crlf := wrap(body, 76, "\r\n")
	check(t, []defect{
		{name: "line breaks, signed without", message: json(crlf, sign), want: "body-line-breaks", also: "sign-ok"},
		{name: "line breaks, signed with them", message: json(crlf, hash(mer, crlf, cert)), want: "body-line-breaks", also: "sign-over-line-breaks"},
		{name: "line breaks in a file of lines", message: "argMerCode: " + mer + "\narg3DesXmlPara: " + wrap(body, 76, "\n") + "\nargSign: " + sign, want: "body-line-breaks", also: "sign-ok"},
		{name: "signed with line breaks, sent without", message: json(body, hash(mer, crlf, cert)), want: "sign-over-line-breaks"},
		{name: "signed with line breaks and the last", message: json(body, hash(mer, crlf+"\r\n", cert)), want: "sign-over-line-breaks"},
		{name: "signed with LF every 64", message: json(body, hash(mer, wrap(body, 64, "\n"), cert)), want: "sign-over-line-breaks"},
		{name: "signed with a line feed behind", message: json(body, hash(mer, body+"\n", cert)), want: "sign-over-newline"},
		{name: "a line feed behind", message: json(body+"\n", sign), want: "body-newline", also: "sign-ok"},
		{name: "spaces around", message: json(" "+body+" ", sign), want: "body-space", also: "sign-ok"},
		{name: "plus became space", message: json(strings.ReplaceAll(body, "+", " "), sign), want: "body-plus-space", also: "sign-ok"},
		{name: "plus unencoded in a form", message: "argMerCode=" + mer + "&arg3DesXmlPara=" + body + "&argSign=" + sign, want: "body-plus-space", also: "sign-ok"},
		{name: "line breaks became spaces", message: json(wrap(body, 76, " "), sign), want: "body-wrapped", also: "sign-ok"},
		{name: "line breaks became spaces, another cert", message: json(wrap(body, 76, " "), hash("x")), want: "body-wrapped", also: "decrypt-ok"},
		{name: "still percent-encoded", message: json(url.QueryEscape(body), sign), want: "body-percent", also: "sign-ok"},
		{name: "percent-encoded twice in a form", message: url.Values{"argMerCode": {mer}, "arg3DesXmlPara": {url.QueryEscape(body)}, "argSign": {sign}}.Encode(), want: "body-percent", also: "sign-ok"},
		{name: "HTML-escaped", message: json(strings.ReplaceAll(body, "+", "&#43;"), sign), want: "body-html-escaped", also: "sign-ok"},
		{name: "HTML-escaped in lines", message: "argMerCode=" + mer + "\narg3DesXmlPara=" + strings.ReplaceAll(body, "+", "&#43;") + "\nargSign=" + sign, want: "body-html-escaped", also: "sign-ok"},
		{name: "HTML-escaped in a form", message: "argMerCode=" + mer + "&arg3DesXmlPara=" + strings.ReplaceAll(body, "+", "&#43;") + "&argSign=" + sign, want: "body-html-escaped", also: "sign-ok"},
		{name: "HTML-escaped twice", message: strings.ReplaceAll(golden(t, "open-account.form.html"), "&#43;", "&amp;#43;"), want: "body-html-escaped", also: "sign-ok"},
		{name: "URL-safe", message: json(base64.URLEncoding.EncodeToString(raw), sign), want: "body-url-safe", also: "sign-ok"},
		{name: "URL-safe and signed so", message: json(base64.URLEncoding.EncodeToString(raw), hash(mer, base64.URLEncoding.EncodeToString(raw), cert)), want: "body-url-safe", also: "sign-over-received"},
		{name: "unpadded", message: json(strings.TrimRight(body, "="), sign), want: "body-unpadded", also: "sign-ok"},
		{name: "hexadecimal", message: json(hex.EncodeToString(raw), sign), want: "body-hex", also: "sign-ok"},
		{name: "twice Base64", message: json(b64([]byte(body)), sign), want: "body-double-base64", also: "sign-ok"},
		{name: "twice Base64 and signed so", message: json(b64([]byte(body)), hash(mer, b64([]byte(body)), cert)), want: "body-double-base64", also: "decrypt-ok"},
		{name: "not Base64", message: json("!"+body, sign), want: "body-not-base64"},
		{name: "one plus became space", message: json(strings.Replace(body, "+", " ", 1), sign), want: "body-plus-space", also: "sign-ok"},
		{name: "one plus unencoded in a form", message: "argMerCode=" + mer + "&arg3DesXmlPara=" + strings.Replace(url.QueryEscape(body), "%2B", "+", 1) + "&argSign=" + sign, want: "body-plus-space", also: "sign-ok"},
		{name: "padding in the middle", message: json(body[:10]+"="+body[11:], sign), want: "body-not-base64", also: "sign-unchecked"},
		{name: "one character cut", message: json(body[:len(body)-3], sign), want: "body-not-base64"},
		{name: "changed on the way, cert missing", message: json(body[:200]+swapped(body[200])+body[201:], sign), keys: func(k *diagnose.Keys) { k.Cert = "" }, want: "cert-missing", also: "cipher-garbage"},
		{name: "cut", message: json(body[:100], sign), want: "body-length", also: "doc-unchecked"},
		{name: "cut at a block", message: json(body[:96], sign), want: "body-cut", also: "doc-unchecked"},
		{name: "empty", message: json("", hash(mer, cert)), want: "body-empty", also: "sign-ok"},
		{name: "document in the clear", message: json(doc, hash(mer, doc, cert)), want: "body-plain-xml"},
		{name: "never encrypted", message: json(b64([]byte(doc)), hash(mer, b64([]byte(doc)), cert)), want: "body-not-encrypted", also: "sign-ok"},
		{name: "changed on the way", message: json(body[:200]+swapped(body[200])+body[201:], sign), want: "body-altered"},
	})
}

func swapped(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestSignatureDefects(t *testing.T) {
	t.Parallel()
	doc := golden(t, "recharge.request.xml")
	body := sealDoc(doc)
	sign := hash(mer, body, cert)
	sum := md5.Sum([]byte(mer + body + cert))
	sha := sha1.Sum([]byte(mer + body + cert))
	wide := utf16(mer + body + cert)[2:]
	check(t, []defect{
		{name: "upper case", message: request(body, strings.ToUpper(sign)), want: "sign-upper", also: "sign-ok"},
		{name: "empty", message: request(body, ""), want: "sign-empty"},
		{name: "white space", message: fmt.Sprintf(`{"pMerCode":%q,"p3DesXmlPara":%q,"pSign":%q}`, mer, body, sign+"\n"), want: "sign-space", also: "sign-ok"},
		{name: "31 digits", message: request(body, sign[:31]), want: "sign-length"},
		{name: "not hexadecimal", message: request(body, "z"+sign[1:]), want: "sign-form"},
		{name: "16 digits", message: request(body, sign[8:24]), want: "sign-half", also: "sign-ok"},
		{name: "SHA-1", message: request(body, hex.EncodeToString(sha[:])), want: "sign-sha"},
		{name: "Base64", message: request(body, b64(sum[:])), want: "sign-base64", also: "sign-ok"},
		{name: "request with RSA", message: request(body, strings.Repeat("ab", 128)), want: "sign-rsa-request"},
		{name: "cert first", message: request(body, hash(cert, mer, body)), want: "sign-order"},
		{name: "cert and body swapped", message: request(body, hash(mer, cert, body)), want: "sign-order"},
		{name: "merchant code left out", message: request(body, hash(body, cert)), want: "sign-without-merchant-code"},
		{name: "cert left out", message: request(body, hash(mer, body)), want: "sign-without-cert"},
		{name: "body left out", message: request(body, hash(mer, cert)), want: "sign-without-body"},
		{name: "cert and body only", message: request(body, hash(cert, body)), want: "sign-parts"},
		{name: "separators", message: request(body, hash(mer, "|", body, "|", cert)), want: "sign-separator"},
		{name: "line feed between", message: request(body, hash(mer, "\n", body, "\n", cert)), want: "sign-separator"},
		{name: "over the XML", message: request(body, hash(mer, doc, cert)), want: "sign-over-xml"},
		{name: "over the ciphertext's bytes", message: request(body, hash(mer, string(encrypt(pkcs5(doc), key, iv)), cert)), want: "sign-over-bytes"},
		{name: "over the percent-encoded body", message: request(body, hash(mer, url.QueryEscape(body), cert)), want: "sign-over-percent"},
		{name: "over the HTML-escaped body", message: request(body, hash(mer, html.EscapeString(strings.ReplaceAll(body, "+", "")), cert)), want: "cert-wrong"},
		{name: "with the cert in lower case", message: request(body, hash(mer, body, strings.ToLower(cert))), want: "sign-cert-case"},
		{name: "with a line feed behind the cert", message: request(body, hash(mer, body, cert, "\n")), want: "sign-cert-newline"},
		{name: "with the configured cert's line feed", message: request(body, hash(mer, body, cert, "\n")), keys: func(k *diagnose.Keys) { k.Cert += "\n" }, want: "cert-space", also: "sign-cert-untrimmed"},
		{name: "with the key", message: request(body, hash(mer, body, key)), want: "sign-key-for-cert"},
		{name: "hashed twice", message: request(body, hash(sign)), want: "sign-twice"},
		{name: "over UTF-16", message: request(body, hash(wide)), want: "sign-utf16"},
		{name: "two mistakes", message: request(body, hash(cert, mer, wrap(body, 76, "\r\n"))), want: "sign-order", also: "sign-over-line-breaks"},
		{name: "no way", message: request(body, hash("something else")), want: "cert-wrong"},
		{name: "memo of a query", message: "argMerCode=" + mer + "\nargIpsAccount=4021000000000001\nargMemo=m\nargSign=" + hash(mer, "4021000000000001", "m", cert), want: "sign-with-memo"},
		{name: "account of a query left out", message: "argMerCode=" + mer + "\nargIpsAccount=4021000000000001\nargSign=" + hash(mer, cert), want: "sign-without-account"},
	})
}

func TestAnswerDefects(t *testing.T) {
	t.Parallel()
	const code, text = "MG00000F", "操作成功！"
	body := sealDoc("\uFEFF" + golden(t, "recharge.response.xml")[3:])
	sign := hash(mer, code, text, body, cert)
	lines := func(text, sign string) string {
		return "pMerCode=" + mer + "\npErrCode=" + code + "\npErrMsg=" + text + "\np3DesXmlPara=" + body + "\npSign=" + sign
	}
	sealed := func(code, text, doc string) string {
		body := sealDoc(doc)
		return answerForm(code, text, body, hash(mer, code, text, body, cert))
	}
	latin := ""
	for _, b := range []byte(text) {
		latin += string(rune(b))
	}
	check(t, []defect{
		{name: "pErrMsg left out", message: answerForm(code, text, body, hash(mer, code, body, cert)), want: "sign-without-error-message"},
		{name: "pErrCode left out", message: answerForm(code, text, body, hash(mer, text, body, cert)), want: "sign-without-error-code"},
		{name: "merchant code left out", message: answerForm(code, text, body, hash(code, text, body, cert)), want: "sign-without-merchant-code"},
		{name: "as a request", message: answerForm(code, text, body, hash(mer, body, cert)), want: "sign-parts"},
		{name: "body before the code", message: answerForm(code, text, body, hash(mer, body, code, text, cert)), want: "sign-order"},
		{name: "cert first", message: answerForm(code, text, body, hash(cert, mer, code, text, body)), want: "sign-order"},
		{name: "signed over GBK", message: answerForm(code, text, body, hash(mer, code, gbk(text), body, cert)), want: "sign-gbk"},
		{name: "signed over GBK and in another order", message: answerForm(code, text, body, hash(cert, mer, code, gbk(text), body)), want: "sign-order", also: "sign-gbk"},
		{name: "captured in GBK", message: lines(gbk(text), sign), want: "text-gbk"},
		{name: "read as Latin-1", message: lines(latin, sign), want: "text-mojibake"},
		{name: "trimmed before hashing", message: answerForm(code, text+" ", body, sign), want: "sign-text-trimmed"},
		{name: "escaped before hashing", message: answerForm(code, "<b>", body, hash(mer, code, "&lt;b&gt;", body, cert)), want: "sign-text-escaped"},
		{name: "percent-encoded before hashing", message: answerForm(code, text, body, hash(mer, code, strings.ToLower(url.QueryEscape(text)), body, cert)), want: "sign-text-escaped"},
		{name: "text changed", message: answerForm(code, "成功", body, sign), want: "cert-wrong"},
		{name: "over the XML", message: answerForm(code, text, body, hash(mer, code, text, golden(t, "recharge.response.xml")[3:], cert)), want: "sign-over-xml"},
		{name: "RSA and no public key", message: answerForm(code, text, body, strings.Repeat("ab", 128)), want: "sign-rsa-in-md5-mode"},
		{name: "elements twice", message: sealed(code, text, "<pReq><pMerBillNo>1</pMerBillNo><pMerBillNo>2</pMerBillNo></pReq>"), want: "doc-duplicate"},
		{name: "strangers twice", message: sealed(code, text, "<pReq><pMerBillNo>1</pMerBillNo><pNew/><pNew/></pReq>"), want: "doc-duplicate"},
		{name: "echo twice", message: sealed(code, text, strings.Replace(golden(t, "register-bid.response.xml"), "<pMemo1>", "<pWebUrl/><pMemo1>", 1)), want: "doc-duplicate"},
		{name: "GBK", message: sealed(code, text, gbk("<?xml version=\"1.0\" encoding=\"utf-8\"?><pReq><pMerBillNo>1</pMerBillNo><pMemo1>备注</pMemo1></pReq>")), want: "doc-gbk"},
		{name: "without an order number", message: answerForm(code, text, sealDoc("<pReq><pTrdAmt>1.00</pTrdAmt></pReq>"), hash(mer, code, text, sealDoc("<pReq><pTrdAmt>1.00</pTrdAmt></pReq>"), cert)), want: "doc-missing"},
	})
	// GBK that says so can be read.
	r := diagnose.Message([]byte(sealed(code, text, gbk("<?xml version=\"1.0\" encoding=\"GBK\"?><pReq><pMerBillNo>1</pMerBillNo><pMemo1>备注</pMemo1></pReq>"))), testKeys)
	assert.Empty(t, first(r), "%s", r)
	assert.Contains(t, ids(r), "doc-declared")
	// An answer may echo any field of its request, and have elements of its own.
	r = diagnose.Message([]byte(sealed(code, text, strings.Replace(golden(t, "register-bid.response.xml"), "<pMemo1>", "<pNew>1</pNew><pMemo1>", 1))), testKeys)
	assert.Empty(t, first(r), "%s", r)
	assert.Contains(t, r.String(), "must skip\n                  them: <pNew>.")
	// A refusal without a body is healthy.
	r = diagnose.Message([]byte(answerForm("MG99999F", "参数为空", "", hash(mer, "MG99999F", "参数为空", cert))), testKeys)
	assert.Empty(t, first(r), "%s", r)
	assert.Contains(t, ids(r), "body-empty")
}

func TestRSA(t *testing.T) {
	t.Parallel()
	priv, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	other, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public := func(k *rsa.PrivateKey) string {
		der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
		require.NoError(t, err)
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	const code, text = "MG00000F", "操作成功！"
	body := sealDoc(golden(t, "recharge.response.xml"))
	signRSA := func(k *rsa.PrivateKey, parts ...string) string {
		sum := md5.Sum([]byte(strings.Join(parts, "")))
		raw, err := rsa.SignPKCS1v15(nil, k, crypto.MD5, sum[:])
		require.NoError(t, err)
		return hex.EncodeToString(raw)
	}
	good := signRSA(priv, mer, code, text, body, cert)
	sum := sha1.Sum([]byte(mer + code + text + body + cert))
	withSHA1, err := rsa.SignPKCS1v15(nil, priv, crypto.SHA1, sum[:])
	require.NoError(t, err)
	raw, err := hex.DecodeString(good)
	require.NoError(t, err)
	mode := func(k *diagnose.Keys) { k.PublicKey = public(priv) }

	keys := testKeys
	mode(&keys)
	r := diagnose.Message([]byte(answerForm(code, text, body, good)), keys)
	assert.Empty(t, first(r), "%s", r)
	assert.Contains(t, r.String(), "MD5withRSA over")
	check(t, []defect{
		{name: "MD5 in RSA mode", message: answerForm(code, text, body, hash(mer, code, text, body, cert)), keys: mode, want: "sign-md5-in-rsa-mode", also: "sign-ok"},
		{name: "order", message: answerForm(code, text, body, signRSA(priv, cert, mer, code, text, body)), keys: mode, want: "sign-order"},
		{name: "without cert", message: answerForm(code, text, body, signRSA(priv, mer, code, text, body)), keys: mode, want: "sign-without-cert"},
		{name: "without message", message: answerForm(code, text, body, signRSA(priv, mer, code, body, cert)), keys: mode, want: "sign-without-error-message"},
		{name: "another key", message: answerForm(code, text, body, signRSA(other, mer, code, text, body, cert)), keys: mode, want: "sign-rsa-key"},
		{name: "a longer key", message: answerForm(code, text, body, signRSA(long, mer, code, text, body, cert)), keys: mode, want: "sign-rsa-key"},
		{name: "SHA-1", message: answerForm(code, text, body, hex.EncodeToString(withSHA1)), keys: mode, want: "sign-rsa-hash"},
		{name: "Base64", message: answerForm(code, text, body, b64(raw)), keys: mode, want: "sign-base64", also: "sign-ok"},
	})
}

func TestCipherDefects(t *testing.T) {
	t.Parallel()
	doc := golden(t, "recharge.request.xml")
	for len(doc)%8 != 3 { // so that padding is 5 bytes
		doc = strings.Replace(doc, "备注三", "备注三x", 1)
	}
	even := doc
	for len(even)%8 != 0 {
		even = strings.Replace(even, "备注三", "备注三x", 1)
	}
	send := func(cipher []byte) string { return request(b64(cipher), hash(mer, b64(cipher), cert)) }
	zeros := strings.Repeat("\x00", 8)
	check(t, []defect{
		{name: "another key", message: send(encrypt(pkcs5(doc), "abcdefghijklmnopqrstuvwx", iv)), want: "key-wrong", also: "sign-ok"},
		{name: "another IV", message: send(encrypt(pkcs5(doc), key, "abcdefgh")), want: "iv-wrong", also: "doc-ok"},
		{name: "another IV like ours", message: send(encrypt(pkcs5(doc), key, "2EDxsEfq")), want: "iv-wrong", also: "doc-ok"},
		{name: "a random IV", message: send(encrypt(pkcs5(doc), key, "\x9f\x01\xe2\x00\x7f\x83\xaa\x10")), want: "iv-wrong"},
		{name: "zero IV", message: send(encrypt(pkcs5(doc), key, zeros)), want: "iv-zero", also: "doc-ok"},
		{name: "IV out of the key", message: send(encrypt(pkcs5(doc), key, key[:8])), want: "iv-of-key", also: "doc-ok"},
		{name: "IV in front", message: send(append([]byte("abcdefgh"), encrypt(pkcs5(doc), key, "abcdefgh")...)), want: "iv-prefixed", also: "doc-ok"},
		{name: "ECB", message: send(encryptECB(pkcs5(doc), key)), want: "mode-ecb", also: "doc-ok"},
		{name: "single DES", message: send(encryptDES(pkcs5(doc), key, iv)), want: "cipher-des", also: "doc-ok"},
		{name: "two-key 3DES", message: send(encrypt(pkcs5(doc), key[:16]+key[:8], iv)), want: "key-two-part", also: "doc-ok"},
		{name: "zero padding", message: send(encrypt(doc+zeros[:5], key, iv)), want: "padding-zero", also: "doc-ok"},
		{name: "no padding", message: send(encrypt(even, key, iv)), want: "padding-none", also: "doc-ok"},
		{name: "padding of spaces", message: send(encrypt(doc+"     ", key, iv)), want: "padding-space", also: "doc-ok"},
		{name: "ANSI X9.23", message: send(encrypt(doc+"\x00\x00\x00\x00\x05", key, iv)), want: "padding-other", also: "doc-ok"},
		{name: "ISO 10126", message: send(encrypt(doc+"\x17\x99\xf0\x22\x05", key, iv)), want: "padding-other", also: "doc-ok"},
		{name: "cut", message: send(encrypt(pkcs5(doc), key, iv)[:400]), want: "body-cut", also: "doc-unchecked"},
	})
}

func TestDocumentDefects(t *testing.T) {
	t.Parallel()
	doc := golden(t, "recharge.request.xml")
	send := func(doc string) string {
		body := sealDoc(doc)
		return request(body, hash(mer, body, cert))
	}
	edit := func(old, with string) string {
		require.Contains(t, doc, old)
		return send(strings.Replace(doc, old, with, 1))
	}
	transfer := func(old, with string) string {
		return send(strings.Replace(golden(t, "transfer.request.xml"), old, with, 1))
	}
	fromGBK := strings.Replace(doc, "utf-8", "gbk", 1)
	check(t, []defect{
		{name: "GBK", message: send(gbk(doc)), want: "doc-gbk", also: "doc-operation"},
		{name: "GBK and declared so", message: send(gbk(fromGBK)), want: "doc-gbk", also: "doc-operation"},
		{name: "declared as GBK", message: send(fromGBK), want: "doc-declared", also: "doc-operation"},
		{name: "UTF-16", message: send(utf16(doc)), want: "doc-utf16", also: "doc-operation"},
		{name: "not UTF-8", message: edit("备注一", "\xff\xfe\xfd"), want: "doc-not-utf8"},
		{name: "two BOMs", message: send("\uFEFF\uFEFF" + doc), want: "doc-bom-twice", also: "doc-operation"},
		{name: "white space before", message: send("\r\n" + doc), want: "doc-leading-space", also: "doc-operation"},
		{name: "something before", message: send("xml=" + doc), want: "doc-beginning", also: "doc-operation"},
		{name: "something else", message: send("hello, this is a text and no document"), want: "doc-beginning"},
		{name: "another root", message: send(strings.ReplaceAll(doc, "pReq", "pRes")), want: "doc-root"},
		{name: "an & in a URL", message: edit("p2p.example.com/back", "p2p.example.com/back?a=1&b=2"), want: "doc-xml"},
		{name: "a < in a text", message: edit("备注一", "1 < 2"), want: "doc-xml"},
		{name: "wrong end tag", message: edit("</pMemo1>", "</pMemo>"), want: "doc-xml"},
		{name: "cut", message: send(doc[:len(doc)-20]), want: "doc-xml"},
		{name: "goes on", message: send(doc + "<pReq/>"), want: "doc-after-end"},
		{name: "document type", message: send("<?xml version=\"1.0\"?><!DOCTYPE pReq>" + doc[strings.Index(doc, "<pReq"):]), want: "doc-doctype"},
		{name: "attributes", message: edit("<pReq>", `<pReq xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">`), want: "doc-attributes"},
		{name: "order", message: edit("<pAcctType>1</pAcctType><pIdentNo>110101199001010002</pIdentNo>", "<pIdentNo>110101199001010002</pIdentNo><pAcctType>1</pAcctType>"), want: "doc-order"},
		{name: "missing", message: edit("<pTrdDate>20141213</pTrdDate>", ""), want: "doc-missing"},
		{name: "unknown", message: edit("<pMemo1>", "<pSomethingNew>张三</pSomethingNew><pMemo1>"), want: "doc-unknown"},
		{name: "unknown and personal", message: edit("<pMemo1>", "<张三></张三><pMemo1>"), want: "doc-unknown"},
		{name: "misspelt", message: send(strings.ReplaceAll(doc, "pTrdBnkCode", "pTrdBankCode")), want: "doc-misspelt"},
		{name: "lower case", message: send(strings.ReplaceAll(doc, "pMerBillNo", "pmerbillno")), want: "doc-misspelt"},
		{name: "without p", message: send(strings.ReplaceAll(doc, "pRealName", "RealName")), want: "doc-misspelt"},
		{name: "twice", message: edit("<pMemo1>", "<pTrdDate>20141213</pTrdDate><pMemo1>"), want: "doc-duplicate"},
		{name: "empty", message: edit("<pRealName>李四</pRealName>", "<pRealName></pRealName>"), want: "doc-empty"},
		{name: "blank", message: edit("<pRealName>李四</pRealName>", "<pRealName> </pRealName>"), want: "doc-empty"},
		{name: "constant", message: "POST /CreditWeb/CreateNewIpsAcct.aspx HTTP/1.1\nHost: x\n\n" + strings.NewReplacer("pMer", "argMer", "p3D", "arg3D", "pSign", "argSign").Replace(
			send(strings.Replace(golden(t, "open-account.request.xml"), "<pIdentType>1<", "<pIdentType>2<", 1))), want: "doc-constant"},
		{name: "control character", message: edit("备注一", "\x01"), want: "doc-xml"},
		{name: "end tag alone", message: edit("<pMemo1>", "</pMemo1>"), want: "doc-xml"},
		{name: "no rows", message: transfer("<pDetails>", "<pDetails></pDetails><pX>"), want: "doc-xml"},
		{name: "a stranger among the rows", message: transfer("<pDetails>", "<pDetails><pRwo></pRwo>"), want: "doc-unknown"},
		{name: "in a row", message: transfer("<pFTrdFee>10.00</pFTrdFee>", ""), want: "doc-missing"},
		{name: "order in a row", message: transfer("<pFTrdFee>10.00</pFTrdFee><pTAcctType>1</pTAcctType>", "<pTAcctType>1</pTAcctType><pFTrdFee>10.00</pFTrdFee>"), want: "doc-order"},
		{name: "the platform's misspelling in a request", message: transfer("<pFAcctType>1</pFAcctType>", "<pFAccType>1</pFAccType>"), want: "doc-misspelt"},
	})
	for name, want := range map[string]struct{ message, id string }{
		"BOM":      {send("\uFEFF" + doc), "doc-bom"},
		"indented": {send(strings.ReplaceAll(doc, "><", ">\n  <")), "doc-pretty"},
		"optional": {edit("<pMemo3>备注三</pMemo3>", ""), "doc-absent"},
	} {
		r := diagnose.Message([]byte(want.message), testKeys)
		assert.Empty(t, first(r), "%s\n%s", name, r)
		assert.Contains(t, ids(r), want.id, name)
	}
	r := diagnose.Message([]byte(edit("pTrdBnkCode>00004</pTrdBnkCode", "pTrdBankCode>00004</pTrdBankCode")), testKeys)
	assert.Contains(t, r.String(), "<pTrdBankCode> should be <pTrdBnkCode>")
	assert.Contains(t, strings.Join(strings.Fields(r.String()), " "), "The elements of recharge, in order: pMerBillNo pAcctType pIdentNo")
	r = diagnose.Message([]byte(edit("p2p.example.com/back", "p2p.example.com/back?a=1&b=2")), testKeys)
	assert.Contains(t, strings.Join(strings.Fields(r.String()), " "), "an & that begins no entity, on line 1, in or behind <pWebUrl>")
}

// TestQueryAnswer: where the signature of a query's answer does hold, it is said.
func TestQueryAnswer(t *testing.T) {
	t.Parallel()
	answer := "<pReq><pMerCode>" + mer + "</pMerCode><pErrCode>0000</pErrCode><pErrMsg>成功</pErrMsg><pIpsAcctNo>4021000000000001</pIpsAcctNo>" +
		"<pBalance>1.00</pBalance><pSign>" + hash(mer, "0000", "成功", "4021000000000001", "1.00", cert) + "</pSign></pReq>"
	r := diagnose.Message([]byte(answer), testKeys)
	assert.Empty(t, first(r), "%s", r)
	assert.Contains(t, ids(r), "sign-ok")
	silent(t, r, testKeys)
}

func TestKeysFromEnv(t *testing.T) {
	t.Parallel()
	k := diagnose.KeysFromEnv(func(name string) string { return name })
	assert.Equal(t, diagnose.Keys{MerchantCode: "IPS_MERCHANT", Cert: "IPS_CERT", Key: "IPS_3DES_KEY", IV: "IPS_3DES_IV", PublicKey: "IPS_PUBLIC_KEY",
		FormerCert: "IPS_FORMER_CERT", FormerKey: "IPS_FORMER_3DES_KEY", FormerIV: "IPS_FORMER_3DES_IV"}, k)
}

// TestSilence: a report of any healthy message tells nothing of it.
func TestSilence(t *testing.T) {
	t.Parallel()
	for _, op := range ips.Operations() {
		if op.Transport == ips.QueryService {
			silent(t, diagnose.Message([]byte(golden(t, string(op.Operation)+".response.xml")), testKeys), testKeys)
		}
		for _, kind := range []string{".request.xml", ".response.xml"} {
			body := sealDoc(golden(t, string(op.Operation)+kind))
			silent(t, diagnose.Message([]byte(request(body, "x")), testKeys), testKeys)
			silent(t, diagnose.Message([]byte(answerForm("MG00000F", "张三 4021000000000001", body, "x")), testKeys), testKeys)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		assert.Equal(t, "diagnose.Keys{secrets:hidden}", fmt.Sprintf(verb, testKeys))
	}
}

// TestBounded: messages that are made to hurt come to an end like others.
func TestBounded(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("AAAA", 1<<16)
	flat := strings.Repeat("<pX/>", 10_000)
	for name, message := range map[string]string{
		"body":     answerForm("MG00000F", "x", body, hash("x")),
		"message":  answerForm("MG00000F", strings.Repeat("x", 1<<17), "AAAAAAAAAAA=", hash("x")),
		"merchant": "pMerCode=" + strings.Repeat("x", 1<<17) + "&p3DesXmlPara=AAAAAAAAAAA=&pSign=" + hash("x"),
		"elements": request(sealDoc("<pReq>"+flat+"</pReq>"), hash("x")),
		"rows":     request(sealDoc("<pReq><pDate/><pDetails>"+strings.Repeat("<pRow><pX/><pY/></pRow>", 3_000)+"</pDetails></pReq>"), hash("x")),
		"nested":   strings.Repeat("<a>", 1<<15),
		"brackets": strings.Repeat("[", 1<<17),
		"names":    strings.Repeat("pSign=&", 1<<14),
		"torn":     "pSign=&pMerCode=" + strings.Repeat("&#", 1<<16),
		"lines":    "p3DesXmlPara: " + strings.Repeat("A\n", 1<<16) + "pSign: x",
		"html":     "<html>" + strings.Repeat("<form><table>", 1_000),
		"cdata":    "<pReq><a>" + strings.Repeat("<![CDATA[x]]>", 5_000) + "</a></pReq>",
	} {
		r := diagnose.Message([]byte(message), testKeys)
		assert.NotEmpty(t, r.String(), name)
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range captured(f) {
		f.Add([]byte(m))
	}
	for _, v := range vectors(f) {
		f.Add([]byte(request(v.Ciphertext, v.RequestSign)))
	}
	for _, name := range []string{"open-account.form.html", "unfreeze-margin.soap.xml", "transfer.request.xml", "query-balance.response.xml"} {
		f.Add([]byte(golden(f, name)))
	}
	f.Add([]byte(`{"pMerCode":1,"x":[{"name":"pSign","value":"a"}]}`))
	f.Add([]byte("curl 'https://a' -d 'pSign=1&pMerCode=2'"))
	f.Add([]byte("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npSign\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := diagnose.Message(data, testKeys)
		if len(r.Findings) == 0 {
			t.Fatal("nothing was said")
		}
		text := r.String()
		for _, secret := range []string{cert, key, iv} {
			if strings.Contains(text, secret) {
				t.Fatal("a key is in the report")
			}
		}
	})
}
