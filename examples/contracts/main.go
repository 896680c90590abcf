// Contracts signs contracts under which the platform acts for its users, and
// acts under them:
//
//	16 投资人设置自动投标  4.7 自动投标签约, then 4.4 登记债权人, 自动投标
//	17 借款人设置自动还款  4.8 自动还款签约, then 4.11 还款, 自动还款
//
//	go run ./examples/contracts
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
	p := &platform{Client: ipsrv.Client(), orders: make(map[string]*order), contracts: make(map[string]string)}
	inbound := ips.Inbound{Hear: p.hear, OnError: func(_ *http.Request, err error) { log.Print(err) }}
	site.Handle("/ips/notify/", p.NotifyHandler(inbound))
	site.Handle("/ips/return/", p.ReturnHandler(inbound, func(w http.ResponseWriter, _ *http.Request, _ ips.Response, _ error) {
		fmt.Fprintln(w, "请查看您的订单") // the user is back
	}))

	zhang, wang := ipsrv.Person(1000*ips.Yuan), ipsrv.Person(4000*ips.Yuan)
	bid := ipsrv.Bid(zhang, 3000*ips.Yuan) // 12 months at 12 %

	// 16: within these rules the platform may bid for him.
	p.visit(ipsrv, ips.SignAutoBidRequest{
		OrderNo: ips.NewOrderNo("AB"), Date: ips.Today(), IdentNo: wang.IdentNo, RealName: wang.Name, Account: wang.Account,
		ValidUnit: ips.PeriodMonths, Valid: 3, TermUnit: ips.PeriodMonths, TermFrom: 1, TermTo: 12,
		AmountFrom: 1000 * ips.Yuan, AmountTo: 10000 * ips.Yuan, RateFrom: 8 * ips.Percent, RateTo: 15 * ips.Percent,
	})
	claim := ips.AutoBidRequest{
		OrderNo: ips.NewOrderNo("CR"), Date: ips.Today(), BidNo: bid.BidNo, ContractNo: ips.NewOrderNo("CT"),
		AuthNo: p.contracts[wang.Account], Amount: 3000 * ips.Yuan, Purpose: bid.Purpose,
		IdentNo: wang.IdentNo, RealName: wang.Name, Account: wang.Account,
	}
	p.send(ipsrv, claim) // no page is shown to anybody
	ipsrv.PayOut(bid, ips.RegisterCreditorRequest{OrderNo: claim.OrderNo, Amount: claim.Amount, Account: claim.Account})

	// 17: the borrower's, valid until it is revoked.
	p.visit(ipsrv, ips.SignAutoRepayRequest{
		OrderNo: ips.NewOrderNo("AR"), Date: ips.Today(), IdentNo: zhang.IdentNo, RealName: zhang.Name, Account: zhang.Account,
		ValidUnit: ips.PeriodUnlimited,
	})
	rows := []ips.RepayRow{{CreditorOrderNo: claim.OrderNo, Account: wang.Account, Amount: 3030 * ips.Yuan}}
	amount, fee := ips.RepayTotals(rows)
	p.send(ipsrv, ips.AutoRepayRequest{
		OrderNo: ips.NewOrderNo("RP"), BidNo: bid.BidNo, Date: ips.Today(), AuthNo: p.contracts[zhang.Account],
		Account: zhang.Account, Amount: amount, Fee: fee, Rows: rows,
	})
}

// platform is the P2P platform's side.
type platform struct {
	*ips.Client
	mu        sync.Mutex
	orders    map[string]*order // by number; in earnest a table of a database
	contracts map[string]string // authorisation numbers (授权号) by account
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
	case *ips.SignAutoBidResponse: // the investor may have changed the rules on the page of IPS
		p.contracts[order.request.(ips.SignAutoBidRequest).Account] = a.AuthNo
		fmt.Println("auto-bid contract", next, "until", a.ValidUntil, "for loans of", a.AmountFrom, "to", a.AmountTo)
	case *ips.SignAutoRepayResponse:
		p.contracts[a.Account] = a.AuthNo
		fmt.Println("auto-repay contract", next)
	case *ips.CreditorResponse:
		fmt.Println("automatic bid", next, "frozen", a.Frozen)
	case *ips.RepayResponse:
		for _, row := range a.Rows { // a repayment can succeed in part
			fmt.Println("automatic repayment of claim", row.CreditorOrderNo, row.Status, row.Message)
		}
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
