package ips

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"regexp"

	"github.com/google/go-querystring/query"
)

// Form is a sealed request that the user's browser must carry to IPS: an HTML
// form of three hidden fields. Serve it as the answer to the user's click
// ([Form.ServeHTTP]), or put Action and Fields into a page of your own. A Form
// never changes and can be served again, until the order has an end.
type Form struct {
	operation Operation
	orderNo   string
	action    string
	fields    []FormField
}

// Operation is what the form asks for.
func (f *Form) Operation() Operation { return f.operation }

// OrderNo is the order number inside (pMerBillNo).
func (f *Form) OrderNo() string { return f.orderNo }

// Action is the URL at IPS that the form must be posted to.
func (f *Form) Action() string { return f.action }

// Fields returns the hidden fields in the order of the contract: merchant code,
// body, signature.
func (f *Form) Fields() []FormField { return append([]FormField(nil), f.fields...) }

// Values returns the fields for posting the form by a program.
func (f *Form) Values() url.Values {
	v := make(url.Values, len(f.fields))
	for _, field := range f.fields {
		v.Set(field.Name, field.Value)
	}
	return v
}

// The page is Chinese because the platform's user sees it. It needs no script:
// the script only saves him a click.
var formPage = template.Must(template.New("form").Parse(`<!DOCTYPE html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>正在前往环迅支付</title>
</head>
<body>
<h1>正在前往环迅支付</h1>
<form id="ips" method="post" action="{{.Action}}" accept-charset="utf-8">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<p>正在为您打开环迅支付资金管理平台。如果页面没有自动跳转，请点击按钮。</p>
<p><button type="submit">前往环迅支付</button></p>
</form>
<script{{with .Nonce}} nonce="{{.}}"{{end}}>document.getElementById("ips").submit();</script>
</body>
</html>
`))

var nonceForm = regexp.MustCompile(`^[A-Za-z0-9+/_-]*={0,2}$`)

// Render writes a complete UTF-8 HTML page that submits itself, with a visible
// button for browsers without scripts. The nonce goes to the script element,
// for a content-security policy of your own; it may be empty where there is
// none.
func (f *Form) Render(w io.Writer, nonce string) error {
	if !nonceForm.MatchString(nonce) {
		return fmt.Errorf("ips: nonce %.20q is not Base64", nonce)
	}
	var page bytes.Buffer
	err := formPage.Execute(&page, struct {
		Action, Nonce string
		Fields        []FormField
	}{f.action, nonce, f.fields})
	if err != nil {
		return fmt.Errorf("ips: form page: %w", err)
	}
	_, err = w.Write(page.Bytes())
	return err
}

// ServeHTTP answers with the page of [Form.Render], a fresh nonce, a
// content-security policy that allows that one script and nothing else, and
// headers that keep the page out of caches and frames.
func (f *Form) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	nonce := base64.RawStdEncoding.EncodeToString(raw[:])
	var page bytes.Buffer
	if err := f.Render(&page, nonce); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = page.WriteTo(w) // the browser has gone; there is nobody to tell
}

// The two sets of envelope names, in wire order. Which operation takes which
// is in its description.
type (
	argEnvelope struct {
		MerCode string `url:"argMerCode"`
		Body    string `url:"arg3DesXmlPara"`
		Sign    string `url:"argSign"`
	}
	pEnvelope struct {
		MerCode string `url:"pMerCode"`
		Body    string `url:"p3DesXmlPara"`
		Sign    string `url:"pSign"`
	}
)

// envelopeFields gives the sealed request its field names, in wire order.
func envelopeFields(argNames bool, s sealed) ([]FormField, error) {
	var v url.Values
	var err error
	if argNames {
		v, err = query.Values(argEnvelope{s.merCode, s.body, s.sign})
	} else {
		v, err = query.Values(pEnvelope{s.merCode, s.body, s.sign})
	}
	if err != nil {
		return nil, fmt.Errorf("ips: envelope: %w", err)
	}
	var fields []FormField
	for _, name := range envelopeNames(argNames) {
		fields = append(fields, FormField{name, v.Get(name)})
	}
	return fields, nil
}
