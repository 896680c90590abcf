package wire_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// attackGroup is a section of docs/attacks.md.
type attackGroup struct {
	title   string
	attacks []attack
}

func attackGroups(t testing.TB) []attackGroup {
	t.Helper()
	return []attackGroup{
		{"Forged", forged(t)},
		{"Forged in MD5withRSA mode", forgedRSA(t)},
		{"Altered", altered(t)},
		{"Re-targeted", retargeted(t)},
		{"Replayed and contradictory", replayed(t)},
		{"Ambiguous forms", ambiguousForms(t)},
		{"Encodings", encodings(t)},
		{"Oversized and slow", oversized(t)},
		{"HTTP tricks", httpTricks(t)},
		{"Validly signed nonsense", signedNonsense(t)},
		{"Documents that lie about money", lies(t)},
		{"The user's browser", browsers(t)},
	}
}

// rechargeFields are the elements of the answer to 李四's recharge.
func rechargeFields() []string {
	return []string{
		"pMerBillNo", "R20141213000001", "pAcctType", "1", "pIdentNo", "110101199001010002", "pRealName", "李四",
		"pIpsAcctNo", liSi, "pTrdDate", "20141213", "pTrdAmt", "3050.00", "pTrdBnkCode", "00004", "pMemo1", "备注",
	}
}

// rechargeDoc is the answer's document with other texts for some elements.
func rechargeDoc(namesAndTexts ...string) string {
	fields := rechargeFields()
	for i := 0; i < len(namesAndTexts); i += 2 {
		for j := 0; j < len(fields); j += 2 {
			if fields[j] == namesAndTexts[i] {
				fields[j+1] = namesAndTexts[i+1]
			}
		}
	}
	return fixture.Document(fields...)
}

// sealedWith is an answer under the keys of cfg.
func sealedWith(t testing.TB, cfg ips.Config, code ips.Code, message, document string) fixture.Answer {
	t.Helper()
	keys := fixture.KeysOf(cfg)
	f := fixture.SealedBy(keys, code, message, document)
	if cfg.PublicKey != nil {
		var err error
		f.Sign, err = keys.SignAnswerRSA(attackedKey(cfg.PublicKey), f.ErrCode, f.ErrMsg, f.Body)
		require.NoError(t, err)
	}
	return f
}

// success is the genuine answer to 李四's recharge.
func success(t testing.TB, cfg ips.Config) fixture.Answer {
	return sealedWith(t, cfg, ips.CodeSuccess, "操作成功", rechargeDoc())
}

// request is the answer as a request for the recharge handler.
func request(f fixture.Answer) string { return requestAt(f, "/ips/recharge") }

func requestAt(f fixture.Answer, path string) string { return formRequest(path, f.Values().Encode()) }

const formType = "application/x-www-form-urlencoded"

func formRequest(path, body string) string { return typedRequest(path, formType, body) }

func typedRequest(path, contentType, body string) string {
	return rawRequest("POST "+path, "Content-Type: "+contentType+"\r\n", body)
}

// rawRequest is a request of exact bytes.
func rawRequest(methodAndPath, headers, body string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: p2p.example.com\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s", methodAndPath, len(body), headers, body)
}

// signedBy fills in the signature that the test merchant's keys give.
func signedBy(t testing.TB, f fixture.Answer) fixture.Answer {
	f.Sign = fixture.Keys().SignAnswer(f.ErrCode, f.ErrMsg, f.Body)
	return f
}

// signedDoc is a success with any document, validly encrypted and signed.
func signedDoc(t testing.TB, document string) string {
	return request(fixture.Sealed(ips.CodeSuccess, "操作成功", document))
}

func forged(t testing.TB) []attack {
	good := success(t, fixture.Config())
	sign := func(name, sign string) attack {
		f := good
		f.Sign = sign
		return attack{name: name, gets: refused, err: ips.ErrSignature, raw: request(f)}
	}
	hash := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	cfg := fixture.Config()
	otherCert := cfg
	otherCert.Cert = ips.NewSecret(fixture.Change(cfg.Cert.Reveal()))
	own := fixture.Keys().Encrypt([]byte(rechargeDoc()))
	ownSign := fixture.Keys().SignRequest(own)
	return []attack{
		sign("no signature text", ""),
		sign("signature of zeros", strings.Repeat("0", 32)),
		sign("signature without the cert", hash(good.MerCode+good.ErrCode+good.ErrMsg+good.Body)),
		sign("signature under another cert", sealedWith(t, otherCert, ips.CodeSuccess, good.ErrMsg, rechargeDoc()).Sign),
		sign("signature with the cert first", hash(cfg.Cert.Reveal()+good.MerCode+good.ErrCode+good.ErrMsg+good.Body)),
		sign("signature with separators", hash(strings.Join([]string{good.MerCode, good.ErrCode, good.ErrMsg, good.Body, cfg.Cert.Reveal()}, "&"))),
		sign("signature of the code only", hash(good.MerCode+good.ErrCode+cfg.Cert.Reveal())),
		sign("SHA-256 in place of MD5", fmt.Sprintf("%x", sha256.Sum256([]byte(good.MerCode+good.ErrCode+good.ErrMsg+good.Body+cfg.Cert.Reveal())))),
		sign("signature in Base64", base64.StdEncoding.EncodeToString([]byte(good.Sign[:16]))),
		sign("signature in upper case", strings.ToUpper(good.Sign)),
		sign("signature with a space behind", good.Sign+" "),
		sign("signature with a space before", " "+good.Sign),
		sign("signature with a line end", good.Sign+"\r\n"),
		sign("signature with a NUL behind", good.Sign+"\x00"),
		sign("signature cut by one", good.Sign[:31]),
		sign("signature of one character", good.Sign[:1]),
		sign("signature twice", good.Sign+good.Sign),
		sign("signature with one digit changed", fixture.Change(good.Sign)),
		sign("signature in full-width digits", fullWidth(good.Sign)),
		sign("signature 0e comparisons fall for", "0e"+strings.Repeat("1", 30)),
		sign("signature true", "true"),
		{name: "the merchant's own request sent back to him", gets: refused, err: ips.ErrMalformed,
			raw: request(fixture.Answer{MerCode: cfg.MerchantCode, Body: own, Sign: ownSign})},
		// The signatures of requests and answers have the same form, so the head
		// of a request's body can play the code. It is an unknown one then.
		{name: "his own request, with its head as a code", gets: refused, err: ips.ErrMalformed,
			raw: request(fixture.Answer{MerCode: cfg.MerchantCode, ErrCode: own[:4], ErrMsg: own[4:32], Body: own[32:], Sign: ownSign})},
		cutAnew(t),
	}
}

// cutAnew is a merchant's own request under an IV that makes its body begin
// like a code: all of it then reads as a refusal without a document.
func cutAnew(t testing.TB) attack {
	for n := range 100 {
		cfg := fixture.Config()
		cfg.IV = ips.NewSecret(fmt.Sprintf("2EDxsE%02d", n))
		keys := fixture.KeysOf(cfg)
		own := keys.Encrypt([]byte(rechargeDoc()))
		if strings.Trim(own[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
			return attack{name: "his own request, cut anew into a refusal without a document", gets: refused, err: ips.ErrMalformed,
				raw:    request(fixture.Answer{MerCode: cfg.MerchantCode, ErrCode: own[:1], ErrMsg: own[1:], Sign: keys.SignRequest(own)}),
				config: func(c *ips.Config) { c.IV = cfg.IV }}
		}
	}
	require.Fail(t, "no IV will do")
	return attack{}
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune { return r - '0' + '０' }, s)
}

// The keys of an IPS in MD5withRSA mode, made once for all attacks.
var (
	attackedRSA = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(65537) })
	weakRSA     = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(3) })
)

// mustKey makes a 1024-bit key with the given public exponent.
func mustKey(e int64) *rsa.PrivateKey {
	one := big.NewInt(1)
	for {
		p, errP := rand.Prime(rand.Reader, 512)
		q, errQ := rand.Prime(rand.Reader, 512)
		if errP != nil || errQ != nil {
			panic("no randomness")
		}
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(big.NewInt(e), phi)
		n := new(big.Int).Mul(p, q)
		if d == nil || n.BitLen() != 1024 {
			continue
		}
		return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e)}, D: d, Primes: []*big.Int{p, q}}
	}
}

func attackedKey(pub *rsa.PublicKey) *rsa.PrivateKey {
	if pub.E == 3 {
		return weakRSA()
	}
	return attackedRSA()
}

func inRSAMode(cfg *ips.Config)    { cfg.PublicKey = &attackedRSA().PublicKey }
func underWeakKey(cfg *ips.Config) { cfg.PublicKey = &weakRSA().PublicKey }

func forgedRSA(t testing.TB) []attack {
	cfg := fixture.Config()
	md5Mode := success(t, cfg)
	inRSAMode(&cfg)
	good := success(t, cfg)
	sign := func(name, sign string) attack {
		f := good
		f.Sign = sign
		return attack{name: name, gets: refused, err: ips.ErrSignature, raw: request(f), config: inRSAMode}
	}
	another, err := fixture.Keys().SignAnswerRSA(mustKey(65537), good.ErrCode, good.ErrMsg, good.Body)
	require.NoError(t, err)
	number, ok := new(big.Int).SetString(good.Sign, 16)
	require.True(t, ok)
	upper := good
	upper.Sign = strings.ToUpper(good.Sign)
	inMD5 := good
	weak := good
	weak.Sign = cubeRootForgery(cfg, good)
	return []attack{
		sign("MD5 signature at a merchant in RSA mode", md5Mode.Sign),
		{name: "RSA signature at a merchant in MD5 mode", gets: refused, err: ips.ErrSignature, raw: request(inMD5)},
		sign("RSA signature by another key", another),
		sign("RSA signature of zeros", strings.Repeat("0", 256)),
		sign("RSA signature of one", strings.Repeat("0", 255)+"1"),
		sign("RSA signature of n-1", fmt.Sprintf("%0256x", new(big.Int).Sub(cfg.PublicKey.N, big.NewInt(1)))),
		sign("RSA signature plus n", fmt.Sprintf("%x", new(big.Int).Add(number, cfg.PublicKey.N))),
		sign("RSA signature with a byte too many", "00"+good.Sign),
		sign("RSA signature with a byte too few", good.Sign[:254]),
		sign("RSA signature of half a byte too few", good.Sign[:255]),
		sign("RSA signature of a larger key", strings.Repeat("ab", 256)),
		sign("RSA signature that is no hex", "0x"+good.Sign[2:]),
		sign("RSA signature in Base64", base64.StdEncoding.EncodeToString([]byte(number.Bytes()))),
		sign("RSA signature padded in front", " "+good.Sign[1:]),
		{name: "cube root in place of a signature, under a key with e=3", gets: refused, err: ips.ErrSignature,
			raw: request(weak), config: underWeakKey},
		// Hex has two cases, and the signature is the number.
		{name: "RSA signature in upper case", gets: heard, raw: request(upper), config: inRSAMode},
	}
}

// cubeRootForgery is Bleichenbacher's signature without the key: a number whose
// cube begins like a padded MD5 digest and goes on with whatever comes. It
// fools verifiers that do not look at what stands behind the digest.
func cubeRootForgery(cfg ips.Config, f fixture.Answer) string {
	digest := md5.Sum([]byte(f.MerCode + f.ErrCode + f.ErrMsg + f.Body + cfg.Cert.Reveal()))
	head, err := hex.DecodeString("0001ffffffffffffffff003020300c06082a864886f70d020505000410")
	if err != nil {
		panic(err) // a constant
	}
	block := append(append(head, digest[:]...), bytes.Repeat([]byte{0xff}, 128-len(head)-md5.Size)...)
	want := new(big.Int).SetBytes(block)
	low, high := big.NewInt(0), new(big.Int).Lsh(big.NewInt(1), 342)
	for low.Cmp(high) < 0 { // the largest number whose cube is not above it
		mid := new(big.Int).Add(low, high)
		mid.Add(mid, big.NewInt(1)).Rsh(mid, 1)
		if new(big.Int).Exp(mid, big.NewInt(3), nil).Cmp(want) <= 0 {
			low = mid
		} else {
			high = mid.Sub(mid, big.NewInt(1))
		}
	}
	return fmt.Sprintf("%0256x", low)
}

func altered(t testing.TB) []attack {
	good := success(t, fixture.Config())
	failed := fixture.Sealed(ips.CodeFailed, "FAIL", rechargeDoc())
	pending := fixture.Sealed(ips.CodeProcessing, "IPS 受理中", rechargeDoc())
	other := fixture.Sealed(ips.CodeSuccess, "操作成功", rechargeDoc("pMerBillNo", "R20141213000002", "pIpsAcctNo", wangWu))
	old := fixture.Sealed(ips.CodeQuerySuccess, "还款成功", fixture.Document("pMerchantBillNo", "O1", "pMerBillNo", "O1"))
	with := func(name string, err error, f fixture.Answer, spoil func(*fixture.Answer)) attack {
		spoil(&f)
		return attack{name: name, gets: refused, err: err, raw: request(f)}
	}
	genuine := func(name string, spoil func(*fixture.Answer)) attack {
		a := with(name, nil, good, spoil)
		a.gets = heard
		return a
	}
	atOldBid := with("border moved from the code 0000 into the message", ips.ErrMalformed, old, func(f *fixture.Answer) { f.ErrCode, f.ErrMsg = "0", "000"+f.ErrMsg })
	atOldBid.raw = strings.Replace(atOldBid.raw, "/ips/recharge", "/ips/repay-old-bid", 1)
	return []attack{
		with("refusal turned into success", ips.ErrSignature, failed, func(f *fixture.Answer) { f.ErrCode = string(ips.CodeSuccess) }),
		with("pending turned into success", ips.ErrSignature, pending, func(f *fixture.Answer) { f.ErrCode = string(ips.CodeSuccess) }),
		with("success turned into a refusal", ips.ErrSignature, good, func(f *fixture.Answer) { f.ErrCode = string(ips.CodeFailed) }),
		with("another message", ips.ErrSignature, good, func(f *fixture.Answer) { f.ErrMsg += "！" }),
		with("another order's body", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = other.Body }),
		with("another order's signature", ips.ErrSignature, good, func(f *fixture.Answer) { f.Sign = other.Sign }),
		with("one character of the body", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = fixture.Change(f.Body) }),
		with("first blocks of the body cut off", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = f.Body[32:] }),
		with("last blocks of the body cut off", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = f.Body[:len(f.Body)-32] }),
		with("blocks of the body swapped", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = f.Body[32:64] + f.Body[:32] + f.Body[64:] }),
		with("body emptied", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = "" }),
		with("body in plain XML", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = rechargeDoc() }),
		with("body in the URL alphabet", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = strings.NewReplacer("+", "-", "/", "_").Replace(f.Body) + "-" }),
		with("tabs in the body", ips.ErrSignature, good, func(f *fixture.Answer) { f.Body = "\t" + f.Body }),
		// The signed text has no separators: these keep it the same.
		with("border moved from the merchant into the code", ips.ErrMerchant, good, func(f *fixture.Answer) { f.MerCode, f.ErrCode = f.MerCode[:5], f.MerCode[5:]+f.ErrCode }),
		with("border moved from the code into the merchant", ips.ErrMerchant, good, func(f *fixture.Answer) { f.MerCode, f.ErrCode = f.MerCode+f.ErrCode[:2], f.ErrCode[2:] }),
		with("border moved from the code into the message", ips.ErrMalformed, good, func(f *fixture.Answer) { f.ErrCode, f.ErrMsg = f.ErrCode[:7], f.ErrCode[7:]+f.ErrMsg }),
		with("border moved from the message into the code", ips.ErrMalformed, failed, func(f *fixture.Answer) { f.ErrCode, f.ErrMsg = f.ErrCode+"FAIL", "" }),
		with("code emptied into the message", ips.ErrMalformed, good, func(f *fixture.Answer) { f.ErrCode, f.ErrMsg = "", f.ErrCode+f.ErrMsg }),
		atOldBid,
		with("border moved from the body into the message, all of it", ips.ErrMalformed, good, func(f *fixture.Answer) { f.ErrMsg, f.Body = f.ErrMsg+f.Body, "" }),
		with("border moved from the body into the message, three blocks", ips.ErrMalformed, good, func(f *fixture.Answer) { f.ErrMsg, f.Body = f.ErrMsg+f.Body[:32], f.Body[32:] }),
		with("border moved from the body into the message, up to a document in a memo", ips.ErrMalformed, spliced(t), func(f *fixture.Answer) { f.ErrMsg, f.Body = f.ErrMsg+f.Body[:216/3*4], f.Body[216/3*4:] }),
		with("border moved from the message into the body", ips.ErrMalformed, failed, func(f *fixture.Answer) { f.ErrMsg, f.Body = "", f.ErrMsg+f.Body }),
		// A refusal that lost its body is about no order and changes none.
		func() attack {
			a := with("refusal whose body moved into the message", nil, failed, func(f *fixture.Answer) { f.ErrMsg, f.Body = f.ErrMsg+f.Body, "" })
			a.gets = heard
			return a
		}(),
		// What sloppy stacks do to Base64 is undone, and changes nothing.
		genuine("spaces where the body had plus signs", func(f *fixture.Answer) { f.Body = strings.ReplaceAll(f.Body, "+", " ") }),
		genuine("body in lines of 76", func(f *fixture.Answer) { f.Body = f.Body[:76] + "\r\n" + f.Body[76:] }),
	}
}

// spliced is a genuine answer to 王五's recharge of 100.00 with a memo of his
// own choice. If its first 216 bytes go to the message, the next block decrypts
// to garbage, and behind that stands 李四's recharge. He cannot choose the
// garbage; but one memo in some 200,000 makes it <? and a name, which opens an
// instruction and hides the rest of itself. This memo is one of them.
func spliced(t testing.TB) fixture.Answer {
	return fixture.Sealed(ips.CodeSuccess, "操作成功", `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>R20141213000002</pMerBillNo>`+
		`<pIpsAcctNo>4021000000000003</pIpsAcctNo><pTrdDate>20141213</pTrdDate><pTrdAmt>100.00</pTrdAmt>`+
		`<pMemo1><![CDATA[............00244357--------?><pReq><pMerBillNo>R20141213000001</pMerBillNo>`+
		`<pIpsAcctNo>4021000000000002</pIpsAcctNo><pTrdAmt>3050.00</pTrdAmt><pMemo1><![CDATA[]]></pMemo1></pReq>`)
}

func retargeted(t testing.TB) []attack {
	cfg := fixture.Config()
	good := success(t, cfg)
	second := cfg
	second.MerchantCode, second.Cert = "808802", ips.NewSecret(fixture.Change(cfg.Cert.Reveal()))
	foreign := success(t, second)
	relabelled := foreign
	relabelled.MerCode = cfg.MerchantCode
	ownKeys := func(c *ips.Config) { c.Cert = ips.NewSecret(fixture.Change(cfg.Cert.Reveal())) }
	rotated := func(until time.Time) func(*ips.Config) {
		return func(c *ips.Config) {
			c.Former = &ips.FormerKeys{Cert: cfg.Cert, Until: until}
			c.Cert = ips.NewSecret(fixture.Change(cfg.Cert.Reveal()))
		}
	}
	withdrawal := fixture.Sealed(ips.CodeSuccess, "操作成功", responseFile(t, ips.OpWithdraw))
	withholding := fixture.Sealed(ips.CodeSuccess, "操作成功", responseFile(t, ips.OpWithholdingRecharge))
	at := func(name, path string) attack {
		return attack{name: name, gets: refused, err: ips.ErrOperation, raw: requestAt(good, path)}
	}
	no := func(name string, err error, namesAndTexts ...string) attack {
		return attack{name: name, gets: denied, err: err, raw: signedDoc(t, rechargeDoc(namesAndTexts...))}
	}
	genuineAt := func(name, path string) attack { return attack{name: name, gets: heard, raw: requestAt(good, path)} }
	return []attack{
		{name: "another merchant's answer", gets: refused, err: ips.ErrMerchant, raw: request(foreign)},
		{name: "another merchant's answer under this one's code", gets: refused, err: ips.ErrSignature, raw: request(relabelled)},
		{name: "answer signed with the published test keys at a merchant with his own", gets: refused, err: ips.ErrSignature, raw: request(good), config: ownKeys},
		{name: "answer under former keys after their window", gets: refused, err: ips.ErrSignature, raw: request(good), config: rotated(time.Now().Add(-time.Second))},
		{name: "answer under former keys within their window", gets: heard, raw: request(good), config: rotated(time.Now().Add(time.Hour))},
		at("recharge at the withdrawal's URL", "/ips/withdraw"),
		at("recharge at the account opening's URL", "/ips/open-account"),
		at("recharge at the repayment's URL", "/ips/repay"),
		at("recharge at the withholding's URL", "/ips/withholding-recharge"),
		{name: "withdrawal at the recharge's URL", gets: refused, err: ips.ErrOperation, raw: request(withdrawal)},
		{name: "withholding at the recharge's URL", gets: refused, err: ips.ErrOperation, raw: request(withholding)},
		{name: "withdrawal where nobody takes it", gets: unheard, err: ips.ErrUnheard, raw: requestAt(withdrawal, "/ips/withdraw")},
		at("URL of no operation", "/ips/"),
		at("URL of an unknown operation", "/ips/no-such-operation"),
		at("URL of a query", "/ips/query-balance"),
		at("operation in upper case", "/ips/RECHARGE"),
		at("operation with a NUL", "/ips/recharge%00"),
		at("operation with a suffix", "/ips/recharge.php"),
		at("operation with a path parameter", "/ips/recharge;x=1"),
		genuineAt("operation behind an encoded slash", "/ips/withdraw%2Frecharge"),
		genuineAt("operation percent-encoded", "/ips/re%63harge"),
		no("order that nobody recorded", errNoOrder, "pMerBillNo", "R20141213000009"),
		no("another sum than recorded", errNotTheSum, "pTrdAmt", "9050.00"),
		no("older answer with the sum of then", errNotTheSum, "pTrdAmt", "0.01"),
		no("another account than recorded", errNotTheSum, "pIpsAcctNo", wangWu),
		no("another order's number with this sum", errNotTheSum, "pMerBillNo", "R20141213000002"),
		no("order number in lower case", errNoOrder, "pMerBillNo", "r20141213000001"),
		no("order number with a space", errNoOrder, "pMerBillNo", "R20141213000001 "),
		{name: "success without an order number", gets: refused, err: ips.ErrMalformed, raw: signedDoc(t, rechargeDoc("pMerBillNo", ""))},
		{name: "success without a body", gets: refused, err: ips.ErrMalformed, raw: signedDoc(t, "")},
		{name: "pending without an order number", gets: refused, err: ips.ErrMalformed, raw: request(fixture.Sealed(ips.CodeProcessing, "", ""))},
	}
}

func replayed(t testing.TB) []attack {
	good := success(t, fixture.Config())
	pending := fixture.Sealed(ips.CodeProcessing, "IPS 受理中", rechargeDoc())
	failed := fixture.Sealed(ips.CodeFailed, "失败", rechargeDoc())
	unlisted := fixture.Sealed("MG77777F", "？", rechargeDoc())
	word := fixture.Sealed("ERR01", "？", rechargeDoc())
	zeros := fixture.Sealed(ips.CodeQuerySuccess, "充值成功", rechargeDoc())
	duplicate := fixture.Sealed(ips.CodeDuplicate, "充值失败，订单号重复", rechargeDoc())
	wrongSum := fixture.Sealed(ips.CodeSuccess, "操作成功", rechargeDoc("pTrdAmt", "1.00"))
	reworded := fixture.Sealed(ips.CodeSuccess, "成功", rechargeDoc("pMemo1", "x"))
	credit := fixture.Sealed(ips.CodeSuccess, "操作成功", responseFile(t, ips.OpRegisterCreditor))
	only := func(name string, gets verdict, raw string, before ...string) attack {
		return attack{name: name, gets: gets, raw: raw, before: before}
	}
	crowd := only("fifty copies at once", heard, request(good))
	crowd.copies = 50
	return []attack{
		only("success again", known, request(good), request(good)),
		only("success again with other words", known, request(reworded), request(good)),
		only("pending again", known, request(pending), request(pending)),
		only("pending after success", heard, request(pending), request(good)),
		only("success after pending", heard, request(good), request(pending)),
		only("pending, success, pending again", known, request(pending), request(pending), request(good)),
		only("manual bid's answer at the automatic bid's URL", known, requestAt(credit, "/ips/auto-bid"), requestAt(credit, "/ips/register-creditor")),
		{name: "wrong sum after success", gets: known, raw: request(wrongSum), before: []string{request(good)}},
		crowd,
		only("refusal", heard, request(failed)),
		only("refusal again", known, request(failed), request(failed)),
		only("unlisted code", heard, request(unlisted)),
		only("word for a code", heard, request(word)),
		only("word for a code, again", heard, request(word), request(word)),
		only("success of another system's code", heard, request(zeros)),
		only("duplicate number", heard, request(duplicate)),
		only("duplicate number, again", heard, request(duplicate), request(duplicate)),
		only("duplicate number after success", heard, request(duplicate), request(good)),
		only("success after a duplicate number", heard, request(good), request(duplicate)),
		only("refusal after pending", heard, request(failed), request(pending)),
		// A notification speaks of the order; what the browser brings may be about a
		// form that was posted again.
		{name: "refusal after success, notified", gets: denied, err: ips.ErrContradiction, only: ips.ServerToServer, raw: request(failed), before: []string{request(good)}},
		{name: "refusal after success, in the browser", gets: heard, only: ips.WebReturn, raw: request(failed), before: []string{request(good)}},
		// It is late, and news: the money has moved.
		only("success after a refusal", heard, request(good), request(failed)),
		only("success after a refusal, again", known, request(good), request(failed), request(good)),
	}
}

func ambiguousForms(t testing.TB) []attack {
	good := success(t, fixture.Config())
	encoded := good.Values().Encode()
	no := func(name, raw string) attack {
		return attack{name: name, gets: refused, err: ips.ErrMalformed, raw: raw}
	}
	body := func(name, body string) attack { return no(name, formRequest("/ips/recharge", body)) }
	genuine := func(name, raw string) attack { return attack{name: name, gets: heard, raw: raw} }
	typed := func(name, contentType string) attack {
		return no(name, typedRequest("/ips/recharge", contentType, encoded))
	}
	rename := func(old, name string) string { return strings.Replace(encoded, old+"=", name+"=", 1) }
	length := fmt.Sprintf("Content-Type: %s\r\n", formType)
	multipart := "--x\r\nContent-Disposition: form-data; name=\"pMerCode\"\r\n\r\n808801\r\n--x--\r\n"
	return []attack{
		body("signature twice in the form, both right", encoded+"&pSign="+good.Sign),
		body("signature twice in the form, one wrong", "pSign="+strings.Repeat("0", 32)+"&"+encoded),
		body("merchant twice in the form", "pMerCode=808802&"+encoded),
		body("code twice in the form", encoded+"&pErrCode=MG00001F"),
		body("body twice in the form", encoded+"&p3DesXmlPara="),
		body("message twice in the form", encoded+"&pErrMsg=x"),
		body("signature as an array", rename("pSign", "pSign%5B%5D")),
		body("signature as an array with an index", rename("pSign", "pSign[0]")),
		body("signature as a member", rename("pSign", "answer.pSign")),
		body("signature's name with a space", rename("pSign", "+pSign")),
		body("signature's name with a NUL", rename("pSign", "pSign%00")),
		body("signature's name in another case", rename("pSign", "psign")),
		body("signature's name encoded twice", rename("pSign", "p%2553ign")),
		body("names of a request's fields", strings.NewReplacer("pMerCode", "argMerCode", "p3DesXmlPara", "arg3DesXmlPara", "pSign", "argSign").Replace(encoded)),
		body("signature left out", rename("pSign", "x")),
		body("merchant left out", rename("pMerCode", "x")),
		body("message left out", rename("pErrMsg", "x")),
		body("body left out", rename("p3DesXmlPara", "x")),
		body("nothing", ""),
		body("only ampersands", strings.Repeat("&", 1000)),
		body("semicolons between the fields", strings.ReplaceAll(encoded, "&", ";")),
		body("a semicolon in one field", encoded+"&a=1;pSign="+good.Sign),
		body("line ends between the fields", strings.ReplaceAll(encoded, "&", "\r\n")),
		body("broken percent sign", encoded+"&a=%zz"),
		body("cut percent sign", encoded+"&a=%4"),
		body("UTF-16 percent sign", encoded+"&a=%u0041"),
		body("JSON in a form's clothes", `{"pMerCode":"808801","pSign":"`+good.Sign+`"}`),
		body("XML in a form's clothes", good.Result()),
		no("fields in the URL", formRequest("/ips/recharge?"+encoded, "")),
		no("one field in the URL", formRequest("/ips/recharge?pSign="+good.Sign, rename("pSign", "x"))),
		no("GET", rawRequest("GET /ips/recharge?"+encoded, "", "")),
		no("GET with a form", rawRequest("GET /ips/recharge", length, encoded)),
		no("HEAD", rawRequest("HEAD /ips/recharge", length, "")),
		no("PUT", rawRequest("PUT /ips/recharge", length, encoded)),
		no("DELETE", rawRequest("DELETE /ips/recharge", length, encoded)),
		no("PATCH", rawRequest("PATCH /ips/recharge", length, encoded)),
		no("TRACE", rawRequest("TRACE /ips/recharge", length, encoded)),
		no("post in lower case", rawRequest("post /ips/recharge", length, encoded)),
		no("method override", rawRequest("GET /ips/recharge", length+"X-HTTP-Method-Override: POST\r\n", encoded)),
		typed("JSON", "application/json"),
		typed("XML", "text/xml"),
		typed("plain text", "text/plain"),
		typed("no media type", ""),
		typed("broken media type", formType+"; ="),
		typed("media type with an equal sign", "application=x-www-form-urlencoded"),
		typed("list of media types", formType+", text/plain"),
		typed("two charsets", formType+"; charset=utf-8; charset=gbk"),
		no("no content type", rawRequest("POST /ips/recharge", "", encoded)),
		no("two content types", rawRequest("POST /ips/recharge", length+"Content-Type: application/json\r\n", encoded)),
		no("multipart", typedRequest("/ips/recharge", "multipart/form-data; boundary=x", multipart)),
		no("multipart without a boundary", typedRequest("/ips/recharge", "multipart/form-data", multipart)),
		genuine("fields in the URL that say otherwise", formRequest("/ips/recharge?pErrCode=MG00001F&pSign=0", encoded)),
		genuine("fields nobody asked for", formRequest("/ips/recharge", "admin=1&__proto__=x&"+encoded)),
		genuine("form's media type in upper case", typedRequest("/ips/recharge", strings.ToUpper(formType), encoded)),
	}
}

func encodings(t testing.TB) []attack {
	good := success(t, fixture.Config())
	encoded := good.Values().Encode()
	charset := func(name, label string, err error) attack {
		return attack{name: name, gets: refused, err: err, raw: typedRequest("/ips/recharge", formType+"; charset="+label, encoded)}
	}
	message := func(name, percentEncoded string) attack {
		v := good.Values()
		v.Del("pErrMsg")
		return attack{name: name, gets: refused, err: ips.ErrSignature, raw: formRequest("/ips/recharge", v.Encode()+"&pErrMsg="+percentEncoded)}
	}
	encodedWith := func(encode func(string) (string, error)) string {
		v := url.Values{}
		for name, values := range good.Values() {
			text, err := encode(values[0])
			require.NoError(t, err)
			v.Set(name, text)
		}
		return v.Encode()
	}
	utf16 := encodedWith(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String)
	gbk := encodedWith(simplifiedchinese.GBK.NewEncoder().String)
	genuine := func(name, label, body string) attack {
		return attack{name: name, gets: heard, raw: typedRequest("/ips/recharge", formType+"; charset="+label, body)}
	}
	undeclared := attack{name: "GBK that does not say so", gets: refused, err: ips.ErrSignature, raw: formRequest("/ips/recharge", gbk)}
	compressed := func(name, encoding, body string) attack {
		return attack{name: name, gets: refused, err: ips.ErrMalformed,
			raw: rawRequest("POST /ips/recharge", "Content-Type: "+formType+"\r\nContent-Encoding: "+encoding+"\r\n", body)}
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write([]byte(encoded))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return []attack{
		charset("UTF-7", "utf-7", ips.ErrMalformed),
		charset("charset nobody knows", "klingon", ips.ErrMalformed),
		charset("charset that replaces everything", "iso-2022-kr", ips.ErrMerchant),
		charset("UTF-16 that is none", "utf-16", ips.ErrMerchant),
		charset("charset that is an attack on a log", "\"utf-8%0d%0aX: y\"", ips.ErrMalformed),
		charset("UTF-8 declared as GBK", "gbk", ips.ErrSignature),
		undeclared,
		message("overlong UTF-8 in the message", "%C0%AF"),
		message("surrogates in UTF-8 in the message", "%ED%A0%80"),
		message("byte order mark in the message", "%EF%BB%BF"+url.QueryEscape(good.ErrMsg)),
		message("message percent-encoded twice", url.QueryEscape(url.QueryEscape(good.ErrMsg))),
		message("message in HTML entities", "%26%2325805%3B"),
		message("NUL behind the message", url.QueryEscape(good.ErrMsg)+"%00"),
		message("text direction turned in the message", "%E2%80%AE"+url.QueryEscape(good.ErrMsg)),
		compressed("compressed body", "gzip", zipped.String()),
		compressed("plain body declared as compressed", "gzip", encoded),
		{name: "compressed body that does not say so", gets: refused, err: ips.ErrMalformed, raw: formRequest("/ips/recharge", zipped.String())},
		genuine("GBK that says so", "gb2312", gbk),
		genuine("UTF-16 that says so", "utf-16le", utf16),
	}
}

func oversized(t testing.TB) []attack {
	good := success(t, fixture.Config())
	encoded := good.Values().Encode()
	no := func(name string, err error, body string) attack {
		return attack{name: name, gets: refused, err: err, raw: formRequest("/ips/recharge", body)}
	}
	slow := func(name string, gets verdict, err error, raw string) attack {
		return attack{name: name, gets: gets, err: err, raw: raw, patience: 500 * time.Millisecond}
	}
	head, _, _ := strings.Cut(request(good), "\r\n\r\n")
	slowHead := slow("head byte by byte", byServer(400), nil, request(good))
	slowHead.trickle = true
	absent := slow("body that never comes", refused, ips.ErrMalformed, head+"\r\n\r\n")
	half := slow("body that stops half-way", refused, ips.ErrMalformed, request(good)[:len(request(good))-40])
	hugeClaim := attack{name: "length of a terabyte", gets: refused, err: ips.ErrTooLarge,
		raw: "POST /ips/recharge HTTP/1.1\r\nHost: p2p.example.com\r\nConnection: close\r\nContent-Type: " + formType + "\r\nContent-Length: 1099511627776\r\n\r\npMerCode="}
	chunks := strings.Repeat("10000\r\n"+strings.Repeat("x", 0x10000)+"\r\n", 160)
	return []attack{
		no("ten megabytes in one field", ips.ErrTooLarge, encoded+"&x="+strings.Repeat("x", 10<<20)),
		no("ten megabytes in the body's field", ips.ErrTooLarge, encoded+strings.Repeat("A", 10<<20)),
		no("seven megabytes in the signature", ips.ErrSignature, encoded[:len(encoded)-32]+strings.Repeat("0", 7<<20)),
		no("seven megabytes in the code", ips.ErrMalformed, strings.Replace(encoded, "pErrCode=", "pErrCode="+strings.Repeat("A", 7<<20), 1)),
		no("a million fields", ips.ErrMalformed, encoded+strings.Repeat("&a=1", 1_000_000)),
		no("half a million names", ips.ErrMalformed, encoded+manyNames(500_000)),
		no("twenty thousand copies of the signature", ips.ErrMalformed, encoded+strings.Repeat("&pSign=0", 20_000)),
		{name: "ten megabytes in chunks", gets: refused, err: ips.ErrTooLarge, raw: chunkedRequest(chunks + "0\r\n\r\n")},
		{name: "two megabytes of headers", gets: byServer(431), raw: rawRequest("POST /ips/recharge", "X: "+strings.Repeat("x", 2<<20)+"\r\n", encoded)},
		{name: "two megabytes of URL", gets: byServer(431), raw: formRequest("/ips/recharge?"+strings.Repeat("x", 2<<20), encoded)},
		hugeClaim,
		slowHead,
		absent,
		half,
		slow("chunks that stop", refused, ips.ErrMalformed, chunkedRequest("5\r\npMerC\r\n")),
		slow("no request at all", hungUp, nil, ""),
		slow("half a head", hungUp, nil, "POST /ips/recharge HTTP/1.1\r\nHost: p2p"),
	}
}

// manyNames are distinct short names, the worst for a hash table.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "&k%x", i)
	}
	return b.String()
}

func chunkedRequest(chunks string) string {
	return "POST /ips/recharge HTTP/1.1\r\nHost: p2p.example.com\r\nConnection: close\r\nContent-Type: " + formType + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
}

func httpTricks(t testing.TB) []attack {
	good := success(t, fixture.Config())
	body := good.Values().Encode()
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	typ := "Content-Type: " + formType + "\r\n"
	custom := func(name string, gets verdict, err error, headers, body string) attack {
		return attack{name: name, gets: gets, err: err,
			raw: "POST /ips/recharge HTTP/1.1\r\nHost: p2p.example.com\r\n" + headers + "\r\n" + body}
	}
	length := func(n int) string { return fmt.Sprintf("%sContent-Length: %d\r\n", typ, n) }
	right := length(len(body))
	closing := "Connection: close\r\n"
	tooShort := custom("length too short", refused, ips.ErrMalformed, length(20), body+"\r\n\r\n")
	tooShort.after = []int{400}
	hidden := custom("second request hidden behind the first", refused, ips.ErrMalformed, length(0), requestAt(good, "/elsewhere"))
	hidden.after = []int{404}
	first := custom("first line only, of HTTP/0.9", byServer(400), nil, "", "")
	first.raw = "GET /ips/recharge\r\n\r\n"
	preface := custom("preface of HTTP/2", refused, nil, "", "")
	preface.raw = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	preface.gets = byServer(400)
	future := custom("HTTP/9.9", byServer(505), nil, "", "")
	future.raw = strings.Replace(request(good), "HTTP/1.1", "HTTP/9.9", 1)
	tls := custom("TLS greeting in plain HTTP", byServer(400), nil, "", "")
	tls.raw = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"
	noHost := custom("no host", byServer(400), nil, "", "")
	noHost.raw = strings.Replace(request(good), "Host: p2p.example.com\r\n", "", 1)
	twoHosts := custom("two hosts", byServer(400), nil, "Host: evil.example.com\r\n"+right, body)
	absolute := custom("another host in the request line", heard, nil, "", "")
	absolute.raw = requestAt(good, "http://evil.example.com/ips/recharge")
	climbing := custom("path that climbs", byServer(307), nil, "", "")
	climbing.raw = requestAt(good, "/ips/../ips/recharge")
	climbing.location = "/ips/recharge"
	return []attack{
		cut(custom("length too long", refused, ips.ErrMalformed, closing+length(len(body)+100), body)),
		tooShort,
		hidden,
		custom("two lengths", byServer(400), nil, right+"Content-Length: 20\r\n", body),
		custom("list of lengths", byServer(400), nil, typ+fmt.Sprintf("Content-Length: %d, 20\r\n", len(body)), body),
		custom("negative length", byServer(400), nil, typ+"Content-Length: -1\r\n", body),
		custom("length with a plus sign", byServer(400), nil, typ+fmt.Sprintf("Content-Length: +%d\r\n", len(body)), body),
		custom("length in hex", byServer(400), nil, typ+"Content-Length: 0x20\r\n", body),
		custom("length beyond 64 bits", byServer(400), nil, typ+"Content-Length: 18446744073709551616\r\n", body),
		custom("no length", refused, ips.ErrMalformed, closing+typ, ""),
		custom("transfer encoding twice", byServer(501), nil, typ+"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunk+"0\r\n\r\n"),
		custom("transfer encoding unknown", byServer(501), nil, typ+"Transfer-Encoding: xchunked\r\n", chunk+"0\r\n\r\n"),
		custom("transfer encoding in a list", byServer(501), nil, typ+"Transfer-Encoding: gzip, chunked\r\n", chunk+"0\r\n\r\n"),
		custom("space before a header's colon", byServer(400), nil, typ+"Transfer-Encoding : chunked\r\n", chunk+"0\r\n\r\n"),
		custom("NUL in a header", byServer(400), nil, right+"X: a\x00b\r\n", body),
		custom("header without a name", byServer(400), nil, right+": x\r\n", body),
		custom("chunk that is no number", refused, ips.ErrMalformed, closing+typ+"Transfer-Encoding: chunked\r\n", "zz\r\n"+body),
		custom("chunk beyond 64 bits", refused, ips.ErrMalformed, closing+typ+"Transfer-Encoding: chunked\r\n", "ffffffffffffffff1\r\n"+body),
		cut(custom("chunks cut off", refused, ips.ErrMalformed, closing+typ+"Transfer-Encoding: chunked\r\n", chunk)),
		custom("signature in a trailer", refused, ips.ErrMalformed, closing+typ+"Trailer: pSign\r\nTransfer-Encoding: chunked\r\n", "e\r\npMerCode=80880\r\n0\r\npSign: "+good.Sign+"\r\n\r\n"),
		custom("expectation nobody can meet", byServer(417), nil, "Expect: the-unexpected\r\n"+right, body),
		first, preface, future, tls, noHost, twoHosts, climbing,
		custom("chunks and a length", heard, nil, closing+typ+"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunk+"0\r\n\r\n"),
		custom("the same length twice", heard, nil, closing+right+fmt.Sprintf("Content-Length: %d\r\n", len(body)), body),
		custom("chunks of one byte", heard, nil, closing+typ+"Transfer-Encoding: chunked\r\n", oneByteChunks(body)),
		custom("wish for another protocol", heard, nil, "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"+right, body),
		custom("request for 100 Continue", heard, nil, closing+"Expect: 100-continue\r\n"+right, body),
		absolute,
	}
}

func cut(a attack) attack {
	a.cut = true
	return a
}

func oneByteChunks(body string) string {
	var b strings.Builder
	for i := range len(body) {
		fmt.Fprintf(&b, "1\r\n%c\r\n", body[i])
	}
	return b.String() + "0\r\n\r\n"
}

func signedNonsense(t testing.TB) []attack {
	no := func(name, document string) attack {
		return attack{name: name, gets: refused, err: ips.ErrMalformed, raw: signedDoc(t, document)}
	}
	body := func(name, body string) attack {
		f := signedBy(t, fixture.Answer{MerCode: "808801", ErrCode: string(ips.CodeSuccess), Body: body})
		return attack{name: name, gets: refused, err: ips.ErrMalformed, raw: request(f)}
	}
	code := func(name, code string) attack {
		f := signedBy(t, fixture.Answer{MerCode: "808801", ErrCode: code, Body: fixture.Keys().Encrypt([]byte(rechargeDoc()))})
		return attack{name: name, gets: refused, err: ips.ErrMalformed, raw: request(f)}
	}
	doc := rechargeDoc()
	inside := strings.TrimSuffix(doc, "</pReq>")
	dtd := func(dtd string) string { return strings.Replace(doc, "<pReq>", dtd+"<pReq>", 1) }
	genuine := func(name, document string) attack {
		return attack{name: name, gets: heard, raw: signedDoc(t, document)}
	}
	lol := `<!DOCTYPE pReq [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	return []attack{
		code("code with a space", "MG00000F "),
		code("code in lower case", "mg00000f"),
		code("code with markup", "<b>"),
		code("code of a thousand letters", strings.Repeat("A", 1000)),
		code("code in full-width letters", "ＭＧ００"),
		body("body that is no Base64", "§Base64§"),
		body("body in the URL alphabet, signed", "----"),
		body("body of half a block", "AAAAAA=="),
		body("body of random blocks", strings.Repeat("AAAAAAAA", 6)),
		body("body with bad padding", "AAAAAAAAAAA="),
		body("body in two Base64 texts", "AAAAAAAAAAA=AAAAAAAAAAA="),
		no("bytes that are no XML", "\x00\x01\x02"),
		no("two documents", doc+doc),
		no("document in a document", fixture.Document("pReq", "")[:len(fixture.Document())-7]+doc[strings.Index(doc, "<pReq>"):]+"</pReq>"),
		no("another root", strings.ReplaceAll(doc, "pReq>", "pRes>")),
		no("HTML page", "<!DOCTYPE html><html><body>502</body></html>"),
		no("text behind the document", doc+"x"),
		no("text before the document", "x"+doc),
		no("text beside the elements", inside+"x</pReq>"),
		no("unclosed element", inside),
		no("element closed by another", inside+"<a></b></pReq>"),
		no("amount twice", inside+"<pTrdAmt>1.00</pTrdAmt></pReq>"),
		no("order number twice", inside+"<pMerBillNo>R20141213000002</pMerBillNo></pReq>"),
		no("amount twice, in another namespace", inside+`<x:pTrdAmt xmlns:x="urn:x">1.00</x:pTrdAmt></pReq>`),
		no("amount of elements", strings.Replace(doc, "3050.00", "<a>3050.00</a>", 1)),
		no("entity of its own", dtd(`<!DOCTYPE pReq [<!ENTITY x "3050.00">]>`)),
		no("entity from a file", strings.Replace(dtd(`<!DOCTYPE pReq [<!ENTITY x SYSTEM "file:///etc/passwd">]>`), "备注", "&x;", 1)),
		no("entity from the network", dtd(`<!DOCTYPE pReq SYSTEM "http://evil.example.com/x.dtd">`)),
		no("entities of entities", strings.Replace(dtd(lol), "备注", "&c;", 1)),
		no("entity nobody declared", strings.Replace(doc, "备注", "&x;", 1)),
		no("NUL in the document", strings.Replace(doc, "备注", "\x00", 1)),
		no("NUL as a reference", strings.Replace(doc, "备注", "&#0;", 1)),
		no("overlong UTF-8 in the document", strings.Replace(doc, "备注", "\xc0\xaf", 1)),
		no("encoding nobody knows", strings.Replace(doc, "utf-8", "klingon", 1)),
		no("thousand levels", inside+strings.Repeat("<a>", 1000)+strings.Repeat("</a>", 1000)+"</pReq>"),
		no("three hundred thousand rows", inside+"<pDetails>"+strings.Repeat("<pRow/>", 300_000)+"</pDetails></pReq>"),
		no("two thousand names", inside+distinctElements(2000)+"</pReq>"),
		genuine("instruction for a style sheet", strings.Replace(doc, "<pReq>", `<?xml-stylesheet href="http://evil.example.com/"?><pReq>`, 1)),
		genuine("elements nobody knows", inside+"<pAdmin>1</pAdmin></pReq>"),
		genuine("attributes", strings.Replace(doc, "<pTrdAmt>", `<pTrdAmt currency="USD">`, 1)),
	}
}

func distinctElements(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<a%d/>", i)
	}
	return b.String()
}

func lies(t testing.TB) []attack {
	amount := func(name, text string) attack {
		return attack{name: name, gets: refused, err: ips.ErrMalformed, raw: signedDoc(t, rechargeDoc("pTrdAmt", text))}
	}
	as := func(name, xml string, gets verdict, err error) attack {
		return attack{name: name, gets: gets, err: err, raw: signedDoc(t, strings.Replace(rechargeDoc(), "<pTrdAmt>3050.00</pTrdAmt>", xml, 1))}
	}
	return []attack{
		amount("negative amount", "-3050.00"),
		amount("amount with a plus sign", "+3050.00"),
		amount("amount with three decimals", "3050.000"),
		amount("amount that no number of fen holds", "92233720368547758.08"),
		amount("amount beyond 64 bits", "184467440737095516.16"),
		amount("amount with an exponent", "3.05e3"),
		amount("amount in hex", "0xBEA"),
		amount("amount with a comma", "3,050.00"),
		amount("amount with a space", " 3050.00"),
		amount("amount with a currency", "￥3050.00"),
		amount("amount in full-width digits", "３０５０.００"),
		amount("amount in Chinese", "叁仟零伍拾元"),
		amount("amount that is no number", "NaN"),
		amount("amount with an SQL remark", "3050.00--"),
		as("no amount", "", denied, errNotTheSum),
		as("empty amount", "<pTrdAmt/>", denied, errNotTheSum),
		as("amount under a name in lower case", "<ptrdamt>3050.00</ptrdamt>", denied, errNotTheSum),
		as("amount within another element", "<pX><pTrdAmt>3050.00</pTrdAmt></pX>", denied, errNotTheSum),
		as("amount behind a comment", "<pTrdAmt><!-- 9 -->3050.00</pTrdAmt>", heard, nil),
		as("amount cut by a comment", "<pTrdAmt>30<!-- 9 -->50.00</pTrdAmt>", heard, nil),
		as("amount in a CDATA section", "<pTrdAmt><![CDATA[3050.00]]></pTrdAmt>", heard, nil),
		as("amount in character references", "<pTrdAmt>&#51;&#x30;50.00</pTrdAmt>", heard, nil),
		as("amount without decimals", "<pTrdAmt>3050</pTrdAmt>", heard, nil),
	}
}

func browsers(t testing.TB) []attack {
	good := success(t, fixture.Config())
	encoded := good.Values().Encode()
	const own = "/orders/R20141213000001"
	visit := func(name, path, headers, location string) attack {
		return attack{name: name, gets: heard, only: ips.WebReturn, location: location,
			raw: rawRequest("POST "+path, "Content-Type: "+formType+"\r\n"+headers, encoded)}
	}
	liSiHere, wangWuHere := "Cookie: session=of "+liSi+"\r\n", "Cookie: session=of "+wangWu+"\r\n"
	shown := visit("another user's answer in a logged-in browser", "/ips/recharge", wangWuHere, "")
	late := visit("own answer again", "/ips/recharge", liSiHere, own)
	late.gets, late.before = known, []string{request(good)}
	doubtful := attack{name: "answer that the shop cannot book", gets: denied, err: errNotTheSum, only: ips.WebReturn,
		raw: rawRequest("POST /ips/recharge", "Content-Type: "+formType+"\r\n"+liSiHere, fixture.Sealed(ips.CodeSuccess, "", rechargeDoc("pTrdAmt", "1.00")).Values().Encode())}
	stolen := attack{name: "refused answer in a logged-in browser", gets: refused, err: ips.ErrSignature, only: ips.WebReturn,
		raw: rawRequest("POST /ips/recharge", "Content-Type: "+formType+"\r\n"+liSiHere, strings.Replace(encoded, "MG00000F", "MG00001F", 1))}
	fixated := visit("session handed over in the URL", "/ips/recharge?session=of+"+liSi, "", "")
	return []attack{
		visit("own answer, own browser", "/ips/recharge", liSiHere, own),
		visit("answer in nobody's browser", "/ips/recharge", "", ""),
		shown,
		fixated,
		late,
		visit("target named in the URL", "/ips/recharge?next=https://evil.example.com/&pWebUrl=https://evil.example.com/", liSiHere, own),
		visit("target named in headers", "/ips/recharge", liSiHere+"X-Forwarded-Host: evil.example.com\r\nX-Original-URL: //evil.example.com/\r\nReferer: https://evil.example.com/\r\n", own),
		visit("another site's form", "/ips/recharge", liSiHere+"Origin: https://evil.example.com\r\nSec-Fetch-Site: cross-site\r\n", own),
		stolen,
		doubtful,
	}
}
