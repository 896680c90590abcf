package ips_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

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

func TestErrors(t *testing.T) {
	t.Parallel()
	refused := error(&ips.Error{Operation: ips.OpRegisterBid, Code: ips.CodeBidExists, Message: "标的已存在", OrderNo: "B1"})
	wrapped := fmt.Errorf("bid 7: %w", refused)
	assert.ErrorIs(t, wrapped, ips.CodeBidExists)
	assert.NotErrorIs(t, wrapped, ips.CodeBidOver)
	assert.NotErrorIs(t, wrapped, ips.ErrFateUnknown)
	var e *ips.Error
	require.ErrorAs(t, wrapped, &e)
	assert.Equal(t, "B1", e.OrderNo)
	assert.Equal(t, `ips: register-bid order "B1" refused: MG02008F 标的已存在`, refused.Error())
	assert.Equal(t, "MG02008F", ips.CodeBidExists.Error())

	cause := errors.New("connection reset")
	unknown := error(&ips.FateUnknownError{Operation: ips.OpTransfer, OrderNo: "T1", Err: cause})
	wrapped = fmt.Errorf("release: %w", unknown)
	assert.ErrorIs(t, wrapped, ips.ErrFateUnknown)
	assert.ErrorIs(t, wrapped, cause)
	var f *ips.FateUnknownError
	require.ErrorAs(t, wrapped, &f)
	assert.Equal(t, `ips: transfer order "T1": fate unknown, ask, don't resend under a new number: connection reset`, unknown.Error())

	invalid := error(&ips.ValidationError{Operation: ips.OpRecharge, Fields: []ips.FieldError{
		{Wire: "pTrdAmt", Go: "Amount", Rule: "must be more than 0", Value: `"0.00"`},
		{Wire: "pMerFee", Go: "Fee", Rule: "must be at least 0", Value: `"-0.01"`},
	}})
	assert.Equal(t, `ips: recharge: invalid request: Amount (pTrdAmt) must be more than 0, got "0.00"; Fee (pMerFee) must be at least 0, got "-0.01"`, invalid.Error())

	assert.Equal(t, "HTTP status 502 Bad Gateway", (&ips.HTTPError{StatusCode: 502, Status: "502 Bad Gateway"}).Error())
	assert.Equal(t, "SOAP fault Server: down", (&ips.SOAPFault{Code: "Server", String: "down"}).Error())
	assert.Equal(t, "ips: recharge refused: MG00006F x", (&ips.Error{Operation: ips.OpRecharge, Code: "MG00006F", Message: "x"}).Error())
}

// TestErrorsSayWhatTheyProve: a duplicate by its code or by its words, whatever
// the operation; a bid that is over only of an end.
func TestErrorsSayWhatTheyProve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err             ips.Error
		duplicate, over bool
	}{
		{ips.Error{Operation: ips.OpRecharge, Code: "MG18026F", Message: "充值失败，订单号重复，错误码MG18026F"}, true, false},
		{ips.Error{Operation: ips.OpRecharge, Code: "MG18026F"}, true, false},
		{ips.Error{Operation: ips.OpTransfer, Code: "MG09099F", Message: "转账失败，订单号重复，错误码MG09099F"}, true, false},
		{ips.Error{Operation: ips.OpRegisterBid, Code: "MG02008F", Message: "登记标的失败，标的已存在"}, false, false},
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02030F", Message: "结束标的失败，标的已结束", OrderNo: "B1"}, false, true},
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02030F", Message: "结束标的失败，标的已结束"}, false, false}, // of which bid?
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02030F", Message: "订单号重复", OrderNo: "B1"}, true, false},
		{ips.Error{Operation: ips.OpRegisterBid, Code: "MG02030F"}, false, false},
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02027F"}, false, false},
	} {
		err := fmt.Errorf("order 7: %w", &tt.err)
		assert.Equal(t, tt.duplicate, errors.Is(err, ips.ErrDuplicate), "%v", err)
		assert.Equal(t, tt.over, errors.Is(err, ips.ErrBidOver), "%v", err)
	}
}
