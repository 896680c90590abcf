package ips

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/codec"
)

// Event is what the client tells of one form, one attempt of a call, one inbound
// answer, or a request that was refused before any of it. It holds no secret and no personal data.
type Event struct {
	Operation Operation     // what was asked of IPS; empty if an inbound request's address names no operation
	Transport Transport     // how it travels
	Via       Via           // of an inbound answer: WebReturn or ServerToServer; else 0
	OrderNo   string        // pMerBillNo, as far as known
	Attempt   int           // of a call, from 1
	Start     time.Time     // when it began
	Duration  time.Duration // until it was verified and decoded
	Sent      int           // bytes of the request's body
	Received  int           // bytes of the answer's body; of an inbound answer those of its values
	Code      Code          // of an answer
	Outcome   Outcome       // of an answer; Undecided where there is none
	Former    bool          // of an answer: it was made with the keys of Config.Former
	Err       error         // an [*Error], a [*FateUnknownError], …; nil for success and pending
}

// LogEvents is a hook that writes to l: successes and pendings at level Info,
// refusals and inbound answers that are undecided at Warn, everything else at
// Error, but for inbound requests that are no answer of IPS, which strangers can
// send: Warn if their signature or merchant code is wrong, else Info. Of a refusal it writes the code and not IPS's text,
// which may name an account.
//
//	ips.NewClient(cfg, ips.WithHook(ips.LogEvents(slog.Default())))
func LogEvents(l *slog.Logger) func(context.Context, Event) {
	return func(ctx context.Context, e Event) {
		level := slog.LevelInfo
		switch {
		case e.Err == nil:
		case isRefusal(e.Err), e.Via != 0 && (errors.Is(e.Err, ErrSignature) || errors.Is(e.Err, ErrMerchant) || errors.Is(e.Err, ErrFateUnknown)):
			level = slog.LevelWarn
		case e.Via != 0:
		default:
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
		if e.Former {
			attrs = append(attrs, slog.Bool("former_keys", true))
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

// Direction is the way a message went.
type Direction int

// The directions, as the merchant sees them.
const (
	Sent     Direction = iota + 1 // by the client to IPS
	Received                      // from IPS, in whichever way
)

// String gives "sent" or "received".
func (d Direction) String() string { return nth(d, "unknown", "sent", "received") }

// WireMessage is one message as [WithWireTap] shows it.
type WireMessage struct {
	Operation Operation   // what the message is about
	Direction Direction   // which way it went
	Via       Via         // of a received message
	OrderNo   string      // of a sent message
	Envelope  []FormField // the fields as they go over the wire, in order
	Document  string      // the decrypted XML, "" where there is none, it could not be believed, or is no XML
	Err       error       // why a received message was refused, nil if it was not
}

const personalElements = `pIdentNo|pFromIdentNo|pToIdentNo|pFIdentNo|pMobileNo|pEmail|pBkAccNo|pBankCard`

// personalText also takes prefixes and attributes, which nobody has seen yet.
var personalText = regexp.MustCompile(`(?s)(<(?:[\w.-]+:)?(?:` + personalElements + `)(?:\s[^>]*)?>).*?(</(?:[\w.-]+:)?(?:` + personalElements + `)\s*>)`)

// observer tells the merchant's hooks and taps.
type observer struct {
	hooks []func(context.Context, Event)
	taps  []wireTap
}

type wireTap struct {
	show func(WireMessage)
	raw  bool // without the mask
}

func (o *observer) event(ctx context.Context, e Event) {
	for _, hook := range o.hooks {
		hook(ctx, e)
	}
}

// show gives a message to the taps. Its document is masked for those that want
// it so.
func (o *observer) show(m WireMessage) {
	document := m.Document
	for _, tap := range o.taps {
		if m.Document = document; !tap.raw {
			m.Document = masked(document)
		}
		tap.show(m)
	}
}

func masked(document string) string {
	if strings.HasPrefix(document, "\xFF\xFE") || strings.HasPrefix(document, "\xFE\xFF") {
		return "(UTF-16, not shown)" // the pattern would find nothing to mask
	}
	return personalText.ReplaceAllString(document, "${1}***${2}")
}

// sent shows a message that is sealed, or a query, which has no document. The
// account that it asks for is the caller's own argument.
func (o *observer) sent(op *operation, orderNo string, fields []FormField, document []byte) {
	o.show(WireMessage{Operation: op.Operation, Direction: Sent, OrderNo: orderNo, Envelope: fields, Document: string(document)})
}

func (o *observer) received(op *operation, via Via, document string, a answer, err error) {
	if len(o.taps) == 0 {
		return
	}
	if err != nil { // in what is no XML the mask could miss what it is there for
		if _, broken := codec.Elements(document); broken != nil {
			document = ""
		}
	}
	var fields []FormField
	for _, name := range answerFields {
		fields = append(fields, FormField{name, *a.field(name)})
	}
	o.show(WireMessage{Operation: op.Operation, Direction: Received, Via: via, Envelope: fields, Document: document, Err: err})
}

// isRefusal reports whether err is a refusal that says what became of the order.
func isRefusal(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && !errors.Is(err, ErrFateUnknown)
}
