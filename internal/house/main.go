// Command house keeps the repository in order: it measures what the documents
// promise of its structure.
//
//	go run ./internal/house rings . internal/sandbox …
//
// prints for each package the arrows between its files by the names that they
// use, the largest ring of files, and the arrows that run against the order in
// docs/architecture.md; it fails where a bound given as DIR=RING,UP is exceeded.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 || os.Args[1] != "rings" {
		fmt.Fprintln(os.Stderr, "usage: house rings DIR[=RING[,UP]]…")
		os.Exit(2)
	}
	if err := rings(os.Stdout, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(1)
	}
}
