// Contracts signs contracts under which the platform acts for its users, and
// acts under them:
//
//	16 投资人设置自动投标  4.7 自动投标签约, then 4.4 登记债权人, 自动投标
//	17 借款人设置自动还款  4.8 自动还款签约, then 4.11 还款, 自动还款
//
//	go run ./examples/contracts      # on a sandbox of its own
//	go run ./examples/contracts -h   # and elsewhere
//
// It prints the contracts, the automatic bid and the automatic repayment.
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
	// What a platform keeps of the contracts with its users.
	var bidAuth, repayAuth string
	orders := new(demo.Orders)
	m, err := demo.Start(getenv, out, orders, func(_ context.Context, answer ips.Response) error {
		// Known, as ordered, and news? A platform asks in the transaction that also
		// books what the answer means.
		if news, err := orders.Hear(answer); err != nil || !news {
			return err
		}
		switch a := answer.(type) {
		case *ips.SignAutoBidResponse:
			if a.Outcome == ips.Success {
				bidAuth = a.AuthNo
				// The investor may have changed the rules on the page of IPS.
				out.Printf("auto-bid contract until %s: loans of %s to %s at %s %% to %s %%",
					a.ValidUntil, a.AmountFrom, a.AmountTo, a.RateFrom, a.RateTo)
			}
		case *ips.SignAutoRepayResponse:
			if a.Outcome == ips.Success {
				repayAuth = a.AuthNo
				out.Printf("auto-repay contract of %s", a.RealName)
			}
		case *ips.RepayResponse:
			if a.Outcome != ips.Success {
				out.Printf("automatic repayment: %s, %s %s", a.Outcome, a.Code, a.Message)
				return nil
			}
			for _, row := range a.Rows { // a repayment can succeed in part
				if row.Status != ips.RowDone {
					out.Printf("claim %s: not repaid, %s", row.CreditorOrderNo, row.Message)
					continue
				}
				out.Printf("claim %s: repaid", row.CreditorOrderNo)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer m.Close()
	zhang, err1 := m.Person(ctx, "张三", 1000*ips.Yuan)
	wang, err2 := m.Person(ctx, "王五", 4000*ips.Yuan)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	bid, err := m.Bid(ctx, zhang, 10000*ips.Yuan) // 12 months at 12 %
	if err != nil {
		return err
	}

	// 16: within these rules the platform may bid for him.
	form, err := m.Client.SignAutoBid(demo.Recorded(m.Orders, ips.SignAutoBidRequest{
		OrderNo:    ips.NewOrderNo("AB"),
		Date:       ips.Today(),
		IdentNo:    wang.IdentNo,
		RealName:   wang.Name,
		Account:    wang.Account,
		ValidUnit:  ips.PeriodMonths,
		Valid:      3,
		TermUnit:   ips.PeriodMonths,
		TermFrom:   1,
		TermTo:     12,
		AmountFrom: 1000 * ips.Yuan,
		AmountTo:   10000 * ips.Yuan,
		RateFrom:   8 * ips.Percent,
		RateTo:     15 * ips.Percent,
	}))
	if err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}
	claim := ips.AutoBidRequest{
		OrderNo:    ips.NewOrderNo("CR"),
		Date:       ips.Today(),
		BidNo:      bid.BidNo,
		ContractNo: ips.NewOrderNo("CT"),
		AuthNo:     bidAuth,
		Amount:     3000 * ips.Yuan,
		IdentNo:    wang.IdentNo,
		RealName:   wang.Name,
		Account:    wang.Account,
		Purpose:    bid.Purpose,
	}
	// No page is shown: the platform's server sends it and gets the answer.
	placed, err := m.Client.AutoBid(ctx, demo.Recorded(m.Orders, claim))
	if err != nil {
		return err
	}
	out.Printf("automatic bid: %s, %s frozen", placed.Outcome, placed.Frozen)
	if err := m.Release(ctx, bid, claim.OrderNo, claim.Account, claim.Amount); err != nil {
		return err
	}

	// 17: valid until it is revoked.
	form, err = m.Client.SignAutoRepay(demo.Recorded(m.Orders, ips.SignAutoRepayRequest{
		OrderNo:   ips.NewOrderNo("AR"),
		Date:      ips.Today(),
		IdentNo:   zhang.IdentNo,
		RealName:  zhang.Name,
		Account:   zhang.Account,
		ValidUnit: ips.PeriodUnlimited,
	}))
	if err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}
	rows := []ips.RepayRow{{CreditorOrderNo: claim.OrderNo, Account: wang.Account, Amount: 3030 * ips.Yuan}}
	amount, fee := ips.RepayTotals(rows)
	repayment := ips.AutoRepayRequest{
		BidNo:   bid.BidNo,
		Date:    ips.Today(),
		OrderNo: ips.NewOrderNo("RP"),
		AuthNo:  repayAuth,
		Account: zhang.Account,
		Amount:  amount,
		Fee:     fee,
		Rows:    rows,
	}
	if _, err := m.Client.AutoRepay(ctx, demo.Recorded(m.Orders, repayment)); err != nil && !errors.Is(err, ips.ErrFateUnknown) {
		return err
	}
	// Accepted, or sent and not answered: the notification decides.
	return m.Wait(ctx, ips.OpAutoRepay, repayment.OrderNo)
}
