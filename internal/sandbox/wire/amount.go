package wire

import (
	"fmt"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// Yuan formats an amount exactly.
func Yuan(fen int64) string {
	sign, n := "", uint64(fen)
	if fen < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// GroupThousands writes 1234567.00 as 1,234,567.00, which people read with
// fewer mistakes.
func GroupThousands(amount string) string {
	whole, fraction, dot := strings.Cut(amount, ".")
	sign := ""
	if digits, negative := strings.CutPrefix(whole, "-"); negative {
		sign, whole = "-", digits
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}

// ClockText is a time as people in China read it, "" for none.
func ClockText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(engine.China).Format(time.DateTime)
}
