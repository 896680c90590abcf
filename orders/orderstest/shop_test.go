package orderstest

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
	"github.com/ips-p2p/ips/orders/internal/hook"
)

// shop is a merchant: a database, his accounts in it, and programs.
type shop struct {
	t           *testing.T
	kind        database
	driver, dsn string
	db          *sql.DB
	ips         *platform
	client      *ips.Client
	book        *orders.Book
	skew        atomic.Int64 // added to the database's clock
	broken      atomic.Bool  // the effects of entries fail
}

func newShop(t *testing.T, d database) *shop {
	s := &shop{t: t, kind: d, ips: newPlatform(t)}
	s.driver, s.dsn = d.open(t)
	s.db = pool(t, s.driver, s.dsn)
	s.client = s.ips.client(t)
	_, err := s.db.Exec("CREATE TABLE account (name VARCHAR(40) NOT NULL PRIMARY KEY, fen BIGINT NOT NULL)")
	require.NoError(t, err)
	s.book = s.open(s.db, nil)
	require.NoError(t, s.book.Migrate(bg()))
	return s
}

var quick = orders.Pace{PerSecond: 10000, Poll: 5 * time.Millisecond, Grace: time.Millisecond, Call: 2 * time.Second, Lease: 4 * time.Second, Ask: time.Second}

// open is a program on the database.
func (s *shop) open(db *sql.DB, step func(string), opts ...orders.Option) *orders.Book {
	hook.Set(db, &hook.Hook{Step: step, Skew: func() time.Duration { return time.Duration(s.skew.Load()) }})
	opts = append([]orders.Option{orders.Prefix("T"), orders.WithPace(quick), orders.OnError(func(err error) { s.t.Logf("book: %v", err) })}, opts...)
	b, err := orders.Open(db, s.kind.dialect, orders.One(s.client), opts...)
	require.NoError(s.t, err)
	return b
}

func (s *shop) advance(d time.Duration) { s.skew.Add(int64(d)) }

// credit is the usual effect: it adds to an account.
func (s *shop) credit(ctx context.Context, tx *sql.Tx, account string, fen ips.Amount) error {
	text := "INSERT INTO account (name, fen) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET fen = account.fen + excluded.fen"
	if s.kind.dialect == orders.MySQL {
		text = "INSERT INTO account (name, fen) VALUES (?, ?) ON DUPLICATE KEY UPDATE fen = fen + VALUES(fen)"
	}
	_, err := tx.ExecContext(ctx, bind(s.kind.dialect, text), account, int64(fen))
	return err
}

// effects are those of most tests.
func (s *shop) effects(b *orders.Book) *orders.Book {
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
		return s.credit(ctx, tx, q.Account, q.Amount)
	})
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithholdingRechargeRequest, a *ips.WithholdingRechargeResponse) error {
		return s.credit(ctx, tx, q.Account, q.Amount)
	})
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.AutoBidRequest, a *ips.CreditorResponse) error {
		return s.credit(ctx, tx, q.Account, q.Amount)
	})
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithdrawRequest, a *ips.WithdrawResponse) error {
		return s.credit(ctx, tx, q.Account, -q.Amount)
	})
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
		for _, row := range a.Done(q.Rows) {
			if err := s.credit(ctx, tx, row.ToAccount, row.Amount); err != nil {
				return err
			}
		}
		return nil
	})
	return b
}

func (s *shop) balance(account string) ips.Amount {
	var fen int64 // a sum is a DECIMAL in MySQL
	err := s.db.QueryRow(bind(s.kind.dialect, "SELECT COALESCE(SUM(fen), 0) FROM account WHERE name = ?"), account).Scan(&fen)
	require.NoError(s.t, err)
	return ips.Amount(fen)
}

// record records in a transaction of its own.
func (s *shop) record(b *orders.Book, req ips.Request, opts ...orders.RecordOption) orders.Order {
	s.t.Helper()
	var o orders.Order
	require.NoError(s.t, inTx(bg(), s.db, func(tx *sql.Tx) (err error) {
		o, err = b.Record(bg(), tx, req, opts...)
		return err
	}))
	return o
}

func (s *shop) state(o orders.Order) orders.State {
	s.t.Helper()
	now, err := s.book.Order(bg(), o.Key)
	require.NoError(s.t, err)
	return now.State
}

func (s *shop) is(o orders.Order, want orders.State) {
	s.t.Helper()
	assert.Equal(s.t, want, s.state(o))
}

func (s *shop) matters() []orders.Matter {
	s.t.Helper()
	var all []orders.Matter
	for after := (orders.Matter{}); ; {
		page, err := s.book.Matters(bg(), after, 500)
		require.NoError(s.t, err)
		all = append(all, page...)
		if len(page) < 500 {
			return all
		}
		after = page[len(page)-1]
	}
}

// kinds are the kinds of the open matters.
func (s *shop) kinds() []string {
	var all []string
	for _, m := range s.matters() {
		all = append(all, m.Kind)
	}
	return all
}

func (s *shop) do(b *orders.Book) {
	s.t.Helper()
	require.NoError(s.t, b.Do(bg()))
}

const account = "4021000000000001"

func recharge(fen ips.Amount) ips.RechargeRequest {
	return ips.RechargeRequest{Channel: ips.RechargeEBank, BankCode: "00004", IdentNo: "110101199001010001", RealName: "张三", Account: account,
		Date: ips.Today(), Amount: fen, FeePayer: ips.PlatformPaysFee}
}

func withdraw(fen ips.Amount) ips.WithdrawRequest {
	return ips.WithdrawRequest{IdentNo: "110101199001010001", RealName: "张三", Account: account, Date: ips.Today(), Amount: fen, FeePayer: ips.PlatformPaysFee}
}

func withholding(fen ips.Amount) ips.WithholdingRechargeRequest {
	return ips.WithholdingRechargeRequest{IdentNo: "110101199001010001", RealName: "张三", Account: account, Date: ips.Today(), Amount: fen, FeePayer: ips.PlatformPaysFee}
}

func autoBid(fen ips.Amount) ips.AutoBidRequest {
	return ips.AutoBidRequest{Date: ips.Today(), BidNo: "BID1", ContractNo: "C1", AuthNo: "A1", Amount: fen, IdentNo: "110101199001010001", RealName: "张三",
		Account: account, Purpose: "装修"}
}

func release(rows int) ips.TransferRequest {
	q := ips.TransferRequest{BidNo: "BID1", Date: ips.Today(), Type: ips.TransferInvestment, Mode: ips.TransferRowByRow}
	for i := range rows {
		q.Rows = append(q.Rows, ips.TransferRow{OriginalOrderNo: fmt.Sprintf("C%03d", i), Amount: 100 * ips.Yuan,
			FromAccount: fmt.Sprintf("40210000001%05d", i), ToAccount: account})
	}
	return q
}

func bid(no string) ips.RegisterBidRequest {
	return ips.RegisterBidRequest{OrderNo: no, BidNo: "BID1", Date: ips.Today(), Amount: 500 * ips.Yuan, Rate: 1200, TermUnit: ips.TermMonths, Term: 12,
		Purpose: "装修", RepayMode: ips.RepayAnnuity, IdentNo: "110101199001010001", RealName: "李四", Account: "4021000000000002"}
}
