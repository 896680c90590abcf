// Command house keeps the repository in order: it measures what the documents
// promise of its structure, and lays it out as its users get it.
//
//	go run ./internal/house rings . internal/sandbox=12 …
//
// prints for each package the largest ring of files by the names that they use
// and the arrows that run against the order in docs/architecture.md; it fails
// where a bound given as DIR=RING,UP is exceeded.
//
//	go run ./internal/house proxy DIR VERSION
//
// writes the modules of the repository to DIR as a module proxy serves them.
//
//	go run ./internal/house lines DIR…
//
// counts the lines of Go code below each folder, without blank lines, comments and
// tests.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 1 && args[0] == "rings":
		return rings(os.Stdout, args[1:])
	case len(args) > 1 && args[0] == "lines":
		return lines(os.Stdout, args[1:])
	case len(args) == 3 && args[0] == "proxy":
		return proxy(args[1], args[2])
	}
	return fmt.Errorf("usage: house rings DIR[=RING[,UP]]… | lines DIR… | proxy DIR VERSION")
}
