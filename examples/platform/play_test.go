package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/browser"
	"github.com/ips-p2p/ips/internal/htmlform"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/orders"
)

// TestPlay lets members, drawn by a seed, do whatever the pages let them, in any
// order, while IPS loses, doubles, delays and fails; staff does what its pages
// offer. After each turn the books must be those of IPS, claims must add up,
// and every debt must be payable; in the end every loan must come to its end and
// nobody's money be frozen.
//
// IPS_PLAY is how many seeds are played, by default 100 and with -short 10;
// IPS_PLAY_FROM is the first.
func TestPlay(t *testing.T) {
	t.Parallel()
	seeds, from := 100, 1
	if testing.Short() {
		seeds = 10
	}
	if n, err := strconv.Atoi(os.Getenv("IPS_PLAY")); err == nil {
		seeds = n
	}
	if n, err := strconv.Atoi(os.Getenv("IPS_PLAY_FROM")); err == nil {
		from = n
	}
	var sum playSum
	t.Cleanup(func() { t.Log(sum.String()) })
	next := make(chan int)
	go func() {
		defer close(next)
		for seed := from; seed < from+seeds; seed++ {
			next <- seed
		}
	}()
	for worker := range 12 { // a seed waits more than it works
		t.Run(fmt.Sprint("worker", worker), func(t *testing.T) {
			t.Parallel()
			for seed := range next {
				if !t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, uint64(seed), &sum, sqliteFile(t)) }) {
					t.Logf("again: IPS_PLAY=1 IPS_PLAY_FROM=%d", seed)
				}
			}
		})
	}
}

// TestPlayEach plays on all databases, where transactions meet otherwise than in
// SQLite. IPS_PLAY_EACH is how many seeds, by default 1.
func TestPlayEach(t *testing.T) {
	t.Parallel()
	seeds := 1
	if n, err := strconv.Atoi(os.Getenv("IPS_PLAY_EACH")); err == nil {
		seeds = n
	}
	var sum playSum
	t.Cleanup(func() { t.Log(sum.String()) })
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, address string) { play(t, uint64(seed), &sum, address) })
		})
	}
}

// playSum is what was played.
type playSum struct {
	seeds, pressed, refused, carried, left, stale, faults, loans, ended, sales, asked, overpaid, decided atomic.Int64
}

func (s *playSum) String() string {
	return fmt.Sprintf("%d seeds: %d buttons pressed, %d times told no; %d pages of IPS confirmed, %d left, %d confirmed late; %d faults; %d loans published, %d ended; %d claims sold, %d late buyers who waited for a word; %d times paid too much; %d matters decided by staff",
		s.seeds.Load(), s.pressed.Load(), s.refused.Load(), s.carried.Load(), s.left.Load(), s.stale.Load(), s.faults.Load(), s.loans.Load(), s.ended.Load(), s.sales.Load(), s.asked.Load(), s.overpaid.Load(), s.decided.Load())
}

// player is a member with his habits.
type player struct {
	*person
	leaves  float64 // how often he leaves a form to IPS
	clicks  int     // how often he presses
	manual  bool    // he does not confirm on the page of IPS
	poor    bool    // he never recharges
	mu      sync.Mutex
	stashed []*browser.Page
}

type game struct {
	*world
	rand    *rand.Rand
	players []*player
	sum     *playSum
}

func play(t *testing.T, seed uint64, sum *playSum, address string) {
	g := &game{world: newWorld(t, address, 1500*time.Millisecond), rand: rand.New(rand.NewPCG(seed, 19)), sum: sum}
	sum.seeds.Add(1)
	for _, p := range []*player{
		{person: g.customer("张三", "1500.00")}, {person: g.customer("李四", "4000.00")}, {person: g.customer("王五", "4000.00")},
		{person: g.customer("赵六", "3000.00")}, {person: g.customer("张三", "2000.00")}, // the same man's second account
		{person: g.customer("孙七", "1.00"), poor: true},
		{person: g.customer("周八", "3000.00"), clicks: 3},
		{person: g.customer("吴九", "3000.00"), leaves: 0.7},
		{person: g.customer("郑十", "3000.00"), manual: true},
	} {
		p.clicks = max(1, p.clicks)
		p.leaves = max(p.leaves, 0.15)
		if p.manual {
			require.NoError(t, g.box.SetAuto("808801", p.user().Account, false))
		}
		g.players = append(g.players, p)
	}
	// A loan that is running, guaranteed, with a claim for sale, so that there is
	// something to quarrel about from the first moment.
	amount := 800 + g.rand.IntN(1200)
	bid := g.players[0].borrows(fmt.Sprintf("%d.37", amount), "50.00", fmt.Sprint(2+g.rand.IntN(2)), fmt.Sprint(1+g.rand.IntN(3)))
	g.players[3].press("/loan/"+bid, "/loan/"+bid+"/guarantee", url.Values{"margin": {"200.00"}, "profit": {"10.00"}})
	g.players[1].bids(bid, fmt.Sprintf("%d.11", amount/2))
	g.players[2].bids(bid, fmt.Sprintf("%d.26", amount-amount/2))
	g.administer(bid, "release", nil)
	share := sharesOf(t, g.world, g.players[1].person)[0]
	g.players[1].press("/claims", "/claims/"+share+"/sell", nil)
	for range 4 {
		g.turn()
		if g.check(); t.Failed() {
			return
		}
	}
	g.finish()
}

// turn is a dozen of doings, some of them at once.
func (g *game) turn() {
	for range 12 {
		g.fault()
		var at sync.WaitGroup
		for range 1 + g.rand.IntN(2) {
			p := g.players[g.rand.IntN(len(g.players))]
			do := g.draw(p)
			at.Go(do)
		}
		at.Wait()
		if g.rand.IntN(2) == 0 {
			g.staff()
		}
		if g.rand.IntN(5) == 0 {
			g.passes(hold + time.Second)
		}
	}
	g.calm()
}

// fault lets something go wrong at IPS.
func (g *game) fault() {
	faults := []sandbox.Fault{
		{Name: fault.HTTP502}, {Name: fault.HTTP500, After: true}, {Name: fault.Reset, After: true}, {Name: fault.Truncate}, {Name: fault.Latency, Delay: 30 * time.Millisecond, After: true},
		{Name: fault.NoticeDrop}, {Name: fault.NoticeDouble}, {Name: fault.NoticeDelay, Delay: 100 * time.Millisecond}, {Name: fault.NoticeBadSign}, {Name: fault.NoticeAmount}, {Name: fault.NoticeFirst},
		{Name: fault.Row, Row: 1 + g.rand.IntN(2)}, {Name: fault.StayPending}, {Name: fault.Code, Code: "MG00001F"},
	}
	if g.rand.IntN(3) == 0 {
		_, err := g.box.OrderFault(faults[g.rand.IntN(len(faults))])
		require.NoError(g.t, err)
		g.sum.faults.Add(1)
	}
}

// draw chooses what a player does, and returns it to be done.
func (g *game) draw(p *player) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.stashed) > 0 && g.rand.IntN(3) == 0 { // an old page in his browser
		i := g.rand.IntN(len(p.stashed))
		page := p.stashed[i]
		p.stashed = slices.Delete(p.stashed, i, i+1)
		g.sum.stale.Add(1)
		return func() { g.carry(p, page) }
	}
	d := g.app.data.read(context.Background())
	paths := []string{"/claims", "/claims", "/market", "/market", "/contracts"} // pages with buttons
	if !p.poor && g.rand.IntN(3) == 0 {
		paths = append(paths, "/funds")
	}
	for _, l := range list[Loan](d, "state <> 'failed' ORDER BY bid_no") {
		paths = append(paths, "/loan/"+l.BidNo, "/loan/"+l.BidNo)
		if l.State == LoanRunning && l.BorrowerID == p.user().ID { // there he can repay
			paths = append(paths, "/loan/"+l.BidNo, "/loan/"+l.BidNo, "/loan/"+l.BidNo)
		}
	}
	for _, a := range list[Act](d, "user_id = ? AND by_user = 1 ORDER BY made_at DESC LIMIT 3", p.user().ID) {
		paths = append(paths, orderPath(a.Operation, a.OrderNo))
	}
	switch g.rand.IntN(14) {
	case 0:
		paths = []string{"/borrow"}
	case 1, 2, 3:
		paths = []string{"/market"}
	}
	g.rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	pick, leave, seed := g.rand.IntN(1000), g.rand.Float64() < p.leaves, g.rand.Uint64()
	return func() { g.press(p, paths[:min(3, len(paths))], pick, leave, rand.New(rand.NewPCG(seed, 7))) }
}

// press opens pages until one has a button for him, and presses one of its buttons.
func (g *game) press(p *player, paths []string, pick int, leave bool, r *rand.Rand) {
	ctx, cancel := p.ctx()
	defer cancel()
	var page *browser.Page
	var forms []*htmlform.Form
	for _, path := range paths {
		if page, _ = p.b.Get(ctx, p.site+path); page == nil {
			return
		}
		if forms = g.forms(page); len(forms) > 0 {
			break
		}
	}
	if len(forms) == 0 {
		return
	}
	form := forms[pick%len(forms)]
	typed := g.fill(form, r)
	leave = leave || strings.HasSuffix(form.Action, "/buy") && r.IntN(3) == 0 // to come back when others have acted
	for range p.clicks {
		g.sum.pressed.Add(1)
		next, _ := p.b.Press(ctx, page, form, "", typed)
		switch {
		case next == nil:
		case next.URL.Host == mustURL(p.site).Host && next.Status >= 500:
			g.t.Errorf("%s answers %d to %v", form.Action, next.Status, typed)
		case next.URL.Host == mustURL(p.site).Host && next.Status >= 400:
			g.sum.refused.Add(1)
		case ipsForm(next) == nil:
		case leave:
			g.sum.left.Add(1)
			p.mu.Lock()
			p.stashed = append(p.stashed, next)
			p.mu.Unlock()
		default:
			g.carry(p, next)
		}
	}
}

func (g *game) forms(page *browser.Page) (all []*htmlform.Form) {
	forms, err := page.Forms()
	if err != nil || page.Status >= 400 {
		return nil
	}
	for i := range forms {
		if !strings.HasSuffix(forms[i].Action, "/logout") {
			all = append(all, &forms[i])
		}
	}
	return all
}

// fill types into a form what people and attackers type.
func (g *game) fill(form *htmlform.Form, r *rand.Rand) url.Values {
	typed := url.Values{}
	cents := func(from, to int) string {
		return fmt.Sprintf("%d.%02d", from+r.IntN(to-from+1), r.IntN(100))
	}
	for _, f := range form.Fields {
		switch f.Name {
		case "amount":
			switch {
			case strings.HasSuffix(form.Action, "/borrow"):
				typed.Set(f.Name, cents(500, 2000))
			case f.Value != "" && r.IntN(3) > 0:
			default:
				typed.Set(f.Name, []string{cents(100, 900), cents(100, 900), "0.01", "1.00", "100.00"}[r.IntN(5)])
			}
		case "margin":
			typed.Set(f.Name, []string{"0.00", "50.00", "200.00"}[r.IntN(3)])
		case "profit":
			typed.Set(f.Name, []string{"0.00", "10.00", "7000.00"}[r.IntN(3)])
		case "face", "price":
			whole, _ := ips.ParseAmount(f.Value)
			if r.IntN(3) == 0 {
				typed.Set("face", (whole / 2).String())
				typed.Set("price", (whole / 2).String())
			}
		case "months":
			typed.Set(f.Name, fmt.Sprint(1+r.IntN(3)))
		case "mode":
			typed.Set(f.Name, fmt.Sprint(1+r.IntN(3)))
		case "purpose":
			typed.Set(f.Name, "购车")
		}
	}
	return typed
}

// carry brings a form to IPS and comes back, if IPS lets him.
func (g *game) carry(p *player, page *browser.Page) {
	ctx, cancel := p.ctx()
	defer cancel()
	next, _ := p.b.Press(ctx, page, ipsForm(page), "", nil)
	if next == nil {
		return
	}
	g.sum.carried.Add(1)
	if !p.manual {
		_, _ = p.b.Follow(ctx, next)
	}
}

// staff publishes what was applied for, and presses a button of a loan's page.
func (g *game) staff() {
	d := g.app.data.read(context.Background())
	loans := list[Loan](d, "state IN ('applied', 'raising', 'running') ORDER BY bid_no")
	require.NoError(g.t, d.err)
	if len(loans) == 0 {
		return
	}
	loan := loans[g.rand.IntN(len(loans))]
	ctx, cancel := g.admin.ctx()
	defer cancel()
	page, _ := g.admin.b.Get(ctx, g.admin.site+"/admin/loan/"+loan.BidNo)
	if page == nil {
		return
	}
	forms := g.forms(page)
	// Calling a loan off before anything was lent ends the play on it too soon.
	forms = slices.DeleteFunc(forms, func(f *htmlform.Form) bool { return strings.HasSuffix(f.Action, "/end") && g.rand.IntN(8) > 0 })
	if len(forms) == 0 {
		return
	}
	form := forms[g.rand.IntN(len(forms))]
	next, _ := g.admin.b.Press(ctx, page, form, "", g.fill(form, g.rand))
	if next != nil && next.URL.Host == mustURL(g.admin.site).Host && next.Status >= 500 {
		g.t.Errorf("%s answers %d", form.Action, next.Status)
	}
	if next != nil && ipsForm(next) != nil {
		g.carry(&player{person: g.admin}, next)
	}
}

// calm lets IPS say what it has not said, as it does in the end, and waits until
// nothing is under way.
func (g *game) calm() {
	require.NoError(g.t, g.box.LiftFaults())
	require.NoError(g.t, g.box.Release("", ""))
	if g.rand.IntN(3) == 0 {
		require.NoError(g.t, g.box.Advance(31*time.Minute)) // pages that nobody confirmed time out
	}
	deadline, tries := time.Now().Add(patience), 0
	for {
		g.settle()
		d := g.app.data.read(context.Background())
		busy, open := progress(d, isUnderWay), progress(d, isOpen)
		require.NoError(g.t, d.err)
		if len(busy) == 0 && tries > 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, p := range busy {
				g.t.Errorf("never settled: %s %s %s %s, heard %d", p.Operation, p.OrderNo, p.About, p.State, p.Heard)
				type said struct{ Says, Verdict string }
				g.t.Logf("%+v", rows[said](d, "SELECT says, verdict FROM ips_answer WHERE order_key = ?", p.OrderKey))
				info, _ := g.box.Engine().Order("808801", "", p.OrderNo, false)
				g.t.Logf("IPS: %s %+v %+v", info.State, info.Answer, info.Final)
				for _, n := range g.box.Notifications() {
					if n.Order == p.OrderNo {
						g.t.Logf("%+v", n)
					}
				}
			}
			return
		}
		for _, sms := range g.box.Engine().Inbox("") {
			_ = g.box.ReplySMS(sms.ID, g.rand.IntN(4) > 0) // those that wait for an answer
		}
		if tries++; len(busy) > 0 && tries < 20 {
			require.NoError(g.t, g.box.Advance(10*time.Minute)) // for what IPS does from time to time
		}
		g.decide()
		for _, n := range g.box.Notifications() { // what was lost comes again
			for _, p := range open {
				if n.Order == p.OrderNo {
					_ = g.box.Resend(n.Seq)
				}
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// decide is staff that asks IPS by telephone about what nobody can settle, and
// says what it has heard.
func (g *game) decide() {
	for _, m := range g.matters() {
		info, _ := m.Order.Operation.Info()
		at, known := g.box.Engine().Order("808801", strings.TrimSuffix(info.Endpoint, ".aspx"), m.Order.OrderNo, m.Order.Operation == ips.OpEndBid)
		verdict := orders.Seen
		switch {
		case m.Kind == "wrong", m.Kind == "contradiction", m.Kind == "late":
		case !known && info.Transport != ips.Redirect && m.Order.State == orders.StateUnknown:
			verdict = orders.SendAgain
		case known && at.State == "failed" && !m.Order.State.Ended():
			verdict = orders.IsRefused
		default:
			continue // what it knows, it says again
		}
		g.sum.decided.Add(1)
		id := base64.RawURLEncoding.EncodeToString([]byte(m.Key))
		g.admin.sends("/admin/contradictions/"+id+"/settle", url.Values{"resolution": {"已与 IPS 核实"}, "verdict": {string(verdict)}})
	}
}

// check is what must hold whatever was done.
func (g *game) check() {
	g.assertBooks()
	d := g.app.data.read(context.Background())
	g.sum.asked.Add(int64(d.count("SELECT COUNT(*) FROM sales WHERE state IN ('askbuyer', 'askseller')")))
	// A claim's principal and interest are what was lent and agreed, whoever holds
	// which part of it, and nobody was paid more of it than that.
	type claim struct {
		Claim                                        string
		Principal, Interest, Paid, Outstanding, Over ips.Amount
	}
	for _, c := range rows[claim](d, "SELECT s.claim, SUM(d.principal), SUM(d.interest), SUM(d.paid), 0, 0 FROM shares s JOIN dues d ON d.share_id = s.id GROUP BY s.claim") {
		outstanding := ips.Amount(d.count("SELECT SUM(principal) FROM shares WHERE claim = ?", c.Claim))
		act := find[Act](d, "order_no = ? AND kind = 'bid'", c.Claim)
		order, err := g.app.book.Order(context.Background(), act.OrderKey)
		require.NoError(g.t, err)
		loan := find[Loan](d, "bid_no = ?", act.BidNo)
		var want, interest ips.Amount
		for _, due := range plan(order.Amount, loan.Rate, loan.Months, loan.RepayMode, ips.Today()) {
			want += due.Principal
			interest += due.Interest
		}
		assert.Equal(g.t, want, c.Principal, "the principal of claim %s", c.Claim)
		assert.Equal(g.t, interest, c.Interest, "the interest of claim %s", c.Claim)
		assert.LessOrEqual(g.t, c.Paid, want+interest, "what was paid for claim %s", c.Claim)
		assert.GreaterOrEqual(g.t, outstanding, ips.Amount(0))
	}
	// What the borrowers and guarantors have paid is what the holders were paid.
	for _, loan := range list[Loan](d, "state IN ('running', 'ended')") {
		paid := ips.Amount(d.count("SELECT COALESCE(SUM(d.paid), 0) FROM dues d JOIN shares s ON s.id = d.share_id WHERE s.bid_no = ?", loan.BidNo))
		over := ips.Amount(d.count("SELECT COALESCE(SUM(overpaid), 0) FROM shares WHERE bid_no = ?", loan.BidNo))
		out := ips.Amount(d.count("SELECT COALESCE(-SUM(available + frozen), 0) FROM postings WHERE bid_no = ? AND about IN ('还款', '代偿')", loan.BidNo))
		assert.Equal(g.t, out, paid+over, "what was paid on loan %s", loan.BidNo)
		owed := ips.Amount(d.count("SELECT COALESCE(SUM(amount - repaid), 0) FROM compensations WHERE bid_no = ?", loan.BidNo))
		assert.GreaterOrEqual(g.t, owed, ips.Amount(0), "what the borrower owes his guarantors")
		unagreed := ips.Amount(d.count("SELECT COALESCE(SUM(profit_paid), 0) FROM guarantees WHERE bid_no = ? AND agreed = 0", loan.BidNo))
		assert.Zero(g.t, unagreed, "profits nobody has agreed to")
	}
	// Every debt can be paid: now, or after the moment that is a buyer's.
	g.passes(hold + time.Second)
	for _, loan := range list[Loan](d, "state = 'running'") {
		if len(d.payables(loan.BidNo)) == 0 {
			continue
		}
		stop := errors.New("it can")
		err := g.app.data.tx(context.Background(), func(w *work) {
			g.app.nextPayment(w, w.lock(loan.BidNo), "", "")
			w.fail(stop)
		})
		assert.ErrorIs(g.t, err, stop, "the debt of loan %s", loan.BidNo)
	}
	assert.Zero(g.t, d.count("SELECT COUNT(*) FROM sales WHERE state = 'paid'"), "sales whose money waits")
	// What a buyer has frozen, he, the seller or staff has a button for.
	assert.Zero(g.t, d.count("SELECT COUNT(*) FROM (SELECT a.order_no AS order_no FROM acts a JOIN loans l ON l.bid_no = a.bid_no JOIN postings p ON p.order_key = a.order_key "+
		"WHERE a.kind = 'buy' AND l.state = 'running' GROUP BY a.order_no HAVING SUM(p.frozen) > 0) b "+
		"WHERE order_no NOT IN (SELECT order_no FROM sales WHERE state IN ('done', 'failed', 'askbuyer', 'askseller'))"), "buyers whose money is locked")
	require.NoError(g.t, d.err)
}

// finish has everybody pay what he owes, by the pages, and staff end every loan.
func (g *game) finish() {
	t := g.t
	d := g.app.data.read(context.Background())
	g.sum.loans.Add(int64(d.count("SELECT COUNT(*) FROM loans WHERE state IN ('raising', 'running', 'ended')")))
	for _, p := range g.players {
		if p.manual {
			require.NoError(t, g.box.SetAuto("808801", p.user().Account, true))
			p.manual = false
		}
	}
	for _, loan := range list[Loan](d, "state IN ('raising', 'running') ORDER BY bid_no") {
		borrower := g.players[slices.IndexFunc(g.players, func(p *player) bool { return p.user().ID == loan.BorrowerID })]
		borrower.recharge("20000.00")
		g.settle()
		if d.frozen(loan.BidNo) > 0 {
			g.administer(loan.BidNo, "release", nil)
			g.calm()
			assert.Zero(t, d.frozen(loan.BidNo), "what waits for its release on loan %s", loan.BidNo)
		}
		for range 40 {
			if len(d.payables(loan.BidNo)) == 0 {
				break
			}
			page := borrower.press("/loan/"+loan.BidNo, "/loan/"+loan.BidNo+"/repay", nil)
			g.calm()
			if !assert.NotRegexp(t, `出错了|role="alert"`, page, "the borrower of %s cannot repay", loan.BidNo) {
				return
			}
		}
		for _, c := range list[Compensation](d, "bid_no = ? AND amount > repaid", loan.BidNo) {
			borrower.sends("/loan/"+loan.BidNo+"/reimburse", url.Values{"compensation": {c.OrderNo}})
			g.calm()
		}
		assert.Empty(t, list[Compensation](d, "bid_no = ? AND amount > repaid", loan.BidNo), "what the borrower of %s owes his guarantors", loan.BidNo)
		g.administer(loan.BidNo, "end", nil)
		g.calm()
		if assert.Equal(t, LoanEnded, find[Loan](d, "bid_no = ?", loan.BidNo).State, "loan %s", loan.BidNo) {
			g.sum.ended.Add(1)
		}
	}
	g.calm()
	g.check()
	for _, p := range g.players {
		assert.Zero(t, p.atIPS()[1], "what is frozen of %s", p.login)
	}
	g.sum.sales.Add(int64(d.count("SELECT COUNT(*) FROM sales WHERE state = 'done'")))
	g.sum.overpaid.Add(int64(d.count("SELECT COUNT(*) FROM shares WHERE overpaid > 0")))
	require.NoError(t, d.err)
}
