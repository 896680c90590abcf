package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

var cause = ledger.Cause{
	At: time.Date(2014, 11, 24, 4, 0, 0, 0, time.UTC), Merchant: "808801", Operation: "doDpTrade", Order: "R1", Bid: "B1",
}

func in(account string, pocket ledger.Pocket) ledger.Place {
	return ledger.Place{Account: account, Pocket: pocket}
}

func available(account string) ledger.Place { return in(account, ledger.Available) }

// books have 1000 on a's account and nothing on b's.
func books(t testing.TB) *ledger.Books {
	b := ledger.New()
	require.NoError(t, b.OpenOutside("bank"))
	require.NoError(t, b.Open("a"))
	require.NoError(t, b.Open("b"))
	var batch ledger.Batch
	batch.Move(available("bank"), available("a"), 1000, "in")
	require.NoError(t, b.Post(cause, &batch))
	return b
}

func balances(t testing.TB, b *ledger.Books, name string) ledger.Balances {
	t.Helper()
	got, ok := b.Balances(name)
	require.True(t, ok)
	return got
}

func TestPost(t *testing.T) {
	t.Parallel()
	b := books(t)
	var batch ledger.Batch
	freeze := batch.Freeze("a", 300, "set aside")
	batch.Move(available("a"), in("b", ledger.Unsettled), 200, "pay")
	batch.Move(available("a"), available("b"), 0, "nothing")
	require.NoError(t, b.Post(cause, &batch))
	assert.Equal(t, ledger.Balances{Available: 500, Frozen: 300}, balances(t, b, "a"))
	assert.Equal(t, ledger.Balances{Unsettled: 200}, balances(t, b, "b"))
	assert.Equal(t, ledger.Balances{Available: -1000}, balances(t, b, "bank"))
	assert.Equal(t, int64(300), freeze.Left())
	assert.Equal(t, "a", freeze.Account())
	require.Equal(t, 3, b.Len())
	assert.Equal(t, ledger.Entry{
		Seq: 2, Cause: cause, Text: "set aside", From: available("a"), To: in("a", ledger.Frozen), Amount: 300, Freeze: 1,
	}, b.Entry(2))

	var release ledger.Batch
	release.Release(freeze, available("b"), 100, "part")
	release.Release(freeze, available("a"), 200, "rest")
	require.NoError(t, b.Post(cause, &release))
	assert.Zero(t, freeze.Left())
	assert.Equal(t, ledger.Balances{Available: 700}, balances(t, b, "a"))
	require.NoError(t, b.Check())
}

// Whatever is wrong with a batch, none of it happens.
func TestPostRefusesWholeBatches(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(batch *ledger.Batch, live *ledger.Freeze)
		want  string
	}{
		"more than there is": {func(b *ledger.Batch, _ *ledger.Freeze) {
			b.Move(available("a"), available("b"), 801, "")
		}, "insufficient"},
		"freeze more than there is": {func(b *ledger.Batch, _ *ledger.Freeze) { b.Freeze("a", 801, "") }, "insufficient"},
		"release more than is frozen": {func(b *ledger.Batch, live *ledger.Freeze) {
			b.Release(live, available("a"), 101, "")
		}, "insufficient"},
		"release the freeze of another purpose": {func(b *ledger.Batch, live *ledger.Freeze) {
			b.Freeze("a", 500, "")
			b.Release(live, available("a"), 101, "")
		}, "insufficient"},
		"frozen money without its freeze": {func(b *ledger.Batch, _ *ledger.Freeze) {
			b.Move(in("a", ledger.Frozen), available("a"), 1, "")
		}, "with its freeze"},
		"into frozen without a freeze": {func(b *ledger.Batch, _ *ledger.Freeze) {
			b.Move(available("a"), in("a", ledger.Frozen), 1, "")
		}, "with its freeze"},
		"from freeze to frozen": {func(b *ledger.Batch, live *ledger.Freeze) {
			b.Release(live, in("b", ledger.Frozen), 1, "")
		}, "with its freeze"},
		"to itself":      {func(b *ledger.Batch, _ *ledger.Freeze) { b.Move(available("a"), available("a"), 1, "") }, "to itself"},
		"negative":       {func(b *ledger.Batch, _ *ledger.Freeze) { b.Move(available("a"), available("b"), -1, "") }, "out of range"},
		"beyond limits":  {func(b *ledger.Batch, _ *ledger.Freeze) { b.Move(available("bank"), available("b"), 1<<61, "") }, "out of range"},
		"overflow":       {func(b *ledger.Batch, _ *ledger.Freeze) { b.Move(available("bank"), available("a"), 1<<60, "") }, "leave the range"},
		"from nowhere":   {func(b *ledger.Batch, _ *ledger.Freeze) { b.Move(available("x"), available("a"), 1, "") }, `no account "x"`},
		"to nowhere":     {func(b *ledger.Batch, _ *ledger.Freeze) { b.Move(available("a"), available("x"), 1, "") }, `no account "x"`},
		"freeze nowhere": {func(b *ledger.Batch, _ *ledger.Freeze) { b.Freeze("x", 1, "") }, `no account "x"`},
		"no such pocket": {func(b *ledger.Batch, _ *ledger.Freeze) { b.Move(in("a", 9), available("b"), 1, "") }, "no such pocket"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := books(t)
			var first ledger.Batch
			live := first.Freeze("a", 100, "live")
			require.NoError(t, b.Post(cause, &first))

			var batch ledger.Batch
			batch.Move(available("a"), available("b"), 100, "good")
			fresh := batch.Freeze("b", 40, "good")
			batch.Release(live, available("b"), 0, "nothing")
			test.spoil(&batch, live)
			batch.Move(available("b"), available("a"), 1, "never reached")

			err := b.Post(cause, &batch)
			require.ErrorContains(t, err, test.want)
			if test.want == "insufficient" {
				require.ErrorIs(t, err, ledger.ErrInsufficient)
			}
			assert.Equal(t, ledger.Balances{Available: 900, Frozen: 100}, balances(t, b, "a"))
			assert.Equal(t, ledger.Balances{}, balances(t, b, "b"))
			assert.Equal(t, int64(100), live.Left())
			assert.Zero(t, fresh.Left())
			assert.Equal(t, 2, b.Len())
			require.NoError(t, b.Check())
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	b := books(t)
	require.ErrorContains(t, b.Open("a"), "open already")
	require.ErrorContains(t, b.OpenOutside("a"), "open already")
	require.ErrorContains(t, b.Open(""), "needs a name")
	assert.Equal(t, []string{"bank", "a", "b"}, b.Accounts())
	_, ok := b.Balances("x")
	assert.False(t, ok)
}

func TestFilter(t *testing.T) {
	t.Parallel()
	b := books(t)
	for i := range 10 {
		var batch ledger.Batch
		batch.Move(available("a"), available([]string{"b", "bank"}[i%2]), int64(i+1), "out")
		require.NoError(t, b.Post(ledger.Cause{Merchant: "808801", Operation: fmt.Sprint("op", i%3), Order: fmt.Sprint(i), Bid: "B2"}, &batch))
	}
	seqs := func(f ledger.Filter) (list []int64) {
		entries, _ := b.Newest(f, &find.Index{})
		for _, e := range entries {
			list = append(list, e.Seq)
		}
		slices.Reverse(list)
		return list
	}
	assert.Len(t, seqs(ledger.Filter{}), 11)
	assert.Equal(t, []int64{2, 4, 6, 8, 10}, seqs(ledger.Filter{Account: "b"}))
	assert.Equal(t, []int64{6, 8}, seqs(ledger.Filter{Account: "b", Page: find.Page{Skip: 1, Limit: 2}}))
	assert.Equal(t, []int64{4, 10}, seqs(ledger.Filter{Account: "b", Operation: "op2"}))
	assert.Equal(t, []int64{5}, seqs(ledger.Filter{Order: "3"}))
	assert.Equal(t, []int64{1}, seqs(ledger.Filter{Bid: "B1"}))
	assert.Empty(t, seqs(ledger.Filter{Merchant: "808802"}))
	assert.Empty(t, seqs(ledger.Filter{Account: "x"}))
}

func TestPocketString(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "available frozen unsettled Pocket(7)",
		fmt.Sprint(ledger.Available, " ", ledger.Frozen, " ", ledger.Unsettled, " ", ledger.Pocket(7)))
}

// Random batches, good and bad, never break the books.
func TestRandomBatches(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	b := books(t)
	var freezes []*ledger.Freeze
	names := []string{"a", "b", "bank"}
	posted := 0
	for range 5000 {
		var batch ledger.Batch
		var made []*ledger.Freeze
		for range 1 + random.IntN(4) {
			from, to := names[random.IntN(3)], names[random.IntN(3)]
			amount := random.Int64N(200)
			switch random.IntN(4) {
			case 0:
				made = append(made, batch.Freeze(from, amount, "freeze"))
			case 1:
				if len(freezes) > 0 {
					batch.Release(freezes[random.IntN(len(freezes))], in(to, ledger.Pocket(random.IntN(2)*2)), amount, "release")
				}
			default:
				batch.Move(in(from, ledger.Pocket(random.IntN(2)*2)), in(to, ledger.Pocket(random.IntN(2)*2)), amount, "move")
			}
		}
		before := fmt.Sprint(balances(t, b, "a"), balances(t, b, "b"), balances(t, b, "bank"), b.Len())
		if err := b.Post(cause, &batch); err != nil {
			require.Equal(t, before, fmt.Sprint(balances(t, b, "a"), balances(t, b, "b"), balances(t, b, "bank"), b.Len()))
			continue
		}
		posted++
		freezes = append(freezes, made...)
		if posted%50 == 0 {
			require.NoError(t, b.Check())
		}
	}
	require.NoError(t, b.Check())
	assert.Greater(t, posted, 500)
}

// BenchmarkPost shows that posting costs the same however long the journal is.
func BenchmarkPost(b *testing.B) {
	books := books(b)
	b.ReportAllocs()
	for range b.N {
		var batch ledger.Batch
		f := batch.Freeze("a", 10, "freeze")
		batch.Release(f, available("a"), 10, "release")
		if err := books.Post(cause, &batch); err != nil {
			b.Fatal(err)
		}
	}
}
