package ips_test

import (
	"context"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// These tests say what is forgotten of an operation, in the words of
// CONTRIBUTING.md. What is wrong with it the others say.

// TestOperationTests: every operation has its entry in operationTests, with all
// of its parts, and its two golden files.
func TestOperationTests(t *testing.T) {
	t.Parallel()
	entries := map[ips.Operation]int{}
	for _, tt := range operationTests() {
		entries[tt.op]++
		i, ok := tt.op.Info()
		if !assert.True(t, ok, "entry %q in operationTests is no operation", tt.op) {
			continue
		}
		query := i.Transport == ips.QueryService
		soap := query || i.Transport == ips.WebService
		lacks := func(part string, is bool) {
			assert.False(t, is, "entry %s in operationTests lacks %s", tt.op, part)
		}
		lacks("transport", tt.transport == 0)
		lacks("url", tt.url == "")
		lacks("action", soap && tt.action == "")
		lacks("prefix, arg or p", tt.prefix != "arg" && tt.prefix != "p")
		lacks("success", len(tt.success) == 0)
		lacks("pending", !query && len(tt.pending) == 0)
		lacks("requestNames", tt.requestNames == "")
		lacks("answerNames", tt.answerNames == "")
		lacks("rowNames", hasRows(i.Request) && tt.rowNames == "")
		lacks("answerRowNames", hasRows(i.Response) && tt.answerRowNames == "")
		lacks("example", tt.request == nil || tt.send == nil)
		if tt.request != nil {
			request := reflect.TypeOf(tt.request).Elem()
			assert.True(t, query || request == i.Request, "entry %s: the example is a %s, want %s", tt.op, request, i.Request)
			lacks("required", request.NumField() > 0 && tt.required == 0)
		}
		lacks("response", tt.response == nil)
		if tt.response != nil {
			assert.Equal(t, tt.op, tt.response.Base().Operation, "entry %s: operation of the response", tt.op)
			assert.Equal(t, i.Response, reflect.TypeOf(tt.response).Elem(), "entry %s: type of the response", tt.op)
		}
		for file, how := range map[string]string{
			".request.xml":  "write it with: go test -run TestRequestGolden -update . and read it",
			".response.xml": "write it by hand from the manual",
		} {
			file = filepath.Join("testdata", "golden", string(tt.op)+file)
			_, err := os.Stat(file)
			assert.NoError(t, err, "%s: %s", file, how)
		}
	}
	for _, i := range ips.Operations() {
		assert.Equal(t, 1, entries[i.Operation], "entries for %s in operationTests", i.Operation)
	}
}

func hasRows(s reflect.Type) bool {
	_, has := s.FieldByName("Rows")
	return has
}

// TestOperationsAreDescribed: every constant has its line in descriptions, in
// the same order.
func TestOperationsAreDescribed(t *testing.T) {
	t.Parallel()
	var constants, described []string
	for _, c := range newReference(t).values["Operation"] {
		constants = append(constants, c.value)
		_, ok := ips.Operation(c.value).Info()
		assert.True(t, ok, "%s is not in descriptions in operation.go", c.name)
	}
	for _, i := range ips.Operations() {
		described = append(described, string(i.Operation))
	}
	assert.Equal(t, constants, described, "constants and descriptions in operation.go")
}

// TestCallbacksBelong: every operation whose answer comes by itself has a field
// of Callbacks, named as its method, and every field but Other its operation.
// That the description's callback takes the right one is TestDispatch's.
func TestCallbacksBelong(t *testing.T) {
	t.Parallel()
	callbacks := reflect.TypeFor[ips.Callbacks]()
	names := map[string]bool{"Other": true}
	for _, i := range ips.Operations() {
		if i.Transport == ips.QueryService {
			continue
		}
		names[i.Method] = true
		f, ok := callbacks.FieldByName(i.Method)
		if assert.True(t, ok, "Callbacks in notify.go has no field %s", i.Method) {
			want := reflect.FuncOf([]reflect.Type{reflect.TypeFor[context.Context](), reflect.PointerTo(i.Response)},
				[]reflect.Type{reflect.TypeFor[error]()}, false)
			assert.Equal(t, want, f.Type, "Callbacks.%s", i.Method)
		}
	}
	for n := range callbacks.NumField() {
		name := callbacks.Field(n).Name
		assert.True(t, names[name], "Callbacks.%s in notify.go is no operation's method", name)
	}
}

// TestEveryMethodHasAnExample that runs, for go doc.
func TestEveryMethodHasAnExample(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("example*_test.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	runs := map[string]bool{}
	for _, e := range doc.Examples(files...) {
		runs[e.Name] = e.Output != ""
	}
	for _, i := range ips.Operations() {
		assert.True(t, runs["Client_"+i.Method], "example_operations_test.go has no ExampleClient_%s with // Output", i.Method)
	}
}

// TestReadmesNameEveryMethod in their tables of scenarios.
func TestReadmesNameEveryMethod(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		readme, err := os.ReadFile(file)
		require.NoError(t, err)
		_, table, ok := strings.Cut(string(readme), "\n|---|---|---|---|---|\n")
		require.True(t, ok, "%s has no table of scenarios", file)
		table, _, _ = strings.Cut(table, "\n\n")
		for _, i := range ips.Operations() {
			assert.True(t, strings.Contains(table, "`"+i.Method+"`"), "%s: the table of scenarios does not name %s", file, i.Method)
		}
	}
}
