// Package hook is where the tests of package orders stop a program between two
// steps and move the database's clock.
package hook

import (
	"database/sql"
	"sync"
	"time"
)

// Hook belongs to all books that are opened on one pool.
type Hook struct {
	// Step is called between two steps of an operation; it kills the program by a
	// panic.
	Step func(step string)
	// Skew is added to the database's clock.
	Skew func() time.Duration
}

var hooks sync.Map // *sql.DB to *Hook

// Set gives a pool its hook. It counts for books that are opened later.
func Set(db *sql.DB, h *Hook) { hooks.Store(db, h) }

// Of is the pool's hook, nil if it has none.
func Of(db *sql.DB) *Hook {
	h, _ := hooks.Load(db)
	hook, _ := h.(*Hook)
	return hook
}
