package ips_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docs/frameworks.md and its Chinese show the code of examples/frameworks, every
// way to mount, and the versions that it is tried with.
func TestFrameworksPage(t *testing.T) {
	t.Parallel()
	const dir = "examples/frameworks"
	files, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	var source []byte
	shown := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		source = append(source, text...)
		if !strings.HasSuffix(file, "_test.go") {
			shown++
		}
	}
	mod, err := os.ReadFile(dir + "/go.mod")
	require.NoError(t, err)
	var code [2][]string
	for i, file := range []string{"docs/frameworks.md", "docs/frameworks.zh-CN.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			bare := bareCode(block[1])
			assert.Contains(t, bareCode(source), bare, file)
			code[i] = append(code[i], bare)
		}
		for row := range strings.Lines(string(text)) {
			if cells := strings.Split(row, " | "); len(cells) == 4 && strings.HasPrefix(cells[1], "v") && cells[1] != "version tried" {
				name := strings.TrimPrefix(cells[0], "| ")
				assert.Regexp(t, `/`+name+`(/v\d+)? `+cells[1]+`\n`, string(mod), file)
			}
		}
	}
	assert.Len(t, code[0], shown+1, "each mount, the site and the middleware")
	assert.Equal(t, code[0], code[1])
}
