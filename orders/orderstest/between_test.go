package orderstest

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// meeting is an order that two programs work on at once.
type meeting struct {
	*shop
	req    ips.Request
	token  string
	first  orders.Order // as it was recorded before the two began; the zero Order if it was not
	form   *ips.Form
	answer url.Values // what the browser brings back
	matter string
	fresh  atomic.Int64 // how often the order was recorded as a new one
	again  atomic.Int64 // how often a person had it sent again
}

// deeds are what a program can do with an order. Their errors are those of any
// program that comes second.
var deeds = map[string]func(*meeting, *orders.Book){
	"click": func(m *meeting, b *orders.Book) { m.click(b) },
	"click and go on": func(m *meeting, b *orders.Book) {
		if o, err := m.click(b); err == nil {
			if info, _ := o.Operation.Info(); info.Transport == ips.Redirect {
				_, _ = b.Form(bg(), o)
			} else {
				_, _ = b.Send(bg(), o)
			}
		}
	},
	"form":   func(m *meeting, b *orders.Book) { _, _ = b.Form(bg(), m.first) },
	"send":   func(m *meeting, b *orders.Book) { _, _ = b.Send(bg(), m.first) },
	"notify": func(m *meeting, b *orders.Book) { m.notify(b) },
	"return": func(m *meeting, b *orders.Book) {
		if m.answer != nil {
			_ = bring(m.client, b.Hear, ips.OperationOf(m.req), m.answer)
		}
	},
	"run":      func(_ *meeting, b *orders.Book) { _ = b.Do(bg()) },
	"distrust": func(_ *meeting, b *orders.Book) { _, _ = b.Distrust(bg(), time.Now().Add(-time.Hour)) },
	"retire":   func(m *meeting, b *orders.Book) { _, _ = m.retire(b) },
	"done": func(m *meeting, b *orders.Book) {
		_ = b.Decide(bg(), m.matter, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "对账单"})
	},
	"again": func(m *meeting, b *orders.Book) {
		if b.Decide(bg(), m.matter, orders.Decision{Verdict: orders.SendAgain, Who: "王五", Why: "环迅来电"}) == nil {
			m.again.Add(1)
		}
	},
	"seen": func(m *meeting, b *orders.Book) {
		_ = b.Decide(bg(), m.matter, orders.Decision{Verdict: orders.Seen, Who: "王五", Why: "等通知"})
	},
}

func (m *meeting) click(b *orders.Book) (orders.Order, error) {
	o, err := b.Begin(bg(), m.req, func(ctx context.Context, tx *sql.Tx, o orders.Order) error {
		_, err := tx.ExecContext(ctx, bind(m.kind.dialect, "INSERT INTO entry (order_key, what) VALUES (?, 'beside')"), o.Key)
		return err
	}, orders.Click(m.token))
	if err == nil && o.New {
		m.fresh.Add(1)
	}
	return o, err
}

func (m *meeting) notify(b *orders.Book) {
	if o := m.key(); o != "" {
		if notice := m.ips.notice(strings.Split(o, "/")[2]); notice != nil {
			post(m.client, b.Hear, ips.OperationOf(m.req), notice)
		}
	}
}

func (m *meeting) retire(b *orders.Book) (int, error) {
	ctx, cancel := context.WithTimeout(bg(), 5*time.Second)
	defer cancel()
	return b.Retire(ctx, time.Now().Add(time.Duration(m.skew.Load())), func(context.Context, *sql.Tx, []orders.Leaving) error { return nil })
}

// key is the order's, "" if nobody has recorded it.
func (m *meeting) key() (key string) {
	if m.first.Key != "" {
		return m.first.Key
	}
	err := m.db.QueryRow("SELECT order_key FROM entry WHERE what = 'beside' ORDER BY order_key DESC LIMIT 1").Scan(&key)
	if !errors.Is(err, sql.ErrNoRows) {
		assert.NoError(m.t, err)
	}
	return key
}

// entries are effects that write down that they have run.
func (s *shop) entries(b *orders.Book) *orders.Book {
	enter := func(ctx context.Context, tx *sql.Tx, o orders.Order, what string) error {
		_, err := tx.ExecContext(ctx, bind(s.kind.dialect, "INSERT INTO entry (order_key, what) VALUES (?, ?)"), o.Key, what)
		if err == nil && s.broken.Load() {
			return errors.New("out of paper")
		}
		return err
	}
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, _ ips.RechargeRequest, _ *ips.RechargeResponse) error {
		return enter(ctx, tx, o, "done")
	})
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, _ ips.AutoBidRequest, _ *ips.CreditorResponse) error {
		return enter(ctx, tx, o, "done")
	})
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, _ ips.WithholdingRechargeRequest, _ *ips.WithholdingRechargeResponse) error {
		return enter(ctx, tx, o, "done")
	})
	orders.Refused(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, _ ips.RechargeRequest, _ *ips.Error) (orders.After, error) {
		return orders.Kept, enter(ctx, tx, o, "refused")
	})
	orders.Refused(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, _ ips.AutoBidRequest, _ *ips.Error) (orders.After, error) {
		return orders.Kept, enter(ctx, tx, o, "refused")
	})
	return b
}

// stages are how far an order has come when the two meet, and what they may do.
var stages = []struct {
	name    string
	request func() ips.Request
	fate    fate
	prepare func(*meeting)
	deeds   []string
}{
	{"a form that nobody has recorded", func() ips.Request { return recharge(ips.Yuan) }, fine, func(*meeting) {}, []string{"click", "click and go on"}},
	{"a call that nobody has recorded", func() ips.Request { return autoBid(ips.Yuan) }, fine, func(*meeting) {}, []string{"click", "click and go on"}},
	{"a form was carried", func() ips.Request { return recharge(ips.Yuan) }, fine, (*meeting).carried, []string{"click", "form", "notify", "return", "run", "distrust", "retire"}},
	{"a form was carried and refused", func() ips.Request { return recharge(ips.Yuan) }, refused, (*meeting).carried, []string{"form", "notify", "return", "run"}},
	{"a call is due", func() ips.Request { return autoBid(ips.Yuan) }, fine, (*meeting).due, []string{"click", "send", "run", "notify", "distrust"}},
	{"a call is due and its answer will be lost", func() ips.Request { return autoBid(ips.Yuan) }, answerLost, (*meeting).due, []string{"send", "run", "notify", "distrust"}},
	{"a person is asked", func() ips.Request { return withholding(ips.Yuan) }, answerLost, func(m *meeting) {
		m.due()
		m.days(m.book, 12)
		m.asked()
	}, []string{"done", "again", "seen", "notify", "run", "retire"}},
	{"its effect has failed", func() ips.Request { return autoBid(ips.Yuan) }, fine, func(m *meeting) {
		m.due()
		m.broken.Store(true)
		_, err := m.book.Send(bg(), m.first)
		m.broken.Store(false)
		require.ErrorContains(m.t, err, "out of paper")
		m.asked()
		m.advance(time.Minute)
	}, []string{"run", "notify", "seen", "done", "distrust", "retire"}},
	{"all is over", func() ips.Request { return autoBid(ips.Yuan) }, fine, func(m *meeting) {
		m.due()
		m.do(m.book)
		m.is(m.first, orders.StateDone)
	}, []string{"click", "send", "notify", "retire", "run", "distrust"}},
}

func (m *meeting) due() {
	o, err := m.click(m.book)
	require.NoError(m.t, err)
	m.first = o
	m.advance(time.Minute)
}

func (m *meeting) asked() {
	all := m.matters()
	require.Len(m.t, all, 1)
	m.matter = all[0].Key
}

func (m *meeting) carried() {
	m.due()
	var err error
	m.form, err = m.book.Form(bg(), m.first)
	require.NoError(m.t, err)
	m.answer = m.ips.carry(m.form)
	m.advance(2 * time.Hour)
}

// watch sees each version of an order that is committed.
type watch struct {
	m    *meeting
	mu   sync.Mutex
	ver  int64
	row  string
	path []string // of states
	gone bool
}

// after are the states that may come behind one.
var after = map[string][]string{
	"recorded": {"sending", "unknown", "pending", "done", "refused", "closed"},
	"sending":  {"recorded", "unknown", "pending", "done", "refused"},
	"unknown":  {"sending", "pending", "done", "refused"},
	"pending":  {"done", "refused"},
	"refused":  {"done"},
	"closed":   {"done"},
}

func (w *watch) look() {
	key := w.m.key()
	if key == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	rows, err := w.m.db.Query(bind(w.m.kind.dialect, "SELECT ver, state, order_key, mark, lease, lease_us, due_us, touched_us, ended_us, sent_us, handed_us, notfound_us, sent, handed, tries, heard, notfound, flags "+
		"FROM ips_order WHERE order_key = ?"), key)
	if !assert.NoError(w.m.t, err) {
		return
	}
	defer rows.Close()
	if !rows.Next() {
		assert.NoError(w.m.t, rows.Err())
		w.gone = w.gone || w.row != ""
		return
	}
	var ver int64
	var state string
	rest := make([]any, 16)
	into := []any{&ver, &state}
	for i := range rest {
		rest[i] = new(sql.NullString)
		into = append(into, rest[i])
	}
	assert.NoError(w.m.t, rows.Scan(into...))
	row := state
	for _, v := range rest {
		row += " " + v.(*sql.NullString).String
	}
	assert.False(w.m.t, w.gone, "%s is back", key)
	assert.GreaterOrEqual(w.m.t, ver, w.ver, "the version of %s", key)
	if ver == w.ver {
		assert.Equal(w.m.t, w.row, row, "%s was changed, and its version was not", key)
	}
	if n := len(w.path); n == 0 || w.path[n-1] != state {
		if n > 0 {
			// A look may miss a state between two.
			reachable := slices.Contains(after[w.path[n-1]], state)
			for _, between := range after[w.path[n-1]] {
				reachable = reachable || slices.Contains(after[between], state)
			}
			assert.True(w.m.t, reachable, "%s: %s after %v", key, state, w.path)
		}
		w.path = append(w.path, state)
	}
	w.ver, w.row = ver, row
}

var allMeetings = flag.Bool("allmeetings", false, "let every deed meet every other in TestAnotherProgramBetweenAnyTwoStatements, not each third")

// Between any two statements of whatever a program does with an order, another
// program does whatever it may: nothing is lost, nothing is done twice, and no
// change leaves an order's version as it was.
func TestAnotherProgramBetweenAnyTwoStatements(t *testing.T) {
	for _, d := range databases() {
		if d.name == "PgBouncer" || testing.Short() && d.dialect != orders.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, d)
			_, err := s.db.Exec("CREATE TABLE entry (order_key VARCHAR(96) NOT NULL, what VARCHAR(10) NOT NULL)")
			require.NoError(t, err)
			s.entries(s.book)
			connect := func() (*counted, *orders.Book) {
				c := new(counted)
				c.connect(t, s.driver, s.dsn)
				db := sql.OpenDB(c)
				t.Cleanup(func() { _ = db.Close() })
				require.NoError(t, db.Ping())
				return c, s.entries(s.open(db, nil, orders.OnError(func(error) {})))
			}
			own, one := connect()
			others, other := connect()
			met := 0
			begun := time.Now()
			for _, stage := range stages {
				for i, deed := range stage.deeds {
					for j, rival := range stage.deeds {
						if !*allMeetings && (i+j)%3 != 0 {
							continue
						}
						for at, more := 1, true; more; at++ {
							m := &meeting{shop: s, req: stage.request(), token: ips.NewOrderNo("")}
							s.ips.mu.Lock()
							s.ips.fates = func(string, string, int) fate { return stage.fate }
							s.ips.mu.Unlock()
							for _, table := range []string{"entry", "ips_order", "ips_answer", "ips_event", "ips_matter", "ips_gone"} {
								_, err := s.db.Exec("DELETE FROM " + table)
								require.NoError(t, err)
							}
							stage.prepare(m)
							more = m.meet(own, others, one, other, deed, rival, at)
							met++
							if t.Failed() {
								t.Fatalf("%s: %q before statement %d of %q", stage.name, rival, at, deed)
							}
						}
					}
				}
			}
			t.Logf("%d meetings in %v", met, time.Since(begun).Round(time.Second))
		})
	}
}

// meet has a program do a deed and another one its own before a statement of it,
// and reports whether there was such a statement.
func (m *meeting) meet(own, others *counted, one, other *orders.Book, deed, rival string, at int) (more bool) {
	w := &watch{m: m}
	w.look()
	var doing sync.WaitGroup
	refused := make(chan struct{}, 1)
	others.failed = func(error) {
		select {
		case refused <- struct{}{}:
		default:
		}
	}
	n, inside := 0, false
	own.before = func(query string) {
		if query == "ROLLBACK" {
			inside = false
			return
		}
		if n++; n == at {
			more = true
			w.look()
			done := make(chan struct{})
			doing.Go(func() {
				defer close(done)
				deeds[rival](m, other)
			})
			// If a lock keeps it, it comes behind.
			wait := 2 * time.Second
			if inside {
				wait = 150 * time.Millisecond
			}
			if inside && m.kind.dialect == orders.SQLite {
				wait = 2 * time.Millisecond
			}
			timer := time.NewTimer(wait)
			select {
			case <-done:
			case <-refused:
			case <-timer.C:
			}
			timer.Stop()
			w.look()
		}
		inside = query != "COMMIT" && (inside || query == "BEGIN")
	}
	deeds[deed](m, one)
	own.before = nil
	doing.Wait()
	others.failed = nil
	w.look()
	// IPS tells what it has done, and what is open is asked for.
	for range 3 {
		m.advance(26 * time.Hour)
		m.do(m.book)
		w.look()
		m.notify(m.book)
		w.look()
	}
	_, err := m.retire(m.book)
	assert.NoError(m.t, err)
	m.check(w)
	return more
}

// check wants what must be, whoever came first.
func (m *meeting) check(w *watch) {
	key := m.key()
	if !assert.NotEmpty(m.t, key) {
		return
	}
	assert.EqualValues(m.t, 1, m.fresh.Load(), "it was recorded once")
	count := func(query string, args ...any) (n int) {
		assert.NoError(m.t, m.db.QueryRow(bind(m.kind.dialect, query), args...).Scan(&n))
		return n
	}
	assert.Equal(m.t, 1, count("SELECT COUNT(*) FROM entry WHERE what = 'beside'"))
	var state string
	if err := m.db.QueryRow(bind(m.kind.dialect, "SELECT state FROM ips_order WHERE order_key = ?"), key).Scan(&state); errors.Is(err, sql.ErrNoRows) {
		err = m.db.QueryRow(bind(m.kind.dialect, "SELECT state FROM ips_gone WHERE order_key = ?"), key).Scan(&state)
		assert.NoError(m.t, err)
	} else {
		assert.NoError(m.t, err)
	}
	done, refused := count("SELECT COUNT(*) FROM entry WHERE what = 'done' AND order_key = ?", key), count("SELECT COUNT(*) FROM entry WHERE what = 'refused' AND order_key = ?", key)
	assert.Equal(m.t, map[bool]int{true: 1}[state == "done"], done, "effects of a success, of an order that is %s", state)
	assert.LessOrEqual(m.t, refused, 1)
	assert.Equal(m.t, done+refused, count("SELECT COUNT(*) FROM entry WHERE what <> 'beside'"), "of other orders")
	d := m.ips.deal(strings.Split(key, "/")[2])
	switch {
	case d == nil || d.state == "":
		assert.NotContains(m.t, []string{"done", "refused"}, state)
	case d.state == ips.TradeDone:
		assert.Equal(m.t, "done", state, fmt.Sprint(w.path))
		again := int(m.again.Load())
		assert.LessOrEqual(m.t, again, 1)
		assert.LessOrEqual(m.t, d.messages, 1+again, "messages to IPS")
	case d.state == ips.TradeFailed:
		assert.Equal(m.t, "refused", state, fmt.Sprint(w.path))
	}
}
