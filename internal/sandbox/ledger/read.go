package ledger

import (
	"fmt"
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

// IsAmount says whether what a person searches for is an amount, in yuan: 300,
// 300.00 and 1,000.00 are.
func IsAmount(text string, fen int64) bool {
	text = strings.ReplaceAll(text, ",", "")
	whole := fmt.Sprint(fen / 100)
	return fen > 0 && (text == fmt.Sprintf("%s.%02d", whole, fen%100) || fen%100 == 0 && text == whole)
}

func (f *Filter) takes(e *Entry) bool {
	return (f.Merchant == "" || f.Merchant == e.Merchant) &&
		(f.Account == "" || f.Account == e.From.Account || f.Account == e.To.Account) &&
		(f.Operation == "" || f.Operation == e.Operation) &&
		(f.Order == "" || f.Order == e.Order) &&
		(f.Bid == "" || f.Bid == e.Bid) && f.Has(e.At) &&
		(strings.Contains(e.Order+"\n"+e.Bid+"\n"+e.Text, f.Text) || IsAmount(f.Text, e.Amount))
}

// Newest copies entries that the filter takes, newest first, and counts all of
// them. Offset and Limit count from the newest.
func (b *Books) Newest(f Filter) (entries []Entry, total int) {
	n := b.journal.len()
	at := func(i int) int { return i }
	if f.Account != "" {
		a := b.accounts[f.Account]
		if a == nil {
			return nil, 0
		}
		n = len(a.entries)
		at = func(i int) int { return a.entries[i] }
	}
	for i := n - 1; i >= 0; i-- {
		e := b.journal.at(at(i))
		if !f.takes(e) {
			continue
		}
		if total >= f.Offset && (f.Limit == 0 || len(entries) < f.Limit) {
			entries = append(entries, *e)
		}
		total++
	}
	return entries, total
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
