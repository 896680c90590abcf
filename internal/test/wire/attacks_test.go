package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
)

// attack is what a stranger, or a user with his own browser, sends to the
// merchant, byte by byte, and what becomes of it. It comes to a shop (below)
// where one recharge of 李四 and one of 王五 are recorded.
type attack struct {
	name string
	gets verdict
	err  error // what OnError hears, if anything

	raw    string            // the bytes on the connection
	config func(*ips.Config) // of the merchant, where it is not the test merchant
	before []string          // what genuinely came before, in full requests
	after  []int             // statuses of answers behind the first one, for requests that hide others
	copies int               // how often it is sent at once; 0 is 1

	trickle  bool          // byte by byte, with pauses
	cut      bool          // nothing more is to come, as the server can see
	patience time.Duration // the server's read time-out, where it matters
	only     ips.Via       // for attacks on one handler; 0 is both
	location string        // where the user is sent
}

// verdict is what an attack gets. Doc is its name in docs/attacks.md.
type verdict struct {
	doc          string
	notify, page response
	calls        int // how often the callback ran
}

type response struct {
	status int // 0: the connection was closed without an answer
	body   string
}

const (
	pleaseLogIn  = "please log in\n"              // what the shop shows to anybody but the order's owner
	lookAtOrders = "please look at your orders\n" // what it shows for what is no answer
)

var (
	// The SDK does not believe it.
	refused = verdict{"refused", response{400, "refused\n"}, response{400, lookAtOrders}, 0}
	// It is genuine, and the callback hears of it.
	heard = verdict{"heard", response{200, "OK\n"}, response{200, pleaseLogIn}, 1}
	// It is genuine and has been heard before.
	known = verdict{"known", response{200, "OK\n"}, response{200, pleaseLogIn}, 0}
	// It is genuine, and the callback finds that it does not fit the order.
	denied = verdict{"denied", response{500, "not handled\n"}, response{200, "we are checking\n"}, 1}
	// It is genuine, and no callback takes it.
	unheard = verdict{"unheard", response{501, "not heard\n"}, response{200, "we are checking\n"}, 1}
	// The server cannot read it, and the handler never sees it.
	hungUp = verdict{"hung up", response{}, response{}, 0}
)

// byServer is an answer of net/http itself, before any handler.
func byServer(status int) verdict {
	return verdict{fmt.Sprintf("%d by net/http", status), response{status: status}, response{status: status}, 0}
}

// ending is what the orders have come to.
type ending struct {
	state    ips.OrderState
	credited map[string]ips.Amount // by account
}

var (
	// What every attack must leave behind, after the genuine answer that follows.
	paidOnce     = ending{ips.OrderDone, map[string]ips.Amount{liSi: 3050 * ips.Yuan}}
	errNotTheSum = errors.New("the order is about another sum or account")
	errNoOrder   = errors.New("no such order")
)

const (
	liSi   = "4021000000000002"
	wangWu = "4021000000000003"
)

// shop is a merchant as he should be: he records orders first, compares what an
// answer says with them, and lets OrderState and Once decide what is news.
type shop struct {
	once ipstest.MemoryOnce

	mu       sync.Mutex
	orders   map[string]*shopOrder
	credited map[string]ips.Amount
	calls    int
	errs     []error
}

type shopOrder struct {
	account string
	amount  ips.Amount
	state   ips.OrderState
}

func newShop() *shop {
	return &shop{
		orders: map[string]*shopOrder{
			"R20141213000001": {liSi, 3050 * ips.Yuan, ips.OrderRecorded},
			"R20141213000002": {wangWu, 100 * ips.Yuan, ips.OrderRecorded},
		},
		credited: map[string]ips.Amount{},
	}
}

func (s *shop) inbound() ips.Inbound {
	return ips.Inbound{
		Hear: ips.Deduplicated(&s.once, s.hear),
		OnError: func(_ *http.Request, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.errs = append(s.errs, err)
		},
	}
}

func (s *shop) hear(_ context.Context, answer ips.Response) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	a, ok := answer.(*ips.RechargeResponse)
	if !ok {
		switch answer.(type) {
		case *ips.CreditorResponse, *ips.RepayOldBidResponse:
			return nil
		default:
			return ips.ErrUnheard
		}
	}
	if a.OrderNo == "" {
		return nil // a refusal that is about no order changes none
	}
	o := s.orders[a.OrderNo]
	switch {
	case o == nil:
		return errNoOrder
	case a.Outcome != ips.Failure && (a.Account != o.account || a.Amount != o.amount):
		return errNotTheSum
	}
	next, change, err := o.state.Next(&a.Reply)
	if err != nil {
		return err
	}
	o.state = next
	if change != ips.Unchanged && next == ips.OrderDone {
		s.credited[o.account] += o.amount
	}
	return nil
}

// page answers a browser. Who it is, his own session says and never what he
// brings along; where he goes, the shop says.
func (s *shop) page(w http.ResponseWriter, r *http.Request, resp ips.Response, err error) {
	if resp == nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, lookAtOrders)
		return
	}
	s.mu.Lock()
	o := s.orders[resp.Base().OrderNo]
	s.mu.Unlock()
	session, cookieErr := r.Cookie("session")
	switch {
	case err != nil:
		_, _ = io.WriteString(w, "we are checking\n")
	case o == nil || cookieErr != nil || session.Value != "of "+o.account:
		_, _ = io.WriteString(w, pleaseLogIn)
	default:
		w.Header().Set("Location", "/orders/"+url.PathEscape(resp.Base().OrderNo))
		w.WriteHeader(http.StatusSeeOther)
	}
}

// ended is what the shop has come to.
func (s *shop) ended() ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ending{s.orders["R20141213000001"].state, s.credited}
}

// TestAttacks sends every attack to both handlers, on a server and connections
// of its own, and then the genuine answer, which must still do its work, once.
func TestAttacks(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, group := range attackGroups(t) {
		for _, a := range group.attacks {
			require.False(t, names[a.name], "two attacks named %q", a.name)
			names[a.name] = true
			for _, via := range []ips.Via{ips.ServerToServer, ips.WebReturn} {
				if a.only != 0 && a.only != via {
					continue
				}
				t.Run(group.title+"/"+a.name+"/"+via.String(), func(t *testing.T) {
					t.Parallel()
					a.run(t, via)
				})
			}
		}
	}
	assert.GreaterOrEqual(t, len(names), 90)
}

func (a *attack) run(t *testing.T, via ips.Via) {
	cfg := fixture.Config()
	if a.config != nil {
		a.config(&cfg)
	}
	client, err := ips.NewClient(cfg)
	require.NoError(t, err)
	s := newShop()
	h, want := client.NotifyHandler(s.inbound()), a.gets.notify
	if via == ips.WebReturn {
		h, want = client.ReturnHandler(s.inbound(), s.page), a.gets.page
	}
	if a.location != "" && want.status == http.StatusOK {
		want = response{status: http.StatusSeeOther}
	}
	mux := http.NewServeMux()
	mux.Handle("/ips/", h)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ReadTimeout = 20 * time.Second
	if a.patience != 0 {
		server.Config.ReadTimeout = a.patience
	}
	server.Config.ErrorLog = fixture.DiscardLog()
	server.Start()
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()

	for _, genuine := range a.before {
		got := send(t, address, &attack{raw: genuine})
		require.Len(t, got, 1)
		require.Equal(t, http.StatusOK, got[0].StatusCode, "what came before")
	}
	s.mu.Lock()
	s.calls, s.errs = 0, nil
	s.mu.Unlock()

	var wg sync.WaitGroup
	for range max(a.copies, 1) {
		wg.Go(func() { a.check(t, want, send(t, address, a)) })
	}
	wg.Wait()
	s.mu.Lock()
	assert.Equal(t, a.gets.calls, s.calls, "how often the callback ran")
	if a.err == nil {
		assert.Empty(t, s.errs)
	} else if assert.Len(t, s.errs, 1) {
		assert.ErrorIs(t, s.errs[0], a.err)
		assert.NotContains(t, s.errs[0].Error(), cfg.Cert.Reveal())
		assert.NotContains(t, s.errs[0].Error(), "110101199001010002")
	}
	s.mu.Unlock()

	for range 2 {
		serve(h, success(t, cfg).Inbound(ips.OpRecharge)) // not over a server as impatient as the attack needs
	}
	assert.Equal(t, paidOnce, s.ended())
}

// check compares the answers on one connection with what was wanted.
func (a *attack) check(t *testing.T, want response, got []*http.Response) {
	if want.status == 0 {
		assert.Empty(t, got, "answered")
		return
	}
	if !assert.Len(t, got, 1+len(a.after), "answers") {
		return
	}
	for i, status := range a.after {
		assert.Equal(t, status, got[1+i].StatusCode)
	}
	first := got[0]
	assert.Equal(t, want.status, first.StatusCode)
	assert.Empty(t, first.Header.Values("Set-Cookie"), "an answer of IPS logs nobody in")
	assert.Equal(t, a.location, first.Header.Get("Location"))
	body, err := io.ReadAll(first.Body)
	assert.NoError(t, err)
	if want.body != "" && first.Request.Method != http.MethodHead {
		assert.Equal(t, want.body, string(body))
	}
}

// send writes an attack to a connection of its own and reads all answers.
func send(t *testing.T, address string, a *attack) []*http.Response {
	conn, err := net.Dial("tcp", address)
	if !assert.NoError(t, err) {
		return nil
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	// Writing goes on while the answer is read: a server that has heard enough
	// answers and hangs up.
	go func() {
		if a.trickle {
			for i := range len(a.raw) {
				if _, err := io.WriteString(conn, a.raw[i:i+1]); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		} else if _, err := io.WriteString(conn, a.raw); err != nil {
			return
		}
		if a.cut { // net/http takes it for a client who went away, too
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	method, _, _ := strings.Cut(a.raw, " ")
	var all []*http.Response
	in := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return all
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		// A server that hangs up on somebody who is still writing resets the
		// connection; the head of its answer has arrived by then.
		if !errors.Is(err, syscall.ECONNRESET) {
			assert.NoError(t, err)
		}
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		all = append(all, resp)
	}
}

// TestAttacksDocumented keeps docs/attacks.md in step with the attacks: its
// tables have exactly their rows. With -update it writes them.
func TestAttacksDocumented(t *testing.T) {
	t.Parallel()
	file := "../../../docs/attacks.md"
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	groups := attackGroups(t)
	rows := map[string][]string{}
	count := 0
	for _, g := range groups {
		for _, a := range g.attacks {
			rows[g.title] = append(rows[g.title], fmt.Sprintf("| %s | %s |", a.name, a.gets.doc))
			count++
		}
	}
	var want, titles []string
	for _, line := range strings.Split(string(raw), "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			titles = append(titles, title)
		}
		if len(titles) > 0 && rows[titles[len(titles)-1]] != nil && strings.HasPrefix(line, "| ") && line != "| attack | gets |" {
			continue // a row; the right ones come below the head
		}
		want = append(want, line)
		if line == "|---|---|" && len(titles) > 0 {
			want = append(want, rows[titles[len(titles)-1]]...)
		}
	}
	text := strings.Join(want, "\n")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	} else {
		require.Equal(t, text, string(raw), "run go test ./internal/test/wire -run TestAttacksDocumented -update")
	}
	for _, g := range groups {
		assert.True(t, slices.Contains(titles, g.title), "docs/attacks.md has no section %q", g.title)
		assert.True(t, strings.Contains(text, rows[g.title][0]), "section %q has no table", g.title)
	}
	assert.True(t, strings.Contains(text, fmt.Sprintf(" %d attacks", count)), "docs/attacks.md should speak of %d attacks", count)
}
