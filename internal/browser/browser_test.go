package browser_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/browser"
)

// form is what an *ips.Form is to the browser.
type form struct {
	action string
	values url.Values
}

func (f form) Action() string     { return f.action }
func (f form) Values() url.Values { return f.values }

func page(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, body)
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func newBrowser(t *testing.T) *browser.Browser {
	t.Helper()
	b := browser.New(nil)
	t.Cleanup(b.Close)
	return b
}

// returnPage is laid out as that of IPS: a form of ASP.NET's, then the answer.
func returnPage(action string) string {
	return `<!DOCTYPE html><form method="post" action="x.aspx"><input type="hidden" name="__VIEWSTATE" value="v"></form>` +
		returnForm(action)
}

func returnForm(action string) string {
	return `<form method="post" action="` + action + `">
<input type="hidden" name="pMerCode" value="808801">
<input type="hidden" name="pErrCode" value="MG00000F">
<input type="hidden" name="pErrMsg" value="操作成功 &amp; &lt;完&gt;">
<input type="hidden" name="p3DesXmlPara" value="a+b/c==">
<input type="hidden" name="pSign" value="00ff">
<button type="submit" name="go" value="1">返回商户网站</button></form>`
}

func TestCarry(t *testing.T) {
	t.Parallel()
	var sent, returned url.Values
	merchant := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.ParseForm())
		assert.Equal(t, "/back/open-account", r.URL.Path)
		returned = r.PostForm
		page("thank you")(w, r)
	}))
	ips := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.ParseForm())
		sent = r.PostForm
		page(returnPage(merchant+"/back/open-account"))(w, r)
	}))

	want := url.Values{"pMerCode": {"808801"}, "p3DesXmlPara": {"x+y/z="}, "pSign": {"ab"}}
	got, err := newBrowser(t).Carry(t.Context(), form{ips + "/CreditWeb/a.aspx", want})
	require.NoError(t, err)
	assert.Equal(t, "thank you", string(got.Body))
	assert.Equal(t, want, sent)
	assert.Equal(t, url.Values{
		"pMerCode": {"808801"}, "pErrCode": {"MG00000F"}, "pErrMsg": {"操作成功 & <完>"},
		"p3DesXmlPara": {"a+b/c=="}, "pSign": {"00ff"},
	}, returned, "the five fields and no button")
}

func TestCarryFails(t *testing.T) {
	t.Parallel()
	merchant := serve(t, page("thank you"))
	elsewhere := serve(t, page(returnPage(merchant)))
	for _, tt := range []struct {
		name string
		ips  http.HandlerFunc
		want error
		stop bool // a page comes with the error
	}{
		{"a page for a person", page(`<form method="post" action="confirm/1"><input name="password"></form>`), browser.ErrNoReturn, true},
		{"no form", page("<p>hello"), browser.ErrNoReturn, true},
		{"a field is missing", page(strings.Replace(returnPage(merchant), "pErrMsg", "pErrMessage", 1)), browser.ErrNoReturn, true},
		{"a field is doubled", page(strings.Replace(returnPage(merchant), "pErrMsg", "pSign", 1)), browser.ErrNoReturn, true},
		{"a form that gets", page(strings.ReplaceAll(returnPage(merchant), "post", "get")), browser.ErrNoReturn, true},
		{"two return forms", page(returnForm(merchant) + returnForm(elsewhere)), browser.ErrAmbiguous, true},
		{"the form is plain text", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, returnPage(merchant))
		}, browser.ErrNoReturn, true},
		{"status", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusBadGateway) }, browser.ErrStatus, true},
		{"too large", func(w http.ResponseWriter, r *http.Request) {
			page(strings.Repeat(" ", 8<<20)+returnPage(merchant))(w, r)
		}, browser.ErrTooLarge, false},
		{"fields to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}, browser.ErrRedirect, false},
		{"in circles", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusSeeOther)
		}, browser.ErrRedirect, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newBrowser(t).Carry(t.Context(), form{serve(t, tt.ips), url.Values{"pSign": {"secret"}}})
			require.ErrorIs(t, err, tt.want)
			assert.NotContains(t, err.Error(), "secret")
			assert.Equal(t, tt.stop, got != nil)
		})
	}
}

func TestMerchantRefuses(t *testing.T) {
	t.Parallel()
	merchant := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "refused", http.StatusBadRequest)
	}))
	got, err := newBrowser(t).Carry(t.Context(), form{serve(t, page(returnPage(merchant))), nil})
	require.ErrorIs(t, err, browser.ErrStatus)
	require.NotNil(t, got)
	assert.Equal(t, http.StatusBadRequest, got.Status)
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, page("elsewhere"))
	for _, tt := range []struct {
		name, to string
		status   int
		want     string
	}{
		{"see other, here", "/next", http.StatusSeeOther, "GET "},
		{"the form again, here", "/next", http.StatusTemporaryRedirect, "POST a=1"},
		{"see other, elsewhere", elsewhere, http.StatusSeeOther, "elsewhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.Handle("/", http.RedirectHandler(tt.to, tt.status))
			mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				page(r.Method+" "+string(body))(w, r)
			})
			got, err := newBrowser(t).Post(t.Context(), serve(t, mux), url.Values{"a": {"1"}})
			require.NoError(t, err)
			assert.Equal(t, tt.want, string(got.Body))
		})
	}
}

func TestNoWayFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	plain := serve(t, page("in the clear"))
	secure := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	t.Cleanup(secure.Close)
	_, err := browser.New(secure.Client().Transport).Get(t.Context(), secure.URL)
	require.ErrorIs(t, err, browser.ErrRedirect)
}

// A person's part: a page that shows a form, keeps a cookie and takes the form
// back with one of two buttons.
func TestPress(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ask", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s1", Path: "/"})
		page(`<form method="post" action="answer/1?x=1"><input type="hidden" name="token" value="t">
<input type="password" name="password"><select name="bank"><option value="1">a<option value="2" selected>b</select>
<button type="submit" name="do" value="confirm">y</button><button type="submit" name="do" value="cancel">n</button></form>
<form action="/found"><input name="q" value="v"></form>`)(w, r)
	})
	mux.HandleFunc("POST /answer/1", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		if !assert.NoError(t, err) {
			return
		}
		assert.NoError(t, r.ParseForm())
		page(cookie.Value+" "+r.URL.RawQuery+" "+r.PostForm.Encode())(w, r)
	})
	mux.HandleFunc("GET /found", func(w http.ResponseWriter, r *http.Request) { page(r.URL.RawQuery)(w, r) })
	base := serve(t, mux)

	b := newBrowser(t)
	asked, err := b.Get(t.Context(), base+"/ask")
	require.NoError(t, err)
	forms, err := asked.Forms()
	require.NoError(t, err)
	require.Len(t, forms, 2)

	for _, tt := range []struct {
		button, want string
	}{
		{"do=confirm", "s1 x=1 bank=2&do=confirm&password=123456&token=t"},
		{"do=cancel", "s1 x=1 bank=2&do=cancel&password=123456&token=t"},
		{"", "s1 x=1 bank=2&password=123456&token=t"},
	} {
		got, err := b.Press(t.Context(), asked, &forms[0], tt.button, url.Values{"password": {"123456"}})
		require.NoError(t, err)
		assert.Equal(t, tt.want, string(got.Body))
	}
	got, err := b.Press(t.Context(), asked, &forms[1], "", nil)
	require.NoError(t, err)
	assert.Equal(t, "q=v", string(got.Body))
}

func TestEncodingOfThePage(t *testing.T) {
	t.Parallel()
	var message string
	merchant := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message = r.FormValue("pErrMsg")
		page("ok")(w, r)
	}))
	// 成功 in GBK.
	gbk := bytes.Replace([]byte(returnPage(merchant)), []byte("操作成功"), []byte{0xb3, 0xc9, 0xb9, 0xa6}, 1)
	gbk = bytes.Replace(gbk, []byte("完"), nil, 1)
	gbk = bytes.Replace(gbk, []byte("返回商户网站"), nil, 1)
	ips := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=gbk")
		_, _ = w.Write(gbk)
	}))
	_, err := newBrowser(t).Carry(t.Context(), form{ips, nil})
	require.NoError(t, err)
	assert.Equal(t, "成功 & <>", message)
}

func TestTitle(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"<title> 投标 \n 确认 </title><p>x":              "投标 确认",
		"<p>nothing":                                 "",
		"<title></title>":                            "",
		"<svg><text>no</text></svg><title>a</title>": "a",
	} {
		got, err := newBrowser(t).Get(t.Context(), serve(t, page(body)))
		require.NoError(t, err)
		assert.Equal(t, want, got.Title(), body)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ips := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	_, err := newBrowser(t).Carry(ctx, form{ips, nil})
	require.ErrorIs(t, err, context.Canceled)
}

func TestNoAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "::", "ftp://127.0.0.1/x", "/relative"} {
		_, err := newBrowser(t).Post(t.Context(), address, nil)
		assert.Error(t, err, address)
		_, err = newBrowser(t).Get(t.Context(), address)
		assert.Error(t, err, address)
	}
}
