package diagnose

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

type operation struct{ name, elements, row string }

//go:embed elements.tsv
var elementTable string

// operations are the elements of each operation's request, in the manual's
// order, and those of its rows (pDetails/pRow).
var operations = func() (all []operation) {
	for line := range strings.Lines(elementTable) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, operation{cells[0], cells[1], cells[2]})
	}
	return all
}()

var errTooLarge = errors.New("too many elements, or nested too deeply")

// declaration is an XML declaration that names an encoding.
var declaration = regexp.MustCompile(`^<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["'][^>]*\?>`)

// checkDocument judges the encoding of a document, its form, and the names and
// order of a request's elements.
func (d *diagnosis) checkDocument(doc []byte) {
	doc, bom := bytes.CutPrefix(doc, []byte("\uFEFF"))
	if bom {
		d.say("doc-bom")
	}
	label := ""
	if m := declaration.FindSubmatch(doc[:min(len(doc), 200)]); m != nil {
		label = strings.ToLower(string(m[1]))
	}
	declared := label != "" && label != "utf-8"
	switch gbk := isGBK(doc); {
	case gbk && declared && d.m.answer(): // which a reader can know
	case gbk:
		d.say("doc-encoding", "GBK")
		doc, _ = simplifiedchinese.GBK.NewDecoder().Bytes(declaration.ReplaceAll(doc, nil))
	case len(doc)-len(bytes.ToValidUTF8(doc, nil)) > 2: // not only cut within a character
		d.say("doc-encoding", "?")
		return
	case declared:
		d.say("doc-declared")
		doc = declaration.ReplaceAll(doc, nil)
	}
	found, at, err := elements(doc)
	switch {
	case !bytes.HasPrefix(doc, []byte("<")), len(found) > 0 && found[0].name != "pReq":
		d.say("doc-beginning")
	case err != nil || len(found) == 0:
		d.say("doc-xml", at, len(doc))
	default:
		d.checkElements(found)
	}
}

// checkElements compares the elements with those of the operation that they fit
// best. An answer's are not compared: the platform adds some and leaves some out.
func (d *diagnosis) checkElements(found []element) {
	var names []string
	var rows [][]string
	for _, e := range found[1:] {
		switch {
		case e.depth == 2:
			names = append(names, e.name)
		case e.depth == 3:
			rows = append(rows, nil)
		case e.depth == 4 && len(rows) > 0:
			rows[len(rows)-1] = append(rows[len(rows)-1], e.name)
		}
	}
	var op operation
	var f faults
	for i := range operations {
		var g faults
		if g.compare(names, operations[i].elements); i == 0 || len(g.unknown)+len(g.absent) < len(f.unknown)+len(f.absent) {
			op, f = operations[i], g
		}
	}
	d.say("doc-ok", len(found))
	if d.m.answer() || d.m.document != nil && slices.Contains(names, "pIpsBillNo") {
		f = faults{twice: f.twice}
		rows = nil
	}
	for _, row := range rows {
		f.compare(row, op.row)
	}
	d.list("doc-twice", f.twice)
	d.list("doc-unknown", f.unknown)
	d.list("doc-absent", f.absent)
	d.list("doc-order", f.order)
	if len(f.order)+len(f.unknown) > 0 {
		d.say("doc-contract", op.name, strings.TrimSpace(op.elements+" / pRow: "+op.row))
	}
}

// faults are the names of elements by what is odd with them. Those in order
// stand behind one that they belong before.
type faults struct{ twice, unknown, absent, order []string }

// compare takes names, and those that they should be with blanks between.
func (f *faults) compare(names []string, contract string) {
	want, last, seen := strings.Fields(contract), 0, map[string]bool{}
	for _, n := range names {
		at := slices.Index(want, n)
		switch {
		case seen[n]:
			f.twice = append(f.twice, shown(n))
		case at < 0:
			f.unknown = append(f.unknown, shown(n))
		case at < last:
			f.order = append(f.order, n)
		}
		seen[n], last = true, max(last, at)
	}
	for _, n := range want {
		if !seen[n] {
			f.absent = append(f.absent, n)
		}
	}
}

// nameForm is the form of the interface's names. Another one may be a part of a
// text that was not escaped, and is not shown.
var nameForm = regexp.MustCompile(`^(?i:p)?[A-Z][A-Za-z]{2,20}[1-9]?$|^p[a-z]{3,20}$`)

func shown(name string) string {
	if nameForm.MatchString(name) {
		return "<" + name + ">"
	}
	return fmt.Sprintf("<%d characters>", utf8.RuneCountInString(name))
}
