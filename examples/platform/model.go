package main

import (
	"reflect"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// The rows of the platform's tables; the fields are the columns (schema.sql).

// Role is what a user may do.
type Role string

// The roles.
const (
	Member Role = "member" // borrows, lends, guarantees
	Admin  Role = "admin"  // works for the platform
)

// User is somebody who can log in. His id number is personal: it goes to IPS and
// to nobody else.
type User struct {
	ID        string
	Login     string
	Password  string // bcrypt
	Role      Role
	RealName  string
	IdentNo   string
	Mobile    string
	Email     string
	Account   string // custody account, "" until it is open
	CreatedAt time.Time
}

// Session lets the bearer of a cookie be a user.
type Session struct {
	Token     string // SHA-256 of the cookie
	UserID    string
	ExpiresAt time.Time
}

// Kind is what an order is for.
type Kind string

// The kinds. The claim movers decide who is paid what for a claim.
const (
	KindOther      Kind = "other" // moves nothing that belongs to a loan
	KindPublish    Kind = "publish"
	KindBid        Kind = "bid"
	KindGuarantee  Kind = "guarantee"
	KindRelease    Kind = "release"
	KindRepay      Kind = "repay"      // by the borrower; a claim mover
	KindAutoRepay  Kind = "autorepay"  // by contract; a claim mover
	KindCompensate Kind = "compensate" // by the guarantor; a claim mover
	KindBuy        Kind = "buy"        // freezes the buyer's money
	KindSale       Kind = "sale"       // pays the seller; a claim mover
	KindReimburse  Kind = "reimburse"
	KindProfit     Kind = "profit"
	KindUnfreeze   Kind = "unfreeze"
	KindEnd        Kind = "end"
)

// Act is what the platform keeps of an order of the book: whose it is, and what
// for. How far it has come, the book says.
type Act struct {
	OrderKey  string
	Operation ips.Operation
	OrderNo   string
	UserID    string
	BidNo     string
	Kind      Kind
	Ref       string // the sale, guarantee or period that it is about
	Mark      string // what a purchase or a repayment was about when it was ordered
	About     string // Chinese
	Note      string // how it went, Chinese
	Click     string
	Content   string // digest of what came with the click
	ByUser    bool   // carried to IPS by a browser
	Void      bool   // staff has said that nobody waits for it any more
	MadeAt    time.Time
}

// Progress is an act with how far its order has come.
type Progress struct {
	Act
	State   orders.State
	Heard   int // how often IPS has said something of it by itself
	EndedAt time.Time
}

// left reports whether an order is a form of which nothing was heard: its user may
// have closed the page. It is nobody's lock.
func (p Progress) left() bool { return p.ByUser && p.Heard == 0 && !p.State.Ended() }

// Posting is a line of the platform's books.
type Posting struct {
	OrderKey  string
	Line      int
	Account   string
	BidNo     string
	Available ips.Amount
	Frozen    ips.Amount
	About     string
	PostedAt  time.Time
}

// Failure is a row of a batch that IPS has not carried out.
type Failure struct {
	OrderKey string
	Line     int    // in the batch, from 1
	Account  string // the one that tells the rows apart
	Amount   ips.Amount
	Reason   string // as IPS says it
}

// LoanState is how far a loan has come.
type LoanState string

// The states of a loan.
const (
	LoanApplied LoanState = "applied" // the borrower wants it; the platform looks at it, IPS may be asking him
	LoanRaising LoanState = "raising" // investors may bid
	LoanRunning LoanState = "running" // money was released
	LoanEnded   LoanState = "ended"   // repaid, or called off
	LoanFailed  LoanState = "failed"  // IPS or the borrower said no
	LoanOld     LoanState = "old"     // made through the old interface, and only repaid through it (老标的)
)

// Loan is a bid that a borrower looks for money with.
type Loan struct {
	BidNo      string
	BorrowerID string
	Purpose    string
	Amount     ips.Amount
	Margin     ips.Amount // to be frozen at the borrower
	MarginLeft ips.Amount // frozen now
	Fee        ips.Amount
	FeeTaken   ips.Amount
	Released   ips.Amount
	Rate       ips.Rate
	Months     int
	RepayMode  ips.RepayMode
	State      LoanState
	RegOrder   string
	ContractNo string
	ReleaseNo  string
	CreatedAt  time.Time
}

// open reports whether people may bid on it or guarantee for it.
func (l Loan) open() bool { return l.State == LoanRaising || l.State == LoanRunning }

// Guarantee is a guarantor's promise for a bid.
type Guarantee struct {
	OrderNo     string
	BidNo       string
	GuarantorID string
	Amount      ips.Amount
	MarginLeft  ips.Amount
	Profit      ips.Amount
	Agreed      bool // by the borrower, who pays the profit
	ProfitPaid  ips.Amount
	Compensated ips.Amount
}

// ShareState is how far a share has come.
type ShareState string

// The states of a share.
const (
	ShareFrozen   ShareState = "frozen"   // the money waits for its release
	ShareReleased ShareState = "released" // the borrower has it
	ShareEnded    ShareState = "ended"    // repaid, or sold
	ShareCalled   ShareState = "called"   // called off: the money went back
)

// Share is what one person holds of a claim.
type Share struct {
	ID         string
	Claim      string // order number of the creditor registration that made it
	Number     string // how IPS knows it
	ContractNo string
	BidNo      string
	HolderID   string
	Principal  ips.Amount // still owed
	Unpaid     ips.Amount // what IPS counts: the face less all that was paid, interest included
	Fee        ips.Amount // frozen with it until the release
	Overpaid   ips.Amount
	State      ShareState
}

// DueState is what became of an instalment.
type DueState string

// The states of an instalment.
const (
	DueOpen        DueState = "open"
	DueRepaid      DueState = "repaid"      // by the borrower
	DueCompensated DueState = "compensated" // by the guarantor
)

// Due is what falls due to a share in one period.
type Due struct {
	ShareID   string
	Period    int    // from 1
	DueOn     string // yyyyMMdd
	Principal ips.Amount
	Interest  ips.Amount
	Paid      ips.Amount
	State     DueState
}

// Left is what is still to be paid, interest first.
func (d Due) Left() ips.Amount { return d.InterestLeft() + d.PrincipalLeft() }

// InterestLeft is what is still to be paid of the interest.
func (d Due) InterestLeft() ips.Amount { return max(0, d.Interest-d.Paid) }

// PrincipalLeft is what is still to be paid of the principal.
func (d Due) PrincipalLeft() ips.Amount { return d.Principal - max(0, d.Paid-d.Interest) }

// SaleState is how far the sale of a share has come.
type SaleState string

// The states of a sale.
const (
	SaleOffered   SaleState = "offered"
	SalePaid      SaleState = "paid"   // the buyer's money is frozen, and goes to the seller next
	SaleFailed    SaleState = "failed" // IPS did not carry it out: staff may try again
	SaleDone      SaleState = "done"
	SaleWithdrawn SaleState = "withdrawn"
	// Of a buyer who has confirmed late, whose money only the sale can free.
	SaleAsksBuyer  SaleState = "askbuyer"  // there is less of the claim now: does he take it as it is?
	SaleAsksSeller SaleState = "askseller" // another was faster: does the seller sell more of it?
)

// Sale is an offer to sell a share or a part of it (债权转让).
type Sale struct {
	ID       string
	ShareID  string
	BidNo    string
	SellerID string
	BuyerID  string
	OrderNo  string
	Face     ips.Amount
	Price    ips.Amount
	State    SaleState
}

// Compensation is what a guarantor has paid in the borrower's place.
type Compensation struct {
	OrderNo   string
	Guarantee string // order number
	BidNo     string
	Amount    ips.Amount
	Repaid    ips.Amount
}

// ContractKind says what a contract allows.
type ContractKind string

// The kinds of contract.
const (
	AutoBid   ContractKind = "bid"   // 自动投标
	AutoRepay ContractKind = "repay" // 自动还款
)

// Contract is a user's permission to act for him.
type Contract struct {
	AuthNo     string
	UserID     string
	Kind       ContractKind
	ValidUntil string // yyyyMMdd, "" for open-ended
	AmountFrom ips.Amount
	AmountTo   ips.Amount
	RateFrom   ips.Rate
	RateTo     ips.Rate
	SignedAt   time.Time
}

// Comparison holds the books against IPS's, and goes on where it was left.
type Comparison struct {
	BeganAt time.Time
	UpTo    string // the last account that was looked at
	Looked  int
	EndedAt time.Time
}

// Difference is an account of which the books say something else than IPS.
type Difference struct {
	Account string
	Line    string // of the CSV file, as JSON
}

func (Comparison) table() (string, int)   { return "comparisons", 1 }
func (Difference) table() (string, int)   { return "differences", 1 }
func (User) table() (string, int)         { return "users", 1 }
func (Session) table() (string, int)      { return "sessions", 1 }
func (Act) table() (string, int)          { return "acts", 1 }
func (Posting) table() (string, int)      { return "postings", 2 }
func (Failure) table() (string, int)      { return "failures", 2 }
func (Loan) table() (string, int)         { return "loans", 1 }
func (Guarantee) table() (string, int)    { return "guarantees", 1 }
func (Share) table() (string, int)        { return "shares", 1 }
func (Due) table() (string, int)          { return "dues", 2 }
func (Sale) table() (string, int)         { return "sales", 1 }
func (Compensation) table() (string, int) { return "compensations", 1 }
func (Contract) table() (string, int)     { return "contracts", 1 }

func (w *work) user(id string) User { return find[User](w, "id = ?", id) }

// holding is what an account has by the platform's books.
func (w *work) holding(account string) (h orders.Holding) {
	for _, sum := range rows[orders.Holding](w, "SELECT COALESCE(SUM(available), 0), COALESCE(SUM(frozen), 0) FROM postings WHERE account = ?", account) {
		h = sum
	}
	return h
}

// progress reads acts with how far their orders have come.
func progress(w *work, where string, args ...any) []Progress {
	return rows[Progress](w, "SELECT a."+strings.Join(columns(reflect.TypeFor[Act]()), ", a.")+", o.state, o.heard, o.ended_us "+
		"FROM acts a JOIN ips_order o ON o.order_key = a.order_key WHERE "+where, args...)
}

// SQL conditions about an act a and its order o.
const (
	isOpen     = "o.state NOT IN ('done', 'refused', 'closed')"
	isLeft     = isOpen + " AND by_user = 1 AND o.heard = 0"                                            // see Progress
	isMine     = "(user_id = ? OR kind = 'sale' AND ref IN (SELECT id FROM sales WHERE seller_id = ?))" // the seller's receipt, too
	isUnderWay = isOpen + " AND NOT (by_user = 1 AND o.heard = 0)"
)

// quiet makes sure that no other order of some kinds is under way on a loan. Lock
// the loan first, so that none is recorded meanwhile.
func (w *work) quiet(bidNo, except string, kinds ...Kind) bool {
	in, args := "", []any{bidNo, except}
	for _, k := range kinds {
		in += ", ?"
		args = append(args, string(k))
	}
	busy := progress(w, "bid_no = ? AND a.order_key <> ? AND kind IN ("+in[2:]+") AND "+isUnderWay+" LIMIT 1", args...)
	return len(busy) == 0
}

func (w *work) wantQuiet(bidNo string, kinds ...Kind) {
	w.want(w.quiet(bidNo, "", kinds...), "该标的另有未完成的订单，请稍后")
}

// frozen is what waits for its release on a loan.
func (w *work) frozen(bidNo string) (sum ips.Amount) {
	return ips.Amount(w.count("SELECT COALESCE(SUM(principal), 0) FROM shares WHERE bid_no = ? AND state = 'frozen'", bidNo))
}

// payable is an instalment with whom it is due to.
type payable struct {
	Due
	Claim, Account string
}

// payables are the open instalments of a loan by period.
func (w *work) payables(bidNo string) []payable {
	return rows[payable](w, "SELECT d."+strings.Join(columns(reflect.TypeFor[Due]()), ", d.")+", s.number, u.account "+
		"FROM dues d JOIN shares s ON s.id = d.share_id JOIN users u ON u.id = s.holder_id WHERE s.bid_no = ? AND d.state = 'open' ORDER BY d.period, d.share_id", bidNo)
}
