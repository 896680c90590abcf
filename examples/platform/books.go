package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// 对账: the platform's books against IPS's. Every look at the page carries the
// comparison on for lookTime from where it was left, by whichever program; what it
// has found is kept, until a look begins another freshTime after its end.
const lookTime, freshTime = 5 * time.Second, time.Minute

// ours are the books that the book compares.
func (a *App) ours() orders.Books {
	return orders.Books{
		Accounts: func(ctx context.Context, after string) (accounts []string, err error) {
			type account struct{ Account string }
			d := a.data.read(ctx)
			for _, c := range rows[account](d, "SELECT account FROM (SELECT account FROM users UNION SELECT ? AS account) a WHERE account > ? ORDER BY account LIMIT 100", a.client.MerchantCode(), after) {
				accounts = append(accounts, c.Account)
			}
			return accounts, d.err
		},
		Holding: func(ctx context.Context, account string) (orders.Holding, error) {
			d := a.data.read(ctx)
			return d.holding(account), d.err
		},
	}
}

// compare carries the last comparison on, or begins another.
func (a *App) compare(ctx context.Context) (Comparison, error) {
	now, c := a.now().Truncate(time.Microsecond), Comparison{}
	if err := a.data.tx(ctx, func(w *work) {
		last, ok := maybe[Comparison](w, "1 = 1")
		if c = last; ok && (c.EndedAt.IsZero() || now.Sub(c.EndedAt) <= freshTime) {
			return
		}
		// Who begins another in the same instant finds the key taken, looks again and joins.
		w.exec("DELETE FROM comparisons WHERE began_at = ?", c.BeganAt.UnixMicro())
		w.exec("DELETE FROM differences")
		c = Comparison{Name: "last", BeganAt: now}
		add(w, c)
	}); err != nil || !c.EndedAt.IsZero() {
		return c, err
	}
	kept, found, until, other := c, []Difference(nil), time.Now().Add(lookTime), false
	keep := func() error {
		err := a.data.tx(ctx, func(w *work) {
			// Unless another look has gone on meanwhile.
			n := w.exec("UPDATE comparisons SET up_to = ?, looked = ?, ended_at = ? WHERE began_at = ? AND up_to = ? AND ended_at = 0", append(fields(&c)[2:], c.BeganAt.UnixMicro(), kept.UpTo)...)
			if other = n == 0; other {
				c, found = find[Comparison](w, "1 = 1"), nil
			}
			for _, f := range found {
				add(w, f)
			}
		})
		kept, found = c, nil
		return err
	}
	for line, err := range a.book.Compare(ctx, a.ours(), c.UpTo) {
		if err != nil {
			a.log.Warn("the comparison goes on later", "err", errors.Join(err, keep()))
			return c, complain("IPS 暂时没有答复。对账停在第 %d 户，再打开本页时从断点继续", c.Looked)
		}
		c.UpTo, c.Looked = line.Account, c.Looked+1
		if line.Differs() {
			record, _ := json.Marshal(line.Record()) // of texts: it cannot fail
			found = append(found, Difference{line.Account, string(record)})
		}
		late := time.Now().After(until)
		if late || len(found) == perPage {
			if err := keep(); err != nil || late || other {
				return c, err
			}
		}
	}
	c.EndedAt = now
	return c, keep()
}

func (a *App) books(d *work, r *http.Request, v *visit) (string, []Part) {
	c, err := a.compare(r.Context())
	d.fail(err)
	table := listed(d, r, listing{head: orders.DifferenceColumns(), columns: columnsOf[Difference](""), from: "differences", where: "1 = 1", sorts: []choice{{"", "", "account"}}}, func(f Difference) (cells []Cell) {
		for _, s := range f.columns() {
			cells = append(cells, text(s))
		}
		return cells
	})
	count := d.count("SELECT COUNT(*) FROM differences")
	said := map[bool]string{true: "全部一致。", false: fmt.Sprintf("%d 户不一致，有未决订单的可能只是暂时。", count)}[count == 0]
	said = fmt.Sprintf("%s 开始，已逐户核对 %d 户的可用和冻结余额：%s", when(c.BeganAt), c.Looked, said)
	if c.EndedAt.IsZero() {
		v.again = 1
		said += "尚未完成，本页会自动继续。"
	}
	table.Text = said
	day := func(ago int) string { return ips.DateOf(a.now().AddDate(0, 0, -ago)).String() }
	return "账目核对", []Part{table, {Heading: "下载（CSV）", Links: []Link{{"差异", "/admin/books/differences.csv"}, {"今日订单", "/admin/books/orders.csv?day=" + day(0)}, {"昨日订单", "/admin/books/orders.csv?day=" + day(1)}}}}
}

// columns are those of the CSV file.
func (f Difference) columns() (all []string) {
	_ = json.Unmarshal([]byte(f.Line), &all) // what compare has written
	return all
}

// differencesFile are the differences of the last comparison, as a file.
func (a *App) differencesFile(w http.ResponseWriter, r *http.Request, _ *visit) error {
	return a.download(w, "differences", func() error {
		_, _ = io.WriteString(w, "\ufeff") // for spreadsheets
		d, out := a.data.read(r.Context()), csv.NewWriter(w)
		_ = out.Write(orders.DifferenceColumns())
		for page := []Difference{{}}; len(page) > 0; {
			page = list[Difference](d, "account > ? ORDER BY account LIMIT 500", page[len(page)-1].Account)
			for _, f := range page {
				_ = out.Write(f.columns())
			}
		}
		out.Flush()
		return errors.Join(d.err, out.Error())
	})
}

// ordersFile are the orders of a day, as a file.
func (a *App) ordersFile(w http.ResponseWriter, r *http.Request, _ *visit) error {
	day, err := ips.ParseDate(r.URL.Query().Get("day"))
	if err != nil {
		return complain("日期须为八位数字，如 20260131")
	}
	return a.download(w, "orders-"+day.String(), func() error {
		return a.book.WriteOrders(r.Context(), w, day.Time(), day.Time().AddDate(0, 0, 1))
	})
}

// download writes a file, piece by piece. If that fails the connection is broken
// off: half a file must not look like one.
func (a *App) download(w http.ResponseWriter, name string, write func() error) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	if err := write(); err != nil {
		a.log.Error("download", "file", name, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
