package orderstest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// The merchant's books against the sandbox's: what agrees is not said to differ,
// what differs is, with the orders that may be why; after an error it goes on
// behind the last account; an account that IPS does not know stops nothing; one
// whose money moves is looked at again.
func TestCompare(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		server := ipstest.NewServer(t)
		s.client = server.Client()
		b := s.open(pool(t, s.driver, s.dsn), nil)
		own := map[string]orders.Holding{"4021999999999999": {}, s.client.MerchantCode(): {}}
		var accounts []string
		for i := range 11 {
			p := server.Person(ips.Amount(i) * 100 * ips.Yuan)
			own[p.Account] = orders.Holding{Available: ips.Amount(i) * 100 * ips.Yuan}
			accounts = append(accounts, p.Account)
		}
		differs, late, other := accounts[3], accounts[5], accounts[7]
		own[differs] = orders.Holding{Available: 299 * ips.Yuan, Frozen: ips.Yuan}
		accounts = append(accounts, "4021999999999999", s.client.MerchantCode())
		slices.Sort(accounts)
		for _, account := range []string{differs, other} {
			q := withdraw(5 * ips.Yuan)
			q.Account = account
			s.record(b, q)
		}
		batch := release(2)
		batch.Rows[1].FromAccount = differs
		s.record(b, batch, orders.Hold())

		down := errors.New("the database is down")
		asked := map[string]int{}
		fails := accounts[8]
		books := orders.Books{
			Accounts: func(_ context.Context, after string) ([]string, error) {
				i, found := slices.BinarySearch(accounts, after)
				if found {
					i++
				}
				return accounts[i:min(i+4, len(accounts))], nil
			},
			Holding: func(_ context.Context, account string) (orders.Holding, error) {
				if account == fails {
					return orders.Holding{}, down
				}
				s.ips.mu.Lock()
				defer s.ips.mu.Unlock()
				asked[account]++
				h := own[account]
				if account == late && asked[account] == 1 { // its notification is about to come
					h.Available -= ips.Yuan
				}
				return h, nil
			},
		}
		var said []string
		found := map[string]orders.Compared{}
		after := ""
		var err error
		compare := func() {
			for c, e := range b.Compare(bg(), books, after) {
				if err = e; err != nil {
					return
				}
				said, after = append(said, c.Account), c.Account
				if c.Differs() {
					found[c.Account] = c
				}
			}
		}
		compare()
		require.ErrorIs(t, err, down)
		assert.Equal(t, accounts[:8], said)
		fails = ""
		compare()
		require.NoError(t, err)
		assert.Equal(t, accounts, said, "each once, in order")

		require.Len(t, found, 2, "%v", found)
		c := found[differs]
		assert.Equal(t, orders.Holding{Available: 300 * ips.Yuan}, c.IPS)
		assert.Equal(t, own[differs], c.Own)
		assert.Equal(t, 2, c.Open, "the withdrawal and the batch")
		assert.Equal(t, []string{"'" + differs, "299.00", "1.00", "300.00", "0.00", "0.00", "0.00", "2", ""}, c.Record())
		assert.Len(t, c.Record(), len(orders.DifferenceColumns()))
		stranger := found["4021999999999999"]
		require.NotNil(t, stranger.Refusal)
		assert.NotEmpty(t, stranger.Refusal.Code)
		assert.Contains(t, stranger.Record()[8], string(stranger.Refusal.Code))
		assert.GreaterOrEqual(t, asked[late], 4, "looked at again")
		assert.Equal(t, 2, asked[accounts[0]], "before and after the question")

		// Money that never stands still.
		moves := ips.Amount(0)
		books.Accounts = func(_ context.Context, after string) ([]string, error) {
			if after == "" {
				return []string{other}, nil
			}
			return nil, nil
		}
		books.Holding = func(context.Context, string) (orders.Holding, error) {
			moves++
			return orders.Holding{Available: moves}, nil
		}
		for c, err := range b.Compare(bg(), books, "") {
			require.NoError(t, err)
			assert.True(t, c.Moving)
			assert.Equal(t, 1, c.Open)
			assert.EqualValues(t, 6, moves)
		}
		books.Accounts = func(context.Context, string) ([]string, error) { return []string{other}, nil }
		err = nil
		for _, err = range b.Compare(bg(), books, "") {
			_ = err
		}
		require.ErrorContains(t, err, "no end")

		// IPS is down: an error, not a difference.
		server.Close()
		books.Accounts = func(context.Context, string) ([]string, error) { return []string{other}, nil }
		n := 0
		for _, err = range b.Compare(bg(), books, "") {
			n++
		}
		assert.Equal(t, 1, n)
		require.Error(t, err)
	})
}

// A refusal's words and an account of others' making are no formulas.
func TestCompareFormulas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "'x": "''x",
		"": "", "808801": "808801", "123456789012345": "123456789012345", "1234567890123456": "'1234567890123456", "账户": "账户",
	} {
		c := orders.Compared{Account: text}
		assert.Equal(t, want, c.Record()[0], "%q", text)
	}
	negative := orders.Compared{Own: orders.Holding{Available: ips.Yuan}}
	assert.Equal(t, "-1.00", negative.Record()[6], "a sum stays a number")
}

// The orders of a day: each that ended in it once, those that are open, more than
// a page of them, and nothing of a person.
func TestWriteOrders(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.open(s.db, nil, orders.WithPace(orders.Pace{PageLife: time.Hour})))
		var done []orders.Order
		for range 3 {
			o, err := b.Send(bg(), s.record(b, autoBid(7*ips.Yuan)))
			require.NoError(t, err)
			require.Equal(t, orders.StateDone, o.State)
			done = append(done, o)
		}
		const open = 1100 // of one transaction: PostgreSQL's clock goes on, others' need not
		tx, err := s.db.Begin()
		require.NoError(t, err)
		want := map[string]bool{}
		for i := range open {
			o, err := b.Record(bg(), tx, recharge(ips.Amount(i+1)))
			require.NoError(t, err)
			want[o.OrderNo] = true
		}
		require.NoError(t, tx.Commit())
		write := func(from, to time.Time) [][]string {
			var file bytes.Buffer
			require.NoError(t, b.WriteOrders(bg(), &file, from, to))
			for _, personal := range []string{"张三", "110101199001010001", account} {
				assert.NotContains(t, file.String(), personal)
			}
			text, found := strings.CutPrefix(file.String(), "\ufeff")
			assert.True(t, found)
			lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			require.NoError(t, err)
			return lines[1:]
		}
		now := time.Now()
		lines := write(now.Add(-time.Hour), now.Add(time.Hour))
		require.Len(t, lines, open+3)
		for i, o := range done {
			assert.Equal(t, []string{o.Merchant, "登记债权人（自动投标）", o.OrderNo, "成功", "7.00"}, lines[i][:5])
			assert.NotEmpty(t, lines[i][6])
		}
		for _, line := range lines[3:] {
			assert.True(t, want[line[2]], "%s twice or never", line[2])
			delete(want, line[2])
			assert.Equal(t, []string{"已登记", ""}, []string{line[3], line[6]})
		}
		assert.Empty(t, want)
		assert.Empty(t, write(now.Add(-2*time.Hour), now.Add(-time.Hour)), "before anything was recorded")
		assert.Len(t, write(now.Add(time.Hour), now.Add(2*time.Hour)), open, "those that are still open")
		broken := fmt.Errorf("the browser has gone")
		require.ErrorIs(t, b.WriteOrders(bg(), writer(func([]byte) (int, error) { return 0, broken }), now, now), broken)
	})
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
