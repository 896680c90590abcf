package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
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
	"github.com/ips-p2p/ips/examples/platform/store"
	"github.com/ips-p2p/ips/examples/platform/store/storetest"
)

var (
	badDayOrders = flag.Int("badday.orders", 300, "`orders` of the bad day; from 5000 on it is the long one")
	badDaySeed   = flag.Uint64("badday.seed", 1, "`seed` of the bad day")
	badDayLogs   = flag.String("badday.logs", "", "`folder` that keeps what the bad day's programs log")
)

// badDay is two instances of the platform behind one address, a sandbox that
// does everything that can go wrong, and people who go on regardless. All
// programs are processes that are killed in the middle.
type badDay struct {
	t         *testing.T
	seed      uint64
	orders    int64 // to be reached
	ipsURL    string
	db        *store.Store // to look, and to put people in
	box       *process
	platforms []*process
	site      *balancer
	transport *http.Transport
	logs      string
	admin     *citizen
	people    []*citizen

	ordered atomic.Int64 // orders so far
	cuts    atomic.Int64 // pages that did not come
	again   atomic.Int64 // orders that people took up again
	failed  atomic.Bool  // a worker gave up
	met     map[string]int
}

// TestBadDay is the whole of it:
//
//	go test -run BadDay -badday.orders 10000 -badday.seed 7 -timeout 60m .
func TestBadDay(t *testing.T) {
	if testing.Short() {
		t.Skip("the bad day takes half a minute")
	}
	workers, boxKills, platformKills := 4, 2, 1
	if *badDayOrders >= 5000 {
		workers, boxKills, platformKills = 16, 5, 3
	}
	address := storetest.Postgres(t)
	before := runtime.NumGoroutine()
	d := newBadDay(t, address)
	started := time.Now()
	d.prologue()
	d.livesThrough(workers, boxKills, platformKills)
	lived := time.Since(started)
	d.calmsDown()
	figures := d.figures()
	figures = append(figures, fmt.Sprintf("kills: sandbox %d, platforms %d", boxKills, platformKills), fmt.Sprintf("time: %s, of it %s until the last order", time.Since(started).Round(time.Second), lived.Round(time.Second)))
	t.Logf("A bad day with seed %d, %d workers:\n  %s", d.seed, workers, strings.Join(figures, "\n  "))
	d.assertFaults()
	d.assertSettled()
	d.assertBooks()
	d.assertContradictions()
	d.ends()
	d.assertLogs()
	assertGoroutines(t, before)
}

func newBadDay(t *testing.T, address string) *badDay {
	t.Helper()
	d := &badDay{
		t: t, seed: *badDaySeed, orders: int64(*badDayOrders), transport: &http.Transport{MaxIdleConnsPerHost: 64},
		logs: *badDayLogs, met: make(map[string]int),
	}
	if d.logs == "" {
		d.logs = t.TempDir()
	}
	require.NoError(t, os.MkdirAll(d.logs, 0o700))
	var err error
	d.db, err = store.Open(t.Context(), address)
	require.NoError(t, err)

	program := filepath.Join(t.TempDir(), "sandbox")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "sandbox")
	build.Env = append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	boxAddress, data := freeAddress(t), t.TempDir()
	d.ipsURL = "http://" + boxAddress
	d.box = newProcess(t, d.logs, "sandbox", boxAddress, func(life int) *exec.Cmd {
		args := []string{"-addr", boxAddress, "-data", data, "-verbose", "-seed", strconv.FormatUint(d.seed*1000+uint64(life), 10)}
		for _, fault := range badDayFaults() {
			args = append(args, "-fault", fault)
		}
		return exec.Command(program, args...)
	})
	require.NoError(t, d.box.start())

	addresses := []string{freeAddress(t), freeAddress(t)}
	d.site = newBalancer(addresses...)
	d.admin, err = d.newCitizen(t.Context(), "admin", "赵六", store.Admin)
	require.NoError(t, err)
	for i, listen := range addresses {
		p := newProcess(t, d.logs, "platform"+strconv.Itoa(i+1), listen, func(int) *exec.Cmd {
			cmd := exec.Command(os.Args[0], "-listen", listen, "-base", d.site.URL, "-reconcile", "500ms", "-age", "1s")
			cmd.Env = append(os.Environ(), beThePlatform+"=1", "DATABASE_URL="+address, "IPS_URL="+d.ipsURL)
			return cmd
		})
		require.NoError(t, p.start())
		d.platforms = append(d.platforms, p)
	}
	return d
}

// badDayFaults: each of a notification's fates is met by 10 % of them, and of
// all requests 5 % fail or are cut off.
func badDayFaults() []string {
	return []string{
		"notice-drop:probability=0.1",
		"notice-double:probability=0.1",
		"notice-delay:probability=0.1,delay=1500ms",
		"notice-reorder:probability=0.1,delay=2s",
		"notice-bad-sign:probability=0.04", // these three are the corrupted ones
		"notice-other-merchant:probability=0.04",
		"notice-amount:probability=0.05", // not all of them name one
		"http-500:probability=0.01,after",
		"http-502:probability=0.01",
		"reset:probability=0.01",
		"reset:probability=0.01,after",
		"truncate:probability=0.01",
	}
}

// ask speaks with the sandbox's admin API.
func (d *badDay) ask(method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, d.ipsURL+"/admin/"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: d.transport, Timeout: patience}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	case out != nil:
		return json.Unmarshal(text, out)
	}
	return nil
}

func (d *badDay) mode(mode string) {
	d.t.Helper()
	require.NoError(d.t, d.ask(http.MethodPost, "mode", map[string]string{"merchant": ips.TestMerchant().MerchantCode, "mode": mode}, nil))
}

// prologue is somebody who does by hand on the pages of IPS what the others
// have done for them, so that there are passwords and a card that logs could
// give away.
func (d *badDay) prologue() {
	d.t.Helper()
	f, err := d.newFamily(99)
	require.NoError(d.t, err)
	d.mode("manual")
	_, err = f.done(f.li, "/account/open", nil)
	require.NoError(d.t, err)
	_, err = f.done(f.li, "/recharge", url.Values{"amount": {"500.00"}, "bank": {"00004"}})
	require.NoError(d.t, err)
	_, err = f.done(f.li, "/withdraw", url.Values{"amount": {"100.00"}})
	require.NoError(d.t, err)
	d.mode("auto")
}

func (d *badDay) newFamily(n int) (*family, error) {
	f := &family{d: d, r: rand.New(rand.NewPCG(d.seed, uint64(n)))}
	for _, member := range []struct {
		c           **citizen
		login, name string
	}{{&f.zhang, "zhang", "张三"}, {&f.li, "li", "李四"}, {&f.wang, "wang", "王五"}, {&f.zhao, "zhao", "赵六"}, {&f.guest, "guest", "李四"}} {
		var err error
		if *member.c, err = d.newCitizen(context.Background(), member.login+strconv.Itoa(n), member.name, store.Member); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (d *badDay) left() bool { return !d.failed.Load() && d.ordered.Load() < d.orders }

// livesThrough has families work until there are enough orders, while the
// programs are killed at even distances.
func (d *badDay) livesThrough(workers, boxKills, platformKills int) {
	d.t.Helper()
	families := make([]*family, workers)
	for i := range families {
		var err error
		families[i], err = d.newFamily(i)
		require.NoError(d.t, err)
	}
	var wg sync.WaitGroup
	for i, f := range families {
		f.others = families[(i+1)%workers].guest
		wg.Go(func() {
			if err := f.work(); err != nil {
				d.failed.Store(true)
				assert.NoError(d.t, err, "worker %d", i)
			}
		})
	}
	wg.Go(func() {
		d.killsAt(boxKills, d.box)
	})
	wg.Go(func() {
		d.killsAt(platformKills, d.platforms[0])
	})
	wg.Wait()
	require.False(d.t, d.failed.Load(), "the day went wrong")
	for _, p := range append([]*process{d.box}, d.platforms...) {
		require.NotNil(d.t, p.cmd, p.name)
	}
	require.Equal(d.t, 1+boxKills, d.box.lives)
	require.Equal(d.t, 1+platformKills, d.platforms[0].lives)
}

// killsAt kills a program several times, evenly over the orders of the day.
func (d *badDay) killsAt(kills int, p *process) {
	r := rand.New(rand.NewPCG(d.seed, uint64(1000+kills)))
	for n := range kills {
		at := d.orders * int64(n+1) / int64(kills+1)
		for d.ordered.Load() < at {
			if d.failed.Load() {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		if p == d.box {
			d.countFaults()
		}
		err := p.kill()
		if err == nil {
			time.Sleep(time.Duration(200+r.IntN(800)) * time.Millisecond)
			err = p.start()
		}
		if !assert.NoError(d.t, err) {
			d.failed.Store(true)
			return
		}
	}
}

// countFaults adds up the faults that the sandbox's present life has met.
func (d *badDay) countFaults() {
	var answer struct {
		Faults []struct {
			Name string
			Met  int
		}
	}
	if assert.NoError(d.t, d.ask(http.MethodGet, "faults", nil, &answer)) {
		for _, f := range answer.Faults {
			d.met[f.Name] += f.Met
		}
	}
}

// calmsDown lifts the faults and lets everybody finish: first the platforms
// alone, then the people whose orders only they can carry.
func (d *badDay) calmsDown() {
	d.t.Helper()
	d.countFaults()
	require.NoError(d.t, d.ask(http.MethodDelete, "faults", nil, nil))
	deadline := time.Now().Add(5 * time.Minute)
	for stuck := 0; stuck < 3 && time.Now().Before(deadline); {
		before := d.open()
		d.delivers()
		_, err := d.admin.post(d.t.Context(), "/admin/reconcile", "", nil)
		require.NoError(d.t, err)
		if len(d.open()) == len(before) {
			stuck++
		}
	}
	left := d.open()
	d.t.Logf("after reconciliation %d orders wait for their users", len(left))
	for _, order := range left {
		act, err := actOf(order.Operation)
		require.NoError(d.t, err)
		require.False(d.t, act.called(), "the reconciler must settle %s %s by itself: %s", order.Operation, order.OrderNo, order.Note)
		c := d.citizenOf(order.UserID)
		c.goesOn(d.t.Context(), order)
	}
	d.delivers()
}

func (d *badDay) citizenOf(id string) *citizen {
	return d.people[slices.IndexFunc(d.people, func(c *citizen) bool { return c.user.ID == id })]
}

func (d *badDay) open() []store.Order {
	d.t.Helper()
	orders, err := d.db.OpenOrders(context.Background(), time.Now(), always, 1<<20)
	require.NoError(d.t, err)
	return orders
}

// delivers lets the sandbox post what it still has to post, without waiting
// for its patience.
func (d *badDay) delivers() {
	d.t.Helper()
	for range 300 {
		var answer struct{ Notifications []struct{ Seq int64 } }
		require.NoError(d.t, d.ask(http.MethodGet, "notifications?state=queued&limit=1000", nil, &answer))
		if len(answer.Notifications) == 0 {
			return
		}
		require.NoError(d.t, d.ask(http.MethodPost, "clock/advance", map[string]string{"by": "1h"}, nil))
		time.Sleep(100 * time.Millisecond)
	}
	require.Fail(d.t, "notifications do not arrive")
}

func (d *badDay) allOrders() []store.Order {
	d.t.Helper()
	orders, err := d.db.Orders(context.Background(), 1<<20)
	require.NoError(d.t, err)
	return orders
}

// figures say what the day was like.
func (d *badDay) figures() []string {
	d.t.Helper()
	orders := d.allOrders()
	states, ways, operations, repeated := make(map[string]int), make(map[string]int), make(map[string]int), 0
	for _, o := range orders {
		states[string(o.State)]++
		ways[o.Via]++
		operations[string(o.Operation)]++
		if act, err := actOf(o.Operation); err == nil && act.called() && o.Attempts > 1 {
			repeated++
		}
	}
	return []string{
		fmt.Sprintf("orders: %d: %s", len(orders), counts(states)),
		"by operation: " + counts(operations),
		"settled by: " + counts(ways),
		fmt.Sprintf("unknown fates settled: %d calls repeated as the same message, %d by balances, %d taken up again by their users",
			repeated, ways["balance query"], d.again.Load()),
		fmt.Sprintf("pages that did not come: %d", d.cuts.Load()),
		"faults met: " + counts(d.met),
	}
}

func counts(m map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}

// assertFaults: the day was as bad as it should be.
func (d *badDay) assertFaults() {
	d.t.Helper()
	cut := 0
	for _, text := range badDayFaults() {
		name, _, _ := strings.Cut(text, ":")
		if strings.HasPrefix(name, "notice-") {
			assert.Positive(d.t, d.met[name], "nothing met %s", name)
		} else {
			cut += d.met[name]
		}
	}
	assert.Positive(d.t, cut, "no request failed")
}

// assertSettled: every order has its end, all operations were there, and what
// was refused moved nothing.
func (d *badDay) assertSettled() {
	d.t.Helper()
	seen := make(map[ips.Operation]int)
	orders := d.allOrders()
	assert.GreaterOrEqual(d.t, len(orders), int(d.orders))
	assert.Len(d.t, orders, int(d.ordered.Load()), "every press of a button is one order, however often it was repeated")
	for _, o := range orders {
		if !assert.True(d.t, o.State.Final(), "%s %s is %s: %s", o.Operation, o.OrderNo, o.State, o.Note) {
			continue
		}
		if o.State == ips.OrderDone {
			seen[o.Operation]++
			continue
		}
		lines, err := d.db.OrderPostings(context.Background(), o.OrderKey)
		require.NoError(d.t, err)
		assert.Empty(d.t, lines, "%s %s was refused", o.Operation, o.OrderNo)
	}
	for _, op := range []ips.Operation{
		ips.OpOpenAccount, ips.OpRecharge, ips.OpWithholdingRecharge, ips.OpWithdraw, ips.OpRegisterBid, ips.OpEndBid,
		ips.OpRegisterCreditor, ips.OpAutoBid, ips.OpRegisterGuarantor, ips.OpRegisterDebtTransfer, ips.OpTransfer,
		ips.OpRepay, ips.OpAutoRepay, ips.OpUnfreezeMargin, ips.OpSignAutoBid, ips.OpSignAutoRepay,
	} {
		assert.Positive(d.t, seen[op], "no %s was done", op)
	}
}

// assertBooks compares the platform's books with the sandbox's, to the fen and
// in both directions, and both with what the orders say came from outside.
func (d *badDay) assertBooks() {
	d.t.Helper()
	ctx := context.Background()
	var theirs struct {
		Balances []struct {
			Account                      string
			Available, Frozen, Unsettled int64 // fen
		}
	}
	var books struct {
		OK      bool
		Outside int64
	}
	require.NoError(d.t, d.ask(http.MethodGet, "balances?merchant="+ips.TestMerchant().MerchantCode, nil, &theirs))
	require.NoError(d.t, d.ask(http.MethodGet, "books", nil, &books))
	assert.True(d.t, books.OK)
	mine := make(map[string]store.Balance)
	balances, err := d.db.Balances(ctx)
	require.NoError(d.t, err)
	for _, b := range balances {
		mine[b.Account] = b
	}
	for _, b := range theirs.Balances {
		got := mine[b.Account]
		assert.Equal(d.t, [2]int64{b.Available, b.Frozen}, [2]int64{int64(got.Available), int64(got.Frozen)}, "account %s", b.Account)
		assert.Zero(d.t, b.Unsettled, "account %s", b.Account)
		delete(mine, b.Account)
	}
	assert.Empty(d.t, mine, "accounts that IPS does not know")
	var in ips.Amount
	for _, o := range d.allOrders() {
		if o.State == ips.OrderDone {
			amount, err := amountsOf(o)
			require.NoError(d.t, err)
			in += amount
		}
	}
	assert.EqualValues(d.t, -books.Outside, in, "what came in from outside, by the sandbox and by the platform's orders")
	accounts := 0
	members, err := d.db.Users(ctx, store.Member)
	require.NoError(d.t, err)
	for _, m := range members {
		if m.Account != "" {
			accounts++
		}
	}
	assert.Len(d.t, theirs.Balances, 1+accounts, "an account for every member, and the platform's own")
}

// assertContradictions: only what the sandbox forged was found to contradict
// what is known.
func (d *badDay) assertContradictions() {
	d.t.Helper()
	all, err := d.db.Contradictions(context.Background(), store.OrderKey{}) // a page of them, those about strange orders too
	require.NoError(d.t, err)
	kept := 0
	for _, o := range d.allOrders() {
		own, err := d.db.Contradictions(context.Background(), o.OrderKey)
		require.NoError(d.t, err)
		all, kept = append(all, own...), kept+len(own)
	}
	for _, c := range all {
		assert.Regexp(d.t, `^(amount|frozen|credited|face|price) is not what (was asked|it was in the answer before)$`, c.Problem, "%s %s %s", c.Operation, c.OrderNo, c.Facts)
	}
	d.t.Logf("contradictions kept for a person: %d", kept)
}

// ends stops everything in good order.
func (d *badDay) ends() {
	d.t.Helper()
	for _, p := range d.platforms {
		p.stop()
	}
	d.box.stop()
	for _, c := range d.people {
		c.b.Close()
	}
	d.site.Close()
	d.transport.CloseIdleConnections()
	require.NoError(d.t, d.db.Close())
}

// assertLogs looks through everything that the programs have said for what
// must not be said, and for accidents.
func (d *badDay) assertLogs() {
	d.t.Helper()
	m := ips.TestMerchant()
	words := map[string]string{
		"the MD5 certificate": m.Cert.Reveal(), "the 3DES key": m.Key.Reveal(), "the 3DES IV": m.IV.Reveal(), "a login password": badDayLogin,
		"a trade password": badDayTrade, "a bank card": badDayCard,
	}
	for i, c := range d.people {
		words[fmt.Sprintf("session %d", i)] = c.session
	}
	patterns := map[string]*regexp.Regexp{
		"an id number": regexp.MustCompile(`11010119900101\d{4}`), "a mobile": regexp.MustCompile(`\b138\d{8}\b`),
		"an accident": regexp.MustCompile(`^(panic:|fatal error:|WARNING: DATA RACE)`),
	}
	files, err := filepath.Glob(filepath.Join(d.logs, "*.log"))
	require.NoError(d.t, err)
	require.Len(d.t, files, 3)
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(d.t, err)
		lines := 0
		scan := bufio.NewScanner(f)
		for scan.Buffer(nil, 16<<20); scan.Scan(); lines++ {
			for what, word := range words {
				assert.False(d.t, strings.Contains(scan.Text(), word), "%s is in line %d of %s", what, lines+1, name)
			}
			for what, pattern := range patterns {
				assert.False(d.t, pattern.MatchString(scan.Text()), "%s is in line %d of %s", what, lines+1, name)
			}
		}
		require.NoError(d.t, scan.Err())
		require.NoError(d.t, f.Close())
		assert.Greater(d.t, lines, int(d.orders)/2, "%s holds what was done", name)
	}
}

func assertGoroutines(t *testing.T, before int) {
	t.Helper()
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			var all bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
			require.Fail(t, "goroutines are left", "%s", all.String())
		}
	}
}
