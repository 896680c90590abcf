package ips

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"time"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
)

// ParseNotification reads a server-to-server notification (S2S): it bounds the
// body, takes the five fields from it and only from it, checks the merchant
// code, verifies the signature in constant time, and only then decrypts and
// decodes. There is no way around a step.
//
// The envelope does not say which operation it answers, so op must be known
// from the URL that it came to. The result is the operation's response type;
// its Outcome may be [Failure], which is not an error here. The same
// notification can come any number of times and in any order.
func (c *Client) ParseNotification(r *http.Request, op Operation) (Response, error) {
	return c.parseInbound(r, op, ServerToServer)
}

// ParseReturn is [Client.ParseNotification] for a web return, which the user's
// browser carries. Show him the outcome; do not take him for logged in because
// of it, since anybody can replay what his own browser carried.
func (c *Client) ParseReturn(r *http.Request, op Operation) (Response, error) {
	return c.parseInbound(r, op, WebReturn)
}

func (c *Client) parseInbound(r *http.Request, op Operation, via Via) (Response, error) {
	start := time.Now()
	resp, received, err := c.readInbound(r, op, via)
	c.observeInbound(r.Context(), op, via, start, received, resp, err)
	return resp, err
}

func (c *Client) readInbound(r *http.Request, op Operation, via Via) (resp Response, received int, err error) {
	d := describe(op)
	if d == nil || d.base().Transport == QueryService {
		return nil, 0, fmt.Errorf("ips: inbound: %w: %.40q", ErrOperation, op)
	}
	a, err := c.inboundAnswer(r)
	received = len(a.errMsg) + len(a.body) + len(a.sign)
	if err != nil {
		return nil, received, fmt.Errorf("ips: inbound %s: %w", op, err)
	}
	resp = d.response()
	if err := c.open(d, a, via, resp); err != nil {
		return nil, received, fmt.Errorf("ips: inbound %s: %w", op, err)
	}
	return resp, received, nil
}

// inboundAnswer reads the five fields of a form post, each exactly once, and
// never from the URL's query.
func (c *Client) inboundAnswer(r *http.Request) (answer, error) {
	if r.Method != http.MethodPost {
		return answer{}, fmt.Errorf("%w: method is not POST", ErrMalformed)
	}
	if n := len(r.Header.Values("Content-Type")); n > 1 {
		return answer{}, fmt.Errorf("%w: content type stands there %d times", ErrMalformed, n)
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return answer{}, fmt.Errorf("%w: content type is not application/x-www-form-urlencoded", ErrMalformed)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return answer{}, fmt.Errorf("%w: the body is declared as compressed", ErrMalformed)
	}
	if r.ContentLength > c.maxInbound { // none of it needs reading
		return answer{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.maxInbound)
	}
	form := r.PostForm // set if somebody in front has read the body
	if form == nil {
		// A stranger's word on the length is good for no more than a little memory.
		body, err := readAll(http.MaxBytesReader(nil, r.Body, c.maxInbound), min(r.ContentLength, 64<<10))
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return answer{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.maxInbound)
		}
		if err != nil {
			return answer{}, fmt.Errorf("%w: body ends too early", ErrMalformed)
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return answer{}, fmt.Errorf("%w: body is not form data", ErrMalformed)
		}
	}
	decode := func(s string) (string, error) { return s, nil }
	if label := params["charset"]; label != "" {
		enc, _ := charset.Lookup(label)
		if enc == nil {
			return answer{}, fmt.Errorf("%w: unknown charset", ErrMalformed)
		}
		if enc != encoding.Nop {
			decode = enc.NewDecoder().String
		}
	}
	var a answer
	for _, name := range answerFields {
		values := form[name]
		if len(values) != 1 {
			return answer{}, fmt.Errorf("%w: %s stands there %d times", ErrMalformed, name, len(values))
		}
		if *a.field(name), err = decode(values[0]); err != nil {
			return answer{}, fmt.Errorf("%w: %s is not in the declared charset", ErrMalformed, name)
		}
	}
	return a, nil
}

// Callbacks are the merchant's functions for the answers of each operation. A
// callback gets every answer of its operation, also a refusal: look at the
// Outcome. It must return nil only after everything it does is safe on disk.
//
// Answers come in any order: a web return that says pending often arrives after
// the notification that says success. Let [OrderState.Next] decide what is news.
// And compare what an answer says with the order that you recorded: account and
// amount.
type Callbacks struct {
	OpenAccount          func(context.Context, *OpenAccountResponse) error          // 4.2 开户
	RegisterBid          func(context.Context, *BidResponse) error                  // 4.3 标的登记
	EndBid               func(context.Context, *BidResponse) error                  // 4.3 标的结束
	RegisterCreditor     func(context.Context, *CreditorResponse) error             // 4.4 登记债权人, manual
	AutoBid              func(context.Context, *CreditorResponse) error             // 4.4 登记债权人, automatic
	RegisterGuarantor    func(context.Context, *RegisterGuarantorResponse) error    // 4.5 登记担保方
	RegisterDebtTransfer func(context.Context, *RegisterDebtTransferResponse) error // 4.6 登记债权转让
	SignAutoBid          func(context.Context, *SignAutoBidResponse) error          // 4.7 自动投标签约
	SignAutoRepay        func(context.Context, *SignAutoRepayResponse) error        // 4.8 自动还款签约
	Recharge             func(context.Context, *RechargeResponse) error             // 4.9 充值
	Transfer             func(context.Context, *TransferResponse) error             // 4.10 转账
	Repay                func(context.Context, *RepayResponse) error                // 4.11 还款, manual
	AutoRepay            func(context.Context, *RepayResponse) error                // 4.11 还款, automatic
	UnfreezeMargin       func(context.Context, *UnfreezeMarginResponse) error       // 4.12 解冻保证金
	WithholdingRecharge  func(context.Context, *WithholdingRechargeResponse) error  // 4.13 自动代扣充值
	Withdraw             func(context.Context, *WithdrawResponse) error             // 4.14 提现
	RepayOldBid          func(context.Context, *RepayOldBidResponse) error          // 老版还款

	// Other gets the answers of operations whose callback is nil. Without it
	// they are not acknowledged, so that nothing is lost.
	Other func(context.Context, Response) error
}

// dispatch gives an answer to its operation's callback, or else to Other.
func (cb *Callbacks) dispatch(ctx context.Context, resp Response) error {
	if d := describe(resp.Base().Operation); d != nil {
		if called, err := d.call(ctx, cb, resp); called {
			return err
		}
	}
	if cb.Other != nil {
		return cb.Other(ctx, resp)
	}
	return fmt.Errorf("ips: inbound %s: no callback", resp.Base().Operation)
}

// Inbound configures the handlers of answers.
type Inbound struct {
	// Callbacks get the answers that verified.
	Callbacks Callbacks

	// Once keeps duplicates from the callbacks; nil lets every copy through. An
	// answer without an order number, which only a refusal can be, always gets
	// through.
	Once Once

	// OperationOf says which operation a request answers. Nil takes the last
	// segment of the URL's path, which is right for [Config.NotifyURL] and
	// [Config.ReturnURL].
	OperationOf func(*http.Request) Operation

	// OnError hears of every answer that was refused and every callback that
	// failed. The error holds no secret and no personal data unless a callback
	// put it there. Nil drops it.
	OnError func(*http.Request, error)
}

func (in *Inbound) operationOf(r *http.Request) Operation {
	if in.OperationOf != nil {
		return in.OperationOf(r)
	}
	return Operation(path.Base(r.URL.Path))
}

func (in *Inbound) report(r *http.Request, err error) {
	if in.OnError != nil {
		in.OnError(r, err)
	}
}

// Handle gives an answer to its callback, through Once. The handlers call it
// for what comes in; call it for the synchronous answer of a web-service or
// server-posted operation too, so that all ways of an answer end in one place.
func (in *Inbound) Handle(ctx context.Context, resp Response) error {
	base := resp.Base()
	run := func(ctx context.Context) error { return in.Callbacks.dispatch(ctx, resp) }
	if in.Once == nil || base.OrderNo == "" {
		return run(ctx)
	}
	key := AnswerKey{base.MerchantCode, orderedBy(base.Operation), base.OrderNo, base.Code}
	return in.Once.Do(ctx, key, run)
}

// NotifyHandler receives server-to-server notifications. It answers 200 only
// after the callback succeeded (or had succeeded before), 500 if it failed, so
// that IPS repeats the notification, and 400 with the one word "refused" to
// everything that does not verify.
func (c *Client) NotifyHandler(in Inbound) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := c.ParseNotification(r, in.operationOf(r))
		if err != nil {
			in.report(r, err)
			refuse(w)
			return
		}
		if err := in.Handle(r.Context(), resp); err != nil {
			in.report(r, err)
			http.Error(w, "not handled", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "OK\n")
	})
}

// ReturnHandler receives web returns: it runs the same callbacks and then page,
// which answers the user's browser. page gets the error of the callback, if
// any: the order's state is then not recorded yet and the notification will do
// it. What does not verify never reaches page.
func (c *Client) ReturnHandler(in Inbound, page func(w http.ResponseWriter, r *http.Request, resp Response, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := c.ParseReturn(r, in.operationOf(r))
		if err != nil {
			in.report(r, err)
			refuse(w)
			return
		}
		if err = in.Handle(r.Context(), resp); err != nil {
			in.report(r, err)
		}
		page(w, r, resp, err)
	})
}

func refuse(w http.ResponseWriter) { http.Error(w, "refused", http.StatusBadRequest) }
