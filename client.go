package ips

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/soap"
)

// Client talks to IPS for one merchant. It never changes after [NewClient], is
// safe for concurrent use, leaves no goroutine behind and logs nothing; use one
// per merchant for the life of the program.
//
// Methods that return a [*Form] do no I/O. Methods that take a context send at
// once; they return
//
//   - a [*ValidationError] if the request breaks the contract, or an error that
//     matches [ErrNotSent]: nothing was sent;
//   - an [*Error] if IPS refused the message. The response comes with it;
//   - a [*FateUnknownError] if nothing came back that says what became of the
//     order. If IPS answered, the response comes with it;
//   - another error if IPS said, over TLS or from this machine, that the request
//     did not get as far as its business, e.g. HTTP status 404.
//
// A nil error means success or pending: look at the response's Outcome.
type Client struct {
	seal       sealer
	env        Environment
	returnURL  map[Operation]string // default of pWebUrl
	notifyURL  map[Operation]string // default of pS2SUrl
	wire       wire
	watch      observer
	retry      retrier
	maxInbound int64
	oldBid     func(bidNo string) bool
	known      []*operation // all there are
}

// Environment is where the client sends.
func (c *Client) Environment() Environment { return c.env }

// CloseIdleConnections lets go of connections that wait for the next call. With
// [WithHTTPClient] they are that client's too.
func (c *Client) CloseIdleConnections() { c.wire.http.CloseIdleConnections() }

// MerchantCode is the merchant that the client speaks for.
func (c *Client) MerchantCode() string { return c.seal.keys.MerCode() }

// String names the merchant and the environment and nothing secret.
func (c *Client) String() string {
	return fmt.Sprintf("ips.Client{%s at %s}", c.MerchantCode(), c.env.Name)
}

// Format prints String whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// Complete returns the request as it goes out: with the client's addresses where
// it has none, checked against all rules. Keep that with the order
// ([MarshalRequest]).
func (c *Client) Complete(req Request) (Request, error) {
	o, err := c.complete(req)
	if err != nil {
		return nil, err
	}
	return o.request(), nil
}

func (c *Client) complete(req Request) (own, error) {
	o, err := ownOf(req)
	if err != nil {
		return own{}, err
	}
	returnURL, notifyURL := c.returnURL[o.op.Operation], c.notifyURL[o.op.Operation]
	o.fillIn(returnURL, notifyURL)
	if err := o.plan.validate(o.op.Operation, o.ptr.Interface(), returnURL, notifyURL); err != nil {
		return o, err
	}
	return o, c.checkInterface(o.op.Operation, o.text("pBidNo"))
}

// sealed writes and seals a complete request.
func (c *Client) sealed(o own) (sealed, error) {
	document, err := codec.Marshal(o.ptr.Interface(), o.op.variant.Text)
	if err != nil {
		return sealed{}, fmt.Errorf("ips: %s: %w", o.op.Operation, err)
	}
	message := c.seal.seal(document)
	if len(c.watch.taps) > 0 {
		c.watch.sent(o.op, o.orderNo(), message.fields(o.op.argNames), document)
	}
	return message, nil
}

// Form makes the form of any operation that is posted to a page of IPS. The
// method of the operation does the same by its name.
func (c *Client) Form(req Request) (*Form, error) { return c.FormContext(context.Background(), req) }

// FormContext is [Client.Form] with a context for the hooks; it does no I/O.
func (c *Client) FormContext(ctx context.Context, req Request) (*Form, error) {
	start := time.Now()
	o, err := c.complete(req)
	if err == nil && o.op.Transport != Redirect && o.op.Transport != ServerPosted {
		err = fmt.Errorf("ips: %s is a %s operation and has no form: use Call", o.op.Operation, o.op.Transport)
	}
	var form *Form
	if err == nil {
		form, err = c.form(o)
	}
	c.tell(ctx, o, flight{start: start}, 0, nil, err)
	return form, err
}

func (c *Client) form(o own) (*Form, error) {
	message, err := c.sealed(o)
	if err != nil {
		return nil, err
	}
	fields, err := envelopeFields(o.op.argNames, message)
	if err != nil {
		return nil, err
	}
	return &Form{operation: o.op.Operation, orderNo: o.orderNo(), action: c.env.PostBase + o.op.Endpoint, fields: fields}, nil
}

// Call sends any operation that needs no user on a page of IPS: those of the web
// services, and the automatic bid, the automatic repayment and the end of a bid.
// The method of the operation does the same by its name and with its type.
func (c *Client) Call(ctx context.Context, req Request) (Response, error) {
	start := time.Now()
	o, err := c.complete(req)
	if err == nil && o.op.Transport == Redirect {
		err = fmt.Errorf("ips: %s needs the user on a page of IPS: use Form", o.op.Operation)
	}
	var send func(*flight) (Response, error)
	if err == nil {
		send, err = c.sender(ctx, o)
	}
	if err != nil {
		c.tell(ctx, o, flight{start: start}, 0, nil, err)
		return nil, err
	}
	orderNo := o.orderNo()
	resp, err := c.retry.run(ctx, o.op.Transport == QueryService, func(attempt int) (Response, error) {
		f := flight{start: time.Now()}
		resp, err := send(&f)
		if err == nil {
			err = resp.Err()
			if unknown := new(FateUnknownError); errors.As(err, &unknown) {
				unknown.OrderNo = orderNo // the one that was asked for, whatever the answer names
			}
		} else {
			resp, err = nil, fate(o.op, orderNo, c.env.trusted(o.op.Transport), err)
		}
		c.tell(ctx, o, f, attempt, resp, err)
		return resp, err
	})
	if c.retry.Ask && errors.Is(err, ErrFateUnknown) && !errors.Is(err, ErrDuplicate) {
		return c.settle(ctx, o.request(), resp, err)
	}
	return resp, err
}

// call is Call for a method that knows the type of its answer.
func call[R Response](ctx context.Context, c *Client, req Request) (R, error) {
	resp, err := c.Call(ctx, req)
	r, _ := resp.(R)
	return r, err
}

// sender seals a complete request and returns what sends it once and reads the
// answer.
func (c *Client) sender(ctx context.Context, o own) (func(*flight) (Response, error), error) {
	op := o.op
	if op.Transport == ServerPosted {
		form, err := c.form(o)
		if err != nil {
			return nil, err
		}
		body := []byte(form.Values().Encode())
		return func(f *flight) (Response, error) {
			page, contentType, err := c.wire.send(ctx, f, httpCall{url: form.action, contentType: "application/x-www-form-urlencoded", body: body})
			if err != nil {
				return nil, err
			}
			a, err := returnForm(page, contentType)
			if err != nil {
				return nil, err
			}
			return c.receive(o, a)
		}, nil
	}
	service := c.service(op)
	if service == "" {
		return nil, fmt.Errorf("ips: %s: %w: Environment.TradeQuery says so", op.Operation, ErrNoTradeQuery)
	}
	params, err := c.params(o)
	if err != nil {
		return nil, err
	}
	return func(f *flight) (Response, error) {
		result, err := c.wire.soap(ctx, f, service, op.Endpoint, params)
		switch {
		case err != nil:
			return nil, withoutTradeQuery(op, err)
		case op.plain:
			return c.openQuery(o, result)
		default:
			return c.openResult(o, result)
		}
	}, nil
}

// params are what a call of a web service carries.
func (c *Client) params(o own) ([]soap.Param, error) {
	var fields []FormField
	if o.op.plain {
		fields = o.queryFields(c.seal.keys)
		c.watch.sent(o.op, "", fields, nil)
	} else {
		message, err := c.sealed(o)
		if err != nil {
			return nil, err
		}
		fields = message.fields(o.op.argNames)
	}
	params := make([]soap.Param, len(fields))
	for i, f := range fields {
		params[i] = soap.Param(f)
	}
	return params, nil
}

// service is the address of an operation's web service, "" if there is none.
func (c *Client) service(op *operation) string {
	switch {
	case op.Operation == OpQueryAccount, op.Operation == OpQueryTrade && c.env.TradeQuery == TradeQueryAtQuery:
		return c.env.Query
	case op.Operation == OpQueryTrade && c.env.TradeQuery != TradeQueryAtService:
		return ""
	default:
		return c.env.Service
	}
}

// withoutTradeQuery gives the fault of a service that does not know the trade
// query its name.
func withoutTradeQuery(op *operation, err error) error {
	var fault *SOAPFault
	if op.Operation == OpQueryTrade && errors.As(err, &fault) && (fault.Code == "Client" || fault.Code == "Sender") {
		return fmt.Errorf("%w: %w", ErrNoTradeQuery, err)
	}
	return err
}

// receive opens the answer to a call and checks that it is about the order. An
// answer that names none is a refusal or says nothing, and so is undecided.
func (c *Client) receive(o own, a answer) (Response, error) {
	resp, err := c.open(o.op, a, Synchronous)
	if err != nil {
		return nil, err
	}
	if named := resp.Base().OrderNo; named != "" && named != o.orderNo() {
		return nil, fmt.Errorf("%w: it is about order %.40q", ErrOperation, named)
	}
	return resp, nil
}

// openResult reads the five fields out of the document that a web service result
// holds, and opens them. The answer to a trade query may be signed over its
// elements with their tags, as those of other queries are: whether it is, nobody
// has seen, so taking both is our choice.
func (c *Client) openResult(o own, result string) (Response, error) {
	elements, err := codec.Elements(result)
	if err != nil {
		return nil, fmt.Errorf("%w: result: %w", ErrMalformed, err)
	}
	a := answerOf(elements)
	if o.op.Transport == QueryService {
		a.tagged, _ = o.op.signedTexts(elements)
	}
	resp, err := c.receive(o, a)
	if trade, ok := resp.(*QueryTradeResponse); ok {
		trade.Signature = SignatureSealed
		if c.seal.tagged(a) {
			trade.Signature = SignatureTagged
		}
		if trade.Outcome == Success {
			err = trade.repeats(*o.ptr.Interface().(*QueryTradeRequest))
		}
	}
	return resp, err
}

// open verifies, decrypts, decodes and classifies an answer.
func (c *Client) open(op *operation, a answer, via Via) (Response, error) {
	resp := op.newResponse()
	document, former, err := c.seal.open(a)
	if err == nil {
		err = read(op, c.known, a, via, document, resp)
	}
	c.watch.received(op, via, document, a, err)
	if err != nil {
		return nil, err
	}
	resp.Base().former = former
	return resp, nil
}

// openQuery reads the answer to a query that is not sealed.
func (c *Client) openQuery(o own, result string) (Response, error) {
	resp := o.op.newResponse()
	got, err := codec.Unmarshal(result, resp)
	if err != nil {
		return nil, fmt.Errorf("%w: result: %w", ErrMalformed, err)
	}
	a := answerOf(got.Elements)
	if a.merCode != c.MerchantCode() {
		err = fmt.Errorf("%w: %.12q", ErrMerchant, a.merCode)
	}
	c.watch.received(o.op, Synchronous, result, a, err)
	if err != nil {
		return nil, err
	}
	base := resp.Base()
	base.fill(o.op, Synchronous, a)
	for _, e := range got.Unknown {
		if a.field(e.Name) == nil {
			base.Extra = append(base.Extra, Element(e))
		}
	}
	form := signature(o.op, got.Elements, func(texts ...string) bool { return c.seal.keys.VerifyText(a.sign, texts...) })
	return resp, resp.(queryResponse).answers(o.ptr.Interface(), form)
}

// queryResponse is an answer to a query that is not sealed.
type queryResponse interface {
	// answers takes the form of the signature and says whether the answer is one
	// to that question.
	answers(question any, form Signature) error
}

// answersFor refuses a successful answer that does not name the account that was
// asked for: it is somebody else's.
func (r *Reply) answersFor(asked, named string) error {
	if r.Outcome == Success && named != asked {
		return fmt.Errorf("%w: it does not name the account that was asked for", ErrOperation)
	}
	return nil
}

// settle asks what became of an order whose fate is unknown.
func (c *Client) settle(ctx context.Context, req Request, resp Response, unknown error) (Response, error) {
	tradeType, certain, ok := TradeTypeOf(req)
	if !ok || !certain || c.env.TradeQuery == NoTradeQuery {
		return resp, unknown
	}
	for n := 1; n <= c.retry.Attempts && sleep(ctx, c.retry.pause(n, nil)); n++ {
		question := QueryTradeRequest{OrderNo: OrderNo(req), Type: tradeType}
		answer, err := call[*QueryTradeResponse](ctx, c, question)
		if err != nil {
			continue
		}
		if asked, err := Asked(req, answer); err == nil && asked.Base().Outcome != Undecided {
			return asked, asked.Err()
		}
	}
	return resp, unknown
}

// tell reports what became of a request to the hooks.
func (c *Client) tell(ctx context.Context, o own, f flight, attempt int, resp Response, err error) {
	if len(c.watch.hooks) == 0 {
		return
	}
	e := Event{Attempt: attempt, Start: f.start, Duration: time.Since(f.start), Sent: f.sent, Received: f.received, Err: err}
	if o.op != nil {
		e.Operation, e.Transport, e.OrderNo = o.op.Operation, o.op.Transport, o.orderNo()
	}
	if resp != nil && !reflect.ValueOf(resp).IsNil() {
		base := resp.Base()
		e.Code, e.Outcome, e.Former = base.Code, base.Outcome, base.former
	}
	c.watch.event(ctx, e)
}
