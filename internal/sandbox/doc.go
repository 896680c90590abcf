// Package sandbox plays IPS (环迅支付 资金管理平台 v2.0) for merchants' tests:
// the pages of /CreditWeb/, the web services of /CreditWS/ and /CreditWSQuery/,
// and the notifications posted to pS2SUrl. It is not IPS and moves no money.
//
// What the platform does with money and state lives in package engine; this
// package reads the wire, checks keys and signatures, keeps the time, hands
// every change to the engine through one method, and carries the answers back.
// It knows the wire by itself and shares nothing with the SDK but the envelope
// cryptography, so that a wrong tag there cannot cancel itself out here.
//
// A [Sandbox] is an [net/http.Handler] that works under httptest; [Sandbox.Start]
// gives it a listener of its own.
package sandbox
