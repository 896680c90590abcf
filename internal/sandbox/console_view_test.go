package sandbox

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/stretchr/testify/assert"
)

func TestHostAllowed(t *testing.T) {
	t.Parallel()
	more := []string{"sandbox.example.com"}
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8808": true, "192.168.0.7:80": true, "[::1]:8808": true, "[::1]": true,
		"localhost": true, "LOCALHOST:1": true, "localhost.": true, "sandbox.example.com": true, "Sandbox.Example.com:8808": true,
		"": false, "evil.example.com": false, "127.0.0.1.evil.example.com": false, "localhost.evil.example.com:8808": false,
		"xlocalhost": false, "sandbox.example.com.evil.example.com": false,
	} {
		assert.Equal(t, want, hostAllowed(host, more), host)
	}
}

func TestGroupedYuan(t *testing.T) {
	t.Parallel()
	for fen, want := range map[int64]string{
		0: "0.00", 99999: "999.99", 100000: "1,000.00", 123456789: "1,234,567.89", -1: "-0.01",
		-12345: "-123.45", -12345678: "-123,456.78", -1 << 63: "-92,233,720,368,547,758.08",
	} {
		assert.Equal(t, want, groupedYuan(fen))
	}
}

func TestParseYuan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "1": 100, "1.5": 150, "1.05": 105, "999999999.99": 99999999999} {
		got, err := parseYuan(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", ".5", "1.", "1.005", "-1", "+1", "1e3", "1,000", "1000000000", "１", "1.5.0"} {
		_, err := parseYuan(text)
		assert.ErrorContains(t, err, "金额", text)
	}
}

// An address must lead back to what it was made from, whatever that is.
func TestSegmentsSurviveAddresses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"A1", ".", "..", "~", "~..", "a/b", "a%2Fb", "?x=1", "#", "张三", "a;b", `"'<>&`, "a//b", "\\"} {
		u, err := url.Parse("http://localhost" + consoleURL("orders", "808801", s))
		assert.NoError(t, err)
		u = u.ResolveReference(&url.URL{}) // removes segments of dots, as a browser does
		r := httptest.NewRequest("GET", u.String(), nil)
		r.SetPathValue("order", mustUnescape(t, u.EscapedPath()[len("/console/orders/808801/"):]))
		assert.Equal(t, s, pathValue(r, "order"))
	}
}

func mustUnescape(t *testing.T, s string) string {
	t.Helper()
	plain, err := url.PathUnescape(s)
	assert.NoError(t, err)
	assert.NotContains(t, s, "/")
	return plain
}

func TestBar(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bid  engine.BidInfo
		want []barPart
	}{
		"empty": {engine.BidInfo{Amount: 1000}, []barPart{
			{"released", 0, 0, 0, 7}, {"frozen", 0, 0, 0, 7}, {"repaid", 0, 8, 0, 4}}},
		"half": {engine.BidInfo{Amount: 1000, Released: 250, Frozen: 250, Repaid: 100}, []barPart{
			{"released", 0, 0, 250, 7}, {"frozen", 250, 0, 250, 7}, {"repaid", 0, 8, 100, 4}}},
		"interest": {engine.BidInfo{Amount: 1000, Released: 1000, Repaid: 1100}, []barPart{
			{"released", 0, 0, 1000, 7}, {"frozen", 1000, 0, 0, 7}, {"repaid", 0, 8, 1000, 4}}},
		"nothing": {engine.BidInfo{}, []barPart{
			{"released", 0, 0, 0, 7}, {"frozen", 0, 0, 0, 7}, {"repaid", 0, 8, 0, 4}}},
	} {
		assert.Equal(t, c.want, newBar(c.bid).Parts, name)
	}
}

func TestPager(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address           string
		total             int
		page, pages, skip int
		newer, older      string
	}{
		"one page":       {"/l", 3, 1, 1, 0, "", ""},
		"empty":          {"/l", 0, 1, 1, 0, "", ""},
		"first":          {"/l?q=a%26b", 101, 1, 3, 0, "", "/l?page=2&q=a%26b"},
		"middle":         {"/l?page=2", 101, 2, 3, 50, "/l?page=1", "/l?page=3"},
		"last":           {"/l?page=3", 101, 3, 3, 100, "/l?page=2", ""},
		"beyond":         {"/l?page=9", 101, 9, 3, 400, "/l?page=3", ""},
		"own limit":      {"/l?limit=10&page=2", 30, 2, 3, 10, "/l?limit=10&page=1", "/l?limit=10&page=3"},
		"limit too high": {"/l?limit=9999", 201, 1, 2, 0, "", "/l?limit=9999&page=2"},
		"nonsense":       {"/l?limit=-1&page=x", 51, 1, 2, 0, "", "/l?limit=-1&page=2"},
	} {
		p := newPager(httptest.NewRequest("GET", c.address, nil)).of(c.total)
		assert.Equal(t, []any{c.page, c.pages, c.skip, c.newer, c.older}, []any{p.Page, p.Pages, p.skip(), p.Newer, p.Older}, name)
	}
}

func TestVerdictIsRememberedForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that the clock is the test's own
		checks := 0
		books := func() error {
			checks++
			time.Sleep(20 * time.Millisecond)
			return errors.New("out of balance")
		}
		var v verdict
		for range 5 {
			assert.ErrorContains(t, v.check(books), "out of balance")
		}
		assert.Equal(t, 1, checks)
		time.Sleep(199 * time.Millisecond)
		assert.Error(t, v.check(books))
		assert.Equal(t, 1, checks)
		time.Sleep(time.Millisecond)
		assert.Error(t, v.check(books))
		assert.Equal(t, 2, checks)
	})
}

// Every fault that there is can be ordered in the console, under a name that
// people understand.
func TestFaultNamesAreComplete(t *testing.T) {
	t.Parallel()
	assert.Len(t, faultNames(), len(faultKinds()))
	for _, name := range faultNames() {
		assert.Contains(t, faultKinds(), name)
		assert.NotEmpty(t, faultLabel(name), name)
	}
}
