package ips

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Option changes a default of [NewClient].
type Option func(*options) error

// options is what the options set.
type options struct {
	http   *http.Client
	time   time.Duration
	limits Limits
	watch  observer
	retry  RetryPolicy
	oldBid func(bidNo string) bool
}

// applied are the options that opts set, and what is wrong with any of them.
func applied(opts []Option) (o options, err error) {
	var errs []error
	for i, opt := range opts {
		if opt == nil {
			errs = append(errs, fmt.Errorf("option %d is nil", i+1))
		} else if err := opt(&o); err != nil {
			errs = append(errs, err)
		}
	}
	return o, errors.Join(errs...)
}

func (o *options) maxInbound() int64 { return cmp.Or(o.limits.Inbound, 8<<20) }

// WithHTTPClient sends through a copy of hc, e.g. for a proxy or a custom root
// certificate. The copy never follows redirects. Give many clients the same hc
// and they share its connections: a client without one opens its own.
func WithHTTPClient(hc *http.Client) Option {
	return func(o *options) error {
		if hc == nil {
			return errors.New("ips: WithHTTPClient: nil client")
		}
		o.http = hc
		return nil
	}
}

// WithTimeout limits each call, on top of the caller's context; 30 seconds by
// default.
func WithTimeout(d time.Duration) Option {
	return func(o *options) error {
		if d <= 0 {
			return fmt.Errorf("ips: WithTimeout: want more than 0, got %v", d)
		}
		o.time = d
		return nil
	}
}

// Limits bounds what is read.
type Limits struct {
	Answer  int64 // bytes of an answer to a call; 0 means 16 MiB (a transfer of 3000 rows needs about 4)
	Inbound int64 // bytes of an inbound request; 0 means 8 MiB
}

// MaxLimit is the most that [WithLimits] takes, 1 GiB.
const MaxLimit = 1 << 30

// WithLimits changes what is read at most.
func WithLimits(l Limits) Option {
	return func(o *options) error {
		if l.Answer < 0 || l.Inbound < 0 || l.Answer > MaxLimit || l.Inbound > MaxLimit {
			return fmt.Errorf("ips: WithLimits: want 0 to %d bytes, got %+v", MaxLimit, l)
		}
		o.limits = l
		return nil
	}
}

// WithHook calls hook after every form, every attempt of a call, every inbound
// answer and every request that was refused before anything was sent. It is
// called on the caller's goroutine, with the call's context, that of
// [Client.FormContext], or the inbound request's. Several hooks add up, in their
// order.
func WithHook(hook func(context.Context, Event)) Option {
	return func(o *options) error {
		if hook == nil {
			return errors.New("ips: WithHook: nil function")
		}
		o.watch.hooks = append(o.watch.hooks, hook)
		return nil
	}
}

// WithWireTap calls tap for every message that the client seals or opens, for
// debugging. Id numbers, mobile numbers, e-mail addresses and bank cards in
// the document are masked. The tap is called on the caller's goroutine, from
// several at once if the client is used so. Several taps add up.
func WithWireTap(tap func(WireMessage)) Option {
	return func(o *options) error { return o.tap(tap, false) }
}

// WithUnmaskedWireTap is [WithWireTap] without the mask: the documents hold
// personal data in full. It has no place in production.
func WithUnmaskedWireTap(tap func(WireMessage)) Option {
	return func(o *options) error { return o.tap(tap, true) }
}

func (o *options) tap(tap func(WireMessage), raw bool) error {
	if tap == nil {
		return errors.New("ips: WithWireTap: nil function")
	}
	o.watch.taps = append(o.watch.taps, wireTap{tap, raw})
	return nil
}

// WithRetry repeats calls by the policy; a wait ends early when the caller's
// context does. Without this option nothing is ever repeated.
func WithRetry(p RetryPolicy) Option {
	return func(o *options) error {
		if p.Attempts < 2 || p.Wait <= 0 || p.MaxWait < 0 || p.Budget < 0 || p.Tokens < 0 {
			return fmt.Errorf("ips: WithRetry: want at least 2 attempts, a wait of more than 0 and no negative bound, got %+v", p)
		}
		if p.MaxWait == 0 {
			p.MaxWait = 30 * time.Second
		}
		if p.Tokens == 0 {
			p.Tokens = 10
		}
		o.retry = p
		return nil
	}
}

// WithOldBids marks the bids that were made through the old interface (usage
// guide, part 三 新老系统过渡): old reports whether a bid number is one of them,
// by its form or from a set in memory; it must be safe for concurrent use. Every
// v2.0 operation on such a bid is then refused before anything is sent, with an
// [*OldBidError], and [Client.RepayOldBid] works on these bids only. Without this
// option no bid is an old one.
func WithOldBids(old func(bidNo string) bool) Option {
	return func(o *options) error {
		if old == nil {
			return errors.New("ips: WithOldBids: nil function")
		}
		o.oldBid = old
		return nil
	}
}

// NewClient checks the configuration and returns a client. It does no I/O. The
// error lists everything that is wrong.
func NewClient(cfg Config, opts ...Option) (*Client, error) {
	var errs []error
	keys, err := merchantKeys(cfg)
	if err != nil {
		errs = append(errs, err)
	}
	for _, u := range []struct {
		field, value string
		optional     bool
	}{
		{"Environment.PostBase", cfg.Environment.PostBase, false},
		{"Environment.Service", cfg.Environment.Service, false},
		{"Environment.Query", cfg.Environment.Query, false},
		{"Environment.Namespace", cfg.Environment.Namespace, false},
		{"ReturnURL", cfg.ReturnURL, true},
		{"NotifyURL", cfg.NotifyURL, true},
	} {
		if !(u.optional && u.value == "") && !absoluteURL(u.value) {
			errs = append(errs, fmt.Errorf("%s: want an absolute http or https URL without a password, got %s", u.field, shownURL(u.value)))
		}
	}
	if cfg.PublicKey != nil && cfg.PublicKey.Size() < 128 {
		errs = append(errs, fmt.Errorf("PublicKey: want at least 1024 bits, got %d", 8*cfg.PublicKey.Size()))
	}
	former, err := formerKeys(cfg)
	if err != nil {
		errs = append(errs, err)
	}
	o, err := applied(opts)
	if err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("ips: invalid configuration: %w", errors.Join(errs...))
	}
	env := cfg.Environment
	if !strings.HasSuffix(env.PostBase, "/") {
		env.PostBase += "/"
	}
	return &Client{
		seal:       sealer{keys: keys, pub: cfg.PublicKey, former: former},
		env:        env,
		returnURL:  newAddress(cfg.ReturnURL),
		notifyURL:  newAddress(cfg.NotifyURL),
		wire:       wire{http: withoutRedirects(o.http), timeout: cmp.Or(o.time, 30*time.Second), maxAnswer: cmp.Or(o.limits.Answer, 16<<20), namespace: env.Namespace},
		watch:      o.watch,
		retry:      retrier{RetryPolicy: o.retry},
		maxInbound: o.maxInbound(),
		oldBid:     o.oldBid,
		known:      catalogue,
	}, nil
}

// withoutRedirects returns a client that keeps enough idle connections to the
// one host it talks to, and never carries a signed message to another place
// than it was addressed to.
func withoutRedirects(base *http.Client) *http.Client {
	var hc http.Client
	if base != nil {
		hc = *base
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 64
		hc.Transport = t
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}
