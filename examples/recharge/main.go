// Recharge brings money into a user's custody account in the three ways of the
// usage guide:
//
//	10 托管账户充值(网银)               4.9 充值, 网银充值: he pays on his bank's page
//	11 托管账户充值(委托收款-用户发起)  4.9 充值, 代扣充值: he has his card debited
//	12 托管账户充值(委托收款-商户发起)  4.13 自动代扣充值: the platform has it debited
//
// For the last two he has signed a mandate (委托授权书) on paper.
//
//	go run ./examples/recharge      # on a sandbox of its own
//	go run ./examples/recharge -h   # and elsewhere
//
// It prints what the callbacks credit, and the balance at IPS, 3500.00.
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
		case *ips.RechargeResponse:
			credit(out, a.Base(), a.Amount)
		case *ips.WithholdingRechargeResponse:
			credit(out, a.Base(), a.Credited)
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer m.Close()
	user, err := m.Person(ctx, "李四", 0)
	if err != nil {
		return err
	}

	// 10: the user chooses his bank from those that IPS knows.
	banks, err := m.Client.QueryBanks(ctx)
	if err != nil {
		return err
	}
	if len(banks.Banks) == 0 {
		return errors.New("IPS knows no bank to recharge from")
	}
	bank := banks.Banks[0]
	out.Printf("%d banks, the first is %s", len(banks.Banks), bank.Name)
	atBank := ips.RechargeRequest{
		OrderNo:  ips.NewOrderNo("RC"), // kept with the order before anything is sent
		IdentNo:  user.IdentNo,
		RealName: user.Name,
		Account:  user.Account,
		Date:     ips.Today(),
		Amount:   2000 * ips.Yuan,
		Channel:  ips.RechargeEBank,
		BankCode: bank.Code,
		FeePayer: ips.PlatformPaysFee,
	}
	form, err := m.Client.Recharge(demo.Recorded(m.Orders, atBank))
	if err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}

	// 11: no bank is chosen; his card is debited.
	byCard := atBank
	byCard.OrderNo = ips.NewOrderNo("RC")
	byCard.Amount = 1000 * ips.Yuan
	byCard.Channel, byCard.BankCode = ips.RechargeWithholding, ""
	if form, err = m.Client.Recharge(demo.Recorded(m.Orders, byCard)); err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}

	// 12: IPS asks the user by text message, so that the first answer is pending
	// and the result comes to the callback.
	debit := ips.WithholdingRechargeRequest{
		OrderNo:  ips.NewOrderNo("WR"),
		Date:     ips.Today(),
		Amount:   500 * ips.Yuan,
		FeePayer: ips.PlatformPaysFee,
		IdentNo:  user.IdentNo,
		RealName: user.Name,
		Account:  user.Account,
	}
	if _, err := m.Client.WithholdingRecharge(ctx, demo.Recorded(m.Orders, debit)); err != nil && !errors.Is(err, ips.ErrFateUnknown) {
		return err // refused, or never sent
	}
	// Accepted, or sent and not answered: the notification decides, and the
	// debit must not be sent again under another number.
	if err := m.Wait(ctx, ips.OpWithholdingRecharge, debit.OrderNo); err != nil {
		return err
	}

	balance, err := m.Client.QueryBalance(ctx, user.Account)
	if err != nil {
		return err
	}
	out.Printf("%s has %s available", user.Name, balance.Available)
	return nil
}

// credit is where a platform books the money. It hears of each answer once: web
// return, notification and their copies all say the same.
func credit(out *log.Logger, a *ips.Reply, amount ips.Amount) {
	switch a.Outcome {
	case ips.Success:
		out.Printf("order %s: credited %s", a.OrderNo, amount)
	case ips.Pending:
		// Nothing to book. The final answer follows, or has come already.
	default:
		out.Printf("order %s: refused, %s %s", a.OrderNo, a.Code, a.Message)
	}
}
