package ipsprom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// page is what Prometheus scrapes.
func page(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

func TestHook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		event ips.Event
		want  string
	}{
		{"form", ips.Event{Operation: ips.OpRecharge, Transport: ips.Redirect}, `operation="recharge",outcome="made",way="form"`},
		{"form of a server-posted operation", ips.Event{Operation: ips.OpAutoBid, Transport: ips.ServerPosted}, `operation="auto-bid",outcome="made",way="form"`},
		{"invalid form", ips.Event{Operation: ips.OpRepay, Transport: ips.Redirect, Err: &ips.ValidationError{Operation: ips.OpRepay}}, `operation="repay",outcome="invalid",way="form"`},
		{"invalid call", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Err: &ips.ValidationError{}}, `operation="transfer",outcome="invalid",way="call"`},
		{"pending", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Attempt: 2, Code: ips.CodeProcessing, Outcome: ips.Pending}, `operation="transfer",outcome="pending",way="call"`},
		{"refused", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Attempt: 1, Code: "MG00001F", Outcome: ips.Failure, Err: errors.New("R1")}, `operation="transfer",outcome="failure",way="call"`},
		{"not sent", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Attempt: 1, Err: fmt.Errorf("R1: %w", ips.ErrNotSent)}, `operation="transfer",outcome="unsent",way="call"`},
		{"no answer", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Attempt: 1, Err: &ips.FateUnknownError{OrderNo: "R1", Err: io.EOF}}, `operation="transfer",outcome="error",way="call"`},
		{"notification", ips.Event{Operation: ips.OpRepay, Transport: ips.Redirect, Via: ips.ServerToServer, Code: ips.CodeSuccess, Outcome: ips.Success}, `operation="repay",outcome="success",way="notify"`},
		{"undecided", ips.Event{Operation: ips.OpRepay, Via: ips.WebReturn, Code: "XYZ", Err: ips.ErrFateUnknown}, `operation="repay",outcome="undecided",way="return"`},
		{"forged", ips.Event{Operation: "R1-of-a-stranger", Via: ips.ServerToServer, Err: ips.ErrSignature}, `operation="unknown",outcome="unbelieved",way="notify"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reg := prometheus.NewPedanticRegistry()
			hook, err := Hook(reg)
			require.NoError(t, err)
			tt.event.Duration = 250 * time.Millisecond
			hook(t.Context(), tt.event)
			text := page(t, reg)
			assert.Contains(t, text, "ips_event_duration_seconds_count{"+tt.want+"} 1\n")
			assert.Contains(t, text, "ips_event_duration_seconds_sum{"+tt.want+"} 0.25\n")
			assert.Equal(t, 1, strings.Count(text, "_count{"))
			assert.Contains(t, text, "ips_former_keys_total 0\n")
			assert.NotContains(t, text, "R1")
			tt.event.Former = true
			hook(t.Context(), tt.event)
			assert.Contains(t, page(t, reg), "ips_former_keys_total 1\n")
		})
	}
}

// TestStrangersMakeNoSeries: a thousand addresses of a stranger's own are one
// series.
func TestStrangersMakeNoSeries(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	hook, err := Hook(reg)
	require.NoError(t, err)
	_, err = Hook(reg)
	require.ErrorAs(t, err, &prometheus.AlreadyRegisteredError{})
	mux := http.NewServeMux()
	box := ipstest.NewServer(t, ipstest.WithHandler(mux))
	client, err := ips.NewClient(box.Config(), ips.WithHook(hook))
	require.NoError(t, err)
	mux.Handle("/ips/notify/", client.NotifyHandler(ips.Inbound{Hear: func(context.Context, ips.Response) error { return nil }}))
	user := box.Person(0)
	_, err = client.QueryBalance(t.Context(), user.Account)
	require.NoError(t, err)
	for n := range 1000 {
		r := httptest.NewRequest(http.MethodPost, fmt.Sprintf("/ips/notify/of-his-own-%d", n), strings.NewReader("pMerCode=808801"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		mux.ServeHTTP(httptest.NewRecorder(), r)
	}
	text := page(t, reg)
	assert.Contains(t, text, `ips_event_duration_seconds_count{operation="unknown",outcome="unbelieved",way="notify"} 1000`)
	assert.Contains(t, text, `ips_event_duration_seconds_count{operation="query-balance",outcome="success",way="call"} 1`)
	assert.Equal(t, 2, strings.Count(text, "_count{"))
	assert.NotContains(t, text, user.Account)
}
