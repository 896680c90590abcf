package ips

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Event is what the client tells of one form, one attempt of a call, or one
// inbound answer. It holds no secret and no personal data.
type Event struct {
	Operation Operation     // what was asked of IPS
	Transport Transport     // how it travels
	Via       Via           // of an inbound answer: WebReturn or ServerToServer; else 0
	OrderNo   string        // pMerBillNo, as far as known
	Attempt   int           // of a call, from 1
	Start     time.Time     // when it began
	Duration  time.Duration // until it was verified and decoded
	Sent      int           // bytes of the request's body
	Received  int           // bytes of the answer's body
	Code      Code          // of an answer
	Outcome   Outcome       // of an answer; Failure where there is none
	Err       error         // an [*Error], a [*FateUnknownError], …; nil for success and pending
}

// WithHook calls hook after every form, every attempt of a call and every
// inbound answer, also of those that fail. It is called on the caller's
// goroutine, with the call's context or the inbound request's.
func WithHook(hook func(context.Context, Event)) Option {
	return func(c *Client) error {
		if hook == nil {
			return errors.New("ips: WithHook: nil function")
		}
		c.hook = hook
		return nil
	}
}

// LogEvents is a hook that writes to l: successes and pendings at level Info,
// refusals at Warn, everything else at Error. Of a refusal it writes the code
// and not IPS's text, which may name an account.
//
//	ips.NewClient(cfg, ips.WithHook(ips.LogEvents(slog.Default())))
func LogEvents(l *slog.Logger) func(context.Context, Event) {
	return func(ctx context.Context, e Event) {
		level := slog.LevelInfo
		switch {
		case isRefusal(e.Err):
			level = slog.LevelWarn
		case e.Err != nil:
			level = slog.LevelError
		}
		if !l.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{
			slog.String("operation", string(e.Operation)),
			slog.String("order", e.OrderNo),
			slog.Duration("duration", e.Duration),
			slog.Int("sent", e.Sent),
			slog.Int("received", e.Received),
		}
		if e.Code != "" {
			attrs = append(attrs, slog.String("code", string(e.Code)), slog.String("outcome", e.Outcome.String()))
		}
		if e.Via != 0 {
			attrs = append(attrs, slog.String("via", e.Via.String()))
		}
		if e.Attempt > 1 {
			attrs = append(attrs, slog.Int("attempt", e.Attempt))
		}
		if e.Err != nil && !isRefusal(e.Err) { // IPS may name an account in a refusal's text; its code is there
			attrs = append(attrs, slog.String("err", e.Err.Error()))
		}
		l.LogAttrs(ctx, level, "ips", attrs...)
	}
}

// observe reports an attempt of a call.
func (c *Client) observe(ctx context.Context, op *OperationInfo, f *flight, attempt int, orderNo, code string, err error) {
	if c.hook == nil {
		return
	}
	e := Event{
		Operation: op.Operation, Transport: op.Transport, OrderNo: orderNo, Attempt: attempt,
		Start: f.start, Duration: time.Since(f.start), Sent: f.sent, Received: f.received, Err: err,
	}
	if code != "" && (err == nil || isRefusal(err)) { // the code was believed
		e.Code = Code(code)
		e.Outcome = op.Outcome(e.Code)
	}
	c.hook(ctx, e)
}

// observeInbound reports an inbound answer. resp is nil unless it was believed.
func (c *Client) observeInbound(ctx context.Context, op Operation, via Via, start time.Time, received int, resp Response, err error) {
	if c.hook == nil {
		return
	}
	e := Event{Operation: op, Via: via, Start: start, Duration: time.Since(start), Received: received, Err: err}
	if d := describe(op); d != nil {
		e.Transport = d.base().Transport
	}
	if resp != nil {
		base := resp.Base()
		e.OrderNo, e.Code, e.Outcome, e.Err = base.OrderNo, base.Code, base.Outcome, resp.Err()
	}
	c.hook(ctx, e)
}
