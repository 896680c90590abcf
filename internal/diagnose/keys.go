package diagnose

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/ips-p2p/ips"
)

// Keys are a merchant's secrets as they stand in his configuration, mistakes
// included: Message looks for those too. They print without the secrets.
type Keys struct {
	MerchantCode string // IPS_MERCHANT
	Cert         string // IPS_CERT
	Key          string // IPS_3DES_KEY
	IV           string // IPS_3DES_IV
	PublicKey    string // IPS_PUBLIC_KEY; empty means MD5 mode

	// What was valid before a rotation; empty if there was none, or it is the
	// same.
	FormerCert, FormerKey, FormerIV string
}

// String hides the keys.
func (k Keys) String() string { return "diagnose.Keys{secrets:hidden}" }

// Format hides the keys from every verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// KeysFromEnv reads the variables of [ips.ConfigFromEnv] that hold keys, without
// refusing any value.
func KeysFromEnv(getenv func(string) string) Keys {
	return Keys{
		MerchantCode: getenv("IPS_MERCHANT"),
		Cert:         getenv("IPS_CERT"),
		Key:          getenv("IPS_3DES_KEY"),
		IV:           getenv("IPS_3DES_IV"),
		PublicKey:    getenv("IPS_PUBLIC_KEY"),
		FormerCert:   getenv("IPS_FORMER_CERT"),
		FormerKey:    getenv("IPS_FORMER_3DES_KEY"),
		FormerIV:     getenv("IPS_FORMER_3DES_IV"),
	}
}

// TestKeys are those of [ips.TestMerchant].
func TestKeys() Keys {
	c := ips.TestMerchant()
	return Keys{MerchantCode: c.MerchantCode, Cert: c.Cert.Reveal(), Key: c.Key.Reveal(), IV: c.IV.Reveal()}
}

// secret is one configured value and what could be made of it.
type secret struct {
	id, name string // of findings and of the environment variable
	want     int    // characters
	raw      string
	value    string // what is used in its place
	defect   string // "", or the end of the finding's id
	what     string // "has 129 characters, the last is a line feed"
	did      string // "trimmed"; empty if nothing usable could be made
}

// keyring is a merchant's keys, as usable as they could be made.
type keyring struct {
	code, cert, key, iv    secret
	pub                    *rsa.PublicKey
	pubErr                 error
	former                 Keys
	formerCert, formerKeys bool
}

func newKeyring(k Keys) *keyring {
	r := &keyring{
		code: clean("mercode", "IPS_MERCHANT", k.MerchantCode, 6),
		cert: clean("cert", "IPS_CERT", k.Cert, 128),
		key:  clean("key", "IPS_3DES_KEY", k.Key, 24),
		iv:   clean("iv", "IPS_3DES_IV", k.IV, 8),
	}
	if r.code.defect == "" && strings.Trim(r.code.value, "0123456789") != "" {
		r.code.defect, r.code.what = "charset", "holds other characters than digits"
	}
	r.former = Keys{Cert: k.FormerCert, Key: orElse(k.FormerKey, r.key.value), IV: orElse(k.FormerIV, r.iv.value)}
	r.formerCert = k.FormerCert != ""
	r.formerKeys = k.FormerKey != "" || k.FormerIV != ""
	if strings.TrimSpace(k.PublicKey) != "" {
		r.pub, r.pubErr = ips.ParsePublicKey(k.PublicKey)
	}
	return r
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// repairs are what goes wrong with a secret on its way into a configuration.
// They are tried in turn, each on the outcome of the one before.
var repairs = []struct {
	defect, what, did string
	repair            func(string) string
}{
	{"bom", "begins with a byte order mark", "without it", func(s string) string { return strings.TrimPrefix(s, "\ufeff") }},
	{"space", "", "trimmed", strings.TrimSpace},
	{"space", "ends in the two characters \\n", "without them", func(s string) string {
		return strings.TrimSuffix(strings.TrimSuffix(s, `\n`), `\r`)
	}},
	{"quotes", "stands in quotes", "without them", unquote},
	{"space", "has white space at an end", "trimmed", strings.TrimSpace},
	{"space", "has white space in the middle", "without it", func(s string) string { return strings.Join(strings.Fields(s), "") }},
}

func unquote(s string) string {
	for _, q := range []string{`""`, "''", "``", "“”", "‘’"} {
		open, end := q[:len(q)/2], q[len(q)/2:]
		if strings.HasPrefix(s, open) && strings.HasSuffix(s, end) && len(s) >= len(q) {
			return s[len(open) : len(s)-len(end)]
		}
	}
	return s
}

// clean finds the value of want characters that was meant.
func clean(id, name, raw string, want int) secret {
	s := secret{id: id, name: name, want: want, raw: raw, value: raw}
	if raw == "" {
		s.defect, s.what = "missing", "is not set"
		return s
	}
	if len(raw) == want {
		if !printable(raw) {
			s.defect, s.what = "charset", "has a character that is not printable ASCII"
			if strings.TrimSpace(raw) != raw {
				s.what = fmt.Sprintf("has %d characters with white space at an end: some are missing", want)
			}
		}
		return s
	}
	v := raw
	var what, did []string
	for _, r := range repairs {
		next := r.repair(v)
		if next == v {
			continue
		}
		w := r.what
		if w == "" {
			w = spaceAround(v)
		}
		s.defect, v = r.defect, next
		what, did = append(what, w), append(did, r.did)
		if len(v) == want {
			break
		}
	}
	has := fmt.Sprintf("has %s instead of %d", count(len(raw), "character"), want)
	if decoded, form := decodeSecret(v, want); form != "" {
		s.value, s.defect, s.what, s.did = decoded, form, has+": it is "+forms[form], "decoded"
		return s
	}
	if len(v) == want {
		s.value, s.what, s.did = v, has+", "+strings.Join(what, ", "), strings.Join(did, ", ")
		return s
	}
	// Some libraries cut or fill with zero bytes in silence.
	s.defect, s.what = "length", has
	if len(v) > want {
		s.value, s.did = v[:want], "cut"
	} else {
		s.value, s.did = v+strings.Repeat("\x00", want-len(v)), "filled with zero bytes"
	}
	return s
}

var forms = map[string]string{"hex": "hexadecimal", "base64": "Base64", "percent": "percent-encoded"}

// decodeSecret undoes an encoding of which exactly the wanted length remains.
func decodeSecret(v string, want int) (value, form string) {
	if b, err := hex.DecodeString(v); err == nil && len(b) == want {
		return string(b), "hex"
	}
	if len(v) == want {
		return "", ""
	}
	if b, err := base64.StdEncoding.DecodeString(v); err == nil && len(b) == want {
		return string(b), "base64"
	}
	if u, err := url.PathUnescape(v); err == nil && len(u) == want {
		return u, "percent"
	}
	return "", ""
}

// spaceAround says which white space is at the ends of s.
func spaceAround(s string) string {
	if t := strings.TrimRight(s, " \t\r\n\u00a0\u3000"); t != s {
		switch end := s[len(t):]; end {
		case "\n":
			return "the last is a line feed"
		case "\r\n":
			return "the last two are a carriage return and a line feed"
		case "\r":
			return "the last is a carriage return (a file with Windows line ends?)"
		case " ":
			return "the last is a space"
		default:
			return "the end is white space"
		}
	}
	return "the beginning is white space"
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// usable reports whether there is something to work with.
func (s *secret) usable() bool { return s.defect != "missing" }

// report says what is wrong with the value as it is configured, and whether what
// was made of it works: worked is nil if that could not be tried.
func (s *secret) report(r *Report, works string, worked *bool) {
	if s.defect == "" {
		return
	}
	text := s.name + " " + s.what
	remedy := fmt.Sprintf("Set %s to the %d characters that IPS issued, and nothing around them.", s.name, s.want)
	switch {
	case s.defect == "missing":
		remedy = fmt.Sprintf("Set %s; without it %s cannot be checked.", s.name, works)
	case worked == nil || s.did == "" || s.defect == "length" && !*worked:
	case *worked:
		text += fmt.Sprintf("; %s, %s holds", s.did, works)
	default:
		text += fmt.Sprintf("; %s, %s does not hold either", s.did, works)
	}
	r.wrong(stepKeys, s.id+"-"+s.defect, remedy, "%s.", text)
}
