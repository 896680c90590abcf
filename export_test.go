package ips

import "reflect"

// What tests need of a description beyond [OperationInfo].

// Request is the type of the operation's request.
func (i OperationInfo) Request() reflect.Type { return describe(i.Operation).request }

// Response is the type of the operation's answer.
func (i OperationInfo) Response() reflect.Type { return describe(i.Operation).response }

// ArgNames reports whether the envelope's fields are argMerCode, ….
func (i OperationInfo) ArgNames() bool { return describe(i.Operation).argNames }

// Sealed reports whether the request is sealed, as all are but those of plain queries.
func (i OperationInfo) Sealed() bool { return !describe(i.Operation).plain }

// Variant is the element that tells operations of one request type apart.
func (i OperationInfo) Variant() Element { return describe(i.Operation).variant }

// ForgetDocument takes from an answer what [Compare] remembers of its document,
// so that it can be compared with one that a test has written down.
func ForgetDocument(answer Response) { answer.Base().said = nil }
