package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const decl = `<?xml version="1.0" encoding="utf-8"?>`

func gb18030(t *testing.T, s string) []byte {
	t.Helper()
	b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	require.NoError(t, err)
	return b
}

func TestReadDocumentTolerates(t *testing.T) {
	t.Parallel()
	zhang := engine.Message{{Name: "pMerBillNo", Value: "A1"}, {Name: "pRealName", Value: "张三"}}
	for name, c := range map[string]struct {
		doc  []byte
		want engine.Message
	}{
		"as the contract has it": {[]byte(decl + `<pReq><pMerBillNo>A1</pMerBillNo><pRealName>张三</pRealName></pReq>`), zhang},
		"no declaration":         {[]byte(`<pReq><pMerBillNo>A1</pMerBillNo><pRealName>张三</pRealName></pReq>`), zhang},
		"byte order mark":        {[]byte("\ufeff" + decl + `<pReq><pMerBillNo>A1</pMerBillNo><pRealName>张三</pRealName></pReq>`), zhang},
		"upper-case encoding":    {[]byte(`<?xml version='1.0' encoding='UTF-8'?><pReq><pMerBillNo>A1</pMerBillNo><pRealName>张三</pRealName></pReq>`), zhang},
		"GBK": {gb18030(t, `<?xml version="1.0" encoding="GBK"?><pReq><pMerBillNo>A1</pMerBillNo><pRealName>张三</pRealName></pReq>`),
			zhang},
		"gb2312": {gb18030(t, `<?xml version="1.0" encoding="gb2312"?><pReq><pMerBillNo>A1</pMerBillNo><pRealName>张三</pRealName></pReq>`),
			zhang},
		"GB18030": {gb18030(t, `<?xml version="1.0" encoding="GB18030"?><pReq><pRealName>𠮷</pRealName></pReq>`),
			engine.Message{{Name: "pRealName", Value: "𠮷"}}},
		"CDATA": {[]byte(`<pReq><pMerBillNo><![CDATA[A1]]></pMerBillNo><pRealName><![CDATA[张]]>三</pRealName></pReq>`), zhang},
		"CDATA with markup": {[]byte(`<pReq><pMemo1><![CDATA[<a&b>]]></pMemo1></pReq>`),
			engine.Message{{Name: "pMemo1", Value: "<a&b>"}}},
		"escapes": {[]byte(`<pReq><pMemo1>&lt;a&amp;b&gt;&#x5F20;</pMemo1></pReq>`), engine.Message{{Name: "pMemo1", Value: "<a&b>张"}}},
		"pretty-printed": {[]byte(decl + "\r\n<pReq>\r\n\t<pMerBillNo>A1</pMerBillNo>\r\n\t<pRealName>张三</pRealName>\r\n</pReq>\r\n"),
			zhang},
		"comments": {[]byte(`<!--a--><pReq><!--b--><pMerBillNo>A<!--c-->1</pMerBillNo><pRealName>张三</pRealName></pReq><!--d-->`), zhang},
		"another order": {[]byte(`<pReq><pRealName>张三</pRealName><pMerBillNo>A1</pMerBillNo></pReq>`),
			engine.Message{zhang[1], zhang[0]}},
		"empty elements": {[]byte(`<pReq><pMemo1/><pMemo2 /><pMemo3></pMemo3></pReq>`),
			engine.Message{{Name: "pMemo1"}, {Name: "pMemo2"}, {Name: "pMemo3"}}},
		"white space in start tags": {[]byte("<pReq ><pLendPurpose >买车</pLendPurpose ><pUse\n>x</pUse\n><pDetails ><pRow ><a >y</a ></pRow ></pDetails ></pReq >"),
			engine.Message{{Name: "pLendPurpose", Value: "买车"}, {Name: "pUse", Value: "x"},
				{Name: "pDetails", Rows: []engine.Message{{{Name: "a", Value: "y"}}}}}},
		"space in an end tag": {[]byte(`<pReq><pMemo1>a</pMemo1 ></pReq>`), engine.Message{{Name: "pMemo1", Value: "a"}}},
		"white space in a value is content": {[]byte("<pReq><pMemo1> a\n</pMemo1></pReq>"),
			engine.Message{{Name: "pMemo1", Value: " a\n"}}},
		"rows": {[]byte("<pReq><pDetails>\n<pRow><a>1</a></pRow> <pRow><a>2</a><b/></pRow></pDetails><c>3</c></pReq>"),
			engine.Message{{Name: "pDetails", Rows: []engine.Message{
				{{Name: "a", Value: "1"}}, {{Name: "a", Value: "2"}, {Name: "b"}},
			}}, {Name: "c", Value: "3"}}},
		"no rows":   {[]byte(`<pReq><pDetails></pDetails></pReq>`), engine.Message{{Name: "pDetails"}}},
		"no fields": {[]byte(`<pReq/>`), engine.Message{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadDocument(c.doc)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestReadDocumentRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		doc  string
		want DocumentError
	}{
		"nothing":            {"", DocumentError{Err: ErrSyntax}},
		"no XML":             {"pMerBillNo=A1", DocumentError{Err: ErrRoot}},
		"cut off":            {"<pReq><pMerBillNo>A1</pMerBillNo>", DocumentError{Err: ErrSyntax, Line: 1}},
		"cut off in a value": {"<pReq>\n<pMerBillNo>A1", DocumentError{Err: ErrSyntax, Line: 2}},
		"crossed tags":       {"<pReq><a></b></pReq>", DocumentError{Err: ErrSyntax, Line: 1}},
		"unknown entity":     {"<pReq><a>&nbsp;</a></pReq>", DocumentError{Err: ErrSyntax, Line: 1}},
		"control character":  {"<pReq><a>\x01</a></pReq>", DocumentError{Err: ErrSyntax, Line: 1}},
		"another root":       {"<pRes><a>1</a></pRes>", DocumentError{Err: ErrRoot}},
		"two roots":          {"<pReq></pReq><pReq></pReq>", DocumentError{Err: ErrTrailing}},
		"text behind":        {"<pReq></pReq>x", DocumentError{Err: ErrTrailing}},
		"DTD":                {`<!DOCTYPE pReq [<!ENTITY a "b">]><pReq><a>&a;</a></pReq>`, DocumentError{Err: ErrDTD}},
		"DTD behind":         {`<pReq></pReq><!DOCTYPE pReq>`, DocumentError{Err: ErrDTD}},
		"instruction":        {`<?php x?><pReq></pReq>`, DocumentError{Err: ErrDTD}},
		"namespace":          {`<pReq xmlns="urn:x"><a>1</a></pReq>`, DocumentError{Err: ErrName, Element: "pReq"}},
		"prefix":             {`<pReq><x:a>1</x:a></pReq>`, DocumentError{Err: ErrName, Element: "a"}},
		"attribute":          {`<pReq><a b="c">1</a></pReq>`, DocumentError{Err: ErrName, Element: "a"}},
		"text between":       {`<pReq><a>1</a>2<b>3</b></pReq>`, DocumentError{Err: ErrText}},
		"nested":             {`<pReq><a><b>1</b></a></pReq>`, DocumentError{Err: ErrNesting, Element: "b"}},
		"row outside":        {`<pReq><pRow><a>1</a></pRow></pReq>`, DocumentError{Err: ErrNesting, Element: "a"}},
		"no row in details":  {`<pReq><pDetails><a>1</a></pDetails></pReq>`, DocumentError{Err: ErrNesting, Element: "a"}},
		"text in details":    {`<pReq><pDetails>1</pDetails></pReq>`, DocumentError{Err: ErrText, Element: "pDetails"}},
		"details in a row": {`<pReq><pDetails><pRow><a>1</a></pRow><pRow><pDetails><pRow/></pDetails></pRow></pDetails></pReq>`,
			DocumentError{Err: ErrNesting, Element: "pRow", Row: 2}},
		"UTF-16 declared": {`<?xml version="1.0" encoding="utf-16"?><pReq></pReq>`, DocumentError{Err: ErrCharset}},
		"not UTF-8":       {"<pReq><a>\xd5\xc5</a></pReq>", DocumentError{Err: ErrCharset}},
		"not GBK":         {"<?xml version=\"1.0\" encoding=\"GBK\"?><pReq><a>\xff\xff</a></pReq>", DocumentError{Err: ErrCharset}},
		"too many rows": {"<pReq><pDetails>" + strings.Repeat("<pRow/>", maxRows+1) + "</pDetails></pReq>",
			DocumentError{Err: ErrTooMany, Element: "pRow", Row: maxRows + 1}},
		"too many fields": {"<pReq>" + manyFields(maxFields+1) + "</pReq>", DocumentError{Err: ErrTooMany}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg, err := ReadDocument([]byte(c.doc))
			var got *DocumentError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, c.want, *got)
			assert.ErrorIs(t, err, c.want.Err)
			assert.Nil(t, msg, "a document that cannot be read must not be half read")
		})
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<f%d/>", i)
	}
	return b.String()
}

// The way back to the merchant must be known for these.
func TestReadDocumentReadsOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		doc  string
		want DocumentError
		msg  engine.Message
	}{
		"doubled": {
			`<pReq><a>1</a><a>2</a><b>3</b></pReq>`, DocumentError{Err: ErrDoubled, Element: "a"},
			engine.Message{{Name: "a", Value: "1"}, {Name: "b", Value: "3"}},
		},
		"doubled in a row": {
			`<pReq><pDetails><pRow><a>1</a><a>1</a></pRow></pDetails></pReq>`, DocumentError{Err: ErrDoubled, Element: "a", Row: 1},
			engine.Message{{Name: "pDetails", Rows: []engine.Message{{{Name: "a", Value: "1"}}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg, err := ReadDocument([]byte(c.doc))
			var got *DocumentError
			require.ErrorAs(t, err, &got)
			assert.Equal(t, c.want, *got)
			assert.Equal(t, c.msg, msg)
		})
	}
}

func TestDocumentErrorNamesThePlaceOnly(t *testing.T) {
	t.Parallel()
	_, err := ReadDocument([]byte(`<pReq><pDetails><pRow><pInAmt>1<x>110101199001010001</x></pInAmt></pRow></pDetails></pReq>`))
	assert.EqualError(t, err, "document, row 1, element x: elements nest in pDetails and pRow only")
	_, err = ReadDocument([]byte("<pReq>\n<pIdentNo>110101199001010001&x;</pIdentNo></pReq>"))
	assert.EqualError(t, err, "document, line 2: not well-formed XML")
}

func TestWriteDocument(t *testing.T) {
	t.Parallel()
	got := WriteDocument(engine.Message{
		{Name: "pMerBillNo", Value: "A&1"},
		{Name: "pRealName", Value: "张三"},
		{Name: "pDetails", Rows: []engine.Message{{{Name: "pStatus", Value: "Y"}, {Name: "pMessage"}}}},
		{Name: "pMemo1", Value: "]]>&<"},
		{Name: "pMemo2", Value: "\x00"},
	})
	assert.Equal(t, "\ufeff"+decl+`<pReq><pMerBillNo>A&amp;1</pMerBillNo><pRealName><![CDATA[张三]]></pRealName>`+
		`<pDetails><pRow><pStatus>Y</pStatus><pMessage><![CDATA[]]></pMessage></pRow></pDetails>`+
		`<pMemo1><![CDATA[]]]]><![CDATA[>&<]]></pMemo1><pMemo2><![CDATA[]]></pMemo2></pReq>`, string(got))
}

func TestText(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `<?xml version="1.0" encoding="GBK"?>张`, Text(gb18030(t, `<?xml version="1.0" encoding="GBK"?>张`)))
	assert.Equal(t, "a\ufffdb", Text([]byte("a\xffb")), "what is no text is still fit to be shown")
}

// What the reader takes, the writer writes so that it is read again.
func FuzzReadDocument(f *testing.F) {
	for _, s := range []string{
		decl + `<pReq><pMerBillNo>A1</pMerBillNo><pMemo1><![CDATA[a]]></pMemo1></pReq>`,
		"\ufeff<pReq><pDetails><pRow><a>1</a></pRow></pDetails></pReq>",
		`<pReq><pLendPurpose >x</pLendPurpose></pReq>`,
		`<pReq><a>1</a><a>2</a></pReq>`,
		`<!DOCTYPE a><pReq/>`,
		"<?xml version=\"1.0\" encoding=\"GBK\"?><pReq><a>\xd5\xc5</a></pReq>",
		`<pReq xmlns:x="y"><x:a b='c'/></pReq>`,
		`<pReq><a>]]&gt;</a></pReq>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		msg, err := ReadDocument(data)
		if err != nil {
			var fault *DocumentError
			require.ErrorAs(t, err, &fault)
			if !errors.Is(err, ErrDoubled) {
				require.Nil(t, msg)
			}
			return
		}
		again, err := ReadDocument(WriteDocument(msg))
		require.NoError(t, err)
		// In CDATA a line break cannot be kept as it came.
		require.Equal(t, normalised(msg), normalised(again))
	})
}

func normalised(m engine.Message) engine.Message {
	out := engine.Message{}
	for _, f := range m {
		f.Value = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(f.Value)
		for i := range f.Rows {
			f.Rows[i] = normalised(f.Rows[i])
		}
		out = append(out, f)
	}
	return out
}

func BenchmarkReadDocument(b *testing.B) {
	for _, rows := range []int{1, 3000} {
		row := "<pRow><pOriMerBillNo>CRE00000001</pOriMerBillNo><pTrdAmt>100.00</pTrdAmt><pFAcctType>1</pFAcctType>" +
			"<pFIpsAcctNo>4021000000000001</pFIpsAcctNo><pFTrdFee>0.00</pFTrdFee><pTAcctType>1</pTAcctType>" +
			"<pTIpsAcctNo>4021000000000002</pTIpsAcctNo><pTTrdFee>0.00</pTTrdFee></pRow>"
		doc := []byte(decl + "<pReq><pDetails>" + strings.Repeat(row, rows) + "</pDetails></pReq>")
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if _, err := ReadDocument(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
