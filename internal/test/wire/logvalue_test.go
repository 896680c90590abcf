package wire_test

import (
	"bytes"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// personal are the Go names of what no log may have.
var personal = []string{"IdentNo", "FromIdentNo", "ToIdentNo", "RealName", "FromName", "ToName", "AccountName",
	"Mobile", "Email", "Account", "FromAccount", "ToAccount"}

// logged is what slog writes of a value.
func logged(v any) string {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	return b.String()
}

// TestLoggedMessages: requests and answers of all operations can be given to slog,
// as values and as pointers, and nothing personal comes out.
func TestLoggedMessages(t *testing.T) {
	t.Parallel()
	const telling = "tell-tale"
	for _, tt := range operationTests() {
		t.Run(string(tt.op), func(t *testing.T) {
			t.Parallel()
			v := reflect.ValueOf(tt.request).Elem()
			masks := 0
			for i := range v.NumField() {
				if slices.Contains(personal, v.Type().Field(i).Name) && v.Field(i).CanSet() && v.Field(i).Kind() == reflect.String {
					v.Field(i).SetString(telling)
					masks++
				}
			}
			for _, req := range []any{tt.request, v.Interface()} {
				text := logged(req)
				assert.Contains(t, text, "v.operation="+string(tt.op))
				assert.NotContains(t, text, telling)
				assert.Equal(t, masks, bytes.Count([]byte(text), []byte("***")), text)
				if no := ips.OrderNo(tt.request); no != "" {
					assert.Contains(t, text, "v.OrderNo="+no)
				}
			}

			answer, err := ips.UnmarshalResponse(tt.op, []byte("{}"))
			require.NoError(t, err)
			r := reflect.ValueOf(answer).Elem()
			for i := range r.NumField() {
				if r.Field(i).Kind() == reflect.String {
					r.Field(i).SetString(telling)
				}
			}
			*answer.Base() = ips.Reply{Operation: tt.op, Via: ips.WebReturn, MerchantCode: "808801", OrderNo: "R1", Code: ips.CodeSuccess, Outcome: ips.Success, Message: "账号" + telling}
			for _, a := range []any{answer, r.Interface()} {
				text := logged(a)
				assert.Contains(t, text, "v.operation="+string(tt.op)+` v.merchant=808801 v.order=R1 v.via="web return" v.code=MG00000F v.outcome=success`)
				assert.NotContains(t, text, telling)
			}
		})
	}
}
