package ips

import (
	"fmt"
	"slices"

	"github.com/ips-p2p/ips/internal/codec"
)

// Via says how an answer reached the merchant.
type Via int

// The ways of an answer.
const (
	// Synchronous: in the response to the merchant's own call.
	Synchronous Via = iota + 1
	// WebReturn: carried by the user's browser to the return URL.
	WebReturn
	// ServerToServer: posted by IPS to the notify URL (S2S).
	ServerToServer
)

// String names the way.
func (v Via) String() string {
	switch v {
	case Synchronous:
		return "synchronous"
	case WebReturn:
		return "web return"
	case ServerToServer:
		return "server to server"
	default:
		return "unknown"
	}
}

// Reply is what every answer of IPS has in common. It is part of each
// response, and only exists for an answer whose signature held; for the
// exception of queries see [Client.QueryBalance].
type Reply struct {
	Operation    Operation // what was asked
	Via          Via       // how the answer came
	MerchantCode string    // pMerCode
	Code         Code      // pErrCode
	Message      string    // pErrMsg, in Chinese, for people
	Outcome      Outcome   // what Code means for this operation
	OrderNo      string    `ips:"pMerBillNo"` // 商户订单号 of the request

	// Extra holds the elements of the answer that no field of the response
	// takes, in their order: undocumented ones, and dates in an unknown form.
	// The elements of rows carry their path, e.g. "pDetails/pRow[2]/pNew".
	Extra []Element
}

// Element is one element of a document: its wire name and its text.
type Element struct{ Name, Text string }

// Err is nil unless the outcome is [Failure]; then it is an [*Error]. Pending
// is not an error.
func (r *Reply) Err() error {
	if r.Outcome != Failure {
		return nil
	}
	return &Error{Operation: r.Operation, Code: r.Code, Message: r.Message, OrderNo: r.OrderNo}
}

// Base returns the part that all responses share.
func (r *Reply) Base() *Reply { return r }

// Response is implemented by the response types of all operations.
type Response interface {
	// Base returns the part that all responses share.
	Base() *Reply
	// Err is nil unless IPS refused the order.
	Err() error
}

// RowStatus tells of one row of a batch whether it was carried out (pStatus).
type RowStatus string

// The row states.
const (
	RowDone   RowStatus = "Y" // 成功
	RowFailed RowStatus = "N" // 失败; the row's Message says why
)

// String names the state.
func (s RowStatus) String() string {
	return name(s, map[RowStatus]string{RowDone: "done", RowFailed: "failed"})
}

// name is what the String methods of enumerations have in common: the name of
// a known value, or the value itself, so that an unknown one is not lost.
func name[T ~string](v T, names map[T]string) string {
	if n, ok := names[v]; ok {
		return n
	}
	return "unknown (" + string(v) + ")"
}

// The way back of a message, from its five fields to the typed response. How
// the five fields are found is in transport.go and notify.go.

// open verifies, decrypts and decodes an answer into resp and classifies it.
func (c *Client) open(d description, a answer, via Via, resp Response) error {
	op := d.base()
	document, err := c.seal.open(a)
	var read codec.Document
	if err == nil && document != "" {
		if read, err = codec.Unmarshal(document, resp); err != nil {
			err = fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	if err == nil && foreign(d, read.Elements) {
		err = ErrOperation
	}
	c.tapReceived(op, via, document, a, err)
	if err != nil {
		return err
	}
	base := resp.Base()
	base.fill(op, via, a)
	base.Extra = extra(read.Unknown)
	// A refusal may come without a document, if IPS could not read the request.
	// Anything better is about an order, and says about which.
	if base.Outcome != Failure && base.OrderNo == "" {
		return fmt.Errorf("%w: %s without an order number", ErrMalformed, base.Code)
	}
	return nil
}

// openQuery reads the answer to a query into resp and reports whether its
// signature held.
func (c *Client) openQuery(d description, result string, resp Response) (verified bool, err error) {
	read, err := codec.Unmarshal(result, resp)
	if err != nil {
		return false, fmt.Errorf("%w: result: %w", ErrMalformed, err)
	}
	a := answerOf(read.Elements)
	if a.merCode != c.MerchantCode() {
		err = ErrMerchant
	}
	c.tapReceived(d.base(), Synchronous, result, a, err)
	if err != nil {
		return false, err
	}
	var signed []string
	for _, e := range read.Elements {
		if e.Name != "pSign" {
			signed = append(signed, e.Text)
		}
	}
	base := resp.Base()
	base.fill(d.base(), Synchronous, a)
	base.Extra = extra(slices.DeleteFunc(read.Unknown, func(e codec.Element) bool { return a.field(e.Name) != nil }))
	return c.seal.keys.VerifyText(a.sign, signed...), nil
}

// fill tells of an answer what the envelope says.
func (r *Reply) fill(op *OperationInfo, via Via, a answer) {
	r.Operation, r.Via = op.Operation, via
	r.MerchantCode, r.Code, r.Message = a.merCode, Code(a.errCode), a.errMsg
	r.Outcome = op.Outcome(r.Code)
}

func extra(unknown []codec.Element) []Element {
	var all []Element
	for _, e := range unknown {
		all = append(all, Element(e))
	}
	return all
}
