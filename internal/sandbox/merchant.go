package sandbox

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/ips-p2p/ips/internal/diagnose"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// Merchant is a P2P platform that the sandbox knows. It prints as its code.
type Merchant struct {
	Code string // 6 digits
	Name string // shown on pages
	Cert string // "MD5 证书", 128 characters
	Key  string // 3DES key, 24 characters
	IV   string // 3DES IV, 8 characters

	// RSA, if not nil, signs this merchant's answers in MD5withRSA mode in
	// place of MD5. Requests are signed with MD5 in both modes.
	RSA *rsa.PrivateKey

	// Manual makes people confirm on pages and answer texts by hand; by
	// default all of them agree at once.
	Manual bool
	// IPSFee is the platform's fee in fen for each recharge and withdrawal.
	IPSFee int64
	// Repeat is how a message is answered that has been decided before, and
	// ClockSkew how far the times in answers (pIpsTime) are off.
	Repeat    engine.Repeat
	ClockSkew time.Duration
	// NoMandate leaves withholding mandates unsigned until [Sandbox.Mandate];
	// by default opening an account signs one.
	NoMandate bool
}

// TestMerchant returns the test merchant that the vendor published with its
// demo, so that a program written for the old test environment works unchanged.
func TestMerchant() Merchant {
	return Merchant{
		Code: "808801",
		Name: "测试平台",
		Cert: "GPhKt7sh4dxQQZZkINGFtefRKNPyAj8S00cgAwtRyy0ufD7alNC28xCBKpa6IU7u54zzWSAv4PqUDKMgpOnM7fucO1wuwMi4RgPAnietmqYIhHXZ3TqTGKNzkxA55qYH",
		Key:  "ICHuQplJ0YR9l7XeVNKi6FMn",
		IV:   "2EDxsEfp",
	}
}

// String hides the keys.
func (m Merchant) String() string { return "merchant " + m.Code }

// GoString hides the keys.
func (m Merchant) GoString() string { return m.String() }

// Format hides the keys from every verb.
func (m Merchant) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.String()) }

// merchant is a Merchant ready for use.
type merchant struct {
	settings engine.Settings
	keys     *envelope.Keys
	rsa      *rsa.PrivateKey
	secrets  diagnose.Keys // to find out why a message fails
	// impostor has the same keys and another code: what it signs verifies
	// with this merchant's cert and is still not for it. Only faults use it.
	impostor *merchant
}

func newMerchant(m Merchant) (*merchant, error) {
	keys, err := envelope.NewKeys(m.Code, m.Cert, m.Key, m.IV)
	if err != nil {
		return nil, err
	}
	if m.IPSFee < 0 {
		return nil, fmt.Errorf("IPSFee: want 0 or more, got %d", m.IPSFee)
	}
	ready := &merchant{
		settings: engine.Settings{
			Merchant: m.Code, Name: m.Name, Auto: !m.Manual, IPSFee: m.IPSFee, NoMandate: m.NoMandate,
			Repeat: m.Repeat, ClockSkew: m.ClockSkew,
		},
		keys: keys,
		rsa:  m.RSA,

		secrets: diagnose.Keys{MerchantCode: m.Code, Cert: m.Cert, Key: m.Key, IV: m.IV},
	}
	impostor, err := envelope.NewKeys(otherCode(m.Code), m.Cert, m.Key, m.IV)
	if err != nil {
		return nil, err
	}
	ready.impostor = &merchant{keys: impostor, rsa: m.RSA}
	// A key that is too short must show here and not at the first answer.
	if _, err := ready.seal(engine.Answer{}); err != nil {
		return nil, errors.New("RSA: the key cannot sign")
	}
	return ready, nil
}

// otherCode is a merchant code that differs in its last digit.
func otherCode(code string) string {
	last := (code[len(code)-1]-'0'+1)%10 + '0'
	return code[:len(code)-1] + string(last)
}

// seal encrypts and signs an answer. An answer without a document has an empty
// body.
func (m *merchant) seal(a engine.Answer) (wire.Envelope, error) {
	e := wire.Envelope{Merchant: m.keys.MerCode(), Code: a.Code, Text: a.Text}
	if len(a.Body) > 0 {
		document := wire.WriteDocument(a.Body)
		e.XML = string(document)
		e.Body = m.keys.Encrypt(document)
	}
	if m.rsa == nil {
		e.Sign = m.keys.SignAnswer(e.Code, e.Text, e.Body)
		return e, nil
	}
	var err error
	e.Sign, err = m.keys.SignAnswerRSA(m.rsa, e.Code, e.Text, e.Body)
	return e, err
}
