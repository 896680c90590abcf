package store_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
	"github.com/ips-p2p/ips/examples/platform/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var _ ips.Once = (*store.Store)(nil)

func open(t *testing.T, address string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), address)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func addUser(t *testing.T, s *store.Store, login string) store.User {
	t.Helper()
	u := store.User{ID: store.NewID(), Login: login, Role: store.Member, RealName: "张三", CreatedAt: time.UnixMilli(1700000000123)}
	require.NoError(t, s.AddUser(context.Background(), u))
	return u
}

func addOrder(t *testing.T, s *store.Store, o store.Order, accounts ...string) store.Order {
	t.Helper()
	o.State, o.Request = ips.OrderRecorded, "{}"
	require.NoError(t, s.Tx(context.Background(), func(tx *store.Tx) error { return tx.AddOrder(context.Background(), o, accounts) }))
	return o
}

func key(orderNo string) store.OrderKey {
	return store.OrderKey{Operation: ips.OpRecharge, OrderNo: orderNo}
}

func TestRowsSurviveTheRoundTrip(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		ctx := context.Background()
		s := open(t, address)
		u := addUser(t, s, "zhangsan")
		got, err := s.User(ctx, u.ID)
		require.NoError(t, err)
		assert.Equal(t, u, got)

		// Enumerations and amounts are stored as what they are on the wire,
		// not as what they print.
		loan := store.Loan{
			BidNo: "B1", BorrowerID: u.ID, Purpose: "购车", Amount: 12345, Rate: 1250, Months: 3, RepayMode: ips.RepayAnnuity,
			State: store.LoanApplied, CreatedAt: time.UnixMilli(1700000000456),
		}
		require.NoError(t, s.AddLoan(ctx, loan))
		back, err := s.Loan(ctx, "B1")
		require.NoError(t, err)
		assert.Equal(t, loan, back)
		assert.Equal(t, "1", string(back.RepayMode))

		order := addOrder(t, s, store.Order{OrderKey: key("R1"), UserID: u.ID, About: "充值", Click: "c1", CreatedAt: time.UnixMilli(1700000000789)})
		read, err := s.Order(ctx, order.OrderKey)
		require.NoError(t, err)
		assert.Equal(t, order, read)

		_, err = s.User(ctx, "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

func TestConflict(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		ctx := context.Background()
		s := open(t, address)
		u := addUser(t, s, "zhangsan")
		err := s.AddUser(ctx, store.User{ID: store.NewID(), Login: "zhangsan", Role: store.Member})
		assert.True(t, store.Conflict(err), "login taken: %v", err)
		addOrder(t, s, store.Order{OrderKey: key("R1"), UserID: u.ID, Click: "c1"})
		err = s.Tx(ctx, func(tx *store.Tx) error {
			return tx.AddOrder(ctx, store.Order{OrderKey: key("R2"), UserID: u.ID, Click: "c1", Request: "{}", State: ips.OrderRecorded}, nil)
		})
		assert.True(t, store.Conflict(err), "click used: %v", err)
		err = s.AddUser(ctx, store.User{ID: store.NewID(), Login: "lisi", Role: "emperor"})
		require.Error(t, err)
		assert.False(t, store.Conflict(err), "no conflict: %v", err)
	})
}

// An order's line cannot be posted twice, and balances are the sum of lines.
func TestBooks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		ctx := context.Background()
		s := open(t, address)
		u := addUser(t, s, "zhangsan")
		const account = "4021000000000001"
		for _, no := range []string{"R1", "R2"} {
			addOrder(t, s, store.Order{OrderKey: key(no), UserID: u.ID})
		}
		post := func(no string, line int, available, frozen ips.Amount) error {
			return s.Tx(ctx, func(tx *store.Tx) error {
				return tx.Post(ctx, store.Posting{OrderKey: key(no), Line: line, Account: account, BidNo: "B1", Available: available, Frozen: frozen})
			})
		}
		require.NoError(t, post("R1", 1, 500, 0))
		require.NoError(t, post("R2", 1, -200, 200))
		assert.True(t, store.Conflict(post("R2", 1, -200, 200)), "the same line again")
		want := store.Balance{Account: account, Available: 300, Frozen: 200}
		got, err := s.Balance(ctx, account)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		frozen, err := s.Frozen(ctx, "B1")
		require.NoError(t, err)
		assert.Equal(t, []store.Balance{want}, frozen)
	})
}

func TestOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		ctx := context.Background()
		// Two programs on one database.
		instances := []*store.Store{open(t, address), open(t, address)}
		k := ips.AnswerKey{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: "R1", Says: "success"}

		failure := errors.New("failed")
		require.ErrorIs(t, instances[0].Do(ctx, k, func(context.Context) error { return failure }), failure, "an error is returned and the key forgotten")
		assert.Panics(t, func() { _ = instances[0].Do(ctx, k, func(context.Context) error { panic("pulled the plug") }) })

		var runs atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				assert.NoError(t, instances[i%2].Do(ctx, k, func(ctx context.Context) error {
					runs.Add(1)
					return store.FromContext(ctx).Describe(ctx, k, "成功", "web return", "amount=5.00")
				}))
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, runs.Load())
		answers, err := instances[1].Answers(ctx, key("R1"))
		require.NoError(t, err)
		require.Len(t, answers, 1)
		assert.Equal(t, 15, answers[0].Copies)
		assert.Equal(t, "amount=5.00", answers[0].Facts)
	})
}

// A lock on an order keeps the second transaction waiting: nothing is lost.
func TestLocksSerialize(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		ctx := context.Background()
		instances := []*store.Store{open(t, address), open(t, address)}
		u := addUser(t, instances[0], "zhangsan")
		addOrder(t, instances[0], store.Order{OrderKey: key("R1"), UserID: u.ID})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				assert.NoError(t, instances[i%2].Tx(ctx, func(tx *store.Tx) error {
					o, err := tx.LockOrder(ctx, key("R1"))
					if err != nil {
						return err
					}
					o.Message += "x"
					return tx.SetOutcome(ctx, o)
				}))
			})
		}
		wg.Wait()
		o, err := instances[0].Order(ctx, key("R1"))
		require.NoError(t, err)
		assert.Len(t, o.Message, 20)
	})
}

func TestOnlyOneMayTry(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		ctx := context.Background()
		s := open(t, address)
		u := addUser(t, s, "zhangsan")
		o := addOrder(t, s, store.Order{OrderKey: key("R1"), UserID: u.ID})
		var mine atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				ok, err := s.Try(ctx, o.OrderKey, o.Attempts, time.Now())
				assert.NoError(t, err)
				if ok {
					mine.Add(1)
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, mine.Load())
	})
}

func TestRivals(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, address string) {
		ctx := context.Background()
		s := open(t, address)
		u := addUser(t, s, "zhangsan")
		addOrder(t, s, store.Order{OrderKey: key("R1"), UserID: u.ID}, "a", "b", "a")
		addOrder(t, s, store.Order{OrderKey: key("R2"), UserID: u.ID}, "b")
		addOrder(t, s, store.Order{OrderKey: key("R3"), UserID: u.ID}, "c")
		rivals, err := s.Rivals(ctx, key("R1"))
		require.NoError(t, err)
		require.Len(t, rivals, 1)
		assert.Equal(t, "R2", rivals[0].OrderNo)
	})
}
