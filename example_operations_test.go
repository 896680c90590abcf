package ips_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// An example of each operation, in the order of the manual. They run on the
// embedded sandbox, whose users agree to everything at once: where an example
// carries a form, a handler would serve it to the user's browser with
// form.ServeHTTP(w, r), and the answer would come to the merchant's Handler.

// 4.2 开户
func ExampleClient_OpenAccount() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()

	form, err := client.OpenAccount(ips.OpenAccountRequest{
		OrderNo: "A20260302000001", Date: ips.Today(),
		IdentNo: "110101199001010001", RealName: "张三",
		Mobile: "13800000000", Email: "zhangsan@example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.OpenAccountResponse)
	fmt.Println(answer.Outcome, answer.Status, answer.Account) // keep the account with the user
	// Output: success opened 4021000000000001
}

// 4.3 标的登记
func ExampleClient_RegisterBid() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower := ipsrv.Person(500 * ips.Yuan)

	form, err := client.RegisterBid(ips.RegisterBidRequest{
		OrderNo: "L20260302000001", BidNo: "B20260302000001", Date: ips.Today(),
		Amount: 10_000 * ips.Yuan, Margin: 500 * ips.Yuan, Fee: 100 * ips.Yuan,
		Rate: 12*ips.Percent + 50*ips.BasisPoint, TermUnit: ips.TermMonths, Term: 12,
		Purpose: "经营周转", RepayMode: ips.RepayInterestFirst,
		IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	first := ipsrv.Carry(form).(*ips.BidResponse)
	fmt.Println(first.Outcome, first.Code, first.Status) // the borrower is asked by text message

	final := ipsrv.WaitNotification(ips.OpRegisterBid, first.OrderNo).(*ips.BidResponse)
	fmt.Println(final.Outcome, final.Code, final.Status, final.FrozenMargin)
	// Output:
	// pending MG02500F new
	// success MG02501F raising 500.00
}

// 4.3 标的登记, 结束: a bid that fell through.
func ExampleClient_EndBid() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, investor := ipsrv.Person(0), ipsrv.Person(5000*ips.Yuan)
	registration := ipsrv.Bid(borrower, 10_000*ips.Yuan) // the ips.RegisterBidRequest that you kept
	ipsrv.Invest(registration, investor, 4000*ips.Yuan)

	first, err := client.EndBid(context.Background(), ips.EndBidRequest(registration))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Outcome, first.Code)

	final := ipsrv.WaitNotification(ips.OpEndBid, first.OrderNo).(*ips.BidResponse)
	fmt.Println(final.Outcome, final.Code, final.Status)
	fmt.Println(ipsrv.Balance(investor.Account)) // nothing is frozen any more
	// Output:
	// pending MG02503F
	// success MG02505F ended
	// 5000.00 0.00
}

// 4.4 登记债权人, 手动投标
func ExampleClient_RegisterCreditor() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, investor := ipsrv.Person(0), ipsrv.Person(5000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 10_000*ips.Yuan)

	form, err := client.RegisterCreditor(ips.RegisterCreditorRequest{
		OrderNo: "I20260302000001", Date: ips.Today(),
		BidNo: bid.BidNo, ContractNo: "C20260302000001",
		Amount: 4000 * ips.Yuan, Fee: 20 * ips.Yuan, Purpose: bid.Purpose,
		IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.CreditorResponse)
	fmt.Println(answer.Outcome, answer.Frozen)
	// Output: success 4020.00
}

// 4.4 登记债权人, 自动投标
func ExampleClient_AutoBid() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, investor := ipsrv.Person(0), ipsrv.Person(5000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 10_000*ips.Yuan)
	authNo := signAutoBidExample(ipsrv, investor) // see SignAutoBid

	answer, err := client.AutoBid(context.Background(), ips.AutoBidRequest{
		OrderNo: "I20260302000002", Date: ips.Today(),
		BidNo: bid.BidNo, ContractNo: "C20260302000002", AuthNo: authNo,
		Amount: 4000 * ips.Yuan, Purpose: bid.Purpose,
		IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account,
	})
	if errors.Is(err, ips.CodeInvestorFunds) {
		log.Fatal("he has less than that")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Outcome, answer.Frozen)
	// Output: success 4000.00
}

// 4.5 登记担保方
func ExampleClient_RegisterGuarantor() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, guarantor := ipsrv.Person(0), ipsrv.Person(1000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 10_000*ips.Yuan)

	form, err := client.RegisterGuarantor(ips.RegisterGuarantorRequest{
		OrderNo: "G20260302000001", Date: ips.Today(), BidNo: bid.BidNo,
		Amount: 10_000 * ips.Yuan, Margin: 1000 * ips.Yuan, Profit: 200 * ips.Yuan,
		IdentNo: guarantor.IdentNo, AccountName: guarantor.Name, Account: guarantor.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.RegisterGuarantorResponse)
	fmt.Println(answer.Outcome, answer.FrozenMargin)
	// Output: success 1000.00
}

// 4.6 登记债权转让, and 4.10 转账 类型"债权转让", which carries it out.
func ExampleClient_RegisterDebtTransfer() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, seller, buyer := ipsrv.Person(0), ipsrv.Person(5000*ips.Yuan), ipsrv.Person(5000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 10_000*ips.Yuan)
	claim := ipsrv.Invest(bid, seller, 4000*ips.Yuan)
	ipsrv.PayOut(bid, claim)

	form, err := client.RegisterDebtTransfer(ips.RegisterDebtTransferRequest{
		OrderNo: "D20260302000001", Date: ips.Today(),
		BidNo: bid.BidNo, ContractNo: claim.ContractNo, CreditorOrderNo: claim.OrderNo,
		FromName: seller.Name, FromAccount: seller.Account, FromIdentNo: seller.IdentNo, FromFee: 10 * ips.Yuan,
		ToName: buyer.Name, ToAccount: buyer.Account, ToIdentNo: buyer.IdentNo,
		FaceAmount: 4000 * ips.Yuan, Price: 3900 * ips.Yuan, Kind: ips.TransferWholeClaim,
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.RegisterDebtTransferResponse)
	fmt.Println(answer.Outcome)
	fmt.Println(ipsrv.Balance(buyer.Account))

	paid, err := client.Transfer(context.Background(), ips.TransferRequest{
		OrderNo: "T20260302000001", BidNo: bid.BidNo, Date: ips.Today(),
		Type: ips.TransferDebt, Mode: ips.TransferRowByRow,
		Rows: []ips.TransferRow{{
			OriginalOrderNo: answer.OrderNo, Amount: 3900 * ips.Yuan,
			FromAccount: buyer.Account, ToAccount: seller.Account, ToFee: 10 * ips.Yuan,
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(paid.Outcome)
	fmt.Println(ipsrv.Balance(seller.Account))
	// Output:
	// success
	// 1100.00 3900.00
	// success
	// 4890.00 0.00
}

// 4.7 自动投标签约
func ExampleClient_SignAutoBid() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	investor := ipsrv.Person(0)

	form, err := client.SignAutoBid(ips.SignAutoBidRequest{
		OrderNo: "S20260302000001", Date: ips.Today(),
		IdentNo: investor.IdentNo, RealName: investor.Name, Account: investor.Account,
		ValidUnit: ips.PeriodMonths, Valid: 12,
		TermUnit: ips.PeriodMonths, TermFrom: 1, TermTo: 24,
		AmountFrom: 1000 * ips.Yuan, AmountTo: 50_000 * ips.Yuan,
		RateFrom: 8 * ips.Percent, RateTo: 15 * ips.Percent,
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.SignAutoBidResponse)
	fmt.Println(answer.Outcome, answer.AuthNo != "") // keep the number for AutoBid
	// Output: success true
}

// 4.8 自动还款签约
func ExampleClient_SignAutoRepay() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower := ipsrv.Person(0)

	form, err := client.SignAutoRepay(ips.SignAutoRepayRequest{
		OrderNo: "S20260302000002", Date: ips.Today(),
		IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
		ValidUnit: ips.PeriodUnlimited,
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.SignAutoRepayResponse)
	fmt.Println(answer.Outcome, answer.AuthNo != "") // keep the number for AutoRepay
	// Output: success true
}

// 4.9 充值, 网银充值
func ExampleClient_Recharge() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	user := ipsrv.Person(0)

	form, err := client.Recharge(ips.RechargeRequest{
		OrderNo: "R20260302000001", Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 500 * ips.Yuan, Fee: 2 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
		Channel: ips.RechargeEBank, BankCode: "00004", // out of QueryBanks
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.RechargeResponse)
	fmt.Println(answer.Outcome, answer.Amount)
	fmt.Println(ipsrv.Balance(user.Account))
	// Output:
	// success 500.00
	// 498.00 0.00
}

// 4.9 充值, 代扣充值: his card is debited, under a mandate that he has signed.
func ExampleClient_Recharge_withholding() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	user := ipsrv.Person(0)

	form, err := client.Recharge(ips.RechargeRequest{
		OrderNo: "R20260302000002", Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeWithholding, FeePayer: ips.PlatformPaysFee,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ipsrv.Carry(form).Base().Outcome)
	// Output: success
}

// 4.10 转账 类型"投资": the money of investors is released to the borrower.
func ExampleClient_Transfer() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, first, second := ipsrv.Person(0), ipsrv.Person(6000*ips.Yuan), ipsrv.Person(4000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 10_000*ips.Yuan)
	investments := []ips.RegisterCreditorRequest{
		ipsrv.Invest(bid, first, 6000*ips.Yuan), ipsrv.Invest(bid, second, 4000*ips.Yuan),
	}

	req := ips.TransferRequest{
		OrderNo: "T20260302000001", BidNo: bid.BidNo, Date: ips.Today(),
		Type: ips.TransferInvestment, Mode: ips.TransferRowByRow,
	}
	for _, i := range investments {
		req.Rows = append(req.Rows, ips.TransferRow{
			OriginalOrderNo: i.OrderNo, Amount: i.Amount, FromAccount: i.Account, ToAccount: borrower.Account,
		})
	}
	answer, err := client.Transfer(context.Background(), req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Outcome, answer.Code)

	// The result of each row comes with the notification.
	final := ipsrv.WaitNotification(ips.OpTransfer, req.OrderNo).(*ips.TransferResponse)
	for _, row := range final.Rows {
		fmt.Println(row.Amount, row.Status)
	}
	fmt.Println(ipsrv.Balance(borrower.Account))
	// Output:
	// pending MG00008F
	// 6000.00 done
	// 4000.00 done
	// 10000.00 0.00
}

// 4.10 转账 类型"代偿" and "代偿还款": the guarantor pays for the borrower, who pays
// him back.
func ExampleClient_Transfer_compensation() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client, ctx := ipsrv.Client(), context.Background()
	borrower, investor, guarantor := ipsrv.Person(0), ipsrv.Person(3000*ips.Yuan), ipsrv.Person(1000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 3000*ips.Yuan)
	guaranteeExample(ipsrv, bid, guarantor) // see RegisterGuarantor
	claim := ipsrv.Invest(bid, investor, 3000*ips.Yuan)
	ipsrv.PayOut(bid, claim)

	compensation := ips.TransferRequest{
		OrderNo: "T20260302000002", BidNo: bid.BidNo, Date: ips.Today(),
		Type: ips.TransferCompensation, Mode: ips.TransferRowByRow,
		Rows: []ips.TransferRow{{
			OriginalOrderNo: claim.OrderNo, Amount: 300 * ips.Yuan,
			FromAccount: guarantor.Account, ToAccount: investor.Account,
		}},
	}
	if _, err := client.Transfer(ctx, compensation); err != nil {
		log.Fatal(err)
	}
	fmt.Println(ipsrv.WaitNotification(ips.OpTransfer, compensation.OrderNo).Base().Outcome)

	repayment, err := client.Transfer(ctx, ips.TransferRequest{
		OrderNo: "T20260302000003", BidNo: bid.BidNo, Date: ips.Today(),
		Type: ips.TransferCompensationRepayment, Mode: ips.TransferRowByRow,
		Rows: []ips.TransferRow{{
			OriginalOrderNo: compensation.OrderNo, Amount: 300 * ips.Yuan,
			FromAccount: borrower.Account, ToAccount: guarantor.Account,
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(repayment.Outcome, repayment.Rows[0].Status)
	// Output:
	// success
	// success done
}

// 4.10 转账 类型"结算担保收益": the guarantor gets what he was promised.
func ExampleClient_Transfer_guaranteeProfit() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, investor, guarantor := ipsrv.Person(0), ipsrv.Person(3000*ips.Yuan), ipsrv.Person(1000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 3000*ips.Yuan)
	guarantee := guaranteeExample(ipsrv, bid, guarantor) // see RegisterGuarantor
	ipsrv.PayOut(bid, ipsrv.Invest(bid, investor, 3000*ips.Yuan))

	answer, err := client.Transfer(context.Background(), ips.TransferRequest{
		OrderNo: "T20260302000004", BidNo: bid.BidNo, Date: ips.Today(),
		Type: ips.TransferGuaranteeProfit, Mode: ips.TransferRowByRow,
		Rows: []ips.TransferRow{{
			OriginalOrderNo: guarantee.OrderNo, Amount: 50 * ips.Yuan,
			FromAccount: borrower.Account, ToAccount: guarantor.Account,
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Outcome)
	// Output: success
}

// 4.11 还款, 手动还款
func ExampleClient_Repay() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, investor := ipsrv.Person(0), ipsrv.Person(3000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 3000*ips.Yuan)
	claim := ipsrv.Invest(bid, investor, 3000*ips.Yuan)
	ipsrv.PayOut(bid, claim)

	rows := []ips.RepayRow{{
		CreditorOrderNo: claim.OrderNo, Account: investor.Account,
		Amount: 30 * ips.Yuan, Fee: 3 * ips.Yuan, // principal and interest; the platform's fee of it
	}}
	amount, fee := ips.RepayTotals(rows)
	form, err := client.Repay(ips.RepayRequest{
		OrderNo: "P20260302000001", BidNo: bid.BidNo, Date: ips.Today(),
		Account: borrower.Account, Amount: amount, Fee: fee, Rows: rows,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ipsrv.Carry(form).Base().Outcome)

	final := ipsrv.WaitNotification(ips.OpRepay, form.OrderNo()).(*ips.RepayResponse)
	for _, row := range final.Rows {
		fmt.Println(row.CreditorOrderNo == claim.OrderNo, row.Status)
	}
	fmt.Println(ipsrv.Balance(investor.Account))
	// Output:
	// pending
	// true done
	// 27.00 0.00
}

// 4.11 还款, 自动还款
func ExampleClient_AutoRepay() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower, investor := ipsrv.Person(0), ipsrv.Person(3000*ips.Yuan)
	bid := ipsrv.Bid(borrower, 3000*ips.Yuan)
	claim := ipsrv.Invest(bid, investor, 3000*ips.Yuan)
	ipsrv.PayOut(bid, claim)
	authNo := signAutoRepayExample(ipsrv, borrower) // see SignAutoRepay

	rows := []ips.RepayRow{{CreditorOrderNo: claim.OrderNo, Account: investor.Account, Amount: 30 * ips.Yuan}}
	amount, fee := ips.RepayTotals(rows)
	answer, err := client.AutoRepay(context.Background(), ips.AutoRepayRequest{
		OrderNo: "P20260302000002", BidNo: bid.BidNo, Date: ips.Today(), AuthNo: authNo,
		Account: borrower.Account, Amount: amount, Fee: fee, Rows: rows,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Outcome)
	fmt.Println(ipsrv.WaitNotification(ips.OpAutoRepay, answer.OrderNo).Base().Outcome)
	// Output:
	// pending
	// success
}

// 4.12 解冻保证金
func ExampleClient_UnfreezeMargin() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	guarantor := ipsrv.Person(1000 * ips.Yuan)
	bid := ipsrv.Bid(ipsrv.Person(0), 3000*ips.Yuan)
	guaranteeExample(ipsrv, bid, guarantor) // with a margin of 200, see RegisterGuarantor

	answer, err := client.UnfreezeMargin(context.Background(), ips.UnfreezeMarginRequest{
		OrderNo: "U20260302000001", BidNo: bid.BidNo, Date: ips.Today(),
		Owner: ips.GuarantorMargin, Amount: 150 * ips.Yuan,
		IdentNo: guarantor.IdentNo, RealName: guarantor.Name, Account: guarantor.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Outcome, answer.Amount)
	fmt.Println(ipsrv.Balance(guarantor.Account))
	// Output:
	// success 150.00
	// 950.00 50.00
}

// 4.13 自动代扣充值
func ExampleClient_WithholdingRecharge() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	borrower := ipsrv.Person(0)

	answer, err := client.WithholdingRecharge(context.Background(), ips.WithholdingRechargeRequest{
		OrderNo: "R20260302000003", Date: ips.Today(),
		Amount: 500 * ips.Yuan, FeePayer: ips.PlatformPaysFee,
		IdentNo: borrower.IdentNo, RealName: borrower.Name, Account: borrower.Account,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Outcome) // he is asked by text message

	final := ipsrv.WaitNotification(ips.OpWithholdingRecharge, answer.OrderNo).(*ips.WithholdingRechargeResponse)
	fmt.Println(final.Outcome, final.Credited)
	// Output:
	// pending
	// success 500.00
}

// 4.14 提现
func ExampleClient_Withdraw() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	user := ipsrv.Person(500 * ips.Yuan)

	form, err := client.Withdraw(ips.WithdrawRequest{
		OrderNo: "W20260302000001", Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 300 * ips.Yuan, Fee: 2 * ips.Yuan, FeePayer: ips.UserPaysFee,
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.WithdrawResponse)
	fmt.Println(answer.Outcome, answer.Amount)
	fmt.Println(ipsrv.Balance(user.Account)) // fees come on top
	// Output:
	// success 300.00
	// 198.00 0.00
}

// 老版还款: a bid of the interface before v2.0.
func ExampleClient_RepayOldBid() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	borrower, investor := ipsrv.Person(1000*ips.Yuan), ipsrv.Person(0)
	request := ipsrv.OldBid(borrower, 300*ips.Yuan, investor) // of one row, that of the investor

	client, err := ips.NewClient(ipsrv.Config(), ips.WithOldBids(func(bidNo string) bool {
		return strings.HasPrefix(bidNo, "OLD") // however your old bids are told from new ones
	}))
	if err != nil {
		log.Fatal(err)
	}
	form, err := client.RepayOldBid(request)
	if err != nil {
		log.Fatal(err)
	}
	answer := ipsrv.Carry(form).(*ips.RepayOldBidResponse)
	fmt.Println(answer.Outcome, answer.Code)
	for _, row := range answer.Rows {
		fmt.Println(row.Amount, row.Status)
	}
	fmt.Println(ipsrv.Balance(investor.Account))
	// Output:
	// success 0000
	// 300.00 done
	// 300.00 0.00
}

// 账户余额查询
func ExampleClient_QueryBalance() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	user := ipsrv.Person(500 * ips.Yuan)

	b, err := client.QueryBalance(context.Background(), user.Account)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(b.Available, b.Frozen, b.Unsettled)

	_, err = client.QueryBalance(context.Background(), "4021000000009999")
	fmt.Println(errors.Is(err, ips.CodeQueryFailed))
	// Output:
	// 500.00 0.00 0.00
	// true
}

// 银行列表查询
func ExampleClient_QueryBanks() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()

	answer, err := client.QueryBanks(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, bank := range answer.Banks[:2] {
		fmt.Println(bank.Code, bank.Name, bank.Alias)
	}
	// Output:
	// 00004 中国工商银行 工行
	// 00017 中国农业银行 农行
}

// 账户信息查询
func ExampleClient_QueryAccount() {
	ipsrv := ipstest.Start()
	defer ipsrv.Close()
	client := ipsrv.Client()
	user := ipsrv.Person(0)

	a, err := client.QueryAccount(context.Background(), user.Account)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Status, a.BankName, a.BankCard)
	// Output: active 中国工商银行 0001
}

// 交易查询: of a platform that has it, as Environment.TradeQuery says.
func ExampleClient_QueryTrade() {
	ipsrv := ipstest.Start(ipstest.WithManual())
	defer ipsrv.Close()
	client := ipsrv.Client()
	user := ipsrv.Person(0)
	recharge := ips.RechargeRequest{ // recorded
		OrderNo: "R20260302000001", Date: ips.Today(),
		IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.UserPaysFee,
	}
	form, err := client.Recharge(recharge)
	if err != nil {
		log.Fatal(err)
	}
	ipsrv.Carry(form)

	kind, certain, _ := ips.TradeTypeOf(recharge)
	trade, err := client.QueryTrade(context.Background(), ips.QueryTradeRequest{OrderNo: recharge.OrderNo, Type: kind})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(trade.Status, certain)

	answer, err := ips.Asked(recharge, trade) // what that means for the order
	if err != nil {
		log.Fatal(err)
	}
	state, change, err := ips.OrderUnknown.Next(answer.Base())
	fmt.Println(state, change == ips.Changed, err)
	// Output:
	// done true
	// done true <nil>
}

// What an example needs and another one shows.

func signAutoBidExample(ipsrv *ipstest.Server, p ipstest.Person) (authNo string) {
	form, err := ipsrv.Client().SignAutoBid(ips.SignAutoBidRequest{
		OrderNo: "S1", Date: ips.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		ValidUnit: ips.PeriodMonths, Valid: 12, TermUnit: ips.PeriodMonths, TermFrom: 1, TermTo: 24,
		AmountFrom: 1000 * ips.Yuan, AmountTo: 50_000 * ips.Yuan, RateFrom: 8 * ips.Percent, RateTo: 15 * ips.Percent,
	})
	if err != nil {
		log.Fatal(err)
	}
	return ipsrv.Carry(form).(*ips.SignAutoBidResponse).AuthNo
}

func signAutoRepayExample(ipsrv *ipstest.Server, p ipstest.Person) (authNo string) {
	form, err := ipsrv.Client().SignAutoRepay(ips.SignAutoRepayRequest{
		OrderNo: "S1", Date: ips.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
		ValidUnit: ips.PeriodUnlimited,
	})
	if err != nil {
		log.Fatal(err)
	}
	return ipsrv.Carry(form).(*ips.SignAutoRepayResponse).AuthNo
}

func guaranteeExample(ipsrv *ipstest.Server, bid ips.RegisterBidRequest, p ipstest.Person) ips.RegisterGuarantorRequest {
	req := ips.RegisterGuarantorRequest{
		OrderNo: "G1", Date: ips.Today(), BidNo: bid.BidNo,
		Amount: bid.Amount, Margin: 200 * ips.Yuan, Profit: 50 * ips.Yuan,
		IdentNo: p.IdentNo, AccountName: p.Name, Account: p.Account,
	}
	form, err := ipsrv.Client().RegisterGuarantor(req)
	if err != nil {
		log.Fatal(err)
	}
	ipsrv.Carry(form)
	return req
}
