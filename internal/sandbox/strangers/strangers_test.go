package strangers_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// requireVariable, set to 1, makes a missing interpreter a failure, so
	// that a machine which is meant to run these tests cannot skip them.
	requireVariable = "IPS_REQUIRE_STRANGERS"
	// publicKeyVariable tells a program to expect MD5withRSA answers.
	publicKeyVariable = "IPS_PUBLIC_KEY"

	patience = 2 * time.Minute

	// merchantsIncome is what every fee of the story comes to, in fen: the
	// programs ask for the accounts of people only.
	merchantsIncome = 125 + 1234 + 4567 + 321 + 555 + 200
)

// program is a stranger and how to run it.
type program struct {
	name    string
	command []string // to which the sandbox's address is added
	sources []string
	missing func(t *testing.T) string // what the machine lacks to run it, "" if nothing
}

func programs() []program {
	return []program{
		{
			name:    "php",
			command: []string{"php", "php/client.php"},
			sources: []string{"php/client.php", "php/notify.php"},
			missing: missingPHP,
		},
		{
			name: "java",
			// Before Java 18 a source is read in the character set of the locale.
			command: []string{"java", "-Dfile.encoding=UTF-8", "java/Client.java"},
			sources: []string{"java/Client.java"},
			missing: missingJava,
		},
	}
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	if testing.Short() && os.Getenv(requireVariable) != "1" {
		t.Skip("compiles and runs programs in other languages")
	}
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if what := p.missing(t); what != "" {
				if os.Getenv(requireVariable) == "1" {
					t.Fatalf("%s is required by %s=1, and this machine has no %s", p.name, requireVariable, what)
				}
				t.Skipf("!!! SKIPPED: the %s program proves nothing here, since this machine has no %s", p.name, what)
			}
			t.Run("MD5", func(t *testing.T) {
				t.Parallel()
				p.run(t, sandbox.TestMerchant())
			})
			t.Run("MD5withRSA", func(t *testing.T) {
				t.Parallel()
				merchant := sandbox.TestMerchant()
				merchant.RSA = newKey(t)
				p.run(t, merchant)
			})
		})
	}
}

// run lets the program tell its story to a sandbox of its own.
func (p program) run(t *testing.T, merchant sandbox.Merchant) {
	t.Helper()
	for _, source := range p.sources {
		// go test must not answer from its cache when a source has changed,
		// and it knows of the files only that this process has looked at.
		require.FileExists(t, source)
	}
	s, err := sandbox.New(sandbox.Config{
		Merchants:   []sandbox.Merchant{merchant},
		NoticeAfter: 200 * time.Millisecond, // as in the program
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	base, err := s.Start("127.0.0.1:0")
	require.NoError(t, err)

	public := ""
	if merchant.RSA != nil {
		public = publicPEM(t, &merchant.RSA.PublicKey)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.command[0], append(p.command[1:len(p.command):len(p.command)], base)...)
	cmd.Env = append(os.Environ(), publicKeyVariable+"="+public)
	// An interrupt gives it the chance to end what it started, once the call
	// that it waits for is over; its own calls take 20 seconds at most.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s\n%s", strings.Join(cmd.Args, " "), out)
	assert.NoError(t, err)

	assert.NoError(t, s.CheckBooks())
	income, ok := s.Balance(merchant.Code, merchant.Code)
	assert.True(t, ok)
	assert.EqualValues(t, merchantsIncome, income.Available, "the merchant's own account")
	assert.Zero(t, income.Frozen)
}

// newKey makes a key as long as the platform's.
func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	return key
}

func publicPEM(t *testing.T, key *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func missingPHP(t *testing.T) string {
	out, ok := ask(t, "php", "-m")
	if !ok {
		return "php"
	}
	for _, extension := range []string{"curl", "dom", "openssl", "SimpleXML", "soap"} {
		if !regexp.MustCompile(`(?m)^` + extension + `\r?$`).Match(out) {
			return "extension " + extension + " of php"
		}
	}
	return ""
}

func missingJava(t *testing.T) string {
	const oldest = 17
	out, ok := ask(t, "java", "--list-modules")
	if !ok {
		return "java"
	}
	version := regexp.MustCompile(`(?m)^java\.base@([0-9]+)`).FindSubmatch(out)
	if version == nil {
		return "java of a version that can be told"
	}
	if n, err := strconv.Atoi(string(version[1])); err != nil || n < oldest {
		return "java " + strconv.Itoa(oldest) + " or later"
	}
	// A runtime without the compiler cannot run a source file.
	if !bytes.Contains(out, []byte("\njdk.compiler@")) {
		return "JDK, only a Java runtime"
	}
	return ""
}

// ask returns what a command prints; ok says whether it ran.
func ask(t *testing.T, name string, args ...string) (out []byte, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return out, err == nil
}
