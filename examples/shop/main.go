// Command shop is the smallest back end that keeps its orders right: members
// recharge and withdraw, on gin, MySQL (or SQLite) and the order book. Copy it and
// change it: shop.go is what it does, pages.go what members see, main.go starts it,
// and from opening.go they have their accounts.
//
//	go run ./examples/sandbox    # plays IPS at http://127.0.0.1:8480
//	go run ./examples/shop       # http://127.0.0.1:8081, staff at /staff/
//
// DATABASE_URL=mysql://user:password@tcp(127.0.0.1:3306)/shop takes MySQL instead
// of the file shop.db, STAFF_PASSWORD lets staff in, SHOP_URL is where browsers and
// IPS find the shop, and IPS_MERCHANT and the other variables of
// [ips.ConfigFromEnv] take another merchant than the published test merchant.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, stop); err != nil {
		log.Fatal("shop: ", err)
	}
}

func run(ctx context.Context, stop func()) error {
	db, dialect, err := open(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	cfg, err := config(os.Getenv)
	if err != nil {
		return err
	}
	client, err := ips.NewClient(cfg)
	if err != nil {
		return err
	}
	s, err := newShop(ctx, db, dialect, client)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: "127.0.0.1:8081", Handler: s.routes(os.Getenv("STAFF_PASSWORD")), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer stop()
		log.Print("http://", server.Addr)
		log.Print(server.ListenAndServe())
	}()
	err = s.book.Run(ctx) // until a signal, or the server's end
	ending, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(err, server.Shutdown(ending))
}

// open opens MySQL, or a file if there is no address.
func open(address string) (*sql.DB, orders.Dialect, error) {
	dsn, ok := strings.CutPrefix(address, "mysql://")
	switch {
	case address == "":
		db, err := sql.Open("sqlite", "file:shop.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
		return db, orders.SQLite, err
	case !ok:
		return nil, 0, errors.New("DATABASE_URL must be mysql://user:password@tcp(host:port)/name")
	}
	db, err := sql.Open("mysql", dsn)
	if err == nil {
		db.SetMaxOpenConns(30) // times the programs: fewer than the server allows
		db.SetConnMaxLifetime(3 * time.Minute)
	}
	return db, orders.MySQL, err
}

// config is the merchant of the environment, or the test merchant at the sandbox.
func config(getenv func(string) string) (cfg ips.Config, err error) {
	cfg = ips.TestMerchant()
	cfg.Environment = ips.Sandbox("http://127.0.0.1:8480")
	if getenv("IPS_MERCHANT") != "" {
		if cfg, err = ips.ConfigFromEnv(getenv); err != nil {
			return cfg, err
		}
	}
	at := cmp.Or(getenv("SHOP_URL"), "http://127.0.0.1:8081")
	cfg.ReturnURL, cfg.NotifyURL = at+"/ips/return", at+"/ips/notify"
	return cfg, nil
}
