package sandbox

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// serveService answers at the address of a web service.
func (s *Sandbox) serveService(w http.ResponseWriter, r *http.Request, svc wire.Service) {
	switch r.Method {
	case http.MethodPost:
		s.serveCall(w, r, svc)
	case http.MethodGet, http.MethodHead:
		if wantsWSDL(r) {
			s.serveWSDL(w, r, svc)
			return
		}
		svc.Path = r.URL.Path
		s.pages.Service(w, svc)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func wantsWSDL(r *http.Request) bool {
	name, _, _ := strings.Cut(r.URL.RawQuery, "=")
	return strings.EqualFold(name, "wsdl")
}

// serveWSDL names the address under which the caller found the service, so
// that a generated client calls it there.
func (s *Sandbox) serveWSDL(w http.ResponseWriter, r *http.Request, svc wire.Service) {
	svc.Namespace, svc.Address = s.namespace, cmp.Or(s.base, wire.Base(r))+r.URL.Path
	document, err := wire.WSDL(svc)
	if err != nil {
		s.log.Error("wsdl", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	wire.Send(w, http.StatusOK, wire.SOAP11.ContentType(), document)
}

// soapCall is a call and what HTTP says of it.
type soapCall struct {
	wire.Call
	action string // SOAPAction, "" when there is none
}

func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request, svc wire.Service) {
	version, action, charset, ok := wire.SOAPHeaders(r.Header)
	if !ok {
		http.Error(w, "content type: want text/xml or application/soap+xml", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", wire.BodyStatus(err))
		return
	}
	call, err := wire.ReadCall(body, charset)
	if call.Version == 0 {
		call.Version = version
	}
	if err != nil {
		wire.SendFault(w, call.Version, err)
		return
	}
	answer, err := s.call(r.Context(), soapCall{call, action}, svc, r.RemoteAddr)
	if err != nil {
		wire.SendFault(w, call.Version, err)
		return
	}
	wire.Send(w, http.StatusOK, call.Version.ContentType(), wire.WriteResult(call, answer))
}

// call finds the operation and returns the text of its result.
func (s *Sandbox) call(ctx context.Context, c soapCall, svc wire.Service, peer string) (string, error) {
	if c.Namespace != s.namespace && c.Namespace != otherNamespace {
		return "", &wire.Fault{Code: wire.FaultClient, Reason: "the operation is in a namespace that the service does not know"}
	}
	// .NET finds the operation by the action. Clients that send none, or an
	// empty one, are understood by the element in the body.
	if c.action != "" && c.action != c.Namespace+c.Operation {
		return "", &wire.Fault{
			Code:   wire.FaultClient,
			Reason: "Server did not recognize the value of HTTP Header SOAPAction: " + c.action + ".",
		}
	}
	op, ok := svc.Find(c.Operation)
	if !ok {
		return "", &wire.Fault{Code: wire.FaultClient, Reason: "the service has no operation " + c.Operation}
	}
	for i := range c.Params {
		c.Params[i].Value = unindent(c.Params[i].Value)
	}
	req := request{op: op, via: messages.ViaSOAP, peer: peer, fields: c.Params, fault: fault.Words(ctx)}
	if !op.Sealed() {
		return s.query(req), s.settled()
	}
	res, err := s.received(ctx, req)
	if err == nil && op.Name == "QueryTrade" {
		err = s.settled()
	}
	return wire.ResultText(res.answer.Fields()), err
}

// received answers a message in an envelope.
func (s *Sandbox) received(ctx context.Context, req request) (result, error) {
	req.begun = time.Now()
	bad := req.read()
	if bad == nil {
		return s.submit(ctx, req)
	}
	s.record(req, opened{refusal: bad})
	return s.answer(nil, req, result{op: req.op}, engine.Answer{Code: bad.code, Text: bad.text})
}

// unindent takes away the white space that a pretty printer put around the
// lines of a text. A blank within a line stays: it may be the plus sign of a
// Base64 text.
func unindent(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n")
	for i := range lines {
		lines[i] = strings.Trim(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
