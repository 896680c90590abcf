package ips

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Amount is a sum of money in fen (分), a hundredth of a yuan: exact, never a
// float. Write sums as in
//
//	500*ips.Yuan + 25*ips.Fen
//
// The wire carries yuan with two decimals, N(9,2): at most [MaxAmount].
type Amount int64

// The units of money.
const (
	Fen  Amount = 1         // 分
	Yuan Amount = 100 * Fen // 元
)

// MaxAmount is the largest amount the wire can carry: 9 digits before the
// point, 2 behind it.
const MaxAmount Amount = 999_999_999_99

// ParseAmount reads an amount in yuan as the wire writes it, with two, one or
// no decimals: "3050.00", "500.0", "500". It refuses everything else: signs,
// exponents, spaces, separators, more than two decimals ("1.005") and more
// than nine digits before the point.
func ParseAmount(s string) (Amount, error) {
	n, err := parseHundredths(s, 9)
	if err != nil {
		return 0, fmt.Errorf("ips: amount %.20q: %w", s, err)
	}
	return Amount(n), nil
}

// ParseSignedAmount is [ParseAmount] that also takes a leading minus sign, as
// balances can have it.
func ParseSignedAmount(s string) (Amount, error) {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		a, err := ParseAmount(rest)
		return -a, err
	}
	return ParseAmount(s)
}

// String gives yuan with two decimals, "12.00".
func (a Amount) String() string {
	b, _ := a.AppendText(nil)
	return string(b)
}

// AppendText appends the form of [Amount.String].
func (a Amount) AppendText(b []byte) ([]byte, error) { return appendHundredths(b, int64(a)), nil }

// MarshalText gives the form of [Amount.String], so that JSON carries "12.00"
// and no float.
func (a Amount) MarshalText() ([]byte, error) { return a.AppendText(nil) }

// UnmarshalText reads what [ParseSignedAmount] takes.
func (a *Amount) UnmarshalText(text []byte) error {
	// The usual text needs no copy: only an error keeps it.
	if n, err := parseHundredths(text, 9); err == nil {
		*a = Amount(n)
		return nil
	}
	v, err := ParseSignedAmount(string(text))
	if err == nil {
		*a = v
	}
	return err
}

// Rate is a yearly interest rate in hundredths of a percent: 1250 is 12.50 %.
// Write it as in
//
//	12*ips.Percent + 50*ips.BasisPoint
type Rate int64

// The units of rates.
const (
	BasisPoint Rate = 1                // 0.01 %
	Percent    Rate = 100 * BasisPoint // 1 %
)

// ParseRate reads a rate in percent as the wire writes it: "45.12" is 45.12 %.
// Like [ParseAmount] it takes at most two decimals and no sign.
func ParseRate(s string) (Rate, error) {
	n, err := parseHundredths(s, 9)
	if err != nil {
		return 0, fmt.Errorf("ips: rate %.20q: %w", s, err)
	}
	return Rate(n), nil
}

// String gives the rate in percent with two decimals and no sign for percent:
// "45.12".
func (r Rate) String() string {
	b, _ := r.AppendText(nil)
	return string(b)
}

// AppendText appends the form of [Rate.String].
func (r Rate) AppendText(b []byte) ([]byte, error) { return appendHundredths(b, int64(r)), nil }

// MarshalText gives the form of [Rate.String].
func (r Rate) MarshalText() ([]byte, error) { return r.AppendText(nil) }

// UnmarshalText reads what [ParseRate] takes.
func (r *Rate) UnmarshalText(text []byte) error {
	v, err := ParseRate(string(text))
	if err == nil {
		*r = v
	}
	return err
}

var (
	errDecimalForm  = errors.New("want digits with at most two decimals, as 12.00")
	errDecimalRange = errors.New("more than 9 digits before the point")
)

// parseHundredths reads digits, optionally a point and one or two digits.
func parseHundredths[T string | []byte](s T, maxDigits int) (int64, error) {
	var n int64
	whole, frac, point := 0, 0, false // digits before and behind the point
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9':
			return 0, errDecimalForm
		case point:
			frac++
		case n > 0 || c != '0':
			whole++
		}
		if whole > maxDigits || frac > 2 {
			break
		}
		n = 10*n + int64(c-'0')
	}
	switch {
	case len(s) == 0 || s[0] == '.' || point && frac == 0 || frac > 2:
		return 0, errDecimalForm
	case whole > maxDigits:
		return 0, errDecimalRange
	}
	for ; frac < 2; frac++ {
		n *= 10
	}
	return n, nil
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func appendHundredths(b []byte, n int64) []byte {
	u := uint64(n)
	if n < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/100, 10)
	return append(b, '.', byte('0'+u/10%10), byte('0'+u%10))
}
