package codec

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// parseFlat is the short way for documents in the form that the platform
// writes: UTF-8, plain elements without attributes, text, CDATA, the five named
// entities. It gives up at anything else, right or wrong, and then encoding/xml
// decides. What it does take, encoding/xml takes too and reads the same; a fuzz
// test holds it to that.
func parseFlat(doc []byte) (root Element, ok bool) {
	if !utf8.Valid(doc) || bytes.Contains(doc, []byte("\xEF\xBF\xBE")) || bytes.Contains(doc, []byte("\xEF\xBF\xBF")) {
		return Element{}, false
	}
	p := flat{s: string(doc)} // one copy, of which all texts are parts
	for _, declaration := range []string{header, `<?xml version="1.0" encoding="UTF-8"?>`} {
		if strings.HasPrefix(p.s, declaration) {
			p.i = len(declaration)
			break
		}
	}
	p.space()
	name, empty, ok := p.open()
	if !ok || empty {
		return Element{}, false
	}
	root, ok = p.element(name, 1, 0)
	if !ok {
		return Element{}, false
	}
	p.space()
	return root, p.i == len(p.s)
}

type flat struct {
	s        string
	i        int
	elements int
}

// space skips white space. A carriage return is none here: encoding/xml turns
// it into a line feed, so it is left to that.
func (p *flat) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\n' || p.s[p.i] == '\t') {
		p.i++
	}
}

// open reads <name> or <name/>.
func (p *flat) open() (name string, empty, ok bool) {
	if p.i >= len(p.s) || p.s[p.i] != '<' {
		return "", false, false
	}
	start := p.i + 1
	end := start
	for end < len(p.s) && nameByte(p.s[end], end == start) {
		end++
	}
	switch name = p.s[start:end]; {
	case name == "":
		return "", false, false
	case strings.HasPrefix(p.s[end:], ">"):
		p.i = end + 1
		return name, false, true
	case strings.HasPrefix(p.s[end:], "/>"):
		p.i = end + 2
		return name, true, true
	}
	return "", false, false
}

func nameByte(c byte, first bool) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || !first && '0' <= c && c <= '9'
}

// element reads the rest of the element that was opened. hint is how many
// children it probably has.
func (p *flat) element(name string, depth, hint int) (Element, bool) {
	if p.elements++; p.elements > maxElements || depth > maxDepth {
		return Element{}, false
	}
	e := Element{Name: name}
	var joined []byte // text of several pieces
	text, pieces := "", 0
	piece := func(s string) {
		if s == "" {
			return
		}
		if pieces++; pieces == 1 {
			text = s
			return
		}
		if pieces == 2 {
			joined = append(joined, text...)
		}
		joined = append(joined, s...)
	}
	for {
		s, ok := p.text()
		if !ok {
			return Element{}, false
		}
		piece(s)
		rest := p.s[p.i:]
		switch {
		case strings.HasPrefix(rest, "</"):
			if !strings.HasPrefix(rest[2:], name) || !strings.HasPrefix(rest[2+len(name):], ">") {
				return Element{}, false
			}
			p.i += len(name) + 3
			if pieces > 1 {
				text = string(joined)
			}
			if len(e.Children) == 0 {
				e.Text = text
				return e, true
			}
			return e, strings.Trim(text, " \n\t") == ""
		case strings.HasPrefix(rest, "<![CDATA["):
			end := strings.Index(rest, "]]>")
			if end < 0 || !plain(rest[9:end]) {
				return Element{}, false
			}
			piece(rest[9:end])
			p.i += end + 3
		case strings.HasPrefix(rest, "&"):
			s, n := entity(rest)
			if n == 0 {
				return Element{}, false
			}
			piece(s)
			p.i += n
		default:
			if e.Children == nil && name == "pDetails" {
				e.Children = make([]Element, 0, strings.Count(rest, "<pRow>"))
			} else if e.Children == nil && hint > 0 {
				e.Children = make([]Element, 0, hint)
			}
			if !p.child(&e, depth) {
				return Element{}, false
			}
		}
	}
}

// child reads one child of e.
func (p *flat) child(e *Element, depth int) bool {
	name, empty, ok := p.open()
	if !ok {
		return false
	}
	if name != "pRow" || e.Name != "pDetails" {
		if len(e.Children) > 64 { // comparing each with each is for the usual few
			return false
		}
		for i := range e.Children {
			if e.Children[i].Name == name {
				return false
			}
		}
	}
	hint := 0
	if n := len(e.Children); n > 0 {
		hint = len(e.Children[n-1].Children) // rows are alike
	}
	child := Element{Name: name}
	if empty {
		if p.elements++; p.elements > maxElements || depth+1 > maxDepth {
			return false
		}
	} else if child, ok = p.element(name, depth+1, hint); !ok {
		return false
	}
	e.Children = append(e.Children, child)
	return true
}

// text reads up to the next < or &.
func (p *flat) text() (string, bool) {
	end := strings.IndexAny(p.s[p.i:], "<&")
	if end < 0 {
		return "", false
	}
	s := p.s[p.i : p.i+end]
	p.i += end
	return s, plain(s) && !strings.Contains(s, "]]>")
}

// plain reports whether the text has neither control characters nor a carriage
// return.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// entity reads one of the five named entities and tells its length.
func entity(s string) (text string, n int) {
	for _, e := range [...][2]string{{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", `"`}, {"&apos;", "'"}} {
		if strings.HasPrefix(s, e[0]) {
			return e[1], len(e[0])
		}
	}
	return "", 0
}
