package ips

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/codec"
)

// Via says how an answer reached the merchant.
type Via int

// The ways of an answer.
const (
	// Synchronous: in the response to the merchant's own call. It answers that
	// message.
	Synchronous Via = iota + 1
	// WebReturn: carried by the user's browser to the return URL.
	WebReturn
	// ServerToServer: posted by IPS to the notify URL (S2S).
	ServerToServer
	// Queried: made by [Asked] of what a trade query said of the order.
	Queried
)

// String names the way.
func (v Via) String() string {
	return nth(v, "unknown", "synchronous", "web return", "server to server", "queried")
}

// Reply is what every answer of IPS has in common. It is part of each
// response, and only exists for an answer whose signature held; for the
// exception of queries see [Signature].
type Reply struct {
	Operation    Operation // what was asked
	Via          Via       // how the answer came
	MerchantCode string    // pMerCode
	Code         Code      // pErrCode
	Message      string    // pErrMsg, in Chinese, for people
	Outcome      Outcome   // what it says of the order
	Unlisted     bool      // a Failure by a code that is in no list: have it confirmed before giving the order up
	OrderNo      string    `ips:"pMerBillNo"` // 商户订单号 that the answer itself names

	// Extra holds the elements of the answer that no field of the response
	// takes, in their order: undocumented ones, and dates in an unknown form.
	// The elements of rows carry their path, e.g. "pDetails/pRow[2]/pNew".
	Extra []Element

	said   []codec.Element // the document's own elements, for Compare
	former bool            // it was made with the former keys
}

// Err is nil for a success and a pending, which is not an error. It is an
// [*Error] for a failure, and for an undecided answer a [*FateUnknownError] that
// wraps it. A query has no fate: its Err is nil or an [*Error].
func (r *Reply) Err() error {
	if r.Outcome == Success || r.Outcome == Pending {
		return nil
	}
	err := &Error{Operation: r.Operation, Code: r.Code, Message: r.Message, OrderNo: r.OrderNo, Unlisted: r.Unlisted}
	if r.Outcome == Failure || isQuery(r.Operation) {
		return err
	}
	return &FateUnknownError{Operation: r.Operation, OrderNo: r.OrderNo, Err: err}
}

// Base returns the part that all responses share.
func (r *Reply) Base() *Reply { return r }

// Response is implemented by the response types of all operations.
type Response interface {
	// Base returns the part that all responses share.
	Base() *Reply
	// Err is nil for a success and a pending; see [Reply.Err].
	Err() error
}

// RowStatus tells of one row of a batch whether it was carried out (pStatus).
type RowStatus string

// The row states.
const (
	RowDone   RowStatus = "Y" // 成功
	RowFailed RowStatus = "N" // 失败; the row's Message says why
)

var rowStatuses = map[RowStatus]string{RowDone: "done", RowFailed: "failed"}

// String names the state.
func (s RowStatus) String() string { return name(s, rowStatuses) }

// answer is the five fields of an answer as they came over the wire.
type answer struct {
	merCode, errCode, errMsg, body, sign string
	tagged                               []string // what a signature over tags covers, nil where none counts
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
	fields := [...]*string{&a.merCode, &a.errCode, &a.errMsg, &a.body, &a.sign}
	if i := slices.Index(answerFields, name); i >= 0 {
		return fields[i]
	}
	return nil
}

var answerFields = []string{"pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign"}

func isQuery(op Operation) bool { return strings.HasPrefix(string(op), "query-") }

func (o *operation) newResponse() Response { return reflect.New(o.response).Interface().(Response) }

// read decodes the document of an answer into resp and classifies it. known are
// all operations, whose marks no other's answer may have.
func read(op *operation, known []*operation, a answer, via Via, document string, resp Response) error {
	var got codec.Document
	if document != "" {
		var err error
		if got, err = codec.Unmarshal(document, resp); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	if foreign(op, known, got.Elements) {
		return ErrOperation
	}
	base := resp.Base()
	base.fill(op, via, a)
	base.Extra, base.said = extra(got.Unknown), got.Elements
	switch {
	case op.Transport == QueryService:
	case base.Outcome == Success || base.Outcome == Pending:
		if base.OrderNo == "" {
			return fmt.Errorf("%w: %s without an order number", ErrMalformed, base.Code)
		}
		if base.Outcome == Success && !ownElement(op, got.Elements) {
			return fmt.Errorf("%w: %s, but the document has nothing of it", ErrOperation, base.Code)
		}
	case base.Outcome == Failure && (base.OrderNo == "" || saysDuplicate(base.Code, base.Message)):
		base.Outcome = Undecided // of which order, or of which message?
	}
	return nil
}

// fill tells of an answer what the envelope says.
func (r *Reply) fill(op *operation, via Via, a answer) {
	r.Operation, r.Via = op.Operation, via
	r.MerchantCode, r.Code, r.Message = a.merCode, Code(a.errCode), a.errMsg
	r.Outcome = op.Outcome(r.Code)
	r.Unlisted = r.Outcome == Failure && r.Code.unlisted()
}

// foreign reports whether a document is another operation's answer than op's:
// it has another variant's text, an element that op's never have, or a mark of
// another and not its own. A document without any mark passes, because the
// platform may leave elements out.
func foreign(op *operation, known []*operation, elements []codec.Element) bool {
	own := false
	for _, e := range elements {
		if e.Text != "" && (slices.Contains(op.others, e.Name) || e.Name == op.variant.Name && e.Text != op.variant.Text) {
			return true
		}
		own = own || e.Name == op.mark
	}
	return !own && slices.ContainsFunc(elements, func(e codec.Element) bool {
		return slices.ContainsFunc(known, func(o *operation) bool { return o.mark != "" && o.mark == e.Name })
	})
}

// ownElement reports whether the document has an element of the operation's
// answers beside those that nearly all of them have.
func ownElement(op *operation, elements []codec.Element) bool {
	fields := codec.Fields(op.response)
	return slices.ContainsFunc(elements, func(e codec.Element) bool {
		switch e.Name {
		case "pMerBillNo", "pMemo1", "pMemo2", "pMemo3":
			return false
		}
		return slices.ContainsFunc(fields, func(f codec.Field) bool { return e.Name == f.Name || e.Name == f.Alias })
	})
}

func extra(unknown []codec.Element) []Element {
	var all []Element
	for _, e := range unknown {
		all = append(all, Element(e))
	}
	return all
}

// Signature says which form of signature held of the answer to a query. Most of
// them are not sealed, and how IPS signs those is known from merchants' programs
// only, none of which is seen to check it: so it is reported and never insisted
// on, the trade query's apart. In production trust queries over TLS only.
type Signature int

// The forms. Those over elements hold only over exactly the known ones in the
// known order.
const (
	// SignatureNone: no known form holds.
	SignatureNone Signature = iota
	// SignaturePlain: MD5 over the texts of the elements and the cert. The borders
	// between the texts are not signed.
	SignaturePlain
	// SignaturePartial: MD5 over some of the elements with their tags, and the
	// cert. Of the account query pErrCode and pMemo are not signed.
	SignaturePartial
	// SignatureTagged: MD5 over all elements but pSign with their tags, and the
	// cert.
	SignatureTagged
	// SignatureSealed: that of the answer to any order, over code, message and body;
	// of the trade query only.
	SignatureSealed
)

// Verified reports whether the signature covers the whole answer.
func (s Signature) Verified() bool { return s == SignatureTagged || s == SignatureSealed }

// String names the form.
func (s Signature) String() string {
	return nth(s, "none", "plain", "partial", "tagged", "sealed")
}

// signature finds the form in which the answer to a query that is not sealed is
// signed.
func signature(op *operation, elements []codec.Element, verify func(texts ...string) bool) Signature {
	tagged, plain := op.signedTexts(elements)
	switch {
	case tagged == nil:
		return SignatureNone
	case verify(tagged...) && len(op.unsigned) > 0:
		return SignaturePartial
	case verify(tagged...):
		return SignatureTagged
	case verify(plain...):
		return SignaturePlain
	default:
		return SignatureNone
	}
}

// signedTexts are the texts that a signature over the elements of a query's result
// covers, with their tags and without; nil unless they are the known ones in their
// order.
func (op *operation) signedTexts(elements []codec.Element) (tagged, plain []string) {
	var names []string
	for _, e := range elements {
		if e.Name == "pSign" {
			continue
		}
		names, plain = append(names, e.Name), append(plain, e.Text)
		if !slices.Contains(op.unsigned, e.Name) {
			tagged = append(tagged, "<"+e.Name+">", e.Text, "</"+e.Name+">")
		}
	}
	if !slices.Equal(names, op.elements) {
		return nil, nil
	}
	return tagged, plain
}
