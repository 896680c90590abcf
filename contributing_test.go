package ips_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

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
