package ledger

import (
	"fmt"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/find"
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
	find.Page // by "amount", or by when they came
}

// Period is a span of time; a zero end is open.
type Period struct{ From, To time.Time }

// Has says whether a moment is in the period. Its last minute is.
func (p Period) Has(t time.Time) bool {
	return !t.Before(p.From) && (p.To.IsZero() || t.Before(p.To.Add(time.Minute)))
}

func (f *Filter) takes(e *Entry) bool {
	return (f.Merchant == "" || f.Merchant == e.Merchant) &&
		(f.Account == "" || f.Account == e.From.Account || f.Account == e.To.Account) &&
		(f.Operation == "" || f.Operation == e.Operation) &&
		(f.Order == "" || f.Order == e.Order) &&
		(f.Bid == "" || f.Bid == e.Bid) && f.Has(e.At)
}

// Newest copies a page of the entries that the filter takes, and counts all of
// them. A text is looked for in words, which are brought up to the journal.
func (b *Books) Newest(f Filter, words *find.Index) (entries []Entry, total int) {
	n, at := b.journal.len(), func(i int) int { return i }
	for _, index := range []struct {
		of  string
		all func() []int
	}{
		{f.Text, func() []int { return b.saying(f.Text, words) }}, {f.Order, func() []int { return b.byOrder[f.Order] }},
		{f.Bid, func() []int { return b.byBid[f.Bid] }}, {f.Account, func() []int { return b.mentions(f.Account) }},
	} {
		if index.of != "" {
			all := index.all()
			n, at = len(all), func(i int) int { return all[i] }
			break
		}
	}
	rest := f
	rest.Page = find.Page{}
	if f.By == "" && (rest == Filter{} || rest == Filter{Text: f.Text} || rest == Filter{Account: f.Account}) {
		for _, i := range f.Places(n) {
			entries = append(entries, *b.journal.at(at(i)))
		}
		return entries, n
	}
	var chosen []int
	for i := range n {
		if f.takes(b.journal.at(at(i))) {
			chosen = append(chosen, at(i))
		}
	}
	keys := map[string]func(int) find.Key{"amount": func(i int) find.Key { return find.Key{Number: b.journal.at(i).Amount} }}
	for _, i := range find.Take(chosen, f.Page, keys[f.By]) {
		entries = append(entries, *b.journal.at(i))
	}
	return entries, len(chosen)
}

// saying are where the journal has a text.
func (b *Books) saying(text string, words *find.Index) []int {
	for i := words.Next(); i < b.journal.len(); i++ {
		e := b.journal.at(i)
		words.Add(i, e.Amount, e.Order, e.Bid, e.Text)
	}
	return words.Find(text)
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
