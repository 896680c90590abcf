package console

import (
	"html"
	"html/template"
	"strings"
)

// fragment is a piece of a document exactly as it stands there.
type fragment struct {
	kind fragmentKind
	text string
}

type fragmentKind uint8

const (
	characters fragmentKind = iota // text and CDATA: content, to which nothing may be added
	startTag
	endTag
	emptyTag
	markup // comments, declarations, processing instructions
)

// splitXML cuts a document into fragments; joined they are the document again.
// It is lax on purpose: documents that the reader refused are shown too.
func splitXML(document string) []fragment {
	var list []fragment
	for document != "" {
		kind, n := nextFragment(document)
		list = append(list, fragment{kind, document[:n]})
		document = document[n:]
	}
	return list
}

func nextFragment(s string) (fragmentKind, int) {
	if s[0] != '<' {
		if i := strings.IndexByte(s, '<'); i >= 0 {
			return characters, i
		}
		return characters, len(s)
	}
	for _, m := range []struct {
		kind     fragmentKind
		from, to string
	}{
		{characters, "<![CDATA[", "]]>"},
		{markup, "<!--", "-->"},
		{markup, "<?", "?>"},
		{markup, "<!", ">"},
		{endTag, "</", ">"},
	} {
		if !strings.HasPrefix(s, m.from) {
			continue
		}
		if i := strings.Index(s[len(m.from):], m.to); i >= 0 {
			return m.kind, len(m.from) + i + len(m.to)
		}
		return characters, len(s)
	}
	n := tagEnd(s)
	switch {
	case n < 0:
		return characters, len(s)
	case s[n-2] == '/':
		return emptyTag, n
	}
	return startTag, n
}

// tagEnd is the length of the tag that s begins with, or negative. An
// attribute's value may hold a >.
func tagEnd(s string) int {
	var quote byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}

// layOut sets a document on lines of its own by breaking it between two tags,
// where it has no content, and nowhere else. gap is what to insert before a
// fragment.
func layOut(document string, emit func(gap string, f fragment)) {
	depth := 0
	last := characters
	for i, f := range splitXML(document) {
		if f.kind == endTag && depth > 0 {
			depth--
		}
		gap := ""
		leaf := last == startTag && f.kind == endTag
		if i > 0 && f.kind != characters && last != characters && !leaf {
			gap = "\n" + strings.Repeat("  ", min(depth, 40))
		}
		emit(gap, f)
		if f.kind == startTag {
			depth++
		}
		last = f.kind
	}
}

// prettyXML is a document as HTML for a <pre>, laid out, and cut off after
// about limit bytes; cut says whether it was.
func prettyXML(document string, limit int) (page template.HTML, cut bool) {
	var b strings.Builder
	size := 0
	layOut(document, func(gap string, f fragment) {
		if size += len(f.text); size > limit && limit > 0 {
			cut = true
			return
		}
		b.WriteString(gap)
		text := html.EscapeString(f.text)
		if f.kind == characters {
			b.WriteString(text)
			return
		}
		b.WriteString(`<span class="tag">` + text + `</span>`)
	})
	return template.HTML(b.String()), cut
}
