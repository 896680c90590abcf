// Package wire reads and writes what goes over the sandbox's wire: <pReq>
// documents, form bodies, SOAP envelopes and the WSDL. It knows neither keys
// nor money.
//
// Its readers are for input from strangers: every one works on a bounded byte
// slice, refuses document type declarations, bounds depth and counts, and
// never puts the text of a message in an error.
package wire
