package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// servers are started for the first test that needs them.
var servers struct {
	mu   sync.Mutex
	stop []func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range servers.stop {
		stop()
	}
	os.Exit(code)
}

// each runs a test on all databases.
func each(t *testing.T, f func(t *testing.T, address string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		f(t, sqliteFile(t))
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		f(t, fresh(t, mariadb, "mariadb-install-db", "mariadbd"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		f(t, fresh(t, postgres, "initdb", "postgres"))
	})
}

func sqliteFile(t testing.TB) string { return filepath.Join(t.TempDir(), "platform.db") }

// fresh is the address of an empty database on a server.
func fresh(t testing.TB, server func() (string, error), programs ...string) string {
	for _, p := range programs {
		if _, err := program(p); err != nil {
			if os.Getenv("IPS_REQUIRE_DATABASES") != "" {
				t.Fatal(err)
			}
			t.Skipf("SKIPPED, NOT TESTED ON THIS DATABASE: %v", err)
		}
	}
	address, err := server()
	require.NoError(t, err)
	name := "t" + strings.ToLower(rand.Text()[:16])
	d, err := connect(address)
	require.NoError(t, err)
	defer d.Close()
	_, err = d.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}

var (
	mariadb = sync.OnceValues(func() (string, error) {
		return start(func(dir string) []string {
			return []string{"mariadb-install-db", "--no-defaults", "--datadir=" + dir + "/data", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"}
		}, func(dir, port string) []string {
			return []string{"mariadbd", "--no-defaults", "--datadir=" + dir + "/data", "--socket=" + dir + "/s", "--port=" + port, "--bind-address=127.0.0.1",
				"--pid-file=" + dir + "/pid", "--log-error=" + dir + "/err", "--skip-name-resolve", "--max-connections=400"}
		}, "mysql://root@127.0.0.1:%s/mysql")
	})
	postgres = sync.OnceValues(func() (string, error) {
		return start(func(dir string) []string {
			return []string{"initdb", "-D", dir + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"}
		}, func(dir, port string) []string {
			return []string{"postgres", "-D", dir + "/data", "-k", dir, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400"}
		}, "postgres://postgres@127.0.0.1:%s/postgres?sslmode=disable")
	})
)

func program(name string) (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1], nil // a wrapper in PATH may want another user
	}
	return exec.LookPath(name)
}

// as runs a program as an ordinary user, because PostgreSQL refuses root.
func as(dir string, args []string) (*exec.Cmd, error) {
	name, err := program(args[0])
	if err != nil {
		return nil, err
	}
	args = append([]string{name}, args[1:]...)
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=" + dir}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	return cmd, nil
}

func start(prepare func(dir string) []string, run func(dir, port string) []string, address string) (string, error) {
	dir, err := os.MkdirTemp("", "platdb")
	if err != nil {
		return "", err
	}
	stops := func(f func()) {
		servers.mu.Lock()
		defer servers.mu.Unlock()
		servers.stop = append([]func(){f}, servers.stop...)
	}
	stops(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		return "", err
	}
	cmd, err := as(dir, prepare(dir))
	if err != nil {
		return "", err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	if cmd, err = as(dir, run(dir, port)); err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stops(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address = fmt.Sprintf(address, port)
	for range 600 {
		var d *Data
		if d, err = connect(address); err == nil {
			err = errors.Join(d.Ping(), d.Close())
		}
		if err == nil {
			return address, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", err
}

// Any number of programs may bring the tables up to date at once, and again.
func TestMigrate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		var programs sync.WaitGroup
		for range 6 {
			programs.Go(func() {
				d, err := openData(t.Context(), address)
				if assert.NoError(t, err) {
					assert.NoError(t, d.Close())
				}
			})
		}
		programs.Wait()
		d, err := openData(t.Context(), address)
		require.NoError(t, err)
		defer d.Close()
		// Rows survive the round trip: enumerations and amounts are stored as what
		// they are on the wire, not as what they print, and texts are told apart byte
		// by byte.
		w := d.read(t.Context())
		u := User{ID: newID(), Login: "张三", Role: Member, RealName: "张三", CreatedAt: time.UnixMicro(1700000000123456)}
		add(w, u)
		assert.Equal(t, u, find[User](w, "login = ?", "张三"))
		for _, login := range []string{"zhang", "ZHANG", "zháng"} {
			add(w, User{ID: newID(), Login: login, Role: Member})
		}
		loan := Loan{BidNo: "B1", BorrowerID: u.ID, Purpose: "购车", Amount: 12345, Rate: 1250, Months: 3, RepayMode: ips.RepayAnnuity, State: LoanApplied}
		add(w, loan)
		loan.State, loan.Released = LoanRunning, 100
		set(w, loan)
		assert.Equal(t, loan, find[Loan](w, "bid_no = 'B1' AND repay_mode = '1' AND rate = 1250"))
		require.NoError(t, w.err)
		_, found := maybe[User](w, "login = 'nobody'")
		assert.False(t, found)
		find[User](w, "login = 'nobody'")
		require.ErrorIs(t, w.err, errNotFound)
		assert.Zero(t, w.exec("DELETE FROM users"), "after an error nothing is done")
	})
}
