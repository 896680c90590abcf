// Package envelope is the cryptography of an IPS v2.0 message and nothing
// else: 3DES-EDE-CBC with PKCS#5 padding, Base64 on one line, and the MD5 and
// MD5withRSA signatures. The client and the sandbox share it, because the
// vendor's known-answer vectors pin it from outside.
//
// MD5 and 3DES are the platform's choice, not ours; TLS is what protects the
// traffic.
package envelope

import (
	"crypto"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// The ways in which a body that verified can still be unreadable. None of them
// carries a byte of the message.
var (
	ErrBase64  = errors.New("body is not Base64")
	ErrLength  = errors.New("body is not a whole number of cipher blocks")
	ErrPadding = errors.New("body has bad padding")
)

// Keys are one merchant's secrets, checked and ready for use. They are safe
// for concurrent use and print as their merchant code only.
type Keys struct {
	merCode string
	// A function, because fmt and its like look into everything else, if only
	// the verb is wrong or the Keys sit in somebody's unexported field.
	secret func() *secret
}

type secret struct {
	cert  string
	iv    [des.BlockSize]byte
	block cipher.Block
}

// NewKeys checks lengths and character sets: merCode six digits, cert 128
// printable ASCII characters, key 24 and iv 8 ASCII characters. Its errors say
// which of them is wrong and never what it is.
func NewKeys(merCode, cert, key, iv string) (*Keys, error) {
	var errs []error
	if len(merCode) != 6 || strings.Trim(merCode, "0123456789") != "" {
		errs = append(errs, fmt.Errorf("merchant code: want 6 digits, got %d characters", len(merCode)))
	}
	for _, s := range []struct {
		name, value string
		length      int
	}{{"cert", cert, 128}, {"3DES key", key, 24}, {"3DES IV", iv, des.BlockSize}} {
		switch {
		case len(s.value) != s.length:
			errs = append(errs, fmt.Errorf("%s: want %d ASCII characters, got %d bytes", s.name, s.length, len(s.value)))
		case strings.ContainsFunc(s.value, func(r rune) bool { return r < ' ' || r > '~' }):
			errs = append(errs, fmt.Errorf("%s: has a character that is not printable ASCII", s.name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	block, err := des.NewTripleDESCipher([]byte(key))
	if err != nil {
		return nil, fmt.Errorf("3DES key: %w", err)
	}
	s := &secret{cert: cert, iv: [des.BlockSize]byte([]byte(iv)), block: block}
	return &Keys{merCode: merCode, secret: func() *secret { return s }}, nil
}

// MerCode is the merchant code that the keys belong to.
func (k *Keys) MerCode() string { return k.merCode }

// String hides the keys.
func (k *Keys) String() string { return "keys of merchant " + k.merCode }

// GoString hides the keys.
func (k *Keys) GoString() string { return k.String() }

// Format hides the keys from every verb.
func (k *Keys) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// padding is what fills the last block, by how much of it is missing (PKCS#5).
var padding = [...]string{1: "\x01", "\x02\x02", "\x03\x03\x03", "\x04\x04\x04\x04", "\x05\x05\x05\x05\x05",
	"\x06\x06\x06\x06\x06\x06", "\x07\x07\x07\x07\x07\x07\x07", "\x08\x08\x08\x08\x08\x08\x08\x08"}

// Encrypt returns the Base64 text, on one line, of the encrypted document.
func (k *Keys) Encrypt(document []byte) string {
	pad := des.BlockSize - len(document)%des.BlockSize
	buf := takeScratch(len(document) + pad)
	defer putScratch(buf)
	raw := append(append((*buf)[:0], document...), padding[pad]...)
	s := k.secret()
	cipher.NewCBCEncrypter(s.block, s.iv[:]).CryptBlocks(raw, raw)
	return encode(raw)
}

// encode is EncodeToString of encoding/base64 without its second copy.
func encode(raw []byte) string {
	var text strings.Builder
	text.Grow(base64.StdEncoding.EncodedLen(len(raw)))
	var chunk [1024]byte
	for part := range slices.Chunk(raw, len(chunk)/4*3) {
		text.Write(base64.StdEncoding.AppendEncode(chunk[:0], part))
	}
	return text.String()
}

// Decrypt undoes Encrypt. Verify the signature first.
func (k *Keys) Decrypt(body string) (document string, err error) {
	buf := takeScratch(base64.StdEncoding.DecodedLen(len(body)))
	defer putScratch(buf)
	n, err := base64.StdEncoding.Strict().Decode(*buf, []byte(body))
	if err != nil {
		return "", ErrBase64
	}
	raw := (*buf)[:n]
	if n == 0 || n%des.BlockSize != 0 {
		return "", ErrLength
	}
	s := k.secret()
	decryptBlocks(s.block, s.iv[:], raw)
	pad := int(raw[n-1])
	if pad < 1 || pad > des.BlockSize || string(raw[n-pad:]) != padding[pad] {
		return "", ErrPadding
	}
	return string(raw[:n-pad]), nil
}

// scratch has buffers for messages on their way through the cipher. Their garbage
// shows in the benchmarks of small and middling messages.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

const maxScratch = 64 << 10

// takeScratch returns a buffer of n bytes.
func takeScratch(n int) *[]byte {
	buf := scratch.Get().(*[]byte)
	*buf = slices.Grow((*buf)[:0], n)[:n]
	return buf
}

// putScratch takes a buffer back. No text is to lie about in it.
func putScratch(buf *[]byte) {
	if cap(*buf) <= maxScratch {
		clear((*buf)[:cap(*buf)])
		scratch.Put(buf)
	}
}

// FirstBlockLen is how much of a body its first block takes.
const FirstBlockLen = (des.BlockSize + 2) / 3 * 4

// FirstBlock decrypts the first block of a body; ok is false if it has none.
func (k *Keys) FirstBlock(body string) (block []byte, ok bool) {
	if len(body) < FirstBlockLen {
		return nil, false
	}
	var decoded [FirstBlockLen / 4 * 3]byte
	n, err := base64.StdEncoding.Decode(decoded[:], []byte(body[:FirstBlockLen]))
	if err != nil || n < des.BlockSize { // as with nearly all, which begin with a code and a message
		return nil, false
	}
	s := k.secret()
	block = slices.Clone(decoded[:des.BlockSize])
	s.block.Decrypt(block, block)
	subtle.XORBytes(block, block, s.iv[:])
	return block, true
}

// partSize is the length of a part that is worth handing to another processor:
// a good millisecond of 3DES.
const partSize = 32 << 10

// decryptBlocks undoes CBC in place. Unlike encryption, a block needs only the
// ciphertext before it, so a large body is cut into parts, which the processors
// take one after the other.
func decryptBlocks(block cipher.Block, iv, buf []byte) {
	parts := (len(buf) + partSize - 1) / partSize
	workers := min(runtime.GOMAXPROCS(0), parts)
	if workers < 2 {
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(buf, buf)
		return
	}
	// The last block before each part, kept before it is overwritten.
	before := make([]byte, 0, parts*des.BlockSize)
	before = append(before, iv...)
	for end := partSize; end < len(buf); end += partSize {
		before = append(before, buf[end-des.BlockSize:end]...)
	}
	var next atomic.Int64
	work := func() {
		for {
			n := int(next.Add(1)) - 1
			if n >= parts {
				return
			}
			part := buf[n*partSize : min((n+1)*partSize, len(buf))]
			cipher.NewCBCDecrypter(block, before[n*des.BlockSize:(n+1)*des.BlockSize]).CryptBlocks(part, part)
		}
	}
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

const damage = " \r\n"

var repair = strings.NewReplacer(" ", "+", "\r", "", "\n", "")

// Repair undoes what sloppy stacks do to Base64 on the way: a plus sign that
// was decoded into a space, and lines broken every 76 characters. Signatures
// are taken over the repaired text.
func Repair(body string) string {
	for i := range len(damage) { // one at a time, which is many times faster than ContainsAny
		if strings.IndexByte(body, damage[i]) >= 0 {
			return repair.Replace(body)
		}
	}
	return body
}

// SignRequest is the signature of a request: lower-case hex MD5 of merchant
// code, body and cert.
func (k *Keys) SignRequest(body string) string {
	return k.sum(k.merCode, body)
}

// VerifyRequest compares in constant time.
func (k *Keys) VerifyRequest(body, sign string) bool {
	return equal(k.SignRequest(body), sign)
}

// SignAnswer is the signature of an answer in MD5 mode: lower-case hex MD5 of
// merchant code, error code, error message, body and cert.
func (k *Keys) SignAnswer(errCode, errMsg, body string) string {
	return k.sum(k.merCode, errCode, errMsg, body)
}

// VerifyAnswer checks an answer's signature: with pub nil in MD5 mode, else in
// MD5withRSA mode (RSASSA-PKCS1-v1_5 over the same text, in hex). It compares
// in constant time.
func (k *Keys) VerifyAnswer(pub *rsa.PublicKey, errCode, errMsg, body, sign string) bool {
	if pub == nil {
		return equal(k.SignAnswer(errCode, errMsg, body), sign)
	}
	if len(sign) != 2*pub.Size() {
		return false
	}
	raw, err := hex.DecodeString(sign)
	if err != nil {
		return false
	}
	digest := k.digest(k.merCode, errCode, errMsg, body)
	return rsa.VerifyPKCS1v15(pub, crypto.MD5, digest[:], raw) == nil
}

// SignAnswerRSA is the signature of an answer in MD5withRSA mode.
func (k *Keys) SignAnswerRSA(priv *rsa.PrivateKey, errCode, errMsg, body string) (string, error) {
	digest := k.digest(k.merCode, errCode, errMsg, body)
	raw, err := rsa.SignPKCS1v15(nil, priv, crypto.MD5, digest[:])
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

// SignText signs the plain concatenation of the parts and the cert, as the
// queries do.
func (k *Keys) SignText(parts ...string) string { return k.sum(parts...) }

// VerifyText compares SignText(parts...) with sign in constant time.
func (k *Keys) VerifyText(sign string, parts ...string) bool {
	return equal(k.sum(parts...), sign)
}

func (k *Keys) sum(parts ...string) string {
	d := k.digest(parts...)
	var text [2 * md5.Size]byte
	hex.Encode(text[:], d[:])
	return string(text[:])
}

// digest is the MD5 of the parts and the cert, without putting long parts
// together first.
func (k *Keys) digest(parts ...string) [md5.Size]byte {
	d := digesters.Get().(*digester)
	defer digesters.Put(d)
	d.hash.Reset()
	for _, p := range parts {
		d.write(p)
	}
	d.write(k.secret().cert)
	clear(d.chunk[:]) // the cert is not to lie about
	d.hash.Sum(d.sum[:0])
	return d.sum
}

// digester hashes strings, which package md5 takes as bytes only.
type digester struct {
	hash  hash.Hash
	chunk [1024]byte
	sum   [md5.Size]byte
}

var digesters = sync.Pool{New: func() any { return &digester{hash: md5.New()} }}

func (d *digester) write(s string) {
	for len(s) > 0 {
		n := copy(d.chunk[:], s)
		d.hash.Write(d.chunk[:n])
		s = s[n:]
	}
}

func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
