// Openaccount is a web site on which a user opens his custody account:
//
//	1 用户开户  4.2 开户
//
// GET / shows a form, POST / answers with the page that takes the user's browser
// to IPS; /ips/return/ is where he comes back, /ips/notify/ where IPS says the
// same from server to server.
//
//	go run ./examples/openaccount          # fills the form in by itself, once
//	go run ./examples/openaccount -serve   # waits for you and your browser
//	go run ./examples/openaccount -h       # with an IPS elsewhere
//
// It prints the number of the account that was opened.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/url"
	"sync"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/internal/demo"
	"github.com/ips-p2p/ips/ipstest"
)

func main() {
	serve := flag.Bool("serve", false, "wait for a person with a browser, until interrupted")
	demo.Main(func(ctx context.Context, getenv func(string) string, out *log.Logger) error {
		return run(ctx, getenv, out, *serve)
	})
}

func run(ctx context.Context, getenv func(string) string, out *log.Logger, serve bool) error {
	w, err := demo.Open(getenv)
	if err != nil {
		return err
	}
	defer w.Close()
	// w.Config holds the merchant's keys, where IPS is, and the addresses of
	// this site's two handlers.
	client, err := ips.NewClient(w.Config)
	if err != nil {
		return err
	}
	s := &site{client: client, out: out, orders: make(map[string]*opening), last: make(map[string]*opening), accounts: make(map[string]string)}
	stop := w.Serve(s.handler(w.ReturnPath, w.NotifyPath)) // an http.Server
	defer stop()
	if serve {
		return w.ServePerson(ctx, out)
	}

	zhang := demo.NewPerson("张三")
	page, err := demo.FillIn(ctx, w.URL(), url.Values{
		"name": {zhang.Name}, "ident": {zhang.IdentNo}, "mobile": {zhang.Mobile}, "email": {zhang.Email},
	})
	if err != nil {
		return err
	}
	out.Printf("the user reads: %s", page)
	if s.account(zhang.Email) == "" {
		return errors.New("no account was opened")
	}
	return nil
}

// site is the platform. Its maps stand for tables of a database.
type site struct {
	client *ips.Client
	out    *log.Logger

	mu       sync.Mutex
	orders   map[string]*opening // by number
	last     map[string]*opening // the last one of each e-mail address
	accounts map[string]string   // custody accounts by the e-mail address of the order
}

// opening is an order: what was asked, and how far it has come.
type opening struct {
	request ips.OpenAccountRequest
	state   ips.OrderState
}

func (s *site) handler(returns, notifications string) http.Handler {
	inbound := ips.Inbound{
		// A platform's database decides what was heard before.
		Hear:    ips.Deduplicated(new(ipstest.MemoryOnce), ips.On(s.opened, nil)),
		OnError: func(_ *http.Request, err error) { s.out.Printf("refused: %v", err) },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { s.show(w, http.StatusOK, page{Title: "开户"}) })
	mux.HandleFunc("POST /{$}", s.open)
	// /ips/return/ and /ips/notify/. They are subtrees, since the client adds the
	// operation to the addresses that it gives IPS.
	mux.Handle(returns, s.client.ReturnHandler(inbound, s.comeBack))
	mux.Handle(notifications, s.client.NotifyHandler(inbound))
	return mux
}

// open sends the user's browser to IPS. Nothing has happened there yet when it
// returns.
func (s *site) open(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	form, err := s.client.OpenAccount(s.order(ips.OpenAccountRequest{
		RealName: r.PostFormValue("name"),
		IdentNo:  r.PostFormValue("ident"),
		Mobile:   r.PostFormValue("mobile"),
		Email:    r.PostFormValue("email"),
	}))
	var invalid *ips.ValidationError
	switch {
	case errors.As(err, &invalid):
		s.show(w, http.StatusUnprocessableEntity, page{Title: "请检查您填写的内容", Wrong: labels(invalid)})
	case err != nil:
		s.out.Printf("cannot open an account: %v", err)
		http.Error(w, "系统错误", http.StatusInternalServerError)
	default:
		form.ServeHTTP(w, r)
	}
}

// order records the order before it is sent. Somebody who left the pages of IPS
// midway and tries again repeats his order, number and date included: so IPS lets
// him go on where he was.
func (s *site) order(req ips.OpenAccountRequest) ips.OpenAccountRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.last[req.Email]; last != nil && last.request.RealName == req.RealName && last.request.IdentNo == req.IdentNo && last.request.Mobile == req.Mobile {
		return last.request
	}
	req.OrderNo, req.Date = ips.NewOrderNo("OA"), ips.Today()
	o := &opening{request: req, state: ips.OrderRecorded}
	s.orders[req.OrderNo], s.last[req.Email] = o, o
	return req
}

// opened hears of every answer once, whichever way it comes first. The account
// belongs to whoever ordered it, whatever the answer says of him.
func (s *site) opened(_ context.Context, a *ips.OpenAccountResponse) error {
	if a.Outcome == ips.Undecided {
		s.out.Printf("an answer that decides nothing: %s %s", a.Code, a.Message)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	order := s.orders[a.OrderNo]
	if order == nil {
		return fmt.Errorf("order %s: not known here", a.OrderNo)
	}
	if asked := order.request; a.Outcome == ips.Success &&
		(len(ips.Compare(asked, a)) > 0 || a.IdentNo != asked.IdentNo || a.Email != asked.Email) {
		return fmt.Errorf("order %s: not what was ordered", a.OrderNo)
	}
	next, change, err := order.state.Next(a.Base())
	if err != nil || change == ips.Unchanged {
		return err
	}
	order.state = next
	switch next {
	case ips.OrderDone: // also if it comes late: an opening is resumed under its number
		s.accounts[order.request.Email] = a.Account
		s.out.Printf("order %s: account %s opened at %s", a.OrderNo, a.Account, a.BankName)
	case ips.OrderPending:
		s.out.Printf("order %s: accepted, not opened yet", a.OrderNo)
	default:
		s.out.Printf("order %s: refused, %s %s", a.OrderNo, a.Code, a.Message)
	}
	return nil
}

func (s *site) account(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[email]
}

// comeBack shows the user what became of his order, of which opened has heard
// before.
func (s *site) comeBack(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
	if resp == nil { // a reload, or nothing of IPS
		s.show(w, http.StatusBadRequest, page{Title: "无法识别的结果，请到首页查看"})
		return
	}
	a := resp.Base()
	switch {
	case err != nil, a.Outcome == ips.Pending, a.Outcome == ips.Undecided:
		s.show(w, http.StatusOK, page{Title: "处理中，请稍候", Message: a.Message})
	case a.Outcome == ips.Success:
		s.show(w, http.StatusOK, page{Title: "开户成功", Message: a.Message})
	default:
		s.show(w, http.StatusOK, page{Title: "开户失败", Message: a.Message})
	}
}

// labels names the fields that break a rule as the form does.
func labels(invalid *ips.ValidationError) []string {
	names := map[string]string{"pRealName": "姓名", "pIdentNo": "身份证号", "pMobileNo": "手机号", "pEmail": "邮箱"}
	var wrong []string
	for _, field := range invalid.Fields {
		wrong = append(wrong, names[field.Wire])
	}
	return wrong
}

type page struct {
	Title, Message string
	Wrong          []string
}

func (s *site) show(w http.ResponseWriter, status int, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := pages.Execute(w, p); err != nil {
		s.out.Printf("the user's browser has gone: %v", err)
	}
}

var pages = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="zh-CN">
<meta charset="utf-8">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .Message}}<p>{{.}}</p>{{else}}
{{range .Wrong}}<p>{{.}}填写有误</p>{{end}}
<form method="post" action="/">
<p><label>姓名 <input name="name" required></label>
<p><label>身份证号 <input name="ident" required></label>
<p><label>手机号 <input name="mobile" type="tel" required></label>
<p><label>邮箱 <input name="email" type="email" required></label>
<p><button>前往环迅支付开户</button>
</form>
{{end}}
</html>
`))
