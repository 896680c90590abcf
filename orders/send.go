package orders

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/ips-p2p/ips"
)

// Form is the form that the user's browser carries to IPS, with the same fields
// every time. A click that is repeated later may come with an order that IPS knows
// already: show a form of those in StateRecorded only.
// That it was handed out is committed before it is given away. A page that was
// shown cannot be taken back: a form may be carried to IPS as long as it lies in
// a browser, and a refusal of one that was handed out twice proves less (see
// [Book.Hear]). So call Form when a user wants to see it, not with each page.
//
// The error is [ErrUnrecorded] as long as your transaction is not committed, and
// [ErrEnded] for an order that has an end.
func (b *Book) Form(ctx context.Context, o Order) (*ips.Form, error) {
	read, err := b.read(ctx, o.Key)
	if err != nil {
		return nil, err
	}
	req, err := b.request(read)
	if err != nil {
		return nil, err
	}
	if !read.is(flagForm) {
		return nil, fmt.Errorf("orders: %s is sent by the server: use Send", read.op)
	}
	client, err := b.clients(ctx, read.merchant)
	if err != nil {
		return nil, err
	}
	form, err := client.FormContext(ctx, req)
	if err != nil {
		return nil, err
	}
	_, err = b.changeKnown(ctx, o.Key, read, "form", "", "", func(_ context.Context, _ *sql.Tx, o *row) error {
		if o.state.Ended() || o.state == StateRowsDue {
			return fmt.Errorf("orders: %.100q is %s: %w", o.key, o.state, ErrEnded)
		}
		o.handed++
		o.handedUS, o.notfound, o.notfoundUS, o.tries = o.now, 0, 0, 0
		if !o.leased() {
			b.schedule(o, req, client)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return form, nil
}

// Send sends an order now and hears the answer; look at the State of what it
// returns: a refusal and an unknown fate are no errors, they are recorded. It
// sends nothing if the order was sent before.
//
// Before a byte leaves, the book has committed that the order is being sent, by
// whom and until when, so that no other program sends it or decides about it.
//
// The error is [ErrBusy] if somebody else is sending it, [ErrUnrecorded] as long
// as your transaction is not committed, an error that matches [ips.ErrNotSent] if
// nothing left (Run tries again), or an error of the database.
func (b *Book) Send(ctx context.Context, o Order) (Order, error) {
	return b.send(ctx, o.Key, "")
}

// send sends under a lease that it takes, or under that of Run.
func (b *Book) send(ctx context.Context, key, held string) (Order, error) {
	begun := time.Now() // before the database's clock is read: the lease ends no earlier than begun and its length
	lease := held
	var known *row
	if lease == "" {
		lease = token()
		// A locking read would wait for whoever has recorded it and not committed.
		var err error
		if known, err = b.read(ctx, key); err != nil {
			return Order{}, err
		}
	}
	var req ips.Request
	var client *ips.Client
	send := false
	b.step("send")
	o, err := b.changeKnown(ctx, key, known, "send", "", "", func(ctx context.Context, _ *sql.Tx, o *row) (err error) {
		send = false
		if o.lease != lease && (o.leased() || held != "") {
			return fmt.Errorf("orders: %.100q: %w", o.key, ErrBusy)
		}
		if req, err = b.request(o); err != nil {
			return err
		}
		if client, err = b.clients(ctx, o.merchant); err != nil {
			return err
		}
		if o.is(flagForm) {
			return fmt.Errorf("orders: %s is carried by the user's browser: use Form", o.op)
		}
		again := o.state == StateUnknown && held != "" && (b.pace.Repeat || o.is(flagAgain))
		if o.state != StateRecorded && !again {
			return errSame
		}
		send = true
		o.state, o.lease, o.leaseUS = StateSending, lease, o.now+us(b.pace.Lease)
		o.dueUS = o.leaseUS + us(time.Second)
		o.sent++
		o.sentUS, o.notfound = o.now, 0
		o.set(flagAgain, false)
		o.set(flagHeld, false)
		return nil
	})
	if err != nil {
		return Order{}, err
	}
	if !send {
		return b.order(o, req), nil
	}
	b.step("leased")
	if req, err = b.today(client, req); err != nil {
		return b.unsent(ctx, o, req, lease, err)
	}
	// The call must be over before the lease is, however long the commit took; what
	// it said is kept, however late.
	ctx = context.WithoutCancel(ctx)
	if time.Until(begun.Add(b.pace.Lease-b.pace.Call/4)) < b.pace.Call {
		return b.unsent(ctx, o, req, lease, fmt.Errorf("orders: %.100q: the lease took too long: %w", o.key, ips.ErrNotSent))
	}
	callCtx, cancel := context.WithTimeout(ctx, b.pace.Call)
	defer cancel()
	answer, err := client.Call(callCtx, req)
	b.step("called")
	switch {
	case answer != nil:
		return b.hear(ctx, o.key, lease, answer)
	case errors.Is(err, ips.ErrFateUnknown):
		o, err := b.change(ctx, o.key, "unanswered", "", err.Error(), func(_ context.Context, _ *sql.Tx, o *row) error {
			if o.lease != lease || o.state != StateSending {
				return errSame // it was heard of meanwhile
			}
			o.state, o.lease, o.leaseUS, o.tries = StateUnknown, "", 0, 0
			b.schedule(o, req, client)
			return nil
		})
		if err != nil {
			return Order{}, err
		}
		return b.order(o, req), nil
	default:
		return b.unsent(ctx, o, req, lease, err)
	}
}

// today gives an end of a bid the day of its sending; everything else goes out as
// it was recorded.
func (b *Book) today(client *ips.Client, req ips.Request) (ips.Request, error) {
	if end, ok := req.(ips.EndBidRequest); ok {
		end.Date = ips.Today()
		return client.Complete(end)
	}
	return req, nil
}

// unsent takes a sending back that certainly did not get through.
func (b *Book) unsent(ctx context.Context, o *row, req ips.Request, lease string, cause error) (Order, error) {
	o, err := b.change(ctx, o.key, "not sent", "", cause.Error(), func(ctx context.Context, tx *sql.Tx, o *row) error {
		if o.lease != lease || o.state != StateSending {
			return errSame
		}
		o.state, o.lease, o.leaseUS, o.sentUS = StateRecorded, "", 0, 0
		if o.sent--; o.sent > 0 {
			o.state = StateUnknown
		}
		o.tries++
		o.dueUS = o.now + us(b.backoff(b.pace.Grace, o.tries))
		return b.impatient(ctx, tx, o)
	})
	if err != nil {
		return Order{}, errors.Join(cause, err)
	}
	return b.order(o, req), cause
}

// backoff is a wait after n tries, drawn between half and all of it.
func (b *Book) backoff(first time.Duration, n int64) time.Duration {
	wait, most := first, max(b.pace.AskMax, first)
	for ; n > 1 && wait < most; n-- {
		wait *= 2
	}
	wait = min(wait, most)
	return wait/2 + mathrand.N(wait/2+1)
}

// askable reports whether a trade query can settle an order. What has heard of a
// duplicate cannot be: its number may be another system's.
func (b *Book) askable(o *row, req ips.Request, client *ips.Client) bool {
	_, certain, ok := ips.TradeTypeOf(req)
	if !ok || !certain || o.is(flagDuplicate) || client.Environment().TradeQuery == ips.NoTradeQuery {
		return false
	}
	since, none := b.noQuery.Load(o.merchant)
	return !none || time.Since(since.(time.Time)) > time.Hour
}

// repeatable reports whether Run may send the very same message again. After a
// duplicate it would hear no more than that.
func (b *Book) repeatable(o *row) bool {
	return b.pace.Repeat && o.state == StateUnknown && !o.is(flagForm|flagHeld|flagDuplicate) && o.now < o.madeUS+us(b.pace.Patience)
}

// schedule says when Run must look at an order again.
func (b *Book) schedule(o *row, req ips.Request, client *ips.Client) {
	patience := o.last() + us(b.pace.Patience)
	switch {
	case o.state.Ended():
		o.dueUS, o.tries = 0, 0
		if o.endedUS == 0 {
			o.endedUS = o.now
		}
	case o.state == StateRecorded && !o.is(flagForm):
		// as it was
	case o.state == StateRecorded && o.handed == 0:
		o.dueUS = 0
	case o.state != StateRowsDue && b.askable(o, req, client):
		first := b.pace.Ask
		if o.is(flagForm) && o.heard == 0 {
			first = b.pace.AskForm
		}
		o.dueUS = o.now + us(b.backoff(first, o.tries+1))
		if o.is(flagForm) && o.heard == 0 && o.notfound > 0 {
			// The second question that may close it.
			o.dueUS = max(o.dueUS, o.handedUS+us(max(b.pace.PageLife, againAfter)))
		}
	case b.repeatable(o):
		o.dueUS = o.now + us(b.backoff(b.pace.Ask, o.tries+1))
	case o.is(flagForm) && o.heard == 0:
		o.dueUS = o.handedUS + us(b.pace.PageLife)
	default:
		o.dueUS = patience
	}
}
