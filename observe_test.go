package ips_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func TestHookSeesCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events []ips.Event
		type key struct{}
		ctx := context.WithValue(t.Context(), key{}, "trace")
		s := &script{answer: failing(1, ips.ErrNotSent, transferResult(t, ips.CodeProcessing))}
		_, err := s.client(t, ips.WithRetry(quick), ips.WithHook(collect(&events)), ips.WithHook(func(ctx context.Context, _ ips.Event) {
			assert.Equal(t, "trace", ctx.Value(key{}))
		})).Transfer(ctx, exampleTransfer(t))
		require.NoError(t, err)
		require.Len(t, events, 2)

		first, second := events[0], events[1]
		assert.Equal(t, 1, first.Attempt)
		require.ErrorIs(t, first.Err, ips.ErrNotSent)
		assert.Empty(t, first.Code)
		assert.Equal(t, ips.Undecided, first.Outcome)
		assert.Zero(t, first.Received)
		assert.Equal(t, 2, second.Attempt)
		require.NoError(t, second.Err)
		assert.Equal(t, ips.OpTransfer, second.Operation)
		assert.Equal(t, ips.WebService, second.Transport)
		assert.Equal(t, "T20141213000001", second.OrderNo)
		assert.Equal(t, ips.CodeProcessing, second.Code)
		assert.Equal(t, ips.Pending, second.Outcome)
		assert.Equal(t, len(s.bodies[1]), second.Sent)
		assert.Equal(t, len(transferResult(t, ips.CodeProcessing)), second.Received)
		assert.Equal(t, s.start.Add(s.at[1]), second.Start)
	})
}

func TestHookSeesFormsAndInbound(t *testing.T) {
	t.Parallel()
	var events []ips.Event
	c := fixture.Client(t, ips.WithHook(collect(&events)))
	e := exampleOf(t, ips.OpRecharge)
	_, _, err := e.send(c, e.request)
	require.NoError(t, err)

	handler := c.NotifyHandler(ips.Inbound{Hear: hear(func(ips.Response) error { return nil })})
	good := fixture.Sealed(ips.CodeFailed, "失败", fixture.Document("pMerBillNo", "R1"))
	bad := good
	bad.Sign = "0" + bad.Sign[1:]
	for _, f := range []fixture.Answer{good, bad, fixture.Sealed(ips.CodeDuplicate, "", fixture.Document("pMerBillNo", "R1"))} {
		handler.ServeHTTP(httptest.NewRecorder(), f.Inbound(ips.OpRecharge))
	}
	require.Len(t, events, 4)
	assert.Equal(t, ips.Redirect, events[0].Transport)
	assert.Equal(t, e.orderNo(), events[0].OrderNo)
	require.NoError(t, events[0].Err)
	assert.Equal(t, ips.ServerToServer, events[1].Via)
	assert.Equal(t, "R1", events[1].OrderNo)
	assert.Equal(t, ips.Failure, events[1].Outcome)
	assert.Equal(t, len(good.ErrMsg)+len(good.Body)+len(good.Sign), events[1].Received)
	require.ErrorIs(t, events[1].Err, ips.CodeFailed)
	require.ErrorIs(t, events[2].Err, ips.ErrSignature)
	assert.Empty(t, events[2].OrderNo, "nothing of an answer that did not verify")
	require.ErrorIs(t, events[3].Err, ips.ErrFateUnknown)
	assert.Equal(t, ips.Undecided, events[3].Outcome)
}

// TestHooksAddUp: a second hook, or tap, does not silence the first.
func TestHooksAddUp(t *testing.T) {
	t.Parallel()
	var order []string
	hook := func(name string) ips.Option {
		return ips.WithHook(func(context.Context, ips.Event) { order = append(order, name) })
	}
	var masked, raw []ips.WireMessage
	c := fixture.Client(t, hook("a"), hook("b"), hook("c"),
		ips.WithUnmaskedWireTap(func(m ips.WireMessage) { raw = append(raw, m) }),
		ips.WithWireTap(func(m ips.WireMessage) { masked = append(masked, m) }))
	form, err := c.Form(exampleOf(t, ips.OpRecharge).request)
	require.NoError(t, err)
	require.NotNil(t, form)
	assert.Equal(t, []string{"a", "b", "c"}, order)
	require.Len(t, masked, 1)
	require.Len(t, raw, 1)
	assert.Contains(t, masked[0].Document, "<pIdentNo>***</pIdentNo>", "an unmasked tap beside it lifts no mask")
	assert.Contains(t, raw[0].Document, "<pIdentNo>110101199001010002</pIdentNo>")
}

// TestHookHearsOfRefusedRequests: what never left is an event too, once.
func TestHookHearsOfRefusedRequests(t *testing.T) {
	t.Parallel()
	var events []ips.Event
	c, r := fixture.RecordingClient(t, "", "", ips.WithHook(collect(&events)))
	last := func() ips.Event {
		require.Len(t, events, 1)
		e := events[0]
		events = nil
		return e
	}
	var invalid *ips.ValidationError
	_, err := c.Recharge(ips.RechargeRequest{OrderNo: "R1"})
	require.ErrorAs(t, err, &invalid)
	e := last()
	assert.Equal(t, err, e.Err)
	assert.Equal(t, ips.OpRecharge, e.Operation)
	assert.Equal(t, ips.Redirect, e.Transport)
	assert.Equal(t, "R1", e.OrderNo)
	assert.Zero(t, e.Attempt)
	assert.WithinDuration(t, time.Now(), e.Start, time.Minute)

	_, err = c.Transfer(t.Context(), ips.TransferRequest{})
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, ips.OpTransfer, last().Operation)
	_, err = c.QueryBalance(t.Context(), "")
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, ips.OpQueryBalance, last().Operation)

	old := *exampleOf(t, ips.OpEndBid).request.(*ips.EndBidRequest)
	old.BidNo = "OLD1"
	_, err = c.EndBid(t.Context(), old)
	require.ErrorIs(t, err, ips.ErrOldBid)
	assert.Equal(t, err, last().Err)

	_, err = tradeClient(t, ips.NoTradeQuery, r, ips.WithHook(collect(&events))).QueryTrade(t.Context(), rechargeQuestion)
	require.ErrorIs(t, err, ips.ErrNoTradeQuery)
	require.ErrorIs(t, last().Err, ips.ErrNoTradeQuery)

	// No request is an event as well, of no operation.
	for _, nothing := range []ips.Request{nil, (*ips.RechargeRequest)(nil)} {
		_, err = c.Call(t.Context(), nothing)
		require.Error(t, err)
		assert.Empty(t, last().Operation)
		_, err = c.Form(nothing)
		require.Error(t, err)
		assert.Empty(t, last().Operation)
	}
	assert.Zero(t, r.Calls)
}

// TestHookGetsTheContextOfAForm: a form is made for somebody's click, and the
// trace of that goes on.
func TestHookGetsTheContextOfAForm(t *testing.T) {
	t.Parallel()
	type key struct{}
	seen := 0
	c := fixture.Client(t, ips.WithHook(func(ctx context.Context, _ ips.Event) {
		assert.Equal(t, "trace", ctx.Value(key{}))
		seen++
	}))
	ctx := context.WithValue(t.Context(), key{}, "trace")
	_, err := c.FormContext(ctx, exampleOf(t, ips.OpRecharge).request)
	require.NoError(t, err)
	_, err = c.FormContext(ctx, ips.RechargeRequest{})
	require.Error(t, err)
	assert.Equal(t, 2, seen)
}

// TestWrongDoor: a form in Call, or a call in Form, is refused before anything is
// sealed or sent, and observed.
func TestWrongDoor(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		var events []ips.Event
		c, r := fixture.RecordingClient(t, "", "", ips.WithHook(collect(&events)), ips.WithWireTap(func(ips.WireMessage) {
			if tt.Transport != ips.ServerPosted && tt.Transport != ips.Redirect {
				t.Errorf("%s: sealed", tt.op)
			}
		}))
		req := tt.request
		form, err := c.Form(req)
		if tt.Transport == ips.Redirect || tt.Transport == ips.ServerPosted {
			require.NoError(t, err, tt.op)
			assert.Equal(t, tt.op, form.Operation())
		} else {
			require.ErrorContains(t, err, "use Call", tt.op)
			assert.Nil(t, form)
		}
		require.Len(t, events, 1)
		assert.Equal(t, err, events[0].Err)
		assert.Equal(t, tt.op, events[0].Operation)
		if tt.Transport == ips.Redirect {
			events = nil
			resp, err := c.Call(t.Context(), req)
			require.ErrorContains(t, err, "use Form", tt.op)
			assert.Nil(t, resp)
			require.Len(t, events, 1)
			assert.Equal(t, err, events[0].Err)
		}
		assert.Zero(t, r.Calls)
	}
}

// TestEventOperationIsKnown: a stranger's address is not an operation, however
// many he tries; a hook can count by it.
func TestEventOperationIsKnown(t *testing.T) {
	t.Parallel()
	var events []ips.Event
	var out bytes.Buffer
	c := fixture.Client(t, ips.WithHook(collect(&events)), ips.WithHook(ips.LogEvents(slog.New(slog.NewTextHandler(&out, nil)))))
	good := fixture.Sealed("MG00000F", "", fixture.RechargeDocument)
	for _, name := range []string{"no-such", "RECHARGE", strings.Repeat("A\n", 300_000), "", "recharge ", string(ips.OpQueryBalance)} {
		events = nil
		out.Reset()
		_, err := c.ParseNotification(good.Inbound("x"), ips.Operation(name))
		require.ErrorIs(t, err, ips.ErrOperation)
		require.Len(t, events, 1)
		assert.Empty(t, events[0].Operation)
		assert.Less(t, out.Len(), 600)
		assert.Equal(t, 1, strings.Count(out.String(), "\n"))
	}
}

func TestLogEvents(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, nil))
	logged := func(answer func(int) (*http.Response, error), opts ...ips.Option) string {
		out.Reset()
		synctest.Test(t, func(t *testing.T) {
			s := &script{answer: answer}
			_, _ = s.client(t, append(opts, ips.WithHook(ips.LogEvents(logger)))...).Transfer(t.Context(), exampleTransfer(t))
		})
		for _, secret := range []string{ips.TestMerchant().Cert.Reveal(), ips.TestMerchant().Key.Reveal(), "110101199001010001", "4021000000000001", "说明"} {
			assert.NotContains(t, out.String(), secret, "the text of IPS may name an account")
		}
		return out.String()
	}
	text := logged(failing(1, ips.ErrNotSent, transferResult(t, ips.CodeFailed)), ips.WithRetry(quick))
	assert.Contains(t, text, "level=ERROR msg=ips operation=transfer order=T20141213000001")
	assert.Contains(t, text, "not sent")
	assert.Contains(t, text, "level=WARN")
	assert.Contains(t, text, "code=MG00001F outcome=failure attempt=2")
	text = logged(failing(0, nil, transferResult(t, ips.CodeProcessing)))
	assert.Contains(t, text, "level=INFO")
	assert.Contains(t, text, "outcome=pending")
	text = logged(failing(9, errors.New("reset"), ""))
	assert.Contains(t, text, "level=ERROR")
	assert.Contains(t, text, "fate unknown")
	text = logged(failing(0, nil, transferResult(t, ips.CodeDuplicate)))
	assert.Contains(t, text, "level=ERROR", "a call whose fate is unknown, though IPS has answered")
	assert.Contains(t, text, "code=MG18026F outcome=undecided")
	assert.Contains(t, text, "fate unknown")

	out.Reset()
	off := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	ips.LogEvents(off)(t.Context(), ips.Event{Operation: ips.OpRecharge})
	assert.Empty(t, out.String())
}

// TestLogLevelsOfInbound: nobody but IPS, and who breaks the merchant's own
// program, can write an ERROR.
func TestLogLevelsOfInbound(t *testing.T) {
	t.Parallel()
	good := fixture.Sealed("MG00000F", "操作成功", fixture.RechargeDocument)
	spoilt, foreign := good, good
	spoilt.Sign, foreign.MerCode = fixture.Change(spoilt.Sign), "808802"
	for name, tt := range map[string]struct {
		request *http.Request
		level   string
	}{
		"success":          {good.Inbound(ips.OpRecharge), "INFO"},
		"refusal":          {fixture.Sealed("MG00001F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge), "WARN"},
		"duplicate":        {fixture.Sealed("MG18026F", "", fixture.RechargeDocument).Inbound(ips.OpRecharge), "WARN"},
		"garbage":          {fixture.Post(ips.OpRecharge, formType, "x"), "INFO"},
		"a browser's GET":  {withMethod(good.Inbound(ips.OpRecharge), http.MethodGet), "INFO"},
		"no operation":     {good.Inbound("wp-login.php"), "INFO"},
		"too large":        {fixture.Post(ips.OpRecharge, formType, strings.Repeat("x", 9<<20)), "INFO"},
		"bad signature":    {spoilt.Inbound(ips.OpRecharge), "WARN"},
		"another merchant": {foreign.Inbound(ips.OpRecharge), "WARN"},
	} {
		var out bytes.Buffer
		c := fixture.Client(t, ips.WithHook(ips.LogEvents(slog.New(slog.NewTextHandler(&out, nil)))))
		serve(c.NotifyHandler(ips.Inbound{Hear: hear(func(ips.Response) error { return nil })}), tt.request)
		assert.Contains(t, out.String(), "level="+tt.level+" ", name)
		assert.Equal(t, 1, strings.Count(out.String(), "level="), name)
	}
}

func TestHookRefusesNil(t *testing.T) {
	t.Parallel()
	_, err := ips.NewClient(fixture.Config(), ips.WithHook(nil))
	require.ErrorContains(t, err, "WithHook")
	_, err = ips.NewClient(fixture.Config(), nil)
	require.ErrorContains(t, err, "option 1 is nil")
}

// TestWireTap shows both directions, masked.
func TestWireTap(t *testing.T) {
	t.Parallel()
	var seen, raw []ips.WireMessage
	answer := fixture.Sealed("MG00000F", "操作成功", fixture.Document("pMerBillNo", "U20141213000001", "pIdentNo", "110101199001010001",
		"pIpsAcctNo", "4021000000000001", "pMobileNo", "13800000000", "pEmail", "zhangsan@example.com", "pBkAccNo", "0001"))
	soap := fixture.SOAP("GuaranteeUnfreeze", answer.Result())
	c, _ := fixture.RecordingClient(t, soap, "text/xml", ips.WithWireTap(func(m ips.WireMessage) { seen = append(seen, m) }))
	r, _ := fixture.RecordingClient(t, soap, "text/xml", ips.WithUnmaskedWireTap(func(m ips.WireMessage) { raw = append(raw, m) }))
	e := exampleOf(t, ips.OpUnfreezeMargin)
	for _, client := range []*ips.Client{c, r} {
		_, _, err := e.send(client, e.request)
		require.NoError(t, err)
	}
	require.Len(t, seen, 2)
	require.Len(t, raw, 2)
	sent, received := seen[0], seen[1]
	assert.Equal(t, ips.Sent, sent.Direction)
	assert.Equal(t, ips.OpUnfreezeMargin, sent.Operation)
	assert.Equal(t, "U20141213000001", sent.OrderNo)
	assert.Equal(t, "argMerCode", sent.Envelope[0].Name)
	assert.Contains(t, sent.Document, "<pUnfreezeAmt>5000.00</pUnfreezeAmt>")
	assert.Contains(t, sent.Document, "<pIdentNo>***</pIdentNo>")
	assert.Equal(t, ips.Received, received.Direction)
	assert.Equal(t, ips.Synchronous, received.Via)
	assert.NoError(t, received.Err)
	assert.Equal(t, []ips.FormField{{Name: "pMerCode", Value: "808801"}, {Name: "pErrCode", Value: "MG00000F"}, {Name: "pErrMsg", Value: "操作成功"},
		{Name: "p3DesXmlPara", Value: answer.Body}, {Name: "pSign", Value: answer.Sign}}, received.Envelope)
	for _, m := range seen {
		for _, personal := range []string{"110101199001010001", "13800000000", "zhangsan@example.com", "<pBkAccNo>0001"} {
			assert.NotContains(t, m.Document, personal)
		}
	}
	assert.Contains(t, raw[0].Document, "110101199001010001")
	assert.Contains(t, raw[1].Document, "zhangsan@example.com")

	// What could not be believed is not shown as if it could.
	seen = nil
	bad := answer
	bad.Sign = fixture.Change(bad.Sign)
	_, err := c.ParseNotification(bad.Inbound(ips.OpUnfreezeMargin), ips.OpUnfreezeMargin)
	require.Error(t, err)
	require.Len(t, seen, 1)
	assert.ErrorIs(t, seen[0].Err, ips.ErrSignature)
	assert.Empty(t, seen[0].Document)
	assert.Equal(t, ips.ServerToServer, seen[0].Via)

	// What is signed and cannot be used is shown, with the reason.
	for doc, want := range map[string]error{
		fixture.Document("pMerBillNo", "U20141213000001", "pUnfreezeAmt", "many"): ips.ErrMalformed,
		fixture.Document("pMerBillNo", "U20141213000001", "pBidStatus", "2"):      ips.ErrOperation,
	} {
		seen = nil
		_, err = c.ParseNotification(fixture.Sealed("MG00000F", "", doc).Inbound(ips.OpUnfreezeMargin), ips.OpUnfreezeMargin)
		require.ErrorIs(t, err, want)
		require.Len(t, seen, 1)
		assert.ErrorIs(t, seen[0].Err, want)
		assert.Equal(t, doc, seen[0].Document)
	}

	// Queries have no document when sent.
	seen = nil
	q, _ := fixture.RecordingClient(t, fixture.SOAP("QueryMerUserInfo", signQuery(t, responseFile(t, ips.OpQueryAccount))), "text/xml",
		ips.WithWireTap(func(m ips.WireMessage) { seen = append(seen, m) }))
	_, err = q.Call(context.Background(), ips.QueryAccountRequest{Account: "4021000000000001", Memo: "备注"})
	require.NoError(t, err)
	require.Len(t, seen, 2)
	assert.Equal(t, []string{"argMerCode", "argIpsAccount", "argSign", "argMemo"}, fieldNames(seen[0].Envelope))
	assert.Empty(t, seen[0].Document)
	assert.Contains(t, seen[1].Document, "<pBankCard>***</pBankCard>")
	assert.Contains(t, seen[1].Document, "<pEmail>***</pEmail>")
}

// TestWireTapMaskHasNoGaps: an answer may write its elements in other ways.
func TestWireTapMaskHasNoGaps(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"plain":       `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001</pIdentNo></pReq>`,
		"CDATA":       `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo><![CDATA[110101199001010001]]></pIdentNo></pReq>`,
		"attribute":   `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo type="1">110101199001010001</pIdentNo></pReq>`,
		"bracket":     `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo type="a>b">110101199001010001</pIdentNo></pReq>`,
		"prefix":      `<pReq xmlns:x="u"><pMerBillNo>R1</pMerBillNo><x:pIdentNo>110101199001010001</x:pIdentNo></pReq>`,
		"white space": "<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo\n>\n110101199001010001\n</pIdentNo ></pReq>",
		"UTF-16":      utf16LE(`<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001</pIdentNo></pReq>`),
		"doubled":     `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001</pIdentNo><pIdentNo>110101199001010001</pIdentNo></pReq>`,
		"malformed":   `<pReq><pMerBillNo>R1</pMerBillNo><pIdentNo>110101199001010001`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown := "nothing"
			c := fixture.Client(t, ips.WithWireTap(func(m ips.WireMessage) { shown = m.Document }))
			_, err := c.ParseNotification(fixture.Sealed("MG00000F", "", doc).Inbound(ips.OpRecharge), ips.OpRecharge)
			if name != "doubled" && name != "malformed" {
				require.NoError(t, err)
			}
			require.NotEqual(t, "nothing", shown)
			assert.NotContains(t, strings.ReplaceAll(shown, "\x00", ""), "110101199001010001")
		})
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
		c := fixture.Client(t, ips.WithHook(collect(&events)))
		resp, err := c.ParseNotification(fixture.Sealed(op.Success[0], "", responseFile(t, op.Operation)).Inbound(op.Operation), op.Operation)
		require.NoError(t, err)
		_, err = c.ParseReturn(fixture.Post(op.Operation, "text/plain", ""), op.Operation)
		require.Error(t, err)
		_, err = c.ParseReturn(fixture.Post("no-operation", "text/plain", ""), "no-operation")
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
