// Margin gives the margins of a loan back to those who put them up:
//
//	14 解冻担保方保证金  4.12 解冻保证金, 解冻担保方
//	15 解冻借款人保证金  4.12 解冻保证金, 解冻借款方
//
// Both can be given back in parts, down to zero. A part too many is refused.
//
//	go run ./examples/margin
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

	zhang, zhao := ipsrv.Person(500*ips.Yuan), ipsrv.Person(1000*ips.Yuan)
	bid := ips.RegisterBidRequest{
		OrderNo: ips.NewOrderNo("BD"), BidNo: ips.NewOrderNo("BID"), Date: ips.Today(),
		Amount: 10000 * ips.Yuan, Margin: 500 * ips.Yuan, Rate: 12 * ips.Percent, TermUnit: ips.TermMonths, Term: 12,
		Purpose: "经营周转", RepayMode: ips.RepayInterestFirst,
		IdentNo: zhang.IdentNo, RealName: zhang.Name, Account: zhang.Account,
	}
	guarantee := ips.RegisterGuarantorRequest{
		OrderNo: ips.NewOrderNo("GU"), Date: ips.Today(), BidNo: bid.BidNo, Amount: 10000 * ips.Yuan, Margin: 1000 * ips.Yuan,
		IdentNo: zhao.IdentNo, AccountName: zhao.Name, Account: zhao.Account,
	}
	p.visit(ipsrv, bid)
	p.visit(ipsrv, guarantee)
	for _, part := range []struct {
		owner  ips.MarginOwner
		person ipstest.Person
		amount ips.Amount
	}{
		{ips.GuarantorMargin, zhao, 400 * ips.Yuan},
		{ips.GuarantorMargin, zhao, 600 * ips.Yuan},
		{ips.BorrowerMargin, zhang, 200 * ips.Yuan},
		{ips.BorrowerMargin, zhang, 300 * ips.Yuan},
		{ips.BorrowerMargin, zhang, 1 * ips.Fen}, // there is nothing left
	} {
		p.send(ipsrv, ips.UnfreezeMarginRequest{
			OrderNo: ips.NewOrderNo("UF"), BidNo: bid.BidNo, Date: ips.Today(), Amount: part.amount, Owner: part.owner,
			IdentNo: part.person.IdentNo, RealName: part.person.Name, Account: part.person.Account,
		})
	}
	for _, who := range []ipstest.Person{zhang, zhao} {
		balance, err := p.QueryBalance(context.Background(), who.Account)
		check(err)
		fmt.Println(who.Name, "has", balance.Available, "available and", balance.Frozen, "frozen")
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
	if req, ok := order.request.(ips.UnfreezeMarginRequest); ok {
		fmt.Println(req.Owner, "margin of", req.RealName, req.Amount, next, answer.Base().Message)
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
