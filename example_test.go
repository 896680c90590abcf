package ips_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
)

func ExampleAmount() {
	sum := 500*ips.Yuan + 25*ips.Fen
	fmt.Println(sum, int64(sum))
	// Output: 500.25 50025
}

func ExampleParseAmount() {
	for _, text := range []string{"1016.71", "500", "1.005", "-1"} {
		amount, err := ips.ParseAmount(text)
		fmt.Println(amount, err)
	}
	// Output:
	// 1016.71 <nil>
	// 500.00 <nil>
	// 0.00 ips: amount "1.005": want digits with at most two decimals, as 12.00
	// 0.00 ips: amount "-1": want digits with at most two decimals, as 12.00
}

func ExampleRate() {
	fmt.Println(12*ips.Percent + 50*ips.BasisPoint)
	// Output: 12.50
}

func ExampleDateOf() {
	// Half past four in the afternoon in London is tomorrow in China.
	fmt.Println(ips.DateOf(time.Date(2014, time.December, 31, 16, 30, 0, 0, time.UTC)))
	// Output: 20150101
}

func ExampleCode() {
	var err error = &ips.Error{Operation: ips.OpRegisterBid, Code: "MG02008F", Message: "标的已存在", OrderNo: "B1"}
	fmt.Println(errors.Is(err, ips.CodeBidExists))
	// Output: true
}

func ExampleOutcome() {
	bid, _ := ips.OpRegisterBid.Info()
	for _, code := range []ips.Code{ips.CodeBidRegistered, ips.CodeBidRaising, ips.CodeBidExists} {
		fmt.Println(code, bid.Outcome(code))
	}
	// Output:
	// MG02500F pending
	// MG02501F success
	// MG02008F failure
}

func ExampleTransferType() {
	kind := ips.TransferDebt
	fmt.Println(kind)         // for people
	fmt.Println(string(kind)) // as on the wire
	// Output:
	// debt transfer
	// 4
}

func ExampleRepayTotals() {
	rows := []ips.RepayRow{
		{CreditorOrderNo: "C1", Account: "4021000000000002", Amount: 1_000 * ips.Yuan, BorrowerFee: 2 * ips.Yuan},
		{CreditorOrderNo: "C2", Account: "4021000000000003", Amount: 16*ips.Yuan + 71*ips.Fen},
	}
	amount, fee := ips.RepayTotals(rows)
	fmt.Println(amount, fee)
	// Output: 1016.71 2.00
}

func ExampleOperations() {
	for _, op := range ips.Operations() {
		if op.Transport == ips.ServerPosted {
			fmt.Println(op.Section, op.Method, op.Chinese)
		}
	}
	// Output:
	// 4.3 EndBid 标的结束
	// 4.4 AutoBid 登记债权人（自动投标）
	// 4.11 AutoRepay 还款（自动）
}

// exampleClient is a client of the vendor's published test merchant.
func exampleClient() *ips.Client {
	cfg := ips.TestMerchant()
	cfg.Environment = ips.Sandbox("http://127.0.0.1:8480")
	cfg.ReturnURL = "https://p2p.example.com/ips/return"
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	client, err := ips.NewClient(cfg)
	if err != nil {
		panic(err)
	}
	return client
}

func exampleRecharge() ips.RechargeRequest {
	return ips.RechargeRequest{
		OrderNo: "R20141213000001", IdentNo: "110101199001010002", RealName: "李四", Account: "4021000000000002",
		Date: ips.NewDate(2014, time.December, 13), Amount: 500 * ips.Yuan,
		Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
	}
}

func ExampleNewClient() {
	cfg := ips.TestMerchant()
	cfg.Environment = ips.Sandbox("http://127.0.0.1:8480") // or ips.Production()
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	client, err := ips.NewClient(cfg, ips.WithTimeout(20*time.Second))
	fmt.Println(client, err)
	// Output: ips.Client{808801 at http://127.0.0.1:8480} <nil>
}

// A form is itself the answer to the user's click.
func ExampleForm() {
	client := exampleClient()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /recharge", func(w http.ResponseWriter, r *http.Request) {
		form, err := client.Recharge(exampleRecharge())
		if err != nil {
			http.Error(w, "cannot recharge", http.StatusBadRequest)
			return
		}
		form.ServeHTTP(w, r)
	})

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/recharge", nil))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `action="http://127.0.0.1:8480/CreditWeb/doDpTrade.aspx"`))
	// Output: 200 true
}

// A page of one's own needs the action and the fields.
func ExampleForm_Fields() {
	form, err := exampleClient().Recharge(exampleRecharge())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(form.Action())
	for _, f := range form.Fields() {
		fmt.Println(f.Name, len(f.Value))
	}
	// Output:
	// http://127.0.0.1:8480/CreditWeb/doDpTrade.aspx
	// pMerCode 6
	// p3DesXmlPara 760
	// pSign 32
}

func ExampleValidationError() {
	req := exampleRecharge()
	req.Amount, req.BankCode, req.IdentNo = 0, "", ""
	_, err := exampleClient().Recharge(req)
	if invalid := new(ips.ValidationError); errors.As(err, &invalid) {
		for _, f := range invalid.Fields {
			fmt.Println(f.Wire, f.Go, f.Rule)
		}
	}
	// Output:
	// pIdentNo IdentNo must not be empty
	// pTrdAmt Amount must be more than 0
	// pTrdBnkCode BankCode must not be empty for an e-bank recharge
}

// The handler verifies, decrypts, and hands the answer to the merchant's Handler,
// once for each answer however often it comes.
func ExampleClient_NotifyHandler() {
	client := exampleClient()
	handler := client.NotifyHandler(ips.Inbound{
		Hear: ips.Deduplicated(new(ipstest.MemoryOnce), // a database in earnest
			func(_ context.Context, answer ips.Response) error {
				switch a := answer.(type) {
				case *ips.RechargeResponse:
					fmt.Println(a.OrderNo, a.Outcome, a.Amount)
					return nil // what was done is safe on disk
				default:
					return ips.ErrUnheard // status 501: IPS comes again
				}
			}),
		OnError: func(_ *http.Request, err error) { fmt.Println(err) },
	})
	mux := http.NewServeMux()
	mux.Handle("/ips/notify/", handler)

	for range 2 {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, exampleNotification())
		fmt.Println(w.Code)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ips/notify/recharge", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// R20141213000001 success 500.00
	// 200
	// 200
	// ips: inbound recharge: malformed answer: content type is not application/x-www-form-urlencoded
	// 400 refused
}

// A table of handlers, one for each type of answer.
func ExampleOn() {
	bid := func(_ context.Context, a *ips.BidResponse) error { fmt.Println("bid", a.BidNo); return nil }
	recharge := func(_ context.Context, a *ips.RechargeResponse) error { fmt.Println("recharge", a.OrderNo); return nil }
	hear := ips.On(bid, ips.On(recharge, nil))

	ctx := context.Background()
	fmt.Println(hear(ctx, &ips.RechargeResponse{Reply: ips.Reply{OrderNo: "R1"}}))
	fmt.Println(hear(ctx, &ips.WithdrawResponse{}))
	// Output:
	// recharge R1
	// <nil>
	// ips: no handler takes this answer
}

// What an answer says otherwise than was asked.
func ExampleCompare() {
	req := exampleRecharge()
	answer := &ips.RechargeResponse{
		Reply:  ips.Reply{Operation: ips.OpRecharge, OrderNo: req.OrderNo, Outcome: ips.Success},
		Amount: 5000 * ips.Yuan, Account: req.Account,
	}
	for _, d := range ips.Compare(req, answer) {
		fmt.Println(d.Wire, d.Asked, d.Said)
	}
	// Output: pTrdAmt 500.00 5000.00
}

// How an order moves on.
func ExampleOrderState_Next() {
	state := ips.OrderUnknown // as it was written before the call left
	for _, answer := range []ips.Reply{
		{Operation: ips.OpTransfer, Via: ips.ServerToServer, Outcome: ips.Success},
		{Operation: ips.OpTransfer, Via: ips.Synchronous, Outcome: ips.Pending}, // overtaken
		{Operation: ips.OpTransfer, Via: ips.ServerToServer, Outcome: ips.Failure},
	} {
		next, change, err := state.Next(&answer)
		fmt.Println(next, change != ips.Unchanged, errors.Is(err, ips.ErrContradiction))
		state = next
	}
	// Output:
	// done true false
	// done false false
	// done false true
}

// A recorded request is the same after a restart, whatever the configuration has
// become.
func ExampleMarshalRequest() {
	client := exampleClient()
	complete, err := client.Complete(exampleRecharge()) // with the client's addresses
	if err != nil {
		fmt.Println(err)
		return
	}
	kept, err := ips.MarshalRequest(complete) // into the order's row
	if err != nil {
		fmt.Println(err)
		return
	}

	req, err := ips.UnmarshalRequest(ips.OperationOf(complete), kept)
	if err != nil {
		fmt.Println(err)
		return
	}
	form, err := client.Form(req) // whatever its operation
	fmt.Println(form.Operation(), form.OrderNo(), req.(ips.RechargeRequest).NotifyURL, err)
	// Output: recharge R20141213000001 https://p2p.example.com/ips/notify/recharge <nil>
}

// exampleNotification is what IPS posts after a recharge.
func exampleNotification() *http.Request {
	return fixture.Sealed(ips.CodeSuccess, "操作成功", fixture.RechargeDocument).Inbound(ips.OpRecharge)
}

func ExampleClient_ReturnHandler() {
	recharged := func(context.Context, *ips.RechargeResponse) error { return nil }
	handler := exampleClient().ReturnHandler(ips.Inbound{
		Hear: ips.On(recharged, nil),
	}, func(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
		switch {
		case resp == nil: // nothing that can be believed: a reload, a stranger
			http.Error(w, "请到“我的订单”查看结果", http.StatusBadRequest)
		case err != nil || resp.Base().Outcome == ips.Pending || resp.Base().Outcome == ips.Undecided:
			_, _ = io.WriteString(w, "处理中")
		case resp.Base().Outcome == ips.Success:
			_, _ = io.WriteString(w, "充值成功")
		default:
			_, _ = io.WriteString(w, "充值失败")
		}
	})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, exampleNotification())
	fmt.Println(w.Body)
	// Output: 充值成功
}

// The key of an answer fits a unique column of a database.
func ExampleAnswerKey() {
	key := ips.AnswerKey{MerchantCode: "808801", Operation: ips.OpRecharge, OrderNo: "R20141213000001", Says: "success"}
	fmt.Println(key)
	// Output: 808801/recharge/R20141213000001/success
}

func ExampleWithWireTap() {
	cfg := ips.TestMerchant()
	cfg.Environment = ips.Sandbox("http://127.0.0.1:8480")
	cfg.ReturnURL, cfg.NotifyURL = "https://p2p.example.com/ips/return", "https://p2p.example.com/ips/notify"
	client, err := ips.NewClient(cfg, ips.WithWireTap(func(m ips.WireMessage) {
		fmt.Println(m.Direction, m.Operation, m.OrderNo)
		fmt.Println(m.Document[strings.Index(m.Document, "<pIdentNo>"):strings.Index(m.Document, "<pRealName>")])
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.Recharge(exampleRecharge()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// sent recharge R20141213000001
	// <pIdentNo>***</pIdentNo>
}
