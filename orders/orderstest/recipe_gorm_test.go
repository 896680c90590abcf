package orderstest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

type gormAccount struct {
	Name string `gorm:"primaryKey;size:40"`
	Fen  int64
}

func (gormAccount) TableName() string { return "account" }

// The recipe for gorm: Record in its transaction, and an effect that writes with
// it, with prepared statements and without.
func TestRecipeGorm(t *testing.T) {
	if testing.Short() {
		t.Skip("needs MariaDB")
	}
	for _, prepare := range []bool{false, true} {
		s := newShop(t, databases()[1])
		g, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: s.db}), &gorm.Config{PrepareStmt: prepare})
		require.NoError(t, err)
		b := s.book
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) error {
			session := g.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, Context: ctx})
			session.Statement.ConnPool = tx
			if err := session.Model(&gormAccount{}).Where("name = ?", q.Account).Update("fen", gorm.Expr("fen + ?", int64(q.Amount))).Error; err != nil {
				return err
			}
			if q.Amount == 7*ips.Yuan {
				return gorm.ErrInvalidData
			}
			return nil
		})
		var o orders.Order
		require.NoError(t, g.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&gormAccount{Name: account}).Error; err != nil {
				return err
			}
			o, err = b.Record(bg(), tx.Statement.ConnPool.(orders.Tx), autoBid(10*ips.Yuan))
			return err
		}))
		o, err = b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		// What the effect wrote is gone with the book's transaction.
		_, err = b.Send(bg(), s.record(b, autoBid(7*ips.Yuan)))
		require.ErrorIs(t, err, gorm.ErrInvalidData)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
		_ = g.Transaction(func(tx *gorm.DB) error {
			o, err = b.Record(bg(), tx.Statement.ConnPool.(orders.Tx), autoBid(10*ips.Yuan))
			require.NoError(t, err)
			return gorm.ErrInvalidData
		})
		_, err = b.Send(bg(), o)
		require.ErrorIs(t, err, orders.ErrUnrecorded)
	}
}
