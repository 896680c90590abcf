package ips

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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
	OrderRecorded OrderState = "recorded" // has its number; nothing was heard of it
	OrderUnknown  OrderState = "unknown"  // may have been sent, and nobody knows what became of it: see [FateUnknownError]
	OrderPending  OrderState = "pending"  // IPS has accepted it and not decided
	OrderDone     OrderState = "done"     // carried out
	OrderRefused  OrderState = "refused"  // refused
)

// Change says what an answer changes for an order.
type Change int

// The changes.
const (
	// Unchanged: there is nothing to do: a copy, a pending answer that was
	// overtaken, or an answer that does not say what became of the order.
	Unchanged Change = iota
	// Changed: the order has the new state: carry out what that means.
	Changed
	// Late: a success after a refusal. The money has moved. It can happen wherever
	// the same form can be posted again, most of all at account opening, which is
	// resumed under its number. It is never a copy and never to be dropped: carry
	// it out, unless what you did on the refusal forbids it; then show it to a
	// person.
	Late
)

// ErrContradiction says that an answer contradicts what IPS has said of the
// order before. Keep both and show them to a person; the state stays as it is.
var ErrContradiction = errors.New("answer contradicts an earlier one")

// Final reports whether no further answer can change the state, a late success
// apart.
func (s OrderState) Final() bool { return s == OrderDone || s == OrderRefused }

// Next is the state after an answer that names the order. Its rules:
//
//   - a success makes it done, after a refusal too ([Late]);
//   - a pending answer makes a recorded or unknown order pending;
//   - a failure makes a recorded order refused. Once more was heard of the order, or
//     its fate is unknown, a refusal may be about a repetition of the message, so
//     one that the call itself or the user's browser brought leaves the state as
//     it is; a notification or a trade query refuses the order;
//   - [CodeBidExists] and [CodeGuarantorExists] never refuse one: the same form,
//     posted before, may have made them so;
//   - an end of a bid that is refused because the bid is over counts as done
//     ([ErrBidOver]);
//   - an end of a bid that was pending or of unknown fate is not refused because
//     IPS does not know the bid ([CodeBidUnknown], [CodeBidNoInfo]): a person looks;
//   - an undecided answer leaves the state as it is.
//
// A notification or a trade query by which an order that is done has failed is an
// [ErrContradiction]. The answer to a query is an error: that a question succeeded
// says nothing of an order; see [Asked]. Before a call leaves, write [OrderUnknown]:
// then a crash leaves the truth. Hear the answer of that first call from
// OrderRecorded.
func (s OrderState) Next(answer *Reply) (next OrderState, change Change, err error) {
	if !slices.Contains([]OrderState{OrderRecorded, OrderUnknown, OrderPending, OrderDone, OrderRefused}, s) {
		return s, Unchanged, fmt.Errorf("ips: unknown order state %.20q", string(s))
	}
	if answer == nil || isQuery(answer.Operation) {
		return s, Unchanged, errors.New("ips: no answer about an order: what a trade query says of one, Asked makes of it")
	}
	outcome := answer.Outcome
	switch {
	case outcome != Failure:
	case answer.Operation == OpEndBid && answer.Code == CodeBidOver:
		outcome = Success
	case answer.Code == CodeBidExists, answer.Code == CodeGuarantorExists,
		answer.Operation == OpEndBid && (answer.Code == CodeBidUnknown || answer.Code == CodeBidNoInfo) && (s == OrderUnknown || s == OrderPending):
		outcome = Undecided
	}
	// Whether a failure is about the order and not about this one message.
	settles := answer.Via == ServerToServer || answer.Via == Queried
	switch {
	case outcome == Success && s == OrderRefused:
		return OrderDone, Late, nil
	case outcome == Success && s != OrderDone:
		return OrderDone, Changed, nil
	case outcome == Pending && (s == OrderRecorded || s == OrderUnknown):
		return OrderPending, Changed, nil
	case outcome == Failure && s == OrderDone && settles:
		return s, Unchanged, fmt.Errorf("ips: order is %s, answer says %s: %w", s, outcome, ErrContradiction)
	case outcome == Failure && (s == OrderRecorded || settles && !s.Final()):
		return OrderRefused, Changed, nil
	default:
		return s, Unchanged, nil
	}
}
