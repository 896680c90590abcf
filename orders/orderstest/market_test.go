package orderstest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// market is a merchant with a real sandbox of IPS: his people, his loans, and
// programs that live until they are killed.
type market struct {
	*shop
	mode   mode
	seed   uint64
	server *ipstest.Server
	liar   string // where a trade query finds nothing
	pace   orders.Pace

	borrowers, investors, guarantors []ipstest.Person
	manual                           map[string]bool // who is asked by pages
	begin                            map[string]ips.Amount

	mu       sync.Mutex
	random   *rand.Rand
	programs []*program
	loans    []*loan
	auths    map[string]string    // account and kind of contract to the number of its contract
	tabs     []*ips.Form          // pages that lie open somewhere
	carried  map[string]time.Time // when the page of an order was last carried, by the clock of IPS
	sent     map[string]int       // messages of the merchant's servers, by endpoint and number
	flying   map[string]int       // of them, those under way
	twice    []string             // messages that were under way twice at once
	kills    int
	recorded int
	lost     int // notices that vanish on their way to the programs
	told     map[string][]ips.Response
	seen     map[string]orders.Order // what programs have recorded, by its key, also in transactions that came to nothing
	closed   sync.RWMutex            // held while no program may start
	lossy    bool                    // the database may lose commits
	calm     atomic.Bool             // no more kills, no failing effects, nothing gets lost
	deaf     atomic.Bool             // notices are written down and nobody hears them
}

// program is one of the merchant's.
type program struct {
	m            *market
	db           *sql.DB
	book         *orders.Book
	notify, back http.Handler
	dead         atomic.Bool
}

func newMarket(s *shop, mode mode, seed uint64) *market {
	m := &market{shop: s, mode: mode, seed: seed, random: rand.New(rand.NewPCG(seed, 1)), auths: make(map[string]string), pace: quick,
		manual: make(map[string]bool), carried: make(map[string]time.Time), begin: make(map[string]ips.Amount), sent: make(map[string]int), flying: make(map[string]int), told: make(map[string][]ips.Response), seen: make(map[string]orders.Order)}
	m.pace.Call, m.pace.Lease, m.pace.Repeat = 10*time.Second, 20*time.Second, mode.repeat
	opts := []ipstest.Option{ipstest.WithHandler(http.HandlerFunc(m.site))}
	if mode.first {
		opts = append(opts, ipstest.WithRepeatFirst())
	}
	if mode.noQuery {
		opts = append(opts, ipstest.WithoutTradeQuery())
	}
	m.server = ipstest.NewServer(quiet{s.t}, opts...)
	if mode.lies {
		m.liar = ipstest.NewServer(quiet{s.t}).URL
	}
	var err error
	m.client, err = ips.NewClient(m.server.Config(), ips.WithHTTPClient(&http.Client{Transport: &wiretap{m, &http.Transport{MaxIdleConnsPerHost: 8}}}),
		ips.WithOldBids(func(no string) bool { return strings.HasPrefix(no, "OLD") }))
	require.NoError(s.t, err)
	s.book = s.open(s.db, nil)
	_, err = s.db.Exec("CREATE TABLE entry (order_key VARCHAR(96) NOT NULL, account VARCHAR(40) NOT NULL, fen BIGINT NOT NULL)")
	require.NoError(s.t, err)
	m.server.Deposit(1_000_000 * ips.Yuan)
	for range 4 {
		m.borrowers = append(m.borrowers, m.server.Person(1_000_000*ips.Yuan))
	}
	for i := range 6 {
		p := m.server.Person(1_000_000 * ips.Yuan)
		if m.investors = append(m.investors, p); i < 2 {
			m.server.SetManual(p.Account)
			m.manual[p.Account] = true
		}
	}
	for range 2 {
		m.guarantors = append(m.guarantors, m.server.Person(1_000_000*ips.Yuan))
	}
	for _, account := range m.accounts() {
		m.begin[account] = m.theirs(account)
	}
	return m
}

// quiet is a test without the log of every notification that was not taken.
type quiet struct{ testing.TB }

func (quiet) Logf(string, ...any) {}

func (m *market) accounts() []string {
	all := []string{m.client.MerchantCode()}
	for _, p := range slices.Concat(m.borrowers, m.investors, m.guarantors) {
		all = append(all, p.Account)
	}
	return all
}

// theirs is what an account has by the books of IPS.
func (m *market) theirs(account string) ips.Amount {
	available, frozen := m.server.Balance(account)
	return available + frozen
}

func (m *market) pick(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

func (m *market) chance(percent int) bool { return m.pick(100) < percent }

// silent are orders of which no notification ever comes through, one in eight.
func (m *market) silent(orderNo string) bool { return m.hash(orderNo)%8 == 0 }

func (m *market) hash(orderNo string) uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, m.seed, orderNo)
	return h.Sum32() >> 3
}

// wiretap counts what the merchant's servers send, and leads some questions to
// where nothing is found.
type wiretap struct {
	m    *market
	next http.RoundTripper
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	var endpoint, sealed string
	if action := r.Header.Get("SOAPAction"); action != "" {
		endpoint = path.Base(strings.Trim(action, `"`))
		sealed = element(string(body), "p3DesXmlPara") + element(string(body), "arg3DesXmlPara")
	} else {
		form, _ := url.ParseQuery(string(body))
		endpoint, sealed = path.Base(r.URL.Path), form.Get("p3DesXmlPara")+form.Get("arg3DesXmlPara")
	}
	doc, err := w.m.ips.keys.Decrypt(sealed)
	if err != nil {
		return nil, err
	}
	no := element(doc, "pMerBillNo")
	if endpoint == "QueryTrade" {
		if w.m.liar != "" && w.m.hash(no)%2 == 0 {
			to, _ := url.Parse(w.m.liar)
			r.URL.Host, r.Host = to.Host, to.Host
		}
		return w.next.RoundTrip(r)
	}
	key := endpoint + "/" + no
	w.m.mu.Lock()
	w.m.sent[key]++
	if w.m.flying[key]++; w.m.flying[key] > 1 {
		w.m.twice = append(w.m.twice, key)
	}
	w.m.mu.Unlock()
	defer func() {
		w.m.mu.Lock()
		w.m.flying[key]--
		w.m.mu.Unlock()
	}()
	return w.next.RoundTrip(r)
}

// site is what stands before the merchant's programs.
func (m *market) site(w http.ResponseWriter, r *http.Request) {
	op := ips.Operation(path.Base(r.URL.Path))
	notice := strings.HasPrefix(r.URL.Path, "/ips/notify/")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "half a request", http.StatusBadRequest)
		return
	}
	again := func() { r.Body = io.NopCloser(bytes.NewReader(body)) }
	again()
	if m.deaf.Load() || notice && !m.calm.Load() {
		answer, err := m.client.ParseNotification(r, op)
		switch {
		case m.deaf.Load():
			if notice && err == nil {
				m.mu.Lock()
				key := toldKey(op, answer.Base().OrderNo)
				m.told[key] = append(m.told[key], answer)
				m.mu.Unlock()
			}
			return
		case err == nil && m.silent(answer.Base().OrderNo):
			m.mu.Lock()
			m.lost++
			m.mu.Unlock()
			return
		}
	}
	again()
	m.mu.Lock()
	if len(m.programs) == 0 {
		m.mu.Unlock()
		http.Error(w, "nobody is there", http.StatusServiceUnavailable)
		return
	}
	p := m.programs[m.random.IntN(len(m.programs))]
	m.mu.Unlock()
	if notice {
		p.notify.ServeHTTP(w, r)
	} else {
		p.back.ServeHTTP(w, r)
	}
}

// toldKey names an order by what its answers look like.
func toldKey(op ips.Operation, no string) string {
	switch op {
	case ips.OpAutoBid:
		op = ips.OpRegisterCreditor
	case ips.OpAutoRepay:
		op = ips.OpRepay
	}
	return string(op) + "/" + no
}

// start starts a program.
func (m *market) start() *program {
	m.closed.RLock()
	defer m.closed.RUnlock()
	db, err := sql.Open(m.driver, m.dsn)
	require.NoError(m.t, err)
	db.SetMaxOpenConns(8)
	p := &program{m: m, db: db}
	p.book = m.open(db, func(step string) {
		if p.dead.Load() || !m.calm.Load() && m.pick(500) == 0 {
			p.dead.Store(true)
			panic(killed{step})
		}
	}, orders.WithPace(m.pace), orders.OnError(func(error) {}))
	m.register(p.book)
	in := ips.Inbound{Hear: p.book.Hear}
	p.notify = m.client.NotifyHandler(in)
	p.back = m.client.ReturnHandler(in, func(http.ResponseWriter, *http.Request, ips.Response, error) {})
	m.mu.Lock()
	m.programs = append(m.programs, p)
	m.mu.Unlock()
	return p
}

// stop ends a program, which may be dead.
func (p *program) stop() {
	p.m.mu.Lock()
	p.m.programs = slices.DeleteFunc(p.m.programs, func(q *program) bool { return q == p })
	p.m.mu.Unlock()
	_ = p.db.Close()
}

// failover ends all programs, changes the database and lets others start that do
// not trust it.
func (m *market) failover(since time.Time, change func()) {
	m.closed.Lock()
	defer m.closed.Unlock()
	m.mu.Lock()
	programs := slices.Clone(m.programs)
	m.mu.Unlock()
	for _, p := range programs {
		p.dead.Store(true)
		p.stop()
	}
	change()
	db := pool(m.t, m.driver, m.dsn)
	b := m.open(db, nil)
	n, err := b.Distrust(bg(), since)
	assert.NoError(m.t, err)
	m.t.Logf("of the open orders %d are not trusted", n)
}

// held records orders that are sent when the test wants it.
func (m *market) held(n int) (all []orders.Order) {
	for range n {
		p := m.investors[m.pick(len(m.investors))]
		require.NoError(m.t, inTx(bg(), m.db, func(tx *sql.Tx) error {
			o, err := m.book.Record(bg(), tx, ips.WithholdingRechargeRequest{IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, Date: m.server.Today(),
				Amount: ips.Yuan, FeePayer: ips.UserPaysFee}, orders.Hold())
			all = append(all, o)
			m.note(o)
			return err
		}))
	}
	return all
}

// send sends orders, if their programs survive it.
func (m *market) send(all []orders.Order) {
	for _, o := range all {
		p := m.start()
		p.act(func() { _, _ = p.book.Send(bg(), o) })
		p.stop()
	}
}

// note keeps what was recorded.
func (m *market) note(o orders.Order) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[o.Key] = o
}

// gone are orders that IPS has heard of and the database has lost.
func (m *market) gone(all []orders.Order) (lost []orders.Order) {
	there := make(map[string]bool)
	for _, o := range all {
		there[o.Key] = true
	}
	for key, o := range m.seen {
		info, _ := o.Operation.Info()
		if _, carried := m.carried[o.OrderNo]; !there[key] && (carried || m.sent[info.Endpoint+"/"+o.OrderNo] > 0) {
			lost = append(lost, o)
		}
	}
	return lost
}

// act does f and reports whether the program has survived it.
func (p *program) act(f func()) (alive bool) {
	defer func() {
		if q := recover(); q != nil {
			if _, ok := q.(killed); !ok {
				panic(q)
			}
		}
		alive = !p.dead.Load()
	}()
	f()
	return true
}

// move is what an order moves in an account.
type move struct {
	account string
	fen     ips.Amount
}

// less are the rows without those that failed, each once.
func less[R comparable](rows, failed []R) []R {
	rows = slices.Clone(rows)
	for _, f := range failed {
		if i := slices.Index(rows, f); i >= 0 {
			rows = slices.Delete(rows, i, i+1)
		}
	}
	return rows
}

// moves are what a success moves, and the rows of it that failed.
func (m *market) moves(req ips.Request, answer ips.Response) (all []move, failed int) {
	add := func(account string, fen ips.Amount) {
		if fen != 0 {
			all = append(all, move{account, fen})
		}
	}
	us := m.client.MerchantCode()
	repaid := func(borrower string, rows, bad []ips.RepayRow) {
		failed = len(bad)
		for _, r := range less(rows, bad) {
			add(borrower, -r.Amount-r.BorrowerFee)
			add(r.Account, r.Amount-r.Fee)
			add(us, r.Fee+r.BorrowerFee)
		}
	}
	switch q := req.(type) {
	case ips.RechargeRequest:
		add(q.Account, q.Amount)
	case ips.WithholdingRechargeRequest:
		add(q.Account, q.Amount)
	case ips.WithdrawRequest:
		add(q.Account, -q.Amount)
	case ips.RepayRequest:
		repaid(q.Account, q.Rows, answer.(*ips.RepayResponse).Failed(q.Rows))
	case ips.AutoRepayRequest:
		repaid(q.Account, q.Rows, answer.(*ips.RepayResponse).Failed(q.Rows))
	case ips.RepayOldBidRequest:
		bad := answer.(*ips.RepayOldBidResponse).Failed(q.Rows)
		failed = len(bad)
		for _, r := range less(q.Rows, bad) {
			add(q.Account, -r.Amount)
			add(r.Account, r.Amount)
		}
	case ips.TransferRequest:
		bad := answer.(*ips.TransferResponse).Failed(q.Rows)
		failed = len(bad)
		for _, r := range less(q.Rows, bad) {
			add(r.FromAccount, -r.Amount-r.FromFee)
			add(r.ToAccount, r.Amount-r.ToFee)
			add(us, r.FromFee+r.ToFee)
		}
	}
	return all, failed
}

// carried marks an order that others' failed rows were carried into.
func carried(req ips.Request) (ips.Request, bool) {
	const mark = "carried"
	switch q := req.(type) {
	case ips.RepayRequest:
		was := q.Memo3 == mark
		q.Memo3 = mark
		return q, was
	case ips.AutoRepayRequest:
		was := q.Memo3 == mark
		q.Memo3 = mark
		return q, was
	case ips.RepayOldBidRequest:
		was := q.Memo3 == mark
		q.Memo3 = mark
		return q, was
	case ips.TransferRequest:
		was := q.Memo3 == mark
		q.Memo3 = mark
		return q, was
	}
	return req, true
}

// done registers what the success of an operation means.
func done[Q ips.Request, R ips.Response](m *market, b *orders.Book) {
	orders.Done(b, func(ctx context.Context, tx *sql.Tx, o orders.Order, q Q, a R) error {
		return m.enter(ctx, tx, b, o, q, a)
	})
}

// kept registers that nothing is given away when an order comes to nothing, or
// that everything is.
func kept[Q ips.Request](b *orders.Book, after orders.After) {
	orders.Refused(b, func(context.Context, *sql.Tx, orders.Order, Q, *ips.Error) (orders.After, error) { return after, nil })
	orders.Closed(b, func(context.Context, *sql.Tx, orders.Order, Q) (orders.After, error) { return after, nil })
}

func (m *market) register(b *orders.Book) {
	done[ips.OpenAccountRequest, *ips.OpenAccountResponse](m, b)
	done[ips.RegisterBidRequest, *ips.BidResponse](m, b)
	done[ips.EndBidRequest, *ips.BidResponse](m, b)
	done[ips.RegisterCreditorRequest, *ips.CreditorResponse](m, b)
	done[ips.AutoBidRequest, *ips.CreditorResponse](m, b)
	done[ips.RegisterGuarantorRequest, *ips.RegisterGuarantorResponse](m, b)
	done[ips.RegisterDebtTransferRequest, *ips.RegisterDebtTransferResponse](m, b)
	done[ips.SignAutoBidRequest, *ips.SignAutoBidResponse](m, b)
	done[ips.SignAutoRepayRequest, *ips.SignAutoRepayResponse](m, b)
	done[ips.RechargeRequest, *ips.RechargeResponse](m, b)
	done[ips.TransferRequest, *ips.TransferResponse](m, b)
	done[ips.RepayRequest, *ips.RepayResponse](m, b)
	done[ips.AutoRepayRequest, *ips.RepayResponse](m, b)
	done[ips.UnfreezeMarginRequest, *ips.UnfreezeMarginResponse](m, b)
	done[ips.WithholdingRechargeRequest, *ips.WithholdingRechargeResponse](m, b)
	done[ips.WithdrawRequest, *ips.WithdrawResponse](m, b)
	done[ips.RepayOldBidRequest, *ips.RepayOldBidResponse](m, b)
	kept[ips.RechargeRequest](b, orders.Kept)
	kept[ips.RegisterCreditorRequest](b, orders.Released)
	kept[ips.WithdrawRequest](b, orders.Released)
}

// enter writes what a success moves into the merchant's books, and records what
// follows from it.
func (m *market) enter(ctx context.Context, tx *sql.Tx, b *orders.Book, o orders.Order, q ips.Request, a ips.Response) error {
	moves, failed := m.moves(q, a)
	for _, e := range append(moves, move{}) { // the last one only says that the effect has run
		if _, err := tx.ExecContext(ctx, bind(m.kind.dialect, "INSERT INTO entry (order_key, account, fen) VALUES (?, ?, ?)"), o.Key, e.account, int64(e.fen)); err != nil {
			return err
		}
	}
	m.mu.Lock()
	switch a := a.(type) {
	case *ips.SignAutoBidResponse:
		m.auths["bid "+q.(ips.SignAutoBidRequest).Account] = a.AuthNo
	case *ips.SignAutoRepayResponse:
		m.auths["repay "+a.Account] = a.AuthNo
	}
	m.mu.Unlock()
	if next, was := carried(q); failed > 0 && !was {
		o, err := b.Carry(ctx, tx, o, a, func(q ips.Request) ips.Request {
			next, _ = carried(q)
			return next
		})
		if err != nil {
			return err
		}
		m.note(o)
	}
	if m.calm.Load() {
		return nil
	}
	if q, ok := q.(ips.RechargeRequest); ok && m.chance(10) {
		o, err := b.Record(ctx, tx, ips.WithholdingRechargeRequest{Date: q.Date, Amount: q.Amount, FeePayer: q.FeePayer, IdentNo: q.IdentNo,
			RealName: q.RealName, Account: q.Account})
		if err != nil {
			return err
		}
		m.note(o)
	}
	if m.chance(1) {
		return errors.New("out of paper")
	}
	return nil
}

// entries are the merchant's books: what was entered for each order, and how often.
func (m *market) entries() (byOrder map[string]map[string]ips.Amount, runs map[string]int, sums map[string]ips.Amount) {
	byOrder, runs, sums = make(map[string]map[string]ips.Amount), make(map[string]int), make(map[string]ips.Amount)
	rows, err := m.db.Query("SELECT order_key, account, fen FROM entry")
	require.NoError(m.t, err)
	defer rows.Close()
	for rows.Next() {
		var key, account string
		var fen int64
		require.NoError(m.t, rows.Scan(&key, &account, &fen))
		if account == "" {
			runs[key]++
			continue
		}
		if byOrder[key] == nil {
			byOrder[key] = make(map[string]ips.Amount)
		}
		byOrder[key][account] += ips.Amount(fen)
		sums[account] += ips.Amount(fen)
	}
	require.NoError(m.t, rows.Err())
	return byOrder, runs, sums
}

// loan is one of the merchant's, as far as it has come.
type loan struct {
	mu                            sync.Mutex
	step                          int
	last                          orders.Order
	bid                           ips.RegisterBidRequest
	guarantor                     ipstest.Person
	guarantee, compensation, sale string // order numbers
	holders                       []ipstest.Person
	claims                        []string
	borrower                      ipstest.Person
	buyer                         ipstest.Person
}

func (m *market) newLoan() *loan {
	l := &loan{borrower: m.borrowers[m.pick(len(m.borrowers))], guarantor: m.guarantors[m.pick(len(m.guarantors))]}
	first := m.pick(len(m.investors))
	for i := range 3 {
		l.holders = append(l.holders, m.investors[(first+i)%len(m.investors)])
	}
	l.buyer = m.investors[(first+3)%len(m.investors)]
	l.bid = ips.RegisterBidRequest{BidNo: ips.NewOrderNo("B"), Amount: 300 * ips.Yuan, Margin: 10 * ips.Yuan, Rate: 12 * ips.Percent, TermUnit: ips.TermMonths,
		Term: 12, Purpose: "经营周转", RepayMode: ips.RepayOther, Fee: 6 * ips.Yuan, IdentNo: l.borrower.IdentNo, RealName: l.borrower.Name, Account: l.borrower.Account}
	return l
}

const steps = 18

// next is what the loan wants next, and what is to be remembered of its order.
func (m *market) next(l *loan) (req ips.Request, note func(no string)) {
	day := m.server.Today()
	note = func(string) {}
	claim := func(i int) {
		note = func(no string) { l.claims = append(l.claims, no) }
		p := l.holders[i]
		req = ips.RegisterCreditorRequest{Date: day, BidNo: l.bid.BidNo, ContractNo: ips.NewOrderNo("C"), Amount: 100 * ips.Yuan, Fee: ips.Yuan,
			IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, Purpose: "经营周转"}
	}
	transfer := func(kind ips.TransferType, rows ...ips.TransferRow) {
		req = ips.TransferRequest{BidNo: l.bid.BidNo, Date: day, Type: kind, Rows: rows}
	}
	repay := func(auto bool, amounts ...ips.Amount) {
		var rows []ips.RepayRow
		for i, no := range l.claims {
			if i < len(amounts) && amounts[i] > 0 {
				rows = append(rows, ips.RepayRow{CreditorOrderNo: no, Account: l.holders[i].Account, Amount: amounts[i], Fee: 7, BorrowerFee: 3})
			}
		}
		if rows == nil {
			return
		}
		amount, fee := ips.RepayTotals(rows)
		if auto {
			m.mu.Lock()
			auth := m.auths["repay "+l.borrower.Account]
			m.mu.Unlock()
			if auth == "" {
				auth = "A1"
			}
			req = ips.AutoRepayRequest{BidNo: l.bid.BidNo, Date: day, AuthNo: auth, Account: l.borrower.Account, Amount: amount, Fee: fee, Rows: rows}
			return
		}
		req = ips.RepayRequest{BidNo: l.bid.BidNo, Date: day, Account: l.borrower.Account, Amount: amount, Fee: fee, Rows: rows}
	}
	switch l.step {
	case 0:
		l.bid.Date = day
		note = func(no string) { l.bid.OrderNo = no }
		req = l.bid
	case 1:
		note = func(no string) { l.guarantee = no }
		req = ips.RegisterGuarantorRequest{Date: day, BidNo: l.bid.BidNo, Amount: 300 * ips.Yuan, Margin: 20 * ips.Yuan, Profit: 5 * ips.Yuan,
			IdentNo: l.guarantor.IdentNo, AccountName: l.guarantor.Name, Account: l.guarantor.Account}
	case 2, 3:
		claim(l.step - 2)
	case 4:
		m.mu.Lock()
		auth := m.auths["bid "+l.holders[2].Account]
		m.mu.Unlock()
		if auth == "" {
			claim(2)
			break
		}
		note = func(no string) { l.claims = append(l.claims, no) }
		p := l.holders[2]
		req = ips.AutoBidRequest{Date: day, BidNo: l.bid.BidNo, ContractNo: ips.NewOrderNo("C"), AuthNo: auth, Amount: 100 * ips.Yuan, Fee: ips.Yuan,
			IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, Purpose: "经营周转"}
	case 5, 6: // the second time for those that came late
		var rows []ips.TransferRow
		for i, no := range l.claims {
			if l.step == 5 || m.chance(20) {
				rows = append(rows, ips.TransferRow{OriginalOrderNo: no, Amount: 100 * ips.Yuan, FromAccount: l.holders[i].Account, FromFee: 50,
					ToAccount: l.borrower.Account, ToFee: ips.Yuan})
			}
		}
		if rows != nil {
			transfer(ips.TransferInvestment, rows...)
		}
	case 7:
		if len(l.claims) > 0 {
			note = func(no string) { l.sale = no }
			from, to := l.holders[0], l.buyer
			req = ips.RegisterDebtTransferRequest{Date: day, BidNo: l.bid.BidNo, ContractNo: ips.NewOrderNo("C"), FromName: from.Name, FromAccount: from.Account,
				FromIdentNo: from.IdentNo, ToName: to.Name, ToAccount: to.Account, ToIdentNo: to.IdentNo, CreditorOrderNo: l.claims[0],
				FaceAmount: 40 * ips.Yuan, Price: 41 * ips.Yuan, FromFee: 10, ToFee: 20, Kind: ips.TransferPartClaim}
		}
	case 8:
		if l.sale != "" {
			transfer(ips.TransferDebt, ips.TransferRow{OriginalOrderNo: l.sale, Amount: 41 * ips.Yuan, FromAccount: l.buyer.Account, FromFee: 20,
				ToAccount: l.holders[0].Account, ToFee: 10})
		}
	case 9:
		repay(false, 0, 30*ips.Yuan, 30*ips.Yuan)
	case 10:
		repay(true, 0, 10*ips.Yuan, 11*ips.Yuan)
	case 11:
		if len(l.claims) > 1 {
			note = func(no string) { l.compensation = no }
			transfer(ips.TransferCompensation, ips.TransferRow{OriginalOrderNo: l.claims[1], Amount: 12 * ips.Yuan, FromAccount: l.guarantor.Account, ToAccount: l.holders[1].Account})
		}
	case 12:
		if l.compensation != "" {
			transfer(ips.TransferCompensationRepayment, ips.TransferRow{OriginalOrderNo: l.compensation, Amount: 9 * ips.Yuan, FromAccount: l.borrower.Account, ToAccount: l.guarantor.Account})
		}
	case 13:
		if l.guarantee != "" {
			transfer(ips.TransferGuaranteeProfit, ips.TransferRow{OriginalOrderNo: l.guarantee, Amount: 4 * ips.Yuan, FromAccount: l.borrower.Account, ToAccount: l.guarantor.Account})
		}
	case 14:
		req = ips.UnfreezeMarginRequest{BidNo: l.bid.BidNo, Date: day, Amount: 5 * ips.Yuan, Owner: ips.BorrowerMargin, IdentNo: l.borrower.IdentNo,
			RealName: l.borrower.Name, Account: l.borrower.Account}
	case 15:
		repay(m.chance(50), 100*ips.Yuan, 100*ips.Yuan, 100*ips.Yuan)
	case 16, 17:
		if l.bid.OrderNo != "" {
			req = l.bid.End(day)
		}
	}
	return req, note
}

// errand is something that people want beside loans.
func (m *market) errand() ips.Request {
	day, p := m.server.Today(), m.investors[m.pick(len(m.investors))]
	b := m.borrowers[m.pick(len(m.borrowers))]
	fen := ips.Amount(1 + m.pick(100_00))
	switch m.pick(10) {
	default:
		return ips.RechargeRequest{Channel: ips.RechargeEBank, BankCode: "00004", IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, Date: day,
			Amount: fen, FeePayer: ips.UserPaysFee}
	case 4:
		return ips.WithdrawRequest{IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, Date: day, Amount: fen, FeePayer: ips.UserPaysFee}
	case 5:
		return ips.WithholdingRechargeRequest{IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, Date: day, Amount: fen, FeePayer: ips.UserPaysFee}
	case 6:
		someone := m.server.NewPerson()
		return ips.OpenAccountRequest{IdentNo: someone.IdentNo, RealName: someone.Name, Mobile: someone.Mobile, Email: someone.Email, Date: day}
	case 7:
		return ips.SignAutoBidRequest{Date: day, IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account, ValidUnit: ips.PeriodMonths, Valid: 12,
			TermUnit: ips.PeriodMonths, TermFrom: 1, TermTo: 60, AmountFrom: ips.Yuan, AmountTo: 10_000 * ips.Yuan, RateFrom: ips.Percent, RateTo: 40 * ips.Percent}
	case 8:
		return ips.SignAutoRepayRequest{Date: day, IdentNo: b.IdentNo, RealName: b.Name, Account: b.Account, ValidUnit: ips.PeriodUnlimited}
	case 9:
		q := m.server.OldBid(b, fen, m.investors[2], m.investors[3])
		q.OrderNo, q.Date = "", day
		return q
	}
}

// want records something that somebody wants, and sends it or shows its form.
func (p *program) want() {
	m := p.m
	if m.chance(35) {
		p.order(m.errand(), func(string) {}, func(orders.Order) {})
		return
	}
	m.mu.Lock()
	for len(m.loans) < 12 {
		m.mu.Unlock()
		l := m.newLoan()
		m.mu.Lock()
		m.loans = append(m.loans, l)
	}
	l := m.loans[m.random.IntN(len(m.loans))]
	m.mu.Unlock()
	if !l.mu.TryLock() { // somebody else is at it
		return
	}
	defer l.mu.Unlock()
	if l.last.Key != "" {
		now, err := p.book.Order(bg(), l.last.Key)
		if err == nil && !now.State.Ended() && m.chance(80) {
			p.resume(now)
			return
		}
	}
	req, note := m.next(l)
	if l.step++; l.step >= steps {
		m.mu.Lock()
		m.loans = slices.DeleteFunc(m.loans, func(one *loan) bool { return one == l })
		m.mu.Unlock()
	}
	if req != nil {
		p.order(req, note, func(o orders.Order) { l.last = o })
	}
}

func (p *program) order(req ips.Request, note func(string), last func(orders.Order)) {
	m := p.m
	var o orders.Order
	if err := inTx(bg(), p.db, func(tx *sql.Tx) (err error) {
		o, err = p.book.Record(bg(), tx, req)
		return err
	}); err != nil {
		return
	}
	m.mu.Lock()
	m.recorded++
	m.mu.Unlock()
	m.note(o)
	note(o.OrderNo)
	last(o)
	info, _ := o.Operation.Info()
	if info.Transport == ips.Redirect {
		p.show(o, 1+m.pick(10)/8)
	} else if m.chance(70) { // else it is left to Run
		_, _ = p.book.Send(bg(), o)
	}
}

// resume is what a program does with an order that has no end: a page is shown
// again.
func (p *program) resume(o orders.Order) {
	if info, _ := o.Operation.Info(); info.Transport == ips.Redirect && p.m.chance(30) {
		p.show(o, 1)
	}
}

// show hands a form out, and what a user makes of it.
func (p *program) show(o orders.Order, times int) {
	m := p.m
	for range times {
		form, err := p.book.Form(bg(), o)
		if err != nil {
			return
		}
		switch {
		case m.chance(10): // it lies in a tab
			m.mu.Lock()
			m.tabs = append(m.tabs, form)
			m.mu.Unlock()
		case m.manual[accountOf(o.Request)] && m.chance(20):
			m.server.Cancel(form)
		case m.manual[accountOf(o.Request)] && m.chance(20):
			m.server.Leave(form)
		default:
			m.carry(form)
		}
	}
}

// carry is a user who carries a page to IPS.
func (m *market) carry(form *ips.Form) {
	m.mu.Lock()
	m.carried[form.OrderNo()] = m.server.Now()
	m.mu.Unlock()
	m.server.Carry(form)
}

// accountOf is whose page it is.
func accountOf(req ips.Request) string {
	switch q := req.(type) {
	case ips.RechargeRequest:
		return q.Account
	case ips.WithdrawRequest:
		return q.Account
	case ips.RegisterCreditorRequest:
		return q.Account
	case ips.SignAutoBidRequest:
		return q.Account
	}
	return ""
}

// pass lets time pass, for the database and for IPS.
func (m *market) pass(d time.Duration) {
	m.advance(d)
	m.server.Advance(d)
}

// admin asks the sandbox's own API.
func (m *market) admin(method, what string, into any) {
	m.t.Helper()
	r, err := http.NewRequest(method, m.server.URL+"/admin/"+what, strings.NewReader("{}"))
	require.NoError(m.t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(m.t, err)
	defer resp.Body.Close()
	require.Equal(m.t, http.StatusOK, resp.StatusCode)
	require.NoError(m.t, json.NewDecoder(resp.Body).Decode(into))
}

// tellAll has IPS tell everything of the orders once more, in its order.
func (m *market) tellAll(all []orders.Order) {
	m.t.Helper()
	told := make(map[string]bool)
	for i, o := range all {
		if told[o.OrderNo] {
			continue
		}
		told[o.OrderNo] = true
		var list struct{ Notifications []struct{ Seq int64 } }
		m.admin(http.MethodGet, "notifications?limit=1000&order="+url.QueryEscape(o.OrderNo), &list)
		for _, n := range list.Notifications {
			m.admin(http.MethodPost, fmt.Sprintf("notifications/%d/resend", n.Seq), new(struct{ OK bool }))
		}
		if i%100 == 99 { // WaitIdle waits for 20 s at most
			m.server.WaitIdle()
		}
	}
	m.server.WaitIdle()
}

// story is what happened to an order, for the log of a failure.
func (m *market) story(o orders.Order, handed int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "handed out %d times, last carried %s, silent %v", handed, m.carried[o.OrderNo].Format(time.DateTime), m.silent(o.OrderNo))
	rows, err := m.db.Query(bind(m.kind.dialect, "SELECT at_us, what, why FROM ips_event WHERE order_key = ? ORDER BY ver"), o.Key)
	require.NoError(m.t, err)
	defer rows.Close()
	for rows.Next() {
		var us int64
		var what, why string
		require.NoError(m.t, rows.Scan(&us, &what, &why))
		fmt.Fprintf(&b, "\n\t%s %s %s", time.UnixMicro(us).In(ips.China).Format(time.DateTime), what, why)
	}
	for _, a := range m.told[toldKey(o.Operation, o.OrderNo)] {
		fmt.Fprintf(&b, "\n\tIPS: %s %s", a.Base().Code, a.Base().Message)
	}
	return b.String()
}

// orders are all that the book has, read by its keys.
func (m *market) orders() (all []orders.Order, handed map[string]int) {
	handed = make(map[string]int)
	rows, err := m.db.Query("SELECT order_key, handed FROM ips_order ORDER BY made_us, order_key")
	require.NoError(m.t, err)
	for rows.Next() {
		var key string
		var n int
		require.NoError(m.t, rows.Scan(&key, &n))
		handed[key] = n
		all = append(all, orders.Order{Key: key})
	}
	require.NoError(m.t, errors.Join(rows.Err(), rows.Close()))
	for i := range all {
		all[i], err = m.book.Order(bg(), all[i].Key)
		require.NoError(m.t, err)
	}
	return all, handed
}
