package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// New returns an engine that knows nobody yet.
func New() *Engine {
	e := &Engine{kinds: commandKinds(), operations: make(map[string]*operation), operationList: operations(), state: newState()}
	for _, op := range e.operationList {
		e.operations[op.name] = op
	}
	e.coding = sync.OnceValues(e.coder)
	return e
}

func newState() state {
	s := state{
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
		inboxes:       make(map[string][]*sms),
	}
	// New books refuse no names, so these cannot fail.
	_ = s.books.OpenOutside(bankAccount)
	_ = s.books.Open(feeAccount)
	_ = s.books.Open(transitAccount)
	return s
}

// reset forgets everything but the merchants, the time and the numbers given.
func (e *Engine) reset() {
	old := e.state
	e.state, e.columns = newState(), columns{}
	e.now, e.numbers = old.now, old.numbers
	for _, m := range old.merchantList {
		e.setMerchant(m.Settings)
	}
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

// commandKinds lists them by name.
func commandKinds() map[string]commandKind {
	// quiet is a command that is not answered.
	quiet := func(do func(e *Engine, cmd *Command)) func(*Engine, *Command) Outcome {
		return func(e *Engine, cmd *Command) Outcome { do(e, cmd); return Outcome{} }
	}
	return map[string]commandKind{
		KindTick:  {func(*Engine, *Command) error { return nil }, quiet(func(*Engine, *Command) {})},
		KindReset: {func(*Engine, *Command) error { return nil }, quiet(func(e *Engine, _ *Command) { e.reset() })},
		KindMerchant: {func(_ *Engine, cmd *Command) error { return examineSettings(cmd.Settings) },
			quiet(func(e *Engine, cmd *Command) { e.setMerchant(*cmd.Settings) })},
		KindSubmit: {(*Engine).examineSubmit, func(e *Engine, cmd *Command) Outcome {
			return e.submit(&submission{e.operations[cmd.Op], e.merchants[cmd.Merchant], cmd.Message.clone(), slices.Clone(cmd.Faults)})
		}},
		KindConfirm: {(*Engine).examineAsk, func(e *Engine, cmd *Command) Outcome { return e.confirm(e.asks[cmd.ID], cmd.Input) }},
		KindCancel:  {(*Engine).examineAsk, func(e *Engine, cmd *Command) Outcome { return e.cancel(e.asks[cmd.ID]) }},
		KindSMS: {func(e *Engine, cmd *Command) error {
			if e.texts[cmd.ID] == nil {
				return Wrong("engine: ID: unknown text message %q", "短信 %q 不存在", cmd.ID)
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
				return Wrong("engine: Op: unknown operation %q", "接口 %q 不存在", cmd.Op)
			}
			if cmd.Merchant == "" {
				return nil
			}
			return e.examineMerchant(cmd.Merchant)
		}, quiet(func(e *Engine, cmd *Command) { e.releaseHeld(cmd.Merchant, cmd.Op) })},
	}
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
		return Wrong("engine: Amount: must be 1 to %d fen, is %d", "金额须为 1 至 %d 分，现为 %d 分", int64(maxDeposit), cmd.Amount)
	}
	if bank, _ := e.books.Balances(bankAccount); cmd.Amount-bank.Available > maxOutside {
		return Wrong("engine: Amount: the sandbox holds all the money that there is", "沙箱内的资金已达上限")
	}
	if err := e.examineMerchant(cmd.Merchant); err != nil || cmd.Account == "" || cmd.Account == cmd.Merchant {
		return err
	}
	return e.examineAccount(cmd.Merchant, cmd.Account)
}
