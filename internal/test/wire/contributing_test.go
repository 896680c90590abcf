package wire_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
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
		lacks("rowNames", hasRows(requestType(t, tt.op)) && tt.rowNames == "")
		lacks("answerNames", tt.answerNames == "")
		lacks("answerRowNames", hasRows(responseType(t, tt.op)) && tt.answerRowNames == "")
		lacks("example", tt.request == nil || tt.send == nil)
		if tt.request != nil {
			request := reflect.TypeOf(tt.request).Elem()
			lacks("example of "+requestType(t, tt.op).Name(), request != requestType(t, tt.op))
			lacks("required", request.NumField() > 0 && tt.required == 0)
		}
		lacks("response", tt.response == nil)
		if tt.response != nil {
			lacks("response of "+responseType(t, tt.op).Name(), reflect.TypeOf(tt.response).Elem() != responseType(t, tt.op))
			lacks("response with this operation", tt.response.Base().Operation != tt.op)
		}
		for kind, how := range map[string]string{
			"request":  "write it with: go test ./internal/test/wire -run Golden -update and compare it with the manual",
			"response": "write it by hand from the manual",
		} {
			file := filepath.Join(goldens, string(tt.op)+"."+kind+".xml")
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
	for _, c := range declared(t)["Operation"] {
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

// TestEnumerationsAreNamed: every constant of the types in messages has a name
// for people.
func TestEnumerationsAreNamed(t *testing.T) {
	t.Parallel()
	all := declared(t)
	named := 0
	var look func(s reflect.Type)
	look = func(s reflect.Type) {
		for _, f := range codec.Fields(s) {
			if f.Row != "" {
				look(f.Type.Elem())
			}
			if f.Type.Kind() != reflect.String {
				continue
			}
			for _, c := range all[f.Type.Name()] {
				v := reflect.New(f.Type).Elem()
				v.SetString(c.value)
				if name := v.Interface().(fmt.Stringer).String(); strings.HasPrefix(name, "unknown") {
					t.Errorf("%s: the String method of %s says %q", c.name, f.Type, name)
				}
				named++
			}
		}
	}
	for _, i := range ips.Operations() {
		look(requestType(t, i.Operation))
		look(responseType(t, i.Operation))
	}
	require.NotZero(t, named)
}

// requestType and responseType are the structs of an operation.
func requestType(t *testing.T, op ips.Operation) reflect.Type {
	t.Helper()
	req, err := ips.UnmarshalRequest(op, []byte("{}"))
	require.NoError(t, err)
	return reflect.TypeOf(req)
}

func responseType(t *testing.T, op ips.Operation) reflect.Type {
	t.Helper()
	resp, err := ips.UnmarshalResponse(op, []byte("{}"))
	require.NoError(t, err)
	return reflect.TypeOf(resp).Elem()
}

type constant struct{ name, value string }

// declared are the constants of the SDK's source whose value is a text, by type.
func declared(t *testing.T) map[string][]constant {
	t.Helper()
	files, err := filepath.Glob("../../../*.go")
	require.NoError(t, err)
	all := map[string][]constant{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST || f.Name.Name != "ips" {
				continue
			}
			for _, s := range group.Specs {
				spec := s.(*ast.ValueSpec)
				typ, named := spec.Type.(*ast.Ident)
				if !named || len(spec.Values) != 1 {
					continue
				}
				if text, ok := spec.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
					value, err := strconv.Unquote(text.Value)
					require.NoError(t, err)
					all[typ.Name] = append(all[typ.Name], constant{spec.Names[0].Name, value})
				}
			}
		}
	}
	return all
}

// TestOutcomes lists what each operation makes of each code: its own successes
// and pendings; the refusals that are known, and codes of their form that nobody
// has listed; and nothing of all else, another operation's success above all.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	var zero ips.Outcome
	assert.Equal(t, ips.Undecided, zero, "nothing counts as done, or as not done, unless IPS said so")
	notRefusals := []ips.Code{"MG00000F", "MG00008F", "MG02500F", "MG02501F", "MG02503F", "MG02505F"}
	failuresOfQueries := []ips.Code{"9999", "01", "02"}
	codes := []ips.Code{
		"", "MG00000", "mg00000f", "MG99999F", "MG0000XF", "MG000001F", "XX00001F", "MG00001E", "成功", "success", "00", "1",
		"MG\u0660\u0660F", // digits of another script
	}
	for _, c := range declared(t)["Code"] {
		codes = append(codes, ips.Code(c.value))
	}
	require.Greater(t, len(codes), 24)
	refusal := regexp.MustCompile(`^MG[0-9]{5}F$`)
	for _, i := range ips.Operations() {
		tt := exampleOf(t, i.Operation)
		for _, code := range slices.Concat(codes, tt.success, tt.pending) {
			want := ips.Undecided
			switch {
			case slices.Contains(tt.success, code):
				want = ips.Success
			case slices.Contains(tt.pending, code):
				want = ips.Pending
			case refusal.MatchString(string(code)) && !slices.Contains(notRefusals, code),
				i.Transport == ips.QueryService && slices.Contains(failuresOfQueries, code):
				want = ips.Failure
			}
			assert.Equal(t, want, i.Outcome(code), "%s %s", i.Operation, code)
		}
	}
}

// TestOperations compares the descriptions with the manual: section, scenarios
// of the usage guide, transport.
func TestOperations(t *testing.T) {
	t.Parallel()
	var order []ips.Operation // of the manual
	for _, tt := range operationTests() {
		order = append(order, tt.op)
	}
	served := map[int]bool{}
	for n, i := range ips.Operations() {
		want := exampleOf(t, i.Operation)
		assert.Equal(t, want.op, order[n])
		assert.Equal(t, want.section, i.Section, i.Operation)
		assert.Equal(t, want.transport, i.Transport, i.Operation)
		assert.Equal(t, want.scenarios, i.Scenarios, i.Operation)
		assert.NotEmpty(t, i.Chinese)
		for _, s := range i.Scenarios {
			served[s] = true
		}
		again, ok := i.Operation.Info()
		assert.True(t, ok)
		assert.Equal(t, i, again)
	}
	assert.Len(t, served, 17, "the guide has 17 scenarios")
	_, ok := ips.Operation("no-such-operation").Info()
	assert.False(t, ok)
}
