package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// Everything here is a copy: a reader can neither see a command half done nor
// change what he is shown. A merchant of "" means all of them, which is for an
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
	return b.info(), true
}

// left is what a freeze still holds; a freeze that never came about holds
// nothing.
func left(f *ledger.Freeze) int64 {
	if f == nil {
		return 0
	}
	return f.Left()
}

func (b *bid) info() BidInfo {
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
		claim := ClaimInfo{
			Order: c.order, Contract: c.contract, Investor: c.investor.number, Amount: c.amount, Fee: c.fee,
			Frozen: left(c.freeze), Status: c.state,
		}
		for _, h := range c.holdings {
			claim.Holdings = append(claim.Holdings, HoldingInfo{h.holder.number, h.face, h.outstanding, h.received, h.onSale})
		}
		info.Claims = append(info.Claims, claim)
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

// OrderInfo describes an order that the platform has taken.
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
		State: o.shown(), At: o.at.In(China), Answer: o.answer.clone(), Final: o.final.clone(),
		Bid: o.bid, Account: cmp.Or(o.account, o.final.Body.Get("pIpsAcctNo")), Amount: o.amount, FailedRows: o.failed, Faults: o.faults,
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
	for _, o := range slices.Backward(e.orderList) {
		if o.at.Before(day) {
			break
		}
		hour := &hours[o.at.In(China).Hour()]
		if *hour == nil {
			*hour = make(map[string]int)
		}
		(*hour)[o.shown()]++
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
	Lines        []Line  // what is confirmed; empty once it is closed
	Payees       []Payee // of a repayment; likewise
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

// PendingAsks lists what a merchant's users have yet to confirm.
func (e *Engine) PendingAsks(merchant string) []AskInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []AskInfo
	for _, a := range e.askList {
		if a.Open && is(merchant, a.Merchant) {
			list = append(list, a.info())
		}
	}
	return list
}

func (a *ask) info() AskInfo {
	info := a.AskInfo
	info.Lines, info.Payees = slices.Clone(a.Lines), slices.Clone(a.Payees)
	return info
}

// TextFilter selects text messages; an empty field selects all.
type TextFilter struct {
	Merchant, Mobile, Op, Order string
	Waiting, Settled            bool   // for an answer, or not any more
	Text                        string // part of the mobile, name, account, order number or words
}

// NewestTexts lists a page of the text messages that the filter takes and says
// how many it takes in all.
func (e *Engine) NewestTexts(f TextFilter, p Page) (list []SMS, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newest(e.textList, p, func(m *sms) SMS { return m.SMS }, func(m *sms) bool {
		return is(f.Merchant, m.Merchant) && is(f.Mobile, m.Mobile) && is(f.Op, m.Op) && is(f.Order, m.Order) && (!f.Waiting || m.State == SMSOpen) && (!f.Settled || m.State != SMSOpen) &&
			within(f.Text, m.Mobile, m.Name, m.Account, m.Order, m.Text)
	})
}

// Inbox lists the text messages to a mobile, or with "" to all of them, in the
// order of sending.
func (e *Engine) Inbox(mobile string) []SMS {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []SMS
	for _, m := range e.textList {
		if is(mobile, m.Mobile) {
			list = append(list, m.SMS)
		}
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
	for _, a := range e.accountList {
		t.Users = t.Users.Plus(e.balance(a.number))
	}
	for _, m := range e.merchantList {
		t.Merchants = t.Merchants.Plus(e.balance(m.code()))
	}
	t.Fees = e.holds(feeAccount)
	t.Outside = e.holds(bankAccount)
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

// Lists can grow long. What follows shows a part of one, newest first, and
// copies no more than that part.

// Page says which part of a list is wanted; its zero value means all of it.
type Page struct {
	Skip  int
	Limit int // 0 means no limit
}

// OrderFilter selects orders; an empty field selects all.
type OrderFilter struct {
	Merchant string
	Op       string
	State    string
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
	Text     string // part of pBidNo, of pMerBillNo, of the platform's number or of the borrower's, or an amount in yuan
}

// AccountFilter selects accounts; an empty field selects all.
type AccountFilter struct {
	Merchant string
	Text     string // part of the number, name, e-mail or mobile
}

// NewestOrders lists a page of the orders that the filter takes and says how
// many it takes in all.
func (e *Engine) NewestOrders(f OrderFilter, p Page) (list []OrderInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newest(e.orderList, p, (*order).info, func(o *order) bool {
		return is(f.Merchant, o.merchant.code()) && is(f.Op, o.op.name) && is(f.State, o.shown()) && f.Has(o.at) &&
			(within(f.Text, o.key.bill, o.billNo, o.account, o.final.Body.Get("pIpsAcctNo"), o.bid, o.answer.Text, o.final.Text) || ledger.IsAmount(f.Text, o.amount))
	})
}

// NewestBids lists a page of the bids that the filter takes, failed ones too,
// and says how many it takes in all.
func (e *Engine) NewestBids(f BidFilter, p Page) (list []BidInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newest(e.bidList, p, (*bid).info, func(b *bid) bool {
		return is(f.Merchant, b.merchant.code()) && is(f.Status, b.status) && is(f.Borrower, b.borrower.number) &&
			(within(f.Text, b.no, b.order, b.billNo, b.borrower.number) || ledger.IsAmount(f.Text, b.amount))
	})
}

// NewestAccounts lists a page of the accounts that the filter takes and says
// how many it takes in all.
func (e *Engine) NewestAccounts(f AccountFilter, p Page) (list []AccountInfo, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return newest(e.accountList, p, e.accountInfo, func(a *account) bool {
		return is(f.Merchant, a.merchant.code()) && within(f.Text, a.number, a.realName, a.email, a.mobile)
	})
}

// NewestEntries lists entries of the books, newest first, and says how many
// the filter takes in all; its Offset and Limit count from the newest.
func (e *Engine) NewestEntries(f JournalFilter) (list []JournalEntry, total int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list, total = e.books.Newest(f)
	for i := range list {
		list[i].At = list[i].At.In(China)
	}
	return list, total
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

func newest[T, Info any](all []T, p Page, info func(T) Info, takes func(T) bool) (list []Info, total int) {
	for _, one := range slices.Backward(all) {
		if !takes(one) {
			continue
		}
		if total >= p.Skip && (p.Limit == 0 || len(list) < p.Limit) {
			list = append(list, info(one))
		}
		total++
	}
	return list, total
}

func within(want string, values ...string) bool {
	return want == "" || slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, want) })
}
