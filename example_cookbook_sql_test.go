package ips_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// uniqueColumn is as much of a database as the cookbook's Once needs: a table
// with one unique column, and transactions. It prints every other statement
// when it is committed.
type uniqueColumn struct {
	mu   sync.Mutex // held by the transaction that is open
	keys map[string]bool
}

func (u *uniqueColumn) Connect(context.Context) (driver.Conn, error) {
	return &uniqueConn{table: u}, nil
}
func (u *uniqueColumn) Driver() driver.Driver { return nil }

type uniqueConn struct {
	table *uniqueColumn
	keys  []string // inserted by the open transaction
	said  []string // what else it did
}

func (c *uniqueConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not needed") }
func (c *uniqueConn) Close() error                        { return nil }

func (c *uniqueConn) Begin() (driver.Tx, error) {
	c.table.mu.Lock()
	return c, nil
}

func (c *uniqueConn) Commit() error {
	if c.table.keys == nil {
		c.table.keys = map[string]bool{}
	}
	for _, key := range c.keys {
		c.table.keys[key] = true
	}
	for _, said := range c.said {
		fmt.Println(said)
	}
	return c.Rollback()
}

func (c *uniqueConn) Rollback() error {
	c.keys, c.said = nil, nil
	c.table.mu.Unlock()
	return nil
}

func (c *uniqueConn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !strings.HasPrefix(query, "INSERT INTO ips_answers") {
		for _, a := range args {
			query = strings.ReplaceAll(query, fmt.Sprintf("$%d", a.Ordinal), fmt.Sprint(a.Value))
		}
		c.said = append(c.said, query)
		return driver.RowsAffected(1), nil
	}
	key := args[0].Value.(string)
	if c.table.keys[key] {
		return driver.RowsAffected(0), nil
	}
	c.keys = append(c.keys, key)
	return driver.RowsAffected(1), nil
}
