package diagnose

import (
	"bytes"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// MaxInput bounds a message.
const MaxInput = 16 << 20

// field is one field of the envelope as it was captured.
type field struct {
	name  string // as the message spells it
	value string
	raw   string // before percent-decoding; empty in other shapes
}

// message is what was captured.
type message struct {
	shape       string // in words
	fields      []field
	elements    []field // of a result document: all of them, for the queries' signature
	document    []byte  // a document without an envelope
	path        string  // of the request line or the form's action
	call        string  // SOAP operation
	contentType string
	form        bool // the fields came percent-encoded
}

// role is what a field is for, whichever of its two names it has.
type role string

const (
	roleMerchant role = "merchant code"
	roleCode     role = "error code"
	roleText     role = "error message"
	roleBody     role = "body"
	roleSign     role = "signature"
	roleAccount  role = "account"
	roleMemo     role = "memo"
	roleCert     role = "cert" // of signed texts; no field has it
)

var roles = map[string]role{
	"argMerCode": roleMerchant, "pMerCode": roleMerchant,
	"arg3DesXmlPara": roleBody, "p3DesXmlPara": roleBody,
	"argSign": roleSign, "pSign": roleSign,
	"pErrCode": roleCode, "pErrMsg": roleText,
	"argIpsAccount": roleAccount, "argMemo": roleMemo,
}

// wireName is the right spelling of a field's name, "" if it is none.
func wireName(name string) string {
	if _, ok := roles[name]; ok {
		return name
	}
	for right := range roles {
		if strings.EqualFold(right, name) {
			return right
		}
	}
	return ""
}

// get returns the first field of a role.
func (m *message) get(r role) (f field, ok bool) {
	for _, f := range m.fields {
		if roles[wireName(f.name)] == r {
			return f, true
		}
	}
	return field{}, false
}

func (m *message) text(r role) string {
	f, _ := m.get(r)
	return f.value
}

// answer reports whether the message came from the platform.
func (m *message) answer() bool {
	_, code := m.get(roleCode)
	_, text := m.get(roleText)
	return code || text
}

// keep takes a field if it is one of the envelope.
func (m *message) keep(f field) bool {
	if wireName(f.name) == "" {
		return false
	}
	m.fields = append(m.fields, f)
	return true
}

// read finds the fields in whatever was captured, and reports the shape.
func read(data []byte, r *Report) *message {
	m := &message{}
	if len(data) > MaxInput {
		r.wrong(stepMessage, "input-too-large", "Give one message only.", "The input has more than %d MiB.", MaxInput>>20)
		return m
	}
	text := decodeInput(data, r)
	text = m.head(text, r)
	m.content(text, r, 0)
	return m
}

// decodeInput undoes what editors and shells do to a file.
func decodeInput(data []byte, r *Report) []byte {
	for _, bom := range []string{"\xFF\xFE", "\xFE\xFF"} {
		if bytes.HasPrefix(data, []byte(bom)) {
			out, _, err := transform.Bytes(unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder(), data)
			if err == nil {
				r.note(stepMessage, "input-utf16", "The input is UTF-16, as a redirection in PowerShell writes it; it was read as such.")
				return out
			}
		}
	}
	return bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
}

var (
	startLine  = regexp.MustCompile(`^(?:(?:GET|POST|PUT) (\S+)(?: HTTP/[0-9.]+)?|HTTP/[0-9.]+ [0-9]{3}[^\n]*?)[ \t]*\r?\n`)
	headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*:[ \t]`)
	httpHeader = regexp.MustCompile(`(?im)^(?:content-type|content-length|host|soapaction|user-agent|accept):[ \t]`)
	curlTrace  = regexp.MustCompile(`(?m)^> (?:GET|POST|PUT) `)
)

// head takes HTTP headers off, of a request or an answer, as curl -v prints them
// or plain, and keeps what they say.
func (m *message) head(text []byte, r *Report) []byte {
	text = bytes.TrimLeft(text, " \t\r\n")
	if curlTrace.Match(text) {
		text = untrace(text)
	}
	for range 8 { // a request, 100 Continue, an answer
		var headers []byte
		if at := startLine.FindSubmatchIndex(text); at != nil {
			if at[2] >= 0 {
				m.path = string(text[at[2]:at[3]])
			}
			text = text[at[1]:]
			headers, text = cutHead(text)
		} else if h, rest := cutHead(text); rest != nil && headerLine.Match(h) && httpHeader.Match(h) {
			headers, text = h, rest
		} else {
			break
		}
		text = m.headers(headers, text, r)
	}
	return text
}

// untrace drops what curl -v puts before each line.
func untrace(text []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(line, []byte("> ")), bytes.HasPrefix(line, []byte("< ")):
			out.Write(line[2:])
		case bytes.HasPrefix(line, []byte(">")), bytes.HasPrefix(line, []byte("<\n")), bytes.HasPrefix(line, []byte("<\r")):
			out.Write(line[1:])
		case bytes.HasPrefix(line, []byte("* ")), bytes.HasPrefix(line, []byte("{ [")), bytes.HasPrefix(line, []byte("} [")):
		default:
			out.Write(line)
		}
	}
	return out.Bytes()
}

// cutHead splits at the first empty line; rest is nil if there is none.
func cutHead(text []byte) (head, rest []byte) {
	for i := 0; i < len(text); {
		end := bytes.IndexByte(text[i:], '\n')
		if end < 0 {
			return text, nil
		}
		if len(bytes.TrimRight(text[i:i+end], "\r")) == 0 {
			return text[:i], text[i+end+1:]
		}
		i += end + 1
	}
	return text, nil
}

func (m *message) headers(headers, body []byte, r *Report) []byte {
	length, chunked := -1, false
	for line := range bytes.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-type":
			m.contentType = value
		case "soapaction":
			action := strings.Trim(value, `"`)
			m.call = action[strings.LastIndexByte(action, '/')+1:]
		case "content-length":
			if n, err := strconv.Atoi(value); err == nil {
				length = n
			}
		case "transfer-encoding":
			chunked = strings.Contains(strings.ToLower(value), "chunked")
		case "content-encoding":
			if v := strings.ToLower(value); v != "identity" && (bytes.HasPrefix(body, []byte("\x1f\x8b")) || v == "br") {
				r.wrong(stepMessage, "http-compressed", "Save the decoded message: curl --compressed, or the browser's own view of it.",
					"The body is compressed and was captured that way.")
			}
		}
	}
	if chunked {
		body = unchunk(body)
	}
	switch n := len(body); {
	case length > 0 && n > length && len(bytes.TrimSpace(body[length:])) == 0:
		body = body[:length]
	case length > 0 && n > 0 && n < length-1:
		r.note(stepMessage, "http-cut", "The headers announce %d bytes and %d are here: the capture is cut, or line ends were changed.", length, n)
	}
	return body
}

// unchunk joins the chunks, or returns the body as it is if a tool has done that
// already.
func unchunk(body []byte) []byte {
	var out []byte
	for rest := body; ; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		size, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		switch {
		case err != nil || !found && n > 0 || int(n) > len(after):
			return body
		case n == 0:
			return out
		}
		out = append(out, after[:n]...)
		rest = bytes.TrimLeft(after[n:], "\r\n")
	}
}

const anyName = `(?:argMerCode|arg3DesXmlPara|argSign|argIpsAccount|argMemo|pMerCode|p3DesXmlPara|pSign|pErrCode|pErrMsg)`

var (
	urlLine   = regexp.MustCompile(`^(?:https?://|/)[^\s?]*\?\S+$`)
	formPairs = regexp.MustCompile(`(?i)&(?:amp;)?` + anyName + `=`)
	formStart = regexp.MustCompile(`(?i)(?:^|[^A-Za-z0-9])(` + anyName + `=)`)
	curlData  = regexp.MustCompile(`(?s)\s(?:-d|--data(?:-raw|-binary|-ascii|-urlencode)?)[ =]\$?(?:'([^']*)'|"([^"]*)")`)
	curlURL   = regexp.MustCompile(`https?://[^\s'"]+`)
)

// content finds the fields behind the headers. It calls itself for a message
// that is wrapped into another, but not again and again.
func (m *message) content(text []byte, r *Report, depth int) {
	t := bytes.TrimSpace(text)
	if depth > 3 {
		return
	}
	switch {
	case len(t) == 0:
		if _, query, ok := strings.Cut(m.path, "?"); ok {
			m.query(query, "the query of the request line", r)
		}
	case t[0] == '<':
		m.markup(t, r)
	case bytes.HasPrefix(t, []byte("&lt;")):
		r.note(stepMessage, "input-escaped", "The input is escaped XML, as a SOAP result holds it; it was unescaped.")
		m.content([]byte(html.UnescapeString(string(t))), r, depth+1)
	case (t[0] == '{' || t[0] == '[') && m.json(t, r, depth):
	case bytes.HasPrefix(t, []byte("curl ")) && m.curl(string(t), r, depth):
	case urlLine.Match(t):
		path, query, _ := strings.Cut(string(t), "?")
		m.path = path
		m.query(query, "a URL with a query", r)
	case formPairs.Match(t):
		m.formBody(string(t), r)
	default:
		m.loose(string(t))
	}
}

func (m *message) query(query, shape string, r *Report) {
	query, _, _ = strings.Cut(query, "#")
	m.shape = shape
	m.pairs(query, r)
}

// formBody reads a form post, also out of a log line.
func (m *message) formBody(t string, r *Report) {
	at := formStart.FindStringSubmatchIndex(t)
	if at == nil {
		return
	}
	prefix, body := t[:at[2]], t[at[2]:]
	if prefix != "" {
		switch end := prefix[len(prefix)-1]; end {
		case '?':
			m.path = strings.TrimSuffix(prefix[strings.LastIndexAny(prefix, " \t\n\"'")+1:], "?")
		case '"', '\'', '[', '{', '(':
			closing := strings.NewReplacer("[", "]", "{", "}", "(", ")").Replace(string(end))
			body, _, _ = strings.Cut(body, closing)
		}
		if end := strings.IndexAny(body, " \t\n"); end >= 0 && !strings.Contains(body[end:], "&") && !isBase64Text(body[end:]) {
			body = body[:end] // the rest of the log line
		}
		if !strings.HasSuffix(prefix, "&") {
			r.note(stepMessage, "input-prefix", "%s before the first field were skipped.", count(len(prefix), "character"))
		}
	}
	m.shape = "a form post (application/x-www-form-urlencoded)"
	m.pairs(body, r)
}

func isBase64Text(s string) bool {
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_ \t\r\n") == ""
}

// torn is an HTML escape in a value, whose & separates no fields.
var torn = regexp.MustCompile(`&(amp;#|#)`)

// pairs reads name=value&name=value.
func (m *message) pairs(s string, r *Report) {
	m.form = true
	escaped := false
	var bad []string
	s = torn.ReplaceAllString(s, "\x00$1")
	for pair := range strings.SplitSeq(s, "&") {
		pair = strings.ReplaceAll(pair, "\x00", "&")
		pair, amp := strings.CutPrefix(pair, "amp;")
		name, raw, _ := strings.Cut(strings.TrimLeft(pair, " \t\r\n"), "=")
		if wireName(name) == "" {
			continue
		}
		escaped = escaped || amp
		raw = strings.TrimRight(raw, " \t\r\n")
		if of := roles[wireName(name)]; of != roleBody && of != roleText {
			if i := strings.IndexAny(raw, " \t\r\n"); i > 0 {
				raw = raw[:i] // the rest of a log line
			}
		}
		value, err := url.QueryUnescape(raw)
		if err != nil {
			bad = append(bad, name)
			value = raw
		}
		m.keep(field{name, value, raw})
	}
	if escaped {
		r.note(stepMessage, "input-escaped", "The fields are separated by &amp; as in the source of a page; they were read as if by &.")
	}
	if len(bad) > 0 {
		r.wrong(stepMessage, "form-percent", "Percent-encode each value once: URLEncoder.encode, http_build_query, encodeURIComponent.",
			"%s has a %% that begins no percent-encoding.", strings.Join(bad, ", "))
	}
}

// json reads an object with the fields as members, or the entries of a browser's
// developer tools: objects with name and value, or a member that holds the post.
func (m *message) json(t []byte, r *Report, depth int) bool {
	d := json.NewDecoder(bytes.NewReader(t))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return false
	}
	var inner []string
	m.member("", v, &inner, 0)
	if len(m.fields) > 0 {
		m.shape = "a JSON object"
		return true
	}
	for _, text := range inner {
		if len(m.fields) == 0 && m.document == nil {
			m.content([]byte(text), r, depth+1)
		}
	}
	if len(m.fields) == 0 {
		return false
	}
	m.shape += ", in a JSON object"
	return true
}

func (m *message) member(name string, v any, inner *[]string, depth int) {
	if depth > 8 {
		return
	}
	switch x := v.(type) {
	case string:
		switch {
		case m.keep(field{name: name, value: x}):
		case formStart.MatchString(x), strings.Contains(x, "Envelope"):
			*inner = append(*inner, x)
		}
		if strings.EqualFold(name, "url") && m.path == "" {
			m.path = x
		}
	case json.Number:
		m.keep(field{name: name, value: x.String()})
	case nil:
		m.keep(field{name: name})
	case []any:
		for _, e := range x {
			m.member("", e, inner, depth+1)
		}
	case map[string]any:
		if n, value, ok := nameAndValue(x); ok && m.keep(field{name: n, value: value}) {
			return
		}
		var names []string
		for n := range x {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			m.member(n, x[n], inner, depth+1)
		}
	}
}

func nameAndValue(x map[string]any) (name, value string, ok bool) {
	for key, v := range x {
		s, isText := v.(string)
		switch {
		case isText && strings.EqualFold(key, "name"):
			name = s
		case isText && strings.EqualFold(key, "value"):
			value, ok = s, true
		}
	}
	return name, value, ok && name != ""
}

// curl reads a command line as the developer tools copy it.
func (m *message) curl(t string, r *Report, depth int) bool {
	if u := curlURL.FindString(t); u != "" {
		m.path = u
	}
	var data []string
	for _, match := range curlData.FindAllStringSubmatch(t, -1) {
		data = append(data, match[1]+match[2])
	}
	if len(data) == 0 {
		return false
	}
	m.content([]byte(strings.Join(data, "&")), r, depth+1)
	if len(m.fields) == 0 {
		return false
	}
	m.shape += ", of a curl command"
	return true
}

var (
	looseName  = regexp.MustCompile(`(?im)(?:^|[^A-Za-z0-9])(` + anyName + `)["'\]]*[ \t]*(?:=>|=|:|\r?\n)[ \t]*`)
	base64Line = regexp.MustCompile(`^[A-Za-z0-9+/=_-]*$`)
)

// loose reads one field a line or the print-outs of programs: name=value,
// name: value, [name] => value, {name=value, …}.
func (m *message) loose(t string) {
	at := looseName.FindAllStringSubmatchIndex(t, 64)
	if len(at) == 0 {
		return
	}
	m.shape = "lines of names and values"
	values := make([]string, len(at))
	commas := strings.HasPrefix(strings.TrimSpace(t), "{")
	ends := 0
	for i, a := range at {
		end := len(t)
		if i+1 < len(at) {
			end = max(a[1], at[i+1][0])
		}
		if values[i] = t[a[1]:end]; strings.HasSuffix(strings.TrimSpace(values[i]), ",") {
			ends++
		}
	}
	commas = commas || len(at) > 1 && ends >= len(at)-1
	for i, a := range at {
		name := t[a[2]:a[3]]
		m.keep(field{name: name, value: looseValue(values[i], roles[wireName(name)], commas)})
	}
}

// looseValue takes off what belongs to the print-out; commas says that commas
// and braces do.
func looseValue(s string, r role, commas bool) string {
	s = strings.TrimRight(s, " \t\r\n")
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if end := strings.LastIndexByte(s, s[0]); end > 0 {
			return s[1:end]
		}
	}
	lines := strings.SplitAfter(s, "\n")
	var b strings.Builder
	b.WriteString(lines[0])
	for _, line := range lines[1:] {
		if r != roleBody || !base64Line.MatchString(strings.TrimSpace(line)) {
			break
		}
		b.WriteString(strings.TrimLeft(line, " \t"))
	}
	keep := strings.TrimRight(b.String(), " \t\r\n")
	if commas {
		keep = strings.TrimRight(keep, ",}")
	}
	if r != roleBody && r != roleText {
		if i := strings.IndexAny(keep, " \t,;"); i > 0 {
			keep = keep[:i]
		}
	}
	return keep
}
