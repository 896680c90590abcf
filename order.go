package ips

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// maxPrefix leaves room within the 30 characters of an order number.
const maxPrefix = 5

// NewOrderNo makes an order number (商户订单号 pMerBillNo) that no other call of
// it makes, in this process or another, before or after a restart: the prefix,
// the second in China, 65 random bits. It has letters and digits only, because
// later orders refer to it as pCreMerBillNo, and at most 30 characters.
//
// Record the number with the order before anything is sent. NewOrderNo panics
// if the prefix is longer than 5 characters or has others than a–z, A–Z, 0–9.
func NewOrderNo(prefix string) string {
	if len(prefix) > maxPrefix || !alnum(prefix) {
		panic(fmt.Sprintf("ips: NewOrderNo: the prefix must be at most %d letters and digits, got %.20q", maxPrefix, prefix))
	}
	// rand.Text has 5 bits in a character.
	return prefix + time.Now().In(China).Format("060102150405") + rand.Text()[:13]
}

// OrderState is how far an order has come at the merchant. Keep it with the
// order and let [OrderState.Next] decide about every answer, in the transaction
// that also carries out what the answer means.
type OrderState string

// The states of an order. Recorded comes first, before anything is sent; Done
// and Refused are final.
const (
	OrderRecorded OrderState = "recorded" // has its number, may have been sent or not
	OrderPending  OrderState = "pending"  // IPS has accepted it and not decided
	OrderDone     OrderState = "done"     // carried out
	OrderRefused  OrderState = "refused"  // refused, nothing was done
)

// ErrContradiction says that an answer contradicts what IPS has said of the
// order before. Keep both and show them to a person; the state stays as it is.
var ErrContradiction = errors.New("answer contradicts an earlier one")

// Final reports whether no further answer can change the state.
func (s OrderState) Final() bool { return s == OrderDone || s == OrderRefused }

// Next is the state after an answer with the given outcome. Changed is false
// for a copy of what is known, and for a pending answer that was overtaken by a
// final one: then there is nothing to do. A final answer that says the opposite
// of the state is an [ErrContradiction].
func (s OrderState) Next(o Outcome) (next OrderState, changed bool, err error) {
	switch o {
	case Pending:
		next = OrderPending
	case Success:
		next = OrderDone
	default:
		next = OrderRefused
	}
	switch {
	case s == next, s.Final() && next == OrderPending:
		return s, false, nil
	case s.Final():
		return s, false, fmt.Errorf("ips: order is %s, answer says %s: %w", s, next, ErrContradiction)
	case s == OrderRecorded, s == OrderPending:
		return next, true, nil
	}
	return s, false, fmt.Errorf("ips: unknown order state %.20q", string(s))
}
