// Package ipsprom counts and times what an ips.Client does, for Prometheus: each
// form, each attempt of a call, each inbound answer.
//
//	hook, err := ipsprom.Hook(prometheus.DefaultRegisterer)
//	…
//	client, err := ips.NewClient(cfg, ips.WithHook(hook))
//
// There are two metrics:
//
//	ips_event_duration_seconds{operation,way,outcome}   histogram; its count is that of the events
//	ips_former_keys_total                               answers made with Config.Former's keys
//
// All labels have few values. operation is that of the [ips.Operation], unknown
// where a stranger's request names none. way is form, call, notify or return.
// outcome is success, pending, failure or undecided, as IPS said; made for a form,
// of which nothing is known yet; invalid for a request that breaks the contract;
// unsent if nothing left the machine; unbelieved for an inbound request that is no
// answer of IPS; error for all else, such as no answer.
//
// Order numbers, accounts and texts of IPS are in none of it: they are for logs
// ([ips.LogEvents]).
package ipsprom

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ips-p2p/ips"
)

// buckets are for durations in seconds: forms take microseconds, calls at most
// the client's time-out.
var buckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30}

// Hook is for [ips.WithHook]: one for all clients, since a Registerer takes its
// metrics once only.
func Hook(reg prometheus.Registerer) (func(context.Context, ips.Event), error) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "ips_event_duration_seconds", Buckets: buckets,
		Help: "Forms, attempts of calls, and inbound answers, from the beginning until verified and decoded.",
	}, []string{"operation", "way", "outcome"})
	former := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ips_former_keys_total",
		Help: "Answers that were made with the keys before the rotation.",
	})
	for _, c := range []prometheus.Collector{duration, former} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("ipsprom: %w", err)
		}
	}
	return func(_ context.Context, e ips.Event) {
		duration.WithLabelValues(operation(e), way(e), outcome(e)).Observe(e.Duration.Seconds())
		if e.Former {
			former.Inc()
		}
	}, nil
}

func operation(e ips.Event) string {
	if _, known := e.Operation.Info(); !known {
		return "unknown"
	}
	return string(e.Operation)
}

func way(e ips.Event) string {
	switch {
	case e.Via == ips.WebReturn:
		return "return"
	case e.Via != 0:
		return "notify"
	case e.Transport == ips.Redirect || e.Attempt == 0 && e.Err == nil:
		return "form"
	default:
		return "call"
	}
}

func outcome(e ips.Event) string {
	switch invalid := new(ips.ValidationError); {
	case e.Code != "":
		return e.Outcome.String()
	case e.Err == nil:
		return "made"
	case errors.As(e.Err, &invalid):
		return "invalid"
	case errors.Is(e.Err, ips.ErrNotSent):
		return "unsent"
	case e.Via != 0:
		return "unbelieved"
	default:
		return "error"
	}
}
