package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
)

// merchant is the P2P platform's side: the client, the server that IPS calls
// back, and, since there is nobody else here, the users' browser.
type merchant struct {
	*ips.Client
	browser  *browser.Browser
	answers  *answers
	server   *http.Server
	out      *printer
	patience time.Duration // with notifications
}

// newMerchant starts the callback server on the listener and gives the client
// the addresses behind which IPS and the users' browsers find it.
func newMerchant(cfg ips.Config, listener net.Listener, patience time.Duration, out *printer, opts ...ips.Option) (*merchant, error) {
	base := "http://" + listener.Addr().String()
	cfg.ReturnURL = cmp.Or(cfg.ReturnURL, base+"/ips/return")
	cfg.NotifyURL = cmp.Or(cfg.NotifyURL, base+"/ips/notify")
	client, err := ips.NewClient(cfg, opts...)
	if err != nil {
		return nil, err
	}
	m := &merchant{Client: client, browser: browser.New(nil), answers: newAnswers(), out: out, patience: patience}
	mux, err := m.callbacks(cfg)
	if err != nil {
		return nil, err
	}
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = m.server.Serve(listener) }() // ends with close
	return m, nil
}

func (m *merchant) close() {
	_ = m.server.Close()
	m.browser.Close()
}

// callbacks mounts the two handlers that every merchant needs. The client adds
// the operation to both addresses, so they are mounted as subtrees.
func (m *merchant) callbacks(cfg ips.Config) (http.Handler, error) {
	returns, err1 := url.Parse(cfg.ReturnURL)
	notifications, err2 := url.Parse(cfg.NotifyURL)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if subtree(returns) == subtree(notifications) {
		return nil, fmt.Errorf("the return URL and the notify URL have the same path, %q: give them different ones", returns.Path)
	}
	inbound := ips.Inbound{
		// A platform sets the callback of each operation, e.g.
		// Callbacks.Recharge to credit a user in its database. To this program
		// all operations are alike.
		Callbacks: ips.Callbacks{Other: m.answers.record},
		// The web return and the notification say the same; only the first of
		// them reaches the callback. Platforms implement Once in their database.
		Once:    new(ips.MemoryOnce),
		OnError: func(_ *http.Request, err error) { m.out.refused(err) },
	}
	mux := http.NewServeMux()
	mux.Handle(subtree(returns), m.ReturnHandler(inbound, m.showReturn))
	mux.Handle(subtree(notifications), m.NotifyHandler(inbound))
	return mux, nil
}

func subtree(u *url.URL) string { return strings.TrimSuffix(u.Path, "/") + "/" }

var returnPage = template.Must(template.New("return").Parse(
	`<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><title>平台</title><p>订单 {{.OrderNo}}：{{.Message}}</p></html>`))

// showReturn is what the user sees when IPS has sent him back.
func (m *merchant) showReturn(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
	if err != nil {
		http.Error(w, "not recorded yet", http.StatusInternalServerError)
		return
	}
	m.answers.seen(resp)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = returnPage.Execute(w, resp.Base()) // the browser has gone; there is nobody to tell
}

// redirect sends an operation through the user's browser and waits for its
// result: for all methods of the client that return a form.
//
// A merchant's handler would serve the form, form.ServeHTTP(w, r), and be done.
func redirect[R ips.Response, Q any](ctx context.Context, m *merchant, about string, method func(Q) (*ips.Form, error), req Q) (R, error) {
	var none R
	form, err := method(req)
	if err != nil {
		return none, err
	}
	if page, err := m.browser.Carry(ctx, form); err != nil {
		if page != nil && errors.Is(err, browser.ErrNoReturn) {
			return none, &pageError{form.Operation(), page.Title()}
		}
		return none, err
	}
	first := m.answers.returned(form.Operation(), form.OrderNo())
	if first == nil {
		return none, fmt.Errorf("%s %s: the browser came back, but not to the return URL of this order", form.Operation(), form.OrderNo())
	}
	return finish[R](ctx, m, about, first)
}

// call sends an operation from the merchant's server and waits for its result:
// for all methods of the client that take a context.
func call[R ips.Response, Q any](ctx context.Context, m *merchant, about string, method func(context.Context, Q) (R, error), req Q) (R, error) {
	first, err := method(ctx, req)
	if refusal := (*ips.Error)(nil); err != nil && !errors.As(err, &refusal) {
		return first, err
	}
	return finish[R](ctx, m, about, first)
}

// finish waits until an order that is pending is decided, and prints how it
// went. A refusal is the error; the response comes with it.
func finish[R ips.Response](ctx context.Context, m *merchant, about string, first ips.Response) (R, error) {
	var none R
	final := first
	if first.Base().Outcome == ips.Pending {
		var err error
		if final, err = m.answers.wait(ctx, first.Base(), m.patience); err != nil {
			return none, err
		}
	}
	m.out.step(about, first, final)
	resp, ok := final.(R)
	if !ok {
		return none, fmt.Errorf("%s: got a %T", first.Base().Operation, final)
	}
	return resp, errors.Join(final.Err(), failedRows(final))
}

// failedRows is the error of a batch that succeeded in part: the order as a
// whole then has, and not all the money has moved.
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

// rowsError says which rows of a batch failed.
type rowsError struct{ failed []string }

func (e *rowsError) Error() string { return strings.Join(e.failed, "\n") }

// pageError says that IPS shows a page instead of sending the user back.
type pageError struct {
	operation ips.Operation
	title     string
}

func (e *pageError) Error() string {
	return fmt.Sprintf("%s: IPS shows a page, %q, and does not send the user back. "+
		"Does it want a person to confirm? Then use a sandbox whose users confirm by themselves. "+
		"Could it not read the request? Then check IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV",
		e.operation, e.title)
}

// silenceError says that a pending order was never decided.
type silenceError struct {
	key      orderKey
	patience time.Duration
}

func (e *silenceError) Error() string {
	return fmt.Sprintf("%s %s is pending and no notification came within %s: "+
		"can IPS reach the notify URL, and do its users answer text messages by themselves?",
		e.key.operation, e.key.orderNo, e.patience)
}

// answers is what IPS has said of each order: the merchant's database.
type answers struct {
	mu      sync.Mutex
	returns map[orderKey]ips.Response
	finals  map[orderKey]chan ips.Response
}

// orderKey is an order. The end of a bid repeats the number of its
// registration, so the number alone is not enough.
type orderKey struct {
	operation ips.Operation
	orderNo   string
}

func newAnswers() *answers {
	return &answers{returns: make(map[orderKey]ips.Response), finals: make(map[orderKey]chan ips.Response)}
}

// record is the callback of every operation. It hears of a refusal too, and of
// orders that are pending, which it leaves alone: their result is to come.
func (a *answers) record(_ context.Context, resp ips.Response) error {
	b := resp.Base()
	if b.Outcome == ips.Pending {
		return nil
	}
	select {
	case a.final(orderKey{b.Operation, b.OrderNo}) <- resp:
		return nil
	default:
		return fmt.Errorf("a second result of %s %s: %s", b.Operation, b.OrderNo, b.Code)
	}
}

func (a *answers) final(k orderKey) chan ips.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finals[k] == nil {
		a.finals[k] = make(chan ips.Response, 1)
	}
	return a.finals[k]
}

func (a *answers) wait(ctx context.Context, order *ips.Reply, patience time.Duration) (ips.Response, error) {
	key := orderKey{order.Operation, order.OrderNo}
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

func (a *answers) seen(resp ips.Response) {
	b := resp.Base()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.returns[orderKey{b.Operation, b.OrderNo}] = resp
}

// returned is what the user's browser brought back of an order. A refusal can
// come without an order number, if IPS could not read the request.
func (a *answers) returned(operation ips.Operation, orderNo string) ips.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	if resp := a.returns[orderKey{operation, orderNo}]; resp != nil {
		return resp
	}
	return a.returns[orderKey{operation, ""}]
}
