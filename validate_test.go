package ips_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// set stores value in the field at path, e.g. "Rows[1].Amount", of the struct
// that request points to.
func set(t testing.TB, request any, path string, value any) {
	t.Helper()
	v := reflect.ValueOf(request).Elem()
	for name := range strings.SplitSeq(path, ".") {
		name, index, isRow := strings.Cut(name, "[")
		v = v.FieldByName(name)
		require.True(t, v.IsValid(), path)
		if isRow {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			require.NoError(t, err)
			v = v.Index(i)
		}
	}
	v.Set(reflect.ValueOf(value).Convert(v.Type()))
}

// with is a list of fields and the values they get.
type with []any

func (w with) apply(t testing.TB, request any) {
	t.Helper()
	for pair := range slices.Chunk(w, 2) {
		set(t, request, pair[0].(string), pair[1])
	}
}

func x(n int) string    { return strings.Repeat("x", n) }
func zi(n int) string   { return strings.Repeat("字", n) }
func nine(n int) string { return strings.Repeat("9", n) }

func transferRows(n int) []ips.TransferRow {
	rows := make([]ips.TransferRow, n)
	for i := range rows {
		rows[i] = ips.TransferRow{
			OriginalOrderNo: fmt.Sprintf("C%06d", i+1), Amount: 100 * ips.Yuan,
			FromAccount: fmt.Sprintf("40210000001%05d", i+1), ToAccount: "4021000000000001",
		}
	}
	return rows
}

func repayRows(n int) []ips.RepayRow {
	rows := make([]ips.RepayRow, n)
	for i := range rows {
		rows[i] = ips.RepayRow{
			CreditorOrderNo: fmt.Sprintf("C%06d", i+1), Account: fmt.Sprintf("40210000001%05d", i+1), Amount: 100 * ips.Yuan, BorrowerFee: ips.Yuan,
		}
	}
	return rows
}

const (
	empty    = "must not be empty"
	blank    = "must not be blank"
	most20   = "must have at most 20 characters"
	most30   = "must have at most 30 characters"
	most50   = "must have at most 50 characters"
	most100  = "must have at most 100 characters"
	letters  = "must be letters a–z, A–Z and digits only"
	orderNo  = "must be letters a–z, A–Z, digits, - and _ only"
	positive = "must be more than 0"
	notNeg   = "must be at least 0"
	nineDig  = "must be at most 999999999.99"
	aURL     = "must be an absolute http or https URL"
	given    = "must be given"
)

// invalid is a request that breaks one rule: the full example with the named fields
// changed.
type invalid struct {
	change           with
	wire, goName     string
	rule             string
	alsoBreaksOthers bool // e.g. a sum that a bad row spoils
}

// personalNames are the Go names of fields whose values no error may show.
var personalNames = []string{"IdentNo", "FromIdentNo", "ToIdentNo", "RealName", "FromName", "ToName", "AccountName",
	"Mobile", "Email", "Account", "FromAccount", "ToAccount"}

// requireInvalid sends what breaks the rules of an operation: nothing is sealed, and
// the error says which field and why.
func requireInvalid(t *testing.T, op ips.Operation, requests []invalid) {
	t.Helper()
	for _, tt := range requests {
		t.Run(fmt.Sprintf("%s/%s/%s", op, tt.goName, tt.rule), func(t *testing.T) {
			t.Parallel()
			e := exampleOf(t, op)
			tt.change.apply(t, e.request)
			c, r := fixture.RecordingClient(t, "", "", ips.WithWireTap(func(m ips.WireMessage) {
				t.Errorf("%s was sealed although the request is invalid", m.Operation)
			}))
			form, resp, err := e.send(c, e.request)
			assert.Nil(t, form)
			assert.Nil(t, resp)
			assert.Zero(t, r.Calls, "sent although the request is invalid")
			var invalid *ips.ValidationError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, op, invalid.Operation)
			i := slices.IndexFunc(invalid.Fields, func(f ips.FieldError) bool {
				return f.Wire == tt.wire && f.Go == tt.goName && f.Rule == tt.rule
			})
			require.GreaterOrEqual(t, i, 0, "got %v", err)
			if !tt.alsoBreaksOthers {
				assert.Len(t, invalid.Fields, 1, "got %v", err)
			}
			for _, part := range []string{string(op), tt.wire, tt.goName, tt.rule} {
				assert.Contains(t, err.Error(), part)
			}
			f := invalid.Fields[i]
			assert.NotEmpty(t, f.Code)
			assert.Regexp(t, `^\p{Han}|^(Type|ValidUnit)`, f.Chinese)
			assert.NotContains(t, f.Chinese+f.Limit, "%!")
			var first ips.FieldError
			require.ErrorAs(t, err, &first)
			assert.Equal(t, invalid.Fields[0], first)
			last := tt.goName[strings.LastIndexByte(tt.goName, '.')+1:]
			if slices.Contains(personalNames, last) {
				assert.Regexp(t, `^a value of \d+ characters$`, invalid.Fields[i].Value)
			} else {
				assert.NotContains(t, invalid.Fields[i].Value, "a value of")
			}
		})
	}
}

// TestRuleCodes are what programs and Chinese readers get of a broken rule.
func TestRuleCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		op     ips.Operation
		change with
		want   ips.FieldError
	}{
		{ips.OpRecharge, with{"Amount", 0}, ips.FieldError{Wire: "pTrdAmt", Go: "Amount", Code: "more", Limit: "0", Rule: positive, Chinese: "必须大于 0", Value: `"0.00"`}},
		{ips.OpOpenAccount, with{"OrderNo", ""}, ips.FieldError{Wire: "pMerBillNo", Go: "OrderNo", Code: "required", Rule: empty, Chinese: "不能为空", Value: `""`}},
		{ips.OpOpenAccount, with{"Mobile", "1"}, ips.FieldError{Wire: "pMobileNo", Go: "Mobile", Code: "length", Limit: "11", Rule: "must have exactly 11 characters", Chinese: "必须为 11 个字符", Value: "a value of 1 characters"}},
		{ips.OpOpenAccount, with{"Memo1", "\x00"}, ips.FieldError{Wire: "pMemo1", Go: "Memo1", Code: "character", Limit: "U+0000", Rule: "must not hold the control character U+0000", Chinese: "不能含控制字符 U+0000", Value: `"\x00"`}},
		{ips.OpRegisterBid, with{"RepayMode", "4"}, ips.FieldError{Wire: "pRepayMode", Go: "RepayMode", Code: "choice", Limit: "1, 2, 3, 99", Rule: "must be one of 1, 2, 3, 99", Chinese: "只能是 1, 2, 3, 99 之一", Value: `"4"`}},
		{ips.OpRegisterBid, with{"Term", 61}, ips.FieldError{Wire: "pTrdCycleValue", Go: "Term", Code: "max", Limit: "60 months", Rule: "must be at most 60 months", Chinese: "不能大于 60 个月", Value: `"61"`}},
		{ips.OpRegisterDebtTransfer, with{"Price", 6_999_99}, ips.FieldError{Wire: "pPayAmt", Go: "Price", Code: "range", Limit: "70 %, 130 %", Rule: "must be 70 % to 130 % of FaceAmount 10000.00", Chinese: "必须为 FaceAmount 10000.00 的 70 % 至 130 %", Value: `"6999.99"`}},
		{ips.OpRepay, with{"Rows[0].Fee", 1000_00}, ips.FieldError{Wire: "pDetails/pRow[1]/pInAmt", Go: "Rows[0].Amount", Code: "more", Limit: "1000.00", Rule: "must be more than Fee (pInFee) 1000.00", Chinese: "必须大于 Fee（pInFee）1000.00", Value: `"1000.00"`}},
	} {
		e := exampleOf(t, tt.op)
		tt.change.apply(t, e.request)
		_, _, err := e.send(fixture.Client(t), e.request)
		var first ips.FieldError
		require.ErrorAs(t, err, &first, "%v", tt.change)
		assert.Equal(t, tt.want, first)
	}
}

// TestPersonalValuesStayOut breaks every personal field with a telling value
// and looks for it in the error.
func TestPersonalValuesStayOut(t *testing.T) {
	t.Parallel()
	const telling = "110101199001010001-张三-13800000000-4021000000000001-zhangsan@example.com" // longer than any limit
	c := fixture.Client(t)
	for _, e := range examples(t) {
		v := reflect.ValueOf(e.request).Elem()
		broken := 0
		for _, name := range personalNames {
			if f := v.FieldByName(name); f.IsValid() {
				f.SetString(telling)
				broken++
			}
		}
		if rows := v.FieldByName("Rows"); rows.IsValid() {
			for _, name := range personalNames {
				if f := rows.Index(0).FieldByName(name); f.IsValid() {
					f.SetString(telling)
					broken++
				}
			}
		}
		if broken == 0 {
			continue
		}
		_, _, err := e.send(c, e.request)
		var invalid *ips.ValidationError
		require.ErrorAs(t, err, &invalid, e.op)
		assert.GreaterOrEqual(t, len(invalid.Fields), broken, e.op)
		for secret := range strings.SplitSeq(telling, "-") {
			assert.NotContains(t, err.Error(), secret, e.op)
		}
		assert.Contains(t, err.Error(), fmt.Sprintf("a value of %d characters", utf8.RuneCountInString(telling)))
	}
}

// TestLongValuesAreCut keeps an error readable.
func TestLongValuesAreCut(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpOpenAccount)
	set(t, e.request, "Memo1", zi(5000))
	_, _, err := e.send(fixture.Client(t), e.request)
	require.ErrorContains(t, err, "… (5000 characters)")
	assert.Less(t, len(err.Error()), 500)
}

// TestBoundaries are requests at the very edge of what is legal.
func TestBoundaries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		op     ips.Operation
		change with
	}{
		{ips.OpOpenAccount, with{"OrderNo", x(30), "IdentNo", x(20), "RealName", zi(30), "Email", x(38) + "@example.com"}},
		{ips.OpOpenAccount, with{"OrderNo", "1", "Memo1", zi(100), "Memo2", strings.Repeat("𠮷", 100), "Memo3", ""}},
		{ips.OpOpenAccount, with{"RealName", "阿卜杜拉·买买提"}},
		{ips.OpOpenAccount, with{"OrderNo", "HT-2014_001", "Memo1", " ", "Memo2", "\u3000", "Memo3", "一行\r\n\t又一行"}},
		{ips.OpRegisterBid, with{"Purpose", "进货\n装修"}},
		{ips.OpRegisterCreditor, with{"Purpose", "进货\t装修"}},
		{ips.OpTransfer, with{"Rows[0].OriginalOrderNo", "C-1_a"}},
		{ips.OpQueryAccount, with{"Memo", " "}},
		{ips.OpOpenAccount, with{"Date", ips.NewDate(2016, time.February, 29)}},
		{ips.OpOpenAccount, with{"ReturnURL", "http://127.0.0.1:8080/back?x=1&y=2#z", "NotifyURL", "https://[::1]/s2s"}},
		{ips.OpRegisterBid, with{"BidNo", x(30), "Amount", ips.Amount(100_000_000_00), "Margin", ips.Amount(100_000_000_00)}},
		{ips.OpRegisterBid, with{"Amount", 1, "Margin", 0, "Rate", 0, "Fee", 0}},
		{ips.OpRegisterBid, with{"Rate", 47_99, "Purpose", zi(100), "AccountType", ""}},
		{ips.OpRegisterBid, with{"TermUnit", "1", "Term", 1800}},
		{ips.OpRegisterBid, with{"TermUnit", "1", "Term", 1}},
		{ips.OpRegisterBid, with{"TermUnit", "3", "Term", 60, "RepayMode", "99"}},
		{ips.OpEndBid, with{"TermUnit", "3", "Term", 60, "Rate", 47_99}},
		{ips.OpRegisterCreditor, with{"Amount", ips.Amount(999_999_999_99), "Fee", 0, "ContractNo", "a1B2"}},
		{ips.OpAutoBid, with{"AuthNo", x(30), "Amount", 1}},
		{ips.OpRegisterGuarantor, with{"Margin", 0, "Profit", 0, "AccountType", "1"}},
		{ips.OpRegisterDebtTransfer, with{"Price", 7_000_00}},
		{ips.OpRegisterDebtTransfer, with{"Price", 13_000_00}},
		{ips.OpRegisterDebtTransfer, with{"FaceAmount", ips.Amount(999_999_999_99), "Price", ips.Amount(700_000_000_00)}},
		{ips.OpRegisterDebtTransfer, with{"FromAccount", nine(50), "FromFee", 0, "ToFee", 0, "Kind", "2"}},
		{ips.OpSignAutoBid, with{"ValidUnit", "D", "Valid", 365}},
		{ips.OpSignAutoBid, with{"ValidUnit", "M", "Valid", 12, "TermUnit", "M", "TermFrom", 60, "TermTo", 60}},
		{ips.OpSignAutoBid, with{"TermUnit", "D", "TermFrom", 1, "TermTo", 1800}},
		{ips.OpSignAutoBid, with{"AmountFrom", 100, "AmountTo", 100, "RateFrom", 100, "RateTo", 100}},
		{ips.OpSignAutoRepay, with{"ValidUnit", "D", "Valid", 365}},
		{ips.OpSignAutoRepay, with{"ValidUnit", "M", "Valid", 1}},
		{ips.OpRecharge, with{"Channel", "2", "BankCode", "", "Amount", 1}},
		{ips.OpRecharge, with{"Amount", ips.Amount(999_999_999_99)}},
		{ips.OpTransfer, with{"Rows", transferRows(3000)}},
		{ips.OpTransfer, with{"Rows", transferRows(1), "Mode", ""}},
		{ips.OpTransfer, with{"Type", "3", "Mode", "1", "Rows", transferRows(1)}},
		{ips.OpTransfer, with{"Type", "4", "Mode", "", "Rows", transferRows(1)}},
		{ips.OpTransfer, with{"Type", "5", "Mode", "1", "Rows", transferRows(1)}},
		{ips.OpTransfer, with{"Type", "2", "Mode", "1", "Rows[1].FromAccount", "4021000000000002", "Rows[1].ToAccount", "4021000000000009"}},
		{ips.OpRepay, with{"Rows", repayRows(300), "Amount", 300_00_00, "Fee", 300_00}},
		{ips.OpRepay, with{"Rows[0].Fee", 999_99}},
		{ips.OpAutoRepay, with{"Rows", repayRows(1), "Amount", 100_00, "Fee", 1_00}},
		{ips.OpUnfreezeMargin, with{"AccountType", "0", "IdentNo", "", "Owner", "2", "Account", "900001"}},
		{ips.OpUnfreezeMargin, with{"Amount", 1}},
		{ips.OpWithholdingRecharge, with{"Amount", 1, "FeePayer", "2"}},
		{ips.OpWithdraw, with{"Amount", ips.Amount(999_999_999_99), "AccountType", ""}},
		{ips.OpQueryBalance, with{"Account", "808801"}},
		{ips.OpQueryAccount, with{"Memo", ""}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s/%.60v", tt.op, tt.change), func(t *testing.T) {
			t.Parallel()
			e := exampleOf(t, tt.op)
			tt.change.apply(t, e.request)
			c, r := fixture.RecordingClient(t, "", "")
			form, _, err := e.send(c, e.request)
			var invalid *ips.ValidationError
			require.False(t, errors.As(err, &invalid), "%v", err)
			assert.True(t, form != nil || r.Calls == 1, "neither a form nor a call")
		})
	}
}

// TestEveryOperationHasInvalidRequests in the test file beside its own.
func TestEveryOperationHasInvalidRequests(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var tests strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		tests.Write(text)
	}
	for _, tt := range examples(t) {
		if reflect.TypeOf(tt.request).Elem().NumField() > 0 {
			assert.Contains(t, tests.String(), "requireInvalid(t, ips.Op"+tt.Method+",")
		}
	}
}

// TestPersonalFields: what no error may show has the rule secret, and the tests
// that look for it in errors know its name.
func TestPersonalFields(t *testing.T) {
	t.Parallel()
	var check func(op ips.Operation, s reflect.Type)
	check = func(op ips.Operation, s reflect.Type) {
		for i := range s.NumField() {
			f := s.Field(i)
			if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
				check(op, f.Type.Elem())
				continue
			}
			tagged := slices.Contains(strings.Split(f.Tag.Get("check"), ","), "secret")
			if listed := slices.Contains(personalNames, f.Name); tagged != listed {
				t.Errorf("%s: %s.%s: its check tag has secret: %t, personalNames in validate_test.go has it: %t", op, s.Name(), f.Name, tagged, listed)
			}
		}
	}
	for _, tt := range examples(t) {
		check(tt.op, reflect.TypeOf(tt.request).Elem())
	}
}
