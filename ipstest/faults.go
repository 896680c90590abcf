package ipstest

import (
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// WireFault is something that goes wrong on the way; see [Server.BreakNext].
type WireFault int

// The faults that meet a call of the merchant's server. IPS has done what it
// was asked, except where it says otherwise.
const (
	BadGateway       WireFault = iota + 1 // HTTP 502; IPS has done nothing
	ConnectionBroken                      // the connection breaks before the answer
	AnswerTruncated                       // half of the answer comes
	AnswerTooLarge                        // more comes than a client reads
	ServerFault                           // soap:Fault of a web service, with the blame on IPS; it has done nothing
)

// The faults that meet a notification.
const (
	NoticeLost          WireFault = iota + 101 // it does not come, until [Server.Resend]
	NoticeTwice                                // it comes twice
	NoticeForged                               // before it comes one with a signature that does not hold
	NoticeForeign                              // before it comes one that another merchant's keys have signed
	NoticeAmountChanged                        // before it comes one with a good signature and 1.00 too much
)

// order is what the sandbox calls the fault.
func (f WireFault) order() (sandbox.Fault, bool) {
	names := map[WireFault]sandbox.Fault{
		BadGateway:          {Name: fault.HTTP502},
		ConnectionBroken:    {Name: fault.Reset, After: true},
		AnswerTruncated:     {Name: fault.Truncate},
		AnswerTooLarge:      {Name: fault.Oversize, Size: 17 << 20}, // a client reads 16 MiB
		ServerFault:         {Name: fault.SOAPFault},
		NoticeLost:          {Name: fault.NoticeDrop},
		NoticeTwice:         {Name: fault.NoticeDouble},
		NoticeForged:        {Name: fault.NoticeBadSign},
		NoticeForeign:       {Name: fault.NoticeOtherMerchant},
		NoticeAmountChanged: {Name: fault.NoticeAmount},
	}
	order, ok := names[f]
	return order, ok
}

// BreakNext orders a fault on the wire for the next call of an operation, or
// for its next notification. Faults of calls are for those that the merchant's
// server makes; a user's browser gets no further with them.
func (s *Server) BreakNext(op ips.Operation, fault WireFault) {
	s.tb.Helper()
	order, ok := fault.order()
	if !ok {
		s.tb.Fatalf("ipstest: no fault %d", fault)
	}
	order.Op, order.Merchant = s.wireName(op), s.cfg.MerchantCode
	_, err := s.sandbox.OrderFault(order)
	must(s.tb, err)
}

// RefuseNext makes the sandbox refuse the next call of an operation with the
// given code, and do nothing. Empty text takes the sandbox's own.
//
// Faults go by the operation's name on the wire, so those of the registration
// and the end of a bid are the same, and those of the manual and the automatic
// form of bids and repayments.
func (s *Server) RefuseNext(op ips.Operation, code ips.Code, text string) {
	s.tb.Helper()
	s.fault(op, sandbox.Fault{Name: "code", Code: string(code), Text: text})
}

// FailRow makes row n, counted from 1, of the next batch of an operation fail.
func (s *Server) FailRow(op ips.Operation, n int) {
	s.tb.Helper()
	s.fault(op, sandbox.Fault{Name: "row", Row: n})
}

// HoldNext keeps the final answer of the next call of an operation back until
// [Server.Release]: it stays pending.
func (s *Server) HoldNext(op ips.Operation) {
	s.tb.Helper()
	s.fault(op, sandbox.Fault{Name: "stay-pending"})
}

// Release sends the answers that [Server.HoldNext] kept back.
func (s *Server) Release(op ips.Operation) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Release(s.cfg.MerchantCode, s.wireName(op)))
}

func (s *Server) fault(op ips.Operation, f sandbox.Fault) {
	s.tb.Helper()
	f.Op = s.wireName(op)
	must(s.tb, s.sandbox.Fault(s.cfg.MerchantCode, f))
}

// wireName is what the sandbox calls an operation.
func (s *Server) wireName(op ips.Operation) string {
	s.tb.Helper()
	info, ok := op.Info()
	if !ok {
		s.tb.Fatalf("ipstest: no operation %q", op)
	}
	return strings.TrimSuffix(info.Endpoint, ".aspx")
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
