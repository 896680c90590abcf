// Package soap is as much of SOAP 1.1 document/literal as an ASMX client
// needs: a call with named text parameters, a result that is text, faults.
package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// The names of SOAP 1.1.
const (
	ContentType = "text/xml; charset=utf-8"
	envelopeNS  = "http://schemas.xmlsoap.org/soap/envelope/"
)

// Param is one parameter of a call.
type Param struct{ Name, Value string }

// Request writes the envelope of a call of op in the namespace.
func Request(namespace, op string, params []Param) []byte {
	n := 400
	for _, p := range params {
		n += 2*len(p.Name) + len(p.Value) + 5
	}
	b := make([]byte, 0, n)
	b = append(b, `<?xml version="1.0" encoding="utf-8"?>`+
		`<soap:Envelope xmlns:soap="`+envelopeNS+`"><soap:Body>`...)
	b = append(b, '<')
	b = append(b, op...)
	b = append(b, ` xmlns="`...)
	b = appendText(b, namespace)
	b = append(b, `">`...)
	for _, p := range params {
		b = append(b, '<')
		b = append(b, p.Name...)
		b = append(b, '>')
		b = appendText(b, p.Value)
		b = append(b, "</"...)
		b = append(b, p.Name...)
		b = append(b, '>')
	}
	b = append(b, "</"...)
	b = append(b, op...)
	return append(b, `></soap:Body></soap:Envelope>`...)
}

// Action is the value of the SOAPAction header, in quotes.
func Action(namespace, op string) string {
	return `"` + strings.TrimRight(namespace, "/") + "/" + op + `"`
}

func appendText(b []byte, s string) []byte {
	if !strings.ContainsAny(s, "&<>\"\r") && utf8.ValidString(s) {
		return append(b, s...)
	}
	var buf bytes.Buffer
	_ = xml.EscapeText(&buf, []byte(s)) // a bytes.Buffer does not fail
	return append(b, buf.Bytes()...)
}

// Fault is a soap:Fault.
type Fault struct{ Code, String string }

// ErrMalformed is wrapped by every error of Response.
var ErrMalformed = errors.New("malformed SOAP answer")

// Response reads the answer to a call of op: the text of its result element,
// or a fault. Exactly one of the two is meaningful: fault is nil for a result.
// The encoding is the XML declaration's, or else the content type's. SOAP 1.2
// faults are understood too.
func Response(doc []byte, contentType, op string) (result string, fault *Fault, err error) {
	if result, ok := quickResult(string(doc), contentType, op); ok {
		return result, nil, nil
	}
	return slowResponse(doc, contentType, op)
}

// slowResponse reads what Response reads, with encoding/xml.
func slowResponse(doc []byte, contentType, op string) (result string, fault *Fault, err error) {
	d := decoder(doc, contentType)
	r := reader{d: d, op: op}
	if err := r.read(); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case r.fault != nil && r.results > 0, r.results > 1:
		return "", nil, fmt.Errorf("%w: more than one result", ErrMalformed)
	case r.fault != nil:
		return "", r.fault, nil
	case r.results == 0:
		return "", nil, fmt.Errorf("%w: no %sResult", ErrMalformed, op)
	}
	return r.result, nil, nil
}

func decoder(doc []byte, contentType string) *xml.Decoder {
	var in io.Reader = bytes.NewReader(doc)
	bomless, hadBOM := bytes.CutPrefix(doc, []byte("\xEF\xBB\xBF"))
	if hadBOM {
		in = bytes.NewReader(bomless)
	}
	converted := hadBOM
	// A charset in the content type outranks the XML declaration.
	if label := charsetOf(contentType); label != "" && !hadBOM {
		if r, err := charset.NewReaderLabel(label, in); err == nil {
			in, converted = r, true
		}
	}
	d := xml.NewDecoder(in)
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if converted {
			return in, nil
		}
		return charset.NewReaderLabel(label, in)
	}
	return d
}

// charsetOf is the charset that a content type names, in lower case.
func charsetOf(contentType string) string {
	_, label, _ := strings.Cut(strings.ToLower(contentType), "charset=")
	label, _, _ = strings.Cut(label, ";")
	return strings.Trim(strings.TrimSpace(label), `"'`)
}

type reader struct {
	d       *xml.Decoder
	op      string
	path    []string
	result  string
	results int
	fault   *Fault
}

const maxDepth = 16

func (r *reader) read() error {
	var text []byte
	bodies, roots := 0, 0
	for {
		token, err := r.d.Token()
		if err == io.EOF {
			if roots == 0 {
				return errors.New("it is empty")
			}
			return nil
		}
		if err != nil {
			return errors.New("not XML")
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(r.path) >= maxDepth {
				return errors.New("nested too deeply")
			}
			r.path = append(r.path, t.Name.Local)
			text = text[:0]
			switch len(r.path) {
			case 1:
				if roots++; t.Name.Local != "Envelope" || roots > 1 {
					return errors.New("not an envelope")
				}
			case 2:
				if t.Name.Local == "Body" {
					bodies++
				}
				if bodies > 1 {
					return errors.New("two bodies")
				}
			case 3:
				if r.path[1] == "Body" && t.Name.Local == "Fault" {
					r.fault = &Fault{}
				}
			case 4:
				if r.at("Envelope", "Body", r.op+"Response", r.op+"Result") {
					r.results++
				}
			}
		case xml.CharData:
			text = append(text, t...)
		case xml.Directive:
			return errors.New("a document type is refused")
		case xml.EndElement:
			r.end(string(text))
			text = text[:0]
			r.path = r.path[:len(r.path)-1]
		}
	}
}

func (r *reader) end(text string) {
	switch {
	case r.at("Envelope", "Body", r.op+"Response", r.op+"Result"):
		r.result = text
	case r.at("Envelope", "Body", "Fault", "faultcode"), r.at("Envelope", "Body", "Fault", "Code", "Value"):
		code := text[strings.LastIndexByte(text, ':')+1:]
		r.fault.Code = strings.TrimSpace(code)
	case r.at("Envelope", "Body", "Fault", "faultstring"), r.at("Envelope", "Body", "Fault", "Reason", "Text"):
		r.fault.String = strings.TrimSpace(text)
	}
}

func (r *reader) at(path ...string) bool {
	if len(r.path) != len(path) {
		return false
	}
	for i := range path {
		if r.path[i] != path[i] {
			return false
		}
	}
	return true
}
