package diagnose

import (
	"crypto/des"
	"crypto/rsa"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Keys are a merchant's secrets as they stand in a configuration, mistakes
// included: those are looked for too. They print without the secrets.
type Keys struct {
	MerchantCode string         // 6 digits
	Cert         string         // 128 characters
	Key          string         // 3DES, 24 characters
	IV           string         // 8 characters
	PublicKey    *rsa.PublicKey // of the answers in MD5withRSA mode; nil is MD5 mode
}

// Format hides the keys from every verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "diagnose.Keys{secrets:hidden}") }

// around is what gets round a secret on its way into a configuration.
const around = " \t\r\n\"'`“”‘’\ufeff\u00a0\u3000"

// cleanKeys takes what stands around the own keys off, and says so. What cannot
// be used is empty then.
func (d *diagnosis) cleanKeys() {
	for _, s := range []struct {
		name  string
		value *string
		want  int
	}{
		{"IPS_MERCHANT", &d.own.MerchantCode, 6},
		{"IPS_CERT", &d.own.Cert, 128},
		{"IPS_3DES_KEY", &d.own.Key, 3 * des.BlockSize},
		{"IPS_3DES_IV", &d.own.IV, des.BlockSize},
	} {
		raw, trimmed := *s.value, strings.Trim(*s.value, around)
		printable := !strings.ContainsFunc(trimmed, func(r rune) bool { return r <= ' ' || r > '~' })
		switch {
		case printable && len(raw) == s.want && strings.TrimSpace(raw) == raw:
		case printable && len(trimmed) == s.want:
			*s.value = trimmed
			d.say("key-space", s.name, s.want, utf8.RuneCountInString(raw))
		default:
			*s.value = ""
			d.say("key-form", s.name, s.want, len(trimmed))
		}
	}
}
