package ips

import (
	"context"
	"fmt"
	"reflect"

	"github.com/ips-p2p/ips/internal/codec"
)

// TradeStatus is what IPS says of an order (交易状态 pTradeStatue, sic).
type TradeStatus string

// The states of a trade.
const (
	TradeDone     TradeStatus = "1" // 成功
	TradeFailed   TradeStatus = "2" // 失败
	TradeInWork   TradeStatus = "3" // 处理中
	TradeNotFound TradeStatus = "4" // 未查询到交易
)

var tradeStatuses = map[TradeStatus]string{
	TradeDone: "done", TradeFailed: "failed", TradeInWork: "in work", TradeNotFound: "not found",
}

// String names the state.
func (s TradeStatus) String() string { return name(s, tradeStatuses) }

// QueryTradeRequest asks what became of an order (交易查询).
type QueryTradeRequest struct {
	// OrderNo is the order's number (商户订单号 pMerBillNo): 1–30 characters.
	OrderNo string `ips:"pMerBillNo" check:"max=30"`
	// Type is its kind (交易类型 pTradeType); see [TradeTypeOf].
	Type TradeType `ips:"pTradeType" check:"len=2,digits"`
}

// QueryTradeResponse is the answer to a trade query. OrderNo and Type repeat the
// question; the answer has no amount and no account: even TradeDone is about the
// number, which another program under the same merchant code may have used.
type QueryTradeResponse struct {
	Reply

	Type      TradeType   `ips:"pTradeType"`   // of the request
	Status    TradeStatus `ips:"pTradeStatue"` // 交易状态
	IPSBillNo string      `ips:"pIpsBillNo"`   // IPS 订单号: number of the order at IPS, if it is told

	// Signature is [SignatureSealed] or [SignatureTagged]. Which of them IPS uses
	// was never seen, so both are taken; an answer with another is refused.
	Signature Signature
}

var queryTrade = newOperation[QueryTradeRequest, QueryTradeResponse](OperationInfo{
	Operation: OpQueryTrade, Chinese: "交易查询", Method: "QueryTrade",
	Endpoint: "QueryTrade", Transport: QueryService, Success: []Code{CodeSuccess},
}, operation{mark: "pTradeType", elements: answerFields[:4]})

func (QueryTradeRequest) describe() *operation { return queryTrade }

// QueryTrade asks what became of an order (QueryTrade 交易查询), where
// [Environment] TradeQuery says that there is such a service; else the error
// matches [ErrNoTradeQuery]. That a given platform has it is believed from one
// family of merchants' programs and not proven.
//
// An answer that does not repeat number and type is an [ErrOperation].
// [TradeNotFound] is evidence only where [TradeTypeOf] is certain, and then only
// when it is said again an hour after the last sending.
func (c *Client) QueryTrade(ctx context.Context, req QueryTradeRequest) (*QueryTradeResponse, error) {
	return call[*QueryTradeResponse](ctx, c, req)
}

func (r *QueryTradeResponse) repeats(req QueryTradeRequest) error {
	if r.OrderNo != req.OrderNo || r.Type != req.Type {
		return fmt.Errorf("%w: it does not repeat number and type", ErrOperation)
	}
	return nil
}

// TradeTypeOf is the type under which a trade query knows the request's order.
// ok is false where it cannot be asked: for the end of a bid, which shares number
// and type with the registration, for bids of the old interface and for queries.
// certain is false where the type is in no program that was seen to use it: then
// no answer but a success is worth much.
func TradeTypeOf(req Request) (t TradeType, certain, ok bool) {
	o, err := ownOf(req)
	if err != nil || o.op.trade == "" {
		return "", false, false
	}
	t, certain = o.op.trade, !o.op.tradeUncertain
	if kind, has := o.ptr.Interface().(interface{ tradeType() (TradeType, bool) }); has {
		t, certain = kind.tradeType()
	}
	return t, certain, true
}

// Asked makes the answer that a trade query stands for: of the request's
// operation, with the fields that only repeat the request, without rows and
// numbers of IPS, and [Queried] as its way. TradeDone is a [Success], TradeFailed
// a [Failure], TradeInWork a [Pending], and TradeNotFound is [Undecided], and so is
// TradeFailed where the type is not certain ([TradeTypeOf]). Where the answer itself
// has results, rows that may have failed or the number of an account or a contract,
// TradeDone is a Pending too: they come with the notification only. The error says
// that the query failed, that its answer is about another order, or that the
// operation cannot be asked for. An order that has heard an [ErrDuplicate] is not
// settled by it: the number may be another program's.
func Asked(req Request, answer *QueryTradeResponse) (Response, error) {
	t, certain, ok := TradeTypeOf(req)
	if !ok || OrderNo(req) == "" {
		return nil, fmt.Errorf("ips: a trade query cannot tell of this request")
	}
	if answer == nil || answer.Outcome != Success {
		return nil, fmt.Errorf("ips: %s%s: no answer", OpQueryTrade, order(OrderNo(req)))
	}
	if err := answer.repeats(QueryTradeRequest{OrderNo: OrderNo(req), Type: t}); err != nil {
		return nil, fmt.Errorf("ips: %s%s: %w", OpQueryTrade, order(OrderNo(req)), err)
	}
	o, _ := ownOf(req)
	resp := o.op.newResponse()
	from, to := o.ptr.Elem(), reflect.ValueOf(resp).Elem()
	asked := codec.Fields(from.Type())
	for _, f := range codec.Fields(to.Type()) {
		for i := range asked {
			if asked[i].Name == f.Name && asked[i].GoName != "_" && asked[i].Row == "" && asked[i].Type == f.Type {
				to.FieldByIndex(f.Index).Set(from.FieldByIndex(asked[i].Index))
			}
		}
	}
	base := resp.Base()
	base.Operation, base.Via, base.MerchantCode, base.Message = o.op.Operation, Queried, answer.MerchantCode, answer.Status.String()
	base.Outcome = map[TradeStatus]Outcome{TradeDone: Success, TradeFailed: Failure, TradeInWork: Pending}[answer.Status]
	switch {
	case base.Outcome == Failure && !certain:
		base.Outcome = Undecided // it may be about another kind of order
	case base.Outcome == Success && o.op.results:
		base.Outcome = Pending
	}
	return resp, nil
}
