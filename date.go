package ips

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// China is China Standard Time, UTC+8, the time zone of everything on the
// wire. It does not depend on the machine's zone or its time-zone database.
// Treat it as a constant.
var China = time.FixedZone("CST", 8*60*60)

// Date is a day in China, "yyyyMMdd" on the wire. The zero Date is no date.
//
// In SQL a Date is a DATE, or a text "2026-12-31"; the zero Date is NULL. For a
// CHAR(8) use [Date.String] and [ParseDate].
type Date struct {
	Year  int        // e.g. 2026
	Month time.Month // January is 1
	Day   int        // from 1
}

// NewDate is the given day. Unlike [time.Date] it does not normalise: 30 February
// is not [Date.Valid], and a request with it is refused. To count days use
// DateOf(d.Time().AddDate(0, 0, n)).
func NewDate(year int, month time.Month, day int) Date { return Date{year, month, day} }

// DateOf is the day that it is in China at time t.
func DateOf(t time.Time) Date {
	y, m, d := t.In(China).Date()
	return Date{y, m, d}
}

// Today is the day that it is in China now. An order that is sent again must
// carry the date it was first sent with, so keep the date with the order
// instead of calling Today twice.
func Today() Date { return DateOf(time.Now()) }

// ParseDate reads yyyyMMdd, a day of the calendar.
func ParseDate(s string) (Date, error) {
	t, err := time.ParseInLocation("20060102", s, China)
	if d := DateOf(t); err == nil && d.Valid() {
		return d, nil
	}
	return Date{}, fmt.Errorf("ips: date %.20q: want yyyyMMdd", s)
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Valid reports whether d exists in the calendar and fits the wire.
func (d Date) Valid() bool {
	return d.Year >= 1 && d.Year <= 9999 && d == DateOf(d.Time())
}

// Time is the first moment of the day in China. Of a day that does not exist it
// is another, as with [time.Date].
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
	if uint(d.Year) > 9999 || uint(d.Month) > 99 || uint(d.Day) > 99 { // no date, but it can be shown
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
	t, err := parseTime(string(text))
	if t.IsZero() {
		return set(d, Date{}, err)
	}
	return set(d, DateOf(t), err)
}

// UnmarshalParam reads a form field, yyyyMMdd or yyyy-MM-dd as browsers send it;
// an empty one is no date. gin and echo look for it.
func (d *Date) UnmarshalParam(param string) error {
	if param == "" {
		*d = Date{}
		return nil
	}
	if len(param) == len("2006-01-02") && param[4] == '-' && param[7] == '-' {
		param = param[:4] + param[5:7] + param[8:]
	}
	v, err := ParseDate(param)
	return set(d, v, err)
}

// Value gives "2026-12-31", NULL for the zero Date, and an error for a day that
// does not exist.
func (d Date) Value() (driver.Value, error) {
	switch {
	case d.IsZero():
		return nil, nil
	case !d.Valid():
		return nil, fmt.Errorf("ips: date %s is no day of the calendar", d)
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day), nil
}

// Scan reads a day from a DATE or from text, yyyy-MM-dd or yyyyMMdd. NULL and
// MySQL's 0000-00-00 are no date. It refuses a moment that is not midnight where
// the driver says it is: whose day that is cannot be known.
func (d *Date) Scan(src any) error {
	if text, ok := sqlText(src); ok {
		if text == "0000-00-00" {
			text = ""
		}
		return d.UnmarshalParam(text)
	}
	t, moment := src.(time.Time)
	hour, minute, second := t.Clock()
	switch {
	case src == nil, moment && t.IsZero(): // MySQL's driver makes that of 0000-00-00
		*d = Date{}
	case !moment:
		return fmt.Errorf("ips: scan Date: want a DATE or a text, got %T", src)
	case hour > 0 || minute > 0 || second > 0 || t.Nanosecond() > 0:
		return errors.New("ips: scan Date: a time of the day where a day belongs")
	default:
		*d = NewDate(t.Date())
	}
	return nil
}

// GormDataType makes gorm create a DATE.
func (Date) GormDataType() string { return "date" }

// Time is a moment that IPS reports, "yyyyMMddHHmmss" in China Standard Time on
// the wire. The zero Time means that IPS reported none.
//
// In SQL a Time is a moment as any [time.Time], so that the zone of column and
// connection are the driver's business (MySQL needs parseTime=true); the zero
// Time is NULL. For a text column use [Time.String].
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
// write times in. The empty text is the zero Time.
func (t *Time) UnmarshalText(text []byte) error {
	v, err := parseTime(string(text))
	return set(t, Time{v}, err)
}

// UnmarshalParam reads a form field as UnmarshalText does; gin and echo look for
// it.
func (t *Time) UnmarshalParam(param string) error { return t.UnmarshalText([]byte(param)) }

// Value gives the moment in UTC, NULL for the zero Time.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UTC(), nil
}

// Scan reads a moment. NULL is the zero Time. Of texts it takes those that name
// their zone, and yyyyMMddHHmmss, which is China's; another could be a moment
// hours away.
func (t *Time) Scan(src any) error {
	text, isText := sqlText(src)
	v, moment := src.(time.Time)
	switch {
	case moment || src == nil:
		return set(t, chinese(v), nil)
	case !isText:
		return fmt.Errorf("ips: scan Time: want a moment, got %T", src)
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700 MST"} {
		if v, err := time.Parse(form, text); err == nil {
			return set(t, chinese(v), nil)
		}
	}
	v, err := time.ParseInLocation("20060102150405", text, China)
	if err != nil {
		return errors.New("ips: scan Time: a text without its zone (MySQL: set parseTime=true)")
	}
	return set(t, Time{v}, nil)
}

// chinese is the moment as China calls it; the zero one stays zero.
func chinese(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.In(China)}
}

var errTimeForm = errors.New("ips: want yyyyMMddHHmmss or yyyyMMdd")

// parseTime reads a time of an answer; the empty text is the zero time.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
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
