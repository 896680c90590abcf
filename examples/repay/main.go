// Repay has a borrower pay his creditors back, and ends the bid when nothing is
// owed any more:
//
//	7 借款人还款  4.11 还款, 手动还款
//	  标的结束    4.3 标的登记, 操作类型"结束"
//
// The automatic repayment is in examples/contracts, after the contract that it
// needs.
//
//	go run ./examples/repay      # on a sandbox of its own
//	go run ./examples/repay -h   # and elsewhere
//
// It prints what each creditor gets, the end of the bid, and what everybody has
// then.
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
		case *ips.RepayResponse:
			if a.Outcome != ips.Success {
				out.Printf("repayment %s: %s, %s %s", a.OrderNo, a.Outcome, a.Code, a.Message)
				return nil
			}
			for _, row := range a.Rows { // a repayment can succeed in part
				if row.Status != ips.RowDone {
					out.Printf("claim %s: not repaid, %s", row.CreditorOrderNo, row.Message)
					continue
				}
				out.Printf("claim %s: repaid", row.CreditorOrderNo)
			}
		case *ips.BidResponse:
			if a.Operation == ips.OpEndBid && a.Outcome != ips.Pending {
				out.Printf("bid %s: %s, %s", a.BidNo, a.Status, a.Message)
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

	// Principal and a month's interest, 1 %. The platform takes a tenth of the
	// interest from the creditor and 1.00 per row from the borrower.
	var rows []ips.RepayRow
	for _, claim := range []demo.Claim{loan.LiSi, loan.WangWu} {
		interest := claim.Amount / 100
		rows = append(rows, ips.RepayRow{
			CreditorOrderNo: claim.OrderNo,
			Account:         claim.Investor.Account, // after a debt transfer the new holder's
			Fee:             interest / 10,
			BorrowerFee:     1 * ips.Yuan,
			Amount:          claim.Amount + interest,
		})
	}
	amount, fee := ips.RepayTotals(rows)
	form, err := m.Client.Repay(demo.Recorded(m.Orders, ips.RepayRequest{
		BidNo:   loan.Bid.BidNo,
		Date:    ips.Today(),
		OrderNo: ips.NewOrderNo("RP"),
		Account: loan.ZhangSan.Account,
		Amount:  amount,
		Fee:     fee,
		Rows:    rows,
	}))
	if err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}

	// The end repeats the registration, but for the day. It gives the borrower his margin back.
	end := loan.Bid.End(ips.Today())
	if _, err := m.Client.EndBid(ctx, demo.Recorded(m.Orders, end)); err != nil && !errors.Is(err, ips.ErrFateUnknown) {
		return err
	}
	if err := m.Wait(ctx, ips.OpEndBid, end.OrderNo); err != nil {
		return err
	}

	for _, p := range []demo.Person{loan.ZhangSan, loan.LiSi.Investor, loan.WangWu.Investor} {
		balance, err := m.Client.QueryBalance(ctx, p.Account)
		if err != nil {
			return err
		}
		out.Printf("%s has %s available, %s frozen", p.Name, balance.Available, balance.Frozen)
	}
	return nil
}
