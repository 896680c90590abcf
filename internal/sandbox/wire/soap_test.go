package wire

import (
	"encoding/xml"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file that -update rewrites.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

const (
	open11  = `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>`
	open12  = `<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body>`
	closing = `</soap:Body></soap:Envelope>`
	call    = `<Transfer xmlns="http://tempuri.org/"><pMerCode>808801</pMerCode><p3DesXmlPara>YWJj</p3DesXmlPara><pSign>0f</pSign></Transfer>`
)

func TestReadCallTolerates(t *testing.T) {
	t.Parallel()
	params := []Pair{{"pMerCode", "808801"}, {"p3DesXmlPara", "YWJj"}, {"pSign", "0f"}}
	want := Call{SOAP11, "http://tempuri.org/", "Transfer", params}
	for name, c := range map[string]struct {
		body    string
		charset string
		want    Call
	}{
		"SOAP 1.1":                {decl + open11 + call + closing, "utf-8", want},
		"SOAP 1.2":                {decl + open12 + call + closing, "", Call{SOAP12, "http://tempuri.org/", "Transfer", params}},
		"byte order mark":         {"\ufeff" + decl + open11 + call + closing, "", want},
		"mark wins over charset":  {"\ufeff" + open11 + call + closing, "gbk", want},
		"GBK by the header":       {string(gb18030(t, open11+`<Transfer xmlns="http://tempuri.org/"><argMemo>张三</argMemo></Transfer>`+closing)), "GBK", Call{SOAP11, "http://tempuri.org/", "Transfer", []Pair{{"argMemo", "张三"}}}},
		"GBK by the declaration":  {string(gb18030(t, `<?xml version="1.0" encoding="GBK"?>`+open11+`<Transfer xmlns="http://tempuri.org/"><argMemo>张三</argMemo></Transfer>`+closing)), "", Call{SOAP11, "http://tempuri.org/", "Transfer", []Pair{{"argMemo", "张三"}}}},
		"another namespace":       {open11 + strings.Replace(call, "http://tempuri.org/", "http://microsoft.com/webservices/", 1) + closing, "", Call{SOAP11, "http://microsoft.com/webservices/", "Transfer", params}},
		"prefixed, as PHP writes": {`<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns1="http://tempuri.org/"><SOAP-ENV:Body><ns1:Transfer><ns1:pMerCode>808801</ns1:pMerCode><ns1:p3DesXmlPara>YWJj</ns1:p3DesXmlPara><ns1:pSign>0f</ns1:pSign></ns1:Transfer></SOAP-ENV:Body></SOAP-ENV:Envelope>`, "", want},
		"unqualified, typed, as Axis writes": {open11 + `<ns1:Transfer xmlns:ns1="http://tempuri.org/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
			`<pMerCode xsi:type="xsd:string">808801</pMerCode><p3DesXmlPara>YWJj</p3DesXmlPara><pSign>0f</pSign></ns1:Transfer>` + closing, "", want},
		"another order": {open11 + `<Transfer xmlns="http://tempuri.org/"><pSign>0f</pSign><pMerCode>808801</pMerCode></Transfer>` + closing, "",
			Call{SOAP11, "http://tempuri.org/", "Transfer", []Pair{{"pSign", "0f"}, {"pMerCode", "808801"}}}},
		"no parameters": {open11 + `<GetBankList xmlns="http://tempuri.org/"/>` + closing, "", Call{SOAP11, "http://tempuri.org/", "GetBankList", nil}},
		"nil":           {open11 + `<Transfer xmlns="http://tempuri.org/"><pSign xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/></Transfer>` + closing, "", Call{SOAP11, "http://tempuri.org/", "Transfer", []Pair{{"pSign", ""}}}},
		"CDATA":         {open11 + `<Transfer xmlns="http://tempuri.org/"><pSign><![CDATA[0f]]></pSign></Transfer>` + closing, "", Call{SOAP11, "http://tempuri.org/", "Transfer", []Pair{{"pSign", "0f"}}}},
		"escaped":       {open11 + `<Transfer xmlns="http://tempuri.org/"><pSign>&#48;f</pSign></Transfer>` + closing, "", Call{SOAP11, "http://tempuri.org/", "Transfer", []Pair{{"pSign", "0f"}}}},
		"header":        {strings.Replace(open11, "<soap:Body>", `<soap:Header><a xmlns="urn:a"><b>c</b></a><d soap:mustUnderstand="0"/></soap:Header><soap:Body>`, 1) + call + closing, "", want},
		"pretty-printed": {decl + "\n" + strings.ReplaceAll(open11, ">", ">\n  ") + "<Transfer xmlns=\"http://tempuri.org/\">\n <pSign>0f</pSign>\n</Transfer>\n </soap:Body>\n</soap:Envelope>\n", "",
			Call{SOAP11, "http://tempuri.org/", "Transfer", []Pair{{"pSign", "0f"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadCall([]byte(c.body), c.charset)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestReadCallRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		code FaultCode
		says string
	}{
		"nothing":          {"", FaultClient, "not complete"},
		"no XML":           {"hello", FaultClient, "text between"},
		"cut off":          {open11 + call, FaultClient, "not well-formed"},
		"JSON":             {`{"pMerCode":"808801"}`, FaultClient, "text between"},
		"DTD":              {`<!DOCTYPE a [<!ENTITY b "c">]>` + open11 + call + closing, FaultClient, "document type"},
		"instruction":      {`<?php x?>` + open11 + call + closing, FaultClient, "processing instruction"},
		"no envelope":      {call, FaultClient, "not a SOAP Envelope"},
		"other version":    {strings.Replace(open11, "http://schemas.xmlsoap.org/soap/envelope/", "urn:soap", 1) + call + closing, FaultVersionMismatch, "neither"},
		"no body":          {`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"></s:Envelope>`, FaultClient, "no Body"},
		"body of another":  {`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><Body/></s:Envelope>`, FaultClient, "no Body"},
		"empty body":       {open11 + closing, FaultClient, "Body is empty"},
		"two operations":   {open11 + call + call + closing, FaultClient, "more than one"},
		"element behind":   {open11 + call + "</soap:Body><x/></soap:Envelope>", FaultClient, "follows the Body"},
		"envelope behind":  {open11 + call + closing + open11 + call + closing, FaultClient, "follows the Envelope"},
		"doubled":          {open11 + `<Transfer xmlns="http://tempuri.org/"><pSign>a</pSign><pSign>b</pSign></Transfer>` + closing, FaultClient, "pSign appears twice"},
		"nested":           {open11 + `<Transfer xmlns="http://tempuri.org/"><pSign><x>a</x></pSign></Transfer>` + closing, FaultClient, "pSign holds elements"},
		"text":             {open11 + `<Transfer xmlns="http://tempuri.org/">a</Transfer>` + closing, FaultClient, "text between"},
		"must understand":  {strings.Replace(open11, "<soap:Body>", `<soap:Header><a soap:mustUnderstand="1"/></soap:Header><soap:Body>`, 1) + call + closing, FaultMustUnderstand, "must be understood"},
		"too deep":         {strings.Replace(open11, "<soap:Body>", "<soap:Header>"+strings.Repeat("<a>", 20)+strings.Repeat("</a>", 20)+"</soap:Header><soap:Body>", 1) + call + closing, FaultClient, "too deep"},
		"too many headers": {strings.Replace(open11, "<soap:Body>", "<soap:Header>"+strings.Repeat("<a/>", 600)+"</soap:Header><soap:Body>", 1) + call + closing, FaultClient, "too many elements"},
		"too many params":  {open11 + `<Transfer xmlns="http://tempuri.org/">` + manyFields(maxParams+1) + `</Transfer>` + closing, FaultClient, "too many parameters"},
		"not UTF-8":        {open11 + "<Transfer><pSign>\xd5\xc5</pSign></Transfer>" + closing, FaultClient, "UTF-8"},
		"unknown charset":  {`<?xml version="1.0" encoding="big5"?>` + open11 + call + closing, FaultClient, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadCall([]byte(c.body), "")
			var fault *Fault
			require.ErrorAs(t, err, &fault)
			assert.Equal(t, c.code, fault.Code)
			assert.Contains(t, fault.Reason, c.says)
		})
	}
}

func TestSOAPEnvelopes(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		version Version
		name    string
	}{{SOAP11, "soap11"}, {SOAP12, "soap12"}} {
		golden(t, v.name+"-result.xml", WriteResult(Call{Version: v.version, Namespace: "http://tempuri.org/", Operation: "Transfer"},
			`<?xml version="1.0" encoding="utf-8"?><pReq><pErrMsg>操作成功 &amp; "done"</pErrMsg></pReq>`))
		golden(t, v.name+"-fault.xml", WriteFault(v.version, &Fault{FaultClient, "<what> & why"}))
	}
}

func TestFaultCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code   FaultCode
		in11   string
		in12   string
		reason string
	}{
		{FaultClient, "soap:Client", "soap:Sender", "a"},
		{FaultServer, "soap:Server", "soap:Receiver", "b"},
		{FaultVersionMismatch, "soap:VersionMismatch", "soap:VersionMismatch", "c"},
		{FaultMustUnderstand, "soap:MustUnderstand", "soap:MustUnderstand", "d"},
	} {
		var e11 struct {
			Code   string `xml:"Body>Fault>faultcode"`
			Reason string `xml:"Body>Fault>faultstring"`
		}
		require.NoError(t, xml.Unmarshal(WriteFault(SOAP11, &Fault{c.code, c.reason}), &e11))
		assert.Equal(t, c.in11, e11.Code)
		assert.Equal(t, c.reason, e11.Reason)
		var e12 struct {
			Code   string `xml:"Body>Fault>Code>Value"`
			Reason string `xml:"Body>Fault>Reason>Text"`
		}
		require.NoError(t, xml.Unmarshal(WriteFault(SOAP12, &Fault{c.code, c.reason}), &e12))
		assert.Equal(t, c.in12, e12.Code)
		assert.Equal(t, c.reason, e12.Reason)
	}
}

func TestWSDL(t *testing.T) {
	t.Parallel()
	got, err := WSDL(Service{
		Namespace: "http://tempuri.org/",
		Address:   `http://127.0.0.1:8080/CreditWS/Service.asmx?a="b"&c`,
		Operations: []Operation{
			{"Transfer", "", []string{"pMerCode", "p3DesXmlPara", "pSign"}},
			{"GetBankList", "", []string{"argMerCode", "argSign"}},
		},
	})
	require.NoError(t, err)
	golden(t, "service.wsdl", got)
	var any struct {
		Port []struct {
			Address struct {
				Location string `xml:"location,attr"`
			} `xml:"address"`
		} `xml:"service>port"`
	}
	require.NoError(t, xml.Unmarshal(got, &any))
	require.Len(t, any.Port, 2)
	for _, p := range any.Port {
		assert.Equal(t, `http://127.0.0.1:8080/CreditWS/Service.asmx?a="b"&c`, p.Address.Location)
	}
}

// Whatever is read can be answered, and the answer is XML.
func FuzzReadCall(f *testing.F) {
	for _, s := range []string{
		decl + open11 + call + closing,
		open12 + call + closing,
		"\ufeff" + open11 + `<Transfer xmlns="http://tempuri.org/"><pSign><![CDATA[0f]]></pSign></Transfer>` + closing,
		strings.Replace(open11, "<soap:Body>", `<soap:Header><a soap:mustUnderstand="1"/></soap:Header><soap:Body>`, 1) + call + closing,
		`<!DOCTYPE a>` + open11,
	} {
		f.Add([]byte(s), "")
		f.Add([]byte(s), "gbk")
	}
	f.Fuzz(func(t *testing.T, body []byte, charset string) {
		c, err := ReadCall(body, charset)
		reply := []byte(nil)
		if err != nil {
			var fault *Fault
			require.True(t, errors.As(err, &fault))
			reply = WriteFault(SOAP12, fault)
		} else {
			require.NotZero(t, c.Version)
			require.LessOrEqual(t, len(c.Params), maxParams)
			reply = WriteResult(c, "<a>")
		}
		var any struct {
			XMLName xml.Name
		}
		require.NoError(t, xml.Unmarshal(reply, &any))
		require.Equal(t, "Envelope", any.XMLName.Local)
	})
}
