package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/ledger"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Newest must agree with a look at every entry.
func TestNewest(t *testing.T) {
	t.Parallel()
	b := ledger.New()
	require.NoError(t, b.OpenOutside("bank"))
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, b.Open(name))
	}
	for i := range 30 {
		var batch ledger.Batch
		to := string(rune('a' + i%3))
		batch.Move(ledger.Place{Account: "bank"}, ledger.Place{Account: to}, int64(i+1)*100, "in")
		require.NoError(t, b.Post(ledger.Cause{
			Merchant: fmt.Sprintf("M%d", i%2), Operation: fmt.Sprintf("op%d", i%5), Order: fmt.Sprintf("O%d", i%7), Bid: fmt.Sprintf("B%d", i%4),
		}, &batch))
	}
	var words find.Index
	for _, f := range []ledger.Filter{
		{}, {Account: "a"}, {Account: "bank"}, {Account: "nobody"}, {Merchant: "M1"}, {Operation: "op3"}, {Order: "O6"}, {Bid: "B2"},
		{Account: "b", Merchant: "M0", Bid: "B0"}, {Operation: "none"}, {Text: "O3"}, {Text: "7.00"}, {Text: "in"}, {Text: "B1", Order: "O5"}, {Text: "x"},
	} {
		var want []ledger.Entry
		for i := b.Len(); i > 0; i-- {
			e := b.Entry(i)
			if is(f.Merchant, e.Merchant) && is(f.Operation, e.Operation) && is(f.Order, e.Order) && is(f.Bid, e.Bid) &&
				(is(f.Account, e.From.Account) || is(f.Account, e.To.Account)) &&
				(find.AmountOf(f.Text) == e.Amount || strings.Contains(e.Order+" "+e.Bid+" "+e.Text, f.Text)) {
				want = append(want, e)
			}
		}
		for offset := range len(want) + 2 {
			for limit := range 4 {
				f.Skip, f.Limit = offset, limit
				got, total := b.Newest(f, &words)
				assert.Equal(t, len(want), total)
				part := want[min(offset, len(want)):]
				if limit > 0 {
					part = part[:min(limit, len(part))]
				}
				assert.ElementsMatch(t, part, got)
				assert.True(t, slices.IsSortedFunc(got, func(x, y ledger.Entry) int { return int(y.Seq - x.Seq) }))
			}
		}
	}
}

func is(want, value string) bool { return want == "" || want == value }
