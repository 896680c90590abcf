// Withdraw takes money out of a user's custody account to his bank card:
//
//	13 托管账户提现  4.14 提现
//
// The amount is what reaches the card; the platform's fee comes on top of it. First
// he asks for more than he has.
//
//	go run ./examples/withdraw
package main

import (
	"context"
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
	p := &platform{Client: ipsrv.Client(), orders: make(map[string]*order), available: make(map[string]ips.Amount)}
	inbound := ips.Inbound{Hear: ips.Deduplicated(new(ipstest.MemoryOnce), p.hear), OnError: func(_ *http.Request, err error) { log.Print(err) }}
	site.Handle("/ips/notify/", p.NotifyHandler(inbound))
	site.Handle("/ips/return/", p.ReturnHandler(inbound, func(w http.ResponseWriter, _ *http.Request, _ ips.Response, _ error) {
		fmt.Fprintln(w, "请查看您的订单") // the user is back
	}))

	user := ipsrv.Person(1000 * ips.Yuan)
	p.available[user.Account] = 1000 * ips.Yuan
	for _, amount := range []ips.Amount{1000 * ips.Yuan, 800 * ips.Yuan} {
		// Every order has a number of its own: after a refusal it is used up.
		p.visit(ipsrv, ips.WithdrawRequest{
			OrderNo: ips.NewOrderNo("WD"), Date: ips.Today(),
			IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
			Amount: amount, Fee: 2 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
		})
	}
	at, err := p.QueryBalance(context.Background(), user.Account)
	check(err)
	fmt.Println("in our books:", p.available[user.Account], "at IPS:", at.Available)
}

// platform is the P2P platform's side.
type platform struct {
	*ips.Client
	mu        sync.Mutex
	orders    map[string]*order     // by number; in earnest a table of a database
	available map[string]ips.Amount // by account
}

type order struct {
	request ips.Request
	state   ips.OrderState
}

// record keeps an order before anything is sent, and sets the money aside.
func (p *platform) record(req ips.WithdrawRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders[req.OrderNo] = &order{req, ips.OrderRecorded}
	p.available[req.Account] -= req.Amount + req.Fee
}

// visit is a user who comes, confirms at IPS and is sent back.
func (p *platform) visit(ipsrv *ipstest.Server, req ips.WithdrawRequest) {
	p.record(req)
	form, err := p.Withdraw(req)
	check(err)
	ipsrv.Carry(form) // the user's browser; a web server says form.ServeHTTP(w, r)
	ipsrv.WaitIdle()  // the notification has come, too
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
	switch req := order.request.(ips.WithdrawRequest); {
	case next == ips.OrderRefused:
		p.available[req.Account] += req.Amount + req.Fee
		fmt.Println(req.Amount, "refused:", answer.Base().Code, answer.Base().Message)
	case change == ips.Late: // what was given back above is gone nevertheless
		p.available[req.Account] -= req.Amount + req.Fee
		fmt.Println(req.Amount, "paid after a refusal: somebody should look at it")
	case next == ips.OrderDone:
		fmt.Println(req.Amount, "went to the card")
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
