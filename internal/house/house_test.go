package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests here hold the repository itself to what it says: what is generated is
// not stale, documents link what there is, tables of dependencies are those of
// go.mod, licences allow what they must. They run at the root of the repository.

var update = flag.Bool("update", false, "write docs/reference.md")

func TestMain(m *testing.M) {
	flag.Parse()
	if err := os.Chdir("../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// files lists the repository's files of a name or, with a dot in front, of an
// extension.
func files(t *testing.T, name string) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "docs/site", d.IsDir() && path != "." && path != ".github" && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Name() == name || strings.HasPrefix(name, ".") && filepath.Ext(path) == name:
			all = append(all, filepath.ToSlash(path))
		}
		return nil
	}))
	require.NotEmpty(t, all)
	return all
}

// TestTestsHaveTheirPlace: a test of package ips stands beside the file that it is
// of, and the other way round. What looks at it from outside is in internal/test.
func TestTestsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	// What no file has a test of its own for: the package comment and the list of
	// all operations.
	untested := map[string]bool{"doc.go": true, "catalogue.go": true}
	// What is of no single file.
	shared := map[string]bool{"bench_test.go": true, "export_test.go": true, "fixtures_test.go": true, "fuzz_test.go": true}
	for _, name := range names {
		stem, isTest := strings.CutSuffix(name, "_test.go")
		switch {
		case !isTest:
			assert.True(t, untested[name] || there[strings.TrimSuffix(name, ".go")+"_test.go"], "%s has no test file beside it", name)
		case shared[name] || strings.HasPrefix(name, "example_"):
		default:
			assert.True(t, there[strings.TrimSuffix(stem, "_internal")+".go"], "%s has no file that it is the test of", name)
		}
	}
}

// TestDevcontainer: the container to develop in has the Go that go.mod asks for, and
// is set up by what sets up the check.
func TestDevcontainer(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(".devcontainer/devcontainer.json")
	require.NoError(t, err)
	var dev struct{ Image, PostCreateCommand string }
	require.NoError(t, json.Unmarshal(text, &dev))
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	_, version, _ := strings.Cut(string(mod), "\ngo ")
	version, _, _ = strings.Cut(version, "\n")
	assert.Equal(t, "golang:"+strings.TrimSuffix(version, ".0")+"-bookworm", dev.Image)
	assert.FileExists(t, dev.PostCreateCommand)
}
