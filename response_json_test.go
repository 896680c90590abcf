package ips_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// TestRecordedAnswers are read back as they were.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		data, err := ips.MarshalResponse(tt.response)
		require.NoError(t, err, tt.op)
		assert.JSONEq(t, string(goldenFile(t, tt.op, "response.json")), string(data), tt.op)
		back, err := ips.UnmarshalResponse(tt.op, data)
		require.NoError(t, err, tt.op)
		assert.Equal(t, tt.response, back)
	}
	_, err := ips.UnmarshalResponse("no-such-operation", []byte("{}"))
	require.ErrorContains(t, err, "no-such-operation")
	_, err = ips.UnmarshalResponse(ips.OpRecharge, []byte(`{"Amount":"1.005"}`))
	require.ErrorContains(t, err, "recharge")
}
