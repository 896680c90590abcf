package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/ledger"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

const (
	recentRows = 10 // on the overview
	ledgerRows = 20 // of the journal on the pages of things
	// maxShownXML bounds a document on a page; the whole is a link away.
	maxShownXML = 12 << 10
	// maxShownCurl likewise.
	maxShownCurl = 16 << 10
)

type overviewData struct {
	Merchants []engine.MerchantInfo
	Totals    engine.Totals
	Books     error
	Ahead     time.Duration
	Asks      int
	Texts     int
	Sum       int64 // of all there is
	Notices   map[notifier.State]int
	Orders    []engine.OrderInfo
	Day       bar
}

func (c *Console) overview(w http.ResponseWriter, _ *http.Request) {
	s := c.platform
	p := page{Title: "概览", Section: "overview", Live: "state notifications", Version: c.feed.Version()}
	data := overviewData{
		Merchants: s.Engine().Merchants(),
		Totals:    s.Engine().Totals(),
		Books:     c.books.check(s.CheckBooks),
		Ahead:     s.Offset(),
		Notices:   make(map[notifier.State]int),
		Day:       chart(s.Engine().Outcomes()),
	}
	held := data.Totals.Users.Plus(data.Totals.Merchants)
	data.Sum = held.Available + held.Frozen + held.Unsettled + data.Totals.Fees + data.Totals.Outside
	data.Asks, data.Texts = s.Engine().Waiting()
	s.NewestNotices("", engine.Page{}, func(n *notifier.Notification) bool {
		data.Notices[n.State]++
		return false
	})
	data.Orders, _ = s.Engine().NewestOrders(engine.OrderFilter{}, engine.Page{Limit: recentRows})
	p.Data = data
	c.show(w, http.StatusOK, "overview", p)
}

// listData is a list with its filters and the part that is shown.
type listData[T any] struct {
	Filters filterForm
	Pager   pager
	Rows    []T
	Dropped int64 // older ones that are not kept any more
}

// list shows what the filters of a list select.
func list[T any](c *Console, w http.ResponseWriter, r *http.Request, p page, fields []filterField, dropped int64, find func(filterForm, pager) ([]T, int)) {
	p.Version = c.feed.Version()
	f, at := filters(r, fields...), newPager(r)
	rows, total := find(f, at)
	if last, beyond := at.last(total); beyond {
		at = last
		rows, total = find(f, at)
	}
	p.Data = listData[T]{f, at.of(total), rows, dropped}
	c.show(w, http.StatusOK, p.Section, p)
}

// typed is the field into which people type what they look for.
func typed(label string) filterField { return filterField{Name: "q", Label: label} }

func (c *Console) accounts(w http.ResponseWriter, r *http.Request) {
	list(c, w, r, page{Title: "账户", Section: "accounts", Live: "state"},
		[]filterField{c.merchantFilter(), typed("账号、姓名、邮箱或手机")},
		0, func(f filterForm, at pager) ([]engine.AccountInfo, int) {
			return c.platform.Engine().NewestAccounts(engine.AccountFilter{Merchant: f.get("merchant"), Text: f.get("q")}, at.window())
		})
}

type accountData struct {
	Merchant string
	Number   string
	Name     string
	Person   *engine.AccountInfo // nil for the merchant's own account
	Auto     bool
	Balance  engine.Balance
	Unmask   bool
	Asks     []engine.AskInfo
	Bids     []engine.BidInfo
	Orders   *found
	Entries  []accountEntry
	More     int // entries that are not shown
}

// accountEntry is an entry as one account sees it.
type accountEntry struct {
	engine.JournalEntry
	Changes []change
	Other   *placeView // the other account, nil if there is none
}

// change is what an entry does to a pocket, and what is in it then.
type change struct {
	Pocket        string
	Amount, After int64
}

// Plus says whether something came in.
func (c change) Plus() bool { return c.Amount > 0 }

// statement is the newest entries of an account, with what was in its pockets
// after each: what is in them now, less what came since.
func (c *Console) statement(merchant, account string, now engine.Balance, entries []engine.JournalEntry) (list []accountEntry) {
	holds := map[ledger.Pocket]int64{ledger.Available: now.Available, ledger.Frozen: now.Frozen, ledger.Unsettled: now.Unsettled}
	for _, e := range entries {
		line := accountEntry{JournalEntry: e}
		for _, side := range []struct {
			ledger.Place
			amount int64
		}{{e.From, -e.Amount}, {e.To, e.Amount}} {
			if side.Account != account {
				other := c.place(merchant, side.Place)
				line.Other = &other
				continue
			}
			line.Changes = append(line.Changes, change{c.place(merchant, side.Place).Pocket, side.amount, holds[side.Pocket]})
			holds[side.Pocket] -= side.amount
		}
		list = append(list, line)
	}
	return list
}

func (c *Console) account(w http.ResponseWriter, r *http.Request) {
	merchant, number := pathValue(r, "merchant"), pathValue(r, "account")
	e := c.platform.Engine()
	p := page{Title: "账户 " + number, Section: "accounts", Live: "state", Version: c.feed.Version()}
	balance, ok := e.Balance(merchant, number)
	if !ok {
		c.notFound(w, r)
		return
	}
	data := accountData{Merchant: merchant, Number: number, Name: c.party(merchant, number), Balance: balance, Unmask: unmasked(r)}
	if info, ok := e.Account(merchant, number); ok {
		if !data.Unmask {
			info.Mobile = engine.MaskMiddle(info.Mobile)
		}
		data.Person, data.Auto = &info, info.Auto
	} else {
		for _, m := range e.Merchants() {
			data.Auto = data.Auto || m.Merchant == number && m.Auto
		}
	}
	for _, ask := range e.PendingAsks(merchant) {
		if ask.Account == number {
			data.Asks = append(data.Asks, ask)
		}
	}
	data.Bids, _ = e.NewestBids(engine.BidFilter{Merchant: merchant, Borrower: number}, engine.Page{Limit: recentRows})
	data.Orders = foundIn[engine.OrderInfo](Prefix+"orders", number)(e.NewestOrders(engine.OrderFilter{Merchant: merchant, Text: number}, engine.Page{Limit: recentRows}))
	entries, more := c.newestEntries(engine.JournalFilter{Account: number})
	data.Entries, data.More = c.statement(merchant, number, balance, entries), more
	p.Data = data
	c.show(w, http.StatusOK, "account", p)
}

func unmasked(r *http.Request) bool { return r.URL.Query().Get("unmask") == "1" }

func (c *Console) newestEntries(f engine.JournalFilter) (list []engine.JournalEntry, more int) {
	f.Page.Limit = ledgerRows
	list, total := c.platform.Engine().NewestEntries(f)
	return list, total - len(list)
}

func (c *Console) bids(w http.ResponseWriter, r *http.Request) {
	list(c, w, r, page{Title: "标的", Section: "bids", Live: "state"},
		[]filterField{c.merchantFilter(), {Name: "status", Label: "状态 pBidStatus", Choices: labelled("bid", "1", "2", "3", "8", "9", "10")},
			{Name: "borrower", Label: "借款人账号"}, typed("标的号、订单号、IPS 号或金额")},
		0, func(f filterForm, at pager) ([]engine.BidInfo, int) {
			return c.platform.Engine().NewestBids(engine.BidFilter{
				Merchant: f.get("merchant"), Status: f.get("status"), Borrower: f.get("borrower"), Text: f.get("q"),
			}, at.window())
		})
}

type bidData struct {
	engine.BidInfo
	Pager   pager // of the claims
	Ended   bool  // an order to end it was taken
	Entries []engine.JournalEntry
	More    int
}

func (c *Console) bid(w http.ResponseWriter, r *http.Request) {
	p := page{Section: "bids", Live: "state", Version: c.feed.Version()}
	info, ok := c.platform.Engine().Bid(pathValue(r, "merchant"), pathValue(r, "bid"))
	if !ok {
		c.notFound(w, r)
		return
	}
	p.Title = "标的 " + info.No
	data := bidData{BidInfo: info}
	at, _ := newPager(r).last(len(info.Claims))
	data.Pager = at.of(len(info.Claims))
	data.Claims = find.Take(info.Claims, at.window(), nil)
	_, data.Ended = c.platform.Engine().Order(info.Merchant, "registerSubject", info.Order, true)
	data.Entries, data.More = c.newestEntries(engine.JournalFilter{Merchant: info.Merchant, Bid: info.No})
	p.Data = data
	c.show(w, http.StatusOK, "bid", p)
}

func (c *Console) orders(w http.ResponseWriter, r *http.Request) {
	list(c, w, r, page{Title: "订单", Section: "orders", Live: "state"},
		append([]filterField{c.merchantFilter(), operationFilter(),
			{Name: "state", Label: "状态", Choices: labelled("order", "waiting", "held", "done", "partial", "failed")}, faultFilter(),
			typed("号码、账号、标的、金额或说明")}, period()...),
		0, func(f filterForm, at pager) ([]engine.OrderInfo, int) {
			return c.platform.Engine().NewestOrders(engine.OrderFilter{
				Merchant: f.get("merchant"), Op: f.get("op"), State: f.get("state"), Fault: f.get("fault"), Text: f.get("q"), Period: f.period(),
			}, at.window())
		})
}

type orderData struct {
	engine.OrderInfo
	Result  engine.Answer // the last word on it
	Asking  *engine.AskInfo
	Texting *engine.SMS // that waits for an answer
	Moments []moment
	Asked   document // what the merchant sent
	Lost    bool     // that is not kept any more
	Told    document // the answer that the caller got
	Last    document // what was posted to pS2SUrl
	Fee     string   // as the merchant wrote it
	Failed  []failedRow
	Notices []notifier.Notification
	Entries []engine.JournalEntry
	More    int
}

// failedRow is a row of a batch that was not done.
type failedRow struct {
	Number  int
	Message string
}

// moment is something that happened to an order.
type moment struct {
	At              time.Time
	What, Text, URL string
	Tone            string // good, wait, bad or plain
	Fault           string // what a fault did to it
}

// orderOf finds the order that the address names.
func (c *Console) orderOf(r *http.Request) (engine.OrderInfo, bool) {
	return c.platform.Engine().Order(pathValue(r, "merchant"), "", pathValue(r, "order"), r.URL.Query().Get("end") == "1")
}

func (c *Console) order(w http.ResponseWriter, r *http.Request) {
	p := page{Section: "orders", Live: "state messages notifications", Version: c.feed.Version()}
	info, ok := c.orderOf(r)
	if !ok {
		c.notFound(w, r)
		return
	}
	p.Title = "订单 " + info.Order
	data := orderData{OrderInfo: info, Result: info.Answer}
	if info.Final.Code != "" {
		data.Result = info.Final
	}
	for _, text := range c.platform.Engine().TextsOf(info) {
		if text.State == engine.SMSOpen {
			data.Texting = &text
		}
	}
	if ask, ok := c.platform.Engine().Ask(info.Ask); ok && ask.Open {
		data.Asking = &ask
	}
	request, kept := c.requestOf(info)
	if data.Lost = !kept; kept {
		data.Asked = newDocument(r, request.XML, "request")
		asked, _ := wire.ReadDocument([]byte(request.XML))
		data.Fee = cmp.Or(asked.Get("pMerFee"), asked.Get("pFee"), asked.Get("pOutFee"))
	}
	data.Told, data.Last = answerDocument(r, info.Answer, "answer"), answerDocument(r, info.Final, "final")
	for i, row := range info.Final.Body.Rows() {
		if message := row.Get("pMessage"); message != "" && len(data.Failed) < maxRows {
			data.Failed = append(data.Failed, failedRow{i + 1, message})
		}
	}
	data.Notices, _ = c.platform.NewestNotices("", engine.Page{Limit: maxRows}, func(n *notifier.Notification) bool {
		return n.Order == info.Order && n.Op == info.Op && n.Merchant == info.Merchant
	})
	data.Moments = c.moments(info, data.Notices)
	data.Entries, data.More = c.newestEntries(engine.JournalFilter{Merchant: info.Merchant, Operation: info.Op, Order: info.Order})
	p.Data = data
	c.show(w, http.StatusOK, "order", p)
}

// about says whether a message is about an order. The end of a bid repeats the
// number of its registration.
func about(info engine.OrderInfo, m *messages.Message) bool {
	return m.Merchant == info.Merchant && m.Op == info.Op && m.Order == info.Order && (m.XML == "" || ends(m.Op, m.XML) == info.End)
}

// ends says whether a document of an operation ends a bid.
func ends(op, xml string) bool {
	return op == "registerSubject" && strings.Contains(xml, "<pOperationType>2</pOperationType>")
}

// requestOf is the latest message in which an order was sent, if it is kept.
func (c *Console) requestOf(info engine.OrderInfo) (messages.Message, bool) {
	return c.newestMessage(func(m *messages.Message) bool { return m.Direction == messages.In && m.XML != "" && about(info, m) })
}

func (c *Console) newestMessage(takes func(*messages.Message) bool) (messages.Message, bool) {
	found, _ := c.platform.NewestMessages("", engine.Page{Limit: 1}, takes)
	if len(found) == 0 {
		return messages.Message{}, false
	}
	return found[0], true
}

// moments are the life of an order, in one list: its requests, pages, texts and
// answers, and every attempt of its notifications.
func (c *Console) moments(info engine.OrderInfo, notices []notifier.Notification) []moment {
	var list []moment
	add := func(m moment) {
		if !m.At.IsZero() {
			list = append(list, m)
		}
	}
	sent, _ := c.platform.NewestMessages("", engine.Page{Up: true}, func(m *messages.Message) bool {
		return m.Via != messages.ViaNotify && about(info, m)
	})
	// The answer to a request was settled when the request was taken, before the
	// texts and notices that followed, although it is written down after them.
	var asked time.Time
	var late []moment
	for _, m := range sent {
		sign := signatureVerdict(m)
		what := moment{m.At, "应答", m.Code + " " + m.Text, messageURL(m.Seq), "plain", m.Fault}
		if m.Code != "" && info.State == "failed" {
			what.Tone = "bad"
		}
		switch {
		case m.Direction == messages.In:
			what.What, what.Text, what.Tone = "请求", labelOf("via", m.Via).Text+"，"+sign.Text, sign.Tone
			asked = m.At
		case m.Took == 0: // after a page
			late = append(late, what)
			continue
		case !asked.IsZero():
			what.At = asked
		}
		add(what)
	}
	e := c.platform.Engine()
	if ask, ok := e.Ask(info.Asked); ok {
		opened := moment{ask.At, "确认页", wire.ClockText(ask.Deadline) + " 前有效", "", "wait", ""}
		if ask.Open {
			opened.URL = c.platform.ConfirmPath(ask.ID)
		}
		add(opened)
		closed := moment{ask.ClosedAt, "确认页结束", "用户已确认", "", "good", ""}
		switch {
		case ask.Cancelled:
			closed.Text, closed.Tone = "用户取消", "bad"
		case !ask.ClosedAt.Before(ask.Deadline):
			closed.Text, closed.Tone = "超时，用户未确认", "bad"
		case info.State == "failed":
			closed.Text, closed.Tone = "未成功", "bad"
		}
		add(closed)
	}
	for _, text := range e.TextsOf(info) {
		state, inbox := labelOf("text", text.State), "/sms/"+text.Mobile
		if text.State == engine.SMSTold {
			add(moment{text.At, "短信", "告知，无需回复", inbox, "plain", ""})
			continue
		}
		add(moment{text.At, "短信", wire.ClockText(text.Deadline) + " 前有效", inbox, "wait", ""})
		add(moment{text.AnsweredAt, "短信回复", state.Text, "", state.Tone, ""})
		if text.State == engine.SMSExpired {
			add(moment{text.Deadline, "短信回复", state.Text, "", state.Tone, ""})
		}
	}
	list = append(list, late...)
	for _, n := range slices.Backward(notices) {
		for i, a := range n.Attempts {
			m := moment{a.At, fmt.Sprintf("通知第 %d 次", i+1), attemptText(a), noticeURL(n.Seq), "bad", cmp.Or(a.Fault, n.Fault)}
			if a.Status == http.StatusOK {
				m.Tone = "good"
			}
			add(m)
		}
		add(moment{n.Next, "下次通知", "", noticeURL(n.Seq), "wait", n.Fault})
		if n.State == notifier.Dropped {
			add(moment{n.Queued, "通知", "已丢弃", noticeURL(n.Seq), "bad", n.Fault})
		}
	}
	slices.SortStableFunc(list, func(a, b moment) int { return a.At.Compare(b.At) })
	return list
}

// orderDocument is a document of an order.
func (c *Console) orderDocument(r *http.Request) (string, bool) {
	info, ok := c.orderOf(r)
	if pathValue(r, "part") == "request" && ok {
		m, kept := c.requestOf(info)
		return masked(r, m.XML), kept
	}
	body := map[string]engine.Message{"answer": info.Answer.Body, "final": info.Final.Body}[pathValue(r, "part")]
	return masked(r, string(wire.WriteDocument(body))), len(body) > 0
}

// maxPage is how large a page may be.
const maxPage = 200 << 10

// text sends a text just as it is, XML too: as XML a browser would run what a
// stranger put into it. What is larger than a page comes as a file.
func (c *Console) text(find func(*http.Request) (string, bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, ok := find(r)
		if !ok {
			c.notFound(w, r)
			return
		}
		if len(text) > maxPage {
			w.Header().Set("Content-Disposition", `attachment; filename="document.xml.txt"`)
		}
		wire.Send(w, http.StatusOK, "text/plain; charset=utf-8", []byte(text))
	}
}

// masked is a document without people's data, unless they are asked for.
func masked(r *http.Request, xml string) string {
	if unmasked(r) {
		return xml
	}
	return messages.Mask(xml)
}

// document is an XML document on a page.
type document struct {
	HTML   template.HTML
	BOM    bool   // begins with a byte order mark, which nobody would see
	Cut    bool   // is longer than what is shown
	Whole  string // address of the whole, "" if there is none
	Unmask bool
	Masked bool   // something is
	Other  string // address of the page with masking the other way round
}

// newDocument shows a document; part is where the whole of it is, below the page.
func newDocument(r *http.Request, xml, part string) document {
	d := document{Unmask: unmasked(r), BOM: strings.HasPrefix(xml, "\ufeff")}
	query := r.URL.Query()
	d.Whole = r.URL.EscapedPath() + "/" + part
	if len(query) > 0 {
		d.Whole += "?" + query.Encode()
	}
	if d.Unmask {
		query.Del("unmask")
	} else {
		query.Set("unmask", "1")
		whole := xml[:min(len(xml), 2*maxShownXML)] // more is not shown
		xml = messages.Mask(whole)
		d.Masked = xml != whole
	}
	d.Other = r.URL.EscapedPath()
	if len(query) > 0 {
		d.Other += "?" + query.Encode()
	}
	d.HTML, d.Cut = prettyXML(xml, maxShownXML)
	return d
}

func answerDocument(r *http.Request, a engine.Answer, part string) document {
	if len(a.Body) == 0 {
		return document{}
	}
	return newDocument(r, string(wire.WriteDocument(beginning(a.Body))), part)
}

// beginning is as much of a document as is shown, and more.
func beginning(m engine.Message) engine.Message {
	m = slices.Clone(m)
	for i := range m {
		m[i].Rows = m[i].Rows[:min(len(m[i].Rows), maxShownXML/len("<pRow></pRow>"))]
	}
	return m
}

func (c *Console) messages(w http.ResponseWriter, r *http.Request) {
	var dropped int64
	if oldest, _ := c.platform.NewestMessages("", engine.Page{Up: true, Limit: 1}, func(*messages.Message) bool { return true }); len(oldest) > 0 {
		dropped = oldest[0].Seq - 1
	}
	list(c, w, r, page{Title: "报文", Section: "messages", Live: "messages"},
		append([]filterField{c.merchantFilter(), operationFilter(),
			{Name: "dir", Label: "方向", Choices: []choice{{string(messages.In), "收 in"}, {string(messages.Out), "发 out"}}},
			{Name: "via", Label: "途径", Choices: labelled("via", "page", "return", "soap", "notify")},
			{Name: "sign", Label: "签名", Choices: []choice{{"ok", "验签通过、已签名"}, {"bad", "验签未通过、未签名"}}}, faultFilter(),
			typed("号码、说明或报文内容")}, period()...),
		dropped, func(f filterForm, at pager) ([]messages.Message, int) {
			during := f.period()
			return c.platform.NewestMessages(f.get("q"), at.window(), func(m *messages.Message) bool {
				return selects(f.get("merchant"), m.Merchant) && selects(f.get("op"), m.Op) && selects(f.get("dir"), string(m.Direction)) &&
					selects(f.get("via"), string(m.Via)) && during.Has(m.At) && f.struck(m.Fault) &&
					(f.get("sign") == "" || m.Verified == (f.get("sign") == "ok"))
			})
		})
}

func selects(want, value string) bool { return want == "" || want == value }

type messageData struct {
	messages.Message
	Document document
	OrderURL string   // of the order, "" if there is none
	Why      []string // its signature or body failed
	Sealed   bool     // it has a body that could not be decrypted
}

// findMessage reads the number out of the address.
func (c *Console) findMessage(r *http.Request) (messages.Message, bool) {
	seq, err := strconv.ParseInt(pathValue(r, "seq"), 10, 64)
	if err != nil {
		return messages.Message{}, false
	}
	return c.newestMessage(func(m *messages.Message) bool { return m.Seq == seq })
}

func (c *Console) message(w http.ResponseWriter, r *http.Request) {
	m, ok := c.findMessage(r)
	if !ok {
		c.problem(w, http.StatusNotFound, "没有这条报文，或因保留数量有限已被清除")
		return
	}
	data := messageData{Message: m, OrderURL: c.orderPage(m.Merchant, m.Order, m.Op, m.XML), Why: c.platform.Diagnose(m)}
	for _, f := range m.Fields {
		data.Sealed = data.Sealed || m.XML == "" && f.Value != "" && strings.EqualFold(f.Name, "p3DesXmlPara")
	}
	if m.XML != "" {
		data.Document = newDocument(r, m.XML, "document")
	}
	c.show(w, http.StatusOK, "message", page{
		Title: "报文 " + strconv.FormatInt(m.Seq, 10), Section: "messages", Version: c.feed.Version(), Data: data,
	})
}

// orderPage is the address of the order that a message or notice is about, ""
// if the platform never took one.
func (c *Console) orderPage(merchant, order, op, xml string) string {
	end := ends(op, xml)
	if info, ok := c.platform.Engine().Order(merchant, op, order, end); ok && info.Op == op {
		return orderURL(merchant, order, end)
	}
	return ""
}

func (c *Console) messageDocument(r *http.Request) (string, bool) {
	m, ok := c.findMessage(r)
	return masked(r, m.XML), ok
}

// messageEnvelope is the envelope of a request as it came, as a form.
func (c *Console) messageEnvelope(r *http.Request) (string, bool) {
	m, _ := c.findMessage(r)
	return wire.EncodeForm(m.Fields...), len(m.Fields) > 0
}

func (c *Console) notifications(w http.ResponseWriter, r *http.Request) {
	dropped := int64(0)
	if newest, kept := c.platform.NewestNotices("", engine.Page{Limit: 1}, func(*notifier.Notification) bool { return true }); kept > 0 {
		dropped = max(0, newest[0].Seq-int64(kept))
	}
	list(c, w, r, page{Title: "通知", Section: "notifications", Live: "notifications"},
		append([]filterField{c.merchantFilter(), operationFilter(),
			{Name: "state", Label: "状态", Choices: labelled("notice", "queued", "delivered", "abandoned", "dropped")}, faultFilter(),
			typed("订单号、返回码、说明或地址")}, period()...),
		dropped, func(f filterForm, at pager) ([]notifier.Notification, int) {
			during := f.period()
			merchant, op, state := f.get("merchant"), f.get("op"), f.get("state")
			return c.platform.NewestNotices(f.get("q"), at.window(), func(n *notifier.Notification) bool {
				return selects(merchant, n.Merchant) && selects(op, n.Op) && selects(state, string(n.State)) && during.Has(n.Queued) && f.struck(n.Fault)
			})
		})
}

type notificationData struct {
	notifier.Notification
	Document document
	OrderURL string
	URL      string // of its own page
	Target   string // pS2SUrl
	Sign     string // pSign
	Curl     string // "" if it is too long to be shown
}

// posting is a notification and what is posted for it.
type posting struct {
	notifier.Notification
	form, xml, sign string
}

func (c *Console) findPosting(r *http.Request) (posting, bool) {
	seq, err := strconv.ParseInt(pathValue(r, "seq"), 10, 64)
	if err != nil {
		return posting{}, false
	}
	n, answer, ok := c.platform.Posting(seq)
	return posting{n, wire.EncodeForm(answer.Fields()...), answer.XML, answer.Sign}, ok
}

func (c *Console) notification(w http.ResponseWriter, r *http.Request) {
	version := c.feed.Version()
	n, ok := c.findPosting(r)
	if !ok {
		c.problem(w, http.StatusNotFound, "没有这条通知，或因保留数量有限已被清除")
		return
	}
	data := notificationData{
		Notification: n.Notification, Target: n.URL, Sign: n.sign, URL: r.URL.EscapedPath(), OrderURL: c.orderPage(n.Merchant, n.Order, n.Op, n.xml),
	}
	if n.xml != "" {
		data.Document = newDocument(r, n.xml, "document")
	}
	if curl := curlCommand(n.URL, n.form); len(curl) <= maxShownCurl {
		data.Curl = curl
	}
	c.show(w, http.StatusOK, "notification", page{
		Title: "通知 " + strconv.FormatInt(n.Seq, 10), Section: "notifications", Live: "notifications", Version: version, Data: data,
	})
}

func (c *Console) notificationDocument(r *http.Request) (string, bool) {
	n, ok := c.findPosting(r)
	return masked(r, n.xml), ok
}

// notificationReplay is a script that posts a notification once more from
// wherever it is run.
func (c *Console) notificationReplay(r *http.Request) (string, bool) {
	n, ok := c.findPosting(r)
	return curlCommand(n.URL, n.form) + "\n", ok
}

func (c *Console) journal(w http.ResponseWriter, r *http.Request) {
	operations := operationFilter()
	operations.Choices = append(operations.Choices, choice{engine.KindDeposit, title(engine.KindDeposit) + " " + engine.KindDeposit})
	list(c, w, r, page{Title: "分录", Section: "journal", Live: "state"},
		append([]filterField{c.merchantFilter(), operations, {Name: "account", Label: "账号"}, {Name: "bid", Label: "标的号 pBidNo"},
			{Name: "order", Label: "订单号 pMerBillNo"}, typed("号码、摘要或金额")}, period()...),
		0, func(f filterForm, at pager) ([]engine.JournalEntry, int) {
			return c.platform.Engine().NewestEntries(engine.JournalFilter{
				Merchant: f.get("merchant"), Operation: f.get("op"), Account: f.get("account"), Bid: f.get("bid"), Order: f.get("order"),
				Text: f.get("q"), Period: f.period(), Page: at.window(),
			})
		})
}

// searchData is what a text was found in.
type searchData struct {
	Text                                                      string
	Orders, Bids, Accounts, Messages, Notices, Entries, Texts *found
}

// found are the newest of a kind in which a text was found.
type found struct {
	Rows         any
	Pager        pager
	Shown, Total int
	URL          string // of all
}

func foundIn[T any](address, text string) func(list []T, total int) *found {
	return func(list []T, total int) *found {
		if total == 0 {
			return nil
		}
		return &found{Rows: list, Shown: len(list), Total: total, URL: address + "?" + url.Values{"q": {text}}.Encode()}
	}
}

// search looks for a text everywhere.
func (c *Console) search(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "搜索", Section: "search", Version: c.feed.Version()}
	e, q, newest := c.platform.Engine(), strings.TrimSpace(r.URL.Query().Get("q")), engine.Page{Limit: recentRows}
	data := searchData{Text: q}
	if q != "" {
		data.Orders = foundIn[engine.OrderInfo](Prefix+"orders", q)(e.NewestOrders(engine.OrderFilter{Text: q}, newest))
		data.Bids = foundIn[engine.BidInfo](Prefix+"bids", q)(e.NewestBids(engine.BidFilter{Text: q}, newest))
		data.Accounts = foundIn[engine.AccountInfo](Prefix+"accounts", q)(e.NewestAccounts(engine.AccountFilter{Text: q}, newest))
		data.Entries = foundIn[engine.JournalEntry](Prefix+"journal", q)(e.NewestEntries(engine.JournalFilter{Text: q, Page: newest}))
		data.Messages = foundIn[messages.Message](Prefix+"messages", q)(c.platform.NewestMessages(q, newest, func(*messages.Message) bool { return true }))
		data.Notices = foundIn[notifier.Notification](Prefix+"notifications", q)(c.platform.NewestNotices(q, newest, func(*notifier.Notification) bool { return true }))
		texts, _, total := e.NewestTexts(engine.TextFilter{Text: q}, newest)
		data.Texts = foundIn[engine.SMS]("/sms", q)(texts, total)
	}
	p.Data = data
	c.show(w, http.StatusOK, "search", p)
}

// export sends the books as JSON.
func (c *Console) export(w http.ResponseWriter, _ *http.Request) {
	text, err := json.MarshalIndent(operator.Export(c.platform.Engine()), "", "  ")
	if err != nil {
		c.log.Error("console", "page", "export", "err", err)
		http.Error(w, "the books cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="sandbox-books.json"`)
	wire.Send(w, http.StatusOK, "application/json; charset=utf-8", text)
}

// faultsData are the faults that were ordered and what can be ordered.
type faultsData struct {
	Faults    []fault.State
	Kinds     []fault.Kind
	Merchants filterField
	Ops       filterField
	Problem   string // with what was typed
	Typed     url.Values
}

func (c *Console) faults(w http.ResponseWriter, _ *http.Request) {
	c.showFaults(w, http.StatusOK, "", nil)
}

// showFaults shows the form again with what was typed when it was refused.
func (c *Console) showFaults(w http.ResponseWriter, status int, problem string, typed url.Values) {
	p := page{Title: "故障", Section: "faults", Live: "state messages notifications", Version: c.feed.Version()}
	p.Data = faultsData{c.platform.Faults(), fault.Kinds(), c.merchantFilter(), operationFilter(), problem, typed}
	if problem != "" {
		p.Live = "" // what was typed stays
	}
	c.show(w, status, "faults", p)
}

// liveFaults counts the faults that may still hit something.
func (c *Console) liveFaults() int {
	n := 0
	for _, f := range c.platform.Faults() {
		if f.Left != 0 {
			n++
		}
	}
	return n
}

// oldBids shows the bids of the interface before v2.0, and a form to bring one
// in.
func (c *Console) oldBids(w http.ResponseWriter, _ *http.Request) {
	p := page{Title: "老标的", Section: "oldbids", Live: "state", Version: c.feed.Version()}
	p.Data = struct {
		Merchants filterField
		Bids      []engine.OldBidInfo
	}{c.merchantFilter(), c.platform.Engine().OldBids("")}
	c.show(w, http.StatusOK, "oldbids", p)
}
