package ipstest

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// Chaos begins a bad day: from now on each of these things goes wrong now and
// then, with the probability rate, above 0 and at most 1; 0.05 is a very bad day.
//
//   - A request, of the merchant's server or a user's browser, is answered with
//     HTTP 502 or a soap:Fault or by a broken connection, before IPS has done
//     anything or after it; half of the answer comes, or (ten times rarer) more than
//     a client reads.
//   - A notification is lost, late, doubled, overtaken by the next one, or there
//     before the answer to the call; before it comes one that is forged, another
//     merchant's, or signed and over 1.00 too much.
//   - A user comes back to the merchant never, twice, or with a changed answer
//     first. [Server.Carry] and its like return nil for who does not come back or
//     gets stuck on the way.
//   - An order is refused by [ips.CodeFailed] or by a code in no list, or it is
//     [Held]; one of the first two rows of a batch fails.
//
// What IPS says or does not say of an order may be wrong; what it does never is:
// its books are right, and no order is carried out twice. A merchant whose handler
// is right has the same books as IPS when [Server.Calm] has ended the day.
//
// The same seed does the same to a test that does the same, one thing after the
// other. Chaos meets whatever sets the stage, too, which then fails the test:
// begin it behind that. A Server has one chaos at a time.
func (s *Server) Chaos(seed uint64, rate float64) {
	s.tb.Helper()
	c := &chaos{rate: rate, draw: rand.New(rand.NewPCG(seed, 0))}
	if !(rate > 0 && rate <= 1) || !s.chaos.CompareAndSwap(nil, c) {
		s.tb.Fatalf("ipstest: Chaos: want a rate above 0 and at most 1, got %v, and no other chaos", rate)
	}
	for _, f := range []sandbox.Fault{
		{Name: fault.HTTP502}, {Name: fault.HTTP502, After: true}, {Name: fault.SOAPFault}, {Name: fault.SOAPFault, After: true},
		{Name: fault.Reset}, {Name: fault.Reset, After: true}, {Name: fault.Truncate},
		{Name: fault.Oversize, Size: 17 << 20, Probability: rate / 10},
		{Name: fault.NoticeDrop}, {Name: fault.NoticeDelay, Delay: 50 * time.Millisecond}, {Name: fault.NoticeDouble},
		{Name: fault.NoticeReorder, Delay: 100 * time.Millisecond}, {Name: fault.NoticeFirst},
		{Name: fault.NoticeBadSign}, {Name: fault.NoticeOtherMerchant}, {Name: fault.NoticeAmount},
		{Name: fault.Code, Code: string(ips.CodeFailed)}, {Name: fault.Code, Code: "MG19999F", Text: "失败"},
		{Name: fault.StayPending}, {Name: fault.Row, Row: 1}, {Name: fault.Row, Row: 2},
	} {
		f.Merchant, f.Seed = s.cfg.MerchantCode, max(seed, 1)
		if f.Probability == 0 {
			f.Probability = rate
		}
		id, err := s.sandbox.OrderFault(f)
		must(s.tb, err)
		c.faults = append(c.faults, id)
	}
}

// Calm ends [Server.Chaos]. Nothing goes wrong any more, what was [Held] gets its
// final answer, and every notification that was lost or not taken comes again; see
// [Server.WaitIdle].
func (s *Server) Calm() {
	s.tb.Helper()
	c := s.chaos.Swap(nil)
	if c == nil {
		return
	}
	for _, id := range c.faults {
		must(s.tb, s.sandbox.LiftFault(id))
	}
	for _, n := range s.sandbox.Notifications() {
		if n.Merchant == s.cfg.MerchantCode && (n.State == notifier.Dropped || n.State == notifier.Abandoned) {
			must(s.tb, s.sandbox.Resend(n.Seq))
		}
	}
}

// chaos is what goes wrong behind the back of the sandbox.
type chaos struct {
	rate   float64
	faults []int64

	mu   sync.Mutex
	draw *rand.Rand
}

// visits says how often a user comes back to the merchant, and whether he, or
// somebody, tries it with a changed answer first.
func (c *chaos) visits() (n int, forged bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	never, twice, forged := c.draw.Float64() < c.rate, c.draw.Float64() < c.rate, c.draw.Float64() < c.rate
	switch {
	case never:
		n = 0
	case twice:
		n = 2
	default:
		n = 1
	}
	return n, forged
}
