package ips_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// collect is a hook that keeps the events of one goroutine.
func collect(events *[]ips.Event) func(context.Context, ips.Event) {
	return func(_ context.Context, e ips.Event) { *events = append(*events, e) }
}

func TestHookSeesCalls(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpTransfer)
	h, _ := flakyIPS(t, 1, transferAnswer(t, ips.CodeProcessing, e.orderNo()))
	var events []ips.Event
	_, _, err := e.send(serverClient(t, h, ips.WithRetry(quick), ips.WithHook(collect(&events))), e.request)
	require.NoError(t, err)
	require.Len(t, events, 2)

	first, second := events[0], events[1]
	assert.Equal(t, 1, first.Attempt)
	require.ErrorIs(t, first.Err, ips.ErrFateUnknown)
	assert.Empty(t, first.Code)
	assert.Equal(t, 2, second.Attempt)
	require.NoError(t, second.Err)
	assert.Equal(t, ips.OpTransfer, second.Operation)
	assert.Equal(t, ips.WebService, second.Transport)
	assert.Equal(t, e.orderNo(), second.OrderNo)
	assert.Equal(t, ips.CodeProcessing, second.Code)
	assert.Equal(t, ips.Pending, second.Outcome)
	assert.Greater(t, second.Sent, 500)
	assert.Greater(t, second.Received, 300)
	assert.Positive(t, second.Duration)
	assert.WithinDuration(t, time.Now(), second.Start, time.Minute)
}

func TestHookSeesFormsAndInbound(t *testing.T) {
	t.Parallel()
	var events []ips.Event
	c := offlineClient(t, ips.WithHook(collect(&events)))
	e := exampleOf(t, ips.OpRecharge)
	_, _, err := e.send(c, e.request)
	require.NoError(t, err)

	handler := c.NotifyHandler(ips.Inbound{Callbacks: ips.Callbacks{Other: func(context.Context, ips.Response) error { return nil }}})
	good := sealedAnswer(t, ips.CodeFailed, "失败", document("pMerBillNo", "R1"))
	bad := good
	bad.sign = "0" + bad.sign[1:]
	for _, f := range []fiveFields{good, bad} {
		handler.ServeHTTP(httptest.NewRecorder(), f.inbound(ips.OpRecharge))
	}
	require.Len(t, events, 3)
	assert.Equal(t, ips.Redirect, events[0].Transport)
	assert.Equal(t, e.orderNo(), events[0].OrderNo)
	require.NoError(t, events[0].Err)
	assert.Equal(t, ips.ServerToServer, events[1].Via)
	assert.Equal(t, "R1", events[1].OrderNo)
	require.ErrorIs(t, events[1].Err, ips.CodeFailed)
	require.ErrorIs(t, events[2].Err, ips.ErrSignature)
	assert.Empty(t, events[2].OrderNo, "nothing of an answer that did not verify")
}

func TestLogEvents(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, nil))
	e := exampleOf(t, ips.OpTransfer)
	h, _ := flakyIPS(t, 1, transferAnswer(t, ips.CodeFailed, e.orderNo()))
	_, _, err := e.send(serverClient(t, h, ips.WithRetry(quick), ips.WithHook(ips.LogEvents(logger))), e.request)
	require.Error(t, err)
	text := out.String()
	assert.Contains(t, text, "level=ERROR msg=ips operation=transfer order="+e.orderNo())
	assert.Contains(t, text, "level=WARN")
	assert.Contains(t, text, "code=MG00001F outcome=failure attempt=2")
	assert.NotContains(t, text, "说明", "the text of IPS may name an account")
	for _, secret := range []string{ips.TestMerchant().Cert.Reveal(), ips.TestMerchant().Key.Reveal(), "110101199001010001", "4021000000000001"} {
		assert.NotContains(t, text, secret)
	}

	out.Reset()
	off := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	ips.LogEvents(off)(t.Context(), ips.Event{Operation: ips.OpRecharge})
	assert.Empty(t, out.String())
}

func TestHookRefusesNil(t *testing.T) {
	t.Parallel()
	_, err := ips.NewClient(offlineConfig(), ips.WithHook(nil))
	require.ErrorContains(t, err, "WithHook")
}
