package ips_test

import (
	"context"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// TestAnswersBeyondARequest: a balance may be more than one request can move.
func TestAnswersBeyondARequest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ips.Amount{
		"1000000000": 1_000_000_000_00, "1098999999.99": 1_098_999_999_99, "-1000000000.5": -1_000_000_000_50,
		"92233720368547758.07": math.MaxInt64, "-92233720368547758.07": -math.MaxInt64, "00092233720368547758.07": math.MaxInt64,
	} {
		got, err := ips.ParseSignedAmount(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, got, text)
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		var back ips.Amount
		require.NoError(t, json.Unmarshal(raw, &back))
		assert.Equal(t, got, back)

		_, err = ips.ParseAmount(text)
		require.Error(t, err, "no request carries %s", text)
	}
	for _, text := range []string{"92233720368547758.08", "99999999999999999.99", "100000000000000000", "184467440737095516.17", "9223372036854775807"} {
		_, err := ips.ParseSignedAmount(text)
		require.ErrorContains(t, err, "too large for an Amount", text)
		_, err = ips.ParseSignedAmount("-" + text)
		require.ErrorContains(t, err, "too large for an Amount", text)
		got := ips.Amount(5)
		require.Error(t, got.UnmarshalText([]byte(text)), text)
		assert.Equal(t, ips.Amount(5), got)
	}
	c, _ := fixture.RecordingClient(t, fixture.SOAP("QueryForAccBalance", fixture.Document("pMerCode", "808801", "pErrCode", "0000",
		"pIpsAcctNo", "4021000000000001", "pBalance", "1098999999.99", "pLock", "0", "pNeedstl", "-1098999999.99")), "text/xml")
	balance, err := c.QueryBalance(context.Background(), "4021000000000001")
	require.NoError(t, err)
	assert.Equal(t, ips.Amount(1_098_999_999_99), balance.Available)
	assert.Equal(t, ips.Amount(-1_098_999_999_99), balance.Unsettled)
	sum := read[*ips.RechargeResponse](t, ips.OpRecharge, "MG00000F", fixture.Document("pMerBillNo", "R1", "pTrdAmt", "1098999999.99"))
	assert.Equal(t, ips.Amount(1_098_999_999_99), sum.Amount)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		amount       ips.Amount
		rate         ips.Rate
		halfUp, down ips.Amount
	}{
		{1235_55, 10, 1_24, 1_23}, // PHP: number_format(1235.55*0.001, 2)
		{1234_49, 10, 1_23, 1_23}, {1235_00, 10, 1_24, 1_23}, {1234_99, 10, 1_23, 1_23},
		{0, 10, 0, 0}, {1, 0, 0, 0}, {1, 49 * ips.Percent, 0, 0}, {1, 50 * ips.Percent, 1, 0}, {1, 100 * ips.Percent, 1, 1},
		{500 * ips.Yuan, 12 * ips.Percent, 60 * ips.Yuan, 60 * ips.Yuan},
		{-1235_55, 10, -1_24, -1_23}, {1235_55, -10, -1_24, -1_23}, {-1235_55, -10, 1_24, 1_23},
		{ips.MaxAmount, 100 * ips.Percent, ips.MaxAmount, ips.MaxAmount},
		{math.MaxInt64, 100 * ips.Percent, math.MaxInt64, math.MaxInt64},
		{math.MinInt64, 100 * ips.Percent, math.MinInt64, math.MinInt64},
		{math.MinInt64, 100*ips.Percent + 1, math.MinInt64, math.MinInt64},
		{math.MaxInt64, 100*ips.Percent + 1, math.MaxInt64, math.MaxInt64},
		{math.MaxInt64, -100*ips.Percent - 1, math.MinInt64, math.MinInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MinInt64, math.MinInt64, math.MaxInt64, math.MaxInt64},
		{math.MinInt64, math.MaxInt64, math.MinInt64, math.MinInt64},
	} {
		assert.Equal(t, tt.halfUp, tt.amount.Times(tt.rate, ips.HalfUp), "%d × %d", tt.amount, tt.rate)
		assert.Equal(t, tt.down, tt.amount.Times(tt.rate, ips.Down), "%d × %d", tt.amount, tt.rate)
	}
	// Against arithmetic without bounds.
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		a, rate := r.Int64()>>r.IntN(63), r.Int64()>>r.IntN(63)
		if r.IntN(2) == 0 {
			a = -a
		}
		product := new(big.Int).Mul(big.NewInt(a), big.NewInt(rate))
		for rounding, half := range map[ips.Rounding]int64{ips.HalfUp: 5000, ips.Down: 0} {
			want := new(big.Int).Abs(product)
			want.Quo(want.Add(want, big.NewInt(half)), big.NewInt(10_000))
			if product.Sign() < 0 {
				want.Neg(want)
			}
			if !want.IsInt64() {
				limit := int64(math.MaxInt64)
				if product.Sign() < 0 {
					limit = math.MinInt64
				}
				want.SetInt64(limit)
			}
			require.Equal(t, want.Int64(), int64(ips.Amount(a).Times(ips.Rate(rate), rounding)), "%d × %d, %d", a, rate, rounding)
		}
	}
}

// TestAmountScan: what a driver hands over is read as fen or not at all.
func TestAmountScan(t *testing.T) {
	t.Parallel()
	for _, src := range []any{
		nil, "500.00", []byte("500.00"), "500", []byte("50000"), []byte(nil), "", 500.0, float32(500), true, time.Now(), uint64(math.MaxUint64), int(5),
	} {
		a, r := ips.Amount(7), ips.Rate(7)
		require.ErrorContains(t, a.Scan(src), "fen", "%T", src)
		require.ErrorContains(t, r.Scan(src), "hundredths of a percent", "%T", src)
		assert.Equal(t, ips.Amount(7), a)
		assert.Equal(t, ips.Rate(7), r)
	}
	for src, want := range map[any]int64{int64(500_00): 500_00, int64(-1): -1, uint64(500_00): 500_00, int64(0): 0} {
		a, r := ips.Amount(7), ips.Rate(7)
		require.NoError(t, a.Scan(src))
		require.NoError(t, r.Scan(src))
		assert.EqualValues(t, want, a)
		assert.EqualValues(t, want, r)
	}
	v, err := (500 * ips.Yuan).Value()
	require.NoError(t, err)
	assert.Equal(t, int64(500_00), v)
	v, err = (12 * ips.Percent).Value()
	require.NoError(t, err)
	assert.Equal(t, int64(12_00), v)
}

// TestDecimal: a column of yuan is read and written in yuan or not at all.
func TestDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ips.Amount{
		"500.00": 500_00, "0.01": 1, "-0.50": -50, "500.0000": 500_00, "1098999999.99": 1_098_999_999_99,
	} {
		for _, src := range []any{text, []byte(text)} {
			var d ips.Decimal
			require.NoError(t, d.Scan(src), text)
			assert.Equal(t, want, d.Amount, text)
		}
	}
	for _, src := range []any{
		nil, int64(500), uint64(500), 500.0, "500", []byte("50000"), "500.", "500.5", "500.001", "500.0010", "", ".00", "1e3", "1e3.00", "5 00.00", "NaN", []byte(nil), time.Now(),
		"99999999999999999.00", "500.00.00",
	} {
		d := ips.Decimal{Amount: 7}
		require.Error(t, d.Scan(src), "%T %v", src, src)
		assert.Equal(t, ips.Amount(7), d.Amount)
	}
	v, err := ips.Decimal{Amount: 500*ips.Yuan + 5}.Value()
	require.NoError(t, err)
	assert.Equal(t, "500.05", v)
	raw, err := json.Marshal(ips.Decimal{Amount: 500_05})
	require.NoError(t, err)
	assert.JSONEq(t, `"500.05"`, string(raw))
	var d ips.Decimal
	require.NoError(t, json.Unmarshal(raw, &d))
	assert.Equal(t, ips.Amount(500_05), d.Amount)
	require.NoError(t, d.UnmarshalParam("12"))
	assert.Equal(t, 12*ips.Yuan, d.Amount)
}

// TestFormFields calls what gin and echo look for.
func TestFormFields(t *testing.T) {
	t.Parallel()
	a, r := ips.Amount(7), ips.Rate(7)
	for param, want := range map[string]int64{"500": 500_00, "500.5": 500_50, "0.01": 1, "999999999.99": 999_999_999_99} {
		require.NoError(t, a.UnmarshalParam(param))
		assert.EqualValues(t, want, a, param)
		require.NoError(t, r.UnmarshalParam(param))
		assert.EqualValues(t, want, r, param)
	}
	a, r = 7, 7
	for _, param := range []string{"", "5.001", "-5", "+5", "1e3", " 5", "1,000", "1000000000", "５"} {
		require.Error(t, a.UnmarshalParam(param), param)
		require.Error(t, r.UnmarshalParam(param), param)
	}
	assert.EqualValues(t, 7, a)
	assert.EqualValues(t, 7, r)

	d, m := day(), at(9, 8, 7)
	for param, want := range map[string]ips.Date{"20260301": ips.NewDate(2026, 3, 1), "2026-03-01": ips.NewDate(2026, 3, 1), "": {}} {
		require.NoError(t, d.UnmarshalParam(param))
		assert.Equal(t, want, d, param)
	}
	d = day()
	for _, param := range []string{"2026-02-30", "20260230", "2026-3-1", "01/03/2026", "2026-03-01T00:00", "2026-0301", "202603-01", "20260301090807", "0000-00-00"} {
		require.Error(t, d.UnmarshalParam(param), param)
	}
	assert.Equal(t, day(), d)
	require.NoError(t, m.UnmarshalParam("20260301090807"))
	assert.True(t, m.Equal(time.Date(2026, 3, 1, 1, 8, 7, 0, time.UTC)))
	require.Error(t, m.UnmarshalParam("noon"))
	require.NoError(t, m.UnmarshalParam(""))
	assert.True(t, m.IsZero())
}

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ips.Amount{
		"0": 0, "0.00": 0, "0.01": 1, "0.1": 10, "1": 100, "12.00": 1200, "500": 500_00, "3050.00": 3050_00, "1016.71": 1016_71,
		"007.50": 7_50, "999999999.99": ips.MaxAmount, "000999999999.99": ips.MaxAmount,
	} {
		got, err := ips.ParseAmount(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		signed, err := ips.ParseSignedAmount("-" + text)
		require.NoError(t, err, text)
		assert.Equal(t, -want, signed, text)
		rate, err := ips.ParseRate(text)
		require.NoError(t, err, text)
		assert.Equal(t, ips.Rate(want), rate, text)
	}
	for _, text := range []string{
		"", " ", ".", "1.005", "1e3", "1E3", "NaN", "Inf", "-1", "+1", "--1", ".5", "5.", " 5", "5 ", "5\n", "\u00a05", "５", "1．5", "٣",
		"1,000", "1_000", "0x10", "1.0.0", "1..0", "1.-5", "1.+5", "¥5", "5元", "1000000000", "1000000000.00", "9999999999",
		strings.Repeat("9", 10_000), "1\x00", "null",
	} {
		_, err := ips.ParseAmount(text)
		assert.Error(t, err, "%.20q", text)
		_, err = ips.ParseRate(text)
		assert.Error(t, err, "%.20q", text)
		if err != nil {
			assert.Less(t, len(err.Error()), 200)
		}
		if text != "-1" && text != "--1" && !strings.HasPrefix(text, "1000000000") && text != "9999999999" { // an answer may have more digits
			_, err = ips.ParseSignedAmount("-" + text)
			assert.Error(t, err, "%.20q", "-"+text)
		}
	}
	_, err := ips.ParseSignedAmount("--1")
	require.Error(t, err)
}

func TestAmountString(t *testing.T) {
	t.Parallel()
	for amount, want := range map[ips.Amount]string{
		0: "0.00", 1: "0.01", 10: "0.10", 99: "0.99", 100: "1.00", 12_00: "12.00", 500*ips.Yuan + 25*ips.Fen: "500.25",
		ips.MaxAmount: "999999999.99", -1: "-0.01", -100: "-1.00", -12_34: "-12.34",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08",
	} {
		assert.Equal(t, want, amount.String())
		assert.Equal(t, want, ips.Rate(amount).String())
	}
	assert.Equal(t, "12.50", (12*ips.Percent + 50*ips.BasisPoint).String())
}

// TestJSON: the vocabulary goes through JSON as the wire's texts, money never
// as a float.
func TestJSON(t *testing.T) {
	t.Parallel()
	type all struct {
		Amount ips.Amount
		Debt   ips.Amount
		Rate   ips.Rate
		Date   ips.Date
		NoDate ips.Date
		Time   ips.Time
		NoTime ips.Time
		Kind   ips.TransferType
	}
	in := all{
		Amount: 1016_71, Debt: -50, Rate: 12_50, Date: day(), Time: at(23, 59, 59), Kind: ips.TransferDebt,
	}
	raw, err := json.Marshal(in)
	require.NoError(t, err)
	assert.JSONEq(t, `{"Amount":"1016.71","Debt":"-0.50","Rate":"12.50","Date":"20141213","NoDate":"","Time":"20141213235959","NoTime":"","Kind":"4"}`, string(raw))
	var out all
	require.NoError(t, json.Unmarshal(raw, &out))
	assert.Equal(t, in, out)

	for _, bad := range []string{`{"Amount":1016.71}`, `{"Amount":"1.005"}`, `{"Rate":"-1"}`, `{"Date":"2014-13-13"}`, `{"Time":"noon"}`, `{"Time":20141213235959}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &out), bad)
	}
	assert.Equal(t, in, out, "a value that cannot be read leaves the old one")
	require.NoError(t, json.Unmarshal([]byte(`{"Amount":null,"Date":null,"Time":null}`), &out))
	assert.Equal(t, in, out, "null changes nothing")

	// A whole response, as a merchant may log or keep it.
	resp := exampleOf(t, ips.OpOpenAccount).response
	raw, err = json.Marshal(resp)
	require.NoError(t, err)
	back := new(ips.OpenAccountResponse)
	require.NoError(t, json.Unmarshal(raw, back))
	assert.Equal(t, resp, back)
}
