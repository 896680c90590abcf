package ips_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// TestRecordedRequests: what went out is what goes out again, addresses and date
// included, whatever the configuration has become meanwhile.
func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		t.Run(string(tt.op), func(t *testing.T) {
			t.Parallel()
			for _, field := range []string{"ReturnURL", "NotifyURL"} {
				if has(tt.request, field) {
					set(t, tt.request, field, "")
				}
			}
			req := tt.request
			before := fixture.Client(t)
			complete, err := before.Complete(req)
			require.NoError(t, err)
			assert.NotEqual(t, reflect.Pointer, reflect.TypeOf(complete).Kind())
			require.NoError(t, ips.Validate(complete))
			if has(tt.request, "NotifyURL") {
				assert.Equal(t, "https://p2p.example.com/ips/notify/"+string(tt.op), reflect.ValueOf(complete).FieldByName("NotifyURL").String())
				assert.Empty(t, reflect.ValueOf(req).Elem().FieldByName("NotifyURL").String(), "the caller's request stays as it was")
			}

			data, err := ips.MarshalRequest(complete)
			require.NoError(t, err)
			back, err := ips.UnmarshalRequest(tt.op, data)
			require.NoError(t, err)
			assert.Equal(t, complete, back)
			assert.Equal(t, tt.op, ips.OperationOf(back))
			assert.Equal(t, ips.OrderNo(req), ips.OrderNo(back))

			cfg := fixture.Config()
			cfg.ReturnURL, cfg.NotifyURL = "https://new.example.com/r", "https://new.example.com/n"
			after, err := ips.NewClient(cfg, ips.WithOldBids(func(no string) bool { return strings.HasPrefix(no, "OLD") }))
			require.NoError(t, err)
			again, err := after.Complete(back)
			require.NoError(t, err)
			assert.Equal(t, complete, again)
			if tt.Transport != ips.Redirect && tt.Transport != ips.ServerPosted {
				return
			}
			first, err := before.Form(req)
			require.NoError(t, err)
			second, err := after.Form(back)
			require.NoError(t, err)
			assert.Equal(t, first.Fields(), second.Fields(), "the same document, sealed")
			assert.Equal(t, first.Action(), second.Action())

			// Without Complete the new addresses would go out.
			bare, err := ips.MarshalRequest(req)
			require.NoError(t, err)
			other, err := ips.UnmarshalRequest(tt.op, bare)
			require.NoError(t, err)
			third, err := after.Form(other)
			require.NoError(t, err)
			assert.NotEqual(t, first.Fields(), third.Fields())
		})
	}
}

// TestRecordedCalls: a call of a recorded request sends the same bytes as its
// method.
func TestRecordedCalls(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		if tt.Transport == ips.Redirect {
			continue
		}
		send := func(call func(*ips.Client) error) string {
			r := new(fixture.Recorder)
			require.Error(t, call(tradeClient(t, ips.TradeQueryAtQuery, r, ips.WithOldBids(func(no string) bool { return strings.HasPrefix(no, "OLD") }))))
			require.Equal(t, 1, r.Calls, tt.op)
			return r.Request.URL.Path + string(r.Sent)
		}
		complete, err := fixture.Client(t).Complete(tt.request)
		require.NoError(t, err)
		data, err := ips.MarshalRequest(complete)
		require.NoError(t, err)
		back, err := ips.UnmarshalRequest(tt.op, data)
		require.NoError(t, err)
		byMethod := send(func(c *ips.Client) error { _, _, err := tt.send(c, tt.request); return err })
		if tt.op == ips.OpQueryAccount { // its method has no memo
			byMethod = send(func(c *ips.Client) error { _, err := c.Call(t.Context(), tt.request); return err })
		}
		assert.Equal(t, byMethod, send(func(c *ips.Client) error { _, err := c.Call(t.Context(), back); return err }), tt.op)
	}
}

// TestUnmarshalRequestLosesNothing: what cannot be read back in full is an error.
func TestUnmarshalRequestLosesNothing(t *testing.T) {
	t.Parallel()
	good, err := ips.MarshalRequest(exampleOf(t, ips.OpRecharge).request)
	require.NoError(t, err)
	for name, data := range map[string]string{
		"field of a later version": strings.Replace(string(good), "{", `{"New":"1",`, 1),
		"cut off":                  string(good[:len(good)-1]),
		"empty":                    "",
		"a list":                   "[]",
		"two":                      string(good) + string(good),
		"something behind":         string(good) + "x",
		"an amount of three":       strings.Replace(string(good), `"3050.00"`, `"3050.005"`, 1),
		"an amount as a number":    strings.Replace(string(good), `"3050.00"`, `3050.005`, 1),
	} {
		require.NotEqual(t, string(good), data, name)
		_, err := ips.UnmarshalRequest(ips.OpRecharge, []byte(data))
		assert.Error(t, err, name)
	}
	for _, op := range []ips.Operation{"", "no-such", "RECHARGE"} {
		_, err = ips.UnmarshalRequest(op, good)
		require.ErrorContains(t, err, "no operation")
	}
	_, err = ips.UnmarshalRequest(ips.OpTransfer, good)
	require.Error(t, err, "another operation's")
	_, err = ips.MarshalRequest(nil)
	require.Error(t, err)
	_, err = ips.UnmarshalRequest(ips.OpRecharge, append(good, "\n "...))
	require.NoError(t, err, "white space is nothing")
}

func FuzzUnmarshalRequest(f *testing.F) {
	for _, tt := range examples(f) {
		data, err := json.Marshal(tt.request)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(tt.op), data)
	}
	f.Add("recharge", []byte("null"))
	f.Add("transfer", []byte(`{"Rows":[null]}`))
	f.Fuzz(func(t *testing.T, op string, data []byte) {
		req, err := ips.UnmarshalRequest(ips.Operation(op), data)
		if err != nil {
			return
		}
		written, err := ips.MarshalRequest(req)
		if err != nil {
			return // a date that no calendar has
		}
		again, err := ips.UnmarshalRequest(ips.OperationOf(req), written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		twice, err := ips.MarshalRequest(again)
		if err != nil || string(twice) != string(written) {
			t.Fatalf("%s became %s, %v", written, twice, err)
		}
		_ = ips.Validate(req)
	})
}

// TestValidateBeforeRecording: what a client would refuse is known before an order
// is recorded, with or without addresses, by value or pointer.
func TestValidateBeforeRecording(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		req := tt.request
		require.NoError(t, ips.Validate(req), tt.op)
		require.NoError(t, ips.Validate(reflect.ValueOf(req).Elem().Interface().(ips.Request)), tt.op)
		assert.Equal(t, tt.op, ips.OperationOf(req))
		empty := reflect.New(reflect.TypeOf(req).Elem()).Interface().(ips.Request)
		err := ips.Validate(empty)
		if tt.op == ips.OpQueryBanks {
			require.NoError(t, err)
			continue
		}
		var invalid *ips.ValidationError
		require.ErrorAs(t, err, &invalid, tt.op)
		assert.Equal(t, tt.op, invalid.Operation)
		for _, f := range invalid.Fields {
			assert.NotContains(t, []string{"pWebUrl", "pS2SUrl"}, f.Wire, "the client adds its own")
		}
		_, err = fixture.Client(t).Complete(empty)
		require.ErrorAs(t, err, &invalid, tt.op)
	}
	require.Error(t, ips.Validate(nil))
	require.Error(t, ips.Validate((*ips.RechargeRequest)(nil)))

	// A client without addresses wants them in the request.
	cfg := fixture.Config()
	cfg.NotifyURL, cfg.ReturnURL = "", ""
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	req := *exampleOf(t, ips.OpRecharge).request.(*ips.RechargeRequest)
	req.NotifyURL, req.ReturnURL = "", ""
	_, err = c.Complete(req)
	require.ErrorContains(t, err, "pWebUrl")
	require.ErrorContains(t, err, "pS2SUrl")
}

func TestOrderNoOfRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		req := tt.request
		no := ips.OrderNo(req)
		changed := ips.WithOrderNo(req, "NEW1")
		if !has(tt.request, "OrderNo") {
			assert.Empty(t, no)
			assert.Equal(t, reflect.ValueOf(req).Elem().Interface(), changed)
			continue
		}
		assert.Equal(t, tt.orderNo(), no)
		assert.Equal(t, "NEW1", ips.OrderNo(changed), tt.op)
		assert.Equal(t, no, ips.OrderNo(req), "the caller's request stays as it was")
	}
	assert.Empty(t, ips.OrderNo(nil))
	assert.Nil(t, ips.WithOrderNo(nil, "X"))
}

// echo is an answer to the request that repeats of it what answers repeat, with
// every row done.
func echoOf(t testing.TB, req ips.Request, change ...string) ips.Response {
	t.Helper()
	op := ips.OperationOf(req)
	var doc string
	switch r := req.(type) {
	case *ips.TransferRequest:
		doc = fixture.Document("pMerBillNo", r.OrderNo, "pBidNo", r.BidNo, "pTransferType", string(r.Type))
		var rows strings.Builder
		for _, row := range r.Rows {
			fmt.Fprintf(&rows, "<pRow><pOriMerBillNo>%s</pOriMerBillNo><pTrdAmt>%s</pTrdAmt><pFIpsAcctNo>%s</pFIpsAcctNo><pFTrdFee>%s</pFTrdFee><pTIpsAcctNo>%s</pTIpsAcctNo><pTTrdFee>%s</pTTrdFee><pStatus>Y</pStatus></pRow>",
				row.OriginalOrderNo, row.Amount, row.FromAccount, row.FromFee, row.ToAccount, row.ToFee)
		}
		doc = strings.Replace(doc, "</pReq>", "<pDetails>"+rows.String()+"</pDetails></pReq>", 1)
	case *ips.RechargeRequest:
		doc = fixture.Document("pMerBillNo", r.OrderNo, "pIpsAcctNo", r.Account, "pTrdDate", "20141213", "pTrdAmt", r.Amount.String())
	case *ips.OpenAccountRequest:
		doc = fixture.Document("pMerBillNo", r.OrderNo, "pSmDate", "20141213", "pIdentNo", r.IdentNo, "pIpsAcctNo", liSi)
	case *ips.RegisterBidRequest:
		doc = fixture.Document("pMerBillNo", r.OrderNo, "pBidNo", r.BidNo, "pLendAmt", r.Amount.String(), "pGuaranteesAmt", r.Margin.String(), "pIpsAcctNo", r.Account, "pBidStatus", "2")
	default:
		require.Fail(t, "no echo", "%T", req)
	}
	for i := 0; i < len(change); i += 2 {
		require.Contains(t, doc, change[i])
		doc = strings.Replace(doc, change[i], change[i+1], 1)
	}
	resp, err := fixture.Client(t).ParseNotification(fixture.Sealed("MG00000F", "", doc).Inbound(op), op)
	require.NoError(t, err)
	return resp
}

// batch is a release of n rows in pairs that are alike but for their amounts.
func batch(n int) *ips.TransferRequest {
	req := &ips.TransferRequest{OrderNo: "T1", BidNo: "BID1", Date: day(), Type: ips.TransferInvestment, Mode: ips.TransferRowByRow}
	for i := range n {
		req.Rows = append(req.Rows, ips.TransferRow{
			OriginalOrderNo: fmt.Sprintf("C%06d", i/2), Amount: ips.Amount(1 + i), FromAccount: "4021000000000002", ToAccount: "4021000000000001",
		})
	}
	return req
}

// wrapped is a request inside a struct of the merchant's own: it has the methods
// of a request and not its shape.
type wrapped struct {
	ips.QueryTradeRequest
	Note string
}

func TestWrappedRequests(t *testing.T) {
	t.Parallel()
	c, r := fixture.RecordingClient(t, tradeResult(t, "R1", "08", "1"), "text/xml")
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
	assert.Zero(t, r.Calls)
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
		cfg := fixture.Config()
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

type wrappedPointer struct{ *ips.RechargeRequest }
