package orders

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
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
	"money":     money,
	"state":     func(s State) string { return inChinese(string(s)) },
	"word":      inChinese,
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

// money is an amount as people read it, 1,000.00, and nothing if there is none.
func money(a ips.Amount) string {
	if a == 0 {
		return ""
	}
	text := a.String()
	for i := len(text) - len("000.00"); i > 0 && text[i-1] != '-'; i -= len("000") {
		text = text[:i] + "," + text[i:]
	}
	return text
}

var chinese = map[string]string{
	string(StateRecorded): "已登记", string(StateSending): "发送中", string(StateUnknown): "结果未知", string(StatePending): "处理中", string(StateRowsDue): "待明细",
	string(StateDone): "成功", string(StateRefused): "被拒绝", string(StateClosed): "已关闭",

	"success": "成功", "failure": "失败",

	ips.Synchronous.String(): "同步答复", ips.WebReturn.String(): "页面返回", ips.ServerToServer.String(): "异步通知", ips.Queried.String(): "查询结果",

	string(taken): "已采用", string(same): "重复", string(overtaken): "不改变订单", string(undecided): "不能判断结果", string(doubtful): "待证实", string(wrong): "与请求不符",
	string(contradiction): "与先前的答复矛盾", string(tooLate): "迟到的成功", string(waiting): "业务处理未完成",

	"form": "表单交给用户", "send": "发送", "unanswered": "没有答复", "not sent": "没有发出", "left in a call": "发送时程序中断", "asked in vain": "查询没有答复",
	"asked: not found": "查询：没有这笔交易", "open for long": "长时间没有结果", "effect failed": "业务处理失败",
	"for a person": "转人工处理", "nothing waits": "没有待办的业务处理",
	"decided " + string(Seen): "人工：已知悉", "decided " + string(IsDone): "人工：已成功", "decided " + string(IsRefused): "人工：未成功", "decided " + string(SendAgain): "人工：重新发送",
}

// inChinese is a word of the book for people; what has none stays as it is.
func inChinese(word string) string {
	if says, ok := strings.CutPrefix(word, heardOf); ok {
		return "收到：" + inChinese(says)
	}
	return cmp.Or(chinese[word], word)
}

// Console shows the book to the merchant's staff, in Chinese: what a person must
// decide, and the form to decide it; open orders by age, ended ones from the
// newest; an order, found by its number too, with its answers and all that happened
// to it; the balances of its account beside it, by which nothing is decided. Names,
// id numbers and accounts are shown in part.
//
// who says who asks: nobody gets in without a name, and the name is kept with
// every decision. Serve the console below a path of its own with
// [http.StripPrefix]; its way back leads one level up. Decisions from another
// site's pages are refused.
func (b *Book) Console(who func(*http.Request) (name string, ok bool)) http.Handler {
	if who == nil {
		panic("orders: Console: nil who")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.consoleHome)
	mux.HandleFunc("GET /ended", b.consoleEnded)
	mux.HandleFunc("GET /find", b.consoleFind)
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

// nextPage is the query of the page behind a full one, which begins behind an order
// or a matter.
func nextPage(r *http.Request, rows int, key string, at time.Time, names ...string) string {
	if rows < consoleRows {
		return ""
	}
	query := r.URL.Query()
	query.Set(names[0], key)
	query.Set(names[1], strconv.FormatInt(at.UnixMicro(), 10))
	return "?" + query.Encode()
}

// begins is where a page begins.
func begins(r *http.Request, names ...string) (key string, at time.Time) {
	us, _ := strconv.ParseInt(r.URL.Query().Get(names[1]), 10, 64)
	return r.URL.Query().Get(names[0]), time.UnixMicro(us)
}

func (b *Book) consoleHome(w http.ResponseWriter, r *http.Request) {
	ofMatters, ofOpen := []string{"after", "opened"}, []string{"behind", "recorded"}
	var matter Matter
	var order Order
	matter.Key, matter.Opened = begins(r, ofMatters...)
	order.Key, order.Recorded = begins(r, ofOpen...)
	matters, err := b.Matters(r.Context(), matter, consoleRows)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	open, err := b.OpenOrders(r.Context(), order, consoleRows)
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
		view["Next"] = nextPage(r, n, matters[n-1].Key, matters[n-1].Opened, ofMatters...)
	}
	if n := len(open); n > 0 {
		view["NextOpen"] = nextPage(r, n, open[n-1].Key, open[n-1].Recorded, ofOpen...)
	}
	show(w, "home", view)
}

func (b *Book) consoleEnded(w http.ResponseWriter, r *http.Request) {
	names := []string{"made", "ended"}
	key, until := begins(r, names...)
	made, _ := strconv.ParseInt(key, 10, 64)
	if key == "" {
		until = time.UnixMicro(math.MaxInt64)
	}
	ended, err := b.listed(r.Context(), "ended_us > 0 AND ended_us <= ? AND (ended_us < ? OR made_us < ?) ORDER BY ended_us DESC, made_us DESC LIMIT ?",
		until.UnixMicro(), until.UnixMicro(), made, consoleRows)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	view := map[string]any{"Ended": ended}
	if n := len(ended); n > 0 {
		view["Next"] = nextPage(r, n, strconv.FormatInt(ended[n-1].Recorded.UnixMicro(), 10), ended[n-1].Ended, names...)
	}
	show(w, "ended", view)
}

// consoleFind leads to the order that has a number, or lists those that have: each
// merchant and operation has numbers of its own.
func (b *Book) consoleFind(w http.ResponseWriter, r *http.Request) {
	no := strings.TrimSpace(r.URL.Query().Get("no"))
	var found []Order
	if no != "" {
		merchants, err := b.merchants(r.Context())
		if err != nil {
			b.consoleError(w, err)
			return
		}
		for _, merchant := range merchants {
			for _, op := range ips.Operations() {
				o, err := b.Find(r.Context(), merchant, op.Operation, no)
				if err != nil && !errors.Is(err, ErrUnrecorded) {
					b.consoleError(w, err)
					return
				}
				if err == nil {
					found = append(found, o)
				}
			}
		}
	}
	if len(found) == 1 {
		w.Header().Set("Location", "order?key="+url.QueryEscape(found[0].Key))
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	show(w, "found", map[string]any{"No": no, "Found": found})
}

// merchants are those of whom there are orders.
func (b *Book) merchants(ctx context.Context) (all []string, err error) {
	for last := ""; ; all = append(all, last) {
		err := b.db.QueryRowContext(ctx, b.query("SELECT merchant FROM ips_order WHERE order_key > ? ORDER BY order_key LIMIT 1"), behind(last)).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
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
	return b.listed(ctx, "ended_us = 0 AND made_us >= ? AND (made_us > ? OR order_key > ?) ORDER BY made_us, order_key LIMIT ?", from, from, after.Key, limit)
}

func (b *Book) listed(ctx context.Context, where string, args ...any) ([]Order, error) {
	rows, err := b.db.QueryContext(ctx, b.query("SELECT "+rowColumns+", {now} FROM ips_order WHERE "+where), args...)
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
	for _, k := range slices.Backward(kept) {
		s := said{Says: k.says, Verdict: string(k.verdict), Way: k.way.String(), Heard: at(k.heardUS)}
		if data, err := b.unpack(o.Key, k.body); err == nil {
			if answer, err := ips.UnmarshalResponse(o.Operation, data); err == nil {
				s.Fields = fields(reflect.ValueOf(answer).Elem())
			}
		}
		answers = append(answers, s)
	}
	events, err := b.events(ctx, o.Key)
	if err != nil {
		b.consoleError(w, err)
		return
	}
	view := map[string]any{"Order": o, "Asked": fields(reflect.ValueOf(o.Request)), "Answers": answers, "Events": events}
	if account := reflect.ValueOf(o.Request).FieldByName("Account"); account.IsValid() && r.URL.Query().Get("balance") != "" {
		if client, err := b.clients(ctx, o.Merchant); err == nil {
			if balance, err := client.QueryBalance(ctx, account.String()); err == nil {
				view["Balance"], view["Account"], view["Now"] = balance, account.String(), time.Now()
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

// fields are those of a request or an answer that say something, a person's in
// part. What is said above an answer is left out.
func fields(v reflect.Value) (all []ips.Element) {
	add := func(name, text string) {
		if private(name) {
			text = part(text)
		}
		all = append(all, ips.Element{Name: name, Text: text})
	}
	for i := range v.NumField() {
		field, f := v.Type().Field(i), v.Field(i)
		if !field.IsExported() || f.IsZero() {
			continue
		}
		switch x := f.Interface().(type) {
		case ips.Reply:
			add("Code", string(x.Code))
			add("Message", numbers.ReplaceAllStringFunc(x.Message, part))
			for _, e := range x.Extra {
				add(e.Name, e.Text)
			}
		case ips.Amount:
			add(field.Name, money(x))
		case fmt.Stringer:
			add(field.Name, x.String())
		default:
			switch f.Kind() {
			case reflect.Slice:
				add(field.Name, batch(f))
			case reflect.Struct:
				all = append(all, fields(f)...)
			default:
				add(field.Name, fmt.Sprint(x))
			}
		}
	}
	return all
}

// batch counts rows, and lists those that failed.
func batch(rows reflect.Value) string {
	var failed []string
	for _, i := range failedRows(rows) {
		failed = append(failed, fmt.Sprintf("第 %d 行：%s", i+1, numbers.ReplaceAllStringFunc(rows.Index(i).FieldByName("Message").String(), part)))
	}
	text := strconv.Itoa(rows.Len()) + " 行"
	if len(failed) > 0 {
		text += fmt.Sprintf("，%d 行未成功。%s", len(failed), strings.Join(failed[:min(len(failed), consoleRows)], "；"))
	}
	return text
}

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
