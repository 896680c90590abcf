package sandbox_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const page = "CreateNewIpsAcct.aspx"

func TestOpeningAnAccountAnswersTwice(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	r := f.post(page, seal(f.keys, "arg", f.opening("A1")))
	action, a := r.returned(t)
	assert.Equal(t, "http://shop.example.com/back?a=1&b=2", action)
	assert.Equal(t, "MG00000F", a.code)
	document := a.open(t, f.keys, nil)
	assert.True(t, strings.HasPrefix(document, "\ufeff<?xml"), "a byte order mark comes first")
	assert.Contains(t, document, "<pMerBillNo>A1</pMerBillNo>")
	assert.Contains(t, document, "<pMemo1><![CDATA[a&b]]></pMemo1><pMemo2><![CDATA[]]></pMemo2>")

	f.delivered()
	forms := f.shop.received()
	require.Len(t, forms, 1)
	notice := fromForm(forms[0])
	assert.Equal(t, "MG00000F", notice.code)
	assert.Equal(t, document, notice.open(t, f.keys, nil))
	assert.Regexp(t, `^pMerCode=808801&pErrCode=MG00000F&pErrMsg=%[0-9a-f]{2}[^A-Z]`, f.shop.bodies[0], "hexadecimal digits are in lower case")
	assert.NotRegexp(t, `%[0-9]?[A-F]`, f.shop.bodies[0])
	require.NoError(t, f.CheckBooks())
}

// What clients of ten years ago send, and the platform took.
func TestPageTolerates(t *testing.T) {
	t.Parallel()
	gbk := func(t *testing.T, s string) string {
		b, err := simplifiedchinese.GBK.NewEncoder().String(strings.Replace(s, "utf-8", "GBK", 1))
		require.NoError(t, err)
		return b
	}
	lines := func(v url.Values) url.Values {
		body := v.Get("arg3DesXmlPara")
		var b strings.Builder
		for len(body) > 76 {
			b.WriteString(body[:76] + "\r\n")
			body = body[76:]
		}
		v.Set("arg3DesXmlPara", b.String()+body)
		return v
	}
	for name, c := range map[string]struct {
		page string
		form func(t *testing.T, f *fixture) url.Values
	}{
		"p names": {page, func(_ *testing.T, f *fixture) url.Values { return seal(f.keys, "p", f.opening("A1")) }},
		"names in another case": {page, func(_ *testing.T, f *fixture) url.Values {
			v := url.Values{}
			for name, value := range seal(f.keys, "arg", f.opening("A1")) {
				v[strings.ToLower(name)] = value
			}
			return v
		}},
		"page in another case": {"createnewipsacct.ASPX", func(_ *testing.T, f *fixture) url.Values { return seal(f.keys, "arg", f.opening("A1")) }},
		"more fields": {page, func(_ *testing.T, f *fixture) url.Values {
			v := seal(f.keys, "arg", f.opening("A1"))
			v.Set("submit", "go")
			return v
		}},
		"broken lines":    {page, func(_ *testing.T, f *fixture) url.Values { return lines(seal(f.keys, "arg", f.opening("A1"))) }},
		"byte order mark": {page, func(_ *testing.T, f *fixture) url.Values { return seal(f.keys, "arg", "\ufeff"+f.opening("A1")) }},
		"GBK":             {page, func(t *testing.T, f *fixture) url.Values { return seal(f.keys, "arg", gbk(t, f.opening("A1"))) }},
		"pretty-printed": {page, func(_ *testing.T, f *fixture) url.Values {
			return seal(f.keys, "arg", strings.ReplaceAll(f.opening("A1"), "><p", ">\r\n  <p"))
		}},
		"CDATA": {page, func(_ *testing.T, f *fixture) url.Values {
			return seal(f.keys, "arg", strings.ReplaceAll(f.opening("A1"), ">张三<", "><![CDATA[张三]]><"))
		}},
		"unknown element": {page, func(_ *testing.T, f *fixture) url.Values {
			return seal(f.keys, "arg", strings.ReplaceAll(f.opening("A1"), "</pReq>", "<pNew>1</pNew></pReq>"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{})
			_, a := f.post(c.page, c.form(t, f)).returned(t)
			assert.Equal(t, "MG00000F", a.code, a.text)
			a.open(t, f.keys, nil)
		})
	}
}

func TestPageReadsPlusSignsThatBecameSpaces(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	form := url.Values{}
	for n := 0; !strings.Contains(form.Get("arg3DesXmlPara"), "+"); n++ {
		form = seal(f.keys, "arg", f.opening("A"+strings.Repeat("1", n+1)))
	}
	raw := "argMerCode=" + form.Get("argMerCode") + "&arg3DesXmlPara=" + form.Get("arg3DesXmlPara") + "&argSign=" + form.Get("argSign")
	_, a := f.do(http.MethodPost, "/CreditWeb/"+page, "application/x-www-form-urlencoded; charset=GBK", raw).returned(t)
	assert.Equal(t, "MG00000F", a.code, a.text)
}

func TestPageTakesMultipart(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, values := range seal(f.keys, "arg", f.opening("A1")) {
		require.NoError(t, w.WriteField(name, values[0]))
	}
	file, err := w.CreateFormFile("argSign", "sign.txt")
	require.NoError(t, err)
	_, err = file.Write([]byte("a file is no field"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, a := f.do(http.MethodPost, "/CreditWeb/"+page, w.FormDataContentType(), b.String()).returned(t)
	assert.Equal(t, "MG00000F", a.code, a.text)
}

func TestPageRefusesTheEnvelope(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	good := func() url.Values { return seal(f.keys, "arg", f.opening("A1")) }
	with := func(name, value string) url.Values { v := good(); v.Set(name, value); return v }
	signed := func(body string) url.Values {
		return url.Values{"argMerCode": {"808801"}, "arg3DesXmlPara": {body}, "argSign": {f.keys.SignRequest(body)}}
	}
	for name, c := range map[string]struct {
		form url.Values
		code string
		says string
	}{
		"nothing":              {url.Values{}, "MG00006F", "必要参数(商户号)不能为空！"},
		"no merchant":          {with("argMerCode", ""), "MG00006F", "必要参数(商户号)不能为空！"},
		"no body":              {with("arg3DesXmlPara", ""), "MG00006F", "必要参数(3DES加密报文)不能为空！"},
		"no signature":         {with("argSign", ""), "MG00006F", "必要参数(签名)不能为空！"},
		"unknown merchant":     {with("argMerCode", "808802"), "MG00002F", "商户不存在，商户号(808802)"},
		"merchant of marks":    {with("argMerCode", "<script>"), "MG00002F", "商户不存在，商户号()"},
		"wrong signature":      {with("argSign", strings.Repeat("0", 32)), "MG00003F", "签名验证失败"},
		"upper-case signature": {with("argSign", strings.ToUpper(good().Get("argSign"))), "MG00003F", "签名验证失败"},
		"short signature":      {with("argSign", "0"), "MG00003F", "签名验证失败"},
		"changed body":         {with("arg3DesXmlPara", "A"+good().Get("arg3DesXmlPara")[1:]), "MG00003F", "签名验证失败"},
		"bad Base64":           {signed("*"), "MG00004F", "报文不是Base64编码"},
		"bad length":           {signed("YWJj"), "MG00004F", "报文长度不是8字节的整数倍"},
		"bad padding":          {signed("AAAAAAAAAAA="), "MG00004F", "填充不正确"},
		"mixed names":          {func() url.Values { v := good(); v.Del("argSign"); v.Set("pSign", "0"); return v }(), "MG00009F", "混用"},
		"both sets":            {func() url.Values { v := good(); v.Set("pMerCode", "808801"); return v }(), "MG00009F", "混用"},
		"doubled":              {func() url.Values { v := good(); v.Add("argSign", "0"); return v }(), "MG00009F", "字段重复，字段(argSign)"},
		"doubled in case":      {func() url.Values { v := good(); v.Add("ARGSIGN", "0"); return v }(), "MG00009F", "字段重复"},
		"not XML":              {seal(f.keys, "arg", "pMerBillNo=1"), "MG00005F", "报文根节点不是pReq"},
		"broken XML":           {seal(f.keys, "arg", "<pReq><a>"), "MG00005F", "报文不是合法的XML"},
		"DTD":                  {seal(f.keys, "arg", `<!DOCTYPE a><pReq/>`), "MG00005F", "DTD"},
		"nested":               {seal(f.keys, "arg", `<pReq><a><b/></a></pReq>`), "MG00005F", "嵌套不正确，字段(b)"},
		"attribute":            {seal(f.keys, "arg", `<pReq a="b"/>`), "MG00005F", "属性或命名空间，字段(pReq)"},
		"text":                 {seal(f.keys, "arg", `<pReq>a</pReq>`), "MG00005F", "多余内容"},
		"trailing":             {seal(f.keys, "arg", `<pReq/><pReq/>`), "MG00005F", "报文结束后"},
		"other encoding":       {seal(f.keys, "arg", `<?xml version="1.0" encoding="utf-16"?><pReq/>`), "MG00005F", "只支持UTF-8"},
		"without addresses":    {seal(f.keys, "arg", document("pMerBillNo", "A1")), "MG00006F", "不能为空"},
		"script as address":    {seal(f.keys, "arg", strings.Replace(f.opening("A1"), "http://shop.example.com/back", "javascript:alert(1)//", 1)), "MG01", "页面返回地址"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := f.post(page, c.form)
			assert.Equal(t, http.StatusOK, r.status)
			assert.Contains(t, r.body, `id="lblErrCode">`+c.code)
			assert.Contains(t, r.body, c.says)
			assert.NotContains(t, r.body, "<form", "without a known address there is no way back")
			assert.NotContains(t, r.body, "110101199001010001")
			assert.NotContains(t, r.body, "<script>")
		})
	}
}

// The document can be read far enough to find the way back.
func TestPageRefusesTheDocumentAndReturns(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for name, c := range map[string]struct {
		document string
		code     string
		text     string
	}{
		"doubled element": {
			strings.Replace(f.opening("A1"), "<pMemo1>", "<pEmail>x</pEmail><pMemo1>", 1),
			"MG00005F", "开户失败，报文字段重复，字段(pEmail)，错误码MG00005F",
		},
		"empty field": {
			strings.Replace(f.opening("A1"), "20141124", "", 1), "MG00006F", "",
		},
		"bad notification address": {
			strings.Replace(f.opening("A1"), f.shop.URL, "ftp://shop.example.com", 1), "MG01", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action, a := f.post(page, seal(f.keys, "arg", c.document)).returned(t)
			assert.Equal(t, "http://shop.example.com/back?a=1&b=2", action)
			assert.Contains(t, a.code, c.code)
			if c.text != "" {
				assert.Equal(t, c.text, a.text)
			}
			a.open(t, f.keys, nil)
		})
	}
	f.delivered()
	assert.Empty(t, f.shop.received())
}

func TestPageRefusesTheRequest(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{MaxBody: 8192})
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		method, path, contentType, body string
		status                          int
		says                            string
	}{
		"GET":             {"GET", page, "", "", 405, "请用POST方式提交"},
		"PUT":             {"PUT", page, form, "", 405, "请用POST方式提交"},
		"no such page":    {"POST", "nothing.aspx", form, "", 404, "接口不存在"},
		"no suffix":       {"POST", "CreateNewIpsAcct", form, "", 404, "接口不存在"},
		"JSON":            {"POST", page, "application/json", "{}", 415, "内容类型不正确"},
		"no content type": {"POST", page, "", "a=b", 415, "内容类型不正确"},
		"bad escape":      {"POST", page, form, "argSign=%zz", 400, "表单格式不正确"},
		"oversize":        {"POST", page, form, "argSign=" + strings.Repeat("0", 9000), 413, "内容过大"},
		"oversize parts":  {"POST", page, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"argSign\"\r\n\r\n" + strings.Repeat("0", 9000) + "\r\n--b--", 413, "内容过大"},
		"many parts":      {"POST", page, "multipart/form-data; boundary=b", strings.Repeat("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", 101), 400, "表单格式不正确"},
		"no boundary":     {"POST", page, "multipart/form-data", "x", 400, "表单格式不正确"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := f.do(c.method, "/CreditWeb/"+c.path, c.contentType, c.body)
			assert.Equal(t, c.status, r.status)
			assert.Contains(t, r.body, c.says)
			assert.Equal(t, "text/html; charset=utf-8", r.header.Get("Content-Type"))
		})
	}
	t.Run("fields in the query", func(t *testing.T) {
		r := f.do("POST", "/CreditWeb/"+page+"?"+seal(f.keys, "arg", "<pReq/>").Encode(), form, "")
		assert.Contains(t, r.body, "必要参数(商户号)不能为空！")
	})
	t.Run("elsewhere", func(t *testing.T) {
		r := f.do("POST", "/CreditWebs/"+page, form, "")
		assert.Equal(t, http.StatusNotFound, r.status)
		assert.Contains(t, r.body, "页面不存在")
	})
}

func TestMerchantsWithKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	other := sandbox.Merchant{
		Code: "900001", Name: "二号平台", Cert: strings.Repeat("c", 128), Key: "0123456789abcdefghijklmn", IV: "87654321", RSA: key,
	}
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{sandbox.TestMerchant(), other}})
	keys := keysOf(t, other)
	for _, c := range []struct {
		keys *envelope.Keys
		pub  *rsa.PublicKey
		user string
	}{{f.keys, nil, "zhangsan"}, {keys, &key.PublicKey, "lisi"}} {
		_, a := f.post(page, seal(c.keys, "arg", f.openingOf("A1", c.user))).returned(t)
		assert.Equal(t, "MG00000F", a.code, a.text)
		a.open(t, c.keys, c.pub)
	}
	f.delivered()
	for _, form := range f.shop.received() {
		a := fromForm(form)
		if a.merchant == other.Code {
			require.Len(t, a.sign, 256)
			a.open(t, keys, &key.PublicKey)
		} else {
			a.open(t, f.keys, nil)
		}
	}
	require.Len(t, f.shop.received(), 2)

	// The one's code with the other's keys is nobody.
	form := seal(keys, "arg", f.opening("A2"))
	form.Set("argMerCode", f.keys.MerCode())
	assert.Contains(t, f.post(page, form).body, "MG00003F")
}

func TestReturnPageEscapes(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	document := strings.Replace(f.opening("A1"), "http://shop.example.com/back?a=1&amp;b=2",
		"http://shop.example.com/?q=&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;", 1)
	r := f.post(page, seal(f.keys, "arg", document))
	assert.NotContains(t, r.body, "alert(1)</script>")
	assert.NotContains(t, r.body, `q=">`)
	policy := r.header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "script-src 'sha256-")
	assert.NotContains(t, policy, "unsafe")
}

func FuzzPage(f *testing.F) {
	s, err := sandbox.New(sandbox.Config{Backoff: []time.Duration{}})
	require.NoError(f, err)
	f.Cleanup(func() { s.Close() })
	keys, err := envelope.NewKeys(sandbox.TestMerchant().Code, sandbox.TestMerchant().Cert, sandbox.TestMerchant().Key, sandbox.TestMerchant().IV)
	require.NoError(f, err)
	const form = "application/x-www-form-urlencoded"
	f.Add(page, form, "argMerCode=808801&arg3DesXmlPara=AAAA&argSign=0", false)
	f.Add("registerSubject.aspx", form, document("pMerBillNo", "A1", "pOperationType", "1"), true)
	f.Add(page, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"argSign\"\r\n\r\n0\r\n--b--", false)
	f.Add("confirm/ASK0000000001", form, "tries=0&do=confirm", false)
	f.Fuzz(func(t *testing.T, path, contentType, body string, sealed bool) {
		if sealed {
			body = seal(keys, "p", body).Encode()
		}
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.URL.Path = "/CreditWeb/" + path
		req.Header.Set("Content-Type", contentType)
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		require.Less(t, rec.Code, 500)
		require.NotContains(t, rec.Body.String(), "<no value>")
		require.NoError(t, s.CheckBooks())
	})
}

// A merchant's server reads the page of an automatic repayment, which begins
// with the return form; on every other page ASP.NET's own form is the first.
func TestOnlyAnAutomaticRepaymentBeginsWithItsForm(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for page, kinds := range map[string]map[string]bool{
		"RepaymentNewTrade.aspx": {"1": false, "2": true},
		"registerSubject.aspx":   {"2": false},
	} {
		for kind, first := range kinds {
			r := f.post(page, seal(f.keys, "p", document("pMerBillNo", "R1", "pRepayType", kind, "pWebUrl", "http://shop.example.com/back")))
			forms := formTag.FindAllString(r.body, -1)
			require.NotEmpty(t, forms, r.body)
			assert.Equal(t, first, !strings.Contains(forms[0], "__VIEWSTATE"), "%s %s", page, kind)
		}
	}
}
