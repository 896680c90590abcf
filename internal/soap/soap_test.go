package soap

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/ips-p2p/ips/internal/xmltext"
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
		"two envelopes":         {wrap(good) + strings.TrimPrefix(wrap(good), `<?xml version="1.0" encoding="utf-8"?>`), "a second root"},
		"two bodies":            {strings.Replace(wrap(good), "</soap:Envelope>", "<soap:Body>"+good+"</soap:Body></soap:Envelope>", 1), "two bodies"},
		"DTD":                   {`<!DOCTYPE a [<!ENTITY b "c">]>` + wrap(good), "a document type or other directive is refused"},
		"unknown entity":        {wrap(`<OpResponse><OpResult>&b;</OpResult></OpResponse>`), "not XML"},
		"no result":             {wrap(`<OpResponse/>`), "no OpResult"},
		"another operation's":   {wrap(`<OtherResponse><OtherResult>x</OtherResult></OtherResponse>`), "no OpResult"},
		"result in the header":  {strings.Replace(wrap(""), "<x>1</x>", good, 1), "no OpResult"},
		"result not in its own": {wrap(`<Other><OpResult>x</OpResult></Other>`), "no OpResult"},
		"two results":           {wrap(`<OpResponse><OpResult>x</OpResult><OpResult>x</OpResult></OpResponse>`), "more than one result"},
		"two answers":           {wrap(good + good), "more than one result"},
		"result and fault":      {wrap(good + `<soap:Fault/>`), "more than one result"},
		"too deep":              {wrap(strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20)), "elements nested too deeply"},
		"elements in a result":  {wrap(`<OpResponse><OpResult><x/>y</OpResult></OpResponse>`), "elements where the result's text belongs"},
		"two faults":            {wrap(`<soap:Fault/><soap:Fault/>`), "two faults"},
		"a control character":   {strings.Replace(wrap(good), "<soap:Body>", "<soap:Body a=\"\x0f\">", 1), "not XML: a control character"},
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

// oracle reads an answer in UTF-8 with encoding/xml.
func oracle(doc, op string) (result string, fault *Fault, err error) {
	d := xml.NewDecoder(strings.NewReader(doc))
	var path []string
	var texts []string // of the open elements, since the latest tag
	roots, results, bodies := 0, 0, 0
	for {
		token, err := d.Token()
		at := strings.Join(path, "/")
		switch t := token.(type) {
		case nil:
			if err != io.EOF {
				return "", nil, err
			}
			if roots != 1 || results+map[bool]int{true: 1}[fault != nil] != 1 {
				return "", nil, fmt.Errorf("%d roots, %d results, fault %v", roots, results, fault)
			}
			return result, fault, nil
		case xml.StartElement:
			path, texts = append(path, t.Name.Local), append(texts, "")
			switch at = strings.Join(path, "/"); {
			case len(path) == 1:
				roots++
				if at != "Envelope" {
					return "", nil, errors.New(at)
				}
			case at == "Envelope/Body":
				if bodies++; bodies > 1 {
					return "", nil, errors.New("bodies")
				}
			case at == "Envelope/Body/Fault":
				if fault != nil {
					return "", nil, errors.New("faults")
				}
				fault = &Fault{}
			case at == "Envelope/Body/"+op+"Response/"+op+"Result":
				results++
			case strings.HasPrefix(at, "Envelope/Body/"+op+"Response/"+op+"Result/"):
				return "", nil, errors.New("elements in the result")
			}
		case xml.EndElement:
			text := texts[len(texts)-1]
			switch at {
			case "Envelope/Body/" + op + "Response/" + op + "Result":
				result = text
			case "Envelope/Body/Fault/faultcode", "Envelope/Body/Fault/Code/Value":
				fault.Code = strings.TrimSpace(text[strings.LastIndexByte(text, ':')+1:])
			case "Envelope/Body/Fault/faultstring", "Envelope/Body/Fault/Reason/Text":
				fault.String = strings.TrimSpace(text)
			}
			path, texts = path[:len(path)-1], texts[:len(texts)-1]
			if len(texts) > 0 {
				texts[len(texts)-1] = ""
			}
		case xml.CharData:
			if len(texts) > 0 {
				texts[len(texts)-1] += string(t)
			} else if strings.TrimSpace(string(t)) != "" {
				return "", nil, errors.New("text outside")
			}
		case xml.Directive:
			return "", nil, errors.New("directive")
		}
	}
}

// FuzzResponse: exactly one of result, fault and error, and what encoding/xml
// reads. Where the two differ about XML is the business of xmltext's fuzz test.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(wrap(`<OpResponse><OpResult>x</OpResult></OpResponse>`)), "text/xml")
	f.Add([]byte(wrap(`<soap:Fault><faultcode>a:b</faultcode></soap:Fault>`)), "text/xml; charset=gbk")
	f.Add([]byte("\xEF\xBB\xBF<Envelope><Body/></Envelope>"), "charset=utf-16")
	f.Add([]byte(`<Envelope a="b" c:d=""> <Body><OpResponse><OpResult><![CDATA[x]]>&amp;</OpResult></OpResponse></Body></Envelope>`), "charset=UTF-8")
	f.Fuzz(func(t *testing.T, doc []byte, contentType string) {
		result, fault, err := Response(doc, contentType, "Op")
		if err != nil && (result != "" || fault != nil) || fault != nil && result != "" {
			t.Fatalf("%q, %v, %v", result, fault, err)
		}
		x, broken := xmltext.NewReader(string(doc), charsetOf(contentType))
		if broken != nil || err != nil && strings.Contains(err.Error(), "not XML") {
			return
		}
		wantResult, wantFault, wantErr := oracle(x.Rest(), "Op")
		if wantErr != nil && strings.Contains(wantErr.Error(), "name") && strings.ContainsFunc(string(doc), func(r rune) bool { return r > '~' }) {
			return
		}
		if result != wantResult || (fault == nil) != (wantFault == nil) || fault != nil && *fault != *wantFault || (err == nil) != (wantErr == nil) {
			t.Fatalf("%q, %v, %v; encoding/xml: %q, %v, %v", result, fault, err, wantResult, wantFault, wantErr)
		}
	})
}
