package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// metrics counts what happens, for Prometheus. All labels come from short
// lists: names of operations, outcomes, and the codes that are given before a
// message reaches the engine.
type metrics struct {
	mu     sync.Mutex
	counts map[string]int64 // by name and labels
}

func (m *metrics) count(format string, labels ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = make(map[string]int64)
	}
	m.counts[fmt.Sprintf(format, labels...)]++
}

// answered counts an answer to a request.
func (m *metrics) answered(op, code string) {
	outcome := "refused"
	switch code {
	case codeDone, codeQueryDone, "MG02501F", "MG02505F":
		outcome = "done"
	case "MG00008F", "MG02500F", "MG02503F":
		outcome = "pending"
	}
	m.count("ips_sandbox_requests_total{op=%q,outcome=%q}", op, outcome)
}

// told counts what became of posting a notification.
func (m *metrics) told(c notifier.Change) {
	switch {
	case c.Attempt != nil && c.Attempt.Status == http.StatusOK:
		m.count("ips_sandbox_notification_posts_total{result=%q}", "taken")
	case c.Attempt != nil:
		m.count("ips_sandbox_notification_posts_total{result=%q}", "failed")
	}
	if c.State == notifier.Abandoned || c.State == notifier.Dropped {
		m.count("ips_sandbox_notifications_lost_total{state=%q}", c.State)
	}
}

// serveMetrics answers in Prometheus's text form. People's data is not in it.
func (s *Sandbox) serveMetrics(w http.ResponseWriter) {
	m := &s.metrics
	m.mu.Lock()
	counts := maps.Clone(m.counts)
	m.mu.Unlock()
	var b strings.Builder
	last := ""
	for _, line := range slices.Sorted(maps.Keys(counts)) {
		if name, _, _ := strings.Cut(line, "{"); name != last {
			last = name
			fmt.Fprintf(&b, "# TYPE %s counter\n", name)
		}
		fmt.Fprintf(&b, "%s %d\n", line, counts[line])
	}
	fmt.Fprintf(&b, "# TYPE ips_sandbox_notifications_pending gauge\nips_sandbox_notifications_pending %d\n", s.notifier.Pending())
	wire.Send(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", []byte(b.String()))
}
