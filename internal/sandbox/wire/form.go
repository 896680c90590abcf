package wire

import "strings"

// Pair is a name and its value, in the order of the wire.
type Pair struct{ Name, Value string }

// EncodeForm encodes a form body byte for byte as the platform's .NET encoder
// does: hexadecimal digits in lower case, spaces as plus signs.
func EncodeForm(pairs ...Pair) string {
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		encode(&b, p.Name)
		b.WriteByte('=')
		encode(&b, p.Value)
	}
	return b.String()
}

func encode(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.!*()", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
}
