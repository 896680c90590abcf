package orders

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
)

// matterKind is why a person must look at an order.
type matterKind string

const (
	matterWrong         matterKind = "wrong"
	matterContradiction matterKind = "contradiction"
	matterLate          matterKind = "late"
	matterEffect        matterKind = "effect"
	matterDoubt         matterKind = "doubt"
	matterUnknown       matterKind = "unknown"
	matterRows          matterKind = "rows"
	matterForm          matterKind = "form"
	matterAgain         matterKind = "again"
)

var matterTexts = map[matterKind][2]string{
	matterWrong:         {"答复与请求不符", "an answer says otherwise than was asked"},
	matterContradiction: {"答复与先前的答复矛盾", "an answer contradicts an earlier one"},
	matterLate:          {"订单已放弃，之后环迅却通知成功", "a success of an order that was given up"},
	matterEffect:        {"业务处理失败，仍在重试", "the effect of an answer fails; it is tried again"},
	matterDoubt:         {"环迅以未知代码拒绝，查询却未能证实", "refused by an unlisted code, and a query does not confirm it"},
	matterUnknown:       {"订单结果长时间未知", "the order's fate is unknown for too long"},
	matterRows:          {"批量已执行，但各明细结果未知", "the batch was carried out, and which of its rows is unknown"},
	matterAgain:         {"同样的明细再次失败，尚未重发", "the same rows have failed again, and are not sent once more"},
	matterForm:          {"表单已交给用户，环迅无任何答复，也无法查询", "a form was handed out, nothing was heard, and no query can tell"},
}

// Matter is something that a person must decide.
type Matter struct {
	Key              string
	Kind             string // wrong, contradiction, late, effect, doubt, unknown, rows, form or again
	Chinese, English string
	Order            Order // without Request if it has moved out
	Differences      []ips.Difference
	Opened           time.Time
}

// open opens a matter of an order, once.
func (b *Book) open(ctx context.Context, tx Tx, o *row, kind matterKind, detail string, differences []ips.Difference) error {
	key := strings.TrimSuffix(o.key+"#"+string(kind)+"#"+detail, "#")
	var closed int64
	o.set(flagMatter, true)
	err := tx.QueryRowContext(ctx, b.query("SELECT closed_us FROM ips_matter WHERE matter_key = ?"), key).Scan(&closed)
	if err == nil && closed == 0 {
		return nil
	}
	o.opened = true
	if err == nil {
		_, err = tx.ExecContext(ctx, b.query("UPDATE ips_matter SET closed_us = 0, opened_us = ? WHERE matter_key = ?"), o.now, key)
		return err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	data, err := json.Marshal(differences)
	if err != nil {
		return err
	}
	body, err := b.pack(o.key, data)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, b.query("INSERT INTO ips_matter (matter_key, order_key, kind, opened_us, closed_us, who, why, detail) VALUES (?, ?, ?, ?, 0, '', '', ?)"),
		key, o.key, string(kind), o.now, body)
	return err
}

// settleMatters closes what the end of an order answers. An answer that does not
// fit stays for a person to see, though the order has ended as was asked: nobody
// but IPS and the merchant can sign one.
func (b *Book) settleMatters(ctx context.Context, tx *sql.Tx, o *row) error {
	if !o.is(flagMatter) {
		return nil
	}
	_, err := tx.ExecContext(ctx, b.query("UPDATE ips_matter SET closed_us = ?, who = '', why = ? WHERE order_key = ? AND closed_us = 0 AND kind IN ('effect', 'doubt', 'unknown', 'rows', 'form', 'again')"),
		o.now, "the order is "+string(o.state), o.key)
	return err
}

// Matters are what a person must decide, the oldest first. For the next page give
// the last matter of this one; the zero Matter begins.
func (b *Book) Matters(ctx context.Context, after Matter, limit int) ([]Matter, error) {
	from := after.Opened.UnixMicro()
	if after.Key == "" {
		from = 0
	}
	return b.mattersBy(ctx, "closed_us = 0 AND (opened_us > ? OR opened_us = ? AND matter_key > ?) ORDER BY opened_us, matter_key LIMIT ?", from, from, after.Key, limit)
}

func (b *Book) mattersBy(ctx context.Context, where string, args ...any) ([]Matter, error) {
	rows, err := b.db.QueryContext(ctx, b.query("SELECT matter_key, order_key, kind, opened_us, detail FROM ips_matter WHERE "+where), args...)
	if err != nil {
		return nil, err
	}
	var all []Matter
	for rows.Next() {
		m, err := b.scanMatter(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, m)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i := range all {
		if err := b.fill(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (b *Book) scanMatter(from interface{ Scan(...any) error }) (Matter, error) {
	var m Matter
	var opened int64
	var detail []byte
	if err := from.Scan(&m.Key, &m.Order.Key, &m.Kind, &opened, &detail); err != nil {
		return m, err
	}
	m.Opened = at(opened)
	m.Chinese, m.English = matterTexts[matterKind(m.Kind)][0], matterTexts[matterKind(m.Kind)][1]
	data, err := b.unpack(m.Order.Key, detail)
	if err == nil {
		err = json.Unmarshal(data, &m.Differences)
	}
	return m, err
}

// fill reads a matter's order.
func (b *Book) fill(ctx context.Context, m *Matter) error {
	o, err := b.Order(ctx, m.Order.Key)
	if errors.Is(err, ErrUnrecorded) {
		return nil // it has moved out
	}
	m.Order = o
	return err
}

// Matter is the open matter with a key.
func (b *Book) Matter(ctx context.Context, key string) (Matter, error) {
	m, err := b.scanMatter(b.db.QueryRowContext(ctx, b.query("SELECT matter_key, order_key, kind, opened_us, detail FROM ips_matter WHERE matter_key = ? AND closed_us = 0"), key))
	if errors.Is(err, sql.ErrNoRows) {
		return m, fmt.Errorf("orders: no open matter %.160q: %w", key, ErrUnrecorded)
	}
	if err != nil {
		return m, err
	}
	return m, b.fill(ctx, &m)
}

// Verdict is what a person decides.
type Verdict string

// The verdicts.
const (
	IsDone    Verdict = "done"    // it was carried out: the order becomes done and its effect runs, with the success that IPS has told of if that came late or its effect failed
	IsRefused Verdict = "refused" // it was not: the order becomes refused and its effect runs
	SendAgain Verdict = "again"   // the very same message is sent again; not of a form
	Seen      Verdict = "seen"    // nothing is to be done, or it was done by hand
)

// Decision is a verdict with who gave it and why.
type Decision struct {
	Verdict  Verdict
	Who, Why string // both are kept with the order, and must be given
	// Failed are the rows of a batch that were not carried out, counted from 0; of
	// the others IsDone says that they were.
	Failed []int
	// Number is what IsDone of an account opening or a contract must say: the number
	// of the account (托管账户 pIpsAcctNo), for which IPS is asked
	// ([ips.Client.QueryAccount]), or of the contract (授权号 pIpsAuthNo).
	Number string
}

// Decide closes a matter by a person's decision. The error is [ErrBusy] while
// somebody is sending the order or asking for it, and [ErrEnded] if the decision
// comes too late.
func (b *Book) Decide(ctx context.Context, matter string, d Decision) error {
	if strings.TrimSpace(d.Who) == "" || strings.TrimSpace(d.Why) == "" {
		return errors.New("orders: a decision needs who and why")
	}
	m, err := b.Matter(ctx, matter)
	if err != nil {
		return err
	}
	if d.Verdict == Seen && m.Order.Request == nil { // it has moved out
		_, err := b.closeMatter(ctx, nil, matter, d, 0)
		return err
	}
	if d.Verdict == IsDone {
		prior, err := b.answers(ctx, b.db, m.Order.Key)
		if err != nil {
			return err
		}
		if told, err := b.told(m.Order.Key, m.Order.Operation, prior); err != nil || told == nil {
			if err = errors.Join(err, b.checkNumber(ctx, m.Order, d.Number)); err != nil {
				return err
			}
		}
	}
	o, err := b.change(ctx, m.Order.Key, "decided "+string(d.Verdict), d.Who, d.Why, func(ctx context.Context, tx *sql.Tx, o *row) error {
		req, err := b.request(o)
		if err != nil {
			return err
		}
		client, err := b.clients(ctx, o.merchant)
		if err != nil {
			return err
		}
		if o.leased() {
			return fmt.Errorf("orders: %.100q: %w", o.key, ErrBusy)
		}
		if n, err := b.closeMatter(ctx, tx, matter, d, o.now); err != nil || n != 1 {
			return errors.Join(err, fmt.Errorf("orders: matter %.160q is closed: %w", matter, ErrEnded))
		}
		late := o.state == StateRefused || o.state == StateClosed
		if o.state == StateDone && d.Verdict != Seen || late && (d.Verdict == IsRefused || d.Verdict == SendAgain) {
			return fmt.Errorf("orders: %.100q is %s: %w", o.key, o.state, ErrEnded)
		}
		switch d.Verdict {
		case Seen:
			return nil
		case SendAgain:
			if o.is(flagForm) || o.state != StateUnknown && o.state != StateRecorded && o.state != StateSending {
				return fmt.Errorf("orders: %.100q is %s and cannot be sent again", o.key, o.state)
			}
			if o.state == StateSending {
				o.state = StateUnknown
			}
			o.set(flagAgain, true)
			o.set(flagHeld, false)
			o.dueUS, o.tries = o.now, 0
			return nil
		case IsDone, IsRefused:
		default:
			return fmt.Errorf("orders: no verdict %.20q", string(d.Verdict))
		}
		prior, err := b.answers(ctx, tx, o.key)
		if err != nil {
			return err
		}
		answer, err := b.told(o.key, o.operation(), prior)
		if err == nil && (answer == nil || d.Verdict == IsRefused || d.Failed != nil) {
			answer, err = decided(o, req, d)
		}
		if err != nil {
			return err
		}
		h, err := hearing(answer)
		if err != nil {
			return err
		}
		o.state = map[Verdict]State{IsDone: StateDone, IsRefused: StateRefused}[d.Verdict]
		o.set(flagLate, o.is(flagLate) || late)
		o.set(flagRedo, false)
		o.endedUS = o.now
		b.schedule(o, req, client)
		if err := b.keep(ctx, tx, o, h, taken, prior); err != nil {
			return err
		}
		return b.runEffect(ctx, tx, o, req, answer)
	})
	if err == nil && (len(o.further) > 0 || d.Verdict == SendAgain) {
		b.nudge()
	}
	return err
}

// told is the success that IPS has told of an order too late, or whose effect has
// not been carried out; nil if it has told none.
func (b *Book) told(key string, op ips.Operation, prior []stored) (ips.Response, error) {
	for _, p := range prior {
		if (p.verdict == tooLate || p.verdict == waiting) && p.says == ips.Success.String() {
			data, err := b.unpack(key, p.body)
			if err != nil {
				return nil, err
			}
			return ips.UnmarshalResponse(op, data)
		}
	}
	return nil, nil
}

// checkNumber holds the number that a person gives of a new account or contract
// against the request, and against what IPS knows of the account.
func (b *Book) checkNumber(ctx context.Context, o Order, number string) error {
	q, opening := o.Request.(ips.OpenAccountRequest)
	contract := o.Operation == ips.OpSignAutoBid || o.Operation == ips.OpSignAutoRepay
	switch {
	case (opening || contract) != (number != ""):
		return fmt.Errorf("orders: %s: a number is for account openings and contracts, and must be given there", o.Operation)
	case !opening:
		return nil
	}
	client, err := b.clients(ctx, o.Merchant)
	if err != nil {
		return err
	}
	callCtx, cancel := context.WithTimeout(ctx, b.pace.Call)
	defer cancel()
	account, err := client.QueryAccount(callCtx, number)
	switch {
	case err != nil:
		return fmt.Errorf("orders: whether the account is there: %w", err)
	case account.Status != ips.AccountActive, account.Email != "" && !strings.EqualFold(account.Email, q.Email):
		return fmt.Errorf("orders: IPS knows no such account of this user: it is %s: %w", account.Status, ErrAnswer)
	}
	return nil
}

func (b *Book) closeMatter(ctx context.Context, tx *sql.Tx, matter string, d Decision, now int64) (int64, error) {
	var on Tx = b.db
	if tx != nil {
		on = tx
	}
	var when any // nil: now
	if now > 0 {
		when = now
	}
	result, err := on.ExecContext(ctx, b.query("UPDATE ips_matter SET closed_us = COALESCE(?, {now}), who = ?, why = ? WHERE matter_key = ? AND closed_us = 0"),
		when, cut(d.Who, 100), cut(string(d.Verdict)+": "+d.Why, 1000), matter)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// decided makes the answer that a person's verdict stands for. It repeats the
// request, as an answer of IPS does, and came by no way of IPS.
func decided(o *row, req ips.Request, d Decision) (ips.Response, error) {
	data, err := ips.MarshalRequest(req)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	if text, ok := fields["Rows"]; ok {
		var rows []map[string]json.RawMessage
		if err := json.Unmarshal(text, &rows); err != nil {
			return nil, err
		}
		for i := range rows {
			rows[i]["Status"] = json.RawMessage(`"` + string(ips.RowDone) + `"`)
		}
		for _, i := range d.Failed {
			if i < 0 || i >= len(rows) {
				return nil, fmt.Errorf("orders: the batch has no row %d", i)
			}
			rows[i]["Status"] = json.RawMessage(`"` + string(ips.RowFailed) + `"`)
		}
		if fields["Rows"], err = json.Marshal(rows); err != nil {
			return nil, err
		}
	}
	if data, err = json.Marshal(fields); err != nil {
		return nil, err
	}
	answer, err := ips.UnmarshalResponse(ips.OperationOf(req), data)
	if err != nil {
		return nil, err
	}
	switch a := answer.(type) {
	case *ips.OpenAccountResponse:
		a.Account = d.Number
	case *ips.SignAutoBidResponse:
		a.AuthNo = d.Number
	case *ips.SignAutoRepayResponse:
		a.AuthNo = d.Number
	}
	base := answer.Base()
	base.Operation, base.MerchantCode, base.OrderNo, base.Message = ips.OperationOf(req), o.merchant, o.no, "decided by a person"
	base.Outcome = map[Verdict]ips.Outcome{IsDone: ips.Success, IsRefused: ips.Failure}[d.Verdict]
	return answer, nil
}
