// Command sandbox plays IPS (环迅支付 资金管理平台 v2.0) on this machine, for
// merchants who want to try their programs without IPS and without money. It
// is not IPS.
//
//	go run ./examples/sandbox -data ./sandbox-data
//
// Every flag can also be given as an environment variable: -addr is
// IPS_SANDBOX_ADDR, -tls-cert is IPS_SANDBOX_TLS_CERT. docs/sandbox.md
// describes them all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program the hard way.
	context.AfterFunc(ctx, stop)
	os.Exit(exitCode(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr), os.Stderr))
}

// exitCode says what went wrong and how the program ends.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "sandbox:", err)
		return 2
	}
	fmt.Fprintln(stderr, "sandbox:", err)
	return 1
}

// run starts a sandbox and serves until ctx is over.
func run(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) error {
	o, err := readOptions(args, env, stderr)
	if err != nil {
		return err
	}
	if o.export != "" {
		return export(o.data, o.export, stderr)
	}
	box, err := o.open(stderr)
	if err != nil {
		return err
	}
	base, err := box.Start(o.addr)
	if err != nil {
		return errors.Join(err, box.Close())
	}
	if o.sample {
		if err := box.Sample("", base); err != nil {
			return errors.Join(err, box.Close())
		}
	}
	if !o.loopback() {
		warnOfRemote(stderr, o.addr)
	}
	o.introduce(stdout, base)
	if o.tail {
		tail(ctx, stdout, box.Unmasked)
	}

	<-ctx.Done()
	fmt.Fprintln(stdout, "stopping")
	return o.shutdown(box, stdout)
}

// warnOfRemote is as loud as a terminal can be.
func warnOfRemote(w io.Writer, addr string) {
	fmt.Fprintf(w, `
*** WARNING ****************************************************************
*** The sandbox listens on %s, which other machines can reach.
*** Whoever reaches it sees all its messages, moves its play money and reads
*** its console. It has no accounts and no passwords of its own.
*** Never let real people's data near it. IT IS NOT IPS.
****************************************************************************

`, addr)
}
