package orders

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/ips-p2p/ips"
)

// verdict is what an answer meant when it was heard.
type verdict string

const (
	taken         verdict = "taken"         // it brought the order further
	same          verdict = "copy"          // it says what another has said
	overtaken     verdict = "overtaken"     // it changes nothing any more, or decides nothing
	undecided     verdict = "undecided"     // it does not say what became of the order
	doubtful      verdict = "doubtful"      // a refusal by a code in no list, or perhaps of another carrying: to be confirmed
	wrong         verdict = "wrong"         // it says otherwise than was asked
	contradiction verdict = "contradiction" // it says otherwise than an earlier one
	tooLate       verdict = "late"          // a success of an order that was given up
	waiting       verdict = "waiting"       // its effect could not be carried out yet
)

// heard is an answer with what the book makes of it.
type heard struct {
	answer ips.Response
	base   *ips.Reply
	says   string // success, pending, a code
	digest string
	data   []byte
}

// hearing prepares an answer. Its digest leaves out which way it came, and texts
// that are for people.
func hearing(answer ips.Response) (*heard, error) {
	h := &heard{answer: answer, base: answer.Base()}
	var err error
	if h.data, err = ips.MarshalResponse(answer); err != nil {
		return nil, err
	}
	h.says = h.base.Outcome.String()
	if h.base.Outcome == ips.Failure || h.base.Outcome == ips.Undecided {
		h.says = cut(cmp.Or(string(h.base.Code), h.says), 16)
	}
	v := reflect.New(reflect.TypeOf(answer).Elem())
	v.Elem().Set(reflect.ValueOf(answer).Elem())
	bare := v.Interface().(ips.Response)
	base := bare.Base()
	base.Via, base.Message, base.Extra = 0, "", nil
	if h.base.Via == ips.Queried {
		base.Via = ips.Queried // built from the request: it is no copy of IPS's own
	}
	data, err := ips.MarshalResponse(bare)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	h.digest = hex.EncodeToString(sum[:])
	return h, nil
}

// stored is an answer that the book has kept.
type stored struct {
	digest, says string
	way          ips.Via
	verdict      verdict
	heardUS      int64
	body         []byte
}

// Hear is the [ips.Handler] of everything that comes in: give it to
// [ips.Client.NotifyHandler] and [ips.Client.ReturnHandler]. In one transaction it
// locks the order, holds the answer against what was asked, keeps it, carries the
// order further and runs its effect.
//
// It returns nil, which acknowledges a notification, once all of that is on disk,
// and for copies. A copy changes nothing, and says what the first said or is
// kept and shown to a person, as is everything else that does not fit
// ([ErrAnswer], not acknowledged while the order is open). A refusal ends an order
// at once if it can be about nothing else than the one form or message that left.
// If the form was handed out more than once or the message sent again, another of
// them may have got through: then a trade query confirms the refusal, or, where
// there is none and the order is about money, a person; that a user posts the same
// page twice nobody can see. An answer about an order
// that the book does not know is [ErrUnrecorded]; it is counted, and
// acknowledged after [Pace] Strangers.
func (b *Book) Hear(ctx context.Context, answer ips.Response) error {
	base := answer.Base()
	if info, ok := base.Operation.Info(); !ok || info.Transport == ips.QueryService {
		return ips.ErrUnheard
	}
	if base.OrderNo == "" {
		return fmt.Errorf("orders: answer to %s names no order: %w", base.Operation, ErrAnswer)
	}
	h, err := hearing(answer)
	if err != nil {
		return err
	}
	begin := keyOf(base.MerchantCode, base.Operation, base.OrderNo)
	// Every copy costs this one read, and waits for the first without a connection.
	o, known, err := b.lookUp(ctx, begin, h.digest)
	if err != nil {
		return fmt.Errorf("orders: hear: %w", b.dialect.explain(err))
	}
	if o == nil {
		if o, known, err = b.lookAgain(ctx, begin, h.digest); err != nil {
			return err
		}
	}
	if o == nil {
		return b.stranger(ctx, begin, h)
	}
	if copied(o, h, known) {
		return nil
	}
	leave, waited, err := b.flights.enter(ctx, o.key)
	if err != nil {
		return fmt.Errorf("orders: hear: %w", err)
	}
	defer leave()
	if waited {
		if o, known, err = b.lookUp(ctx, begin, h.digest); err != nil || o == nil {
			return fmt.Errorf("orders: hear: %w", errors.Join(err, ErrUnrecorded))
		}
		if copied(o, h, known) {
			return nil
		}
	}
	_, err = b.hearOne(ctx, o.key, o, "", h)
	return err
}

// copied reports whether an answer that is kept needs no more.
func copied(o *row, h *heard, known verdict) bool {
	switch known {
	case "", waiting:
		return false
	case wrong, contradiction:
		return o.state.Ended()
	case overtaken: // it came by a way that settles less than a notification
		return o.state.Ended() || h.base.Via != ips.ServerToServer
	}
	return true
}

// lookUp finds the order that an answer is about, and what was made of the answer
// if it was heard before: of the ends of a bid the open one, else the last.
func (b *Book) lookUp(ctx context.Context, begin, digest string) (*row, verdict, error) {
	return b.lookUpWith(ctx, "", begin, digest)
}

func (b *Book) lookUpWith(ctx context.Context, prefix, begin, digest string) (*row, verdict, error) {
	var o row
	var known sql.NullString
	err := b.db.QueryRowContext(ctx, b.query(prefix+"SELECT "+rowColumns+", {now}, "+
		"(SELECT verdict FROM ips_answer a WHERE a.order_key = ips_order.order_key AND a.digest = ?) "+
		"FROM ips_order WHERE order_key >= ? AND order_key < ? ORDER BY order_key DESC LIMIT 1"), digest, begin, behind(begin)).Scan(append(o.into(), &known)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return &o, verdict(known.String), nil
}

// lookAgain reads causally: on a cluster another node may have recorded the order
// a moment ago. Elsewhere it is a second look.
func (b *Book) lookAgain(ctx context.Context, begin, digest string) (*row, verdict, error) {
	if b.dialect == MySQL {
		if o, known, err := b.lookUpWith(ctx, causally, begin, digest); err == nil {
			return o, known, nil
		}
	}
	o, known, err := b.lookUp(ctx, begin, digest)
	if err != nil {
		return nil, "", fmt.Errorf("orders: hear: %w", err)
	}
	return o, known, nil
}

// hear hears the answer to the book's own call, which may name no order.
func (b *Book) hear(ctx context.Context, key, lease string, answer ips.Response) (Order, error) {
	h, err := hearing(answer)
	if err != nil {
		return Order{}, err
	}
	return b.hearOne(ctx, key, nil, lease, h)
}

// heardOf begins the event of an answer that was heard before; a new one is kept
// with all that an event would say.
const heardOf = "heard "

// hearOne carries an order further by an answer; known is the order if it was read
// a moment before.
func (b *Book) hearOne(ctx context.Context, key string, known *row, lease string, h *heard) (Order, error) {
	var req ips.Request
	var said error
	f := func(run bool) func(context.Context, *sql.Tx, *row) error {
		return func(ctx context.Context, tx *sql.Tx, o *row) (err error) {
			said = nil
			client, err := b.clients(ctx, o.merchant)
			if err != nil {
				return err
			}
			if req, err = b.request(o); err != nil {
				return err
			}
			said, err = b.listen(ctx, tx, o, req, client, lease, h, run)
			return err
		}
	}
	what := heardOf + h.says
	o, err := b.changeKnown(ctx, key, known, what, "", h.base.Via.String(), f(true))
	var failed *effectError
	if errors.As(err, &failed) {
		// The answer must not be lost with the effect: IPS may never say it again.
		o, keepErr := b.change(ctx, key, "effect failed", "", failed.Error(), f(false))
		if keepErr != nil {
			return Order{}, errors.Join(err, keepErr)
		}
		return b.order(o, req), err
	}
	if err != nil {
		return Order{}, fmt.Errorf("orders: hear: %w", err)
	}
	if len(o.further) > 0 {
		b.nudge()
	}
	return b.order(o, req), said
}

// listen decides what an answer means and writes it, all but the order itself.
// said is an error about the answer, which is kept all the same. Without run the
// effect is left for later.
func (b *Book) listen(ctx context.Context, tx *sql.Tx, o *row, req ips.Request, client *ips.Client, lease string, h *heard, run bool) (said error, err error) {
	var prior []stored
	if o.is(flagAnswered) {
		if prior, err = b.answers(ctx, tx, o.key); err != nil {
			return nil, err
		}
	}
	if lease == "" && h.base.Via != ips.Queried && slices.ContainsFunc(prior, func(p stored) bool { return p.digest == h.digest && copied(o, h, p.verdict) }) {
		return nil, errSame // another program was faster
	}
	d, err := b.decide(o, req, client, lease, h, prior)
	if err != nil {
		return nil, err
	}
	mine := lease != "" && o.lease == lease
	was := o.state
	o.state = d.next
	if h.base.Via != ips.Queried {
		o.heard++
	}
	if mine {
		o.lease, o.leaseUS = "", 0
	}
	if d.effect && !run {
		o.state, d.verdict = was, waiting
		if o.state == StateSending || o.state == StateRecorded {
			o.state = StateUnknown
		}
		if !o.is(flagRedo) {
			o.tries = 0
		}
		o.set(flagRedo, true)
		if err := b.open(ctx, tx, o, matterEffect, "", nil); err != nil {
			return nil, err
		}
		o.tries++
		o.dueUS = o.now + us(b.backoff(b.pace.Grace, o.tries))
	} else {
		if o.state != was {
			o.tries = 0
		} else if mine {
			o.tries++
		}
		o.set(flagRedo, o.is(flagRedo) && !d.effect)
		if d.effect && d.late {
			o.set(flagLate, true)
		}
		b.schedule(o, req, client)
		if o.is(flagRedo) {
			o.dueUS = o.now + us(b.backoff(b.pace.Grace, o.tries+1))
		}
	}
	if err := b.keep(ctx, tx, o, h, d.verdict, prior); err != nil {
		return nil, err
	}
	if d.matter != "" {
		if err := b.open(ctx, tx, o, d.matter, h.digest[:16], d.differences); err != nil {
			return nil, err
		}
	}
	b.step("kept")
	if d.effect && run {
		o.endedUS = o.now
		effectAnswer := h.answer
		if d.next == StateRefused {
			effectAnswer = b.refusalOf(o, h, prior)
		}
		if err := b.runEffect(ctx, tx, o, req, effectAnswer); err != nil {
			return nil, err
		}
		b.step("effected")
	}
	return d.said, nil
}

// refusalOf is the answer with the code, if a query has confirmed one.
func (b *Book) refusalOf(o *row, h *heard, prior []stored) ips.Response {
	if h.base.Via == ips.Queried {
		for _, p := range prior {
			if p.verdict == doubtful {
				if data, err := b.unpack(o.key, p.body); err == nil {
					if answer, err := ips.UnmarshalResponse(o.operation(), data); err == nil {
						return answer
					}
				}
			}
		}
	}
	return h.answer
}

// decision is what an answer means for an order.
type decision struct {
	next        State
	verdict     verdict
	effect      bool // of the next state
	late        bool
	matter      matterKind
	differences []ips.Difference
	said        error
}

// decide is the book's rules. It changes nothing but the order's flags of what
// was heard.
func (b *Book) decide(o *row, req ips.Request, client *ips.Client, lease string, h *heard, prior []stored) (decision, error) {
	d := decision{next: o.state, verdict: overtaken}
	mine := lease != "" && o.lease == lease
	if o.state == StateSending && mine && h.base.Via == ips.Synchronous {
		d.next = StateUnknown // unless the answer says more
	}
	base := h.base
	if base.Outcome == ips.Undecided {
		d.verdict = undecided
		if errors.Is(h.answer.Err(), ips.ErrDuplicate) {
			o.set(flagDuplicate, true)
		}
		if o.is(flagForm) && o.state == StateRecorded && base.Via != ips.Queried {
			d.next = StateUnknown
		}
		return d, nil
	}
	if differences := ips.Compare(req, h.answer); len(differences) > 0 {
		d.verdict, d.matter, d.differences = wrong, matterWrong, differences
		if !o.state.Ended() {
			d.said = fmt.Errorf("orders: %.100q: %d differences from what was asked: %w", o.key, len(differences), ErrAnswer)
		}
		return d, nil
	}
	for i := range prior {
		p := &prior[i]
		if p.digest == h.digest || p.says != h.says || p.way == ips.Queried || p.verdict == wrong || p.verdict == contradiction {
			continue
		}
		first, err := b.unpack(o.key, p.body)
		if err != nil {
			return d, err
		}
		if differences := unlike(first, h.data); len(differences) > 0 {
			d.verdict, d.matter, d.differences = contradiction, matterContradiction, differences
			if !o.state.Ended() {
				d.said = fmt.Errorf("orders: %.100q: %d differences from an earlier answer: %w", o.key, len(differences), ErrAnswer)
			}
			return d, nil
		}
		if p.verdict != waiting && o.state != StateRowsDue {
			d.verdict = same
			if o.state.Ended() {
				return d, nil
			}
		}
	}
	queried := base.Via == ips.Queried
	if queried && o.is(flagDuplicate) {
		return d, nil
	}
	if queried && o.is(flagDoubt) && base.Outcome != ips.Failure {
		// IPS has refused it and knows it as done or in work: a person must look.
		d.matter = matterDoubt
		return d, nil
	}
	if base.Unlisted && !queried && !o.state.Ended() && o.state != StateRowsDue && b.askable(o, req, client) {
		o.set(flagDoubt, true)
		d.verdict = doubtful
		if d.next != StatePending {
			d.next = StateUnknown
		}
		return d, nil
	}
	if base.Outcome == ips.Failure && slices.ContainsFunc(prior, func(p stored) bool { return p.way == ips.Queried && p.says == "success?" }) && !o.state.Ended() && o.state != StateRowsDue {
		// Asked, IPS has said that it was carried out: a person must look, if none does.
		if !o.is(flagDoubt) {
			d.matter = matterDoubt
		}
		return d, nil
	}
	next, change, err := b.state(o, req, client, mine, base).Next(base)
	batch := rowsOf(req) > 0
	switch {
	case change == ips.Changed && next == ips.OrderRefused && !queried && o.handed+o.sent > 1 && (o.fen > 0 || b.askable(o, req, client)):
		// It may be about another carrying or sending than the one that went through.
		d.verdict = doubtful
		if d.next != StatePending {
			d.next = StateUnknown
		}
	case errors.Is(err, ips.ErrContradiction):
		d.verdict, d.matter = contradiction, matterContradiction
		if !o.state.Ended() {
			d.said = fmt.Errorf("orders: %.100q: %w: %w", o.key, ErrAnswer, err)
		}
	case err != nil:
		return d, err
	case o.state == StateRowsDue && base.Outcome == ips.Success && !queried:
		d.next, d.verdict, d.effect = StateDone, taken, true
	case change == ips.Late:
		if !o.is(flagKept) || queried {
			d.verdict, d.matter = tooLate, matterLate
			break
		}
		d.next, d.verdict, d.effect, d.late = StateDone, taken, true, true
	case change == ips.Changed && next == ips.OrderDone && queried && batch:
		d.next, d.verdict = StateRowsDue, taken
	case change == ips.Changed:
		d.next, d.verdict = State(next), taken
		d.effect = d.next.Ended()
	}
	return d, nil
}

// state is what the rules of package ips call an order's state. A refusal counts
// at once only if nothing of the order can have been carried out before: by the
// first call itself, or of a form that was handed out once or that no query can
// tell of.
func (b *Book) state(o *row, req ips.Request, client *ips.Client, mine bool, base *ips.Reply) ips.OrderState {
	switch o.state {
	case StateSending:
		if mine && o.sent == 1 && base.Via == ips.Synchronous {
			return ips.OrderRecorded
		}
		return ips.OrderUnknown
	case StateRecorded:
		if o.is(flagForm) && o.handed <= 1 || !b.askable(o, req, client) && o.is(flagForm) {
			return ips.OrderRecorded
		}
		return ips.OrderUnknown
	case StatePending:
		return ips.OrderPending
	case StateRowsDue, StateDone:
		return ips.OrderDone
	case StateRefused, StateClosed:
		return ips.OrderRefused
	default:
		return ips.OrderUnknown
	}
}

// rowsOf is how many rows a batch has, 0 for what is none.
func rowsOf(req ips.Request) int {
	if f := reflect.Indirect(reflect.ValueOf(req)).FieldByName("Rows"); f.IsValid() && f.Kind() == reflect.Slice {
		return f.Len()
	}
	return 0
}

// unlike compares two answers that say the same, field by field. What one of them
// leaves out is no difference, nor is a text for people.
func unlike(first, second []byte) []ips.Difference {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(first, &a) != nil || json.Unmarshal(second, &b) != nil {
		return []ips.Difference{{Wire: "pReq"}}
	}
	var all []ips.Difference
	for name, x := range a {
		switch name {
		case "Operation", "Via", "Message", "Extra", "Code", "IPSTime", "Date": // an end of a bid has the day of its sending
			continue
		}
		if y, ok := b[name]; ok && !nothing(x) && !nothing(y) && string(x) != string(y) {
			all = append(all, ips.Difference{Wire: name, Asked: cut(string(x), 200), Said: cut(string(y), 200)})
		}
	}
	return all
}

func nothing(v json.RawMessage) bool {
	switch string(v) {
	case `""`, "null", "0", `"0.00"`, "[]", "false":
		return true
	}
	return false
}

// answers are all that the book has kept of an order. Most have one or two.
func (b *Book) answers(ctx context.Context, tx Tx, key string) ([]stored, error) {
	rows, err := tx.QueryContext(ctx, b.query("SELECT digest, says, way, verdict, heard_us, body FROM ips_answer WHERE order_key = ? ORDER BY heard_us, digest"), key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []stored
	for rows.Next() {
		var s stored
		if err := rows.Scan(&s.digest, &s.says, &s.way, &s.verdict, &s.heardUS, &s.body); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// keep keeps an answer.
func (b *Book) keep(ctx context.Context, tx *sql.Tx, o *row, h *heard, v verdict, prior []stored) error {
	for i := range prior {
		if prior[i].digest == h.digest {
			if prior[i].verdict == v || v == overtaken && prior[i].verdict != waiting {
				return nil
			}
			_, err := tx.ExecContext(ctx, b.query("UPDATE ips_answer SET verdict = ? WHERE order_key = ? AND digest = ?"), string(v), o.key, h.digest)
			return err
		}
	}
	body, err := b.pack(o.key, h.data)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, b.query("INSERT INTO ips_answer (order_key, digest, says, way, verdict, heard_us, body) VALUES (?, ?, ?, ?, ?, ?, ?)"),
		o.key, h.digest, h.says, int64(h.base.Via), string(v), o.now, body)
	o.set(flagAnswered, true)
	o.told = true
	return err
}

// stranger counts an answer about an order that nobody has recorded: another
// program's under the same merchant code, or one that was lost with the database.
// What has moved out still knows how it ended.
func (b *Book) stranger(ctx context.Context, begin string, h *heard) error {
	acknowledged := false
	err := b.within(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
		acknowledged = false
		gone := row{}
		err := tx.QueryRowContext(ctx, b.query("SELECT order_key, state, {now} FROM ips_gone WHERE order_key >= ? AND order_key < ? ORDER BY order_key DESC LIMIT 1"),
			begin, behind(begin)).Scan(&gone.key, &gone.state, &gone.now)
		if err == nil {
			acknowledged = true
			switch {
			case h.base.Outcome == ips.Success && gone.state != StateDone:
				return b.open(ctx, tx, &gone, matterLate, h.digest[:16], nil)
			case h.base.Outcome == ips.Failure && gone.state == StateDone:
				return b.open(ctx, tx, &gone, matterContradiction, h.digest[:16], nil)
			}
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var first, now int64
		result, err := tx.ExecContext(ctx, b.query("UPDATE ips_stray SET times = times + 1, last_us = {now}, says = ? WHERE order_key = ?"), h.says, begin)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			_, insertErr := tx.ExecContext(ctx, b.query("INSERT INTO ips_stray (order_key, first_us, last_us, times, says) VALUES (?, {now}, {now}, 1, ?)"), begin, h.says)
			return errors.Join(err, insertErr)
		}
		if err := tx.QueryRowContext(ctx, b.query("SELECT first_us, {now} FROM ips_stray WHERE order_key = ?"), begin).Scan(&first, &now); err != nil {
			return err
		}
		acknowledged = now-first > us(b.pace.Strangers)
		return nil
	})
	if err != nil {
		return fmt.Errorf("orders: hear: %w", b.dialect.explain(err))
	}
	if acknowledged {
		return nil
	}
	return fmt.Errorf("orders: answer about %.100q: %w", begin, ErrUnrecorded)
}

// Stray is an order that IPS has spoken of and the book does not know: another
// program's under the same merchant code, or one that was lost.
type Stray struct {
	Key         string // merchant code, operation, number
	Says        string // success, pending or a code
	First, Last time.Time
	Times       int
}

// Strays are the orders that the book does not know, those heard of last first.
func (b *Book) Strays(ctx context.Context, limit int) ([]Stray, error) {
	rows, err := b.db.QueryContext(ctx, b.query("SELECT order_key, says, first_us, last_us, times FROM ips_stray ORDER BY last_us DESC LIMIT ?"), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Stray
	for rows.Next() {
		var s Stray
		var first, last int64
		if err := rows.Scan(&s.Key, &s.Says, &first, &last, &s.Times); err != nil {
			return nil, err
		}
		s.First, s.Last = at(first), at(last)
		all = append(all, s)
	}
	return all, rows.Err()
}
