package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
)

// perPage is how many rows of a list one page shows.
const perPage = 50

// listing is a query of which a page shows a part. The database counts, picks,
// sorts and cuts; what the visitor has chosen stands in the address.
type listing struct {
	heading, none        string // none is said if there is nothing, though nothing was chosen
	head                 []string
	columns, from, where string
	args                 []any
	filters              []filter
	days                 string   // the time by whose day he may pick, or ""
	sorts                []choice // the first is the usual one; their ends tell equal rows apart
	name                 string   // before the names in the address, where a page has two lists
}

// filter is what a list can be picked by; of its choices the first is all.
type filter struct {
	name, label string
	choices     []choice
}

// choice is a way to see a list: its value in the address, its name, and the SQL of
// a condition or an order.
type choice struct{ value, text, sql string }

// at is the address of the same list with something else chosen, from its first page.
func (l listing) at(r *http.Request, name, value string) string {
	query := r.URL.Query()
	query.Del(l.name + "page")
	if query.Set(l.name+name, value); value == "" {
		query.Del(l.name + name)
	}
	return strings.TrimSuffix(r.URL.Path+"?"+query.Encode(), "?")
}

// listed is the part of a page that shows the rows which the address asks for. The
// fields of T are the columns of the query, and show makes the cells of a row.
func listed[T any](d *work, r *http.Request, l listing, show func(T) []Cell) Part {
	asked := func(name string) string { return r.URL.Query().Get(l.name + name) }
	p, filters, where, order := Part{Heading: l.heading, Text: l.none, Head: l.head}, slices.Clone(l.filters), l.where, ""
	if l.days != "" {
		filters = append(filters, daysOf(l.days, asked("day")))
	}
	for _, f := range append(filters, filter{"sort", "排序", l.sorts}) {
		taken, shown := f.choices[0], []Choice{{Text: f.label}}
		for _, c := range f.choices {
			if c.value == asked(f.name) && c.value != "" {
				taken, p.Text = c, "没有符合条件的记录。"
			}
		}
		for _, c := range f.choices {
			shown = append(shown, Choice{c.text, l.at(r, f.name, c.value), c == taken})
		}
		if len(f.choices) > 1 {
			p.Filters = append(p.Filters, shown)
		}
		if f.name == "sort" {
			order = taken.sql
		} else {
			where += " AND (" + taken.sql + ")"
		}
	}
	n := d.count("SELECT COUNT(*) FROM "+l.from+" WHERE "+where, l.args...)
	last := max(1, (n+perPage-1)/perPage)
	page, _ := strconv.Atoi(asked("page"))
	page = min(max(page, 1), last)
	for _, t := range rows[T](d, "SELECT "+l.columns+" FROM "+l.from+" WHERE "+where+" ORDER BY "+order+fmt.Sprintf(" LIMIT %d OFFSET %d", perPage, (page-1)*perPage), l.args...) {
		p.Rows = append(p.Rows, show(t))
	}
	if n > 0 {
		p.Text, p.Count = "", fmt.Sprintf("共 %d 条，第 %d / %d 页", n, page, last)
	} else if p.Text == l.none {
		p.Filters = nil
	}
	if page > 1 {
		p.Links = append(p.Links, Link{"上一页", l.at(r, "page", strconv.Itoa(page-1))})
	}
	if page < last {
		p.Links = append(p.Links, Link{"下一页", l.at(r, "page", strconv.Itoa(page+1))})
	}
	return p
}

// onDay is a time that leads to all of its day.
func onDay(r *http.Request, t time.Time) Cell {
	return linked(when(t), listing{}.at(r, "day", ips.DateOf(t).String()))
}

// daysOf picks by when something was, in China: some usual times, and the day that
// the address names.
func daysOf(column, day string) filter {
	now := time.Now().In(ips.China)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, ips.China)
	between := func(from, to time.Time) string {
		return fmt.Sprintf("%s >= %d AND %[1]s < %[3]d", column, from.UnixMicro(), to.UnixMicro())
	}
	end := today.AddDate(0, 0, 1)
	f := filter{"day", "日期", []choice{
		{"", "全部", "1 = 1"}, {"today", "今天", between(today, end)}, {"yesterday", "昨天", between(today.AddDate(0, 0, -1), today)},
		{"7", "近 7 天", between(today.AddDate(0, 0, -6), end)}, {"30", "近 30 天", between(today.AddDate(0, 0, -29), end)},
	}}
	if from, err := time.ParseInLocation("20060102", day, ips.China); err == nil {
		f.choices = append(f.choices, choice{day, from.Format("2006-01-02"), between(from, from.AddDate(0, 0, 1))})
	}
	return f
}

// What the lists are picked and sorted by.
var (
	ofOrders = []filter{{"kind", "业务", []choice{
		{"", "全部", "1 = 1"}, {"money", "账户与资金", "kind = 'other'"}, {"publish", "发布与结束", "kind IN ('publish', 'end')"}, {"bid", "投标", "kind = 'bid'"},
		{"release", "放款", "kind = 'release'"}, {"repay", "还款", "kind IN ('repay', 'autorepay')"}, {"claim", "债权转让", "kind IN ('buy', 'sale')"},
		{"guarantee", "担保与代偿", "kind IN ('guarantee', 'compensate', 'reimburse', 'profit', 'unfreeze')"},
	}}, {"state", "状态", []choice{
		{"", "全部", "1 = 1"}, {"open", "未决", isOpen}, {"done", "成功", "o.state = 'done' AND NOT (" + inPart + ")"}, {"part", partlyDone, inPart},
		{"refused", "失败", "o.state = 'refused' AND NOT (" + isCancelled + ")"}, {"cancelled", "已取消", isCancelled}, {"closed", "已关闭", "o.state = 'closed'"},
	}}}
	ofLoans = []filter{{"state", "状态", []choice{
		{"", "全部", "1 = 1"}, {"raising", "募集中", "state = 'raising' OR state = 'running' AND released < amount"}, {"running", "进行中", "state = 'running'"},
		{"ended", "已结束", "state = 'ended'"}, {"applied", "待发布", "state = 'applied'"}, {"failed", "发布失败", "state = 'failed'"}, {"old", "老标的", "state = 'old'"},
	}}}
	publicLoans = []filter{{"state", "状态", ofLoans[0].choices[:4]}}
	newestLoans = []choice{{"", "最新在前", "created_at DESC, bid_no"}, {"old", "最早在前", "created_at, bid_no"}, {"most", "金额从高到低", "amount DESC, bid_no"}, {"least", "金额从低到高", "amount, bid_no"}, {"rate", "利率从高到低", "rate DESC, bid_no"}}
	ofShares    = []filter{{"state", "状态", []choice{
		{"", "全部", "1 = 1"}, {"frozen", shareStates[ShareFrozen], "s.state = 'frozen'"}, {"released", shareStates[ShareReleased], "s.state = 'released'"},
		{"ended", shareStates[ShareEnded], "s.state = 'ended'"}, {"sold", shareStates[ShareSold], "s.state = 'sold'"}, {"called", shareStates[ShareCalled], "s.state = 'called'"},
	}}}
)

const (
	inPart      = "o.state = 'done' AND (note LIKE '" + partlyDone + "%' OR note LIKE '" + noneDone + "%')"
	isCancelled = "o.state = 'refused' AND note LIKE '%用户取消%'"
)
