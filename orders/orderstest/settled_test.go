package orderstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// A refusal of a form that was handed out twice settles nothing, whoever brings it:
// the other copy of the form may have got through. A query confirms it.
func TestRefusalOfSecondForm(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.ips.fates = func(string, string, int) fate { return refused }
		o := s.record(s.book, recharge(10*ips.Yuan))
		form, err := s.book.Form(bg(), o)
		require.NoError(t, err)
		_, err = s.book.Form(bg(), o)
		require.NoError(t, err)
		fields := s.ips.carry(form)
		require.NoError(t, bring(s.client, s.book.Hear, ips.OpRecharge, fields))
		s.is(o, orders.StateRecorded)
		assert.Equal(t, 200, post(s.client, s.book.Hear, ips.OpRecharge, fields))
		s.is(o, orders.StateUnknown)
		s.advance(time.Minute)
		s.do(s.book)
		s.is(o, orders.StateRefused)
		assert.Empty(t, s.matters())
	})
}

// The refusal is about the second carrying, and the first got through without a
// word: the query knows it, and where there is none a person decides. An order
// without money is refused at once there.
func TestRefusalOfAnotherCarrying(t *testing.T) {
	opening := ips.OpenAccountRequest{IdentNo: "110101199001010001", RealName: "张三", Mobile: "13800000000", Email: "zhangsan@example.com", Date: ips.Today()}
	for _, c := range []struct {
		name  string
		query ips.TradeQueryService
		req   ips.Request
		want  orders.State
		kinds []string
	}{
		{"asked", ips.TradeQueryAtService, recharge(10 * ips.Yuan), orders.StateDone, nil},
		{"no query", ips.NoTradeQuery, recharge(10 * ips.Yuan), orders.StateUnknown, []string{"unknown"}},
		{"no money", ips.NoTradeQuery, opening, orders.StateRefused, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *shop) {
				s.client = s.ips.client(t, func(cfg *ips.Config) { cfg.Environment.TradeQuery = c.query })
				b := s.effects(s.open(pool(t, s.driver, s.dsn), nil))
				o := s.record(b, c.req)
				_, err := b.Form(bg(), o)
				require.NoError(t, err)
				form, err := b.Form(bg(), o)
				require.NoError(t, err)
				s.ips.carry(form) // done, and nothing of it is heard
				d := s.ips.deal(o.OrderNo)
				assert.Equal(t, 200, post(s.client, b.Hear, ips.OperationOf(c.req), s.ips.seal("MG19054F", "失败，余额不足", d.answer(s.ips, ""))))
				for range 3 {
					s.advance(13 * time.Hour)
					s.do(b)
				}
				s.is(o, c.want)
				assert.Equal(t, c.kinds, s.kinds())
			})
		})
	}
}

// A message that a person had sent again is refused by a notification: that may be
// about the second one.
func TestRefusalOfAMessageSentAgain(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		o, err := b.Send(bg(), s.record(b, withholding(10*ips.Yuan)))
		require.NoError(t, err)
		for range 3 {
			s.advance(13 * time.Hour)
			s.do(b)
		}
		require.Equal(t, []string{"unknown"}, s.kinds())
		require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.SendAgain, Who: "王五", Why: "再试"}))
		s.ips.fates = func(string, string, int) fate { return messageLost }
		s.do(b)
		d := s.ips.deal(o.OrderNo)
		require.Equal(t, 2, d.messages)
		assert.Equal(t, 200, post(s.client, b.Hear, ips.OpWithholdingRecharge, s.ips.seal("MG19054F", "失败，余额不足", d.answer(s.ips, ""))))
		for range 3 {
			s.advance(13 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateUnknown)
		assert.Equal(t, []string{"unknown"}, s.kinds())
	})
}

// Refused by a code in no list, known to the query as done, and then refused once
// more: that closes no matter and ends nothing.
func TestRefusalAfterAnAnswerThatItIsDone(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		s.ips.fates = func(string, string, int) fate { return unlisted }
		o, err := b.Send(bg(), s.record(b, autoBid(10*ips.Yuan)))
		require.NoError(t, err)
		s.ips.finish(o.OrderNo, ips.TradeDone)
		s.advance(time.Minute)
		s.do(b)
		s.is(o, orders.StateUnknown)
		require.Equal(t, []string{"doubt"}, s.kinds())
		d := s.ips.deal(o.OrderNo)
		assert.Equal(t, 200, post(s.client, b.Hear, ips.OpAutoBid, s.ips.seal("MG19054F", "失败，余额不足", d.answer(s.ips, ""))))
		s.is(o, orders.StateUnknown)
		require.Equal(t, []string{"doubt"}, s.kinds())
		// A notification of the success settles it.
		assert.Equal(t, 200, post(s.client, b.Hear, ips.OpAutoBid, s.ips.notice(o.OrderNo)))
		s.is(o, orders.StateDone)
		assert.Empty(t, s.kinds())
	})
}
