package ips_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
)

var update = flag.Bool("update", false, "rewrite the request golden files")

// golden compares got with a file of testdata/golden, byte by byte.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// offlineConfig is the test merchant with an IPS that does not exist.
func offlineConfig() ips.Config {
	cfg := ips.TestMerchant()
	cfg.Environment = ips.EnvironmentAt("https://ips.example.com")
	cfg.ReturnURL = "https://p2p.example.com/ips/return"
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	return cfg
}

func offlineClient(t testing.TB, opts ...ips.Option) *ips.Client {
	t.Helper()
	// Bids whose number begins with OLD were made through the old interface.
	old := ips.WithOldBids(func(bidNo string) bool { return strings.HasPrefix(bidNo, "OLD") })
	c, err := ips.NewClient(offlineConfig(), append([]ips.Option{old}, opts...)...)
	require.NoError(t, err)
	return c
}

func vendorKeys(t testing.TB) *envelope.Keys {
	t.Helper()
	cfg := ips.TestMerchant()
	keys, err := envelope.NewKeys(cfg.MerchantCode, cfg.Cert, cfg.Key, cfg.IV)
	require.NoError(t, err)
	return keys
}

// fiveFields are an answer as IPS posts it.
type fiveFields struct{ merCode, errCode, errMsg, body, sign string }

// sealedAnswer is what IPS would send: the document encrypted, all of it signed.
func sealedAnswer(t testing.TB, code ips.Code, message, document string) fiveFields {
	t.Helper()
	keys := vendorKeys(t)
	body := ""
	if document != "" {
		body = keys.Encrypt([]byte(document))
	}
	return fiveFields{keys.MerCode(), string(code), message, body, keys.SignAnswer(string(code), message, body)}
}

func (f fiveFields) values() url.Values {
	return url.Values{
		"pMerCode": {f.merCode}, "pErrCode": {f.errCode}, "pErrMsg": {f.errMsg},
		"p3DesXmlPara": {f.body}, "pSign": {f.sign},
	}
}

// result is the text that a web service result holds.
func (f fiveFields) result() string {
	return document("pMerCode", f.merCode, "pErrCode", f.errCode, "pErrMsg", f.errMsg, "p3DesXmlPara", f.body, "pSign", f.sign)
}

// page is what answers a server-posted form: the page's own form, then the
// return form.
func (f fiveFields) page() string {
	return `<!DOCTYPE html><html><head><meta charset="utf-8"><title>IPS</title></head><body>` +
		`<form name="form1" method="post" action="registerSubject.aspx" id="form1"><input type="hidden" name="__VIEWSTATE" value="/wEPDwUK"></form>` +
		f.returnForm() + `<script>document.forms[1].submit();</script></body></html>`
}

func (f fiveFields) returnForm() string {
	return `<form name="frmReturn" method="post" action="https://p2p.example.com/ips/return">` +
		`<input type="hidden" name="pMerCode" value="` + f.merCode + `">` +
		`<input type="hidden" name="pErrCode" value="` + f.errCode + `">` +
		`<input type="hidden" name="pErrMsg" value="` + escape(f.errMsg) + `">` +
		`<input type="hidden" name="p3DesXmlPara" value="` + f.body + `">` +
		`<input type="hidden" name="pSign" value="` + f.sign + `"></form>`
}

// document is a <pReq> document of alternating names and texts.
func document(namesAndTexts ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for pair := range slices.Chunk(namesAndTexts, 2) {
		fmt.Fprintf(&b, "<%s>%s</%s>", pair[0], escape(pair[1]), pair[0])
	}
	b.WriteString("</pReq>")
	return b.String()
}

func escape(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return b.String()
}

// soapAnswer is the answer to a call of op as ASMX writes it.
func soapAnswer(op, result string) string {
	return `<?xml version="1.0" encoding="utf-8"?>` +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body>` +
		`<` + op + `Response xmlns="http://tempuri.org/"><` + op + `Result>` + escape(result) + `</` + op + `Result></` + op + `Response>` +
		`</soap:Body></soap:Envelope>`
}

// inbound is the answer as a notification for op.
func (f fiveFields) inbound(op ips.Operation) *http.Request {
	return post(op, "application/x-www-form-urlencoded", f.values().Encode())
}

func post(op ips.Operation, contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://p2p.example.com/ips/notify/"+string(op), strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

// recorder stands where the network would be: it keeps what was sent and
// answers with what it was given.
type recorder struct {
	request     *http.Request
	sent        []byte
	calls       int
	contentType string
	answer      string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.request, r.calls = req, r.calls+1
	var err error
	if r.sent, err = io.ReadAll(req.Body); err != nil {
		return nil, err
	}
	if r.answer == "" {
		return nil, errors.New("recorder has no answer")
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK",
		Header: http.Header{"Content-Type": {r.contentType}},
		Body:   io.NopCloser(strings.NewReader(r.answer)), Request: req,
	}, nil
}

func recordingClient(t testing.TB, answer, contentType string, opts ...ips.Option) (*ips.Client, *recorder) {
	t.Helper()
	r := &recorder{answer: answer, contentType: contentType}
	return offlineClient(t, append(opts, ips.WithHTTPClient(&http.Client{Transport: r}))...), r
}

// example is an operation with a full request of fictional people.
type example struct {
	op      ips.Operation
	request any // pointer to the request struct
	send    func(c *ips.Client, request any) (*ips.Form, ips.Response, error)
}

func formExample[Q any](op ips.Operation, req Q, method func(*ips.Client, Q) (*ips.Form, error)) example {
	return example{op, &req, func(c *ips.Client, request any) (*ips.Form, ips.Response, error) {
		form, err := method(c, *request.(*Q))
		return form, nil, err
	}}
}

func callExample[Q any, R ips.Response](op ips.Operation, req Q, method func(*ips.Client, context.Context, Q) (R, error)) example {
	return example{op, &req, func(c *ips.Client, request any) (*ips.Form, ips.Response, error) {
		resp, err := method(c, context.Background(), *request.(*Q))
		if reflect.ValueOf(resp).IsNil() {
			return nil, nil, err
		}
		return nil, resp, err
	}}
}

// The parameters of the queries, as if they were requests.
type (
	balanceQuery struct{ Account string }
	banksQuery   struct{}
	accountQuery struct{ Account, Memo string }
)

func day() ips.Date { return ips.NewDate(2014, time.December, 13) }

// examples returns a fresh full request of every operation.
func examples() []example {
	bid := ips.RegisterBidRequest{
		OrderNo: "B20141213000001", BidNo: "BID000001", Date: day(),
		Amount: 50_000 * ips.Yuan, Margin: 5_000 * ips.Yuan, Rate: 12*ips.Percent + 50*ips.BasisPoint,
		TermUnit: ips.TermMonths, Term: 12, Purpose: "购房 & 装修 <新居>", RepayMode: ips.RepayInterestFirst,
		Fee: 500*ips.Yuan + 5*ips.Fen, AccountType: ips.AccountPerson,
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
		ReturnURL: "https://p2p.example.com/back?a=1&b=2", NotifyURL: "https://p2p.example.com/s2s/bid",
		Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
	}
	repayRows := []ips.RepayRow{
		{CreditorOrderNo: "C20141213000001", Account: "4021000000000002", Fee: 1 * ips.Yuan, BorrowerFee: 2 * ips.Yuan, Amount: 1_000 * ips.Yuan},
		{CreditorOrderNo: "C20141213000002", Account: "4021000000000003", Fee: 0, BorrowerFee: 50 * ips.Fen, Amount: 16*ips.Yuan + 71*ips.Fen},
	}
	return []example{
		formExample(ips.OpOpenAccount, ips.OpenAccountRequest{
			OrderNo: "A20141213000001", IdentNo: "110101199001010001", RealName: "张三", Mobile: "13800000000",
			Email: "zhangsan@example.com", Date: day(),
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/account",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).OpenAccount),
		formExample(ips.OpRegisterBid, bid, (*ips.Client).RegisterBid),
		callExample(ips.OpEndBid, ips.EndBidRequest(bid), (*ips.Client).EndBid),
		formExample(ips.OpRegisterCreditor, ips.RegisterCreditorRequest{
			OrderNo: "C20141213000001", Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
			Amount: 10_000 * ips.Yuan, Fee: 10 * ips.Yuan, AccountType: ips.AccountPerson,
			IdentNo: "110101199001010002", RealName: "李四", Account: "4021000000000002", Purpose: "购房",
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/creditor",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).RegisterCreditor),
		callExample(ips.OpAutoBid, ips.AutoBidRequest{
			OrderNo: "C20141213000002", Date: day(), BidNo: "BID000001", ContractNo: "HT000002", AuthNo: "AUTH000001",
			Amount: 10_000 * ips.Yuan, Fee: 0, AccountType: ips.AccountPerson,
			IdentNo: "110101199001010003", RealName: "王五", Account: "4021000000000003", Purpose: "购房",
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/creditor",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).AutoBid),
		formExample(ips.OpRegisterGuarantor, ips.RegisterGuarantorRequest{
			OrderNo: "G20141213000001", Date: day(), BidNo: "BID000001",
			Amount: 50_000 * ips.Yuan, Margin: 10_000 * ips.Yuan, Profit: 300 * ips.Yuan, AccountType: ips.AccountOrganisation,
			IdentNo: "900001", AccountName: "示例担保有限公司", Account: "900001",
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/guarantor",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).RegisterGuarantor),
		formExample(ips.OpRegisterDebtTransfer, ips.RegisterDebtTransferRequest{
			OrderNo: "D20141213000001", Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
			FromAccountType: ips.AccountPerson, FromName: "李四", FromAccount: "4021000000000002", FromIdentNo: "110101199001010002",
			ToAccountType: ips.AccountPerson, ToName: "赵六", ToAccount: "4021000000000004", ToIdentNo: "110101199001010004",
			CreditorOrderNo: "C20141213000001", FaceAmount: 10_000 * ips.Yuan, Price: 9_500 * ips.Yuan,
			FromFee: 5 * ips.Yuan, ToFee: 6 * ips.Yuan, Kind: ips.TransferWholeClaim,
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/debt",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).RegisterDebtTransfer),
		formExample(ips.OpSignAutoBid, ips.SignAutoBidRequest{
			OrderNo: "S20141213000001", Date: day(), IdentNo: "110101199001010003", RealName: "王五", Account: "4021000000000003",
			ValidUnit: ips.PeriodMonths, Valid: 12, TermUnit: ips.PeriodDays, TermFrom: 30, TermTo: 360,
			AmountFrom: 1 * ips.Yuan, AmountTo: 20_000 * ips.Yuan, RateFrom: 5 * ips.Percent, RateTo: 20*ips.Percent + 25*ips.BasisPoint,
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/sign",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).SignAutoBid),
		formExample(ips.OpSignAutoRepay, ips.SignAutoRepayRequest{
			OrderNo: "S20141213000002", Date: day(), IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
			ValidUnit: ips.PeriodUnlimited, Valid: 0,
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/sign",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).SignAutoRepay),
		formExample(ips.OpRecharge, ips.RechargeRequest{
			OrderNo: "R20141213000001", AccountType: ips.AccountPerson, IdentNo: "110101199001010002", RealName: "李四", Account: "4021000000000002",
			Date: day(), Amount: 3_050 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", Fee: 1 * ips.Yuan, FeePayer: ips.UserPaysFee,
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/recharge",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).Recharge),
		callExample(ips.OpTransfer, ips.TransferRequest{
			OrderNo: "T20141213000001", BidNo: "BID000001", Date: day(), Type: ips.TransferInvestment, Mode: ips.TransferBatched,
			Rows: []ips.TransferRow{
				{OriginalOrderNo: "C20141213000001", Amount: 10_000 * ips.Yuan, FromAccountType: ips.AccountPerson, FromAccount: "4021000000000002",
					FromFee: 10 * ips.Yuan, ToAccountType: ips.AccountPerson, ToAccount: "4021000000000001", ToFee: 100 * ips.Yuan},
				{OriginalOrderNo: "C20141213000002", Amount: 10_000 * ips.Yuan, FromAccount: "4021000000000003", ToAccount: "4021000000000001"},
			},
			NotifyURL: "https://p2p.example.com/s2s/transfer",
			Memo1:     "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).Transfer),
		formExample(ips.OpRepay, ips.RepayRequest{
			BidNo: "BID000001", Date: day(), OrderNo: "P20141213000001", Account: "4021000000000001",
			Amount: 1_016*ips.Yuan + 71*ips.Fen, Fee: 2*ips.Yuan + 50*ips.Fen, Rows: repayRows,
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/repay",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).Repay),
		callExample(ips.OpAutoRepay, ips.AutoRepayRequest{
			BidNo: "BID000001", Date: day(), OrderNo: "P20141213000002", AuthNo: "AUTH000002", Account: "4021000000000001",
			Amount: 1_016*ips.Yuan + 71*ips.Fen, Fee: 2*ips.Yuan + 50*ips.Fen, Rows: slices.Clone(repayRows),
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/repay",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).AutoRepay),
		callExample(ips.OpUnfreezeMargin, ips.UnfreezeMarginRequest{
			OrderNo: "U20141213000001", BidNo: "BID000001", Date: day(), Amount: 5_000 * ips.Yuan, Owner: ips.BorrowerMargin,
			AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
			NotifyURL: "https://p2p.example.com/s2s/unfreeze",
			Memo1:     "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).UnfreezeMargin),
		callExample(ips.OpWithholdingRecharge, ips.WithholdingRechargeRequest{
			OrderNo: "W20141213000001", Date: day(), Amount: 1_016*ips.Yuan + 71*ips.Fen, Fee: 0, FeePayer: ips.PlatformPaysFee,
			AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
			NotifyURL: "https://p2p.example.com/s2s/withholding",
			Memo1:     "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).WithholdingRecharge),
		formExample(ips.OpWithdraw, ips.WithdrawRequest{
			OrderNo: "X20141213000001", AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
			Date: day(), Amount: 500 * ips.Yuan, Fee: 2 * ips.Yuan, FeePayer: ips.UserPaysFee,
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/withdraw",
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).Withdraw),
		formExample(ips.OpRepayOldBid, ips.RepayOldBidRequest{
			BidNo: "OLD000001", ContractNo: "HT000001", Date: day(), OrderNo: "O20141213000001", ReleaseOrderNo: "F20140601000001",
			AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
			Fee: 1 * ips.Yuan, Amount: 300 * ips.Yuan,
			ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/old",
			Rows: []ips.RepayOldBidRow{
				{AccountType: ips.AccountPerson, Account: "4021000000000002", Fee: 1 * ips.Yuan, Amount: 100 * ips.Yuan},
				{AccountType: ips.AccountPerson, Account: "4021000000000003", Amount: 200 * ips.Yuan},
			},
			Memo1: "备注一", Memo2: "备注二", Memo3: "备注三",
		}, (*ips.Client).RepayOldBid),
		callExample(ips.OpQueryBalance, balanceQuery{"4021000000000001"}, func(c *ips.Client, ctx context.Context, q balanceQuery) (*ips.BalanceResponse, error) {
			return c.QueryBalance(ctx, q.Account)
		}),
		callExample(ips.OpQueryBanks, banksQuery{}, func(c *ips.Client, ctx context.Context, _ banksQuery) (*ips.BanksResponse, error) {
			return c.QueryBanks(ctx)
		}),
		callExample(ips.OpQueryAccount, accountQuery{"4021000000000001", "备注 & <memo>"}, func(c *ips.Client, ctx context.Context, q accountQuery) (*ips.AccountResponse, error) {
			return c.QueryAccount(ctx, q.Account, q.Memo)
		}),
	}
}

// exampleOf returns the example of one operation.
func exampleOf(t testing.TB, op ips.Operation) example {
	t.Helper()
	for _, e := range examples() {
		if e.op == op {
			return e
		}
	}
	t.Fatalf("no example of %s", op)
	return example{}
}

// orderNo is the order number of the example's request.
func (e example) orderNo() string {
	return reflect.ValueOf(e.request).Elem().FieldByName("OrderNo").String()
}

func info(t testing.TB, op ips.Operation) ips.OperationInfo {
	t.Helper()
	i, ok := op.Info()
	require.True(t, ok, op)
	return i
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
