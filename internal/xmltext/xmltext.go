// Package xmltext reads and writes as much of XML 1.0 as the messages of IPS
// consist of: elements and text. Reading, it also knows what others may put
// there: CDATA, the five named entities and numeric references, comments,
// processing instructions, attributes and namespaces, a byte order mark, any
// encoding that the declaration or the transport names. Attributes and
// namespaces are checked and passed over; a document type is refused.
//
// It is here because encoding/xml needs many times the time and memory of the
// cipher for a large message. A fuzz test holds it to encoding/xml, which it
// reads alike, save that it refuses
//
//   - control characters and bytes that are not UTF-8 in comments, processing
//     instructions and names, a numeric reference to half of a surrogate pair,
//     and attributes that no space divides, as XML says;
//   - an XML declaration elsewhere than at the beginning (blanks before it are
//     let pass), and one with anything but version 1.0, encoding and standalone;
//   - text, a second element or anything else but comments, processing
//     instructions and blanks outside the root;
//   - what only an attack needs: names over 100 bytes, 16 open elements, 200,000
//     elements in all.
//
// A name may have any character beyond ASCII: the editions of XML differ about
// them, and IPS has none in its names.
package xmltext

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
)

// Header is the declaration that documents are written with.
const Header = `<?xml version="1.0" encoding="utf-8"?>`

// Limits against documents that are made to hurt.
const (
	maxDepth    = 16
	maxElements = 200_000 // a transfer answer of 3000 rows has 40,000
	maxName     = 100
)

// Error is what is wrong with a document. It quotes nothing of it.
type Error struct {
	Line   int
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("%s, on line %d", e.Reason, e.Line) }

// Kind is what [Reader.Next] came to.
type Kind int

// The kinds.
const (
	Start Kind = iota
	End
	Done // the end of the document
)

// Reader goes through a document from tag to tag.
type Reader struct {
	Name string // of the latest start tag, without prefix
	Text string // between the tag before and this one; a part of the document where it can be

	doc      string // what is being read, in UTF-8 and with line feeds only
	at       int
	line     int // of the beginning of doc
	open     [maxDepth]string
	depth    int
	elements int
	empty    bool // the latest start tag is an end tag too
}

// NewReader makes a reader of the document. What says best in which encoding it
// is has the last word: a byte order mark before charset, which is what the
// transport calls it ("" if nothing), before the declaration. A charset that
// nobody knows counts as none.
func NewReader(doc, charset string) (Reader, error) {
	r := Reader{doc: doc, line: 1}
	return r, r.decode(charset)
}

// decode makes UTF-8 with line feeds of the document and goes past its
// declaration.
func (r *Reader) decode(charset string) error {
	doc, known := r.doc, true
	switch {
	case strings.HasPrefix(doc, "\xEF\xBB\xBF"):
		r.at = 3
	case strings.HasPrefix(doc, "\xFE\xFF"), strings.HasPrefix(doc, "\xFF\xFE"):
		var err error
		if r.doc, err = unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().String(doc); err != nil {
			return r.wrong("unreadable encoding")
		}
	default:
		var err error
		if r.doc, known, err = utf8From(doc, charset); err != nil {
			return r.wrong("unreadable encoding")
		}
	}
	declared, err := r.declaration()
	if err != nil {
		return err
	}
	r.line += strings.Count(r.doc[:r.at], "\n")
	rest := r.doc[r.at:]
	// Who can read a declaration of UTF-16 byte by byte has UTF-8 before him, in
	// which .NET's string writers like to call themselves so.
	if declared != "" && !strings.HasPrefix(strings.ToLower(declared), "utf-16") && !known {
		if rest, known, err = utf8From(rest, declared); err != nil || !known {
			return r.wrong("unreadable encoding")
		}
	}
	if strings.IndexByte(rest, '\r') >= 0 {
		rest = lineFeeds.Replace(rest)
	}
	r.doc, r.at = rest, 0
	return r.characters()
}

var lineFeeds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// utf8From turns text of the labelled encoding into UTF-8, if the label is known.
func utf8From(text, label string) (_ string, known bool, err error) {
	e, name := charset.Lookup(label)
	if e == nil || name == "utf-8" {
		return text, e != nil, nil
	}
	text, err = e.NewDecoder().String(text)
	return text, true, err
}

// declaration goes past the XML declaration, if there is one, and returns the
// encoding that it names.
func (r *Reader) declaration() (encoding string, err error) {
	begin := r.at
	r.space()
	if !r.skip("<?xml") || r.at < len(r.doc) && nameByte[r.doc[r.at]] {
		r.at = begin
		return "", nil
	}
	for next := 0; ; {
		spaced := r.space()
		if r.skip("?>") {
			return encoding, nil
		}
		name, value, err := r.attribute()
		if err != nil {
			return "", err
		}
		var ok bool
		switch { // each at most once and in this order
		case name == "version" && next < 1:
			ok, next = value == "1.0", 1
		case name == "encoding" && next < 2:
			ok, next = value != "", 2
			encoding = value
		case name == "standalone" && next < 3:
			ok, next = value == "yes" || value == "no", 3
		}
		if !ok || !spaced {
			return "", r.wrong("a malformed XML declaration")
		}
	}
}

// characters reports the first byte that no document can hold. Eight at a time
// are looked at, since most are plain.
func (r *Reader) characters() error {
	const each = 0x0101010101010101
	s, ascii := r.doc, true
	for i := 0; i < len(s); i++ {
		if i+8 <= len(s) {
			w := binary.LittleEndian.Uint64([]byte(s[i : i+8]))
			if (w-each*' ')&^w&(each*0x80) == 0 { // none before the space
				ascii = ascii && w&(each*0x80) == 0
				i += 7
				continue
			}
		}
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' {
			r.at = i
			return r.wrong("a control character")
		} else if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		r.at = strings.IndexRune(s, utf8.RuneError)
		return r.wrong("bytes that are no text in UTF-8")
	}
	for _, none := range [...]string{"\uFFFE", "\uFFFF"} {
		if at := strings.Index(s, none); at >= 0 {
			r.at = at
			return r.wrong("a code of no character")
		}
	}
	return nil
}

// Depth is the number of elements that are open.
func (r *Reader) Depth() int { return r.depth }

// Rest is what has not been read.
func (r *Reader) Rest() string { return r.doc[r.at:] }

// Blank reports whether the latest text is nothing or white space.
func (r *Reader) Blank() bool { return r.Text == "" || strings.TrimSpace(r.Text) == "" }

// Next goes to the next tag, or to the end of the document if the root has
// ended. An element without content in one tag gives Start and End.
func (r *Reader) Next() (Kind, error) {
	if r.empty {
		r.empty, r.Text = false, ""
		r.depth--
		return End, nil
	}
	if err := r.text(); err != nil {
		return Done, err
	}
	switch {
	case r.depth == 0 && !r.Blank():
		return Done, r.wrong("text outside the root")
	case r.at < len(r.doc):
		if r.skip("</") {
			return End, r.endTag()
		}
		return Start, r.startTag()
	case r.depth > 0:
		return Done, r.wrong("it ends too early")
	case r.elements == 0:
		return Done, r.wrong("it is empty")
	default:
		return Done, nil
	}
}

func (r *Reader) startTag() error {
	r.at++ // <
	name, prefix, err := r.name()
	if err != nil {
		return err
	}
	for !strings.HasPrefix(r.doc[r.at:], ">") {
		spaced := r.space()
		if r.skip("/") {
			r.empty = true
			break
		}
		if strings.HasPrefix(r.doc[r.at:], ">") {
			break
		}
		if _, _, err := r.attribute(); err != nil {
			return err
		}
		if !spaced {
			return r.wrong("attributes without a space between them")
		}
	}
	switch {
	case !r.skip(">"):
		return r.wrong("a malformed start tag")
	case r.depth == 0 && r.elements > 0:
		return r.wrong("a second root")
	case r.depth == maxDepth:
		return r.wrong("elements nested too deeply")
	case r.elements == maxElements:
		return r.wrong("too many elements")
	}
	r.open[r.depth] = name
	r.depth++
	r.elements++
	r.Name = name[prefix:]
	return nil
}

func (r *Reader) endTag() error {
	if r.depth == 0 || !r.skip(r.open[r.depth-1]) {
		return r.wrong("a wrong end tag")
	}
	if !r.skip(">") {
		if !r.space() || !r.skip(">") {
			return r.wrong("a wrong end tag")
		}
	}
	r.depth--
	return nil
}

// attribute reads a name and a quoted value, which it returns as it stands.
func (r *Reader) attribute() (name, value string, err error) {
	if name, _, err = r.name(); err != nil {
		return "", "", err
	}
	r.space()
	ok := r.skip("=")
	r.space()
	if !ok || r.at == len(r.doc) || r.doc[r.at] != '"' && r.doc[r.at] != '\'' {
		return "", "", r.wrong("a malformed attribute")
	}
	n := strings.IndexByte(r.doc[r.at+1:], r.doc[r.at])
	if n < 0 {
		return "", "", r.wrong("an attribute without end")
	}
	r.at++
	begin, end := r.at, r.at+n
	for r.at < end {
		switch r.doc[r.at] {
		case '<':
			return "", "", r.wrong("a < in an attribute")
		case '&':
			if _, err := r.entity(); err != nil {
				return "", "", err
			}
		default:
			r.at++
		}
	}
	r.at = end + 1
	return name, r.doc[begin:end], nil
}

// text reads up to the next tag or the end. Most texts have one piece, and at
// most empty ones beside it; the others must be put together.
func (r *Reader) text() error {
	begin := r.at
	plain := r.characterData()
	if plain && r.at+1 < len(r.doc) && r.doc[r.at] == '<' && r.doc[r.at+1] != '!' && r.doc[r.at+1] != '?' {
		r.Text = r.doc[begin:r.at]
		return nil
	}
	r.at, r.Text = begin, ""
	var joined strings.Builder
	for {
		piece, more, err := r.piece()
		switch {
		case err != nil:
			return err
		case !more:
			if joined.Len() > 0 {
				r.Text = joined.String()
			}
			return nil
		case r.Text == "":
			r.Text = piece
		case piece != "":
			if joined.Len() == 0 {
				joined.Grow(len(r.Text) + len(piece) + max(0, strings.IndexByte(r.doc[r.at:], '<')))
				joined.WriteString(r.Text)
			}
			joined.WriteString(piece)
		}
	}
}

// characterData goes to the next markup. It is not ok to come to the mark that
// belongs to CDATA.
func (r *Reader) characterData() (ok bool) {
	for i := r.at; ; i++ {
		if i == len(r.doc) || r.doc[i] == '<' || r.doc[i] == '&' {
			r.at = i
			return true
		}
		if r.doc[i] == ']' && strings.HasPrefix(r.doc[i:], "]]>") {
			r.at = i
			return false
		}
	}
}

// piece reads characters, an entity, a section of CDATA, or what has no text.
// There is no more at a tag and at the end.
func (r *Reader) piece() (text string, more bool, err error) {
	begin := r.at
	if !r.characterData() {
		return "", false, r.wrong("]]> within text")
	}
	switch rest := r.doc[r.at:]; {
	case r.at > begin:
		return r.doc[begin:r.at], true, nil
	case rest == "":
		return "", false, nil
	case rest[0] == '&':
		text, err = r.entity()
		return text, true, err
	case len(rest) < 2 || rest[1] != '!' && rest[1] != '?':
		return "", false, nil
	case r.skip("<![CDATA["):
		text, err = r.until("]]>")
		return text, true, err
	case r.skip("<!--"):
		if _, err = r.until("--"); err == nil && !r.skip(">") {
			err = r.wrong("-- within a comment")
		}
		return "", true, err
	case r.skip("<?"):
		name, _, err := r.name()
		if err == nil && name == "xml" {
			err = r.wrong("an XML declaration that is not at the beginning")
		}
		if err == nil {
			_, err = r.until("?>")
		}
		return "", true, err
	default:
		return "", false, r.wrong("a document type or other directive is refused")
	}
}

// entity reads one of the named entities or a numeric reference.
func (r *Reader) entity() (string, error) {
	// No longer one is looked for, or every & would be a walk to the end.
	name, _, ok := strings.Cut(r.doc[r.at+1:min(len(r.doc), r.at+maxName)], ";")
	if !ok {
		return "", r.wrong("an & that begins no entity")
	}
	var text string
	switch name {
	case "amp":
		text = "&"
	case "lt":
		text = "<"
	case "gt":
		text = ">"
	case "quot":
		text = `"`
	case "apos":
		text = "'"
	default:
		digits, base := strings.TrimPrefix(name, "#"), 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		switch text = string(rune(n)); { // what is no character becomes U+FFFD
		case name[:min(1, len(name))] != "#" || err != nil:
			return "", r.wrong("an & that begins no entity")
		case n > utf8.MaxRune || n >= 0xD800 && n < 0xE000:
			return "", r.wrong("a reference to no character")
		}
		if _, bad := BadRune(text); bad {
			return "", r.wrong("a reference to no character")
		}
	}
	r.at += len(name) + len("&;")
	return text, nil
}

// name reads a name and tells the length of its prefix with the colon. A colon
// with nothing before or behind it divides nothing.
func (r *Reader) name() (name string, prefix int, err error) {
	rest := r.doc[r.at:]
	n, colons := 0, 0
	for ; n < len(rest) && nameByte[rest[n]]; n++ {
		if rest[n] == ':' {
			colons++
			prefix = n + 1
		}
	}
	r.at += n
	if prefix == 1 || prefix == n {
		prefix = 0
	}
	switch {
	case n == 0 || rest[0] <= '9' || colons > 1: // no letter is before the digits, and all that a name begins with is behind them
		return "", 0, r.wrong("a name is missing or malformed")
	case n > maxName:
		return "", 0, r.wrong("a name that is too long")
	}
	return rest[:n], prefix, nil
}

// nameByte are the bytes of names.
var nameByte = func() (set [256]bool) {
	for c := range set {
		set[c] = c >= utf8.RuneSelf || 'a' <= c|0x20 && c|0x20 <= 'z' || '-' <= c && c <= ':' && c != '/' || c == '_'
	}
	return set
}()

// until goes past the end mark and returns what is before it.
func (r *Reader) until(end string) (string, error) {
	n := strings.Index(r.doc[r.at:], end)
	if n < 0 {
		return "", r.wrong("it ends too early")
	}
	text := r.doc[r.at : r.at+n]
	r.at += n + len(end)
	return text, nil
}

// skip goes past the text if it comes next.
func (r *Reader) skip(text string) bool {
	if !strings.HasPrefix(r.doc[r.at:], text) {
		return false
	}
	r.at += len(text)
	return true
}

// space goes past white space and reports whether there was some.
func (r *Reader) space() bool {
	begin := r.at
	for r.at < len(r.doc) && strings.IndexByte(" \n\t\r", r.doc[r.at]) >= 0 {
		r.at++
	}
	return r.at > begin
}

func (r *Reader) wrong(reason string) error {
	return &Error{Line: r.line + strings.Count(r.doc[:r.at], "\n"), Reason: reason}
}

// BadRune finds the first character that XML 1.0 cannot hold: control
// characters other than tab, line feed and carriage return, surrogates, U+FFFE,
// U+FFFF, and bytes that are not UTF-8.
func BadRune(s string) (r rune, bad bool) {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return r, true
			}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return r, true
		}
	}
	return 0, false
}

// Append appends the text, escaped as the content of an element. It is the
// caller's that it has no [BadRune].
func Append(b []byte, s string) []byte {
	begin := 0
	for i := range len(s) {
		var escaped string
		switch s[i] {
		case '&':
			escaped = "&amp;"
		case '<':
			escaped = "&lt;"
		case '>': // for the sake of "]]>"
			escaped = "&gt;"
		case '\r': // a reader would make a line feed of it
			escaped = "&#xD;"
		default:
			continue
		}
		b = append(append(b, s[begin:i]...), escaped...)
		begin = i + 1
	}
	return append(b, s[begin:]...)
}
