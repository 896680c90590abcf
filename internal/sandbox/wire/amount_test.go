package wire

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestYuan(t *testing.T) {
	t.Parallel()
	for fen, want := range map[int64]string{
		0: "0.00", 5: "0.05", 100: "1.00", 305000: "3050.00", -1: "-0.01", -12345: "-123.45",
		-1 << 63: "-92233720368547758.08",
	} {
		assert.Equal(t, want, Yuan(fen))
	}
}

func TestAmountsInGroupsOfThree(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]string{
		"0.00": "0.00", "100.00": "100.00", "1000.00": "1,000.00", "100000000.00": "100,000,000.00", "1234567": "1,234,567",
		"-123.45": "-123.45", "-12345678.00": "-12,345,678.00",
	} {
		assert.Equal(t, want, GroupThousands(amount))
	}
}
