// Repay has a borrower pay his creditors back, and ends the bid when nothing is
// owed any more:
//
//	7 借款人还款  4.11 还款, 手动还款
//	  标的结束    4.3 标的登记, 操作类型"结束"
//
// The automatic repayment is in examples/contracts.
//
//	go run ./examples/repay
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

	zhang, li, wang := ipsrv.Person(1000*ips.Yuan), ipsrv.Person(6000*ips.Yuan), ipsrv.Person(4000*ips.Yuan)
	bid := ipsrv.Bid(zhang, 10000*ips.Yuan)
	claims := []ips.RegisterCreditorRequest{ipsrv.Invest(bid, li, 6000*ips.Yuan), ipsrv.Invest(bid, wang, 4000*ips.Yuan)}
	ipsrv.PayOut(bid, claims...)

	// Principal and a month's interest, 1 %. The platform takes a tenth of the
	// interest from the creditor and 1.00 per row from the borrower.
	var rows []ips.RepayRow
	for _, c := range claims {
		rows = append(rows, ips.RepayRow{
			CreditorOrderNo: c.OrderNo, Account: c.Account, // after a debt transfer the new holder's
			Amount: c.Amount + c.Amount/100, Fee: c.Amount / 1000, BorrowerFee: 1 * ips.Yuan,
		})
	}
	amount, fee := ips.RepayTotals(rows)
	p.visit(ipsrv, ips.RepayRequest{
		OrderNo: ips.NewOrderNo("RP"), BidNo: bid.BidNo, Date: ips.Today(), Account: zhang.Account,
		Amount: amount, Fee: fee, Rows: rows,
	})
	p.send(ipsrv, bid.End(ips.Today())) // repeats the registration, its number as well
	for _, who := range []ipstest.Person{zhang, li, wang} {
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
	switch a := answer.(type) {
	case *ips.RepayResponse:
		for _, row := range a.Rows { // a repayment can succeed in part
			fmt.Println("claim", row.CreditorOrderNo, "repaid:", row.Status, row.Message)
		}
	case *ips.BidResponse:
		fmt.Println("bid", a.BidNo, a.Status, next)
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
