/*
Package orders keeps a merchant's orders at IPS in the merchant's own database,
on database/sql and without a driver of its own. It is what stands between
"the user clicked" and "his balance changed": the order table, the question
whether an answer is heard for the first time, the sending after the commit, the
asking for what is unknown.

	book, err := orders.Open(db, orders.MySQL, orders.One(client))

	// What the success of a recharge means, in one transaction with it, once.
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET fen = fen + ? WHERE ips_account = ?", int64(q.Amount), q.Account)
		return err
	})

	// The click: recorded, with your own rows if there are any, then shown.
	o, err := book.Begin(ctx, ips.RechargeRequest{…}, nil, orders.Click(token))
	form, err := book.Form(ctx, o)
	form.ServeHTTP(w, r) // in gin: form.ServeHTTP(c.Writer, c.Request)

	// The answers, and what is due.
	http.Handle("POST /ips/notify/", client.NotifyHandler(ips.Inbound{Hear: book.Hear}))
	go book.Run(ctx)

# What it promises

  - An order is recorded before it is sent, in one transaction with the caller's rows.
  - Its outcome and its effect are one transaction, once, whichever way says it
    first. Copies change nothing.
  - A fate that is unknown is settled by the notification, by a trade query as far
    as that carries, or by a person ([Book.Matters]); never by guessing and never
    by balances.
  - An effect may record further orders in its transaction; they are sent after
    the commit.
  - A form that nobody carried on is closed by rule. What the server sent never is.
  - Nothing is sent by two at once. Any program may die anywhere.

Nothing counts before Commit has returned nil, yours included: send and show
nothing before.

# States

	recorded ──▶ sending ──▶ unknown ──▶ done      (carried out, with its effect)
	    │            │          │  ▲  ──▶ refused   (by IPS)
	    │            └──▶ pending ─┘      rowsdue   (a batch is done, its rows are awaited)
	    └── form handed out ──────────▶ closed     (nobody carried it on)

A success after a refusal or a closing is late: it runs Done all the same, marked
[Order] Late, if there is no Refused or Closed effect or that returned [Kept];
after [Released], which is the zero value, it is a matter for a person.

# Databases

The book has tables of its own, whose names begin with ips_: [Schema] gives them
to goose, Flyway or gorm, [Book.Migrate] makes them. Keys are compared byte by
byte and begin with merchant code and operation; times are microseconds since
1970 UTC by the database's clock; amounts are fen. The book's own transactions
are READ COMMITTED. Personal data is sealed with [Encrypt].

Tested on MariaDB 10.11, PostgreSQL 15 and SQLite; the SQL is held to what MySQL
8.0, MariaDB 10.6 and PostgreSQL 13 document.

gorm: give Record the connection of a transaction, and effects a session on
theirs:

	gormDB.Transaction(func(tx *gorm.DB) error {
		o, err = book.Record(ctx, tx.Statement.ConnPool.(orders.Tx), req)
		…
	})
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, …) error {
		g := gormDB.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, Context: ctx})
		g.Statement.ConnPool = tx
		return g.Model(&Account{}).…Error
	})

pgx: a pgx.Tx cannot become a *sql.Tx; open the pool for both with
stdlib.OpenDBFromPool, and begin the transactions that Record takes part in there.

# Errors in transactions

After an error of the database a transaction is worth nothing, whatever it says:
MySQL ends it at a deadlock and carries out what follows at once and for good.
So the book rolls back and begins anew after every such error, of its own
statements and of an effect's, and an effect must return those of tx. It finds an
effect out that swallowed one, and records nothing then; what the effect did after
the deadlock is in the database all the same, and happens again.
*/
package orders
