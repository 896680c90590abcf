package ips_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
)

// keyOf opens an answer that says the code of order no, and gives its key.
func keyOf(t testing.TB, op ips.Operation, code ips.Code, no string) (ips.AnswerKey, bool) {
	t.Helper()
	doc := responseFile(t, op)
	before, rest, ok := strings.Cut(doc, "<pMerBillNo>")
	require.True(t, ok, op)
	_, after, ok := strings.Cut(rest, "</pMerBillNo>")
	require.True(t, ok, op)
	doc = before + "<pMerBillNo>" + fixture.Escape(no) + "</pMerBillNo>" + after
	resp, err := fixture.Client(t).ParseNotification(fixture.Sealed(code, "", doc).Inbound(op), op)
	require.NoError(t, err, "%s %s %q", op, code, no)
	return resp.Base().Key()
}

// TestAnswerKey: what says the same has one key, what says another thing has
// another.
func TestAnswerKey(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		if tt.Transport == ips.QueryService {
			continue
		}
		key := func(code ips.Code) ips.AnswerKey {
			k, ok := keyOf(t, tt.op, code, "X1")
			require.True(t, ok, "%s %s", tt.op, code)
			return k
		}
		for _, code := range tt.Success {
			assert.Equal(t, key(tt.Success[0]), key(code), "two successes of %s", tt.op)
		}
		for _, code := range tt.Pending {
			assert.Equal(t, key(tt.Pending[0]), key(code), "two pendings of %s", tt.op)
		}
		seen := map[ips.AnswerKey]bool{key(tt.Success[0]): true}
		others := []ips.Code{ips.CodeFailed, "MG77777F", "MG77778F"} // each refusal for itself
		if len(tt.Pending) > 0 {
			others = append(others, tt.Pending[0])
		}
		for _, code := range others {
			if i := fixture.Info(t, tt.op); i.Outcome(code) == ips.Success {
				continue
			}
			assert.False(t, seen[key(code)], "%s %s", tt.op, code)
			seen[key(code)] = true
		}
		_, ok := keyOf(t, tt.op, "ERR", "X1")
		assert.False(t, ok, "undecided: handed on each time")
	}
	first, _ := keyOf(t, ips.OpRecharge, "MG00000F", "R1")
	assert.Equal(t, ips.AnswerKey{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: "R1", Says: "success"}, first)
	assert.Equal(t, "808801/recharge/R1/success", first.String())
	second, _ := keyOf(t, ips.OpRecharge, "MG00000F", "r1")
	assert.NotEqual(t, first, second)

	// A manual and an automatic order are one kind; an end of a bid is its own.
	for manual, automatic := range map[ips.Operation]ips.Operation{ips.OpRegisterCreditor: ips.OpAutoBid, ips.OpRepay: ips.OpAutoRepay} {
		a, _ := keyOf(t, manual, "MG00000F", "X1")
		b, _ := keyOf(t, automatic, "MG00000F", "X1")
		assert.Equal(t, a, b)
		assert.Equal(t, manual, b.Operation)
	}
	a, _ := keyOf(t, ips.OpRegisterBid, "MG00000F", "B1")
	b, _ := keyOf(t, ips.OpEndBid, "MG00000F", "B1")
	assert.NotEqual(t, a, b)

	for name, r := range map[string]ips.Reply{
		"a query":         {Operation: ips.OpQueryTrade, OrderNo: "R1", Outcome: ips.Success},
		"no order number": {Operation: ips.OpRecharge, Outcome: ips.Success},
		"undecided":       {Operation: ips.OpRecharge, OrderNo: "R1"},
	} {
		_, ok := r.Key()
		assert.False(t, ok, name)
	}
}

// FuzzAnswerKey: whatever an order number is, the key's text is at most 80 bytes of
// ASCII, and texts are the same only if keys are.
func FuzzAnswerKey(f *testing.F) {
	for _, no := range []string{"R1", "R1/success", "", " ", "订单1", "é", "e\u0301", strings.Repeat("x", 30), strings.Repeat("x", 31),
		strings.Repeat("字", 30), "a/b", "R1 ", "r1", "-_", "\x00", "\xff"} {
		f.Add(no, "R2", uint8(3), uint8(1))
	}
	ops := ips.Operations()
	says := []ips.Reply{
		{Outcome: ips.Success, Code: "MG00000F"}, {Outcome: ips.Pending, Code: "MG00008F"}, {Outcome: ips.Failure, Code: "MG77777F"},
		{Outcome: ips.Failure, Via: ips.Queried},
	}
	f.Fuzz(func(t *testing.T, no1, no2 string, op, what uint8) {
		var texts [2]string
		var keys [2]ips.AnswerKey
		for i, no := range []string{no1, no2} {
			r := says[(int(what)+i)%len(says)]
			r.MerchantCode, r.Operation, r.OrderNo = "808801", ops[(int(op)+i*int(what))%len(ops)].Operation, no
			key, ok := r.Key()
			if !ok {
				return
			}
			keys[i], texts[i] = key, key.String()
			if len(texts[i]) > 80 || strings.ContainsFunc(texts[i], func(c rune) bool { return c <= ' ' || c > '~' }) {
				t.Fatalf("%q: %d bytes", texts[i], len(texts[i]))
			}
		}
		if (texts[0] == texts[1]) != (keys[0] == keys[1]) {
			t.Fatalf("%+v and %+v are both %q", keys[0], keys[1], texts[0])
		}
	})
}

// TestAnswerKeyFits: of every operation and with every kind of number.
func TestAnswerKeyFits(t *testing.T) {
	t.Parallel()
	longest := 0
	seen := map[string]ips.AnswerKey{}
	for _, op := range ips.Operations() {
		for _, no := range []string{
			"1", "R1", "r1", "R1 ", " R1", "R_1", "R-1", "R1/success", "订单1", "订单2", "é1", "e1", "R\n1",
			strings.Repeat("9", 30), strings.Repeat("9", 31), strings.Repeat("字", 30), "'; drop table", "%00", "\x00",
		} {
			for _, r := range []ips.Reply{{Outcome: ips.Success}, {Outcome: ips.Pending}, {Outcome: ips.Failure, Code: "MG00001F"}, {Outcome: ips.Failure}} {
				r.MerchantCode, r.Operation, r.OrderNo = "808801", op.Operation, no
				key, ok := r.Key()
				if op.Transport == ips.QueryService {
					assert.False(t, ok)
					continue
				}
				require.True(t, ok)
				text := key.String()
				longest = max(longest, len(text))
				assert.Regexp(t, `^[0-9]{6}/[a-z-]+/[A-Za-z0-9_-]+/[A-Za-z0-9]+$`, text)
				if other, known := seen[text]; known {
					assert.Equal(t, other, key, text)
				}
				seen[text] = key
			}
		}
	}
	assert.LessOrEqual(t, longest, 80)
}

// TestTwoSuccessCodesAreOne: an operation may be told twice that it is done, by
// two codes. It is heard once.
func TestTwoSuccessCodesAreOne(t *testing.T) {
	t.Parallel()
	for op, codes := range map[ips.Operation][]ips.Code{
		ips.OpRegisterBid: {"MG02501F", "MG00000F"}, ips.OpEndBid: {"MG02505F", "MG00000F"}, ips.OpRepayOldBid: {"0000", "MG00000F"},
	} {
		heard := 0
		h := ips.Deduplicated(new(ipstest.MemoryOnce), hear(func(ips.Response) error { heard++; return nil }))
		for _, code := range codes {
			resp, err := fixture.Client(t).ParseNotification(fixture.Sealed(code, "", responseFile(t, op)).Inbound(op), op)
			require.NoError(t, err)
			require.Equal(t, ips.Success, resp.Base().Outcome)
			require.NoError(t, h(t.Context(), resp))
		}
		assert.Equal(t, 1, heard, op)
	}
}

// TestDeduplicatedKeepsNothingOfAFailure: what the handler finds wrong must not
// hide the right answer.
func TestDeduplicatedKeepsNothingOfAFailure(t *testing.T) {
	t.Parallel()
	wrong := errors.New("another sum")
	h := ips.Deduplicated(new(ipstest.MemoryOnce), ips.On(func(_ context.Context, r *ips.RechargeResponse) error {
		if r.Amount != 500*ips.Yuan {
			return wrong
		}
		return nil
	}, nil))
	for _, tt := range []struct {
		amount string
		want   error
	}{{"1", wrong}, {"500", nil}, {"1", nil}} { // the last one is a copy now
		resp, err := fixture.Client(t).ParseNotification(fixture.Sealed("MG00000F", "", strings.Replace(fixture.RechargeDocument, "500", tt.amount, 1)).Inbound(ips.OpRecharge), ips.OpRecharge)
		require.NoError(t, err)
		assert.Equal(t, tt.want, h(t.Context(), resp))
	}
}

// TestOnceAcrossSiblings replays an answer at the URL of the sibling operation:
// nothing in it says which it belongs to, so it must count as a copy.
func TestOnceAcrossSiblings(t *testing.T) {
	t.Parallel()
	for op, sibling := range map[ips.Operation]ips.Operation{
		ips.OpRegisterCreditor: ips.OpAutoBid, ips.OpRepay: ips.OpAutoRepay,
	} {
		calls := 0
		h := ips.Deduplicated(new(ipstest.MemoryOnce), hear(func(ips.Response) error { calls++; return nil }))
		c := fixture.Client(t)
		a := fixture.Sealed(ips.CodeSuccess, "", responseFile(t, op))
		for _, at := range []ips.Operation{op, sibling, op} {
			resp, err := c.ParseNotification(a.Inbound(at), at)
			require.NoError(t, err)
			require.NoError(t, h(t.Context(), resp))
		}
		assert.Equal(t, 1, calls, op)
	}
}
