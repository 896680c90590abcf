package engine

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// Digest is a fingerprint of all that the engine knows. Two engines to which
// the same has happened have the same digest.
func (e *Engine) Digest() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := sha256.New()
	w := bufio.NewWriter(h)
	put := func(kind string, values ...any) {
		fmt.Fprint(w, kind)
		for _, v := range values {
			fmt.Fprintf(w, "|%q", fmt.Sprint(v))
		}
		fmt.Fprintln(w)
	}
	put("engine", stamp(e.now), e.numbers)
	for _, m := range e.merchantList {
		put("merchant", m.Settings)
	}
	for _, a := range e.accountList {
		put("account", a.number, a.merchant.code(), a.identNo, a.realName, a.mobile, a.email, a.bank, a.cardTail,
			a.login, a.password, a.question, a.answer, a.mandate, a.mode, stamp(a.openedAt))
	}
	for _, name := range e.books.Accounts() {
		put("balance", name, e.balance(name))
	}
	for i := 1; i <= e.books.Len(); i++ {
		entry := e.books.Entry(i)
		put("entry", entry.Seq, stamp(entry.At), entry.Merchant, entry.Operation, entry.Order, entry.Bid,
			entry.Text, entry.From, entry.To, entry.Amount, entry.Freeze)
	}
	for _, b := range e.bidList {
		put("bid", fmt.Sprintf("%+v", b.info(true)))
		for _, c := range b.compensated {
			put("compensation", c.order, c.guarantee.order, c.amount, c.repaid)
		}
	}
	for _, key := range e.oldBidList {
		put("old bid", key.merchant, e.oldBids[key].info())
	}
	for _, o := range e.orderList {
		put("order", fmt.Sprintf("%+v", o.info()), stamp(o.at), o.print, o.notify, o.back, o.failRows, o.hold)
	}
	for _, o := range e.held {
		put("held", o.key, o.task.(heldTask).result)
	}
	for _, a := range e.askList {
		put("ask", fmt.Sprintf("%+v", a.info()))
	}
	for _, m := range e.textList {
		put("sms", m.SMS, m.told)
	}
	for _, no := range slices.Sorted(maps.Keys(e.contracts)) {
		c := e.contracts[no]
		put("contract", no, c.merchant.code(), c.account.number, c.repay, stamp(c.until), c.termUnit,
			c.termFrom, c.termTo, c.amountFrom, c.amountTo, c.rateFrom, c.rateTo)
	}
	_ = w.Flush() // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}
