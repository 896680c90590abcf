package ipstest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ips-p2p/ips"
)

// inbox is a merchant's door: it notes what arrives and verifies, and lets the
// handler under test answer if there is one.
type inbox struct {
	server  *httptest.Server
	handler http.Handler               // the test's own; may be nil
	client  atomic.Pointer[ips.Client] // set before anything can arrive

	mu      sync.Mutex
	arrived []ips.Response
	changed chan struct{} // closed and replaced at each arrival
}

// maxInbound bounds what the inbox reads of a request; a client reads less.
const maxInbound = 16 << 20

func newInbox(handler http.Handler) *inbox {
	in := &inbox{handler: handler, changed: make(chan struct{})}
	in.server = httptest.NewServer(http.HandlerFunc(in.receive))
	return in
}

func (in *inbox) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInbound))
	if err != nil {
		http.Error(w, "too large", http.StatusBadRequest)
		return
	}
	direction, op, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	client := in.client.Load()
	parse := client.ParseNotification
	if direction == "return" {
		parse = client.ParseReturn
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := parse(again, ips.Operation(op))
	if in.handler != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		in.handler.ServeHTTP(w, r)
	} else if err != nil {
		http.Error(w, "refused", http.StatusBadRequest)
	}
	if err == nil {
		in.note(resp)
	}
}

func (in *inbox) note(resp ips.Response) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.arrived = append(in.arrived, resp)
	close(in.changed)
	in.changed = make(chan struct{})
}

func (in *inbox) list() []ips.Response {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.arrived)
}

// wait returns the first answer that matches, of those behind the first skip,
// or nil if none comes before the timer fires.
func (in *inbox) wait(skip int, timer <-chan time.Time, match func(*ips.Reply) bool) ips.Response {
	for {
		in.mu.Lock()
		behind, changed := in.arrived[skip:], in.changed
		in.mu.Unlock()
		if i := slices.IndexFunc(behind, func(r ips.Response) bool { return match(r.Base()) }); i >= 0 {
			return behind[i]
		}
		select {
		case <-changed:
		case <-timer:
			return nil
		}
	}
}

// Arrived lists the answers that came to the inbox and verified, in the order
// of their arrival, copies included.
func (s *Server) Arrived() []ips.Response { return s.inbox.list() }

// WaitNotification waits for the final server-to-server notification of an
// order, one that is not pending, and returns it: the operation's response
// type. The operation is needed because the end of a bid repeats the order
// number of its registration. It fails the test if none comes.
func (s *Server) WaitNotification(op ips.Operation, orderNo string) ips.Response {
	s.tb.Helper()
	return s.wait(0, fmt.Sprintf("the notification of %s %s", op, orderNo), func(r *ips.Reply) bool {
		return r.Via == ips.ServerToServer && r.Operation == op && r.OrderNo == orderNo && r.Outcome != ips.Pending
	})
}

func (s *Server) wait(skip int, what string, match func(*ips.Reply) bool) ips.Response {
	s.tb.Helper()
	found := s.inbox.wait(skip, time.After(patience), match)
	if found == nil {
		s.tb.Fatalf("ipstest: %s did not come", what)
	}
	return found
}

// WaitIdle waits until every notification was delivered or given up.
func (s *Server) WaitIdle() {
	s.tb.Helper()
	ctx, cancel := within()
	defer cancel()
	must(s.tb, s.sandbox.WaitDelivered(ctx))
}
