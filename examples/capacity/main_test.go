package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page for operators shows what the program says without flags.
func TestPageIsWhatTheProgramSays(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(&out, nil))
	for _, page := range []string{"operators.md", "operators.zh-CN.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		require.NoError(t, err)
		table, end, _ := strings.Cut(out.String(), "\n\n")
		assert.Contains(t, string(text), table, page)
		assert.Contains(t, string(text), strings.TrimSpace(end), page)
	}
}

// A day without pages asks nothing of the trade query but for lost answers, and
// twice the members are twice of everything.
func TestArithmetic(t *testing.T) {
	var one, two strings.Builder
	require.NoError(t, run(&one, []string{"-members", "1000", "-orders", "1", "-pages", "0", "-unanswered", "0.01", "-peak", "1", "-hours", "1"}))
	assert.Contains(t, one.String(), "| trade queries | 10 | 0.0 |")
	assert.Contains(t, one.String(), "| durable commits | 3010 | 0.8 |")
	require.NoError(t, run(&two, []string{"-members", "2000", "-orders", "1", "-pages", "0", "-unanswered", "0.01", "-peak", "1", "-hours", "1"}))
	assert.Contains(t, two.String(), "| durable commits | 6020 | 1.7 |")
	assert.Error(t, run(&two, []string{"-members", "many"}))
}
