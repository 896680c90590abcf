package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// act is what the platform has to know of an operation: how it travels, what
// its answers must say, and what follows from them.
type act interface {
	form(c *ips.Client, request string) (*ips.Form, error)
	call(ctx context.Context, c *ips.Client, request string) (ips.Response, error)
	keeps() bool  // a refusal undoes nothing, so a success may still come
	called() bool // by the platform itself, so it can be repeated without the user
	claims(request string, resp ips.Response) (*claims, error)
	done(e *effect, resp ips.Response) error
	refused(e *effect) error
	// assumed is the answer that a success would be, as far as the request
	// tells it; nil where only IPS can tell.
	assumed(request string) (ips.Response, error)
}

// deed implements act for an operation with request Q and response R. Of form
// and send there is one; the rest may be nil.
type deed[Q any, R ips.Response] struct {
	viaForm  func(*ips.Client, Q) (*ips.Form, error)
	viaCall  func(*ips.Client, context.Context, Q) (R, error)
	says     func(c *claims, q Q, r R)
	onDone   func(e *effect, q Q, r R) error
	onRefuse func(e *effect, q Q) error
	assume   func(q Q) R
}

func decode[Q any](request string) (q Q, err error) {
	if err = json.Unmarshal([]byte(request), &q); err != nil {
		// The decoder's text could quote the request, which is personal.
		err = errors.New("orders: a recorded request cannot be read")
	}
	return q, err
}

func (d deed[Q, R]) called() bool { return d.viaCall != nil }

func (d deed[Q, R]) keeps() bool { return d.onRefuse == nil }

func (d deed[Q, R]) form(c *ips.Client, request string) (*ips.Form, error) {
	q, err := decode[Q](request)
	switch {
	case err != nil:
		return nil, err
	case d.viaForm == nil:
		return nil, errors.New("orders: no form carries this operation")
	}
	return d.viaForm(c, q)
}

func (d deed[Q, R]) call(ctx context.Context, c *ips.Client, request string) (ips.Response, error) {
	q, err := decode[Q](request)
	switch {
	case err != nil:
		return nil, err
	case d.viaCall == nil:
		return nil, errors.New("orders: the user's browser carries this operation")
	}
	r, err := d.viaCall(c, ctx, q)
	if reflect.ValueOf(r).IsNil() {
		return nil, err
	}
	return r, err
}

func (d deed[Q, R]) claims(request string, resp ips.Response) (*claims, error) {
	q, err := decode[Q](request)
	if err != nil {
		return nil, err
	}
	r, ok := resp.(R)
	if !ok {
		return nil, fmt.Errorf("orders: an answer of type %T", resp)
	}
	c := &claims{said: make(map[string]string)}
	if d.says != nil {
		d.says(c, q, r)
	}
	return c, nil
}

func (d deed[Q, R]) done(e *effect, resp ips.Response) error {
	q, err := decode[Q](e.order.Request)
	if err != nil {
		return err
	}
	return d.onDone(e, q, resp.(R)) // claims has seen the type
}

func (d deed[Q, R]) refused(e *effect) error {
	q, err := decode[Q](e.order.Request)
	if err != nil || d.onRefuse == nil {
		return err
	}
	return d.onRefuse(e, q)
}

func (d deed[Q, R]) assumed(request string) (ips.Response, error) {
	q, err := decode[Q](request)
	if err != nil || d.assume == nil {
		return nil, err
	}
	return d.assume(q), nil
}

// actOf finds what the platform does with an operation.
func actOf(op ips.Operation) (act, error) {
	switch op {
	case ips.OpOpenAccount:
		return deed[ips.OpenAccountRequest, *ips.OpenAccountResponse]{
			viaForm: (*ips.Client).OpenAccount, says: sayAccount, onDone: accountOpened,
		}, nil
	case ips.OpRecharge:
		return deed[ips.RechargeRequest, *ips.RechargeResponse]{
			viaForm: (*ips.Client).Recharge, says: sayRecharge, onDone: recharged, assume: assumeRecharge,
		}, nil
	case ips.OpWithholdingRecharge:
		return deed[ips.WithholdingRechargeRequest, *ips.WithholdingRechargeResponse]{
			viaCall: (*ips.Client).WithholdingRecharge, says: sayWithholding, onDone: withheld,
		}, nil
	case ips.OpWithdraw:
		return deed[ips.WithdrawRequest, *ips.WithdrawResponse]{
			viaForm: (*ips.Client).Withdraw, says: sayWithdrawal, onDone: withdrawn, assume: assumeWithdrawal,
		}, nil
	case ips.OpRegisterBid:
		return deed[ips.RegisterBidRequest, *ips.BidResponse]{
			viaForm: (*ips.Client).RegisterBid, says: sayBid, onDone: bidRegistered, onRefuse: bidRefused, assume: assumeBid,
		}, nil
	case ips.OpEndBid:
		return deed[ips.EndBidRequest, *ips.BidResponse]{viaCall: (*ips.Client).EndBid, onDone: bidEnded}, nil
	case ips.OpRegisterCreditor:
		return deed[ips.RegisterCreditorRequest, *ips.CreditorResponse]{
			viaForm: (*ips.Client).RegisterCreditor, says: sayCreditor, onDone: creditorRegistered, assume: assumeCreditor,
		}, nil
	case ips.OpAutoBid:
		return deed[ips.AutoBidRequest, *ips.CreditorResponse]{
			viaCall: (*ips.Client).AutoBid, says: sayAutoBid, onDone: autoBidden,
		}, nil
	case ips.OpRegisterGuarantor:
		return deed[ips.RegisterGuarantorRequest, *ips.RegisterGuarantorResponse]{
			viaForm: (*ips.Client).RegisterGuarantor, says: sayGuarantor, onDone: guarantorRegistered, assume: assumeGuarantor,
		}, nil
	case ips.OpRegisterDebtTransfer:
		return deed[ips.RegisterDebtTransferRequest, *ips.RegisterDebtTransferResponse]{
			viaForm: (*ips.Client).RegisterDebtTransfer, says: saySale, onDone: saleRegistered, onRefuse: saleRefused, assume: assumeSale,
		}, nil
	case ips.OpTransfer:
		return deed[ips.TransferRequest, *ips.TransferResponse]{
			viaCall: (*ips.Client).Transfer, says: sayTransfer, onDone: transferred, onRefuse: transferRefused,
		}, nil
	case ips.OpRepay:
		return deed[ips.RepayRequest, *ips.RepayResponse]{
			viaForm: (*ips.Client).Repay, says: sayRepayment, onDone: repaid, assume: assumeRepayment,
		}, nil
	case ips.OpAutoRepay:
		return deed[ips.AutoRepayRequest, *ips.RepayResponse]{
			viaCall: (*ips.Client).AutoRepay, says: sayAutoRepayment, onDone: autoRepaid,
		}, nil
	case ips.OpUnfreezeMargin:
		return deed[ips.UnfreezeMarginRequest, *ips.UnfreezeMarginResponse]{
			viaCall: (*ips.Client).UnfreezeMargin, says: sayUnfreezing, onDone: marginUnfrozen,
		}, nil
	case ips.OpSignAutoBid:
		return deed[ips.SignAutoBidRequest, *ips.SignAutoBidResponse]{
			viaForm: (*ips.Client).SignAutoBid, says: sayAutoBidContract, onDone: autoBidSigned,
		}, nil
	case ips.OpSignAutoRepay:
		return deed[ips.SignAutoRepayRequest, *ips.SignAutoRepayResponse]{
			viaForm: (*ips.Client).SignAutoRepay, says: sayAutoRepayContract, onDone: autoRepaySigned,
		}, nil
	}
	return nil, fmt.Errorf("orders: nothing is known of operation %.40q", string(op))
}

// describe takes from a request what is recorded with its order. The accounts
// are those of people whose money it moves.
func describe(request any) (op ips.Operation, orderNo, document string, accounts []string, err error) {
	switch q := request.(type) {
	case ips.OpenAccountRequest:
		op, orderNo = ips.OpOpenAccount, q.OrderNo
	case ips.RechargeRequest:
		op, orderNo, accounts = ips.OpRecharge, q.OrderNo, []string{q.Account}
	case ips.WithholdingRechargeRequest:
		op, orderNo, accounts = ips.OpWithholdingRecharge, q.OrderNo, []string{q.Account}
	case ips.WithdrawRequest:
		op, orderNo, accounts = ips.OpWithdraw, q.OrderNo, []string{q.Account}
	case ips.RegisterBidRequest:
		op, orderNo, accounts = ips.OpRegisterBid, q.OrderNo, []string{q.Account}
	case ips.EndBidRequest:
		op, orderNo, accounts = ips.OpEndBid, q.OrderNo, []string{q.Account}
	case ips.RegisterCreditorRequest:
		op, orderNo, accounts = ips.OpRegisterCreditor, q.OrderNo, []string{q.Account}
	case ips.AutoBidRequest:
		op, orderNo, accounts = ips.OpAutoBid, q.OrderNo, []string{q.Account}
	case ips.RegisterGuarantorRequest:
		op, orderNo, accounts = ips.OpRegisterGuarantor, q.OrderNo, []string{q.Account}
	case ips.RegisterDebtTransferRequest:
		op, orderNo, accounts = ips.OpRegisterDebtTransfer, q.OrderNo, []string{q.ToAccount}
	case ips.TransferRequest:
		op, orderNo = ips.OpTransfer, q.OrderNo
		for _, row := range q.Rows {
			accounts = append(accounts, row.FromAccount, row.ToAccount)
		}
	case ips.RepayRequest:
		op, orderNo, accounts = ips.OpRepay, q.OrderNo, repayAccounts(q.Account, q.Rows)
	case ips.AutoRepayRequest:
		op, orderNo, accounts = ips.OpAutoRepay, q.OrderNo, repayAccounts(q.Account, q.Rows)
	case ips.UnfreezeMarginRequest:
		op, orderNo, accounts = ips.OpUnfreezeMargin, q.OrderNo, []string{q.Account}
	case ips.SignAutoBidRequest:
		op, orderNo = ips.OpSignAutoBid, q.OrderNo
	case ips.SignAutoRepayRequest:
		op, orderNo = ips.OpSignAutoRepay, q.OrderNo
	default:
		return "", "", "", nil, fmt.Errorf("orders: a request of type %T", request)
	}
	text, err := json.Marshal(request)
	return op, orderNo, string(text), accounts, err
}

func repayAccounts(from string, rows []ips.RepayRow) []string {
	accounts := []string{from}
	for _, row := range rows {
		accounts = append(accounts, row.Account)
	}
	return accounts
}

// claims is what an answer says about the money, next to what was asked.
// Answers may leave elements out, so only what they do say counts.
type claims struct {
	said  map[string]string
	wrong []string
}

func (c *claims) amount(name string, asked, said ips.Amount) {
	if said != 0 {
		c.text(name, asked.String(), said.String())
	}
}

func (c *claims) text(name, asked, said string) {
	if said == "" {
		return
	}
	c.said[name] = said
	if said != asked {
		c.wrong = append(c.wrong, fmt.Sprintf("%s is not what was asked", name))
	}
}

// must is for what a success is worth nothing without.
func (c *claims) must(name, said string) {
	if said == "" {
		c.wrong = append(c.wrong, name+" is missing")
		return
	}
	c.said[name] = said
}

// rows compares the rows of a batch with those that were asked for: each must
// have come back once, carried out or not.
func (c *claims) rows(asked []string, said map[string][]ips.RowStatus) {
	var all strings.Builder
	done := 0
	for _, key := range asked {
		status := said[key]
		if len(status) != 1 || status[0] != ips.RowDone && status[0] != ips.RowFailed {
			c.wrong = append(c.wrong, "the result of a row is missing or doubled")
			return
		}
		if status[0] == ips.RowDone {
			done++
		}
		fmt.Fprintf(&all, "%s %s\n", key, string(status[0]))
	}
	if len(said) != len(asked) {
		c.wrong = append(c.wrong, "there are results of rows that were not asked for")
	}
	sum := sha256.Sum256([]byte(all.String()))
	c.said["rows"] = fmt.Sprintf("%d of %d done, %s", done, len(asked), hex.EncodeToString(sum[:8]))
}

// String lists the claims in a steady order.
func (c *claims) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.said)) {
		parts = append(parts, name+"="+c.said[name])
	}
	return strings.Join(parts, "; ")
}

// examine finds out what a success claims, and whether that is what was asked
// and, once the order is done, what was claimed before. Other answers claim
// nothing.
func examine(order store.Order, resp ips.Response) (facts string, err error) {
	if resp.Base().Outcome != ips.Success {
		return "", nil
	}
	act, err := actOf(order.Operation)
	if err != nil {
		return "", err
	}
	c, err := act.claims(order.Request, resp)
	switch {
	case err != nil:
		return "", err
	case c.wrong != nil:
		return "", contradicts("%s", strings.Join(c.wrong, "; "))
	case order.State != ips.OrderDone:
		return c.String(), nil
	}
	for part := range strings.SplitSeq(order.Facts, "; ") {
		name, before, _ := strings.Cut(part, "=")
		if now, ok := c.said[name]; ok && now != before {
			return "", contradicts("%s is not what it was in the answer before", name)
		}
	}
	return c.String(), nil
}

// claimsOf words what an answer claims for the person who looks at it, also if
// there is no order to compare it with.
func claimsOf(resp ips.Response) string {
	act, err := actOf(resp.Base().Operation)
	if err != nil {
		return ""
	}
	c, err := act.claims("{}", resp)
	if err != nil {
		return ""
	}
	return c.String()
}
