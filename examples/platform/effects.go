package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// effect is where an order's consequences are written: the transaction that
// also records its outcome.
type effect struct {
	ctx      context.Context
	tx       *store.Tx
	order    store.Order
	platform string // the platform's own account at IPS
	now      time.Time
	lines    int
}

func (o *Orders) effect(ctx context.Context, tx *store.Tx, order store.Order) *effect {
	return &effect{ctx: ctx, tx: tx, order: order, platform: o.client.MerchantCode(), now: o.now()}
}

// move adds a line to the platform's books.
func (e *effect) move(account string, available, frozen ips.Amount, about string) error {
	if available == 0 && frozen == 0 {
		return nil
	}
	e.lines++
	return e.tx.Post(e.ctx, store.Posting{
		OrderKey: e.order.OrderKey, Line: e.lines, Account: account, BidNo: e.order.BidNo,
		Available: available, Frozen: frozen, About: about, PostedAt: e.now,
	})
}

func (e *effect) freeze(account string, amount ips.Amount, about string) error {
	return e.move(account, -amount, amount, about)
}

func (e *effect) release(account string, amount ips.Amount, about string) error {
	return e.move(account, amount, -amount, about)
}

func (e *effect) fee(amount ips.Amount, about string) error {
	return e.move(e.platform, amount, 0, about)
}

// 4.2 开户

func sayAccount(c *claims, _ ips.OpenAccountRequest, r *ips.OpenAccountResponse) {
	c.must("account", r.Account)
}

func accountOpened(e *effect, _ ips.OpenAccountRequest, r *ips.OpenAccountResponse) error {
	user, err := e.tx.User(e.ctx, e.order.UserID)
	switch {
	case err != nil:
		return err
	case user.Account != "" && user.Account != r.Account:
		return contradicts("the user has another custody account already")
	}
	return e.tx.SetAccount(e.ctx, user.ID, r.Account)
}

// 4.9 充值, 4.13 自动代扣充值, 4.14 提现. The platform pays the fee of IPS, so it
// is no business of the user's books.

func sayRecharge(c *claims, q ips.RechargeRequest, r *ips.RechargeResponse) {
	c.amount("amount", q.Amount, r.Amount)
	c.text("account", q.Account, r.Account)
}

func recharged(e *effect, q ips.RechargeRequest, _ *ips.RechargeResponse) error {
	return errors.Join(e.move(q.Account, q.Amount-q.Fee, 0, "充值"), e.fee(q.Fee, "充值手续费"))
}

func assumeRecharge(q ips.RechargeRequest) *ips.RechargeResponse {
	return &ips.RechargeResponse{Amount: q.Amount, Account: q.Account}
}

func sayWithholding(c *claims, q ips.WithholdingRechargeRequest, r *ips.WithholdingRechargeResponse) {
	c.amount("amount", q.Amount, r.Amount)
	c.amount("credited", q.Amount-q.Fee, r.Credited)
	c.text("account", q.Account, r.Account)
}

func withheld(e *effect, q ips.WithholdingRechargeRequest, _ *ips.WithholdingRechargeResponse) error {
	return errors.Join(e.move(q.Account, q.Amount-q.Fee, 0, "代扣充值"), e.fee(q.Fee, "代扣充值手续费"))
}

func sayWithdrawal(c *claims, q ips.WithdrawRequest, r *ips.WithdrawResponse) {
	c.amount("amount", q.Amount, r.Amount)
	c.text("account", q.Account, r.Account)
}

func withdrawn(e *effect, q ips.WithdrawRequest, _ *ips.WithdrawResponse) error {
	return errors.Join(e.move(q.Account, -q.Amount-q.Fee, 0, "提现"), e.fee(q.Fee, "提现手续费"))
}

func assumeWithdrawal(q ips.WithdrawRequest) *ips.WithdrawResponse {
	return &ips.WithdrawResponse{Amount: q.Amount, Account: q.Account}
}

// 4.3 标的登记, 标的结束

func sayBid(c *claims, q ips.RegisterBidRequest, r *ips.BidResponse) {
	c.text("bid", q.BidNo, r.BidNo)
	c.amount("amount", q.Amount, r.Amount)
	c.amount("frozen", q.Margin, r.FrozenMargin)
}

func bidRegistered(e *effect, q ips.RegisterBidRequest, _ *ips.BidResponse) error {
	loan, err := e.tx.LockLoan(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	loan.State, loan.MarginLeft = store.LoanRaising, q.Margin
	return errors.Join(e.tx.UpdateLoan(e.ctx, loan), e.freeze(q.Account, q.Margin, "冻结借款保证金"))
}

func bidRefused(e *effect, q ips.RegisterBidRequest) error {
	loan, err := e.tx.LockLoan(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	loan.State = store.LoanFailed
	return e.tx.UpdateLoan(e.ctx, loan)
}

func assumeBid(q ips.RegisterBidRequest) *ips.BidResponse {
	return &ips.BidResponse{BidNo: q.BidNo, Amount: q.Amount, FrozenMargin: q.Margin}
}

// bidEnded gives everybody back what is frozen for the bid, as IPS does.
func bidEnded(e *effect, q ips.EndBidRequest, _ *ips.BidResponse) error {
	loan, err := e.tx.LockLoan(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	loan.State, loan.MarginLeft = store.LoanEnded, 0
	if err := e.tx.UpdateLoan(e.ctx, loan); err != nil {
		return err
	}
	frozen, err := e.tx.Frozen(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	for _, f := range frozen {
		if err := e.release(f.Account, f.Frozen, "标的结束，解冻"); err != nil {
			return err
		}
	}
	return e.endAllOf(q.BidNo)
}

func (e *effect) endAllOf(bidNo string) error {
	shares, err := e.tx.Shares(e.ctx, bidNo)
	if err != nil {
		return err
	}
	for _, s := range shares {
		s.State = store.ShareEnded
		if err := e.tx.UpdateShare(e.ctx, s); err != nil {
			return err
		}
	}
	sales, err := e.tx.LoanSales(e.ctx, bidNo)
	if err != nil {
		return err
	}
	for _, s := range sales {
		s.State = store.SaleWithdrawn
		if err := e.tx.UpdateSale(e.ctx, s); err != nil {
			return err
		}
	}
	guarantees, err := e.tx.Guarantees(e.ctx, bidNo)
	if err != nil {
		return err
	}
	for _, g := range guarantees {
		g.MarginLeft = 0
		if err := e.tx.UpdateGuarantee(e.ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// late gives back at once what an answer says was frozen for a bid whose end
// was heard before that answer: IPS has released it with the rest.
func (e *effect) late(loan store.Loan, account string, amount ips.Amount) (late bool, err error) {
	if loan.State != store.LoanEnded {
		return false, nil
	}
	return true, e.release(account, amount, "标的已结束，解冻")
}

// 4.4 登记债权人

func sayCreditor(c *claims, q ips.RegisterCreditorRequest, r *ips.CreditorResponse) {
	c.bid(q.BidNo, q.Account, q.Amount, q.Amount+q.Fee, r)
}

func sayAutoBid(c *claims, q ips.AutoBidRequest, r *ips.CreditorResponse) {
	c.bid(q.BidNo, q.Account, q.Amount, q.Amount+q.Fee, r)
}

func (c *claims) bid(bidNo, account string, amount, frozen ips.Amount, r *ips.CreditorResponse) {
	c.text("bid", bidNo, r.BidNo)
	c.text("account", account, r.Account)
	c.amount("amount", amount, r.TradeAmount)
	c.amount("frozen", frozen, r.Frozen)
}

func creditorRegistered(e *effect, q ips.RegisterCreditorRequest, _ *ips.CreditorResponse) error {
	return e.bid(store.Share{Claim: q.OrderNo, ContractNo: q.ContractNo, BidNo: q.BidNo, Principal: q.Amount, Fee: q.Fee}, q.Account)
}

func autoBidden(e *effect, q ips.AutoBidRequest, _ *ips.CreditorResponse) error {
	return e.bid(store.Share{Claim: q.OrderNo, ContractNo: q.ContractNo, BidNo: q.BidNo, Principal: q.Amount, Fee: q.Fee}, q.Account)
}

func assumeCreditor(q ips.RegisterCreditorRequest) *ips.CreditorResponse {
	return &ips.CreditorResponse{BidNo: q.BidNo, Account: q.Account, TradeAmount: q.Amount, Frozen: q.Amount + q.Fee}
}

func (e *effect) bid(share store.Share, account string) error {
	loan, err := e.tx.LockLoan(e.ctx, share.BidNo)
	if err != nil {
		return err
	}
	holder, err := e.tx.UserByAccount(e.ctx, account)
	if err != nil {
		return err
	}
	if err := e.freeze(account, share.Principal+share.Fee, "冻结投标资金"); err != nil {
		return err
	}
	late, err := e.late(loan, account, share.Principal+share.Fee)
	if err != nil {
		return err
	}
	share.ID, share.HolderID, share.State = store.NewID(), holder.ID, store.ShareFrozen
	if late {
		share.State = store.ShareEnded
	}
	return e.tx.AddShare(e.ctx, share)
}

// 4.5 登记担保方, 4.12 解冻保证金

func sayGuarantor(c *claims, q ips.RegisterGuarantorRequest, r *ips.RegisterGuarantorResponse) {
	c.text("bid", q.BidNo, r.BidNo)
	c.text("account", q.Account, r.Account)
	c.amount("amount", q.Amount, r.Amount)
	c.amount("frozen", q.Margin, r.FrozenMargin)
}

func guarantorRegistered(e *effect, q ips.RegisterGuarantorRequest, _ *ips.RegisterGuarantorResponse) error {
	loan, err := e.tx.LockLoan(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	g := store.Guarantee{
		OrderNo: q.OrderNo, BidNo: q.BidNo, GuarantorID: e.order.UserID, Amount: q.Amount, MarginLeft: q.Margin, Profit: q.Profit,
	}
	if err := e.freeze(q.Account, q.Margin, "冻结担保保证金"); err != nil {
		return err
	}
	late, err := e.late(loan, q.Account, q.Margin)
	if err != nil {
		return err
	}
	if late {
		g.MarginLeft = 0
	}
	return e.tx.AddGuarantee(e.ctx, g)
}

func assumeGuarantor(q ips.RegisterGuarantorRequest) *ips.RegisterGuarantorResponse {
	return &ips.RegisterGuarantorResponse{BidNo: q.BidNo, Account: q.Account, Amount: q.Amount, FrozenMargin: q.Margin}
}

func sayUnfreezing(c *claims, q ips.UnfreezeMarginRequest, r *ips.UnfreezeMarginResponse) {
	c.text("bid", q.BidNo, r.BidNo)
	c.text("account", q.Account, r.Account)
	c.amount("amount", q.Amount, r.Amount)
}

func marginUnfrozen(e *effect, q ips.UnfreezeMarginRequest, _ *ips.UnfreezeMarginResponse) error {
	loan, err := e.tx.LockLoan(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	if err := e.release(q.Account, q.Amount, "解冻保证金"); err != nil {
		return err
	}
	if q.Owner == ips.BorrowerMargin {
		loan.MarginLeft -= q.Amount
		return e.tx.UpdateLoan(e.ctx, loan)
	}
	g, err := e.guaranteeOf(q.BidNo, q.Account)
	if err != nil {
		return err
	}
	g.MarginLeft -= q.Amount
	return e.tx.UpdateGuarantee(e.ctx, g)
}

func (e *effect) guaranteeOf(bidNo, account string) (store.Guarantee, error) {
	user, err := e.tx.UserByAccount(e.ctx, account)
	if err != nil {
		return store.Guarantee{}, err
	}
	all, err := e.tx.Guarantees(e.ctx, bidNo)
	if err != nil {
		return store.Guarantee{}, err
	}
	for _, g := range all {
		if g.GuarantorID == user.ID {
			return g, nil
		}
	}
	return store.Guarantee{}, fmt.Errorf("guarantee for bid %s: %w", bidNo, store.ErrNotFound)
}

// 4.6 登记债权转让

func saySale(c *claims, q ips.RegisterDebtTransferRequest, r *ips.RegisterDebtTransferResponse) {
	c.text("bid", q.BidNo, r.BidNo)
	c.text("claim", q.CreditorOrderNo, r.CreditorOrderNo)
	c.text("account", q.ToAccount, r.ToAccount)
	c.amount("face", q.FaceAmount, r.FaceAmount)
	c.amount("price", q.Price, r.Price)
}

func saleRegistered(e *effect, q ips.RegisterDebtTransferRequest, _ *ips.RegisterDebtTransferResponse) error {
	loan, err := e.tx.LockLoan(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	if err := e.freeze(q.ToAccount, q.Price+q.ToFee, "冻结受让资金"); err != nil {
		return err
	}
	if late, err := e.late(loan, q.ToAccount, q.Price+q.ToFee); late || err != nil {
		return err
	}
	sale, err := e.tx.SaleByOrder(e.ctx, q.OrderNo)
	if err != nil {
		return err
	}
	sale.State = store.SalePaid
	return e.tx.UpdateSale(e.ctx, sale)
}

// saleRefused puts the offer back on the market.
func saleRefused(e *effect, q ips.RegisterDebtTransferRequest) error {
	if _, err := e.tx.LockLoan(e.ctx, q.BidNo); err != nil {
		return err
	}
	sale, err := e.tx.SaleByOrder(e.ctx, q.OrderNo)
	if err != nil || sale.State != store.SaleOffered {
		return err
	}
	sale.BuyerID, sale.OrderNo = "", ""
	return e.tx.UpdateSale(e.ctx, sale)
}

func assumeSale(q ips.RegisterDebtTransferRequest) *ips.RegisterDebtTransferResponse {
	return &ips.RegisterDebtTransferResponse{
		BidNo: q.BidNo, CreditorOrderNo: q.CreditorOrderNo, ToAccount: q.ToAccount, FaceAmount: q.FaceAmount, Price: q.Price,
	}
}

// 4.7 自动投标签约, 4.8 自动还款签约

func sayAutoBidContract(c *claims, _ ips.SignAutoBidRequest, r *ips.SignAutoBidResponse) {
	c.must("contract", r.AuthNo)
}

// autoBidSigned takes the rules from the answer: the investor may have changed
// them on the page of IPS.
func autoBidSigned(e *effect, q ips.SignAutoBidRequest, r *ips.SignAutoBidResponse) error {
	return e.tx.AddContract(e.ctx, store.Contract{
		AuthNo: r.AuthNo, UserID: e.order.UserID, Kind: store.AutoBid, ValidUntil: r.ValidUntil.String(),
		AmountFrom: r.AmountFrom, AmountTo: r.AmountTo, RateFrom: r.RateFrom, RateTo: r.RateTo, SignedAt: e.now,
	})
}

func sayAutoRepayContract(c *claims, _ ips.SignAutoRepayRequest, r *ips.SignAutoRepayResponse) {
	c.must("contract", r.AuthNo)
}

func autoRepaySigned(e *effect, _ ips.SignAutoRepayRequest, r *ips.SignAutoRepayResponse) error {
	return e.tx.AddContract(e.ctx, store.Contract{AuthNo: r.AuthNo, UserID: e.order.UserID, Kind: store.AutoRepay, SignedAt: e.now})
}

// 4.10 转账

func sayTransfer(c *claims, q ips.TransferRequest, r *ips.TransferResponse) {
	c.text("bid", q.BidNo, r.BidNo)
	c.text("type", string(q.Type), string(r.Type))
	var asked []string
	for _, row := range q.Rows {
		asked = append(asked, rowKey(row.OriginalOrderNo, row.FromAccount, row.ToAccount, row.Amount))
	}
	c.rows(asked, transferRows(r))
}

func rowKey(origin, from, to string, amount ips.Amount) string {
	return origin + " " + from + " " + to + " " + amount.String()
}

func transferRows(r *ips.TransferResponse) map[string][]ips.RowStatus {
	said := make(map[string][]ips.RowStatus)
	for _, row := range r.Rows {
		key := rowKey(row.OriginalOrderNo, row.FromAccount, row.ToAccount, row.Amount)
		said[key] = append(said[key], row.Status)
	}
	return said
}

// transferred carries out the rows that IPS has carried out.
func transferred(e *effect, q ips.TransferRequest, r *ips.TransferResponse) error {
	loan, err := e.tx.LockLoan(e.ctx, q.BidNo)
	if err != nil {
		return err
	}
	said := transferRows(r)
	done := 0
	for _, row := range q.Rows {
		if said[rowKey(row.OriginalOrderNo, row.FromAccount, row.ToAccount, row.Amount)][0] != ips.RowDone {
			continue
		}
		done++
		switch q.Type {
		case ips.TransferInvestment:
			err = e.invested(&loan, q, row)
		case ips.TransferCompensation:
			err = e.compensated(q, row)
		case ips.TransferCompensationRepayment:
			err = e.reimbursed(row)
		case ips.TransferDebt:
			err = e.sold(row)
		case ips.TransferGuaranteeProfit:
			err = e.profited(row)
		}
		if err != nil {
			return err
		}
	}
	if q.Type == ips.TransferInvestment && done > 0 {
		loan.State = store.LoanRunning
	}
	return e.tx.UpdateLoan(e.ctx, loan)
}

// transferRefused withdraws a sale that cannot be carried out. The buyer's
// money stays frozen until the bid ends; somebody must look at it.
func transferRefused(e *effect, q ips.TransferRequest) error {
	if q.Type != ips.TransferDebt {
		return nil
	}
	if _, err := e.tx.LockLoan(e.ctx, q.BidNo); err != nil {
		return err
	}
	sale, err := e.tx.SaleByOrder(e.ctx, q.Rows[0].OriginalOrderNo)
	if err != nil {
		return err
	}
	sale.State = store.SaleWithdrawn
	return e.tx.UpdateSale(e.ctx, sale)
}

// invested is a bid whose money the borrower has got (放款). From here on the
// share has a plan of repayment.
func (e *effect) invested(loan *store.Loan, q ips.TransferRequest, row ips.TransferRow) error {
	share, err := e.shareOf(row.OriginalOrderNo, row.FromAccount)
	switch {
	case err != nil:
		return err
	case share.State != store.ShareFrozen:
		return contradicts("the money of claim %s was released before", share.Claim)
	}
	err = errors.Join(
		e.move(row.FromAccount, share.Fee-row.FromFee, -share.Principal-share.Fee, "放款"),
		e.move(row.ToAccount, row.Amount-row.ToFee, 0, "放款到账"),
		e.fee(row.FromFee+row.ToFee, "放款手续费"),
	)
	if err != nil {
		return err
	}
	loan.FeeTaken += row.ToFee
	share.State, share.Fee = store.ShareReleased, 0
	if err := e.tx.UpdateShare(e.ctx, share); err != nil {
		return err
	}
	for _, due := range plan(share.Principal, loan.Rate, loan.Months, loan.RepayMode, q.Date) {
		due.ShareID, due.State = share.ID, store.DueOpen
		if err := e.tx.PutDue(e.ctx, due); err != nil {
			return err
		}
	}
	return nil
}

func (e *effect) shareOf(claim, account string) (store.Share, error) {
	holder, err := e.tx.UserByAccount(e.ctx, account)
	if err != nil {
		return store.Share{}, err
	}
	return e.tx.ShareOf(e.ctx, claim, holder.ID)
}

// pay marks an instalment of a share as paid.
func (e *effect) pay(share store.Share, period int, state store.DueState) error {
	dues, err := e.tx.Dues(e.ctx, share.ID)
	if err != nil {
		return err
	}
	for _, due := range dues {
		if due.Period != period || due.State != store.DueOpen {
			continue
		}
		due.State = state
		share.Principal -= due.Principal
		return errors.Join(e.tx.PutDue(e.ctx, due), e.tx.UpdateShare(e.ctx, share))
	}
	return contradicts("period %d of claim %s was not due", period, share.Claim)
}

// compensated is an instalment that the guarantor has paid (代偿). IPS takes it
// from his margin first (our assumption: the contract is silent).
func (e *effect) compensated(q ips.TransferRequest, row ips.TransferRow) error {
	share, err := e.shareOf(row.OriginalOrderNo, row.ToAccount)
	if err != nil {
		return err
	}
	period, err := strconv.Atoi(q.Memo1)
	if err != nil {
		return errors.New("a compensation without its period")
	}
	if err := e.pay(share, period, store.DueCompensated); err != nil {
		return err
	}
	g, err := e.guaranteeOf(q.BidNo, row.FromAccount)
	if err != nil {
		return err
	}
	fromMargin := min(g.MarginLeft, row.Amount)
	g.MarginLeft -= fromMargin
	g.Compensated += row.Amount
	if err := e.tx.UpdateGuarantee(e.ctx, g); err != nil {
		return err
	}
	return errors.Join(
		e.move(row.FromAccount, fromMargin-row.Amount, -fromMargin, "代偿"),
		e.move(row.ToAccount, row.Amount, 0, "代偿到账"),
		e.owe(g, row.Amount),
	)
}

// owe notes what the borrower owes to the guarantor by this order.
func (e *effect) owe(g store.Guarantee, amount ips.Amount) error {
	c, err := e.tx.Compensation(e.ctx, e.order.OrderNo)
	if errors.Is(err, store.ErrNotFound) {
		return e.tx.AddCompensation(e.ctx, store.Compensation{OrderNo: e.order.OrderNo, Guarantee: g.OrderNo, BidNo: g.BidNo, Amount: amount})
	}
	if err != nil {
		return err
	}
	return e.tx.RaiseCompensation(e.ctx, c.OrderNo, amount)
}

// reimbursed is a compensation that the borrower has paid back (代偿还款).
func (e *effect) reimbursed(row ips.TransferRow) error {
	c, err := e.tx.Compensation(e.ctx, row.OriginalOrderNo)
	if err != nil {
		return err
	}
	c.Repaid += row.Amount
	return errors.Join(
		e.tx.UpdateCompensation(e.ctx, c),
		e.move(row.FromAccount, -row.Amount, 0, "代偿还款"),
		e.move(row.ToAccount, row.Amount, 0, "代偿还款到账"),
	)
}

// profited is the profit of a guarantee that was settled (结算担保收益).
func (e *effect) profited(row ips.TransferRow) error {
	g, err := e.tx.Guarantee(e.ctx, row.OriginalOrderNo)
	if err != nil {
		return err
	}
	g.ProfitPaid += row.Amount
	return errors.Join(
		e.tx.UpdateGuarantee(e.ctx, g),
		e.move(row.FromAccount, -row.Amount, 0, "支付担保收益"),
		e.move(row.ToAccount, row.Amount, 0, "担保收益"),
	)
}

// sold is a sale whose money has moved (债权转让): the share, or the part of it,
// goes over with its part of every open instalment.
func (e *effect) sold(row ips.TransferRow) error {
	sale, err := e.tx.SaleByOrder(e.ctx, row.OriginalOrderNo)
	if err != nil {
		return err
	}
	sale.State = store.SaleDone
	if err := e.tx.UpdateSale(e.ctx, sale); err != nil {
		return err
	}
	err = errors.Join(
		e.move(row.FromAccount, 0, -row.Amount-row.FromFee, "受让债权"),
		e.move(row.ToAccount, row.Amount-row.ToFee, 0, "转让债权"),
		e.fee(row.FromFee+row.ToFee, "债权转让手续费"),
	)
	if err != nil {
		return err
	}
	return e.handOver(sale)
}

func (e *effect) handOver(sale store.Sale) error {
	from, err := e.tx.Share(e.ctx, sale.ShareID)
	if err != nil {
		return err
	}
	to, err := e.tx.ShareOf(e.ctx, from.Claim, sale.BuyerID)
	if errors.Is(err, store.ErrNotFound) {
		to = store.Share{
			ID: store.NewID(), Claim: from.Claim, ContractNo: from.ContractNo, BidNo: from.BidNo, HolderID: sale.BuyerID,
			State: store.ShareReleased,
		}
		err = e.tx.AddShare(e.ctx, to)
	}
	if err != nil {
		return err
	}
	mine, err := e.tx.Dues(e.ctx, from.ID)
	if err != nil {
		return err
	}
	theirs, err := e.tx.Dues(e.ctx, to.ID)
	if err != nil {
		return err
	}
	part := min(sale.Face, from.Principal)
	for _, cut := range split(mine, from.Principal, part) {
		if err := e.moveDue(cut, to.ID, theirs); err != nil {
			return err
		}
	}
	from.Principal -= part
	to.Principal += part
	to.State = store.ShareReleased
	if from.Principal == 0 {
		from.State = store.ShareEnded
	}
	return errors.Join(e.tx.UpdateShare(e.ctx, from), e.tx.UpdateShare(e.ctx, to))
}

// moveDue puts both halves of an instalment where they belong now.
func (e *effect) moveDue(cut halves, toShare string, theirs []store.Due) error {
	if cut.kept.Total() == 0 {
		if err := e.tx.DropDue(e.ctx, cut.kept.ShareID, cut.kept.Period); err != nil {
			return err
		}
	} else if err := e.tx.PutDue(e.ctx, cut.kept); err != nil {
		return err
	}
	gone := cut.gone
	gone.ShareID = toShare
	for _, due := range theirs { // he may hold a part of the same claim already
		if due.Period == gone.Period {
			gone.Principal += due.Principal
			gone.Interest += due.Interest
		}
	}
	return e.tx.PutDue(e.ctx, gone)
}

// 4.11 还款

func sayRepayment(c *claims, q ips.RepayRequest, r *ips.RepayResponse) {
	c.repayment(q.BidNo, q.Rows, r)
}

func sayAutoRepayment(c *claims, q ips.AutoRepayRequest, r *ips.RepayResponse) {
	c.repayment(q.BidNo, q.Rows, r)
}

func (c *claims) repayment(bidNo string, rows []ips.RepayRow, r *ips.RepayResponse) {
	c.text("bid", bidNo, r.BidNo)
	var asked []string
	for _, row := range rows {
		asked = append(asked, row.CreditorOrderNo+" "+row.Account)
	}
	c.rows(asked, repayRows(r))
}

func repayRows(r *ips.RepayResponse) map[string][]ips.RowStatus {
	said := make(map[string][]ips.RowStatus)
	for _, row := range r.Rows {
		key := row.CreditorOrderNo + " " + row.Account
		said[key] = append(said[key], row.Status)
	}
	return said
}

func repaid(e *effect, q ips.RepayRequest, r *ips.RepayResponse) error {
	return e.repaid(q.BidNo, q.Account, q.Memo1, q.Rows, r)
}

func autoRepaid(e *effect, q ips.AutoRepayRequest, r *ips.RepayResponse) error {
	return e.repaid(q.BidNo, q.Account, q.Memo1, q.Rows, r)
}

func (e *effect) repaid(bidNo, from, memo string, rows []ips.RepayRow, r *ips.RepayResponse) error {
	if _, err := e.tx.LockLoan(e.ctx, bidNo); err != nil {
		return err
	}
	period, err := strconv.Atoi(memo)
	if err != nil {
		return errors.New("a repayment without its period")
	}
	said := repayRows(r)
	for _, row := range rows {
		if said[row.CreditorOrderNo+" "+row.Account][0] != ips.RowDone {
			continue
		}
		share, err := e.shareOf(row.CreditorOrderNo, row.Account)
		if err != nil {
			return err
		}
		err = errors.Join(
			e.pay(share, period, store.DueRepaid),
			e.move(from, -row.Amount-row.BorrowerFee, 0, "还款"),
			e.move(row.Account, row.Amount-row.Fee, 0, "收到还款"),
			e.fee(row.Fee+row.BorrowerFee, "还款手续费"),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

func assumeRepayment(q ips.RepayRequest) *ips.RepayResponse {
	r := &ips.RepayResponse{BidNo: q.BidNo}
	for _, row := range q.Rows {
		r.Rows = append(r.Rows, ips.RepayRowResult{CreditorOrderNo: row.CreditorOrderNo, Account: row.Account, Status: ips.RowDone})
	}
	return r
}
