package ips

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The ways in which an answer can fail to be one. Find them with errors.Is.
// Their texts are for the merchant's own log; [Client.NotifyHandler] tells the
// other side no more than "refused".
var (
	// ErrMerchant: the answer is addressed to another merchant code.
	ErrMerchant = errors.New("answer for another merchant")
	// ErrSignature: the signature does not hold. The body was not decrypted.
	ErrSignature = errors.New("signature does not hold")
	// ErrMalformed: the answer cannot be read: fields missing or doubled, bad
	// Base64, bad padding, bad XML, a bad amount.
	ErrMalformed = errors.New("malformed answer")
	// ErrTooLarge: the answer exceeds the client's limit.
	ErrTooLarge = errors.New("answer too large")
	// ErrOperation: the answer arrived at the URL of an operation that does not
	// exist or that it cannot belong to, or is about another order or account
	// than was asked for.
	ErrOperation = errors.New("answer does not belong to this operation")
)

// What is known of an order. Find them with errors.Is.
var (
	// ErrNotSent: certainly nothing left this machine, so nothing was done. An
	// [http.RoundTripper] of yours (a limiter, a circuit breaker) may return it
	// too; it is believed if no request was seen to be written.
	ErrNotSent = errors.New("not sent")
	// ErrFateUnknown matches every [*FateUnknownError].
	ErrFateUnknown = errors.New("fate unknown")
	// ErrDuplicate: IPS says that the order number was received before (订单号重复).
	// That says nothing of how that order ended, nor whose it is.
	ErrDuplicate = errors.New("order number used before")
	// ErrBidOver: an end of a bid was refused because the bid is over, in an answer
	// that names the order: after an end whose answer was lost this proves that it
	// was carried out. A refusal that names none proves nothing.
	ErrBidOver = errors.New("bid is over")
	// ErrNoTradeQuery: the environment has no trade query (交易查询), or the service
	// does not know it.
	ErrNoTradeQuery = errors.New("no trade query")
)

// Error is a refusal by IPS, in an answer whose signature held: what the message
// asked for was not carried out. It is about the message: if the order had been
// sent before, it says nothing of that. It matches its [Code] under errors.Is,
// [ErrDuplicate] and [ErrBidOver]:
//
//	errors.Is(err, ips.CodeBidExists)
type Error struct {
	Operation Operation // what was asked
	Code      Code      // pErrCode
	Message   string    // pErrMsg, as IPS wrote it
	OrderNo   string    // pMerBillNo that the answer names, "" if it names none
	Unlisted  bool      // the code is none of the known ones
}

// Error gives operation, order, code and message.
func (e *Error) Error() string {
	return fmt.Sprintf("ips: %s%s refused: %s %s", e.Operation, order(e.OrderNo), e.Code, e.Message)
}

// Is reports whether target is the error's [Code], or what it says.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrDuplicate:
		return saysDuplicate(e.Code, e.Message)
	case ErrBidOver:
		return e.Operation == OpEndBid && e.Code == CodeBidOver && e.OrderNo != "" && !saysDuplicate(e.Code, e.Message)
	}
	c, ok := target.(Code)
	return ok && c == e.Code
}

// saysDuplicate reports whether a refusal says that its order number was used
// before. Only the recharge's code is known; the words are those of all
// operations.
func saysDuplicate(code Code, message string) bool {
	return code == CodeDuplicate || strings.Contains(message, "订单号重复")
}

// FateUnknownError says that a request was sent, or may have been, and that
// nothing which came back says what became of the order: no answer that could be
// believed, a duplicate number, a refusal that names no order. Do not send it
// under a new number. Wait for the notification, or ask ([Client.QueryTrade]);
// repeating the very same message can settle it only by a success or a pending.
type FateUnknownError struct {
	Operation Operation // what was asked
	OrderNo   string    // pMerBillNo
	Err       error     // why it is unknown; an [*Error] if IPS answered
}

// Error says what happened and what to do. Of an answer it gives the code and not
// IPS's text, which may name an account: such errors go into logs.
func (e *FateUnknownError) Error() string {
	cause := fmt.Sprint(e.Err)
	if refusal := new(Error); errors.As(e.Err, &refusal) {
		cause = "IPS answered " + string(refusal.Code)
	}
	return fmt.Sprintf("ips: %s%s: fate unknown, ask, don't resend under a new number: %s", e.Operation, order(e.OrderNo), cause)
}

// Unwrap returns the cause.
func (e *FateUnknownError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrFateUnknown].
func (e *FateUnknownError) Is(target error) bool { return target == ErrFateUnknown }

// HTTPError is an answer with an HTTP status that no operation answers with.
type HTTPError struct {
	StatusCode int           // e.g. 502
	Status     string        // e.g. "502 Bad Gateway"
	RetryAfter time.Duration // what its Retry-After asks for, 0 for nothing
}

// Error gives the status.
func (e *HTTPError) Error() string { return "HTTP status " + oneLine(e.Status) }

// SOAPFault is a soap:Fault of the web service.
type SOAPFault struct {
	Code   string // faultcode without its prefix, e.g. "Client" or "Server"
	String string // faultstring
}

// Error gives code and text.
func (e *SOAPFault) Error() string {
	return "SOAP fault " + oneLine(e.Code) + ": " + oneLine(e.String)
}

// oneLine is the beginning of a text that nobody signed, fit for a log.
func oneLine(text string) string {
	quoted := fmt.Sprintf("%.200q", text)
	return quoted[1 : len(quoted)-1]
}

// ValidationError lists every field of a request that breaks a rule of the
// contract. Nothing was sealed or sent. errors.As finds its first [FieldError].
type ValidationError struct {
	Operation Operation    // what was to be asked
	Fields    []FieldError // in wire order, those between fields last
}

// FieldError is one broken rule. Code and Limit are for programs, Rule and
// Chinese for people. The codes and their limits:
//
//	required              must be given
//	none                  must not be given
//	max_length, length    at most, exactly so many characters
//	letters_digits        a–z A–Z 0–9
//	order_number          a–z A–Z 0–9 - _
//	digits                0–9
//	url                   absolute, http or https
//	choice                one of the values in Limit, "1, 2"
//	more, min, less, max  >, ≥, <, ≤ Limit: a number, "60 months" or another field's value
//	range                 between the two values in Limit, "70 %, 130 %" of another field
//	rows                  so many rows, "300" at most or "1" exactly
//	sum                   of the rows, as Limit says
//	date                  a day of the calendar
//	same, other           the same account as, another account than elsewhere in the request
//	blank                 not of blanks alone
//	character             must not hold the character in Limit, "U+0000"
//	utf8                  must be UTF-8
type FieldError struct {
	Wire    string // wire name with its path, e.g. "pDetails/pRow[3]/pTrdAmt"
	Go      string // Go name with its path, e.g. "Rows[2].Amount"
	Code    string // which kind of rule, e.g. "more"; it stays as it is
	Limit   string // what the rule measures by, e.g. "0"; "" for nothing
	Rule    string // the rule, e.g. "must be more than 0"
	Chinese string // the rule in Chinese, e.g. "必须大于 0"
	Value   string // the value; only its length where it is personal
}

// Error gives all broken fields.
func (e *ValidationError) Error() string {
	var all []string
	for _, f := range e.Fields {
		all = append(all, f.Error())
	}
	return fmt.Sprintf("ips: %s: invalid request: %s", e.Operation, strings.Join(all, "; "))
}

// Unwrap returns the broken rules.
func (e *ValidationError) Unwrap() []error {
	errs := make([]error, len(e.Fields))
	for i, f := range e.Fields {
		errs[i] = f
	}
	return errs
}

// Error gives field, rule and value.
func (f FieldError) Error() string {
	return fmt.Sprintf("%s (%s) %s, got %s", f.Go, f.Wire, f.Rule, f.Value)
}

func order(no string) string {
	if no == "" {
		return ""
	}
	return fmt.Sprintf(" order %.40q", no)
}
