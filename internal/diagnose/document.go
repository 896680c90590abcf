package diagnose

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/simplifiedchinese"
	encunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/codec"
)

// node is an element of a document.
type node struct {
	name     string
	text     []byte
	attrs    bool
	spaced   bool // white space between its children
	children []*node
}

const (
	maxNodes = 200_000
	maxDepth = 16
)

// checkDocument judges a document against the contract.
func checkDocument(doc []byte, m *message, r *Report) {
	if len(doc) == 0 {
		r.note(stepDocument, "doc-empty-document", "The document is empty.")
		return
	}
	doc = documentText(doc, m, r)
	root := parse(doc, m, r)
	if root == nil {
		return
	}
	if root.name != "pReq" {
		r.wrong(stepDocument, "doc-root", "The root element is <pReq>, in requests and answers.", "The root element is not <pReq>: it is %s.", shown(root.name, nil))
		return
	}
	if root.attrs {
		r.wrong(stepDocument, "doc-attributes", "Write plain elements: no attributes, no namespaces (no xmlns, no xsi).", "An element has attributes.")
	}
	if root.spaced && !m.answer() {
		r.note(stepDocument, "doc-pretty", "The document is indented. The contract has no white space between elements; a parser skips it.")
	}
	checkElements(root, m, r)
}

// documentText checks the document's first bytes and its encoding, and gives it
// in UTF-8.
func documentText(doc []byte, m *message, r *Report) []byte {
	if utf16Mark(doc) {
		out, _, err := transform.Bytes(encunicode.UTF16(encunicode.LittleEndian, encunicode.UseBOM).NewDecoder(), doc)
		if err == nil {
			r.wrong(stepDocument, "doc-utf16", "Encode the document in UTF-8 before encrypting (.NET: Encoding.UTF8, not Encoding.Unicode).", "The document is UTF-16.")
			return bytes.TrimPrefix(out, []byte("\uFEFF"))
		}
	}
	if rest, bom := bytes.CutPrefix(doc, []byte("\uFEFF")); bom {
		doc = rest
		if rest, again := bytes.CutPrefix(doc, []byte("\uFEFF")); again {
			doc = rest
			r.wrong(stepDocument, "doc-bom-twice", "Let one place write it, or none.", "The document begins with two byte order marks.")
		} else if m.answer() {
			r.note(stepDocument, "doc-bom", "The document begins with a byte order mark, as the platform's answers do: strip the three bytes EF BB BF before parsing.")
		} else {
			r.note(stepDocument, "doc-bom", "The document begins with a byte order mark. The platform's answers do, requests need none: leave it out (.NET: new UTF8Encoding(false)).")
		}
	}
	switch {
	case utf8.Valid(doc):
		if label := declared(doc); label != "" && !strings.EqualFold(label, "utf-8") {
			r.wrong(stepDocument, "doc-declared", `Write encoding="utf-8" into the XML declaration.`, "The document is UTF-8 and its declaration names another encoding.")
			doc = declaration.ReplaceAll(doc, nil)
		}
	case isGBK(doc):
		label := declared(doc)
		if m.answer() && label != "" && !strings.EqualFold(label, "utf-8") {
			r.note(stepDocument, "doc-declared", "The document is in GBK and says so.")
		} else {
			r.wrong(stepDocument, "doc-gbk", `Encode the document in UTF-8 before encrypting: getBytes("UTF-8"), Encoding.UTF8, iconv in PHP.`,
				"The document is in GBK bytes, not in UTF-8 (first at byte %d).", firstInvalid(doc)+1)
		}
		if out, err := simplifiedchinese.GBK.NewDecoder().Bytes(doc); err == nil {
			doc = declaration.ReplaceAll(out, nil)
		}
	case firstInvalid(doc) > len(doc)-utf8.UTFMax && !utf8.FullRune(doc[firstInvalid(doc):]):
		doc = doc[:firstInvalid(doc)] // cut within a character; that it is cut is said below
	default:
		r.wrong(stepDocument, "doc-not-utf8", "Encode the document in UTF-8 before encrypting.", "The document is not UTF-8, first at byte %d of %d.", firstInvalid(doc)+1, len(doc))
		doc = bytes.ToValidUTF8(doc, []byte("?"))
	}
	return beginning(doc, r)
}

// beginning checks what stands before the declaration or the root.
func beginning(doc []byte, r *Report) []byte {
	if begins(doc) {
		return doc
	}
	const remedy = "Begin with <?xml or <pReq at the first byte."
	if t := bytes.TrimLeft(doc, " \t\r\n"); len(t) < len(doc) && begins(t) {
		r.wrong(stepDocument, "doc-leading-space", remedy, "White space stands before the document: %s.", count(len(doc)-len(t), "byte"))
		return t
	}
	at := bytes.Index(doc, []byte("<pReq"))
	if x := bytes.Index(doc, []byte("<?xml")); x >= 0 && (at < 0 || x < at) {
		at = x
	}
	if at < 0 {
		r.wrong(stepDocument, "doc-beginning", remedy, "The document does not begin with <?xml or <pReq, and has neither.")
		return doc
	}
	r.wrong(stepDocument, "doc-beginning", remedy, "The document does not begin with <?xml or <pReq: that comes after %s.", count(at, "byte"))
	return doc[at:]
}

var declaration = regexp.MustCompile(`^<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["'][^>]*\?>`)

func declared(doc []byte) string {
	if match := declaration.FindSubmatch(doc[:min(len(doc), 200)]); match != nil {
		return string(match[1])
	}
	return ""
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// parse reads the document, nil if it cannot be.
func parse(doc []byte, m *message, r *Report) *node {
	d := newDecoder(doc)
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) { return charset.NewReaderLabel(label, in) }
	var root *node
	var open []*node
	nodes, afterEnd := 0, false
	fail := func(id, remedy, format string, args ...any) *node {
		r.wrong(stepDocument, id, remedy, format, args...)
		return nil
	}
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			where := ""
			if len(open) > 0 {
				where = ", in or behind " + shown(open[len(open)-1].name, allNames(m.answer()))
			}
			return fail("doc-xml", xmlRemedy(err), "The document is not well-formed XML: %s%s, at byte %d of %d.", xmlProblem(err), where, d.InputOffset(), len(doc))
		}
		switch x := token.(type) {
		case xml.StartElement:
			if nodes++; nodes > maxNodes || len(open) >= maxDepth {
				return fail("doc-size", "", "The document has more than %d elements, or they are nested too deeply.", maxNodes)
			}
			n := &node{name: x.Name.Local, attrs: len(x.Attr) > 0}
			switch {
			case len(open) > 0:
				open[len(open)-1].children = append(open[len(open)-1].children, n)
				root.attrs = root.attrs || n.attrs
			case root == nil:
				root = n
			default:
				afterEnd = true
			}
			open = append(open, n)
		case xml.EndElement:
			n := open[len(open)-1]
			if len(n.children) > 0 && len(n.text) > 0 {
				root.spaced = true
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				n := open[len(open)-1]
				n.text = append(n.text, x...)
			} else if len(bytes.TrimSpace(x)) > 0 {
				afterEnd = true
			}
		case xml.Directive:
			return fail("doc-doctype", "Leave it out.", "The document has a document type or another directive.")
		}
	}
	if root == nil {
		return fail("doc-xml", "", "The document has no element.")
	}
	if afterEnd {
		r.wrong(stepDocument, "doc-after-end", "End with </pReq>.", "Something stands outside the root element.")
	}
	return root
}

func xmlRemedy(err error) string {
	switch p := xmlProblem(err); {
	case strings.Contains(p, "an &"):
		return "Escape & as &amp; in every text, URLs above all, or wrap the text in CDATA."
	case strings.Contains(p, "too early"):
		return "The document was cut before it was encrypted: look for a length in characters where bytes are meant, and for a buffer that is too short."
	case strings.Contains(p, "a <"):
		return "Escape < as &lt; in every text, or wrap the text in CDATA."
	default:
		return "Write the document with an XML library, or escape & < > in every text."
	}
}

// namePattern is the form of the interface's names. Another one may be a part of
// a text that was not escaped, and is not shown.
var namePattern = regexp.MustCompile(`^(?:p|arg)[A-Z0-9][A-Za-z]{0,38}[0-9]?$`)

// shown gives an element's name if it is one, or almost one.
func shown(name string, names []string) string {
	if namePattern.MatchString(name) || slices.Contains(names, name) || closest(name, names) != "" {
		return "<" + name + ">"
	}
	return fmt.Sprintf("an element with a name of %s", count(utf8.RuneCountInString(name), "character"))
}

// closest is the known name that another one was meant to be, "" if there is
// none near.
func closest(name string, names []string) string {
	if len(name) > 40 {
		return ""
	}
	best, least := "", 1+max(1, len(name)/4)
	for _, n := range names {
		if strings.EqualFold(n, name) || strings.EqualFold(n, "p"+name) {
			return n
		}
		if d := distance(strings.ToLower(n), strings.ToLower(name)); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// contractOf is what a direction of an operation is made of.
func contractOf(op *ips.OperationInfo, answer bool) []codec.Field {
	if answer {
		return codec.Fields(op.Response)
	}
	fields := slices.Clone(codec.Fields(op.Request))
	for i := range fields {
		if f := &fields[i]; f.Variant { // of this operation it is a constant
			f.IsConst, f.Const = true, op.Variant.Text
		}
	}
	return fields
}

func fieldNames(fields []codec.Field) []string {
	var out []string
	for i := range fields {
		out = append(out, fields[i].Name)
	}
	return out
}

// allNames are the names of all documents of a direction.
func allNames(answer bool) []string {
	out := []string{"pReq", "pRow", "pDetails"}
	for _, op := range ips.Operations() {
		for _, f := range contractOf(&op, answer) {
			out = append(out, f.Name)
			if f.Row != "" {
				out = append(out, fieldNames(codec.Fields(f.Type.Elem()))...)
			}
		}
	}
	return out
}

// guess finds the operation: among those that the message's address allows, the
// one whose elements fit best. others are those that fit as well.
func guess(root *node, m *message, answer bool) (best *ips.OperationInfo, others []ips.Operation) {
	children := root.children[:min(len(root.children), 200)] // the longest contract has 26
	names := make([]string, len(children))
	texts := map[string]string{}
	for i, c := range children {
		names[i] = c.name
		texts[c.name] = string(c.text)
	}
	most := 0
	for _, op := range m.addressed() {
		if op.Transport == ips.QueryService {
			continue
		}
		score := fitness(contractOf(&op, answer), names, texts)
		switch {
		case best == nil || score > most:
			best, most, others = &op, score, nil
		case score == most:
			others = append(others, op.Operation)
		}
	}
	return best, others
}

// addressed are the operations that the path or the call of a message allows;
// all, where it has neither.
func (m *message) addressed() []ips.OperationInfo {
	all := ips.Operations()
	path, _, _ := strings.Cut(m.path, "?")
	last := path[strings.LastIndexByte(path, '/')+1:]
	var out []ips.OperationInfo
	for _, op := range all {
		if last != "" && (strings.EqualFold(op.Endpoint, last) || string(op.Operation) == last) || m.call != "" && strings.EqualFold(op.Endpoint, m.call) {
			out = append(out, op)
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}

// fitness counts what speaks for a contract: elements that it has, and
// constants; against it elements that it has not and those that are missing.
func fitness(fields []codec.Field, names []string, texts map[string]string) int {
	score := 0
	for _, n := range names {
		if slices.ContainsFunc(fields, func(f codec.Field) bool { return f.Name == n || f.Alias == n }) {
			score += 4
		} else {
			score -= 2
		}
	}
	for _, f := range fields {
		text, here := texts[f.Name]
		switch {
		case !here:
			score--
		case f.IsConst && f.Const != text:
			score--
		case f.IsConst:
			score++
		}
	}
	return score
}

// faults are the names of elements by what is wrong with them.
type faults struct {
	missing, absent, unknown, twice, empty, constant, order, misspelt list
}

// list is the first of many names, and how many there are.
type list struct {
	n     int
	first []string
}

func (l *list) add(format string, args ...any) {
	if l.n++; len(l.first) < 6 {
		l.first = append(l.first, fmt.Sprintf(format, args...))
	}
}

func (l *list) String() string {
	s := strings.Join(l.first, ", ")
	if more := l.n - len(l.first); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// checkElements compares the elements with the contract's.
func checkElements(root *node, m *message, r *Report) {
	answer := m.answer()
	if m.document != nil {
		answer = looksLikeAnswer(root)
	}
	op, others := guess(root, m, answer)
	if op == nil {
		return
	}
	kind := "request"
	if answer {
		kind = "answer"
	}
	or := ""
	for _, o := range others {
		or += " or " + string(o)
	}
	before := len(r.Findings)
	var f faults
	children := root.children
	if answer { // which echoes its request, more of it or less
		echo := fieldNames(contractOf(op, false))
		own := fieldNames(contractOf(op, true))
		seen := map[string]bool{}
		children = slices.DeleteFunc(slices.Clone(children), func(c *node) bool {
			if slices.Contains(own, c.name) || !slices.Contains(echo, c.name) {
				return false
			}
			if seen[c.name] {
				f.twice.add("%s", c.name)
			}
			seen[c.name] = true
			return true
		})
	}
	f.compare(children, contractOf(op, answer), "", answer)
	r.ok(stepDocument, "doc-operation", "The document is of %s and well-formed; by address and elements it is the %s of %s%s.",
		count(len(root.children), "element"), kind, op.Operation, or)
	if answer {
		f.reportAnswer(r)
		if m.document == nil {
			outcome(op, root, m, r)
		}
	} else {
		f.reportRequest(r, op)
	}
	if m.document == nil && !answer {
		checkNameSet(op, m, r)
	}
	if !answer && !wrongSince(r, before) {
		r.ok(stepDocument, "doc-ok", "Names, order and constants are the contract's, and nothing that is required is empty.")
	}
}

func wrongSince(r *Report, n int) bool {
	return slices.ContainsFunc(r.Findings[n:], func(f Finding) bool { return f.Severity == Wrong })
}

// looksLikeAnswer decides about a document without an envelope: only answers
// have numbers and times of IPS.
func looksLikeAnswer(root *node) bool {
	return slices.ContainsFunc(root.children, func(c *node) bool {
		switch c.name {
		case "pIpsBillNo", "pIpsTime", "pP2PBillNo", "pIpsAcctDate", "pStatus", "pIpsDate", "pBidStatus":
			return true
		}
		return false
	})
}

// compare goes through the elements of one place.
func (f *faults) compare(children []*node, fields []codec.Field, path string, answer bool) {
	names := fieldNames(fields)
	find := func(name string) int {
		for i := range fields {
			// The platform's own misspellings are right in its answers only.
			if x := &fields[i]; x.Name == name || answer && x.Alias != "" && x.Alias == name {
				return i
			}
		}
		return -1
	}
	seen := map[int]bool{}
	var sequence []int
	var strangers []*node
	for _, c := range children {
		at := find(c.name)
		switch {
		case at < 0:
			strangers = append(strangers, c)
			continue
		case seen[at]:
			f.twice.add("%s", path+c.name)
			continue
		}
		seen[at] = true
		sequence = append(sequence, at)
		f.value(c, &fields[at], path, answer)
	}
	met := map[string]bool{}
	for i, c := range strangers {
		if i >= 50 { // no typing errors
			f.unknown.n += len(strangers) - i
			break
		}
		if met[c.name] {
			f.twice.add("%s", shown(c.name, nil))
			continue
		}
		met[c.name] = true
		free := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return seen[find(n)] })
		if near := closest(c.name, free); near != "" {
			f.misspelt.add("<%s> should be <%s>", c.name, path+near)
			seen[find(near)] = true
		} else if shownName := shown(c.name, names); path == "" {
			f.unknown.add("%s", shownName)
		} else {
			f.unknown.add("%s", strings.Replace(shownName, "<", "<"+path, 1))
		}
	}
	for i := range fields {
		switch x := &fields[i]; {
		case seen[i]:
		case required(x):
			f.missing.add("%s", path+x.Name)
		default:
			f.absent.add("%s", path+x.Name)
		}
	}
	for i := 1; i < len(sequence); i++ {
		if sequence[i] < sequence[i-1] {
			f.order.add("<%s> stands behind <%s> and belongs before it", path+fields[sequence[i]].Name, fields[sequence[i-1]].Name)
		}
	}
}

// value checks one element that the contract has.
func (f *faults) value(c *node, x *codec.Field, path string, answer bool) {
	switch {
	case x.Row != "":
		rows := 0
		for _, row := range c.children {
			if row.name != x.Row {
				f.unknown.add("%s", shown(row.name, []string{x.Row}))
				continue
			}
			rows++
			f.compare(row.children, codec.Fields(x.Type.Elem()), fmt.Sprintf("%s%s/%s[%d]/", path, c.name, row.name, rows), answer)
		}
		if rows == 0 {
			f.empty.add("%s", path+x.Name)
		}
	case x.IsConst && string(c.text) != x.Const:
		f.constant.add("<%s> must be %q", path+x.Name, x.Const)
	case len(bytes.TrimSpace(c.text)) == 0 && len(c.children) == 0 && required(x):
		f.empty.add("%s", path+x.Name)
	}
}

// required reports whether an element must be there with a text. How long a
// contract is valid may be empty where it is open-ended.
func required(f *codec.Field) bool {
	if f.IsConst {
		return f.Const != ""
	}
	return f.Type.Kind() != reflect.Int && !slices.Contains(strings.Split(f.Tag.Get("check"), ","), "optional")
}

func (f *faults) reportRequest(r *Report, op *ips.OperationInfo) {
	const contract = "Write the elements and their order as below, or make the request with the SDK."
	before := len(r.Findings)
	for _, x := range []struct {
		id, words, remedy string
		names             *list
	}{
		{"doc-duplicate", "Elements stand there twice", "Write each once.", &f.twice},
		{"doc-misspelt", "Names are misspelt", contract, &f.misspelt},
		{"doc-missing", "Required elements are missing", contract, &f.missing},
		{"doc-unknown", "The operation has no such element", contract, &f.unknown},
		{"doc-order", "The order is not the contract's", contract, &f.order},
		{"doc-constant", "Elements with one legal value have another", "Send the value that is named. Or it is another operation: look at the address.", &f.constant},
		{"doc-empty", "Required elements are empty", "Fill them in: look where the sending program takes their values from.", &f.empty},
	} {
		if x.names.n > 0 {
			r.wrong(stepDocument, x.id, x.remedy, "%s: %s.", x.words, x.names)
		}
	}
	if len(r.Findings) > before {
		r.note(stepDocument, "doc-contract", "The elements of %s, in order: %s.", op.Operation, contractNames(contractOf(op, false)))
	}
	if f.absent.n > 0 {
		r.note(stepDocument, "doc-absent", "Optional elements are left out: %s. The contract writes them empty.", &f.absent)
	}
}

// contractNames lists the elements of a request, with those of its rows.
func contractNames(fields []codec.Field) string {
	var out []string
	for _, f := range fields {
		name := f.Name
		if f.Row != "" {
			name += "/" + f.Row + " (" + contractNames(codec.Fields(f.Type.Elem())) + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// reportAnswer is milder: the platform sends what no document names and leaves
// things out.
func (f *faults) reportAnswer(r *Report) {
	if f.twice.n > 0 {
		r.wrong(stepDocument, "doc-duplicate", "No reader can know which to believe: this SDK refuses the document.", "Elements stand there twice: %s.", &f.twice)
	}
	if strange := (list{f.misspelt.n + f.unknown.n, append(f.misspelt.first, f.unknown.first...)}); strange.n > 0 {
		r.note(stepDocument, "doc-unknown", "The answer has elements that no document names; readers must skip them: %s.", &strange)
	}
}

// usualCode is the form of every code that was ever seen.
var usualCode = regexp.MustCompile(`^(?:MG[0-9]{5}[A-Z]|[0-9]{4})$`)

// outcome says what the answer says, as far as that is no secret.
func outcome(op *ips.OperationInfo, root *node, m *message, r *Report) {
	code := m.text(roleCode)
	if !usualCode.MatchString(code) {
		return
	}
	means := op.Outcome(ips.Code(code))
	r.note(stepDocument, "doc-outcome", "The code %s means %s for %s.", code, means, op.Operation)
	if means != ips.Failure && !slices.ContainsFunc(root.children, func(c *node) bool { return c.name == "pMerBillNo" }) {
		r.wrong(stepDocument, "doc-missing", "Only a refusal may come without an order number: this SDK refuses the document.", "The answer has no pMerBillNo.")
	}
}

// checkNameSet compares the envelope's names with those of the operation.
func checkNameSet(op *ips.OperationInfo, m *message, r *Report) {
	f, ok := m.get(roleBody)
	if !ok || strings.HasPrefix(wireName(f.name), "arg") == op.ArgNames {
		return
	}
	set := "pMerCode, p3DesXmlPara, pSign"
	if op.ArgNames {
		set = "argMerCode, arg3DesXmlPara, argSign"
	}
	r.wrong(stepDocument, "names-set", "Name the fields "+set+".", "The operation %s takes the other set of field names.", op.Operation)
}
