package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// The shop's own tables, beside those of the book.
var tables = []string{
	// account is the custody account, empty until it is open; fen is its money.
	"CREATE TABLE IF NOT EXISTS member (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(30) NOT NULL, ident_no VARCHAR(20) NOT NULL, account VARCHAR(30) NOT NULL, fen BIGINT NOT NULL)",
	// bill says which orders are whose. The book compares its keys byte by byte.
	"CREATE TABLE IF NOT EXISTS bill (order_key VARBINARY(96) NOT NULL PRIMARY KEY, member_id BIGINT NOT NULL)",
}

type shop struct {
	db     *sql.DB
	book   *orders.Book
	client *ips.Client
	// member says who the browser belongs to. Put your login here: this one knows
	// one member.
	member func(*gin.Context) int64
}

func newShop(ctx context.Context, db *sql.DB, dialect orders.Dialect, client *ips.Client, opts ...orders.Option) (*shop, error) {
	opts = append([]orders.Option{orders.Prefix("SHOP"), orders.OnError(func(err error) { log.Print(err) })}, opts...)
	book, err := orders.Open(db, dialect, orders.One(client), opts...)
	if err != nil {
		return nil, err
	}
	if err := book.Migrate(ctx); err != nil {
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
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.OpenAccountRequest, a *ips.OpenAccountResponse) error {
		if a.Account == "" { // a person said that it is open, and not where
			return errors.New("no account in the answer")
		}
		return one(tx.ExecContext(ctx, "UPDATE member SET name = ?, ident_no = ?, account = ? WHERE id = (SELECT member_id FROM bill WHERE order_key = ?)",
			q.RealName, q.IdentNo, a.Account, o.Key))
	})
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
		return one(tx.ExecContext(ctx, "UPDATE member SET fen = fen + ? WHERE account = ?", q.Amount, q.Account))
	})
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithdrawRequest, a *ips.WithdrawResponse) error {
		return one(tx.ExecContext(ctx, "UPDATE member SET fen = fen - ? WHERE account = ?", q.Amount, q.Account))
	})
	return &shop{db, book, client, func(*gin.Context) int64 { return 1 }}, nil
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
	own.GET("/", s.page(s.home))
	own.POST("/open", s.order(openAccount))
	own.POST("/recharge", s.order(recharge))
	own.POST("/withdraw", s.order(withdraw))
	return r
}

// member is a row of the table.
type member struct {
	ID                     int64
	Name, IdentNo, Account string
	Money                  ips.Amount
}

func (s *shop) who(c *gin.Context) (member, error) {
	m, ctx := member{ID: s.member(c)}, c.Request.Context()
	err := s.db.QueryRowContext(ctx, "SELECT name, ident_no, account, fen FROM member WHERE id = ?", m.ID).Scan(&m.Name, &m.IdentNo, &m.Account, &m.Money)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = s.db.ExecContext(ctx, "INSERT INTO member (id, name, ident_no, account, fen) VALUES (?, '', '', '', 0)", m.ID)
	}
	return m, err
}

func openAccount(c *gin.Context, _ member, _ ips.Amount) ips.Request {
	return ips.OpenAccountRequest{Date: ips.Today(), RealName: c.PostForm("name"), IdentNo: c.PostForm("ident"), Mobile: c.PostForm("mobile"), Email: c.PostForm("email")}
}

func recharge(c *gin.Context, m member, amount ips.Amount) ips.Request {
	return ips.RechargeRequest{Date: ips.Today(), IdentNo: m.IdentNo, RealName: m.Name, Account: m.Account, Amount: amount,
		Channel: ips.RechargeEBank, BankCode: c.PostForm("bank"), FeePayer: ips.PlatformPaysFee}
}

func withdraw(_ *gin.Context, m member, amount ips.Amount) ips.Request {
	return ips.WithdrawRequest{Date: ips.Today(), IdentNo: m.IdentNo, RealName: m.Name, Account: m.Account, Amount: amount, FeePayer: ips.PlatformPaysFee}
}

// order records what a member asks for and gives him the form that his browser
// carries to IPS.
func (s *shop) order(request func(*gin.Context, member, ips.Amount) ips.Request) gin.HandlerFunc {
	return s.page(func(c *gin.Context) error {
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
		o, err := s.record(c.Request.Context(), m, request(c, m, in.Amount), in.Click)
		if err != nil {
			return err // nothing is recorded: the same click may come again
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

// record records an order with the shop's own row: both or neither.
func (s *shop) record(ctx context.Context, m member, req ips.Request, click string) (orders.Order, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return orders.Order{}, err
	}
	defer tx.Rollback()
	o, err := s.book.Record(ctx, tx, req, orders.Click(click))
	if err != nil || !o.New {
		return o, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO bill (order_key, member_id) VALUES (?, ?)", o.Key, m.ID); err != nil {
		return o, err
	}
	return o, tx.Commit()
}

func (s *shop) home(c *gin.Context) error {
	m, err := s.who(c)
	if err != nil {
		return err
	}
	rows, err := s.db.QueryContext(c.Request.Context(), "SELECT order_key FROM bill WHERE member_id = ? ORDER BY order_key DESC LIMIT 20", m.ID)
	if err != nil {
		return err
	}
	var keys []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return errors.Join(err, rows.Close())
		}
		keys = append(keys, key)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	var list []orders.Order
	for _, key := range keys {
		o, err := s.book.Order(c.Request.Context(), key)
		if err != nil {
			return err
		}
		list = append(list, o)
	}
	s.show(c, http.StatusOK, "home", gin.H{"Member": m, "Orders": list, "Click": rand.Text()})
	return nil
}

var errInput = errors.New("bad input")

// page answers with what f shows, or says in the member's words what is wrong.
func (s *shop) page(f func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := f(c)
		if err == nil {
			return
		}
		log.Print(c.Request.URL.Path, ": ", err)
		status, text := http.StatusInternalServerError, "暂时无法办理，请返回重试"
		var invalid *ips.ValidationError
		switch {
		case errors.Is(err, errInput), errors.As(err, &invalid):
			status, text = http.StatusBadRequest, "填写有误，请返回重填"
		case errors.Is(err, orders.ErrOtherContent):
			status, text = http.StatusConflict, "这一页已经用过，请从首页重新开始"
		case errors.Is(err, orders.ErrEnded):
			status, text = http.StatusConflict, "该订单已有结果，请看首页"
		}
		s.show(c, status, "fail", gin.H{"Text": text})
	}
}

//go:embed pages.html
var pages string

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"operation": func(op ips.Operation) string { info, _ := op.Info(); return info.Chinese },
	"state": func(s orders.State) string {
		return map[orders.State]string{orders.StateRecorded: "未完成", orders.StatePending: "处理中", orders.StateDone: "成功",
			orders.StateRefused: "未成功", orders.StateClosed: "已关闭"}[s]
	},
}).Parse(pages))

func (s *shop) show(c *gin.Context, status int, name string, data gin.H) {
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Header("Cache-Control", "no-store")
	c.Status(status)
	if err := templates.ExecuteTemplate(c.Writer, name, data); err != nil {
		log.Print(err)
	}
}
