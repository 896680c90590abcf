package wire_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func responseFile(t testing.TB, op ips.Operation) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(goldens, string(op)+".response.xml"))
	require.NoError(t, err)
	return string(raw)
}

// queryAnswer is the golden answer to a query, signed as far as the form that is
// known of it goes.
func queryAnswer(t testing.TB, op ips.Operation) string {
	t.Helper()
	document := responseFile(t, op)
	switch op {
	case ips.OpQueryTrade:
		return fixture.SOAP("QueryTrade", fixture.Sealed("MG00000F", "操作成功！", document).Result())
	case ips.OpQueryAccount:
		document = taggedSign(document, "pErrCode", "pMemo")
	default:
		document = taggedSign(document)
	}
	return fixture.SOAP(fixture.Info(t, op).Endpoint, document)
}

// TestResponseGolden reads an answer of every operation by the public way and
// compares every field.
func TestResponseGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range operationTests() {
		op := tt.op
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			var got ips.Response
			var err error
			if fixture.Info(t, op).Transport == ips.QueryService {
				answer := queryAnswer(t, op)
				c, _ := fixture.RecordingClient(t, answer, "text/xml; charset=utf-8")
				_, got, err = tt.send(c, tt.request)
			} else {
				got, err = fixture.Client(t).ParseNotification(fixture.Sealed(tt.code(), "操作成功！", responseFile(t, op)).Inbound(op), op)
			}
			require.NoError(t, err)
			fixture.AssertAnswer(t, tt.response, got)
			recorded, err := ips.MarshalResponse(tt.response)
			require.NoError(t, err)
			goldenJSON(t, string(op)+".response.json", recorded)
			assert.NoError(t, got.Err())
			requireFull(t, reflect.ValueOf(tt.response).Elem())
		})
	}
}

// requireFull fails if the expected answer leaves a field zero, which would
// prove nothing about it.
func requireFull(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		if f.Name == "Reply" {
			continue
		}
		require.False(t, field.IsZero(), "%s.%s is zero", v.Type(), f.Name)
		if field.Kind() == reflect.Slice {
			for j := range field.Len() {
				requireFull(t, field.Index(j))
			}
		}
	}
}

// TestResponseNames compares the names in the hand-written answers with those
// of the manual, so that neither can be wrong alone.
func TestResponseNames(t *testing.T) {
	t.Parallel()
	for _, tt := range operationTests() {
		names, rows := elementNames(t, bytes.TrimPrefix([]byte(responseFile(t, tt.op)), []byte("\xEF\xBB\xBF")))
		list := strings.ReplaceAll(tt.answerNames, "*", tt.requestNames)
		expected := slices.Sorted(slices.Values(strings.Fields(list)))
		slices.Sort(names)
		assert.Equal(t, expected, slices.Compact(names), tt.op)
		for _, row := range rows {
			row = slices.DeleteFunc(row, func(name string) bool { return name == "pNew" })
			assert.Equal(t, strings.Fields(tt.answerRowNames), row, tt.op)
		}
	}
}
