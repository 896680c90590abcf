package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
)

// TestTail: the program shows a call and its answer, a line each, and nothing
// of the document.
func TestTail(t *testing.T) {
	t.Parallel()
	p := startProgram(t, noEnvironment, "-addr", "127.0.0.1:0", "-tail")
	cfg := ips.TestMerchant()
	cfg.Environment = ips.Sandbox(p.base)
	client, err := ips.NewClient(cfg)
	require.NoError(t, err)
	_, err = client.UnfreezeMargin(t.Context(), ips.UnfreezeMarginRequest{
		OrderNo: "U1", BidNo: "B1", Date: ips.Today(), Amount: ips.Yuan, Owner: ips.BorrowerMargin, IdentNo: "110101199001010001",
		RealName: "张三", Account: "4021000000000001", NotifyURL: "http://127.0.0.1:1/",
	})
	require.Error(t, err, "there is no such bid")
	resp, err := http.Get(p.base + "/healthz")
	require.NoError(t, err)
	resp.Body.Close()
	require.NoError(t, p.stop())
	out := p.stdout.String()
	assert.Regexp(t, `(?m)^\d\d:\d\d:\d\d\.\d{3} → IPS soap 808801 GuaranteeUnfreeze U1$`, out)
	assert.Regexp(t, `(?m)^\d\d:\d\d:\d\d\.\d{3} ← IPS soap 808801 GuaranteeUnfreeze U1 MG\d{5}F .+$`, out)
	assert.NotContains(t, out, "110101199001010001")
	assert.NotContains(t, out, "张三")
	assert.Less(t, strings.Index(out, "← IPS"), strings.Index(out, "stopping"), "what came last is there")
}

func TestTailLine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 12, 0, 0, 5e6, time.UTC)
	for want, m := range map[string]messages.Message{
		"12:00:00.005 ← IPS notify 808801 doDpTrade R1 MG00000F 成功 http://127.0.0.1/n": {
			At: at, Direction: messages.Out, Via: messages.ViaNotify, Merchant: "808801", Op: "doDpTrade", Order: "R1", Code: "MG00000F", Text: "成功", Peer: "http://127.0.0.1/n", Verified: true,
		},
		"12:00:00.005 → IPS page 808801 doDpTrade R·[2J1 (signature does not hold)": {
			At: at, Direction: messages.In, Via: messages.ViaPage, Merchant: "808801", Op: "doDpTrade", Order: "R\x1b[2J1", Peer: "127.0.0.1:5",
		},
	} {
		assert.Equal(t, want, tailLine(m))
	}
}

// TestTailTooFast: what the record has lost already is said.
func TestTailTooFast(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var b strings.Builder
	tail(ctx, &b, func() []messages.Message {
		return []messages.Message{{Seq: 5, Verified: true}, {Seq: 6, Verified: true}}
	})
	assert.Contains(t, b.String(), "… 4 messages went by too fast\n")
	assert.Equal(t, 3, strings.Count(b.String(), "\n"))
}
