package orderstest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// The recipes of docs/orders.md. What stands there is cut out of here and of
// examples/shop; TestOrdersDocument of the module's root holds them together.

func recipeOpen(ctx context.Context, db *sql.DB, dialect orders.Dialect, client *ips.Client, key []byte, onError func(error)) (*orders.Book, error) {
	block, err := aes.NewCipher(key) // 32 bytes out of your KMS or a private file
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return orders.Open(db, dialect, orders.One(client),
		orders.Prefix("W1"), orders.Encrypt(seal), orders.OnError(onError))
}

// recipeRelease pays a bid out.
func recipeRelease(ctx context.Context, book *orders.Book, db *sql.DB, req ips.TransferRequest, bidNo string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var parts []orders.Order
	for i, part := range orders.Split(req) { // one, unless there are more than 3000 rows
		// Once for a bid, whoever asks for it again.
		o, err := book.Record(ctx, tx, part, orders.Click(fmt.Sprintf("release %s %d", bidNo, i)))
		if err != nil {
			return err
		}
		parts = append(parts, o)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, o := range parts {
		if _, err := book.Send(ctx, o); err != nil { // Run sends what this cannot
			return err
		}
	}
	return nil
}

// recipeEffects are those of a batch and of a reservation.
func recipeEffects(book *orders.Book, addTo, reserve func(context.Context, *sql.Tx, string, ips.Amount) error, held func(context.Context, *sql.Tx, string, string) error) {
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
		for _, row := range a.Done(q.Rows) {
			if err := addTo(ctx, tx, row.ToAccount, row.Amount); err != nil {
				return err
			}
		}
		_, err := book.Carry(ctx, tx, o, a, func(failed ips.Request) ips.Request { // in an order of their own, sent after the commit
			again := failed.(ips.TransferRequest)
			again.Date = ips.Today()
			return again
		})
		return err
	})
	orders.Refused(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, refusal *ips.Error) (orders.After, error) {
		return orders.Released, held(ctx, tx, q.BidNo, refusal.Error())
	})
	orders.Refused(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.EndBidRequest, refusal *ips.Error) (orders.After, error) {
		return orders.Released, held(ctx, tx, q.BidNo, refusal.Error())
	})
	orders.Refused(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithdrawRequest, refusal *ips.Error) (orders.After, error) {
		return orders.Released, reserve(ctx, tx, q.Account, -q.Amount)
	})
	orders.Closed(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithdrawRequest) (orders.After, error) {
		return orders.Released, reserve(ctx, tx, q.Account, -q.Amount)
	})
}

// recipeAlert tells staff what they must decide.
func recipeAlert(ctx context.Context, book *orders.Book, alert func(text, order string)) error {
	for after := (orders.Matter{}); ; {
		page, err := book.Matters(ctx, after, 100)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, m := range page {
			alert(m.Chinese, m.Order.OrderNo)
		}
		after = page[len(page)-1]
	}
}

// recipeRetire moves old orders to a table of the merchant's own.
func recipeRetire(ctx context.Context, book *orders.Book, before time.Time, insert string) (int, error) {
	return book.Retire(ctx, before, func(ctx context.Context, tx *sql.Tx, leaving []orders.Leaving) error {
		for _, l := range leaving {
			request, err := ips.MarshalRequest(l.Order.Request) // has personal data: seal it, or keep less
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, insert, l.Order.Key, string(request)); err != nil {
				return err
			}
		}
		return nil
	})
}

// recipeCompare is a night's comparison, which goes on where the last one died.
func recipeCompare(ctx context.Context, book *orders.Book, books orders.Books, file io.Writer, load func() (string, error), save func(string) error) error {
	after, err := load()
	if err != nil {
		return err
	}
	out := csv.NewWriter(file)
	for c, err := range book.Compare(ctx, books, after) {
		if err != nil {
			return err
		}
		if c.Differs() {
			_ = out.Write(c.Record())
			if out.Flush(); out.Error() != nil {
				return out.Error()
			}
		}
		if err := save(c.Account); err != nil {
			return err
		}
	}
	return save("")
}

func recipeGorm(ctx context.Context, g *gorm.DB, book *orders.Book, req ips.Request, token string, mine any) (o orders.Order, err error) {
	err = g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(mine).Error; err != nil {
			return err
		}
		o, err = book.Record(ctx, tx.Statement.ConnPool.(orders.Tx), req, orders.Click(token))
		return err
	})
	return o, err
}

func recipeGormEffect(g *gorm.DB, book *orders.Book) {
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) error {
		session := g.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, Context: ctx})
		session.Statement.ConnPool = tx
		return session.Model(&gormAccount{}).Where("name = ?", q.Account).
			Update("fen", gorm.Expr("fen + ?", q.Amount)).Error
	})
}

func recipePgx(pool *pgxpool.Pool, client *ips.Client) (*sql.DB, *orders.Book, error) {
	db := stdlib.OpenDBFromPool(pool) // the same connections, for database/sql
	book, err := orders.Open(db, orders.PostgreSQL, orders.One(client), orders.Prefix("W1"))
	return db, book, err
}

// TestRecipes runs them on each database.
func TestRecipes(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b, err := recipeOpen(bg(), s.db, s.kind.dialect, s.client, []byte("0123456789abcdef0123456789abcdef"), func(err error) { t.Log(err) })
		require.NoError(t, err)
		reserved := ips.Amount(0)
		var stopped []string
		recipeEffects(b, s.credit, func(_ context.Context, _ *sql.Tx, account string, amount ips.Amount) error {
			reserved += amount
			return nil
		}, func(_ context.Context, _ *sql.Tx, bidNo, _ string) error {
			stopped = append(stopped, bidNo)
			return nil
		})

		// A release of two rows, the second of which fails the first time, asked for twice.
		s.ips.failRow = map[string]int{}
		req := release(2)
		req.OrderNo = "RELEASE1"
		s.ips.failRow[req.OrderNo] = 1
		require.NoError(t, recipeRelease(bg(), b, s.db, req, "BID1"))
		require.NoError(t, recipeRelease(bg(), b, s.db, req, "BID1"))
		eventually(t, 5*time.Second, "the failed row is carried", func() bool {
			s.do(b)
			return s.balance(account) == 200*ips.Yuan
		})
		all, err := b.OpenOrders(bg(), orders.Order{}, 10)
		require.NoError(t, err)
		assert.Empty(t, all)

		// A release that is refused as a whole, once, says so in the bid.
		s.ips.fates = func(string, string, int) fate { return refused }
		again := release(2)
		again.OrderNo = "RELEASE2"
		require.NoError(t, recipeRelease(bg(), b, s.db, again, "BID2"))
		require.NoError(t, recipeRelease(bg(), b, s.db, again, "BID2"))
		assert.Equal(t, []string{"BID1"}, stopped, "the bid of the request")
		assert.Empty(t, s.matters())

		// Its reservation is given back when it is refused.
		reserved = 5 * ips.Yuan
		s.ips.fates = func(string, string, int) fate { return refused }
		o := s.record(b, withdraw(5*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, 200, post(s.client, b.Hear, ips.OpWithdraw, s.ips.carry(form)))
		assert.Zero(t, reserved)

		// A contradiction is before the staff, and on the console.
		s.ips.fates = func(string, string, int) fate { return fine }
		late := s.record(b, recharge(7*ips.Yuan))
		form, err = b.Form(bg(), late)
		require.NoError(t, err)
		s.ips.carry(form)
		post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(late.OrderNo, "7.00", "8.00"))
		var said []string
		require.NoError(t, recipeAlert(bg(), b, func(text, order string) { said = append(said, text, order) }))
		assert.Equal(t, []string{"答复与请求不符", late.OrderNo}, said)
		console := http.StripPrefix("/staff", b.Console(func(r *http.Request) (string, bool) {
			name, _, ok := r.BasicAuth()
			return name, ok
		}))
		r := httptest.NewRequest("GET", "/staff/", nil)
		w := httptest.NewRecorder()
		console.ServeHTTP(w, r)
		assert.Equal(t, http.StatusForbidden, w.Code)
		r.SetBasicAuth("王五", "x")
		w = httptest.NewRecorder()
		console.ServeHTTP(w, r)
		assert.Contains(t, w.Body.String(), late.OrderNo)

		// What was touched since a failover is asked for and not sent.
		held := s.record(b, autoBid(3*ips.Yuan))
		n, err := b.Distrust(bg(), time.Now().Add(-time.Hour))
		require.NoError(t, err)
		assert.NotZero(t, n)
		held, err = b.Order(bg(), held.Key)
		require.NoError(t, err)
		assert.Equal(t, orders.StateUnknown, held.State)

		// What ended long ago moves out.
		_, err = s.db.Exec("CREATE TABLE archive (order_key VARCHAR(96) NOT NULL PRIMARY KEY, request VARCHAR(4000) NOT NULL)")
		require.NoError(t, err)
		s.advance(400 * 24 * time.Hour)
		n2, err := recipeRetire(bg(), b, time.Now().Add(time.Hour), bind(s.kind.dialect, "INSERT INTO archive (order_key, request) VALUES (?, ?)"))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, n2, 2)
		var kept string
		require.NoError(t, s.db.QueryRow(bind(s.kind.dialect, "SELECT request FROM archive WHERE order_key = ?"), o.Key).Scan(&kept))
		assert.True(t, json.Valid([]byte(kept)))
	})
}

// A page that has lost its token must not make a second order of a second click.
func TestEmptyClick(t *testing.T) {
	s := newShop(t, databases()[0])
	err := inTx(bg(), s.db, func(tx *sql.Tx) error {
		_, err := s.book.Record(bg(), tx, recharge(ips.Yuan), orders.Click(""))
		return err
	})
	require.ErrorContains(t, err, "token is empty")
}

// TestRecipeCompare: it goes on where it died.
func TestRecipeCompare(t *testing.T) {
	s := newShop(t, databases()[0])
	server := ipstest.NewServer(t)
	s.client = server.Client()
	b := s.open(s.db, nil)
	for range 2 {
		server.Person(0) // 4021000000000001 and 4021000000000002
	}
	books := orders.Books{
		Accounts: func(_ context.Context, after string) ([]string, error) {
			return map[string][]string{"": {"4021000000000001", "4021000000000002"}, "4021000000000001": {"4021000000000002"}}[after], nil
		},
		Holding: func(context.Context, string) (orders.Holding, error) { return orders.Holding{}, nil },
	}
	kept, file := "", new(strings.Builder)
	load, save := func() (string, error) { return kept, nil }, func(account string) error { kept = account; return nil }
	err := recipeCompare(bg(), b, books, file, load, func(account string) error {
		_ = save(account)
		return context.Canceled // the machine dies
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "4021000000000001", kept)
	require.NoError(t, recipeCompare(bg(), b, books, file, load, save))
	assert.Empty(t, kept, "from the beginning the next night")
}

func TestRecipesOfOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs MariaDB and PostgreSQL")
	}
	t.Run("gorm", func(t *testing.T) {
		s := newShop(t, databases()[1])
		g, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: s.db}), &gorm.Config{})
		require.NoError(t, err)
		recipeGormEffect(g, s.book)
		o, err := recipeGorm(bg(), g, s.book, autoBid(10*ips.Yuan), "token", &gormAccount{Name: account})
		require.NoError(t, err)
		o, err = s.book.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		assert.Equal(t, 10*ips.Yuan, s.balance(account))
	})
	t.Run("pgx", func(t *testing.T) {
		s := newShop(t, databases()[2])
		pool, err := pgxpool.New(bg(), s.dsn)
		require.NoError(t, err)
		defer pool.Close()
		db, b, err := recipePgx(pool, s.client)
		require.NoError(t, err)
		defer db.Close()
		s.effects(b)
		var o orders.Order
		require.NoError(t, inTx(bg(), db, func(tx *sql.Tx) (err error) {
			o, err = b.Record(bg(), tx, autoBid(10*ips.Yuan))
			return err
		}))
		o, err = b.Send(bg(), o)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
		var fen int64
		require.NoError(t, pool.QueryRow(bg(), "SELECT fen FROM account WHERE name = $1", account).Scan(&fen))
		assert.EqualValues(t, 1000, fen)
	})
}
