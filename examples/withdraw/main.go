// Withdraw takes money out of a user's custody account to his bank card:
//
//	13 托管账户提现  4.14 提现
//
// The amount is what reaches the card; fees come on top of it.
//
//	go run ./examples/withdraw      # on a sandbox of its own
//	go run ./examples/withdraw -h   # and elsewhere
//
// It prints a refusal, since the user first asks for more than he has, then a
// withdrawal of 800.00 for a fee of 2.00 and what is left of 1000.00.
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
		case *ips.WithdrawResponse:
			switch a.Outcome {
			case ips.Success:
				out.Printf("order %s: %s went to the card of %s", a.OrderNo, a.Amount, a.RealName)
			case ips.Pending:
				// The bank takes its time. The final answer follows, or has
				// come already.
			default:
				// A platform makes the amount available to the user again.
				out.Printf("order %s: refused, %s %s", a.OrderNo, a.Code, a.Message)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer m.Close()
	user, err := m.Person(ctx, "李四", 1000*ips.Yuan)
	if err != nil {
		return err
	}

	// 1,000 and a fee of 2 are more than he has. A platform knows that from its
	// own books; IPS knows it in any case.
	var refusal *ips.Error
	switch err := withdraw(ctx, m, user, 1000*ips.Yuan); {
	case errors.As(err, &refusal):
		out.Printf("the user is told: %s", refusal.Message)
	case err != nil:
		return err
	default:
		return errors.New("IPS paid out more than there was")
	}

	if err := withdraw(ctx, m, user, 800*ips.Yuan); err != nil {
		return err
	}
	balance, err := m.Client.QueryBalance(ctx, user.Account)
	if err != nil {
		return err
	}
	out.Printf("%s has %s available", user.Name, balance.Available)
	return nil
}

// withdraw is one order, with a number of its own: after a refusal the number is
// used up.
func withdraw(ctx context.Context, m *demo.Merchant, user demo.Person, amount ips.Amount) error {
	form, err := m.Client.Withdraw(demo.Recorded(m.Orders, ips.WithdrawRequest{
		OrderNo:  ips.NewOrderNo("WD"),
		IdentNo:  user.IdentNo,
		RealName: user.Name,
		Account:  user.Account,
		Date:     ips.Today(),
		Amount:   amount,
		Fee:      2 * ips.Yuan,
		FeePayer: ips.PlatformPaysFee,
	}))
	if err != nil {
		return err
	}
	return m.Visit(ctx, form)
}
