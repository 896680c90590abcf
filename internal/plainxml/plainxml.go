// Package plainxml reads the plain part of XML, in which machines write to each
// other: UTF-8, elements, text, CDATA, the five named entities. It is what the
// readers of documents and of SOAP answers try first, many times faster than
// encoding/xml. It never judges: at anything that is not plain, right or wrong,
// it gives up, and its caller asks encoding/xml.
package plainxml

import (
	"strings"
	"unicode/utf8"
)

// Header is the declaration that machines begin a document with.
const Header = `<?xml version="1.0" encoding="utf-8"?>`

// Reader goes through a document from its front to its end. A method that
// returns false has given up, and so must its caller.
type Reader struct {
	s string // what is left
}

// NewReader begins at the declaration, or behind it if it is the usual one. It
// gives up if there are bytes that no XML document can hold.
func NewReader(doc string) (r Reader, ok bool) {
	if !utf8.ValidString(doc) || strings.Contains(doc, "\uFFFE") || strings.Contains(doc, "\uFFFF") {
		return r, false
	}
	r.s = doc
	if !r.Skip(Header) {
		r.Skip(`<?xml version="1.0" encoding="UTF-8"?>`)
	}
	r.Space()
	return r, true
}

// Rest is what has not been read.
func (r *Reader) Rest() string { return r.s }

// Skip goes past the text if it comes next.
func (r *Reader) Skip(text string) bool {
	if !strings.HasPrefix(r.s, text) {
		return false
	}
	r.s = r.s[len(text):]
	return true
}

// Space goes past white space. A carriage return is none here: an XML reader
// turns it into a line feed, so it is left to that.
func (r *Reader) Space() {
	for r.s != "" && (r.s[0] == ' ' || r.s[0] == '\n' || r.s[0] == '\t') {
		r.s = r.s[1:]
	}
}

// Name reads a name of ASCII letters, digits and underscores. It is empty where
// there is none.
func (r *Reader) Name() string {
	end := 0
	for end < len(r.s) && nameByte(r.s[end], end == 0) {
		end++
	}
	name := r.s[:end]
	r.s = r.s[end:]
	return name
}

func nameByte(c byte, first bool) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || !first && '0' <= c && c <= '9'
}

// End goes past the end tag of the named element if it comes next.
func (r *Reader) End(name string) bool {
	n := len(name)
	if len(r.s) < n+3 || r.s[:2] != "</" || r.s[2:n+2] != name || r.s[n+2] != '>' {
		return false
	}
	r.s = r.s[n+3:]
	return true
}

// Text reads the text up to the next tag. It is a part of the document unless
// it had to be put together.
func (r *Reader) Text() (text string, ok bool) {
	text, more, ok := r.piece()
	if !ok || !more {
		return "", ok
	}
	second := ""
	for second == "" { // most texts have one piece and empty ones beside it
		if second, more, ok = r.piece(); !ok || !more {
			return text, ok
		}
		if text == "" {
			text, second = second, ""
		}
	}
	var joined strings.Builder
	joined.Grow(len(text) + len(second) + max(0, strings.IndexByte(r.s, '<')))
	joined.WriteString(text)
	for more && ok {
		joined.WriteString(second)
		second, more, ok = r.piece()
	}
	return joined.String(), ok
}

// piece reads a piece of text: characters, an entity, or a section of CDATA.
// There is no more where other markup begins.
func (r *Reader) piece() (text string, more, ok bool) {
	n := 0
	for n < len(r.s) && character(r.s[n]) && r.s[n] != '<' && r.s[n] != '&' && !strings.HasPrefix(r.s[n:], "]]>") {
		n++
	}
	switch {
	case n == len(r.s) || !character(r.s[n]) || r.s[n] == ']':
		return "", false, false
	case n > 0:
		text, r.s = r.s[:n], r.s[n:]
		return text, true, true
	case r.s[0] == '&':
		text, n = entity(r.s)
		r.s = r.s[n:]
		return text, true, n > 0
	case r.Skip("<![CDATA["):
		n = strings.Index(r.s, "]]>")
		if n < 0 {
			return "", false, false
		}
		text = r.s[:n]
		r.s = r.s[n+len("]]>"):]
		return text, true, allCharacters(text)
	}
	return "", false, true
}

// character reports whether the byte is part of a character that XML can hold
// and that a reader leaves as it is, which it does not do with a carriage
// return.
func character(c byte) bool { return c >= ' ' || c == '\n' || c == '\t' }

func allCharacters(s string) bool {
	for i := range len(s) {
		if !character(s[i]) {
			return false
		}
	}
	return true
}

// entity reads one of the five named entities and tells its length, 0 for
// others.
func entity(s string) (text string, n int) {
	for _, e := range [...][2]string{{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", `"`}, {"&apos;", "'"}} {
		if strings.HasPrefix(s, e[0]) {
			return e[1], len(e[0])
		}
	}
	return "", 0
}
