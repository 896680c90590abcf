package orderstest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// What each step of an order costs: statements that a driver is given, begin and
// commit among them, and round trips to the server.
func TestStatements(t *testing.T) {
	type cost struct{ statements, trips int64 }
	// The effect's own statement is among those of hear and send. On MySQL the book
	// looks behind an effect whether its transaction is still there. Where the DSN does
	// not say READ COMMITTED it takes a round trip more for each transaction.
	want := map[string]map[string]cost{
		"SQLite":     {"record": {3, 0}, "form": {6, 0}, "hear": {7, 0}, "copy": {1, 0}, "send": {12, 0}},
		"MariaDB":    {"record": {3, 3}, "form": {6, 6}, "hear": {8, 8}, "copy": {1, 1}, "send": {13, 13}},
		"PostgreSQL": {"record": {3, 3}, "form": {6, 6}, "hear": {7, 7}, "copy": {1, 1}, "send": {12, 12}},
	}
	for _, d := range databases() {
		if want[d.name] == nil || testing.Short() && d.dialect != orders.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			c := new(counted)
			s := newShop(t, c.on(d))
			db := sql.OpenDB(c)
			t.Cleanup(func() { _ = db.Close() })
			db.SetMaxOpenConns(1)
			b := s.effects(s.open(db, nil))
			require.NoError(t, db.Ping())
			costs := make(map[string]cost)
			measure := func(what string, f func()) {
				c.statements.Store(0)
				c.trips.Store(0)
				f()
				costs[what] = cost{c.statements.Load(), c.trips.Load()}
			}
			record := func(req ips.Request) (o orders.Order) {
				require.NoError(t, inTx(bg(), db, func(tx *sql.Tx) (err error) {
					o, err = b.Record(bg(), tx, req, orders.Hold())
					return err
				}))
				return o
			}
			for range 2 { // the first time pgx prepares what it then has
				var o, sent orders.Order
				measure("record", func() { o = record(recharge(100 * ips.Yuan)) })
				measure("form", func() {
					_, err := b.Form(bg(), o)
					require.NoError(t, err)
				})
				answer := &ips.RechargeResponse{Account: account, Amount: 100 * ips.Yuan}
				*answer.Base() = ips.Reply{MerchantCode: o.Merchant, Operation: o.Operation, OrderNo: o.OrderNo, Code: "MG00000F", Outcome: ips.Success, Via: ips.ServerToServer}
				measure("hear", func() { require.NoError(t, b.Hear(bg(), answer)) })
				measure("copy", func() { require.NoError(t, b.Hear(bg(), answer)) })
				sent = record(withholding(100 * ips.Yuan))
				measure("send", func() {
					_, err := b.Send(bg(), sent)
					require.NoError(t, err)
				})
				s.is(o, orders.StateDone)
				s.is(sent, orders.StateDone)
			}
			assert.Equal(t, want[d.name], costs)
		})
	}
}

// Effects run READ COMMITTED, whether the pool says so or the book.
func TestEffectsAreReadCommitted(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		if s.kind.dialect == orders.SQLite {
			t.Skip("has no such level")
		}
		ask, dsns := "SELECT trx_isolation_level FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID()", []string{s.dsn}
		if s.kind.dialect == orders.PostgreSQL {
			ask = "SELECT current_setting('transaction_isolation')"
		} else {
			dsns = append(dsns, s.dsn+"?tx_isolation='READ-COMMITTED'")
		}
		for _, dsn := range dsns {
			b := s.open(pool(t, s.driver, dsn), nil)
			var level string
			orders.Done(b, func(ctx context.Context, tx *sql.Tx, _ orders.Order, _ ips.WithholdingRechargeRequest, _ *ips.WithholdingRechargeResponse) error {
				time.Sleep(150 * time.Millisecond) // what MariaDB says of transactions may be so old
				return tx.QueryRowContext(ctx, ask).Scan(&level)
			})
			_, err := b.Send(bg(), s.record(b, withholding(ips.Yuan)))
			require.NoError(t, err)
			assert.Equal(t, "READ COMMITTED", strings.ToUpper(level))
		}
	})
}

// counted is a driver that counts what it is given, and what its connections say.
type counted struct {
	driver.Connector
	statements, trips atomic.Int64
	hear              func(query string, args []driver.NamedValue) // nil: nobody
	before            func(query string)                           // the same, of begin, commit and rollback too
	failed            func(error)                                  // nil: nobody hears what the database refuses
}

func (c *counted) count(query string, args []driver.NamedValue) {
	c.statements.Add(1)
	if c.hear != nil {
		c.hear(query, args)
	}
	c.about(query)
}

func (c *counted) about(query string) {
	if c.before != nil {
		c.before(query)
	}
}

func (c *counted) said(err error) {
	if err != nil && c.failed != nil {
		c.failed(err)
	}
}

// on is the database, through connections that are counted.
func (c *counted) on(d database) database {
	open := d.open
	d.open = func(t testing.TB) (string, string) {
		name, dsn := open(t)
		c.connect(t, name, dsn)
		return name, dsn
	}
	return d
}

func (c *counted) connect(t testing.TB, name, dsn string) {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &countedWire{Conn: conn, trips: &c.trips}, err
	}
	switch name {
	case "mysql":
		config, err := mysql.ParseDSN(dsn + "?interpolateParams=true&tx_isolation='READ-COMMITTED'")
		require.NoError(t, err)
		config.DialFunc = dial
		c.Connector, err = mysql.NewConnector(config)
		require.NoError(t, err)
	case "pgx":
		config, err := pgx.ParseConfig(dsn)
		require.NoError(t, err)
		config.DialFunc = dial
		c.Connector = stdlib.GetConnector(*config)
	default:
		db, err := sql.Open(name, dsn)
		require.NoError(t, err)
		defer db.Close()
		c.Connector = named{db.Driver(), dsn}
	}
}

// named is a driver that has no connector of its own.
type named struct {
	driver driver.Driver
	dsn    string
}

func (n named) Connect(context.Context) (driver.Conn, error) { return n.driver.Open(n.dsn) }
func (n named) Driver() driver.Driver                        { return n.driver }

func (c *counted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &countedConn{conn, c}, err
}

// countedWire counts a reading that comes behind a writing.
type countedWire struct {
	net.Conn
	trips *atomic.Int64
	wrote atomic.Bool
}

func (w *countedWire) Write(p []byte) (int, error) {
	w.wrote.Store(true)
	return w.Conn.Write(p)
}

func (w *countedWire) Read(p []byte) (int, error) {
	if w.wrote.CompareAndSwap(true, false) {
		w.trips.Add(1)
	}
	return w.Conn.Read(p)
}

// countedConn passes on what the three drivers can do.
type countedConn struct {
	driver.Conn
	c *counted
}

func (c *countedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.c.count(query, args)
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	c.c.said(err)
	return result, err
}

func (c *countedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.c.count(query, args)
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
	c.c.said(err)
	return rows, err
}

func (c *countedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.c.statements.Add(1)
	c.c.about("BEGIN")
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return countedTx{tx, c.c}, err
}

func (c *countedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type countedTx struct {
	driver.Tx
	c *counted
}

func (t countedTx) Commit() error {
	t.c.statements.Add(1)
	t.c.about("COMMIT")
	return t.Tx.Commit()
}

func (t countedTx) Rollback() error {
	err := t.Tx.Rollback()
	t.c.about("ROLLBACK")
	return err
}
