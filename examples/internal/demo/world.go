package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

// Environment explains the environment variables that [Open] reads.
const Environment = `
To talk to another IPS, set these environment variables. Its users must confirm by
themselves, as in a sandbox in auto mode, and it must take no fees of its own.

  IPS_POST_URL    base of the pages, e.g. http://127.0.0.1:8480/CreditWeb/
  IPS_WS_URL      web service, e.g. http://127.0.0.1:8480/CreditWS/Service.asmx
  IPS_QUERY_URL   query web service, e.g. http://127.0.0.1:8480/CreditWSQuery/Service.asmx
  IPS_NAMESPACE   of both services; http://tempuri.org/ if empty
  IPS_MERCHANT    merchant code
  IPS_CERT        MD5 证书
  IPS_3DES_KEY    3DES key
  IPS_3DES_IV     3DES IV
  IPS_PUBLIC_KEY  RSA key of IPS, only for merchants in MD5withRSA mode
  IPS_LISTEN      where this program listens, e.g. 127.0.0.1:9000
  IPS_RETURN_URL  how browsers reach it; http://IPS_LISTEN/ips/return if empty
  IPS_NOTIFY_URL  how IPS reaches it; http://IPS_LISTEN/ips/notify if empty
`

// World is where a program happens: an IPS, and the place where it can call the
// merchant back.
type World struct {
	Config   ips.Config // the merchant's; its ReturnURL and NotifyURL lead to the Listener
	Listener net.Listener
	Sandbox  *sandbox.Sandbox // nil for an IPS elsewhere

	// ReturnPath and NotifyPath are where the merchant's handlers must be
	// mounted: /ips/return/ and /ips/notify/, unless the environment says
	// otherwise. They are subtrees, since the client adds the operation.
	ReturnPath, NotifyPath string
}

// Open goes where the environment variables say, or starts a sandbox if none is
// set.
func Open(getenv func(string) string) (*World, error) {
	cfg, elsewhere, err := configFrom(getenv)
	if err != nil {
		return nil, err
	}
	var w *World
	if elsewhere {
		w, err = remoteWorld(cfg, getenv("IPS_LISTEN"))
	} else {
		w, err = localWorld()
	}
	if err != nil {
		return nil, err
	}
	w.Config.ReturnURL = cmp.Or(w.Config.ReturnURL, w.URL()+"/ips/return")
	w.Config.NotifyURL = cmp.Or(w.Config.NotifyURL, w.URL()+"/ips/notify")
	if err := w.findPaths(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *World) findPaths() error {
	returns, err := url.Parse(w.Config.ReturnURL)
	if err != nil {
		return fmt.Errorf("IPS_RETURN_URL: %w", err)
	}
	notifications, err := url.Parse(w.Config.NotifyURL)
	if err != nil {
		return fmt.Errorf("IPS_NOTIFY_URL: %w", err)
	}
	w.ReturnPath, w.NotifyPath = subtree(returns), subtree(notifications)
	if w.ReturnPath == w.NotifyPath {
		return fmt.Errorf("the return URL and the notify URL have the same path, %q: give them different ones", returns.Path)
	}
	return nil
}

func subtree(u *url.URL) string { return strings.TrimSuffix(u.Path, "/") + "/" }

// localWorld starts a sandbox on the loopback interface.
func localWorld() (*World, error) {
	box, err := sandbox.New(sandbox.Config{})
	if err != nil {
		return nil, err
	}
	w := &World{Config: ips.TestMerchant(), Sandbox: box}
	base, err := box.Start("127.0.0.1:0")
	if err == nil {
		w.Config.Environment = ips.EnvironmentAt(base)
		w.Config.Environment.Name = "sandbox in this program"
		w.Listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, errors.Join(err, box.Close())
	}
	return w, nil
}

func remoteWorld(cfg ips.Config, listen string) (*World, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("IPS_LISTEN: %w: name an address of this machine, like 127.0.0.1:9000", err)
	}
	return &World{Config: cfg, Listener: listener}, nil
}

// configFrom reads the environment variables; elsewhere is false if none of
// them is set. Its errors name all that is missing, and no value of a secret.
func configFrom(getenv func(string) string) (cfg ips.Config, elsewhere bool, err error) {
	var set, missing []string
	for _, name := range []string{
		"IPS_POST_URL", "IPS_WS_URL", "IPS_QUERY_URL",
		"IPS_MERCHANT", "IPS_CERT", "IPS_3DES_KEY", "IPS_3DES_IV", "IPS_LISTEN",
	} {
		if getenv(name) == "" {
			missing = append(missing, name)
		} else {
			set = append(set, name)
		}
	}
	switch {
	case len(set) == 0:
		return ips.Config{}, false, nil
	case len(missing) > 0:
		return ips.Config{}, false, fmt.Errorf("to talk to another IPS set %s too; or unset %s and use the sandbox in this program",
			strings.Join(missing, ", "), strings.Join(set, ", "))
	}
	if cfg, err = ips.ConfigFromEnv(getenv); err != nil {
		return ips.Config{}, false, err
	}
	return cfg, true, refuseProduction(cfg.Environment)
}

// refuseProduction keeps invented people and their loans away from the real
// platform.
func refuseProduction(env ips.Environment) error {
	real, err := url.Parse(ips.Production().PostBase)
	if err != nil {
		return err
	}
	for _, address := range []string{env.PostBase, env.Service, env.Query} {
		if u, err := url.Parse(address); err == nil && strings.EqualFold(u.Hostname(), real.Hostname()) {
			return fmt.Errorf("%s is the real platform: this program is for sandboxes and test environments", real.Hostname())
		}
	}
	return nil
}

// URL is where the listener is, without a slash at its end.
func (w *World) URL() string { return "http://" + w.Listener.Addr().String() }

// Serve serves the merchant's pages and callbacks on the listener until stop is
// called, which waits for those that are being answered.
func (w *World) Serve(h http.Handler) (stop func()) {
	// http.Server.Shutdown would also wait, for seconds, for connections on which
	// nothing was asked yet.
	var serving sync.RWMutex
	stopped := false
	server := &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			serving.RLock()
			defer serving.RUnlock()
			if stopped {
				http.Error(rw, "stopped", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(rw, r)
		}),
		ReadTimeout: 10 * time.Second,
	}
	go func() { _ = server.Serve(w.Listener) }() // ends with stop
	return func() {
		serving.Lock()
		stopped = true
		serving.Unlock()
		_ = server.Close()
	}
}

// ServePerson waits for a person with a browser until ctx ends. The sandbox asks
// him on its pages then.
func (w *World) ServePerson(ctx context.Context, out *log.Logger) error {
	if w.Sandbox != nil {
		if err := w.Sandbox.SetAuto(w.Config.MerchantCode, "", false); err != nil {
			return err
		}
	}
	out.Printf("open %s in your browser; stop with Ctrl-C", w.URL())
	<-ctx.Done()
	return nil
}

// CheckBooks waits until the sandbox has delivered all notifications, and
// recomputes its books: the sum of all accounts is zero, nothing is negative,
// what is frozen belongs to a bid or a margin. The books of an IPS elsewhere
// are its own business.
func (w *World) CheckBooks(ctx context.Context) error {
	if w.Sandbox == nil {
		return nil
	}
	if err := w.Sandbox.WaitDelivered(ctx); err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	for _, n := range w.Sandbox.Notifications() {
		if n.State != notifier.Delivered {
			return fmt.Errorf("notification of %s %s is %s", n.Op, n.Order, n.State)
		}
	}
	if err := w.Sandbox.CheckBooks(); err != nil {
		return fmt.Errorf("the sandbox's books: %w", err)
	}
	return nil
}

// Close gives up the listener and stops the sandbox.
func (w *World) Close() {
	_ = w.Listener.Close()
	if w.Sandbox != nil {
		_ = w.Sandbox.Close()
	}
}
