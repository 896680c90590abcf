package main

import (
	"net/http"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// Chapters 10 and 11, 托管账户充值, and 13, 托管账户提现. Chapter 12 is the
// platform's: see admin.go.

// withdrawFee is what the platform takes for a withdrawal.
const withdrawFee = 2 * ips.Yuan

func (a *App) funds(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := requireAccount(v.user); err != nil {
		return err
	}
	data := struct {
		Balance store.Balance
		Banks   []ips.Bank
		Fee     ips.Amount
	}{Fee: withdrawFee}
	var err error
	if data.Balance, err = a.store.Balance(r.Context(), v.user.Account); err != nil {
		return err
	}
	banks, err := a.client.QueryBanks(r.Context())
	if err != nil {
		return err
	}
	data.Banks = banks.Banks
	return a.show(w, r, v, "funds", "充值与提现", data)
}

func (a *App) recharge(w http.ResponseWriter, r *http.Request, v *visit) error {
	amount, err := positive(r, "amount", "充值金额")
	if err != nil {
		return err
	}
	if err := requireAccount(v.user); err != nil {
		return err
	}
	request := ips.RechargeRequest{
		OrderNo: ips.NewOrderNo("RE"), IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account,
		Date: ips.DateOf(a.now()), Amount: amount, Channel: ips.RechargeEBank, BankCode: r.PostFormValue("bank"),
		FeePayer:  ips.PlatformPaysFee,
		ReturnURL: a.returnURL(ips.OpRecharge), NotifyURL: a.notifyURL(ips.OpRecharge),
	}
	about := "网银充值 " + amount.String() + " 元"
	if r.PostFormValue("channel") == "withholding" {
		request.Channel, request.BankCode, about = ips.RechargeWithholding, "", "代扣充值 "+amount.String()+" 元"
	}
	return a.begin(w, r, v, func(*store.Tx) (draft, error) {
		return draft{about: about, request: request}, nil
	})
}

func (a *App) withdraw(w http.ResponseWriter, r *http.Request, v *visit) error {
	amount, err := positive(r, "amount", "提现金额")
	if err != nil {
		return err
	}
	if err := requireAccount(v.user); err != nil {
		return err
	}
	return a.begin(w, r, v, func(tx *store.Tx) (draft, error) {
		// Only IPS can refuse for certain; this spares the user the way there.
		have, err := tx.Balance(r.Context(), v.user.Account)
		if err != nil {
			return draft{}, err
		}
		if have.Available < amount+withdrawFee {
			return draft{}, complain("可用余额 %s 元，不足以支付 %s 元及手续费 %s 元", have.Available, amount, withdrawFee)
		}
		return draft{about: "提现 " + amount.String() + " 元", request: ips.WithdrawRequest{
			OrderNo: ips.NewOrderNo("WD"), IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account,
			Date: ips.DateOf(a.now()), Amount: amount, Fee: withdrawFee, FeePayer: ips.PlatformPaysFee,
			ReturnURL: a.returnURL(ips.OpWithdraw), NotifyURL: a.notifyURL(ips.OpWithdraw),
		}}, nil
	})
}
