package ips_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/codec"
)

// These tests say what was forgotten of an operation: each line that they write
// is a step of CONTRIBUTING.md. What is wrong with the steps that were taken the
// other tests say.

// TestOperationTests: every operation has its entry in operationTests, with all
// of its parts, and its two golden files. It does not run in parallel, so that it
// has spoken before others stumble over what is not there.
func TestOperationTests(t *testing.T) {
	var entries []ips.Operation
	for _, tt := range operationTests() {
		entries = append(entries, tt.op)
		i, ok := tt.op.Info()
		if !ok {
			t.Errorf("operationTests has an entry for %q, which is no operation", tt.op)
			continue
		}
		query := i.Transport == ips.QueryService
		form := !query && i.Transport != ips.WebService
		lacks := func(part string, so bool) {
			if so {
				t.Errorf("entry of %s in operationTests: no %s", tt.op, part)
			}
		}
		lacks("transport", tt.transport == 0)
		lacks("url", tt.url == "")
		lacks("action", !form && tt.action == "")
		lacks("prefix, arg or p", tt.prefix != "arg" && tt.prefix != "p")
		lacks("success", len(tt.success) == 0)
		lacks("pending", !query && len(tt.pending) == 0)
		lacks("requestNames", tt.requestNames == "")
		lacks("rowNames", hasRows(i.Request()) && tt.rowNames == "")
		lacks("answerNames", tt.answerNames == "")
		lacks("answerRowNames", hasRows(i.Response()) && tt.answerRowNames == "")
		lacks("example", tt.request == nil || tt.send == nil)
		if tt.request != nil {
			request := reflect.TypeOf(tt.request).Elem()
			lacks("example of "+i.Request().Name(), request != i.Request())
			lacks("required", request.NumField() > 0 && tt.required == 0)
		}
		lacks("response", tt.response == nil)
		if tt.response != nil {
			lacks("response of "+i.Response().Name(), reflect.TypeOf(tt.response).Elem() != i.Response())
			lacks("response with this operation", tt.response.Base().Operation != tt.op)
		}
		for kind, how := range map[string]string{
			"request":  "write it with: go test -run TestRequestGolden -update . and compare it with the manual",
			"response": "write it by hand from the manual",
		} {
			file := filepath.Join("testdata", "golden", string(tt.op)+"."+kind+".xml")
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s is not there; %s", file, how)
			}
		}
	}
	for _, i := range ips.Operations() {
		if !slices.Contains(entries, i.Operation) {
			t.Errorf("operationTests has no entry for %s", i.Operation)
		}
	}
	slices.Sort(entries)
	if len(slices.Compact(entries)) != len(operationTests()) {
		t.Error("operationTests has two entries for one operation")
	}
}

func hasRows(s reflect.Type) bool {
	_, has := s.FieldByName("Rows")
	return has
}

// TestOperationsAreDescribed: every constant has its place in the catalogue, in
// the same order.
func TestOperationsAreDescribed(t *testing.T) {
	t.Parallel()
	var constants, described []string
	for _, c := range newReference(t).values["Operation"] {
		constants = append(constants, c.value)
		if _, ok := ips.Operation(c.value).Info(); !ok {
			t.Errorf("operation.go: %s is not in the catalogue", c.name)
		}
	}
	for _, i := range ips.Operations() {
		described = append(described, string(i.Operation))
	}
	require.Equal(t, constants, described, "operation.go: the order of constants and the catalogue")
}

// TestRequestsBelong: what is read by an operation's name is the request that
// the examples send, both the struct and a pointer to it know the operation, and
// what the client can send is what was kept.
func TestRequestsBelong(t *testing.T) {
	t.Parallel()
	for _, tt := range operationTests() {
		assert.Equal(t, tt.op, ips.OperationOf(tt.request))
		data, err := ips.MarshalRequest(tt.request)
		require.NoError(t, err, tt.op)
		req, err := ips.UnmarshalRequest(tt.op, data)
		require.NoError(t, err, tt.op)
		assert.Equal(t, tt.op, ips.OperationOf(req))
		assert.Equal(t, reflect.ValueOf(tt.request).Elem().Interface(), req)
		assert.Equal(t, tt.orderNo(), ips.OrderNo(req), tt.op)
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
		if !runs["Client_"+i.Method] {
			t.Errorf("example_operations_test.go: no ExampleClient_%s with // Output", i.Method)
		}
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
			if !strings.Contains(table, "`"+i.Method+"`") {
				t.Errorf("%s: the table of scenarios does not name %s", file, i.Method)
			}
		}
	}
}

// TestEveryOperationHasInvalidRequests in the table of validate_test.go.
func TestEveryOperationHasInvalidRequests(t *testing.T) {
	t.Parallel()
	broken := map[ips.Operation]bool{}
	for _, tt := range invalid {
		broken[tt.op] = true
	}
	for _, tt := range operationTests() {
		if tt.required > 0 && !broken[tt.op] {
			t.Errorf("validate_test.go: no request of %s among the invalid ones", tt.op)
		}
	}
}

// TestPersonalFields: what no error may show has the rule secret, and the tests
// that look for it in errors know its name.
func TestPersonalFields(t *testing.T) {
	t.Parallel()
	var check func(op ips.Operation, s reflect.Type)
	check = func(op ips.Operation, s reflect.Type) {
		for i := range s.NumField() {
			f := s.Field(i)
			if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
				check(op, f.Type.Elem())
				continue
			}
			tagged := slices.Contains(strings.Split(f.Tag.Get("check"), ","), "secret")
			if listed := slices.Contains(personalNames, f.Name); tagged != listed {
				t.Errorf("%s: %s.%s: its check tag has secret: %t, personalNames in validate_test.go has it: %t", op, s.Name(), f.Name, tagged, listed)
			}
		}
	}
	for _, i := range ips.Operations() {
		check(i.Operation, i.Request())
	}
}

// TestEnumerationsAreNamed: every constant of the types in messages has a name
// for people.
func TestEnumerationsAreNamed(t *testing.T) {
	t.Parallel()
	r := newReference(t)
	named := 0
	for _, i := range r.ops {
		for _, s := range []reflect.Type{i.Request(), i.Response()} {
			r.each(s, "", func(_ reflect.Type, f *codec.Field, _ string) {
				if f.Type.Kind() != reflect.String {
					return
				}
				for _, c := range r.values[f.Type.Name()] {
					v := reflect.New(f.Type).Elem()
					v.SetString(c.value)
					if name := v.Interface().(fmt.Stringer).String(); strings.HasPrefix(name, "unknown") {
						t.Errorf("%s: the String method of %s says %q", c.name, f.Type, name)
					}
					named++
				}
			})
		}
	}
	require.NotZero(t, named)
}
