package engine

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// The lists that people look through grow long, and their entries lie scattered
// in memory: most of the time of a search is waiting for them. So what a list is
// searched by is kept beside it, one entry behind the other. It is made when
// somebody looks, of what has come since somebody looked last.

// finder finds the entries of a list whose words hold a text.
type finder struct {
	words  []byte
	ends   []int // where a record ends
	owners []int // whose it is; an entry can have several
}

// amountWord is an amount as it stands among the words: in characters that nobody
// types, so that it is found whole only.
func amountWord(fen int64) string {
	return "\x00" + strings.Map(func(r rune) rune { return r - '0' + '\x10' }, strconv.FormatInt(fen, 10)) + "\n"
}

func (f *finder) add(owner int, amount int64, words ...string) {
	for _, w := range words {
		f.words = append(append(f.words, w...), '\n')
	}
	if amount > 0 {
		f.words = append(f.words, amountWord(amount)...)
	}
	f.ends, f.owners = append(f.ends, len(f.words)), append(f.owners, owner)
}

// find lists the entries that hold a text, or are about the amount that it is,
// in their order.
func (f *finder) find(text string) (found []int) {
	wanted := []string{text}
	if fen := ledger.AmountOf(text); fen > 0 {
		wanted = append(wanted, amountWord(fen))
	}
	for _, want := range wanted {
		for from := 0; from < len(f.words); {
			i := bytes.Index(f.words[from:], []byte(want))
			if i < 0 {
				break
			}
			record, _ := slices.BinarySearch(f.ends, from+i+1)
			found = append(found, f.owners[record])
			from = f.ends[record]
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// columns are what the lists are searched by.
type columns struct {
	accounts, texts, orders finder

	rows []orderRow // of each order
	open []int      // the orders whose row may still change
}

// orderRow is what a list of orders is filtered by.
type orderRow struct {
	op, merchant, state string
	at                  int64 // Unix, in nanoseconds
}

func (e *Engine) chooseAccounts(text string) []int {
	f := &e.columns.accounts
	for i := len(f.owners); i < len(e.accountList); i++ {
		a := e.accountList[i]
		f.add(i, 0, a.number, a.realName, a.email, a.mobile)
	}
	return f.find(text)
}

func (e *Engine) chooseTexts(text string) []int {
	f := &e.columns.texts
	for i := len(f.owners); i < len(e.textList); i++ {
		m := e.textList[i]
		f.add(i, 0, m.Mobile, m.Name, m.Account, m.Order, m.Text)
	}
	return f.find(text)
}

// orderRows brings the columns of the orders up to the list.
func (e *Engine) orderRows() []orderRow {
	c := &e.columns
	write := func(i int, known bool) (settled bool) {
		o := e.orderList[i]
		c.rows[i] = orderRow{o.op.name, o.merchant.code(), o.shown(), o.at.UnixNano()}
		if settled = o.state == orderDone || o.state == orderFailed; settled || !known {
			text := o.final.Text
			if text == o.answer.Text {
				text = ""
			}
			c.orders.add(i, o.amount, o.key.bill, o.billNo, o.account, o.bid, o.answer.Text, text)
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

// chooseOrders lists the orders that a filter takes, in their order.
func (e *Engine) chooseOrders(f OrderFilter) (chosen []int) {
	rows := e.orderRows()
	all := func(take func(i int)) {
		for i := range rows {
			take(i)
		}
	}
	if f.Text != "" {
		all = func(take func(i int)) {
			for _, i := range e.columns.orders.find(f.Text) {
				take(i)
			}
		}
	}
	all(func(i int) {
		row := &rows[i]
		if is(f.State, row.state) && is(f.Op, row.op) && is(f.Merchant, row.merchant) && f.Has(time.Unix(0, row.at)) {
			chosen = append(chosen, i)
		}
	})
	return chosen
}
