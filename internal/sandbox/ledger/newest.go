package ledger

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
