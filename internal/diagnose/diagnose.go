// Package diagnose says why a message of the interface does not verify or cannot
// be read: wrong merchant, cert, key or IV; Base64 that was cut, broken into
// lines or encoded twice; GBK; a document that is not the operation's. It tries
// what programs are known to do and names what fits.
//
// [Message] takes whatever a person captured, [Request] the fields that a server
// received. Both do a bounded amount of work and have no side effects. What they
// return holds names of elements, lengths, positions and merchant codes, never
// another key nor a text of the document, so that it can go into a ticket or on
// a page.
package diagnose

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// MaxInput bounds a message, in bytes. A transfer of 3000 rows has about 2 MB.
const MaxInput = 8 << 20

// Message goes through a captured message step by step: shape, keys, merchant
// code, Base64, signature, decryption, document. The message is a form post with
// or without HTTP headers, a page with a form, a SOAP envelope, its result, a
// URL, or text with a name and a value on each line; or a decrypted document
// alone. own are the keys that it should be made with; others are further keys
// that may explain it: those of other merchants, or own's before a rotation.
func Message(data []byte, own Keys, others ...Keys) Report {
	d := diagnosis{m: read(data), own: own, others: others}
	switch {
	case len(data) > MaxInput:
		d.say("input-too-large", MaxInput>>20)
	case d.m.document != nil:
		d.say("shape", "document", 0)
		d.checkDocument(d.m.document)
	case len(d.m.fields) == 0:
		d.say("no-message", len(data))
	default:
		d.envelope()
	}
	return d.Report
}

// Request says why a received request's signature or body failed: all that is
// wrong, of which the later may be consequences of the first, or one finding with
// the severity OK. Fields are named as on the wire, in either set of names; others
// that have nothing to do with the envelope are ignored.
func Request(fields url.Values, own Keys, others ...Keys) []Finding {
	m := &message{shape: "form", fields: map[string]string{}}
	for name, values := range fields {
		for _, v := range values[:min(len(values), 2)] {
			m.keep(name, v)
		}
	}
	d := diagnosis{m: m, own: own, others: others}
	d.envelope()
	wrong := slices.DeleteFunc(d.Findings, func(f Finding) bool { return f.Severity != Wrong })
	if len(wrong) == 0 {
		return d.signed[len(d.signed)-1:]
	}
	return wrong
}

// diagnosis is the state of one message.
type diagnosis struct {
	Report
	m      *message
	own    Keys
	others []Keys

	body   body
	plain  decrypted
	signed []Finding // what is to be said of the signature
	holds  bool      // the signature, over something that was found
}

func (d *diagnosis) say(id string, args ...any) {
	d.Findings = append(d.Findings, finding(id, args...))
}

// envelope goes through a message with fields. All is worked out before anything
// is said of it, since the best explanation of one step comes out of another.
func (d *diagnosis) envelope() {
	d.shape()
	d.cleanKeys()
	if text, ok := d.m.fields[fieldBody]; ok {
		d.body = repairBody(text)
	}
	d.decrypt()
	d.checkSignature()

	d.merchant()
	d.Findings = append(d.Findings, d.body.damage...)
	switch {
	case d.plain.cut && !d.body.broken:
		d.say("body-cut")
	case len(d.body.damage) == 0 && d.body.text != "":
		d.say("body-ok", len(d.body.text))
	}
	d.Findings = append(d.Findings, d.signed...)
	d.Findings = append(d.Findings, d.plain.found...)
	altered := d.plain.altered > 0 && !d.holds // what was signed as garbage is the document's fault
	if altered {
		d.say("body-altered", d.plain.altered, d.plain.blocks, (d.plain.altered-1)*32/3+1)
	}
	switch {
	case d.plain.text == nil:
	case d.body.broken, d.plain.cut, altered:
		d.say("doc-unchecked")
	default:
		d.checkDocument(d.plain.text)
	}
}

// shape says what was captured and which fields it lacks or has twice.
func (d *diagnosis) shape() {
	d.say("shape", d.m.shape, len(d.m.fields))
	wants := []string{fieldMerchant, fieldBody, fieldSign}
	switch {
	case d.m.query():
		wants = []string{fieldMerchant, fieldSign}
	case d.m.answer():
		wants = []string{fieldMerchant, fieldCode, fieldText, fieldBody, fieldSign}
	}
	missing := slices.DeleteFunc(wants, func(name string) bool { _, ok := d.m.fields[name]; return ok })
	d.list("field-missing", missing)
	d.list("field-twice", d.m.twice)
}

// list says a finding of names, if there are any.
func (d *diagnosis) list(id string, names []string) {
	if n := len(names); n > 0 {
		more := []string{"…"}[:min(1, n/9)]
		d.say(id, strings.Join(append(slices.Clone(names[:min(n, 8)]), more...), ", "))
	}
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// merchant compares the merchant codes.
func (d *diagnosis) merchant() {
	code, ok := d.m.fields[fieldMerchant]
	switch {
	case !ok || d.own.MerchantCode == "": // which was said
	case !sixDigits.MatchString(code):
		d.say("merchant-form", len(code))
	case code != d.own.MerchantCode:
		d.say("merchant-differs", code, d.own.MerchantCode)
	default:
		d.say("merchant-ok", code)
	}
}
