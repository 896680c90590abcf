package orders

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	"github.com/ips-p2p/ips"
)

// After says what an effect left of an order that has come to nothing.
type After int

const (
	// Released: what the order was for was given back or to others. A success that
	// comes after all is a matter for a person.
	Released After = iota
	// Kept: nothing was given away. A success that comes after all runs Done.
	Kept
)

// effects are what the merchant does at the end of an operation's orders.
type effects struct {
	done    func(ctx context.Context, tx *sql.Tx, o Order, answer ips.Response) error
	refused func(ctx context.Context, tx *sql.Tx, o Order, refusal *ips.Error) (After, error)
	closed  func(ctx context.Context, tx *sql.Tx, o Order) (After, error)
}

// of is the effects of Q's operation, made if there are none.
func effectsOf[Q ips.Request](b *Book) *effects {
	t := reflect.TypeFor[Q]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("orders: effect of %v: name the request struct itself", t))
	}
	var q Q
	op := ips.OperationOf(q)
	if info, ok := op.Info(); !ok || info.Transport == ips.QueryService {
		panic(fmt.Sprintf("orders: effect of %v, which is a query", t))
	}
	if b.effects[op] == nil {
		b.effects[op] = new(effects)
	}
	return b.effects[op]
}

// Done says what a success means for the merchant's own books. f runs once for an
// order, in the transaction in which the order becomes done, whichever way the
// answer came; a batch's rows may each be done or failed. An answer whose way is
// [ips.Queried] was built from the request and has no numbers of IPS.
//
// Write with tx and with nothing else, and do not end it; another connection would
// not see the order locked, and a call of IPS could move money of which a rollback
// knows nothing. What follows from the order is recorded in the same transaction
// with the same ctx ([Book.Record]) and sent after the commit; with that ctx
// [Book.Order] and [Book.Find] read in the transaction, too. Return every error
// of tx: the transaction is then begun anew, and so is f. An UPDATE that finds no
// row is no error to a database: look at how many it has changed. An error that
// comes again is a matter, and f is tried again with the next copy and by [Book.Run].
//
// Register all effects before the first answer is heard, the same in all
// programs of one database. Done panics if Q has no such answer as R, or the
// effect already.
func Done[Q ips.Request, R ips.Response](b *Book, f func(ctx context.Context, tx *sql.Tx, o Order, q Q, a R) error) {
	e := effectsOf[Q](b)
	var q Q
	if empty, err := ips.UnmarshalResponse(ips.OperationOf(q), []byte("{}")); err != nil || reflect.TypeOf(empty) != reflect.TypeFor[R]() {
		panic(fmt.Sprintf("orders: Done: %s is answered by %T and not by %v", ips.OperationOf(q), empty, reflect.TypeFor[R]()))
	}
	once("Done", q, e.done == nil)
	e.done = func(ctx context.Context, tx *sql.Tx, o Order, answer ips.Response) error {
		q, ok := o.Request.(Q)
		a, fits := answer.(R)
		if !ok || !fits {
			return fmt.Errorf("orders: %s was recorded as %T and answered by %T", o.Operation, o.Request, answer)
		}
		return f(ctx, tx, o, q, a)
	}
}

// Refused says what a refusal means; see [Done] for how f runs. refusal is what
// IPS said; its Code is empty if only a trade query or a person said it.
func Refused[Q ips.Request](b *Book, f func(ctx context.Context, tx *sql.Tx, o Order, q Q, refusal *ips.Error) (After, error)) {
	e := effectsOf[Q](b)
	var q Q
	once("Refused", q, e.refused == nil)
	e.refused = func(ctx context.Context, tx *sql.Tx, o Order, refusal *ips.Error) (After, error) {
		q, ok := o.Request.(Q)
		if !ok {
			return Released, fmt.Errorf("orders: %s was recorded as %T", o.Operation, o.Request)
		}
		return f(ctx, tx, o, q, refusal)
	}
}

// Closed says what it means that nobody carried a form to IPS; see [Done] for how
// f runs and [Book.Run] for when an order is closed.
func Closed[Q ips.Request](b *Book, f func(ctx context.Context, tx *sql.Tx, o Order, q Q) (After, error)) {
	e := effectsOf[Q](b)
	var q Q
	once("Closed", q, e.closed == nil)
	e.closed = func(ctx context.Context, tx *sql.Tx, o Order) (After, error) {
		q, ok := o.Request.(Q)
		if !ok {
			return Released, fmt.Errorf("orders: %s was recorded as %T", o.Operation, o.Request)
		}
		return f(ctx, tx, o, q)
	}
}

func once(what string, q ips.Request, free bool) {
	if !free {
		panic(fmt.Sprintf("orders: %s of %s is registered twice", what, ips.OperationOf(q)))
	}
}

// effectError is an error that an effect returned.
type effectError struct{ err error }

func (e *effectError) Error() string { return "orders: effect: " + e.err.Error() }
func (e *effectError) Unwrap() error { return e.err }

// runEffect writes the order and runs what its new state means, after all else: an
// effect that commits the book's transaction, which it must not, ends the order
// with it.
func (b *Book) runEffect(ctx context.Context, tx *sql.Tx, o *row, req ips.Request, answer ips.Response) error {
	e := b.effects[o.operation()]
	if err := b.settleMatters(ctx, tx, o); err != nil {
		return err
	}
	o.further = nil
	o.set(flagPart, o.state == StateDone && len(failedRows(reflect.ValueOf(answer))) > 0)
	var run func(context.Context) (After, error)
	switch {
	case e == nil:
	case o.state == StateDone && e.done != nil:
		run = func(ctx context.Context) (After, error) { return Released, e.done(ctx, tx, b.order(o, req), answer) }
	case o.state == StateRefused && e.refused != nil:
		refusal := &ips.Error{Operation: o.operation(), OrderNo: o.no}
		if answer != nil {
			errors.As(answer.Err(), &refusal)
		}
		run = func(ctx context.Context) (After, error) { return e.refused(ctx, tx, b.order(o, req), refusal) }
	case o.state == StateClosed && e.closed != nil:
		run = func(ctx context.Context) (After, error) { return e.closed(ctx, tx, b.order(o, req)) }
	}
	b.step("effect")
	o.set(flagKept, run == nil)
	if run == nil {
		return nil
	}
	if err := o.save(); err != nil {
		return err
	}
	after, err := b.guarded(context.WithValue(ctx, inEffectKey{}, &inEffect{b, tx, o}), run)
	if err != nil {
		return &effectError{err}
	}
	// On MySQL a deadlock ends the transaction, and what follows would commit by
	// itself. Then what was saved is gone with it. Elsewhere a transaction that
	// failed fails to the end.
	if b.dialect == MySQL {
		var ver int64
		if err := tx.QueryRowContext(ctx, "SELECT ver FROM ips_order WHERE order_key = ? AND mark = ?", o.key, o.mark).Scan(&ver); err != nil {
			return fmt.Errorf("%w: %w", errLostTx, err)
		}
	}
	if after == Kept {
		o.set(flagKept, true)
		if _, err := tx.ExecContext(ctx, b.query("UPDATE ips_order SET flags = ? WHERE order_key = ?"), int64(o.flags), o.key); err != nil {
			return err
		}
	}
	for _, key := range o.further {
		if _, err := tx.ExecContext(ctx, b.query("UPDATE ips_order SET flags = flags - ?, due_us = ? WHERE order_key = ? AND ver = 1"), int64(flagHeld), o.now, key); err != nil {
			return err
		}
	}
	return nil
}

// failedRows are the rows of an answer, or of a batch in it, that were not carried out, by
// their place.
func failedRows(v reflect.Value) (failed []int) {
	if v = reflect.Indirect(v); v.Kind() == reflect.Struct {
		v = v.FieldByName("Rows")
	}
	for i := 0; v.IsValid() && i < v.Len(); i++ {
		if status := v.Index(i).FieldByName("Status"); status.IsValid() && status.Interface() == ips.RowFailed {
			failed = append(failed, i)
		}
	}
	return failed
}

// guarded turns a panic of an effect into an error: it must not end the program
// that runs due orders.
func (b *Book) guarded(ctx context.Context, run func(context.Context) (After, error)) (after After, err error) {
	defer func() {
		if p := recover(); p != nil {
			if b.hook != nil && b.hook.Step != nil {
				panic(p) // a test kills the program
			}
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return run(ctx)
}
