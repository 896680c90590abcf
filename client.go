package ips

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/soap"
)

// Client talks to IPS for one merchant. It never changes after [NewClient], is
// safe for concurrent use, starts no goroutines and logs nothing; use one per
// merchant for the life of the program.
//
// Methods that return a [*Form] do no I/O. Methods that take a context send at
// once; they return
//
//   - a [*ValidationError] if the request breaks the contract: nothing was sent;
//   - an [*Error] if IPS refused: nothing was done. The response comes with it;
//   - a [*FateUnknownError] if it cannot be known whether IPS did it;
//   - another error if the request certainly never reached IPS's business, e.g.
//     because no connection could be made.
//
// A nil error means success or pending: look at the response's Outcome.
type Client struct {
	seal       sealer
	env        Environment
	returnURLs map[Operation]string // defaults of pWebUrl
	notifyURLs map[Operation]string // defaults of pS2SUrl
	http       *http.Client
	timeout    time.Duration
	maxAnswer  int64
	maxInbound int64
	tap        func(WireMessage)
	tapRaw     bool
	hook       func(context.Context, Event)
	retry      RetryPolicy
	oldBid     func(bidNo string) bool
}

// Option changes a default of [NewClient].
type Option func(*Client) error

// WithHTTPClient sends through a copy of hc, e.g. for a proxy or a custom root
// certificate. The copy never follows redirects.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *Client) error {
		if hc == nil {
			return errors.New("ips: WithHTTPClient: nil client")
		}
		c.http = hc
		return nil
	}
}

// WithTimeout limits each call, on top of the caller's context; 30 seconds by
// default.
func WithTimeout(d time.Duration) Option {
	return func(c *Client) error {
		if d <= 0 {
			return fmt.Errorf("ips: WithTimeout: want more than 0, got %v", d)
		}
		c.timeout = d
		return nil
	}
}

// WithLimits bounds the bytes that are read of an answer to a call (16 MiB by
// default; a transfer of 3000 rows needs about 4) and of an inbound request
// (8 MiB).
func WithLimits(answer, inbound int64) Option {
	return func(c *Client) error {
		if answer <= 0 || inbound <= 0 {
			return fmt.Errorf("ips: WithLimits: want more than 0, got %d and %d", answer, inbound)
		}
		c.maxAnswer, c.maxInbound = answer, inbound
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
	c := &Client{
		seal:       sealer{keys: keys, pub: cfg.PublicKey, former: former},
		env:        cfg.Environment,
		returnURLs: callbackURLs(cfg.ReturnURL),
		notifyURLs: callbackURLs(cfg.NotifyURL),
		timeout:    30 * time.Second,
		maxAnswer:  16 << 20,
		maxInbound: 8 << 20,
	}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("ips: invalid configuration: %w", errors.Join(errs...))
	}
	if !strings.HasSuffix(c.env.PostBase, "/") {
		c.env.PostBase += "/"
	}
	c.http = withoutRedirects(c.http)
	return c, nil
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

// Environment is where the client sends.
func (c *Client) Environment() Environment { return c.env }

// CloseIdleConnections lets go of connections that wait for the next call. With
// [WithHTTPClient] they are that client's too.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// MerchantCode is the merchant that the client speaks for.
func (c *Client) MerchantCode() string { return c.seal.keys.MerCode() }

// String names the merchant and the environment and nothing secret.
func (c *Client) String() string {
	return fmt.Sprintf("ips.Client{%s at %s}", c.MerchantCode(), c.env.Name)
}

// Format prints String whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// redirect is the front door of the operations that go through the browser.
func redirect[Q any, R Response](c *Client, op *operation[Q, R], req Q) (*Form, error) {
	start := time.Now()
	form, err := newForm(c, op, &req)
	if err != nil {
		return nil, err
	}
	c.observe(context.Background(), &op.OperationInfo, &flight{start: start}, 0, form.orderNo, "", nil)
	return form, nil
}

// post is the front door of the operations whose form the server posts.
func post[Q any, R Response](ctx context.Context, c *Client, op *operation[Q, R], req Q) (R, error) {
	form, err := newForm(c, op, &req)
	if err != nil {
		var none R
		return none, err
	}
	body := []byte(form.Values().Encode())
	return exchange(ctx, c, op, form.orderNo, func(f *flight) (answer, error) {
		page, contentType, err := c.send(ctx, f, call{
			url:         form.action,
			contentType: "application/x-www-form-urlencoded",
			body:        body,
		})
		if err != nil {
			return answer{}, err
		}
		return returnForm(page, contentType)
	})
}

// callService is the front door of the web service.
func callService[Q any, R Response](ctx context.Context, c *Client, op *operation[Q, R], req Q) (R, error) {
	var none R
	message, orderNo, err := prepare(c, op, &req)
	if err != nil {
		return none, err
	}
	names := envelopeNames(op.ArgNames)
	params := []soap.Param{
		{Name: names[0], Value: message.merCode},
		{Name: names[1], Value: message.body},
		{Name: names[2], Value: message.sign},
	}
	return exchange(ctx, c, op, orderNo, func(f *flight) (answer, error) {
		result, err := c.soap(ctx, f, c.env.Service, op.Endpoint, params)
		if err != nil {
			return answer{}, err
		}
		return resultAnswer(result)
	})
}

// exchange sends a request, again if the client's policy says so, and turns the
// answer into its response. From the moment of sending, an answer that cannot
// be believed leaves the order's fate unknown.
func exchange[Q any, R Response](ctx context.Context, c *Client, op *operation[Q, R], orderNo string, send func(*flight) (answer, error)) (R, error) {
	return repeat(ctx, c.retry, &op.OperationInfo, orderNo, func(attempt int) (R, error) {
		f := flight{start: time.Now()}
		var resp R
		a, err := send(&f)
		if err == nil {
			resp, err = receive(c, op, a, orderNo)
		}
		if err != nil && !isRefusal(err) {
			var none R
			resp, err = none, c.fate(&op.OperationInfo, orderNo, err)
		}
		c.observe(ctx, &op.OperationInfo, &f, attempt, orderNo, a.errCode, err)
		return resp, err
	})
}

// receive verifies the answer to a call and checks that it is about the order.
func receive[Q any, R Response](c *Client, op *operation[Q, R], a answer, orderNo string) (R, error) {
	resp := op.newResponse()
	if err := c.open(op, a, Synchronous, resp); err != nil {
		return resp, err
	}
	base := resp.Base()
	switch base.OrderNo {
	case orderNo:
	case "": // a refusal: anything better names its order
		if !c.env.trusted(op.Transport) {
			return resp, fmt.Errorf("refused with %s, but the answer names no order, and over plain HTTP anybody can send an old one", base.Code)
		}
		base.OrderNo = orderNo
	default:
		return resp, fmt.Errorf("%w: it is about order %.40q", ErrOperation, base.OrderNo)
	}
	return resp, resp.Err()
}

func isRefusal(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal)
}

// ask is the front door of the queries. They are not encrypted, and their
// answers' signature is not documented well enough to insist on (our choice):
// it is checked, and reported, as MD5 over the texts of all elements before
// pSign, in their order, and the cert.
func ask[Q any, R Response](ctx context.Context, c *Client, op *operation[Q, R], req Q, service string) (resp R, verified bool, err error) {
	var none R
	if err := planOf(reflect.TypeFor[Q]()).validate(op.Operation, &req); err != nil {
		return none, false, err
	}
	params := c.queryParams(&req)
	c.tapQuery(&op.OperationInfo, params)
	resp, err = repeat(ctx, c.retry, &op.OperationInfo, "", func(attempt int) (R, error) {
		f := flight{start: time.Now()}
		resp := op.newResponse()
		result, err := c.soap(ctx, &f, service, op.Endpoint, params)
		if err == nil {
			verified, err = c.openQuery(op, result, resp)
		}
		if err == nil {
			err = resp.Err()
		}
		code := string(resp.Base().Code)
		if err != nil && !isRefusal(err) {
			resp, err = none, c.fate(&op.OperationInfo, "", err)
		}
		c.observe(ctx, &op.OperationInfo, &f, attempt, "", code, err)
		return resp, err
	})
	return resp, verified, err
}
