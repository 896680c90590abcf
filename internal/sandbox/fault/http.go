package fault

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// Handler answers requests through next, with the faults that hit them. Done
// ends what waits.
func (m *Machine) Handler(services []wire.Service, done <-chan struct{}, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !m.armed.Load() {
			next(w, r)
			return
		}
		e, ok := requestEvent(services, r)
		if !ok {
			next(w, r)
			return
		}
		var plan requestPlan
		words := ""
		for _, f := range m.hit(e) {
			plan.add(f)
			words = strings.TrimPrefix(words+"、"+Label(f.Name), "、")
		}
		r = r.WithContext(context.WithValue(r.Context(), wordsKey{}, words))
		if !pause(r, done, plan.before) {
			return
		}
		if plan.end.Name != "" && !plan.end.late() {
			m.Struck(e.op, e.merchant, words, e.call)
			plan.end.strike(w, r, nil)
			return
		}
		if plan.end.Name == "" && plan.after == 0 {
			next(w, r)
			return
		}
		// The operation takes effect, and its answer is kept from the caller.
		kept := &keptAnswer{header: make(http.Header), status: http.StatusOK}
		next(kept, r)
		if !pause(r, done, plan.after) {
			return
		}
		if plan.end.Name == "" {
			kept.send(w, kept.body.Len(), kept.body.Bytes())
			return
		}
		plan.end.strike(w, r, kept)
	}
}

// wordsKey is where the context of a request has what faults do to it.
type wordsKey struct{}

// Words say, for people, what faults do to the request of a context.
func Words(ctx context.Context) string {
	words, _ := ctx.Value(wordsKey{}).(string)
	return words
}

// requestPlan is what faults have in store for a request.
type requestPlan struct {
	before, after time.Duration
	end           ending
}

func (p *requestPlan) add(f Fault) {
	switch {
	case f.Name != Latency:
		p.end = ending(f)
	case f.After:
		p.after = f.Delay
	default:
		p.before = f.Delay
	}
}

// requestEvent reads who wants what out of a request, and leaves its body as
// it was. Nothing in it is verified yet: it only selects faults.
func requestEvent(services []wire.Service, r *http.Request) (event, bool) {
	if r.Method != http.MethodPost {
		return event{}, false
	}
	e := event{kind: atRequest}
	if page, ok := wire.CutPrefixFold(r.URL.Path, wire.WebPrefix); ok {
		op, ok := wire.PageOperation(page)
		if !ok {
			return event{}, false
		}
		pairs, _ := wire.ReadForm(peek(r))
		e.op, e.merchant = op.Name, merchantOf(pairs)
		return e, true
	}
	for _, svc := range services {
		if !strings.EqualFold(r.URL.Path, svc.Path) {
			continue
		}
		_, _, charset, _ := wire.SOAPHeaders(r.Header)
		body, err := io.ReadAll(peek(r).Body)
		if err != nil {
			return event{}, false
		}
		call, err := wire.ReadCall(body, charset)
		if err != nil {
			return event{}, false
		}
		e.call, e.op, e.merchant = true, call.Operation, merchantOf(call.Params)
		return e, true
	}
	return event{}, false
}

func merchantOf(params []wire.Pair) string {
	for _, p := range params {
		if wire.ParamPrefix(p.Name, "MerCode") != "" {
			return strings.TrimSpace(p.Value)
		}
	}
	return ""
}

// peek returns a copy of a request whose body can be read without using up
// that of the request. A trouble in reading is found again by whoever reads.
func peek(r *http.Request) *http.Request {
	body, err := io.ReadAll(r.Body)
	var end io.Reader = strings.NewReader("")
	if err != nil {
		end = failingReader{err}
	}
	again := func() io.ReadCloser { return io.NopCloser(io.MultiReader(bytes.NewReader(body), end)) }
	r.Body = again()
	copied := *r
	copied.Body = again()
	return &copied
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// pause waits, unless the caller or the sandbox goes away first.
func pause(r *http.Request, done <-chan struct{}, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-done:
	}
	return false
}

// keptAnswer is an answer that is not sent yet.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) Header() http.Header         { return k.header }
func (k *keptAnswer) WriteHeader(status int)      { k.status = status }
func (k *keptAnswer) Write(p []byte) (int, error) { return k.body.Write(p) }

// send sends the answer's header, announcing a length (none if negative), and
// body in place of its own. Errors mean that the caller has gone, which is his
// affair.
func (k *keptAnswer) send(w http.ResponseWriter, length int, body []byte) {
	for name, values := range k.header {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length")
	if length >= 0 {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(k.status)
	w.Write(body)
}

// ending is a fault that ends a request.
type ending Fault

// late says whether the operation takes effect first.
func (e ending) late() bool {
	return e.After || e.Name == Truncate || e.Name == Oversize
}

// strike ends the request. The answer is nil if there has been none.
func (e ending) strike(w http.ResponseWriter, r *http.Request, answer *keptAnswer) {
	switch e.Name {
	case HTTP500:
		errorPage(w, http.StatusInternalServerError, "Server Error in '/' Application.")
	case HTTP502:
		errorPage(w, http.StatusBadGateway, "Bad Gateway")
	case SOAPFault:
		version, _, _, _ := wire.SOAPHeaders(r.Header)
		wire.SendFault(w, version, errors.New("ordered"))
	case Reset:
		reset(w)
	case Truncate:
		body := answer.body.Bytes()
		answer.send(w, len(body), body[:len(body)/2])
	case Oversize:
		answer.send(w, -1, answer.body.Bytes())
		blank := bytes.Repeat([]byte{' '}, 32<<10)
		for left := e.Size; left > 0; left -= int64(len(blank)) {
			if _, err := w.Write(blank[:min(left, int64(len(blank)))]); err != nil {
				return
			}
		}
	}
}

// errorPage is what proxies and .NET show when nothing of ours could answer.
func errorPage(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, "<html><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>\n")
}

// reset ends a connection the hard way, or, where it carries other requests
// too, the stream.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if secure, ok := inner.(*tls.Conn); ok {
		inner = secure.NetConn()
	}
	if t, ok := inner.(*net.TCPConn); ok {
		t.SetLinger(0) // sends RST in place of FIN
		t.Close()
	}
	conn.Close()
	// Nobody behind us may use what is gone.
	panic(http.ErrAbortHandler)
}
