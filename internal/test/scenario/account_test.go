package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func openingOf(s *ipstest.Server, p ipstest.Person) ips.OpenAccountRequest {
	return ips.OpenAccountRequest{
		OrderNo: s.NewOrderNo(), Date: today(),
		IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile, Email: p.Email,
		Memos: ips.Memos{Memo1: "来源=首页&x<1>", Memo2: "二", Memo3: "三"},
	}
}

func TestOpenAccount(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	p := s.NewPerson()
	req := openingOf(s, p)
	got := carry[*ips.OpenAccountResponse](t, s, s.Client().OpenAccount, req)

	want := &ips.OpenAccountResponse{
		Reply:  reply(ips.OpOpenAccount, ips.WebReturn, ips.CodeSuccess, "账户注册成功", req.OrderNo),
		Status: ips.AccountOpened, Date: today(),
		Email: p.Email, IdentNo: p.IdentNo, RealName: p.Name, Mobile: p.Mobile,
		BankName: "中国工商银行", CardHolder: p.Name, CardLast4: "0001",
		IdentStatus: ips.CheckPassed, MobileStatus: ips.CheckPassed,
		AccountDate: today(), Memos: req.Memos,
	}
	takeNumber(t, `^4021\d{12}$`, &want.Account, &got.Account)
	assertAnswer(t, want, got)
	sameBothWays(t, s, got)
	s.AssertBalance(got.Account, 0, 0)
}

func TestOpenAccountRefused(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	taken := s.NewPerson()
	first := openingOf(s, taken)
	carry[*ips.OpenAccountResponse](t, s, s.Client().OpenAccount, first)

	good := func() ips.OpenAccountRequest { return openingOf(s, s.NewPerson()) }
	refusedForms(t, s, s.Client().OpenAccount, good, []refusedCase[ips.OpenAccountRequest]{
		{"name not Chinese", func(r *ips.OpenAccountRequest) { r.RealName = "Zhang San" }, ips.CodeParticulars},
		{"id number too short", func(r *ips.OpenAccountRequest) { r.IdentNo = "1101011990" }, ips.CodeParticulars},
		{"e-mail used", func(r *ips.OpenAccountRequest) { r.Email = taken.Email }, ips.CodeEmailUsed},
		{"e-mail used, in capitals", func(r *ips.OpenAccountRequest) { r.Email = "PERSON1@example.com" }, ips.CodeEmailUsed},
		{"number taken by another opening", func(r *ips.OpenAccountRequest) { r.OrderNo = first.OrderNo }, "MG01090F"},
	})
}

// A failed opening says so in its status as well, and names every particular
// that did not check.
func TestOpenAccountParticulars(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	req := openingOf(s, s.NewPerson())
	req.RealName, req.IdentNo = "Zhang San", "110101199013010001"
	got := carry[*ips.OpenAccountResponse](t, s, s.Client().OpenAccount, req)
	assert.Equal(t, ips.AccountFailed, got.Status)
	assert.Empty(t, got.Account)
	assert.Empty(t, got.CardLast4)
	assert.Equal(t, ips.NotChecked, got.IdentStatus)
	assert.True(t, got.AccountDate.IsZero())
	assert.Contains(t, got.Message, "pRealName姓名仅支持中文！")
	assert.Contains(t, got.Message, "pIdentNo身份证输入出身年月日部分查验异常！")
}

func TestOpenAccountTwiceIsOnce(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	req := openingOf(s, s.NewPerson())
	first := carry[*ips.OpenAccountResponse](t, s, s.Client().OpenAccount, req)
	again := carry[*ips.OpenAccountResponse](t, s, s.Client().OpenAccount, req)
	assertRepeated(t, first, again)

	req.Date = ips.NewDate(2026, time.March, 3) // a user who comes back has a new date
	again = carry[*ips.OpenAccountResponse](t, s, s.Client().OpenAccount, req)
	assertRepeated(t, first, again)
}

func TestOpenAccountLeftMidway(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	p := s.NewPerson()
	req := openingOf(s, p)
	form := seal(t, s.Client().OpenAccount, req)

	s.Leave(form)
	s.Advance(19 * time.Minute)
	s.WaitIdle()
	assert.Zero(t, countNotices(s), "there is time left")
	s.Advance(time.Minute)
	late := answerOf[*ips.OpenAccountResponse](t, s.WaitNotification(ips.OpOpenAccount, req.OrderNo))
	requireRefusal(t, "MG01093F", late)
	assert.Equal(t, ips.AccountTimedOut, late.Status)
	assert.Empty(t, late.Account)

	// The same number resumes it.
	opened := answerOf[*ips.OpenAccountResponse](t, s.Carry(form))
	require.NoError(t, opened.Err())
	assert.Equal(t, ips.AccountOpened, opened.Status)
	assert.Equal(t, "0001", opened.CardLast4)
	s.AssertBalance(opened.Account, 0, 0)
}

func TestOpenAccountResumedInTime(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	form := seal(t, s.Client().OpenAccount, openingOf(s, s.NewPerson()))
	s.Leave(form)
	s.Advance(10 * time.Minute)
	opened := answerOf[*ips.OpenAccountResponse](t, s.Carry(form))
	require.NoError(t, opened.Err())
	sameBothWays(t, s, opened)
}

func TestOpenAccountCancelled(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithManual())
	got := answerOf[*ips.OpenAccountResponse](t, s.Cancel(seal(t, s.Client().OpenAccount, openingOf(s, s.NewPerson()))))
	requireRefusal(t, "MG01091F", got)
	assert.Equal(t, ips.AccountFailed, got.Status)
	sameBothWays(t, s, got)
}

func TestSandboxQueries(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	c, ctx := s.Client(), t.Context()
	p := s.Person(500 * ips.Yuan)
	q := func(op ips.Operation, message string) ips.Reply {
		return reply(op, ips.Synchronous, ips.CodeQuerySuccess, message, "")
	}

	t.Run("balance", func(t *testing.T) {
		got, err := c.QueryBalance(ctx, p.Account)
		require.NoError(t, err)
		assertAnswer(t, &ips.BalanceResponse{
			Reply: q(ips.OpQueryBalance, "查询成功"), Account: p.Account, Available: 500 * ips.Yuan, Signature: ips.SignatureTagged,
		}, got)
	})
	t.Run("balance of the merchant", func(t *testing.T) {
		got, err := c.QueryBalance(ctx, merchantCode)
		require.NoError(t, err)
		assert.Equal(t, merchantCode, got.Account)
		assert.Zero(t, got.Available)
	})
	t.Run("balance of nobody", func(t *testing.T) {
		got, err := c.QueryBalance(ctx, "4021000000009999")
		requireRefused(t, ips.CodeQueryFailed, err)
		assert.Equal(t, ips.Failure, got.Outcome)
	})
	t.Run("account", func(t *testing.T) {
		got, err := c.Call(ctx, ips.QueryAccountRequest{Account: p.Account, Memo: "备注 <1>"})
		require.NoError(t, err)
		assertAnswer(t, &ips.AccountResponse{
			Reply: q(ips.OpQueryAccount, ""), Account: p.Account, Email: p.Email, Status: ips.AccountActive,
			IdentStatus: "02", BankName: "中国工商银行", BankCard: "0001", CardStatus: "02", SignStatus: "02",
			Memo: "备注 <1>", Signature: ips.SignaturePartial,
		}, got)
	})
	t.Run("account without mandate", func(t *testing.T) {
		s.RevokeMandate(p.Account)
		got, err := c.QueryAccount(ctx, p.Account)
		require.NoError(t, err)
		assert.Equal(t, "01", got.SignStatus)
	})
	t.Run("account of nobody", func(t *testing.T) {
		_, err := c.QueryAccount(ctx, "4021000000009999")
		require.ErrorIs(t, err, ips.CodeNoAccount)
	})
	t.Run("banks", func(t *testing.T) {
		got, err := c.QueryBanks(ctx)
		require.NoError(t, err)
		assert.Equal(t, ips.SignatureTagged, got.Signature)
		assert.Contains(t, got.Banks, ips.Bank{Name: "中国工商银行", Alias: "工行", Code: "00004"})
		assert.Contains(t, got.Banks, ips.Bank{Name: "中国银行", Alias: "中行", Code: "00083"})
		assert.Contains(t, got.List, "中国工商银行|工行|00004")
	})
}

// A client with another's keys gets nowhere, and believes nothing.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithSecondMerchant())
	cfg := s.Config()
	cfg.Cert = s.Second().Config().Cert
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)

	_, err = c.UnfreezeMargin(t.Context(), ips.UnfreezeMarginRequest{
		OrderNo: s.NewOrderNo(), BidNo: "B1", Date: today(), Amount: ips.Yuan, Owner: ips.BorrowerMargin,
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
	})
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	require.ErrorIs(t, err, ips.ErrSignature)
}
