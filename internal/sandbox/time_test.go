package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// roundTripper is a merchant without a network.
type roundTripper func(*http.Request) (int, error)

func (rt roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := rt(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// submit posts an account opening without a network.
func submit(t *testing.T, s *sandbox.Sandbox) *httptest.ResponseRecorder {
	t.Helper()
	f := &fixture{shop: &shop{Server: &httptest.Server{URL: "http://shop.example.com"}}}
	form := seal(keysOf(t, sandbox.TestMerchant()), "arg", f.opening("A1"))
	r := httptest.NewRequest(http.MethodPost, "/CreditWeb/"+page, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// Nobody calls; time passes by itself.
func TestDeadlinePassesUnasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		var posted time.Time
		s, err := sandbox.New(sandbox.Config{Manual: true, NotifyClient: &http.Client{
			Transport: roundTripper(func(*http.Request) (int, error) {
				posted = time.Now()
				return http.StatusOK, nil
			}),
		}})
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, http.StatusSeeOther, submit(t, s).Code)
		time.Sleep(19 * time.Minute)
		synctest.Wait()
		assert.Empty(t, s.Notifications())
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Len(t, s.Notifications(), 1)
		assert.Equal(t, 20*time.Minute, posted.Sub(started), "the page times out to the second")
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var posted []time.Duration
		started := time.Now()
		s, err := sandbox.New(sandbox.Config{NotifyClient: &http.Client{
			Transport: roundTripper(func(*http.Request) (int, error) {
				posted = append(posted, time.Since(started))
				return http.StatusBadGateway, nil
			}),
		}})
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, http.StatusOK, submit(t, s).Code)
		require.NoError(t, s.WaitDelivered(t.Context()))
		assert.Equal(t, []time.Duration{
			0, 1 * time.Second, 16 * time.Second, 136 * time.Second, 736 * time.Second,
		}, posted)
		assert.Equal(t, notifier.Abandoned, s.Notifications()[0].State)
	})
}

// A merchant that takes for ever is given up after fifteen seconds.
func TestAttemptTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.New(sandbox.Config{Backoff: []time.Duration{}, NotifyClient: &http.Client{
			Transport: roundTripper(func(r *http.Request) (int, error) {
				<-r.Context().Done()
				return 0, r.Context().Err()
			}),
		}})
		require.NoError(t, err)
		defer s.Close()
		submit(t, s)
		require.NoError(t, s.WaitDelivered(t.Context()))
		a := s.Notifications()[0].Attempts
		require.Len(t, a, 1)
		assert.Equal(t, 15*time.Second, a[0].Took)
		assert.Equal(t, "context deadline exceeded", a[0].Err)
	})
}

// When synctest's bubble ends, every goroutine of the sandbox must have ended.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.New(sandbox.Config{NotifyClient: &http.Client{
			Transport: roundTripper(func(*http.Request) (int, error) { return http.StatusNotFound, nil }),
		}})
		require.NoError(t, err)
		submit(t, s)
		synctest.Wait()
		require.NoError(t, s.Close())
		assert.ErrorIs(t, s.WaitDelivered(t.Context()), sandbox.ErrClosed)
	})
}
