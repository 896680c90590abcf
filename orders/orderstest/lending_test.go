package orderstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// The recipe of docs/lending.md, in the words of MySQL.

const lendingTables = `CREATE TABLE bid (no VARCHAR(30) NOT NULL PRIMARY KEY, order_key VARBINARY(96) NOT NULL, raised BIGINT NOT NULL, state VARCHAR(10) NOT NULL, note VARCHAR(1000) NOT NULL);
CREATE TABLE claim (order_no VARCHAR(30) NOT NULL PRIMARY KEY, bid_no VARCHAR(30) NOT NULL, account VARCHAR(30) NOT NULL, amount BIGINT NOT NULL, due BIGINT NOT NULL, state VARCHAR(10) NOT NULL)`

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

// registered is a bid as it was registered.
func registered(ctx context.Context, tx *sql.Tx, book *orders.Book, bidNo string) (ips.RegisterBidRequest, error) {
	var key string
	if err := tx.QueryRowContext(ctx, "SELECT order_key FROM bid WHERE no = ?", bidNo).Scan(&key); err != nil {
		return ips.RegisterBidRequest{}, err
	}
	o, err := book.Order(ctx, key)
	if err != nil {
		return ips.RegisterBidRequest{}, err
	}
	return o.Request.(ips.RegisterBidRequest), nil
}

// due is what a claim costs the borrower: simple interest, the rate is of a year.
func due(amount ips.Amount, bid ips.RegisterBidRequest) ips.Amount {
	return amount + amount.Times(bid.Rate*ips.Rate(bid.Term), ips.Down)/12 // one rounding: both cut off
}

// left says how many claims of a bid have a state.
func left(ctx context.Context, tx *sql.Tx, bidNo, state string) (n int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM claim WHERE bid_no = ? AND state = ?", bidNo, state).Scan(&n)
	return n, err
}

func lendingEffects(book *orders.Book) {
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RegisterBidRequest, a *ips.BidResponse) error {
		return one(tx.ExecContext(ctx, "UPDATE bid SET state = 'raising' WHERE no = ? AND state = 'new'", q.BidNo))
	})
	// The investor's money is frozen. Whoever fills the bid has it released.
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RegisterCreditorRequest, a *ips.CreditorResponse) error {
		// The first statement locks the bid, so that one of two sees it full.
		if err := one(tx.ExecContext(ctx, "UPDATE bid SET raised = raised + ? WHERE no = ? AND state = 'raising'", q.Amount, q.BidNo)); err != nil {
			return err
		}
		bid, err := registered(ctx, tx, book, q.BidNo)
		if err != nil {
			return err
		}
		if err := one(tx.ExecContext(ctx, "INSERT INTO claim (order_no, bid_no, account, amount, due, state) VALUES (?, ?, ?, ?, ?, 'frozen')",
			o.OrderNo, q.BidNo, q.Account, q.Amount, due(q.Amount, bid))); err != nil {
			return err
		}
		var raised ips.Amount
		if err := tx.QueryRowContext(ctx, "SELECT raised FROM bid WHERE no = ?", q.BidNo).Scan(&raised); err != nil || raised != bid.Amount {
			return err
		}
		return lendingRelease(ctx, tx, book, bid)
	})
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
		for _, row := range a.Done(q.Rows) {
			if err := one(tx.ExecContext(ctx, "UPDATE claim SET state = 'running' WHERE order_no = ? AND state = 'frozen'", row.OriginalOrderNo)); err != nil {
				return err
			}
		}
		if _, err := book.Carry(ctx, tx, o, a, nil); err != nil { // the others go into an order of their own
			return err
		}
		if n, err := left(ctx, tx, q.BidNo, "frozen"); err != nil || n > 0 {
			return err
		}
		return one(tx.ExecContext(ctx, "UPDATE bid SET state = 'running' WHERE no = ? AND state = 'raising'", q.BidNo))
	})
	// Rows that failed stay running, for the borrower's next repayment.
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RepayRequest, a *ips.RepayResponse) error {
		for _, row := range a.Done(q.Rows) {
			if err := one(tx.ExecContext(ctx, "UPDATE claim SET state = 'repaid' WHERE order_no = ? AND state = 'running'", row.CreditorOrderNo)); err != nil {
				return err
			}
		}
		if n, err := left(ctx, tx, q.BidNo, "running"); err != nil || n > 0 {
			return err
		}
		bid, err := registered(ctx, tx, book, q.BidNo)
		if err == nil {
			_, err = book.Record(ctx, tx, bid.End(ips.Today()))
		}
		return err
	})
	// An end while it was raising (流标) gives the investors their money back.
	orders.Done(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.EndBidRequest, a *ips.BidResponse) error {
		if _, err := tx.ExecContext(ctx, "UPDATE claim SET state = 'returned' WHERE bid_no = ? AND state = 'frozen'", q.BidNo); err != nil {
			return err
		}
		return one(tx.ExecContext(ctx, "UPDATE bid SET state = 'ended' WHERE no = ?", q.BidNo))
	})
	orders.Refused(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, refusal *ips.Error) (orders.After, error) {
		return orders.Released, one(tx.ExecContext(ctx, "UPDATE bid SET note = ? WHERE no = ?", refusal.Error(), q.BidNo))
	})
	orders.Refused(book, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.EndBidRequest, refusal *ips.Error) (orders.After, error) {
		return orders.Released, one(tx.ExecContext(ctx, "UPDATE bid SET note = ? WHERE no = ?", refusal.Error(), q.BidNo))
	})
}

func lendingRelease(ctx context.Context, tx *sql.Tx, book *orders.Book, bid ips.RegisterBidRequest) error {
	claims, err := tx.QueryContext(ctx, "SELECT order_no, amount, account FROM claim WHERE bid_no = ? AND state = 'frozen' ORDER BY order_no", bid.BidNo)
	if err != nil {
		return err
	}
	defer claims.Close()
	release := ips.TransferRequest{BidNo: bid.BidNo, Date: ips.Today(), Type: ips.TransferInvestment, Mode: ips.TransferRowByRow}
	for claims.Next() {
		row := ips.TransferRow{ToAccount: bid.Account}
		if err := claims.Scan(&row.OriginalOrderNo, &row.Amount, &row.FromAccount); err != nil {
			return err
		}
		release.Rows = append(release.Rows, row)
	}
	if err := errors.Join(claims.Err(), claims.Close()); err != nil {
		return err
	}
	for i, part := range orders.Split(release) {
		if _, err := book.Record(ctx, tx, part, orders.Click(fmt.Sprintf("release %s %d", bid.BidNo, i))); err != nil {
			return err
		}
	}
	return nil
}

// lendingRepay records the repayment of what a bid owes, to at most 300 investors.
func lendingRepay(ctx context.Context, tx *sql.Tx, book *orders.Book, bid ips.RegisterBidRequest, click string) (orders.Order, error) {
	claims, err := tx.QueryContext(ctx, "SELECT order_no, due, account FROM claim WHERE bid_no = ? AND state = 'running' ORDER BY order_no LIMIT 300 FOR UPDATE", bid.BidNo)
	if err != nil {
		return orders.Order{}, err
	}
	defer claims.Close()
	var rows []ips.RepayRow
	for claims.Next() {
		var row ips.RepayRow
		if err := claims.Scan(&row.CreditorOrderNo, &row.Amount, &row.Account); err != nil {
			return orders.Order{}, err
		}
		rows = append(rows, row)
	}
	if err := errors.Join(claims.Err(), claims.Close()); err != nil {
		return orders.Order{}, err
	}
	amount, fee := ips.RepayTotals(rows)
	// A second page gets the repayment that is under way, with ErrOpen.
	return book.Record(ctx, tx, ips.RepayRequest{BidNo: bid.BidNo, Date: ips.Today(), Account: bid.Account, Amount: amount, Fee: fee, Rows: rows},
		orders.Click(click), orders.Only("repay "+bid.BidNo))
}

// TestLending: the life of a loan with a row of its release that fails at first, and
// of one that nobody fills, on MySQL's kind.
func TestLending(t *testing.T) {
	if testing.Short() {
		t.Skip("needs MariaDB")
	}
	s := newShop(t, databases()[1])
	mux := http.NewServeMux()
	server := ipstest.NewServer(t, ipstest.WithHandler(mux))
	s.client = server.Client()
	b := s.open(s.db, nil)
	lendingEffects(b)
	in := ips.Inbound{Hear: b.Hear}
	mux.Handle("/ips/notify/", s.client.NotifyHandler(in))
	mux.Handle("/ips/return/", s.client.ReturnHandler(in, func(http.ResponseWriter, *http.Request, ips.Response, error) {}))
	for table := range strings.SplitSeq(lendingTables, ";\n") {
		_, err := s.db.Exec(table + " DEFAULT CHARSET=utf8mb4")
		require.NoError(t, err)
	}
	borrower, investor := server.Person(1000*ips.Yuan), server.Person(1000*ips.Yuan)
	carry := func(o orders.Order) {
		t.Helper()
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		server.Carry(form)
		server.WaitIdle()
		s.is(o, orders.StateDone)
	}
	open := func(no string) ips.RegisterBidRequest {
		q := bid("")
		q.BidNo, q.Amount, q.Term, q.IdentNo, q.RealName, q.Account, q.Date = no, 300*ips.Yuan, 7, borrower.IdentNo, borrower.Name, borrower.Account, server.Today()
		o := s.record(b, q)
		_, err := s.db.Exec("INSERT INTO bid VALUES (?, ?, 0, 'new', '')", no, o.Key)
		require.NoError(t, err)
		carry(o)
		return o.Request.(ips.RegisterBidRequest)
	}
	invest := func(bidNo string, amount ips.Amount) {
		carry(s.record(b, ips.RegisterCreditorRequest{Date: server.Today(), BidNo: bidNo, ContractNo: ips.NewOrderNo("C"), Amount: amount,
			IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account, Purpose: "装修"}))
	}
	until := func(bidNo, state string) {
		t.Helper()
		eventually(t, 10*time.Second, bidNo+" is "+state, func() (is bool) {
			s.advance(time.Minute)
			s.do(b)
			server.WaitIdle()
			require.NoError(t, s.db.QueryRow("SELECT state = ? FROM bid WHERE no = ?", state, bidNo).Scan(&is))
			return is
		})
	}

	first := open("BID1")
	server.Fault(ips.OpTransfer, ipstest.FailedRow(2))
	invest("BID1", 100*ips.Yuan)
	invest("BID1", 200*ips.Yuan)
	until("BID1", "running")
	server.AssertBalance(borrower.Account, 1300*ips.Yuan, 0)
	repay := func(click string) (o orders.Order, err error) {
		err = inTx(bg(), s.db, func(tx *sql.Tx) error { o, err = lendingRepay(bg(), tx, b, first, click); return err })
		return o, err
	}
	o, err := repay("page 1")
	require.NoError(t, err)
	assert.Equal(t, 321*ips.Yuan, o.Amount, "12 % for seven months")
	second, err := repay("page 2")
	require.ErrorIs(t, err, orders.ErrOpen)
	assert.Equal(t, o.Key, second.Key)
	carry(o)
	until("BID1", "ended")
	server.AssertBalance(investor.Account, 1021*ips.Yuan, 0)

	// 流标
	lost := open("BID2")
	invest("BID2", 50*ips.Yuan)
	server.AssertBalance(investor.Account, 971*ips.Yuan, 50*ips.Yuan)
	s.record(b, lost.End(ips.Today()))
	until("BID2", "ended")
	server.AssertBalance(investor.Account, 1021*ips.Yuan, 0)
	assert.Empty(t, s.matters())
}
