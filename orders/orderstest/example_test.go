package orderstest

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// A recharge, from the click to the balance, whose answers are all lost: the book
// asks for it.
func Example() {
	deaf := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}) // takes everything and hears nothing
	ipsrv := ipstest.Start(ipstest.WithHandler(deaf))
	defer ipsrv.Close()
	p := ipsrv.Person(0)
	dir, err := os.MkdirTemp("", "book")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	if _, err := db.Exec("CREATE TABLE account (ips_account TEXT PRIMARY KEY, fen INTEGER NOT NULL)"); err != nil {
		log.Fatal(err)
	}
	book, err := orders.Open(db, orders.SQLite, orders.One(ipsrv.Client()), orders.WithPace(orders.Pace{AskForm: 1}))
	if err != nil {
		log.Fatal(err)
	}
	if err := book.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO account (ips_account, fen) VALUES (?, ?) ON CONFLICT (ips_account) DO UPDATE SET fen = fen + excluded.fen",
			q.Account, int64(q.Amount))
		return err
	})

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	o, err := book.Record(ctx, tx, ips.RechargeRequest{
		IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, Date: ipsrv.Today(),
		Amount: 300 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.UserPaysFee,
	}, orders.Click("c1"))
	if err != nil {
		log.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		log.Fatal(err)
	}
	form, err := book.Form(ctx, o)
	if err != nil {
		log.Fatal(err)
	}
	ipsrv.Carry(form)
	if err := book.Do(ctx); err != nil {
		log.Fatal(err)
	}

	o, err = book.Order(ctx, o.Key)
	if err != nil {
		log.Fatal(err)
	}
	var fen int64
	if err := db.QueryRow("SELECT fen FROM account").Scan(&fen); err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.State, ips.Amount(fen))
	// Output: done 300.00
}
