package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/ips-p2p/ips/orders"
)

// Data is the platform's database, beside whose tables the order book has its
// own. It may belong to several programs at once.
type Data struct {
	*sql.DB
	dialect orders.Dialect
}

// errNotFound says that there is no such row.
var errNotFound = errors.New("not found")

// openData connects to the database that a URL names, mysql://… or postgres://…,
// or to the SQLite file of that path, and brings the platform's tables up to date.
func openData(ctx context.Context, address string) (*Data, error) {
	d, err := connect(address)
	if err != nil {
		return nil, err
	}
	err = d.migrate(ctx)
	for n := 0; n < 100 && err != nil && d.dialect == orders.SQLite && strings.Contains(err.Error(), "SQLITE_BUSY"); n++ {
		time.Sleep(50 * time.Millisecond) // programs that make a file at once do not wait for each other by themselves
		err = d.migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migrate: %w", err), d.Close())
	}
	return d, nil
}

func connect(address string) (*Data, error) {
	scheme, _, _ := strings.Cut(address, "://")
	d := &Data{dialect: orders.SQLite}
	// The errors of the parsers could show parts of the address.
	switch scheme {
	case "postgres", "postgresql":
		cfg, err := pgx.ParseConfig(address)
		if err != nil {
			return nil, errors.New("the database address is no PostgreSQL URL")
		}
		d.DB, d.dialect = stdlib.OpenDB(*cfg), orders.PostgreSQL
	case "mysql":
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || len(u.Path) < 2 {
			return nil, errors.New("the database address is no URL like mysql://user:password@host:3306/name")
		}
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr, cfg.DBName, cfg.User = "tcp", u.Host, u.Path[1:], u.User.Username()
		cfg.Passwd, _ = u.User.Password()
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, errors.New("the database address is no MySQL URL")
		}
		d.DB, d.dialect = sql.OpenDB(connector), orders.MySQL
	default:
		// Nobody but the owner may read it. What SQLite puts beside it gets the same mode.
		file, err := os.OpenFile(address, os.O_RDWR|os.O_CREATE, 0o600)
		if err == nil {
			err = errors.Join(file.Chmod(0o600), file.Close())
		}
		if err == nil {
			d.DB, err = sql.Open("sqlite", "file:"+(&url.URL{Path: address}).EscapedPath()+"?_txlock=immediate"+
				"&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
		}
		if err != nil {
			return nil, err
		}
	}
	d.SetMaxOpenConns(32)
	d.SetMaxIdleConns(32)
	return d, nil
}

// migrate adds what the database lacks of the tables of model.go: tables, columns,
// indexes. It takes nothing away, and may run in several programs at once.
func (d *Data) migrate(ctx context.Context) error {
	conn, err := d.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	lock, unlock, options, unless := "BEGIN IMMEDIATE", "COMMIT", "", " IF NOT EXISTS"
	switch d.dialect {
	case orders.PostgreSQL:
		lock, unlock = "SELECT pg_advisory_lock(808801)", "SELECT pg_advisory_unlock(808801)"
	case orders.MySQL:
		lock, unlock = "SELECT GET_LOCK('platform', 60)", "SELECT RELEASE_LOCK('platform')"
		options, unless = " DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", ""
	}
	w := &work{ctx: ctx, on: conn, dialect: d.dialect}
	w.exec(lock)
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), unlock) }()
	all := slices.Clone(indexes)
	for _, t := range tables {
		name, columns, keys := tableOf(reflect.TypeOf(t))
		definitions, ends := make([]string, len(columns)), ", PRIMARY KEY ("+strings.Join(columns[:keys], ", ")+")"
		for i, column := range columns {
			field := reflect.TypeOf(t).Field(i)
			definitions[i] = column + " BIGINT NOT NULL DEFAULT 0"
			if field.Type.Kind() == reflect.String {
				definitions[i] = column + " VARCHAR(" + cmp.Or(field.Tag.Get("size"), "100") + ") NOT NULL DEFAULT ''"
			}
			if of := field.Tag.Get("of"); of != "" {
				ends += ", FOREIGN KEY (" + column + ") REFERENCES " + of
				all = append(all, name+" ("+column+")")
			}
		}
		w.exec("CREATE TABLE IF NOT EXISTS " + name + " (" + strings.Join(definitions, ", ") + ends + ")" + options)
		for i, column := range columns {
			if _, err := conn.ExecContext(ctx, "SELECT "+column+" FROM "+name+" WHERE 1 = 0"); err != nil {
				w.exec("ALTER TABLE " + name + " ADD COLUMN " + definitions[i])
			}
		}
	}
	for _, index := range all {
		of, unique := strings.CutPrefix(index, "UNIQUE ")
		name := strings.NewReplacer(" (", "_", ", ", "_", ")", "").Replace(of)
		w.exec(map[bool]string{true: "CREATE UNIQUE INDEX", false: "CREATE INDEX"}[unique] + unless + " " + name + " ON " + of)
		var there *mysql.MySQLError // MySQL does not know IF NOT EXISTS of indexes
		if errors.As(w.err, &there) && there.Number == 1061 {
			w.err = nil
		}
	}
	return w.err
}

// work is a piece of work with the database. Its first error stays, and whatever
// it is asked for after that does nothing: so its steps can be written one after
// the other, and whoever runs it looks at the error at the end.
type work struct {
	ctx     context.Context
	on      orders.Tx
	dialect orders.Dialect
	err     error
}

// read is work that sees what is committed.
func (d *Data) read(ctx context.Context) *work { return &work{ctx: ctx, on: d.DB, dialect: d.dialect} }

// tx does work in a transaction and commits it if there was no error. One that
// lost against another transaction, or found a row that another has just added,
// is done again, so f must do nothing that a rollback does not undo.
func (d *Data) tx(ctx context.Context, f func(*work)) error {
	for try := 1; ; try++ {
		err := d.once(ctx, f)
		if fault := d.dialect.Classify(err); try == 8 || fault != orders.Again && fault != orders.Duplicate {
			return err
		}
		time.Sleep(time.Duration(try*try) * 3 * time.Millisecond)
	}
}

func (d *Data) once(ctx context.Context, f func(*work)) error {
	options := &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	if d.dialect == orders.SQLite {
		options = nil
	}
	tx, err := d.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	w := &work{ctx: ctx, on: tx, dialect: d.dialect}
	if f(w); w.err != nil {
		return w.err
	}
	return tx.Commit()
}

// fail keeps the first error.
func (w *work) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// want fails with what the user is told, unless something holds.
func (w *work) want(ok bool, format string, args ...any) {
	if !ok {
		w.fail(complain(format, args...))
	}
}

// bind writes a statement as the dialect wants it.
func (w *work) bind(text string) string {
	if w.dialect == orders.PostgreSQL {
		for n := 1; strings.Contains(text, "?"); n++ {
			text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
		}
	}
	return text
}

// exec runs a statement and returns how many rows it has changed.
func (w *work) exec(text string, args ...any) (n int64) {
	if w.err != nil {
		return 0
	}
	result, err := w.on.ExecContext(w.ctx, w.bind(text), args...)
	if err == nil {
		n, err = result.RowsAffected()
	}
	if err != nil {
		w.fail(fmt.Errorf("%.60s: %w", text, err))
	}
	return n
}

// rows reads structs whose fields are the columns of a query, in their order.
func rows[T any](w *work, query string, args ...any) (all []T) {
	if w.err != nil {
		return nil
	}
	found, err := w.on.QueryContext(w.ctx, w.bind(query), args...)
	if err == nil {
		defer found.Close()
		for err == nil && found.Next() {
			var t T
			err = found.Scan(fields(&t)...)
			all = append(all, t)
		}
		err = cmp.Or(err, found.Err())
	}
	if err != nil {
		w.fail(fmt.Errorf("%.60s: %w", query, err))
		return nil
	}
	return all
}

// fields are those of a struct as the database has them, of an embedded one first.
func fields(t any) (all []any) {
	v := reflect.ValueOf(t).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			all = append(all, fields(v.Field(i).Addr().Interface())...)
		} else {
			all = append(all, column{v.Field(i)})
		}
	}
	return all
}

// count is the number that a query says.
func (w *work) count(query string, args ...any) int {
	type number struct{ N int64 }
	for _, n := range rows[number](w, query, args...) {
		return int(n.N)
	}
	return 0
}

// tableOf is how the database names the rows of a type and their columns, of which
// the first are the key: Sale is sales, BidNo bid_no.
func tableOf(t reflect.Type) (name string, columns []string, keys int) {
	for i := range t.NumField() {
		var column []rune
		for j, r := range t.Field(i).Name {
			if j > 0 && unicode.IsUpper(r) && unicode.IsLower(rune(t.Field(i).Name[j-1])) {
				column = append(column, '_')
			}
			column = append(column, unicode.ToLower(r))
		}
		columns = append(columns, string(column))
		if t.Field(i).Tag.Get("key") != "" {
			keys++
		}
	}
	return strings.ToLower(t.Name()) + "s", columns, keys
}

// list reads the rows of T's table that a condition picks.
func list[T any](w *work, where string, args ...any) []T {
	name, _, _ := tableOf(reflect.TypeFor[T]())
	return rows[T](w, "SELECT "+columnsOf[T]("")+" FROM "+name+" WHERE "+where, args...)
}

// columnsOf are the columns of a type, behind the name of their table.
func columnsOf[T any](of string) string {
	_, columns, _ := tableOf(reflect.TypeFor[T]())
	return of + strings.Join(columns, ", "+of)
}

// maybe is the row that a condition picks, if there is one.
func maybe[T any](w *work, where string, args ...any) (t T, ok bool) {
	all := list[T](w, where, args...)
	if len(all) == 0 {
		return t, false
	}
	return all[0], true
}

// find is the one row that a condition picks.
func find[T any](w *work, where string, args ...any) T {
	t, ok := maybe[T](w, where, args...)
	if !ok {
		w.fail(fmt.Errorf("%T where %s: %w", t, where, errNotFound))
	}
	return t
}

// add adds a row.
func add[T any](w *work, t T) {
	name, columns, _ := tableOf(reflect.TypeFor[T]())
	w.exec("INSERT INTO "+name+" ("+strings.Join(columns, ", ")+") VALUES (?"+strings.Repeat(", ?", len(columns)-1)+")", fields(&t)...)
}

// set writes a row that is there.
func set[T any](w *work, t T) {
	name, columns, keys := tableOf(reflect.TypeFor[T]())
	values := fields(&t)
	w.exec("UPDATE "+name+" SET "+strings.Join(columns[keys:], " = ?, ")+" = ? WHERE "+strings.Join(columns[:keys], " = ? AND ")+" = ?", append(values[keys:], values[:keys]...)...)
}

// lock finds a loan and keeps others from changing it, and with it, by
// convention, all that hangs on it: shares, plans, sales, guarantees.
func (w *work) lock(bidNo string) Loan {
	if w.dialect == orders.SQLite { // where a transaction has the database to itself
		return find[Loan](w, "bid_no = ?", bidNo)
	}
	return find[Loan](w, "bid_no = ? FOR UPDATE", bidNo)
}

// column is a field as a plain text or integer: a driver that looks for a String
// method first would store the name of an enumeration for its code.
type column struct{ v reflect.Value }

// Value implements [driver.Valuer].
func (c column) Value() (driver.Value, error) {
	switch v := c.v.Interface().(type) {
	case bool:
		return map[bool]int64{true: 1}[v], nil
	case time.Time:
		if v.IsZero() {
			return int64(0), nil
		}
		return v.UnixMicro(), nil
	}
	if c.v.Kind() == reflect.String {
		return c.v.String(), nil
	}
	return c.v.Int(), nil
}

// Scan implements [sql.Scanner].
func (c column) Scan(src any) error {
	if c.v.Kind() == reflect.String {
		var s sql.NullString
		err := s.Scan(src)
		c.v.SetString(s.String)
		return err
	}
	var n sql.NullInt64
	if err := n.Scan(src); err != nil {
		return err
	}
	switch c.v.Kind() {
	case reflect.Bool:
		c.v.SetBool(n.Int64 != 0)
	case reflect.Struct:
		if n.Int64 != 0 {
			c.v.Set(reflect.ValueOf(time.UnixMicro(n.Int64)))
		}
	default:
		c.v.SetInt(n.Int64)
	}
	return nil
}

// newID makes an identifier for a row.
func newID() string { return strings.ToLower(rand.Text()) }
