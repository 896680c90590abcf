package main

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
)

const maxMerchantsFile = 1 << 20

// merchantsFile is what the file of -merchants holds.
type merchantsFile struct {
	// TestMerchant adds the vendor's published test merchant to the list.
	TestMerchant bool            `json:"testMerchant"`
	Merchants    []merchantEntry `json:"merchants"`
}

type merchantEntry struct {
	Code string `json:"code"` // 6 digits
	Name string `json:"name"` // shown on pages
	Cert string `json:"cert"` // "MD5 证书", 128 characters
	Key  string `json:"key"`  // 3DES key, 24 characters
	IV   string `json:"iv"`   // 3DES IV, 8 characters

	// Sign is how answers to this merchant are signed: md5, which is the
	// default, or rsa for MD5withRSA.
	Sign string `json:"sign"`
	// RSAKeyFile holds the private key for rsa, in PEM; a relative path is
	// relative to the merchants file.
	RSAKeyFile string `json:"rsaKeyFile"`

	Mode      string `json:"mode"`      // auto or manual; by default that of -mode
	IPSFee    string `json:"ipsFee"`    // in yuan, such as "1.00"; by default that of -ips-fee
	NoMandate bool   `json:"noMandate"` // withholding mandates are not signed by opening an account
}

// readMerchants reads a merchants file. Its errors say which merchant and
// which field, and never what a secret is.
func readMerchants(path string, manual bool) ([]sandbox.Merchant, error) {
	text, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("merchants file: %w", err)
	}
	var file merchantsFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("merchants file %s: %w", path, plain(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("merchants file %s: there is something behind the JSON object", path)
	}
	var list []sandbox.Merchant
	if file.TestMerchant {
		m := sandbox.TestMerchant()
		m.Manual = manual
		list = append(list, m)
	}
	for i, entry := range file.Merchants {
		m, err := entry.merchant(filepath.Dir(path), manual)
		if err != nil {
			return nil, fmt.Errorf("merchants file %s: merchant %d (%q): %w", path, i+1, entry.Code, err)
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("merchants file %s: there is no merchant in it", path)
	}
	return list, nil
}

// plain keeps the place of an error and drops what stood there.
func plain(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s: want %s, got another kind of value", kind.Field, kind.Type)
	}
	return err
}

func (e *merchantEntry) merchant(dir string, manual bool) (sandbox.Merchant, error) {
	m := sandbox.Merchant{
		Code: e.Code, Name: e.Name, Cert: e.Cert, Key: e.Key, IV: e.IV, Manual: manual, NoMandate: e.NoMandate,
	}
	if m.Name == "" {
		m.Name = "商户" + m.Code
	}
	switch e.Mode {
	case "":
	case "auto", "manual":
		m.Manual = e.Mode == "manual"
	default:
		return m, fmt.Errorf("mode: want auto or manual, got %q", e.Mode)
	}
	if e.IPSFee != "" {
		fee, err := ips.ParseAmount(e.IPSFee)
		if err != nil {
			return m, fmt.Errorf("ipsFee: %w", err)
		}
		m.IPSFee = int64(fee)
	}
	switch {
	case e.Sign != "" && e.Sign != "md5" && e.Sign != "rsa":
		return m, fmt.Errorf("sign: want md5 or rsa, got %q", e.Sign)
	case (e.Sign == "rsa") != (e.RSAKeyFile != ""):
		return m, errors.New("rsaKeyFile: rsa wants one, md5 none")
	case e.Sign == "rsa":
		path := e.RSAKeyFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		var err error
		if m.RSA, err = readRSAKey(path); err != nil {
			return m, fmt.Errorf("rsaKeyFile: %w", err)
		}
	}
	return m, nil
}

// readRSAKey reads a private key in PKCS#1 or PKCS#8.
func readRSAKey(path string) (*rsa.PrivateKey, error) {
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", path)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if private, ok := key.(*rsa.PrivateKey); ok && err == nil {
		return private, nil
	}
	return nil, fmt.Errorf("%s holds no RSA private key", path)
}

// readSecret reads a file that nobody but its owner may read.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// Windows has other means than these bits, and Go makes them up there.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s holds secrets and has the permissions %04o: take them from everybody else with chmod 600", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxMerchantsFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxMerchantsFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxMerchantsFile)
	}
	return text, nil
}
