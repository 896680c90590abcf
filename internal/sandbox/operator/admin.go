package operator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// AdminPrefix is where the admin API is.
const AdminPrefix = "/admin/"

const (
	maxBody   = 64 << 10
	entries   = 100  // of a list, unless a limit is asked for
	maxLimit  = 1000 // the highest limit
	jsonMedia = "application/json"
)

// call is a request to the admin API.
type call struct{ *http.Request }

func (c call) Value(name string) string { return c.PathValue(name) }

func (c call) Base() string { return wire.Base(c.Request) }

// Read decodes the body of a POST strictly.
func (c call) Read(into any) error {
	media, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || media != jsonMedia {
		return &Error{http.StatusUnsupportedMediaType, "Content-Type: want " + jsonMedia}
	}
	d := json.NewDecoder(c.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody)}
		}
		return bad("the body is not the JSON object that is wanted: %s", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("there is something behind the JSON object")
	}
	return nil
}

// API lets programs do what a test needs: order faults, move the clock, look
// at the books. It is for the people who run the sandbox, so it refuses what a
// web page that they look at could send in their name: foreign host names,
// foreign origins, and bodies that a form can send.
func API(p Platform, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	routes := map[string]map[string]Action{}
	add := func(method, path string, do Action) {
		if routes[path] == nil {
			routes[path] = map[string]Action{}
		}
		routes[path][method] = do
	}
	for name, action := range actions {
		if name == "faults/lift" {
			add(http.MethodDelete, "faults/{id}", action)
			continue
		}
		add(http.MethodPost, name, action)
	}
	add(http.MethodDelete, "faults", func(p Platform, _ Input) (any, error) { return nil, p.LiftFaults() })
	for path, get := range views {
		add(http.MethodGet, path, func(p Platform, in Input) (any, error) {
			query, err := readQuery(in.(call).Request, get.parameters)
			if err != nil {
				return nil, err
			}
			return get.view(p, query)
		})
	}
	for path, methods := range routes {
		for method, do := range methods {
			mux.HandleFunc(method+" "+AdminPrefix+path, func(w http.ResponseWriter, r *http.Request) {
				answer, err := do(p, call{r})
				Answer(p, log, w, answer, err)
			})
		}
		mux.HandleFunc(AdminPrefix+path, func(w http.ResponseWriter, r *http.Request) {
			for method := range methods {
				w.Header().Add("Allow", method)
			}
			Answer(p, log, w, nil, &Error{http.StatusMethodNotAllowed, "method " + r.Method + " is not for this path"})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		Answer(p, log, w, nil, &Error{http.StatusNotFound, "there is nothing at this path"})
	})
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.Local(r.Host) {
			Answer(p, log, w, nil, &Error{http.StatusMisdirectedRequest,
				"not served under this host name: use an address or localhost, or name the host in the sandbox's settings"})
			return
		}
		if err := foreign.Check(r); err != nil {
			Answer(p, log, w, nil, &Error{http.StatusForbidden, "a page of another origin sent this"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
}

// Answer writes an answer or an error as JSON.
func Answer(p Platform, log *slog.Logger, w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		var known *Error
		switch {
		case errors.As(err, &known):
			status = known.Status
		case p.Unknown(err):
			status = http.StatusNotFound
		case p.Unavailable(err):
			status = http.StatusServiceUnavailable
		default: // the sandbox's methods refuse what makes no sense
			status = http.StatusBadRequest
		}
		if verdict, ok := answer.(bookVerdict); !ok || verdict.good() {
			answer = map[string]string{"error": err.Error()}
		}
	}
	if answer == nil {
		answer = map[string]bool{"ok": true}
	}
	body, marshalErr := json.MarshalIndent(answer, "", "  ")
	if marshalErr != nil {
		log.Error("admin", "err", marshalErr)
		status, body = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written"}`)
	}
	wire.Send(w, status, "application/json; charset=utf-8", append(body, '\n'))
}

// bookVerdict is an answer that is shown although it is bad.
type bookVerdict interface{ good() bool }

// readQuery reads the query, in which nothing but the named parameters may be.
func readQuery(r *http.Request, names []string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, bad("the query cannot be read")
	}
	known := make(map[string]bool)
	for _, name := range names {
		known[name] = true
	}
	for name := range values {
		if !known[name] {
			return nil, bad("unknown parameter %q", name)
		}
	}
	return values, nil
}

// list selects the entries of which all of match hold, and returns the newest
// of them but for as many as the parameter skip says, as many as limit says, as
// convert writes them.
func list[T, J any](all []T, query url.Values, match func(T) map[string]string, convert func(T) J) ([]J, error) {
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), strconv.Itoa(entries)))
	if err != nil || limit < 1 || limit > maxLimit {
		return nil, bad("limit: want 1 to %d, got %q", maxLimit, query.Get("limit"))
	}
	skip, err := strconv.Atoi(cmp.Or(query.Get("skip"), "0"))
	if err != nil || skip < 0 {
		return nil, bad("skip: want 0 or more, got %q", query.Get("skip"))
	}
	chosen := []J{}
next:
	for _, entry := range all {
		for name, value := range match(entry) {
			if query.Has(name) && query.Get(name) != value {
				continue next
			}
		}
		chosen = append(chosen, convert(entry))
	}
	end := max(0, len(chosen)-skip)
	return chosen[max(0, end-limit):end], nil
}

// view shows something and changes nothing.
type view struct {
	parameters []string
	view       func(p Platform, query url.Values) (any, error)
}

var views = map[string]view{
	"faults":        {nil, getFaults},
	"clock":         {nil, func(p Platform, _ url.Values) (any, error) { return clock(p), nil }},
	"balances":      {[]string{"merchant", "account", "limit", "skip"}, getBalances},
	"books":         {nil, getBooks},
	"export":        {nil, func(p Platform, _ url.Values) (any, error) { return Export(p.Engine()), nil }},
	"notifications": {[]string{"merchant", "order", "state", "limit", "skip"}, getNotifications},
	"messages":      {[]string{"merchant", "order", "op", "limit", "skip"}, getMessages},
	"sms":           {[]string{"mobile", "merchant", "order", "state", "limit", "skip"}, getSMS},
}

func getFaults(p Platform, _ url.Values) (any, error) {
	type faultJSON struct {
		fault.State
		Delay string `json:"delay,omitempty"`
	}
	list := []faultJSON{}
	for _, f := range p.Faults() {
		j := faultJSON{State: f}
		if f.Delay != 0 {
			j.Delay = f.Delay.String()
		}
		list = append(list, j)
	}
	return map[string]any{"faults": list}, nil
}

func clock(p Platform) any {
	return struct {
		Now    time.Time `json:"now"`
		Offset string    `json:"offset"` // how far it was moved forward in all
	}{p.Now().In(engine.China), p.Offset().String()}
}

// getBalances tells the pockets of accounts, in fen, those of merchants first.
func getBalances(p Platform, query url.Values) (any, error) {
	type balanceJSON struct {
		Merchant  string `json:"merchant"`
		Account   string `json:"account"`
		Available int64  `json:"available"`
		Frozen    int64  `json:"frozen"`
		Unsettled int64  `json:"unsettled"`
	}
	var all []balanceJSON
	add := func(merchant, account string, b engine.Balance) {
		all = append(all, balanceJSON{merchant, account, b.Available, b.Frozen, b.Unsettled})
	}
	only := query.Get("merchant")
	for _, m := range p.Engine().Merchants() {
		if only == "" || only == m.Merchant {
			add(m.Merchant, m.Merchant, m.Balance)
		}
	}
	if len(all) == 0 {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("merchant %q: not found", only)}
	}
	accounts, _ := p.Engine().NewestAccounts(engine.AccountFilter{Merchant: only}, engine.Page{Up: true})
	for _, a := range accounts {
		add(a.Merchant, a.Number, a.Balance)
	}
	found, err := list(all, query,
		func(b balanceJSON) map[string]string { return map[string]string{"account": b.Account} },
		func(b balanceJSON) balanceJSON { return b })
	return map[string]any{"unit": "fen", "balances": found}, err
}

// books is the verdict on the books, and their sums in fen.
type books struct {
	OK        bool   `json:"ok"`
	Error     string `json:"error,omitempty"`
	Accounts  int    `json:"accounts"`
	Entries   int    `json:"entries"`
	Users     int64  `json:"users"`
	Merchants int64  `json:"merchants"`
	Fees      int64  `json:"fees"`
	Outside   int64  `json:"outside"` // negative: what has come in
}

func (b books) good() bool { return b.OK }

func getBooks(p Platform, _ url.Values) (any, error) {
	t := p.Engine().Totals()
	sum := func(b engine.Balance) int64 { return b.Available + b.Frozen + b.Unsettled }
	verdict := books{
		OK: true, Accounts: t.Accounts, Entries: t.Entries,
		Users: sum(t.Users), Merchants: sum(t.Merchants), Fees: t.Fees, Outside: t.Outside,
	}
	if err := p.CheckBooks(); err != nil {
		verdict.OK, verdict.Error = false, err.Error()
		return verdict, &Error{http.StatusInternalServerError, err.Error()}
	}
	return verdict, nil
}

func getNotifications(p Platform, query url.Values) (any, error) {
	type attemptJSON struct {
		At     time.Time `json:"at"`
		Took   string    `json:"took"`
		Status int       `json:"status,omitempty"`
		Error  string    `json:"error,omitempty"`
	}
	type notificationJSON struct {
		notifier.Notification
		Attempts []attemptJSON `json:"attempts"`
	}
	found, err := list(p.Notifications(), query,
		func(n notifier.Notification) map[string]string {
			return map[string]string{"merchant": n.Merchant, "order": n.Order, "state": string(n.State)}
		},
		func(n notifier.Notification) notificationJSON {
			attempts := []attemptJSON{}
			for _, a := range n.Attempts {
				attempts = append(attempts, attemptJSON{a.At.In(engine.China), a.Took.String(), a.Status, a.Err})
			}
			n.Queued = n.Queued.In(engine.China)
			return notificationJSON{n, attempts}
		})
	return map[string]any{"notifications": found}, err
}

func getMessages(p Platform, query url.Values) (any, error) {
	found, err := list(p.Messages(), query,
		func(m messages.Message) map[string]string {
			return map[string]string{"merchant": m.Merchant, "order": m.Order, "op": m.Op}
		},
		func(m messages.Message) messages.Message {
			m.At = m.At.In(engine.China)
			return m
		})
	return map[string]any{"messages": found}, err
}

// getSMS lists text messages. Whoever names a mobile sees it; without, all of
// them are masked.
func getSMS(p Platform, query url.Values) (any, error) {
	found, err := list(p.Engine().Inbox(query.Get("mobile")), query,
		func(m engine.SMS) map[string]string {
			return map[string]string{"merchant": m.Merchant, "order": m.Order, "state": string(m.State)}
		},
		func(m engine.SMS) engine.SMS {
			if query.Get("mobile") == "" {
				m.Mobile = engine.MaskMiddle(m.Mobile)
			}
			return m
		})
	return map[string]any{"sms": found}, err
}

// Health is what /healthz says.
type Health struct {
	OK    bool   `json:"ok"`
	Books string `json:"books"` // ok, or what is wrong
	Store string `json:"store"` // ok, none (all is in memory), or what is wrong
	Note  string `json:"note"`
}

func (h Health) good() bool { return h.OK }

// ServeHealth answers 200 if the books are right and the store keeps what
// happens, else 503. Store is what the store says, "none" if there is none.
func ServeHealth(p Platform, log *slog.Logger, w http.ResponseWriter, r *http.Request, kept bool, store error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	health := Health{OK: true, Books: "ok", Store: "ok", Note: "this is not IPS"}
	if !kept {
		health.Store = "none"
	}
	if err := p.CheckBooks(); err != nil {
		health.OK, health.Books = false, err.Error()
	}
	if store != nil {
		health.OK, health.Store = false, "the store failed"
		log.Error("store", "err", store)
	}
	var err error
	if !health.OK {
		err = &Error{http.StatusServiceUnavailable, "not well"}
	}
	Answer(p, log, w, health, err)
}
