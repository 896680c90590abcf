package wire

import (
	"bytes"
	_ "embed"
	"text/template"
)

//go:embed files/service.wsdl
var wsdlText string

// The shape is that of .NET 2.0 (ASMX): document/literal, wrapped, with a
// binding for each version of SOAP. The generators of the time expect it.
var wsdl = template.Must(template.New("wsdl").Funcs(template.FuncMap{"x": attr}).Parse(wsdlText))

// Bindings are the prefixes of the namespaces of both versions of SOAP, by the
// suffix of what is named after them.
func (s Service) Bindings() map[string]string {
	return map[string]string{"": "soap", "12": "soap12"}
}

// WSDL writes the description of a service.
func WSDL(s Service) ([]byte, error) {
	var b bytes.Buffer
	err := wsdl.Execute(&b, s)
	return b.Bytes(), err
}
