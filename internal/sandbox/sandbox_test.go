package sandbox_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	change := func(f func(*sandbox.Merchant)) []sandbox.Merchant {
		m := sandbox.TestMerchant()
		f(&m)
		return []sandbox.Merchant{m}
	}
	for name, c := range map[string]struct {
		cfg  sandbox.Config
		says string
	}{
		"code":       {sandbox.Config{Merchants: change(func(m *sandbox.Merchant) { m.Code = "80880" })}, "merchant code: want 6 digits"},
		"cert":       {sandbox.Config{Merchants: change(func(m *sandbox.Merchant) { m.Cert = m.Cert[1:] })}, "cert: want 128"},
		"key":        {sandbox.Config{Merchants: change(func(m *sandbox.Merchant) { m.Key = "" })}, "3DES key: want 24"},
		"IV":         {sandbox.Config{Merchants: change(func(m *sandbox.Merchant) { m.IV += "x" })}, "3DES IV: want 8"},
		"fee":        {sandbox.Config{Merchants: change(func(m *sandbox.Merchant) { m.IPSFee = -1 })}, "IPSFee: want 0 or more, got -1"},
		"RSA":        {sandbox.Config{Merchants: change(func(m *sandbox.Merchant) { m.RSA = &rsa.PrivateKey{} })}, "RSA: the key cannot sign"},
		"twice":      {sandbox.Config{Merchants: []sandbox.Merchant{sandbox.TestMerchant(), sandbox.TestMerchant()}}, "808801: configured twice"},
		"namespace":  {sandbox.Config{Namespace: "tempuri"}, "Namespace"},
		"namespace/": {sandbox.Config{Namespace: "http://tempuri.org"}, "ends with a slash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sandbox.New(c.cfg)
			require.ErrorContains(t, err, c.says)
			for _, secret := range []string{sandbox.TestMerchant().Cert[1:], sandbox.TestMerchant().Key, sandbox.TestMerchant().IV} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestMerchantHidesItsKeys(t *testing.T) {
	t.Parallel()
	m := sandbox.TestMerchant()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		assert.Equal(t, "merchant 808801", fmt.Sprintf(verb, m))
	}
}

func TestStartListensOnLoopback(t *testing.T) {
	t.Parallel()
	s, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	base, err := s.Start("")
	require.NoError(t, err)
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, base)
	_, err = s.Start("")
	require.ErrorContains(t, err, "already started")
	resp, err := http.Get(base + "/CreditWS/Service.asmx?wsdl")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, "this is not IPS", resp.Header.Get("X-Sandbox"))

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
	_, err = http.Get(base)
	require.Error(t, err)
	require.NoError(t, s.Close(), "closing twice is harmless")
	_, err = s.Start("")
	require.ErrorIs(t, err, sandbox.ErrClosed)
	require.ErrorIs(t, s.Advance(time.Second), sandbox.ErrClosed)
}

func TestStartSaysWhyNot(t *testing.T) {
	t.Parallel()
	s, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Start("127.0.0.1:99999")
	require.ErrorContains(t, err, "99999")
}

func TestClockNeverGoesBack(t *testing.T) {
	t.Parallel()
	now := noon
	var mu sync.Mutex
	f := start(t, sandbox.Config{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	require.True(t, f.Now().Equal(noon))
	mu.Lock()
	now = noon.Add(-time.Hour)
	mu.Unlock()
	assert.True(t, f.Now().Equal(noon))
	require.NoError(t, f.Advance(3*time.Hour))
	assert.True(t, f.Now().Equal(noon.Add(2*time.Hour)))
}

func TestMessagesShowTheWire(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	f.delivered()
	forged := seal(f.keys, "arg", f.opening("A2"))
	forged.Set("argSign", "0")
	f.post(page, forged)

	list := f.Messages()
	require.Len(t, list, 5)
	in, back, refused := list[0], sandbox.Message{}, list[3]
	for _, m := range list[1:3] { // the notice may come first or second
		if m.Via == messages.ViaReturn {
			back = m
		} else {
			assert.Equal(t, messages.ViaNotify, m.Via)
			assert.Equal(t, f.shop.URL+"/notify", m.Peer)
			assert.Equal(t, "MG00000F", m.Code)
		}
	}
	assert.Equal(t, messages.In, in.Direction)
	assert.Equal(t, "CreateNewIpsAcct", in.Op)
	assert.Equal(t, "808801", in.Merchant)
	assert.Equal(t, "A1", in.Order)
	assert.True(t, in.Verified)
	assert.True(t, in.At.Equal(noon))
	assert.Contains(t, in.XML, "<pIdentNo>110***********0001</pIdentNo>")
	assert.Equal(t, messages.Out, back.Direction)
	assert.Equal(t, "MG00000F", back.Code)
	assert.True(t, strings.HasPrefix(back.XML, "\ufeff<?xml"))
	for _, m := range list {
		assert.NotContains(t, m.XML, "110101199001010001")
		assert.NotContains(t, m.XML, "13800000000")
	}
	assert.Contains(t, f.Unmasked()[0].XML, "110101199001010001")

	assert.False(t, refused.Verified)
	assert.Empty(t, refused.XML, "what does not verify is not decrypted")
	assert.Equal(t, "MG00003F", list[4].Code)
}

func TestLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var mu sync.Mutex
	f := start(t, sandbox.Config{Logger: slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))})
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	f.delivered()
	mu.Lock()
	defer mu.Unlock()
	assert.Contains(t, log.String(), "order=A1")
	m := sandbox.TestMerchant()
	for _, secret := range []string{m.Cert, m.Key, m.IV, "110101199001010001", "13800000000", "张三"} {
		assert.NotContains(t, log.String(), secret)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Now: time.Now})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			r := f.post(page, seal(f.keys, "arg", f.openingOf(fmt.Sprintf("A%d", i), fmt.Sprintf("user%d", i))))
			assert.Contains(t, r.body, `value="MG00000F"`)
			assert.NoError(t, f.Advance(time.Second))
			f.Messages()
			f.Notifications()
		})
	}
	wg.Wait()
	f.delivered()
	assert.Len(t, f.shop.received(), 20)
	require.NoError(t, f.CheckBooks())
}

func TestRSAKeyOfTheUsualLength(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	m := sandbox.TestMerchant()
	m.RSA = key
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{m}})
	a := fromResult(f.call11(trade, "Transfer", f.sealedParams("p", document("pMerBillNo", "T1"))...).resultOf(t, "Transfer"))
	assert.Len(t, a.sign, 256)
	a.open(t, f.keys, &key.PublicKey)
}

func TestProgramsAct(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	require.NoError(t, f.Deposit("808801", "", 5000))
	b, ok := f.Balance("808801", "808801")
	require.True(t, ok)
	assert.Equal(t, engine.Balance{Available: 5000}, b)
	assert.Error(t, f.Deposit("808801", "", -1))
	assert.Error(t, f.Deposit("808802", "", 1))
	assert.Error(t, f.SetAuto("808801", "4021000000009999", false))
	assert.Error(t, f.Mandate("808801", "4021000000009999", false))
	assert.Error(t, f.ReplySMS("SMS0000000001", true))
	assert.Error(t, f.Cancel("ASK0000000001"))
	assert.Error(t, f.Confirm("ASK0000000001", nil))
	assert.Error(t, f.Fault("808801", sandbox.Fault{Name: "unheard of"}))
	_, ok = f.Balance("808801", "4021000000009999")
	assert.False(t, ok)
}
