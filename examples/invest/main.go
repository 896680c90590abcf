// Invest registers bids for loans, has investors bid on them and pays the money
// out to the borrower, in both ways of the usage guide:
//
//	2 平台发布借款标           4.3 标的登记
//	4 投资人投标(一次性放款)   4.4 登记债权人, then 4.10 转账 类型"投资" once the bid is full
//	5 投资人投标(随投随放)     the same, paid out early and again
//
//	go run ./examples/invest      # on a sandbox of its own
//	go run ./examples/invest -h   # and elsewhere
//
// It prints what the callbacks hear: bids that raise funds, money that is frozen
// and money that is paid out; and what the borrower has in the end.
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
	m, err := demo.Start(getenv, out, orders, hear(orders, out))
	if err != nil {
		return err
	}
	defer m.Close()
	zhang, err1 := m.Person(ctx, "张三", 0)
	li, err2 := m.Person(ctx, "李四", 10000*ips.Yuan)
	wang, err3 := m.Person(ctx, "王五", 10000*ips.Yuan)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}

	// 4: two investors fill the bid, and all of it is paid out in one batch.
	car, err := registerBid(ctx, m, zhang, "购车", 10000*ips.Yuan)
	if err != nil {
		return err
	}
	first, err := invest(ctx, m, car, li, 6000*ips.Yuan)
	if err != nil {
		return err
	}
	second, err := invest(ctx, m, car, wang, 4000*ips.Yuan)
	if err != nil {
		return err
	}
	if err := release(ctx, m, car, first, second); err != nil {
		return err
	}

	// 5: what comes in is paid out at once, while the bid goes on raising funds.
	shop, err := registerBid(ctx, m, zhang, "开店", 5000*ips.Yuan)
	if err != nil {
		return err
	}
	for _, investor := range []demo.Person{li, wang} {
		claim, err := invest(ctx, m, shop, investor, 1000*ips.Yuan)
		if err != nil {
			return err
		}
		if err := release(ctx, m, shop, claim); err != nil {
			return err
		}
	}

	balance, err := m.Client.QueryBalance(ctx, zhang.Account)
	if err != nil {
		return err
	}
	out.Printf("%s has %s available", zhang.Name, balance.Available)
	return nil
}

// registerBid comes back when the borrower has agreed by text message. The
// request is kept: the end of the bid repeats it.
func registerBid(ctx context.Context, m *demo.Merchant, borrower demo.Person, purpose string, amount ips.Amount) (ips.RegisterBidRequest, error) {
	bid := ips.RegisterBidRequest{
		OrderNo:   ips.NewOrderNo("BD"),
		BidNo:     ips.NewOrderNo("BID"),
		Date:      ips.Today(),
		Amount:    amount,
		Rate:      12 * ips.Percent,
		TermUnit:  ips.TermMonths,
		Term:      12,
		Purpose:   purpose,
		RepayMode: ips.RepayInterestFirst,
		Fee:       amount / 100, // in all; release takes it
		IdentNo:   borrower.IdentNo,
		RealName:  borrower.Name,
		Account:   borrower.Account,
	}
	form, err := m.Client.RegisterBid(demo.Recorded(m.Orders, bid))
	if err != nil {
		return bid, err
	}
	return bid, m.Visit(ctx, form)
}

// invest comes back when the investor has confirmed and amount and fee are
// frozen. The request is kept: its order number stands for the claim.
func invest(ctx context.Context, m *demo.Merchant, bid ips.RegisterBidRequest, investor demo.Person, amount ips.Amount) (ips.RegisterCreditorRequest, error) {
	claim := ips.RegisterCreditorRequest{
		OrderNo:    ips.NewOrderNo("CR"),
		Date:       ips.Today(),
		BidNo:      bid.BidNo,
		ContractNo: ips.NewOrderNo("CT"),
		Amount:     amount,
		Fee:        amount / 1000,
		IdentNo:    investor.IdentNo,
		RealName:   investor.Name,
		Account:    investor.Account,
		Purpose:    bid.Purpose,
	}
	form, err := m.Client.RegisterCreditor(demo.Recorded(m.Orders, claim))
	if err != nil {
		return claim, err
	}
	return claim, m.Visit(ctx, form)
}

// release pays claims out to the borrower.
func release(ctx context.Context, m *demo.Merchant, bid ips.RegisterBidRequest, claims ...ips.RegisterCreditorRequest) error {
	batch := ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"),
		BidNo:   bid.BidNo,
		Date:    ips.Today(),
		Type:    ips.TransferInvestment,
		Mode:    ips.TransferRowByRow,
	}
	for _, claim := range claims {
		batch.Rows = append(batch.Rows, ips.TransferRow{
			OriginalOrderNo: claim.OrderNo,
			Amount:          claim.Amount,
			FromAccount:     claim.Account,
			FromFee:         claim.Fee,
			ToAccount:       bid.Account,
			ToFee:           claim.Amount / 100,
		})
	}
	_, err := m.Client.Transfer(ctx, demo.Recorded(m.Orders, batch))
	if err != nil && !errors.Is(err, ips.ErrFateUnknown) {
		return err // refused, or never sent: nothing was done
	}
	// Accepted, or sent and not answered. Either way the notification decides,
	// and the money must not be sent again under another number.
	return m.Wait(ctx, ips.OpTransfer, batch.OrderNo)
}

// callbacks are where a platform updates its database.
func hear(orders *demo.Orders, out *log.Logger) ips.Handler {
	return func(_ context.Context, answer ips.Response) error {
		// Known, as ordered, and news? The answer to a bid that the browser brings is
		// pending; the notification, which tells of the borrower's yes, may come
		// before it.
		if news, err := orders.Hear(answer); err != nil || !news {
			return err
		}
		switch a := answer.(type) {
		case *ips.BidResponse:
			out.Printf("bid for %s: %s, %s", a.Purpose, a.Outcome, a.Message)
		case *ips.CreditorResponse:
			out.Printf("claim %s: %s, %s frozen", a.OrderNo, a.Outcome, a.Frozen)
		case *ips.TransferResponse:
			if a.Outcome != ips.Success {
				out.Printf("batch %s: %s, %s %s", a.OrderNo, a.Outcome, a.Code, a.Message)
				break
			}
			for _, row := range a.Rows { // a batch can succeed in part
				if row.Status != ips.RowDone {
					out.Printf("claim %s: not paid out, %s", row.OriginalOrderNo, row.Message)
					continue
				}
				out.Printf("claim %s: %s paid out", row.OriginalOrderNo, row.Amount)
			}
		}
		return nil
	}
}
