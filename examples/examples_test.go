// Package examples_test copies the small programs into a module of their own,
// as their readers do, builds them there and looks at what they print.
package examples_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prints are lines that each program prints, in this order.
var prints = map[string][]string{
	"openaccount": {
		`order OA\w+ done MG00000F .+`,
		`account 40210000\d{8} opened at .+`,
		`the user is back: success`,
	},
	"invest": {
		`register-bid done .+`,
		`register-creditor done .+`,
		`transfer done .+`,
		`  paid out 6000\.00 done `,
		`  paid out 4000\.00 done `,
		`  paid out 1000\.00 done `,
		`张三 has 10890\.00 available and 0\.00 frozen`,
		`李四 has 2993\.00 available and 0\.00 frozen`,
		`王五 has 5996\.00 available and 0\.00 frozen`,
	},
	"debttransfer": {
		`sale of 2000\.00 for 1900\.00 done`,
		`payment of 1900\.00 done `,
		`李四 has 1890\.00 available and 0\.00 frozen`,
		`王五 has 1095\.00 available and 0\.00 frozen`,
	},
	"repay": {
		`claim \w+ repaid: done `,
		`claim \w+ repaid: done `,
		`bid \w+ ended done`,
		`张三 has 898\.00 available and 0\.00 frozen`,
		`李四 has 6054\.00 available and 0\.00 frozen`,
		`王五 has 4036\.00 available and 0\.00 frozen`,
	},
	"compensate": {
		`guarantee done with a margin of 1000\.00`,
		`compensation 60\.00 done `,
		`compensation repayment 60\.00 done `,
		`guarantee profit 50\.00 done `,
		`张三 has 6890\.00 available and 0\.00 frozen`,
		`王五 has 4110\.00 available and 940\.00 frozen`,
	},
	"recharge": {
		`order RC\w+ is done: credit 2000\.00`,
		`order RC\w+ is done: credit 1000\.00`,
		`order WR\w+ is done: credit 500\.00`,
		`credited in all: 3500\.00`,
	},
	"withdraw": {
		`1000\.00 refused: MG\d{5}F .+`,
		`800\.00 went to the card`,
		`in our books: 198\.00 at IPS: 198\.00`,
	},
	"margin": {
		`guarantor margin of 李四 400\.00 done .+`,
		`borrower margin of 张三 300\.00 done .+`,
		`borrower margin of 张三 0\.01 refused .+`,
		`张三 has 500\.00 available and 0\.00 frozen`,
		`李四 has 1000\.00 available and 0\.00 frozen`,
	},
	"contracts": {
		`auto-bid contract done until \d{8} for loans of 1000\.00 to 10000\.00`,
		`automatic bid done frozen 3000\.00`,
		`auto-repay contract done`,
		`automatic repayment of claim \w+ done `,
	},
}

// copied builds the programs in a module that is not this one, and returns
// where they are.
func copied(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	const sdk = "module github.com/ips-p2p/ips\n"
	require.Contains(t, string(mod), sdk)
	elsewhere := strings.Replace(string(mod), sdk, "module example.com/shop\n\nrequire github.com/ips-p2p/ips v0.0.0\n\n"+
		"replace github.com/ips-p2p/ips v0.0.0 => "+root+"\n", 1)

	dir, bin := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(elsewhere), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600))
	for name := range prints {
		program, err := os.ReadFile(filepath.Join(name, "main.go"))
		require.NoError(t, err)
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "main.go"), program, 0o600))
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), "./...")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

func TestCopied(t *testing.T) {
	t.Parallel()
	bin := copied(t)
	for name, lines := range prints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, filepath.Join(bin, name)).CombinedOutput()
			require.NoError(t, err, "%s", out)
			rest := string(out)
			for _, line := range lines {
				at := regexp.MustCompile(`(?m)^` + line + `$`).FindStringIndex(rest)
				require.NotNil(t, at, "no line %q here or further down in\n%s", line, out)
				rest = rest[at[1]:]
			}
		})
	}
	t.Run("openaccount -serve", func(t *testing.T) {
		t.Parallel()
		serve(t, filepath.Join(bin, "openaccount"))
	})
}

// serve looks at the pages that a person's browser gets.
func serve(t *testing.T, program string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-serve")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	site := regexp.MustCompile(`http://\S+/`).FindString(line)

	good := url.Values{"姓名": {"张三"}, "身份证号": {"110101199001010001"}, "手机号": {"13800000000"}, "邮箱": {"zhangsan@example.com"}}
	short := url.Values{"姓名": {"张三"}, "身份证号": {"110101199001010001"}, "手机号": {"138"}, "邮箱": {"zhangsan@example.com"}}
	for _, tt := range []struct {
		name   string
		path   string
		form   url.Values // nil gets
		status int
		has    string
		hasNot string
	}{
		{"the form", "", nil, 200, "前往环迅支付开户", "填写有误"},
		{"to IPS", "", good, 200, "arg3DesXmlPara", "110101199001010001"},
		{"again", "", good, 200, "arg3DesXmlPara", "110101199001010001"},
		{"a short mobile number", "", short, 422, "手机号填写有误", "姓名填写有误"},
		{"nothing filled in", "", url.Values{}, 422, "姓名填写有误", "arg3DesXmlPara"},
		{"no page", "nothing", nil, 404, "", "form"},
		{"a return that is none", "ips/return/open-account", good, 400, "请查看您的订单", "成功"},
		{"a notification that is none", "ips/notify/open-account", good, 400, "refused", "成功"},
	} {
		resp, err := http.Get(site + tt.path)
		if tt.form != nil {
			resp, err = http.PostForm(site+tt.path, tt.form)
		}
		require.NoError(t, err, tt.name)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err, tt.name)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, tt.status, resp.StatusCode, tt.name)
		assert.Contains(t, string(body), tt.has, tt.name)
		assert.NotContains(t, string(body), tt.hasNot, tt.name)
	}
	cancel()
	assert.Error(t, cmd.Wait(), "it waits until it is stopped")
}
