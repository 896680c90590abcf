package codec

import (
	"bytes"
	"encoding"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// ErrMalformed is matched by every error of Parse and Unmarshal.
var ErrMalformed = errors.New("malformed document")

type malformed string

func (m malformed) Error() string        { return string(m) }
func (m malformed) Is(target error) bool { return target == ErrMalformed }

func malformedf(format string, args ...any) error {
	return malformed(fmt.Sprintf(format, args...))
}

// Element is one element of a parsed document: a leaf with text, or a parent
// with children.
type Element struct {
	Name     string
	Text     string
	Children []Element
}

// Limits against documents that are made to hurt.
const (
	maxDepth    = 4       // pReq/pDetails/pRow/field
	maxElements = 200_000 // a transfer answer of 3000 rows has 40,000
	maxNames    = 1_000   // different ones in one place; the longest request has 26
)

// Parse reads a <pReq> document. It takes a byte order mark, any encoding that
// the XML declaration names (GBK and GB18030 among them), CDATA and entities,
// white space between elements and elements it has never heard of. It refuses
// document types, a second element of the same name in the same place, text
// beside elements, and anything after the end.
func Parse(doc []byte) ([]Element, error) {
	doc, converted, err := stripBOM(doc)
	if err != nil {
		return nil, err
	}
	root, ok := parseFlat(doc)
	if !ok {
		if root, err = parseXML(doc, converted); err != nil {
			return nil, err
		}
	}
	if root.Name != "pReq" {
		return nil, malformedf("the document's root is <%.40s>, not <pReq>", root.Name)
	}
	if strings.TrimSpace(root.Text) != "" {
		return nil, malformedf("the document holds text where elements belong")
	}
	return root.Children, nil
}

// parseXML reads a document with encoding/xml, which knows all that XML can be.
func parseXML(doc []byte, converted bool) (Element, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if converted { // the byte order mark has the last word
			return in, nil
		}
		return charset.NewReaderLabel(label, in)
	}
	p := parser{d: d}
	root, err := p.document()
	if err != nil {
		return Element{}, err
	}
	return *root, nil
}

func stripBOM(doc []byte) (out []byte, converted bool, err error) {
	if rest, ok := bytes.CutPrefix(doc, []byte("\xEF\xBB\xBF")); ok {
		return rest, true, nil
	}
	for _, bom := range []string{"\xFE\xFF", "\xFF\xFE"} {
		if bytes.HasPrefix(doc, []byte(bom)) {
			out, _, err := transform.Bytes(unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder(), doc)
			if err != nil {
				return nil, false, malformedf("the document is not the UTF-16 that its first bytes promise")
			}
			return out, true, nil
		}
	}
	return doc, false, nil
}

type parser struct {
	d        *xml.Decoder
	elements int
}

func (p *parser) document() (*Element, error) {
	var root *Element
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
func (p *parser) element(start xml.StartElement, depth int) (Element, error) {
	e := Element{Name: start.Name.Local}
	if p.elements++; p.elements > maxElements {
		return e, malformedf("more than %d elements", maxElements)
	}
	if depth > maxDepth {
		return e, malformedf("<%.40s> is nested too deeply", e.Name)
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
			if child.Name != "pRow" || e.Name != "pDetails" {
				if names++; names > maxNames {
					return e, malformedf("<%.40s> has more than %d different elements", e.Name, maxNames)
				}
				for i := range e.Children {
					if e.Children[i].Name == child.Name {
						return e, malformedf("<%.40s> stands twice in <%.40s>", child.Name, e.Name)
					}
				}
			}
			e.Children = append(e.Children, child)
		case xml.EndElement:
			if len(e.Children) > 0 {
				if len(bytes.TrimSpace(text)) > 0 {
					return e, malformedf("<%.40s> holds text beside elements", e.Name)
				}
				text = nil
			}
			e.Text = string(text)
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

// Lenient is a value whose text is only informational: if it cannot be read,
// the field stays zero and the element goes to the unknown ones.
type Lenient interface{ Lenient() }

// Unmarshal stores the elements in the struct that v points to and returns
// those that have no field there, rows flattened with their path, e.g.
// "pDetails/pRow[2]/pNew". An element that is missing or empty leaves its
// field zero. Errors name the element and never its text.
func Unmarshal(elements []Element, v any) (unknown []Element, err error) {
	var u filler
	if err := u.fields(elements, reflect.ValueOf(v).Elem(), func() string { return "" }); err != nil {
		return nil, err
	}
	return u.unknown, nil
}

type filler struct {
	unknown []Element
	scratch []byte // the text of the moment, so that not each needs a copy of its own
}

// fields stores the elements in the struct v. Their path is asked for only
// where something is to be said about one.
func (u *filler) fields(elements []Element, v reflect.Value, path func() string) error {
	fields := Fields(v.Type())
	next := 0
	var seen uint64 // fields that were named; an alias is a name too
	for i := range elements {
		e := &elements[i]
		at := find(fields, e.Name, next)
		if at < 0 {
			u.unknown = flatten(u.unknown, path(), e)
			continue
		}
		next = at + 1
		if at < 64 { // no struct has more fields
			if seen&(1<<at) != 0 {
				return malformedf("%s%s stands twice, under two names", path(), e.Name)
			}
			seen |= 1 << at
		}
		switch f := &fields[at]; {
		case f.Row != "":
			if strings.TrimSpace(e.Text) != "" {
				return malformedf("%s%s holds text where rows belong", path(), e.Name)
			}
			rows := reflect.MakeSlice(f.Type, len(e.Children), len(e.Children))
			n := 0
			for j := range e.Children {
				c := &e.Children[j]
				if c.Name != f.Row {
					u.unknown = flatten(u.unknown, path()+e.Name+"/", c)
					continue
				}
				err := u.fields(c.Children, rows.Index(n), func() string {
					return fmt.Sprintf("%s%s/%s[%d]/", path(), e.Name, c.Name, j+1)
				})
				if err != nil {
					return err
				}
				n++
			}
			v.FieldByIndex(f.Index).Set(rows.Slice(0, n))
		case len(e.Children) > 0:
			return malformedf("%s%s holds elements where text belongs", path(), e.Name)
		case e.Text == "":
		default:
			fv := v.FieldByIndex(f.Index)
			if err := u.set(fv, e.Text); err != nil {
				if _, ok := fv.Addr().Interface().(Lenient); !ok {
					return malformedf("%s%s: %v", path(), e.Name, err)
				}
				u.unknown = flatten(u.unknown, path(), e)
			}
		}
	}
	return nil
}

// find returns the index of the named field, -1 if there is none. It looks at
// next first, since elements mostly come in the order of the fields.
func find(fields []Field, name string, next int) int {
	if next < len(fields) && fields[next].is(name) {
		return next
	}
	for i := range fields {
		if fields[i].is(name) {
			return i
		}
	}
	return -1
}

func (f *Field) is(name string) bool {
	return f.GoName != "_" && (f.Name == name || f.Alias == name && name != "")
}

func flatten(unknown []Element, path string, e *Element) []Element {
	if len(e.Children) == 0 {
		return append(unknown, Element{Name: path + e.Name, Text: e.Text})
	}
	for i := range e.Children {
		unknown = flatten(unknown, path+e.Name+"/", &e.Children[i])
	}
	return unknown
}

func (u *filler) set(fv reflect.Value, text string) error {
	if t, ok := fv.Addr().Interface().(encoding.TextUnmarshaler); ok {
		u.scratch = append(u.scratch[:0], text...)
		return t.UnmarshalText(u.scratch)
	}
	if fv.Kind() == reflect.Int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return errors.New("not a whole number")
		}
		fv.SetInt(int64(n))
		return nil
	}
	fv.SetString(text)
	return nil
}
