package engine

// TradeState is what QueryTrade says of an order: its pTradeStatue, as the wire
// spells it.
type TradeState string

// The states of an order.
const (
	TradeDone    TradeState = "1" // 成功
	TradeFailed  TradeState = "2" // 失败
	TradeInWork  TradeState = "3" // 处理中: a person, or a final answer, is waited for
	TradeUnknown TradeState = "4" // 未查询到交易
)

// QueryTrade says how one of the merchant's orders stands, from the same books
// as everything else, and which number the platform gave it, "" for none. The
// end of a bid has type and number of its registration; the answer is of the
// registration. An unknown type finds nothing.
func (e *Engine) QueryTrade(merchant, order, tradeType string) (state TradeState, billNo string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, op := range e.operationList {
		o := e.orders[orderKey{merchant: merchant, op: op.name, bill: order}]
		if o == nil || o.trade != tradeType || tradeType == "" {
			continue
		}
		switch o.state {
		case orderDone:
			return TradeDone, o.billNo
		case orderFailed:
			return TradeFailed, o.billNo
		}
		return TradeInWork, o.billNo
	}
	return TradeUnknown, ""
}
