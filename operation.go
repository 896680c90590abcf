package ips

import (
	"context"
	"reflect"
	"slices"

	"github.com/ips-p2p/ips/internal/codec"
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
)

// Info describes the operation; ok is false for a name that is none.
func (o Operation) Info() (info OperationInfo, ok bool) {
	if d := describe(o); d != nil {
		return d.info(), true
	}
	return OperationInfo{}, false
}

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
	// QueryService: SOAP without encryption.
	QueryService
)

// String names the transport.
func (t Transport) String() string {
	switch t {
	case Redirect:
		return "redirect"
	case ServerPosted:
		return "server-posted"
	case WebService:
		return "web service"
	case QueryService:
		return "query"
	default:
		return "unknown transport"
	}
}

// OperationInfo is the one description of an operation. It drives the client
// and the reference in the documentation alike.
type OperationInfo struct {
	Operation Operation // its name here
	Chinese   string    // name in the manual, e.g. 开户
	Section   string    // section of the manual, e.g. "4.2"; "" for queries
	Method    string    // name of the [Client] method
	Endpoint  string    // page below the POST base, or SOAP operation
	Transport Transport // how it travels
	ArgNames  bool      // the envelope's fields are argMerCode, … instead of pMerCode, …
	Scenarios []int     // the usage guide's scenarios (1–17) that it serves
	Success   []Code    // codes that mean done
	Pending   []Code    // codes that mean accepted and undecided; every other code is a failure
	// Repeatable: sending the same order number with the same content again
	// does nothing twice; IPS answers with the first result.
	Repeatable bool
	// Variant tells operations with one endpoint and one request type apart: an
	// element and the text that it has in this operation's messages. It is empty
	// where nothing of the kind is needed.
	Variant Element
	// Request and Response are the structs that the method takes (for queries:
	// makes) and that the answer is read into. Their tags say all that is known of
	// the fields: "ips" the wire name and with the order of the fields the wire
	// order, "check" the limits.
	Request, Response reflect.Type
}

// Outcome classifies a code as this operation means it.
func (i *OperationInfo) Outcome(c Code) Outcome {
	switch {
	case slices.Contains(i.Success, c):
		return Success
	case slices.Contains(i.Pending, c):
		return Pending
	default:
		return Failure
	}
}

// Operations lists all operations in the order of the manual.
func Operations() []OperationInfo {
	all := make([]OperationInfo, len(descriptions))
	for i, d := range descriptions {
		all[i] = d.info()
	}
	return all
}

// operation is a description together with its two types.
type operation[Q any, R Response] struct {
	OperationInfo
	// callback is the function of cb for this operation's answers; nil for
	// queries, whose answers do not come by themselves.
	callback func(cb *Callbacks) func(context.Context, R) error
	// mark is an element that only this operation's answers have, or those of
	// operations that share its response type; otherMark is one that never has a
	// text in them. Either may be empty.
	mark, otherMark string
}

func (o *operation[Q, R]) base() *OperationInfo { return &o.OperationInfo }

func (o *operation[Q, R]) info() OperationInfo {
	info := o.OperationInfo
	info.Request, info.Response = reflect.TypeFor[Q](), reflect.TypeFor[R]().Elem()
	return info
}

func (o *operation[Q, R]) newResponse() R {
	return reflect.New(reflect.TypeFor[R]().Elem()).Interface().(R)
}

func (o *operation[Q, R]) response() Response { return o.newResponse() }

func (o *operation[Q, R]) call(ctx context.Context, cb *Callbacks, resp Response) (called bool, err error) {
	r, ok := resp.(R)
	if !ok || o.callback == nil {
		return false, nil
	}
	fn := o.callback(cb)
	if fn == nil {
		return false, nil
	}
	return true, fn(ctx, r)
}

func (o *operation[Q, R]) marks() (mark, otherMark string) { return o.mark, o.otherMark }

// description is an operation whose types do not matter.
type description interface {
	base() *OperationInfo
	info() OperationInfo // with the types
	response() Response  // a new one
	// call gives an answer to the operation's callback, if there is one.
	call(ctx context.Context, cb *Callbacks, resp Response) (called bool, err error)
	marks() (mark, otherMark string)
}

var descriptions = []description{
	openAccount, registerBid, endBid, registerCreditor, autoBid,
	registerGuarantor, registerDebtTransfer, signAutoBid, signAutoRepay,
	recharge, transfer, repay, autoRepay, unfreezeMargin, withholdingRecharge,
	withdraw, repayOldBid, queryBalance, queryBanks, queryAccount,
}

func describe(o Operation) description {
	for _, d := range descriptions {
		if d.base().Operation == o {
			return d
		}
	}
	return nil
}

// foreign reports whether a document is another operation's answer than d's: it
// has another variant's text, an element that d's never have, or a mark of
// another and not its own. A document without any mark passes, because the
// platform may leave elements out.
func foreign(d description, elements []codec.Element) bool {
	has := func(mark string) bool {
		return mark != "" && slices.ContainsFunc(elements, func(e codec.Element) bool { return e.Name == mark })
	}
	mark, otherMark := d.marks()
	variant := d.base().Variant
	if slices.ContainsFunc(elements, func(e codec.Element) bool {
		return e.Text != "" && (e.Name == otherMark || e.Name == variant.Name && e.Text != variant.Text)
	}) {
		return true
	}
	return !has(mark) && slices.ContainsFunc(descriptions, func(d description) bool {
		other, _ := d.marks()
		return has(other)
	})
}

// The codes of most operations.
var (
	done    = []Code{CodeSuccess}
	pending = []Code{CodeProcessing}
)
