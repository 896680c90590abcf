package ipstest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/xmltext"
)

// OfflineConfig is a configuration for tests without a [Server]: the vendor's
// published test merchant, at addresses that lead nowhere.
func OfflineConfig() ips.Config {
	cfg := ips.TestMerchant()
	cfg.Environment = ips.EnvironmentAt("https://ips.example.com")
	cfg.ReturnURL, cfg.NotifyURL = "https://p2p.example.com/ips/return", "https://p2p.example.com/ips/notify"
	return cfg
}

// NewForm makes the form of a request as the client of [OfflineConfig] does, for
// a fake that must return one. It panics if the request breaks the contract.
func NewForm(req ips.Request) *ips.Form {
	client, err := ips.NewClient(OfflineConfig())
	if err != nil {
		panic(err) // the configuration is ours
	}
	form, err := client.Form(req)
	if err != nil {
		panic(fmt.Sprintf("ipstest: NewForm: %v", err))
	}
	return form
}

// AnswerTo is the answer by which IPS says that it has done what was asked, for
// tests without a [Server]: what answers repeat is the request's, what IPS alone
// knows (numbers, times, states) is invented, fees of IPS are 0. It is the
// operation's response type; change in it what the test needs, the Code in its
// Base for another outcome. The request need not be valid. AnswerTo panics for
// a query.
//
// The answer is made by the SDK's own descriptions, and not by the rules of a
// platform: nothing of it says what IPS would do. That the sandbox does.
func AnswerTo(req ips.Request) ips.Response {
	info, ok := ips.OperationOf(req).Info()
	if !ok || info.Transport == ips.QueryService {
		panic(fmt.Sprintf("ipstest: AnswerTo: %s has no answer that comes by itself", ips.OperationOf(req)))
	}
	answer, err := ips.UnmarshalResponse(info.Operation, []byte("{}"))
	if err == nil {
		asked := reflect.ValueOf(req)
		if asked.Kind() != reflect.Pointer {
			asked = reflect.New(asked.Type())
			asked.Elem().Set(reflect.ValueOf(req))
		}
		said := reflect.TypeOf(answer).Elem()
		_, err = codec.Unmarshal("<pReq>"+elements(info.Operation, asked.Elem(), said)+"</pReq>", answer)
	}
	if err != nil {
		panic(fmt.Sprintf("ipstest: AnswerTo: %v", err))
	}
	b := answer.Base()
	b.Operation, b.Via, b.Code, b.Message, b.Outcome = info.Operation, ips.ServerToServer, info.Success[0], "成功", ips.Success
	return answer
}

// elements are those of an answer, or of one of its rows, to what was asked.
func elements(op ips.Operation, asked reflect.Value, said reflect.Type) string {
	var b []byte
	from := codec.Fields(asked.Type())
	for _, f := range codec.Fields(said) {
		b = fmt.Appendf(b, "<%s>", f.Name)
		text := invented(op, asked, f.GoName, f.Type)
		for i := range from {
			switch q := &from[i]; {
			case q.Name != f.Name || q.Variant:
			case q.Row == "":
				text = codec.Text(asked, q)
			default:
				rows := asked.FieldByIndex(q.Index)
				for n := range rows.Len() {
					b = fmt.Appendf(b, "<%s>%s</%s>", q.Row, elements(op, rows.Index(n), f.Type.Elem()), q.Row)
				}
			}
		}
		b = fmt.Appendf(xmltext.Append(b, text), "</%s>", f.Name)
	}
	return string(b)
}

// invented is what IPS alone knows, by the response's field.
func invented(op ips.Operation, asked reflect.Value, name string, t reflect.Type) string {
	of := func(field string) string {
		if v := asked.FieldByName(field); v.IsValid() {
			return fmt.Sprint(v.Interface())
		}
		return ""
	}
	switch t {
	case reflect.TypeFor[ips.OpenAccountStatus]():
		return string(ips.AccountOpened)
	case reflect.TypeFor[ips.ClaimStatus]():
		return string(ips.ClaimRunning)
	case reflect.TypeFor[ips.RowStatus]():
		return string(ips.RowDone)
	case reflect.TypeFor[ips.CheckStatus]():
		return string(ips.CheckPassed)
	case reflect.TypeFor[ips.BidStatus]():
		if op == ips.OpEndBid {
			return string(ips.BidEnded)
		}
		return string(ips.BidRaising)
	case reflect.TypeFor[ips.Time]():
		return ips.Time{Time: time.Now()}.String()
	case reflect.TypeFor[ips.Date]():
		return strings.ReplaceAll(ips.Today().String(), "-", "")
	}
	switch name {
	case "OperationType":
		if op == ips.OpEndBid {
			return "2"
		}
		return "1"
	case "IPSBillNo", "InvestorNo", "IPSBidNo", "AuthNo":
		return "IPS" + of("OrderNo") + of("OriginalOrderNo")
	case "BusinessType":
		return "1"
	case "Account":
		return "4021000000000001"
	case "BankName":
		return "示例银行"
	case "BankCode":
		return "00004"
	case "CardHolder":
		return of("RealName")
	case "CardLast4":
		return "0001"
	case "FrozenMargin":
		return of("Margin")
	case "Frozen", "Credited":
		return of("Amount")
	}
	if t == reflect.TypeFor[ips.Amount]() {
		return "0.00"
	}
	return ""
}

// Sealed is an answer as IPS posts it to the merchant of cfg, encrypted and signed
// with his keys: the form of a web return or a notification. It panics for a
// merchant in MD5withRSA mode, whose answers only IPS can sign.
func Sealed(cfg ips.Config, answer ips.Response) url.Values {
	b := answer.Base()
	keys, err := envelope.NewKeys(cfg.MerchantCode, cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal())
	var document []byte
	if err == nil {
		document, err = codec.Marshal(answer, "")
	}
	if err == nil && cfg.PublicKey != nil {
		err = fmt.Errorf("the answers to %s are signed with a key of IPS", cfg.MerchantCode)
	}
	if err != nil {
		panic(fmt.Sprintf("ipstest: Sealed: %v", err))
	}
	body := keys.Encrypt(document)
	return url.Values{
		"pMerCode": {cfg.MerchantCode}, "pErrCode": {string(b.Code)}, "pErrMsg": {b.Message},
		"p3DesXmlPara": {body}, "pSign": {keys.SignAnswer(string(b.Code), b.Message, body)},
	}
}

// Post gives a handler the answer as IPS posts it to path, such as
// /ips/notify/recharge, and returns what the handler says.
func Post(h http.Handler, path string, cfg ips.Config, answer ips.Response) *http.Response {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(Sealed(cfg, answer).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}
