package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/ips-p2p/ips/internal/xmltext"
)

// Marshal writes the document of the struct that v points to: every field, in
// order, empty ones as empty elements, with no white space between elements.
// variant is the text of the element tagged so, for structs that several
// operations share. It refuses text that no XML document can hold, such as
// control characters.
func Marshal(v any, variant string) ([]byte, error) {
	b := make([]byte, 0, 1024)
	b = append(b, xmltext.Header...)
	b = append(b, "<pReq>"...)
	rv := reflect.ValueOf(v).Elem()
	b, err := appendStruct(b, rv, Fields(rv.Type()), variant)
	if err != nil {
		return nil, err
	}
	return append(b, "</pReq>"...), nil
}

func appendStruct(b []byte, v reflect.Value, fields []Field, variant string) ([]byte, error) {
	for i := range fields {
		f := &fields[i]
		b = append(b, f.start...)
		var err error
		if f.Row != "" {
			b, err = appendRows(b, v.FieldByIndex(f.Index), f)
		} else if b, err = appendField(b, v, fields, f, variant); err != nil {
			err = fmt.Errorf("%s: %w", f.Name, err)
		}
		if err != nil {
			return nil, err
		}
		b = append(b, f.end...)
	}
	return b, nil
}

func appendRows(b []byte, rows reflect.Value, f *Field) ([]byte, error) {
	n := rows.Len()
	rowStart, rowEnd := "<"+f.Row+">", "</"+f.Row+">"
	for j := range n {
		start := len(b)
		b = append(b, rowStart...)
		var err error
		if b, err = appendStruct(b, rows.Index(j), f.rows, ""); err != nil {
			return nil, fmt.Errorf("%s[%d]/%w", f.Row, j+1, err)
		}
		b = append(b, rowEnd...)
		if j == 0 { // rows are alike; growing step by step would copy all of them again and again
			row := len(b) - start
			b = slices.Grow(b, (n-1)*(row+row/16+8))
		}
	}
	return b, nil
}

func appendField(b []byte, v reflect.Value, fields []Field, f *Field, variant string) ([]byte, error) {
	text, own := value(v, fields, f, variant)
	switch {
	case own != nil:
		return own.AppendText(b)
	case clean(text):
		return append(b, text...), nil
	}
	if r, bad := xmltext.BadRune(text); bad {
		return nil, fmt.Errorf("the character %U has no place in an XML document", r)
	}
	return xmltext.Append(b, text), nil
}

// Text is the text that the element f of the struct v (addressable) gets,
// before escaping. It is empty for rows and variants.
func Text(v reflect.Value, f *Field) string {
	text, own := value(v, Fields(v.Type()), f, "")
	if own == nil {
		return text
	}
	b, err := own.AppendText(nil)
	if err != nil {
		return ""
	}
	return string(b)
}

// value is what the element f of the struct v gets: a text, or what a value of
// a type with a text form of its own appends.
func value(v reflect.Value, fields []Field, f *Field, variant string) (text string, own encoding.TextAppender) {
	switch {
	case f.Row != "":
		return "", nil
	case f.Variant:
		return variant, nil
	case f.IsConst:
		return f.Const, nil
	case f.copyOf >= 0:
		return value(v, fields, &fields[f.copyOf], variant)
	}
	fv := v.FieldByIndex(f.Index)
	switch {
	case f.Default != "" && fv.IsZero():
		return f.Default, nil
	case f.appends:
		return "", fv.Addr().Interface().(encoding.TextAppender)
	case fv.Kind() == reflect.Int:
		return strconv.Itoa(int(fv.Int())), nil
	default: // the raw text: enumerations have a String method for people
		return fv.String(), nil
	}
}

// clean reports whether the text is ASCII that stands for itself, as most is.
func clean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '&' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}
