package ips_test

import (
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func TestNewClientChecksItsConfiguration(t *testing.T) {
	t.Parallel()
	small := rsaKey(t, 1024).PublicKey
	small.N = small.N.Rsh(small.N, 16)
	tests := map[string]struct {
		spoil func(*ips.Config)
		want  string
	}{
		"no merchant":           {func(c *ips.Config) { c.MerchantCode = "" }, "merchant code: want 6 digits"},
		"letters":               {func(c *ips.Config) { c.MerchantCode = "80880x" }, "merchant code: want 6 digits"},
		"full-width digits":     {func(c *ips.Config) { c.MerchantCode = "80" }, "merchant code: want 6 digits"},
		"short cert":            {func(c *ips.Config) { c.Cert = ips.NewSecret(c.Cert.Reveal()[1:]) }, "cert: want 128 ASCII characters, got 127 bytes"},
		"cert with line break":  {func(c *ips.Config) { c.Cert = ips.NewSecret(c.Cert.Reveal()[1:] + "\n") }, "cert: has a character that is not printable ASCII"},
		"short key":             {func(c *ips.Config) { c.Key = ips.NewSecret(c.Key.Reveal()[:23]) }, "3DES key: want 24 ASCII characters, got 23 bytes"},
		"long IV":               {func(c *ips.Config) { c.IV = ips.NewSecret(c.IV.Reveal() + "x") }, "3DES IV: want 8 ASCII characters, got 9 bytes"},
		"no environment":        {func(c *ips.Config) { c.Environment = ips.Environment{} }, "Environment.PostBase: want an absolute http or https URL"},
		"relative service":      {func(c *ips.Config) { c.Environment.Service = "/CreditWS" }, "Environment.Service: want"},
		"query with user":       {func(c *ips.Config) { c.Environment.Query = "https://u:p@ips.example.com/" }, "Environment.Query: want"},
		"namespace":             {func(c *ips.Config) { c.Environment.Namespace = "tempuri.org" }, "Environment.Namespace: want"},
		"return URL":            {func(c *ips.Config) { c.ReturnURL = "/back" }, "ReturnURL: want"},
		"notify URL":            {func(c *ips.Config) { c.NotifyURL = "ftp://p2p.example.com" }, "NotifyURL: want"},
		"small RSA key":         {func(c *ips.Config) { c.PublicKey = &small }, "PublicKey: want at least 1024 bits"},
		"all of the above once": {func(c *ips.Config) { *c = ips.Config{} }, "3DES IV: want 8"},
	}
	for name, tt := range tests {
		cfg := fixture.Config()
		tt.spoil(&cfg)
		c, err := ips.NewClient(cfg)
		require.ErrorContains(t, err, tt.want, name)
		assert.Nil(t, c)
		assertNoSecret(t, err.Error())
	}
	_, err := ips.NewClient(ips.Config{}, ips.WithTimeout(0), ips.WithLimits(ips.Limits{Answer: -1}), ips.WithHTTPClient(nil), ips.WithWireTap(nil), ips.WithUnmaskedWireTap(nil))
	for _, part := range []string{"merchant code", "cert", "3DES key", "3DES IV", "PostBase", "WithTimeout", "WithLimits", "WithHTTPClient", "WithWireTap"} {
		assert.ErrorContains(t, err, part, "everything at once")
	}
}

// TestLimits: no limit is so large that it overflows, and no header makes the
// client take memory for what is not there.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, l := range []ips.Limits{{Answer: -1}, {Inbound: -1}, {Answer: ips.MaxLimit + 1}, {Inbound: math.MaxInt64}, {Answer: math.MaxInt64}, {Answer: math.MinInt64}} {
		_, err := ips.NewClient(fixture.Config(), ips.WithLimits(l))
		require.ErrorContains(t, err, "WithLimits", "%+v", l)
	}
	result := transferResult(t, ips.CodeProcessing)
	for _, l := range []ips.Limits{{}, {Answer: ips.MaxLimit, Inbound: ips.MaxLimit}, {Answer: int64(len(result))}} {
		for _, length := range []int64{int64(len(result)), -1, 0, 1 << 40, 1 << 62, math.MaxInt64} {
			answer := httpAnswer(200, "text/xml", result)
			answer.ContentLength = length
			c := fixture.Client(t, ips.WithLimits(l), ips.WithHTTPClient(httpClient(roundTrip(func(*http.Request) (*http.Response, error) { return answer, nil }))))
			_, err := c.Transfer(t.Context(), exampleTransfer(t))
			require.NoError(t, err, "%+v, length %d", l, length)
		}
		r := fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge)
		r.ContentLength = -1
		_, err := fixture.Client(t, ips.WithLimits(l)).ParseNotification(r, ips.OpRecharge)
		require.NoError(t, err)
		r = fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge)
		r.ContentLength = 1 << 62
		_, err = fixture.Client(t, ips.WithLimits(l)).ParseNotification(r, ips.OpRecharge)
		require.ErrorIs(t, err, ips.ErrTooLarge)
	}
	_, err := fixture.Client(t, ips.WithLimits(ips.Limits{Answer: int64(len(result)) - 1}), ips.WithHTTPClient(httpClient(roundTrip(func(*http.Request) (*http.Response, error) {
		return httpAnswer(200, "text/xml", result), nil
	})))).Transfer(t.Context(), exampleTransfer(t))
	require.ErrorIs(t, err, ips.ErrTooLarge)
	require.ErrorIs(t, err, ips.ErrFateUnknown, "it was sent")

	// The length of a server is a word, too.
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1))
		_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4611686018427387904\r\n\r\n" + result)
		_ = buf.Flush()
		_ = conn.Close()
	}, ips.WithLimits(ips.Limits{Answer: ips.MaxLimit}))
	_, err = c.Transfer(t.Context(), exampleTransfer(t))
	require.ErrorIs(t, err, ips.ErrFateUnknown)
}

// TestSharedTransport: clients that were given one http.Client share its
// connections, and none of them follows a redirect or changes it.
func TestSharedTransport(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answerSOAP(w, 200, transferResult(t, ips.CodeProcessing))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	hc := httpClient(http.DefaultTransport.(*http.Transport).Clone())
	for range 50 {
		cfg := fixture.Config()
		cfg.Environment = ips.EnvironmentAt(s.URL)
		c, err := ips.NewClient(cfg, ips.WithHTTPClient(hc))
		require.NoError(t, err)
		_, err = c.Transfer(t.Context(), exampleTransfer(t))
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, connections.Load())
	assert.Nil(t, hc.CheckRedirect)
}
