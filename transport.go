package ips

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ips-p2p/ips/internal/htmlform"
	"github.com/ips-p2p/ips/internal/soap"
)

// fate decides whether err leaves the order's fate unknown. Unsigned words, an
// HTTP status or a fault, say that nothing was done only where nobody stands
// between: over plain HTTP anybody on the way can write them.
func fate(op *operation, orderNo string, trusted bool, err error) error {
	var status *HTTPError
	var fault *SOAPFault
	switch {
	case op.Transport == QueryService: // a question has no fate
	case errors.Is(err, ErrNotSent):
	case trusted && errors.As(err, &status) && status.StatusCode/100 == 4 && status.StatusCode != http.StatusRequestTimeout:
		// Refused at the door.
	case trusted && errors.As(err, &fault) && (fault.Code == "Client" || fault.Code == "Sender" || fault.Code == "VersionMismatch" || fault.Code == "MustUnderstand"):
		// By SOAP's definition the message was at fault and not processed.
	default:
		return &FateUnknownError{Operation: op.Operation, OrderNo: orderNo, Err: err}
	}
	return fmt.Errorf("ips: %s%s: %w", op.Operation, order(orderNo), err)
}

// flight is what is measured of one HTTP request.
type flight struct {
	start          time.Time
	sent, received int
}

// httpCall is one HTTP request.
type httpCall struct {
	url, contentType, soapAction string
	body                         []byte
}

// wire sends.
type wire struct {
	http      *http.Client
	timeout   time.Duration
	maxAnswer int64
	namespace string // of the SOAP services
}

func unsent(err error) error {
	if errors.Is(err, ErrNotSent) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotSent, err)
}

// send makes one HTTP request, reads a bounded answer and leaves the connection
// fit for reuse.
func (w *wire) send(ctx context.Context, f *flight, r httpCall) (body []byte, contentType string, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, "", unsent(err)
	}
	// Without complete headers on the wire no server can have acted. Only a
	// transport that reports its steps, or that says itself that it sent nothing,
	// can prove that there were none.
	var traced, wrote atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { traced.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, "", unsent(err)
	}
	req.Header.Set("Content-Type", r.contentType)
	if r.soapAction != "" {
		req.Header.Set("SOAPAction", r.soapAction)
	}
	f.sent = len(r.body)
	resp, err := w.http.Do(req)
	if err != nil {
		err = withoutURL(err)
		switch {
		case !wrote.Load() && (traced.Load() || errors.Is(err, ErrNotSent)):
			return nil, "", unsent(err)
		case errors.Is(err, ErrNotSent): // its transport says so, but a request was seen to leave
			return nil, "", fmt.Errorf("after a request was written: %v", err)
		}
		return nil, "", err
	}
	defer resp.Body.Close()
	contentType = resp.Header.Get("Content-Type")
	body, err = readAll(io.LimitReader(resp.Body, w.maxAnswer+1), resp.ContentLength)
	f.received = len(body)
	switch {
	case errors.Is(err, ErrNotSent): // the cause of a context, or a transport's body: but somebody has answered
		return nil, "", fmt.Errorf("in the middle of an answer: %v", err)
	case err != nil:
		return nil, "", err
	case int64(len(body)) > w.maxAnswer:
		return nil, "", fmt.Errorf("%w: more than %d bytes", ErrTooLarge, w.maxAnswer)
	case resp.StatusCode == http.StatusOK,
		// SOAP 1.1 sends faults with status 500.
		resp.StatusCode == http.StatusInternalServerError && r.soapAction != "" && strings.Contains(contentType, "xml"):
		return body, contentType, nil
	default:
		return nil, "", &HTTPError{StatusCode: resp.StatusCode, Status: resp.Status, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	}
}

// retryAfter reads the header, which holds seconds or a date.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// readAll is io.ReadAll for a body whose length is probably known; growing step
// by step would take several times its size. The other side's word on the length
// is good for no more than a little memory.
func readAll(r io.Reader, length int64) ([]byte, error) {
	const most = 1 << 20
	var b bytes.Buffer
	if length > 0 {
		b.Grow(int(min(length, most)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
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
func (w *wire) soap(ctx context.Context, f *flight, service, op string, params []soap.Param) (string, error) {
	body, contentType, err := w.send(ctx, f, httpCall{
		url:         service,
		contentType: soap.ContentType,
		soapAction:  soap.Action(w.namespace, op),
		body:        soap.Request(w.namespace, op, params),
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

// returnForm reads the five fields out of the page that answers a server-posted
// form, out of the one form that has them, wherever it stands.
func returnForm(page []byte, contentType string) (answer, error) {
	forms, err := htmlform.Parse(page, contentType)
	if err != nil {
		return answer{}, fmt.Errorf("%w: page: %w", ErrMalformed, err)
	}
	form, err := htmlform.Only(forms, answerFields...)
	if err != nil {
		return answer{}, fmt.Errorf("%w: page: %w", ErrMalformed, err)
	}
	var a answer
	for _, name := range answerFields {
		*a.field(name), _ = form.Get(name)
	}
	return a, nil
}
