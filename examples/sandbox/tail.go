package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/ips-p2p/ips/internal/sandbox/messages"
)

// tailEvery is how often new messages are looked for.
const tailEvery = 100 * time.Millisecond

// tail writes a line of each message that comes in or goes out until ctx is over.
func tail(ctx context.Context, w io.Writer, list func() []messages.Message) {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	last := int64(0)
	for {
		over := ctx.Err() != nil
		for _, m := range list() {
			if m.Seq <= last {
				continue
			}
			if missed := m.Seq - last - 1; missed > 0 {
				fmt.Fprintf(w, "… %d messages went by too fast\n", missed)
			}
			last = m.Seq
			fmt.Fprintln(w, tailLine(m))
		}
		if over {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done(): // and what came until now
		}
	}
}

// tailLine is a message without its document. What others wrote must not steer
// the terminal.
func tailLine(m messages.Message) string {
	arrow := "→ IPS" // to the sandbox
	if m.Direction == messages.Out {
		arrow = "← IPS"
	}
	fields := []string{m.At.Format("15:04:05.000"), arrow, string(m.Via), m.Merchant, m.Op, m.Order, m.Code, m.Text}
	if !m.Verified {
		fields = append(fields, "(signature does not hold)")
	}
	if m.Direction == messages.Out && m.Via == messages.ViaNotify {
		fields = append(fields, m.Peer)
	}
	line := strings.Join(strings.Fields(strings.Join(fields, " ")), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, line)
}
