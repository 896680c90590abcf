package ips_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func environment() map[string]string {
	m := ips.TestMerchant()
	return map[string]string{
		"IPS_MERCHANT": m.MerchantCode, "IPS_CERT": m.Cert.Reveal(), "IPS_3DES_KEY": m.Key.Reveal(), "IPS_3DES_IV": m.IV.Reveal(),
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
	assert.Equal(t, ips.TestMerchant().Cert.Reveal(), cfg.Cert.Reveal())

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
	fromOld := fixture.SealedBy(fixture.KeysOf(old), ips.CodeSuccess, "ok", fixture.Document("pMerBillNo", "R1", "pTrdDate", "20141213"))

	client := func(former *ips.FormerKeys) *ips.Client {
		cfg := fixture.Config()
		cfg.Cert, cfg.Key, cfg.IV = ips.NewSecret(strings.Repeat("n", 128)), ips.NewSecret("abcdefghabcdefghijklmnop"), ips.NewSecret("12345678")
		cfg.Former = former
		c, err := ips.NewClient(cfg)
		require.NoError(t, err)
		return c
	}
	former := func(until time.Time) *ips.FormerKeys {
		return &ips.FormerKeys{Cert: old.Cert, Key: old.Key, IV: old.IV, Until: until}
	}
	_, err := client(nil).ParseNotification(fromOld.Inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrSignature)
	resp, err := client(former(time.Now().Add(time.Hour))).ParseNotification(fromOld.Inbound(ips.OpRecharge), ips.OpRecharge)
	require.NoError(t, err)
	assert.Equal(t, "R1", resp.Base().OrderNo)
	_, err = client(former(time.Now().Add(-time.Second))).ParseNotification(fromOld.Inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrSignature, "the window has closed")

	for name, f := range map[string]*ips.FormerKeys{"no end": former(time.Time{}), "nothing": {Until: time.Now()}, "bad cert": {Cert: ips.NewSecret("x"), Until: time.Now()}} {
		cfg := fixture.Config()
		cfg.Former = f
		_, err := ips.NewClient(cfg)
		require.ErrorContains(t, err, "former keys", name)
	}
}

// TestRotationOfTheCipher changes the 3DES key or the IV and leaves the cert:
// both sets of keys verify, and one of them reads.
func TestRotationOfTheCipher(t *testing.T) {
	t.Parallel()
	old := ips.TestMerchant()
	for name, change := range map[string]func(*ips.Config){
		"3DES key": func(c *ips.Config) { c.Key = ips.NewSecret("abcdefghabcdefghijklmnop") },
		"IV":       func(c *ips.Config) { c.IV = ips.NewSecret("12345678") },
	} {
		cfg := fixture.Config()
		change(&cfg)
		now, before := fixture.KeysOf(cfg), fixture.KeysOf(old)
		client := func(until time.Time) *ips.Client {
			cfg.Former = &ips.FormerKeys{Key: old.Key, IV: old.IV, Until: until}
			c, err := ips.NewClient(cfg)
			require.NoError(t, err)
			return c
		}
		open, closed := client(time.Now().Add(time.Hour)), client(time.Now().Add(-time.Hour))
		for _, keys := range []*envelope.Keys{now, before} {
			// Of many lengths, so that one in 256 has a padding that looks right
			// under the other key.
			for n := range 300 {
				no := fmt.Sprintf("R%d", n)
				f := fixture.SealedBy(keys, ips.CodeSuccess, "ok", fixture.Document("pMerBillNo", no, "pTrdAmt", "1.00"))
				resp, err := open.ParseNotification(f.Inbound(ips.OpRecharge), ips.OpRecharge)
				require.NoError(t, err, name)
				require.Equal(t, no, resp.Base().OrderNo, name)
				if _, err = closed.ParseNotification(f.Inbound(ips.OpRecharge), ips.OpRecharge); keys == now {
					require.NoError(t, err, name)
				} else {
					require.ErrorIs(t, err, ips.ErrMalformed, name)
				}
			}
		}
	}
}

// TestRotationAndOwnRequests cuts a request that was sealed before the change of
// the 3DES key into a refusal; it is known as a request during the window and
// after it.
func TestRotationAndOwnRequests(t *testing.T) {
	t.Parallel()
	old := ips.TestMerchant()
	// Keys whose requests begin like a code, with a capital letter or a digit.
	var before *envelope.Keys
	var body string
	cut := 0
	for n := 0; cut == 0; n++ {
		old.IV = ips.NewSecret(fmt.Sprintf("2EDxsE%02d", n))
		before = fixture.KeysOf(old)
		body = before.Encrypt([]byte(fixture.Document("pMerBillNo", "R1")))
		cut = len(body) - len(strings.TrimLeft(body, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
	}
	forged := fixture.Answer{MerCode: old.MerchantCode, ErrCode: body[:cut], ErrMsg: body[cut:], Sign: before.SignRequest(body)}
	for _, until := range []time.Time{time.Now().Add(time.Hour), time.Now().Add(-time.Hour)} {
		cfg := fixture.Config()
		cfg.Key, cfg.Former = ips.NewSecret("abcdefghabcdefghijklmnop"), &ips.FormerKeys{Key: old.Key, IV: old.IV, Until: until}
		c, err := ips.NewClient(cfg)
		require.NoError(t, err)
		_, err = c.ParseNotification(forged.Inbound(ips.OpRecharge), ips.OpRecharge)
		require.ErrorIs(t, err, ips.ErrMalformed)
		require.ErrorContains(t, err, "it is a request")
	}
}

// TestTestMerchantInProduction: everybody has the test merchant's keys.
func TestTestMerchantInProduction(t *testing.T) {
	t.Parallel()
	own := func(c *ips.Config) {
		c.MerchantCode, c.Cert, c.Key = "123456", ips.NewSecret(strings.Repeat("c", 128)), ips.NewSecret(strings.Repeat("k", 24))
	}
	for name, tt := range map[string]struct {
		change  func(*ips.Config)
		refused bool
	}{
		"all of it":      {func(*ips.Config) {}, true},
		"the code":       {func(c *ips.Config) { code := c.MerchantCode; own(c); c.MerchantCode = code }, true},
		"the cert":       {func(c *ips.Config) { cert := c.Cert; own(c); c.Cert = cert }, true},
		"the key":        {func(c *ips.Config) { key := c.Key; own(c); c.Key = key }, true},
		"by its address": {func(c *ips.Config) { c.Environment = ips.EnvironmentAt("https://P2P.ips.com.cn:443/") }, true},
		"one address": {func(c *ips.Config) {
			s := c.Environment.Service
			c.Environment = ips.EnvironmentAt("https://ips.example.com")
			c.Environment.Service = s
		}, true},
		"vendor's test":   {func(c *ips.Config) { c.Environment = ips.VendorTest() }, false},
		"a sandbox":       {func(c *ips.Config) { c.Environment = ips.EnvironmentAt("http://127.0.0.1:8480") }, false},
		"a real merchant": {own, false},
	} {
		cfg := ips.TestMerchant()
		cfg.Environment = ips.Production()
		tt.change(&cfg)
		_, err := ips.NewClient(cfg)
		if tt.refused {
			require.ErrorContains(t, err, "test merchant", name)
			assertNoSecret(t, err.Error())
		} else {
			require.NoError(t, err, name)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := ips.NewSecret("open sesame")
	again := s
	assert.Equal(t, "open sesame", again.Reveal())
	assert.True(t, s == again, "a copy is equal")
	assert.Equal(t, "hidden", s.String())
	assert.Equal(t, ips.Secret{}, ips.NewSecret(""))
	assert.Empty(t, ips.Secret{}.Reveal())
	assert.Empty(t, ips.Secret{}.String())
	cfg := ips.TestMerchant()
	kept := cfg
	assert.True(t, cfg == kept)
	assert.NotEqual(t, ips.TestMerchant(), ips.Config{})
}

// TestNoPrinterFindsSecrets walks through everything that a printer could reach
// by reflection, unexported fields and pointers included, as spew and YAML do.
func TestNoPrinterFindsSecrets(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	cfg.Former = &ips.FormerKeys{Cert: cfg.Cert, Key: cfg.Key, IV: cfg.IV, Until: time.Now().Add(time.Hour)}
	texts := 0
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			texts++
			assertNoSecret(t, v.String())
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice, reflect.Array:
			if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
				assertNoSecret(t, fmt.Sprintf("%s", v))
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(cfg))
	assert.GreaterOrEqual(t, texts, 7)

	raw, err := xml.Marshal(cfg)
	require.NoError(t, err)
	assert.Contains(t, string(raw), "808801")
	assertNoSecret(t, string(raw))
	var b bytes.Buffer
	require.Error(t, gob.NewEncoder(&b).Encode(cfg))
	assertNoSecret(t, b.String())
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	assert.Equal(t, ips.Environment{
		Name: "production", PostBase: "https://p2p.ips.com.cn/CreditWeb/", Service: "https://p2p.ips.com.cn/CreditWS/Service.asmx",
		Query: "https://p2p.ips.com.cn/CreditWSQuery/Service.asmx", Namespace: "http://tempuri.org/",
	}, ips.Production())
	assert.Equal(t, ips.Environment{
		Name: "vendor test", PostBase: "http://p2p.ips.net.cn/CreditWeb/", Service: "http://p2p.ips.net.cn/CreditWS/Service.asmx",
		Query: "http://p2p.ips.net.cn/CreditWSQuery/Service.asmx", Namespace: "http://tempuri.org/",
	}, ips.VendorTest())
	assert.Equal(t, ips.EnvironmentAt("http://127.0.0.1:8080"), ips.EnvironmentAt("http://127.0.0.1:8080/"))

	cfg := fixture.Config()
	cfg.Environment.PostBase = "https://ips.example.com/elsewhere"
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	form, err := c.Withdraw(*exampleOf(t, ips.OpWithdraw).request.(*ips.WithdrawRequest))
	require.NoError(t, err)
	assert.Equal(t, "https://ips.example.com/elsewhere/doDwTrade.aspx", form.Action())
	assert.Equal(t, "808801", c.MerchantCode())
	assert.Equal(t, "https://ips.example.com/elsewhere/", c.Environment().PostBase)
}
