package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
)

func noEnv(string) string { return "" }

// play runs the program and returns what it prints.
func play(t *testing.T, getenv func(string) string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := run(ctx, args, getenv, &out)
	return out.String(), err
}

func TestWholeStory(t *testing.T) {
	t.Parallel()
	start := time.Now()
	out, err := play(t, noEnv)
	require.NoError(t, err, out)
	assert.Less(t, time.Since(start), 10*time.Second)
	for _, sc := range scenarios() {
		assert.Contains(t, out, sc.name)
	}
	for _, info := range ips.Operations() {
		line := regexp.MustCompile(`(?m)^   ` + info.Method + ` +` + regexp.QuoteMeta(info.Endpoint) + ` `)
		if len(info.Scenarios) > 0 && !line.MatchString(out) {
			t.Errorf("no scenario plays %s, which serves scenarios %v", info.Method, info.Scenarios)
		}
	}
	for _, line := range []string{
		"张三 borrower +2282.00 +0.00",
		"李四 investor +4994.00 +0.00",
		"王五 investor +12433.00 +0.00",
		"赵六 guarantor +5050.00 +0.00",
		"platform +241.00 +0.00",
		"All together have 25000.00",
		"The books sum to zero",
	} {
		assert.Regexp(t, line, out)
	}
	assert.True(t, strings.HasSuffix(out, "\nOK\n"), out)
}

func TestEachScenario(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 17; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			out, err := play(t, noEnv, "-scenario", fmt.Sprint(n))
			require.NoError(t, err, out)
			assert.Regexp(t, fmt.Sprintf(`(?m)^ ?%d  `, n), out)
			assert.True(t, strings.HasSuffix(out, "\nOK\n"), out)
		})
	}
}

// The scenarios' effects, which the program checks one by one, must come to
// the balances that were added up separately.
func TestEffectsAddUp(t *testing.T) {
	t.Parallel()
	sum := make(map[party]money)
	var cash ips.Amount
	for _, sc := range scenarios() {
		cash += sc.cash
		var gain ips.Amount
		for who, effect := range sc.effect {
			sum[who] = sum[who].plus(effect)
			gain += effect.available + effect.frozen
		}
		assert.Equal(t, sc.cash, gain, "%s makes or loses money", sc.name)
	}
	assert.Equal(t, ending(), sum)
	assert.Equal(t, cash, total(ending()))
}

func TestScenariosAreComplete(t *testing.T) {
	t.Parallel()
	seen := make(map[int]bool)
	for _, sc := range scenarios() {
		for _, need := range sc.needs {
			assert.True(t, seen[need], "%s needs %d, which does not come before it", sc.name, need)
		}
		if sc.number > 0 {
			assert.False(t, seen[sc.number], "%d is there twice", sc.number)
			seen[sc.number] = true
		}
	}
	for n := 1; n <= 17; n++ {
		assert.True(t, seen[n], "scenario %d", n)
	}
}

func TestVerbose(t *testing.T) {
	t.Parallel()
	out, err := play(t, noEnv, "-v")
	require.NoError(t, err, out)
	assert.Contains(t, out, "<pReq>")
	assert.Contains(t, out, "<pIdentNo>***</pIdentNo>")
	assert.Contains(t, out, "sent transfer")
	assert.Contains(t, out, "received transfer, synchronous")
	assert.Contains(t, out, "received register-bid, web return")
	assert.Contains(t, out, "received register-bid, server to server")
	assert.NotRegexp(t, `11010119900101\d{4}|1380000000\d|@example\.com`, out)
	cfg := ips.TestMerchant()
	for _, secret := range []string{cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal()} {
		assert.NotContains(t, out, secret)
	}
}

// elsewhere starts a sandbox; args lead there.
func elsewhere(t *testing.T, cfg sandbox.Config, args ...string) (*sandbox.Sandbox, []string) {
	t.Helper()
	box, err := sandbox.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, box.Close()) })
	base, err := box.Start("")
	require.NoError(t, err)
	return box, append([]string{"-base", base}, args...)
}

// keys are the test merchant's, as environment variables, with some changed.
func keys(change map[string]string) func(string) string {
	m := sandbox.TestMerchant()
	env := map[string]string{"IPS_MERCHANT": m.Code, "IPS_CERT": m.Cert, "IPS_3DES_KEY": m.Key, "IPS_3DES_IV": m.IV}
	maps.Copy(env, change)
	return func(name string) string { return env[name] }
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	box, args := elsewhere(t, sandbox.Config{})
	// Twice, since the numbers must be new each time, and with money that the
	// platform had before.
	require.NoError(t, box.Deposit("808801", "", 12345))
	for _, env := range []func(string) string{noEnv, keys(map[string]string{"IPS_NAMESPACE": "http://microsoft.com/webservices/"})} {
		out, err := play(t, env, args...)
		require.NoError(t, err, out)
		assert.Contains(t, out, "only the balances could be checked")
		assert.True(t, strings.HasSuffix(out, "\nOK\n"), out)
	}
	require.NoError(t, box.CheckBooks())
	b, ok := box.Balance("808801", "808801")
	require.True(t, ok)
	assert.EqualValues(t, 12345+2*24100, b.Available)
}

func TestElsewhereSignedWithRSA(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	m := sandbox.TestMerchant()
	m.RSA = key
	cfg := sandbox.Config{Merchants: []sandbox.Merchant{m}}

	_, args := elsewhere(t, cfg, "-scenario", "4")
	out, err := play(t, keys(map[string]string{"IPS_PUBLIC_KEY": base64.StdEncoding.EncodeToString(der)}), args...)
	require.NoError(t, err, out)
	_, err = play(t, keys(nil), args...)
	require.Error(t, err, "answers that do not verify")
}

func TestThingsGoWrong(t *testing.T) {
	t.Parallel()
	fault := func(f sandbox.Fault) func(*sandbox.Sandbox) error {
		return func(box *sandbox.Sandbox) error { return box.Fault("808801", f) }
	}
	for _, tt := range []struct {
		name   string
		config sandbox.Config
		env    map[string]string
		spoil  func(*sandbox.Sandbox) error
		args   []string
		want   string
	}{
		{name: "a refusal", spoil: fault(sandbox.Fault{Name: "code", Op: "doDwTrade", Code: "MG19010F"}), want: "MG19010F"},
		{name: "a refusal of a service", spoil: fault(sandbox.Fault{Name: "code", Op: "GuaranteeUnfreeze", Code: "MG00001F"}), want: "MG00001F"},
		{name: "another refusal than was expected", spoil: fault(sandbox.Fault{Name: "code", Op: "registerCreditor", Code: "MG03108F"}),
			want: "should have refused with MG03011F"},
		{name: "the answer stays pending", spoil: fault(sandbox.Fault{Name: "stay-pending", Op: "registerSubject"}),
			args: []string{"-wait", "300ms"}, want: "no notification came within 300ms"},
		{name: "a row of a batch fails", spoil: fault(sandbox.Fault{Name: "row", Op: "Transfer", Row: 2}), want: "row 2: 转账失败"},
		{name: "a row of a repayment fails", spoil: fault(sandbox.Fault{Name: "row", Op: "RepaymentNewTrade", Row: 1}), want: "row 1: 还款失败"},
		{name: "a fee that the story does not know", config: sandbox.Config{IPSFee: 100},
			spoil: func(box *sandbox.Sandbox) error { return box.Deposit("808801", "", 100_000) },
			want:  "platform has -3.00 available and 0.00 frozen, and should have 0.00 and 0.00\nDoes this IPS take fees"},
		{name: "people confirm by hand", config: sandbox.Config{Manual: true}, want: "a person to confirm"},
		{name: "no mandate", config: sandbox.Config{Merchants: []sandbox.Merchant{noMandate()}}, want: "MG18023F"},
		{name: "wrong cert", env: map[string]string{"IPS_CERT": strings.Repeat("x", 128)}, want: "asking for the platform's balance: ips: query-balance refused: 9999"},
		{name: "nobody there", env: map[string]string{"IPS_WS_URL": "http://127.0.0.1:1/CreditWS/Service.asmx"}, want: "Can this program reach IPS"},
		{name: "IPS cannot call back", env: map[string]string{"IPS_NOTIFY_URL": "http://127.0.0.1:1/ips/notify"},
			args: []string{"-wait", "300ms"}, want: "no notification came within 300ms"},
		{name: "browsers cannot come back", env: map[string]string{"IPS_RETURN_URL": "http://127.0.0.1:1/ips/return"}, want: "127.0.0.1:1"},
		{name: "one path for both", env: map[string]string{"IPS_RETURN_URL": "http://127.0.0.1:1/a", "IPS_NOTIFY_URL": "http://127.0.0.1:1/a/"},
			want: "the same path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			box, args := elsewhere(t, tt.config, tt.args...)
			if tt.spoil != nil {
				require.NoError(t, tt.spoil(box))
			}
			out, err := play(t, keys(tt.env), args...)
			require.ErrorContains(t, err, tt.want, out)
			assert.NotContains(t, out, "\nOK\n")
			assert.NotRegexp(t, `11010119900101\d{4}|1380000000\d|@example\.com`, out+err.Error())
			assert.NoError(t, box.CheckBooks())
		})
	}
}

func noMandate() sandbox.Merchant {
	m := sandbox.TestMerchant()
	m.NoMandate = true
	return m
}

func TestUsage(t *testing.T) {
	t.Parallel()
	at := []string{"-base", "http://127.0.0.1:1"}
	for _, tt := range []struct {
		name string
		args []string
		env  map[string]string
		want string
	}{
		{"unknown flag", []string{"-x"}, nil, "usage"},
		{"argument", []string{"6"}, nil, "usage"},
		{"no patience", []string{"-wait", "0"}, nil, "usage"},
		{"no such scenario", []string{"-scenario", "18"}, nil, "there is no scenario 18"},
		{"a negative scenario", []string{"-scenario", "-1"}, nil, "there is no scenario -1"},
		{"half an environment", at, map[string]string{"IPS_CERT": "", "IPS_3DES_IV": ""}, "IPS_CERT is not set\nIPS_3DES_IV is not set"},
		{"a short cert", at, map[string]string{"IPS_CERT": "tooshort"}, "cert"},
		{"no URL", []string{"-base", "somewhere"}, nil, "somewhere"},
		{"public key", at, map[string]string{"IPS_PUBLIC_KEY": "AAAA"}, "IPS_PUBLIC_KEY"},
		{"nowhere to listen", []string{"-listen", "192.0.2.1:1"}, nil, "-listen"},
		{"production", []string{"-base", "https://P2P.ips.com.cn/"}, nil, "real platform"},
		{"production's service", at, map[string]string{"IPS_WS_URL": "https://p2p.ips.com.cn:443/CreditWS/Service.asmx"}, "real platform"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := play(t, keys(tt.env), tt.args...)
			require.ErrorContains(t, err, tt.want)
			m := sandbox.TestMerchant()
			for _, secret := range []string{m.Cert, m.Key, m.IV, "tooshort"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	out, err := play(t, noEnv, "-h")
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, word := range []string{"-scenario N", "-wait", "-base URL", "IPS_POST_URL", "IPS_NOTIFY_URL"} {
		assert.Contains(t, out, word)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.ErrorIs(t, run(ctx, nil, noEnv, &out), context.Canceled)
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{"": 0, "abc": 3, "张三": 4, "张三 1": 6, "（）": 4, "−1": 2} {
		assert.Equal(t, want, columnsOf(s), s)
	}
	assert.Equal(t, "张三  |", pad("张三", 6)+"|")
	assert.Equal(t, "  张三|", left("张三", 6)+"|")
	assert.Equal(t, "long |", pad("long", 2)+"|")
}
