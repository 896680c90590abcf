// Package htmlform reads forms out of HTML pages with a real HTML parser.
package htmlform

import (
	"bytes"
	"errors"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

// Form is a form with its controls in document order.
type Form struct {
	Action string
	Method string // upper case; GET when the page names none
	Fields []Field
}

// Field is a named control.
type Field struct {
	Name, Value, Type string
}

// Get returns the value of the named control. ok is false unless there is
// exactly one.
func (f *Form) Get(name string) (value string, ok bool) {
	n := 0
	for _, field := range f.Fields {
		if field.Name == name {
			value = field.Value
			n++
		}
	}
	return value, n == 1
}

// Has reports whether there is a control of that name.
func (f *Form) Has(name string) bool {
	for _, field := range f.Fields {
		if field.Name == name {
			return true
		}
	}
	return false
}

// Parse finds the forms of a page in document order. The encoding is what a
// browser would take: byte order mark, contentType, meta element.
func Parse(page []byte, contentType string) ([]Form, error) {
	r, err := charset.NewReader(bytes.NewReader(page), contentType)
	if err != nil {
		return nil, errors.New("unreadable encoding")
	}
	root, err := html.Parse(r)
	if err != nil {
		return nil, errors.New("unreadable HTML")
	}
	var forms []Form
	var last *html.Node // the latest form element
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Form:
			method := strings.ToUpper(attr(n, "method"))
			if method == "" {
				method = "GET"
			}
			forms = append(forms, Form{Action: attr(n, "action"), Method: method})
			last = n
		case atom.Input, atom.Button, atom.Select, atom.Textarea:
			// The parser keeps a control inside its form element, and the
			// controls of one form come before the next form.
			name := attr(n, "name")
			if name == "" || last == nil || !inForm(n) && !betweenRows(last) {
				continue
			}
			f := &forms[len(forms)-1]
			f.Fields = append(f.Fields, Field{Name: name, Value: value(n), Type: attr(n, "type")})
		}
	}
	return forms, nil
}

// betweenRows reports whether the form element stands where a table allows
// rows only. The parser then leaves it empty, and the controls that follow
// still belong to it.
func betweenRows(form *html.Node) bool {
	switch form.Parent.DataAtom {
	case atom.Table, atom.Tbody, atom.Thead, atom.Tfoot, atom.Tr:
		return form.FirstChild == nil
	}
	return false
}

func inForm(n *html.Node) bool {
	for a := range n.Ancestors() {
		if a.DataAtom == atom.Form {
			return true
		}
	}
	return false
}

func value(n *html.Node) string {
	switch n.DataAtom {
	case atom.Textarea:
		if n.FirstChild != nil {
			return n.FirstChild.Data
		}
		return ""
	case atom.Select:
		first, found := "", false
		for o := range n.Descendants() {
			if o.DataAtom != atom.Option {
				continue
			}
			if !found || hasAttr(o, "selected") {
				first = attr(o, "value")
			}
			if hasAttr(o, "selected") {
				return first
			}
			found = true
		}
		return first
	default:
		return attr(n, "value")
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}
