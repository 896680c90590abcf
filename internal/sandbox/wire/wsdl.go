package wire

import (
	"bytes"
	"text/template"
)

// The shape is that of .NET 2.0 (ASMX): document/literal, wrapped, with a
// binding for each version of SOAP. The generators of the time expect it.
var wsdl = template.Must(template.New("wsdl").Funcs(template.FuncMap{"x": attr}).Parse(
	`<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="{{x .Namespace}}" targetNamespace="{{x .Namespace}}">
  <wsdl:types>
    <s:schema elementFormDefault="qualified" targetNamespace="{{x .Namespace}}">
{{- range .Operations}}
      <s:element name="{{.Name}}">
        <s:complexType>
          <s:sequence>
{{- range .Params}}
            <s:element minOccurs="0" maxOccurs="1" name="{{.}}" type="s:string" />
{{- end}}
          </s:sequence>
        </s:complexType>
      </s:element>
      <s:element name="{{.Name}}Response">
        <s:complexType>
          <s:sequence>
            <s:element minOccurs="0" maxOccurs="1" name="{{.Name}}Result" type="s:string" />
          </s:sequence>
        </s:complexType>
      </s:element>
{{- end}}
    </s:schema>
  </wsdl:types>
{{- range .Operations}}
  <wsdl:message name="{{.Name}}SoapIn">
    <wsdl:part name="parameters" element="tns:{{.Name}}" />
  </wsdl:message>
  <wsdl:message name="{{.Name}}SoapOut">
    <wsdl:part name="parameters" element="tns:{{.Name}}Response" />
  </wsdl:message>
{{- end}}
  <wsdl:portType name="ServiceSoap">
{{- range .Operations}}
    <wsdl:operation name="{{.Name}}">
      <wsdl:input message="tns:{{.Name}}SoapIn" />
      <wsdl:output message="tns:{{.Name}}SoapOut" />
    </wsdl:operation>
{{- end}}
  </wsdl:portType>
{{- $s := .}}
{{- range $suffix, $soap := .Bindings}}
  <wsdl:binding name="ServiceSoap{{$suffix}}" type="tns:ServiceSoap">
    <{{$soap}}:binding transport="http://schemas.xmlsoap.org/soap/http" />
{{- range $s.Operations}}
    <wsdl:operation name="{{.Name}}">
      <{{$soap}}:operation soapAction="{{x $s.Namespace}}{{.Name}}" style="document" />
      <wsdl:input>
        <{{$soap}}:body use="literal" />
      </wsdl:input>
      <wsdl:output>
        <{{$soap}}:body use="literal" />
      </wsdl:output>
    </wsdl:operation>
{{- end}}
  </wsdl:binding>
{{- end}}
  <wsdl:service name="Service">
{{- range $suffix, $soap := .Bindings}}
    <wsdl:port name="ServiceSoap{{$suffix}}" binding="tns:ServiceSoap{{$suffix}}">
      <{{$soap}}:address location="{{x $s.Address}}" />
    </wsdl:port>
{{- end}}
  </wsdl:service>
</wsdl:definitions>
`))

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
