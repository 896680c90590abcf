package ips

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
			continue
		}
		errs = append(errs, opt(&o))
	}
	return o, errors.Join(errs...)
}

func (o *options) maxInbound() int64 { return cmp.Or(o.limits.Inbound, 8<<20) }

// option is an option that is legal or the error says why not.
func option(legal bool, wrong string, set func(*options)) Option {
	return func(o *options) error {
		if !legal {
			return errors.New("ips: " + wrong)
		}
		set(o)
		return nil
	}
}

// WithHTTPClient sends through a copy of hc, e.g. for a proxy or a custom root
// certificate. The copy never follows redirects. Give many clients the same hc
// and they share its connections: a client without one opens its own.
func WithHTTPClient(hc *http.Client) Option {
	return option(hc != nil, "WithHTTPClient: nil client", func(o *options) { o.http = hc })
}

// WithTimeout limits each call, on top of the caller's context; 30 seconds by
// default.
func WithTimeout(d time.Duration) Option {
	return option(d > 0, fmt.Sprintf("WithTimeout: want more than 0, got %v", d), func(o *options) { o.time = d })
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
	return option(min(l.Answer, l.Inbound) >= 0 && max(l.Answer, l.Inbound) <= MaxLimit,
		fmt.Sprintf("WithLimits: want 0 to %d bytes, got %+v", MaxLimit, l), func(o *options) { o.limits = l })
}

// WithHook calls hook after every form, every attempt of a call, every inbound
// answer and every request that was refused before anything was sent. It is
// called on the caller's goroutine, with the call's context, that of
// [Client.FormContext], or the inbound request's. Several hooks add up, in their
// order.
func WithHook(hook func(context.Context, Event)) Option {
	return option(hook != nil, "WithHook: nil function", func(o *options) { o.watch.hooks = append(o.watch.hooks, hook) })
}

// WithWireTap calls tap for every message that the client seals or opens, for
// debugging. Id numbers, mobile numbers, e-mail addresses and bank cards in
// the document are masked. The tap is called on the caller's goroutine, from
// several at once if the client is used so. Several taps add up.
func WithWireTap(tap func(WireMessage)) Option { return withTap("WithWireTap", wireTap{show: tap}) }

// WithUnmaskedWireTap is [WithWireTap] without the mask: the documents hold
// personal data in full. It has no place in production.
func WithUnmaskedWireTap(tap func(WireMessage)) Option {
	return withTap("WithUnmaskedWireTap", wireTap{show: tap, raw: true})
}

func withTap(name string, tap wireTap) Option {
	return option(tap.show != nil, name+": nil function", func(o *options) { o.watch.taps = append(o.watch.taps, tap) })
}

// WithRetry repeats calls by the policy; a wait ends early when the caller's
// context does. Without this option nothing is ever repeated.
func WithRetry(p RetryPolicy) Option {
	return option(p.Attempts >= 2 && p.Wait > 0 && p.MaxWait >= 0 && p.Budget >= 0 && p.Tokens >= 0,
		fmt.Sprintf("WithRetry: want at least 2 attempts, a wait of more than 0 and no negative bound, got %+v", p), func(o *options) {
			o.retry = p
			o.retry.MaxWait, o.retry.Tokens = cmp.Or(p.MaxWait, 30*time.Second), cmp.Or(p.Tokens, 10)
		})
}

// WithOldBids marks the bids that were made through the old interface (usage
// guide, part 三 新老系统过渡): old reports whether a bid number is one of them,
// by its form or from a set in memory; it must be safe for concurrent use. Every
// v2.0 operation on such a bid is then refused before anything is sent, with an
// [*OldBidError], and [Client.RepayOldBid] works on these bids only. Without this
// option no bid is an old one.
func WithOldBids(old func(bidNo string) bool) Option {
	return option(old != nil, "WithOldBids: nil function", func(o *options) { o.oldBid = old })
}

// NewClient checks the configuration and returns a client. It does no I/O. The
// error lists everything that is wrong.
func NewClient(cfg Config, opts ...Option) (*Client, error) {
	keys, wrongKeys := merchantKeys(cfg)
	former, wrongFormer := formerKeys(cfg)
	errs := []error{wrongKeys, wrongFormer}
	env := cfg.Environment
	for _, u := range [][2]string{
		{"Environment.PostBase", env.PostBase}, {"Environment.Service", env.Service}, {"Environment.Query", env.Query},
		{"Environment.Namespace", env.Namespace}, {"ReturnURL", cfg.ReturnURL}, {"NotifyURL", cfg.NotifyURL},
	} {
		if optional := strings.HasSuffix(u[0], "URL"); !(optional && u[1] == "") && !absoluteURL(u[1]) {
			errs = append(errs, fmt.Errorf("%s: want an absolute http or https URL without a password, got %s", u[0], shownURL(u[1])))
		}
	}
	if cfg.PublicKey != nil && cfg.PublicKey.Size() < 128 {
		errs = append(errs, fmt.Errorf("PublicKey: want at least 1024 bits, got %d", 8*cfg.PublicKey.Size()))
	}
	o, err := applied(opts)
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("ips: invalid configuration: %w", err)
	}
	if !strings.HasSuffix(env.PostBase, "/") {
		env.PostBase += "/"
	}
	return &Client{
		seal:       sealer{keys: keys, pub: cfg.PublicKey, former: former},
		env:        env,
		returnURL:  callbacks(cfg.ReturnURL),
		notifyURL:  callbacks(cfg.NotifyURL),
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

// callbacks makes the callback addresses of one kind, by operation, of a base that
// NewClient has checked.
func callbacks(base string) map[Operation]string {
	u, err := url.Parse(base)
	if base == "" || err != nil {
		return nil
	}
	all := map[Operation]string{}
	u.Fragment, u.RawFragment = "", ""
	for _, op := range catalogue {
		all[op.Operation] = u.JoinPath(string(op.Operation)).String()
	}
	return all
}
