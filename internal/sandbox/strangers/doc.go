// Package strangers holds merchants' programs that know nothing of this module:
// one in PHP and one in Java, each written from the platform's wire alone, with
// the XML, SOAP, HTTP and cryptography of its own language.
//
// Its test runs them against the sandbox. What they prove no Go client can: a
// mistake that SDK and sandbox had in common would not show between the two.
package strangers
