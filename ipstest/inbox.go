package ipstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// stagePath begins the paths of the answers to what sets the stage.
const stagePath = "/ipstest/"

// merchantSite is the site at the addresses of [Server.Config].
func (p *platform) merchantSite(handler http.Handler) http.Handler {
	mux := http.NewServeMux()
	believe := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.accept(r) == nil {
			http.Error(w, "refused", http.StatusBadRequest)
		}
	})
	mux.Handle(stagePath, believe)
	if handler == nil {
		handler = believe
	}
	mux.Handle("/", handler)
	return mux
}

// arrival is an answer that came to a merchant.
type arrival struct {
	answer ips.Response
	staged bool
}

// arrivals are the answers that came to one merchant, in their order.
type arrivals struct {
	mu      sync.Mutex
	list    []arrival
	changed chan struct{} // closed and replaced at each arrival
}

func (a *arrivals) add(answer ips.Response, at string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, arrival{answer, strings.HasPrefix(at, stagePath)})
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *arrivals) all() ([]arrival, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list), a.changed
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// post takes a notification to wherever the merchant wants it, and notes it once
// he has answered, whatever he says.
func (p *platform) post(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := p.posts.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	read := r.Clone(r.Context())
	read.Body = io.NopCloser(bytes.NewReader(body))
	if answer := p.accept(read); answer != nil {
		for _, s := range p.servers {
			if s.cfg.MerchantCode == answer.Base().MerchantCode {
				s.arrivals.add(answer, r.URL.Path)
			}
		}
	}
	return resp, nil
}

// accept reads an answer to any of the merchants, nil if it verifies for none.
func (p *platform) accept(r *http.Request) ips.Response {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	for _, s := range p.servers {
		r.Body = io.NopCloser(bytes.NewReader(body))
		if answer, err := s.stage.ParseNotification(r, ips.Operation(path.Base(r.URL.Path))); err == nil {
			return answer
		}
	}
	return nil
}

// Arrived lists the answers that came to the merchant and verified, in the order
// of their arrival, copies included: the web returns that [Server.Carry] brought,
// and the notifications whose address ends in the operation's name, as those of
// [ips.Config] do. What set the stage is not among them.
func (s *Server) Arrived() []ips.Response {
	all, _ := s.arrivals.all()
	var answers []ips.Response
	for _, a := range all {
		if !a.staged {
			answers = append(answers, a.answer)
		}
	}
	return answers
}

// WaitNotification waits for the final server-to-server notification of an
// order, one that is not pending, and returns it once the merchant has answered:
// the operation's response type. The operation is needed because order numbers
// are unique within one. It fails the test if none comes.
func (s *Server) WaitNotification(op ips.Operation, orderNo string) ips.Response {
	s.tb.Helper()
	timer := time.After(patience)
	for {
		all, changed := s.arrivals.all()
		for _, a := range all {
			r := a.answer.Base()
			if r.Via == ips.ServerToServer && r.Operation == op && r.OrderNo == orderNo && r.Outcome != ips.Pending {
				return a.answer
			}
		}
		select {
		case <-changed:
		case <-timer:
			s.logUndelivered()
			s.tb.Fatalf("ipstest: the notification of %s %s did not come", op, orderNo)
		}
	}
}

// WaitIdle waits until every notification was delivered or given up.
func (s *Server) WaitIdle() {
	s.tb.Helper()
	ctx, cancel := within()
	defer cancel()
	must(s.tb, s.sandbox.WaitDelivered(ctx))
}

// logUndelivered writes down what the merchants did not take, which is mostly a
// handler in the wrong place.
func (p *platform) logUndelivered() {
	p.tb.Helper()
	for _, n := range p.sandbox.Notifications() {
		if len(n.Attempts) == 0 || n.State == notifier.Delivered {
			continue
		}
		last := n.Attempts[len(n.Attempts)-1]
		said := last.Err
		if last.Status != 0 {
			said = fmt.Sprintf("%d %s", last.Status, http.StatusText(last.Status))
		}
		p.tb.Logf("ipstest: the notification of order %s to %s was not taken, %d times; last: %s", n.Order, n.URL, len(n.Attempts), said)
	}
}

// parseReturn reads the answer that a page of IPS sends back to the merchant.
func (s *Server) parseReturn(op ips.Operation, body string) (ips.Response, error) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/"+string(op), strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.client.ParseReturn(r, op)
}
