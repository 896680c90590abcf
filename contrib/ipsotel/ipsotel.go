// Package ipsotel turns what an ips.Client does into OpenTelemetry spans and
// metrics: each form, each attempt of a call, each inbound answer.
//
//	hook, err := ipsotel.Hook(otel.GetTracerProvider(), otel.GetMeterProvider())
//	…
//	client, err := ips.NewClient(cfg, ips.WithHook(hook))
//
// A span is named "ips OPERATION" and is a child of the span that the call's
// context carries; those of inbound answers belong to the request's. There are
// two metrics, ips.events (a counter) and ips.duration (a histogram, in seconds),
// with two labels of few values: ips.operation, unknown where a stranger's request
// names none, and ips.outcome: success, pending, failure or undecided, as IPS
// said; form for a form, of which nothing is known yet; error where there is no
// answer that could be believed.
//
// Order numbers, accounts and texts of IPS are in none of it: they are for logs
// ([ips.LogEvents]).
package ipsotel

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
const scope = "github.com/ips-p2p/ips/contrib/ipsotel"

// buckets are for durations in seconds: forms take microseconds, calls at most
// the client's time-out.
var buckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30}

// Hook is for [ips.WithHook], for one client or for all. It fails if the meter
// refuses an instrument.
func Hook(tp trace.TracerProvider, mp metric.MeterProvider) (func(context.Context, ips.Event), error) {
	tracer, meter := tp.Tracer(scope), mp.Meter(scope)
	events, err := meter.Int64Counter("ips.events",
		metric.WithDescription("Forms, attempts of calls, and inbound answers."), metric.WithUnit("{event}"))
	if err != nil {
		return nil, fmt.Errorf("ipsotel: counter: %w", err)
	}
	duration, err := meter.Float64Histogram("ips.duration",
		metric.WithDescription("From the beginning until verified and decoded."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(buckets...))
	if err != nil {
		return nil, fmt.Errorf("ipsotel: histogram: %w", err)
	}
	return func(ctx context.Context, e ips.Event) {
		labels := metric.WithAttributeSet(attribute.NewSet(
			attribute.String("ips.operation", operation(e)),
			attribute.String("ips.outcome", outcome(e)),
		))
		events.Add(ctx, 1, labels)
		duration.Record(ctx, e.Duration.Seconds(), labels)

		// An event comes when all is over, so the span is made with hindsight.
		_, span := tracer.Start(ctx, "ips "+operation(e),
			trace.WithTimestamp(e.Start), trace.WithSpanKind(kind(e)), trace.WithAttributes(attributes(e)...))
		if e.Err != nil {
			span.SetStatus(codes.Error, reason(e.Err))
		}
		span.End(trace.WithTimestamp(e.Start.Add(e.Duration)))
	}, nil
}

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
	if e.Former {
		attrs = append(attrs, attribute.Bool("ips.former_keys", true))
	}
	return attrs
}

// operation is safe as a label: one of the operations that there are, or unknown.
func operation(e ips.Event) string {
	if _, known := e.Operation.Info(); !known {
		return "unknown"
	}
	return string(e.Operation)
}

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
