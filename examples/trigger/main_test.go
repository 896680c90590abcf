package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// shop is a merchant's site with one order, R0001.
type shop struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
	state ips.OrderState
}

// newShop starts a shop. A careless one takes whatever verifies.
func newShop(t *testing.T, careless bool) *shop {
	t.Helper()
	s := &shop{state: ips.OrderRecorded}
	client, err := ips.NewClient(ipstest.OfflineConfig())
	require.NoError(t, err)
	asked := ips.RechargeRequest{OrderNo: "R0001", Account: "4021000000000002", Amount: 500 * ips.Yuan}
	hear := ips.Deduplicated(new(ipstest.MemoryOnce), func(_ context.Context, a ips.Response) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, fmt.Sprintf("%s %s %s", a.Base().Operation, a.Base().OrderNo, a.Base().Outcome))
		if a.Base().Operation == ips.OpRecharge && !careless {
			if diff := ips.Compare(asked, a); len(diff) > 0 {
				return errors.New("not as asked")
			}
			next, _, err := s.state.Next(a.Base())
			if err != nil {
				return err
			}
			s.state = next
		}
		return nil
	})
	s.Server = httptest.NewServer(client.NotifyHandler(ips.Inbound{Hear: hear}))
	t.Cleanup(s.Close)
	return s
}

func trigger(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(args, strings.NewReader(stdin), &out, &errs, func(string) string { return "" })
	return out.String(), err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args     string
		careless bool
		fails    bool
		prints   []string
		heard    []string
		state    ips.OrderState
	}{
		{"", false, false, []string{"recharge R0001 success", "200 OK after", "taken", `"OK"`}, []string{"recharge R0001 success"}, ips.OrderDone},
		{"-as pending", false, false, []string{"recharge R0001 pending", "200 OK"}, []string{"recharge R0001 pending"}, ips.OrderPending},
		{"-as refused", false, false, []string{"recharge R0001 refused", "200 OK"}, []string{"recharge R0001 failure"}, ips.OrderRefused},
		{"-fault bad-sign", false, false, []string{"badly signed", "400 Bad Request", "IPS will send it again", "refused"}, nil, ips.OrderRecorded},
		{"-fault amount", false, false, []string{"1.00 too much", "500 Internal Server Error"}, []string{"recharge R0001 success"}, ips.OrderRecorded},
		{"-fault amount", true, true, []string{"200 OK"}, []string{"recharge R0001 success"}, ips.OrderRecorded},
		{"-amount 499.00", false, true, []string{"500 Internal"}, []string{"recharge R0001 success"}, ips.OrderRecorded},
		{"-fault twice", false, false, []string{"copy 1 of 2", "copy 2 of 2"}, []string{"recharge R0001 success"}, ips.OrderDone},
		{"-fault late -after 1ms", false, false, []string{"recharge R0001 pending", "recharge R0001 success"}, []string{"recharge R0001 pending", "recharge R0001 success"}, ips.OrderDone},
		{"-fault duplicate", false, false, []string{"recharge R0001 success", "recharge R0001 duplicate"}, []string{"recharge R0001 success", "recharge R0001 undecided"}, ips.OrderDone},
	} {
		t.Run(fmt.Sprintf("%s careless %t", tt.args, tt.careless), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, tt.careless)
			out, err := trigger(t, "", append([]string{"recharge", "-to", s.URL + "/ips/notify"}, strings.Fields(tt.args)...)...)
			if tt.fails {
				require.ErrorIs(t, err, errWrong)
			} else {
				require.NoError(t, err)
			}
			for _, line := range tt.prints {
				assert.Contains(t, out, line)
			}
			assert.Equal(t, tt.heard, s.heard)
			assert.Equal(t, tt.state, s.state)
			assert.NotContains(t, out, ips.TestMerchant().Cert.Reveal())
		})
	}
}

// TestEveryOperation: each has an answer that its handler takes, and a badly
// signed one that it does not.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	assert.Len(t, operations(), 17)
	for _, op := range operations() {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, true)
			_, err := trigger(t, "", op, "-to", s.URL)
			require.NoError(t, err)
			_, err = trigger(t, "", op, "-to", s.URL+"/"+op, "-exact", "-order", "X2", "-fault", "bad-sign")
			require.NoError(t, err)
			assert.Equal(t, []string{op + " R0001 success"}, s.heard)
			_, err = trigger(t, "", op, "-to", s.URL, "-order", "X3", "-fault", "amount")
			if op == "open-account" || op == "sign-auto-repay" {
				require.ErrorIs(t, err, errUsage)
			} else {
				require.ErrorIs(t, err, errWrong, "this handler takes everything")
			}
		})
	}
}

func TestRequestFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "r.json")
	data, err := ips.MarshalRequest(ips.RechargeRequest{OrderNo: "R0001", Account: "4021000000000002", Amount: 500 * ips.Yuan})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	s := newShop(t, false)
	_, err = trigger(t, "", "recharge", "-to", s.URL, "-request", file)
	require.NoError(t, err)
	assert.Equal(t, ips.OrderDone, s.state)
	_, err = trigger(t, "", "recharge", "-to", newShop(t, false).URL, "-set", "Account=4021000000000009")
	require.ErrorIs(t, err, errWrong, "another's account")
}

func TestReplay(t *testing.T) {
	t.Parallel()
	cfg := ipstest.OfflineConfig()
	body := ipstest.Sealed(cfg, ipstest.AnswerTo(ips.RechargeRequest{OrderNo: "R0001", Account: "4021000000000002", Amount: 500 * ips.Yuan})).Encode()
	captured := "POST /ips/notify/recharge HTTP/1.1\r\nHost: p2p.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n" + body + "\r\n\r\nsome log\n" + body
	s := newShop(t, false)
	out, err := trigger(t, captured, "replay", "-to", s.URL+"/ips/notify/recharge")
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(out, "200 OK"))
	assert.Contains(t, out, "captured message 2 (808801 MG00000F)")
	assert.Equal(t, []string{"recharge R0001 success"}, s.heard)

	file := filepath.Join(t.TempDir(), "captured.txt")
	require.NoError(t, os.WriteFile(file, []byte(captured), 0o600))
	_, err = trigger(t, "", "replay", "-to", s.URL+"/ips/notify/recharge", file)
	require.NoError(t, err)
	_, err = trigger(t, "nothing of the kind", "replay", "-to", s.URL)
	require.ErrorIs(t, err, errUsage)
	s.Close()
	out, err = trigger(t, captured, "replay", "-to", s.URL)
	require.ErrorIs(t, err, errWrong)
	assert.Contains(t, out, "no answer")
}

func TestKeysAndUsage(t *testing.T) {
	t.Parallel()
	s := newShop(t, false)
	own := map[string]string{"IPS_MERCHANT": "808802", "IPS_CERT": strings.Repeat("c", 128), "IPS_3DES_KEY": strings.Repeat("k", 24), "IPS_3DES_IV": "12345678"}
	var out bytes.Buffer
	err := run([]string{"recharge", "-to", s.URL}, nil, &out, &out, func(name string) string { return own[name] })
	require.ErrorIs(t, err, errWrong, "the shop is another merchant's")
	own["IPS_CERT"] = "short"
	require.ErrorIs(t, run([]string{"recharge", "-to", s.URL}, nil, &out, &out, func(name string) string { return own[name] }), errUsage)

	for _, args := range []string{
		"", "-to http://localhost", "recharge", "recharge -to localhost:80", "recharge -to ftp://localhost", "recharge -to http://p2p.example.com/",
		"query-balance -to http://localhost", "pay -to http://localhost", "recharge -to http://localhost -as what", "recharge -to http://localhost -fault what",
		"recharge -to http://localhost more", "replay -to http://localhost a b", "recharge -to http://localhost -set Nothing=1", "recharge -to http://localhost -set Amount=x",
		"recharge -to http://localhost -set x", "recharge -to http://localhost -request none.json", "replay -to http://localhost none.txt",
	} {
		_, err := trigger(t, "", strings.Fields(args)...)
		require.ErrorIs(t, err, errUsage, args)
		assert.Equal(t, 2, exitCode(err, &out))
	}
	assert.Equal(t, 1, exitCode(errWrong, &out))
	assert.Zero(t, exitCode(nil, &out))
	_, err = trigger(t, "", "recharge", "-h")
	assert.Zero(t, exitCode(err, &out))
	redirecting := httptest.NewServer(http.RedirectHandler("https://ips.example.com/", http.StatusFound))
	defer redirecting.Close()
	_, err = trigger(t, "", "recharge", "-to", redirecting.URL)
	require.ErrorIs(t, err, errWrong)
}
