package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

// Severity says what a finding means for the reader.
type Severity string

// The severities.
const (
	OK    Severity = "ok"    // this part is as it should be
	Note  Severity = "note"  // worth knowing, and nothing to mend
	Wrong Severity = "WRONG" // to be mended
)

// Finding is one thing that was found out.
type Finding struct {
	ID       string // short and stable, for programs and searches
	Step     string // the part of the message that it is about
	Severity Severity
	Text     string // what is so, in English
	Remedy   string // what to do, in English; empty if nothing
	Chinese  string // both in one Chinese sentence
}

// finding says one of the phrases.
func finding(id string, args ...any) Finding {
	f := phrases[slices.IndexFunc(phrases, func(f Finding) bool { return f.ID == id })]
	f.Text, f.Chinese = fmt.Sprintf(f.Text, args...), fmt.Sprintf(f.Chinese, args...)
	return f
}

// Report is what was found out, in the order in which to read it.
type Report struct{ Findings []Finding }

// First is the first finding that is wrong; ok is false if nothing is. The later
// ones are often its consequences.
func (r Report) First() (f Finding, ok bool) {
	for _, f := range r.Findings {
		if f.Severity == Wrong {
			return f, true
		}
	}
	return Finding{}, false
}

// String renders the report for a terminal, with the verdict at its end.
func (r Report) String() string {
	var b strings.Builder
	wrong := 0
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-11s%-7s%s: %s\n", f.Step, f.Severity, f.ID, f.Text)
		if f.Severity == Wrong {
			wrong++
			fmt.Fprintf(&b, "%18s→ %s\n%18s%s\n", "", f.Remedy, "", f.Chinese)
		}
	}
	if first, ok := r.First(); ok {
		fmt.Fprintf(&b, "\nWrong: %d. Begin with %s; others may follow from it.\n", wrong, first.ID)
	} else {
		b.WriteString("\nEverything that can be checked holds. If your program says otherwise, put the hash that it\n" +
			"computes in the place of the signature and run this again: it then says what it hashes.\n")
	}
	return b.String()
}
