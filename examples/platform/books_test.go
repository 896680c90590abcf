package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/orders"
)

// file reads a CSV file that staff downloads.
func (p *person) file(path string) [][]string {
	p.w.t.Helper()
	page := p.open(path)
	body, marked := strings.CutPrefix(string(page.Body), "\ufeff")
	assert.True(p.w.t, marked, "a byte order mark")
	lines, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	require.NoError(p.w.t, err)
	return lines
}

// A comparison finds what differs, keeps it, and goes on where it was left: after
// an error, in another program.
func TestComparison(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		li, wang := w.customer("李四", "500.00"), w.customer("王五", "700.00")
		last := w.customer("赵六", "900.00")
		w.settle()
		assert.Contains(t, w.admin.see("/admin/books"), "核对 4 户的可用和冻结余额：全部一致。", "the merchant's own account too")
		require.NoError(t, w.box.Deposit("808801", wang.user().Account, 100))
		assert.Contains(t, w.admin.see("/admin/books"), "：全部一致", "the last one, for a minute")

		// IPS answers no more, and a program dies after the first account.
		w.passes(freshTime + time.Second)
		d := w.app.data.read(t.Context())
		d.exec("UPDATE users SET account = ? WHERE id = ?", "9", last.user().ID)
		_, err := w.box.OrderFault(sandbox.Fault{Name: fault.HTTP502, Op: "QueryForAccBalance", Count: 1000})
		require.NoError(t, err)
		page, _ := w.admin.b.Get(t.Context(), w.admin.site+"/admin/books")
		assert.Contains(t, string(page.Body), "对账停在第 0 户")
		c := all[Comparison](w, "1 = 1")[0]
		assert.Zero(t, c.EndedAt)
		c.UpTo, c.Looked = li.user().Account, 1
		set(d, c)
		require.NoError(t, d.err)
		require.NoError(t, w.box.LiftFaults())
		before := len(w.box.Unmasked())
		_, second := w.instance(w.site.URL)
		other := w.visitor()
		other.site = second.URL
		other.press("/login", "/login", map[string][]string{"login": {"admin"}, "password": {password}})
		text := other.see("/admin/books")
		assert.Contains(t, text, "核对 4 户的可用和冻结余额：2 户不一致")
		asked := fmt.Sprint(w.box.Unmasked()[before:])
		assert.Contains(t, asked, wang.user().Account)
		assert.NotContains(t, asked, li.user().Account, "what was looked at is not asked for again")
		done := all[Comparison](w, "1 = 1")[0]
		assert.Equal(t, c.BeganAt, done.BeganAt)
		assert.NotZero(t, done.EndedAt)

		lines := w.admin.file("/admin/books/differences.csv")
		require.Len(t, lines, 3)
		assert.Equal(t, orders.DifferenceColumns(), lines[0])
		assert.Equal(t, []string{"'" + wang.user().Account, "700.00", "0.00", "701.00", "0.00", "0.00", "1.00", "0"}, lines[1][:8])
		assert.Contains(t, lines[2][8], "环迅未给余额")
		today := w.admin.file("/admin/books/orders.csv?day=" + ips.Today().String())
		assert.Len(t, today, 1+2*3, "an opening and a recharge each")
		assert.Len(t, w.admin.file("/admin/books/orders.csv?day=20140101"), 1)
		for path, want := range map[string]int{"orders.csv?day=2014": 422, "orders.csv": 422} {
			page, _ := w.admin.b.Get(t.Context(), w.admin.site+"/admin/books/"+path)
			assert.Equal(t, want, page.Status, path)
		}
		page, _ = li.b.Get(t.Context(), li.site+"/admin/books/orders.csv?day="+ips.Today().String())
		assert.Equal(t, http.StatusForbidden, page.Status)
		w.passes(freshTime + time.Second)
		w.admin.see("/admin/books")
		assert.Len(t, all[Comparison](w, "1 = 1"), 1, "the last one is kept")
		assert.Len(t, all[Difference](w, "1 = 1"), 2)
	})
}
