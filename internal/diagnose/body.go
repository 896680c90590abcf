package diagnose

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// body is the Base64 field, repaired.
type body struct {
	received string
	text     string    // on one line, standard alphabet, padded
	bytes    []byte    // the ciphertext; nil if it is no Base64
	damage   []Finding // what had to be repaired
	plain    []byte    // a document that was never encrypted
	doubled  string    // the outer of two layers of Base64
}

func (b *body) broken(id, remedy, format string, args ...any) {
	b.damage = append(b.damage, Finding{id, stepBody, Wrong, fmt.Sprintf(format, args...), remedy})
}

var (
	percentEscape = regexp.MustCompile(`%(?i:2b|2f|3d|0a|0d)`)
	htmlEscape    = regexp.MustCompile(`&(?:amp;)?(?:#(?:43|47|61|10|13|[xX](?:2[bBfF]|3[dD]|0?[aAdD]))|plus|equals|sol);`)
	hexBody       = regexp.MustCompile(`^(?:[0-9A-Fa-f]{16})+$`)
)

// repairBody finds the Base64 text that was meant. The signature, where it
// holds, decides between the readings of a space.
func repairBody(f field, form bool, holds func(text string) bool) *body {
	b := &body{received: f.value, text: f.value}
	if b.text == "" {
		return b
	}
	if doc := bytes.TrimLeft([]byte(b.text), "\xEF\xBB\xBF \t\r\n"); bytes.HasPrefix(doc, []byte("<")) {
		b.plain = doc
		b.broken("body-plain-xml", "Encrypt it: Base64(3DES-EDE-CBC-PKCS5(UTF-8 bytes of the document)).", "The field holds an XML document in the clear.")
		return b
	}
	b.unescape()
	b.spaces(f, form, holds)
	b.alphabet()
	b.padding()
	b.decode()
	return b
}

// unescape undoes encodings that were applied once too often.
func (b *body) unescape() {
	if n := len(htmlEscape.FindAllString(b.text, -1)); n > 0 {
		b.text = html.UnescapeString(html.UnescapeString(b.text))
		b.broken("body-html-escaped", "Unescape the value before using it, or escape it once only when the page is written.",
			"The field holds HTML escapes such as &#43; in %s: it was copied out of a page's source, or escaped twice.", count(n, "place"))
	}
	if n := len(percentEscape.FindAllString(b.text, -1)); n > 0 {
		if u, err := url.PathUnescape(b.text); err == nil {
			b.text = u
			b.broken("body-percent", "Percent-encode the value once: not by hand if the HTTP library does it. Sign the plain Base64.",
				"The field is still percent-encoded after decoding (%s like %%2B): it was encoded twice, or never decoded.", count(n, "place"))
		}
	}
}

// spaces handles white space: line breaks of an encoder, and plus signs that a
// form decoder took for spaces.
func (b *body) spaces(f field, form bool, holds func(string) bool) {
	if trimmed := strings.Trim(b.text, "\t\r\n"); trimmed != b.text {
		if !strings.ContainsAny(trimmed, "\r\n") {
			b.broken("body-newline", "Strip CR and LF from the Base64 before signing and sending.", "The field has line breaks at an end.")
		}
		b.text = trimmed
	}
	if lines := strings.FieldsFunc(b.text, func(r rune) bool { return r == '\r' || r == '\n' || r == '\t' }); len(lines) > 1 {
		every := ""
		if n := len(lines[0]); !slices.ContainsFunc(lines[:len(lines)-1], func(l string) bool { return len(l) != n }) {
			every = fmt.Sprintf(" every %d characters", n)
		}
		b.broken("body-line-breaks", "Strip CR and LF from the Base64 first, then sign and send it (PHP: base64_encode has none; Java: Base64.getEncoder, not getMimeEncoder; .NET: Base64FormattingOptions.None).",
			"The field has line breaks%s (%d lines). The platform signs and expects the text on one line.", every, len(lines))
		for i := range lines {
			lines[i] = strings.Trim(lines[i], " ")
		}
		b.text = strings.Join(lines, "")
	}
	n := strings.Count(b.text, " ")
	if n == 0 {
		return
	}
	plus, none := strings.ReplaceAll(b.text, " ", "+"), strings.ReplaceAll(b.text, " ", "")
	trimmed := strings.TrimSpace(b.text)
	switch {
	case trimmed != b.text && !strings.Contains(trimmed, " ") && !holds(plus):
		b.broken("body-space", "Trim the value.", "The field has spaces at an end.")
		b.text = trimmed
	case holds(none) || !holds(plus) && wrapped(b.text) && len(none)%4 == 0:
		b.broken("body-wrapped", "Strip the white space from the Base64 before signing and sending.",
			"The field has a space every %d characters: line breaks that became spaces.", strings.IndexByte(b.text, ' '))
		b.text = none
	default:
		remedy := "Percent-encode the value when it is posted (+ is %2B): URLEncoder.encode, http_build_query, encodeURIComponent. Receivers can turn the spaces back into +, as this SDK does."
		if form && strings.Contains(f.raw, "+") {
			b.broken("body-plus-space", remedy, "%s in the form unencoded: a form decoder reads each as a space, and so the Base64 and its signature break.", plusSigns(strings.Count(f.raw, "+")))
		} else {
			b.broken("body-plus-space", remedy, "%s a space: a form decoder took the unencoded + for that.", plusBecame(n))
		}
		b.text = plus
	}
}

func plusSigns(n int) string {
	if n == 1 {
		return "1 plus sign stands"
	}
	return fmt.Sprintf("%d plus signs stand", n)
}

func plusBecame(n int) string {
	if n == 1 {
		return "1 plus sign has become"
	}
	return fmt.Sprintf("%d plus signs have each become", n)
}

// wrapped reports whether the spaces stand where an encoder breaks lines.
func wrapped(s string) bool {
	lines := strings.Split(s, " ")
	n := len(lines[0])
	if n != 76 && n != 64 {
		return false
	}
	last := len(lines) - 1
	return len(lines[last]) <= n && !slices.ContainsFunc(lines[:last], func(l string) bool { return len(l) != n })
}

func (b *body) alphabet() {
	if n := strings.Count(b.text, "-") + strings.Count(b.text, "_"); n > 0 {
		b.text = strings.NewReplacer("-", "+", "_", "/").Replace(b.text)
		b.broken("body-url-safe", "Use the standard alphabet (+ and /): Base64.getEncoder, not getUrlEncoder; StdEncoding, not URLEncoding.",
			"The field uses the URL-safe Base64 alphabet (- and _ in %s).", count(n, "place"))
	}
}

func (b *body) padding() {
	bare := strings.TrimRight(b.text, "=")
	want := (4 - len(bare)%4) % 4
	if !isBase64Text(bare) || len(bare)%4 == 1 || len(b.text) == len(bare)+want {
		return
	}
	b.broken("body-unpadded", "Keep the = signs at the end of the Base64.",
		"The field has %s at its end instead of %d.", count(len(b.text)-len(bare), "= sign"), want)
	b.text = bare + strings.Repeat("=", want)
}

func (b *body) decode() {
	raw, err := base64.StdEncoding.DecodeString(b.text)
	switch {
	case hexBody.MatchString(b.text):
		raw, _ = hex.DecodeString(b.text)
		b.broken("body-hex", "Encode the ciphertext as Base64.", "The field is hexadecimal, not Base64.")
		b.text = base64.StdEncoding.EncodeToString(raw)
	case err != nil:
		b.notBase64()
		return
	}
	if doc := bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF")); bytes.HasPrefix(doc, []byte("<?xml")) || bytes.HasPrefix(doc, []byte("<pReq")) {
		b.plain = raw
		b.broken("body-not-encrypted", "Encrypt the document before Base64: 3DES-EDE-CBC with PKCS5 padding.", "Under the Base64 is the document in the clear: it was never encrypted.")
		return
	}
	if inner, ok := innerBase64(raw); ok {
		b.broken("body-double-base64", "Encode once: the library's encrypt function may return Base64 already (PHP: openssl_encrypt without OPENSSL_RAW_DATA).",
			"Under the Base64 is Base64 again: it was encoded twice.")
		b.doubled, raw = b.text, inner
		b.text = base64.StdEncoding.EncodeToString(raw)
	}
	b.bytes = raw
	if len(raw)%8 != 0 {
		b.broken("body-length", cutRemedy,
			"The Base64 holds %s, which is no multiple of 8: a part of the ciphertext is missing.", count(len(raw), "byte"))
	}
}

// innerBase64 reports what is under a second layer. Ciphertext looks like Base64
// by chance only if it is very short.
func innerBase64(raw []byte) ([]byte, bool) {
	if len(raw) < 12 {
		return nil, false
	}
	inner, err := base64.StdEncoding.DecodeString(string(raw))
	return inner, err == nil && len(inner)%8 == 0
}

func (b *body) notBase64() {
	bad := strings.IndexFunc(b.text, func(r rune) bool { return !isBase64Text(string(r)) })
	at := ""
	if bad >= 0 {
		at = fmt.Sprintf(" (character %d is none of its alphabet)", bad+1)
	} else if n := strings.IndexByte(b.text, '='); n >= 0 && n < len(b.text)-2 {
		at = fmt.Sprintf(" (padding in the middle, at character %d)", n+1)
	} else if len(strings.TrimRight(b.text, "="))%4 == 1 {
		at = fmt.Sprintf(" (%d characters cannot be)", len(b.text))
	}
	b.broken("body-not-base64", "Compare the field with what was sent, and look for the place where it was cut or changed.", "The field is not Base64%s.", at)
}
