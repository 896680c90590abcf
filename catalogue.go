package ips

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
)

// catalogue is all operations in the order of the manual.
var catalogue = []*operation{
	openAccount, registerBid, endBid, registerCreditor, autoBid,
	registerGuarantor, registerDebtTransfer, signAutoBid, signAutoRepay,
	recharge, transfer, repay, autoRepay, unfreezeMargin, withholdingRecharge,
	withdraw, repayOldBid, queryBalance, queryBanks, queryAccount, queryTrade,
}

// describe returns the description of the named operation, nil for no such.
func describe(name Operation) *operation {
	for _, op := range catalogue {
		if op.Operation == name {
			return op
		}
	}
	return nil
}

// Info describes the operation; ok is false for a name that is none.
func (o Operation) Info() (info OperationInfo, ok bool) {
	if op := describe(o); op != nil {
		return op.OperationInfo, true
	}
	return OperationInfo{}, false
}

// Operations lists all operations in the order of the manual.
func Operations() []OperationInfo {
	all := make([]OperationInfo, len(catalogue))
	for i, op := range catalogue {
		all[i] = op.OperationInfo
	}
	return all
}

// UnmarshalRequest reads what [MarshalRequest] made of a request of the named
// operation. The result holds the request struct itself, not a pointer, and has
// not been validated. A field that the struct does not have is an error: nothing
// of a recorded order may be lost.
func UnmarshalRequest(name Operation, data []byte) (Request, error) {
	op := describe(name)
	if op == nil {
		return nil, fmt.Errorf("ips: no operation %.40q", name)
	}
	req := reflect.New(reflect.PointerTo(op.request))
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(req.Interface()); err != nil {
		return nil, fmt.Errorf("ips: recorded request of %s: %w", name, err)
	}
	if _, err := d.Token(); err != io.EOF || req.Elem().IsNil() {
		return nil, fmt.Errorf("ips: recorded request of %s: want one object and nothing behind it", name)
	}
	return req.Elem().Elem().Interface().(Request), nil
}
