package ips_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// TestNextOfAQuery: that a question succeeded says nothing of the order that it
// was about.
func TestNextOfAQuery(t *testing.T) {
	t.Parallel()
	for _, status := range []ips.TradeStatus{ips.TradeDone, ips.TradeFailed, ips.TradeInWork, ips.TradeNotFound, ""} {
		c := tradeClient(t, ips.TradeQueryAtQuery, &recorder{answer: tradeResult(t, "R1", "08", status), contentType: "text/xml"})
		answer, err := c.QueryTrade(t.Context(), rechargeQuestion)
		require.NoError(t, err)
		for _, from := range []ips.OrderState{ips.OrderRecorded, ips.OrderUnknown, ips.OrderPending, ips.OrderDone, ips.OrderRefused} {
			to, change, err := from.Next(answer.Base())
			require.ErrorContains(t, err, "Asked", "%s + %s", from, status)
			assert.Equal(t, from, to)
			assert.Equal(t, ips.Unchanged, change)
		}
	}
	for _, op := range ips.Operations() {
		_, _, err := ips.OrderUnknown.Next(&ips.Reply{Operation: op.Operation, OrderNo: "R1", Outcome: ips.Success})
		assert.Equal(t, op.Transport == ips.QueryService, err != nil, op.Operation)
	}
	to, change, err := ips.OrderUnknown.Next(nil)
	require.Error(t, err)
	assert.Equal(t, ips.OrderUnknown, to)
	assert.Equal(t, ips.Unchanged, change)
}

// TestBidThatIPSDoesNotKnow: after an end that may have been sent it proves
// nothing about the bid's money.
func TestBidThatIPSDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, code := range []ips.Code{ips.CodeBidUnknown, ips.CodeBidNoInfo} {
		for _, via := range []ips.Via{ips.Synchronous, ips.ServerToServer} {
			answer := &ips.Reply{Operation: ips.OpEndBid, OrderNo: "B1", Via: via, Outcome: ips.Failure, Code: code}
			for from, want := range map[ips.OrderState]ips.OrderState{
				ips.OrderRecorded: ips.OrderRefused, // of the first message it is the plain answer
				ips.OrderUnknown:  ips.OrderUnknown, ips.OrderPending: ips.OrderPending, ips.OrderRefused: ips.OrderRefused,
			} {
				to, _, err := from.Next(answer)
				require.NoError(t, err)
				assert.Equal(t, want, to, "%s + %s by %s", from, code, via)
			}
		}
		_, _, err := ips.OrderDone.Next(&ips.Reply{Operation: ips.OpEndBid, OrderNo: "B1", Via: ips.ServerToServer, Outcome: ips.Failure, Code: code})
		require.ErrorIs(t, err, ips.ErrContradiction)
		// Of another operation it is a refusal like any other.
		to, _, err := ips.OrderUnknown.Next(&ips.Reply{Operation: ips.OpRecharge, OrderNo: "B1", Via: ips.ServerToServer, Outcome: ips.Failure, Code: code})
		require.NoError(t, err)
		assert.Equal(t, ips.OrderRefused, to)
	}
}

// TestAskedOfNothing: only a trade query that succeeded, of an order with a
// number, stands for an answer.
func TestAskedOfNothing(t *testing.T) {
	t.Parallel()
	req := ips.RechargeRequest{OrderNo: "R1"}
	answer := func(no string, o ips.Outcome) *ips.QueryTradeResponse {
		return &ips.QueryTradeResponse{Reply: ips.Reply{Operation: ips.OpQueryTrade, OrderNo: no, Outcome: o}, Type: ips.TradeRecharge, Status: ips.TradeFailed}
	}
	_, err := ips.Asked(req, answer("R1", ips.Success))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		req    ips.Request
		answer *ips.QueryTradeResponse
	}{
		"no answer":     {req, nil},
		"refused query": {req, answer("R1", ips.Failure)},
		"no verdict":    {req, answer("R1", ips.Undecided)},
		"no number":     {ips.RechargeRequest{}, answer("", ips.Success)},
		"no request":    {nil, answer("R1", ips.Success)},
	} {
		resp, err := ips.Asked(tt.req, tt.answer)
		require.Error(t, err, name)
		assert.Nil(t, resp, name)
	}
}

// TestAskedLeavesResultsOpen: rows, the number of a new account and of a contract
// come with the notification only. If a query's word had settled the order, the
// notification would be no news, and rows that failed would be lost.
func TestAskedLeavesResultsOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		kind, _, ok := ips.TradeTypeOf(tt.request)
		if !ok {
			continue
		}
		asked, err := ips.Asked(tt.request, &ips.QueryTradeResponse{
			Reply: ips.Reply{Operation: ips.OpQueryTrade, MerchantCode: "808801", Outcome: ips.Success, OrderNo: ips.OrderNo(tt.request)},
			Type:  kind, Status: ips.TradeDone,
		})
		require.NoError(t, err)
		state, _, err := ips.OrderUnknown.Next(asked.Base())
		require.NoError(t, err)
		told, change, err := state.Next(&ips.Reply{Operation: tt.op, OrderNo: ips.OrderNo(tt.request), Via: ips.ServerToServer, Outcome: ips.Success})
		require.NoError(t, err)
		assert.Equal(t, ips.OrderDone, told)
		assert.Equal(t, hasResults[tt.op], change == ips.Changed, tt.op)
		asKey, _ := asked.Base().Key()
		toldKey, _ := (&ips.Reply{MerchantCode: "808801", Operation: tt.op, OrderNo: ips.OrderNo(tt.request), Outcome: ips.Success}).Key()
		assert.Equal(t, hasResults[tt.op], asKey != toldKey, tt.op)
	}
}

// TestAnswerOfAQueryIsNoNotification: a trade query's answer is signed as any
// answer is and says MG00000F even of an order that failed. Whoever carries it to
// a notify URL must not make a success of it.
func TestAnswerOfAQueryIsNoNotification(t *testing.T) {
	t.Parallel()
	for _, op := range ips.Operations() {
		for _, code := range []ips.Code{"MG00000F", "MG00008F", "MG02501F", "MG02505F", "0000"} {
			a := sealedAnswer(t, code, "", document("pMerBillNo", "R1", "pTradeType", "08", "pTradeStatue", "2", "pIpsBillNo", "NT1"))
			_, err := offlineClient(t).ParseNotification(a.inbound(op.Operation), op.Operation)
			assert.ErrorIs(t, err, ips.ErrOperation, "%s %s", op.Operation, code)
		}
	}
}

// failingBody answers and then fails in the middle of it.
type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }
func (failingBody) Close() error               { return nil }

// TestNotSentBehindAnAnswer: who has answered was sent something, whatever a
// transport's body or a context's cause says.
func TestNotSentBehindAnAnswer(t *testing.T) {
	t.Parallel()
	calls := 0
	c := offlineClient(t, ips.WithRetry(ips.RetryPolicy{Attempts: 3, Wait: 1}), ips.WithHTTPClient(httpClient(roundTrip(func(*http.Request) (*http.Response, error) {
		calls++
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}}, Body: failingBody{fmt.Errorf("breaker: %w", ips.ErrNotSent)}}, nil
	}))))
	e := exampleOf(t, ips.OpTransfer)
	_, _, err := e.send(c, e.request)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	assert.NotErrorIs(t, err, ips.ErrNotSent)
	assert.Equal(t, 1, calls, "nothing whose fate is unknown is repeated")

	ctx, cancel := context.WithCancelCause(t.Context())
	s := serverClient(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		cancel(ips.ErrNotSent)
		<-r.Context().Done()
	})
	_, err = s.Call(ctx, e.request)
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	assert.NotErrorIs(t, err, ips.ErrNotSent)
}

// TestCompareWithNothing: what is not there is a difference and no panic.
func TestCompareWithNothing(t *testing.T) {
	t.Parallel()
	req := &ips.RechargeRequest{OrderNo: "R1"}
	assert.NotEmpty(t, ips.Compare(req, nil))
	assert.NotEmpty(t, ips.Compare(req, (*ips.RechargeResponse)(nil)))
	assert.NotEmpty(t, ips.Compare(nil, nil))
	assert.NotEmpty(t, ips.Compare(nil, &ips.RechargeResponse{}))
	assert.NotEmpty(t, ips.Compare((*ips.RechargeRequest)(nil), &ips.RechargeResponse{}))
	// An answer that claims an operation and is of another type.
	assert.NotEmpty(t, ips.Compare(req, &ips.WithdrawResponse{Reply: ips.Reply{Operation: ips.OpRecharge}}))
}

// TestCompareSeesNoMoney: an amount of 0 is said, by either name.
func TestCompareSeesNoMoney(t *testing.T) {
	t.Parallel()
	req := exampleOf(t, ips.OpRegisterBid).request
	for _, name := range []string{"pLendAmt", "pTrdAmt"} {
		for said, want := range map[string]int{"0": 1, "0.00": 1, "": 0} {
			a := sealedAnswer(t, ips.CodeBidRaising, "", document("pMerBillNo", ips.OrderNo(req), "pBidStatus", "2", name, said))
			resp, err := offlineClient(t).ParseNotification(a.inbound(ips.OpRegisterBid), ips.OpRegisterBid)
			require.NoError(t, err)
			assert.Len(t, ips.Compare(req, resp), want, "%s %q", name, said)
		}
	}
}

// wrapped is a request inside a struct of the merchant's own: it has the methods
// of a request and not its shape.
type wrapped struct {
	ips.QueryTradeRequest
	Note string
}

type wrappedPointer struct{ *ips.RechargeRequest }

func TestWrappedRequests(t *testing.T) {
	t.Parallel()
	c, r := recordingClient(t, tradeResult(t, "R1", "08", "1"), "text/xml")
	for _, req := range []ips.Request{wrapped{QueryTradeRequest: rechargeQuestion}, &wrapped{}, wrappedPointer{&ips.RechargeRequest{}}} {
		_, err := c.Call(t.Context(), req)
		require.Error(t, err)
		_, err = c.Form(req)
		require.Error(t, err)
		_, err = c.Complete(req)
		require.Error(t, err)
		require.Error(t, ips.Validate(req))
		_, err = ips.MarshalRequest(req)
		require.Error(t, err)
		assert.Empty(t, ips.OrderNo(req))
		assert.Equal(t, req, ips.WithOrderNo(req, "R2"))
		_, _, ok := ips.TradeTypeOf(req)
		assert.False(t, ok)
		assert.NotEmpty(t, ips.Compare(req, &ips.RechargeResponse{}))
	}
	assert.Zero(t, r.calls)
}

// TestUnmarshalRequestTakesOneRequest and nothing around it.
func TestUnmarshalRequestTakesOneRequest(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", " null ", "{}}", "{}]", "{} {}", "{} null", "{},", "[]", `"x"`, "1", "{", `{"OrderNo":1}`} {
		req, err := ips.UnmarshalRequest(ips.OpRecharge, []byte(text))
		require.Error(t, err, text)
		assert.Nil(t, req, text)
	}
	req, err := ips.UnmarshalRequest(ips.OpRecharge, []byte(" {\"OrderNo\":\"R1\"} \n"))
	require.NoError(t, err)
	assert.Equal(t, "R1", ips.OrderNo(req))
}

// TestFaultInALog: a stranger's words over plain HTTP are not to fill a log or to
// write lines of it.
func TestFaultInALog(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	for _, err := range []error{
		&ips.SOAPFault{Code: "Server" + long, String: "down\nlevel=ERROR msg=forged " + long},
		&ips.HTTPError{StatusCode: 502, Status: "502 Bad\x1b[31m Gateway " + long},
		&ips.FateUnknownError{Operation: ips.OpTransfer, OrderNo: "T1", Err: errors.New("x")},
	} {
		assert.Less(t, len(err.Error()), 1000)
		assert.NotContains(t, err.Error(), "\n")
		assert.NotContains(t, err.Error(), "\x1b")
	}
}

// TestInboundWithoutBody: a request that was made by hand has none.
func TestInboundWithoutBody(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequest(http.MethodPost, "https://p2p.example.com/ips/notify/recharge", nil)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	require.Nil(t, r.Body)
	_, err = offlineClient(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

// TestCallbackAddresses: an operation is the last segment of the path, whatever
// stands around it.
func TestCallbackAddresses(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://p2p.example.com":                "https://p2p.example.com/recharge",
		"https://p2p.example.com/ips/":           "https://p2p.example.com/ips/recharge",
		"https://p2p.example.com/ips?tenant=7":   "https://p2p.example.com/ips/recharge?tenant=7",
		"https://p2p.example.com/a%2Fb?tenant=7": "https://p2p.example.com/a%2Fb/recharge?tenant=7",
	} {
		cfg := offlineConfig()
		cfg.NotifyURL = base
		c, err := ips.NewClient(cfg)
		require.NoError(t, err, base)
		req := *exampleOf(t, ips.OpRecharge).request.(*ips.RechargeRequest)
		req.NotifyURL = ""
		complete, err := c.Complete(req)
		require.NoError(t, err, base)
		assert.Equal(t, want, complete.(ips.RechargeRequest).NotifyURL)
	}
}

// TestInboundEvents: a hook hears which operation an answer is of and what it
// says, and of a stranger's nothing that he made up.
func TestInboundEvents(t *testing.T) {
	t.Parallel()
	for _, op := range ips.Operations() {
		if op.Transport == ips.QueryService {
			continue
		}
		var events []ips.Event
		c := offlineClient(t, ips.WithHook(collect(&events)))
		resp, err := c.ParseNotification(sealedAnswer(t, op.Success[0], "", responseFile(t, op.Operation)).inbound(op.Operation), op.Operation)
		require.NoError(t, err)
		_, err = c.ParseReturn(post(op.Operation, "text/plain", ""), op.Operation)
		require.Error(t, err)
		_, err = c.ParseReturn(post("no-operation", "text/plain", ""), "no-operation")
		require.Error(t, err)
		require.Len(t, events, 3)
		assert.Equal(t, op.Operation, events[0].Operation)
		assert.Equal(t, op.Transport, events[0].Transport)
		assert.Equal(t, ips.ServerToServer, events[0].Via)
		assert.Equal(t, resp.Base().OrderNo, events[0].OrderNo)
		assert.Equal(t, op.Success[0], events[0].Code)
		assert.Equal(t, ips.Success, events[0].Outcome)
		assert.NoError(t, events[0].Err)
		assert.Positive(t, events[0].Received)
		assert.Equal(t, op.Operation, events[1].Operation)
		assert.Equal(t, ips.WebReturn, events[1].Via)
		assert.Error(t, events[1].Err)
		assert.Empty(t, events[2].Operation)
		assert.Zero(t, events[2].Transport)
	}
}

// TestInboundBodies: two content types are none, and a body that was cut short is
// called something else than one that somebody in front has read.
func TestInboundBodies(t *testing.T) {
	t.Parallel()
	whole := sealedAnswer(t, "MG00000F", "", rechargeDocument)
	r := whole.inbound(ips.OpRecharge)
	r.Header.Add("Content-Type", "application/x-www-form-urlencoded")
	_, err := offlineClient(t).ParseNotification(r, ips.OpRecharge)
	require.ErrorContains(t, err, "content type stands there 2 times")
	for text, want := range map[string]string{"": "something in front has read it", "p": "ends too early", whole.values().Encode(): "ends too early"} {
		r := whole.inbound(ips.OpRecharge)
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(text), failingBody{io.ErrUnexpectedEOF})), 9999
		_, err := offlineClient(t).ParseNotification(r, ips.OpRecharge)
		require.ErrorIs(t, err, ips.ErrMalformed)
		require.ErrorContains(t, err, want)
	}
}

// TestOddValues: what is no date is shown as it is and read as none, and nothing
// is read half.
func TestOddValues(t *testing.T) {
	t.Parallel()
	for text, d := range map[string]ips.Date{
		"99990099": {Year: 9999, Month: 0, Day: 99}, "00019900": {Year: 1, Month: 99, Day: 0},
		"100000101": {Year: 10000, Month: 1, Day: 1}, "-0010101": {Year: -1, Month: 1, Day: 1},
		"2026-101": {Year: 2026, Month: -1, Day: 1}, "202610001": {Year: 2026, Month: 100, Day: 1},
		"202601-1": {Year: 2026, Month: 1, Day: -1}, "202601100": {Year: 2026, Month: 1, Day: 100},
	} {
		assert.Equal(t, text, d.String())
		assert.False(t, d.Valid())
	}
	day := ips.NewDate(2026, time.December, 31)
	require.NoError(t, day.UnmarshalText(nil))
	assert.True(t, day.IsZero())
	for _, text := range []string{`1`, `20261231`, `["20261231"]`, `{}`, `true`} {
		var at ips.Time
		require.Error(t, json.Unmarshal([]byte(text), &at), text)
	}
	for _, text := range []string{``, `"`, `x`, `"20261231`, `20261231"`} {
		require.Error(t, new(ips.Time).UnmarshalJSON([]byte(text)), text)
	}

	var a ips.Amount
	require.NoError(t, a.Scan(uint64(math.MaxInt64)))
	assert.Equal(t, ips.Amount(math.MaxInt64), a)
	require.Error(t, a.Scan(uint64(math.MaxInt64)+1))
	var d ips.Decimal
	for _, src := range []any{"500", []byte("500"), "500.0", "500.001", nil, []byte(nil), 500, 500.25, "", ".00"} {
		require.Error(t, d.Scan(src), "%v", src)
	}
}

// TestQueriesKeepWhatNobodyKnows: an element of a query's answer that no field
// takes is in Extra, and what the envelope took is not.
func TestQueriesKeepWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	c, _ := recordingClient(t, soapAnswer("QueryForAccBalance", document("pMerCode", "808801", "pErrCode", "0000", "pErrMsg", "ok",
		"pIpsAcctNo", "4021000000000001", "pBalance", "500", "pNew", "x", "pSign", "y")), "text/xml")
	resp, err := c.QueryBalance(t.Context(), "4021000000000001")
	require.NoError(t, err)
	assert.Equal(t, []ips.Element{{Name: "pNew", Text: "x"}}, resp.Extra)
}
