package orderstest

import (
	"context"
	"database/sql"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// What Run makes of what happened to a call. The orders are recorded and left to
// it; the query tells the truth.
func TestRunSettles(t *testing.T) {
	batch := release(2)
	for _, c := range []struct {
		name  string
		req   ips.Request
		fate  fate
		want  orders.State
		money ips.Amount
		kinds []string
	}{
		{"done", autoBid(10 * ips.Yuan), fine, orders.StateDone, 10 * ips.Yuan, nil},
		{"refused", autoBid(10 * ips.Yuan), refused, orders.StateRefused, 0, nil},
		{"answer lost", autoBid(10 * ips.Yuan), answerLost, orders.StateDone, 10 * ips.Yuan, nil},
		{"message lost", autoBid(10 * ips.Yuan), messageLost, orders.StateUnknown, 0, []string{"unknown"}},
		{"unlisted code, confirmed", autoBid(10 * ips.Yuan), unlisted, orders.StateRefused, 0, nil},
		{"in work", autoBid(10 * ips.Yuan), slow, orders.StatePending, 0, []string{"unknown"}},
		{"a batch", batch, fine, orders.StateDone, 200 * ips.Yuan, nil},
		{"a batch, answer lost", batch, answerLost, orders.StateRowsDue, 0, []string{"rows"}},
		{"no trade type, answer lost", withholding(10 * ips.Yuan), answerLost, orders.StateUnknown, 0, []string{"unknown"}},
		{"no trade type, unlisted code", withholding(10 * ips.Yuan), unlisted, orders.StateRefused, 0, nil},
		{"end of a bid, answer lost", bid("R1").End(ips.Today()), answerLost, orders.StateUnknown, 0, []string{"unknown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *shop) {
				b := s.effects(s.book)
				s.ips.fates = func(string, string, int) fate { return c.fate }
				o := s.record(b, c.req)
				for range 12 {
					s.advance(4 * time.Hour)
					s.do(b)
				}
				s.is(o, c.want)
				assert.Equal(t, c.money, s.balance(account))
				assert.Equal(t, c.kinds, s.kinds())
				assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages, "nothing is sent twice")
				if c.want.Ended() {
					return
				}
				// The notification settles what nobody could.
				if s.ips.deal(o.OrderNo).state != ips.TradeDone {
					s.ips.finish(o.OrderNo, ips.TradeDone)
				}
				assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OperationOf(c.req), s.ips.notice(o.OrderNo)))
				s.is(o, orders.StateDone)
				assert.Empty(t, s.kinds())
			})
		})
	}
}

func TestRepeat(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Repeat = true
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		s.ips.fates = func(_, no string, n int) fate {
			if n == 1 {
				return answerLost
			}
			return fine
		}
		s.ips.resume = true
		end := s.record(b, bid("R1").End(ips.Today()))
		o := s.record(b, withholding(10*ips.Yuan))
		for range 4 {
			s.advance(time.Minute)
			s.do(b)
		}
		s.is(end, orders.StateDone) // MG02030F proves it
		s.is(o, orders.StateDone)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		s.ips.resume = false
		dup := s.record(b, withholding(10*ips.Yuan))
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		s.is(dup, orders.StateUnknown) // a duplicate says only that it was received
		assert.Equal(t, []string{"unknown"}, s.kinds())
	})
}

// A duplicate may mean another system's order: no query settles that.
func TestDuplicateIsNotSettledByQuery(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		own := autoBid(10 * ips.Yuan)
		own.OrderNo = "SHARED1"
		o := s.record(b, own)
		theirs := autoBid(77 * ips.Yuan)
		theirs.OrderNo = "SHARED1"
		_, err := s.client.AutoBid(bg(), theirs)
		require.NoError(t, err)
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateUnknown)
		assert.Equal(t, []string{"unknown"}, s.kinds())
		assert.Zero(t, s.balance(account))
		assert.Equal(t, http.StatusInternalServerError, post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice("SHARED1")), "77.00 is not ours")
	})
}

func TestClosing(t *testing.T) {
	for _, c := range []struct {
		name     string
		after    orders.After
		register bool
		want     orders.State
		kinds    []string
	}{
		{"no effect", 0, false, orders.StateDone, nil},
		{"kept", orders.Kept, true, orders.StateDone, nil},
		{"released", orders.Released, true, orders.StateClosed, []string{"late"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *shop) {
				b := s.effects(s.book)
				closed := 0
				if c.register {
					orders.Closed(b, func(context.Context, *sql.Tx, orders.Order, ips.RechargeRequest) (orders.After, error) {
						closed++
						return c.after, nil
					})
				}
				never := s.record(b, recharge(5*ips.Yuan))
				o := s.record(b, recharge(10*ips.Yuan))
				form, err := b.Form(bg(), o)
				require.NoError(t, err)
				sent := s.record(b, autoBid(7*ips.Yuan))
				s.ips.fates = func(string, string, int) fate { return messageLost }
				for range 5 {
					s.advance(4 * time.Hour)
					s.do(b)
					s.is(o, orders.StateRecorded)
				}
				_, err = b.Form(bg(), o) // shown again: its page lives anew
				require.NoError(t, err)
				s.advance(6 * time.Hour)
				s.do(b)
				s.is(o, orders.StateRecorded)
				for range 8 {
					s.advance(4 * time.Hour)
					s.do(b)
				}
				s.is(o, orders.StateClosed)
				s.is(never, orders.StateRecorded)
				s.is(sent, orders.StateUnknown) // what the server sent is never closed by rule
				if c.register {
					assert.Equal(t, 1, closed)
				}
				_, err = b.Form(bg(), o)
				require.ErrorIs(t, err, orders.ErrEnded)
				// The page was still open somewhere.
				s.ips.fates = func(string, string, int) fate { return fine }
				require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
				s.is(o, c.want)
				now, err := b.Order(bg(), o.Key)
				require.NoError(t, err)
				if c.want == orders.StateDone {
					assert.True(t, now.Late)
					assert.Equal(t, 10*ips.Yuan, s.balance(account))
				} else {
					assert.Zero(t, s.balance(account))
				}
				assert.ElementsMatch(t, append([]string{"unknown"}, c.kinds...), s.kinds())
				for _, m := range s.matters() {
					if m.Kind == "late" {
						require.NoError(t, b.Decide(bg(), m.Key, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "钱已到账"}))
						s.is(o, orders.StateDone)
						assert.Equal(t, 10*ips.Yuan, s.balance(account))
					}
				}
			})
		})
	}
}

// A success after a refusal runs Done, unless what the order was for was given
// away.
func TestLateSuccess(t *testing.T) {
	for _, c := range []struct {
		name     string
		register bool
		after    orders.After
		want     orders.State
	}{{"no effect", false, 0, orders.StateDone}, {"kept", true, orders.Kept, orders.StateDone}, {"released", true, orders.Released, orders.StateRefused}} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *shop) {
				b := s.effects(s.book)
				var said *ips.Error
				if c.register {
					orders.Refused(b, func(_ context.Context, _ *sql.Tx, o orders.Order, q ips.RechargeRequest, refusal *ips.Error) (orders.After, error) {
						said = refusal
						return c.after, nil
					})
				}
				s.ips.fates = func(string, string, int) fate { return refused }
				o := s.record(b, recharge(10*ips.Yuan))
				form, err := b.Form(bg(), o)
				require.NoError(t, err)
				require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
				s.is(o, orders.StateRefused)
				if c.register {
					assert.Equal(t, ips.CodeWithdrawFunds, said.Code)
				}
				s.ips.finish(o.OrderNo, ips.TradeDone)
				for range 2 {
					assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo)))
				}
				s.is(o, c.want)
				if c.want == orders.StateDone {
					assert.Equal(t, 10*ips.Yuan, s.balance(account))
					assert.Empty(t, s.matters())
					return
				}
				assert.Zero(t, s.balance(account))
				assert.Equal(t, []string{"late"}, s.kinds())
			})
		})
	}
}

// A refusal that a user brings of a form that was shown twice may be about the
// second carrying: the query says what became of the order.
func TestRefusalOfAFormShownTwice(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o := s.record(b, recharge(10*ips.Yuan))
		_, err := b.Form(bg(), o)
		require.NoError(t, err)
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		s.ips.carry(form) // done, and nothing of it is heard
		d := s.ips.deal(o.OrderNo)
		second := s.ips.seal("MG19054F", "失败，余额不足", d.answer(s.ips, ""))
		require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, second))
		s.is(o, orders.StateRecorded)
		s.advance(2 * time.Hour)
		s.do(b)
		s.is(o, orders.StateDone)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
	})
}

func TestHold(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o := s.record(b, autoBid(10*ips.Yuan), orders.Hold())
		s.advance(48 * time.Hour)
		s.do(b)
		s.is(o, orders.StateRecorded)
		o, err := b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
	})
}

func TestDecide(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		batch := s.record(b, release(3))
		lost := s.record(b, withholding(10*ips.Yuan))
		again := s.record(b, bid("R1").End(ips.Today()))
		no := s.record(b, withholding(11*ips.Yuan))
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		of := func(o orders.Order) string {
			for _, m := range s.matters() {
				if m.Order.Key == o.Key {
					return m.Key
				}
			}
			return ""
		}
		require.Len(t, s.matters(), 4)
		page, err := b.Matters(bg(), orders.Matter{}, 3)
		require.NoError(t, err)
		rest, err := b.Matters(bg(), page[2], 3)
		require.NoError(t, err)
		require.Len(t, rest, 1)
		require.ErrorContains(t, b.Decide(bg(), of(lost), orders.Decision{Verdict: orders.IsDone, Who: "王五"}), "who and why")
		key := of(lost)
		require.NoError(t, b.Decide(bg(), key, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "环迅来电确认"}))
		s.is(lost, orders.StateDone)
		require.Error(t, b.Decide(bg(), key, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "again"}))
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		require.NoError(t, b.Decide(bg(), of(batch), orders.Decision{Verdict: orders.IsDone, Failed: []int{1}, Who: "王五", Why: "对账单"}))
		s.is(batch, orders.StateDone)
		assert.Equal(t, 210*ips.Yuan, s.balance(account))
		require.NoError(t, b.Decide(bg(), of(again), orders.Decision{Verdict: orders.SendAgain, Who: "王五", Why: "再问一次"}))
		s.do(b)
		s.is(again, orders.StateDone)
		require.NoError(t, b.Decide(bg(), of(no), orders.Decision{Verdict: orders.IsRefused, Who: "王五", Why: "环迅无此单"}))
		s.is(no, orders.StateRefused)
		assert.Empty(t, s.matters())
	})
}

func TestDistrust(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o := s.record(b, autoBid(10*ips.Yuan))
		w := s.record(b, withholding(10*ips.Yuan))
		n, err := b.Distrust(bg(), time.Now().Add(-time.Minute))
		require.NoError(t, err)
		assert.Equal(t, int64(2), n)
		for range 12 {
			s.advance(4 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateUnknown)
		s.is(w, orders.StateUnknown)
		assert.Len(t, s.kinds(), 2)
		assert.Nil(t, s.ips.deal(o.OrderNo), "nothing was sent")
	})
}

// A sending may be lost of an order that was recorded long before, and so may the
// handing out of a form.
func TestDistrustOfOlderOrders(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		direct := s.record(b, autoBid(10*ips.Yuan), orders.Hold())
		form, shown := s.record(b, recharge(10*ips.Yuan)), s.record(b, recharge(10*ips.Yuan))
		_, err := b.Form(bg(), shown)
		require.NoError(t, err)
		s.advance(2 * time.Hour)
		n, err := b.Distrust(bg(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		assert.Equal(t, int64(2), n)
		s.is(direct, orders.StateUnknown)
		s.is(form, orders.StateRecorded)
		s.days(b, 12)
		s.is(direct, orders.StateUnknown)
		s.is(form, orders.StateClosed)
		s.is(shown, orders.StateClosed)
		assert.Equal(t, []string{"unknown"}, s.kinds())
		assert.Nil(t, s.ips.deal(direct.OrderNo), "nothing was sent")
	})
}

// A person had an order sent again, and that sending may be among what was lost.
func TestDistrustOfWhatAPersonHasSentAgain(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o, err := b.Send(bg(), s.record(b, withholding(10*ips.Yuan)))
		require.NoError(t, err)
		s.days(b, 12)
		require.Equal(t, []string{"unknown"}, s.kinds())
		require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.SendAgain, Who: "王五", Why: "再问一次"}))
		s.advance(time.Hour)
		n, err := b.Distrust(bg(), time.Now().Add(time.Duration(s.skew.Load())-time.Minute))
		require.NoError(t, err)
		assert.Equal(t, int64(1), n)
		s.days(b, 12)
		s.is(o, orders.StateUnknown)
		assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages)
		assert.Equal(t, []string{"unknown"}, s.kinds(), "a person is asked again")
	})
}

// Many programs ask for an order of unknown fate once per interval in all.
func TestManyProgramsAskOnce(t *testing.T) {
	programs, many := 50, 1000
	if testing.Short() {
		programs, many = 8, 40
	}
	each(t, func(t *testing.T, s *shop) {
		s.ips.fates = func(string, string, int) fate { return slowNoAnswer }
		var all []orders.Order
		for i := range many {
			o, err := s.book.Send(bg(), s.record(s.book, autoBid(ips.Amount(i+1))))
			require.NoError(t, err)
			require.Equal(t, orders.StateUnknown, o.State)
			all = append(all, o)
		}
		ctx, stop := context.WithCancel(bg())
		var running sync.WaitGroup
		var most atomic.Int64
		s.advance(time.Second)
		for range programs {
			db := pool(t, s.driver, s.dsn)
			db.SetMaxOpenConns(2)
			b := s.open(db, nil, orders.WithPace(orders.Pace{Workers: 2, PerSecond: 1000, Poll: 50 * time.Millisecond, Call: 30 * time.Second, Lease: 90 * time.Second,
				Ask: time.Hour, AskMax: 2 * time.Hour}))
			running.Go(func() { assert.NoError(t, b.Run(ctx)) })
			running.Go(func() {
				for ctx.Err() == nil {
					most.Store(max(most.Load(), int64(db.Stats().OpenConnections)))
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		asked := func() (n int) {
			s.ips.mu.Lock()
			defer s.ips.mu.Unlock()
			return len(s.ips.queries)
		}
		eventually(t, 60*time.Second, "all are asked for", func() bool { return asked() == many })
		time.Sleep(200 * time.Millisecond)
		stop()
		running.Wait()
		for _, o := range all {
			assert.Equal(t, 1, s.ips.queries[o.OrderNo])
		}
		assert.LessOrEqual(t, most.Load(), int64(2), "connections as set")
		t.Logf("%d programs asked once each for %d orders, at most %d connections per program", programs, many, most.Load())
	})
}

// Two programs and thirty connections race for one order.
func TestRace(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	each(t, func(t *testing.T, s *shop) {
		var books []*orders.Book
		for range 2 {
			db := pool(t, s.driver, s.dsn)
			db.SetMaxOpenConns(15)
			books = append(books, s.effects(s.open(db, nil)))
		}
		sum := ips.Amount(0)
		for i := range rounds {
			fen := ips.Amount(i + 1)
			sum += fen
			o := s.record(books[0], autoBid(fen))
			var all sync.WaitGroup
			for n := range 30 {
				b := books[n%2]
				all.Go(func() {
					for range 3 {
						switch n % 3 {
						case 0:
							_, _ = b.Send(bg(), o)
						case 1:
							if notice := s.ips.notice(o.OrderNo); notice != nil {
								post(s.client, b.Hear, ips.OpAutoBid, notice)
							}
						case 2:
							_ = b.Do(bg())
						}
						time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
					}
				})
			}
			all.Wait()
			eventually(t, 20*time.Second, "the order is done", func() bool {
				s.advance(time.Second)
				_ = books[0].Do(bg())
				return s.state(o) == orders.StateDone
			})
			assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages, "sent once")
		}
		assert.Equal(t, sum, s.balance(account))
		assert.Empty(t, s.matters())
	})
}

// killed is what a killed program ends with.
type killed struct{ step string }

// until runs a program that is killed at its n-th step, and reports at which; ""
// means that it came through.
func (s *shop) until(n int, f func(*orders.Book)) (step string) {
	return s.untilWith(n, func(b *orders.Book, _ func(string)) { s.effects(b) }, func(b *orders.Book, _ func(string)) { f(b) })
}

// untilWith is until with effects of its own; both functions can name steps.
func (s *shop) untilWith(n int, effects, f func(b *orders.Book, step func(string))) (step string) {
	db := pool(s.t, s.driver, s.dsn)
	defer db.Close()
	steps := 0
	count := func(name string) {
		if steps++; steps == n {
			panic(killed{name})
		}
	}
	b := s.open(db, count)
	effects(b, count)
	defer func() {
		if p := recover(); p != nil {
			k, ok := p.(killed)
			if !ok {
				panic(p)
			}
			step = k.step
		}
	}()
	f(b, count)
	return ""
}

// crashPoints are the places of the book where a test can kill a program, but for
// those behind a lock, whose names are made.
var crashPoints = []string{"recorded", "send", "leased", "called", "kept", "effect", "effected", "commit", "committed", "claimed", "ask", "asked"}

// No place of the book is left out by TestCrashPoints.
func TestCrashPointsAreAll(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/ips-p2p/ips/orders").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	require.NoError(t, err)
	named := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`\bb\.step\("([^"]+)"\)`).FindAllStringSubmatch(string(text), -1) {
			named[found[1]] = true
		}
	}
	assert.ElementsMatch(t, crashPoints, slices.Collect(maps.Keys(named)))
}

// A program is killed between any two steps of everything that it does; another
// one carries on.
func TestCrashPoints(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		fates := []fate{fine, answerLost, refused, unlisted}
		if testing.Short() {
			fates = []fate{fine, answerLost, unlisted}
		}
		rounds := 8
		if testing.Short() {
			rounds = 4
		}
		seen := make(map[string]bool)
		s.effects(s.book)
		expect := ips.Amount(0)
		fen := ips.Amount(0)
		for _, f := range fates {
			for _, form := range []bool{false, true} {
				for n := 1; n < 60; n++ {
					fen++
					s.ips.fates = func(string, string, int) fate { return f }
					var o orders.Order
					var carried bool
					var answer map[string][]string
					op := ips.OpAutoBid
					step := s.until(n, func(b *orders.Book) {
						if form {
							op = ips.OpRecharge
							assert.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) (err error) { o, err = b.Record(bg(), tx, recharge(fen)); return err }))
							shown, err := b.Form(bg(), o)
							if !assert.NoError(t, err) {
								return
							}
							carried = true
							if answer = s.ips.carry(shown); answer != nil {
								_ = bring(s.client, b.Hear, op, answer)
							}
						} else {
							assert.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) (err error) { o, err = b.Record(bg(), tx, autoBid(fen)); return err }))
							_, _ = b.Send(bg(), o)
						}
						s.advance(2 * time.Hour)
						_ = b.Do(bg())
					})
					if step != "" {
						seen[step] = true
					}
					if o.Key == "" { // killed before its transaction was committed
						continue
					}
					if form && !carried {
						shown, err := s.book.Form(bg(), o)
						require.NoError(t, err)
						answer = s.ips.carry(shown)
					}
					for range rounds {
						s.advance(2 * time.Hour)
						s.do(s.book)
					}
					d := s.ips.deal(o.OrderNo)
					want := orders.StateRefused
					switch {
					case d == nil:
						// Killed after the sending was committed and before a byte left.
						want = orders.StateUnknown
					case d.state == ips.TradeDone:
						want = orders.StateDone
						expect += fen
					}
					if d != nil && d.messages > 1 {
						t.Errorf("%s after %s: sent %d times", o.Key, step, d.messages)
					}
					if got := s.state(o); got != want {
						t.Errorf("fate %v, form %v, killed at %q: %s, want %s", f, form, step, got, want)
					}
					if step == "" {
						break
					}
				}
			}
		}
		assert.Equal(t, expect, s.balance(account))
		t.Logf("killed at %d steps: %v", len(seen), seen)
		for _, step := range append(crashPoints, "send:locked", "form:locked") {
			assert.True(t, seen[step], "never killed at %s", step)
		}
	})
}

// A person decides, and the program is killed between any two steps of it: the
// decision has been carried out or has not, never in part, and can be made again.
func TestCrashPointsOfDecisions(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		sum := ips.Amount(0)
		for n := 1; n < 30; n++ {
			fen := ips.Amount(n)
			o, err := s.book.Send(bg(), s.record(s.book, withholding(fen)))
			require.NoError(t, err)
			for range 3 {
				s.advance(13 * time.Hour)
				s.do(s.book)
			}
			require.Equal(t, []string{"unknown"}, s.kinds())
			decision := orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "对账单"}
			matter := s.matters()[0].Key
			step := s.until(n, func(b *orders.Book) { assert.NoError(t, b.Decide(bg(), matter, decision)) })
			if len(s.matters()) > 0 {
				require.NotEqual(t, orders.StateDone, s.state(o), "killed at %q", step)
				require.NoError(t, s.book.Decide(bg(), matter, decision))
			}
			sum += fen
			s.is(o, orders.StateDone)
			require.Equal(t, sum, s.balance(account), "killed at %q", step)
			if step == "" {
				return
			}
		}
		t.Error("it never came through")
	})
}
