package orderstest

import (
	"context"
	"database/sql"
	"net/http"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// A loan against the sandbox: recharges, bids, their release with a row that
// fails and is carried, a withdrawal and the end of the bid, with answers and
// notices that are lost, doubled, forged and changed. In the end the merchant's
// books are the sandbox's to the fen.
func TestSandboxLoan(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		mux := http.NewServeMux()
		server := ipstest.NewServer(t, ipstest.WithHandler(mux))
		cfg := server.Config()
		cfg.Environment.TradeQuery = ips.TradeQueryAtQuery
		client, err := ips.NewClient(cfg)
		require.NoError(t, err)
		s.client = client
		db := pool(t, s.driver, s.dsn)
		b := s.open(db, nil)
		in := ips.Inbound{Hear: b.Hear}
		mux.Handle("/ips/notify/", client.NotifyHandler(in))
		mux.Handle("/ips/return/", client.ReturnHandler(in, func(http.ResponseWriter, *http.Request, ips.Response, error) {}))

		borrower, investor := server.Person(0), server.Person(0)
		var carried []orders.Order
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.RechargeRequest, a *ips.RechargeResponse) error {
			return s.credit(ctx, tx, q.Account, q.Amount)
		})
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.WithdrawRequest, a *ips.WithdrawResponse) error {
			return s.credit(ctx, tx, q.Account, -q.Amount)
		})
		orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q ips.TransferRequest, a *ips.TransferResponse) error {
			for i := range a.Rows {
				if a.Rows[i].Status == ips.RowDone {
					if err := s.credit(ctx, tx, a.Rows[i].FromAccount, -a.Rows[i].Amount); err != nil {
						return err
					}
					if err := s.credit(ctx, tx, a.Rows[i].ToAccount, a.Rows[i].Amount); err != nil {
						return err
					}
				}
			}
			next, err := b.Carry(ctx, tx, o, a, nil)
			if next.Key != "" {
				carried = append(carried, next)
			}
			return err
		})
		carry := func(req ips.Request, fault ipstest.Fault) orders.Order {
			t.Helper()
			o := s.record(b, req)
			form, err := b.Form(bg(), o)
			require.NoError(t, err)
			if fault != (ipstest.Fault{}) {
				server.Fault(ips.OperationOf(req), fault)
			}
			server.Carry(form)
			server.WaitIdle()
			return o
		}
		for _, fault := range []ipstest.Fault{{}, ipstest.NoticeLost, ipstest.NoticeTwice, ipstest.NoticeForged, ipstest.NoticeForeign, ipstest.NoticeAmountChanged} {
			q := recharge(300 * ips.Yuan)
			q.Account, q.IdentNo, q.RealName = investor.Account, investor.IdentNo, investor.Name
			q.Date = server.Today()
			s.is(carry(q, fault), orders.StateDone)
		}
		assert.LessOrEqual(t, len(s.matters()), 1, "the changed amount")

		loan := bid("")
		loan.Amount, loan.IdentNo, loan.RealName, loan.Account, loan.Date = 1500*ips.Yuan, borrower.IdentNo, borrower.Name, borrower.Account, server.Today()
		registered := carry(loan, ipstest.Fault{})
		s.is(registered, orders.StateDone)
		transfer := ips.TransferRequest{BidNo: loan.BidNo, Date: server.Today(), Type: ips.TransferInvestment, Mode: ips.TransferRowByRow}
		for range 3 {
			claim := carry(ips.RegisterCreditorRequest{Date: server.Today(), BidNo: loan.BidNo, ContractNo: ips.NewOrderNo("C"), Amount: 500 * ips.Yuan,
				IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account, Purpose: "装修"}, ipstest.Fault{})
			s.is(claim, orders.StateDone)
			transfer.Rows = append(transfer.Rows, ips.TransferRow{OriginalOrderNo: claim.OrderNo, Amount: 500 * ips.Yuan, FromAccount: investor.Account, ToAccount: borrower.Account})
		}
		server.Fault(ips.OpTransfer, ipstest.FailedRow(2))
		server.Fault(ips.OpTransfer, ipstest.ConnectionBroken) // the answer is lost
		release, err := b.Send(bg(), s.record(b, transfer))
		require.NoError(t, err)
		server.WaitIdle()
		eventually(t, 5*time.Second, "the notification tells of the rows", func() bool { return s.state(release) == orders.StateDone })
		require.Len(t, carried, 1)
		eventually(t, 5*time.Second, "the failed row is released", func() bool {
			s.advance(time.Minute)
			_ = b.Do(bg())
			server.WaitIdle()
			return s.state(carried[0]) == orders.StateDone
		})
		out := withdraw(400 * ips.Yuan)
		out.IdentNo, out.RealName, out.Account, out.Date = borrower.IdentNo, borrower.Name, borrower.Account, server.Today()
		s.is(carry(out, ipstest.Fault{}), orders.StateDone)
		for _, account := range []string{borrower.Account, investor.Account} {
			available, frozen := server.Balance(account)
			assert.Equal(t, available+frozen, s.balance(account), path.Base(account))
		}
	})
}
