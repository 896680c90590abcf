// Benchreport reads the output of the SDK's benchmarks and writes a table of
// the medians in Markdown, and with -svg a picture of how cost grows with rows:
//
//	go test -run '^$' -bench . -count 10 . | go run ./internal/benchreport -svg docs/growth.svg
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	svg := flag.String("svg", "", "draw the growth into this file")
	flag.Parse()
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
