package pages

import (
	"encoding/xml"
	"flag"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
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
	p, err := New(nil, nil)
	require.NoError(t, err)
	op, _ := wire.PageOperation("registerSubject.aspx")
	repay, _ := wire.PageOperation("RepaymentNewTrade.aspx")

	t.Run("return", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		p.Back(w, Return{
			Op:     op,
			Order:  "B1",
			URL:    `http://shop.example.com/back?a=1&b="2"`,
			Answer: wire.Envelope{Merchant: "808801", Code: "MG02500F", Text: `标的新增<&>"`, Body: "a+b/c==", Sign: "0f"},
		})
		golden(t, "return.html", w.Body.Bytes())
	})
	t.Run("return of an automatic repayment", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		p.Back(w, Return{
			Op: repay, Order: "R1", URL: "http://shop.example.com/back", FormFirst: true,
			Answer: wire.Envelope{Merchant: "808801", Code: "MG00008F", Text: "IPS受理中！", Body: "a+b/c==", Sign: "0f"},
		})
		golden(t, "return-first.html", w.Body.Bytes())
	})
	t.Run("failure", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		p.Failure(w, 200, Failure{Op: op, Code: "MG00003F", Text: "签名验证失败<script>"})
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
			Yes: "确认", Action: "/CreditWeb/confirm/ASK0000000001-0f", Tries: 3,
			Deadline: time.Date(2014, 11, 24, 4, 20, 0, 0, time.UTC), Left: 65 * time.Second,
		})
		golden(t, "confirm.html", w.Body.Bytes())
	})
}

func TestLinksNameOneConfirmation(t *testing.T) {
	t.Parallel()
	p, err := New(nil, nil)
	require.NoError(t, err)
	id, ok := p.follow(p.link("ASK0000000001"))
	assert.True(t, ok)
	assert.Equal(t, "ASK0000000001", id)
	for _, link := range []string{"", "-", "ASK0000000001", "ASK0000000001-", "ASK0000000002" + p.link("ASK0000000001")[13:]} {
		_, ok := p.follow(link)
		assert.False(t, ok, link)
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

// Merchants' programs cut the page at </form> and read a part of it as XML.
func TestReturnPageIsReadAsXML(t *testing.T) {
	t.Parallel()
	p, err := New(nil, nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		back  Return
		which int // of the forms
	}{
		"a bid":                  {Return{Op: wire.Operation{Name: "registerCreditor", Title: "登记投资人"}}, 1},
		"after a person":         {Return{Op: wire.Operation{Name: "registerCreditor", Title: "登记投资人"}, Answered: true}, 1},
		"an automatic repayment": {Return{Op: wire.Operation{Name: "RepaymentNewTrade", Title: "还款"}, FormFirst: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.back.URL, c.back.Order = "http://shop.example.com/back?a=1&b=2", "A1"
			c.back.Answer = wire.Envelope{Merchant: "808801", Code: "MG00000F", Text: `好<&>"'`, Body: "a+b/c==", Sign: "0f"}
			w := httptest.NewRecorder()
			p.Back(w, c.back)
			parts := strings.SplitAfter(w.Body.String(), "</form>")
			var form struct {
				XMLName xml.Name `xml:"form"`
				Method  string   `xml:"method,attr"`
				Action  string   `xml:"action,attr"`
				Inputs  []struct {
					Name  string `xml:"name,attr"`
					Value string `xml:"value,attr"`
				} `xml:"input"`
				Rest string `xml:",chardata"`
			}
			require.NoError(t, xml.Unmarshal([]byte(parts[c.which]), &form), parts[c.which])
			assert.Equal(t, "post", form.Method)
			assert.Equal(t, c.back.URL, form.Action)
			var got []wire.Pair
			for _, in := range form.Inputs {
				got = append(got, wire.Pair{Name: in.Name, Value: in.Value})
			}
			assert.Equal(t, c.back.Answer.Fields(), got)
			assert.Empty(t, strings.TrimSpace(form.Rest))
			if c.which == 1 {
				// The whole is well-formed too.
				d := xml.NewDecoder(strings.NewReader(strings.Join(parts, "")))
				var err error
				for err == nil {
					_, err = d.Token()
				}
				assert.ErrorIs(t, err, io.EOF)
			}
		})
	}
}

func TestOutcomeOf(t *testing.T) {
	for code, want := range map[string]string{
		"MG00000F": kindDone, "MG02501F": kindDone, "0000": kindDone,
		"MG00008F": kindPending, "MG02503F": kindPending,
		"MG08091F": kindFailed, "9999": kindFailed, "": kindFailed,
	} {
		kind, _ := outcomeOf(code)
		assert.Equal(t, want, kind, code)
	}
}
