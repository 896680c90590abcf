package diagnose

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

// The fields of an envelope, as the operations with p name them, and the cert,
// which no field has and every signature.
const (
	fieldMerchant = "pMerCode"
	fieldCode     = "pErrCode"
	fieldText     = "pErrMsg"
	fieldBody     = "p3DesXmlPara"
	fieldSign     = "pSign"
	fieldAccount  = "argIpsAccount"
	partCert      = "cert"
)

// fieldNames are the names in lower case; some platforms do not tell the cases
// apart.
var fieldNames = map[string]string{
	"argmercode": fieldMerchant, "pmercode": fieldMerchant,
	"arg3desxmlpara": fieldBody, "p3desxmlpara": fieldBody,
	"argsign": fieldSign, "psign": fieldSign,
	"perrcode": fieldCode, "perrmsg": fieldText, "argipsaccount": fieldAccount,
}

// message is what was captured.
type message struct {
	shape    string // in a word or two
	fields   map[string]string
	twice    []string // names of fields that came again
	document []byte   // a document without an envelope
	bodyless bool     // a query's name or answer was seen
	size     int      // of all values
}

// maxFields bounds the repetitions that are kept.
const maxFields = 32

func (m *message) keep(name, value string) {
	known, ok := fieldNames[strings.ToLower(name)]
	_, again := m.fields[known]
	switch m.size += len(value); {
	case !ok || m.size > MaxInput:
	case !again:
		m.fields[known] = value
	case len(m.twice) < maxFields:
		m.twice = append(m.twice, known)
	}
}

// answer reports whether the message came from the platform.
func (m *message) answer() bool {
	_, code := m.fields[fieldCode]
	_, text := m.fields[fieldText]
	return code || text
}

// query reports whether the message is of a query that has no body.
func (m *message) query() bool {
	_, body := m.fields[fieldBody]
	return !body && (m.bodyless || m.fields[fieldAccount] != "")
}

const anyName = `(?:(?:arg|p)(?:MerCode|3DesXmlPara|Sign)|argIpsAccount|pErrCode|pErrMsg)`

var (
	headLine  = regexp.MustCompile(`^(?:(?:GET|POST|PUT) \S+(?: HTTP/[0-9.]+)?|HTTP/[0-9.]+ [0-9]{3}[^\n]*|[A-Za-z][A-Za-z0-9-]*:[ \t][^\n]*)\r?\n`)
	emptyLine = regexp.MustCompile(`\n\r?\n`)
	formStart = regexp.MustCompile(`(?i)(?:^|[^A-Za-z0-9])(` + anyName + `=)`)
	formPairs = regexp.MustCompile(`(?i)&(?:amp;)?` + anyName + `=`)
	looseName = regexp.MustCompile(`(?i)(?:^|[^A-Za-z0-9&])(` + anyName + `)["'\]]*[ \t]*(?:=>|=|:)[ \t]*`)
)

// read finds the fields in whatever was captured.
func read(data []byte) *message {
	m := &message{fields: map[string]string{}}
	if len(data) > MaxInput {
		return m
	}
	t := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	if line := headLine.Find(t); line != nil && !looseName.Match(line) {
		if at := emptyLine.FindIndex(t); at != nil {
			t = bytes.TrimSpace(t[at[1]:])
		}
	}
	switch {
	case bytes.HasPrefix(t, []byte("<")):
		m.markup(t, 0)
	case formPairs.Match(t):
		m.form(string(t))
	default:
		m.loose(string(t))
	}
	return m
}

// form reads name=value&name=value, also out of a URL or a line of a log.
func (m *message) form(s string) {
	m.shape = "form"
	at := formStart.FindStringSubmatchIndex(s) // which is there: a pair was found
	for pair := range strings.SplitSeq(s[at[2]:], "&") {
		name, raw, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(pair, "amp;")), "=")
		if name = fieldNames[strings.ToLower(name)]; name == "" {
			continue
		}
		if end := strings.IndexAny(raw, " \t\r\n\"'])}"); end >= 0 && name != fieldBody && name != fieldText {
			raw = raw[:end] // the rest of the line
		}
		if value, err := url.QueryUnescape(raw); err == nil {
			raw = value
		}
		m.keep(name, raw)
	}
}

var bodyText = regexp.MustCompile(`^(?:[A-Za-z0-9+/=_&#;%-]+(?:[ \t]*\r?\n[ \t]*|$))+`)

// loose reads lines of name=value or name: value and what programs print of a
// map. A value in quotes is read as in JSON.
func (m *message) loose(t string) {
	at := looseName.FindAllStringSubmatchIndex(t, maxFields)
	for i, a := range at {
		m.shape = "lines"
		name, end := fieldNames[strings.ToLower(t[a[2]:a[3]])], len(t)
		if i+1 < len(at) {
			end = max(a[1], at[i+1][2])
		}
		value, quoted := strings.TrimSpace(t[a[1]:end]), ""
		if strings.HasPrefix(value, `"`) && json.NewDecoder(strings.NewReader(value)).Decode(&quoted) == nil {
			m.keep(name, quoted)
			continue
		}
		line, _, _ := strings.Cut(value, "\n")
		if name == fieldBody {
			if all := strings.TrimRight(bodyText.FindString(value), " \t\r\n"); len(all) > len(line) {
				line = all
			}
		}
		m.keep(name, strings.TrimRight(line, " \t\r["))
	}
}

// element is one element of a document: its depth from 1, its name, and its text
// before any child.
type element struct {
	depth int
	name  string
	text  []byte
}

// maxElements and maxDepth bound a document. A transfer of 3000 rows has 27,000
// elements.
const maxElements, maxDepth = 100_000, 16

// elements lists the elements of a document in their order, as far as it could
// be read; at is where it could not.
func elements(t []byte) (out []element, at int64, err error) {
	d := xml.NewDecoder(bytes.NewReader(t))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) { return charset.NewReaderLabel(label, in) }
	var open []int
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return out, 0, nil
		case err != nil:
			return out, d.InputOffset(), err
		case len(out) >= maxElements, len(open) >= maxDepth:
			return out, d.InputOffset(), errTooLarge
		}
		switch x := token.(type) {
		case xml.StartElement:
			out = append(out, element{len(open) + 1, x.Name.Local, nil})
			open = append(open, len(out)-1)
		case xml.CharData:
			if last := len(out) - 1; len(open) > 0 && open[len(open)-1] == last {
				out[last].text = append(out[last].text, x...)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

// markup reads SOAP envelopes and their results, documents, and pages. A SOAP
// result is a document in a document.
func (m *message) markup(t []byte, depth int) {
	t = bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\uFEFF")))
	found, _, _ := elements(t)
	if len(found) == 0 || strings.EqualFold(found[0].name, "html") {
		m.page(t)
		return
	}
	m.shape = "XML"
	for _, e := range found {
		if (strings.HasSuffix(e.name, "Result") || e.name == "string") && bytes.HasPrefix(bytes.TrimLeft(e.text, " \t\r\n\uFEFF"), []byte("<")) && depth < 2 {
			m.markup(e.text, depth+1)
			return
		}
		m.keep(e.name, string(e.text))
	}
	_, sign := m.fields[fieldSign]
	_, body := m.fields[fieldBody]
	root := found[0].name
	switch {
	case sign || body:
		m.bodyless = m.answer() || slices.ContainsFunc(found, func(e element) bool { return e.name == "GetBankList" })
	case root == "pReq":
		m.document = t
		clear(m.fields)
	case root != "Envelope": // a page that is good XML, up to some place
		clear(m.fields)
		m.page(t)
	}
}

// page reads the inputs of a page. It builds no tree: some pages' trees are
// thousands of times larger than they.
func (m *message) page(t []byte) {
	m.shape = "page"
	for z := html.NewTokenizer(bytes.NewReader(t)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			attributes := map[string]string{}
			for _, a := range token.Attr {
				attributes[a.Key] = a.Val
			}
			if token.Data == "input" {
				m.keep(attributes["name"], attributes["value"])
			}
		}
	}
}
