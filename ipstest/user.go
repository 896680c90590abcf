package ipstest

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/htmlform"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// What people type on the pages of IPS. The trade password is that of accounts
// that were opened without a page, too, and of the merchant itself.
const (
	loginPassword = "a123456"
	tradePassword = "123456"
)

// Carry does what a user's browser does with a form: it brings it to IPS and the
// answer back to the merchant's return URL, wherever that is, and returns that
// answer, which is the operation's response type. Its Outcome may be a refusal.
// What the merchant's page says is of no interest. In [Server.Chaos] it returns
// nil for a user who did not come back.
//
// The user agrees to all that IPS asks: he types his trade password, his
// particulars when he opens an account, and pays when it is his bank's page. He
// types the given passwords first, if any, which are wrong unless they are
// 123456; IPS gives him three tries.
func (s *Server) Carry(form *ips.Form, passwords ...string) ips.Response {
	s.tb.Helper()
	return s.carry(form, passwords)
}

// CarryPage is [Server.Carry] of the one form for IPS in an HTML page, such as what
// a handler of yours has served: the order number stands in the answer's Base. It
// fails the test if the page has no such form of this merchant.
func (s *Server) CarryPage(page []byte, passwords ...string) ips.Response {
	s.tb.Helper()
	form, err := s.formOf(page)
	if err != nil {
		s.tb.Fatalf("ipstest: the page has no form for IPS: %v: %.300q", err, page)
	}
	return s.carry(form, passwords)
}

// userForm is what a user can carry to IPS.
type userForm interface {
	browser.Form
	Operation() ips.Operation
	OrderNo() string
}

// pageForm is a form out of a page.
type pageForm struct {
	action, no string
	op         ips.Operation
	values     url.Values
}

func (f pageForm) Action() string           { return f.action }
func (f pageForm) OrderNo() string          { return f.no }
func (f pageForm) Operation() ips.Operation { return f.op }
func (f pageForm) Values() url.Values       { return f.values }

func (s *Server) formOf(page []byte) (userForm, error) {
	forms, err := htmlform.Parse(page, "text/html; charset=utf-8")
	if err != nil {
		return nil, err
	}
	names := []string{"pMerCode", "p3DesXmlPara", "pSign"}
	found, err := htmlform.Only(forms, names...)
	if errors.Is(err, htmlform.ErrNone) {
		names = []string{"argMerCode", "arg3DesXmlPara", "argSign"}
		found, err = htmlform.Only(forms, names...)
	}
	if err != nil {
		return nil, err
	}
	f := pageForm{action: found.Action, values: make(url.Values)}
	for _, name := range names {
		value, _ := found.Get(name)
		f.values.Set(name, value)
	}
	keys, err := envelope.NewKeys(s.cfg.MerchantCode, s.cfg.Cert.Reveal(), s.cfg.Key.Reveal(), s.cfg.IV.Reveal())
	if err != nil {
		return nil, err
	}
	document, err := keys.Decrypt(f.values.Get(names[1]))
	if err != nil {
		return nil, err
	}
	elements, err := codec.Elements(document)
	if err != nil {
		return nil, err
	}
	for _, e := range elements {
		if e.Name == "pMerBillNo" {
			f.no = e.Text
		}
	}
	all := ips.Operations()
	i := slices.IndexFunc(all, func(o ips.OperationInfo) bool {
		return o.Transport == ips.Redirect && o.Endpoint == path.Base(f.action)
	})
	if i < 0 {
		return nil, fmt.Errorf("%.100q is no page of IPS", f.action)
	}
	f.op = all[i].Operation
	return f, nil
}

func (s *Server) carry(form userForm, passwords []string) ips.Response {
	s.tb.Helper()
	return s.visit(form, func(ask engine.AskInfo) error {
		for _, password := range passwords {
			// The error says that it was wrong, which is what it is for.
			_ = s.sandbox.Confirm(ask.ID, map[string]string{"password": password})
		}
		return s.sandbox.Confirm(ask.ID, answers(ask.Page))
	})
}

// answers are what a user types on a kind of page.
func answers(page string) map[string]string {
	switch page {
	case engine.PageAccount:
		return map[string]string{
			"loginPassword": loginPassword, "tradePassword": tradePassword,
			"question": "我的出生地是哪里", "answer": "北京",
			"bank": "中国工商银行", "card": "6222000000000000001",
		}
	case engine.PageBank:
		return map[string]string{"result": "paid"}
	default:
		return map[string]string{"password": tradePassword}
	}
}

// Cancel is [Server.Carry] by a user who changes his mind on the page of IPS.
// It fails the test if there is no page, as in auto mode.
func (s *Server) Cancel(form *ips.Form) ips.Response {
	s.tb.Helper()
	return s.decide(form, func(ask engine.AskInfo) error { return s.sandbox.Cancel(ask.ID) })
}

// FailAtBank is [Server.Carry] by a user who comes to his bank's page with an
// e-bank recharge, and cannot pay. It fails the test if there is no page, as in
// auto mode.
func (s *Server) FailAtBank(form *ips.Form) ips.Response {
	s.tb.Helper()
	return s.decide(form, func(ask engine.AskInfo) error {
		if ask.Page != engine.PageBank {
			return fmt.Errorf("%s is not paid at a bank", form.Operation())
		}
		return s.sandbox.Confirm(ask.ID, map[string]string{"result": "failed"})
	})
}

// Leave brings the user to the page of IPS and leaves him there: he neither
// confirms nor cancels. When [Server.Advance] has let enough time pass, IPS
// gives him up. It fails the test if there is no page, as in auto mode.
func (s *Server) Leave(form *ips.Form) {
	s.tb.Helper()
	if page := s.open(form); page == nil || s.asked(form, page) == nil {
		s.noPage(form)
	}
}

// ReplyYes answers the text message that waits at a mobile number: the person
// agrees. It fails the test if none waits.
func (s *Server) ReplyYes(mobile string) {
	s.tb.Helper()
	s.reply(mobile, true)
}

// ReplyNo is [Server.ReplyYes] by a person who does not agree.
func (s *Server) ReplyNo(mobile string) {
	s.tb.Helper()
	s.reply(mobile, false)
}

func (s *Server) reply(mobile string, yes bool) {
	s.tb.Helper()
	id, ok := s.waitingText(mobile)
	if !ok {
		s.tb.Fatalf("ipstest: no text message waits for an answer at %s", mobile)
	}
	must(s.tb, s.sandbox.ReplySMS(id, yes))
}

// waitingText finds the oldest text message that waits at a mobile number.
func (s *Server) waitingText(mobile string) (id string, ok bool) {
	for _, m := range s.sandbox.Engine().Inbox(mobile) {
		if m.Merchant == s.cfg.MerchantCode && m.State == engine.SMSOpen {
			return m.ID, true
		}
	}
	return "", false
}

// stuck fails the test because a user gets no further, which in a chaos happens.
func (s *Server) stuck(format string, args ...any) {
	s.tb.Helper()
	if s.chaos.Load() == nil {
		s.tb.Fatalf(format, args...)
	}
}

// decide is a visit that must come to a page.
func (s *Server) decide(form userForm, act func(engine.AskInfo) error) ips.Response {
	s.tb.Helper()
	asked := false
	resp := s.visit(form, func(ask engine.AskInfo) error {
		asked = true
		return act(ask)
	})
	if !asked {
		s.noPage(form)
	}
	return resp
}

func (s *Server) noPage(form userForm) {
	s.tb.Helper()
	s.stuck("ipstest: %s %s: IPS does not ask the user: use the option WithManual, or SetManual", form.Operation(), form.OrderNo())
}

// visit carries a form to IPS, lets the user act if IPS asks him something, and
// carries the answer back. The answer is what stands on the page that this form
// led to, so visits at the same time do not mix their answers up. It is nil if the
// user got stuck.
func (s *Server) visit(form userForm, act func(engine.AskInfo) error) ips.Response {
	s.tb.Helper()
	ctx, cancel := within()
	defer cancel()
	page := s.open(form)
	if page == nil {
		return nil
	}
	if ask := s.asked(form, page); ask != nil {
		err := act(*ask)
		if now, ok := s.sandbox.Engine().Ask(ask.ID); err != nil && (!ok || !now.Open) {
			err = nil // somebody else was at the same page and has answered first
		}
		must(s.tb, err)
		// A page that was answered sends the user back.
		page, err = s.browser.Get(ctx, page.URL.String())
		must(s.tb, err)
	}
	back, err := page.ReturnForm()
	if err != nil {
		s.stuck("ipstest: %s %s: the browser got no further: %v", form.Operation(), form.OrderNo(), err)
		return nil
	}
	fields := make(url.Values)
	for _, name := range []string{"pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign"} {
		value, _ := back.Get(name)
		fields.Set(name, value)
	}
	answer, err := s.parseReturn(form.Operation(), fields.Encode())
	if err != nil {
		s.tb.Fatalf("ipstest: %s %s: IPS sends the user back with what is no answer: %v", form.Operation(), form.OrderNo(), err)
	}
	to, err := page.URL.Parse(back.Action)
	must(s.tb, err)
	visits := 1
	if c := s.chaos.Load(); c != nil {
		forged := false
		if visits, forged = c.visits(); forged {
			spoilt := maps.Clone(fields)
			spoilt.Set("pErrMsg", spoilt.Get("pErrMsg")+"!") // which is signed
			_, _ = s.browser.Post(ctx, to.String(), spoilt)
		}
	}
	if visits == 0 {
		return nil
	}
	for range visits {
		// What the merchant says to it is the test's business.
		shown, err := s.browser.Follow(ctx, page)
		if shown == nil {
			s.stuck("ipstest: %s %s: the browser did not get back to the merchant: %v", form.Operation(), form.OrderNo(), err)
			return nil
		}
		s.arrivals.add(answer, to.Path)
	}
	return answer
}

// open posts a form to IPS; the page is nil if that did not answer.
func (s *Server) open(form userForm) *browser.Page {
	s.tb.Helper()
	ctx, cancel := within()
	defer cancel()
	page, err := s.browser.Post(ctx, form.Action(), form.Values())
	if err != nil {
		s.stuck("ipstest: %s %s: IPS does not answer as it should: %v", form.Operation(), form.OrderNo(), err)
		return nil
	}
	return page
}

// asked is what the page asks the user, nil if it sends him back.
func (s *Server) asked(form userForm, page *browser.Page) *engine.AskInfo {
	if _, err := page.ReturnForm(); err == nil {
		return nil
	}
	views := s.sandbox.Engine()
	order, ok := views.Order(s.cfg.MerchantCode, s.wireName(form.Operation()), form.OrderNo(), form.Operation() == ips.OpEndBid)
	if !ok || order.Ask == "" {
		return nil
	}
	ask, ok := views.Ask(order.Ask)
	if !ok {
		return nil
	}
	return &ask
}
