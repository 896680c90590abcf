package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// Topic is a part of the sandbox that pages show.
type Topic int

// The topics.
const (
	State    Topic = iota // accounts, bids, orders, books, faults, the clock
	Messages              // what went over the wire
	Notices               // notifications and their attempts
	topicCount
)

func (t Topic) String() string {
	return [topicCount]string{"state", "messages", "notifications"}[t]
}

const (
	maxListeners = 64
	// heartbeat keeps the connection alive and the clock on the page right.
	heartbeat = 5 * time.Second
	// eventPause lets a burst of changes become one event.
	eventPause = 200 * time.Millisecond
	// eventPatience is how long a listener may take to read an event.
	eventPatience = 10 * time.Second
)

// Feed tells listeners what has changed. It keeps no queue: a listener knows
// the version that he has seen, and the feed the version at which each Topic
// changed last, so that a slow listener costs nothing and misses nothing.
type Feed struct {
	mu        sync.Mutex
	version   uint64
	latest    [topicCount]uint64
	listeners int
	changed   chan struct{} // closed and replaced at each change
	closed    chan struct{} // closed for good
	once      sync.Once
}

// NewFeed returns a feed to which nothing has happened.
func NewFeed() *Feed {
	return &Feed{changed: make(chan struct{}), closed: make(chan struct{})}
}

// Touch says that a Topic has changed.
func (f *Feed) Touch(t Topic) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	f.latest[t] = f.version
	if f.listeners > 0 {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// Version is that of what a page shows that is read from now on.
func (f *Feed) Version() uint64 {
	version, _, _ := f.since(0)
	return version
}

// since says which topics have changed after a version, the version now, and
// what to wait on for the next change. A version from before the sandbox was
// started tells nothing, so everything has changed.
func (f *Feed) since(version uint64) (now uint64, topics []Topic, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for t := range topicCount {
		if f.latest[t] > version || version > f.version {
			topics = append(topics, t)
		}
	}
	return f.version, topics, f.changed
}

func (f *Feed) join() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.closed:
		return false
	default:
	}
	if f.listeners == maxListeners {
		return false
	}
	f.listeners++
	return true
}

func (f *Feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners--
}

// Close sends the listeners away.
func (f *Feed) Close() { f.once.Do(func() { close(f.closed) }) }

// events is a stream of server-sent events: "change" names the topics that
// changed after ?since= or Last-Event-ID, "clock" tells the time.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	seen, err := lastSeen(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !c.feed.join() {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many listeners", http.StatusServiceUnavailable)
		return
	}
	defer c.feed.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	out := eventWriter{w, http.NewResponseController(w)}
	// The stream outlives the time that a server grants a request. Where
	// deadlines cannot be set, there are none.
	_ = out.rc.SetReadDeadline(time.Time{})
	if r.Method == http.MethodHead || out.send(c.clockEvent()) != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	pause := time.NewTicker(eventPause)
	defer pause.Stop()
	gone := r.Context().Done()
	for {
		now, topics, changed := c.feed.since(seen)
		if len(topics) > 0 {
			if out.send(changeEvent(now, topics)+c.clockEvent()) != nil {
				return
			}
			seen = now
			select {
			case <-pause.C:
			case <-gone:
				return
			case <-c.feed.closed:
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-beat.C:
			if out.send(c.clockEvent()) != nil {
				return
			}
		case <-gone:
			return
		case <-c.feed.closed:
			return
		}
	}
}

// lastSeen is the version of the page that listens. A browser that connects
// again by itself knows better than the address.
func lastSeen(r *http.Request) (uint64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("since")
	}
	if text == "" {
		return 0, nil
	}
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("since: want a number, got %q", text)
	}
	return version, nil
}

func changeEvent(version uint64, topics []Topic) string {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.String()
	}
	return fmt.Sprintf("id: %d\nevent: change\ndata: %s\n\n", version, strings.Join(names, " "))
}

func (c *Console) clockEvent() string {
	return "event: clock\ndata: " + wire.ClockText(c.platform.Now()) + "\n\n"
}

type eventWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// send fails for a listener that has gone or does not read.
func (e eventWriter) send(event string) error {
	_ = e.rc.SetWriteDeadline(time.Now().Add(eventPatience))
	if _, err := e.w.Write([]byte(event)); err != nil {
		return err
	}
	return e.rc.Flush()
}
