package ips

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/soap"
)

// Config is what a [Client] must know of its merchant. All secrets come from
// IPS. A Config prints without its secrets under every verb, in log/slog and
// as JSON; within a struct of yours keep it in an exported field, since package
// fmt does not let it hide itself in an unexported one.
type Config struct {
	MerchantCode string `json:"merchant_code"` // 商户号, 6 digits
	Cert         string `json:"-"`             // MD5 证书, 128 ASCII characters
	Key          string `json:"-"`             // 3DES key, 24 ASCII characters
	IV           string `json:"-"`             // 3DES IV, 8 ASCII characters

	// PublicKey is for merchants whose answers IPS signs in MD5withRSA mode;
	// see [ParsePublicKey]. Nil means MD5 mode.
	PublicKey *rsa.PublicKey `json:"-"`

	// Former is for the time after IPS issued new secrets: answers made with the
	// former ones are still taken for a while. Nil is the normal case.
	Former *FormerKeys `json:"-"`

	// Environment is where IPS answers: [Production], [VendorTest], or
	// [EnvironmentAt] for a sandbox.
	Environment Environment `json:"environment"`

	// ReturnURL and NotifyURL are the bases of pWebUrl and pS2SUrl for requests
	// that name none: the operation is added as the last segment of the path,
	// as in https://p2p.example.com/ips/notify/open-account, so that
	// [Client.NotifyHandler] knows what an answer is about. Absolute, or empty
	// if every request names its own.
	ReturnURL string `json:"return_url"`
	NotifyURL string `json:"notify_url"`
}

// TestMerchant is the Config of the one test merchant that the vendor
// published with its demo (808801), without an environment and URLs. The
// sandbox knows it.
func TestMerchant() Config {
	return Config{
		MerchantCode: "808801",
		Cert:         "GPhKt7sh4dxQQZZkINGFtefRKNPyAj8S00cgAwtRyy0ufD7alNC28xCBKpa6IU7u54zzWSAv4PqUDKMgpOnM7fucO1wuwMi4RgPAnietmqYIhHXZ3TqTGKNzkxA55qYH",
		Key:          "ICHuQplJ0YR9l7XeVNKi6FMn",
		IV:           "2EDxsEfp",
	}
}

// String gives the configuration without secrets.
func (c Config) String() string {
	mode := "MD5"
	if c.PublicKey != nil {
		mode = "MD5withRSA"
	}
	return fmt.Sprintf("ips.Config{MerchantCode:%q Environment:%q Answers:%s ReturnURL:%q NotifyURL:%q secrets:hidden}",
		c.MerchantCode, c.Environment.Name, mode, c.ReturnURL, c.NotifyURL)
}

// Format prints String whatever the verb, so that no verb shows a secret.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue gives String to log/slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Environment says where IPS answers and under which SOAP namespace.
type Environment struct {
	Name      string // for messages, e.g. "production"
	PostBase  string // pages of redirect operations, with the slash at the end
	Service   string // web service
	Query     string // query web service
	Namespace string // of both services
}

// Production is https://p2p.ips.com.cn as the vendor published it. Some
// merchants were told to use the namespace http://microsoft.com/webservices/;
// change the field if you are one of them.
func Production() Environment {
	e := EnvironmentAt("https://p2p.ips.com.cn")
	e.Name = "production"
	return e
}

// VendorTest is the vendor's test environment, http://p2p.ips.net.cn. It was
// plain HTTP and may no longer exist.
func VendorTest() Environment {
	e := EnvironmentAt("http://p2p.ips.net.cn")
	e.Name = "vendor test"
	return e
}

// EnvironmentAt is an IPS at the given base URL, laid out as the real one:
// /CreditWeb/, /CreditWS/Service.asmx and /CreditWSQuery/Service.asmx below it.
func EnvironmentAt(base string) Environment {
	base = strings.TrimRight(base, "/")
	return Environment{
		Name:      base,
		PostBase:  base + "/CreditWeb/",
		Service:   base + "/CreditWS/Service.asmx",
		Query:     base + "/CreditWSQuery/Service.asmx",
		Namespace: "http://tempuri.org/",
	}
}

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
	returnURL  string
	notifyURL  string
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
	keys, err := envelope.NewKeys(cfg.MerchantCode, cfg.Cert, cfg.Key, cfg.IV)
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
		returnURL:  cfg.ReturnURL,
		notifyURL:  cfg.NotifyURL,
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

func formerKeys(cfg Config) (*formerSealer, error) {
	f := cfg.Former
	if f == nil {
		return nil, nil
	}
	if f.Until.IsZero() {
		return nil, errors.New("former keys: Until must be set")
	}
	keys, err := envelope.NewKeys(cfg.MerchantCode, f.Cert, cmp.Or(f.Key, cfg.Key), cmp.Or(f.IV, cfg.IV))
	if err != nil {
		return nil, fmt.Errorf("former keys: %w", err)
	}
	return &formerSealer{keys: keys, until: f.Until}, nil
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
	message, orderNo, err := prepare(c, op, &req)
	if err != nil {
		return nil, err
	}
	fields, err := envelopeFields(op.ArgNames, message)
	if err != nil {
		return nil, err
	}
	c.observe(context.Background(), &op.OperationInfo, &flight{start: start}, 0, orderNo, "", nil)
	return &Form{
		operation: op.Operation,
		orderNo:   orderNo,
		action:    c.env.PostBase + op.Endpoint,
		fields:    fields,
	}, nil
}

// post is the front door of the operations whose form the server posts.
func post[Q any, R Response](ctx context.Context, c *Client, op *operation[Q, R], req Q) (R, error) {
	var none R
	message, orderNo, err := prepare(c, op, &req)
	if err != nil {
		return none, err
	}
	fields, err := envelopeFields(op.ArgNames, message)
	if err != nil {
		return none, err
	}
	form := Form{fields: fields}
	body := []byte(form.Values().Encode())
	return exchange(ctx, c, op, orderNo, func(f *flight) (answer, error) {
		page, contentType, err := c.send(ctx, f, call{
			url:         c.env.PostBase + op.Endpoint,
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
	if err := c.open(&op.OperationInfo, a, Synchronous, resp); err != nil {
		return resp, err
	}
	base := resp.Base()
	if base.OrderNo != "" && base.OrderNo != orderNo {
		return resp, fmt.Errorf("%w: it is about order %.40q", ErrOperation, base.OrderNo)
	}
	base.OrderNo = orderNo
	return resp, resp.Err()
}

func isRefusal(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal)
}

// prepare fills in defaults, validates, writes and seals a request.
func prepare[Q any, R Response](c *Client, op *operation[Q, R], req *Q) (message sealed, orderNo string, err error) {
	v := reflect.ValueOf(req).Elem()
	c.defaultURL(v, "ReturnURL", c.returnURL, op.Operation)
	c.defaultURL(v, "NotifyURL", c.notifyURL, op.Operation)
	if err := validate(op.Operation, req); err != nil {
		return sealed{}, "", err
	}
	if f := v.FieldByName("BidNo"); f.IsValid() {
		if err := c.checkInterface(op.Operation, f.String()); err != nil {
			return sealed{}, "", err
		}
	}
	document, err := codec.Marshal(req)
	if err != nil {
		return sealed{}, "", fmt.Errorf("ips: %s: %w", op.Operation, err)
	}
	orderNo = v.FieldByName("OrderNo").String()
	message = c.seal.seal(document)
	c.tapSent(&op.OperationInfo, orderNo, document, message)
	return message, orderNo, nil
}

func (c *Client) defaultURL(req reflect.Value, field, base string, op Operation) {
	f := req.FieldByName(field)
	if !f.IsValid() || f.String() != "" || base == "" {
		return
	}
	u, err := url.Parse(base)
	if err != nil { // NewClient has parsed it
		return
	}
	f.SetString(u.JoinPath(string(op)).String())
}

// ask is the front door of the queries. They are not encrypted, and their
// answers' signature is not documented well enough to insist on (our choice):
// it is checked, and reported, as MD5 over the texts of all elements before
// pSign, in their order, and the cert.
func ask[Q any, R Response](ctx context.Context, c *Client, op *operation[Q, R], req Q, service string) (resp R, verified bool, err error) {
	var none R
	if err := validate(op.Operation, &req); err != nil {
		return none, false, err
	}
	params := c.queryParams(&req)
	c.tapQuery(&op.OperationInfo, params)
	resp, err = repeat(ctx, c.retry, &op.OperationInfo, "", func(attempt int) (R, error) {
		f := flight{start: time.Now()}
		resp := op.newResponse()
		result, err := c.soap(ctx, &f, service, op.Endpoint, params)
		if err == nil {
			verified, err = c.openQuery(&op.OperationInfo, result, resp)
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

// queryParams gives a query its parameters in wire order. The memo is not
// signed and comes behind the signature.
func (c *Client) queryParams(req any) []soap.Param {
	v := reflect.ValueOf(req).Elem()
	params := []soap.Param{{Name: "argMerCode", Value: c.MerchantCode()}}
	signed := []string{c.MerchantCode()}
	var memo []soap.Param
	for _, f := range codec.Fields(v.Type()) {
		p := soap.Param{Name: f.Name, Value: codec.Text(v, &f)}
		if f.Name == "argMemo" {
			memo = append(memo, p)
			continue
		}
		params = append(params, p)
		signed = append(signed, p.Value)
	}
	params = append(params, soap.Param{Name: "argSign", Value: c.seal.keys.SignText(signed...)})
	return append(params, memo...)
}
