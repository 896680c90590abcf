package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

var form = []string{
	"loginPassword", "login-1", "tradePassword", "trade-1", "question", "我的出生地是哪里",
	"answer", "上海", "bank", "招商银行", "card", "6200000000000001234",
}

func TestOpeningOnAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.manual()
	out := w.submit("CreateNewIpsAcct", opening("A1", zhang))
	require.NotEmpty(t, out.Ask)
	assert.Empty(t, out.Answer.Code)
	assert.Empty(t, out.Notices)
	ask, ok := w.e.Ask(out.Ask)
	require.True(t, ok)
	assert.Equal(t, engine.PageAccount, ask.Page)
	assert.Equal(t, "测试平台", ask.MerchantName)
	assert.Equal(t, w.at.Add(20*time.Minute), ask.Deadline.UTC())
	for _, line := range ask.Lines {
		assert.NotContains(t, line.Value, zhang.ident)
	}

	again := w.submit("CreateNewIpsAcct", opening("A1", zhang))
	assert.Equal(t, out.Ask, again.Ask, "the user left midway and comes back to the same page")
	inbox := w.e.Inbox(zhang.mobile)
	require.Len(t, inbox, 1, "IPS texts him, once")
	assert.Equal(t, engine.SMSTold, inbox[0].State)
	assert.Contains(t, inbox[0].Text, "请在20分钟内完成确认")
	assert.NotContains(t, inbox[0].Text, zhang.ident)

	problems := map[string][]string{
		"登录密码": {"loginPassword", "12345"},
		"交易密码": {"tradePassword", ""},
		"相同":   {"tradePassword", "login-1"},
		"问题":   {"question", ""},
		"答案":   {"answer", ""},
		"银行":   {"bank", ""},
		"银行卡号": {"card", "62000000x0001234"},
	}
	for problem, change := range problems {
		got := w.confirm(out.Ask, append(append([]string(nil), form...), change...)...)
		assert.Equal(t, out.Ask, got.Ask, problem)
		assert.Contains(t, got.Problem, problem)
	}

	done := w.ok(w.confirm(out.Ask, form...), "MG00000F")
	assert.Equal(t, "1234", done.Answer.Body.Get("pBkAccNo"))
	assert.Equal(t, "招商银行", done.Answer.Body.Get("pBankName"))
	w.notice(done, "MG00000F")

	twice := w.confirm(out.Ask, form...)
	assert.Equal(t, done.Answer, twice.Answer)
	assert.Empty(t, twice.Notices)
	assert.Equal(t, done.Answer, w.apply(engine.Command{Kind: engine.KindCancel, ID: out.Ask}).Answer, "too late to refuse")
	require.Len(t, w.accounts(merchant), 1)
	inbox = w.e.Inbox(zhang.mobile)
	require.Len(t, inbox, 2)
	assert.Contains(t, inbox[1].Text, "资金托管账户4021000000000001已开通，绑定招商银行尾号1234的银行卡")
	assert.Equal(t, zhang.account, inbox[1].Account)

	w.deposit(zhang.account, 100_00)
	pay := w.submit("doDwTrade", withdrawing("X1", zhang, "10.00"))
	w.ok(w.confirm(pay.Ask, "password", "trade-1"), "MG00000F")
}

func TestOpeningTimesOutAndIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.manual()
	first := w.submit("CreateNewIpsAcct", opening("A1", zhang)).Ask
	deadline, ok := w.e.NextDeadline()
	require.True(t, ok)
	assert.Equal(t, w.at.Add(20*time.Minute), deadline)

	assert.Empty(t, w.pass(20*time.Minute-time.Nanosecond).Notices)
	n := w.notice(w.pass(time.Hour), "MG01093F")
	assert.Equal(t, "5", n.Answer.Body.Get("pStatus"))
	assert.Equal(t, deadline, n.At.UTC(), "it happened at its own time")
	_, ok = w.e.NextDeadline()
	assert.False(t, ok)
	w.ok(w.confirm(first, form...), "MG01093F")

	second := w.submit("CreateNewIpsAcct", with(opening("A1", zhang), "pSmDate", "20141125")).Ask
	require.NotEmpty(t, second)
	assert.NotEqual(t, first, second)
	w.ok(w.confirm(second, form...), "MG00000F")
	w.ok(w.submit("CreateNewIpsAcct", with(opening("A1", zhang), "pMobileNo", "13800000009")), "MG01090F")
}

func TestTwoOpeningsRaceForAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.manual()
	one := w.submit("CreateNewIpsAcct", opening("A1", zhang)).Ask
	two := w.submit("CreateNewIpsAcct", with(opening("A2", li), "pEmail", "ZhangSan@example.com")).Ask
	w.ok(w.confirm(two, form...), "MG00000F")
	out := w.ok(w.confirm(one, form...), "MG01011F")
	assert.Equal(t, "9", w.notice(out, "MG01011F").Answer.Body.Get("pStatus"))
	w.ok(w.submit("CreateNewIpsAcct", opening("A1", zhang)), "MG01011F")
}

// pages are the operations that ask on a page, each ready to be sent.
func pages() map[string]engine.Message {
	return map[string]engine.Message{
		"registerCreditor":   investing("N1", "B1", li, "100.00", "1.00"),
		"registerGuarantor":  guaranteeing("N1", "B1", wang, "100.00", "50.00", "1.00"),
		"registerCretansfer": selling("N1", "B1", "C1", li, wang, "100.00", "100.00", "2"),
		"AutoNewSigning":     signing("N1", li),
		"RepaymentSigning":   repaySigning("N1", zhang),
		"doDpTrade":          with(recharging("N1", li, "100.00"), "pChannelType", "2", "pTrdBnkCode", ""),
		"RepaymentNewTrade":  repaying("N1", "B1", "10.00", "0.00", repayRow("C1", li.account, "10.00", "0.00", "0.00")),
		"doDwTrade":          withdrawing("N1", li, "100.00"),
	}
}

// paged is a town with a running bid that is not full, in manual mode.
func paged(t *testing.T) *world {
	w := newTown(t)
	w.raise()
	w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "6.00"))
	w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "600.00", li.account, "6.00", zhang.account, "12.00")))
	w.manual()
	return w
}

func TestPagesAreConfirmed(t *testing.T) {
	t.Parallel()
	for op, msg := range pages() {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			w := paged(t)
			before := w.e.Totals()
			out := w.submit(op, msg)
			require.NotEmpty(t, out.Ask)
			assert.Equal(t, before, w.e.Totals(), "nothing moves before the confirmation")
			require.Len(t, w.e.PendingAsks(merchant), 1)
			assert.Empty(t, w.e.PendingAsks(other))
			assert.NotEmpty(t, w.e.PendingAsks(merchant)[0].Lines)

			wrong := w.confirm(out.Ask, "password", "654321")
			assert.Equal(t, out.Ask, wrong.Ask)
			assert.Contains(t, wrong.Problem, "2次")
			assert.Equal(t, before, w.e.Totals())

			done := w.confirm(out.Ask, "password", "123456")
			require.Contains(t, []string{"MG00000F", "MG00008F"}, done.Answer.Code, done.Answer.Text)
			w.notice(done, "MG00000F")
			assert.Empty(t, w.e.PendingAsks(""))
			after := w.e.Totals()
			again := w.confirm(out.Ask, "password", "123456")
			assert.Equal(t, done.Answer, again.Answer)
			assert.Empty(t, again.Notices)
			assert.Equal(t, after, w.e.Totals())
		})
	}
}

func TestPagesAreRefused(t *testing.T) {
	t.Parallel()
	numbers := map[string]string{
		"registerCreditor": "03", "registerGuarantor": "04", "registerCretansfer": "05", "AutoNewSigning": "06",
		"RepaymentSigning": "07", "doDpTrade": "18", "RepaymentNewTrade": "12", "doDwTrade": "19",
	}
	ends := map[string]struct {
		code string
		end  func(w *world, ask string) engine.Outcome
	}{
		"cancelled": {"091F", func(w *world, ask string) engine.Outcome {
			return w.apply(engine.Command{Kind: engine.KindCancel, ID: ask})
		}},
		"three wrong passwords": {"092F", func(w *world, ask string) engine.Outcome {
			w.confirm(ask, "password", "1")
			w.confirm(ask)
			return w.confirm(ask, "password", "3")
		}},
		"timed out": {"093F", func(w *world, ask string) engine.Outcome { return w.pass(31 * time.Minute) }},
	}
	for op, msg := range pages() {
		for name, end := range ends {
			t.Run(op+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := paged(t)
				before := w.e.Totals()
				ask := w.submit(op, msg).Ask
				code := "MG" + numbers[op] + end.code
				n := w.notice(end.end(w, ask), code)
				assert.Contains(t, n.Answer.Text, "失败，")
				assert.Equal(t, "N1", n.Answer.Body.Get("pMerBillNo"))
				assert.Equal(t, before, w.e.Totals())
				w.ok(w.confirm(ask, "password", "123456"), code)
				changed := w.submit(op, with(msg, "pMemo2", "changed"))
				assert.Contains(t, changed.Answer.Text, "订单号重复", "its number is remembered")
				again := w.submit(op, msg)
				assert.NotEmpty(t, again.Ask, "the same content is decided anew")
				assert.NotEqual(t, ask, again.Ask)
			})
		}
	}
}

func TestBankPage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.manual()
	one := w.submit("doDpTrade", recharging("R1", li, "100.00")).Ask
	ask, _ := w.e.Ask(one)
	assert.Equal(t, engine.PageBank, ask.Page)
	assert.Contains(t, ask.Lines, engine.Line{Label: "充值银行", Value: "中国工商银行"})
	assert.Equal(t, one, w.confirm(one, "result", "maybe").Ask)
	w.ok(w.confirm(one, "result", "paid"), "MG00000F")
	assert.Equal(t, int64(10_099_00), w.balance(li.account).Available)
	two := w.submit("doDpTrade", recharging("R2", li, "100.00")).Ask
	out := w.ok(w.confirm(two, "result", "failed"), "MG18028F")
	assert.NotEmpty(t, w.notice(out, "MG18028F").Answer.Body.Get("pIpsBillNo"))
	assert.Equal(t, int64(10_099_00), w.balance(li.account).Available)
}

// What was true when the page opened may not be true when it is confirmed.
func TestConfirmationChecksAgain(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.manual()
	one := w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "0.00")).Ask
	two := w.submit("registerCreditor", investing("C2", "B1", zhao, "600.00", "0.00")).Ask
	poor := w.submit("doDwTrade", withdrawing("X1", li, "9900.00")).Ask
	w.ok(w.confirm(one, "password", "123456"), "MG00000F")
	w.ok(w.confirm(two, "password", "123456"), "MG03119F")
	w.ok(w.confirm(poor, "password", "123456"), "MG19054F")
}

func TestBorrowersText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer func(w *world) engine.Outcome
		code   string
		status string
		state  engine.SMSState
		frozen int64
	}{
		"yes": {func(w *world) engine.Outcome { return w.reply(true) }, "MG02501F", "2", engine.SMSYes, 100_00},
		"no":  {func(w *world) engine.Outcome { return w.reply(false) }, "MG02504F", "9", engine.SMSNo, 0},
		"silence": {func(w *world) engine.Outcome {
			assert.Empty(w.t, w.pass(40*time.Minute-1).Notices, "a job tells of it")
			assert.Equal(w.t, engine.SMSExpired, w.asked(zhang)[0].State)
			return w.pass(1)
		}, "MG02047F", "9", engine.SMSExpired, 0},
		"the money has gone": {func(w *world) engine.Outcome {
			x := w.submit("doDwTrade", withdrawing("X1", zhang, "9950.00"))
			w.ok(w.confirm(x.Ask, "password", "123456"), "MG00000F")
			return w.reply(true)
		}, "MG02044F", "9", engine.SMSYes, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.manual()
			out := w.ok(w.submit("registerSubject", bidding("B1", "B1", "1000.00", "100.00")), "MG02500F")
			assert.Empty(t, out.Notices)
			assert.Equal(t, "1", out.Answer.Body.Get("pBidStatus"))
			inbox := w.asked(zhang)
			require.Len(t, inbox, 1)
			assert.Contains(t, inbox[0].Text, "1000.00")
			assert.Empty(t, w.asked(li))
			w.ok(w.submit("registerSubject", bidding("B2", "B1", "1000.00", "100.00")), "MG02008F")
			w.ok(w.submit("registerSubject", with(bidding("B1", "B1", "1000.00", "100.00"), "pOperationType", "2")), "MG02054F")
			w.ok(w.submit("registerCreditor", investing("C1", "B1", li, "1.00", "0.00")), "MG03112F")

			n := w.notice(test.answer(w), test.code)
			assert.Equal(t, test.status, n.Answer.Body.Get("pBidStatus"))
			assert.Equal(t, out.Answer.Body.Get("pIpsBillNo"), n.Answer.Body.Get("pIpsBillNo"))
			assert.Equal(t, fmt.Sprintf("%d.%02d", test.frozen/100, test.frozen%100), n.Answer.Body.Get("pRealFreezenAmt"))
			assert.Equal(t, test.frozen, w.balance(zhang.account).Frozen)
			assert.Equal(t, test.state, w.asked(zhang)[0].State)

			late := w.apply(engine.Command{Kind: engine.KindSMS, ID: inbox[0].ID, Yes: true})
			assert.Empty(t, late.Notices, "only the first answer counts")
			if test.status == "2" {
				repeated := w.ok(w.submit("registerSubject", bidding("B1", "B1", "1000.00", "100.00")), "MG02500F")
				w.notice(repeated, test.code)
			} else {
				w.ok(w.submit("registerSubject", with(bidding("B1", "B1", "1000.00", "100.00"), "pOperationType", "2")), "MG02504F")
				w.ok(w.submit("registerSubject", bidding("B3", "B1", "10.00", "1.00")), "MG02500F")
			}
		})
	}
}

func TestWithholdingText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer func(w *world) engine.Outcome
		code   string
		gain   int64
	}{
		"yes":     {func(w *world) engine.Outcome { return w.reply(true) }, "MG00000F", 99_00},
		"no":      {func(w *world) engine.Outcome { return w.reply(false) }, "MG13046F", 0},
		"silence": {func(w *world) engine.Outcome { return w.pass(time.Hour) }, "MG13047F", 0},
		"the mandate is withdrawn": {func(w *world) engine.Outcome {
			w.apply(engine.Command{Kind: engine.KindMandate, Account: zhang.account})
			return w.reply(true)
		}, "MG13023F", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.manual()
			out := w.ok(w.submit("CoDpTrade", withholding("W1", zhang, "100.00")), "MG00008F")
			assert.Empty(t, out.Notices)
			assert.NotContains(t, w.asked(zhang)[0].Text, zhang.ident)
			w.notice(test.answer(w), test.code)
			assert.Equal(t, 10_000_00+test.gain, w.balance(zhang.account).Available)
		})
	}
}

func TestModeOfOneAccount(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.apply(engine.Command{Kind: engine.KindMode, Merchant: merchant, Account: li.account})
	assert.NotEmpty(t, w.submit("doDwTrade", withdrawing("X1", li, "1.00")).Ask)
	w.ok(w.submit("doDwTrade", withdrawing("X2", wang, "1.00")), "MG00000F")
	w.manual()
	w.apply(engine.Command{Kind: engine.KindMode, Merchant: merchant, Account: li.account, Auto: true})
	w.ok(w.submit("doDwTrade", withdrawing("X3", li, "1.00")), "MG00000F")
	assert.NotEmpty(t, w.submit("doDwTrade", withdrawing("X4", wang, "1.00")).Ask)
}

// decided are orders of every operation, each with its duplicate's code, that
// can be done in a town whose bid B1 is funded.
func decided() map[string]struct {
	msg       engine.Message
	duplicate string
} {
	return map[string]struct {
		msg       engine.Message
		duplicate string
	}{
		"CreateNewIpsAcct":   {opening("A1", zhang), "MG01090F"},
		"registerSubject":    {bidding("B1", "B1", "1000.00", "100.00"), "MG02090F"},
		"registerCreditor":   {investing("C1", "B1", li, "600.00", "6.00"), "MG03090F"},
		"registerGuarantor":  {guaranteeing("G1", "B1", wang, "100.00", "50.00", "1.00"), "MG04090F"},
		"registerCretansfer": {selling("D1", "B1", "C1", li, wang, "100.00", "100.00", "2"), "MG05090F"},
		"AutoNewSigning":     {signing("S1", li), "MG06090F"},
		"RepaymentSigning":   {repaySigning("S1", zhang), "MG07090F"},
		"doDpTrade":          {recharging("R1", li, "100.00"), "MG18026F"},
		"RepaymentNewTrade":  {repaying("P1", "B1", "10.00", "0.00", repayRow("C1", li.account, "10.00", "0.00", "0.00")), "MG12090F"},
		"doDwTrade":          {withdrawing("R1", li, "100.00"), "MG19090F"},
		"Transfer":           {transferring("T5", "B1", "2", transferRow("C1", "1.00", wang.account, "0.00", li.account, "0.00")), "MG09090F"},
		"GuaranteeUnfreeze":  {unfreezing("U1", "B1", "1", zhang, "1.00"), "MG11090F"},
		"CoDpTrade":          {withholding("R1", zhang, "10.00"), "MG13090F"},
	}
}

func TestSameNumberTwice(t *testing.T) {
	t.Parallel()
	for _, mode := range []engine.Repeat{engine.RepeatFirst, engine.RepeatRefuse} {
		w := newTown(t)
		w.settle(engine.Settings{Merchant: merchant, Name: "测试平台", Auto: true, Repeat: mode})
		w.fund()
		w.submit("registerGuarantor", decided()["registerGuarantor"].msg)
		duplicate := func(op string, out engine.Outcome, msg engine.Message) {
			w.ok(out, decided()[op].duplicate)
			assert.Contains(t, out.Answer.Text, "订单号重复")
			assert.False(t, out.Repeated)
			assertRefusalIsTold(t, w, out, op, msg)
		}
		for op, order := range decided() {
			first := w.submit(op, order.msg)
			known, ok := w.e.Order(merchant, op, order.msg.Get("pMerBillNo"), false)
			require.True(t, ok)
			after := w.e.Totals()
			second := w.submit(op, with(order.msg, "pExtra", "an element that nobody knows"))
			assert.Equal(t, after, w.e.Totals(), op)
			if mode == engine.RepeatRefuse {
				duplicate(op, second, order.msg)
			} else {
				assert.True(t, second.Repeated)
				assert.Equal(t, known.Answer, second.Answer, op)
				assert.Equal(t, known.Final, second.Notices[0].Answer)
				assert.Contains(t, []string{known.Answer.Code, order.duplicate}, first.Answer.Code)
			}
			changed := with(order.msg, "pMemo2", "changed")
			if op == "CreateNewIpsAcct" {
				changed = with(order.msg, "pRealName", "王五")
			}
			duplicate(op, w.submit(op, changed), changed)
		}
		changed := with(decided()["RepaymentNewTrade"].msg, "1.pInFee", "1.00")
		duplicate("RepaymentNewTrade", w.submit("RepaymentNewTrade", changed), changed)
	}
}

// The recharge's duplicate was seen on the real platform.
func TestDuplicateOfARecharge(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.ok(w.submit("doDpTrade", recharging("R1", li, "1.00")), "MG00000F")
	out := w.ok(w.submit("doDpTrade", recharging("R1", li, "2.00")), "MG18026F")
	assert.Equal(t, "充值失败，订单号重复，错误码MG18026F", out.Answer.Text)
}

// What was refused is remembered: the same again is decided anew, anything else
// under the number is a duplicate.
func TestRefusedNumberIsRemembered(t *testing.T) {
	t.Parallel()
	for _, mode := range []engine.Repeat{engine.RepeatFirst, engine.RepeatRefuse} {
		w := newTown(t)
		w.settle(engine.Settings{Merchant: merchant, Auto: true, Repeat: mode})
		w.ok(w.submit("doDwTrade", withdrawing("X1", li, "10000.00")), "MG19054F")
		w.ok(w.submit("doDwTrade", withdrawing("X1", li, "1.00")), "MG19090F")
		w.ok(w.submit("doDwTrade", withdrawing("X1", li, "10000.00")), "MG19054F")
		w.deposit(li.account, 1_00)
		w.ok(w.submit("doDwTrade", withdrawing("X1", li, "10000.00")), "MG00000F")

		// A refusal of a field's shape remembers nothing.
		w.ok(w.submit("doDwTrade", withdrawing("X2", wang, "-1.00")), "MG19200F")
		w.ok(w.submit("doDwTrade", withdrawing("X2", wang, "1.00")), "MG00000F")
		w.ok(w.submit("doDpTrade", with(recharging("R2", wang, "1.00"), "pTrdBnkCode", "")), "MG00006F")
		w.ok(w.submit("doDpTrade", recharging("R2", wang, "1.00")), "MG00000F")
		w.ok(w.submit("registerSubject", with(bidding("B7", "B7", "1.00", "0.00"), "pRegDate", "20141101")), "MG02002F")
		w.ok(w.submit("registerSubject", bidding("B7", "B7", "1.00", "0.00")), "MG02500F")

		w.deposit(li.account, 1_000_00)
		// What was accepted and then failed in all its rows was refused.
		w.fund()
		pay := repaying("P1", "B1", "10.00", "0.00", repayRow("C9", li.account, "10.00", "0.00", "0.00"))
		w.notice(w.ok(w.submit("RepaymentNewTrade", pay), "MG00008F"), "MG12044F")
		w.ok(w.submit("RepaymentNewTrade", with(pay, "1.pCreMerBillNo", "C1")), "MG12090F")
		w.ok(w.submit("registerCreditor", investing("C9", "B1", li, "10.00", "0.00")), "MG03119F")
		w.notice(w.ok(w.submit("RepaymentNewTrade", pay), "MG00008F"), "MG12044F")
	}
}

// The end of a bid is answered by the state of the bid, whatever is sent.
func TestEndOfABidIsNoDuplicate(t *testing.T) {
	t.Parallel()
	for _, mode := range []engine.Repeat{engine.RepeatFirst, engine.RepeatRefuse} {
		w := newTown(t)
		w.settle(engine.Settings{Merchant: merchant, Auto: true, Repeat: mode})
		w.raise()
		end := with(bidding("B1", "B1", "7.00", "0.00"), "pOperationType", "2", "pRegDate", "20200101", "pTrdCycleValue", "1")
		w.notice(w.ok(w.submit("registerSubject", end), "MG02503F"), "MG02505F")
		for _, again := range []engine.Message{end, with(end, "pMemo1", "other")} {
			w.notice(w.ok(w.submit("registerSubject", again), "MG02030F"), "MG02030F")
		}
	}
}

func TestQueryTrade(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.submit("registerGuarantor", decided()["registerGuarantor"].msg)
	for op, order := range decided() {
		w.submit(op, order.msg)
	}
	w.submit("Transfer", transferring("T6", "B1", "4", transferRow("D1", "100.00", wang.account, "2.00", li.account, "1.00")))
	w.submit("doDwTrade", withdrawing("X9", li, "99999.00"))
	w.manual()
	w.submit("doDwTrade", withdrawing("X8", li, "1.00"))
	tests := []struct {
		order, kind string
		want        engine.TradeState
	}{
		{"A1", "01", engine.TradeDone}, {"B1", "02", engine.TradeDone}, {"C1", "03", engine.TradeDone},
		{"G1", "04", engine.TradeDone}, {"D1", "05", engine.TradeDone}, {"S1", "06", engine.TradeDone},
		{"S1", "07", engine.TradeDone}, {"R1", "08", engine.TradeDone}, {"R1", "09", engine.TradeDone},
		{"U1", "10", engine.TradeDone}, {"P1", "11", engine.TradeDone}, {"T1", "14", engine.TradeDone},
		{"T5", "14", engine.TradeDone}, {"T6", "15", engine.TradeDone},
		{"X9", "09", engine.TradeFailed}, {"X8", "09", engine.TradeInWork},
		{"T6", "14", engine.TradeUnknown}, {"X1", "09", engine.TradeUnknown}, {"A1", "", engine.TradeUnknown}, {"A1", "99", engine.TradeUnknown},
	}
	for _, test := range tests {
		state, billNo := w.e.QueryTrade(merchant, test.order, test.kind)
		assert.Equal(t, test.want, state, "%s %s", test.order, test.kind)
		if state == engine.TradeDone && test.kind != "01" {
			assert.NotEmpty(t, billNo, "%s %s", test.order, test.kind)
		}
		state, _ = w.e.QueryTrade(other, test.order, test.kind)
		assert.Equal(t, engine.TradeUnknown, state)
	}
}

// The times in answers can be off, as the platform's clocks were.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settle(engine.Settings{Merchant: merchant, Auto: true, ClockSkew: -7 * time.Minute})
	out := w.ok(w.submit("registerSubject", bidding("B1", "B1", "1000.00", "0.00")), "MG02500F")
	assert.Equal(t, "20141124115300", out.Answer.Body.Get("pIpsTime"))
}

func TestMerchantsAreStrangers(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "100.00", "50.00", "1.00"))
	auth := w.submit("AutoNewSigning", signing("S1", li)).Answer.Body.Get("pIpsAuthNo")
	w.settle(engine.Settings{Merchant: other, Name: "另一平台", Auto: true})
	digest := func() any { return w.bids(merchant) }
	before, totals := digest(), w.e.Totals()
	submit := func(op string, msg engine.Message) engine.Outcome {
		return w.apply(engine.Command{Kind: engine.KindSubmit, Merchant: other, Op: op, Message: msg})
	}
	tests := []struct {
		op, code string
		msg      engine.Message
	}{
		{"CreateNewIpsAcct", "MG01011F", opening("A0", zhang)},
		{"registerSubject", "MG02013F", bidding("B0", "B1", "1000.00", "0.00")},
		{"registerSubject", "MG02027F", with(bidding("B1", "B1", "1000.00", "0.00"), "pOperationType", "2")},
		{"registerCreditor", "MG03112F", investing("C9", "B1", li, "1.00", "0.00")},
		{"registerGuarantor", "MG04020F", guaranteeing("G9", "B1", wang, "1.00", "0.00", "0.00")},
		{"registerCretansfer", "MG05020F", selling("D9", "B1", "C1", li, wang, "100.00", "100.00", "2")},
		{"AutoNewSigning", "MG06020F", signing("S9", li)},
		{"RepaymentSigning", "MG07020F", repaySigning("S9", zhang)},
		{"doDpTrade", "MG18020F", recharging("R9", li, "1.00")},
		{"Transfer", "MG09020F", transferring("T9", "B1", "1", transferRow("C1", "600.00", li.account, "0.00", zhang.account, "0.00"))},
		{"RepaymentNewTrade", "MG12020F", repaying("P9", "B1", "1.00", "0.00", repayRow("C1", li.account, "1.00", "0.00", "0.00"))},
		{"GuaranteeUnfreeze", "MG11020F", unfreezing("U9", "B1", "1", zhang, "1.00")},
		{"CoDpTrade", "MG13020F", withholding("W9", zhang, "10.00")},
		{"doDwTrade", "MG19010F", withdrawing("X9", li, "1.00")},
	}
	for _, test := range tests {
		w.ok(submit(test.op, test.msg), test.code)
	}
	assert.Equal(t, before, digest())
	assert.Equal(t, totals, w.e.Totals())
	assert.Empty(t, w.accounts(other))
	_, ok := w.e.Balance(other, li.account)
	assert.False(t, ok)
	_, ok = w.e.Balance(other, merchant)
	assert.False(t, ok)
	_, ok = w.e.Account(other, li.account)
	assert.False(t, ok)

	// The same numbers are free for the other merchant, and its contracts its own.
	borrower := person{"张三", "110101199001010005", "13800000005", "zhangsan2@example.com", "4021000000000005"}
	investor := person{"李四", "110101199001010006", "13800000006", "lisi2@example.com", "4021000000000006"}
	w.ok(submit("CreateNewIpsAcct", opening("A1", borrower)), "MG00000F")
	w.ok(submit("CreateNewIpsAcct", opening("A2", investor)), "MG00000F")
	w.ok(submit("registerSubject", with(bidding("B1", "B1", "1000.00", "0.00"), "pIdentNo", borrower.ident,
		"pRealName", borrower.name, "pIpsAcctNo", borrower.account)), "MG02500F")
	w.ok(submit("registerCreditor", with(investing("C1", "B1", investor, "1.00", "0.00"), "pRegType", "2", "pAuthNo", auth)), "MG03027F")
	w.ok(submit("registerGuarantor", with(guaranteeing("G1", "B1", wang, "1.00", "0.00", "0.00"),
		"pAcctType", "0", "pFromIdentNo", merchant, "pAccount", merchant)), "MG04026F")
}

func TestFaultCode(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fault(fault{Name: "code", Op: "doDpTrade", Code: "MG99999F", Text: "系统维护", Count: 2})
	for range 2 {
		out := w.ok(w.submit("doDpTrade", recharging("R1", li, "1.00")), "MG99999F")
		assert.Equal(t, "系统维护", out.Answer.Text)
		assert.Equal(t, "R1", out.Answer.Body.Get("pMerBillNo"))
		w.notice(out, "MG99999F")
	}
	w.ok(w.submit("doDpTrade", recharging("R1", li, "1.00")), "MG00000F")
}

func TestFaultStayPending(t *testing.T) {
	t.Parallel()
	hold := func(w *world, op string) { w.fault(fault{Name: "stay-pending", Op: op}) }
	lift := func(w *world, op string) engine.Outcome { return w.release(op) }
	t.Run("recharge", func(t *testing.T) {
		t.Parallel()
		w := newTown(t)
		hold(w, "doDpTrade")
		out := w.ok(w.submit("doDpTrade", recharging("R1", li, "100.00")), "MG00008F")
		assert.Empty(t, out.Notices)
		assert.Equal(t, engine.Balance{Available: 10_000_00, Unsettled: 99_00}, w.balance(li.account))
		repeated := w.ok(w.submit("doDpTrade", recharging("R1", li, "100.00")), "MG00008F")
		assert.Empty(t, repeated.Notices)
		w.notice(lift(w, "doDpTrade"), "MG00000F")
		assert.Equal(t, engine.Balance{Available: 10_099_00}, w.balance(li.account))
		assert.Empty(t, lift(w, "doDpTrade").Notices)
		repeated = w.ok(w.submit("doDpTrade", recharging("R1", li, "100.00")), "MG00008F")
		w.notice(repeated, "MG00000F")
	})
	t.Run("withdrawal", func(t *testing.T) {
		t.Parallel()
		w := newTown(t)
		hold(w, "doDwTrade")
		w.ok(w.submit("doDwTrade", withdrawing("X1", li, "100.00")), "MG00008F")
		assert.Equal(t, engine.Balance{Available: 9_899_00, Unsettled: 100_00}, w.balance(li.account))
		w.notice(lift(w, "doDwTrade"), "MG00000F")
		assert.Equal(t, engine.Balance{Available: 9_899_00}, w.balance(li.account))
	})
	t.Run("withholding", func(t *testing.T) {
		t.Parallel()
		w := newTown(t)
		hold(w, "CoDpTrade")
		w.ok(w.submit("CoDpTrade", withholding("W1", zhang, "100.00")), "MG00008F")
		w.notice(lift(w, "CoDpTrade"), "MG00000F")
		assert.Equal(t, engine.Balance{Available: 10_099_00}, w.balance(zhang.account))
	})
	t.Run("bid", func(t *testing.T) {
		t.Parallel()
		w := newTown(t)
		hold(w, "registerSubject")
		assert.Empty(t, w.ok(w.submit("registerSubject", bidding("B1", "B1", "1000.00", "1.00")), "MG02500F").Notices)
		w.ok(w.submit("registerSubject", bidding("B2", "B2", "1000.00", "1.00")), "MG02500F")
		n := w.notice(lift(w, "registerSubject"), "MG02501F")
		assert.Equal(t, "B1", n.Order)
	})
	t.Run("transfer and creditor", func(t *testing.T) {
		t.Parallel()
		w := newTown(t)
		w.raise()
		hold(w, "registerCreditor")
		w.ok(w.submit("registerCreditor", investing("C1", "B1", li, "10.00", "0.00")), "MG00008F")
		hold(w, "Transfer")
		out := w.ok(w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "10.00", li.account, "0.00", zhang.account, "0.00"))), "MG00008F")
		assert.Empty(t, out.Notices)
		w.notice(lift(w, "Transfer"), "MG00000F")
		w.notice(lift(w, "registerCreditor"), "MG00000F")
	})
	t.Run("lifted before the user agrees", func(t *testing.T) {
		t.Parallel()
		w := newTown(t)
		w.manual()
		hold(w, "doDwTrade")
		ask := w.submit("doDwTrade", withdrawing("X1", li, "100.00")).Ask
		assert.Empty(t, lift(w, "doDwTrade").Notices)
		w.notice(w.ok(w.confirm(ask, "password", "123456"), "MG00000F"), "MG00000F")
	})
}

func TestFaultRow(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "0.00"))
	w.submit("registerCreditor", investing("C2", "B1", zhao, "400.00", "0.00"))
	both := func(no, mode string) engine.Message {
		return with(transferring(no, "B1", "1",
			transferRow("C1", "600.00", li.account, "0.00", zhang.account, "0.00"),
			transferRow("C2", "400.00", zhao.account, "0.00", zhang.account, "0.00")), "pTransferMode", mode)
	}
	statuses := func(out engine.Outcome) (list []string) {
		for _, row := range rowsOf(out.Notices[0].Answer) {
			list = append(list, row.Get("pStatus"))
		}
		return list
	}
	w.fault(fault{Name: "row", Op: "Transfer", Row: 2})
	assert.Equal(t, []string{"Y", "N"}, statuses(w.submit("Transfer", both("T1", "1"))))
	w.fault(fault{Name: "row", Op: "Transfer", Row: 2})
	out := w.submit("Transfer", both("T2", "2"))
	w.notice(out, "MG09044F")
	assert.Contains(t, rowsOf(out.Notices[0].Answer)[1].Get("pMessage"), "MG09099F")
	assert.Equal(t, []string{"N", "Y"}, statuses(w.submit("Transfer", both("T3", "2"))))

	w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "100.00", "100.00", "2"))
	w.fault(fault{Name: "row", Op: "Transfer", Row: 1})
	sale := func(no string) engine.Message {
		return transferring(no, "B1", "4", transferRow("D1", "100.00", wang.account, "2.00", li.account, "1.00"))
	}
	w.ok(w.submit("Transfer", sale("T4")), "MG09099F")
	w.ok(w.submit("Transfer", sale("T5")), "MG00000F")

	w.fault(fault{Name: "row", Op: "RepaymentNewTrade", Row: 2})
	pay := func(no string) engine.Message {
		return repaying(no, "B1", "20.00", "0.00",
			repayRow("C1", li.account, "10.00", "0.00", "0.00"), repayRow("C2", zhao.account, "10.00", "0.00", "0.00"))
	}
	w.ok(w.submit("RepaymentNewTrade", repaying("P0", "B1", "1.00", "0.00", repayRow("C1", li.account, "1.00", "0.00", "0.00"))), "MG00008F")
	assert.Len(t, w.faults, 1, "a batch of one row has no second")
	assert.Equal(t, []string{"Y", "N"}, statuses(w.submit("RepaymentNewTrade", pay("P1"))))
	assert.Equal(t, []string{"Y", "Y"}, statuses(w.submit("RepaymentNewTrade", pay("P2"))))
}

func TestCommandsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	bad := string([]byte{0xff})
	tests := map[string]struct {
		cmd  engine.Command
		want string
	}{
		"no kind":            {engine.Command{}, "Kind"},
		"no time":            {engine.Command{Kind: engine.KindTick, At: time.Time{}}, "At"},
		"time goes back":     {engine.Command{Kind: engine.KindTick, At: start.Add(-1)}, "backwards"},
		"far future":         {engine.Command{Kind: engine.KindTick, At: start.AddDate(8000, 0, 0)}, "year"},
		"no settings":        {engine.Command{Kind: engine.KindMerchant}, "Settings"},
		"short code":         {engine.Command{Kind: engine.KindMerchant, Settings: &engine.Settings{Merchant: "8088"}}, "6 digits"},
		"letters in code":    {engine.Command{Kind: engine.KindMerchant, Settings: &engine.Settings{Merchant: "80880x"}}, "6 digits"},
		"negative fee":       {engine.Command{Kind: engine.KindMerchant, Settings: &engine.Settings{Merchant: other, IPSFee: -1}}, "IPSFee"},
		"name not UTF-8":     {engine.Command{Kind: engine.KindMerchant, Settings: &engine.Settings{Merchant: other, Name: bad}}, "UTF-8"},
		"unknown operation":  {engine.Command{Kind: engine.KindSubmit, Merchant: merchant, Op: "registersubject"}, "operation"},
		"unknown merchant":   {engine.Command{Kind: engine.KindSubmit, Merchant: other, Op: "doDpTrade"}, "Merchant"},
		"message not UTF-8":  {engine.Command{Kind: engine.KindSubmit, Merchant: merchant, Op: "doDpTrade", Message: engine.Message{{Name: "a", Value: bad}}}, "UTF-8"},
		"rows within rows":   {engine.Command{Kind: engine.KindSubmit, Merchant: merchant, Op: "Transfer", Message: engine.Message{rows(engine.Message{rows(engine.Message{})})}}, "rows"},
		"unknown ask":        {engine.Command{Kind: engine.KindConfirm, ID: "ASK9"}, "confirmation"},
		"unknown cancel":     {engine.Command{Kind: engine.KindCancel, ID: ""}, "confirmation"},
		"unknown text":       {engine.Command{Kind: engine.KindSMS, ID: "SMS9"}, "text message"},
		"mode of nobody":     {engine.Command{Kind: engine.KindMode, Merchant: other}, "Merchant"},
		"mode of no account": {engine.Command{Kind: engine.KindMode, Merchant: merchant, Account: "1"}, "Account"},
		"deposit of nothing": {engine.Command{Kind: engine.KindDeposit, Merchant: merchant}, "Amount"},
		"deposit too large":  {engine.Command{Kind: engine.KindDeposit, Merchant: merchant, Amount: 1 << 60}, "Amount"},
		"deposit to nobody":  {engine.Command{Kind: engine.KindDeposit, Merchant: merchant, Account: "1", Amount: 1}, "Account"},
		"mandate of nobody":  {engine.Command{Kind: engine.KindMandate, Account: "1"}, "Account"},
		"release nobody":     {engine.Command{Kind: engine.KindRelease, Merchant: other}, "Merchant"},
		"release nothing":    {engine.Command{Kind: engine.KindRelease, Op: "late"}, "Op"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.e.Digest()
			if test.cmd.At.IsZero() && name != "no time" {
				test.cmd.At = w.at.Add(time.Hour)
			}
			_, err := w.e.Apply(test.cmd)
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, before, w.e.Digest(), "nothing has happened")
		})
	}
}

// What is shown is a copy, but for the documents of orders: changing it changes
// nothing.
func TestOutcomesAndViewsAreCopies(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	msg := withdrawing("X1", li, "1.00")
	w.manual()
	out := w.submit("doDwTrade", msg)
	digest := w.e.Digest()
	msg[0].Value = "changed"
	w.e.PendingAsks("")[0].Lines[0].Value = "changed"
	w.bids("")[0].Claims[0].Holdings[0].Face = 0
	w.journal(engine.JournalFilter{})[0].Amount = 0
	assert.Equal(t, digest, w.e.Digest())
	done := w.confirm(out.Ask, "password", "123456")
	assert.Equal(t, "X1", done.Answer.Body.Get("pMerBillNo"))
	digest = w.e.Digest()
	done.Answer.Body[0].Value = "changed"
	done.Notices[0].Answer.Body[0].Value = "changed"
	assert.Equal(t, digest, w.e.Digest())
}

func TestJournal(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	all := w.journal(engine.JournalFilter{})
	assert.Equal(t, w.e.Totals().Entries, len(all))
	assert.Equal(t, all[len(all)-5:len(all)-3], w.journal(engine.JournalFilter{Page: engine.Page{Skip: 3, Limit: 2}}))
	byBid := w.journal(engine.JournalFilter{Bid: "B1"})
	require.NotEmpty(t, byBid)
	for _, e := range byBid {
		assert.Equal(t, "B1", e.Bid)
		assert.NotEmpty(t, e.Text)
		assert.Equal(t, merchant, e.Merchant)
	}
	byOp := w.journal(engine.JournalFilter{Account: li.account, Operation: "registerCreditor"})
	require.Len(t, byOp, 1)
	assert.Equal(t, int64(606_00), byOp[0].Amount)
	assert.Equal(t, "C1", byOp[0].Order)
	assert.Empty(t, w.journal(engine.JournalFilter{Account: "nobody"}))
	assert.Empty(t, w.journal(engine.JournalFilter{Merchant: other}))
}
