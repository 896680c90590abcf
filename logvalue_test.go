package ips_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ips-p2p/ips"
)

// logged is what slog writes of a value.
func logged(v any) string {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	return b.String()
}

// TestLoggedRequest: what a log has of a request. All operations are in
// internal/test/wire.
func TestLoggedRequest(t *testing.T) {
	t.Parallel()
	assert.Contains(t, logged(ips.RepayRequest{OrderNo: "P1", Amount: 5 * ips.Yuan, ReturnURL: "https://user:password@example.com/r", Rows: make([]ips.RepayRow, 3)}),
		"msg=m v.operation=repay v.OrderNo=P1 ")
	text := logged(ips.RepayRequest{Amount: 5 * ips.Yuan, ReturnURL: "https://user:password@example.com/r", Rows: make([]ips.RepayRow, 3)})
	assert.Contains(t, text, "v.Amount=5.00")
	assert.Contains(t, text, "v.Rows=3")
	assert.NotContains(t, text, "password")
	assert.NotContains(t, text, "Fee", "what is empty is left out")
	assert.NotPanics(t, func() { logged((*ips.RepayRequest)(nil)) })
}
