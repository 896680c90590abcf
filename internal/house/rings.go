package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rings reports on each package; an argument is a folder, and behind "=" the
// largest ring and the most upward arrows that it may have.
func rings(w io.Writer, args []string) error {
	var errs []error
	for _, arg := range args {
		dir, bounds, bounded := strings.Cut(arg, "=")
		arrows, err := fileArrows(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		ring := largestRing(arrows)
		up := upward(arrows, readingOrder(dir))
		fmt.Fprintf(w, "%s: %d files, largest ring %d, %d arrows against the order\n", dir, len(arrows), len(ring), len(up))
		if len(ring) > 1 {
			fmt.Fprintf(w, "  ring: %s\n", strings.Join(ring, " "))
		}
		for _, a := range up {
			fmt.Fprintf(w, "  up: %s -> %s (%s)\n", a.from, a.to, a.name)
		}
		if !bounded {
			continue
		}
		mostRing, mostUp, hasUp := strings.Cut(bounds, ",")
		if n, err := strconv.Atoi(mostRing); err != nil || len(ring) > n {
			errs = append(errs, fmt.Errorf("%s: a ring of %d files, want at most %s", dir, len(ring), mostRing))
		}
		if n, err := strconv.Atoi(mostUp); hasUp && (err != nil || len(up) > n) {
			errs = append(errs, fmt.Errorf("%s: %d arrows against the order, want at most %s", dir, len(up), mostUp))
		}
	}
	return errors.Join(errs...)
}

// arrow says that one file uses a name of another.
type arrow struct{ from, to, name string }

// fileArrows gives for each file of the package in dir, tests left out, the files
// whose names it uses and one such name.
func fileArrows(dir string) (map[string]map[string]string, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,GoFiles,Dir", ".")
	list.Dir = dir
	list.Env = os.Environ()
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		list.Env = append(list.Env, "GOWORK=off")
	}
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	type listed struct {
		ImportPath, Export, Dir string
		GoFiles                 []string
	}
	export := make(map[string]string)
	var last listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		export[p.ImportPath] = p.Export
		last = p
	}
	fset := token.NewFileSet()
	var files []*ast.File
	arrows := make(map[string]map[string]string)
	for _, name := range last.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(last.Dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		arrows[name] = make(map[string]string)
	}
	info := types.Info{Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(export[path]) })}
	pkg, err := conf.Check(last.ImportPath, fset, files, &info)
	if err != nil {
		return nil, err
	}
	for id, obj := range info.Uses {
		if obj.Pkg() != pkg || !named(pkg, obj) {
			continue
		}
		from, to := filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(obj.Pos()).Filename)
		if from != to && (arrows[from][to] == "" || obj.Name() < arrows[from][to]) {
			arrows[from][to] = obj.Name()
		}
	}
	return arrows, nil
}

// named reports whether obj is a name of the package or a method of its types.
// Fields count with the type that has them.
func named(pkg *types.Package, obj types.Object) bool {
	if f, ok := obj.(*types.Func); ok && f.Signature().Recv() != nil {
		return !types.IsInterface(f.Signature().Recv().Type())
	}
	return obj.Parent() == pkg.Scope()
}

// largestRing returns the files of the largest set in which each reaches each.
func largestRing(arrows map[string]map[string]string) []string {
	reach := make(map[string]map[string]bool)
	for from := range arrows {
		seen := make(map[string]bool)
		for todo := []string{from}; len(todo) > 0; {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for to := range arrows[at] {
				if !seen[to] {
					seen[to] = true
					todo = append(todo, to)
				}
			}
		}
		reach[from] = seen
	}
	var largest []string
	for a := range arrows {
		ring := []string{a}
		for b := range arrows {
			if a != b && reach[a][b] && reach[b][a] {
				ring = append(ring, b)
			}
		}
		slices.Sort(ring)
		if len(ring) > len(largest) || len(ring) == len(largest) && len(ring) > 0 && ring[0] < largest[0] {
			largest = ring
		}
	}
	return largest
}

// readingOrder is the order of a package's files, bottom first, as the document
// on the architecture has it in a line "Order of DIR: a.go b.go …"; nil for none.
func readingOrder(dir string) []string {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		return nil
	}
	m := regexp.MustCompile(`(?m)^Order of ` + regexp.QuoteMeta(dir) + `: (.*)$`).FindSubmatch(text)
	if m == nil {
		return nil
	}
	return regexp.MustCompile(`[\w.]+\.go`).FindAllString(string(m[1]), -1)
}

// upward lists the arrows from a file to one that stands above it.
func upward(arrows map[string]map[string]string, order []string) []arrow {
	var up []arrow
	for from := range arrows {
		for to, name := range arrows[from] {
			if i, j := slices.Index(order, from), slices.Index(order, to); i >= 0 && j > i {
				up = append(up, arrow{from, to, name})
			}
		}
	}
	slices.SortFunc(up, func(a, b arrow) int { return strings.Compare(a.from+a.to, b.from+b.to) })
	return up
}
