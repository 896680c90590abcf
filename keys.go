package ips

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"
)

// FormerKeys are the secrets that a merchant had before IPS issued new ones.
// Answers that were made with them are still taken until the window closes;
// requests always use the new ones. It prints without its secrets.
type FormerKeys struct {
	Cert string `json:"-"` // the former MD5 证书
	Key  string `json:"-"` // the former 3DES key; empty if it is the same
	IV   string `json:"-"` // the former 3DES IV; empty if it is the same

	// Until is when they are no longer taken. It must be set: a window that
	// never closes makes the rotation pointless.
	Until time.Time
}

// String gives the end of the window and nothing secret.
func (k FormerKeys) String() string {
	return "ips.FormerKeys{Until:" + k.Until.Format(time.RFC3339) + " secrets:hidden}"
}

// Format prints String whatever the verb.
func (k FormerKeys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// ConfigFromEnv builds a Config from environment variables, read through
// getenv ([os.Getenv], or a function of a test):
//
//	IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY, IPS_3DES_IV   required
//	IPS_PUBLIC_KEY                  for MD5withRSA mode, see [ParsePublicKey]
//	IPS_BASE_URL                    an IPS laid out as the real one, see [EnvironmentAt]
//	IPS_POST_URL, IPS_WS_URL, IPS_QUERY_URL   instead of IPS_BASE_URL, or over it
//	IPS_NAMESPACE                   of the web services; http://tempuri.org/ if empty
//	IPS_RETURN_URL, IPS_NOTIFY_URL  see [Config]
//	IPS_FORMER_CERT, IPS_FORMER_3DES_KEY, IPS_FORMER_3DES_IV, IPS_FORMER_UNTIL
//	                                see [FormerKeys]; the last as 2026-12-31T00:00:00+08:00
//
// The error lists every variable that is missing or unreadable, without values.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	var errs []error
	need := func(name string) string {
		v := getenv(name)
		if v == "" {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
		return v
	}
	cfg := Config{
		MerchantCode: need("IPS_MERCHANT"),
		Cert:         need("IPS_CERT"),
		Key:          need("IPS_3DES_KEY"),
		IV:           need("IPS_3DES_IV"),
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
	cfg.Environment = env
	if text := getenv("IPS_PUBLIC_KEY"); text != "" {
		key, err := ParsePublicKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("IPS_PUBLIC_KEY: %w", err))
		}
		cfg.PublicKey = key
	}
	if cert := getenv("IPS_FORMER_CERT"); cert != "" {
		until, err := time.Parse(time.RFC3339, getenv("IPS_FORMER_UNTIL"))
		if err != nil {
			errs = append(errs, errors.New("IPS_FORMER_UNTIL is no time as 2026-12-31T00:00:00+08:00"))
		}
		cfg.Former = &FormerKeys{Cert: cert, Key: getenv("IPS_FORMER_3DES_KEY"), IV: getenv("IPS_FORMER_3DES_IV"), Until: until}
	}
	if len(errs) > 0 {
		return Config{}, fmt.Errorf("ips: environment: %w", errors.Join(errs...))
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
