package ips

import (
	"cmp"
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
// its Outcome may be [Failure] or [Undecided], which is not an error here. The same
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

func (c *Client) parseInbound(r *http.Request, name Operation, via Via) (resp Response, err error) {
	e := Event{Via: via, Start: time.Now()}
	resp, err = c.readInbound(r, name, via, &e)
	if e.Duration, e.Err = time.Since(e.Start), err; resp != nil {
		base := resp.Base()
		e.OrderNo, e.Code, e.Outcome, e.Former, e.Err = base.OrderNo, base.Code, base.Outcome, base.former, resp.Err()
	}
	c.watch.event(r.Context(), e)
	return resp, err
}

func (c *Client) readInbound(r *http.Request, name Operation, via Via, e *Event) (Response, error) {
	op := describe(name)
	if op == nil || op.Transport == QueryService {
		return nil, fmt.Errorf("ips: inbound: %w: %.40q; the address must end in an operation's name, or Inbound.OperationOf say it", ErrOperation, name)
	}
	e.Operation, e.Transport = op.Operation, op.Transport
	a, err := c.inboundAnswer(r)
	e.Received = len(a.errMsg) + len(a.body) + len(a.sign)
	if err != nil {
		return nil, fmt.Errorf("ips: inbound %s: %w", op.Operation, err)
	}
	resp, err := c.open(op, a, via)
	if err != nil {
		return nil, fmt.Errorf("ips: inbound %s: %w", op.Operation, err)
	}
	return resp, nil
}

// postForm reads the form post of an inbound request, never the URL's query. label
// is the charset that it declares.
func postForm(r *http.Request, most int64) (form url.Values, label string, err error) {
	if r.Method != http.MethodPost {
		return nil, "", fmt.Errorf("%w: method is not POST", ErrMalformed)
	}
	if n := len(r.Header.Values("Content-Type")); n > 1 {
		return nil, "", fmt.Errorf("%w: content type stands there %d times", ErrMalformed, n)
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, "", fmt.Errorf("%w: content type is not application/x-www-form-urlencoded", ErrMalformed)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, "", fmt.Errorf("%w: the body is declared as compressed", ErrMalformed)
	}
	if r.ContentLength > most { // none of it needs reading
		return nil, "", fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	form = r.PostForm // set if somebody in front has read the body
	if form == nil && r.Body != nil {
		// A stranger's word on the length is good for no more than a little memory.
		body, err := readAll(http.MaxBytesReader(nil, r.Body, most), min(r.ContentLength, 64<<10))
		if tooLarge := (*http.MaxBytesError)(nil); err != nil && errors.As(err, &tooLarge) {
			return nil, "", fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
		}
		if err != nil && len(body) > 0 {
			return nil, "", fmt.Errorf("%w: body ends too early", ErrMalformed)
		}
		if len(body) == 0 && (r.ContentLength > 0 || err != nil) {
			return nil, "", fmt.Errorf("%w: the body is empty although Content-Length is %d: something in front has read it", ErrMalformed, r.ContentLength)
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return nil, "", fmt.Errorf("%w: body is not form data", ErrMalformed)
		}
	}
	return form, params["charset"], nil
}

// inboundAnswer reads the five fields of a form post, each exactly once.
func (c *Client) inboundAnswer(r *http.Request) (answer, error) {
	form, label, err := postForm(r, c.maxInbound)
	if err != nil {
		return answer{}, err
	}
	decode := func(s string) (string, error) { return s, nil }
	if label != "" {
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

// Handler hears an answer of IPS, by whichever way it came and whatever it says:
// look at its Outcome. It is a type switch over the responses that the merchant
// takes, and returns [ErrUnheard] for others. It must return nil only after
// everything it does is safe on disk.
//
// Answers come in any order: a web return that says pending often arrives after
// the notification that says success. Look the order up, [Compare] the answer
// with what was asked, and let [OrderState.Next] decide what is news. Write to the
// database and do nothing else: a call of IPS out of the transaction could move
// money of which a rollback then knows nothing. What follows from an answer, such
// as a release, is recorded in the transaction and sent after the commit.
type Handler func(ctx context.Context, answer Response) error

// ErrUnheard is what a [Handler] returns for an answer that it does not take. The
// answer is not acknowledged (status 501), and its key is not kept.
var ErrUnheard = errors.New("ips: no handler takes this answer")

// On makes a Handler of a function for one type of answer; others go to next,
// or are [ErrUnheard] if it is nil.
func On[R Response](h func(context.Context, R) error, next Handler) Handler {
	return func(ctx context.Context, answer Response) error {
		if r, ok := answer.(R); ok {
			return h(ctx, r)
		}
		if next == nil {
			return ErrUnheard
		}
		return next(ctx, answer)
	}
}

// Inbound configures the handlers of answers.
type Inbound struct {
	// Hear gets the answers that verified. Nil hears nothing ([ErrUnheard]).
	Hear Handler

	// Timeout bounds the context that Hear gets; 0 means 30 seconds. The context
	// does not end when the other side hangs up: IPS comes again, and a transaction
	// that is cut off each time would never end.
	Timeout time.Duration

	// OperationOf says which operation a request answers. Nil takes the last
	// segment of the URL's path, which is right for [Config.NotifyURL] and
	// [Config.ReturnURL].
	OperationOf func(*http.Request) Operation

	// OnError hears of every answer that was refused and every time that Hear
	// failed or panicked. The error holds no secret and no personal data unless
	// Hear put it there. Nil drops it.
	OnError func(*http.Request, error)
}

func (in *Inbound) operationOf(r *http.Request) Operation {
	if in.OperationOf != nil {
		return in.OperationOf(r)
	}
	return Operation(path.Base(r.URL.Path))
}

// hear lets the merchant hear an answer and reports what went wrong.
func (in *Inbound) hear(r *http.Request, answer Response) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), cmp.Or(in.Timeout, 30*time.Second))
	defer cancel()
	defer func() {
		p := recover()
		if abort, ok := p.(error); ok && errors.Is(abort, http.ErrAbortHandler) {
			panic(p)
		}
		if p != nil {
			err = fmt.Errorf("ips: inbound %s: panic: %v", answer.Base().Operation, p)
		}
		if err != nil {
			in.report(r, err)
		}
	}()
	if in.Hear == nil {
		return ErrUnheard
	}
	return in.Hear(ctx, answer)
}

func (in *Inbound) report(r *http.Request, err error) {
	if in.OnError != nil {
		in.OnError(r, err)
	}
}

// NotifyHandler receives server-to-server notifications. It answers 200 only
// after Hear returned nil, 501 if it returned [ErrUnheard] and 500 for any other
// error or a panic, so that IPS repeats the notification, and 400 with the one
// word "refused" to everything that does not verify.
func (c *Client) NotifyHandler(in Inbound) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := c.ParseNotification(r, in.operationOf(r))
		if err != nil {
			in.report(r, err)
			http.Error(w, "refused", http.StatusBadRequest)
			return
		}
		switch err := in.hear(r, resp); {
		case errors.Is(err, ErrUnheard):
			http.Error(w, "not heard", http.StatusNotImplemented)
		case err != nil:
			http.Error(w, "not handled", http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, "OK\n")
		}
	})
}

// ReturnHandler receives web returns: Hear hears them, and then page answers the
// user's browser. err says that Hear failed: the order's state is then not
// recorded yet, and the notification will do it. For what does not verify or
// cannot be read, such as a reload, page gets a nil answer and the reason, which
// is for a log and not for the user: show him a way to his orders, and let the
// status be one of refusal ([http.StatusBadRequest]).
func (c *Client) ReturnHandler(in Inbound, page func(w http.ResponseWriter, r *http.Request, answer Response, err error)) http.Handler {
	if page == nil {
		panic("ips: ReturnHandler: nil page")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := c.ParseReturn(r, in.operationOf(r))
		if err != nil {
			in.report(r, err)
			page(w, r, nil, err)
			return
		}
		page(w, r, resp, in.hear(r, resp))
	})
}
