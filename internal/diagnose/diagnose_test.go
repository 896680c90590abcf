package diagnose_test

import (
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/diagnose"
)

// documents are the golden documents of a kind, queries' left out: theirs are
// not sealed.
func documents(t *testing.T, kind string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/golden/*." + kind + ".xml")
	require.NoError(t, err)
	out := map[string]string{}
	for _, f := range files {
		doc := golden(t, filepath.Base(f))
		if !strings.Contains(doc, "Envelope") && !strings.Contains(doc, "<pSign>") {
			out[strings.TrimSuffix(filepath.Base(f), "."+kind+".xml")] = doc
		}
	}
	require.Greater(t, len(out), 10)
	return out
}

// TestHealthy: nothing is wrong with a request and an answer of any operation.
func TestHealthy(t *testing.T) {
	t.Parallel()
	for name, doc := range documents(t, "request") {
		body := sealDoc(doc)
		r := diagnose.Message([]byte(request(body, hash(mer, body, cert))), testKeys)
		assert.Equal(t, []string{"shape", "merchant-ok", "body-ok", "sign-ok", "decrypt-ok", "doc-ok"}, ids(r), "%s\n%s", name, r)
		silent(t, r, testKeys)
		r = diagnose.Message([]byte(doc), testKeys)
		assert.Equal(t, []string{"shape", "doc-ok"}, ids(r), "%s\n%s", name, r)
	}
	for name, doc := range documents(t, "response") {
		body := sealDoc("\uFEFF" + strings.TrimPrefix(doc, "\uFEFF"))
		r := diagnose.Message([]byte(answerForm("MG00000F", "操作成功！", body, hash(mer, "MG00000F", "操作成功！", body, cert))), testKeys)
		assert.Equal(t, []string{"shape", "merchant-ok", "body-ok", "sign-ok", "decrypt-ok", "doc-bom", "doc-ok"}, ids(r), "%s\n%s", name, r)
		silent(t, r, testKeys)
	}
	for _, name := range []string{"balance", "account", "banks"} {
		r := diagnose.Message([]byte(golden(t, "query-"+name+".request.xml")), testKeys)
		assert.Equal(t, []string{"shape", "merchant-ok", "sign-ok"}, ids(r), "%s\n%s", name, r)
		r = diagnose.Message([]byte(golden(t, "query-"+name+".response.xml")), testKeys)
		assert.Equal(t, []string{"shape", "merchant-ok", "sign-query-answer"}, ids(r), "%s\n%s", name, r)
	}
}

// TestOperations: the elements of each operation are known in the order in which
// the client writes them.
func TestOperations(t *testing.T) {
	t.Parallel()
	for name, doc := range documents(t, "request") {
		last := "<pMemo3>" + between(doc, "<pMemo3>", "</pMemo3>") + "</pMemo3>"
		if !strings.Contains(doc, last) {
			continue
		}
		r := diagnose.Message([]byte(strings.Replace(strings.Replace(doc, last, "", 1), "<pReq>", "<pReq>"+last, 1)), testKeys)
		assert.Contains(t, ids(r), "doc-order", name)
		var want []string
		for _, m := range regexp.MustCompile(`<(p[A-Z][A-Za-z0-9]*)`).FindAllStringSubmatch(between(doc, "<pReq>", "</pReq>"), -1) {
			want = append(want, m[1])
		}
		contract := text(r, "doc-contract")
		assert.Regexp(t, `\b`+regexp.QuoteMeta(name)+`\b`, contract)
		for _, n := range want {
			if n != "pRow" {
				assert.Regexp(t, `\b`+n+`\b`, contract, name)
			}
		}
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func text(r diagnose.Report, id string) string {
	for _, f := range r.Findings {
		if f.ID == id {
			return f.Text
		}
	}
	return ""
}

// TestShapes: a message is read in whichever shape it was captured.
func TestShapes(t *testing.T) {
	t.Parallel()
	body := sealDoc(golden(t, "recharge.response.xml"))
	text := "成功 & <done>"
	sign := hash(mer, "MG00000F", text, body, cert)
	answer := answerForm("MG00000F", text, body, sign)
	result := `<?xml version="1.0" encoding="utf-8"?><pReq><pMerCode>` + mer + `</pMerCode><pErrCode>MG00000F</pErrCode><pErrMsg>` + escape(text) +
		`</pErrMsg><p3DesXmlPara>` + body + `</p3DesXmlPara><pSign>` + sign + `</pSign></pReq>`
	soap := `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
		`<TransferResponse xmlns="http://tempuri.org/"><TransferResult>` + escape(result) + `</TransferResult></TransferResponse></soap:Body></soap:Envelope>`
	inputs, lines, pairs := "", "", []string{}
	for _, f := range [][2]string{{"pMerCode", mer}, {"pErrCode", "MG00000F"}, {"pErrMsg", text}, {"p3DesXmlPara", body}, {"pSign", sign}} {
		inputs += `<input type="hidden" name="` + f[0] + `" value="` + escape(f[1]) + `" />`
		lines += f[0] + ": " + f[1] + "\n"
		pairs = append(pairs, fmt.Sprintf("%q:%q", f[0], f[1]))
	}
	form := `<form method="post" action="https://p2p.example.com/back">` + inputs + `</form>`
	page := `<html><body><form id="form1" method="post" action="registerSubject.aspx"><input type="hidden" name="__VIEWSTATE" value="/wEPDwUK"></form>` + form + `<br></body></html>`
	head := "POST /ips/notify/recharge HTTP/1.1\nHost: p2p.example.com\nContent-Type: application/x-www-form-urlencoded\n"
	bulleted := strings.TrimSpace(strings.ReplaceAll(lines, ": ", "] => "))
	items := strings.TrimSpace(strings.ReplaceAll(lines, ": ", "\" = \""))
	for name, tt := range map[string]struct{ message, shape string }{
		"page of the client":   {golden(t, "open-account.form.html"), "page"},
		"SOAP of the client":   {golden(t, "unfreeze-margin.soap.xml"), "XML"},
		"form":                 {answer, "form"},
		"headers with LF":      {head + "\n" + answer + "\n", "form"},
		"headers with CRLF":    {strings.ReplaceAll(head, "\n", "\r\n") + "\r\n" + answer, "form"},
		"headers alone":        {"Content-Type: application/x-www-form-urlencoded\nContent-Length: 7\n\n" + answer + "\n", "form"},
		"headers and a result": {"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + soap, "XML"},
		"URL":                  {"https://p2p.example.com/ips/return/recharge?" + answer, "form"},
		"GET":                  {"GET /ips/return/recharge?" + answer + " HTTP/1.1\r\nHost: p2p.example.com\r\n\r\n", "form"},
		"log line":             {"2026-03-01 12:00:00 INFO in=" + answer + " took 3ms", "form"},
		"log line in quotes":   {`level=info path=/ips/notify/recharge body="` + answer + `" took=3ms`, "form"},
		"log line in brackets": {`in [` + answer + `] took 3ms`, "form"},
		"JSON log":             {fmt.Sprintf(`{"level":"info","body":%q}`, answer), "form"},
		"separated by &amp;":   {strings.ReplaceAll(answer, "&", "&amp;"), "form"},
		"lines":                {lines, "lines"},
		"lines with CRLF":      {strings.ReplaceAll(lines, "\n", "\r\n"), "lines"},
		"lines with =":         {strings.ReplaceAll(lines, ": ", "="), "lines"},
		"print_r":              {"Array\n(\n    [" + strings.ReplaceAll(bulleted, "\n", "\n    [") + "\n)\n", "lines"},
		"Wireshark":            {"Form item: \"" + strings.ReplaceAll(items, "\n", "\"\nForm item: \"") + "\"\n", "lines"},
		"JSON":                 {"{" + strings.Join(pairs, ",") + "}", "lines"},
		"page":                 {page, "page"},
		"XHTML":                {`<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>` + form + `</body></html>`, "page"},
		"a form without page":  {form, "page"},
		"SOAP":                 {soap, "XML"},
		"result":               {result, "XML"},
		"result with BOM":      {"\uFEFF" + result, "XML"},
		"ASMX without SOAP":    {`<string xmlns="http://tempuri.org/">` + escape(result) + `</string>`, "XML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := diagnose.Message([]byte(tt.message), testKeys)
			assert.Empty(t, first(r), "%s", r)
			assert.Contains(t, ids(r), "sign-ok", "%s", r)
			assert.Contains(t, r.String(), "Read as "+tt.shape+",")
		})
	}
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
			for _, id := range []string{"merchant-ok", "body-ok", "sign-ok", "decrypt-ok"} {
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
			silent(t, r, keys)
		})
	}
}

// silent checks that a report has no secret and nothing personal in it, and that
// each finding is said in both languages.
func silent(t *testing.T, r diagnose.Report, keys diagnose.Keys) {
	t.Helper()
	said := r.String()
	for _, f := range r.Findings {
		said += f.Chinese
		assert.NotEmpty(t, f.Text, f.ID)
		assert.Equal(t, f.Severity == diagnose.Wrong, f.Remedy != "", f.ID)
		assert.Regexp(t, `^[^%]*\p{Han}.*。$`, strings.ReplaceAll(f.Chinese, "%2B", ""), f.ID)
	}
	assert.NotContains(t, said, "%!")
	for _, s := range []string{
		cert, key, iv, otherCert, other.Key, other.IV, keys.Cert, keys.Key, keys.IV, cert[:32], key[:12], hex.EncodeToString([]byte(key)), hex.EncodeToString([]byte(iv)),
		b64([]byte(key)),
		"110101199001010001", "110101199001010002", "张三", "李四", "13800000000", "4021000000000001", "4021000000000002", "zhangsan",
		"备注", "操作成功", "3050.00", "A20141213000001", "R20141213000001",
	} {
		if s = strings.TrimSpace(s); s != "" {
			assert.NotContains(t, said, s)
		}
	}
}

func TestKeyDefects(t *testing.T) {
	t.Parallel()
	body := sealDoc(golden(t, "recharge.request.xml"))
	good := request(body, hash(mer, body, cert))
	for _, tt := range []struct {
		name string
		keys func(*diagnose.Keys)
		want string
		says string
	}{
		{"cert with a line feed", func(k *diagnose.Keys) { k.Cert += "\n" }, "key-space", "IPS_CERT should have 128 characters and has 129"},
		{"cert with CRLF", func(k *diagnose.Keys) { k.Cert += "\r\n" }, "key-space", "130"},
		{"cert in quotes", func(k *diagnose.Keys) { k.Cert = `"` + cert + "\"\n" }, "key-space", "131"},
		{"cert with a BOM", func(k *diagnose.Keys) { k.Cert = "\uFEFF" + cert }, "key-space", "129"},
		{"cert in hex", func(k *diagnose.Keys) { k.Cert = hex.EncodeToString([]byte(cert)) }, "key-form", "there are 256 bytes"},
		{"cert cut", func(k *diagnose.Keys) { k.Cert = cert[:127] }, "key-form", "there are 127 bytes"},
		{"cert cut and a line feed", func(k *diagnose.Keys) { k.Cert = cert[:127] + "\n" }, "key-form", "there are 127 bytes"},
		{"cert missing", func(k *diagnose.Keys) { k.Cert = "" }, "key-form", "IPS_CERT should be 128"},
		{"cert not ASCII", func(k *diagnose.Keys) { k.Cert = cert[:125] + "张" }, "key-form", "printable ASCII"},
		{"another cert", func(k *diagnose.Keys) { k.Cert = otherCert }, "cert-wrong", "most likely not the one"},
		{"key with a line feed", func(k *diagnose.Keys) { k.Key += "\n" }, "key-space", "IPS_3DES_KEY should have 24"},
		{"key too long", func(k *diagnose.Keys) { k.Key += "abc" }, "key-form", "there are 27 bytes"},
		{"key missing", func(k *diagnose.Keys) { k.Key = "" }, "key-form", "IPS_3DES_KEY"},
		{"another key", func(k *diagnose.Keys) { k.Key = other.Key }, "key-wrong", "every block is garbage"},
		{"IV with a space", func(k *diagnose.Keys) { k.IV = " " + iv }, "key-space", "IPS_3DES_IV"},
		{"another IV", func(k *diagnose.Keys) { k.IV = other.IV }, "iv-wrong", "the key is right and the IV is not"},
		{"merchant code with a space", func(k *diagnose.Keys) { k.MerchantCode += " " }, "key-space", "IPS_MERCHANT"},
		{"merchant code missing", func(k *diagnose.Keys) { k.MerchantCode = "" }, "key-form", "IPS_MERCHANT"},
		{"another merchant code", func(k *diagnose.Keys) { k.MerchantCode = "123456" }, "merchant-differs", "of merchant 808801, and the configured one is 123456"},
		{"everything another merchant's", func(k *diagnose.Keys) { *k = other }, "merchant-differs", "another merchant's message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys := testKeys
			tt.keys(&keys)
			r := diagnose.Message([]byte(good), keys)
			assert.Equal(t, tt.want, first(r), "%s", r)
			assert.Contains(t, r.String(), tt.says)
			if tt.want == "key-space" { // and the rest does without
				assert.Contains(t, ids(r), "sign-ok")
				assert.Contains(t, ids(r), "decrypt-ok")
				assert.Contains(t, ids(r), "merchant-ok")
			}
			silent(t, r, keys)
		})
	}
}

// TestOtherKeys: keys that are known besides the own ones explain a message.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	body := sealDoc(golden(t, "recharge.request.xml"))
	message := []byte(request(body, hash(mer, body, cert)))
	mine := other
	mine.MerchantCode = mer
	r := diagnose.Message(message, mine, diagnose.Keys{MerchantCode: "654321", Cert: "x", Key: "too short", IV: "y"}, testKeys)
	assert.Equal(t, "cert-other", first(r))
	assert.Contains(t, ids(r), "keys-other")
	assert.Contains(t, text(r, "cert-other"), "merchant 808801")
	silent(t, r, mine)

	// The configuration's key alone is of another environment.
	mine = testKeys
	mine.Key = other.Key
	r = diagnose.Message(message, mine, testKeys)
	assert.Equal(t, "keys-other", first(r))
	assert.Contains(t, ids(r), "sign-ok")
}

// TestRequest: the finding that a server shows of what it received.
func TestRequest(t *testing.T) {
	t.Parallel()
	doc := golden(t, "open-account.request.xml")
	body := sealDoc(doc)
	require.Contains(t, body, "+")
	broken := wrap(body, 76, "\r\n")
	foreign := b64(encrypt(pkcs5(doc), other.Key, iv))
	otherIV := b64(encrypt(pkcs5(doc), key, other.IV))
	fields := func(code, body, sign string) url.Values {
		return url.Values{"argMerCode": {code}, "arg3DesXmlPara": {body}, "argSign": {sign}, "submit": {"张三"}}
	}
	for name, tt := range map[string]struct {
		fields url.Values
		want   string
		says   string
	}{
		"healthy":                      {fields(mer, body, hash(mer, body, cert)), "sign-ok", "签名正确"},
		"another cert":                 {fields(mer, body, hash(mer, body, "x")), "cert-wrong", "签名用了别的证书"},
		"another merchant's cert":      {fields(mer, body, hash(mer, body, otherCert)), "cert-other", "商户 123456"},
		"another merchant":             {fields("654321", body, hash("654321", body, cert)), "merchant-differs", "654321"},
		"signed with line breaks":      {fields(mer, body, hash(mer, broken, cert)), "sign-over-line-breaks", "带换行的 Base64"},
		"line breaks":                  {fields(mer, broken, hash(mer, broken, cert)), "body-line-breaks", "换行"},
		"cut":                          {fields(mer, body[:100], hash(mer, body, cert)), "body-cut", "被截断"},
		"plus became a blank":          {fields(mer, strings.ReplaceAll(body, "+", " "), hash(mer, body, cert)), "body-plus-space", "变成了空格"},
		"another key":                  {fields(mer, foreign, hash(mer, foreign, cert)), "key-wrong", "密钥不对"},
		"another IV":                   {fields(mer, otherIV, hash(mer, otherIV, cert)), "iv-wrong", "IV 不对"},
		"no signature":                 {fields(mer, body, ""), "sign-form", "0 个字符"},
		"no fields":                    {url.Values{"pMerCode": {mer}}, "field-missing", "p3DesXmlPara, pSign"},
		"twice":                        {url.Values{"pMerCode": {mer}, "p3DesXmlPara": {body}, "pSign": {hash(mer, body, cert), "x"}}, "field-twice", "pSign"},
		"a query":                      {url.Values{"argMerCode": {mer}, "argIpsAccount": {"4021000000000001"}, "argSign": {hash(mer, "4021000000000001", cert)}}, "sign-ok", "argIpsAccount"},
		"GBK":                          {fields(mer, sealDoc(gbk(doc)), hash(mer, sealDoc(gbk(doc)), cert)), "doc-encoding", "GBK"},
		"more than anybody could mean": {fields(mer, strings.Repeat("A", diagnose.MaxInput+1), "x"), "field-missing", "p3DesXmlPara"},
	} {
		found := diagnose.Request(tt.fields, testKeys, other)
		f := found[0]
		assert.Equal(t, tt.want, f.ID, name)
		assert.Contains(t, f.Chinese, tt.says, name)
		silent(t, diagnose.Report{Findings: found}, testKeys)
	}
}

func TestEnvelopeDefects(t *testing.T) {
	t.Parallel()
	body := sealDoc(golden(t, "recharge.request.xml"))
	sign := hash(mer, body, cert)
	soap := golden(t, "unfreeze-margin.soap.xml")
	page := golden(t, "open-account.form.html")
	check(t, []defect{
		{name: "headers alone", message: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", want: "no-message"},
		{name: "JSON of something else", message: `{"a":[1,null,"b"]}`, want: "no-message"},
		{name: "nothing", message: "", want: "no-message"},
		{name: "something else", message: "Hello, 张三", want: "no-message"},
		{name: "another page", message: "<html><form><input name=q></form></html>", want: "no-message"},
		{name: "SOAP fault", message: `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>soap:Client</faultcode><faultstring>张三</faultstring></soap:Fault></soap:Body></soap:Envelope>`, want: "no-message"},
		{name: "too large", message: strings.Repeat(" ", diagnose.MaxInput+1), want: "input-too-large"},
		{name: "no signature", message: "pMerCode=" + mer + "\np3DesXmlPara=" + body, want: "field-missing", also: "sign-form"},
		{name: "no merchant code", message: "p3DesXmlPara=" + body + "\npSign=" + sign, want: "field-missing"},
		{name: "no body", message: "pMerCode=" + mer + "\npErrCode=MG00000F\npErrMsg=x\npSign=" + sign, want: "field-missing"},
		{name: "twice", message: request(body, sign) + "pSign=" + sign, want: "field-twice", also: "sign-ok"},
		{name: "two forms", message: strings.Replace(page, "</form>", "</form>"+page[strings.Index(page, "<form"):strings.Index(page, "</form>")]+"</form>", 1), want: "field-twice"},
		{name: "merchant code differs", message: "pMerCode=123456\np3DesXmlPara=" + body + "\npSign=" + hash("123456", body, cert), want: "merchant-differs", also: "sign-ok"},
		{name: "merchant code of 5 digits", message: "pMerCode=80880\np3DesXmlPara=" + body + "\npSign=" + sign, want: "merchant-form"},
		{name: "a name for a merchant code", message: "pMerCode=张三\np3DesXmlPara=" + body + "\npSign=" + sign, want: "merchant-form"},
		{name: "SOAP cut", message: soap[:len(soap)-160], want: "field-missing"},
	})
}

func TestBodyDefects(t *testing.T) {
	t.Parallel()
	// This one has plus signs, slashes and padding, all that can get lost.
	doc := golden(t, "open-account.request.xml")
	body := sealDoc(doc)
	require.Contains(t, body, "+")
	require.True(t, strings.HasSuffix(body, "="))
	sign := hash(mer, body, cert)
	json := func(body, sign string) string {
		return fmt.Sprintf(`{"argMerCode":%q,"arg3DesXmlPara":%q,"argSign":%q}`, mer, body, sign)
	}
	crlf := wrap(body, 76, "\r\n")
	swapped := "A"
	if body[200] == 'A' {
		swapped = "B"
	}
	altered := body[:200] + swapped + body[201:]
	check(t, []defect{
		{name: "line breaks, signed without", message: json(crlf, sign), want: "body-line-breaks", also: "sign-ok"},
		{name: "line breaks, signed with them", message: json(crlf, hash(mer, crlf, cert)), want: "body-line-breaks", also: "sign-over-received"},
		{name: "line breaks in a file of lines", message: "argMerCode: " + mer + "\narg3DesXmlPara: " + wrap(body, 76, "\n") + "\nargSign: " + sign, want: "body-line-breaks", also: "sign-ok"},
		{name: "signed with line breaks, sent without", message: json(body, hash(mer, crlf, cert)), want: "sign-over-line-breaks", also: "decrypt-ok"},
		{name: "signed with line breaks and the last", message: json(body, hash(mer, crlf+"\r\n", cert)), want: "sign-over-line-breaks"},
		{name: "signed with LF every 64", message: json(body, hash(mer, wrap(body, 64, "\n"), cert)), want: "sign-over-line-breaks"},
		{name: "signed with CR, the LF stripped", message: json(body, hash(mer, wrap(body, 76, "\r"), cert)), want: "sign-over-line-breaks"},
		{name: "signed with a line feed behind", message: json(body, hash(mer, body+"\n", cert)), want: "sign-over-line-breaks"},
		{name: "signed with line breaks by another cert", message: json(body, hash(mer, crlf, otherCert)), want: "cert-wrong"},
		{name: "a line feed behind", message: json(body+"\n", sign), want: "body-line-breaks", also: "sign-ok"},
		{name: "spaces around", message: json(" "+body+" ", sign), want: "body-line-breaks", also: "sign-ok"},
		{name: "plus became space", message: json(strings.ReplaceAll(body, "+", " "), sign), want: "body-plus-space", also: "sign-ok"},
		{name: "one plus became space", message: json(strings.Replace(body, "+", " ", 1), sign), want: "body-plus-space", also: "sign-ok"},
		{name: "plus unencoded in a form", message: "argMerCode=" + mer + "&arg3DesXmlPara=" + body + "&argSign=" + sign, want: "body-plus-space", also: "sign-ok"},
		{name: "still percent-encoded", message: json(url.QueryEscape(body), sign), want: "body-escaped", also: "sign-ok"},
		{name: "percent-encoded twice in a form", message: url.Values{"argMerCode": {mer}, "arg3DesXmlPara": {url.QueryEscape(body)}, "argSign": {sign}}.Encode(), want: "body-escaped", also: "sign-ok"},
		{name: "percent-encoded three times in a form", message: url.Values{"argMerCode": {mer}, "arg3DesXmlPara": {url.QueryEscape(url.QueryEscape(body))}, "argSign": {sign}}.Encode(), want: "body-escaped", also: "sign-ok"},
		{name: "percent-encoded and signed so", message: json(url.QueryEscape(body), hash(mer, url.QueryEscape(body), cert)), want: "body-escaped", also: "sign-over-received"},
		{name: "HTML-escaped", message: json(strings.ReplaceAll(body, "+", "&#43;"), sign), want: "body-escaped", also: "sign-ok"},
		{name: "HTML-escaped twice", message: strings.ReplaceAll(golden(t, "open-account.form.html"), "&#43;", "&amp;#43;"), want: "body-escaped", also: "sign-ok"},
		{name: "unpadded", message: json(strings.TrimRight(body, "="), sign), want: "body-padding", also: "sign-ok"},
		{name: "twice Base64", message: json(b64([]byte(body)), sign), want: "body-double-base64", also: "sign-ok"},
		{name: "twice Base64 and signed so", message: json(b64([]byte(body)), hash(mer, b64([]byte(body)), cert)), want: "body-double-base64", also: "sign-over-received"},
		{name: "not Base64", message: json("!"+body, sign), want: "body-not-base64", also: "sign-unchecked"},
		{name: "URL-safe", message: json(base64.URLEncoding.EncodeToString(encrypt(pkcs5(doc), key, iv)), sign), want: "body-not-base64"},
		{name: "padding in the middle", message: json(body[:10]+"="+body[11:], sign), want: "body-not-base64", also: "sign-unchecked"},
		{name: "three characters cut", message: json(body[:len(body)-3], sign), want: "body-cut", also: "sign-unchecked"},
		{name: "cut", message: json(body[:100], sign), want: "body-cut", also: "doc-unchecked"},
		{name: "cut at a block", message: json(body[:96], sign), want: "body-cut", also: "doc-unchecked"},
		{name: "empty", message: json("", hash(mer, cert)), want: "", also: "body-empty"},
		{name: "document in the clear", message: json(doc, hash(mer, doc, cert)), want: "body-not-encrypted", also: "doc-ok"},
		{name: "never encrypted", message: json(b64([]byte(doc)), hash(mer, b64([]byte(doc)), cert)), want: "body-not-encrypted", also: "doc-ok"},
		{name: "changed on the way", message: json(altered, sign), want: "body-altered", also: "sign-unchecked"},
		{name: "changed on the way, cert missing", message: json(altered, sign), keys: func(k *diagnose.Keys) { k.Cert = "" }, want: "key-form", also: "body-altered"},
	})
}

func TestSignatureDefects(t *testing.T) {
	t.Parallel()
	doc := golden(t, "recharge.request.xml")
	body := sealDoc(doc)
	sign := hash(mer, body, cert)
	lower := strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d").Replace(url.QueryEscape(body))
	check(t, []defect{
		{name: "upper case", message: request(body, strings.ToUpper(sign)), want: "sign-upper", also: "sign-ok"},
		{name: "empty", message: request(body, ""), want: "sign-form"},
		{name: "white space", message: fmt.Sprintf(`{"pMerCode":%q,"p3DesXmlPara":%q,"pSign":%q}`, mer, body, sign+"\n"), want: "sign-upper", also: "sign-ok"},
		{name: "31 digits", message: request(body, sign[:31]), want: "sign-form"},
		{name: "not hexadecimal", message: request(body, "z"+sign[1:]), want: "sign-form"},
		{name: "request with RSA", message: request(body, strings.Repeat("ab", 128)), want: "sign-form"},
		{name: "over the XML", message: request(body, hash(mer, doc, cert)), want: "sign-over-xml"},
		{name: "over the percent-encoded body", message: request(body, hash(mer, url.QueryEscape(body), cert)), want: "sign-over-percent"},
		{name: "over the percent-encoded body in lower case", message: request(body, hash(mer, lower, cert)), want: "sign-over-percent"},
		{name: "with a line feed behind the cert", message: request(body, hash(mer, body, cert, "\n")), want: "sign-cert-newline"},
		{name: "with the configured cert's line feed", message: request(body, hash(mer, body, cert, "\r\n")), keys: func(k *diagnose.Keys) { k.Cert += "\r\n" }, want: "key-space", also: "sign-cert-newline"},
		{name: "two mistakes", message: request(body, hash(mer, wrap(body, 76, "\r\n"), cert, "\n")), want: "sign-over-line-breaks", also: "sign-cert-newline"},
		{name: "no way", message: request(body, hash("something else")), want: "cert-wrong"},
		{name: "no way, and another key", message: request(body, hash("something else")), keys: func(k *diagnose.Keys) { k.Key = other.Key }, want: "sign-unexplained", also: "key-wrong"},
		{name: "a query's account left out", message: "argMerCode=" + mer + "\nargIpsAccount=4021000000000001\nargSign=" + hash(mer, cert), want: "sign-unexplained"},
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
		{name: "signed over GBK", message: answerForm(code, text, body, hash(mer, code, gbk(text), body, cert)), want: "text-encoding"},
		{name: "signed over GBK and line breaks", message: answerForm(code, text, body, hash(mer, code, gbk(text), wrap(body, 76, "\n"), cert)), want: "text-encoding", also: "sign-over-line-breaks"},
		{name: "captured in GBK", message: lines(gbk(text), sign), want: "text-encoding"},
		{name: "read as Latin-1", message: lines(latin, sign), want: "text-encoding"},
		{name: "text changed", message: answerForm(code, "成功", body, sign), want: "cert-wrong"},
		{name: "elements twice", message: sealed(code, text, "<pReq><pMerBillNo>1</pMerBillNo><pMerBillNo>2</pMerBillNo></pReq>"), want: "doc-twice"},
		{name: "strangers twice", message: sealed(code, text, "<pReq><pMerBillNo>1</pMerBillNo><pNew/><pNew/></pReq>"), want: "doc-twice"},
		{name: "GBK", message: sealed(code, text, gbk("<?xml version=\"1.0\" encoding=\"utf-8\"?><pReq><pMerBillNo>1</pMerBillNo><pMemo1>备注</pMemo1></pReq>")), want: "doc-encoding", also: "doc-ok"},
		// GBK that says so can be read.
		{name: "declared GBK", message: sealed(code, text, gbk("<?xml version=\"1.0\" encoding=\"GBK\"?><pReq><pMerBillNo>1</pMerBillNo><pMemo1>备注</pMemo1></pReq>")), also: "doc-ok"},
		{name: "elements of its own", message: sealed(code, text, strings.Replace(golden(t, "register-bid.response.xml"), "<pMemo1>", "<pNew>1</pNew><pMemo1>", 1)), also: "doc-ok"},
		{name: "a refusal without a body", message: answerForm("MG99999F", "参数为空", "", hash(mer, "MG99999F", "参数为空", cert)), also: "body-empty"},
	})
}

// TestRSA: requests are MD5 in both modes, answers as the public key says.
func TestRSA(t *testing.T) {
	t.Parallel()
	priv, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	wrong, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	const code, text = "MG00000F", "操作成功！"
	body := sealDoc(golden(t, "recharge.response.xml"))
	signRSA := func(k *rsa.PrivateKey, parts ...string) string {
		sum := md5.Sum([]byte(strings.Join(parts, "")))
		raw, err := rsa.SignPKCS1v15(nil, k, crypto.MD5, sum[:])
		require.NoError(t, err)
		return hex.EncodeToString(raw)
	}
	good := answerForm(code, text, body, signRSA(priv, mer, code, text, body, cert))
	mode := func(k *diagnose.Keys) { k.PublicKey = &priv.PublicKey }
	check(t, []defect{
		{name: "healthy", message: good, keys: mode, also: "sign-ok"},
		{name: "request", message: request(body, hash(mer, body, cert)), keys: mode, want: "doc-unknown", also: "sign-ok"},
		{name: "no public key", message: good, want: "sign-form", also: "decrypt-ok"},
		{name: "MD5 in RSA mode", message: answerForm(code, text, body, hash(mer, code, text, body, cert)), keys: mode, want: "sign-form"},
		{name: "line breaks", message: answerForm(code, text, body, signRSA(priv, mer, code, text, wrap(body, 76, "\n"), cert)), keys: mode, want: "sign-over-line-breaks"},
		{name: "another key", message: answerForm(code, text, body, signRSA(wrong, mer, code, text, body, cert)), keys: mode, want: "cert-wrong"},
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
	check(t, []defect{
		{name: "another key", message: send(encrypt(pkcs5(doc), other.Key, iv)), want: "key-wrong", also: "sign-ok"},
		{name: "another IV", message: send(encrypt(pkcs5(doc), key, other.IV)), want: "iv-wrong", also: "sign-ok"},
		{name: "another IV like ours", message: send(encrypt(pkcs5(doc), key, "2EDxsEfq")), want: "iv-wrong", also: "sign-ok"},
		{name: "a random IV", message: send(encrypt(pkcs5(doc), key, "\x9f\x01\xe2\x00\x7f\x83\xaa\x10")), want: "iv-wrong"},
		{name: "zero IV", message: send(encrypt(pkcs5(doc), key, strings.Repeat("\x00", 8))), want: "iv-wrong"},
		{name: "zero padding", message: send(encrypt(doc+strings.Repeat("\x00", 5), key, iv)), want: "padding-wrong", also: "doc-ok"},
		{name: "no padding", message: send(encrypt(even, key, iv)), want: "padding-wrong", also: "doc-ok"},
		{name: "padding of spaces", message: send(encrypt(doc+"     ", key, iv)), want: "padding-wrong", also: "doc-ok"},
		{name: "ISO 10126", message: send(encrypt(doc+"\x17\x99\xf0\x22\x05", key, iv)), want: "padding-wrong", also: "doc-ok"},
		{name: "cut and signed so", message: send(encrypt(pkcs5(doc), key, iv)[:400]), want: "body-cut", also: "doc-unchecked"},
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
		{name: "GBK", message: send(gbk(doc)), want: "doc-encoding", also: "doc-ok"},
		{name: "GBK and declared so", message: send(gbk(fromGBK)), want: "doc-encoding", also: "doc-ok"},
		{name: "declared as GBK", message: send(fromGBK), want: "doc-declared", also: "doc-ok"},
		{name: "not UTF-8", message: edit("备注一", "\xff\xfe\xfd"), want: "doc-encoding"},
		{name: "white space before", message: send("\r\n" + doc), want: "doc-beginning"},
		{name: "something else", message: send("hello, this is a text and no document"), want: "doc-beginning"},
		{name: "another root", message: send(strings.ReplaceAll(doc, "pReq", "pRes")), want: "doc-beginning"},
		{name: "an & in a URL", message: edit("p2p.example.com/back", "p2p.example.com/back?a=1&b=2"), want: "doc-xml"},
		{name: "a < in a text", message: edit("备注一", "1 < 2"), want: "doc-xml"},
		{name: "wrong end tag", message: edit("</pMemo1>", "</pMemo>"), want: "doc-xml"},
		{name: "cut", message: send(doc[:len(doc)-20]), want: "doc-xml"},
		{name: "missing", message: edit("<pTrdDate>20141213</pTrdDate>", ""), also: "doc-absent"},
		{name: "order", message: edit("<pAcctType>1</pAcctType><pIdentNo>110101199001010002</pIdentNo>", "<pIdentNo>110101199001010002</pIdentNo><pAcctType>1</pAcctType>"), also: "doc-order"},
		{name: "unknown", message: edit("<pMemo1>", "<pSomethingNew>张三</pSomethingNew><pMemo1>"), want: "doc-unknown", also: "doc-contract"},
		{name: "unknown and personal", message: edit("<pMemo1>", "<张三></张三><pMemo1>"), want: "doc-unknown"},
		{name: "misspelt", message: send(strings.ReplaceAll(doc, "pTrdBnkCode", "pTrdBankCode")), want: "doc-unknown", also: "doc-absent"},
		{name: "lower case", message: send(strings.ReplaceAll(doc, "pMerBillNo", "pmerbillno")), want: "doc-unknown"},
		{name: "twice", message: edit("<pMemo1>", "<pTrdDate>20141213</pTrdDate><pMemo1>"), want: "doc-twice"},
		{name: "BOM", message: send("\uFEFF" + doc), also: "doc-bom"},
		{name: "indented", message: send(strings.ReplaceAll(doc, "><", ">\n  <")), also: "doc-ok"},
		{name: "missing in a row", message: transfer("<pFTrdFee>10.00</pFTrdFee>", ""), also: "doc-absent"},
		{name: "order in a row", message: transfer("<pFTrdFee>10.00</pFTrdFee><pTAcctType>1</pTAcctType>", "<pTAcctType>1</pTAcctType><pFTrdFee>10.00</pFTrdFee>"), also: "doc-order"},
		{name: "the platform's misspelling in a request", message: transfer("<pFAcctType>1</pFAcctType>", "<pFAccType>1</pFAccType>"), want: "doc-unknown"},
	})
	r := diagnose.Message([]byte(edit("pTrdBnkCode>00004</pTrdBnkCode", "pTrdBankCode>00004</pTrdBankCode")), testKeys)
	assert.Contains(t, text(r, "doc-unknown"), "<pTrdBankCode>")
	assert.Contains(t, text(r, "doc-absent"), "pTrdBnkCode")
	assert.Contains(t, text(r, "doc-contract"), "The elements of recharge, in order: pMerBillNo pAcctType pIdentNo")
}

func TestKeysAreSilent(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		assert.Equal(t, "diagnose.Keys{secrets:hidden}", fmt.Sprintf(verb, testKeys))
	}
}

// TestBounded: messages that are made to hurt come to an end like others, and
// none costs more than a small multiple of its size.
func TestBounded(t *testing.T) {
	body := strings.Repeat("AAAA", 1<<16)
	flat := strings.Repeat("<pX/>", 10_000)
	formatting := "<p>"
	for i := range 400 {
		formatting += fmt.Sprintf("<b a%d>", i)
	}
	for name, message := range map[string]string{
		"body":     answerForm("MG00000F", "x", body, hash("x")),
		"message":  answerForm("MG00000F", strings.Repeat("x", 1<<17), "AAAAAAAAAAA=", hash("x")),
		"merchant": "pMerCode=" + strings.Repeat("x", 1<<17) + "&p3DesXmlPara=AAAAAAAAAAA=&pSign=" + hash("x"),
		"elements": request(sealDoc("<pReq>"+flat+"</pReq>"), hash("x")),
		"rows":     request(sealDoc("<pReq><pDate/><pDetails>"+strings.Repeat("<pRow><pX/><pY/></pRow>", 3_000)+"</pDetails></pReq>"), hash("x")),
		"nested":   strings.Repeat("<a>", 1<<15),
		"brackets": strings.Repeat("[", 1<<17),
		"names":    strings.Repeat("pSign=&", 1<<14),
		"escapes":  "pSign=&pMerCode=" + strings.Repeat("&#", 1<<16),
		"lines":    "p3DesXmlPara: " + strings.Repeat("A\n", 1<<16) + "pSign: x",
		"quotes":   strings.Repeat(`pSign: "`, 1<<14),
		"html":     "<html>" + strings.Repeat("<form><table>", 10_000),
		"page":     "<html>" + formatting + "</p>" + strings.Repeat("<p>a</p>", 30_000) + "<input name=pSign value=x>", // of 243 kB
		"inputs":   "<html>" + strings.Repeat("<input name=pSign value=x>", 10_000),
		"cdata":    "<pReq><a>" + strings.Repeat("<![CDATA[x]]>", 15_000) + "</a></pReq>",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := diagnose.Message([]byte(message), testKeys, other)
		runtime.ReadMemStats(&after)
		assert.NotEmpty(t, r.String(), name)
		t.Logf("%s: %d kB cost %d kB", name, len(message)>>10, (after.TotalAlloc-before.TotalAlloc)>>10)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(192<<20), name)
	}
}

func FuzzMessage(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(request(v.Ciphertext, v.RequestSign)))
	}
	for _, name := range []string{"open-account.form.html", "unfreeze-margin.soap.xml", "transfer.request.xml", "query-balance.response.xml", "query-banks.request.xml"} {
		f.Add([]byte(golden(f, name)))
	}
	f.Add([]byte(`{"pMerCode":1,"x":[{"name":"pSign","value":"a"}]}`))
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: x\r\n\r\npSign=1&pMerCode=2"))
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

func FuzzRequest(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.MerCode, v.Ciphertext, v.RequestSign)
	}
	f.Add(mer, "%2BAAA&#43;\r\nAA =", "")
	f.Fuzz(func(t *testing.T, code, body, sign string) {
		for _, got := range diagnose.Request(url.Values{"pMerCode": {code}, "p3DesXmlPara": {body}, "pSign": {sign}}, testKeys, other) {
			if got.ID == "" || got.Text == "" || got.Chinese == "" || strings.Contains(got.Text+got.Chinese, "%!") {
				t.Fatalf("%+v", got)
			}
		}
	})
}
