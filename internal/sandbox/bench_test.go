//go:build unix

package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// taker is a merchant who takes every notification at once.
type taker struct{}

func (taker) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// BenchmarkRequest is a recharge through the sandbox's handler, from the bytes
// of the form to those of the page, its notification included, with no network
// in between. The floor is what nobody can do without: Base64, 3DES and MD5 of
// the request and of the answer, which is that of the notification too. Both are
// done in turn, many at a time, so that they see the same machine; processor time
// is that of the process, since the clock counts what others do as well. The
// requests are made and sealed beforehand.
func BenchmarkRequest(b *testing.B) {
	for _, connections := range []int{1, 8} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			box, bodies := recharges(b, sandbox.Config{NotifyClient: &http.Client{Transport: taker{}}})
			keys := benchKeys(b)
			request := seal(keys, "p", rechargeDocument("R000000001", "4021000000000001"))
			body, sign := request.Get("p3DesXmlPara"), request.Get("pSign")
			answer := []byte(strings.Repeat("<pIpsTime>20141124120000</pIpsTime>", 16)) // 560 bytes, as the sandbox's are
			const round = 500
			var took, floor, ratios []float64
			for n := 0; n < b.N; n += round {
				count := min(round, b.N-n)
				took = append(took, processorTime(count, func() {
					share(b, connections, count, func(i int) bool {
						w := httptest.NewRecorder()
						box.ServeHTTP(w, formPost("/CreditWeb/doDpTrade.aspx", bodies[n+i]))
						return bytes.Contains(w.Body.Bytes(), []byte(`value="MG00000F"`))
					})
					require.NoError(b, box.WaitDelivered(context.Background()))
				}))
				floor = append(floor, processorTime(count, func() {
					share(b, connections, count, func(int) bool {
						ok := keys.VerifyRequest(body, sign)
						_, err := keys.Decrypt(body)
						keys.SignAnswer("MG00000F", "成功", keys.Encrypt(answer))
						return ok && err == nil
					})
				}))
				ratios = append(ratios, took[len(took)-1]/floor[len(floor)-1])
			}
			b.ReportMetric(median(took), "sandbox-µs")
			b.ReportMetric(median(floor), "floor-µs")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(0, "ns/op")
			require.NoError(b, box.CheckBooks())
		})
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// processorTime is that which one of so many things takes, in microseconds.
func processorTime(count int, do func()) float64 {
	now := func() int64 {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // which fails for no one's own
		return u.Utime.Nano() + u.Stime.Nano()
	}
	began := now()
	do()
	return float64(now()-began) / 1000 / float64(count)
}

func benchKeys(b *testing.B) *envelope.Keys {
	m := sandbox.TestMerchant()
	keys, err := envelope.NewKeys(m.Code, m.Cert, m.Key, m.IV)
	require.NoError(b, err)
	return keys
}

func formPost(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func rechargeDocument(number, account string) string {
	return document("pMerBillNo", number, "pAcctType", "1", "pIdentNo", li, "pRealName", "李四",
		"pIpsAcctNo", account, "pTrdDate", "20141124", "pTrdAmt", "10.00", "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "0.00", "pIpsFeeType", "1", "pWebUrl", "http://shop.example.com/back", "pS2SUrl", "http://shop.example.com/notify",
		"pMemo1", "", "pMemo2", "", "pMemo3", "")
}

// recharges is a sandbox, and b.N requests that it will take.
func recharges(b *testing.B, cfg sandbox.Config) (*sandbox.Sandbox, []string) {
	box, err := sandbox.New(cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, box.Close()) })
	keys := benchKeys(b)
	w := httptest.NewRecorder()
	box.ServeHTTP(w, formPost("/CreditWeb/CreateNewIpsAcct.aspx", seal(keys, "arg", document("pMerBillNo", "A1", "pIdentType", "1",
		"pIdentNo", li, "pRealName", "李四", "pMobileNo", "13800000000", "pEmail", "lisi@example.com", "pSmDate", "20141124",
		"pWebUrl", "http://shop.example.com/back", "pS2SUrl", "http://shop.example.com/notify", "pMemo1", "", "pMemo2", "", "pMemo3", "")).Encode()))
	require.Equal(b, http.StatusOK, w.Code)
	list, _ := box.Engine().NewestAccounts(engine.AccountFilter{}, engine.Page{})
	bodies := make([]string, b.N)
	for i := range bodies {
		bodies[i] = seal(keys, "p", rechargeDocument(fmt.Sprintf("R%09d", i), list[0].Number)).Encode()
	}
	return box, bodies
}

// share does so many things on as many goroutines as there are connections.
func share(b *testing.B, connections, count int, do func(n int) bool) {
	var number atomic.Int64
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for n := number.Add(1) - 1; n < int64(count); n = number.Add(1) - 1 {
				if !do(int(n)) {
					b.Error("refused")
					return
				}
			}
		})
	}
	wg.Wait()
}
