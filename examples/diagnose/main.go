// Diagnose answers the question why a signature fails, or a body does not
// decrypt. It reads one captured message and the merchant's keys, and says step
// by step what is wrong and what to change:
//
//	go run ./examples/diagnose message.txt
//	go run ./examples/diagnose < message.txt
//	go run ./examples/diagnose -test-merchant message.txt
//	go run ./examples/diagnose -keys keys.json message.txt
//
// A message is what a log, a browser's developer tools or Wireshark show: a form
// post with its headers or without, a page with the hidden form, a SOAP request
// or answer, the result document inside, a URL, or lines of name=value. A
// decrypted document alone is checked too. At most 8 MiB are read.
//
// The keys come from the variables of [ips.ConfigFromEnv] (IPS_MERCHANT,
// IPS_CERT, IPS_3DES_KEY, IPS_3DES_IV, IPS_PUBLIC_KEY, and IPS_FORMER_… after a
// rotation) or from a file as [ips.ConfigFromFile] reads it, never from the
// command line, where other users of the machine see them. No address is needed:
// nothing is sent anywhere.
//
// If the message is healthy and your own program refuses it, put the hash that
// your program computes in the place of the signature: the report then says what
// your program hashes.
//
// What it prints has no key in it, and nothing of the document but names of
// elements, so that it can go into a ticket.
//
// The exit code is 0 if everything holds, 1 if something is wrong, and 2 if the
// program was called wrongly. Under go run it is 0 or 1, because go run makes a 1
// of every other code; a script builds the program first:
//
//	go build -o /tmp/diagnose ./examples/diagnose && /tmp/diagnose message.txt
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/diagnose"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// run is the program. It returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	flags := flag.NewFlagSet("diagnose", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("keys", "", "read the keys from this JSON `file` (mode 0600) instead of the environment")
	test := flags.Bool("test-merchant", false, "use the keys of the vendor's published test merchant")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(stderr, "Usage: diagnose [flags] [file with the message; - or none is standard input]\n\n"+
			"The keys come from IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY, IPS_3DES_IV and, in MD5withRSA mode,\n"+
			"IPS_PUBLIC_KEY, unless a flag says otherwise:\n\n")
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	fail := func(err error) int {
		_, _ = fmt.Fprintln(stderr, "diagnose:", err)
		return 2
	}
	if flags.NArg() > 1 {
		return fail(errors.New("one message at a time; flags come before the file"))
	}
	keys, err := readKeys(*file, *test, getenv)
	if err != nil {
		return fail(err)
	}
	message, err := readMessage(flags.Arg(0), stdin)
	if err != nil {
		return fail(err)
	}
	report := diagnose.Message(message, keys[0], keys[1:]...)
	if _, err := io.WriteString(stdout, report.String()); err != nil {
		return fail(err)
	}
	if _, wrong := report.First(); wrong {
		return 1
	}
	return 0
}

// testKeys are the published test merchant's. They also explain a message of
// another merchant that was made with them.
func testKeys() diagnose.Keys {
	c := ips.TestMerchant()
	return diagnose.Keys{MerchantCode: c.MerchantCode, Cert: c.Cert.Reveal(), Key: c.Key.Reveal(), IV: c.IV.Reveal()}
}

// readKeys gives the configured keys, and behind them others that may explain a
// message.
func readKeys(file string, test bool, getenv func(string) string) ([]diagnose.Keys, error) {
	isSet := func(getenv func(string) string) bool {
		return getenv("IPS_MERCHANT")+getenv("IPS_CERT")+getenv("IPS_3DES_KEY")+getenv("IPS_3DES_IV") != ""
	}
	switch {
	case file != "" && test:
		return nil, errors.New("-keys and -test-merchant exclude each other")
	case file != "":
		vars, err := readFile(file)
		if err != nil {
			return nil, err
		}
		if getenv = func(name string) string { return vars[name] }; !isSet(getenv) {
			return nil, fmt.Errorf("key file %s: has none of IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV", file)
		}
	case test && isSet(getenv):
		return nil, errors.New("-test-merchant, and keys in the environment too: unset IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV, or leave the flag out")
	case !test && !isSet(getenv):
		return nil, errors.New("no keys: set IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV, or give -keys FILE or -test-merchant")
	}
	own := diagnose.Keys{MerchantCode: getenv("IPS_MERCHANT"), Cert: getenv("IPS_CERT"), Key: getenv("IPS_3DES_KEY"), IV: getenv("IPS_3DES_IV")}
	if test {
		own = testKeys()
	}
	if text := getenv("IPS_PUBLIC_KEY"); text != "" {
		var err error
		if own.PublicKey, err = ips.ParsePublicKey(text); err != nil {
			return nil, fmt.Errorf("IPS_PUBLIC_KEY: %w", err)
		}
	}
	former := own
	for name, value := range map[string]*string{"IPS_FORMER_CERT": &former.Cert, "IPS_FORMER_3DES_KEY": &former.Key, "IPS_FORMER_3DES_IV": &former.IV} {
		*value = cmp.Or(getenv(name), *value)
	}
	return []diagnose.Keys{own, former, testKeys()}, nil
}

// readFile reads the values as they stand in the file, since a wrong one is what
// is looked for. That nobody else may read it is checked by the SDK.
func readFile(path string) (vars map[string]string, err error) {
	if _, err := ips.ConfigFromFile(path); errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	const most = 64 << 10 // a real one has about a kilobyte
	if err := json.NewDecoder(io.LimitReader(f, most)).Decode(&vars); err != nil {
		return nil, fmt.Errorf("key file %s: not a JSON object of texts", path) // the decoder may quote a secret
	}
	return vars, nil
}

func readMessage(path string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if path != "" && path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, diagnose.MaxInput+1))
}
