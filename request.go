package ips

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/soap"
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

// own is a request as a copy that may be changed: op and the pointer to the
// struct.
type own struct {
	op  *operation
	ptr reflect.Value
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
	return own{op, p}, nil
}

func (o own) plan() *plan { return planOf(o.ptr.Type().Elem()) }

// text is the text field at index, "" where there is none.
func (o own) text(index []int) string {
	if index == nil {
		return ""
	}
	return o.ptr.Elem().FieldByIndex(index).String()
}

func (o own) orderNo() string { return o.text(o.plan().orderNo) }

// fillIn sets the text field at index, if there is one and it is empty.
func (o own) fillIn(index []int, text string) {
	if index == nil {
		return
	}
	if f := o.ptr.Elem().FieldByIndex(index); f.String() == "" {
		f.SetString(text)
	}
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
	p := o.plan()
	o.fillIn(p.returnURL, later)
	o.fillIn(p.notifyURL, later)
	return p.validate(o.op.Operation, o.ptr.Interface(), later)
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
	if index := o.plan().orderNo; index != nil {
		o.ptr.Elem().FieldByIndex(index).SetString(no)
	}
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

// address is the base of a kind of callback address, taken apart so that an
// operation's address is one concatenation.
type address struct{ before, behind string }

// newAddress takes a base apart that NewClient has checked.
func newAddress(base string) address {
	u, err := url.Parse(base)
	if base == "" || err != nil {
		return address{}
	}
	query := *u
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	before := u.JoinPath("/").String()
	query.Scheme, query.Host, query.Path, query.RawPath, query.User, query.Opaque = "", "", "", "", nil, ""
	return address{before, query.String()}
}

func (a address) of(op Operation) string {
	if a.before == "" {
		return ""
	}
	return a.before + string(op) + a.behind
}

// queryParams gives a query its parameters in wire order. The memo is not
// signed and comes behind the signature.
func (o own) queryParams(keys *envelope.Keys) []soap.Param {
	v := o.ptr.Elem()
	params := []soap.Param{{Name: "argMerCode", Value: keys.MerCode()}}
	signed := []string{keys.MerCode()}
	var memo []soap.Param
	for _, f := range codec.Fields(v.Type()) {
		p := soap.Param{Name: f.Name, Value: codec.Text(v, &f)}
		if f.Name == "argMemo" {
			memo = append(memo, p)
			continue
		}
		params = append(params, p)
		signed = append(signed, p.Value)
	}
	params = append(params, soap.Param{Name: "argSign", Value: keys.SignText(signed...)})
	return append(params, memo...)
}
