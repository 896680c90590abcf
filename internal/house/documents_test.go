package main

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	mdLink   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	mdAnchor = regexp.MustCompile(`<a id="([^"]+)">`)
	mdHead   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	mdFence  = regexp.MustCompile("(?s)```.*?```")
	mdDrop   = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestDocumentLinks follows every relative link of the documents, to its file
// and to its heading.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	files := files(t, ".md")
	anchors := map[string]map[string]bool{}
	for _, file := range files {
		anchors[file] = map[string]bool{}
		text := prose(t, file)
		for _, m := range mdAnchor.FindAllStringSubmatch(text, -1) {
			anchors[file][m[1]] = true
		}
		for _, m := range mdHead.FindAllStringSubmatch(text, -1) {
			head := mdDrop.ReplaceAllString(strings.ToLower(m[1]), "")
			anchors[file][strings.ReplaceAll(head, " ", "-")] = true
		}
	}
	for _, file := range files {
		for _, m := range mdLink.FindAllStringSubmatch(prose(t, file), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			to := file
			if path != "" {
				to = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(to); !assert.NoError(t, err, "%s links %s", file, m[1]) || anchor == "" {
				continue
			}
			assert.True(t, anchors[to][anchor], "%s links %s: no such heading", file, m[1])
		}
	}
	assert.Greater(t, len(files), 10)
}

// prose is a Markdown file without its blocks of code.
func prose(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return mdFence.ReplaceAllString(string(text), "")
}

// required reads the requirements of a go.mod, direct and indirect ones, as
// path@version; not those on modules of this repository.
func required(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var modules []string
	block := false
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "//")
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

// modules are the folders of the repository's modules.
func modules(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, file := range files(t, "go.mod") {
		dirs = append(dirs, path.Dir(file))
	}
	return dirs
}

var listedModule = regexp.MustCompile("(?m)^\\| `([^`@]+@[^`]+)` (\\|.*)$")

// listedModules gives the tables of docs/dependencies.md: the rows of a module's
// section, by path@version.
func listedModules(t *testing.T) map[string]map[string]string {
	t.Helper()
	page, err := os.ReadFile("docs/dependencies.md")
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(page), "\n## ")
	listed := map[string]map[string]string{}
	for section := range strings.SplitSeq(body, "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		if strings.HasPrefix(title, "Root module") {
			title = "."
		}
		for _, m := range listedModule.FindAllStringSubmatch(text, -1) {
			if listed[title] == nil {
				listed[title] = map[string]string{}
			}
			listed[title][m[1]] = m[2]
		}
	}
	return listed
}

// TestDependencies: docs/dependencies.md lists what the modules of this repository
// require, in a section for each, and nothing else.
func TestDependencies(t *testing.T) {
	t.Parallel()
	listed := listedModules(t)
	for _, section := range modules(t) {
		want := required(t, filepath.Join(section, "go.mod"))
		slices.Sort(want)
		assert.Equal(t, want, slices.Sorted(maps.Keys(listed[section])), "docs/dependencies.md, section %s", section)
		delete(listed, section)
	}
	assert.Empty(t, listed, "docs/dependencies.md lists modules under a title that is no module of this repository")
}
