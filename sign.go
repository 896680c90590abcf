package ips

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/envelope"
)

// ParsePublicKey reads the RSA key with which IPS signs its answers to
// merchants in MD5withRSA mode: PEM, or the Base64 of the DER as IPS hands it
// out, with or without line breaks.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	var der []byte
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der = block.Bytes
	} else {
		var err error
		if der, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return nil, errors.New("ips: public key is neither PEM nor Base64")
		}
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("ips: public key: %w", err)
	}
	pub, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("ips: public key: want RSA, got %T", key)
	}
	if pub.Size() < 128 {
		return nil, fmt.Errorf("ips: public key: want at least 1024 bits, got %d", pub.N.BitLen())
	}
	return pub, nil
}

// sealer encrypts and signs requests and verifies and decrypts answers. It
// knows no HTTP and no business.
type sealer struct {
	keys   *envelope.Keys
	pub    *rsa.PublicKey // nil: answers are signed in MD5 mode
	former *formerSealer  // nil: no keys were replaced lately
}

// formerSealer takes answers that were made with replaced keys.
type formerSealer struct {
	keys  *envelope.Keys
	until time.Time
}

// inForce yields the keys that answers are taken with, the current ones first.
func (s *sealer) inForce(yield func(*envelope.Keys) bool) {
	if yield(s.keys) && s.former != nil && time.Now().Before(s.former.until) {
		yield(s.former.keys)
	}
}

// verified are the keys under which the answer's signature holds. After a change
// of the 3DES key alone they are two.
func (s *sealer) verified(a answer, body string) (all []*envelope.Keys) {
	for k := range s.inForce {
		if k.VerifyAnswer(s.pub, a.errCode, a.errMsg, body, a.sign) || a.tagged != nil && k.VerifyText(a.sign, a.tagged...) {
			all = append(all, k)
		}
	}
	return all
}

// tagged reports whether the answer is signed over its elements with their tags.
func (s *sealer) tagged(a answer) bool {
	for k := range s.inForce {
		if a.tagged != nil && k.VerifyText(a.sign, a.tagged...) {
			return true
		}
	}
	return false
}

// isRequest reports whether a text begins as a request does that was sealed with
// any of the keys, the former ones for as long as they are known.
func (s *sealer) isRequest(text string) bool {
	starts := func(k *envelope.Keys) bool {
		first, ok := k.FirstBlock(text)
		return ok && startsDocument(string(first))
	}
	return starts(s.keys) || s.former != nil && starts(s.former.keys)
}

// sealed is a request as it goes over the wire.
type sealed struct {
	merCode, body, sign string
}

// fields are its fields in wire order.
func (s sealed) fields(argNames bool) []FormField {
	names := envelopeNames(argNames)
	return []FormField{{names[0], s.merCode}, {names[1], s.body}, {names[2], s.sign}}
}

func envelopeNames(argNames bool) [3]string {
	if argNames {
		return [3]string{"argMerCode", "arg3DesXmlPara", "argSign"}
	}
	return [3]string{"pMerCode", "p3DesXmlPara", "pSign"}
}

func (s *sealer) seal(document []byte) sealed {
	body := s.keys.Encrypt(document)
	return sealed{merCode: s.keys.MerCode(), body: body, sign: s.keys.SignRequest(body)}
}

// open verifies the answer as it was received, in constant time, and only then
// decrypts it. An empty body is an empty document. former says that the former
// keys made it.
func (s *sealer) open(a answer) (document string, former bool, err error) {
	if a.merCode != s.keys.MerCode() {
		return "", false, fmt.Errorf("%w: %.12q", ErrMerchant, a.merCode)
	}
	// The signed text has no separators, so whoever carries an answer could move
	// the border between code and message, and so turn a success into an unknown
	// code, which is a failure. Where the two together begin with a code of the
	// usual form, it must be that one.
	if usual := usualCode(a.errCode, a.errMsg); !isCode(a.errCode) || usual != "" && usual != a.errCode {
		return "", false, fmt.Errorf("%w: pErrCode is not a code", ErrMalformed)
	}
	body := envelope.Repair(a.body)
	verified := s.verified(a, body)
	if len(verified) == 0 {
		return "", false, ErrSignature
	}
	// Requests are signed like answers, so one of the merchant's own can be cut
	// anew and read as a refusal: a code, a message and no body.
	if s.isRequest(beginning(envelope.FirstBlockLen, a.errCode, a.errMsg, body)) {
		return "", false, fmt.Errorf("%w: it is a request", ErrMalformed)
	}
	if body == "" {
		return "", verified[0] != s.keys, nil
	}
	for _, keys := range verified {
		var failed error
		if document, failed = decrypt(keys, body); failed == nil {
			return document, keys != s.keys, nil
		}
		err = cmp.Or(err, failed)
	}
	return "", false, fmt.Errorf("%w: %w", ErrMalformed, err)
}

// decrypt refuses what is not a document from its first byte. The border between
// message and body is not signed: whoever carries an answer could move the body's
// first blocks into the message, garble the next one by that, and have the
// document begin in the middle of a memo of his own. Garbage can be made to open
// an instruction, by many tries, but not to be the beginning of a document.
func decrypt(keys *envelope.Keys, body string) (document string, err error) {
	document, err = keys.Decrypt(body)
	if err == nil && document != "" && !startsDocument(document) {
		return "", errors.New("the body is not a document from its first byte")
	}
	return document, err
}

// usualCode is the code that the two texts together begin with, if it has the
// form of every code that was ever seen: MG00000F, and 0000 in the answers of
// the old interface. Else it is empty.
func usualCode(code, message string) string {
	switch text := beginning(8, code, message); {
	case len(text) == 8 && text[:2] == "MG" && digits(text[2:7]) && text[7] >= 'A' && text[7] <= 'Z':
		return text
	case len(text) >= 4 && digits(text[:4]):
		return text[:4]
	default:
		return ""
	}
}

// beginning is the first n bytes of the texts together.
func beginning(n int, texts ...string) string {
	var all []byte
	for _, t := range texts {
		if len(all) == 0 && len(t) >= n {
			return t[:n]
		}
		all = append(all, t[:min(n-len(all), len(t))]...)
	}
	return string(all)
}

// startsDocument reports whether the document begins as one does: with an XML
// declaration or its root, behind a byte order mark or without. A mark of UTF-16
// is enough: no text in another encoding can go on behind it with markup.
func startsDocument(document string) bool {
	if strings.HasPrefix(document, "\xFE\xFF") || strings.HasPrefix(document, "\xFF\xFE") {
		return true
	}
	document = strings.TrimPrefix(document, "\xEF\xBB\xBF")
	return strings.HasPrefix(document, "<?xml") || strings.HasPrefix(document, "<pReq")
}

func isCode(s string) bool {
	return s != "" && len(s) <= 16 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
