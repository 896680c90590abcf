package sandbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// memory is a store that keeps what a disk would: JSON, in batches.
type memory struct {
	mu      sync.Mutex
	records [][]byte
	state   []byte
	covered int // records that the state covers
	batches int
	closed  bool
	broken  error         // if set, nothing is kept any more
	slow    chan struct{} // if set, each Append takes one first
}

func (m *memory) Load(state func(io.Reader, int64) error, each func(sandbox.Record) error) error {
	records := m.records
	if m.state != nil && state(bytes.NewReader(m.state), int64(len(m.state))) == nil {
		records = records[m.covered:]
	}
	for _, text := range records {
		var r sandbox.Record
		if err := json.Unmarshal(text, &r); err != nil {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Append(records ...sandbox.Record) error {
	if m.slow != nil {
		<-m.slow
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	for _, r := range records {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		m.records = append(m.records, text)
	}
	m.batches++
	return nil
}

func (m *memory) Save(state func(io.Writer) error) error {
	var b bytes.Buffer
	if err := state(&b); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.covered = b.Bytes(), len(m.records)
	return nil
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// copied is what a kill would leave behind.
func (m *memory) copied() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{records: append([][]byte(nil), m.records...), state: m.state, covered: m.covered}
}

func (m *memory) counts() (records, batches int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records), m.batches
}

const li = "110101199001010002"

// recharge brings money to an account, over the wire.
func (f *fixture) recharge(order, account, amount string) (code, text string) {
	f.t.Helper()
	return f.submitPage("doDpTrade.aspx", "p", "pMerBillNo", order, "pAcctType", "1", "pIdentNo", li, "pRealName", "李四",
		"pIpsAcctNo", account, "pTrdDate", "20141124", "pTrdAmt", amount, "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "0.00", "pIpsFeeType", "1")
}

// investor opens an account for 李四.
func (f *fixture) investor() string {
	f.t.Helper()
	return f.openAccount("A1", li, "李四", "13800000002", "lisi")
}

func TestStoreBringsEverythingBack(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept})
	account := f.investor()
	first, answer := f.recharge("R1", account, "10.00")
	require.Equal(t, "MG00000F", first)
	require.NoError(t, f.SetAuto("808801", "", false))
	require.NoError(t, f.Mandate("808801", account, false))
	require.NoError(t, f.Deposit("808801", "", 700))
	require.NoError(t, f.Advance(90*time.Minute))
	f.delivered()
	now := f.Now()

	// What a kill would leave behind at this moment is enough.
	g := start(t, sandbox.Config{Store: kept.copied()})
	b, ok := g.Balance("808801", account)
	require.True(t, ok)
	assert.Equal(t, engine.Balance{Available: 1000}, b)
	b, _ = g.Balance("808801", "808801")
	assert.Equal(t, engine.Balance{Available: 700}, b)
	assert.True(t, g.Now().Equal(now), "the clock goes on where it was: %s", g.Now())
	assert.Equal(t, 90*time.Minute, g.Offset())
	accounts := g.accounts("808801")
	require.Len(t, accounts, 1)
	assert.False(t, accounts[0].Mandate)
	assert.False(t, accounts[0].Auto, "a mode that was changed by hand stays")
	require.NoError(t, g.CheckBooks())

	g.shop = f.shop // the order is the same only with the same pS2SUrl
	code, again := g.recharge("R1", account, "10.00")
	assert.Equal(t, first, code)
	assert.Equal(t, answer, again)
	b, _ = g.Balance("808801", account)
	assert.Equal(t, engine.Balance{Available: 1000}, b, "nothing happened twice")
}

func TestStoreKeepsNotifications(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept, Backoff: []time.Duration{time.Hour}})
	account := f.investor()
	f.delivered()
	f.shop.answer(500)
	f.recharge("R1", account, "10.00")
	require.Eventually(t, func() bool {
		list := f.Notifications()
		return len(list) == 2 && len(list[1].Attempts) == 1
	}, 30*time.Second, time.Millisecond)
	require.NoError(t, f.Close())
	assert.True(t, kept.closed)

	g := start(t, sandbox.Config{Store: kept.copied()})
	g.delivered()
	list := g.Notifications()
	require.Len(t, list, 2)
	assert.Equal(t, notifier.Delivered, list[0].State)
	assert.Len(t, list[0].Attempts, 1, "what was delivered is not sent again")
	assert.Equal(t, "R1", list[1].Order)
	assert.Equal(t, notifier.Delivered, list[1].State)
	require.Len(t, list[1].Attempts, 2)
	assert.Equal(t, 500, list[1].Attempts[0].Status)
	forms := f.shop.received()
	require.Len(t, forms, 3)
	assert.Equal(t, forms[1], forms[2], "the same after the restart")
	require.NoError(t, g.Resend(list[0].Seq), "old ones can be sent again")
	g.delivered()
	assert.Len(t, f.shop.received(), 4)
}

// A notification tells of something, so it must not be faster than the store.
// What a fault dropped stays dropped.
func TestStoreKeepsDroppedNotifications(t *testing.T) {
	t.Parallel()
	store := &memory{}
	f := start(t, sandbox.Config{Store: store})
	require.NoError(t, f.Fault("808801", sandbox.Fault{Name: fault.NoticeDrop}))
	f.investor()
	require.NoError(t, f.Close())
	again := start(t, sandbox.Config{Store: store.copied()})
	again.delivered()
	require.Len(t, again.Notifications(), 1)
	assert.Equal(t, notifier.Dropped, again.Notifications()[0].State)
	assert.Empty(t, f.shop.received())
}

func TestNothingIsToldBeforeItIsKept(t *testing.T) {
	t.Parallel()
	kept := &memory{slow: make(chan struct{}, 100)}
	kept.slow <- struct{}{} // for the merchant
	f := start(t, sandbox.Config{Store: kept})
	answered := make(chan reply)
	go func() { answered <- f.post(page, seal(f.keys, "arg", f.opening("A1"))) }()
	require.Eventually(t, func() bool { return len(f.orders()) == 1 }, 30*time.Second, time.Millisecond,
		"the engine is not kept waiting")
	asked := make(chan reply)
	balance := []string{"argMerCode", "808801", "argIpsAccount", "808801", "argSign", f.keys.SignText("808801", "808801")}
	go func() { asked <- f.call11(trade, "QueryForAccBalance", balance...) }()
	select {
	case <-answered:
		t.Fatal("answered before it was kept")
	case <-asked:
		t.Fatal("a query was answered before what it saw was kept")
	case <-time.After(50 * time.Millisecond):
	}
	assert.Empty(t, f.shop.received())
	close(kept.slow)
	(<-answered).returned(t)
	assert.Equal(t, http.StatusOK, (<-asked).status)
	f.delivered()
	assert.Len(t, f.shop.received(), 1)
}

// Those who come while a batch is being written share the next one.
func TestManyShareABatch(t *testing.T) {
	t.Parallel()
	const clients = 32
	kept := &memory{slow: make(chan struct{}, 100)}
	kept.slow <- struct{}{}
	f := start(t, sandbox.Config{Store: kept})
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { assert.NoError(t, f.Deposit("808801", "", int64(i+1))) })
	}
	require.Eventually(t, func() bool {
		b, _ := f.Balance("808801", "808801")
		return b.Available == clients*(clients+1)/2
	}, 30*time.Second, time.Millisecond)
	close(kept.slow)
	wg.Wait()
	records, batches := kept.counts()
	assert.Equal(t, clients+1, records)
	assert.LessOrEqual(t, batches, 4, "one for the merchant, one that was under way, one for all the others, and one who came late")
}

// While the store fails nothing is told and nothing new is taken. When it is
// well again, so is the sandbox, and what was refused meanwhile is kept.
func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept})
	account := f.investor()
	kept.fail(errors.New("no space left on device"))
	err := f.Deposit("808801", "", 1)
	require.ErrorIs(t, err, sandbox.ErrStore)
	assert.ErrorContains(t, err, "no space left")
	require.ErrorIs(t, f.Deposit("808801", "", 20), sandbox.ErrStore)
	r := f.post(page, seal(f.keys, "arg", f.openingOf("A2", "wangwu")))
	assert.Equal(t, http.StatusServiceUnavailable, r.status)
	assert.NotContains(t, r.body, "pSign", "a signed answer would say that it failed, or that it did not")
	health := f.do(http.MethodGet, "/healthz", "", "")
	assert.Equal(t, http.StatusServiceUnavailable, health.status)
	assert.Contains(t, health.body, `"store": "the store failed"`)
	_, ok := f.Balance("808801", account)
	assert.True(t, ok)

	g := start(t, sandbox.Config{Store: kept.copied()})
	b, _ := g.Balance("808801", "808801")
	assert.Zero(t, b.Available, "what was never acknowledged is not there")

	kept.fail(nil)
	require.Eventually(t, func() bool { return f.Deposit("808801", "", 300) == nil }, 30*time.Second, 10*time.Millisecond)
	assert.Equal(t, http.StatusOK, f.do(http.MethodGet, "/healthz", "", "").status)
	b, _ = f.Balance("808801", "808801")
	assert.EqualValues(t, 301, b.Available, "what was refused is kept; what came meanwhile was not taken")
	_, code := f.recharge("R1", account, "10.00")
	assert.NotEmpty(t, code)
	g = start(t, sandbox.Config{Store: kept.copied()})
	b, _ = g.Balance("808801", "808801")
	assert.EqualValues(t, 301, b.Available)

	kept.fail(errors.New("no space left on device"))
	require.ErrorIs(t, f.Deposit("808801", "", 1), sandbox.ErrStore)
	assert.ErrorIs(t, f.Close(), sandbox.ErrStore)
	kept.fail(nil)
}

func TestStoreRefused(t *testing.T) {
	t.Parallel()
	at := noon.Format(time.RFC3339)
	written := func(code string) string {
		cmd := engine.Command{Kind: engine.KindMerchant, At: noon, Settings: &engine.Settings{Merchant: code, Name: "x", Auto: true}}
		out, err := engine.New().Apply(cmd)
		require.NoError(t, err)
		text, err := json.Marshal(sandbox.Record{Command: &cmd, Decision: out.Decision})
		require.NoError(t, err)
		return string(text)
	}
	merchant := written("808801")
	for name, c := range map[string]struct {
		records []string
		want    string
	}{
		"another merchant": {[]string{written("808899")},
			"merchant 808899: is in the store and not configured"},
		"a changed order": {[]string{merchant, `{"Command":{"Kind":"deposit","At":"` + at + `","Merchant":"808801","Amount":1},"Decision":"0"}`},
			"record 2: it is decided otherwise than it was"},
		"an empty record":     {[]string{merchant, `{}`}, "record 2: it says nothing that this version understands"},
		"an impossible order": {[]string{merchant, `{"Command":{"Kind":"deposit","At":"` + at + `","Merchant":"808801","Amount":-1}}`}, "record 2: engine: Amount"},
		"time goes back":      {[]string{merchant, `{"Command":{"Kind":"tick","At":"2014-01-01T00:00:00Z"}}`}, "record 2: engine: At: time goes backwards"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := &memory{}
			for _, text := range c.records {
				kept.records = append(kept.records, []byte(text))
			}
			_, err := sandbox.New(sandbox.Config{Store: kept})
			require.ErrorContains(t, err, c.want)
			assert.True(t, kept.closed, "whoever cannot use it gives it back")
		})
	}
}

func TestStoreIsGivenBackWhateverIsWrong(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sandbox.Config{
		"namespace": {Namespace: "x"},
		"merchant":  {Merchants: []sandbox.Merchant{{Code: "1"}}},
		"fee":       {IPSFee: 1 << 60},
	} {
		kept := &memory{}
		cfg.Store = kept
		_, err := sandbox.New(cfg)
		require.Error(t, err, name)
		assert.True(t, kept.closed, name)
	}
}

func TestSettingsThatChangedAreKept(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept})
	require.NoError(t, f.Close())
	before, _ := kept.counts()
	same := kept.copied()
	f = start(t, sandbox.Config{Store: same})
	require.NoError(t, f.Close())
	records, _ := same.counts()
	assert.Equal(t, before, records, "nothing new, nothing kept")

	f = start(t, sandbox.Config{Store: kept.copied(), IPSFee: 200})
	assert.EqualValues(t, 200, f.Engine().Merchants()[0].IPSFee)
}

// The machine's clock may be set back between two lives.
func TestTheClockNeverGoesBack(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept})
	require.NoError(t, f.Deposit("808801", "", 1))
	g := start(t, sandbox.Config{Store: kept.copied(), Now: func() time.Time { return noon.Add(-time.Hour) }})
	assert.True(t, g.Now().Equal(noon))
	require.NoError(t, g.Deposit("808801", "", 1))
}

func TestFaultsOfTheEngineAreReplayed(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept})
	account := f.investor()
	_, err := f.OrderFault(sandbox.Fault{Name: fault.StayPending, Op: "doDpTrade"})
	require.NoError(t, err)
	code, _ := f.recharge("R1", account, "10.00")
	require.Equal(t, "MG00008F", code)

	g := start(t, sandbox.Config{Store: kept.copied()})
	assert.Empty(t, g.Faults(), "faults end with their sandbox")
	b, _ := g.Balance("808801", account)
	assert.Equal(t, engine.Balance{Unsettled: 1000}, b, "what they did stays")
	require.NoError(t, g.Release("", ""))
	g.delivered()
	b, _ = g.Balance("808801", account)
	assert.Equal(t, engine.Balance{Available: 1000}, b)
	forms := f.shop.received()
	assert.Equal(t, "MG00000F", forms[len(forms)-1].Get("pErrCode"))
	require.NoError(t, g.CheckBooks())
}

func TestAdvanceIsBounded(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	year := 365 * 24 * time.Hour
	require.NoError(t, f.Advance(60*year))
	require.Error(t, f.Advance(60*year))
	require.NoError(t, f.Advance(40*year))
	require.Error(t, f.Advance(1))
	assert.Equal(t, 100*year, f.Offset(), fmt.Sprint(f.Now()))
}

func TestAdvanceIsBoundedForManyAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { _ = f.Advance(30 * 365 * 24 * time.Hour) })
	}
	all.Wait()
	assert.Equal(t, 90*365*24*time.Hour, f.Offset())
}

// A page that is closed gives its outcome however often it is looked at, and
// nothing happens that would be worth keeping.
func TestClosedPagesLeaveNoRecords(t *testing.T) {
	t.Parallel()
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept})
	f.investor()
	require.NoError(t, f.SetAuto("808801", "", false))
	r := f.post("doDpTrade.aspx", seal(f.keys, "p", document(append([]string{"pMerBillNo", "R1", "pAcctType", "1", "pIdentNo", li, "pRealName", "李四",
		"pIpsAcctNo", zhangSan, "pTrdDate", "20141124", "pTrdAmt", "10.00", "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "0.00", "pIpsFeeType", "1", "pWebUrl", "http://shop.example.com/back", "pS2SUrl", f.shop.URL + "/notify"},
		"pMemo1", "", "pMemo2", "", "pMemo3", "")...)))
	path := r.header.Get("Location")
	require.NotEmpty(t, path, r.body)
	f.do(http.MethodPost, path, formType, "do=cancel", "Sec-Fetch-Site", "same-origin")
	f.delivered()
	require.Eventually(t, func() bool { // what became of the notification comes lazily
		before, _ := kept.counts()
		time.Sleep(100 * time.Millisecond)
		after, _ := kept.counts()
		return before == after
	}, 30*time.Second, time.Millisecond)
	before, _ := kept.counts()
	first := f.do(http.MethodGet, path, "", "")
	_, want := first.returned(t)
	for range 3 {
		_, again := f.do(http.MethodGet, path, "", "").returned(t)
		assert.Equal(t, want, again)
		assert.Equal(t, http.StatusSeeOther, f.do(http.MethodPost, path, formType, "do=confirm", "Sec-Fetch-Site", "same-origin").status)
		assert.Equal(t, http.StatusSeeOther, f.do(http.MethodPost, path, formType, "do=cancel", "Sec-Fetch-Site", "same-origin").status)
	}
	after, _ := kept.counts()
	assert.Equal(t, before, after)
}
