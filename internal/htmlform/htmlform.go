// Package htmlform reads the forms of HTML pages, in one pass over the tokens
// of the page and without its tree: a parser that builds the tree as browsers do
// can be made to build one thousands of times the size of the page.
//
// So a control belongs to the form whose tags stand around it, wherever the
// tree would have it, and a form within a form is none, as in browsers.
package htmlform

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
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
	return slices.ContainsFunc(f.Fields, func(field Field) bool { return field.Name == name })
}

// The errors of Only.
var (
	ErrNone    = errors.New("no form with the fields asked for")
	ErrSeveral = errors.New("several forms with the fields asked for")
)

// Only returns the one form that has each of the named controls exactly once,
// wherever it stands among the others. Of two, neither could be believed.
func Only(forms []Form, names ...string) (*Form, error) {
	var found *Form
	for i := range forms {
		if slices.ContainsFunc(names, func(name string) bool { _, once := forms[i].Get(name); return !once }) {
			continue
		}
		if found != nil {
			return nil, ErrSeveral
		}
		found = &forms[i]
	}
	if found == nil {
		return nil, ErrNone
	}
	return found, nil
}

// maxParts is the most forms and controls that a page may have.
const maxParts = 10_000

// Parse finds the forms of a page in document order. The encoding is what a
// browser would take: byte order mark, contentType, meta element. It takes some
// times the memory of the page and no more.
func Parse(page []byte, contentType string) ([]Form, error) {
	z, err := tokenizer(page, contentType)
	if err != nil {
		return nil, err
	}
	p := parser{z: z}
	for {
		switch p.z.Next() {
		case html.ErrorToken: // the end: what is read has no other
			return p.forms, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			p.start(string(name), more)
		case html.EndTagToken:
			name, _ := z.TagName()
			p.end(string(name))
		case html.TextToken:
			if p.textarea {
				p.last().Value = strings.TrimPrefix(string(z.Text()), "\n")
			}
			p.textarea = false
			continue
		case html.CommentToken, html.DoctypeToken:
		}
		if p.parts > maxParts {
			return nil, fmt.Errorf("more than %d forms and controls", maxParts)
		}
	}
}

// Title is what a page calls itself, "" if it does not.
func Title(page []byte, contentType string) string {
	z, err := tokenizer(page, contentType)
	if err != nil {
		return ""
	}
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken:
			if name, _ := z.TagName(); string(name) == "title" && z.Next() == html.TextToken {
				return strings.Join(strings.Fields(string(z.Text())), " ")
			}
		}
	}
}

func tokenizer(page []byte, contentType string) (*html.Tokenizer, error) {
	r, err := charset.NewReader(bytes.NewReader(page), contentType)
	if err != nil {
		return nil, errors.New("unreadable encoding")
	}
	return html.NewTokenizer(r), nil
}

// parser is what has been read of a page.
type parser struct {
	z        *html.Tokenizer
	forms    []Form
	parts    int
	inForm   bool // the last form is open
	textarea bool // the last field is a textarea whose text may come next
	inSelect bool // the last field is a select that is open
	chosen   bool // one of its options was marked as selected
	options  int  // that it has had
}

func (p *parser) last() *Field {
	fields := p.forms[len(p.forms)-1].Fields
	return &fields[len(fields)-1]
}

func (p *parser) start(name string, more bool) {
	p.textarea = false
	switch name {
	case "form":
		if p.inForm {
			return
		}
		a := p.attributes(more)
		method := strings.ToUpper(a.method)
		if method == "" {
			method = "GET"
		}
		p.forms = append(p.forms, Form{Action: a.action, Method: method})
		p.inForm = true
		p.parts++
	case "input", "button", "select", "textarea":
		p.inSelect = false // which holds options only
		a := p.attributes(more)
		if a.name == "" || !p.inForm {
			return
		}
		field := Field{Name: a.name, Type: a.kind}
		if name == "input" || name == "button" {
			field.Value = a.value
		}
		f := &p.forms[len(p.forms)-1]
		f.Fields = append(f.Fields, field)
		p.parts++
		p.textarea = name == "textarea"
		p.inSelect, p.chosen, p.options = name == "select", false, 0
	case "option":
		if !p.inSelect || p.chosen {
			return
		}
		a := p.attributes(more)
		if p.options == 0 || a.selected {
			p.last().Value = a.value
		}
		p.chosen = a.selected
		p.options++
	}
}

func (p *parser) end(name string) {
	p.textarea = false
	switch name {
	case "form":
		p.inForm, p.inSelect = false, false
	case "select":
		p.inSelect = false
	}
}

// attributes are those of a tag that matter.
type attributes struct {
	action, method, name, value, kind string
	selected                          bool
}

// attributes reads those of the tag. Of two with one name the first counts.
func (p *parser) attributes(more bool) (a attributes) {
	had := make(map[string]bool, 4)
	for more {
		var key, value []byte
		key, value, more = p.z.TagAttr()
		var to *string
		switch string(key) {
		case "action":
			to = &a.action
		case "method":
			to = &a.method
		case "name":
			to = &a.name
		case "value":
			to = &a.value
		case "type":
			to = &a.kind
		case "selected":
			a.selected = true
			continue
		default:
			continue
		}
		if !had[string(key)] {
			had[string(key)] = true
			*to = string(value)
		}
	}
	return a
}
