package soap

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// agree reads an answer both ways: what the short way takes, the long way must
// take too, and read the same.
func agree(t *testing.T, doc, contentType string) (taken bool) {
	t.Helper()
	quick, ok := quickResult(doc, contentType, "Op")
	if !ok {
		return false
	}
	slow, fault, err := slowResponse([]byte(doc), contentType, "Op")
	require.NoError(t, err, "only the short way takes %q", doc)
	require.Nil(t, fault, "%q", doc)
	require.Equal(t, slow, quick, "%q", doc)
	return true
}

// asmx is an answer as ASMX writes it.
const asmx = `<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" ` +
	`xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>` +
	`<OpResponse xmlns="http://tempuri.org/"><OpResult>&lt;pReq&gt;张三&amp;amp;&lt;/pReq&gt;</OpResult></OpResponse></soap:Body></soap:Envelope>`

func TestQuickAgrees(t *testing.T) {
	t.Parallel()
	for doc, taken := range map[string]bool{
		asmx:                  true,
		"\xEF\xBB\xBF" + asmx: true,
		asmx + "\n":           true,
		"<Envelope> <Body>\n<OpResponse><OpResult></OpResult></OpResponse></Body>\t</Envelope>":                                  true,
		"<a:Envelope><b:Body><c:OpResponse d:e=\"f\"><OpResult><![CDATA[<x>]]>y</OpResult></c:OpResponse></b:Body></a:Envelope>": true,
		strings.Replace(asmx, "</OpResult>", "</opResult>", 1):                                                                   false,
		strings.Replace(asmx, "</soap:Body>", "</Body>", 1):                                                                      false,
		strings.Replace(asmx, "<OpResult>", "<OpResult/>", 1):                                                                    false,
		strings.Replace(asmx, "<OpResult>", "<OpResult><x/>", 1):                                                                 false,
		strings.Replace(asmx, "<OpResponse", "<OtherResponse", 1):                                                                false,
		strings.Replace(asmx, "<soap:Body>", "<soap:Header/><soap:Body>", 1):                                                     false,
		strings.Replace(asmx, ` xmlns:xsi="`, ` xmlns:xsi='`, 1):                                                                 false,
		strings.Replace(asmx, ` xmlns:xsi="`, ` xmlns:xsi="&lt;`, 1):                                                             false,
		strings.Replace(asmx, ` xmlns:xsi="`, ` ="`, 1):                                                                          false,
		strings.Replace(asmx, ` xmlns:xsi="`, ` a:="`, 1):                                                                        false,
		strings.Replace(asmx, "&lt;", "&#60;", 1):                                                                                false,
		strings.Replace(asmx, "张三", "张\r\n三", 1):                                                                                 false,
		asmx + "x":                 false,
		asmx[:len(asmx)-1]:         false,
		asmx[:len(asmx)/2]:         false,
		"<soap:Envelope xmlns=\"a": false,
		"":                         false,
	} {
		assert.Equal(t, taken, agree(t, doc, "text/xml; charset=utf-8"), doc)
	}
	assert.False(t, agree(t, asmx, "text/xml; charset=gbk"), "another encoding")
	assert.True(t, agree(t, asmx, "text/xml"))
}

// FuzzQuick holds the short way to the long way.
func FuzzQuick(f *testing.F) {
	f.Add(asmx, "text/xml; charset=utf-8")
	f.Add("\xEF\xBB\xBF"+asmx, "text/xml")
	f.Add("<Envelope a=\"b\" c:d=\"\"> <Body><OpResponse><OpResult><![CDATA[x]]>&amp;</OpResult></OpResponse></Body></Envelope>", "charset=UTF-8")
	f.Fuzz(func(t *testing.T, doc, contentType string) { agree(t, doc, contentType) })
}
