package ips

import (
	"fmt"
	"net/url"
	"reflect"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/soap"
)

// The way out of a message: defaults, rules, document, seal.

// prepare fills in defaults, validates, writes and seals a request.
func prepare[Q any, R Response](c *Client, op *operation[Q, R], req *Q) (message sealed, orderNo string, err error) {
	v := reflect.ValueOf(req).Elem()
	p := planOf(v.Type())
	returnURL, notifyURL := c.returnURLs[op.Operation], c.notifyURLs[op.Operation]
	fillIn(v, p.returnURL, returnURL)
	fillIn(v, p.notifyURL, notifyURL)
	if err := p.validate(op.Operation, req, returnURL, notifyURL); err != nil {
		return sealed{}, "", err
	}
	if p.bidNo != nil {
		if err := c.checkInterface(op.Operation, v.FieldByIndex(p.bidNo).String()); err != nil {
			return sealed{}, "", err
		}
	}
	document, err := codec.Marshal(req, op.Variant.Text)
	if err != nil {
		return sealed{}, "", fmt.Errorf("ips: %s: %w", op.Operation, err)
	}
	orderNo = v.FieldByIndex(p.orderNo).String()
	message = c.seal.seal(document)
	c.tapSent(&op.OperationInfo, orderNo, document, message)
	return message, orderNo, nil
}

// fillIn sets the text field at index, if there is one and it is empty.
func fillIn(v reflect.Value, index []int, text string) {
	if index == nil {
		return
	}
	if f := v.FieldByIndex(index); f.String() == "" {
		f.SetString(text)
	}
}

// callbackURLs are the addresses of each operation's answers below a base; none
// if the base is empty.
func callbackURLs(base string) map[Operation]string {
	u, err := url.Parse(base)
	if base == "" || err != nil { // NewClient has told of the error
		return nil
	}
	urls := make(map[Operation]string, len(descriptions))
	for _, d := range descriptions {
		op := d.base().Operation
		urls[op] = u.JoinPath(string(op)).String()
	}
	return urls
}

// queryParams gives a query its parameters in wire order. The memo is not
// signed and comes behind the signature.
func (c *Client) queryParams(req any) []soap.Param {
	v := reflect.ValueOf(req).Elem()
	params := []soap.Param{{Name: "argMerCode", Value: c.MerchantCode()}}
	signed := []string{c.MerchantCode()}
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
	params = append(params, soap.Param{Name: "argSign", Value: c.seal.keys.SignText(signed...)})
	return append(params, memo...)
}
