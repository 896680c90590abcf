// Debttransfer sells an investor's claim to a third person:
//
//	6 个人债权转让  4.6 登记债权转让, then 4.10 转账 类型"债权转让"
//
// 李四 is owed 6,000.00 and sells a claim of 2,000.00 of it (部分转让) to 赵六 for
// 1,900.00.
//
//	go run ./examples/debttransfer      # on a sandbox of its own
//	go run ./examples/debttransfer -h   # and elsewhere
//
// It prints the sale, and what both have after it.
package main

import (
	"context"
	"errors"
	"log"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/internal/demo"
)

func main() { demo.Main(run) }

func run(ctx context.Context, getenv func(string) string, out *log.Logger) error {
	orders := new(demo.Orders)
	m, err := demo.Start(getenv, out, orders, func(_ context.Context, answer ips.Response) error {
		// Known, as ordered, and news? A platform asks in the transaction that also
		// books what the answer means.
		if news, err := orders.Hear(answer); err != nil || !news {
			return err
		}
		switch a := answer.(type) {
		case *ips.RegisterDebtTransferResponse:
			if a.Outcome != ips.Success {
				out.Printf("sale %s: %s, %s %s", a.OrderNo, a.Outcome, a.Code, a.Message)
				return nil
			}
			out.Printf("sale of %s for %s: confirmed, the buyer's money is frozen", a.FaceAmount, a.Price)
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer m.Close()
	// Only claims that were paid out can be sold.
	loan, err := m.Loan(ctx)
	if err != nil {
		return err
	}
	claim, seller := loan.LiSi, loan.LiSi.Investor
	buyer, err := m.Person(ctx, "赵六", 3000*ips.Yuan)
	if err != nil {
		return err
	}

	// The buyer confirms amount and share on the page of IPS.
	sale := ips.RegisterDebtTransferRequest{
		OrderNo:         ips.NewOrderNo("DT"),
		Date:            ips.Today(),
		BidNo:           claim.BidNo,
		ContractNo:      claim.ContractNo,
		FromName:        seller.Name,
		FromAccount:     seller.Account,
		FromIdentNo:     seller.IdentNo,
		ToName:          buyer.Name,
		ToAccount:       buyer.Account,
		ToIdentNo:       buyer.IdentNo,
		CreditorOrderNo: claim.OrderNo,
		FaceAmount:      2000 * ips.Yuan,
		Price:           1900 * ips.Yuan, // 70 % to 130 % of the face value
		FromFee:         10 * ips.Yuan,
		ToFee:           5 * ips.Yuan,
		Kind:            ips.TransferPartClaim,
	}
	form, err := m.Client.RegisterDebtTransfer(demo.Recorded(m.Orders, sale))
	if err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}

	// The transfer moves his money to the seller, and the claim to him. The
	// payer is the buyer: From and To are the other way round than in the sale.
	payment := ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"),
		BidNo:   sale.BidNo,
		Date:    ips.Today(),
		Type:    ips.TransferDebt,
		Mode:    ips.TransferRowByRow,
		Rows: []ips.TransferRow{{
			OriginalOrderNo: sale.OrderNo,
			Amount:          sale.Price,
			FromAccount:     buyer.Account,
			FromFee:         sale.ToFee,
			ToAccount:       seller.Account,
			ToFee:           sale.FromFee,
		}},
	}
	paid, err := m.Client.Transfer(ctx, demo.Recorded(m.Orders, payment))
	switch {
	case errors.Is(err, ips.ErrFateUnknown), err == nil && paid.Outcome == ips.Pending:
		err = m.Wait(ctx, ips.OpTransfer, payment.OrderNo)
	case err == nil: // IPS answers this type at once
		err = demo.FailedRows(paid)
	}
	if err != nil {
		return err
	}
	out.Printf("sale paid: from now on this part of the claim is repaid to %s", buyer.Name)

	for _, p := range []demo.Person{seller, buyer} {
		balance, err := m.Client.QueryBalance(ctx, p.Account)
		if err != nil {
			return err
		}
		out.Printf("%s has %s available, %s frozen", p.Name, balance.Available, balance.Frozen)
	}
	return nil
}
