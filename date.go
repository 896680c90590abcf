package ips

import (
	"errors"
	"fmt"
	"time"
)

// China is China Standard Time, UTC+8, the time zone of everything on the
// wire. It does not depend on the machine's zone or its time-zone database.
// Treat it as a constant.
var China = time.FixedZone("CST", 8*60*60)

// Date is a day in China, "yyyyMMdd" on the wire. The zero Date is no date.
type Date struct {
	Year  int        // e.g. 2026
	Month time.Month // January is 1
	Day   int        // from 1
}

// NewDate is the given day; like [time.Date] it normalises, so that October 32
// is November 1.
func NewDate(year int, month time.Month, day int) Date {
	return DateOf(time.Date(year, month, day, 0, 0, 0, 0, China))
}

// DateOf is the day that it is in China at time t.
func DateOf(t time.Time) Date {
	y, m, d := t.In(China).Date()
	return Date{y, m, d}
}

// Today is the day that it is in China now. An order that is sent again must
// carry the date it was first sent with, so keep the date with the order
// instead of calling Today twice.
func Today() Date { return DateOf(time.Now()) }

// ParseDate reads yyyyMMdd.
func ParseDate(s string) (Date, error) {
	t, err := time.ParseInLocation("20060102", s, China)
	if err != nil {
		return Date{}, fmt.Errorf("ips: date %.20q: want yyyyMMdd", s)
	}
	return DateOf(t), nil
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Valid reports whether d exists in the calendar and fits the wire.
func (d Date) Valid() bool {
	return d.Year >= 1 && d.Year <= 9999 && d == NewDate(d.Year, d.Month, d.Day)
}

// Time is the first moment of the day in China.
func (d Date) Time() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, China) }

// String gives yyyyMMdd, or "" for the zero Date.
func (d Date) String() string {
	b, _ := d.AppendText(nil)
	return string(b)
}

// AppendText appends the form of [Date.String].
func (d Date) AppendText(b []byte) ([]byte, error) {
	if d.IsZero() {
		return b, nil
	}
	if d.Year < 0 || d.Year > 9999 || d.Month < 0 || d.Month > 99 || d.Day < 0 || d.Day > 99 { // no date, but it can be shown
		return fmt.Appendf(b, "%04d%02d%02d", d.Year, int(d.Month), d.Day), nil
	}
	n := d.Year*10000 + int(d.Month)*100 + d.Day
	for unit := 10_000_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+n/unit%10))
	}
	return b, nil
}

// MarshalText gives the form of [Date.String].
func (d Date) MarshalText() ([]byte, error) { return d.AppendText(nil) }

// UnmarshalText reads yyyyMMdd; from answers it also takes the forms with a
// time, of which it keeps the day, and the empty text for no date.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	t, err := parseTime(string(text))
	if err != nil {
		return err
	}
	*d = DateOf(t)
	return nil
}

// Lenient says that an unreadable date in an answer is kept with the unknown
// elements instead of spoiling the whole answer.
func (d *Date) Lenient() {}

// Time is a moment that IPS reports, "yyyyMMddHHmmss" in China Standard Time on
// the wire. The zero Time means that IPS reported none.
type Time struct{ time.Time }

// String gives yyyyMMddHHmmss in China, or "" for the zero Time.
func (t Time) String() string {
	b, _ := t.AppendText(nil)
	return string(b)
}

// AppendText appends the form of [Time.String].
func (t Time) AppendText(b []byte) ([]byte, error) {
	if t.IsZero() {
		return b, nil
	}
	return t.In(China).AppendFormat(b, "20060102150405"), nil
}

// MarshalText gives the form of [Time.String].
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// MarshalJSON gives the form of [Time.String] in quotes.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads what MarshalJSON writes. Null changes nothing.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return errTimeForm
	}
	return t.UnmarshalText(b[1 : len(b)-1])
}

// UnmarshalText reads yyyyMMddHHmmss, and the other forms that .NET platforms
// write times in.
func (t *Time) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Time{}
		return nil
	}
	v, err := parseTime(string(text))
	if err != nil {
		return err
	}
	*t = Time{v}
	return nil
}

// Lenient says that an unreadable time in an answer is kept with the unknown
// elements instead of spoiling the whole answer.
func (t *Time) Lenient() {}

var errTimeForm = errors.New("ips: want yyyyMMddHHmmss or yyyyMMdd")

func parseTime(s string) (time.Time, error) {
	// The first two are documented; the others are our choice, for a platform
	// that formats a .NET DateTime without saying how.
	for _, form := range []string{"20060102150405", "20060102", "2006-01-02 15:04:05", "2006-01-02", "2006/1/2 15:04:05", "2006-01-02T15:04:05"} {
		if len(s) < len(form)-1 { // one digit may be missing, before the hour's second; an error costs more than this look
			continue
		}
		if t, err := time.ParseInLocation(form, s, China); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errTimeForm
}
