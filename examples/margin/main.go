// Margin gives the margins of a loan back to those who put them up:
//
//	14 解冻担保方保证金  4.12 解冻保证金, 解冻担保方
//	15 解冻借款人保证金  4.12 解冻保证金, 解冻借款方
//
// Both can be given back in parts, down to zero.
//
//	go run ./examples/margin      # on a sandbox of its own
//	go run ./examples/margin -h   # and elsewhere
//
// It prints each part, the refusal of a part too many, and that nothing is
// frozen any more.
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
	// The answers come at once; the notifications that repeat them need no
	// callback of their own here.
	m, err := demo.Start(getenv, out, nil, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	loan, err := m.Loan(ctx) // 张三 has put up 500.00
	if err != nil {
		return err
	}
	zhang := loan.ZhangSan
	zhao, err := m.Person(ctx, "赵六", 1000*ips.Yuan)
	if err != nil {
		return err
	}
	form, err := m.Client.RegisterGuarantor(demo.Recorded(m.Orders, ips.RegisterGuarantorRequest{
		OrderNo:     ips.NewOrderNo("GU"),
		Date:        ips.Today(),
		BidNo:       loan.Bid.BidNo,
		Amount:      10000 * ips.Yuan,
		Margin:      1000 * ips.Yuan,
		IdentNo:     zhao.IdentNo,
		AccountName: zhao.Name,
		Account:     zhao.Account,
	}))
	if err != nil {
		return err
	}
	if err := m.Visit(ctx, form); err != nil {
		return err
	}

	for _, part := range []struct {
		owner  ips.MarginOwner
		person demo.Person
		amount ips.Amount
	}{
		{ips.GuarantorMargin, zhao, 400 * ips.Yuan},
		{ips.GuarantorMargin, zhao, 600 * ips.Yuan},
		{ips.BorrowerMargin, zhang, 200 * ips.Yuan},
		{ips.BorrowerMargin, zhang, 300 * ips.Yuan},
	} {
		if err := unfreeze(ctx, m, loan.Bid.BidNo, part.owner, part.person, part.amount); err != nil {
			return err
		}
		out.Printf("%s margin of %s: %s given back", part.owner, part.person.Name, part.amount)
	}

	// There is nothing left of 张三's margin.
	var refusal *ips.Error
	err = unfreeze(ctx, m, loan.Bid.BidNo, ips.BorrowerMargin, zhang, 1*ips.Fen)
	if !errors.As(err, &refusal) {
		return errors.Join(errors.New("IPS gave back more than there was"), err)
	}
	out.Printf("refused: %s %s", refusal.Code, refusal.Message)

	for _, p := range []demo.Person{zhang, zhao} {
		balance, err := m.Client.QueryBalance(ctx, p.Account)
		if err != nil {
			return err
		}
		out.Printf("%s has %s available, %s frozen", p.Name, balance.Available, balance.Frozen)
	}
	return nil
}

func unfreeze(ctx context.Context, m *demo.Merchant, bidNo string, owner ips.MarginOwner, p demo.Person, amount ips.Amount) error {
	req := ips.UnfreezeMarginRequest{
		OrderNo:  ips.NewOrderNo("UF"),
		BidNo:    bidNo,
		Date:     ips.Today(),
		Amount:   amount,
		Owner:    owner,
		IdentNo:  p.IdentNo,
		RealName: p.Name,
		Account:  p.Account,
	}
	resp, err := m.Client.UnfreezeMargin(ctx, demo.Recorded(m.Orders, req))
	switch {
	case errors.Is(err, ips.ErrFateUnknown):
		// Sent, and not answered: the notification says what became of it.
		return m.Wait(ctx, ips.OpUnfreezeMargin, req.OrderNo)
	case err != nil:
		return err
	case resp.Outcome == ips.Pending:
		return m.Wait(ctx, ips.OpUnfreezeMargin, req.OrderNo)
	}
	return nil
}
