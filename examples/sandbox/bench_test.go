package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

var orders = flag.Int("orders", 100_000, "how many orders the folder of BenchmarkStart holds")

// swallow is a merchant who takes every notification at once.
type swallow struct{}

func (swallow) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// BenchmarkRecharge sends recharges over HTTP and reads their answers, client
// and sandbox on the same machine.
func BenchmarkRecharge(b *testing.B) {
	for _, kept := range []string{"memory", "folder"} {
		for _, connections := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", kept, connections), func(b *testing.B) {
				cfg := sandbox.Config{NotifyClient: &http.Client{Transport: swallow{}}}
				if kept == "folder" {
					var err error
					cfg.Store, err = openFolder(b.TempDir())
					require.NoError(b, err)
				}
				benchmarkRecharge(b, cfg, connections)
			})
		}
	}
}

func benchmarkRecharge(b *testing.B, cfg sandbox.Config, connections int) {
	box, err := sandbox.New(cfg)
	require.NoError(b, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	m := sandbox.TestMerchant()
	keys, err := envelope.NewKeys(m.Code, m.Cert, m.Key, m.IV)
	require.NoError(b, err)
	w := &killWorld{keys: keys, base: server.URL, receiver: &receiver{Server: &httptest.Server{URL: "http://shop.example.com"}},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}}
	defer w.http.CloseIdleConnections()
	opening, err := w.send(w.order("CreateNewIpsAcct", "A1", []string{
		"pIdentType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三", "pMobileNo", "13800000000",
		"pEmail", "zhangsan@example.com", "pSmDate", "20141124",
	}))
	require.NoError(b, err)
	account := regexp.MustCompile(`<pIpsAcctNo>(\d+)<`).FindStringSubmatch(opening)[1]
	var number atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range connections {
		wg.Go(func() {
			for n := number.Add(1); n <= int64(b.N); n = number.Add(1) {
				answer, err := w.send(w.order("doDpTrade", fmt.Sprintf("R%09d", n), rechargePairs(account)))
				if err != nil || !strings.HasPrefix(answer, "MG00000F ") {
					b.Error(answer, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	require.NoError(b, box.CheckBooks())
}

func rechargePairs(account string) []string {
	return []string{
		"pAcctType", "1", "pIdentNo", "110101199001010001", "pRealName", "张三", "pIpsAcctNo", account, "pTrdDate", "20141124",
		"pTrdAmt", "10.00", "pChannelType", "1", "pTrdBnkCode", "00004", "pMerFee", "0.00", "pIpsFeeType", "1",
	}
}

// BenchmarkSync is the bound that the disk sets: one small write that survives
// the loss of power. A transaction of the folder needs two.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	require.NoError(b, err)
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}

// BenchmarkStart starts on a folder of many delivered orders.
func BenchmarkStart(b *testing.B) {
	path := b.TempDir()
	f, err := openFolder(path)
	require.NoError(b, err)
	fill(b, f, *orders)
	require.NoError(b, f.Close())
	info, err := os.Stat(filepath.Join(path, databaseFile))
	require.NoError(b, err)
	before := heap()
	for b.Loop() {
		started := time.Now()
		f, err := openFolder(path)
		require.NoError(b, err)
		box, err := sandbox.New(sandbox.Config{Store: f})
		require.NoError(b, err)
		b.ReportMetric(time.Since(started).Seconds(), "s/start")
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-heap")
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB-folder")
		_, taken := box.Engine().NewestOrders(engine.OrderFilter{}, engine.Page{Limit: 1})
		require.Equal(b, *orders+1, taken)
		require.NoError(b, box.Close())
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fill writes what a sandbox would have written for an account and its
// recharges.
func fill(b *testing.B, f *folder, n int) {
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
