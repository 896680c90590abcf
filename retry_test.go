package ips_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// script is a network that answers the n-th request, from 1, as it is told, and
// notes when they came.
type script struct {
	answer func(n int) (*http.Response, error)
	start  time.Time
	at     []time.Duration // since the first request
	bodies []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.at == nil {
		s.start = time.Now()
	}
	s.at = append(s.at, time.Since(s.start))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.bodies = append(s.bodies, string(body))
	return s.answer(len(s.at))
}

func (s *script) client(t testing.TB, opts ...ips.Option) *ips.Client {
	t.Helper()
	return fixture.Client(t, append(opts, ips.WithHTTPClient(httpClient(s)))...)
}

// waits are the pauses between the requests.
func (s *script) waits() []time.Duration {
	var all []time.Duration
	for i := 1; i < len(s.at); i++ {
		all = append(all, s.at[i]-s.at[i-1])
	}
	return all
}

func httpAnswer(status int, contentType, body string, header ...string) *http.Response {
	r := &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// failing fails the first n requests with err and answers the others.
func failing(n int, err error, answer string) func(int) (*http.Response, error) {
	return func(i int) (*http.Response, error) {
		if i <= n {
			return nil, err
		}
		return httpAnswer(http.StatusOK, "text/xml", answer), nil
	}
}

// transferResult is the answer to the example's transfer.
func transferResult(t testing.TB, code ips.Code) string {
	return fixture.SOAP("Transfer", fixture.Sealed(code, "说明", fixture.Document("pMerBillNo", "T20141213000001", "pTransferType", "1")).Result())
}

func exampleTransfer(t testing.TB) ips.TransferRequest {
	t.Helper()
	return *exampleOf(t, ips.OpTransfer).request.(*ips.TransferRequest)
}

var quick = ips.RetryPolicy{Attempts: 4, Wait: time.Second}

func TestRetry(t *testing.T) {
	t.Parallel()
	cut := errors.New("connection reset")
	for name, tt := range map[string]struct {
		policy *ips.RetryPolicy
		answer func(int) (*http.Response, error)
		calls  int
		want   error
	}{
		"nothing is repeated by default": {nil, failing(1, ips.ErrNotSent, ""), 1, ips.ErrNotSent},
		"settled by the third":           {&quick, failing(2, ips.ErrNotSent, transferResult(t, ips.CodeProcessing)), 3, nil},
		"refused by the second":          {&quick, failing(1, ips.ErrNotSent, transferResult(t, ips.CodeFailed)), 2, ips.CodeFailed},
		"a refusal is not repeated":      {&quick, failing(0, nil, transferResult(t, ips.CodeFailed)), 1, ips.CodeFailed},
		"attempts are bounded":           {&quick, failing(99, ips.ErrNotSent, ""), 4, ips.ErrNotSent},
		"an unknown fate is not":         {&quick, failing(1, cut, transferResult(t, ips.CodeProcessing)), 1, ips.ErrFateUnknown},
		"nor one after what was not sent": {&quick, func(n int) (*http.Response, error) {
			return nil, map[int]error{1: ips.ErrNotSent, 2: cut}[n]
		}, 2, ips.ErrFateUnknown},
		"nor a duplicate": {&quick, failing(0, nil, transferResult(t, ips.CodeDuplicate)), 1, ips.ErrDuplicate},
		"nor a 503":       {&quick, func(int) (*http.Response, error) { return httpAnswer(503, "text/html", ""), nil }, 1, ips.ErrFateUnknown},
		"nor a 404":       {&quick, func(int) (*http.Response, error) { return httpAnswer(404, "text/html", ""), nil }, 1, nil},
		"the budget is kept": {&ips.RetryPolicy{Attempts: 9, Wait: time.Hour, MaxWait: time.Hour, Budget: time.Minute},
			failing(99, ips.ErrNotSent, ""), 1, ips.ErrNotSent},
		"up to its end": {&ips.RetryPolicy{Attempts: 9, Wait: 8 * time.Second, MaxWait: 8 * time.Second, Budget: 20 * time.Second, Tokens: 99},
			failing(99, ips.ErrNotSent, ""), 0, ips.ErrNotSent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answer: tt.answer}
				var opts []ips.Option
				if tt.policy != nil {
					opts = append(opts, ips.WithRetry(*tt.policy))
				}
				_, err := s.client(t, opts...).Transfer(t.Context(), exampleTransfer(t))
				if tt.want != nil {
					require.ErrorIs(t, err, tt.want)
				}
				if tt.calls != 0 {
					assert.Len(t, s.at, tt.calls)
				} else { // waits of 4 to 8 seconds in 20
					assert.GreaterOrEqual(t, len(s.at), 3)
					assert.LessOrEqual(t, s.at[len(s.at)-1], 20*time.Second)
				}
				for _, b := range s.bodies {
					assert.Equal(t, s.bodies[0], b, "a repetition must be the very same message")
				}
			})
		})
	}
}

// TestWaitsGrow: each wait is between half and all of Wait, doubled for every
// further one, and never more than MaxWait, the first included.
func TestWaitsGrow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy ips.RetryPolicy
		most   []time.Duration
	}{
		"doubled":          {ips.RetryPolicy{Attempts: 6, Wait: time.Second, MaxWait: time.Hour}, []time.Duration{1, 2, 4, 8, 16}},
		"bounded":          {ips.RetryPolicy{Attempts: 6, Wait: time.Second, MaxWait: 5 * time.Second}, []time.Duration{1, 2, 4, 5, 5}},
		"the first too":    {ips.RetryPolicy{Attempts: 3, Wait: time.Minute, MaxWait: 2 * time.Second}, []time.Duration{2, 2}},
		"30 s by default":  {ips.RetryPolicy{Attempts: 3, Wait: time.Hour}, []time.Duration{30, 30}},
		"beyond all bits":  {ips.RetryPolicy{Attempts: 70, Wait: time.Hour, MaxWait: 7 * time.Second, Tokens: 100}, repeated(7, 69)},
		"until they shift": {ips.RetryPolicy{Attempts: 40, Wait: 1, MaxWait: time.Second, Tokens: 100}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answer: failing(999, ips.ErrNotSent, "")}
				_, err := s.client(t, ips.WithRetry(tt.policy)).Transfer(t.Context(), exampleTransfer(t))
				require.ErrorIs(t, err, ips.ErrNotSent)
				waits := s.waits()
				require.Len(t, waits, tt.policy.Attempts-1)
				for i, most := range tt.most {
					most *= time.Second
					assert.LessOrEqual(t, waits[i], most, "wait %d", i+1)
					assert.GreaterOrEqual(t, waits[i], most/2, "wait %d", i+1)
				}
				if tt.most == nil {
					assert.GreaterOrEqual(t, waits[len(waits)-1], time.Second/2, "it has grown up to the bound")
				}
			})
		})
	}
}

func repeated(d time.Duration, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

// TestWaitsAreDrawn: many clients must not come back at once.
func TestWaitsAreDrawn(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			s := &script{answer: failing(1, ips.ErrNotSent, transferResult(t, ips.CodeProcessing))}
			_, err := s.client(t, ips.WithRetry(quick)).Transfer(t.Context(), exampleTransfer(t))
			require.NoError(t, err)
			seen[s.waits()[0]] = true
		})
	}
	assert.Greater(t, len(seen), 10)

	// From half of the wait to all of it.
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: failing(999, ips.ErrNotSent, "")}
		_, err := s.client(t, ips.WithRetry(ips.RetryPolicy{Attempts: 300, Wait: time.Second, MaxWait: time.Second, Tokens: 300})).Transfer(t.Context(), exampleTransfer(t))
		require.ErrorIs(t, err, ips.ErrNotSent)
		waits := s.waits()
		assert.InDelta(t, 500*time.Millisecond, slices.Min(waits), float64(50*time.Millisecond))
		assert.InDelta(t, time.Second, slices.Max(waits), float64(50*time.Millisecond))
	})
}

// TestTokens: in an outage all calls of a client together repeat no more than the
// bucket holds, and a tenth more per call.
func TestTokens(t *testing.T) {
	t.Parallel()
	for tokens, want := range map[int]int{0: 10, 3: 3} { // 0 means 10
		synctest.Test(t, func(t *testing.T) {
			s := &script{answer: failing(9999, ips.ErrNotSent, "")}
			c := s.client(t, ips.WithRetry(ips.RetryPolicy{Attempts: 50, Wait: time.Millisecond, Tokens: tokens}))
			_, err := c.Transfer(t.Context(), exampleTransfer(t))
			require.ErrorIs(t, err, ips.ErrNotSent)
			assert.Len(t, s.at, 1+want, "the bucket is full at the start")
			for range 40 {
				_, err := c.Transfer(t.Context(), exampleTransfer(t))
				require.ErrorIs(t, err, ips.ErrNotSent)
			}
			assert.InDelta(t, 1+want+40+4, len(s.at), 1, "a tenth of a token per call")

			// Calls that succeed fill it again, and no further than to the brim.
			s.answer = failing(0, nil, transferResult(t, ips.CodeProcessing))
			for range 500 {
				_, err := c.Transfer(t.Context(), exampleTransfer(t))
				require.NoError(t, err)
			}
			s.answer, s.at = failing(9999, ips.ErrNotSent, ""), nil
			_, _ = c.Transfer(t.Context(), exampleTransfer(t))
			assert.Len(t, s.at, 1+want)
		})
	}
}

// TestRetryAfter: IPS may ask for a longer wait, up to MaxWait.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "3600": 20 * time.Second, "date": 9 * time.Second,
		"0": -1, "-5": -1, "soon": -1, "18446744073709551616": -1, "4294967296": -1, "": -1, // nothing of the kind: 0.5 to 1 s
	} {
		synctest.Test(t, func(t *testing.T) {
			if header == "date" {
				header = time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)
			}
			s := &script{answer: func(n int) (*http.Response, error) {
				if n == 1 {
					return httpAnswer(http.StatusServiceUnavailable, "text/plain", "busy", "Retry-After", header), nil
				}
				return httpAnswer(http.StatusOK, "text/xml", balanceResult("500")), nil
			}}
			c := s.client(t, ips.WithRetry(ips.RetryPolicy{Attempts: 2, Wait: time.Second, MaxWait: 20 * time.Second}))
			resp, err := c.QueryBalance(t.Context(), "4021000000000001")
			require.NoError(t, err, header)
			assert.Equal(t, 500*ips.Yuan, resp.Available)
			wait := s.waits()[0]
			if want < 0 {
				assert.GreaterOrEqual(t, wait, time.Second/2, header)
				assert.LessOrEqual(t, wait, time.Second, header)
			} else {
				assert.InDelta(t, want, wait, float64(time.Second), header)
			}
		})
	}
	for header, want := range map[string]time.Duration{"60": time.Minute, "Mon, 01 Jan 2024 00:00:00 GMT": 0, "4294967296": 0} {
		var status *ips.HTTPError
		s := &script{answer: func(int) (*http.Response, error) {
			return httpAnswer(http.StatusServiceUnavailable, "text/plain", "", "Retry-After", header), nil
		}}
		_, err := s.client(t).Transfer(t.Context(), exampleTransfer(t))
		require.ErrorAs(t, err, &status)
		assert.Equal(t, want, status.RetryAfter, header)
	}
}

func balanceResult(amount string) string {
	return fixture.SOAP("QueryForAccBalance", fixture.Document("pMerCode", "808801", "pErrCode", "0000", "pErrMsg", "", "pIpsAcctNo", "4021000000000001", "pBalance", amount, "pSign", "x"))
}

func TestRetryHonoursContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := &script{answer: failing(99, ips.ErrNotSent, "")}
		start := time.Now()
		var events []ips.Event
		_, err := s.client(t, ips.WithRetry(ips.RetryPolicy{Attempts: 5, Wait: time.Hour, MaxWait: time.Hour}), ips.WithHook(collect(&events))).Transfer(ctx, exampleTransfer(t))
		require.ErrorIs(t, err, ips.ErrNotSent)
		assert.Len(t, events, 1, "there is no second attempt, not even one that ends at once")
		assert.Equal(t, time.Minute, time.Since(start))
		assert.Len(t, s.at, 1)
	})
}

// TestRetryOfQueries: a question can be asked again, whatever became of it.
func TestRetryOfQueries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(n int) (*http.Response, error) {
			switch n {
			case 1:
				return httpAnswer(http.StatusServiceUnavailable, "text/plain", "busy"), nil
			case 2:
				return nil, io.ErrUnexpectedEOF
			case 3:
				return httpAnswer(http.StatusOK, "text/xml", "garbage"), nil
			default:
				return httpAnswer(http.StatusOK, "text/xml", balanceResult("500")), nil
			}
		}}
		resp, err := s.client(t, ips.WithRetry(quick)).QueryBalance(t.Context(), "4021000000000001")
		require.NoError(t, err)
		assert.Equal(t, 500*ips.Yuan, resp.Available)
		assert.Len(t, s.at, 4)
	})
}

func TestRetryPolicyRefused(t *testing.T) {
	t.Parallel()
	for _, p := range []ips.RetryPolicy{{}, {Attempts: 1, Wait: time.Second}, {Attempts: 2}, {Attempts: 2, Wait: -1},
		{Attempts: 2, Wait: 1, Budget: -1}, {Attempts: 2, Wait: 1, MaxWait: -1}, {Attempts: 2, Wait: 1, Tokens: -1}} {
		_, err := ips.NewClient(fixture.Config(), ips.WithRetry(p))
		require.ErrorContains(t, err, "WithRetry")
	}
}

// again repeats a request that failed. It is what nobody should put in front of
// IPS; the SDK must see through it all the same.
type again struct{ next http.RoundTripper }

func (a again) RoundTrip(r *http.Request) (*http.Response, error) {
	for n := 0; ; n++ {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		attempt := r.Clone(r.Context())
		attempt.Body = body
		resp, err := a.next.RoundTrip(attempt)
		if err == nil || n == 3 {
			return resp, err
		}
	}
}

// TestErrNotSent: a transport of the merchant's own is believed when it says that
// it sent nothing, unless a request was seen to leave.
func TestErrNotSent(t *testing.T) {
	t.Parallel()
	down := func(w http.ResponseWriter, r *http.Request) { hangUp(w, r, true) }
	up := func(w http.ResponseWriter, _ *http.Request) {
		answerSOAP(w, 200, transferResult(t, ips.CodeProcessing))
	}
	transport := func() http.RoundTripper { return http.DefaultTransport.(*http.Transport).Clone() }
	call := func(c *ips.Client) error {
		_, err := c.Transfer(t.Context(), exampleTransfer(t))
		return err
	}

	t.Run("breaker", func(t *testing.T) {
		t.Parallel()
		c := serverClient(t, down, ips.WithHTTPClient(httpClient(&breaker{next: transport()})))
		for range 3 {
			require.ErrorIs(t, call(c), ips.ErrFateUnknown)
		}
		for range 3 {
			err := call(c)
			require.ErrorIs(t, err, ips.ErrNotSent)
			require.NotErrorIs(t, err, ips.ErrFateUnknown)
			assert.ErrorContains(t, err, "circuit breaker is open")
			assert.Equal(t, 1, strings.Count(err.Error(), "not sent"))
		}
	})
	t.Run("limiter", func(t *testing.T) {
		t.Parallel()
		l := &limiter{next: transport()}
		l.left.Store(2)
		c := serverClient(t, up, ips.WithHTTPClient(httpClient(l)))
		require.NoError(t, call(c))
		require.NoError(t, call(c))
		require.ErrorIs(t, call(c), ips.ErrNotSent)
	})
	t.Run("limiter, and the call is repeated", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int32
		c := serverClient(t, up, ips.WithRetry(ips.RetryPolicy{Attempts: 3, Wait: time.Millisecond}),
			ips.WithHTTPClient(httpClient(roundTrip(func(r *http.Request) (*http.Response, error) {
				if calls.Add(1) < 3 {
					return nil, ips.ErrNotSent
				}
				return http.DefaultTransport.RoundTrip(r)
			}))))
		require.NoError(t, call(c))
		assert.EqualValues(t, 3, calls.Load())
	})
	t.Run("repeater over a breaker", func(t *testing.T) {
		t.Parallel()
		var arrived atomic.Int32
		c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
			arrived.Add(1)
			down(w, r)
		}, ips.WithHTTPClient(httpClient(again{&breaker{next: transport()}})))
		err := call(c) // three requests left; the fourth was held back, and its word is the last
		assert.EqualValues(t, 3, arrived.Load())
		require.ErrorIs(t, err, ips.ErrFateUnknown)
		require.NotErrorIs(t, err, ips.ErrNotSent)
		require.ErrorContains(t, err, "circuit breaker is open")
		require.ErrorIs(t, call(c), ips.ErrNotSent, "of this one nothing left")
		assert.EqualValues(t, 3, arrived.Load())
	})
	t.Run("repeater over a breaker, under a policy", func(t *testing.T) {
		t.Parallel()
		var arrived atomic.Int32
		c := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
			arrived.Add(1)
			down(w, r)
		}, ips.WithRetry(ips.RetryPolicy{Attempts: 5, Wait: time.Millisecond}), ips.WithHTTPClient(httpClient(again{&breaker{next: transport()}})))
		require.ErrorIs(t, call(c), ips.ErrFateUnknown)
		assert.EqualValues(t, 3, arrived.Load(), "repeated although a request had left")
	})
	t.Run("a transport that tells nothing", func(t *testing.T) {
		t.Parallel()
		silent := roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") })
		require.ErrorIs(t, call(serverClient(t, up, ips.WithHTTPClient(httpClient(silent)))), ips.ErrFateUnknown)
	})
}
