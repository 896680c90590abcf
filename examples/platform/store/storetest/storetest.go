// Package storetest runs tests on both databases: a fresh SQLite file, and a
// fresh database of a PostgreSQL server. The server is the one that
// DATABASE_URL names, or one that is started for the tests if its programs are
// installed; else those tests are skipped, and say so.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Each runs fn on SQLite and on PostgreSQL.
func Each(t *testing.T, fn func(t *testing.T, address string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, Postgres(t))
	})
}

// SQLite is the address of a fresh SQLite database.
func SQLite(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "platform.db")
}

// Postgres is the address of a fresh PostgreSQL database, which is dropped when
// the test ends. Without a server the test is skipped.
func Postgres(t *testing.T) string {
	t.Helper()
	server, err := start()
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED ON POSTGRESQL: set DATABASE_URL or install its server: %v", err)
	}
	name := "test_" + strings.ToLower(rand.Text()[:16])
	run(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { run(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("DATABASE_URL is no URL")
	}
	u.Path = "/" + name
	return u.String()
}

func run(t *testing.T, address, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
}

// Main runs the tests of a package and stops the server that they started.
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	stop()
	return code
}

var (
	start = sync.OnceValues(startServer)
	mu    sync.Mutex
	stops []func()
)

func stop() {
	mu.Lock()
	defer mu.Unlock()
	for _, f := range stops {
		f()
	}
}

func onStop(f func()) {
	mu.Lock()
	defer mu.Unlock()
	stops = append([]func(){f}, stops...)
}

// startServer makes a cluster in a temporary directory that nobody reaches but
// through a socket in it. PostgreSQL refuses to be root.
func startServer() (address string, err error) {
	if address := os.Getenv("DATABASE_URL"); address != "" {
		return address, nil
	}
	var asUser []string
	if os.Getuid() == 0 {
		asUser = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	}
	for _, program := range append([]string{"initdb", "postgres"}, asUser[:min(1, len(asUser))]...) {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp("", "pg") // short: the path of a socket must be
	if err != nil {
		return "", err
	}
	onStop(func() { _ = os.RemoveAll(dir) })
	if asUser != nil {
		if err := os.Chown(dir, 65534, 65534); err != nil {
			return "", err
		}
	}
	command := func(args ...string) *exec.Cmd {
		args = append(append([]string(nil), asUser...), args...)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	server := command("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=300")
	if err := server.Start(); err != nil {
		return "", err
	}
	onStop(func() {
		_ = server.Process.Signal(os.Interrupt) // a fast shutdown
		_ = server.Wait()
	})
	address = "postgres://test@/postgres?host=" + url.QueryEscape(dir)
	return address, await(address)
}

func await(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the server does not come up"), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
