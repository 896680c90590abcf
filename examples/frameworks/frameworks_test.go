package frameworks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/adaptor"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiberadaptor "github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	zconf "github.com/zeromicro/go-zero/core/conf"
	"github.com/zeromicro/go-zero/core/logx"
	"github.com/zeromicro/go-zero/rest"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func init() {
	gin.SetMode(gin.ReleaseMode)
	hlog.SetOutput(io.Discard)
	logx.Disable()
}

// frameworks serve a site on a listener until the test ends.
var frameworks = map[string]func(*testing.T, net.Listener, Site){
	"net/http": func(t *testing.T, ln net.Listener, s Site) { serve(t, ln, NetHTTP(s)) },
	"gin":      func(t *testing.T, ln net.Listener, s Site) { serve(t, ln, Gin(s)) },
	"echo":     func(t *testing.T, ln net.Listener, s Site) { serve(t, ln, Echo(s)) },
	"go-zero":  func(t *testing.T, ln net.Listener, s Site) { serveGoZero(t, ln, s) },
	"kratos":   func(t *testing.T, ln net.Listener, s Site) { serve(t, ln, Kratos(s)) },
	"hertz":    func(t *testing.T, ln net.Listener, s Site) { serveHertz(t, Hertz(s, server.WithListener(ln))) },
	"fiber":    func(t *testing.T, ln net.Listener, s Site) { serveFiber(t, ln, Fiber(s)) },
}

func serve(t *testing.T, ln net.Listener, h http.Handler) {
	t.Helper()
	site := httptest.NewUnstartedServer(h)
	_ = site.Listener.Close()
	site.Listener = ln
	site.Start()
	t.Cleanup(site.Close)
}

func serveGoZero(t *testing.T, ln net.Listener, s Site) {
	t.Helper()
	var conf rest.RestConf
	conf.Host, conf.Port = "127.0.0.1", 1 // it does not listen here
	conf.MaxBytes, conf.Timeout, conf.MaxConns, conf.CpuThreshold = 1<<20, 3000, 10000, 0
	conf.Middlewares = rest.MiddlewaresConf{Timeout: true, Recover: true, MaxBytes: true, MaxConns: true, Gunzip: true, Trace: true, Metrics: true}
	z, err := GoZero(conf, s)
	require.NoError(t, err)
	less, err := rest.NewServerless(z)
	require.NoError(t, err)
	serve(t, ln, http.HandlerFunc(less.Serve))
}

func serveHertz(t *testing.T, h *server.Hertz) {
	t.Helper()
	go func() { _ = h.Run() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = h.Shutdown(ctx)
	})
}

func serveFiber(t *testing.T, ln net.Listener, app *fiber.App) {
	t.Helper()
	go func() { _ = app.Listener(ln) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
}

// merchant is his program, of which the tests know what it heard.
type merchant struct {
	client *ips.Client
	base   string

	mu      sync.Mutex
	answers []ips.Response
	ids     []string
	errs    []error
}

func newMerchant(t *testing.T, cfg ips.Config) (*merchant, net.Listener) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &merchant{base: "http://" + ln.Addr().String()}
	cfg.ReturnURL, cfg.NotifyURL = m.base+"/ips/return", m.base+"/ips/notify"
	m.client, err = ips.NewClient(cfg)
	require.NoError(t, err)
	return m, ln
}

func (m *merchant) inbound() ips.Inbound {
	return ips.Inbound{
		Hear: func(ctx context.Context, answer ips.Response) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if _, bounded := ctx.Deadline(); !bounded {
				return errors.New("the context has no deadline")
			}
			id, _ := ctx.Value(requestID{}).(string)
			m.answers, m.ids = append(m.answers, answer), append(m.ids, id)
			return nil
		},
		OnError: func(_ *http.Request, err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.errs = append(m.errs, err)
		},
	}
}

func (m *merchant) site(pay http.Handler) Site {
	return Site{
		Notify: m.client.NotifyHandler(m.inbound()),
		Return: m.client.ReturnHandler(m.inbound(), func(w http.ResponseWriter, _ *http.Request, answer ips.Response, err error) {
			if answer == nil || err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			_, _ = io.WriteString(w, "谢谢")
		}),
		Pay: pay,
	}
}

// post sends a form and returns status and body.
func post(t *testing.T, url, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Request-Id", "id-7")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

// TestFrameworks: a recharge from the click to both answers, a notification of
// 3000 rows, and a forged one, in each.
func TestFrameworks(t *testing.T) {
	t.Parallel()
	for name, mount := range frameworks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := ipstest.NewServer(t)
			m, ln := newMerchant(t, box.Config())
			user := box.Person(0)
			var form *ips.Form
			mount(t, ln, m.site(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var err error
				form, err = m.client.Recharge(ips.RechargeRequest{
					OrderNo: "R1", Date: box.Today(), IdentNo: user.IdentNo, RealName: user.Name, Account: user.Account,
					Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
				})
				if err != nil {
					http.Error(w, "no", http.StatusInternalServerError)
					return
				}
				form.ServeHTTP(w, r)
			})))

			status, page := post(t, m.base+"/pay", "")
			require.Equal(t, http.StatusOK, status)
			assert.Contains(t, page, "正在前往环迅支付")
			box.Carry(form)
			box.WaitNotification(ips.OpRecharge, "R1")
			box.WaitIdle()
			require.Len(t, m.answers, 2)
			box.AssertBalance(user.Account, 500*ips.Yuan, 0)

			cfg := box.Config()
			batch := ips.TransferRequest{OrderNo: "T1", BidNo: "B1", Type: ips.TransferInvestment}
			for range 3000 {
				batch.Rows = append(batch.Rows, ips.TransferRow{OriginalOrderNo: ips.NewOrderNo("RC"), Amount: 100 * ips.Yuan, FromAccount: "4021000000000001", ToAccount: "4021000000000002"})
			}
			sealed := ipstest.Sealed(cfg, ipstest.AnswerTo(batch)).Encode()
			require.Greater(t, len(sealed), 1<<20)
			status, text := post(t, m.base+"/ips/notify/transfer", sealed)
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, "OK\n", text)
			require.Len(t, m.answers, 3)
			assert.Len(t, m.answers[2].(*ips.TransferResponse).Rows, 3000)
			assert.Equal(t, "id-7", m.ids[2], "what a middleware put into the context")
			assert.Empty(t, m.errs)

			forged := ipstest.Sealed(cfg, ipstest.AnswerTo(ips.RechargeRequest{OrderNo: "R2"}))
			forged.Set("pErrMsg", "other")
			status, text = post(t, m.base+"/ips/notify/recharge", forged.Encode())
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Equal(t, "refused\n", text)
			require.Len(t, m.errs, 1)
			require.ErrorIs(t, m.errs[0], ips.ErrSignature)
		})
	}
}

// TestBodyReadBefore: what a middleware in front may do with the body.
func TestBodyReadBefore(t *testing.T) {
	t.Parallel()
	readAll := func(r *http.Request) { _, _ = io.ReadAll(r.Body) }
	for _, tt := range []struct {
		name  string
		mount func(*testing.T, net.Listener, http.Handler)
		taken bool
	}{
		{"net/http, ParseForm", func(t *testing.T, ln net.Listener, h http.Handler) {
			serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				h.ServeHTTP(w, r)
			}))
		}, true},
		{"net/http, read and put back", func(t *testing.T, ln net.Listener, h http.Handler) {
			serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				h.ServeHTTP(w, r)
			}))
		}, true},
		{"net/http, read", func(t *testing.T, ln net.Listener, h http.Handler) {
			serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				readAll(r)
				h.ServeHTTP(w, r)
			}))
		}, false},
		{"gin, PostForm", func(t *testing.T, ln net.Listener, h http.Handler) {
			r := gin.New()
			r.Use(func(c *gin.Context) { c.PostForm("pMerCode") })
			r.POST("/*path", gin.WrapH(h))
			serve(t, ln, r)
		}, true},
		{"gin, GetRawData", func(t *testing.T, ln net.Listener, h http.Handler) {
			r := gin.New()
			r.Use(func(c *gin.Context) { _, _ = c.GetRawData() })
			r.POST("/*path", gin.WrapH(h))
			serve(t, ln, r)
		}, false},
		{"echo, FormValue", func(t *testing.T, ln net.Listener, h http.Handler) {
			e := echo.New()
			e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					c.FormValue("pMerCode")
					return next(c)
				}
			})
			e.POST("/*", echo.WrapHandler(h))
			serve(t, ln, e)
		}, true},
		{"echo, read", func(t *testing.T, ln net.Listener, h http.Handler) {
			e := echo.New()
			e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(c echo.Context) error {
					readAll(c.Request())
					return next(c)
				}
			})
			e.POST("/*", echo.WrapHandler(h))
			serve(t, ln, e)
		}, false},
		{"hertz, Body", func(t *testing.T, ln net.Listener, h http.Handler) {
			s := server.New(server.WithListener(ln))
			s.Use(func(_ context.Context, c *app.RequestContext) { _, _ = c.Body() })
			s.POST("/*path", adaptor.HertzHandler(h))
			serveHertz(t, s)
		}, true},
		{"fiber, Body", func(t *testing.T, ln net.Listener, h http.Handler) {
			a := fiber.New()
			a.Use(func(c *fiber.Ctx) error {
				_ = c.Body()
				return c.Next()
			})
			a.Post("/*", fiberadaptor.HTTPHandler(h))
			serveFiber(t, ln, a)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := ipstest.OfflineConfig()
			m, ln := newMerchant(t, cfg)
			tt.mount(t, ln, m.client.NotifyHandler(m.inbound()))
			status, _ := post(t, m.base+"/ips/notify/recharge", ipstest.Sealed(cfg, ipstest.AnswerTo(ips.RechargeRequest{OrderNo: "R1"})).Encode())
			if tt.taken {
				assert.Equal(t, http.StatusOK, status)
				assert.Len(t, m.answers, 1)
				return
			}
			assert.Equal(t, http.StatusBadRequest, status)
			require.Len(t, m.errs, 1)
			assert.ErrorContains(t, m.errs[0], "something in front has read it")
		})
	}
}

// TestDefaultLimits: what the frameworks refuse by themselves, as the page says.
func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit int
		mount func(*testing.T, net.Listener)
	}{
		{"go-zero", 1 << 20, func(t *testing.T, ln net.Listener) {
			var conf rest.RestConf
			require.NoError(t, zconf.LoadFromYamlBytes([]byte("{Name: a, Host: 127.0.0.1, Port: 1}"), &conf))
			assert.Equal(t, int64(3000), conf.Timeout)
			z, err := rest.NewServer(conf)
			require.NoError(t, err)
			z.AddRoute(rest.Route{Method: http.MethodPost, Path: "/", Handler: func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }})
			less, err := rest.NewServerless(z)
			require.NoError(t, err)
			serve(t, ln, http.HandlerFunc(less.Serve))
		}},
		{"hertz", 4 << 20, func(t *testing.T, ln net.Listener) {
			h := server.New(server.WithListener(ln))
			h.POST("/", func(context.Context, *app.RequestContext) {})
			serveHertz(t, h)
		}},
		{"fiber", 4 << 20, func(t *testing.T, ln net.Listener) {
			a := fiber.New()
			a.Post("/", func(*fiber.Ctx) error { return nil })
			serveFiber(t, ln, a)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			tt.mount(t, ln)
			for size, want := range map[int]string{tt.limit: "HTTP/1.1 200 ", tt.limit + 1: "HTTP/1.1 413 "} {
				// The status may come before the body has gone out, so not by an http.Client.
				conn, err := net.Dial("tcp", ln.Addr().String())
				require.NoError(t, err)
				go func() {
					_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", size)
					_, _ = conn.Write(make([]byte, size))
				}()
				answer := make([]byte, len(want))
				_, err = io.ReadFull(conn, answer)
				_ = conn.Close()
				require.NoError(t, err)
				assert.Equal(t, want, string(answer), size)
			}
		})
	}
}
