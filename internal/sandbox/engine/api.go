// Package engine is the inside of the sandbox: what the platform does with
// money and state. It knows no HTTP, no encryption and no clock.
//
// An Engine is a deterministic machine. All that ever happens to it is a
// Command, which carries its own time; the same commands in the same order
// lead to the same state, the same answers and the same numbers. That is what
// makes the sandbox repeatable under a seed and lets it be rebuilt from a log
// after a crash.
package engine

import (
	"slices"
	"strings"
	"time"
)

// Field is one element of a <pReq> document. Rows is set on pDetails only.
type Field struct {
	Name  string
	Value string    `json:",omitempty"`
	Rows  []Message `json:",omitempty"`
}

// Message is a decrypted <pReq> document, or one pRow of it, in wire order.
type Message []Field

// Get is the value of the named element, "" when it is missing.
func (m Message) Get(name string) string {
	for i := range m {
		if m[i].Name == name {
			return m[i].Value
		}
	}
	return ""
}

// Rows are the pRow of a document.
func (m Message) Rows() []Message { return m.rows("pDetails") }

// Answer is what IPS says of an order: code, text and document.
type Answer struct {
	Code string
	Text string
	Body Message `json:",omitempty"` // empty: p3DesXmlPara is empty
}

// Notice is an answer that must be posted to the merchant server to server.
type Notice struct {
	Seq      int64  // counts up from 1 over the engine's life
	Merchant string // merchant code
	Op       string // wire name of the operation, e.g. registerSubject
	Order    string // pMerBillNo
	URL      string // pS2SUrl of the order
	At       time.Time
	Answer   Answer
}

// Outcome is what a command led to.
type Outcome struct {
	// Answer is the synchronous answer: the web return of a redirect
	// operation, the result of a web service. It is empty while Ask is set.
	Answer Answer
	// ReturnURL is where the browser goes with the answer: pWebUrl.
	ReturnURL string
	// Ask is the number of the confirmation that a person must first give or
	// refuse on a page (manual mode), "" when there is nothing to ask.
	Ask string
	// Problem says, in Chinese and for the page, why what a person typed was
	// not taken; Ask is set again and he may try once more.
	Problem string
	// Notices are to be posted to merchants, in this order.
	Notices []Notice
	// Taken says that a submit has become an order, rather than been refused
	// or recognised as one that was taken before.
	Taken bool
	// Repeated says that Answer is the first answer of an order that was sent
	// before, and that Notices hold its notification once more.
	Repeated bool
	// Decision is a fingerprint of what the command decided: its answer, its
	// notices, what it posted and what became of the orders and bids concerned.
	// A log that keeps it can tell on replay that it was damaged, or that it
	// was written by other [Rules].
	Decision string
}

// Rules is the version of the rules. It is raised with every change after
// which the same commands may be decided otherwise.
const Rules = 2

// The kinds of Command.
const (
	KindMerchant = "merchant" // add or replace a merchant's settings
	KindSubmit   = "submit"   // a merchant's message, read from the wire and verified
	KindConfirm  = "confirm"  // a person confirms what Ask asked
	KindCancel   = "cancel"   // a person refuses it
	KindSMS      = "sms"      // a person answers a text message
	KindTick     = "tick"     // time passes: nothing but At
	KindMode     = "mode"     // auto or manual, for a merchant or one account
	KindDeposit  = "deposit"  // money from outside into a merchant's own account
	KindMandate  = "mandate"  // a withholding mandate is signed or withdrawn
	KindOldBid   = "oldbid"   // seed a bid of the interface before v2.0
	KindReset    = "reset"    // everything is forgotten but the merchants
	KindRelease  = "release"  // the orders that a fault holds get their final answers: of Merchant and Op, "" for all
)

// Command is one thing that happens. Which fields count depends on Kind; all
// of them survive JSON.
type Command struct {
	Kind     string
	At       time.Time
	Merchant string `json:",omitempty"` // merchant code: submit, mode, deposit
	// Op is the wire name of the operation of a submit: CreateNewIpsAcct,
	// registerSubject, registerCreditor, registerGuarantor,
	// registerCretansfer, AutoNewSigning, RepaymentSigning, doDpTrade,
	// RepaymentNewTrade, doDwTrade, Transfer, GuaranteeUnfreeze, CoDpTrade,
	// repaymentTrade.
	Op       string            `json:",omitempty"`
	Message  Message           `json:",omitempty"` // submit
	ID       string            `json:",omitempty"` // confirm, cancel: the Ask; sms: its number
	Input    map[string]string `json:",omitempty"` // confirm: what the person typed (trade password, bank card, ...)
	Yes      bool              `json:",omitempty"` // sms: the reply; mandate: signed
	Account  string            `json:",omitempty"` // mode, deposit, mandate
	Auto     bool              `json:",omitempty"` // mode
	Amount   int64             `json:",omitempty"` // deposit, in fen
	Settings *Settings         `json:",omitempty"` // merchant
	OldBid   *OldBid           `json:",omitempty"` // oldbid
	Faults   []Fault           `json:",omitempty"` // submit: deviations of this order and no other
}

// Settings are a merchant's standing at the platform, without its secrets.
type Settings struct {
	Merchant string // merchant code
	Name     string // shown on pages
	Auto     bool   // people confirm at once and answer texts with yes
	// IPSFee is the platform's fee in fen for each recharge and withdrawal.
	IPSFee int64
	// Repeat is how a message is answered that has been decided before; ""
	// means RepeatFirst.
	Repeat Repeat `json:",omitempty"`
	// ClockSkew is by how much the times that the platform writes into its
	// answers (pIpsTime) differ from its clock, as they did by minutes.
	ClockSkew time.Duration `json:",omitempty"`
	// NoMandate leaves withholding mandates (委托授权书) unsigned until a
	// KindMandate command; by default opening an account signs one.
	NoMandate bool
}

// Repeat is how the platform answers a message with the number and the content
// of an order that it has done or is still working on. Nobody has seen what IPS
// does, so both are to be had; it does nothing twice either way.
type Repeat string

// The answers to a repetition.
const (
	RepeatFirst  Repeat = "first"  // with the first answer, byte for byte, and its notification once more
	RepeatRefuse Repeat = "refuse" // as a duplicate (订单号重复)
)

// Fault is a deviation of one order from what the platform would do; it comes
// with the command that submits it. The wire's faults (latency, resets, lost
// notifications) are none of the engine's business.
type Fault struct {
	// Name is one of: "code" (the order is refused with Code, and with Text
	// unless that is empty, and nothing is done), "stay-pending" (it is taken,
	// but its final answer is held until a KindRelease command), "row" (row
	// number Row, from 1, of the batch fails and does nothing).
	Name string
	Code string `json:",omitempty"`
	Text string `json:",omitempty"`
	Row  int    `json:",omitempty"`
}

// String is what fmt makes of an Answer, and faster: fingerprints are over it.
func (a Answer) String() string {
	var b strings.Builder
	b.Grow(64 + 48*len(a.Body))
	b.WriteString("{" + a.Code + " " + a.Text + " ")
	a.Body.write(&b)
	b.WriteByte('}')
	return b.String()
}

func (m Message) write(b *strings.Builder) {
	b.WriteByte('[')
	for i, f := range m {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("{" + f.Name + " " + f.Value + " [")
		for j, row := range f.Rows {
			if j > 0 {
				b.WriteByte(' ')
			}
			row.write(b)
		}
		b.WriteString("]}")
	}
	b.WriteByte(']')
}

// Equal says whether two answers say the same.
func (a Answer) Equal(b Answer) bool {
	return a.Code == b.Code && a.Text == b.Text && a.Body.equal(b.Body)
}

func (m Message) equal(other Message) bool {
	return slices.EqualFunc(m, other, func(a, b Field) bool {
		return a.Name == b.Name && a.Value == b.Value && slices.EqualFunc(a.Rows, b.Rows, Message.equal)
	})
}

func (a Answer) clone() Answer {
	a.Body = a.Body.clone()
	return a
}

func (m Message) clone() Message {
	if m == nil {
		return nil
	}
	c := append(Message{}, m...)
	for i := range c {
		if c[i].Rows == nil {
			continue
		}
		rows := make([]Message, len(c[i].Rows))
		for j, row := range c[i].Rows {
			rows[j] = row.clone()
		}
		c[i].Rows = rows
	}
	return c
}

// OldBid is a bid that was made through the interface before v2.0. The sandbox
// does not play that interface but for its repayment, so an old bid does not
// come about by a message: it is seeded, by a KindOldBid command. No operation
// of v2.0 knows it.
type OldBid struct {
	BidNo      string // pBidNo
	ContractNo string // pContractNo
	Release    string // pMerchantBillNo: order number of the old release of funds
	Borrower   string // custody account
	Owed       []OldClaim
}

// OldClaim is what an investor of an old bid may still receive.
type OldClaim struct {
	Account string // custody account
	Amount  int64  // in fen
}
