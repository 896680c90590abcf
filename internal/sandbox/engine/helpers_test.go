package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

const (
	merchant = "808801"
	other    = "808802"
)

// A fictional cast; world.open gives them their accounts in this order.
var (
	zhang = person{"张三", "110101199001010001", "13800000001", "zhangsan@example.com", "4021000000000001"}
	li    = person{"李四", "110101199001010002", "13800000002", "lisi@example.com", "4021000000000002"}
	wang  = person{"王五", "110101199001010003", "13800000003", "wangwu@example.com", "4021000000000003"}
	zhao  = person{"赵六", "110101199001010004", "13800000004", "zhaoliu@example.com", "4021000000000004"}
)

type person struct{ name, ident, mobile, email, account string }

// world is an engine under test with a clock of its own. Every command is
// logged, and the books are checked after each one.
type world struct {
	t   testing.TB
	e   *engine.Engine
	at  time.Time
	log []engine.Command

	faults []fault // that wait for their operation
}

// fault is a deviation of the next orders of an operation.
type fault struct {
	Name, Op, Code, Text string
	Row, Count           int
}

// start is noon of a day in China.
var start = time.Date(2014, 11, 24, 4, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	w := &world{t: t, e: engine.New(), at: start}
	w.settle(engine.Settings{Merchant: merchant, Name: "测试平台", Auto: true})
	return w
}

// newTown is a world with the cast, each of them with 10000 yuan, and the
// merchant with 1000.
func newTown(t testing.TB) *world {
	w := newWorld(t)
	for i, p := range []person{zhang, li, wang, zhao} {
		w.ok(w.submit("CreateNewIpsAcct", opening(fmt.Sprintf("A%d", i+1), p)), "MG00000F")
		w.deposit(p.account, 10_000_00)
	}
	w.deposit("", 1_000_00)
	return w
}

func (w *world) apply(cmd engine.Command) engine.Outcome {
	w.t.Helper()
	cmd.At = w.at
	w.log = append(w.log, cmd)
	out, err := w.e.Apply(cmd)
	require.NoError(w.t, err)
	require.NoError(w.t, w.e.CheckBooks())
	return out
}

func (w *world) settle(s engine.Settings) {
	w.t.Helper()
	w.apply(engine.Command{Kind: engine.KindMerchant, Settings: &s})
}

func (w *world) submit(op string, msg engine.Message) engine.Outcome {
	w.t.Helper()
	cmd := engine.Command{Kind: engine.KindSubmit, Merchant: merchant, Op: op, Message: msg}
	var met []int
	for i, f := range w.faults {
		if f.Op == op && len(rowsOf(engine.Answer{Body: msg})) >= f.Row {
			cmd.Faults = append(cmd.Faults, engine.Fault{Name: f.Name, Code: f.Code, Text: f.Text, Row: f.Row})
			met = append(met, i)
		}
	}
	out := w.apply(cmd)
	for _, i := range slices.Backward(met) {
		if !out.Taken && w.faults[i].Name != "code" {
			continue
		}
		if w.faults[i].Count--; w.faults[i].Count == 0 {
			w.faults = slices.Delete(w.faults, i, i+1)
		}
	}
	return out
}

func (w *world) deposit(account string, fen int64) {
	w.t.Helper()
	w.apply(engine.Command{Kind: engine.KindDeposit, Merchant: merchant, Account: account, Amount: fen})
}

func (w *world) manual() {
	w.t.Helper()
	w.apply(engine.Command{Kind: engine.KindMode, Merchant: merchant})
}

func (w *world) confirm(ask string, input ...string) engine.Outcome {
	w.t.Helper()
	in := make(map[string]string)
	for i := 0; i < len(input); i += 2 {
		in[input[i]] = input[i+1]
	}
	return w.apply(engine.Command{Kind: engine.KindConfirm, ID: ask, Input: in})
}

func (w *world) pass(d time.Duration) engine.Outcome {
	w.t.Helper()
	w.at = w.at.Add(d)
	return w.apply(engine.Command{Kind: engine.KindTick})
}

// asked are the texts to somebody that want an answer.
func (w *world) asked(p person) []engine.SMS {
	return slices.DeleteFunc(w.e.Inbox(p.mobile), func(m engine.SMS) bool { return m.State == engine.SMSTold })
}

func (w *world) reply(yes bool) engine.Outcome {
	w.t.Helper()
	for _, m := range w.e.Inbox("") {
		if m.State == engine.SMSOpen {
			return w.apply(engine.Command{Kind: engine.KindSMS, ID: m.ID, Yes: yes})
		}
	}
	require.Fail(w.t, "no open text message")
	return engine.Outcome{}
}

func (w *world) fault(f fault) {
	f.Count = max(f.Count, 1)
	w.faults = append(w.faults, f)
}

// release gives the held orders of an operation their final answers.
func (w *world) release(op string) engine.Outcome {
	w.t.Helper()
	return w.apply(engine.Command{Kind: engine.KindRelease, Merchant: merchant, Op: op})
}

func (w *world) accounts(merchant string) []engine.AccountInfo {
	list, _ := w.e.NewestAccounts(engine.AccountFilter{Merchant: merchant}, engine.Page{})
	return oldestFirst(list)
}

func (w *world) orders(merchant string) []engine.OrderInfo {
	list, _ := w.e.NewestOrders(engine.OrderFilter{Merchant: merchant}, engine.Page{})
	return oldestFirst(list)
}

func (w *world) bids(merchant string) []engine.BidInfo {
	list, _ := w.e.NewestBids(engine.BidFilter{Merchant: merchant, Whole: true}, engine.Page{})
	return oldestFirst(list)
}

func (w *world) journal(f engine.JournalFilter) []engine.JournalEntry {
	list, _ := w.e.NewestEntries(f)
	return oldestFirst(list)
}

func oldestFirst[T any](list []T) []T { slices.Reverse(list); return list }

// ok wants the answer to have the code.
func (w *world) ok(out engine.Outcome, code string) engine.Outcome {
	w.t.Helper()
	require.Equal(w.t, code, out.Answer.Code, out.Answer.Text)
	return out
}

// notice wants exactly one notice with the code.
func (w *world) notice(out engine.Outcome, code string) engine.Notice {
	w.t.Helper()
	require.Len(w.t, out.Notices, 1)
	require.Equal(w.t, code, out.Notices[0].Answer.Code, out.Notices[0].Answer.Text)
	return out.Notices[0]
}

func (w *world) balance(account string) engine.Balance {
	w.t.Helper()
	b, ok := w.e.Balance(merchant, account)
	require.True(w.t, ok)
	return b
}

func (w *world) bid(no string) engine.BidInfo {
	w.t.Helper()
	b, ok := w.e.Bid(merchant, no)
	require.True(w.t, ok)
	return b
}

// message builds a document out of names and values in turn, with the
// addresses and one memo at its end.
func message(page bool, pairs ...string) engine.Message {
	if page {
		pairs = append(pairs, "pWebUrl", "http://shop.example.com/return?a=1&b=2")
	}
	pairs = append(pairs, "pS2SUrl", "http://shop.example.com/notify", "pMemo1", "备注<一>", "pMemo2", "", "pMemo3", "")
	var m engine.Message
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, engine.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return m
}

// with is the message with other values; "-" takes the element away. A name
// like 2.pTrdAmt means an element of the second row.
func with(m engine.Message, pairs ...string) engine.Message {
	out := append(engine.Message(nil), m...)
	for i := range out {
		if out[i].Rows != nil {
			rows := append([]engine.Message(nil), out[i].Rows...)
			out[i].Rows = rows
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		if row, element, ok := strings.Cut(name, "."); ok {
			var n int
			fmt.Sscan(row, &n)
			for j := range out {
				if out[j].Rows != nil {
					out[j].Rows[n-1] = with(out[j].Rows[n-1], element, value)
				}
			}
			continue
		}
		out = set(out, name, value)
	}
	return out
}

func set(m engine.Message, name, value string) engine.Message {
	for i := range m {
		if m[i].Name != name {
			continue
		}
		if value == "-" {
			return append(m[:i:i], m[i+1:]...)
		}
		m[i].Value = value
		return m
	}
	return append(m, engine.Field{Name: name, Value: value})
}

func rows(list ...engine.Message) engine.Field {
	return engine.Field{Name: "pDetails", Rows: list}
}

func opening(no string, p person) engine.Message {
	return message(true, "pMerBillNo", no, "pIdentType", "1", "pIdentNo", p.ident, "pRealName", p.name,
		"pMobileNo", p.mobile, "pEmail", p.email, "pSmDate", "20141124")
}

func bidding(no, bid, amount, margin string) engine.Message {
	return message(true, "pMerBillNo", no, "pBidNo", bid, "pRegDate", "20141124", "pLendAmt", amount,
		"pGuaranteesAmt", margin, "pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12",
		"pLendPurpose", "资金周转", "pRepayMode", "1", "pOperationType", "1", "pLendFee", "20.00", "pAcctType", "1",
		"pIdentNo", zhang.ident, "pRealName", zhang.name, "pIpsAcctNo", zhang.account)
}

func investing(no, bid string, p person, amount, fee string) engine.Message {
	return message(true, "pMerBillNo", no, "pMerDate", "20141124", "pBidNo", bid, "pContractNo", "H"+no,
		"pRegType", "1", "pAuthNo", "", "pAuthAmt", amount, "pTrdAmt", amount, "pFee", fee, "pAcctType", "1",
		"pIdentNo", p.ident, "pRealName", p.name, "pAccount", p.account, "pUse", "资金周转")
}

func guaranteeing(no, bid string, p person, amount, margin, profit string) engine.Message {
	return message(true, "pMerBillNo", no, "pMerDate", "20141124", "pBidNo", bid, "pAmount", amount,
		"pMarginAmt", margin, "pProFitAmt", profit, "pAcctType", "1", "pFromIdentNo", p.ident,
		"pAccountName", p.name, "pAccount", p.account)
}

func selling(no, bid, claim string, from, to person, face, price, kind string) engine.Message {
	return message(true, "pMerBillNo", no, "pMerDate", "20141124", "pBidNo", bid, "pContractNo", "H"+claim,
		"pFromAccountType", "1", "pFromName", from.name, "pFromAccount", from.account, "pFromIdentType", "1",
		"pFromIdentNo", from.ident, "pToAccountType", "1", "pToAccountName", to.name, "pToAccount", to.account,
		"pToIdentType", "1", "pToIdentNo", to.ident, "pCreMerBillNo", claim, "pCretAmt", face, "pPayAmt", price,
		"pFromFee", "1.00", "pToFee", "2.00", "pCretType", kind)
}

func signing(no string, p person) engine.Message {
	return message(true, "pMerBillNo", no, "pSigningDate", "20141124", "pIdentNo", p.ident, "pRealName", p.name,
		"pIpsAcctNo", p.account, "pValidType", "M", "pValidDate", "6", "pTrdCycleType", "M",
		"pSTrdCycleValue", "1", "pETrdCycleValue", "24", "pSAmtQuota", "100.00", "pEAmtQuota", "5000.00",
		"pSIRQuota", "5.00", "pEIRQuota", "20.00")
}

func repaySigning(no string, p person) engine.Message {
	return message(true, "pMerBillNo", no, "pSigningDate", "20141124", "pIdentType", "1", "pIdentNo", p.ident,
		"pRealName", p.name, "pIpsAcctNo", p.account, "pValidType", "N", "pValidDate", "")
}

func recharging(no string, p person, amount string) engine.Message {
	return message(true, "pMerBillNo", no, "pAcctType", "1", "pIdentNo", p.ident, "pRealName", p.name,
		"pIpsAcctNo", p.account, "pTrdDate", "20141124", "pTrdAmt", amount, "pChannelType", "1",
		"pTrdBnkCode", "00004", "pMerFee", "1.00", "pIpsFeeType", "1")
}

func withholding(no string, p person, amount string) engine.Message {
	return message(false, "pMerBillNo", no, "pTrdDate", "20141124", "pTrdAmt", amount, "pMerFee", "1.00",
		"pIpsFeeType", "2", "pAcctType", "1", "pIdentNo", p.ident, "pRealName", p.name, "pIpsAcctNo", p.account)
}

func withdrawing(no string, p person, amount string) engine.Message {
	return message(true, "pMerBillNo", no, "pAcctType", "1", "pOutType", "1", "pBidNo", "", "pContractNo", "",
		"pDwTo", "", "pIdentNo", p.ident, "pRealName", p.name, "pIpsAcctNo", p.account, "pDwDate", "20141124",
		"pTrdAmt", amount, "pMerFee", "1.00", "pIpsFeeType", "1")
}

func transferring(no, bid, kind string, list ...engine.Message) engine.Message {
	m := message(false, "pMerBillNo", no, "pBidNo", bid, "pDate", "20141124", "pTransferType", kind, "pTransferMode", "1")
	return append(m, rows(list...))
}

func transferRow(origin, amount, from, fromFee, to, toFee string) engine.Message {
	kind := func(account string) string {
		if len(account) == 6 {
			return "0"
		}
		return "1"
	}
	return engine.Message{
		{Name: "pOriMerBillNo", Value: origin}, {Name: "pTrdAmt", Value: amount},
		{Name: "pFAcctType", Value: kind(from)}, {Name: "pFIpsAcctNo", Value: from}, {Name: "pFTrdFee", Value: fromFee},
		{Name: "pTAcctType", Value: kind(to)}, {Name: "pTIpsAcctNo", Value: to}, {Name: "pTTrdFee", Value: toFee},
	}
}

func repaying(no, bid, amount, fee string, list ...engine.Message) engine.Message {
	m := message(true, "pBidNo", bid, "pRepaymentDate", "20141224", "pMerBillNo", no, "pRepayType", "1",
		"pIpsAuthNo", "", "pOutAcctNo", zhang.account, "pOutAmt", amount, "pOutFee", fee)
	return append(m, rows(list...))
}

func repayRow(claim, to, amount, inFee, outFee string) engine.Message {
	return engine.Message{
		{Name: "pCreMerBillNo", Value: claim}, {Name: "pInAcctNo", Value: to}, {Name: "pInFee", Value: inFee},
		{Name: "pOutInfoFee", Value: outFee}, {Name: "pInAmt", Value: amount},
	}
}

func unfreezing(no, bid, kind string, p person, amount string) engine.Message {
	return message(false, "pMerBillNo", no, "pBidNo", bid, "pUnfreezeDate", "20141224", "pUnfreezeAmt", amount,
		"pUnfreezenType", kind, "pAcctType", "1", "pIdentNo", p.ident, "pRealName", p.name, "pIpsAcctNo", p.account)
}

// raise opens the bid B1 of 1000 yuan under the order B1, with 100 of margin.
func (w *world) raise() {
	w.t.Helper()
	out := w.ok(w.submit("registerSubject", bidding("B1", "B1", "1000.00", "100.00")), "MG02500F")
	w.notice(out, "MG02501F")
}

// fund raises B1, has 李四 bid 600 (C1) and 赵六 400 (C2), with a fee of 6 and
// 4, and releases both.
func (w *world) fund() {
	w.t.Helper()
	w.raise()
	w.ok(w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "6.00")), "MG00000F")
	w.ok(w.submit("registerCreditor", investing("C2", "B1", zhao, "400.00", "4.00")), "MG00000F")
	out := w.ok(w.submit("Transfer", transferring("T1", "B1", "1",
		transferRow("C1", "600.00", li.account, "6.00", zhang.account, "12.00"),
		transferRow("C2", "400.00", zhao.account, "4.00", zhang.account, "8.00"))), "MG00008F")
	w.notice(out, "MG00000F")
}

// rowsOf are the rows of an answer.
func rowsOf(a engine.Answer) []engine.Message {
	for _, f := range a.Body {
		if f.Name == "pDetails" {
			return f.Rows
		}
	}
	return nil
}

func names(m engine.Message) string {
	var list []string
	for _, f := range m {
		list = append(list, f.Name)
	}
	return strings.Join(list, " ")
}
