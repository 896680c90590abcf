package ips_test

import (
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

func TestNewOrderNo(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^ABCDE[0-9]{12}[A-Z2-7]{13}$`)
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				no := ips.NewOrderNo("ABCDE")
				mu.Lock()
				assert.Regexp(t, form, no)
				assert.LessOrEqual(t, len(no), 30)
				assert.False(t, seen[no], "given twice: %s", no)
				seen[no] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Len(t, seen, 8000)
	assert.Len(t, ips.NewOrderNo(""), 25)
	for _, prefix := range []string{"ABCDEF", "A-B", "订单"} {
		assert.Panics(t, func() { ips.NewOrderNo(prefix) }, prefix)
	}
}

func TestOrderStateNext(t *testing.T) {
	t.Parallel()
	const same = false
	for _, c := range []struct {
		from          ips.OrderState
		answer        ips.Outcome
		to            ips.OrderState
		changed       bool
		contradiction bool
	}{
		{ips.OrderRecorded, ips.Pending, ips.OrderPending, true, false},
		{ips.OrderRecorded, ips.Success, ips.OrderDone, true, false},
		{ips.OrderRecorded, ips.Failure, ips.OrderRefused, true, false},
		{ips.OrderPending, ips.Pending, ips.OrderPending, same, false},
		{ips.OrderPending, ips.Success, ips.OrderDone, true, false},
		{ips.OrderPending, ips.Failure, ips.OrderRefused, true, false},
		{ips.OrderDone, ips.Pending, ips.OrderDone, same, false},
		{ips.OrderDone, ips.Success, ips.OrderDone, same, false},
		{ips.OrderDone, ips.Failure, ips.OrderDone, same, true},
		{ips.OrderRefused, ips.Pending, ips.OrderRefused, same, false},
		{ips.OrderRefused, ips.Failure, ips.OrderRefused, same, false},
		{ips.OrderRefused, ips.Success, ips.OrderRefused, same, true},
	} {
		next, changed, err := c.from.Next(c.answer)
		assert.Equal(t, c.to, next, "%s + %s", c.from, c.answer)
		assert.Equal(t, c.changed, changed, "%s + %s", c.from, c.answer)
		if c.contradiction {
			require.ErrorIs(t, err, ips.ErrContradiction, "%s + %s", c.from, c.answer)
		} else {
			require.NoError(t, err, "%s + %s", c.from, c.answer)
		}
	}
	_, _, err := ips.OrderState("lost").Next(ips.Success)
	require.ErrorContains(t, err, `unknown order state "lost"`)
	assert.True(t, ips.OrderDone.Final())
	assert.False(t, ips.OrderPending.Final())
}
