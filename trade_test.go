package ips_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// tradeResult is the answer to a trade query.
func tradeResult(t testing.TB, no string, kind ips.TradeType, status ips.TradeStatus) string {
	return fixture.SOAP("QueryTrade", fixture.Sealed("MG00000F", "查询成功",
		fixture.Document("pMerBillNo", no, "pTradeType", string(kind), "pTradeStatue", string(status), "pIpsBillNo", "NT1")).Result())
}

// tradeClient is a client of an IPS with a trade query, or without.
func tradeClient(t testing.TB, at ips.TradeQueryService, rt http.RoundTripper, opts ...ips.Option) *ips.Client {
	t.Helper()
	cfg := fixture.Config()
	cfg.Environment.TradeQuery = at
	c, err := ips.NewClient(cfg, append(opts, ips.WithHTTPClient(httpClient(rt)))...)
	require.NoError(t, err)
	return c
}

var rechargeQuestion = ips.QueryTradeRequest{OrderNo: "R1", Type: ips.TradeRecharge}

// TestQueryTrade asks where the environment says that there is such a service,
// and nowhere else.
func TestQueryTrade(t *testing.T) {
	t.Parallel()
	for at, path := range map[ips.TradeQueryService]string{
		ips.TradeQueryAtQuery: "/CreditWSQuery/Service.asmx", ips.TradeQueryAtService: "/CreditWS/Service.asmx", ips.NoTradeQuery: "",
	} {
		r := &fixture.Recorder{Answer: tradeResult(t, "R1", "08", "1"), ContentType: "text/xml"}
		resp, err := tradeClient(t, at, r).QueryTrade(t.Context(), rechargeQuestion)
		if path == "" {
			require.ErrorIs(t, err, ips.ErrNoTradeQuery)
			require.NotErrorIs(t, err, ips.ErrFateUnknown)
			assert.Nil(t, resp)
			assert.Zero(t, r.Calls)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, path, r.Request.URL.Path)
		assert.Equal(t, `"http://tempuri.org/QueryTrade"`, r.Request.Header.Get("SOAPAction"))
		assert.Contains(t, string(r.Sent), "<p3DesXmlPara>")
		assert.Equal(t, ips.TradeDone, resp.Status)
		assert.Equal(t, "NT1", resp.IPSBillNo)
		assert.Equal(t, ips.SignatureSealed, resp.Signature)
		assert.NoError(t, resp.Err())
	}
	assert.Equal(t, ips.NoTradeQuery, ips.Production().TradeQuery, "nobody has seen it there")
	assert.Equal(t, ips.NoTradeQuery, ips.VendorTest().TradeQuery)
	assert.NotEqual(t, ips.NoTradeQuery, ips.Sandbox("http://127.0.0.1:8480").TradeQuery)
}

// TestQueryTradeAnswers: an answer counts only if it repeats number and type, by
// the method and by Call.
func TestQueryTradeAnswers(t *testing.T) {
	t.Parallel()
	refusal := fixture.Sealed("MG00001F", "失败", "")
	forged := fixture.Sealed("MG00000F", "", fixture.Document("pMerBillNo", "R1", "pTradeType", "08", "pTradeStatue", "1"))
	forged.Sign = fixture.Change(forged.Sign)
	for name, tt := range map[string]struct {
		status int
		answer string
		want   error
	}{
		"done":                {200, tradeResult(t, "R1", "08", "1"), nil},
		"unknown status":      {200, tradeResult(t, "R1", "08", "7"), nil},
		"another number":      {200, tradeResult(t, "R2", "08", "1"), ips.ErrOperation},
		"no number":           {200, tradeResult(t, "", "08", "1"), ips.ErrOperation},
		"another type":        {200, tradeResult(t, "R1", "09", "1"), ips.ErrOperation},
		"no type":             {200, tradeResult(t, "R1", "", "1"), ips.ErrOperation},
		"empty document":      {200, fixture.SOAP("QueryTrade", fixture.Sealed("MG00000F", "", "").Result()), ips.ErrOperation},
		"bad signature":       {200, fixture.SOAP("QueryTrade", forged.Result()), ips.ErrSignature},
		"refused":             {200, fixture.SOAP("QueryTrade", refusal.Result()), ips.CodeFailed},
		"service knows none":  {500, fault("Client", "no such action"), ips.ErrNoTradeQuery},
		"service knows none2": {500, fault("Sender", "no such action"), ips.ErrNoTradeQuery},
		"another answer":      {200, transferResult(t, "MG00000F"), ips.ErrMalformed},
	} {
		c := tradeClient(t, ips.TradeQueryAtQuery, roundTrip(func(*http.Request) (*http.Response, error) {
			return httpAnswer(tt.status, "text/xml", tt.answer), nil
		}))
		typed, err := c.QueryTrade(t.Context(), rechargeQuestion)
		other, again := c.Call(t.Context(), rechargeQuestion)
		if tt.want == nil {
			require.NoError(t, err, name)
			require.NoError(t, again)
			assert.Equal(t, other, ips.Response(typed))
			continue
		}
		require.ErrorIs(t, err, tt.want, name)
		require.ErrorIs(t, again, tt.want, name)
		assert.NotErrorIs(t, err, ips.ErrFateUnknown, "a question has no fate: %s", name)
		if tt.want != ips.CodeFailed {
			assert.Nil(t, typed, name)
			assert.True(t, other == nil, name)
		}
	}
	// A server that is down is not one that knows no such query.
	c := tradeClient(t, ips.TradeQueryAtQuery, roundTrip(func(*http.Request) (*http.Response, error) {
		return httpAnswer(500, "text/xml", fault("Server", "down")), nil
	}))
	_, err := c.QueryTrade(t.Context(), rechargeQuestion)
	require.Error(t, err)
	assert.NotErrorIs(t, err, ips.ErrNoTradeQuery)
	for _, bad := range []ips.QueryTradeRequest{{OrderNo: "R1"}, {Type: "08"}, {OrderNo: "R1", Type: "8"}, {OrderNo: "R1", Type: "recharge"}} {
		_, err := c.QueryTrade(t.Context(), bad)
		var invalid *ips.ValidationError
		require.ErrorAs(t, err, &invalid)
	}
}

// TestQueryTradeTagged: the result's five elements may also be signed as the
// answers to other queries are, over the elements with their tags; nothing else
// that could be signed with the cert counts.
func TestQueryTradeTagged(t *testing.T) {
	t.Parallel()
	said := fixture.Document("pMerBillNo", "R1", "pTradeType", "08", "pTradeStatue", "1", "pIpsBillNo", "NT1")
	body := fixture.Keys().Encrypt([]byte(said))
	result := fixture.Document("pMerCode", "808801", "pErrCode", "MG00000F", "pErrMsg", "查询成功", "p3DesXmlPara", body, "pSign", "SIGN")
	swap := func(a, b string) string { return strings.Replace(result, a, b, 1) }
	later := taggedSign(result)
	for name, tt := range map[string]struct {
		result string
		want   error
	}{
		"tagged":                {taggedSign(result), nil},
		"not signed":            {result, ips.ErrSignature},
		"changed message":       {strings.Replace(later, "查询成功", "查询", 1), ips.ErrSignature},
		"border moved":          {strings.Replace(later, "成功</pErrMsg><p3DesXmlPara>", "</pErrMsg><p3DesXmlPara>成功", 1), ips.ErrSignature},
		"without the code":      {taggedSign(result, "pErrCode"), ips.ErrSignature},
		"an element more":       {taggedSign(swap("<pSign>", "<pNew>1</pNew><pSign>")), ips.ErrSignature},
		"an element less":       {taggedSign(swap("<pErrMsg>查询成功</pErrMsg>", "")), ips.ErrSignature},
		"another order":         {taggedSign(swap("<pMerCode>808801</pMerCode><pErrCode>MG00000F</pErrCode>", "<pErrCode>MG00000F</pErrCode><pMerCode>808801</pMerCode>")), ips.ErrSignature},
		"another merchant":      {taggedSign(swap("808801", "808802")), ips.ErrMerchant},
		"another's number":      {taggedSign(swap(body, fixture.Keys().Encrypt([]byte(strings.Replace(said, "R1", "R2", 1))))), ips.ErrOperation},
		"no document inside it": {taggedSign(swap(body, fixture.Keys().Encrypt([]byte("x")))), ips.ErrMalformed},
		"refused":               {taggedSign(swap("MG00000F", "MG00001F")), ips.CodeFailed},
	} {
		c := tradeClient(t, ips.TradeQueryAtQuery, &fixture.Recorder{Answer: fixture.SOAP("QueryTrade", tt.result), ContentType: "text/xml"})
		resp, err := c.QueryTrade(t.Context(), rechargeQuestion)
		require.ErrorIs(t, err, tt.want, name)
		if tt.want == nil || tt.want == ips.CodeFailed {
			assert.Equal(t, ips.SignatureTagged, resp.Signature, name)
			assert.True(t, resp.Signature.Verified())
			continue
		}
		assert.Nil(t, resp, name)
	}
	// The keys of before the rotation sign it too, and no other operation's answer.
	cfg := fixture.Config()
	cfg.Environment.TradeQuery = ips.TradeQueryAtService
	cfg.Former = &ips.FormerKeys{Cert: cfg.Cert, Until: time.Now().Add(time.Hour)}
	cfg.Cert = ips.NewSecret(strings.Repeat("N", 128))
	c, err := ips.NewClient(cfg, ips.WithHTTPClient(httpClient(&fixture.Recorder{Answer: fixture.SOAP("QueryTrade", taggedSign(result)), ContentType: "text/xml"})))
	require.NoError(t, err)
	resp, err := c.QueryTrade(t.Context(), rechargeQuestion)
	require.NoError(t, err)
	assert.Equal(t, ips.SignatureTagged, resp.Signature)
	transferred := fixture.Sealed(ips.CodeSuccess, "成功", fixture.Document("pMerBillNo", exampleTransfer(t).OrderNo, "pTransferType", "1"))
	transferred.Sign = "SIGN"
	c, _ = fixture.RecordingClient(t, fixture.SOAP("Transfer", taggedSign(transferred.Result())), "text/xml")
	_, err = c.Transfer(t.Context(), exampleTransfer(t))
	require.ErrorIs(t, err, ips.ErrSignature)
}

func TestTradeTypeOf(t *testing.T) {
	t.Parallel()
	type kind struct {
		t           ips.TradeType
		certain, ok bool
	}
	want := map[ips.Operation]kind{
		ips.OpOpenAccount: {"01", false, true}, ips.OpRegisterBid: {"02", true, true}, ips.OpRegisterCreditor: {"03", true, true}, ips.OpAutoBid: {"03", true, true},
		ips.OpRegisterGuarantor: {"04", false, true}, ips.OpRegisterDebtTransfer: {"05", true, true}, ips.OpSignAutoBid: {"06", false, true},
		ips.OpSignAutoRepay: {"07", false, true}, ips.OpRecharge: {"08", true, true}, ips.OpWithholdingRecharge: {"08", false, true},
		ips.OpWithdraw: {"09", true, true}, ips.OpUnfreezeMargin: {"10", false, true}, ips.OpRepay: {"11", true, true}, ips.OpAutoRepay: {"11", true, true},
		ips.OpTransfer: {"14", true, true}, // the example's is a release
		// The end of a bid has number and type of the registration.
		ips.OpEndBid: {}, ips.OpRepayOldBid: {}, ips.OpQueryBalance: {}, ips.OpQueryBanks: {}, ips.OpQueryAccount: {}, ips.OpQueryTrade: {},
	}
	for _, tt := range examples(t) {
		kindOf, certain, ok := ips.TradeTypeOf(tt.request)
		assert.Equal(t, want[tt.op], kind{kindOf, certain, ok}, tt.op)
		delete(want, tt.op)
	}
	delete(want, ips.OpQueryTrade)
	assert.Empty(t, want)
	for kindOf, w := range map[ips.TransferType]kind{
		ips.TransferInvestment: {"14", true, true}, ips.TransferCompensation: {"14", false, true}, ips.TransferCompensationRepayment: {"14", false, true},
		ips.TransferDebt: {"15", true, true}, ips.TransferGuaranteeProfit: {"14", false, true},
	} {
		a, b, c := ips.TradeTypeOf(ips.TransferRequest{Type: kindOf})
		assert.Equal(t, w, kind{a, b, c}, kindOf)
	}
	_, _, ok := ips.TradeTypeOf(nil)
	assert.False(t, ok)
}

// hasResults are the operations whose answers say more than that they are done.
var hasResults = map[ips.Operation]bool{
	ips.OpTransfer: true, ips.OpRepay: true, ips.OpAutoRepay: true, ips.OpOpenAccount: true, ips.OpSignAutoBid: true, ips.OpSignAutoRepay: true,
}

// TestAsked makes the answer that each state stands for, of every operation.
func TestAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		req := tt.request
		kind, certain, ok := ips.TradeTypeOf(req)
		answer := func(status ips.TradeStatus) *ips.QueryTradeResponse {
			return &ips.QueryTradeResponse{
				Reply: ips.Reply{Operation: ips.OpQueryTrade, MerchantCode: "808801", Outcome: ips.Success, OrderNo: ips.OrderNo(req)},
				Type:  kind, Status: status, IPSBillNo: "NT1",
			}
		}
		if !ok {
			_, err := ips.Asked(req, answer(ips.TradeDone))
			require.Error(t, err, tt.op)
			continue
		}
		for status, want := range map[ips.TradeStatus]ips.Outcome{
			ips.TradeDone: ips.Success, ips.TradeFailed: ips.Failure, ips.TradeInWork: ips.Pending, ips.TradeNotFound: ips.Undecided, "": ips.Undecided, "5": ips.Undecided,
		} {
			if want == ips.Failure && !certain {
				want = ips.Undecided // the type may be another's
			}
			if want == ips.Success && hasResults[tt.op] {
				want = ips.Pending // rows and numbers come with the notification
			}
			got, err := ips.Asked(req, answer(status))
			require.NoError(t, err)
			require.IsType(t, tt.response, got)
			base := got.Base()
			assert.Equal(t, want, base.Outcome, "%s %s", tt.op, status)
			assert.Equal(t, ips.Reply{
				Operation: tt.op, Via: ips.Queried, MerchantCode: "808801", Message: status.String(), Outcome: want, OrderNo: ips.OrderNo(req),
			}, *base)
			assert.Empty(t, ips.Compare(req, got), tt.op)
			v := reflect.ValueOf(got).Elem()
			for _, invented := range []string{"Rows", "IPSBillNo", "IPSTime", "IPSFee"} {
				if f := v.FieldByName(invented); f.IsValid() {
					assert.True(t, f.IsZero(), "%s.%s", tt.op, invented)
				}
			}
			if account := v.FieldByName("Account"); account.IsValid() && tt.op != ips.OpOpenAccount {
				asked := reflect.ValueOf(req).Elem().FieldByName("Account")
				if asked.IsValid() {
					assert.Equal(t, asked.String(), account.String(), tt.op)
				}
			}
			key, keyed := base.Key()
			assert.Equal(t, want != ips.Undecided, keyed)
			if want == ips.Success {
				notified, _ := keyOf(t, tt.op, tt.Success[0], ips.OrderNo(req))
				assert.Equal(t, notified, key, "the notification that follows is a copy")
			}
			next, _, err := ips.OrderUnknown.Next(base)
			require.NoError(t, err)
			assert.Equal(t, map[ips.Outcome]ips.OrderState{
				ips.Success: ips.OrderDone, ips.Failure: ips.OrderRefused, ips.Pending: ips.OrderPending, ips.Undecided: ips.OrderUnknown,
			}[want], next)
		}
		for _, spoil := range []func(*ips.QueryTradeResponse){
			func(r *ips.QueryTradeResponse) { r.OrderNo += "0" },
			func(r *ips.QueryTradeResponse) { r.OrderNo = "" },
			func(r *ips.QueryTradeResponse) { r.Type = "99" },
		} {
			a := answer(ips.TradeDone)
			spoil(a)
			_, err := ips.Asked(req, a)
			require.ErrorIs(t, err, ips.ErrOperation, tt.op)
		}
	}
}

// TestAsk: under RetryPolicy.Ask an unknown fate is asked for, where that can be
// believed, and never by sending the order again.
func TestAsk(t *testing.T) {
	t.Parallel()
	const no = "T20141213000001"
	policy := ips.RetryPolicy{Attempts: 3, Wait: time.Second, Ask: true}
	status := func(all ...ips.TradeStatus) []string {
		var answers []string
		for _, s := range all {
			answers = append(answers, tradeResult(t, no, "14", s))
		}
		return answers
	}
	cut := func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
	say := func(code ips.Code) func() (*http.Response, error) {
		return func() (*http.Response, error) { return httpAnswer(200, "text/xml", transferResult(t, code)), nil }
	}
	for name, tt := range map[string]struct {
		first    func() (*http.Response, error)
		trades   []string // what is answered, then hang-ups
		at       ips.TradeQueryService
		policy   ips.RetryPolicy
		request  func(*ips.TransferRequest)
		asked    int
		outcome  ips.Outcome
		unsettle bool
	}{
		"done":                {first: cut, trades: status("1"), at: ips.TradeQueryAtQuery, policy: policy, asked: 1, outcome: ips.Pending},
		"failed":              {first: cut, trades: status("2"), at: ips.TradeQueryAtQuery, policy: policy, asked: 1, outcome: ips.Failure},
		"in work":             {first: cut, trades: status("3"), at: ips.TradeQueryAtService, policy: policy, asked: 1, outcome: ips.Pending},
		"not found, and done": {first: cut, trades: status("4", "1"), at: ips.TradeQueryAtQuery, policy: policy, asked: 2, outcome: ips.Pending},
		"never found":         {first: cut, trades: status("4", "4", "4", "4"), at: ips.TradeQueryAtQuery, policy: policy, asked: 3, unsettle: true},
		"another's answer":    {first: cut, trades: []string{tradeResult(t, "T2", "14", "1"), tradeResult(t, no, "15", "1")}, at: ips.TradeQueryAtQuery, policy: policy, asked: -1, unsettle: true},
		"nobody answers":      {first: cut, at: ips.TradeQueryAtQuery, policy: policy, asked: -1, unsettle: true},
		"no trade query":      {first: cut, trades: status("1"), policy: policy, unsettle: true},
		"not told to ask":     {first: cut, trades: status("1"), at: ips.TradeQueryAtQuery, policy: quick, unsettle: true},
		"uncertain type": {first: cut, trades: status("1"), at: ips.TradeQueryAtQuery, policy: policy,
			request: func(r *ips.TransferRequest) {
				r.Type, r.Mode = ips.TransferGuaranteeProfit, ips.TransferRowByRow
				r.Rows = r.Rows[:1]
			}, unsettle: true},
		"a duplicate":   {first: say(ips.CodeDuplicate), trades: status("1"), at: ips.TradeQueryAtQuery, policy: policy, unsettle: true},
		"was refused":   {first: say(ips.CodeFailed), at: ips.TradeQueryAtQuery, policy: policy, outcome: ips.Failure},
		"was not sent":  {first: func() (*http.Response, error) { return nil, ips.ErrNotSent }, trades: status("1"), at: ips.TradeQueryAtQuery, policy: policy, outcome: -1},
		"word for code": {first: say("BUSY"), trades: status("1"), at: ips.TradeQueryAtQuery, policy: policy, asked: 1, outcome: ips.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				orders, questions := 0, 0
				c := tradeClient(t, tt.at, roundTrip(func(r *http.Request) (*http.Response, error) {
					if !strings.Contains(r.Header.Get("SOAPAction"), "QueryTrade") {
						orders++
						return tt.first()
					}
					if questions++; questions > len(tt.trades) {
						return cut()
					}
					return httpAnswer(200, "text/xml", tt.trades[questions-1]), nil
				}), ips.WithRetry(tt.policy))
				req := exampleTransfer(t)
				if tt.request != nil {
					tt.request(&req)
				}
				start := time.Now()
				resp, err := c.Transfer(t.Context(), req)
				if tt.outcome == -1 {
					require.ErrorIs(t, err, ips.ErrNotSent)
					assert.Zero(t, questions)
					return
				}
				assert.Equal(t, 1, orders, "the order is never sent again")
				if tt.asked >= 0 {
					assert.Equal(t, tt.asked, questions)
				} else {
					assert.Positive(t, questions)
				}
				if questions > 0 {
					assert.GreaterOrEqual(t, time.Since(start), time.Second/2, "asked after a wait")
				}
				if tt.unsettle {
					require.ErrorIs(t, err, ips.ErrFateUnknown)
					return
				}
				require.NotErrorIs(t, err, ips.ErrFateUnknown)
				require.Equal(t, tt.outcome == ips.Failure, err != nil, "%v", err)
				require.NotNil(t, resp)
				assert.Equal(t, tt.outcome, resp.Outcome)
				if tt.asked > 0 {
					assert.Equal(t, ips.Queried, resp.Via)
				}
			})
		})
	}

	// Nobody waits for an answer any more.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := tradeClient(t, ips.TradeQueryAtQuery, roundTrip(func(r *http.Request) (*http.Response, error) {
			assert.NotContains(t, r.Header.Get("SOAPAction"), "QueryTrade")
			cancel()
			return nil, errors.New("reset")
		}), ips.WithRetry(policy))
		_, err := c.Transfer(ctx, exampleTransfer(t))
		require.ErrorIs(t, err, ips.ErrFateUnknown)
	})
}

// taggedSign signs the answer to a query as merchants' programs compute it: MD5
// over the elements with their tags, without those that are left out, and the
// cert.
func taggedSign(document string, without ...string) string {
	var signed strings.Builder
	name := ""
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err != nil {
			break // the end; what is no XML gets a signature that does not hold
		}
		switch x := token.(type) {
		case xml.StartElement:
			name = x.Name.Local
		case xml.CharData:
			if name != "pSign" && !slices.Contains(without, name) {
				signed.WriteString("<" + name + ">" + string(x) + "</" + name + ">")
			}
		}
	}
	return strings.Replace(document, "SIGN", md5Hex(signed.String()+ips.TestMerchant().Cert.Reveal()), 1)
}

// TestQuerySignatureForms: which of the known forms held is said, and only the one
// that covers everything is called verified.
func TestQuerySignatureForms(t *testing.T) {
	t.Parallel()
	const account = "4021000000000001"
	balance := fixture.Document("pMerCode", "808801", "pErrCode", "0000", "pErrMsg", "ok", "pIpsAcctNo", account, "pBalance", "1016.71", "pLock", "500", "pNeedstl", "-0.5", "pSign", "SIGN")
	banks := fixture.Document("pMerCode", "808801", "pErrCode", "0000", "pErrMsg", "ok", "pBankList", "甲|A|1#", "pSign", "SIGN")
	person := responseFile(t, ips.OpQueryAccount)
	swap := func(document, a, b string) string { return strings.NewReplacer(a, b, b, a).Replace(document) }
	move := func(document, a, b string) string {
		require.Contains(t, document, a)
		return strings.Replace(document, a, b, 1)
	}
	for name, tt := range map[string]struct {
		op     ips.Operation
		answer string
		want   ips.Signature
		err    error
	}{
		"balance, tagged":           {ips.OpQueryBalance, taggedSign(balance), ips.SignatureTagged, nil},
		"balance, plain":            {ips.OpQueryBalance, signQuery(t, balance), ips.SignaturePlain, nil},
		"balance, none":             {ips.OpQueryBalance, balance, ips.SignatureNone, nil},
		"balance, partial":          {ips.OpQueryBalance, taggedSign(balance, "pErrCode"), ips.SignatureNone, nil},
		"banks, tagged":             {ips.OpQueryBanks, taggedSign(banks), ips.SignatureTagged, nil},
		"banks, plain":              {ips.OpQueryBanks, signQuery(t, banks), ips.SignaturePlain, nil},
		"account, as known":         {ips.OpQueryAccount, taggedSign(person, "pErrCode", "pMemo"), ips.SignaturePartial, nil},
		"account, all of it":        {ips.OpQueryAccount, taggedSign(person), ips.SignatureNone, nil},
		"capitals":                  {ips.OpQueryBalance, strings.Replace(taggedSign(balance), "<pSign>", "<pSign> ", 1), ips.SignatureNone, nil},
		"re-labelled, plain":        {ips.OpQueryBalance, swap(signQuery(t, balance), "pBalance", "pLock"), ips.SignatureNone, nil},
		"re-labelled, tagged":       {ips.OpQueryBalance, swap(taggedSign(balance), "pBalance", "pLock"), ips.SignatureNone, nil},
		"border moved, plain":       {ips.OpQueryBalance, move(signQuery(t, balance), "1016.71</pBalance><pLock>500", "1016.7</pBalance><pLock>1500"), ips.SignaturePlain, nil},
		"border moved, tagged":      {ips.OpQueryBalance, move(taggedSign(balance), "1016.71</pBalance><pLock>500", "1016.7</pBalance><pLock>1500"), ips.SignatureNone, nil},
		"border into the account":   {ips.OpQueryBalance, move(signQuery(t, balance), "1</pIpsAcctNo><pBalance>1", "</pIpsAcctNo><pBalance>11"), 0, ips.ErrOperation},
		"account in the message":    {ips.OpQueryBalance, move(signQuery(t, balance), "</pErrMsg><pIpsAcctNo>"+account+"</pIpsAcctNo>", account+"</pErrMsg>"), 0, ips.ErrOperation},
		"another account, signed":   {ips.OpQueryBalance, taggedSign(strings.Replace(balance, account, "4021000000000002", 1)), 0, ips.ErrOperation},
		"another person, signed":    {ips.OpQueryAccount, taggedSign(strings.Replace(person, account, "4021000000000002", 1), "pErrCode", "pMemo"), 0, ips.ErrOperation},
		"an element more":           {ips.OpQueryBalance, taggedSign(strings.Replace(balance, "<pSign>", "<pNew>1</pNew><pSign>", 1)), ips.SignatureNone, nil},
		"an element less":           {ips.OpQueryBalance, taggedSign(strings.Replace(balance, "<pNeedstl>-0.5</pNeedstl>", "", 1)), ips.SignatureNone, nil},
		"another merchant's answer": {ips.OpQueryBalance, taggedSign(strings.Replace(balance, "808801", "808802", 1)), 0, ips.ErrMerchant},
		"a refusal needs no name":   {ips.OpQueryBalance, fixture.Document("pMerCode", "808801", "pErrCode", "02", "pErrMsg", "无此账户"), 0, ips.CodeNoAccount},
	} {
		c, _ := fixture.RecordingClient(t, fixture.SOAP(fixture.Info(t, tt.op).Endpoint, tt.answer), "text/xml")
		var resp ips.Response
		var err error
		switch tt.op {
		case ips.OpQueryBalance:
			resp, err = c.QueryBalance(t.Context(), account)
		case ips.OpQueryBanks:
			resp, err = c.QueryBanks(t.Context())
		default:
			resp, err = c.QueryAccount(t.Context(), account)
		}
		if tt.err != nil {
			require.ErrorIs(t, err, tt.err, name)
			assert.NotContains(t, err.Error(), "4021", "accounts stay out of errors")
			if !errors.Is(err, ips.CodeNoAccount) {
				assert.True(t, reflect.ValueOf(resp).IsNil(), name)
			}
			continue
		}
		require.NoError(t, err, name)
		got := reflect.ValueOf(resp).Elem().FieldByName("Signature").Interface().(ips.Signature)
		assert.Equal(t, tt.want, got, name)
		assert.Equal(t, tt.want == ips.SignatureTagged, got.Verified(), name)
	}
	for s, text := range map[ips.Signature]string{ips.SignatureNone: "none", ips.SignaturePlain: "plain", ips.SignaturePartial: "partial", ips.SignatureTagged: "tagged", ips.SignatureSealed: "sealed", 9: "none"} {
		assert.Equal(t, text, s.String())
	}
}

// TestAskedOfNothing: only a trade query that succeeded, of an order with a
// number, stands for an answer.
func TestAskedOfNothing(t *testing.T) {
	t.Parallel()
	req := ips.RechargeRequest{OrderNo: "R1"}
	answer := func(no string, o ips.Outcome) *ips.QueryTradeResponse {
		return &ips.QueryTradeResponse{Reply: ips.Reply{Operation: ips.OpQueryTrade, OrderNo: no, Outcome: o}, Type: ips.TradeRecharge, Status: ips.TradeFailed}
	}
	_, err := ips.Asked(req, answer("R1", ips.Success))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		req    ips.Request
		answer *ips.QueryTradeResponse
	}{
		"no answer":     {req, nil},
		"refused query": {req, answer("R1", ips.Failure)},
		"no verdict":    {req, answer("R1", ips.Undecided)},
		"no number":     {ips.RechargeRequest{}, answer("", ips.Success)},
		"no request":    {nil, answer("R1", ips.Success)},
	} {
		resp, err := ips.Asked(tt.req, tt.answer)
		require.Error(t, err, name)
		assert.Nil(t, resp, name)
	}
}

// TestAskedLeavesResultsOpen: rows, the number of a new account and of a contract
// come with the notification only. If a query's word had settled the order, the
// notification would be no news, and rows that failed would be lost.
func TestAskedLeavesResultsOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range examples(t) {
		kind, _, ok := ips.TradeTypeOf(tt.request)
		if !ok {
			continue
		}
		asked, err := ips.Asked(tt.request, &ips.QueryTradeResponse{
			Reply: ips.Reply{Operation: ips.OpQueryTrade, MerchantCode: "808801", Outcome: ips.Success, OrderNo: ips.OrderNo(tt.request)},
			Type:  kind, Status: ips.TradeDone,
		})
		require.NoError(t, err)
		state, _, err := ips.OrderUnknown.Next(asked.Base())
		require.NoError(t, err)
		told, change, err := state.Next(&ips.Reply{Operation: tt.op, OrderNo: ips.OrderNo(tt.request), Via: ips.ServerToServer, Outcome: ips.Success})
		require.NoError(t, err)
		assert.Equal(t, ips.OrderDone, told)
		assert.Equal(t, hasResults[tt.op], change == ips.Changed, tt.op)
		asKey, _ := asked.Base().Key()
		toldKey, _ := (&ips.Reply{MerchantCode: "808801", Operation: tt.op, OrderNo: ips.OrderNo(tt.request), Outcome: ips.Success}).Key()
		assert.Equal(t, hasResults[tt.op], asKey != toldKey, tt.op)
	}
}

func TestInvalidQueryTrade(t *testing.T) {
	t.Parallel()
	requireInvalid(t, ips.OpQueryTrade, []invalid{
		{with{"OrderNo", ""}, "pMerBillNo", "OrderNo", empty, false},
		{with{"Type", "8"}, "pTradeType", "Type", "must have exactly 2 characters", false},
	})
}
