package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ips-p2p/ips"
)

// Person is a fictional user of the platform.
type Person struct {
	Name    string
	IdentNo string
	Mobile  string
	Email   string
	Account string // custody account, once it is open
}

// NewPerson invents 张三, 李四, 王五 or 赵六, without a custody account. His
// e-mail address is new to any IPS, as it must be.
func NewPerson(name string) Person {
	n := slices.Index([]string{"张三", "李四", "王五", "赵六"}, name) + 1
	return Person{
		Name:    name,
		IdentNo: fmt.Sprintf("11010119900101%04d", n),
		Mobile:  fmt.Sprintf("1380000000%d", n),
		Email:   strings.ToLower(rand.Text()) + "@example.com",
	}
}

// Person invents a person as [NewPerson] does, opens a custody account for him
// and has him pay the funds in through a bank. They may be 0.
func (m *Merchant) Person(ctx context.Context, name string, funds ips.Amount) (Person, error) {
	p := NewPerson(name)
	form, err := m.Client.OpenAccount(Recorded(m.Orders, ips.OpenAccountRequest{
		OrderNo:  ips.NewOrderNo("OA"),
		IdentNo:  p.IdentNo,
		RealName: p.Name,
		Mobile:   p.Mobile,
		Email:    p.Email,
		Date:     ips.Today(),
	}))
	if err != nil {
		return p, err
	}
	opened, err := m.decided(ctx, form)
	if err != nil {
		return p, err
	}
	p.Account = opened.(*ips.OpenAccountResponse).Account
	if funds == 0 {
		return p, nil
	}
	return p, m.payIn(ctx, p, funds)
}

func (m *Merchant) payIn(ctx context.Context, p Person, funds ips.Amount) error {
	banks, err := m.Client.QueryBanks(ctx)
	if err != nil {
		return err
	}
	if len(banks.Banks) == 0 {
		return errors.New("IPS knows no bank to recharge from")
	}
	form, err := m.Client.Recharge(Recorded(m.Orders, ips.RechargeRequest{
		OrderNo:  ips.NewOrderNo("RC"),
		IdentNo:  p.IdentNo,
		RealName: p.Name,
		Account:  p.Account,
		Date:     ips.Today(),
		Amount:   funds,
		Channel:  ips.RechargeEBank,
		BankCode: banks.Banks[0].Code,
		FeePayer: ips.PlatformPaysFee,
	}))
	if err != nil {
		return err
	}
	return m.Visit(ctx, form)
}

// Loan is a loan that was paid out: 张三 owes 李四 6,000.00 and 王五 4,000.00, at
// 12 % a year, and has put up a margin of 500.00.
type Loan struct {
	Bid          ips.RegisterBidRequest
	ZhangSan     Person // borrower, who has 10,500.00 available
	LiSi, WangWu Claim
}

// Claim is what an investor is owed. The order number of its registration
// stands for it for good, whoever holds it.
type Claim struct {
	ips.RegisterCreditorRequest
	Investor Person
}

// Loan has people borrow and lend. None of it costs a fee.
func (m *Merchant) Loan(ctx context.Context) (loan Loan, err error) {
	if loan.ZhangSan, err = m.Person(ctx, "张三", 1000*ips.Yuan); err != nil {
		return loan, err
	}
	if loan.Bid, err = m.Bid(ctx, loan.ZhangSan, 10000*ips.Yuan); err != nil {
		return loan, err
	}
	if loan.LiSi, err = m.lend(ctx, loan.Bid, "李四", 6000*ips.Yuan); err != nil {
		return loan, err
	}
	if loan.WangWu, err = m.lend(ctx, loan.Bid, "王五", 4000*ips.Yuan); err != nil {
		return loan, err
	}
	return loan, nil
}

// Bid registers a bid for a loan over a year at 12 %, with a margin of 500.00,
// and has the borrower agree.
func (m *Merchant) Bid(ctx context.Context, borrower Person, amount ips.Amount) (ips.RegisterBidRequest, error) {
	bid := ips.RegisterBidRequest{
		OrderNo:   ips.NewOrderNo("BD"),
		BidNo:     ips.NewOrderNo("BID"),
		Date:      ips.Today(),
		Amount:    amount,
		Margin:    500 * ips.Yuan,
		Rate:      12 * ips.Percent,
		TermUnit:  ips.TermMonths,
		Term:      12,
		Purpose:   "经营周转",
		RepayMode: ips.RepayInterestFirst,
		IdentNo:   borrower.IdentNo,
		RealName:  borrower.Name,
		Account:   borrower.Account,
	}
	form, err := m.Client.RegisterBid(Recorded(m.Orders, bid))
	if err != nil {
		return bid, err
	}
	return bid, m.Visit(ctx, form)
}

// lend has a new investor bid with all that he has, and pays it out.
func (m *Merchant) lend(ctx context.Context, bid ips.RegisterBidRequest, name string, amount ips.Amount) (Claim, error) {
	p, err := m.Person(ctx, name, amount)
	if err != nil {
		return Claim{}, err
	}
	claim := Claim{Investor: p, RegisterCreditorRequest: ips.RegisterCreditorRequest{
		OrderNo:    ips.NewOrderNo("CR"),
		Date:       ips.Today(),
		BidNo:      bid.BidNo,
		ContractNo: ips.NewOrderNo("CT"),
		Amount:     amount,
		IdentNo:    p.IdentNo,
		RealName:   p.Name,
		Account:    p.Account,
		Purpose:    bid.Purpose,
	}}
	form, err := m.Client.RegisterCreditor(Recorded(m.Orders, claim.RegisterCreditorRequest))
	if err != nil {
		return claim, err
	}
	if err := m.Visit(ctx, form); err != nil {
		return claim, err
	}
	return claim, m.Release(ctx, bid, claim.OrderNo, p.Account, amount)
}

// Release pays a claim out to the borrower: the amount that an investor's
// account has frozen under an order number.
func (m *Merchant) Release(ctx context.Context, bid ips.RegisterBidRequest, orderNo, account string, amount ips.Amount) error {
	req := ips.TransferRequest{
		OrderNo: ips.NewOrderNo("TR"),
		BidNo:   bid.BidNo,
		Date:    ips.Today(),
		Type:    ips.TransferInvestment,
		Mode:    ips.TransferRowByRow,
		Rows:    []ips.TransferRow{{OriginalOrderNo: orderNo, Amount: amount, FromAccount: account, ToAccount: bid.Account}},
	}
	if _, err := m.Client.Transfer(ctx, Recorded(m.Orders, req)); err != nil {
		return err
	}
	return m.Wait(ctx, ips.OpTransfer, req.OrderNo)
}

// FailedRows is the error of a batch that succeeded in part, a *[RowsError]: the
// order as a whole has succeeded then, and not all the money has moved.
func FailedRows(resp ips.Response) error {
	var failed []string
	row := func(i int, status ips.RowStatus, message string) {
		if status != ips.RowDone {
			failed = append(failed, fmt.Sprintf("row %d: %s", i+1, message))
		}
	}
	switch r := resp.(type) {
	case *ips.TransferResponse:
		for i, result := range r.Rows {
			row(i, result.Status, result.Message)
		}
	case *ips.RepayResponse:
		for i, result := range r.Rows {
			row(i, result.Status, result.Message)
		}
	}
	if failed == nil {
		return nil
	}
	return &RowsError{failed}
}

// RowsError says which rows of a batch failed.
type RowsError struct{ Failed []string }

// Error gives the rows and why they failed, one per line.
func (e *RowsError) Error() string { return strings.Join(e.Failed, "\n") }
