package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/ipstest"
)

const environment = `
With -base the merchant is the test merchant 808801, which every sandbox knows, or
the one of IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV; IPS_PUBLIC_KEY,
IPS_NAMESPACE, IPS_POST_URL, IPS_WS_URL and IPS_QUERY_URL as ips.ConfigFromEnv has
them. IPS_RETURN_URL and IPS_NOTIFY_URL say how browsers and IPS reach this program,
if not by the address of -listen. The users of that IPS must confirm by themselves,
as in a sandbox in auto mode, and it must take no fees of its own.
`

// world is where the story happens: an IPS, and the merchant's server that it
// calls back.
type world struct {
	cfg      ips.Config
	sandbox  *sandbox.Sandbox // nil for an IPS elsewhere
	site     *http.Server
	listener net.Listener
	browser  *browser.Browser // of all users
	answers  answers
}

// open starts a sandbox, or goes where -base says.
func open(f flags, getenv func(string) string) (*world, error) {
	w := &world{cfg: ips.TestMerchant(), browser: browser.New(nil), answers: answers{finals: make(map[orderKey]chan ips.Response), returns: make(map[orderKey]ips.Response)}}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return nil, fmt.Errorf("-listen: %w: name an address of this machine, like 127.0.0.1:9000", err)
	}
	w.site, w.listener = &http.Server{ReadTimeout: 10 * time.Second}, listener
	if err := w.find(f.base, getenv); err != nil {
		w.close()
		return nil, err
	}
	site := "http://" + listener.Addr().String()
	w.cfg.ReturnURL = cmp.Or(getenv("IPS_RETURN_URL"), site+"/ips/return")
	w.cfg.NotifyURL = cmp.Or(getenv("IPS_NOTIFY_URL"), site+"/ips/notify")
	return w, nil
}

// find decides which IPS it is.
func (w *world) find(base string, getenv func(string) string) (err error) {
	if base == "" {
		if w.sandbox, err = sandbox.New(sandbox.Config{}); err != nil {
			return err
		}
		address, err := w.sandbox.Start("")
		w.cfg.Environment = ips.Sandbox(address)
		w.cfg.Environment.Name = "sandbox in this program"
		return err
	}
	if w.cfg.Environment = ips.Sandbox(base); getenv("IPS_MERCHANT") != "" {
		w.cfg, err = ips.ConfigFromEnv(func(name string) string {
			if name == "IPS_BASE_URL" {
				return base
			}
			return getenv(name)
		})
	}
	return errors.Join(err, refuseProduction(w.cfg.Environment))
}

// refuseProduction keeps invented people and their loans away from the real
// platform.
func refuseProduction(env ips.Environment) error {
	real, err := url.Parse(ips.Production().PostBase)
	if err != nil {
		return err
	}
	for _, address := range []string{env.PostBase, env.Service, env.Query} {
		if u, err := url.Parse(address); err == nil && strings.EqualFold(u.Hostname(), real.Hostname()) {
			return fmt.Errorf("%s is the real platform: this program is for sandboxes and test environments", real.Hostname())
		}
	}
	return nil
}

// checkBooks waits until the sandbox has delivered all notifications, and
// recomputes its books. Those of an IPS elsewhere are its own business.
func (w *world) checkBooks(ctx context.Context) (string, error) {
	if w.sandbox == nil {
		return "The books are those of another IPS: only the balances could be checked.", nil
	}
	if err := w.sandbox.WaitDelivered(ctx); err != nil {
		return "", fmt.Errorf("notifications: %w", err)
	}
	if lost := w.sandbox.GivenUp(); len(lost) > 0 {
		return "", fmt.Errorf("notification of order %s was not taken", lost[0].Order)
	}
	if err := w.sandbox.CheckBooks(); err != nil {
		return "", fmt.Errorf("the sandbox's books: %w", err)
	}
	return fmt.Sprintf("The books sum to zero and hold every invariant; all %d notifications were delivered.",
		len(w.sandbox.Notifications())), nil
}

func (w *world) close() {
	_ = w.site.Close()
	_ = w.listener.Close()
	w.browser.Close()
	if w.sandbox != nil {
		_ = w.sandbox.Close()
	}
}

// orderKey is an order: numbers are unique within an operation.
type orderKey struct {
	operation ips.Operation
	orderNo   string
}

// answers is what IPS has said of each order, for those who wait for it. A
// platform has its database in this place, and nobody who waits.
type answers struct {
	mu      sync.Mutex
	once    ipstest.MemoryOnce
	returns map[orderKey]ips.Response
	finals  map[orderKey]chan ips.Response
}

// hear hears every answer once. A pending one it leaves alone: its result is to
// come.
func (a *answers) hear(ctx context.Context, answer ips.Response) error {
	return ips.Deduplicated(&a.once, func(_ context.Context, answer ips.Response) error {
		b := answer.Base()
		if b.Outcome == ips.Pending {
			return nil
		}
		select {
		case a.final(orderKey{b.Operation, b.OrderNo}) <- answer:
			return nil
		default:
			return fmt.Errorf("a second result of %s %s: %s", b.Operation, b.OrderNo, b.Code)
		}
	})(ctx, answer)
}

func (a *answers) final(k orderKey) chan ips.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finals[k] == nil {
		a.finals[k] = make(chan ips.Response, 1)
	}
	return a.finals[k]
}

func (a *answers) wait(ctx context.Context, key orderKey, patience time.Duration) (ips.Response, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case resp := <-a.final(key):
		return resp, nil
	case <-timer.C:
		return nil, &silenceError{key, patience}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// shown is the page that a user comes back to.
func (a *answers) shown(w http.ResponseWriter, _ *http.Request, answer ips.Response, err error) {
	if answer == nil || err != nil {
		http.Error(w, "请查看您的订单", http.StatusBadRequest)
		return
	}
	b := answer.Base()
	a.mu.Lock()
	a.returns[orderKey{b.Operation, b.OrderNo}] = answer
	a.mu.Unlock()
	fmt.Fprintln(w, "订单", b.OrderNo, b.Outcome)
}

// returned is what the user's browser brought back of an order. A refusal can
// come without an order number, if IPS could not read the request.
func (a *answers) returned(form *ips.Form) ips.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	if resp := a.returns[orderKey{form.Operation(), form.OrderNo()}]; resp != nil {
		return resp
	}
	return a.returns[orderKey{form.Operation(), ""}]
}

// silenceError says that a pending order was never decided.
type silenceError struct {
	orderKey
	patience time.Duration
}

func (e *silenceError) Error() string {
	return fmt.Sprintf("%s %s is pending and no notification came within %s: "+
		"can IPS reach the notify URL, and do its users answer text messages by themselves?", e.operation, e.orderNo, e.patience)
}

// pageError says that IPS shows a page instead of sending the user back.
type pageError struct {
	operation ips.Operation
	title     string
}

func (e *pageError) Error() string {
	return fmt.Sprintf("%s: IPS shows a page, %q, and does not send the user back. "+
		"Does it want a person to confirm? Then use a sandbox whose users confirm by themselves. "+
		"Could it not read the request? Then check IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV", e.operation, e.title)
}

// rowsError says which rows of a batch failed.
type rowsError struct{ failed []string }

func (e *rowsError) Error() string { return strings.Join(e.failed, "\n") }

// failedRows is the error of a batch that succeeded in part, a *rowsError: the
// order as a whole has succeeded then, and not all the money has moved.
func failedRows(resp ips.Response) error {
	var failed []string
	row := func(i int, status ips.RowStatus, message string) {
		if status != ips.RowDone {
			failed = append(failed, fmt.Sprintf("row %d: %s", i+1, message))
		}
	}
	switch r := resp.(type) {
	case *ips.TransferResponse:
		for i, result := range r.Rows {
			row(i, result.Status, result.Message)
		}
	case *ips.RepayResponse:
		for i, result := range r.Rows {
			row(i, result.Status, result.Message)
		}
	}
	if failed == nil {
		return nil
	}
	return &rowsError{failed}
}
