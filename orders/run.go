package orders

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
)

// Run does what is due, until its context ends: then it begins nothing more and
// returns nil when what it began is over. Run it in every program of the database
// or in some; no order is sent, asked for or closed by two at once, and each may
// be killed anywhere.
//
//   - It sends orders that need no user: those that effects recorded at once,
//     others after [Pace] Grace, unless they are on [Hold]; what certainly did not
//     get through again, with growing pauses.
//   - It asks for orders of unknown fate, pending ones and forms, by the trade
//     query ([ips.Client.QueryTrade]), where the merchant's environment has it and
//     the order's trade type is certain ([ips.TradeTypeOf]). That settles recharge,
//     withdrawal, creditor, debt transfer and bid registration; a batch becomes
//     [StateRowsDue] until its notification comes or a person gives the rows. An order
//     that has ever heard of a duplicate is not settled by a query.
//   - It closes forms that nobody carried on: the form was handed out, nothing was
//     heard, the trade type is certain, and IPS did not find the order twice, the
//     second time at least an hour after the form was last handed out and after
//     [Pace] PageLife. What a server sent is never closed by rule.
//   - It tries effects again that failed.
//   - No query settles the opening of an account: the account query asks by the
//     number that only the success tells. A person gives it ([Decision] Number).
//   - What nobody can settle becomes a matter ([Book.Matters]) after [Pace]
//     Patience.
//
// With [Pace] Repeat it sends a call of unknown fate again as the very same
// message where it cannot ask. That IPS does not do one number twice is what
// merchants count on, and proven by nobody; a success or a pending settles the
// order then, a refusal does not, but for an end of a bid that is over
// ([ips.ErrBidOver]).
func (b *Book) Run(ctx context.Context) error {
	jobs := make(chan job)
	var busy sync.WaitGroup
	free := make(chan struct{}, b.pace.Workers)
	for range b.pace.Workers {
		free <- struct{}{}
		busy.Go(func() {
			for j := range jobs {
				if err := b.work(context.WithoutCancel(ctx), j); err != nil {
					b.onError(err)
				}
				free <- struct{}{}
			}
		})
	}
	defer busy.Wait()
	defer close(jobs)
	failures := 0
	for ctx.Err() == nil {
		n := 0
		for n < b.pace.Workers {
			select {
			case <-free:
				n++
				continue
			default:
			}
			if n > 0 {
				break
			}
			select {
			case <-free:
				n++
			case <-ctx.Done():
				return nil
			}
		}
		claimed, err := b.claim(ctx, n)
		for range n - len(claimed) {
			free <- struct{}{}
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			b.onError(fmt.Errorf("orders: run: %w", err))
			failures++
		} else {
			failures = 0
		}
		for _, j := range claimed {
			jobs <- j
		}
		if len(claimed) == n {
			continue
		}
		pause := time.NewTimer(b.pace.Poll/2 + mathrand.N(b.pace.Poll) + min(time.Duration(failures)*b.pace.Poll, time.Minute))
		select {
		case <-pause.C:
		case <-b.wake:
		case <-ctx.Done():
		}
		pause.Stop()
	}
	return nil
}

// Do does what is due now and returns, for a program that is started by cron, and
// for tests.
func (b *Book) Do(ctx context.Context) error {
	for {
		claimed, err := b.claim(ctx, b.pace.Workers)
		if err != nil || len(claimed) == 0 {
			return err
		}
		var errs []error
		for _, j := range claimed {
			errs = append(errs, b.work(ctx, j))
		}
		if err := errors.Join(errs...); err != nil {
			b.onError(err)
		}
	}
}

// job is an order that Run has a lease of. No call of it begins after until.
type job struct {
	key, lease string
	until      time.Time
}

// pass waits until the rate lets a call through. What has waited for too long is
// left to whoever claims it next.
func (b *Book) pass(ctx context.Context, j job) error {
	if err := b.calls.pass(ctx, b.pace.PerSecond); err != nil {
		return err
	}
	if time.Now().After(j.until) {
		return fmt.Errorf("orders: %.100q waited for too long: %w", j.key, ErrBusy)
	}
	return nil
}

// claim leases up to n orders that are due. Only one of the program claims, in
// one statement: more claimers make it slower.
func (b *Book) claim(ctx context.Context, n int) ([]job, error) {
	lease := token()
	var claimed []job
	var begun time.Time // before the database's clock is read
	// Spread what comes due again, if this program dies.
	later := us(b.pace.Lease) + mathrand.Int64N(us(b.pace.Lease)/4+1)
	read := func(rows *sql.Rows, err error) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		claimed = nil
		for rows.Next() {
			j := job{lease: lease, until: begun.Add(b.pace.Lease - b.pace.Call - b.pace.Call/4)}
			if err := rows.Scan(&j.key); err != nil {
				return err
			}
			claimed = append(claimed, j)
		}
		return rows.Err()
	}
	const mine = "SELECT order_key FROM ips_order WHERE due_us > 0 AND lease = ? LIMIT 1000"
	const set = "UPDATE ips_order SET lease = ?, lease_us = {now} + ?, due_us = {now} + ?, ver = ver + 1 "
	// In these words SQLite sees that the index, which leaves out 0, has them all, and
	// PostgreSQL, whose clock runs on within a statement, that it has an end.
	// With a number and no parameter it need not plan anew each time.
	due := fmt.Sprintf("WHERE due_us > 0 AND due_us <= (SELECT {now}) AND lease_us < {now} ORDER BY due_us LIMIT %d", n)
	err := b.within(ctx, func(ctx context.Context) (bool, error) {
		err := read(b.db.QueryContext(ctx, b.query(mine), lease))
		return len(claimed) > 0, err
	}, func(ctx context.Context, tx *sql.Tx) error {
		claimed, begun = nil, time.Now()
		if b.dialect == MySQL {
			var now int64
			if err := tx.QueryRowContext(ctx, b.query("SELECT {now}")).Scan(&now); err != nil {
				return err
			}
			until := now + later
			result, err := tx.ExecContext(ctx, b.query("UPDATE ips_order SET lease = ?, lease_us = ?, due_us = ?, ver = ver + 1 WHERE due_us > 0 AND due_us <= ? AND lease_us < ? ORDER BY due_us LIMIT ?"),
				lease, now+us(b.pace.Lease), until, now, now, n)
			if err != nil {
				return err
			}
			if changed, err := result.RowsAffected(); err != nil || changed == 0 {
				return errors.Join(err, errSame)
			}
			return read(tx.QueryContext(ctx, b.query("SELECT order_key FROM ips_order WHERE due_us = ? AND lease = ?"), until, lease))
		}
		skip := ""
		if b.dialect == PostgreSQL {
			skip = " FOR UPDATE SKIP LOCKED"
		}
		err := read(tx.QueryContext(ctx, b.query(set+"WHERE order_key IN (SELECT order_key FROM ips_order "+due+skip+") RETURNING order_key"), lease, us(b.pace.Lease), later))
		if err == nil && len(claimed) == 0 {
			return errSame
		}
		return err
	})
	b.step("claimed")
	return claimed, err
}

// work does what is due for one order.
func (b *Book) work(ctx context.Context, j job) error {
	o, err := b.read(ctx, j.key)
	if err != nil {
		return err
	}
	if o.lease != j.lease {
		return nil // heard of meanwhile
	}
	req, err := b.request(o)
	if err != nil {
		return err
	}
	client, err := b.clients(ctx, o.merchant)
	if err != nil {
		return err
	}
	if o.state == StateSending { // its program died in the call
		if o, err = b.change(ctx, j.key, "left in a call", "", "", func(_ context.Context, _ *sql.Tx, o *row) error {
			if o.lease != j.lease || o.state != StateSending {
				return errSame
			}
			o.state = StateUnknown
			return nil
		}); err != nil {
			return err
		}
	}
	switch {
	case o.lease != j.lease:
		return nil
	case o.is(flagRedo):
		return b.redo(ctx, j)
	case o.state == StateRecorded && !o.is(flagForm) && !o.is(flagHeld), o.is(flagAgain) && o.state == StateUnknown:
		if err := b.pass(ctx, j); err != nil {
			return err
		}
		_, err := b.send(ctx, j.key, j.lease)
		return err
	case (o.state == StateUnknown || o.state == StatePending || o.state == StateRecorded && o.is(flagForm)) && b.askable(o, req, client):
		return b.ask(ctx, j, o, req, client)
	case b.repeatable(o):
		if err := b.pass(ctx, j); err != nil {
			return err
		}
		_, err := b.send(ctx, j.key, j.lease)
		return err
	}
	return b.leave(ctx, j, "for a person", func(ctx context.Context, tx *sql.Tx, o *row) error {
		b.schedule(o, req, client)
		if o.dueUS == 0 || o.dueUS > o.now {
			return nil
		}
		o.dueUS = 0
		kind := matterUnknown
		switch {
		case o.state == StateRowsDue:
			kind = matterRows
		case o.is(flagForm) && o.heard == 0:
			kind = matterForm
		}
		return b.open(ctx, tx, o, kind, "", nil)
	})
}

// leave gives a lease back.
func (b *Book) leave(ctx context.Context, j job, what string, f func(context.Context, *sql.Tx, *row) error) error {
	_, err := b.change(ctx, j.key, what, "", "", func(ctx context.Context, tx *sql.Tx, o *row) error {
		if o.lease != j.lease {
			return errSame
		}
		o.lease, o.leaseUS = "", 0
		return f(ctx, tx, o)
	})
	return err
}

// ask asks IPS what became of an order.
func (b *Book) ask(ctx context.Context, j job, o *row, req ips.Request, client *ips.Client) error {
	if err := b.pass(ctx, j); err != nil {
		return err
	}
	b.step("ask")
	trade, _, _ := ips.TradeTypeOf(req)
	asked := o.now // the database's clock before the question
	callCtx, cancel := context.WithTimeout(ctx, b.pace.Call)
	defer cancel()
	answer, err := client.QueryTrade(callCtx, ips.QueryTradeRequest{OrderNo: o.no, Type: trade})
	b.step("asked")
	if err == nil && answer.Status != ips.TradeNotFound {
		said, err := ips.Asked(req, answer)
		if err != nil {
			return err
		}
		if answer.Status == ips.TradeDone {
			// Asked says pending where results are still to come; the book has a state
			// of its own for that.
			said.Base().Outcome = ips.Success
		}
		h, err := hearing(said)
		if err != nil {
			return err
		}
		h.says += "?"
		if said.Base().Outcome != ips.Undecided {
			_, err = b.hearOne(ctx, j.key, nil, j.lease, h)
			return errors.Join(err, b.patience(ctx, j.key, req))
		}
	}
	if errors.Is(err, ips.ErrNoTradeQuery) {
		b.noQuery.Store(o.merchant, time.Now())
	}
	what := "asked in vain"
	if err == nil {
		what = "asked: not found"
	}
	leaveErr := b.leave(ctx, j, what, func(ctx context.Context, tx *sql.Tx, o *row) error {
		o.tries++
		if err != nil {
			o.why = err.Error()
		} else if o.handedUS <= asked && o.sentUS <= asked && (o.notfoundUS == 0 || asked-o.notfoundUS >= us(time.Minute)) {
			o.notfound++
			o.notfoundUS = asked
		}
		if err == nil && o.is(flagDoubt) {
			if err := b.open(ctx, tx, o, matterDoubt, "", nil); err != nil {
				return err
			}
		}
		if o.is(flagForm) && o.state == StateRecorded && o.heard == 0 && o.handed > 0 && err == nil && o.notfound >= 2 && o.notfoundUS == asked &&
			asked >= o.handedUS+us(max(againAfter, b.pace.PageLife)) {
			o.state = StateClosed
			b.schedule(o, req, client)
			return b.runEffect(ctx, tx, o, req, nil)
		}
		b.schedule(o, req, client)
		return b.impatient(ctx, tx, o)
	})
	var failed *effectError
	if errors.As(leaveErr, &failed) {
		leaveErr = errors.Join(leaveErr, b.leave(ctx, j, "effect failed", func(ctx context.Context, tx *sql.Tx, o *row) error {
			o.tries++
			o.why = failed.Error()
			b.schedule(o, req, client)
			return b.open(ctx, tx, o, matterEffect, "", nil)
		}))
	}
	if leaveErr == nil {
		b.nudge()
	}
	return errors.Join(leaveErr, err)
}

// impatient makes a matter of an order that is open for too long. It is asked for
// all the same. A form of which nothing was heard is closed by rule instead.
func (b *Book) impatient(ctx context.Context, tx *sql.Tx, o *row) error {
	if o.state.Ended() || o.now < o.last()+us(b.pace.Patience) || o.is(flagForm) && o.heard == 0 && o.now < o.last()+2*us(b.pace.Patience) {
		return nil
	}
	return b.open(ctx, tx, o, matterUnknown, "", nil)
}

func (b *Book) patience(ctx context.Context, key string, req ips.Request) error {
	_, err := b.change(ctx, key, "open for long", "", "", func(ctx context.Context, tx *sql.Tx, o *row) error {
		if err := b.impatient(ctx, tx, o); err != nil || o.opened {
			return err
		}
		return errSame
	})
	return err
}

// redo runs an effect again that failed.
func (b *Book) redo(ctx context.Context, j job) error {
	prior, err := b.answers(ctx, b.db, j.key)
	if err != nil {
		return err
	}
	o, err := b.read(ctx, j.key)
	if err != nil {
		return err
	}
	for _, p := range prior {
		if p.verdict != waiting {
			continue
		}
		data, err := b.unpack(j.key, p.body)
		if err != nil {
			return err
		}
		answer, err := ips.UnmarshalResponse(o.operation(), data)
		if err != nil {
			return err
		}
		_, err = b.hear(ctx, j.key, j.lease, answer)
		return err
	}
	return b.leave(ctx, j, "nothing waits", func(_ context.Context, _ *sql.Tx, o *row) error {
		o.set(flagRedo, false)
		return nil
	})
}

// Distrust says that the database may have lost commits since a time, as after a
// failover to a standby that was behind. Of the orders without an end, these are of
// unknown fate then and never sent by themselves: what was recorded or touched
// since, and every order of whatever age that a server sends and that seems not to
// have been sent yet, on hold or not, since its sending may be among what was
// lost, as what a person has had sent again ([SendAgain]). They are asked for, and
// else before a person. A form recorded up to [Pace]
// PageLife before counts as handed out. n is how many orders that is.
func (b *Book) Distrust(ctx context.Context, since time.Time) (n int64, err error) {
	from := since.UnixMicro()
	err = b.within(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		for _, one := range []struct {
			text string
			args []any
		}{
			{"UPDATE ips_order SET state = 'unknown', ver = ver + 1, mark = '', sent = sent + 1, lease = '', lease_us = 0, due_us = {now}, flags = flags - (flags & ?) WHERE ended_us = 0 " +
				"AND state IN ('recorded', 'sending', 'unknown') AND (made_us >= ? OR touched_us >= ? OR (flags & ?) <> 0 OR state = 'recorded' AND (flags & ?) = 0)",
				[]any{int64(flagAgain), from, from, int64(flagAgain), int64(flagForm)}},
			{"UPDATE ips_order SET handed = 1, handed_us = {now}, ver = ver + 1, mark = '', due_us = {now} WHERE ended_us = 0 " +
				"AND state = 'recorded' AND handed = 0 AND made_us >= ?", []any{from - us(b.pace.PageLife)}},
		} {
			result, err := tx.ExecContext(ctx, b.query(one.text), one.args...)
			if err != nil {
				return err
			}
			changed, err := result.RowsAffected()
			if err != nil {
				return err
			}
			n += changed
		}
		return nil
	})
	if err == nil {
		b.nudge()
	}
	return n, err
}
