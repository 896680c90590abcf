package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
)

var kills = flag.Int("kills", 15, "how often TestKill kills the program; the long form is 200")

// beTheProgram in the environment makes the test binary the program itself.
const beTheProgram = "SANDBOX_TEST_BE_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(beTheProgram) != "" {
		deadlyDisk()
		main()
	}
	os.Exit(m.Run())
}

// TestKill kills the program at random moments while clients are at work, and
// starts it again on the same data folder. Whatever it had acknowledged must
// be there, whatever it had not must be there wholly or not at all, every
// notification must arrive, and the books must be right.
func TestKill(t *testing.T) {
	w := newKillWorld(t)
	w.start()
	w.settle()
	if testing.Short() {
		*kills = min(*kills, 5)
	}
	for n := range *kills {
		w.load(time.Duration(5+w.rand.IntN(250)) * time.Millisecond)
		if n%8 == 7 {
			w.start()
			w.kill(time.Duration(w.rand.IntN(30)) * time.Millisecond) // soon after or while it reads its folder
		}
		w.start()
		w.checkBalances("as found")
		if n%5 == 0 {
			w.awaitNotifications(w.fresh) // of the first answers: none was asked for again yet
		}
		w.resend(w.fresh)
		w.checkBalances("after asking again")
		if w.killed%25 == 0 {
			t.Logf("%d kills, %d orders", w.killed, len(w.orders))
		}
	}
	w.resend(w.orders)
	w.checkBalances("at the end")
	w.awaitNotifications(w.orders)
	w.stop()
	w.start()
	w.checkBalances("after an orderly stop")
	w.stop()
	t.Logf("%d kills, %d orders, %d of them unknown to their clients when the program died, %d notifications received",
		w.killed, len(w.orders), w.unknowns, w.receiver.posts.Load())
}

const killClients = 8

// killWorld is what clients know of the platform.
type killWorld struct {
	t        *testing.T
	rand     *rand.Rand
	dir      string
	env      []string // of the program
	keys     *envelope.Keys
	http     *http.Client
	receiver *receiver
	people   []*person // one for each client
	borrower *person

	cmd      *exec.Cmd
	base     string
	killed   int
	unknowns int

	mu     sync.Mutex
	orders []*killOrder
	fresh  []*killOrder // of the last load
}

type person struct {
	name, ident, mobile, email, account string

	serial int
	frozen []*killOrder // bids whose money is not released yet
}

// killOrder is an order and what became of it.
type killOrder struct {
	page, op, number string
	pairs            []string
	soap             bool
	effect           map[string]money // by account
	answer           string           // code and document; "" is unknown
	answers          int              // how often it came
}

// money is a change of an account, in fen.
type money struct{ available, frozen int64 }

func (m money) plus(n money) money { return money{m.available + n.available, m.frozen + n.frozen} }

func newKillWorld(t *testing.T) *killWorld {
	m := sandbox.TestMerchant()
	keys, err := envelope.NewKeys(m.Code, m.Cert, m.Key, m.IV)
	require.NoError(t, err)
	w := &killWorld{
		t: t, rand: rand.New(rand.NewPCG(1, 2)), dir: t.TempDir(), keys: keys, receiver: newReceiver(t, keys),
		http: &http.Client{
			Timeout:       30 * time.Second,
			Transport:     &http.Transport{MaxIdleConnsPerHost: killClients},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	t.Cleanup(func() {
		if w.cmd != nil && w.cmd.Process != nil {
			_ = w.cmd.Process.Kill()
			_ = w.cmd.Wait()
		}
		w.http.CloseIdleConnections()
	})
	return w
}

// receiver is the merchant's server. It refuses one notification in nine, and
// none twice, so that there is always something to be sent again.
type receiver struct {
	*httptest.Server
	posts   atomic.Int64
	mu      sync.Mutex
	refused map[string]bool // by signature
	got     map[string]int  // by operation and order: how many with the final result
}

func newReceiver(t *testing.T, keys *envelope.Keys) *receiver {
	r := &receiver{refused: make(map[string]bool), got: make(map[string]int)}
	number := regexp.MustCompile(`<pMerBillNo>([^<]*)</pMerBillNo>`)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.posts.Add(1)%9 == 0 && r.refuses(req.FormValue("pSign")) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		code, text, body, sign := req.FormValue("pErrCode"), req.FormValue("pErrMsg"), req.FormValue("p3DesXmlPara"), req.FormValue("pSign")
		if !assert.True(t, keys.VerifyAnswer(nil, code, text, body, sign)) {
			return
		}
		document, err := keys.Decrypt(body)
		assert.NoError(t, err)
		m := number.FindStringSubmatch(document)
		if !assert.NotNil(t, m) {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if assert.Contains(t, []string{"MG00000F", "MG02501F"}, code) {
			r.got[strings.TrimPrefix(req.URL.Path, "/")+" "+m[1]]++
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) refuses(sign string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.refused[sign]
	r.refused[sign] = true
	return first
}

// start starts the program on the folder and waits until it listens.
func (w *killWorld) start() {
	w.t.Helper()
	require.True(w.t, w.tryStart(), "the program does not start")
}

// kill ends the program as the loss of power would.
func (w *killWorld) kill(after time.Duration) {
	w.t.Helper()
	time.Sleep(after)
	require.NoError(w.t, w.cmd.Process.Kill())
	var ended *exec.ExitError
	require.ErrorAs(w.t, w.cmd.Wait(), &ended)
	require.Equal(w.t, syscall.SIGKILL, ended.Sys().(syscall.WaitStatus).Signal(), "it ended by itself")
	w.killed++
	w.http.CloseIdleConnections()
}

func (w *killWorld) stop() {
	w.t.Helper()
	require.NoError(w.t, w.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(w.t, w.cmd.Wait())
	w.cmd = nil
	w.http.CloseIdleConnections()
}

// settle opens the accounts and the bid that the clients use.
func (w *killWorld) settle() {
	w.t.Helper()
	names := []string{"张三", "李四", "王五", "赵六"}
	for i := range killClients + 1 {
		p := &person{
			name: names[i%len(names)], ident: fmt.Sprintf("11010119900101%04d", i+1),
			mobile: fmt.Sprintf("138%08d", i), email: fmt.Sprintf("person%d@example.com", i),
		}
		opening := w.order("CreateNewIpsAcct", fmt.Sprintf("A%d", i), []string{
			"pIdentType", "1", "pIdentNo", p.ident, "pRealName", p.name, "pMobileNo", p.mobile, "pEmail", p.email, "pSmDate", "20141124",
		})
		w.must(opening, "MG00000F")
		p.account = regexp.MustCompile(`<pIpsAcctNo>(\d+)<`).FindStringSubmatch(opening.answer)[1]
		w.people = append(w.people, p)
	}
	w.borrower, w.people = w.people[0], w.people[1:]
	w.must(w.order("registerSubject", "B1", []string{
		"pBidNo", "BID1", "pRegDate", time.Now().UTC().Add(8 * time.Hour).Format("20060102"), "pLendAmt", "100000000.00", "pGuaranteesAmt", "0.00",
		"pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12", "pLendPurpose", "买车", "pRepayMode", "1",
		"pOperationType", "1", "pLendFee", "0.00", "pAcctType", "1", "pIdentNo", w.borrower.ident, "pRealName", w.borrower.name,
		"pIpsAcctNo", w.borrower.account,
	}), "MG02500F")
}

func (w *killWorld) must(o *killOrder, code string) {
	w.t.Helper()
	answer, err := w.send(o)
	require.NoError(w.t, err)
	require.True(w.t, strings.HasPrefix(answer, code+" "), answer)
	o.answer, o.answers = answer, 1
	w.orders = append(w.orders, o)
}

// order makes an order; pairs are its elements behind pMerBillNo.
func (w *killWorld) order(op, number string, pairs []string) *killOrder {
	return &killOrder{
		page: "/CreditWeb/" + op + ".aspx", op: op, number: number,
		pairs: slices.Concat([]string{"pMerBillNo", number}, pairs, []string{
			"pWebUrl", "http://shop.example.com/back", "pS2SUrl", w.receiver.URL + "/" + op, "pMemo1", "", "pMemo2", "", "pMemo3", "",
		}),
	}
}

// next makes up an order of a client: money comes, goes, is bid, is released.
func (w *killWorld) next(p *person, r *rand.Rand) *killOrder {
	p.serial++
	number := fmt.Sprintf("%s%06d", p.account[10:], p.serial)
	who := []string{"pIdentNo", p.ident, "pRealName", p.name, "pIpsAcctNo", p.account}
	fen := int64(100 + r.IntN(900))
	yuan := fmt.Sprintf("%d.%02d", fen/100, fen%100)
	kind := r.IntN(10)
	if p.serial <= 3 || (kind == 9 && len(p.frozen) == 0) {
		kind = 0 // there must be something first
	}
	switch {
	case kind < 5:
		fen += 500_00 // enough for all the others
		o := w.order("doDpTrade", number, slices.Concat([]string{"pAcctType", "1"}, who, []string{
			"pTrdDate", "20141124", "pTrdAmt", fmt.Sprintf("%d.%02d", fen/100, fen%100), "pChannelType", "1", "pTrdBnkCode", "00004",
			"pMerFee", "0.00", "pIpsFeeType", "1",
		}))
		o.effect = map[string]money{p.account: {available: fen}}
		return o
	case kind < 7:
		o := w.order("doDwTrade", number, slices.Concat([]string{"pAcctType", "1", "pOutType", "1", "pBidNo", "", "pContractNo", "", "pDwTo", ""}, who, []string{
			"pDwDate", "20141124", "pTrdAmt", yuan, "pMerFee", "0.00", "pIpsFeeType", "1",
		}))
		o.effect = map[string]money{p.account: {available: -fen}}
		return o
	case kind < 9:
		o := w.order("registerCreditor", number, []string{
			"pMerDate", "20141124", "pBidNo", "BID1", "pContractNo", "CON" + number, "pRegType", "1", "pAuthNo", "",
			"pAuthAmt", yuan, "pTrdAmt", yuan, "pFee", "0.00", "pAcctType", "1", "pIdentNo", p.ident, "pRealName", p.name,
			"pAccount", p.account, "pUse", "买车",
		})
		o.effect = map[string]money{p.account: {available: -fen, frozen: fen}}
		return o
	}
	bid := p.frozen[0]
	p.frozen = p.frozen[1:]
	amount := bid.effect[p.account].frozen
	return &killOrder{
		page: "/CreditWS/Service.asmx", op: "Transfer", number: number, soap: true,
		pairs: []string{
			"pMerBillNo", number, "pBidNo", "BID1", "pDate", "20141124", "pTransferType", "1", "pTransferMode", "1",
			"pDetails", fmt.Sprintf("<pRow><pOriMerBillNo>%s</pOriMerBillNo><pTrdAmt>%d.%02d</pTrdAmt><pFAcctType>1</pFAcctType>"+
				"<pFIpsAcctNo>%s</pFIpsAcctNo><pFTrdFee>0.00</pFTrdFee><pTAcctType>1</pTAcctType><pTIpsAcctNo>%s</pTIpsAcctNo>"+
				"<pTTrdFee>0.00</pTTrdFee></pRow>", bid.number, amount/100, amount%100, p.account, w.borrower.account),
			"pS2SUrl", w.receiver.URL + "/Transfer", "pMemo1", "", "pMemo2", "", "pMemo3", "",
		},
		effect: map[string]money{p.account: {frozen: -amount}, w.borrower.account: {available: amount}},
	}
}

// load lets the clients work, and kills the program meanwhile.
func (w *killWorld) load(d time.Duration) {
	w.t.Helper()
	w.fresh = nil
	var wg sync.WaitGroup
	for i, p := range w.people {
		r := rand.New(rand.NewPCG(uint64(w.killed), uint64(i)))
		wg.Go(func() {
			for {
				o := w.next(p, r)
				answer, err := w.send(o)
				if o.answer = answer; answer != "" {
					o.answers = 1
				}
				w.mu.Lock()
				w.orders, w.fresh = append(w.orders, o), append(w.fresh, o)
				w.mu.Unlock()
				if err != nil {
					return // it is dead; what became of the order is not known
				}
				if !assert.True(w.t, o.succeeded(), "%s %s: %s", o.op, o.number, answer) {
					return
				}
				if o.op == "registerCreditor" {
					p.frozen = append(p.frozen, o)
				}
			}
		})
	}
	w.kill(d)
	wg.Wait()
	require.False(w.t, w.t.Failed())
}

func (o *killOrder) succeeded() bool {
	return strings.HasPrefix(o.answer, "MG00000F ") || o.op == "Transfer" && strings.HasPrefix(o.answer, "MG00008F ") || o.number == "B1"
}

// awaitNotifications waits until each order's notification has arrived as
// often as it was answered: the platform posts one for every time.
func (w *killWorld) awaitNotifications(orders []*killOrder) {
	w.t.Helper()
	missing := func() (list []string) {
		w.receiver.mu.Lock()
		defer w.receiver.mu.Unlock()
		for _, o := range orders {
			if got := w.receiver.got[o.op+" "+o.number]; got < o.answers {
				list = append(list, fmt.Sprintf("%s %s: %d of %d", o.op, o.number, got, o.answers))
			}
		}
		return list
	}
	assert.Eventually(w.t, func() bool { return len(missing()) == 0 }, 2*time.Minute, 10*time.Millisecond)
	require.Empty(w.t, missing(), "notifications that never came")
}

// resend sends orders once more. Those that were answered before must get the
// same answer, those that were not must get one now.
func (w *killWorld) resend(orders []*killOrder) {
	w.t.Helper()
	work := make(chan *killOrder)
	var wg sync.WaitGroup
	for range killClients {
		wg.Go(func() {
			for o := range work {
				answer, err := w.send(o)
				if !assert.NoError(w.t, err) {
					continue
				}
				o.answers++
				if o.answer == "" {
					o.answer = answer
					assert.True(w.t, o.succeeded(), "%s %s: %s", o.op, o.number, answer)
					continue
				}
				assert.Equal(w.t, o.answer, answer, "the first answer to %s %s", o.op, o.number)
			}
		})
	}
	for _, o := range orders {
		work <- o
	}
	close(work)
	wg.Wait()
	require.False(w.t, w.t.Failed())
	for _, o := range orders {
		if o.op == "registerCreditor" && slices.Contains(w.fresh, o) && !w.listed(o) {
			w.owner(o).frozen = append(w.owner(o).frozen, o)
		}
	}
}

func (w *killWorld) owner(o *killOrder) *person {
	i := slices.IndexFunc(w.people, func(p *person) bool { _, ok := o.effect[p.account]; return ok })
	return w.people[i]
}

// listed says whether a bid is known to its client: released, or waiting.
func (w *killWorld) listed(o *killOrder) bool {
	if slices.Contains(w.owner(o).frozen, o) {
		return true
	}
	return slices.ContainsFunc(w.fresh, func(other *killOrder) bool {
		return other.soap && strings.Contains(strings.Join(other.pairs, " "), "<pOriMerBillNo>"+o.number+"<")
	})
}

// checkBalances wants every account to be what the answered orders make it,
// give or take wholly each order without an answer, and the books to be right.
func (w *killWorld) checkBalances(when string) {
	w.t.Helper()
	var books struct{ OK bool }
	w.get("/admin/books", &books)
	require.True(w.t, books.OK, when)
	var list struct {
		Balances []struct {
			Account           string
			Available, Frozen int64
		}
	}
	w.get("/admin/balances?limit=1000", &list)
	found := make(map[string]money)
	for _, b := range list.Balances {
		found[b.Account] = money{b.Available, b.Frozen}
	}
	want := make(map[string]money)
	var unknown []*killOrder
	for _, o := range w.orders {
		if o.answer == "" {
			unknown = append(unknown, o)
			continue
		}
		for account, change := range o.effect {
			want[account] = want[account].plus(change)
		}
	}
	w.unknowns += len(unknown)
	// A client has at most one order without an answer, and its account says
	// what became of it.
	for _, o := range unknown {
		account := w.owner(o).account
		if found[account] == want[account].plus(o.effect[account]) {
			for account, change := range o.effect {
				want[account] = want[account].plus(change)
			}
		}
	}
	for _, p := range append(slices.Clone(w.people), w.borrower) {
		require.Equal(w.t, want[p.account], found[p.account], "account %s %s", p.account, when)
	}
}

func (w *killWorld) get(path string, into any) {
	w.t.Helper()
	resp, err := w.http.Get(w.base + path)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	require.Equal(w.t, http.StatusOK, resp.StatusCode, path)
	require.NoError(w.t, json.NewDecoder(resp.Body).Decode(into))
}

var (
	soapResult = regexp.MustCompile(`(?s)<TransferResult>(.*)</TransferResult>`)
	field      = regexp.MustCompile(`<(pErrCode|pErrMsg|p3DesXmlPara|pSign)>([^<]*)</`)
	input      = regexp.MustCompile(`<input type="hidden" name="(pErrCode|pErrMsg|p3DesXmlPara|pSign)" value="([^"]*)" />`)
)

// send sends an order and returns code and document of the answer.
func (w *killWorld) send(o *killOrder) (string, error) {
	var document strings.Builder
	document.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for i := 0; i < len(o.pairs); i += 2 {
		name, value := o.pairs[i], o.pairs[i+1]
		if name != "pDetails" {
			value = html.EscapeString(value)
		}
		document.WriteString("<" + name + ">" + value + "</" + name + ">")
	}
	document.WriteString("</pReq>")
	body := w.keys.Encrypt([]byte(document.String()))
	prefix := "p"
	if o.op == "CreateNewIpsAcct" {
		prefix = "arg"
	}
	fields := [][2]string{
		{prefix + "MerCode", w.keys.MerCode()}, {prefix + "3DesXmlPara", body}, {prefix + "Sign", w.keys.SignRequest(body)},
	}
	media, content := "application/x-www-form-urlencoded", ""
	if o.soap {
		media = "text/xml; charset=utf-8"
		for _, f := range fields {
			content += "<" + f[0] + ">" + f[1] + "</" + f[0] + ">"
		}
		content = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Transfer xmlns="http://tempuri.org/">` +
			content + `</Transfer></s:Body></s:Envelope>`
	} else {
		form := url.Values{}
		for _, f := range fields {
			form.Set(f[0], f[1])
		}
		content = form.Encode()
	}
	resp, err := w.http.Post(w.base+o.page, media, strings.NewReader(content))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return w.read(string(text))
}

// read finds the answer in a page or a result, and opens it.
func (w *killWorld) read(text string) (string, error) {
	pattern := input
	if m := soapResult.FindStringSubmatch(text); m != nil {
		pattern, text = field, html.UnescapeString(m[1])
	}
	fields := make(map[string]string)
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		fields[m[1]] = html.UnescapeString(m[2])
	}
	code, body := fields["pErrCode"], fields["p3DesXmlPara"]
	if !w.keys.VerifyAnswer(nil, code, fields["pErrMsg"], body, fields["pSign"]) {
		return "", errors.New("no answer that verifies")
	}
	if body == "" {
		return code + " " + fields["pErrMsg"], nil
	}
	document, err := w.keys.Decrypt(body)
	return code + " " + document, err
}
