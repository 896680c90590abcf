package ips_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// required reads the requirements of a go.mod, direct and indirect ones, as
// path@version; not those on modules of this repository.
func required(t *testing.T, file string, directOnly bool) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var modules []string
	block := false
	for line := range strings.Lines(string(text)) {
		line, remark, _ := strings.Cut(line, "//")
		if directOnly && strings.TrimSpace(remark) == "indirect" {
			continue
		}
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
			continue
		case fields[0] == "require" && len(fields) == 2 && fields[1] == "(":
			block = true
			continue
		case fields[0] == ")":
			block = false
			continue
		case fields[0] == "require":
			fields = fields[1:]
		case !block:
			continue
		}
		require.Len(t, fields, 2, "%s: %s", file, line)
		if path := strings.Trim(fields[0], `"`); path != "github.com/ips-p2p/ips" {
			modules = append(modules, path+"@"+fields[1])
		}
	}
	return modules
}

var listedModule = regexp.MustCompile("(?m)^\\| `([^`@]+@[^`]+)` \\|")

// docs/dependencies.md lists what the modules of this repository require, in a
// section for each, and nothing else.
func TestDependencies(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/dependencies.md")
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(page), "\n## ")
	listed, directOnly := map[string][]string{}, map[string]bool{}
	for section := range strings.SplitSeq(body, "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		if strings.HasPrefix(title, "Root module") {
			title = "."
		}
		directOnly[title] = strings.Contains(text, "Direct requirements\nonly")
		for _, m := range listedModule.FindAllStringSubmatch(text, -1) {
			listed[title] = append(listed[title], m[1])
		}
	}

	files, err := filepath.Glob("examples/*/go.mod")
	require.NoError(t, err)
	contrib, err := filepath.Glob("contrib/*/go.mod")
	require.NoError(t, err)
	require.NotEmpty(t, contrib)
	files = append(files, contrib...)
	for _, file := range append(files, "go.mod") {
		section := filepath.ToSlash(filepath.Dir(file))
		want, got := required(t, file, directOnly[section]), listed[section]
		slices.Sort(want)
		slices.Sort(got)
		assert.Equal(t, want, got, "docs/dependencies.md, section %s", section)
		delete(listed, section)
	}
	assert.Empty(t, listed, "docs/dependencies.md lists modules under a title that is no module of this repository")
}
