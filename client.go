package ips

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/htmlform"
	"github.com/ips-p2p/ips/internal/soap"
)

// Config is what a [Client] must know of its merchant. All secrets come from
// IPS. A Config prints without its secrets under every verb, in log/slog and
// as JSON.
type Config struct {
	MerchantCode string `json:"merchant_code"` // 商户号, 6 digits
	Cert         string `json:"-"`             // MD5 证书, 128 ASCII characters
	Key          string `json:"-"`             // 3DES key, 24 ASCII characters
	IV           string `json:"-"`             // 3DES IV, 8 ASCII characters

	// PublicKey is for merchants whose answers IPS signs in MD5withRSA mode;
	// see [ParsePublicKey]. Nil means MD5 mode.
	PublicKey *rsa.PublicKey `json:"-"`

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
			errs = append(errs, fmt.Errorf("%s: want an absolute http or https URL, got %q", u.field, u.value))
		}
	}
	if cfg.PublicKey != nil && cfg.PublicKey.Size() < 128 {
		errs = append(errs, fmt.Errorf("PublicKey: want at least 1024 bits, got %d", 8*cfg.PublicKey.Size()))
	}
	c := &Client{
		seal:       sealer{keys: keys, pub: cfg.PublicKey},
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
	message, orderNo, err := prepare(c, op, &req)
	if err != nil {
		return nil, err
	}
	fields, err := envelopeFields(op.ArgNames, message)
	if err != nil {
		return nil, err
	}
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
	form := &Form{fields: fields}
	page, contentType, err := c.send(ctx, call{
		url:         c.env.PostBase + op.Endpoint,
		contentType: "application/x-www-form-urlencoded",
		body:        []byte(form.Values().Encode()),
	})
	if err != nil {
		return none, c.fate(&op.OperationInfo, orderNo, err)
	}
	a, err := returnForm(page, contentType)
	if err != nil {
		return none, c.fate(&op.OperationInfo, orderNo, err)
	}
	return receive(c, op, a, orderNo)
}

// callService is the front door of the web service.
func callService[Q any, R Response](ctx context.Context, c *Client, op *operation[Q, R], req Q) (R, error) {
	var none R
	message, orderNo, err := prepare(c, op, &req)
	if err != nil {
		return none, err
	}
	names := envelopeNames(op.ArgNames)
	result, err := c.soap(ctx, c.env.Service, op.Endpoint, []soap.Param{
		{Name: names[0], Value: message.merCode},
		{Name: names[1], Value: message.body},
		{Name: names[2], Value: message.sign},
	})
	if err != nil {
		return none, c.fate(&op.OperationInfo, orderNo, err)
	}
	a, err := resultAnswer(result)
	if err != nil {
		return none, c.fate(&op.OperationInfo, orderNo, err)
	}
	return receive(c, op, a, orderNo)
}

// prepare fills in defaults, validates, writes and seals a request.
func prepare[Q any, R Response](c *Client, op *operation[Q, R], req *Q) (message sealed, orderNo string, err error) {
	v := reflect.ValueOf(req).Elem()
	c.defaultURL(v, "ReturnURL", c.returnURL, op.Operation)
	c.defaultURL(v, "NotifyURL", c.notifyURL, op.Operation)
	if err := validate(op.Operation, req); err != nil {
		return sealed{}, "", err
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

// receive turns the answer to a call into its response. From here on IPS has
// had the request, so an answer that cannot be believed leaves its fate unknown.
func receive[Q any, R Response](c *Client, op *operation[Q, R], a answer, orderNo string) (R, error) {
	resp := op.newResponse()
	if err := c.open(&op.OperationInfo, a, Synchronous, resp); err != nil {
		var none R
		return none, c.fate(&op.OperationInfo, orderNo, err)
	}
	base := resp.Base()
	if base.OrderNo != "" && base.OrderNo != orderNo {
		var none R
		return none, c.fate(&op.OperationInfo, orderNo, fmt.Errorf("%w: it is about order %.40q", ErrOperation, base.OrderNo))
	}
	base.OrderNo = orderNo
	return resp, resp.Err()
}

// open verifies, decrypts and decodes an answer into resp and classifies it.
func (c *Client) open(op *OperationInfo, a answer, via Via, resp Response) error {
	document, elements, err := c.seal.open(a)
	c.tapReceived(op, via, document, a, err)
	if err != nil {
		return err
	}
	if foreign(op.Operation, elements) {
		return ErrOperation
	}
	unknown, err := codec.Unmarshal(elements, resp)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	base := resp.Base()
	base.Operation, base.Via = op.Operation, via
	base.MerchantCode, base.Code, base.Message = a.merCode, Code(a.errCode), a.errMsg
	base.Outcome = op.Outcome(base.Code)
	for _, e := range unknown {
		base.Extra = append(base.Extra, Element{e.Name, e.Text})
	}
	// A refusal may come without a document, if IPS could not read the request.
	// Anything better is about an order, and says about which.
	if base.Outcome != Failure && base.OrderNo == "" {
		return fmt.Errorf("%w: %s without an order number", ErrMalformed, base.Code)
	}
	return nil
}

// fate decides whether err leaves the order's fate unknown.
func (c *Client) fate(op *OperationInfo, orderNo string, err error) error {
	var unsent *unsentError
	var status *HTTPError
	var fault *SOAPFault
	switch {
	case op.Transport == QueryService: // a question has no fate
	case errors.As(err, &unsent):
		err = unsent.err
	case errors.As(err, &status) && status.StatusCode/100 == 4 && status.StatusCode != http.StatusRequestTimeout:
		// Refused at the door.
	case errors.As(err, &fault) && (fault.Code == "Client" || fault.Code == "Sender" || fault.Code == "VersionMismatch" || fault.Code == "MustUnderstand"):
		// By SOAP's definition the message was at fault and not processed.
	default:
		return &FateUnknownError{Operation: op.Operation, OrderNo: orderNo, Err: err}
	}
	return fmt.Errorf("ips: %s%s: %w", op.Operation, order(orderNo), err)
}

// call is one HTTP request.
type call struct {
	url, contentType, soapAction string
	body                         []byte
}

// unsentError marks a failure before anything was written to the connection.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// send makes one HTTP request, reads a bounded answer and leaves the connection
// fit for reuse.
func (c *Client) send(ctx context.Context, r call) (body []byte, contentType string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, "", &unsentError{err}
	}
	// Without complete headers on the wire no server can have acted.
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, "", &unsentError{err}
	}
	req.Header.Set("Content-Type", r.contentType)
	if r.soapAction != "" {
		req.Header.Set("SOAPAction", r.soapAction)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if !wrote.Load() {
			return nil, "", &unsentError{withoutURL(err)}
		}
		return nil, "", withoutURL(err)
	}
	defer resp.Body.Close()
	contentType = resp.Header.Get("Content-Type")
	body, err = io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	switch {
	case err != nil:
		return nil, "", err
	case int64(len(body)) > c.maxAnswer:
		return nil, "", fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.maxAnswer)
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusInternalServerError && r.soapAction != "":
		// SOAP 1.1 sends faults with status 500.
		if resp.StatusCode != http.StatusOK && !strings.Contains(contentType, "xml") {
			return nil, "", &HTTPError{resp.StatusCode, resp.Status}
		}
		return body, contentType, nil
	default:
		return nil, "", &HTTPError{resp.StatusCode, resp.Status}
	}
}

// withoutURL drops the method and URL that net/http puts in front.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// soap calls a web service operation and returns the text of its result.
func (c *Client) soap(ctx context.Context, service, op string, params []soap.Param) (string, error) {
	body, contentType, err := c.send(ctx, call{
		url:         service,
		contentType: soap.ContentType,
		soapAction:  soap.Action(c.env.Namespace, op),
		body:        soap.Request(c.env.Namespace, op, params),
	})
	if err != nil {
		return "", err
	}
	result, fault, err := soap.Response(body, contentType, op)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	case fault != nil:
		return "", &SOAPFault{Code: fault.Code, String: fault.String}
	}
	return result, nil
}

// resultAnswer reads the five fields out of the document that a web service
// result holds.
func resultAnswer(result string) (answer, error) {
	elements, err := codec.Parse([]byte(result))
	if err != nil {
		return answer{}, fmt.Errorf("%w: result: %w", ErrMalformed, err)
	}
	var a answer
	for _, e := range elements {
		if p := a.field(e.Name); p != nil {
			*p = e.Text
		}
	}
	return a, nil
}

// field is where the answer keeps the named envelope field, nil for no such.
func (a *answer) field(name string) *string {
	switch name {
	case "pMerCode":
		return &a.merCode
	case "pErrCode":
		return &a.errCode
	case "pErrMsg":
		return &a.errMsg
	case "p3DesXmlPara":
		return &a.body
	case "pSign":
		return &a.sign
	default:
		return nil
	}
}

var answerFields = []string{"pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign"}

// returnForm reads the five fields out of the page that answers a server-posted
// form. The page has a form of its own before the return form, so the form is
// known by its fields; two of that kind could not both be believed.
func returnForm(page []byte, contentType string) (answer, error) {
	forms, err := htmlform.Parse(page, contentType)
	if err != nil {
		return answer{}, fmt.Errorf("%w: page: %w", ErrMalformed, err)
	}
	var a answer
	found := 0
	for i := range forms {
		if !forms[i].Has("pMerCode") || !forms[i].Has("pSign") {
			continue
		}
		if found++; found > 1 {
			return answer{}, fmt.Errorf("%w: the page has two return forms", ErrMalformed)
		}
		for _, name := range answerFields {
			value, ok := forms[i].Get(name)
			if !ok {
				return answer{}, fmt.Errorf("%w: the return form has %s not exactly once", ErrMalformed, name)
			}
			*a.field(name) = value
		}
	}
	if found == 0 {
		return answer{}, fmt.Errorf("%w: the page has no return form", ErrMalformed)
	}
	return a, nil
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
	v := reflect.ValueOf(&req).Elem()
	params := []soap.Param{{Name: "argMerCode", Value: c.MerchantCode()}}
	signed := []string{c.MerchantCode()}
	var memo []soap.Param
	for _, f := range codec.Fields(v.Type()) {
		p := soap.Param{Name: f.Name, Value: codec.Text(v, &f)}
		if f.Name == "argMemo" { // not signed, and behind the signature
			memo = append(memo, p)
			continue
		}
		params = append(params, p)
		signed = append(signed, p.Value)
	}
	sign := c.seal.keys.SignText(signed...)
	params = append(append(params, soap.Param{Name: "argSign", Value: sign}), memo...)
	c.tapQuery(&op.OperationInfo, params)
	result, err := c.soap(ctx, service, op.Endpoint, params)
	if err != nil {
		return none, false, c.fate(&op.OperationInfo, "", err)
	}
	resp, verified, err = openQuery(c, op, result)
	if err != nil {
		return none, false, c.fate(&op.OperationInfo, "", err)
	}
	return resp, verified, resp.Err()
}

func openQuery[Q any, R Response](c *Client, op *operation[Q, R], result string) (resp R, verified bool, err error) {
	a, err := resultAnswer(result)
	if err != nil {
		return resp, false, err
	}
	c.tapReceived(&op.OperationInfo, Synchronous, []byte(result), a, nil)
	if a.merCode != c.MerchantCode() {
		return resp, false, ErrMerchant
	}
	elements, err := codec.Parse([]byte(result))
	if err != nil {
		return resp, false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var signed []string
	for _, e := range elements {
		if e.Name != "pSign" {
			signed = append(signed, e.Text)
		}
	}
	resp = op.newResponse()
	unknown, err := codec.Unmarshal(elements, resp)
	if err != nil {
		return resp, false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	base := resp.Base()
	base.Operation, base.Via = op.Operation, Synchronous
	base.MerchantCode, base.Code, base.Message = a.merCode, Code(a.errCode), a.errMsg
	base.Outcome = op.Outcome(base.Code)
	for _, e := range unknown {
		if new(answer).field(e.Name) == nil {
			base.Extra = append(base.Extra, Element{e.Name, e.Text})
		}
	}
	return resp, c.seal.keys.VerifyText(a.sign, signed...), nil
}
