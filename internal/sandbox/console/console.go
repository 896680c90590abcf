// Package console is the operator's view of a sandbox.
package console

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

//go:embed files
var files embed.FS

const (
	// Prefix is where the console is.
	Prefix = "/console/"
	// contentPolicy lets a page use nothing but the stylesheet, the script and
	// the event stream of the console.
	contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// maxForm bounds what a form of the console may send.
	maxForm = 64 << 10
)

// Platform is what the console shows and changes.
type Platform interface {
	operator.Platform
	// NewestMessages are a page of the messages that have a text and that takes
	// accepts, with people's data, and how many there are.
	NewestMessages(text string, p engine.Page, takes func(*messages.Message) bool) ([]messages.Message, int)
	// NewestNotices are the same of the notifications.
	NewestNotices(text string, p engine.Page, takes func(*notifier.Notification) bool) ([]notifier.Notification, int)
	// Posting is a notification and what is posted for it.
	Posting(seq int64) (notifier.Notification, wire.Envelope, bool)
	// Diagnose says in Chinese all that is wrong with the signature or the body
	// of a refused request, the cause first.
	Diagnose(messages.Message) []string
	// ConfirmPath is the page on which a person confirms something.
	ConfirmPath(ask string) string
}

// Console is the operator's view of the sandbox, under /console/. Everything
// works without its script, which only saves the operator from reloading.
type Console struct {
	platform  Platform
	log       *slog.Logger
	feed      *Feed
	mux       *http.ServeMux
	templates func() *template.Template // read when a page is first shown: few tests show one
	foreign   *http.CrossOriginProtection
	books     verdict
}

// New makes the console of a platform; feed says what has changed.
func New(platform Platform, feed *Feed, log *slog.Logger) *Console {
	c := &Console{platform: platform, feed: feed, log: log, foreign: http.NewCrossOriginProtection()}
	c.templates = sync.OnceValue(func() *template.Template {
		return template.Must(template.New("console").Funcs(c.functions()).ParseFS(files, "files/*.html"))
	})
	c.mux = c.routes()
	return c
}

func (c *Console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"":                                 c.notFound,
		"{$}":                              c.overview,
		"accounts":                         c.accounts,
		"accounts/{merchant}/{account}":    c.account,
		"bids":                             c.bids,
		"bids/{merchant}/{bid}":            c.bid,
		"oldbids":                          c.oldBids,
		"orders":                           c.orders,
		"orders/{merchant}/{order}":        c.order,
		"orders/{merchant}/{order}/{part}": c.text(c.orderDocument),
		"search":                           c.search,
		"export.json":                      c.export,
		"messages":                         c.messages,
		"messages/{seq}":                   c.message,
		"messages/{seq}/document":          c.text(c.messageDocument),
		"messages/{seq}/envelope":          c.text(c.messageEnvelope),
		"notifications":                    c.notifications,
		"notifications/{seq}":              c.notification,
		"notifications/{seq}/document":     c.text(c.notificationDocument),
		"notifications/{seq}/replay.sh":    c.text(c.notificationReplay),
		"journal":                          c.journal,
		"faults":                           c.faults,
		"events":                           c.events,
		"style.css":                        c.asset("text/css"),
		"live.js":                          c.asset("text/javascript"),
	} {
		mux.HandleFunc("GET "+Prefix+path, handler)
	}
	// The action that a form does. The page that shows it is one step up.
	for path, action := range map[string]string{
		"clock":                                 "clock/advance",
		"reset":                                 "reset",
		"sample":                                "sample",
		"notifications/{seq}/resend":            "notifications/{seq}/resend",
		"faults/order":                          "faults",
		"faults/lift":                           "faults/lift",
		"oldbids/order":                         "oldbids",
		"accounts/{merchant}/{account}/mode":    "mode",
		"accounts/{merchant}/{account}/mandate": "mandate",
		"accounts/{merchant}/{account}/deposit": "deposit",
	} {
		mux.HandleFunc("POST "+Prefix+path, c.form(action))
	}
	return mux
}

// ServeHTTP answers below /console/.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.platform.Local(r.Host) {
		http.Error(w, "the console is not served under this host name; call it by address, or name the host in the sandbox's settings",
			http.StatusMisdirectedRequest)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Referrer-Policy", "same-origin")
	c.mux.ServeHTTP(w, r)
}

// form does an action that a form of ours has sent, and goes on to a page, so
// that reloading it does not repeat the action.
func (c *Console) form(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			c.problem(w, wire.BodyStatus(err), "表单无法读取或过大")
			return
		}
		// What IPS tells a merchant can be addressed to us, and a page of ours
		// posts it. No form of the console has its fields.
		if c.foreign.Check(r) != nil || r.PostForm.Has("pMerCode") {
			c.problem(w, http.StatusForbidden, "请求来自其他网站，未作处理")
			return
		}
		value := func(name string) string { return pathValue(r, name) }
		if _, err := operator.Do(action, c.platform, operator.Form{Request: r, Path: value}); err != nil {
			// The operator, who caused it, is told in Chinese.
			text := "未能完成，原因见沙箱日志"
			var known *engine.Problem
			if errors.As(err, &known) {
				text = known.Chinese()
			} else {
				c.log.Error("console", "action", action, "err", err)
			}
			if action == "faults" {
				c.showFaults(w, http.StatusUnprocessableEntity, text, r.PostForm)
				return
			}
			c.problem(w, http.StatusUnprocessableEntity, text)
			return
		}
		page := r.URL.EscapedPath()
		page = page[:strings.LastIndexByte(page, '/')]
		if page+"/" == Prefix {
			page = Prefix
		}
		// The page says what was done when it is come to by this name.
		http.Redirect(w, r, page+"#done-"+doneName(action), http.StatusSeeOther)
	}
}

// done says that an action was done, by its name.
var done = map[string]string{
	"advance": "时钟已拨快。", "reset": "沙箱已清空。", "sample": "示例数据已写入。", "resend": "通知已重发。", "faults": "故障已安排。", "lift": "故障已解除。",
	"oldbids": "老标的已录入。", "mode": "确认方式已更改。", "mandate": "代扣委托已更改。", "deposit": "已入金。",
}

func doneName(action string) string { return action[strings.LastIndexByte(action, '/')+1:] }

// page is what every page of the console shows.
type page struct {
	Title   string
	Section string // of the navigation
	Live    string // topics that make the page stale, separated by spaces
	Version uint64 // of what the page shows
	Now     time.Time
	Data    any
}

// show executes the template before anything is sent, so that a failure does
// not leave half a page. The version was read before the data, so that the
// page may be newer than it says but never older.
func (c *Console) show(w http.ResponseWriter, status int, name string, p page) {
	p.Now = c.platform.Now()
	var b bytes.Buffer
	if err := c.templates().ExecuteTemplate(&b, name, p); err != nil {
		c.log.Error("console", "page", name, "err", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	wire.Send(w, status, "text/html; charset=utf-8", b.Bytes())
}

func (c *Console) problem(w http.ResponseWriter, status int, text string) {
	c.show(w, status, "problem", page{Title: "未能完成", Data: text})
}

func (c *Console) notFound(w http.ResponseWriter, _ *http.Request) {
	c.show(w, http.StatusNotFound, "problem", page{Title: "页面不存在", Data: "没有这个页面或记录"})
}

func (c *Console) asset(mediaType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
		http.ServeFileFS(w, r, files, "files/"+strings.TrimPrefix(r.URL.Path, Prefix))
	}
}

// verdict is the outcome of checking the books, remembered for a while: the
// longer the books, the longer the check.
type verdict struct {
	mu   sync.Mutex
	err  error
	at   time.Time
	took time.Duration
}

// check spends no more than about a tenth of the time on checking.
func (v *verdict) check(books func() error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if started := time.Now(); v.at.IsZero() || started.Sub(v.at) >= 10*v.took {
		v.err = books()
		v.took = time.Since(started)
		v.at = time.Now()
	}
	return v.err
}

// The addresses of things. Whatever a stranger chose goes into one segment of
// a path or one value of a query.

func consoleURL(segments ...string) string {
	for i, s := range segments {
		segments[i] = segment(s)
	}
	return Prefix + strings.Join(segments, "/")
}

// segment escapes a segment of a path. Browsers resolve segments of dots even
// when they are escaped, so those get a mark, which pathValue takes off.
func segment(s string) string {
	if strings.Trim(s, ".") == "" || strings.HasPrefix(s, "~") {
		s = "~" + s
	}
	return url.PathEscape(s)
}

func pathValue(r *http.Request, name string) string {
	return strings.TrimPrefix(r.PathValue(name), "~")
}

func consoleQuery(list string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	address := Prefix + list
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}
