package sandbox

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// request is a merchant's message as it came; nothing in it is trusted.
type request struct {
	op                   wire.Operation
	via                  messages.Via
	peer                 string
	fields               []wire.Pair // as they came
	fault                string      // what faults do to it, for people
	begun                time.Time   // zero for what a person has confirmed
	merchant, body, sign string
	signed               []string // what the signature may be over: see [wire.SignedTexts]
}

// record keeps the request for people to see.
func (s *Sandbox) record(req request, o opened) {
	m := messages.Message{
		At: s.Now(), Direction: messages.In, Via: req.via, Peer: req.peer, Merchant: known(req.merchant), Op: req.op.Name,
		Order: o.msg.Get("pMerBillNo"), XML: o.xml, Verified: o.verified, Fields: req.fields,
	}
	if o.refusal != nil {
		m.Refusal = o.refusal.text
		s.metrics.count("ips_sandbox_refusals_total{op=%q,code=%q}", req.op.Name, o.refusal.code)
	}
	s.messages.Add(m)
}

// result is what became of a request.
type result struct {
	op        wire.Operation
	order     string // pMerBillNo, if it could be read
	answer    wire.Envelope
	returnURL string // where the browser goes, "" if that is not known
	formFirst bool
	ask       string // what a person must confirm first; there is no answer yet
}

// read takes the three fields of an envelope out of what came. The platform
// names them arg* for some operations and p* for others; either set is taken
// for any operation (our choice), but not a mixture. .NET finds form fields in
// any case, so we do.
func (r *request) read() *refusal {
	fields, bad := envelopeFields(r.op, r.fields, "MerCode", "3DesXmlPara", "Sign")
	if bad != nil {
		return bad
	}
	r.merchant, r.body, r.sign = fields[0], envelope.Repair(fields[1]), fields[2]
	r.signed = wire.SignedTexts(fields[1], r.body)
	return nil
}

// envelopeFields finds parameters by their names without the prefix arg or p.
func envelopeFields(op wire.Operation, params []wire.Pair, names ...string) ([]string, *refusal) {
	values := make([]string, len(names))
	found := make([]string, len(names)) // the prefix each was found under
	prefix := ""
	for _, p := range params {
		for i, name := range names {
			with := wire.ParamPrefix(p.Name, name)
			switch {
			case with == "":
				continue
			case found[i] == with:
				return nil, refuse(op, codeForm, "字段重复，字段(%s)", with+name)
			case prefix != "" && prefix != with:
				return nil, refuse(op, codeForm, "字段名前缀arg与p混用")
			}
			prefix, found[i], values[i] = with, with, p.Value
		}
	}
	return values, nil
}

// opened is a request as far as it could be opened.
type opened struct {
	merchant *merchant      // nil if nobody has this code
	verified bool           // the signature held
	msg      engine.Message // the document; with a refusal perhaps a part of it
	xml      string         // what was decrypted
	refusal  *refusal
}

// submit answers a request. Its error is the sandbox's own failure.
func (s *Sandbox) submit(ctx context.Context, req request) (result, error) {
	o := s.open(req)
	res := result{op: req.op, order: o.msg.Get("pMerBillNo")}
	// The page of an automatic repayment begins with its return form.
	res.formFirst = req.op.Name == "RepaymentNewTrade" && o.msg.Get("pRepayType") == "2"
	if address := o.msg.Get("pWebUrl"); engine.IsHTTPURL(address) {
		res.returnURL = address
	}
	s.record(req, o)
	if o.refusal != nil {
		return s.answer(o.merchant, req, res, engine.Answer{Code: o.refusal.code, Text: o.refusal.text})
	}
	if req.op.Name == "QueryTrade" {
		return s.answer(o.merchant, req, res, s.queryTrade(o.merchant.keys.MerCode(), o.msg))
	}
	out, err := s.do(ctx, engine.Command{
		Kind: engine.KindSubmit, Merchant: o.merchant.keys.MerCode(), Op: req.op.Name, Message: o.msg,
	})
	switch {
	case errors.Is(err, ErrClosed), errors.Is(err, ErrStore):
		return result{}, err // what became of it, if anything, is not known: a signed answer would say that it failed
	case err != nil:
		s.log.Error("submit", "op", req.op.Name, "merchant", o.merchant.keys.MerCode(), "order", res.order, "err", err)
		return s.answer(o.merchant, req, res, engine.Answer{Code: codeSystem, Text: "系统异常，错误码" + codeSystem})
	case out.Ask != "":
		res.ask = out.Ask
		return res, nil
	}
	if engine.IsHTTPURL(out.ReturnURL) {
		res.returnURL = out.ReturnURL
	}
	if sealed, ok := out.sealed(); ok {
		return s.answered(req, res, sealed, true), nil
	}
	return s.answer(o.merchant, req, res, out.Answer)
}

// open does what must be done in this order: find the merchant, verify the
// signature over the text, and only then decrypt and parse.
func (s *Sandbox) open(req request) opened {
	o := opened{merchant: s.merchants[req.merchant]}
	for _, f := range []struct{ title, value string }{
		{"商户号", req.merchant}, {"3DES加密报文", req.body}, {"签名", req.sign},
	} {
		if f.value == "" {
			o.refusal = required(f.title)
			return o
		}
	}
	if o.merchant == nil {
		o.refusal = refuse(req.op, codeMerchant, "商户不存在，商户号(%s)", known(req.merchant))
		return o
	}
	for _, text := range req.signed {
		o.verified = o.merchant.keys.VerifyRequest(text, req.sign) || o.verified
	}
	if !o.verified {
		o.refusal = refuse(req.op, codeSign, "签名验证失败，商户号(%s)", req.merchant)
		return o
	}
	document, err := o.merchant.keys.Decrypt(req.body)
	if err != nil {
		o.refusal = refuseCipher(req.op, err)
		return o
	}
	plain := []byte(document)
	o.xml = wire.Text(plain)
	if o.msg, err = wire.ReadDocument(plain); err != nil {
		o.refusal = refuseDocument(req.op, err)
	}
	return o
}

// known is the merchant code if it is shaped like one, so that a stranger's
// text does not go into answers and records.
func known(code string) string {
	if len(code) == 6 && strings.Trim(code, "0123456789") == "" {
		return code
	}
	return ""
}

// answer seals an answer, records it and puts it in the result. An answer to
// nobody known is not signed, for there is no key to sign with.
func (s *Sandbox) answer(m *merchant, req request, res result, a engine.Answer) (result, error) {
	if m == nil {
		return s.answered(req, res, wire.Envelope{Merchant: known(req.merchant), Code: a.Code, Text: a.Text}, false), nil
	}
	sealed, err := m.seal(a)
	if err != nil {
		return result{}, err
	}
	return s.answered(req, res, sealed, true), nil
}

// answered records an answer and puts it in the result.
func (s *Sandbox) answered(req request, res result, answer wire.Envelope, signed bool) result {
	res.answer = answer
	if req.via == messages.ViaPage {
		req.via = messages.ViaReturn
	}
	s.recordAnswer(req, res, signed)
	return res
}

func (s *Sandbox) recordAnswer(req request, res result, signed bool) {
	s.metrics.answered(res.op.Name, res.answer.Code)
	var took time.Duration
	if !req.begun.IsZero() {
		took = time.Since(req.begun)
	}
	s.messages.Add(messages.Message{
		At: s.Now(), Took: took, Sign: res.answer.Sign, Direction: messages.Out, Via: req.via, Peer: req.peer, Fault: req.fault, Merchant: res.answer.Merchant, Op: res.op.Name,
		Order: res.order, Code: res.answer.Code, Text: res.answer.Text, XML: res.answer.XML, Verified: signed,
	})
	s.log.Info("answer", "op", res.op.Name, "merchant", res.answer.Merchant, "order", res.order, "code", res.answer.Code)
}
