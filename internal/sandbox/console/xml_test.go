package console

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// laidOut is a document on lines of its own.
func laidOut(document string) string {
	var b strings.Builder
	layOut(document, func(gap string, f fragment) { b.WriteString(gap + f.text) })
	return b.String()
}

func TestLayOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"nothing":       {"", ""},
		"text":          {"not XML at all", "not XML at all"},
		"fields":        {"<pReq><a>1</a><b></b></pReq>", "<pReq>\n  <a>1</a>\n  <b></b>\n</pReq>"},
		"rows":          {"<d><pRow><a>1</a></pRow><pRow/></d>", "<d>\n  <pRow>\n    <a>1</a>\n  </pRow>\n  <pRow/>\n</d>"},
		"declaration":   {`<?xml version="1.0"?><a/>`, "<?xml version=\"1.0\"?>\n<a/>"},
		"mark":          {"\ufeff<?xml?><a>1</a>", "\ufeff<?xml?>\n<a>1</a>"},
		"CDATA":         {"<p><a><![CDATA[<b>&</b>]]></a></p>", "<p>\n  <a><![CDATA[<b>&</b>]]></a>\n</p>"},
		"two CDATA":     {"<a><![CDATA[1]]><![CDATA[2]]></a>", "<a><![CDATA[1]]><![CDATA[2]]></a>"},
		"blanks":        {"<p> <a> 1 </a>\n</p>", "<p> <a> 1 </a>\n</p>"},
		"mixed content": {"<p>x<a>1</a>y<b/></p>", "<p>x<a>1</a>y<b/>\n</p>"},
		"attribute":     {`<a t="x>y"><b/></a>`, "<a t=\"x>y\">\n  <b/>\n</a>"},
		"comment":       {"<a><!-- <b> --></a>", "<a>\n  <!-- <b> -->\n</a>"},
		"doctype":       {"<!DOCTYPE a><a/>", "<!DOCTYPE a>\n<a/>"},
		"cut off":       {"<a><b>1</b><c", "<a>\n  <b>1</b><c"},
		"open CDATA":    {"<a><![CDATA[x</a>", "<a><![CDATA[x</a>"},
		"ends too many": {"</a></b><c/>", "</a>\n</b>\n<c/>"},
		"empty tag":     {"<><a/>", "<>\n  <a/>"},
	} {
		assert.Equal(t, c.want, laidOut(c.in), name)
	}
}

// Whatever is inserted stands between two tags; without it the document is
// what it was.
func FuzzLayOut(f *testing.F) {
	f.Add("\ufeff<?xml version=\"1.0\"?><pReq><a>1</a><b><![CDATA[ x ]]></b><pRow><c/></pRow></pReq>")
	f.Add("<a <b> <!-- <![CDATA[ ' \"")
	f.Add("<a t='>'>\n</a>")
	f.Fuzz(func(t *testing.T, document string) {
		var without strings.Builder
		last := characters
		layOut(document, func(gap string, fr fragment) {
			if gap != "" {
				assert.NotEqual(t, characters, last, "something was put behind text")
				assert.NotEqual(t, characters, fr.kind, "something was put before text")
				assert.Empty(t, strings.Trim(gap, "\n "))
			}
			without.WriteString(fr.text)
			last = fr.kind
		})
		assert.Equal(t, document, without.String())
	})
}

func TestPrettyXMLEscapes(t *testing.T) {
	t.Parallel()
	document := `<p><a t="&quot;">&lt;script&gt;</a><script>alert('1')</script></p>`
	page, cut := prettyXML(document, 0)
	require.False(t, cut)
	plain := regexp.MustCompile(`</?span[^>]*>`).ReplaceAllString(string(page), "")
	assert.NotContains(t, plain, "<")
	assert.NotContains(t, plain, `"`)
	assert.Equal(t, laidOut(document), html.UnescapeString(plain))
}

func TestPrettyXMLCutsLongDocuments(t *testing.T) {
	t.Parallel()
	page, cut := prettyXML("<p>"+strings.Repeat("<a>1</a>", 100)+"</p>", 50)
	assert.True(t, cut)
	assert.Less(t, strings.Count(string(page), "&lt;a&gt;"), 10)
}
