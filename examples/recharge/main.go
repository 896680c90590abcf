// Recharge brings money into a user's custody account in the three ways of the
// usage guide, and credits it once:
//
//	10 托管账户充值(网银)               4.9 充值, 网银充值: he pays on his bank's page
//	11 托管账户充值(委托收款-用户发起)  4.9 充值, 代扣充值: he has his card debited
//	12 托管账户充值(委托收款-商户发起)  4.13 自动代扣充值: the platform has it debited
//
// For the last two he has signed a mandate (委托授权书) on paper.
//
//	go run ./examples/recharge
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
	p := &platform{Client: ipsrv.Client(), orders: make(map[string]*order), credited: make(map[string]ips.Amount)}
	inbound := ips.Inbound{Hear: p.hear, OnError: func(_ *http.Request, err error) { log.Print(err) }}
	site.Handle("/ips/notify/", p.NotifyHandler(inbound))
	site.Handle("/ips/return/", p.ReturnHandler(inbound, func(w http.ResponseWriter, _ *http.Request, _ ips.Response, _ error) {
		fmt.Fprintln(w, "请查看您的订单") // the user is back
	}))

	user := ipsrv.Person(0)
	banks, err := p.QueryBanks(context.Background()) // he chooses one of them
	check(err)
	recharge := ips.RechargeRequest{
		OrderNo: ips.NewOrderNo("RC"), Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 2000 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: banks.Banks[0].Code, FeePayer: ips.PlatformPaysFee,
	}
	p.visit(ipsrv, recharge)
	recharge.OrderNo, recharge.Amount = ips.NewOrderNo("RC"), 1000*ips.Yuan
	recharge.Channel, recharge.BankCode = ips.RechargeWithholding, ""
	p.visit(ipsrv, recharge)
	p.send(ipsrv, ips.WithholdingRechargeRequest{
		OrderNo: ips.NewOrderNo("WR"), Date: ips.Today(), Amount: 500 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
	})
	fmt.Println("credited in all:", p.credited[user.Account])
}

// platform is the P2P platform's side.
type platform struct {
	*ips.Client
	mu       sync.Mutex
	orders   map[string]*order     // by number; in earnest a table of a database
	credited map[string]ips.Amount // by account
	once     ipstest.MemoryOnce    // in earnest another table
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

// hear books every answer once, however often it comes.
func (p *platform) hear(ctx context.Context, answer ips.Response) error {
	return ips.Deduplicated(&p.once, p.book)(ctx, answer)
}

// book hears every answer, by whichever way it comes. In earnest all of it is one
// transaction of the database.
func (p *platform) book(_ context.Context, answer ips.Response) error {
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
	if next != ips.OrderDone {
		fmt.Println("order", no, "is", next)
		return nil
	}
	account, amount := "", ips.Amount(0)
	switch a := answer.(type) {
	case *ips.RechargeResponse:
		account, amount = a.Account, a.Amount
	case *ips.WithholdingRechargeResponse:
		account, amount = a.Account, a.Credited
	}
	p.credited[account] += amount
	fmt.Println("order", no, "is done: credit", amount)
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
