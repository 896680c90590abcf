package sandbox

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// serveService answers at the address of a web service.
func (s *Sandbox) serveService(w http.ResponseWriter, r *http.Request, svc service) {
	switch r.Method {
	case http.MethodPost:
		s.serveCall(w, r, svc)
	case http.MethodGet, http.MethodHead:
		if wantsWSDL(r) {
			s.serveWSDL(w, r, svc)
			return
		}
		s.pages.service(w, svc, r.URL.Path)
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
func (s *Sandbox) serveWSDL(w http.ResponseWriter, r *http.Request, svc service) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	document, err := wire.WSDL(svc.wsdl(s.namespace, scheme+r.Host+r.URL.Path))
	if err != nil {
		s.log.Error("wsdl", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", wire.SOAP11.ContentType())
	w.Write(document)
}

// soapCall is a call and what HTTP says of it.
type soapCall struct {
	wire.Call
	action string // SOAPAction, "" when there is none
}

func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request, svc service) {
	version, action, charset, ok := soapHeaders(r.Header)
	if !ok {
		http.Error(w, "content type: want text/xml or application/soap+xml", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", bodyStatus(err))
		return
	}
	call, err := wire.ReadCall(body, charset)
	if call.Version == 0 {
		call.Version = version
	}
	if err != nil {
		writeFault(w, call.Version, err)
		return
	}
	answer, err := s.call(soapCall{call, action}, svc, r.RemoteAddr)
	if err != nil {
		writeFault(w, call.Version, err)
		return
	}
	w.Header().Set("Content-Type", call.Version.ContentType())
	w.Write(wire.WriteResult(call, answer))
}

// writeFault answers with HTTP 500 in either version, as .NET does.
func writeFault(w http.ResponseWriter, v wire.Version, err error) {
	var fault *wire.Fault
	if !errors.As(err, &fault) {
		fault = &wire.Fault{Code: wire.FaultServer, Reason: "Server was unable to process request."}
	}
	w.Header().Set("Content-Type", v.ContentType())
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(wire.WriteFault(v, fault))
}

// soapHeaders reads the version, the action and the character set of a call
// from its headers. SOAP 1.1 has the action in a header of its own, quoted or
// not; SOAP 1.2 has it in the media type.
func soapHeaders(h http.Header) (v wire.Version, action, charset string, ok bool) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return 0, "", "", false
	}
	switch media {
	case "text/xml":
		return wire.SOAP11, strings.Trim(strings.TrimSpace(h.Get("SOAPAction")), `"`), params["charset"], true
	case "application/soap+xml":
		return wire.SOAP12, params["action"], params["charset"], true
	}
	return 0, "", "", false
}

// call finds the operation and returns the text of its result.
func (s *Sandbox) call(c soapCall, svc service, peer string) (string, error) {
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
	op, ok := svc.find(c.Operation)
	if !ok {
		return "", &wire.Fault{Code: wire.FaultClient, Reason: "the service has no operation " + c.Operation}
	}
	switch op.name {
	case "QueryForAccBalance", "GetBankList", "QueryMerUserInfo":
		text := s.query(op, peer, c.Params)
		return text, s.journal.settled()
	}
	return s.trade(op, peer, c.Params)
}

// trade answers the operations that move money.
func (s *Sandbox) trade(op operation, peer string, params []wire.Pair) (string, error) {
	for i := range params {
		params[i].Value = unindent(params[i].Value)
	}
	req, bad := newRequest(op, ViaSOAP, peer, params)
	if bad != nil {
		s.messages.add(Message{At: s.Now(), Direction: In, Via: ViaSOAP, Peer: peer, Op: op.name})
		res := result{op: op, answer: sealed{code: bad.code, text: bad.text}}
		s.recordAnswer(ViaSOAP, peer, res, false)
		return resultText(res.answer.fields()), nil
	}
	res, err := s.submit(req)
	if err != nil {
		return "", err
	}
	return resultText(res.answer.fields()), nil
}

// resultText is the document that a result holds as text.
func resultText(fields []wire.Pair) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for _, f := range fields {
		b.WriteString("<" + f.Name + ">" + wire.Escape(f.Value) + "</" + f.Name + ">")
	}
	b.WriteString("</pReq>")
	return b.String()
}

// unindent takes away the white space that a pretty printer put around and
// into the text of an element. A blank without a line break stays: it may be
// the plus sign of a Base64 text.
func unindent(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.Trim(line, " \t\r\n"))
	}
	return b.String()
}
