// Openaccount is a web site on which a user opens his custody account:
//
//	1 用户开户  4.2 开户
//
// GET / shows a form, POST / answers with the page that takes the user's browser
// to IPS; /ips/return/ is where he comes back, /ips/notify/ where IPS says the
// same from server to server.
//
//	go run ./examples/openaccount          # plays a user, once
//	go run ./examples/openaccount -serve   # waits for you and your browser
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func main() {
	serve := flag.Bool("serve", false, "wait for a person with a browser, until interrupted")
	flag.Parse()
	site, options := http.NewServeMux(), []ipstest.Option(nil)
	if *serve {
		options = append(options, ipstest.WithManual()) // IPS asks on its pages
	}
	ipsrv := ipstest.Start(append(options, ipstest.WithHandler(site))...) // in earnest: your own
	defer ipsrv.Close()                                                   // server, and ips.NewClient
	p := &platform{Client: ipsrv.Client(), orders: make(map[string]*order), accounts: make(map[string]string)}
	inbound := ips.Inbound{Hear: p.hear, OnError: func(_ *http.Request, err error) { log.Print(err) }}
	site.Handle("/ips/notify/", p.NotifyHandler(inbound))
	site.Handle("/ips/return/", p.ReturnHandler(inbound, comeBack))
	site.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { show(w, 200, "开户", nil) })
	site.HandleFunc("POST /{$}", p.open)

	if *serve {
		fmt.Println("open", strings.TrimSuffix(ipsrv.Config().ReturnURL, "ips/return"), "in your browser; stop with Ctrl-C")
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		<-ctx.Done()
		return
	}
	user := ipsrv.NewPerson()
	form, err := p.form(ips.OpenAccountRequest{RealName: user.Name, IdentNo: user.IdentNo, Mobile: user.Mobile, Email: user.Email})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the user is back:", ipsrv.Carry(form).Base().Outcome)
	ipsrv.WaitIdle() // the notification has come, too
}

// platform is the P2P platform's side. Its maps stand for tables of a database.
type platform struct {
	*ips.Client
	mu       sync.Mutex
	orders   map[string]*order // by number
	accounts map[string]string // custody accounts by the id number that the member has ordered it with
}

type order struct {
	request ips.OpenAccountRequest
	state   ips.OrderState
}

// open sends the user's browser to IPS.
func (p *platform) open(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	form, err := p.form(ips.OpenAccountRequest{
		RealName: r.PostFormValue("姓名"), IdentNo: r.PostFormValue("身份证号"),
		Mobile: r.PostFormValue("手机号"), Email: r.PostFormValue("邮箱"),
	})
	if invalid := (*ips.ValidationError)(nil); errors.As(err, &invalid) {
		show(w, http.StatusUnprocessableEntity, "请检查您填写的内容", invalid.Fields)
		return
	}
	if err != nil {
		http.Error(w, "系统错误", http.StatusInternalServerError)
		return
	}
	form.ServeHTTP(w, r)
}

// form records the order before it is sent. Who left the pages of IPS midway
// repeats his order, number and date included, and goes on where he was.
func (p *platform) form(req ips.OpenAccountRequest) (*ips.Form, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.orders {
		req.OrderNo, req.Date = o.request.OrderNo, o.request.Date
		if o.request == req && o.state != ips.OrderDone {
			return p.OpenAccount(req)
		}
	}
	req.OrderNo, req.Date = ips.NewOrderNo("OA"), ips.Today()
	form, err := p.OpenAccount(req)
	if err == nil {
		p.orders[req.OrderNo] = &order{req, ips.OrderRecorded}
	}
	return form, err
}

// hear hears every answer, by whichever way it comes. In earnest all of it is one
// transaction of the database.
func (p *platform) hear(_ context.Context, answer ips.Response) error {
	a, ok := answer.(*ips.OpenAccountResponse)
	if !ok {
		return ips.ErrUnheard
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	order := p.orders[a.OrderNo]
	if order == nil {
		return fmt.Errorf("order %s: nobody has ordered it", a.OrderNo)
	}
	if different := ips.Compare(order.request, a); different != nil {
		return fmt.Errorf("order %s: %s is not what was asked for", a.OrderNo, different[0].Wire)
	}
	next, change, err := order.state.Next(a.Base())
	if err != nil || change == ips.Unchanged {
		return err // nothing new: a copy, or a pending answer that was overtaken
	}
	order.state = next
	fmt.Println("order", a.OrderNo, next, a.Code, a.Message)
	if next == ips.OrderDone {
		p.accounts[order.request.IdentNo] = a.Account // his who ordered it, whatever the answer says
		fmt.Println("account", a.Account, "opened at", a.BankName)
	}
	return nil
}

// comeBack shows the user what became of his order, which hear knows by now.
func comeBack(w http.ResponseWriter, _ *http.Request, answer ips.Response, err error) {
	switch {
	case answer == nil: // a reload, or not from IPS
		show(w, http.StatusBadRequest, "请查看您的订单", nil)
	case err != nil, answer.Base().Outcome == ips.Pending:
		show(w, http.StatusOK, "处理中，请稍候", nil)
	case answer.Base().Outcome == ips.Success:
		show(w, http.StatusOK, "开户成功", nil)
	default:
		show(w, http.StatusOK, "开户失败："+answer.Base().Message, nil)
	}
}

func show(w http.ResponseWriter, status int, title string, wrong []ips.FieldError) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = page.Execute(w, map[string]any{"Title": title, "Wrong": wrong, "Labels": labels}) // else the browser has gone
}

var labels = map[string]string{"pRealName": "姓名", "pIdentNo": "身份证号", "pMobileNo": "手机号", "pEmail": "邮箱"}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8">
<title>{{.Title}}</title><h1>{{.Title}}</h1>
{{range .Wrong}}<p>{{index $.Labels .Wire}}填写有误</p>{{end}}
<form method="post" action="/">
<p>姓名 <input name="姓名"> <p>身份证号 <input name="身份证号"> <p>手机号 <input name="手机号"> <p>邮箱 <input name="邮箱">
<p><button>前往环迅支付开户</button>
</form></html>
`))
