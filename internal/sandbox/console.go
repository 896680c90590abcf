package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed console
var consoleFiles embed.FS

const (
	consolePrefix = "/console/"
	// consolePolicy lets a page use nothing but the stylesheet, the script and
	// the event stream of the console.
	consolePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// maxConsoleForm bounds what a form of the console may send.
	maxConsoleForm = 64 << 10
)

// console is the operator's view of the sandbox, under /console/. Everything
// works without its script, which only saves the operator from reloading.
type console struct {
	sandbox   *Sandbox
	mux       *http.ServeMux
	templates *template.Template
	secret    []byte // of the tokens in forms
	books     verdict
}

func newConsole(s *Sandbox, secret string) (*console, error) {
	c := &console{sandbox: s, secret: []byte(secret)}
	var err error
	c.templates, err = template.New("console").Funcs(c.functions()).ParseFS(consoleFiles, "console/*.html")
	if err != nil {
		return nil, err
	}
	c.mux = c.routes()
	return c, nil
}

func (c *console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"":                              c.notFound,
		"{$}":                           c.overview,
		"accounts":                      c.accounts,
		"accounts/{merchant}/{account}": c.account,
		"bids":                          c.bids,
		"bids/{merchant}/{bid}":         c.bid,
		"orders":                        c.orders,
		"orders/{merchant}/{order}":     c.order,
		"messages":                      c.messages,
		"messages/{seq}":                c.message,
		"messages/{seq}/document":       c.messageDocument,
		"notifications":                 c.notifications,
		"notifications/{seq}":           c.notification,
		"notifications/{seq}/document":  c.notificationDocument,
		"notifications/{seq}/replay.sh": c.notificationReplay,
		"journal":                       c.journal,
		"faults":                        c.faults,
		"events":                        c.events,
		"style.css":                     c.asset("text/css"),
		"live.js":                       c.asset("text/javascript"),
	} {
		mux.HandleFunc("GET "+consolePrefix+path, handler)
	}
	for path, action := range map[string]action{
		"clock":                                 c.advance,
		"notifications/{seq}/resend":            c.resend,
		"faults/order":                          c.orderFault,
		"faults/lift":                           c.liftFault,
		"accounts/{merchant}/{account}/mode":    c.setMode,
		"accounts/{merchant}/{account}/mandate": c.setMandate,
		"accounts/{merchant}/{account}/deposit": c.deposit,
	} {
		mux.HandleFunc("POST "+consolePrefix+path, c.act(action))
	}
	return mux
}

// ServeHTTP answers below /console/.
func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !hostAllowed(r.Host, c.sandbox.hosts) {
		http.Error(w, "the console is not served under this host name; call it by address, or name the host in the sandbox's settings",
			http.StatusMisdirectedRequest)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", consolePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	c.mux.ServeHTTP(w, r)
}

// hostAllowed refuses host names that anybody could have pointed at this
// machine (DNS rebinding): a page of such a name would be allowed to read the
// console. Addresses and localhost cannot be taken over in that way.
func hostAllowed(host string, more []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	same := func(name string) bool { return strings.EqualFold(name, host) }
	return same("localhost") || slices.ContainsFunc(more, same)
}

// action changes something and says which page shows it. Its error is shown to
// the operator, who caused it.
type action func(r *http.Request) (page string, err error)

// act guards an action: a form of ours sent it, and reloading the page that
// follows does not repeat it.
func (c *console) act(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxConsoleForm)
		if err := r.ParseForm(); err != nil {
			c.problem(w, bodyStatus(err), "表单无法读取或过大")
			return
		}
		if !hmac.Equal([]byte(c.token(r.URL.EscapedPath())), []byte(r.PostForm.Get("token"))) {
			c.problem(w, http.StatusForbidden, "页面已失效，请返回上一页刷新后重试")
			return
		}
		page, err := do(r)
		if err != nil {
			c.problem(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		http.Redirect(w, r, page, http.StatusSeeOther)
	}
}

// token is what a form to an address must bring back, so that no other site
// can act in the operator's name: other sites cannot read our pages.
func (c *console) token(path string) string {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(path))
	return hex.EncodeToString(mac.Sum(nil))
}

// consolePage is what every page of the console shows.
type consolePage struct {
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
func (c *console) show(w http.ResponseWriter, status int, name string, p consolePage) {
	p.Now = c.sandbox.Now()
	var b bytes.Buffer
	if err := c.templates.ExecuteTemplate(&b, name, p); err != nil {
		c.sandbox.log.Error("console", "page", name, "err", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (c *console) version() uint64 {
	version, _, _ := c.sandbox.feed.since(0)
	return version
}

func (c *console) problem(w http.ResponseWriter, status int, text string) {
	c.show(w, status, "problem", consolePage{Title: http.StatusText(status), Data: text})
}

func (c *console) notFound(w http.ResponseWriter, _ *http.Request) {
	c.problem(w, http.StatusNotFound, "没有这个页面或记录")
}

func (c *console) asset(mediaType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
		http.ServeFileFS(w, r, consoleFiles, strings.TrimPrefix(r.URL.Path, "/"))
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
	return consolePrefix + strings.Join(segments, "/")
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
	address := consolePrefix + list
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}
