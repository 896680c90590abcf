package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
	"github.com/ips-p2p/ips/examples/platform/store/storetest"
)

const account = "4021000000000001"

// instances are programs that work on one database, with a user and without
// an IPS: the tests say what IPS would.
func instances(t *testing.T, address string, n int) ([]*Orders, store.User) {
	t.Helper()
	var all []*Orders
	for range n {
		db, err := store.Open(t.Context(), address)
		require.NoError(t, err)
		cfg := ips.TestMerchant()
		cfg.Environment = ips.EnvironmentAt("http://127.0.0.1:1")
		client, err := ips.NewClient(cfg)
		require.NoError(t, err)
		o := &Orders{store: db, client: client, base: "http://127.0.0.1:2", log: slog.New(slog.DiscardHandler), now: time.Now}
		t.Cleanup(func() {
			o.Wait()
			assert.NoError(t, db.Close())
		})
		all = append(all, o)
	}
	u := store.User{ID: store.NewID(), Login: "lisi", Role: store.Member, Account: account}
	require.NoError(t, all[0].store.AddUser(t.Context(), u))
	return all, u
}

// recordRecharge records a recharge of 500 with a fee of 1.
func recordRecharge(t *testing.T, o *Orders, u store.User) store.Order {
	t.Helper()
	order, err := o.Record(t.Context(), u, store.NewID(), func(*store.Tx) (draft, error) {
		return draft{about: "网银充值", request: ips.RechargeRequest{
			OrderNo: ips.NewOrderNo("RE"), IdentNo: "110101199001010001", RealName: "李四", Account: u.Account, Date: ips.Today(),
			Amount: 500 * ips.Yuan, Fee: 1 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
			ReturnURL: o.returnURL(ips.OpRecharge), NotifyURL: o.notifyURL(ips.OpRecharge),
		}}, nil
	})
	require.NoError(t, err)
	return order
}

// answer is what IPS says of a recharge.
func answer(orderNo string, via ips.Via, code ips.Code, amount ips.Amount) ips.Response {
	info, _ := ips.OpRecharge.Info()
	return &ips.RechargeResponse{
		Reply: ips.Reply{
			Operation: ips.OpRecharge, Via: via, MerchantCode: "808801", Code: code, Outcome: info.Outcome(code), OrderNo: orderNo, Message: "…",
		},
		Account: account, Amount: amount,
	}
}

func TestHear(t *testing.T) {
	t.Parallel()
	const (
		ret, s2s, sync = ips.WebReturn, ips.ServerToServer, ips.Synchronous
		amount         = 500 * ips.Yuan
	)
	success := func(via ips.Via) func(string) ips.Response {
		return func(no string) ips.Response { return answer(no, via, ips.CodeSuccess, amount) }
	}
	pending := func(via ips.Via) func(string) ips.Response {
		return func(no string) ips.Response { return answer(no, via, ips.CodeProcessing, amount) }
	}
	refusal := func(via ips.Via) func(string) ips.Response {
		return func(no string) ips.Response { return answer(no, via, ips.CodeFailed, 0) }
	}
	wrong := func(via ips.Via) func(string) ips.Response {
		return func(no string) ips.Response { return answer(no, via, ips.CodeSuccess, amount+1) }
	}
	silent := func(no string) ips.Response { return answer(no, s2s, ips.CodeSuccess, 0) } // leaves the amount out
	unknown := func(no string) ips.Response { return answer(no, s2s, "MG99999F", 0) }
	nameless := func(string) ips.Response { return answer("", ret, ips.CodeFailed, 0) }

	type answers []func(string) ips.Response
	tests := map[string]struct {
		say     answers
		state   ips.OrderState
		via     ips.Via // who settled it
		copies  int     // of the answer that settled it
		strange []int   // copies of each contradiction
		again   int     // answers that were not acknowledged, so that IPS repeats them
	}{
		"nothing":                            {answers{}, ips.OrderRecorded, 0, 0, nil, 0},
		"web return alone":                   {answers{success(ret)}, ips.OrderDone, ret, 0, nil, 0},
		"notification alone":                 {answers{success(s2s)}, ips.OrderDone, s2s, 0, nil, 0},
		"synchronous answer alone":           {answers{success(sync)}, ips.OrderDone, sync, 0, nil, 0},
		"web return first":                   {answers{success(ret), success(s2s)}, ips.OrderDone, ret, 1, nil, 0},
		"notification first":                 {answers{success(s2s), success(ret)}, ips.OrderDone, s2s, 1, nil, 0},
		"many copies":                        {answers{success(s2s), success(s2s), success(ret), success(s2s), success(ret)}, ips.OrderDone, s2s, 4, nil, 0},
		"pending":                            {answers{pending(sync)}, ips.OrderPending, sync, 0, nil, 0},
		"pending, then done":                 {answers{pending(sync), success(s2s)}, ips.OrderDone, s2s, 0, nil, 0},
		"pending twice, then done":           {answers{pending(ret), pending(sync), success(s2s)}, ips.OrderDone, s2s, 0, nil, 0},
		"pending, then refused":              {answers{pending(sync), refusal(s2s)}, ips.OrderRefused, s2s, 0, nil, 0},
		"done overtakes pending":             {answers{success(s2s), pending(ret)}, ips.OrderDone, s2s, 0, nil, 0},
		"refused overtakes pending":          {answers{refusal(s2s), pending(ret)}, ips.OrderRefused, s2s, 0, nil, 0},
		"refused":                            {answers{refusal(ret)}, ips.OrderRefused, ret, 0, nil, 0},
		"refused twice":                      {answers{refusal(ret), refusal(s2s)}, ips.OrderRefused, ret, 1, nil, 0},
		"a code nobody knows":                {answers{unknown}, ips.OrderRefused, s2s, 0, nil, 0},
		"two kinds of refusal agree":         {answers{refusal(ret), unknown}, ips.OrderRefused, ret, 0, nil, 0},
		"done, then refused":                 {answers{success(ret), refusal(s2s)}, ips.OrderDone, ret, 0, []int{0}, 0},
		"done, then refused three times":     {answers{success(ret), refusal(s2s), refusal(s2s), refusal(ret)}, ips.OrderDone, ret, 0, []int{1}, 0},
		"refused, then done":                 {answers{refusal(ret), success(s2s)}, ips.OrderDone, s2s, 0, nil, 0},
		"refused, then done twice":           {answers{refusal(ret), success(s2s), success(s2s)}, ips.OrderDone, s2s, 1, nil, 0},
		"another amount":                     {answers{wrong(s2s)}, ips.OrderRecorded, 0, 0, []int{0}, 1},
		"another amount, then the right one": {answers{wrong(s2s), success(ret)}, ips.OrderDone, ret, 0, []int{0}, 1},
		"the right amount, then another":     {answers{success(ret), wrong(s2s)}, ips.OrderDone, ret, 1, []int{0}, 0},
		"another amount while pending":       {answers{pending(sync), wrong(s2s), wrong(s2s), success(s2s)}, ips.OrderDone, s2s, 0, []int{1}, 2},
		"no amount":                          {answers{silent, success(ret)}, ips.OrderDone, s2s, 1, nil, 0},
		"an answer that names no order":      {answers{nameless, success(ret)}, ips.OrderDone, ret, 0, nil, 0},
	}
	storetest.Each(t, func(t *testing.T, address string) {
		all, u := instances(t, address, 1)
		o := all[0]
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				order := recordRecharge(t, o, u)
				before, err := o.store.Balance(t.Context(), account)
				require.NoError(t, err)
				again := 0
				for _, say := range test.say {
					if err := o.Hear(t.Context(), say(order.OrderNo)); err != nil {
						require.ErrorIs(t, err, ips.ErrContradiction)
						again++
					}
				}
				assert.Equal(t, test.again, again, "answers that were not acknowledged")
				after, err := o.store.Order(t.Context(), order.OrderKey)
				require.NoError(t, err)
				assert.Equal(t, test.state, after.State)
				if test.via != 0 {
					assert.Equal(t, test.via.String(), after.Via)
					assert.Equal(t, test.copies, copiesOf(t, o, after))
				}
				var want, fee ips.Amount
				if test.state == ips.OrderDone {
					want, fee = 499*ips.Yuan, 1*ips.Yuan
				}
				assertBalance(t, o, account, before.Available+want)
				assert.Equal(t, fee, feesOf(t, o, after))
				var strange []int
				contradictions, err := o.store.Contradictions(t.Context(), order.OrderKey)
				require.NoError(t, err)
				for _, c := range contradictions {
					strange = append(strange, c.Copies)
				}
				assert.Equal(t, test.strange, strange, "copies of contradictions")
			})
		}
	})
}

// feesOf is what an order has brought the platform.
func feesOf(t *testing.T, o *Orders, order store.Order) (sum ips.Amount) {
	t.Helper()
	lines, err := o.store.OrderPostings(t.Context(), order.OrderKey)
	require.NoError(t, err)
	for _, line := range lines {
		if line.Account == "808801" {
			sum += line.Available
		}
	}
	return sum
}

// fresh is a new database of the kind that address is of.
func fresh(t *testing.T, address string) string {
	t.Helper()
	if _, err := url.Parse(address); err == nil && address[0] != '/' {
		return storetest.Postgres(t)
	}
	return storetest.SQLite(t)
}

// An answer about an order that was never recorded is kept, with its copies.
func TestHearOfUnknownOrder(t *testing.T) {
	t.Parallel()
	all, _ := instances(t, storetest.SQLite(t), 1)
	for range 3 {
		require.NoError(t, all[0].Hear(t.Context(), answer("STRANGER", ips.ServerToServer, ips.CodeSuccess, 500*ips.Yuan)))
	}
	contradictions, err := all[0].store.Contradictions(t.Context(), store.OrderKey{})
	require.NoError(t, err)
	require.Len(t, contradictions, 1)
	assert.Equal(t, 2, contradictions[0].Copies)
	assert.Contains(t, contradictions[0].Facts, "500.00")
	assertBalance(t, all[0], account, 0)
}

func copiesOf(t *testing.T, o *Orders, order store.Order) int {
	t.Helper()
	answers, err := o.store.Answers(t.Context(), order.OrderKey)
	require.NoError(t, err)
	i := slices.IndexFunc(answers, func(a store.Answer) bool {
		return a.Code == order.Code || string(a.Code) == map[ips.OrderState]string{ips.OrderDone: "success", ips.OrderPending: "pending"}[order.State]
	})
	require.GreaterOrEqual(t, i, 0)
	return answers[i].Copies
}

func assertBalance(t *testing.T, o *Orders, account string, want ips.Amount) {
	t.Helper()
	b, err := o.store.Balance(t.Context(), account)
	require.NoError(t, err)
	assert.Equal(t, want, b.Available, "available in %s", account)
}

// Everything arrives at once, at two programs, in any order: every order has
// its effect exactly once.
func TestHearConcurrently(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		all, u := instances(t, address, 2)
		const orders = 8
		var said []ips.Response
		for range orders {
			no := recordRecharge(t, all[0], u).OrderNo
			for range 4 {
				said = append(said,
					answer(no, ips.ServerToServer, ips.CodeSuccess, 500*ips.Yuan),
					answer(no, ips.WebReturn, ips.CodeSuccess, 500*ips.Yuan),
					answer(no, ips.Synchronous, ips.CodeProcessing, 500*ips.Yuan))
			}
		}
		rand.Shuffle(len(said), func(i, j int) { said[i], said[j] = said[j], said[i] })
		var wg sync.WaitGroup
		for i, resp := range said {
			wg.Go(func() { assert.NoError(t, all[i%2].Hear(context.Background(), resp)) })
		}
		wg.Wait()
		assertBalance(t, all[0], account, orders*499*ips.Yuan)
		open, err := all[0].store.OpenOrders(t.Context(), time.Now(), always, 10)
		require.NoError(t, err)
		assert.Empty(t, open)
		contradictions, err := all[0].store.Contradictions(t.Context(), store.OrderKey{})
		require.NoError(t, err)
		assert.Empty(t, contradictions)
	})
}

// Yes and no arrive at once: one of them wins, the other one is kept.
func TestContradictionConcurrently(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		all, u := instances(t, address, 2)
		order := recordRecharge(t, all[0], u)
		var wg sync.WaitGroup
		for i := range 8 {
			code, amount := ips.CodeSuccess, 500*ips.Yuan
			if i%4 < 2 {
				code, amount = ips.CodeFailed, 0
			}
			wg.Go(func() {
				assert.NoError(t, all[i%2].Hear(context.Background(), answer(order.OrderNo, ips.ServerToServer, code, amount)))
			})
		}
		wg.Wait()
		after, err := all[0].store.Order(t.Context(), order.OrderKey)
		require.NoError(t, err)
		require.Equal(t, ips.OrderDone, after.State, "a refusal that came first does not keep the money")
		assertBalance(t, all[0], account, 499*ips.Yuan)
		contradictions, err := all[0].store.Contradictions(t.Context(), order.OrderKey)
		require.NoError(t, err)
		for _, c := range contradictions { // refusals that came behind the success
			assert.Equal(t, ips.CodeFailed, c.Code)
		}
	})
}

// A click is one order, however fast it is repeated, and at whichever program.
func TestRecordOnceConcurrently(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		all, u := instances(t, address, 2)
		numbers := make([]string, 8)
		var wg sync.WaitGroup
		for i := range numbers {
			wg.Go(func() {
				order, err := all[i%2].Record(context.Background(), u, "one click", func(*store.Tx) (draft, error) {
					return draft{about: "签约", request: ips.SignAutoRepayRequest{
						OrderNo: ips.NewOrderNo("AR"), Date: ips.Today(), IdentNo: "110101199001010001", RealName: "李四", Account: account,
						ValidUnit: ips.PeriodUnlimited, ReturnURL: "http://127.0.0.1:2/", NotifyURL: "http://127.0.0.1:2/",
					}}, nil
				})
				assert.NoError(t, err)
				numbers[i] = order.OrderNo
			})
		}
		wg.Wait()
		assert.Len(t, slices.Compact(numbers), 1)
	})
}

// The form is the very same message every time, whatever day it is.
func TestFormIsRepeatable(t *testing.T) {
	t.Parallel()
	all, u := instances(t, storetest.SQLite(t), 1)
	o := all[0]
	order := recordRecharge(t, o, u)
	first, err := o.Form(order)
	require.NoError(t, err)
	o.now = func() time.Time { return time.Now().AddDate(0, 0, 3) }
	again, err := o.store.Order(t.Context(), order.OrderKey)
	require.NoError(t, err)
	second, err := o.Form(again)
	require.NoError(t, err)
	assert.Equal(t, first.Fields(), second.Fields())
}

// What breaks the contract is not recorded, or ends at once, and reaches nobody.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	all, u := instances(t, storetest.SQLite(t), 1)
	o := all[0]
	_, err := o.Record(t.Context(), u, "c1", func(*store.Tx) (draft, error) {
		return draft{request: ips.WithdrawRequest{OrderNo: "W1"}}, nil
	})
	var invalid *ips.ValidationError
	require.ErrorAs(t, err, &invalid)
	_, err = o.store.Order(t.Context(), store.OrderKey{Operation: ips.OpWithdraw, OrderNo: "W1"})
	require.ErrorIs(t, err, store.ErrNotFound)

	order, err := o.Record(t.Context(), u, "c2", func(*store.Tx) (draft, error) {
		return draft{request: ips.WithholdingRechargeRequest{OrderNo: "H1"}}, nil
	})
	require.NoError(t, err)
	require.NoError(t, o.Send(t.Context(), order))
	order, err = o.store.Order(t.Context(), order.OrderKey)
	require.NoError(t, err)
	assert.Equal(t, ips.OrderRefused, order.State)
	assert.Equal(t, "platform", order.Via)
}

// An IPS that cannot be reached leaves the order where it is.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	all, u := instances(t, storetest.SQLite(t), 1)
	o := all[0]
	order, err := o.Record(t.Context(), u, "c1", func(*store.Tx) (draft, error) {
		return draft{request: ips.WithholdingRechargeRequest{
			OrderNo: "H1", Date: ips.Today(), Amount: 1 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
			IdentNo: "110101199001010001", RealName: "李四", Account: account, NotifyURL: "http://127.0.0.1:2/",
		}}, nil
	})
	require.NoError(t, err)
	require.Error(t, o.Send(t.Context(), order))
	order, err = o.store.Order(t.Context(), order.OrderKey)
	require.NoError(t, err)
	assert.Equal(t, ips.OrderRecorded, order.State)
	assert.Equal(t, 1, order.Attempts)
	report, err := o.Reconcile(t.Context(), always, 10)
	require.NoError(t, err)
	require.Len(t, report.Open, 1)
	assert.Equal(t, noteUnknown, report.Open[0].Note)
}
