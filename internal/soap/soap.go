// Package soap is as much of SOAP 1.1 document/literal as an ASMX client
// needs: a call with named text parameters, a result that is text, faults.
package soap

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/xmltext"
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
	b = append(b, xmltext.Header+
		`<soap:Envelope xmlns:soap="`+envelopeNS+`"><soap:Body>`...)
	b = append(b, '<')
	b = append(b, op...)
	b = append(b, ` xmlns="`...)
	b = append(b, strings.ReplaceAll(string(xmltext.Append(nil, namespace)), `"`, "&quot;")...)
	b = append(b, `">`...)
	for _, p := range params {
		b = append(b, '<')
		b = append(b, p.Name...)
		b = append(b, '>')
		b = xmltext.Append(b, p.Value)
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

// Fault is a soap:Fault.
type Fault struct{ Code, String string }

// ErrMalformed is wrapped by every error of Response.
var ErrMalformed = errors.New("malformed SOAP answer")

// Response reads the answer to a call of op: the text of its result element,
// or a fault. Exactly one of the two is meaningful: fault is nil for a result.
// The encoding is that of a byte order mark, the content type or the XML
// declaration, in this order. SOAP 1.2 faults are understood too.
func Response(doc []byte, contentType, op string) (result string, fault *Fault, err error) {
	x, err := xmltext.NewReader(string(doc), charsetOf(contentType))
	if err != nil {
		return "", nil, fmt.Errorf("%w: not XML: %w", ErrMalformed, err)
	}
	r := reader{xml: x, op: op}
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

// charsetOf is the charset that a content type names, in lower case.
func charsetOf(contentType string) string {
	_, label, _ := strings.Cut(strings.ToLower(contentType), "charset=")
	label, _, _ = strings.Cut(label, ";")
	return strings.Trim(strings.TrimSpace(label), `"'`)
}

type reader struct {
	xml     xmltext.Reader
	op      string
	path    []string // local names of the open elements
	bodies  int
	result  string
	results int
	fault   *Fault
}

func (r *reader) read() error {
	for {
		kind, err := r.xml.Next()
		switch {
		case err != nil:
			return fmt.Errorf("not XML: %w", err)
		case kind == xmltext.Done:
			return nil
		case kind == xmltext.Start:
			r.path = append(r.path, r.xml.Name)
			err = r.start()
		default:
			r.end(r.xml.Text)
			r.path = r.path[:len(r.path)-1]
		}
		if err != nil {
			return err
		}
	}
}

func (r *reader) start() error {
	switch {
	case len(r.path) == 1 && r.path[0] != "Envelope":
		return errors.New("not an envelope")
	case r.at("Envelope", "Body"):
		if r.bodies++; r.bodies > 1 {
			return errors.New("two bodies")
		}
	case r.at("Envelope", "Body", "Fault"):
		if r.fault != nil {
			return errors.New("two faults")
		}
		r.fault = &Fault{}
	case r.at("Envelope", "Body", r.op+"Response", r.op+"Result"):
		r.results++
	case len(r.path) == 5 && r.at("Envelope", "Body", r.op+"Response", r.op+"Result", r.path[4]):
		return errors.New("elements where the result's text belongs")
	}
	return nil
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

func (r *reader) at(path ...string) bool { return slices.Equal(r.path, path) }
