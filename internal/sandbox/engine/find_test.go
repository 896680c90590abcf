package engine_test

import (
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
)

// What is looked for is found as it is now: what has come since somebody looked
// last, what became of an order meanwhile, and nothing from before a reset.
func TestSearchesKeepUp(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.manual()
	orders := func(f engine.OrderFilter) (numbers []string) {
		list, total := w.e.NewestOrders(f, engine.Page{})
		assert.Len(t, list, total)
		for _, o := range list {
			numbers = append(numbers, o.Order)
		}
		return numbers
	}
	assert.Empty(t, orders(engine.OrderFilter{Text: "X1"}))
	w.deposit(li.account, 500_00)
	out := w.submit("doDwTrade", withdrawing("X1", li, "123.00"))
	open := w.submit("CreateNewIpsAcct", opening("N1", person{"孙七", "110101199001010009", "13800000099", "sunqi@example.com", ""}))
	for _, text := range []string{"X1", "123", "123.00"} {
		assert.Equal(t, []string{"X1"}, orders(engine.OrderFilter{Text: text, State: "waiting"}), text)
	}
	assert.Empty(t, orders(engine.OrderFilter{Text: "23.00"}), "an amount is found whole")
	assert.Empty(t, orders(engine.OrderFilter{Text: "交易密码错误次数过多"}))
	for range 3 {
		w.confirm(out.Ask, "password", "wrong")
	}
	w.confirm(open.Ask, form...)
	assert.Equal(t, []string{"X1"}, orders(engine.OrderFilter{Text: "交易密码错误次数过多", State: "failed"}))
	assert.Empty(t, orders(engine.OrderFilter{State: "waiting"}))
	opened := w.accounts(merchant)
	number := opened[len(opened)-1].Number
	assert.Equal(t, []string{"N1"}, orders(engine.OrderFilter{Text: number}), "the account that it has led to")
	found, _ := w.e.NewestAccounts(engine.AccountFilter{Text: "sunqi"}, engine.Page{})
	assert.Equal(t, number, found[0].Number)
	texts, waiting, total := w.e.NewestTexts(engine.TextFilter{Text: number}, engine.Page{})
	assert.Len(t, texts, 1)
	assert.Zero(t, waiting)
	assert.Equal(t, 1, total)
	hours := w.e.Outcomes()
	assert.Equal(t, 1, hours[12]["failed"])

	w.apply(engine.Command{Kind: engine.KindReset})
	assert.Empty(t, orders(engine.OrderFilter{Text: "X1"}))
	w.submit("CreateNewIpsAcct", opening("N2", li))
	assert.Equal(t, []string{"N2"}, orders(engine.OrderFilter{State: "waiting"}))
	found, _ = w.e.NewestAccounts(engine.AccountFilter{Text: "sunqi"}, engine.Page{})
	assert.Empty(t, found)
}
