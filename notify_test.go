package ips_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/ips-p2p/ips"
)

func httpClient(rt http.RoundTripper) *http.Client { return &http.Client{Transport: rt} }

// showOutcome is the page of a merchant's return handler.
func showOutcome(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
	_, _ = io.WriteString(w, resp.Base().Outcome.String())
	if err != nil {
		_, _ = io.WriteString(w, ", not recorded")
	}
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestDispatch sends an answer of every operation through NotifyHandler and
// looks which callback hears it.
func TestDispatch(t *testing.T) {
	t.Parallel()
	callbacks := reflect.TypeFor[ips.Callbacks]()
	for _, tt := range operationTests() {
		i := info(t, tt.op)
		if i.Transport == ips.QueryService {
			continue
		}
		t.Run(string(tt.op), func(t *testing.T) {
			t.Parallel()
			// Every callback is set; only that of the operation's method may be called.
			var cb ips.Callbacks
			heard := map[string]ips.Response{}
			for n := range callbacks.NumField() {
				f := callbacks.Field(n)
				reflect.ValueOf(&cb).Elem().Field(n).Set(reflect.MakeFunc(f.Type, func(args []reflect.Value) []reflect.Value {
					heard[f.Name] = args[1].Interface().(ips.Response)
					return []reflect.Value{reflect.Zero(reflect.TypeFor[error]())}
				}))
			}
			c := offlineClient(t)
			answer := sealedAnswer(t, tt.code(), "操作成功！", responseFile(t, tt.op))
			w := serve(c.NotifyHandler(ips.Inbound{Callbacks: cb}), answer.inbound(tt.op))
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Equal(t, "OK\n", w.Body.String())
			assert.Equal(t, map[string]ips.Response{i.Method: tt.response}, heard, "the description's callback must be cb.%s", i.Method)

			// Without its callback it goes to Other, without that it is not taken.
			var other ips.Response
			w = serve(c.NotifyHandler(ips.Inbound{Callbacks: ips.Callbacks{Other: func(_ context.Context, r ips.Response) error {
				other = r
				return nil
			}}}), answer.inbound(tt.op))
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Equal(t, tt.response, other)

			var reported error
			w = serve(c.NotifyHandler(ips.Inbound{OnError: func(_ *http.Request, err error) { reported = err }}), answer.inbound(tt.op))
			assert.Equal(t, http.StatusInternalServerError, w.Code)
			assert.ErrorContains(t, reported, "no callback")
		})
	}
}

// TestForeignAnswers brings every operation's answer to every other
// operation's URL. A user can do that with what his own browser carries, so
// none may be taken for another, unless both have the same kind of answer.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	c := offlineClient(t)
	for _, tt := range operationTests() {
		from := tt.op
		if info(t, from).Transport == ips.QueryService {
			continue
		}
		answer := sealedAnswer(t, "MG00000F", "", responseFile(t, from))
		for _, other := range operationTests() {
			to := other.op
			if info(t, to).Transport == ips.QueryService {
				continue
			}
			resp, err := c.ParseNotification(answer.inbound(to), to)
			switch {
			case from != to && reflect.TypeOf(tt.response) == reflect.TypeFor[*ips.BidResponse]() && reflect.TypeOf(other.response) == reflect.TypeFor[*ips.BidResponse]():
				assert.ErrorIs(t, err, ips.ErrOperation, "%s at %s", from, to)
			case reflect.TypeOf(tt.response) == reflect.TypeOf(other.response):
				assert.NoError(t, err, "%s at %s", from, to)
			case from == ips.OpWithholdingRecharge && to == ips.OpRecharge:
				// It has everything that a recharge has, but only IPS carries it.
				assert.NoError(t, err)
			default:
				assert.Nil(t, resp)
				if !errors.Is(err, ips.ErrOperation) {
					t.Errorf("an answer of %s is taken for one of %s, %v: does its description have a mark?", from, to, err)
				}
			}
		}
	}
}

// TestPendingWithholding: an answer that does not know the real amount yet is
// still one.
func TestPendingWithholding(t *testing.T) {
	t.Parallel()
	doc := document("pMerBillNo", "W1", "pTrdDate", "20141213", "pTrdAmt", "10", "pMerFee", "0", "pIpsFeeType", "1")
	resp := read[*ips.WithholdingRechargeResponse](t, ips.OpWithholdingRecharge, "MG00008F", doc)
	assert.Equal(t, ips.Pending, resp.Outcome)
	assert.Equal(t, 10*ips.Yuan, resp.Amount)
}

// TestNotifyAcknowledges: 200 only after the callback, 500 when it fails, and
// 200 for the repetition that succeeds.
func TestNotifyAcknowledges(t *testing.T) {
	t.Parallel()
	for name, once := range map[string]ips.Once{"without Once": nil, "with Once": new(ips.MemoryOnce)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diskFull := errors.New("disk full")
			calls, fail := 0, true
			var reported []error
			w := httptest.NewRecorder()
			h := offlineClient(t).NotifyHandler(ips.Inbound{
				Once: once,
				Callbacks: ips.Callbacks{Recharge: func(_ context.Context, resp *ips.RechargeResponse) error {
					calls++
					assert.Equal(t, ips.ServerToServer, resp.Via)
					assert.Empty(t, w.Body.String(), "answered before the callback was done")
					if fail {
						return diskFull
					}
					return nil
				}},
				OnError: func(_ *http.Request, err error) { reported = append(reported, err) },
			})
			answer := sealedAnswer(t, "MG00000F", "", rechargeDocument)
			h.ServeHTTP(w, answer.inbound(ips.OpRecharge))
			assert.Equal(t, http.StatusInternalServerError, w.Code)
			assert.NotContains(t, w.Body.String(), "disk")
			fail = false
			w = httptest.NewRecorder()
			h.ServeHTTP(w, answer.inbound(ips.OpRecharge))
			assert.Equal(t, http.StatusOK, w.Code)
			w = httptest.NewRecorder()
			h.ServeHTTP(w, answer.inbound(ips.OpRecharge))
			assert.Equal(t, http.StatusOK, w.Code)
			if once == nil {
				assert.Equal(t, 3, calls)
			} else {
				assert.Equal(t, 2, calls, "the third is a duplicate")
			}
			require.Len(t, reported, 1)
			assert.ErrorIs(t, reported[0], diskFull)
		})
	}
}

// TestRefusalsLookAlike: whatever is wrong, the other side learns nothing.
func TestRefusalsLookAlike(t *testing.T) {
	t.Parallel()
	good := sealedAnswer(t, "MG00000F", "操作成功", rechargeDocument)
	with := func(spoil func(*fiveFields)) *http.Request {
		f := good
		spoil(&f)
		return f.inbound(ips.OpRecharge)
	}
	const form = "application/x-www-form-urlencoded"
	encoded := good.values().Encode()
	requests := map[string]*http.Request{
		"another merchant": with(func(f *fiveFields) { f.merCode = "808802" }),
		"bad signature":    with(func(f *fiveFields) { f.sign = change(f.sign) }),
		"garbage body":     with(func(f *fiveFields) { f.body = "garbage" }),
		"bad padding": with(func(f *fiveFields) {
			f.body = "AAAAAAAAAAA="
			f.sign = vendorKeys(t).SignAnswer(f.errCode, f.errMsg, f.body)
		}),
		"bad XML":               sealedAnswer(t, "MG00000F", "", "<pReq>").inbound(ips.OpRecharge),
		"another operation":     sealedAnswer(t, "MG00000F", "", responseFile(t, ips.OpWithdraw)).inbound(ips.OpRecharge),
		"unknown operation":     good.inbound("no-such-operation"),
		"a query":               good.inbound(ips.OpQueryBalance),
		"PUT":                   withMethod(good.inbound(ips.OpRecharge), http.MethodPut),
		"JSON":                  post(ips.OpRecharge, "application/json", `{"pMerCode":"808801"}`),
		"multipart":             post(ips.OpRecharge, "multipart/form-data; boundary=x", "--x--"),
		"text":                  post(ips.OpRecharge, "text/plain", encoded),
		"no content type":       post(ips.OpRecharge, "", encoded),
		"broken content type":   post(ips.OpRecharge, "application/x-www-form-urlencoded; =", encoded),
		"unknown charset":       post(ips.OpRecharge, form+"; charset=klingon", encoded),
		"empty body":            post(ips.OpRecharge, form, ""),
		"broken percent":        post(ips.OpRecharge, form, encoded+"%zz"),
		"semicolon":             post(ips.OpRecharge, form, encoded+";a=b"),
		"doubled sign":          post(ips.OpRecharge, form, encoded+"&pSign="+good.sign),
		"doubled merchant":      post(ips.OpRecharge, form, "pMerCode=808801&"+encoded),
		"a field is missing":    post(ips.OpRecharge, form, "pMerCode=808801&pErrCode=MG00000F&pErrMsg=&pSign="+good.sign),
		"oversized":             post(ips.OpRecharge, form, encoded+"&x="+strings.Repeat("x", 9<<20)),
		"fields in the URL":     inURL(post(ips.OpRecharge, form, ""), encoded),
		"one field in the URL":  inURL(post(ips.OpRecharge, form, strings.Replace(encoded, "pSign=", "x=", 1)), "pSign="+good.sign),
		"GET":                   httptest.NewRequest(http.MethodGet, "https://p2p.example.com/ips/notify/recharge?"+encoded, nil),
		"HEAD":                  httptest.NewRequest(http.MethodHead, "https://p2p.example.com/ips/notify/recharge", nil),
		"names in another case": post(ips.OpRecharge, form, strings.ToLower(encoded)),
	}
	for name, r := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, returns := range []bool{false, true} {
				reported := 0
				in := ips.Inbound{
					Callbacks: ips.Callbacks{Other: func(context.Context, ips.Response) error {
						t.Error("heard of it")
						return nil
					}},
					OnError: func(_ *http.Request, err error) {
						reported++
						assert.NotContains(t, err.Error(), ips.TestMerchant().Cert.Reveal())
					},
				}
				c := offlineClient(t)
				h := c.NotifyHandler(in)
				if returns {
					h = c.ReturnHandler(in, func(http.ResponseWriter, *http.Request, ips.Response, error) { t.Error("shown to the user") })
				}
				w := serve(h, r.Clone(context.Background()))
				assert.Equal(t, http.StatusBadRequest, w.Code)
				assert.Equal(t, "refused\n", w.Body.String())
				assert.Equal(t, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"}}, w.Header())
				assert.Equal(t, 1, reported)
				r.Body = http.NoBody // the second handler refuses an empty one alike
			}
		})
	}
}

func withMethod(r *http.Request, method string) *http.Request {
	r.Method = method
	return r
}

func inURL(r *http.Request, query string) *http.Request {
	r.URL.RawQuery = query
	return r
}

// TestURLQueryIsIgnored: what stands in the URL neither helps nor harms.
func TestURLQueryIsIgnored(t *testing.T) {
	t.Parallel()
	r := inURL(sealedAnswer(t, "MG00000F", "", rechargeDocument).inbound(ips.OpRecharge), "pSign=0&pMerCode=808802&utm=x")
	resp, err := offlineClient(t).ParseNotification(r, ips.OpRecharge)
	require.NoError(t, err)
	assert.Equal(t, "R20141213000001", resp.Base().OrderNo)
}

// TestFormParsedBefore: a framework in front may have read the body already.
func TestFormParsedBefore(t *testing.T) {
	t.Parallel()
	c := offlineClient(t)
	good := sealedAnswer(t, "MG00000F", "", rechargeDocument)
	r := inURL(good.inbound(ips.OpRecharge), "pSign=0")
	require.NoError(t, r.ParseForm())
	require.Len(t, r.Form["pSign"], 2)
	_, err := c.ParseNotification(r, ips.OpRecharge)
	require.NoError(t, err)

	r = inURL(post(ips.OpRecharge, "application/x-www-form-urlencoded", ""), good.values().Encode())
	require.NoError(t, r.ParseForm())
	require.NotEmpty(t, r.Form)
	_, err = c.ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

// TestDeclaredCharset: the message may come in another encoding if the content
// type says so; the signature is over UTF-8.
func TestDeclaredCharset(t *testing.T) {
	t.Parallel()
	f := sealedAnswer(t, "MG00000F", "操作成功", rechargeDocument)
	for label, encode := range map[string]func(string) (string, error){
		"gbk":     simplifiedchinese.GBK.NewEncoder().String,
		"GB2312":  simplifiedchinese.GBK.NewEncoder().String,
		"gb18030": simplifiedchinese.GB18030.NewEncoder().String,
		"utf-8":   func(s string) (string, error) { return s, nil },
		`"UTF-8"`: func(s string) (string, error) { return s, nil },
	} {
		v := f.values()
		message, err := encode(f.errMsg)
		require.NoError(t, err)
		v.Set("pErrMsg", message)
		resp, err := offlineClient(t).ParseNotification(post(ips.OpRecharge, "application/x-www-form-urlencoded; charset="+label, v.Encode()), ips.OpRecharge)
		require.NoError(t, err, label)
		assert.Equal(t, "操作成功", resp.Base().Message, label)
	}
	v := f.values()
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(f.errMsg)
	require.NoError(t, err)
	v.Set("pErrMsg", gbk)
	_, err = offlineClient(t).ParseNotification(post(ips.OpRecharge, "application/x-www-form-urlencoded", v.Encode()), ips.OpRecharge)
	assert.ErrorIs(t, err, ips.ErrSignature, "GBK that does not say so")
}

// TestOperationOf lets the merchant say what an answer is about.
func TestOperationOf(t *testing.T) {
	t.Parallel()
	r := sealedAnswer(t, "MG00000F", "", rechargeDocument).inbound("x")
	r.URL.Path = "/callbacks/17"
	heard := false
	w := serve(offlineClient(t).NotifyHandler(ips.Inbound{
		OperationOf: func(*http.Request) ips.Operation { return ips.OpRecharge },
		Callbacks: ips.Callbacks{Recharge: func(context.Context, *ips.RechargeResponse) error {
			heard = true
			return nil
		}},
	}), r)
	assert.Equal(t, http.StatusOK, w.Code)
	assert.True(t, heard)
}

// TestReturnHandler shows the user the outcome, whatever it is.
func TestReturnHandler(t *testing.T) {
	t.Parallel()
	fail := errors.New("disk full")
	for code, want := range map[ips.Code]string{"MG00000F": "success", "MG00008F": "pending", "MG00001F": "failure"} {
		for _, callbackErr := range []error{nil, fail} {
			var reported error
			h := offlineClient(t).ReturnHandler(ips.Inbound{
				Callbacks: ips.Callbacks{Recharge: func(_ context.Context, resp *ips.RechargeResponse) error {
					assert.Equal(t, ips.WebReturn, resp.Via)
					return callbackErr
				}},
				OnError: func(_ *http.Request, err error) { reported = err },
			}, showOutcome)
			w := serve(h, sealedAnswer(t, code, "", rechargeDocument).inbound(ips.OpRecharge))
			assert.Equal(t, http.StatusOK, w.Code)
			if callbackErr != nil {
				assert.Equal(t, want+", not recorded", w.Body.String())
				assert.ErrorIs(t, reported, fail)
			} else {
				assert.Equal(t, want, w.Body.String())
				assert.NoError(t, reported)
			}
		}
	}
}

// TestRefusalWithoutOrderNumberIsNeverADuplicate: it has no key.
func TestRefusalWithoutOrderNumberIsNeverADuplicate(t *testing.T) {
	t.Parallel()
	calls := 0
	h := offlineClient(t).NotifyHandler(ips.Inbound{Once: new(ips.MemoryOnce), Callbacks: ips.Callbacks{
		Recharge: func(context.Context, *ips.RechargeResponse) error {
			calls++
			return nil
		},
	}})
	for range 3 {
		assert.Equal(t, http.StatusOK, serve(h, sealedAnswer(t, "MG00006F", "", "").inbound(ips.OpRecharge)).Code)
	}
	assert.Equal(t, 3, calls)
}

// TestPanickingCallback: net/http catches the panic, nothing is acknowledged,
// and the repetition gets its chance.
func TestPanickingCallback(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := httptest.NewUnstartedServer(offlineClient(t).NotifyHandler(ips.Inbound{
		Once: new(ips.MemoryOnce),
		Callbacks: ips.Callbacks{Recharge: func(context.Context, *ips.RechargeResponse) error {
			if calls.Add(1) == 1 {
				panic("callback went wrong")
			}
			return nil
		}},
	}))
	s.Config.ErrorLog = discardLog() // where net/http writes the panic
	s.Start()
	defer s.Close()
	send := func() (*http.Response, error) {
		return http.PostForm(s.URL+"/ips/notify/recharge", sealedAnswer(t, "MG00000F", "", rechargeDocument).values())
	}
	_, err := send()
	require.Error(t, err)
	for range 2 {
		resp, err := send()
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusOK, resp.StatusCode)
	}
	assert.EqualValues(t, 2, calls.Load())
}

// TestMemoryOnceConcurrently sends many copies of many answers at once, of
// which the first ones fail.
func TestMemoryOnceConcurrently(t *testing.T) {
	t.Parallel()
	var once ips.MemoryOnce
	const keys, copies, failures = 20, 50, 3
	var succeeded, failed [keys]atomic.Int32
	var running [keys]atomic.Int32
	var wg sync.WaitGroup
	for k := range keys {
		key := ips.AnswerKey{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: string(rune('A' + k)), Code: "MG00000F"}
		for range copies {
			wg.Go(func() {
				_ = once.Do(context.Background(), key, func(context.Context) error {
					assert.EqualValues(t, 1, running[k].Add(1), "two at once")
					defer running[k].Add(-1)
					if failed[k].Load() < failures {
						failed[k].Add(1)
						return errors.New("not yet")
					}
					succeeded[k].Add(1)
					return nil
				})
			})
		}
	}
	wg.Wait()
	for k := range keys {
		assert.EqualValues(t, failures, failed[k].Load())
		assert.EqualValues(t, 1, succeeded[k].Load())
	}
}

// TestMemoryOnceWaits: a copy waits for the first one's end, but no longer than
// its own context.
func TestMemoryOnceWaits(t *testing.T) {
	t.Parallel()
	var once ips.MemoryOnce
	key := ips.AnswerKey{OrderNo: "R1"}
	started, finish := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- once.Do(context.Background(), key, func(context.Context) error {
			close(started)
			<-finish
			return nil
		})
	}()
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	never := func(context.Context) error {
		t.Error("ran twice")
		return nil
	}
	require.ErrorIs(t, once.Do(ctx, key, never), context.DeadlineExceeded)
	close(finish)
	require.NoError(t, <-first)
	require.NoError(t, once.Do(context.Background(), key, never))
}

// TestMemoryOnceKnowsWithoutContext: a copy of what is done needs no waiting, so
// it does not matter that the one who brought it has gone.
func TestMemoryOnceKnowsWithoutContext(t *testing.T) {
	t.Parallel()
	var once ips.MemoryOnce
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		require.NoError(t, once.Do(ctx, ips.AnswerKey{OrderNo: "R1"}, func(context.Context) error { return nil }))
	}
}

func TestAnswerKey(t *testing.T) {
	t.Parallel()
	key := ips.AnswerKey{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: "R1", Code: "MG00000F"}
	assert.Equal(t, "808801/recharge/R1/MG00000F", key.String())
	seen := map[string]bool{key.String(): true}
	for _, other := range []ips.AnswerKey{
		{MerchantCode: "808802", Operation: ips.OpRecharge, OrderNo: "R1", Code: "MG00000F"},
		{MerchantCode: "808801", Operation: ips.OpWithdraw, OrderNo: "R1", Code: "MG00000F"},
		{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: "R2", Code: "MG00000F"},
		{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: "R1", Code: "MG00008F"},
	} {
		assert.False(t, seen[other.String()])
		seen[other.String()] = true
	}
}

// TestReadErrorIsRefused: the body breaks off on the way.
func TestReadErrorIsRefused(t *testing.T) {
	t.Parallel()
	r := post(ips.OpRecharge, "application/x-www-form-urlencoded", "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("pMerCode=808801"), brokenReader{}))
	_, err := offlineClient(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestInboundValuesAreNotForged: form values that a caller changed after
// parsing are what is verified.
func TestInboundValuesAreNotForged(t *testing.T) {
	t.Parallel()
	r := post(ips.OpRecharge, "application/x-www-form-urlencoded", "")
	r.PostForm = url.Values(sealedAnswer(t, "MG00000F", "", rechargeDocument).values())
	r.PostForm.Set("pErrCode", "MG00001F")
	_, err := offlineClient(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrSignature)
}

// TestHandleSynchronous books the answer of a call and the notification of the
// same order in one place, once.
func TestHandleSynchronous(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpUnfreezeMargin)
	doc := document("pMerBillNo", e.orderNo(), "pUnfreezeAmt", "10.00")
	a := sealedAnswer(t, ips.CodeSuccess, "操作成功", doc)
	c, _ := recordingClient(t, soapAnswer("GuaranteeUnfreeze", a.result()), "text/xml")
	var booked []ips.Via
	in := ips.Inbound{Once: new(ips.MemoryOnce), Callbacks: ips.Callbacks{
		UnfreezeMargin: func(_ context.Context, r *ips.UnfreezeMarginResponse) error {
			booked = append(booked, r.Via)
			return nil
		},
	}}
	_, resp, err := e.send(c, e.request)
	require.NoError(t, err)
	require.NoError(t, in.Handle(t.Context(), resp))
	w := httptest.NewRecorder()
	c.NotifyHandler(in).ServeHTTP(w, a.inbound(ips.OpUnfreezeMargin))
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, []ips.Via{ips.Synchronous}, booked)
}
