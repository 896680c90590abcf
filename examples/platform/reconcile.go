package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// Report is what a round of the reconciler came to.
type Report struct {
	Looked  int           // open orders that were looked at
	Settled int           // of them, those whose outcome is known now
	Open    []store.Order // of them, those that it could not settle; Note says why
}

// The reasons why an order stays open, for the admin's page.
const (
	noteUnknown   = "已重发同一报文，仍未得到可信答复"
	notePending   = "IPS 受理中，等待最终结果"
	noteUser      = "等待用户在 IPS 页面确认；用户可在“我的订单”继续办理"
	noteSilent    = "余额查询看不出结果，只能等待通知或由用户继续办理"
	noteRivals    = "同一账户另有未决订单，余额查询无法区分"
	noteUntouched = "IPS 账户余额未变动，订单尚未执行；用户可继续办理"
	noteDiffers   = "IPS 余额与账目相差的金额不是本订单的金额，需人工核对"
	noteUntrusted = "余额查询的签名未通过验证，不作为依据"
	noteTooNew    = "订单刚刚另有进展"
)

// Reconcile works through up to limit orders that have been open and untouched
// for at least age. What the platform calls itself, it calls again with the
// very same message; only a success or a pending answer to that settles it. What only the
// user's browser can carry, it cannot repeat: there it looks at the balances.
//
// Any number of programs may do this at once.
func (o *Orders) Reconcile(ctx context.Context, age time.Duration, limit int) (Report, error) {
	open, err := o.store.OpenOrders(ctx, o.now(), age, limit)
	if err != nil {
		return Report{}, err
	}
	report := Report{Looked: len(open)}
	for _, order := range open {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		note, err := o.lookInto(ctx, order)
		if err != nil {
			return report, err
		}
		if order, err = o.store.Order(ctx, order.OrderKey); err != nil {
			return report, err
		}
		if order.State.Final() {
			report.Settled++
			continue
		}
		order.Note = note
		report.Open = append(report.Open, order)
		if err := o.store.SetNote(ctx, order.OrderKey, note); err != nil {
			return report, err
		}
	}
	return report, o.resumeSales(ctx)
}

// lookInto tries to find out how an order ended, and says what it found if
// that is not enough. Its error is the database's; that IPS does not answer is
// what it is here for.
func (o *Orders) lookInto(ctx context.Context, order store.Order) (note string, err error) {
	act, err := actOf(order.Operation)
	if err != nil {
		return "", err
	}
	if !act.called() {
		return o.lookAtBalances(ctx, act, order)
	}
	switch err := o.Send(ctx, order); {
	case errors.Is(err, ips.ErrFateUnknown):
		return noteUnknown, nil
	case err != nil:
		// It did not reach IPS, or the database failed: either way the order
		// is where it was, and the next round finds it.
		o.log.Warn("order is not settled", "operation", order.Operation, "order", order.OrderNo, "err", err)
		return noteUnknown, nil
	}
	return notePending, nil
}

// lookAtBalances settles an order that moved money if the balances at IPS
// leave no other explanation: they differ from the platform's books by exactly
// what this order moves, and no other open order moves the same accounts.
func (o *Orders) lookAtBalances(ctx context.Context, act act, order store.Order) (note string, err error) {
	if _, err := o.store.Try(ctx, order.OrderKey, order.Attempts, o.now()); err != nil {
		return "", err
	}
	assumed, err := act.assumed(order.Request)
	switch {
	case err != nil:
		return "", err
	case assumed == nil:
		return noteUser, nil
	}
	*assumed.Base() = ips.Reply{
		Operation: order.Operation, MerchantCode: o.client.MerchantCode(), OrderNo: order.OrderNo,
		Code: ips.CodeQuerySuccess, Outcome: ips.Success, Message: "余额核对",
	}
	moves, err := o.rehearse(ctx, order, assumed)
	switch {
	case err != nil:
		return "", err
	case len(moves) == 0:
		return noteSilent, nil
	}
	// Should the books move while IPS is asked, the comparison is worth nothing.
	lines, err := linesOf(ctx, &o.store.Queries, moves)
	if err != nil {
		return "", err
	}
	seen, note := o.ask(ctx, moves)
	if note != "" {
		return note, nil
	}
	o.passing(afterLook)
	return o.settleByBalance(ctx, order, assumed, look{moves, seen, lines})
}

// errRehearsal rolls a rehearsal back.
var errRehearsal = errors.New("rehearsal")

// rehearse finds out what an order's success moves on people's accounts: it
// lets it happen in a transaction that is never committed.
func (o *Orders) rehearse(ctx context.Context, order store.Order, assumed ips.Response) ([]store.Balance, error) {
	var moves []store.Balance
	err := o.store.Tx(ctx, func(tx *store.Tx) error {
		locked, err := tx.LockOrder(ctx, order.OrderKey)
		if err != nil || locked.State.Final() {
			return err
		}
		locked.State = ips.OrderDone
		if err := o.act(ctx, tx, locked, assumed); err != nil {
			return err
		}
		lines, err := tx.OrderPostings(ctx, order.OrderKey)
		if err != nil {
			return err
		}
		moves = o.sumByAccount(lines)
		return errRehearsal
	})
	if errors.Is(err, errRehearsal) || errors.Is(err, ips.ErrContradiction) {
		err = nil
	}
	return moves, err
}

// sumByAccount leaves the platform's own account out, which everybody's orders
// move all the time.
func (o *Orders) sumByAccount(lines []store.Posting) []store.Balance {
	var sums []store.Balance
	place := make(map[string]int)
	for _, line := range lines {
		if line.Account == o.client.MerchantCode() {
			continue
		}
		i, ok := place[line.Account]
		if !ok {
			i = len(sums)
			place[line.Account] = i
			sums = append(sums, store.Balance{Account: line.Account})
		}
		sums[i].Available += line.Available
		sums[i].Frozen += line.Frozen
	}
	return sums
}

// ask queries the balances of the accounts that an order would move.
func (o *Orders) ask(ctx context.Context, moves []store.Balance) (seen []store.Balance, note string) {
	for _, move := range moves {
		resp, err := o.client.QueryBalance(ctx, move.Account)
		switch {
		case err != nil:
			return nil, noteUnknown
		case !resp.Signature.Verified():
			return nil, noteUntrusted
		case resp.Unsettled != 0:
			return nil, notePending
		}
		seen = append(seen, store.Balance{Account: move.Account, Available: resp.Available, Frozen: resp.Frozen})
	}
	return seen, ""
}

// look is what a look at the balances has shown.
type look struct {
	moves []store.Balance // what the order would move
	seen  []store.Balance // what IPS says those accounts have
	lines []int           // lines in the books about them before IPS was asked
}

// linesOf counts the lines in the books about accounts. Lines are only ever
// added, so as long as the count stands, the books stand.
func linesOf(ctx context.Context, q *store.Queries, moves []store.Balance) ([]int, error) {
	var lines []int
	for _, move := range moves {
		n, err := q.Lines(ctx, move.Account)
		if err != nil {
			return nil, err
		}
		lines = append(lines, n)
	}
	return lines, nil
}

// settleByBalance compares what was seen with the books as they are now, and
// settles the order in the same transaction.
func (o *Orders) settleByBalance(ctx context.Context, order store.Order, assumed ips.Response, l look) (note string, err error) {
	base := assumed.Base()
	key, _ := base.Key()
	note = noteTooNew
	err = o.store.Do(ctx, key, func(ctx context.Context) error {
		tx := store.FromContext(ctx)
		if note, err = o.explains(ctx, tx, order, l); err != nil {
			return err
		}
		if note != "" {
			return errRehearsal
		}
		facts, err := o.settle(ctx, tx, assumed, "balance query")
		if err != nil {
			return err
		}
		return tx.Describe(ctx, key, base.Message, "balance query", facts)
	})
	if errors.Is(err, errRehearsal) || errors.Is(err, ips.ErrContradiction) {
		err = nil
	}
	if err == nil && note == "" {
		err = o.afterwards(ctx, order.OrderKey)
	}
	return note, err
}

// explains says why the balances do not prove that an order was carried out,
// or nothing if they do.
func (o *Orders) explains(ctx context.Context, tx *store.Tx, order store.Order, l look) (note string, err error) {
	locked, err := tx.LockOrder(ctx, order.OrderKey)
	if err != nil || locked.State.Final() {
		return noteTooNew, err
	}
	rivals, err := tx.Rivals(ctx, order.OrderKey)
	if err != nil {
		return "", err
	}
	untouched, moved := true, true
	for i, now := range l.seen {
		books, err := tx.Balance(ctx, now.Account)
		if err != nil {
			return "", err
		}
		available, frozen := now.Available-books.Available, now.Frozen-books.Frozen
		untouched = untouched && available == 0 && frozen == 0
		moved = moved && available == l.moves[i].Available && frozen == l.moves[i].Frozen
	}
	// Counted last, so that it holds for all that was read before.
	lines, err := linesOf(ctx, &tx.Queries, l.moves)
	switch {
	case err != nil:
		return "", err
	case !slices.Equal(lines, l.lines):
		return noteTooNew, nil
	case untouched:
		return noteUntouched, nil
	case len(rivals) > 0:
		return noteRivals, nil
	case !moved:
		return noteDiffers, nil
	}
	return "", nil
}

// voidAge is how old an order must be before the platform may give it up. No
// page of IPS waits that long for its user (how long they do is our assumption).
const voidAge = 2 * time.Hour

// Void gives an order up that the user's browser never carried to IPS, or whose
// page he left, so that it no longer stands in the way of others: a repayment
// of its compensation, a purchase of the next buyer. The balances must show
// that it was not carried out. Should IPS do it all the same one day, that is a
// contradiction, and a person will see it.
func (o *Orders) Void(ctx context.Context, order store.Order) error {
	act, err := actOf(order.Operation)
	switch {
	case err != nil:
		return err
	case act.called() || order.State != ips.OrderRecorded:
		return complain("只有等待用户在 IPS 页面确认的订单可以作废")
	case o.now().Sub(order.CreatedAt) < voidAge:
		return complain("订单提交未满 %d 小时，用户可能仍在 IPS 页面办理", int(voidAge.Hours()))
	}
	note, err := o.lookAtBalances(ctx, act, order)
	switch {
	case err != nil:
		return err
	case note != noteUntouched:
		return complain("不能作废：%s", note)
	}
	return o.giveUp(ctx, order.OrderKey, "平台作废：用户未在 IPS 页面确认")
}

// KeepReconciling works in rounds until the context ends.
func (o *Orders) KeepReconciling(ctx context.Context, every, age time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		report, err := o.Reconcile(ctx, age, 200)
		if err != nil {
			o.log.Error("reconciler", "err", err)
		}
		if report.Looked > 0 {
			o.log.Info("reconciler", "looked", report.Looked, "settled", report.Settled, "open", len(report.Open))
		}
	}
}
