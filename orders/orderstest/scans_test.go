package orderstest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// No statement of the book reads a table from end to end: each would become slower
// with every order. SQLite says of each how it will be carried out.
func TestNoStatementReadsATableThrough(t *testing.T) {
	c := new(counted)
	s := newShop(t, c.on(databases()[0]))
	var mu sync.Mutex
	seen := make(map[string][]any)
	c.hear = func(query string, args []driver.NamedValue) {
		var values []any
		for _, a := range args {
			values = append(values, a.Value)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[query] = values
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { _ = db.Close() })
	b := s.effects(s.open(db, nil))
	record := func(req ips.Request, opts ...orders.RecordOption) (o orders.Order) {
		require.NoError(t, inTx(bg(), db, func(tx *sql.Tx) (err error) {
			o, err = b.Record(bg(), tx, req, opts...)
			return err
		}))
		return o
	}
	// The life of some orders, to their leaving.
	for range 2 {
		record(recharge(ips.Yuan), orders.Click("a"), orders.Only("b"))
	}
	form := record(recharge(ips.Yuan))
	_, err := b.Form(bg(), form)
	require.NoError(t, err)
	s.ips.fates = func(string, string, int) fate { return answerLost }
	lost := record(autoBid(ips.Yuan))
	_, err = b.Send(bg(), lost)
	require.NoError(t, err)
	s.ips.fates = func(string, string, int) fate { return fine }
	s.ips.mu.Lock()
	s.ips.failRow["BATCH"] = 1
	s.ips.mu.Unlock()
	batch := release(3)
	batch.OrderNo = "BATCH"
	orders.Refused(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithdrawRequest, refusal *ips.Error) (orders.After, error) {
		return orders.Kept, nil
	})
	sent, err := b.Send(bg(), record(batch))
	require.NoError(t, err)
	require.NoError(t, inTx(bg(), db, func(tx *sql.Tx) error {
		_, err := b.Carry(bg(), tx, sent, heardOf(t, db, sent), nil)
		return err
	}))
	for range 3 {
		s.advance(30 * time.Hour)
		require.NoError(t, b.Do(bg()))
	}
	_ = post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(lost.OrderNo))
	stray := recharge(ips.Yuan)
	stray.OrderNo = "STRAY"
	complete, err := s.client.Complete(stray)
	require.NoError(t, err)
	foreign, err := s.client.Form(complete)
	require.NoError(t, err)
	_ = post(s.client, b.Hear, ips.OpRecharge, s.ips.carry(foreign))
	// Those who look.
	_, err = b.Find(bg(), form.Merchant, form.Operation, form.OrderNo)
	require.NoError(t, err)
	_, err = b.OpenOrders(bg(), form, 10)
	require.NoError(t, err)
	_, err = b.Matters(bg(), orders.Matter{}, 10)
	require.NoError(t, err)
	_, err = b.Strays(bg(), 10)
	require.NoError(t, err)
	require.NoError(t, b.WriteOrders(bg(), io.Discard, time.Now().Add(-time.Hour), time.Now()))
	_, err = b.Distrust(bg(), time.Now())
	require.NoError(t, err)
	console := b.Console(func(*http.Request) (string, bool) { return "王五", true })
	for _, path := range []string{"/", "/ended", "/find?no=" + sent.OrderNo + "0", "/order?key=" + sent.Key} {
		w := httptest.NewRecorder()
		console.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, w.Code)
	}
	n, err := b.Retire(bg(), time.Now().Add(1000*time.Hour), func(context.Context, *sql.Tx, []orders.Leaving) error { return nil })
	require.NoError(t, err)
	require.Positive(t, n)

	plain, err := sql.Open(s.driver, s.dsn)
	require.NoError(t, err)
	defer plain.Close()
	asked := 0
	for query, args := range seen {
		if !strings.Contains(query, "ips_") || strings.Contains(query, "SAVEPOINT") {
			continue
		}
		asked++
		rows, err := plain.Query("EXPLAIN QUERY PLAN "+query, args...)
		require.NoError(t, err, query)
		for rows.Next() {
			var id, parent, unused int
			var detail string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
			through := strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "USING INDEX") && !strings.Contains(detail, "CONSTANT")
			assert.False(t, through, "%s\n%s", detail, query)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	assert.Greater(t, asked, 30, "statements that were looked at")
}

// What is not due yet is not looked at: PostgreSQL and MySQL have bounds at both
// ends of what they read of the index.
func TestLookForDueIsBounded(t *testing.T) {
	for _, d := range databases() {
		if d.name == "PgBouncer" || testing.Short() && d.dialect != orders.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			c := new(counted)
			s := newShop(t, c.on(d))
			for range 200 { // else PostgreSQL reads the table, which is nothing
				s.record(s.book, withholding(ips.Yuan))
			}
			db := sql.OpenDB(c)
			defer db.Close()
			b := s.open(db, nil)
			var claim string
			var args []any
			c.hear = func(query string, values []driver.NamedValue) {
				if strings.Contains(query, "due_us > 0") && strings.HasPrefix(query, "UPDATE") {
					claim, args = query, nil
					for _, v := range values {
						args = append(args, v.Value)
					}
				}
			}
			require.NoError(t, b.Do(bg()))
			require.NotEmpty(t, claim)
			var explain, want string
			switch d.dialect {
			case orders.SQLite:
				explain, want = "EXPLAIN QUERY PLAN ", "ips_order_due (due_us>? AND due_us<?)"
			case orders.PostgreSQL:
				explain, want = "EXPLAIN ", "Index Cond: ((due_us > 0) AND (due_us <="
			case orders.MySQL:
				explain, want = "EXPLAIN FORMAT=JSON ", `"access_type": "range"`
			}
			db.SetMaxOpenConns(1)
			if d.dialect == orders.PostgreSQL {
				_, err := db.Exec("SET enable_seqscan = off")
				require.NoError(t, err)
			}
			rows, err := db.Query(explain+claim, args...)
			require.NoError(t, err)
			defer rows.Close()
			columns, err := rows.Columns()
			require.NoError(t, err)
			var plan strings.Builder
			for rows.Next() {
				line := make([]sql.NullString, len(columns))
				into := make([]any, len(columns))
				for i := range line {
					into[i] = &line[i]
				}
				require.NoError(t, rows.Scan(into...))
				fmt.Fprintln(&plan, line[len(line)-1].String)
			}
			require.NoError(t, rows.Err())
			assert.Contains(t, plan.String(), want)
		})
	}
}

// heardOf is the answer that was kept of an order.
func heardOf(t *testing.T, db *sql.DB, o orders.Order) ips.Response {
	var body []byte
	require.NoError(t, db.QueryRow("SELECT body FROM ips_answer WHERE order_key = ?", o.Key).Scan(&body))
	require.Equal(t, byte('j'), body[0])
	a, err := ips.UnmarshalResponse(o.Operation, body[1:])
	require.NoError(t, err)
	return a
}

// However large the orders are that leave, few of them are in memory at once.
func TestRetireBoundsABatch(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		q := release(3000)
		for i := range q.Rows { // as little alike as those of real batches
			q.Rows[i].OriginalOrderNo = ips.NewOrderNo("C")
			q.Rows[i].Amount += ips.Amount(i)
		}
		o, err := s.book.Send(bg(), s.record(s.book, q))
		require.NoError(t, err)
		require.Equal(t, orders.StateDone, o.State)
		const many = 16
		own := strings.Join(slices.DeleteFunc(slices.Clone(orderColumns), func(c string) bool { return c == "order_key" || c == "click" || c == "subject" }), ", ")
		for i := 2; i <= many; i++ { // others like it
			key := fmt.Sprintf("%s%02d", strings.TrimSuffix(o.Key, "01"), i)
			for _, text := range []string{"INSERT INTO ips_order (order_key, " + own + ") SELECT ?, " + own + " FROM ips_order WHERE order_key = ?",
				"INSERT INTO ips_answer (order_key, digest, says, way, verdict, heard_us, body) SELECT ?, digest, says, way, verdict, heard_us, body FROM ips_answer WHERE order_key = ?"} {
				text = bind(s.kind.dialect, text)
				if s.kind.dialect == orders.PostgreSQL {
					text = strings.Replace(text, "$1", "$1::text", 1)
				}
				_, err := s.db.Exec(text, key, o.Key)
				require.NoError(t, err)
			}
		}
		var batches []int
		n, err := s.book.Retire(bg(), time.Now().Add(time.Hour), func(_ context.Context, _ *sql.Tx, leaving []orders.Leaving) error {
			batches = append(batches, len(leaving))
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, many, n)
		for _, size := range batches {
			assert.LessOrEqual(t, size, 12, "orders of 3000 rows at once")
		}
	})
}
