package sandbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNotificationsAreRepeatedUntilTheMerchantAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statuses []int
		state    notifier.State
		attempts int
	}{
		"at once":            {nil, notifier.Delivered, 1},
		"second time":        {[]int{500}, notifier.Delivered, 2},
		"created is not OK":  {[]int{201, 204}, notifier.Delivered, 3},
		"redirect is not OK": {[]int{302, 307, 301}, notifier.Delivered, 4},
		"ceiling":            {[]int{500, 502, 404, 503, 500}, notifier.Abandoned, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{})
			f.shop.answer(c.statuses...)
			f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
			f.delivered()
			list := f.Notifications()
			require.Len(t, list, 1)
			n := list[0]
			assert.Equal(t, c.state, n.State)
			assert.Equal(t, "A1", n.Order)
			assert.Equal(t, "CreateNewIpsAcct", n.Op)
			require.Len(t, n.Attempts, c.attempts)
			for i, a := range n.Attempts {
				if i < len(c.statuses) {
					assert.Equal(t, c.statuses[i], a.Status)
				} else {
					assert.Equal(t, http.StatusOK, a.Status)
				}
			}
			forms := f.shop.received()
			require.Len(t, forms, c.attempts)
			for _, form := range forms[1:] {
				assert.Equal(t, forms[0], form, "every attempt carries the same")
			}
		})
	}
}

func TestNotificationToNobody(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Backoff: []time.Duration{}})
	f.shop.Close()
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	f.delivered()
	n := f.Notifications()[0]
	assert.Equal(t, notifier.Abandoned, n.State)
	require.Len(t, n.Attempts, 1)
	assert.Zero(t, n.Attempts[0].Status)
	assert.Contains(t, n.Attempts[0].Err, "refused")
}

func TestResend(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Backoff: []time.Duration{}})
	f.shop.answer(500)
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	f.delivered()
	seq := f.Notifications()[0].Seq
	require.NoError(t, f.Resend(seq))
	f.delivered()
	assert.Equal(t, notifier.Delivered, f.Notifications()[0].State)
	require.NoError(t, f.Resend(seq), "what was delivered can be repeated, as the platform did")
	f.delivered()
	assert.Len(t, f.Notifications()[0].Attempts, 3)
	assert.ErrorIs(t, f.Resend(99), sandbox.ErrNotFound)
}

func TestAdvanceHurriesNotifications(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Backoff: []time.Duration{time.Hour, 2 * time.Hour}})
	f.shop.answer(500, 500)
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	attempts := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool { return len(f.Notifications()[0].Attempts) == n }, 30*time.Second, time.Millisecond)
	}
	attempts(1)
	require.NoError(t, f.Advance(time.Hour))
	attempts(2)
	require.NoError(t, f.Advance(time.Hour))
	time.Sleep(20 * time.Millisecond)
	attempts(2)
	require.NoError(t, f.Advance(time.Hour))
	f.delivered()
	assert.Len(t, f.Notifications()[0].Attempts, 3)
	assert.Error(t, f.Advance(-1))
}

func TestWaitDeliveredEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Backoff: []time.Duration{time.Hour}})
	f.shop.answer(500)
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, f.WaitDelivered(ctx), context.DeadlineExceeded)
	assert.ErrorIs(t, f.Shutdown(ctx), context.DeadlineExceeded)
	assert.Equal(t, notifier.Queued, f.Notifications()[0].State)
	assert.Equal(t, http.StatusServiceUnavailable, f.post(page, seal(f.keys, "arg", f.opening("A2"))).status)
	assert.ErrorIs(t, f.Resend(f.Notifications()[0].Seq), sandbox.ErrClosed)
}

// A merchant that never answers must not keep the sandbox from closing.
func TestCloseGivesUpWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	arrived := make(chan struct{}, 1)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(release)
	f := start(t, sandbox.Config{})
	f.post(page, seal(f.keys, "arg", strings.Replace(f.opening("A1"), f.shop.URL, slow.URL, 1))).returned(t)
	<-arrived
	closed := make(chan error)
	go func() { closed <- f.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(5 * time.Second):
		t.Fatal("Close does not return")
	}
}

func TestNotificationReadsNoEndlessReply(t *testing.T) {
	t.Parallel()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		block := make([]byte, 32<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	f := start(t, sandbox.Config{})
	f.post(page, seal(f.keys, "arg", strings.Replace(f.opening("A1"), f.shop.URL, endless.URL, 1))).returned(t)
	f.delivered()
	assert.Equal(t, notifier.Delivered, f.Notifications()[0].State)
}

// The merchant has the answer in his hands before he hears of it server to
// server, even from the longest answer, and otherwise only on demand.
func TestNotificationComesBehindTheAnswer(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"behind": false, "on demand first": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{})
			if first {
				_, err := f.OrderFault(sandbox.Fault{Name: fault.NoticeFirst})
				require.NoError(t, err)
			}
			_, err := f.OrderFault(sandbox.Fault{Name: fault.Latency, Delay: 300 * time.Millisecond, After: true})
			require.NoError(t, err)
			answered := make(chan reply)
			go func() { answered <- f.post(page, seal(f.keys, "arg", f.opening("A1"))) }()
			require.Eventually(t, func() bool { return len(f.Notifications()) == 1 }, 10*time.Second, time.Millisecond)
			if first {
				f.delivered()
				select {
				case <-answered:
					assert.Fail(t, "the answer came first")
				default:
				}
				<-answered
				return
			}
			assert.Empty(t, f.shop.received())
			<-answered
			f.delivered()
			assert.Len(t, f.shop.received(), 1)
		})
	}
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.shop.answer(404, 404, 404, 404)
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	f.delivered()
	list := f.GivenUp()
	require.Len(t, list, 1)
	assert.Equal(t, f.shop.URL+"/notify", list[0].URL)
	assert.Equal(t, 404, list[0].Attempts[3].Status)
	f.post(page, seal(f.keys, "arg", f.openingOf("A2", "lisi"))).returned(t)
	f.delivered()
	assert.Len(t, f.GivenUp(), 1)
}
