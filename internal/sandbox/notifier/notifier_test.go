package notifier_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// roundTripper answers requests without a network.
type roundTripper func(*http.Request) int

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(f(r))
	return w.Result(), nil
}

// world is a notifier and what merchants heard.
type world struct {
	*notifier.Notifier
	mu    sync.Mutex
	heard []string
	at    []time.Duration
}

func start(cfg notifier.Config, answer func(*http.Request) int) *world {
	w := &world{}
	began := time.Now()
	cfg.Client = &http.Client{Transport: roundTripper(func(r *http.Request) int {
		w.mu.Lock()
		w.heard, w.at = append(w.heard, r.URL.Host), append(w.at, time.Since(began))
		w.mu.Unlock()
		return answer(r)
	})}
	cfg.Now, cfg.Log = time.Now, slog.New(slog.DiscardHandler)
	cfg.Sent, cfg.Changed = func(notifier.Sent) {}, func(notifier.Change) {}
	w.Notifier = notifier.New(cfg)
	return w
}

func (w *world) queue(seq int64, merchant string, hold *notifier.Hold) {
	w.Queue(notifier.Post{
		Notice: engine.Notice{Seq: seq, Merchant: merchant, URL: "http://" + merchant + ".example.com/"},
		Answer: wire.Envelope{Merchant: merchant, Code: "MG00000F"}, Hold: hold,
	})
}

func ok(*http.Request) int { return http.StatusOK }

// What one merchant leaves unanswered does not keep the memory of others from
// being bounded.
func TestMerchantWhoHangsKeepsNoHistory(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	w := start(notifier.Config{}, func(r *http.Request) int {
		if r.URL.Host == "hangs.example.com" {
			<-hang
		}
		return http.StatusOK
	})
	t.Cleanup(w.Close)
	w.queue(1, "hangs", nil)
	for seq := range int64(12) {
		w.Queue(notifier.Post{
			Notice: engine.Notice{Seq: seq + 2, Merchant: "answers", URL: "http://answers.example.com/"},
			Answer: wire.Envelope{XML: strings.Repeat("x", 16<<20)},
		})
		require.Eventually(t, func() bool { return w.Pending() == 1 }, 10*time.Second, time.Millisecond)
	}
	list := w.List()
	assert.Len(t, list, 4, "less than 64 MiB, and what is on its way")
	assert.Equal(t, notifier.Queued, list[0].State)
	assert.EqualValues(t, 13, list[len(list)-1].Seq)
}

// A merchant who accepts and never answers keeps nobody else waiting.
func TestMerchantsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(notifier.Config{}, func(r *http.Request) int {
			if r.URL.Host == "808801.example.com" {
				<-r.Context().Done()
			}
			return http.StatusOK
		})
		defer w.Close()
		for i := range int64(100) {
			w.queue(i+1, "808801", nil)
		}
		began := time.Now()
		w.queue(101, "808802", nil)
		synctest.Wait()
		list := w.List()
		assert.Equal(t, notifier.Delivered, list[100].State)
		assert.Zero(t, time.Since(began))
		assert.Equal(t, notifier.Queued, list[0].State)
	})
}

// A notice leaves a moment after the answer that caused it, never before.
func TestNoticeWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(notifier.Config{After: 200 * time.Millisecond}, ok)
		defer w.Close()
		hold := &notifier.Hold{}
		w.queue(1, "808801", hold)
		assert.True(t, hold.Busy())
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, w.heard)
		hold.Release()
		assert.False(t, hold.Busy())
		require.NoError(t, w.Wait(t.Context()))
		assert.Equal(t, []time.Duration{time.Minute + 200*time.Millisecond}, w.at)
	})
}

func TestHeldNoticeIsSentByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(notifier.Config{}, ok)
		defer w.Close()
		hold := &notifier.Hold{}
		w.queue(1, "808801", hold)
		require.NoError(t, w.Resend(1))
		require.NoError(t, w.Wait(t.Context()))
		hold.Release()
		synctest.Wait()
		assert.Len(t, w.heard, 1)
		assert.ErrorIs(t, w.Resend(2), notifier.ErrUnknown)
	})
}

// A result is told again although it was answered, five times at most.
func TestAnsweredResultIsToldAgain(t *testing.T) {
	t.Parallel()
	for again, want := range map[int]int{0: 1, 1: 2, 4: 5, 9: 5} {
		synctest.Test(t, func(t *testing.T) {
			w := start(notifier.Config{Again: again}, ok)
			defer w.Close()
			w.queue(1, "808801", nil)
			require.NoError(t, w.Wait(t.Context()))
			assert.Len(t, w.heard, want)
			n, _, found := w.Find(1)
			assert.True(t, found)
			assert.Equal(t, notifier.Delivered, n.State)
		})
	}
}

func TestFiveAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(notifier.Config{}, func(*http.Request) int { return http.StatusNotFound })
		defer w.Close()
		w.queue(1, "808801", nil)
		require.NoError(t, w.Wait(t.Context()))
		n, _, _ := w.Find(1)
		assert.Equal(t, notifier.Abandoned, n.State)
		assert.Len(t, n.Attempts, 5)
		for _, a := range n.Attempts {
			assert.Equal(t, http.StatusNotFound, a.Status)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(notifier.Config{}, ok)
		w.queue(1, "808801", &notifier.Hold{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, w.Wait(ctx), context.DeadlineExceeded)
		w.Close()
		assert.ErrorIs(t, w.Wait(t.Context()), notifier.ErrClosed)
	})
}

// A clock that is advanced while the answer is being written hurries what the
// answer has caused, too.
func TestHurryWhileHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(notifier.Config{After: time.Hour}, ok)
		defer w.Close()
		hold := &notifier.Hold{}
		w.queue(1, "808801", hold)
		w.Hurry(time.Hour)
		hold.Release()
		synctest.Wait()
		assert.Equal(t, []time.Duration{0}, w.at)
	})
}

// A search knows what has come since the last one, and nothing that was dropped.
func TestNewest(t *testing.T) {
	t.Parallel()
	w := start(notifier.Config{}, ok)
	defer w.Close()
	all := func(*notifier.Notification) bool { return true }
	for i := range 12_000 {
		n := engine.Notice{Seq: int64(i + 1), Merchant: "808801", Order: fmt.Sprintf("R%d.", i), URL: "http://shop.example.com/"}
		w.Restore(notifier.Post{Notice: n}, notifier.Delivered, make([]notifier.Attempt, i%3))
		if i%3000 == 0 || i == 11_999 {
			found, total := w.Newest(fmt.Sprintf("R%d.", i), find.Page{}, all)
			require.Equal(t, 1, total, i)
			assert.Equal(t, int64(i+1), found[0].Seq)
		}
	}
	_, total := w.Newest("R0.", find.Page{}, all)
	assert.Zero(t, total, "it was dropped")
	_, kept := w.Newest("", find.Page{Limit: 1}, all)
	_, total = w.Newest("shop.example.com", find.Page{Limit: 1}, all)
	assert.Equal(t, kept, total)
	found, _ := w.Newest("", find.Page{Limit: 2, By: "attempts"}, all)
	assert.Equal(t, []int64{12_000, 11_997}, []int64{found[0].Seq, found[1].Seq})
}
