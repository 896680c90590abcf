package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// play is a market in which everybody keeps to the rules, and a second account
// of what is owed to whom that shares no code with the engine's.
type play struct {
	*world
	rand    *rand.Rand
	n       int
	people  []person
	sales   map[string][]string         // by claim: the numbers under which parts of it were bought
	owed    map[string]map[string]int64 // by claim and account: principal
	paid    map[string]int64            // by claim
	margins map[string]int64            // given back, by bid and account
	done    map[string]int              // what happened, by name
}

const borrowers = 2

func newPlay(t testing.TB, seed uint64) *play {
	p := &play{
		world: newWorld(t), rand: rand.New(rand.NewPCG(seed, 31)), sales: make(map[string][]string),
		owed: make(map[string]map[string]int64), paid: make(map[string]int64), margins: make(map[string]int64), done: make(map[string]int),
	}
	for i := range 8 {
		who := person{[]string{"张三", "李四", "王五", "赵六"}[i%4], fmt.Sprintf("1101011990010100%02d", i+1),
			fmt.Sprintf("1380000000%d", i), fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("402100000000%04d", i+1)}
		p.ok(p.submit("CreateNewIpsAcct", opening(fmt.Sprint("A", i), who)), "MG00000F")
		p.people = append(p.people, who)
		p.deposit(who.account, 1_000_00)
		if i >= borrowers {
			p.deposit(who.account, 100_000_00)
		}
	}
	return p
}

func (p *play) number(prefix string) string { p.n++; return fmt.Sprint(prefix, p.n) }

// upTo is an amount from 1 fen; round ones are as likely as odd ones.
func (p *play) upTo(most int64) int64 {
	n := 1 + p.rand.Int64N(most)
	if n > 100 && p.rand.IntN(2) == 0 {
		n -= n % 100
	}
	return n
}

func (p *play) chance(n int) bool { return p.rand.IntN(n) == 0 }

func (p *play) available(account string) int64 { return p.balance(account).Available }

func (p *play) who(account string) person {
	for _, one := range p.people {
		if one.account == account {
			return one
		}
	}
	require.Fail(p.t, "no such person", account)
	return person{}
}

// anybody is somebody who is none of those.
func (p *play) anybody(but ...string) person {
	for {
		one := p.people[p.rand.IntN(len(p.people))]
		ok := true
		for _, account := range but {
			ok = ok && one.account != account
		}
		if ok {
			return one
		}
	}
}

// numbers are those under which a claim is known; any of them will do.
func (p *play) anyNumber(claim string) string {
	list := append([]string{claim}, p.sales[claim]...)
	return list[p.rand.IntN(len(list))]
}

// pay counts a payment as principal until none is owed, in the second account.
func (p *play) pay(claim, account string, amount int64) {
	p.paid[claim] += amount
	p.owed[claim][account] = max(0, p.owed[claim][account]-amount)
}

func (p *play) live(status ...string) []engine.BidInfo {
	var list []engine.BidInfo
	for _, b := range p.world.bids("") {
		for _, s := range status {
			if b.Status == s {
				list = append(list, b)
			}
		}
	}
	p.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// held are the holdings of released claims of a bid.
type held struct {
	claim string
	engine.HoldingInfo
	repaid bool // the claim as a whole
}

func (p *play) held(b engine.BidInfo) []held {
	var list []held
	for _, c := range b.Claims {
		var open int64
		for _, h := range c.Holdings {
			open += h.Outstanding
		}
		for _, h := range c.Holdings {
			if h.Face > 0 {
				list = append(list, held{c.Order, h, open == 0})
			}
		}
	}
	p.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// step does one thing that is allowed, if there is one of the kind.
func (p *play) step() {
	kinds := []struct {
		name string
		act  func() bool
	}{
		{"bid", p.raiseBid}, {"invest", p.invest}, {"invest", p.invest}, {"invest", p.invest}, {"guarantee", p.guarantee},
		{"release", p.release}, {"release", p.release}, {"sell", p.sell}, {"sell", p.sell}, {"sell", p.sell},
		{"carry", p.carry}, {"carry", p.carry}, {"repay", p.repay}, {"repay", p.repay}, {"compensate", p.compensate},
		{"reimburse", p.reimburse}, {"profit", p.profit}, {"unfreeze", p.unfreeze}, {"end", p.end}, {"time", p.time},
	}
	k := kinds[p.rand.IntN(len(kinds))]
	if k.act() {
		p.done[k.name]++
	}
}

func (p *play) bidding(no string, borrower person, amount, margin, fee int64) engine.Message {
	return with(bidding(no, no, yuan(amount), yuan(margin)), "pRegDate", p.at.Add(8*time.Hour).Format("20060102"), "pLendFee", yuan(fee),
		"pIdentNo", borrower.ident, "pRealName", borrower.name, "pIpsAcctNo", borrower.account)
}

func (p *play) raiseBid() bool {
	borrower := p.people[p.rand.IntN(borrowers)]
	margin := int64(0)
	if have := p.available(borrower.account); have > 0 && p.chance(2) {
		margin = p.upTo(min(have, 50_00))
	}
	p.notice(p.ok(p.submit("registerSubject", p.bidding(p.number("B"), borrower, p.upTo(2_000_00), margin, p.upTo(20_00))), "MG02500F"), "MG02501F")
	return true
}

func (p *play) invest() bool {
	for _, b := range p.live("2", "3") {
		who := p.anybody(b.Borrower)
		if room := min(b.Amount-b.Raised, p.available(who.account)-5_00); room > 0 {
			fee := p.rand.Int64N(5_00)
			p.ok(p.submit("registerCreditor", investing(p.number("C"), b.No, who, yuan(p.upTo(room)), yuan(fee))), "MG00000F")
			return true
		}
	}
	return false
}

func (p *play) guarantee() bool {
	for _, b := range p.live("2", "3") {
		but := []string{b.Borrower}
		for _, g := range b.Guarantors {
			but = append(but, g.Account)
		}
		if len(but) > 3 {
			continue
		}
		who := p.anybody(but...)
		margin := p.rand.Int64N(min(100_00, p.available(who.account)) + 1)
		p.ok(p.submit("registerGuarantor", guaranteeing(p.number("G"), b.No, who, yuan(p.upTo(b.Amount)), yuan(margin), yuan(p.upTo(20_00)))), "MG00000F")
		return true
	}
	return false
}

// spoil adds a row that must fail to some of the batches.
func (p *play) spoil(list []engine.Message, row engine.Message) ([]engine.Message, int) {
	if !p.chance(4) {
		return list, -1
	}
	at := p.rand.IntN(len(list) + 1)
	return append(append(append([]engine.Message(nil), list[:at]...), row), list[at:]...), at
}

// batch wants every row to be done but the spoilt one.
func (p *play) batch(out engine.Outcome, spoilt int) {
	final := p.notice(p.ok(out, "MG00008F"), "MG00000F").Answer
	for i, row := range rowsOf(final) {
		want := "Y"
		if i == spoilt {
			want = "N"
		}
		require.Equal(p.t, want, row.Get("pStatus"), "row %d: %s", i, row.Get("pMessage"))
	}
}

func (p *play) release() bool {
	for _, b := range p.live("2", "3") {
		var list []engine.Message
		var released []engine.ClaimInfo
		fees := b.Fee - b.FeeTaken
		for _, c := range b.Claims {
			if c.Status != "0" || p.chance(3) {
				continue
			}
			fee := p.rand.Int64N(min(fees, c.Amount) + 1)
			fees -= fee
			list = append(list, transferRow(c.Order, yuan(c.Amount), c.Investor, yuan(p.rand.Int64N(c.Fee+1)), b.Borrower, yuan(fee)))
			released = append(released, c)
		}
		if len(list) == 0 {
			continue
		}
		first := released[0]
		list, spoilt := p.spoil(list, transferRow(first.Order, yuan(first.Amount+1), first.Investor, "0.00", b.Borrower, "0.00"))
		mode := fmt.Sprint(1 + p.rand.IntN(2))
		p.batch(p.submit("Transfer", with(transferring(p.number("T"), b.No, "1", list...), "pTransferMode", mode)), spoilt)
		for _, c := range released {
			p.owed[c.Order] = map[string]int64{c.Investor: c.Amount}
		}
		return true
	}
	return false
}

func (p *play) sell() bool {
	for _, b := range p.live("3") {
		for _, h := range p.held(b) {
			free := h.Face - h.OnSale
			if h.repaid || free == 0 {
				continue
			}
			face, kind := p.upTo(free), "2"
			if p.chance(3) {
				face, kind = free, "1"
			}
			to := p.anybody(b.Borrower, h.Holder)
			price := max(face*(70+p.rand.Int64N(60))/100, (face*70+99)/100)
			if p.available(to.account) < price+2_00 || price < 1_00 {
				continue
			}
			sale := selling(p.number("D"), b.No, p.anyNumber(h.claim), p.who(h.Holder), to, yuan(face), yuan(price), kind)
			p.ok(p.submit("registerCretansfer", sale), "MG00000F")
			return true
		}
	}
	return false
}

func (p *play) carry() bool {
	for _, b := range p.live("3") {
		for _, d := range b.Transfers {
			if d.Status != "0" || p.chance(3) {
				continue
			}
			no := p.number("T")
			out := p.submit("Transfer", transferring(no, b.No, "4", transferRow(d.Order, yuan(d.Price), d.To,
				yuan(p.rand.Int64N(2_01)), d.From, yuan(p.rand.Int64N(1_01)))))
			p.ok(out, "MG00000F")
			moved := min(p.owed[d.Claim][d.From], d.Face)
			p.owed[d.Claim][d.From] -= moved
			p.owed[d.Claim][d.To] += moved
			p.sales[d.Claim] = append(p.sales[d.Claim], no, d.Order)
			return true
		}
	}
	return false
}

func (p *play) repay() bool {
	for _, b := range p.live("3") {
		var list []engine.Message
		var sum, fees int64
		have := p.available(b.Borrower)
		for _, h := range p.held(b) {
			if have < 10 || len(list) > 4 {
				break
			}
			amount := p.upTo(min(have-1, 200_00))
			if h.Outstanding > 0 && h.Outstanding < have && p.chance(2) {
				amount = h.Outstanding
			}
			inFee, outFee := p.rand.Int64N(min(amount, 1_00)), p.rand.Int64N(min(2, have-amount+1))
			have -= amount + outFee
			sum += amount
			fees += outFee
			list = append(list, repayRow(p.anyNumber(h.claim), h.Holder, yuan(amount), yuan(inFee), yuan(outFee)))
			p.pay(h.claim, h.Holder, amount)
		}
		if len(list) == 0 {
			continue
		}
		spoilt := -1
		if have > 0 {
			row := repayRow("none", p.people[borrowers].account, "0.01", "0.00", "0.00")
			if list, spoilt = p.spoil(list, row); spoilt >= 0 {
				sum++
			}
		}
		p.batch(p.submit("RepaymentNewTrade", with(repaying(p.number("P"), b.No, yuan(sum), yuan(fees), list...), "pOutAcctNo", b.Borrower)), spoilt)
		return true
	}
	return false
}

func (p *play) compensate() bool {
	for _, b := range p.live("3") {
		for _, g := range b.Guarantors {
			left := min(g.Promised-g.Compensated, p.available(g.Account)/2)
			var list []engine.Message
			for _, h := range p.held(b) {
				if left <= 0 || len(list) > 2 {
					break
				}
				amount := p.upTo(min(left, 300_00))
				left -= amount
				list = append(list, transferRow(p.anyNumber(h.claim), yuan(amount), g.Account, yuan(p.rand.Int64N(min(amount, 1_00)+1)),
					h.Holder, yuan(p.rand.Int64N(min(amount, 1_00)))))
				p.pay(h.claim, h.Holder, amount)
			}
			if len(list) == 0 {
				continue
			}
			list, spoilt := p.spoil(list, transferRow("none", "0.01", g.Account, "0.00", p.people[borrowers].account, "0.00"))
			p.batch(p.submit("Transfer", transferring(p.number("K"), b.No, "2", list...)), spoilt)
			return true
		}
	}
	return false
}

// compensations are the orders that paid in a borrower's place.
func (p *play) reimburse() bool {
	orders, _ := p.e.NewestOrders(engine.OrderFilter{Op: "Transfer", State: "done", Text: "K"}, engine.Page{Limit: 1000})
	for _, o := range orders {
		var sum int64
		var guarantor string
		for _, row := range rowsOf(o.Final) {
			if guarantor = row.Get("pFIpsAcctNo"); row.Get("pStatus") == "Y" {
				sum += fen(p.t, row.Get("pTrdAmt"))
			}
		}
		b := p.bid(o.Final.Body.Get("pBidNo"))
		left := min(sum-p.margins[o.Order], p.available(b.Borrower)/2)
		if left <= 0 {
			continue
		}
		amount := p.upTo(left)
		p.ok(p.submit("Transfer", transferring(p.number("T"), b.No, "3", transferRow(o.Order, yuan(amount), b.Borrower, "0.00", guarantor, "0.00"))), "MG00000F")
		p.margins[o.Order] += amount
		return true
	}
	return false
}

func (p *play) profit() bool {
	for _, b := range p.live("3", "10") {
		for _, g := range b.Guarantors {
			if left := min(g.Profit-g.ProfitPaid, p.available(b.Borrower)); left > 0 && b.Released > 0 {
				p.ok(p.submit("Transfer", transferring(p.number("T"), b.No, "5",
					transferRow(g.Order, yuan(p.upTo(left)), b.Borrower, "0.00", g.Account, "0.00"))), "MG00000F")
				return true
			}
		}
	}
	return false
}

func (p *play) unfreeze() bool {
	for _, b := range p.live("2", "3") {
		if b.MarginFrozen > 0 && p.chance(2) {
			p.ok(p.submit("GuaranteeUnfreeze", unfreezing(p.number("U"), b.No, "1", p.who(b.Borrower), yuan(p.upTo(b.MarginFrozen)))), "MG00000F")
			return true
		}
		for _, g := range b.Guarantors {
			if g.MarginFrozen > 0 {
				p.ok(p.submit("GuaranteeUnfreeze", unfreezing(p.number("U"), b.No, "2", p.who(g.Account), yuan(p.upTo(g.MarginFrozen)))), "MG00000F")
				return true
			}
		}
	}
	return false
}

// end ends a bid on which nothing is owed, and sees that no other can be ended.
func (p *play) end() bool {
	for _, b := range p.live("2", "3") {
		if !p.chance(4) {
			continue
		}
		var owed int64
		for _, c := range b.Claims {
			for _, n := range p.owed[c.Order] {
				owed += n
			}
		}
		p.endBid(b, owed)
		return owed == 0
	}
	return false
}

func (p *play) endBid(b engine.BidInfo, owed int64) {
	out := p.submit("registerSubject", with(p.bidding(b.Order, p.who(b.Borrower), b.Amount, b.Margin, b.Fee), "pBidNo", b.No, "pOperationType", "2"))
	if owed > 0 {
		p.ok(out, "MG02055F")
		return
	}
	p.notice(p.ok(out, "MG02503F"), "MG02505F")
}

func (p *play) time() bool {
	p.pass(time.Duration(p.rand.IntN(72)) * time.Hour)
	return true
}

func fen(t testing.TB, s string) int64 {
	n, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return int64(n*100 + 0.5)
}

// finish pays all that is owed, to the fen, and ends every bid.
func (p *play) finish() {
	for _, who := range p.people[:borrowers] {
		p.deposit(who.account, 100_000_000_00)
	}
	for _, b := range p.live("2", "3") {
		var list []engine.Message
		var sum int64
		for claim, holders := range p.owedOn(b) {
			for account, owed := range holders {
				if owed > 0 {
					sum += owed
					list = append(list, repayRow(p.anyNumber(claim), account, yuan(owed), "0.00", "0.00"))
					p.pay(claim, account, owed)
				}
			}
		}
		if len(list) > 0 {
			p.batch(p.submit("RepaymentNewTrade", with(repaying(p.number("P"), b.No, yuan(sum), "0.00", list...), "pOutAcctNo", b.Borrower)), -1)
		}
		p.endBid(b, 0)
	}
}

func (p *play) owedOn(b engine.BidInfo) map[string]map[string]int64 {
	list := make(map[string]map[string]int64)
	for _, c := range b.Claims {
		list[c.Order] = p.owed[c.Order]
	}
	return list
}

// check compares the engine with the second account.
func (p *play) check() {
	for _, b := range p.live("2", "3", "10") {
		for _, c := range b.Claims {
			var received int64
			for _, h := range c.Holdings {
				received += h.Received
				require.Equal(p.t, p.owed[c.Order][h.Holder], h.Outstanding, "%s of %s", c.Order, h.Holder)
			}
			require.Equal(p.t, p.paid[c.Order], received, c.Order)
		}
	}
}

// TestMoneyAlwaysHasAWayOut plays by the rules at random. At the end borrowers
// have all the money they need: everything that is owed can be paid, to the fen
// and under any number of the claim, every bid can be ended, and nothing stays
// frozen. 200 seeds; IPS_SANDBOX_SEEDS asks for more.
func TestMoneyAlwaysHasAWayOut(t *testing.T) {
	t.Parallel()
	seeds, steps := 200, 150
	if n, err := strconv.Atoi(os.Getenv("IPS_SANDBOX_SEEDS")); err == nil {
		seeds = n
	}
	done := make(map[string]int)
	for seed := range uint64(seeds) {
		p := newPlay(t, seed)
		for range steps {
			p.step()
		}
		p.check()
		p.finish()
		p.check()
		for _, b := range p.live("2", "3", "10") {
			require.Equal(t, "10", b.Status, "seed %d", seed)
			for _, c := range b.Claims {
				for _, h := range c.Holdings {
					require.Zero(t, h.Outstanding, "seed %d: %s", seed, c.Order)
				}
				if len(c.Holdings) > 0 {
					require.GreaterOrEqual(t, p.paid[c.Order], c.Amount, "seed %d: %s", seed, c.Order)
				}
			}
		}
		totals := p.e.Totals()
		require.Zero(t, totals.Users.Frozen+totals.Merchants.Frozen+totals.Users.Unsettled, "seed %d", seed)
		if seed%10 == 0 {
			assertReplays(t, p.world)
		}
		for name, n := range p.done {
			done[name] += n
		}
	}
	for _, name := range []string{"bid", "invest", "guarantee", "release", "sell", "carry", "repay", "compensate", "reimburse", "profit", "unfreeze", "end", "time"} {
		require.NotZero(t, done[name], "%s never happened: %v", name, done)
	}
	t.Logf("%d seeds: %v", seeds, done)
}
