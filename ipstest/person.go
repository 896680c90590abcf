package ipstest

import (
	"fmt"

	"github.com/ips-p2p/ips"
)

// Person is a fictional user with a custody account.
type Person struct {
	Name    string
	IdentNo string
	Mobile  string
	Email   string
	Account string // custody account
}

var names = []string{"张三", "李四", "王五", "赵六"}

// NewPerson invents a person who has no account yet. Every call invents another.
func (s *Server) NewPerson() Person {
	n := s.people.Add(1)
	return Person{
		Name:    names[(n-1)%int64(len(names))],
		IdentNo: fmt.Sprintf("11010119900101%04d", n%10000),
		Mobile:  fmt.Sprintf("138%08d", n%100000000),
		Email:   fmt.Sprintf("person%d@example.com", n),
	}
}

// Person invents a person, opens an account for him and recharges it with the
// funds, which may be 0, all over the wire. The handler under test hears nothing
// of it, as of all that sets the stage: for what it should hear, use its client.
func (s *Server) Person(funds ips.Amount) Person {
	s.tb.Helper()
	p := s.NewPerson()
	form, err := s.stage.OpenAccount(ips.OpenAccountRequest{
		OrderNo: s.NewOrderNo(), Date: s.Today(),
		IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile, Email: p.Email,
	})
	opened := s.agreed(form, err).(*ips.OpenAccountResponse)
	p.Account = opened.Account
	if funds > 0 {
		s.Recharge(p, funds)
	}
	return p
}

// Recharge brings money into a person's account through his bank, over the
// wire. The amount is what arrives: a fee of IPS comes on top.
func (s *Server) Recharge(p Person, amount ips.Amount) {
	s.tb.Helper()
	form, err := s.stage.Recharge(ips.RechargeRequest{
		OrderNo: s.NewOrderNo(), Date: s.Today(),
		IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Amount: amount + s.ipsFee, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.UserPaysFee,
	})
	s.agreed(form, err)
}

// agreed has the user agree to a form, which must succeed or stay pending.
func (s *Server) agreed(form *ips.Form, err error) ips.Response {
	s.tb.Helper()
	must(s.tb, err)
	resp := s.Carry(form)
	if resp == nil {
		s.tb.Fatalf("ipstest: %s %s: the chaos has met what sets the stage: begin it later", form.Operation(), form.OrderNo())
	}
	must(s.tb, resp.Err())
	return resp
}
