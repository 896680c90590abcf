package codec

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/ips-p2p/ips/internal/xmltext"
)

// ErrMalformed is matched by every error of Unmarshal and Elements.
var ErrMalformed = errors.New("malformed document")

type malformed string

func (m malformed) Error() string        { return string(m) }
func (m malformed) Is(target error) bool { return target == ErrMalformed }

func malformedf(format string, args ...any) error {
	return malformed(fmt.Sprintf(format, args...))
}

// Document is what Unmarshal read besides the struct.
type Document struct {
	// Elements are those directly below the root, in order. The text of one that
	// holds elements is empty.
	Elements []Element
	// Unknown are those that the struct has no field for, with their path, e.g.
	// "pDetails/pRow[2]/pNew".
	Unknown []Element
}

// Element is an element of a document: its name and its text.
type Element struct{ Name, Text string }

// Limits against documents that are made to hurt, beside those of xmltext.
const (
	maxDepth = 4      // pReq/pDetails/pRow/field
	maxNames = 250    // directly below the root, where each is compared with each; the longest request has 26
	maxRows  = 10_000 // that room is made for before they are read; the contract has 3000
)

// Unmarshal reads a <pReq> document into the struct that v points to, which
// must be zero. It takes a byte order mark, any encoding that the XML
// declaration names (GBK and GB18030 among them), CDATA and entities, white
// space between elements and elements it has never heard of. It refuses document
// types, a second element of the same name below the root or for one field, text
// beside elements, and anything after the end. An element that is missing or
// empty leaves its field zero. Errors name the element and never its text.
//
// The texts in the struct are parts of doc.
func Unmarshal(doc string, v any) (Document, error) {
	var d decoder
	if err := d.read(doc, reflect.ValueOf(v).Elem()); err != nil {
		return Document{}, err
	}
	return d.document, nil
}

// Elements lists the elements directly below the root of a document, in order.
// It refuses what Unmarshal refuses.
func Elements(doc string) ([]Element, error) {
	d := decoder{list: true}
	if err := d.read(doc, reflect.ValueOf(struct{}{})); err != nil {
		return nil, err
	}
	return d.document.Elements, nil
}

// decoder reads one document.
type decoder struct {
	xml      xmltext.Reader
	list     bool // only the elements are wanted
	document Document
	scratch  []byte // the text of the moment, so that not each needs a copy of its own

	name string // of the element whose rows are being read, "" outside of rows
	rows *Field // its field
	row  int    // which of them, from 1, or 0 between them
}

func (d *decoder) read(doc string, v reflect.Value) (err error) {
	if d.xml, err = xmltext.NewReader(doc, ""); err != nil {
		return malformedf("not XML: %v", err)
	}
	if _, err = d.next(); err != nil {
		return err
	}
	if d.xml.Name != "pReq" {
		return malformedf("the document's root is <%.40s>, not <pReq>", d.xml.Name)
	}
	fields := Fields(v.Type())
	d.document.Elements = make([]Element, 0, len(fields)+4)
	if err = d.fields(v, fields); err != nil {
		return err
	}
	_, err = d.next()
	return err
}

// next goes to the next tag.
func (d *decoder) next() (xmltext.Kind, error) {
	kind, err := d.xml.Next()
	if err != nil {
		return kind, malformedf("not XML: %v", err)
	}
	if kind == xmltext.Start && d.xml.Depth() > maxDepth {
		return kind, malformedf("<%.40s> is nested too deeply", d.xml.Name)
	}
	return kind, nil
}

// child goes to the next child of an element that holds elements, or to its
// end.
func (d *decoder) child() (found bool, err error) {
	kind, err := d.next()
	if err == nil && !d.xml.Blank() {
		err = malformedf("%s holds text where elements belong", cmp.Or(strings.TrimSuffix(d.path(), "/"), d.name, "the document"))
	}
	return kind == xmltext.Start, err
}

// path is what the names of the elements here begin with.
func (d *decoder) path() string {
	if d.row == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%s[%d]/", d.name, d.rows.Row, d.row)
}

// fields reads the children of the root or of a row into the struct v.
func (d *decoder) fields(v reflect.Value, fields []Field) error {
	next := 0
	var seen fieldSet
	for {
		found, err := d.child()
		if !found || err != nil {
			return err
		}
		name, text := d.xml.Name, ""
		at := find(fields, name, next)
		if at >= 0 && !seen.add(at) || at < 0 && d.has(name) {
			return malformedf("%s%s stands twice", d.path(), name)
		}
		switch {
		case at < 0 && d.list:
			text, err = d.unknown("", name)
		case at < 0:
			text, err = d.unknown(d.path(), name)
		case fields[at].Row != "":
			err = d.details(v.FieldByIndex(fields[at].Index), &fields[at], name)
		default:
			text, err = d.field(v.FieldByIndex(fields[at].Index), &fields[at], name)
		}
		if err != nil {
			return err
		}
		if at >= 0 {
			next = at + 1
		}
		if d.row == 0 {
			if len(d.document.Elements) == maxNames {
				return malformedf("more than %d different elements", maxNames)
			}
			d.document.Elements = append(d.document.Elements, Element{name, text})
		}
	}
}

// has reports whether the root has had such a child. What rows have twice and
// no field knows is nobody's business.
func (d *decoder) has(name string) bool {
	if d.row > 0 {
		return false
	}
	for i := range d.document.Elements {
		if d.document.Elements[i].Name == name {
			return true
		}
	}
	return false
}

// field reads the text of an element into its field.
func (d *decoder) field(v reflect.Value, f *Field, name string) (text string, err error) {
	kind, err := d.next()
	if err != nil {
		return "", err
	}
	if kind == xmltext.Start {
		return "", malformedf("%s%s holds elements where text belongs", d.path(), name)
	}
	text = d.xml.Text
	if err := d.store(v, f, text); err != nil {
		if v.Kind() != reflect.Struct { // a struct is only informational
			return "", malformedf("%s%s: %v", d.path(), name, err)
		}
		d.document.Unknown = append(d.document.Unknown, Element{d.path() + name, text})
	}
	return text, nil
}

// details reads the rows that the named element holds.
func (d *decoder) details(to reflect.Value, f *Field, name string) error {
	to.Set(reflect.MakeSlice(f.Type, 0, 0))
	d.rows, d.name = f, name
	for n := 0; ; {
		found, err := d.child()
		if !found || err != nil {
			d.name = ""
			return err
		}
		if d.xml.Name != f.Row {
			if _, err := d.unknown(name+"/", d.xml.Name); err != nil {
				return err
			}
			continue
		}
		length := len(d.xml.Rest())
		to.Grow(1)
		n++
		to.SetLen(n)
		d.row = n
		if err := d.fields(to.Index(n-1), f.rows); err != nil {
			return err
		}
		d.row = 0
		if n == 1 { // rows are alike; growing step by step would copy all of them again and again
			rest := len(d.xml.Rest())
			to.Grow(min(rest/max(1, length-rest)*17/16, maxRows))
		}
	}
}

// unknown keeps the element that no field knows, or those that it holds. The
// text of one that holds elements is empty.
func (d *decoder) unknown(path, name string) (text string, err error) {
	kind, err := d.next()
	if err != nil {
		return "", err
	}
	if kind == xmltext.End {
		if !d.list {
			d.document.Unknown = append(d.document.Unknown, Element{path + name, d.xml.Text})
		}
		return d.xml.Text, nil
	}
	for kind == xmltext.Start && d.xml.Blank() {
		if _, err = d.unknown(path+name+"/", d.xml.Name); err != nil {
			return "", err
		}
		if kind, err = d.next(); err != nil {
			return "", err
		}
	}
	if !d.xml.Blank() {
		return "", malformedf("<%.40s> holds text beside elements", name)
	}
	return "", nil
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

// fieldSet is which fields of a struct an element has named, under their name
// or their alias.
type fieldSet uint64

const maxFields = 64

// add notes the field and reports whether it is new.
func (s *fieldSet) add(at int) bool {
	bit := fieldSet(1) << at
	old := *s
	*s |= bit
	return old&bit == 0
}

// store puts the text of an element into its field.
func (d *decoder) store(fv reflect.Value, f *Field, text string) error {
	if text == "" {
		return nil
	}
	switch f.form {
	case plainText:
		fv.SetString(text)
		return nil
	case wholeInt:
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return errors.New("not a whole number")
		}
		fv.SetInt(int64(n))
		return nil
	}
	d.scratch = append(d.scratch[:0], text...)
	if err := fv.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(d.scratch); err != nil {
		return err
	}
	if f.form == unsigned && fv.Int() < 0 {
		return errors.New("negative")
	}
	return nil
}
