package sandbox

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/console"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
	"github.com/ips-p2p/ips/internal/sandbox/pages"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

const (
	healthPath  = "/healthz"
	metricsPath = "/metrics"
)

// holdKey is where a request's context has the [notifier.Hold] of what it
// causes.
type holdKey struct{}

func holdOf(ctx context.Context) *notifier.Hold {
	hold, _ := ctx.Value(holdKey{}).(*notifier.Hold)
	return hold
}

var manySlashes = regexp.MustCompile(`/{2,}`)

// ServeHTTP answers as the platform would. Paths are the same in any case and
// with slashes doubled, as on the platform's IIS.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Sandbox", "this is not IPS")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	hold := &notifier.Hold{}
	r = r.WithContext(context.WithValue(r.Context(), holdKey{}, hold))
	r.Body = http.MaxBytesReader(w, r.Body, s.maxBody)
	if path := manySlashes.ReplaceAllString(r.URL.Path, "/"); path != r.URL.Path && strings.HasPrefix(strings.ToLower(path), "/credit") {
		address := *r.URL
		address.Path, address.RawPath = path, ""
		r.URL = &address
	}
	defer hold.Release()
	s.disturbed(w, r)
	if hold.Busy() {
		// What was caused leaves when its cause is written. Who has gone will
		// not read it, which is his affair.
		_ = http.NewResponseController(w).Flush()
	}
}

// route finds out what a request is for.
func (s *Sandbox) route(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/":
		s.pages.Index(w, console.Prefix, s.services)
	case path == "/favicon.ico": // browsers ask for one, and log that there is none
		w.WriteHeader(http.StatusNoContent)
	case path == metricsPath:
		s.serveMetrics(w)
	case path == healthPath:
		operator.ServeHealth(s, s.log, w, r, s.journal.Kept(), s.journal.Err())
	case strings.HasPrefix(path, operator.AdminPrefix):
		s.admin.ServeHTTP(w, r)
	case strings.HasPrefix(path, console.Prefix):
		s.console.ServeHTTP(w, r)
	case path+"/" == console.Prefix:
		http.Redirect(w, r, console.Prefix, http.StatusMovedPermanently)
	case strings.HasPrefix(path, samplePath):
		s.serveSample(w, r)
	case s.pages.Serve(w, r):
	default:
		for _, svc := range s.services {
			if strings.EqualFold(path, svc.Path) {
				s.serveService(w, r, svc)
				return
			}
		}
		if page, ok := wire.CutPrefixFold(path, wire.WebPrefix); ok {
			s.servePage(w, r, page)
			return
		}
		s.pages.Failure(w, http.StatusNotFound, pages.Failure{Text: "页面不存在"})
	}
}

// servePage takes the form that a browser, or the merchant's server, posts.
//
// What HTTP itself can say of a request (wrong method, media type or size) is
// said with its status. Everything about the message is said with HTTP 200 on
// the page, as ASP.NET would (our choice).
func (s *Sandbox) servePage(w http.ResponseWriter, r *http.Request, page string) {
	op, ok := wire.PageOperation(page)
	if !ok {
		s.pages.Failure(w, http.StatusNotFound, pages.Failure{Text: "接口不存在"})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.pages.Failure(w, http.StatusMethodNotAllowed, pages.Failure{Op: op, Text: "请用POST方式提交"})
		return
	}
	params, status := wire.ReadForm(r)
	if status != http.StatusOK {
		s.pages.Failure(w, status, pages.Failure{Op: op, Text: pages.FormProblem(status)})
		return
	}
	res, err := s.received(r.Context(), request{
		op: op, via: messages.ViaPage, peer: r.RemoteAddr, fields: params, fault: fault.Words(r.Context()),
	})
	switch {
	case err != nil:
		s.pages.Failure(w, http.StatusServiceUnavailable, pages.Failure{Op: op, Code: codeSystem, Text: "系统异常"})
	case res.ask != "":
		http.Redirect(w, r, s.ConfirmPath(res.ask), http.StatusSeeOther)
	default:
		s.pages.Back(w, pages.Return{Op: op, Order: res.order, URL: res.returnURL, Answer: res.answer, FormFirst: res.formFirst})
	}
}

// Local refuses host names that anybody could have pointed at this machine (DNS
// rebinding): a page of such a name would be allowed to read the console.
// Addresses and localhost cannot be taken over in that way.
func (s *Sandbox) Local(host string) bool {
	host = bareHost(host)
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	same := func(name string) bool { return strings.EqualFold(name, host) }
	return same("localhost") || slices.ContainsFunc(s.hosts, same)
}

// bareHost is a host without port, brackets, and the dot at its end.
func bareHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
}

// ParseHost reads a host name, with or without a port, for [Config].
func ParseHost(text string) (string, error) {
	name := bareHost(text)
	if name == "" || strings.ContainsAny(text, "/@*? ") || strings.Contains(name, ":") {
		return "", fmt.Errorf("want a host name such as ips.test.example.com, got %q", text)
	}
	return name, nil
}
