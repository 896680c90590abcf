package orderstest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/ips-p2p/ips"
)

// payment has each value type as a merchant keeps them, and what he may leave out.
type payment struct {
	ID      int64 `gorm:"primaryKey"`
	Amount  ips.Amount
	Rate    ips.Rate
	Day     ips.Date
	NoDay   ips.Date
	At      ips.Time
	NoTime  ips.Time
	Perhaps *ips.Amount
}

func somePayment() payment {
	return payment{
		ID: 1, Amount: 999_999_999_99, Rate: 12_34, Day: ips.NewDate(2014, time.December, 31),
		At: ips.Time{Time: time.Date(2014, time.December, 31, 23, 59, 58, 0, ips.China)},
	}
}

func assertPayment(t *testing.T, got payment) {
	t.Helper()
	want := somePayment()
	assert.True(t, want.At.Equal(got.At.Time), got.At.Time)
	want.At, got.At = ips.Time{}, ips.Time{}
	assert.Equal(t, want, got)
}

// TestValuesThroughPgx uses pgx's own interface, which knows more than
// database/sql and asks a value's methods in another order.
func TestValuesThroughPgx(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	_, dsn := postgres(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			cfg, err := pgx.ParseConfig(dsn)
			require.NoError(t, err)
			cfg.DefaultQueryExecMode = mode
			conn, err := pgx.ConnectConfig(t.Context(), cfg)
			require.NoError(t, err)
			defer conn.Close(bg())
			_, err = conn.Exec(t.Context(), `CREATE TEMP TABLE payment (id bigint PRIMARY KEY, amount bigint NOT NULL, rate bigint NOT NULL,
				day date, no_day date, at timestamptz, no_time timestamptz, perhaps bigint, yuan numeric(11,2), said text, part numeric(11,3))`)
			require.NoError(t, err)
			p := somePayment()
			_, err = conn.Exec(t.Context(), "INSERT INTO payment VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '500', 0.001)",
				p.ID, p.Amount, p.Rate, p.Day, p.NoDay, p.At, p.NoTime, p.Perhaps, ips.Decimal{Amount: p.Amount})
			require.NoError(t, err)
			var got payment
			var yuan ips.Decimal
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT id, amount, rate, day, no_day, at, no_time, perhaps, yuan FROM payment WHERE amount = $1 AND day = $2", p.Amount, p.Day).
				Scan(&got.ID, &got.Amount, &got.Rate, &got.Day, &got.NoDay, &got.At, &got.NoTime, &got.Perhaps, &yuan))
			assertPayment(t, got)
			assert.Equal(t, p.Amount, yuan.Amount)
			// Exactly or with an error: a text, NULL, yuan where fen belong, a part of a fen.
			for _, column := range []string{"said", "perhaps", "yuan", "part"} {
				var a ips.Amount
				assert.Error(t, conn.QueryRow(t.Context(), "SELECT "+column+" FROM payment").Scan(&a), column)
				assert.Zero(t, a, column)
			}
			assert.Error(t, conn.QueryRow(t.Context(), "SELECT part FROM payment").Scan(&yuan))
			assert.Error(t, conn.QueryRow(t.Context(), "SELECT at FROM payment").Scan(&got.Day), "whose day it is, nobody knows")
		})
	}
}

// TestValuesThroughGorm lets gorm make the table.
func TestValuesThroughGorm(t *testing.T) {
	if testing.Short() {
		t.Skip("needs MariaDB")
	}
	_, dsn := databases()[1].open(t)
	g, err := gorm.Open(gormmysql.Open(dsn+"?parseTime=true&loc=UTC"), &gorm.Config{})
	require.NoError(t, err)
	require.NoError(t, g.AutoMigrate(&payment{}))
	p := somePayment()
	require.NoError(t, g.Create(&p).Error)
	var got payment
	require.NoError(t, g.Where("amount = ? AND day = ?", p.Amount, p.Day).First(&got).Error)
	assertPayment(t, got)
	more := 7 * ips.Fen
	require.NoError(t, g.Model(&got).Updates(map[string]any{"perhaps": more, "amount": gorm.Expr("amount - ?", more)}).Error)
	require.NoError(t, g.First(&got, 1).Error)
	assert.Equal(t, &more, got.Perhaps)
	assert.Equal(t, p.Amount-more, got.Amount)
	require.Error(t, g.Create(&payment{ID: 2, Day: ips.Date{Year: 2014, Month: 2, Day: 30}}).Error, "no day of the calendar")
}
