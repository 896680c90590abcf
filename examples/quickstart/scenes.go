package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ips-p2p/ips"
)

// openAccounts is scenario 1 用户开户. The number of the new account is what a
// platform must keep.
func openAccounts(ctx context.Context, s *story) error {
	for _, who := range []party{zhangSan, liSi, wangWu, zhaoLiu} {
		p := s.people[who]
		resp, err := redirect[*ips.OpenAccountResponse](ctx, s.merchant, p.name, s.OpenAccount, ips.OpenAccountRequest{
			OrderNo:  s.newOrder(),
			IdentNo:  p.identNo,
			RealName: p.name,
			Mobile:   p.mobile,
			Email:    p.email,
			Date:     s.today,
		})
		if err != nil {
			return err
		}
		p.account = resp.Account
	}
	return nil
}

// rechargeAtBank is scenario 10 充值(网银).
func rechargeAtBank(ctx context.Context, s *story) error {
	banks, err := s.QueryBanks(ctx)
	if err != nil {
		return err
	}
	s.out.step(fmt.Sprintf("%d banks", len(banks.Banks)), banks, banks)
	if len(banks.Banks) == 0 {
		return errors.New("IPS knows no bank to recharge from")
	}
	for _, deposit := range []struct {
		by     party
		amount ips.Amount
	}{
		{liSi, 10000 * ips.Yuan},
		{wangWu, 12000 * ips.Yuan},
		{zhaoLiu, 5000 * ips.Yuan},
	} {
		p := s.people[deposit.by]
		_, err := redirect[*ips.RechargeResponse](ctx, s.merchant, fmt.Sprint(p.name, " ", deposit.amount), s.Recharge, ips.RechargeRequest{
			OrderNo:  s.newOrder(),
			IdentNo:  p.identNo,
			RealName: p.name,
			Account:  p.account,
			Date:     s.today,
			Amount:   deposit.amount,
			Channel:  ips.RechargeEBank,
			BankCode: banks.Banks[0].Code,
			FeePayer: ips.PlatformPaysFee,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rechargeByMandate is scenario 11 充值(委托收款-用户发起). The user has signed a
// mandate (委托授权书) on paper before.
func rechargeByMandate(ctx context.Context, s *story) error {
	p := s.people[zhangSan]
	_, err := redirect[*ips.RechargeResponse](ctx, s.merchant, p.name+" 2000.00", s.Recharge, ips.RechargeRequest{
		OrderNo:  s.newOrder(),
		IdentNo:  p.identNo,
		RealName: p.name,
		Account:  p.account,
		Date:     s.today,
		Amount:   2000 * ips.Yuan,
		Channel:  ips.RechargeWithholding,
		FeePayer: ips.PlatformPaysFee,
	})
	return err
}

// rechargeByMerchant is scenario 12 充值(委托收款-商户发起). IPS texts the user, and
// debits his card after his yes.
func rechargeByMerchant(ctx context.Context, s *story) error {
	p := s.people[zhangSan]
	_, err := call(ctx, s.merchant, p.name+" 1000.00", s.WithholdingRecharge, ips.WithholdingRechargeRequest{
		OrderNo:  s.newOrder(),
		Date:     s.today,
		Amount:   1000 * ips.Yuan,
		FeePayer: ips.PlatformPaysFee,
		IdentNo:  p.identNo,
		RealName: p.name,
		Account:  p.account,
	})
	return err
}

// registerBids is scenario 2 平台发布借款标. The requests are kept: the end of a
// bid repeats its registration.
func registerBids(ctx context.Context, s *story) error {
	s.car = s.bid("CAR", "购车", 10000*ips.Yuan, 12*ips.Percent, 2)
	s.car.Margin = 500 * ips.Yuan
	s.car.Fee = 100 * ips.Yuan
	s.car.RepayMode = ips.RepayInterestFirst
	s.shop = s.bid("SHOP", "开店", 6000*ips.Yuan, 10*ips.Percent, 6)
	s.shop.Margin = 300 * ips.Yuan
	s.shop.Fee = 60 * ips.Yuan
	s.shop.RepayMode = ips.RepayOther
	if err := s.registerBid(ctx, s.car); err != nil {
		return err
	}
	return s.registerBid(ctx, s.shop)
}

// bid is a bid of 张三.
func (s *story) bid(name, purpose string, amount ips.Amount, rate ips.Rate, months int) ips.RegisterBidRequest {
	p := s.people[zhangSan]
	return ips.RegisterBidRequest{
		OrderNo:  s.newOrder(),
		BidNo:    s.prefix + name,
		Date:     s.today,
		Amount:   amount,
		Rate:     rate,
		TermUnit: ips.TermMonths,
		Term:     months,
		Purpose:  purpose,
		IdentNo:  p.identNo,
		RealName: p.name,
		Account:  p.account,
	}
}

func (s *story) registerBid(ctx context.Context, bid ips.RegisterBidRequest) error {
	about := fmt.Sprint(bid.Purpose, " ", bid.Amount)
	_, err := redirect[*ips.BidResponse](ctx, s.merchant, about, s.RegisterBid, bid)
	return err
}

// registerGuarantors is scenario 3 担保方对标的担保.
func registerGuarantors(ctx context.Context, s *story) error {
	p := s.people[zhaoLiu]
	guarantee := ips.RegisterGuarantorRequest{
		OrderNo:     s.newOrder(),
		Date:        s.today,
		BidNo:       s.car.BidNo,
		Amount:      10000 * ips.Yuan,
		Margin:      1000 * ips.Yuan,
		Profit:      50 * ips.Yuan,
		IdentNo:     p.identNo,
		AccountName: p.name,
		Account:     p.account,
	}
	s.carGuarantee = guarantee.OrderNo
	_, err := redirect[*ips.RegisterGuarantorResponse](ctx, s.merchant, "赵六 margin 1000.00", s.RegisterGuarantor, guarantee)
	if err != nil {
		return err
	}
	guarantee.OrderNo, guarantee.BidNo = s.newOrder(), s.shop.BidNo
	guarantee.Amount, guarantee.Margin, guarantee.Profit = 6000*ips.Yuan, 0, 0
	_, err = redirect[*ips.RegisterGuarantorResponse](ctx, s.merchant, "赵六 no margin", s.RegisterGuarantor, guarantee)
	return err
}

// lendForCar is scenario 4 投资人投标(一次性放款). First 李四 bids more than he has,
// which IPS refuses; then both bid, and when the bid is full all the money is
// released in one batch.
func lendForCar(ctx context.Context, s *story) error {
	_, err := s.lend(ctx, s.car.BidNo, liSi, 10000*ips.Yuan, 10*ips.Yuan)
	if err := refusedWith(ips.CodeInvestorFunds, err); err != nil {
		return err
	}
	if s.carLi, err = s.lend(ctx, s.car.BidNo, liSi, 6000*ips.Yuan, 6*ips.Yuan); err != nil {
		return err
	}
	if s.carWang, err = s.lend(ctx, s.car.BidNo, wangWu, 4000*ips.Yuan, 4*ips.Yuan); err != nil {
		return err
	}
	return s.release(ctx, s.car.BidNo, ips.TransferBatched,
		s.releaseRow(s.carLi, 6000*ips.Yuan, 6*ips.Yuan, 60*ips.Yuan),
		s.releaseRow(s.carWang, 4000*ips.Yuan, 4*ips.Yuan, 40*ips.Yuan),
	)
}

// refusedWith makes sure that IPS refused, and with this code.
func refusedWith(code ips.Code, err error) error {
	switch {
	case errors.Is(err, code):
		return nil
	case err == nil:
		return fmt.Errorf("IPS should have refused with %s and did not", code)
	}
	return fmt.Errorf("IPS should have refused with %s: %w", code, err)
}

// lendForShop is scenario 5 投资人投标(随投随放).
func lendForShop(ctx context.Context, s *story) (err error) {
	if s.shopLi, err = s.lend(ctx, s.shop.BidNo, liSi, 2000*ips.Yuan, 2*ips.Yuan); err != nil {
		return err
	}
	err = s.release(ctx, s.shop.BidNo, ips.TransferRowByRow, s.releaseRow(s.shopLi, 2000*ips.Yuan, 2*ips.Yuan, 20*ips.Yuan))
	if err != nil {
		return err
	}
	if s.shopWang, err = s.lend(ctx, s.shop.BidNo, wangWu, 1000*ips.Yuan, 1*ips.Yuan); err != nil {
		return err
	}
	return s.release(ctx, s.shop.BidNo, ips.TransferRowByRow, s.releaseRow(s.shopWang, 1000*ips.Yuan, 1*ips.Yuan, 10*ips.Yuan))
}

// lend bids for an investor, who confirms it; amount and fee are frozen.
func (s *story) lend(ctx context.Context, bidNo string, who party, amount, fee ips.Amount) (claim, error) {
	p := s.people[who]
	c := s.newClaim(p)
	resp, err := redirect[*ips.CreditorResponse](ctx, s.merchant, fmt.Sprint(p.name, " ", amount), s.RegisterCreditor, ips.RegisterCreditorRequest{
		OrderNo:    c.orderNo,
		Date:       s.today,
		BidNo:      bidNo,
		ContractNo: c.contractNo,
		Amount:     amount,
		Fee:        fee,
		IdentNo:    p.identNo,
		RealName:   p.name,
		Account:    p.account,
		Purpose:    "借款",
	})
	if err != nil {
		return c, err
	}
	return c, frozen(resp, amount+fee)
}

func (s *story) newClaim(p *person) claim {
	orderNo := s.newOrder()
	return claim{orderNo: orderNo, contractNo: "C" + orderNo, holder: p}
}

// frozen makes sure that a bid has frozen what it should.
func frozen(resp *ips.CreditorResponse, want ips.Amount) error {
	if resp.Frozen != want {
		return fmt.Errorf("%s is frozen, and should be %s", resp.Frozen, want)
	}
	return nil
}

// release pays investors' money out to the borrower (4.10 转账, type 投资). Its
// first answer is pending, the result of each row comes as a notification.
func (s *story) release(ctx context.Context, bidNo string, mode ips.TransferMode, rows ...ips.TransferRow) error {
	return s.transfer(ctx, bidNo, ips.TransferInvestment, mode, rows...)
}

func (s *story) releaseRow(c claim, amount, investorFee, borrowerFee ips.Amount) ips.TransferRow {
	return ips.TransferRow{
		OriginalOrderNo: c.orderNo,
		Amount:          amount,
		FromAccount:     c.holder.account,
		FromFee:         investorFee,
		ToAccount:       s.people[zhangSan].account,
		ToFee:           borrowerFee,
	}
}

func (s *story) transfer(ctx context.Context, bidNo string, kind ips.TransferType, mode ips.TransferMode, rows ...ips.TransferRow) error {
	_, err := call(ctx, s.merchant, fmt.Sprintf("%s, rows: %d", kind, len(rows)), s.Transfer, ips.TransferRequest{
		OrderNo: s.newOrder(),
		BidNo:   bidNo,
		Date:    s.today,
		Type:    kind,
		Mode:    mode,
		Rows:    rows,
	})
	return err
}

// bidAutomatically is scenario 16 投资人设置自动投标: the contract gives the number
// with which the platform bids for the investor. No page is shown for that.
func bidAutomatically(ctx context.Context, s *story) error {
	p := s.people[wangWu]
	contract, err := redirect[*ips.SignAutoBidResponse](ctx, s.merchant, p.name, s.SignAutoBid, ips.SignAutoBidRequest{
		OrderNo:    s.newOrder(),
		Date:       s.today,
		IdentNo:    p.identNo,
		RealName:   p.name,
		Account:    p.account,
		ValidUnit:  ips.PeriodMonths,
		Valid:      3,
		TermUnit:   ips.PeriodMonths,
		TermFrom:   1,
		TermTo:     12,
		AmountFrom: 1000 * ips.Yuan,
		AmountTo:   10000 * ips.Yuan,
		RateFrom:   8 * ips.Percent,
		RateTo:     15 * ips.Percent,
	})
	if err != nil {
		return err
	}
	c := s.newClaim(p)
	resp, err := call(ctx, s.merchant, "王五 3000.00", s.AutoBid, ips.AutoBidRequest{
		OrderNo:    c.orderNo,
		Date:       s.today,
		BidNo:      s.shop.BidNo,
		ContractNo: c.contractNo,
		AuthNo:     contract.AuthNo,
		Amount:     3000 * ips.Yuan,
		Fee:        3 * ips.Yuan,
		IdentNo:    p.identNo,
		RealName:   p.name,
		Account:    p.account,
		Purpose:    s.shop.Purpose,
	})
	if err != nil {
		return err
	}
	if err := frozen(resp, 3003*ips.Yuan); err != nil {
		return err
	}
	s.shopWangAgain = c
	return s.release(ctx, s.shop.BidNo, ips.TransferRowByRow, s.releaseRow(c, 3000*ips.Yuan, 3*ips.Yuan, 30*ips.Yuan))
}

// sellClaim is scenario 6 个人债权转让: the assignee confirms and his money is
// frozen, then it is transferred. From here on 王五 holds the claim.
func sellClaim(ctx context.Context, s *story) error {
	from, to := s.people[liSi], s.people[wangWu]
	sale := ips.RegisterDebtTransferRequest{
		OrderNo:         s.newOrder(),
		Date:            s.today,
		BidNo:           s.shop.BidNo,
		ContractNo:      s.shopLi.contractNo,
		FromName:        from.name,
		FromAccount:     from.account,
		FromIdentNo:     from.identNo,
		ToName:          to.name,
		ToAccount:       to.account,
		ToIdentNo:       to.identNo,
		CreditorOrderNo: s.shopLi.orderNo,
		FaceAmount:      2000 * ips.Yuan,
		Price:           1900 * ips.Yuan,
		FromFee:         10 * ips.Yuan,
		ToFee:           5 * ips.Yuan,
		Kind:            ips.TransferWholeClaim,
	}
	_, err := redirect[*ips.RegisterDebtTransferResponse](ctx, s.merchant, "李四 → 王五 1900.00", s.RegisterDebtTransfer, sale)
	if err != nil {
		return err
	}
	// The money goes the other way than the claim: from the assignee.
	err = s.transfer(ctx, s.shop.BidNo, ips.TransferDebt, ips.TransferRowByRow, ips.TransferRow{
		OriginalOrderNo: sale.OrderNo,
		Amount:          sale.Price,
		FromAccount:     to.account,
		FromFee:         sale.ToFee,
		ToAccount:       from.account,
		ToFee:           sale.FromFee,
	})
	if err != nil {
		return err
	}
	s.shopLi.holder = to
	return nil
}

// compensate is scenario 8 担保方代偿. The transfer's own order number is what
// its repayment refers to.
func compensate(ctx context.Context, s *story) error {
	row := func(c claim, amount ips.Amount) ips.TransferRow {
		return ips.TransferRow{
			OriginalOrderNo: c.orderNo,
			Amount:          amount,
			FromAccount:     s.people[zhaoLiu].account,
			ToAccount:       c.holder.account,
		}
	}
	resp, err := call(ctx, s.merchant, "赵六 100.00", s.Transfer, ips.TransferRequest{
		OrderNo: s.newOrder(),
		BidNo:   s.car.BidNo,
		Date:    s.today,
		Type:    ips.TransferCompensation,
		Rows:    []ips.TransferRow{row(s.carLi, 60*ips.Yuan), row(s.carWang, 40*ips.Yuan)},
	})
	if err != nil {
		return err
	}
	s.compensation = resp.OrderNo
	return nil
}

// repayGuarantor is scenario 9 借款人针对代偿的还款, and 结算担保收益.
func repayGuarantor(ctx context.Context, s *story) error {
	pay := func(kind ips.TransferType, original string, amount ips.Amount) error {
		return s.transfer(ctx, s.car.BidNo, kind, ips.TransferRowByRow, ips.TransferRow{
			OriginalOrderNo: original,
			Amount:          amount,
			FromAccount:     s.people[zhangSan].account,
			ToAccount:       s.people[zhaoLiu].account,
		})
	}
	if err := pay(ips.TransferCompensationRepayment, s.compensation, 100*ips.Yuan); err != nil {
		return err
	}
	return pay(ips.TransferGuaranteeProfit, s.carGuarantee, 50*ips.Yuan)
}

// repay is scenario 7 借款人还款, by hand: the borrower confirms.
func repay(ctx context.Context, s *story) error {
	car := []ips.RepayRow{
		repayRow(s.carLi, 6060*ips.Yuan, 6*ips.Yuan),
		repayRow(s.carWang, 4040*ips.Yuan, 4*ips.Yuan),
	}
	for _, r := range []struct {
		bid  ips.RegisterBidRequest
		rows []ips.RepayRow
	}{
		{s.car, car}, {s.shop, s.halfOfShop()},
	} {
		amount, fee := ips.RepayTotals(r.rows)
		_, err := redirect[*ips.RepayResponse](ctx, s.merchant, fmt.Sprint(r.bid.Purpose, " ", amount), s.Repay, ips.RepayRequest{
			BidNo:   r.bid.BidNo,
			Date:    s.today,
			OrderNo: s.newOrder(),
			Account: s.people[zhangSan].account,
			Amount:  amount,
			Fee:     fee,
			Rows:    r.rows,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// halfOfShop is half of what is owed for the shop: 105 % of 1,000, 500 and
// 1,500. The first row goes to whoever holds 李四's claim by now.
func (s *story) halfOfShop() []ips.RepayRow {
	return []ips.RepayRow{
		repayRow(s.shopLi, 1050*ips.Yuan, 5*ips.Yuan),
		repayRow(s.shopWang, 525*ips.Yuan, 2*ips.Yuan+50*ips.Fen),
		repayRow(s.shopWangAgain, 1575*ips.Yuan, 7*ips.Yuan+50*ips.Fen),
	}
}

func repayRow(c claim, amount, creditorFee ips.Amount) ips.RepayRow {
	return ips.RepayRow{
		CreditorOrderNo: c.orderNo,
		Account:         c.holder.account,
		Fee:             creditorFee,
		BorrowerFee:     1 * ips.Yuan,
		Amount:          amount,
	}
}

// repayAutomatically is scenario 17 借款人设置自动还款, and the automatic part of
// scenario 7.
func repayAutomatically(ctx context.Context, s *story) error {
	p := s.people[zhangSan]
	contract, err := redirect[*ips.SignAutoRepayResponse](ctx, s.merchant, p.name, s.SignAutoRepay, ips.SignAutoRepayRequest{
		OrderNo:   s.newOrder(),
		Date:      s.today,
		IdentNo:   p.identNo,
		RealName:  p.name,
		Account:   p.account,
		ValidUnit: ips.PeriodUnlimited,
	})
	if err != nil {
		return err
	}
	rows := s.halfOfShop()
	amount, fee := ips.RepayTotals(rows)
	_, err = call(ctx, s.merchant, fmt.Sprint(s.shop.Purpose, " ", amount), s.AutoRepay, ips.AutoRepayRequest{
		BidNo:   s.shop.BidNo,
		Date:    s.today,
		OrderNo: s.newOrder(),
		AuthNo:  contract.AuthNo,
		Account: p.account,
		Amount:  amount,
		Fee:     fee,
		Rows:    rows,
	})
	return err
}

// unfreezeGuarantor is scenario 14 解冻担保方保证金. Of the margin of 1,000 the
// compensation took 100.
func unfreezeGuarantor(ctx context.Context, s *story) error {
	if err := s.unfreeze(ctx, ips.GuarantorMargin, zhaoLiu, 400*ips.Yuan); err != nil {
		return err
	}
	return s.unfreeze(ctx, ips.GuarantorMargin, zhaoLiu, 500*ips.Yuan)
}

// unfreezeBorrower is scenario 15 解冻借款人保证金.
func unfreezeBorrower(ctx context.Context, s *story) error {
	if err := s.unfreeze(ctx, ips.BorrowerMargin, zhangSan, 200*ips.Yuan); err != nil {
		return err
	}
	return s.unfreeze(ctx, ips.BorrowerMargin, zhangSan, 300*ips.Yuan)
}

func (s *story) unfreeze(ctx context.Context, owner ips.MarginOwner, who party, amount ips.Amount) error {
	p := s.people[who]
	_, err := call(ctx, s.merchant, fmt.Sprint(p.name, " ", amount), s.UnfreezeMargin, ips.UnfreezeMarginRequest{
		OrderNo:  s.newOrder(),
		BidNo:    s.car.BidNo,
		Date:     s.today,
		Amount:   amount,
		Owner:    owner,
		IdentNo:  p.identNo,
		RealName: p.name,
		Account:  p.account,
	})
	return err
}

// withdraw is scenario 13 托管账户提现. The fee comes on top of the amount.
func withdraw(ctx context.Context, s *story) error {
	p := s.people[liSi]
	_, err := redirect[*ips.WithdrawResponse](ctx, s.merchant, p.name+" 5000.00", s.Withdraw, ips.WithdrawRequest{
		OrderNo:  s.newOrder(),
		IdentNo:  p.identNo,
		RealName: p.name,
		Account:  p.account,
		Date:     s.today,
		Amount:   5000 * ips.Yuan,
		Fee:      2 * ips.Yuan,
		FeePayer: ips.PlatformPaysFee,
	})
	return err
}

// callOff registers a bid that does not come about, and ends it.
func callOff(ctx context.Context, s *story) error {
	holiday := s.bid("HOLIDAY", "旅游", 3000*ips.Yuan, 10*ips.Percent, 6)
	holiday.Margin = 100 * ips.Yuan
	holiday.Fee = 30 * ips.Yuan
	holiday.RepayMode = ips.RepayAnnuity
	if err := s.registerBid(ctx, holiday); err != nil {
		return err
	}
	if _, err := s.lend(ctx, holiday.BidNo, liSi, 1000*ips.Yuan, 1*ips.Yuan); err != nil {
		return err
	}
	return s.endBid(ctx, holiday)
}

// endBids ends the bids that are repaid.
func endBids(ctx context.Context, s *story) error {
	if err := s.endBid(ctx, s.car); err != nil {
		return err
	}
	return s.endBid(ctx, s.shop)
}

func (s *story) endBid(ctx context.Context, registration ips.RegisterBidRequest) error {
	_, err := call(ctx, s.merchant, registration.Purpose, s.EndBid, registration.End(s.today))
	return err
}
