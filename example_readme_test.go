package ips_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// The snippet of README.md; TestReadme holds the two together.
func Example_readme() {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/recharge", nil)
	ctx, mux, myDatabase := r.Context(), http.NewServeMux(), new(ips.MemoryOnce)
	credit := func(context.Context, string, ips.Amount) error { return nil }

	cfg := ips.TestMerchant()                                    // the vendor's published test merchant
	cfg.Environment = ips.EnvironmentAt("http://127.0.0.1:8808") // a sandbox; or ips.Production()
	cfg.ReturnURL = "https://p2p.example.com/ips/return"
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	client, err := ips.NewClient(cfg)

	// A redirect operation returns a form for the user's browser.
	form, err := client.Recharge(ips.RechargeRequest{
		OrderNo: "R20260301000001", Date: ips.Today(),
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004",
		FeePayer: ips.PlatformPaysFee,
	})
	form.ServeHTTP(w, r)

	// A web-service operation sends at once and returns a typed answer.
	resp, err := client.Transfer(ctx, ips.TransferRequest{ /* … */ })

	// Answers that arrive later are verified and handed to your functions.
	mux.Handle("/ips/notify/", client.NotifyHandler(ips.Inbound{
		Once: myDatabase, // decides "first time or not"
		Callbacks: ips.Callbacks{
			Recharge: func(ctx context.Context, a *ips.RechargeResponse) error {
				if a.Outcome != ips.Success {
					return nil // pending or refused: a.Code, a.Message
				}
				return credit(ctx, a.Account, a.Amount)
			},
		},
	}))

	fmt.Println(w.Code, form.Action())
	var invalid *ips.ValidationError
	fmt.Println(resp, errors.As(err, &invalid))
	// Output:
	// 200 http://127.0.0.1:8808/CreditWeb/doDpTrade.aspx
	// <nil> true
}

var (
	goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")
	comment = regexp.MustCompile(`(?m)(^|\s)//\s.*$`)
)

// The READMEs show what Example_readme runs; the Chinese one has comments of
// its own.
func TestReadme(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_readme_test.go")
	require.NoError(t, err)
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		readme, err := os.ReadFile(file)
		require.NoError(t, err)
		block := goBlock.FindSubmatch(readme)
		require.NotNil(t, block, file)
		assert.Contains(t, bareCode(source), bareCode(block[1]), file)
	}
}

// TestReadmesInStep: both languages have the same chapters, commands, tables and
// links, in the same order.
func TestReadmesInStep(t *testing.T) {
	t.Parallel()
	skeleton := func(file string) []string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var all []string
		for line := range strings.Lines(string(text)) {
			switch line = strings.TrimRight(line, "\n"); {
			case strings.HasPrefix(line, "## "):
				all = append(all, "chapter")
			case strings.HasPrefix(line, "|--"):
				all = append(all, line)
			case strings.HasPrefix(line, "    "):
				command, _, _ := strings.Cut(line, " #")
				all = append(all, strings.TrimSpace(command))
			}
			for _, link := range readmeLink.FindAllStringSubmatch(line, -1) {
				all = append(all, strings.Replace(link[1], ".zh-CN", "", 1))
			}
		}
		return all
	}
	assert.Equal(t, skeleton("README.md"), skeleton("README.zh-CN.md"))
}

var readmeLink = regexp.MustCompile(`\]\(([\w./-]+)\)`)

// bareCode is code without comments, on one line.
func bareCode(source []byte) string {
	return strings.Join(strings.Fields(comment.ReplaceAllString(string(source), "")), " ")
}
