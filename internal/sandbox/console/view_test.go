package console

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

func TestGroupedYuan(t *testing.T) {
	t.Parallel()
	for fen, want := range map[int64]string{
		0: "0.00", 99999: "999.99", 100000: "1,000.00", 123456789: "1,234,567.89", -1: "-0.01",
		-12345: "-123.45", -12345678: "-123,456.78", -1 << 63: "-92,233,720,368,547,758.08",
	} {
		assert.Equal(t, want, groupedYuan(fen))
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
