package demo

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/ipstest"
)

// Merchant is the P2P platform's side of a program: the client, the server that
// IPS calls back, and, since there is nobody else here, the users' browser.
type Merchant struct {
	Client *ips.Client
	Orders *Orders

	browser  *browser.Browser
	answers  *answers
	patience time.Duration
	stop     func() // the callback server
	world    *World // if it goes with the merchant
}

// Start opens a [World] and a [Merchant] in it, who keeps his orders in the table
// and whose handler hears every answer of IPS once, and says on out where it is.
func Start(getenv func(string) string, out *log.Logger, orders *Orders, hear ips.Handler) (*Merchant, error) {
	w, err := Open(getenv)
	if err != nil {
		return nil, err
	}
	m, err := w.NewMerchant(Settings{
		Orders:   orders,
		Hear:     hear,
		Patience: patience,
		OnError:  func(err error) { out.Printf("refused: %v", err) },
	})
	if err != nil {
		w.Close()
		return nil, err
	}
	m.world = w
	out.Printf("IPS is the %s, the merchant %s", w.Config.Environment.Name, w.Config.MerchantCode)
	return m, nil
}

// patience is for an IPS elsewhere; the sandbox answers at once.
const patience = 30 * time.Second

// Settings set up a [Merchant].
type Settings struct {
	Orders   *Orders       // nil for a new table
	Hear     ips.Handler   // nil for Orders.Hear
	Patience time.Duration // with notifications
	OnError  func(error)   // hears of answers that were not taken
	Options  []ips.Option
}

// NewMerchant starts the callback server on the listener. The World must be
// closed after it.
func (w *World) NewMerchant(s Settings) (*Merchant, error) {
	client, err := ips.NewClient(w.Config, s.Options...)
	if err != nil {
		return nil, err
	}
	if s.Orders == nil {
		s.Orders = new(Orders)
	}
	if s.Hear == nil {
		s.Hear = func(_ context.Context, answer ips.Response) error {
			_, err := s.Orders.Hear(answer)
			return err
		}
	}
	m := &Merchant{Client: client, Orders: s.Orders, browser: browser.New(nil), answers: newAnswers(), patience: s.Patience}
	m.stop = w.Serve(m.handler(w, s))
	return m, nil
}

// Close stops the callback server, and the World of [Start].
func (m *Merchant) Close() {
	m.stop()
	m.browser.Close()
	if m.world != nil {
		m.world.Close()
	}
}

// handler mounts the two handlers that every merchant needs.
func (m *Merchant) handler(w *World, s Settings) http.Handler {
	inbound := ips.Inbound{
		// The web return and the notification say the same; only the first of
		// them is heard. Platforms implement Once in their database.
		Hear:    ips.Deduplicated(new(ipstest.MemoryOnce), m.answers.around(s.Hear)),
		OnError: func(_ *http.Request, err error) { s.OnError(err) },
	}
	mux := http.NewServeMux()
	mux.Handle(w.ReturnPath, m.Client.ReturnHandler(inbound, m.showReturn))
	mux.Handle(w.NotifyPath, m.Client.NotifyHandler(inbound))
	return mux
}

var returnPage = template.Must(template.New("return").Parse(
	`<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><title>平台</title><p>订单 {{.OrderNo}}：{{.Message}}</p></html>`))

// showReturn is what the user sees when IPS has sent him back.
func (m *Merchant) showReturn(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
	switch {
	case resp == nil:
		http.Error(w, "请到“我的订单”查看结果", http.StatusBadRequest)
		return
	case err != nil:
		http.Error(w, "not recorded yet", http.StatusInternalServerError)
		return
	}
	m.answers.seen(resp)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = returnPage.Execute(w, resp.Base()) // the browser has gone; there is nobody to tell
}

// Visit sends the user's browser to IPS with a form, where he confirms, and
// waits until the order is decided and the handler has heard of it. Its error
// is an *ips.Error if IPS refused, a *[RowsError] if it refused a part.
//
// In a platform a handler answers the user's click with the form,
//
//	form.ServeHTTP(w, r)
//
// and is done: there is nothing to wait for. See examples/openaccount.
func (m *Merchant) Visit(ctx context.Context, form *ips.Form) error {
	_, err := m.decided(ctx, form)
	return err
}

func (m *Merchant) decided(ctx context.Context, form *ips.Form) (ips.Response, error) {
	resp, err := m.Carry(ctx, form)
	if err == nil && resp.Base().Outcome == ips.Pending {
		resp, err = m.Final(ctx, form.Operation(), form.OrderNo())
	}
	if err != nil {
		return nil, err
	}
	return resp, errors.Join(resp.Err(), FailedRows(resp))
}

// Wait waits until an order is decided and the handler has heard of it. Its
// errors are those of Visit.
func (m *Merchant) Wait(ctx context.Context, op ips.Operation, orderNo string) error {
	final, err := m.Final(ctx, op, orderNo)
	if err != nil {
		return err
	}
	return errors.Join(final.Err(), FailedRows(final))
}

// Carry sends the user's browser to IPS with a form, and returns the answer that
// it brings back. The answer may be a refusal or pending, which is no error.
func (m *Merchant) Carry(ctx context.Context, form *ips.Form) (ips.Response, error) {
	if page, err := m.browser.Carry(ctx, form); err != nil {
		if page != nil && errors.Is(err, browser.ErrNoReturn) {
			return nil, &PageError{form.Operation(), page.Title()}
		}
		return nil, err
	}
	resp := m.answers.returned(form.Operation(), form.OrderNo())
	if resp == nil {
		return nil, fmt.Errorf("%s %s: the browser came back, but not to the return URL of this order", form.Operation(), form.OrderNo())
	}
	return resp, nil
}

// Final waits for the answer that decides an order, and returns it once the
// handler has heard of it. It may be a refusal, which is no error.
func (m *Merchant) Final(ctx context.Context, op ips.Operation, orderNo string) (ips.Response, error) {
	return m.answers.wait(ctx, orderKey{op, orderNo}, m.patience)
}

// PageError says that IPS shows a page instead of sending the user back.
type PageError struct {
	Operation ips.Operation
	Title     string
}

// Error says what the page may want.
func (e *PageError) Error() string {
	return fmt.Sprintf("%s: IPS shows a page, %q, and does not send the user back. "+
		"Does it want a person to confirm? Then use a sandbox whose users confirm by themselves. "+
		"Could it not read the request? Then check IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV",
		e.Operation, e.Title)
}

// SilenceError says that a pending order was never decided.
type SilenceError struct {
	Operation ips.Operation
	OrderNo   string
	Patience  time.Duration
}

// Error says what may be in the way.
func (e *SilenceError) Error() string {
	return fmt.Sprintf("%s %s is pending and no notification came within %s: "+
		"can IPS reach the notify URL, and do its users answer text messages by themselves?",
		e.Operation, e.OrderNo, e.Patience)
}
