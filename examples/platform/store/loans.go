package store

import (
	"context"
	"time"

	"github.com/ips-p2p/ips"
)

// LoanState is how far a loan has come.
type LoanState string

// The states of a loan.
const (
	LoanApplied LoanState = "applied" // the borrower wants it; the platform looks at it, IPS may be asking him
	LoanRaising LoanState = "raising" // investors may bid
	LoanRunning LoanState = "running" // money was released
	LoanEnded   LoanState = "ended"   // repaid, or called off
	LoanFailed  LoanState = "failed"  // IPS or the borrower said no
)

// Loan is a bid that a borrower looks for money with.
type Loan struct {
	BidNo      string
	BorrowerID string
	Purpose    string
	Amount     ips.Amount
	Margin     ips.Amount // to be frozen at the borrower
	MarginLeft ips.Amount // frozen now
	Fee        ips.Amount // the most that the platform takes from the borrower
	FeeTaken   ips.Amount
	Rate       ips.Rate
	Months     int
	RepayMode  ips.RepayMode
	State      LoanState
	RegOrder   string // order number of its registration
	CreatedAt  time.Time
}

const loanColumns = "bid_no, borrower_id, purpose, amount, margin, margin_left, fee, fee_taken, rate, months, repay_mode, state, reg_order, created_at"

func (l *Loan) into() []any {
	return []any{
		&l.BidNo, &l.BorrowerID, &l.Purpose, &l.Amount, &l.Margin, &l.MarginLeft, &l.Fee, &l.FeeTaken, &l.Rate, &l.Months,
		&l.RepayMode, &l.State, &l.RegOrder, millis{&l.CreatedAt},
	}
}

// AddLoan adds a loan.
func (q *Queries) AddLoan(ctx context.Context, l Loan) error {
	return q.insert(ctx, "loans", loanColumns, l.BidNo, l.BorrowerID, l.Purpose, l.Amount, l.Margin, l.MarginLeft, l.Fee, l.FeeTaken,
		l.Rate, l.Months, l.RepayMode, l.State, l.RegOrder, l.CreatedAt)
}

// Loan finds a loan.
func (q *Queries) Loan(ctx context.Context, bidNo string) (Loan, error) {
	return one[Loan](ctx, q, "SELECT "+loanColumns+" FROM loans WHERE bid_no = $1", bidNo)
}

// LockLoan finds a loan and keeps others from changing it, and with it, by
// convention, all that hangs on it: shares, plans, sales, guarantees.
func (t *Tx) LockLoan(ctx context.Context, bidNo string) (Loan, error) {
	return one[Loan](ctx, &t.Queries, "SELECT "+loanColumns+" FROM loans WHERE bid_no = $1"+t.locking(), bidNo)
}

// Loans lists the loans that were not just applied for, newest first.
func (q *Queries) Loans(ctx context.Context) ([]Loan, error) {
	return list[Loan](ctx, q, "SELECT "+loanColumns+" FROM loans WHERE state <> 'applied' ORDER BY created_at DESC, bid_no LIMIT 200")
}

// AllLoans lists all loans, newest first.
func (q *Queries) AllLoans(ctx context.Context) ([]Loan, error) {
	return list[Loan](ctx, q, "SELECT "+loanColumns+" FROM loans ORDER BY created_at DESC, bid_no LIMIT 200")
}

// LoansOf lists the loans of a borrower.
func (q *Queries) LoansOf(ctx context.Context, borrowerID string) ([]Loan, error) {
	return list[Loan](ctx, q, "SELECT "+loanColumns+" FROM loans WHERE borrower_id = $1 ORDER BY created_at DESC, bid_no", borrowerID)
}

// UpdateLoan writes down what can change of a loan.
func (t *Tx) UpdateLoan(ctx context.Context, l Loan) error {
	return t.change(ctx, "UPDATE loans SET margin_left = $2, fee_taken = $3, state = $4, reg_order = $5 WHERE bid_no = $1",
		l.BidNo, l.MarginLeft, l.FeeTaken, l.State, l.RegOrder)
}

// Guarantee is a guarantor's promise for a bid.
type Guarantee struct {
	OrderNo     string
	BidNo       string
	GuarantorID string
	Amount      ips.Amount
	MarginLeft  ips.Amount
	Profit      ips.Amount
	ProfitPaid  ips.Amount
	Compensated ips.Amount
}

const guaranteeColumns = "order_no, bid_no, guarantor_id, amount, margin_left, profit, profit_paid, compensated"

func (g *Guarantee) into() []any {
	return []any{&g.OrderNo, &g.BidNo, &g.GuarantorID, &g.Amount, &g.MarginLeft, &g.Profit, &g.ProfitPaid, &g.Compensated}
}

// AddGuarantee adds a guarantee.
func (t *Tx) AddGuarantee(ctx context.Context, g Guarantee) error {
	return t.insert(ctx, "guarantees", guaranteeColumns,
		g.OrderNo, g.BidNo, g.GuarantorID, g.Amount, g.MarginLeft, g.Profit, g.ProfitPaid, g.Compensated)
}

// Guarantee finds a guarantee by the order number of its registration.
func (q *Queries) Guarantee(ctx context.Context, orderNo string) (Guarantee, error) {
	return one[Guarantee](ctx, q, "SELECT "+guaranteeColumns+" FROM guarantees WHERE order_no = $1", orderNo)
}

// Guarantees lists the guarantees for a bid.
func (q *Queries) Guarantees(ctx context.Context, bidNo string) ([]Guarantee, error) {
	return list[Guarantee](ctx, q, "SELECT "+guaranteeColumns+" FROM guarantees WHERE bid_no = $1 ORDER BY order_no", bidNo)
}

// UpdateGuarantee writes down what can change of a guarantee.
func (t *Tx) UpdateGuarantee(ctx context.Context, g Guarantee) error {
	return t.change(ctx, "UPDATE guarantees SET margin_left = $2, profit_paid = $3, compensated = $4 WHERE order_no = $1",
		g.OrderNo, g.MarginLeft, g.ProfitPaid, g.Compensated)
}

// ShareState is how far a share has come.
type ShareState string

// The states of a share.
const (
	ShareFrozen   ShareState = "frozen"   // the money waits for its release
	ShareReleased ShareState = "released" // the borrower has it
	ShareEnded    ShareState = "ended"    // called off, sold, or repaid with the bid's end
)

// Share is what one person holds of a claim.
type Share struct {
	ID         string
	Claim      string // order number of the creditor registration that made the claim
	ContractNo string
	BidNo      string
	HolderID   string
	Principal  ips.Amount // still owed
	Fee        ips.Amount // frozen with it until the release
	State      ShareState
}

const shareColumns = "id, claim, contract_no, bid_no, holder_id, principal, fee, state"

func (s *Share) into() []any {
	return []any{&s.ID, &s.Claim, &s.ContractNo, &s.BidNo, &s.HolderID, &s.Principal, &s.Fee, &s.State}
}

// AddShare adds a share.
func (t *Tx) AddShare(ctx context.Context, s Share) error {
	return t.insert(ctx, "shares", shareColumns, s.ID, s.Claim, s.ContractNo, s.BidNo, s.HolderID, s.Principal, s.Fee, s.State)
}

// Share finds a share.
func (q *Queries) Share(ctx context.Context, id string) (Share, error) {
	return one[Share](ctx, q, "SELECT "+shareColumns+" FROM shares WHERE id = $1", id)
}

// ShareOf finds what a person holds of a claim.
func (q *Queries) ShareOf(ctx context.Context, claim, holderID string) (Share, error) {
	return one[Share](ctx, q, "SELECT "+shareColumns+" FROM shares WHERE claim = $1 AND holder_id = $2", claim, holderID)
}

// Shares lists the shares in a bid, in a steady order.
func (q *Queries) Shares(ctx context.Context, bidNo string) ([]Share, error) {
	return list[Share](ctx, q, "SELECT "+shareColumns+" FROM shares WHERE bid_no = $1 ORDER BY claim, id", bidNo)
}

// SharesOf lists what a person holds.
func (q *Queries) SharesOf(ctx context.Context, holderID string) ([]Share, error) {
	return list[Share](ctx, q, "SELECT "+shareColumns+" FROM shares WHERE holder_id = $1 ORDER BY claim, id", holderID)
}

// UpdateShare writes down what can change of a share.
func (t *Tx) UpdateShare(ctx context.Context, s Share) error {
	return t.change(ctx, "UPDATE shares SET principal = $2, fee = $3, state = $4 WHERE id = $1", s.ID, s.Principal, s.Fee, s.State)
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
	State     DueState
}

// Total is principal and interest.
func (d *Due) Total() ips.Amount { return d.Principal + d.Interest }

const dueColumns = "share_id, period, due_on, principal, interest, state"

func (d *Due) into() []any {
	return []any{&d.ShareID, &d.Period, &d.DueOn, &d.Principal, &d.Interest, &d.State}
}

// PutDue writes an instalment, a new one or a changed one.
func (t *Tx) PutDue(ctx context.Context, d Due) error {
	_, err := t.exec(ctx, "INSERT INTO dues ("+dueColumns+") VALUES ("+parameters(6)+") ON CONFLICT (share_id, period)"+
		" DO UPDATE SET due_on = excluded.due_on, principal = excluded.principal, interest = excluded.interest, state = excluded.state",
		d.ShareID, d.Period, d.DueOn, d.Principal, d.Interest, d.State)
	return err
}

// DropDue removes an instalment, which has gone over to another share.
func (t *Tx) DropDue(ctx context.Context, shareID string, period int) error {
	return t.change(ctx, "DELETE FROM dues WHERE share_id = $1 AND period = $2", shareID, period)
}

// Dues lists the instalments of a share.
func (q *Queries) Dues(ctx context.Context, shareID string) ([]Due, error) {
	return list[Due](ctx, q, "SELECT "+dueColumns+" FROM dues WHERE share_id = $1 ORDER BY period", shareID)
}

// LoanDues lists the instalments of all shares in a bid by period.
func (q *Queries) LoanDues(ctx context.Context, bidNo string) ([]Due, error) {
	return list[Due](ctx, q, "SELECT "+dueColumns+" FROM dues WHERE share_id IN (SELECT id FROM shares WHERE bid_no = $1)"+
		" ORDER BY period, share_id", bidNo)
}

// SaleState is how far the sale of a share has come.
type SaleState string

// The states of a sale.
const (
	SaleOffered   SaleState = "offered"
	SalePaid      SaleState = "paid" // the buyer's money is frozen
	SaleDone      SaleState = "done"
	SaleWithdrawn SaleState = "withdrawn"
)

// Sale is an offer to sell a share or a part of it (债权转让).
type Sale struct {
	ID       string
	ShareID  string
	BidNo    string
	SellerID string
	BuyerID  string
	OrderNo  string // of the debt-transfer registration
	Face     ips.Amount
	Price    ips.Amount
	State    SaleState
}

const saleColumns = "id, share_id, bid_no, seller_id, buyer_id, order_no, face, price, state"

func (s *Sale) into() []any {
	return []any{&s.ID, &s.ShareID, &s.BidNo, &s.SellerID, optional{&s.BuyerID}, &s.OrderNo, &s.Face, &s.Price, &s.State}
}

// AddSale adds a sale. [Conflict] tells a share that is for sale already.
func (t *Tx) AddSale(ctx context.Context, s Sale) error {
	return t.insert(ctx, "sales", saleColumns, s.ID, s.ShareID, s.BidNo, s.SellerID, orNull(s.BuyerID), s.OrderNo, s.Face, s.Price, s.State)
}

// Sale finds a sale.
func (q *Queries) Sale(ctx context.Context, id string) (Sale, error) {
	return one[Sale](ctx, q, "SELECT "+saleColumns+" FROM sales WHERE id = $1", id)
}

// SaleByOrder finds the sale that a debt-transfer registration paid for.
func (q *Queries) SaleByOrder(ctx context.Context, orderNo string) (Sale, error) {
	return one[Sale](ctx, q, "SELECT "+saleColumns+" FROM sales WHERE order_no = $1 AND order_no <> ''", orderNo)
}

// Sales lists the offers.
func (q *Queries) Sales(ctx context.Context) ([]Sale, error) {
	return list[Sale](ctx, q, "SELECT "+saleColumns+" FROM sales WHERE state = 'offered' ORDER BY id LIMIT 200")
}

// LoanSales lists the sales in a bid that are not over.
func (q *Queries) LoanSales(ctx context.Context, bidNo string) ([]Sale, error) {
	return list[Sale](ctx, q, "SELECT "+saleColumns+" FROM sales WHERE bid_no = $1 AND state IN ('offered', 'paid') ORDER BY id", bidNo)
}

// UpdateSale writes down what can change of a sale.
func (t *Tx) UpdateSale(ctx context.Context, s Sale) error {
	return t.change(ctx, "UPDATE sales SET buyer_id = $2, order_no = $3, state = $4 WHERE id = $1", s.ID, orNull(s.BuyerID), s.OrderNo, s.State)
}

// Compensation is what a guarantor has paid in the borrower's place.
type Compensation struct {
	OrderNo   string
	Guarantee string // order number
	BidNo     string
	Amount    ips.Amount
	Repaid    ips.Amount
}

const compensationColumns = "order_no, guarantee, bid_no, amount, repaid"

func (c *Compensation) into() []any {
	return []any{&c.OrderNo, &c.Guarantee, &c.BidNo, &c.Amount, &c.Repaid}
}

// AddCompensation adds a compensation.
func (t *Tx) AddCompensation(ctx context.Context, c Compensation) error {
	return t.insert(ctx, "compensations", compensationColumns, c.OrderNo, c.Guarantee, c.BidNo, c.Amount, c.Repaid)
}

// Compensation finds a compensation by its order number.
func (q *Queries) Compensation(ctx context.Context, orderNo string) (Compensation, error) {
	return one[Compensation](ctx, q, "SELECT "+compensationColumns+" FROM compensations WHERE order_no = $1", orderNo)
}

// Compensations lists those of a bid.
func (q *Queries) Compensations(ctx context.Context, bidNo string) ([]Compensation, error) {
	return list[Compensation](ctx, q, "SELECT "+compensationColumns+" FROM compensations WHERE bid_no = $1 ORDER BY order_no", bidNo)
}

// UpdateCompensation writes down how much was paid back.
func (t *Tx) UpdateCompensation(ctx context.Context, c Compensation) error {
	return t.change(ctx, "UPDATE compensations SET repaid = $2 WHERE order_no = $1", c.OrderNo, c.Repaid)
}

// RaiseCompensation adds to what a compensation has cost the guarantor.
func (t *Tx) RaiseCompensation(ctx context.Context, orderNo string, by ips.Amount) error {
	return t.change(ctx, "UPDATE compensations SET amount = amount + $2 WHERE order_no = $1", orderNo, by)
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

const contractColumns = "auth_no, user_id, kind, valid_until, amount_from, amount_to, rate_from, rate_to, signed_at"

func (c *Contract) into() []any {
	return []any{
		&c.AuthNo, &c.UserID, &c.Kind, &c.ValidUntil, &c.AmountFrom, &c.AmountTo, &c.RateFrom, &c.RateTo, millis{&c.SignedAt},
	}
}

// AddContract adds a contract.
func (t *Tx) AddContract(ctx context.Context, c Contract) error {
	return t.insert(ctx, "contracts", contractColumns,
		c.AuthNo, c.UserID, c.Kind, c.ValidUntil, c.AmountFrom, c.AmountTo, c.RateFrom, c.RateTo, c.SignedAt)
}

// Contracts lists the contracts of a kind that are valid on a day, of one user
// or of all if userID is "".
func (q *Queries) Contracts(ctx context.Context, kind ContractKind, userID, day string) ([]Contract, error) {
	return list[Contract](ctx, q, "SELECT "+contractColumns+" FROM contracts WHERE kind = $1 AND ($2 = '' OR user_id = $2)"+
		" AND (valid_until = '' OR valid_until >= $3) ORDER BY signed_at DESC, auth_no", kind, userID, day)
}

type text struct{ s string }

func (t *text) into() []any { return []any{&t.s} }

// BidsWithPaidSales lists the bids in which a buyer's money waits.
func (q *Queries) BidsWithPaidSales(ctx context.Context) ([]string, error) {
	rows, err := list[text](ctx, q, "SELECT DISTINCT bid_no FROM sales WHERE state = 'paid' ORDER BY bid_no")
	var bids []string
	for _, row := range rows {
		bids = append(bids, row.s)
	}
	return bids, err
}
