// Quickstart plays all 17 scenarios of the usage guide of IPS (环迅支付
// 资金管理平台 v2.0) as one story with invented people:
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -scenario 6   # one, with what it needs before it
//	go run ./examples/quickstart -v            # and every message
//
// It starts a sandbox that plays IPS, is itself the merchant with its callback
// server and the users with their browser, and ends with exit code 0 only if
// every order went as it should and everybody has the money he should have.
//
// With -base it talks to another IPS; -h says how.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/ips-p2p/ips"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errUsage):
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "\nFAILED:", err)
	os.Exit(1)
}

const usage = `Usage: quickstart [flags]

Plays all 17 scenarios of the usage guide of IPS as one story, against a sandbox
of its own or another IPS.

Flags:
`

// errUsage says that the flags were wrong; the flag package has told the user.
var errUsage = errors.New("usage")

type flags struct {
	scenario int
	verbose  bool
	patience time.Duration
	base     string
	listen   string
}

func parseFlags(args []string, out io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	set.SetOutput(out)
	set.Usage = func() {
		fmt.Fprint(out, usage)
		set.PrintDefaults()
		fmt.Fprint(out, environment)
	}
	set.IntVar(&f.scenario, "scenario", 0, "play scenario `N` (1-17) of the usage guide with what it needs before it; 0 plays all")
	set.BoolVar(&f.verbose, "v", false, "show every message: its envelope, and its XML with personal data masked")
	set.DurationVar(&f.patience, "wait", 10*time.Second, "how long to wait for a notification")
	set.StringVar(&f.base, "base", "", "base `URL` of another IPS, e.g. http://127.0.0.1:8480 for the sandbox program")
	set.StringVar(&f.listen, "listen", "127.0.0.1:0", "`address` where IPS and browsers reach this program")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return f, err
	case err != nil:
		return f, fmt.Errorf("%w: %w", errUsage, err)
	case f.patience <= 0:
		fmt.Fprintln(out, "-wait must be more than 0")
		return f, fmt.Errorf("%w: -wait %s", errUsage, f.patience)
	case set.NArg() > 0:
		fmt.Fprintf(out, "unexpected argument %q\n", set.Arg(0))
		return f, fmt.Errorf("%w: unexpected argument %q", errUsage, set.Arg(0))
	}
	return f, nil
}

// run is the program. Its error is nil only if everything went as it should.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	f, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	list, err := choose(f.scenario)
	if err != nil {
		return err
	}
	w, err := open(f, getenv)
	if err != nil {
		return err
	}
	defer w.close()

	out := &printer{out: stdout}
	var opts []ips.Option
	if f.verbose {
		opts = append(opts, ips.WithWireTap(out.message))
	}
	m, err := newMerchant(w, f.patience, out, opts...)
	if err != nil {
		return err
	}
	out.printf("%s: %s\nmerchant %s, called back at %s\n", w.cfg.Environment.Name, m.Environment().PostBase, m.MerchantCode(), w.listener.Addr())

	s := newStory(m, prefix(w))
	if err := s.tell(ctx, list); err != nil {
		return fmt.Errorf("%w\n%s", err, advice(err))
	}
	return reckon(ctx, s, w, f.scenario == 0)
}

// prefix begins all order numbers, bid numbers and e-mail addresses. They must be
// new to IPS, which those of another run may not be elsewhere.
func prefix(w *world) string {
	if w.sandbox != nil {
		return "QS"
	}
	return "QS" + rand.Text()[:10]
}

// reckon compares the balances in the end with what was worked out by hand,
// and looks into the sandbox's books.
func reckon(ctx context.Context, s *story, w *world, whole bool) error {
	have, err := s.balances(ctx)
	if err != nil {
		return err
	}
	want := s.want
	if whole {
		want = ending()
	}
	s.out.balances(have, want)
	if err := compare(have, want); err != nil {
		return err
	}
	if sum := total(have); sum != s.cash {
		return fmt.Errorf("all together have %s, and %s came in less what went out", sum, s.cash)
	}
	s.out.printf("\n   All together have %s: what came in less what went out.\n", s.cash)
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	verdict, err := w.checkBooks(ctx)
	if err != nil {
		return err
	}
	s.out.printf("   %s\n\nOK\n", verdict)
	return nil
}

// advice says what to do about an error.
func advice(err error) string {
	var refusal *ips.Error
	var page *pageError
	var silence *silenceError
	var rows *rowsError
	var wrong *balanceError
	switch {
	case errors.As(err, &page), errors.As(err, &silence): // they say it themselves
		return "Nothing further was tried."
	case errors.As(err, &refusal), errors.As(err, &rows):
		return "IPS refused: its message says why. Run again with -v to see what was sent."
	case errors.As(err, &wrong):
		return "Does this IPS take fees, or does somebody else use this merchant code at the same time? " +
			"If not, IPS and the story disagree about the scenario."
	case errors.Is(err, ips.ErrSignature):
		return "An answer was not signed with this merchant's keys: check IPS_CERT, and IPS_PUBLIC_KEY if IPS signs with RSA."
	case errors.Is(err, ips.ErrFateUnknown):
		return "Whether IPS did it is not known. A platform would wait for the notification, and never send it under a new number."
	case errors.Is(err, context.Canceled):
		return "Interrupted."
	}
	return "Can this program reach IPS, and has it answered as v2.0 does? Run again with -v to see the messages."
}
