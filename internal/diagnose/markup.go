package diagnose

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/html/charset"

	"github.com/ips-p2p/ips/internal/htmlform"
)

// markup reads HTML pages, SOAP envelopes and documents.
func (m *message) markup(t []byte, r *Report) {
	switch rootName(t) {
	case "Envelope":
		m.soap(t, r)
	case "string": // ASMX's answer without SOAP
		m.result(childText(t), "a web service result", r)
	case "pReq":
		m.result(t, "a result document", r)
	default:
		m.page(t, r)
	}
}

func newDecoder(t []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(t))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		return charset.NewReaderLabel(label, in)
	}
	return d
}

// rootName is the local name of the first element.
func rootName(t []byte) string {
	d := newDecoder(t)
	d.Strict = false
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		if s, ok := token.(xml.StartElement); ok {
			return s.Name.Local
		}
	}
}

// childText is all text of a document.
func childText(t []byte) []byte {
	var out []byte
	for d := newDecoder(t); ; {
		token, err := d.Token()
		if err != nil {
			return out
		}
		if c, ok := token.(xml.CharData); ok {
			out = append(out, c...)
		}
	}
}

// result reads the document that a web service result holds, or a document that
// was never in an envelope.
func (m *message) result(t []byte, shape string, r *Report) {
	t = bytes.TrimSpace(t)
	var leaves []field
	d := newDecoder(t)
	d.Strict = false
	var path []string
	var text []byte
	var broken error
	for len(leaves) < 100 {
		token, err := d.Token()
		if err != nil {
			broken = err
			break
		}
		switch x := token.(type) {
		case xml.StartElement:
			path, text = append(path, x.Name.Local), text[:0]
		case xml.CharData:
			text = append(text, x...)
		case xml.EndElement:
			if len(path) == 2 {
				leaves = append(leaves, field{name: path[1], value: string(text)})
			}
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
			text = text[:0]
		}
	}
	sign := false
	for _, f := range leaves {
		switch roles[wireName(f.name)] {
		case roleSign, roleBody, roleCode:
			sign = true
		}
	}
	if !sign {
		m.shape, m.document = "a decrypted document, without an envelope", t
		return
	}
	m.shape, m.elements = shape, leaves
	for _, f := range leaves {
		m.keep(f)
	}
	if broken != nil && broken != io.EOF {
		r.wrong(stepMessage, "result-xml", "Look at how the capture was made, and where it was cut.",
			"The result document is not well-formed XML; the fields before the break were read.")
	}
}

// soap reads a request's parameters or an answer's result.
func (m *message) soap(t []byte, r *Report) {
	d := newDecoder(t)
	var path []xml.Name
	var text []byte
	var result []byte
	found, bare := false, false
	fault := ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			r.wrong(stepMessage, "soap-xml", "Look at how the capture was made, and where it was cut.",
				"The SOAP envelope is not well-formed XML: %s.", xmlProblem(err))
			break
		}
		switch x := token.(type) {
		case xml.StartElement:
			if len(path) >= 16 {
				r.wrong(stepMessage, "soap-xml", "", "The SOAP envelope is nested too deeply.")
				return
			}
			path, text = append(path, x.Name), text[:0]
			if len(path) == 3 && path[1].Local == "Body" && x.Name.Local != "Fault" {
				m.call = strings.TrimSuffix(x.Name.Local, "Response")
				bare = x.Name.Space == ""
			}
		case xml.CharData:
			text = append(text, x...)
		case xml.EndElement:
			name := path[len(path)-1]
			switch {
			case len(path) == 4 && path[2].Local == "Fault" && name.Local == "faultcode":
				fault = string(text)
			case len(path) != 4 || path[1].Local != "Body":
			case strings.HasSuffix(name.Local, "Result") && strings.HasSuffix(path[2].Local, "Response"):
				result, found = bytes.Clone(text), true
			default:
				if m.keep(field{name: name.Local, value: string(text)}) && name.Space == "" {
					bare = true
				}
			}
			path, text = path[:len(path)-1], text[:0]
		}
	}
	switch {
	case found:
		m.result(result, "the result of a SOAP answer", r)
		return
	case fault != "":
		m.shape = "a SOAP fault"
		code := fault[strings.LastIndexByte(fault, ':')+1:]
		if strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.") != "" || len(code) > 30 {
			code = "of an unusual form"
		}
		r.wrong(stepMessage, "soap-fault", "Read its faultstring. Client means that the envelope was at fault (operation, namespace, SOAPAction), Server that the service failed.",
			"The answer is a SOAP fault, code %s: there is nothing signed in it.", code)
		return
	}
	m.shape = "a SOAP request"
	if bare && len(m.fields) > 0 {
		r.wrong(stepMessage, "soap-namespace", `Put xmlns="http://tempuri.org/" (or your environment's namespace) on the operation's element; its children inherit it.`,
			"The operation or its parameters are in no namespace: the service takes them for absent.")
	}
}

// page reads the hidden inputs of the one form that has them.
func (m *message) page(t []byte, r *Report) {
	forms, err := htmlform.Parse(t, m.contentType)
	if err != nil {
		return
	}
	found := 0
	for i := range forms {
		f := &forms[i]
		var mine []field
		for _, c := range f.Fields {
			if wireName(c.Name) != "" {
				mine = append(mine, field{name: c.Name, value: c.Value})
			}
		}
		if len(mine) == 0 {
			continue
		}
		if found++; found > 1 {
			r.wrong(stepMessage, "form-two", "Keep one form of that kind in a page: no reader can know which to believe.",
				"The page has a second form with fields of the envelope; the first one was read.")
			break
		}
		m.fields = mine
		if f.Action != "" {
			m.path = f.Action
		}
		m.shape = "an HTML page with a form"
		if len(forms) > 1 {
			m.shape = fmt.Sprintf("an HTML page, form %d of %d", i+1, len(forms))
		}
		if f.Method != "POST" {
			r.wrong(stepMessage, "form-method", `Write method="post".`, "The form's method is not post.")
		}
	}
}

// xmlProblem says what is wrong without a word of the document.
func xmlProblem(err error) string {
	s, ok := err.(*xml.SyntaxError)
	if !ok {
		return "it ends too early, or its encoding is unknown"
	}
	for _, p := range []struct{ sign, words string }{
		{"invalid character entity", "an & that begins no entity"},
		{"unexpected EOF", "it ends too early"},
		{"closed by", "an element is closed by the wrong end tag"},
		{"unexpected end element", "an end tag without a beginning"},
		{"illegal character code", "a control character"},
		{"invalid UTF-8", "bytes that are not UTF-8"},
		{"expected element name", "a < that begins no element"},
		{"attribute", "something like an attribute, or a < within text"},
		{"]]>", "]]> within text"},
	} {
		if strings.Contains(s.Msg, p.sign) {
			return fmt.Sprintf("%s, on line %d", p.words, s.Line)
		}
	}
	return fmt.Sprintf("a syntax error on line %d", s.Line)
}
