package codec

import (
	"reflect"
	"strings"

	"github.com/ips-p2p/ips/internal/plainxml"
)

// The short way is for documents in the form that the platform writes: plain
// elements without attributes. It fills the struct as it reads, without a tree
// in between. It gives up at anything else, right or wrong, and then the long
// way decides. What it does take, the long way takes too and reads the same; a
// fuzz test holds it to that.

// Beyond these the short way gives up.
const (
	quickNames   = 64     // elements directly below the root: each is compared with each
	quickRows    = 10_000 // the contract has 3000
	quickUnknown = 4      // unknown elements in a row
)

// unmarshalQuick leaves v in any state if it gives up.
func unmarshalQuick(doc string, v reflect.Value) (Document, bool) {
	r, ok := plainxml.NewReader(doc)
	if !ok || !r.Skip("<pReq>") {
		return Document{}, false
	}
	q := quick{Reader: r, elements: 1}
	if !q.root(v) {
		return Document{}, false
	}
	q.Space()
	return q.document, q.Rest() == ""
}

type quick struct {
	plainxml.Reader
	elements int
	document Document
	store    store
}

// root reads the children of the root and its end.
func (q *quick) root(v reflect.Value) bool {
	fields := Fields(v.Type())
	q.document.Elements = make([]Element, 0, min(len(fields)+4, quickNames))
	next := 0
	var seen fieldSet
	for {
		q.Space()
		if q.End("pReq") {
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
	length := len(q.Rest())
	n := min(strings.Count(q.Rest(), "<pRow>"), quickRows)
	rows := reflect.MakeSlice(f.Type, n, n)
	for j := 0; ; j++ {
		q.Space()
		if j == 0 && len(q.Rest()) < length && strings.HasPrefix(q.Rest(), "</") {
			return false // without rows the space is its text
		}
		if q.End("pDetails") {
			to.Set(rows.Slice(0, j))
			return true
		}
		if q.elements++; q.elements > maxElements || j == n || !q.Skip("<pRow>") || !q.row(rows.Index(j), f, j) {
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
		q.Space()
		if q.End("pRow") {
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
	if next < len(fields) && fields[next].GoName != "_" && q.Skip(fields[next].start) {
		return fields[next].Name, next, false, true
	}
	if !q.Skip("<") {
		return "", -1, false, false
	}
	if name = q.Name(); name == "" {
		return "", -1, false, false
	}
	empty = q.Skip("/>")
	if !empty && !q.Skip(">") {
		return "", -1, false, false
	}
	return name, find(fields, name, next), empty, true
}

// content reads the text of a leaf and its end.
func (q *quick) content(name string, empty bool) (text string, ok bool) {
	if empty {
		return "", true
	}
	text, ok = q.Text()
	return text, ok && q.End(name)
}
