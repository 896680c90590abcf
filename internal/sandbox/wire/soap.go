package wire

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// Version is a version of SOAP.
type Version int

// The versions that a .NET web service speaks.
const (
	SOAP11 Version = iota + 1
	SOAP12
)

const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"

	xmlnsXSI = "http://www.w3.org/2001/XMLSchema-instance"
	xmlnsXSD = "http://www.w3.org/2001/XMLSchema"
)

// Bounds of an envelope; a call has four parameters at most.
const (
	maxSOAPTokens = 1000
	maxSOAPDepth  = 16
	maxParams     = 16
)

// ContentType is the media type of an envelope in this version.
func (v Version) ContentType() string {
	if v == SOAP12 {
		return "application/soap+xml; charset=utf-8"
	}
	return "text/xml; charset=utf-8"
}

func (v Version) namespace() string {
	if v == SOAP12 {
		return soap12
	}
	return soap11
}

// FaultCode says whose fault a fault is, in the words of SOAP 1.1.
type FaultCode string

// The codes of a fault.
const (
	FaultClient          FaultCode = "Client"
	FaultServer          FaultCode = "Server"
	FaultVersionMismatch FaultCode = "VersionMismatch"
	FaultMustUnderstand  FaultCode = "MustUnderstand"
)

// in is the code in the words of SOAP version v.
func (c FaultCode) in(v Version) string {
	if v == SOAP12 {
		switch c {
		case FaultClient:
			return "Sender"
		case FaultServer:
			return "Receiver"
		}
	}
	return string(c)
}

// Fault is a soap:Fault. It is an error of [ReadCall].
type Fault struct {
	Code   FaultCode
	Reason string
}

func (f *Fault) Error() string { return "soap: " + string(f.Code) + ": " + f.Reason }

func clientFault(reason string) *Fault { return &Fault{FaultClient, reason} }

// Call is one call of a web service's operation.
type Call struct {
	Version   Version
	Namespace string // of the operation's element
	Operation string // its name
	Params    []Pair // in the order they came
}

// ReadCall reads the envelope of a call. charset is what the transport said of
// the text, "" if nothing. Its error is a [*Fault]; the call's Version is then
// set as far as it was recognised.
//
// It is as tolerant as .NET's web services, and more: parameters come in any
// order and namespace, some may be missing, their attributes (xsi:type,
// xsi:nil) are ignored.
func ReadCall(body []byte, charset string) (Call, error) {
	text, err := toUTF8(body, charset)
	if err != nil {
		return Call{}, clientFault(err.Error())
	}
	r := &soapReader{dec: newDecoder(text)}
	err = r.envelope()
	if errors.Is(err, io.EOF) {
		err = clientFault("the envelope is not complete")
	}
	return r.call, err
}

type soapReader struct {
	dec    *xml.Decoder
	tokens int
	depth  int
	call   Call
}

// token returns the next start tag, end tag or text.
func (r *soapReader) token() (xml.Token, error) {
	for {
		if r.tokens++; r.tokens > maxSOAPTokens {
			return nil, clientFault("the envelope has too many elements")
		}
		tok, err := r.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			// The decoder's words may quote the message.
			return nil, clientFault("the envelope is not well-formed XML")
		}
		switch t := tok.(type) {
		case xml.Comment:
			continue
		case xml.ProcInst:
			if t.Target == "xml" {
				continue
			}
			return nil, clientFault("processing instructions are not allowed")
		case xml.Directive:
			return nil, clientFault("a document type declaration is not allowed")
		case xml.StartElement:
			if r.depth++; r.depth > maxSOAPDepth {
				return nil, clientFault("the envelope nests too deep")
			}
		case xml.EndElement:
			r.depth--
		}
		return tok, nil
	}
}

// next is token without text, for places where only white space may stand. It
// returns nil at an end tag.
func (r *soapReader) next() (*xml.StartElement, error) {
	for {
		tok, err := r.token()
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		case xml.CharData:
			if !blank(t) {
				return nil, clientFault("text between the elements of the envelope")
			}
		}
	}
}

func (r *soapReader) envelope() error {
	root, err := r.next()
	if err != nil {
		return err
	}
	if root == nil || root.Name.Local != "Envelope" {
		return clientFault("the root element is not a SOAP Envelope")
	}
	switch root.Name.Space {
	case soap11:
		r.call.Version = SOAP11
	case soap12:
		r.call.Version = SOAP12
	default:
		return &Fault{FaultVersionMismatch, "the envelope is neither SOAP 1.1 nor SOAP 1.2"}
	}
	part, err := r.next()
	if err != nil {
		return err
	}
	if r.isPart(part, "Header") {
		if err := r.header(); err != nil {
			return err
		}
		if part, err = r.next(); err != nil {
			return err
		}
	}
	if !r.isPart(part, "Body") {
		return clientFault("the envelope has no Body")
	}
	return r.body()
}

func (r *soapReader) isPart(e *xml.StartElement, name string) bool {
	return e != nil && e.Name.Local == name && e.Name.Space == r.call.Version.namespace()
}

// header passes over the header's blocks; there is none we understand.
func (r *soapReader) header() error {
	for {
		block, err := r.next()
		if err != nil || block == nil {
			return err
		}
		for _, a := range block.Attr {
			if a.Name.Space == r.call.Version.namespace() && a.Name.Local == "mustUnderstand" &&
				(a.Value == "1" || a.Value == "true") {
				return &Fault{FaultMustUnderstand, "a header that must be understood is not"}
			}
		}
		if err := r.skip(); err != nil {
			return err
		}
	}
}

func (r *soapReader) skip() error {
	for depth := r.depth; r.depth >= depth; {
		if _, err := r.token(); err != nil {
			return err
		}
	}
	return nil
}

func (r *soapReader) body() error {
	op, err := r.next()
	if err != nil {
		return err
	}
	if op == nil {
		return clientFault("the Body is empty")
	}
	r.call.Namespace, r.call.Operation = op.Name.Space, op.Name.Local
	for {
		param, err := r.next()
		if err != nil {
			return err
		}
		if param == nil {
			break
		}
		if err := r.param(param.Name.Local); err != nil {
			return err
		}
	}
	if extra, err := r.next(); err != nil || extra != nil {
		if err == nil {
			err = clientFault("the Body has more than one element")
		}
		return err
	}
	return r.close()
}

func (r *soapReader) param(name string) error {
	if len(r.call.Params) == maxParams {
		return clientFault("the call has too many parameters")
	}
	for _, p := range r.call.Params {
		if p.Name == name {
			return clientFault("parameter " + name + " appears twice")
		}
	}
	var value strings.Builder
	for {
		tok, err := r.token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.CharData:
			value.Write(t)
		case xml.StartElement:
			return clientFault("parameter " + name + " holds elements")
		case xml.EndElement:
			r.call.Params = append(r.call.Params, Pair{name, value.String()})
			return nil
		}
	}
}

// close reads what is left behind the Body: the envelope's end and nothing else.
func (r *soapReader) close() error {
	if extra, err := r.next(); err != nil || extra != nil {
		if err == nil {
			err = clientFault("an element follows the Body")
		}
		return err
	}
	switch extra, err := r.next(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	case extra != nil:
		return clientFault("an element follows the Envelope")
	default:
		return clientFault("the envelope is not well-formed XML")
	}
}

// WriteResult writes the envelope that answers a call: result becomes text.
func WriteResult(c Call, result string) []byte {
	name := Escape(c.Operation)
	return envelope(c.Version, "<"+name+`Response xmlns="`+attr(c.Namespace)+`"><`+name+"Result>"+
		Escape(result)+"</"+name+"Result></"+name+"Response>")
}

// WriteFault writes the envelope of a fault, in the shape of its version.
func WriteFault(v Version, f *Fault) []byte {
	code, reason := "soap:"+f.Code.in(v), Escape(f.Reason)
	if v == SOAP12 {
		return envelope(v, "<soap:Fault><soap:Code><soap:Value>"+code+"</soap:Value></soap:Code>"+
			`<soap:Reason><soap:Text xml:lang="en">`+reason+"</soap:Text></soap:Reason><soap:Detail /></soap:Fault>")
	}
	return envelope(v, "<soap:Fault><faultcode>"+code+"</faultcode><faultstring>"+reason+"</faultstring><detail /></soap:Fault>")
}

func envelope(v Version, body string) []byte {
	return []byte(`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="` + v.namespace() +
		`" xmlns:xsi="` + xmlnsXSI + `" xmlns:xsd="` + xmlnsXSD + `"><soap:Body>` + body + "</soap:Body></soap:Envelope>")
}

// attr makes s fit for an XML attribute in double quotes.
func attr(s string) string { return strings.ReplaceAll(Escape(s), `"`, "&quot;") }
