package ips

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
)

// AnswerKey identifies what an answer says. Copies of one answer, by whichever
// way, have the same key; a pending answer and the final one of the same order
// have different keys. A manual and an automatic order of one kind count as one
// operation, because their answers look the same; an end of a bid is its own.
type AnswerKey struct {
	MerchantCode string    // pMerCode
	Operation    Operation // what was asked; a manual one for its automatic sibling
	OrderNo      string    // pMerBillNo
	Says         string    // "success", "pending", or the code of a refusal
}

// Key returns the key of an answer. ok is false for an answer that has none and
// is handed on each time: to a query, undecided, or without an order number.
func (r *Reply) Key() (key AnswerKey, ok bool) {
	key = AnswerKey{MerchantCode: r.MerchantCode, Operation: orderedBy(r.Operation), OrderNo: r.OrderNo}
	switch r.Outcome {
	case Success, Pending:
		key.Says = r.Outcome.String()
	case Failure:
		key.Says = cmp.Or(string(r.Code), "failure") // a trade query gives no code
	}
	if key.Says == "" || r.OrderNo == "" || isQuery(r.Operation) {
		return AnswerKey{}, false
	}
	return key, true
}

// String gives a compact form of at most 80 ASCII bytes, fit for a unique column
// that compares bytes: VARBINARY(80) in MySQL, TEXT COLLATE "C" in PostgreSQL.
// An order number of other characters than letters, digits, '-' and '_' is in it
// by its SHA-256.
//
// Keep keys for ever: an answer that comes again after years is still a copy.
func (k AnswerKey) String() string {
	no := k.OrderNo
	if len(no) > 30 || !orderNumber(no) {
		sum := sha256.Sum256([]byte(no))
		no = base64.RawURLEncoding.EncodeToString(sum[:30]) // 40 characters, more than any number has
	}
	return k.MerchantCode + "/" + string(k.Operation) + "/" + no + "/" + k.Says
}

// Once is where the merchant's database decides whether an answer is heard for
// the first time. Duplicates are the normal case: the web return and the
// notification say the same, and IPS repeats itself.
//
// Do runs fn unless it has run before without an error for this key, and
// remembers the key if and only if fn returns nil. Do it in one transaction:
// insert the key into a table where it is unique, hand the transaction to fn in
// the context, commit if fn succeeded. Do returns fn's error, and nil for a
// duplicate. In MySQL use a plain INSERT and take error 1062 for a duplicate;
// never INSERT IGNORE, which makes duplicates of other mistakes.
type Once interface {
	Do(ctx context.Context, key AnswerKey, fn func(context.Context) error) error
}

// Deduplicated calls h once for each [AnswerKey], as once decides. An answer
// without a key gets through each time. What h finds wrong, such as another
// amount than its order has, must be an error, so that the right one is not taken
// for a copy.
func Deduplicated(once Once, h Handler) Handler {
	return func(ctx context.Context, answer Response) error {
		key, ok := answer.Base().Key()
		if !ok {
			return h(ctx, answer)
		}
		return once.Do(ctx, key, func(ctx context.Context) error { return h(ctx, answer) })
	}
}
