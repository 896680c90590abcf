package main

import (
	"encoding/json"
	"errors"
	"os"
	"slices"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/journal"
)

// books is what -export writes, amounts in fen, everything in the order of its
// coming.
type books struct {
	Format    int
	Rules     int
	Program   string
	Totals    engine.Totals
	Merchants []engine.MerchantInfo
	Accounts  []engine.AccountInfo
	Bids      []engine.BidInfo
	OldBids   []engine.OldBidInfo
	Orders    []engine.OrderInfo
	Entries   []engine.JournalEntry
}

// export writes the books of a data folder as JSON, so that they outlive the
// version that can replay it. It changes nothing in the folder.
func export(folder, file string) (err error) {
	store, err := openFolder(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	e := engine.New()
	if _, err := journal.New(store).Replay(e); err != nil {
		return err
	}
	b := books{
		Format: format, Rules: engine.Rules, Program: version(),
		Totals: e.Totals(), Merchants: e.Merchants(), OldBids: e.OldBids(""),
	}
	b.Accounts, _ = e.NewestAccounts(engine.AccountFilter{}, engine.Page{})
	b.Bids, _ = e.NewestBids(engine.BidFilter{}, engine.Page{})
	b.Orders, _ = e.NewestOrders(engine.OrderFilter{}, engine.Page{})
	b.Entries, _ = e.NewestEntries(engine.JournalFilter{})
	slices.Reverse(b.Accounts)
	slices.Reverse(b.Bids)
	slices.Reverse(b.Orders)
	slices.Reverse(b.Entries)
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	// It tells of people, as the folder does.
	return os.WriteFile(file, append(text, '\n'), 0o600)
}
