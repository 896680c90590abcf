package diagnose

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"html"
	"math/big"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// signature is the field, read into the hash that it says.
type signature struct {
	digest []byte // 16 bytes, or the middle 8; nil if it says none
	rsa    bool
	found  []Finding
}

func (s *signature) wrong(id, remedy, format string, args ...any) {
	s.found = append(s.found, Finding{id, stepSignature, Wrong, fmt.Sprintf(format, args...), remedy})
}

const signRemedy = "Sign with lower-case hexadecimal MD5, 32 digits."

// readSignature judges the form of a signature. Requests are signed with MD5
// whatever the mode; the mode is about answers.
func readSignature(text string, answer bool, k *keyring) *signature {
	s := &signature{}
	t := strings.TrimSpace(text)
	if t == "" {
		s.wrong("sign-empty", "Sign the message; if it was signed, look for where the field is lost.", "The signature is empty.")
		return s
	}
	if t != text {
		s.wrong("sign-space", "Trim the signature before sending and comparing.", "The signature has white space around it.")
	}
	raw, err := hex.DecodeString(t)
	switch isHex := err == nil; {
	case isHex && len(raw) == md5.Size:
		if s.digest = raw; t != strings.ToLower(t) {
			s.wrong("sign-upper", "Write the hash in lower case (toLowerCase, strtolower) before sending, and compare it so.",
				"The signature is in upper-case letters; the platform's are lower-case, and compared so.")
		}
		if answer && k.pub != nil {
			s.wrong("sign-md5-in-rsa-mode", "If IPS signs your answers with MD5, take IPS_PUBLIC_KEY out of the configuration. If it should be RSA, do not believe this message: ask IPS for the mode.",
				"The answer is signed with MD5 (32 digits) while a public key is configured, which means MD5withRSA mode.")
		}
	case isHex && len(raw) >= 128:
		s.readRSA(raw, answer, k)
	case isHex && len(raw) == 8:
		s.digest = raw
		s.wrong("sign-half", signRemedy, "The signature has 16 digits: the middle half of an MD5 hash.")
	case isHex && (len(raw) == 20 || len(raw) == 32 || len(raw) == 48 || len(raw) == 64):
		s.wrong("sign-sha", signRemedy, "The signature has %d digits, as SHA-%d has; MD5 has 32.", len(t), map[int]int{20: 1, 32: 256, 48: 384, 64: 512}[len(raw)])
	default:
		s.readBase64(t, answer, k)
	}
	return s
}

func (s *signature) readBase64(t string, answer bool, k *keyring) {
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(t, " ", "+"))
	switch {
	case err == nil && len(raw) == md5.Size && len(t) == 24:
		s.digest = raw
		s.wrong("sign-base64", "Write the hash in hexadecimal.", "The signature is the Base64 of an MD5 hash.")
	case err == nil && answer && len(raw) >= 128 && len(raw) <= 512:
		s.wrong("sign-base64", "The platform writes RSA signatures as hexadecimal; something on the way re-encoded it.", "The signature is Base64, of a length as RSA has it.")
		s.readRSA(raw, answer, k)
	case len(t) == 32:
		s.wrong("sign-form", signRemedy, "The signature has 32 characters which are not all hexadecimal digits.")
	default:
		s.wrong("sign-length", signRemedy+" Look for a field limit that cuts it.", "The signature has %d characters; MD5 has 32 hexadecimal digits, MD5withRSA 256.", len(t))
	}
}

// readRSA recovers the hash out of an RSA signature.
func (s *signature) readRSA(raw []byte, answer bool, k *keyring) {
	s.rsa = true
	switch {
	case !answer:
		s.wrong("sign-rsa-request", "Sign requests with MD5 over merchant code + body + cert, in MD5withRSA mode too. Only IPS signs with RSA.",
			"The request is signed with RSA (%d digits).", 2*len(raw))
		return
	case k.pub == nil:
		s.wrong("sign-rsa-in-md5-mode", "IPS signs your answers in MD5withRSA mode: set IPS_PUBLIC_KEY to the platform's key (PEM or Base64), or have IPS switch you to MD5.",
			"The answer is signed with RSA (%d digits) and no public key is configured: it cannot be checked further.", 2*len(raw))
		return
	case len(raw) != k.pub.Size():
		s.wrong("sign-rsa-key", "Set IPS_PUBLIC_KEY to the key with which IPS signs your answers.",
			"The signature has %d digits and the configured public key makes %d: it is another key.", 2*len(raw), 2*k.pub.Size())
		return
	}
	info, ok := openRSA(k.pub, raw)
	if !ok {
		s.wrong("sign-rsa-key", "Compare IPS_PUBLIC_KEY with what IPS issued (test and production have different ones), and the signature with what was received.",
			"The signature was not made by the private half of the configured public key, or it was changed.")
		return
	}
	for _, h := range []struct {
		name, prefix string
	}{
		{"MD5", "3020300c06082a864886f70d020505000410"},
		{"SHA-1", "3021300906052b0e03021a05000414"},
		{"SHA-256", "3031300d060960864801650304020105000420"},
	} {
		if sum, ok := strings.CutPrefix(hex.EncodeToString(info), h.prefix); ok {
			if h.name != "MD5" {
				break
			}
			s.digest, _ = hex.DecodeString(sum)
			if len(s.digest) == md5.Size {
				return
			}
		}
	}
	s.digest = nil
	s.wrong("sign-rsa-hash", "Sign with MD5withRSA.", "The RSA signature is right for the key, but not over an MD5 hash.")
}

// openRSA takes off RSA and the padding of PKCS #1 v1.5. Verification against
// each guess would need one exponentiation a guess; this needs one in all.
func openRSA(pub *rsa.PublicKey, raw []byte) (info []byte, ok bool) {
	n := new(big.Int).SetBytes(raw)
	if n.Cmp(pub.N) >= 0 || pub.N.BitLen() > 8192 {
		return nil, false
	}
	em := n.Exp(n, big.NewInt(int64(pub.E)), pub.N).FillBytes(make([]byte, pub.Size()))
	if !bytes.HasPrefix(em, []byte{0, 1, 0xFF}) {
		return nil, false
	}
	padding, info, found := bytes.Cut(em[2:], []byte{0})
	return info, found && len(padding) >= 8 && len(bytes.Trim(padding, "\xFF")) == 0
}

// choice is a text that may have been signed for a part. The first choice of a
// part, without an id, is the contract's.
type choice struct {
	id, words, remedy string
	text              func() string
}

// order is a sequence of parts.
type order struct {
	id, words, remedy string
	parts             []role
}

// search looks for the text that was signed.
type search struct {
	contract []role
	orders   []order
	values   map[role][]choice
	joins    []choice
	want     []byte

	state  map[string]hash.Hash // behind the body, which is what is long
	cache  map[int]string       // texts of the body's choices
	hashed int
	tried  int
	cut    bool // not everything was tried
}

// maxHashed bounds the work: about a second.
const maxHashed = 384 << 20

// candidate is one guess: an index into the choices of each part.
type candidate struct {
	order, join int
	pick        map[role]int
}

func (s *search) bodyText(i int) string {
	if t, ok := s.cache[i]; ok {
		return t
	}
	t := s.values[roleBody][i].text()
	if len(t) > 1<<20 {
		clear(s.cache) // one at a time
	}
	s.cache[i] = t
	return t
}

// holds hashes one guess. What stands before and in the body is hashed once for
// all guesses that share it.
func (s *search) holds(c candidate) bool {
	join := s.joins[c.join].text()
	parts := s.orders[c.order].parts
	at := slices.Index(parts, roleBody)
	text := func(parts []role) string {
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(s.values[p][c.pick[p]].text())
			b.WriteString(join)
		}
		return b.String()
	}
	var h hash.Hash
	rest := parts
	if at < 0 {
		h = md5.New()
	} else {
		before := text(parts[:at])
		key := fmt.Sprintf("%d %s", c.pick[roleBody], before)
		state, ok := s.state[key]
		if !ok {
			body := s.bodyText(c.pick[roleBody])
			if !s.afford(len(before) + len(body)) {
				return false
			}
			state = md5.New()
			_, _ = state.Write([]byte(before))
			for b := body; len(b) > 0; { // no copy of it all
				n := min(len(b), 32<<10)
				_, _ = state.Write([]byte(b[:n]))
				b = b[n:]
			}
			if len(s.state) < 1<<14 && len(key) < 1<<10 {
				s.state[key] = state
			}
		}
		h = clone(state)
		rest = parts[at+1:]
		if len(rest) > 0 {
			_, _ = h.Write([]byte(join))
		}
	}
	after := strings.TrimSuffix(text(rest), join)
	if !s.afford(len(after)) {
		return false
	}
	s.tried++
	_, _ = h.Write([]byte(after))
	return s.matches(h.Sum(nil))
}

// afford counts what is hashed, and ends the search when it is too much.
func (s *search) afford(n int) bool {
	if s.hashed += n; s.hashed > maxHashed {
		s.cut = true
	}
	return !s.cut
}

func clone(h hash.Hash) hash.Hash {
	c, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // MD5 can be cloned
	}
	return c
}

func (s *search) matches(sum []byte) bool {
	if len(s.want) == 8 {
		return bytes.Equal(sum[4:12], s.want)
	}
	return bytes.Equal(sum, s.want)
}

// dimension is one thing in which a guess can differ from the contract.
type dimension struct {
	n   int // alternatives, from 1
	set func(*candidate, int)
}

func (s *search) dimensions() []dimension {
	dims := []dimension{
		{len(s.orders) - 1, func(c *candidate, i int) { c.order = i }},
		{len(s.joins) - 1, func(c *candidate, i int) { c.join = i }},
	}
	for _, p := range append(slices.Clone(s.contract), roleMemo) {
		if n := len(s.values[p]) - 1; n > 0 {
			dims = append(dims, dimension{n, func(c *candidate, i int) { c.pick[p] = i }})
		}
	}
	slices.Reverse(dims) // the values before the many orders
	return dims
}

// find tries the contract's text, then everything that differs in one thing,
// then in two.
func (s *search) find() (c candidate, found bool) {
	c.pick = map[role]int{}
	if s.holds(c) {
		return c, true
	}
	dims := s.dimensions()
	for _, d := range dims {
		for i := 1; i <= d.n; i++ {
			if d.set(&c, i); s.holds(c) {
				return c, true
			}
		}
		d.set(&c, 0)
	}
	length := 0
	for _, p := range s.contract {
		length += len(s.values[p][0].text())
	}
	if length > 1<<20 {
		s.cut = true
		return c, false
	}
	for a := range dims {
		for b := a + 1; b < len(dims); b++ {
			for i := 1; i <= dims[a].n; i++ {
				for j := 1; j <= dims[b].n && !s.cut; j++ {
					dims[a].set(&c, i)
					if dims[b].set(&c, j); s.holds(c) {
						return c, true
					}
				}
			}
			dims[a].set(&c, 0)
			dims[b].set(&c, 0)
		}
	}
	return c, false
}

// deviations are the findings for a guess that held.
func (s *search) deviations(c candidate) []Finding {
	var out []Finding
	add := func(id, words, remedy string) {
		if id != "" {
			out = append(out, Finding{id, stepSignature, Wrong, "The signature holds " + words + ".", remedy})
		}
	}
	o := s.orders[c.order]
	add(o.id, o.words, o.remedy)
	for _, p := range o.parts {
		v := s.values[p][c.pick[p]]
		add(v.id, v.words, v.remedy)
	}
	j := s.joins[c.join]
	add(j.id, j.words, j.remedy)
	return out
}

// other tries ways of hashing that are no concatenation.
func (s *search) other() (f Finding, found bool) {
	var text strings.Builder
	for _, p := range s.contract {
		text.WriteString(s.values[p][0].text())
	}
	all, cert := text.String(), s.values[roleCert][0].text()
	if !s.afford(4 * len(all)) {
		return Finding{}, false
	}
	found16 := func(id, words string) (Finding, bool) {
		return Finding{id, stepSignature, Wrong, "The signature holds " + words + ".", "Sign with one MD5 over the plain concatenation " + names(s.contract) + ", UTF-8."}, true
	}
	mac := hmac.New(md5.New, []byte(cert))
	_, _ = mac.Write([]byte(strings.TrimSuffix(all, cert)))
	once := md5.Sum([]byte(all))
	twice := md5.Sum([]byte(hex.EncodeToString(once[:])))
	wide, _ := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(all)
	utf16 := md5.Sum([]byte(wide))
	s.tried += 3
	switch {
	case s.matches(mac.Sum(nil)):
		return found16("sign-hmac", "as an HMAC with the cert as its key")
	case s.matches(twice[:]):
		return found16("sign-twice", "as MD5 of an MD5 hash")
	case s.matches(utf16[:]):
		return found16("sign-utf16", "over the text as UTF-16 (.NET: Encoding.Unicode)")
	}
	return Finding{}, false
}

func names(parts []role) string {
	var out []string
	for _, p := range parts {
		out = append(out, string(p))
	}
	return strings.Join(out, " + ")
}

// orders lists the contract's sequence and then all others: first those with
// every part, then those without one, and so on.
func orders(contract []role) []order {
	all := []order{{parts: contract}}
	remedy := "Sign " + names(contract) + ", in this order, with nothing between."
	for size := len(contract); size > 0; size-- {
		arrange(contract, size, nil, func(parts []role) {
			if slices.Equal(parts, contract) {
				return
			}
			o := order{parts: slices.Clone(parts), remedy: remedy}
			missing := slices.DeleteFunc(slices.Clone(contract), func(p role) bool { return slices.Contains(parts, p) })
			inOrder := slices.Equal(parts, slices.DeleteFunc(slices.Clone(contract), func(p role) bool { return !slices.Contains(parts, p) }))
			switch {
			case len(missing) == 0:
				o.id, o.words = "sign-order", "over "+names(parts)+": the order is wrong"
			case len(missing) == 1 && inOrder:
				o.id, o.words = "sign-without-"+strings.ReplaceAll(string(missing[0]), " ", "-"), "over "+names(parts)+": the "+string(missing[0])+" was left out"
			default:
				o.id, o.words = "sign-parts", "over "+names(parts)
			}
			all = append(all, o)
		})
	}
	return all
}

func arrange(parts []role, size int, chosen []role, visit func([]role)) {
	if len(chosen) == size {
		visit(chosen)
		return
	}
	for _, p := range parts {
		if !slices.Contains(chosen, p) {
			arrange(parts, size, append(chosen, p), visit)
		}
	}
}

func plain(s string) func() string { return func() string { return s } }

// alternatives keeps the choices whose text differs from the contract's.
func alternatives(base string, more ...choice) []choice {
	out := []choice{{text: plain(base)}}
	for _, c := range more {
		if c.text != nil && c.text() != base {
			out = append(out, c)
		}
	}
	return out
}

func joins() []choice {
	const remedy = "Put nothing between the parts."
	out := []choice{{text: plain("")}}
	for _, s := range []struct{ sep, name string }{{"&", "&"}, {"|", "|"}, {",", "a comma"}, {"\n", "a line feed"}, {" ", "a space"}} {
		out = append(out, choice{"sign-separator", "with " + s.name + " between the parts", remedy, plain(s.sep)})
	}
	return out
}

func merchantChoices(received string, k *keyring) []choice {
	return alternatives(received,
		choice{"sign-merchant", "over the merchant code without the white space that the field has", "Send and sign the same 6 digits.", plain(strings.TrimSpace(received))},
		choice{"sign-merchant", "over the configured merchant code, which is not the one in the field", "Send and sign the same merchant code.", plain(k.code.value)})
}

func certChoices(k *keyring) []choice {
	const remedy = "Sign with the 128 characters of the cert, and nothing around them."
	cert := k.cert.value
	out := alternatives(cert,
		choice{"sign-cert-untrimmed", "over the cert as it is configured, with what stands around it", remedy, plain(k.cert.raw)},
		choice{"sign-cert-newline", "over the cert with a line feed behind it (read from a file without trimming)", remedy, plain(cert + "\n")},
		choice{"sign-cert-newline", "over the cert with carriage return and line feed behind it (read from a file without trimming)", remedy, plain(cert + "\r\n")},
		choice{"sign-cert-case", "over the cert in lower case", "Leave the cert's letters as they are.", plain(strings.ToLower(cert))},
		choice{"sign-cert-case", "over the cert in upper case", "Leave the cert's letters as they are.", plain(strings.ToUpper(cert))},
		choice{"sign-key-for-cert", "over the 3DES key in the place of the cert", "Sign with the cert (MD5 证书); the 3DES key is for the body only.", plain(k.key.value)},
		choice{"cert-test", "over the cert of the vendor's published test merchant, not the configured one", "Test and production were mixed up: use the cert of the environment that the message is for (or run this with -test-merchant).", plain(TestKeys().Cert)})
	if k.formerCert {
		out = append(out, choice{"cert-former", "over the former cert", "Answers from before the rotation may still come; requests must be signed with the new cert.", plain(k.former.Cert)})
	}
	return out
}

func codeChoices(received string) []choice {
	return alternatives(received, choice{"sign-code", "over the error code without the white space around it", "Do not change a field before its signature is checked.", plain(strings.TrimSpace(received))})
}

// textChoices are what becomes of a Chinese message between two programs.
func textChoices(f field) []choice {
	const utf8Remedy = "Hash the UTF-8 bytes: getBytes(\"UTF-8\"), Encoding.UTF8; in PHP keep the source and the connection in UTF-8."
	const asIs = "Check the signature over the message exactly as it was received, before anything trims, escapes or re-encodes it."
	v := f.value
	list := []choice{
		{"sign-text-trimmed", "over the error message without the white space around it", asIs, plain(strings.TrimSpace(v))},
		{"sign-text-escaped", "over the error message percent-encoded", asIs, plain(url.QueryEscape(v))},
		{"sign-text-escaped", "over the error message percent-encoded in lower case", asIs, plain(lowerEscapes(url.QueryEscape(v)))},
		{"sign-text-escaped", "over the error message with HTML escapes", asIs, plain(html.EscapeString(v))},
		{"sign-text-escaped", "over the error message without the HTML escapes that it has", asIs, plain(html.UnescapeString(v))},
	}
	if f.raw != "" {
		list = append(list, choice{"sign-text-escaped", "over the error message before percent-decoding", asIs, plain(f.raw)})
	}
	if b, err := simplifiedchinese.GBK.NewEncoder().String(v); err == nil {
		list = append(list, choice{"sign-gbk", "over the error message in GBK bytes instead of UTF-8", utf8Remedy, plain(b)})
	}
	if isGBK([]byte(v)) {
		b, _ := simplifiedchinese.GBK.NewDecoder().String(v)
		list = append(list, choice{"text-gbk", "over the error message in UTF-8, but it was captured in GBK bytes", "Read the message as what it is: declare charset=utf-8 where it is received, and save the capture in UTF-8.", plain(b)})
	}
	for _, enc := range []*charmap.Charmap{charmap.ISO8859_1, charmap.Windows1252} {
		if b, err := enc.NewEncoder().String(v); err == nil {
			list = append(list, choice{"text-mojibake", "over the error message's bytes, which were read as " + enc.String() + " on the way and became other characters", "Read the post as UTF-8 (request.setCharacterEncoding before the first getParameter; URIEncoding of the server).", plain(b)})
		}
	}
	return alternatives(v, list...)
}

func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// bodyChoices are the texts that programs sign in the place of the Base64 on
// one line.
func bodyChoices(b *body, document []byte) []choice {
	const remedy = "Sign the Base64 exactly as it is sent: on one line, standard alphabet, with its padding, before percent-encoding or escaping."
	text := b.text
	if text == "" {
		return []choice{{text: plain("")}}
	}
	out := []choice{{text: plain(text)}}
	add := func(id, words, remedy string, make func() string) {
		out = append(out, choice{id, words, remedy, make})
	}
	const strip = "Strip CR and LF from the Base64 first; sign and send what remains."
	for _, w := range []int{76, 64} {
		for _, nl := range []struct{ text, name string }{{"\r\n", "CR LF"}, {"\n", "LF"}} {
			words := fmt.Sprintf("over the Base64 with its line breaks (%s every %d characters)", nl.name, w)
			add("sign-over-line-breaks", words, strip, func() string { return broken(text, w, nl.text) })
			add("sign-over-line-breaks", words[:len(words)-1]+" and at the end)", strip, func() string { return broken(text, w, nl.text) + nl.text })
		}
	}
	add("sign-over-newline", "over the Base64 with a line feed behind it", strip, func() string { return text + "\n" })
	add("sign-over-newline", "over the Base64 with carriage return and line feed behind it", strip, func() string { return text + "\r\n" })
	if b.received != text {
		id := "sign-over-received"
		if strings.ContainsAny(b.received, "\r\n") {
			id = "sign-over-line-breaks"
		}
		add(id, "over the body exactly as it was received, damage included", remedy, plain(b.received))
	}
	if b.doubled != "" {
		add("sign-over-double-base64", "over the body in both layers of Base64", remedy, plain(b.doubled))
	}
	add("sign-over-percent", "over the percent-encoded Base64", remedy, func() string { return url.QueryEscape(text) })
	add("sign-over-percent", "over the percent-encoded Base64 (lower case)", remedy, func() string { return lowerEscapes(url.QueryEscape(text)) })
	add("sign-over-html", "over the HTML-escaped Base64", remedy, func() string { return strings.ReplaceAll(text, "+", "&#43;") })
	add("sign-over-spaces", "over the Base64 with spaces for its plus signs", remedy, func() string { return strings.ReplaceAll(text, "+", " ") })
	add("sign-over-url-safe", "over the URL-safe Base64 (- and _)", remedy, func() string { return strings.NewReplacer("+", "-", "/", "_").Replace(text) })
	add("sign-over-unpadded", "over the Base64 without its padding", remedy, func() string { return strings.TrimRight(text, "=") })
	if b.bytes != nil {
		add("sign-over-bytes", "over the ciphertext's bytes and not their Base64", remedy, func() string { return string(b.bytes) })
		add("sign-over-bytes", "over the ciphertext in hexadecimal", remedy, func() string { return hex.EncodeToString(b.bytes) })
	}
	if document != nil {
		const xmlRemedy = "Encrypt first, then sign the Base64 of the ciphertext, not the XML."
		add("sign-over-xml", "over the XML document and not the Base64 of its ciphertext", xmlRemedy, func() string { return string(document) })
		add("sign-over-xml", "over the XML document, without its byte order mark", xmlRemedy, func() string { return strings.TrimPrefix(string(document), "\uFEFF") })
		add("sign-over-xml", "over the XML document in GBK", xmlRemedy, func() string {
			b, err := simplifiedchinese.GBK.NewEncoder().String(string(document))
			if err != nil {
				return ""
			}
			return b
		})
	}
	return out
}

func broken(s string, n int, newline string) string {
	var b strings.Builder
	for len(s) > n {
		b.WriteString(s[:n] + newline)
		s = s[n:]
	}
	return b.String() + s
}

// isGBK reports whether b is no UTF-8 but Chinese in GBK.
func isGBK(b []byte) bool {
	out, err := simplifiedchinese.GBK.NewDecoder().Bytes(b)
	return err == nil && !bytes.ContainsRune(out, '\uFFFD') && !bytes.Equal(out, b) &&
		!bytes.ContainsFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7F })
}

func newSearch(contract []role, want []byte) *search {
	return &search{
		contract: contract, want: want,
		orders: []order{{parts: contract}}, joins: joins(),
		state: map[string]hash.Hash{}, cache: map[int]string{},
	}
}
