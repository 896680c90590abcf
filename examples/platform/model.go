package main

import (
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// The rows of the platform's tables, of which the fields are the columns: amounts
// are fen, times microseconds since 1970, flags 0 or 1, days yyyyMMdd. A tag says what
// is part of the key, how long a text may be if not 100, and which row it names.

var tables = []any{User{}, Session{}, Act{}, Posting{}, Failure{}, Loan{}, Guarantee{}, Share{}, Due{}, Sale{}, Compensation{}, Contract{}, Comparison{}, Difference{}}

// indexes are for what pages pick and sort by. What names another row has one anyway.
var indexes = []string{
	"UNIQUE users (login)", "users (account)", "UNIQUE acts (click)", "acts (order_no)", "acts (made_at)", "acts (kind, made_at)", "acts (user_id, made_at)", "acts (member_id, made_at)",
	"acts (bid_no, made_at)", "postings (account, posted_at)", "postings (bid_no)", "loans (created_at)", "loans (state, created_at)", "loans (amount)",
	"UNIQUE shares (claim, holder_id)", "sales (state, id)", "sales (state, price)", "sales (bid_no)", "compensations (bid_no)", "dues (state, due_on)",
}

// Role is what a user may do.
type Role string

const Member, Admin Role = "member", "admin" // who borrows, lends, guarantees, and who works for the platform

// User is somebody who can log in. His id number is personal: it goes to IPS and
// to nobody else.
type User struct {
	ID                               string `key:"1"`
	Login                            string
	Password                         string // bcrypt
	Role                             Role
	RealName, IdentNo, Mobile, Email string
	Account                          string // custody account, "" until it is open
	CreatedAt                        time.Time
}

// Session lets the bearer of a cookie be a user.
type Session struct {
	Token     string `key:"1"` // SHA-256 of the cookie
	UserID    string `of:"users (id)"`
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
	OrderKey  string `key:"1"`
	Operation ips.Operation
	OrderNo   string
	UserID    string `of:"users (id)"`
	MemberID  string // whom it is for: staff orders for members
	BidNo     string
	Kind      Kind
	Ref       string // the sale, guarantee or period that it is about
	Mark      string // what a purchase or a repayment was about when it was ordered
	About     string `size:"200"` // Chinese
	Note      string `size:"500"` // how it went, Chinese
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
	OrderKey          string `key:"1"`
	Line              int    `key:"1"`
	Account, BidNo    string
	Available, Frozen ips.Amount
	About             string
	PostedAt          time.Time
}

// Failure is a row of a batch that IPS has not carried out.
type Failure struct {
	OrderKey string `key:"1"`
	Line     int    `key:"1"` // in the batch, from 1
	Account  string // the one that tells the rows apart
	Amount   ips.Amount
	Reason   string `size:"250"` // as IPS says it
}

// LoanState is how far a loan has come.
type LoanState string

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
	BidNo                           string `key:"1"`
	BorrowerID                      string `of:"users (id)"`
	Purpose                         string `size:"200"`
	Amount                          ips.Amount
	Margin                          ips.Amount // to be frozen at the borrower
	MarginLeft                      ips.Amount // frozen now
	Fee, FeeTaken, Released         ips.Amount
	Rate                            ips.Rate
	Months                          int
	RepayMode                       ips.RepayMode
	State                           LoanState
	RegOrder, ContractNo, ReleaseNo string
	CreatedAt                       time.Time
}

// open reports whether people may bid on it or guarantee for it.
func (l Loan) open() bool { return l.State == LoanRaising || l.State == LoanRunning }

// Guarantee is a guarantor's promise for a bid.
type Guarantee struct {
	OrderNo                    string `key:"1"`
	BidNo                      string `of:"loans (bid_no)"`
	GuarantorID                string `of:"users (id)"`
	Amount, MarginLeft, Profit ips.Amount
	Agreed                     bool // by the borrower, who pays the profit
	ProfitPaid, Compensated    ips.Amount
}

// ShareState is how far a share has come.
type ShareState string

const (
	ShareFrozen   ShareState = "frozen"   // the money waits for its release
	ShareReleased ShareState = "released" // the borrower has it
	ShareEnded    ShareState = "ended"    // repaid
	ShareSold     ShareState = "sold"     // all that was open of it
	ShareCalled   ShareState = "called"   // called off: the money went back
)

// Share is what one person holds of a claim.
type Share struct {
	ID         string `key:"1"`
	Claim      string // order number of the creditor registration that made it
	Number     string // how IPS knows it
	ContractNo string
	BidNo      string     `of:"loans (bid_no)"`
	HolderID   string     `of:"users (id)"`
	Principal  ips.Amount // still owed
	Unpaid     ips.Amount // what IPS counts: the face less all that was paid, interest included
	Fee        ips.Amount // frozen with it until the release
	Overpaid   ips.Amount
	State      ShareState
}

// DueState is what became of an instalment.
type DueState string

const (
	DueOpen        DueState = "open"
	DueRepaid      DueState = "repaid"      // by the borrower
	DueCompensated DueState = "compensated" // by the guarantor
)

// Due is what falls due to a share in one period.
type Due struct {
	ShareID                   string `key:"1" of:"shares (id)"`
	Period                    int    `key:"1"` // from 1
	DueOn                     string // yyyyMMdd
	Principal, Interest, Paid ips.Amount
	State                     DueState
}

// Left is what is still to be paid, interest first.
func (d Due) Left() ips.Amount { return d.InterestLeft() + d.PrincipalLeft() }

// InterestLeft is what is still to be paid of the interest.
func (d Due) InterestLeft() ips.Amount { return max(0, d.Interest-d.Paid) }

// PrincipalLeft is what is still to be paid of the principal.
func (d Due) PrincipalLeft() ips.Amount { return d.Principal - max(0, d.Paid-d.Interest) }

// SaleState is how far the sale of a share has come.
type SaleState string

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
	ID               string `key:"1"`
	ShareID          string `of:"shares (id)"`
	BidNo            string
	SellerID         string `of:"users (id)"`
	BuyerID, OrderNo string
	Face, Price      ips.Amount
	State            SaleState
}

// Compensation is what a guarantor has paid in the borrower's place.
type Compensation struct {
	OrderNo        string `key:"1"`
	Guarantee      string `of:"guarantees (order_no)"` // order number
	BidNo          string
	Amount, Repaid ips.Amount
}

// ContractKind says what a contract allows.
type ContractKind string

const AutoBid, AutoRepay ContractKind = "bid", "repay" // 自动投标, 自动还款

// Contract is a user's permission to act for him.
type Contract struct {
	AuthNo               string `key:"1"`
	UserID               string `of:"users (id)"`
	Kind                 ContractKind
	ValidUntil           string // yyyyMMdd, "" for open-ended
	AmountFrom, AmountTo ips.Amount
	RateFrom, RateTo     ips.Rate
	TermFrom, TermTo     int // months
	SignedAt             time.Time
}

// Comparison holds the books against IPS's, and goes on where it was left.
type Comparison struct {
	Name    string `key:"1"` // always the same: there is one at a time
	BeganAt time.Time
	UpTo    string // the last account that was looked at
	Looked  int
	EndedAt time.Time
}

// Difference is an account of which the books say something else than IPS.
type Difference struct {
	Account string `key:"1"`
	Line    string `size:"2000"` // of the CSV file, as JSON
}

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
	return rows[Progress](w, "SELECT "+progressColumns+" FROM "+actsAndOrders+" WHERE "+where, args...)
}

const actsAndOrders = "acts a JOIN ips_order o ON o.order_key = a.order_key"

var progressColumns = columnsOf[Act]("a.") + ", o.state, o.heard, o.ended_us"

// SQL conditions about an act a and its order o.
const (
	isOpen     = "o.ended_us = 0"
	isLeft     = isOpen + " AND by_user = 1 AND o.heard = 0"                                                                             // see Progress
	isMine     = "(user_id = ? OR member_id = ? OR a.order_key IN (SELECT order_key FROM postings WHERE account = ? AND account <> ''))" // whoever's money it has moved has a receipt
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
	return rows[payable](w, "SELECT "+columnsOf[Due]("d.")+", s.number, u.account "+
		"FROM dues d JOIN shares s ON s.id = d.share_id JOIN users u ON u.id = s.holder_id WHERE s.bid_no = ? AND d.state = 'open' ORDER BY d.period, d.share_id", bidNo)
}
