package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

const bom = "\ufeff"

// ErrCharset says that text is in no character set that the platform reads:
// UTF-8, GBK or GB18030.
var ErrCharset = errors.New("text is not in UTF-8, GBK or GB18030, or not in the one it declares")

// declaration finds the encoding of an XML declaration.
var declaration = regexp.MustCompile(`^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// toUTF8 returns XML text in UTF-8 without a byte order mark. The mark wins
// over charset, which is what the transport said ("" if nothing), and charset
// over the document's own declaration.
func toUTF8(data []byte, charset string) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(data, []byte(bom)); ok {
		return validUTF8(rest)
	}
	if charset == "" {
		head := data[:min(len(data), 256)]
		if m := declaration.FindSubmatch(head); m != nil {
			charset = string(m[1])
		}
	}
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return validUTF8(data)
	case "gbk", "gb2312", "gb18030", "cp936", "x-gbk":
		// GB18030 contains GBK, which contains GB2312.
		text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
			return nil, ErrCharset
		}
		return text, nil
	default:
		return nil, ErrCharset
	}
}

// Text makes a decrypted document fit to be shown, whatever it is.
func Text(data []byte) string {
	text, err := toUTF8(data, "")
	if err != nil {
		text = data
	}
	return strings.ToValidUTF8(string(text), "\ufffd")
}

func validUTF8(data []byte) ([]byte, error) {
	if !utf8.Valid(data) {
		return nil, ErrCharset
	}
	return data, nil
}

// element is an element of a document that was read as a whole.
type element struct {
	Name     xml.Name
	Attr     []xml.Attr
	text     strings.Builder // outside of its children
	children []*element
}

// stray says whether there is more than white space outside of the children.
func (e *element) stray() bool { return strings.Trim(e.text.String(), " \t\r\n") != "" }

// plain says whether there is no namespace and no attribute.
func (e *element) plain() bool { return e.Name.Space == "" && len(e.Attr) == 0 }

// readElements reads XML that toUTF8 has already converted, whatever encoding it
// still declares, within bounds. The element that it returns holds what stands
// at the top of the document.
func readElements(text []byte, depth, most int) (*element, *DocumentError) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	open := []*element{{}}
	for {
		tok, err := dec.Token()
		at := open[len(open)-1]
		if errors.Is(err, io.EOF) {
			return at, nil
		}
		if err != nil {
			fault := &DocumentError{Err: ErrSyntax} // the decoder's words may quote the message
			var s *xml.SyntaxError
			if errors.As(err, &s) {
				fault.Line = s.Line
			}
			return nil, fault
		}
		switch t := tok.(type) {
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, &DocumentError{Err: ErrDTD}
			}
		case xml.Directive:
			return nil, &DocumentError{Err: ErrDTD}
		case xml.CharData:
			at.text.Write(t)
		case xml.StartElement:
			switch most--; {
			case most < 0:
				return nil, &DocumentError{Err: ErrTooMany}
			case len(open) > depth:
				return nil, &DocumentError{Err: ErrDeep}
			case len(open) == 1 && len(at.children) == 0 && at.stray():
				return nil, &DocumentError{Err: ErrRoot}
			}
			e := &element{Name: t.Name, Attr: t.Attr}
			at.children = append(at.children, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

// escaper leaves quotes alone, as the platform's own XML writer does in text.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")

// Escape makes s fit for the text of an XML element. Characters that XML 1.0
// cannot hold are dropped.
func Escape(s string) string { return escaper.Replace(xmlChars(s)) }

// CDATA wraps s in as many CDATA sections as it needs.
func CDATA(s string) string {
	return "<![CDATA[" + strings.ReplaceAll(xmlChars(s), "]]>", "]]]]><![CDATA[>") + "]]>"
}

func xmlChars(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r',
			r >= ' ' && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
			return r
		}
		return -1
	}, s)
}
