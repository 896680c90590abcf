// Package ledger keeps the sandbox's books by double entry, in fen.
//
// Money only ever moves between two places, so the sum over all accounts is
// zero by construction. A batch of moves is posted whole or not at all, and
// every posting is checked at once against the rules that matter: nothing a
// customer owns falls below zero, and what is frozen on an account is the sum
// of its live freezes. All of it costs the same however large the books are.
package ledger

import (
	"errors"
	"fmt"
	"time"
)

// Pocket is one of the three balances of an account.
type Pocket uint8

// The pockets, with the names that the platform's balance query gives them.
const (
	Available Pocket = iota // pBalance 可用
	Frozen                  // pLock 冻结
	Unsettled               // pNeedstl 未结算
	pocketCount
)

// String names the pocket for journals and messages.
func (p Pocket) String() string {
	switch p {
	case Available:
		return "available"
	case Frozen:
		return "frozen"
	case Unsettled:
		return "unsettled"
	}
	return fmt.Sprintf("Pocket(%d)", uint8(p))
}

// Place is where money lies: a pocket of an account.
type Place struct {
	Account string
	Pocket  Pocket
}

// Cause is what a posting was made for.
type Cause struct {
	At        time.Time
	Merchant  string
	Operation string
	Order     string
	Bid       string `json:",omitempty"`
}

// Entry is one line of the journal: Amount fen left From (debit) and came to
// To (credit).
type Entry struct {
	Seq int64 // counts up from 1
	Cause
	Text   string
	From   Place
	To     Place
	Amount int64
	Freeze int64 `json:",omitempty"` // number of the freeze that it made or used
}

// Freeze is money set aside for one purpose. It comes from [Batch.Freeze] and
// lives in the books from the moment the batch is posted.
type Freeze struct {
	id      int64
	account string
	left    int64
}

// Left is what is still frozen of it, in fen.
func (f *Freeze) Left() int64 { return f.left }

// Account is whose money it is.
func (f *Freeze) Account() string { return f.account }

// Balances are the three pockets of an account, in fen.
type Balances struct {
	Available int64 // pBalance 可用
	Frozen    int64 // pLock 冻结
	Unsettled int64 // pNeedstl 未结算
}

// Plus adds pocket to pocket.
func (b Balances) Plus(c Balances) Balances {
	return Balances{b.Available + c.Available, b.Frozen + c.Frozen, b.Unsettled + c.Unsettled}
}

// Minus takes pocket from pocket.
func (b Balances) Minus(c Balances) Balances {
	return Balances{b.Available - c.Available, b.Frozen - c.Frozen, b.Unsettled - c.Unsettled}
}

// ErrInsufficient says that a place holds less than a batch wants to take.
var ErrInsufficient = errors.New("insufficient balance")

// limit keeps every balance so far from the ends of int64 that no sum of two
// can overflow.
const limit = int64(1) << 60

type account struct {
	outside bool // may owe: the world outside the platform
	pockets [pocketCount]int64
	live    int64 // sum of the live freezes
	entries []int // where the journal mentions it
}

// Books are the accounts, the freezes and the journal. They are not safe for
// concurrent use.
type Books struct {
	accounts map[string]*account
	names    []string // in the order of opening
	freezes  []*Freeze
	journal  journal
	sum      [pocketCount]int64

	byOrder, byBid map[string][]int // where the journal mentions them
}

// New returns empty books.
func New() *Books {
	return &Books{accounts: make(map[string]*account), byOrder: make(map[string][]int), byBid: make(map[string][]int)}
}

// Open adds an account whose balances never fall below zero.
func (b *Books) Open(name string) error { return b.open(name, false) }

// OpenOutside adds an account of the outside world, whose balance is negative
// by as much as has come in from it.
func (b *Books) OpenOutside(name string) error { return b.open(name, true) }

func (b *Books) open(name string, outside bool) error {
	if name == "" {
		return errors.New("ledger: an account needs a name")
	}
	if b.accounts[name] != nil {
		return fmt.Errorf("ledger: account %s is open already", name)
	}
	b.accounts[name] = &account{outside: outside}
	b.names = append(b.names, name)
	return nil
}

// Balances are those of the named account; ok is false when there is none.
func (b *Books) Balances(name string) (balances Balances, ok bool) {
	a := b.accounts[name]
	if a == nil {
		return Balances{}, false
	}
	return Balances{a.pockets[Available], a.pockets[Frozen], a.pockets[Unsettled]}, true
}

// Batch is a list of moves that belong together. The zero value is empty and
// ready for use; post it once.
type Batch struct {
	steps []step
}

type step struct {
	from, to Place
	amount   int64
	text     string
	freeze   *Freeze
}

// Move takes amount from one place to another. Moving nothing leaves no trace.
func (t *Batch) Move(from, to Place, amount int64, text string) {
	if amount == 0 {
		return
	}
	t.steps = append(t.steps, step{from: from, to: to, amount: amount, text: text})
}

// Freeze sets amount aside out of what is available on the account.
func (t *Batch) Freeze(account string, amount int64, text string) *Freeze {
	f := &Freeze{account: account}
	if amount != 0 {
		t.steps = append(t.steps, step{
			from: Place{account, Available}, to: Place{account, Frozen}, amount: amount, text: text, freeze: f,
		})
	}
	return f
}

// Release takes amount out of the freeze and puts it somewhere.
func (t *Batch) Release(f *Freeze, to Place, amount int64, text string) {
	if amount == 0 {
		return
	}
	t.steps = append(t.steps, step{from: Place{f.account, Frozen}, to: to, amount: amount, text: text, freeze: f})
}

// Append adds the moves of another batch, to be posted with these.
func (t *Batch) Append(other *Batch) { t.steps = append(t.steps, other.steps...) }

// Post makes all moves of the batch, in order, and writes them into the
// journal. When one of them breaks a rule nothing at all has happened.
func (b *Books) Post(c Cause, t *Batch) error {
	for i := range t.steps {
		if err := b.apply(&t.steps[i]); err != nil {
			for i--; i >= 0; i-- {
				b.shift(&t.steps[i], -t.steps[i].amount)
			}
			return err
		}
	}
	for i := range t.steps {
		b.record(c, &t.steps[i])
	}
	return nil
}

// apply makes one move, or none when a rule forbids it.
func (b *Books) apply(s *step) error {
	from, to := b.accounts[s.from.Account], b.accounts[s.to.Account]
	switch {
	case from == nil:
		return fmt.Errorf("ledger: no account %q to take from", s.from.Account)
	case to == nil:
		return fmt.Errorf("ledger: no account %q to give to", s.to.Account)
	case s.from.Pocket >= pocketCount || s.to.Pocket >= pocketCount:
		return errors.New("ledger: no such pocket")
	case s.amount < 0 || s.amount > limit:
		return fmt.Errorf("ledger: amount %d out of range", s.amount)
	case s.from == s.to:
		return fmt.Errorf("ledger: a move from %s to itself", s.from.Account)
	}
	frozen := s.from.Pocket == Frozen || s.to.Pocket == Frozen
	if frozen != (s.freeze != nil) || (s.from.Pocket == Frozen && s.to.Pocket == Frozen) {
		return errors.New("ledger: frozen money moves with its freeze only")
	}
	if !from.outside && from.pockets[s.from.Pocket] < s.amount {
		return fmt.Errorf("ledger: %w: %s %s holds %d, wanted %d",
			ErrInsufficient, s.from.Account, s.from.Pocket, from.pockets[s.from.Pocket], s.amount)
	}
	if s.from.Pocket == Frozen && s.freeze.left < s.amount {
		return fmt.Errorf("ledger: %w: freeze %d holds %d, wanted %d", ErrInsufficient, s.freeze.id, s.freeze.left, s.amount)
	}
	if from.pockets[s.from.Pocket]-s.amount < -limit || to.pockets[s.to.Pocket]+s.amount > limit {
		return errors.New("ledger: a balance would leave the range that the books can hold")
	}
	b.shift(s, s.amount)
	if err := from.check(s.from.Account); err != nil {
		b.shift(s, -s.amount)
		return err
	}
	if err := to.check(s.to.Account); err != nil {
		b.shift(s, -s.amount)
		return err
	}
	return nil
}

// shift moves money without looking; a negative amount takes a move back.
func (b *Books) shift(s *step, amount int64) {
	from, to := b.accounts[s.from.Account], b.accounts[s.to.Account]
	from.pockets[s.from.Pocket] -= amount
	to.pockets[s.to.Pocket] += amount
	b.sum[s.from.Pocket] -= amount
	b.sum[s.to.Pocket] += amount
	switch {
	case s.freeze == nil:
	case s.to.Pocket == Frozen:
		s.freeze.left += amount
		to.live += amount
	default:
		s.freeze.left -= amount
		from.live -= amount
	}
}

// check is what must hold of a single account after every move.
func (a *account) check(name string) error {
	if a.pockets[Frozen] != a.live {
		return fmt.Errorf("ledger: account %s has %d frozen but freezes of %d", name, a.pockets[Frozen], a.live)
	}
	if a.outside {
		return nil
	}
	for p := range pocketCount {
		if a.pockets[p] < 0 {
			return fmt.Errorf("ledger: %s of account %s is negative: %d", p, name, a.pockets[p])
		}
	}
	return nil
}

func (b *Books) record(c Cause, s *step) {
	e := Entry{Seq: int64(b.journal.len()) + 1, Cause: c, Text: s.text, From: s.from, To: s.to, Amount: s.amount}
	if s.freeze != nil {
		if s.freeze.id == 0 {
			b.freezes = append(b.freezes, s.freeze)
			s.freeze.id = int64(len(b.freezes))
		}
		e.Freeze = s.freeze.id
	}
	at := b.journal.len()
	b.journal.add(e)
	if c.Order != "" {
		b.byOrder[c.Order] = append(b.byOrder[c.Order], at)
	}
	if c.Bid != "" {
		b.byBid[c.Bid] = append(b.byBid[c.Bid], at)
	}
	from, to := b.accounts[s.from.Account], b.accounts[s.to.Account]
	from.entries = append(from.entries, at)
	if to != from {
		to.entries = append(to.entries, at)
	}
}
