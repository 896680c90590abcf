package diagnose_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/ips-p2p/ips/internal/diagnose"
)

// The test merchant's secrets, which the vendor published.
const (
	mer  = "808801"
	cert = "GPhKt7sh4dxQQZZkINGFtefRKNPyAj8S00cgAwtRyy0ufD7alNC28xCBKpa6IU7u54zzWSAv4PqUDKMgpOnM7fucO1wuwMi4RgPAnietmqYIhHXZ3TqTGKNzkxA55qYH"
	key  = "ICHuQplJ0YR9l7XeVNKi6FMn"
	iv   = "2EDxsEfp"
)

var testKeys = diagnose.Keys{MerchantCode: mer, Cert: cert, Key: key, IV: iv}

// other are well-formed keys, and nobody's.
var other = diagnose.Keys{MerchantCode: "123456", Cert: otherCert, Key: "abcdefghijklmnopqrstuvwx", IV: "abcdefgh"}

// otherCert is well-formed and nobody's.
var otherCert = strings.Repeat("Qx7", 42) + "Zz"

func hash(parts ...string) string {
	sum := md5.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

func pkcs5(doc string) string {
	n := 8 - len(doc)%8
	return doc + strings.Repeat(string(rune(n)), n)
}

// encrypt is 3DES-CBC without padding, so that a test can pad as it likes.
func encrypt(padded, key, iv string) []byte {
	block, err := des.NewTripleDESCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	out := []byte(padded)
	cipher.NewCBCEncrypter(block, []byte(iv)).CryptBlocks(out, out)
	return out
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// sealDoc is a document's body as the contract has it.
func sealDoc(doc string) string { return b64(encrypt(pkcs5(doc), key, iv)) }

func wrap(s string, n int, newline string) string {
	var lines []string
	for len(s) > n {
		lines, s = append(lines, s[:n]), s[n:]
	}
	return strings.Join(append(lines, s), newline)
}

func gbk(s string) string {
	out, err := simplifiedchinese.GBK.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return out
}

// request is a request's fields, as lines.
func request(body, sign string) string {
	return "pMerCode=" + mer + "\np3DesXmlPara=" + body + "\npSign=" + sign + "\n"
}

// answerForm is an answer as IPS posts it.
func answerForm(code, text, body, sign string) string {
	return url.Values{"pMerCode": {mer}, "pErrCode": {code}, "pErrMsg": {text}, "p3DesXmlPara": {body}, "pSign": {sign}}.Encode()
}

func golden(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "golden", name))
	require.NoError(t, err)
	return string(b)
}

func escape(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err)
	}
	return b.String()
}

// vector is one of the vendor's known answers.
type vector struct {
	Name, MerCode, Key, IV, Cert, Plaintext, Ciphertext string
	RequestSign, ErrCode, ErrMsg, ResponseSign          string
}

func (v vector) keys() diagnose.Keys {
	return diagnose.Keys{MerchantCode: v.MerCode, Cert: v.Cert, Key: v.Key, IV: v.IV}
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "envelope.json"))
	require.NoError(t, err)
	var raw []map[string]any
	require.NoError(t, json.Unmarshal(b, &raw))
	var out []vector
	for _, m := range raw {
		s := func(name string) string { text, _ := m[name].(string); return text }
		out = append(out, vector{s("name"), s("merCode"), s("key"), s("iv"), s("cert"), s("plaintext"), s("ciphertext"),
			s("requestSign"), s("errCode"), s("errMsg"), s("responseSign")})
	}
	return out
}

func first(r diagnose.Report) string {
	f, _ := r.First()
	return f.ID
}

func ids(r diagnose.Report) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.ID)
	}
	return out
}
