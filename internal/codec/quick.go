package codec

import (
	"reflect"
	"strings"
	"unicode/utf8"
)

// The short way is for documents in the form that the platform writes: UTF-8,
// plain elements without attributes, text, CDATA, the five named entities. It
// fills the struct as it reads, without a tree in between. It gives up at
// anything else, right or wrong, and then the long way decides. What it does
// take, the long way takes too and reads the same; a fuzz test holds it to that.

// Beyond these the short way gives up.
const (
	quickNames   = 64     // elements directly below the root: each is compared with each
	quickRows    = 10_000 // the contract has 3000
	quickUnknown = 4      // unknown elements in a row
)

// unmarshalQuick leaves v in any state if it gives up.
func unmarshalQuick(doc string, v reflect.Value) (Document, bool) {
	if !utf8.ValidString(doc) || strings.Contains(doc, "\uFFFE") || strings.Contains(doc, "\uFFFF") {
		return Document{}, false
	}
	q := quick{s: doc, elements: 1}
	if !q.skip(header) {
		q.skip(`<?xml version="1.0" encoding="UTF-8"?>`)
	}
	q.space()
	if !q.skip("<pReq>") || !q.root(v) {
		return Document{}, false
	}
	q.space()
	return q.document, q.i == len(q.s)
}

type quick struct {
	s        string
	i        int
	elements int
	document Document
	store    store
}

// skip goes past the text if it comes next.
func (q *quick) skip(s string) bool {
	if !strings.HasPrefix(q.s[q.i:], s) {
		return false
	}
	q.i += len(s)
	return true
}

// space skips white space. A carriage return is none here: an XML reader turns
// it into a line feed, so it is left to that.
func (q *quick) space() {
	for q.i < len(q.s) && (q.s[q.i] == ' ' || q.s[q.i] == '\n' || q.s[q.i] == '\t') {
		q.i++
	}
}

// root reads the children of the root and its end.
func (q *quick) root(v reflect.Value) bool {
	fields := Fields(v.Type())
	q.document.Elements = make([]Element, 0, min(len(fields)+4, quickNames))
	next := 0
	var seen fieldSet
	for {
		q.space()
		if q.skip("</pReq>") {
			return true
		}
		name, at, empty, ok := q.open(fields, next)
		if !ok || len(q.document.Elements) == quickNames {
			return false
		}
		e := Element{Name: name}
		switch {
		case at < 0:
			for i := range q.document.Elements {
				if q.document.Elements[i].Name == name {
					return false
				}
			}
			if e.Text, ok = q.content(name, empty); !ok {
				return false
			}
			q.document.Unknown = append(q.document.Unknown, e)
		case !seen.add(at):
			return false
		case fields[at].Row != "":
			if !q.rows(name, empty, v.FieldByIndex(fields[at].Index), &fields[at]) {
				return false
			}
			next = at + 1
		default:
			if e.Text, ok = q.content(name, empty); !ok || !q.set(v, &fields[at], e.Text, e.Name) {
				return false
			}
			next = at + 1
		}
		q.document.Elements = append(q.document.Elements, e)
	}
}

// rows reads the rows of the element and its end into the slice to.
func (q *quick) rows(name string, empty bool, to reflect.Value, f *Field) bool {
	if empty {
		to.Set(reflect.MakeSlice(f.Type, 0, 0))
		return true
	}
	if name != "pDetails" || f.Row != "pRow" { // the long way lets nothing else repeat
		return false
	}
	start := q.i
	n := min(strings.Count(q.s[start:], "<pRow>"), quickRows)
	rows := reflect.MakeSlice(f.Type, n, n)
	for j := 0; ; j++ {
		q.space()
		if j == 0 && q.i > start && strings.HasPrefix(q.s[q.i:], "</") {
			return false // without rows the space is its text
		}
		if q.skip("</pDetails>") {
			to.Set(rows.Slice(0, j))
			return true
		}
		if q.elements++; q.elements > maxElements || j == n || !q.skip("<pRow>") || !q.row(rows.Index(j), f, j) {
			return false
		}
	}
}

// row reads the elements of row j and its end.
func (q *quick) row(v reflect.Value, f *Field, j int) bool {
	next := 0
	var seen fieldSet
	var unknown [quickUnknown]string
	unknowns := 0
	for {
		q.space()
		if q.skip("</pRow>") {
			return true
		}
		name, at, empty, ok := q.open(f.rows, next)
		if !ok {
			return false
		}
		text, ok := q.content(name, empty)
		if !ok {
			return false
		}
		if at >= 0 {
			next = at + 1
			if !seen.add(at) || f.rows[at].Row != "" || !q.set(v, &f.rows[at], text, "") {
				return false
			}
			continue
		}
		for _, other := range unknown[:unknowns] {
			if other == name {
				return false
			}
		}
		if unknowns == quickUnknown {
			return false
		}
		unknown[unknowns] = name
		unknowns++
		q.document.Unknown = append(q.document.Unknown, Element{rowPath("", f, f.Name, j) + name, text})
	}
}

// set stores a text. path is the element's, "" where an unreadable text is
// better left to the long way.
func (q *quick) set(v reflect.Value, f *Field, text, path string) bool {
	fv := v.FieldByIndex(f.Index)
	if err := q.store.text(fv, f, text); err != nil {
		if path == "" || !lenient(fv) {
			return false
		}
		q.document.Unknown = append(q.document.Unknown, Element{path, text})
	}
	return true
}

// open reads <name> or <name/> and finds the field of that name, -1 for none.
func (q *quick) open(fields []Field, next int) (name string, at int, empty, ok bool) {
	q.elements++
	if q.elements > maxElements {
		return "", -1, false, false
	}
	if next < len(fields) && fields[next].open != "" && q.skip(fields[next].open) {
		return fields[next].Name, next, false, true
	}
	rest := q.s[q.i:]
	if rest == "" || rest[0] != '<' {
		return "", -1, false, false
	}
	end := 1
	for end < len(rest) && nameByte(rest[end], end == 1) {
		end++
	}
	name = rest[1:end]
	switch {
	case name == "":
		return "", -1, false, false
	case strings.HasPrefix(rest[end:], ">"):
		q.i += end + 1
	case strings.HasPrefix(rest[end:], "/>"):
		q.i += end + 2
		empty = true
	default:
		return "", -1, false, false
	}
	return name, find(fields, name, next), empty, true
}

func nameByte(c byte, first bool) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || !first && '0' <= c && c <= '9'
}

// content reads the text of a leaf and its end.
func (q *quick) content(name string, empty bool) (text string, ok bool) {
	if empty {
		return "", true
	}
	var joined []byte // text of several pieces
	for pieces := 0; ; {
		s, more, ok := q.piece()
		if !ok {
			return "", false
		}
		if !more {
			if pieces > 1 {
				text = string(joined)
			}
			return text, q.skip("</") && q.skip(name) && q.skip(">")
		}
		if s == "" {
			continue
		}
		switch pieces++; pieces {
		case 1:
			text = s
		case 2:
			joined = append(append(joined, text...), s...)
		default:
			joined = append(joined, s...)
		}
	}
}

// piece reads the next piece of text: characters, an entity, or a section of
// CDATA. There is no more where other markup begins.
func (q *quick) piece() (text string, more, ok bool) {
	rest := q.s[q.i:]
	n := 0
	for n < len(rest) && character(rest[n]) && rest[n] != '<' && rest[n] != '&' && !strings.HasPrefix(rest[n:], "]]>") {
		n++
	}
	switch {
	case n == len(rest) || !character(rest[n]) || rest[n] == ']':
		return "", false, false
	case n > 0:
		q.i += n
		return rest[:n], true, true
	case rest[0] == '&':
		text, n = entity(rest)
		q.i += n
		return text, true, n > 0
	case q.skip("<![CDATA["):
		rest = q.s[q.i:]
		n = strings.Index(rest, "]]>")
		if n < 0 || !plain(rest[:n]) {
			return "", false, false
		}
		q.i += n + len("]]>")
		return rest[:n], true, true
	}
	return "", false, true
}

// character reports whether the byte is part of a character that XML can hold
// and that a reader leaves as it is, which it does not do with a carriage
// return.
func character(c byte) bool { return c >= ' ' || c == '\n' || c == '\t' }

// plain reports whether the text is nothing but characters.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if !character(s[i]) {
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
