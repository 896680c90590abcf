package sandbox

import (
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func TestPages(t *testing.T) {
	t.Parallel()
	p, err := newPages("secret")
	require.NoError(t, err)
	op, _ := pageOperation("registerSubject.aspx")

	t.Run("return", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		p.back(w, result{
			op:        op,
			returnURL: `http://shop.example.com/back?a=1&b="2"`,
			answer:    sealed{merchant: "808801", code: "MG02500F", text: `标的新增<&>"`, body: "a+b/c==", sign: "0f"},
		})
		golden(t, "return.html", w.Body.Bytes())
	})
	t.Run("failure", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		p.failure(w, 200, failure{Op: op, Code: codeSign, Text: "签名验证失败<script>"})
		golden(t, "failure.html", w.Body.Bytes())
	})
	t.Run("confirm", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		p.confirm(w, confirmPage{
			Title: "充值确认", Error: "请选择支付结果", Lines: []line{{"商户", `<b>"测试"`}},
			Inputs: append(inputs("bank"), inputs("password")...), Action: "/CreditWeb/confirm/ASK0000000001", Token: "0f",
		})
		golden(t, "confirm.html", w.Body.Bytes())
	})
}

func TestTokensBelongToOnePage(t *testing.T) {
	t.Parallel()
	p, err := newPages("secret")
	require.NoError(t, err)
	other, err := newPages("another")
	require.NoError(t, err)
	token := p.token("ASK0000000001")
	assert.True(t, p.validToken("ASK0000000001", token))
	assert.False(t, p.validToken("ASK0000000002", token))
	assert.False(t, other.validToken("ASK0000000001", token))
	assert.False(t, p.validToken("ASK0000000001", ""))
}
