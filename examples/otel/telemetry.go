package main

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/ips-p2p/ips"
)

// scope names the instrumentation in what is exported.
const scope = "github.com/ips-p2p/ips/examples/otel"

// buckets are for durations in seconds: forms take microseconds, calls at most
// the client's time-out.
var buckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30}

// telemetry turns the client's events into spans and metrics.
type telemetry struct {
	tracer   trace.Tracer
	events   metric.Int64Counter
	duration metric.Float64Histogram
}

func newTelemetry(tp trace.TracerProvider, mp metric.MeterProvider) (*telemetry, error) {
	meter := mp.Meter(scope)
	events, err := meter.Int64Counter("ips.events",
		metric.WithDescription("Forms, attempts of calls, and inbound answers."), metric.WithUnit("{event}"))
	if err != nil {
		return nil, fmt.Errorf("counter: %w", err)
	}
	duration, err := meter.Float64Histogram("ips.duration",
		metric.WithDescription("From the beginning until verified and decoded."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(buckets...))
	if err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	return &telemetry{tp.Tracer(scope), events, duration}, nil
}

// hook is for [ips.WithHook]. An event comes when all is over, so the span is
// made with hindsight; it becomes a child of the span that the context carries.
func (t *telemetry) hook(ctx context.Context, e ips.Event) {
	labels := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("ips.operation", operation(e)),
		attribute.String("ips.outcome", outcome(e)),
	))
	t.events.Add(ctx, 1, labels)
	t.duration.Record(ctx, e.Duration.Seconds(), labels)

	_, span := t.tracer.Start(ctx, "ips "+operation(e),
		trace.WithTimestamp(e.Start), trace.WithSpanKind(kind(e)), trace.WithAttributes(attributes(e)...))
	if e.Err != nil {
		span.SetStatus(codes.Error, reason(e.Err))
	}
	span.End(trace.WithTimestamp(e.Start.Add(e.Duration)))
}

// attributes of a span. Order numbers are for logs, where somebody looks for
// them: see [ips.LogEvents].
func attributes(e ips.Event) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		attribute.String("ips.operation", operation(e)),
		attribute.String("ips.outcome", outcome(e)),
		attribute.Int("ips.sent_bytes", e.Sent),
		attribute.Int("ips.received_bytes", e.Received),
	}
	if e.Transport != 0 {
		attrs = append(attrs, attribute.String("ips.transport", e.Transport.String()))
	}
	if e.Code != "" {
		attrs = append(attrs, attribute.String("ips.code", string(e.Code)))
	}
	if e.Via != 0 {
		attrs = append(attrs, attribute.String("ips.via", e.Via.String()))
	}
	if e.Attempt != 0 {
		attrs = append(attrs, attribute.Int("ips.attempt", e.Attempt))
	}
	return attrs
}

// operation is safe as a label: the operation of an inbound event is what a
// stranger wrote in a URL, and every new one would be a new series.
func operation(e ips.Event) string {
	if _, known := e.Operation.Info(); !known {
		return "unknown"
	}
	return string(e.Operation)
}

// outcome is one of success, pending and failure, which are what IPS said; form
// for a form, of which nothing is known yet; and error where there is no answer
// that could be believed.
func outcome(e ips.Event) string {
	switch {
	case e.Code != "":
		return e.Outcome.String()
	case e.Err != nil:
		return "error"
	default:
		return "form"
	}
}

func kind(e ips.Event) trace.SpanKind {
	switch {
	case e.Via != 0:
		return trace.SpanKindServer
	case e.Attempt != 0:
		return trace.SpanKindClient
	default:
		return trace.SpanKindInternal
	}
}

// reason is a few fixed words: the texts of errors may name orders, and those of
// IPS accounts.
func reason(err error) string {
	var refusal *ips.Error
	var invalid *ips.ValidationError
	switch {
	case errors.As(err, &refusal):
		return "refused: " + string(refusal.Code)
	case errors.As(err, &invalid):
		return "invalid request"
	case errors.Is(err, ips.ErrFateUnknown):
		return "fate unknown"
	case errors.Is(err, ips.ErrMerchant), errors.Is(err, ips.ErrSignature), errors.Is(err, ips.ErrMalformed),
		errors.Is(err, ips.ErrTooLarge), errors.Is(err, ips.ErrOperation):
		return "not believed"
	default:
		return "failed"
	}
}
