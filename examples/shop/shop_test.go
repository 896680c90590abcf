package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
	"github.com/ips-p2p/ips/orders"
)

// each runs a test on SQLite and, where it is installed, on a MariaDB of its own.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Chdir(t.TempDir())
		f(t, newWorld(t, ""))
	})
	t.Run("MariaDB", func(t *testing.T) {
		if testing.Short() {
			t.Skip("short")
		}
		f(t, newWorld(t, mariaDB(t)))
	})
}

var maria struct {
	start   sync.Once
	err     error
	address string
	stop    func()
	names   int
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	code := m.Run()
	if maria.stop != nil {
		maria.stop()
	}
	os.Exit(code)
}

// mariaDB is the DATABASE_URL of an empty database of a MariaDB on a socket.
func mariaDB(t *testing.T) string {
	for _, program := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED, NOT TESTED ON MARIADB: no %s here (Debian: mariadb-server)", program)
		}
	}
	maria.start.Do(func() { maria.err = startMariaDB() })
	require.NoError(t, maria.err)
	maria.names++
	name := fmt.Sprintf("shop%d", maria.names)
	require.Eventually(t, func() bool {
		db, _, err := open(maria.address)
		require.NoError(t, err)
		defer db.Close()
		_, err = db.Exec("CREATE DATABASE IF NOT EXISTS " + name)
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
	return maria.address + name
}

func startMariaDB() error {
	dir, err := os.MkdirTemp("", "shop") // a socket's path must be short
	if err != nil {
		return err
	}
	args := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data")}
	if os.Getuid() == 0 {
		args = append(args, "--user=root")
	}
	if out, err := exec.Command("mariadb-install-db", append(args, "--auth-root-authentication-method=normal")...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	socket := filepath.Join(dir, "s")
	server := exec.Command("mariadbd", append(args, "--socket="+socket, "--skip-networking", "--pid-file="+filepath.Join(dir, "pid"), "--log-error="+filepath.Join(dir, "err"))...)
	if err := server.Start(); err != nil {
		return err
	}
	maria.address = "mysql://root@unix(" + socket + ")/"
	maria.stop = func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	return nil
}

// world is IPS, the shop and its member's browser.
type world struct {
	t       *testing.T
	address string
	ips     *ipstest.Server
	shop    *shop
	site    http.Handler
	stop    func()
	person  ipstest.Person
}

func newWorld(t *testing.T, address string) *world {
	w := &world{t: t, address: address}
	w.ips = ipstest.NewServer(t, ipstest.WithHandler(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) { w.site.ServeHTTP(to, r) })))
	w.start()
	t.Cleanup(func() { w.stop() })
	w.person = w.ips.NewPerson()
	w.carry(w.post("/open", url.Values{"name": {w.person.Name}, "ident": {w.person.IdentNo}, "mobile": {w.person.Mobile}, "email": {w.person.Email}}))
	require.Contains(t, w.get("/"), "余额 <b>0.00</b>")
	return w
}

// start starts the program; stop ends it.
func (w *world) start() {
	db, dialect, err := open(w.address)
	require.NoError(w.t, err)
	// Questions come at once, not after half an hour.
	hurry := orders.Pace{PerSecond: 1000, Poll: 20 * time.Millisecond, Ask: 50 * time.Millisecond, AskForm: 50 * time.Millisecond, AskMax: 200 * time.Millisecond}
	w.shop, err = newShop(w.t.Context(), db, dialect, w.ips.Client(), orders.WithPace(hurry))
	require.NoError(w.t, err)
	w.site = w.shop.routes("geheim")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.shop.book.Run(ctx) }()
	w.stop = func() {
		cancel()
		assert.NoError(w.t, <-ended)
		assert.NoError(w.t, db.Close())
	}
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	w.site.ServeHTTP(out, r)
	return out
}

func (w *world) get(path string) string {
	out := w.do(httptest.NewRequest("GET", path, nil))
	require.Equal(w.t, http.StatusOK, out.Code)
	return out.Body.String()
}

var formBody = regexp.MustCompile(`name="p3DesXmlPara" value="[^"]+"`)

var clickToken = regexp.MustCompile(`name="click" value="([^"]+)"`)

// post sends a form of the shop's first page.
func (w *world) post(path string, fields url.Values) *httptest.ResponseRecorder {
	if fields.Get("click") == "" {
		fields.Set("click", clickToken.FindStringSubmatch(w.get("/"))[1])
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.do(r)
}

// carry takes the form that the shop has answered with to IPS, and waits for what
// IPS says.
func (w *world) carry(answer *httptest.ResponseRecorder) ips.Response {
	said := w.ips.CarryPage(answer.Body.Bytes())
	w.ips.WaitIdle()
	return said
}

func (w *world) recharge(yuan string) *httptest.ResponseRecorder {
	return w.post("/recharge", url.Values{"amount": {yuan}, "bank": {"00004"}})
}

// has says that the member has so much, and IPS thinks so too.
func (w *world) has(yuan ips.Amount) {
	w.t.Helper()
	assert.Contains(w.t, w.get("/"), fmt.Sprintf("余额 <b>%s</b>", yuan))
	var account string
	require.NoError(w.t, w.shop.db.QueryRow("SELECT account FROM member").Scan(&account))
	w.ips.AssertBalance(account, yuan, 0)
}

func (w *world) matters() (kinds []string) {
	all, err := w.shop.book.Matters(w.t.Context(), orders.Matter{}, 10)
	require.NoError(w.t, err)
	for _, m := range all {
		kinds = append(kinds, m.Kind)
	}
	return kinds
}

// Money comes in and goes out once, whatever comes doubled, forged, lost or with
// another sum in it.
func TestMoney(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.carry(w.recharge("500"))
		w.has(500 * ips.Yuan)
		for n, fault := range []ipstest.Fault{ipstest.NoticeTwice, ipstest.NoticeForged, ipstest.NoticeForeign, ipstest.NoticeLost} {
			w.ips.Fault(ips.OpRecharge, fault)
			w.carry(w.recharge("10"))
			w.has(ips.Amount(510+10*n) * ips.Yuan)
		}
		assert.Empty(t, w.matters())
		w.ips.Fault(ips.OpRecharge, ipstest.NoticeAmountChanged)
		w.carry(w.recharge("60"))
		w.has(600 * ips.Yuan)
		require.Len(t, w.matters(), 1)

		w.ips.Fault(ips.OpWithdraw, ipstest.Refusal(ips.CodeParticulars, "资料有误"))
		assert.Equal(t, ips.Failure, w.carry(w.post("/withdraw", url.Values{"amount": {"100"}})).Base().Outcome)
		w.has(600 * ips.Yuan)
		w.carry(w.post("/withdraw", url.Values{"amount": {"250.50"}}))
		w.has(34950 * ips.Fen)
		assert.Contains(t, w.get("/"), "未成功")

		r := httptest.NewRequest("GET", "/staff/", nil)
		assert.Equal(t, http.StatusUnauthorized, w.do(r).Code)
		r.SetBasicAuth("staff", "geheim")
		page := w.do(r)
		assert.Equal(t, http.StatusOK, page.Code)
		assert.Regexp(t, "答复与.+(不符|矛盾)", page.Body.String())
	})
}

// A bad day: notifications lost, doubled, forged and late, users who never come
// back, refusals. In the end the shop's books are IPS's.
func TestBadDay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.carry(w.recharge("1000"))
		w.ips.Chaos(7, 0.1)
		for n := range 40 {
			answer := w.recharge("10")
			if n%4 == 3 {
				answer = w.post("/withdraw", url.Values{"amount": {"15"}})
			}
			w.ips.CarryPage(answer.Body.Bytes())
		}
		w.ips.Calm()
		w.ips.WaitIdle()
		account, own := "", ips.Amount(0)
		assert.Eventually(t, func() bool {
			require.NoError(t, w.shop.db.QueryRow("SELECT account, fen FROM member").Scan(&account, &own))
			available, frozen := w.ips.Balance(account)
			return own == available+frozen
		}, 20*time.Second, 50*time.Millisecond)
		t.Logf("%s in the end; before a person: %v", own, w.matters())
	})
}

// The second click is the first order; with another sum it is refused, and so is
// one without a token or from another site.
func TestSecondClick(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fields := url.Values{"amount": {"500.00"}, "bank": {"00004"}, "click": {"token-of-the-page"}}
		first, second := w.post("/recharge", fields), w.post("/recharge", fields)
		assert.Equal(t, formBody.FindString(first.Body.String()), formBody.FindString(second.Body.String()), "the same form")
		assert.NotEmpty(t, formBody.FindString(second.Body.String()))
		w.carry(first)
		w.has(500 * ips.Yuan)
		assert.Equal(t, http.StatusSeeOther, w.post("/recharge", fields).Code, "the order has ended")
		fields.Set("amount", "600")
		assert.Equal(t, http.StatusConflict, w.post("/recharge", fields).Code)
		for _, amount := range []string{"0", "-5", "1.005", "1,000", "abc", ""} {
			assert.Equal(t, http.StatusBadRequest, w.recharge(amount).Code, "%q", amount)
		}
		r := httptest.NewRequest("POST", "/recharge", strings.NewReader("amount=500&bank=00004"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		assert.Equal(t, http.StatusBadRequest, w.do(r).Code)
		r = httptest.NewRequest("POST", "/recharge", strings.NewReader("amount=500&bank=00004&click=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		assert.Equal(t, http.StatusForbidden, w.do(r).Code)
		w.has(500 * ips.Yuan)
	})
}

// A result that comes late, after the program was stopped and started again, and
// a form that the user carries on afterwards.
func TestLateAndRestart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.ips.Fault(ips.OpRecharge, ipstest.Held)
		said := w.carry(w.recharge("300"))
		assert.Equal(t, ips.Pending, said.Base().Outcome)
		assert.Contains(t, w.get("/"), "处理中")
		page := w.recharge("200")
		w.stop()
		w.start()
		w.ips.CarryPage(page.Body.Bytes())
		w.ips.Release(ips.OpRecharge)
		w.ips.WaitNotification(ips.OpRecharge, said.Base().OrderNo)
		w.ips.WaitIdle()
		w.has(500 * ips.Yuan)
		w.ips.Resend(ips.OpRecharge, said.Base().OrderNo)
		w.ips.WaitIdle()
		w.has(500 * ips.Yuan)
		assert.Empty(t, w.matters())
	})
}

func TestConfig(t *testing.T) {
	cfg, err := config(func(string) string { return "" })
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:8081/ips/notify", cfg.NotifyURL)
	_, err = ips.NewClient(cfg)
	require.NoError(t, err)
	_, err = config(func(name string) string { return map[string]string{"IPS_MERCHANT": "808801"}[name] })
	require.Error(t, err, "a merchant without keys")
	_, _, err = open("postgres://127.0.0.1/shop")
	require.Error(t, err)
}

// An effect that finds no row fails, and its order is before a person.
func TestOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		answer := w.recharge("500")
		_, err := w.shop.db.Exec("UPDATE member SET account = 'other'")
		require.NoError(t, err)
		w.carry(answer)
		assert.Equal(t, []string{"effect"}, w.matters())
		require.ErrorIs(t, one(nil, context.Canceled), context.Canceled)
	})
}
