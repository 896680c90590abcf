package orderstest

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// An opening of which nothing was heard is a person's, who gives the number of the
// account; IPS is asked for it, and another user's is not taken.
func TestOpeningIsSettledByTheAccountQuery(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		server := ipstest.NewServer(t, ipstest.WithHandler(http.NotFoundHandler())) // nothing arrives
		s.client = server.Client()
		b := s.open(pool(t, s.driver, s.dsn), nil)
		var opened []string
		orders.Done(b, func(_ context.Context, _ *sql.Tx, _ orders.Order, _ ips.OpenAccountRequest, a *ips.OpenAccountResponse) error {
			opened = append(opened, a.Account)
			return nil
		})
		stranger, p := server.Person(0), server.NewPerson()
		o := s.record(b, ips.OpenAccountRequest{IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile, Email: p.Email, Date: server.Today()})
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		account := server.Carry(form).(*ips.OpenAccountResponse).Account
		for range 5 {
			s.advance(13 * time.Hour)
			s.do(b)
		}
		s.is(o, orders.StateRecorded)
		require.Equal(t, []string{"form"}, s.kinds())
		decide := func(number string) error {
			return b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "环迅后台可见", Number: number})
		}
		require.ErrorContains(t, decide(""), "must be given")
		require.ErrorIs(t, decide(stranger.Account), orders.ErrAnswer)
		require.ErrorIs(t, decide("4021999999999999"), ips.CodeNoAccount)
		s.is(o, orders.StateRecorded)
		require.NoError(t, decide(account))
		s.is(o, orders.StateDone)
		assert.Equal(t, []string{account}, opened)
		assert.Empty(t, s.matters())
	})
}

// A contract of which nothing was heard needs its number; nothing else has one.
func TestContractIsSettledByItsNumber(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		var signed []string
		orders.Done(b, func(_ context.Context, _ *sql.Tx, _ orders.Order, _ ips.SignAutoRepayRequest, a *ips.SignAutoRepayResponse) error {
			signed = append(signed, a.AuthNo)
			return nil
		})
		contract := s.record(b, ips.SignAutoRepayRequest{Date: ips.Today(), IdentNo: "110101199001010001", RealName: "张三", Account: account, ValidUnit: ips.PeriodUnlimited})
		_, err := b.Form(bg(), contract)
		require.NoError(t, err)
		s.ips.fates = func(string, string, int) fate { return answerLost }
		lost := s.record(b, withholding(10*ips.Yuan))
		for range 5 {
			s.advance(13 * time.Hour)
			s.do(b)
		}
		for _, m := range s.matters() {
			d := orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "环迅后台可见"}
			if m.Order.Key == lost.Key {
				d.Number = "AUT1"
			}
			require.ErrorContains(t, b.Decide(bg(), m.Key, d), "a number is for")
			d.Number = map[bool]string{false: "AUT1"}[d.Number != ""]
			require.NoError(t, b.Decide(bg(), m.Key, d))
		}
		s.is(contract, orders.StateDone)
		s.is(lost, orders.StateDone)
		assert.Equal(t, []string{"AUT1"}, signed)
	})
}

// A late success that a person takes for done runs the effect with what IPS has
// said: its rows and numbers.
func TestLateSuccessIsDecidedByWhatIPSSaid(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.book
		var failed []ips.RepayRow
		var billNo string
		orders.Done(b, func(_ context.Context, _ *sql.Tx, o orders.Order, q ips.RepayRequest, a *ips.RepayResponse) error {
			failed, billNo = a.Failed(q.Rows), a.IPSBillNo
			return nil
		})
		orders.Refused(b, func(context.Context, *sql.Tx, orders.Order, ips.RepayRequest, *ips.Error) (orders.After, error) {
			return orders.Released, nil
		})
		q := ips.RepayRequest{OrderNo: "LATE1", BidNo: "BID1", Date: ips.Today(), Account: account}
		for _, to := range []string{"4021000000000002", "4021000000000003"} {
			q.Rows = append(q.Rows, ips.RepayRow{CreditorOrderNo: "C1", Account: to, Amount: 5 * ips.Yuan})
		}
		q.Amount, q.Fee = ips.RepayTotals(q.Rows)
		o := s.record(b, q)
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		s.ips.fates = func(string, string, int) fate { return refused }
		s.ips.failRow["LATE1"] = 1
		require.NoError(t, bring(s.client, b.Hear, ips.OpRepay, s.ips.carry(form)))
		s.is(o, orders.StateRefused)
		s.ips.finish("LATE1", ips.TradeDone)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRepay, s.ips.notice("LATE1")))
		require.Equal(t, []string{"late"}, s.kinds())
		require.NoError(t, b.Decide(bg(), s.matters()[0].Key, orders.Decision{Verdict: orders.IsDone, Who: "王五", Why: "补记"}))
		s.is(o, orders.StateDone)
		assert.Equal(t, q.Rows[1:], failed)
		assert.Equal(t, "BLATE1", billNo)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpRepay, s.ips.notice("LATE1")), "a copy")
		assert.Empty(t, s.matters())
	})
}

// The repayment of an old bid, against the sandbox and with a row that fails; the
// book records nothing of v2.0 for such a bid.
func TestRepayOldBid(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		mux := http.NewServeMux()
		server := ipstest.NewServer(t, ipstest.WithHandler(mux))
		old := ips.WithOldBids(func(no string) bool { return strings.HasPrefix(no, "OLD") })
		client, err := ips.NewClient(server.Config(), old)
		require.NoError(t, err)
		s.client = client
		b := s.open(pool(t, s.driver, s.dsn), nil)
		mux.Handle("/ips/notify/", client.NotifyHandler(ips.Inbound{Hear: b.Hear}))
		paid := func(b *orders.Book) {
			orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RepayOldBidRequest, a *ips.RepayOldBidResponse) error {
				for _, r := range less(q.Rows, a.Failed(q.Rows)) {
					if err := s.credit(ctx, tx, r.Account, r.Amount); err != nil {
						return err
					}
				}
				_, err := b.Carry(ctx, tx, o, a, nil)
				return err
			})
		}
		paid(b)
		borrower, one, two := server.Person(100*ips.Yuan), server.Person(0), server.Person(0)
		q := server.OldBid(borrower, 30*ips.Yuan, one, two)
		o := s.record(b, q)
		assert.Equal(t, client.MerchantCode()+"/repay-old-bid/"+q.OrderNo+"/01", o.Key)
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		server.Carry(form)
		server.WaitIdle()
		s.is(o, orders.StateDone)
		assert.Equal(t, 30*ips.Yuan, s.balance(one.Account))
		server.AssertBalance(two.Account, 30*ips.Yuan, 0)
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			_, err := b.Record(bg(), tx, ips.WithOrderNo(q, "TWICE").(ips.RepayOldBidRequest))
			assert.NoError(t, err, "another number is another order")
			v2 := ips.RepayRequest{BidNo: q.BidNo, Date: q.Date, Account: borrower.Account, Amount: ips.Yuan,
				Rows: []ips.RepayRow{{CreditorOrderNo: "C1", Account: one.Account, Amount: ips.Yuan}}}
			_, err = b.Record(bg(), tx, v2)
			assert.ErrorIs(t, err, ips.ErrOldBid)
			return nil
		}))

		// A row that fails is carried into an order without the borrower's fee.
		s.client, err = ips.NewClient(s.ips.config, old)
		require.NoError(t, err)
		b = s.open(pool(t, s.driver, s.dsn), nil)
		paid(b)
		q.OrderNo, q.Fee, q.IdentNo = "OLDFAIL", 2*ips.Yuan, "110101199001010001"
		s.ips.failRow["OLDFAIL"] = 0
		o = s.record(b, q)
		form, err = b.Form(bg(), o)
		require.NoError(t, err)
		require.NoError(t, bring(s.client, b.Hear, ips.OpRepayOldBid, s.ips.carry(form)))
		s.is(o, orders.StateDone)
		open, err := b.OpenOrders(bg(), orders.Order{}, 10)
		require.NoError(t, err)
		var next ips.RepayOldBidRequest
		for _, other := range open {
			if r := other.Request.(ips.RepayOldBidRequest); r.OrderNo != "TWICE" {
				next = r
			}
		}
		assert.Equal(t, q.Rows[:1], next.Rows)
		assert.Equal(t, []ips.Amount{30 * ips.Yuan, 0}, []ips.Amount{next.Amount, next.Fee})
		assert.Equal(t, q.ReleaseOrderNo, next.ReleaseOrderNo)
	})
}

// Two bids and the ends of both: each keeps its registration's number and counts
// for itself; at most one end of a bid is open, and an answer goes to that.
func TestEndsOfTwoBids(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		day := ips.Today()
		for _, no := range []string{"R1", "R2"} {
			q := bid(no)
			q.BidNo = "BID" + no
			_, err := b.Form(bg(), s.record(b, q))
			require.NoError(t, err)
		}
		end := func(no string) ips.Request {
			q := bid(no)
			q.BidNo = "BID" + no
			return q.End(day)
		}
		s.ips.fates = func(string, string, int) fate { return refused }
		one, err := b.Send(bg(), s.record(b, end("R1")))
		require.NoError(t, err)
		two, err := b.Send(bg(), s.record(b, end("R2")))
		require.NoError(t, err)
		assert.Equal(t, []string{"808801/end-bid/R1/01", "808801/end-bid/R2/01"}, []string{one.Key, two.Key})
		assert.Equal(t, []orders.State{orders.StateRefused, orders.StateRefused}, []orders.State{one.State, two.State})
		refusal := s.ips.notice("R1")
		again := s.record(b, end("R1"))
		assert.Equal(t, "808801/end-bid/R1/02", again.Key)
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			o, err := b.Record(bg(), tx, end("R1"))
			assert.ErrorIs(t, err, orders.ErrRecorded, "one is open")
			assert.Equal(t, again.Key, o.Key)
			return nil
		}))
		// The end that is open hears what is said of the number, the others nothing.
		s.ips.mu.Lock()
		clear(s.ips.deals)
		s.ips.mu.Unlock()
		s.ips.fates = func(string, string, int) fate { return slow }
		again, err = b.Send(bg(), again)
		require.NoError(t, err)
		assert.Equal(t, orders.StatePending, again.State)
		found, err := b.Find(bg(), s.client.MerchantCode(), ips.OpEndBid, "R1")
		require.NoError(t, err)
		assert.Equal(t, again.Key, found.Key)
		s.ips.finish("R1", ips.TradeDone)
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpEndBid, s.ips.notice("R1")))
		s.is(again, orders.StateDone)
		s.is(one, orders.StateRefused)
		s.is(two, orders.StateRefused)
		// A late copy of the first refusal goes to the last, and contradicts it.
		assert.Equal(t, http.StatusOK, post(s.client, b.Hear, ips.OpEndBid, refusal))
		s.is(again, orders.StateDone)
		assert.Equal(t, []string{"contradiction"}, s.kinds())
		require.NoError(t, inTx(bg(), s.db, func(tx *sql.Tx) error {
			_, err := b.Record(bg(), tx, end("R1"))
			assert.ErrorIs(t, err, orders.ErrRecorded, "it is over")
			return nil
		}))
	})
}

// The console shows balances beside an order when they are asked for, and says
// when IPS has not answered.
func TestConsoleShowsBalances(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		server := ipstest.NewServer(t)
		s.client = server.Client()
		b := s.open(pool(t, s.driver, s.dsn), nil)
		p := server.Person(500 * ips.Yuan)
		q := withdraw(20 * ips.Yuan)
		q.Account, q.IdentNo, q.RealName = p.Account, p.IdentNo, p.Name
		o := s.record(b, q)
		console := b.Console(func(*http.Request) (string, bool) { return "王五", true })
		page := func(more string) string {
			w := httptest.NewRecorder()
			console.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/order?key="+url.QueryEscape(o.Key)+more, nil))
			require.Equal(t, http.StatusOK, w.Code)
			return w.Body.String()
		}
		assert.NotContains(t, page(""), "可用")
		assert.Contains(t, page("&balance=1"), "可用 500.00，冻结 0.00")
		assert.Contains(t, page("&balance=1"), "不能据此判断订单")
		s.is(o, orders.StateRecorded)
		server.Fault(ips.OpQueryBalance, ipstest.BadGateway)
		assert.Contains(t, page("&balance=1"), "余额查询没有答复")
	})
}
