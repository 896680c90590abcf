package operator

import (
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseYuan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "1": 100, "1.5": 150, "1.05": 105, "999999999.99": 99999999999} {
		got, err := parseYuan(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", ".5", "1.", "1.005", "-1", "+1", "1e3", "1,000", "1000000000", "１", "1.5.0"} {
		_, err := parseYuan(text)
		assert.ErrorContains(t, err, "yuan", text)
	}
}

func TestParseOldBid(t *testing.T) {
	t.Parallel()
	got, err := ParseOldBid("merchant=808801, bid=OLD1,contract=HT1,release=F1,borrower=4021000000000001,owed=4021000000000002:300.00 4021000000000003:0.01")
	require.NoError(t, err)
	assert.Equal(t, "808801", got.Merchant)
	assert.Equal(t, engine.OldBid{
		BidNo: "OLD1", ContractNo: "HT1", Release: "F1", Borrower: "4021000000000001",
		Owed: []engine.OldClaim{{Account: "4021000000000002", Amount: 30000}, {Account: "4021000000000003", Amount: 1}},
	}, got.OldBid)
	for _, text := range []string{"", "merchant", "bid=1,bid=2", "bid=1,colour=red"} {
		_, err := ParseOldBid(text)
		assert.ErrorContains(t, err, "old bid", text)
	}
}

// Every field of every action is filled in by a form as by JSON.
func TestFormsFillIn(t *testing.T) {
	t.Parallel()
	values := map[string]string{"name": "reset", "count": "2", "probability": "0.5", "after": "true", "delay": "2s", "signed": "false"}
	var in struct {
		Name        string  `json:"name"`
		Count       int     `json:"count"`
		Probability float64 `json:"probability,omitempty"`
		After       bool    `json:"after"`
		Signed      *bool   `json:"signed"`
		Other       string  `json:"other"`
		Hidden      string  `json:"-"`
	}
	require.NoError(t, fill(&in, func(name string) string { return values[name] }))
	assert.Equal(t, "reset", in.Name)
	assert.Equal(t, 2, in.Count)
	assert.InDelta(t, 0.5, in.Probability, 0)
	assert.True(t, in.After)
	require.NotNil(t, in.Signed)
	assert.False(t, *in.Signed)
	assert.Empty(t, in.Other+in.Hidden)
	values["count"] = "two"
	assert.ErrorContains(t, fill(&in, func(name string) string { return values[name] }), "count")
}
