package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/mysql"
	"github.com/ips-p2p/ips/ipstest"
)

// database is a MariaDB of the test's own, on a socket in a folder of its own,
// with the table of answers and one of orders.
func database(t *testing.T) *sql.DB {
	t.Helper()
	for _, program := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED, NOT TESTED ON MARIADB: no %s here (Debian: mariadb-server)", program)
		}
	}
	dir, err := os.MkdirTemp("", "ips") // a socket's path must be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "s")
	// Root needs a word more.
	asRoot := func(args ...string) []string {
		if os.Getuid() == 0 {
			return append(args, "--user=root")
		}
		return args
	}
	out, err := exec.Command("mariadb-install-db", asRoot("--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	server := exec.Command("mariadbd", asRoot("--no-defaults", "--datadir="+data, "--socket="+socket, "--skip-networking",
		"--pid-file="+filepath.Join(dir, "pid"), "--log-error="+filepath.Join(dir, "err"), "--skip-name-resolve",
		"--character-set-server=utf8mb4")...)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	})
	cfg := driver.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.Logger = "root", "unix", socket, &driver.NopLogger{}
	connect := func() *sql.DB {
		connector, err := driver.NewConnector(cfg)
		require.NoError(t, err)
		return sql.OpenDB(connector)
	}
	admin := connect()
	defer admin.Close()
	require.Eventually(t, func() bool { return admin.Ping() == nil }, 20*time.Second, 20*time.Millisecond, "MariaDB does not answer")
	_, err = admin.Exec("CREATE DATABASE shop")
	require.NoError(t, err)
	cfg.DBName = "shop"
	db := connect()
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{
		mysql.Schema,
		`CREATE TABLE orders (
			number   VARBINARY(30) NOT NULL PRIMARY KEY,
			request  BLOB NOT NULL,
			state    VARCHAR(10) NOT NULL,
			credited BIGINT NOT NULL DEFAULT 0
		) ENGINE=InnoDB`,
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	return db
}

func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM ips_answers").Scan(&n))
	return n
}

// TestOnce: a key is kept if and only if the handler succeeded, byte by byte,
// whole, and under concurrent copies once.
func TestOnce(t *testing.T) {
	db := database(t)
	once := mysql.Once{DB: db}
	heard := 0
	do := func(key ips.AnswerKey, fails error) error {
		return once.Do(t.Context(), key, func(ctx context.Context) error {
			heard++
			require.NotNil(t, mysql.Tx(ctx))
			return fails
		})
	}
	key := ips.AnswerKey{MerchantCode: "808801", Operation: ips.OpRegisterDebtTransfer, OrderNo: "Dabc4567890123456789012345678a", Says: "MG00001F"}
	down := errors.New("the handler has failed")
	require.ErrorIs(t, do(key, down), down)
	assert.Zero(t, count(t, db))
	require.NoError(t, do(key, nil))
	require.NoError(t, do(key, down), "a copy is not heard")
	assert.Equal(t, 2, heard)

	for _, change := range []func(*ips.AnswerKey){
		func(k *ips.AnswerKey) { k.OrderNo = strings.ToUpper(k.OrderNo) },         // another order
		func(k *ips.AnswerKey) { k.OrderNo = k.OrderNo[:len(k.OrderNo)-1] + "b" }, // differs in its last letter
		func(k *ips.AnswerKey) { k.Says = "pending" },                             // says something else
		func(k *ips.AnswerKey) { k.Says = "success" },                             // and again
		func(k *ips.AnswerKey) { k.OrderNo = "订单 0001" },                          // of an old program
		func(k *ips.AnswerKey) { k.OrderNo = "订单 0001 " },                         // trailing blanks are bytes
		func(k *ips.AnswerKey) { k.OrderNo = strings.Repeat("x", 200) },           // no number that IPS takes
		func(k *ips.AnswerKey) { k.OrderNo = strings.Repeat("x", 200) + "y" },     // nor this one
		func(k *ips.AnswerKey) { k.MerchantCode = "808802" },                      // another merchant
	} {
		before, other := heard, key
		change(&other)
		require.NoError(t, do(other, nil))
		require.NoError(t, do(other, nil))
		assert.Equal(t, before+1, heard, "%s", other)
	}

	// Whatever does not fit is an error and no copy: nothing is cut.
	wide := key
	wide.MerchantCode = strings.Repeat("8", 60)
	require.Greater(t, len(wide.String()), 80)
	err := do(wide, nil)
	refused := new(driver.MySQLError)
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, uint16(1406), refused.Number)

	var wg sync.WaitGroup
	var mu sync.Mutex
	ran := 0
	for range 20 {
		wg.Go(func() {
			at := key
			at.OrderNo = "D2"
			for range 20 { // deadlocks are errors, and IPS comes again
				if once.Do(t.Context(), at, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					ran++
					return nil
				}) == nil {
					return
				}
			}
			t.Error("never acknowledged")
		})
	}
	wg.Wait()
	assert.Equal(t, 1, ran)
}

// shop hears recharges as a platform does.
type shop struct{ db *sql.DB }

func (s shop) record(ctx context.Context, req ips.WithholdingRechargeRequest) error {
	data, err := ips.MarshalRequest(req)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, "INSERT INTO orders (number, request, state) VALUES (?, ?, ?)", req.OrderNo, data, ips.OrderRecorded)
	return err
}

func (s shop) recharged(ctx context.Context, a *ips.WithholdingRechargeResponse) error {
	tx := mysql.Tx(ctx)
	var data []byte
	var state ips.OrderState
	if err := tx.QueryRowContext(ctx, "SELECT request, state FROM orders WHERE number = ? FOR UPDATE", a.OrderNo).Scan(&data, &state); err != nil {
		return fmt.Errorf("order %s: %w", a.OrderNo, err)
	}
	req, err := ips.UnmarshalRequest(ips.OpWithholdingRecharge, data)
	if err != nil {
		return err
	}
	if a.Outcome == ips.Success && len(ips.Compare(req, a)) > 0 {
		return fmt.Errorf("order %s: not what was ordered", a.OrderNo)
	}
	next, change, err := state.Next(a.Base())
	if err != nil || change == ips.Unchanged {
		return err
	}
	var credit ips.Amount
	if next == ips.OrderDone {
		credit = req.(ips.WithholdingRechargeRequest).Amount
	}
	_, err = tx.ExecContext(ctx, "UPDATE orders SET state = ?, credited = credited + ? WHERE number = ?", next, credit, a.OrderNo)
	return err
}

// TestPendingThenSuccess: of the longest order number the pending answer and the
// success are two answers, and the money is credited once, however often and in
// whichever order they come.
func TestPendingThenSuccess(t *testing.T) {
	db := database(t)
	s := shop{db}
	mux := http.NewServeMux()
	ipsrv := ipstest.NewServer(t, ipstest.WithHandler(mux))
	user := ipsrv.Person(0) // before the shop listens
	client, ctx := ipsrv.Client(), t.Context()
	hear := ips.Deduplicated(mysql.Once{DB: db}, ips.On(s.recharged, nil))
	mux.Handle("/ips/notify/", client.NotifyHandler(ips.Inbound{Hear: hear, OnError: func(_ *http.Request, err error) { t.Log(err) }}))

	req := ips.WithholdingRechargeRequest{
		OrderNo: ips.NewOrderNo("AUTOW"), Date: ipsrv.Today(), Amount: 500 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
	}
	require.Len(t, req.OrderNo, 30)
	require.NoError(t, s.record(ctx, req))
	ipsrv.Fault(ips.OpWithholdingRecharge, ipstest.Held)
	answer, err := client.WithholdingRecharge(ctx, req)
	require.NoError(t, err)
	require.Equal(t, ips.Pending, answer.Outcome)
	require.NoError(t, hear(ctx, answer))
	state := func() (state ips.OrderState, credited int64) {
		require.NoError(t, db.QueryRow("SELECT state, credited FROM orders WHERE number = ?", req.OrderNo).Scan(&state, &credited))
		return state, credited
	}
	got, credited := state()
	assert.Equal(t, ips.OrderPending, got)
	assert.Zero(t, credited)

	ipsrv.Release(ips.OpWithholdingRecharge)
	ipsrv.WaitNotification(ips.OpWithholdingRecharge, req.OrderNo)
	for range 3 {
		ipsrv.Resend(ips.OpWithholdingRecharge, req.OrderNo)
		ipsrv.WaitIdle()
	}
	require.NoError(t, hear(ctx, answer), "the pending answer once more")
	got, credited = state()
	assert.Equal(t, ips.OrderDone, got)
	assert.Equal(t, int64(500_00), credited)
	assert.Equal(t, 2, count(t, db))
}
