package orders

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
)

// Leaving is an order that moves out, with all that IPS said of it.
type Leaving struct {
	Order   Order
	Answers []ips.Response
}

// maxLeaving bounds a batch of [Book.Retire] by what is kept of its orders. Large
// bodies are zipped to about a tenth.
const maxLeaving = 1 << 20

// Retire moves orders out that have an end since before and no open matter: to is
// given them in batches of at most 200, of large ones fewer, with the transaction in
// which they leave, and keeps what it wants of them; it may be called again with the
// same after a fault of the database. Their keys, clicks and ends stay: a copy is
// still a copy, a late success a matter, a number used. Retire rests between batches,
// four times as long as each took, and returns how many have left.
func (b *Book) Retire(ctx context.Context, before time.Time, to func(ctx context.Context, tx *sql.Tx, leaving []Leaving) error) (n int, err error) {
	for {
		begun := time.Now()
		batch := 0
		err := b.within(ctx, func(context.Context) (bool, error) { return false, nil }, func(ctx context.Context, tx *sql.Tx) error {
			batch = 0
			keys, err := b.leavers(ctx, tx, before)
			if err != nil || len(keys) == 0 {
				return err
			}
			var leaving []Leaving
			size := 0
			for i, key := range keys {
				o, err := b.lock(ctx, tx, key, nil)
				if err != nil {
					return err
				}
				var matters int64 // it may have heard something since it was looked for
				if err := tx.QueryRowContext(ctx, b.query("SELECT COUNT(*) FROM ips_matter WHERE order_key = ? AND closed_us = 0"), key).Scan(&matters); err != nil {
					return err
				}
				if matters > 0 || o.endedUS > before.UnixMicro() || o.dueUS > 0 || o.leased() {
					return errLostTx // begin anew, without it
				}
				l := Leaving{}
				req, err := b.request(o)
				if err != nil {
					return err
				}
				l.Order = b.order(o, req)
				answers, err := b.answers(ctx, tx, key)
				if err != nil {
					return err
				}
				for _, s := range answers {
					data, err := b.unpack(key, s.body)
					if err != nil {
						return err
					}
					answer, err := ips.UnmarshalResponse(o.operation(), data)
					if err != nil {
						return err
					}
					l.Answers = append(l.Answers, answer)
					size += len(s.body)
				}
				leaving = append(leaving, l)
				if size += len(o.body); size > maxLeaving {
					keys = keys[:i+1]
					break
				}
			}
			if _, err := tx.ExecContext(ctx, "SAVEPOINT ips_book"); err != nil {
				return err
			}
			if err := to(ctx, tx, leaving); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT ips_book"); err != nil {
				return fmt.Errorf("%w: %w", errLostTx, err)
			}
			those := make([]any, len(keys))
			for i, key := range keys {
				those[i] = key
			}
			for _, statement := range []string{
				"INSERT INTO ips_gone (order_key, click, state, made_us, ended_us, fen) SELECT order_key, click, state, made_us, ended_us, fen FROM ips_order",
				"DELETE FROM ips_answer", "DELETE FROM ips_event", "DELETE FROM ips_matter", "DELETE FROM ips_carried", "DELETE FROM ips_order",
			} {
				if _, err := tx.ExecContext(ctx, b.query(statement+" WHERE order_key IN (?"+strings.Repeat(", ?", len(keys)-1)+")"), those...); err != nil {
					return err
				}
			}
			batch = len(keys)
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("orders: retire: %w", b.dialect.explain(err))
		}
		if n += batch; batch == 0 {
			return n, nil
		}
		rest := time.NewTimer(4 * time.Since(begun))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return n, ctx.Err()
		}
	}
}

// leavers are the next orders to move out.
func (b *Book) leavers(ctx context.Context, tx *sql.Tx, before time.Time) ([]string, error) {
	rows, err := tx.QueryContext(ctx, b.query("SELECT order_key FROM ips_order o WHERE ended_us BETWEEN 1 AND ? AND due_us = 0 AND lease_us < {now} "+
		"AND NOT EXISTS (SELECT 1 FROM ips_matter m WHERE m.order_key = o.order_key AND m.closed_us = 0) ORDER BY ended_us LIMIT 200"), before.UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
