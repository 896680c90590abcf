package ipstest

import (
	"path"
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
)

// Fault is something that goes wrong: see [Server.Fault].
type Fault struct{ order sandbox.Fault }

// The faults that meet a call of the merchant's server; a user's browser gets no
// further with them. IPS has done what it was asked, except where it says
// otherwise.
var (
	BadGateway       = Fault{sandbox.Fault{Name: fault.HTTP502}}                  // HTTP 502; IPS has done nothing
	ConnectionBroken = Fault{sandbox.Fault{Name: fault.Reset, After: true}}       // the connection breaks before the answer
	AnswerTruncated  = Fault{sandbox.Fault{Name: fault.Truncate}}                 // half of the answer comes
	AnswerTooLarge   = Fault{sandbox.Fault{Name: fault.Oversize, Size: 17 << 20}} // more comes than the 16 MiB that a client reads
	ServerFault      = Fault{sandbox.Fault{Name: fault.SOAPFault}}                // soap:Fault of a web service, with the blame on IPS; it has done nothing
)

// The faults that meet a notification.
var (
	NoticeLost          = Fault{sandbox.Fault{Name: fault.NoticeDrop}}          // it does not come, until [Server.Resend]
	NoticeTwice         = Fault{sandbox.Fault{Name: fault.NoticeDouble}}        // it comes twice
	NoticeForged        = Fault{sandbox.Fault{Name: fault.NoticeBadSign}}       // before it comes one with a signature that does not hold
	NoticeForeign       = Fault{sandbox.Fault{Name: fault.NoticeOtherMerchant}} // before it comes one that another merchant's keys have signed
	NoticeAmountChanged = Fault{sandbox.Fault{Name: fault.NoticeAmount}}        // before it comes one with a good signature and 1.00 too much
)

// Held keeps an order pending: its final answer comes with [Server.Release].
var Held = Fault{sandbox.Fault{Name: fault.StayPending}}

// Refusal refuses an order with the given code, and does nothing. Empty text
// takes the sandbox's own.
func Refusal(code ips.Code, text string) Fault {
	return Fault{sandbox.Fault{Name: fault.Code, Code: string(code), Text: text}}
}

// FailedRow fails row n of a batch, counted from 1.
func FailedRow(n int) Fault { return Fault{sandbox.Fault{Name: fault.Row, Row: n}} }

// Fault orders a fault for the next call, order or notification of an operation
// that it can meet.
//
// Faults go by the operation's name on the wire, so those of the registration
// and the end of a bid are the same, and those of the manual and the automatic
// form of bids and repayments.
func (s *Server) Fault(op ips.Operation, f Fault) {
	s.tb.Helper()
	order := f.order
	order.Op, order.Merchant = s.wireName(op), s.cfg.MerchantCode
	_, err := s.sandbox.OrderFault(order)
	must(s.tb, err)
}

// Release gives the orders that [Held] kept pending their final answers.
func (s *Server) Release(op ips.Operation) {
	s.tb.Helper()
	must(s.tb, s.sandbox.Release(s.cfg.MerchantCode, s.wireName(op)))
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
	name, last := s.wireName(op), int64(0)
	for _, n := range s.sandbox.Notifications() {
		// Two operations on a bid have one name on the wire; their addresses differ.
		at := ips.Operation(path.Base(n.URL))
		_, known := at.Info()
		if n.Merchant == s.cfg.MerchantCode && n.Order == orderNo && n.Op == name && (at == op || !known) {
			last = n.Seq
		}
	}
	if last == 0 {
		s.tb.Fatalf("ipstest: no notification of %s %s to send again", op, orderNo)
	}
	must(s.tb, s.sandbox.Resend(last))
}
