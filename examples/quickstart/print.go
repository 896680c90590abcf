package main

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/ips-p2p/ips"
	"golang.org/x/text/width"
)

// printer writes what happens, line by line and from several goroutines.
type printer struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *printer) printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Nobody can be told that the terminal has gone.
	_, _ = fmt.Fprintf(p.out, format, args...)
}

// scenario heads a scenario's steps.
func (p *printer) scenario(s *scenario) {
	number := "附"
	if s.number > 0 {
		number = fmt.Sprintf("%2d", s.number)
	}
	p.printf("\n%s %s  %s\n", pad(number, 2), s.name, s.about)
}

// legend explains the columns of step.
func (p *printer) legend() {
	p.printf("\n   %s\n", columns("METHOD", "WIRE", "ORDER", "CODE", "FIRST", "FINAL", "ABOUT"))
}

// step prints one operation: the outcome of the first answer, and that of the
// final one, whose code it is.
func (p *printer) step(about string, first, final ips.Response) {
	b := final.Base()
	info, _ := b.Operation.Info()
	p.printf("   %s\n", columns(info.Method, info.Endpoint, first.Base().OrderNo, string(b.Code),
		first.Base().Outcome.String(), b.Outcome.String(), about))
	if b.Outcome == ips.Failure {
		p.printf("   %s\n", b.Message)
	}
}

func columns(method, wire, order, code, first, final, about string) string {
	return pad(method, 21) + pad(wire, 24) + pad(order, 17) + pad(code, 9) + pad(first, 8) + pad(final, 8) + about
}

// effect prints what a scenario has done to everybody's money.
func (p *printer) effect(effect map[party]money) {
	var b strings.Builder
	for _, who := range parties() {
		m := effect[who]
		if m.available != 0 {
			fmt.Fprintf(&b, "  %s %s", who.name(), signed(m.available))
		}
		if m.frozen != 0 {
			fmt.Fprintf(&b, "  %s frozen %s", who.name(), signed(m.frozen))
		}
	}
	if b.Len() == 0 {
		b.WriteString("  as before")
	}
	p.printf("   MONEY%s\n", b.String())
}

func signed(a ips.Amount) string {
	if a > 0 {
		return "+" + a.String()
	}
	return a.String()
}

// refused prints an answer that the callback server did not take.
func (p *printer) refused(err error) { p.printf("   refused: %v\n", err) }

// message prints a message as it went over the wire. The client has masked
// personal data in the document, and the body of the envelope is that document
// again, encrypted, so it is cut short.
func (p *printer) message(m ips.WireMessage) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n   --- %s %s", m.Direction, m.Operation)
	if m.Direction == ips.Received {
		fmt.Fprintf(&b, ", %s", m.Via)
	}
	b.WriteByte('\n')
	for _, f := range m.Envelope {
		fmt.Fprintf(&b, "   %s%s\n", pad(f.Name, 16), short(f.Value))
	}
	if m.Document != "" {
		fmt.Fprintf(&b, "   %s\n", strings.TrimPrefix(m.Document, "\ufeff"))
	}
	if m.Err != nil {
		fmt.Fprintf(&b, "   not believed: %v\n", m.Err)
	}
	p.printf("%s", b.String())
}

func short(s string) string {
	const most = 64
	if len(s) <= most || !ascii(s) {
		return s
	}
	return fmt.Sprintf("%s… (%d characters)", s[:most], len(s))
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0
}

// balances prints what each party has, and what it should have.
func (p *printer) balances(have, want map[party]money) {
	p.printf("\n   %s%s%s\n", pad("BALANCES", 16), left("available", 14), left("frozen", 14))
	for _, who := range parties() {
		verdict := ""
		if have[who] != want[who] {
			verdict = fmt.Sprintf("   WRONG: should be %s available, %s frozen", want[who].available, want[who].frozen)
		}
		p.printf("   %s%s%s%s\n", pad(who.String(), 16), left(have[who].available.String(), 14), left(have[who].frozen.String(), 14), verdict)
	}
}

// columnsOf is how many columns of a terminal a text takes: Chinese characters
// take two.
func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// pad fills up with spaces, with at least one behind the text.
func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(1, columns-columnsOf(s)))
}

// left fills up with spaces on the left.
func left(s string, columns int) string {
	return strings.Repeat(" ", max(1, columns-columnsOf(s))) + s
}
