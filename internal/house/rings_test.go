package main

import (
	"encoding/json"
	"errors"
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
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRings bounds how far the files of a package are entangled: the largest ring
// of files by the names that they use, and the arrows that run against the order
// in docs/architecture.md. With -v it lists them.
func TestRings(t *testing.T) {
	t.Parallel()
	for dir, most := range map[string]struct{ ring, up int }{
		".":                       {4, 2},
		"orders":                  {9, 0},
		"internal/sandbox":        {12, 0},
		"internal/sandbox/engine": {12, 0},
	} {
		arrows := fileArrows(t, dir)
		ring, up := largestRing(arrows), upward(arrows, readingOrder(t, dir))
		assert.LessOrEqual(t, len(ring), most.ring, "%s: files in a ring", dir)
		assert.LessOrEqual(t, len(up), most.up, "%s: arrows against the order", dir)
		t.Logf("%s: %d files, a ring of %v", dir, len(arrows), ring)
		for _, a := range up {
			t.Logf("  up: %s -> %s (%s)", a.from, a.to, a.name)
		}
	}
}

func TestLargestRing(t *testing.T) {
	t.Parallel()
	arrows := map[string]map[string]string{
		"a.go": {"b.go": "B"}, "b.go": {"c.go": "C"}, "c.go": {"a.go": "A", "d.go": "D"}, "d.go": {}, "e.go": {"a.go": "A"},
	}
	assert.Equal(t, []string{"a.go", "b.go", "c.go"}, largestRing(arrows))
	assert.Equal(t, []arrow{{"a.go", "b.go", "B"}, {"b.go", "c.go", "C"}}, upward(arrows, []string{"d.go", "a.go", "b.go", "c.go"}))
}

func TestFileArrows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/p\n\ngo 1.26\n",
		"a.go":   "package p\n\ntype A struct{ b B }\n\nfunc (A) M() {}\n",
		"b.go":   "package p\n\ntype B struct{}\n\nfunc use(a A) { a.M() }\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	assert.Equal(t, map[string]map[string]string{"a.go": {"b.go": "B"}, "b.go": {"a.go": "A"}}, fileArrows(t, dir))
}

// arrow says that one file uses a name of another.
type arrow struct{ from, to, name string }

// fileArrows gives for each file of the package in dir, tests left out, the files
// whose names it uses and one such name.
func fileArrows(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,GoFiles,Dir", ".")
	list.Dir = dir
	list.Env = os.Environ()
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		list.Env = append(list.Env, "GOWORK=off")
	}
	out, err := list.Output()
	require.NoError(t, err, "go list in %s", dir)
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
		} else {
			require.NoError(t, err)
		}
		export[p.ImportPath] = p.Export
		last = p
	}
	fset := token.NewFileSet()
	var files []*ast.File
	arrows := make(map[string]map[string]string)
	for _, name := range last.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(last.Dir, name), nil, 0)
		require.NoError(t, err)
		files = append(files, f)
		arrows[name] = make(map[string]string)
	}
	info := types.Info{Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(export[path]) })}
	pkg, err := conf.Check(last.ImportPath, fset, files, &info)
	require.NoError(t, err)
	for id, obj := range info.Uses {
		if obj.Pkg() != pkg || !named(pkg, obj) {
			continue
		}
		from, to := filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(obj.Pos()).Filename)
		if from != to && (arrows[from][to] == "" || obj.Name() < arrows[from][to]) {
			arrows[from][to] = obj.Name()
		}
	}
	return arrows
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
func readingOrder(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
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
