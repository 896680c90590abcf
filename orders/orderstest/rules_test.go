package orderstest

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// days lets Run work for so many quarters of a day.
func (s *shop) days(b *orders.Book, quarters int) {
	s.t.Helper()
	for range quarters {
		s.advance(6 * time.Hour)
		s.do(b)
	}
}

// A call that hears of a duplicate is of unknown fate at once.
func TestDuplicateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		q := withholding(10 * ips.Yuan)
		q.OrderNo = "SHARED2"
		_, err := s.client.WithholdingRecharge(bg(), q)
		require.NoError(t, err)
		o, err := s.book.Send(bg(), s.record(s.book, q))
		require.NoError(t, err)
		assert.Equal(t, orders.StateUnknown, o.State)
	})
}

// A form of which anything was heard is never closed by rule, and after a
// duplicate no refusal that a browser brings counts: it may be about the second
// carrying.
func TestFormThatWasHeardOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(s *shop, no string) map[string][]string
		state  orders.State
	}{
		{"another amount", func(s *shop, no string) map[string][]string {
			return s.ips.notice(no, "<pTrdAmt>10.00<", "<pTrdAmt>11.00<")
		}, orders.StateRecorded},
		{"a duplicate", func(s *shop, no string) map[string][]string {
			return s.ips.seal("MG18026F", "失败，订单号重复，错误码MG18026F", s.ips.deal(no).answer(s.ips, ""))
		}, orders.StateUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *shop) {
				b := s.effects(s.book)
				s.ips.lies = true
				o := s.record(b, recharge(10*ips.Yuan))
				form, err := b.Form(bg(), o)
				require.NoError(t, err)
				s.ips.carry(form)
				post(s.client, b.Hear, ips.OpRecharge, c.answer(s, o.OrderNo))
				s.is(o, c.state)
				if c.state == orders.StateUnknown {
					_ = bring(s.client, b.Hear, ips.OpRecharge, s.ips.seal("MG19054F", "失败，余额不足", s.ips.deal(o.OrderNo).answer(s.ips, "")))
					s.is(o, c.state)
				}
				s.days(b, 16)
				s.is(o, c.state)
				assert.Contains(t, s.kinds(), "unknown")
				assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo)))
				s.is(o, orders.StateDone)
			})
		})
	}
}

// A form that is handed out again while IPS is asked about it: that it was not
// found says nothing of the second page.
func TestFormHandedOutWhileAsked(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		var o orders.Order
		var asked int
		b := s.effects(s.open(pool(t, s.driver, s.dsn), func(step string) {
			if step == "asked" {
				s.advance(time.Second)
				asked++
				_, err := s.book.Form(bg(), o)
				assert.NoError(t, err)
			}
		}))
		o = s.record(b, recharge(10*ips.Yuan))
		_, err := b.Form(bg(), o)
		require.NoError(t, err)
		s.days(b, 20)
		assert.Greater(t, asked, 2)
		s.is(o, orders.StateRecorded)
		s.effects(s.book)
		s.days(s.book, 7)
		s.is(o, orders.StateClosed)
	})
}

// What is open for its user is his for as long as his page lives, and two answers
// in one minute are one.
func TestClosingWaits(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.PageLife, pace.AskForm, pace.AskMax = time.Second, time.Second, time.Second
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		o := s.record(b, recharge(10*ips.Yuan))
		_, err := b.Form(bg(), o)
		require.NoError(t, err)
		s.advance(59 * time.Minute)
		s.do(b)
		s.is(o, orders.StateRecorded) // found nowhere, once
		s.advance(-time.Minute - 30*time.Second)
		_, err = s.db.Exec("UPDATE ips_order SET due_us = 1, notfound_us = notfound_us - 600000000")
		require.NoError(t, err)
		s.do(b)
		s.is(o, orders.StateRecorded) // twice, and the page may still be open
		s.advance(time.Minute + 30*time.Second)
		s.advance(61 * time.Second)
		s.do(b)
		s.is(o, orders.StateClosed)
		now, err := b.Order(bg(), o.Key)
		require.NoError(t, err)
		assert.False(t, now.Ended.IsZero())
		late := s.record(b, recharge(10*ips.Yuan))
		_, err = b.Form(bg(), late)
		require.NoError(t, err)
		s.advance(2 * time.Hour)
		for range 5 {
			s.do(b)
			s.is(late, orders.StateRecorded)
			s.advance(10 * time.Second)
		}
		s.advance(time.Minute)
		s.do(b)
		s.is(late, orders.StateClosed)
	})
}

// A refusal by a code that is in no list, and a query that says otherwise: a
// person's. One that is confirmed ends the order with that code.
func TestUnlistedRefusal(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		var said []ips.Code
		orders.Refused(b, func(_ context.Context, _ *sql.Tx, _ orders.Order, _ ips.AutoBidRequest, refusal *ips.Error) (orders.After, error) {
			said = append(said, refusal.Code)
			return orders.Kept, nil
		})
		s.ips.fates = func(string, string, int) fate { return unlisted }
		confirmed, err := b.Send(bg(), s.record(b, autoBid(1*ips.Yuan)))
		require.NoError(t, err)
		assert.Equal(t, orders.StateUnknown, confirmed.State)
		s.days(b, 1)
		s.is(confirmed, orders.StateRefused)
		assert.Equal(t, []ips.Code{"MG19999F"}, said)
		for _, truth := range []ips.TradeStatus{ips.TradeDone, ips.TradeInWork, ips.TradeNotFound} {
			o, err := b.Send(bg(), s.record(b, autoBid(2*ips.Yuan)))
			require.NoError(t, err)
			s.ips.mu.Lock()
			s.ips.byNo[o.OrderNo].state = truth
			s.ips.mu.Unlock()
			s.days(b, 1)
			s.is(o, orders.StateUnknown)
			require.Equal(t, []string{"doubt"}, s.kinds(), truth)
			require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.IsRefused, Who: "王五", Why: "环迅来电"}))
		}
	})
}

// A batch of one row is a batch.
func TestBatchOfOne(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o := s.record(b, release(1))
		s.days(b, 2)
		s.is(o, orders.StateRowsDue)
		_, err := b.Form(bg(), o)
		require.Error(t, err)
	})
}

// With Repeat a refusal of the repetition leaves the order unknown, a duplicate
// ends the repeating, and Send itself repeats nothing.
func TestRepetitionIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		pace := quick
		pace.Repeat = true
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.WithPace(pace)))
		s.ips.fates = func(_, _ string, n int) fate {
			if n == 1 {
				return messageLost
			}
			return refused
		}
		o, err := b.Send(bg(), s.record(b, withholding(10*ips.Yuan)))
		require.NoError(t, err)
		o, err = b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateUnknown, o.State)
		assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages)
		s.advance(time.Minute)
		s.do(b)
		s.is(o, orders.StateUnknown)
		assert.Equal(t, 2, s.ips.deal(o.OrderNo).messages)
		for range 10 {
			s.advance(30 * time.Minute)
			s.do(b)
		}
		assert.Equal(t, 3, s.ips.deal(o.OrderNo).messages, "the third was a duplicate")
		s.is(o, orders.StateUnknown)
	})
}

// What a person has sent again goes out once, and once more if he says so again.
func TestSentAgainOnce(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return messageLost }
		o := s.record(b, withholding(10*ips.Yuan))
		for n := 1; n <= 3; n++ {
			s.days(b, 16)
			assert.Equal(t, n, s.ips.deal(o.OrderNo).messages)
			require.Equal(t, []string{"unknown"}, s.kinds())
			require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.SendAgain, Who: "王五", Why: "环迅未收到"}))
			assert.Empty(t, s.kinds())
		}
		// A form is nobody's to send, and what has ended stays.
		s.ips.fates = func(string, string, int) fate { return fine }
		s.do(b)
		s.is(o, orders.StateDone)
		form := s.record(b, recharge(10*ips.Yuan))
		page, err := b.Form(bg(), form)
		require.NoError(t, err)
		s.ips.carry(page)
		post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(form.OrderNo, "<pTrdAmt>10.00<", "<pTrdAmt>11.00<"))
		matter := s.matters()[0].Key
		decide := func(v orders.Verdict) error {
			return b.Decide(bg(), matter, orders.Decision{Verdict: v, Who: "王五", Why: "对账单", Failed: []int{0}})
		}
		require.ErrorContains(t, decide(orders.SendAgain), "cannot be sent again")
		require.ErrorContains(t, decide("perhaps"), "no verdict")
		require.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(form.OrderNo)))
		for _, v := range []orders.Verdict{orders.IsDone, orders.IsRefused, orders.SendAgain} {
			require.ErrorIs(t, decide(v), orders.ErrEnded, v)
		}
		require.NoError(t, decide(orders.Seen))
		assert.Equal(t, 20*ips.Yuan, s.balance(account))
	})
}

// Two answers that say pending otherwise are a contradiction, and the second is
// not acknowledged while the order is open.
func TestPendingOtherwise(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return slow }
		o, err := b.Send(bg(), s.record(b, withholding(10*ips.Yuan)))
		require.NoError(t, err)
		assert.Equal(t, orders.StatePending, o.State)
		var heard error
		assert.Equal(t, http.StatusInternalServerError, post(s.client, b.Hear, ips.OpWithholdingRecharge, s.ips.notice(o.OrderNo, "<pIpsBillNo>B", "<pIpsBillNo>X"), &heard))
		require.ErrorIs(t, heard, orders.ErrAnswer)
		assert.Equal(t, []string{"contradiction"}, s.kinds())
		s.ips.finish(o.OrderNo, ips.TradeDone)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpWithholdingRecharge, s.ips.notice(o.OrderNo)))
		s.is(o, orders.StateDone)
	})
}

// What has moved out and was done is contradicted by a failure, and by nothing
// else.
func TestFailureOfWhatHasMovedOut(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o, err := b.Send(bg(), s.record(b, autoBid(10*ips.Yuan)))
		require.NoError(t, err)
		n, err := b.Retire(bg(), time.Now().Add(time.Hour), func(context.Context, *sql.Tx, []orders.Leaving) error { return nil })
		require.NoError(t, err)
		require.Equal(t, 1, n)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo)))
		assert.Empty(t, s.kinds())
		s.ips.finish(o.OrderNo, ips.TradeFailed)
		for range 2 {
			assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo)))
		}
		assert.Equal(t, []string{"contradiction"}, s.kinds())
	})
}

// An effect that panics is an effect that fails.
func TestEffectPanics(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		orders.Done(s.book, func(context.Context, *sql.Tx, orders.Order, ips.AutoBidRequest, *ips.CreditorResponse) error {
			panic("out of paper")
		})
		o := s.record(s.book, autoBid(10*ips.Yuan))
		_, err := s.book.Send(bg(), o)
		require.ErrorContains(t, err, "panic: out of paper")
		s.is(o, orders.StateUnknown)
		assert.Equal(t, []string{"effect"}, s.kinds())
	})
}

// What a person decides of an order that was given up is late, and it can only have
// been done.
func TestDecisionsOfWhatHasEnded(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		orders.Refused(b, func(context.Context, *sql.Tx, orders.Order, ips.RechargeRequest, *ips.Error) (orders.After, error) {
			return orders.Released, nil
		})
		s.ips.fates = func(string, string, int) fate { return refused }
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		require.NoError(t, bring(s.client, b.Hear, ips.OpRecharge, s.ips.carry(form)))
		s.ips.finish(o.OrderNo, ips.TradeDone)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo)))
		require.Equal(t, []string{"late"}, s.kinds())
		matter := s.matters()[0].Key
		for _, v := range []orders.Verdict{orders.IsRefused, orders.SendAgain} {
			require.ErrorIs(t, b.Decide(bg(), matter, orders.Decision{Verdict: v, Who: "王五", Why: "对账单"}), orders.ErrEnded)
		}
		before, err := b.Order(bg(), o.Key)
		require.NoError(t, err)
		s.advance(time.Hour)
		require.NoError(t, b.Decide(bg(), matter, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "对账单"}))
		now, err := b.Order(bg(), o.Key)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, now.State)
		assert.True(t, now.Late)
		assert.True(t, now.Ended.After(before.Ended))
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
	})
}

// The rows that are carried may get another day, and must be the same rows.
func TestCarryWithChange(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		var kept ips.Response
		orders.Done(b, func(_ context.Context, _ *sql.Tx, _ orders.Order, _ ips.TransferRequest, a *ips.TransferResponse) error {
			kept = a
			return nil
		})
		first := release(3)
		first.OrderNo = "REL1"
		s.ips.failRow["REL1"] = 1
		o, err := b.Send(bg(), s.record(b, first))
		require.NoError(t, err)
		day := ips.NewDate(2031, 5, 6)
		carry := func(change func(ips.TransferRequest) ips.TransferRequest) (next orders.Order, err error) {
			err = inTx(bg(), s.db, func(tx *sql.Tx) (err error) {
				next, err = b.Carry(bg(), tx, o, kept, func(q ips.Request) ips.Request { return change(q.(ips.TransferRequest)) })
				return err
			})
			return next, err
		}
		_, err = carry(func(q ips.TransferRequest) ips.TransferRequest { q.Rows = first.Rows; return q })
		require.ErrorContains(t, err, "other rows")
		next, err := carry(func(q ips.TransferRequest) ips.TransferRequest { q.Date = day; return q })
		require.NoError(t, err)
		got := next.Request.(ips.TransferRequest)
		assert.Equal(t, day, got.Date)
		assert.Equal(t, "C001", got.Rows[0].OriginalOrderNo)
		_, err = b.Carry(bg(), s.db, o, kept, nil)
		require.ErrorContains(t, err, "wants a transaction")
		_, err = b.Carry(bg(), nil, o, kept, nil)
		require.ErrorContains(t, err, "wants a transaction")
	})
}

// An order that IPS keeps calling in work comes before a person, though he has seen
// something else of it before.
func TestPatienceAfterAnotherMatter(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return slow }
		o, err := b.Send(bg(), s.record(b, autoBid(10*ips.Yuan)))
		require.NoError(t, err)
		require.Equal(t, orders.StatePending, o.State)
		post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo, "<pAuthAmt>10.00<", "<pAuthAmt>11.00<"))
		require.Equal(t, []string{"wrong"}, s.kinds())
		require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.Seen, Who: "王五", Why: "已联系环迅"}))
		s.days(b, 12)
		s.is(o, orders.StatePending)
		assert.Equal(t, []string{"unknown"}, s.kinds())
	})
}

// IPS has said which rows of a batch failed, the effect of that fails, and a person
// says that the batch is done: it is done as IPS has said.
func TestDoneByAPersonIsWhatIPSHasSaid(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		var broken atomic.Bool
		broken.Store(true)
		orders.Done(s.book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
			if broken.Load() {
				return errors.New("out of paper")
			}
			for _, row := range a.Done(q.Rows) {
				if err := s.credit(ctx, tx, row.ToAccount, row.Amount); err != nil {
					return err
				}
			}
			return nil
		})
		q := release(3)
		q.OrderNo = "REL1"
		s.ips.failRow["REL1"] = 1
		o := s.record(s.book, q)
		_, err := s.book.Send(bg(), o)
		require.ErrorContains(t, err, "out of paper")
		require.Equal(t, []string{"effect"}, s.kinds())
		broken.Store(false)
		require.NoError(t, s.book.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "程序已修好"}))
		s.is(o, orders.StateDone)
		assert.Equal(t, 200*ips.Yuan, s.balance(account), "the row that failed is not paid")
	})
}
