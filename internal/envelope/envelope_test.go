package envelope

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The vendor's published test merchant.
const (
	merCode = "808801"
	cert    = "GPhKt7sh4dxQQZZkINGFtefRKNPyAj8S00cgAwtRyy0ufD7alNC28xCBKpa6IU7u54zzWSAv4PqUDKMgpOnM7fucO1wuwMi4RgPAnietmqYIhHXZ3TqTGKNzkxA55qYH"
	key     = "ICHuQplJ0YR9l7XeVNKi6FMn"
	iv      = "2EDxsEfp"
)

func testKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys(merCode, cert, key, iv)
	require.NoError(t, err)
	return k
}

func TestNewKeys(t *testing.T) {
	t.Parallel()
	assert.Equal(t, merCode, testKeys(t).MerCode())
	for name, tt := range map[string]struct{ merCode, cert, key, iv, want string }{
		"merchant code": {"80880", cert, key, iv, "merchant code: want 6 digits, got 5 characters"},
		"letters":       {"80880O", cert, key, iv, "merchant code: want 6 digits, got 6 characters"},
		"cert":          {merCode, cert + "x", key, iv, "cert: want 128 ASCII characters, got 129 bytes"},
		"cert not text": {merCode, strings.Repeat("\x00", 128), key, iv, "cert: has a character that is not printable ASCII"},
		"key":           {merCode, cert, key[:16], iv, "3DES key: want 24 ASCII characters, got 16 bytes"},
		"key in hex":    {merCode, cert, hex.EncodeToString([]byte(key)), iv, "3DES key: want 24 ASCII characters, got 48 bytes"},
		"key not ASCII": {merCode, cert, strings.Repeat("钥", 8), iv, "3DES key: has a character that is not printable ASCII"},
		"IV":            {merCode, cert, key, "", "3DES IV: want 8 ASCII characters, got 0 bytes"},
	} {
		_, err := NewKeys(tt.merCode, tt.cert, tt.key, tt.iv)
		require.EqualError(t, err, tt.want, name)
	}
	_, err := NewKeys("", "", "", "")
	assert.Len(t, strings.Split(err.Error(), "\n"), 4, "everything at once")
}

func TestEncryptDecrypt(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	for n := range 40 {
		text := []byte(strings.Repeat("字a", n)[:n])
		body := k.Encrypt(text)
		assert.Len(t, body, (n/8+1)*8/3*4+map[bool]int{true: 4}[(n/8+1)*8%3 != 0])
		assert.NotContains(t, body, "\n")
		back, err := k.Decrypt(body)
		require.NoError(t, err)
		assert.Equal(t, string(text), back)
	}
}

func TestDecryptFailures(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	good := k.Encrypt([]byte("<pReq></pReq>"))
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"empty":               {"", ErrLength},
		"not Base64":          {"§§§§", ErrBase64},
		"URL alphabet":        {"----", ErrBase64},
		"no padding":          {strings.TrimRight(good, "="), ErrBase64},
		"padding bits set":    {"AAAAAAAAAAB=", ErrBase64},
		"trailing characters": {good + "A", ErrBase64},
		"half a block":        {"AAAAAA==", ErrLength},
		"block and a half":    {"AAAAAAAAAAAAAAAA", ErrLength},
		"bad padding":         {"AAAAAAAAAAA=", ErrPadding},
	} {
		_, err := k.Decrypt(tt.body)
		assert.Equal(t, tt.want, err, name)
	}
	// Every last byte that is no padding is refused, and so is padding that is
	// not the same all over.
	for last := range 256 {
		block := []byte{9, 9, 9, 9, 9, 9, 9, byte(last)}
		body := k.Encrypt(block)
		raw, err := k.Decrypt(body)
		require.NoError(t, err)
		require.Equal(t, string(block), raw)
		// Without the padding that Encrypt added, block itself must carry it.
		_, err = k.Decrypt(firstBlock(t, k, block))
		if last == 1 {
			assert.NoError(t, err)
		} else {
			assert.Equal(t, ErrPadding, err, "last byte %d", last)
		}
	}
}

func TestFirstBlock(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	block, ok := k.FirstBlock(k.Encrypt([]byte("<?xml version")))
	assert.True(t, ok)
	assert.Equal(t, "<?xml ve", string(block))
	_, ok = k.FirstBlock(k.Encrypt(nil))
	assert.True(t, ok, "a block of padding")
	for _, body := range []string{"", "AAAAAAAAAAA", "AAAAAAAAAAA=", "AAAAAAAA====", "失败失败失败"} {
		_, ok := k.FirstBlock(body)
		assert.Equal(t, body == "AAAAAAAAAAA=", ok, body)
	}
}

// firstBlock is the Base64 of the one block, encrypted without padding.
func firstBlock(t *testing.T, k *Keys, block []byte) string {
	t.Helper()
	require.Len(t, block, 8)
	body := k.Encrypt(block) // 16 bytes: the block and one of padding
	raw, err := base64.StdEncoding.DecodeString(body)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(raw[:8])
}

func TestRepair(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "ab+/=": "ab+/=", "ab /=": "ab+/=", "ab\r\ncd\n": "abcd", " a\rb ": "+ab+",
	} {
		assert.Equal(t, want, Repair(in))
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	sign := k.SignRequest("body")
	assert.Regexp(t, "^[0-9a-f]{32}$", sign)
	assert.True(t, k.VerifyRequest("body", sign))
	assert.False(t, k.VerifyRequest("body", strings.ToUpper(sign)))
	assert.False(t, k.VerifyRequest("body", sign[:31]))
	assert.False(t, k.VerifyRequest("body", ""))
	assert.False(t, k.VerifyRequest("bodY", sign))
	assert.Equal(t, k.SignText(merCode, "body"), sign, "plain concatenation")
	assert.True(t, k.VerifyText(sign, merCode+"bo", "dy"))

	answer := k.SignAnswer("MG00000F", "成功", "body")
	assert.Equal(t, k.SignText(merCode+"MG00000F成功body"), answer)
	assert.True(t, k.VerifyAnswer(nil, "MG00000F", "成功", "body", answer))
	assert.False(t, k.VerifyAnswer(nil, "MG00000F", "成功", "", answer))

	priv, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	inRSA, err := k.SignAnswerRSA(priv, "MG00000F", "成功", "body")
	require.NoError(t, err)
	assert.Regexp(t, "^[0-9a-f]{256}$", inRSA)
	assert.True(t, k.VerifyAnswer(&priv.PublicKey, "MG00000F", "成功", "body", inRSA))
	for name, bad := range map[string]string{
		"MD5": answer, "short": inRSA[2:], "long": inRSA + "00", "not hex": "xx" + inRSA[2:], "empty": "", "zeros": strings.Repeat("00", 128),
	} {
		assert.False(t, k.VerifyAnswer(&priv.PublicKey, "MG00000F", "成功", "body", bad), name)
	}
	assert.False(t, k.VerifyAnswer(nil, "MG00000F", "成功", "body", inRSA))
}

// TestKeysNeverPrint tries every verb on everything that keys can sit in.
func TestKeysNeverPrint(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	type holder struct {
		Exported   *Keys
		unexported *Keys
		value      Keys
	}
	for _, v := range []any{k, *k, holder{k, k, *k}, &holder{k, k, *k}, []*Keys{k}, map[string]Keys{"a": *k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%!", "%z"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{cert, key, iv} {
				for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
					assert.NotContains(t, text, form, verb)
				}
			}
		}
	}
	assert.Equal(t, "keys of merchant 808801", fmt.Sprintf("%#v", k))
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 50 {
				text := strings.Repeat(fmt.Sprint(n), i)
				body := k.Encrypt([]byte(text))
				back, err := k.Decrypt(body)
				assert.NoError(t, err)
				assert.Equal(t, text, back)
				assert.True(t, k.VerifyRequest(body, k.SignRequest(body)))
			}
		})
	}
	wg.Wait()
}

// FuzzDecrypt: whatever comes, no panic; what decrypts is what encrypts to it.
func FuzzDecrypt(f *testing.F) {
	k := testKeys(f)
	f.Add(k.Encrypt([]byte("<pReq></pReq>")))
	f.Add("")
	f.Add("AAAAAAAAAAA=")
	f.Fuzz(func(t *testing.T, body string) {
		text, err := k.Decrypt(body)
		if err != nil {
			return
		}
		again, err := k.Decrypt(k.Encrypt([]byte(text)))
		if err != nil || again != text {
			t.Fatalf("%q came back as %q, %v", text, again, err)
		}
		if k.Encrypt([]byte(text)) != strings.NewReplacer("\r", "", "\n", "").Replace(body) {
			t.Fatalf("%q has two forms", text)
		}
	})
}

func BenchmarkSealAndVerify(b *testing.B) {
	k := testKeys(b)
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			text := []byte(strings.Repeat("x", size))
			b.SetBytes(int64(size))
			for b.Loop() {
				body := k.Encrypt(text)
				if !k.VerifyRequest(body, k.SignRequest(body)) {
					b.Fatal("does not verify")
				}
			}
		})
	}
}

// TestDecryptInParts: whatever the number of parts, the text is the same.
func TestDecryptInParts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	k := testKeys(t)
	for _, n := range []int{0, 1, 8, partSize, 2*partSize - 9, 2 * partSize, 2*partSize + 1, 5*partSize + 13} {
		plain := make([]byte, n)
		for i := range plain {
			plain[i] = byte(i * 31)
		}
		body := k.Encrypt(plain)
		for _, procs := range []int{1, 2, 3, 7} {
			runtime.GOMAXPROCS(procs)
			got, err := k.Decrypt(body)
			require.NoError(t, err)
			require.True(t, string(plain) == got, "%d bytes on %d processors", n, procs)
		}
	}
}
