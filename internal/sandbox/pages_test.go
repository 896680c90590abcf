package sandbox

import (
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
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
			order:     "B1",
			returnURL: `http://shop.example.com/back?a=1&b="2"`,
			answer:    sealed{merchant: "808801", code: "MG02500F", text: `标的新增<&>"`, body: "a+b/c==", sign: "0f"},
		}, false)
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
		p.show(w, 200, "confirm", confirmPage{
			Title: "开户确认", Intro: "请核对", Error: "请更正", Wrong: []wrongField{{"card", "不是卡号"}},
			Lines:  []line{{Label: "商户", Value: `<b>"测试"`}, {"手续费", "1.00", true, false}, {"合计", "12345.00", true, true}},
			Payees: []engine.Payee{{Order: "C1", Name: "李*", Account: "4021000000000002", Amount: "1000.00", Fee: "0.00"}},
			Groups: []inputGroup{{Legend: "设置<银行账户>", Fields: []inputField{
				{Name: "bank", Label: "开户银行", Value: "招商银行", Options: []string{"中国银行", "招商银行"}},
				{Name: "card", Label: "银行卡号", Type: "text", Value: `"><script>`, InputMode: "numeric", Hint: "15至19位数字", Error: "不是卡号", Focus: true},
			}}},
			Yes: "确认", Action: "/CreditWeb/confirm/ASK0000000001-0f", Token: "0.0f",
			Deadline: time.Date(2014, 11, 24, 4, 20, 0, 0, time.UTC), Left: 65 * time.Second,
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
	ask := engine.AskInfo{ID: "ASK0000000001", TriesLeft: 3}
	token := p.token(ask)
	later := ask
	later.TriesLeft = 2
	for name, c := range map[string]struct {
		pages         *pages
		ask           engine.AskInfo
		token         string
		valid, latest bool
	}{
		"its own":         {p, ask, token, true, true},
		"after a try":     {p, later, token, true, false},
		"another page":    {p, engine.AskInfo{ID: "ASK0000000002", TriesLeft: 3}, token, false, true},
		"another sandbox": {other, ask, token, false, true},
		"raised count":    {p, later, "2" + token[1:], false, true},
		"none":            {p, ask, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			valid, latest := c.pages.checkToken(c.ask, c.token)
			assert.Equal(t, c.valid, valid)
			assert.Equal(t, c.latest, latest)
		})
	}
}

func TestLinksNameOneConfirmation(t *testing.T) {
	t.Parallel()
	p, err := newPages("secret")
	require.NoError(t, err)
	id, ok := p.follow(p.link("ASK0000000001"))
	assert.True(t, ok)
	assert.Equal(t, "ASK0000000001", id)
	for _, link := range []string{"", "-", "ASK0000000001", "ASK0000000001-", "ASK0000000002" + p.link("ASK0000000001")[13:]} {
		_, ok := p.follow(link)
		assert.False(t, ok, link)
	}
}

func TestAmountsInGroupsOfThree(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]string{
		"0.00": "0.00", "100.00": "100.00", "1000.00": "1,000.00", "100000000.00": "100,000,000.00", "1234567": "1,234,567",
	} {
		assert.Equal(t, want, groupThousands(amount))
	}
}

func TestTimeLeft(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		30 * time.Minute: "30分钟", 90 * time.Second: "1分30秒", 59*time.Second + 400*time.Millisecond: "59秒", -time.Hour: "0秒",
	} {
		assert.Equal(t, want, leftText(d))
	}
}
