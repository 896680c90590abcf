package ips_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// TestRSAMode signs answers as IPS does for merchants in MD5withRSA mode.
func TestRSAMode(t *testing.T) {
	t.Parallel()
	key, otherKey := rsaKey(t, 1024), rsaKey(t, 1024)
	cfg := fixture.Config()
	cfg.PublicKey = &key.PublicKey
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	keys := fixture.Keys()
	sign := func(k *envelope.Keys, key *rsa.PrivateKey, f fixture.Answer) string {
		s, err := k.SignAnswerRSA(key, f.ErrCode, f.ErrMsg, f.Body)
		require.NoError(t, err)
		return s
	}
	good := fixture.Sealed("MG00000F", "操作成功！", fixture.RechargeDocument)
	md5Sign := good.Sign
	good.Sign = sign(keys, key, good)
	require.Len(t, good.Sign, 256)
	otherCert, err := envelope.NewKeys(cfg.MerchantCode, fixture.Change(cfg.Cert.Reveal()), cfg.Key.Reveal(), cfg.IV.Reveal())
	require.NoError(t, err)

	resp, err := c.ParseNotification(good.Inbound(ips.OpRecharge), ips.OpRecharge)
	require.NoError(t, err)
	assert.Equal(t, "R20141213000001", resp.Base().OrderNo)

	for name, spoil := range map[string]func(f *fixture.Answer){
		"MD5 signature":     func(f *fixture.Answer) { f.Sign = md5Sign },
		"another key":       func(f *fixture.Answer) { f.Sign = sign(keys, otherKey, *f) },
		"another cert":      func(f *fixture.Answer) { f.Sign = sign(otherCert, key, *f) },
		"changed code":      func(f *fixture.Answer) { f.ErrCode = "MG00008F" },
		"changed message":   func(f *fixture.Answer) { f.ErrMsg += "!" },
		"changed body":      func(f *fixture.Answer) { f.Body = fixture.Change(f.Body) },
		"changed sign":      func(f *fixture.Answer) { f.Sign = fixture.Change(f.Sign) },
		"sign cut short":    func(f *fixture.Answer) { f.Sign = f.Sign[:254] },
		"sign too long":     func(f *fixture.Answer) { f.Sign += "00" },
		"sign is not hex":   func(f *fixture.Answer) { f.Sign = "zz" + f.Sign[2:] },
		"no sign":           func(f *fixture.Answer) { f.Sign = "" },
		"sign in Base64":    func(f *fixture.Answer) { f.Sign = base64.StdEncoding.EncodeToString([]byte(f.Sign[:128])) },
		"zeros of its size": func(f *fixture.Answer) { f.Sign = strings.Repeat("0", 256) },
	} {
		bad := good
		spoil(&bad)
		_, err := c.ParseNotification(bad.Inbound(ips.OpRecharge), ips.OpRecharge)
		assert.ErrorIs(t, err, ips.ErrSignature, name)
	}

	// A client in MD5 mode does not take an RSA signature.
	_, err = fixture.Client(t).ParseNotification(good.Inbound(ips.OpRecharge), ips.OpRecharge)
	assert.ErrorIs(t, err, ips.ErrSignature)
}

func TestParsePublicKey(t *testing.T) {
	t.Parallel()
	pub, err := ips.ParsePublicKey(publishedKey)
	require.NoError(t, err)
	assert.Equal(t, 1024, pub.N.BitLen())
	assert.Equal(t, 65537, pub.E)

	broken := publishedKey[:64] + "\r\n" + publishedKey[64:128] + "\n\t " + publishedKey[128:] + "\n"
	again, err := ips.ParsePublicKey(broken)
	require.NoError(t, err)
	assert.True(t, pub.Equal(again))

	der, err := base64.StdEncoding.DecodeString(publishedKey)
	require.NoError(t, err)
	inPEM, err := ips.ParsePublicKey(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	require.NoError(t, err)
	assert.True(t, pub.Equal(inPEM))

	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	curveDER, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"empty":           "",
		"not Base64":      "§",
		"not a key":       base64.StdEncoding.EncodeToString([]byte("key")),
		"cut short":       publishedKey[:100],
		"elliptic curve":  base64.StdEncoding.EncodeToString(curveDER),
		"PEM of nonsense": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	} {
		_, err := ips.ParsePublicKey(text)
		assert.Error(t, err, name)
	}
}

// TestSpacesForPlus: a stack that decodes a plus sign into a space leaves the
// signature true.
func TestSpacesForPlus(t *testing.T) {
	t.Parallel()
	f := fixture.AnswerWithPlus(t)
	body := f.Values()
	body.Set("p3DesXmlPara", strings.ReplaceAll(f.Body, "+", " "))
	resp, err := fixture.Client(t).ParseNotification(fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", body.Encode()), ips.OpRecharge)
	require.NoError(t, err)
	assert.NotEmpty(t, resp.Base().OrderNo)

	// As the platform's own sender writes it: plus signs bare.
	var b strings.Builder
	for _, name := range []string{"pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign"} {
		text := f.Values().Get(name)
		if name != "p3DesXmlPara" {
			text = url.QueryEscape(text)
		}
		b.WriteString(name + "=" + text + "&")
	}
	_, err = fixture.Client(t).ParseNotification(fixture.Post(ips.OpRecharge, "application/x-www-form-urlencoded", strings.TrimSuffix(b.String(), "&")), ips.OpRecharge)
	require.NoError(t, err)
}

const publishedKey = `MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCMWwKD0u90z1K8WvtG6cZ3SXHLUqmQCWxbT6JURy5BVwgsTdsaGmr22HT4jfEBQHEjmTtyUWC5Ag9Cwgef0VFrDB7TqyhWfVA7n8SvV6b1eDbQlY/qhUb50+3SCpN7HxdPzdMDkJjy6i6syh7RtH0QfoApHS6TLY4DjPvbGgdXhwIDAQAB`
