// Package mysql is an [ips.Once] for MySQL and MariaDB, to copy: a table with one
// column and a transaction around what the handler writes.
package mysql

import (
	"context"
	"database/sql"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/ips-p2p/ips"
)

// Schema is the table of answers that were heard. The column compares bytes, since
// order numbers that differ in their letters' size only are two orders; 80 bytes
// hold every key, and in strict mode, which is the default, nothing longer is cut.
// Rows stay for ever: IPS may say the same again after years, and a person may have
// it say so.
const Schema = `CREATE TABLE ips_answers (
	answer_key VARBINARY(80) NOT NULL PRIMARY KEY,
	heard      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB`

// Once keeps the keys of answers in the table of [Schema].
type Once struct{ DB *sql.DB }

type txKey struct{}

// Tx is the transaction in which a handler writes, and nothing but writes: a call
// of IPS out of it could move money of which a rollback then knows nothing.
func Tx(ctx context.Context) *sql.Tx { return ctx.Value(txKey{}).(*sql.Tx) }

// Do makes the answer's key and all that the handler writes one transaction.
func (o Once) Do(ctx context.Context, key ips.AnswerKey, fn func(context.Context) error) error {
	tx, err := o.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	_, err = tx.ExecContext(ctx, "INSERT INTO ips_answers (answer_key) VALUES (?)", key.String())
	if refused := new(mysql.MySQLError); errors.As(err, &refused) && refused.Number == 1062 {
		return nil // a copy: it was handled before
	}
	if err != nil {
		return err // any other error, a deadlock for one: not acknowledged, IPS comes again
	}
	if err := fn(context.WithValue(ctx, txKey{}, tx)); err != nil {
		return err
	}
	return tx.Commit()
}
