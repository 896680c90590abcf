package ips_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ips.Amount{
		"0": 0, "0.00": 0, "0.01": 1, "0.1": 10, "1": 100, "12.00": 1200, "500": 500_00, "3050.00": 3050_00, "1016.71": 1016_71,
		"007.50": 7_50, "999999999.99": ips.MaxAmount, "000999999999.99": ips.MaxAmount,
	} {
		got, err := ips.ParseAmount(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		signed, err := ips.ParseSignedAmount("-" + text)
		require.NoError(t, err, text)
		assert.Equal(t, -want, signed, text)
		rate, err := ips.ParseRate(text)
		require.NoError(t, err, text)
		assert.Equal(t, ips.Rate(want), rate, text)
	}
	for _, text := range []string{
		"", " ", ".", "1.005", "1e3", "1E3", "NaN", "Inf", "-1", "+1", "--1", ".5", "5.", " 5", "5 ", "5\n", "\u00a05", "５", "1．5", "٣",
		"1,000", "1_000", "0x10", "1.0.0", "1..0", "1.-5", "1.+5", "¥5", "5元", "1000000000", "1000000000.00", "9999999999",
		strings.Repeat("9", 10_000), "1\x00", "null",
	} {
		_, err := ips.ParseAmount(text)
		assert.Error(t, err, "%.20q", text)
		_, err = ips.ParseRate(text)
		assert.Error(t, err, "%.20q", text)
		if err != nil {
			assert.Less(t, len(err.Error()), 200)
		}
		if text != "-1" && text != "--1" && !strings.HasPrefix(text, "1000000000") && text != "9999999999" { // an answer may have more digits
			_, err = ips.ParseSignedAmount("-" + text)
			assert.Error(t, err, "%.20q", "-"+text)
		}
	}
	_, err := ips.ParseSignedAmount("--1")
	require.Error(t, err)
}

func TestAmountString(t *testing.T) {
	t.Parallel()
	for amount, want := range map[ips.Amount]string{
		0: "0.00", 1: "0.01", 10: "0.10", 99: "0.99", 100: "1.00", 12_00: "12.00", 500*ips.Yuan + 25*ips.Fen: "500.25",
		ips.MaxAmount: "999999999.99", -1: "-0.01", -100: "-1.00", -12_34: "-12.34",
		math.MaxInt64: "92233720368547758.07", math.MinInt64: "-92233720368547758.08",
	} {
		assert.Equal(t, want, amount.String())
		assert.Equal(t, want, ips.Rate(amount).String())
	}
	assert.Equal(t, "12.50", (12*ips.Percent + 50*ips.BasisPoint).String())
}

// TestJSON: the vocabulary goes through JSON as the wire's texts, money never
// as a float.
func TestJSON(t *testing.T) {
	t.Parallel()
	type all struct {
		Amount ips.Amount
		Debt   ips.Amount
		Rate   ips.Rate
		Date   ips.Date
		NoDate ips.Date
		Time   ips.Time
		NoTime ips.Time
		Kind   ips.TransferType
	}
	in := all{
		Amount: 1016_71, Debt: -50, Rate: 12_50, Date: day(), Time: at(23, 59, 59), Kind: ips.TransferDebt,
	}
	raw, err := json.Marshal(in)
	require.NoError(t, err)
	assert.JSONEq(t, `{"Amount":"1016.71","Debt":"-0.50","Rate":"12.50","Date":"20141213","NoDate":"","Time":"20141213235959","NoTime":"","Kind":"4"}`, string(raw))
	var out all
	require.NoError(t, json.Unmarshal(raw, &out))
	assert.Equal(t, in, out)

	for _, bad := range []string{`{"Amount":1016.71}`, `{"Amount":"1.005"}`, `{"Rate":"-1"}`, `{"Date":"2014-13-13"}`, `{"Time":"noon"}`, `{"Time":20141213235959}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &out), bad)
	}
	assert.Equal(t, in, out, "a value that cannot be read leaves the old one")
	require.NoError(t, json.Unmarshal([]byte(`{"Amount":null,"Date":null,"Time":null}`), &out))
	assert.Equal(t, in, out, "null changes nothing")

	// A whole response, as a merchant may log or keep it.
	resp := exampleOf(t, ips.OpOpenAccount).response
	raw, err = json.Marshal(resp)
	require.NoError(t, err)
	back := new(ips.OpenAccountResponse)
	require.NoError(t, json.Unmarshal(raw, back))
	assert.Equal(t, resp, back)
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
	resp := read[*ips.BidResponse](t, ips.OpRegisterBid, "MG02501F", document("pMerBillNo", "B1", "pIpsTime", "20150101000000", "pRegDate", "20141231"))
	assert.True(t, resp.IPSTime.Equal(newYear))
	assert.Equal(t, "20141231", resp.Date.String())
	before := ips.DateOf(time.Now())
	today := ips.Today()
	assert.Contains(t, []ips.Date{before, ips.DateOf(time.Now())}, today)
}

// TestEnumerations prints every value by name and none that is unknown by the
// name of another.
func TestEnumerations(t *testing.T) {
	t.Parallel()
	for value, want := range map[fmt.Stringer]string{
		ips.AccountOrganisation: "organisation", ips.AccountPerson: "person", ips.AccountType("7"): "unknown (7)",
		ips.NotChecked: "not checked", ips.CheckPassed: "passed", ips.CheckFailed: "failed", ips.CheckStatus(""): "unknown ()",
		ips.AccountOpened: "opened", ips.AccountTimedOut: "timed out", ips.AccountFailed: "failed", ips.OpenAccountStatus("1"): "unknown (1)",
		ips.AccountNotOpened: "not opened", ips.AccountNotActivated: "not activated", ips.AccountOpenFailed: "opening failed",
		ips.AccountActive: "active", ips.AccountDeleted: "deleted", ips.IPSAccountStatus("4"): "unknown (4)",
		ips.PeriodDays: "days", ips.PeriodMonths: "months", ips.PeriodUnlimited: "unlimited", ips.Period("Y"): "unknown (Y)",
		ips.TermDays: "days", ips.TermMonths: "months", ips.TermUnit("2"): "unknown (2)",
		ips.RepayAnnuity: "annuity", ips.RepayInterestFirst: "interest first", ips.RepayEqualPrincipal: "equal principal",
		ips.RepayOther: "other", ips.RepayMode("4"): "unknown (4)",
		ips.BidNew: "new", ips.BidRaising: "raising", ips.BidRunning: "running", ips.BidEnding: "ending", ips.BidFailed: "failed",
		ips.BidEnded: "ended", ips.BidStatus("4"): "unknown (4)",
		ips.ClaimNew: "new", ips.ClaimRunning: "running", ips.ClaimFailed: "failed", ips.ClaimEnded: "ended", ips.ClaimStatus("2"): "unknown (2)",
		ips.TransferWholeClaim: "whole claim", ips.TransferPartClaim: "part of the claim", ips.DebtTransferKind("3"): "unknown (3)",
		ips.TransferInvestment: "investment", ips.TransferCompensation: "compensation", ips.TransferCompensationRepayment: "compensation repayment",
		ips.TransferDebt: "debt transfer", ips.TransferGuaranteeProfit: "guarantee profit", ips.TransferType("6"): "unknown (6)",
		ips.TransferRowByRow: "row by row", ips.TransferBatched: "batched", ips.TransferMode("3"): "unknown (3)",
		ips.BorrowerMargin: "borrower", ips.GuarantorMargin: "guarantor", ips.MarginOwner("3"): "unknown (3)",
		ips.PlatformPaysFee: "platform", ips.UserPaysFee: "user", ips.FeePayer("3"): "unknown (3)",
		ips.RechargeEBank: "e-bank", ips.RechargeWithholding: "withholding", ips.RechargeChannel("3"): "unknown (3)",
		ips.RowDone: "done", ips.RowFailed: "failed", ips.RowStatus("X"): "unknown (X)",
		ips.Undecided: "undecided", ips.Failure: "failure", ips.Pending: "pending", ips.Success: "success", ips.Outcome(9): "undecided", ips.Outcome(-1): "undecided",
		ips.TradeDone: "done", ips.TradeFailed: "failed", ips.TradeInWork: "in work", ips.TradeNotFound: "not found", ips.TradeStatus(""): "unknown ()",
		ips.TradeRecharge: "recharge", ips.TradeRelease: "release", ips.TradeDebt: "debt transfer", ips.TradeType("12"): "unknown (12)",
		ips.SignatureTagged: "tagged", ips.SignaturePartial: "partial", ips.SignaturePlain: "plain", ips.SignatureNone: "none", ips.Signature(9): "none",
		ips.Synchronous: "synchronous", ips.WebReturn: "web return", ips.ServerToServer: "server to server", ips.Queried: "queried", ips.Via(0): "unknown",
		ips.Redirect: "redirect", ips.ServerPosted: "server-posted", ips.WebService: "web service", ips.QueryService: "query",
		ips.Transport(0): "unknown transport",
		ips.Sent:         "sent", ips.Received: "received", ips.Direction(0): "unknown",
	} {
		assert.Equal(t, want, value.String(), "%T", value)
	}
}

// TestEnumerationsTravelAsCodes: String is for people, the wire and JSON keep
// the code.
func TestEnumerationsTravelAsCodes(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(map[string]any{"a": ips.TransferDebt, "b": ips.AccountPerson, "c": ips.PeriodUnlimited})
	require.NoError(t, err)
	assert.JSONEq(t, `{"a":"4","b":"1","c":"N"}`, string(raw))
	assert.Equal(t, "debt transfer", fmt.Sprint(ips.TransferDebt))
}

// TestOutcomes lists what each operation makes of each code: its own successes
// and pendings; the refusals that are known, and codes of their form that nobody
// has listed; and nothing of all else, another operation's success above all.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	var zero ips.Outcome
	assert.Equal(t, ips.Undecided, zero, "nothing counts as done, or as not done, unless IPS said so")
	notRefusals := []ips.Code{"MG00000F", "MG00008F", "MG02500F", "MG02501F", "MG02503F", "MG02505F"}
	failuresOfQueries := []ips.Code{"9999", "01", "02"}
	codes := []ips.Code{
		"", "MG00000", "mg00000f", "MG99999F", "MG0000XF", "MG000001F", "XX00001F", "MG00001E", "成功", "success", "00", "1",
		"MG\u0660\u0660F", // digits of another script
	}
	for _, c := range newReference(t).values["Code"] {
		codes = append(codes, ips.Code(c.value))
	}
	require.Greater(t, len(codes), 24)
	refusal := regexp.MustCompile(`^MG[0-9]{5}F$`)
	for _, i := range ips.Operations() {
		tt := exampleOf(t, i.Operation)
		for _, code := range slices.Concat(codes, tt.success, tt.pending) {
			want := ips.Undecided
			switch {
			case slices.Contains(tt.success, code):
				want = ips.Success
			case slices.Contains(tt.pending, code):
				want = ips.Pending
			case refusal.MatchString(string(code)) && !slices.Contains(notRefusals, code),
				i.Transport == ips.QueryService && slices.Contains(failuresOfQueries, code):
				want = ips.Failure
			}
			assert.Equal(t, want, i.Outcome(code), "%s %s", i.Operation, code)
		}
	}
}

// TestOperations compares the descriptions with the manual: section, scenarios
// of the usage guide, transport.
func TestOperations(t *testing.T) {
	t.Parallel()
	var order []ips.Operation // of the manual
	for _, tt := range operationTests() {
		order = append(order, tt.op)
	}
	served := map[int]bool{}
	for n, i := range ips.Operations() {
		want := exampleOf(t, i.Operation)
		assert.Equal(t, want.op, order[n])
		assert.Equal(t, want.section, i.Section, i.Operation)
		assert.Equal(t, want.transport, i.Transport, i.Operation)
		assert.Equal(t, want.scenarios, i.Scenarios, i.Operation)
		assert.NotEmpty(t, i.Chinese)
		for _, s := range i.Scenarios {
			served[s] = true
		}
		again, ok := i.Operation.Info()
		assert.True(t, ok)
		assert.Equal(t, i, again)
	}
	assert.Len(t, served, 17, "the guide has 17 scenarios")
	_, ok := ips.Operation("no-such-operation").Info()
	assert.False(t, ok)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	refused := error(&ips.Error{Operation: ips.OpRegisterBid, Code: ips.CodeBidExists, Message: "标的已存在", OrderNo: "B1"})
	wrapped := fmt.Errorf("bid 7: %w", refused)
	assert.ErrorIs(t, wrapped, ips.CodeBidExists)
	assert.NotErrorIs(t, wrapped, ips.CodeBidOver)
	assert.NotErrorIs(t, wrapped, ips.ErrFateUnknown)
	var e *ips.Error
	require.ErrorAs(t, wrapped, &e)
	assert.Equal(t, "B1", e.OrderNo)
	assert.Equal(t, `ips: register-bid order "B1" refused: MG02008F 标的已存在`, refused.Error())
	assert.Equal(t, "MG02008F", ips.CodeBidExists.Error())

	cause := errors.New("connection reset")
	unknown := error(&ips.FateUnknownError{Operation: ips.OpTransfer, OrderNo: "T1", Err: cause})
	wrapped = fmt.Errorf("release: %w", unknown)
	assert.ErrorIs(t, wrapped, ips.ErrFateUnknown)
	assert.ErrorIs(t, wrapped, cause)
	var f *ips.FateUnknownError
	require.ErrorAs(t, wrapped, &f)
	assert.Equal(t, `ips: transfer order "T1": fate unknown, ask, don't resend under a new number: connection reset`, unknown.Error())

	invalid := error(&ips.ValidationError{Operation: ips.OpRecharge, Fields: []ips.FieldError{
		{Wire: "pTrdAmt", Go: "Amount", Rule: "must be more than 0", Value: `"0.00"`},
		{Wire: "pMerFee", Go: "Fee", Rule: "must be at least 0", Value: `"-0.01"`},
	}})
	assert.Equal(t, `ips: recharge: invalid request: Amount (pTrdAmt) must be more than 0, got "0.00"; Fee (pMerFee) must be at least 0, got "-0.01"`, invalid.Error())

	assert.Equal(t, "HTTP status 502 Bad Gateway", (&ips.HTTPError{StatusCode: 502, Status: "502 Bad Gateway"}).Error())
	assert.Equal(t, "SOAP fault Server: down", (&ips.SOAPFault{Code: "Server", String: "down"}).Error())
	assert.Equal(t, "ips: recharge refused: MG00006F x", (&ips.Error{Operation: ips.OpRecharge, Code: "MG00006F", Message: "x"}).Error())
}

func TestReplyErr(t *testing.T) {
	t.Parallel()
	reply := ips.Reply{Operation: ips.OpRecharge, Code: "MG00001F", Message: "失败", OrderNo: "R1", Outcome: ips.Failure}
	refusal := &ips.Error{Operation: ips.OpRecharge, Code: "MG00001F", Message: "失败", OrderNo: "R1"}
	assert.Equal(t, refusal, reply.Err())
	for _, outcome := range []ips.Outcome{ips.Pending, ips.Success} {
		reply.Outcome = outcome
		assert.NoError(t, reply.Err())
	}
	assert.Same(t, &reply, reply.Base())

	reply.Outcome = ips.Undecided
	assert.Equal(t, &ips.FateUnknownError{Operation: ips.OpRecharge, OrderNo: "R1", Err: refusal}, reply.Err())
	assert.ErrorIs(t, reply.Err(), ips.ErrFateUnknown)
	assert.ErrorIs(t, reply.Err(), ips.CodeFailed, "the code is still there for those who ask")
	reply.Operation = ips.OpQueryBalance
	assert.NotErrorIs(t, reply.Err(), ips.ErrFateUnknown, "a question has no fate")
}

// TestErrorsSayWhatTheyProve: a duplicate by its code or by its words, whatever
// the operation; a bid that is over only of an end.
func TestErrorsSayWhatTheyProve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err             ips.Error
		duplicate, over bool
	}{
		{ips.Error{Operation: ips.OpRecharge, Code: "MG18026F", Message: "充值失败，订单号重复，错误码MG18026F"}, true, false},
		{ips.Error{Operation: ips.OpRecharge, Code: "MG18026F"}, true, false},
		{ips.Error{Operation: ips.OpTransfer, Code: "MG09099F", Message: "转账失败，订单号重复，错误码MG09099F"}, true, false},
		{ips.Error{Operation: ips.OpRegisterBid, Code: "MG02008F", Message: "登记标的失败，标的已存在"}, false, false},
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02030F", Message: "结束标的失败，标的已结束", OrderNo: "B1"}, false, true},
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02030F", Message: "结束标的失败，标的已结束"}, false, false}, // of which bid?
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02030F", Message: "订单号重复", OrderNo: "B1"}, true, false},
		{ips.Error{Operation: ips.OpRegisterBid, Code: "MG02030F"}, false, false},
		{ips.Error{Operation: ips.OpEndBid, Code: "MG02027F"}, false, false},
	} {
		err := fmt.Errorf("order 7: %w", &tt.err)
		assert.Equal(t, tt.duplicate, errors.Is(err, ips.ErrDuplicate), "%v", err)
		assert.Equal(t, tt.over, errors.Is(err, ips.ErrBidOver), "%v", err)
	}
}
