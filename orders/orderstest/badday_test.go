package orderstest

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// mode is what IPS does and what the merchant has switched on.
type mode struct {
	name                         string
	first, noQuery, lies, repeat bool
}

var modes = []mode{
	{name: "query, refused repetitions"},
	{name: "query, first results", first: true},
	{name: "no query", noQuery: true},
	{name: "lying query", lies: true},
	{name: "repeat, refused repetitions", repeat: true, noQuery: true},
	{name: "repeat, first results", repeat: true, first: true},
}

// TestBadDay plays orders of all operations against the sandbox in its chaos:
// messages, answers and notices are lost, doubled, late and forged, rows fail,
// users leave, effects fail and programs are killed between any two steps. The
// orders of a seed are shared by the modes.
//
// A week later every order is settled, closed by rule or before a person; nothing
// was sent twice; and wherever the merchant's books are not those of IPS, a person
// knows, or no notice came of an order that was closed because a trade query has
// lied, or whose page somebody carried to IPS after its end. When the notices come after
// all, a person knows everywhere; and when the people have decided by what IPS has
// done, the books are the same to the fen.
func TestBadDay(t *testing.T) {
	many, seeds := 360, []uint64{7, 77, 777}
	if testing.Short() {
		many, seeds = 180, []uint64{7}
	}
	if n, err := strconv.Atoi(os.Getenv("IPS_BADDAY")); err == nil {
		many = n // orders of each seed
	}
	for _, mode := range modes {
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", mode.name, seed), func(t *testing.T) {
				t.Parallel() // much of it is waiting
				each(t, func(t *testing.T, s *shop) {
					m := newMarket(s, mode, seed)
					m.day(many / len(modes))
					m.week()
					m.judge()
				})
			})
		}
	}
}

// day plays until there are so many orders.
func (m *market) day(many int) {
	m.server.Chaos(m.seed, 0.03)
	keeper := m.start() // somebody always answers
	defer keeper.stop()
	for {
		m.mu.Lock()
		n := m.recorded
		m.mu.Unlock()
		if n >= many {
			return
		}
		var programs sync.WaitGroup
		for range 3 {
			programs.Go(func() {
				p := m.start()
				defer func() { p.stop() }()
				for range 12 {
					if !p.act(p.want) || !p.act(func() { _ = p.book.Do(bg()) }) {
						m.mu.Lock()
						m.kills++
						m.mu.Unlock()
						p.stop()
						p = m.start()
					}
				}
			})
		}
		programs.Wait()
		if keeper.dead.Load() {
			keeper.stop()
			keeper = m.start()
			m.kills++
		}
		m.pass(time.Duration(1+m.pick(40)) * time.Minute)
	}
}

// week lets ten days pass. In the first of them users come back to pages that they
// have seen and to those that they have not.
func (m *market) week() {
	for n := range 20 {
		m.pass(12 * time.Hour)
		p := m.start()
		alive := p.act(func() { _ = p.book.Do(bg()) })
		if n < 6 && alive {
			open, err := m.book.OpenOrders(bg(), orders.Order{}, 100_000)
			require.NoError(m.t, err)
			for _, o := range open {
				if info, _ := o.Operation.Info(); info.Transport == ips.Redirect && m.chance(20) && alive {
					alive = p.act(func() { p.show(o, 1) })
				}
			}
		}
		for range len(m.tabs) / 8 {
			i := m.pick(len(m.tabs))
			m.carry(m.tabs[i])
			m.tabs = slices.Delete(m.tabs, i, i+1)
		}
		if p.stop(); !alive {
			m.kills++
		}
	}
	m.calm.Store(true)
	m.server.WaitIdle()
	// What the killed programs have left lying.
	p := m.start()
	defer p.stop()
	for range 3 {
		m.pass(24 * time.Hour)
		require.NoError(m.t, p.book.Do(bg()))
	}
	m.server.WaitIdle()
}

// verdictOf is what IPS has told of an order in the end: done with an answer, or
// not done.
func (m *market) verdictOf(o orders.Order) (answer ips.Response) {
	for _, a := range m.told[toldKey(o.Operation, o.OrderNo)] {
		if a.Base().Outcome == ips.Success {
			answer = a
		}
	}
	return answer
}

// truly is what an order has moved in the books of IPS.
func (m *market) truly(o orders.Order) map[string]ips.Amount {
	sums := make(map[string]ips.Amount)
	if answer := m.verdictOf(o); answer != nil {
		moves, _ := m.moves(o.Request, answer)
		for _, e := range moves {
			sums[e.account] += e.fen
		}
	}
	return nonzero(sums)
}

func nonzero(sums map[string]ips.Amount) map[string]ips.Amount {
	maps.DeleteFunc(sums, func(_ string, fen ips.Amount) bool { return fen == 0 })
	return sums
}

// matterOf are the open matters by their orders.
func (m *market) matterOf() map[string][]orders.Matter {
	by := make(map[string][]orders.Matter)
	for _, one := range m.matters() {
		assert.NotEmpty(m.t, one.Chinese)
		by[one.Order.Key] = append(by[one.Order.Key], one)
	}
	return by
}

// judge holds the merchant's books against those of IPS.
func (m *market) judge() {
	t := m.t
	all, handed := m.orders()
	byOrder, runs, _ := m.entries()
	before := m.matterOf()
	lost := m.gone(all) // by a standby that was behind; else none
	told := slices.Concat(all, lost)

	// What IPS knows, told to nobody but the test.
	m.deaf.Store(true)
	m.server.Calm()
	m.server.WaitIdle()
	m.tellAll(told)
	m.deaf.Store(false)
	expect, missing := maps.Clone(m.begin), make(map[string]ips.Amount)
	for _, o := range lost {
		for account, fen := range m.truly(o) {
			expect[account] += fen
			missing[account] += fen
		}
	}
	states := make(map[string]int)
	differ, byLie, byPage := 0, 0, 0
	numbers := make(map[string]int)
	for _, o := range told {
		numbers[toldKey(o.Operation, o.OrderNo)]++
	}
	done := make(map[ips.Operation]int)
	for _, o := range all {
		states[string(o.State)]++
		for account, fen := range m.truly(o) {
			expect[account] += fen
		}
		info, _ := o.Operation.Info()
		form := info.Transport == ips.Redirect
		switch {
		case o.State.Ended(), len(before[o.Key]) > 0:
		case form && o.State == orders.StateRecorded && handed[o.Key] == 0:
		default:
			t.Errorf("%s is %s, and nobody is told\n\t%s", o.Key, o.State, m.story(o, handed[o.Key]))
		}
		if want := b2i(o.State == orders.StateDone); runs[o.Key] != want {
			t.Errorf("%s is %s, and its effect ran %d times", o.Key, o.State, runs[o.Key])
		}
		if o.State == orders.StateDone && m.verdictOf(o) == nil {
			t.Errorf("%s is done, and not at IPS", o.Key)
		}
		if n := m.sent[info.Endpoint+"/"+o.OrderNo]; !form && !m.mode.repeat && n > numbers[toldKey(o.Operation, o.OrderNo)] {
			t.Errorf("%s was sent %d times", o.Key, n)
		}
		if o.State == orders.StateDone {
			done[o.Operation]++
		}
		if theirs := m.truly(o); !maps.Equal(nonzero(maps.Clone(byOrder[o.Key])), theirs) {
			differ++
			switch {
			case len(before[o.Key]) > 0:
			case o.State.Ended() && m.carried[o.OrderNo].After(o.Ended):
				byPage++
			case o.State == orders.StateClosed && m.mode.lies:
				byLie++
			default:
				t.Errorf("%s is %s: our books have %v, theirs %v, and nobody is told\n\t%s", o.Key, o.State, byOrder[o.Key], theirs, m.story(o, handed[o.Key]))
			}
		}
	}
	for key, answers := range m.told {
		carried := make(map[string]bool) // the numbers that IPS gave what it has done
		for _, a := range answers {
			if no := reflect.Indirect(reflect.ValueOf(a)).FieldByName("IPSBillNo"); a.Base().Outcome == ips.Success && no.IsValid() && no.String() != "" {
				carried[no.String()] = true
			}
		}
		assert.LessOrEqual(t, len(carried), 1, "%s was carried out as %v", key, carried)
	}
	assert.Empty(t, m.twice, "under way twice at once")
	for _, account := range m.accounts() {
		assert.Equal(t, m.theirs(account), expect[account], "what IPS has told of %s is not what it has", account)
	}
	kinds := make(map[string]int)
	for _, list := range before {
		for _, one := range list {
			kinds[one.Kind]++
		}
	}
	if m.lossy {
		t.Logf("%d orders that IPS has heard of were lost with the database, %d of them done", len(lost), len(slices.DeleteFunc(slices.Clone(lost), func(o orders.Order) bool { return m.verdictOf(o) == nil })))
	}
	t.Logf("%d orders, %d kills, %d notices lost: %v, %d before a person %v; books differ for %d, of those closed by a lie %d, before its page was carried %d; done %v",
		len(all), m.kills, m.lost, states, len(before), kinds, differ, byLie, byPage, done)
	if len(all) > 1000 {
		assert.Len(t, done, 17, "operations of which some were done")
	}

	// The notices come after all.
	p := m.start()
	defer p.stop()
	m.tellAll(told)
	strays := make(map[string]bool)
	known, err := m.book.Strays(bg(), 100_000)
	require.NoError(t, err)
	for _, one := range known {
		strays[one.Key] = true
	}
	for _, o := range lost {
		if begin := strings.TrimSuffix(o.Key, o.Key[len(o.Key)-2:]); m.verdictOf(o) != nil && !strays[begin] && o.Operation != ips.OpEndBid {
			t.Errorf("%s was lost and done by IPS, and is no stray", o.Key)
		}
	}
	if !m.lossy {
		assert.Empty(t, lost, "orders that IPS has heard of and the book has lost")
	}
	late := m.matterOf()
	for _, o := range all {
		now, err := m.book.Order(bg(), o.Key)
		require.NoError(t, err)
		if m.verdictOf(o) != nil && now.State != orders.StateDone && len(late[o.Key]) == 0 && o.Operation != ips.OpEndBid {
			t.Errorf("%s is %s after IPS has told of its success, and nobody is told", o.Key, now.State)
		}
	}
	// People decide, by what IPS has done.
	for range 20 {
		matters := m.matters()
		if len(matters) == 0 {
			break
		}
		for _, one := range matters {
			if _, err := m.book.Matter(bg(), one.Key); err == nil {
				require.NoError(t, p.book.Decide(bg(), one.Key, m.decide(one)), one.Key)
			}
		}
		m.pass(time.Hour)
		require.NoError(t, p.book.Do(bg()))
		m.server.WaitIdle()
	}
	_, _, sums := m.entries()
	for _, account := range m.accounts() {
		assert.Equal(t, m.theirs(account), m.begin[account]+sums[account]+missing[account], "in the end our books of %s are not theirs", account)
	}
	for _, one := range m.matters() {
		t.Errorf("%s: %s is open after all", one.Key, one.Kind)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// decide is what a person says who has seen the books of IPS.
func (m *market) decide(one orders.Matter) orders.Decision {
	d := orders.Decision{Verdict: orders.Seen, Who: "王五", Why: "环迅对账单"}
	o, err := m.book.Order(bg(), one.Order.Key)
	require.NoError(m.t, err)
	answer := m.verdictOf(o)
	switch {
	case answer != nil && o.State != orders.StateDone:
		d.Verdict = orders.IsDone
		d.Failed = failedNumbers(o.Request, answer)
		switch a := answer.(type) {
		case *ips.OpenAccountResponse:
			d.Number = a.Account
		case *ips.SignAutoBidResponse:
			d.Number = a.AuthNo
		case *ips.SignAutoRepayResponse:
			d.Number = a.AuthNo
		}
	case answer == nil && !o.State.Ended():
		d.Verdict = orders.IsRefused
	}
	return d
}

// failedNumbers are the rows of a batch that failed.
func failedNumbers(req ips.Request, answer ips.Response) []int {
	switch q := req.(type) {
	case ips.TransferRequest:
		return indexes(q.Rows, answer.(*ips.TransferResponse).Failed(q.Rows))
	case ips.RepayRequest:
		return indexes(q.Rows, answer.(*ips.RepayResponse).Failed(q.Rows))
	case ips.AutoRepayRequest:
		return indexes(q.Rows, answer.(*ips.RepayResponse).Failed(q.Rows))
	case ips.RepayOldBidRequest:
		return indexes(q.Rows, answer.(*ips.RepayOldBidResponse).Failed(q.Rows))
	}
	return nil
}

func indexes[R comparable](all, some []R) (at []int) {
	all = slices.Clone(all)
	var none R
	for _, r := range some {
		if i := slices.Index(all, r); i >= 0 {
			at = append(at, i)
			all[i] = none
		}
	}
	return at
}
