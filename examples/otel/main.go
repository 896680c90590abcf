// Otel exports what the SDK does as OpenTelemetry spans and metrics: each form,
// each attempt of a call, each inbound answer. telemetry.go is the part to copy;
// the rest is a short story on a sandbox in this program: 李四 recharges, a
// withdrawal of more than he has is refused, his balance is asked for, and a
// stranger posts a forged answer.
//
//	go run .
//
// It prints the spans and then the metrics, as JSON. A platform gives
// newTelemetry providers that export over OTLP instead.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out), stdouttrace.WithPrettyPrint())
	if err != nil {
		return fmt.Errorf("span exporter: %w", err)
	}
	points, err := stdoutmetric.New(stdoutmetric.WithWriter(out), stdoutmetric.WithPrettyPrint())
	if err != nil {
		return fmt.Errorf("metric exporter: %w", err)
	}
	tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)))
	defer func() { err = errors.Join(err, tp.Shutdown(ctx), mp.Shutdown(ctx)) }() // which exports the rest
	return story(ctx, tp, mp)
}

// story is the merchant's program, with users and IPS around it.
func story(ctx context.Context, tp trace.TracerProvider, mp metric.MeterProvider) error {
	t, err := newTelemetry(tp, mp)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	box := ipstest.Start(ipstest.WithHandler(mux))
	defer box.Close()
	client, err := ips.NewClient(box.Config(), ips.WithHook(t.hook))
	if err != nil {
		return err
	}
	in := ips.Inbound{Hear: ips.Deduplicated(new(ipstest.MemoryOnce),
		func(context.Context, ips.Response) error { return nil }, // a platform looks its order up here, and books it
	)}
	mux.Handle("/ips/notify/", client.NotifyHandler(in))
	mux.Handle("/ips/return/", client.ReturnHandler(in, func(http.ResponseWriter, *http.Request, ips.Response, error) {}))
	user := box.Person(0)

	ctx, span := t.tracer.Start(ctx, "story")
	defer span.End()
	recharge, err := client.Recharge(ips.RechargeRequest{
		OrderNo: ips.NewOrderNo("RC"), Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
	})
	if err != nil {
		return err
	}
	box.Carry(recharge)
	box.WaitNotification(ips.OpRecharge, recharge.OrderNo())

	tooMuch, err := client.Withdraw(ips.WithdrawRequest{
		OrderNo: ips.NewOrderNo("WD"), Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 900 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
	})
	if err != nil {
		return err
	}
	box.Carry(tooMuch)

	if _, err := client.QueryBalance(ctx, user.Account); err != nil {
		return err
	}
	forge(mux)
	return nil
}

// forge posts what a stranger could.
func forge(h http.Handler) {
	fields := url.Values{"pMerCode": {"808801"}, "pErrCode": {"MG00000F"}, "pErrMsg": {""}, "p3DesXmlPara": {""}, "pSign": {"0"}}
	r := httptest.NewRequest(http.MethodPost, "/ips/notify/an-operation-of-his-own", nil)
	r.PostForm = fields
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(httptest.NewRecorder(), r)
}
