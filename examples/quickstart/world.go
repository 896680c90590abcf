package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
)

// world is where the story happens: an IPS, and the place where it can call
// the merchant back.
type world struct {
	config   ips.Config
	listener net.Listener
	prefix   string           // of order numbers, new to this IPS
	sandbox  *sandbox.Sandbox // nil for an IPS elsewhere
}

// chooseWorld goes where the environment variables say, or starts a sandbox if
// none is set.
func chooseWorld(getenv func(string) string) (*world, error) {
	cfg, elsewhere, err := configFrom(getenv)
	switch {
	case err != nil:
		return nil, err
	case elsewhere:
		return remoteWorld(cfg, getenv("IPS_LISTEN"))
	}
	return localWorld()
}

// localWorld starts a sandbox on the loopback interface.
func localWorld() (*world, error) {
	box, err := sandbox.New(sandbox.Config{})
	if err != nil {
		return nil, err
	}
	w := &world{config: ips.TestMerchant(), prefix: "QS", sandbox: box}
	base, err := box.Start("127.0.0.1:0")
	if err == nil {
		w.config.Environment = ips.EnvironmentAt(base)
		w.config.Environment.Name = "sandbox in this program"
		w.listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, errors.Join(err, box.Close())
	}
	return w, nil
}

func remoteWorld(cfg ips.Config, listen string) (*world, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("IPS_LISTEN: %w: name an address of this machine, like 127.0.0.1:9000", err)
	}
	// Order numbers, bid numbers and e-mail addresses must be new to IPS.
	return &world{config: cfg, listener: listener, prefix: "QS" + rand.Text()[:10]}, nil
}

// configFrom reads the environment variables; elsewhere is false if none of
// them is set. Its errors name all that is missing, and no value of a secret.
func configFrom(getenv func(string) string) (cfg ips.Config, elsewhere bool, err error) {
	required := []struct {
		name string
		into *string
	}{
		{"IPS_POST_URL", &cfg.Environment.PostBase},
		{"IPS_WS_URL", &cfg.Environment.Service},
		{"IPS_QUERY_URL", &cfg.Environment.Query},
		{"IPS_MERCHANT", &cfg.MerchantCode},
		{"IPS_CERT", &cfg.Cert},
		{"IPS_3DES_KEY", &cfg.Key},
		{"IPS_3DES_IV", &cfg.IV},
		{"IPS_LISTEN", new(string)},
	}
	var set, missing []string
	for _, v := range required {
		if *v.into = getenv(v.name); *v.into == "" {
			missing = append(missing, v.name)
		} else {
			set = append(set, v.name)
		}
	}
	switch {
	case len(set) == 0:
		return ips.Config{}, false, nil
	case len(missing) > 0:
		return ips.Config{}, false, fmt.Errorf("to talk to another IPS set %s too; or unset %s and use the sandbox in this program",
			strings.Join(missing, ", "), strings.Join(set, ", "))
	}
	cfg.Environment.Name = "IPS elsewhere"
	cfg.Environment.Namespace = cmp.Or(getenv("IPS_NAMESPACE"), "http://tempuri.org/")
	cfg.ReturnURL, cfg.NotifyURL = getenv("IPS_RETURN_URL"), getenv("IPS_NOTIFY_URL")
	if text := getenv("IPS_PUBLIC_KEY"); text != "" {
		if cfg.PublicKey, err = ips.ParsePublicKey(text); err != nil {
			return ips.Config{}, false, fmt.Errorf("IPS_PUBLIC_KEY: %w", err)
		}
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
			return fmt.Errorf("%s is the real platform: this story is for sandboxes and test environments", real.Hostname())
		}
	}
	return nil
}

// checkBooks waits until the sandbox has delivered all notifications, and
// recomputes its books: the sum of all accounts is zero, nothing is negative,
// what is frozen belongs to a bid or a margin.
func (w *world) checkBooks(ctx context.Context) error {
	if w.sandbox == nil {
		return nil
	}
	if err := w.sandbox.WaitDelivered(ctx); err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	for _, n := range w.sandbox.Notifications() {
		if n.State != sandbox.NoticeDelivered {
			return fmt.Errorf("notification of %s %s is %s", n.Op, n.Order, n.State)
		}
	}
	if err := w.sandbox.CheckBooks(); err != nil {
		return fmt.Errorf("the sandbox's books: %w", err)
	}
	return nil
}

// verdict says what checkBooks has found in order.
func (w *world) verdict() string {
	if w.sandbox == nil {
		return "The books are those of another IPS: only the balances could be checked."
	}
	return fmt.Sprintf("The books sum to zero and hold every invariant; all %d notifications were delivered.",
		len(w.sandbox.Notifications()))
}

func (w *world) close() {
	_ = w.listener.Close()
	if w.sandbox != nil {
		_ = w.sandbox.Close()
	}
}
