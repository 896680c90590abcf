package orders_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// A recharge from the user's click to his balance.
func Example() {
	var db *sql.DB         // sql.Open("mysql", dsn)
	var client *ips.Client // ips.NewClient(cfg)

	book, err := orders.Open(db, orders.MySQL, orders.One(client), orders.Prefix("W1"))
	if err != nil {
		log.Fatal(err)
	}
	if err := book.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}

	// Once, in one transaction with the order's end, whichever way the answer came.
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET fen = fen + ? WHERE ips_account = ?", int64(q.Amount), q.Account)
		return err
	})

	recharge := func(ctx context.Context, q ips.RechargeRequest, click string) (orders.Order, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return orders.Order{}, err
		}
		defer tx.Rollback()
		o, err := book.Record(ctx, tx, q, orders.Click(click))
		if err != nil {
			return orders.Order{}, err
		}
		// Your own rows go here, with the same tx.
		return o, tx.Commit()
	}

	http.HandleFunc("POST /recharge", func(w http.ResponseWriter, r *http.Request) {
		amount, err := ips.ParseAmount(r.PostFormValue("yuan"))
		if err != nil {
			http.Error(w, "金额有误", http.StatusBadRequest)
			return
		}
		o, err := recharge(r.Context(), ips.RechargeRequest{
			IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", Date: ips.Today(),
			Amount: amount, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
		}, r.PostFormValue("click"))
		if err != nil {
			http.Error(w, "暂时无法充值", http.StatusInternalServerError)
			return
		}
		form, err := book.Form(r.Context(), o)
		if err != nil {
			http.Error(w, "暂时无法充值", http.StatusInternalServerError)
			return
		}
		form.ServeHTTP(w, r)
	})
	http.Handle("POST /ips/notify/", client.NotifyHandler(ips.Inbound{Hear: book.Hear}))
	http.Handle("POST /ips/return/", client.ReturnHandler(ips.Inbound{Hear: book.Hear}, func(w http.ResponseWriter, r *http.Request, answer ips.Response, err error) {
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	}))
	go book.Run(context.Background()) // asks for what is unknown, closes what nobody carried on
}

// Many merchants in one program: their clients are loaded when they are needed,
// and exchanged when their keys are.
func ExampleClients() {
	var db *sql.DB
	merchants, err := ips.NewMerchants(func(ctx context.Context, code string) (cfg ips.Config, err error) {
		cfg.MerchantCode = code
		err = db.QueryRowContext(ctx, "SELECT notify_url FROM merchant WHERE code = ?", code).Scan(&cfg.NotifyURL)
		return cfg, err // with the keys of the key server; ips.ErrMerchant if there is no such row
	})
	if err != nil {
		log.Fatal(err)
	}
	book, err := orders.Open(db, orders.MySQL, merchants.Client)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/ips/notify/", merchants.NotifyHandler(ips.Inbound{Hear: book.Hear}))
}

// A repayment to more investors than IPS takes at once.
func ExampleSplit() {
	q := ips.AutoRepayRequest{BidNo: "B1", Date: ips.NewDate(2014, 12, 1), AuthNo: "AUT1", Account: "4021000000000001"}
	for n := range 650 {
		q.Rows = append(q.Rows, ips.RepayRow{
			CreditorOrderNo: fmt.Sprintf("C%d", n), Account: fmt.Sprintf("402100000001%04d", n), Amount: 10 * ips.Yuan, BorrowerFee: 5,
		})
	}
	for _, part := range orders.Split(q) {
		p := part.(ips.AutoRepayRequest)
		fmt.Println(len(p.Rows), "rows,", p.Amount, "and", p.Fee)
	}
	// Output:
	// 300 rows, 3000.00 and 15.00
	// 300 rows, 3000.00 and 15.00
	// 50 rows, 500.00 and 2.50
}
