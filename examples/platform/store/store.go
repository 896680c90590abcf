// Package store keeps what the platform must not forget, in PostgreSQL or in
// an embedded SQLite. Both run the same SQL; what differs is how a transaction
// keeps others out: rows are locked on PostgreSQL, and on SQLite a transaction
// that writes has the database to itself.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// Store is the database. It is safe for concurrent use, also by several
// programs at once. Its own queries see what is committed; what belongs
// together goes into [Store.Tx].
type Store struct {
	Queries
	db *sql.DB
}

// Tx is a transaction.
type Tx struct{ Queries }

// Open connects to the database and brings its tables up to date. The address
// is a URL of PostgreSQL (postgres://…) or the path of a SQLite file.
func Open(ctx context.Context, address string) (*Store, error) {
	db, postgres, err := connect(address)
	if err != nil {
		return nil, err
	}
	s := &Store{Queries: Queries{db: db, postgres: postgres}, db: db}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), db.Close())
	}
	return s, nil
}

func connect(address string) (db *sql.DB, postgres bool, err error) {
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		cfg, err := pgx.ParseConfig(address)
		if err != nil {
			// The parser's own text could show parts of the address.
			return nil, false, errors.New("store: the database address is no PostgreSQL URL")
		}
		db = stdlib.OpenDB(*cfg)
		db.SetMaxOpenConns(32)
		db.SetMaxIdleConns(32)
		return db, true, nil
	}
	path := (&url.URL{Path: address}).EscapedPath()
	db, err = sql.Open("sqlite", "file:"+path+"?_txlock=immediate"+
		"&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	if err != nil {
		return nil, false, fmt.Errorf("store: %w", err)
	}
	db.SetMaxOpenConns(16)
	return db, false, nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// migrate may run in several programs at once: PostgreSQL's advisory lock, or
// SQLite's own, lets one of them do it.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, s.db, files, options...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

const (
	maxTries = 10
	firstGap = 5 * time.Millisecond
)

// Tx runs fn in a transaction and commits if it returns nil. A transaction
// that lost against another one is run again, so fn must do nothing that a
// rollback does not undo.
func (s *Store) Tx(ctx context.Context, fn func(*Tx) error) error {
	gap := firstGap
	for try := 1; ; try++ {
		err := s.tx(ctx, fn)
		if err == nil || try == maxTries || !lostRace(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(gap/2 + rand.N(gap)):
		}
		gap *= 2
	}
}

func (s *Store) tx(ctx context.Context, fn func(*Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit; undoes a panic's work
	if err := fn(&Tx{Queries{db: tx, postgres: s.postgres}}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: commit: %w", err)
	}
	return nil
}

// lostRace reports whether the database gave way to another transaction.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01" // serialization failure, deadlock
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && (lite.Code()&0xff == sqlite3.SQLITE_BUSY || lite.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// Conflict reports whether err says that a row is there already.
func Conflict(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) &&
		(lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
