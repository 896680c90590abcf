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
	"strings"
	"sync/atomic"
	"time"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/htmlform"
	"github.com/ips-p2p/ips/internal/soap"
)

// fate decides whether err leaves the order's fate unknown.
func (c *Client) fate(op *OperationInfo, orderNo string, err error) error {
	var unsent *unsentError
	var status *HTTPError
	var fault *SOAPFault
	switch {
	case op.Transport == QueryService: // a question has no fate
	case errors.As(err, &unsent):
		// Nothing left the machine.
	case errors.As(err, &status) && status.StatusCode/100 == 4 && status.StatusCode != http.StatusRequestTimeout:
		// Refused at the door.
	case errors.As(err, &fault) && (fault.Code == "Client" || fault.Code == "Sender" || fault.Code == "VersionMismatch" || fault.Code == "MustUnderstand"):
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
func (c *Client) send(ctx context.Context, f *flight, r call) (body []byte, contentType string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, "", &unsentError{err}
	}
	// Without complete headers on the wire no server can have acted. Only a
	// transport that reports its steps can prove that there were none.
	var traced, wrote atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { traced.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, "", &unsentError{err}
	}
	req.Header.Set("Content-Type", r.contentType)
	if r.soapAction != "" {
		req.Header.Set("SOAPAction", r.soapAction)
	}
	f.sent = len(r.body)
	resp, err := c.http.Do(req)
	if err != nil {
		if traced.Load() && !wrote.Load() {
			return nil, "", &unsentError{withoutURL(err)}
		}
		return nil, "", withoutURL(err)
	}
	defer resp.Body.Close()
	contentType = resp.Header.Get("Content-Type")
	body, err = readAll(io.LimitReader(resp.Body, c.maxAnswer+1), min(resp.ContentLength, c.maxAnswer))
	f.received = len(body)
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

// readAll is io.ReadAll for a body whose length is probably known; growing step
// by step would take several times its size.
func readAll(r io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	if length > 0 {
		b.Grow(int(length) + bytes.MinRead)
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
func (c *Client) soap(ctx context.Context, f *flight, service, op string, params []soap.Param) (string, error) {
	body, contentType, err := c.send(ctx, f, call{
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
	document, err := codec.Unmarshal(result, new(struct{}))
	if err != nil {
		return answer{}, fmt.Errorf("%w: result: %w", ErrMalformed, err)
	}
	return answerOf(document.Elements), nil
}

func answerOf(elements []codec.Element) answer {
	var a answer
	for _, e := range elements {
		if p := a.field(e.Name); p != nil {
			*p = e.Text
		}
	}
	return a
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
