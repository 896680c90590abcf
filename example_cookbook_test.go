package ips_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// Here is all Go code that docs/cookbook.md and docs/cookbook.zh-CN.md show;
// TestCookbook holds it together with them.

// The form that a PHP page printed.
func Example_cookbookForm() {
	s := ipstest.Start()
	defer s.Close()
	client, user, billNo := s.Client(), s.Person(0), "R20260302000001"
	handler := func(w http.ResponseWriter, r *http.Request) {
		form, err := client.Recharge(ips.RechargeRequest{
			OrderNo:  billNo,              // pMerBillNo
			IdentNo:  user.IdentNo,        // pIdentNo
			RealName: user.Name,           // pRealName
			Account:  user.Account,        // pIpsAcctNo
			Date:     ips.Today(),         // pTrdDate
			Amount:   500 * ips.Yuan,      // pTrdAmt
			Channel:  ips.RechargeEBank,   // pChannelType
			BankCode: "00004",             // pTrdBnkCode
			Fee:      2 * ips.Yuan,        // pMerFee
			FeePayer: ips.PlatformPaysFee, // pIpsFeeType
		})
		if err != nil { // a field breaks the contract: nothing was sent
			http.Error(w, "充值信息有误", http.StatusBadRequest)
			return
		}
		form.ServeHTTP(w, r) // the page with the form that submits itself
	}

	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodPost, "/recharge", nil))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `/CreditWeb/doDpTrade.aspx"`))
	// Output: 200 true
}

// The call that a Java program made through generated stubs.
func Example_cookbookSOAP() {
	s := ipstest.Start()
	defer s.Close()
	client, ctx, billNo := s.Client(), context.Background(), "T20260302000001"
	borrower, investor := s.Person(0), s.Person(5000*ips.Yuan)
	bid := s.Bid(borrower, 5000*ips.Yuan)
	claim := s.Invest(bid, investor, 5000*ips.Yuan)

	answer, err := client.Transfer(ctx, ips.TransferRequest{
		OrderNo: billNo,                 // pMerBillNo
		BidNo:   bid.BidNo,              // pBidNo
		Date:    ips.Today(),            // pDate
		Type:    ips.TransferInvestment, // pTransferType
		Mode:    ips.TransferRowByRow,   // pTransferMode
		Rows: []ips.TransferRow{{ // pDetails/pRow
			OriginalOrderNo: claim.OrderNo,    // pOriMerBillNo
			Amount:          5000 * ips.Yuan,  // pTrdAmt
			FromAccount:     investor.Account, // pFIpsAcctNo
			FromFee:         0,                // pFTrdFee
			ToAccount:       borrower.Account, // pTIpsAcctNo
			ToFee:           0,                // pTTrdFee
		}},
	})
	var refusal *ips.Error
	switch {
	case errors.Is(err, ips.ErrFateUnknown): // sent, and nothing says what became of it
		fmt.Println("unknown: the order stays open")
	case errors.As(err, &refusal): // IPS said no to this message
		fmt.Println("refused:", refusal.Code, refusal.Message)
	case err != nil: // not sent, or turned away at the door
		fmt.Println("not done:", err)
	default: // success or pending
		fmt.Println(answer.Outcome, answer.Code)
	}
	// Output: pending MG00008F
}

// Which field of which method is pTrdAmt?
func Example_cookbookWireName() {
	for _, op := range ips.Operations() {
		req, err := ips.UnmarshalRequest(op.Operation, []byte("{}")) // an empty one
		if err != nil {
			log.Fatal(err)
		}
		for i := range reflect.TypeOf(req).NumField() {
			field := reflect.TypeOf(req).Field(i)
			if name, _, _ := strings.Cut(field.Tag.Get("ips"), ","); name == "pTrdAmt" {
				fmt.Println(op.Endpoint, op.Method, field.Name)
			}
		}
	}
	// Output:
	// registerCreditor.aspx RegisterCreditor _
	// registerCreditor.aspx AutoBid _
	// doDpTrade.aspx Recharge Amount
	// CoDpTrade WithholdingRecharge Amount
	// doDwTrade.aspx Withdraw Amount
}

// What "success" is called differs between operations.
func Example_cookbookCodes() {
	bid, _ := ips.OpRegisterBid.Info()
	recharge, _ := ips.OpRecharge.Info()
	fmt.Println(bid.Outcome("MG02500F"), bid.Outcome("MG02501F"), bid.Outcome("MG02008F"))
	fmt.Println(recharge.Outcome("MG00008F"), recharge.Outcome("MG00000F"), recharge.Outcome("MG99999F"))
	fmt.Println(recharge.Outcome("MG02501F"), recharge.Outcome("0000"), recharge.Outcome(""))
	// Output:
	// pending success failure
	// pending success failure
	// undecided undecided undecided
}

// books is a platform in memory: its orders, and what it has credited.
type books struct {
	mu       sync.Mutex
	orders   map[string]*bookedOrder
	credited map[string]ips.Amount
}

type bookedOrder struct {
	request ips.RechargeRequest
	state   ips.OrderState
}

func newBooks() *books {
	return &books{orders: map[string]*bookedOrder{}, credited: map[string]ips.Amount{}}
}

func (b *books) record(req ips.RechargeRequest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders[req.OrderNo] = &bookedOrder{request: req, state: ips.OrderRecorded}
}

// recharged hears the web return, the notification, and every copy of either.
func (b *books) recharged(_ context.Context, a *ips.RechargeResponse) error {
	if a.Outcome == ips.Undecided {
		return nil // it does not say what became of the order, which stays open
	}
	b.mu.Lock() // in earnest: lock the order's row, in the transaction that Once began
	defer b.mu.Unlock()
	order, ok := b.orders[a.OrderNo]
	if !ok {
		return fmt.Errorf("recharge %s: no such order", a.OrderNo)
	}
	if a.Outcome == ips.Success && len(ips.Compare(order.request, a)) > 0 {
		return fmt.Errorf("recharge %s: not what was ordered", a.OrderNo)
	}
	next, change, err := order.state.Next(a.Base())
	if err != nil || change == ips.Unchanged {
		return err // a contradiction; or nothing new
	}
	order.state = next
	if next == ips.OrderDone { // what was ordered: an answer may leave elements out
		b.credited[order.request.Account] += order.request.Amount
	}
	return nil
}

func (b *books) page(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
	switch {
	case resp == nil: // no answer of IPS: a reload, or a stranger
		http.Error(w, "请到“我的订单”查看结果", http.StatusBadRequest)
	case err != nil || resp.Base().Outcome == ips.Pending || resp.Base().Outcome == ips.Undecided:
		fmt.Fprintln(w, "处理中，请稍后查看订单")
	case resp.Base().Outcome == ips.Success:
		fmt.Fprintln(w, "充值成功")
	default:
		fmt.Fprintln(w, "充值失败")
	}
}

func (b *books) inbound() ips.Inbound {
	return ips.Inbound{
		Hear:    ips.Deduplicated(new(ipstest.MemoryOnce), ips.On(b.recharged, nil)),
		OnError: func(_ *http.Request, err error) { fmt.Println("inbound:", err) },
	}
}

// rechargeForm is a recharge of 500.00 that the platform has recorded.
func (b *books) rechargeForm(s *ipstest.Server, p ipstest.Person, orderNo string) *ips.Form {
	req := ips.RechargeRequest{
		OrderNo: orderNo, Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
	}
	b.record(req)
	form, err := s.Client().Recharge(req)
	if err != nil {
		log.Fatal(err)
	}
	return form
}

func TestCookbookCreditedOnce(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	s := ipstest.NewServer(t, ipstest.WithHandler(mux)) // IPS, in this process
	b := newBooks()                                     // the platform under test
	once := new(ipstest.MemoryOnce)                     // or the real one, on a test database
	in := ips.Inbound{Hear: ips.Deduplicated(once, ips.On(b.recharged, nil))}
	mux.Handle("/ips/notify/", s.Client().NotifyHandler(in))
	mux.Handle("/ips/return/", s.Client().ReturnHandler(in, b.page))

	p := s.Person(0)                             // with an account, without money
	form := b.rechargeForm(s, p, "R1")           // what your page serves
	s.Fault(ips.OpRecharge, ipstest.NoticeTwice) // the notification will come twice
	s.Carry(form)                                // the browser: to IPS, and back to /ips/return/
	s.WaitIdle()                                 // all notifications are delivered
	s.Resend(ips.OpRecharge, "R1")               // and once more
	s.WaitIdle()

	if got := b.credited[p.Account]; got != 500*ips.Yuan {
		t.Errorf("credited %s, want 500.00", got)
	}
}

// Without a route for web returns only the notification tells how it ended.
func Example_cookbookFaults() {
	mux := http.NewServeMux()
	s := ipstest.Start(ipstest.WithHandler(mux))
	defer s.Close()
	b := newBooks()
	mux.Handle("/ips/notify/", s.Client().NotifyHandler(b.inbound()))
	p := s.Person(0)

	for i, fault := range []ipstest.Fault{
		ipstest.NoticeForged, ipstest.NoticeForeign, ipstest.NoticeAmountChanged, ipstest.NoticeLost,
	} {
		orderNo := fmt.Sprintf("R%d", i)
		form := b.rechargeForm(s, p, orderNo)
		s.Fault(ips.OpRecharge, fault)
		s.Carry(form)
		s.WaitIdle()
		fmt.Println(orderNo, b.orders[orderNo].state)
	}
	s.Resend(ips.OpRecharge, "R3") // the lost one, late
	s.WaitIdle()
	fmt.Println("R3", b.orders["R3"].state, b.credited[p.Account])
	// Output:
	// inbound: ips: inbound recharge: signature does not hold
	// R0 done
	// inbound: ips: inbound recharge: answer for another merchant: "808802"
	// R1 done
	// inbound: recharge R2: not what was ordered
	// R2 done
	// R3 recorded
	// R3 done 2000.00
}

// Answers without a server.
func Example_cookbookWithoutServer() {
	cfg := ipstest.OfflineConfig()
	client, err := ips.NewClient(cfg)
	if err != nil {
		log.Fatal(err)
	}
	req := ips.RechargeRequest{OrderNo: "R1", Account: "4021000000000001", Amount: 500 * ips.Yuan}
	h := client.NotifyHandler(ips.Inbound{Hear: func(_ context.Context, answer ips.Response) error {
		if len(ips.Compare(req, answer)) > 0 {
			return errors.New("not what was ordered")
		}
		return nil
	}})

	answer := ipstest.AnswerTo(req).(*ips.RechargeResponse) // a success, as it was asked for
	fmt.Println(ipstest.Post(h, "/ips/notify/recharge", cfg, answer).StatusCode)
	answer.Amount += ips.Yuan
	fmt.Println(ipstest.Post(h, "/ips/notify/recharge", cfg, answer).StatusCode)
	// Output:
	// 200
	// 500
}

// tape records what IPS answered, and plays it.
type tape struct {
	record  http.RoundTripper // nil to play
	answers map[string][]byte // by address and body
}

func (t tape) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	key := r.URL.Path + " " + string(sent)
	if t.record != nil {
		resp, err := t.record.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if t.answers[key], err = httputil.DumpResponse(resp, true); err != nil {
			return nil, err
		}
	}
	if t.answers[key] == nil {
		return nil, errors.New("not on the tape")
	}
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(t.answers[key])), r)
}

func Example_cookbookTape() {
	s, ctx := ipstest.Start(), context.Background()
	p := s.Person(500 * ips.Yuan)
	answers := map[string][]byte{} // keep them in testdata/, as JSON

	recorded, err := ips.NewClient(s.Config(), ips.WithHTTPClient(&http.Client{Transport: tape{http.DefaultTransport, answers}}))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := recorded.QueryBalance(ctx, p.Account); err != nil {
		log.Fatal(err)
	}
	s.Close()

	played, err := ips.NewClient(s.Config(), ips.WithHTTPClient(&http.Client{Transport: tape{nil, answers}}))
	if err != nil {
		log.Fatal(err)
	}
	balance, err := played.QueryBalance(ctx, p.Account)
	fmt.Println(balance.Available, err)
	_, err = played.QueryBanks(ctx)
	fmt.Println(err != nil)
	// Output:
	// 500.00 <nil>
	// true
}

// Users who do not do what they should.
func Example_cookbookPeople() {
	s := ipstest.Start(ipstest.WithManual())
	defer s.Close()
	b, p := newBooks(), s.Person(0)

	paid := s.Carry(b.rechargeForm(s, p, "R1"))
	unpaid := s.FailAtBank(b.rechargeForm(s, p, "R2"))
	cancelled := s.Cancel(b.rechargeForm(s, p, "R3"))
	s.Leave(b.rechargeForm(s, p, "R4")) // he closes the page
	s.Advance(time.Hour)                // and IPS gives him up
	left := s.WaitNotification(ips.OpRecharge, "R4")
	for _, resp := range []ips.Response{paid, unpaid, cancelled, left} {
		fmt.Println(resp.Base().OrderNo, resp.Base().Outcome)
	}
	// Output:
	// R1 success
	// R2 failure
	// R3 failure
	// R4 failure
}

// An order that stays pending, and every step until it is not.
func Example_cookbookPending() {
	s := ipstest.Start()
	defer s.Close()
	client, ctx := s.Client(), context.Background()
	borrower, investor := s.Person(0), s.Person(5000*ips.Yuan)
	bid := s.Bid(borrower, 5000*ips.Yuan)
	claim := s.Invest(bid, investor, 5000*ips.Yuan)
	req := ips.TransferRequest{
		OrderNo: "T20260302000001", BidNo: bid.BidNo, Date: s.Today(),
		Type: ips.TransferInvestment, Mode: ips.TransferRowByRow,
		Rows: []ips.TransferRow{{
			OriginalOrderNo: claim.OrderNo, Amount: claim.Amount,
			FromAccount: investor.Account, ToAccount: borrower.Account,
		}},
	}
	s.Fault(ips.OpTransfer, ipstest.Held)

	state := ips.OrderRecorded // saved, together with req; as OrderUnknown just before the call
	answer, err := client.Transfer(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	state, change, err := state.Next(answer.Base())
	fmt.Println(answer.Code, state, change == ips.Changed, err)

	// No notification has come. Ask, if your platform has the trade query.
	kind, certain, ok := ips.TradeTypeOf(req)
	if !ok || !certain {
		log.Fatal("only its notification tells, or a person")
	}
	trade, err := client.QueryTrade(ctx, ips.QueryTradeRequest{OrderNo: req.OrderNo, Type: kind})
	if err != nil {
		log.Fatal(err)
	}
	asked, err := ips.Asked(req, trade) // the answer that it stands for
	if err != nil {
		log.Fatal(err)
	}
	state, change, err = state.Next(asked.Base())
	fmt.Println(trade.Status, state, change == ips.Changed, err)

	// Shown to people, no proof: has the money arrived?
	balance, err := client.QueryBalance(ctx, borrower.Account)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(balance.Available, balance.Signature.Verified())

	s.Release(ips.OpTransfer)
	final := s.WaitNotification(ips.OpTransfer, req.OrderNo)
	state, change, err = state.Next(final.Base())
	fmt.Println(final.Base().Code, state, change == ips.Changed, err)

	// A pending that was overtaken changes nothing; the opposite is an error.
	_, change, err = state.Next(answer.Base())
	fmt.Println(change == ips.Changed, err)
	opposite := *final.Base()
	opposite.Outcome = ips.Failure
	_, _, err = state.Next(&opposite)
	fmt.Println(errors.Is(err, ips.ErrContradiction))
	// Output:
	// MG00008F pending true <nil>
	// in work pending false <nil>
	// 5000.00 true
	// MG00000F done true <nil>
	// false <nil>
	// true
}

// The answer to a call goes where notifications go.
func Example_cookbookHandle() {
	s := ipstest.Start()
	defer s.Close()
	client, ctx := s.Client(), context.Background()
	hear := ips.Deduplicated(new(ipstest.MemoryOnce), func(_ context.Context, answer ips.Response) error {
		switch a := answer.(type) {
		case *ips.UnfreezeMarginResponse:
			fmt.Println(a.OrderNo, a.Via, a.Outcome, a.Code)
			return nil
		default:
			return ips.ErrUnheard
		}
	})
	req := ips.UnfreezeMarginRequest{
		OrderNo: "U1", BidNo: "B1", Date: s.Today(), Amount: ips.Yuan, Owner: ips.BorrowerMargin,
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
	}
	s.Fault(ips.OpUnfreezeMargin, ipstest.Refusal(ips.CodeFailed, "系统维护中"))

	answer, err := client.UnfreezeMargin(ctx, req)
	if answer != nil { // IPS has answered: yes, not yet, no, or nothing to go by
		err = hear(ctx, answer) // the handler of notifications, with the same Once
	}
	// Any other error: the order stays open, unless it is ErrNotSent.

	fmt.Println(err)
	// Output:
	// U1 synchronous failure MG00001F
	// <nil>
}

// The answer was lost on the way, and the money moved.
func Example_cookbookFateUnknown() {
	s := ipstest.Start()
	defer s.Close()
	client, ctx := s.Client(), context.Background()
	guarantor, borrower := s.Person(1000*ips.Yuan), s.Person(0)
	bid := s.Bid(borrower, 5000*ips.Yuan)
	form, err := client.RegisterGuarantor(ips.RegisterGuarantorRequest{
		OrderNo: "G1", Date: s.Today(), BidNo: bid.BidNo, Amount: 5000 * ips.Yuan, Margin: 1000 * ips.Yuan,
		IdentNo: guarantor.IdentNo, AccountName: guarantor.Name, Account: guarantor.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	s.Carry(form)
	req := ips.UnfreezeMarginRequest{
		OrderNo: "U1", BidNo: bid.BidNo, Date: s.Today(), Amount: 400 * ips.Yuan, Owner: ips.GuarantorMargin,
		IdentNo: guarantor.IdentNo, RealName: guarantor.Name, Account: guarantor.Account,
	}
	s.Fault(ips.OpUnfreezeMargin, ipstest.ConnectionBroken)

	state := ips.OrderUnknown // written before the call left
	_, err = client.UnfreezeMargin(ctx, req)
	switch {
	case errors.Is(err, ips.ErrNotSent): // certainly nothing left this machine
		state = ips.OrderRecorded
	case errors.Is(err, ips.ErrFateUnknown): // it may have been carried out: it was
		fmt.Println(state)
	}
	fmt.Println(s.Balance(guarantor.Account))
	// Output:
	// unknown
	// 400.00 600.00
}

// What a wrong key looks like from outside.
func Example_cookbookSignature() {
	mux := http.NewServeMux()
	s := ipstest.Start(ipstest.WithHandler(mux))
	defer s.Close()

	wrong := map[string]func(*ips.Config){
		"cert":     func(c *ips.Config) { c.Cert = ips.NewSecret(strings.Repeat("x", 128)) },
		"3DES key": func(c *ips.Config) { c.Key = ips.NewSecret("no-such-3des-key-at-all!") },
		"3DES IV":  func(c *ips.Config) { c.IV = ips.NewSecret("12345678") },
		"merchant": func(c *ips.Config) { c.MerchantCode = "808899" },
		"nothing":  func(*ips.Config) {},
	}
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {}) // of no interest here
	mux.HandleFunc("/ips/notify/sign-auto-repay", func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil { // so that several clients can read it
			log.Fatal(err)
		}
		for _, what := range []string{"cert", "3DES key", "3DES IV", "merchant", "nothing"} {
			cfg := s.Config()
			wrong[what](&cfg)
			client, err := ips.NewClient(cfg)
			if err != nil {
				log.Fatal(err)
			}
			_, err = client.ParseNotification(r, ips.OpSignAutoRepay)
			fmt.Println(what+":", reason(err))
		}
	})
	p := s.Person(0)
	form, err := s.Client().SignAutoRepay(ips.SignAutoRepayRequest{
		OrderNo: "S1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		ValidUnit: ips.PeriodUnlimited,
	})
	if err != nil {
		log.Fatal(err)
	}
	s.Carry(form)
	s.WaitIdle()
	// Output:
	// cert: cert, or MD5 and MD5withRSA confused, or changed on the way
	// 3DES key: signed, but unreadable: 3DES key or IV, or not the five fields
	// 3DES IV: signed, but unreadable: 3DES key or IV, or not the five fields
	// merchant: merchant code
	// nothing: all holds
}

// reason says where to look.
func reason(err error) string {
	switch {
	case err == nil:
		return "all holds"
	case errors.Is(err, ips.ErrMerchant):
		return "merchant code"
	case errors.Is(err, ips.ErrSignature):
		return "cert, or MD5 and MD5withRSA confused, or changed on the way"
	case errors.Is(err, ips.ErrMalformed):
		return "signed, but unreadable: 3DES key or IV, or not the five fields"
	default:
		return err.Error()
	}
}

// The wire, for your eyes only.
func Example_cookbookWireTap() {
	s := ipstest.Start()
	defer s.Close()
	p := s.Person(0)

	tap := ips.WithWireTap(func(m ips.WireMessage) {
		fmt.Println(m.Direction, m.Operation, m.OrderNo, m.Err)
		for _, field := range m.Envelope {
			fmt.Println(" ", field.Name, len(field.Value), "bytes")
		}
	})
	client, err := ips.NewClient(s.Config(), tap)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.QueryBalance(context.Background(), p.Account); err != nil {
		log.Fatal(err)
	}
	// Output:
	// sent query-balance  <nil>
	//   argMerCode 6 bytes
	//   argIpsAccount 16 bytes
	//   argSign 32 bytes
	// received query-balance  <nil>
	//   pMerCode 6 bytes
	//   pErrCode 4 bytes
	//   pErrMsg 12 bytes
	//   p3DesXmlPara 0 bytes
	//   pSign 32 bytes
}

// Bids of the old interface next to bids of the new one.
func Example_cookbookOldBids() {
	s := ipstest.Start()
	defer s.Close()
	borrower, investor := s.Person(2000*ips.Yuan), s.Person(0)
	repayment := s.OldBid(borrower, 1000*ips.Yuan, investor)
	isOld := func(bidNo string) bool { return strings.HasPrefix(bidNo, "OLD") }

	client, err := ips.NewClient(s.Config(), ips.WithOldBids(isOld))
	if err != nil {
		log.Fatal(err)
	}
	// A v2.0 operation on an old bid is refused before anything is sent.
	_, err = client.Repay(ips.RepayRequest{
		OrderNo: "P1", BidNo: repayment.BidNo, Date: s.Today(), Account: borrower.Account,
		Amount: 1000 * ips.Yuan, Rows: []ips.RepayRow{{CreditorOrderNo: "C1", Account: investor.Account, Amount: 1000 * ips.Yuan}},
	})
	fmt.Println(errors.Is(err, ips.ErrOldBid))

	form, err := client.RepayOldBid(repayment) // 老版还款, repaymentTrade.aspx
	if err != nil {
		log.Fatal(err)
	}
	answer := s.Carry(form)
	fmt.Println(answer.Base().Code, answer.Base().Outcome)
	fmt.Println(s.Balance(investor.Account))
	// Output:
	// true
	// 0000 success
	// 1000.00 0.00
}

// How a program starts in production.
func Example_cookbookStart() {
	dir, err := os.MkdirTemp("", "cookbook")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ips.json")
	text, err := json.Marshal(map[string]string{
		"IPS_MERCHANT": "900001", "IPS_CERT": strings.Repeat("c", 128), "IPS_3DES_KEY": "abcdefghijklmnopqrstuvwx", "IPS_3DES_IV": "8 of IV.",
		"IPS_BASE_URL":   "https://p2p.ips.com.cn",
		"IPS_RETURN_URL": "https://p2p.example.com/ips/return",
		"IPS_NOTIFY_URL": "https://p2p.example.com/ips/notify",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		log.Fatal(err)
	}
	alert := func(string, error) {}
	mux, hear, once := http.NewServeMux(), ips.Handler(nil), new(ipstest.MemoryOnce)

	cfg, err := ips.ConfigFromFile(path) // refuses a file that others can read
	if err != nil {
		log.Fatal(err)
	}
	client, err := ips.NewClient(cfg,
		ips.WithTimeout(30*time.Second),
		ips.WithRetry(ips.RetryPolicy{Attempts: 3, Wait: 2 * time.Second, Budget: time.Minute}),
		ips.WithHook(func(_ context.Context, e ips.Event) {
			switch {
			case errors.Is(e.Err, ips.ErrSignature), errors.Is(e.Err, ips.ErrMerchant):
				alert("wrong keys, or a forger", e.Err)
			case errors.Is(e.Err, ips.ErrFateUnknown):
				alert("IPS does not answer", e.Err)
			}
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/ips/notify/", client.NotifyHandler(ips.Inbound{
		Hear: ips.Deduplicated(once, hear),
		OnError: func(_ *http.Request, err error) {
			if errors.Is(err, ips.ErrContradiction) {
				alert("IPS says the opposite of what it said", err)
			}
		},
	}))

	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute, // slow senders
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       time.Minute,
	}

	fmt.Println(client, server.ReadTimeout)
	// Output: ips.Client{900001 at https://p2p.ips.com.cn} 1m0s
}

// He left the pages of the account opening, and comes back.
func Example_cookbookClosedPage() {
	s := ipstest.Start(ipstest.WithManual())
	defer s.Close()
	client, p := s.Client(), s.NewPerson()

	opening := ips.OpenAccountRequest{ // recorded, as it is
		OrderNo: "A20260302000001", Date: s.Today(),
		IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile, Email: p.Email,
	}
	form, err := client.OpenAccount(opening)
	if err != nil {
		log.Fatal(err)
	}
	s.Leave(form) // he closed the page

	again, err := client.OpenAccount(opening) // "continue": the same request
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Carry(again).Base().Outcome)
	// Output: success
}

// A batch succeeded in part.
func Example_cookbookPart() {
	s := ipstest.Start()
	defer s.Close()
	client, ctx := s.Client(), context.Background()
	borrower, investor := s.Person(0), s.Person(5000*ips.Yuan)
	bid := s.Bid(borrower, 3000*ips.Yuan)
	req := ips.TransferRequest{
		OrderNo: "T20260302000001", BidNo: bid.BidNo, Date: s.Today(),
		Type: ips.TransferInvestment, Mode: ips.TransferRowByRow,
	}
	for _, sum := range []ips.Amount{1000 * ips.Yuan, 2000 * ips.Yuan} {
		req.Rows = append(req.Rows, ips.TransferRow{
			OriginalOrderNo: s.Invest(bid, investor, sum).OrderNo, Amount: sum,
			FromAccount: investor.Account, ToAccount: borrower.Account,
		})
	}
	s.Fault(ips.OpTransfer, ipstest.FailedRow(2))
	if _, err := client.Transfer(ctx, req); err != nil {
		log.Fatal(err)
	}
	final := s.WaitNotification(ips.OpTransfer, req.OrderNo).(*ips.TransferResponse)

	rest := req
	rest.OrderNo = ips.NewOrderNo("T") // a new order
	rest.Rows = final.Failed(req.Rows) // of what failed for certain
	fmt.Println(final.Outcome, len(final.Rows), len(rest.Rows))

	if _, err := client.Transfer(ctx, rest); err != nil {
		log.Fatal(err)
	}
	s.WaitNotification(ips.OpTransfer, rest.OrderNo)
	fmt.Println(s.Balance(borrower.Account))
	// Output:
	// success 2 1
	// 3000.00 0.00
}

// Two merchants in one program: a client each, and a path each.
func Example_cookbookTwoMerchants() {
	mux := http.NewServeMux()
	s := ipstest.Start(ipstest.WithSecondMerchant(), ipstest.WithHandler(mux))
	defer s.Close()
	ctx := context.Background()
	configs := map[string]ips.Config{"808801": s.Config(), "808802": s.Second().Config()}
	in := ips.Inbound{Hear: func(_ context.Context, answer ips.Response) error {
		if answer.Base().Via == ips.ServerToServer {
			fmt.Println(answer.Base().MerchantCode, answer.Base().Operation)
		}
		return nil
	}}

	merchants, err := ips.NewMerchants(func(_ context.Context, code string) (ips.Config, error) {
		cfg, ok := configs[code] // your database, or your key server
		if !ok {
			return cfg, ips.ErrMerchant
		}
		return cfg, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/ips/notify/", merchants.NotifyHandler(in)) // of all of them
	client, err := merchants.Client(ctx, "808802")          // each time anew
	if err != nil {
		log.Fatal(err)
	}
	p := s.Second().Person(0)
	form, err := client.SignAutoRepay(ips.SignAutoRepayRequest{
		OrderNo: "S1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		ValidUnit: ips.PeriodUnlimited,
	})
	if err != nil {
		log.Fatal(err)
	}
	s.Second().Carry(form)
	s.WaitIdle()
	// Output: 808802 sign-auto-repay
}

// What a transport of one's own holds back was certainly not sent.
func Example_cookbookBreaker() {
	down := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer down.Close()
	cfg := ips.TestMerchant()
	cfg.Environment = ips.EnvironmentAt(down.URL)
	hc := &http.Client{Transport: &breaker{next: http.DefaultTransport}}
	client, err := ips.NewClient(cfg, ips.WithHTTPClient(hc))

	if err != nil {
		log.Fatal(err)
	}
	req := ips.UnfreezeMarginRequest{
		OrderNo: "U1", BidNo: "B1", Date: ips.Today(), Amount: 100 * ips.Yuan, Owner: ips.BorrowerMargin,
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", NotifyURL: "https://p2p.example.com/ips/notify",
	}
	for range 4 {
		_, err := client.UnfreezeMargin(context.Background(), req)
		fmt.Println("fate unknown:", errors.Is(err, ips.ErrFateUnknown), "not sent:", errors.Is(err, ips.ErrNotSent))
	}
	// Output:
	// fate unknown: true not sent: false
	// fate unknown: true not sent: false
	// fate unknown: true not sent: false
	// fate unknown: false not sent: true
}

// breaker lets nothing through after three failures in a row.
type breaker struct {
	next     http.RoundTripper
	failures atomic.Int32 // in earnest it closes again after a while
}

func (b *breaker) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.failures.Load() >= 3 {
		return nil, fmt.Errorf("circuit breaker is open: %w", ips.ErrNotSent)
	}
	resp, err := b.next.RoundTrip(r)
	if err != nil || resp.StatusCode >= 500 {
		b.failures.Add(1)
	} else {
		b.failures.Store(0)
	}
	return resp, err
}

// limiter lets so many requests through in all.
type limiter struct {
	next http.RoundTripper
	left atomic.Int32
}

func (l *limiter) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.left.Add(-1) < 0 {
		return nil, fmt.Errorf("too many requests: %w", ips.ErrNotSent)
	}
	return l.next.RoundTrip(r)
}

// The addresses of the old program, which stay as they are.
func Example_cookbookOldAddresses() {
	s := ipstest.Start()
	defer s.Close()
	client, p, b := s.Client(), s.Person(0), newBooks()
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	defer site.Close()

	in := b.inbound()
	in.OperationOf = func(r *http.Request) ips.Operation {
		return map[string]ips.Operation{
			"/pay/recharge_notify.php": ips.OpRecharge,
			"/pay/withdraw_notify.php": ips.OpWithdraw,
		}[r.URL.Path]
	}
	mux.Handle("/pay/", client.NotifyHandler(in))
	req := ips.RechargeRequest{
		NotifyURL: site.URL + "/pay/recharge_notify.php", // pS2SUrl, goes before Config.NotifyURL
		OrderNo:   "R1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
	}
	form, err := client.Recharge(req)

	b.record(req)
	if err != nil {
		log.Fatal(err)
	}
	s.Carry(form)
	s.WaitIdle()
	fmt.Println(b.orders["R1"].state)
	// Output: done
}

// A fee of a tenth of a percent, and a column in yuan.
func Example_cookbookPercent() {
	amount, err := ips.ParseAmount("1235.55")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(amount.Times(10*ips.BasisPoint, ips.HalfUp)) // 0.1 %, as number_format rounds
	fmt.Println(amount.Times(10*ips.BasisPoint, ips.Down))

	old := ips.Decimal{Amount: amount} // of a DECIMAL(11,2) column
	inSQL, err := old.Value()
	fmt.Println(inSQL, err)
	// Output:
	// 1.24
	// 1.23
	// 1235.55 <nil>
}

type sqlOnce struct{ db *sql.DB }

type txKey struct{}

// Do makes the answer's key and all that the handler writes one transaction.
func (o sqlOnce) Do(ctx context.Context, key ips.AnswerKey, fn func(context.Context) error) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	done, err := tx.ExecContext(ctx, "INSERT INTO ips_answers (answer_key) VALUES ($1) ON CONFLICT DO NOTHING", key.String())
	if err != nil {
		return err
	}
	if rows, err := done.RowsAffected(); err != nil || rows == 0 {
		return err // nil for a copy: it was handled before
	}
	if err := fn(context.WithValue(ctx, txKey{}, tx)); err != nil {
		return err
	}
	return tx.Commit()
}

// The handler finds the transaction in its context.
func Example_cookbookOnce() {
	mux := http.NewServeMux()
	s := ipstest.Start(ipstest.WithHandler(mux))
	defer s.Close()
	db := sql.OpenDB(new(uniqueColumn))
	defer db.Close()
	fails := 1

	mux.Handle("/ips/notify/", s.Client().NotifyHandler(ips.Inbound{
		Hear: ips.Deduplicated(sqlOnce{db}, ips.On(func(ctx context.Context, a *ips.OpenAccountResponse) error {
			tx := ctx.Value(txKey{}).(*sql.Tx)
			if fails--; fails == 0 { // the database had to give up: IPS says it again
				return errors.New("deadlock")
			}
			_, err := tx.ExecContext(ctx, "UPDATE users SET account = $1 WHERE opening = $2", a.Account, a.OrderNo)
			return err
		}, nil)),
		OnError: func(_ *http.Request, err error) { fmt.Println(err) },
	}))
	p := s.NewPerson()
	form, err := s.Client().OpenAccount(ips.OpenAccountRequest{
		OrderNo: "A1", Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile, Email: p.Email,
	})
	if err != nil {
		log.Fatal(err)
	}
	s.Carry(form)
	s.WaitIdle()
	s.Resend(ips.OpOpenAccount, "A1")
	s.WaitIdle()
	// Output:
	// deadlock
	// UPDATE users SET account = 4021000000000001 WHERE opening = A1
}

var (
	cookbookAnchor = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	cookbookLink   = regexp.MustCompile(`\]\(#([^)]+)\)`)
)

// The cookbooks show code of this file and of examples/mysql, in the same order, under the same
// anchors, and name every operation.
func TestCookbook(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_cookbook_test.go")
	require.NoError(t, err)
	mysql, err := os.ReadFile("examples/mysql/once.go") // a module of its own, for its driver
	require.NoError(t, err)
	source = append(source, mysql...)
	var anchors, code [2][]string
	for i, file := range []string{"docs/cookbook.md", "docs/cookbook.zh-CN.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			bare := bareCode(block[1])
			assert.Contains(t, bareCode(source), bare, file)
			code[i] = append(code[i], bare)
		}
		for _, m := range cookbookAnchor.FindAllSubmatch(text, -1) {
			anchors[i] = append(anchors[i], string(m[1]))
		}
		for _, m := range cookbookLink.FindAllSubmatch(text, -1) {
			assert.Contains(t, anchors[i], string(m[1]), "%s links to a section that is not there", file)
		}
		for _, op := range ips.Operations() {
			for _, name := range []string{op.Endpoint, op.Method} {
				assert.True(t, bytes.Contains(text, []byte("`"+name+"`")), "%s does not name %s", file, name)
			}
		}
	}
	require.NotEmpty(t, code[0])
	assert.Equal(t, code[0], code[1])
	assert.Equal(t, anchors[0], anchors[1])
}

// docs/frameworks.md and its Chinese show the code of examples/frameworks, every
// way to mount, and the versions that it is tried with.
func TestFrameworksPage(t *testing.T) {
	t.Parallel()
	const dir = "examples/frameworks"
	files, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	var source []byte
	shown := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		source = append(source, text...)
		if !strings.HasSuffix(file, "_test.go") {
			shown++
		}
	}
	mod, err := os.ReadFile(dir + "/go.mod")
	require.NoError(t, err)
	var code [2][]string
	for i, file := range []string{"docs/frameworks.md", "docs/frameworks.zh-CN.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			bare := bareCode(block[1])
			assert.Contains(t, bareCode(source), bare, file)
			code[i] = append(code[i], bare)
		}
		for row := range strings.Lines(string(text)) {
			if cells := strings.Split(row, " | "); len(cells) == 4 && strings.HasPrefix(cells[1], "v") && cells[1] != "version tried" {
				name := strings.TrimPrefix(cells[0], "| ")
				assert.Regexp(t, `/`+name+`(/v\d+)? `+cells[1]+`\n`, string(mod), file)
			}
		}
	}
	assert.Len(t, code[0], shown+1, "each mount, the site and the middleware")
	assert.Equal(t, code[0], code[1])
}
