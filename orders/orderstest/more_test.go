package orderstest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
	"github.com/ips-p2p/ips/orders/internal/hook"
)

func TestSplit(t *testing.T) {
	q := ips.AutoRepayRequest{OrderNo: "A", BidNo: "BID1"}
	for range 650 {
		q.Rows = append(q.Rows, ips.RepayRow{Amount: 3 * ips.Yuan, BorrowerFee: 1 * ips.Fen})
	}
	q.Amount, q.Fee = ips.RepayTotals(q.Rows)
	parts := orders.Split(q)
	require.Len(t, parts, 3)
	var amount, fee ips.Amount
	rows := 0
	for _, p := range parts {
		part := p.(ips.AutoRepayRequest)
		assert.Empty(t, part.OrderNo)
		amount, fee, rows = amount+part.Amount, fee+part.Fee, rows+len(part.Rows)
	}
	assert.Equal(t, []any{q.Amount, q.Fee, 650}, []any{amount, fee, rows})
	assert.Len(t, orders.Split(release(3000)), 1)
	assert.Len(t, orders.Split(release(3001)), 2)
	assert.Equal(t, []ips.Request{recharge(1)}, orders.Split(recharge(1)))
	old := ips.RepayOldBidRequest{Fee: 5, Rows: make([]ips.RepayOldBidRow, 301)}
	parts = orders.Split(old)
	assert.Equal(t, ips.Amount(5), parts[0].(ips.RepayOldBidRequest).Fee)
	assert.Zero(t, parts[1].(ips.RepayOldBidRequest).Fee)
}

// The failed rows of a batch go into a new order once, whoever asks.
func TestCarry(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		var carried []orders.Order
		var kept ips.Response
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
			next, err := b.Carry(ctx, tx, o, a, nil)
			if err == nil && next.Key != "" {
				carried = append(carried, next)
				kept = a
			}
			return err
		})
		first := release(4)
		first.OrderNo = "REL1"
		s.ips.failRow["REL1"] = 2
		o, err := b.Send(bg(), s.record(b, first))
		require.NoError(t, err)
		require.Equal(t, orders.StateDone, o.State)
		require.Len(t, carried, 1)
		assert.True(t, o.Part)
		console := httptest.NewRecorder()
		b.Console(func(*http.Request) (string, bool) { return "王五", true }).ServeHTTP(console, httptest.NewRequest(http.MethodGet, "/ended", nil))
		assert.Contains(t, console.Body.String(), "成功（部分）")
		var day strings.Builder
		require.NoError(t, b.WriteOrders(bg(), &day, o.Recorded.Add(-time.Hour), o.Recorded.Add(time.Hour)))
		assert.Contains(t, day.String(), "部分明细未成功")
		rows := carried[0].Request.(ips.TransferRequest).Rows
		require.Len(t, rows, 1)
		assert.Equal(t, "C002", rows[0].OriginalOrderNo)
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			again, err := b.Carry(bg(), tx, o, kept, nil)
			assert.False(t, again.New)
			assert.Equal(t, carried[0].Key, again.Key)
			return err
		}))
		s.do(b)
		s.is(carried[0], orders.StateDone)
		whole, err := b.Order(bg(), carried[0].Key)
		require.NoError(t, err)
		assert.False(t, whole.Part)
	})
}

// Rows that fail for good are sent twice by themselves, and then if a person says so.
func TestCarriedRowsFailAgain(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		var carried []orders.Order
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
			next, err := b.Carry(ctx, tx, o, a, nil)
			if next.Key != "" {
				carried = append(carried, next)
				s.ips.mu.Lock()
				s.ips.failRow[next.OrderNo] = 0
				s.ips.mu.Unlock()
			}
			return err
		})
		first := release(2)
		first.OrderNo = "REL1"
		s.ips.failRow["REL1"] = 1
		_, err := b.Send(bg(), s.record(b, first))
		require.NoError(t, err)
		for range 4 {
			s.advance(time.Hour)
			s.do(b)
		}
		require.Len(t, carried, 2)
		s.is(carried[0], orders.StateDone)
		s.is(carried[1], orders.StateRecorded)
		require.Equal(t, []string{"again"}, s.kinds())
		decide := func(v orders.Verdict) {
			require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: v, Who: "王五", Why: "客户已换卡"}))
			s.do(b)
		}
		decide(orders.SendAgain)
		s.is(carried[1], orders.StateDone)
		require.Len(t, carried, 3)
		require.Equal(t, []string{"again"}, s.kinds())
		decide(orders.IsRefused)
		s.is(carried[2], orders.StateRefused)
		assert.Empty(t, s.kinds())
		assert.Nil(t, s.ips.deal(carried[2].OrderNo), "given up and never sent")
	})
}

func TestRetire(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		orders.Refused(b, func(context.Context, *sql.Tx, orders.Order, ips.RechargeRequest, *ips.Error) (orders.After, error) {
			return orders.Released, nil
		})
		done := s.record(b, autoBid(10*ips.Yuan))
		_, err := b.Send(bg(), done)
		require.NoError(t, err)
		s.ips.fates = func(string, string, int) fate { return refused }
		no := s.record(b, recharge(10*ips.Yuan), orders.Click("old"))
		form, err := b.Form(bg(), no)
		require.NoError(t, err)
		require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
		s.is(no, orders.StateRefused)
		open := s.record(b, recharge(10*ips.Yuan))
		var out []orders.Leaving
		n, err := b.Retire(bg(), time.Now().Add(time.Hour), func(_ context.Context, _ *sql.Tx, leaving []orders.Leaving) error {
			out = append(out, leaving...)
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		require.Len(t, out, 2)
		assert.Len(t, out[0].Answers, 1)
		s.is(open, orders.StateRecorded)
		_, err = b.Order(bg(), done.Key)
		require.ErrorIs(t, err, orders.ErrUnrecorded)
		// A copy is still a copy, a used click used, a late success a matter.
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(done.OrderNo)))
		assert.Empty(t, s.matters())
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			_, err := b.Record(bg(), tx, recharge(10*ips.Yuan), orders.Click("old"))
			assert.ErrorIs(t, err, orders.ErrRecorded)
			return nil
		}))
		s.ips.finish(no.OrderNo, ips.TradeDone)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(no.OrderNo)))
		require.Equal(t, []string{"late"}, s.kinds())
		require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.Seen, Who: "王五", Why: "人工入账"}))
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
	})
}

func TestConsole(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o := s.record(b, withholding(10*ips.Yuan))
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		console := b.Console(func(r *http.Request) (string, bool) { return r.Header.Get("X-Staff"), true })
		ask := func(method, target, staff, origin string, form url.Values) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Staff", staff)
			if origin != "" {
				r.Header.Set("Sec-Fetch-Site", origin)
			}
			w := httptest.NewRecorder()
			console.ServeHTTP(w, r)
			return w
		}
		assert.Equal(t, http.StatusForbidden, ask("GET", "/", "", "", nil).Code)
		home := ask("GET", "/", "王五", "", nil)
		assert.Contains(t, home.Body.String(), "订单结果长时间未知")
		assert.Contains(t, home.Body.String(), o.OrderNo)
		page := ask("GET", "/order?key="+url.QueryEscape(o.Key), "王五", "", nil).Body.String()
		assert.Contains(t, page, "没有答复")
		assert.NotContains(t, page, account)
		assert.NotContains(t, page, "110101199001010001")
		assert.NotContains(t, page, "张三")
		matter := regexp.MustCompile(`name="matter" value="([^"]+)"`).FindStringSubmatch(page)
		require.Len(t, matter, 2)
		form := url.Values{"matter": {matter[1]}, "verdict": {"done"}, "why": {"对账单 <b>"}}
		assert.Equal(t, http.StatusForbidden, ask("POST", "/decide", "王五", "cross-site", form).Code)
		s.is(o, orders.StateUnknown)
		assert.Equal(t, http.StatusSeeOther, ask("POST", "/decide", "王五", "same-origin", form).Code)
		s.is(o, orders.StateDone)
		assert.Equal(t, http.StatusConflict, ask("POST", "/decide", "王五", "same-origin", form).Code)
		page = ask("GET", "/order?key="+url.QueryEscape(o.Key), "王五", "", nil).Body.String()
		assert.Contains(t, page, "王五")
		assert.Contains(t, page, "对账单 &lt;b&gt;")
		assert.Equal(t, http.StatusNotFound, ask("GET", "/order?key=no", "王五", "", nil).Code)
	})
}

// A person comes with a number, or looks through what has ended.
func TestConsoleFinds(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		console := http.StripPrefix("/staff", b.Console(func(*http.Request) (string, bool) { return "王五", true }))
		ask := func(target string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			console.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
			return w
		}
		assert.Contains(t, ask("/staff/find?no=X").Body.String(), "没有这个订单号")
		var keys []string // from the newest
		for range 51 {
			o := s.record(b, withholding(1234*ips.Yuan), orders.Hold())
			s.advance(time.Second)
			_, err := b.Send(bg(), o)
			require.NoError(t, err)
			s.is(o, orders.StateDone)
			keys = append([]string{o.Key}, keys...)
		}
		listed := func(page string) (found []string) {
			for _, m := range regexp.MustCompile(`order\?key=([^"]+)"`).FindAllStringSubmatch(page, -1) {
				key, err := url.QueryUnescape(m[1])
				require.NoError(t, err)
				found = append(found, key)
			}
			return found
		}
		page := ask("/staff/ended").Body.String()
		next := regexp.MustCompile(`href="(\?[^"]+)">下一页`).FindStringSubmatch(page)
		require.Len(t, next, 2, page)
		last := ask("/staff/ended" + html.UnescapeString(next[1])).Body.String()
		assert.NotContains(t, last, "下一页")
		assert.Equal(t, keys, append(listed(page), listed(last)...))
		assert.Contains(t, page, "1,234.00")

		q := withholding(ips.Yuan)
		q.OrderNo = "SAME1"
		one := s.record(b, q)
		w := ask("/staff/find?no=SAME1")
		require.Equal(t, http.StatusSeeOther, w.Code)
		to, err := (&url.URL{Path: "/staff/find"}).Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		assert.Equal(t, "/staff/order", to.Path)
		assert.Equal(t, one.Key, to.Query().Get("key"))
		r := recharge(ips.Yuan)
		r.OrderNo = "SAME1"
		other := s.record(b, r)
		assert.ElementsMatch(t, []string{one.Key, other.Key}, listed(ask("/staff/find?no=SAME1").Body.String()))
		assert.Empty(t, listed(ask("/staff/find?no=SAME").Body.String()), "a part of a number is none")
		page = ask(to.String()).Body.String()
		assert.Contains(t, page, "还没有答复")
		page = ask("/staff/order?key=" + url.QueryEscape(keys[0])).Body.String()
		for _, word := range []string{"成功，同步答复，已采用", "<dt>FeePayer</dt><dd>platform</dd>", "1,234.00 元"} {
			assert.Contains(t, page, word)
		}
	})
}

func TestEffectsAreChecked(t *testing.T) {
	s := newShop(t, databases()[0])
	done := func(context.Context, *sql.Tx, orders.Order, ips.RechargeRequest, *ips.WithdrawResponse) error {
		return nil
	}
	assert.Panics(t, func() { orders.Done(s.book, done) }, "another operation's answer")
	s.effects(s.book)
	assert.Panics(t, func() { s.effects(s.book) }, "twice")
	assert.Panics(t, func() {
		orders.Closed(s.book, func(context.Context, *sql.Tx, orders.Order, *ips.RechargeRequest) (orders.After, error) {
			return 0, nil
		})
	}, "a pointer")
}

func TestOpenChecks(t *testing.T) {
	s := newShop(t, databases()[0])
	for _, o := range []orders.Option{orders.Prefix("too long"), orders.Encrypt(nil), orders.WithPace(orders.Pace{Lease: time.Second, Call: time.Second}), orders.WithPace(orders.Pace{Poll: -1})} {
		_, err := orders.Open(s.db, orders.SQLite, orders.One(s.client), o)
		require.Error(t, err)
	}
	_, err := orders.Open(nil, orders.SQLite, orders.One(s.client))
	require.Error(t, err)
	_, err = orders.Open(s.db, 0, orders.One(s.client))
	require.Error(t, err)
}

// doubtful is a driver whose commits fail: some after they took place, some
// before.
type doubtful struct {
	base driver.Driver
	dsn  string
	next *atomic.Int64 // 0: fine, 1: the answer to the commit is lost, 2: the commit is, 3: the answer is, and the commit takes place later
}

func (d doubtful) Connect(context.Context) (driver.Conn, error) {
	c, err := d.base.Open(d.dsn)
	return doubtfulConn{c, d.next, new(sync.WaitGroup)}, err
}
func (d doubtful) Driver() driver.Driver { return d.base }

type doubtfulConn struct {
	driver.Conn
	next *atomic.Int64
	late *sync.WaitGroup
}

// Close is what the program sees of it; the database still works.
func (c doubtfulConn) Close() error {
	go func() {
		c.late.Wait()
		_ = c.Conn.Close()
	}()
	return nil
}

func (c doubtfulConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, q, args)
}

func (c doubtfulConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, q, args)
}

func (c doubtfulConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, q)
}

func (c doubtfulConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c doubtfulConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	return doubtfulTx{tx, c.next, c.late}, err
}

type doubtfulTx struct {
	driver.Tx
	next *atomic.Int64
	late *sync.WaitGroup
}

var errGone = errors.New("unexpected: invalid connection")

func (t doubtfulTx) Commit() error {
	switch t.next.Swap(0) {
	case 1:
		if err := t.Tx.Commit(); err != nil {
			return err
		}
		return errGone
	case 2:
		if err := t.Rollback(); err != nil {
			return err
		}
		return errGone
	case 3:
		t.late.Go(func() {
			time.Sleep(300 * time.Millisecond)
			_ = t.Tx.Commit()
		})
		return driver.ErrBadConn
	}
	return t.Tx.Commit()
}

// A commit whose answer is lost may have taken place or not: either way the
// effect runs once, and nothing is sent twice.
func TestCommitInDoubt(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		var next atomic.Int64
		plain := pool(t, s.driver, s.dsn)
		db := sql.OpenDB(doubtful{plain.Driver(), s.dsn, &next})
		t.Cleanup(func() { _ = db.Close() })
		commits := 0
		at, kind := 0, int64(0)
		hook.Set(db, &hook.Hook{Step: func(step string) {
			if step == "commit" {
				if commits++; commits == at {
					next.Store(kind)
				}
			}
		}})
		b, err := orders.Open(db, s.kind.dialect, orders.One(s.client), orders.WithPace(quick))
		require.NoError(t, err)
		s.effects(b)
		want := ips.Amount(0)
		for kind = 1; kind <= 3; kind++ {
			for at = 1; at <= 3; at++ {
				commits = 0
				want += ips.Yuan
				o := s.record(b, autoBid(ips.Yuan))
				if at == 3 {
					time.Sleep(20 * time.Millisecond) // until it is due
					o, err = b.Order(bg(), o.Key)
					require.NoError(t, err)
					require.NoError(t, b.Do(bg())) // claim, send, hear
				} else {
					_, err = b.Send(bg(), o)
					require.NoError(t, err)
				}
				s.is(o, orders.StateDone)
				assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages)
				assert.Equal(t, want, s.balance(account))
			}
		}
	})
}

// The connection is lost in the commit of Begin, and the database carries it out a
// moment later, when the program has begun anew: there is one order.
func TestBeginWhoseCommitComesLate(t *testing.T) {
	own := recharge(10 * ips.Yuan)
	own.OrderNo = "OWN1"
	for _, c := range []struct {
		name string
		req  ips.Request
		opts []orders.RecordOption
	}{
		{"plain", recharge(10 * ips.Yuan), nil},
		{"of a click", recharge(10 * ips.Yuan), []orders.RecordOption{orders.Click("c")}},
		{"only one", recharge(10 * ips.Yuan), []orders.RecordOption{orders.Only("BID1")}},
		{"own number", own, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *shop) {
				for kind := int64(1); kind <= 3; kind++ {
					_, err := s.db.Exec("DELETE FROM ips_order")
					require.NoError(t, err)
					var next atomic.Int64
					plain := pool(t, s.driver, s.dsn)
					db := sql.OpenDB(doubtful{plain.Driver(), s.dsn, &next})
					t.Cleanup(func() { _ = db.Close() })
					b := s.open(db, nil)
					require.NoError(t, db.Ping())
					beside := 0
					next.Store(kind)
					o, err := b.Begin(bg(), c.req, func(ctx context.Context, tx *sql.Tx, o orders.Order) error {
						beside++
						return s.credit(ctx, tx, fmt.Sprint(c.name, kind), 1)
					}, c.opts...)
					require.NoError(t, err)
					assert.True(t, o.New)
					time.Sleep(400 * time.Millisecond)
					var n int
					require.NoError(t, s.db.QueryRow("SELECT COUNT(*) FROM ips_order").Scan(&n))
					assert.Equal(t, 1, n, "orders")
					assert.Equal(t, ips.Amount(1), s.balance(fmt.Sprint(c.name, kind)), "rows beside it")
					s.is(o, orders.StateRecorded)
				}
			})
		})
	}
}

// One book, two merchants with the same order number.
func TestTwoMerchants(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		second := s.ips.client(t, func(c *ips.Config) { c.MerchantCode = "808802" })
		clients := func(_ context.Context, code string) (*ips.Client, error) {
			switch code {
			case "808801":
				return s.client, nil
			case "808802":
				return second, nil
			}
			return nil, errors.New("no such merchant")
		}
		b, err := orders.Open(pool(t, s.driver, s.dsn), s.kind.dialect, clients)
		require.NoError(t, err)
		q := recharge(10 * ips.Yuan)
		q.OrderNo = "SAME"
		one := s.record(b, q, orders.For("808801"), orders.Click("c"))
		two := s.record(b, q, orders.For("808802"), orders.Click("c"))
		assert.NotEqual(t, one.Key, two.Key)
		assert.True(t, strings.HasPrefix(two.Key, "808802/"))
		form, err := b.Form(bg(), two)
		require.NoError(t, err)
		assert.Equal(t, "808802", form.Fields()[0].Value)
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			_, err := b.Record(bg(), tx, q)
			assert.ErrorContains(t, err, "no such merchant")
			return nil
		}))
	})
}

// A platform that turns out not to know the trade query is not asked again soon;
// its orders are a person's.
func TestPlatformWithoutTradeQuery(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		var asked atomic.Int64
		fault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("SOAPAction"), "QueryTrade") {
				s.ips.ServeHTTP(w, r)
				return
			}
			asked.Add(1)
			w.Header().Set("Content-Type", "text/xml; charset=utf-8")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>soap:Client</faultcode><faultstring>no such operation</faultstring></soap:Fault></soap:Body></soap:Envelope>`))
		}))
		defer fault.Close()
		s.client = s.ips.client(t, func(c *ips.Config) {
			c.Environment = ips.EnvironmentAt(fault.URL)
			c.Environment.TradeQuery = ips.TradeQueryAtService
		})
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil))
		s.ips.fates = func(string, string, int) fate { return answerLost }
		var all []orders.Order
		for range 3 {
			all = append(all, s.record(b, autoBid(ips.Yuan)))
		}
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		assert.LessOrEqual(t, asked.Load(), int64(3))
		for _, o := range all {
			s.is(o, orders.StateUnknown)
		}
		assert.Equal(t, []string{"unknown", "unknown", "unknown"}, s.kinds())
	})
}

// The recipe for pgx: one pool, opened for database/sql.
func TestRecipePgx(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	for _, d := range databases() {
		if d.name != "PostgreSQL" {
			continue
		}
		_, dsn := d.open(t)
		pool, err := pgxpool.New(bg(), dsn)
		require.NoError(t, err)
		defer pool.Close()
		db := stdlib.OpenDBFromPool(pool)
		defer db.Close()
		p := newPlatform(t)
		client := p.client(t)
		b, err := orders.Open(db, orders.PostgreSQL, orders.One(client))
		require.NoError(t, err)
		require.NoError(t, b.Migrate(bg()))
		var o orders.Order
		require.NoError(t, inTx(bg(), db, func(tx *sql.Tx) error {
			o, err = b.Record(bg(), tx, autoBid(ips.Yuan))
			return err
		}))
		o, err = b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		var n int
		require.NoError(t, pool.QueryRow(bg(), "SELECT count(*) FROM ips_answer").Scan(&n))
		assert.Equal(t, 1, n)
	}
}
