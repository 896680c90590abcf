package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/gin-gonic/gin"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// Members come from here: what the shop needs beside it is a row in the table
// member for each.

func openAccount(c *gin.Context, _ member, _ ips.Amount) ips.Request {
	return ips.OpenAccountRequest{Date: ips.Today(), RealName: c.PostForm("name"), IdentNo: c.PostForm("ident"), Mobile: c.PostForm("mobile"), Email: c.PostForm("email")}
}

// opened keeps the account that IPS has opened for a member.
func opened(book *orders.Book) {
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.OpenAccountRequest, a *ips.OpenAccountResponse) error {
		if a.Account == "" { // a person said that it is open, and not where
			return errors.New("no account in the answer")
		}
		return one(tx.ExecContext(ctx, "INSERT INTO member (id, name, ident_no, account, fen) SELECT member_id, ?, ?, ?, 0 FROM bill WHERE order_key = ?",
			q.RealName, q.IdentNo, a.Account, o.Key))
	})
}
