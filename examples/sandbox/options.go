package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

const (
	defaultAddr = "127.0.0.1:8480"
	// How long a stop waits for notifications. With a data folder, those that
	// are left go out after the next start.
	stopPatience = 5 * time.Second
)

var errUsage = errors.New("usage")

// usage is an error in the flags.
func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// options are what flags and environment say.
type options struct {
	addr          string
	allowRemote   bool
	merchantsFile string
	mode          string
	data          string
	seed          uint64
	ipsFee        string
	tlsCert       string
	tlsKey        string
	hosts         []string
	faults        []sandbox.Fault
	repeat        string
	tradeQuery    string
	noticeAfter   time.Duration
	noticeAgain   int
	clockSkew     time.Duration
	noticeSkew    time.Duration
	oldBids       []sandbox.OldBid
	base          string
	export        string
	verbose       bool
	tail          bool
	sample        bool

	merchants []sandbox.Merchant
}

// choice reads a flag with one of these values, by default the first.
func choice(into *string, values ...string) func(text string) error {
	*into = values[0]
	return func(text string) error {
		if *into = text; !slices.Contains(values, text) {
			return fmt.Errorf("want %s", strings.Join(values, " or "))
		}
		return nil
	}
}

// each reads a flag that can be given several times. In the environment, its
// values are separated by semicolons.
func each[T any](into *[]T, parse func(text string) (T, error)) func(text string) error {
	return func(text string) error {
		for one := range strings.SplitSeq(text, ";") {
			if one = strings.TrimSpace(one); one == "" {
				continue
			}
			v, err := parse(one)
			if err != nil {
				return err
			}
			*into = append(*into, v)
		}
		return nil
	}
}

func readOptions(args []string, env func(string) (string, bool), stderr io.Writer) (*options, error) {
	var o options
	fs := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.addr, "addr", defaultAddr, "`address` to listen on; port 0 is any free port")
	fs.BoolVar(&o.allowRemote, "allow-remote", false, "listen on an address that other machines can reach")
	fs.StringVar(&o.merchantsFile, "merchants", "", "JSON `file` of merchants; by default the vendor's published test merchant")
	fs.Func("mode", "auto, the default: people confirm everything at once; manual: on pages, by hand", choice(&o.mode, "auto", "manual"))
	fs.StringVar(&o.data, "data", "", "`folder` that keeps everything; by default all is in memory and lost at the end")
	fs.Uint64Var(&o.seed, "seed", 1, "decides which events meet a fault that has a probability")
	fs.StringVar(&o.ipsFee, "ips-fee", "0.00", "what IPS takes for each recharge and withdrawal, in `yuan`")
	fs.StringVar(&o.tlsCert, "tls-cert", "", "`file` with the TLS certificate, in PEM")
	fs.StringVar(&o.tlsKey, "tls-key", "", "`file` with the key of the TLS certificate, in PEM")
	fs.Func("host", "host `name` under which console and admin API answer, besides localhost, addresses and that of -base; repeatable", each(&o.hosts, sandbox.ParseHost))
	fs.Func("fault", "`fault` from the start, such as reset:op=Transfer,count=2,after; repeatable", each(&o.faults, operator.ParseFault))
	fs.Func("repeat", "how a message is answered that was decided before: `first`, the default, with its first answer, or refuse, as a duplicate", choice(&o.repeat, "first", "refuse"))
	fs.Func("trade-query", "`service` that has QueryTrade: query, service, both, the default, or none", choice(&o.tradeQuery, "both", "query", "service", "none"))
	fs.DurationVar(&o.noticeAfter, "notice-after", 200*time.Millisecond, "`time` between an answer and the notification that it causes")
	fs.IntVar(&o.noticeAgain, "notice-again", 0, "how `often` a result is told again although it was answered, 4 at most")
	fs.DurationVar(&o.clockSkew, "clock-skew", 0, "by how much pIpsTime differs from the clock, as `duration`")
	fs.DurationVar(&o.noticeSkew, "notice-skew", 0, "by how much it differs in notifications on top of that, as `duration`")
	fs.Func("old-bid", "`bid` of the old interface, such as merchant=808801,bid=O1,contract=C1,release=F1,borrower=ACCOUNT,owed=ACCOUNT:300.00; repeatable", each(&o.oldBids, operator.ParseOldBid))
	fs.StringVar(&o.base, "base", "", "`URL` under which others reach the sandbox, such as that of a proxy; by default what they called it by")
	fs.StringVar(&o.export, "export", "", "write the books of -data as JSON to a new `file`, and end")
	fs.BoolVar(&o.verbose, "verbose", false, "log every answer to standard error")
	fs.BoolVar(&o.sample, "sample", false, "begin with a few users, a loan and orders to look at")
	fs.BoolVar(&o.tail, "tail", false, "print a line of each message that comes in or goes out")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usage("%v", err)
	}
	if fs.NArg() > 0 {
		return nil, usage("%q is no flag", fs.Arg(0))
	}
	if err := fromEnvironment(fs, env); err != nil {
		return nil, err
	}
	return &o, o.check()
}

// fromEnvironment sets the flags that the command line does not.
func fromEnvironment(fs *flag.FlagSet, env func(string) (string, bool)) error {
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var errs []error
	fs.VisitAll(func(f *flag.Flag) {
		name := "IPS_SANDBOX_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := env(name)
		if !ok || given[f.Name] {
			return
		}
		if err := fs.Set(f.Name, value); err != nil {
			errs = append(errs, usage("%s: %v", name, err))
		}
	})
	return errors.Join(errs...)
}

func (o *options) check() error {
	_, _, noPort := net.SplitHostPort(o.addr)
	switch {
	case noPort != nil:
		return usage("-addr: want HOST:PORT, got %q", o.addr)
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return usage("-tls-cert and -tls-key: want both or none")
	case !o.loopback() && !o.allowRemote:
		return usage("-addr: other machines can reach %s; if that is meant, say -allow-remote", o.addr)
	case o.noticeAfter < 0:
		return usage("-notice-after: want 0 or more, got %s", o.noticeAfter)
	case o.noticeAgain < 0 || o.noticeAgain > 4:
		return usage("-notice-again: want 0 to 4, got %d", o.noticeAgain)
	case o.export != "" && o.data == "":
		return usage("-export: want -data as well")
	case o.base != "" && !engine.IsHTTPURL(o.base):
		return usage("-base: want a URL, got %q", o.base)
	}
	return nil
}

// loopback says whether nobody but this machine can reach the address. A name
// other than localhost may mean anything.
func (o *options) loopback() bool {
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// open makes the sandbox that the options describe.
func (o *options) open(stderr io.Writer) (*sandbox.Sandbox, error) {
	fee, err := ips.ParseAmount(o.ipsFee)
	if err != nil {
		return nil, usage("-ips-fee: %v", err)
	}
	manual := o.mode == "manual"
	o.merchants = []sandbox.Merchant{sandbox.TestMerchant()}
	o.merchants[0].Manual = manual
	if o.merchantsFile != "" {
		if o.merchants, err = readMerchants(o.merchantsFile, manual); err != nil {
			return nil, err
		}
	}
	cfg := sandbox.Config{
		Merchants: o.merchants, IPSFee: int64(fee), Seed: o.seed, Hosts: o.hosts, Base: o.base,
		Repeat: engine.Repeat(o.repeat), TradeQuery: wire.TradeQuery(o.tradeQuery), ClockSkew: o.clockSkew, NoticeSkew: o.noticeSkew,
		NoticeAfter: o.noticeAfter, NoticeAgain: o.noticeAgain, OldBids: o.oldBids,
	}
	if o.verbose {
		cfg.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	}
	if o.tlsCert != "" {
		cert, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		if err != nil {
			return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	if o.data != "" {
		store, err := openFolder(o.data, stderr)
		if err != nil {
			return nil, err
		}
		cfg.Store = store
	}
	box, err := sandbox.New(cfg)
	if err != nil {
		return nil, err
	}
	for _, f := range o.faults {
		if _, err := box.OrderFault(f); err != nil {
			return nil, errors.Join(usage("-fault: %v", err), box.Close())
		}
	}
	return box, nil
}

// introduce tells the person at the terminal what there is, without secrets.
func (o *options) introduce(w io.Writer, base string) {
	fmt.Fprintf(w, "This is a sandbox and NOT IPS (环迅支付). It moves no money. Keep real people's data out of it.\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"pages", "/CreditWeb/"},
		{"web service", "/CreditWS/Service.asmx?WSDL"},
		{"query service", "/CreditWSQuery/Service.asmx?WSDL"},
		{"text messages", "/sms"},
		{"console", "/console/"},
		{"admin API", "/admin/"},
		{"health", "/healthz"},
		{"metrics", "/metrics"},
	} {
		fmt.Fprintf(t, "  %s\t%s\n", row[0], base+row[1])
	}
	fmt.Fprintf(t, "\n  merchant\tname\tanswers signed\tpeople confirm\n")
	for _, m := range o.merchants {
		sign, mode := "MD5", "at once"
		if m.RSA != nil {
			sign = "MD5withRSA"
		}
		if m.Manual {
			mode = "by hand"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", m.Code, m.Name, sign, mode)
	}
	t.Flush()
	for _, m := range o.merchants {
		if m.RSA != nil {
			der, err := x509.MarshalPKIXPublicKey(&m.RSA.PublicKey)
			if err == nil {
				fmt.Fprintf(w, "\n  public key for answers to %s:\n%s", m.Code, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			}
		}
	}
	where := "in memory: all is lost at the end"
	if o.data != "" {
		where = "kept in " + o.data
	}
	fmt.Fprintf(w, "\n  data %s\n  stop with Ctrl-C\n", where)
}

// shutdown stops listening and gives notifications a moment to arrive.
func (o *options) shutdown(box *sandbox.Sandbox, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	err := box.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		left := "are lost"
		if o.data != "" {
			left = "are sent after the next start"
		}
		fmt.Fprintf(stdout, "notifications that were not delivered %s\n", left)
		return nil
	}
	return err
}
