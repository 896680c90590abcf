package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/image"
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
	kinds      map[string]commandKind
	operations map[string]*operation

	operationList []*operation // in the order of the manual
	scratch       []byte       // for fingerprints
	coding        func() (*image.Coder, error)
	columns       columns // made of the state
	state
}

// state is all that commands change.
type state struct {
	now   time.Time
	books *ledger.Books

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
	inboxes   map[string][]*sms // by mobile
	deadlines []deadline        // earliest first

	numbers counters
	notices []Notice // gathered while a command runs
	decided []*order // likewise: those whose state it decided
}

// counters are the last numbers given.
type counters struct {
	Account, Bill, Contract, Ask, SMS, Notice int64
}

// commandKind is what a Kind of Command means.
type commandKind struct {
	// examine finds out whether the command makes sense, and changes nothing.
	examine func(e *Engine, cmd *Command) error
	// do does what an examined command says.
	do func(e *Engine, cmd *Command) Outcome
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

func (e *Engine) examineMerchant(code string) error {
	if e.merchants[code] == nil {
		return Wrong("engine: Merchant: unknown code %q", "商户号 %q 不存在", code)
	}
	return nil
}

// examineAccount wants an account that exists and, where a merchant is named,
// is one of his.
func (e *Engine) examineAccount(merchant, number string) error {
	a := e.accounts[number]
	if a == nil || (merchant != "" && a.merchant.code() != merchant) {
		return Wrong("engine: Account: unknown account %q", "账号 %q 不存在", number)
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

// decision is the fingerprint of what a command decided; entries is the length
// of the books' journal before it. It costs the same however much is known.
func (e *Engine) decision(out *Outcome, entries int) string {
	w := fmt.Appendf(e.scratch[:0], "%d %s %+v ", Rules, stamp(e.now), e.numbers)
	w = strconv.AppendQuote(w, out.Answer.String()+out.ReturnURL+out.Ask+out.Problem+strconv.FormatBool(out.Taken))
	w = append(w, '\n')
	for _, n := range out.Notices {
		w = fmt.Appendf(w, "notice %d ", n.Seq)
		w = strconv.AppendQuote(w, n.Merchant+n.Op+n.Order+n.URL+stamp(n.At)+n.Answer.String())
		w = append(w, '\n')
	}
	for i := entries + 1; i <= e.books.Len(); i++ { // none after a reset
		entry := e.books.Entry(i)
		w = fmt.Appendf(w, "entry %s %q\n", stamp(entry.At), fmt.Sprint(entry.Seq, entry.Merchant, entry.Operation, entry.Order,
			entry.Bid, entry.Text, entry.From, entry.To, entry.Amount, entry.Freeze))
		if b := e.bids[bidKey{entry.Merchant, entry.Bid}]; b != nil {
			w = fmt.Appendf(w, "bid %s %d %d %d %d\n", b.status, b.raised, b.released, b.received, b.feeTaken)
		}
	}
	for _, o := range e.decided {
		w = fmt.Appendf(w, "order %q %t %s %s\n", []string{o.key.merchant, o.key.op, o.key.bill}, o.key.end, o.state, o.billNo)
	}
	e.decided, e.scratch = nil, w
	sum := sha256.Sum256(w)
	return hex.EncodeToString(sum[:16])
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
