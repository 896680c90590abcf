package xmltext

import (
	"encoding/xml"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// event is a tag with the text before it.
type event struct {
	kind       Kind
	name, text string
}

// read reads the document to its end.
func read(r Reader) (events []event, err error) {
	for {
		kind, err := r.Next()
		if err != nil {
			return nil, err
		}
		if kind == Done {
			return events, nil
		}
		e := event{kind, r.Name, r.Text}
		if kind == End {
			e.name = ""
		}
		events = append(events, e)
	}
}

func readAll(doc, charset string) ([]event, error) {
	r, err := NewReader(doc, charset)
	if err != nil {
		return nil, err
	}
	return read(r)
}

// oracle reads a document in UTF-8 with encoding/xml. That has no root, so that
// is held to its rules here.
func oracle(doc string) (events []event, err error) {
	d := xml.NewDecoder(strings.NewReader(doc))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var text strings.Builder
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if err != nil && err != io.EOF {
			return nil, err
		}
		data, isText := token.(xml.CharData)
		if isText {
			text.Write(data)
			continue
		}
		if _, ok := token.(xml.Directive); ok {
			return nil, errors.New("directive")
		}
		start, isStart := token.(xml.StartElement)
		_, isEnd := token.(xml.EndElement)
		if err == nil && !isStart && !isEnd {
			continue
		}
		if depth == 0 && strings.TrimSpace(text.String()) != "" {
			return nil, errors.New("text outside the root")
		}
		switch {
		case err == io.EOF && roots == 1:
			return events, nil
		case isStart:
			if depth == 0 {
				roots++
			}
			depth++
			events = append(events, event{Start, start.Name.Local, text.String()})
		case isEnd:
			depth--
			events = append(events, event{End, "", text.String()})
		}
		if err == io.EOF || roots > 1 {
			return nil, errors.New("not one root")
		}
		text.Reset()
	}
}

// stricter are the reasons for which the reader refuses what encoding/xml takes,
// as the package comment says, each with what such a document has in it.
var stricter = map[string]func(doc string) bool{
	"attributes without a space between them":         func(string) bool { return true },
	"a reference to no character":                     func(string) bool { return true },
	"a name that is too long":                         func(string) bool { return true },
	"elements nested too deeply":                      func(string) bool { return true },
	"too many elements":                               func(string) bool { return true },
	"an XML declaration that is not at the beginning": func(string) bool { return true },
	"a name is missing or malformed":                  func(doc string) bool { return strings.Contains(doc, "<?") }, // two colons
	"an & that begins no entity":                      func(doc string) bool { return strings.Contains(doc, strings.Repeat("0", maxName/2)) },
	"a malformed XML declaration":                     func(string) bool { return true },
	"a malformed attribute":                           func(doc string) bool { return strings.Contains(doc, "<?xml") },
	"an attribute without end":                        func(doc string) bool { return strings.Contains(doc, "<?xml") },
	"a < in an attribute":                             func(doc string) bool { return strings.Contains(doc, "<?xml") },
	"unreadable encoding":                             func(doc string) bool { return strings.Contains(doc, "<?xml") },
	"a control character":                             func(doc string) bool { return strings.Contains(doc, "<!--") || strings.Contains(doc, "<?") },
	"a code of no character":                          func(doc string) bool { return strings.Contains(doc, "<!--") || strings.Contains(doc, "<?") },
	"bytes that are no text in UTF-8":                 func(doc string) bool { return strings.Contains(doc, "<!--") || strings.Contains(doc, "<?") },
}

// agree holds the reader to encoding/xml, from the end of the declaration on.
func agree(t *testing.T, doc string) (events []event, err error) {
	t.Helper()
	r, err := NewReader(doc, "")
	rest := doc
	if err == nil {
		rest = r.Rest()
		events, err = read(r)
	}
	want, oracleErr := oracle(rest)
	var wrong *Error
	switch {
	case err != nil && !errors.As(err, &wrong):
		t.Fatalf("%q: %v", doc, err)
	case err != nil && oracleErr == nil:
		excused := stricter[wrong.Reason]
		require.True(t, excused != nil && excused(doc), "only the reader refuses %q: %v", doc, err)
	case err == nil && oracleErr != nil:
		require.ErrorContains(t, oracleErr, "name", "only the reader takes %q: %v", doc, oracleErr)
		require.True(t, strings.ContainsFunc(doc, func(r rune) bool { return r > '~' }), "only the reader takes %q: %v", doc, oracleErr)
	case err == nil:
		require.Equal(t, want, events, "%q", doc)
	}
	return events, err
}

// text reads the text of the one element.
func text(t *testing.T, doc string) string {
	t.Helper()
	events, err := agree(t, doc)
	require.NoError(t, err, "%q", doc)
	require.Len(t, events, 2, "%q", doc)
	return events[1].text
}

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                               "",
		"plain":                          "plain",
		"一二]]":                           "一二]]",
		" \n\t":                          " \n\t",
		"<![CDATA[]]><![CDATA[]]>":       "",
		"<![CDATA[]]>a<![CDATA[]]>":      "a",
		"<![CDATA[<&\n>]]>":              "<&\n>",
		"<![CDATA[]]]]><![CDATA[>]]>":    "]]>",
		"a&lt;b&gt;c&quot;d&apos;e&amp;": `a<b>c"d'e&`,
		"<![CDATA[a]]>b<![CDATA[c]]>&#100;&#x65;&#x000066;": "abcdef",
		"&#x1F600;&#24352;":                               "😀张",
		"a\rb\r\nc\n\rd&#xD;":                             "a\nb\nc\n\nd\r",
		"<![CDATA[a\r\nb\r]]>":                            "a\nb\n",
		"a<!-- <b> & ]]> -->b<?php echo '<c>' ?>c<!---->": "abc",
		"]]<!-- -->>":                                     "]]>",
	} {
		assert.Equal(t, want, text(t, "<a>"+in+"</a>"), "%q", in)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	want := []event{{Start, "a", ""}, {Start, "b", ""}, {End, "", "1"}, {Start, "c", ""}, {End, "", ""}, {End, "", ""}}
	for _, doc := range []string{
		`<a><b>1</b><c/></a>`,
		Header + `<a><b>1</b><c></c></a>`,
		"\xEF\xBB\xBF" + Header + `<a><b>1</b><c/></a>`,
		" \r\n" + Header + "\n<!-- x --><?y z?><a ><b\n>1</b\t><c /></a > <!-- z -->\n",
		`<?xml version='1.0' encoding = "UTF-8" standalone='yes' ?><a><b>1</b><c/></a>`,
		`<a xmlns="urn:x" xmlns:p="urn:y" p:q = '"&amp;&#65;>'><p:b r="'">1</p:b><c s=""/></a>`,
		`<p:a><b>1</b><q:c/></p:a>`,
		`<?xml-stylesheet href="x"?><a><b>1</b><c/></a>`,
	} {
		events, err := agree(t, doc)
		require.NoError(t, err, doc)
		events[0].text = ""
		assert.Equal(t, want, events, doc)
	}
	events, err := agree(t, "<a> <!-- --> <b/>x\n</a>")
	require.NoError(t, err)
	assert.Equal(t, []event{{Start, "a", ""}, {Start, "b", "  "}, {End, "", ""}, {End, "", "x\n"}}, events)
	events, err = readAll("<中文×>1</中文×>", "")
	require.NoError(t, err)
	assert.Equal(t, []event{{Start, "中文×", ""}, {End, "", "1"}}, events)
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", maxName)
	for doc, want := range map[string]string{
		"":                     "it is empty, on line 1",
		" <!-- --> ":           "it is empty, on line 1",
		"text":                 "text outside the root, on line 1",
		"<a/>&#65;":            "text outside the root, on line 1",
		"<a/>\n<a/>":           "a second root, on line 2",
		"<a>":                  "it ends too early, on line 1",
		"<a><![CDATA[ </a>":    "it ends too early, on line 1",
		"<a><!-- </a>":         "it ends too early, on line 1",
		"<a><?x </a>":          "it ends too early, on line 1",
		"<a":                   "a name is missing or malformed, on line 1",
		"<a/":                  "a malformed start tag, on line 1",
		"<a / >":               "a malformed start tag, on line 1",
		"< a/>":                "a name is missing or malformed, on line 1",
		"<1/>":                 "a name is missing or malformed, on line 1",
		"<a:b:c/>":             "a name is missing or malformed, on line 1",
		"<" + long + "n/>":     "a name that is too long, on line 1",
		"\r\n<a>\r</b></a>":    "a wrong end tag, on line 3",
		"<a></ab>":             "a wrong end tag, on line 1",
		"<p:a></a>":            "a wrong end tag, on line 1",
		"<p:a></q:a>":          "a wrong end tag, on line 1",
		"</a>":                 "a wrong end tag, on line 1",
		"<a></ a>":             "a wrong end tag, on line 1",
		"<a b/>":               "a malformed attribute, on line 1",
		"<a b=c/>":             "a malformed attribute, on line 1",
		"<a b=\"c>":            "an attribute without end, on line 1",
		"<a b=\"<\"/>":         "a < in an attribute, on line 1",
		"<a b=\"&x;\"/>":       "an & that begins no entity, on line 1",
		"<a b=\"\x0f\"/>":      "a control character, on line 1",
		"<a b=\"\"c=\"\"/>":    "attributes without a space between them, on line 1",
		"<a>]]></a>":           "]]> within text, on line 1",
		"<a><!-- -- --></a>":   "-- within a comment, on line 1",
		"<a>& b</a>":           "an & that begins no entity, on line 1",
		"<a>&amp</a>":          "an & that begins no entity, on line 1",
		"<a>&nbsp;</a>":        "an & that begins no entity, on line 1",
		"<a>&65;</a>":          "an & that begins no entity, on line 1",
		"<a>&#;</a>":           "an & that begins no entity, on line 1",
		"<a>&#X41;</a>":        "an & that begins no entity, on line 1",
		"<a>&#+65;</a>":        "an & that begins no entity, on line 1",
		"<a>&;</a>":            "an & that begins no entity, on line 1",
		"<a>&#0;</a>":          "a reference to no character, on line 1",
		"<a>&#xFFFF;</a>":      "a reference to no character, on line 1",
		"<a>&#xD800;</a>":      "a reference to no character, on line 1",
		"<a>&#x110000;</a>":    "a reference to no character, on line 1",
		"<a>\n\x01</a>":        "a control character, on line 2",
		"<a><!-- \x01 --></a>": "a control character, on line 1",
		"<a>" + strings.Repeat("\x80", 20) + "</a>": "bytes that are no text in UTF-8, on line 1",
		"<aaa>aa\x9faaaaaaa</aaa>":                  "bytes that are no text in UTF-8, on line 1",
		"<aaa>aa\x1faaaaaaa</aaa>":                  "a control character, on line 1",
		"<a>张\n\xff</a>":                            "bytes that are no text in UTF-8, on line 2",
		"<a>\uFFFE</a>":                             "a code of no character, on line 1",
		"<!DOCTYPE a><a/>":                          "a document type or other directive is refused, on line 1",
		"<a><!ELEMENT a></a>":                       "a document type or other directive is refused, on line 1",
		"<!-- --><?xml version=\"1.0\"?><a/>":       "an XML declaration that is not at the beginning, on line 1",
		"<?xml version=\"1.1\"?><a/>":               "a malformed XML declaration, on line 1",
		"<?xml encoding=\"gbk\" version=\"1.0\"?>":  "a malformed XML declaration, on line 1",
		"<?xml version=\"1.0\"encoding=\"gbk\"?>":   "a malformed XML declaration, on line 1",
		"<?xml version=\"1.0\" more=\"1\"?><a/>":    "a malformed XML declaration, on line 1",
		"<?xml version=\"1.0\" encoding=\"x\"?>":    "unreadable encoding, on line 1",
		strings.Repeat("<a>", maxDepth+1):           "elements nested too deeply, on line 1",
		"<a>" + strings.Repeat("<b/>", maxElements): "too many elements, on line 1",
	} {
		_, err := agree(t, doc)
		assert.EqualError(t, err, want, "%.100q", doc)
	}
	_, err := agree(t, strings.Repeat("<"+long+">", maxDepth)+strings.Repeat("</"+long+">", maxDepth))
	assert.NoError(t, err)
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const doc = `<?xml version="1.0" encoding="GBK"?><a>张三€</a>`
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(doc)
	require.NoError(t, err)
	gb18030, err := simplifiedchinese.GB18030.NewEncoder().String(strings.Replace(doc, "张三€", "𠮷", 1))
	require.NoError(t, err)
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(doc)
	require.NoError(t, err)
	for name, tt := range map[string]struct{ doc, charset, want string }{
		"declared":                    {gbk, "", "张三€"},
		"declared with single quotes": {strings.ReplaceAll(gbk, `"`, "'"), "", "张三€"},
		"declared with blanks":        {strings.Replace(gbk, "encoding=", "\n encoding = ", 1), "", "张三€"},
		"GB18030":                     {strings.Replace(gb18030, "GBK", "gb18030", 1), "", "𠮷"},
		"transport before declared":   {doc, "utf-8", "张三€"},
		"transport alone":             {strings.Replace(gbk, "GBK", "utf-8", 1), "gb2312", "张三€"},
		"transport unknown":           {gbk, "klingon", "张三€"},
		"BOM before all":              {"\xEF\xBB\xBF" + doc, "gbk", "张三€"},
		"UTF-16":                      {wide, "gbk", "张三€"},
		"UTF-16 by mistake":           {strings.Replace(doc, "GBK", "UTF-16", 1), "", "张三€"},
		"utf8":                        {strings.Replace(doc, "GBK", "utf8", 1), "", "张三€"},
		"a byte of no character":      {strings.Replace(gbk, "</a>", "\xff</a>", 1), "", "张三€\uFFFD"},
	} {
		events, err := readAll(tt.doc, tt.charset)
		require.NoError(t, err, name)
		assert.Equal(t, []event{{Start, "a", ""}, {End, "", tt.want}}, events, name)
	}
	_, err = readAll(strings.Replace(gbk, "GBK", "utf8", 1), "")
	assert.EqualError(t, err, "bytes that are no text in UTF-8, on line 1")
}

func TestBadRune(t *testing.T) {
	t.Parallel()
	for s, bad := range map[string]bool{
		"": false, "a\t\n\r": false, "张三𠮷😀\u0085": false, "\ufffd": false, "\x00": true, "\x1f": true, "\xff": true, "\xed\xa0\x80": true, "\ufffe": true, "\uffff": true,
	} {
		_, got := BadRune(s)
		assert.Equal(t, bad, got, "%q", s)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", "&<>\"'\r\n\t]]>", "张三&李四"} {
		assert.Equal(t, s, text(t, "<a>"+string(Append(nil, s))+"</a>"))
	}
	assert.Equal(t, "x&amp;&lt;&gt;&#xD;y\n", string(Append([]byte("x"), "&<>\ry\n")))
}

// encoding/xml judges in tests; package ips has one reader.
func TestNoSecondReader(t *testing.T) {
	t.Parallel()
	deps, err := exec.Command("go", "list", "-deps", "github.com/ips-p2p/ips").Output()
	require.NoError(t, err)
	assert.Contains(t, strings.Fields(string(deps)), "github.com/ips-p2p/ips/internal/xmltext")
	assert.NotContains(t, strings.Fields(string(deps)), "encoding/xml")
}

// FuzzReader holds the reader to encoding/xml.
func FuzzReader(f *testing.F) {
	for _, doc := range []string{
		Header + `<pReq><a>1</a><b><![CDATA[x]]></b><pDetails><pRow><c>&amp;</c></pRow></pDetails></pReq>`,
		`<soap:Envelope xmlns:soap="urn:a" A="&#15;"><soap:Body x='<'/></soap:Envelope>`,
		"\xEF\xBB\xBF<a>]]&gt;]]<b/ >\r\n</a>",
		"\xff\xfe<\x00a\x00",
		`<?xml version="1.0" encoding="GB18030"?><a>` + "\xd5\xc5" + `</a>`,
		`<a><!-- - --><?x y?>&#x41;&#66;&lt;</a>`,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
		"<a:b:c></a:b:c>", "<:a></:a>", "<a b=\"\"c=''/>", "<a>aaaaa\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f</a>", "<a>\u3000</a >", "<é/>",
	} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		_, _ = agree(t, doc)
		_, _ = readAll(doc, "gbk") // whatever it is, it does not fall
	})
}
