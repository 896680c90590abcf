package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox"
)

func noEnvironment(string) (string, bool) { return "", false }

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// running is the program, inside the test.
type running struct {
	base           string
	stdout, stderr *buffer
	stop           func() error
}

var basePattern = regexp.MustCompile(`pages\s+(https?://\S+)/CreditWeb/`)

func startProgram(t *testing.T, env func(string) (string, bool), args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &running{stdout: &buffer{}, stderr: &buffer{}}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, env, p.stdout, p.stderr) }()
	p.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { assert.NoError(t, p.stop()) })
	require.Eventually(t, func() bool {
		m := basePattern.FindStringSubmatch(p.stdout.String())
		if m == nil {
			return false
		}
		p.base = m[1]
		return strings.Contains(p.stdout.String(), "Ctrl-C")
	}, 10*time.Second, time.Millisecond, "%s", p.stderr)
	return p
}

func TestProgram(t *testing.T) {
	t.Parallel()
	p := startProgram(t, noEnvironment, "-addr", "127.0.0.1:0")
	out := p.stdout.String()
	assert.Contains(t, out, "NOT IPS")
	for _, want := range []string{"/CreditWS/Service.asmx?WSDL", "/CreditWSQuery/Service.asmx?WSDL", "/console/", "/admin/", "/healthz",
		"808801", "测试平台", "MD5", "at once", "in memory"} {
		assert.Contains(t, out, want)
	}
	m := sandbox.TestMerchant()
	for _, secret := range []string{m.Cert, m.Key, m.IV} {
		assert.NotContains(t, out, secret)
	}
	assert.Empty(t, p.stderr.String())
	resp, err := http.Get(p.base + "/healthz")
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, 200, resp.StatusCode)
	require.NoError(t, p.stop())
	_, err = http.Get(p.base + "/healthz")
	assert.Error(t, err, "stopped")
	assert.Contains(t, p.stdout.String(), "stopping")
}

// With -sample there is something to look at, and the admin API adds nothing to it.
func TestProgramBeginsWithSamples(t *testing.T) {
	t.Parallel()
	p := startProgram(t, noEnvironment, "-addr", "127.0.0.1:0", "-sample")
	post(t, p.base+"/admin/sample", "{}")
	resp, err := http.Get(p.base + "/admin/sms?state=open")
	require.NoError(t, err)
	defer resp.Body.Close()
	var texts struct{ SMS []struct{ Order string } }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&texts))
	require.Len(t, texts.SMS, 1)
	assert.Equal(t, "SAMPLELOAN2", texts.SMS[0].Order)
	require.NoError(t, p.stop())
}

func post(t *testing.T, url, body string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode, "%s", text)
}

func TestProgramKeepsItsFolder(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "data")
	env := environment("IPS_SANDBOX_DATA", folder, "IPS_SANDBOX_ADDR", "127.0.0.1:0", "IPS_SANDBOX_MODE", "manual")
	p := startProgram(t, env)
	assert.Contains(t, p.stdout.String(), "kept in "+folder)
	assert.Contains(t, p.stdout.String(), "by hand")
	post(t, p.base+"/admin/deposit", `{"merchant":"808801","fen":77}`)
	post(t, p.base+"/admin/clock/advance", `{"by":"24h"}`)

	var stderr buffer
	err := run(t.Context(), nil, env, io.Discard, &stderr)
	assert.ErrorContains(t, err, "another process is using it")
	require.NoError(t, p.stop())

	p = startProgram(t, env)
	resp, err := http.Get(p.base + "/admin/balances")
	require.NoError(t, err)
	defer resp.Body.Close()
	var out struct{ Balances []struct{ Available int64 } }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&out))
	require.Len(t, out.Balances, 1)
	assert.EqualValues(t, 77, out.Balances[0].Available)
	clock, err := http.Get(p.base + "/admin/clock")
	require.NoError(t, err)
	defer clock.Body.Close()
	text, err := io.ReadAll(clock.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"offset": "24h0m0s"`)
}

// certificate writes a certificate for the loopback address and its key.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sandbox"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certFile = file(t, "cert.pem", string(certPEM))
	keyFile = file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return certFile, keyFile, pool
}

// file writes a file that only its owner may read.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestProgramSpeaksTLSAndFails(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	p := startProgram(t, noEnvironment, "-addr", "127.0.0.1:0", "-tls-cert", cert, "-tls-key", key,
		"-fault", "http-502:op=doDpTrade", "-fault", "reset:op=doDwTrade", "-verbose")
	require.True(t, strings.HasPrefix(p.base, "https://"), p.base)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	form := "application/x-www-form-urlencoded"
	resp, err := client.Post(p.base+"/CreditWeb/doDpTrade.aspx", form, strings.NewReader("x=y"))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 502, resp.StatusCode)
	_, err = client.Post(p.base+"/CreditWeb/doDwTrade.aspx", form, strings.NewReader("x=y"))
	assert.Error(t, err, "reset")
	wsdl, err := client.Get(p.base + "/CreditWS/Service.asmx?WSDL")
	require.NoError(t, err)
	defer wsdl.Body.Close()
	text, err := io.ReadAll(wsdl.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), p.base+"/CreditWS/Service.asmx", "the address in the WSDL is secure too")
	assert.Contains(t, p.stderr.String(), "NOT IPS", "-verbose logs")
}

func TestProgramWarnsOfOtherMachines(t *testing.T) {
	t.Parallel()
	p := startProgram(t, noEnvironment, "-addr", "0.0.0.0:0", "-allow-remote")
	assert.Contains(t, p.stderr.String(), "*** WARNING")
	assert.Contains(t, p.stderr.String(), "IT IS NOT IPS")
}

func TestWhoCanReachAnAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.8.9.1:80": true, "[::1]:80": true, "localhost:0": true, "LocalHost:0": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "example.com:80": false, "127.0.0.1": false,
		"localhost.example.com:80": false,
	} {
		assert.Equal(t, want, (&options{addr: addr}).loopback(), addr)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		env  []string
		want string
	}{
		"repeat":          {[]string{"-repeat", "maybe"}, nil, "flag -repeat: want first or refuse"},
		"trade query":     {[]string{"-trade-query", "there"}, nil, "flag -trade-query: want both or query or service or none"},
		"notice after":    {[]string{"-notice-after", "-1s"}, nil, "-notice-after: want 0 or more"},
		"notice again":    {[]string{"-notice-again", "5"}, nil, "-notice-again: want 0 to 4, got 5"},
		"old bid":         {[]string{"-old-bid", "bid=1"}, nil, "-old-bid: sandbox: old bid: owed: nobody is owed anything"},
		"old bid, word":   {[]string{"-old-bid", "colour=red"}, nil, "colour: unknown key"},
		"base":            {[]string{"-base", "sandbox"}, nil, `-base: want a URL, got "sandbox"`},
		"export":          {[]string{"-export", "books.json"}, nil, "-export: want -data as well"},
		"unknown flag":    {[]string{"-colour"}, nil, "-colour"},
		"argument":        {[]string{"now"}, nil, `"now" is no flag`},
		"mode":            {[]string{"-mode", "maybe"}, nil, "flag -mode: want auto or manual"},
		"mode from env":   {nil, []string{"IPS_SANDBOX_MODE", "maybe"}, "IPS_SANDBOX_MODE: want auto or manual"},
		"bad env":         {nil, []string{"IPS_SANDBOX_SEED", "x"}, "IPS_SANDBOX_SEED"},
		"remote":          {[]string{"-addr", ":8480"}, nil, "say -allow-remote"},
		"no port":         {[]string{"-addr", "8480"}, nil, `-addr: want HOST:PORT, got "8480"`},
		"a host as URL":   {[]string{"-host", "https://ips.test"}, nil, `want a host name`},
		"half of TLS":     {[]string{"-tls-cert", "x"}, nil, "want both or none"},
		"fee":             {[]string{"-ips-fee", "1.005"}, nil, "-ips-fee"},
		"fault":           {[]string{"-fault", "flood"}, nil, "flag -fault: sandbox: fault: Name: unknown fault"},
		"fault, merchant": {[]string{"-fault", "reset:merchant=000000"}, nil, "unknown code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr buffer
			err := run(t.Context(), c.args, environment(c.env...), io.Discard, &stderr)
			require.ErrorIs(t, err, errUsage)
			assert.ErrorContains(t, err, c.want)
			assert.Equal(t, 2, exitCode(err, io.Discard))
		})
	}
	assert.Equal(t, 0, exitCode(nil, io.Discard))
	assert.Equal(t, 0, exitCode(flag.ErrHelp, io.Discard))
	assert.Equal(t, 1, exitCode(errors.New("x"), io.Discard))
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	var stderr buffer
	require.ErrorIs(t, run(t.Context(), []string{"-help"}, noEnvironment, io.Discard, &stderr), flag.ErrHelp)
	for _, name := range []string{"addr", "allow-remote", "merchants", "mode", "data", "seed", "ips-fee", "tls-cert", "tls-key", "host",
		"fault", "verbose"} {
		assert.Contains(t, stderr.String(), "\n  -"+name)
	}
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	t.Parallel()
	env := environment("IPS_SANDBOX_SEED", "5", "IPS_SANDBOX_ADDR", "127.0.0.1:1", "IPS_SANDBOX_FAULT", "reset; http-500:count=2",
		"IPS_SANDBOX_ALLOW_REMOTE", "true", "IPS_SANDBOX_HOST", "a.test;b.test:8480")
	o, err := readOptions([]string{"-seed", "6"}, env, io.Discard)
	require.NoError(t, err)
	assert.EqualValues(t, 6, o.seed)
	assert.Equal(t, "127.0.0.1:1", o.addr)
	assert.Equal(t, []sandbox.Fault{{Name: "reset"}, {Name: "http-500", Count: 2}}, o.faults)
	assert.Equal(t, []string{"a.test", "b.test"}, o.hosts)
	assert.True(t, o.allowRemote)
}

func cert128(c string) string { return strings.Repeat(c, 128) }

func TestMerchantsFile(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	write("a.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})), 0o600)
	write("b.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), 0o600)
	path := write("merchants.json", `{
		"testMerchant": true,
		"merchants": [
			{"code": "900001", "name": "甲平台", "cert": "`+cert128("c")+`", "key": "`+strings.Repeat("k", 24)+`", "iv": "12345678",
			 "sign": "rsa", "rsaKeyFile": "a.pem", "mode": "manual", "ipsFee": "1.50", "noMandate": true},
			{"code": "900002", "cert": "`+cert128("d")+`", "key": "`+strings.Repeat("l", 24)+`", "iv": "87654321",
			 "sign": "rsa", "rsaKeyFile": "`+filepath.Join(dir, "b.pem")+`"},
			{"code": "900003", "cert": "`+cert128("e")+`", "key": "`+strings.Repeat("m", 24)+`", "iv": "87654321", "sign": "md5"}
		]}`, 0o600)
	list, err := readMerchants(path, false)
	require.NoError(t, err)
	require.Len(t, list, 4)
	assert.Equal(t, sandbox.TestMerchant().Cert, list[0].Cert)
	first := list[1]
	assert.Equal(t, "甲平台", first.Name)
	assert.True(t, first.Manual)
	assert.True(t, first.NoMandate)
	assert.EqualValues(t, 150, first.IPSFee)
	assert.True(t, key.Equal(first.RSA))
	assert.True(t, key.Equal(list[2].RSA))
	assert.Equal(t, "商户900002", list[2].Name)
	assert.Nil(t, list[3].RSA)

	p := startProgram(t, noEnvironment, "-addr", "127.0.0.1:0", "-merchants", path)
	out := p.stdout.String()
	assert.Regexp(t, `900001 +甲平台 +MD5withRSA +by hand`, out)
	assert.Regexp(t, `900003 +商户900003 +MD5 +at once`, out)
	assert.Equal(t, 2, strings.Count(out, "BEGIN PUBLIC KEY"), "what merchants need to check the answers")
	for _, secret := range []string{cert128("c"), strings.Repeat("k", 24), "12345678", "PRIVATE"} {
		assert.NotContains(t, out, secret)
	}

	manual, err := readMerchants(path, true)
	require.NoError(t, err)
	assert.True(t, manual[0].Manual)
}

func TestMerchantsFileRefused(t *testing.T) {
	t.Parallel()
	entry := func(more string) string {
		return `{"merchants":[{"code":"900001","cert":"` + cert128("c") + `","key":"` + strings.Repeat("k", 24) + `","iv":"12345678"` + more + `}]}`
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":         {``, "EOF"},
		"nobody":        {`{}`, "there is no merchant in it"},
		"unknown field": {entry(`,"secret":"x"`), `unknown field "secret"`},
		"kind":          {`{"merchants":[{"cert":["` + cert128("c") + `"]}]}`, "want string, got another kind of value"},
		"more behind":   {entry("") + "{}", "something behind"},
		"sign":          {entry(`,"sign":"sm2"`), `sign: want md5 or rsa, got "sm2"`},
		"no key":        {entry(`,"sign":"rsa"`), "rsaKeyFile: rsa wants one, md5 none"},
		"key for md5":   {entry(`,"rsaKeyFile":"x"`), "rsaKeyFile: rsa wants one, md5 none"},
		"key missing":   {entry(`,"sign":"rsa","rsaKeyFile":"none.pem"`), "no such file"},
		"mode":          {entry(`,"mode":"maybe"`), "mode: want auto or manual"},
		"fee":           {entry(`,"ipsFee":"-1"`), "ipsFee"},
		"too large":     {strings.Repeat(" ", maxMerchantsFile+1), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readMerchants(file(t, "merchants.json", c.text), false)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), cert128("c"))
		})
	}
	open := file(t, "open.json", entry(""))
	require.NoError(t, os.Chmod(open, 0o644))
	_, err := readMerchants(open, false)
	assert.ErrorContains(t, err, "0644: take them from everybody else with chmod 600")
	_, err = readMerchants(filepath.Join(t.TempDir(), "none"), false)
	assert.ErrorContains(t, err, "merchants file")

	bad := file(t, "bad.json", strings.Replace(entry(""), `"iv":"12345678"`, `"iv":"secret1"`, 1))
	err = run(t.Context(), []string{"-addr", "127.0.0.1:0", "-merchants", bad}, noEnvironment, io.Discard, io.Discard)
	require.ErrorContains(t, err, "merchant 900001: 3DES IV: want 8 ASCII characters")
	assert.NotContains(t, err.Error(), "secret1")

	notPEM := file(t, "x.pem", "hello")
	_, err = readRSAKey(notPEM)
	assert.ErrorContains(t, err, "is not PEM")
	_, key, _ := certificate(t)
	_, err = readRSAKey(key)
	assert.ErrorContains(t, err, "holds no RSA private key")
}

// The flags reach the sandbox: its WSDL names the address that others use, and
// QueryTrade is where it was wanted.
func TestSettings(t *testing.T) {
	t.Parallel()
	p := startProgram(t, noEnvironment, "-addr", "127.0.0.1:0", "-base", "https://ips.example.com/", "-trade-query", "query", "-repeat", "refuse",
		"-clock-skew", "3m", "-notice-skew", "-1m", "-notice-after", "1ms", "-notice-again", "1",
		"-old-bid", "merchant=808801,bid=OLD1,contract=HT1,release=F1,borrower=4021000000000001,owed=4021000000000002:300.00")
	for path, want := range map[string]bool{"/CreditWS/Service.asmx": false, "/CreditWSQuery/Service.asmx": true} {
		resp, err := http.Get(p.base + path + "?wsdl")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		assert.Contains(t, string(body), `location="https://ips.example.com`+path+`"`)
		assert.Equal(t, want, strings.Contains(string(body), "QueryTrade"), path)
	}
}
