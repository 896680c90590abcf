package orders

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/ips-p2p/ips"
)

// Tx is a transaction of yours: a *sql.Tx, or what other packages have instead,
// such as gorm's tx.Statement.ConnPool.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// RecordOption says more about an order.
type RecordOption func(*recording)

type recording struct {
	merchant, click, subject string
	no                       string // in place of one that the book makes
	hold, noClick            bool
}

// For says for which merchant the order is, where a book serves several.
func For(merchantCode string) RecordOption { return func(r *recording) { r.merchant = merchantCode } }

// Click makes the second of two clicks the first order: give the page that shows
// the button a random token, and Record the token that comes with the click. The
// same token with other content is [ErrOtherContent]. Content is the whole request
// but for its date and an order number that the book makes: a random bid or contract number for
// each click is other content, so derive it from the token. An empty token is an
// error: it would make the second click a second order.
func Click(token string) RecordOption {
	return func(r *recording) { r.click, r.noClick = token, token == "" }
}

// Only keeps a second order about a subject from being recorded while the first is
// open, whoever asks for it: "repay BID1" is the repayment of a bid that is under
// way. [Book.Record] returns that one, with [ErrOpen]. At its end, of which kind
// ever, the subject is free again, in its effect already; a success that comes after
// the end does not take it back. What [Book.Carry] makes has no subject.
func Only(subject string) RecordOption { return func(r *recording) { r.subject = subject } }

// Hold keeps [Book.Run] from sending the order: only [Book.Send] does.
func Hold() RecordOption { return func(r *recording) { r.hold = true } }

// inEffect is what an effect's context knows of it.
type inEffect struct {
	book  *Book
	tx    *sql.Tx
	order *row
}

type inEffectKey struct{}

// effect is this book's effect that ctx comes from, nil if from none.
func (b *Book) effect(ctx context.Context) *inEffect {
	if e, ok := ctx.Value(inEffectKey{}).(*inEffect); ok && e.book == b {
		return e
	}
	return nil
}

// Record keeps an order before anything of it is sent, in your transaction,
// beside your own rows: either both are there or neither. An empty order number
// is made by the book. The order comes back as it will go out; show the form
// ([Book.Form]) or send it ([Book.Send]) after your commit has returned nil. An
// order that needs no user is sent by [Book.Run] if you don't.
//
// The end of a bid ([ips.RegisterBidRequest.End]) keeps the number of its
// registration. After a refused end the next one is a new order under the same
// number; at most one is open.
//
// The error is an [*ips.ValidationError] if the request breaks the contract, such
// as more than 300 rows of a repayment or 3000 of a transfer ([Split] makes
// parts); [ErrRecorded], [ErrOpen] or [ErrOtherContent], each with the order that was there;
// or an error of the database, after which your transaction is over whatever it
// says of itself: roll back and begin anew.
func (b *Book) Record(ctx context.Context, tx Tx, req ips.Request, opts ...RecordOption) (Order, error) {
	if _, ok := tx.(*sql.DB); ok || tx == nil {
		return Order{}, errors.New("orders: Record wants a transaction, so that the order and what it is for are recorded together")
	}
	var r recording
	for _, opt := range opts {
		opt(&r)
	}
	if r.noClick {
		return Order{}, errors.New("orders: Click: the token is empty")
	}
	client, err := b.clients(ctx, r.merchant)
	if err != nil {
		return Order{}, err
	}
	if req == nil {
		return Order{}, errors.New("orders: no request")
	}
	info, _ := ips.OperationOf(req).Info()
	if info.Transport == ips.QueryService {
		return Order{}, fmt.Errorf("orders: %s is a query and no order", ips.OperationOf(req))
	}
	numbered := ips.OrderNo(req) != ""
	if !numbered && ips.OperationOf(req) != ips.OpEndBid {
		req = ips.WithOrderNo(req, cmp.Or(r.no, ips.NewOrderNo(b.prefix)))
	}
	if req, err = client.Complete(req); err != nil {
		return Order{}, err
	}
	o := &row{merchant: client.MerchantCode(), op: string(ips.OperationOf(req)), no: ips.OrderNo(req), state: StateRecorded, fen: int64(amountOf(req))}
	begin := keyOf(o.merchant, ips.OperationOf(req), o.no)
	o.key = ordinal(begin, 1)
	click, subject := digest(o.merchant, r.click), digest(o.merchant, r.subject)
	o.set(flagForm, info.Transport == ips.Redirect)
	o.set(flagHeld, r.hold)
	effect := b.effect(ctx)
	if effect != nil && !r.hold && !o.is(flagForm) {
		// Released at the end of the effect's transaction, if that is still alive.
		o.set(flagHeld, true)
	}
	there := false
	if numbered || click != nil {
		gone := 0
		if gone, there, err = b.known(ctx, tx, begin, ips.OperationOf(req), click); err != nil {
			return Order{}, err
		}
		o.key = ordinal(begin, gone+1)
	}
	for n := 1; ; n++ {
		fresh := false
		if n > 1 || !there {
			if fresh, err = b.insert(ctx, tx, o, req, click, subject); err != nil {
				return Order{}, b.lost(err)
			}
		}
		if fresh {
			b.step("recorded")
			if effect != nil && !r.hold && !o.is(flagForm) {
				effect.order.further = append(effect.order.further, o.key)
			}
			order := b.order(o, req)
			order.New = true
			return order, nil
		}
		if click != nil {
			first, err := b.one(ctx, tx, "click = ?{share}", click)
			if err != nil {
				return Order{}, b.lost(err)
			}
			if first != nil {
				return b.clicked(client, first, req, numbered)
			}
		}
		if subject != nil {
			open, err := b.one(ctx, tx, "subject = ?{share}", subject)
			if err != nil {
				return Order{}, b.lost(err)
			}
			if open != nil {
				return b.taken(open, ErrOpen)
			}
		}
		last, err := b.one(ctx, tx, "order_key >= ? AND order_key < ? ORDER BY order_key DESC LIMIT 1{lock}", begin, behind(begin))
		if err == nil && last == nil && there {
			err = errLostTx // it has moved out meanwhile
		}
		if err == nil && last == nil && subject != nil && n < tries {
			continue // the open one has ended meanwhile
		}
		if err != nil || last == nil {
			return Order{}, b.lost(errors.Join(err, fmt.Errorf("orders: %.100q is recorded and cannot be read", o.key)))
		}
		if ips.OperationOf(req) != ips.OpEndBid || last.state != StateRefused || ordinalOf(last.key) >= 99 {
			return b.taken(last, ErrRecorded)
		}
		o.key = ordinal(begin, ordinalOf(last.key)+1)
	}
}

// Begin is [Book.Record] in a transaction of the book's own, again from its start
// if the database loses it to others. with writes your own rows beside a new order,
// in the same transaction; nil writes none. Neither a second click nor an error
// of Record calls it; its own error leaves nothing recorded. Show the form or send the
// order next. Do not call it in an effect, which has a transaction.
func (b *Book) Begin(ctx context.Context, req ips.Request, with func(ctx context.Context, tx *sql.Tx, o Order) error, opts ...RecordOption) (o Order, err error) {
	if b.effect(ctx) != nil {
		return Order{}, errors.New("orders: Begin in an effect: use Record, in its transaction")
	}
	doubt := "" // the key of what may have been recorded
	recorded := func(ctx context.Context) (bool, error) {
		doubt = o.Key
		_, err := b.read(ctx, o.Key)
		if errors.Is(err, ErrUnrecorded) {
			return false, nil
		}
		return err == nil, err
	}
	// The database may still be about to commit what was not found. The next attempt
	// has the same number, so that it waits for that and meets it.
	no := ips.NewOrderNo(b.prefix)
	opts = append(slices.Clip(opts), func(r *recording) { r.no = no })
	err = b.within(ctx, recorded, func(ctx context.Context, tx *sql.Tx) (err error) {
		o, err = b.Record(ctx, tx, req, opts...)
		if !o.New && o.Key != "" && o.Key == doubt && !errors.Is(err, ErrOtherContent) {
			o.New = true
			return errSame
		}
		if err != nil || !o.New || with == nil {
			return err
		}
		return with(ctx, tx, o)
	})
	if err != nil && o.New {
		return Order{}, err
	}
	return o, err
}

// taken is an order in whose stead nothing was recorded.
func (b *Book) taken(o *row, why error) (Order, error) {
	recorded, err := b.request(o)
	return b.order(o, recorded), errors.Join(fmt.Errorf("orders: %.100q: %w", o.key, why), err)
}

// digest is how a text of the merchant's is kept, nil if there is none.
func digest(merchant, text string) any {
	if text == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(merchant + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

// clicked is the order of an earlier click, if the request is the same.
func (b *Book) clicked(client *ips.Client, first *row, req ips.Request, numbered bool) (Order, error) {
	recorded, err := b.request(first)
	if err != nil {
		return Order{}, err
	}
	order := b.order(first, recorded)
	if reflect.TypeOf(req) == reflect.TypeOf(recorded) { // a second click after midnight is the first order too
		dated := reflect.New(reflect.TypeOf(req)).Elem()
		dated.Set(reflect.ValueOf(req))
		if day := dated.FieldByName("Date"); day.IsValid() {
			day.Set(reflect.ValueOf(recorded).FieldByName("Date"))
		}
		req = dated.Interface().(ips.Request)
	}
	if !numbered {
		if req, err = client.Complete(ips.WithOrderNo(req, first.no)); err != nil {
			return order, err
		}
	}
	was, err := ips.MarshalRequest(recorded)
	if err != nil {
		return order, err
	}
	is, err := ips.MarshalRequest(req)
	if err != nil {
		return order, err
	}
	if ips.OperationOf(recorded) != ips.OperationOf(req) || !bytes.Equal(was, is) {
		return order, fmt.Errorf("orders: %.100q: %w", first.key, ErrOtherContent)
	}
	return order, nil
}

// lost says after an error of the database in the caller's transaction what that
// means for it.
func (b *Book) lost(err error) error {
	if b.classify(err) != Other {
		return fmt.Errorf("orders: record: your transaction is over, roll back and begin anew: %w", b.dialect.explain(err))
	}
	return fmt.Errorf("orders: record: %w", b.dialect.explain(err))
}

// insert records an order; fresh is false if its key, click or subject is taken. It is
// the first statement, because in MySQL a reading one could fix what the
// transaction sees.
func (b *Book) insert(ctx context.Context, tx Tx, o *row, req ips.Request, click, subject any) (fresh bool, err error) {
	data, err := ips.MarshalRequest(req)
	if err != nil {
		return false, err
	}
	body, err := b.pack(o.key, data)
	if err != nil {
		return false, err
	}
	due := "0"
	if !o.is(flagForm) && !o.is(flagHeld) {
		due = fmt.Sprintf("{now} + %d", us(b.pace.Grace))
	}
	text := "INSERT INTO ips_order (order_key, merchant, op, order_no, click, subject, state, ver, mark, lease, lease_us, due_us, made_us, touched_us, ended_us, " +
		"sent_us, handed_us, notfound_us, fen, sent, handed, tries, heard, notfound, flags, body) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, 1, '', '', 0, " + due + ", {now}, {now}, 0, 0, 0, 0, ?, 0, 0, 0, 0, 0, ?, ?)"
	args := []any{o.key, o.merchant, o.op, o.no, click, subject, string(o.state), o.fen, int64(o.flags), body}
	if b.dialect == MySQL {
		_, err := tx.ExecContext(ctx, b.query(text), args...)
		if b.classify(err) == Duplicate {
			return false, nil
		}
		return err == nil, err
	}
	err = tx.QueryRowContext(ctx, b.query(text+" ON CONFLICT DO NOTHING RETURNING made_us"), args...).Scan(&o.madeUS)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// one reads an order in the caller's transaction, as it is now and not as it was
// when that began: where ends with the lock for that. nil means that there is none.
func (b *Book) one(ctx context.Context, tx Tx, where string, args ...any) (*row, error) {
	var o row
	err := tx.QueryRowContext(ctx, b.query("SELECT "+rowColumns+", {now} FROM ips_order WHERE "+where), args...).Scan(o.into()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &o, err
}

// known refuses what was recorded by an order that has moved out, says how many
// refused ends of a bid have, and whether an order with the number or the click is
// there. Both are asked in one statement: an order that moves out a moment later must not
// leave its place to another.
func (b *Book) known(ctx context.Context, tx Tx, begin string, op ips.Operation, click any) (ordinal int, there bool, err error) {
	look := func(where string, args ...any) (key string, state State, in string, err error) {
		err = tx.QueryRowContext(ctx, b.query("SELECT order_key, state, 'gone' FROM ips_gone WHERE "+where+" UNION ALL SELECT order_key, state, '' FROM ips_order WHERE "+where+
			" ORDER BY order_key DESC LIMIT 1"), append(args, args...)...).Scan(&key, &state, &in)
		return key, state, in, err
	}
	key, state, gone, err := look("order_key >= ? AND order_key < ?", begin, behind(begin))
	if err == nil && gone != "" && op == ips.OpEndBid && state == StateRefused {
		ordinal, err = ordinalOf(key), sql.ErrNoRows
	}
	if errors.Is(err, sql.ErrNoRows) && click != nil {
		key, _, gone, err = look("click = ?", click)
	}
	switch {
	case err == nil && gone != "":
		return 0, false, fmt.Errorf("orders: %.100q, which has moved out: %w", key, ErrRecorded)
	case err == nil, errors.Is(err, sql.ErrNoRows):
		return ordinal, err == nil, nil
	}
	return 0, false, b.lost(err)
}
