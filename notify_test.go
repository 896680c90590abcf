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
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
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

// TestDispatch sends an answer of every operation through NotifyHandler: it is
// heard as the type of its operation, by the one On that names it, and by nobody
// where none does.
func TestDispatch(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		if fixture.Info(t, tt.op).Transport == ips.QueryService {
			continue
		}
		t.Run(string(tt.op), func(t *testing.T) {
			t.Parallel()
			c := fixture.Client(t)
			answer := fixture.Sealed(tt.response.Base().Code, "操作成功！", responseFile(t, tt.op))
			var heard ips.Response
			w := serve(c.NotifyHandler(ips.Inbound{Hear: hear(func(r ips.Response) error {
				heard = r
				return nil
			})}), answer.Inbound(tt.op))
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Equal(t, "OK\n", w.Body.String())
			fixture.AssertAnswer(t, tt.response, heard)

			_, isBid := tt.response.(*ips.BidResponse)
			bids, others := 0, 0
			table := ips.On(func(_ context.Context, r *ips.BidResponse) error {
				bids++
				return nil
			}, hear(func(ips.Response) error {
				others++
				return nil
			}))
			assert.Equal(t, http.StatusOK, serve(c.NotifyHandler(ips.Inbound{Hear: table}), answer.Inbound(tt.op)).Code)
			assert.Equal(t, isBid, bids == 1 && others == 0)
			assert.Equal(t, !isBid, bids == 0 && others == 1)
		})
	}
}

// TestUnheard: an answer that nobody takes is not acknowledged, its key is not
// kept, and OnError hears of it.
func TestUnheard(t *testing.T) {
	t.Parallel()
	answer := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
	takesBids := ips.On(func(context.Context, *ips.BidResponse) error { return nil }, nil)
	for name, h := range map[string]ips.Handler{
		"nil": nil, "type switch": hear(func(ips.Response) error { return ips.ErrUnheard }), "On": takesBids,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var once ipstest.MemoryOnce
			var reported []error
			in := ips.Inbound{OnError: func(_ *http.Request, err error) { reported = append(reported, err) }}
			if h != nil {
				in.Hear = ips.Deduplicated(&once, h)
			}
			c := fixture.Client(t)
			w := serve(c.NotifyHandler(in), answer.Inbound(ips.OpRecharge))
			assert.Equal(t, http.StatusNotImplemented, w.Code)
			assert.Equal(t, "not heard\n", w.Body.String())
			var shown error
			serve(c.ReturnHandler(in, func(_ http.ResponseWriter, _ *http.Request, a ips.Response, err error) {
				assert.NotNil(t, a)
				shown = err
			}), answer.Inbound(ips.OpRecharge))
			assert.ErrorIs(t, shown, ips.ErrUnheard)
			require.Len(t, reported, 2)
			assert.ErrorIs(t, reported[0], ips.ErrUnheard)

			// A program that has learnt to take it hears it.
			heard := false
			in.Hear = ips.Deduplicated(&once, hear(func(ips.Response) error { heard = true; return nil }))
			assert.Equal(t, http.StatusOK, serve(c.NotifyHandler(in), answer.Inbound(ips.OpRecharge)).Code)
			assert.True(t, heard, "the key was kept")
		})
	}
}

// TestForeignAnswers brings every operation's answer to every other
// operation's URL. A user can do that with what his own browser carries, so
// none may be taken for another, unless both have the same kind of answer.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	c := fixture.Client(t)
	for _, tt := range examples(t) {
		from := tt.op
		if fixture.Info(t, from).Transport == ips.QueryService {
			continue
		}
		answer := fixture.Sealed("MG00000F", "", responseFile(t, from))
		for _, other := range examples(t) {
			to := other.op
			if fixture.Info(t, to).Transport == ips.QueryService {
				continue
			}
			resp, err := c.ParseNotification(answer.Inbound(to), to)
			switch {
			case from != to && reflect.TypeOf(tt.response) == reflect.TypeFor[*ips.BidResponse]() && reflect.TypeOf(other.response) == reflect.TypeFor[*ips.BidResponse]():
				assert.ErrorIs(t, err, ips.ErrOperation, "%s at %s", from, to)
			case reflect.TypeOf(tt.response) == reflect.TypeOf(other.response):
				assert.NoError(t, err, "%s at %s", from, to)
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
	doc := fixture.Document("pMerBillNo", "W1", "pTrdDate", "20141213", "pTrdAmt", "10", "pMerFee", "0", "pIpsFeeType", "1")
	resp := read[*ips.WithholdingRechargeResponse](t, ips.OpWithholdingRecharge, "MG00008F", doc)
	assert.Equal(t, ips.Pending, resp.Outcome)
	assert.Equal(t, 10*ips.Yuan, resp.Amount)
}

// TestNotifyAcknowledges: 200 only after the handler, 500 when it fails, and
// 200 for the repetition that succeeds.
func TestNotifyAcknowledges(t *testing.T) {
	t.Parallel()
	for _, deduplicated := range []bool{false, true} {
		diskFull := errors.New("disk full")
		calls, fail := 0, true
		var reported []error
		w := httptest.NewRecorder()
		h := ips.On(func(_ context.Context, resp *ips.RechargeResponse) error {
			calls++
			assert.Equal(t, ips.ServerToServer, resp.Via)
			assert.Empty(t, w.Body.String(), "answered before the handler was done")
			if fail {
				return diskFull
			}
			return nil
		}, nil)
		if deduplicated {
			h = ips.Deduplicated(new(ipstest.MemoryOnce), h)
		}
		notify := fixture.Client(t).NotifyHandler(ips.Inbound{Hear: h, OnError: func(_ *http.Request, err error) { reported = append(reported, err) }})
		answer := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
		notify.ServeHTTP(w, answer.Inbound(ips.OpRecharge))
		assert.Equal(t, http.StatusInternalServerError, w.Code)
		assert.NotContains(t, w.Body.String(), "disk")
		fail = false
		for range 2 {
			w = httptest.NewRecorder()
			notify.ServeHTTP(w, answer.Inbound(ips.OpRecharge))
			assert.Equal(t, http.StatusOK, w.Code)
		}
		if deduplicated {
			assert.Equal(t, 2, calls, "the third is a duplicate")
		} else {
			assert.Equal(t, 3, calls)
		}
		require.Len(t, reported, 1)
		assert.ErrorIs(t, reported[0], diskFull)
	}
}

// TestRefusalsLookAlike: whatever is wrong, the other side learns nothing.
func TestRefusalsLookAlike(t *testing.T) {
	t.Parallel()
	good := fixture.Sealed("MG00000F", "操作成功", fixture.RechargeDocument)
	with := func(spoil func(*fixture.Answer)) *http.Request {
		f := good
		spoil(&f)
		return f.Inbound(ips.OpRecharge)
	}
	const form = "application/x-www-form-urlencoded"
	encoded := good.Values().Encode()
	requests := map[string]*http.Request{
		"another merchant": with(func(f *fixture.Answer) { f.MerCode = "808802" }),
		"bad signature":    with(func(f *fixture.Answer) { f.Sign = fixture.Change(f.Sign) }),
		"garbage body":     with(func(f *fixture.Answer) { f.Body = "garbage" }),
		"bad padding": with(func(f *fixture.Answer) {
			f.Body = "AAAAAAAAAAA="
			f.Sign = fixture.Keys().SignAnswer(f.ErrCode, f.ErrMsg, f.Body)
		}),
		"bad XML":               fixture.Sealed("MG00000F", "", "<pReq>").Inbound(ips.OpRecharge),
		"another operation":     fixture.Sealed("MG00000F", "", responseFile(t, ips.OpWithdraw)).Inbound(ips.OpRecharge),
		"unknown operation":     good.Inbound("no-such-operation"),
		"a query":               good.Inbound(ips.OpQueryBalance),
		"PUT":                   withMethod(good.Inbound(ips.OpRecharge), http.MethodPut),
		"JSON":                  fixture.Post(ips.OpRecharge, "application/json", `{"pMerCode":"808801"}`),
		"multipart":             fixture.Post(ips.OpRecharge, "multipart/form-data; boundary=x", "--x--"),
		"text":                  fixture.Post(ips.OpRecharge, "text/plain", encoded),
		"no content type":       fixture.Post(ips.OpRecharge, "", encoded),
		"broken content type":   fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded; =", encoded),
		"unknown charset":       fixture.Post(ips.OpRecharge, form+"; charset=klingon", encoded),
		"empty body":            fixture.Post(ips.OpRecharge, form, ""),
		"broken percent":        fixture.Post(ips.OpRecharge, form, encoded+"%zz"),
		"semicolon":             fixture.Post(ips.OpRecharge, form, encoded+";a=b"),
		"doubled sign":          fixture.Post(ips.OpRecharge, form, encoded+"&pSign="+good.Sign),
		"doubled merchant":      fixture.Post(ips.OpRecharge, form, "pMerCode=808801&"+encoded),
		"a field is missing":    fixture.Post(ips.OpRecharge, form, "pMerCode=808801&pErrCode=MG00000F&pErrMsg=&pSign="+good.Sign),
		"oversized":             fixture.Post(ips.OpRecharge, form, encoded+"&x="+strings.Repeat("x", 9<<20)),
		"fields in the URL":     inURL(fixture.Post(ips.OpRecharge, form, ""), encoded),
		"one field in the URL":  inURL(fixture.Post(ips.OpRecharge, form, strings.Replace(encoded, "pSign=", "x=", 1)), "pSign="+good.Sign),
		"GET":                   httptest.NewRequest(http.MethodGet, "https://p2p.example.com/ips/notify/recharge?"+encoded, nil),
		"HEAD":                  httptest.NewRequest(http.MethodHead, "https://p2p.example.com/ips/notify/recharge", nil),
		"names in another case": fixture.Post(ips.OpRecharge, form, strings.ToLower(encoded)),
	}
	for name, r := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, returns := range []bool{false, true} {
				var reported []error
				in := ips.Inbound{
					Hear: hear(func(ips.Response) error {
						t.Error("heard of it")
						return nil
					}),
					OnError: func(_ *http.Request, err error) {
						reported = append(reported, err)
						assert.NotContains(t, err.Error(), ips.TestMerchant().Cert.Reveal())
					},
				}
				c := fixture.Client(t)
				if returns {
					shown := 0
					h := c.ReturnHandler(in, func(w http.ResponseWriter, _ *http.Request, answer ips.Response, err error) {
						shown++
						assert.True(t, answer == nil, "a nil that is not nil")
						assert.Equal(t, reported[0], err)
						http.Redirect(w, r, "/orders", http.StatusSeeOther)
					})
					w := serve(h, r.Clone(context.Background()))
					assert.Equal(t, http.StatusSeeOther, w.Code, "the page is the merchant's own")
					assert.Equal(t, 1, shown)
				} else {
					w := serve(c.NotifyHandler(in), r.Clone(context.Background()))
					assert.Equal(t, http.StatusBadRequest, w.Code)
					assert.Equal(t, "refused\n", w.Body.String())
					assert.Equal(t, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"}}, w.Header())
				}
				assert.Len(t, reported, 1)
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
	r := inURL(fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge), "pSign=0&pMerCode=808802&utm=x")
	resp, err := fixture.Client(t).ParseNotification(r, ips.OpRecharge)
	require.NoError(t, err)
	assert.Equal(t, "R20141213000001", resp.Base().OrderNo)
}

// TestFormParsedBefore: a framework in front may have read the body already.
func TestFormParsedBefore(t *testing.T) {
	t.Parallel()
	c := fixture.Client(t)
	good := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
	r := inURL(good.Inbound(ips.OpRecharge), "pSign=0")
	require.NoError(t, r.ParseForm())
	require.Len(t, r.Form["pSign"], 2)
	_, err := c.ParseNotification(r, ips.OpRecharge)
	require.NoError(t, err)

	r = inURL(fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", ""), good.Values().Encode())
	require.NoError(t, r.ParseForm())
	require.NotEmpty(t, r.Form)
	_, err = c.ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

// TestDeclaredCharset: the message may come in another encoding if the content
// type says so; the signature is over UTF-8.
func TestDeclaredCharset(t *testing.T) {
	t.Parallel()
	f := fixture.Sealed("MG00000F", "操作成功", fixture.RechargeDocument)
	for label, encode := range map[string]func(string) (string, error){
		"gbk":     simplifiedchinese.GBK.NewEncoder().String,
		"GB2312":  simplifiedchinese.GBK.NewEncoder().String,
		"gb18030": simplifiedchinese.GB18030.NewEncoder().String,
		"utf-8":   func(s string) (string, error) { return s, nil },
		`"UTF-8"`: func(s string) (string, error) { return s, nil },
	} {
		v := f.Values()
		message, err := encode(f.ErrMsg)
		require.NoError(t, err)
		v.Set("pErrMsg", message)
		resp, err := fixture.Client(t).ParseNotification(fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded; charset="+label, v.Encode()), ips.OpRecharge)
		require.NoError(t, err, label)
		assert.Equal(t, "操作成功", resp.Base().Message, label)
	}
	v := f.Values()
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(f.ErrMsg)
	require.NoError(t, err)
	v.Set("pErrMsg", gbk)
	_, err = fixture.Client(t).ParseNotification(fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", v.Encode()), ips.OpRecharge)
	assert.ErrorIs(t, err, ips.ErrSignature, "GBK that does not say so")
}

// TestOperationOf lets the merchant say what an answer is about.
func TestOperationOf(t *testing.T) {
	t.Parallel()
	r := fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound("x")
	r.URL.Path = "/callbacks/17"
	heard := false
	w := serve(fixture.Client(t).NotifyHandler(ips.Inbound{
		OperationOf: func(*http.Request) ips.Operation { return ips.OpRecharge },
		Hear: hear(func(ips.Response) error {
			heard = true
			return nil
		}),
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
			h := fixture.Client(t).ReturnHandler(ips.Inbound{
				Hear: hear(func(resp ips.Response) error {
					assert.Equal(t, ips.WebReturn, resp.Base().Via)
					return callbackErr
				}),
				OnError: func(_ *http.Request, err error) { reported = err },
			}, showOutcome)
			w := serve(h, fixture.Sealed(code, "", fixture.RechargeDocument).Inbound(ips.OpRecharge))
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
	h := fixture.Client(t).NotifyHandler(ips.Inbound{Hear: ips.Deduplicated(new(ipstest.MemoryOnce), hear(func(resp ips.Response) error {
		calls++
		assert.Equal(t, ips.Undecided, resp.Base().Outcome)
		return nil
	}))})
	for range 3 {
		assert.Equal(t, http.StatusOK, serve(h, fixture.Sealed("MG00006F", "", "").Inbound(ips.OpRecharge)).Code)
	}
	assert.Equal(t, 3, calls)
}

// TestPanickingHandler: a panic is told to OnError and answered 500, and the
// repetition gets its chance. Only http.ErrAbortHandler goes through.
func TestPanickingHandler(t *testing.T) {
	t.Parallel()
	calls := 0
	var reported []error
	in := ips.Inbound{
		Hear: ips.Deduplicated(new(ipstest.MemoryOnce), hear(func(ips.Response) error {
			if calls++; calls == 1 {
				panic("went wrong")
			}
			return nil
		})),
		OnError: func(_ *http.Request, err error) { reported = append(reported, err) },
	}
	answer := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
	notify := fixture.Client(t).NotifyHandler(in)
	w := serve(notify, answer.Inbound(ips.OpRecharge))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.NotContains(t, w.Body.String(), "went wrong")
	require.Len(t, reported, 1)
	assert.ErrorContains(t, reported[0], "recharge: panic: went wrong")
	for range 2 {
		assert.Equal(t, http.StatusOK, serve(notify, answer.Inbound(ips.OpRecharge)).Code)
	}
	assert.Equal(t, 2, calls)
	assert.Len(t, reported, 1)

	// The page of a return is shown all the same.
	in.Hear = hear(func(ips.Response) error { panic("went wrong") })
	serve(fixture.Client(t).ReturnHandler(in, func(_ http.ResponseWriter, _ *http.Request, answer ips.Response, err error) {
		assert.Equal(t, ips.Success, answer.Base().Outcome)
		assert.ErrorContains(t, err, "panic")
	}), answer.Inbound(ips.OpRecharge))
	assert.Len(t, reported, 2)

	in.Hear = hear(func(ips.Response) error { panic(http.ErrAbortHandler) })
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { serve(fixture.Client(t).NotifyHandler(in), answer.Inbound(ips.OpRecharge)) })
	assert.Len(t, reported, 2)

	// A panic without OnError is answered too.
	in.Hear, in.OnError = hear(func(ips.Response) error { panic(1) }), nil
	assert.Equal(t, http.StatusInternalServerError, serve(fixture.Client(t).NotifyHandler(in), answer.Inbound(ips.OpRecharge)).Code)
}

// TestHandlerOutlivesTheCaller: IPS hangs up after its own time, and a
// transaction that was cut off each time would never end. What bounds it is
// Inbound.Timeout.
func TestHandlerOutlivesTheCaller(t *testing.T) {
	t.Parallel()
	type key struct{}
	answer := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
	ctx, hangUp := context.WithCancel(context.WithValue(context.Background(), key{}, "trace"))
	h := fixture.Client(t).NotifyHandler(ips.Inbound{Hear: func(ctx context.Context, _ ips.Response) error {
		hangUp()
		assert.NoError(t, ctx.Err())
		assert.Equal(t, "trace", ctx.Value(key{}), "what stands in the request's context is kept")
		deadline, ok := ctx.Deadline()
		assert.True(t, ok)
		assert.WithinDuration(t, time.Now().Add(30*time.Second), deadline, 5*time.Second)
		return nil
	}})
	assert.Equal(t, http.StatusOK, serve(h, answer.Inbound(ips.OpRecharge).WithContext(ctx)).Code)

	h = fixture.Client(t).NotifyHandler(ips.Inbound{Timeout: time.Millisecond, Hear: func(ctx context.Context, _ ips.Response) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	assert.Equal(t, http.StatusInternalServerError, serve(h, answer.Inbound(ips.OpRecharge)).Code)
}

func TestReturnHandlerNeedsAPage(t *testing.T) {
	t.Parallel()
	assert.Panics(t, func() { fixture.Client(t).ReturnHandler(ips.Inbound{}, nil) })
}

// TestBodyReadBefore: a logger in front has drained the body. That is named, and
// is not taken for a message without fields.
func TestBodyReadBefore(t *testing.T) {
	t.Parallel()
	r := fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge)
	_, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	_, err = fixture.Client(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
	assert.ErrorContains(t, err, "something in front has read it")

	// Nobody has read what was never there.
	_, err = fixture.Client(t).ParseNotification(fixture.Post(ips.OpRecharge, formType, ""), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
	assert.ErrorContains(t, err, "pMerCode stands there 0 times")
}

// TestWrongPlaceIsNamed: whoever mounts a handler in the wrong place is told how
// it knows the operation.
func TestWrongPlaceIsNamed(t *testing.T) {
	t.Parallel()
	r := fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Inbound("")
	_, err := fixture.Client(t).ParseNotification(r, "notify")
	require.ErrorIs(t, err, ips.ErrOperation)
	assert.ErrorContains(t, err, `"notify"; the address must end in an operation's name, or Inbound.OperationOf say it`)
}

// TestReadErrorIsRefused: the body breaks off on the way.
func TestReadErrorIsRefused(t *testing.T) {
	t.Parallel()
	r := fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("pMerCode=808801"), brokenReader{}))
	_, err := fixture.Client(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestInboundValuesAreNotForged: form values that a caller changed after
// parsing are what is verified.
func TestInboundValuesAreNotForged(t *testing.T) {
	t.Parallel()
	r := fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", "")
	r.PostForm = url.Values(fixture.Sealed("MG00000F", "", fixture.RechargeDocument).Values())
	r.PostForm.Set("pErrCode", "MG00001F")
	_, err := fixture.Client(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrSignature)
}

// TestOneDoor books the answer of a call and the notification of the same order
// in one place, once.
func TestOneDoor(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpUnfreezeMargin)
	doc := fixture.Document("pMerBillNo", e.orderNo(), "pUnfreezeAmt", "10.00")
	a := fixture.Sealed(ips.CodeSuccess, "操作成功", doc)
	c, _ := fixture.RecordingClient(t, fixture.SOAP("GuaranteeUnfreeze", a.Result()), "text/xml")
	var booked []ips.Via
	h := ips.Deduplicated(new(ipstest.MemoryOnce), hear(func(r ips.Response) error {
		booked = append(booked, r.Base().Via)
		return nil
	}))
	_, resp, err := e.send(c, e.request)
	require.NoError(t, err)
	require.NoError(t, h(t.Context(), resp))
	w := serve(c.NotifyHandler(ips.Inbound{Hear: h}), a.Inbound(ips.OpUnfreezeMargin))
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, []ips.Via{ips.Synchronous}, booked)
}

// TestAnswerOfAQueryIsNoNotification: a trade query's answer is signed as any
// answer is and says MG00000F even of an order that failed. Whoever carries it to
// a notify URL must not make a success of it.
func TestAnswerOfAQueryIsNoNotification(t *testing.T) {
	t.Parallel()
	for _, op := range ips.Operations() {
		for _, code := range []ips.Code{"MG00000F", "MG00008F", "MG02501F", "MG02505F", "0000"} {
			a := fixture.Sealed(code, "", fixture.Document("pMerBillNo", "R1", "pTradeType", "08", "pTradeStatue", "2", "pIpsBillNo", "NT1"))
			_, err := fixture.Client(t).ParseNotification(a.Inbound(op.Operation), op.Operation)
			assert.ErrorIs(t, err, ips.ErrOperation, "%s %s", op.Operation, code)
		}
	}
}

// TestInboundWithoutBody: a request that was made by hand has none.
func TestInboundWithoutBody(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequest(http.MethodPost, "https://p2p.example.com/ips/notify/recharge", nil)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	require.Nil(t, r.Body)
	_, err = fixture.Client(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

// TestInboundBodies: two content types are none, and a body that was cut short is
// called something else than one that somebody in front has read.
func TestInboundBodies(t *testing.T) {
	t.Parallel()
	whole := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
	r := whole.Inbound(ips.OpRecharge)
	r.Header.Add("Content-Type", "application/x-www-form-urlencoded")
	_, err := fixture.Client(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorContains(t, err, "content type stands there 2 times")
	for text, want := range map[string]string{"": "something in front has read it", "p": "ends too early", whole.Values().Encode(): "ends too early"} {
		r := whole.Inbound(ips.OpRecharge)
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(text), failingBody{io.ErrUnexpectedEOF})), 9999
		_, err := fixture.Client(t).ParseNotification(r, ips.OpRecharge)
		require.ErrorIs(t, err, ips.ErrMalformed)
		require.ErrorContains(t, err, want)
	}
}

// TestBodyTooLarge: the limit holds for what is read, signed or not.
func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	f := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
	body := f.Values().Encode()
	exact := fixture.Client(t, ips.WithLimits(ips.Limits{Inbound: int64(len(body))}))
	_, err := exact.ParseNotification(f.Inbound(ips.OpRecharge), ips.OpRecharge)
	require.NoError(t, err)
	less := fixture.Client(t, ips.WithLimits(ips.Limits{Inbound: int64(len(body) - 1)}))
	_, err = less.ParseNotification(f.Inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrTooLarge)
}
