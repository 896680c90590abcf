package diagnose

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"encoding/hex"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// choice is a text that may have been signed for a part. The first choice of a
// part, which has no finding, is the contract's.
type choice struct {
	found Finding
	text  func() []byte
}

// search looks for the text that was signed.
type search struct {
	parts   []string
	choices map[string][]choice
	pick    []int // of each part
	hashed  int
	tried   int
	matches func(sum [md5.Size]byte) bool
}

// maxHashed bounds the work: a tenth of a second.
const maxHashed = 64 << 20

// holds hashes the guess that is picked.
func (s *search) holds() bool {
	h := md5.New()
	for i, p := range s.parts {
		text := s.choices[p][s.pick[i]].text()
		if s.hashed += len(text); s.hashed > maxHashed {
			return false
		}
		_, _ = h.Write(text)
	}
	s.tried++
	return s.matches([md5.Size]byte(h.Sum(nil)))
}

// deviate tries all guesses that differ from the contract in so many parts, and
// leaves the one that holds picked; the contract, if none does.
func (s *search) deviate(part, differ int) bool {
	if part == len(s.parts) {
		return differ == 0 && s.holds()
	}
	for i := range s.choices[s.parts[part]] {
		if s.pick[part] = i; s.deviate(part+1, differ-min(i, 1)) {
			return true
		}
		if differ == 0 || s.hashed > maxHashed {
			break
		}
	}
	s.pick[part] = 0
	return false
}

// checkSignature judges the form of the signature and looks for what was signed.
func (d *diagnosis) checkSignature() {
	say := func(id string, args ...any) { d.signed = append(d.signed, finding(id, args...)) }
	s := search{choices: map[string][]choice{}}
	switch {
	case d.m.query() && d.m.answer():
		say("sign-query-answer")
		return
	case d.m.query():
		s.parts = []string{fieldMerchant, fieldAccount, partCert}
	case d.m.answer():
		s.parts = []string{fieldMerchant, fieldCode, fieldText, fieldBody, partCert}
	default:
		s.parts = []string{fieldMerchant, fieldBody, partCert}
	}
	text := d.m.fields[fieldSign]
	t := strings.ToLower(strings.TrimSpace(text))
	if t != text {
		say("sign-upper")
	}
	raw, err := hex.DecodeString(t)
	key := d.own.PublicKey
	switch rsaMode := key != nil && d.m.answer(); {
	case err == nil && len(raw) == md5.Size && !rsaMode:
		s.matches = func(sum [md5.Size]byte) bool { return bytes.Equal(sum[:], raw) }
	case err == nil && rsaMode && len(raw) == key.Size():
		s.matches = func(sum [md5.Size]byte) bool { return rsa.VerifyPKCS1v15(key, crypto.MD5, sum[:], raw) == nil }
	default:
		say("sign-form", len(t))
	}
	if s.matches == nil || d.own.Cert == "" {
		return
	}
	for _, p := range s.parts {
		s.choices[p] = []choice{{text: plain(d.m.fields[p])}}
		s.pick = append(s.pick, 0)
	}
	d.offerBodies(&s)
	if d.m.answer() {
		s.offerTexts()
	}
	d.offerCerts(&s)
	for differ := 0; differ < 3 && !d.holds; differ++ {
		d.holds = s.deviate(0, differ)
	}
	before := len(d.signed)
	for i, p := range s.parts {
		if s.pick[i] > 0 {
			d.signed = append(d.signed, s.choices[p][s.pick[i]].found)
		}
	}
	switch {
	case len(d.signed) > before:
	case d.holds:
		say("sign-ok", strings.Join(s.parts, " + "))
	case d.body.broken, d.plain.cut, d.plain.altered > 0:
		say("sign-unchecked", s.tried)
	case d.plain.clean:
		say("cert-wrong", s.tried)
	default:
		say("sign-unexplained", s.tried)
	}
}

func plain(s string) func() []byte {
	b := []byte(s)
	return func() []byte { return b }
}

// offer adds a choice of a part.
func (s *search) offer(part string, text func() []byte, id string, args ...any) {
	s.choices[part] = append(s.choices[part], choice{finding(id, args...), text})
}

// offerBodies adds what programs sign in the place of the Base64 on one line.
func (d *diagnosis) offerBodies(s *search) {
	b := d.body
	if b.text == "" || d.m.query() {
		return
	}
	s.choices[fieldBody] = []choice{{text: plain(b.text)}}
	if b.received != b.text {
		s.offer(fieldBody, plain(b.received), "sign-over-received")
	}
	for _, newline := range []string{"\r\n", "\n", "\r"} {
		for _, n := range []int{76, 64, len(b.text)} {
			for _, last := range []string{newline, ""} {
				s.offer(fieldBody, func() []byte { return append(wrap(b.text, n, newline), last...) }, "sign-over-line-breaks")
			}
		}
	}
	escaped := url.QueryEscape(b.text)
	s.offer(fieldBody, plain(escaped), "sign-over-percent")
	s.offer(fieldBody, plain(strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d").Replace(escaped)), "sign-over-percent")
	if doc := string(d.plain.text); doc != "" {
		s.offer(fieldBody, plain(doc), "sign-over-xml")
		s.offer(fieldBody, plain(strings.TrimPrefix(doc, "\uFEFF")), "sign-over-xml")
	}
}

func wrap(s string, n int, newline string) []byte {
	b := make([]byte, 0, len(s)+len(s)/n*2+2)
	for ; len(s) > n; s = s[n:] {
		b = append(append(b, s[:n]...), newline...)
	}
	return append(b, s...)
}

// offerTexts adds what becomes of a Chinese message between two programs.
func (s *search) offerTexts() {
	v := string(s.choices[fieldText][0].text())
	for name, turn := range map[string]func(string) (string, error){
		"GBK": simplifiedchinese.GBK.NewEncoder().String, "GBK bytes": simplifiedchinese.GBK.NewDecoder().String,
		"ISO 8859-1": charmap.ISO8859_1.NewEncoder().String, "Windows-1252": charmap.Windows1252.NewEncoder().String,
	} {
		if text, err := turn(v); err == nil {
			s.offer(fieldText, plain(text), "text-encoding", name)
		}
	}
}

// offerCerts adds what programs take for the cert.
func (d *diagnosis) offerCerts(s *search) {
	cert := d.own.Cert
	s.choices[partCert] = []choice{{text: plain(cert)}}
	for _, around := range []string{"\n", "\r\n"} {
		s.offer(partCert, plain(cert+around), "sign-cert-newline")
	}
	for _, k := range d.others {
		if k.Cert != cert {
			s.offer(partCert, plain(k.Cert), "cert-other", k.MerchantCode)
		}
		if code := d.m.fields[fieldMerchant]; k.MerchantCode != code {
			s.offer(fieldMerchant, plain(k.MerchantCode), "sign-merchant", k.MerchantCode)
		}
	}
}

// isGBK reports whether b is no UTF-8 but Chinese in GBK.
func isGBK(b []byte) bool {
	if utf8.Valid(b) {
		return false
	}
	out, err := simplifiedchinese.GBK.NewDecoder().Bytes(b)
	return err == nil && !bytes.ContainsRune(out, '\uFFFD') && !bytes.ContainsFunc(out, control)
}
