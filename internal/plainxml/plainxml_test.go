package plainxml

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReader(t *testing.T) {
	t.Parallel()
	r, ok := NewReader(Header + "\n<a>x&amp;y</a> <b2/>")
	require.True(t, ok)
	assert.True(t, r.Skip("<"))
	assert.Equal(t, "a", r.Name())
	assert.False(t, r.End("a"))
	assert.True(t, r.Skip(">"))
	text, ok := r.Text()
	assert.True(t, ok)
	assert.Equal(t, "x&y", text)
	assert.False(t, r.End("b"))
	assert.True(t, r.End("a"))
	r.Space()
	assert.Equal(t, "<b2/>", r.Rest())
	assert.Empty(t, r.Name())
	assert.True(t, r.Skip("<"))
	assert.Equal(t, "b2", r.Name())
	for _, doc := range []string{"\xff", "a\uFFFE", "\uFFFF"} {
		_, ok := NewReader(doc)
		assert.False(t, ok, "%q", doc)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		"</":                                  "",
		"plain</":                             "plain",
		"一二]]<":                               "一二]]",
		"<![CDATA[]]><![CDATA[]]></":          "",
		"<![CDATA[]]>a<![CDATA[]]></":         "a",
		"<![CDATA[<&\n>]]></":                 "<&\n>",
		"a&lt;b&gt;c&quot;d&apos;e&amp;f</":   `a<b>c"d'e&f`,
		"<![CDATA[a]]>b<![CDATA[c]]>&amp;d<x": "abc&d",
	} {
		r, ok := NewReader(doc)
		require.True(t, ok)
		got, ok := r.Text()
		assert.True(t, ok, doc)
		assert.Equal(t, want, got, doc)
	}
	for _, doc := range []string{"", "a", "a]]>b<", "a\r<", "a\x01<", "&#65;<", "&x;<", "a&amp<", "<![CDATA[a", "<![CDATA[a\x00]]><", "a<![CDATA[b"} {
		r, ok := NewReader(doc)
		require.True(t, ok)
		_, ok = r.Text()
		assert.False(t, ok, "%q", doc)
	}
}
