package ips

import (
	"reflect"
	"slices"
)

// Operation names one operation of the interface. It is also the last segment
// of the callback URLs that the client gives IPS, which is how an answer finds
// its way back to its operation.
type Operation string

// The operations, in the order of the manual's sections.
const (
	OpOpenAccount          Operation = "open-account"           // 4.2 开户
	OpRegisterBid          Operation = "register-bid"           // 4.3 标的登记
	OpEndBid               Operation = "end-bid"                // 4.3 标的结束
	OpRegisterCreditor     Operation = "register-creditor"      // 4.4 登记债权人, manual
	OpAutoBid              Operation = "auto-bid"               // 4.4 登记债权人, automatic
	OpRegisterGuarantor    Operation = "register-guarantor"     // 4.5 登记担保方
	OpRegisterDebtTransfer Operation = "register-debt-transfer" // 4.6 登记债权转让
	OpSignAutoBid          Operation = "sign-auto-bid"          // 4.7 自动投标签约
	OpSignAutoRepay        Operation = "sign-auto-repay"        // 4.8 自动还款签约
	OpRecharge             Operation = "recharge"               // 4.9 充值
	OpTransfer             Operation = "transfer"               // 4.10 转账
	OpRepay                Operation = "repay"                  // 4.11 还款, manual
	OpAutoRepay            Operation = "auto-repay"             // 4.11 还款, automatic
	OpUnfreezeMargin       Operation = "unfreeze-margin"        // 4.12 解冻保证金
	OpWithholdingRecharge  Operation = "withholding-recharge"   // 4.13 自动代扣充值
	OpWithdraw             Operation = "withdraw"               // 4.14 提现
	OpRepayOldBid          Operation = "repay-old-bid"          // 老版还款, of the old interface
	OpQueryBalance         Operation = "query-balance"          // 账户余额查询
	OpQueryBanks           Operation = "query-banks"            // 银行列表查询
	OpQueryAccount         Operation = "query-account"          // 账户信息查询
	OpQueryTrade           Operation = "query-trade"            // 交易查询
)

// Transport is how an operation travels.
type Transport int

// The transports. They differ in what the client's method returns, so they
// cannot be mixed up.
const (
	// Redirect: the user's browser carries the request as a form; the method
	// returns a [*Form] and does no I/O.
	Redirect Transport = iota + 1
	// ServerPosted: the same form, posted by the merchant's server, which reads
	// the answer out of the page that comes back.
	ServerPosted
	// WebService: SOAP.
	WebService
	// QueryService: SOAP that only asks; its answer is about no order of its own.
	QueryService
)

// String names the transport.
func (t Transport) String() string {
	return nth(t, "unknown transport", "redirect", "server-posted", "web service", "query")
}

// OperationInfo is the one description of an operation. It drives the client,
// the inbound side and the reference in the documentation alike.
type OperationInfo struct {
	Operation Operation // its name here
	Chinese   string    // name in the manual, e.g. 开户
	Section   string    // section of the manual, e.g. "4.2"; "" for queries
	Method    string    // name of the [Client] method
	Endpoint  string    // page below the POST base, or SOAP operation
	Transport Transport // how it travels
	Scenarios []int     // the usage guide's scenarios (1–17) that it serves
	Success   []Code    // codes that mean done
	Pending   []Code    // codes that mean accepted, result to follow
}

// Outcome classifies a code as this operation means it. Only the codes of the
// description are its successes and pendings; a refusal is a known code of a
// refusal, or one of the usual form (MG, five digits, F) that is not listed. All
// else, a success of another operation or 0000 outside the queries, is no
// verdict: [Undecided].
func (i *OperationInfo) Outcome(c Code) Outcome {
	switch {
	case slices.Contains(i.Success, c):
		return Success
	case slices.Contains(i.Pending, c):
		return Pending
	case i.Transport == QueryService && slices.Contains(queryFailures, c), slices.Contains(refusals, c), c.unlisted():
		return Failure
	default:
		return Undecided
	}
}

// Element is one element of a document: its wire name and its text.
type Element struct{ Name, Text string }

// FormField is a field of a form or of a message: its name and its text.
type FormField struct{ Name, Value string }

// operation is a description with what only this package needs of it.
type operation struct {
	OperationInfo
	argNames bool    // the envelope's fields are argMerCode, … instead of pMerCode, …
	plain    bool    // the request is not sealed, nor is its answer
	variant  Element // an element and its text that tell operations of one endpoint and one request type apart
	// mark is an element that only this operation's answers have, or those of
	// operations that share its response type; others never have a text in them.
	mark   string
	others []string
	// Of a query: all elements of its result before pSign, in order, and those that
	// a signature over tags leaves out.
	elements, unsigned []string
	trade              TradeType // as the trade query numbers it, "" for no number
	tradeUncertain     bool      // the number is our guess
	results            bool      // its answer says more than that it is done: rows, the number of an account or a contract
	request, response  reflect.Type
}

// newOperation completes a description with the types of request and answer, and
// with the codes of most operations where it has none.
func newOperation[Q, R any](info OperationInfo, rest operation) *operation {
	if info.Success == nil {
		info.Success, info.Pending = []Code{CodeSuccess}, []Code{CodeProcessing}
	}
	rest.OperationInfo, rest.request, rest.response = info, reflect.TypeFor[Q](), reflect.TypeFor[R]()
	return &rest
}

// TradeType is the kind of an order as the trade query numbers it (交易类型
// pTradeType).
type TradeType string

// The trade types. Those marked so are in use in a merchant's program; the others
// stand in its comments only.
const (
	TradeOpenAccount    TradeType = "01" // 开户
	TradeBid            TradeType = "02" // 标的登记, in use
	TradeCreditor       TradeType = "03" // 登记债权人, in use
	TradeGuarantor      TradeType = "04" // 登记担保方
	TradeDebtTransfer   TradeType = "05" // 登记债权转让, in use
	TradeSignAutoBid    TradeType = "06" // 自动投标签约
	TradeSignAutoRepay  TradeType = "07" // 自动还款签约
	TradeRecharge       TradeType = "08" // 充值, in use
	TradeWithdraw       TradeType = "09" // 提现, in use
	TradeUnfreezeMargin TradeType = "10" // 解冻保证金
	TradeRepay          TradeType = "11" // 还款, in use
	TradeRelease        TradeType = "14" // 转账 (放款), in use
	TradeDebt           TradeType = "15" // 转账 (债权转让), in use
)

var tradeTypes = map[TradeType]string{
	TradeOpenAccount: "account opening", TradeBid: "bid", TradeCreditor: "creditor", TradeGuarantor: "guarantor",
	TradeDebtTransfer: "debt transfer registration", TradeSignAutoBid: "auto-bid contract",
	TradeSignAutoRepay: "auto-repay contract", TradeRecharge: "recharge", TradeWithdraw: "withdrawal",
	TradeUnfreezeMargin: "margin unfreeze", TradeRepay: "repayment", TradeRelease: "release",
	TradeDebt: "debt transfer",
}

// String names the type.
func (t TradeType) String() string { return name(t, tradeTypes) }

// orderedBy is the operation under whose name an answer is remembered. Nothing
// in an answer says whether the order was manual or automatic, so both are one:
// a copy that comes to the other's URL is still a copy.
func orderedBy(op Operation) Operation {
	switch op {
	case OpAutoBid:
		return OpRegisterCreditor
	case OpAutoRepay:
		return OpRepay
	default:
		return op
	}
}
