package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCodeLines(t *testing.T) {
	t.Parallel()
	src := "// Package p is one.\npackage p\n\n/* two\nlines */\nvar s = `a\nb` // text\n\nfunc f() {\n}\n"
	assert.Equal(t, 5, codeLines([]byte(src)))
}
