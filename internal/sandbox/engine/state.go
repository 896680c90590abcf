package engine

import (
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// What there is at the platform, apart from its orders.

// account is the custody account of a person, opened under one merchant and
// invisible to all others.
type account struct {
	number   string
	merchant *merchant
	identNo  string
	realName string
	mobile   string
	email    string
	bank     string
	cardTail string // last four digits: the platform tells no more, so no more is kept
	login    passwordHash
	password passwordHash // for trades
	question string
	answer   passwordHash
	mandate  bool // a withholding mandate (委托授权书) is signed
	mode     accountMode
	openedAt time.Time
	place    int // in the list
}

// is says whether a person's particulars are those of the account, nil for one
// that does not exist.
func (a *account) is(identNo, realName string) bool {
	return a != nil && strings.EqualFold(a.identNo, identNo) && a.realName == realName
}

// contract lets a merchant bid or repay in a user's name.
type contract struct {
	authNo   string // pIpsAuthNo
	merchant *merchant
	account  *account
	repay    bool      // repays; otherwise it bids
	until    time.Time // the first moment when it is over; zero: never

	// What it may bid on.
	termUnit             string
	termFrom, termTo     int64
	amountFrom, amountTo int64 // of the loan as a whole
	rateFrom, rateTo     int64
}

func (c *contract) live(now time.Time) bool { return c.until.IsZero() || now.Before(c.until) }

// lastDay is the last date on which it may be used.
func (c *contract) lastDay() string { return wireDate(c.until.Add(-time.Second)) }

// What pBidStatus says.
const (
	bidRegistered = "1"  // 新增: waits for the borrower's yes
	bidRaising    = "2"  // 募集中
	bidRunning    = "3"  // 进行中: money has been released
	bidEnding     = "8"  // 结束处理中
	bidFailed     = "9"  // 失败
	bidEnded      = "10" // 结束
)

type bidKey struct{ merchant, no string }

// bid is a loan that a borrower looks for, and all that hangs on it.
type bid struct {
	merchant *merchant
	no       string // pBidNo
	order    string // pMerBillNo of its registration
	billNo   string // pIpsBillNo
	borrower *account
	status   string

	amount   int64 // pLendAmt
	margin   int64 // pGuaranteesAmt, as registered
	fee      int64 // pLendFee: the most that Transfer may take from the borrower
	rate     int64 // hundredths of a percent
	termUnit string
	term     int64

	raised   int64 // live creditor registrations
	released int64 // paid out to the borrower
	feeTaken int64
	received int64 // by creditors, from the borrower and guarantors

	marginFreeze *ledger.Freeze // nil until the borrower's yes
	claims       []*claim
	guarantees   []*guarantee
	guarantors   map[string]*guarantee // by account
	debts        []*debt
	compensated  []*compensation
}

// open says whether people may bid on it and guarantee for it.
func (b *bid) open() bool { return b.status == bidRaising || b.status == bidRunning }

// What a claim's pStatus says.
const (
	claimFrozen   = "0"  // the money waits for its release
	claimReleased = "1"  // the borrower has it
	claimEnded    = "10" // the bid has ended
)

// claim is what a creditor registration founds: the money that an investor
// lends, and who may have it back. It has the number of that registration and,
// beside it, the numbers of every debt transfer that brought a part of it to
// somebody; number and account together name a holding.
type claim struct {
	bid      *bid
	order    string // pMerBillNo
	contract string
	investor *account
	amount   int64 // face value
	fee      int64 // frozen for the investor's fee
	freeze   *ledger.Freeze
	state    string
	holdings []*holding // since the release, in the order of getting them
	holders  map[string]*holding
}

// holding is all that one person holds of a released claim, however often and
// under whichever numbers he bought.
//
// Repayments carry principal and interest in one sum, so the platform counts
// each as principal until none is outstanding. It bounds no payment: the
// borrower confirmed or authorised it, and only he knows what is interest. What
// is repaid is judged by the claim as a whole. All of this is our choice.
type holding struct {
	holder      *account
	face        int64
	outstanding int64
	received    int64
	onSale      int64 // part of face that is registered for sale
}

func (c *claim) outstanding() int64 {
	var sum int64
	for _, h := range c.holdings {
		sum += h.outstanding
	}
	return sum
}

// holding gives a person his part of the claim, an empty one if he has none.
func (c *claim) holding(a *account) *holding {
	h := c.holders[a.number]
	if h == nil {
		h = &holding{holder: a}
		if c.holders == nil {
			c.holders = make(map[string]*holding)
		}
		c.holders[a.number] = h
		c.holdings = append(c.holdings, h)
	}
	return h
}

// guarantee is a guarantor's promise for a bid.
type guarantee struct {
	bid         *bid
	order       string   // pMerBillNo
	account     string   // a custody account, or the merchant's code
	person      *account // nil for an organisation
	promised    int64    // pAmount
	margin      int64    // pMarginAmt, as registered
	freeze      *ledger.Freeze
	compensated int64
	profit      int64 // pProFitAmt
	profitPaid  int64
	ended       bool
}

// compensation is what a guarantor has paid with one order in the borrower's
// place and may have back from him.
type compensation struct {
	bid       *bid
	guarantee *guarantee
	order     string
	amount    int64
	repaid    int64
}

// What a debt transfer's pStatus says.
const (
	debtRegistered = "0"
	debtDone       = "10"
	debtFailed     = "9"
)

// debt is a registered transfer of a claim, whose price is frozen until the
// money is moved, the claim is repaid or the bid ends.
type debt struct {
	claim   *claim
	order   string // pMerBillNo
	from    *account
	to      *account
	face    int64 // pCretAmt, reserved of the assignor's holding
	price   int64 // pPayAmt
	fromFee int64
	toFee   int64
	whole   bool // as registered; what is moved is the face in any case
	freeze  *ledger.Freeze
	state   string
}

// fail takes back a transfer that can no longer be carried out.
func (d *debt) fail() {
	if d.state == debtRegistered {
		d.state = debtFailed
		d.claim.holders[d.from.number].onSale -= d.face
	}
}

// carry makes the part of the claim that was registered the assignee's, with as
// much of what is outstanding as its face covers. Whatever the assignor bought
// or was repaid meanwhile stays his.
func (d *debt) carry() {
	from, to := d.claim.holders[d.from.number], d.claim.holding(d.to)
	outstanding := min(from.outstanding, d.face)
	from.onSale -= d.face
	from.face -= d.face
	to.face += d.face
	from.outstanding -= outstanding
	to.outstanding += outstanding
	d.state = debtDone
}

// oldBid is an OldBid that lives.
type oldBid struct {
	no, contract, release string
	borrower              *account
	investors             []string // in the order of seeding
	owed                  map[string]int64
}
