package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// codeOf are the Go files of which the documents show parts, as patterns.
var codeOf = map[string][]string{
	"cookbook":    {"example_cookbook*_test.go", "orders/orderstest/recipe*_test.go", "examples/mysql/once.go"},
	"first-hour":  {"orders/orderstest/firsthour/*.go"},
	"frameworks":  {"examples/frameworks/*.go"},
	"lending":     {"orders/orderstest/lending_test.go"},
	"operators":   nil,
	"orders":      {"examples/shop/*.go", "orders/orderstest/recipes_test.go"},
	"own-orders":  nil,
	"php-java":    nil,
	"sandbox":     nil,
	"../SECURITY": nil,
}

var (
	docHeading = regexp.MustCompile(`(?m)^(#+) `)
	docBlock   = regexp.MustCompile("(?s)```go\n(.*?)```")
	docCommand = regexp.MustCompile(`(?m)^    \S.*$`)
	docRow     = regexp.MustCompile(`(?m)^\|.*$`)
	docItem    = regexp.MustCompile(`(?m)^- `)
	docLink    = regexp.MustCompile(`\]\(([^)]+)\)`)
	goComment  = regexp.MustCompile(`(?m)(^|[^:"])//.*$`)
)

// code is code without its comments, on one line.
func code(text string) string {
	return strings.Join(strings.Fields(goComment.ReplaceAllString(text, "$1")), " ")
}

// TestPairs: a page and its translation have the same headings, code, commands,
// tables, lists and links, and what they show is compiled and tested elsewhere.
func TestPairs(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return string(text)
	}
	for page, patterns := range codeOf {
		source := ""
		for _, pattern := range patterns {
			files, err := filepath.Glob(pattern)
			require.NoError(t, err)
			require.NotEmpty(t, files, pattern)
			for _, file := range files {
				source += code(read(file)) + "\n"
			}
		}
		var skeletons [2][]string
		for i, language := range []string{"", ".zh-CN"} {
			name := "docs/" + page + language + ".md"
			text := read(name)
			var all []string
			for _, m := range docHeading.FindAllStringSubmatch(docBlock.ReplaceAllString(text, ""), -1) {
				all = append(all, m[1])
			}
			for _, m := range docBlock.FindAllStringSubmatch(text, -1) {
				bare := code(m[1])
				assert.Contains(t, source, bare, name)
				all = append(all, bare)
			}
			bare := docBlock.ReplaceAllString(text, "")
			all = append(all, docCommand.FindAllString(bare, -1)...)
			for _, m := range docLink.FindAllStringSubmatch(bare, -1) {
				all = append(all, strings.Replace(m[1], ".zh-CN", "", 1))
			}
			for range docRow.FindAllString(bare, -1) {
				all = append(all, "row")
			}
			for range docItem.FindAllString(bare, -1) {
				all = append(all, "item")
			}
			skeletons[i] = all
		}
		assert.Equal(t, skeletons[0], skeletons[1], page)
	}
}
