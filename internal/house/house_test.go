package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCodeLines(t *testing.T) {
	t.Parallel()
	src := "// Package p is one.\npackage p\n\n/* two\nlines */\nvar s = `a\nb` // text\n\nfunc f() {\n}\n"
	assert.Equal(t, 5, codeLines([]byte(src)))
}

func TestLargestRing(t *testing.T) {
	t.Parallel()
	arrows := map[string]map[string]string{
		"a.go": {"b.go": "B"}, "b.go": {"c.go": "C"}, "c.go": {"a.go": "A", "d.go": "D"}, "d.go": {}, "e.go": {"a.go": "A"},
	}
	assert.Equal(t, []string{"a.go", "b.go", "c.go"}, largestRing(arrows))
	up := upward(arrows, []string{"d.go", "a.go", "b.go", "c.go"})
	require.Len(t, up, 2)
	assert.Equal(t, arrow{"a.go", "b.go", "B"}, up[0])
	assert.Equal(t, arrow{"b.go", "c.go", "C"}, up[1])
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
	arrows, err := fileArrows(dir)
	require.NoError(t, err)
	assert.Equal(t, map[string]map[string]string{"a.go": {"b.go": "B"}, "b.go": {"a.go": "A"}}, arrows)
}

func TestRingsBound(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, rings(&out, []string{".=1"}))
	require.Error(t, rings(&out, []string{".=0"}))
}
