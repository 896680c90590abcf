package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// Everything here is a copy, but for the documents of orders: a reader can neither
// see a command half done nor change what he is shown. A merchant of "" means all of them, which is for an
// operator's eyes. Id numbers come masked.

// Balance are the pockets of an account in fen.
type Balance = ledger.Balances

// Balance is that of one of the merchant's accounts, or of the merchant's own
// under its code. Another merchant's accounts do not exist for it: ok is false.
func (e *Engine) Balance(merchant, account string) (balance Balance, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.merchants[merchant]
	if m == nil || account != merchant && e.account(m, account) == nil {
		return Balance{}, false
	}
	return e.balance(account), true
}

func (e *Engine) balance(name string) Balance {
	b, _ := e.books.Balances(name)
	return b
}

// MerchantInfo describes a merchant.
type MerchantInfo struct {
	Settings
	Balance Balance
}

// Merchants lists the merchants in the order of their coming.
func (e *Engine) Merchants() []MerchantInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []MerchantInfo
	for _, m := range e.merchantList {
		list = append(list, MerchantInfo{m.Settings, e.balance(m.code())})
	}
	return list
}

// AccountInfo describes a custody account.
type AccountInfo struct {
	Number   string
	Merchant string
	RealName string
	IdentNo  string // masked
	Mobile   string
	Email    string
	Bank     string
	CardTail string
	Mandate  bool
	Auto     bool
	OpenedAt time.Time
	Balance  Balance
}

func (e *Engine) accountInfo(a *account) AccountInfo {
	return AccountInfo{
		Number: a.number, Merchant: a.merchant.code(), RealName: a.realName, IdentNo: MaskMiddle(a.identNo),
		Mobile: a.mobile, Email: a.email, Bank: a.bank, CardTail: a.cardTail, Mandate: a.mandate,
		Auto: agreesAtOnce(a.merchant, a), OpenedAt: a.openedAt.In(China), Balance: e.balance(a.number),
	}
}

// BidInfo describes a bid and the money on it, in fen.
type BidInfo struct {
	Merchant     string
	No           string // pBidNo
	Order        string // pMerBillNo of its registration
	IPSBillNo    string
	Borrower     string // account
	Status       string // pBidStatus
	Amount       int64
	Fee          int64 // registered: the most that may be taken from the borrower
	FeeTaken     int64
	Margin       int64 // registered
	MarginFrozen int64
	Rate         int64 // hundredths of a percent
	TermType     string
	Term         int64
	Raised       int64 // by all live creditor registrations
	Frozen       int64 // of it, waiting for the release, without fees
	Released     int64 // paid out to the borrower
	Repaid       int64 // received by creditors, from the borrower and guarantors
	Claims       []ClaimInfo
	Guarantors   []GuarantorInfo
	Transfers    []DebtInfo
}

// ClaimInfo describes what a creditor registration founded.
type ClaimInfo struct {
	Order    string // pMerBillNo of the creditor registration
	Contract string
	Investor string // account of the first holder
	Amount   int64
	Fee      int64
	Frozen   int64
	Status   string // pStatus: 0 frozen, 1 released, 10 ended
	Holdings []HoldingInfo
}

// HoldingInfo describes what one person holds of a claim.
type HoldingInfo struct {
	Holder      string
	Face        int64
	Outstanding int64 // every payment counts as principal until this is 0
	Received    int64
	OnSale      int64 // part of Face that is registered for sale
}

// GuarantorInfo describes a guarantor's promise.
type GuarantorInfo struct {
	Order        string
	Account      string
	Promised     int64
	Margin       int64
	MarginFrozen int64
	Compensated  int64
	Reimbursed   int64 // of it, by the borrower
	Profit       int64
	ProfitPaid   int64
	Ended        bool
}

// DebtInfo describes a registered debt transfer.
type DebtInfo struct {
	Order  string
	Claim  string // pCreMerBillNo
	From   string
	To     string
	Face   int64
	Price  int64
	Frozen int64
	Whole  bool
	Status string // pStatus: 0 registered, 10 done, 9 failed
}

// Bid describes one bid of a merchant, the latest of that number.
func (e *Engine) Bid(merchant, no string) (info BidInfo, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.bids[bidKey{merchant, no}]
	if b == nil {
		return BidInfo{}, false
	}
	return b.info(true), true
}

// left is what a freeze still holds; a freeze that never came about holds
// nothing.
func left(f *ledger.Freeze) int64 {
	if f == nil {
		return 0
	}
	return f.Left()
}

func (b *bid) info(whole bool) BidInfo {
	info := BidInfo{
		Merchant: b.merchant.code(), No: b.no, Order: b.order, IPSBillNo: b.billNo, Borrower: b.borrower.number,
		Status: b.status, Amount: b.amount, Fee: b.fee, FeeTaken: b.feeTaken, Margin: b.margin,
		MarginFrozen: left(b.marginFreeze), Rate: b.rate, TermType: b.termUnit, Term: b.term,
		Raised: b.raised, Released: b.released, Repaid: b.received,
	}
	for _, c := range b.claims {
		if c.state == claimFrozen {
			info.Frozen += c.amount
		}
		if !whole {
			continue
		}
		claim := ClaimInfo{
			Order: c.order, Contract: c.contract, Investor: c.investor.number, Amount: c.amount, Fee: c.fee,
			Frozen: left(c.freeze), Status: c.state,
		}
		for _, h := range c.holdings {
			claim.Holdings = append(claim.Holdings, HoldingInfo{h.holder.number, h.face, h.outstanding, h.received, h.onSale})
		}
		info.Claims = append(info.Claims, claim)
	}
	if !whole {
		return info
	}
	for _, g := range b.guarantees {
		guarantor := GuarantorInfo{
			Order: g.order, Account: g.account, Promised: g.promised, Margin: g.margin, MarginFrozen: left(g.freeze),
			Compensated: g.compensated, Profit: g.profit, ProfitPaid: g.profitPaid, Ended: g.ended,
		}
		for _, c := range b.compensated {
			if c.guarantee == g {
				guarantor.Reimbursed += c.repaid
			}
		}
		info.Guarantors = append(info.Guarantors, guarantor)
	}
	for _, d := range b.debts {
		info.Transfers = append(info.Transfers, DebtInfo{
			d.order, d.claim.order, d.from.number, d.to.number, d.face, d.price, left(d.freeze), d.whole, d.state,
		})
	}
	return info
}

// OrderInfo describes an order that the platform has taken. The documents of its
// answers are the engine's own, which nobody may change: they can be large.
type OrderInfo struct {
	Merchant  string
	Op        string
	Order     string // pMerBillNo
	End       bool   // the end of a bid, which repeats a number
	IPSBillNo string
	State     string // waiting, held, done, partial (done but for rows that failed) or failed
	At        time.Time
	Ask       string // the page that it waits for
	Asked     string // the latest page, answered or not
	Answer    Answer // what the caller was told
	Final     Answer // what was posted to pS2SUrl, if it was

	Bid, Account string
	Amount       int64    // in fen, 0 for what moves no money
	FailedRows   int      // of a batch
	Faults       []string // that hit it
}

// Order describes one of a merchant's orders of an operation, or with "" of the
// first, in the order of the manual, that has the number; end asks for the end
// of a bid in place of its registration.
func (e *Engine) Order(merchant, op, bill string, end bool) (info OrderInfo, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, known := range e.operationList {
		if o := e.orders[orderKey{merchant, known.name, bill, end}]; o != nil && is(op, known.name) {
			return o.info(), true
		}
	}
	return OrderInfo{}, false
}

func (o *order) info() OrderInfo {
	info := OrderInfo{
		Merchant: o.merchant.code(), Op: o.op.name, Order: o.key.bill, End: o.key.end, IPSBillNo: o.billNo,
		State: o.shown(), At: o.at.In(China), Answer: o.answer, Final: o.final,
		Bid: o.bid, Account: o.account, Amount: o.amount, FailedRows: o.failed, Faults: o.faults,
	}
	if o.ask != nil {
		info.Ask = o.ask.ID
	}
	if o.asked != nil {
		info.Asked = o.asked.ID
	}
	return info
}

// shown is the state of an order as people see it.
func (o *order) shown() string {
	if o.state == orderDone && o.failed > 0 {
		return "partial"
	}
	return string(o.state)
}

// Outcomes counts the orders of the day that ends with the last command, by the
// hour in China and by their states.
func (e *Engine) Outcomes() (hours [24]map[string]int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	day := monthsLater(e.now, 0)
	start := day.UnixNano()
	rows := e.orderRows()
	first, _ := slices.BinarySearchFunc(rows, start, func(r orderRow, at int64) int { return cmp.Compare(r.at, at) })
	hour := func(r orderRow) int { return int((r.at-start)/int64(time.Hour)) % 24 }
	for rows = rows[first:]; len(rows) > 0; {
		run := 1 // many in a row came in one hour to one end
		for run < len(rows) && hour(rows[run]) == hour(rows[0]) && rows[run].state == rows[0].state {
			run++
		}
		h := hour(rows[0])
		if hours[h] == nil {
			hours[h] = make(map[string]int)
		}
		hours[h][rows[0].state] += run
		rows = rows[run:]
	}
	return hours
}

// AskInfo describes a confirmation for the page that asks for it.
type AskInfo struct {
	ID           string
	Op           string
	Title        string // what the operation is called in texts
	Merchant     string
	MerchantName string
	Order        string
	Account      string  // who is asked; "" for a new user and for the merchant itself
	Page         string  // PagePassword, PageAccount or PageBank
	Lines        []Line  // what is confirmed; the amounts and terms alone once it is closed
	Payees       []Payee // of a repayment; empty once it is closed
	At           time.Time
	Deadline     time.Time
	Open         bool
	ClosedAt     time.Time
	Cancelled    bool // closed by the button that says no
	TriesLeft    int  // on a PagePassword
	AutoPassword bool // the password is [AutoPassword]
}

// Ask describes a confirmation, open or closed.
func (e *Engine) Ask(id string) (info AskInfo, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.asks[id]
	if a == nil {
		return AskInfo{}, false
	}
	return a.info(), true
}

// Waiting is how many pages and text messages wait for people.
func (e *Engine) Waiting() (asks, texts int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.deadlines {
		switch {
		case d.sms != nil && d.sms.State == SMSOpen:
			texts++
		case d.ask != nil && d.ask.Open:
			asks++
		}
	}
	return asks, texts
}

// PendingAsks lists what a merchant's users have yet to confirm.
func (e *Engine) PendingAsks(merchant string) []AskInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []AskInfo
	for _, d := range e.deadlines {
		if d.ask != nil && d.ask.Open && is(merchant, d.ask.Merchant) {
			list = append(list, d.ask.info())
		}
	}
	slices.SortFunc(list, func(a, b AskInfo) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func (a *ask) info() AskInfo {
	info := a.AskInfo
	info.Lines, info.Payees = slices.Clone(a.Lines), slices.Clone(a.Payees)
	return info
}

// TextFilter selects text messages; an empty field selects all.
type TextFilter struct {
	Mobile string
	Text   string // part of the mobile, name, account, order number or words
}

// TextsOf are the text messages about an order, in the order of sending.
func (e *Engine) TextsOf(o OrderInfo) (list []SMS) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.orders[orderKey{o.Merchant, o.Op, o.Order, o.End}]; known != nil {
		for _, m := range known.texts {
			list = append(list, m.SMS)
		}
	}
	return list
}

// Inbox lists the text messages to a mobile, or with "" to all of them, in the
// order of sending.
func (e *Engine) Inbox(mobile string) []SMS {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.textList
	if mobile != "" {
		all = e.inboxes[mobile]
	}
	var list []SMS
	for _, m := range all {
		list = append(list, m.SMS)
	}
	return list
}

// JournalFilter selects entries of the journal; an empty field selects all.
type JournalFilter = ledger.Filter

// JournalEntry is one line of the journal.
type JournalEntry = ledger.Entry

// Totals are sums over the books, in fen. Users, Merchants, Fees and Outside
// add up to zero.
type Totals struct {
	Accounts  int
	Entries   int
	Users     Balance
	Merchants Balance
	Fees      int64 // the platform's income
	Outside   int64 // negative: what the world outside has paid in
}

// Totals adds up the books as they stand.
func (e *Engine) Totals() Totals {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := Totals{Accounts: len(e.accountList), Entries: e.books.Len()}
	for _, m := range e.merchantList {
		t.Merchants = t.Merchants.Plus(e.balance(m.code()))
	}
	t.Fees = e.holds(feeAccount)
	t.Outside = e.holds(bankAccount)
	t.Users = e.books.Sum().Minus(t.Merchants)
	t.Users.Available -= t.Fees + t.Outside
	return t
}

// Now is the time of the last command, in China Standard Time; the zero time
// before the first.
func (e *Engine) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now.IsZero() {
		return e.now
	}
	return e.now.In(China)
}

// Lists can grow long. What shows a part of one, as a rule newest first, copies no
// more than that part.

// Page says which part of a list is wanted, and in which order.
type Page = find.Page

// OrderFilter selects orders; an empty field selects all.
type OrderFilter struct {
	Merchant string
	Op       string
	State    string
	Fault    string // the name of one that hit it
	Text     string // part of a number, an account, an answer's text, or an amount in yuan
	Period
}

// Period is a span of time; a zero end is open.
type Period = ledger.Period

// BidFilter selects bids; an empty field selects all.
type BidFilter struct {
	Merchant string
	Status   string // pBidStatus
	Borrower string // account
	Whole    bool   // with claims, guarantors and transfers
	Text     string // part of pBidNo, of pMerBillNo, of the platform's number or of the borrower's, or an amount in yuan
}

// AccountFilter selects accounts; an empty field selects all.
type AccountFilter struct {
	Merchant string
	Text     string // part of the number, name, e-mail or mobile
}

// Account describes one of a merchant's custody accounts.
func (e *Engine) Account(merchant, number string) (info AccountInfo, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.merchants[merchant]
	if m == nil {
		return AccountInfo{}, false
	}
	a := e.account(m, number)
	if a == nil {
		return AccountInfo{}, false
	}
	return e.accountInfo(a), true
}
