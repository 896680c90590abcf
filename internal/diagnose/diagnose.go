package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ips-p2p/ips"
)

// Message goes through a captured message step by step: shape, keys, merchant
// code, Base64, signature, decryption, document. It does a bounded amount of
// work, whatever the message, and has no side effects.
func Message(data []byte, keys Keys) Report {
	d := diagnosis{k: newKeyring(keys)}
	d.m = read(data, &d.Report)
	switch {
	case d.m.document != nil:
		d.ok(stepMessage, "shape", "This is %s.", d.m.shape)
		d.note(stepSignature, "sign-none", "Without an envelope there is no signature to check: give the whole message for that.")
		checkDocument(d.m.document, d.m, &d.Report)
	case len(d.m.fields) == 0:
		if !d.Wrong() {
			d.wrong(stepMessage, "no-message", "Give the form post, the page, the SOAP envelope or the fields, one a line; names as pMerCode, p3DesXmlPara, pSign.",
				"There is no field of the envelope in the input (%s).", count(len(data), "byte"))
		}
	default:
		d.envelope()
	}
	return d.Report
}

// diagnosis is the state of one Message.
type diagnosis struct {
	Report
	m *message
	k *keyring

	query bool
	sign  *signature
	holds bool // the signature, over something that was found
	body  *body
	plain decrypted
}

// envelope goes through a message with fields. Much is worked out before
// anything is said, since the best explanation of one step comes out of another.
func (d *diagnosis) envelope() {
	d.query = d.isQuery()
	d.shape()
	d.sign = readSignature(d.m.text(roleSign), d.m.answer(), d.k)
	bodyField, _ := d.m.get(roleBody)
	d.body = repairBody(bodyField, d.m.form, d.contractHolds)
	switch {
	case d.body.plain != nil:
		d.plain.plain = d.body.plain
	case d.body.bytes != nil:
		d.plain = decryptBody(d.body.bytes, d.k)
	}
	signed, explained := d.checkSignature()
	if d.m.answer() {
		allowFormer(signed)
		allowFormer(d.plain.found)
	}

	d.reportKeys(signed, explained)
	d.merchant()
	if !d.query {
		d.reportBody(signed)
	}
	d.Findings = append(d.Findings, signed...)
	if d.query {
		return
	}
	d.reportCipher()
	switch {
	case d.plain.plain == nil:
	case d.incomplete():
		d.note(stepDocument, "doc-unchecked", "The document is not looked at while it is damaged: mend the body first, then run this again.")
	default:
		checkDocument(d.plain.plain, d.m, &d.Report)
	}
}

// incomplete reports whether the document is not what its sender wrote, so that
// its faults would be no faults of his.
func (d *diagnosis) incomplete() bool {
	return d.damaged() || d.cutShort() || d.plain.altered > 0 && !d.holds
}

// damaged reports whether the Base64 is beyond repair.
func (d *diagnosis) damaged() bool {
	return slices.ContainsFunc(d.body.damage, func(f Finding) bool { return f.ID == "body-length" || f.ID == "body-not-base64" })
}

func (d *diagnosis) cutShort() bool {
	return slices.ContainsFunc(d.plain.found, func(f Finding) bool { return f.ID == "body-cut" })
}

// allowFormer softens what is said of keys that were replaced: answers are
// still made with them for a while.
func allowFormer(findings []Finding) {
	for i := range findings {
		if strings.HasSuffix(findings[i].ID, "-former") {
			findings[i].Severity = Note
		}
	}
}

// isQuery reports whether the message is of a query, which has no body.
func (d *diagnosis) isQuery() bool {
	if _, ok := d.m.get(roleBody); ok {
		return false
	}
	_, account := d.m.get(roleAccount)
	return account || slices.ContainsFunc(ips.Operations(), func(op ips.OperationInfo) bool {
		return op.Transport == ips.QueryService && strings.EqualFold(op.Endpoint, d.m.call)
	}) || d.m.answer() && slices.ContainsFunc(d.m.elements, func(f field) bool {
		return f.name == "pBalance" || f.name == "pBankList" || f.name == "pUCardStatus"
	})
}

// shape says what was captured, and checks the names of the fields.
func (d *diagnosis) shape() {
	kind := "a request"
	switch {
	case d.m.answer():
		kind = "an answer"
	case d.query:
		kind = "a query"
	}
	d.ok(stepMessage, "shape", "This is %s: %s with %s.", d.m.shape, kind, count(len(d.m.fields), "field"))
	d.fieldNames()
	wants := []role{roleMerchant, roleBody, roleSign}
	switch {
	case d.query && d.m.answer():
		return
	case d.query:
		wants = []role{roleMerchant, roleSign}
	case d.m.answer():
		wants = []role{roleMerchant, roleCode, roleText, roleBody, roleSign}
	}
	var missing []string
	for _, w := range wants {
		if _, ok := d.m.get(w); !ok {
			missing = append(missing, string(w))
		}
	}
	if len(missing) > 0 {
		d.wrong(stepMessage, "field-missing", "Send all of them; if they were sent, look whether the capture is cut.",
			"%s has no %s.", strings.ToUpper(kind[:1])+kind[1:], strings.Join(missing, ", no "))
	}
	if code := d.m.text(roleCode); d.m.answer() && !codeForm.MatchString(code) {
		d.wrong(stepMessage, "code-form", "Compare it with what was received: nothing may be added to a field, and nothing moved from one to the next.",
			"pErrCode has not the form of a code, capital letters and digits (it has %s).", count(len(code), "character"))
	}
}

var codeForm = regexp.MustCompile(`^[A-Z0-9]{1,16}$`)

// fieldNames checks spelling, the mixture of the two sets, and duplicates.
func (d *diagnosis) fieldNames() {
	seen := map[role]bool{}
	var misspelt, twice list
	arg, p := false, false
	for _, f := range d.m.fields {
		right := wireName(f.name)
		if right != f.name {
			misspelt.add("%s should be %s", f.name, right)
		}
		if seen[roles[right]] {
			twice.add("%s", right)
		}
		seen[roles[right]] = true
		arg, p = arg || strings.HasPrefix(right, "arg"), p || strings.HasPrefix(right, "p")
	}
	if misspelt.n > 0 {
		d.wrong(stepMessage, "field-misspelt", "Names are case-sensitive on most platforms.", "Fields are misspelt: %s.", &misspelt)
	}
	if twice.n > 0 {
		d.wrong(stepMessage, "field-twice", "Send each field once, and capture one message only. The first was used here.", "Fields stand there twice: %s.", &twice)
	}
	if arg && p {
		d.wrong(stepMessage, "names-mixed", "Take one set: argMerCode, arg3DesXmlPara, argSign, or pMerCode, p3DesXmlPara, pSign, as the operation has it.", "Names that begin with arg and with p are mixed.")
	}
}

// contract is the sequence of what is signed.
func (d *diagnosis) contract() []role {
	switch {
	case d.query:
		return []role{roleMerchant, roleAccount, roleCert}
	case d.m.answer():
		return []role{roleMerchant, roleCode, roleText, roleBody, roleCert}
	default:
		return []role{roleMerchant, roleBody, roleCert}
	}
}

// contractHolds reports whether the signature holds over a body as the contract
// says.
func (d *diagnosis) contractHolds(text string) bool {
	if d.sign.digest == nil || !d.k.cert.usable() {
		return false
	}
	s := d.newSearch()
	s.values[roleBody] = []choice{{text: plain(text)}}
	return s.holds(candidate{pick: map[role]int{}})
}

func (d *diagnosis) newSearch() *search {
	contract := d.contract()
	s := newSearch(contract, d.sign.digest)
	text, _ := d.m.get(roleText)
	s.values = map[role][]choice{
		roleMerchant: merchantChoices(d.m.text(roleMerchant), d.k),
		roleCode:     codeChoices(d.m.text(roleCode)),
		roleText:     textChoices(text),
		roleAccount:  {{text: plain(d.m.text(roleAccount))}},
		roleMemo:     {{text: plain(d.m.text(roleMemo))}},
		roleCert:     certChoices(d.k),
	}
	return s
}

// checkSignature looks for what was signed. explained is false where nothing
// was found that the signature holds over.
func (d *diagnosis) checkSignature() (found []Finding, explained bool) {
	found = d.sign.found
	switch {
	case d.query && d.m.answer():
		return []Finding{d.queryAnswer()}, true
	case d.sign.digest == nil, !d.k.cert.usable():
		return found, true
	}
	s := d.newSearch()
	s.values[roleBody] = bodyChoices(d.body, d.plain.plain)
	s.orders = orders(s.contract)
	if d.query {
		s.orders = append(s.orders, order{"sign-with-memo", "over the memo too", "Leave argMemo out of the signed text.", []role{roleMerchant, roleAccount, roleMemo, roleCert}})
	}
	c, ok := s.find()
	if d.holds = ok; ok {
		deviations := s.deviations(c)
		if len(deviations) == 0 {
			with := "MD5"
			if d.sign.rsa {
				with = "MD5withRSA"
			}
			deviations = []Finding{{"sign-ok", stepSignature, OK, with + " over " + names(s.contract) + " holds.", ""}}
		}
		return append(found, deviations...), true
	}
	if f, ok := s.other(); ok {
		d.holds = true
		return append(found, f), true
	}
	return append(found, d.unexplained(s)), false
}

// unexplained weighs what else is known when no way of signing fits.
func (d *diagnosis) unexplained(s *search) Finding {
	tried := fmt.Sprintf("None of %d ways to sign gives this signature", s.tried)
	if s.cut {
		tried += " (the message is long, so not all were tried)"
	}
	f := Finding{Step: stepSignature, Severity: Wrong}
	fields := "a field was changed after signing"
	if d.m.answer() {
		fields = "pErrCode or pErrMsg was changed after signing (trimmed, translated, re-encoded)"
	}
	switch {
	case d.damaged():
		return Finding{"sign-unchecked", stepSignature, Note, "The signature cannot hold over a damaged body: mend that first, then run this again.", ""}
	case d.cutShort():
		f.ID, f.Text = "body-cut", fmt.Sprintf("%s, and the document's end is missing: the last of %s ends without padding. The body was cut on the way.", tried, count(d.plain.blocks, "block"))
		f.Remedy = cutRemedy
	case d.plain.altered > 0:
		f.ID, f.Text = "body-altered", fmt.Sprintf("%s, and of the %s of the decrypted body number %d is garbage between text: the body was changed after signing, near character %d of the Base64.",
			tried, count(d.plain.blocks, "block"), d.plain.altered, (d.plain.altered-1)*32/3+1)
		f.Remedy = "Compare the body there with what was sent; look for an editor, a logger or a filter on the way."
	case d.plain.clean:
		f.ID, f.Text = "cert-wrong", fmt.Sprintf("%s. The body decrypts, so it is whole and key and IV are right: IPS_CERT is most likely not the cert it was signed with, or %s.", tried, fields)
		f.Remedy = "Compare IPS_CERT with what IPS issued, character by character: test or production, before or after a new one was issued."
	case d.plain.tried:
		f.ID, f.Text = "keys-wrong", tried+", and the body does not decrypt as it should either: cert, key and IV are most likely another merchant's or another environment's, or the body was changed on the way."
		f.Remedy = "Look whether test and production keys were mixed up, and whose message this is."
	default:
		f.ID, f.Text = "sign-unexplained", tried+": IPS_CERT is not the cert it was signed with, or "+fields+"."
		f.Remedy = "Compare IPS_CERT with what IPS issued, character by character."
	}
	return f
}

// queryAnswer checks the signature of a query's answer, on which nobody can
// insist: how it is made is not documented.
func (d *diagnosis) queryAnswer() Finding {
	var parts []role
	values := map[role][]choice{roleCert: {{text: plain(d.k.cert.value)}}}
	for i, e := range d.m.elements {
		if e.name != "pSign" {
			p := role(fmt.Sprint(i))
			parts, values[p] = append(parts, p), []choice{{text: plain(e.value)}}
		}
	}
	s := newSearch(append(parts, roleCert), d.sign.digest)
	s.values = values
	if d.sign.digest != nil && s.holds(candidate{pick: map[role]int{}}) {
		return Finding{"sign-ok", stepSignature, OK, "MD5 over the texts of all elements before pSign and the cert holds.", ""}
	}
	return Finding{"sign-query-answer", stepSignature, Note,
		"The signature is not MD5 over the texts of all elements and the cert. How IPS signs the answers of queries is not documented, so this proves nothing; trust them over TLS only.", ""}
}

// reportKeys says what is wrong with the configured values, and whether they
// work once they are mended.
func (d *diagnosis) reportKeys(signed []Finding, explained bool) {
	var cert, cipher *bool
	if d.sign.digest != nil && d.k.cert.usable() {
		holds := explained && !slices.ContainsFunc(signed, func(f Finding) bool {
			return strings.HasPrefix(f.ID, "cert-") || strings.HasPrefix(f.ID, "sign-cert-") || f.ID == "sign-key-for-cert"
		})
		cert = &holds
	}
	if d.plain.tried {
		holds := d.plain.plain != nil && !d.plain.byOther
		cipher = &holds
	}
	d.k.code.report(&d.Report, "the merchant code", nil)
	d.k.cert.report(&d.Report, "the signature", cert)
	if !d.query {
		d.k.key.report(&d.Report, "the decryption", cipher)
		d.k.iv.report(&d.Report, "the decryption", cipher)
	}
	if d.k.pubErr != nil {
		d.wrong(stepKeys, "public-key", "Set IPS_PUBLIC_KEY to the platform's RSA key in PEM, or the Base64 of it, whole and alone.", "IPS_PUBLIC_KEY cannot be read: neither PEM nor Base64 of an RSA key.")
	}
	if len(d.keyFindings()) == 0 {
		d.ok(stepKeys, "keys-ok", "The configured keys have the right form.")
	}
}

func (d *diagnosis) keyFindings() []Finding {
	var out []Finding
	for _, f := range d.Findings {
		if f.Step == stepKeys {
			out = append(out, f)
		}
	}
	return out
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// merchant compares the merchant codes.
func (d *diagnosis) merchant() {
	f, ok := d.m.get(roleMerchant)
	if !ok {
		return
	}
	code, configured := f.value, d.k.code.value
	trimmed := strings.TrimSpace(code)
	switch {
	case trimmed != code && sixDigits.MatchString(trimmed):
		d.wrong(stepMerchant, "merchant-space", "Send and sign the 6 digits alone.", "The merchant code in the message has white space around it (%s).", count(len(code), "character"))
		code = trimmed
	case !sixDigits.MatchString(code):
		d.wrong(stepMerchant, "merchant-form", "Send the merchant code that IPS issued, 6 digits with leading zeros.", "The merchant code in the message is not 6 digits (it has %s).", count(len(code), "character"))
		return
	}
	if !sixDigits.MatchString(configured) {
		return
	}
	if code == configured {
		d.ok(stepMerchant, "merchant-ok", "The merchant code is %s, as configured.", configured)
		return
	}
	hint := ""
	if code == ips.TestMerchant().MerchantCode {
		hint = " The message's is the vendor's test merchant: run this with -test-merchant."
	}
	d.wrong(stepMerchant, "merchant-differs", "Use the keys of the merchant that the message is of, or send the right code."+hint,
		"The message is of merchant %s, and the configured one is %s.", code, configured)
}

// reportBody says what was wrong with the Base64.
func (d *diagnosis) reportBody(signed []Finding) {
	if _, ok := d.m.get(roleBody); !ok {
		return
	}
	holds := slices.ContainsFunc(signed, func(f Finding) bool { return f.ID == "sign-ok" })
	for _, f := range d.body.damage {
		if holds {
			f.Text += " The signature holds over the repaired text."
		}
		d.add(f)
	}
	switch {
	case d.body.text == "" && d.m.answer():
		d.note(stepBody, "body-empty", "The body is empty. That is how IPS answers when it could not read the request: look at pErrCode.")
	case d.body.text == "":
		d.wrong(stepBody, "body-empty", "Send the encrypted document; look for where the field is lost.", "The body is empty.")
	case len(d.body.damage) == 0:
		d.ok(stepBody, "body-ok", "The body is Base64 on one line, %s in %s of ciphertext.", count(len(d.body.text), "character"), count(len(d.body.bytes)/8, "block"))
	}
}

// reportCipher says how the decryption went.
func (d *diagnosis) reportCipher() {
	said := func(id string) bool {
		return slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.ID == id })
	}
	for _, f := range d.plain.found {
		if !said(f.ID) {
			d.add(f)
		}
	}
	switch {
	case d.plain.altered > 0 && !d.holds && !said("body-altered"): // signed garbage is the document's fault
		d.wrong(stepCipher, "cipher-garbage", "Compare the body with what was sent.", "Block %d of %d decrypts to garbage between text.", d.plain.altered, d.plain.blocks)
	case d.plain.tried && len(d.plain.found) == 0:
		d.ok(stepCipher, "decrypt-ok", "3DES-EDE-CBC with the configured key and IV, PKCS5 padding: %s of document.", count(len(d.plain.plain), "byte"))
	}
}
