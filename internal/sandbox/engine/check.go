package engine

import (
	"fmt"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// CheckBooks works everything through from the journal's first entry and
// compares it with what the engine believes: the sum over all accounts is
// zero, nobody's balance is negative, every frozen fen is frozen for a bid, a
// margin or a debt transfer that is alive, and each bid adds up.
func (e *Engine) CheckBooks() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.books.Check(); err != nil {
		return err
	}
	if n := e.holds(transitAccount); n != 0 {
		return fmt.Errorf("engine: %d fen are in transit between commands", n)
	}
	frozen := make(map[string]int64)
	for _, b := range e.bidList {
		if err := b.checkMoney(); err != nil {
			return fmt.Errorf("engine: bid %s of %s: %w", b.no, b.merchant.code(), err)
		}
		b.eachFreeze(func(f *ledger.Freeze) { frozen[f.Account()] += f.Left() })
	}
	for _, name := range e.books.Accounts() {
		balances, _ := e.books.Balances(name)
		if balances.Frozen != frozen[name] {
			return fmt.Errorf("engine: account %s has %d frozen, its live purposes need %d", name, balances.Frozen, frozen[name])
		}
	}
	return e.checkUnsettled()
}

// checkUnsettled compares unsettled money with the orders that hold it.
func (e *Engine) checkUnsettled() error {
	waiting := make(map[string]int64)
	for _, o := range e.held {
		switch t := o.task.(heldTask).task.(type) {
		case *rechargeTask:
			waiting[t.account.number] += t.net
		case *withdrawalTask:
			waiting[t.account.number] += t.amount
		}
	}
	for _, name := range e.books.Accounts() {
		balances, _ := e.books.Balances(name)
		if balances.Unsettled != waiting[name] {
			return fmt.Errorf("engine: account %s has %d unsettled, its held orders %d", name, balances.Unsettled, waiting[name])
		}
	}
	return nil
}

// eachFreeze visits all freezes made for the bid.
func (b *bid) eachFreeze(visit func(*ledger.Freeze)) {
	if b.marginFreeze != nil {
		visit(b.marginFreeze)
	}
	for _, c := range b.claims {
		visit(c.freeze)
	}
	for _, g := range b.guarantees {
		visit(g.freeze)
	}
	for _, d := range b.debts {
		visit(d.freeze)
	}
}

func (b *bid) checkMoney() error {
	var raised, released, received int64
	onSale := make(map[*holding]int64)
	for _, d := range b.debts {
		want := int64(0)
		if d.state == debtRegistered {
			want = d.price + d.toFee
			onSale[d.claim.holders[d.from.number]] += d.face
		}
		if d.freeze.Left() != want {
			return fmt.Errorf("debt transfer %s has %d frozen, want %d", d.order, d.freeze.Left(), want)
		}
	}
	for _, c := range b.claims {
		if err := c.checkMoney(onSale); err != nil {
			return fmt.Errorf("claim %s: %w", c.order, err)
		}
		if len(c.holdings) > 0 {
			released += c.amount
		}
		if len(c.holdings) > 0 || c.state == claimFrozen {
			raised += c.amount
		}
		for _, s := range c.holdings {
			received += s.received
		}
	}
	switch {
	case raised != b.raised || raised > b.amount:
		return fmt.Errorf("raised %d of %d, its claims say %d", b.raised, b.amount, raised)
	case released != b.released:
		return fmt.Errorf("released %d, its claims say %d", b.released, released)
	case received != b.received:
		return fmt.Errorf("received %d, its claims say %d", b.received, received)
	case b.feeTaken > b.fee:
		return fmt.Errorf("took a fee of %d, registered are %d", b.feeTaken, b.fee)
	case left(b.marginFreeze) > b.margin:
		return fmt.Errorf("margin of %d, registered are %d", left(b.marginFreeze), b.margin)
	}
	return b.checkGuarantees()
}

func (c *claim) checkMoney(onSale map[*holding]int64) error {
	want := int64(0)
	if c.state == claimFrozen {
		want = c.amount + c.fee
	}
	if c.freeze.Left() != want {
		return fmt.Errorf("has %d frozen, want %d", c.freeze.Left(), want)
	}
	var face, received int64
	for _, h := range c.holdings {
		face += h.face
		received += h.received
		switch {
		case h.face < 0 || h.outstanding < 0 || h.outstanding > h.face || h.onSale < 0 || h.onSale > h.face:
			return fmt.Errorf("the holding of %s makes no sense: %+v", h.holder.number, *h)
		case h.onSale != onSale[h]:
			return fmt.Errorf("the holding of %s has %d on sale, its sales %d", h.holder.number, h.onSale, onSale[h])
		}
	}
	switch {
	case len(c.holdings) == 0:
		return nil
	case face != c.amount:
		return fmt.Errorf("face value %d, its holdings have %d", c.amount, face)
	case c.outstanding() < c.amount-received:
		return fmt.Errorf("of %d, %d are outstanding and only %d were received", c.amount, c.outstanding(), received)
	case c.state == claimEnded && c.outstanding() > 0:
		return fmt.Errorf("%d are outstanding on an ended bid", c.outstanding())
	}
	return nil
}

func (b *bid) checkGuarantees() error {
	compensated := make(map[*guarantee]int64)
	for _, c := range b.compensated {
		compensated[c.guarantee] += c.amount
		if c.repaid < 0 || c.repaid > c.amount {
			return fmt.Errorf("compensation %s of %d has %d repaid", c.order, c.amount, c.repaid)
		}
	}
	for _, g := range b.guarantees {
		switch {
		case g.compensated != compensated[g] || g.compensated > g.promised:
			return fmt.Errorf("guarantee %s compensated %d of %d, its orders say %d", g.order, g.compensated, g.promised, compensated[g])
		case g.profitPaid > g.profit:
			return fmt.Errorf("guarantee %s was paid %d, promised are %d", g.order, g.profitPaid, g.profit)
		case g.freeze.Left() > g.margin:
			return fmt.Errorf("guarantee %s has a margin of %d, registered are %d", g.order, g.freeze.Left(), g.margin)
		}
	}
	return nil
}
