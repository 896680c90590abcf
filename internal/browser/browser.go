// Package browser is a user's browser as a program, for examples and tests: it
// carries a form to IPS, reads the page that comes back, and posts the return
// form in it to the merchant, as the page's script would.
//
// It runs no scripts and draws nothing. Where a page wants a person, the
// caller is that person: see [Browser.Press].
package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/htmlform"
	"golang.org/x/net/publicsuffix"
)

const (
	maxPage      = 8 << 20 // bytes of a page; more are refused, not cut off
	maxRedirects = 10
	timeout      = 30 * time.Second // of one page, on top of the caller's context
)

// The reasons why a page leads no further. Find them with errors.Is.
var (
	// ErrNoReturn: the page holds no return form. Mostly it wants a person to
	// confirm something, or tells him what went wrong.
	ErrNoReturn = errors.New("the page holds no return form")
	// ErrAmbiguous: the page holds more than one return form.
	ErrAmbiguous = errors.New("the page holds more than one return form")
	// ErrStatus: the page came with another HTTP status than 200.
	ErrStatus = errors.New("unexpected HTTP status")
	// ErrTooLarge: the page is larger than 8 MiB.
	ErrTooLarge = errors.New("page too large")
	// ErrRedirect: a redirect that is not followed.
	ErrRedirect = errors.New("refused redirect")
)

// Form is a form to submit; *ips.Form is one.
type Form interface {
	Action() string
	Values() url.Values
}

// Browser is one user's browser. It keeps his cookies, and is safe for
// concurrent use, as by somebody with several tabs.
type Browser struct{ client *http.Client }

// New returns a browser without cookies that goes through transport, or
// through one of its own if that is nil.
func New(transport http.RoundTripper) *Browser {
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	// It fails only for options that are not used here.
	jar, _ := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	return &Browser{&http.Client{
		Transport:     transport,
		Jar:           jar,
		CheckRedirect: checkRedirect,
		Timeout:       timeout,
	}}
}

// checkRedirect follows where a browser would go by itself, but carries the
// fields of a form to no other host than the one they were addressed to, and
// nothing from HTTPS to HTTP.
func checkRedirect(next *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case len(via) >= maxRedirects:
		return fmt.Errorf("%w: more than %d", ErrRedirect, maxRedirects)
	case last.URL.Scheme == "https" && next.URL.Scheme != "https":
		return fmt.Errorf("%w: from https to %s", ErrRedirect, next.URL.Scheme)
	case next.Method != http.MethodGet && next.URL.Host != last.URL.Host:
		return fmt.Errorf("%w: form fields to another host, %s", ErrRedirect, next.URL.Host)
	}
	return nil
}

// Close gives up idle connections.
func (b *Browser) Close() { b.client.CloseIdleConnections() }

// Carry submits a form to IPS and follows the return form that comes back to
// the merchant, whose page it returns. With an error it returns the page that
// it stopped at, if there is one: after [ErrNoReturn], a page for a person.
func (b *Browser) Carry(ctx context.Context, f Form) (*Page, error) {
	page, err := b.Post(ctx, f.Action(), f.Values())
	if err != nil {
		return page, err
	}
	return b.Follow(ctx, page)
}

// Follow posts the page's return form, as the page's script or its visible
// button would. Its results are those of Carry.
func (b *Browser) Follow(ctx context.Context, page *Page) (*Page, error) {
	form, err := page.ReturnForm()
	if err != nil {
		return page, err
	}
	return b.Press(ctx, page, form, "", nil)
}

// Press submits a form of the page. Of its buttons only the named one with the
// given value counts, as if it were the one that was pressed; button may be
// empty. The values are what the user typed; they replace those of the form.
//
//	b.Press(ctx, page, form, "do=confirm", url.Values{"password": {"123456"}})
func (b *Browser) Press(ctx context.Context, page *Page, form *htmlform.Form, button string, typed url.Values) (*Page, error) {
	action, err := page.URL.Parse(form.Action)
	if err != nil {
		return page, errors.New("browser: the form's action is no URL")
	}
	values := url.Values{}
	for _, field := range form.Fields {
		if isButton(field) && field.Name+"="+field.Value != button {
			continue
		}
		values.Add(field.Name, field.Value)
	}
	for name, list := range typed {
		values[name] = list
	}
	if form.Method != http.MethodPost {
		action.RawQuery = values.Encode()
		return b.Get(ctx, action.String())
	}
	return b.Post(ctx, action.String(), values)
}

func isButton(f htmlform.Field) bool {
	switch strings.ToLower(f.Type) {
	case "submit", "button", "reset", "image":
		return true
	}
	return false
}

// Post posts form fields. A page with another status than 200 comes with
// [ErrStatus].
func (b *Browser) Post(ctx context.Context, action string, values url.Values) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, errors.New("browser: the address is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.load(req)
}

// Get opens an address. Its errors are those of Post.
func (b *Browser) Get(ctx context.Context, address string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("browser: the address is no URL")
	}
	return b.load(req)
}

// load fetches a page. Its errors name the host only, since queries can hold
// what does not belong in a log.
func (b *Browser) load(req *http.Request) (*Page, error) {
	req.Header.Set("Accept", "text/html")
	resp, err := b.client.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("browser: %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	host := resp.Request.URL.Host
	switch {
	case err != nil:
		return nil, fmt.Errorf("browser: %s: %w", host, err)
	case len(body) > maxPage:
		return nil, fmt.Errorf("browser: %s: %w", host, ErrTooLarge)
	}
	page := &Page{URL: resp.Request.URL, Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: body}
	if resp.StatusCode != http.StatusOK {
		return page, fmt.Errorf("browser: %s: %w: %s", host, ErrStatus, resp.Status)
	}
	return page, nil
}

// Page is a page that was loaded.
type Page struct {
	URL         *url.URL // after redirects
	Status      int
	ContentType string
	Body        []byte
}

// Forms finds the page's forms in their order. What is no HTML has none.
func (p *Page) Forms() ([]htmlform.Form, error) {
	if kind, _, err := mime.ParseMediaType(p.ContentType); err != nil || kind != "text/html" && kind != "application/xhtml+xml" {
		return nil, nil
	}
	forms, err := htmlform.Parse(p.Body, p.ContentType)
	if err != nil {
		return nil, fmt.Errorf("browser: %s: %w", p.URL.Host, err)
	}
	return forms, nil
}

// Title is what the page calls itself, "" if it does not.
func (p *Page) Title() string { return htmlform.Title(p.Body, p.ContentType) }

// ReturnForm finds the form that brings an answer of IPS back to the merchant.
// IPS puts a form of its own before it, so it is known by its fields:
// pMerCode, pErrCode, pErrMsg, p3DesXmlPara and pSign. The error is
// [ErrNoReturn] or [ErrAmbiguous] if there is not exactly one.
func (p *Page) ReturnForm() (*htmlform.Form, error) {
	forms, err := p.Forms()
	if err != nil {
		return nil, err
	}
	forms = slices.DeleteFunc(forms, func(f htmlform.Form) bool { return f.Method != http.MethodPost })
	form, err := htmlform.Only(forms, "pMerCode", "pErrCode", "pErrMsg", "p3DesXmlPara", "pSign")
	switch {
	case err == nil:
		return form, nil
	case errors.Is(err, htmlform.ErrSeveral):
		err = ErrAmbiguous
	default:
		err = ErrNoReturn
	}
	return nil, fmt.Errorf("browser: %s: %w", p.URL.Host, err)
}
