// Debttransfer sells an investor's claim to a third person:
//
//	6 个人债权转让  4.6 登记债权转让, then 4.10 转账 类型"债权转让"
//
// 李四 is owed 6,000.00 and sells a claim of 2,000.00 of it (部分转让) to 王五 for
// 1,900.00.
//
//	go run ./examples/debttransfer
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

	// Only claims that were paid out can be sold.
	borrower, seller, buyer := ipsrv.Person(0), ipsrv.Person(6000*ips.Yuan), ipsrv.Person(3000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 6000*ips.Yuan)
	claim := ipsrv.Invest(bid, seller, 6000*ips.Yuan)
	ipsrv.PayOut(bid, claim)

	// The buyer confirms amount and share on the page of IPS.
	sale := ips.RegisterDebtTransferRequest{
		OrderNo: ips.NewOrderNo("DT"), Date: ips.Today(),
		BidNo: claim.BidNo, ContractNo: claim.ContractNo, CreditorOrderNo: claim.OrderNo,
		FromName: seller.Name, FromAccount: seller.Account, FromIdentNo: seller.IdentNo, FromFee: 10 * ips.Yuan,
		ToName: buyer.Name, ToAccount: buyer.Account, ToIdentNo: buyer.IdentNo, ToFee: 5 * ips.Yuan,
		FaceAmount: 2000 * ips.Yuan, Price: 1900 * ips.Yuan, Kind: ips.TransferPartClaim,
	}
	// The transfer moves his money to the seller, and the claim to him. The payer
	// is the buyer: From and To are the other way round than in the sale.
	payment := ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"), BidNo: sale.BidNo, Date: ips.Today(), Type: ips.TransferDebt, Mode: ips.TransferRowByRow,
		Rows: []ips.TransferRow{{
			OriginalOrderNo: sale.OrderNo, Amount: sale.Price,
			FromAccount: buyer.Account, FromFee: sale.ToFee, ToAccount: seller.Account, ToFee: sale.FromFee,
		}},
	}
	p.visit(ipsrv, sale)
	p.send(ipsrv, payment)
	for _, who := range []ipstest.Person{seller, buyer} {
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
	case *ips.RegisterDebtTransferResponse:
		fmt.Println("sale of", a.FaceAmount, "for", a.Price, next)
	case *ips.TransferResponse:
		for _, row := range a.Rows { // from now on the part that was sold is repaid to the buyer
			fmt.Println("payment of", row.Amount, row.Status, row.Message)
		}
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
