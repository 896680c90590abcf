package orderstest

import (
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/orders"
)

// TestCluster plays the bad day on databases of several servers, some of which are
// killed with SIGKILL and come back. What was committed is there, nothing is sent
// twice, the books are those of IPS. Where a standby lacks the last commits, what IPS
// has of them is known for a stray, and nothing is sent twice all the same. It takes minutes: IPS_CLUSTER says how many
// orders, and without it nothing is done.
func TestCluster(t *testing.T) {
	many := 0
	if _, err := fmt.Sscan(os.Getenv("IPS_CLUSTER"), &many); err != nil {
		t.Skip("IPS_CLUSTER is not set to a number of orders")
	}
	for _, c := range []struct {
		name string
		make func(testing.TB) (database, *cluster)
	}{
		{"Galera, one writer", func(t testing.TB) (database, *cluster) { return galera(t, false) }},
		{"Galera, three writers", func(t testing.TB) (database, *cluster) { return galera(t, true) }},
		{"PostgreSQL, synchronous standby", func(t testing.TB) (database, *cluster) { return standby(t, true) }},
		{"PostgreSQL, asynchronous standby", func(t testing.TB) (database, *cluster) { return standby(t, false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, servers := c.make(t)
			m := newMarket(newShop(t, kind), mode{name: c.name}, 7)
			m.lossy, servers.market = servers.lossy, m
			begun := time.Now()
			end := make(chan struct{})
			var failing sync.WaitGroup
			failing.Go(func() { servers.fail(end) })
			m.day(many)
			close(end)
			failing.Wait()
			t.Logf("%d failures in %s", servers.failures, time.Since(begun).Round(time.Second))
			assert.Positive(t, servers.failures)
			m.week()
			m.judge()
		})
	}
}

// cluster is some servers of one database.
type cluster struct {
	t        testing.TB
	dir      string
	failures int
	lossy    bool // a failover loses what was committed last
	market   *market
	fail     func(end <-chan struct{})
}

func (c *cluster) file(format string, args ...any) string {
	return filepath.Join(c.dir, fmt.Sprintf(format, args...))
}

// run starts a server that lives until it is killed or the test ends.
func (c *cluster) run(name string, args ...string) (kill func()) {
	cmd := as(c.dir, name, args...)
	log, err := os.Create(c.file("%s-%d.out", filepath.Base(name), time.Now().UnixNano()))
	require.NoError(c.t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(c.t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL) // setpriv and env have become the server
		<-ended
	})
	c.t.Cleanup(kill)
	return kill
}

func newCluster(t testing.TB) *cluster {
	dir, err := os.MkdirTemp("", "ipscluster")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	c := &cluster{t: t, dir: dir}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return c
}

func (c *cluster) must(cmd *exec.Cmd) {
	c.t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, string(out))
}

// until waits for a database to say so.
func (c *cluster) until(driver, dsn, query, want string) {
	c.t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(c.t, err)
	defer db.Close()
	var got string
	for range 1200 {
		if err = db.QueryRow(query).Scan(&got); err == nil && got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	assert.Fail(c.t, "a server does not come up", "%s: %q, want %q, %v", query, got, want, err)
}

// pause waits, and says whether there is time for another failure.
func pause(end <-chan struct{}, d time.Duration) bool {
	select {
	case <-end:
		return false
	case <-time.After(d):
		return true
	}
}

// galera is three nodes behind HAProxy. One after the other is killed and joins
// again 8 seconds later: sooner the others would not have noticed.
func galera(t testing.TB, writers bool) (database, *cluster) {
	if _, err := os.Stat("/usr/lib/galera/libgalera_smm.so"); err != nil {
		if os.Getenv("IPS_REQUIRE_DATABASES") != "" {
			t.Fatal("galera-4 is not installed")
		}
		t.Skip("SKIPPED: galera-4 is not installed")
	}
	install, server, proxy := binary(t, "mariadb-install-db"), binary(t, "mariadbd"), binary(t, "haproxy")
	c := newCluster(t)
	port := func() string {
		p, err := freePort()
		require.NoError(t, err)
		return p
	}
	type node struct {
		port, group, transfer, incremental string
		kill                               func()
	}
	nodes := make([]*node, 3)
	var members []string
	for i := range nodes {
		nodes[i] = &node{port: port(), group: port(), transfer: port(), incremental: port()}
		members = append(members, "127.0.0.1:"+nodes[i].group)
	}
	dsn := func(port string) string { return "root@tcp(127.0.0.1:" + port + ")/" }
	join := func(i int, extra ...string) {
		n := nodes[i]
		n.kill = c.run(server, append([]string{"--defaults-file=" + c.file("n%d.cnf", i)}, extra...)...)
		c.until("mysql", dsn(n.port), "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_ready'", "ON")
	}
	front := port()
	config := "global\n  maxconn 2000\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\nlisten all\n  bind 127.0.0.1:" + front +
		"\n  balance leastconn\n  option mysql-check user root\n  default-server inter 300ms fall 2 rise 2 on-marked-down shutdown-sessions\n"
	for i, n := range nodes {
		require.NoError(t, os.MkdirAll(c.file("n%d", i), 0o777))
		require.NoError(t, os.Chmod(c.file("n%d", i), 0o777))
		require.NoError(t, os.WriteFile(c.file("n%d.cnf", i), []byte(strings.NewReplacer("DIR", c.file("n%d", i), "PORT", n.port, "GROUP", n.group,
			"TRANSFER", n.transfer, "INCREMENTAL", n.incremental, "MEMBERS", strings.Join(members, ","), "NODE", fmt.Sprintf("n%d", i)).Replace(`[mysqld]
datadir=DIR/data
socket=DIR/s
port=PORT
bind-address=127.0.0.1
pid-file=DIR/pid
log-error=DIR/err
skip-name-resolve
character-set-server=utf8mb4
max_connections=300
binlog_format=ROW
innodb_autoinc_lock_mode=2
wsrep_on=ON
wsrep_provider=/usr/lib/galera/libgalera_smm.so
wsrep_cluster_name=ips
wsrep_cluster_address=gcomm://MEMBERS
wsrep_node_name=NODE
wsrep_node_address=127.0.0.1
wsrep_sst_method=rsync
wsrep_sst_receive_address=127.0.0.1:TRANSFER
wsrep_provider_options="gmcast.listen_addr=tcp://127.0.0.1:GROUP;ist.recv_addr=127.0.0.1:INCREMENTAL;gcache.size=128M"
`)), 0o644))
		backup := ""
		if i > 0 && !writers {
			backup = " backup"
		}
		config += fmt.Sprintf("  server n%d 127.0.0.1:%s check%s\n", i, n.port, backup)
		if i > 0 {
			c.must(as(c.dir, "mkdir", "-p", c.file("n%d/data", i))) // a joiner's must be there
		}
	}
	c.must(as(c.dir, install, "--no-defaults", "--datadir="+c.file("n0/data"), "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"))
	join(0, "--wsrep-new-cluster")
	create(t, "mysql", dsn(nodes[0].port), "shop")
	join(1)
	join(2)
	require.NoError(t, os.WriteFile(c.file("haproxy.cfg"), []byte(config), 0o644))
	c.run(proxy, "-f", c.file("haproxy.cfg"), "-db")
	c.until("mysql", dsn(front), "SELECT 'up'", "up")
	c.fail = func(end <-chan struct{}) {
		for i := 0; pause(end, 5*time.Second); i = (i + 1) % len(nodes) {
			nodes[i].kill()
			c.failures++
			time.Sleep(8 * time.Second)
			join(i)
		}
	}
	return database{"Galera", orders.MySQL, func(testing.TB) (string, string) { return "mysql", dsn(front) + "shop?interpolateParams=true" }}, c
}

// standby is a PostgreSQL with a standby. The primary is killed once and the
// standby promoted; programs find it because they know both. An asynchronous one
// hears nothing of the primary's last half second.
func standby(t testing.TB, synchronous bool) (database, *cluster) {
	initdb, server, backup := binary(t, "initdb"), binary(t, "postgres"), binary(t, "pg_basebackup")
	c := newCluster(t)
	a, err := freePort()
	require.NoError(t, err)
	b, err := freePort()
	require.NoError(t, err)
	dsn := func(port string) string { return "postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable" }
	run := func(name, port string) func() {
		return c.run(server, "-D", c.file("%s", name), "-k", c.dir, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300")
	}
	c.must(as(c.dir, initdb, "-D", c.file("a"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"))
	kill := run("a", a)
	c.until("pgx", dsn(a), "SELECT 'up'", "up")
	c.must(as(c.dir, backup, "-D", c.file("b"), "-h", "127.0.0.1", "-p", a, "-U", "postgres", "-X", "stream", "-c", "fast", "--no-sync", "-R"))
	link := newLink(t, "127.0.0.1:"+a)
	c.must(as(c.dir, "sh", "-c", `echo "primary_conninfo = 'host=127.0.0.1 port=`+link.port+` user=postgres application_name=b'" >> `+c.file("b/postgresql.auto.conf")))
	run("b", b)
	primary, err := sql.Open("pgx", dsn(a))
	require.NoError(t, err)
	want := "async"
	if synchronous {
		want = "sync"
		for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = 'b'", "SELECT pg_reload_conf()"} {
			_, err = primary.Exec(text)
			require.NoError(t, err)
		}
	}
	c.until("pgx", dsn(a), "SELECT sync_state FROM pg_stat_replication", want)
	require.NoError(t, primary.Close())
	promote := func() {
		second, err := sql.Open("pgx", dsn(b))
		assert.NoError(t, err)
		defer second.Close()
		for _, text := range []string{"SELECT pg_promote(true)", "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"} {
			_, err = second.Exec(text)
			assert.NoError(t, err)
		}
	}
	c.lossy = !synchronous
	c.fail = func(end <-chan struct{}) {
		if !pause(end, 5*time.Second) {
			return
		}
		c.failures++
		if synchronous {
			kill()
			promote()
			return
		}
		// The clock of the test leaps; a transaction may have begun before it did.
		since := time.Now().Add(time.Duration(c.market.skew.Load())).Add(-time.Hour)
		held := c.market.held(20)
		time.Sleep(500 * time.Millisecond)
		link.cut()
		begun := time.Now()
		c.market.send(held) // the standby has them, and does not know that they were sent
		time.Sleep(max(0, 500*time.Millisecond-time.Since(begun)))
		c.market.failover(since, func() { kill(); promote() })
		c.market.send(held) // a program does so that does not remember either
	}
	both := fmt.Sprintf("postgres://postgres@127.0.0.1:%s,127.0.0.1:%s/postgres?sslmode=disable&target_session_attrs=read-write", a, b)
	return database{"PostgreSQL", orders.PostgreSQL, func(testing.TB) (string, string) { return "pgx", both }}, c
}

// link is a way to a server that can be cut.
type link struct {
	port string
	l    net.Listener
	mu   sync.Mutex
	all  []net.Conn
}

func newLink(t testing.TB, to string) *link {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	k := &link{l: l}
	_, k.port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(k.cut)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			k.mu.Lock()
			k.all = append(k.all, in, out)
			k.mu.Unlock()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		}
	}()
	return k
}

func (k *link) cut() {
	_ = k.l.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, conn := range k.all {
		_ = conn.Close()
	}
}
