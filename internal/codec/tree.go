package codec

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/net/html/charset"
)

// The long way: encoding/xml, which knows all that XML can be, reads the
// document into a tree, and the tree fills the struct. It judges; the short way
// of quick.go only ever agrees with it.

// node is an element of a document: a leaf with text, or a parent with
// children.
type node struct {
	name     string
	text     string
	children []node
}

// unmarshalTree reads a document without byte order mark. converted means that
// it is UTF-8 whatever its declaration says.
func unmarshalTree(doc string, converted bool, v reflect.Value) (Document, error) {
	root, err := parseTree(doc, converted)
	if err != nil {
		return Document{}, err
	}
	if root.name != "pReq" {
		return Document{}, malformedf("the document's root is <%.40s>, not <pReq>", root.name)
	}
	if strings.TrimSpace(root.text) != "" {
		return Document{}, malformedf("the document holds text where elements belong")
	}
	var d Document
	for i := range root.children {
		d.Elements = append(d.Elements, Element{root.children[i].name, root.children[i].text})
	}
	var f filler
	if err := f.fields(root.children, v, func() string { return "" }); err != nil {
		return Document{}, err
	}
	d.Unknown = f.unknown
	return d, nil
}

func parseTree(doc string, converted bool) (node, error) {
	d := xml.NewDecoder(strings.NewReader(doc))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if converted { // the byte order mark has the last word
			return in, nil
		}
		return charset.NewReaderLabel(label, in)
	}
	p := parser{d: d}
	root, err := p.document()
	if err != nil {
		return node{}, err
	}
	return *root, nil
}

type parser struct {
	d        *xml.Decoder
	elements int
}

func (p *parser) document() (*node, error) {
	var root *node
	for {
		token, err := p.d.Token()
		if err == io.EOF {
			if root == nil {
				return nil, malformedf("the document is empty")
			}
			return root, nil
		}
		if err != nil {
			return nil, malformedf("not XML: %v", syntax(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root != nil {
				return nil, malformedf("the document goes on after its end")
			}
			e, err := p.element(t, 1)
			if err != nil {
				return nil, err
			}
			root = &e
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, malformedf("text outside the document's root")
			}
		case xml.Directive:
			return nil, malformedf("a document type or other directive is refused")
		}
	}
}

// element reads the rest of the element that start opened.
func (p *parser) element(start xml.StartElement, depth int) (node, error) {
	e := node{name: start.Name.Local}
	if p.elements++; p.elements > maxElements {
		return e, malformedf("more than %d elements", maxElements)
	}
	if depth > maxDepth {
		return e, malformedf("<%.40s> is nested too deeply", e.name)
	}
	var text []byte
	names := 0
	for {
		token, err := p.d.Token()
		if err != nil {
			return e, malformedf("not XML: %v", syntax(err))
		}
		switch t := token.(type) {
		case xml.StartElement:
			child, err := p.element(t, depth+1)
			if err != nil {
				return e, err
			}
			// Only pDetails may repeat a child, and it repeats only pRow.
			if child.name != "pRow" || e.name != "pDetails" {
				if names++; names > maxNames {
					return e, malformedf("<%.40s> has more than %d different elements", e.name, maxNames)
				}
				for i := range e.children {
					if e.children[i].name == child.name {
						return e, malformedf("<%.40s> stands twice in <%.40s>", child.name, e.name)
					}
				}
			}
			e.children = append(e.children, child)
		case xml.EndElement:
			if len(e.children) > 0 {
				if len(bytes.TrimSpace(text)) > 0 {
					return e, malformedf("<%.40s> holds text beside elements", e.name)
				}
				text = nil
			}
			e.text = string(text)
			return e, nil
		case xml.CharData:
			text = append(text, t...)
		case xml.Directive:
			return e, malformedf("a document type or other directive is refused")
		}
	}
}

// syntax drops what encoding/xml quotes from the input, which may be personal.
func syntax(err error) string {
	var s *xml.SyntaxError
	if errors.As(err, &s) {
		return "syntax error on line " + strconv.Itoa(s.Line)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "it ends too early"
	}
	return "unreadable encoding"
}

type filler struct {
	unknown []Element
	store   store
}

// fields stores the elements in the struct v. Their path is asked for only
// where something is to be said about one.
func (u *filler) fields(nodes []node, v reflect.Value, path func() string) error {
	fields := Fields(v.Type())
	next := 0
	var seen fieldSet
	for i := range nodes {
		e := &nodes[i]
		at := find(fields, e.name, next)
		if at < 0 {
			u.unknown = flatten(u.unknown, path(), e)
			continue
		}
		next = at + 1
		if !seen.add(at) {
			return malformedf("%s%s stands twice, under two names", path(), e.name)
		}
		switch f := &fields[at]; {
		case f.Row != "":
			if err := u.rows(e, v.FieldByIndex(f.Index), f, path); err != nil {
				return err
			}
		case len(e.children) > 0:
			return malformedf("%s%s holds elements where text belongs", path(), e.name)
		default:
			fv := v.FieldByIndex(f.Index)
			if err := u.store.text(fv, f, e.text); err != nil {
				if !lenient(fv) {
					return malformedf("%s%s: %v", path(), e.name, err)
				}
				u.unknown = flatten(u.unknown, path(), e)
			}
		}
	}
	return nil
}

// rows stores the rows that e holds in the slice to.
func (u *filler) rows(e *node, to reflect.Value, f *Field, path func() string) error {
	if strings.TrimSpace(e.text) != "" {
		return malformedf("%s%s holds text where rows belong", path(), e.name)
	}
	rows := reflect.MakeSlice(f.Type, len(e.children), len(e.children))
	n := 0
	for j := range e.children {
		c := &e.children[j]
		if c.name != f.Row {
			u.unknown = flatten(u.unknown, path()+e.name+"/", c)
			continue
		}
		err := u.fields(c.children, rows.Index(n), func() string { return rowPath(path(), f, e.name, j) })
		if err != nil {
			return err
		}
		n++
	}
	to.Set(rows.Slice(0, n))
	return nil
}

func flatten(unknown []Element, path string, e *node) []Element {
	if len(e.children) == 0 {
		return append(unknown, Element{path + e.name, e.text})
	}
	for i := range e.children {
		unknown = flatten(unknown, path+e.name+"/", &e.children[i])
	}
	return unknown
}
