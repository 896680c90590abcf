package ips_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
)

func environment() map[string]string {
	m := ips.TestMerchant()
	return map[string]string{
		"IPS_MERCHANT": m.MerchantCode, "IPS_CERT": m.Cert, "IPS_3DES_KEY": m.Key, "IPS_3DES_IV": m.IV,
		"IPS_BASE_URL": "http://127.0.0.1:8808", "IPS_NOTIFY_URL": "https://p2p.example.com/ips/notify",
		"IPS_FORMER_CERT": strings.Repeat("f", 128), "IPS_FORMER_UNTIL": "2099-12-31T00:00:00+08:00",
	}
}

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	env := environment()
	cfg, err := ips.ConfigFromEnv(func(name string) string { return env[name] })
	require.NoError(t, err)
	assert.Equal(t, "808801", cfg.MerchantCode)
	assert.Equal(t, "http://127.0.0.1:8808/CreditWeb/", cfg.Environment.PostBase)
	assert.Equal(t, "http://tempuri.org/", cfg.Environment.Namespace)
	require.NotNil(t, cfg.Former)
	assert.Equal(t, 2099, cfg.Former.Until.Year())
	_, err = ips.NewClient(cfg)
	require.NoError(t, err)

	delete(env, "IPS_BASE_URL")
	env["IPS_POST_URL"], env["IPS_WS_URL"], env["IPS_QUERY_URL"] = "http://a/p/", "http://a/w", "http://a/q"
	env["IPS_NAMESPACE"] = "http://microsoft.com/webservices/"
	cfg, err = ips.ConfigFromEnv(func(name string) string { return env[name] })
	require.NoError(t, err)
	assert.Equal(t, ips.Environment{Name: "http://a/p/", PostBase: "http://a/p/", Service: "http://a/w", Query: "http://a/q", Namespace: "http://microsoft.com/webservices/"}, cfg.Environment)

	_, err = ips.ConfigFromEnv(func(name string) string {
		return map[string]string{"IPS_CERT": "secret-cert", "IPS_PUBLIC_KEY": "secret-key", "IPS_FORMER_CERT": "secret-old"}[name]
	})
	require.Error(t, err)
	for _, want := range []string{"IPS_MERCHANT is not set", "IPS_3DES_KEY is not set", "IPS_3DES_IV is not set", "IPS_BASE_URL", "IPS_PUBLIC_KEY", "IPS_FORMER_UNTIL"} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "secret")
}

func TestConfigFromFile(t *testing.T) {
	t.Parallel()
	write := func(mode fs.FileMode, content string) string {
		path := filepath.Join(t.TempDir(), "keys.json")
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	good, err := json.Marshal(environment())
	require.NoError(t, err)

	cfg, err := ips.ConfigFromFile(write(0o600, string(good)))
	require.NoError(t, err)
	assert.Equal(t, ips.TestMerchant().Cert, cfg.Cert)

	for _, mode := range []fs.FileMode{0o640, 0o604, 0o666} {
		_, err = ips.ConfigFromFile(write(mode, string(good)))
		require.ErrorIs(t, err, fs.ErrPermission, "%o", mode)
	}
	for name, content := range map[string]string{
		"not JSON":     "IPS_CERT=secret",
		"not texts":    `{"IPS_CERT": 5}`,
		"unknown name": `{"CERT": "secret"}`,
		"incomplete":   `{"IPS_CERT": "secret"}`,
	} {
		_, err = ips.ConfigFromFile(write(0o600, content))
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "secret", name)
	}
	_, err = ips.ConfigFromFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestRotation is the window in which answers come with either cert.
func TestRotation(t *testing.T) {
	t.Parallel()
	old := ips.TestMerchant()
	oldKeys, err := envelope.NewKeys(old.MerchantCode, old.Cert, old.Key, old.IV)
	require.NoError(t, err)
	body := oldKeys.Encrypt([]byte(document("pMerBillNo", "R1", "pTrdDate", "20141213")))
	fromOld := fiveFields{old.MerchantCode, "MG00000F", "ok", body, oldKeys.SignAnswer("MG00000F", "ok", body)}

	client := func(former *ips.FormerKeys) *ips.Client {
		cfg := offlineConfig()
		cfg.Cert, cfg.Key, cfg.IV = strings.Repeat("n", 128), strings.Repeat("abcdefgh", 2)+"ijklmnop", "12345678"
		cfg.Former = former
		c, err := ips.NewClient(cfg)
		require.NoError(t, err)
		return c
	}
	former := func(until time.Time) *ips.FormerKeys {
		return &ips.FormerKeys{Cert: old.Cert, Key: old.Key, IV: old.IV, Until: until}
	}
	_, err = client(nil).ParseNotification(fromOld.inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrSignature)
	resp, err := client(former(time.Now().Add(time.Hour))).ParseNotification(fromOld.inbound(ips.OpRecharge), ips.OpRecharge)
	require.NoError(t, err)
	assert.Equal(t, "R1", resp.Base().OrderNo)
	_, err = client(former(time.Now().Add(-time.Second))).ParseNotification(fromOld.inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrSignature, "the window has closed")

	for name, f := range map[string]*ips.FormerKeys{"no end": former(time.Time{}), "bad cert": {Cert: "x", Until: time.Now()}} {
		cfg := offlineConfig()
		cfg.Former = f
		_, err := ips.NewClient(cfg)
		require.ErrorContains(t, err, "former keys", name)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%q", "%x"} {
		assert.NotContains(t, fmt.Sprintf(verb, *former(time.Now())), old.Cert[:20], verb)
	}
}
