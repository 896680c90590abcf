package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// The accounts of the books that belong to nobody's customer.
const (
	bankAccount = "bank"     // the world outside
	feeAccount  = "ips-fees" // what the platform earns
	// transitAccount is where a batched transfer gathers the investors' money
	// before it goes on as one sum; it is empty between commands.
	transitAccount = "transit"
)

// Engine is the platform: its merchants, their users, bids, orders and books.
// It is safe for concurrent use. Commands are taken one at a time.
type Engine struct {
	mu         sync.Mutex
	now        time.Time
	kinds      map[string]commandKind
	operations map[string]*operation

	operationList []*operation // in the order of the manual
	books         *ledger.Books

	merchants    map[string]*merchant
	merchantList []*merchant
	accounts     map[string]*account // by number
	accountList  []*account
	emails       map[string]*account

	orders    map[orderKey]*order
	orderList []*order
	held      []*order // whose final answers a fault holds back

	bids          map[bidKey]*bid
	bidList       []*bid
	oldBids       map[bidKey]*oldBid // made before v2.0
	oldBidList    []bidKey
	claims        map[numberKey]*claim // by creditor registration
	carried       map[numberKey]*claim // by the transfer that carried out a debt transfer
	guarantees    map[numberKey]*guarantee
	debts         map[numberKey]*debt
	compensations map[numberKey]*compensation
	contracts     map[string]*contract // by pIpsAuthNo

	asks      map[string]*ask
	askList   []*ask
	texts     map[string]*sms
	textList  []*sms
	deadlines deadlines

	numbers counters
	notices []Notice // gathered while a command runs
	decided []*order // likewise: those whose state it decided
}

// counters are the last numbers given.
type counters struct {
	Account, Bill, Contract, Ask, SMS, Notice int64
}

// New returns an engine that knows nobody yet.
func New() *Engine {
	e := &Engine{
		kinds:         commandKinds(),
		operations:    make(map[string]*operation),
		books:         ledger.New(),
		merchants:     make(map[string]*merchant),
		accounts:      make(map[string]*account),
		emails:        make(map[string]*account),
		orders:        make(map[orderKey]*order),
		bids:          make(map[bidKey]*bid),
		oldBids:       make(map[bidKey]*oldBid),
		claims:        make(map[numberKey]*claim),
		carried:       make(map[numberKey]*claim),
		guarantees:    make(map[numberKey]*guarantee),
		debts:         make(map[numberKey]*debt),
		compensations: make(map[numberKey]*compensation),
		contracts:     make(map[string]*contract),
		asks:          make(map[string]*ask),
		texts:         make(map[string]*sms),
	}
	e.operationList = operations()
	for _, op := range e.operationList {
		e.operations[op.name] = op
	}
	// New books refuse no names, so these cannot fail.
	_ = e.books.OpenOutside(bankAccount)
	_ = e.books.Open(feeAccount)
	_ = e.books.Open(transitAccount)
	return e
}

// operations are the thirteen of the platform, in the order of the manual, and
// what is left of the interface before it.
func operations() []*operation {
	return []*operation{
		openAccountOperation(),
		bidOperation(),
		creditorOperation(),
		guarantorOperation(),
		debtOperation(),
		autoBidOperation(),
		autoRepayOperation(),
		rechargeOperation(),
		transferOperation(),
		repaymentOperation(),
		unfreezeOperation(),
		withholdingOperation(),
		withdrawalOperation(),
		oldRepaymentOperation(),
	}
}

// Apply lets one command happen. It returns an error, and nothing has
// happened, only for a command that makes no sense: an unknown kind, merchant,
// operation or confirmation, text that is not UTF-8, time that goes backwards.
// That the platform refuses what a merchant asks is no error but an Answer.
//
// The notices of whatever timed out before the command come first in the
// Outcome.
func (e *Engine) Apply(cmd Command) (Outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.examine(&cmd); err != nil {
		return Outcome{}, err
	}
	e.notices, e.decided = nil, nil
	entries := e.books.Len()
	e.passTo(cmd.At.UTC().Round(0))
	out := e.kinds[cmd.Kind].do(e, &cmd)
	// Deep copies: callers must not share state with the engine.
	out.Answer = out.Answer.clone()
	out.Notices, e.notices = e.notices, nil
	for i := range out.Notices {
		out.Notices[i].Answer = out.Notices[i].Answer.clone()
	}
	out.Decision = e.decision(&out, entries)
	return out, nil
}

// commandKind is what a Kind of Command means.
type commandKind struct {
	// examine finds out whether the command makes sense, and changes nothing.
	examine func(e *Engine, cmd *Command) error
	// do does what an examined command says.
	do func(e *Engine, cmd *Command) Outcome
}

// commandKinds lists them by name.
func commandKinds() map[string]commandKind {
	// quiet is a command that is not answered.
	quiet := func(do func(e *Engine, cmd *Command)) func(*Engine, *Command) Outcome {
		return func(e *Engine, cmd *Command) Outcome { do(e, cmd); return Outcome{} }
	}
	return map[string]commandKind{
		KindTick: {func(*Engine, *Command) error { return nil }, quiet(func(*Engine, *Command) {})},
		KindMerchant: {func(_ *Engine, cmd *Command) error { return examineSettings(cmd.Settings) },
			quiet(func(e *Engine, cmd *Command) { e.setMerchant(*cmd.Settings) })},
		KindSubmit: {(*Engine).examineSubmit, func(e *Engine, cmd *Command) Outcome {
			return e.submit(&submission{e.operations[cmd.Op], e.merchants[cmd.Merchant], cmd.Message.clone(), slices.Clone(cmd.Faults)})
		}},
		KindConfirm: {(*Engine).examineAsk, func(e *Engine, cmd *Command) Outcome { return e.confirm(e.asks[cmd.ID], cmd.Input) }},
		KindCancel:  {(*Engine).examineAsk, func(e *Engine, cmd *Command) Outcome { return e.cancel(e.asks[cmd.ID]) }},
		KindSMS: {func(e *Engine, cmd *Command) error {
			if e.texts[cmd.ID] == nil {
				return fmt.Errorf("engine: ID: unknown text message %q", cmd.ID)
			}
			return nil
		}, quiet(func(e *Engine, cmd *Command) { e.reply(e.texts[cmd.ID], cmd.Yes) })},
		KindMode: {func(e *Engine, cmd *Command) error {
			if err := e.examineMerchant(cmd.Merchant); err != nil || cmd.Account == "" {
				return err
			}
			return e.examineAccount(cmd.Merchant, cmd.Account)
		}, quiet(func(e *Engine, cmd *Command) { e.setMode(cmd.Merchant, cmd.Account, cmd.Auto) })},
		KindDeposit: {(*Engine).examineDeposit, quiet((*Engine).deposit)},
		KindMandate: {func(e *Engine, cmd *Command) error { return e.examineAccount(cmd.Merchant, cmd.Account) },
			quiet(func(e *Engine, cmd *Command) { e.accounts[cmd.Account].mandate = cmd.Yes })},
		KindOldBid: {func(e *Engine, cmd *Command) error { return e.examineOldBid(cmd.Merchant, cmd.OldBid) },
			quiet(func(e *Engine, cmd *Command) { e.seedOldBid(cmd.Merchant, cmd.OldBid) })},
		KindRelease: {func(e *Engine, cmd *Command) error {
			if cmd.Op != "" && e.operations[cmd.Op] == nil {
				return fmt.Errorf("engine: Op: unknown operation %q", cmd.Op)
			}
			if cmd.Merchant == "" {
				return nil
			}
			return e.examineMerchant(cmd.Merchant)
		}, quiet(func(e *Engine, cmd *Command) { e.releaseHeld(cmd.Merchant, cmd.Op) })},
	}
}

// examine finds out whether the command makes sense, and changes nothing.
func (e *Engine) examine(cmd *Command) error {
	switch {
	case cmd.At.IsZero():
		return errors.New("engine: At: a command needs its time")
	case cmd.At.Before(e.now):
		return fmt.Errorf("engine: At: time goes backwards from %s to %s", e.now.Format(time.RFC3339), cmd.At.UTC().Format(time.RFC3339))
	case cmd.At.Year() < 1970 || cmd.At.Year() > 9000:
		return fmt.Errorf("engine: At: year %d out of range", cmd.At.Year())
	}
	kind, ok := e.kinds[cmd.Kind]
	if !ok {
		return fmt.Errorf("engine: Kind: unknown command %q", cmd.Kind)
	}
	return kind.examine(e, cmd)
}

func (e *Engine) examineSubmit(cmd *Command) error {
	if e.operations[cmd.Op] == nil {
		return fmt.Errorf("engine: Op: unknown operation %q", cmd.Op)
	}
	if !cmd.Message.valid(0) {
		return errors.New("engine: Message: not UTF-8, or rows within rows")
	}
	for _, f := range cmd.Faults {
		if err := e.ExamineFault(cmd.Op, f); err != nil {
			return err
		}
	}
	return e.examineMerchant(cmd.Merchant)
}

func (e *Engine) examineAsk(cmd *Command) error {
	if e.asks[cmd.ID] == nil {
		return fmt.Errorf("engine: ID: unknown confirmation %q", cmd.ID)
	}
	for k, v := range cmd.Input {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return errors.New("engine: Input: not UTF-8")
		}
	}
	return nil
}

func (e *Engine) examineDeposit(cmd *Command) error {
	if cmd.Amount <= 0 || cmd.Amount > maxDeposit {
		return fmt.Errorf("engine: Amount: must be 1 to %d fen, is %d", int64(maxDeposit), cmd.Amount)
	}
	if bank, _ := e.books.Balances(bankAccount); cmd.Amount-bank.Available > maxOutside {
		return errors.New("engine: Amount: the sandbox holds all the money that there is")
	}
	if err := e.examineMerchant(cmd.Merchant); err != nil || cmd.Account == "" || cmd.Account == cmd.Merchant {
		return err
	}
	return e.examineAccount(cmd.Merchant, cmd.Account)
}

func (e *Engine) examineMerchant(code string) error {
	if e.merchants[code] == nil {
		return fmt.Errorf("engine: Merchant: unknown code %q", code)
	}
	return nil
}

// examineAccount wants an account that exists and, where a merchant is named,
// is one of his.
func (e *Engine) examineAccount(merchant, number string) error {
	a := e.accounts[number]
	if a == nil || (merchant != "" && a.merchant.code() != merchant) {
		return fmt.Errorf("engine: Account: unknown account %q", number)
	}
	return nil
}

// valid says whether the message survives JSON unchanged, without which a log
// of commands could not be replayed.
func (m Message) valid(depth int) bool {
	for i := range m {
		f := &m[i]
		if !utf8.ValidString(f.Name) || !utf8.ValidString(f.Value) || (depth > 0 && len(f.Rows) > 0) {
			return false
		}
		for _, row := range f.Rows {
			if !row.valid(depth + 1) {
				return false
			}
		}
	}
	return true
}

// bill gives the next number of the platform, shaped like those seen: a word
// of two or three letters or none, the date, and a count of at least width
// digits.
func (e *Engine) bill(prefix string, width int) string {
	e.numbers.Bill++
	return fmt.Sprintf("%s%s%0*d", prefix, wireDate(e.now), width, e.numbers.Bill)
}

// post writes a batch into the books for an order. The business rules have
// been checked before, so a refusal here means that the platform itself has
// gone wrong; then nothing is posted and the order fails.
func (e *Engine) post(o *order, bid string, batch *ledger.Batch) *refusal {
	err := e.books.Post(ledger.Cause{
		At: e.now, Merchant: o.merchant.code(), Operation: o.op.name, Order: o.key.bill, Bid: bid,
	}, batch)
	if err != nil {
		return refuse(o.op.title, codeFailed)
	}
	return nil
}

func available(name string) ledger.Place {
	return ledger.Place{Account: name, Pocket: ledger.Available}
}
func unsettled(name string) ledger.Place {
	return ledger.Place{Account: name, Pocket: ledger.Unsettled}
}

// holds is what is available on an account.
func (e *Engine) holds(name string) int64 {
	b, _ := e.books.Balances(name)
	return b.Available
}
