package sandbox_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// order orders a fault; the books are checked when the test ends.
func (f *fixture) order(fault sandbox.Fault) int64 {
	f.t.Helper()
	id, err := f.OrderFault(fault)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { assert.NoError(f.t, f.CheckBooks()) })
	return id
}

// rechargeForm is the form of a recharge of 10.00.
func (f *fixture) rechargeForm(order, account string) string {
	return seal(f.keys, "p", document("pMerBillNo", order, "pAcctType", "1", "pIdentNo", li, "pRealName", "李四",
		"pIpsAcctNo", account, "pTrdDate", "20141124", "pTrdAmt", "10.00", "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "0.00", "pIpsFeeType", "1", "pWebUrl", "http://shop.example.com/back", "pS2SUrl", f.shop.URL+"/notify",
		"pMemo1", "", "pMemo2", "", "pMemo3", "")).Encode()
}

// try posts a form and returns what HTTP made of it.
func (f *fixture) try(form string) (reply, error) {
	f.t.Helper()
	resp, err := f.http.Post(f.url+"/CreditWeb/doDpTrade.aspx", formType, strings.NewReader(form))
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return reply{resp.StatusCode, resp.Header, string(body)}, err
}

// What breaks before the operation leaves nothing behind; what breaks after it
// leaves the caller not knowing. In both cases the same order, sent again,
// makes everything right.
func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	status := func(want int) func(*testing.T, reply, error) {
		return func(t *testing.T, r reply, err error) {
			require.NoError(t, err)
			assert.Equal(t, want, r.status)
			assert.NotContains(t, r.body, "pErrCode")
		}
	}
	gone := func(t *testing.T, _ reply, err error) {
		require.Error(t, err)
		assert.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)
	}
	for name, c := range map[string]struct {
		fault   sandbox.Fault
		effect  bool
		symptom func(*testing.T, reply, error)
	}{
		"500 before":   {sandbox.Fault{Name: fault.HTTP500}, false, status(500)},
		"500 after":    {sandbox.Fault{Name: fault.HTTP500, After: true}, true, status(500)},
		"502 before":   {sandbox.Fault{Name: fault.HTTP502}, false, status(502)},
		"502 after":    {sandbox.Fault{Name: fault.HTTP502, After: true}, true, status(502)},
		"reset before": {sandbox.Fault{Name: fault.Reset}, false, gone},
		"reset after":  {sandbox.Fault{Name: fault.Reset, After: true}, true, gone},
		"truncated": {sandbox.Fault{Name: fault.Truncate}, true, func(t *testing.T, r reply, err error) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.NotContains(t, r.body, "</html>")
			assert.NotEmpty(t, r.body)
		}},
		"oversized": {sandbox.Fault{Name: fault.Oversize, Size: 5<<20 + 1}, true, func(t *testing.T, r reply, err error) {
			require.NoError(t, err)
			assert.Greater(t, len(r.body), 5<<20)
			r.body = strings.TrimRight(r.body, " ")
			_, a := r.returned(t)
			assert.Equal(t, "MG00000F", a.code)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{})
			account := f.investor()
			form := f.rechargeForm("R1", account)
			c.fault.Op = "doDpTrade"
			f.order(c.fault)
			r, err := f.try(form)
			c.symptom(t, r, err)
			want := int64(0)
			if c.effect {
				want = 1000
			}
			assert.Equal(t, want, f.purse(account))
			require.NoError(t, f.CheckBooks())

			again, err := f.try(form)
			require.NoError(t, err)
			_, a := again.returned(t)
			assert.Equal(t, "MG00000F", a.code)
			assert.Equal(t, int64(1000), f.purse(account), "once, whatever happened before")
			state := f.Faults()[0]
			assert.Equal(t, 1, state.Hits)
			assert.Zero(t, state.Left)
		})
	}
}

func TestDefaultOversizeIsMoreThanClientsRead(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.order(sandbox.Fault{Name: fault.Oversize})
	resp, err := f.http.Post(f.url+"/CreditWeb/"+page, formType, strings.NewReader(seal(f.keys, "arg", f.opening("A1")).Encode()))
	require.NoError(t, err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	assert.Greater(t, n, int64(64<<20))
}

func TestSOAPFault(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{})
			account := f.investor()
			f.order(sandbox.Fault{Name: fault.SOAPFault, Op: "CoDpTrade", After: after})
			params := f.sealedParams("arg", document("pMerBillNo", "W1", "pTrdDate", "20141124", "pTrdAmt", "10.00", "pMerFee", "0.00",
				"pIpsFeeType", "1", "pAcctType", "1", "pIdentNo", li, "pRealName", "李四", "pIpsAcctNo", account, "pS2SUrl", f.shop.URL,
				"pMemo1", "", "pMemo2", "", "pMemo3", ""))
			f.recharge("R1", account, "10.00") // pages have no faults of SOAP
			r := f.call11(trade, "CoDpTrade", params...)
			assert.Equal(t, http.StatusInternalServerError, r.status)
			assert.Contains(t, r.body, "<faultstring>Server was unable to process request.")
			assert.Equal(t, map[bool]int64{false: 1000, true: 2000}[after], f.purse(account))
			a := fromResult(f.call11(trade, "CoDpTrade", params...).resultOf(t, "CoDpTrade"))
			assert.Equal(t, "MG00008F", a.code)
			assert.Equal(t, int64(2000), f.purse(account))
		})
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, err := sandbox.New(sandbox.Config{NotifyClient: &http.Client{
					Transport: roundTripper(func(*http.Request) (int, error) { return http.StatusOK, nil }),
				}})
				require.NoError(t, err)
				defer s.Close()
				_, err = s.OrderFault(sandbox.Fault{Name: fault.Latency, Delay: 20 * time.Second, After: after})
				require.NoError(t, err)
				started, done := time.Now(), make(chan *httptest.ResponseRecorder, 1)
				go func() { done <- submit(t, s) }()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				_, taken := s.Engine().NewestOrders(engine.OrderFilter{}, engine.Page{})
				assert.Equal(t, map[bool]int{true: 1, false: 0}[after], taken, "the effect is there and the answer is not")
				assert.Equal(t, http.StatusOK, (<-done).Code)
				assert.Equal(t, 20*time.Second, time.Since(started))
				require.NoError(t, s.CheckBooks())
			})
		})
	}
}

// A fault that keeps a caller waiting does not keep the sandbox from closing.
func TestLatencyEndsWithTheSandbox(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.order(sandbox.Fault{Name: fault.Latency, Delay: 10 * time.Minute})
	base, err := f.Start("")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := http.Post(base+"/CreditWeb/"+page, formType, strings.NewReader(seal(f.keys, "arg", f.opening("A1")).Encode()))
		if err == nil {
			resp.Body.Close()
		}
	}()
	require.Eventually(t, func() bool { return f.Faults()[0].Hits == 1 }, 30*time.Second, time.Millisecond)
	require.NoError(t, f.Close())
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the caller still waits")
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	other := otherMerchant()
	f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{sandbox.TestMerchant(), other}})
	f.order(sandbox.Fault{Name: fault.HTTP500, Op: "doDpTrade", Count: 2})
	f.order(sandbox.Fault{Name: fault.HTTP502, Merchant: other.Code, Count: 2})
	met := func(want ...int) {
		t.Helper()
		var got []int
		for _, state := range f.Faults() {
			got = append(got, state.Hits)
		}
		assert.Equal(t, want, got)
	}
	f.investor() // another operation of the first merchant meets none
	met(0, 0)
	assert.Equal(t, 502, f.post(page, seal(keysOf(t, other), "arg", f.openingOf("A1", "wangwu"))).status)
	met(0, 1)
	balance := []string{"argMerCode", other.Code, "argIpsAccount", other.Code, "argSign", "x"}
	assert.Equal(t, 502, f.call11(trade, "QueryForAccBalance", balance...).status, "services are filtered too")
	met(0, 2)
	assert.Equal(t, 200, f.call11(trade, "QueryForAccBalance", balance...).status, "used up")
	r, err := f.try(f.rechargeForm("R1", "x"))
	require.NoError(t, err)
	assert.Equal(t, 500, r.status)
	met(1, 2)
	require.NoError(t, f.LiftFault(1))
	r, err = f.try(f.rechargeForm("R1", "x"))
	require.NoError(t, err)
	assert.Equal(t, 200, r.status, "lifted before it was used up")
	assert.ErrorIs(t, f.LiftFault(1), sandbox.ErrNotFound)
	require.NoError(t, f.LiftFaults())
	assert.Empty(t, f.Faults())
}

// Of two faults that end a request the first wins and the second waits.
func TestFaultsQueue(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.order(sandbox.Fault{Name: fault.HTTP500})
	f.order(sandbox.Fault{Name: fault.HTTP502})
	f.order(sandbox.Fault{Name: fault.Latency, Delay: time.Millisecond})
	for _, want := range []int{500, 502, 200} {
		r, err := f.try("")
		require.NoError(t, err)
		assert.Equal(t, want, r.status)
	}
	assert.Equal(t, 1, f.Faults()[2].Hits, "a slow request may break as well")
}

func TestMalformedRequestsMeetFaultsToo(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{MaxBody: 1000})
	f.order(sandbox.Fault{Name: fault.HTTP502, Merchant: "808801"})
	large := f.do(http.MethodPost, "/CreditWeb/"+page, formType, "pMerCode="+strings.Repeat("x", 2000))
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.status, "nobody knows whose it is, and it is still too large")
	large = f.do(http.MethodPost, trade, "text/xml", strings.Repeat("x", 2000))
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.status)
	assert.Equal(t, 500, f.do(http.MethodPost, trade, "text/xml", "<nonsense").status)
	assert.Equal(t, 404, f.do(http.MethodPost, "/CreditWeb/nothing.aspx", formType, "pMerCode=808801").status)
	assert.Equal(t, 405, f.do(http.MethodGet, "/CreditWeb/"+page, "", "").status)
	assert.Equal(t, 502, f.do(http.MethodPost, "/CreditWeb/"+page, formType, "pMerCode=808801").status)
	assert.Equal(t, 1, f.Faults()[0].Hits)
}

func TestDroppedNotification(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Store: &memory{}, NotifyWorkers: 1})
	account := f.investor()
	f.order(sandbox.Fault{Name: fault.NoticeDrop, Op: "doDpTrade"})
	f.recharge("R1", account, "10.00")
	f.recharge("R2", account, "10.00")
	f.delivered()
	assert.Equal(t, []string{"A1", "R2"}, f.arrived())
	list := f.Notifications()
	assert.Equal(t, notifier.Dropped, list[1].State)
	assert.Empty(t, list[1].Attempts)
	assert.Equal(t, int64(2000), f.purse(account), "the money is there all the same")
	require.NoError(t, f.Resend(list[1].Seq))
	f.delivered()
	assert.Equal(t, []string{"A1", "R2", "R1"}, f.arrived())
}

// arrived are the order numbers of the notifications received.
func (f *fixture) arrived() []string {
	f.t.Helper()
	var list []string
	for _, form := range f.shop.received() {
		document, err := f.keys.Decrypt(form.Get("p3DesXmlPara"))
		require.NoError(f.t, err)
		list = append(list, regexp.MustCompile(`<pMerBillNo>(\w+)<`).FindStringSubmatch(string(document))[1])
	}
	return list
}

func TestDelayedNotification(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{NotifyWorkers: 1})
	account := f.investor()
	f.delivered()
	f.order(sandbox.Fault{Name: fault.NoticeDelay, Delay: 5 * time.Minute})
	f.recharge("R1", account, "10.00")
	f.recharge("R2", account, "10.00")
	require.Eventually(t, func() bool { return len(f.shop.received()) == 2 }, 30*time.Second, time.Millisecond)
	assert.Equal(t, []string{"A1", "R2"}, f.arrived())
	require.NoError(t, f.Advance(5*time.Minute))
	f.delivered()
	assert.Equal(t, []string{"A1", "R2", "R1"}, f.arrived())
}

func TestDoubledNotification(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{NotifyWorkers: 1})
	account := f.investor()
	f.delivered()
	f.order(sandbox.Fault{Name: fault.NoticeDouble})
	f.shop.answer(500) // not even a refusal makes it three
	f.recharge("R1", account, "10.00")
	f.delivered()
	f.recharge("R2", account, "10.00")
	f.delivered()
	assert.Equal(t, []string{"A1", "R1", "R1", "R1", "R2"}, f.arrived(), "refused, then delivered twice")
	forms := f.shop.received()
	assert.Equal(t, forms[2], forms[3])
	assert.Equal(t, int64(2000), f.purse(account))
}

func TestReorderedNotification(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{NotifyWorkers: 1})
	account := f.investor()
	f.delivered()
	f.order(sandbox.Fault{Name: fault.NoticeReorder})
	f.recharge("R1", account, "10.00")
	f.recharge("R2", account, "10.00")
	f.delivered()
	assert.Equal(t, []string{"A1", "R2", "R1"}, f.arrived())

	f.order(sandbox.Fault{Name: fault.NoticeReorder, Delay: time.Minute})
	f.recharge("R3", account, "10.00")
	require.NoError(t, f.Advance(time.Minute))
	f.delivered()
	assert.Equal(t, []string{"A1", "R2", "R1", "R3"}, f.arrived(), "nothing came after it, so it goes when its time is over")
}

func TestForgedNotifications(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	for mode, signer := range map[string]*rsa.PrivateKey{"MD5": nil, "RSA": key} {
		for _, name := range []string{fault.NoticeBadSign, fault.NoticeOtherMerchant, fault.NoticeAmount} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				m := sandbox.TestMerchant()
				m.RSA = signer
				var pub *rsa.PublicKey
				if signer != nil {
					pub = &signer.PublicKey
				}
				f := start(t, sandbox.Config{Merchants: []sandbox.Merchant{m}})
				opening := strings.NewReplacer("110101199001010001", li, "张三", "李四").Replace(f.openingOf("A1", "lisi"))
				_, a := f.post(page, seal(f.keys, "arg", opening)).returned(t)
				account := regexp.MustCompile(`<pIpsAcctNo>(\d+)<`).FindStringSubmatch(a.open(t, f.keys, pub))[1]
				f.delivered()
				f.order(sandbox.Fault{Name: name, Op: "doDpTrade"})
				f.shop.answer(400) // a merchant that looks closely refuses it
				r, err := f.try(f.rechargeForm("R1", account))
				require.NoError(t, err)
				r.returned(t)
				f.delivered()
				forms := f.shop.received()
				require.Len(t, forms, 3)
				forged, genuine := fromForm(forms[1]), fromForm(forms[2])
				document := genuine.open(t, f.keys, pub)
				switch name {
				case fault.NoticeBadSign:
					assert.False(t, f.keys.VerifyAnswer(pub, forged.code, forged.text, forged.body, forged.sign))
					assert.Len(t, forged.sign, len(genuine.sign), "it looks like a signature")
					forged.sign = genuine.sign
					assert.Equal(t, genuine, forged, "nothing else differs")
				case fault.NoticeOtherMerchant:
					assert.Equal(t, "808802", forged.merchant)
					impostor, err := envelope.NewKeys("808802", m.Cert, m.Key, m.IV)
					require.NoError(t, err)
					assert.Equal(t, document, forged.open(t, impostor, pub), "the merchant's own cert verifies it")
				case fault.NoticeAmount:
					assert.Contains(t, document, "<pTrdAmt>10.00<")
					assert.Equal(t, strings.Replace(document, "<pTrdAmt>10.00<", "<pTrdAmt>11.00<", 1), forged.open(t, f.keys, pub))
				}
				assert.Equal(t, "MG00000F", genuine.code)
				var verdicts []bool
				for _, m := range f.Messages() {
					if m.Via == messages.ViaNotify && m.Order == "R1" {
						verdicts = append(verdicts, m.Verified)
					}
				}
				assert.Equal(t, []bool{name != fault.NoticeBadSign, true}, verdicts, "the record says what was sent")
				assert.Equal(t, int64(1000), f.purse(account))
			})
		}
	}
}

func TestAmountNeedsAnAmount(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.order(sandbox.Fault{Name: fault.NoticeAmount})
	f.investor()
	f.delivered()
	assert.Zero(t, f.Faults()[0].Hits, "an account opening names no amount, so the fault waits")
}

func TestChosenCode(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	account := f.investor()
	f.order(sandbox.Fault{Name: fault.Code, Op: "doDpTrade", Code: "MG18099F", Text: "银行系统维护中"})
	f.order(sandbox.Fault{Name: fault.StayPending, Op: "doDpTrade"})
	code, text := f.recharge("R1", account, "10.00")
	assert.Equal(t, "MG18099F", code)
	assert.Contains(t, text, "银行系统维护中")
	assert.Zero(t, f.purse(account))
	assert.Zero(t, f.Faults()[1].Hits, "a refused order is no event for the next fault")
	code, _ = f.recharge("R1", account, "10.00")
	assert.Equal(t, "MG00008F", code)
}

func TestPendingStaysPending(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{NotifyWorkers: 1})
	account := f.investor()
	f.delivered()
	id := f.order(sandbox.Fault{Name: fault.StayPending, Op: "doDpTrade"})
	code, _ := f.recharge("R0", "4021000000009999", "10.00")
	assert.Equal(t, "MG18020F", code)
	assert.Zero(t, f.Faults()[0].Hits, "what is refused cannot be pending")
	code, _ = f.recharge("R1", account, "10.00")
	assert.Equal(t, "MG00008F", code)
	code, _ = f.recharge("R1", account, "10.00")
	assert.Equal(t, "MG00008F", code, "and it stays so")
	require.NoError(t, f.Advance(24*time.Hour))
	f.delivered()
	assert.Equal(t, []string{"A1", "R0"}, f.arrived())
	b, _ := f.Balance("808801", account)
	assert.Equal(t, engine.Balance{Unsettled: 1000}, b)
	code, _ = f.recharge("R2", account, "10.00")
	assert.Equal(t, "MG00000F", code, "used up")
	f.delivered()
	require.NoError(t, f.LiftFault(id))
	f.delivered()
	assert.Equal(t, []string{"A1", "R0", "R2", "R1"}, f.arrived())
	assert.Equal(t, int64(2000), f.purse(account))
}

// bidWith registers a bid with claims of 100.00 each by one investor.
func (f *fixture) bidWith(claims int) (borrower, investor string) {
	f.t.Helper()
	const zhang = "110101199001010001"
	borrower, investor = f.openAccount("A0", zhang, "张三", "13800000001", "zhangsan"), f.investor()
	code, text := f.recharge("R1", investor, fmt.Sprintf("%d.00", 100*claims))
	require.Equal(f.t, "MG00000F", code, text)
	code, text = f.submitPage("registerSubject.aspx", "p", "pMerBillNo", "B1", "pBidNo", "BID1", "pRegDate", "20141124",
		"pLendAmt", "10000.00", "pGuaranteesAmt", "0.00", "pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12",
		"pLendPurpose", "买车", "pRepayMode", "1", "pOperationType", "1", "pLendFee", "10.00", "pAcctType", "1", "pIdentNo", zhang,
		"pRealName", "张三", "pIpsAcctNo", borrower)
	require.Equal(f.t, "MG02500F", code, text)
	for i := range claims {
		no := fmt.Sprint(i + 1)
		code, text = f.submitPage("registerCreditor.aspx", "p", "pMerBillNo", "C"+no, "pMerDate", "20141124", "pBidNo", "BID1",
			"pContractNo", "CON"+no, "pRegType", "1", "pAuthNo", "", "pAuthAmt", "100.00", "pTrdAmt", "100.00", "pFee", "0.00",
			"pAcctType", "1", "pIdentNo", li, "pRealName", "李四", "pAccount", investor, "pUse", "买车")
		require.Equal(f.t, "MG00000F", code, text)
	}
	return borrower, investor
}

// release is the document of a transfer that pays the claims out.
func (f *fixture) release(order, borrower, investor string, claims ...int) string {
	var rows strings.Builder
	for _, c := range claims {
		fmt.Fprintf(&rows, `<pRow><pOriMerBillNo>C%d</pOriMerBillNo><pTrdAmt>100.00</pTrdAmt><pFAcctType>1</pFAcctType>`+
			`<pFIpsAcctNo>%s</pFIpsAcctNo><pFTrdFee>0.00</pFTrdFee><pTAcctType>1</pTAcctType><pTIpsAcctNo>%s</pTIpsAcctNo>`+
			`<pTTrdFee>0.00</pTTrdFee></pRow>`, c, investor, borrower)
	}
	return `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>` + order + `</pMerBillNo><pBidNo>BID1</pBidNo><pDate>20141124</pDate>` +
		`<pTransferType>1</pTransferType><pTransferMode>1</pTransferMode><pDetails>` + rows.String() + `</pDetails>` +
		`<pS2SUrl>` + f.shop.URL + `/notify</pS2SUrl><pMemo1></pMemo1><pMemo2></pMemo2><pMemo3></pMemo3></pReq>`
}

func TestRowsFail(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	borrower, investor := f.bidWith(4)
	f.order(sandbox.Fault{Name: fault.Row, Row: 3})
	f.order(sandbox.Fault{Name: fault.Row, Row: 2, Op: "Transfer"})
	f.order(sandbox.Fault{Name: fault.Row, Row: 9})
	transfer := func(document string) string {
		f.delivered() // what was before: notifications come in any order
		a := fromResult(f.call11(trade, "Transfer", f.sealedParams("p", document)...).resultOf(t, "Transfer"))
		require.Equal(t, "MG00008F", a.code, a.text)
		f.delivered()
		forms := f.shop.received()
		final := fromForm(forms[len(forms)-1])
		require.Equal(t, "MG00000F", final.code)
		return final.open(t, f.keys, nil)
	}
	statuses := func(document string) (list []string) {
		for _, m := range regexp.MustCompile(`<pStatus>(\w)</pStatus>`).FindAllStringSubmatch(document, -1) {
			list = append(list, m[1])
		}
		return list
	}
	assert.Equal(t, []string{"Y", "N", "N", "Y"}, statuses(transfer(f.release("T1", borrower, investor, 1, 2, 3, 4))))
	assert.Equal(t, int64(200_00), f.purse(borrower), "the other rows went through")
	b, _ := f.Balance("808801", investor)
	assert.Equal(t, int64(200_00), b.Frozen, "the failed ones did nothing")
	require.NoError(t, f.CheckBooks())
	assert.Equal(t, []string{"Y", "Y"}, statuses(transfer(f.release("T2", borrower, investor, 2, 3))), "and can be sent again")
	assert.Equal(t, int64(400_00), f.purse(borrower))
	assert.Zero(t, f.Faults()[2].Hits, "no batch had so many rows")
}

// A decision depends on the seed, the fault's number and how many events it
// has been asked about, and on nothing that happens elsewhere.
func TestProbabilityIsDeterministic(t *testing.T) {
	t.Parallel()
	pattern := func(seed uint64, disturb bool) string {
		f := start(t, sandbox.Config{Seed: seed})
		f.order(sandbox.Fault{Name: fault.HTTP500, Op: "doDpTrade", Probability: 0.5})
		f.order(sandbox.Fault{Name: fault.HTTP502, Op: "doDwTrade", Probability: 0.5})
		var b bytes.Buffer
		for i := range 40 {
			if disturb && i%3 == 0 {
				f.do(http.MethodPost, "/CreditWeb/doDwTrade.aspx", formType, "")
			}
			r, err := f.try("")
			require.NoError(t, err)
			fmt.Fprintf(&b, "%d ", r.status/100)
		}
		assert.Equal(t, -1, f.Faults()[0].Left)
		return b.String()
	}
	one := pattern(1, false)
	assert.Equal(t, one, pattern(1, true))
	assert.NotEqual(t, one, pattern(2, false))
	assert.Contains(t, one, "2 ")
	assert.Contains(t, one, "5 ")
}

func TestProbabilityWithACount(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Seed: 7})
	f.order(sandbox.Fault{Name: fault.HTTP500, Probability: 0.5, Count: 3})
	failed := 0
	for range 50 {
		if r, err := f.try(""); assert.NoError(t, err) && r.status == 500 {
			failed++
		}
	}
	assert.Equal(t, 3, failed)
}

func TestFaultsRefused(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for name, c := range map[string]struct {
		fault sandbox.Fault
		want  string
	}{
		"name":                {sandbox.Fault{Name: "earthquake"}, `unknown fault "earthquake"`},
		"operation":           {sandbox.Fault{Name: "reset", Op: "doNothing"}, "Op: want one of CreateNewIpsAcct, "},
		"page and soap":       {sandbox.Fault{Name: "soap-fault", Op: "doDpTrade"}, "Op: want one of Transfer, "},
		"query and notice":    {sandbox.Fault{Name: "notice-drop", Op: "GetBankList"}, "Op: want one of"},
		"no rows":             {sandbox.Fault{Name: "row", Op: "doDpTrade", Row: 1}, "Op: want one of Transfer, RepaymentNewTrade"},
		"no row":              {sandbox.Fault{Name: "row"}, "rows count from 1"},
		"merchant":            {sandbox.Fault{Name: "reset", Merchant: "000000"}, `Merchant: unknown code "000000"`},
		"count":               {sandbox.Fault{Name: "reset", Count: -1}, "Count: want 0 or more, got -1"},
		"probability":         {sandbox.Fault{Name: "reset", Probability: 1.5}, "Probability: want 0 to 1, got 1.5"},
		"NaN":                 {sandbox.Fault{Name: "reset", Probability: math.NaN()}, "Probability"},
		"after":               {sandbox.Fault{Name: "truncate", After: true}, "After"},
		"delay missing":       {sandbox.Fault{Name: "latency"}, "Delay: want a duration"},
		"delay for nothing":   {sandbox.Fault{Name: "reset", Delay: time.Second}, "Delay: want none, got 1s"},
		"delay too long":      {sandbox.Fault{Name: "latency", Delay: time.Hour}, "Delay: want up to 10m0s"},
		"size for nothing":    {sandbox.Fault{Name: "truncate", Size: 1}, "Size: want none"},
		"size too large":      {sandbox.Fault{Name: "oversize", Size: 1 << 40}, "Size: want up to"},
		"code missing":        {sandbox.Fault{Name: "code"}, "a refusal needs its code"},
		"code of success":     {sandbox.Fault{Name: "code", Code: "MG00000F"}, "MG00000F is no refusal"},
		"code for nothing":    {sandbox.Fault{Name: "reset", Code: "MG00001F"}, "Code and Text"},
		"code not text":       {sandbox.Fault{Name: "code", Code: "\xff"}, "want UTF-8"},
		"row for nothing":     {sandbox.Fault{Name: "reset", Row: 1}, "Row: want none, got 1"},
		"negative size":       {sandbox.Fault{Name: "oversize", Size: -1}, "Size"},
		"negative delay":      {sandbox.Fault{Name: "latency", Delay: -1}, "Delay"},
		"negative probabilty": {sandbox.Fault{Name: "reset", Probability: -0.1}, "Probability"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := f.OrderFault(c.fault)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	for range 1000 {
		f.order(sandbox.Fault{Name: fault.Reset, Merchant: "808801"})
	}
	_, err := f.OrderFault(sandbox.Fault{Name: fault.Reset})
	require.ErrorContains(t, err, "there are 1000 already")
	_, err = f.try("pMerCode=808801")
	require.Error(t, err)
	f.order(sandbox.Fault{Name: fault.Reset}) // in place of the one that is used up
	assert.Len(t, f.Faults(), 1000)
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sandbox.Fault{
		"reset": {Name: "reset"},
		"reset:op=Transfer,count=2,after,merchant=808801": {Name: "reset", Op: "Transfer", Count: 2, After: true, Merchant: "808801"},
		"notice-delay: delay=3s, probability=0.25":        {Name: "notice-delay", Delay: 3 * time.Second, Probability: 0.25},
		"code:op=doDpTrade,code=MG18099F,text=维护中":        {Name: "code", Op: "doDpTrade", Code: "MG18099F", Text: "维护中"},
		"oversize:size=1024":                              {Name: "oversize", Size: 1024},
		"row:row=2,after=false":                           {Name: "row", Row: 2},
	} {
		got, err := operator.ParseFault(text)
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, got)
		}
	}
	for text, want := range map[string]string{
		"":                 "unknown fault",
		"flood":            `unknown fault "flood"`,
		"reset:color=red":  "color: unknown key",
		"reset:count=many": "count: ",
		"reset:after=so":   "after: ",
		"latency:delay=5":  "delay: ",
		"latency":          "Delay: want a duration",
	} {
		_, err := operator.ParseFault(text)
		assert.ErrorContains(t, err, want, text)
	}
}

// otherMerchant is a second merchant with keys of its own.
func otherMerchant() sandbox.Merchant {
	return sandbox.Merchant{
		Code: "808899", Name: "另一平台", Cert: strings.Repeat("c", 128), Key: strings.Repeat("k", 24), IV: "12345678",
	}
}

// purse is what is available on an account.
func (f *fixture) purse(account string) int64 {
	f.t.Helper()
	b, ok := f.Balance("808801", account)
	require.True(f.t, ok)
	return b.Available
}
