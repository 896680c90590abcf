package wire

import (
	"encoding/xml"
	"slices"
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
	maxSOAPElements = 500
	maxSOAPDepth    = 16
	maxParams       = 16
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
	top, fault := readElements(text, maxSOAPDepth, maxSOAPElements)
	if fault != nil {
		return Call{}, clientFault("the envelope: " + fault.Err.Error())
	}
	var c Call
	err = c.read(top)
	return c, err
}

// read reads a call out of what stands at the top of a document.
func (c *Call) read(top *element) error {
	if len(top.children) == 0 && !top.stray() {
		return clientFault("the envelope is not complete")
	}
	if top.stray() {
		return errBetween
	}
	root := top.children[0]
	switch {
	case root.Name.Local != "Envelope":
		return clientFault("the root element is not a SOAP Envelope")
	case root.Name.Space == soap11:
		c.Version = SOAP11
	case root.Name.Space == soap12:
		c.Version = SOAP12
	default:
		return &Fault{FaultVersionMismatch, "the envelope is neither SOAP 1.1 nor SOAP 1.2"}
	}
	parts := root.children
	if c.begins(parts, "Header") {
		if err := c.header(parts[0]); err != nil {
			return err
		}
		parts = parts[1:]
	}
	if !c.begins(parts, "Body") {
		return clientFault("the envelope has no Body")
	}
	body := parts[0]
	switch {
	case root.stray(), body.stray():
		return errBetween
	case len(parts) > 1:
		return clientFault("an element follows the Body")
	case len(top.children) > 1:
		return clientFault("an element follows the Envelope")
	case len(body.children) == 0:
		return clientFault("the Body is empty")
	case len(body.children) > 1:
		return clientFault("the Body has more than one element")
	}
	return c.operation(body.children[0])
}

var errBetween = clientFault("text between the elements of the envelope")

// begins says whether the first of the elements is this part of an envelope.
func (c *Call) begins(parts []*element, name string) bool {
	return len(parts) > 0 && parts[0].Name == xml.Name{Space: c.Version.namespace(), Local: name}
}

// header passes over the header's blocks; there is none we understand.
func (c *Call) header(header *element) error {
	must := xml.Name{Space: c.Version.namespace(), Local: "mustUnderstand"}
	for _, block := range header.children {
		for _, a := range block.Attr {
			if a.Name == must && (a.Value == "1" || a.Value == "true") {
				return &Fault{FaultMustUnderstand, "a header that must be understood is not"}
			}
		}
	}
	return nil
}

func (c *Call) operation(op *element) error {
	c.Namespace, c.Operation = op.Name.Space, op.Name.Local
	if op.stray() {
		return errBetween
	}
	for _, param := range op.children {
		name := param.Name.Local
		switch {
		case len(c.Params) == maxParams:
			return clientFault("the call has too many parameters")
		case slices.ContainsFunc(c.Params, func(p Pair) bool { return p.Name == name }):
			return clientFault("parameter " + name + " appears twice")
		case len(param.children) > 0:
			return clientFault("parameter " + name + " holds elements")
		}
		c.Params = append(c.Params, Pair{name, param.text.String()})
	}
	return nil
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
