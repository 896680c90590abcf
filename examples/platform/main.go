// Platform is a small but real P2P lending platform on top of the SDK: its
// users register, open custody accounts, recharge, borrow, bid, guarantee,
// repay by plan, sell claims and withdraw, in Chinese pages that follow the
// chapters of the usage guide of IPS (环迅支付 资金管理平台 v2.0).
//
//	go run ./examples/platform
//
// starts it with a sandbox that plays IPS and a database that is gone when the
// program ends. With DATABASE_URL it keeps its data in MySQL or PostgreSQL; with
// IPS_URL it talks to an IPS elsewhere, and several instances can work on one
// database.
//
// Its orders are kept by package orders. Read effects.go first: it says what the
// end of each order means.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/orders"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

const usage = `Usage: platform [flags]

A small P2P lending platform, with a sandbox that plays IPS unless IPS_URL names another one.

Environment variables:

  DATABASE_URL             mysql://user:password@host:3306/name or postgres://…; without it SQLite is used
  PLATFORM_ADMIN_PASSWORD  of the user admin, when he is made; without it one is made up and printed
  IPS_URL                  base of another IPS, e.g. http://127.0.0.1:8480
  IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY, IPS_3DES_IV
                           the merchant there; without them the vendor's published test merchant
  IPS_PUBLIC_KEY           RSA key of IPS, only for merchants in MD5withRSA mode

Flags:
`

type flags struct {
	listen, base, db string
	manual           bool
	every, age       time.Duration
}

func parseFlags(args []string, out io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("platform", flag.ContinueOnError)
	set.SetOutput(out)
	set.Usage = func() {
		fmt.Fprint(out, usage)
		set.PrintDefaults()
	}
	set.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	set.StringVar(&f.base, "base", "", "`URL` under which browsers and IPS reach the platform; http:// and the address if empty")
	set.StringVar(&f.db, "db", "", "SQLite `file`; with the sandbox in this program a temporary one if empty, else platform.db")
	set.BoolVar(&f.manual, "manual", false, "users confirm in the sandbox's pages by hand, instead of all by themselves")
	set.DurationVar(&f.every, "reconcile", time.Second, "`time` between two looks for orders that something is due of")
	set.DurationVar(&f.age, "age", 30*time.Second, "`time` that an order of unknown fate is left alone before IPS is asked")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	switch {
	case set.NArg() > 0:
		return f, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case f.every <= 0 || f.age <= 0:
		return f, fmt.Errorf("-reconcile and -age must be more than 0, got %s and %s", f.every, f.age)
	}
	return f, nil
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) (err error) {
	f, err := parseFlags(args, out)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	cfg, box, err := chooseIPS(f, getenv, log)
	if err != nil {
		return err
	}
	if box != nil {
		defer func() { err = errors.Join(err, box.Close()) }()
	}
	if err := refuseStrangers(listener.Addr(), cfg); err != nil {
		return err
	}
	db, forget, err := openDatabase(ctx, f, getenv, box != nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), forget()) }()

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64 // they all go to IPS
	defer transport.CloseIdleConnections()
	pace := orders.Pace{Poll: f.every, Ask: f.age, Repeat: true}
	app, err := newApp(ctx, db, cfg, cmp.Or(f.base, "http://"+listener.Addr().String()), pace, bcrypt.DefaultCost, log,
		ips.WithHook(logEvents(log)), ips.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		return err
	}
	if box != nil {
		app.inbox, app.manual = strings.TrimSuffix(cfg.Environment.PostBase, "/CreditWeb/")+"/sms", f.manual
		app.seed = func(old ips.RepayOldBidRequest) error {
			return box.SeedOldBid(cfg.MerchantCode, engine.OldBid{BidNo: old.BidNo, ContractNo: old.ContractNo, Release: old.ReleaseOrderNo, Borrower: old.Account, Owed: []engine.OldClaim{{Account: old.Rows[0].Account, Amount: int64(old.Amount)}}})
		}
	}
	password, err := app.ensureAdmin(ctx, getenv("PLATFORM_ADMIN_PASSWORD"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  The platform: %s\n  IPS:          %s\n", app.base, cfg.Environment.PostBase)
	if box != nil {
		fmt.Fprintf(out, "  Inside IPS:   %s (console, text messages)\n", strings.TrimSuffix(cfg.Environment.PostBase, "CreditWeb/"))
	}
	if password != "" {
		fmt.Fprintf(out, "  Log in as admin with the password %s\n", password)
	}
	fmt.Fprintln(out)
	return serve(ctx, app, listener)
}

// logEvents logs what the client does, without the words of refusals: IPS puts
// account numbers into them. They are with the order.
func logEvents(log *slog.Logger) func(context.Context, ips.Event) {
	write := ips.LogEvents(log)
	return func(ctx context.Context, e ips.Event) {
		var refusal *ips.Error
		if errors.As(e.Err, &refusal) {
			e.Err = &ips.Error{Operation: refusal.Operation, Code: refusal.Code, OrderNo: refusal.OrderNo}
		}
		write(ctx, e)
	}
}

// serve answers until the context ends, and then finishes what it has begun.
func serve(ctx context.Context, app *App, listener net.Listener) error {
	running, stop := context.WithCancel(ctx)
	var book sync.WaitGroup
	book.Go(func() { _ = app.book.Run(running) })
	server := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err = server.Shutdown(last)
		cancel()
	}
	stop()
	book.Wait()
	return err
}

// chooseIPS starts a sandbox, unless the environment names another IPS.
func chooseIPS(f flags, getenv func(string) string, log *slog.Logger) (ips.Config, *sandbox.Sandbox, error) {
	if address := getenv("IPS_URL"); address != "" {
		cfg, err := configFrom(getenv, address)
		return cfg, nil, err
	}
	box, err := sandbox.New(sandbox.Config{Manual: f.manual, Logger: log})
	if err != nil {
		return ips.Config{}, nil, err
	}
	address, err := box.Start("")
	if err != nil {
		return ips.Config{}, nil, errors.Join(err, box.Close())
	}
	cfg := ips.TestMerchant()
	cfg.Environment = ips.Sandbox(address)
	return cfg, box, nil
}

// configFrom reads the merchant's secrets, and keeps an example away from real
// people's money. Its errors hold no value.
func configFrom(getenv func(string) string, address string) (ips.Config, error) {
	cfg := ips.TestMerchant()
	if getenv("IPS_MERCHANT") != "" {
		var err error
		if cfg, err = ips.ConfigFromEnv(func(name string) string {
			if name == "IPS_BASE_URL" {
				return address
			}
			return getenv(name)
		}); err != nil {
			return ips.Config{}, err
		}
	}
	cfg.Environment = ips.Sandbox(address)
	u, err := url.Parse(address)
	if err != nil {
		return ips.Config{}, errors.New("IPS_URL: no URL")
	}
	if real, err := url.Parse(ips.Production().PostBase); err != nil || strings.EqualFold(u.Hostname(), real.Hostname()) {
		return ips.Config{}, fmt.Errorf("%s is the real IPS: this program is an example and works with sandboxes and test environments", u.Hostname())
	}
	return cfg, nil
}

// refuseStrangers keeps a program with keys that everybody knows to this machine:
// whoever reaches it could sign the answers of IPS himself.
func refuseStrangers(listen net.Addr, cfg ips.Config) error {
	public := ips.TestMerchant()
	tcp, ok := listen.(*net.TCPAddr)
	if ok && !tcp.IP.IsLoopback() && cfg.Cert.Reveal() == public.Cert.Reveal() {
		return fmt.Errorf("-listen %s: the keys of the test merchant are public, so only this machine may reach the platform; use a loopback address or a merchant of your own", listen)
	}
	return nil
}

// openDatabase opens the database. Forget removes one that was only temporary: a
// sandbox in this program knows nothing of accounts opened in an earlier one.
func openDatabase(ctx context.Context, f flags, getenv func(string) string, temporary bool) (db *Data, forget func() error, err error) {
	forget = func() error { return nil }
	address := cmp.Or(getenv("DATABASE_URL"), f.db)
	if address == "" {
		address = "platform.db"
		if temporary {
			dir, err := os.MkdirTemp("", "platform-")
			if err != nil {
				return nil, nil, err
			}
			address, forget = filepath.Join(dir, "platform.db"), func() error { return os.RemoveAll(dir) }
		}
	}
	if db, err = openData(ctx, address); err != nil {
		return nil, nil, errors.Join(err, forget())
	}
	return db, forget, nil
}

// ensureAdmin makes the user admin if there is none, and returns his password
// if it was made up here.
func (a *App) ensureAdmin(ctx context.Context, password string) (madeUp string, err error) {
	if password == "" {
		madeUp = rand.Text()
		password = madeUp
	}
	hash, err := a.hashPassword(password)
	if err != nil {
		return "", err
	}
	err = a.data.tx(ctx, func(d *work) {
		if _, found := maybe[User](d, "login = 'admin'"); found {
			madeUp = ""
			return
		}
		add(d, User{ID: newID(), Login: "admin", Password: hash, Role: Admin, CreatedAt: a.now()})
	})
	return madeUp, err
}
