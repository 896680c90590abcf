package wire

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// Bounds of a document. The platform's own limit of 3000 rows is business and
// gets a proper answer; these only keep a hostile document small.
const (
	maxRows   = 5000
	maxFields = 200 // elements of a document or of one row
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
// [*DocumentError]. With [ErrDoubled] and [ErrTag] the rest of the document
// was still read and is returned, so that the answer can find its way; of
// doubled elements the first is kept.
func ReadDocument(data []byte) (engine.Message, error) {
	text, err := toUTF8(data, "")
	if err != nil {
		return nil, &DocumentError{Err: err}
	}
	r := &documentReader{dec: newDecoder(text)}
	msg, err := r.document()
	if err != nil {
		return nil, err
	}
	if r.fault != nil {
		return msg, r.fault
	}
	return msg, nil
}

type documentReader struct {
	dec   *xml.Decoder
	row   int
	fault *DocumentError // the first fault that did not stop the reading
}

func (r *documentReader) fail(err error, element string) *DocumentError {
	return &DocumentError{Err: err, Element: element, Row: r.row}
}

func (r *documentReader) note(err error, element string) {
	if r.fault == nil {
		r.fault = r.fail(err, element)
	}
}

func (r *documentReader) document() (engine.Message, error) {
	root, err := r.token()
	if err != nil {
		return nil, unfinished(err)
	}
	start, ok := root.(xml.StartElement)
	if !ok || start.Name.Local != "pReq" {
		return nil, r.fail(ErrRoot, "")
	}
	msg, err := r.fields()
	if err != nil {
		return nil, err
	}
	switch _, err := r.token(); {
	case errors.Is(err, io.EOF):
		return msg, nil
	case err != nil:
		return nil, err
	default:
		return nil, r.fail(ErrTrailing, "")
	}
}

// token returns the next start tag, end tag or piece of text that is not blank.
// At the end of the input its error is io.EOF.
func (r *documentReader) token() (xml.Token, error) {
	for {
		tok, err := r.rawToken()
		if err != nil {
			return nil, err
		}
		if text, ok := tok.(xml.CharData); ok && blank(text) {
			continue
		}
		return tok, nil
	}
}

// rawToken is token with the blank text, which is content inside a field.
func (r *documentReader) rawToken() (xml.Token, error) {
	for {
		tok, err := r.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, syntaxError(err)
		}
		switch t := tok.(type) {
		case xml.Comment:
			continue
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, r.fail(ErrDTD, "")
			}
			continue
		case xml.Directive:
			return nil, r.fail(ErrDTD, "")
		case xml.StartElement:
			if t.Name.Space != "" || len(t.Attr) > 0 {
				return nil, r.fail(ErrName, t.Name.Local)
			}
		}
		return tok, nil
	}
}

func syntaxError(err error) *DocumentError {
	e := &DocumentError{Err: ErrSyntax}
	var s *xml.SyntaxError
	if errors.As(err, &s) {
		e.Line = s.Line
	}
	return e
}

func blank(text []byte) bool {
	return strings.Trim(string(text), " \t\r\n") == ""
}

// fields reads the children of pReq or pRow up to its end tag.
func (r *documentReader) fields() (engine.Message, error) {
	msg := engine.Message{}
	seen := make(map[string]bool)
	for {
		tok, err := r.token()
		if err != nil {
			return nil, unfinished(err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return msg, nil
		case xml.CharData:
			return nil, r.fail(ErrText, "")
		case xml.StartElement:
			name := t.Name.Local
			if len(seen) >= maxFields {
				return nil, r.fail(ErrTooMany, "")
			}
			field, err := r.field(name)
			if err != nil {
				return nil, err
			}
			if seen[name] {
				r.note(ErrDoubled, name)
				continue
			}
			seen[name] = true
			msg = append(msg, field)
		}
	}
}

func (r *documentReader) field(name string) (engine.Field, error) {
	if name == "pDetails" && r.row == 0 {
		rows, err := r.rows()
		return engine.Field{Name: name, Rows: rows}, err
	}
	var value strings.Builder
	for {
		tok, err := r.rawToken()
		if err != nil {
			return engine.Field{}, unfinished(err)
		}
		switch t := tok.(type) {
		case xml.CharData:
			value.Write(t)
		case xml.StartElement:
			return engine.Field{}, r.fail(ErrNesting, t.Name.Local)
		case xml.EndElement:
			return engine.Field{Name: name, Value: value.String()}, nil
		}
	}
}

func (r *documentReader) rows() ([]engine.Message, error) {
	defer func() { r.row = 0 }()
	var rows []engine.Message
	for {
		tok, err := r.token()
		if err != nil {
			return nil, unfinished(err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return rows, nil
		case xml.CharData:
			return nil, r.fail(ErrText, "pDetails")
		case xml.StartElement:
			if t.Name.Local != "pRow" {
				return nil, r.fail(ErrNesting, t.Name.Local)
			}
			r.row = len(rows) + 1
			if r.row > maxRows {
				return nil, r.fail(ErrTooMany, "pRow")
			}
			row, err := r.fields()
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
}

// unfinished turns an end of input where there should be more into a fault.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return &DocumentError{Err: ErrSyntax}
	}
	return err
}

// WriteDocument writes the document of an answer as the real platform does:
// it begins with a byte order mark, and free text is in CDATA.
func WriteDocument(m engine.Message) []byte {
	var b strings.Builder
	b.WriteString(bom + `<?xml version="1.0" encoding="utf-8"?>`)
	writeFields(&b, "pReq", m)
	return []byte(b.String())
}

func writeFields(b *strings.Builder, parent string, m engine.Message) {
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
