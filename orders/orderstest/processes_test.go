package orderstest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// The pace of the processes. A call is given up long before its lease ends.
var processPace = orders.Pace{Workers: 4, PerSecond: 10, Poll: 20 * time.Millisecond, Grace: time.Millisecond, Call: time.Second, Lease: 3 * time.Second, Ask: 200 * time.Millisecond}

// TestProcess is a program of its own that runs what is due, if TestKilledProcess
// starts it.
func TestProcess(t *testing.T) {
	driver := os.Getenv("IPS_TEST_DRIVER")
	if driver == "" {
		t.Skip("is started by TestKilledProcess")
	}
	dialect, err := strconv.Atoi(os.Getenv("IPS_TEST_DIALECT"))
	require.NoError(t, err)
	s := &shop{t: t, kind: database{dialect: orders.Dialect(dialect)}}
	s.db = pool(t, driver, os.Getenv("IPS_TEST_DSN"))
	cfg := ips.TestMerchant()
	cfg.Environment = ips.EnvironmentAt(os.Getenv("IPS_TEST_URL"))
	cfg.Environment.TradeQuery = ips.TradeQueryAtService
	cfg.ReturnURL, cfg.NotifyURL = "https://p2p.example.com/return", "https://p2p.example.com/notify"
	s.client, err = ips.NewClient(cfg)
	require.NoError(t, err)
	b, err := orders.Open(s.db, s.kind.dialect, orders.One(s.client), orders.Prefix("T"), orders.WithPace(processPace), orders.OnError(func(err error) { fmt.Println("book:", err) }))
	require.NoError(t, err)
	fmt.Println("running")
	require.NoError(t, s.effects(b).Run(context.Background()))
}

// A process is killed with SIGKILL in a call, with more orders claimed. Nobody
// touches them until its leases end by the database's clock. Then another process
// asks for what was in the call and sends the rest: nothing twice, all in the end.
func TestKilledProcess(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		calling := make(chan string, 1)
		arrived := make(map[string]time.Time)
		var mu sync.Mutex
		s.ips.during = func(_, no string) {
			mu.Lock()
			defer mu.Unlock()
			if len(arrived) == 0 {
				calling <- no
			}
			arrived[no] = time.Now()
			if len(arrived) == 1 {
				time.Sleep(300 * time.Millisecond) // the answer comes when nobody is there
			}
		}
		const many = 8
		var all []orders.Order
		for range many {
			all = append(all, s.record(s.book, autoBid(10*ips.Yuan)))
		}
		start := func() *exec.Cmd {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestProcess$", "-test.v")
			cmd.Env = append(os.Environ(), "IPS_TEST_DRIVER="+s.driver, "IPS_TEST_DSN="+s.dsn, "IPS_TEST_DIALECT="+strconv.Itoa(int(s.kind.dialect)), "IPS_TEST_URL="+s.ips.server.URL)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			cmd.Stderr = cmd.Stdout
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			go func() {
				for lines := bufio.NewScanner(out); lines.Scan(); {
				}
			}()
			return cmd
		}
		first := start()
		inCall := ""
		select {
		case inCall = <-calling:
		case <-time.After(time.Minute):
			t.Fatal("the first process calls nobody")
		}
		require.NoError(t, first.Process.Kill())
		_ = first.Wait()
		leases := make(map[string]time.Time)
		rows, err := s.db.Query("SELECT order_no, lease_us FROM ips_order WHERE lease <> ''")
		require.NoError(t, err)
		for rows.Next() {
			var no string
			var us int64
			require.NoError(t, rows.Scan(&no, &us))
			leases[no] = time.UnixMicro(us)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		require.Contains(t, leases, inCall)
		require.Greater(t, len(leases), 1, "orders that it had claimed")
		start()
		eventually(t, time.Minute, "all are done", func() bool {
			var n int
			return s.db.QueryRow("SELECT COUNT(*) FROM ips_order WHERE state = 'done'").Scan(&n) == nil && n == many
		})
		assert.Equal(t, many*10*ips.Yuan, s.balance(account))
		var latest time.Duration
		for _, o := range all {
			assert.Equal(t, 1, s.ips.deal(o.OrderNo).messages, o.OrderNo)
			if end, leased := leases[o.OrderNo]; leased && o.OrderNo != inCall {
				late := arrived[o.OrderNo].Sub(end)
				assert.Positive(t, late, "sent while its lease ran")
				latest = max(latest, late)
			}
		}
		assert.Positive(t, s.ips.queries[inCall], "what was in the call is asked for")
		t.Logf("%d orders taken over, the last one %s after its lease had ended", len(leases), latest.Round(time.Millisecond))
		assert.Less(t, latest, processPace.Lease, "leases are spread over a quarter of their length")
	})
}
