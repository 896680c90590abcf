package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// completeSales sends the money of sales on its way whose buyers have paid
// (登记债权转让 is done, 转账 is next). It waits while a repayment of the same
// bid is open, which could still pay the seller.
func (o *Orders) completeSales(ctx context.Context, bidNo string) error {
	sales, err := o.store.LoanSales(ctx, bidNo)
	if err != nil {
		return err
	}
	for _, sale := range sales {
		if sale.State != store.SalePaid {
			continue
		}
		buyer, err := o.store.User(ctx, sale.BuyerID)
		if err != nil {
			return err
		}
		order, err := o.Record(ctx, buyer, "sale/"+sale.ID, func(tx *store.Tx) (draft, error) { return o.transferOfSale(ctx, tx, sale.ID) })
		switch {
		case errors.Is(err, errNotNow):
			continue
		case err != nil:
			return err
		}
		o.SendLater(order)
	}
	return nil
}

// errNotNow says that something else must be over first.
var errNotNow = errors.New("not now")

func (o *Orders) transferOfSale(ctx context.Context, tx *store.Tx, saleID string) (draft, error) {
	sale, err := tx.Sale(ctx, saleID)
	if err != nil {
		return draft{}, err
	}
	if _, err := tx.LockLoan(ctx, sale.BidNo); err != nil {
		return draft{}, err
	}
	if sale, err = tx.Sale(ctx, saleID); err != nil { // as it is now that the loan is locked
		return draft{}, err
	}
	busy, err := openOrder(ctx, tx, sale.BidNo, movesClaims)
	switch {
	case err != nil:
		return draft{}, err
	case busy != "" || sale.State != store.SalePaid:
		return draft{}, errNotNow
	}
	registration, err := tx.Order(ctx, store.OrderKey{Operation: ips.OpRegisterDebtTransfer, OrderNo: sale.OrderNo})
	if err != nil {
		return draft{}, err
	}
	q, err := decode[ips.RegisterDebtTransferRequest](registration.Request)
	if err != nil {
		return draft{}, err
	}
	return draft{
		bidNo: sale.BidNo, about: "债权转让 划转 " + q.Price.String() + " 元",
		// The money goes the other way than the claim.
		request: ips.TransferRequest{
			OrderNo: ips.NewOrderNo("TR"), BidNo: q.BidNo, Date: ips.DateOf(o.now()), Type: ips.TransferDebt, NotifyURL: o.notifyURL(ips.OpTransfer),
			Rows: []ips.TransferRow{{
				OriginalOrderNo: q.OrderNo, Amount: q.Price,
				FromAccount: q.ToAccount, FromFee: q.ToFee, ToAccount: q.FromAccount, ToFee: q.FromFee,
			}},
		},
	}, nil
}

// movesClaims picks the open orders that decide who is paid what for a claim.
func movesClaims(o store.Order) bool {
	switch o.Operation {
	case ips.OpRepay, ips.OpAutoRepay, ips.OpTransfer, ips.OpEndBid:
		return true
	}
	return false
}

// openOrder tells what an open order of a bid is about, "" if none is picked.
// Lock the loan first, so that no other one is recorded meanwhile.
func openOrder(ctx context.Context, tx *store.Tx, bidNo string, pick func(store.Order) bool) (about string, err error) {
	orders, err := tx.BidOrders(ctx, bidNo)
	for _, order := range orders {
		if !order.State.Final() && pick(order) {
			return order.About, nil
		}
	}
	return "", err
}

// resumeSales completes the sales that a crash left behind.
func (o *Orders) resumeSales(ctx context.Context) error {
	bids, err := o.store.BidsWithPaidSales(ctx)
	if err != nil {
		return err
	}
	for _, bidNo := range bids {
		if err := o.completeSales(ctx, bidNo); err != nil {
			return fmt.Errorf("bid %s: %w", bidNo, err)
		}
	}
	return nil
}
