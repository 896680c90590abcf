package frameworks

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// asked is a user's form as a merchant's handler binds it.
type asked struct {
	Amount ips.Amount `form:"amount"`
	Rate   ips.Rate   `form:"rate"`
	Day    ips.Date   `form:"day"`
	At     ips.Time   `form:"at"`
}

// TestFormBinding: what a user typed is bound exactly or refused.
func TestFormBinding(t *testing.T) {
	binders := map[string]func(*http.Request, *asked) error{
		"gin": func(r *http.Request, v *asked) error {
			c, _ := gin.CreateTestContext(httptest.NewRecorder())
			c.Request = r
			return c.ShouldBind(v)
		},
		"echo": func(r *http.Request, v *asked) error {
			return echo.New().NewContext(r, httptest.NewRecorder()).Bind(v)
		},
	}
	for name, bind := range binders {
		t.Run(name, func(t *testing.T) {
			bound := func(changed ...string) (asked, error) {
				form := url.Values{"amount": {"500.05"}, "rate": {"12.5"}, "day": {"2014-12-31"}, "at": {"20141231235958"}}
				for i := 0; i < len(changed); i += 2 {
					form.Set(changed[i], changed[i+1])
				}
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				var v asked
				err := bind(r, &v)
				return v, err
			}
			v, err := bound()
			require.NoError(t, err)
			assert.True(t, v.At.Equal(time.Date(2014, time.December, 31, 15, 59, 58, 0, time.UTC)))
			v.At = ips.Time{}
			assert.Equal(t, asked{Amount: 500_05, Rate: 12_50, Day: ips.NewDate(2014, time.December, 31)}, v)
			for _, wrong := range [][]string{
				{"amount", "5.001"}, {"amount", "1e3"}, {"amount", "-5"}, {"amount", "五"}, {"rate", "12.345"}, {"day", "2014-02-30"}, {"at", "noon"},
			} {
				v, err = bound(wrong...)
				assert.Error(t, err, "%s: %+v", wrong, v)
			}
		})
	}
}
