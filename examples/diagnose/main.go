// Diagnose answers the question why a signature fails, or a body does not
// decrypt. It reads one captured message and the merchant's keys, and says step
// by step what is wrong and what to change:
//
//	go run ./examples/diagnose message.txt
//	go run ./examples/diagnose < message.txt
//	go run ./examples/diagnose -test-merchant message.txt
//	go run ./examples/diagnose -keys keys.json message.txt
//
// A message is what a log, a browser's developer tools, curl -v or Wireshark
// show: a form post with its headers or without, a page with the hidden form, a
// SOAP request or answer, the result document inside, a URL, JSON, or lines of
// name=value. A decrypted document alone is checked too.
//
// The keys come from the variables of [ips.ConfigFromEnv] (IPS_MERCHANT,
// IPS_CERT, IPS_3DES_KEY, IPS_3DES_IV, IPS_PUBLIC_KEY) or from a file as
// [ips.ConfigFromFile] reads it, never from the command line, where other users
// of the machine see them. No address is needed: nothing is sent anywhere.
//
// If the message is healthy and your own program refuses it, put the hash that
// your program computes in the place of the signature: the report then says what
// your program hashes.
//
// What it prints has no key in it, and nothing of the document but names of
// elements, so that it can go into a ticket.
//
// The exit code is 0 if everything holds, 1 if something is wrong, and 2 if the
// program was called wrongly.
package main

import (
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
	report := diagnose.Message(message, keys)
	if _, err := io.WriteString(stdout, report.String()); err != nil {
		return fail(err)
	}
	if report.Wrong() {
		return 1
	}
	return 0
}

func readKeys(file string, test bool, getenv func(string) string) (diagnose.Keys, error) {
	keys := diagnose.KeysFromEnv(getenv)
	none := empty(keys)
	switch {
	case file != "" && test:
		return keys, errors.New("-keys and -test-merchant exclude each other")
	case file != "":
		return keysFromFile(file)
	case test && !none:
		return keys, errors.New("-test-merchant, and keys in the environment too: unset IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV, or leave the flag out")
	case test:
		public := keys.PublicKey
		keys = diagnose.TestKeys()
		keys.PublicKey = public
	case none:
		return keys, errors.New("no keys: set IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV, or give -keys FILE or -test-merchant")
	}
	return keys, nil
}

func empty(k diagnose.Keys) bool {
	return k.MerchantCode == "" && k.Cert == "" && k.Key == "" && k.IV == ""
}

// keysFromFile reads the values as they stand in the file, since a wrong one is
// what is looked for. That nobody else may read it is checked by the SDK.
func keysFromFile(path string) (diagnose.Keys, error) {
	if _, err := ips.ConfigFromFile(path); errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return diagnose.Keys{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return diagnose.Keys{}, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	const most = 64 << 10 // a real one has about a kilobyte
	var vars map[string]string
	if err := json.NewDecoder(io.LimitReader(f, most)).Decode(&vars); err != nil {
		return diagnose.Keys{}, fmt.Errorf("key file %s: not a JSON object of texts", path) // the decoder may quote a secret
	}
	keys := diagnose.KeysFromEnv(func(name string) string { return vars[name] })
	if empty(keys) {
		return keys, fmt.Errorf("key file %s: has none of IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV", path)
	}
	return keys, nil
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
