package console

import (
	"html"
	"html/template"
	"regexp"
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

// fragments cuts a document: joined they are the document again. It is lax on
// purpose, for documents that the reader refused are shown too. An attribute's
// value may hold a >, and what never ends is text.
var fragments = regexp.MustCompile(`(?s)<!\[CDATA\[.*?(?:\]\]>|\z)|<!--.*?(?:-->|\z)|<\?.*?(?:\?>|\z)|<!.*?(?:>|\z)|` +
	`<(?:[^"'>]|"[^"]*"|'[^']*')*(?:>|\z)|<.*|[^<]+`)

// kindOf says what a fragment is.
func kindOf(text string) fragmentKind {
	begins := func(s string) bool { return strings.HasPrefix(text, s) }
	switch {
	case !begins("<"), begins("<![CDATA["), !strings.HasSuffix(text, ">"), begins("<!--") && !strings.HasSuffix(text, "-->"):
		return characters
	case begins("<!"), begins("<?"):
		return markup
	case begins("</"):
		return endTag
	case strings.HasSuffix(text, "/>"):
		return emptyTag
	}
	return startTag
}

// layOut sets a document on lines of its own by breaking it between two tags,
// where it has no content, and nowhere else. gap is what to insert before a
// fragment.
func layOut(document string, emit func(gap string, f fragment)) {
	depth := 0
	last := characters
	for i, text := range fragments.FindAllString(document, -1) {
		f := fragment{kindOf(text), text}
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
	b.WriteString(`<span class="line">`)
	size := 0
	layOut(document, func(gap string, f fragment) {
		if size += len(f.text); size > limit && limit > 0 {
			cut = true
			return
		}
		if gap != "" {
			b.WriteString("\n</span><span class=\"line\">" + gap[1:])
		}
		text := html.EscapeString(f.text)
		if f.kind == characters {
			b.WriteString(text)
			return
		}
		b.WriteString(`<span class="tag">` + text + `</span>`)
	})
	return template.HTML(b.String() + `</span>`), cut
}
