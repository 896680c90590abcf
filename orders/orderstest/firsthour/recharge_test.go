package recharge

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func TestRecharge(t *testing.T) {
	var routes http.Handler
	server := ipstest.NewServer(t, ipstest.WithHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) })))
	db, err := sql.Open("sqlite", "file:"+t.TempDir()+"/db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := New(t.Context(), db, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	routes = s.Routes()
	person := server.Person(0) // 张三, account 4021000000000001

	// The click.
	r := httptest.NewRequest("POST", "/recharge", strings.NewReader("amount=500&click=token"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}

	// The user's browser takes the form to IPS. The notification comes with another
	// amount in it first, then as it should be, then once more.
	server.Fault(ips.OpRecharge, ipstest.NoticeAmountChanged)
	answer := server.CarryPage(w.Body.Bytes())
	server.WaitIdle()
	server.Resend(ips.OpRecharge, answer.Base().OrderNo)
	server.WaitIdle()

	var money ips.Amount
	if err := db.QueryRow("SELECT fen FROM account WHERE name = ?", person.Account).Scan(&money); err != nil {
		t.Fatal(err)
	}
	if money != 500*ips.Yuan {
		t.Fatalf("credited %s", money)
	}
	server.AssertBalance(person.Account, 500*ips.Yuan, 0)
}
