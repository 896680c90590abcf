package diagnose

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"unicode/utf8"
)

// decrypted is what became of the ciphertext.
type decrypted struct {
	text    []byte // without padding; nil if it is not known
	found   []Finding
	tried   bool // there was something to decrypt, and something to do it with
	clean   bool // under the own key and IV
	cut     bool // the document's end is missing
	altered int  // the first block that is garbage while others are text, from 1; 0 for none
	blocks  int
}

// cbc decrypts whole blocks.
func cbc(k Keys, data []byte) []byte {
	block, err := des.NewTripleDESCipher([]byte(k.Key))
	if err != nil || len(k.IV) != des.BlockSize {
		return nil
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, []byte(k.IV)).CryptBlocks(out, data)
	return out
}

// sample is as much as tells text from garbage.
const sample = 4 << 10

// fits reports whether keys give text: the whole, or all but the first block.
func fits(k Keys, data []byte) (whole, rest bool) {
	out := cbc(k, data[:min(len(data), sample)])
	switch {
	case out == nil:
		return false, false
	case len(out) == des.BlockSize:
		return padding(out) > 0, false
	}
	rest = likeText(out[des.BlockSize:])
	return rest && beginsWell(out), rest
}

// decrypt tries the own keys and then the others.
func (d *diagnosis) decrypt() {
	p := &d.plain
	if p.text = d.body.plain; p.text != nil {
		return
	}
	data := d.body.bytes[:len(d.body.bytes)/des.BlockSize*des.BlockSize]
	p.blocks = len(data) / des.BlockSize
	if len(data) == 0 || d.own.Key == "" || d.own.IV == "" {
		return
	}
	p.tried = true
	keys := d.own
	whole, rest := fits(keys, data)
	for i := 0; !whole && i < len(d.others); i++ {
		if ok, _ := fits(d.others[i], data); ok {
			keys, whole = d.others[i], true
			p.found = append(p.found, finding("keys-other", keys.MerchantCode))
		}
	}
	switch {
	case !whole && !rest:
		p.found = append(p.found, finding("key-wrong"))
		return
	case !whole:
		p.found = append(p.found, finding("iv-wrong"))
		return
	}
	p.clean = len(p.found) == 0
	p.unpad(cbc(keys, data))
	if p.clean && len(p.found) == 0 {
		p.found = append(p.found, finding("decrypt-ok", len(p.text)))
	}
}

// beginnings are what documents begin with, to more than a block.
var beginnings = []string{`<?xml version="1.0"`, `<?xml version='1.0'`, "\uFEFF" + `<?xml version="1.0"`, "<pReq><pMerBillNo>", "<pReq><pBidNo>", "\uFEFF<pReq><p"}

// beginsWell reports whether the first block is of the same text as the others.
// The difference of two IVs made of letters leaves much of it printable, so a
// known beginning that goes on behind it counts for more than its looks.
func beginsWell(out []byte) bool {
	for _, b := range beginnings {
		if bytes.HasPrefix(out[des.BlockSize:], []byte(b[des.BlockSize:])) {
			return bytes.HasPrefix(out, []byte(b))
		}
	}
	return !bytes.ContainsFunc(out[:des.BlockSize], control)
}

func control(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7F }

// likeText reports whether there is hardly anything else than text in b.
// Garbage has a control character in every ninth byte.
func likeText(b []byte) bool {
	if bytes.Contains(b, []byte("</p")) {
		return true
	}
	odd := 0
	for _, c := range b[:len(b)-des.BlockSize] { // the last block may be padding
		if control(rune(c)) {
			odd++
		}
	}
	return odd*50 <= len(b)
}

// padding is the number of bytes of PKCS5 padding, 0 if it is none.
func padding(b []byte) int {
	n := int(b[len(b)-1])
	if n < 1 || n > des.BlockSize || n > len(b) || !bytes.Equal(b[len(b)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return 0
	}
	return n
}

// unpad takes the padding off, and looks for a missing end and for a block that
// is none of the document while others are.
func (p *decrypted) unpad(plain []byte) {
	const end = "</pReq>"
	n := padding(plain)
	p.text = plain[:len(plain)-n]
	if n == 0 {
		if i := bytes.LastIndex(plain, []byte(end)); i >= 0 && len(plain)-i-len(end) <= des.BlockSize {
			p.text = plain[:i+len(end)]
			p.found = append(p.found, finding("padding-wrong", len(plain)-len(p.text)))
		} else {
			p.cut = true
		}
	}
	if isGBK(p.text) {
		return
	}
	for i := 0; i < len(p.text); {
		r, size := utf8.DecodeRune(p.text[i:])
		if r == utf8.RuneError && size == 1 || control(r) {
			p.altered = i/des.BlockSize + 1
			return
		}
		i += size
	}
}
