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
	"github.com/ips-p2p/ips/internal/test/fixture"
)

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
			a := fixture.Sealed(ips.CodeBidRaising, "", fixture.Document("pMerBillNo", ips.OrderNo(req), "pBidStatus", "2", name, said))
			resp, err := fixture.Client(t).ParseNotification(a.Inbound(ips.OpRegisterBid), ips.OpRegisterBid)
			require.NoError(t, err)
			assert.Len(t, ips.Compare(req, resp), want, "%s %q", name, said)
		}
	}
}

// TestCompare holds answers against their requests.
func TestCompare(t *testing.T) {
	t.Parallel()
	recharge := func() ips.Request { return exampleOf(t, ips.OpRecharge).request }
	bid := func() ips.Request { b := bidRequest(t); return &b }
	transfer := func() ips.Request { tr := exampleTransfer(t); return &tr }
	asked := exampleOf(t, ips.OpOpenAccount).request.(*ips.OpenAccountRequest).IdentNo[:17] + "x"
	opening := func() ips.Request {
		o := *exampleOf(t, ips.OpOpenAccount).request.(*ips.OpenAccountRequest)
		o.IdentNo = asked
		return &o
	}
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
		"another person":         {opening, []string{asked, "110101199001010002"}, []string{"pIdentNo: " + asked + ", 110101199001010002"}},
		"a person's capital X":   {opening, []string{asked, strings.ToUpper(asked)}, nil},
		"no person":              {opening, []string{asked, ""}, nil},
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
	for _, tt := range examples(t) {
		for _, other := range examples(t) {
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
