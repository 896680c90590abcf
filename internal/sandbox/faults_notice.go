package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// trouble is what faults have in store for a notification.
type trouble struct {
	drop   bool
	delay  time.Duration
	behind bool    // goes after the merchant's next one, or after delay
	again  bool    // goes once more after it was delivered
	forged *forged // goes first, once
}

// forged is what a notification should not look like.
type forged struct {
	sealed
	signed bool // its signature holds
}

// trouble asks the faults about a notification. Notifications are asked about
// in the order of their numbers, whatever happens on their way.
func (s *Sandbox) trouble(m *merchant, notice engine.Notice, genuine sealed) (trouble, error) {
	var t trouble
	if !s.faults.armed.Load() {
		return t, nil
	}
	wrong, hasAmount := raiseAmount(notice.Answer)
	met := s.faults.meet(event{kind: atNotice, op: notice.Op, merchant: notice.Merchant, amount: hasAmount})
	for _, o := range met {
		var err error
		switch o.Name {
		case FaultNoticeDrop:
			t.drop = true
		case FaultNoticeDelay:
			if !t.behind {
				t.delay = o.Delay
			}
		case FaultNoticeReorder:
			t.behind, t.delay = true, o.Delay
		case FaultNoticeDouble:
			t.again = true
		case FaultNoticeBadSign:
			t.forged = &forged{sealed: genuine}
			t.forged.sign = spoil(genuine.sign)
		case FaultNoticeOtherMerchant:
			t.forged, err = m.forge(m.impostor, notice.Answer)
		case FaultNoticeAmount:
			t.forged, err = m.forge(m, wrong)
		}
		if err != nil {
			return t, fmt.Errorf("sandbox: notice %d: %s: %w", notice.Seq, o.Name, err)
		}
	}
	return t, nil
}

// forge seals an answer as somebody else, or another answer.
func (m *merchant) forge(as *merchant, a engine.Answer) (*forged, error) {
	answer, err := as.seal(a)
	return &forged{answer, true}, err
}

// spoil changes a signature into another of the same shape.
func spoil(sign string) string {
	last := "0"
	if strings.HasSuffix(sign, last) {
		last = "1"
	}
	return sign[:len(sign)-1] + last
}

// raiseAmount is the answer with its first amount one yuan higher; ok is false
// when there is none.
func raiseAmount(a engine.Answer) (raised engine.Answer, ok bool) {
	for i, f := range a.Body {
		if !strings.HasSuffix(f.Name, "Amt") {
			continue
		}
		whole, rest, _ := strings.Cut(f.Value, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || strings.Trim(f.Value, "0.") == "" {
			continue
		}
		f.Value = strconv.FormatInt(n+1, 10)
		if rest != "" {
			f.Value += "." + rest
		}
		body := append(engine.Message(nil), a.Body...)
		body[i] = f
		a.Body = body
		return a, true
	}
	return a, false
}
