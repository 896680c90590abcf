package engine

import (
	"slices"
	"strings"
)

// Lists can grow long. What follows shows a part of one, newest first, and
// copies no more than that part.

// Page says which part of a list is wanted.
type Page struct {
	Skip  int
	Limit int
}

// OrderFilter selects orders; an empty field selects all.
type OrderFilter struct {
	Merchant string
	Op       string
	State    string
	Text     string // part of pMerBillNo or of the platform's number
}

// BidFilter selects bids; an empty field selects all.
type BidFilter struct {
	Merchant string
	Status   string // pBidStatus
	Borrower string // account
	Text     string // part of pBidNo, of pMerBillNo or of the platform's number
}

// AccountFilter selects accounts; an empty field selects all.
type AccountFilter struct {
	Merchant string
	Text     string // part of the number, name, e-mail or mobile
}

// NewestOrders lists a page of the orders that the filter takes and says how
// many it takes in all.
func (e *Engine) NewestOrders(f OrderFilter, p Page) (list []OrderInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newest(e.orderList, p, (*order).info, func(o *order) bool {
		return is(f.Merchant, o.merchant.code()) && is(f.Op, o.op.name) && is(f.State, string(o.state)) &&
			within(f.Text, o.key.bill, o.billNo)
	})
}

// NewestBids lists a page of the bids that the filter takes, failed ones too,
// and says how many it takes in all.
func (e *Engine) NewestBids(f BidFilter, p Page) (list []BidInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newest(e.bidList, p, (*bid).info, func(b *bid) bool {
		return is(f.Merchant, b.merchant.code()) && is(f.Status, b.status) && is(f.Borrower, b.borrower.number) &&
			within(f.Text, b.no, b.order, b.billNo)
	})
}

// NewestAccounts lists a page of the accounts that the filter takes and says
// how many it takes in all.
func (e *Engine) NewestAccounts(f AccountFilter, p Page) (list []AccountInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newest(e.accountList, p, e.accountInfo, func(a *account) bool {
		return is(f.Merchant, a.merchant.code()) && within(f.Text, a.number, a.realName, a.email, a.mobile)
	})
}

// NewestEntries lists entries of the books, newest first, and says how many
// the filter takes in all; its Offset and Limit count from the newest.
func (e *Engine) NewestEntries(f JournalFilter) (list []JournalEntry, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list, total = e.books.Newest(f)
	for i := range list {
		list[i].At = list[i].At.In(china)
	}
	return list, total
}

// Account describes one of a merchant's custody accounts.
func (e *Engine) Account(merchant, number string) (info AccountInfo, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.merchants[merchant]
	if m == nil {
		return AccountInfo{}, false
	}
	a := e.account(m, number)
	if a == nil {
		return AccountInfo{}, false
	}
	return e.accountInfo(a), true
}

func newest[T, Info any](all []T, p Page, info func(T) Info, takes func(T) bool) (list []Info, total int) {
	for _, one := range slices.Backward(all) {
		if !takes(one) {
			continue
		}
		if total >= p.Skip && len(list) < p.Limit {
			list = append(list, info(one))
		}
		total++
	}
	return list, total
}

func is(want, value string) bool { return want == "" || want == value }

func within(want string, values ...string) bool {
	return want == "" || slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, want) })
}
