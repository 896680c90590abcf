package ips_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
)

// keyServer is where the configurations of a test's merchants are.
type keyServer struct {
	mu      sync.Mutex
	configs map[string]ips.Config
	down    error
	loads   int
}

func (k *keyServer) load(_ context.Context, code string) (ips.Config, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loads++
	cfg, ok := k.configs[code]
	switch {
	case k.down != nil:
		return ips.Config{}, k.down
	case !ok:
		return ips.Config{}, fmt.Errorf("no row: %w", ips.ErrMerchant)
	}
	return cfg, nil
}

func (k *keyServer) set(code string, change func(*ips.Config)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	cfg := k.configs[code]
	change(&cfg)
	k.configs[code] = cfg
}

// ears collect what a handler heard and what was refused.
type ears struct {
	mu      sync.Mutex
	answers []string
	errs    []error
	events  []ips.Event
}

func (h *ears) inbound() ips.Inbound {
	return ips.Inbound{
		Hear: func(_ context.Context, a ips.Response) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.answers = append(h.answers, fmt.Sprintf("%s %s %s", a.Base().MerchantCode, a.Base().OrderNo, a.Base().Via))
			return nil
		},
		OnError: func(_ *http.Request, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.errs = append(h.errs, err)
		},
	}
}

func (h *ears) hook(_ context.Context, e ips.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// TestMerchants: two merchants, one address for both.
func TestMerchants(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	s := ipstest.NewServer(t, ipstest.WithSecondMerchant(), ipstest.WithHandler(mux))
	keys := &keyServer{configs: map[string]ips.Config{"808801": s.Config(), "808802": s.Second().Config()}}
	m, err := ips.NewMerchants(keys.load)
	require.NoError(t, err)
	var h ears
	mux.Handle("/ips/notify/", m.NotifyHandler(h.inbound()))
	mux.Handle("/ips/return/", m.ReturnHandler(h.inbound(), func(http.ResponseWriter, *http.Request, ips.Response, error) {}))

	for _, server := range []*ipstest.Server{s, s.Second()} {
		code := server.Config().MerchantCode
		client, err := m.Client(t.Context(), code)
		require.NoError(t, err)
		assert.Equal(t, code, client.MerchantCode())
		again, err := m.Client(t.Context(), code)
		require.NoError(t, err)
		assert.Same(t, client, again)
		p := server.Person(0)
		form, err := client.SignAutoRepay(ips.SignAutoRepayRequest{
			OrderNo: "S" + code, Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, ValidUnit: ips.PeriodUnlimited,
		})
		require.NoError(t, err)
		server.Carry(form)
	}
	s.WaitIdle()
	assert.ElementsMatch(t, []string{
		"808801 S808801 web return", "808801 S808801 server to server",
		"808802 S808802 web return", "808802 S808802 server to server",
	}, h.answers)
	assert.Empty(t, h.errs)
	assert.Equal(t, 2, keys.loads)
}

// TestMerchantsShareConnections: twenty merchants, one connection.
func TestMerchantsShareConnections(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	site := httptest.NewUnstartedServer(http.NotFoundHandler())
	site.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	site.Start()
	defer site.Close()
	m, err := ips.NewMerchants(func(_ context.Context, code string) (ips.Config, error) {
		cfg := fixture.Config()
		cfg.MerchantCode, cfg.Environment = code, ips.EnvironmentAt(site.URL)
		return cfg, nil
	})
	require.NoError(t, err)
	for n := range 20 {
		client, err := m.Client(t.Context(), fmt.Sprintf("8088%02d", n))
		require.NoError(t, err)
		_, err = client.QueryBalance(t.Context(), "4021000000000001")
		require.Error(t, err)
	}
	assert.Equal(t, int64(1), opened.Load())
}

// TestMerchantsInbound: what comes to the shared address and finds no merchant.
func TestMerchantsInbound(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	good := genuine(t, cfg, "R1")
	with := func(change func(url.Values)) url.Values {
		v := good.Values()
		change(v)
		return v
	}
	outage := errors.New("the key server is down")
	for _, tt := range []struct {
		name   string
		form   url.Values
		down   error
		status int
		body   string
		err    error
		loads  int
	}{
		{"genuine", good.Values(), nil, http.StatusOK, "OK\n", nil, 1},
		{"of nobody", with(func(v url.Values) { v.Set("pMerCode", "808899") }), nil, http.StatusBadRequest, "refused\n", ips.ErrMerchant, 1},
		{"no code at all", with(func(v url.Values) { v.Del("pMerCode") }), nil, http.StatusBadRequest, "refused\n", ips.ErrMalformed, 0},
		{"two codes", with(func(v url.Values) { v.Add("pMerCode", "808801") }), nil, http.StatusBadRequest, "refused\n", ips.ErrMalformed, 0},
		{"a long code", with(func(v url.Values) { v.Set("pMerCode", strings.Repeat("8", 1000)) }), nil, http.StatusBadRequest, "refused\n", ips.ErrMerchant, 0},
		{"forged", with(func(v url.Values) { v.Set("pErrMsg", "other") }), nil, http.StatusBadRequest, "refused\n", ips.ErrSignature, 1},
		{"too large", with(func(v url.Values) { v.Set("more", strings.Repeat("x", 64<<10)) }), nil, http.StatusBadRequest, "refused\n", ips.ErrTooLarge, 0},
		{"no keys to be had", good.Values(), outage, http.StatusServiceUnavailable, "not handled\n", outage, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h ears
			keys := &keyServer{configs: map[string]ips.Config{cfg.MerchantCode: cfg}, down: tt.down}
			m, err := ips.NewMerchants(keys.load, ips.WithHook(h.hook), ips.WithLimits(ips.Limits{Inbound: 32 << 10}))
			require.NoError(t, err)
			post := func() *http.Request {
				r := httptest.NewRequest(http.MethodPost, "/ips/notify/recharge", strings.NewReader(tt.form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				return r
			}
			w := httptest.NewRecorder()
			m.NotifyHandler(h.inbound()).ServeHTTP(w, post())
			assert.Equal(t, tt.status, w.Code)
			assert.Equal(t, tt.body, w.Body.String())
			assert.Equal(t, tt.loads, keys.loads)
			require.Len(t, h.events, 1)
			assert.Equal(t, ips.ServerToServer, h.events[0].Via)
			if tt.err == nil {
				assert.Empty(t, h.errs)
				assert.Equal(t, []string{cfg.MerchantCode + " R1 server to server"}, h.answers)
				return
			}
			require.Len(t, h.errs, 1)
			require.ErrorIs(t, h.errs[0], tt.err)
			require.ErrorIs(t, h.events[0].Err, tt.err)
			assert.Empty(t, h.answers)

			var told error
			m.ReturnHandler(h.inbound(), func(_ http.ResponseWriter, _ *http.Request, answer ips.Response, err error) {
				assert.Nil(t, answer)
				told = err
			}).ServeHTTP(httptest.NewRecorder(), post())
			require.ErrorIs(t, told, tt.err)
			assert.Equal(t, ips.WebReturn, h.events[1].Via)
		})
	}
}

// genuine is an answer of IPS to a recharge, made with the keys of cfg.
func genuine(t *testing.T, cfg ips.Config, orderNo string) fixture.Answer {
	t.Helper()
	return fixture.SealedBy(fixture.KeysOf(cfg), ips.CodeSuccess, "ok", fixture.Document("pMerBillNo", orderNo, "pTrdDate", "20141213"))
}

// TestMerchantsRotation: new keys while the program runs.
func TestMerchantsRotation(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	keys := &keyServer{configs: map[string]ips.Config{cfg.MerchantCode: cfg}}
	var h ears
	m, err := ips.NewMerchants(keys.load, ips.WithHook(h.hook))
	require.NoError(t, err)
	handler := m.NotifyHandler(h.inbound())
	post := func(f fixture.Answer) int {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, f.Inbound(ips.OpRecharge))
		return w.Code
	}
	first, err := m.Client(t.Context(), cfg.MerchantCode)
	require.NoError(t, err)
	old := genuine(t, cfg, "R1")
	require.Equal(t, http.StatusOK, post(old))

	rotated := cfg
	rotated.Cert, rotated.Key = ips.NewSecret(strings.Repeat("n", 128)), ips.NewSecret("abcdefghabcdefghijklmnop")
	rotated.Former = &ips.FormerKeys{Cert: cfg.Cert, Key: cfg.Key, Until: time.Now().Add(time.Hour)}
	keys.set(cfg.MerchantCode, func(c *ips.Config) { *c = rotated })
	require.Equal(t, http.StatusBadRequest, post(genuine(t, rotated, "R2")), "nobody has said it yet")
	second, err := m.Reload(t.Context(), cfg.MerchantCode)
	require.NoError(t, err)
	assert.NotSame(t, first, second)
	now, err := m.Client(t.Context(), cfg.MerchantCode)
	require.NoError(t, err)
	assert.Same(t, second, now)
	require.Equal(t, http.StatusOK, post(genuine(t, rotated, "R2")))
	require.Equal(t, http.StatusOK, post(old))
	var former []bool
	for _, e := range h.events {
		former = append(former, e.Former)
	}
	assert.Equal(t, []bool{false, false, false, true}, former, "the last was made with the former keys")

	keys.down = errors.New("the key server is down")
	_, err = m.Reload(t.Context(), cfg.MerchantCode)
	require.ErrorIs(t, err, keys.down)
	require.Equal(t, http.StatusOK, post(old), "everything stays as it was")

	keys.down = nil
	delete(keys.configs, cfg.MerchantCode)
	_, err = m.Reload(t.Context(), cfg.MerchantCode)
	require.ErrorIs(t, err, ips.ErrMerchant)
	require.Equal(t, http.StatusBadRequest, post(old), "forgotten")
}

// TestMerchantsOvertaken: a slow load of old keys ends after a fast one of new.
func TestMerchantsOvertaken(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	slow, started := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	m, err := ips.NewMerchants(func(context.Context, string) (ips.Config, error) {
		c := cfg
		if calls.Add(1) == 1 {
			close(started)
			<-slow
			return c, nil
		}
		c.Cert = ips.NewSecret(strings.Repeat("n", 128))
		return c, nil
	})
	require.NoError(t, err)
	late := make(chan *ips.Client)
	go func() {
		c, _ := m.Client(context.Background(), cfg.MerchantCode)
		late <- c
	}()
	<-started
	fresh, err := m.Reload(t.Context(), cfg.MerchantCode)
	require.NoError(t, err)
	close(slow)
	assert.Same(t, fresh, <-late)
	now, err := m.Client(t.Context(), cfg.MerchantCode)
	require.NoError(t, err)
	assert.Same(t, fresh, now)
}

// A slow load of a merchant ends after a fast one that has found him gone, with his
// former entry or without one.
func TestMerchantsGoneMeanwhile(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"known before": true, "never asked for": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fixture.Config()
			slow, started := make(chan struct{}), make(chan struct{})
			var calls atomic.Int64
			m, err := ips.NewMerchants(func(context.Context, string) (ips.Config, error) {
				n := calls.Add(1)
				if !known {
					n++
				}
				switch n {
				case 2:
					close(started)
					<-slow
				case 3:
					return ips.Config{}, ips.ErrMerchant
				}
				return cfg, nil
			})
			require.NoError(t, err)
			if known {
				_, err = m.Client(t.Context(), cfg.MerchantCode)
				require.NoError(t, err)
			}
			late := make(chan error)
			go func() {
				_, err := m.Reload(context.Background(), cfg.MerchantCode)
				late <- err
			}()
			<-started
			_, err = m.Reload(t.Context(), cfg.MerchantCode)
			require.ErrorIs(t, err, ips.ErrMerchant)
			close(slow)
			require.ErrorIs(t, <-late, ips.ErrMerchant, "it speaks for nobody any more")
			before := calls.Load()
			_, err = m.Client(t.Context(), cfg.MerchantCode)
			require.NoError(t, err)
			assert.Equal(t, before+1, calls.Load(), "asked for anew")
		})
	}
}

func TestMerchantsRefuse(t *testing.T) {
	t.Parallel()
	load := func(context.Context, string) (ips.Config, error) { return fixture.Config(), nil }
	_, err := ips.NewMerchants(nil)
	require.Error(t, err)
	_, err = ips.NewMerchants(load, ips.WithTimeout(-1), nil)
	require.ErrorContains(t, err, "WithTimeout")
	require.ErrorContains(t, err, "option 3 is nil")
	m, err := ips.NewMerchants(load)
	require.NoError(t, err)
	_, err = m.Client(t.Context(), "808877")
	require.ErrorContains(t, err, "merchant 808877: the configuration is that of", "one merchant's keys for another")
	require.NotErrorIs(t, err, ips.ErrMerchant)
	_, err = m.Client(t.Context(), "")
	require.ErrorIs(t, err, ips.ErrMerchant)
	assert.Panics(t, func() { m.ReturnHandler(ips.Inbound{}, nil) })
}
