package ipsotel

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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// memory exports to where a test can look.
type memory struct {
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	tp     *sdktrace.TracerProvider
	mp     *sdkmetric.MeterProvider
}

func newMemory() *memory {
	m := &memory{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	m.tp = sdktrace.NewTracerProvider(sdktrace.WithSyncer(m.spans))
	m.mp = sdkmetric.NewMeterProvider(sdkmetric.WithReader(m.reader))
	return m
}

// metrics gives the counter's values and the histogram's counts, by labels.
func (m *memory) metrics(t *testing.T) (counts map[string]int64, durations map[string]uint64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, m.reader.Collect(t.Context(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	counts, durations = map[string]int64{}, map[string]uint64{}
	for _, metric := range all.ScopeMetrics[0].Metrics {
		switch data := metric.Data.(type) {
		case metricdata.Sum[int64]:
			assert.Equal(t, "ips.events", metric.Name)
			for _, p := range data.DataPoints {
				counts[labels(p.Attributes)] = p.Value
			}
		case metricdata.Histogram[float64]:
			assert.Equal(t, "ips.duration", metric.Name)
			assert.Equal(t, "s", metric.Unit)
			for _, p := range data.DataPoints {
				durations[labels(p.Attributes)] = p.Count
			}
		default:
			t.Errorf("metric %s is a %T", metric.Name, data)
		}
	}
	return counts, durations
}

func labels(set attribute.Set) string {
	operation, _ := set.Value("ips.operation")
	outcome, _ := set.Value("ips.outcome")
	if set.Len() != 2 {
		return fmt.Sprint("labels: ", set.ToSlice())
	}
	return operation.AsString() + " " + outcome.AsString()
}

// TestStory: 李四 recharges, a withdrawal of more than he has is refused, his
// balance is asked for, and a stranger posts a forged answer.
func TestStory(t *testing.T) {
	t.Parallel()
	m := newMemory()
	story(t, m)

	counts, durations := m.metrics(t)
	assert.Equal(t, int64(1), counts["recharge form"])
	assert.GreaterOrEqual(t, counts["recharge success"], int64(2), "web return and notification")
	assert.Equal(t, int64(1), counts["withdraw form"])
	assert.GreaterOrEqual(t, counts["withdraw failure"], int64(1))
	assert.Equal(t, int64(1), counts["query-balance success"])
	assert.Equal(t, int64(1), counts["unknown error"], "the stranger's operation is no label")
	assert.Len(t, counts, 6, "nothing of what set the stage")
	for key, n := range counts {
		assert.Equal(t, uint64(n), durations[key], key)
	}

	var parent trace.SpanContext
	vias := map[string]int{}
	for _, s := range m.spans.GetSpans() {
		if s.Name == "story" {
			parent = s.SpanContext
		}
		for _, a := range s.Attributes {
			if a.Key == "ips.via" {
				vias[s.Name+" "+a.Value.AsString()]++
			}
		}
	}
	assert.Equal(t, 1, vias["ips recharge web return"])
	assert.Equal(t, 1, vias["ips recharge server to server"])
	for _, s := range m.spans.GetSpans() {
		if s.Name == "ips query-balance" {
			assert.Equal(t, parent.TraceID(), s.SpanContext.TraceID())
			assert.Equal(t, parent.SpanID(), s.Parent.SpanID(), "the call belongs to the story")
		}
		text := fmt.Sprint(s)
		for _, secret := range []string{"11010119900101", "40210000", "李四", "RC2", "WD2", ips.TestMerchant().Cert.Reveal()} {
			assert.NotContains(t, text, secret)
		}
	}
}

func TestHook(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
	refusal := &ips.Error{Operation: ips.OpTransfer, Code: "MG00001F", Message: "账号(4021000000000001)", OrderNo: "T1"}
	for _, tt := range []struct {
		name   string
		event  ips.Event
		span   string
		kind   trace.SpanKind
		status sdktrace.Status
		attrs  string
	}{
		{
			"form", ips.Event{Operation: ips.OpRecharge, Transport: ips.Redirect, OrderNo: "R1", Sent: 700},
			"ips recharge", trace.SpanKindInternal, sdktrace.Status{},
			"operation=recharge outcome=form sent_bytes=700 received_bytes=0 transport=redirect",
		},
		{
			"second attempt", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, OrderNo: "T1", Attempt: 2, Sent: 900, Received: 800, Code: "MG00008F", Outcome: ips.Pending},
			"ips transfer", trace.SpanKindClient, sdktrace.Status{},
			"operation=transfer outcome=pending sent_bytes=900 received_bytes=800 transport=web service code=MG00008F attempt=2",
		},
		{
			"former keys", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Via: ips.ServerToServer, OrderNo: "T1", Received: 800, Code: "MG00000F", Outcome: ips.Success, Former: true},
			"ips transfer", trace.SpanKindServer, sdktrace.Status{},
			"operation=transfer outcome=success sent_bytes=0 received_bytes=800 transport=web service code=MG00000F via=server to server former_keys=true",
		},
		{
			"refusal", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, OrderNo: "T1", Attempt: 1, Code: "MG00001F", Outcome: ips.Failure, Err: refusal},
			"ips transfer", trace.SpanKindClient, sdktrace.Status{Code: codes.Error, Description: "refused: MG00001F"},
			"operation=transfer outcome=failure sent_bytes=0 received_bytes=0 transport=web service code=MG00001F attempt=1",
		},
		{
			"no answer", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Attempt: 1, Err: &ips.FateUnknownError{OrderNo: "T1", Err: io.EOF}},
			"ips transfer", trace.SpanKindClient, sdktrace.Status{Code: codes.Error, Description: "fate unknown"},
			"operation=transfer outcome=error sent_bytes=0 received_bytes=0 transport=web service attempt=1",
		},
		{
			"invalid", ips.Event{Operation: ips.OpRepay, Transport: ips.Redirect, Err: &ips.ValidationError{Operation: ips.OpRepay}},
			"ips repay", trace.SpanKindInternal, sdktrace.Status{Code: codes.Error, Description: "invalid request"},
			"operation=repay outcome=error sent_bytes=0 received_bytes=0 transport=redirect",
		},
		{
			"forged", ips.Event{Operation: "T1-of-a-stranger", Via: ips.ServerToServer, Received: 40, Err: fmt.Errorf("T1: %w", ips.ErrSignature)},
			"ips unknown", trace.SpanKindServer, sdktrace.Status{Code: codes.Error, Description: "not believed"},
			"operation=unknown outcome=error sent_bytes=0 received_bytes=40 via=server to server",
		},
		{
			"never sent", ips.Event{Operation: ips.OpTransfer, Transport: ips.WebService, Attempt: 1, Err: errors.New("T1: no route")},
			"ips transfer", trace.SpanKindClient, sdktrace.Status{Code: codes.Error, Description: "failed"},
			"operation=transfer outcome=error sent_bytes=0 received_bytes=0 transport=web service attempt=1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			hook, err := Hook(m.tp, m.mp)
			require.NoError(t, err)
			tt.event.Start, tt.event.Duration = start, 250*time.Millisecond
			hook(t.Context(), tt.event)

			spans := m.spans.GetSpans()
			require.Len(t, spans, 1)
			s := spans[0]
			assert.Equal(t, tt.span, s.Name)
			assert.Equal(t, tt.kind, s.SpanKind)
			assert.Equal(t, tt.status, s.Status)
			assert.Equal(t, start, s.StartTime)
			assert.Equal(t, start.Add(250*time.Millisecond), s.EndTime)
			var attrs []string
			for _, a := range s.Attributes {
				attrs = append(attrs, strings.TrimPrefix(string(a.Key), "ips.")+"="+a.Value.String())
			}
			assert.Equal(t, tt.attrs, strings.Join(attrs, " "))
			counts, durations := m.metrics(t)
			assert.Len(t, counts, 1)
			assert.Len(t, durations, 1)
			assert.NotContains(t, fmt.Sprint(s.Attributes, s.Status, counts), "T1")
		})
	}
}

func story(t *testing.T, m *memory) {
	t.Helper()
	hook, err := Hook(m.tp, m.mp)
	require.NoError(t, err)
	mux := http.NewServeMux()
	box := ipstest.NewServer(t, ipstest.WithHandler(mux))
	client, err := ips.NewClient(box.Config(), ips.WithHook(hook))
	require.NoError(t, err)
	in := ips.Inbound{Hear: func(context.Context, ips.Response) error { return nil }}
	mux.Handle("/ips/notify/", client.NotifyHandler(in))
	mux.Handle("/ips/return/", client.ReturnHandler(in, func(http.ResponseWriter, *http.Request, ips.Response, error) {}))
	user := box.Person(0)

	ctx, span := m.tp.Tracer("story").Start(t.Context(), "story")
	recharge, err := client.Recharge(ips.RechargeRequest{
		OrderNo: ips.NewOrderNo("RC"), Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
	})
	require.NoError(t, err)
	box.Carry(recharge)
	box.WaitNotification(ips.OpRecharge, recharge.OrderNo())
	tooMuch, err := client.Withdraw(ips.WithdrawRequest{
		OrderNo: ips.NewOrderNo("WD"), Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 900 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
	})
	require.NoError(t, err)
	box.Carry(tooMuch)
	_, err = client.QueryBalance(ctx, user.Account)
	require.NoError(t, err)
	box.WaitIdle()

	r := httptest.NewRequest(http.MethodPost, "/ips/notify/an-operation-of-his-own", strings.NewReader("pMerCode=808801"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	mux.ServeHTTP(httptest.NewRecorder(), r)
	span.End()
}
