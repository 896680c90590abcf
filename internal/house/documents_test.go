package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/codec"
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

// TestCookbookTable: the cookbooks list every operation by what it is called on the
// wire. With -update it writes the rows.
func TestCookbookTable(t *testing.T) {
	r := newReference(t)
	for file, words := range map[string]struct{ comma, is, form, answer string }{
		"docs/cookbook.md":       {", ", " ", "form", "answer"},
		"docs/cookbook.zh-CN.md": {"，", " 为 ", "表单", "应答"},
	} {
		var rows strings.Builder
		for _, op := range r.ops {
			page, returns := "`"+op.Endpoint+"`", words.answer
			if name, value, ok := r.distinction(op); ok {
				page += words.comma + "`" + name + "`" + words.is + value
			}
			if op.Transport == ips.Redirect {
				returns = words.form
			}
			title := strings.NewReplacer("（", words.comma, "）", "").Replace(op.Chinese)
			fmt.Fprintf(&rows, "| %s | %s | `%s` | `%s` | %s |\n", page, strings.TrimSpace(op.Section+" "+title), r.envelope(op), op.Method, returns)
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, rest, ok := strings.Cut(string(text), "<a id=\"operations\"></a>")
		require.True(t, ok, file)
		_, rest, ok = strings.Cut(rest, "|---|---|---|---|---|\n")
		require.True(t, ok, file)
		table, _, _ := strings.Cut(rest, "\n\n")
		written := strings.Replace(string(text), table+"\n", rows.String(), 1)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(written), 0o644))
			continue
		}
		assert.Equal(t, written, string(text), "%s is stale; rewrite it with: go test ./internal/house -update", file)
	}
}

// distinction is the element whose text tells op from another operation of its
// endpoint.
func (r *reference) distinction(op ips.OperationInfo) (name, text string, ok bool) {
	for _, other := range r.ops {
		if other.Endpoint != op.Endpoint || other.Operation == op.Operation {
			continue
		}
		ours, theirs := r.fixed(op), r.fixed(other)
		for _, f := range codec.Fields(requestType(op)) {
			if text := ours[f.Name]; text != "" && theirs[f.Name] != "" && text != theirs[f.Name] {
				return f.Name, text, true
			}
		}
	}
	return "", "", false
}

// fixed are the elements of a request whose text is always the same.
func (r *reference) fixed(op ips.OperationInfo) map[string]string {
	all := map[string]string{}
	for _, f := range codec.Fields(requestType(op)) {
		switch {
		case f.Variant:
			all[f.Name] = r.variants[op.Operation]
		case f.IsConst:
			all[f.Name] = f.Const
		}
	}
	return all
}

var (
	mdTable = regexp.MustCompile(`(?m)^\|.*\n\|[-:| ]+\n(?:\|.*\n)*`)
	mdCell  = regexp.MustCompile(`(?:^|[^\\])\|`)
)

// TestDocumentTables: every row of a table has as many cells as its head. One that
// has more is two rows on one line.
func TestDocumentTables(t *testing.T) {
	t.Parallel()
	tables := 0
	for _, file := range files(t, ".md") {
		for _, table := range mdTable.FindAllString(prose(t, file)+"\n", -1) {
			tables++
			rows := strings.Split(strings.TrimSpace(table), "\n")
			for _, row := range rows {
				assert.Len(t, mdCell.FindAllString(strings.ReplaceAll(row, "||", "| |"), -1), len(mdCell.FindAllString(rows[1], -1)), "%s: %s", file, row)
			}
		}
	}
	assert.Greater(t, tables, 50)
}
