package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// TestOtherAnswers: a signed answer that is about another order or another person
// than was asked for, or that comes with another account afterwards, binds no
// account to anybody.
func TestOtherAnswers(t *testing.T) {
	cfg := ips.TestMerchant()
	cfg.Environment = ips.Sandbox("http://127.0.0.1:8480")
	cfg.ReturnURL, cfg.NotifyURL = "https://p2p.example.com/ips/return", "https://p2p.example.com/ips/notify"
	client, err := ips.NewClient(cfg)
	require.NoError(t, err)
	const zhangSan, liSi, account = "110101199001010001", "110101199001010002", "4021000000000001"
	open := func() (*platform, *ips.OpenAccountResponse) {
		p := &platform{Client: client, orders: make(map[string]*order), accounts: make(map[string]string)}
		form, err := p.form(ips.OpenAccountRequest{RealName: "张三", IdentNo: zhangSan, Mobile: "13800000000", Email: "zhangsan@example.com"})
		require.NoError(t, err)
		return p, &ips.OpenAccountResponse{
			Reply: ips.Reply{
				Operation: ips.OpOpenAccount, Via: ips.ServerToServer, MerchantCode: cfg.MerchantCode, Code: ips.CodeSuccess,
				Outcome: ips.Success, OrderNo: form.OrderNo(),
			},
			Status: ips.AccountOpened, IdentNo: zhangSan, RealName: "张三", Email: "zhangsan@example.com", Account: account,
		}
	}
	for name, change := range map[string]func(*ips.OpenAccountResponse){
		"another order":  func(a *ips.OpenAccountResponse) { a.OrderNo = "OA2" },
		"another person": func(a *ips.OpenAccountResponse) { a.IdentNo = liSi },
	} {
		p, answer := open()
		change(answer)
		require.Error(t, p.hear(context.Background(), answer), name)
		assert.Empty(t, p.accounts, name)
	}
	for name, change := range map[string]func(*ips.OpenAccountResponse){
		"refused": func(a *ips.OpenAccountResponse) { a.Outcome, a.Code = ips.Failure, ips.CodeParticulars },
		"pending": func(a *ips.OpenAccountResponse) { a.Outcome, a.Code = ips.Pending, ips.CodeProcessing },
	} {
		p, answer := open()
		change(answer)
		require.NoError(t, p.hear(context.Background(), answer), name)
		assert.Empty(t, p.accounts, name)
	}

	p, answer := open()
	require.NoError(t, p.hear(context.Background(), answer))
	bound := map[string]string{zhangSan: account}
	require.Equal(t, bound, p.accounts)
	later := *answer
	later.Account = "4021000000000002"
	require.NoError(t, p.hear(context.Background(), &later), "a copy is acknowledged")
	assert.Equal(t, bound, p.accounts, "and changes nothing")
	require.ErrorIs(t, p.hear(context.Background(), new(ips.RechargeResponse)), ips.ErrUnheard)
}
