package ips_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// echo is a database of one row: a query gives its arguments back, as the named
// conversion of the driver's kind makes them.
type echo struct {
	as func(driver.Value) driver.Value
}

func (e echo) Connect(context.Context) (driver.Conn, error) { return e, nil }
func (e echo) Driver() driver.Driver                        { return nil }
func (e echo) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (e echo) Close() error                                 { return nil }
func (e echo) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }

func (e echo) QueryContext(_ context.Context, _ string, args []driver.NamedValue) (driver.Rows, error) {
	row := &echoed{}
	for _, a := range args {
		row.values = append(row.values, e.as(a.Value))
	}
	return row, nil
}

type echoed struct {
	values []driver.Value
	done   bool
}

func (r *echoed) Columns() []string { return make([]string, len(r.values)) }
func (r *echoed) Close() error      { return nil }
func (r *echoed) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done = true
	copy(dest, r.values)
	return nil
}

// TestThroughDatabaseSQL: what is written through database/sql comes back, from
// the columns of each kind of database.
func TestThroughDatabaseSQL(t *testing.T) {
	t.Parallel()
	shanghai := time.FixedZone("Asia/Shanghai", 8*60*60)
	midnightIn := func(zone *time.Location) func(driver.Value) driver.Value {
		return func(v driver.Value) driver.Value {
			if s, ok := v.(string); ok {
				if t, err := time.ParseInLocation("2006-01-02", s, zone); err == nil {
					return t
				}
				return []byte(s)
			}
			if t, ok := v.(time.Time); ok {
				return t.In(zone)
			}
			return v
		}
	}
	for name, as := range map[string]func(driver.Value) driver.Value{
		"as it is":            func(v driver.Value) driver.Value { return v },
		"MySQL, UTC":          midnightIn(time.UTC),
		"MySQL, loc=Shanghai": midnightIn(shanghai),
		"PostgreSQL, New York": func(v driver.Value) driver.Value {
			return midnightIn(time.FixedZone("EST", -5*60*60))(v)
		},
		"SQLite, text": func(v driver.Value) driver.Value {
			if t, ok := v.(time.Time); ok {
				return t.Format("2006-01-02 15:04:05.999999999-07:00")
			}
			return v
		},
		"SQLite, other text": func(v driver.Value) driver.Value {
			if t, ok := v.(time.Time); ok {
				return t.String()
			}
			return v
		},
	} {
		db := sql.OpenDB(echo{as})
		type all struct {
			Amount  ips.Amount
			Debt    *ips.Amount
			None    *ips.Amount
			Rate    ips.Rate
			Decimal ips.Decimal
			Date    ips.Date
			NoDate  ips.Date
			Time    ips.Time
			NoTime  ips.Time
		}
		debt := ips.Amount(math.MinInt64)
		in := all{Amount: 500_25, Debt: &debt, Rate: 12_50, Decimal: ips.Decimal{Amount: 500_05}, Date: day(), Time: at(23, 59, 59)}
		out := all{NoDate: day(), NoTime: at(1, 2, 3)}
		err := db.QueryRow("", in.Amount, in.Debt, in.None, in.Rate, in.Decimal, in.Date, in.NoDate, in.Time, in.NoTime).Scan(
			&out.Amount, &out.Debt, &out.None, &out.Rate, &out.Decimal, &out.Date, &out.NoDate, &out.Time, &out.NoTime)
		require.NoError(t, err, name)
		assert.Equal(t, in, out, name)
		var sum sql.Null[ips.Amount]
		require.NoError(t, db.QueryRow("", nil).Scan(&sum))
		assert.False(t, sum.Valid)
		require.NoError(t, db.Close())
	}
}

func TestDateInDatabases(t *testing.T) {
	t.Parallel()
	v, err := ips.NewDate(2026, 3, 1).Value()
	require.NoError(t, err)
	assert.Equal(t, "2026-03-01", v)
	v, err = ips.Date{}.Value()
	require.NoError(t, err)
	assert.Nil(t, v)
	_, err = ips.NewDate(2026, 2, 30).Value()
	require.Error(t, err)
	assert.Equal(t, "date", ips.Date{}.GormDataType())

	newYork := time.FixedZone("EST", -5*60*60)
	for _, tt := range []struct {
		src  any
		want ips.Date
	}{
		{nil, ips.Date{}}, {"0000-00-00", ips.Date{}}, {[]byte("0000-00-00"), ips.Date{}}, {time.Time{}, ips.Date{}}, {"", ips.Date{}},
		{"20141213", day()}, {[]byte("2014-12-13"), day()},
		{time.Date(2014, 12, 13, 0, 0, 0, 0, time.UTC), day()}, {time.Date(2014, 12, 13, 0, 0, 0, 0, ips.China), day()},
		{time.Date(2014, 12, 13, 0, 0, 0, 0, newYork), day()},
	} {
		got := ips.NewDate(2000, 1, 1)
		require.NoError(t, got.Scan(tt.src), "%v", tt.src)
		assert.Equal(t, tt.want, got, "%v", tt.src)
	}
	for _, src := range []any{
		"2014-02-30", "20141313", "2014-12-1", "2014-12-13 00:00:00", "noon", "00000000", int64(20141213), 20141213.0, true,
		time.Date(2014, 12, 12, 16, 0, 0, 0, time.UTC), time.Date(2014, 12, 13, 0, 0, 0, 1, time.UTC), time.Date(2014, 12, 13, 0, 0, 1, 0, time.UTC),
	} {
		got := day()
		require.Error(t, got.Scan(src), "%v", src)
		assert.Equal(t, day(), got)
	}
}

func TestTimeInDatabases(t *testing.T) {
	t.Parallel()
	v, err := at(9, 8, 7).Value()
	require.NoError(t, err)
	assert.Equal(t, time.Date(2014, 12, 13, 1, 8, 7, 0, time.UTC), v)
	v, err = ips.Time{}.Value()
	require.NoError(t, err)
	assert.Nil(t, v)
	want := at(9, 8, 7)
	for _, src := range []any{
		want.Time, want.UTC(), "2014-12-13T09:08:07+08:00", "2014-12-13T01:08:07Z", []byte("2014-12-13 01:08:07+00:00"), "2014-12-13 01:08:07 +0000 UTC", "20141213090807",
	} {
		var got ips.Time
		require.NoError(t, got.Scan(src), "%v", src)
		assert.Equal(t, want, got, "%v", src)
	}
	for _, src := range []any{nil, time.Time{}} {
		got := want
		require.NoError(t, got.Scan(src))
		assert.Zero(t, got)
	}
	for _, src := range []any{"2014-12-13 09:08:07", []byte("2014-12-13 09:08:07"), "", "noon", "20141313090807", "20141213", int64(1418432887), 1.5} {
		got := want
		require.Error(t, got.Scan(src), "%v", src)
		assert.Equal(t, want, got)
	}
}

// FuzzValues: what is read from a form or a database is written and read again
// as the same.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"", "500.00", "-0.01", "92233720368547758.07", "20261231", "2026-12-31", "0000-00-00", "2026-12-31T23:59:59+08:00", "20261231235959", "2026-12-31 15:59:59 +0000 UTC"} {
		f.Add(s)
	}
	again := func(t *testing.T, s string, written driver.Valuer, read sql.Scanner) {
		t.Helper()
		v, err := written.Value()
		require.NoError(t, err, s)
		require.NoError(t, read.Scan(v), s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var amount, amount2 ips.Amount
		isAmount := amount.UnmarshalText([]byte(s)) == nil
		if isAmount {
			again(t, s, amount, &amount2)
			require.Equal(t, amount, amount2, s)
			require.NoError(t, amount2.UnmarshalText([]byte(amount.String())), s)
			require.Equal(t, amount, amount2, s)
		}
		var decimal, decimal2 ips.Decimal
		if decimal.Scan(s) == nil {
			again(t, s, decimal, &decimal2)
			require.Equal(t, decimal, decimal2, s)
			if isAmount { // a DECIMAL may have more zeros behind the point
				require.Equal(t, amount, decimal.Amount, s)
			}
		}
		for _, read := range []func(*ips.Date) error{
			func(d *ips.Date) error { return d.Scan(s) }, func(d *ips.Date) error { return d.UnmarshalParam(s) },
		} {
			var date, date2 ips.Date
			if read(&date) == nil {
				again(t, s, date, &date2)
				require.Equal(t, date, date2, s)
			}
		}
		var moment, moment2 ips.Time
		if moment.Scan(s) == nil {
			again(t, s, moment, &moment2)
			require.True(t, moment.Equal(moment2.Time), s)
		}
	})
}

// TestOddValues: what is no date is shown as it is and read as none, and nothing
// is read half.
func TestOddValues(t *testing.T) {
	t.Parallel()
	for text, d := range map[string]ips.Date{
		"99990099": {Year: 9999, Month: 0, Day: 99}, "00019900": {Year: 1, Month: 99, Day: 0},
		"100000101": {Year: 10000, Month: 1, Day: 1}, "-0010101": {Year: -1, Month: 1, Day: 1},
		"2026-101": {Year: 2026, Month: -1, Day: 1}, "202610001": {Year: 2026, Month: 100, Day: 1},
		"202601-1": {Year: 2026, Month: 1, Day: -1}, "202601100": {Year: 2026, Month: 1, Day: 100},
	} {
		assert.Equal(t, text, d.String())
		assert.False(t, d.Valid())
	}
	day := ips.NewDate(2026, time.December, 31)
	require.NoError(t, day.UnmarshalText(nil))
	assert.True(t, day.IsZero())
	for _, text := range []string{`1`, `20261231`, `["20261231"]`, `{}`, `true`} {
		var at ips.Time
		require.Error(t, json.Unmarshal([]byte(text), &at), text)
	}
	for _, text := range []string{``, `"`, `x`, `"20261231`, `20261231"`} {
		require.Error(t, new(ips.Time).UnmarshalJSON([]byte(text)), text)
	}

	var a ips.Amount
	require.NoError(t, a.Scan(uint64(math.MaxInt64)))
	assert.Equal(t, ips.Amount(math.MaxInt64), a)
	require.Error(t, a.Scan(uint64(math.MaxInt64)+1))
	var d ips.Decimal
	for _, src := range []any{"500", []byte("500"), "500.0", "500.001", nil, []byte(nil), 500, 500.25, "", ".00"} {
		require.Error(t, d.Scan(src), "%v", src)
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ips.Date{
		"20141213": {Year: 2014, Month: time.December, Day: 13}, "20160229": {Year: 2016, Month: time.February, Day: 29},
		"20141231": {Year: 2014, Month: time.December, Day: 31}, "20150101": {Year: 2015, Month: time.January, Day: 1},
		"00010101": {Year: 1, Month: time.January, Day: 1}, "99991231": {Year: 9999, Month: time.December, Day: 31},
	} {
		got, err := ips.ParseDate(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, text, got.String())
		assert.True(t, got.Valid())
		assert.False(t, got.IsZero())
		assert.Equal(t, got, ips.DateOf(got.Time()))
	}
	for _, text := range []string{"", "2014121", "201412130", "20141313", "20150229", "00000101", "20140012", "20141200", "2014-12-13", "2014121３", "yyyyMMdd", " 0141213", "20141213 "} {
		_, err := ips.ParseDate(text)
		assert.Error(t, err, "%q", text)
	}
	for _, d := range []ips.Date{
		{}, {Year: 2015, Month: 2, Day: 29}, {Year: 2014, Month: 13, Day: 1}, {Year: 2014, Month: 12}, {Year: 10_000, Month: 1, Day: 1},
		{Year: -1, Month: 1, Day: 1}, {Year: 2014, Month: 12, Day: 32},
	} {
		assert.False(t, d.Valid(), "%v", d)
	}
	assert.True(t, ips.Date{}.IsZero())
	assert.Empty(t, ips.Date{}.String())
	assert.False(t, ips.NewDate(2026, time.February, 30).Valid(), "it is not the second of March")
	assert.Equal(t, "20260230", ips.NewDate(2026, time.February, 30).String())
}

// TestAnswerTimes reads the forms that answers may have times and days in.
func TestAnswerTimes(t *testing.T) {
	t.Parallel()
	moment := at(9, 8, 7)
	for text, want := range map[string]time.Time{
		"20141213090807": moment.Time, "2014-12-13 09:08:07": moment.Time, "2014-12-13T09:08:07": moment.Time, "2014/12/13 9:08:07": moment.Time,
		"20141213": at(0, 0, 0).Time, "2014-12-13": at(0, 0, 0).Time, "": {},
	} {
		var got ips.Time
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		assert.True(t, want.Equal(got.Time), text)
		var date ips.Date
		require.NoError(t, date.UnmarshalText([]byte(text)), text)
		if text == "" {
			assert.True(t, date.IsZero())
		} else {
			assert.Equal(t, day(), date, text)
		}
	}
	var got ips.Time
	for _, text := range []string{"noon", "2014121309080", "20141313090807", "1418432887", "09:08:07"} {
		require.Error(t, got.UnmarshalText([]byte(text)), text)
	}
	assert.Equal(t, "20141213090807", ips.Time{Time: moment.UTC()}.String())
	assert.Empty(t, ips.Time{}.String())
	assert.Equal(t, "20141213090807", fmt.Sprint(moment))
}

// TestChinaWhateverTheZone: midnight and new year are China's, whatever zone
// the machine is in. Each zone has a process of its own, since the zone of a
// process is everybody's.
func TestChinaWhateverTheZone(t *testing.T) {
	const variable = "IPS_TEST_ZONE"
	if offset := os.Getenv(variable); offset != "" {
		hours, err := strconv.Atoi(offset)
		require.NoError(t, err)
		time.Local = time.FixedZone("test", hours*60*60)
		testChina(t)
		return
	}
	t.Parallel()
	program, err := os.Executable()
	require.NoError(t, err)
	for _, offset := range []string{"0", "-10", "14", "8"} {
		cmd := exec.Command(program, "-test.run=^TestChinaWhateverTheZone$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"="+offset)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "UTC%s: %s", offset, out)
		assert.Contains(t, string(out), "--- PASS: TestChinaWhateverTheZone", offset)
	}
}

func testChina(t *testing.T) {
	for moment, want := range map[time.Time]string{
		time.Date(2014, 12, 31, 15, 59, 59, 999, time.UTC): "20141231",
		time.Date(2014, 12, 31, 16, 0, 0, 0, time.UTC):     "20150101",
		time.Date(2015, 1, 1, 15, 59, 59, 0, time.UTC):     "20150101",
		time.Date(2016, 2, 28, 16, 0, 0, 0, time.UTC):      "20160229",
	} {
		assert.Equal(t, want, ips.DateOf(moment).String())
		assert.Equal(t, want, ips.DateOf(moment.Local()).String())
		assert.Equal(t, moment.Add(8*time.Hour).Format("20060102150405"), ips.Time{Time: moment.Local()}.String())
	}
	newYear := time.Date(2014, 12, 31, 16, 0, 0, 0, time.UTC)
	d, err := ips.ParseDate("20150101")
	require.NoError(t, err)
	assert.Equal(t, "20150101", d.String())
	assert.True(t, d.Time().Equal(newYear))
	resp := read[*ips.BidResponse](t, ips.OpRegisterBid, "MG02501F", fixture.Document("pMerBillNo", "B1", "pIpsTime", "20150101000000", "pRegDate", "20141231"))
	assert.True(t, resp.IPSTime.Equal(newYear))
	assert.Equal(t, "20141231", resp.Date.String())
	before := ips.DateOf(time.Now())
	today := ips.Today()
	assert.Contains(t, []ips.Date{before, ips.DateOf(time.Now())}, today)
}
