package console

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFeedTellsWhatChanged(t *testing.T) {
	t.Parallel()
	f := NewFeed()
	version, topics, _ := f.since(0)
	assert.Zero(t, version)
	assert.Empty(t, topics)

	f.Touch(Messages)
	version, topics, _ = f.since(0)
	assert.Equal(t, []Topic{Messages}, topics)
	_, topics, _ = f.since(version)
	assert.Empty(t, topics)

	f.Touch(Notices)
	f.Touch(State)
	f.Touch(State)
	_, topics, _ = f.since(version)
	assert.Equal(t, []Topic{State, Notices}, topics)

	_, topics, _ = f.since(1 << 40)
	assert.Len(t, topics, int(topicCount), "a version of another life")
}

func TestFeedBoundsItsListeners(t *testing.T) {
	t.Parallel()
	f := NewFeed()
	for range maxListeners {
		require.True(t, f.join())
	}
	assert.False(t, f.join())
	f.leave()
	assert.True(t, f.join())
	f.leave()
	f.Close()
	f.Close()
	assert.False(t, f.join(), "nobody joins what is closed")
}

// stream is a listener's side of the connection.
type stream struct {
	header http.Header
	mu     sync.Mutex
	text   strings.Builder
	fails  bool // does not read any more
}

func newStream() *stream { return &stream{header: make(http.Header)} }

func (s *stream) Header() http.Header { return s.header }
func (s *stream) WriteHeader(int)     {}
func (s *stream) Flush()              {}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return 0, os.ErrDeadlineExceeded
	}
	return s.text.Write(p)
}

// read is all that has come.
func (s *stream) read() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *stream) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = true
}

// SetWriteDeadline makes it a connection with deadlines.
func (s *stream) SetWriteDeadline(time.Time) error { return nil }

// listen starts a listener in a bubble and returns what stops it.
func listen(t *testing.T, c *Console, w http.ResponseWriter, address string) (stop context.CancelFunc, ended chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+address, nil).WithContext(ctx))
	}()
	return cancel, ended
}

func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, feed := quiet(t)
		defer feed.Close()
		w := newStream()
		stop, ended := listen(t, c, w, "/console/events?since="+sinceNow(c))
		synctest.Wait()
		assert.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
		assert.Equal(t, 0, strings.Count(w.read(), "event: change"), w.read())

		feed.Touch(State)
		synctest.Wait()
		assert.Equal(t, 1, strings.Count(w.read(), "event: change\ndata: state\n"), w.read())
		assert.Equal(t, "id: "+sinceNow(c), strings.Split(w.read()[strings.Index(w.read(), "id: "):], "\n")[0])

		for range 10 { // a burst is one event
			feed.Touch(State)
		}
		time.Sleep(2 * eventPause)
		synctest.Wait()
		assert.LessOrEqual(t, strings.Count(w.read(), "event: change"), 3)

		before := strings.Count(w.read(), "event: clock")
		time.Sleep(10 * heartbeat)
		synctest.Wait()
		assert.GreaterOrEqual(t, strings.Count(w.read(), "event: clock")-before, 9, "the heart beats")

		stop()
		<-ended
		assert.Zero(t, feed.listeners)
	})
}

// still is a platform on which nothing happens.
type still struct{ Platform }

func (still) Now() time.Time    { return time.Now() }
func (still) Local(string) bool { return true }

func quiet(t *testing.T) (*Console, *Feed) {
	t.Helper()
	feed := NewFeed()
	return New(still{}, feed, slog.New(slog.DiscardHandler)), feed
}

func sinceNow(c *Console) string {
	_, id, _ := strings.Cut(strings.SplitN(changeEvent(c.feed.Version(), nil), "\n", 2)[0], " ")
	return id
}

func TestEventsEndWithTheSandbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, feed := quiet(t)
		_, ended := listen(t, c, newStream(), "/console/events")
		synctest.Wait()
		feed.Close()
		<-ended
	})
}

func TestSlowListenerIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, feed := quiet(t)
		defer feed.Close()
		w := newStream()
		_, ended := listen(t, c, w, "/console/events?since="+sinceNow(c))
		synctest.Wait()
		w.fail()
		feed.Touch(State)
		<-ended
		assert.Zero(t, feed.listeners)
	})
}

func TestEventsRefuse(t *testing.T) {
	t.Parallel()
	c, feed := quiet(t)
	defer feed.Close()
	get := func(address string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+address, nil))
		return w
	}
	assert.Equal(t, http.StatusBadRequest, get("/console/events?since=x").Code)
	for range maxListeners {
		require.True(t, feed.join())
	}
	full := get("/console/events")
	assert.Equal(t, http.StatusServiceUnavailable, full.Code)
	assert.NotEmpty(t, full.Header().Get("Retry-After"))
}
