package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/find"
)

// columns are what the lists are searched by, and what a long one is filtered and
// ordered by. They are brought up to the lists when somebody looks.
type columns struct {
	accounts, bids, texts, orders, entries find.Index

	rows   []orderRow   // of each order
	open   []int        // the orders whose row may still change
	owners []accountRow // of each account
	posted int          // entries of the books that owners knows of
}

// orderRow is what a list of orders is filtered and ordered by.
type orderRow struct {
	op, merchant, state, account string
	amount, at                   int64 // in fen; Unix, in nanoseconds
	struck                       bool  // by a fault
}

// accountRow likewise.
type accountRow struct {
	merchant, number, name string
	available              int64
}

// accountRows brings the columns of the accounts up to the list.
func (e *Engine) accountRows() []accountRow {
	c := &e.columns
	for _, a := range e.accountList[len(c.owners):] {
		c.accounts.Add(a.place, 0, a.number, a.realName, a.email, a.mobile)
		c.owners = append(c.owners, accountRow{a.merchant.code(), a.number, a.realName, 0})
	}
	for ; c.posted < e.books.Len(); c.posted++ {
		entry := e.books.Entry(c.posted + 1)
		for _, number := range []string{entry.From.Account, entry.To.Account} {
			if a := e.accounts[number]; a != nil {
				c.owners[a.place].available = e.balance(number).Available
			}
		}
	}
	return c.owners
}

// orderRows brings the columns of the orders up to the list.
func (e *Engine) orderRows() []orderRow {
	c := &e.columns
	write := func(i int, known bool) (settled bool) {
		o := e.orderList[i]
		c.rows[i] = orderRow{o.op.name, o.merchant.code(), o.shown(), o.account, o.amount, o.at.UnixNano(), len(o.faults) > 0}
		if settled = o.state == orderDone || o.state == orderFailed; settled || !known {
			text := o.final.Text
			if text == o.answer.Text {
				text = ""
			}
			c.orders.Add(i, o.amount, o.account, o.key.bill, o.billNo, o.bid, o.answer.Text, text)
		}
		return settled
	}
	c.open = slices.DeleteFunc(c.open, func(i int) bool { return write(i, true) })
	for i := len(c.rows); i < len(e.orderList); i++ {
		c.rows = append(c.rows, orderRow{})
		if !write(i, false) {
			c.open = append(c.open, i)
		}
	}
	return c.rows
}

// having are the entries of a list of n that have a text.
func having(words *find.Index, text string, n int) []int {
	if text == "" {
		return find.Page{Up: true}.Places(n)
	}
	return words.Find(text)
}

// chooseOrders lists the orders that a filter takes, in their order.
func (e *Engine) chooseOrders(f OrderFilter) []int {
	rows := e.orderRows()
	all := having(&e.columns.orders, f.Text, len(rows))
	f.Text = ""
	if (f == OrderFilter{}) {
		return all
	}
	return find.Choose(all, func(i int) bool {
		row := &rows[i]
		return is(f.State, row.state) && is(f.Op, row.op) && is(f.Merchant, row.merchant) && f.Has(time.Unix(0, row.at)) &&
			(f.Fault == "" || row.struck && slices.Contains(e.orderList[i].faults, f.Fault))
	})
}

// NewestOrders lists a page of the orders that the filter takes, by "amount",
// "state", "account" or when they came, and says how many it takes in all.
func (e *Engine) NewestOrders(f OrderFilter, p Page) (list []OrderInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if (f == OrderFilter{}) && p.By == "" {
		return part(e.orderList, p, nil, (*order).info)
	}
	rows := e.orderRows()
	keys := map[string]func(int) find.Key{
		"amount":  func(i int) find.Key { return find.Key{Number: rows[i].amount} },
		"state":   func(i int) find.Key { return find.Key{Text: rows[i].state} },
		"account": func(i int) find.Key { return find.Key{Text: rows[i].account} },
	}
	return part(e.chooseOrders(f), p, keys, func(i int) OrderInfo { return e.orderList[i].info() })
}

// NewestBids lists a page of the bids that the filter takes, failed ones too, by
// "number", "state", "amount" or when they came, and says how many it takes in all.
func (e *Engine) NewestBids(f BidFilter, p Page) (list []BidInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all, words := e.bidList, &e.columns.bids
	for i := words.Next(); i < len(all); i++ {
		words.Add(i, all[i].amount, all[i].no, all[i].order, all[i].billNo, all[i].borrower.number)
	}
	if f.Text != "" {
		all = find.At(all, words.Find(f.Text))
	}
	chosen := find.Choose(all, func(b *bid) bool {
		return is(f.Merchant, b.merchant.code()) && is(f.Status, b.status) && is(f.Borrower, b.borrower.number)
	})
	keys := map[string]func(*bid) find.Key{
		"number": func(b *bid) find.Key { return find.Key{Text: b.no} },
		"state":  func(b *bid) find.Key { return find.Key{Number: int64(len(b.status)), Text: b.status} },
		"amount": func(b *bid) find.Key { return find.Key{Number: b.amount} },
	}
	return part(chosen, p, keys, func(b *bid) BidInfo { return b.info(f.Whole) })
}

// NewestAccounts lists a page of the accounts that the filter takes, by "number",
// "name", "available" or when they came, and says how many it takes in all.
func (e *Engine) NewestAccounts(f AccountFilter, p Page) (list []AccountInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if (f == AccountFilter{}) && p.By == "" {
		return part(e.accountList, p, nil, e.accountInfo)
	}
	rows := e.accountRows()
	chosen := having(&e.columns.accounts, f.Text, len(rows))
	if f.Merchant != "" {
		chosen = find.Choose(chosen, func(i int) bool { return rows[i].merchant == f.Merchant })
	}
	keys := map[string]func(int) find.Key{
		"number":    func(i int) find.Key { return find.Key{Text: rows[i].number} },
		"name":      func(i int) find.Key { return find.Key{Text: rows[i].name} },
		"available": func(i int) find.Key { return find.Key{Number: rows[i].available} },
	}
	return part(chosen, p, keys, func(i int) AccountInfo { return e.accountInfo(e.accountList[i]) })
}

// NewestEntries lists a page of the entries of the books, by "amount" or when they
// came, and says how many the filter takes in all.
func (e *Engine) NewestEntries(f JournalFilter) (list []JournalEntry, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list, total = e.books.Newest(f, &e.columns.entries)
	for i := range list {
		list[i].At = list[i].At.In(China)
	}
	return list, total
}

// NewestTexts lists a page of the text messages that the filter takes, those that
// wait for an answer first, and says how many wait and how many it takes in all.
func (e *Engine) NewestTexts(f TextFilter, p Page) (list []SMS, waiting, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	info := func(m *sms) SMS { return m.SMS }
	var open []*sms
	for _, d := range e.deadlines {
		if m := d.sms; m != nil && m.State == SMSOpen && is(f.Mobile, m.Mobile) && within(f.Text, m.Mobile, m.Name, m.Account, m.Order, m.Text) {
			open = append(open, m)
		}
	}
	slices.SortFunc(open, func(a, b *sms) int { return strings.Compare(a.ID, b.ID) })
	list, waiting = part(open, p, nil, info)
	all, words := e.textList, &e.columns.texts
	switch {
	case f.Mobile != "":
		all = find.Choose(e.inboxes[f.Mobile], func(m *sms) bool { return within(f.Text, m.Mobile, m.Name, m.Account, m.Order, m.Text) })
	case f.Text != "":
		for i := words.Next(); i < len(all); i++ {
			m := all[i]
			words.Add(i, 0, m.Mobile, m.Name, m.Account, m.Order, m.Text)
		}
		all = find.At(all, words.Find(f.Text))
	}
	rest := p
	rest.Skip = max(0, p.Skip-waiting)
	settled, total := part(find.Choose(all, func(m *sms) bool { return m.State != SMSOpen }), rest, nil, info)
	if list = append(list, settled...); p.Limit > 0 {
		list = list[:min(len(list), p.Limit)]
	}
	return list, waiting, waiting + total
}

// part is a page of a list.
func part[T, Info any](all []T, p Page, keys map[string]func(T) find.Key, info func(T) Info) (list []Info, total int) {
	for _, one := range find.Take(all, p, keys[p.By]) {
		list = append(list, info(one))
	}
	return list, len(all)
}

func within(want string, values ...string) bool {
	return want == "" || slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, want) })
}
