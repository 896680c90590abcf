package orderstest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"errors"
	"net/http"
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

func TestRecordIsTheCallersTransaction(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		var o orders.Order
		err := inTx(bg(), s.db, func(tx *sql.Tx) (err error) {
			if o, err = b.Record(bg(), tx, recharge(10*ips.Yuan)); err != nil {
				return err
			}
			return errors.New("the caller's own")
		})
		require.ErrorContains(t, err, "the caller's own")
		_, err = b.Form(bg(), o)
		require.ErrorIs(t, err, orders.ErrUnrecorded)

		tx, err := s.db.Begin()
		require.NoError(t, err)
		if o, err = b.Record(bg(), tx, autoBid(10*ips.Yuan)); assert.NoError(t, err) && s.kind.dialect != orders.SQLite { // its one writer would wait
			_, err = b.Send(bg(), o)
			require.ErrorIs(t, err, orders.ErrUnrecorded)
		}
		require.NoError(t, tx.Commit())
		assert.True(t, o.New)
		assert.True(t, strings.HasPrefix(o.OrderNo, "T"), o.OrderNo)
		assert.Equal(t, "808801/register-creditor/"+o.OrderNo+"/01", o.Key)
		o, err = b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		o, err = b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages, "a second Send sends nothing")

		_, err = b.Record(bg(), s.db, autoBid(1*ips.Yuan))
		require.ErrorContains(t, err, "wants a transaction")
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			var invalid *ips.ValidationError
			_, err := b.Record(bg(), tx, recharge(0))
			assert.ErrorAs(t, err, &invalid)
			_, err = b.Record(bg(), tx, release(3001))
			assert.ErrorAs(t, err, &invalid)
			_, err = b.Record(bg(), tx, ips.QueryTradeRequest{OrderNo: "A", Type: ips.TradeRecharge})
			assert.ErrorContains(t, err, "is a query")
			own := autoBid(1 * ips.Yuan)
			own.OrderNo = o.OrderNo
			_, err = b.Record(bg(), tx, own)
			assert.ErrorIs(t, err, orders.ErrRecorded)
			return nil
		}))
	})
}

// Begin records an order and what is beside it together, once for a click.
func TestBegin(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		_, err := s.db.Exec("CREATE TABLE beside (order_key VARCHAR(96) PRIMARY KEY)")
		require.NoError(t, err)
		text := map[orders.Dialect]string{orders.PostgreSQL: "INSERT INTO beside VALUES ($1)"}[s.kind.dialect]
		if text == "" {
			text = "INSERT INTO beside VALUES (?)"
		}
		beside := func(ctx context.Context, tx *sql.Tx, o orders.Order) error {
			_, err := tx.ExecContext(ctx, text, o.Key)
			return err
		}
		count := func() (n int) {
			require.NoError(t, s.db.QueryRow("SELECT COUNT(*) FROM beside").Scan(&n))
			return n
		}
		b := s.effects(s.book)
		own := errors.New("my own")
		o, err := b.Begin(bg(), recharge(10*ips.Yuan), func(ctx context.Context, tx *sql.Tx, o orders.Order) error {
			return errors.Join(beside(ctx, tx, o), own)
		}, orders.Click("c"))
		require.ErrorIs(t, err, own)
		assert.Zero(t, o)
		assert.Zero(t, count())

		var fresh atomic.Int64
		var clicks sync.WaitGroup
		for range 8 {
			clicks.Go(func() {
				o, err := b.Begin(bg(), recharge(10*ips.Yuan), beside, orders.Click("c"))
				if assert.NoError(t, err) && o.New {
					fresh.Add(1)
				}
			})
		}
		clicks.Wait()
		assert.EqualValues(t, 1, fresh.Load())
		assert.Equal(t, 1, count())
		first, err := b.Begin(bg(), recharge(20*ips.Yuan), beside, orders.Click("c"))
		require.ErrorIs(t, err, orders.ErrOtherContent)
		assert.Equal(t, 10*ips.Yuan, first.Amount)
		_, err = b.Form(bg(), first)
		require.NoError(t, err)
		var invalid *ips.ValidationError
		_, err = b.Begin(bg(), recharge(0), beside, orders.Click("d"))
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, 1, count())
		o, err = b.Begin(bg(), recharge(5*ips.Yuan), nil)
		require.NoError(t, err)
		assert.True(t, o.New)
	})
}

// A second click after midnight brings another date and is the first order.
func TestClickAfterMidnight(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		yesterday := ips.DateOf(time.Now().AddDate(0, 0, -1))
		req := recharge(10 * ips.Yuan)
		req.Date = yesterday
		first := s.record(s.book, req, orders.Click("c1"))
		req.Date = ips.Today()
		second := s.record(s.book, req, orders.Click("c1"))
		assert.False(t, second.New)
		assert.Equal(t, first.Key, second.Key)
		assert.Equal(t, yesterday, second.Request.(ips.RechargeRequest).Date, "it goes out as it was recorded")
	})
}

func TestClick(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		first := s.record(s.book, recharge(10*ips.Yuan), orders.Click("c1"))
		second := s.record(s.book, recharge(10*ips.Yuan), orders.Click("c1"))
		assert.True(t, first.New)
		assert.False(t, second.New)
		assert.Equal(t, first.Key, second.Key)
		assert.NotEqual(t, first.Key, s.record(s.book, recharge(10*ips.Yuan), orders.Click("c2")).Key)
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			o, err := s.book.Record(bg(), tx, recharge(11*ips.Yuan), orders.Click("c1"))
			assert.ErrorIs(t, err, orders.ErrOtherContent)
			assert.Equal(t, first.Key, o.Key)
			return nil
		}))
	})
}

func TestFormIsTheSameAndCopiesChangeNothing(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		again, err := b.Form(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, form.Fields(), again.Fields())
		answer := s.ips.carry(form)
		require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, answer))
		s.is(o, orders.StateDone)
		for range 3 {
			assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, answer))
		}
		// Another copy says more, which is no contradiction.
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo, "</pReq>", "<pIpsTime>20141124101112</pIpsTime></pReq>")))
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		assert.Empty(t, s.matters())
		_, err = b.Form(bg(), o)
		require.ErrorIs(t, err, orders.ErrEnded)
	})
}

func TestWrongAnswers(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		s.ips.carry(form)
		var heard error
		more := s.ips.notice(o.OrderNo, "<pTrdAmt>10.00<", "<pTrdAmt>11.00<")
		for range 2 {
			assert.Equal(t, http.StatusInternalServerError, post(s.client, b.Hear, ips.OpRecharge, more, &heard))
			assert.ErrorIs(t, heard, orders.ErrAnswer)
		}
		s.is(o, orders.StateRecorded)
		require.Equal(t, []string{"wrong"}, s.kinds())
		m := s.matters()[0]
		assert.Equal(t, []ips.Difference{{Wire: "pTrdAmt", Asked: "10.00", Said: "11.00"}}, m.Differences)
		assert.Equal(t, o.Key, m.Order.Key)
		// The right one is not taken for a copy.
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo)))
		s.is(o, orders.StateDone)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, more), "of an order that has ended it is acknowledged")
		// A copy that says otherwise than the first, and a failure of what is done.
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo, "<pIpsBillNo>B", "<pIpsBillNo>X")))
		s.ips.finish(o.OrderNo, ips.TradeFailed)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo)))
		assert.ElementsMatch(t, []string{"wrong", "contradiction", "contradiction"}, s.kinds())
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
	})
}

func TestStrangers(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		other := s.open(pool(t, s.driver, s.dsn), nil)
		o := s.record(other, recharge(10*ips.Yuan))
		form, err := other.Form(bg(), o)
		require.NoError(t, err)
		s.ips.carry(form)
		_, err = s.db.Exec("DELETE FROM ips_order")
		require.NoError(t, err)
		var heard error
		for range 2 {
			assert.Equal(t, http.StatusInternalServerError, post(s.client, s.book.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo), &heard))
			assert.ErrorIs(t, heard, orders.ErrUnrecorded)
		}
		s.advance(61 * time.Minute)
		assert.Equal(t, http.StatusOK, post(s.client, s.book.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo)))
		strays, err := s.book.Strays(bg(), 10)
		require.NoError(t, err)
		require.Len(t, strays, 1)
		assert.Equal(t, 3, strays[0].Times)
		assert.Empty(t, s.matters(), "an unknown order is no contradiction")
	})
}

func TestEndOfBid(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.ips.fates = func(endpoint, no string, n int) fate {
			if n == 1 {
				return refused
			}
			return fine
		}
		end := bid("R1").End(ips.NewDate(2014, 12, 1))
		first := s.record(s.book, end)
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			o, err := s.book.Record(bg(), tx, end)
			assert.ErrorIs(t, err, orders.ErrRecorded, "at most one is open")
			assert.Equal(t, first.Key, o.Key)
			return nil
		}))
		first, err := s.book.Send(bg(), first)
		require.NoError(t, err)
		assert.Equal(t, orders.StateRefused, first.State)
		assert.Contains(t, s.ips.deal("R1").doc, "<pRegDate>"+ips.Today().String()+"<", "the day of the sending")
		s.ips.mu.Lock()
		clear(s.ips.deals)
		s.ips.mu.Unlock()
		second := s.record(s.book, end)
		assert.Equal(t, "808801/end-bid/R1/02", second.Key)
		s.ips.fates = func(string, string, int) fate { return slow }
		second, err = s.book.Send(bg(), second)
		require.NoError(t, err)
		assert.Equal(t, orders.StatePending, second.State)
		s.ips.finish("R1", ips.TradeDone)
		assert.Equal(t, http.StatusOK, post(s.client, s.book.Hear, ips.OpEndBid, s.ips.notice("R1")))
		s.is(second, orders.StateDone)
		s.is(first, orders.StateRefused)
	})
}

func TestEncryption(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		key := func(c byte) cipher.AEAD {
			block, err := aes.NewCipher([]byte(strings.Repeat(string(c), 32)))
			require.NoError(t, err)
			aead, err := cipher.NewGCM(block)
			require.NoError(t, err)
			return aead
		}
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.Encrypt(key('a'))))
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
		for _, text := range []string{"SELECT body FROM ips_order", "SELECT body FROM ips_answer"} {
			var body []byte
			require.NoError(t, s.db.QueryRow(text).Scan(&body))
			assert.NotContains(t, string(body), "110101199001010001")
			assert.NotContains(t, string(body), account)
		}
		_, err = s.book.Order(bg(), o.Key)
		require.ErrorContains(t, err, "none of the keys")
		rotated := s.open(pool(t, s.driver, s.dsn), nil, orders.Encrypt(key('b'), key('a')))
		now, err := rotated.Order(bg(), o.Key)
		require.NoError(t, err)
		assert.Equal(t, o.Request, now.Request)
		big := s.record(rotated, release(300))
		now, err = rotated.Order(bg(), big.Key)
		require.NoError(t, err)
		assert.Equal(t, big.Request, now.Request)
	})
}

func TestEffectRecordsFurtherOrders(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
			_, err := b.Begin(ctx, autoBid(q.Amount), nil)
			assert.ErrorContains(t, err, "use Record", "another transaction would wait for this one")
			_, err = b.Record(ctx, tx, autoBid(q.Amount))
			return err
		})
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
		s.do(b)
		s.ips.mu.Lock()
		defer s.ips.mu.Unlock()
		assert.Len(t, s.ips.deals, 2)
	})
}

func TestFailingEffectKeepsTheAnswer(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		var fail atomic.Bool
		fail.Store(true)
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) error {
			if err := s.credit(ctx, tx, q.Account, q.Amount); err != nil {
				return err
			}
			if fail.Load() {
				return errors.New("out of paper")
			}
			return nil
		})
		o, err := b.Send(bg(), s.record(b, autoBid(10*ips.Yuan)))
		require.ErrorContains(t, err, "out of paper")
		s.is(o, orders.StateUnknown)
		assert.Zero(t, s.balance(account))
		assert.Equal(t, []string{"effect"}, s.kinds())
		assert.Equal(t, http.StatusInternalServerError, post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo)))
		fail.Store(false)
		s.advance(time.Minute)
		s.do(b)
		s.is(o, orders.StateDone)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		assert.Empty(t, s.matters())
		assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages)
	})
}

// An effect that swallows the error of a deadlock goes on in a transaction that
// is no more.
func TestSwallowedDeadlock(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		if s.kind.dialect == orders.SQLite {
			t.Skip("SQLite has one writer and no deadlocks")
		}
		b := s.book
		_, err := s.db.Exec("INSERT INTO account (name, fen) VALUES ('a', 0), ('b', 0)")
		require.NoError(t, err)
		add := func(ctx context.Context, tx *sql.Tx, name string) error {
			_, err := tx.ExecContext(ctx, bind(s.kind.dialect, "UPDATE account SET fen = fen + 1 WHERE name = ?"), name)
			return err
		}
		rival, err := s.db.Begin()
		require.NoError(t, err)
		require.NoError(t, add(bg(), rival, "b"))
		runs, swallowed := 0, 0
		ready := make(chan struct{})
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
			runs++
			if runs > 1 {
				_, err := b.Record(ctx, tx, autoBid(q.Amount))
				return err
			}
			if err := add(ctx, tx, "a"); err != nil {
				return err
			}
			close(ready)
			if err := add(ctx, tx, "b"); err != nil {
				swallowed++
			}
			_, err := b.Record(ctx, tx, autoBid(q.Amount))
			if s.kind.dialect == orders.PostgreSQL {
				return nil // swallows this one too
			}
			return err
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			<-ready
			// Big transactions win: the effect's is the victim on MariaDB, on
			// PostgreSQL whoever notices first.
			for range 50 {
				_, _ = rival.Exec(bind(s.kind.dialect, "INSERT INTO account (name, fen) VALUES (?, 0)"), ips.NewOrderNo("x"))
			}
			time.Sleep(50 * time.Millisecond)
			_ = add(bg(), rival, "a")
			_ = rival.Commit()
		}()
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
		<-done
		s.is(o, orders.StateDone)
		if swallowed > 0 {
			assert.Equal(t, 2, runs, "the transaction began anew")
		}
		s.advance(time.Minute)
		s.do(b)
		s.ips.mu.Lock()
		defer s.ips.mu.Unlock()
		assert.Len(t, s.ips.deals, 2, "what the lost transaction recorded is never sent")
	})
}

// Ten copies at once hold no connection while the first is handled.
func TestCopiesWaitInMemory(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		db := pool(t, s.driver, s.dsn)
		b := s.open(db, nil)
		entered, leave := make(chan struct{}), make(chan struct{})
		runs := 0
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
			runs++
			close(entered)
			select {
			case <-leave:
			case <-time.After(5 * time.Second):
			}
			return nil
		})
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		answer := s.ips.carry(form)
		var all sync.WaitGroup
		var ok atomic.Int64
		for range 10 {
			all.Go(func() {
				if post(s.client, b.Hear, ips.OpRecharge, answer) == http.StatusOK {
					ok.Add(1)
				}
			})
		}
		select {
		case <-entered:
		case <-time.After(5 * time.Second):
			t.Fatal("no copy came in")
		}
		eventually(t, 5*time.Second, "one connection is in use", func() bool { return db.Stats().InUse == 1 })
		time.Sleep(20 * time.Millisecond)
		assert.Equal(t, 1, db.Stats().InUse)
		close(leave)
		all.Wait()
		assert.Equal(t, int64(10), ok.Load())
		assert.Equal(t, 1, runs)
	})
}

func TestBusy(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		other := s.effects(s.open(pool(t, s.driver, s.dsn), nil))
		o := s.record(b, autoBid(10*ips.Yuan))
		s.ips.during = func(string, string) {
			_, err := other.Send(bg(), o)
			assert.ErrorIs(t, err, orders.ErrBusy)
			assert.NoError(t, other.Do(bg()))
		}
		o, err := b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages)
	})
}

func TestMigrateByMany(t *testing.T) {
	for _, d := range databases() {
		if testing.Short() && d.dialect != orders.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := &shop{t: t, kind: d, ips: newPlatform(t)}
			s.driver, s.dsn = d.open(t)
			s.client = s.ips.client(t)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { assert.NoError(t, s.open(pool(t, s.driver, s.dsn), nil).Migrate(bg())) })
			}
			all.Wait()
			db := pool(t, s.driver, s.dsn)
			for _, statement := range strings.Split(orders.Schema(d.dialect), ";\n") {
				if strings.TrimSpace(statement) != "" {
					_, err := db.Exec(statement)
					require.NoError(t, err, statement)
				}
			}
		})
	}
}
