package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

var orders = flag.Int("orders", 100_000, "how many orders the folder of BenchmarkStart holds")

// swallow is a merchant who takes every notification at once.
type swallow struct{}

func (swallow) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// BenchmarkRecharge sends recharges over HTTP and reads their answers, client
// and sandbox on the same machine: to a sandbox in memory and to one with a
// folder in turn, many at a time, so that both see the same machine. The ratio is
// the median of those of such pairs.
func BenchmarkRecharge(b *testing.B) {
	for _, connections := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			store, err := openFolder(b.TempDir(), io.Discard)
			require.NoError(b, err)
			inMemory, withFolder := newRecharger(b, nil, connections), newRecharger(b, store, connections)
			const round = 1000
			var memory, kept, ratios []float64
			b.ResetTimer()
			for left := b.N; left > 0; left -= round {
				n := min(left, round)
				memory = append(memory, inMemory.rate(b, n, connections))
				kept = append(kept, withFolder.rate(b, n, connections))
				ratios = append(ratios, kept[len(kept)-1]/memory[len(memory)-1])
			}
			b.StopTimer()
			b.ReportMetric(median(memory), "memory/s")
			b.ReportMetric(median(kept), "folder/s")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(float64(inMemory.cpu.Microseconds())/float64(b.N), "memory-cpu-µs")
			b.ReportMetric(float64(withFolder.cpu.Microseconds())/float64(b.N), "folder-cpu-µs")
			require.NoError(b, inMemory.box.CheckBooks())
			require.NoError(b, withFolder.box.CheckBooks())
		})
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// recharger is a sandbox and a client who recharges an account.
type recharger struct {
	*killWorld
	box     *sandbox.Sandbox
	account string
	number  atomic.Int64
	cpu     time.Duration // of client and sandbox
}

func newRecharger(b *testing.B, store sandbox.Store, connections int) *recharger {
	box, err := sandbox.New(sandbox.Config{NotifyClient: &http.Client{Transport: swallow{}}, Store: store})
	require.NoError(b, err)
	server := httptest.NewServer(box)
	m := sandbox.TestMerchant()
	keys, err := envelope.NewKeys(m.Code, m.Cert, m.Key, m.IV)
	require.NoError(b, err)
	r := &recharger{box: box, killWorld: &killWorld{keys: keys, base: server.URL,
		receiver: &receiver{Server: &httptest.Server{URL: "http://shop.example.com"}},
		http:     &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}}}
	b.Cleanup(func() {
		r.http.CloseIdleConnections()
		server.Close()
		require.NoError(b, box.Close())
	})
	opening, err := r.send(r.order("CreateNewIpsAcct", "A1", []string{
		"pIdentType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三", "pMobileNo", "13800000000",
		"pEmail", "zhangsan@example.com", "pSmDate", "20141124",
	}))
	require.NoError(b, err)
	r.account = regexp.MustCompile(`<pIpsAcctNo>(\d+)<`).FindStringSubmatch(opening)[1]
	return r
}

// rate sends so many recharges, and says how many it were in a second.
func (r *recharger) rate(b *testing.B, orders, connections int) float64 {
	started, began := time.Now(), processorTime()
	last := r.number.Load() + int64(orders)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for n := r.number.Add(1); n <= last; n = r.number.Add(1) {
				answer, err := r.send(r.order("doDpTrade", fmt.Sprintf("R%09d", n), rechargePairs(r.account)))
				if err != nil || !strings.HasPrefix(answer, "MG00000F ") {
					b.Error(answer, err)
					return
				}
			}
		})
	}
	wg.Wait()
	r.number.Store(last)
	r.cpu += processorTime() - began
	return float64(orders) / time.Since(started).Seconds()
}

func rechargePairs(account string) []string {
	return []string{
		"pAcctType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三", "pIpsAcctNo", account, "pTrdDate", "20141124",
		"pTrdAmt", "10.00", "pChannelType", "1", "pTrdBnkCode", "00004", "pMerFee", "0.00", "pIpsFeeType", "1",
	}
}

// BenchmarkSync is the bound that the disk sets: a write of an order's size that
// survives the loss of power, into a file that has the room for it.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	require.NoError(b, err)
	defer f.Close()
	const size = 1 << 20
	_, err = f.Write(make([]byte, size))
	require.NoError(b, err)
	order := make([]byte, 1200)
	var took []float64
	for at := int64(0); b.Loop(); at = (at + int64(len(order))) % (size - int64(len(order))) {
		started := time.Now()
		if _, err := f.WriteAt(order, at); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64(time.Since(started).Nanoseconds()))
	}
	b.ReportMetric(median(took), "ns/sync") // half of them take longer
}

// BenchmarkStart starts on a folder of many delivered orders: working through
// its journal, and writing the snapshot for the next time; and from it.
func BenchmarkStart(b *testing.B) {
	path := b.TempDir()
	f, err := openFolder(path, io.Discard)
	require.NoError(b, err)
	fill(b, f, *orders)
	require.NoError(b, f.Close())
	journal, snapshot := filepath.Join(path, folder.JournalFile), filepath.Join(path, folder.SnapshotFile)
	start := func(b *testing.B, prepare func()) {
		before := heap()
		for b.Loop() {
			b.StopTimer()
			prepare()
			b.StartTimer()
			began := processorTime()
			f, err := openFolder(path, os.Stderr)
			require.NoError(b, err)
			box, err := sandbox.New(sandbox.Config{Store: f})
			require.NoError(b, err)
			b.StopTimer()
			b.ReportMetric((processorTime() - began).Seconds(), "cpu-s")
			b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-heap")
			_, taken := box.Engine().NewestOrders(engine.OrderFilter{}, engine.Page{Limit: 1})
			require.Equal(b, *orders+1, taken)
			require.NoError(b, box.Close())
			b.StartTimer()
		}
		for unit, file := range map[string]string{"MiB-journal": journal, "MiB-snapshot": snapshot} {
			info, err := os.Stat(file)
			require.NoError(b, err)
			b.ReportMetric(float64(info.Size())/(1<<20), unit)
		}
	}
	b.Run("replay", func(b *testing.B) { start(b, func() { _ = os.Remove(snapshot) }) })
	b.Run("snapshot", func(b *testing.B) { start(b, func() { require.FileExists(b, snapshot) }) })
}

// processorTime is what the process has had of the processors, which tells more
// than the clock where others are at work.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fill writes what a sandbox would have written for an account and its
// recharges.
func fill(b *testing.B, f *folder.Folder, n int) {
	at := time.Date(2014, 11, 24, 4, 0, 0, 0, time.UTC)
	message := func(pairs ...string) engine.Message {
		pairs = append(pairs, "pWebUrl", "http://shop.example.com/back", "pS2SUrl", "http://shop.example.com/notify",
			"pMemo1", "", "pMemo2", "", "pMemo3", "")
		var m engine.Message
		for i := 0; i < len(pairs); i += 2 {
			m = append(m, engine.Field{Name: pairs[i], Value: pairs[i+1]})
		}
		return m
	}
	platform := engine.New()
	decided := func(cmd engine.Command) sandbox.Record {
		out, err := platform.Apply(cmd)
		require.NoError(b, err)
		return sandbox.Record{Command: &cmd, Decision: out.Decision}
	}
	submit := func(op string, m engine.Message) sandbox.Record {
		return decided(engine.Command{Kind: engine.KindSubmit, At: at, Merchant: "808801", Op: op, Message: m})
	}
	records := []sandbox.Record{
		decided(engine.Command{Kind: engine.KindMerchant, At: at, Settings: &engine.Settings{Merchant: "808801", Name: "测试平台", Auto: true}}),
		submit("CreateNewIpsAcct", message("pMerBillNo", "A1", "pIdentType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三",
			"pMobileNo", "13800000000", "pEmail", "zhangsan@example.com", "pSmDate", "20141124")),
	}
	const account = "4021000000000001"
	for i := range n {
		at = at.Add(time.Millisecond)
		records = append(records,
			submit("doDpTrade", message(append([]string{"pMerBillNo", fmt.Sprintf("R%09d", i)}, rechargePairs(account)...)...)),
			sandbox.Record{Delivery: &notifier.Change{Seq: int64(i + 1), State: notifier.Delivered, Attempt: &sandbox.Attempt{At: at, Status: 200}}})
		if len(records) > 1000 {
			require.NoError(b, f.Append(records...))
			records = records[:0]
		}
	}
	records = append(records, sandbox.Record{Delivery: &notifier.Change{Seq: int64(n + 1), State: notifier.Delivered}})
	require.NoError(b, f.Append(records...))
}
