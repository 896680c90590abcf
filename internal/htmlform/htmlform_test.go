package htmlform

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func TestParse(t *testing.T) {
	t.Parallel()
	page := `<!DOCTYPE html><html><body>
<input name="outside" value="0">
<form action="/a?x=1&amp;y=2" method="POST">
  <input type="hidden" name="one" value="a &quot;b&quot; &amp; &#43;c">
  <input name="two"><input value="no name">
  <textarea name="text">
line</textarea><textarea name="void"></textarea>
  <select name="first"><option value="1">x<option value="2">y</select>
  <select name="chosen"><option value="1"><optgroup><option value="2" selected></optgroup><option value="3"></select>
  <select name="none"></select>
  <button name="go" value="yes">Go</button>
</form>
<p><input name="between" value="0"></p>
<FORM><INPUT NAME=one VALUE=z></FORM>
</body></html>`
	forms, err := Parse([]byte(page), "text/html; charset=utf-8")
	require.NoError(t, err)
	assert.Equal(t, []Form{
		{Action: "/a?x=1&y=2", Method: "POST", Fields: []Field{
			{Name: "one", Value: `a "b" & +c`, Type: "hidden"}, {Name: "two"}, {Name: "text", Value: "line"}, {Name: "void"},
			{Name: "first", Value: "1"}, {Name: "chosen", Value: "2"}, {Name: "none"}, {Name: "go", Value: "yes"},
		}},
		{Method: "GET", Fields: []Field{{Name: "one", Value: "z"}}},
	}, forms)
}

func TestGet(t *testing.T) {
	t.Parallel()
	f := Form{Fields: []Field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}, {Name: "b", Value: "2"}}}
	value, ok := f.Get("a")
	assert.True(t, ok)
	assert.Equal(t, "1", value)
	_, ok = f.Get("b")
	assert.False(t, ok, "twice, even with the same value")
	_, ok = f.Get("c")
	assert.False(t, ok)
	assert.True(t, f.Has("b"))
	assert.False(t, f.Has("B"))
}

// TestOnly: the return form is the one with the five inputs, wherever it stands.
func TestOnly(t *testing.T) {
	t.Parallel()
	const (
		ours   = `<form action="/back" method="post"><input name="pMerCode" value="1"><input name="pSign" value="2"></form>`
		theirs = `<form id="form1"><input name="__VIEWSTATE" value="x"><input name="pMerCode"></form>`
		twice  = `<form><input name="pMerCode"><input name="pSign"><input name="pSign"></form>`
	)
	for page, want := range map[string]error{
		ours: nil, theirs + ours: nil, ours + theirs: nil, twice + theirs + ours: nil, ours + ours: ErrSeveral, theirs: ErrNone, twice: ErrNone, "": ErrNone,
	} {
		forms, err := Parse([]byte("<html>"+page), "text/html; charset=utf-8")
		require.NoError(t, err)
		form, err := Only(forms, "pMerCode", "pSign")
		require.ErrorIs(t, err, want, page)
		if want == nil {
			assert.Equal(t, "/back", form.Action, page)
		}
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"<html><title> 确认\n支付 &amp; 返回 </title><form>": "确认 支付 & 返回", "<title></title>": "", "<p>": "", "": "",
	} {
		assert.Equal(t, want, Title([]byte(page), "text/html; charset=utf-8"), page)
	}
}

// TestMemory: no page of 35 kB is worth more than some times its size. With a
// tree the first one took 245 MB.
func TestMemory(t *testing.T) {
	var formatting strings.Builder
	formatting.WriteString("<p>")
	for i := range 400 {
		fmt.Fprintf(&formatting, "<b a%d>", i)
	}
	formatting.WriteString("</p>" + strings.Repeat("<p>a</p>", 4000))
	for name, page := range map[string]string{
		"formatting elements": formatting.String(),
		"nested":              strings.Repeat("<div>", 7000),
		"tables":              strings.Repeat("<table><tr><td>", 2300),
		"controls":            "<form>" + strings.Repeat("<input name=a>", 2500),
		"forms":               strings.Repeat("<form></form>", 2700),
		"attributes":          "<form><input " + strings.Repeat("a ", 17000) + ">",
		"options":             "<form><select name=a>" + strings.Repeat("<option value=b>", 2200),
		"one text":            strings.Repeat("x", 35000),
		"comments":            strings.Repeat("<!---->", 5000),
		"entities":            "<form><textarea name=a>" + strings.Repeat("&nvsim;", 5000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse([]byte(page), "text/html; charset=utf-8")
		Title([]byte(page), "text/html; charset=utf-8")
		runtime.ReadMemStats(&after)
		require.NoError(t, err, name)
		got := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(page))
		t.Logf("%s: %.1f times the page", name, got)
		assert.Less(t, got, 60.0, name) // under the race detector it is more than half of that
	}
	_, err := Parse([]byte("<form>"+strings.Repeat("<input name=a>", maxParts)), "text/html; charset=utf-8")
	assert.EqualError(t, err, "more than 10000 forms and controls")
}

// TestOddPages are pages that browsers read and regular expressions do not.
func TestOddPages(t *testing.T) {
	t.Parallel()
	want := []Field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}
	for name, page := range map[string]string{
		"in a table":          `<table><tr><td><form><input name=a value=1><input name=b value=2></form></td></tr></table>`,
		"around rows":         `<table><form><tr><td><input name=a value=1></td></tr><tr><td><input name=b value=2></td></tr></form></table>`,
		"around cells":        `<table><tr><form><td><input name=a value=1></td><td><input name=b value=2></td></form></tr></table>`,
		"in a tbody":          `<table><tbody><form><input type=hidden name=a value=1><tr><td><input name=b value=2></form></table>`,
		"unclosed":            `<form><input name=a value=1><div><input name=b value=2>`,
		"nested in itself":    `<form><input name=a value=1><form><input name=b value=2></form></form>`,
		"comment and script":  `<!-- <form><input name=x></form> --><script>"<form><input name=x></form>"</script><form><input name=a value=1><!-- <input name=c> --><input name=b value=2></form>`,
		"single quotes":       `<form><input name='a' value='1'/><input value="2" name="b"/></form>`,
		"no html around":      `text <form><input name=a value=1><input name=b value=2></form> text`,
		"attribute with mark": `<form title="<input name=x>"><input name=a value=1 title=">"><input name=b value=2></form>`,
		"doubled attribute":   `<form><input name=a name=x value=1 value=9><input name=b value=2></form>`,
	} {
		forms, err := Parse([]byte(page), "text/html; charset=utf-8")
		require.NoError(t, err, name)
		require.Len(t, forms, 1, name)
		for i := range forms[0].Fields {
			forms[0].Fields[i].Type = ""
		}
		assert.Equal(t, want, forms[0].Fields, name)
	}
	for name, page := range map[string]string{
		"no form": "<p>系统维护</p>", "text only": "<plaintext><form><input name=a></form>",
	} {
		forms, err := Parse([]byte(page), "")
		require.NoError(t, err, name)
		assert.Empty(t, forms, name)
	}
	_, err := Parse(nil, "text/html")
	assert.Error(t, err, "an empty page is none")
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	page := `<meta charset="gb2312"><form><input name="a" value="张三"></form>`
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(page)
	require.NoError(t, err)
	for name, tt := range map[string]struct{ page, contentType string }{
		"content type": {strings.Replace(gbk, "gb2312", "utf-8", 1), "text/html; charset=GBK"},
		"meta":         {gbk, "text/html"},
		"BOM":          {"\xEF\xBB\xBF" + page, "text/html"},
		"type is UTF8": {page, "text/html; charset=utf-8"},
	} {
		forms, err := Parse([]byte(tt.page), tt.contentType)
		require.NoError(t, err, name)
		require.Len(t, forms, 1)
		value, ok := forms[0].Get("a")
		assert.True(t, ok)
		assert.Equal(t, "张三", value, name)
	}
}

// FuzzParse: no page makes it fall, and every field has a name.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`<form action=x method=post><input name=a value=1><select name=b><option selected></select></form>`), "text/html")
	f.Add([]byte(`<table><form><tr><input name=a></table><input name=b>`), "text/html; charset=gbk")
	f.Add([]byte("\xff\xfe<\x00"), "")
	f.Add([]byte(`<svg><form><math><input name=a></svg><template><form><input name=c></template>`), "text/html; charset=utf-16")
	f.Fuzz(func(t *testing.T, page []byte, contentType string) {
		forms, err := Parse(page, contentType)
		if err != nil {
			return
		}
		for _, form := range forms {
			for _, field := range form.Fields {
				if field.Name == "" || !form.Has(field.Name) {
					t.Fatalf("%+v", form)
				}
			}
		}
	})
}
