package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Queries are the statements that run in a transaction or on their own.
type Queries struct {
	db interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
	postgres bool
}

// NewID makes an identifier for a row.
func NewID() string { return strings.ToLower(rand.Text()) }

// locking is appended to a query whose rows nobody else may change until the
// transaction ends. On SQLite nobody else can.
func (q *Queries) locking() string {
	if q.postgres {
		return " FOR UPDATE"
	}
	return ""
}

// exec runs a statement and returns the number of rows it changed.
func (q *Queries) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := q.db.ExecContext(ctx, query, plain(args)...)
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", title(query), err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", title(query), err)
	}
	return n, nil
}

// insert adds a row of n columns.
func (q *Queries) insert(ctx context.Context, table, columns string, args ...any) error {
	_, err := q.exec(ctx, "INSERT INTO "+table+" ("+columns+") VALUES ("+parameters(len(args))+")", args...)
	return err
}

func parameters(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String()
}

// change runs a statement that must change exactly one row.
func (q *Queries) change(ctx context.Context, query string, args ...any) error {
	n, err := q.exec(ctx, query, args...)
	if err == nil && n != 1 {
		err = fmt.Errorf("store: %s: changed %d rows: %w", title(query), n, ErrNotFound)
	}
	return err
}

// record is a row of a table as a struct; into lists pointers to its fields in
// the order of the columns.
type record[T any] interface {
	*T
	into() []any
}

func list[T any, R record[T]](ctx context.Context, q *Queries, query string, args ...any) ([]T, error) {
	rows, err := q.db.QueryContext(ctx, query, plain(args)...)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", title(query), err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var t T
		if err := rows.Scan(R(&t).into()...); err != nil {
			return nil, fmt.Errorf("store: %s: %w", title(query), err)
		}
		all = append(all, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: %s: %w", title(query), err)
	}
	return all, nil
}

func one[T any, R record[T]](ctx context.Context, q *Queries, query string, args ...any) (T, error) {
	var none T
	all, err := list[T, R](ctx, q, query, args...)
	switch {
	case err != nil:
		return none, err
	case len(all) != 1:
		return none, fmt.Errorf("store: %s: %d rows: %w", title(query), len(all), ErrNotFound)
	}
	return all[0], nil
}

// title is the beginning of a statement, for errors. Statements hold no values.
func title(query string) string {
	query = strings.Join(strings.Fields(query), " ")
	return query[:min(len(query), 60)]
}

// plain turns named types into what they are made of. A driver that looks for
// a String method first would store the name of an enumeration for its code.
func plain(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := reflect.ValueOf(arg); {
		case arg == nil:
		case v.Type() == reflect.TypeFor[time.Time]():
			out[i] = toMillis(arg.(time.Time))
		case v.Kind() == reflect.String:
			out[i] = v.String()
		case v.CanInt():
			out[i] = v.Int()
		default:
			out[i] = arg
		}
	}
	return out
}

// millis scans a time.
type millis struct{ t *time.Time }

// Scan implements [sql.Scanner].
func (m millis) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return errors.New("store: a time is no integer")
	}
	*m.t = time.Time{}
	if n != 0 {
		*m.t = time.UnixMilli(n)
	}
	return nil
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// optional scans a text that may be NULL, which is "" here.
type optional struct{ s *string }

// Scan implements [sql.Scanner].
func (o optional) Scan(v any) error {
	var n sql.NullString
	err := n.Scan(v)
	*o.s = n.String
	return err
}

// orNull stores "" as NULL.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
