package orderstest

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// Open orders come in pages, each once, in the book and on the console: nobody can
// hide one behind many.
func TestOpenOrdersPages(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		recorded := make(map[string]int)
		for range 53 {
			recorded[s.record(s.book, recharge(ips.Yuan)).Key]++
		}
		listed := make(map[string]int)
		for after := (orders.Order{}); ; {
			page, err := s.book.OpenOrders(bg(), after, 20)
			require.NoError(t, err)
			for _, o := range page {
				listed[o.Key]++
			}
			if len(page) < 20 {
				break
			}
			after = page[19]
		}
		assert.Equal(t, recorded, listed)

		console := s.book.Console(func(*http.Request) (string, bool) { return "王五", true })
		shown := make(map[string]int)
		next := regexp.MustCompile(`<a href="(\?[^"]+)">下一页`)
		for at, pages := "/", 0; at != ""; pages++ {
			require.Less(t, pages, 5)
			w := httptest.NewRecorder()
			console.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
			require.Equal(t, http.StatusOK, w.Code)
			page := strings.ReplaceAll(w.Body.String(), "%2f", "/")
			for key := range recorded {
				shown[key] += strings.Count(page, "?key="+key+`"`)
			}
			found := next.FindStringSubmatch(w.Body.String())
			if at = ""; found != nil {
				at = "/" + strings.ReplaceAll(found[1], "&amp;", "&")
			}
		}
		assert.Equal(t, recorded, shown)
	})
}
