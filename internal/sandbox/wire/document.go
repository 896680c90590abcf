package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// Bounds of a document. The platform's own limit of 3000 rows is business and
// gets a proper answer; these only keep a hostile document small.
const (
	maxRows   = 5000
	maxFields = 200 // elements of a document or of one row

	maxDepth    = 16
	maxElements = 200_000
)

// What can be wrong with a <pReq> document.
var (
	ErrSyntax   = errors.New("not well-formed XML")
	ErrDTD      = errors.New("document type declarations and processing instructions are not taken")
	ErrRoot     = errors.New("the root element is not <pReq>")
	ErrName     = errors.New("namespaces and attributes are not taken")
	ErrText     = errors.New("text between elements")
	ErrNesting  = errors.New("elements nest in pDetails and pRow only")
	ErrTooMany  = errors.New("too many elements")
	ErrTrailing = errors.New("something follows the document")
	ErrDoubled  = errors.New("element appears twice")
	ErrDeep     = errors.New("elements nest too deep")
)

// A DocumentError says what is wrong with a document, and where. It never
// holds a value of the document.
type DocumentError struct {
	Err     error  // one of the Err variables of this package
	Element string // the element at fault, "" for the document as a whole
	Row     int    // the row it is in, from 1; 0 outside of rows
	Line    int    // where, if the text is not XML
}

func (e *DocumentError) Error() string {
	var b strings.Builder
	b.WriteString("document")
	if e.Row > 0 {
		fmt.Fprintf(&b, ", row %d", e.Row)
	}
	if e.Element != "" {
		fmt.Fprintf(&b, ", element %s", e.Element)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d", e.Line)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *DocumentError) Unwrap() error { return e.Err }

// ReadDocument reads a decrypted <pReq> document, strictly. Its error is a
// [*DocumentError]. With [ErrDoubled] the rest of the document was still read
// and is returned, so that the answer can find its way; of doubled elements the
// first is kept.
func ReadDocument(data []byte) (engine.Message, error) {
	text, err := toUTF8(data, "")
	if err != nil {
		return nil, &DocumentError{Err: err}
	}
	top, fault := readElements(text, maxDepth, maxElements)
	switch {
	case fault != nil && errors.Is(fault, ErrDeep):
		return nil, &DocumentError{Err: ErrNesting}
	case fault != nil:
		return nil, fault
	case len(top.children) == 0 && !top.stray():
		return nil, &DocumentError{Err: ErrSyntax}
	case len(top.children) == 0:
		return nil, &DocumentError{Err: ErrRoot}
	}
	r := &documentReader{}
	root := top.children[0]
	switch {
	case !root.plain():
		return nil, r.fail(ErrName, root.Name.Local)
	case root.Name.Local != "pReq":
		return nil, r.fail(ErrRoot, "")
	}
	msg, fault := r.fields(root)
	switch {
	case fault != nil:
		return nil, fault
	case len(top.children) > 1 || top.stray():
		return nil, r.fail(ErrTrailing, "")
	case r.fault != nil:
		return msg, r.fault
	}
	return msg, nil
}

type documentReader struct {
	row   int
	fault *DocumentError // the first doubled element, which does not stop the reading
}

func (r *documentReader) fail(err error, element string) *DocumentError {
	return &DocumentError{Err: err, Element: element, Row: r.row}
}

// fields reads the children of pReq or pRow.
func (r *documentReader) fields(parent *element) (engine.Message, *DocumentError) {
	msg := engine.Message{}
	seen := make(map[string]bool)
	for _, e := range parent.children {
		name := e.Name.Local
		if len(seen) >= maxFields {
			return nil, r.fail(ErrTooMany, "")
		}
		field, fault := r.field(e)
		if fault != nil {
			return nil, fault
		}
		if seen[name] {
			if r.fault == nil {
				r.fault = r.fail(ErrDoubled, name)
			}
			continue
		}
		seen[name] = true
		msg = append(msg, field)
	}
	if parent.stray() {
		return nil, r.fail(ErrText, "")
	}
	return msg, nil
}

func (r *documentReader) field(e *element) (engine.Field, *DocumentError) {
	field := engine.Field{Name: e.Name.Local}
	switch {
	case !e.plain():
		return field, r.fail(ErrName, field.Name)
	case field.Name != "pDetails" || r.row > 0:
		if len(e.children) > 0 {
			return field, r.fail(ErrNesting, e.children[0].Name.Local)
		}
		field.Value = e.text.String()
		return field, nil
	case e.stray():
		return field, r.fail(ErrText, field.Name)
	}
	defer func() { r.row = 0 }()
	for i, row := range e.children {
		if row.Name.Local != "pRow" {
			return field, r.fail(ErrNesting, row.Name.Local)
		}
		if r.row = i + 1; r.row > maxRows {
			return field, r.fail(ErrTooMany, "pRow")
		}
		if !row.plain() {
			return field, r.fail(ErrName, "pRow")
		}
		msg, fault := r.fields(row)
		if fault != nil {
			return field, fault
		}
		field.Rows = append(field.Rows, msg)
	}
	return field, nil
}

// WriteDocument writes the document of an answer as the real platform does:
// it begins with a byte order mark, and free text is in CDATA.
func WriteDocument(m engine.Message) []byte {
	var b bytes.Buffer
	b.Grow(1 << 10) // of most
	b.WriteString(bom + `<?xml version="1.0" encoding="utf-8"?>`)
	writeFields(&b, "pReq", m)
	return b.Bytes()
}

func writeFields(b *bytes.Buffer, parent string, m engine.Message) {
	b.WriteString("<" + parent + ">")
	for _, f := range m {
		switch {
		case f.Name == "pDetails":
			b.WriteString("<pDetails>")
			for _, row := range f.Rows {
				writeFields(b, "pRow", row)
			}
			b.WriteString("</pDetails>")
		case freeText(f.Name):
			b.WriteString("<" + f.Name + ">" + CDATA(f.Value) + "</" + f.Name + ">")
		default:
			b.WriteString("<" + f.Name + ">" + Escape(f.Value) + "</" + f.Name + ">")
		}
	}
	b.WriteString("</" + parent + ">")
}

// freeText names the elements that the platform writes as CDATA. Memos,
// messages and names were seen; the others are our choice.
func freeText(name string) bool {
	switch name {
	case "pMemo1", "pMemo2", "pMemo3", "pMessage",
		"pRealName", "pAccountName", "pFromName", "pToAccountName", "pBankName", "pBkAccName",
		"pLendPurpose", "pUse", "pWebUrl", "pS2SUrl":
		return true
	}
	return false
}
