package browsertest

import (
	"context"
	"embed"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

//go:embed shop.html shop.css
var shopFiles embed.FS

const shopName = "示例借贷平台"

// offer is a button on the merchant's page: what it says, and the form that
// takes the user to IPS.
type offer struct {
	Label string
	form  func(client *ips.Client) (*ips.Form, error)
}

// shop is the web site of a small merchant: a page with buttons, a page for
// every order, and the two doors that IPS comes to.
type shop struct {
	url    string
	offers []offer
	client *ips.Client
	pages  *template.Template

	t *testing.T

	// Web returns wait at this door while the test keeps it locked. The browser
	// shows the page of IPS that they come from for as long.
	door sync.RWMutex

	mu     sync.Mutex
	orders map[string]*order
}

// order is what the merchant knows of an order.
type order struct {
	No       string
	What     string
	Reply    ips.Reply
	Settled  int // how often it came to its end
	Returned int // how often the browser brought word
	Notified int // how often IPS said so from server to server
}

// openShop starts the merchant's web site for a sandbox.
func openShop(t *testing.T, platform *ipstest.Server, offers ...offer) *shop {
	t.Helper()
	pages, err := template.ParseFS(shopFiles, "shop.html")
	require.NoError(t, err)
	s := &shop{t: t, offers: offers, pages: pages, orders: make(map[string]*order)}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	cfg := platform.Config()
	cfg.ReturnURL, cfg.NotifyURL = server.URL+"/return", server.URL+"/notify"
	s.client, err = ips.NewClient(cfg)
	require.NoError(t, err)

	once := new(ipstest.MemoryOnce)
	inbound := ips.Inbound{
		Hear:    ips.Deduplicated(once, s.record),
		OnError: func(_ *http.Request, err error) { t.Errorf("the merchant refused an answer: %v", err) },
	}
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("POST /go/{n}", s.goToIPS)
	mux.HandleFunc("GET /orders/{no}", s.showOrder)
	mux.HandleFunc("GET /shop.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, shopFiles, "shop.css")
	})
	back := s.client.ReturnHandler(inbound, func(w http.ResponseWriter, r *http.Request, resp ips.Response, _ error) {
		if resp == nil {
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		s.update(resp.Base().OrderNo, func(o *order) { o.Returned++ })
		http.Redirect(w, r, "/orders/"+resp.Base().OrderNo, http.StatusSeeOther)
	})
	mux.HandleFunc("POST /return/{op}", func(w http.ResponseWriter, r *http.Request) {
		s.door.RLock()
		defer s.door.RUnlock()
		back.ServeHTTP(w, r)
	})
	notified := s.client.NotifyHandler(ips.Inbound{Hear: ips.Deduplicated(countingOnce{s, once}, s.record), OnError: inbound.OnError})
	mux.Handle("POST /notify/{op}", notified)
	return s
}

// shut keeps users on the page with their result, which would take them back
// by itself after a while, until the test has looked at it.
func (s *shop) shut() (open func()) {
	s.door.Lock()
	open = sync.OnceFunc(s.door.Unlock)
	s.t.Cleanup(open) // else a test that fails never ends
	return open
}

// countingOnce counts the notifications, copies included, that get as far as
// the question whether they are copies.
type countingOnce struct {
	shop *shop
	ips.Once
}

func (o countingOnce) Do(ctx context.Context, key ips.AnswerKey, fn func(context.Context) error) error {
	o.shop.update(key.OrderNo, func(r *order) { r.Notified++ })
	return o.Once.Do(ctx, key, fn)
}

// record notes an answer that is heard for the first time. A result is not
// overwritten by word that came earlier and arrives later.
func (s *shop) record(_ context.Context, resp ips.Response) error {
	reply := resp.Base()
	s.update(reply.OrderNo, func(o *order) {
		if o.Settled > 0 && reply.Outcome == ips.Pending {
			return
		}
		o.Reply = *reply
		if reply.Outcome != ips.Pending {
			o.Settled++
		}
	})
	return nil
}

func (s *shop) update(no string, change func(*order)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[no]
	if o == nil {
		o = &order{No: no}
		s.orders[no] = o
	}
	change(o)
}

// order gives a copy of what the merchant knows.
func (s *shop) order(no string) order {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orders[no]; o != nil {
		return *o
	}
	return order{No: no}
}

func (s *shop) home(w http.ResponseWriter, _ *http.Request) { s.show(w, "home", s.offers) }

func (s *shop) goToIPS(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(s.offers) {
		http.NotFound(w, r)
		return
	}
	form, err := s.offers[n].form(s.client)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.update(form.OrderNo(), func(o *order) { o.What = s.offers[n].Label })
	form.ServeHTTP(w, r)
}

func (s *shop) showOrder(w http.ResponseWriter, r *http.Request) {
	s.show(w, "order", s.order(r.PathValue("no")))
}

// Title is the heading of an order's page.
func (o order) Title() string {
	if o.Reply.Code == "" {
		return o.What + "未开始"
	}
	return o.What + map[ips.Outcome]string{ips.Success: "成功", ips.Pending: "处理中", ips.Failure: "失败"}[o.Reply.Outcome]
}

// Kind names the outcome for the stylesheet.
func (o order) Kind() string { return o.Reply.Outcome.String() }

func (s *shop) show(w http.ResponseWriter, page string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	err := s.pages.ExecuteTemplate(w, page, struct {
		Shop string
		Data any
	}{shopName, data})
	if err != nil {
		panic(err) // the test's own page
	}
}

// badPage is a page that does all that ours must not do.
func badPage(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src http:; script-src 'unsafe-inline'; style-src 'none'")
		io.WriteString(w, `<!DOCTYPE html><title>bad</title><h1 style="color:red">bad</h1>`+
			`<script>console.error("bad")</script><script>throw new Error("bad")</script><img src="http://shop.example.com/bad.png" alt="bad">`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func holds(list []string, prefix string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, prefix) })
}
