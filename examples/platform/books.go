package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// 对账: the platform's books against IPS's. Every look at the page carries the
// comparison on for some seconds from where it was left, by whichever program;
// what it has found is kept.

const (
	lookTime  = 5 * time.Second     // of one look at the page
	freshTime = time.Minute         // until a look begins another comparison
	booksTime = 90 * 24 * time.Hour // until one is forgotten
)

// ours are the books that the book compares.
func (a *App) ours() orders.Books {
	return orders.Books{
		Accounts: func(ctx context.Context, after string) (accounts []string, err error) {
			type account struct{ Account string }
			d := a.data.read(ctx)
			switch after {
			case "":
				return []string{a.client.MerchantCode()}, nil
			case a.client.MerchantCode():
				after = ""
			}
			for _, c := range rows[account](d, "SELECT account FROM users WHERE account > ? ORDER BY account LIMIT 100", after) {
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
	d, now := a.data.read(ctx), a.now().Truncate(time.Microsecond)
	c, ok := maybe[Comparison](d, "1 = 1 ORDER BY began_at DESC LIMIT 1")
	if !ok || !c.EndedAt.IsZero() && now.Sub(c.EndedAt) > freshTime {
		c = Comparison{BeganAt: now}
		add(d, c)
		for _, table := range []string{"comparisons", "differences"} {
			d.exec("DELETE FROM "+table+" WHERE began_at < ?", now.Add(-booksTime).UnixMicro())
		}
	}
	if d.err != nil || !c.EndedAt.IsZero() {
		return c, d.err
	}
	kept, found, until := c, []Difference(nil), time.Now().Add(lookTime)
	keep := func() error {
		err := a.data.tx(ctx, func(w *work) {
			// Unless another look has gone on meanwhile.
			if w.exec("UPDATE comparisons SET up_to = ?, looked = ?, ended_at = ? WHERE began_at = ? AND up_to = ? AND ended_at = 0",
				append(values(c)[1:], c.BeganAt.UnixMicro(), kept.UpTo)...) != 1 {
				w.complain("另一个页面正在对账，请稍后再看")
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
			found = append(found, Difference{c.BeganAt, line.Account, string(record)})
		}
		late := time.Now().After(until)
		if late || len(found) == perPage {
			if err := keep(); err != nil || late {
				return c, err
			}
		}
	}
	c.EndedAt = now
	return c, keep()
}

func (a *App) books(w http.ResponseWriter, r *http.Request, v *visit) error {
	c, err := a.compare(r.Context())
	if err != nil {
		return err
	}
	d := a.data.read(r.Context())
	n, limit := pageOf(r)
	differences, next := paged(r, n, list[Difference](d, "began_at = ? ORDER BY account"+limit, c.BeganAt.UnixMicro()))
	count := d.count("SELECT COUNT(*) FROM differences WHERE began_at = ?", c.BeganAt.UnixMicro())
	earlier := Part{Heading: "各次对账", Head: []string{"开始时间", "已核对（户）", "完成时间", "差异"}}
	for _, c := range list[Comparison](d, "1 = 1 ORDER BY began_at DESC LIMIT 30") {
		earlier.Rows = append(earlier.Rows, []Cell{text(when(c.BeganAt)), {Text: strconv.Itoa(c.Looked), Number: true}, text(when(c.EndedAt)),
			linked("下载 CSV", "/admin/books/differences.csv?began="+strconv.FormatInt(c.BeganAt.UnixMicro(), 10))})
	}
	if d.err != nil {
		return d.err
	}
	said := fmt.Sprintf("已逐户核对 %d 户的可用和冻结余额：", c.Looked)
	switch {
	case count > 0:
		said += fmt.Sprintf("%d 户不一致。有未决订单的账户可能暂时有出入。", count)
	default:
		said += "全部一致。"
	}
	if c.EndedAt.IsZero() {
		v.again = 1
		said += "对账尚未完成，本页会自动继续。"
	}
	table := Part{Text: said, Head: orders.DifferenceColumns(), Links: next}
	for _, f := range differences {
		var cells []Cell
		for _, s := range f.columns() {
			cells = append(cells, text(s))
		}
		table.Rows = append(table.Rows, cells)
	}
	day := func(ago int) string { return ips.DateOf(a.now().AddDate(0, 0, -ago)).String() }
	return a.show(w, v, "账目核对", table, earlier, Part{Heading: "订单明细", Links: []Link{
		{"下载今日订单 CSV", "/admin/books/orders.csv?day=" + day(0)},
		{"下载昨日订单 CSV", "/admin/books/orders.csv?day=" + day(1)},
	}})
}

// columns are those of the CSV file.
func (f Difference) columns() (all []string) {
	_ = json.Unmarshal([]byte(f.Line), &all) // what compare has written
	return all
}

// differencesFile are the differences of one comparison, as a file.
func (a *App) differencesFile(w http.ResponseWriter, r *http.Request, _ *visit) error {
	began, _ := strconv.ParseInt(r.URL.Query().Get("began"), 10, 64)
	d := a.data.read(r.Context())
	find[Comparison](d, "began_at = ?", began)
	if d.err != nil {
		return d.err
	}
	download(w, "differences-"+time.UnixMicro(began).In(ips.China).Format("20060102-150405"))
	_, _ = io.WriteString(w, "\ufeff") // for spreadsheets
	out := csv.NewWriter(w)
	_ = out.Write(orders.DifferenceColumns())
	for page := []Difference{{}}; len(page) > 0; {
		page = list[Difference](d, "began_at = ? AND account > ? ORDER BY account LIMIT 500", began, page[len(page)-1].Account)
		for _, f := range page {
			_ = out.Write(f.columns())
		}
	}
	out.Flush()
	return a.whole(errors.Join(d.err, out.Error()))
}

// ordersFile are the orders of a day, as a file.
func (a *App) ordersFile(w http.ResponseWriter, r *http.Request, _ *visit) error {
	day, err := ips.ParseDate(r.URL.Query().Get("day"))
	if err != nil {
		return complain("日期须为八位数字，如 20260131")
	}
	download(w, "orders-"+day.String())
	return a.whole(a.book.WriteOrders(r.Context(), w, day.Time(), day.Time().AddDate(0, 0, 1)))
}

// whole breaks the connection off if there is an error: half a file must not look
// like one.
func (a *App) whole(err error) error {
	if err != nil {
		a.log.Error("download", "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func download(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	w.Header().Set("Cache-Control", "no-store")
}
