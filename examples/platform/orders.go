package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// Orders leads every order through its life, which is always the same:
//
//  1. Record: it gets its number and is on disk before anything is sent.
//  2. Form or Send: it goes to IPS, carried by the user's browser or called by
//     the platform, perhaps more than once, always as the very same message.
//  3. Hear: somebody says how it ended, be it the web return, the
//     notification, the answer to the call, or a look at the balances. The
//     outcome is recorded once, in one transaction with all that follows from
//     it. Copies change nothing; contradictions are kept for a person.
//
// Nothing is remembered outside the database, so any number of programs can
// work on one, and any of them can be killed at any time: see reconcile.go.
type Orders struct {
	store  *store.Store
	client *ips.Client
	base   string // of the callback URLs, as IPS and browsers reach them
	log    *slog.Logger
	now    func() time.Time

	running sync.WaitGroup // calls that were started in the background
	crash   func(point)    // lets tests pull the plug; nil otherwise
}

// point is a place where a crash must do no harm.
type point string

const (
	afterRecord  point = "after record"  // on disk, not sent
	afterAnswer  point = "after answer"  // IPS has answered, nobody has heard
	beforeCommit point = "before commit" // all is written, nothing is committed
	afterLook    point = "after look"    // balances were asked for, nothing is compared
)

func (o *Orders) passing(p point) {
	if o.crash != nil {
		o.crash(p)
	}
}

// Wait returns when everything is done that was started in the background.
func (o *Orders) Wait() { o.running.Wait() }

func (o *Orders) returnURL(op ips.Operation) string { return o.base + "/ips/return/" + string(op) }
func (o *Orders) notifyURL(op ips.Operation) string { return o.base + "/ips/notify/" + string(op) }

// draft is an order that is not recorded yet.
type draft struct {
	about   string // what it is, in Chinese
	bidNo   string // "" where no bid is concerned
	request any    // one of the SDK's requests, complete with date and addresses
}

// Record writes an order of a user down. The click identifies the page that he
// pressed a button of: if it has led to an order before, that one is returned,
// so a second click is not a second order. What prepare checks holds when the
// order is recorded, since both happen in one transaction: lock there what must
// not change.
func (o *Orders) Record(ctx context.Context, user store.User, click string, prepare func(*store.Tx) (draft, error)) (store.Order, error) {
	var order store.Order
	err := o.store.Tx(ctx, func(tx *store.Tx) error {
		var err error
		if order, err = tx.OrderByClick(ctx, click); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		d, err := prepare(tx)
		if err != nil {
			return err
		}
		order, err = o.add(ctx, tx, user, click, d)
		return err
	})
	// The other click may have been a moment faster.
	if twin, twinErr := o.store.OrderByClick(ctx, click); err != nil && twinErr == nil {
		order, err = twin, nil
	}
	switch {
	case err != nil:
		return store.Order{}, err
	case order.UserID != user.ID:
		return store.Order{}, errors.New("orders: a click of another user")
	}
	o.passing(afterRecord)
	return order, nil
}

func (o *Orders) add(ctx context.Context, tx *store.Tx, user store.User, click string, d draft) (store.Order, error) {
	op, orderNo, request, accounts, err := describe(d.request)
	if err != nil {
		return store.Order{}, err
	}
	order := store.Order{
		OrderKey: store.OrderKey{Operation: op, OrderNo: orderNo}, UserID: user.ID, BidNo: d.bidNo, About: d.about,
		Request: request, State: ips.OrderRecorded, Click: click, CreatedAt: o.now(),
	}
	act, err := actOf(op)
	if err != nil {
		return store.Order{}, err
	}
	if !act.called() { // a form that breaks the contract is not worth recording
		if _, err := act.form(o.client, request); err != nil {
			return store.Order{}, err
		}
	}
	return order, tx.AddOrder(ctx, order, accounts)
}

// Form makes the form that carries an order to IPS. It is the same one every
// time, so a user who went astray can take it up again.
func (o *Orders) Form(order store.Order) (*ips.Form, error) {
	act, err := actOf(order.Operation)
	if err != nil {
		return nil, err
	}
	return act.form(o.client, order.Request)
}

// Send calls IPS for an order and hears what it answers. The error is nil
// whenever the order's state tells what happened; if the fate of the order is
// unknown, the reconciler asks again later.
func (o *Orders) Send(ctx context.Context, order store.Order) error {
	act, err := actOf(order.Operation)
	if err != nil {
		return err
	}
	mine, err := o.store.Try(ctx, order.OrderKey, order.Attempts, o.now())
	if err != nil || !mine {
		return err
	}
	// A user who closes his browser must not leave an order half done.
	ctx = context.WithoutCancel(ctx)
	resp, err := act.call(ctx, o.client, order.Request)
	o.passing(afterAnswer)
	var invalid *ips.ValidationError
	switch {
	case resp != nil: // IPS has answered; what it says may leave the order as it is
		if heard := o.Hear(ctx, resp); heard != nil || !errors.Is(err, ips.ErrFateUnknown) {
			return heard
		}
	case errors.As(err, &invalid) && order.Attempts == 0:
		return o.giveUp(ctx, order.OrderKey, invalid.Error())
	}
	return err
}

// SendLater is [Orders.Send] in the background. If the program ends before it
// is done, the reconciler does it.
func (o *Orders) SendLater(order store.Order) {
	o.running.Go(func() {
		if err := o.Send(context.Background(), order); err != nil {
			o.log.Warn("order is not settled", "operation", order.Operation, "order", order.OrderNo, "err", err)
		}
	})
}

// giveUp ends an order that IPS has not carried out and that nobody waits for:
// one that broke the contract and was never sent, or one that was voided.
func (o *Orders) giveUp(ctx context.Context, key store.OrderKey, why string) error {
	return o.store.Tx(ctx, func(tx *store.Tx) error {
		order, err := tx.LockOrder(ctx, key)
		if err != nil || order.State != ips.OrderRecorded {
			return err
		}
		order.State, order.Message, order.Via, order.SettledAt = ips.OrderRefused, why, "platform", o.now()
		act, err := actOf(order.Operation)
		if err != nil {
			return err
		}
		if err := act.refused(o.effect(ctx, tx, order)); err != nil {
			return err
		}
		return tx.SetOutcome(ctx, order)
	})
}

// contradiction is an answer that cannot be true together with what is known.
type contradiction struct{ problem string }

func (c *contradiction) Error() string        { return c.problem }
func (c *contradiction) Is(target error) bool { return target == ips.ErrContradiction }

func contradicts(format string, args ...any) error {
	return &contradiction{fmt.Sprintf(format, args...)}
}

// Hear takes an answer of IPS in, whichever way it came, any number of times,
// at any moment. After a nil error it is safe on disk and may be acknowledged.
func (o *Orders) Hear(ctx context.Context, resp ips.Response) error {
	return o.hear(ctx, resp, resp.Base().Via.String())
}

func (o *Orders) hear(ctx context.Context, resp ips.Response, via string) error {
	base := resp.Base()
	key, ok := base.Key()
	if !ok {
		return nil // it does not say what became of an order: a duplicate, or IPS could not read the message
	}
	err := o.store.Do(ctx, key, func(ctx context.Context) error {
		tx := store.FromContext(ctx)
		facts, err := o.settle(ctx, tx, resp, via)
		if err != nil {
			return err
		}
		o.passing(beforeCommit)
		return tx.Describe(ctx, key, base.Message, via, facts)
	})
	if err == nil {
		// A copy was counted and no more. It must also say what the first said.
		err = o.compare(ctx, resp)
	}
	if errors.Is(err, ips.ErrContradiction) {
		// The transaction changed nothing, and the key is not remembered: the
		// right answer, if it comes, is not taken for a copy of the wrong one.
		return o.keep(ctx, resp, via, err)
	}
	if err == nil && base.Outcome != ips.Pending {
		err = o.afterwards(ctx, orderKey(base))
	}
	return err
}

func orderKey(r *ips.Reply) store.OrderKey {
	return store.OrderKey{Operation: r.Operation, OrderNo: r.OrderNo}
}

// settle moves the order on, together with everything that follows from the
// answer, or says what the answer contradicts.
func (o *Orders) settle(ctx context.Context, tx *store.Tx, resp ips.Response, via string) (facts string, err error) {
	base := resp.Base()
	order, err := tx.LockOrder(ctx, orderKey(base))
	if err != nil {
		return "", unknownOrder(err)
	}
	facts, err = examine(order, resp)
	if err != nil {
		return "", err
	}
	next, change, err := stateOf(order).Next(base)
	if err != nil || change == ips.Unchanged {
		return facts, err
	}
	if act, err := actOf(order.Operation); err != nil {
		return "", err
	} else if change == ips.Late && !act.keeps() {
		return "", contradicts("the order was refused and what it held was given up, and now it is done")
	}
	order.State, order.Code, order.Message, order.Via = next, base.Code, base.Message, via
	if next.Final() {
		order.Facts, order.SettledAt = facts, o.now()
		if err := o.act(ctx, tx, order, resp); err != nil {
			return "", err
		}
	}
	return facts, tx.SetOutcome(ctx, order)
}

// stateOf is how far an order has come. One that the platform has called more
// than once may have been carried out the first time, whatever the answer to a
// repetition says.
func stateOf(order store.Order) ips.OrderState {
	if act, err := actOf(order.Operation); err == nil && act.called() && order.Attempts > 1 && order.State == ips.OrderRecorded {
		return ips.OrderUnknown
	}
	return order.State
}

func unknownOrder(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return contradicts("the platform has no such order")
	}
	return err
}

// act carries out what a final answer means.
func (o *Orders) act(ctx context.Context, tx *store.Tx, order store.Order, resp ips.Response) error {
	act, err := actOf(order.Operation)
	if err != nil {
		return err
	}
	if order.State == ips.OrderDone {
		return act.done(o.effect(ctx, tx, order), resp)
	}
	return act.refused(o.effect(ctx, tx, order))
}

// compare looks whether an answer agrees with what is on record.
func (o *Orders) compare(ctx context.Context, resp ips.Response) error {
	order, err := o.store.Order(ctx, orderKey(resp.Base()))
	if err != nil {
		return unknownOrder(err)
	}
	if _, _, err := stateOf(order).Next(resp.Base()); err != nil {
		return err
	}
	_, err = examine(order, resp)
	return err
}

// keep puts an answer aside for a person. If the order is settled, or is none
// of ours, that is the end of it. If it is open, the problem is returned, so
// that the answer is not acknowledged: IPS says it again, perhaps rightly.
func (o *Orders) keep(ctx context.Context, resp ips.Response, via string, problem error) error {
	base := resp.Base()
	o.log.Error("contradiction", "operation", base.Operation, "order", base.OrderNo, "code", base.Code, "via", via, "problem", problem)
	err := o.store.KeepContradiction(ctx, store.Contradiction{
		OrderKey: orderKey(base), Code: base.Code, Message: base.Message, Via: via,
		Facts: claimsOf(resp), Problem: problem.Error(), HeardAt: o.now(),
	})
	if err != nil {
		return err
	}
	order, err := o.store.Order(ctx, orderKey(base))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case order.State.Final():
		return nil
	}
	return problem
}

// afterwards starts what has become possible: sales whose money is frozen, and
// which had to wait until nothing else moved the claim.
func (o *Orders) afterwards(ctx context.Context, key store.OrderKey) error {
	order, err := o.store.Order(ctx, key)
	if errors.Is(err, store.ErrNotFound) || order.BidNo == "" {
		return nil
	}
	if err != nil {
		return err
	}
	return o.completeSales(ctx, order.BidNo)
}

// inbound is what the platform does with the answers that come by themselves.
func (o *Orders) inbound() ips.Inbound {
	return ips.Inbound{Hear: o.Hear}
}
