package sandbox_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
)

// lockedBuffer is one that a sandbox may write while it is read.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// What others wrote goes into the log as far as it tells a person something.
func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	f := start(t, sandbox.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	long := strings.Repeat("订", 100_000)
	f.post(page, seal(f.keys, "arg", f.opening(long)))
	f.post(page, seal(f.keys, "arg", f.opening("A1")))
	f.delivered()
	assert.Less(t, len(log.String()), 5000)
	assert.Contains(t, log.String(), "order=订订订")
	assert.Contains(t, log.String(), "order=A1")
	assert.True(t, utf8.ValidString(log.String()))
}
