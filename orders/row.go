package orders

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
)

// flag is a bit of an order's flags.
type flag int64

const (
	flagDuplicate flag = 1 << iota // a duplicate was heard: its number may be another system's
	flagDoubt                      // a refusal by an unlisted code waits to be confirmed
	flagHeld                       // not sent by itself
	flagRedo                       // an answer waits for its effect
	flagLate                       // done after a refusal or a closing
	flagKept                       // a late success may run its effect
	flagMatter                     // has had a matter
	flagForm                       // the user's browser carries it
	flagAgain                      // a person wants the very same message sent again
	flagAnswered                   // an answer is kept
	flagCarried                    // it has rows that another order has left failed
	flagPart                       // done, but not all of its rows
)

// row is an order as its table has it.
type row struct {
	key, merchant, op, no                      string
	state                                      State
	ver                                        int64
	mark, lease                                string
	leaseUS, dueUS, madeUS, touchedUS, endedUS int64
	sentUS, handedUS, notfoundUS, fen          int64
	sent, handed, tries, heard, notfound       int64
	flags                                      flag
	body                                       []byte
	now                                        int64 // the database's clock when it was read
	why                                        string
	further                                    []string     // keys of orders that the effect recorded
	save                                       func() error // writes it; nil once it has
	told                                       bool         // an answer that is kept says what happened
	opened                                     bool         // a matter of it was opened
}

const rowColumns = "order_key, merchant, op, order_no, state, ver, mark, lease, lease_us, due_us, made_us, touched_us, ended_us, " +
	"sent_us, handed_us, notfound_us, fen, sent, handed, tries, heard, notfound, flags, body"

func (o *row) into() []any {
	return []any{&o.key, &o.merchant, &o.op, &o.no, &o.state, &o.ver, &o.mark, &o.lease, &o.leaseUS, &o.dueUS, &o.madeUS, &o.touchedUS, &o.endedUS,
		&o.sentUS, &o.handedUS, &o.notfoundUS, &o.fen, &o.sent, &o.handed, &o.tries, &o.heard, &o.notfound, &o.flags, &o.body, &o.now}
}

func (o *row) is(f flag) bool { return o.flags&f != 0 }

func (o *row) set(f flag, on bool) {
	o.flags &^= f
	if on {
		o.flags |= f
	}
}

func (o *row) leased() bool { return o.leaseUS > o.now }

func (o *row) operation() ips.Operation { return ips.Operation(o.op) }

// last is when something of the order may last have left for IPS.
func (o *row) last() int64 { return max(o.sentUS, o.handedUS, o.madeUS) }

func us(d time.Duration) int64 { return d.Microseconds() }

func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).In(ips.China)
}

// causally makes a node of a cluster wait for what others have committed. MariaDB
// knows it; MySQL does not, and refuses the statement.
const causally = "SET STATEMENT wsrep_sync_wait=7 FOR "

// read reads an order without locking it.
func (b *Book) read(ctx context.Context, key string) (*row, error) {
	var o row
	text := b.query("SELECT " + rowColumns + ", {now} FROM ips_order WHERE order_key = ?")
	err := b.db.QueryRowContext(ctx, text, key).Scan(o.into()...)
	if errors.Is(err, sql.ErrNoRows) && b.dialect == MySQL && b.db.QueryRowContext(ctx, causally+text, key).Scan(o.into()...) == nil {
		return &o, nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("orders: %.100q: %w", key, ErrUnrecorded)
	}
	return &o, err
}

// lock reads an order and keeps others from it. Whoever comes second gets a fault
// at once, so that nobody holds a connection while he waits. If known, which was
// read before, has the order's version still, it is not read again: whatever changes
// an order that is committed raises its version.
func (b *Book) lock(ctx context.Context, tx *sql.Tx, key string, known *row) (*row, error) {
	read := func(columns string) *sql.Row {
		text := "SELECT " + columns + ", {now} FROM ips_order WHERE order_key = ?{nowait}"
		if b.dialect == SQLite { // takes the write lock before anything is read
			text = "UPDATE ips_order SET ver = ver WHERE order_key = ? RETURNING " + columns + ", {now}"
		}
		return tx.QueryRowContext(ctx, b.query(text), key)
	}
	var o row
	var err error
	if known != nil {
		var ver, now int64
		if err = read("ver").Scan(&ver, &now); err == nil && ver == known.ver {
			o = *known
			o.now = now
			return &o, nil
		}
	}
	if err == nil {
		err = read(rowColumns).Scan(o.into()...)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("orders: %.100q: %w", key, ErrUnrecorded)
	}
	return &o, err
}

// change locks an order, lets f change it and writes it, with an event that says
// what happened. f may change the order. An error of f leaves everything as it was; errSame
// is no error.
func (b *Book) change(ctx context.Context, key, what, who, why string, f func(context.Context, *sql.Tx, *row) error) (*row, error) {
	return b.changeKnown(ctx, key, nil, what, who, why, f)
}

// changeKnown is change of an order that was read a moment before.
func (b *Book) changeKnown(ctx context.Context, key string, known *row, what, who, why string, f func(context.Context, *sql.Tx, *row) error) (*row, error) {
	mark := token()
	var o *row
	err := b.within(ctx, func(ctx context.Context) (bool, error) {
		// The lock waits for a session that may still be about to commit.
		var have string
		err := b.db.QueryRowContext(ctx, b.query("SELECT mark FROM ips_order WHERE order_key = ?{lock}"), key).Scan(&have)
		return have == mark, err
	}, func(ctx context.Context, tx *sql.Tx) (err error) {
		if o, err = b.lock(ctx, tx, key, known); err != nil {
			return err
		}
		b.step(what + ":locked")
		o.save = func() error {
			o.save = nil
			return b.write(ctx, tx, o, mark, what, who, why)
		}
		if err := f(ctx, tx, o); err != nil || o.save == nil {
			return err
		}
		return o.save()
	})
	return o, err
}

func (b *Book) write(ctx context.Context, tx *sql.Tx, o *row, mark, what, who, why string) error {
	free := ""
	if o.endedUS > 0 { // a subject is taken as long as the order is open
		free = "subject = NULL, "
	}
	result, err := tx.ExecContext(ctx, b.query("UPDATE ips_order SET state = ?, ver = ver + 1, mark = ?, lease = ?, lease_us = ?, due_us = ?, touched_us = ?, ended_us = ?, "+free+
		"sent_us = ?, handed_us = ?, notfound_us = ?, sent = ?, handed = ?, tries = ?, heard = ?, notfound = ?, flags = ? WHERE order_key = ? AND ver = ?"),
		string(o.state), mark, o.lease, o.leaseUS, o.dueUS, o.now, o.endedUS, o.sentUS, o.handedUS, o.notfoundUS,
		o.sent, o.handed, o.tries, o.heard, o.notfound, int64(o.flags), o.key, o.ver)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errLostTx, err)
	}
	o.ver++
	o.mark = mark
	if o.why != "" {
		why = o.why
	}
	if o.told && who == "" && o.why == "" && strings.HasPrefix(what, heardOf) {
		return nil
	}
	_, err = tx.ExecContext(ctx, b.query("INSERT INTO ips_event (order_key, ver, at_us, what, who, why) VALUES (?, ?, ?, ?, ?, ?)"),
		o.key, o.ver, o.now, what, cut(who, 100), cut(why, 1000))
	return err
}

// cut makes of a text what every database takes, of at most n characters.
func cut(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// request is what was recorded.
func (b *Book) request(o *row) (ips.Request, error) {
	data, err := b.unpack(o.key, o.body)
	if err != nil {
		return nil, err
	}
	return ips.UnmarshalRequest(o.operation(), data)
}

// order shows a row to its user.
func (b *Book) order(o *row, req ips.Request) Order {
	return Order{
		Key: o.key, Merchant: o.merchant, Operation: o.operation(), OrderNo: o.no, State: o.state, Amount: ips.Amount(o.fen), Request: req,
		Late: o.is(flagLate), Part: o.is(flagPart), Recorded: at(o.madeUS), Ended: at(o.endedUS),
	}
}

// Order is the order with a key. With the ctx of an effect it is read in the
// effect's transaction ([Done]). The error is [ErrUnrecorded] if there is none, or
// none any more ([Book.Retire]).
func (b *Book) Order(ctx context.Context, key string) (Order, error) {
	return b.found(ctx, key, func() (*row, error) { return b.read(ctx, key) }, "order_key = ?", key)
}

// Find is [Book.Order] by the number: of the ends of a bid the open one, else the
// last.
func (b *Book) Find(ctx context.Context, merchant string, op ips.Operation, orderNo string) (Order, error) {
	key := keyOf(merchant, op, orderNo)
	return b.found(ctx, key, func() (*row, error) { o, _, err := b.lookUp(ctx, key, ""); return o, err },
		"order_key >= ? AND order_key < ? ORDER BY order_key DESC LIMIT 1", key, behind(key))
}

// found is what read finds, or in an effect the rows of its transaction.
func (b *Book) found(ctx context.Context, key string, read func() (*row, error), where string, args ...any) (Order, error) {
	if e := b.effect(ctx); e != nil {
		read = func() (*row, error) { return b.one(ctx, e.tx, where, args...) }
	}
	o, err := read()
	if err == nil && o == nil {
		err = fmt.Errorf("orders: %.100q: %w", key, ErrUnrecorded)
	}
	if err != nil {
		return Order{}, err
	}
	req, err := b.request(o)
	return b.order(o, req), err
}

// amountOf is what a request moves or is about.
func amountOf(req ips.Request) ips.Amount {
	v := reflect.Indirect(reflect.ValueOf(req))
	for _, name := range []string{"Amount", "FaceAmount"} {
		if f := v.FieldByName(name); f.IsValid() {
			if a, ok := f.Interface().(ips.Amount); ok {
				return a
			}
		}
	}
	var sum ips.Amount
	if t, ok := req.(ips.TransferRequest); ok {
		for i := range t.Rows {
			sum += t.Rows[i].Amount
		}
	}
	return sum
}

// How a body is kept: one byte says how.
const (
	plain  = 'j' // JSON
	zipped = 'z' // gzip of it
	sealed = 's' // nonce and ciphertext of one of the above
)

// pack makes of JSON what is kept. The order's key is bound to it, so that nobody
// can move it to another order.
func (b *Book) pack(key string, data []byte) ([]byte, error) {
	out := append([]byte{plain}, data...)
	if len(data) > 2048 {
		var buf bytes.Buffer
		buf.WriteByte(zipped)
		w := gzip.NewWriter(&buf)
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		out = buf.Bytes()
	}
	if len(b.aeads) == 0 {
		return out, nil
	}
	a := b.aeads[0]
	nonce := make([]byte, a.NonceSize())
	rand.Read(nonce)
	return a.Seal(append([]byte{sealed}, nonce...), nonce, out, []byte(key)), nil
}

// maxBody bounds what a kept body may unzip to: 3000 rows need less than 1 MB.
const maxBody = 64 << 20

func (b *Book) unpack(key string, kept []byte) ([]byte, error) {
	if len(kept) > 0 && kept[0] == sealed {
		opened := false
		for _, a := range b.aeads {
			if len(kept) < 1+a.NonceSize() {
				continue
			}
			if out, err := a.Open(nil, kept[1:1+a.NonceSize()], kept[1+a.NonceSize():], []byte(key)); err == nil {
				kept, opened = out, true
				break
			}
		}
		if !opened {
			return nil, fmt.Errorf("orders: %.100q: none of the keys opens what was kept", key)
		}
	}
	switch {
	case len(kept) > 0 && kept[0] == plain:
		return kept[1:], nil
	case len(kept) > 0 && kept[0] == zipped:
		r, err := gzip.NewReader(bytes.NewReader(kept[1:]))
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(r, maxBody+1))
		if err == nil && len(data) > maxBody {
			err = errors.New("too large")
		}
		return data, err
	}
	return nil, fmt.Errorf("orders: %.100q: what was kept cannot be read", key)
}

// ordinal makes a key of the beginning of one.
func ordinal(begin string, n int) string { return begin + fmt.Sprintf("%02d", n) }

func ordinalOf(key string) int {
	n, _ := strconv.Atoi(key[len(key)-2:])
	return n
}
