package ips_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// TestOldBids: every v2.0 operation on an old bid is refused before anything is
// sealed, and the old repayment works on old bids only.
func TestOldBids(t *testing.T) {
	t.Parallel()
	tapped := 0
	c := offlineClient(t, ips.WithWireTap(func(ips.WireMessage) { tapped++ }))
	for _, e := range operationTests() {
		// Of withdrawals only the directed ones, which are not open, name a bid.
		named := slices.Contains(strings.Fields(e.requestNames), "pBidNo") && e.op != ips.OpWithdraw
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
	c, err := ips.NewClient(offlineConfig(), ips.WithOldBids(func(bidNo string) bool {
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
	c, err := ips.NewClient(offlineConfig())
	require.NoError(t, err)
	e := exampleOf(t, ips.OpRepayOldBid)
	_, _, err = e.send(c, e.request)
	require.ErrorIs(t, err, ips.ErrOldBid)
	_, err = ips.NewClient(offlineConfig(), ips.WithOldBids(nil))
	require.ErrorContains(t, err, "WithOldBids")
}

// TestOnceAcrossSiblings replays an answer at the URL of the sibling operation:
// nothing in it says which it belongs to, so it must count as a copy.
func TestOnceAcrossSiblings(t *testing.T) {
	t.Parallel()
	for op, sibling := range map[ips.Operation]ips.Operation{
		ips.OpRegisterCreditor: ips.OpAutoBid, ips.OpRepay: ips.OpAutoRepay,
	} {
		calls := 0
		h := ips.Deduplicated(new(ipstest.MemoryOnce), hear(func(ips.Response) error { calls++; return nil }))
		c := offlineClient(t)
		a := sealedAnswer(t, ips.CodeSuccess, "", responseFile(t, op))
		for _, at := range []ips.Operation{op, sibling, op} {
			resp, err := c.ParseNotification(a.inbound(at), at)
			require.NoError(t, err)
			require.NoError(t, h(t.Context(), resp))
		}
		assert.Equal(t, 1, calls, op)
	}
}

func TestPasswordInURLStaysOut(t *testing.T) {
	t.Parallel()
	cfg := offlineConfig()
	cfg.NotifyURL = "https://user:hunter2@p2p.example.com/"
	_, err := ips.NewClient(cfg)
	require.ErrorContains(t, err, "NotifyURL")
	assert.NotContains(t, err.Error(), "hunter2")

	e := exampleOf(t, ips.OpRecharge)
	set(t, e.request, "NotifyURL", cfg.NotifyURL)
	_, _, err = e.send(offlineClient(t), e.request)
	require.ErrorContains(t, err, "pS2SUrl")
	assert.NotContains(t, err.Error(), "hunter2")
}

func has(request any, field string) bool {
	return reflect.ValueOf(request).Elem().FieldByName(field).IsValid()
}
