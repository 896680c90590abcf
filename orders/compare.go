package orders

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
)

// Holding is what an account holds.
type Holding struct {
	Available ips.Amount // 可用余额
	Frozen    ips.Amount // 冻结余额
}

// Books are the merchant's own books, for [Book.Compare].
type Books struct {
	// Merchant is the merchant code; empty for the only one.
	Merchant string
	// Accounts are the next accounts behind one of them, some hundred, in an order
	// that stays; behind "" are the first, behind the last is none. All of them, or
	// those in which something moved that day; the merchant's own account is his
	// merchant code.
	Accounts func(ctx context.Context, after string) ([]string, error)
	// Holding is what an account holds by the merchant's books.
	Holding func(ctx context.Context, account string) (Holding, error)
}

// Compared is an account in the merchant's books and at IPS.
type Compared struct {
	Account   string
	Own, IPS  Holding
	Unsettled ips.Amount // 未结算余额 at IPS; nothing is held against it
	Refusal   *ips.Error // IPS says no balances of this account
	// Open is how many orders without an end name the account, which may be why the
	// two differ. It is counted of accounts that differ, at most 10 minutes before.
	Open int
	// Moving: the merchant's own figures changed during each of the looks, so that
	// the difference says little.
	Moving bool
}

// Differs reports whether the two say different things, or IPS nothing.
func (c Compared) Differs() bool { return c.Own != c.IPS || c.Refusal != nil }

// Looks at an account that differs, or whose figures change meanwhile, before it
// is said (our choice).
const looks = 3

// Compare holds the merchant's books against IPS's (对账): for each account what
// he says against [ips.Client.QueryBalance], in the order of his accounts, some
// at a time ([Pace] Workers) and with the rate of [Book.Run]. An account that
// differs is looked at again before it is said, because its money may be moving.
// Nothing is changed or decided by it.
//
// An error ends it. To go on after that or after a crash keep the last account
// that was said, and give it as after:
//
//	for c, err := range book.Compare(ctx, books, after) {
//		if err != nil {
//			return err
//		}
//		if c.Differs() {
//			file.Write(c.Record())
//		}
//		after = c.Account // keep it, with the differences
//	}
func (b *Book) Compare(ctx context.Context, books Books, after string) iter.Seq2[Compared, error] {
	return func(yield func(Compared, error) bool) {
		fail := func(err error) { yield(Compared{}, fmt.Errorf("orders: compare: %w", err)) }
		client, err := b.clients(ctx, books.Merchant)
		if err != nil {
			fail(err)
			return
		}
		var open map[string]int
		var counted time.Time
		for {
			page, err := books.Accounts(ctx, after)
			if err != nil {
				fail(err)
				return
			}
			if len(page) == 0 {
				return
			}
			if page[len(page)-1] == after {
				fail(errors.New("the accounts come to no end: the last one again"))
				return
			}
			for len(page) > 0 {
				some := make([]Compared, min(len(page), b.pace.Workers))
				errs := make([]error, len(some))
				var busy sync.WaitGroup
				for i := range some {
					busy.Go(func() { some[i], errs[i] = b.compare(ctx, client, books, page[i]) })
				}
				busy.Wait()
				for i, c := range some {
					if errs[i] != nil {
						fail(errs[i])
						return
					}
					if c.Differs() {
						if time.Since(counted) > 10*time.Minute {
							if open, err = b.openAccounts(ctx, client.MerchantCode()); err != nil {
								fail(err)
								return
							}
							counted = time.Now()
						}
						c.Open = open[c.Account]
					}
					if !yield(c, nil) {
						return
					}
					after = c.Account
				}
				page = page[len(some):]
			}
		}
	}
}

// compare looks at one account until both say the same, or often enough.
func (b *Book) compare(ctx context.Context, client *ips.Client, books Books, account string) (c Compared, err error) {
	for n := 1; ; n++ {
		if n > 1 {
			pause := time.NewTimer(b.pace.Poll)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				return c, ctx.Err()
			}
		}
		c = Compared{Account: account}
		if c.Own, err = books.Holding(ctx, account); err != nil {
			return c, err
		}
		if err := b.calls.pass(ctx, b.pace.PerSecond); err != nil {
			return c, err
		}
		callCtx, cancel := context.WithTimeout(ctx, b.pace.Call)
		balance, err := client.QueryBalance(callCtx, account)
		cancel()
		switch {
		case errors.As(err, &c.Refusal):
		case err != nil && (n == looks || ctx.Err() != nil):
			return c, err
		case err != nil:
			continue
		default:
			c.IPS, c.Unsettled = Holding{balance.Available, balance.Frozen}, balance.Unsettled
		}
		now, err := books.Holding(ctx, account)
		if err != nil {
			return c, err
		}
		c.Moving = now != c.Own
		if !c.Differs() || n == looks {
			return c, nil
		}
	}
}

// openAccounts counts the orders without an end by the accounts that they name.
func (b *Book) openAccounts(ctx context.Context, merchant string) (map[string]int, error) {
	count := make(map[string]int)
	return count, b.list(ctx, rowColumns, 0, 1, func(o *row) error {
		if o.merchant != merchant {
			return nil
		}
		req, err := b.request(o)
		if err != nil {
			return err
		}
		named := make(map[string]bool)
		accountsOf(reflect.ValueOf(req), named)
		for account := range named {
			count[account]++
		}
		return nil
	})
}

// accountsOf are the accounts that a request and its rows name.
func accountsOf(v reflect.Value, into map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		accountsOf(v.Elem(), into)
	case reflect.Slice:
		for i := range v.Len() {
			accountsOf(v.Index(i), into)
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			switch {
			case !field.IsExported():
			case value.Kind() == reflect.String && strings.HasSuffix(field.Name, "Account") && value.String() != "":
				into[value.String()] = true
			case value.Kind() == reflect.Slice:
				accountsOf(value, into)
			}
		}
	}
}

// list reads the orders whose end lies between two times, page by page, so that
// no connection is held while f works. The end of an open order is 0.
func (b *Book) list(ctx context.Context, columns string, from, to int64, f func(*row) error) error {
	const size = 500
	last := row{endedUS: from, madeUS: -1}
	for {
		rows, err := b.db.QueryContext(ctx, b.query("SELECT "+columns+", {now} FROM ips_order WHERE ended_us >= ? AND ended_us < ? "+
			"AND (ended_us > ? OR made_us > ? OR made_us = ? AND order_key > ?) ORDER BY ended_us, made_us, order_key LIMIT ?"),
			last.endedUS, to, last.endedUS, last.madeUS, last.madeUS, last.key, size)
		if err != nil {
			return err
		}
		var page []*row
		for rows.Next() {
			var o row
			if err := rows.Scan(o.into()...); err != nil {
				return errors.Join(err, rows.Close())
			}
			page = append(page, &o)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, o := range page {
			if err := f(o); err != nil {
				return err
			}
		}
		if len(page) < size {
			return nil
		}
		last = *page[size-1]
	}
}

// DifferenceColumns are the headings of [Compared.Record].
func DifferenceColumns() []string {
	return []string{"账户", "我方可用", "我方冻结", "环迅可用", "环迅冻结", "环迅未结算", "差额(环迅-我方)", "未结束订单", "说明"}
}

// Record is the account as a line of a CSV file for encoding/csv, sums in yuan.
// What a spreadsheet would take for a formula, or round because it has too many
// digits, begins with an apostrophe.
func (c Compared) Record() []string {
	note := ""
	switch {
	case c.Refusal != nil:
		note = "环迅未给余额：" + string(c.Refusal.Code) + " " + c.Refusal.Message
	case c.Moving:
		note = "我方余额在核对期间有变动"
	}
	difference := c.IPS.Available + c.IPS.Frozen - c.Own.Available - c.Own.Frozen
	return []string{cell(c.Account), c.Own.Available.String(), c.Own.Frozen.String(), c.IPS.Available.String(), c.IPS.Frozen.String(),
		c.Unsettled.String(), difference.String(), fmt.Sprint(c.Open), cell(note)}
}

// cell keeps a text from being taken for a formula or a number.
func cell(text string) string {
	digits := strings.Trim(text, "0123456789") == ""
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r\n'") || digits && len(text) > 15 {
		return "'" + text
	}
	return text
}

// WriteOrders writes the orders of a day, or of another span of time, as a CSV
// file: those that ended between from and to, and those recorded before to that
// have no end yet. It streams, page by page. There is a byte order mark in front,
// for spreadsheets, and nothing of a person inside: no name, account, id number
// or card. What has moved out ([Book.Retire]) is not in it.
func (b *Book) WriteOrders(ctx context.Context, w io.Writer, from, to time.Time) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write([]string{"商户号", "业务", "商户订单号", "状态", "金额(元)", "登记时间", "结束时间", "说明"}); err != nil {
		return err
	}
	line := func(o *row) error {
		if o.madeUS >= to.UnixMicro() {
			return nil
		}
		info, _ := o.operation().Info()
		note := ""
		switch {
		case o.is(flagPart):
			note = "部分明细未成功"
		case o.is(flagLate):
			note = "放弃后到账"
		}
		return out.Write([]string{cell(o.merchant), info.Chinese, cell(o.no), inChinese(string(o.state)), ips.Amount(o.fen).String(), clock(at(o.madeUS)), clock(at(o.endedUS)), note})
	}
	// Without the bodies, which may be large.
	columns := strings.TrimSuffix(rowColumns, "body") + "''"
	if b.dialect == PostgreSQL {
		columns += "::bytea"
	}
	err := b.list(ctx, columns, max(from.UnixMicro(), 1), to.UnixMicro(), line)
	if err == nil {
		err = b.list(ctx, columns, 0, 1, line)
	}
	out.Flush()
	return errors.Join(err, out.Error())
}
