package diagnose

import (
	"bytes"
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// body is the Base64 field, repaired.
type body struct {
	received string
	text     string    // on one line and padded
	bytes    []byte    // the ciphertext; nil if it is no Base64
	damage   []Finding // what had to be repaired
	broken   bool      // beyond repair
	plain    []byte    // a document that was never encrypted
}

func (b *body) damaged(id string, args ...any) {
	b.damage = append(b.damage, finding(id, args...))
}

var percentEscape = regexp.MustCompile(`%(?:25)?(?i:2b|2f|3d|0a|0d)`)

// repairBody finds the Base64 text that was meant.
func repairBody(received string) body {
	b := body{received: received, text: received}
	doc := bytes.TrimLeft([]byte(received), "\xEF\xBB\xBF \t\r\n")
	switch {
	case received == "":
		b.damaged("body-empty")
	case bytes.HasPrefix(doc, []byte("<")):
		b.plain = doc
		b.damaged("body-not-encrypted")
	default:
		b.unescape()
		b.strip()
		b.decode()
	}
	return b
}

// unescape undoes encodings that were applied once or twice too often.
func (b *body) unescape() {
	text := html.UnescapeString(html.UnescapeString(b.text))
	for range 2 {
		if u, err := url.PathUnescape(text); err == nil && percentEscape.MatchString(text) {
			text = u
		}
	}
	if text != b.text {
		b.text = text
		b.damaged("body-escaped")
	}
}

var lineBreaks = strings.NewReplacer("\r", "", "\n", "", "\t", "")

// strip handles white space: line breaks of an encoder, and plus signs that a
// form decoder took for blanks.
func (b *body) strip() {
	text := lineBreaks.Replace(b.text)
	if len(text)%4 != 0 {
		text = strings.Trim(text, " ")
	}
	if text != b.text {
		lines := strings.FieldsFunc(b.text, func(r rune) bool { return r == '\r' || r == '\n' })
		b.damaged("body-line-breaks", len(lines))
	}
	if n := strings.Count(text, " "); n > 0 {
		b.damaged("body-plus-space", n)
		text = strings.ReplaceAll(text, " ", "+")
	}
	b.text = text
}

var notBase64 = regexp.MustCompile(`[^A-Za-z0-9+/]`)

func (b *body) decode() {
	bare := strings.TrimRight(b.text, "=")
	if bad := notBase64.FindStringIndex(bare); bad != nil {
		b.broken = true
		b.damaged("body-not-base64", bad[0]+1)
		return
	}
	raw, err := base64.RawStdEncoding.DecodeString(bare)
	padded := bare + strings.Repeat("=", (4-len(bare)%4)%4)
	if doc := bytes.TrimPrefix(raw, []byte("\uFEFF")); bytes.HasPrefix(doc, []byte("<?xml")) || bytes.HasPrefix(doc, []byte("<pReq")) {
		b.plain = raw
		b.damaged("body-not-encrypted")
		return
	}
	// Ciphertext looks like Base64 by chance only if it is very short.
	inner, innerErr := base64.StdEncoding.DecodeString(string(raw))
	if innerErr == nil && len(raw) >= 12 {
		b.damaged("body-double-base64")
		raw, padded = inner, string(raw)
	}
	switch b.bytes = raw; {
	case err != nil, len(raw)%8 != 0:
		b.broken = true
		b.damaged("body-cut")
	case len(b.damage) == 0 && padded != b.text:
		b.damaged("body-padding")
	}
	b.text = padded
}
