package codec

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// ErrMalformed is matched by every error of Unmarshal.
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

// Limits against documents that are made to hurt.
const (
	maxDepth    = 4       // pReq/pDetails/pRow/field
	maxElements = 200_000 // a transfer answer of 3000 rows has 40,000
	maxNames    = 1_000   // different ones in one place; the longest request has 26
)

// Unmarshal reads a <pReq> document into the struct that v points to, which
// must be zero. It takes a byte order mark, any encoding that the XML
// declaration names (GBK and GB18030 among them), CDATA and entities, white
// space between elements and elements it has never heard of. It refuses document
// types, a second element of the same name in the same place, text beside
// elements, and anything after the end. An element that is missing or empty
// leaves its field zero. Errors name the element and never its text.
//
// The texts in the struct are parts of doc.
func Unmarshal(doc string, v any) (Document, error) {
	doc, converted, err := stripBOM(doc)
	if err != nil {
		return Document{}, err
	}
	rv := reflect.ValueOf(v).Elem()
	if d, ok := unmarshalQuick(doc, rv); ok {
		return d, nil
	}
	rv.SetZero()
	return unmarshalTree(doc, converted, rv)
}

func stripBOM(doc string) (out string, converted bool, err error) {
	if rest, ok := strings.CutPrefix(doc, "\xEF\xBB\xBF"); ok {
		return rest, true, nil
	}
	if strings.HasPrefix(doc, "\xFE\xFF") || strings.HasPrefix(doc, "\xFF\xFE") {
		out, err := unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().String(doc)
		if err != nil {
			return "", false, malformedf("the document is not the UTF-16 that its first bytes promise")
		}
		return out, true, nil
	}
	return doc, false, nil
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

// rowPath is the path of what stands in row j (from 0) of the element.
func rowPath(path string, f *Field, element string, j int) string {
	return fmt.Sprintf("%s%s/%s[%d]/", path, element, f.Row, j+1)
}

// fieldSet is which fields of a struct an element has named, under their name
// or their alias.
type fieldSet uint64

// add notes the field and reports whether it is new. No struct has more than 64.
func (s *fieldSet) add(at int) bool {
	bit := fieldSet(1) << at
	old := *s
	*s |= bit
	return old&bit == 0
}

// store puts texts into fields.
type store struct {
	scratch []byte // the text of the moment, so that not each needs a copy of its own
}

// text stores the text of an element in its field.
func (s *store) text(fv reflect.Value, f *Field, text string) error {
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
	s.scratch = append(s.scratch[:0], text...)
	if err := fv.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(s.scratch); err != nil {
		return err
	}
	if f.form == unsigned && fv.Int() < 0 {
		return errors.New("negative")
	}
	return nil
}

// lenient reports whether a value is only informational.
func lenient(fv reflect.Value) bool { return fv.Kind() == reflect.Struct }
