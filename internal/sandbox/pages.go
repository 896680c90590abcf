package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"html"
	"html/template"
	"net/http"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

//go:embed pages
var pageFiles embed.FS

// submitScript sends the return form on its way.
const submitScript = `document.getElementById("returnForm").submit();`

// pages are the HTML pages of the sandbox.
type pages struct {
	templates *template.Template
	css       []byte
	policy    string // Content-Security-Policy
	secret    []byte // of the tokens in forms
}

func newPages(secret string) (*pages, error) {
	templates, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(submitScript))
	return &pages{
		templates: templates,
		css:       css,
		policy: "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; script-src 'sha256-" +
			base64.StdEncoding.EncodeToString(sum[:]) + "'",
		secret: []byte(secret),
	}, nil
}

// show executes the template before anything is sent, so that a failure does
// not leave half a page.
func (p *pages) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "page "+name+" cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (p *pages) style(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(p.css)
}

func (p *pages) index(w http.ResponseWriter) {
	p.show(w, http.StatusOK, "index", []string{tradeService().path, queryService().path})
}

// failure is what a person is told when the browser cannot be sent back.
type failure struct {
	Op   operation
	Code string
	Text string
}

func (p *pages) failure(w http.ResponseWriter, status int, f failure) {
	p.show(w, status, "failure", f)
}

// returnPage is the page that sends an answer back to the merchant. Programs
// read it too: an ASP.NET page form first, then the form with the answer.
type returnPage struct {
	Title, Text, Page, ViewState, URL string

	Fields template.HTML
	Script template.JS
}

// hiddenInputs writes the fields of the return form. html/template would write
// a plus sign as &#43;, which is right, but not what merchants' programs that
// look for value="…" with a pattern found on the platform's page.
func hiddenInputs(fields []wire.Pair) template.HTML {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(`<input type="hidden" name="` + html.EscapeString(f.Name) + `" value="` + html.EscapeString(f.Value) + "\">\n")
	}
	return template.HTML(b.String())
}

func (p *pages) back(w http.ResponseWriter, res result) {
	p.show(w, http.StatusOK, "return", returnPage{
		Title:     res.op.title,
		Text:      res.answer.text,
		Page:      res.op.name + ".aspx",
		ViewState: base64.StdEncoding.EncodeToString([]byte("sandbox " + res.op.name)),
		URL:       res.returnURL,
		Fields:    hiddenInputs(res.answer.fields()),
		Script:    submitScript,
	})
}

func (p *pages) service(w http.ResponseWriter, svc service, path string) {
	type row struct{ Name, Title, Params string }
	var rows []row
	for _, op := range svc.operations {
		rows = append(rows, row{op.name, op.title, strings.Join(op.params, ", ")})
	}
	p.show(w, http.StatusOK, "service", struct {
		Path       string
		Operations []row
	}{path, rows})
}

// confirmPage asks a person to confirm something.
type confirmPage struct {
	Title  string
	Error  string // what was wrong with the last try
	Lines  []line
	Inputs []input
	Action string
	Token  string
}

type line struct{ Label, Value string }

// input is a field to be filled in; with options it is a choice.
type input struct {
	Name, Label, Type string

	Options []option
}

type option struct{ Value, Label string }

func (p *pages) confirm(w http.ResponseWriter, page confirmPage) {
	p.show(w, http.StatusOK, "confirm", page)
}

// token is what a form must bring back, so that no other site can confirm in a
// person's name: other sites cannot read our pages.
func (p *pages) token(id string) string {
	mac := hmac.New(sha256.New, p.secret)
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil))
}

func (p *pages) validToken(id, token string) bool {
	return hmac.Equal([]byte(p.token(id)), []byte(token))
}

// Title is what people call the operation.
func (op operation) Title() string { return op.title }
