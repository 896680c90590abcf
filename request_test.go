package ips_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// TestRecordedRequests: what went out is what goes out again, addresses and date
// included, whatever the configuration has become meanwhile.
func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range operationTests() {
		t.Run(string(tt.op), func(t *testing.T) {
			t.Parallel()
			for _, field := range []string{"ReturnURL", "NotifyURL"} {
				if has(tt.request, field) {
					set(t, tt.request, field, "")
				}
			}
			req := tt.request
			before := offlineClient(t)
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

			cfg := offlineConfig()
			cfg.ReturnURL, cfg.NotifyURL = "https://new.example.com/r", "https://new.example.com/n"
			after, err := ips.NewClient(cfg, ips.WithOldBids(func(no string) bool { return strings.HasPrefix(no, "OLD") }))
			require.NoError(t, err)
			again, err := after.Complete(back)
			require.NoError(t, err)
			assert.Equal(t, complete, again)
			if tt.transport != ips.Redirect && tt.transport != ips.ServerPosted {
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
	for _, tt := range operationTests() {
		if tt.transport == ips.Redirect {
			continue
		}
		send := func(call func(*ips.Client) error) string {
			r := new(recorder)
			require.Error(t, call(tradeClient(t, ips.TradeQueryAtQuery, r, ips.WithOldBids(func(no string) bool { return strings.HasPrefix(no, "OLD") }))))
			require.Equal(t, 1, r.calls, tt.op)
			return r.request.URL.Path + string(r.sent)
		}
		complete, err := offlineClient(t).Complete(tt.request)
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
	for _, tt := range operationTests() {
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
	for _, tt := range operationTests() {
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
		_, err = offlineClient(t).Complete(empty)
		require.ErrorAs(t, err, &invalid, tt.op)
	}
	require.Error(t, ips.Validate(nil))
	require.Error(t, ips.Validate((*ips.RechargeRequest)(nil)))

	// A client without addresses wants them in the request.
	cfg := offlineConfig()
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
	for _, tt := range operationTests() {
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

// TestEndOfBid repeats the registration but for the day and the addresses.
func TestEndOfBid(t *testing.T) {
	t.Parallel()
	bid := bidRequest()
	end := bid.End(ips.NewDate(2015, time.June, 1))
	assert.Equal(t, ips.NewDate(2015, time.June, 1), end.Date)
	assert.Empty(t, end.ReturnURL)
	assert.Empty(t, end.NotifyURL)
	want := ips.EndBidRequest(bid)
	want.Date, want.ReturnURL, want.NotifyURL = end.Date, "", ""
	assert.Equal(t, want, end)
	assert.Equal(t, ips.NewDate(2014, time.December, 13), bid.Date)
	complete, err := offlineClient(t).Complete(end)
	require.NoError(t, err)
	assert.Equal(t, "https://p2p.example.com/ips/notify/end-bid", complete.(ips.EndBidRequest).NotifyURL)
}

// echo is an answer to the request that repeats of it what answers repeat, with
// every row done.
func echoOf(t testing.TB, req ips.Request, change ...string) ips.Response {
	t.Helper()
	op := ips.OperationOf(req)
	var doc string
	switch r := req.(type) {
	case *ips.TransferRequest:
		doc = document("pMerBillNo", r.OrderNo, "pBidNo", r.BidNo, "pTransferType", string(r.Type))
		var rows strings.Builder
		for _, row := range r.Rows {
			fmt.Fprintf(&rows, "<pRow><pOriMerBillNo>%s</pOriMerBillNo><pTrdAmt>%s</pTrdAmt><pFIpsAcctNo>%s</pFIpsAcctNo><pFTrdFee>%s</pFTrdFee><pTIpsAcctNo>%s</pTIpsAcctNo><pTTrdFee>%s</pTTrdFee><pStatus>Y</pStatus></pRow>",
				row.OriginalOrderNo, row.Amount, row.FromAccount, row.FromFee, row.ToAccount, row.ToFee)
		}
		doc = strings.Replace(doc, "</pReq>", "<pDetails>"+rows.String()+"</pDetails></pReq>", 1)
	case *ips.RechargeRequest:
		doc = document("pMerBillNo", r.OrderNo, "pIpsAcctNo", r.Account, "pTrdDate", "20141213", "pTrdAmt", r.Amount.String())
	case *ips.RegisterBidRequest:
		doc = document("pMerBillNo", r.OrderNo, "pBidNo", r.BidNo, "pLendAmt", r.Amount.String(), "pGuaranteesAmt", r.Margin.String(), "pIpsAcctNo", r.Account, "pBidStatus", "2")
	default:
		require.Fail(t, "no echo", "%T", req)
	}
	for i := 0; i < len(change); i += 2 {
		require.Contains(t, doc, change[i])
		doc = strings.Replace(doc, change[i], change[i+1], 1)
	}
	resp, err := offlineClient(t).ParseNotification(sealedAnswer(t, "MG00000F", "", doc).inbound(op), op)
	require.NoError(t, err)
	return resp
}

// TestCompare holds answers against their requests.
func TestCompare(t *testing.T) {
	t.Parallel()
	recharge := func() ips.Request { return exampleOf(t, ips.OpRecharge).request }
	bid := func() ips.Request { b := bidRequest(); return &b }
	transfer := func() ips.Request { tr := exampleTransfer(t); return &tr }
	none := []string(nil)
	for name, tt := range map[string]struct {
		req    func() ips.Request
		change []string
		want   []string // "wire: asked, said"
	}{
		"recharge":               {recharge, none, nil},
		"without decimals":       {recharge, []string{"3050.00", "3050"}, nil},
		"another sum":            {recharge, []string{"3050.00", "3050.01"}, []string{"pTrdAmt: 3050.00, 3050.01"}},
		"nothing":                {recharge, []string{"3050.00", "0.00"}, []string{"pTrdAmt: 3050.00, 0.00"}},
		"no sum":                 {recharge, []string{"<pTrdAmt>3050.00</pTrdAmt>", ""}, nil}, // left out is no difference
		"empty sum":              {recharge, []string{"3050.00", ""}, nil},
		"another account":        {recharge, []string{liSi, wangWu}, []string{"pIpsAcctNo: " + liSi + ", " + wangWu}},
		"another order":          {recharge, []string{"R20141213000001", "R2"}, []string{"pMerBillNo: R20141213000001, R2"}},
		"all of it":              {recharge, []string{liSi, wangWu, "3050.00", "1", "R20141213000001", "R2"}, []string{"pMerBillNo: R20141213000001, R2", "pIpsAcctNo: " + liSi + ", " + wangWu, "pTrdAmt: 3050.00, 1.00"}},
		"bid":                    {bid, none, nil},
		"bid's other name":       {bid, []string{"<pLendAmt>50000.00</pLendAmt>", "<pTrdAmt>50000.00</pTrdAmt>"}, nil},
		"bid's other name, less": {bid, []string{"<pLendAmt>50000.00</pLendAmt>", "<pTrdAmt>0</pTrdAmt>"}, []string{"pLendAmt: 50000.00, 0.00"}},
		"bid number":             {bid, []string{"BID000001", "BID000002"}, []string{"pBidNo: BID000001, BID000002"}},
		"margin":                 {bid, []string{"5000.00</pGuar", "0.00</pGuar"}, []string{"pGuaranteesAmt: 5000.00, 0.00"}},
		"transfer":               {transfer, none, nil},
		"transfer type":          {transfer, []string{"<pTransferType>1", "<pTransferType>2"}, []string{"pTransferType: 1, 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			req := tt.req()
			for _, d := range ips.Compare(req, echoOf(t, req, tt.change...)) {
				got = append(got, fmt.Sprintf("%s: %s, %s", d.Wire, d.Asked, d.Said))
			}
			assert.ElementsMatch(t, tt.want, got)
		})
	}
	for _, tt := range operationTests() {
		for _, other := range operationTests() {
			differences := ips.Compare(tt.request, other.response)
			same := tt.op == other.op || reflect.TypeOf(tt.response) == reflect.TypeOf(other.response) && tt.op != ips.OpRegisterBid && tt.op != ips.OpEndBid
			if !same {
				assert.Equal(t, []ips.Difference{{Wire: "pReq", Asked: string(tt.op), Said: string(other.op)}}, differences)
			}
		}
	}
	assert.Len(t, ips.Compare(nil, echoOf(t, recharge())), 1)

	// An answer that was kept and read back is compared as well.
	data, err := json.Marshal(echoOf(t, recharge(), "3050.00", "3050.01"))
	require.NoError(t, err)
	var kept ips.RechargeResponse
	require.NoError(t, json.Unmarshal(data, &kept))
	assert.Equal(t, []ips.Difference{{Wire: "pTrdAmt", Asked: "3050.00", Said: "3050.01"}}, ips.Compare(recharge(), &kept))
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

// TestCompareRows: each row of an answer stands for one asked row at most.
func TestCompareRows(t *testing.T) {
	t.Parallel()
	wires := func(all []ips.Difference) []string {
		var w []string
		for _, d := range all {
			assert.NotEqual(t, d.Asked == "", d.Said == "", "a row is asked or said")
			w = append(w, d.Wire)
		}
		return w
	}
	req := batch(4)
	req.Rows[3] = req.Rows[2] // asked twice
	for name, tt := range map[string]struct {
		spoil func(*ips.TransferResponse)
		want  []string
	}{
		"the same":         {func(*ips.TransferResponse) {}, nil},
		"in another order": {func(r *ips.TransferResponse) { r.Rows[0], r.Rows[3] = r.Rows[3], r.Rows[0] }, nil},
		"one is missing":   {func(r *ips.TransferResponse) { r.Rows = r.Rows[1:] }, []string{"pDetails/pRow[1]"}},
		"one of two alike": {func(r *ips.TransferResponse) { r.Rows = r.Rows[:3] }, []string{"pDetails/pRow[4]"}},
		"all are missing":  {func(r *ips.TransferResponse) { r.Rows = nil }, []string{"pDetails/pRow[1]", "pDetails/pRow[2]", "pDetails/pRow[3]", "pDetails/pRow[4]"}},
		"one three times":  {func(r *ips.TransferResponse) { r.Rows = append(r.Rows, r.Rows[3]) }, []string{"pDetails/pRow[5]"}},
		"another amount":   {func(r *ips.TransferResponse) { r.Rows[1].Amount++ }, []string{"pDetails/pRow[2]", "pDetails/pRow[2]"}},
		"another payer":    {func(r *ips.TransferResponse) { r.Rows[1].FromAccount = wangWu }, []string{"pDetails/pRow[2]", "pDetails/pRow[2]"}},
		"another payee":    {func(r *ips.TransferResponse) { r.Rows[1].ToAccount = wangWu }, []string{"pDetails/pRow[2]", "pDetails/pRow[2]"}},
		"another order":    {func(r *ips.TransferResponse) { r.Rows[1].OriginalOrderNo = "X" }, []string{"pDetails/pRow[2]", "pDetails/pRow[2]"}},
		"a failed row":     {func(r *ips.TransferResponse) { r.Rows[1].Status = ips.RowFailed }, nil},
		"pending":          {func(r *ips.TransferResponse) { r.Rows, r.Outcome = nil, ips.Pending }, nil},
		"refused":          {func(r *ips.TransferResponse) { r.Rows, r.Outcome = nil, ips.Failure }, nil},
	} {
		resp := echoOf(t, req).(*ips.TransferResponse)
		tt.spoil(resp)
		assert.Equal(t, tt.want, wires(ips.Compare(req, resp)), name)
	}

	large := batch(3000)
	for i := range large.Rows[:1500] {
		large.Rows[i] = large.Rows[0] // the worst: many alike
	}
	answer := echoOf(t, large).(*ips.TransferResponse)
	answer.Rows = answer.Rows[1:]
	start := time.Now()
	assert.Equal(t, []string{"pDetails/pRow[1500]"}, wires(ips.Compare(large, answer)))
	assert.Less(t, time.Since(start), 2*time.Second)
}

// TestFailedRows: each asked row comes back at most once, and only by a row of the
// answer that failed.
func TestFailedRows(t *testing.T) {
	t.Parallel()
	row := func(no, from, to string, amount ips.Amount) ips.TransferRow {
		return ips.TransferRow{OriginalOrderNo: no, FromAccount: from, ToAccount: to, Amount: amount}
	}
	result := func(r ips.TransferRow, s ips.RowStatus) ips.TransferRowResult {
		return ips.TransferRowResult{OriginalOrderNo: r.OriginalOrderNo, FromAccount: r.FromAccount, ToAccount: r.ToAccount, Amount: r.Amount, Status: s}
	}
	// One claim, partly sold: two holders have rows with its number.
	a, b := row("C1", "G", "A", 500_00), row("C1", "G", "B", 500_00)
	less := row("C1", "G", "A", 1_00)
	for name, tt := range map[string]struct {
		asked []ips.TransferRow
		said  []ips.TransferRowResult
		want  []ips.TransferRow
	}{
		"all done":          {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(a, ips.RowDone), result(b, ips.RowDone)}, nil},
		"the second failed": {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(a, ips.RowDone), result(b, ips.RowFailed)}, []ips.TransferRow{b}},
		"both failed":       {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(b, ips.RowFailed), result(a, ips.RowFailed)}, []ips.TransferRow{a, b}},
		"two alike, one":    {[]ips.TransferRow{a, a}, []ips.TransferRowResult{result(a, ips.RowDone), result(a, ips.RowFailed)}, []ips.TransferRow{a}},
		"two alike, both":   {[]ips.TransferRow{a, a}, []ips.TransferRowResult{result(a, ips.RowFailed), result(a, ips.RowFailed)}, []ips.TransferRow{a, a}},
		"said thrice":       {[]ips.TransferRow{a}, []ips.TransferRowResult{result(a, ips.RowFailed), result(a, ips.RowFailed), result(a, ips.RowFailed)}, []ips.TransferRow{a}},
		"another amount":    {[]ips.TransferRow{a}, []ips.TransferRowResult{result(less, ips.RowFailed)}, nil},
		"neither":           {[]ips.TransferRow{a, b}, []ips.TransferRowResult{result(a, ""), result(b, "P")}, nil},
		"no rows":           {[]ips.TransferRow{a, b}, nil, nil},
	} {
		got := (&ips.TransferResponse{Rows: tt.said}).Failed(tt.asked)
		assert.Equal(t, tt.want, got, name)
	}

	x, y := ips.RepayRow{CreditorOrderNo: "C1", Account: "A", Amount: 1_00}, ips.RepayRow{CreditorOrderNo: "C1", Account: "B", Amount: 2_00}
	repaid := &ips.RepayResponse{Rows: []ips.RepayRowResult{{CreditorOrderNo: "C1", Account: "A", Status: ips.RowDone}, {CreditorOrderNo: "C1", Account: "B", Status: ips.RowFailed}}}
	assert.Equal(t, []ips.RepayRow{y}, repaid.Failed([]ips.RepayRow{x, y}))
	// The answer has no amount: principal and interest of one claim go by their order.
	principal, interest := ips.RepayRow{CreditorOrderNo: "C1", Account: "A", Amount: 900_00}, ips.RepayRow{CreditorOrderNo: "C1", Account: "A", Amount: 9_00}
	for i, want := range []ips.RepayRow{principal, interest} {
		partly := &ips.RepayResponse{Rows: []ips.RepayRowResult{{CreditorOrderNo: "C1", Account: "A", Status: ips.RowDone}, {CreditorOrderNo: "C1", Account: "A", Status: ips.RowDone}}}
		partly.Rows[i].Status = ips.RowFailed
		assert.Equal(t, []ips.RepayRow{want}, partly.Failed([]ips.RepayRow{principal, interest}))
	}
	old := &ips.RepayOldBidResponse{Rows: []ips.RepayOldBidRowResult{{Account: "A", Amount: 1_00, Status: ips.RowFailed}}}
	assert.Equal(t, []ips.RepayOldBidRow{{Account: "A", Amount: 1_00}}, old.Failed([]ips.RepayOldBidRow{{Account: "B", Amount: 1_00}, {Account: "A", Amount: 1_00}, {Account: "A", Amount: 1_00}}))
}
