// Package codec turns Go structs into the <pReq> documents of the IPS
// interface and back. A document is flat: one element a field, no attributes;
// only batch operations nest, as <pDetails><pRow>…</pRow>…</pDetails>.
//
// The wire name, and with the order of the fields the wire order, stand in the
// struct tag "ips":
//
//	OrderNo string   `ips:"pMerBillNo"`
//	_       struct{} `ips:"pRegType,const=1"`       // always this text
//	_       struct{} `ips:"pTrdAmt,copy=pAuthAmt"`  // the text of another field
//	Type    T        `ips:"pAcctType,default=1"`    // this text where the value is zero
//	_       struct{} `ips:"pOperationType,variant"` // the text that Marshal is told
//	From    T        `ips:"pFAcctType,alias=pFAccType"` // another name that is read
//	Balance N        `ips:"pBalance,signed"`        // a number that may be negative
//	Rows    []Row    `ips:"pDetails,row=pRow"`
//
// Fields without the tag are left alone, embedded structs count as if their
// fields stood in their place. A value is a string, an integer, or a type with
// AppendText and UnmarshalText. Such a value that counts in an int64, as money
// does, is never negative in a document unless its tag says signed. One that is
// a struct, as dates and times are, is only informational: if it cannot be read,
// the field stays zero and the element goes to the unknown ones.
package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// TagKey is the key of the struct tag.
const TagKey = "ips"

// Field describes one element of a document.
type Field struct {
	Name    string            // wire name
	GoName  string            // name in the struct, "_" for constants and copies
	Alias   string            // a second name that is read, or ""
	Row     string            // the element of each row, for slices
	Const   string            // text of a constant
	IsConst bool              // the text is Const, whatever the struct holds
	Default string            // text of a zero value
	Variant bool              // the text is what Marshal is told, whatever the struct holds
	Signed  bool              // the number may be negative
	CopyOf  string            // wire name of the field whose text is repeated
	Type    reflect.Type      // type of the Go field
	Tag     reflect.StructTag // the whole tag, for other keys than ours
	Index   []int             // path to the Go field, for reflect.Value.FieldByIndex
	copyOf  int               // index in Fields of the field named CopyOf
	start   string            // start tag
	end     string            // end tag
	form    form              // how its text is read
	appends bool              // its text is written by AppendText
	rows    []Field           // of each row, for slices
}

// form says how the text of a field is stored.
type form int

const (
	plainText form = iota // as it is
	wholeInt              // strconv.Atoi
	ownForm               // UnmarshalText
	unsigned              // UnmarshalText, and no minus
)

var cache sync.Map // reflect.Type -> []Field

// Fields lists the elements of struct type t in wire order. It panics on a tag
// that makes no sense, which is a mistake in the program and not in its input.
func Fields(t reflect.Type) []Field {
	if f, ok := cache.Load(t); ok {
		return f.([]Field)
	}
	fields := collect(t, nil, nil)
	if len(fields) > maxFields {
		panic(fmt.Sprintf("codec: %s has more than %d elements", t, maxFields))
	}
	byName := make(map[string]int, len(fields))
	for i, f := range fields {
		if _, twice := byName[f.Name]; twice {
			panic(fmt.Sprintf("codec: %s has the element %s twice", t, f.Name))
		}
		byName[f.Name] = i
	}
	for i := range fields {
		if fields[i].CopyOf != "" {
			from, ok := byName[fields[i].CopyOf]
			if !ok {
				panic(fmt.Sprintf("codec: %s: %s copies the unknown element %s", t, fields[i].Name, fields[i].CopyOf))
			}
			fields[i].copyOf = from
		}
	}
	got, _ := cache.LoadOrStore(t, fields)
	return got.([]Field)
}

func collect(t reflect.Type, path []int, fields []Field) []Field {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(append([]int(nil), path...), i)
		tag, ok := sf.Tag.Lookup(TagKey)
		if !ok {
			if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
				fields = collect(sf.Type, index, fields)
			}
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		f := Field{Name: name, GoName: sf.Name, Type: sf.Type, Tag: sf.Tag, Index: index, copyOf: -1}
		for opt := range strings.SplitSeq(rest, ",") {
			key, value, _ := strings.Cut(opt, "=")
			switch key {
			case "":
			case "const":
				f.Const, f.IsConst = value, true
			case "copy":
				f.CopyOf = value
			case "default":
				f.Default = value
			case "alias":
				f.Alias = value
			case "row":
				f.Row = value
			case "variant":
				f.Variant = true
			case "signed":
				f.Signed = true
			default:
				panic(fmt.Sprintf("codec: %s.%s: unknown option %q", t, sf.Name, opt))
			}
		}
		switch {
		case f.IsConst, f.CopyOf != "", f.Variant:
		case f.Row != "":
			f.rows = Fields(sf.Type.Elem())
			if slices.ContainsFunc(f.rows, func(f Field) bool { return f.Row != "" }) {
				panic(fmt.Sprintf("codec: %s.%s: rows within rows", t, sf.Name))
			}
		case !isText(sf.Type):
			panic(fmt.Sprintf("codec: %s.%s: no text form for %s", t, sf.Name, sf.Type))
		default:
			f.form = formOf(sf.Type, f.Signed)
			f.appends = reflect.PointerTo(sf.Type).Implements(appender)
		}
		f.start, f.end = "<"+f.Name+">", "</"+f.Name+">"
		fields = append(fields, f)
	}
	return fields
}

var (
	appender    = reflect.TypeFor[encoding.TextAppender]()
	unmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func isText(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Kind() == reflect.Int || reflect.PointerTo(t).Implements(appender)
}

func formOf(t reflect.Type, signed bool) form {
	switch {
	case reflect.PointerTo(t).Implements(unmarshaler) && t.Kind() == reflect.Int64 && !signed:
		return unsigned
	case reflect.PointerTo(t).Implements(unmarshaler):
		return ownForm
	case t.Kind() == reflect.Int:
		return wholeInt
	default:
		return plainText
	}
}
