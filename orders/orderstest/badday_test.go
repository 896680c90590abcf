package orderstest

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// order is what the merchant did about one thing that he wanted.
type wanted struct {
	order   orders.Order
	account string
	fen     ips.Amount // what its success adds to the account
	op      ips.Operation
}

// TestBadDay: many orders of many operations, messages and answers lost, notices
// lost, doubled and late, programs killed between any two steps. In the end every
// order is settled, closed by rule or before a person; nothing was sent twice;
// and where the merchant's books are not those of IPS, a person knows.
func TestBadDay(t *testing.T) {
	many, seeds := 400, []uint64{7, 77, 777}
	if testing.Short() {
		many, seeds = 60, []uint64{7}
	}
	if n, err := strconv.Atoi(os.Getenv("IPS_BADDAY")); err == nil {
		many = n // orders of each day
	}
	for _, mode := range []struct {
		name         string
		query        ips.TradeQueryService
		lies, resume bool
	}{
		{"query, refused repetitions", ips.TradeQueryAtService, false, false},
		{"query, first results", ips.TradeQueryAtService, false, true},
		{"no query", ips.NoTradeQuery, false, false},
		{"lying query", ips.TradeQueryAtService, true, false},
	} {
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", mode.name, seed), func(t *testing.T) {
				each(t, func(t *testing.T, s *shop) {
					s.ips.lies, s.ips.resume = mode.lies, mode.resume
					s.client = s.ips.client(t, func(c *ips.Config) { c.Environment.TradeQuery = mode.query })
					s.badDay(many, seed)
				})
			})
		}
	}
}

func (s *shop) badDay(many int, seed uint64) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	chance := func(percent int) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(100) < percent
	}
	pick := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	s.ips.fates = func(string, string, int) fate {
		return [...]fate{fine, fine, fine, slow, refused, unlisted, answerLost, messageLost, slowNoAnswer}[pick(9)]
	}
	var all []*wanted
	kills := 0
	next := 0
	// program lives until it is killed, and so do the forms in its hands.
	program := func() (again bool) {
		db, err := sql.Open(s.driver, s.dsn)
		require.NoError(s.t, err)
		defer db.Close()
		b := s.effects(s.open(db, func(step string) {
			if pick(400) == 0 {
				panic(killed{step})
			}
		}))
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(killed); !ok {
					panic(p)
				}
				mu.Lock()
				kills++
				mu.Unlock()
				again = true
			}
		}()
		for {
			mu.Lock()
			n := next
			next++
			mu.Unlock()
			if n >= many {
				return false
			}
			s.want(b, db, n, chance, func(w *wanted) {
				mu.Lock()
				all = append(all, w)
				mu.Unlock()
			})
			if n%5 == 0 {
				s.advance(time.Minute)
				_ = b.Do(bg())
			}
		}
	}
	var day sync.WaitGroup
	for range 3 {
		day.Go(func() {
			for program() {
			}
		})
	}
	day.Wait()
	// The platform makes up its mind; half of the notices get through, some twice,
	// in the course of a week.
	clean := s.effects(s.open(pool(s.t, s.driver, s.dsn), nil))
	for range 14 {
		s.advance(12 * time.Hour)
		require.NoError(s.t, clean.Do(bg()))
		for _, w := range all {
			d := s.ips.deal(w.order.OrderNo)
			if d == nil {
				continue
			}
			if d.state == ips.TradeInWork && chance(40) {
				s.ips.finish(w.order.OrderNo, [...]ips.TradeStatus{ips.TradeDone, ips.TradeFailed}[pick(2)])
			}
			if chance(4) {
				for range 1 + pick(2) {
					post(s.client, clean.Hear, w.op, s.ips.notice(w.order.OrderNo))
				}
			}
		}
	}
	person := make(map[string]bool)
	for _, m := range s.matters() {
		person[m.Order.Key] = true
		assert.NotEmpty(s.t, m.Chinese)
	}
	states := make(map[orders.State]int)
	differ, unknownToUs := 0, 0
	for _, w := range all {
		o, err := s.book.Order(bg(), w.order.Key)
		require.NoError(s.t, err)
		states[o.State]++
		d := s.ips.deal(o.OrderNo)
		info, _ := w.op.Info()
		switch {
		case o.State.Ended(), person[o.Key]:
		case d == nil && o.State == orders.StateRecorded && info.Transport == ips.Redirect: // its form was never handed out
		default:
			s.t.Errorf("%s is %s, and nobody is told", o.Key, o.State)
		}
		theirs := ips.Amount(0)
		if d != nil {
			assert.LessOrEqual(s.t, d.carried, 1)
			if info.Transport != ips.Redirect {
				assert.LessOrEqual(s.t, d.messages, 1, "%s was sent %d times", o.Key, d.messages)
			}
			if d.carried == 1 {
				theirs = w.fen
			}
		}
		if ours := s.balance(w.account); ours != theirs {
			differ++
			switch {
			case person[o.Key]:
			case s.ips.lies && o.State == orders.StateClosed:
				unknownToUs++
				// A late notice settles it.
				post(s.client, clean.Hear, w.op, s.ips.notice(o.OrderNo))
				assert.Equal(s.t, theirs, s.balance(w.account))
			default:
				s.t.Errorf("%s is %s: our books have %s, theirs %s, and nobody is told", o.Key, o.State, ours, theirs)
			}
		}
	}
	s.t.Logf("%d orders, %d kills: %v, %d before a person; books differ for %d, of those closed by a lie %d", len(all), kills, states, len(person), differ, unknownToUs)
}

// want records one thing and sends it or shows its form.
func (s *shop) want(b *orders.Book, db *sql.DB, n int, chance func(int) bool, recorded func(*wanted)) {
	w := &wanted{account: fmt.Sprintf("4021%012d", n), fen: ips.Amount(n+1) * ips.Yuan}
	var req ips.Request
	switch n % 6 {
	case 0, 1:
		q := recharge(w.fen)
		q.Account = w.account
		req = q
	case 2:
		q := withdraw(w.fen)
		q.Account = w.account
		req = q
		w.fen = -w.fen
	case 3:
		q := autoBid(w.fen)
		q.Account = w.account
		req = q
	case 4:
		q := withholding(w.fen)
		q.Account = w.account
		req = q
	case 5:
		q := release(3)
		for i := range q.Rows {
			q.Rows[i].ToAccount = w.account
		}
		w.fen, req = 300*ips.Yuan, q
	}
	w.op = ips.OperationOf(req)
	info, _ := w.op.Info()
	err := inTx(bg(), db, func(tx *sql.Tx) (err error) {
		w.order, err = b.Record(bg(), tx, req)
		return err
	})
	if err != nil {
		return
	}
	recorded(w)
	if info.Transport != ips.Redirect {
		if chance(70) {
			_, _ = b.Send(bg(), w.order)
		}
		return
	}
	for range 1 + n%2 { // some are shown again
		form, err := b.Form(bg(), w.order)
		if err != nil || chance(20) {
			return
		}
		if answer := s.ips.carry(form); answer != nil && chance(60) {
			_ = bring(s.client, b.Hear, w.op, answer)
			if chance(30) {
				post(s.client, b.Hear, w.op, answer)
			}
		}
	}
}
