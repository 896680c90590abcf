package ips

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tag that makes no sense must not pass for a field without rules.
func TestCheckTags(t *testing.T) {
	t.Parallel()
	for _, op := range catalogue {
		assert.NotPanics(t, func() { planOf(op.request) }, op.Operation)
	}
	for tag, want := range map[string]string{
		"optinal":     `ips: check tag "optinal": "optinal": no such rule`,
		"max=x":       `ips: check tag "max=x": "max=x": strconv.Atoi: parsing "x": invalid syntax`,
		"alnum,rows":  `ips: check tag "alnum,rows": "rows": strconv.Atoi: parsing "": invalid syntax`,
		"gt=-1,ge=0":  `ips: check tag "gt=-1,ge=0": "gt=-1": want digits with at most two decimals, as 12.00`,
		"le=1.005":    `ips: check tag "le=1.005": "le=1.005": want digits with at most two decimals, as 12.00`,
		"max=1;len=2": `ips: check tag "max=1;len=2": "max=1;len=2": strconv.Atoi: parsing "1;len=2": invalid syntax`,
	} {
		typ := reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`ips:"pA" check:"` + tag + `"`)}})
		assert.PanicsWithValue(t, want, func() { planOf(typ) }, tag)
	}
}

// TestSentences: every broken rule that the source can tell of has a code and a
// Chinese sentence, and none has them in vain.
func TestSentences(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	said := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			called := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				called = f.Name
			case *ast.SelectorExpr:
				called = f.Sel.Name
			}
			at, ok := map[string]int{"broken": 0, "addf": 3, "addRow": 4}[called]
			if !ok || at >= len(call.Args) {
				return true
			}
			if text, ok := call.Args[at].(*ast.BasicLit); ok {
				english, err := strconv.Unquote(text.Value)
				require.NoError(t, err)
				said[english] = true
				assert.Contains(t, sentences, english, "%s: put it into sentences", name)
			}
			return true
		})
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	codes := fieldErrorCodes(t)
	used := map[string]bool{}
	for english, s := range sentences {
		assert.True(t, said[english], "nobody says %q", english)
		assert.Contains(t, codes, s.code, "the comment of FieldError has no such code")
		assert.Equal(t, verbs.FindAllString(english, -1), verbs.FindAllString(s.chinese, -1), english)
		assert.Regexp(t, `\p{Han}`, s.chinese)
		if s.limit == "args" {
			assert.NotEmpty(t, verbs.FindString(english), english)
		}
		used[s.code] = true
	}
	for code := range codes {
		assert.True(t, used[code], "no sentence has the code %q of FieldError's comment", code)
	}
	assert.Equal(t, "不能大于 365 天", broken("must be at most %d %s", 365, PeriodDays).chinese)
	assert.Equal(t, "60 months", broken("must be at most %d %s", 60, TermMonths).limit)
}

// fieldErrorCodes are those that the comment of FieldError lists.
func fieldErrorCodes(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, parser.ParseComments)
	require.NoError(t, err)
	codes := map[string]bool{}
	for _, decl := range file.Decls {
		if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.TYPE && fmt.Sprint(g.Specs[0].(*ast.TypeSpec).Name) == "FieldError" {
			for _, line := range regexp.MustCompile(`(?m)^\t([a-z_0-9, ]+?)  `).FindAllStringSubmatch(g.Doc.Text(), -1) {
				for code := range strings.SplitSeq(line[1], ", ") {
					codes[code] = true
				}
			}
		}
	}
	require.Greater(t, len(codes), 15)
	return codes
}
