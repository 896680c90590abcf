package main

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// lines counts the lines that hold code, below each folder: a line that has at
// least one token that is no comment.
func lines(w io.Writer, dirs []string) error {
	for _, dir := range dirs {
		total := 0
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != dir:
				return fs.SkipDir
			case d.IsDir(), filepath.Ext(path) != ".go", strings.HasSuffix(path, "_test.go"):
				return nil
			}
			src, err := os.ReadFile(path)
			if err == nil {
				total += codeLines(src)
			}
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%7d %s\n", total, dir)
	}
	return nil
}

func codeLines(src []byte) int {
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0) // comments are skipped
	seen := make(map[int]bool)
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return len(seen)
		}
		if tok == token.SEMICOLON && text == "\n" { // made by the scanner
			continue
		}
		first := file.Line(pos)
		for i := range 1 + strings.Count(text, "\n") {
			seen[first+i] = true
		}
	}
}
