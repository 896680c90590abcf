package sandbox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// sheet is a page as a browser reads it.
type sheet struct {
	root *html.Node
	url  string // path that it was loaded from
}

// sheet parses a page and checks what must be true of all of them: that it is
// HTML which a screen reader can use, loads nothing from elsewhere, says that
// it is not IPS, and may not be framed, kept or sniffed.
func (f *fixture) sheet(r reply) sheet {
	f.t.Helper()
	s := parseSheet(f.t, r.body)
	s.check(f.t)
	assert.Equal(f.t, "text/html; charset=utf-8", r.header.Get("Content-Type"))
	assert.Equal(f.t, "no-store", r.header.Get("Cache-Control"))
	assert.Equal(f.t, "nosniff", r.header.Get("X-Content-Type-Options"))
	assert.Equal(f.t, "same-origin", r.header.Get("Referrer-Policy"))
	policy := r.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action "} {
		assert.Contains(f.t, policy, part)
	}
	assert.NotContains(f.t, policy, "unsafe")
	inline, own := 0, 0
	for _, n := range s.all("script") {
		if attr(n, "src") == "/console/live.js" {
			own++
		} else {
			assert.False(f.t, has(n, "src"))
			inline++
		}
	}
	assert.Equal(f.t, inline > 0, strings.Contains(policy, "script-src 'sha256-"))
	assert.Equal(f.t, own > 0, strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "=' 'self'"))
	return s
}

func parseSheet(t *testing.T, body string) sheet {
	t.Helper()
	require.True(t, utf8.ValidString(body))
	require.True(t, strings.HasPrefix(body, "<!DOCTYPE html>"))
	require.NotContains(t, body, "<no value>")
	root, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err)
	return sheet{root: root}
}

// all finds elements by name, in their order.
func (s sheet) all(names ...string) []*html.Node { return descendants(s.root, names...) }

func descendants(root *html.Node, names ...string) []*html.Node {
	var list []*html.Node
	for n := range root.Descendants() {
		for _, name := range names {
			if n.Type == html.ElementNode && n.Data == name {
				list = append(list, n)
			}
		}
	}
	return list
}

func (s sheet) one(t *testing.T, name string) *html.Node {
	t.Helper()
	list := s.all(name)
	require.Len(t, list, 1, "<%s>", name)
	return list[0]
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// words is the text in an element, in one line.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (s sheet) check(t *testing.T) {
	t.Helper()
	assert.Equal(t, "zh-CN", attr(s.one(t, "html"), "lang"))
	assert.NotEmpty(t, words(s.one(t, "title")))
	assert.NotEmpty(t, words(s.one(t, "h1")))
	s.one(t, "main")
	assert.Contains(t, words(s.one(t, "header")), "本页面为沙箱模拟，并非环迅支付")
	ids := s.checkIDs(t)
	s.checkFields(t, ids)
	s.checkHeadings(t)
	for _, n := range s.all("link") {
		assert.Equal(t, "/CreditWeb/style.css", attr(n, "href"))
	}
	assert.Empty(t, s.all("img", "iframe", "object", "embed", "base", "style"))
	for n := range s.root.Descendants() {
		assert.False(t, has(n, "style") || has(n, "onclick") || has(n, "onload"), "<%s>", n.Data)
	}
}

func (s sheet) checkIDs(t *testing.T) map[string]*html.Node {
	t.Helper()
	ids := make(map[string]*html.Node)
	for n := range s.root.Descendants() {
		if id := attr(n, "id"); id != "" {
			assert.NotContains(t, ids, id)
			ids[id] = n
		}
	}
	for n := range s.root.Descendants() {
		for _, name := range []string{"aria-describedby", "aria-labelledby"} {
			for _, id := range strings.Fields(attr(n, name)) {
				require.Contains(t, ids, id)
				assert.NotEmpty(t, words(ids[id]))
			}
		}
		if target, ok := strings.CutPrefix(attr(n, "href"), "#"); ok {
			assert.Contains(t, ids, target)
		}
	}
	return ids
}

func (s sheet) checkFields(t *testing.T, ids map[string]*html.Node) {
	t.Helper()
	labelled := make(map[string]bool)
	for _, n := range s.all("label") {
		require.Contains(t, ids, attr(n, "for"))
		assert.NotEmpty(t, words(n))
		labelled[attr(n, "for")] = true
	}
	for _, n := range s.all("input", "select", "textarea") {
		if attr(n, "type") != "hidden" {
			assert.True(t, labelled[attr(n, "id")], "field %s has no label", attr(n, "name"))
		}
		if attr(n, "type") == "password" {
			assert.False(t, has(n, "value"), "a password is never sent back")
		}
		if has(n, "aria-invalid") {
			assert.Contains(t, attr(n, "aria-describedby"), attr(n, "id")+"-error")
		}
	}
	for _, n := range s.all("button") {
		assert.NotEmpty(t, words(n))
		assert.Equal(t, "submit", attr(n, "type"))
	}
	for _, n := range s.all("fieldset") {
		assert.Len(t, descendants(n, "legend"), 1)
	}
	for _, n := range s.all("th") {
		assert.Contains(t, []string{"row", "col"}, attr(n, "scope"))
	}
}

// checkHeadings finds a heading that skips a level.
func (s sheet) checkHeadings(t *testing.T) {
	t.Helper()
	level := 0
	for _, n := range s.all("h1", "h2", "h3", "h4") {
		this := int(n.Data[1] - '0')
		assert.LessOrEqual(t, this, level+1, "%s", words(n))
		level = this
	}
}

// facts are the page's list of what is confirmed.
func (s sheet) facts() map[string]string {
	list := make(map[string]string)
	for _, n := range s.all("dl") {
		names, values := descendants(n, "dt"), descendants(n, "dd")
		for i := range names {
			list[words(names[i])] = words(values[i])
		}
	}
	return list
}

// sum is the amount that stands out, and what it is called.
func (s sheet) sum(t *testing.T) string {
	t.Helper()
	var found []string
	for n := range s.root.Descendants() {
		if attr(n, "class") == "money sum" {
			found = append(found, words(descendants(n, "dt")[0])+" "+words(descendants(n, "dd")[0]))
		}
	}
	require.LessOrEqual(t, len(found), 1)
	return strings.Join(found, "")
}

// wrong are the problems shown at the fields, by their names.
func (s sheet) wrong() map[string]string {
	list := make(map[string]string)
	for n := range s.root.Descendants() {
		if name, ok := strings.CutSuffix(attr(n, "id"), "-error"); ok {
			list[name] = words(n)
		}
	}
	return list
}

// alert is what is announced at the top of the page.
func (s sheet) alert() string {
	for n := range s.root.Descendants() {
		if attr(n, "role") == "alert" {
			return words(n)
		}
	}
	return ""
}

// click fills in the page's only form, or the nth, as somebody would who has
// no script, and presses a button by its words.
func (f *fixture) click(s sheet, nth int, button string, typed ...string) reply {
	f.t.Helper()
	forms := s.all("form")
	require.Greater(f.t, len(forms), nth)
	values := url.Values{}
	for _, n := range descendants(forms[nth], "input") {
		values.Set(attr(n, "name"), attr(n, "value"))
	}
	for _, n := range descendants(forms[nth], "select") {
		for _, o := range descendants(n, "option") {
			if has(o, "selected") {
				values.Set(attr(n, "name"), words(o))
			}
		}
	}
	pressed := false
	for _, n := range descendants(forms[nth], "button") {
		if words(n) == button {
			pressed = true
			if name := attr(n, "name"); name != "" {
				values.Set(name, attr(n, "value"))
			}
		}
	}
	require.True(f.t, pressed, "no button %s", button)
	for i := 0; i < len(typed); i += 2 {
		values.Set(typed[i], typed[i+1])
	}
	assert.Equal(f.t, "post", attr(forms[nth], "method"))
	return f.toResult(f.do(http.MethodPost, attr(forms[nth], "action"), formType, values.Encode()))
}

// toResult goes on from the form of a confirmation to the page with its result.
func (f *fixture) toResult(r reply) reply {
	f.t.Helper()
	path := r.header.Get("Location")
	if r.status != http.StatusSeeOther || !strings.HasPrefix(path, "/CreditWeb/confirm/") || strings.HasSuffix(path, "/bank") {
		return r
	}
	return f.do(http.MethodGet, path, "", "")
}

// open loads a page of ours.
func (f *fixture) open(path string) (sheet, reply) {
	f.t.Helper()
	r := f.do(http.MethodGet, path, "", "")
	require.Equal(f.t, http.StatusOK, r.status, r.body)
	s := f.sheet(r)
	s.url = path
	return s, r
}
