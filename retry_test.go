package ips_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// flakyIPS hangs up on the first failures calls and then answers; it notes the
// bodies it got, which the second result tells.
func flakyIPS(t *testing.T, failures int, answer func(w http.ResponseWriter)) (h http.HandlerFunc, got func() []string) {
	t.Helper()
	var mu sync.Mutex
	var bodies []string
	h = func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		mu.Lock()
		bodies = append(bodies, string(body))
		n := len(bodies)
		mu.Unlock()
		if n <= failures {
			hangUp(w, r, true)
			return
		}
		answer(w)
	}
	got = func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(bodies)
	}
	return h, got
}

func transferAnswer(t *testing.T, code ips.Code, orderNo string) func(http.ResponseWriter) {
	t.Helper()
	a := sealedAnswer(t, code, "说明", document("pMerBillNo", orderNo, "pTransferType", "1"))
	return func(w http.ResponseWriter) { answerSOAP(w, http.StatusOK, soapAnswer("Transfer", a.result())) }
}

var quick = ips.RetryPolicy{Attempts: 4, Wait: time.Millisecond}

func TestRetry(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpTransfer)
	for _, c := range []struct {
		name     string
		policy   *ips.RetryPolicy
		failures int
		code     ips.Code
		calls    int
		check    func(t *testing.T, err error)
	}{
		{"nothing is repeated by default", nil, 1, ips.CodeSuccess, 1,
			func(t *testing.T, err error) { require.ErrorIs(t, err, ips.ErrFateUnknown) }},
		{"settled by the third", &quick, 2, ips.CodeProcessing, 3,
			func(t *testing.T, err error) { require.NoError(t, err) }},
		{"a refusal settles it too", &quick, 1, ips.CodeFailed, 2,
			func(t *testing.T, err error) { require.ErrorIs(t, err, ips.CodeFailed) }},
		{"a refusal is not repeated", &quick, 0, ips.CodeFailed, 1,
			func(t *testing.T, err error) { require.ErrorIs(t, err, ips.CodeFailed) }},
		{"attempts are bounded", &quick, 99, ips.CodeSuccess, 4,
			func(t *testing.T, err error) { require.ErrorIs(t, err, ips.ErrFateUnknown) }},
		{"the budget is kept", &ips.RetryPolicy{Attempts: 9, Wait: time.Hour, MaxWait: time.Hour, Budget: time.Minute}, 99, ips.CodeSuccess, 1,
			func(t *testing.T, err error) { require.ErrorIs(t, err, ips.ErrFateUnknown) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, got := flakyIPS(t, c.failures, transferAnswer(t, c.code, e.orderNo()))
			var opts []ips.Option
			if c.policy != nil {
				opts = append(opts, ips.WithRetry(*c.policy))
			}
			_, _, err := e.send(serverClient(t, h, opts...), e.request)
			c.check(t, err)
			bodies := got()
			assert.Len(t, bodies, c.calls)
			for _, b := range bodies {
				assert.Equal(t, bodies[0], b, "a repetition must be the very same message")
			}
		})
	}
}

// Once an order may have been carried out, a door that is closed afterwards
// does not prove that it was not.
func TestRetryKeepsDoubt(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			hangUp(w, r, true)
			return
		}
		http.Error(w, "maintenance", http.StatusNotFound)
	}, ips.WithRetry(quick))
	e := exampleOf(t, ips.OpTransfer)
	_, _, err := e.send(c, e.request)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	var status *ips.HTTPError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, 404, status.StatusCode)
	assert.EqualValues(t, 2, calls.Load())
}

func TestRetryHonoursContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hangUp(w, r, true)
	}, ips.WithRetry(ips.RetryPolicy{Attempts: 5, Wait: time.Hour, MaxWait: time.Hour}))
	_, err := c.Transfer(ctx, *exampleOf(t, ips.OpTransfer).request.(*ips.TransferRequest))
	require.ErrorIs(t, err, ips.ErrFateUnknown)
}

func TestRetryOfQueries(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	doc := document("pMerCode", "808801", "pErrCode", "0000", "pErrMsg", "", "pIpsAcctNo", "4021000000000001", "pBalance", "500", "pSign", "x")
	c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		answerSOAP(w, http.StatusOK, soapAnswer("QueryForAccBalance", doc))
	}, ips.WithRetry(quick))
	resp, err := c.QueryBalance(t.Context(), "4021000000000001")
	require.NoError(t, err)
	assert.Equal(t, 500*ips.Yuan, resp.Available)
	assert.EqualValues(t, 3, calls.Load())
}

func TestRetryPolicyRefused(t *testing.T) {
	t.Parallel()
	for _, p := range []ips.RetryPolicy{{}, {Attempts: 1, Wait: time.Second}, {Attempts: 2}, {Attempts: 2, Wait: 1, Budget: -1}} {
		_, err := ips.NewClient(offlineConfig(), ips.WithRetry(p))
		require.ErrorContains(t, err, "WithRetry")
	}
}
