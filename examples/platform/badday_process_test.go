package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// beThePlatform in the environment makes the test binary the platform's
// program, so that tests can kill it.
const beThePlatform = "PLATFORM_TEST_BE_THE_PLATFORM"

// platformProcess is main, and looks at the end whether a goroutine is left.
func platformProcess() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	before := runtime.NumGoroutine()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		return 1
	}
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			fmt.Fprintln(os.Stderr, "FAILED: goroutines are left")
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
			return 1
		}
	}
	stop()
	return 0
}

// process is a program that is killed and started again. All that it ever says
// goes to one file.
type process struct {
	t       *testing.T
	name    string
	command func(life int) *exec.Cmd
	ready   string // address that answers once it is up
	logFile *os.File
	cmd     *exec.Cmd
	lives   int
}

func newProcess(t *testing.T, logFolder, name, ready string, command func(life int) *exec.Cmd) *process {
	t.Helper()
	f, err := os.Create(logFolder + "/" + name + ".log")
	require.NoError(t, err)
	p := &process{t: t, name: name, command: command, ready: ready, logFile: f}
	t.Cleanup(func() {
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
		_ = f.Close()
	})
	return p
}

// start starts the program and waits until it answers.
func (p *process) start() error {
	p.cmd = p.command(p.lives)
	p.lives++
	p.cmd.Stdout, p.cmd.Stderr = p.logFile, p.logFile
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil
		return fmt.Errorf("%s: %w", p.name, err)
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", p.ready)
		if err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("%s does not come up", p.name)
}

// kill ends the program as the loss of power would.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	err := p.cmd.Wait()
	p.cmd = nil
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return fmt.Errorf("%s ended by itself: %w", p.name, err)
	}
	return nil
}

// stop ends the program as it wants to be ended.
func (p *process) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM), p.name)
	err := p.cmd.Wait()
	p.cmd = nil
	assert.NoError(p.t, err, "%s did not end well", p.name)
}

// freeAddress is one that nobody listens on. It is below the ports that
// systems give to outgoing connections, one of which would otherwise take it
// while the program that it belongs to is dead.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err == nil {
			require.NoError(t, l.Close())
			return l.Addr().String()
		}
	}
	require.Fail(t, "no free port")
	return ""
}

// balancer is the one address of several instances. A request whose instance
// cannot be reached goes to the next one; a request that was cut off does not,
// since nobody knows what became of it.
type balancer struct {
	*httptest.Server
	transport *http.Transport
	instances []string
	turn      atomic.Uint64
}

const maxBalanced = 1 << 20

func newBalancer(instances ...string) *balancer {
	b := &balancer{transport: &http.Transport{MaxIdleConnsPerHost: 32}, instances: instances}
	b.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.Host = "http", r.In.Host },
		Transport: b,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "bad gateway", http.StatusBadGateway)
		},
	})
	return b
}

// RoundTrip implements [http.RoundTripper].
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	var err error
	if r.Body != nil {
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBalanced)); err != nil {
			return nil, err
		}
	}
	first := b.turn.Add(1)
	for i := range b.instances {
		out := r.Clone(r.Context())
		out.URL = &url.URL{
			Scheme: "http", Host: b.instances[(first+uint64(i))%uint64(len(b.instances))], Path: r.URL.Path, RawQuery: r.URL.RawQuery,
		}
		out.Body = io.NopCloser(bytes.NewReader(body))
		var resp *http.Response
		if resp, err = b.transport.RoundTrip(out); err == nil {
			return resp, nil
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" {
			break
		}
	}
	return nil, err
}

// Close stops the balancer.
func (b *balancer) Close() {
	b.Server.Close()
	b.transport.CloseIdleConnections()
}
