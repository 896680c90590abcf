package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Filter selects entries of the journal; an empty field selects everything.
type Filter struct {
	Merchant  string
	Account   string
	Operation string
	Order     string
	Bid       string
	Text      string // part of a number or of the text, or an amount in yuan
	Period
	Offset int // entries to skip among those selected
	Limit  int // 0 means all
}

// Period is a span of time; a zero end is open.
type Period struct{ From, To time.Time }

// Has says whether a moment is in the period. Its last minute is.
func (p Period) Has(t time.Time) bool {
	return !t.Before(p.From) && (p.To.IsZero() || t.Before(p.To.Add(time.Minute)))
}

// AmountOf is the amount that a person searches for, in fen: 300, 300.00 and
// 1,000.00 are. What is none is -1.
func AmountOf(text string) int64 {
	whole, cents, _ := strings.Cut(strings.ReplaceAll(text, ",", ""), ".")
	if len(cents) != 2 && strings.Contains(text, ".") || whole == "" || len(whole) > 15 {
		return -1
	}
	fen, err := strconv.ParseUint(whole+(cents + "00")[:2], 10, 63)
	if err != nil || strings.HasPrefix(whole, "0") && whole != "0" {
		return -1
	}
	return int64(fen)
}

// Search looks for a text in one after the other. It remembers the last one, since
// neighbours often have the same.
type Search struct {
	text, last string
	has        bool
}

// NewSearch looks for a text.
func NewSearch(text string) *Search { return &Search{text: text, has: text == ""} }

// In says whether the text is part of s.
func (r *Search) In(s string) bool {
	if s != r.last {
		r.last, r.has = s, strings.Contains(s, r.text)
	}
	return r.has
}

func (f *Filter) takes(e *Entry, amount int64, order, bid, text *Search) bool {
	return (f.Merchant == "" || f.Merchant == e.Merchant) &&
		(f.Account == "" || f.Account == e.From.Account || f.Account == e.To.Account) &&
		(f.Operation == "" || f.Operation == e.Operation) &&
		(f.Order == "" || f.Order == e.Order) &&
		(f.Bid == "" || f.Bid == e.Bid) && f.Has(e.At) &&
		(amount == e.Amount || order.In(e.Order) || bid.In(e.Bid) || text.In(e.Text))
}

// Newest copies entries that the filter takes, newest first, and counts all of
// them. Offset and Limit count from the newest.
func (b *Books) Newest(f Filter) (entries []Entry, total int) {
	n := b.journal.len()
	at := func(i int) int { return i }
	for _, index := range []struct {
		of  string
		all func() []int
	}{
		{f.Order, func() []int { return b.byOrder[f.Order] }}, {f.Bid, func() []int { return b.byBid[f.Bid] }},
		{f.Account, func() []int { return b.mentions(f.Account) }},
	} {
		if index.of != "" {
			all := index.all()
			n, at = len(all), func(i int) int { return all[i] }
			break
		}
	}
	amount, all := AmountOf(f.Text), f
	all.Offset, all.Limit = 0, 0
	if everything := (Filter{}); all == everything || all == (Filter{Account: f.Account}) {
		for i := n - 1 - f.Offset; i >= 0 && (f.Limit == 0 || len(entries) < f.Limit); i-- {
			entries = append(entries, *b.journal.at(at(i)))
		}
		return entries, n
	}
	order, bid, text := NewSearch(f.Text), NewSearch(f.Text), NewSearch(f.Text)
	for i := n - 1; i >= 0; i-- {
		e := b.journal.at(at(i))
		if !f.takes(e, amount, order, bid, text) {
			continue
		}
		if total >= f.Offset && (f.Limit == 0 || len(entries) < f.Limit) {
			entries = append(entries, *e)
		}
		total++
	}
	return entries, total
}

// mentions are where the journal mentions an account.
func (b *Books) mentions(account string) []int {
	if a := b.accounts[account]; a != nil {
		return a.entries
	}
	return nil
}

// Sum is what all accounts hold together.
func (b *Books) Sum() Balances {
	return Balances{b.sum[Available], b.sum[Frozen], b.sum[Unsettled]}
}

// Accounts are the names of all accounts in the order of opening.
func (b *Books) Accounts() []string { return append([]string(nil), b.names...) }

// Len is the number of entries in the journal.
func (b *Books) Len() int { return b.journal.len() }

// Entry is the entry number seq, counted from 1.
func (b *Books) Entry(seq int) Entry { return *b.journal.at(seq - 1) }

// Check works the whole journal through from its first entry and compares the
// result with the balances and freezes on the books.
func (b *Books) Check() error {
	places := make(map[Place]int64)
	freezes := make([]int64, len(b.freezes)+1)
	for i := range b.journal.len() {
		e := b.journal.at(i)
		if e.Seq != int64(i)+1 {
			return fmt.Errorf("ledger: entry %d carries the number %d", i+1, e.Seq)
		}
		if e.Amount <= 0 {
			return fmt.Errorf("ledger: entry %d moves %d", e.Seq, e.Amount)
		}
		places[e.From] -= e.Amount
		places[e.To] += e.Amount
		if e.From.Pocket == Frozen {
			freezes[e.Freeze] -= e.Amount
		}
		if e.To.Pocket == Frozen {
			freezes[e.Freeze] += e.Amount
		}
	}
	live := make(map[string]int64)
	for i, f := range b.freezes {
		if f.left != freezes[i+1] || f.left < 0 {
			return fmt.Errorf("ledger: freeze %d holds %d, its entries say %d", f.id, f.left, freezes[i+1])
		}
		live[f.account] += f.left
	}
	var sum int64
	for _, name := range b.names {
		a := b.accounts[name]
		for p := range pocketCount {
			if a.pockets[p] != places[Place{name, p}] {
				return fmt.Errorf("ledger: account %s %s holds %d, its entries say %d", name, p, a.pockets[p], places[Place{name, p}])
			}
			sum += a.pockets[p]
		}
		if err := a.check(name); err != nil {
			return err
		}
		if a.live != live[name] {
			return fmt.Errorf("ledger: account %s counts freezes of %d, there are %d", name, a.live, live[name])
		}
	}
	if sum != 0 {
		return fmt.Errorf("ledger: the sum over all accounts is %d", sum)
	}
	return nil
}
