package orders

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"strings"
)

// Dialect is the SQL that a database speaks.
type Dialect int

// The dialects. The SQL is held to what MySQL 8.0, MariaDB 10.6, PostgreSQL 13
// and SQLite 3.42 document.
const (
	MySQL      Dialect = iota + 1 // MySQL, MariaDB and Galera
	PostgreSQL                    // also behind PgBouncer in transaction mode
	SQLite
)

// String names the dialect.
func (d Dialect) String() string {
	switch d {
	case MySQL:
		return "MySQL"
	case PostgreSQL:
		return "PostgreSQL"
	case SQLite:
		return "SQLite"
	default:
		return "Dialect(" + strconv.Itoa(int(d)) + ")"
	}
}

// now is the database's clock in microseconds since 1970 UTC. An integer can
// bound a range of an index whatever the precision of a driver's times.
func (d Dialect) now() string {
	switch d {
	case MySQL:
		return "TIMESTAMPDIFF(MICROSECOND,'1970-01-01',UTC_TIMESTAMP(6))"
	case PostgreSQL:
		return "(EXTRACT(EPOCH FROM clock_timestamp())*1000000)::bigint"
	default:
		return "CAST(ROUND(unixepoch('subsec')*1000000) AS INTEGER)"
	}
}

// isolation is that of the book's own transactions, READ COMMITTED. In MySQL's
// default a claim of due orders would block the inserting of others. To say so
// costs MySQL a round trip for each transaction, unless the DSN has said it for
// all: that is asked once, since a pool's connections are alike.
func (b *Book) isolation(ctx context.Context) *sql.TxOptions {
	committed := &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	switch b.dialect {
	case SQLite:
		return nil
	case PostgreSQL:
		return committed
	}
	if is := b.isCommitted.Load(); is != nil {
		if *is {
			return nil
		}
		return committed
	}
	var name, level string // MariaDB and MySQL have different names for it
	err := b.db.QueryRowContext(ctx, "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')").Scan(&name, &level)
	is := level == "READ-COMMITTED"
	if err == nil {
		b.isCommitted.Store(&is)
	}
	if is {
		return nil
	}
	return committed
}

// Fault is what an error of the database means.
type Fault int

// The faults.
const (
	Other     Fault = iota // not of the database, or one that would come again
	Again                  // the transaction is lost and nothing of it was done: begin anew
	Duplicate              // a unique key is taken
	Gone                   // the connection is lost or there is none to be had; at a commit the fate is in doubt
)

// Classifier says what an error means. It gets errors as database/sql returns
// them, and those of effects.
type Classifier func(error) Fault

// Classify says what an error of a database means, so that other transactions can be
// done again as the book's are. It knows the usual drivers without importing them:
// go-sql-driver/mysql by the field Number, pgx and lib/pq by SQLState,
// modernc.org/sqlite and mattn/go-sqlite3 by their code. Of nil it says [Other].
func (d Dialect) Classify(err error) Fault {
	switch {
	case err == nil:
		return Other
	case errors.Is(err, errLostTx):
		return Again
	}
	fault := Other
	switch d {
	case MySQL:
		fault = mysqlFault(mysqlNumber(err))
	case PostgreSQL:
		var state interface{ SQLState() string }
		if errors.As(err, &state) {
			fault = postgresFault(state.SQLState())
		} else if strings.Contains(err.Error(), "commit unexpectedly resulted in rollback") {
			fault = Again
		}
	case SQLite:
		fault = sqliteFault(sqliteCode(err))
	}
	if fault != Other {
		return fault
	}
	var network net.Error
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) ||
		strings.HasSuffix(err.Error(), "invalid connection") || strings.HasSuffix(err.Error(), "conn closed") {
		return Gone
	}
	return Other
}

// mysqlNumber finds the number of a *mysql.MySQLError, which has no method for it.
func mysqlNumber(err error) int {
	for e := err; e != nil; e = errors.Unwrap(e) {
		v := reflect.ValueOf(e)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			continue
		}
		if n := v.FieldByName("Number"); n.IsValid() && n.CanUint() {
			return int(n.Uint())
		}
	}
	_, rest, found := strings.Cut(err.Error(), "Error ") // through errors.Join and the like
	digits, _, _ := strings.Cut(rest, " (")
	if n, err := strconv.Atoi(digits); found && err == nil {
		return n
	}
	return 0
}

func mysqlFault(number int) Fault {
	switch number {
	case 1213, 1205, 3572, 1020, 1305, 1412, 1615: // deadlock, lock wait, NOWAIT, snapshot, savepoint gone, table changed
		return Again
	case 1062:
		return Duplicate
	case 1040, 1226, 1047, 1180, 1053, 1290, 1836, 2006, 2013: // too many, not ready, going down, read only
		return Gone
	}
	return Other
}

func postgresFault(state string) Fault {
	switch state {
	case "40001", "40P01", "55P03", "25P02", "0A000": // serialization, deadlock, NOWAIT, aborted, plan changed
		return Again
	case "23505":
		return Duplicate
	case "53300", "57P01", "57P02", "57P03", "25006":
		return Gone
	}
	if strings.HasPrefix(state, "08") {
		return Gone
	}
	return Other
}

// sqliteCode finds the result code of modernc's Code() or mattn's ExtendedCode.
func sqliteCode(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if v := reflect.Indirect(reflect.ValueOf(e)); v.Kind() == reflect.Struct {
			if n := v.FieldByName("ExtendedCode"); n.IsValid() && n.CanInt() {
				return int(n.Int())
			}
		}
	}
	return 0
}

func sqliteFault(code int) Fault {
	switch {
	case code == 2067, code == 1555: // UNIQUE, PRIMARY KEY
		return Duplicate
	case code&0xff == 5, code&0xff == 6: // BUSY, BUSY_SNAPSHOT, LOCKED
		return Again
	}
	return Other
}

// explain adds what to do about an error that a wrong setting makes.
func (d Dialect) explain(err error) error {
	var state interface{ SQLState() string }
	if d == PostgreSQL && errors.As(err, &state) && (state.SQLState() == "42P05" || state.SQLState() == "26000") {
		return fmt.Errorf("%w (behind PgBouncer in transaction mode pgx needs default_query_exec_mode=exec)", err)
	}
	return err
}

// query writes a statement for the dialect: ? are the parameters, {now} the
// clock, {lock}, {nowait} and {share} the ends of locking reads. What it has
// written it keeps: a text must hold nothing that changes with each call.
func (b *Book) query(text string) string {
	if b.hook != nil && b.hook.Skew != nil {
		return b.dialect.write(text, fmt.Sprintf("(%s+%d)", b.dialect.now(), b.hook.Skew().Microseconds()))
	}
	written, ok := b.queries.Load(text)
	if !ok {
		written, _ = b.queries.LoadOrStore(text, b.dialect.write(text, b.dialect.now()))
	}
	return written.(string)
}

func (d Dialect) write(text, now string) string {
	lock, nowait, share := " FOR UPDATE", " FOR UPDATE NOWAIT", " FOR SHARE"
	switch d {
	case MySQL:
		share = " LOCK IN SHARE MODE" // MariaDB has no other
	case SQLite:
		lock, nowait, share = "", "", ""
	}
	text = strings.NewReplacer("{now}", now, "{lock}", lock, "{nowait}", nowait, "{share}", share).Replace(text)
	if d != PostgreSQL {
		return text
	}
	var out strings.Builder
	n := 0
	for _, c := range text {
		if c == '?' {
			n++
			out.WriteString("$" + strconv.Itoa(n))
			continue
		}
		out.WriteRune(c)
	}
	return out.String()
}
