package ips

import (
	"errors"
	"fmt"
	"strings"
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
	// exist or that it cannot belong to.
	ErrOperation = errors.New("answer does not belong to this operation")
	// ErrFateUnknown matches every [*FateUnknownError].
	ErrFateUnknown = errors.New("fate unknown")
)

// Error is a refusal by IPS, in an answer whose signature held: the order was
// not carried out. It matches its [Code] under errors.Is:
//
//	errors.Is(err, ips.CodeBidExists)
type Error struct {
	Operation Operation // what was asked
	Code      Code      // pErrCode
	Message   string    // pErrMsg, as IPS wrote it
	OrderNo   string    // pMerBillNo
}

// Error gives operation, order, code and message.
func (e *Error) Error() string {
	return fmt.Sprintf("ips: %s%s refused: %s %s", e.Operation, order(e.OrderNo), e.Code, e.Message)
}

// Is reports whether target is the error's [Code].
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// FateUnknownError says that a request was sent, or may have been, and that no
// answer that could be believed came back: the order may have been carried out
// or not. A refusal that names no order counts as such over plain HTTP, where
// anybody on the way can send an old one. Do not send it under a new number. Wait for the notification, ask for
// the balance, or, where [OperationInfo] says Repeatable, send the very same
// request again.
type FateUnknownError struct {
	Operation Operation // what was asked
	OrderNo   string    // pMerBillNo
	Err       error     // why there is no answer
}

// Error says what happened and what to do.
func (e *FateUnknownError) Error() string {
	return fmt.Sprintf("ips: %s%s: fate unknown, ask, don't resend under a new number: %v", e.Operation, order(e.OrderNo), e.Err)
}

// Unwrap returns the cause.
func (e *FateUnknownError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrFateUnknown].
func (e *FateUnknownError) Is(target error) bool { return target == ErrFateUnknown }

// HTTPError is an answer with an HTTP status that no operation answers with.
type HTTPError struct {
	StatusCode int    // e.g. 502
	Status     string // e.g. "502 Bad Gateway"
}

// Error gives the status.
func (e *HTTPError) Error() string { return "HTTP status " + e.Status }

// SOAPFault is a soap:Fault of the web service.
type SOAPFault struct {
	Code   string // faultcode without its prefix, e.g. "Client" or "Server"
	String string // faultstring
}

// Error gives code and text.
func (e *SOAPFault) Error() string { return fmt.Sprintf("SOAP fault %s: %s", e.Code, e.String) }

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
	var b strings.Builder
	fmt.Fprintf(&b, "ips: %s: invalid request: ", e.Operation)
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Error())
	}
	return b.String()
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
