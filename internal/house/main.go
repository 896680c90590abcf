// Command house keeps the repository in order and lays it out as its users get it.
//
//	go test ./internal/house
//
// holds the documents to the code and the code to the documents: the reference,
// links, tables and licences of dependencies, the places of tests, the rings of
// files. With -update it writes the reference.
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
	case len(args) > 1 && args[0] == "lines":
		return lines(os.Stdout, args[1:])
	case len(args) == 3 && args[0] == "proxy":
		return proxy(args[1], args[2])
	}
	return fmt.Errorf("usage: house lines DIR… | proxy DIR VERSION")
}
