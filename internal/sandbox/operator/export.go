package operator

import (
	"slices"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
)

// Books are all that the platform has written down, amounts in fen, everything
// in the order of its coming. Id numbers and mobiles are masked.
type Books struct {
	Totals    engine.Totals
	Merchants []engine.MerchantInfo
	Accounts  []engine.AccountInfo
	Bids      []engine.BidInfo
	OldBids   []engine.OldBidInfo
	Orders    []engine.OrderInfo
	Entries   []engine.JournalEntry
}

// Export copies the books.
func Export(e *engine.Engine) Books {
	b := Books{Totals: e.Totals(), Merchants: e.Merchants(), OldBids: e.OldBids("")}
	b.Accounts, _ = e.NewestAccounts(engine.AccountFilter{}, engine.Page{})
	b.Bids, _ = e.NewestBids(engine.BidFilter{Whole: true}, engine.Page{})
	b.Orders, _ = e.NewestOrders(engine.OrderFilter{}, engine.Page{})
	b.Entries, _ = e.NewestEntries(engine.JournalFilter{})
	for i := range b.Accounts {
		b.Accounts[i].Mobile = engine.MaskMiddle(b.Accounts[i].Mobile)
	}
	for i := range b.Orders {
		o := &b.Orders[i]
		o.Answer.Body, o.Final.Body = messages.MaskFields(o.Answer.Body), messages.MaskFields(o.Final.Body)
	}
	slices.Reverse(b.Accounts)
	slices.Reverse(b.Bids)
	slices.Reverse(b.Orders)
	slices.Reverse(b.Entries)
	return b
}
