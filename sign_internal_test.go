package ips

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/envelope"
)

// vector is a known answer of the vendor's own utility.
type vector struct {
	Name, MerCode, Key, IV, Cert      string
	Plaintext, Ciphertext             string
	RequestSign                       string
	ErrCode, ErrMsg, ResponseSign     string
	PlaintextGenerator                *generator
	PlaintextBytes, CiphertextLength  int
	PlaintextSha256, CiphertextSha256 string
}

type generator struct {
	Prefix, RowTemplate, Suffix string
	Rows                        int
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/envelope.json")
	require.NoError(t, err)
	var all []vector
	require.NoError(t, json.Unmarshal(raw, &all))
	require.Len(t, all, 17)
	for i := range all {
		if g := all[i].PlaintextGenerator; g != nil {
			var b strings.Builder
			b.WriteString(g.Prefix)
			for n := 1; n <= g.Rows; n++ {
				row := strings.ReplaceAll(g.RowTemplate, "{n6}", fmt.Sprintf("%06d", n))
				b.WriteString(strings.ReplaceAll(row, "{n}", fmt.Sprint(n)))
			}
			b.WriteString(g.Suffix)
			all[i].Plaintext = b.String()
		}
	}
	return all
}

// TestVectors pins the envelope from outside, in both directions.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			keys, err := envelope.NewKeys(v.MerCode, v.Cert, v.Key, v.IV)
			require.NoError(t, err)
			s := sealer{keys: keys}

			out := s.seal([]byte(v.Plaintext))
			if v.PlaintextGenerator == nil {
				assert.Equal(t, v.Ciphertext, out.body)
			} else {
				assert.Len(t, v.Plaintext, v.PlaintextBytes)
				assert.Equal(t, v.PlaintextSha256, sha256Hex(v.Plaintext))
				assert.Len(t, out.body, v.CiphertextLength)
				assert.Equal(t, v.CiphertextSha256, sha256Hex(out.body))
			}
			assert.Equal(t, v.RequestSign, out.sign)
			assert.Equal(t, v.MerCode, out.merCode)

			require.True(t, keys.VerifyAnswer(nil, v.ErrCode, v.ErrMsg, out.body, v.ResponseSign))
			plain, err := keys.Decrypt(out.body)
			require.NoError(t, err)
			assert.Equal(t, v.Plaintext, string(plain))

			document, former, err := s.open(answer{merCode: v.MerCode, errCode: v.ErrCode, errMsg: v.ErrMsg, body: out.body, sign: v.ResponseSign})
			if v.Name == "one-byte" { // verifies and decrypts, and is no document
				require.ErrorIs(t, err, ErrMalformed)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, v.Plaintext, document)
			assert.False(t, former)
		})
	}
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestUsualCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ code, message, want string }{
		{"MG00000F", "操作成功", "MG00000F"},
		{"MG00000", "F操作成功", "MG00000F"},
		{"MG00000F1", "", "MG00000F"},
		{"M", "G02501Z", "MG02501Z"},
		{"", "MG00000F", "MG00000F"},
		{"0000", "", "0000"},
		{"00", "00交易成功", "0000"},
		{"00000", "", "0000"},
		{"", "", ""}, {"000", "", ""}, {"000", "x", ""}, {"MG0000", "0", ""}, {"MG00000f", "", ""}, {"MGOOOOOF", "", ""}, {"XX00000F", "", ""}, {"X", "0000", ""},
	} {
		assert.Equal(t, tt.want, usualCode(tt.code, tt.message), "%q %q", tt.code, tt.message)
	}
}

// TestParsePublicKeyRefusesShortKeys: what signs money has 1024 bits at least.
func TestParsePublicKeyRefusesShortKeys(t *testing.T) {
	for bits, ok := range map[uint]bool{512: false, 768: false, 1016: false, 1024: true, 2048: true} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
		require.NoError(t, err)
		key, err := ParsePublicKey(base64.StdEncoding.EncodeToString(der))
		if ok {
			require.NoError(t, err)
			assert.Equal(t, int(bits), key.N.BitLen())
			continue
		}
		require.ErrorContains(t, err, "at least 1024 bits")
		assert.Nil(t, key)
	}
}
