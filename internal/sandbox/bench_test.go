package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
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
// in between: "sandbox". The floor is what nobody can do without: Base64, 3DES
// and MD5 of the request, the answer and the notification, on as many
// goroutines: "floor". The requests are made and sealed beforehand.
func BenchmarkRequest(b *testing.B) {
	for _, connections := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d/sandbox", connections), func(b *testing.B) {
			box, bodies := recharges(b, sandbox.Config{NotifyClient: &http.Client{Transport: taker{}}})
			b.ReportAllocs()
			b.ResetTimer()
			share(b, connections, func(n int) bool {
				w := httptest.NewRecorder()
				box.ServeHTTP(w, formPost("/CreditWeb/doDpTrade.aspx", bodies[n]))
				return bytes.Contains(w.Body.Bytes(), []byte(`value="MG00000F"`))
			})
			require.NoError(b, box.WaitDelivered(context.Background()))
			b.StopTimer()
			require.NoError(b, box.CheckBooks())
		})
		b.Run(fmt.Sprintf("%d/floor", connections), func(b *testing.B) {
			keys := benchKeys(b)
			var body, sign string
			{
				request := seal(keys, "p", rechargeDocument("R000000001", "4021000000000001"))
				body, sign = request.Get("p3DesXmlPara"), request.Get("pSign")
			}
			answer := []byte(strings.Repeat("<pIpsTime>20141124120000</pIpsTime>", 16)) // 560 bytes; the sandbox's are about as long
			b.ReportAllocs()
			b.ResetTimer()
			share(b, connections, func(int) bool {
				ok := keys.VerifyRequest(body, sign)
				_, err := keys.Decrypt(body)
				for range 2 {
					keys.SignAnswer("MG00000F", "成功", keys.Encrypt(answer))
				}
				return ok && err == nil
			})
		})
	}
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

// share does b.N things on as many goroutines as there are connections.
func share(b *testing.B, connections int, do func(n int) bool) {
	var number atomic.Int64
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for n := number.Add(1) - 1; n < int64(b.N); n = number.Add(1) - 1 {
				if !do(int(n)) {
					b.Error("refused")
					return
				}
			}
		})
	}
	wg.Wait()
}
