package ips

import (
	"cmp"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/envelope"
)

// Secret is a text that neither package fmt nor an encoder can print, whatever
// holds it: JSON, XML and YAML leave it empty, gob refuses it. A copy is equal
// (==) to what it was copied from. The zero Secret is none.
type Secret struct{ reveal *func() string } // a function, since printers look into everything else

// NewSecret hides a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	reveal := func() string { return text }
	return Secret{&reveal}
}

// Reveal gives the text.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return (*s.reveal)()
}

// String gives "hidden", or "" for none.
func (s Secret) String() string {
	if s.reveal == nil {
		return ""
	}
	return "hidden"
}

// Config is what a [Client] must know of its merchant. All secrets come from
// IPS. It can be printed and logged: its secrets stay hidden.
type Config struct {
	MerchantCode string `json:"merchant_code"` // 商户号, 6 digits
	Cert         Secret `json:"-"`             // MD5 证书, 128 ASCII characters
	Key          Secret `json:"-"`             // 3DES key, 24 ASCII characters
	IV           Secret `json:"-"`             // 3DES IV, 8 ASCII characters

	// PublicKey is for merchants whose answers IPS signs in MD5withRSA mode;
	// see [ParsePublicKey]. Nil means MD5 mode.
	PublicKey *rsa.PublicKey `json:"-"`

	// Former is for the time after IPS issued new secrets: answers made with the
	// former ones are still taken for a while. Nil is the normal case.
	Former *FormerKeys `json:"-"`

	// Environment is where IPS answers: [Production], [VendorTest], or
	// [EnvironmentAt] for a sandbox.
	Environment Environment `json:"environment"`

	// ReturnURL and NotifyURL are the bases of pWebUrl and pS2SUrl for requests
	// that name none: the operation is added as the last segment of the path,
	// as in https://p2p.example.com/ips/notify/open-account, so that
	// [Client.NotifyHandler] knows what an answer is about. Absolute, or empty
	// if every request names its own.
	ReturnURL string `json:"return_url"`
	NotifyURL string `json:"notify_url"`
}

// TestMerchant is the Config of the one test merchant that the vendor
// published with its demo (808801), without an environment and URLs. The
// sandbox knows it. With the address of [Production] it is refused: everybody
// has its keys.
func TestMerchant() Config {
	return Config{
		MerchantCode: "808801",
		Cert:         NewSecret("GPhKt7sh4dxQQZZkINGFtefRKNPyAj8S00cgAwtRyy0ufD7alNC28xCBKpa6IU7u54zzWSAv4PqUDKMgpOnM7fucO1wuwMi4RgPAnietmqYIhHXZ3TqTGKNzkxA55qYH"),
		Key:          NewSecret("ICHuQplJ0YR9l7XeVNKi6FMn"),
		IV:           NewSecret("2EDxsEfp"),
	}
}

// FormerKeys are the secrets that a merchant had before IPS issued new ones.
// Answers that were made with them are still taken until the window closes;
// requests always use the new ones.
type FormerKeys struct {
	Cert Secret `json:"-"` // the former MD5 证书; none if it is the same
	Key  Secret `json:"-"` // the former 3DES key; none if it is the same
	IV   Secret `json:"-"` // the former 3DES IV; none if it is the same

	// Until is when they are no longer taken. It must be set: a window that
	// never closes makes the rotation pointless.
	Until time.Time
}

// merchantKeys checks the merchant's secrets.
func merchantKeys(cfg Config) (*envelope.Keys, error) {
	keys, err := envelope.NewKeys(cfg.MerchantCode, cfg.Cert.Reveal(), cfg.Key.Reveal(), cfg.IV.Reveal())
	if test := TestMerchant(); cfg.Environment.isProduction() && (cfg.MerchantCode == test.MerchantCode ||
		cfg.Cert.Reveal() == test.Cert.Reveal() || cfg.Key.Reveal() == test.Key.Reveal()) {
		err = errors.Join(err, errors.New("the test merchant, whose keys everybody has, at the address of production"))
	}
	return keys, err
}

// formerKeys checks cfg.Former.
func formerKeys(cfg Config) (*formerSealer, error) {
	f := cfg.Former
	if f == nil {
		return nil, nil
	}
	if f.Until.IsZero() {
		return nil, errors.New("former keys: Until must be set")
	}
	if (FormerKeys{Until: f.Until}) == *f {
		return nil, errors.New("former keys: none is given")
	}
	keys, err := envelope.NewKeys(cfg.MerchantCode, cmp.Or(f.Cert, cfg.Cert).Reveal(), cmp.Or(f.Key, cfg.Key).Reveal(), cmp.Or(f.IV, cfg.IV).Reveal())
	if err != nil {
		return nil, fmt.Errorf("former keys: %w", err)
	}
	return &formerSealer{keys: keys, until: f.Until}, nil
}

// Environment says where IPS answers and under which SOAP namespace.
type Environment struct {
	Name      string // for messages, e.g. "production"
	PostBase  string // pages of redirect operations, with the slash at the end
	Service   string // web service
	Query     string // query web service
	Namespace string // of both services

	// TradeQuery says which service has the trade query, if any.
	TradeQuery TradeQueryService
}

// TradeQueryService says where [Client.QueryTrade] asks.
type TradeQueryService int

// The places. That a platform has it at all is believed from one family of
// merchants' programs, so it is off unless the merchant knows better.
const (
	NoTradeQuery        TradeQueryService = iota // there is none
	TradeQueryAtQuery                            // Environment.Query
	TradeQueryAtService                          // Environment.Service
)

// Production is https://p2p.ips.com.cn as the vendor published it.
func Production() Environment {
	e := EnvironmentAt("https://p2p.ips.com.cn")
	e.Name = "production"
	return e
}

// VendorTest is the vendor's test environment, http://p2p.ips.net.cn. It was
// plain HTTP and may no longer exist.
func VendorTest() Environment {
	e := EnvironmentAt("http://p2p.ips.net.cn")
	e.Name = "vendor test"
	return e
}

// EnvironmentAt is an IPS at the given base URL, laid out as the real one:
// /CreditWeb/, /CreditWS/Service.asmx and /CreditWSQuery/Service.asmx below it.
func EnvironmentAt(base string) Environment {
	base = strings.TrimRight(base, "/")
	return Environment{
		Name:      base,
		PostBase:  base + "/CreditWeb/",
		Service:   base + "/CreditWS/Service.asmx",
		Query:     base + "/CreditWSQuery/Service.asmx",
		Namespace: "http://tempuri.org/",
	}
}

// Sandbox is the sandbox at the given base URL: [EnvironmentAt] with a trade
// query.
func Sandbox(base string) Environment {
	e := EnvironmentAt(base)
	e.TradeQuery = TradeQueryAtQuery
	return e
}

// isProduction reports whether any of the addresses is the real IPS.
func (e *Environment) isProduction() bool {
	production, _ := url.Parse(Production().PostBase)
	return slices.ContainsFunc([]string{e.PostBase, e.Service, e.Query}, func(at string) bool {
		u, err := url.Parse(at)
		return err == nil && strings.EqualFold(u.Hostname(), production.Hostname())
	})
}

// trusted reports whether nobody stands between the client and what answers a
// call: the connection is TLS, or stays on this machine.
func (e *Environment) trusted(t Transport) bool {
	at := e.Service
	if t == ServerPosted {
		at = e.PostBase
	}
	u, err := url.Parse(at)
	if err != nil {
		return false
	}
	return u.Scheme == "https" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
}

// ConfigFromEnv builds a Config from environment variables, read through
// getenv ([os.Getenv], or a function of a test):
//
//	IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY, IPS_3DES_IV   required
//	IPS_PUBLIC_KEY                  for MD5withRSA mode, see [ParsePublicKey]
//	IPS_BASE_URL                    an IPS laid out as the real one, see [EnvironmentAt]
//	IPS_POST_URL, IPS_WS_URL, IPS_QUERY_URL   instead of IPS_BASE_URL, or over it
//	IPS_NAMESPACE                   of the web services; http://tempuri.org/ if empty
//	IPS_TRADE_QUERY                 none (also if empty), query or service: see [Environment]
//	IPS_RETURN_URL, IPS_NOTIFY_URL  see [Config]
//	IPS_FORMER_CERT, IPS_FORMER_3DES_KEY, IPS_FORMER_3DES_IV, IPS_FORMER_UNTIL
//	                                see [FormerKeys]; the last as 2026-12-31T00:00:00+08:00
//
// The error lists every variable that is missing or unreadable, without values.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var errs []error
	secret := func(name string) Secret { return NewSecret(getenv(name)) }
	need := func(name string) string {
		v := getenv(name)
		if v == "" {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
		return v
	}
	cfg := Config{
		MerchantCode: need("IPS_MERCHANT"),
		Cert:         NewSecret(need("IPS_CERT")),
		Key:          NewSecret(need("IPS_3DES_KEY")),
		IV:           NewSecret(need("IPS_3DES_IV")),
		ReturnURL:    getenv("IPS_RETURN_URL"),
		NotifyURL:    getenv("IPS_NOTIFY_URL"),
	}
	base := getenv("IPS_BASE_URL")
	if base == "" && (getenv("IPS_POST_URL") == "" || getenv("IPS_WS_URL") == "" || getenv("IPS_QUERY_URL") == "") {
		errs = append(errs, errors.New("IPS_BASE_URL is not set, nor all of IPS_POST_URL, IPS_WS_URL and IPS_QUERY_URL"))
	}
	env := EnvironmentAt(base)
	env.Name = cmp.Or(base, getenv("IPS_POST_URL"))
	env.PostBase = cmp.Or(getenv("IPS_POST_URL"), env.PostBase)
	env.Service = cmp.Or(getenv("IPS_WS_URL"), env.Service)
	env.Query = cmp.Or(getenv("IPS_QUERY_URL"), env.Query)
	env.Namespace = cmp.Or(getenv("IPS_NAMESPACE"), env.Namespace)
	switch where := getenv("IPS_TRADE_QUERY"); where {
	case "", "none":
	case "query":
		env.TradeQuery = TradeQueryAtQuery
	case "service":
		env.TradeQuery = TradeQueryAtService
	default:
		errs = append(errs, fmt.Errorf("IPS_TRADE_QUERY is %.20q, want none, query or service", where))
	}
	cfg.Environment = env
	if text := getenv("IPS_PUBLIC_KEY"); text != "" {
		key, err := ParsePublicKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("IPS_PUBLIC_KEY: %w", err))
		}
		cfg.PublicKey = key
	}
	former := FormerKeys{Cert: secret("IPS_FORMER_CERT"), Key: secret("IPS_FORMER_3DES_KEY"), IV: secret("IPS_FORMER_3DES_IV")}
	if former != (FormerKeys{}) || getenv("IPS_FORMER_UNTIL") != "" {
		var err error
		if former.Until, err = time.Parse(time.RFC3339, getenv("IPS_FORMER_UNTIL")); err != nil {
			errs = append(errs, errors.New("IPS_FORMER_UNTIL is no time as 2026-12-31T00:00:00+08:00"))
		}
		cfg.Former = &former
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, fmt.Errorf("ips: environment: %w", err)
	}
	return cfg, nil
}

// maxKeyFile bounds a key file; a real one has about a kilobyte.
const maxKeyFile = 64 << 10

// ConfigFromFile reads the variables of [ConfigFromEnv] from a JSON object in a
// file, {"IPS_MERCHANT": "808801", …}. Except on Windows it refuses a file that
// anybody but its owner can read.
func ConfigFromFile(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("ips: key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Config{}, fmt.Errorf("ips: key file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Config{}, fmt.Errorf("ips: key file %s: %w: others than its owner may read it (mode %#o); make it 0600", path, fs.ErrPermission, info.Mode().Perm())
	}
	d := json.NewDecoder(io.LimitReader(f, maxKeyFile))
	var vars map[string]string
	if err := d.Decode(&vars); err != nil {
		return Config{}, fmt.Errorf("ips: key file %s: not a JSON object of texts", path) // the decoder may quote a secret
	}
	for name := range vars {
		if !strings.HasPrefix(name, "IPS_") {
			return Config{}, fmt.Errorf("ips: key file %s: unknown name %.40q", path, name)
		}
	}
	return ConfigFromEnv(func(name string) string { return vars[name] })
}
