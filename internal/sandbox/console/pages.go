package console

import (
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

const (
	recentRows = 10 // on the overview
	ledgerRows = 20 // of the journal on the pages of things
	// maxShownXML bounds a document on a page; the whole is a link away.
	maxShownXML = 256 << 10
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
	Faults    int
	Notices   map[notifier.State]int
	Orders    []engine.OrderInfo
}

func (c *Console) overview(w http.ResponseWriter, _ *http.Request) {
	s := c.platform
	p := page{Title: "概览", Section: "overview", Live: "state notifications", Version: c.version()}
	data := overviewData{
		Merchants: s.Engine().Merchants(),
		Totals:    s.Engine().Totals(),
		Books:     c.books.check(s.CheckBooks),
		Ahead:     s.Offset(),
		Asks:      len(s.Engine().PendingAsks("")),
		Faults:    c.liveFaults(),
		Notices:   make(map[notifier.State]int),
	}
	for _, text := range s.Engine().Inbox("") {
		if text.State == engine.SMSOpen {
			data.Texts++
		}
	}
	for _, n := range s.Notifications() {
		data.Notices[n.State]++
	}
	data.Orders, _ = s.Engine().NewestOrders(engine.OrderFilter{}, engine.Page{Limit: recentRows})
	p.Data = data
	c.show(w, http.StatusOK, "overview", p)
}

// listData is a list with its filters and the part that is shown.
type listData[T any] struct {
	Filters filterForm
	Pager   pager
	Rows    []T
}

func (c *Console) accounts(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "账户", Section: "accounts", Live: "state", Version: c.version()}
	f := filters(r, c.merchantFilter(), filterField{Name: "q", Label: "账号、姓名、邮箱或手机"})
	at := newPager(r)
	rows, total := c.platform.Engine().NewestAccounts(engine.AccountFilter{Merchant: f.get("merchant"), Text: f.get("q")}, at.window())
	p.Data = listData[engine.AccountInfo]{f, at.of(total), rows}
	c.show(w, http.StatusOK, "accounts", p)
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
	Entries  []engine.JournalEntry
	More     int // entries that are not shown
}

func (c *Console) account(w http.ResponseWriter, r *http.Request) {
	merchant, number := pathValue(r, "merchant"), pathValue(r, "account")
	e := c.platform.Engine()
	p := page{Title: "账户 " + number, Section: "accounts", Live: "state", Version: c.version()}
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
	data.Entries, data.More = c.newestEntries(engine.JournalFilter{Account: number})
	p.Data = data
	c.show(w, http.StatusOK, "account", p)
}

func unmasked(r *http.Request) bool { return r.URL.Query().Get("unmask") == "1" }

func (c *Console) newestEntries(f engine.JournalFilter) (list []engine.JournalEntry, more int) {
	f.Limit = ledgerRows
	list, total := c.platform.Engine().NewestEntries(f)
	return list, total - len(list)
}

func (c *Console) bids(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "标的", Section: "bids", Live: "state", Version: c.version()}
	f := filters(r, c.merchantFilter(),
		filterField{Name: "status", Label: "状态 pBidStatus", Choices: labelled("bid", "1", "2", "3", "8", "9", "10")},
		filterField{Name: "borrower", Label: "借款人账号"},
		filterField{Name: "q", Label: "标的号、订单号或 IPS 号"})
	at := newPager(r)
	rows, total := c.platform.Engine().NewestBids(engine.BidFilter{
		Merchant: f.get("merchant"), Status: f.get("status"), Borrower: f.get("borrower"), Text: f.get("q"),
	}, at.window())
	p.Data = listData[engine.BidInfo]{f, at.of(total), rows}
	c.show(w, http.StatusOK, "bids", p)
}

type bidData struct {
	engine.BidInfo
	Ended   bool // an order to end it was taken
	Entries []engine.JournalEntry
	More    int
}

func (c *Console) bid(w http.ResponseWriter, r *http.Request) {
	p := page{Section: "bids", Live: "state", Version: c.version()}
	info, ok := c.platform.Engine().Bid(pathValue(r, "merchant"), pathValue(r, "bid"))
	if !ok {
		c.notFound(w, r)
		return
	}
	p.Title = "标的 " + info.No
	data := bidData{BidInfo: info}
	_, data.Ended = c.platform.Engine().Order(info.Merchant, "registerSubject", info.Order, true)
	data.Entries, data.More = c.newestEntries(engine.JournalFilter{Merchant: info.Merchant, Bid: info.No})
	p.Data = data
	c.show(w, http.StatusOK, "bid", p)
}

func (c *Console) orders(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "订单", Section: "orders", Live: "state", Version: c.version()}
	f := filters(r, c.merchantFilter(), operationFilter(),
		filterField{Name: "state", Label: "状态", Choices: labelled("order", "waiting", "held", "done", "failed")},
		filterField{Name: "q", Label: "订单号或 IPS 号"})
	at := newPager(r)
	rows, total := c.platform.Engine().NewestOrders(engine.OrderFilter{
		Merchant: f.get("merchant"), Op: f.get("op"), State: f.get("state"), Text: f.get("q"),
	}, at.window())
	p.Data = listData[engine.OrderInfo]{f, at.of(total), rows}
	c.show(w, http.StatusOK, "orders", p)
}

type orderData struct {
	engine.OrderInfo
	Bid      string
	Asking   *engine.AskInfo
	Texts    []engine.SMS
	Told     document // the answer that the caller got
	Last     document // what was posted to pS2SUrl
	Messages []messages.Message
	Notices  []notifier.Notification
	Entries  []engine.JournalEntry
	More     int
}

func (c *Console) order(w http.ResponseWriter, r *http.Request) {
	e := c.platform.Engine()
	p := page{Section: "orders", Live: "state messages notifications", Version: c.version()}
	info, ok := e.Order(pathValue(r, "merchant"), "", pathValue(r, "order"), r.URL.Query().Get("end") == "1")
	if !ok {
		c.notFound(w, r)
		return
	}
	p.Title = "订单 " + info.Order
	data := orderData{OrderInfo: info, Bid: info.Answer.Body.Get("pBidNo")}
	if ask, ok := e.Ask(info.Ask); ok && ask.Open {
		data.Asking = &ask
	}
	same := func(merchant, op, order string) bool {
		return merchant == info.Merchant && op == info.Op && order == info.Order
	}
	for _, text := range e.Inbox("") {
		if same(text.Merchant, text.Op, text.Order) {
			data.Texts = append(data.Texts, text)
		}
	}
	data.Told, data.Last = answerDocument(r, info.Answer), answerDocument(r, info.Final)
	everything := pager{Page: 1, limit: maxRows}
	data.Messages, _ = pageOf(c.platform.Unmasked(), everything, func(m messages.Message) bool { return same(m.Merchant, m.Op, m.Order) })
	data.Notices, _ = pageOf(c.platform.Notifications(), everything, func(n notifier.Notification) bool { return same(n.Merchant, n.Op, n.Order) })
	data.Entries, data.More = c.newestEntries(engine.JournalFilter{Merchant: info.Merchant, Operation: info.Op, Order: info.Order})
	p.Data = data
	c.show(w, http.StatusOK, "order", p)
}

// document is an XML document on a page.
type document struct {
	HTML   template.HTML
	BOM    bool   // begins with a byte order mark, which nobody would see
	Cut    bool   // is longer than what is shown
	Whole  string // address of the whole, "" if there is none
	Unmask bool
	Other  string // address of the page with masking the other way round
}

func newDocument(r *http.Request, xml string) document {
	d := document{Unmask: unmasked(r), BOM: strings.HasPrefix(xml, "\ufeff")}
	query := r.URL.Query()
	if d.Unmask {
		query.Del("unmask")
	} else {
		query.Set("unmask", "1")
		xml = messages.Mask(xml)
	}
	d.Other = r.URL.EscapedPath()
	if len(query) > 0 {
		d.Other += "?" + query.Encode()
	}
	d.HTML, d.Cut = prettyXML(xml, maxShownXML)
	return d
}

func answerDocument(r *http.Request, a engine.Answer) document {
	if len(a.Body) == 0 {
		return document{}
	}
	return newDocument(r, string(wire.WriteDocument(a.Body)))
}

func (c *Console) messages(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "报文", Section: "messages", Live: "messages", Version: c.version()}
	f := filters(r, c.merchantFilter(), operationFilter(),
		filterField{Name: "dir", Label: "方向", Choices: []choice{{string(messages.In), "收 in"}, {string(messages.Out), "发 out"}}},
		filterField{Name: "via", Label: "途径", Choices: labelled("via", "page", "return", "soap", "notify")},
		filterField{Name: "sign", Label: "签名", Choices: []choice{{"ok", "有效"}, {"bad", "无效"}}},
		filterField{Name: "order", Label: "订单号 pMerBillNo"},
		filterField{Name: "code", Label: "返回码 pErrCode"})
	rows, at := pageOf(c.platform.Unmasked(), newPager(r), func(m messages.Message) bool {
		return selects(f.get("merchant"), m.Merchant) && selects(f.get("op"), m.Op) && selects(f.get("dir"), string(m.Direction)) &&
			selects(f.get("via"), string(m.Via)) && selects(f.get("order"), m.Order) && selects(f.get("code"), m.Code) &&
			(f.get("sign") == "" || m.Verified == (f.get("sign") == "ok"))
	})
	p.Data = listData[messages.Message]{f, at, rows}
	c.show(w, http.StatusOK, "messages", p)
}

func selects(want, value string) bool { return want == "" || want == value }

type messageData struct {
	messages.Message
	Document document
	OrderURL string // of the order, "" if there is none
}

// findMessage reads the number out of the address.
func (c *Console) findMessage(r *http.Request) (messages.Message, bool) {
	seq, err := strconv.ParseInt(pathValue(r, "seq"), 10, 64)
	if err != nil {
		return messages.Message{}, false
	}
	for _, m := range c.platform.Unmasked() {
		if m.Seq == seq {
			return m, true
		}
	}
	return messages.Message{}, false
}

func (c *Console) message(w http.ResponseWriter, r *http.Request) {
	m, ok := c.findMessage(r)
	if !ok {
		c.problem(w, http.StatusNotFound, "没有这条报文，或因保留数量有限已被清除")
		return
	}
	data := messageData{Message: m, OrderURL: c.orderPage(m.Merchant, m.Order, m.Op, m.XML)}
	if m.XML != "" {
		data.Document = newDocument(r, m.XML)
		data.Document.Whole = whole(r)
	}
	c.show(w, http.StatusOK, "message", page{
		Title: "报文 " + strconv.FormatInt(m.Seq, 10), Section: "messages", Version: c.version(), Data: data,
	})
}

// whole is where the whole document of a page is to be had, masked as the page
// is.
func whole(r *http.Request) string {
	address := r.URL.EscapedPath() + "/document"
	if unmasked(r) {
		address += "?unmask=1"
	}
	return address
}

// orderPage is the address of the order that a message or notice is about, ""
// if the platform never took one.
func (c *Console) orderPage(merchant, order, op, xml string) string {
	// The end of a bid repeats the number of its registration.
	end := op == "registerSubject" && strings.Contains(xml, "<pOperationType>2</pOperationType>")
	if info, ok := c.platform.Engine().Order(merchant, op, order, end); ok && info.Op == op {
		return orderURL(merchant, order, end)
	}
	return ""
}

func (c *Console) messageDocument(w http.ResponseWriter, r *http.Request) {
	m, ok := c.findMessage(r)
	if !ok {
		c.notFound(w, r)
		return
	}
	sendDocument(w, r, m.XML)
}

// sendDocument sends a document just as it is, but as plain text: as XML a
// browser would run what a stranger put into it.
func sendDocument(w http.ResponseWriter, r *http.Request, xml string) {
	if !unmasked(r) {
		xml = messages.Mask(xml)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, xml)
}

func (c *Console) notifications(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "通知", Section: "notifications", Live: "notifications", Version: c.version()}
	f := filters(r, c.merchantFilter(), operationFilter(),
		filterField{Name: "state", Label: "状态", Choices: labelled("notice", "queued", "delivered", "abandoned", "dropped")},
		filterField{Name: "order", Label: "订单号 pMerBillNo"},
		filterField{Name: "code", Label: "返回码 pErrCode"})
	rows, at := pageOf(c.platform.Notifications(), newPager(r), func(n notifier.Notification) bool {
		return selects(f.get("merchant"), n.Merchant) && selects(f.get("op"), n.Op) && selects(f.get("state"), string(n.State)) &&
			selects(f.get("order"), n.Order) && selects(f.get("code"), n.Code)
	})
	p.Data = listData[notifier.Notification]{f, at, rows}
	c.show(w, http.StatusOK, "notifications", p)
}

type notificationData struct {
	notifier.Notification
	Document document
	OrderURL string
	URL      string // of its own page
	Target   string // pS2SUrl
	Curl     string // "" if it is too long to be shown
}

// posting is a notification and what is posted for it.
type posting struct {
	notifier.Notification
	form, xml string
}

func (c *Console) findPosting(r *http.Request) (posting, bool) {
	seq, err := strconv.ParseInt(pathValue(r, "seq"), 10, 64)
	if err != nil {
		return posting{}, false
	}
	n, answer, ok := c.platform.Posting(seq)
	return posting{n, wire.EncodeForm(answer.Fields()...), answer.XML}, ok
}

func (c *Console) notification(w http.ResponseWriter, r *http.Request) {
	version := c.version()
	n, ok := c.findPosting(r)
	if !ok {
		c.problem(w, http.StatusNotFound, "没有这条通知，或因保留数量有限已被清除")
		return
	}
	data := notificationData{
		Notification: n.Notification, Target: n.URL, URL: r.URL.EscapedPath(), OrderURL: c.orderPage(n.Merchant, n.Order, n.Op, n.xml),
	}
	if n.xml != "" {
		data.Document = newDocument(r, n.xml)
		data.Document.Whole = whole(r)
	}
	if curl := curlCommand(n.URL, n.form); len(curl) <= maxShownCurl {
		data.Curl = curl
	}
	c.show(w, http.StatusOK, "notification", page{
		Title: "通知 " + strconv.FormatInt(n.Seq, 10), Section: "notifications", Live: "notifications", Version: version, Data: data,
	})
}

func (c *Console) notificationDocument(w http.ResponseWriter, r *http.Request) {
	n, ok := c.findPosting(r)
	if !ok {
		c.notFound(w, r)
		return
	}
	sendDocument(w, r, n.xml)
}

// notificationReplay is a script that posts a notification once more from
// wherever it is run.
func (c *Console) notificationReplay(w http.ResponseWriter, r *http.Request) {
	n, ok := c.findPosting(r)
	if !ok {
		c.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, curlCommand(n.URL, n.form)+"\n")
}

func (c *Console) journal(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "分录", Section: "journal", Live: "state", Version: c.version()}
	operations := operationFilter()
	operations.Choices = append(operations.Choices, choice{engine.KindDeposit, title(engine.KindDeposit) + " " + engine.KindDeposit})
	f := filters(r, c.merchantFilter(), operations,
		filterField{Name: "account", Label: "账号"},
		filterField{Name: "bid", Label: "标的号 pBidNo"},
		filterField{Name: "order", Label: "订单号 pMerBillNo"})
	at := newPager(r)
	rows, total := c.platform.Engine().NewestEntries(engine.JournalFilter{
		Merchant: f.get("merchant"), Operation: f.get("op"), Account: f.get("account"), Bid: f.get("bid"), Order: f.get("order"),
		Offset: at.skip(), Limit: at.limit,
	})
	p.Data = listData[engine.JournalEntry]{f, at.of(total), rows}
	c.show(w, http.StatusOK, "journal", p)
}

// faultsData are the faults that were ordered and what can be ordered.
type faultsData struct {
	Faults    []fault.State
	Kinds     []fault.Kind
	Merchants filterField
	Ops       filterField
}

func (c *Console) faults(w http.ResponseWriter, _ *http.Request) {
	p := page{Title: "故障", Section: "faults", Live: "state messages notifications", Version: c.version()}
	p.Data = faultsData{c.platform.Faults(), fault.Kinds(), c.merchantFilter(), operationFilter()}
	c.show(w, http.StatusOK, "faults", p)
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
	p := page{Title: "老标的", Section: "oldbids", Live: "state", Version: c.version()}
	p.Data = struct {
		Merchants filterField
		Bids      []engine.OldBidInfo
	}{c.merchantFilter(), c.platform.Engine().OldBids("")}
	c.show(w, http.StatusOK, "oldbids", p)
}
