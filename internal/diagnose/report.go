// Package diagnose finds out why a captured message of the interface does not
// verify or cannot be read: it tries, with the merchant's keys, the ways in
// which programs are known to get it wrong and names the one that fits.
//
// A report holds names of elements, lengths and positions. It never holds a
// key, nor the text of a document, so that it can be pasted into a ticket.
package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity says what a finding means for the reader.
type Severity int

// The severities.
const (
	OK    Severity = iota + 1 // this part is as it should be
	Note                      // worth knowing, and nothing to mend
	Wrong                     // to be mended
)

// String gives the word that a report prints.
func (s Severity) String() string {
	switch s {
	case OK:
		return "ok"
	case Note:
		return "note"
	case Wrong:
		return "WRONG"
	default:
		return "unknown"
	}
}

// The steps, in the order in which a report goes through a message.
const (
	stepMessage   = "message"
	stepKeys      = "keys"
	stepMerchant  = "merchant"
	stepBody      = "base64"
	stepSignature = "signature"
	stepCipher    = "decryption"
	stepDocument  = "document"
)

// Finding is one thing that was found out.
type Finding struct {
	ID       string // short and stable, for programs and searches
	Step     string // the part of the message that it is about
	Severity Severity
	Text     string // what is so
	Remedy   string // what to do; empty if nothing
}

// Report is what was found out, in the order in which to read it.
type Report struct{ Findings []Finding }

// Wrong reports whether there is something to mend.
func (r Report) Wrong() bool {
	_, wrong := r.First()
	return wrong
}

// First is the first finding that is wrong. The later ones are often its
// consequences.
func (r Report) First() (f Finding, ok bool) {
	for _, f := range r.Findings {
		if f.Severity == Wrong {
			return f, true
		}
	}
	return Finding{}, false
}

func (r *Report) add(f Finding) { r.Findings = append(r.Findings, f) }

func (r *Report) ok(step, id, format string, args ...any) {
	r.add(Finding{ID: id, Step: step, Severity: OK, Text: fmt.Sprintf(format, args...)})
}

func (r *Report) note(step, id, format string, args ...any) {
	r.add(Finding{ID: id, Step: step, Severity: Note, Text: fmt.Sprintf(format, args...)})
}

func (r *Report) wrong(step, id, remedy, format string, args ...any) {
	r.add(Finding{ID: id, Step: step, Severity: Wrong, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

const (
	indent = 18 // columns before the text of a finding
	width  = 78 // columns of the text
)

// String renders the report for a terminal, with the verdict at its end.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		head := fmt.Sprintf("%-11s%-7s", f.Step, f.Severity)
		text := f.Text
		if f.Severity != OK {
			text = f.ID + ": " + text
		}
		paragraph(&b, head, text)
		if f.Remedy != "" {
			paragraph(&b, strings.Repeat(" ", indent), "→ "+f.Remedy)
		}
	}
	b.WriteString("\n" + r.verdict() + "\n")
	return b.String()
}

func (r Report) verdict() string {
	wrong := 0
	for _, f := range r.Findings {
		if f.Severity == Wrong {
			wrong++
		}
	}
	first, _ := r.First()
	switch wrong {
	case 0:
		return "Everything that can be checked holds." + r.ownHash()
	case 1:
		return "1 thing is wrong: " + first.ID + "."
	default:
		return fmt.Sprintf("%d things are wrong. Begin with %s: the others may follow from it.", wrong, first.ID)
	}
}

// ownHash is for the reader whose program disagrees.
func (r Report) ownHash() string {
	if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == "sign-ok" }) {
		return ""
	}
	return "\nIf your program says otherwise, put the hash that it computes in the place of the\n" +
		"signature and run this again: it then says what your program hashes."
}

// paragraph writes text in lines of a readable width behind head.
func paragraph(b *strings.Builder, head, text string) {
	b.WriteString(head)
	column := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	b.WriteByte('\n')
}

// count puts a noun behind a number.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
