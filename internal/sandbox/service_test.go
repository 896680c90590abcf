package sandbox_test

import (
	"encoding/xml"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	trade   = "/CreditWS/Service.asmx"
	queries = "/CreditWSQuery/Service.asmx"
	tempuri = "http://tempuri.org/"

	ns11 = "http://schemas.xmlsoap.org/soap/envelope/"
	ns12 = "http://www.w3.org/2003/05/soap-envelope"
)

// soap is an envelope with a call; params are names and values.
func soap(envelope, namespace, op string, params ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="` + envelope + `"><s:Body><` + op + ` xmlns="` + namespace + `">`)
	for i := 0; i < len(params); i += 2 {
		b.WriteString("<" + params[i] + ">" + html.EscapeString(params[i+1]) + "</" + params[i] + ">")
	}
	b.WriteString("</" + op + "></s:Body></s:Envelope>")
	return b.String()
}

// sealedParams are the three fields of an envelope as parameters of a call.
func (f *fixture) sealedParams(prefix, document string) []string {
	v := seal(f.keys, prefix, document)
	return []string{
		prefix + "MerCode", v.Get(prefix + "MerCode"),
		prefix + "3DesXmlPara", v.Get(prefix + "3DesXmlPara"),
		prefix + "Sign", v.Get(prefix + "Sign"),
	}
}

func (f *fixture) call11(path, op string, params ...string) reply {
	f.t.Helper()
	return f.do(http.MethodPost, path, "text/xml; charset=utf-8", soap(ns11, tempuri, op, params...), "SOAPAction", `"`+tempuri+op+`"`)
}

// resultOf reads the elements of an answer out of an operation's result.
func (r reply) resultOf(t *testing.T, op string) map[string]string {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	text := regexp.MustCompile(`<` + op + `Response xmlns="[^"]*"><` + op + `Result>([^<]*)</` + op + `Result></` + op + `Response>`).FindStringSubmatch(r.body)
	require.NotNil(t, text, r.body)
	inner := html.UnescapeString(text[1])
	require.True(t, strings.HasPrefix(inner, `<?xml version="1.0" encoding="utf-8"?><pReq><pMerCode>`), inner)
	var elements struct {
		XMLName xml.Name `xml:"pReq"`
		Any     []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	require.NoError(t, xml.Unmarshal([]byte(inner), &elements))
	values := map[string]string{}
	for _, e := range elements.Any {
		values[e.XMLName.Local] = e.Text
	}
	return values
}

func fromResult(v map[string]string) answer {
	return answer{v["pMerCode"], v["pErrCode"], v["pErrMsg"], v["p3DesXmlPara"], v["pSign"]}
}

// unfreezing is refused by the platform's rules, since there is no such bid;
// that is enough to see that it was understood.
func unfreezing(order string) string {
	return document("pMerBillNo", order, "pBidNo", "NOBID", "pUnfreezeDate", "20141124", "pUnfreezeAmt", "1.00",
		"pUnfreezenType", "1", "pAcctType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三",
		"pIpsAcctNo", "4021000000000001", "pS2SUrl", "http://shop.example.com/notify",
		"pMemo1", "", "pMemo2", "", "pMemo3", "")
}

const noSuchBid = "MG11020F"

func TestServiceUnderstands(t *testing.T) {
	t.Parallel()
	const op = "GuaranteeUnfreeze"
	xml11 := "text/xml; charset=utf-8"
	for name, c := range map[string]struct {
		path        string
		contentType string
		headers     []string
		body        func(f *fixture) string
		answers     string // the namespace of the answer's envelope
	}{
		"SOAP 1.1":              {trade, xml11, []string{"SOAPAction", `"` + tempuri + op + `"`}, nil, ns11},
		"action without quotes": {trade, xml11, []string{"SOAPAction", tempuri + op}, nil, ns11},
		"empty action":          {trade, xml11, []string{"SOAPAction", `""`}, nil, ns11},
		"no action":             {trade, xml11, nil, nil, ns11},
		"no charset":            {trade, "text/xml", nil, nil, ns11},
		"path in another case":  {"/creditws/SERVICE.ASMX", xml11, nil, nil, ns11},
		"SOAP 1.2": {trade, `application/soap+xml; charset=utf-8; action="` + tempuri + op + `"`, nil, func(f *fixture) string {
			return soap(ns12, tempuri, op, f.sealedParams("arg", unfreezing("U1"))...)
		}, ns12},
		"SOAP 1.2 without action": {trade, "application/soap+xml", nil, func(f *fixture) string {
			return soap(ns12, tempuri, op, f.sealedParams("arg", unfreezing("U1"))...)
		}, ns12},
		"p names": {trade, xml11, nil, func(f *fixture) string {
			return soap(ns11, tempuri, op, f.sealedParams("p", unfreezing("U1"))...)
		}, ns11},
		"another order": {trade, xml11, nil, func(f *fixture) string {
			p := f.sealedParams("arg", unfreezing("U1"))
			return soap(ns11, tempuri, op, p[4], p[5], p[2], p[3], p[0], p[1])
		}, ns11},
		"pretty-printed with broken lines": {trade, xml11, nil, func(f *fixture) string {
			p := f.sealedParams("arg", unfreezing("U1"))
			p[1], p[3], p[5] = "\n    "+p[1]+"\n  ", "\r\n    "+p[3][:76]+"\r\n    "+p[3][76:]+"\r\n  ", "\n"+p[5]+"\n"
			return soap(ns11, tempuri, op, p...)
		}, ns11},
		"byte order mark": {trade, xml11, nil, func(f *fixture) string {
			return "\ufeff" + soap(ns11, tempuri, op, f.sealedParams("arg", unfreezing("U1"))...)
		}, ns11},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{})
			body := soap(ns11, tempuri, op, f.sealedParams("arg", unfreezing("U1"))...)
			if c.body != nil {
				body = c.body(f)
			}
			r := f.do(http.MethodPost, c.path, c.contentType, body, c.headers...)
			assert.Contains(t, r.body, `xmlns:soap="`+c.answers+`"`)
			a := fromResult(r.resultOf(t, op))
			assert.Equal(t, noSuchBid, a.code, a.text)
			a.open(t, f.keys, nil)
		})
	}
}

func TestServiceAnswersInTheCallersNamespace(t *testing.T) {
	t.Parallel()
	const microsoft, own = "http://microsoft.com/webservices/", "http://ips.example.com/"
	f := start(t, sandbox.Config{Namespace: own})
	for _, ns := range []string{microsoft, own} {
		r := f.do(http.MethodPost, trade, "text/xml", soap(ns11, ns, "Transfer", f.sealedParams("p", document("pMerBillNo", "T1"))...),
			"SOAPAction", ns+"Transfer")
		assert.Contains(t, r.body, `<TransferResponse xmlns="`+ns+`">`)
		assert.Equal(t, "MG00006F", r.resultOf(t, "Transfer")["pErrCode"])
	}
	assert.Contains(t, f.do(http.MethodGet, trade+"?wsdl", "", "").body, `targetNamespace="`+own+`"`)
}

func TestServiceRefusesTheEnvelope(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	good := f.sealedParams("p", document("pMerBillNo", "T1"))
	for name, c := range map[string]struct {
		params []string
		code   string
		signed bool
	}{
		"nothing":          {nil, "MG00006F", false},
		"unknown merchant": {[]string{"pMerCode", "808802", good[2], good[3], good[4], good[5]}, "MG00002F", false},
		"wrong signature":  {[]string{good[0], good[1], good[2], good[3], "pSign", "0"}, "MG00003F", true},
		"bad Base64":       {[]string{good[0], good[1], good[2], "*", "pSign", f.keys.SignRequest("*")}, "MG00004F", true},
		"not XML":          {f.sealedParams("p", "hello"), "MG00005F", true},
		"mixed names":      {[]string{"argMerCode", good[1], good[2], good[3], good[4], good[5]}, "MG00009F", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := fromResult(f.call11(trade, "Transfer", c.params...).resultOf(t, "Transfer"))
			assert.Equal(t, c.code, a.code)
			assert.NotEmpty(t, a.text)
			assert.Empty(t, a.body)
			if c.signed {
				a.open(t, f.keys, nil)
			} else {
				assert.Empty(t, a.sign)
			}
		})
	}
}

func TestServiceFaults(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{MaxBody: 4096})
	for name, c := range map[string]struct {
		path, contentType, action, body string
		v12                             bool
		code, says                      string
	}{
		"not XML":               {trade, "text/xml", "", "hello", false, "soap:Client", "text between"},
		"not XML 1.2":           {trade, "application/soap+xml", "", "<a></b>", true, "soap:Sender", "not well-formed XML"},
		"unknown operation":     {trade, "text/xml", "", soap(ns11, tempuri, "Withdraw"), false, "soap:Client", "no operation Withdraw"},
		"unknown operation 1.2": {trade, "application/soap+xml", "", soap(ns12, tempuri, "Withdraw"), true, "soap:Sender", "no operation Withdraw"},
		"of the other service":  {queries, "text/xml", "", soap(ns11, tempuri, "Transfer"), false, "soap:Client", "no operation Transfer"},
		"unknown namespace":     {trade, "text/xml", "", soap(ns11, "urn:x", "Transfer"), false, "soap:Client", "namespace"},
		"unknown action":        {trade, "text/xml", "urn:x<y>", soap(ns11, tempuri, "Transfer"), false, "soap:Client", "SOAPAction: urn:x&lt;y&gt;."},
		"action of another":     {trade, "text/xml", tempuri + "CoDpTrade", soap(ns11, tempuri, "Transfer"), false, "soap:Client", "SOAPAction"},
		"DTD":                   {trade, "text/xml", "", "<!DOCTYPE a>" + soap(ns11, tempuri, "Transfer"), false, "soap:Client", "document type"},
		"doubled":               {trade, "text/xml", "", soap(ns11, tempuri, "Transfer", "pSign", "a", "pSign", "b"), false, "soap:Client", "twice"},
		"unknown version":       {trade, "text/xml", "", soap("urn:soap", tempuri, "Transfer"), false, "soap:VersionMismatch", "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := f.do(http.MethodPost, c.path, c.contentType, c.body, "SOAPAction", c.action)
			assert.Equal(t, http.StatusInternalServerError, r.status)
			assert.Contains(t, r.body, c.says)
			if c.v12 {
				assert.Equal(t, "application/soap+xml; charset=utf-8", r.header.Get("Content-Type"))
				assert.Contains(t, r.body, "<soap:Code><soap:Value>"+c.code+"</soap:Value></soap:Code>")
			} else {
				assert.Equal(t, "text/xml; charset=utf-8", r.header.Get("Content-Type"))
				assert.Contains(t, r.body, "<faultcode>"+c.code+"</faultcode><faultstring>")
			}
		})
	}
	for name, c := range map[string]struct {
		method, contentType, body string
		status                    int
	}{
		"form":     {"POST", "application/x-www-form-urlencoded", "pMerCode=808801", 415},
		"no type":  {"POST", "", "x", 415},
		"oversize": {"POST", "text/xml", strings.Repeat(" ", 5000), 413},
		"DELETE":   {"DELETE", "", "", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.status, f.do(c.method, trade, c.contentType, c.body).status)
		})
	}
}

// description is what a generator reads out of a WSDL.
type description struct {
	Namespace string `xml:"targetNamespace,attr"`
	Elements  []struct {
		Name   string `xml:"name,attr"`
		Fields []struct {
			Name string `xml:"name,attr"`
			Type string `xml:"type,attr"`
		} `xml:"complexType>sequence>element"`
	} `xml:"types>schema>element"`
	Messages []struct {
		Name string `xml:"name,attr"`
		Part struct {
			Element string `xml:"element,attr"`
		} `xml:"part"`
	} `xml:"message"`
	Operations []struct {
		Name  string `xml:"name,attr"`
		Input struct {
			Message string `xml:"message,attr"`
		} `xml:"input"`
		Output struct {
			Message string `xml:"message,attr"`
		} `xml:"output"`
	} `xml:"portType>operation"`
	Bindings []struct {
		Name       string `xml:"name,attr"`
		Operations []struct {
			Name string `xml:"name,attr"`
			SOAP struct {
				XMLName xml.Name
				Action  string `xml:"soapAction,attr"`
				Style   string `xml:"style,attr"`
			} `xml:"operation"`
		} `xml:"operation"`
	} `xml:"binding"`
	Ports []struct {
		Binding string `xml:"binding,attr"`
		Address struct {
			Location string `xml:"location,attr"`
		} `xml:"address"`
	} `xml:"service>port"`
}

func TestWSDLDescribesEveryOperation(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for path, operations := range map[string]map[string]string{
		trade: {
			"Transfer": "pMerCode p3DesXmlPara pSign", "GuaranteeUnfreeze": "argMerCode arg3DesXmlPara argSign",
			"CoDpTrade": "argMerCode arg3DesXmlPara argSign", "QueryForAccBalance": "argMerCode argIpsAccount argSign",
			"GetBankList": "argMerCode argSign", "QueryTrade": "pMerCode p3DesXmlPara pSign",
		},
		queries: {"QueryMerUserInfo": "argMerCode argIpsAccount argSign argMemo", "QueryTrade": "pMerCode p3DesXmlPara pSign"},
	} {
		for _, query := range []string{"?wsdl", "?WSDL", "?Wsdl", "?wsdl=1"} {
			r := f.do(http.MethodGet, path+query, "", "")
			require.Equal(t, http.StatusOK, r.status)
			assert.Equal(t, "text/xml; charset=utf-8", r.header.Get("Content-Type"))
			var d description
			require.NoError(t, xml.Unmarshal([]byte(r.body), &d))
			assert.Equal(t, tempuri, d.Namespace)
			require.Len(t, d.Operations, len(operations))
			params, messages := map[string]string{}, map[string]string{}
			for _, e := range d.Elements {
				var names []string
				for _, f := range e.Fields {
					assert.Equal(t, "s:string", f.Type)
					names = append(names, f.Name)
				}
				params["tns:"+e.Name] = strings.Join(names, " ")
			}
			for _, m := range d.Messages {
				messages["tns:"+m.Name] = m.Part.Element
			}
			for _, op := range d.Operations {
				want, ok := operations[op.Name]
				require.True(t, ok, op.Name)
				assert.Equal(t, want, params[messages[op.Input.Message]])
				assert.Equal(t, op.Name+"Result", params[messages[op.Output.Message]])
			}
			require.Len(t, d.Bindings, 2)
			for i, space := range []string{"http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/"} {
				require.Len(t, d.Bindings[i].Operations, len(operations))
				for _, op := range d.Bindings[i].Operations {
					assert.Equal(t, tempuri+op.Name, op.SOAP.Action)
					assert.Equal(t, space, op.SOAP.XMLName.Space)
					assert.Equal(t, "document", op.SOAP.Style)
				}
			}
			require.Len(t, d.Ports, 2)
			for _, p := range d.Ports {
				assert.Equal(t, f.url+path, p.Address.Location)
			}
		}
	}
}

func TestServiceDescribesItself(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for path, op := range map[string]string{trade: "CoDpTrade", queries: "QueryMerUserInfo", "/": "/CreditWS/Service.asmx"} {
		r := f.do(http.MethodGet, path, "", "")
		assert.Equal(t, http.StatusOK, r.status)
		assert.Contains(t, r.body, op)
		assert.Contains(t, r.body, "并非环迅支付")
	}
	assert.Contains(t, f.do(http.MethodGet, "/CreditWeb/style.css", "", "").header.Get("Content-Type"), "text/css")
}

func TestQueries(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	_, a := f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	account := regexp.MustCompile(`<pIpsAcctNo>(\d+)</pIpsAcctNo>`).FindStringSubmatch(a.open(t, f.keys, nil))[1]
	require.NoError(t, f.Deposit("808801", account, 123405))
	const code = "808801"

	t.Run("balance", func(t *testing.T) {
		t.Parallel()
		v := f.call11(trade, "QueryForAccBalance", "argMerCode", code, "argIpsAccount", account, "argSign", f.keys.SignText(code, account)).
			resultOf(t, "QueryForAccBalance")
		assert.Equal(t, "0000", v["pErrCode"], v["pErrMsg"])
		assert.Equal(t, account, v["pIpsAcctNo"])
		assert.Equal(t, []string{"1234.05", "0.00", "0.00"}, []string{v["pBalance"], v["pLock"], v["pNeedstl"]})
		assert.True(t, f.keys.VerifyText(v["pSign"], "<pMerCode>"+code+"</pMerCode><pErrCode>0000</pErrCode><pErrMsg>"+v["pErrMsg"]+"</pErrMsg>"+
			"<pIpsAcctNo>"+account+"</pIpsAcctNo><pBalance>1234.05</pBalance><pLock>0.00</pLock><pNeedstl>0.00</pNeedstl>"))
	})
	t.Run("banks", func(t *testing.T) {
		t.Parallel()
		v := f.call11(trade, "GetBankList", "argMerCode", code, "argSign", f.keys.SignText(code)).resultOf(t, "GetBankList")
		assert.Equal(t, "0000", v["pErrCode"])
		banks := map[string]bool{}
		for _, bank := range strings.Split(v["pBankList"], "#") {
			parts := strings.Split(bank, "|")
			require.Len(t, parts, 3)
			assert.Regexp(t, `^\d{5}$`, parts[2])
			assert.False(t, banks[parts[2]], "a code stands for one bank")
			banks[parts[2]] = true
		}
		assert.True(t, banks["00004"] && banks["00083"])
		assert.True(t, f.keys.VerifyText(v["pSign"], "<pMerCode>"+code+"</pMerCode><pErrCode>0000</pErrCode><pErrMsg>"+v["pErrMsg"]+
			"</pErrMsg><pBankList>"+v["pBankList"]+"</pBankList>"))
	})
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		v := f.call11(queries, "QueryMerUserInfo", "argMerCode", code, "argIpsAccount", account,
			"argSign", f.keys.SignText(code, account), "argMemo", "备注").resultOf(t, "QueryMerUserInfo")
		assert.Equal(t, "0000", v["pErrCode"])
		assert.Equal(t, "zhangsan@example.com", v["pEmail"])
		assert.Equal(t, "04", v["pStatus"])
		assert.Equal(t, "备注", v["pMemo"])
		signed := ""
		for _, name := range []string{"pMerCode", "pIpsAcctNo", "pEmail", "pStatus", "pUCardStatus", "pBankName", "pBankCard", "pBCardStatus", "pSignStatus"} {
			signed += "<" + name + ">" + v[name] + "</" + name + ">"
		}
		assert.True(t, f.keys.VerifyText(v["pSign"], signed), "code and memo are not signed")
	})
	for name, c := range map[string]struct {
		path, op string
		params   []string
		says     string
		code     string // 9999 if left out
	}{
		"no merchant":        {trade, "GetBankList", nil, "必要参数(商户号)不能为空！", ""},
		"no signature":       {trade, "GetBankList", []string{"argMerCode", code}, "必要参数(签名)不能为空！", ""},
		"no account":         {trade, "QueryForAccBalance", []string{"argMerCode", code, "argSign", "0"}, "必要参数(IPS托管账户号)不能为空！", ""},
		"unknown merchant":   {trade, "GetBankList", []string{"argMerCode", "808802", "argSign", "0"}, "商户不存在", ""},
		"wrong signature":    {trade, "GetBankList", []string{"argMerCode", code, "argSign", "0"}, "签名验证失败", ""},
		"account not signed": {trade, "QueryForAccBalance", []string{"argMerCode", code, "argIpsAccount", account, "argSign", f.keys.SignText(code)}, "签名验证失败", ""},
		"unknown account":    {trade, "QueryForAccBalance", []string{"argMerCode", code, "argIpsAccount", "4021000000009999", "argSign", f.keys.SignText(code, "4021000000009999")}, "账户不存在", ""},
		"unknown user":       {queries, "QueryMerUserInfo", []string{"argMerCode", code, "argIpsAccount", "4021000000009999", "argSign", f.keys.SignText(code, "4021000000009999")}, "账户不存在", "02"},
		"user of nobody":     {queries, "QueryMerUserInfo", []string{"argMerCode", "808802", "argIpsAccount", account, "argSign", "0"}, "商户不存在", "01"},
		"mixed names":        {trade, "GetBankList", []string{"argMerCode", code, "pSign", "0"}, "混用", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := f.call11(c.path, c.op, c.params...).resultOf(t, c.op)
			want := "9999"
			if c.code != "" {
				want = c.code
			}
			assert.Equal(t, want, v["pErrCode"])
			assert.Contains(t, v["pErrMsg"], c.says)
		})
	}
}

func TestQueryShowsOnlyTheMerchantsOwnAccounts(t *testing.T) {
	t.Parallel()
	other := sandbox.Merchant{Code: "900001", Name: "二号平台", Cert: strings.Repeat("c", 128), Key: "0123456789abcdefghijklmn", IV: "87654321"}
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{sandbox.TestMerchant(), other}})
	_, a := f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	account := regexp.MustCompile(`<pIpsAcctNo>(\d+)</pIpsAcctNo>`).FindStringSubmatch(a.open(t, f.keys, nil))[1]
	keys := keysOf(t, other)
	v := f.call11(trade, "QueryForAccBalance", "argMerCode", other.Code, "argIpsAccount", account, "argSign", keys.SignText(other.Code, account)).
		resultOf(t, "QueryForAccBalance")
	assert.Equal(t, "9999", v["pErrCode"])
}
