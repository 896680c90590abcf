package diagnose

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"fmt"
	"unicode/utf8"
)

// decrypted is what became of the ciphertext.
type decrypted struct {
	plain   []byte // without padding; nil if no way was found
	found   []Finding
	tried   bool // there was something to decrypt, and something to do it with
	clean   bool // under the configured keys, as the contract says
	byOther bool // under other keys than the configured ones
	altered int  // first block that is garbage while others are text, from 1; 0 for none
	blocks  int
}

func (d *decrypted) wrong(id, remedy, format string, args ...any) {
	d.found = append(d.found, Finding{id, stepCipher, Wrong, fmt.Sprintf(format, args...), remedy})
}

// attempt is a way to decrypt.
type attempt struct {
	id, text, remedy string
	key, iv          []byte
	ecb, single      bool
	other            bool // with other keys than the configured ones
}

func (a *attempt) block() (cipher.Block, error) {
	if a.single {
		return des.NewCipher(a.key[:des.BlockSize])
	}
	return des.NewTripleDESCipher(a.key)
}

// decrypt undoes the mode for whole blocks; before is the block in front.
func (a *attempt) decrypt(data, before []byte) []byte {
	block, err := a.block()
	if err != nil || len(data)%des.BlockSize != 0 {
		return nil
	}
	out := make([]byte, len(data))
	if a.ecb {
		for i := 0; i < len(data); i += des.BlockSize {
			block.Decrypt(out[i:], data[i:])
		}
		return out
	}
	cipher.NewCBCDecrypter(block, before).CryptBlocks(out, data)
	return out
}

// sample is as much as tells text from garbage.
const sample = 4 << 10

// fits reports whether the way gives text, from its first block or its second.
func (a *attempt) fits(data []byte) (first, rest bool) {
	out := a.decrypt(data[:min(len(data), sample)], a.iv)
	if len(out) == 0 {
		return false, false
	}
	if len(out) == des.BlockSize {
		return padded(out) && likeText(unpad(out)), false
	}
	rest = likeText(out[des.BlockSize:])
	return rest && beginsWell(out), rest
}

// beginnings are what documents begin with, to more than a block.
var beginnings = []string{`<?xml version="1.0"`, `<?xml version='1.0'`, "\uFEFF" + `<?xml version="1.0"`, "<pReq><pMerBillNo>", "<pReq><pBidNo>", "\uFEFF<pReq><p"}

// beginsWell reports whether the first block is of the same text as the others.
// The difference of two IVs made of letters leaves much of it printable, so a
// known beginning that goes on behind it counts for more than its looks.
func beginsWell(out []byte) bool {
	continued := false
	for _, whole := range beginnings {
		if bytes.HasPrefix(out[des.BlockSize:], []byte(whole[des.BlockSize:])) {
			continued = true
			if bytes.HasPrefix(out, []byte(whole)) {
				return true
			}
		}
	}
	if continued {
		return false
	}
	return begins(bytes.TrimLeft(out, " \t\r\n")) || utf16Mark(out) || !bytes.ContainsFunc(out[:des.BlockSize], func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' })
}

func utf16Mark(b []byte) bool {
	for _, mark := range []string{"\xFF\xFE", "\xFE\xFF", "<\x00", "\x00<"} {
		if bytes.HasPrefix(b, []byte(mark)) {
			return true
		}
	}
	return false
}

// likeText reports whether there is hardly anything else than text in b.
// Garbage has a control character in every ninth byte and is not UTF-8.
func likeText(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if bytes.Contains(b, []byte("<pReq")) || bytes.Contains(b, []byte("</pReq")) || bytes.Contains(b, []byte("<\x00p\x00R\x00e\x00q\x00")) {
		return true
	}
	odd, ascii := 0, 0
	for i, c := range b {
		switch {
		case c >= 0x20 && c < 0x7f || c == '\n' || c == '\r' || c == '\t':
			ascii++
		case c < 0x20 && i < len(b)-des.BlockSize: // the last block may be padding
			odd++
		}
	}
	if len(b) <= des.BlockSize { // two blocks in all: there is little to go by
		return true
	}
	return odd*50 <= len(b) && ascii*100 >= len(b)*65
}

func padded(b []byte) bool {
	n := int(b[len(b)-1])
	return n >= 1 && n <= des.BlockSize && n <= len(b) && bytes.Equal(b[len(b)-n:], bytes.Repeat([]byte{byte(n)}, n))
}

func unpad(b []byte) []byte { return b[:len(b)-int(b[len(b)-1])] }

// decryptBody tries the configured keys as the contract says, then what
// programs get wrong, and last other keys.
func decryptBody(data []byte, k *keyring) decrypted {
	var d decrypted
	data = data[:len(data)/des.BlockSize*des.BlockSize]
	d.blocks = len(data) / des.BlockSize
	if len(data) == 0 || !k.key.usable() || !k.iv.usable() {
		return d
	}
	d.tried = true
	usual := attempt{key: []byte(k.key.value), iv: []byte(k.iv.value)}
	first, rest := usual.fits(data)
	if !first {
		for _, a := range otherWays(&usual, k) {
			if ok, _ := a.fits(data); ok {
				d.wrong(a.id, a.remedy, "%s", a.text)
				d.byOther = a.other
				d.finish(&a, data, k)
				return d
			}
		}
		if rest {
			d.wrongIV(&usual, data)
			d.finish(&usual, data, k)
			return d
		}
		d.wrong("key-wrong", "Compare IPS_3DES_KEY with what IPS issued, character by character; look whether test and production keys were mixed up.",
			"The body does not decrypt with IPS_3DES_KEY: every block is garbage, and no way that programs get it wrong (ECB, single DES, key in hex or Base64) gives text.")
		return d
	}
	d.clean = true
	d.finish(&usual, data, k)
	return d
}

// otherWays are the ways that programs get it wrong, the likelier ones first.
func otherWays(usual *attempt, k *keyring) []attempt {
	const mode = "Use CBC with the IV that IPS issued (Java: DESede/CBC/PKCS5Padding; PHP: des-ede3-cbc; .NET: CipherMode.CBC)."
	const iv = "Use the 8 characters of the IV that IPS issued, as bytes."
	key := usual.key
	zero := make([]byte, des.BlockSize)
	ways := []attempt{
		{id: "mode-ecb", text: "The body was encrypted in ECB mode instead of CBC.", remedy: mode, key: key, ecb: true},
		{id: "iv-zero", text: "The body was encrypted with an IV of eight zero bytes.", remedy: iv, key: key, iv: zero},
		{id: "iv-of-key", text: "The body was encrypted with the first 8 characters of the key as IV.", remedy: iv, key: key, iv: key[:des.BlockSize]},
		{id: "iv-of-key", text: "The body was encrypted with the last 8 characters of the key as IV.", remedy: iv, key: key, iv: key[16:24]},
		{id: "cipher-des", text: "The body was encrypted with single DES, by the first 8 characters of the key.", remedy: "Use 3DES (DESede, des-ede3) with all 24 characters.", key: key, iv: usual.iv, single: true},
		{id: "cipher-des", text: "The body was encrypted with single DES in ECB mode.", remedy: "Use 3DES (DESede, des-ede3) with all 24 characters. " + mode, key: key, ecb: true, single: true},
		{id: "key-two-part", text: "The body was encrypted with the first 16 characters of the key only (two-key 3DES).", remedy: "Give the library all 24 characters of the key.", key: append(append([]byte(nil), key[:16]...), key[:8]...), iv: usual.iv},
	}
	if k.formerKeys {
		ways = append(ways, attempt{id: "keys-former", text: "The body was encrypted with the former 3DES key and IV.", key: []byte(fit(k.former.Key, 24)), iv: []byte(fit(k.former.IV, 8)), other: true,
			remedy: "Answers from before the rotation may still come; requests must be made with the new ones."})
	}
	t := TestKeys()
	if t.Key == k.key.value {
		return ways
	}
	return append(ways, attempt{id: "keys-test", text: "The body was encrypted with the keys of the vendor's published test merchant, not with the configured ones.", key: []byte(t.Key), iv: []byte(t.IV), other: true,
		remedy: "Test and production were mixed up: use the keys of the environment that the message is for (or run this with -test-merchant)."})
}

// fit cuts or fills a key to the length that the cipher takes.
func fit(s string, n int) string {
	return (s + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")[:n]
}

func (d *decrypted) wrongIV(a *attempt, data []byte) {
	out := a.decrypt(data[:min(len(data), sample)], a.iv)
	if begins(out[des.BlockSize:]) {
		d.wrong("iv-prefixed", "Send the ciphertext alone; the IV is agreed on and does not travel.", "The first 8 bytes are not of the document: the IV was put in front of the ciphertext.")
		return
	}
	d.wrong("iv-wrong", "Compare IPS_3DES_IV with what IPS issued; in the sending program look for a generated (random) IV.",
		"The first 8 bytes of the document are garbage and the rest is text: the key is right and the IV is not.")
}

func begins(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF"))
	return bytes.HasPrefix(b, []byte("<?xml")) || bytes.HasPrefix(b, []byte("<pReq"))
}

// finish decrypts the whole and takes the padding off.
func (d *decrypted) finish(a *attempt, data []byte, k *keyring) {
	iv := a.iv
	if iv == nil {
		iv = []byte(k.iv.value)
	}
	plain := a.decrypt(data, iv)
	if len(d.found) > 0 {
		switch d.found[0].ID {
		case "iv-prefixed":
			plain = plain[des.BlockSize:]
		case "iv-wrong":
			restoreBeginning(plain)
		}
	}
	d.plain = d.unpadded(plain)
	d.garbage()
}

// restoreBeginning puts in place of a garbled first block what a document
// begins with, where what follows shows which beginning it was.
func restoreBeginning(plain []byte) {
	for _, whole := range beginnings {
		if bytes.HasPrefix(plain[des.BlockSize:], []byte(whole[des.BlockSize:])) {
			copy(plain, whole[:des.BlockSize])
			return
		}
	}
}

const cutRemedy = "Look for a limit that cuts it: a database column, a log line, a URL, a field of a form."

const padRemedy = "Pad as PKCS5 (PKCS7) does: n bytes of value n, a whole block of eights where the length is a multiple of 8."

// unpadded takes any usual padding off and says so if it is not PKCS5.
func (d *decrypted) unpadded(plain []byte) []byte {
	if padded(plain) {
		return unpad(plain)
	}
	last := plain[len(plain)-1]
	text := bytes.TrimRight(plain, "\x00")
	tail := int(last)
	switch {
	case last == 0:
		d.wrong("padding-zero", padRemedy+" PHP: mcrypt pads with zeros by itself; pad before.", "The document is padded with %s instead of PKCS5.", count(len(plain)-len(text), "zero byte"))
		return text
	case last == '>':
		d.wrong("padding-none", padRemedy, "The document fills its blocks and has no padding.")
		return plain
	case last == ' ':
		d.wrong("padding-space", padRemedy, "The document is padded with spaces instead of PKCS5.")
		return bytes.TrimRight(plain, " ")
	case tail <= des.BlockSize && bytes.HasSuffix(plain[:len(plain)-tail], []byte(">")):
		d.wrong("padding-other", padRemedy, "The document is padded with %s, only the last of which says how many (ANSI X9.23 or ISO 10126).", count(tail, "byte"))
		return plain[:len(plain)-tail]
	}
	d.wrong("body-cut", cutRemedy,
		"The document's end is missing: the last of %s ends without padding.", count(d.blocks, "block"))
	return plain
}

// garbage looks for a block that is none of the document while others are.
func (d *decrypted) garbage() {
	if utf8.Valid(d.plain) || isGBK(d.plain) || bytes.IndexByte(d.plain[:min(len(d.plain), 64)], 0) >= 0 {
		return
	}
	for i := 0; i < len(d.plain); {
		r, size := utf8.DecodeRune(d.plain[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			d.altered = i/des.BlockSize + 1
			return
		}
		i += size
	}
}
