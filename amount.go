package ips

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Amount is a sum of money in fen (分), a hundredth of a yuan: exact, never a
// float. Write sums as in
//
//	500*ips.Yuan + 25*ips.Fen
//
// A request carries yuan with two decimals, N(9,2): at most [MaxAmount]. IPS may
// answer more, as a balance.
//
// # Databases, JSON and forms
//
// In SQL an Amount is FEN IN A BIGINT COLUMN: 500 yuan are 50000 there. It must
// never be written to a column that counts yuan: no database objects, and the
// sum is a hundredfold. For a DECIMAL column in yuan there is [Decimal]. Reading
// takes integers only and refuses text, which may be either; MySQL and PostgreSQL
// hand over the SUM of a BIGINT as text, so cast it to BIGINT (MySQL: SIGNED).
//
// In JSON an Amount is a text in yuan, "500.00"; a JSON number is an error. A
// form field is read in yuan as [ParseAmount] does.
type Amount int64

// The units of money.
const (
	Fen  Amount = 1         // 分
	Yuan Amount = 100 * Fen // 元
)

// MaxAmount is the largest amount a request can carry: 9 digits before the
// point, 2 behind it.
const MaxAmount Amount = 999_999_999_99

// ParseAmount reads an amount in yuan as the wire writes it, with two, one or
// no decimals: "3050.00", "500.0", "500". It refuses everything else: signs,
// exponents, spaces, separators, more than two decimals ("1.005") and more
// than nine digits before the point.
func ParseAmount(s string) (Amount, error) {
	n, err := parseHundredths(s, requestDigits)
	if err != nil {
		return 0, fmt.Errorf("ips: amount %.20q: %w", s, err)
	}
	return Amount(n), nil
}

// ParseSignedAmount reads an amount as an answer of IPS has it: [ParseAmount]
// with a leading minus sign or none, and as many digits as an Amount holds, since
// a balance or a sum can be more than one request could move.
func ParseSignedAmount(s string) (Amount, error) {
	digits, negative := strings.CutPrefix(s, "-")
	n, err := parseHundredths(digits, answerDigits)
	if err != nil {
		return 0, fmt.Errorf("ips: amount %.20q: %w", s, err)
	}
	if negative {
		n = -n
	}
	return Amount(n), nil
}

// Rounding says what becomes of parts of a fen.
type Rounding int

// The ways of rounding.
const (
	HalfUp Rounding = iota // 四舍五入: half a fen and more is one, as in PHP's number_format
	Down                   // 舍去: they are cut off, as in a division of integers
)

// Times is the share of the amount that the rate says, e.g. a fee: 1235.55 yuan
// times 10*[BasisPoint] (0.1 %) is 1.24 yuan [HalfUp] and 1.23 yuan [Down].
// Negative amounts are rounded as positive ones are. A share that no Amount can
// hold becomes the largest or the smallest one, which every request refuses.
func (a Amount) Times(r Rate, rounding Rounding) Amount {
	const whole = uint64(100 * Percent)
	hi, lo := bits.Mul64(magnitude(int64(a)), magnitude(int64(r)))
	negative := (a < 0) != (r < 0)
	share, rest := uint64(1<<63), uint64(0) // that of the smallest Amount
	if hi < whole/2 {
		share, rest = bits.Div64(hi, lo, whole)
	}
	if rounding == HalfUp && rest >= whole/2 {
		share++
	}
	if negative {
		return Amount(-share)
	}
	return Amount(min(share, math.MaxInt64))
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
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
	if n, err := parseHundredths(text, answerDigits); err == nil {
		*a = Amount(n)
		return nil
	}
	v, err := ParseSignedAmount(string(text))
	return set(a, v, err)
}

// UnmarshalParam reads a form field as [ParseAmount] does, in yuan; gin and echo
// look for it.
func (a *Amount) UnmarshalParam(param string) error {
	v, err := ParseAmount(param)
	return set(a, v, err)
}

// set sets what could be read and leaves alone what could not.
func set[T any](to *T, v T, err error) error {
	if err == nil {
		*to = v
	}
	return err
}

// Value gives FEN as an integer, for a BIGINT column; see [Amount].
func (a Amount) Value() (driver.Value, error) { return int64(a), nil }

// Scan reads fen from an integer column. It refuses text, floats and NULL.
func (a *Amount) Scan(src any) error { return scanHundredths("Amount", "fen", src, (*int64)(a)) }

// Decimal is an [Amount] in a column of yuan, such as DECIMAL(11,2) of an old
// table: in SQL it is a text in yuan, "500.00". Everywhere else it is the Amount.
// It is for MySQL and PostgreSQL; SQLite has no decimals.
type Decimal struct{ Amount }

// Value gives the form of [Amount.String].
func (d Decimal) Value() (driver.Value, error) { return d.String(), nil }

// Scan reads yuan with a point and at least two decimals, all but the first two
// of them zero. It refuses integers, which may be fen, floats and NULL.
func (d *Decimal) Scan(src any) error {
	text, ok := sqlText(src)
	whole, frac, point := strings.Cut(text, ".")
	if !ok || !point || len(frac) < 2 || strings.Trim(frac[2:], "0") != "" {
		return fmt.Errorf("ips: scan Decimal: want a DECIMAL with at least two decimals and no parts of a fen, got %T", src)
	}
	return d.UnmarshalText([]byte(whole + "." + frac[:2]))
}

// sqlText is a text as a driver hands it over.
func sqlText(src any) (text string, ok bool) {
	switch src := src.(type) {
	case string:
		return src, true
	case []byte:
		return string(src), src != nil
	}
	return "", false
}

// scanHundredths reads an integer of a column. The error does not quote src.
func scanHundredths(typ, unit string, src any, to *int64) error {
	switch n := src.(type) {
	case int64:
		*to = n
		return nil
	case uint64: // BIGINT UNSIGNED
		if n <= math.MaxInt64 {
			*to = int64(n)
			return nil
		}
	}
	return fmt.Errorf("ips: scan %s: want an integer column that holds %s (cast a sum to one), got %T", typ, unit, src)
}

// Rate is a yearly interest rate in hundredths of a percent: 1250 is 12.50 %.
// Write it as in
//
//	12*ips.Percent + 50*ips.BasisPoint
//
// In SQL a Rate is HUNDREDTHS OF A PERCENT IN AN INTEGER COLUMN: 12.50 % is 1250
// there. For a DECIMAL column in percent use [Rate.String] and [ParseRate]. In
// JSON it is a text in percent, "12.50", and so it is in a form field.
type Rate int64

// The units of rates.
const (
	BasisPoint Rate = 1                // 0.01 %
	Percent    Rate = 100 * BasisPoint // 1 %
)

// ParseRate reads a rate in percent as the wire writes it: "45.12" is 45.12 %.
// Like [ParseAmount] it takes at most two decimals and no sign.
func ParseRate(s string) (Rate, error) {
	n, err := parseHundredths(s, requestDigits)
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
	return set(r, v, err)
}

// UnmarshalParam reads a form field as [ParseRate] does, in percent; gin and echo
// look for it.
func (r *Rate) UnmarshalParam(param string) error { return r.UnmarshalText([]byte(param)) }

// Value gives hundredths of a percent as an integer; see [Rate].
func (r Rate) Value() (driver.Value, error) { return int64(r), nil }

// Scan reads hundredths of a percent from an integer column. It refuses text,
// floats and NULL.
func (r *Rate) Scan(src any) error {
	return scanHundredths("Rate", "hundredths of a percent", src, (*int64)(r))
}

// Digits before the point.
const (
	requestDigits = 9  // N(9,2)
	answerDigits  = 17 // what an int64 of fen holds, and a little more
)

var (
	errDecimalForm  = errors.New("want digits with at most two decimals, as 12.00")
	errDecimalRange = errors.New("too large: more than 9 digits before the point")
	errAnswerRange  = errors.New("too large for an Amount")
)

// parseHundredths reads digits, optionally a point and one or two digits.
func parseHundredths[T string | []byte](s T, maxDigits int) (int64, error) {
	var n uint64                      // 17 digits and 2 decimals fit
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
		n = 10*n + uint64(c-'0')
	}
	for tail := frac; tail < 2; tail++ {
		n *= 10
	}
	switch {
	case len(s) == 0 || s[0] == '.' || point && frac == 0 || frac > 2:
		return 0, errDecimalForm
	case whole > maxDigits && maxDigits == requestDigits:
		return 0, errDecimalRange
	case whole > maxDigits || n > math.MaxInt64:
		return 0, errAnswerRange
	}
	return int64(n), nil
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
