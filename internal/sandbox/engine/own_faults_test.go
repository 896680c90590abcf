package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// A fault that comes with a submission meets that one and no other, and is
// part of the log.
func TestFaultsOfOneSubmission(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	recharge := func(bill string) engine.Command {
		return engine.Command{Kind: engine.KindSubmit, Merchant: merchant, Op: "doDpTrade", Message: engine.Message{
			{Name: "pMerBillNo", Value: bill}, {Name: "pAcctType", Value: "1"}, {Name: "pIdentNo", Value: zhang.ident},
			{Name: "pRealName", Value: zhang.name}, {Name: "pIpsAcctNo", Value: w.accounts(merchant)[0].Number},
			{Name: "pTrdDate", Value: "20141124"}, {Name: "pTrdAmt", Value: "1.00"}, {Name: "pChannelType", Value: "1"},
			{Name: "pTrdBnkCode", Value: "00004"}, {Name: "pMerFee", Value: "0.00"}, {Name: "pIpsFeeType", Value: "1"},
			{Name: "pWebUrl", Value: "http://shop.example.com/back"}, {Name: "pS2SUrl", Value: "http://shop.example.com/notify"},
			{Name: "pMemo1"}, {Name: "pMemo2"}, {Name: "pMemo3"},
		}}
	}
	refused := recharge("R1")
	refused.Faults = []engine.Fault{{Name: "code", Code: "MG18099F"}}
	out := w.ok(w.apply(refused), "MG18099F")
	assert.False(t, out.Taken)
	held := recharge("R1")
	held.Faults = []engine.Fault{{Name: "stay-pending"}}
	out = w.ok(w.apply(held), "MG00008F")
	assert.True(t, out.Taken)
	out = w.ok(w.apply(recharge("R2")), "MG00000F")
	assert.True(t, out.Taken, "the next one meets nothing")
	assert.False(t, w.apply(recharge("R2")).Taken, "it was taken before")
	assert.Len(t, w.release("doDpTrade").Notices, 1)

	again := engine.New()
	for _, cmd := range w.log {
		text, err := json.Marshal(cmd)
		require.NoError(t, err)
		var read engine.Command
		require.NoError(t, json.Unmarshal(text, &read))
		_, err = again.Apply(read)
		require.NoError(t, err)
	}
	assert.Equal(t, w.e.Digest(), again.Digest())
}

func TestFaultsOfOneSubmissionRefused(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	before := w.e.Digest()
	for name, c := range map[string]struct {
		fault engine.Fault
		want  string
	}{
		"unknown": {engine.Fault{Name: "flood"}, "unknown fault"},
		"success": {engine.Fault{Name: "code", Code: "MG00000F"}, "no refusal"},
		"row 0":   {engine.Fault{Name: "row"}, "has no rows"},
		"no code": {engine.Fault{Name: "code"}, "needs its code"},
		"no rows": {engine.Fault{Name: "row", Row: 1}, "has no rows"},
	} {
		_, err := w.e.Apply(engine.Command{
			Kind: engine.KindSubmit, At: w.at, Merchant: merchant, Op: "doDpTrade", Faults: []engine.Fault{c.fault},
		})
		assert.ErrorContains(t, err, c.want, name)
	}
	assert.Equal(t, before, w.e.Digest())
	assert.NoError(t, w.e.ExamineFault("Transfer", engine.Fault{Name: "row", Row: 1}))
	assert.ErrorContains(t, w.e.ExamineFault("Transfer", engine.Fault{Name: "row"}), "count from 1")
	assert.ErrorContains(t, w.e.ExamineFault("transfer", engine.Fault{Name: "row", Row: 1}), "unknown operation")
}
