package main

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	type pair struct{ principal, interest ips.Amount }
	tests := map[string]struct {
		amount ips.Amount
		rate   ips.Rate
		mode   ips.RepayMode
		want   []pair
	}{
		"等额本息": {10000 * ips.Yuan, 12 * ips.Percent, ips.RepayAnnuity, []pair{
			{3300_22, 100_00}, {3333_22, 67_00}, {3366_56, 33_67}, // 3,400.22 each; the last takes the cent
		}},
		"按月还息到期还本": {10000 * ips.Yuan, 12 * ips.Percent, ips.RepayInterestFirst, []pair{
			{0, 100_00}, {0, 100_00}, {10000_00, 100_00},
		}},
		"等额本金": {10000 * ips.Yuan, 12 * ips.Percent, ips.RepayEqualPrincipal, []pair{
			{3333_33, 100_00}, {3333_33, 66_67}, {3333_34, 33_33},
		}},
		"without interest": {100 * ips.Fen, 0, ips.RepayAnnuity, []pair{{33, 0}, {33, 0}, {34, 0}}},
		"one fen":          {1 * ips.Fen, 12 * ips.Percent, ips.RepayAnnuity, []pair{{0, 0}, {0, 0}, {1, 0}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []pair
			for i, due := range plan(test.amount, test.rate, 3, test.mode, ips.NewDate(2026, 1, 31)) {
				got = append(got, pair{due.Principal, due.Interest})
				assert.Equal(t, i+1, due.Period)
				assert.Equal(t, []string{"20260228", "20260331", "20260430"}[i], due.DueOn)
			}
			assert.Equal(t, test.want, got)
		})
	}
}

// Whatever is lent on whatever terms, the principal adds up, also after a part
// was sold, and nobody owes less than nothing.
func TestPlansAddUp(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		amount := ips.Amount(1 + r.Int64N(1e9))
		months := 1 + r.IntN(36)
		mode := []ips.RepayMode{ips.RepayAnnuity, ips.RepayInterestFirst, ips.RepayEqualPrincipal}[r.IntN(3)]
		dues := plan(amount, ips.Rate(r.IntN(2400)), months, mode, ips.NewDate(2026, 3, 1))
		require.Len(t, dues, months)
		var principal, interest ips.Amount
		for i := range dues {
			require.GreaterOrEqual(t, dues[i].Principal, ips.Amount(0))
			require.GreaterOrEqual(t, dues[i].Interest, ips.Amount(0))
			principal += dues[i].Principal
			interest += dues[i].Interest
		}
		require.Equal(t, amount, principal)

		part := ips.Amount(1 + r.Int64N(int64(amount)))
		var gone, rest ips.Amount
		for _, cut := range split(dues, amount, part) {
			require.GreaterOrEqual(t, cut.kept.Principal, ips.Amount(0))
			require.GreaterOrEqual(t, cut.gone.Principal, ips.Amount(0))
			gone += cut.gone.Principal
			rest += cut.kept.Principal + cut.kept.Interest + cut.gone.Interest
		}
		require.Equal(t, part, gone)
		require.Equal(t, amount-part+interest, rest)
	}
}

func TestSplitLeavesPaidPeriodsAlone(t *testing.T) {
	t.Parallel()
	dues := []Due{
		{Period: 1, Principal: 100, Interest: 10, Paid: 110, State: DueRepaid},
		{Period: 2, Principal: 100, Interest: 7, State: DueOpen},
		{Period: 3, Principal: 101, Interest: 3, State: DueOpen},
	}
	cuts := split(dues, 201, 67)
	require.Len(t, cuts, 2)
	assert.Equal(t, Due{Period: 2, Principal: 33, Interest: 2, State: DueOpen}, cuts[0].gone)
	assert.Equal(t, Due{Period: 3, Principal: 34, Interest: 1, State: DueOpen}, cuts[1].gone)
	assert.Equal(t, Due{Period: 3, Principal: 67, Interest: 2, State: DueOpen}, cuts[1].kept)
}
