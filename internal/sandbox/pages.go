package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

//go:embed pages
var pageFiles embed.FS

// The scripts that send the return form on its way: at once, or once a person
// has had time to read the result. Neither sends it again when somebody comes
// back to the page or reloads it; then only the button does.
const (
	submitScript = `(function(){` +
		`var n=performance.getEntriesByType("navigation")[0];` +
		`if(!n||n.type==="navigate")document.getElementById("returnForm").submit()` +
		`})()`
	delayedScript = `(function(){` +
		`var n=performance.getEntriesByType("navigation")[0],f=document.getElementById("returnForm"),t;` +
		`if(n&&n.type!=="navigate")return;` +
		`t=setTimeout(function(){f.submit()},3000);` +
		`f.addEventListener("submit",function(){clearTimeout(t)})` +
		`})()`
)

// pages are the HTML pages that a person sees in a browser.
type pages struct {
	templates *template.Template
	css       []byte
	secret    []byte // signs links and the tokens in forms

	// answering lets one form be looked at and acted on at a time, so that a
	// double click finds out about its first half.
	answering sync.Mutex
}

func newPages(secret string) (*pages, error) {
	templates, err := template.New("").Funcs(template.FuncMap{
		"yuan": groupThousands, "clock": clockText, "left": leftText, "iso": isoTime,
	}).ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		return nil, err
	}
	return &pages{templates: templates, css: css, secret: []byte(secret)}, nil
}

// policy is the Content-Security-Policy of a page: our own stylesheet, forms
// that go where targets says, and one script if there is one.
func policy(targets, script string) string {
	p := "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action " + targets
	if script != "" {
		sum := sha256.Sum256([]byte(script))
		p += "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return p
}

// show shows a page whose forms, if it has any, come back to us.
func (p *pages) show(w http.ResponseWriter, status int, name string, data any) {
	p.showUnder(w, status, policy("'self'", ""), name, data)
}

// showUnder executes the template before anything is sent, so that a failure
// does not leave half a page.
func (p *pages) showUnder(w http.ResponseWriter, status int, policy, name string, data any) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "page "+name+" cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY") // for browsers that know no frame-ancestors
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // a link to a page opens it
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (p *pages) style(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(p.css)
}

func (p *pages) index(w http.ResponseWriter) {
	type row struct{ Title, Page string }
	var rows []row
	for _, op := range pageOperations() {
		rows = append(rows, row{op.title, op.name + ".aspx"})
	}
	p.show(w, http.StatusOK, "index", struct {
		Console, SMS, Web string
		Services          []string
		Pages             []row
	}{consolePrefix, smsPath, webPrefix, []string{tradeService().path, queryService().path}, rows})
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
	Title, Kind, Order, Code, Text, Page, ViewState, URL string

	Delayed bool
	Fields  template.HTML
	Script  template.JS
}

// The kinds of outcome, as the stylesheet names them.
const (
	kindDone    = "done"
	kindPending = "pending"
	kindFailed  = "failed"
)

// outcomeOf says how a page that shows a code should look and read.
func outcomeOf(code string) (kind, words string) {
	switch code {
	case "MG00000F", "MG02501F", "MG02505F":
		return kindDone, "成功"
	case "MG00008F", "MG02500F", "MG02503F":
		return kindPending, "已受理"
	}
	return kindFailed, "未成功"
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

// back sends the browser back to the merchant. A person who has just answered
// sees the result for a moment first.
func (p *pages) back(w http.ResponseWriter, res result, answered bool) {
	script := submitScript
	if answered {
		script = delayedScript
	}
	kind, words := outcomeOf(res.answer.code)
	// The merchant may answer the form with a redirect to wherever he likes,
	// and browsers hold form-action against that too.
	p.showUnder(w, http.StatusOK, policy("http: https:", script), "return", returnPage{
		Title:     wordsOf(res.op).noun + words,
		Kind:      kind,
		Order:     res.order,
		Code:      res.answer.code,
		Text:      res.answer.text,
		Page:      res.op.name + ".aspx",
		ViewState: base64.StdEncoding.EncodeToString([]byte("sandbox " + res.op.name)),
		URL:       res.returnURL,
		Delayed:   answered,
		Fields:    hiddenInputs(res.answer.fields()),
		Script:    template.JS(script),
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

// sign binds a subject to a purpose. Without the secret nobody can make it up.
func (p *pages) sign(purpose, subject string) string {
	mac := hmac.New(sha256.New, p.secret)
	mac.Write([]byte(purpose + "\x00" + subject))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func (p *pages) signed(purpose, subject, mac string) bool {
	return hmac.Equal([]byte(p.sign(purpose, subject)), []byte(mac))
}

// link names a confirmation in an address. The engine counts its numbers up,
// so the number alone would let anybody open his neighbour's page.
func (p *pages) link(id string) string { return id + "-" + p.sign("page", id) }

// follow finds the confirmation that a link names.
func (p *pages) follow(link string) (id string, ok bool) {
	id, mac, _ := strings.Cut(link, "-")
	return id, p.signed("page", id, mac)
}

// token is what the form of a confirmation must bring back, so that no other
// site can confirm in a person's name: other sites cannot read our pages. It
// tells how many tries were left when the page was shown, so that a form that
// is sent twice does not count as two wrong passwords.
func (p *pages) token(ask engine.AskInfo) string {
	n := strconv.Itoa(ask.TriesLeft)
	return n + "." + p.sign("form", ask.ID+"\x00"+n)
}

// checkToken says whether a token is one of ours for this confirmation, and
// whether the page that it came from was the latest.
func (p *pages) checkToken(ask engine.AskInfo, token string) (valid, latest bool) {
	n, mac, _ := strings.Cut(token, ".")
	return p.signed("form", ask.ID+"\x00"+n, mac), n == strconv.Itoa(ask.TriesLeft)
}

// Title is what people call the operation.
func (op operation) Title() string { return op.title }

// groupThousands writes 1234567.00 as 1,234,567.00, which people read with
// fewer mistakes.
func groupThousands(amount string) string {
	whole, fraction, _ := strings.Cut(amount, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

func chinaZone() *time.Location { return time.FixedZone("CST", 8*60*60) }

func clockText(t time.Time) string { return t.In(chinaZone()).Format("2006-01-02 15:04:05") }

func isoTime(t time.Time) string { return t.In(chinaZone()).Format(time.RFC3339) }

// leftText says how long something may still take, to the second.
func leftText(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	minutes, seconds := int(d/time.Minute), int(d%time.Minute/time.Second)
	switch {
	case minutes == 0:
		return fmt.Sprintf("%d秒", seconds)
	case seconds == 0:
		return fmt.Sprintf("%d分钟", minutes)
	}
	return fmt.Sprintf("%d分%d秒", minutes, seconds)
}
