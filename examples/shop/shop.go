package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// The shop's own tables, beside those of the book.
var tables = []string{
	// account is the custody account, fen the money in it.
	"CREATE TABLE IF NOT EXISTS member (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(30) NOT NULL, ident_no VARCHAR(20) NOT NULL, account VARCHAR(30) NOT NULL, fen BIGINT NOT NULL)",
	// bill says which orders are whose. The book compares its keys byte by byte.
	"CREATE TABLE IF NOT EXISTS bill (order_key VARBINARY(96) NOT NULL PRIMARY KEY, member_id BIGINT NOT NULL)",
}

type shop struct {
	db     *sql.DB
	book   *orders.Book
	client *ips.Client
}

// member is a row of the table.
type member struct {
	ID                     int64
	Name, IdentNo, Account string
	Money                  ips.Amount
}

func newShop(ctx context.Context, db *sql.DB, dialect orders.Dialect, client *ips.Client, opts ...orders.Option) (*shop, error) {
	opts = append([]orders.Option{orders.Prefix("SHOP"), orders.OnError(func(err error) { log.Print(err) })}, opts...)
	book, err := orders.Open(db, dialect, orders.One(client), opts...)
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		if dialect == orders.MySQL { // whatever the server's default is
			table += " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
		}
		if _, err := db.ExecContext(ctx, table); err != nil {
			return nil, err
		}
	}
	// What a success means here. Each runs once, in the transaction in which the
	// order becomes done; a refusal changes nothing in the shop's books.
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
		return one(tx.ExecContext(ctx, "UPDATE member SET fen = fen + ? WHERE account = ?", q.Amount, q.Account))
	})
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithdrawRequest, a *ips.WithdrawResponse) error {
		return one(tx.ExecContext(ctx, "UPDATE member SET fen = fen - ? WHERE account = ?", q.Amount, q.Account))
	})
	opened(book)
	return &shop{db, book, client}, book.Migrate(ctx)
}

// one wants one row changed: an effect that changes none has lost money.
func one(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("%d rows changed instead of one", n))
	}
	return nil
}

func (s *shop) routes(staffPassword string) http.Handler {
	r := gin.New()
	r.Use(gin.Recovery())
	in := ips.Inbound{Hear: s.book.Hear, OnError: func(r *http.Request, err error) { log.Print(r.URL.Path, ": ", err) }}
	r.POST("/ips/notify/:operation", gin.WrapH(s.client.NotifyHandler(in)))
	r.Any("/ips/return/:operation", gin.WrapH(s.client.ReturnHandler(in, func(w http.ResponseWriter, r *http.Request, _ ips.Response, _ error) {
		http.Redirect(w, r, "/", http.StatusSeeOther) // which shows what the book knows
	})))
	if staffPassword != "" {
		console := s.book.Console(func(r *http.Request) (string, bool) { name, _, ok := r.BasicAuth(); return name, ok })
		r.Group("/staff", gin.BasicAuth(gin.Accounts{"staff": staffPassword})).Any("/*path", gin.WrapH(http.StripPrefix("/staff", console)))
	}
	// Other sites must not order for our members. IPS's return comes from another site.
	guard := http.NewCrossOriginProtection()
	own := r.Group("/", func(c *gin.Context) {
		if guard.Check(c.Request) != nil {
			c.AbortWithStatus(http.StatusForbidden)
		}
	})
	own.GET("/", page(s.home))
	own.POST("/open", s.order(openAccount))
	own.POST("/recharge", s.order(recharge))
	own.POST("/withdraw", s.order(withdraw))
	return r
}

// who is the member that the browser belongs to. Put your login here: this one
// knows one member.
func (s *shop) who(c *gin.Context) (m member, err error) {
	m.ID = 1
	err = s.db.QueryRowContext(c.Request.Context(), "SELECT name, ident_no, account, fen FROM member WHERE id = ?", m.ID).Scan(&m.Name, &m.IdentNo, &m.Account, &m.Money)
	if errors.Is(err, sql.ErrNoRows) { // who has no account yet
		err = nil
	}
	return m, err
}

func recharge(c *gin.Context, m member, amount ips.Amount) ips.Request {
	return ips.RechargeRequest{Date: ips.Today(), IdentNo: m.IdentNo, RealName: m.Name, Account: m.Account, Amount: amount,
		Channel: ips.RechargeEBank, BankCode: c.PostForm("bank"), FeePayer: ips.PlatformPaysFee}
}

func withdraw(_ *gin.Context, m member, amount ips.Amount) ips.Request {
	return ips.WithdrawRequest{Date: ips.Today(), IdentNo: m.IdentNo, RealName: m.Name, Account: m.Account, Amount: amount, FeePayer: ips.PlatformPaysFee}
}

// order records what a member asks for, with the shop's own row, and gives him the
// form that his browser carries to IPS. After an error nothing is recorded: the
// same click may come again.
func (s *shop) order(request func(*gin.Context, member, ips.Amount) ips.Request) gin.HandlerFunc {
	return page(func(c *gin.Context) error {
		var in struct {
			Click  string     `form:"click" binding:"required"` // without it a second click is a second order
			Amount ips.Amount `form:"amount"`                   // in yuan
		}
		if err := c.ShouldBind(&in); err != nil {
			return fmt.Errorf("%w: %w", errInput, err)
		}
		m, err := s.who(c)
		if err != nil {
			return err
		}
		o, err := s.book.Begin(c.Request.Context(), request(c, m, in.Amount), func(ctx context.Context, tx *sql.Tx, o orders.Order) error {
			return one(tx.ExecContext(ctx, "INSERT INTO bill (order_key, member_id) VALUES (?, ?)", o.Key, m.ID))
		}, orders.Click(in.Click))
		if err != nil {
			return err
		}
		if o.State != orders.StateRecorded { // a click that has come to IPS already
			c.Redirect(http.StatusSeeOther, "/")
			return nil
		}
		form, err := s.book.Form(c.Request.Context(), o)
		if err != nil {
			return err
		}
		form.ServeHTTP(c.Writer, c.Request)
		return nil
	})
}
