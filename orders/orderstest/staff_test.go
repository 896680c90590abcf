package orderstest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// The console below a path of its own: after a decision one is still in it, and
// accounts that an answer got wrong are shown in part too.
func TestConsoleBelowAPath(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		b := s.effects(s.book)
		o := s.record(b, recharge(10*ips.Yuan))
		form, err := b.Form(bg(), o)
		require.NoError(t, err)
		s.ips.carry(form)
		post(s.client, b.Hear, ips.OpRecharge, s.ips.notice(o.OrderNo, account, "4021000000000077"))
		require.Equal(t, []string{"wrong"}, s.kinds())
		console := http.StripPrefix("/staff/ips", b.Console(func(*http.Request) (string, bool) { return "王五", true }))
		ask := func(method, target string, form url.Values) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			console.ServeHTTP(w, r)
			return w
		}
		for _, page := range []string{"/staff/ips/", "/staff/ips/order?key=" + url.QueryEscape(o.Key)} {
			w := ask("GET", page, nil)
			require.Equal(t, http.StatusOK, w.Code)
			assert.Contains(t, w.Body.String(), "40…0077")
			assert.NotContains(t, w.Body.String(), "4021000000000077")
			assert.NotContains(t, w.Body.String(), account)
		}
		w := ask("POST", "/staff/ips/decide", url.Values{"matter": {s.matters()[0].Key}, "verdict": {"seen"}, "why": {"看过"}})
		require.Equal(t, http.StatusSeeOther, w.Code)
		to, err := (&url.URL{Path: "/staff/ips/decide"}).Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		assert.Equal(t, "/staff/ips/", to.Path)
	})
}
