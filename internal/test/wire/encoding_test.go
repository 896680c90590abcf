package wire_test

import (
	"context"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// awkward are texts that careless writers and readers of XML spoil.
var awkward = []string{
	`Tom & "Jerry" <cats> 'mice'`, "]]>", "<![CDATA[x]]>", "&amp;lt;", "a>b", "&#x41;", "%3C", "--><!--",
	"𠮷田", "𪚥𠀀㐀䶵", "😀🏠👨‍👩‍👧", "阿卜杜拉·买买提", "é e\u0301", "\u00a0nbsp", "全角＜＞＆", "\ufffd", "\u2028line",
}

// TestTextsSurvive reads what the client wrote with the standard library, and
// lets the client read what the standard library wrote.
func TestTextsSurvive(t *testing.T) {
	t.Parallel()
	for _, text := range awkward {
		e := exampleOf(t, ips.OpOpenAccount)
		with{"RealName", text, "Memo1", text, "ReturnURL", "https://p2p.example.com/?q=<&>'\"]]>"}.apply(t, e.request)
		raw, err := fixture.Keys().Decrypt(capture(t, e).values[1])
		require.NoError(t, err)
		var sent struct {
			XMLName xml.Name `xml:"pReq"`
			OrderNo string   `xml:"pMerBillNo"`
			Name    string   `xml:"pRealName"`
			URL     string   `xml:"pWebUrl"`
			Memo    string   `xml:"pMemo1"`
		}
		require.NoError(t, xml.Unmarshal([]byte(raw), &sent))
		assert.Equal(t, e.request.(*ips.OpenAccountRequest).OrderNo, sent.OrderNo)
		assert.Equal(t, text, sent.Name)
		assert.Equal(t, text, sent.Memo)
		assert.Equal(t, "https://p2p.example.com/?q=<&>'\"]]>", sent.URL)

		sent.OrderNo = "A1"
		written, err := xml.Marshal(sent)
		require.NoError(t, err)
		resp := read[*ips.OpenAccountResponse](t, ips.OpOpenAccount, "MG00000F", xml.Header+string(written))
		assert.Equal(t, text, resp.RealName)
		assert.Equal(t, text, resp.Memo1)
	}
}

// TestControlCharacters are refused before anything is sealed, and named.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	for text, name := range map[string]string{
		"a\x00": "U+0000", "a\x08b": "U+0008", "\x1b[31m": "U+001B", "a\vb": "U+000B", "a\fb": "U+000C",
		"\x7f": "U+007F", "\u0080": "U+0080", "\uffff": "U+FFFF",
	} {
		e := exampleOf(t, ips.OpRegisterBid)
		set(t, e.request, "Purpose", text)
		_, _, err := e.send(fixture.Client(t), e.request)
		assert.ErrorContains(t, err, "pLendPurpose) must not hold the control character "+name)
	}
}

// TestDocumentEncodings reads documents in every encoding that a platform of
// that time may have written.
func TestDocumentEncodings(t *testing.T) {
	t.Parallel()
	utf16 := func(e unicode.Endianness) encoding.Encoding { return unicode.UTF16(e, unicode.UseBOM) }
	for name, tt := range map[string]struct {
		declared string
		encoding encoding.Encoding
	}{
		"UTF-8":                    {"utf-8", encoding.Nop},
		"UTF-8, capitals":          {"UTF-8", encoding.Nop},
		"UTF-8 BOM":                {"utf-8", unicode.UTF8BOM},
		"UTF-8 BOM, declared GBK":  {"GBK", unicode.UTF8BOM},
		"GBK":                      {"GBK", simplifiedchinese.GBK},
		"GB2312":                   {"gb2312", simplifiedchinese.GBK},
		"GB18030":                  {"GB18030", simplifiedchinese.GB18030},
		"UTF-16 LE":                {"utf-16", utf16(unicode.LittleEndian)},
		"UTF-16 BE":                {"utf-16", utf16(unicode.BigEndian)},
		"UTF-16 BOM, wrong naming": {"utf-8", utf16(unicode.LittleEndian)},
	} {
		text := "张三丰，购房 & 装修"
		if tt.encoding != simplifiedchinese.GBK {
			text += "𠮷😀"
		}
		doc := `<?xml version="1.0" encoding="` + tt.declared + `"?><pReq><pMerBillNo>A1</pMerBillNo><pRealName>` + fixture.Escape(text) + `</pRealName></pReq>`
		raw, err := tt.encoding.NewEncoder().String(doc)
		require.NoError(t, err, name)
		resp := read[*ips.OpenAccountResponse](t, ips.OpOpenAccount, "MG00000F", raw)
		assert.Equal(t, text, resp.RealName, name)
	}

	// Half a UTF-16 unit, and UTF-8 that is none.
	for _, doc := range []string{
		"\xff\xfe<",
		`<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>` + "\xb2\xe2" + `</pMerBillNo></pReq>`,
	} {
		_, err := fixture.Client(t).ParseNotification(fixture.Sealed("MG00000F", "", doc).Inbound(ips.OpOpenAccount), ips.OpOpenAccount)
		assert.ErrorIs(t, err, ips.ErrMalformed)
	}
}

// TestSOAPEncodings: the envelope may be GBK, by content type or by its own
// declaration.
func TestSOAPEncodings(t *testing.T) {
	t.Parallel()
	message := "账户余额不足，账号(4021000000000001)"
	envelope := fixture.SOAP("GuaranteeUnfreeze", fixture.Sealed("MG00001F", message, "").Result())
	for name, tt := range map[string]struct {
		declared, contentType string
		encoding              encoding.Encoding
	}{
		"UTF-8":                        {"utf-8", "text/xml; charset=utf-8", encoding.Nop},
		"nothing declared":             {"utf-8", "text/xml", encoding.Nop},
		"UTF-8 BOM":                    {"utf-8", "text/xml", unicode.UTF8BOM},
		"UTF-8 BOM, type says GBK":     {"utf-8", "text/xml; charset=gbk", unicode.UTF8BOM},
		"GBK by content type":          {"utf-8", "text/xml; charset=GBK", simplifiedchinese.GBK},
		"GB18030 by content type":      {"utf-8", `text/xml; charset="gb18030"; x=y`, simplifiedchinese.GB18030},
		"GBK by declaration":           {"GBK", "text/xml", simplifiedchinese.GBK},
		"unknown type, declared GBK":   {"GBK", "text/xml; charset=klingon", simplifiedchinese.GBK},
		"content type outranks prolog": {"GBK", "text/xml; charset=utf-8", encoding.Nop},
	} {
		doc := strings.Replace(envelope, `encoding="utf-8"`, `encoding="`+tt.declared+`"`, 1)
		raw, err := tt.encoding.NewEncoder().String(doc)
		require.NoError(t, err)
		c, _ := fixture.RecordingClient(t, raw, tt.contentType)
		e := exampleOf(t, ips.OpUnfreezeMargin)
		_, resp, err := e.send(c, e.request)
		var refused *ips.Error
		require.ErrorAs(t, err, &refused, name)
		assert.Equal(t, message, refused.Message, name)
		assert.Empty(t, resp.Base().OrderNo, "it names none, and nobody does it in its place")
		require.ErrorIs(t, err, ips.ErrFateUnknown)
	}
}

// TestPageEncodings: the page that answers a server-posted form may be GBK, by
// content type, by meta element, or UTF-8 with a byte order mark.
func TestPageEncodings(t *testing.T) {
	t.Parallel()
	message := "标的结束处理中，稍候"
	doc := fixture.Document("pMerBillNo", "B20141213000001")
	page := fixture.Sealed("MG02503F", message, doc).Page()
	for name, tt := range map[string]struct {
		meta, contentType string
		encoding          encoding.Encoding
	}{
		"UTF-8":               {"utf-8", "text/html; charset=utf-8", encoding.Nop},
		"UTF-8 by meta":       {"utf-8", "text/html", encoding.Nop},
		"UTF-8 BOM":           {"gbk", "text/html", unicode.UTF8BOM},
		"GBK by content type": {"utf-8", "text/html; charset=gb2312", simplifiedchinese.GBK},
		"GBK by meta":         {"gb2312", "text/html", simplifiedchinese.GBK},
		"GB18030":             {"gb18030", "", simplifiedchinese.GB18030},
	} {
		raw, err := tt.encoding.NewEncoder().String(strings.Replace(page, `charset="utf-8"`, `charset="`+tt.meta+`"`, 1))
		require.NoError(t, err)
		c, _ := fixture.RecordingClient(t, raw, tt.contentType)
		resp, err := c.EndBid(context.Background(), *exampleOf(t, ips.OpEndBid).request.(*ips.EndBidRequest))
		require.NoError(t, err, name)
		assert.Equal(t, message, resp.Message, name)
		assert.Equal(t, ips.Pending, resp.Outcome)
	}
}
