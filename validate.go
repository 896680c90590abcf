package ips

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/codec"
)

// The rules of single fields stand in the struct tag "check", separated by
// commas:
//
//	optional          may be empty; without it a field is required
//	max=30            at most so many characters (not bytes)
//	len=5             exactly so many characters
//	alnum             a–z A–Z 0–9 only
//	digits            0–9 only
//	url               absolute http or https URL
//	gt=0 ge=0 lt=48 le=100000000
//	                  bounds of amounts (yuan), rates (percent) and integers
//	oneof=1 2         the legal values of an enumeration
//	rows=3000         1 to so many rows
//	secret            never quote the value
//
// Rules between fields are in the request's check method.

// checker is a request with rules between its fields.
type checker interface{ check(v *validation) }

// validation collects the broken rules of one request.
type validation struct{ fields []FieldError }

// add notes a broken rule of the field with the given wire and Go names.
func (v *validation) add(wire, goName, rule, value string) {
	v.fields = append(v.fields, FieldError{wire, goName, rule, value})
}

// addf is add for a rule between fields; the rule is a format with args.
func (v *validation) addf(wire, goName, value, rule string, args ...any) {
	v.add(wire, goName, fmt.Sprintf(rule, args...), value)
}

// validate checks the struct that req points to against all rules at once.
func validate(op Operation, req any) error {
	var v validation
	v.structFields(reflect.ValueOf(req).Elem(), nil)
	if c, ok := req.(checker); ok {
		c.check(&v)
	}
	if len(v.fields) == 0 {
		return nil
	}
	return &ValidationError{Operation: op, Fields: v.fields}
}

// row is the row that a field stands in; nil is none.
type row struct {
	wire, goName, element string
	index                 int
}

// names are the full names of a field, for an error.
func (r *row) names(f *codec.Field) (wire, goName string) {
	if r == nil {
		return f.Name, f.GoName
	}
	return fmt.Sprintf("%s/%s[%d]/%s", r.wire, r.element, r.index+1, f.Name), fmt.Sprintf("%s[%d].%s", r.goName, r.index, f.GoName)
}

func (v *validation) structFields(s reflect.Value, in *row) {
	fields := codec.Fields(s.Type())
	for i := range fields {
		f := &fields[i]
		switch {
		case f.IsConst || f.CopyOf != "":
		case f.Row != "":
			v.rows(s.FieldByIndex(f.Index), f)
		default:
			v.field(s, f, in)
		}
	}
}

func (v *validation) rows(rows reflect.Value, f *codec.Field) {
	limit, _ := strconv.Atoi(rule(f.Tag.Get("check"), "rows"))
	if n := rows.Len(); n < 1 || n > limit {
		v.add(f.Name, f.GoName, fmt.Sprintf("must have 1 to %d rows", limit), fmt.Sprintf("%d rows", n))
	}
	// Rows beyond the limit are not looked at: one complaint is enough.
	for i := range min(rows.Len(), limit) {
		v.structFields(rows.Index(i), &row{f.Name, f.GoName, f.Row, i})
	}
}

// rule returns the value of one rule out of the tag, "" where it is missing.
func rule(rules, key string) string {
	for r := range strings.SplitSeq(rules, ",") {
		if k, value, _ := strings.Cut(r, "="); k == key {
			return cmp.Or(value, "yes")
		}
	}
	return ""
}

// field checks one field of s and notes the first rule that it breaks.
func (v *validation) field(s reflect.Value, f *codec.Field, in *row) {
	rules := f.Tag.Get("check")
	broken := brokenRule(rules, s, f)
	if broken == "" {
		return
	}
	text := codec.Text(s, f)
	shown := quote
	switch {
	case rule(rules, "secret") != "":
		shown = personal
	case rule(rules, "url") != "":
		shown = shownURL
	}
	wire, goName := in.names(f)
	v.add(wire, goName, broken, shown(text))
}

// quote shows a value that is not personal, cut to a readable length.
func quote(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return fmt.Sprintf("%q… (%d characters)", string(r[:most]), len(r))
	}
	return strconv.Quote(text)
}

// personal stands for a value that must not be in logs: ids, names, accounts.
func personal(text string) string {
	return fmt.Sprintf("a value of %d characters", utf8.RuneCountInString(text))
}

// shownURL quotes a URL unless it may hold a password.
func shownURL(s string) string {
	if strings.Contains(s, "@") {
		return personal(s)
	}
	return quote(s)
}

var (
	amountType = reflect.TypeFor[Amount]()
	rateType   = reflect.TypeFor[Rate]()
	dateType   = reflect.TypeFor[Date]()
)

func brokenRule(rules string, s reflect.Value, f *codec.Field) string {
	value := s.FieldByIndex(f.Index)
	switch {
	case f.Type == amountType, f.Type == rateType:
		return brokenBound(rules, value.Int(), 100, "999999999.99", int64(MaxAmount))
	case f.Type == dateType:
		switch d := value.Addr().Interface().(*Date); {
		case d.IsZero():
			return "must be given"
		case !d.Valid():
			return "must be a day of the calendar"
		}
		return ""
	case f.Type.Kind() == reflect.Int:
		return brokenBound(rules, value.Int(), 1, "999999999", 999_999_999)
	case f.Default != "" && value.IsZero():
		return brokenText(rules, f.Default)
	}
	return brokenText(rules, value.String())
}

// brokenBound checks a number that counts in 1/unit.
func brokenBound(rules string, n, unit int64, mostText string, most int64) string {
	for r := range strings.SplitSeq(rules, ",") {
		key, value, _ := strings.Cut(r, "=")
		word, holds := "", true
		bound := func() int64 {
			h, _ := parseHundredths(value, 9) // tags are ours
			return h * unit / 100
		}
		switch key {
		case "gt":
			word, holds = "more than", n > bound()
		case "ge":
			word, holds = "at least", n >= bound()
		case "lt":
			word, holds = "less than", n < bound()
		case "le":
			word, holds = "at most", n <= bound()
		}
		if !holds {
			return "must be " + word + " " + value
		}
	}
	switch {
	case n < 0: // no number on the wire has a sign
		return "must be at least 0"
	case n > most:
		return "must be at most " + mostText
	}
	return ""
}

func brokenText(rules, text string) string {
	if text == "" {
		if rule(rules, "optional") != "" {
			return ""
		}
		return "must not be empty"
	}
	if !utf8.ValidString(text) {
		return "must be UTF-8"
	}
	if r, bad := badCharacter(text); bad {
		return fmt.Sprintf("must not hold the control character %U", r)
	}
	if strings.TrimSpace(text) == "" {
		return "must not be blank"
	}
	n := utf8.RuneCountInString(text)
	for r := range strings.SplitSeq(rules, ",") {
		key, value, _ := strings.Cut(r, "=")
		limit, _ := strconv.Atoi(value)
		switch {
		case key == "max" && n > limit:
			return "must have at most " + value + " characters"
		case key == "len" && n != limit:
			return "must have exactly " + value + " characters"
		case key == "alnum" && !alnum(text):
			return "must be letters a–z, A–Z and digits only"
		case key == "digits" && !digits(text):
			return "must be digits only"
		case key == "url" && !absoluteURL(text):
			return "must be an absolute http or https URL"
		case key == "oneof" && !oneOf(value, text):
			return "must be one of " + strings.ReplaceAll(value, " ", ", ")
		}
	}
	return ""
}

func badCharacter(s string) (rune, bool) {
	for _, r := range s {
		if unicode.IsControl(r) {
			return r, true
		}
	}
	return codec.BadRune(s)
}

func alnum(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func absoluteURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func oneOf(list, s string) bool {
	for v := range strings.SplitSeq(list, " ") {
		if v == s {
			return true
		}
	}
	return false
}
