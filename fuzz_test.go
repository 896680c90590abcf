package ips_test

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// FuzzOpen feeds signed documents of any content: the reader may refuse them,
// and must not fall.
func FuzzOpen(f *testing.F) {
	for _, tt := range examples(f) {
		f.Add(string(tt.op), string(tt.response.Base().Code), responseFile(f, tt.op))
	}
	f.Add("recharge", "MG00000F", fixture.RechargeDocument)
	f.Add("recharge", "MG00006F", "")
	f.Add("transfer", "MG00000F", "<pReq><pDetails><pRow/><x/></pDetails></pReq>")
	f.Add("recharge", "0000", "\xff\xfe<\x00")
	f.Add("recharge", "MG00000F", `<?xml version="1.0" encoding="GBK"?><pReq>`+"\xb2\xe2"+`</pReq>`)
	c := fixture.Client(f)
	f.Fuzz(func(t *testing.T, op, code, doc string) {
		answer := fixture.Sealed(ips.Code(code), "", doc)
		resp, err := c.ParseNotification(answer.Inbound("x"), ips.Operation(op))
		if (resp == nil) == (err == nil) {
			t.Fatalf("resp %v, err %v", resp, err)
		}
		if err != nil {
			return
		}
		base := resp.Base()
		if base.Outcome != ips.Undecided && base.OrderNo == "" {
			t.Fatal("decided, and no order number")
		}
		if base.Code != ips.Code(code) || base.Operation != ips.Operation(op) {
			t.Fatalf("%s %s, got %s %s", op, code, base.Operation, base.Code)
		}
		decided := base.Outcome == ips.Success || base.Outcome == ips.Pending
		if decided == (resp.Err() != nil) || (base.Outcome == ips.Undecided) != errors.Is(resp.Err(), ips.ErrFateUnknown) {
			t.Fatal("outcome and error disagree")
		}
		if key, ok := base.Key(); ok != (base.Outcome != ips.Undecided) || ok && len(key.String()) > 80 {
			t.Fatalf("key %q, %v", key, ok)
		}
	})
}

// FuzzUnsealed feeds the five fields themselves: only a true signature opens
// anything.
func FuzzUnsealed(f *testing.F) {
	good := fixture.Sealed("MG00000F", "操作成功", fixture.RechargeDocument)
	f.Add(good.MerCode, good.ErrCode, good.ErrMsg, good.Body, good.Sign)
	f.Add(good.MerCode, "MG00000", "F操作成功", good.Body, good.Sign)
	f.Add(good.MerCode, good.ErrCode, good.ErrMsg+good.Body, "", good.Sign)
	f.Add("808801", "MG00000F", "", "AAAAAAAAAAA=", strings.Repeat("0", 32))
	c, keys := fixture.Client(f), fixture.Keys()
	f.Fuzz(func(t *testing.T, merCode, errCode, errMsg, body, sign string) {
		resp, err := c.ParseNotification(fixture.Answer{MerCode: merCode, ErrCode: errCode, ErrMsg: errMsg, Body: body, Sign: sign}.Inbound(ips.OpRecharge), ips.OpRecharge)
		if err != nil {
			return
		}
		if merCode != "808801" || !keys.VerifyAnswer(nil, errCode, errMsg, envelope.Repair(body), sign) {
			t.Fatal("opened without a true signature")
		}
		if resp.Base().Code != ips.Code(errCode) || resp.Base().Message != errMsg {
			t.Fatal("not what was signed")
		}
	})
}

// FuzzInbound feeds whole requests: never a panic, and never 200 unless what
// came verifies.
func FuzzInbound(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	good := fixture.Sealed("MG00000F", "操作成功", fixture.RechargeDocument).Values().Encode()
	f.Add([]byte(good), form)
	f.Add([]byte(good), form+"; charset=gbk")
	f.Add([]byte(good+"&pSign=0"), form)
	f.Add([]byte(strings.Replace(good, "pSign=", "pSign=0", 1)), form)
	f.Add([]byte("pMerCode=808801&pErrCode=MG00000F&pErrMsg=&p3DesXmlPara=&pSign="), form)
	f.Add([]byte("%"), form+"; charset=utf-16")
	f.Add([]byte(`{"a":1}`), "application/json")
	c, keys := fixture.Client(f, ips.WithLimits(ips.Limits{Inbound: 1 << 16})), fixture.Keys()
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		handled := 0
		h := c.NotifyHandler(ips.Inbound{Hear: hear(func(ips.Response) error {
			handled++
			return nil
		})})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, fixture.Post(ips.OpRecharge, contentType, string(body)))
		switch w.Code {
		case http.StatusBadRequest:
			if handled != 0 || w.Body.String() != "refused\n" {
				t.Fatalf("refused, but %d calls, %q", handled, w.Body)
			}
		case http.StatusOK:
			mediaType, params, err := mime.ParseMediaType(contentType)
			if err != nil || mediaType != form || handled != 1 {
				t.Fatalf("acknowledged with content type %q and %d calls", contentType, handled)
			}
			if params["charset"] != "" {
				return // the text that was signed is not the text of the body
			}
			v, err := url.ParseQuery(string(body))
			if err != nil || len(v["pSign"]) != 1 ||
				!keys.VerifyAnswer(nil, v.Get("pErrCode"), v.Get("pErrMsg"), envelope.Repair(v.Get("p3DesXmlPara")), v.Get("pSign")) {
				t.Fatal("acknowledged without a true signature")
			}
		default:
			t.Fatalf("status %d", w.Code)
		}
	})
}

// FuzzReturnPage feeds the page that answers a server-posted form.
func FuzzReturnPage(f *testing.F) {
	good := fixture.Sealed("MG02503F", "标的结束处理中", fixture.Document("pMerBillNo", "B20141213000001"))
	f.Add([]byte(good.Page()), "text/html; charset=utf-8")
	f.Add([]byte(good.ReturnForm()+good.ReturnForm()), "text/html")
	f.Add([]byte("<table><form>"+good.ReturnForm()), "text/html; charset=gbk")
	f.Add([]byte("<form><select name=pSign><option selected>x</select><textarea name=pMerCode></form>"), "")
	f.Add([]byte("<svg><form><input name=pSign></svg>"), "text/html")
	r := new(fixture.Recorder)
	c := fixture.Client(f, ips.WithHTTPClient(httpClient(r)))
	req := *exampleOf(f, ips.OpEndBid).request.(*ips.EndBidRequest)
	f.Fuzz(func(t *testing.T, page []byte, contentType string) {
		r.Answer, r.ContentType = string(page), contentType
		resp, err := c.EndBid(context.Background(), req)
		if err == nil && !strings.Contains(string(page), good.Sign) {
			t.Fatalf("believed %+v", resp)
		}
	})
}

// FuzzSOAPAnswer feeds the answer to a web service call.
func FuzzSOAPAnswer(f *testing.F) {
	good := fixture.Sealed("MG00000F", "操作成功", fixture.Document("pMerBillNo", "U20141213000001", "pUnfreezeAmt", "1"))
	f.Add([]byte(fixture.SOAP("GuaranteeUnfreeze", good.Result())), "text/xml; charset=utf-8")
	f.Add([]byte(fixture.SOAP("GuaranteeUnfreeze", "")), "text/xml; charset=gbk")
	f.Add([]byte(fault("Server", "x")), "text/xml")
	f.Add([]byte(`<Envelope><Body><Fault><Code><Value>s:Sender</Value></Code><Reason><Text>x</Text></Reason></Fault></Body></Envelope>`), "application/soap+xml")
	f.Add([]byte(`<?xml version="1.0" encoding="utf-16"?><Envelope/>`), "charset=")
	r := new(fixture.Recorder)
	c := fixture.Client(f, ips.WithHTTPClient(httpClient(r)))
	req := *exampleOf(f, ips.OpUnfreezeMargin).request.(*ips.UnfreezeMarginRequest)
	f.Fuzz(func(t *testing.T, answer []byte, contentType string) {
		r.Answer, r.ContentType = string(answer), contentType
		resp, err := c.UnfreezeMargin(context.Background(), req)
		if err == nil && !strings.Contains(string(answer), good.Sign) {
			t.Fatalf("believed %+v", resp)
		}
	})
}

// FuzzParseAmount: what is read is written again as the same sum, and nothing
// else is read.
func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0", "12.00", "0.5", "999999999.99", "1.005", "1e3", "NaN", "-1", "+1", ".5", "5.", " 5", "５", "9999999999", "00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ips.ParseAmount(s)
		if err != nil {
			if a != 0 {
				t.Fatalf("%q: refused and %d", s, a)
			}
			return
		}
		if a < 0 || a > ips.MaxAmount || strings.Trim(s, "0123456789.") != "" {
			t.Fatalf("%q read as %d", s, a)
		}
		again, err := ips.ParseAmount(a.String())
		if err != nil || again != a {
			t.Fatalf("%q: %s read as %d, %v", s, a, again, err)
		}
		whole, frac, _ := strings.Cut(s, ".")
		if want := strings.TrimLeft(whole, "0") + (frac + "00")[:2]; strings.TrimLeft(want, "0") != strings.TrimLeft(strings.Replace(a.String(), ".", "", 1), "0") {
			t.Fatalf("%q read as %s", s, a)
		}
	})
}
