package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "embed"

	"github.com/ips-p2p/ips"
)

//go:embed console.html
var consoleText string

var consolePage = template.Must(template.New("console").Funcs(template.FuncMap{
	"clock":     clock,
	"state":     stateText,
	"operation": func(op ips.Operation) string { info, _ := op.Info(); return info.Chinese },
	"said": func(name, text string) string {
		if private(name) {
			return part(text)
		}
		return numbers.ReplaceAllStringFunc(text, part) // of a row
	},
}).Parse(consoleText))

// clock is a time as people of the merchant read it.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(ips.China).Format("2006-01-02 15:04:05")
}

func stateText(s State) string {
	return map[State]string{StateRecorded: "已登记", StateSending: "发送中", StateUnknown: "结果未知", StatePending: "处理中", StateRowsDue: "待明细",
		StateDone: "成功", StateRefused: "被拒绝", StateClosed: "已关闭"}[s]
}

// Console shows the book to the merchant's staff, in Chinese: what a person must
// decide, and the form to decide it; open orders by age; an order with its
// answers and all that happened to it; the balances of its account beside it, by
// which nothing is decided. Names, id numbers and accounts are shown in part.
//
// who says who asks: nobody gets in without a name, and the name is kept with
// every decision. Serve the console below a path of its own with
// [http.StripPrefix]. Decisions from another site's pages are refused.
func (b *Book) Console(who func(*http.Request) (name string, ok bool)) http.Handler {
	if who == nil {
		panic("orders: Console: nil who")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.consoleHome)
	mux.HandleFunc("GET /order", b.consoleOrder)
	mux.HandleFunc("POST /decide", func(w http.ResponseWriter, r *http.Request) { b.consoleDecide(w, r, who) })
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := who(r); !ok || strings.TrimSpace(name) == "" {
			http.Error(w, "请先登录", http.StatusForbidden)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

func show(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := consolePage.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "页面出错", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = page.WriteTo(w)
}

const consoleRows = 50

func (b *Book) consoleHome(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	when := func(name string) time.Time {
		us, _ := strconv.ParseInt(query.Get(name), 10, 64)
		return time.UnixMicro(us)
	}
	next := func(rows int, names [2]string, key string, at time.Time) string {
		if rows < consoleRows {
			return ""
		}
		query := maps.Clone(query)
		query.Set(names[0], key)
		query.Set(names[1], strconv.FormatInt(at.UnixMicro(), 10))
		return "?" + query.Encode()
	}
	after := Matter{Key: query.Get("after"), Opened: when("opened")}
	matters, err := b.Matters(r.Context(), after, consoleRows)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	open, err := b.OpenOrders(r.Context(), Order{Key: query.Get("behind"), Recorded: when("recorded")}, consoleRows)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	strays, err := b.Strays(r.Context(), consoleRows)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	view := map[string]any{"Matters": matters, "Open": open, "Strays": strays}
	if n := len(matters); n > 0 {
		view["Next"] = next(n, [2]string{"after", "opened"}, matters[n-1].Key, matters[n-1].Opened)
	}
	if n := len(open); n > 0 {
		view["NextOpen"] = next(n, [2]string{"behind", "recorded"}, open[n-1].Key, open[n-1].Recorded)
	}
	show(w, "home", view)
}

func (b *Book) consoleError(w http.ResponseWriter, err error) {
	if errors.Is(err, ErrUnrecorded) {
		http.Error(w, "没有这一订单", http.StatusNotFound)
		return
	}
	b.onError(err)
	http.Error(w, "数据库暂时不可用", http.StatusInternalServerError)
}

// OpenOrders are the orders without an end, the oldest first. For the next page
// give the last order of this one; the zero Order begins.
func (b *Book) OpenOrders(ctx context.Context, after Order, limit int) ([]Order, error) {
	from := after.Recorded.UnixMicro()
	if after.Key == "" {
		from = 0
	}
	rows, err := b.db.QueryContext(ctx, b.query("SELECT "+rowColumns+", {now} FROM ips_order WHERE ended_us = 0 AND made_us >= ? AND (made_us > ? OR order_key > ?) "+
		"ORDER BY made_us, order_key LIMIT ?"), from, from, after.Key, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Order
	for rows.Next() {
		var o row
		if err := rows.Scan(o.into()...); err != nil {
			return nil, err
		}
		req, err := b.request(&o)
		if err != nil {
			return nil, err
		}
		all = append(all, b.order(&o, req))
	}
	return all, rows.Err()
}

// said is an answer as the console shows it.
type said struct {
	Says, Verdict string
	Way           string
	Heard         time.Time
	Fields        []ips.Element
}

// happened is an event of an order.
type happened struct {
	When           time.Time
	What, Who, Why string
}

func (b *Book) consoleOrder(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	o, err := b.Order(ctx, r.URL.Query().Get("key"))
	if err != nil {
		b.consoleError(w, err)
		return
	}
	kept, err := b.answers(ctx, b.db, o.Key)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	var answers []said
	for _, k := range kept {
		s := said{Says: k.says, Verdict: string(k.verdict), Way: k.way.String(), Heard: at(k.heardUS)}
		if data, err := b.unpack(o.Key, k.body); err == nil {
			s.Fields = masked(data)
		}
		answers = append(answers, s)
	}
	events, err := b.events(ctx, o.Key)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	data, err := ips.MarshalRequest(o.Request)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	part := false
	for _, a := range answers {
		part = part || o.State == StateDone && slices.ContainsFunc(a.Fields, func(f ips.Element) bool { return strings.Contains(f.Text, rowsFailed) })
	}
	view := map[string]any{"Order": o, "Asked": masked(data), "Answers": answers, "Events": events, "Part": part}
	if account := reflect.ValueOf(o.Request).FieldByName("Account"); account.IsValid() && r.URL.Query().Get("balance") != "" {
		if client, err := b.clients(ctx, o.Merchant); err == nil {
			if balance, err := client.QueryBalance(ctx, account.String()); err == nil {
				view["Balance"] = balance
			} else {
				view["NoBalance"] = true
			}
		}
	}
	own, err := b.mattersBy(ctx, "order_key = ? AND closed_us = 0 ORDER BY opened_us, matter_key", o.Key)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	view["Matters"] = own
	show(w, "order", view)
}

func (b *Book) events(ctx context.Context, key string) ([]happened, error) {
	rows, err := b.db.QueryContext(ctx, b.query("SELECT at_us, what, who, why FROM ips_event WHERE order_key = ? ORDER BY ver DESC LIMIT 200"), key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []happened
	for rows.Next() {
		var h happened
		var when int64
		if err := rows.Scan(&when, &h.What, &h.Who, &h.Why); err != nil {
			return nil, err
		}
		h.When = at(when)
		all = append(all, h)
	}
	return all, rows.Err()
}

// masked are the fields of a kept body, those of a person in part.
func masked(data []byte) []ips.Element {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return nil
	}
	var all []ips.Element
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return all
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return all
		}
		text := strings.Trim(string(v), `"`)
		key, _ := name.(string)
		switch {
		case nothing(v):
			continue
		case v[0] == '[':
			var rows []struct {
				Status  ips.RowStatus
				Message string
			}
			if json.Unmarshal(v, &rows) == nil {
				text = strconv.Itoa(len(rows)) + " 行"
				var failed []string
				for i, row := range rows {
					if row.Status == ips.RowFailed {
						failed = append(failed, fmt.Sprintf("第 %d 行：%s", i+1, numbers.ReplaceAllStringFunc(row.Message, part)))
					}
				}
				if len(failed) > 0 {
					text += fmt.Sprintf("，%d %s。%s", len(failed), rowsFailed, strings.Join(failed[:min(len(failed), consoleRows)], "；"))
				}
			}
		case private(key):
			text = part(text)
		}
		all = append(all, ips.Element{Name: key, Text: text})
	}
	return all
}

// rowsFailed says of a batch that not all of it was done.
const rowsFailed = "行未成功"

// numbers are those of accounts, documents and telephones.
var numbers = regexp.MustCompile(`\b\d{11,}[Xx]?\b`)

var privates = regexp.MustCompile(`(Ident|Acc(oun)?t|Card)(No|Last4)?$|Name$|Mobile|Email|CardHolder|BkAcc`)

// private reports whether a field, by its name in Go or on the wire, is a person's.
func private(name string) bool { return privates.MatchString(name) }

// part shows the ends of a text.
func part(s string) string {
	r := []rune(s)
	if len(r) < 9 {
		return string(r[:min(1, len(r))]) + "**"
	}
	return string(r[:2]) + "…" + string(r[len(r)-4:])
}

func (b *Book) consoleDecide(w http.ResponseWriter, r *http.Request, who func(*http.Request) (string, bool)) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	name, _ := who(r)
	d := Decision{Verdict: Verdict(r.PostFormValue("verdict")), Who: name, Why: r.PostFormValue("why"), Number: strings.TrimSpace(r.PostFormValue("number"))}
	for _, text := range strings.FieldsFunc(r.PostFormValue("failed"), func(c rune) bool { return strings.ContainsRune(" ,，、", c) }) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			http.Error(w, "失败行号应为从 1 开始的数字", http.StatusBadRequest)
			return
		}
		d.Failed = append(d.Failed, n-1)
	}
	err := b.Decide(r.Context(), r.PostFormValue("matter"), d)
	switch {
	case errors.Is(err, ErrBusy):
		http.Error(w, "订单正在处理，请稍后再试", http.StatusConflict)
	case errors.Is(err, ErrEnded), errors.Is(err, ErrUnrecorded):
		http.Error(w, "该事项已处理", http.StatusConflict)
	case err != nil:
		b.onError(err)
		http.Error(w, "未能处理："+err.Error(), http.StatusBadRequest)
	default:
		w.Header().Set("Location", "./") // http.Redirect would leave the path that StripPrefix took away
		w.WriteHeader(http.StatusSeeOther)
	}
}
