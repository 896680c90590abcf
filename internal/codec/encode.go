package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"
)

const header = `<?xml version="1.0" encoding="utf-8"?>`

// Marshal writes the document of the struct that v points to: every field, in
// order, empty ones as empty elements, with no white space between elements.
// It refuses text that no XML document can hold, such as control characters.
func Marshal(v any) ([]byte, error) {
	rv := reflect.ValueOf(v).Elem()
	b := make([]byte, 0, 1024)
	b = append(b, header...)
	b = append(b, "<pReq>"...)
	b, err := appendStruct(b, rv)
	if err != nil {
		return nil, err
	}
	return append(b, "</pReq>"...), nil
}

func appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	fields := Fields(v.Type())
	var err error
	for i := range fields {
		f := &fields[i]
		b = appendTag(b, "<", f.Name)
		if f.Row != "" {
			rows := v.FieldByIndex(f.Index)
			for j := range rows.Len() {
				b = appendTag(b, "<", f.Row)
				if b, err = appendStruct(b, rows.Index(j)); err != nil {
					return nil, fmt.Errorf("%s[%d]/%w", f.Row, j+1, err)
				}
				b = appendTag(b, "</", f.Row)
			}
		} else if b, err = appendField(b, v, fields, f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		b = appendTag(b, "</", f.Name)
	}
	return b, nil
}

func appendTag(b []byte, open, name string) []byte {
	b = append(b, open...)
	b = append(b, name...)
	return append(b, '>')
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
	if a, ok := fv.Addr().Interface().(encoding.TextAppender); ok {
		return a.AppendText(b)
	}
	switch fv.Kind() {
	case reflect.String: // the raw text: enumerations have a String method for people
		return appendEscaped(b, fv.String())
	case reflect.Int:
		return strconv.AppendInt(b, fv.Int(), 10), nil
	default:
		return nil, fmt.Errorf("%s cannot be written", fv.Type())
	}
}

// Text is the text that the element f of the struct v (addressable) gets,
// before escaping. It is empty for rows.
func Text(v reflect.Value, f *Field) string {
	if f.Row != "" {
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
