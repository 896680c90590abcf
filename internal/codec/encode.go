package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/plainxml"
)

// Marshal writes the document of the struct that v points to: every field, in
// order, empty ones as empty elements, with no white space between elements.
// variant is the text of the element tagged so, for structs that several
// operations share. It refuses text that no XML document can hold, such as
// control characters.
func Marshal(v any, variant string) ([]byte, error) {
	b := make([]byte, 0, 1024)
	b = append(b, plainxml.Header...)
	b = append(b, "<pReq>"...)
	rv := reflect.ValueOf(v).Elem()
	b, err := appendStruct(b, rv, Fields(rv.Type()), variant)
	if err != nil {
		return nil, err
	}
	return append(b, "</pReq>"...), nil
}

func appendStruct(b []byte, v reflect.Value, fields []Field, variant string) ([]byte, error) {
	var err error
	for i := range fields {
		f := &fields[i]
		b = append(b, f.start...)
		switch {
		case f.Row != "":
			b, err = appendRows(b, v.FieldByIndex(f.Index), f)
		case f.Variant:
			b, err = appendEscaped(b, variant)
		default:
			b, err = appendField(b, v, fields, f)
		}
		if err != nil {
			if f.Row == "" {
				err = fmt.Errorf("%s: %w", f.Name, err)
			}
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

func appendField(b []byte, v reflect.Value, fields []Field, f *Field) ([]byte, error) {
	switch {
	case f.IsConst:
		return appendEscaped(b, f.Const)
	case f.copyOf >= 0:
		return appendField(b, v, fields, &fields[f.copyOf])
	}
	fv := v.FieldByIndex(f.Index)
	if f.Default != "" && fv.IsZero() {
		return appendEscaped(b, f.Default)
	}
	switch {
	case f.appends:
		return fv.Addr().Interface().(encoding.TextAppender).AppendText(b)
	case f.form == wholeInt:
		return strconv.AppendInt(b, fv.Int(), 10), nil
	case fv.Kind() == reflect.String: // the raw text: enumerations have a String method for people
		return appendEscaped(b, fv.String())
	default:
		return nil, fmt.Errorf("%s cannot be written", fv.Type())
	}
}

// Text is the text that the element f of the struct v (addressable) gets,
// before escaping. It is empty for rows and variants.
func Text(v reflect.Value, f *Field) string {
	if f.Row != "" || f.Variant {
		return ""
	}
	fields := Fields(v.Type())
	switch {
	case f.IsConst:
		return f.Const
	case f.copyOf >= 0:
		return Text(v, &fields[f.copyOf])
	}
	fv := v.FieldByIndex(f.Index)
	if f.Default != "" && fv.IsZero() {
		return f.Default
	}
	if a, ok := fv.Addr().Interface().(encoding.TextAppender); ok {
		b, err := a.AppendText(nil)
		if err != nil {
			return ""
		}
		return string(b)
	}
	if fv.Kind() == reflect.Int {
		return strconv.FormatInt(fv.Int(), 10)
	}
	return fv.String()
}

// BadRune finds the first character that XML 1.0 cannot hold: control
// characters other than tab, line feed and carriage return, surrogates, U+FFFE,
// U+FFFF, and bytes that are not UTF-8.
func BadRune(s string) (r rune, bad bool) {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return r, true
			}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return r, true
		}
	}
	return 0, false
}

func appendEscaped(b []byte, s string) ([]byte, error) {
	if clean(s) {
		return append(b, s...), nil
	}
	if r, bad := BadRune(s); bad {
		return nil, fmt.Errorf("the character %U has no place in an XML document", r)
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>': // for the sake of "]]>"
			b = append(b, "&gt;"...)
		case '\r': // a parser would read a line feed
			b = append(b, "&#xD;"...)
		default:
			b = append(b, s[i])
		}
	}
	return b, nil
}

// clean reports whether the text is ASCII that stands for itself, as most is.
func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '&' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}
