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
