// Package recharge is the back end of docs/first-hour.md: a recharge, from the
// user's click to his balance.
package recharge

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

type Site struct {
	Book   *orders.Book
	Client *ips.Client
}

func New(ctx context.Context, db *sql.DB, client *ips.Client) (*Site, error) {
	book, err := orders.Open(db, orders.SQLite, orders.One(client), orders.Prefix("W1"))
	if err != nil {
		return nil, err
	}
	if err := book.Migrate(ctx); err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, fen BIGINT NOT NULL)"); err != nil {
		return nil, err
	}
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO account VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET fen = fen + excluded.fen", q.Account, q.Amount)
		return err
	})
	return &Site{book, client}, nil
}

func (s *Site) Routes() http.Handler {
	in := ips.Inbound{Hear: s.Book.Hear}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /recharge", s.recharge)
	mux.Handle("/ips/notify/", s.Client.NotifyHandler(in))
	mux.Handle("/ips/return/", s.Client.ReturnHandler(in, func(w http.ResponseWriter, r *http.Request, _ ips.Response, _ error) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}))
	return mux
}

func (s *Site) recharge(w http.ResponseWriter, r *http.Request) {
	amount, err := ips.ParseAmount(r.PostFormValue("amount"))
	if err != nil {
		http.Error(w, "金额有误", http.StatusBadRequest)
		return
	}
	o, err := s.Book.Begin(r.Context(), ips.RechargeRequest{
		Date: ips.Today(), RealName: "张三", IdentNo: "110101199001010001", Account: "4021000000000001", // of your session
		Amount: amount, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
	}, nil, orders.Click(r.PostFormValue("click"))) // your own rows go into nil's place, and are written with the order
	if err != nil {
		http.Error(w, "暂时无法充值", http.StatusInternalServerError)
		return
	}
	form, err := s.Book.Form(r.Context(), o)
	if err != nil {
		http.Error(w, "暂时无法充值", http.StatusInternalServerError)
		return
	}
	form.ServeHTTP(w, r)
}
