package folder_test

import (
	"flag"
	"fmt"
	"html"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
)

var powerLosses = flag.Int("powerlosses", 30, "how many times TestPowerLoss lets the power fail; the long form is 300")

// taker is a merchant who takes every notification at once.
type taker struct{}

func (taker) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// client is a person who brings money and takes some away.
type client struct {
	account string
	n       int
	balance int64            // by what was answered
	answers map[string]order // by number
	unsure  *order           // the last one, if it was not answered
}

type order struct {
	op, number string
	fen        int64
	answer     string
}

// world is a platform on a disk, and what its clients know of it.
type world struct {
	t       *testing.T
	keys    *envelope.Keys
	disk    *simulated
	said    []string
	box     *sandbox.Sandbox
	clients []*client
}

// start starts a sandbox on the disk. It may fail for want of power only.
func (w *world) start() bool {
	w.t.Helper()
	w.said = nil
	f, err := folder.Open("/data/box", folder.Options{Disk: w.disk, Say: func(text string) { w.said = append(w.said, text) }})
	if err != nil {
		require.ErrorIs(w.t, err, errPower)
		return false
	}
	w.box, err = sandbox.New(sandbox.Config{Store: f, NotifyClient: &http.Client{Transport: taker{}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		require.True(w.t, w.disk.off, "%v", err)
		return false
	}
	return true
}

func (w *world) send(op, prefix string, pairs ...string) (answer string) {
	w.t.Helper()
	pairs = append(pairs, "pWebUrl", "http://shop.example.com/back", "pS2SUrl", "http://shop.example.com/notify", "pMemo1", "", "pMemo2", "", "pMemo3", "")
	var document strings.Builder
	document.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for i := 0; i < len(pairs); i += 2 {
		document.WriteString("<" + pairs[i] + ">" + html.EscapeString(pairs[i+1]) + "</" + pairs[i] + ">")
	}
	document.WriteString("</pReq>")
	body := w.keys.Encrypt([]byte(document.String()))
	form := url.Values{prefix + "MerCode": {w.keys.MerCode()}, prefix + "3DesXmlPara": {body}, prefix + "Sign": {w.keys.SignRequest(body)}}
	r := httptest.NewRequest(http.MethodPost, "/CreditWeb/"+op+".aspx", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.box.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		return ""
	}
	fields := make(map[string]string)
	for _, m := range input.FindAllStringSubmatch(rec.Body.String(), -1) {
		fields[m[1]] = html.UnescapeString(m[2])
	}
	if !assert.Regexp(w.t, "^MG00000F$", fields["pErrCode"], fields["pErrMsg"]) {
		return ""
	}
	answer, err := w.keys.Decrypt(fields["p3DesXmlPara"])
	assert.NoError(w.t, err)
	return answer
}

var (
	input  = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)" />`)
	number = regexp.MustCompile(`<pIpsAcctNo>(\d+)<`)
)

func (w *world) settle(clients int) bool {
	for i := range clients {
		answer := w.send("CreateNewIpsAcct", "arg", "pMerBillNo", fmt.Sprint("A", i), "pIdentType", "1", "pIdentNo", identNo(i), "pRealName", "张三",
			"pMobileNo", "13800000000", "pEmail", fmt.Sprintf("person%d@example.com", i), "pSmDate", "20141124")
		if answer == "" {
			return false
		}
		w.clients = append(w.clients, &client{account: number.FindStringSubmatch(answer)[1], answers: make(map[string]order)})
	}
	return true
}

func identNo(i int) string { return fmt.Sprintf("11010119900101%04d", i+1) }

// order sends a recharge, or a withdrawal of less than was brought.
func (w *world) order(i int, o order) string {
	person := []string{"pIdentNo", identNo(i), "pRealName", "张三", "pIpsAcctNo", w.clients[i].account}
	yuan := fmt.Sprintf("%d.%02d", max(o.fen, -o.fen)/100, max(o.fen, -o.fen)%100)
	if o.op == "doDwTrade" {
		return w.send(o.op, "p", append([]string{"pMerBillNo", o.number, "pAcctType", "1", "pOutType", "1", "pBidNo", "", "pContractNo", "",
			"pDwTo", "", "pDwDate", "20141124", "pTrdAmt", yuan, "pMerFee", "0.00", "pIpsFeeType", "1"}, person...)...)
	}
	return w.send(o.op, "p", append([]string{"pMerBillNo", o.number, "pAcctType", "1", "pTrdDate", "20141124", "pTrdAmt", yuan,
		"pChannelType", "1", "pTrdBnkCode", "00004", "pMerFee", "0.00", "pIpsFeeType", "1"}, person...)...)
}

// work lets the clients send orders until each has sent so many or has had no
// answer.
func (w *world) work(each int, seed uint64) {
	var all sync.WaitGroup
	for i, c := range w.clients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for range each {
				c.n++
				o := order{op: "doDpTrade", number: fmt.Sprintf("R%d%06d", i, c.n), fen: 100 + r.Int64N(900)}
				if c.balance > 1000 && r.IntN(3) == 0 {
					o.op, o.fen = "doDwTrade", -o.fen
				}
				if o.answer = w.order(i, o); o.answer == "" {
					c.unsure = &o
					return
				}
				c.balance += o.fen
				c.answers[o.number] = o
			}
		})
	}
	all.Wait()
}

// check wants everything that was answered to be there, and what was not
// wholly or not at all.
func (w *world) check() {
	w.t.Helper()
	require.NoError(w.t, w.box.CheckBooks())
	for i, c := range w.clients {
		b, ok := w.box.Balance(w.keys.MerCode(), c.account)
		require.True(w.t, ok, "account %s", c.account)
		if o := c.unsure; o != nil && b.Available != c.balance {
			require.Equal(w.t, c.balance+o.fen, b.Available, "account %s: an order half done", c.account)
		} else {
			require.Equal(w.t, c.balance, b.Available, "account %s", c.account)
		}
		if o := c.unsure; o != nil { // asked for again, it is done once
			if o.answer = w.order(i, *o); o.answer == "" {
				continue
			}
			c.balance += o.fen
			c.answers[o.number], c.unsure = *o, nil
			b, _ = w.box.Balance(w.keys.MerCode(), c.account)
			require.Equal(w.t, c.balance, b.Available, "account %s: an order done twice, or not", c.account)
		}
		for _, o := range c.answers {
			require.Equal(w.t, o.answer, w.order(i, o), "the first answer to %s", o.number)
		}
	}
}

// TestPowerLoss lets the power fail at a random call to the disk, be it at the
// first start, while clients are at work, at an orderly stop or at a start
// afterwards, and looks at what is left.
func TestPowerLoss(t *testing.T) {
	m := sandbox.TestMerchant()
	keys, err := envelope.NewKeys(m.Code, m.Cert, m.Key, m.IV)
	require.NoError(t, err)
	if testing.Short() {
		*powerLosses = min(*powerLosses, 10)
	}
	var tails, snapshots, lost, unsure, orders int
	for seed := range uint64(*powerLosses) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			w := &world{t: t, keys: keys, disk: newDisk(rand.New(rand.NewPCG(seed, 2)))}
			require.True(t, w.start())
			require.True(t, w.settle(4))
			for range 4 {
				w.disk.mu.Lock()
				w.disk.failAt = w.disk.calls + 1 + r.IntN(60)
				w.disk.mu.Unlock()
				w.work(r.IntN(12), seed)
				stopped := r.IntN(2) == 0
				if stopped {
					_ = w.box.Close() // an orderly stop, in which the power may fail
				}
				w.disk.mu.Lock()
				off := w.disk.off
				w.disk.mu.Unlock()
				w.disk = w.disk.restore() // it fails now at the latest
				if !stopped {
					_ = w.box.Close() // of a life that is over
				}
				if off {
					lost++
				}
				for _, c := range w.clients {
					if c.unsure != nil {
						unsure++
					}
				}
				if r.IntN(3) == 0 { // while it starts again
					w.disk.failAt = 1 + r.IntN(8)
					if w.start() {
						_ = w.box.Close()
					}
					w.disk = w.disk.restore()
				}
				if _, ok := w.disk.names["/data/box/snapshot"]; ok {
					snapshots++
				}
				require.True(t, w.start())
				for _, text := range w.said {
					require.Contains(t, text, "was not written to its end and was cut off")
					tails++
				}
				w.check()
			}
			for _, c := range w.clients {
				orders += len(c.answers)
			}
			require.NoError(t, w.box.Close())
			require.True(t, w.start())
			assert.Empty(t, w.said)
			w.check()
			require.NoError(t, w.box.Close())
		})
	}
	t.Logf("%d seeds: the power failed %d times amid a call, %d orders answered, %d not, %d torn ends cut off, %d starts with a snapshot",
		*powerLosses, lost, orders, unsure, tails, snapshots)
	if *powerLosses >= 30 { // of a few, none may have led there
		assert.NotZero(t, tails)
		assert.NotZero(t, snapshots)
		assert.NotZero(t, unsure)
	}
}

// On a disk that is full from the beginning there is an error that says so, and
// nothing is left that would be in the way of a later start.
func TestFirstStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	for room := range int64(400) {
		d := newDisk(rand.New(rand.NewPCG(1, 1)))
		d.room = room
		f, err := folder.Open("/data/box", folder.Options{Disk: d})
		if err == nil { // the folder, and nothing in it
			require.Greater(t, room, int64(50))
			require.NoError(t, f.Close())
			return
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Contains(t, err.Error(), "data folder /data/box: ")
		require.NotContains(t, err.Error(), "\n")
		require.Empty(t, d.names, "half a folder")
		d.room = -1
		f, err = folder.Open("/data/box", folder.Options{Disk: d})
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	t.Fatal("it never fits")
}

// A disk that fills up is said to be full, and nobody is told that something was
// kept. When there is room again the sandbox goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, room := range []int64{0, 100, 1000} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			t.Parallel()
			d := newDisk(rand.New(rand.NewPCG(1, 1)))
			open := func() *sandbox.Sandbox {
				f, err := folder.Open("/data/box", folder.Options{Disk: d})
				require.NoError(t, err)
				box, err := sandbox.New(sandbox.Config{Store: f})
				require.NoError(t, err)
				return box
			}
			box := open()
			require.NoError(t, box.Deposit("808801", "", 1))
			d.room = room
			kept := int64(1)
			var err error
			for err == nil && kept < 100_000 { // the journal has made room for itself, which is used up first
				if err = box.Deposit("808801", "", 1); err == nil {
					kept++
				}
			}
			require.ErrorIs(t, err, sandbox.ErrStore)
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.ErrorIs(t, box.Deposit("808801", "", 1000), syscall.ENOSPC, "nothing new is taken")
			d.room = -1
			require.Eventually(t, func() bool { return box.Deposit("808801", "", 1_000_000) == nil }, 30*time.Second, 10*time.Millisecond)
			kept += 1_000_000 + 1 // and the one that was refused, which was tried again
			d = d.restore()
			_ = box.Close()

			box = open()
			b, _ := box.Balance("808801", "808801")
			require.Equal(t, kept, b.Available)
			d.room = 10
			require.ErrorContains(t, box.Close(), "the state was not saved; nothing is lost")
			require.NotContains(t, d.names, "/data/box/snapshot")
			require.NotContains(t, d.names, "/data/box/snapshot.new")
			d.room = -1
			box = open()
			b, _ = box.Balance("808801", "808801")
			require.Equal(t, kept, b.Available)
			require.NoError(t, box.Close())
		})
	}
}
