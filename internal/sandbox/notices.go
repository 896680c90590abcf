package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// post makes a notice ready to go, with the faults that hit it. Faults are
// asked about notices in the order of their numbers, whatever happens on their
// way.
func (s *Sandbox) post(notice engine.Notice, hold *notifier.Hold) (notifier.Post, error) {
	p := notifier.Post{Hold: hold}
	m := s.merchants[notice.Merchant]
	if m == nil {
		return p, fmt.Errorf("sandbox: notice %d: merchant %s: %w", notice.Seq, notice.Merchant, ErrNotFound)
	}
	notice.Answer = skewed(notice.Answer, s.skew)
	var err error
	if p.Answer, err = m.seal(notice.Answer); err != nil {
		return p, fmt.Errorf("sandbox: notice %d: %w", notice.Seq, err)
	}
	p.Notice = notice
	wrong, hasAmount := raiseAmount(notice.Answer)
	for _, f := range s.faults.Notice(notice.Op, notice.Merchant, hasAmount) {
		words := fault.Label(f.Name)
		p.Faults.Words = strings.TrimPrefix(p.Faults.Words+"、"+words, "、")
		switch f.Name {
		case fault.NoticeDrop:
			p.Faults.Drop = true
		case fault.NoticeDelay:
			if !p.Faults.Behind {
				p.Faults.Delay = f.Delay
			}
		case fault.NoticeReorder:
			p.Faults.Behind, p.Faults.Delay = true, f.Delay
		case fault.NoticeDouble:
			p.Faults.Twice = true
		case fault.NoticeFirst:
			p.Hold, p.Faults.First = nil, true
		case fault.NoticeBadSign:
			p.Faults.Forged = &notifier.Forgery{Envelope: p.Answer, Words: words}
			p.Faults.Forged.Sign = spoil(p.Answer.Sign)
		case fault.NoticeOtherMerchant:
			p.Faults.Forged, err = forge(m.impostor, notice.Answer, words)
		case fault.NoticeAmount:
			p.Faults.Forged, err = forge(m, wrong, words)
		}
		if err != nil {
			return p, fmt.Errorf("sandbox: notice %d: %s: %w", notice.Seq, f.Name, err)
		}
	}
	return p, nil
}

// forge seals an answer as somebody else, or another answer.
func forge(as *merchant, a engine.Answer, words string) (*notifier.Forgery, error) {
	answer, err := as.seal(a)
	return &notifier.Forgery{Envelope: answer, Signed: true, Words: words}, err
}

// skewed is an answer whose pIpsTime comes from another clock.
func skewed(a engine.Answer, by time.Duration) engine.Answer {
	for i, f := range a.Body {
		const wireTime = "20060102150405"
		if f.Name != "pIpsTime" || by == 0 {
			continue
		}
		if at, err := time.Parse(wireTime, f.Value); err == nil {
			a.Body = slices.Clone(a.Body)
			a.Body[i].Value = at.Add(by).Format(wireTime)
		}
	}
	return a
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
		a.Body = slices.Clone(a.Body)
		a.Body[i] = f
		return a, true
	}
	return a, false
}
