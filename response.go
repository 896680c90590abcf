package ips

// Via says how an answer reached the merchant.
type Via int

// The ways of an answer.
const (
	// Synchronous: in the response to the merchant's own call.
	Synchronous Via = iota + 1
	// WebReturn: carried by the user's browser to the return URL.
	WebReturn
	// ServerToServer: posted by IPS to the notify URL (S2S).
	ServerToServer
)

// String names the way.
func (v Via) String() string {
	switch v {
	case Synchronous:
		return "synchronous"
	case WebReturn:
		return "web return"
	case ServerToServer:
		return "server to server"
	default:
		return "unknown"
	}
}

// Reply is what every answer of IPS has in common. It is part of each
// response, and only exists for an answer whose signature held; for the
// exception of queries see [Client.QueryBalance].
type Reply struct {
	Operation    Operation // what was asked
	Via          Via       // how the answer came
	MerchantCode string    // pMerCode
	Code         Code      // pErrCode
	Message      string    // pErrMsg, in Chinese, for people
	Outcome      Outcome   // what Code means for this operation
	OrderNo      string    `ips:"pMerBillNo"` // 商户订单号 of the request

	// Extra holds the elements of the answer that no field of the response
	// takes, in their order: undocumented ones, and dates in an unknown form.
	// The elements of rows carry their path, e.g. "pDetails/pRow[2]/pNew".
	Extra []Element
}

// Element is one element of a document: its wire name and its text.
type Element struct{ Name, Text string }

// Err is nil unless the outcome is [Failure]; then it is an [*Error]. Pending
// is not an error.
func (r *Reply) Err() error {
	if r.Outcome != Failure {
		return nil
	}
	return &Error{Operation: r.Operation, Code: r.Code, Message: r.Message, OrderNo: r.OrderNo}
}

// Base returns the part that all responses share.
func (r *Reply) Base() *Reply { return r }

// Response is implemented by the response types of all operations.
type Response interface {
	// Base returns the part that all responses share.
	Base() *Reply
	// Err is nil unless IPS refused the order.
	Err() error
}

// RowStatus tells of one row of a batch whether it was carried out (pStatus).
type RowStatus string

// The row states.
const (
	RowDone   RowStatus = "Y" // 成功
	RowFailed RowStatus = "N" // 失败; the row's Message says why
)

// String names the state.
func (s RowStatus) String() string {
	return name(s, map[RowStatus]string{RowDone: "done", RowFailed: "failed"})
}

// name is what the String methods of enumerations have in common: the name of
// a known value, or the value itself, so that an unknown one is not lost.
func name[T ~string](v T, names map[T]string) string {
	if n, ok := names[v]; ok {
		return n
	}
	return "unknown (" + string(v) + ")"
}
