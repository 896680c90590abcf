package ipstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// A loan, from people to repayment. In a test, NewServer(t) takes the place of
// Start and Close.
func Example() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	borrower, investor := ipsrv.Person(0), ipsrv.Person(5000*ips.Yuan)

	bid := ipsrv.Bid(borrower, 3000*ips.Yuan)
	investment := ipsrv.Invest(bid, investor, 3000*ips.Yuan)
	ipsrv.AssertBalance(investor.Account, 2000*ips.Yuan, 3000*ips.Yuan)
	ipsrv.PayOut(bid, investment)
	ipsrv.AssertBalance(borrower.Account, 3000*ips.Yuan, 0)

	rows := []ips.RepayRow{{CreditorOrderNo: investment.OrderNo, Account: investor.Account, Amount: 100 * ips.Yuan}}
	amount, fee := ips.RepayTotals(rows)
	form, err := ipsrv.Client().Repay(ips.RepayRequest{
		OrderNo: "P1", BidNo: bid.BidNo, Date: ipsrv.Today(),
		Account: borrower.Account, Amount: amount, Fee: fee, Rows: rows,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ipsrv.Carry(form).Base().Outcome)
	fmt.Println(ipsrv.WaitNotification(ips.OpRepay, "P1").Base().Outcome)
	ipsrv.AssertBalance(investor.Account, 2100*ips.Yuan, 0)
	// Output:
	// pending
	// success
}

// A merchant's handlers: IPS calls them as it would in production.
func ExampleWithHandler() {
	mux := http.NewServeMux()
	ipsrv := ipstest.Start(ipstest.WithHandler(mux))
	defer ipsrv.Close()
	p := ipsrv.Person(0) // the merchant hears nothing of it
	request := ips.RechargeRequest{
		OrderNo: "R1", Date: ipsrv.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.UserPaysFee,
	}
	inbound := ips.Inbound{Hear: ips.Deduplicated(new(ipstest.MemoryOnce), ips.On(
		func(_ context.Context, a *ips.RechargeResponse) error {
			if different := ips.Compare(request, a); different != nil {
				return fmt.Errorf("order %s: another %s", a.OrderNo, different[0].Wire)
			}
			fmt.Println("credit", a.Amount)
			return nil
		}, nil))}
	mux.Handle("/ips/notify/", ipsrv.Client().NotifyHandler(inbound))
	mux.Handle("/ips/return/", ipsrv.Client().ReturnHandler(inbound,
		func(http.ResponseWriter, *http.Request, ips.Response, error) {}))

	form, err := ipsrv.Client().Recharge(request)
	if err != nil {
		log.Fatal(err)
	}
	ipsrv.Carry(form)
	ipsrv.WaitIdle() // the notification has come as well
	// Output: credit 500.00
}

// People with money take one line.
func ExampleServer_Person() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	p := ipsrv.Person(500 * ips.Yuan)
	fmt.Println(p.Name, p.Account)
	fmt.Println(ipsrv.Balance(p.Account))
	// Output:
	// 张三 4021000000000001
	// 500.00 0.00
}

// In manual mode the test says what people do.
func ExampleServer_Carry() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	p := ipsrv.Person(500 * ips.Yuan)
	ipsrv.SetManual(p.Account)

	withdraw := func(orderNo string) *ips.Form {
		form, err := ipsrv.Client().Withdraw(ips.WithdrawRequest{
			OrderNo: orderNo, Date: ipsrv.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 100 * ips.Yuan, FeePayer: ips.UserPaysFee,
		})
		if err != nil {
			log.Fatal(err)
		}
		return form
	}
	fmt.Println(ipsrv.Cancel(withdraw("W1")).Base().Outcome)
	fmt.Println(ipsrv.Carry(withdraw("W2"), "000000", "111111", "222222").Base().Outcome)
	fmt.Println(ipsrv.Carry(withdraw("W3")).Base().Outcome)
	fmt.Println(ipsrv.Balance(p.Account))
	// Output:
	// failure
	// failure
	// success
	// 400.00 0.00
}

// A user who comes to his bank and cannot pay.
func ExampleServer_FailAtBank() {
	ipsrv := ipstest.Start(ipstest.WithManual())
	defer ipsrv.Close()
	p := ipsrv.Person(0)
	form, err := ipsrv.Client().Recharge(ips.RechargeRequest{
		OrderNo: "R1", Date: ipsrv.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.UserPaysFee,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ipsrv.FailAtBank(form).Base().Outcome)
	// Output: failure
}

// A borrower agrees to his bid by text message.
func ExampleServer_ReplyYes() {
	ipsrv := ipstest.Start(ipstest.WithManual())
	defer ipsrv.Close()
	p := ipsrv.Person(0)
	form, err := ipsrv.Client().RegisterBid(ips.RegisterBidRequest{
		OrderNo: "L1", BidNo: "B1", Date: ipsrv.Today(), Amount: 10_000 * ips.Yuan, Rate: 12 * ips.Percent,
		TermUnit: ips.TermMonths, Term: 12, Purpose: "经营周转", RepayMode: ips.RepayAnnuity,
		IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ipsrv.Carry(form).Base().Code)
	ipsrv.ReplyYes(p.Mobile)
	fmt.Println(ipsrv.WaitNotification(ips.OpRegisterBid, "L1").Base().Code)
	// Output:
	// MG02500F
	// MG02501F
}

// A borrower does not answer in 30 minutes, and IPS tells of it with the next run
// of its job.
func ExampleServer_Advance() {
	ipsrv := ipstest.Start(ipstest.WithManual())
	defer ipsrv.Close()
	p := ipsrv.Person(0)
	form, err := ipsrv.Client().RegisterBid(ips.RegisterBidRequest{
		OrderNo: "L1", BidNo: "B1", Date: ipsrv.Today(), Amount: 10_000 * ips.Yuan, Rate: 12 * ips.Percent,
		TermUnit: ips.TermMonths, Term: 12, Purpose: "经营周转", RepayMode: ips.RepayAnnuity,
		IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	ipsrv.Carry(form)
	ipsrv.Advance(40 * time.Minute)
	err = ipsrv.WaitNotification(ips.OpRegisterBid, "L1").Err()
	fmt.Println(errors.Is(err, ips.CodeBidNoReply))
	// Output: true
}

// How does the program take a refusal that is hard to bring about?
func ExampleServer_Fault() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	ipsrv.Fault(ips.OpUnfreezeMargin, ipstest.Refusal(ips.CodeFailed, "系统维护中"))
	_, err := ipsrv.Client().UnfreezeMargin(context.Background(), ips.UnfreezeMarginRequest{
		OrderNo: "U1", BidNo: "B1", Date: ipsrv.Today(), Amount: ips.Yuan, Owner: ips.BorrowerMargin,
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
	})
	fmt.Println(err)
	// Output: ips: unfreeze-margin order "U1" refused: MG00001F 系统维护中
}

// A batch that succeeds in part, and takes its time.
func ExampleServer_Fault_row() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	borrower, investor := ipsrv.Person(0), ipsrv.Person(5000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 3000*ips.Yuan)
	first, second := ipsrv.Invest(bid, investor, 1000*ips.Yuan), ipsrv.Invest(bid, investor, 2000*ips.Yuan)

	ipsrv.Fault(ips.OpTransfer, ipstest.FailedRow(2))
	ipsrv.Fault(ips.OpTransfer, ipstest.Held)
	pending, err := ipsrv.Client().Transfer(context.Background(), ips.TransferRequest{
		OrderNo: "T1", BidNo: bid.BidNo, Date: ipsrv.Today(),
		Type: ips.TransferInvestment, Mode: ips.TransferRowByRow,
		Rows: []ips.TransferRow{
			{OriginalOrderNo: first.OrderNo, Amount: first.Amount, FromAccount: investor.Account, ToAccount: borrower.Account},
			{OriginalOrderNo: second.OrderNo, Amount: second.Amount, FromAccount: investor.Account, ToAccount: borrower.Account},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pending.Outcome)
	ipsrv.Release(ips.OpTransfer)
	final := ipsrv.WaitNotification(ips.OpTransfer, "T1").(*ips.TransferResponse)
	for _, row := range final.Rows {
		fmt.Println(row.Amount, row.Status)
	}
	// Output:
	// pending
	// 1000.00 done
	// 2000.00 failed
}

// The connection breaks after IPS has done what it was asked. The same request
// again moves no money and proves nothing; the notification does.
func ExampleServer_Fault_connection() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	p := ipsrv.Person(0)
	req := ips.WithholdingRechargeRequest{
		OrderNo: "R1", Date: ipsrv.Today(), Amount: 500 * ips.Yuan, FeePayer: ips.UserPaysFee,
		IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
	}
	ipsrv.Fault(ips.OpWithholdingRecharge, ipstest.ConnectionBroken)
	_, err := ipsrv.Client().WithholdingRecharge(context.Background(), req)
	fmt.Println(errors.Is(err, ips.ErrFateUnknown))

	_, err = ipsrv.Client().WithholdingRecharge(context.Background(), req)
	fmt.Println(errors.Is(err, ips.ErrDuplicate))
	fmt.Println(ipsrv.WaitNotification(ips.OpWithholdingRecharge, "R1").Base().Outcome)
	fmt.Println(ipsrv.Balance(p.Account)) // not 1000.00
	// Output:
	// true
	// true
	// success
	// 500.00 0.00
}

// IPS repeats itself; every copy arrives.
func ExampleServer_Resend() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	p := ipsrv.Person(0)
	form, err := ipsrv.Client().SignAutoRepay(ips.SignAutoRepayRequest{
		OrderNo: "S1", Date: ipsrv.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		ValidUnit: ips.PeriodUnlimited,
	})
	if err != nil {
		log.Fatal(err)
	}
	ipsrv.Carry(form)
	ipsrv.WaitIdle()
	ipsrv.Resend(ips.OpSignAutoRepay, "S1")
	ipsrv.WaitIdle()
	for _, resp := range ipsrv.Arrived() {
		if b := resp.Base(); b.OrderNo == "S1" && b.Via == ips.ServerToServer {
			fmt.Println(b.Operation, b.Outcome)
		}
	}
	// Output:
	// sign-auto-repay success
	// sign-auto-repay success
}

// Two merchants at one IPS.
func ExampleWithSecondMerchant() {
	first := ipstest.Start(ipstest.WithSecondMerchant())
	defer first.Close()
	second := first.Second()
	p := second.Person(500 * ips.Yuan)

	_, err := first.Client().QueryBalance(context.Background(), p.Account)
	fmt.Println(errors.Is(err, ips.CodeQueryFailed))
	got, err := second.Client().QueryBalance(context.Background(), p.Account)
	fmt.Println(got.Available, err)
	// Output:
	// true
	// 500.00 <nil>
}

// A merchant's handler on a bad day. Whatever was lost, doubled or forged, in the
// end it has credited what IPS has.
func ExampleServer_Chaos() {
	mux := http.NewServeMux()
	ipsrv := ipstest.Start(ipstest.WithHandler(mux))
	defer ipsrv.Close()
	p := ipsrv.Person(0)

	var mu sync.Mutex
	requests, credited := make(map[string]ips.RechargeRequest), ips.Amount(0)
	inbound := ips.Inbound{Hear: ips.Deduplicated(new(ipstest.MemoryOnce), ips.On(
		func(_ context.Context, a *ips.RechargeResponse) error {
			mu.Lock()
			defer mu.Unlock()
			if different := ips.Compare(requests[a.OrderNo], a); different != nil {
				return fmt.Errorf("order %s: another %s", a.OrderNo, different[0].Wire)
			}
			if a.Outcome == ips.Success {
				credited += a.Amount
			}
			return nil
		}, nil))}
	mux.Handle("/ips/notify/", ipsrv.Client().NotifyHandler(inbound))
	mux.Handle("/ips/return/", ipsrv.Client().ReturnHandler(inbound,
		func(http.ResponseWriter, *http.Request, ips.Response, error) {}))

	ipsrv.Chaos(7, 0.1)
	for range 100 {
		q := ips.RechargeRequest{
			OrderNo: ipsrv.NewOrderNo(), Date: ipsrv.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.UserPaysFee,
		}
		mu.Lock()
		requests[q.OrderNo] = q
		mu.Unlock()
		form, err := ipsrv.Client().Recharge(q)
		if err != nil {
			log.Fatal(err)
		}
		ipsrv.Carry(form) // nil for a user who did not come back
	}
	ipsrv.Calm()
	ipsrv.WaitIdle()

	available, _ := ipsrv.Balance(p.Account)
	fmt.Println(credited == available, available > 0 && available < 50_000*ips.Yuan)
	// Output: true true
}
