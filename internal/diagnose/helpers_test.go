package diagnose_test

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/diagnose"
)

// The test merchant's secrets, which the vendor published.
var (
	testKeys = diagnose.TestKeys()
	mer      = testKeys.MerchantCode
	cert     = testKeys.Cert
	key      = testKeys.Key
	iv       = testKeys.IV
)

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

func encryptECB(padded, key string) []byte {
	block, err := des.NewTripleDESCipher([]byte(key))
	if err != nil {
		panic(err)
	}
	out := []byte(padded)
	for i := 0; i < len(out); i += 8 {
		block.Encrypt(out[i:], out[i:])
	}
	return out
}

func encryptDES(padded, key, iv string) []byte {
	block, err := des.NewCipher([]byte(key[:8]))
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

// recorder keeps what a client sends and lets nothing out.
type recorder struct{ sent string }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("POST " + req.URL.Path + " HTTP/1.1\r\nHost: " + req.URL.Host + "\r\n")
	_ = req.Header.Write(&b)
	r.sent = b.String() + "\r\n" + string(body)
	return nil, errors.New("nothing leaves this test")
}

// captured are messages of the SDK's client, one of each transport.
func captured(t testing.TB) map[string]string {
	t.Helper()
	cfg := ips.TestMerchant()
	cfg.Environment = ips.EnvironmentAt("https://ips.example.com")
	cfg.ReturnURL, cfg.NotifyURL = "https://p2p.example.com/ips/return?a=1&b=2", "https://p2p.example.com/ips/notify"
	r := &recorder{}
	c, err := ips.NewClient(cfg, ips.WithHTTPClient(&http.Client{Transport: r}))
	require.NoError(t, err)
	out := map[string]string{}

	form, err := c.OpenAccount(ips.OpenAccountRequest{OrderNo: "A1", IdentNo: "110101199001010001", RealName: "张三",
		Mobile: "13800000000", Email: "zhangsan@example.com", Date: ips.Today()})
	require.NoError(t, err)
	var page bytes.Buffer
	require.NoError(t, form.Render(&page, ""))
	out["page"], out["form"] = page.String(), form.Values().Encode()

	bid := ips.RegisterBidRequest{OrderNo: "B1", BidNo: "BID1", Date: ips.Today(), Amount: 500 * ips.Yuan, Rate: 10 * ips.Percent,
		TermUnit: ips.TermDays, Term: 30, Purpose: "购房", RepayMode: ips.RepayOther, AccountType: ips.AccountPerson,
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001"}
	_, err = c.EndBid(context.Background(), ips.EndBidRequest(bid))
	require.Error(t, err)
	out["http"] = r.sent

	_, err = c.Transfer(context.Background(), ips.TransferRequest{OrderNo: "T1", BidNo: "BID1", Date: ips.Today(), Type: ips.TransferInvestment,
		Rows: []ips.TransferRow{{OriginalOrderNo: "C1", Amount: 1 * ips.Yuan, FromAccount: "4021000000000002", ToAccount: "4021000000000001"}}})
	require.Error(t, err)
	out["soap"] = r.sent

	_, err = c.QueryAccount(context.Background(), "4021000000000001", "memo")
	require.Error(t, err)
	out["query"] = r.sent
	_, err = c.QueryBanks(context.Background())
	require.Error(t, err)
	out["banks"] = r.sent
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
