package soap

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	got := Request("http://tempuri.org/", "Transfer", []Param{{"pMerCode", "808801"}, {"p3DesXmlPara", "a+/="}, {"pSign", ""}})
	assert.Equal(t, `<?xml version="1.0" encoding="utf-8"?>`+
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><Transfer xmlns="http://tempuri.org/">`+
		`<pMerCode>808801</pMerCode><p3DesXmlPara>a+/=</p3DesXmlPara><pSign></pSign></Transfer></soap:Body></soap:Envelope>`, string(got))
	assert.Contains(t, string(Request("urn:x", "Op", nil)), `<Op xmlns="urn:x"></Op>`)
}

// TestRequestEscapes reads awkward texts back with the standard library.
func TestRequestEscapes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`<&>"'`, "]]>", "\r\n\t", "张三𠮷😀", "plain"} {
		var got struct {
			Body struct {
				Op struct {
					XMLName xml.Name
					P       string `xml:"p"`
				} `xml:"Op"`
			} `xml:"Body"`
		}
		require.NoError(t, xml.Unmarshal(Request(`urn:"<&>`, "Op", []Param{{"p", text}}), &got))
		assert.Equal(t, text, got.Body.Op.P)
		assert.Equal(t, `urn:"<&>`, got.Body.Op.XMLName.Space)
	}
}

func TestAction(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `"http://tempuri.org/Transfer"`, Action("http://tempuri.org/", "Transfer"))
	assert.Equal(t, `"http://tempuri.org/Transfer"`, Action("http://tempuri.org", "Transfer"))
}

func wrap(body string) string {
	return `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">` +
		`<soap:Header><x>1</x></soap:Header><soap:Body>` + body + `</soap:Body></soap:Envelope>`
}

func TestResponse(t *testing.T) {
	t.Parallel()
	const inner = `&lt;pReq&gt;&lt;a&gt;1 &amp;amp; 2&lt;/a&gt;&lt;/pReq&gt;`
	for name, doc := range map[string]string{
		"escaped":       wrap(`<OpResponse xmlns="http://tempuri.org/"><OpResult>` + inner + `</OpResult></OpResponse>`),
		"prefix":        wrap(`<n:OpResponse xmlns:n="urn:any"><n:OpResult>` + inner + `</n:OpResult></n:OpResponse>`),
		"CDATA":         wrap(`<OpResponse><OpResult><![CDATA[<pReq><a>1 &amp; 2</a></pReq>]]></OpResult></OpResponse>`),
		"white space":   strings.ReplaceAll(wrap("<OpResponse>\n<OpResult>"+inner+"</OpResult>\n</OpResponse>"), "><soap", ">\r\n <soap"),
		"other results": wrap(`<OpResponse><Other>x</Other><OpResult>` + inner + `</OpResult><Other/></OpResponse>`),
		"SOAP 1.2":      strings.Replace(wrap(`<OpResponse><OpResult>`+inner+`</OpResult></OpResponse>`), "schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope", 1),
		"BOM":           "\xEF\xBB\xBF" + wrap(`<OpResponse><OpResult>`+inner+`</OpResult></OpResponse>`),
	} {
		result, fault, err := Response([]byte(doc), "text/xml; charset=utf-8", "Op")
		require.NoError(t, err, name)
		assert.Nil(t, fault)
		assert.Equal(t, `<pReq><a>1 &amp; 2</a></pReq>`, result, name)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want Fault
	}{
		"1.1":        {`<soap:Fault><faultcode>soap:Server</faultcode><faultstring> 系统 &lt;错误&gt; </faultstring><detail/></soap:Fault>`, Fault{"Server", "系统 <错误>"}},
		"no prefix":  {`<soap:Fault><faultcode>Client</faultcode><faultstring>x</faultstring></soap:Fault>`, Fault{"Client", "x"}},
		"no text":    {`<soap:Fault/>`, Fault{}},
		"with space": {"<soap:Fault>\n<faultcode>\n soap:Client \n</faultcode></soap:Fault>", Fault{"Client", ""}},
		"1.2": {`<soap:Fault><soap:Code><soap:Value>soap:Receiver</soap:Value><soap:Subcode><soap:Value>x:y</soap:Value></soap:Subcode></soap:Code>` +
			`<soap:Reason><soap:Text xml:lang="zh">错误</soap:Text></soap:Reason></soap:Fault>`, Fault{"Receiver", "错误"}},
	} {
		result, fault, err := Response([]byte(wrap(tt.body)), "", "Op")
		require.NoError(t, err, name)
		assert.Empty(t, result)
		require.NotNil(t, fault)
		assert.Equal(t, tt.want, *fault, name)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	const good = `<OpResponse><OpResult>x</OpResult></OpResponse>`
	for name, tt := range map[string]struct{ doc, want string }{
		"empty":                 {"", "it is empty"},
		"white space":           {"  ", "it is empty"},
		"not XML":               {"<a", "not XML"},
		"truncated":             {wrap(good)[:200], "not XML"},
		"HTML":                  {"<html><body></body></html>", "not an envelope"},
		"two envelopes":         {wrap(good) + strings.TrimPrefix(wrap(good), `<?xml version="1.0" encoding="utf-8"?>`), "not an envelope"},
		"two bodies":            {strings.Replace(wrap(good), "</soap:Envelope>", "<soap:Body>"+good+"</soap:Body></soap:Envelope>", 1), "two bodies"},
		"DTD":                   {`<!DOCTYPE a [<!ENTITY b "c">]>` + wrap(good), "a document type is refused"},
		"unknown entity":        {wrap(`<OpResponse><OpResult>&b;</OpResult></OpResponse>`), "not XML"},
		"no result":             {wrap(`<OpResponse/>`), "no OpResult"},
		"another operation's":   {wrap(`<OtherResponse><OtherResult>x</OtherResult></OtherResponse>`), "no OpResult"},
		"result in the header":  {strings.Replace(wrap(""), "<x>1</x>", good, 1), "no OpResult"},
		"result not in its own": {wrap(`<Other><OpResult>x</OpResult></Other>`), "no OpResult"},
		"two results":           {wrap(`<OpResponse><OpResult>x</OpResult><OpResult>x</OpResult></OpResponse>`), "more than one result"},
		"two answers":           {wrap(good + good), "more than one result"},
		"result and fault":      {wrap(good + `<soap:Fault/>`), "more than one result"},
		"too deep":              {wrap(strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20)), "nested too deeply"},
		"unknown encoding":      {`<?xml version="1.0" encoding="klingon"?><a/>`, "not XML"},
	} {
		_, fault, err := Response([]byte(tt.doc), "text/xml", "Op")
		require.ErrorIs(t, err, ErrMalformed, name)
		assert.ErrorContains(t, err, tt.want, name)
		assert.Nil(t, fault)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	doc := wrap(`<OpResponse><OpResult>张三</OpResult></OpResponse>`)
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(doc)
	require.NoError(t, err)
	for name, tt := range map[string]struct{ doc, contentType string }{
		"content type":           {gbk, "text/xml; Charset=GBK"},
		"quoted":                 {gbk, `text/xml; charset="gbk"; action="x"`},
		"declaration":            {strings.Replace(gbk, "utf-8", "GBK", 1), "text/xml"},
		"type over declaration":  {strings.Replace(doc, "utf-8", "GBK", 1), "text/xml; charset=utf-8"},
		"BOM over type":          {"\xEF\xBB\xBF" + doc, "text/xml; charset=gbk"},
		"unknown type is no use": {strings.Replace(gbk, "utf-8", "GBK", 1), "text/xml; charset=klingon"},
	} {
		result, _, err := Response([]byte(tt.doc), tt.contentType, "Op")
		require.NoError(t, err, name)
		assert.Equal(t, "张三", result, name)
	}
}

// FuzzResponse: exactly one of result, fault and error, and no panic.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(wrap(`<OpResponse><OpResult>x</OpResult></OpResponse>`)), "text/xml")
	f.Add([]byte(wrap(`<soap:Fault><faultcode>a:b</faultcode></soap:Fault>`)), "text/xml; charset=gbk")
	f.Add([]byte("\xEF\xBB\xBF<Envelope><Body/></Envelope>"), "charset=utf-16")
	f.Fuzz(func(t *testing.T, doc []byte, contentType string) {
		result, fault, err := Response(doc, contentType, "Op")
		if err != nil && (result != "" || fault != nil) || fault != nil && result != "" {
			t.Fatalf("%q, %v, %v", result, fault, err)
		}
	})
}
