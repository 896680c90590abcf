// Compensate has a guarantor pay for a borrower who cannot, and the borrower pay
// him back:
//
//	3 担保方对标的担保      4.5 登记担保方, 有保证金担保
//	8 担保方代偿            4.10 转账 类型"代偿"
//	9 借款人针对代偿的还款  4.10 转账 类型"代偿还款"
//	  结算担保收益          4.10 转账 类型"结算担保收益"
//
//	go run ./examples/compensate      # on a sandbox of its own
//	go run ./examples/compensate -h   # and elsewhere
//
// It prints each step, and what the guarantor has in the end: of 5,000.00 and
// 50.00 profit 900.00 are still margin.
package main

import (
	"context"
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
		case *ips.RegisterGuarantorResponse:
			out.Printf("guarantee: %s, margin frozen %s", a.Outcome, a.FrozenMargin)
		// All transfers of a platform come here, whatever they are for.
		case *ips.TransferResponse:
			if a.Outcome != ips.Success {
				out.Printf("%s: %s, %s %s", a.Type, a.Outcome, a.Code, a.Message)
				return nil
			}
			for _, row := range a.Rows { // a batch can succeed in part
				if row.Status != ips.RowDone {
					out.Printf("%s of %s: not paid, %s", a.Type, row.Amount, row.Message)
					continue
				}
				out.Printf("%s of %s: paid", a.Type, row.Amount)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer m.Close()
	loan, err := m.Loan(ctx)
	if err != nil {
		return err
	}
	guarantor, err := m.Person(ctx, "赵六", 5000*ips.Yuan)
	if err != nil {
		return err
	}

	// 3: without Margin it is 无保证金担保.
	guarantee := ips.RegisterGuarantorRequest{
		OrderNo:     ips.NewOrderNo("GU"),
		Date:        ips.Today(),
		BidNo:       loan.Bid.BidNo,
		Amount:      10000 * ips.Yuan,
		Margin:      1000 * ips.Yuan,
		Profit:      50 * ips.Yuan,
		IdentNo:     guarantor.IdentNo,
		AccountName: guarantor.Name,
		Account:     guarantor.Account,
	}
	form, err := m.Client.RegisterGuarantor(demo.Recorded(m.Orders, guarantee))
	if err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}

	// 8: one payer, many payees. The rows refer to the claims.
	compensation := ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"),
		BidNo:   loan.Bid.BidNo,
		Date:    ips.Today(),
		Type:    ips.TransferCompensation,
		Mode:    ips.TransferRowByRow,
		Rows: []ips.TransferRow{
			{OriginalOrderNo: loan.LiSi.OrderNo, Amount: 60 * ips.Yuan, FromAccount: guarantor.Account, ToAccount: loan.LiSi.Account},
			{OriginalOrderNo: loan.WangWu.OrderNo, Amount: 40 * ips.Yuan, FromAccount: guarantor.Account, ToAccount: loan.WangWu.Account},
		},
	}
	if err := transfer(ctx, m, compensation); err != nil {
		return err
	}

	// 9 refers to the compensation, 结算担保收益 to the guarantee. Both are one row,
	// from the borrower to the guarantor.
	payBack := compensation
	payBack.OrderNo, payBack.Type = ips.NewOrderNo("TR"), ips.TransferCompensationRepayment
	payBack.Rows = []ips.TransferRow{{
		OriginalOrderNo: compensation.OrderNo, Amount: 100 * ips.Yuan, FromAccount: loan.ZhangSan.Account, ToAccount: guarantor.Account,
	}}
	if err := transfer(ctx, m, payBack); err != nil {
		return err
	}
	profit := payBack
	profit.OrderNo, profit.Type = ips.NewOrderNo("TR"), ips.TransferGuaranteeProfit
	profit.Rows = []ips.TransferRow{{
		OriginalOrderNo: guarantee.OrderNo, Amount: guarantee.Profit, FromAccount: loan.ZhangSan.Account, ToAccount: guarantor.Account,
	}}
	if err := transfer(ctx, m, profit); err != nil {
		return err
	}

	balance, err := m.Client.QueryBalance(ctx, guarantor.Account)
	if err != nil {
		return err
	}
	out.Printf("%s has %s available, %s frozen", guarantor.Name, balance.Available, balance.Frozen)
	return nil
}

// transfer waits for the result where IPS does not answer at once, as it does
// not for compensations.
func transfer(ctx context.Context, m *demo.Merchant, req ips.TransferRequest) error {
	resp, err := m.Client.Transfer(ctx, demo.Recorded(m.Orders, req))
	switch {
	case err != nil:
		return err
	case resp.Outcome == ips.Pending:
		return m.Wait(ctx, ips.OpTransfer, req.OrderNo)
	}
	return demo.FailedRows(resp)
}
