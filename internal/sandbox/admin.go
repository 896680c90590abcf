package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

const (
	adminPrefix = "/admin/"
	healthPath  = "/healthz"

	maxAdminBody = 64 << 10
	adminPage    = 100  // entries of a list, unless a limit is asked for
	maxAdminPage = 1000 // and the highest limit
	jsonMedia    = "application/json"
)

// adminError is an error that says with which status it is answered.
type adminError struct {
	status int
	text   string
}

func (e *adminError) Error() string { return e.text }

// adminCall is a request to the admin API, whose body is read and checked by
// read.
type adminCall struct {
	*http.Request
	sandbox *Sandbox
}

// adminAPI lets programs do what a test needs: order faults, move the clock,
// look at the books. It is for the people who run the sandbox, so it refuses
// what a web page that they look at could send in their name: foreign host
// names, foreign origins, and bodies that a form can send.
func (s *Sandbox) adminAPI() http.Handler {
	mux := http.NewServeMux()
	routes := map[string]map[string]func(adminCall) (any, error){
		"faults":                     {"GET": getFaults, "POST": postFault, "DELETE": deleteFaults},
		"faults/{id}":                {"DELETE": deleteFault},
		"release":                    {"POST": postRelease},
		"clock":                      {"GET": getClock},
		"clock/advance":              {"POST": postAdvance},
		"balances":                   {"GET": getBalances},
		"books":                      {"GET": getBooks},
		"deposit":                    {"POST": postDeposit},
		"mode":                       {"POST": postMode},
		"mandate":                    {"POST": postMandate},
		"notifications":              {"GET": getNotifications},
		"notifications/{seq}/resend": {"POST": postResend},
		"messages":                   {"GET": getMessages},
		"sms":                        {"GET": getSMS},
		"sms/{id}":                   {"POST": postSMS},
	}
	for path, methods := range routes {
		for method, serve := range methods {
			mux.HandleFunc(method+" "+adminPrefix+path, func(w http.ResponseWriter, r *http.Request) {
				answer, err := serve(adminCall{r, s})
				s.answerAdmin(w, answer, err)
			})
		}
		mux.HandleFunc(adminPrefix+path, func(w http.ResponseWriter, r *http.Request) {
			for method := range methods {
				w.Header().Add("Allow", method)
			}
			s.answerAdmin(w, nil, &adminError{http.StatusMethodNotAllowed, "method " + r.Method + " is not for this path"})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.answerAdmin(w, nil, &adminError{http.StatusNotFound, "there is nothing at this path"})
	})
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostAllowed(r.Host, s.hosts) {
			s.answerAdmin(w, nil, &adminError{http.StatusMisdirectedRequest,
				"not served under this host name: use an address or localhost, or name the host in the sandbox's settings"})
			return
		}
		if err := foreign.Check(r); err != nil {
			s.answerAdmin(w, nil, &adminError{http.StatusForbidden, "a page of another origin sent this"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
		mux.ServeHTTP(w, r)
	})
}

// answerAdmin writes an answer or an error as JSON.
func (s *Sandbox) answerAdmin(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		var known *adminError
		switch {
		case errors.As(err, &known):
			status = known.status
		case errors.Is(err, ErrNotFound):
			status = http.StatusNotFound
		case errors.Is(err, ErrClosed), errors.Is(err, ErrStore):
			status = http.StatusServiceUnavailable
		default: // the sandbox's methods refuse what makes no sense
			status = http.StatusBadRequest
		}
		if answer == nil {
			answer = map[string]string{"error": err.Error()}
		}
	}
	if answer == nil {
		answer = map[string]bool{"ok": true}
	}
	body, marshalErr := json.MarshalIndent(answer, "", "  ")
	if marshalErr != nil {
		s.log.Error("admin", "err", marshalErr)
		status, body = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// read decodes the body of a POST strictly.
func (c adminCall) read(into any) error {
	media, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || media != jsonMedia {
		return &adminError{http.StatusUnsupportedMediaType, "Content-Type: want " + jsonMedia}
	}
	d := json.NewDecoder(c.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &adminError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxAdminBody)}
		}
		return &adminError{http.StatusBadRequest, "the body is not the JSON object that is wanted: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &adminError{http.StatusBadRequest, "there is something behind the JSON object"}
	}
	return nil
}

// number reads a number out of the path.
func (c adminCall) number(name string) (int64, error) {
	n, err := strconv.ParseInt(c.PathValue(name), 10, 64)
	if err != nil {
		return 0, &adminError{http.StatusBadRequest, fmt.Sprintf("%s: want a number, got %q", name, c.PathValue(name))}
	}
	return n, nil
}

// query reads the query, in which nothing but the named parameters may be.
func (c adminCall) query(names ...string) (url.Values, error) {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, &adminError{http.StatusBadRequest, "the query cannot be read"}
	}
	known := make(map[string]bool)
	for _, name := range names {
		known[name] = true
	}
	for name := range values {
		if !known[name] {
			return nil, &adminError{http.StatusBadRequest, fmt.Sprintf("unknown parameter %q", name)}
		}
	}
	return values, nil
}

// newest returns the newest entries of a list, as many as the parameter limit
// says.
func newest[T any](list []T, query url.Values) ([]T, error) {
	limit := adminPage
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxAdminPage {
			return nil, &adminError{http.StatusBadRequest, fmt.Sprintf("limit: want 1 to %d, got %q", maxAdminPage, text)}
		}
		limit = n
	}
	return list[max(0, len(list)-limit):], nil
}

// faultJSON is a fault as the admin API writes it.
type faultJSON struct {
	ID          int64   `json:"id,omitempty"`
	Name        string  `json:"name"`
	Op          string  `json:"op,omitempty"`
	Merchant    string  `json:"merchant,omitempty"`
	Count       int     `json:"count,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	After       bool    `json:"after,omitempty"`
	Delay       string  `json:"delay,omitempty"`
	Size        int64   `json:"size,omitempty"`
	Code        string  `json:"code,omitempty"`
	Text        string  `json:"text,omitempty"`
	Row         int     `json:"row,omitempty"`
}

// faultStateJSON is a fault that was ordered.
type faultStateJSON struct {
	faultJSON
	Met  int `json:"met"`
	Left int `json:"left"` // -1: no limit
}

func (f faultJSON) fault() (Fault, error) {
	delay, err := duration("delay", f.Delay)
	if f.ID != 0 {
		err = errors.Join(err, &adminError{http.StatusBadRequest, "id: the sandbox gives the number"})
	}
	return Fault{
		Name: f.Name, Op: f.Op, Merchant: f.Merchant, Count: f.Count, Probability: f.Probability, After: f.After,
		Delay: delay, Size: f.Size, Code: f.Code, Text: f.Text, Row: f.Row,
	}, err
}

func (f FaultState) json() faultStateJSON {
	j := faultJSON{
		ID: f.ID, Name: f.Name, Op: f.Op, Merchant: f.Merchant, Count: f.Count, Probability: f.Probability, After: f.After,
		Size: f.Size, Code: f.Code, Text: f.Text, Row: f.Row,
	}
	if f.Delay != 0 {
		j.Delay = f.Delay.String()
	}
	return faultStateJSON{j, f.Met, f.Left}
}

// duration reads a duration as Go writes it: 1h30m, 250ms. "" is 0.
func duration(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, &adminError{http.StatusBadRequest, fmt.Sprintf("%s: want a duration such as 30m or 250ms, got %q", field, text)}
	}
	return d, nil
}

func getFaults(c adminCall) (any, error) {
	if _, err := c.query(); err != nil {
		return nil, err
	}
	list := []faultStateJSON{}
	for _, f := range c.sandbox.Faults() {
		list = append(list, f.json())
	}
	return map[string]any{"faults": list}, nil
}

func postFault(c adminCall) (any, error) {
	var in faultJSON
	if err := c.read(&in); err != nil {
		return nil, err
	}
	f, err := in.fault()
	if err != nil {
		return nil, err
	}
	id, err := c.sandbox.OrderFault(f)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"id": id}, nil
}

func deleteFaults(c adminCall) (any, error) { return nil, c.sandbox.LiftFaults() }

func deleteFault(c adminCall) (any, error) {
	id, err := c.number("id")
	if err != nil {
		return nil, err
	}
	return nil, c.sandbox.LiftFault(id)
}

func postRelease(c adminCall) (any, error) {
	var in struct {
		Merchant string `json:"merchant"`
		Op       string `json:"op"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	return nil, c.sandbox.Release(in.Merchant, in.Op)
}

type clockJSON struct {
	Now    time.Time `json:"now"`
	Offset string    `json:"offset"` // how far it was moved forward in all
}

func (s *Sandbox) clockJSON() clockJSON {
	return clockJSON{s.Now().In(chinaZone()), s.Offset().String()}
}

func getClock(c adminCall) (any, error) {
	_, err := c.query()
	return c.sandbox.clockJSON(), err
}

func postAdvance(c adminCall) (any, error) {
	var in struct {
		By string `json:"by"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	by, err := duration("by", in.By)
	if err != nil {
		return nil, err
	}
	if err := c.sandbox.Advance(by); err != nil {
		return nil, err
	}
	return c.sandbox.clockJSON(), nil
}

// balanceJSON are the pockets of an account, in fen.
type balanceJSON struct {
	Merchant  string `json:"merchant"`
	Account   string `json:"account"`
	Available int64  `json:"available"`
	Frozen    int64  `json:"frozen"`
	Unsettled int64  `json:"unsettled"`
}

func getBalances(c adminCall) (any, error) {
	query, err := c.query("merchant")
	if err != nil {
		return nil, err
	}
	list := []balanceJSON{}
	add := func(merchant, account string, b engine.Balance) {
		list = append(list, balanceJSON{merchant, account, b.Available, b.Frozen, b.Unsettled})
	}
	only := query.Get("merchant")
	for _, m := range c.sandbox.engine.Merchants() {
		if only == "" || only == m.Merchant {
			add(m.Merchant, m.Merchant, m.Balance)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("merchant %q: %w", only, ErrNotFound)
	}
	accounts, _ := c.sandbox.engine.NewestAccounts(engine.AccountFilter{Merchant: only}, engine.Page{})
	for _, a := range slices.Backward(accounts) {
		add(a.Merchant, a.Number, a.Balance)
	}
	return map[string]any{"unit": "fen", "balances": list}, nil
}

// booksJSON is the verdict on the books, and their sums in fen.
type booksJSON struct {
	OK        bool   `json:"ok"`
	Error     string `json:"error,omitempty"`
	Accounts  int    `json:"accounts"`
	Entries   int    `json:"entries"`
	Users     int64  `json:"users"`
	Merchants int64  `json:"merchants"`
	Fees      int64  `json:"fees"`
	Outside   int64  `json:"outside"` // negative: what has come in
}

func getBooks(c adminCall) (any, error) {
	if _, err := c.query(); err != nil {
		return nil, err
	}
	t := c.sandbox.engine.Totals()
	sum := func(b engine.Balance) int64 { return b.Available + b.Frozen + b.Unsettled }
	books := booksJSON{
		OK: true, Accounts: t.Accounts, Entries: t.Entries,
		Users: sum(t.Users), Merchants: sum(t.Merchants), Fees: t.Fees, Outside: t.Outside,
	}
	if err := c.sandbox.CheckBooks(); err != nil {
		books.OK, books.Error = false, err.Error()
		return books, &adminError{http.StatusInternalServerError, err.Error()}
	}
	return books, nil
}

func postDeposit(c adminCall) (any, error) {
	var in struct {
		Merchant string `json:"merchant"`
		Account  string `json:"account"`
		Fen      int64  `json:"fen"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	return nil, c.sandbox.Deposit(in.Merchant, in.Account, in.Fen)
}

func postMode(c adminCall) (any, error) {
	var in struct {
		Merchant string `json:"merchant"`
		Account  string `json:"account"`
		Mode     string `json:"mode"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Mode != "auto" && in.Mode != "manual" {
		return nil, &adminError{http.StatusBadRequest, fmt.Sprintf("mode: want auto or manual, got %q", in.Mode)}
	}
	return nil, c.sandbox.SetAuto(in.Merchant, in.Account, in.Mode == "auto")
}

func postMandate(c adminCall) (any, error) {
	var in struct {
		Merchant string `json:"merchant"`
		Account  string `json:"account"`
		Signed   *bool  `json:"signed"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Signed == nil {
		return nil, &adminError{http.StatusBadRequest, "signed: want true or false, got nothing"}
	}
	return nil, c.sandbox.Mandate(in.Merchant, in.Account, *in.Signed)
}

type notificationJSON struct {
	Seq      int64         `json:"seq"`
	Merchant string        `json:"merchant"`
	Op       string        `json:"op"`
	Order    string        `json:"order"`
	URL      string        `json:"url"`
	Code     string        `json:"code"`
	Text     string        `json:"text"`
	Queued   time.Time     `json:"queued"`
	State    NoticeState   `json:"state"`
	Attempts []attemptJSON `json:"attempts"`
}

type attemptJSON struct {
	At     time.Time `json:"at"`
	Took   string    `json:"took"`
	Status int       `json:"status,omitempty"`
	Error  string    `json:"error,omitempty"`
}

func getNotifications(c adminCall) (any, error) {
	query, err := c.query("merchant", "order", "state", "limit")
	if err != nil {
		return nil, err
	}
	list := []notificationJSON{}
	for _, n := range c.sandbox.Notifications() {
		if !selected(query, "merchant", n.Merchant) || !selected(query, "order", n.Order) || !selected(query, "state", string(n.State)) {
			continue
		}
		attempts := []attemptJSON{}
		for _, a := range n.Attempts {
			attempts = append(attempts, attemptJSON{a.At.In(chinaZone()), a.Took.String(), a.Status, a.Err})
		}
		list = append(list, notificationJSON{
			n.Seq, n.Merchant, n.Op, n.Order, n.URL, n.Code, n.Text, n.Queued.In(chinaZone()), n.State, attempts,
		})
	}
	list, err = newest(list, query)
	return map[string]any{"notifications": list}, err
}

// selected says whether a parameter that filters lets the value pass.
func selected(query url.Values, name, value string) bool {
	return !query.Has(name) || query.Get(name) == value
}

func postResend(c adminCall) (any, error) {
	seq, err := c.number("seq")
	if err != nil {
		return nil, err
	}
	if err := c.read(&struct{}{}); err != nil {
		return nil, err
	}
	return nil, c.sandbox.Resend(seq)
}

type messageJSON struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	Direction Direction `json:"direction"`
	Via       Via       `json:"via"`
	Merchant  string    `json:"merchant,omitempty"`
	Op        string    `json:"op,omitempty"`
	Order     string    `json:"order,omitempty"`
	Code      string    `json:"code,omitempty"`
	Text      string    `json:"text,omitempty"`
	Verified  bool      `json:"verified"`
	XML       string    `json:"xml,omitempty"` // ids, cards and mobiles masked
}

func getMessages(c adminCall) (any, error) {
	query, err := c.query("merchant", "order", "op", "limit")
	if err != nil {
		return nil, err
	}
	list := []messageJSON{}
	for _, m := range c.sandbox.Messages() {
		if selected(query, "merchant", m.Merchant) && selected(query, "order", m.Order) && selected(query, "op", m.Op) {
			list = append(list, messageJSON{
				m.Seq, m.At.In(chinaZone()), m.Direction, m.Via, m.Merchant, m.Op, m.Order, m.Code, m.Text, m.Verified, m.XML,
			})
		}
	}
	list, err = newest(list, query)
	return map[string]any{"messages": list}, err
}

type smsJSON struct {
	ID       string          `json:"id"`
	Mobile   string          `json:"mobile"`
	Text     string          `json:"text"`
	Merchant string          `json:"merchant"`
	Op       string          `json:"op"`
	Order    string          `json:"order"`
	At       time.Time       `json:"at"`
	Deadline time.Time       `json:"deadline"`
	State    engine.SMSState `json:"state"`
}

// getSMS lists text messages. Whoever names a mobile sees it; without, all of
// them are masked.
func getSMS(c adminCall) (any, error) {
	query, err := c.query("mobile", "merchant", "order", "state", "limit")
	if err != nil {
		return nil, err
	}
	list := []smsJSON{}
	for _, m := range c.sandbox.engine.Inbox(query.Get("mobile")) {
		if !selected(query, "merchant", m.Merchant) || !selected(query, "order", m.Order) || !selected(query, "state", string(m.State)) {
			continue
		}
		if query.Get("mobile") == "" {
			m.Mobile = maskValue(m.Mobile)
		}
		list = append(list, smsJSON{m.ID, m.Mobile, m.Text, m.Merchant, m.Op, m.Order, m.At, m.Deadline, m.State})
	}
	list, err = newest(list, query)
	return map[string]any{"sms": list}, err
}

func postSMS(c adminCall) (any, error) {
	var in struct {
		Yes *bool `json:"yes"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Yes == nil {
		return nil, &adminError{http.StatusBadRequest, "yes: want true or false, got nothing"}
	}
	return nil, c.sandbox.ReplySMS(c.PathValue("id"), *in.Yes)
}

// healthJSON is what /healthz says.
type healthJSON struct {
	OK    bool   `json:"ok"`
	Books string `json:"books"` // ok, or what is wrong
	Store string `json:"store"` // ok, none (all is in memory), or what is wrong
	Note  string `json:"note"`
}

// serveHealth answers 200 if the books are right and the store keeps what
// happens, else 503.
func (s *Sandbox) serveHealth(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	health := healthJSON{OK: true, Books: "ok", Store: "ok", Note: "this is not IPS"}
	if s.journal.store == nil {
		health.Store = "none"
	}
	if err := s.CheckBooks(); err != nil {
		health.OK, health.Books = false, err.Error()
	}
	if err := s.journal.err(); err != nil {
		health.OK, health.Store = false, ErrStore.Error()
		s.log.Error("store", "err", err)
	}
	var err error
	if !health.OK {
		err = &adminError{http.StatusServiceUnavailable, "not well"}
	}
	s.answerAdmin(w, health, err)
}
