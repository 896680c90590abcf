package orderstest

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// BenchmarkBeside measures how long small orders take while something large is
// under way: releases of 3000 rows, each recorded, sent, heard of with an effect
// that writes once for each row, and heard of again by its notification; and the
// moving out of old orders. A small order is recorded, handed out and heard of, by
// four users at once. Quiet times and others take turns. The metrics are
// milliseconds for the median and for 99 of 100, and their ratios.
//
//	go test -run '^$' -bench Beside -benchtime 6x .
func BenchmarkBeside(b *testing.B) {
	templates := templatesOf(b)
	for _, d := range databases() {
		if d.name == "PgBouncer" {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			g := &grown{floor: newFloor(b, d), templates: templates, n: 30_000, begun: time.Now()}
			g.fill()
			b.Cleanup(g.drop)
			g.exec("CREATE TABLE ledger (order_key VARCHAR(96) NOT NULL, account VARCHAR(40) NOT NULL, fen BIGINT NOT NULL)")
			orders.Done(g.book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
				for _, row := range a.Done(q.Rows) {
					if _, err := tx.ExecContext(ctx, bind(d.dialect, "INSERT INTO ledger (order_key, account, fen) VALUES (?, ?, ?)"), o.Key, row.FromAccount, int64(row.Amount)); err != nil {
						return err
					}
				}
				return nil
			})
			b.Run("release of 3000 rows", func(b *testing.B) {
				g.beside(b, func(context.Context) {
					var o orders.Order
					require.NoError(b, inTx(bg(), g.db, func(tx *sql.Tx) (err error) {
						o, err = g.book.Record(bg(), tx, release(3000), orders.Hold())
						return err
					}))
					o, err := g.book.Send(bg(), o)
					require.NoError(b, err)
					require.Equal(b, orders.StateDone, o.State)
					require.Equal(b, 200, post(g.client, g.book.Hear, ips.OpTransfer, g.platform.notice(o.OrderNo)))
				})
			})
			b.Run("retirement", func(b *testing.B) {
				g.beside(b, func(ctx context.Context) {
					n, err := g.book.Retire(ctx, g.begun.Add(-24*time.Hour), func(context.Context, *sql.Tx, []orders.Leaving) error { return nil })
					require.True(b, n > 0 && (err == nil || ctx.Err() != nil), "%d, %v", n, err)
				})
			})
		})
	}
}

// beside measures small orders in turn alone and beside something large.
func (g *grown) beside(b *testing.B, large func(context.Context)) {
	const span = 2 * time.Second
	var quiet, busy []float64
	larges := 0
	small := func(into *[]float64) {
		var mu sync.Mutex
		var users sync.WaitGroup
		for end, user := time.Now().Add(span), 0; user < 4; user++ {
			users.Go(func() {
				for time.Now().Before(end) {
					begun := time.Now()
					o := g.record()
					_, err := g.book.Form(bg(), o)
					require.NoError(g.tb, err)
					require.NoError(g.tb, g.book.Hear(bg(), g.says(o)))
					took := time.Since(begun).Seconds() * 1000
					mu.Lock()
					*into = append(*into, took)
					mu.Unlock()
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
		users.Wait()
	}
	small(new([]float64)) // to warm up
	for range b.N {
		small(&quiet)
		ctx, stop := context.WithCancel(bg())
		var over atomic.Bool
		var other sync.WaitGroup
		other.Go(func() {
			for !over.Load() {
				large(ctx)
				larges++
			}
		})
		small(&busy)
		over.Store(true)
		stop()
		other.Wait()
	}
	at := func(all []float64, share float64) float64 {
		slices.Sort(all)
		return all[int(float64(len(all)-1)*share)]
	}
	b.ReportMetric(0, "ns/op")
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		b.ReportMetric(at(quiet, q.share), q.name+"-quiet-ms")
		b.ReportMetric(at(busy, q.share), q.name+"-beside-ms")
		b.ReportMetric(at(busy, q.share)/at(quiet, q.share), q.name+"-ratio")
	}
	b.ReportMetric(float64(larges)/float64(b.N)/span.Seconds(), "large/s")
	b.ReportMetric(float64(len(busy))/float64(len(quiet)), "small-ratio")
}
