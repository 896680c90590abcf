package ipstest_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// TestMemoryOnceConcurrently sends many copies of many answers at once, of
// which the first ones fail.
func TestMemoryOnceConcurrently(t *testing.T) {
	t.Parallel()
	var once ipstest.MemoryOnce
	const keys, copies, failures = 20, 50, 3
	var succeeded, failed [keys]atomic.Int32
	var running [keys]atomic.Int32
	var wg sync.WaitGroup
	for k := range keys {
		key := ips.AnswerKey{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: string(rune('A' + k)), Says: "success"}
		for range copies {
			wg.Go(func() {
				_ = once.Do(context.Background(), key, func(context.Context) error {
					assert.EqualValues(t, 1, running[k].Add(1), "two at once")
					defer running[k].Add(-1)
					if failed[k].Load() < failures {
						failed[k].Add(1)
						return errors.New("not yet")
					}
					succeeded[k].Add(1)
					return nil
				})
			})
		}
	}
	wg.Wait()
	for k := range keys {
		assert.EqualValues(t, failures, failed[k].Load())
		assert.EqualValues(t, 1, succeeded[k].Load())
	}
}

// TestMemoryOnceWaits: a copy waits for the first one's end, but no longer than
// its own context.
func TestMemoryOnceWaits(t *testing.T) {
	t.Parallel()
	var once ipstest.MemoryOnce
	key := ips.AnswerKey{OrderNo: "R1"}
	started, finish := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- once.Do(context.Background(), key, func(context.Context) error {
			close(started)
			<-finish
			return nil
		})
	}()
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	never := func(context.Context) error {
		t.Error("ran twice")
		return nil
	}
	require.ErrorIs(t, once.Do(ctx, key, never), context.DeadlineExceeded)
	close(finish)
	require.NoError(t, <-first)
	require.NoError(t, once.Do(context.Background(), key, never))
}

// TestMemoryOnceKnowsWithoutContext: a copy of what is done needs no waiting, so
// it does not matter that the one who brought it has gone.
func TestMemoryOnceKnowsWithoutContext(t *testing.T) {
	t.Parallel()
	var once ipstest.MemoryOnce
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		require.NoError(t, once.Do(ctx, ips.AnswerKey{OrderNo: "R1"}, func(context.Context) error { return nil }))
	}
}
