// Compensate has a guarantor pay for a borrower who cannot, and the borrower pay
// him back:
//
//	3 担保方对标的担保      4.5 登记担保方, 有保证金担保
//	8 担保方代偿            4.10 转账 类型"代偿"
//	9 借款人针对代偿的还款  4.10 转账 类型"代偿还款"
//	  结算担保收益          4.10 转账 类型"结算担保收益"
//
//	go run ./examples/compensate
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"sync"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func main() {
	site := http.NewServeMux()
	ipsrv := ipstest.Start(ipstest.WithHandler(site)) // in earnest: your own server, and
	defer ipsrv.Close()                               // ips.NewClient with your ips.Config
	p := &platform{Client: ipsrv.Client(), orders: make(map[string]*order)}
	inbound := ips.Inbound{Hear: p.hear, OnError: func(_ *http.Request, err error) { log.Print(err) }}
	site.Handle("/ips/notify/", p.NotifyHandler(inbound))
	site.Handle("/ips/return/", p.ReturnHandler(inbound, func(w http.ResponseWriter, _ *http.Request, _ ips.Response, _ error) {
		fmt.Fprintln(w, "请查看您的订单") // the user is back
	}))

	zhang, li, zhao := ipsrv.Person(1000*ips.Yuan), ipsrv.Person(6000*ips.Yuan), ipsrv.Person(5000*ips.Yuan)
	bid := ipsrv.Bid(zhang, 6000*ips.Yuan)
	claim := ipsrv.Invest(bid, li, 6000*ips.Yuan)
	ipsrv.PayOut(bid, claim)

	guarantee := ips.RegisterGuarantorRequest{ // without Margin it is 无保证金担保
		OrderNo: ips.NewOrderNo("GU"), Date: ips.Today(), BidNo: bid.BidNo,
		Amount: 6000 * ips.Yuan, Margin: 1000 * ips.Yuan, Profit: 50 * ips.Yuan,
		IdentNo: zhao.IdentNo, AccountName: zhao.Name, Account: zhao.Account,
	}
	// Each kind of transfer refers to another order: to the claim, to the
	// compensation, to the guarantee.
	compensation := transfer(bid, ips.TransferCompensation, ips.TransferRow{
		OriginalOrderNo: claim.OrderNo, Amount: 60 * ips.Yuan, FromAccount: zhao.Account, ToAccount: li.Account,
	})
	payBack := transfer(bid, ips.TransferCompensationRepayment, ips.TransferRow{
		OriginalOrderNo: compensation.OrderNo, Amount: 60 * ips.Yuan, FromAccount: zhang.Account, ToAccount: zhao.Account,
	})
	profit := transfer(bid, ips.TransferGuaranteeProfit, ips.TransferRow{
		OriginalOrderNo: guarantee.OrderNo, Amount: guarantee.Profit, FromAccount: zhang.Account, ToAccount: zhao.Account,
	})
	p.visit(ipsrv, guarantee)
	p.send(ipsrv, compensation)
	p.send(ipsrv, payBack)
	p.send(ipsrv, profit)
	for _, who := range []ipstest.Person{zhang, li, zhao} {
		balance, err := p.QueryBalance(context.Background(), who.Account)
		check(err)
		fmt.Println(who.Name, "has", balance.Available, "available and", balance.Frozen, "frozen")
	}
}

func transfer(bid ips.RegisterBidRequest, kind ips.TransferType, rows ...ips.TransferRow) ips.TransferRequest {
	return ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"), BidNo: bid.BidNo, Date: ips.Today(), Type: kind, Mode: ips.TransferRowByRow, Rows: rows,
	}
}

// platform is the P2P platform's side.
type platform struct {
	*ips.Client
	mu     sync.Mutex
	orders map[string]*order // by number; in earnest a table of a database
}

type order struct {
	request ips.Request
	state   ips.OrderState
}

// record keeps an order before anything is sent.
func (p *platform) record(req ips.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders[ips.OrderNo(req)] = &order{req, ips.OrderRecorded}
}

// visit is a user who comes, confirms at IPS and is sent back.
func (p *platform) visit(ipsrv *ipstest.Server, req ips.Request) {
	p.record(req)
	form, err := p.Form(req)
	check(err)
	ipsrv.Carry(form) // the user's browser; a web server says form.ServeHTTP(w, r)
	ipsrv.WaitIdle()  // the notification has come, too
}

// send sends an order from the platform's server, and hears the answer.
func (p *platform) send(ipsrv *ipstest.Server, req ips.Request) {
	p.record(req) // in earnest as ips.OrderUnknown, in case the program dies now
	answer, err := p.Call(context.Background(), req)
	if refusal := (*ips.Error)(nil); err == nil || errors.As(err, &refusal) {
		err = p.hear(context.Background(), answer)
	}
	if !errors.Is(err, ips.ErrFateUnknown) { // else the notification tells; never send it under a new number
		check(err)
	}
	ipsrv.WaitIdle() // the result may come later, as a notification
}

// hear hears every answer, by whichever way it comes. In earnest all of it is one
// transaction of the database.
func (p *platform) hear(_ context.Context, answer ips.Response) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	no := answer.Base().OrderNo
	order := p.orders[no]
	if order == nil {
		return fmt.Errorf("order %s: nobody has ordered it", no)
	}
	if different := ips.Compare(order.request, answer); different != nil {
		return fmt.Errorf("order %s: %s is not what was asked for", no, different[0].Wire)
	}
	next, change, err := order.state.Next(answer.Base())
	if err != nil || change == ips.Unchanged {
		return err // nothing new: a copy, or a pending answer that was overtaken
	}
	order.state = next
	switch a := answer.(type) {
	case *ips.RegisterGuarantorResponse:
		fmt.Println("guarantee", next, "with a margin of", a.FrozenMargin)
	case *ips.TransferResponse: // all transfers of a platform, whatever they are for
		for _, row := range a.Rows { // a batch can succeed in part
			fmt.Println(a.Type, row.Amount, row.Status, row.Message)
		}
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
