package orderstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/ips-p2p/ips/orders"
)

// servers are started once and stopped by TestMain.
var servers struct {
	maria, postgres, bouncer sync.Once
	bouncerPort              string
	bouncerErr               error
	mariaDSN                 string
	postgresDSN              string
	mariaErr                 error
	postgresErr              error
	stop                     []func()
	next                     atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range servers.stop {
		stop()
	}
	os.Exit(code)
}

// as runs a program as an ordinary user, because PostgreSQL refuses root.
func as(dir, name string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=" + dir, name}, args...)
		name = "setpriv"
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// start makes a folder, prepares a server in it and starts it.
func start(prepare func(dir string) *exec.Cmd, run func(dir, port string) *exec.Cmd, dsn func(port string) (driver, dsn string)) (string, error) {
	dir, err := os.MkdirTemp("", "ipsdb")
	if err != nil {
		return "", err
	}
	servers.stop = append(servers.stop, func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	if out, err := prepare(dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	cmd := run(dir, port)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	servers.stop = append([]func(){func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }}, servers.stop...)
	driver, name := dsn(port)
	db, err := sql.Open(driver, name)
	if err != nil {
		return "", err
	}
	defer db.Close()
	for range 400 {
		if err = db.Ping(); err == nil {
			return port, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", err
}

func binary(t testing.TB, name string) string {
	path, err := exec.LookPath(name)
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1] // a wrapper in PATH may want another user
	}
	if err != nil && os.Getenv("IPS_REQUIRE_DATABASES") != "" {
		t.Fatalf("%s is not installed", name)
	}
	if err != nil {
		t.Skipf("SKIPPED ON THIS DATABASE: %s is not installed", name)
	}
	return path
}

// database is a kind of database and how to get an empty one.
type database struct {
	name    string
	dialect orders.Dialect
	open    func(testing.TB) (driver, dsn string)
}

func databases() []database {
	return []database{
		{"SQLite", orders.SQLite, func(t testing.TB) (string, string) {
			return "sqlite", "file:" + filepath.Join(t.TempDir(), "db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"
		}},
		{"MariaDB", orders.MySQL, func(t testing.TB) (string, string) {
			install, server := binary(t, "mariadb-install-db"), binary(t, "mariadbd")
			servers.maria.Do(func() {
				servers.mariaDSN, servers.mariaErr = start(func(dir string) *exec.Cmd {
					return as(dir, install, "--no-defaults", "--datadir="+dir+"/data", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
				}, func(dir, port string) *exec.Cmd {
					return as(dir, server, "--no-defaults", "--datadir="+dir+"/data", "--socket="+dir+"/s", "--port="+port, "--bind-address=127.0.0.1",
						"--pid-file="+dir+"/pid", "--log-error="+dir+"/err", "--skip-name-resolve", "--character-set-server=utf8mb4", "--max-connections=600")
				}, func(port string) (string, string) { return "mysql", "root@tcp(127.0.0.1:" + port + ")/" })
			})
			require.NoError(t, servers.mariaErr)
			name := fmt.Sprintf("t%d", servers.next.Add(1))
			create(t, "mysql", "root@tcp(127.0.0.1:"+servers.mariaDSN+")/", name)
			return "mysql", "root@tcp(127.0.0.1:" + servers.mariaDSN + ")/" + name
		}},
		{"PostgreSQL", orders.PostgreSQL, postgres},
		{"PgBouncer", orders.PostgreSQL, func(t testing.TB) (string, string) {
			bouncer := binary(t, "pgbouncer")
			_, dsn := postgres(t)
			servers.bouncer.Do(func() {
				servers.bouncerPort, servers.bouncerErr = start(func(dir string) *exec.Cmd {
					config := "[databases]\n* = host=127.0.0.1 port=" + servers.postgresDSN + " user=postgres\n[pgbouncer]\nlisten_addr=127.0.0.1\nauth_type=any\nauth_file=" + dir + "/users\n" +
						"pool_mode=transaction\nunix_socket_dir=\nmax_client_conn=1000\ndefault_pool_size=20\nignore_startup_parameters=extra_float_digits\nlogfile=" + dir + "/log\n"
					return as(dir, "sh", "-c", "printf '\"postgres\" \"\"\\n' > users; cat > ini <<'E'\n"+config+"E\n")
				}, func(dir, port string) *exec.Cmd {
					return as(dir, "sh", "-c", "echo listen_port="+port+" >> ini; exec "+bouncer+" -q ini")
				}, func(port string) (string, string) {
					return "pgx", "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable&default_query_exec_mode=exec"
				})
			})
			require.NoError(t, servers.bouncerErr)
			return "pgx", strings.Replace(dsn, ":"+servers.postgresDSN+"/", ":"+servers.bouncerPort+"/", 1) + "&default_query_exec_mode=exec"
		}},
	}
}

// postgres makes an empty database of a PostgreSQL that it starts.
func postgres(t testing.TB) (driver, dsn string) {
	initdb, server := binary(t, "initdb"), binary(t, "postgres")
	servers.postgres.Do(func() {
		servers.postgresDSN, servers.postgresErr = start(func(dir string) *exec.Cmd {
			return as(dir, initdb, "-D", dir+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
		}, func(dir, port string) *exec.Cmd {
			return as(dir, server, "-D", dir+"/data", "-k", dir, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=600")
		}, func(port string) (string, string) {
			return "pgx", "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable"
		})
	})
	require.NoError(t, servers.postgresErr)
	name := fmt.Sprintf("t%d", servers.next.Add(1))
	create(t, "pgx", "postgres://postgres@127.0.0.1:"+servers.postgresDSN+"/postgres?sslmode=disable", name)
	return "pgx", "postgres://postgres@127.0.0.1:" + servers.postgresDSN + "/" + name + "?sslmode=disable"
}

func create(t testing.TB, driver, dsn, name string) {
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
}

// each runs a test on every database, with -short on SQLite alone.
func each(t *testing.T, f func(t *testing.T, d *shop)) {
	for _, d := range databases() {
		if testing.Short() && d.dialect != orders.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f(t, newShop(t, d))
		})
	}
}

// pool opens another pool on the test's database, as another program has it.
func pool(t testing.TB, driver, dsn string) *sql.DB {
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(10)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func bind(d orders.Dialect, text string) string {
	if d == orders.PostgreSQL {
		for n := 1; strings.Contains(text, "?"); n++ {
			text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
		}
	}
	return text
}

// inTx is a transaction of the merchant's own.
func inTx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a killed program's, too
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
