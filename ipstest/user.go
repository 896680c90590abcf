package ipstest

import (
	"fmt"
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// What people type on the pages of IPS. The trade password is that of accounts
// that were opened without a page, too, and of the merchant itself.
const (
	loginPassword = "a123456"
	tradePassword = "123456"
)

// Carry does what the user's browser does with a form: it brings it to IPS and
// the answer back to the merchant, and returns that answer, which is the
// operation's response type. Its Outcome may be a refusal. Where IPS asks the
// user something, as in [Manual] mode, use [Server.Confirm].
func (s *Server) Carry(form *ips.Form) ips.Response {
	s.tb.Helper()
	return s.visit(form, func(ask engine.AskInfo) {
		s.tb.Helper()
		s.tb.Fatalf("ipstest: %s %s: IPS asks the user to confirm: use Confirm, Cancel, PayAtBank or Leave",
			form.Operation(), form.OrderNo())
	})
}

// Confirm is [Server.Carry] by a user who agrees to all that IPS asks: he types
// his trade password, his particulars when he opens an account, and pays when
// it is his bank's page.
//
// He types the given passwords first, if any, which are wrong unless they are
// 123456; IPS gives him three tries.
func (s *Server) Confirm(form *ips.Form, passwords ...string) ips.Response {
	s.tb.Helper()
	return s.visit(form, func(ask engine.AskInfo) {
		s.tb.Helper()
		for _, password := range passwords {
			// The error says that it was wrong, which is what it is for.
			_ = s.sandbox.Confirm(ask.ID, map[string]string{"password": password})
		}
		must(s.tb, s.sandbox.Confirm(ask.ID, answers(ask.Page)))
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

// PayAtBank is [Server.Carry] by a user who comes to his bank's page with an
// e-bank recharge, and pays or fails to. It fails the test if there is no page,
// as in auto mode.
func (s *Server) PayAtBank(form *ips.Form, paid bool) ips.Response {
	s.tb.Helper()
	result := "failed"
	if paid {
		result = "paid"
	}
	return s.decide(form, func(ask engine.AskInfo) error {
		if ask.Page != engine.PageBank {
			return fmt.Errorf("%s is not paid at a bank", form.Operation())
		}
		return s.sandbox.Confirm(ask.ID, map[string]string{"result": result})
	})
}

// Leave brings the user to the page of IPS and leaves him there: he neither
// confirms nor cancels. When [Server.Advance] has let enough time pass, IPS
// gives him up. It fails the test if there is no page, as in auto mode.
func (s *Server) Leave(form *ips.Form) {
	s.tb.Helper()
	s.open(form)
	if s.asked(form) == nil {
		s.noPage(form)
	}
}

// ReplySMS answers the text message that waits at a mobile number. It fails the
// test if none does.
func (s *Server) ReplySMS(mobile string, yes bool) {
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

// decide is a visit that must come to a page.
func (s *Server) decide(form *ips.Form, act func(engine.AskInfo) error) ips.Response {
	s.tb.Helper()
	asked := false
	resp := s.visit(form, func(ask engine.AskInfo) {
		s.tb.Helper()
		asked = true
		must(s.tb, act(ask))
	})
	if !asked {
		s.noPage(form)
	}
	return resp
}

func (s *Server) noPage(form *ips.Form) {
	s.tb.Helper()
	s.tb.Fatalf("ipstest: %s %s: IPS does not ask the user: use the option Manual, or SetManual", form.Operation(), form.OrderNo())
}

// visit carries a form to IPS, lets the user act if IPS asks him something, and
// carries the answer back.
func (s *Server) visit(form *ips.Form, act func(engine.AskInfo)) ips.Response {
	s.tb.Helper()
	ctx, cancel := within()
	defer cancel()
	before := len(s.Arrived())
	page := s.open(form)
	if ask := s.asked(form); ask != nil {
		act(*ask)
		var err error
		// A page that was answered sends the user back.
		page, err = s.browser.Get(ctx, page.URL.String())
		must(s.tb, err)
	}
	page, err := s.browser.Follow(ctx, page)
	// A refusal by the handler under test is the test's business.
	if err != nil && (page == nil || !strings.HasPrefix(page.URL.String(), s.inbox.server.URL)) {
		s.tb.Fatalf("ipstest: %s %s: the browser got no further: %v", form.Operation(), form.OrderNo(), err)
	}
	return s.wait(before, fmt.Sprintf("the web return of %s %s", form.Operation(), form.OrderNo()), func(r *ips.Reply) bool {
		return r.Via == ips.WebReturn && r.Operation == form.Operation() && (r.OrderNo == form.OrderNo() || r.OrderNo == "")
	})
}

// open posts a form to IPS.
func (s *Server) open(form *ips.Form) *browser.Page {
	s.tb.Helper()
	ctx, cancel := within()
	defer cancel()
	page, err := s.browser.Post(ctx, form.Action(), form.Values())
	if err != nil {
		s.tb.Fatalf("ipstest: %s %s: IPS does not answer as it should: %v", form.Operation(), form.OrderNo(), err)
	}
	return page
}

// asked is what IPS asks the user about an order, nil if nothing.
func (s *Server) asked(form *ips.Form) *engine.AskInfo {
	views := s.sandbox.Engine()
	order, ok := views.Order(s.cfg.MerchantCode, s.wireName(form.Operation()), form.OrderNo(), form.Operation() == ips.OpEndBid)
	if !ok || order.Ask == "" {
		return nil
	}
	ask, ok := views.Ask(order.Ask)
	if !ok || !ask.Open {
		return nil
	}
	return &ask
}
