package ips_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func assertNoSecret(t *testing.T, text string) {
	t.Helper()
	cfg := ips.TestMerchant()
	for _, secret := range []string{cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal()} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), fmt.Sprint([]byte(secret)), fmt.Sprintf("%d", []byte(secret))} {
			assert.NotContains(t, text, form)
		}
	}
}

// TestNothingPrintsSecrets tries every way of printing on everything that holds
// a secret.
func TestNothingPrintsSecrets(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 1024)
	cfg := fixture.Config()
	cfg.PublicKey = &key.PublicKey
	cfg.Former = &ips.FormerKeys{Cert: cfg.Cert, Key: cfg.Key, IV: cfg.IV, Until: time.Now().Add(time.Hour)}
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	e := exampleOf(t, ips.OpOpenAccount)
	form, _, err := e.send(c, e.request)
	require.NoError(t, err)
	keys := fixture.Keys()
	for name, v := range map[string]any{
		"Config": cfg, "*Config": &cfg, "FormerKeys": *cfg.Former, "*FormerKeys": cfg.Former, "Secret": cfg.Cert, "*Secret": &cfg.Cert, "Client": reflect.ValueOf(c).Elem().Interface(), "*Client": c, "Form": *form, "*Form": form, "keys": keys, "*keys": *keys,
		"in a struct": struct {
			C  ips.Config
			P  *ips.Config
			CP *ips.Client
		}{cfg, &cfg, c}, "in an unexported field": struct{ c ips.Config }{cfg}, "in a slice": []any{cfg, c, form}, "in a map": map[string]ips.Config{"a": cfg},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%X", "%q", "% x", "%T", "%08b", "%!", "%p", "%w"} {
			assertNoSecret(t, fmt.Sprintf(verb, v))
		}
		raw, err := json.Marshal(v)
		require.NoError(t, err, name)
		assertNoSecret(t, string(raw))
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("x", "v", v)
			assert.NotEmpty(t, b.String())
			assertNoSecret(t, b.String())
		}
	}
	assert.Contains(t, fmt.Sprintf("%#v", cfg), `MerchantCode:"808801"`)
	assert.Equal(t, "ips.Client{808801 at https://ips.example.com}", fmt.Sprint(c))
	assert.Equal(t, c.String(), fmt.Sprintf("%x", c))
}

var errBroken = fmt.Errorf("broken pipe")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func utf16LE(s string) string {
	b := []byte("\xff\xfe")
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return string(b)
}

func fieldNames(fields []ips.FormField) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return names
}

// TestTwoMerchantsInOneProcess: clients share nothing.
func TestTwoMerchantsInOneProcess(t *testing.T) {
	t.Parallel()
	other := fixture.Config()
	other.MerchantCode, other.Cert, other.Key, other.IV = "999001", ips.NewSecret(strings.Repeat("c", 128)), ips.NewSecret(strings.Repeat("k", 24)), ips.NewSecret(strings.Repeat("i", 8))
	second, err := ips.NewClient(other)
	require.NoError(t, err)
	e := exampleOf(t, ips.OpWithdraw)
	form, _, err := e.send(second, e.request)
	require.NoError(t, err)
	assert.Equal(t, "999001", form.Fields()[0].Value)
	assert.False(t, fixture.Keys().VerifyRequest(form.Fields()[1].Value, form.Fields()[2].Value))
	_, err = second.ParseNotification(fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMerchant)
}

// TestConcurrentUse makes and reads messages from many goroutines; the race
// detector looks on.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := serverClient(t, func(w http.ResponseWriter, _ *http.Request) {
		answerSOAP(w, 200, fixture.SOAP("GuaranteeUnfreeze", fixture.Sealed("MG00000F", "", fixture.Document("pMerBillNo", "U20141213000001", "pUnfreezeAmt", "1")).Result()))
	}, ips.WithTimeout(10*time.Second))
	first, _, err := exampleOf(t, ips.OpOpenAccount).send(c, exampleOf(t, ips.OpOpenAccount).request)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for _, op := range []ips.Operation{ips.OpOpenAccount, ips.OpUnfreezeMargin} {
				e := exampleOf(t, op)
				form, resp, err := e.send(c, e.request)
				assert.NoError(t, err)
				if form != nil {
					assert.Equal(t, first.Fields(), form.Fields(), "the same request gives the same bytes")
				} else {
					assert.Equal(t, ips.Success, resp.Base().Outcome)
				}
			}
			_, err := c.ParseNotification(fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge), ips.OpRecharge)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}
