package sandbox_test

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// broken sets a Base64 text on lines of 76 characters.
func broken(body, ending string) string {
	var lines []string
	for len(body) > 76 {
		lines, body = append(lines, body[:76]), body[76:]
	}
	return strings.Join(append(lines, body), ending)
}

// Merchants broke the lines of Base64 as their machines do, and signed what
// they had broken, or what they had put together again.
func TestBrokenLinesOfBase64(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	transfer := document("pMerBillNo", "T1", "pBidNo", "BID1")
	for name, ending := range map[string]string{"LF": "\n", "CRLF": "\r\n", "CR": "\r", "none": ""} {
		for signed, over := range map[string]func(string) string{
			"signed as sent":       func(s string) string { return s },
			"signed with its end":  func(s string) string { return s + ending },
			"signed on one line":   func(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) },
			"signed by a stranger": nil,
		} {
			t.Run(name+", "+signed, func(t *testing.T) {
				t.Parallel()
				order := "A" + strings.Map(func(r rune) rune {
					if r == ',' || r == ' ' {
						return -1
					}
					return r
				}, name+signed)
				body := broken(f.keys.Encrypt([]byte(f.openingOf(order, strings.ToLower(order)))), ending)
				call := broken(f.keys.Encrypt([]byte(transfer)), ending)
				pageSign, callSign := strings.Repeat("0", 32), strings.Repeat("0", 32)
				if over != nil {
					pageSign, callSign = f.keys.SignRequest(over(body)), f.keys.SignRequest(over(call))
				}
				r := f.post(page, url.Values{"argMerCode": {"808801"}, "arg3DesXmlPara": {body}, "argSign": {pageSign}})
				v := f.call11(trade, "Transfer", "pMerCode", "808801", "p3DesXmlPara", call, "pSign", callSign).resultOf(t, "Transfer")
				if over == nil {
					assert.Contains(t, r.body, "MG00003F")
					assert.Equal(t, "MG00003F", v["pErrCode"])
					return
				}
				_, a := r.returned(t)
				assert.Equal(t, "MG00000F", a.code, a.text)
				assert.NotEqual(t, "MG00003F", v["pErrCode"], v["pErrMsg"])
				assert.NotEqual(t, "MG00004F", v["pErrCode"], v["pErrMsg"])
			})
		}
	}
}

func TestDoubledSlashesAndBlanksInTags(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	text := strings.NewReplacer("<pRealName>", "<pRealName >", "</pRealName>", "</pRealName >", "<pEmail>", "<pEmail\r\n>").Replace(f.opening("A1"))
	r := f.do(http.MethodPost, "//CreditWeb//"+page, formType, seal(f.keys, "arg", text).Encode())
	_, a := r.returned(t)
	assert.Equal(t, "MG00000F", a.code, a.text)
	for _, path := range []string{"//CreditWS//Service.asmx", "/creditws//service.asmx", "//CreditWSQuery/Service.asmx"} {
		assert.Equal(t, http.StatusOK, f.do(http.MethodGet, path+"?wsdl", "", "").status, path)
	}
}

func (f *fixture) queryTrade(path, order, kind string) map[string]string {
	f.t.Helper()
	form := seal(f.keys, "p", document("pMerBillNo", order, "pTradeType", kind))
	return f.call11(path, "QueryTrade", "pMerCode", "808801", "p3DesXmlPara", form.Get("p3DesXmlPara"), "pSign", form.Get("pSign")).
		resultOf(f.t, "QueryTrade")
}

// told are the elements of the document of an answer.
func (f *fixture) told(v map[string]string) map[string]string {
	f.t.Helper()
	text := answer{v["pMerCode"], v["pErrCode"], v["pErrMsg"], v["p3DesXmlPara"], v["pSign"]}.open(f.t, f.keys, nil)
	var elements struct {
		Any []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	require.NoError(f.t, xml.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &elements))
	values := map[string]string{}
	for _, e := range elements.Any {
		values[e.XMLName.Local] = e.Text
	}
	return values
}

func TestQueryTrade(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{})
	f.post(page, seal(f.keys, "arg", f.opening("A1"))).returned(t)
	for name, c := range map[string]struct{ order, kind, state string }{
		"done":                  {"A1", "01", "1"},
		"of another type":       {"A1", "08", "4"},
		"unknown":               {"A2", "01", "4"},
		"of a type nobody uses": {"A1", "99", "4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{trade, queries} {
				v := f.queryTrade(path, c.order, c.kind)
				assert.Equal(t, "MG00000F", v["pErrCode"])
				body := f.told(v)
				assert.Equal(t, []string{c.order, c.kind, c.state}, []string{body["pMerBillNo"], body["pTradeType"], body["pTradeStatue"]})
			}
		})
	}
	t.Run("nothing asked", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, "MG00006F", f.queryTrade(queries, "", "01")["pErrCode"])
		assert.Equal(t, "MG00006F", f.queryTrade(queries, "A1", "")["pErrCode"])
		v := f.call11(queries, "QueryTrade", "pMerCode", "808801", "p3DesXmlPara", "AAAA", "pSign", "0").resultOf(t, "QueryTrade")
		assert.Equal(t, "MG00003F", v["pErrCode"])
	})
}

func TestPlaceOfQueryTrade(t *testing.T) {
	t.Parallel()
	for place, there := range map[wire.TradeQuery]map[string]bool{
		"": {trade: true, queries: true}, "both": {trade: true, queries: true}, "query": {queries: true}, "service": {trade: true}, "none": {},
	} {
		t.Run(string(place), func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{TradeQuery: place})
			for _, path := range []string{trade, queries} {
				form := seal(f.keys, "p", document("pMerBillNo", "A1", "pTradeType", "01"))
				r := f.call11(path, "QueryTrade", "pMerCode", "808801", "p3DesXmlPara", form.Get("p3DesXmlPara"), "pSign", form.Get("pSign"))
				assert.Equal(t, there[path], strings.Contains(f.do(http.MethodGet, path+"?wsdl", "", "").body, "QueryTrade"), path)
				if there[path] {
					assert.Equal(t, http.StatusOK, r.status, path)
					continue
				}
				assert.Equal(t, http.StatusInternalServerError, r.status, path)
				assert.Contains(t, r.body, "soap:Fault", path)
			}
		})
	}
	_, err := sandbox.New(sandbox.Config{TradeQuery: "somewhere"})
	assert.ErrorContains(t, err, "TradeQuery")
}

// The same message again is answered with the first answer, byte for byte, or
// refused as a duplicate.
func TestRepeat(t *testing.T) {
	t.Parallel()
	for repeat, again := range map[engine.Repeat]string{"": "MG00000F", engine.RepeatFirst: "MG00000F", engine.RepeatRefuse: "订单号重复"} {
		t.Run(string(repeat), func(t *testing.T) {
			t.Parallel()
			f := start(t, sandbox.Config{Repeat: repeat})
			form := seal(f.keys, "arg", f.opening("A1"))
			first := f.post(page, form).body
			second := f.post(page, form)
			_, a := second.returned(t)
			assert.Contains(t, a.code+a.text, again)
			assert.Equal(t, repeat != engine.RepeatRefuse, first == second.body)
		})
	}
}

// pIpsTime is that of servers whose clocks are off, each by its own.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{ClockSkew: 3 * time.Minute, NoticeSkew: -5 * time.Minute})
	account := f.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	_, a := f.post("registerSubject.aspx", seal(f.keys, "p", document("pMerBillNo", "B1", "pBidNo", "BID1", "pRegDate", "20141124",
		"pLendAmt", "1000.00", "pGuaranteesAmt", "0.00", "pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12",
		"pLendPurpose", "买车", "pRepayMode", "1", "pOperationType", "1", "pLendFee", "0.00", "pAcctType", "1",
		"pIdentNo", "110101199001010001", "pRealName", "张三", "pIpsAcctNo", account, "pWebUrl", "http://shop.example.com/",
		"pS2SUrl", f.shop.URL))).returned(t)
	require.Equal(t, "MG02500F", a.code, a.text)
	assert.Contains(t, a.open(t, f.keys, nil), "<pIpsTime>20141124120300</pIpsTime>")
	f.delivered()
	told := ""
	for _, form := range f.shop.received() { // in any order
		told += fromForm(form).open(t, f.keys, nil)
	}
	assert.Contains(t, told, "<pIpsTime>20141124115800</pIpsTime>")
}

// An old bid comes in as soon as its people have accounts; the guide's part
// three can be tried from any language.
func TestOldBids(t *testing.T) {
	t.Parallel()
	old := func(no string) engine.OldBid {
		return engine.OldBid{BidNo: no, ContractNo: "HT1", Release: "F1", Borrower: "4021000000000001",
			Owed: []engine.OldClaim{{Account: "4021000000000002", Amount: 300_00}}}
	}
	kept := &memory{}
	f := start(t, sandbox.Config{Store: kept, OldBids: []sandbox.OldBid{{Merchant: "808801", OldBid: old("OLD1")}}})
	f.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	assert.Empty(t, f.Engine().OldBids(""))
	f.openAccount("A2", "110101199001010002", "李四", "13800000002", "lisi")
	require.Len(t, f.Engine().OldBids("808801"), 1)

	f.admin(200, "POST", "oldbids", `{"merchant":"808801","bid":"OLD2","contract":"HT2","release":"F2","borrower":"4021000000000001","owed":"4021000000000002:200.00"}`)
	f.admin(400, "POST", "oldbids", `{"merchant":"808801","bid":"OLD3","contract":"HT2","release":"F2","borrower":"4021000000000001","owed":"4021000000000002"}`)
	s := f.operated(f.operate(f.console("/console/oldbids"), "/console/oldbids/order", url.Values{
		"merchant": {"808801"}, "bid": {"OLD4"}, "contract": {"HT4"}, "release": {"F4"}, "borrower": {"4021000000000001"}, "owed": {"4021000000000002:100.00"},
	}))
	assert.Len(t, s.rows(), 3)
	assert.Contains(t, s.text, "OLD4")

	require.NoError(t, f.Deposit("808801", "4021000000000001", 1000_00))
	_, a := f.post("repaymentTrade.aspx", seal(f.keys, "p", strings.Replace(document("pBidNo", "OLD4", "pContractNo", "HT4",
		"pRepaymentDate", "20141124", "pMerBillNo", "R1", "pMerchantBillNo", "F4", "pFAcctType", "1", "pFIdentNo", "110101199001010001",
		"pFRealName", "张三", "pFIpsAcctNo", "4021000000000001", "pFTrdFee", "0.00", "pFTrdAmt", "100.00",
		"pWebUrl", "http://shop.example.com/", "pS2SUrl", f.shop.URL), "</pReq>",
		"<pDetails><pRow><pTAcctType>1</pTAcctType><pTIpsAcctNo>4021000000000002</pTIpsAcctNo><pTTrdFee>0.00</pTTrdFee><pTTrdAmt>100.00</pTTrdAmt></pRow></pDetails></pReq>", 1))).
		returned(t)
	assert.Contains(t, []string{"0000", "MG00008F"}, a.code, a.text)
	f.delivered()
	require.NoError(t, f.CheckBooks())

	g := start(t, sandbox.Config{Store: kept.copied(), OldBids: []sandbox.OldBid{{Merchant: "808801", OldBid: old("OLD1")}}})
	require.NoError(t, g.Deposit("808801", "", 1))
	assert.Len(t, g.Engine().OldBids(""), 3, "what the store has is not brought in twice")
}
