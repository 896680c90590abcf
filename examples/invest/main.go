// Invest registers bids for loans, has investors bid on them and pays the money
// out to the borrower, in both ways of the usage guide:
//
//	2 平台发布借款标           4.3 标的登记
//	4 投资人投标(一次性放款)   4.4 登记债权人, then 4.10 转账 类型"投资" once the bid is full
//	5 投资人投标(随投随放)     the same, paid out early and again
//
//	go run ./examples/invest
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

	zhang, li, wang := ipsrv.Person(0), ipsrv.Person(10000*ips.Yuan), ipsrv.Person(10000*ips.Yuan)
	car, shop := bid(zhang, "购车", 10000*ips.Yuan), bid(zhang, "开店", 5000*ips.Yuan)
	first, second := claim(car, li, 6000*ips.Yuan), claim(car, wang, 4000*ips.Yuan)
	early := claim(shop, li, 1000*ips.Yuan)
	p.visit(ipsrv, car) // he agrees by text message as well
	p.visit(ipsrv, first)
	p.visit(ipsrv, second)
	p.send(ipsrv, payOut(car, first, second)) // 4: the bid is full
	p.visit(ipsrv, shop)
	p.visit(ipsrv, early)
	p.send(ipsrv, payOut(shop, early)) // 5: and goes on raising funds
	for _, who := range []ipstest.Person{zhang, li, wang} {
		balance, err := p.QueryBalance(context.Background(), who.Account)
		check(err)
		fmt.Println(who.Name, "has", balance.Available, "available and", balance.Frozen, "frozen")
	}
}

func bid(borrower ipstest.Person, purpose string, amount ips.Amount) ips.RegisterBidRequest {
	return ips.RegisterBidRequest{
		OrderNo: ips.NewOrderNo("BD"), BidNo: ips.NewOrderNo("BID"), Date: ips.Today(),
		Amount: amount, Rate: 12 * ips.Percent, TermUnit: ips.TermMonths, Term: 12, Purpose: purpose,
		RepayMode: ips.RepayInterestFirst, Fee: amount / 100, // in all, when it is paid out
		IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
	}
}

// claim is an investment; its order number stands for the claim from now on.
func claim(bid ips.RegisterBidRequest, investor ipstest.Person, amount ips.Amount) ips.RegisterCreditorRequest {
	return ips.RegisterCreditorRequest{
		OrderNo: ips.NewOrderNo("CR"), Date: ips.Today(), BidNo: bid.BidNo, ContractNo: ips.NewOrderNo("CT"),
		Amount: amount, Fee: amount / 1000, Purpose: bid.Purpose,
		IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account,
	}
}

func payOut(bid ips.RegisterBidRequest, claims ...ips.RegisterCreditorRequest) ips.TransferRequest {
	batch := ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"), BidNo: bid.BidNo, Date: ips.Today(), Type: ips.TransferInvestment, Mode: ips.TransferRowByRow,
	}
	for _, c := range claims {
		batch.Rows = append(batch.Rows, ips.TransferRow{
			OriginalOrderNo: c.OrderNo, Amount: c.Amount,
			FromAccount: c.Account, FromFee: c.Fee, ToAccount: bid.Account, ToFee: c.Amount / 100,
		})
	}
	return batch
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
	fmt.Println(answer.Base().Operation, next, answer.Base().Message)
	if a, ok := answer.(*ips.TransferResponse); ok && next == ips.OrderDone {
		for _, row := range a.Rows { // a batch can succeed in part
			fmt.Println("  paid out", row.Amount, row.Status, row.Message)
		}
	}
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
