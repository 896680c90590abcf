// Package pages are the pages that people see in a browser: what an operation
// asks them to confirm, the bank's page, the way back to the merchant, and the
// text messages on their mobiles.
package pages

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

//go:embed files
var files embed.FS

// The scripts that send the return form on its way: at once, or once a person
// has had time to read the result. Neither sends it again when somebody comes
// back to the page or reloads it; then only the button does.
const (
	submitScript = `(function(){` +
		`var n=performance.getEntriesByType("navigation")[0];` +
		`if(!n||n.type==="navigate")document.getElementById("returnForm").submit()` +
		`})()`
	delayedScript = `(function(){` +
		`var n=performance.getEntriesByType("navigation")[0]||{type:"navigate"},f=document.getElementById("returnForm"),` +
		`w=document.getElementById("wait"),left=Number(w.textContent),t;` +
		`if(n.type!=="navigate")return;` +
		`t=setInterval(function(){if(--left)w.textContent=left;else{clearInterval(t);f.submit()}},1000);` +
		`f.addEventListener("submit",function(){clearInterval(t)})` +
		`})()`
	// leftScript counts the time that is left, and says when it is over.
	leftScript = `(function(){` +
		`function text(s){var m=Math.floor(s/60);return m?m+(s%60?"分"+s%60+"秒":"分钟"):s+"秒"}` +
		`setInterval(function(){document.querySelectorAll("[data-left]").forEach(function(p){` +
		`var d=p.dataset;d.seen=d.seen||Date.now();` +
		`var s=d.left-Math.floor((Date.now()-d.seen)/1000);` +
		`if(s>0)p.querySelector(".left").textContent=text(s);` +
		`else if(!p.hidden){p.hidden=true;p.nextElementSibling.hidden=false}` +
		`})},1000)})()`
)

// Platform is what the pages show, and what a person does on them.
type Platform interface {
	Now() time.Time
	Engine() *engine.Engine
	// Version is that of what the engine shows, for pages that keep themselves
	// up to date by the console's events.
	Version() uint64
	// Do lets a command happen.
	Do(ctx context.Context, cmd engine.Command) (engine.Outcome, error)
	// Return seals the answer that a browser brings back to the merchant.
	Return(peer string, ask engine.AskInfo, a engine.Answer) (wire.Envelope, error)
	// Local says whether a host name is one that people may use.
	Local(host string) bool
}

// Pages are the HTML pages that a person sees in a browser.
type Pages struct {
	platform Platform
	log      *slog.Logger
	css      []byte
	secret   []byte // signs links
	foreign  *http.CrossOriginProtection

	// answering lets one form be looked at and acted on at a time, so that a
	// double click finds out about its first half.
	answering sync.Mutex
}

// The paths of the pages for people.
const (
	confirmPrefix = wire.WebPrefix + "confirm/"
	stylesheet    = wire.WebPrefix + "style.css"
	// SMSPath is where the texts to people's mobiles are read and answered.
	SMSPath = "/sms"
)

// codeSystem says that the sandbox itself failed.
const codeSystem = "MG00001F"

// templates are those of all platforms of a process, which are read once.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"yuan": wire.GroupThousands, "clock": wire.ClockText, "left": leftText, "iso": isoTime,
		"seconds": func(d time.Duration) int64 { return int64(max(d, 0) / time.Second) },
		"order": func(merchant, order string) string {
			return "/console/orders/" + url.PathEscape(merchant) + "/" + url.PathEscape(order)
		},
		"amounts": func(text string) string { return amount.ReplaceAllStringFunc(text, wire.GroupThousands) },
	}).ParseFS(files, "files/*.html"))
})

// New makes the pages of a platform.
func New(platform Platform, log *slog.Logger) (*Pages, error) {
	css, err := files.ReadFile("files/style.css")
	if err != nil {
		return nil, err
	}
	return &Pages{
		platform: platform, log: log, css: css, secret: []byte(rand.Text()), foreign: http.NewCrossOriginProtection(),
	}, nil
}

// Serve answers a request for one of the pages for people, or says that there
// is none at the path.
func (p *Pages) Serve(w http.ResponseWriter, r *http.Request) bool {
	path := r.URL.Path
	link, confirm := wire.CutPrefixFold(path, confirmPrefix)
	mobile, texts := wire.CutPrefixFold(path+"/", SMSPath+"/")
	switch {
	case path == stylesheet || strings.EqualFold(path, stylesheet):
		wire.Send(w, http.StatusOK, "text/css; charset=utf-8", p.css)
	case (confirm || texts) && p.foreign.Check(r) != nil:
		p.Failure(w, http.StatusForbidden, Failure{Text: "请求来自其他网站，未作处理"})
	case confirm:
		p.serveConfirm(w, r, link)
	case texts:
		p.serveSMS(w, r, strings.TrimSuffix(mobile, "/"))
	default:
		return false
	}
	return true
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

// amount is one in a text.
var amount = regexp.MustCompile(`[0-9]+\.[0-9]{2}`)

// show shows a page whose forms, if it has any, come back to us.
func (p *Pages) show(w http.ResponseWriter, status int, name string, data any) {
	p.showUnder(w, status, policy("'self'", ""), name, data)
}

// showUnder executes the template before anything is sent, so that a failure
// does not leave half a page.
func (p *Pages) showUnder(w http.ResponseWriter, status int, policy, name string, data any) {
	var b bytes.Buffer
	b.Grow(8 << 10) // of most pages
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "page "+name+" cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")        // for browsers that know no frame-ancestors
	h.Set("Referrer-Policy", "same-origin") // a link to a page opens it
	wire.Send(w, status, "text/html; charset=utf-8", b.Bytes())
}

// Index lists what there is. The console is elsewhere.
func (p *Pages) Index(w http.ResponseWriter, console string, services []wire.Service) {
	p.show(w, http.StatusOK, "index", struct {
		Console, SMS, Web string
		Services          []wire.Service
		Pages             []wire.Operation
	}{console, SMSPath, wire.WebPrefix, services, wire.Pages()})
}

// Service describes a web service to people.
func (p *Pages) Service(w http.ResponseWriter, service wire.Service) {
	p.show(w, http.StatusOK, "service", service)
}

// Failure is what a person is told when the browser cannot be sent back.
type Failure struct {
	Op   wire.Operation
	Code string
	Text string
}

// Failure tells a person that something failed.
func (p *Pages) Failure(w http.ResponseWriter, status int, f Failure) {
	title := cmp.Or(f.Op.Title, "操作") + "未能受理"
	missing := status == http.StatusNotFound && f.Op.Name == ""
	if missing {
		title = "页面不存在"
	}
	p.show(w, status, "failure", struct {
		Failure
		Title   string
		Missing bool
	}{f, title, missing})
}

// Return is an answer on its way back to the merchant.
type Return struct {
	Op     wire.Operation
	Order  string // pMerBillNo, if it could be read
	URL    string // where the browser goes, "" if that is not known
	Answer wire.Envelope
	// FormFirst puts the return form before everything else, as on the page
	// of an automatic repayment, which a merchant's server reads.
	FormFirst bool
	// Answered says that a person has just answered a page: he gets to see the
	// result first, with what there is to keep of it.
	Answered  bool
	Cancelled bool
	Wait      int // seconds until the browser goes by itself then
	Receipt   []line
}

// returnPage is the page that sends an answer back to the merchant. Programs
// read it too, and some read a part of it as XML: but for an automatic
// repayment there is an ASP.NET page form first, and directly behind it the
// form with the answer.
type returnPage struct {
	Return
	Title, Kind, Said, ViewState string
	Fields                       template.HTML
	Script                       template.JS
}

// The kinds of outcome, as the stylesheet names them.
const (
	kindDone    = "done"
	kindPending = "pending"
	kindFailed  = "failed"
	kindNothing = "nothing"
)

// outcomeOf says how a page that shows a code should look and read.
func outcomeOf(code string) (kind, words string) {
	switch code {
	case "MG00000F", "MG02501F", "MG02505F", "0000": // the last is the former interface's
		return kindDone, "成功"
	case "MG00008F", "MG02500F", "MG02503F":
		return kindPending, "已受理"
	}
	return kindFailed, "未成功"
}

// plainly is the text of an answer without what is of use to programs: the page
// has it in its rows.
func plainly(text string) string {
	parts := slices.DeleteFunc(strings.Split(text, "，"), func(part string) bool {
		return strings.HasPrefix(part, "商户号(") || strings.HasPrefix(part, "订单号(") || strings.HasPrefix(part, "错误码")
	})
	return strings.Join(parts, "，") + "。"
}

// hiddenInputs writes the fields of the return form. html/template would write
// a plus sign as &#43;, which is right, but not what merchants' programs that
// look for value="…" with a pattern found on the platform's page.
func hiddenInputs(fields []wire.Pair) template.HTML {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(`<input type="hidden" name="` + html.EscapeString(f.Name) + `" value="` + html.EscapeString(f.Value) + "\" />\n")
	}
	return template.HTML(b.String())
}

// Back sends the browser back to the merchant, or tells the person what went
// wrong when the way back is not known.
func (p *Pages) Back(w http.ResponseWriter, back Return) {
	if back.URL == "" {
		p.Failure(w, http.StatusOK, Failure{Op: back.Op, Code: back.Answer.Code, Text: back.Answer.Text})
		return
	}
	script := submitScript
	if back.Answered {
		script = delayedScript
	}
	kind, words := outcomeOf(back.Answer.Code)
	back.Wait = 3
	said := plainly(back.Answer.Text)
	switch {
	case back.Cancelled:
		kind, words, said, back.Wait = kindNothing, "已取消", "您已取消，本次操作没有进行。", 10
	case kind == kindDone:
		said = wordsOf(back.Op).done
	case kind == kindPending:
		said = "已受理，处理完成后由商户通知您。"
	default:
		back.Wait = 10 // there is something to read
	}
	if !back.Answered {
		said = back.Answer.Text
	}
	// The merchant may answer the form with a redirect to wherever he likes,
	// and browsers hold form-action against that too.
	p.showUnder(w, http.StatusOK, policy("http: https:", script), "return", returnPage{
		Return:    back,
		Title:     wordsOf(back.Op).noun + words,
		Kind:      kind,
		Said:      said,
		ViewState: base64.StdEncoding.EncodeToString([]byte("sandbox " + back.Op.Name)),
		Fields:    hiddenInputs(back.Answer.Fields()),
		Script:    template.JS(script),
	})
}

// link names a confirmation in an address. The engine counts its numbers up,
// so the number alone would let anybody open his neighbour's page.
func (p *Pages) link(id string) string {
	mac := hmac.New(sha256.New, p.secret)
	mac.Write([]byte(id))
	return id + "-" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// follow finds the confirmation that a link names.
func (p *Pages) follow(link string) (id string, ok bool) {
	id, _, _ = strings.Cut(link, "-")
	return id, hmac.Equal([]byte(p.link(id)), []byte(link))
}

func isoTime(t time.Time) string { return t.In(engine.China).Format(time.RFC3339) }

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
