// Benchreport reads the output of the SDK's benchmarks and writes a table of
// the medians in Markdown, and with -svg a picture of how cost grows with rows:
//
//	go test -run '^$' -bench . -count 10 . | go run ./internal/benchreport -svg docs/growth.svg
//
// With -book it reads what the order book's benchmark of growth prints instead.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	svg := flag.String("svg", "", "draw the growth into this file")
	grown := flag.String("book", "", "read the order book's growth, and draw it into this file")
	flag.Parse()
	if *grown != "" {
		if err := book(os.Stdin, os.Stdout, *grown); err != nil {
			fmt.Fprintln(os.Stderr, "benchreport:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Stdin, os.Stdout, *svg); err != nil {
		fmt.Fprintln(os.Stderr, "benchreport:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, svg string) error {
	r, err := read(in)
	if err != nil {
		return err
	}
	if err := r.table(out); err != nil {
		return err
	}
	if svg == "" {
		return nil
	}
	picture, err := draw(r.growth())
	if err != nil {
		return err
	}
	return os.WriteFile(svg, picture, 0o644)
}
