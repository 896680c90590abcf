// Package envelope is the cryptography of an IPS v2.0 message and nothing
// else: 3DES-EDE-CBC with PKCS#5 padding, Base64 on one line, and the MD5 and
// MD5withRSA signatures. The client and the sandbox share it, because the
// vendor's known-answer vectors pin it from outside.
//
// MD5 and 3DES are the platform's choice, not ours; TLS is what protects the
// traffic.
package envelope

import (
	"bytes"
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
	"runtime"
	"strings"
	"sync"
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

// Encrypt returns the Base64 text, on one line, of the encrypted document.
func (k *Keys) Encrypt(document []byte) string {
	pad := des.BlockSize - len(document)%des.BlockSize
	buf := make([]byte, len(document)+pad)
	copy(buf, document)
	for i := len(document); i < len(buf); i++ {
		buf[i] = byte(pad)
	}
	s := k.secret()
	cipher.NewCBCEncrypter(s.block, s.iv[:]).CryptBlocks(buf, buf)
	return base64.StdEncoding.EncodeToString(buf)
}

// Decrypt undoes Encrypt. Verify the signature first.
func (k *Keys) Decrypt(body string) ([]byte, error) {
	buf, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, ErrBase64
	}
	if len(buf) == 0 || len(buf)%des.BlockSize != 0 {
		return nil, ErrLength
	}
	s := k.secret()
	decryptBlocks(s.block, s.iv[:], buf)
	pad := int(buf[len(buf)-1])
	if pad < 1 || pad > des.BlockSize || !bytes.Equal(buf[len(buf)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, ErrPadding
	}
	return buf[:len(buf)-pad], nil
}

// parallelSize is the length of a part that is worth a goroutine of its own: a
// good millisecond of 3DES.
const parallelSize = 32 << 10

// decryptBlocks undoes CBC in place. Unlike encryption, a block needs only the
// ciphertext before it, so large bodies are cut into a part for each processor.
func decryptBlocks(block cipher.Block, iv, buf []byte) {
	parts := min(runtime.GOMAXPROCS(0), len(buf)/parallelSize)
	if parts < 2 {
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(buf, buf)
		return
	}
	size := (len(buf)/parts + des.BlockSize - 1) / des.BlockSize * des.BlockSize
	var wg sync.WaitGroup
	before := iv
	for start := 0; start < len(buf); start += size {
		part := buf[start:min(start+size, len(buf))]
		mode := cipher.NewCBCDecrypter(block, before)
		before = bytes.Clone(part[len(part)-des.BlockSize:]) // it is overwritten
		wg.Go(func() { mode.CryptBlocks(part, part) })
	}
	wg.Wait()
}

var repair = strings.NewReplacer(" ", "+", "\r", "", "\n", "")

// Repair undoes what sloppy stacks do to Base64 on the way: a plus sign that
// was decoded into a space, and lines broken every 76 characters. Signatures
// are taken over the repaired text.
func Repair(body string) string {
	if !strings.ContainsAny(body, " \r\n") {
		return body
	}
	return repair.Replace(body)
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
	return hex.EncodeToString(d[:])
}

// digest is the MD5 of the parts and the cert, without putting long parts
// together first.
func (k *Keys) digest(parts ...string) (sum [md5.Size]byte) {
	h := md5.New()
	chunk := make([]byte, 0, 1024)
	write := func(s string) {
		for len(s) > 0 {
			if len(chunk) == cap(chunk) {
				h.Write(chunk)
				chunk = chunk[:0]
			}
			n := min(len(s), cap(chunk)-len(chunk))
			chunk = append(chunk, s[:n]...)
			s = s[n:]
		}
	}
	for _, p := range parts {
		write(p)
	}
	write(k.secret().cert)
	h.Write(chunk)
	h.Sum(sum[:0])
	return sum
}

func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
