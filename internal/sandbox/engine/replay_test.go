package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// traffic makes up commands of all kinds, most of them sensible, out of a
// seed. It knows the world only by what it has sent and been told.
type traffic struct {
	*world
	rand   *rand.Rand
	n      int
	people []person
	bids   []string
	claims []string
	debts  []string
	codes  map[string]int
}

func newTraffic(t testing.TB, seed uint64) *traffic {
	w := newTown(t)
	w.settle(engine.Settings{Merchant: merchant, Name: "测试平台", Auto: true, IPSFee: 50})
	return &traffic{
		world: w, rand: rand.New(rand.NewPCG(seed, 20141124)), people: []person{zhang, li, wang, zhao},
		codes: make(map[string]int),
	}
}

func (f *traffic) next(prefix string) string {
	f.n++
	return fmt.Sprintf("%s%d", prefix, f.n)
}

func (f *traffic) pick(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	// Recent ones are more often alive.
	if n := len(list); n > 6 && f.rand.IntN(4) > 0 {
		list = list[n-6:]
	}
	return list[f.rand.IntN(len(list))]
}

func (f *traffic) person() person { return f.people[f.rand.IntN(len(f.people))] }

func (f *traffic) fen(most int64) string { return yuan(1 + f.rand.Int64N(most)) }

// step does one thing and checks the books.
func (f *traffic) step() {
	f.at = f.at.Add(time.Duration(f.rand.IntN(180)) * time.Second)
	out := f.act()
	if out.Answer.Code != "" {
		f.codes[out.Answer.Code]++
		require.NotEqual(f.t, "MG00001F", out.Answer.Code, "the platform itself went wrong: %s", out.Answer.Text)
	}
	for _, n := range out.Notices {
		f.codes[n.Answer.Code]++
		require.NotEqual(f.t, "MG00001F", n.Answer.Code)
		for _, row := range rowsOf(n.Answer) {
			require.NotContains(f.t, row.Get("pMessage"), "MG00001F")
		}
	}
}

func (f *traffic) act() engine.Outcome {
	switch f.rand.IntN(24) {
	case 0:
		no := f.next("B")
		f.bids = append(f.bids, no)
		return f.submit("registerSubject", bidding(no, no, f.fen(2_000_00), f.fen(100_00)))
	case 1, 2, 3, 4:
		no := f.next("C")
		f.claims = append(f.claims, no)
		return f.submit("registerCreditor", investing(no, f.pick(f.bids), f.person(), f.fen(600_00), f.fen(5_00)))
	case 5:
		return f.submit("registerGuarantor", guaranteeing(f.next("G"), f.pick(f.bids), f.person(), f.fen(500_00), f.fen(100_00), "10.00"))
	case 6, 7, 8:
		return f.payOut()
	case 9, 10:
		return f.sell()
	case 11:
		return f.carry()
	case 12, 13:
		return f.repay()
	case 14:
		return f.compensate()
	case 15:
		bid := f.pick(f.bids)
		return f.submit("registerSubject", with(bidding(bid, bid, "1.00", "0.00"), "pOperationType", "2"))
	case 16:
		return f.submit("doDpTrade", recharging(f.next("R"), f.person(), f.fen(500_00)))
	case 17:
		return f.submit("doDwTrade", withdrawing(f.next("X"), f.person(), f.fen(500_00)))
	case 18:
		return f.submit("CoDpTrade", withholding(f.next("W"), f.person(), f.fen(500_00)))
	case 19:
		return f.submit("GuaranteeUnfreeze", unfreezing(f.next("U"), f.pick(f.bids), "1", zhang, f.fen(100_00)))
	case 20:
		return f.repeat()
	case 21:
		return f.answerSomebody()
	case 22:
		return f.apply(engine.Command{Kind: engine.KindMode, Merchant: merchant, Auto: f.rand.IntN(3) > 0})
	default:
		ops := []string{"Transfer", "doDpTrade", "doDwTrade", "CoDpTrade", "registerSubject", "RepaymentNewTrade"}
		held := fault{Name: "stay-pending", Op: ops[f.rand.IntN(len(ops))]}
		if f.rand.IntN(2) == 0 {
			return f.world.release(held.Op)
		}
		if held.Op == "Transfer" && f.rand.IntN(2) == 0 {
			held.Name, held.Row = "row", 1
		}
		f.fault(held)
		return engine.Outcome{}
	}
}

// live are the claims of a bid, as an operator sees them.
func (f *traffic) live(status string) (bid engine.BidInfo, claims []engine.ClaimInfo) {
	no := f.pick(f.bids)
	bid, _ = f.e.Bid(merchant, no)
	for _, c := range bid.Claims {
		if c.Status == status {
			claims = append(claims, c)
		}
	}
	return bid, claims
}

func (f *traffic) payOut() engine.Outcome {
	bid, claims := f.live("0")
	var list []engine.Message
	for _, c := range claims {
		list = append(list, transferRow(c.Order, yuan(c.Amount), c.Investor, "0.01", zhang.account, "0.01"))
	}
	if len(list) == 0 {
		list = append(list, transferRow(f.pick(f.claims), "1.00", li.account, "0.00", zhang.account, "0.00"))
	}
	return f.submit("Transfer", with(transferring(f.next("T"), bid.No+"", "1", list...), "pTransferMode", fmt.Sprint(1+f.rand.IntN(2))))
}

func (f *traffic) holder(c engine.ClaimInfo) person {
	var holders []string
	for _, s := range c.Holdings {
		if s.Face > 0 {
			holders = append(holders, s.Holder)
		}
	}
	number := f.pick(holders)
	for _, p := range f.people {
		if p.account == number {
			return p
		}
	}
	return f.person()
}

func (f *traffic) sell() engine.Outcome {
	bid, claims := f.live("1")
	if len(claims) == 0 {
		return engine.Outcome{}
	}
	c := claims[f.rand.IntN(len(claims))]
	no, price, kind := f.next("D"), f.fen(200_00), fmt.Sprint(1+f.rand.IntN(2))
	if kind == "1" {
		price = yuan(c.Amount)
	}
	f.debts = append(f.debts, no)
	return f.submit("registerCretansfer", selling(no, bid.No, c.Order, f.holder(c), f.person(), price, price, kind))
}

func (f *traffic) carry() engine.Outcome {
	for _, bid := range f.world.bids(merchant) {
		for _, d := range bid.Transfers {
			if d.Status == "0" && f.rand.IntN(2) == 0 {
				return f.submit("Transfer", transferring(f.next("T"), bid.No, "4", transferRow(d.Order, yuan(d.Price), d.To, "2.00", d.From, "1.00")))
			}
		}
	}
	return f.submit("Transfer", transferring(f.next("T"), f.pick(f.bids), "4", transferRow(f.pick(f.debts), "1.00", wang.account, "0.00", li.account, "0.00")))
}

func (f *traffic) repay() engine.Outcome {
	bid, claims := f.live("1")
	var list []engine.Message
	var sum int64
	for _, c := range claims {
		amount := 2 + f.rand.Int64N(300_00)
		if f.rand.IntN(2) == 0 {
			amount = max(2, c.Holdings[0].Outstanding)
		}
		sum += amount
		list = append(list, repayRow(c.Order, f.holder(c).account, yuan(amount), "0.01", "0.00"))
	}
	if len(list) == 0 {
		return engine.Outcome{}
	}
	return f.submit("RepaymentNewTrade", repaying(f.next("P"), bid.No, yuan(sum), "0.00", list...))
}

func (f *traffic) compensate() engine.Outcome {
	bid, claims := f.live("1")
	if len(claims) == 0 || len(bid.Guarantors) == 0 {
		return engine.Outcome{}
	}
	g, c := bid.Guarantors[0], claims[0]
	no := f.next("T")
	out := f.submit("Transfer", transferring(no, bid.No, "2", transferRow(c.Order, f.fen(100_00), g.Account, "0.00", f.holder(c).account, "0.00")))
	f.submit("Transfer", transferring(f.next("T"), bid.No, "3", transferRow(no, f.fen(100_00), zhang.account, "0.00", g.Account, "0.00")))
	f.submit("Transfer", transferring(f.next("T"), bid.No, "5", transferRow(g.Order, "3.00", zhang.account, "0.00", g.Account, "0.00")))
	return out
}

// repeat sends an old message again, as it was or changed.
func (f *traffic) repeat() engine.Outcome {
	for range 20 {
		cmd := f.log[f.rand.IntN(len(f.log))]
		if cmd.Kind != engine.KindSubmit {
			continue
		}
		if f.rand.IntN(2) == 0 {
			return f.submit(cmd.Op, with(cmd.Message, "pMemo2", "changed"))
		}
		return f.submit(cmd.Op, cmd.Message)
	}
	return engine.Outcome{}
}

func (f *traffic) answerSomebody() engine.Outcome {
	for _, m := range f.e.Inbox("") {
		if m.State == engine.SMSOpen {
			return f.apply(engine.Command{Kind: engine.KindSMS, ID: m.ID, Yes: f.rand.IntN(3) > 0})
		}
	}
	for _, a := range f.e.PendingAsks(merchant) {
		switch f.rand.IntN(4) {
		case 0:
			return f.apply(engine.Command{Kind: engine.KindCancel, ID: a.ID})
		case 1:
			return f.confirm(a.ID, "password", "wrong", "result", "failed")
		default:
			return f.confirm(a.ID, "password", "123456", "result", "paid")
		}
	}
	return f.pass(time.Hour)
}

// TestRandomTraffic keeps the books in order through thousands of commands,
// each followed by a full check, and then replays their log.
func TestRandomTraffic(t *testing.T) {
	t.Parallel()
	steps := 1200
	if testing.Short() {
		steps = 200
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			f := newTraffic(t, seed)
			for range steps {
				f.step()
			}
			if !testing.Short() {
				// The run is worth something only if it got somewhere.
				for _, code := range []string{"MG00000F", "MG00008F", "MG02501F", "MG02505F", "MG02047F", "MG02055F", "MG03119F"} {
					assert.NotZero(t, f.codes[code], "%s never happened: %v", code, f.codes)
				}
				assert.GreaterOrEqual(t, len(f.codes), 25, "%v", f.codes)
			}
			assertReplays(t, f.world)
		})
	}
}

// assertReplays sends the world's log through JSON and into a fresh engine.
func assertReplays(t *testing.T, w *world) {
	t.Helper()
	var log strings.Builder
	enc := json.NewEncoder(&log)
	for _, cmd := range w.log {
		require.NoError(t, enc.Encode(cmd))
	}
	fresh := engine.New()
	dec := json.NewDecoder(strings.NewReader(log.String()))
	for dec.More() {
		var cmd engine.Command
		require.NoError(t, dec.Decode(&cmd))
		_, err := fresh.Apply(cmd)
		require.NoError(t, err)
	}
	require.NoError(t, fresh.CheckBooks())
	assert.Equal(t, w.e.Totals(), fresh.Totals())
	assert.Equal(t, w.e.Digest(), fresh.Digest())
}

// The answers, not only the state, are the same in every run.
func TestSameCommandsSameAnswers(t *testing.T) {
	t.Parallel()
	f := newTraffic(t, 7)
	for range 300 {
		f.step()
	}
	one, two := engine.New(), engine.New()
	for i, cmd := range f.log {
		a, errA := one.Apply(cmd)
		cmd.At = cmd.At.In(time.FixedZone("elsewhere", -5*3600)) // the machine's zone does not matter
		b, errB := two.Apply(cmd)
		require.Equal(t, errA, errB)
		require.Equal(t, a, b, "command %d", i)
	}
	assert.Equal(t, one.Digest(), two.Digest())
}

func TestDigestSeesEverySmallChange(t *testing.T) {
	t.Parallel()
	changes := map[string]func(w *world){
		"time":    func(w *world) { w.pass(time.Nanosecond) },
		"deposit": func(w *world) { w.deposit(li.account, 1) },
		"mandate": func(w *world) { w.apply(engine.Command{Kind: engine.KindMandate, Account: li.account}) },
		"mode": func(w *world) {
			w.apply(engine.Command{Kind: engine.KindMode, Merchant: merchant, Account: li.account})
		},
		"settings":  func(w *world) { w.settle(engine.Settings{Merchant: merchant, Auto: true, Name: "改名"}) },
		"notice":    func(w *world) { w.submit("CreateNewIpsAcct", opening("A1", zhang)) },
		"contract":  func(w *world) { w.submit("AutoNewSigning", signing("S1", li)) },
		"text sent": func(w *world) { w.submit("registerSubject", bidding("B9", "B9", "1.00", "0.00")) },
	}
	base := newTown(t).e.Digest()
	assert.Equal(t, base, newTown(t).e.Digest())
	seen := map[string]string{base: "nothing"}
	for name, change := range changes {
		w := newTown(t)
		change(w)
		digest := w.e.Digest()
		assert.Empty(t, seen[digest], "%s looks like %s", name, seen[digest])
		seen[digest] = name
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	at := w.at
	done := make(chan error)
	for i := range 4 {
		go func() {
			var err error
			for j := range 50 {
				_, err = w.e.Apply(engine.Command{
					Kind: engine.KindSubmit, At: at, Merchant: merchant, Op: "doDwTrade",
					Message: withdrawing(fmt.Sprintf("X%d-%d", i, j), li, "1.00"),
				})
				if err != nil {
					break
				}
				w.e.Totals()
				w.bids("")
				w.e.NextDeadline()
				if err = w.e.CheckBooks(); err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-done)
	}
	assert.Equal(t, int64(10_000_00-200*2_00), w.balance(li.account).Available)
}

// filled is an engine with so many accounts, each with money and a few
// entries in the journal.
func filled(b *testing.B, accounts int) *world {
	w := &world{t: b, e: engine.New(), at: start}
	apply := func(cmd engine.Command) {
		cmd.At = start
		if _, err := w.e.Apply(cmd); err != nil {
			b.Fatal(err)
		}
	}
	apply(engine.Command{Kind: engine.KindMerchant, Settings: &engine.Settings{Merchant: merchant, Auto: true}})
	for i := range accounts {
		p := person{"李四", "110101199001010002", "13800000002", fmt.Sprintf("u%d@example.com", i), ""}
		if i == 0 {
			p = zhang
		}
		apply(engine.Command{Kind: engine.KindSubmit, Merchant: merchant, Op: "CreateNewIpsAcct", Message: opening(fmt.Sprintf("A%d", i), p)})
		for range 10 {
			apply(engine.Command{Kind: engine.KindDeposit, Merchant: merchant, Account: fmt.Sprintf("402%013d", 1_000_000_000_001+int64(i)), Amount: 10_000_00})
		}
	}
	apply(engine.Command{Kind: engine.KindSubmit, Merchant: merchant, Op: "registerSubject", Message: bidding("B1", "B1", "100000000.00", "0.00")})
	return w
}

// BenchmarkGrowth shows that an operation costs the same however large the
// books are. It does each in turn at 1000 accounts, which have 10,000 entries,
// and at 100,000, which have a million, and reports the ratio of the two.
func BenchmarkGrowth(b *testing.B) {
	const few, many = 1_000, 100_000
	small, large := filled(b, few), filled(b, many)
	someone := func(i, accounts int) person {
		return person{"李四", "110101199001010002", "", "", fmt.Sprintf("402%013d", 1_000_000_000_002+int64(i%(accounts-1)))}
	}
	// Numbers go on from one run of a benchmark to the next.
	count := map[string]int{}
	next := func(name string) int { count[name]++; return count[name] }
	for _, bm := range []struct {
		op  string
		msg func(i int, p person) engine.Message
	}{
		{"registerCreditor", func(i int, p person) engine.Message { return investing(fmt.Sprintf("C%d", i), "B1", p, "0.01", "0.00") }},
		{"Transfer", func(i int, p person) engine.Message { // releases what was just bid
			return transferring(fmt.Sprintf("T%d", i), "B1", "1", transferRow(fmt.Sprintf("D%d", i), "0.01", p.account, "0.00", zhang.account, "0.00"))
		}},
		{"doDpTrade", func(i int, p person) engine.Message { return recharging(fmt.Sprintf("R%d", i), p, "1.00") }},
		{"doDwTrade", func(i int, p person) engine.Message { return withdrawing(fmt.Sprintf("W%d", i), p, "0.01") }},
		{"CreateNewIpsAcct", func(i int, _ person) engine.Message {
			return opening(fmt.Sprintf("N%d", i), person{"王五", "110101199001010003", "13800000003", fmt.Sprintf("n%d@example.com", i), ""})
		}},
	} {
		b.Run(bm.op, func(b *testing.B) {
			apply := func(w *world, op string, msg engine.Message) time.Duration {
				from := time.Now()
				out, err := w.e.Apply(engine.Command{Kind: engine.KindSubmit, At: start, Merchant: merchant, Op: op, Message: msg})
				took := time.Since(from)
				code := out.Answer.Code
				if len(out.Notices) > 0 {
					code = out.Notices[0].Answer.Code
				}
				if err != nil || code != "MG00000F" {
					b.Fatal(err, out.Answer.Text)
				}
				return took
			}
			var atStart, later []time.Duration
			for b.Loop() {
				i := next(bm.op)
				p, q := someone(i, few), someone(i, many)
				if bm.op == "Transfer" {
					apply(small, "registerCreditor", investing(fmt.Sprintf("D%d", i), "B1", p, "0.01", "0.00"))
					apply(large, "registerCreditor", investing(fmt.Sprintf("D%d", i), "B1", q, "0.01", "0.00"))
				}
				if i%2 == 0 { // neither is always the first
					atStart = append(atStart, apply(small, bm.op, bm.msg(i, p)))
					later = append(later, apply(large, bm.op, bm.msg(i, q)))
				} else {
					later = append(later, apply(large, bm.op, bm.msg(i, q)))
					atStart = append(atStart, apply(small, bm.op, bm.msg(i, p)))
				}
			}
			// The mean has what comes now and then, as a collection of garbage or the
			// growth of a list; the median has what an operation costs as a rule.
			b.ReportMetric(mean(later)/mean(atStart), "x-start")
			b.ReportMetric(median(later)/median(atStart), "x-start-median")
			b.ReportMetric(mean(later), "ns/op")
		})
	}
}

func mean(d []time.Duration) float64 {
	var sum time.Duration
	for _, one := range d {
		sum += one
	}
	return float64(sum) / float64(len(d))
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}

// BenchmarkTransfer releases 3000 claims, the most that one message holds.
func BenchmarkTransfer(b *testing.B) {
	for range b.N {
		b.StopTimer()
		w := filled(b, 2)
		var list []engine.Message
		for i := range 3000 {
			no := fmt.Sprintf("C%d", i)
			if _, err := w.e.Apply(engine.Command{Kind: engine.KindSubmit, At: start, Merchant: merchant, Op: "registerCreditor",
				Message: investing(no, "B1", li, "0.01", "0.00")}); err != nil {
				b.Fatal(err)
			}
			list = append(list, transferRow(no, "0.01", li.account, "0.00", zhang.account, "0.00"))
		}
		msg := with(transferring("T1", "B1", "1", list...), "pTransferMode", "2")
		b.StartTimer()
		out, err := w.e.Apply(engine.Command{Kind: engine.KindSubmit, At: start, Merchant: merchant, Op: "Transfer", Message: msg})
		if err != nil || out.Notices[0].Answer.Code != "MG00000F" {
			b.Fatal(err, out.Answer.Text)
		}
	}
}

// A log that keeps what was decided notices whatever was changed in it.
func TestDecisionsTellADamagedLog(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "200.00", "200.00", "2"))
	w.submit("doDwTrade", withdrawing("X1", li, "100.00"))
	w.submit("doDwTrade", withdrawing("X1", li, "200.00"))
	w.pass(time.Hour)
	replay := func(spoil func(i int, cmd *engine.Command)) (decisions []string) {
		e := engine.New()
		for i, cmd := range w.log {
			cmd.Message = with(cmd.Message)
			spoil(i, &cmd)
			out, err := e.Apply(cmd)
			require.NoError(t, err)
			decisions = append(decisions, out.Decision)
		}
		return decisions
	}
	want := replay(func(int, *engine.Command) {})
	assert.Equal(t, want, replay(func(int, *engine.Command) {}))
	for i, cmd := range w.log {
		for name, spoil := range map[string]func(*engine.Command){
			"amount":  func(c *engine.Command) { c.Amount++ },
			"pTrdAmt": func(c *engine.Command) { c.Message = with(c.Message, "pTrdAmt", "99.00") },
			"pMemo1":  func(c *engine.Command) { c.Message = with(c.Message, "pMemo1", "changed") },
			"time":    func(c *engine.Command) { c.At = c.At.Add(-time.Nanosecond) },
		} {
			if name == "amount" && cmd.Kind != engine.KindDeposit || name != "amount" && name != "time" && cmd.Message.Get(name) == "" ||
				name == "time" && (i == 0 || cmd.At.Equal(w.log[i-1].At)) {
				continue
			}
			got := replay(func(j int, c *engine.Command) {
				if i == j {
					spoil(c)
				}
			})
			assert.NotEqual(t, want[i], got[i], "%s of command %d, %s %s", name, i, cmd.Kind, cmd.Op)
		}
	}
}

// Folders hold fingerprints over what fmt makes of answers.
func TestAnswersPrintAsEver(t *testing.T) {
	t.Parallel()
	type plain engine.Answer // without its String
	for _, a := range []engine.Answer{
		{},
		{Code: "MG00000F", Text: "成功 \x00"},
		{Body: engine.Message{}},
		{Code: "a b", Body: engine.Message{{Name: "pMemo1", Value: "{[]} \n"}, {Name: "pDetails", Rows: []engine.Message{{}, nil, {{Name: "x"}, {Name: "y", Value: "z"}}}}, {}}},
	} {
		assert.Equal(t, fmt.Sprint(plain(a)), a.String())
	}
}
