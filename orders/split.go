package orders

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/ips-p2p/ips"
)

// The most rows of a batch.
const (
	maxRepayRows    = 300
	maxTransferRows = 3000
)

// Split makes of a batch with too many rows requests that have no more than IPS
// takes, 300 of a repayment and 3000 of a transfer, each with the sums of its own
// rows and without a number: record them all in one transaction. What is not of a
// row, the borrower's fee for an old bid's repayment, stays with the first. Any
// other request comes back as it is.
//
// Each part is an order of its own and may end otherwise than the others, and has a
// click token of its own ([Click]) if it has one.
func Split(req ips.Request) []ips.Request {
	var parts []ips.Request
	switch q := req.(type) {
	case ips.TransferRequest:
		for rows := range slices.Chunk(q.Rows, maxTransferRows) {
			parts = append(parts, withRows(q, rows))
		}
	case ips.RepayRequest:
		for rows := range slices.Chunk(q.Rows, maxRepayRows) {
			parts = append(parts, withRows(q, rows))
		}
	case ips.AutoRepayRequest:
		for rows := range slices.Chunk(q.Rows, maxRepayRows) {
			parts = append(parts, withRows(q, rows))
		}
	case ips.RepayOldBidRequest:
		for rows := range slices.Chunk(q.Rows, maxRepayRows) {
			parts = append(parts, withRows(q, rows))
			q.Fee = 0
		}
	}
	if len(parts) < 2 {
		return []ips.Request{req}
	}
	return parts
}

// withRows is a batch of other rows, with their sums and without a number.
func withRows(req ips.Request, rows any) ips.Request {
	switch q := req.(type) {
	case ips.TransferRequest:
		q.OrderNo, q.Rows = "", rows.([]ips.TransferRow)
		return q
	case ips.RepayRequest:
		q.OrderNo, q.Rows = "", rows.([]ips.RepayRow)
		q.Amount, q.Fee = ips.RepayTotals(q.Rows)
		return q
	case ips.AutoRepayRequest:
		q.OrderNo, q.Rows = "", rows.([]ips.RepayRow)
		q.Amount, q.Fee = ips.RepayTotals(q.Rows)
		return q
	case ips.RepayOldBidRequest:
		q.OrderNo, q.Rows, q.Amount = "", rows.([]ips.RepayOldBidRow), 0
		for i := range q.Rows {
			q.Amount += q.Rows[i].Amount
		}
		return q
	}
	return req
}

// Carry records a new order for the rows of a batch that failed, in the
// transaction of the caller or of the effect that hears of them. change, if it is
// not nil, gets the request before it is recorded, for the day's date or other
// payers' accounts; it must not change which rows there are.
//
// Each row is carried once, whoever asks and how often: a second call returns the
// first one's order, whose New is false. Without failed rows the order is zero.
// What a carried order leaves failed is carried from that, once more and not by
// itself: rows that fail for good would be sent for ever. Whether that order is sent
// or given up is a matter for a person ([SendAgain], [IsRefused]).
func (b *Book) Carry(ctx context.Context, tx Tx, from Order, answer ips.Response, change func(ips.Request) ips.Request) (Order, error) {
	if _, ok := tx.(*sql.DB); ok || tx == nil {
		return Order{}, errors.New("orders: Carry wants a transaction")
	}
	req, numbers, err := failedOf(from.Request, answer)
	if err != nil || len(numbers) == 0 {
		return Order{}, err
	}
	// Whoever carries first has the batch locked until he is done.
	locked, err := b.one(ctx, tx, "order_key = ?{lock}", from.Key)
	if err != nil {
		return Order{}, b.lost(err)
	}
	if locked == nil {
		return Order{}, fmt.Errorf("orders: %.100q: %w", from.Key, ErrUnrecorded)
	}
	var to string
	err = tx.QueryRowContext(ctx, b.query("SELECT carried_to FROM ips_carried WHERE order_key = ? LIMIT 1{share}"), from.Key).Scan(&to)
	if err == nil {
		first, err := b.one(ctx, tx, "order_key = ?{share}", to)
		if err != nil || first == nil {
			return Order{}, b.lost(errors.Join(err, ErrUnrecorded))
		}
		recorded, err := b.request(first)
		return b.order(first, recorded), err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return Order{}, b.lost(err)
	}
	if change != nil {
		req = change(req)
	}
	if rowsOf(req) != len(numbers) {
		return Order{}, errors.New("orders: Carry: other rows than those that failed")
	}
	opts := []RecordOption{For(from.Merchant)}
	again := locked.is(flagCarried) && !locked.is(flagForm) // nobody but its user carries a form
	if again {
		opts = append(opts, Hold())
	}
	o, err := b.Record(ctx, tx, req, opts...)
	if err != nil {
		return Order{}, err
	}
	fresh, err := b.one(ctx, tx, "order_key = ?{lock}", o.Key)
	if err != nil || fresh == nil {
		return Order{}, b.lost(errors.Join(err, ErrUnrecorded))
	}
	if again {
		if err := b.open(ctx, tx, fresh, matterAgain, "", nil); err != nil {
			return Order{}, b.lost(err)
		}
	}
	fresh.set(flagCarried, true)
	if _, err := tx.ExecContext(ctx, b.query("UPDATE ips_order SET flags = ? WHERE order_key = ?"), int64(fresh.flags), o.Key); err != nil {
		return Order{}, b.lost(err)
	}
	for _, n := range numbers {
		if _, err := tx.ExecContext(ctx, b.query("INSERT INTO ips_carried (order_key, row_no, carried_to) VALUES (?, ?, ?)"), from.Key, n, o.Key); err != nil {
			return Order{}, b.lost(err)
		}
	}
	return o, nil
}

// failedOf is the batch of the rows that failed, and which rows of the first they
// are.
func failedOf(req ips.Request, answer ips.Response) (ips.Request, []int, error) {
	switch q := req.(type) {
	case ips.TransferRequest:
		if a, ok := answer.(*ips.TransferResponse); ok {
			failed := a.Failed(q.Rows)
			return withRows(q, failed), numbersOf(q.Rows, failed), nil
		}
	case ips.RepayRequest:
		if a, ok := answer.(*ips.RepayResponse); ok {
			failed := a.Failed(q.Rows)
			return withRows(q, failed), numbersOf(q.Rows, failed), nil
		}
	case ips.AutoRepayRequest:
		if a, ok := answer.(*ips.RepayResponse); ok {
			failed := a.Failed(q.Rows)
			return withRows(q, failed), numbersOf(q.Rows, failed), nil
		}
	case ips.RepayOldBidRequest:
		if a, ok := answer.(*ips.RepayOldBidResponse); ok {
			failed := a.Failed(q.Rows)
			q.Fee = 0
			return withRows(q, failed), numbersOf(q.Rows, failed), nil
		}
	}
	return nil, nil, fmt.Errorf("orders: %T is no batch, or %T not its answer", req, answer)
}

// numbersOf finds the failed rows among all, each once.
func numbersOf[R comparable](all, failed []R) []int {
	left := make(map[R]int)
	for _, row := range failed {
		left[row]++
	}
	var numbers []int
	for i, row := range all {
		if left[row] > 0 {
			left[row]--
			numbers = append(numbers, i)
		}
	}
	return numbers
}
