package orderstest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"

	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// BenchmarkGrowth fills books with orders of three years and measures what the
// book does in each of them, call by call in turn, so that all see the same
// machine. The metrics are microseconds per call, the mean of the fastest nine
// tenths, and their ratio to the first size. IPS_GROWTH has the sizes:
//
//	IPS_GROWTH=10000,1000000 go test -run '^$' -bench Growth/MariaDB -benchtime 1x -timeout 5h -v .
//
// An order takes about 1.5 kB of disk. The servers have their default settings, but
// while they are filled.
func BenchmarkGrowth(b *testing.B) {
	var sizes []int
	for text := range strings.SplitSeq(os.Getenv("IPS_GROWTH"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Skip("IPS_GROWTH is not set to numbers of orders")
		}
		sizes = append(sizes, n)
	}
	templates := templatesOf(b)
	for _, d := range databases() {
		if d.name == "PgBouncer" {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			var all []*grown
			for _, n := range sizes {
				g := &grown{floor: newFloor(b, d), templates: templates, n: n, begun: time.Now()}
				g.fill()
				b.Logf("%d orders in %s: %s", n, time.Since(g.begun).Round(time.Second), g.space())
				all = append(all, g)
				b.Cleanup(g.drop)
			}
			inTurn(all, "record") // to warm up
			for _, s := range all[0].steps() {
				costs := inTurn(all, s.name)
				for i, g := range all {
					b.Run(fmt.Sprintf("%s/%d", s.name, g.n), func(b *testing.B) {
						b.ReportMetric(0, "ns/op")
						b.ReportMetric(costs[i], "µs")
						b.ReportMetric(costs[i]/costs[0], "ratio")
					})
				}
			}
		})
	}
}

// inTurn is what a step costs in each book, in microseconds. Calls are prepared a
// few at a time and in another order each time: what was prepared last is still in
// some cache.
func inTurn(all []*grown, name string) []float64 {
	const few = 10
	took, steps := make([][]float64, len(all)), make([]growthStep, len(all))
	calls := make([]func(i int), len(all))
	n := 0
	for i, g := range all {
		for _, s := range g.steps() {
			if s.name == name {
				n, steps[i] = s.calls, s
			}
		}
	}
	for call := range n {
		for k := range all {
			if i := (k + call/few) % len(all); call%few == 0 {
				calls[i] = steps[i].prepare(call, min(few, n-call))
			}
		}
		for k := range all {
			i := (k + call) % len(all)
			begun := time.Now()
			calls[i](call)
			if call >= n/10 { // the first ones warm up
				took[i] = append(took[i], float64(time.Since(begun).Nanoseconds())/1000)
			}
		}
	}
	costs := make([]float64, len(all))
	for i := range all {
		slices.Sort(took[i])
		took[i] = took[i][:max(1, len(took[i])*9/10)]
		for _, us := range took[i] {
			costs[i] += us / float64(len(took[i]))
		}
	}
	return costs
}

// template is an order that has ended, as its tables have it.
type template struct {
	no                    string
	order                 []any // by orderColumns
	answer                []byte
	bare                  string // what its digest is made of
	digest, says, verdict string
	way                   int64
	op                    ips.Operation
	form                  bool
}

var orderColumns = strings.Split("order_key merchant op order_no click subject state ver mark lease lease_us due_us made_us touched_us ended_us "+
	"sent_us handed_us notfound_us fen sent handed tries heard notfound flags body", " ")

func column(name string) int { return slices.Index(orderColumns, name) }

// templatesOf records and ends one order of each kind.
func templatesOf(b *testing.B) []template {
	f := newFloor(b, databases()[0])
	p := f.platform
	client := p.client(b)
	p.fates = func(_, _ string, message int) fate { return fine }
	var all []template
	for i, req := range []ips.Request{recharge(100 * ips.Yuan), withdraw(50 * ips.Yuan), withholding(70 * ips.Yuan), withholding(80 * ips.Yuan), release(5)} {
		if i == 3 {
			p.fates = func(_, _ string, message int) fate { return refused }
		}
		var o orders.Order
		require.NoError(b, inTx(bg(), f.db, func(tx *sql.Tx) (err error) {
			o, err = f.book.Record(bg(), tx, req, orders.Hold())
			return err
		}))
		info, _ := o.Operation.Info()
		t := template{no: o.OrderNo, op: o.Operation, form: info.Transport == ips.Redirect}
		if t.form {
			form, err := f.book.Form(bg(), o)
			require.NoError(b, err)
			require.Equal(b, http.StatusOK, post(client, f.book.Hear, o.Operation, p.carry(form)))
		} else {
			_, err := f.book.Send(bg(), o)
			require.NoError(b, err)
		}
		p.fates = func(_, _ string, message int) fate { return fine }
		t.order = make([]any, len(orderColumns))
		into := make([]any, len(orderColumns))
		for i := range into {
			into[i] = &t.order[i]
		}
		require.NoError(b, f.db.QueryRow("SELECT "+strings.Join(orderColumns, ", ")+" FROM ips_order WHERE order_key = ?", o.Key).Scan(into...))
		require.NoError(b, f.db.QueryRow("SELECT digest, says, verdict, way, body FROM ips_answer WHERE order_key = ?", o.Key).Scan(&t.digest, &t.says, &t.verdict, &t.way, &t.answer))
		require.Equal(b, byte('j'), t.answer[0], "a template that is not zipped")
		a, err := ips.UnmarshalResponse(t.op, t.answer[1:])
		require.NoError(b, err)
		base := a.Base()
		base.Via, base.Message, base.Extra = 0, "", nil
		bare, err := ips.MarshalResponse(a)
		require.NoError(b, err)
		sum := sha256.Sum256(bare)
		require.Equal(b, t.digest, hex.EncodeToString(sum[:]))
		t.bare = string(bare)
		all = append(all, t)
	}
	return all
}

// grown is a book with many orders.
type grown struct {
	*floor
	templates []template
	n         int
	begun     time.Time
}

const years = 3 * 365 * 24 * time.Hour

func mix(i int) uint64 {
	x := (uint64(i) + 1) * 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// kindOf is the template of the order i: of 20 orders 10 recharges, 5
// withdrawals, 4 withholdings, of which some are refused, and a release.
func (g *grown) kindOf(i int) *template {
	return &g.templates[[20]int{0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 4}[mix(i)%20]]
}

// madeAt is when the order i was recorded: evenly in three years.
func (g *grown) madeAt(i int) time.Time {
	return g.begun.Add(-time.Minute - years + time.Duration(float64(years)*float64(i+1)/float64(g.n)))
}

// number is as long as those of the book, and begins with the time as they do.
func (g *grown) number(i int) string {
	var random [16]byte
	copy(random[:], fmt.Sprintf("%016x", mix(i)))
	return "T" + g.madeAt(i).In(ips.China).Format("060102150405") + base32.StdEncoding.EncodeToString(random[:])[:13]
}

func (g *grown) key(i int) string {
	t := g.kindOf(i)
	return strings.Replace(t.order[column("order_key")].(string), t.no, g.number(i), 1)
}

// ended reports whether the order i has an answer, as all have but abandoned forms
// and the newest.
func (g *grown) ended(i int) (closed, open bool) {
	return g.kindOf(i).form && mix(i)/20%6 == 0, i >= g.n-max(1000, g.n/1000)
}

// said is IPS's answer to the order i.
func (g *grown) said(tb testing.TB, i int) ips.Response {
	t := g.kindOf(i)
	a, err := ips.UnmarshalResponse(t.op, []byte(strings.ReplaceAll(string(t.answer[1:]), t.no, g.number(i))))
	require.NoError(tb, err)
	return a
}

// answered is the youngest order behind i, going back, that has an answer.
func (g *grown) answered(i int) int {
	for ; i > 0; i-- {
		if closed, open := g.ended(i); !closed && !open {
			break
		}
	}
	return i
}

type sheet struct {
	table   string
	columns []string
	rows    [][]any
}

func (s *sheet) add(row ...any) { s.rows = append(s.rows, row) }

// fill makes the orders, in the order of their time.
func (g *grown) fill() {
	g.exec("DELETE FROM ips_order")
	g.exec("DELETE FROM ips_answer")
	g.quick(true)
	const chunk = 20_000
	for from := 0; from < g.n; from += chunk {
		os := &sheet{table: "ips_order", columns: orderColumns}
		as := &sheet{table: "ips_answer", columns: []string{"order_key", "digest", "says", "way", "verdict", "heard_us", "body"}}
		es := &sheet{table: "ips_event", columns: []string{"order_key", "ver", "at_us", "what", "who", "why"}}
		ms := &sheet{table: "ips_matter", columns: []string{"matter_key", "order_key", "kind", "opened_us", "closed_us", "who", "why", "detail"}}
		gs := &sheet{table: "ips_gone", columns: []string{"order_key", "click", "state", "made_us", "ended_us", "fen"}}
		ss := &sheet{table: "ips_stray", columns: []string{"order_key", "first_us", "last_us", "times", "says"}}
		for i := from; i < min(g.n, from+chunk); i++ {
			g.one(i, os, as, es, ms, gs, ss)
		}
		for _, s := range []*sheet{os, as, es, ms, gs, ss} {
			if len(s.rows) > 0 {
				g.load(s)
			}
		}
	}
	g.quick(false)
}

func (g *grown) one(i int, os, as, es, ms, gs, ss *sheet) {
	t, no, key := g.kindOf(i), g.number(i), g.key(i)
	made := g.madeAt(i).UnixMicro()
	end := made + 40_000_000
	row := slices.Clone(t.order)
	row[column("order_key")], row[column("order_no")] = key, no
	row[column("made_us")], row[column("touched_us")], row[column("ended_us")] = made, end, end
	row[column("mark")] = no + "0000"
	row[column("body")] = []byte(strings.ReplaceAll(string(t.order[column("body")].([]byte)), t.no, no))
	row[column("handed_us")], row[column("sent_us")] = int64(0), int64(0)
	var click any
	if mix(i)/500%10 < 3 {
		sum := sha256.Sum256([]byte(key))
		click = hex.EncodeToString(sum[:])
	}
	row[column("click")] = click
	ver := int64(2)
	happened := func(what string, at int64) {
		es.add(key, ver, at, what, "", "")
		ver++
	}
	if t.form {
		row[column("handed_us")] = made + 1000
		happened("form", made+1000)
	} else {
		row[column("sent_us")] = made + 1000
		happened("send", made+1000)
	}
	closed, open := g.ended(i)
	switch {
	case open:
		row[column("ended_us")], row[column("flags")], row[column("heard")] = int64(0), int64(128), int64(0)
		row[column("due_us")] = time.Now().Add(24*time.Hour).UnixMicro() + int64(mix(i)%1_000_000)
		row[column("state")] = "recorded"
		if !t.form {
			row[column("state")], row[column("flags")] = "unknown", int64(0)
			if mix(i)%3 == 0 {
				row[column("flags")] = int64(64)
				ms.add(key+"#unknown", key, "unknown", made, int64(0), "", "", []byte("jnull"))
			}
		}
	case closed:
		happened("asked: not found", end)
		end += 86400_000_000
		row[column("state")], row[column("flags")], row[column("heard")], row[column("notfound")] = "closed", int64(128+32), int64(0), int64(2)
		row[column("touched_us")], row[column("ended_us")], row[column("notfound_us")] = end, end, end
		happened("asked: not found", end)
	default:
		sum := sha256.Sum256([]byte(strings.ReplaceAll(t.bare, t.no, no)))
		as.add(key, hex.EncodeToString(sum[:]), t.says, t.way, t.verdict, end, []byte(strings.ReplaceAll(string(t.answer), t.no, no)))
		if mix(i)/5000%200 == 0 {
			ms.add(key+"#wrong#"+hex.EncodeToString(sum[:8]), key, "wrong", end, end+1, "王五", "seen: 环迅对账单", []byte("jnull"))
		}
	}
	row[column("ver")] = ver
	os.rows = append(os.rows, row)
	if i%10 == 0 {
		if click != nil {
			sum := sha256.Sum256([]byte("gone" + key))
			click = hex.EncodeToString(sum[:])
		}
		gone := strings.Replace(key, "T", "G", 1)
		gs.add(gone, click, "done", made, end, int64(10_000))
	}
	if i%100 == 0 {
		ss.add(strings.TrimSuffix(strings.Replace(key, "T", "X", 1), "01"), made, end, int64(2), "success")
	}
}

func (g *grown) exec(texts ...string) {
	for _, text := range texts {
		_, err := g.db.Exec(text)
		require.NoError(g.tb, err, text)
	}
}

// quick lets a server be filled, and measures it as it is by default.
func (g *grown) quick(on bool) {
	switch {
	case g.kind.dialect == orders.MySQL && on:
		g.exec("SET GLOBAL innodb_buffer_pool_size = 2147483648", "SET GLOBAL innodb_flush_log_at_trx_commit = 0", "SET GLOBAL innodb_log_file_size = 1073741824")
	case g.kind.dialect == orders.MySQL:
		g.exec("SET GLOBAL innodb_max_dirty_pages_pct = 0", "ANALYZE TABLE ips_order, ips_answer, ips_event, ips_matter, ips_gone, ips_stray")
		for range 6000 {
			var name string
			var dirty int
			require.NoError(g.tb, g.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'").Scan(&name, &dirty))
			if dirty < 100 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		g.exec("SET GLOBAL innodb_max_dirty_pages_pct = 90", "SET GLOBAL innodb_log_file_size = 100663296", "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
			"SET GLOBAL innodb_buffer_pool_size = 134217728")
	case g.kind.dialect == orders.PostgreSQL && on:
		g.exec("ALTER SYSTEM SET max_wal_size = '2GB'", "SELECT pg_reload_conf()")
	case g.kind.dialect == orders.PostgreSQL:
		g.exec("ALTER SYSTEM RESET max_wal_size", "SELECT pg_reload_conf()", "VACUUM (ANALYZE, FREEZE)", "CHECKPOINT")
	default:
		g.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
}

var tsv = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r", "\x00", "\\0")

// load puts rows into a table as fast as the database takes them.
func (g *grown) load(s *sheet) {
	columns := strings.Join(s.columns, ", ")
	switch g.kind.dialect {
	case orders.MySQL:
		r, w := io.Pipe()
		mysql.RegisterReaderHandler("rows", func() io.Reader { return r })
		go func() {
			out := bufio.NewWriterSize(w, 1<<20)
			for _, row := range s.rows {
				for i, v := range row {
					if i > 0 {
						_ = out.WriteByte('\t')
					}
					switch v := v.(type) {
					case nil:
						_, _ = out.WriteString(`\N`)
					case []byte:
						_, _ = tsv.WriteString(out, string(v))
					case string:
						_, _ = tsv.WriteString(out, v)
					default:
						_, _ = fmt.Fprint(out, v)
					}
				}
				_ = out.WriteByte('\n')
			}
			_ = w.CloseWithError(out.Flush())
		}()
		result, err := g.db.Exec("LOAD DATA LOCAL INFILE 'Reader::rows' INTO TABLE " + s.table + " CHARACTER SET binary (" + columns + ")")
		require.NoError(g.tb, err)
		n, err := result.RowsAffected()
		require.NoError(g.tb, err)
		require.EqualValues(g.tb, len(s.rows), n, s.table)
	case orders.PostgreSQL:
		conn, err := g.db.Conn(bg())
		require.NoError(g.tb, err)
		defer conn.Close()
		require.NoError(g.tb, conn.Raw(func(c any) error {
			_, err := c.(*stdlib.Conn).Conn().CopyFrom(bg(), pgx.Identifier{s.table}, s.columns, pgx.CopyFromRows(s.rows))
			return err
		}))
	default:
		require.NoError(g.tb, inTx(bg(), g.db, func(tx *sql.Tx) error {
			insert, err := tx.Prepare("INSERT INTO " + s.table + " (" + columns + ") VALUES (?" + strings.Repeat(", ?", len(s.columns)-1) + ")")
			if err != nil {
				return err
			}
			defer insert.Close()
			for _, row := range s.rows {
				if _, err := insert.Exec(row...); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// space is what tables and indexes take.
func (g *grown) space() string {
	query := map[orders.Dialect]string{
		orders.MySQL: "SELECT CONCAT(table_name, '.', index_name), stat_value * @@innodb_page_size FROM mysql.innodb_index_stats WHERE stat_name = 'size' AND database_name = DATABASE() ORDER BY 2 DESC",
		orders.PostgreSQL: "SELECT relname::text, CASE WHEN relkind = 'r' THEN pg_table_size(oid) ELSE pg_relation_size(oid) END FROM pg_class WHERE relname LIKE 'ips_%' " +
			"AND relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC",
		orders.SQLite: "SELECT name, SUM(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC",
	}[g.kind.dialect]
	rows, err := g.db.Query(query)
	require.NoError(g.tb, err)
	defer rows.Close()
	sum := 0.0
	var all []string
	for rows.Next() {
		var name string
		var bytes float64
		require.NoError(g.tb, rows.Scan(&name, &bytes))
		sum += bytes
		if mb := bytes / (1 << 20); mb >= 1 {
			all = append(all, fmt.Sprintf("%s %.0f", name, mb))
		}
	}
	require.NoError(g.tb, rows.Err())
	return fmt.Sprintf("%.0f MB, %.0f bytes an order (MB: %s)", sum/(1<<20), sum/float64(g.n), strings.Join(all, ", "))
}

func (g *grown) drop() {
	for _, name := range []string{"ips_order", "ips_answer", "ips_event", "ips_matter", "ips_gone", "ips_stray", "ips_carried"} {
		_, _ = g.db.Exec("DROP TABLE " + name)
	}
}

type growthStep struct {
	name    string
	calls   int
	prepare func(from, n int) func(i int) // i from from on
}

func (g *grown) steps() []growthStep {
	const calls = 300
	plain := func(f func(i int)) func(int, int) func(int) { return func(int, int) func(int) { return f } }
	recent := func(i int) int { return g.n - 1 - int(mix(i)%uint64(min(5000, g.n))) }
	old := func(i int) int { return int(mix(i) % uint64(g.n)) }
	recorded := func(req ips.Request, opts ...orders.RecordOption) (o orders.Order) {
		require.NoError(g.tb, inTx(bg(), g.db, func(tx *sql.Tx) (err error) {
			o, err = g.book.Record(bg(), tx, req, opts...)
			return err
		}))
		return o
	}
	order := func(i int) {
		_, err := g.book.Order(bg(), g.key(i))
		require.NoError(g.tb, err)
	}
	copied := func(at func(int) int) func(from, n int) func(int) {
		return func(from, n int) func(int) {
			answers := make([]ips.Response, n)
			for i := range answers {
				answers[i] = g.said(g.tb, g.answered(at(from+i)))
			}
			return func(i int) { require.NoError(g.tb, g.book.Hear(bg(), answers[i-from])) }
		}
	}
	console := g.book.Console(func(*http.Request) (string, bool) { return "王五", true })
	page := func(path string) {
		w := httptest.NewRecorder()
		console.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(g.tb, http.StatusOK, w.Code)
	}
	return []growthStep{
		{"record", calls, plain(func(int) { g.record() })},
		{"record with a click", calls, plain(func(i int) {
			require.True(g.tb, recorded(recharge(100*ips.Yuan), orders.Click(fmt.Sprint("token", g.n, i))).New)
		})},
		{"form", calls, func(from, n int) func(int) {
			all := make([]orders.Order, n)
			for i := range all {
				all[i] = g.record()
			}
			return func(i int) {
				_, err := g.book.Form(bg(), all[i-from])
				require.NoError(g.tb, err)
			}
		}},
		{"hear", calls, func(from, n int) func(int) {
			all := make([]ips.Response, n)
			for i := range all {
				all[i] = g.says(g.record())
			}
			return func(i int) { require.NoError(g.tb, g.book.Hear(bg(), all[i-from])) }
		}},
		{"copy", calls, copied(recent)},
		{"copy of any age", calls, copied(old)},
		{"send", calls, func(from, n int) func(int) {
			all := make([]orders.Order, n)
			for i := range all {
				all[i] = recorded(withholding(100*ips.Yuan), orders.Hold())
			}
			return func(i int) {
				o, err := g.book.Send(bg(), all[i-from])
				require.NoError(g.tb, err)
				require.Equal(g.tb, orders.StateDone, o.State)
			}
		}},
		{"order", calls, plain(func(i int) { order(recent(i)) })},
		{"order of any age", calls, plain(func(i int) { order(old(i)) })},
		{"find", calls, plain(func(i int) {
			t := g.kindOf(recent(i))
			_, err := g.book.Find(bg(), t.order[column("merchant")].(string), t.op, g.number(recent(i)))
			require.NoError(g.tb, err)
		})},
		{"open orders", calls, plain(func(int) {
			page, err := g.book.OpenOrders(bg(), orders.Order{}, 50)
			require.NoError(g.tb, err)
			require.Len(g.tb, page, 50)
		})},
		{"look for due", calls, plain(func(int) { require.NoError(g.tb, g.book.Do(bg())) })},
		{"run one due", calls, func(from, n int) func(int) {
			all := make([]orders.Order, n)
			for i := range all {
				all[i] = recorded(withholding(100*ips.Yuan), orders.Hold())
			}
			return func(i int) {
				_, err := g.db.Exec(bind(g.kind.dialect, "UPDATE ips_order SET due_us = 1, flags = 0 WHERE order_key = ?"), all[i-from].Key)
				require.NoError(g.tb, err)
				require.NoError(g.tb, g.book.Do(bg()))
				o, err := g.book.Order(bg(), all[i-from].Key)
				require.NoError(g.tb, err)
				require.Equal(g.tb, orders.StateDone, o.State)
			}
		}},
		{"console", calls / 3, plain(func(int) { page("/") })},
		{"console order", calls, plain(func(i int) { page("/order?key=" + url.QueryEscape(g.key(recent(i)))) })},
		{"retire 200", 8, plain(func(int) {
			ctx, stop := context.WithCancel(bg())
			defer stop()
			n, err := g.book.Retire(ctx, g.begun.Add(-years/2), func(_ context.Context, _ *sql.Tx, leaving []orders.Leaving) error {
				stop() // after this one
				return nil
			})
			require.ErrorIs(g.tb, err, context.Canceled)
			require.Equal(g.tb, 200, n)
		})},
	}
}
