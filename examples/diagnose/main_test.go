package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

const (
	page = "../../testdata/golden/open-account.form.html"
	soap = "../../testdata/golden/unfreeze-margin.soap.xml"
)

// environment are the test merchant's variables.
func environment() map[string]string {
	c := ips.TestMerchant()
	return map[string]string{"IPS_MERCHANT": c.MerchantCode, "IPS_CERT": c.Cert.Reveal(), "IPS_3DES_KEY": c.Key.Reveal(), "IPS_3DES_IV": c.IV.Reveal()}
}

type outcome struct {
	code           int
	stdout, stderr string
}

func call(stdin string, env map[string]string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(args, strings.NewReader(stdin), &stdout, &stderr, func(name string) string { return env[name] })
	return outcome{code, stdout.String(), stderr.String()}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func keyFile(t *testing.T, vars any, mode os.FileMode) string {
	t.Helper()
	b, err := json.Marshal(vars)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, b, mode))
	return path
}

func TestHolds(t *testing.T) {
	t.Parallel()
	file := keyFile(t, environment(), 0o600)
	for name, o := range map[string]outcome{
		"file":           call("", environment(), page),
		"standard input": call(read(t, soap), environment()),
		"a dash":         call(read(t, page), environment(), "-"),
		"key file":       call("", nil, "-keys", file, page),
		"test merchant":  call("", nil, "-test-merchant", soap),
	} {
		assert.Zero(t, o.code, name)
		assert.Contains(t, o.stdout, "Everything that can be checked holds.", name)
		assert.Empty(t, o.stderr, name)
	}
}

// TestBroken: the keys are used as they are configured, mistakes included, and
// never shown.
func TestBroken(t *testing.T) {
	t.Parallel()
	env := environment()
	env["IPS_CERT"] += "\n"
	for name, o := range map[string]outcome{
		"environment": call("", env, page),
		"key file":    call("", nil, "-keys", keyFile(t, env, 0o600), page),
	} {
		assert.Equal(t, 1, o.code, name)
		assert.Contains(t, o.stdout, "key-space: IPS_CERT should have 128 characters and has 129", name)
		assert.Contains(t, o.stdout, "IPS_CERT 应为 128 个字符，现为 129 个", name)
		assert.Contains(t, o.stdout, "sign-ok", name)
		for _, secret := range []string{env["IPS_CERT"][:128], env["IPS_3DES_KEY"], env["IPS_3DES_IV"], "110101199001010001", "张三"} {
			assert.NotContains(t, o.stdout+o.stderr, secret, name)
		}
	}
	o := call(strings.Replace(read(t, page), `value="6e53`, `value="6E53`, 1), environment())
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stdout, "sign-upper")
	o = call("", environment())
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stdout, "no-message")
}

// TestOtherKeys: the former keys and the test merchant's explain a message that
// the configured ones do not.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	env := environment()
	env["IPS_FORMER_CERT"], env["IPS_CERT"] = env["IPS_CERT"], strings.Repeat("Qx7z", 32)
	o := call("", env, page)
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stdout, "cert-other")
	env = map[string]string{"IPS_MERCHANT": "123456", "IPS_CERT": env["IPS_CERT"], "IPS_3DES_KEY": "abcdefghijklmnopqrstuvwx", "IPS_3DES_IV": "abcdefgh"}
	o = call("", env, page)
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stdout, "Begin with merchant-differs")
	assert.Contains(t, o.stdout, "cert-other")
	assert.Contains(t, o.stdout, "keys-other")
}

// TestPublicKey: the test merchant's answers may be signed in MD5withRSA mode,
// requests are MD5 always.
func TestPublicKey(t *testing.T) {
	t.Parallel()
	const published = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCMWwKD0u90z1K8WvtG6cZ3SXHLUqmQCWxbT6JURy5BVwgsTdsaGmr22HT4jfEBQHEjmTtyUWC5Ag9Cwgef0VFrDB7TqyhWfVA7n8SvV6b1eDbQlY/qhUb50+3SCpN7HxdPzdMDkJjy6i6syh7RtH0QfoApHS6TLY4DjPvbGgdXhwIDAQAB"
	o := call("", map[string]string{"IPS_PUBLIC_KEY": published}, "-test-merchant", page)
	assert.Zero(t, o.code, o.stdout)
	o = call("pMerCode=808801\npErrCode=MG00000F\npErrMsg=x\np3DesXmlPara=\npSign="+strings.Repeat("0", 32), map[string]string{"IPS_PUBLIC_KEY": published}, "-test-merchant")
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stdout, "sign-form")
	o = call("", map[string]string{"IPS_PUBLIC_KEY": "none"}, "-test-merchant", page)
	assert.Equal(t, 2, o.code)
	assert.Contains(t, o.stderr, "IPS_PUBLIC_KEY")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	open := keyFile(t, environment(), 0o600)
	require.NoError(t, os.Chmod(open, 0o644))
	for name, tt := range map[string]struct {
		o    outcome
		says string
	}{
		"no keys":            {call("", nil, page), "no keys: set IPS_MERCHANT"},
		"both flags":         {call("", nil, "-keys", open, "-test-merchant"), "exclude each other"},
		"flag and variables": {call("", environment(), "-test-merchant"), "keys in the environment too"},
		"two messages":       {call("", environment(), page, soap), "one message at a time"},
		"no such flag":       {call("", environment(), "-cert", "x"), "flag provided but not defined"},
		"no such file":       {call("", environment(), "no-such-file"), "no-such-file"},
		"no key file":        {call("", nil, "-keys", "no-such-file", page), "key file"},
		"readable by others": {call("", nil, "-keys", open, page), "make it 0600"},
		"no JSON":            {call("", nil, "-keys", keyFile(t, []string{"x"}, 0o600), page), "not a JSON object of texts"},
		"empty key file":     {call("", nil, "-keys", keyFile(t, map[string]string{}, 0o600), page), "has none of"},
	} {
		assert.Equal(t, 2, tt.o.code, name)
		assert.Contains(t, tt.o.stderr, tt.says, name)
		assert.Empty(t, tt.o.stdout, name)
	}
	o := call("", nil, "-h")
	assert.Zero(t, o.code)
	assert.Contains(t, o.stderr, "IPS_3DES_KEY")
}
