package ips_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// TestLongerCodeIsNoOtherCode: the message's first letters cannot be drawn into
// the code.
func TestLongerCodeIsNoOtherCode(t *testing.T) {
	t.Parallel()
	f := fixture.Sealed("MG00000F", "SUCCESS", fixture.RechargeDocument)
	f.ErrCode, f.ErrMsg = "MG00000FSUCCESS", ""
	_, err := fixture.Client(t).ParseNotification(f.Inbound(ips.OpRecharge), ips.OpRecharge)
	require.ErrorIs(t, err, ips.ErrMalformed)
}

// TestUnknownCode: a code of the usual form that is in no list is a failure and
// marked; one of any other form, or another operation's verdict, is none. All
// keep code and text.
func TestUnknownCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[ips.Code]struct {
		outcome  ips.Outcome
		unlisted bool
	}{
		"MG77777F": {ips.Failure, true},
		"MG03022F": {ips.Failure, true},
		"MG00001F": {ips.Failure, false},
		"MG19054F": {ips.Failure, false}, // of another operation, and a refusal all the same
		"MG00002E": {}, "MG7777F": {}, "MG777777F": {}, "MGABCDEF": {}, "XG77777F": {}, "ERR01": {}, "F": {},
		"9999": {}, "0000": {}, "01": {}, "02": {}, // of the queries and the old interface
		"MG02500F": {}, "MG02501F": {}, "MG02503F": {}, "MG02505F": {}, // a bid's verdicts
	} {
		resp, err := fixture.Client(t).ParseNotification(fixture.Sealed(code, "未知错误", fixture.RechargeDocument).Inbound(ips.OpRecharge), ips.OpRecharge)
		require.NoError(t, err, code)
		base := resp.Base()
		assert.Equal(t, want.outcome, base.Outcome, code)
		assert.Equal(t, want.unlisted, base.Unlisted, code)
		assert.Equal(t, "R20141213000001", base.OrderNo)
		var refusal *ips.Error
		require.ErrorAs(t, resp.Err(), &refusal)
		assert.Equal(t, ips.Error{Operation: ips.OpRecharge, Code: code, Message: "未知错误", OrderNo: base.OrderNo, Unlisted: want.unlisted}, *refusal)
		assert.ErrorIs(t, resp.Err(), code)
		assert.Equal(t, want.outcome == ips.Undecided, errors.Is(resp.Err(), ips.ErrFateUnknown), code)
	}
	// What a bid is told means it of a bid.
	for op, codes := range map[ips.Operation]map[ips.Code]ips.Outcome{
		ips.OpRegisterBid: {"MG02500F": ips.Pending, "MG02501F": ips.Success, "MG02503F": ips.Undecided, "MG02505F": ips.Undecided},
		ips.OpEndBid:      {"MG02500F": ips.Undecided, "MG02501F": ips.Undecided, "MG02503F": ips.Pending, "MG02505F": ips.Success},
	} {
		for code, want := range codes {
			i := fixture.Info(t, op)
			assert.Equal(t, want, i.Outcome(code), "%s %s", op, code)
		}
	}
}
