package ips

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
)

// Request is implemented by the request structs of all operations, and by
// pointers to them.
type Request interface {
	describe() *operation
}

// Memos are three texts that come back with the answer. They are part of nearly
// every request and of its response.
type Memos struct {
	// Memo1 to Memo3 come back with the answer (备注 pMemo1, pMemo2, pMemo3): at
	// most 100 characters each.
	Memo1 string `ips:"pMemo1" check:"optional,max=100"`
	Memo2 string `ips:"pMemo2" check:"optional,max=100"`
	Memo3 string `ips:"pMemo3" check:"optional,max=100"`
}

// own is a request as a copy that may be changed: op, its plan and the pointer to
// the struct.
type own struct {
	op   *operation
	plan *plan
	ptr  reflect.Value
}

var errNoRequest = errors.New("ips: no request")

func ownOf(req Request) (own, error) {
	v := reflect.ValueOf(req)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() {
		return own{}, errNoRequest
	}
	op := req.describe()
	if op.request != v.Type() {
		return own{}, fmt.Errorf("ips: %s is no request itself: give what it holds", v.Type())
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return own{op, planOf(v.Type()), p}, nil
}

// text is the text of a field by its wire name, "" where there is none.
func (o own) text(name string) string {
	if index, has := o.plan.at[name]; has {
		return o.ptr.Elem().FieldByIndex(index).String()
	}
	return ""
}

func (o own) orderNo() string { return o.text("pMerBillNo") }

// set sets the text of a field by its wire name, if there is one.
func (o own) set(name, text string) {
	if index, has := o.plan.at[name]; has {
		o.ptr.Elem().FieldByIndex(index).SetString(text)
	}
}

// fillIn gives the request the addresses that it does not name.
func (o own) fillIn(returnURL, notifyURL string) {
	o.set("pWebUrl", cmp.Or(o.text("pWebUrl"), returnURL))
	o.set("pS2SUrl", cmp.Or(o.text("pS2SUrl"), notifyURL))
}

func (o own) request() Request { return o.ptr.Elem().Interface().(Request) }

// Validate checks a request against all rules of the contract at once. The error
// is a [*ValidationError]. Addresses may be empty: the client adds its own.
func Validate(req Request) error {
	o, err := ownOf(req)
	if err != nil {
		return err
	}
	const later = "https://the.client/adds/its.own"
	o.fillIn(later, later)
	return o.plan.validate(o.op.Operation, o.ptr.Interface(), later)
}

// OperationOf is the operation that a request asks for, "" if it is none.
func OperationOf(req Request) Operation {
	o, err := ownOf(req)
	if err != nil {
		return ""
	}
	return o.op.Operation
}

// OrderNo is the order number in a request (商户订单号 pMerBillNo), "" if its
// operation has none.
func OrderNo(req Request) string {
	o, err := ownOf(req)
	if err != nil {
		return ""
	}
	return o.orderNo()
}

// WithOrderNo returns the request with another order number. It returns the
// request as it is if its operation has none.
func WithOrderNo(req Request, no string) Request {
	o, err := ownOf(req)
	if err != nil {
		return req
	}
	o.set("pMerBillNo", no)
	return o.request()
}

// MarshalRequest gives a request as JSON, to be kept with its order and read by
// [UnmarshalRequest]. Give it what [Client.Complete] returned, and the order can
// be sent again exactly as it was, addresses and date included, whatever the
// client's configuration has become. The JSON holds personal data.
func MarshalRequest(req Request) ([]byte, error) {
	o, err := ownOf(req)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(o.ptr.Interface())
	if err != nil {
		return nil, fmt.Errorf("ips: request of %s: %w", o.op.Operation, err)
	}
	return data, nil
}

// queryFields gives a query its parameters in wire order. The memo is not signed
// and comes behind the signature.
func (o own) queryFields(keys *envelope.Keys) []FormField {
	fields := []FormField{{"argMerCode", keys.MerCode()}}
	signed := []string{keys.MerCode()}
	var memo []FormField
	for _, f := range codec.Fields(o.op.request) {
		p := FormField{f.Name, codec.Text(o.ptr.Elem(), &f)}
		if f.Name == "argMemo" {
			memo = append(memo, p)
			continue
		}
		fields = append(fields, p)
		signed = append(signed, p.Value)
	}
	return append(append(fields, FormField{"argSign", keys.SignText(signed...)}), memo...)
}
