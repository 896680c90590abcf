package ips_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// TestOldBids: every v2.0 operation on an old bid is refused before anything is
// sealed, and the old repayment works on old bids only.
func TestOldBids(t *testing.T) {
	t.Parallel()
	tapped := 0
	c := fixture.Client(t, ips.WithWireTap(func(ips.WireMessage) { tapped++ }))
	for _, e := range examples(t) {
		// Of withdrawals only the directed ones, which are not open, name a bid.
		named := strings.Contains(string(goldenFile(t, e.op, "request.xml")), "<pBidNo>") && e.op != ips.OpWithdraw
		require.Equal(t, named, has(e.request, "BidNo"), "%s: pBidNo belongs into a field BidNo, by which old bids are known", e.op)
		if !named {
			continue
		}
		bidNo, want := "OLD000001", "use RepayOldBid"
		if e.op == ips.OpRepayOldBid {
			bidNo, want = "BID000001", "use Repay or AutoRepay"
		}
		set(t, e.request, "BidNo", bidNo)
		_, _, err := e.send(c, e.request)
		require.ErrorIs(t, err, ips.ErrOldBid, e.op)
		require.ErrorContains(t, err, want, e.op)
		require.ErrorContains(t, err, bidNo, e.op)
		var old *ips.OldBidError
		require.ErrorAs(t, err, &old)
		assert.Equal(t, e.op, old.Operation)
	}
	assert.Zero(t, tapped, "nothing is sealed")
}

// TestOldBidsOnlyWhereThereIsABid: an element that is always empty names no bid.
func TestOldBidsOnlyWhereThereIsABid(t *testing.T) {
	t.Parallel()
	var asked []string
	c, err := ips.NewClient(fixture.Config(), ips.WithOldBids(func(bidNo string) bool {
		asked = append(asked, bidNo)
		return true
	}))
	require.NoError(t, err)
	e := exampleOf(t, ips.OpWithdraw)
	_, _, err = e.send(c, e.request)
	require.NoError(t, err)
	assert.Empty(t, asked)
}

func TestOldBidsNeedAPredicate(t *testing.T) {
	t.Parallel()
	c, err := ips.NewClient(fixture.Config())
	require.NoError(t, err)
	e := exampleOf(t, ips.OpRepayOldBid)
	_, _, err = e.send(c, e.request)
	require.ErrorIs(t, err, ips.ErrOldBid)
	_, err = ips.NewClient(fixture.Config(), ips.WithOldBids(nil))
	require.ErrorContains(t, err, "WithOldBids")
}

func has(request any, field string) bool {
	return reflect.ValueOf(request).Elem().FieldByName(field).IsValid()
}

func TestInvalidRepayOldBid(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpRepayOldBid, []invalid{
		{with{"Amount", 299_99}, "pFTrdAmt", "Amount", "must be the sum of the rows' Amount (pTTrdAmt), 300.00", false},
		{with{"Rows[0].Fee", 100_00}, "pDetails/pRow[1]/pTTrdAmt", "Rows[0].Amount", "must be more than Fee (pTTrdFee) 100.00", false},
		{with{"ReleaseOrderNo", ""}, "pMerchantBillNo", "ReleaseOrderNo", empty, false},
		{with{"IdentNo", x(21)}, "pFIdentNo", "IdentNo", "must have at most 20 characters", true},
	})
}
