package console

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/ledger"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// functions are what the templates call.
func (c *Console) functions() template.FuncMap {
	return template.FuncMap{
		"money":     groupedYuan,
		"time":      wire.ClockText,
		"op":        title,
		"transfer":  engine.TransferText,
		"state":     labelOf,
		"signature": signatureVerdict,
		"faultName": fault.Label,
		"faultNames": func(names []string) string {
			labels := make([]string, len(names))
			for i, name := range names {
				labels[i] = fault.Label(name)
			}
			return strings.Join(labels, "、")
		},
		"attempt":    attemptText,
		"head":       func(s string) string { return s[:min(len(s), 300)] },
		"place":      c.place,
		"party":      c.party,
		"bar":        newBar,
		"percent":    percent,
		"term":       term,
		"accountURL": func(merchant, account string) string { return consoleURL("accounts", merchant, account) },
		"bidURL":     func(merchant, bid string) string { return consoleURL("bids", merchant, bid) },
		"orderURL":   orderURL,
		"messageURL": messageURL,
		"noticeURL":  noticeURL,
		"query":      consoleQuery,
		"askURL":     c.platform.ConfirmPath,
		"holder":     func(merchant, account string) partyView { return partyView{merchant, account} },
		"lasting":    lasting,
		"rows":       func(list any) *found { return &found{Rows: list} },
		"path": func(address string) string {
			if u, err := url.Parse(address); err == nil && u.Path != "" {
				return u.RequestURI()
			}
			return address
		},
		"orderPage":    c.orderPage,
		"activeFaults": c.liveFaults,
		"several":      func() bool { return len(c.platform.Engine().Merchants()) > 1 },
		"struckList":   fault.List,
		"done":         func() map[string]string { return done },
		"join":         func(parts ...string) string { return strings.Join(parts, "") },
		"word":         func(state notifier.State) string { return string(state) },
		"ordinal":      func(i int) int { return i + 1 },
		"lastAttempt": func(list []notifier.Attempt) *notifier.Attempt {
			if len(list) == 0 {
				return nil
			}
			return &list[len(list)-1]
		},
		"milliseconds": func(d time.Duration) string {
			if d < time.Millisecond {
				return "<1 ms"
			}
			return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
		},
	}
}

func messageURL(seq int64) string { return consoleURL("messages", strconv.FormatInt(seq, 10)) }

func noticeURL(seq int64) string { return consoleURL("notifications", strconv.FormatInt(seq, 10)) }

func orderURL(merchant, order string, end bool) string {
	address := consoleURL("orders", merchant, order)
	if end {
		address += "?end=1"
	}
	return address
}

// groupedYuan is an amount with its thousands set apart.
func groupedYuan(fen int64) string { return wire.GroupThousands(wire.Yuan(fen)) }

// label is a word for people, the wire's own word for it, and how it is shown.
type label struct {
	Text string
	Wire string
	Tone string // good, wait, bad or plain
}

// labels are the words for the states of things, and for the ways of messages.
var labels = map[string]map[string]label{
	"order": {
		"waiting": {"待用户确认", "waiting", "wait"}, "held": {"结果挂起", "held", "wait"},
		"done": {"完成", "done", "good"}, "partial": {"部分失败", "partial", "wait"}, "failed": {"失败", "failed", "bad"},
	},
	"bid": {
		"1": {"新增", "(1)", "wait"}, "2": {"募集中", "(2)", "good"}, "3": {"进行中", "(3)", "good"},
		"8": {"结束处理中", "(8)", "wait"}, "9": {"失败", "(9)", "bad"}, "10": {"结束", "(10)", "plain"},
	},
	"claim": {"0": {"冻结中", "(0)", "wait"}, "1": {"已放款", "(1)", "good"}, "10": {"结束", "(10)", "plain"}},
	"debt": {
		"0": {"已登记", "(0)", "wait"}, "1": {"进行中", "(1)", "wait"}, "9": {"失败", "(9)", "bad"}, "10": {"已转让", "(10)", "good"},
	},
	"notice": {
		"queued": {"待送达", "queued", "wait"}, "delivered": {"已送达", "delivered", "good"},
		"abandoned": {"已放弃", "abandoned", "bad"}, "dropped": {"已丢弃", "dropped", "bad"},
	},
	"text": {
		"open": {"待回复", "open", "wait"}, "yes": {"已同意", "yes", "good"}, "no": {"已拒绝", "no", "bad"}, "expired": {"已超时", "expired", "bad"},
		"told": {"告知", "told", "plain"},
	},
	"direction": {"in": {Text: "收"}, "out": {Text: "发"}},
	"via":       {"page": {Text: "页面提交"}, "return": {Text: "页面返回"}, "soap": {Text: "Web Service"}, "notify": {Text: "S2S 通知"}},
}

// labelOf is the label of a state of a kind of thing: the wire's own word where
// there is no other.
func labelOf(kind string, state any) label {
	word := fmt.Sprint(state)
	if l, ok := labels[kind][word]; ok {
		return l
	}
	return label{word, "", "plain"}
}

func signatureVerdict(m messages.Message) label {
	switch {
	case m.Verified && m.Direction == messages.In:
		return label{"验签通过", "", "good"}
	case m.Verified:
		return label{"已签名", "", "good"}
	case m.Direction == messages.In:
		return label{"验签未通过", "", "bad"}
	}
	return label{"未签名", "", "wait"}
}

// attemptText says in Chinese what came of posting a notification.
func attemptText(a notifier.Attempt) string {
	if a.Status != 0 {
		return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", a.Status, a.Reply))
	}
	for _, p := range [][2]string{
		{"connection refused", "连接被拒绝：该地址没有程序在监听"},
		{"no such host", "域名无法解析"},
		{"deadline exceeded", "超时未应答"},
		{"Timeout", "超时未应答"},
		{"connection reset", "连接被对方重置"},
		{"EOF", "对方未应答就断开连接"},
		{"certificate", "证书不被信任"},
		{"unsupported protocol", "地址的协议不是 http 或 https"},
	} {
		if strings.Contains(a.Err, p[0]) {
			return p[1]
		}
	}
	return "未能连接（" + a.Err + "）"
}

// title is what people call an operation, or what the books call a posting that
// no operation made.
func title(name string) string {
	if name == engine.KindDeposit {
		return "入金"
	}
	return wire.Title(name)
}

// term is how long a loan runs.
func term(unit string, value int64) string {
	if unit == "1" {
		return fmt.Sprintf("%d 天", value)
	}
	return fmt.Sprintf("%d 个月", value)
}

// lasting is a duration as people say it.
func lasting(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.String()
	case d < time.Second:
		return fmt.Sprintf("%d 毫秒", d.Milliseconds())
	}
	s := d.Round(time.Second).String()
	return strings.NewReplacer("h0m0s", "小时", "m0s", "分钟", "h", "小时", "m", "分", "s", "秒").Replace(s)
}

// percent is a rate given in hundredths of a percent.
func percent(rate int64) string { return wire.Yuan(rate) + "%" }

// party is a name to show beside an account, "" if there is none.
func (c *Console) party(merchant, account string) string {
	switch account {
	case "bank":
		return "外部银行"
	case "ips-fees":
		return "IPS 手续费"
	case "transit":
		return "过渡户"
	}
	for _, m := range c.platform.Engine().Merchants() {
		if m.Merchant == account {
			return m.Name
		}
	}
	info, _ := c.platform.Engine().Account(merchant, account)
	return info.RealName
}

// partyView is an account on a page.
type partyView struct{ Merchant, Account string }

// placeView is a pocket of an account in the journal.
type placeView struct{ Account, Name, Pocket, URL string }

func (c *Console) place(merchant string, p ledger.Place) placeView {
	v := placeView{Account: p.Account, Name: c.party(merchant, p.Account), URL: consoleQuery("journal", "account", p.Account)}
	switch p.Pocket {
	case ledger.Available:
		v.Pocket = "可用"
	case ledger.Frozen:
		v.Pocket = "冻结"
	case ledger.Unsettled:
		v.Pocket = "未结算"
	}
	if owner := c.owner(merchant, p.Account); owner != "" {
		v.URL = consoleURL("accounts", owner, p.Account)
	} else if v.Name != "" {
		v.Account, v.Name = v.Name, "" // the platform's own
	}
	return v
}

// owner is the merchant under which an account has a page.
func (c *Console) owner(merchant, account string) string {
	if _, own := c.platform.Engine().Balance(account, account); own {
		return account
	}
	if _, ok := c.platform.Engine().Account(merchant, account); ok {
		return merchant
	}
	return ""
}

// bar draws a bid's money on a scale from nothing to the amount of the bid.
type bar struct {
	Text  string
	Parts []barPart
}

type barPart struct {
	Class               string
	X, Y, Width, Height int64
}

// barScale is the width of a bar in its own units.
const barScale = 1000

// newBar has two tracks: what was raised, released or still frozen, and below
// it what creditors have got back, which with interest may be more than the
// whole.
func newBar(b engine.BidInfo) bar {
	along := func(fen int64) int64 {
		if b.Amount <= 0 {
			return 0
		}
		return min(max(fen, 0), b.Amount) * barScale / b.Amount
	}
	released, raised := along(b.Released), along(b.Released+b.Frozen)
	return bar{
		Text: fmt.Sprintf("借款 %s，已募集 %s，已放款 %s，冻结 %s，已还 %s", groupedYuan(b.Amount), groupedYuan(b.Raised),
			groupedYuan(b.Released), groupedYuan(b.Frozen), groupedYuan(b.Repaid)),
		Parts: []barPart{
			{"released", 0, 0, released, 7},
			{"frozen", released, 0, raised - released, 7},
			{"repaid", 0, 8, along(b.Repaid), 4},
		},
	}
}

// chart draws the orders of a day by the hour, stacked by their outcome.
func chart(hours [24]map[string]int) bar {
	most := 1
	for _, states := range hours {
		all := 0
		for _, n := range states {
			all += n
		}
		most = max(most, all)
	}
	var b bar
	sums := make(map[string]int)
	for hour, states := range hours {
		y := int64(chartHeight)
		for _, state := range []string{"done", "partial", "waiting", "held", "failed"} {
			n := states[state]
			if n == 0 {
				continue
			}
			height := max(int64(n*chartHeight/most), 1)
			y -= height
			sums[state] += n
			b.Parts = append(b.Parts, barPart{labels["order"][state].Tone, int64(hour) * 10, y, 8, height})
		}
	}
	var words []string
	for _, state := range []string{"done", "partial", "waiting", "held", "failed"} {
		words = append(words, fmt.Sprintf("%s %d", labels["order"][state].Text, sums[state]))
	}
	b.Text = strings.Join(words, "，")
	return b
}

// chartHeight is in units of the drawing, of which an hour is 10 wide.
const chartHeight = 60

// filterForm are the filters of a list, which are its query parameters too.
type filterForm struct {
	Action string
	Fields []filterField
	Limit  string // kept if it was asked for
	Sort   string // likewise
}

// Active says whether any filter is set.
func (f filterForm) Active() bool {
	for _, field := range f.Fields {
		if field.Value != "" {
			return true
		}
	}
	return false
}

type filterField struct {
	Name, Label, Value string
	Type               string // of the input, by default search

	Choices []choice // of a list; none means that text is typed
}

// Known says whether the value is among the choices.
func (f filterField) Known() bool {
	for _, c := range f.Choices {
		if c.Value == f.Value {
			return true
		}
	}
	return f.Value == ""
}

type choice struct{ Value, Label string }

// filters reads the filters that a list has out of a request.
func filters(r *http.Request, fields ...filterField) filterForm {
	query := r.URL.Query()
	for i := range fields {
		fields[i].Value = strings.TrimSpace(query.Get(fields[i].Name))
	}
	return filterForm{Action: r.URL.Path, Fields: fields, Limit: query.Get("limit"), Sort: query.Get("sort")}
}

// get is the value of the named filter.
func (f filterForm) get(name string) string {
	for _, field := range f.Fields {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// period are the filters of a time, to the minute.
func period() []filterField {
	const at = "datetime-local"
	return []filterField{{Name: "from", Label: "起始时间", Type: at}, {Name: "to", Label: "截止时间", Type: at}}
}

// period is what the filters of a time say; what is no time is as if it were
// not there.
func (f filterForm) period() engine.Period {
	at := func(name string) time.Time {
		t, _ := time.ParseInLocation("2006-01-02T15:04", f.get(name), engine.China)
		return t
	}
	return engine.Period{From: at("from"), To: at("to")}
}

func faultFilter() filterField {
	f := filterField{Name: "fault", Label: "故障"}
	for _, k := range fault.Kinds() {
		f.Choices = append(f.Choices, choice{k.Name, k.Label})
	}
	return f
}

// struck says whether words about faults name the one that the filter asks for.
func (f filterForm) struck(words string) bool {
	return f.get("fault") == "" || slices.Contains(strings.Split(words, "、"), fault.Label(f.get("fault")))
}

func operationFilter() filterField {
	f := filterField{Name: "op", Label: "接口"}
	for _, op := range wire.All(wire.Services(wire.TradeQueryBoth)) {
		f.Choices = append(f.Choices, choice{op.Name, op.Title + " " + op.Name})
	}
	return f
}

func (c *Console) merchantFilter() filterField {
	f := filterField{Name: "merchant", Label: "商户 pMerCode"}
	for _, m := range c.platform.Engine().Merchants() {
		f.Choices = append(f.Choices, choice{m.Merchant, m.Merchant + " " + m.Name})
	}
	return f
}

// labelled makes choices of states and their labels.
func labelled(kind string, states ...string) []choice {
	var list []choice
	for _, state := range states {
		list = append(list, choice{state, labelOf(kind, state).Text + " " + state})
	}
	return list
}

// The number of rows on a page of a list.
const (
	defaultRows = 50
	maxRows     = 200
	lastPage    = 1_000_000
)

// pager says which part of a list is shown and where the others are.
type pager struct {
	Page, Pages, Total int
	Newer, Older       string // addresses, "" where there is nothing
	Oldest             string
	Others             []wire.Pair // what the address says beside the page

	limit int
	by    string // what the list is ordered by, "" for when things came
	up    bool   // the oldest or smallest first
	at    *url.URL
}

// newPager reads ?page= and ?limit=; what makes no sense is as if it were not
// there.
func newPager(r *http.Request) pager {
	query := r.URL.Query()
	number := func(name string, most, otherwise int) int {
		if n, err := strconv.Atoi(query.Get(name)); err == nil && n >= 1 {
			return min(n, most)
		}
		return otherwise
	}
	by, down := strings.CutPrefix(cmp.Or(query.Get("sort"), "-"+byTime), "-")
	if by == byTime {
		by = ""
	}
	return pager{Page: number("page", lastPage, 1), limit: number("limit", maxRows, defaultRows), by: by, up: !down, at: r.URL}
}

// last is the last page, where another one was asked for that is beyond it.
func (p pager) last(total int) (last pager, beyond bool) {
	last = p
	last.Page = min(p.Page, max((total+p.limit-1)/p.limit, 1))
	return last, last.Page != p.Page
}

func (p pager) skip() int { return (p.Page - 1) * p.limit }

func (p pager) window() engine.Page {
	return engine.Page{Skip: p.skip(), Limit: p.limit, By: p.by, Up: p.up}
}

// byTime is the order in which things came.
const byTime = "time"

// head is the head of a column.
type head struct {
	Label, Wire, Class string
	URL                string // of the list in the order of the column, "" if there is none
	Order              string // aria-sort, if it is in that order
}

// Head is the head of a column by which a list can be ordered: by names from the
// beginning, by numbers and times from the end, and the other way round by who
// clicks once more.
func (p pager) Head(key, label, wireName, class string) head {
	h := head{Label: label, Wire: wireName, Class: class}
	if p.at == nil {
		return h
	}
	down := key == byTime || strings.Contains(class, "number")
	if cmp.Or(p.by, byTime) == key {
		if h.Order = "descending"; p.up {
			h.Order = "ascending"
		}
		down = p.up
	}
	query := p.at.Query()
	query.Del("page")
	if query.Set("sort", key); down {
		query.Set("sort", "-"+key)
	}
	h.URL = p.at.Path + "?" + query.Encode()
	return h
}

// of completes the pager with the length of the list.
func (p pager) of(total int) pager {
	p.Total = total
	p.Pages = max((total+p.limit-1)/p.limit, 1)
	if p.Page > 1 {
		p.Newer = p.address(min(p.Page-1, p.Pages))
	}
	if p.Page < p.Pages {
		p.Older, p.Oldest = p.address(p.Page+1), p.address(p.Pages)
	}
	query := p.at.Query()
	query.Del("page")
	for _, name := range slices.Sorted(maps.Keys(query)) {
		p.Others = append(p.Others, wire.Pair{Name: name, Value: query.Get(name)})
	}
	return p
}

func (p pager) address(number int) string {
	query := p.at.Query()
	query.Set("page", strconv.Itoa(number))
	return p.at.Path + "?" + query.Encode()
}
