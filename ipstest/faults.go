package ipstest

import (
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// RefuseNext makes the sandbox refuse the next call of an operation with the
// given code, and do nothing. Empty text takes the sandbox's own.
//
// Faults go by the operation's name on the wire, so those of the registration
// and the end of a bid are the same, and those of the manual and the automatic
// form of bids and repayments.
func (s *Server) RefuseNext(op ips.Operation, code ips.Code, text string) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "code", Code: string(code), Text: text})
}

// FailRow makes row n, counted from 1, of the next batch of an operation fail.
func (s *Server) FailRow(op ips.Operation, n int) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "row", Row: n})
}

// HoldNext keeps the final answer of the next call of an operation back until
// [Server.Release]: it stays pending.
func (s *Server) HoldNext(op ips.Operation) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "stay-pending"})
}

// Release sends the answers that [Server.HoldNext] kept back.
func (s *Server) Release(op ips.Operation) {
	s.tb.Helper()
	s.fault(op, engine.Fault{Name: "stay-pending", Lift: true})
}

func (s *Server) fault(op ips.Operation, f engine.Fault) {
	s.tb.Helper()
	info, ok := op.Info()
	if !ok {
		s.tb.Fatalf("ipstest: no operation %q", op)
	}
	f.Op = strings.TrimSuffix(info.Endpoint, ".aspx")
	must(s.tb, s.sandbox.Fault(s.cfg.MerchantCode, f))
}

// Resend posts the last notification of an order once more, as IPS does when it
// is not sure that the first one arrived. It fails the test if there was none.
func (s *Server) Resend(op ips.Operation, orderNo string) {
	s.tb.Helper()
	last := int64(0)
	for _, n := range s.sandbox.Notifications() {
		if n.Merchant == s.cfg.MerchantCode && n.Order == orderNo && strings.HasSuffix(n.URL, "/"+string(op)) {
			last = n.Seq
		}
	}
	if last == 0 {
		s.tb.Fatalf("ipstest: no notification of %s %s to send again", op, orderNo)
	}
	must(s.tb, s.sandbox.Resend(last))
}
