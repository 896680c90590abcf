package scenario_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// TestRepayOldBid is the cut-over of the usage guide's part 三: an old bid is
// repaid through the old interface and through nothing else.
func TestRepayOldBid(t *testing.T) {
	t.Parallel()
	s := ipstest.NewServer(t)
	c, err := ips.NewClient(s.Config(), ips.WithOldBids(func(no string) bool { return strings.HasPrefix(no, "OLD") }))
	require.NoError(t, err)
	borrower, first, second := s.Person(1000*ips.Yuan), s.Person(0), s.Person(0)
	req := s.OldBid(borrower, 100*ips.Yuan, first, second)
	req.Fee = 2 * ips.Yuan

	_, err = c.Repay(ips.RepayRequest{
		BidNo: req.BidNo, Date: req.Date, OrderNo: s.NewOrderNo(), Account: borrower.Account, Amount: 100 * ips.Yuan,
		Rows: []ips.RepayRow{{CreditorOrderNo: "C1", Account: first.Account, Amount: 100 * ips.Yuan}},
	})
	require.ErrorIs(t, err, ips.ErrOldBid)

	form, err := c.RepayOldBid(req)
	require.NoError(t, err)
	back, ok := s.Carry(form).(*ips.RepayOldBidResponse)
	require.True(t, ok)
	require.NoError(t, back.Err())
	assert.Equal(t, ips.Success, back.Outcome)
	assert.Equal(t, ips.CodeQuerySuccess, back.Code)
	require.Len(t, back.Rows, 2)
	for _, row := range back.Rows {
		assert.Equal(t, ips.RowDone, row.Status, row.Message)
	}
	told, ok := s.WaitNotification(ips.OpRepayOldBid, req.OrderNo).(*ips.RepayOldBidResponse)
	require.True(t, ok)
	assert.Equal(t, back.IPSBillNo, told.IPSBillNo)
	s.AssertBalance(borrower.Account, 798*ips.Yuan, 0)
	s.AssertBalance(first.Account, 100*ips.Yuan, 0)
	s.AssertBalance(second.Account, 100*ips.Yuan, 0)

	// A row to somebody who is owed nothing is refused.
	req.OrderNo, req.Rows, req.Amount, req.Fee = s.NewOrderNo(), req.Rows[:1], 1*ips.Fen, 0
	req.Rows[0].Account, req.Rows[0].Amount = borrower.Account, 1*ips.Fen
	form, err = c.RepayOldBid(req)
	require.NoError(t, err)
	assert.Equal(t, ips.Code("MG20044F"), s.Carry(form).Base().Code)
}
