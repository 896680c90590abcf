// Package demo is what the example programs have in common and what is not
// about the SDK: it finds an IPS to talk to, serves the merchant's callbacks,
// plays the users with their browser, and invents people and their loans.
//
// A platform has a web server, a database and real users in its place.
package demo

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
)

// Main runs a program whose flags are defined in package flag, and ends the
// process if that fails: with exit code 2 if it was called wrongly, else with 1.
// Programs return from main right after it.
func Main(run func(ctx context.Context, getenv func(string) string, out *log.Logger) error) {
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(flag.CommandLine.Output(), "unexpected argument %q\n", flag.Arg(0))
		usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Getenv, log.New(os.Stdout, "", 0))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprintf(out, "Usage: %s [flags]\n", filepath.Base(os.Args[0]))
	flag.PrintDefaults()
	fmt.Fprint(out, Environment)
}
